/* test_precision.c: digits where they are easily lost: long sums (M7), variances far from zero (M8), softmax and
 * cross-entropy far out (M9, M10), norms of large gradients (M13). */
#include <float.h>

#include "evaluate.h"

#define EPS 5.9604644775390625e-8 /* of f32, half a unit of the last place */

static float *room(uint64_t n) {
    float *x = calloc(n, sizeof *x);
    assert_non_null(x);
    return x;
}

static void within(const char *what, double found, double wanted, double error) {
    if (!(fabs(found - wanted) <= error))
        fail_msg("%s: found %.9g, wanted %.9g within %.3g", what, found, wanted, error);
}

/* ---- M7 ---- */

/* error <= log2(n) eps sum |x| for the sum over n numbers, along rows and along the batch. */
static void check_sums(const char *what, const float *x, int64_t rows, int64_t columns, double exact,
                       double magnitude) {
    static const char *const nets[] = {"sum(input(x))", "sum(sum(input(x), 1))", "sum(sum(input(x), 0))",
                                       "mul_scalar(mean(input(x)), 1)"};
    double n = (double)(rows * columns), error = log2(n + 2) * EPS * magnitude;
    given in = rows_of(x, columns);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        for (int64_t shard = rows; shard >= 1; shard = shard > 1 ? (shard + 7) / 8 : 0) {
            float y = NAN;
            char text[120];
            evaluate((evaluation){.net = nets[i], .in = &in, .n = 1, .batch = rows, .shard = shard, .y = &y});
            snprintf(text, sizeof text, "%s: %s in shards of %lld", what, nets[i], (long long)shard);
            double mean = i == 3 ? n : 1;
            within(text, (double)y, exact / mean, error / mean);
        }
}

static void M7_tenths(void **state) {
    int64_t rows = 64, columns = getenv("COTAN_TEST_FULL") ? 1562500 : 156250; /* 10^8, 10^7 */
    float *x = room((uint64_t)(rows * columns));
    double exact = (double)0.1f * (double)(rows * columns);
    (void)state;
    for (int64_t i = 0; i < rows * columns; i++) x[i] = 0.1f;
    check_sums("0.1", x, rows, columns, exact, exact);
    free(x);
}

static void M7_cancellation(void **state) {
    enum { ROWS = 16, COLUMNS = 6250 };
    float *x = room(ROWS * COLUMNS), three[3] = {1e20f, 1, -1e20f}, y;
    double exact = 0, magnitude = 0;
    given in = rows_of(three, 3);
    (void)state;
    evaluate((evaluation){.net = "sum(input(x))", .in = &in, .n = 1, .y = &y});
    within("1e20 + 1 - 1e20", (double)y, 1, log2(3) * EPS * 2e20);
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) { /* alternating signs */
        x[i] = (float)((i % 2 ? -1 : 1) * (1 + (double)i * 1e-3));
        exact += (double)x[i];
        magnitude += fabs((double)x[i]);
    }
    check_sums("alternating", x, ROWS, COLUMNS, exact, magnitude);
    exact = magnitude = 0;
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) { /* 1e8 and something small */
        x[i] = 1e8f + 8 * (float)(i % 3);
        exact += (double)x[i];
    }
    check_sums("1e8 + small", x, ROWS, COLUMNS, exact, exact);
    free(x);
}

