/* test_numbers.c: sizes and numbers at their ends: batches of one, short, empty and missing ones (X23), rates and
 * weights far too large, denormals (X25). */
#include "rows.h"
#include "training.h"

#include <math.h>

#include "cotan/nn.h"

/* ---- X23 ---- */

typedef struct net { /* a training plan over [N,3,side,side] */
    ct_ctx *c;
    ct_plan *p;
    ct_session *s;
} net;

static net net_of(const char *text, int64_t side, int64_t batch, int trap) {
    net n;
    ct_options options = {.threads = 2, .trap = trap};
    ct_net_input in = {"x", CT_SHAPE(CT_N, 3, side, side), CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1};
    ct_err e = {0};
    ct_t y;
    n.c = ct_open(&options);
    if (ct_net_build(ct_default_graph(n.c), text, "net", &env, &y, &e)) fail_msg("%s", e.text);
    ct_t loss = ct_cross_entropy(y, ct_input(n.c, "label", CT_I64, CT_SHAPE(CT_N)), (ct_t){0}, (ct_ce){0});
    if (ct_compile_train(loss, NULL, 0,
                         &(ct_train){.optimiser = CT_SGD, .lr = 0.1, .clip_norm = 1e9, .batch = batch}, &n.p,
                         &e) ||
        ct_session_new(n.c, &n.s, &e))
        fail_msg("%s", e.text);
    return n;
}

static void net_free(net *n) {
    ct_session_free(n->s);
    ct_plan_free(n->p);
    ct_close(n->c);
}

#define BN "h = batch_norm(input(x), \"bn\")\ny = linear(flatten(h), \"out\", 3)\n"
#define PLAIN "y = linear(flatten(input(x)), \"out\", 3)\n"

static void batches(void **state) {
    static const struct {
        const char *code, *net;
        int64_t side, rows;
        ct_status status;
        const char *part;
    } rows[] = {
        {"X23 one record into batch norm", BN, 1, 1, CT_EUSAGE,
         "batch_norm \"bn\": 1 values a channel; wanted at least 2"},
        {"X23 one picture into batch norm", BN, 2, 1, CT_OK, ""},
        {"X23 two records into batch norm", BN, 1, 2, CT_OK, ""},
        {"X23 a short batch", BN, 1, 5, CT_OK, ""},
        {"X23 more than the batch", BN, 1, 50, CT_OK, ""},
        {"X23 no record into batch norm", BN, 2, 0, CT_EUSAGE, "batch is 0; wanted at least 1"},
        {"X23 one record", PLAIN, 1, 1, CT_OK, ""},
        {"X23 no record", PLAIN, 1, 0, CT_EUSAGE, "batch is 0; wanted at least 1"},
        {"X23 a negative batch", PLAIN, 1, -1, CT_EUSAGE, "batch is -1; wanted"},
    };
    static float x[50 * 12];
    int64_t label[50];
    ct_random r = ct_random_stream(1, 0);
    (void)state;
    for (int i = 0; i < 50 * 12; i++) x[i] = (float)ct_random_normal(&r);
    for (int i = 0; i < 50; i++) label[i] = i % 3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        net n = net_of(rows[i].net, rows[i].side, 8, 0);
        float loss = -1, norm = -1;
        ct_status s = ct_run(n.s, n.p, (const void *[2]){x, label}, rows[i].rows, (void *[2]){&loss, &norm});
        const char *text = ct_session_error(n.s);
        if (s != rows[i].status || !strstr(text, rows[i].part))
            fail_msg("%s: status %d: %s", rows[i].code, (int)s, text);
        if (!s && !(isfinite(loss) && isfinite(norm)))
            fail_msg("%s: loss %g, norm %g", rows[i].code, (double)loss, (double)norm);
        net_free(&n);
    }
}

