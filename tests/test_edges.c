/* test_edges.c: the core where its tables and buffers end: more parameters than an optimiser's step has arguments, heads
 * so wide that a product copies its operand, tables too big for a gradient a shard, extents of 0, and calls that nobody
 * should make. */
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

#include "cotan.h"
#include "cotan/nn.h"

/* ---- an allocator that looks behind what it gave ---- */

#define GUARD ((size_t)256 << 10)
#define MARK 0xA5

static void *guarded(void *user, size_t bytes) {
    unsigned char *p = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
    (void)user;
    if (p) memset(p + bytes, MARK, GUARD);
    return p;
}
static void guard_release(void *user, void *memory, size_t bytes) {
    const unsigned char *p = memory;
    for (size_t i = 0; i < GUARD; i++) *(int *)user += p[bytes + i] != MARK;
    free(memory);
}

/* ---- many parameters ---- */

enum { LAYERS = 150 };

/* After 5 steps of Adam: the sum of all parameters, of layers as one chain. */
static double trained(int layers, int32_t threads, int *overrun) {
    ct_options o = {.threads = threads, .seed = 3, .allocator = {guarded, guard_release, overrun}};
    ct_ctx *c = ct_open(&o);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3)), y = x;
    ct_plan *p = NULL;
    ct_session *s = NULL;
    ct_err e = {0};
    float in[8 * 3], loss;
    char name[32];
    double sum = 0;
    for (int i = 0; i < layers; i++) {
        snprintf(name, sizeof name, "fc%d", i);
        y = ct_add(y, ct_linear(y, name, 3, (ct_lin){.init = CT_INIT_NORMAL, .init_b = 0.01}));
    }
    for (int i = 0; i < 8 * 3; i++) in[i] = (float)(i % 7) - 3;
    if (ct_compile_train(ct_mean(ct_mul(y, y), (ct_shape){0}, (ct_reduce){0}), NULL, 0, &(ct_train){0}, &p,
                         &e) ||
        ct_session_new(c, &s, &e) || ct_session_set(s, "lr", 1e-3))
        fail_msg("%s", e.text);
    for (int i = 0; i < 5; i++)
        if (ct_run(s, p, (const void *[1]){in}, 8, (void *[2]){&loss, NULL}))
            fail_msg("%s", ct_session_error(s));
    for (int64_t i = 0; i < ct_var_count(c); i++) {
        float value[9];
        ct_var_info v;
        assert_int_equal(ct_var_at(c, i, &v), CT_OK);
        ct_array a = ct_array_view(value, CT_F32, v.shape);
        assert_int_equal(ct_var_get(c, v.name, &a, &e), CT_OK);
        for (uint64_t k = 0; k < v.count && v.kind == CT_PARAM; k++) sum += (double)value[k];
    }
    assert_true(isfinite((double)loss) && isfinite(sum));
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
    return sum;
}

/* 300 parameters with two moments each: 2100 arguments, more than a step has room for. */
static void many_parameters(void **state) {
    int overrun = 0;
    (void)state;
    double one = trained(LAYERS, 1, &overrun), three = trained(LAYERS, 3, &overrun);
    assert_true(one == three);
    assert_int_equal(overrun, 0);
}