/* Losses and metrics: compensated, so the error is that of one rounding; and other sums of the library. */
static void M7_losses_and_others(void **state) {
    enum { ROWS = 1000, COLUMNS = 1000 };
    float *x = room(ROWS * COLUMNS), *t = room(ROWS * COLUMNS), y;
    double exact = 0, first = 0;
    (void)state;
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
        x[i] = 0.1f + 1e-3f * (float)(i % 7);
        exact += (double)x[i] * (double)x[i];
    }
    given in[2] = {rows_of(x, COLUMNS), {"t", t, CT_SHAPE(CT_N, COLUMNS), CT_F32, 0}};
    evaluate((evaluation){.net = "mse(input(x), input(t), reduction=\"sum\")",
                          .in = in,
                          .n = 2,
                          .batch = ROWS,
                          .shard = 100,
                          .y = &y});
    within("mse", (double)y, exact, 4 * EPS * exact);
    evaluate((evaluation){.net = "global_norm(input(x))", .in = in, .n = 1, .batch = ROWS, .y = &y});
    within("global_norm", (double)y, sqrt(exact), 2 * EPS * sqrt(exact));
    float *running = room(ROWS * COLUMNS);
    given line = {"x", x, CT_SHAPE(ROWS * COLUMNS), CT_F32, 0};
    evaluate((evaluation){.net = "cumsum(input(x), 0)", .in = &line, .n = 1, .y = running});
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
        first += (double)x[i];
        if (i % 99991 == 0) within("cumsum", (double)running[i], first, 2 * EPS * first);
    }
    ct_scores *s;
    ct_err e = {0};
    float logits[2] = {0.1f, 0};
    int64_t label = 1;
    assert_int_equal(ct_scores_new(NULL, 2, &s, &e), CT_OK);
    for (int i = 0; i < 1000000; i++) assert_int_equal(ct_scores_add(s, logits, &label, 1, &e), CT_OK);
    double one = log(1 + exp((double)0.1f));
    within("ct_scores", ct_scores_result(s).loss, one, 1e-10);
    ct_scores_free(s);
    free(x), free(t), free(running);
}

/* ---- M8 ---- */

static double variance(const float *x, int64_t n, int64_t step, int biased) {
    long double mean = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) mean += (long double)x[i * step] / n;
    for (int64_t i = 0; i < n; i++)
        sum += ((long double)x[i * step] - mean) * ((long double)x[i * step] - mean);
    return (double)(sum / (biased ? n : n - 1));
}

static void M8_variance_far_from_zero(void **state) {
    enum { ROWS = 300, COLUMNS = 40 };
    float *x = room(ROWS * COLUMNS), y[ROWS], one;
    ct_random r = ct_random_stream(8, 0);
    (void)state;
    for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = (float)(1e6 + ct_random_normal(&r));
    given in = rows_of(x, COLUMNS);
    for (int64_t shard = ROWS; shard > 0; shard /= 18) {
        evaluate((evaluation){
            .net = "var(input(x), 1)", .in = &in, .n = 1, .batch = ROWS, .shard = shard, .y = y});
        for (int i = 0; i < ROWS; i++) {
            double want = variance(x + i * COLUMNS, COLUMNS, 1, 0);
            within("var of rows", (double)y[i], want, 1e-5 * want);
        }
        evaluate((evaluation){
            .net = "var(input(x), 0, biased=1)", .in = &in, .n = 1, .batch = ROWS, .shard = shard, .y = y});
        for (int i = 0; i < COLUMNS; i++) {
            double want = variance(x + i, ROWS, COLUMNS, 1);
            within("var of columns", (double)y[i], want, 1e-5 * want);
        }
        evaluate((evaluation){
            .net = "var(input(x))", .in = &in, .n = 1, .batch = ROWS, .shard = shard, .y = &one});
        double want = variance(x, ROWS * COLUMNS, 1, 0);
        within("var of all", (double)one, want, 1e-5 * want);
    }
    free(x);
}

/* Equal numbers have no variance, and never one below 0. */
static void M8_never_negative(void **state) {
    static const float values[] = {0, 1, 0.1f, 1e6f, -3e7f, 1e-20f, 1.0000001f};
    float x[64 * 3], y[64];
    (void)state;
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        for (int i = 0; i < 64 * 3; i++) x[i] = values[k];
        given in = rows_of(x, 3);
        evaluate((evaluation){.net = "var(input(x), 1)", .in = &in, .n = 1, .batch = 64, .shard = 7, .y = y});
        for (int i = 0; i < 64; i++) assert_true(y[i] == 0);
        evaluate((evaluation){.net = "var(input(x), 0)", .in = &in, .n = 1, .batch = 64, .shard = 7, .y = y});
        for (int i = 0; i < 3; i++) assert_true(y[i] >= 0 && y[i] <= 1e-12f * values[k] * values[k]);
    }
}

/* Layer, group and batch norm of numbers far from zero: deviations of 1 come out as deviations of 1, and the running
 * variance is the variance. */
