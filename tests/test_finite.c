/* test_finite.c: numbers that are not finite (X21): the step, op and element are named, nothing is updated, the
 * same words whatever the threads; trap; debug lines; padding lanes in debug builds. */
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
#include "kern/conv.h"
#include "plan/plan.h"

enum { ROWS = 40, IN = 30, MIDDLE = 64 };

/* y = x, but a NaN in sample `bad` when it is one of those given; and the same backwards. */
typedef struct planted {
    float forward, backward; /* what is put in, 0: nothing */
} planted;
static ct_status same_shape(void *user, const ct_shape *in, int32_t n, ct_shape *out, ct_err *e) {
    (void)user, (void)n, (void)e;
    *out = in[0];
    return CT_OK;
}
static void pass_on(const ct_shape *shape, const float *x, float *y, const float *mark, float value) {
    int64_t rows = shape->dim[0], row = shape->dim[1];
    memcpy(y, x, (size_t)(rows * row) * sizeof *y);
    for (int64_t r = 0; r < rows && value != 0; r++)
        if (mark[r * row] > 100) y[r * row + 5] = value; /* a sample is known by a large first number */
}
static ct_status forward(void *user, const ct_shape *shape, const float *const *in, int32_t n, float *out,
                         ct_err *e) {
    (void)n, (void)e;
    pass_on(shape, in[0], out, in[0], ((planted *)user)->forward);
    return CT_OK;
}
static ct_status backward(void *user, const ct_shape *shape, const float *const *in, int32_t n,
                          const float *out, const float *dout, float *const *din, ct_err *e) {
    (void)n, (void)e, (void)out;
    if (din[0]) pass_on(shape, dout, din[0], in[0], ((planted *)user)->backward);
    return CT_OK;
}

typedef struct net {
    ct_ctx *c;
    ct_plan *plan;
    float x[ROWS * IN];
    planted p;
    ct_custom op;
} net;

static void open_net(net *k, int32_t threads, int32_t trap) {
    ct_options o = {.threads = threads, .trap = trap};
    ct_err e = {0};
    k->c = ct_open(&o);
    k->op = (ct_custom){.name = "planted",
                        .user = &k->p,
                        .per_sample = 1,
                        .shape = same_shape,
                        .forward = forward,
                        .backward = backward};
    ct_t x = ct_input(k->c, "x", CT_F32, CT_SHAPE(CT_N, IN)), first = ct_linear(x, "first", IN, (ct_lin){0});
    ct_t in = ct_add(ct_mul_scalar(first, 0.001), x), h = ct_custom_op(&k->op, &in, 1);
    ct_t y = ct_linear(ct_relu(ct_linear(h, "middle", MIDDLE, (ct_lin){0})), "last", 3, (ct_lin){0});
    ct_t loss = ct_mean(ct_square(y), ct_shape_make(0, NULL), (ct_reduce){0});
    if (ct_compile_train(loss, NULL, 0,
                         &(ct_train){.shard = 7, .clip_norm = 1, .one_thread = threads > 1 ? -1 : 1},
                         &k->plan, &e))
        fail_msg("%s %s", e.text, ct_error(k->c));
    for (int i = 0; i < ROWS * IN; i++) k->x[i] = (float)(i % 17) / 17;
}
static void close_net(net *k) {
    ct_plan_free(k->plan);
    ct_close(k->c);
}
static ct_status step(net *k) {
    return ct_run(ct_default_session(k->c), k->plan, (const void *[1]){k->x}, ROWS, NULL);
}
static void weights(const net *k, float out[MIDDLE * IN]) {
    ct_array a = ct_array_view(out, CT_F32, CT_SHAPE(MIDDLE, IN));
    ct_err e = {0};
    assert_int_equal(ct_var_get(k->c, "middle.weight", &a, &e), CT_OK);
}

static void named(void **state) {
    static const struct {
        planted p;
        const char *text;
    } rows[] = {
        {{NAN, 0}, "custom after \"first\": element [23,5] of its result is nan at step 3; wanted finite"},
        {{INFINITY, 0}, "element [23,5] of its result is inf at step 3"},
        {{0, NAN}, "custom_grad after \"first\": element [23,5] of its result is nan at step 3"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int32_t threads = 1; threads <= 4; threads += 3) {
            static float before[MIDDLE * IN], after[MIDDLE * IN];
            net k = {0};
            open_net(&k, threads, 0);
            k.x[23 * IN] = k.x[31 * IN] = 1000;
            assert_int_equal(step(&k), CT_OK);
            assert_int_equal(step(&k), CT_OK);
            weights(&k, before);
            k.p = rows[i].p;
            assert_int_equal(step(&k), CT_ENONFINITE);
            if (!strstr(ct_session_error(ct_default_session(k.c)), rows[i].text))
                fail_msg("%s", ct_session_error(ct_default_session(k.c)));
            weights(&k, after);
            assert_memory_equal(before, after, sizeof before);
            assert_int_equal(ct_session_step_of(ct_default_session(k.c)), 2);
            k.p = (planted){0, 0};
            assert_int_equal(step(&k), CT_OK); /* and on it goes */
            close_net(&k);
        }
}

static void sources(void **state) {
    net k = {0};
    (void)state;
    open_net(&k, 2, 0);
    k.x[12 * IN + 7] = NAN;
    assert_int_equal(step(&k), CT_ENONFINITE);
    assert_string_equal(
        ct_session_error(ct_default_session(k.c)),
        "input \"x\": element [12,7] is nan before step 1; wanted finite numbers; clean the data");
    k.x[12 * IN + 7] = 0;
    static float w[MIDDLE * IN];
    ct_array a = ct_array_view(w, CT_F32, CT_SHAPE(MIDDLE, IN));
    ct_err e = {0};
    weights(&k, w);
    w[33 * IN + 2] = -INFINITY;
    assert_int_equal(ct_var_set(k.c, "middle.weight", &a, &e), CT_OK);
    assert_int_equal(step(&k), CT_ENONFINITE);
    assert_non_null(strstr(ct_session_error(ct_default_session(k.c)),
                           "variable \"middle.weight\": element [33,2] is -inf"));
    close_net(&k);
}

/* A loss is fine while something on the way is not: only trap tells. */
static void trap(void **state) {
    (void)state;
    for (int32_t on = 0; on < 2; on++) {
        ct_options o = {.trap = on};
        ct_ctx *c = ct_open(&o);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 4)), y = ct_clip(ct_exp(x), 0, 1);
        float in[8] = {0, 0, 0, 0, 0, 1000, 0, 0}, out[8];
        ct_plan *p;
        ct_err e = {0};
        assert_int_equal(ct_plan_new(&y, 1, NULL, 0, (ct_compile){.no_fuse = 1}, &p, &e), CT_OK);
        ct_status s = ct_run(ct_default_session(c), p, (const void *[1]){in}, 2, (void *[1]){out});
        assert_int_equal(s, on ? CT_ENONFINITE : CT_OK);
        if (on)
            assert_non_null(
                strstr(ct_session_error(ct_default_session(c)), "exp after \"x\": element [1,1]"));
        ct_plan_free(p);
        ct_close(c);
    }
}