/* Every parameter moves by about the learning rate in each step of Adam, the last as the first. */
static void all_are_updated(void **state) {
    ct_options o = {.threads = 1, .seed = 3};
    ct_ctx *c = ct_open(&o);
    ct_t sum = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N));
    ct_plan *p = NULL;
    ct_session *s = NULL;
    ct_err e = {0};
    char name[32];
    float in[2] = {1, 2}, w;
    (void)state;
    for (int i = 0; i < 2 * LAYERS; i++) {
        snprintf(name, sizeof name, "w%d", i);
        ct_t v = ct_var_new(ct_default_graph(c), CT_PARAM, name, CT_F32, (ct_shape){0},
                            (ct_init){.kind = CT_INIT_ONES});
        sum = ct_add(sum, ct_mul_scalar(v, 1 + i));
    }
    if (ct_compile_train(ct_mean(sum, (ct_shape){0}, (ct_reduce){0}), NULL, 0, &(ct_train){0}, &p, &e) ||
        ct_session_new(c, &s, &e) || ct_session_set(s, "lr", 0.25))
        fail_msg("%s", e.text);
    if (ct_run(s, p, (const void *[1]){in}, 2, NULL)) fail_msg("%s", ct_session_error(s));
    ct_array a = ct_array_view(&w, CT_F32, (ct_shape){0});
    for (int i = 0; i < 2 * LAYERS; i++) {
        snprintf(name, sizeof name, "w%d", i);
        assert_int_equal(ct_var_get(c, name, &a, &e), CT_OK);
        assert_true(fabsf(w - 0.75f) < 1e-5f);
    }
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

/* ---- long chains ---- */

/* 100 elementwise ops one after the other, and 100 sums of two: more than a group has room for. */
static void long_chains(void **state) {
    (void)state;
    for (int sums = 0; sums < 2; sums++) {
        ct_ctx *c = ct_open(NULL);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 5)), y = x;
        float in[15], out[15], wanted[15];
        for (int i = 0; i < 15; i++) in[i] = wanted[i] = (float)i;
        for (int k = 1; k <= 100; k++) {
            y = sums ? ct_add(y, ct_mul_scalar(x, k)) : ct_mul_scalar(ct_add_scalar(y, 1), k % 2 ? 0.5 : 2);
            for (int i = 0; i < 15; i++)
                wanted[i] = sums ? wanted[i] + in[i] * (float)k : (wanted[i] + 1) * (k % 2 ? 0.5f : 2.0f);
        }
        if (ct_predict(c, y, in, 3, out)) fail_msg("%s", ct_error(c));
        for (int i = 0; i < 15; i++) assert_true(out[i] == wanted[i]);
        ct_close(c);
    }
}

/* ---- wide heads ---- */

/* The products of attention copy an operand whose rows lie a multiple of 1024 bytes apart: rows of q, while those of v
 * are no such multiple, and rows that hold q, k and v of several heads. */
static void wide_heads(void **state) {
    int overrun = 0;
    ct_options o = {.threads = 1, .allocator = {guarded, guard_release, &overrun}};
    (void)state;
    for (int side = 0; side < 2; side++) {
        enum { T = 70, D = 512, E = 513, H = 4, W = 320 };
        ct_ctx *c = ct_open(&o);
        size_t n = side ? (size_t)T * 3 * H * W : (size_t)T * (D + D + E), at = 0;
        float *x = calloc(n, sizeof *x), *y = calloc((size_t)T * H * W, sizeof *y);
        ct_t q, in[3], out;
        if (side) {
            q = ct_input(c, "x", CT_F32, CT_SHAPE(1, T, 3 * H * W));
            out = ct_self_attention(q, (ct_t){0}, H, (ct_self_attend){0});
        } else {
            q = ct_input(c, "x", CT_F32, CT_SHAPE(1, 1, 1, (int64_t)n));
            const int64_t width[3] = {D, D, E};
            for (int i = 0; i < 3; i++, at += (size_t)T * (size_t)width[i - 1])
                in[i] = ct_reshape(ct_slice(q, 3, (int64_t)at, (int64_t)at + T * width[i], 1),
                                   CT_SHAPE(1, 1, T, width[i]));
            out = ct_attention(in[0], in[1], in[2], (ct_t){0}, (ct_attend){0});
        }
        assert_non_null(x);
        assert_non_null(y);
        for (size_t i = 0; i < n; i++) x[i] = i == n - 1 ? 70.0f : 0;
        if (ct_predict(c, out, x, 1, y)) fail_msg("%s", ct_error(c));
        float last = y[(size_t)T * (side ? (size_t)H * W : E) - 1]; /* all keys weigh the same */
        assert_true(fabsf(last - 1.0f) < 1e-5f);
        free(x);
        free(y);
        ct_close(c);
    }
    assert_int_equal(overrun, 0);
}

