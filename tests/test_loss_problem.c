/* test_loss_problem.c: a loss of a graph as a function: gradients by the graph, records in batches, L-BFGS on nets, what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cotan/task.h"
#include "meter.h"

enum { ROWS = 50, D = 3 };
static float X[ROWS * D], Y[ROWS];
static int64_t LABEL[ROWS];
static ct_err e;

static void ok(ct_status s) {
    if (s) fail_msg("%s", e.text);
}
static void refuse(ct_status found, ct_status wanted, const char *text) {
    if (found != wanted || !strstr(e.text, text))
        fail_msg("status %d \"%s\"; wanted %d \"%s\"", (int)found, e.text, (int)wanted, text);
    ct_error_clear(&e);
}

static int setup(void **state) {
    ct_random r = ct_random_stream(5, 0);
    (void)state;
    for (int i = 0; i < ROWS * D; i++) X[i] = (float)ct_random_normal(&r);
    for (int i = 0; i < ROWS; i++) {
        Y[i] = 2 * X[D * i] - X[D * i + 1] + 0.5f + 0.1f * (float)ct_random_normal(&r);
        LABEL[i] = X[D * i] + 0.5f * (float)ct_random_normal(&r) > 0 ? X[D * i + 2] > 0 ? 2 : 1 : 0;
    }
    return 0;
}

static ct_t input(ct_ctx *c) { return ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, D)); }

/* mean (y - x w - b)^2: the minimum is the least-squares solution of [x 1]. */
static void least_squares(void **state) {
    ct_ctx *c = ct_open(&(ct_options){.seed = 3});
    ct_t out = ct_linear(input(c), "fit", 1, (ct_lin){0});
    ct_t loss = ct_mse(out, ct_input(c, "y", CT_F32, CT_SHAPE(CT_N, 1)), (ct_loss){0});
    double a[ROWS * (D + 1)], y[ROWS];
    float w[D], b;
    ct_minimise_result r;
    (void)state;
    ok(ct_minimise_loss(loss, (const void *[]){X, Y}, ROWS, &(ct_loss_options){.batch = 7}, NULL, &r, &e));
    assert_int_equal(r.stop, CT_STOP_GRADIENT);
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < D; k++) a[i * (D + 1) + k] = (double)X[i * D + k];
        a[i * (D + 1) + D] = 1;
        y[i] = (double)Y[i];
    }
    ct_array A = ct_array_view(a, CT_F64, CT_SHAPE(ROWS, D + 1)),
             B = ct_array_view(y, CT_F64, CT_SHAPE(ROWS));
    ct_least_squares s;
    ok(ct_matrix_least_squares(NULL, &A, &B, 0, &s, &e));
    ct_array weight = ct_array_view(w, CT_F32, CT_SHAPE(1, D)), bias = ct_array_view(&b, CT_F32, CT_SHAPE(1));
    ok(ct_var_get(c, "fit.weight", &weight, &e));
    ok(ct_var_get(c, "fit.bias", &bias, &e));
    for (int k = 0; k < D; k++) assert_true(fabs((double)w[k] - ((double *)s.x.data)[k]) < 2e-5);
    assert_true(fabs((double)b - ((double *)s.x.data)[D]) < 2e-5);
    ct_least_squares_free(&s);
    ct_close(c);
}

static ct_t net(ct_ctx *c) {
    ct_t h = ct_tanh(ct_linear(input(c), "hidden", 5, (ct_lin){0}));
    ct_t logit = ct_linear(h, "out", 3, (ct_lin){0});
    return ct_cross_entropy(logit, ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), (ct_t){0}, (ct_ce){0});
}

static void gradients(void **state) {
    ct_ctx *c = ct_open(&(ct_options){.seed = 4});
    ct_t loss = net(c);
    const void *in[] = {X, LABEL};
    ct_loss_problem *whole, *cut;
    double x[3 * 5 + 5 + 5 * 3 + 3], g[38], h[38];
    (void)state;
    ok(ct_loss_problem_new(loss, in, ROWS, NULL, &whole, &e));
    ok(ct_loss_problem_new(loss, in, ROWS, &(ct_loss_options){.batch = 8}, &cut, &e));
    assert_int_equal(ct_loss_problem_size(whole), 38);
    ok(ct_loss_problem_get(whole, x, &e));
    ct_problem f = ct_loss_problem_of(whole), k = ct_loss_problem_of(cut);
    double a = f.f(f.user, x, g), b = k.f(k.user, x, h);
    assert_true(fabs(a - b) < 1e-6);
    for (int i = 0; i < 38; i++) assert_true(fabs(g[i] - h[i]) < 1e-6);
    for (int i = 0; i < 38; i++) { /* differences, as far as f32 carries them */
        double at = x[i], low, high;
        x[i] = at + 0.01, high = f.f(f.user, x, NULL);
        x[i] = at - 0.01, low = f.f(f.user, x, NULL);
        x[i] = at;
        assert_true(fabs((high - low) / 0.02 - g[i]) < 1e-4);
    }
    assert_true(f.f(f.user, x, NULL) == a);
    x[7] = 0.5; /* what f was asked last is in the parameters */
    f.f(f.user, x, NULL);
    ok(ct_loss_problem_get(cut, h, &e));
    assert_memory_equal(x, h, sizeof x);
    ct_loss_problem_free(whole);
    ct_loss_problem_free(cut);
    ct_close(c);
}

