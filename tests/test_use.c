/* test_use.c: the library inside a program: the caller's floating-point and OpenMP settings are kept and matter not, a
 * parallel region of the caller's, a child after fork, custom ops by sample and by batch, nets built anew for each
 * length on the same parameters. */
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
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "nets.h"

extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);
extern void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags);

enum { ROWS = 40, PIXELS = 3072 };

static ct_ctx *cnn(ct_plan **train, ct_t *y, int32_t threads) {
    ct_options o = {.threads = threads, .seed = 3};
    ct_ctx *c = ct_open(&o);
    bench_net n = net_at(2);
    ct_err e = {0};
    *y = build_net(c, &n);
    if (ct_compile_train(net_loss(*y, &n), NULL, 0, &(ct_train){.batch = ROWS}, train, &e))
        fail_msg("%s", e.text);
    return c;
}
static void pictures(float *x, int64_t *label) {
    ct_random r = ct_random_stream(2, 2);
    for (int i = 0; i < ROWS * PIXELS; i++) x[i] = (float)ct_random_normal(&r);
    for (int i = 0; i < ROWS; i++) label[i] = i % 10;
}

/* One step and a prediction, in an environment of the caller's. */
static void compute(uint32_t mxcsr, int omp, float loss[2], float *logits) {
    ct_plan *p;
    ct_t y;
    float *x = calloc(ROWS * PIXELS, sizeof *x);
    int64_t label[ROWS];
    pictures(x, label);
#if defined(__x86_64__)
    uint32_t before = _mm_getcsr();
    if (mxcsr) _mm_setcsr(mxcsr);
#endif
    if (omp) omp_set_num_threads(omp);
    ct_ctx *c = cnn(&p, &y, 2);
    for (int i = 0; i < 2; i++)
        if (ct_run(ct_default_session(c), p, (const void *[2]){x, label}, ROWS, (void *[2]){&loss[i], NULL}))
            fail_msg("%s", ct_error(c));
    assert_int_equal(ct_predict(c, y, x, ROWS, logits), CT_OK);
    ct_plan_free(p);
    ct_close(c);
#if defined(__x86_64__)
    if (mxcsr) assert_int_equal(_mm_getcsr() & ~0x3fu, mxcsr & ~0x3fu); /* but for flags of what happened */
    _mm_setcsr(before);
#endif
    if (omp) assert_int_equal(omp_get_max_threads(), omp);
    free(x);
}

static void environment(void **state) {
    static float a[ROWS * 10], b[ROWS * 10];
    float la[2], lb[2];
    int omp = omp_get_max_threads();
    (void)state;
    compute(0, 0, la, a);
    compute(0x1f80 | 0x4000, 3, lb, b); /* rounding up, denormals kept */
    omp_set_num_threads(omp);
    assert_memory_equal(la, lb, sizeof la);
    assert_memory_equal(a, b, sizeof a);
}

/* Inside the caller's own parallel region: each of its threads opens, trains and predicts. */
typedef struct region {
    int32_t next; /* atomic */
    float loss[3][2], logits[3][ROWS * 10];
} region;
static void in_region(void *data) {
    region *r = data;
    int32_t i = __atomic_fetch_add(&r->next, 1, __ATOMIC_RELAXED);
    if (i < 3) compute(0, 0, r->loss[i], r->logits[i]);
}
static void parallel_region(void **state) {
    static region r;
    static float want[ROWS * 10];
    float loss[2];
    (void)state;
    compute(0, 0, loss, want);
#ifndef __SANITIZE_THREAD__ /* it does not see libgomp's barriers */
    GOMP_parallel(in_region, &r, 3, 0);
#else
    (void)in_region;
#endif
    for (int32_t i = 0; i < 3 && i < r.next; i++) {
        assert_memory_equal(r.loss[i], loss, sizeof loss);
        assert_memory_equal(r.logits[i], want, sizeof want);
    }
}