/* ---- a table too big for a gradient a shard ---- */

enum { IDS = 16, V = 70000, WIDTH = 16 };

static void table_gradient(int64_t shard, int32_t threads, float *dw, const char **phase) {
    ct_options o = {.threads = threads, .seed = 2};
    ct_ctx *c = ct_open(&o);
    ct_t ids = ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N));
    ct_t y = ct_embedding(ids, "e", V, WIDTH, (ct_embed){0}), w = ct_param(c, "e.weight"), g;
    ct_plan *p = NULL;
    ct_session *s = NULL;
    ct_err e = {0};
    ct_plan_info info;
    ct_step_info step;
    int64_t in[IDS];
    for (int i = 0; i < IDS; i++) in[i] = i % 3 ? 69999 - i % 5 : i;
    if (ct_grad(ct_sum(ct_mul(y, y), (ct_shape){0}, (ct_reduce){0}), NULL, &w, 1, &g) ||
        ct_plan_new(&g, 1, NULL, 0, (ct_compile){.shard = shard, .one_thread = -1}, &p, &e) ||
        ct_session_new(c, &s, &e) || ct_plan_describe(p, IDS, &info, &e))
        fail_msg("%s %s", e.text, ct_error(c));
    if (ct_run(s, p, (const void *[1]){in}, IDS, (void *[1]){dw})) fail_msg("%s", ct_session_error(s));
    *phase = "none";
    for (int64_t i = 0; i < info.steps; i++) {
        assert_int_equal(ct_plan_step(p, IDS, i, &step, &e), CT_OK);
        if (strcmp(step.op, "embedding_weight")) continue;
        *phase = strcmp(step.phase, "piece") ? "another" : "piece";
    }
    in[7] = V;
    assert_int_equal(ct_run(s, p, (const void *[1]){in}, IDS, (void *[1]){dw}), CT_EDATA);
    assert_non_null(strstr(ct_session_error(s), "sample 7 has id 70000"));
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

/* One gradient for all shards, and the bits of the uncut batch, whose sums go in the same order. */
static void big_table(void **state) {
    static float whole[V * WIDTH], cut[V * WIDTH], threads[V * WIDTH];
    const char *phase;
    (void)state;
    table_gradient(IDS, 1, whole, &phase);
    assert_string_equal(phase, "another");
    table_gradient(2, 1, cut, &phase);
    assert_string_equal(phase, "piece");
    table_gradient(2, 3, threads, &phase);
    for (int i = 0; i < V * WIDTH; i++)
        if (whole[i] != cut[i] || cut[i] != threads[i])
            fail_msg("element %d: %g, %g", i, (double)whole[i], (double)cut[i]);
    assert_true(whole[69999 * WIDTH] != 0 || whole[69998 * WIDTH] != 0);
}

/* The same table read by ids of the batch and by others: sparse=1 cannot count its places, and says what to do. */
static void mixed_ids(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t ids = ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N));
    const int64_t fixed[2] = {1, 2};
    ct_t a = ct_embedding(ids, "e", 9, 4, (ct_embed){.sparse = 1}),
         b = ct_embedding(ct_constant(ct_default_graph(c), CT_I64, CT_SHAPE(2), fixed), "f", 9, 4,
                          (ct_embed){.sparse = 1, .tie = "e.weight"});
    ct_plan *p = NULL;
    ct_err e = {0};
    (void)state;
    ct_t loss = ct_add(ct_mean(ct_mul(a, a), (ct_shape){0}, (ct_reduce){0}),
                       ct_mean(ct_mul(b, b), (ct_shape){0}, (ct_reduce){0}));
    assert_int_equal(ct_compile_train(loss, NULL, 0, &(ct_train){0}, &p, &e), CT_EUSAGE);
    if (!strstr(e.text, "leave sparse=1 out") || !strstr(e.text, "[N]") || !strstr(e.text, "[2]"))
        fail_msg("%s", e.text);
    ct_close(c);
}

