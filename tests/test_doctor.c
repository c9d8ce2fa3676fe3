/* test_doctor.c: for each fault a training that has it and one that has not; what the doctor costs, counted; its memory
 * saved and read back; and that it changes no bit. */
#include "training.h"

#include <math.h>

#include "cotan/doctor.h"

enum { SIDE = 8, RECORDS = 256, CLASSES = 4, BATCH = 32, STEPS = 400 };

static const char *sound =
    "h = relu(linear(flatten(input(image)), \"fc1\", 32))\nlogit = linear(h, \"fc2\", classes)\n";

typedef struct example {
    int32_t fault;
    const char *net;
    double lr, late_lr; /* late_lr: from step 100 on; 0: the same */
    double bias;        /* of class 0, to begin with */
    int32_t blind;      /* 1: labels have nothing to do with the pictures */
} example;

static const char *layers_of_sigmoids =
    "h = flatten(input(image))\nfor i in 0..9 { scope \"{i}\" { h = sigmoid(linear(h, \"fc\", 16)) } }\n"
    "logit = linear(h, \"out\", classes)\n";
static const char *dead = "h = relu(add_scalar(linear(flatten(input(image)), \"fc1\", 32), -100))\nlogit = "
                          "linear(h, \"fc2\", classes)\n";
static const char *saturated = "h = tanh(mul_scalar(linear(flatten(input(image)), \"fc1\", 32), "
                               "1000))\nlogit = linear(h, \"fc2\", classes)\n";
static const char *exploding = "h = relu(linear(flatten(input(image)), \"fc1\", 32))\nlogit = "
                               "mul_scalar(linear(h, \"fc2\", classes), 100000)\n";

static const char *plain = "logit = linear(flatten(input(image)), \"fc2\", classes)\n";

static const example sick[] = {
    {CT_FAULT_DEAD_RELU, NULL, 1e-3, 0, 0, 0},     {CT_FAULT_SATURATED, NULL, 1e-3, 0, 0, 0},
    {CT_FAULT_VANISHING, NULL, 1e-3, 0, 0, 0},     {CT_FAULT_EXPLODING, NULL, 1e-9, 0, 0, 0},
    {CT_FAULT_LARGE_UPDATES, NULL, 1e-3, 5, 0, 1}, {CT_FAULT_SMALL_UPDATES, NULL, 1e-9, 0, 0, 0},
    {CT_FAULT_FLAT_LOSS, NULL, 1e-7, 0, 0, 1},     {CT_FAULT_RISING_LOSS, NULL, 1e-3, 1, 0, 1},
    {CT_FAULT_ONE_CLASS, NULL, 1e-9, 0, 100, 0},
};

static const char *net_of(int32_t fault) {
    return fault == CT_FAULT_DEAD_RELU       ? dead
           : fault == CT_FAULT_SATURATED     ? saturated
           : fault == CT_FAULT_VANISHING     ? layers_of_sigmoids
           : fault == CT_FAULT_EXPLODING     ? exploding
           : fault == CT_FAULT_LARGE_UPDATES ? plain
           : fault == CT_FAULT_RISING_LOSS   ? plain
                                             : sound;
}

static float picture[RECORDS][SIDE * SIDE];
static int64_t label[RECORDS];

/* Bars at a place of their own for each class, in noise. */
static void make_data(int blind, int spoilt) {
    ct_random r = ct_random_stream(3, 0);
    for (int i = 0; i < RECORDS; i++) {
        int64_t kind = (int64_t)ct_random_below(&r, CLASSES);
        label[i] = blind ? (int64_t)ct_random_below(&r, CLASSES) : kind;
        for (int k = 0; k < SIDE * SIDE; k++)
            picture[i][k] = (float)(0.3 * ct_random_normal(&r) + (k / SIDE / 2 == kind ? 1 : 0));
    }
    if (spoilt) picture[5][9] = NAN;
}

typedef struct job {
    ct_ctx *ctx;
    ct_t loss, logits;
    ct_source source;
    ct_trainer *trainer;
    ct_doctor *doctor;
    ct_loader *loader;
} job;