/* A child after fork has no threads: a run that wants them is refused, closing is fine. */
static void forked(void **state) {
    ct_plan *p;
    ct_t y;
    ct_ctx *c = cnn(&p, &y, 2);
    float *x = calloc(ROWS * PIXELS, sizeof *x);
    int64_t label[ROWS];
    int status = 0;
    (void)state;
    pictures(x, label);
    assert_int_equal(ct_run(ct_default_session(c), p, (const void *[2]){x, label}, ROWS, NULL), CT_OK);
    pid_t child = fork();
    if (child == 0) {
        ct_status s = ct_run(ct_default_session(c), p, (const void *[2]){x, label}, ROWS, NULL);
        int fine = s == CT_EUSAGE && strstr(ct_error(c), "after fork") != NULL;
        ct_plan_free(p);
        ct_close(c);
        _exit(fine ? 0 : 1);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
    assert_int_equal(ct_run(ct_default_session(c), p, (const void *[2]){x, label}, ROWS, NULL), CT_OK);
    free(x);
    ct_plan_free(p);
    ct_close(c);
}

/* ---- custom ops ---- */

/* y = x minus the mean of the batch, column by column; its transpose is itself. */
static ct_status same_shape(void *user, const ct_shape *in, int32_t n, ct_shape *out, ct_err *e) {
    (void)user, (void)n, (void)e;
    *out = in[0];
    return CT_OK;
}
static void centre(const ct_shape *s, const float *x, float *y) {
    for (int64_t k = 0; k < s->dim[1]; k++) {
        double mean = 0;
        for (int64_t r = 0; r < s->dim[0]; r++) mean += (double)x[r * s->dim[1] + k] / (double)s->dim[0];
        for (int64_t r = 0; r < s->dim[0]; r++)
            y[r * s->dim[1] + k] = (float)((double)x[r * s->dim[1] + k] - mean);
    }
}
static ct_status centre_forward(void *user, const ct_shape *s, const float *const *in, int32_t n, float *out,
                                ct_err *e) {
    (void)n, (void)e;
    ++*(int *)user;
    centre(&s[0], in[0], out);
    return CT_OK;
}
static ct_status centre_backward(void *user, const ct_shape *s, const float *const *in, int32_t n,
                                 const float *out, const float *dout, float *const *din, ct_err *e) {
    (void)user, (void)in, (void)n, (void)out, (void)e;
    if (din[0]) centre(&s[0], dout, din[0]);
    return CT_OK;
}
/* y = a * b by rows, two inputs, one of them without N. */
static ct_status scale_forward(void *user, const ct_shape *s, const float *const *in, int32_t n, float *out,
                               ct_err *e) {
    (void)n;
    __atomic_fetch_add((int *)user, 1, __ATOMIC_RELAXED);
    for (int64_t i = 0; i < s[0].dim[0] * s[0].dim[1]; i++) {
        if (in[0][i] > 1e6f) return ct_fail(e, CT_EDATA, "row too large");
        out[i] = in[0][i] * in[1][i % s[0].dim[1]];
    }
    return CT_OK;
}

static void custom(void **state) {
    enum { N = 24, D = 4 };
    static const int64_t sizes[] = {24, 1, 7, 24, 13};
    (void)state;
    for (int form = 0; form < 2; form++) {
        int calls = 0, rows = 0;
        ct_custom batch = {.name = "centre",
                           .user = &calls,
                           .shape = same_shape,
                           .forward = centre_forward,
                           .backward = centre_backward},
                  row = {.name = "scale",
                         .user = &rows,
                         .per_sample = 1,
                         .shape = same_shape,
                         .forward = scale_forward};
        ct_options o = {.threads = 3};
        ct_ctx *c = ct_open(&o);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, D)),
             k = ct_constant(ct_default_graph(c), CT_F32, CT_SHAPE(D), (float[D]){1, 2, 3, 4}),
             in[2] = {ct_tanh(x), k}, out[3];
        out[0] = ct_custom_op(&row, in, 2);
        out[1] = ct_custom_op(&batch, &in[0], 1);
        ct_t loss = ct_sum(ct_square(out[1]), ct_shape_make(0, NULL), (ct_reduce){0});
        ct_err e = {0};
        ct_plan *p;
        if (ct_grad(loss, NULL, &x, 1, &out[2]) ||
            ct_plan_new(
                out, 3, NULL, 0,
                (ct_compile){.batch = form ? N : 0, .shard = form ? 5 : N, .one_thread = form ? -1 : 1}, &p,
                &e))
            fail_msg("%s %s", ct_error(c), e.text);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) { /* ever fresh batch sizes */
            float xs[N * D], y[3][N * D], t[N * D], mean[D] = {0};
            int64_t n = sizes[s];
            calls = rows = 0;
            for (int i = 0; i < n * D; i++) xs[i] = sinf((float)(i + (int)s));
            if (ct_run(ct_default_session(c), p, (const void *[1]){xs}, n, (void *[3]){y[0], y[1], y[2]}))
                fail_msg("%s", ct_error(c));
            assert_int_equal(calls, 1);
            assert_int_equal(rows, form ? (n + 4) / 5 : 1);
            for (int i = 0; i < n * D; i++) mean[i % D] += tanhf(xs[i]) / (float)n;
            for (int i = 0; i < n * D; i++) {
                t[i] = tanhf(xs[i]) - mean[i % D];
                assert_true(fabsf(y[0][i] - tanhf(xs[i]) * (float)(i % D + 1)) < 1e-6f);
                assert_true(fabsf(y[1][i] - t[i]) < 1e-6f);
                float slope = 1 - tanhf(xs[i]) * tanhf(xs[i]);
                assert_true(fabsf(y[2][i] - 2 * t[i] * slope) < 1e-5f);
            }
        }
        ct_plan_free(p);
        ct_close(c);
    }
}

