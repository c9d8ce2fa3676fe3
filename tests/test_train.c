/* test_train.c: training plans: the same parameters trained twice go on where they were, averages do not begin anew,
 * the norm is the norm on any threads and cuts, and what is not finite in it changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/nn.h"

enum { ROWS = 40, IN = 6 };

static ct_t scalar_loss(ct_ctx *c) {
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, IN)), y = ct_linear(x, "fc", 1, (ct_lin){0});
    return ct_mean(ct_square(ct_add_scalar(y, -1)), ct_shape_make(0, NULL), (ct_reduce){0});
}
static void fill(float x[ROWS * IN]) {
    ct_random r = ct_random_stream(8, 8);
    for (int i = 0; i < ROWS * IN; i++) x[i] = (float)ct_random_normal(&r);
}
static void weight(ct_ctx *c, const char *name, float out[IN]) {
    ct_array a = ct_array_view(out, CT_F32, CT_SHAPE(1, IN));
    ct_err e = {0};
    if (ct_var_get(c, name, &a, &e)) fail_msg("%s", e.text);
}

/* Two calls of two epochs are one of four: moments, averages and step numbers go on. */
static void twice(void **state) {
    float x[ROWS * IN], w[2][IN], average[2][IN];
    ct_err e = {0};
    (void)state;
    fill(x);
    for (int split = 0; split < 2; split++) {
        ct_ctx *c = ct_open(NULL);
        ct_t loss = scalar_loss(c);
        for (int part = 0; part <= split; part++) {
            ct_plan *p;
            ct_session *s = ct_default_session(c);
            ct_train t = {.lr = 1e-2, .average = 0.9, .batch = ROWS};
            if (ct_compile_train(loss, NULL, 0, &t, &p, &e)) fail_msg("%s", e.text);
            for (int i = 0; i < (split ? 3 : 6); i++)
                if (ct_run(s, p, (const void *[1]){x}, ROWS, NULL)) fail_msg("%s", ct_session_error(s));
            ct_plan_free(p);
        }
        weight(c, "fc.weight", w[split]);
        weight(c, "ema.fc.weight", average[split]);
        ct_close(c);
    }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
    assert_memory_equal(average[0], average[1], sizeof average[0]);
    assert_memory_not_equal(w[0], average[0], sizeof w[0]);
}

static void fit_twice(void **state) {
    float x[ROWS * IN];
    ct_ctx *c = ct_open(NULL);
    ct_t loss = scalar_loss(c), none = {0, 0, 0};
    ct_source s;
    ct_epoch last;
    ct_err e = {0};
    double before = INFINITY;
    (void)state;
    fill(x);
    ct_array a = ct_array_view(x, CT_F32, CT_SHAPE(ROWS, IN));
    assert_int_equal(ct_source_arrays(NULL, &a, (const char *const[1]){"x"}, 1, &s, &e), CT_OK);
    for (int i = 0; i < 3; i++) {
        if (ct_fit(loss, none, &s, &(ct_fit_options){.epochs = 3, .train = {.lr = 1e-2}}, &last, &e))
            fail_msg("%s", e.text);
        assert_true(last.loss < before);
        before = last.loss;
    }
    s.fields = 0;
    assert_int_equal(ct_evaluate(loss, &s, 8, &before, &e), CT_EUSAGE);
    s.fields = 1;
    ct_source_close(&s);
    ct_close(c);
}

/* A net whose gradients are known: the loss is sum of w * k over parameters of many sizes, so dw = k. */
static double norm_of(int32_t threads, int64_t shard, int32_t clip, float first_after[1]) {
    enum { PARAMS = 70, LARGE = 300000 };
    ct_options o = {.threads = threads};
    ct_ctx *c = ct_open(&o);
    ct_graph *g = ct_default_graph(c);
    ct_t loss = ct_sum(ct_input(c, "x", CT_F32, CT_SHAPE(CT_N)), ct_shape_make(0, NULL), (ct_reduce){0});
    for (int i = 0; i < PARAMS; i++) {
        char name[16];
        int64_t n = i == 33 ? LARGE : i * 37 + 1;
        snprintf(name, sizeof name, "w%d", i);
        ct_t w = ct_var_new(g, CT_PARAM, name, CT_F32, CT_SHAPE(n), (ct_init){.kind = CT_INIT_ONES});
        loss = ct_add(loss, ct_mul_scalar(ct_sum(w, ct_shape_make(0, NULL), (ct_reduce){0}), 0.25 * (i % 3)));
        if (i % 8 == 7) loss = ct_sum(loss, ct_shape_make(0, NULL), (ct_reduce){0}); /* no chain of 70 */
    }
    ct_plan *p;
    ct_err e = {0};
    float x[16] = {0}, out[2];
    ct_train t = {.optimiser = CT_SGD,
                  .lr = 1,
                  .shard = (int32_t)shard,
                  .clip_norm = clip ? (double)clip : INFINITY,
                  .one_thread = -1};
    if (ct_compile_train(loss, NULL, 0, &t, &p, &e)) fail_msg("%s", e.text);
    if (ct_run(ct_default_session(c), p, (const void *[1]){x}, 16, (void *[2]){&out[0], &out[1]}))
        fail_msg("%s", ct_error(c));
    ct_array a = ct_array_view(first_after, CT_F32, CT_SHAPE(2 * 37 + 1));
    float w2[2 * 37 + 1];
    a.data = w2;
    assert_int_equal(ct_var_get(c, "w2", &a, &e), CT_OK);
    *first_after = w2[0];
    double want = 0;
    for (int i = 0; i < PARAMS; i++) want += (i == 33 ? LARGE : i * 37 + 1) * pow(0.25 * (i % 3), 2);
    assert_true(fabs((double)out[1] / sqrt(want) - 1) < 1e-6);
    ct_plan_free(p);
    ct_close(c);
    return (double)out[1];
}