/* The whole of XOR in some tens of evaluations, in f32. */
static void xor_net(void **state) {
    static const float in[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}}, want[4] = {0, 1, 1, 0};
    ct_ctx *c = ct_open(&(ct_options){.seed = 1});
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), y = ct_input(c, "y", CT_F32, CT_SHAPE(CT_N, 1));
    ct_t logit = ct_linear(ct_tanh(ct_linear(x, "hidden", 8, (ct_lin){0})), "out", 1, (ct_lin){0});
    ct_t loss = ct_bce_logits(logit, y, (ct_loss){0});
    ct_minimise_result r;
    float p[4];
    (void)state;
    ct_minimise_options o = {.max_iterations = 100, .gradient_tolerance = 1e-4};
    ok(ct_minimise_loss(loss, (const void *[]){in, want}, 4, NULL, &o, &r, &e));
    assert_true(r.value < 1e-3 && r.evaluations < 100);
    assert_int_equal(ct_predict(c, ct_sigmoid(logit), in, 4, p), CT_OK);
    for (int i = 0; i < 4; i++) assert_true(fabsf(p[i] - want[i]) < 0.02f);
    ct_close(c);
}

/* Convex with a small decay: from two starts to one minimum; a frozen bias stays. */
static void softmax_regression(void **state) {
    double found[2];
    (void)state;
    for (uint64_t seed = 0; seed < 2; seed++) {
        ct_ctx *c = ct_open(&(ct_options){.seed = seed});
        ct_t logit = ct_linear(input(c), "fit", 3, (ct_lin){0});
        ct_t label = ct_input(c, "label", CT_I64, CT_SHAPE(CT_N));
        ct_t loss = ct_cross_entropy(logit, label, (ct_t){0}, (ct_ce){0});
        ct_t w = ct_param(c, "fit.weight");
        ct_t all = ct_add(loss, ct_mul(ct_sum(ct_mul(w, w), (ct_shape){0}, (ct_reduce){0}),
                                       ct_number(ct_graph_of(w), 0.01)));
        ct_minimise_result r;
        float bias[3] = {0, 0, 0}, after[3];
        ct_array b = ct_array_view(bias, CT_F32, CT_SHAPE(3)),
                 kept = ct_array_view(after, CT_F32, CT_SHAPE(3));
        assert_string_equal(ct_error(c), "");
        ok(ct_var_set(c, "fit.bias", &b, &e));
        assert_int_equal(ct_freeze(c, "fit.bias", 1), 1);
        ok(ct_minimise_loss(all, (const void *[]){X, LABEL}, ROWS, NULL, NULL, &r, &e));
        assert_int_equal(r.stop, CT_STOP_GRADIENT);
        ok(ct_var_get(c, "fit.bias", &kept, &e));
        assert_memory_equal(bias, after, sizeof bias);
        found[seed] = r.value;
        ct_close(c);
    }
    assert_true(fabs(found[0] - found[1]) < 1e-6);
}

static void refused(void **state) {
    ct_ctx *c = ct_open(&(ct_options){.seed = 4});
    ct_t loss = net(c);
    ct_loss_problem *p;
    int64_t bad[ROWS];
    (void)state;
    refuse(ct_loss_problem_new((ct_t){0}, NULL, 5, NULL, &p, &e), CT_EUSAGE, "no loss");
    refuse(ct_loss_problem_new(loss, NULL, 0, NULL, &p, &e), CT_EUSAGE, "0 records");
    refuse(ct_loss_problem_new(loss, (const void *[]){X, NULL}, ROWS, NULL, &p, &e), CT_EUSAGE, "\"label\"");
    refuse(ct_loss_problem_new(ct_param(c, "out.bias"), NULL, ROWS, NULL, &p, &e), CT_EUSAGE, "[3]");
    ct_t alone = ct_mean(input(ct_open(NULL)), (ct_shape){0}, (ct_reduce){0});
    refuse(ct_loss_problem_new(alone, (const void *[]){X}, ROWS, NULL, &p, &e), CT_EUSAGE, "0 parameters");
    ct_close(ct_context(alone));
    memcpy(bad, LABEL, sizeof bad);
    bad[33] = 9;
    ct_status s = ct_minimise_loss(loss, (const void *[]){X, bad}, ROWS, NULL, NULL, NULL, &e);
    refuse(s, CT_EDATA, "9");
    ct_close(c);
}

static void without_memory(void **state) {
    (void)state;
    for (int64_t site = 0;; site++) {
        meter m = METER;
        ct_options o = {.allocator = meter_hook(&m), .threads = 1};
        ct_ctx *c = ct_open(&o);
        ct_t loss = net(c);
        assert_true(ct_ok(loss));
        m.fail_at = m.calls + site;
        ct_error_clear(&e);
        ct_status s = ct_minimise_loss(loss, (const void *[]){X, LABEL}, ROWS, NULL,
                                       &(ct_minimise_options){.max_iterations = 2}, NULL, &e);
        ct_close(c);
        if (m.live) fail_msg("allocation %lld fails: %lld stay", (long long)site, (long long)m.live);
        if (!s) break;
        if (s != CT_ELIMIT || !strstr(e.text, "memory"))
            fail_msg("allocation %lld: %d %s", (long long)site, (int)s, e.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(least_squares), cmocka_unit_test(gradients),
                                       cmocka_unit_test(xor_net),       cmocka_unit_test(softmax_regression),
                                       cmocka_unit_test(refused),       cmocka_unit_test(without_memory)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