static void M8_norms_far_from_zero(void **state) {
    enum { ROWS = 40, COLUMNS = 64 };
    static float x[ROWS * COLUMNS], y[ROWS * COLUMNS], var[COLUMNS];
    ct_random r = ct_random_stream(8, 1);
    (void)state;
    for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = (float)(1e6 + ct_random_normal(&r));
    given in = rows_of(x, COLUMNS);
    for (int k = 0; k < 2; k++) {
        evaluate((evaluation){.net = k ? "group_norm(input(x), \"n\", 1, no_weight=1)"
                                       : "layer_norm(input(x), \"n\", no_weight=1)",
                              .in = &in,
                              .n = 1,
                              .batch = ROWS,
                              .shard = 3,
                              .y = y});
        for (int i = 0; i < ROWS; i++) {
            double mean = 0, v = variance(x + i * COLUMNS, COLUMNS, 1, 1);
            for (int j = 0; j < COLUMNS; j++) mean += (double)x[i * COLUMNS + j] / COLUMNS;
            for (int j = 0; j < COLUMNS; j++)
                within("normed", (double)y[i * COLUMNS + j],
                       ((double)x[i * COLUMNS + j] - mean) / sqrt(v + 1e-5), 1e-5);
        }
    }
    /* batch norm: what one step leaves in running_var with momentum 1 */
    ct_ctx *c = ct_open(NULL);
    ct_t t = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, COLUMNS));
    ct_t z = ct_batch_norm(t, "b", (ct_batchnorm){.momentum = 1});
    ct_err e = {0};
    for (int64_t shard = ROWS; shard > 0; shard /= 6) {
        ct_plan *p;
        ct_array a = ct_array_view(var, CT_F32, CT_SHAPE(COLUMNS));
        assert_int_equal(ct_plan_new(&z, 1, NULL, 0, (ct_compile){.train = 1, .shard = shard}, &p, &e),
                         CT_OK);
        assert_int_equal(ct_run(ct_default_session(c), p, (const void *[1]){x}, ROWS, (void *[1]){y}), CT_OK);
        assert_int_equal(ct_var_get(c, "b.running_var", &a, &e), CT_OK);
        for (int j = 0; j < COLUMNS; j++) {
            double want = variance(x + j, ROWS, COLUMNS, 0);
            within("running_var", (double)var[j], want, 1e-5 * want);
        }
        ct_plan_free(p);
    }
    ct_close(c);
}

/* ---- M9 ---- */

static void M9_softmax_extremes(void **state) {
    static const struct {
        float x[3], y[3];
    } rows[] = {{{1e4f, -1e4f, 0}, {1, 0, 0}},
                {{-1e4f, -1e4f, -1e4f}, {1 / 3.0f, 1 / 3.0f, 1 / 3.0f}},
                {{3e38f, -3e38f, 3e38f}, {0.5f, 0, 0.5f}},
                {{-3e38f, -3e38f, -3e38f}, {1 / 3.0f, 1 / 3.0f, 1 / 3.0f}},
                {{INFINITY, 0, 1}, {1, 0, 0}},
                {{INFINITY, -INFINITY, INFINITY}, {0.5f, 0, 0.5f}},
                {{-INFINITY, 0, -INFINITY}, {0, 1, 0}},
                {{-INFINITY, -INFINITY, -INFINITY}, {0, 0, 0}}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float y[3], logs[3], lse, dx[3], dy[3] = {1, -2, 3};
        given in = rows_of(rows[i].x, 3);
        evaluate((evaluation){
            .net = "softmax(input(x), 1)", .in = &in, .n = 1, .y = y, .by = "x", .dy = dy, .dx = dx});
        evaluate((evaluation){.net = "log_softmax(input(x), 1)", .in = &in, .n = 1, .y = logs});
        evaluate((evaluation){.net = "logsumexp(input(x), 1)", .in = &in, .n = 1, .y = &lse});
        for (int k = 0; k < 3; k++) {
            within("softmax", (double)y[k], (double)rows[i].y[k], 1e-7);
            within("e^log_softmax", exp((double)logs[k]), (double)rows[i].y[k], 2e-7);
            assert_true(isfinite(dx[k]));
        }
        float max = fmaxf(fmaxf(rows[i].x[0], rows[i].x[1]), rows[i].x[2]);
        if (isinf(max)) assert_true(lse == max);
        if (isfinite(max)) within("logsumexp", (double)lse, (double)max, 1e-6 * fabs((double)max) + 1.1);
    }
    float bad[3] = {1, NAN, 2}, y[3];
    given in = rows_of(bad, 3);
    evaluate((evaluation){.net = "softmax(input(x), 1)", .in = &in, .n = 1, .y = y});
    for (int k = 0; k < 3; k++) assert_true(isnan(y[k]));
}