static void norm(void **state) {
    float a, b;
    (void)state;
    double one = norm_of(1, 16, 0, &a);
    assert_true(a == 0.5f); /* 1 - lr * 0.5: seen, not clipped */
    assert_true(norm_of(4, 2, 0, &b) == one && b == a);
    assert_true(norm_of(3, 1, 2, &b) == one);
    assert_true(fabs(1 - (double)b - 0.5 * 2 / one) < 1e-6);
}

/* A finite loss whose gradient is not: sqrt at 0. */
static void watched(void **state) {
    (void)state;
    for (int32_t watch = 0; watch < 2; watch++) {
        ct_ctx *c = ct_open(NULL);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, IN)),
             y = ct_linear(x, "fc", 1, (ct_lin){.no_bias = 1}),
             loss = ct_mean(ct_sqrt(ct_square(y)), ct_shape_make(0, NULL), (ct_reduce){0});
        float in[2 * IN] = {0}, before[IN], after[IN];
        ct_plan *p;
        ct_err e = {0};
        if (ct_compile_train(loss, NULL, 0, &(ct_train){.clip_norm = watch ? INFINITY : 0}, &p, &e))
            fail_msg("%s", e.text);
        weight(c, "fc.weight", before);
        ct_status s = ct_run(ct_default_session(c), p, (const void *[1]){in}, 2, NULL);
        weight(c, "fc.weight", after);
        assert_int_equal(s, watch ? CT_ENONFINITE : CT_OK);
        assert_true((memcmp(before, after, sizeof before) == 0) == watch);
        if (watch) assert_non_null(strstr(ct_error(c), "element [0,0] of its result is"));
        ct_plan_free(p);
        ct_close(c);
    }
}

/* More parameters than one step of the plan takes arguments: each is moved by Adam's first step, which is lr. */
static void many_parameters(void **state) {
    enum { LAYERS = 150 };
    float x[ROWS * IN], before[IN], after[IN];
    ct_err e = {0};
    ct_ctx *c = ct_open(NULL);
    ct_plan *p;
    ct_t y = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, IN));
    char name[32];
    (void)state;
    fill(x);
    for (int i = 0; i < LAYERS; i++) {
        snprintf(name, sizeof name, "fc%d", i);
        y = ct_add(y, ct_mul_scalar(ct_linear(y, name, IN, (ct_lin){0}), 0.01));
    }
    ct_t loss = ct_mean(ct_square(y), ct_shape_make(0, NULL), (ct_reduce){0});
    ct_train t = {.lr = 1e-2, .average = 0.5, .batch = ROWS};
    if (ct_compile_train(loss, NULL, 0, &t, &p, &e)) fail_msg("%s", e.text);
    ct_array b = ct_array_view(before, CT_F32, CT_SHAPE(IN)), a = ct_array_view(after, CT_F32, CT_SHAPE(IN));
    ct_var_init_all(c, 4);
    assert_int_equal(ct_var_get(c, "fc149.bias", &b, &e), CT_OK);
    if (ct_run(ct_default_session(c), p, (const void *[1]){x}, ROWS, NULL))
        fail_msg("%s", ct_session_error(ct_default_session(c)));
    assert_int_equal(ct_var_get(c, "fc149.bias", &a, &e), CT_OK);
    for (int i = 0; i < IN; i++) assert_true(fabs(fabs((double)after[i] - (double)before[i]) - 1e-2) < 1e-4);
    for (int i = 0; i < LAYERS; i++) {
        snprintf(name, sizeof name, "ema.fc%d.bias", i);
        assert_int_equal(ct_var_get(c, name, &b, &e), CT_OK);
        snprintf(name, sizeof name, "fc%d.bias", i);
        assert_int_equal(ct_var_get(c, name, &a, &e), CT_OK);
        assert_memory_equal(after, before, sizeof after); /* PyTorch's average begins so */
    }
    ct_plan_free(p);
    ct_close(c);
}

static void names(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 4)), y = ct_dropout(ct_dropout(x, "d", 0.5), "d", 0.5);
    (void)state;
    assert_false(ct_ok(y));
    assert_non_null(strstr(ct_error(c), "dropout \"d\": made twice in one graph"));
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(twice), cmocka_unit_test(fit_twice),
                                       cmocka_unit_test(norm),  cmocka_unit_test(watched),
                                       cmocka_unit_test(names), cmocka_unit_test(many_parameters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