static void open_job(job *j, const char *net, double lr, int64_t steps) {
    int64_t dim[4] = {CT_N, 1, SIDE, SIDE}, records[4] = {RECORDS, 1, SIDE, SIDE}, rows[1] = {CT_N},
            n[1] = {RECORDS};
    const char *names[] = {"image", "label"};
    ct_err e = {0};
    *j = (job){.ctx = ct_open(&(ct_options){.threads = 1, .seed = 1})};
    ct_graph *g = ct_default_graph(j->ctx);
    ct_net_input input = {.name = "image", .dtype = CT_F32, .shape = ct_shape_make(4, dim)};
    ct_setting classes = {"classes", "4"};
    ct_net_env env = {.inputs = &input, .n_inputs = 1, .constants = &classes, .n_constants = 1};
    if (ct_net_build(g, net, "net", &env, &j->logits, &e)) fail_msg("%s", e.text);
    ct_t none = {0, 0, 0};
    j->loss = ct_cross_entropy(j->logits, ct_graph_input(g, "label", CT_I64, ct_shape_make(1, rows)), none,
                               (ct_ce){0});
    ct_array arrays[2] = {ct_array_view(picture, CT_F32, ct_shape_make(4, records)),
                          ct_array_view(label, CT_I64, ct_shape_make(1, n))};
    assert_int_equal(ct_source_arrays(NULL, arrays, names, 2, &j->source, &e), CT_OK);
    ct_train t = {.lr = lr, .batch = BATCH, .clip_norm = INFINITY};
    if (ct_trainer_new(j->loss, NULL, 0, &t, &j->source, &j->trainer, &e)) fail_msg("%s", e.text);
    ct_doctor_options o = {.steps = steps, .batch = BATCH, .every = 16, .label = 2};
    if (ct_doctor_new(j->loss, j->logits, &j->source, &o, &j->doctor, &e)) fail_msg("%s", e.text);
    ct_loader_options lo = {.batch = BATCH, .shuffle = 1, .seed = 1};
    assert_int_equal(ct_loader_new(NULL, &j->source, lo, &j->loader, &e), CT_OK);
}

static void close_job(job *j) {
    ct_loader_free(j->loader);
    ct_doctor_free(j->doctor);
    ct_trainer_free(j->trainer);
    ct_source_close(&j->source);
    ct_close(j->ctx);
}

static void step(job *j, int64_t number, double lr) {
    ct_batch b = {0};
    double loss = NAN;
    ct_err e = {0};
    for (int i = 0; i < 2 && b.rows == 0; i++) assert_int_equal(ct_next(j->loader, &b, &e), CT_OK);
    if (ct_doctor_before(j->doctor, number, &b, &e)) fail_msg("%s", e.text);
    ct_status s = ct_trainer_step(j->trainer, &b, lr, &loss, NULL, &e);
    if (s == CT_ENONFINITE)
        ct_doctor_nonfinite(j->doctor, number, e.text);
    else if (s)
        fail_msg("%s", e.text);
    if (ct_doctor_after(j->doctor, number, loss, lr, &e)) fail_msg("%s", e.text);
}

static void all_steps(job *j, const example *x) {
    for (int64_t i = 0; i < STEPS; i++) step(j, i, i >= 100 && x->late_lr > 0 ? x->late_lr : x->lr);
}

static const ct_finding *found(const job *j, int32_t fault) {
    for (int32_t i = 0; i < ct_doctor_findings(j->doctor); i++)
        if (ct_doctor_finding(j->doctor, i)->fault == fault) return ct_doctor_finding(j->doctor, i);
    return NULL;
}

static void test_the_sick(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sick / sizeof *sick; i++) {
        job j;
        const example *x = &sick[i];
        make_data(x->blind, 0);
        open_job(&j, net_of(x->fault), x->lr, STEPS);
        if (x->bias > 0) {
            float bias[CLASSES] = {(float)x->bias};
            int64_t n[1] = {CLASSES};
            ct_err e = {0};
            ct_array a = ct_array_view(bias, CT_F32, ct_shape_make(1, n));
            assert_int_equal(ct_var_set(j.ctx, "fc2.bias", &a, &e), CT_OK);
        }
        all_steps(&j, x);
        const ct_finding *f = found(&j, x->fault);
        for (int32_t k = 0; k < ct_doctor_findings(j.doctor); k++)
            print_message("%s: %s; try %s\n", ct_fault_name(x->fault), ct_doctor_finding(j.doctor, k)->text,
                          ct_doctor_finding(j.doctor, k)->advice);
        if (!f) fail_msg("%s is not found", ct_fault_name(x->fault));
        assert_true(f->step >= 1 && f->step <= STEPS && f->text[0] && f->advice[0]);
        assert_true(f->fault == CT_FAULT_VANISHING || f->fault == CT_FAULT_SMALL_UPDATES
                        ? f->value < f->limit
                        : f->value >= f->limit);
        close_job(&j);
    }
}

/* A sound training, of each kind of activation: nothing at all is found. */
static void test_the_sound(void **state) {
    (void)state;
    static const char *const nets[] = {
        NULL, "h = tanh(linear(flatten(input(image)), \"fc1\", 32))\nlogit = linear(h, \"fc2\", classes)\n",
        "h = sigmoid(linear(flatten(input(image)), \"fc1\", 32))\nlogit = linear(h, \"fc2\", classes)\n",
        "h = relu(batch_norm(conv2d(input(image), \"c\", 8, 3, pad=1), \"bn\"))\n"
        "h = dropout(relu(linear(flatten(h), \"fc1\", 32)), \"d\", 0.2)\nlogit = linear(h, \"fc2\", "
        "classes)\n"};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        job j;
        example x = {.lr = 1e-3};
        make_data(0, 0);
        open_job(&j, nets[i] ? nets[i] : sound, x.lr, STEPS);
        all_steps(&j, &x);
        for (int32_t k = 0; k < ct_doctor_findings(j.doctor); k++)
            fail_msg("net %zu: %s", i, ct_doctor_finding(j.doctor, k)->text);
        assert_int_equal(ct_doctor_measured(j.doctor), STEPS / 16);
        close_job(&j);
    }
}