static void M9_softmax_of_a_million(void **state) {
    enum { CLASSES = 1000000 };
    float *x = room(CLASSES), *y = room(CLASSES), *z = room(CLASSES);
    ct_random r = ct_random_stream(9, 0);
    double sum = 0, total = 0;
    (void)state;
    for (int i = 0; i < CLASSES; i++) x[i] = (float)ct_random_normal(&r) * 3;
    given in = rows_of(x, CLASSES);
    evaluate((evaluation){.net = "softmax(input(x), 1)", .in = &in, .n = 1, .y = y});
    for (int i = 0; i < CLASSES; i++) total += exp((double)x[i]);
    for (int i = 0; i < CLASSES; i++) {
        sum += (double)y[i];
        if (i % 997 == 0)
            within("softmax", (double)y[i], exp((double)x[i]) / total,
                   4e-6 * (double)y[i]); /* x - max has the rounding of a number of 30 */
    }
    within("sum of softmax", sum, 1, 32 * EPS);                       /* n eps would be 0.06 */
    for (int i = 0; i < CLASSES; i++) x[i] = rintf(x[i] * 256) / 256; /* a shift by 1024 is exact then */
    evaluate((evaluation){.net = "softmax(input(x), 1)", .in = &in, .n = 1, .y = y});
    for (int i = 0; i < CLASSES; i++) x[i] += 1024;
    evaluate((evaluation){.net = "softmax(input(x), 1)", .in = &in, .n = 1, .y = z});
    assert_memory_equal(y, z, CLASSES * sizeof *y);
    free(x), free(y), free(z);
}

/* A query that sees nothing gets zeros, and so do the gradients that come through it. */
static void M9_attention_masked(void **state) {
    float q[8], k[8], v[8], y[8], dx[8];
    uint8_t mask[4] = {0, 0, 1, 0}; /* query 0 sees nothing, query 1 the first key */
    float added[4] = {-INFINITY, -INFINITY, 0, -INFINITY};
    (void)state;
    for (int i = 0; i < 8; i++) q[i] = k[i] = v[i] = sinf((float)i);
    for (int kind = 0; kind < 2; kind++) {
        given in[4] = {
            {"q", q, CT_SHAPE(CT_N, 1, 2, 4), CT_F32, 0},
            {"k", k, CT_SHAPE(CT_N, 1, 2, 4), CT_F32, 0},
            {"v", v, CT_SHAPE(CT_N, 1, 2, 4), CT_F32, 0},
            {"m", kind ? (void *)added : (void *)mask, CT_SHAPE(2, 2), kind ? CT_F32 : CT_BOOL, 0}};
        const char *by[3] = {"q", "k", "v"};
        for (int i = 0; i < 3; i++) {
            evaluate((evaluation){.net = "attention(input(q), input(k), input(v), input(m))",
                                  .in = in,
                                  .n = 4,
                                  .y = y,
                                  .by = by[i],
                                  .dx = dx});
            for (int j = 0; j < 4; j++) assert_true(y[j] == 0 && y[4 + j] == v[j]);
            for (int j = 0; j < 8; j++) assert_true(isfinite(dx[j]));
            for (int j = 0; j < 4 && i == 0; j++) assert_true(dx[j] == 0);
        }
    }
}

/* ---- M10 ---- */

