/* test_bits.c: what may not change a result: what memory held before (X33), how many threads use one model at a time
 * (X32). All comparisons are of bits. */
#include "meter.h"
#include "training.h"

#include <math.h>
#include <pthread.h>

#include "cotan/model.h"
#include "plan/plan.h"

/* ---- X33 ---- */

static const struct {
    const char *name, *net; /* NULL: the preset of that name */
    int64_t channels, side, rows;
} nets[] = {
    {"mlp", NULL, 1, 28, 9},
    {"cnn", NULL, 3, 32, 9},
    {"resnet20", NULL, 3, 16, 5},
    {"17 channels",
     "h = relu(batch_norm(conv2d(input(image), \"a\", 17, 3, pad=1), \"n\"))\n"
     "h = avgpool2d(relu(conv2d(h, \"b\", 3, 5, pad=2, stride=2)), 2)\n"
     "h = dropout(layer_norm(flatten(h), \"l\"), \"d\", 0.3)\n"
     "y = linear(gelu(linear(h, \"c\", 33)), \"o\", classes)\n",
     3, 12, 7},
    {"attention",
     "h = reshape(input(image), -1, 3, 12, 12)\n"
     "h = add(h, attention(h, h, h, causal=1))\n"
     "h = rms_norm(h, \"r\")\n"
     "y = linear(dropout(flatten(h), \"d\", 0.1), \"o\", classes)\n",
     3, 12, 5},
    {"groups, strides, padding",
     "h = conv2d(input(image), \"a\", 12, 3, groups=3, pad=2, stride=2)\n"
     "h = local_response_norm(maxpool2d(silu(h), 3, stride=2, pad=1), 5)\n"
     "y = linear(softmax(linear(flatten(h), \"c\", 19), -1), \"o\", classes)\n",
     3, 14, 6},
};

typedef struct outcome {
    float loss[3], *weights, *prediction;
    uint64_t count;
} outcome;

static ct_t build(ct_ctx *c, size_t i) {
    ct_setting classes = {"classes", "10"};
    ct_net_input in = {"image", CT_SHAPE(CT_N, nets[i].channels, nets[i].side, nets[i].side), CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1, .constants = &classes, .n_constants = 1};
    ct_err e = {0};
    ct_t y;
    const char *text = nets[i].net ? nets[i].net : ct_preset_text(nets[i].name);
    if (ct_net_build(ct_default_graph(c), text, nets[i].name, &env, &y, &e)) fail_msg("%s", e.text);
    return y;
}

/* All parameters and buffers, one after the other. */
static float *gather(ct_ctx *c, uint64_t *count) {
    float *all = NULL;
    *count = 0;
    for (int64_t k = 0; k < ct_var_count(c); k++) {
        ct_var_info v;
        ct_err e = {0};
        assert_int_equal(ct_var_at(c, k, &v), CT_OK);
        if (v.dtype != CT_F32) continue;
        all = realloc(all, (*count + v.count) * sizeof *all);
        assert_non_null(all);
        ct_array a = ct_array_view(all + *count, CT_F32, v.shape);
        if (ct_var_get(c, v.name, &a, &e)) fail_msg("%s", e.text);
        *count += v.count;
    }
    return all;
}

static void run(ct_session *s, ct_plan *p, const void *const *in, int64_t rows, void *const *out, int dirty) {
    if (dirty && s->memory) memset(s->memory, 0xFF, s->memory_bytes);
    if (ct_run(s, p, in, rows, out)) fail_msg("%s", ct_session_error(s));
}