/* ---- weights that are computed ---- */

/* A sample of weights (Bayes by Backprop) is made once, and so is its gradient, after the sum over the batch (CORE 1). */
static void computed_weights(void **state) {
    ct_options o = {.threads = 3};
    ct_ctx *c = ct_open(&o);
    ct_graph *g = ct_default_graph(c);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 6)), grad[2], w[2];
    float noise[6 * 4];
    for (int i = 0; i < 6 * 4; i++) noise[i] = (float)(i % 5) - 2;
    for (int i = 0; i < 2; i++)
        w[i] = ct_var_new(g, CT_PARAM, i ? "rho" : "mu", CT_F32, CT_SHAPE(6, 4),
                          (ct_init){.kind = CT_INIT_NORMAL, .b = 1});
    ct_t sample = ct_add(w[0], ct_mul(ct_exp(w[1]), ct_constant(g, CT_F32, CT_SHAPE(6, 4), noise)));
    ct_t y = ct_tanh(ct_matmul(x, sample)), loss = ct_mean(ct_mul(y, y), (ct_shape){0}, (ct_reduce){0});
    ct_plan *p = NULL;
    ct_plan_info info;
    ct_step_info step;
    ct_err e = {0};
    int made = 0, sharded = 0;
    (void)state;
    if (ct_grad(loss, NULL, w, 2, grad) ||
        ct_plan_new(grad, 2, NULL, 0, (ct_compile){.shard = 2, .no_fuse = 1}, &p, &e) ||
        ct_plan_describe(p, 16, &info, &e))
        fail_msg("%s %s", e.text, ct_error(c));
    for (int64_t i = 0; i < info.steps; i++) {
        assert_int_equal(ct_plan_step(p, 16, i, &step, &e), CT_OK);
        sharded += !strcmp(step.op, "matmul_t") && !strcmp(step.phase, "shard");
        if (step.shape.rank != 2 || step.shape.dim[0] != 6 || step.shape.dim[1] != 4) continue;
        if (!strcmp(step.op, "matmul_t") || !strcmp(step.op, "sync")) continue;
        made++; /* exp, mul, add and the gradients of the last two */
        if (!strcmp(step.phase, "shard")) fail_msg("%s is made for every shard", step.op);
    }
    assert_true(made >= 4);
    assert_int_equal(sharded, 2);
    ct_plan_free(p);
    ct_close(c);
}

/* ---- extents of 0 ---- */

static void empty_variable(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3));
    ct_t w = ct_var_new(ct_default_graph(c), CT_PARAM, "w", CT_F32, CT_SHAPE(0, 3),
                        (ct_init){.kind = CT_INIT_ZEROS});
    float in[6] = {1, 2, 3, 4, 5, 6}, out = 1;
    (void)state;
    ct_t y =
        ct_add(ct_sum(ct_mul(w, w), (ct_shape){0}, (ct_reduce){0}), ct_sum(x, (ct_shape){0}, (ct_reduce){0}));
    if (ct_predict(c, y, in, 2, &out)) fail_msg("%s", ct_error(c));
    assert_true(out == 21);
    ct_close(c);
}

/* A state with a row for each sample of a batch without samples has no rows, rather than N. */
static void empty_state(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), y;
    ct_plan *p = NULL;
    ct_session *s = NULL;
    ct_err e = {0};
    ct_var_info v;
    float in[1] = {0};
    (void)state;
    y = ct_add(x, ct_var_new(ct_default_graph(c), CT_STATE, "h", CT_F32, CT_SHAPE(CT_N, 2), (ct_init){0}));
    if (ct_plan_new(&y, 1, NULL, 0, (ct_compile){0}, &p, &e) || ct_session_new(c, &s, &e))
        fail_msg("%s", e.text);
    assert_int_equal(ct_run(s, p, (const void *[1]){in}, 0, NULL), CT_OK);
    assert_int_equal(ct_state_info(s, "h", &v, &e), CT_OK);
    assert_true(v.shape.rank == 2 && v.shape.dim[0] == 0 && v.count == 0);
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