static void M10_cross_entropy(void **state) {
    float far[3] = {1e4f, 0, 0}, y = NAN, dx[6];
    int64_t label = 1, ignored[2] = {2, 2};
    (void)state;
    given in[2] = {rows_of(far, 3), {"t", &label, CT_SHAPE(CT_N), CT_I64, 0}};
    evaluate((evaluation){
        .net = "cross_entropy(input(x), input(t))", .in = in, .n = 2, .y = &y, .by = "x", .dx = dx});
    assert_true(y == 1e4f && dx[0] == 1 && dx[1] == -1 && dx[2] == 0);
    far[0] = -1e4f;
    far[1] = 1e4f;
    evaluate((evaluation){
        .net = "cross_entropy(input(x), input(t))", .in = in, .n = 2, .y = &y, .by = "x", .dx = dx});
    assert_true(y == 0 && dx[0] == 0 && dx[1] == 0 && dx[2] == 0);
    /* small losses keep their digits: log(1 + 2 e^-20) */
    far[0] = far[2] = 0;
    far[1] = 20;
    evaluate((evaluation){
        .net = "cross_entropy(input(x), input(t))", .in = in, .n = 2, .y = &y, .by = "x", .dx = dx});
    within("small", (double)y, log1p(2 * exp(-20)), 1e-7);
    /* nothing is left */
    float rows[6] = {1, 2, 3, 4, 5, 6};
    given all[2] = {rows_of(rows, 3), {"t", ignored, CT_SHAPE(CT_N), CT_I64, 0}};
    static const char *const nets[] = {
        "cross_entropy(input(x), input(t), has_ignore=1, ignore=2)",
        "cross_entropy(input(x), input(t), has_ignore=1, ignore=2, smoothing=0.1)",
        "cross_entropy(input(x), input(t), has_ignore=1, ignore=2, reduction=\"sum\")"};
    for (size_t i = 0; i < 3; i++)
        for (int64_t shard = 1; shard <= 2; shard++) {
            evaluate((evaluation){
                .net = nets[i], .in = all, .n = 2, .batch = 2, .shard = shard, .y = &y, .by = "x", .dx = dx});
            assert_true(y == 0);
            for (int k = 0; k < 6; k++) assert_true(dx[k] == 0);
        }
}

static void M10_binary_and_probabilities(void **state) {
    static const struct {
        float x, t;
        double y, dx;
    } rows[] = {{1e4f, 1, 0, 0},
                {1e4f, 0, 1e4, 1},
                {-1e4f, 0, 0, 0},
                {-1e4f, 1, 1e4, -1},
                {0, 0.5f, 0.693147180559945, 0},
                {15, 1, 3.0590227e-7, -3.059022e-7},
                {-15, 0, 3.0590227e-7, 3.059022e-7},
                {80, 1, 1.8048514e-35, -1.8048514e-35}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float y, dx;
        given in[2] = {rows_of(&rows[i].x, 1), {"t", &rows[i].t, CT_SHAPE(CT_N, 1), CT_F32, 0}};
        evaluate((evaluation){
            .net = "bce_logits(input(x), input(t))", .in = in, .n = 2, .y = &y, .by = "x", .dx = &dx});
        within("bce_logits", (double)y, rows[i].y, 1e-6 * rows[i].y);
        within("bce_logits by x", (double)dx, rows[i].dx, 1e-6 * fabs(rows[i].dx) + 1e-7);
    }
    /* -sum(y log p): 0 where y = 0, p = 0 or not; an impossible truth costs infinity, which is what is said */
    float p[3] = {0, 0.25f, 0.75f}, t[3] = {0, 1, 0}, y, dx[3];
    given in[2] = {rows_of(p, 3), {"t", t, CT_SHAPE(CT_N, 3), CT_F32, 0}};
    evaluate((evaluation){
        .net = "cross_entropy_of(input(x), input(t))", .in = in, .n = 2, .y = &y, .by = "x", .dx = dx});
    within("cross_entropy_of", (double)y, log(4), 1e-6);
    assert_true(dx[0] == 0 && dx[1] == -4 && dx[2] == 0);
    t[0] = 1, t[1] = 0;
    evaluate((evaluation){.net = "cross_entropy_of(input(x), input(t))", .in = in, .n = 2, .y = &y});
    assert_true(y == INFINITY);
}

/* ---- M13 ---- */

