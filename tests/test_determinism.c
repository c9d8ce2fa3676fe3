/* test_determinism.c: where bits hold (one test a row of the table): threads, load, alignment; the
 * sample's place and neighbours in prediction; cached and full attention; taps. Merging and memory reuse are in
 * test_property.c, what memory held before in test_bits.c, resume in test_resume.c, prefetch threads in test_data.c. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "meter.h"
#include "nets.h"
#include "plan/plan.h"

static void noise(void *out, int64_t n, int32_t dtype, int64_t below, uint64_t stream) {
    ct_random r = ct_random_stream(13, stream);
    for (int64_t i = 0; i < n; i++)
        if (dtype == CT_I64)
            ((int64_t *)out)[i] = (int64_t)ct_random_below(&r, (uint64_t)below);
        else
            ((float *)out)[i] = (float)ct_random_normal(&r);
}

/* ---- training: any thread count, under load, from buffers anywhere, on memory that held anything ---- */

static const char net[] =
    "h = maxpool2d(relu(batch_norm(conv2d(input(image), \"c1\", 20, 3, pad=1), \"bn\")), 2)\n"
    "h = maxpool2d(relu(conv2d(h, \"c2\", 33, 3, pad=1)), 2)\n"
    "h = dropout(gelu(linear(flatten(h), \"fc1\", 600)), \"d\", 0.2)\n"
    "y = linear(layer_norm(h, \"n\"), \"fc2\", 10)\n";

enum { ROWS = 50, PIXELS = 3 * 16 * 16, STEPS = 3 };

typedef struct setting {
    int32_t threads;
    int load;       /* threads that do nothing but keep cores busy */
    int64_t offset; /* of the input buffer from 64 bytes */
    int taps;       /* extra outputs */
} setting;

static int busy;
static void *burn(void *arg) {
    volatile double x = 1;
    (void)arg;
    while (__atomic_load_n(&busy, __ATOMIC_RELAXED)) x = x * 1.0000001;
    return NULL;
}

typedef struct result {
    float *w;
    uint64_t count;
    float loss[STEPS];
} result;

static result train(setting s) {
    meter m = METER;
    ct_options o = {.threads = s.threads, .seed = 6, .allocator = meter_hook(&m)};
    ct_ctx *c = ct_open(&o);
    ct_net_input in = {"image", CT_SHAPE(CT_N, 3, 16, 16), CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1};
    ct_err e = {0};
    ct_t y, more[2], none = {0, 0, 0};
    ct_plan *p;
    ct_session *session;
    pthread_t thread[4];
    if (ct_net_build(ct_default_graph(c), net, "net", &env, &y, &e)) fail_msg("%s", e.text);
    ct_t loss = ct_cross_entropy(y, ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), none, (ct_ce){0});
    more[0] = y;
    more[1] = ct_mean(ct_abs(y), ct_shape_make(0, NULL), (ct_reduce){0});
    if (ct_compile_train(loss, more, s.taps ? 2 : 0, &(ct_train){.batch = ROWS, .clip_norm = 1, .lr = 1e-2},
                         &p, &e) ||
        ct_session_new(c, &session, &e))
        fail_msg("%s", e.text);
    char *room = aligned_alloc(64, ROWS * PIXELS * 4 + 128);
    float *x = (float *)(void *)(room + s.offset);
    int64_t label[ROWS];
    float *taps = calloc(ROWS * 10, sizeof *taps), mean;
    result r = {.count = 0};
    __atomic_store_n(&busy, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < s.load; i++) assert_int_equal(pthread_create(&thread[i], NULL, burn, NULL), 0);
    for (int i = 0; i < STEPS; i++) {
        noise(x, ROWS * PIXELS, CT_F32, 0, (uint64_t)i);
        noise(label, ROWS, CT_I64, 10, 100 + (uint64_t)i);
        if (ct_run(session, p, (const void *[2]){x, label}, ROWS, (void *[4]){&r.loss[i], NULL, taps, &mean}))
            fail_msg("%s", ct_session_error(session));
    }
    __atomic_store_n(&busy, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < s.load; i++) pthread_join(thread[i], NULL);
    for (int64_t i = 0; i < ct_var_count(c); i++) {
        ct_var_info v;
        ct_array a;
        assert_int_equal(ct_var_at(c, i, &v), CT_OK);
        if (v.dtype != CT_F32) continue;
        assert_int_equal(ct_array_new(NULL, CT_F32, v.shape, &a, &e), CT_OK);
        assert_int_equal(ct_var_get(c, v.name, &a, &e), CT_OK);
        r.w = realloc(r.w, (r.count + v.count) * sizeof *r.w);
        memcpy(r.w + r.count, a.data, v.count * sizeof *r.w);
        r.count += v.count;
        ct_array_free(&a);
    }
    free(room), free(taps);
    ct_session_free(session);
    ct_plan_free(p);
    ct_close(c);
    assert_int_equal(m.live, 0);
    return r;
}