/* ---- integers that no float holds ---- */

static void whole_numbers(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_I64, CT_SHAPE(CT_N));
    const int64_t other = 16777217, in[5] = {16777216, 16777217, 16777218, INT64_MAX, INT64_MIN};
    ct_t id = ct_constant(ct_default_graph(c), CT_I64, (ct_shape){0}, &other);
    uint8_t equal[5], less[5];
    int32_t narrow[5];
    int64_t wide[5], out[5];
    const float numbers[5] = {NAN, INFINITY, -1e30f, -2.75f, 16777216};
    (void)state;
    assert_int_equal(ct_predict(c, ct_eq(x, id), in, 5, equal), CT_OK);
    assert_int_equal(ct_predict(c, ct_lt(x, id), in, 5, less), CT_OK);
    assert_int_equal(ct_predict(c, ct_cast(x, CT_I32), in, 5, narrow), CT_OK);
    assert_int_equal(ct_predict(c, ct_cast(ct_cast(x, CT_I32), CT_I64), in, 5, wide), CT_OK);
    for (int i = 0; i < 5; i++) {
        int64_t fits = in[i] > INT32_MAX ? INT32_MAX : in[i] < INT32_MIN ? INT32_MIN : in[i];
        assert_int_equal(equal[i], in[i] == other);
        assert_int_equal(less[i], in[i] < other);
        assert_true(narrow[i] == fits && wide[i] == fits);
    }
    ct_t f = ct_graph_input(ct_default_graph(c), "f", CT_F32, CT_SHAPE(CT_N));
    assert_int_equal(ct_predict(c, ct_cast(f, CT_I64), numbers, 5, out), CT_OK);
    assert_int_equal(ct_predict(c, ct_cast(f, CT_I32), numbers, 5, narrow), CT_OK);
    assert_true(out[0] == 0 && out[1] == INT64_MAX && out[2] == INT64_MIN && out[3] == -2 &&
                out[4] == 16777216);
    assert_true(narrow[0] == 0 && narrow[1] == INT32_MAX && narrow[2] == INT32_MIN && narrow[3] == -2);
    ct_close(c);
}

/* ---- calls that nobody should make ---- */

static void refused(ct_ctx *c, ct_t y, const char *text) {
    assert_false(ct_ok(y));
    if (!strstr(ct_error(c), text)) fail_msg("\"%s\" does not say \"%s\"", ct_error(c), text);
    ct_close(c);
}

static void wrong_sources(void **state) {
    ct_shape deep = CT_SHAPE(1, 2, 3);
    double number = 1;
    ct_ctx *c = ct_open(NULL);
    (void)state;
    deep.rank = 9;
    refused(c, ct_scalar(ct_default_graph(c), NULL, 1), "scalar: its name is NULL");
    c = ct_open(NULL);
    refused(c, ct_constant(ct_default_graph(c), CT_F64, CT_SHAPE(1), &number), "constant: type f64");
    c = ct_open(NULL);
    refused(c, ct_constant(ct_default_graph(c), CT_F32, deep, &number), "constant: its shape");
    c = ct_open(NULL);
    refused(c, ct_var_new(ct_default_graph(c), CT_PARAM, "w", CT_U8, CT_SHAPE(3), (ct_init){0}), "type u8");
    c = ct_open(NULL);
    refused(c, ct_var_new(ct_default_graph(c), CT_PARAM, "w", CT_F32, deep, (ct_init){0}), "[rank 9]");
    c = ct_open(NULL);
    refused(c, ct_var_new(ct_default_graph(c), CT_PARAM, NULL, CT_F32, CT_SHAPE(3), (ct_init){0}),
            "its name is empty");
    c = ct_open(NULL);
    refused(c, ct_reshape(ct_input(c, "x", CT_F32, CT_SHAPE(6)), deep), "reshape");
    c = ct_open(NULL);
    refused(c, ct_expand(ct_input(c, "x", CT_F32, CT_SHAPE(6)), deep), "expand");
    c = ct_open(NULL);
    refused(c, ct_permute(ct_input(c, "x", CT_F32, CT_SHAPE(6)), deep), "permute");
    c = ct_open(NULL);
    refused(c, ct_sum(ct_input(c, "x", CT_F32, CT_SHAPE(6)), deep, (ct_reduce){0}), "sum");
}