static void M13_norms(void **state) {
    float x[2] = {1e20f, 1e20f}, y;
    (void)state;
    given in = {"x", x, CT_SHAPE(2), CT_F32, 0};
    evaluate((evaluation){.net = "global_norm(input(x))", .in = &in, .n = 1, .y = &y});
    within("norm of [1e20, 1e20]", (double)y, sqrt(2) * (double)1e20f, 1e14);
    x[0] = x[1] = 1e-25f; /* and from below */
    evaluate((evaluation){.net = "global_norm(input(x))", .in = &in, .n = 1, .y = &y});
    within("norm of [1e-25, 1e-25]", (double)y, sqrt(2) * (double)1e-25f, 1e-31);
}

/* One SGD step, w -= lr * clipped g, of a loss whose gradient is g. */
static ct_status clipped_step(const float g[2], double clip, float w[2], float *norm, ct_err *e) {
    ct_ctx *c = ct_open(NULL);
    ct_graph *graph = ct_default_graph(c);
    ct_t p = ct_var_new(graph, CT_PARAM, "w", CT_F32, CT_SHAPE(2), (ct_init){.kind = CT_INIT_ONES});
    ct_t loss = ct_sum(ct_mul(ct_clip(p, -1e-30, 1e30), ct_graph_input(graph, "g", CT_F32, CT_SHAPE(2))),
                       ct_shape_make(0, NULL), (ct_reduce){0});
    ct_t half = ct_mul_scalar(ct_detach(loss), -1); /* the value stays small, the gradient is g */
    ct_train t = {.optimiser = CT_SGD, .lr = 1, .momentum = 0.9, .clip_norm = clip};
    ct_plan *plan = NULL;
    ct_array a = ct_array_view(w, CT_F32, CT_SHAPE(2)), m;
    float moment[2], loss_value;
    ct_status s = ct_compile_train(ct_add(loss, half), NULL, 0, &t, &plan, e);
    if (!s) s = ct_run(ct_default_session(c), plan, (const void *[1]){g}, 1, (void *[2]){&loss_value, norm});
    if (s) ct_fail(e, s, "%s", ct_session_error(ct_default_session(c)));
    assert_int_equal(ct_var_get(c, "w", &a, NULL), CT_OK);
    m = ct_array_view(moment, CT_F32, CT_SHAPE(2));
    assert_int_equal(ct_var_get(c, "w.momentum_buffer", &m, NULL), CT_OK);
    if (s) assert_true(moment[0] == 0 && moment[1] == 0);
    ct_plan_free(plan);
    ct_close(c);
    return s;
}

static void M13_clipping(void **state) {
    float w[2], norm, large[2] = {1e20f, 1e20f};
    static const float bad[][2] = {{INFINITY, 1}, {NAN, 1}, {-INFINITY, 0}, {3e38f, 3e38f}};
    ct_err e = {0};
    (void)state;
    if (clipped_step(large, 1, w, &norm, &e)) fail_msg("%s", e.text);
    within("norm", (double)norm, 1.4142135e20, 1e14);
    within("w", (double)w[0], 1 - sqrt(0.5), 1e-6);
    within("w", (double)w[1], 1 - sqrt(0.5), 1e-6);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) { /* an error, not a step of zeros */
        ct_error_clear(&e);
        assert_int_equal(clipped_step(bad[i], 1, w, &norm, &e), CT_ENONFINITE);
        assert_true(w[0] == 1 && w[1] == 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(M7_tenths),
                                       cmocka_unit_test(M7_cancellation),
                                       cmocka_unit_test(M7_losses_and_others),
                                       cmocka_unit_test(M8_variance_far_from_zero),
                                       cmocka_unit_test(M8_never_negative),
                                       cmocka_unit_test(M8_norms_far_from_zero),
                                       cmocka_unit_test(M9_softmax_extremes),
                                       cmocka_unit_test(M9_softmax_of_a_million),
                                       cmocka_unit_test(M9_attention_masked),
                                       cmocka_unit_test(M10_cross_entropy),
                                       cmocka_unit_test(M10_binary_and_probabilities),
                                       cmocka_unit_test(M13_norms),
                                       cmocka_unit_test(M13_clipping)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