static void same_training(const char *what, const setting *list, int n) {
    result a = train((setting){.threads = 1});
    for (int i = 0; i < n; i++) {
        result b = train(list[i]);
        assert_int_equal(a.count, b.count);
        if (memcmp(a.loss, b.loss, sizeof a.loss) || memcmp(a.w, b.w, a.count * sizeof *a.w))
            fail_msg("%s, row %d: other bits", what, i);
        free(b.w);
    }
    free(a.w);
}

static void runs_and_threads(void **state) {
    (void)state;
    same_training("threads",
                  (setting[]){{.threads = 1}, {.threads = 2}, {.threads = 3}, {.threads = 4}, {.threads = 8}},
                  5);
}
static void load(void **state) {
    (void)state;
    same_training("load", (setting[]){{.threads = 2, .load = 2}, {.threads = 4, .load = 3}}, 2);
}
static void alignment(void **state) {
    (void)state;
    same_training(
        "alignment",
        (setting[]){{.threads = 2, .offset = 4}, {.threads = 2, .offset = 60}, {.threads = 2, .offset = 32}},
        3);
}
static void taps(void **state) {
    (void)state;
    same_training("taps", (setting[]){{.threads = 2, .taps = 1}}, 1);
}

/* ---- prediction: alone, first, last, among others ---- */

static void places(void **state) {
    int exact = strcmp(ct_cpu_features(), "avx512") == 0;
    (void)state;
    for (int i = 0; i < NETS; i++) {
        bench_net n = net_at(i);
        ct_options o = {.threads = 3};
        ct_ctx *c = ct_open(&o);
        ct_t y = build_net(c, &n);
        int64_t largest = strcmp(n.name, "alexnet") == 0 ? 5 : 67,
                sizes[4] = {2, largest / 2, largest - 1, largest};
        ct_shape one = n.input, out = ct_shape_of(y);
        uint64_t in_count, out_count;
        one.dim[0] = out.dim[0] = 1;
        ct_shape_count(&one, 1, &in_count);
        ct_shape_count(&out, 1, &out_count);
        size_t in_bytes = in_count * (n.tokens ? 8 : 4), out_bytes = out_count * 4;
        char *x = malloc(in_bytes * (size_t)largest), *alone = malloc(in_bytes);
        float *many = malloc(out_bytes * (size_t)largest), *want = malloc(out_bytes);
        noise(alone, (int64_t)in_count, n.tokens ? CT_I64 : CT_F32, 65, 1);
        if (ct_predict(c, y, alone, 1, want)) fail_msg("%s: %s", n.name, ct_error(c));
        for (int s = 0; s < 4; s++)
            for (int64_t at = 0; at<sizes[s]; at += sizes[s]> 7 ? sizes[s] / 3 : 1) {
                noise(x, (int64_t)in_count * sizes[s], n.tokens ? CT_I64 : CT_F32, 65, 2 + (uint64_t)at);
                memcpy(x + (size_t)at * in_bytes, alone, in_bytes);
                if (ct_predict(c, y, x, sizes[s], many)) fail_msg("%s: %s", n.name, ct_error(c));
                const float *have = many + (uint64_t)at * out_count;
                double scale = 0, d = 0;
                for (uint64_t k = 0; k < out_count; k++) {
                    scale = fmax(scale, fabs((double)want[k]));
                    d = fmax(d, fabs((double)want[k] - (double)have[k]));
                }
                if (exact ? memcmp(have, want, out_bytes) != 0 : d > 1e-6 * scale)
                    fail_msg("%s: sample %lld of %lld differs by %.3g of %.3g", n.name, (long long)at,
                             (long long)sizes[s], d, scale);
            }
        free(x), free(alone), free(many), free(want);
        ct_close(c);
    }
}