/* The node and the sample that made it. */
static void test_not_finite(void **state) {
    job j;
    (void)state;
    make_data(0, 1);
    open_job(&j, sound, 1e-3, STEPS);
    for (int64_t i = 0; i < RECORDS / BATCH; i++) step(&j, i, 1e-3);
    const ct_finding *f = found(&j, CT_FAULT_NONFINITE);
    if (!f) fail_msg("NaN is not found");
    print_message("%s\n", f->text);
    assert_non_null(strstr(f->text, "element ["));
    assert_non_null(strstr(f->text, "image"));
    close_job(&j);
}

/* Of its defaults: rows measured, as a share of the rows trained on. */
static void test_the_cost(void **state) {
    job j;
    ct_err e = {0};
    (void)state;
    make_data(0, 0);
    open_job(&j, sound, 1e-3, STEPS);
    ct_doctor_free(j.doctor);
    ct_doctor_options o = {.steps = 1000, .batch = 64, .label = 2};
    assert_int_equal(ct_doctor_new(j.loss, j.logits, &j.source, &o, &j.doctor, &e), CT_OK);
    int64_t n = 0;
    for (int64_t i = 0; i < 1000; i++) n += i % 64 == 32;
    assert_true((double)(n * ct_doctor_rows(j.doctor)) / (1000.0 * 64) < 0.005);
    close_job(&j);
}

/* Saved in the middle and read back by another, it comes to the same. */
static void test_memory(void **state) {
    job j;
    ct_array kept, end, again;
    ct_err e = {0};
    ct_doctor *other = NULL;
    (void)state;
    make_data(0, 0);
    open_job(&j, sound, 1e-3, STEPS);
    for (int64_t i = 0; i < 100; i++) step(&j, i, 1e-3);
    assert_int_equal(ct_doctor_save(j.doctor, &kept, &e), CT_OK);
    ct_doctor_options o = {.steps = STEPS, .batch = BATCH, .every = 16, .label = 2 };
    assert_int_equal(ct_doctor_new(j.loss, j.logits, &j.source, &o, &other, &e), CT_OK);
    assert_int_equal(ct_doctor_load(other, &kept, &e), CT_OK);
    assert_int_equal(ct_doctor_measured(other), ct_doctor_measured(j.doctor));
    ct_doctor *first = j.doctor;
    for (int64_t i = 100; i < 180; i++) { /* both see the same steps */
        ct_batch b = {0};
        double loss;
        for (int k = 0; k < 2 && b.rows == 0; k++) assert_int_equal(ct_next(j.loader, &b, &e), CT_OK);
        assert_int_equal(ct_doctor_before(first, i, &b, &e), CT_OK);
        assert_int_equal(ct_doctor_before(other, i, &b, &e), CT_OK);
        assert_int_equal(ct_trainer_step(j.trainer, &b, 1e-3, &loss, NULL, &e), CT_OK);
        assert_int_equal(ct_doctor_after(first, i, loss, 1e-3, &e), CT_OK);
        assert_int_equal(ct_doctor_after(other, i, loss, 1e-3, &e), CT_OK);
    }
    assert_int_equal(ct_doctor_save(first, &end, &e), CT_OK);
    assert_int_equal(ct_doctor_save(other, &again, &e), CT_OK);
    assert_memory_equal(end.data, again.data, ct_array_count(&end));
    kept.dim[0]--;
    assert_int_equal(ct_doctor_load(other, &kept, &e), CT_EDATA);
    kept.dim[0]++;
    ct_array_free(&kept);
    ct_array_free(&end);
    ct_array_free(&again);
    ct_doctor_free(other);
    close_job(&j);
}

static void test_no_bit(void **state) {
    ct_err e;
    (void)state;
    ct_image_train o = training(at("without.safetensors"));
    o.doctor = -1;
    o.report = "none";
    if (train(&o, &e)) fail_msg("%s", e.text);
    assert_same_file(at("whole.safetensors"), at("without.safetensors"));
    assert_int_equal(count_files(at("without.run"), "report.html"), 0);
    assert_int_equal(count_files(at("whole.run"), "report.html"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sick), cmocka_unit_test(test_the_sound), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_the_cost), cmocka_unit_test(test_memory),    cmocka_unit_test(test_no_bit),
    };
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