static void custom_errors(void **state) {
    int rows = 0;
    ct_custom row = {
        .name = "scale", .user = &rows, .per_sample = 1, .shape = same_shape, .forward = scale_forward};
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)),
         k = ct_constant(ct_default_graph(c), CT_F32, CT_SHAPE(2), (float[2]){1, 1}), in[2] = {x, k},
         y = ct_custom_op(&row, in, 2), dx;
    float data[4] = {1, 2, 1e7f, 4}, out[4];
    (void)state;
    assert_int_equal(ct_predict(c, y, data, 2, out), CT_EDATA);
    assert_string_equal(ct_error(c), "row too large");
    data[2] = 3;
    assert_int_equal(ct_predict(c, y, data, 2, out), CT_OK);
    assert_int_equal(ct_grad(ct_sum(y, ct_shape_make(0, NULL), (ct_reduce){0}), NULL, &x, 1, &dx), CT_EUSAGE);
    assert_non_null(strstr(ct_error(c), "no backward callback"));
    ct_close(c);
}

/* ---- a graph for each length, on the same parameters ---- */

static ct_t language_model(ct_graph *g, int64_t t) {
    ct_t none = {0, 0, 0}, ids = ct_graph_input(g, "ids", CT_I64, CT_SHAPE(CT_N, t));
    ct_t h = ct_position(ct_embedding(ids, "wte", 11, 16, (ct_embed){0}), "wpe", 64, (ct_positions){0});
    ct_t q = ct_linear(h, "qkv", 48, (ct_lin){0}), part[3];
    for (int i = 0; i < 3; i++)
        part[i] =
            ct_transpose(ct_reshape(ct_slice(q, 2, 16 * i, 16 * i + 16, 1), CT_SHAPE(CT_N, t, 2, 8)), 1, 2);
    ct_t a = ct_attention(part[0], part[1], part[2], none, (ct_attend){.causal = 1});
    h = ct_add(h, ct_reshape(ct_transpose(a, 1, 2), CT_SHAPE(CT_N, t, 16)));
    return ct_reshape(ct_linear(h, "head", 11, (ct_lin){.no_bias = 1, .tie = "wte.weight"}),
                      CT_SHAPE(-t, 11));
}

static void buckets(void **state) {
    enum { N = 3, LONG = 32, SHORT = 16 };
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_graph_new(c), *h = ct_graph_new(c);
    ct_t y = language_model(g, LONG), z = language_model(h, SHORT), bad;
    static float a[N * LONG * 11], b[N * SHORT * 11];
    int64_t ids[N * LONG], prefix[N * SHORT], vars = ct_var_count(c);
    ct_err e = {0};
    float w[11 * 16];
    ct_array array = ct_array_view(w, CT_F32, CT_SHAPE(11, 16));
    (void)state;
    assert_true(ct_ok(y) && ct_ok(z) && vars == 4); /* wte, wpe, qkv's two: bound, not made again */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N * LONG; i++) ids[i] = (i * 7 + round) % 11;
        for (int i = 0; i < N * SHORT; i++) prefix[i] = ids[i / SHORT * LONG + i % SHORT];
        assert_int_equal(ct_predict(c, y, ids, N, a), CT_OK);
        assert_int_equal(ct_predict(c, z, prefix, N, b), CT_OK);
        for (int i = 0; i < N; i++)
            assert_memory_equal(a + i * LONG * 11, b + i * SHORT * 11, SHORT * 11 * sizeof *a);
        assert_int_equal(ct_var_get(c, "wte.weight", &array, &e), CT_OK);
        w[5] += 1; /* seen by both */
        assert_int_equal(ct_var_set(c, "wte.weight", &array, &e), CT_OK);
    }
    bad = ct_embedding(ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N)), "wte", 12, 16, (ct_embed){0});
    assert_false(ct_ok(bad));
    assert_non_null(strstr(ct_error(c), "exists as parameter f32 [11,16]; wanted parameter f32 [12,16]"));
    ct_graph_free(g);
    ct_graph_free(h);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(environment),   cmocka_unit_test(parallel_region),
                                       cmocka_unit_test(forked),        cmocka_unit_test(custom),
                                       cmocka_unit_test(custom_errors), cmocka_unit_test(buckets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