/* A target of another graph had the gradient of whatever stands at its number in this one. */
static void wrong_targets(void **state) {
    (void)state;
    for (int none = 0; none < 2; none++) {
        ct_ctx *c = ct_open(NULL);
        ct_graph *other = ct_graph_new(c);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), y = ct_mul(x, x), g;
        ct_t far = none ? (ct_t){0} : ct_graph_input(other, "z", CT_F32, CT_SHAPE(CT_N, 2));
        assert_int_equal(ct_grad(y, NULL, &far, 1, &g), CT_EUSAGE);
        assert_non_null(strstr(ct_error(c), none ? "target 1 is none" : "target 1 is of another graph"));
        ct_graph_free(other);
        ct_close(c);
    }
}

static void wrong_runs(void **state) {
    ct_ctx *c = ct_open(NULL), *other = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), y = ct_linear(x, "fc", 1, (ct_lin){0});
    ct_plan *p = NULL;
    ct_session *s = NULL, *stranger = NULL;
    ct_err e = {0};
    float in[2] = {1, 2}, out;
    (void)state;
    assert_int_equal(ct_plan_new(&y, 1, NULL, 0, (ct_compile){0}, &p, &e), CT_OK);
    assert_int_equal(ct_session_new(c, &s, &e), CT_OK);
    assert_int_equal(ct_session_new(other, &stranger, &e), CT_OK);
    assert_int_equal(ct_run(stranger, p, (const void *[1]){in}, 1, (void *[1]){&out}), CT_EUSAGE);
    assert_non_null(strstr(ct_session_error(stranger), "the plan is of another context"));
    assert_int_equal(ct_run(s, NULL, (const void *[1]){in}, 1, (void *[1]){&out}), CT_EUSAGE);
    assert_non_null(strstr(ct_session_error(s), "the plan is NULL"));
    assert_int_equal(ct_run(NULL, p, (const void *[1]){in}, 1, (void *[1]){&out}), CT_EUSAGE);
    assert_int_equal(ct_run(s, p, NULL, 1, (void *[1]){&out}), CT_EUSAGE);
    /* the text is that of the last failure, not of the run before */
    assert_int_equal(ct_session_set(s, "temperature", 1), CT_EUSAGE);
    assert_non_null(strstr(ct_session_error(s), "no scalar \"temperature\""));
    assert_int_equal(ct_session_set(s, NULL, 1), CT_EUSAGE);
    assert_int_equal(ct_run(s, p, (const void *[1]){in}, 1, (void *[1]){&out}), CT_OK);
    ct_session_free(s);
    ct_session_free(stranger);
    ct_plan_free(p);
    ct_close(c);
    ct_close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_parameters),  cmocka_unit_test(all_are_updated),
        cmocka_unit_test(long_chains),      cmocka_unit_test(wide_heads),
        cmocka_unit_test(big_table),        cmocka_unit_test(mixed_ids),
        cmocka_unit_test(computed_weights), cmocka_unit_test(empty_variable),
        cmocka_unit_test(empty_state),      cmocka_unit_test(whole_numbers),
        cmocka_unit_test(wrong_sources),    cmocka_unit_test(wrong_targets),
        cmocka_unit_test(wrong_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