typedef struct lines {
    int run, step, pass, value;
} lines;
static void count_line(void *user, const char *line) {
    lines *n = user;
    n->run += strncmp(line, "run: ", 5) == 0;
    n->step += strncmp(line, "step ", 5) == 0;
    n->pass += strncmp(line, "layout: ", 8) == 0;
    n->value += strncmp(line, "value: ", 7) == 0;
}
static void debug_lines(void **state) {
    (void)state;
    for (int32_t level = 0; level <= 4; level++) {
        lines n = {0};
        ct_options o = {.debug = level, .log = count_line, .log_user = &n};
        ct_ctx *c = ct_open(&o);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 4)), y = ct_linear(x, "fc", 3, (ct_lin){0});
        float in[8] = {0}, out[6];
        assert_int_equal(ct_predict(c, y, in, 2, out), CT_OK);
        assert_true((n.run == 1) == (level >= 1) && (n.step > 0) == (level >= 2) &&
                    (n.pass > 0) == (level >= 3) && (n.value > 0) == (level >= 4));
        ct_close(c);
    }
}

/* Channels that do not fill a block: debug builds look at every step's padding lanes, and see what is wrong. */
static void padding(void **state) {
    (void)state;
    for (int64_t channels = 1; channels <= 17; channels += channels == 1 ? 2 : 14) {
        ct_ctx *c = ct_open(NULL);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, channels, 6, 6)), none = {0, 0, 0};
        ct_t y = ct_relu(
            ct_batch_norm(ct_conv2d(x, "a", channels, 3, (ct_conv){.pad = 1}), "bn", (ct_batchnorm){0}));
        y = ct_maxpool2d(ct_add(ct_sigmoid(ct_conv2d(y, "b", channels, 3, (ct_conv){.pad = 1})), y), 2,
                         (ct_pool){0});
        ct_t loss = ct_cross_entropy(ct_linear(ct_flatten(y), "fc", 3, (ct_lin){0}),
                                     ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), none, (ct_ce){0});
        float *in = calloc((size_t)(6 * channels * 36), sizeof *in);
        int64_t label[6] = {0, 1, 2, 0, 1, 2};
        ct_plan *p;
        ct_err e = {0};
        for (int64_t i = 0; i < 6 * channels * 36; i++) in[i] = (float)(i % 11) / 11;
        if (ct_compile_train(loss, NULL, 0, &(ct_train){.shard = 2, .eps = CT_ZERO, .weight_decay = 0.1}, &p,
                             &e))
            fail_msg("%s", e.text);
        for (int i = 0; i < 3; i++)
            if (ct_run(ct_default_session(c), p, (const void *[2]){in, label}, 6, NULL))
                fail_msg("%s", ct_session_error(ct_default_session(c)));
        free(in);
        ct_plan_free(p);
        ct_close(c);
    }
#ifdef CT_CHECKED
    ct__pnode n = {.op = ct__op_find("relu"), .name = "r", .in = (int32_t[2]){0, 1}, .n_in = 1, .n_out = 1};
    n.out = n.in + 1;
    ct__val v[2] = {{.type = {CT_F32, 0, CT_SHAPE(2, 3, 2, 2)}, .layout = {.kind = CT__BLOCKED}}};
    v[1] = v[0];
    ct__instance t = {.val = v, .shards = 1, .batch = 1};
    ct__step s = {.node = &n};
    float data[2 * 16 * 4] = {0};
    ct_err e = {0};
    void *arg[2] = {data, data};
    data[2] = 1; /* a channel that there is */
    assert_int_equal(ct__watch_padding(&t, &s, 0, arg, &e), CT_OK);
    data[(4 + 3) * ct__block_channels() + 3] = 1; /* one beyond, of the last place of the second sample */
    assert_int_equal(ct__watch_padding(&t, &s, 0, arg, &e), CT_EINTERNAL);
    assert_non_null(strstr(e.text, "padding lanes"));
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(named), cmocka_unit_test(sources),
                                       cmocka_unit_test(trap), cmocka_unit_test(debug_lines),
                                       cmocka_unit_test(padding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