/* Three steps and a prediction; `dirty`: memory holds NaN wherever something is to be written. */
static outcome train_net(size_t i, int dirty) {
    meter m = METER;
    ct_options options = {.threads = 3, .seed = 4};
    if (dirty) options.allocator = meter_hook(&m);
    ct_ctx *c = ct_open(&options);
    ct_t y = build(c, i);
    ct_t loss = ct_cross_entropy(y, ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), (ct_t){0}, (ct_ce){0});
    int64_t rows = nets[i].rows, pixels = nets[i].channels * nets[i].side * nets[i].side, label[16];
    float *x = calloc((size_t)(rows * pixels), sizeof *x);
    outcome o = {.prediction = calloc((size_t)rows * 10, sizeof(float))};
    ct_plan *p, *q;
    ct_session *s;
    ct_err e = {0};
    ct_random r = ct_random_stream(7, i);
    for (int64_t k = 0; k < rows * pixels; k++) x[k] = (float)ct_random_normal(&r);
    for (int64_t k = 0; k < rows; k++) label[k] = (int64_t)ct_random_below(&r, 10);
    if (ct_compile_train(
            loss, NULL, 0,
            &(ct_train){.clip_norm = 1, .batch = rows, .shard = 2, .average = 0.9, .one_thread = -1}, &p,
            &e) ||
        ct_plan_new(&y, 1, NULL, 0, (ct_compile){.shard = 2, .one_thread = -1}, &q, &e) ||
        ct_session_new(c, &s, &e))
        fail_msg("%s", e.text);
    int64_t calls = 0;
    for (int k = 0; k < 3; k++) {
        run(s, p, (const void *[2]){x, label}, rows, (void *[2]){&o.loss[k], NULL}, dirty);
        if (k == 0) calls = m.calls;
    }
    if (m.calls != calls)
        fail_msg("%s: %lld allocations in steps after the first", nets[i].name, (long long)(m.calls - calls));
    run(s, q, (const void *[1]){x}, rows, (void *[1]){o.prediction}, dirty);
    o.weights = gather(c, &o.count);
    ct_session_free(s);
    ct_plan_free(p);
    ct_plan_free(q);
    ct_close(c);
    free(x);
    return o;
}

static void uninitialised(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        outcome a = train_net(i, 0), b = train_net(i, 1);
        if (memcmp(a.loss, b.loss, sizeof a.loss) != 0 || a.count != b.count ||
            memcmp(a.weights, b.weights, a.count * sizeof *a.weights) != 0 ||
            memcmp(a.prediction, b.prediction, (size_t)nets[i].rows * 10 * sizeof(float)) != 0)
            fail_msg("X33: %s: losses %.9g %.9g %.9g, with NaN in memory %.9g %.9g %.9g", nets[i].name,
                     (double)a.loss[0], (double)a.loss[1], (double)a.loss[2], (double)b.loss[0],
                     (double)b.loss[1], (double)b.loss[2]);
        assert_true(isfinite(a.loss[2]));
        free(a.weights), free(b.weights), free(a.prediction), free(b.prediction);
    }
}

/* A whole training on memory that holds NaN. */
static void uninitialised_job(void **state) {
    meter m = METER;
    ct_image_train o = training(at("dirty.safetensors"));
    ct_err e;
    (void)state;
    o.allocator = meter_hook(&m);
    if (train(&o, &e)) fail_msg("%s", e.text);
    assert_same_run("dirty");
    assert_int_equal(m.live, 0);
}

/* ---- X32 ---- */

enum { USERS = 4, ROUNDS = 12, MOST = 40, PIXELS = 64, CLASSES = 4 };
typedef struct user {
    ct_model *model;
    const float *x;
    float y[ROUNDS][MOST * CLASSES];
    int32_t number, failed;
} user;

/* Batches of several sizes, begun at different records. */
static void *predict(void *data) {
    user *u = data;
    ct_session *s = NULL;
    ct_err e = {0};
    u->failed = ct_session_new(ct_model_context(u->model), &s, &e) != CT_OK;
    for (int k = 0; k < ROUNDS && !u->failed; k++) {
        int64_t rows = 1 + (k * 7) % MOST;
        u->failed = ct_run(s, ct_model_plan(u->model), (const void *[1]){u->x + k * PIXELS}, rows,
                           (void *[1]){u->y[k]}) != CT_OK;
    }
    ct_session_free(s);
    return NULL;
}

static void many_users(void **state) {
    static float x[(ROUNDS + MOST) * PIXELS];
    static user users[USERS + 1];
    pthread_t thread[USERS];
    ct_model *model;
    ct_err e = {0};
    ct_options options = {.threads = 2};
    ct_random r = ct_random_stream(1, 2);
    (void)state;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)ct_random_normal(&r);
    if (ct_model_open(at("whole.safetensors"), &options, &model, &e)) fail_msg("%s", e.text);
    for (int i = 0; i <= USERS; i++) users[i] = (user){.model = model, .x = x, .number = i};
    for (int i = 0; i < USERS; i++) assert_int_equal(pthread_create(&thread[i], NULL, predict, &users[i]), 0);
    for (int i = 0; i < USERS; i++) pthread_join(thread[i], NULL);
    predict(&users[USERS]); /* alone */
    for (int i = 0; i < USERS; i++) {
        assert_false(users[i].failed);
        assert_memory_equal(users[i].y, users[USERS].y, sizeof users[i].y);
    }
    ct_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(uninitialised), cmocka_unit_test(uninitialised_job),
                                       cmocka_unit_test(many_users)};
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