static void trainings(void **state) {
    static const struct {
        const char *code;
        int64_t limit, batch, epochs;
        ct_status status;
        const char *part;
    } rows[] = {
        {"X23 fewer records than a batch", 40, 64, 1, CT_OK, ""},
        {"X23 a last batch of one", 640, 192, 1, CT_OK, ""},
        {"X23 batches of one", 60, 1, 1, CT_OK, ""},
        {"X23 too few to cut", 2, 64, 1, CT_EDATA, "to validate; wanted at least one each"},
        {"X23 one record", 1, 64, 1, CT_EDATA, "wanted at least one each"},
        {"X23 fewer epochs than one", 60, 8, -1, CT_EUSAGE, "wanted 1 to"},
        {"X23 a negative batch", 60, -8, 1, CT_EUSAGE, "wanted 1 to"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_image_train o = training(at("m.safetensors"));
        ct_err e;
        o.force = 1;
        o.limit = rows[i].limit, o.batch = rows[i].batch, o.epochs = rows[i].epochs;
        ct_status s = train(&o, &e);
        if (s != rows[i].status || !strstr(e.text, rows[i].part))
            fail_msg("%s: status %d: %s", rows[i].code, (int)s, e.text);
        if (s) rows_one_line(rows[i].code, &e);
    }
    /* batch norm over records alone, and a last batch of one: said before the first step */
    ct_image_train o = training(at("m.safetensors"));
    ct_err e;
    assert_true(training_write(at("flat.net"),
                               "h = batch_norm(linear(flatten(input(image)), \"a\", 6), \"bn\")\n"
                               "logit = linear(h, \"out\", classes)\n"));
    o.net = at("flat.net");
    o.force = 1;
    for (o.batch = 2; o.batch < 40; o.batch++) {
        o.epochs = 1;
        ct_status s = train(&o, &e);
        if (s && s != CT_EUSAGE) fail_msg("batch %lld: status %d: %s", (long long)o.batch, (int)s, e.text);
        if (!s) continue;
        assert_non_null(strstr(e.text, "batch_norm \"bn\": 1 values a channel"));
        rows_one_line("X23", &e);
        break;
    }
    assert_true(o.batch < 40);
}

/* ---- X25 ---- */

/* A file of the net's weights, all of them `value`. */
static void fill_weights(const char *path, float value) {
    ct_tensors *from, *to;
    const char *document;
    ct_err e = {0};
    if (ct_model_read(NULL, NULL, at("whole.safetensors"), &from, &document, &e) ||
        ct_tensors_new(NULL, &to, &e))
        fail_msg("%s", e.text);
    for (int64_t i = 0; i < ct_tensors_count(from); i++) {
        ct_array a;
        assert_int_equal(ct_tensors_at(from, i, &a), CT_OK);
        float *f = a.data;
        for (uint64_t k = 0; a.dtype == CT_F32 && k < ct_array_count(&a); k++) f[k] = k % 2 ? value : -value;
        if (ct_tensors_add(to, ct_tensors_name(from, i), &a, &e)) fail_msg("%s", e.text);
    }
    if (ct_tensors_save(NULL, to, path, &e)) fail_msg("%s", e.text);
    ct_tensors_free(from);
    ct_tensors_free(to);
}

static void too_large(void **state) {
    static const struct {
        const char *code, *optimiser;
        double lr;
        float weights; /* 0: drawn */
        ct_status status;
    } rows[] = {
        {"X25 rate 1e10", "sgd", 1e10, 0, CT_ENONFINITE},
        {"X25 rate 1e10", "adam", 1e20, 0, CT_ENONFINITE},
        {"X25 weights 1e38", "sgd", 1e-3, 1e38f, CT_ENONFINITE},
        {"X25 weights 1e38", "adam", 1e-3, 1e38f, CT_ENONFINITE},
        {"X25 denormal weights", "sgd", 1e-3, 1e-40f, CT_OK},
        {"X25 denormal rate", "sgd", 1e-300, 0, CT_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[200];
        ct_image_train o = training(at("m.safetensors"));
        ct_err e;
        snprintf(path, sizeof path, "%s", at("x25.safetensors"));
        if (rows[i].weights != 0) fill_weights(path, rows[i].weights);
        o.init = rows[i].weights != 0 ? path : NULL;
        o.force = 1;
        o.optimiser = rows[i].optimiser;
        o.lr = rows[i].lr;
        o.average = 0;
        ct_status s = train(&o, &e);
        if (s != rows[i].status)
            fail_msg("%s: status %d; wanted %d (%s)", rows[i].code, (int)s, (int)rows[i].status, e.text);
        if (s) rows_one_line(rows[i].code, &e);
        if (s) assert_int_equal(access(at("m.safetensors"), F_OK), -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(batches), cmocka_unit_test(trainings),
                                       cmocka_unit_test(too_large)};
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