/* One sample is predicted where it is asked for: no thread is woken, none is even there. */
static void callers_thread(void **state) {
    (void)state;
    for (int i = 0; i < NETS; i++) {
        bench_net n = net_at(i);
        ct_options o = {.threads = 4};
        ct_ctx *c = ct_open(&o);
        ct_t y = build_net(c, &n);
        uint64_t in_count, out_count;
        ct_shape out = ct_shape_of(y);
        ct_shape_count(&n.input, 1, &in_count);
        ct_shape_count(&out, 1, &out_count);
        void *x = calloc(in_count, 8);
        float *z = calloc(out_count, sizeof *z);
        assert_int_equal(ct_predict(c, y, x, 1, z), CT_OK);
        assert_null(c->pool);
        free(x), free(z);
        ct_close(c);
    }
}

/* ---- attention: a query alone against the keys so far, and all of them at once ---- */

static void cached(void **state) {
    enum { T = 37, TMAX = 64, HEADS = 2, W = 24, N = 3 };
    int exact = strcmp(ct_cpu_features(), "avx512") == 0;
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_shape full = CT_SHAPE(CT_N, HEADS, T, W), cache = CT_SHAPE(CT_N, HEADS, TMAX, W),
             query = CT_SHAPE(CT_N, HEADS, 1, W);
    ct_t none = {0, 0, 0}, q = ct_input(c, "q", CT_F32, full), k = ct_input(c, "k", CT_F32, full),
         v = ct_input(c, "v", CT_F32, full), all = ct_attention(q, k, v, none, (ct_attend){.causal = 1});
    ct_t q1 = ct_input(c, "q1", CT_F32, query), kc = ct_input(c, "kc", CT_F32, cache),
         vc = ct_input(c, "vc", CT_F32, cache), mask = ct_graph_input(g, "mask", CT_BOOL, CT_SHAPE(1, TMAX)),
         step = ct_attention(q1, kc, vc, mask, (ct_attend){0});
    ct_plan *p, *s;
    ct_err e = {0};
    static float a[3][N * HEADS * T * W], y[N * HEADS * T * W], z[N * HEADS * W], one[N * HEADS * W],
        caches[2][N * HEADS * TMAX * W];
    uint8_t m[TMAX];
    (void)state;
    for (int i = 0; i < 3; i++) noise(a[i], N * HEADS * T * W, CT_F32, 0, (uint64_t)i);
    if (ct_plan_new(&all, 1, NULL, 0, (ct_compile){0}, &p, &e) ||
        ct_plan_new(&step, 1, NULL, 0, (ct_compile){0}, &s, &e))
        fail_msg("%s %s", e.text, ct_error(c));
    if (ct_run(ct_default_session(c), p, (const void *[3]){a[0], a[1], a[2]}, N, (void *[1]){y}))
        fail_msg("%s", ct_error(c));
    for (int t = 0; t < T; t++) {
        for (int i = 0; i < TMAX; i++) m[i] = i <= t;
        for (int h = 0; h < N * HEADS; h++) {
            memcpy(one + h * W, a[0] + (h * T + t) * W, W * sizeof *one);
            for (int j = 0; j < 2; j++)
                memcpy(caches[j] + (h * TMAX + t) * W, a[1 + j] + (h * T + t) * W, W * sizeof *one);
        }
        if (ct_run(ct_default_session(c), s, (const void *[4]){one, caches[0], caches[1], m}, N,
                   (void *[1]){z}))
            fail_msg("%s", ct_error(c));
        for (int h = 0; h < N * HEADS; h++)
            for (int i = 0; i < W; i++) {
                float want = y[(h * T + t) * W + i], have = z[h * W + i];
                if (exact ? want != have : fabsf(want - have) > 1e-6f)
                    fail_msg("t %d, head %d, %d: %.9g; the full pass has %.9g", t, h, i, (double)have,
                             (double)want);
            }
    }
    ct_plan_free(p);
    ct_plan_free(s);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_and_threads),
                                       cmocka_unit_test(load),
                                       cmocka_unit_test(alignment),
                                       cmocka_unit_test(taps),
                                       cmocka_unit_test(places),
                                       cmocka_unit_test(callers_thread),
                                       cmocka_unit_test(cached)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
