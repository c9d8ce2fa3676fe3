/* test_core.c: what a run promises: effects all at once and on the values before them, an error that does not
 * depend on threads, storage orders that a later plan cannot change, copies made once a version, a batch in
 * the memory of a shard, bounded caches, and a peak that is known before the first step. */
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
#include "meter.h"
#include "plan/plan.h"

static const ct_reduce no_keep;
static ct_t total(ct_t x) { return ct_sum(x, ct_shape_make(0, NULL), no_keep); }
static ct_t filled(ct_graph *g, const char *name, int32_t kind, int64_t n, double value) {
    return ct_var_new(g, (ct_var_kind)kind, name, CT_F32, CT_SHAPE(n),
                      (ct_init){.kind = CT_INIT_CONSTANT, .a = value});
}
static float first(ct_ctx *c, const char *name) {
    ct_var_info v;
    ct_err e = {0};
    ct_array a;
    assert_int_equal(ct_var_find(c, name, &v), CT_OK);
    assert_int_equal(ct_array_new(NULL, CT_F32, v.shape, &a, &e), CT_OK);
    assert_int_equal(ct_var_get(c, name, &a, &e), CT_OK);
    float x = *(float *)a.data;
    ct_array_free(&a);
    return x;
}
static ct_plan *plan_of(const ct_t *out, int32_t outs, const ct_t *effects, int32_t n, ct_compile o) {
    ct_plan *p = NULL;
    ct_err e = {0};
    if (ct_plan_new(out, outs, effects, n, o, &p, &e)) fail_msg("%s", e.text);
    return p;
}
static void run(ct_ctx *c, ct_plan *p, const void *const *in, int64_t batch, void *const *out) {
    ct_session *s = ct_default_session(c);
    if (ct_run(s, p, in, batch, out)) fail_msg("%s", ct_session_error(s));
}

/* ---- effects ---- */

static void swap(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_t a = filled(g, "a", CT_BUFFER, 1, 1), b = filled(g, "b", CT_BUFFER, 1, 2);
    ct_t effects[2] = {ct_assign(a, b), ct_assign(b, ct_reshape(a, CT_SHAPE(1)))};
    float x = 0;
    (void)state;
    ct_plan *p = plan_of(&a, 1, effects, 2, (ct_compile){0});
    run(c, p, NULL, 1, (void *[1]){&x});
    assert_true(x == 1 && first(c, "a") == 2 && first(c, "b") == 1); /* the output is the value before */
    ct_plan_free(p);
    ct_close(c);
}

/* The gradient handed to each parameter's step is the other parameter. */
static void crossed_gradients(void **state) {
    enum { N = 40000 };
    for (int32_t shard = 1; shard <= 4; shard += 3) {
        ct_options o = {.threads = 2};
        ct_ctx *c = ct_open(&o);
        ct_graph *g = ct_default_graph(c);
        ct_t a = filled(g, "a", CT_PARAM, N, 2), b = filled(g, "b", CT_PARAM, N, 3), none = {0, 0, 0};
        ct_t x = ct_graph_input(g, "x", CT_F32, CT_SHAPE(CT_N)), half = ct_number(g, 0.5),
             one = ct_number(g, 1);
        ct_t effects[2] = {ct_sgd_update(a, b, none, half, one, (ct_sgd){0}),
                           ct_sgd_update(b, a, none, half, one, (ct_sgd){0})};
        ct_t out = total(x);
        ct_plan *p = plan_of(&out, 1, effects, 2, (ct_compile){.train = 1, .shard = shard, .one_thread = -1});
        run(c, p, (const void *[1]){(float[4]){0}}, 4, NULL);
        assert_true(first(c, "a") == 0.5f && first(c, "b") == 2);
        ct_plan_free(p);
        ct_close(c);
    }
    (void)state;
}

static void one_writer(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_t a = filled(g, "a", CT_BUFFER, 1, 1), b = filled(g, "b", CT_BUFFER, 1, 2);
    ct_t twice[2] = {ct_assign(a, b), ct_assign(a, ct_neg(b))};
    ct_err e = {0};
    ct_plan_info info;
    (void)state;
    ct_plan *p = plan_of(&b, 1, twice, 2, (ct_compile){0});
    assert_int_equal(ct_plan_describe(p, 1, &info, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "\"a\" is written by assign and by assign"));
    ct_plan_free(p);
    ct_error_clear(&e);
    assert_int_equal(ct_plan_new(twice, 1, NULL, 0, (ct_compile){0}, &p, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "among the effects"));
    ct_error_clear(&e);
    assert_int_equal(ct_plan_new(&b, 1, &a, 1, (ct_compile){0}, &p, &e), CT_EUSAGE);
    assert_false(ct_ok(ct_neg(twice[0])));
    assert_non_null(strstr(ct_error(c), "an effect of a plan"));
    ct_close(c);
}

/* A run that is cancelled, at whatever step, has written all variables or none. */
typedef struct stopper {
    ct_session *s;
    int64_t at, calls;
} stopper;
static ct_status same_shape(void *user, const ct_shape *in, int32_t n, ct_shape *out, ct_err *e) {
    (void)user, (void)n, (void)e;
    *out = in[0];
    return CT_OK;
}
static ct_status stop_at(void *user, const ct_shape *shape, const float *const *in, int32_t n, float *out,
                         ct_err *e) {
    stopper *k = user;
    uint64_t count;
    (void)n, (void)e;
    ct_shape_count(&shape[0], 1, &count);
    memcpy(out, in[0], count * sizeof *out);
    if (k->calls++ == k->at) ct_session_cancel(k->s, 1);
    return CT_OK;
}
static void all_or_nothing(void **state) {
    enum { DEPTH = 5 };
    stopper k = {.at = -1};
    ct_custom op = {.name = "stop", .user = &k, .shape = same_shape, .forward = stop_at};
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_t a = filled(g, "a", CT_BUFFER, 3, 0), b = filled(g, "b", CT_BUFFER, 3, 0),
         x = ct_graph_input(g, "x", CT_F32, CT_SHAPE(3));
    (void)state;
    for (int i = 0; i < DEPTH; i++) x = ct_neg(ct_custom_op(&op, &x, 1));
    ct_t effects[2] = {ct_assign(a, ct_add_scalar(ct_add(a, x), 1)),
                       ct_assign(b, ct_add_scalar(ct_add(b, x), 1))};
    ct_plan *p = plan_of(&x, 1, effects, 2, (ct_compile){0});
    int done = 0, cancelled = 0;
    k.s = ct_default_session(c);
    for (k.at = 0; k.at <= DEPTH; k.at++) {
        k.calls = 0;
        ct_session_cancel(k.s, 0);
        ct_status s = ct_run(k.s, p, (const void *[1]){(float[3]){0}}, 1, NULL);
        assert_true(s == CT_OK || s == CT_ECANCEL);
        done += s == CT_OK;
        cancelled += s == CT_ECANCEL;
        assert_true(first(c, "a") == (float)done && first(c, "b") == (float)done);
    }
    assert_true(done >= 1 && cancelled >= 1);
    ct_session_cancel(k.s, 0);
    ct_session_deadline(k.s, 1e-9);
    while (ct_run(k.s, p, (const void *[1]){(float[3]){0}}, 1, NULL) == CT_OK) done++;
    assert_string_equal(ct_session_error(k.s), "run: the deadline has passed");
    assert_true(first(c, "a") == (float)done && first(c, "b") == (float)done);
    ct_plan_free(p);
    ct_close(c);
}

/* Two bad samples in different shards: the first is named, whoever meets his first. */
static void lowest_error(void **state) {
    enum { N = 64, V = 100, D = 400 };
    ct_options o = {.threads = 4};
    ct_ctx *c = ct_open(&o);
    ct_t ids = ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N, 8));
    ct_t y = ct_linear(ct_flatten(ct_embedding(ids, "e", V, D, (ct_embed){0})), "fc", 50, (ct_lin){0});
    static int64_t in[N * 8];
    static float out[N * 50];
    (void)state;
    ct_plan *p = plan_of(&y, 1, NULL, 0, (ct_compile){.shard = 1, .one_thread = -1});
    in[13 * 8 + 2] = in[14 * 8] = in[20 * 8] = in[60 * 8] = V;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(ct_run(ct_default_session(c), p, (const void *[1]){in}, N, (void *[1]){out}),
                         CT_EDATA);
        if (!strstr(ct_session_error(ct_default_session(c)), "sample 13 has id 100 at position 2"))
            fail_msg("%s", ct_session_error(ct_default_session(c)));
    }
    ct_plan_free(p);
    ct_close(c);
}

/* ---- variables ---- */

/* A plan made before reads what it read, whatever later plans want of the same variables. */
static void homes_stay(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 20)), y = ct_linear(x, "fc", 7, (ct_lin){0}),
         row = ct_slice(ct_param(c, "fc.weight"), 0, 0, 1, 1);
    float before[20], after[20], in[20] = {1}, out[7];
    (void)state;
    ct_plan *p = plan_of(&row, 1, NULL, 0, (ct_compile){0}), *q = plan_of(&y, 1, NULL, 0, (ct_compile){0});
    run(c, p, NULL, 1, (void *[1]){before});
    run(c, q, (const void *[1]){in}, 1, (void *[1]){out});
    run(c, p, NULL, 1, (void *[1]){after});
    assert_memory_equal(before, after, sizeof before);
    ct_t more = ct_linear(x, "other", 9, (ct_lin){0}); /* the context has more variables than q knew */
    assert_true(ct_ok(more));
    float again[7];
    run(c, q, (const void *[1]){in}, 1, (void *[1]){again});
    assert_memory_equal(out, again, sizeof out);
    ct_plan_free(p);
    ct_plan_free(q);
    ct_close(c);
}

/* A copy in another order is made anew when the variable has changed, and only then. */
static void copies_once(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3)), y = ct_linear(x, "fc", 2, (ct_lin){0}), dx;
    float in[6] = {1, 2, 3, 4, 5, 6}, out[6], weight[6] = {1, 2, 3, 4, 5, 6};
    ct_err e = {0};
    (void)state;
    assert_int_equal(ct_grad(total(y), NULL, &x, 1, &dx), CT_OK);
    ct_plan *p = plan_of((ct_t[2]){y, dx}, 2, NULL, 0, (ct_compile){0}),
            *q = plan_of(&dx, 1, NULL, 0, (ct_compile){.batch = 5});
    ct_array a = ct_array_view(weight, CT_F32, CT_SHAPE(2, 3));
    assert_int_equal(ct_var_set(c, "fc.weight", &a, &e), CT_OK);
    run(c, p, (const void *[1]){in}, 2, (void *[2]){NULL, out});
    assert_true(out[0] == 5 && out[1] == 7 && out[2] == 9);
    ct__derived *d = ct__var_lookup(c, "fc.weight")->derived;
    assert_true(d && !d->next && d->users == 1);
    memset(d->data, 0, d->bytes); /* seen again as long as nobody makes it anew */
    run(c, p, (const void *[1]){in}, 2, (void *[2]){NULL, out});
    assert_true(out[0] == 0);
    run(c, q, (const void *[1]){in}, 1, (void *[1]){out}); /* another plan shares it */
    assert_true(out[0] == 0 && d->users == 2);
    weight[0] = 11;
    assert_int_equal(ct_var_set(c, "fc.weight", &a, &e), CT_OK);
    run(c, q, (const void *[1]){in}, 1, (void *[1]){out});
    assert_true(out[0] == 15 && out[1] == 7);
    ct_plan_free(p);
    ct_plan_free(q);
    assert_null(ct__var_lookup(c, "fc.weight")->derived);
    ct_close(c);
}

/* ---- memory ---- */

static ct_t cnn_loss(ct_ctx *c, int32_t ignore) {
    ct_setting classes = {"classes", "10"};
    ct_net_input in = {"image", CT_SHAPE(CT_N, 3, 32, 32), CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1, .constants = &classes, .n_constants = 1};
    ct_err e = {0};
    ct_t y;
    if (ct_net_build(ct_default_graph(c), ct_preset_text("cnn"), "cnn", &env, &y, &e)) fail_msg("%s", e.text);
    return ct_cross_entropy(y, ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), (ct_t){0, 0, 0},
                            (ct_ce){.has_ignore = ignore, .ignore = -1});
}

/* Sixteen times the batch in shards of the size configured: the memory of one shard a thread. So too where the loss is
 * divided by a count over the whole batch, which has to be known before the gradient. */
static void large_batches(void **state) {
    (void)state;
    for (int32_t ignore = 0; ignore < 2; ignore++) {
        ct_options o = {.threads = 2};
        ct_ctx *c = ct_open(&o);
        ct_plan_info small, large;
        ct_plan *p;
        ct_err e = {0};
        if (ct_compile_train(cnn_loss(c, ignore), NULL, 0, &(ct_train){.batch = 64}, &p, &e))
            fail_msg("%s", e.text);
        assert_int_equal(ct_plan_describe(p, 64, &small, &e), CT_OK);
        assert_int_equal(ct_plan_describe(p, 1024, &large, &e), CT_OK);
        assert_true(small.shards == 8 && large.shards == 128 && large.shard_rows == 8);
        if ((double)large.peak_bytes >
            1.7 * (double)small.peak_bytes) /* eight gradients of fc1, cut over outputs at 64 */
            fail_msg("%llu bytes at 64, %llu at 1024", (unsigned long long)small.peak_bytes,
                     (unsigned long long)large.peak_bytes);
        ct_plan_free(p);
        ct_close(c);
    }
}

/* Lanes of several shards, the last of them shorter and its last shard ragged, against the batch uncut. */
static void lanes(void **state) {
    enum { ROWS = 59, IN = 30, OUT = 7, N = 24 * IN + 24 + OUT * 24 + OUT };
    static float grad[3][N];
    float x[ROWS * IN], loss[3];
    int64_t label[ROWS];
    ct_random r = ct_random_stream(3, 1);
    static const ct_compile form[3] = {{.train = 1, .shard = ROWS},
                                       {.train = 1, .shard = 2, .one_thread = -1},
                                       {.train = 1, .shard = 2, .one_thread = 1}};
    (void)state;
    for (int i = 0; i < ROWS * IN; i++) x[i] = (float)ct_random_normal(&r);
    for (int i = 0; i < ROWS; i++) label[i] = i % OUT;
    for (int f = 0; f < 3; f++) {
        ct_options o = {.threads = 3, .seed = 2};
        ct_ctx *c = ct_open(&o);
        ct_t in = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, IN)), y = ct_linear(in, "a", 24, (ct_lin){0}),
             out[5], none = {0, 0, 0};
        y = ct_linear(ct_batch_norm(ct_tanh(y), "bn", (ct_batchnorm){0}), "b", OUT, (ct_lin){0});
        out[0] = ct_cross_entropy(y, ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), none,
                                  (ct_ce){.has_ignore = 1, .ignore = 3});
        ct_t wrt[4] = {ct_param(c, "a.weight"), ct_param(c, "a.bias"), ct_param(c, "b.weight"),
                       ct_param(c, "b.bias")};
        assert_int_equal(ct_grad(out[0], NULL, wrt, 4, out + 1), CT_OK);
        ct_plan *p = plan_of(out, 5, NULL, 0, form[f]);
        float *g = grad[f];
        run(c, p, (const void *[2]){x, label}, ROWS,
            (void *[5]){&loss[f], g, g + 24 * IN, g + 24 * IN + 24, g + 24 * IN + 24 + OUT * 24});
        ct_plan_free(p);
        ct_close(c);
    }
    double d = 0, all = 0;
    for (int i = 0; i < N; i++) {
        d += pow((double)grad[0][i] - (double)grad[1][i], 2);
        all += pow((double)grad[0][i], 2);
    }
    assert_true(sqrt(d / all) < 1e-6 && fabs((double)loss[0] / (double)loss[1] - 1) < 1e-6);
    assert_memory_equal(grad[1], grad[2], sizeof grad[1]);
    assert_true(loss[1] == loss[2]);
}

/* What a plan reports before its first step is what running it takes. */
static void known_peak(void **state) {
    (void)state;
    for (int32_t threads = 1; threads <= 3; threads += 2) {
        meter m = METER;
        ct_options o = {.threads = threads, .allocator = meter_hook(&m)};
        ct_ctx *c = ct_open(&o);
        ct_plan *p;
        ct_session *s;
        ct_plan_info info;
        ct_err e = {0};
        float *x = calloc(64 * 3072, sizeof *x), loss;
        int64_t label[64] = {0};
        if (ct_compile_train(cnn_loss(c, 0), NULL, 0, &(ct_train){.batch = 64}, &p, &e) ||
            ct_session_new(c, &s, &e) || ct_plan_describe(p, 64, &info, &e))
            fail_msg("%s", e.text);
        ct_pool *pool;
        assert_int_equal(ct__pool_of(c, &pool, &e), CT_OK);
        uint64_t variables = 0;
        for (int32_t i = 0; i < c->vars; i++) {
            variables += c->var[i]->bytes;
            for (const ct__derived *d = c->var[i]->derived; d; d = d->next) variables += d->bytes;
        }
        int64_t before = m.live_bytes;
        if (ct_run(s, p, (const void *[2]){x, label}, 64, (void *[2]){&loss, NULL}))
            fail_msg("%s", ct_session_error(s));
        assert_int_equal(variables + (uint64_t)(m.live_bytes - before), info.peak_bytes);
        assert_true(m.most_bytes == m.live_bytes);
        ct_session_free(s);
        ct_plan_free(p);
        ct_close(c);
        assert_int_equal(m.live, 0);
        free(x);
    }
}

/* Ever new batch sizes, ever new graphs: what is kept is bounded. */
static void bounded(void **state) {
    meter m = METER;
    ct_options o = {.threads = 1, .allocator = meter_hook(&m)};
    ct_ctx *c = ct_open(&o);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 4, 8, 8)), y = x;
    ct_err e = {0};
    int64_t middle = 0, after = 0;
    (void)state;
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        y = ct_relu(ct_conv2d(y, name, 4, 3, (ct_conv){.pad = 1}));
    }
    ct_plan *p = plan_of(&y, 1, NULL, 0, (ct_compile){.one_thread = 1});
    for (int64_t batch = 1; batch <= 60; batch++) {
        ct_plan_info info;
        assert_int_equal(ct_plan_describe(p, batch, &info, &e), CT_OK);
        if (batch == 30) middle = m.live_bytes;
        assert_true(p->bytes < (70 << 20));
    }
    assert_true(m.live_bytes < middle + (1 << 20)); /* 30 more would be 70 MB with oneDNN's part */
    ct_plan_free(p);
    for (int i = 0; i < 300; i++) { /* graphs in a loop, with predictions and a training plan of each */
        ct_graph *g = ct_graph_new(c);
        ct_t in = ct_graph_input(g, "x", CT_F32, CT_SHAPE(CT_N, 3)),
             out = ct_linear(in, "fc", 1, (ct_lin){0}), scaled = ct_mul_scalar(ct_mul_scalar(in, i + 1), 1.0);
        float v[3] = {1, 2, 3}, u[3];
        assert_int_equal(ct_predict(c, scaled, v, 1, u), CT_OK);
        assert_true(u[2] == (float)(3 * (i + 1)));
        if (ct_compile_train(total(out), NULL, 0, &(ct_train){0}, &p, &e)) fail_msg("%s", e.text);
        run(c, p, (const void *[1]){v}, 1, NULL);
        ct_plan_free(p);
        ct_graph_free(g);
        if (i == 20) after = m.live_bytes;
        if (i > 20) assert_int_equal(m.live_bytes, after);
    }
    for (int i = 0; i < 300; i++) { /* one graph, ever new tensors */
        float v[256] = {0}, u[256];
        assert_int_equal(ct_predict(c, ct_add_scalar(x, i + 1), v, 1, u), CT_OK);
        assert_true(u[0] == (float)(i + 1));
        if (i == 100) after = m.live;
    }
    assert_true(m.live < after + 2000);
    ct_close(c);
    assert_int_equal(m.live, 0);
}

/* A bad request to the simple tier is told and forgotten. */
static void failed_prediction(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t ids = ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N)), y = ct_embedding(ids, "e", 5, 2, (ct_embed){0});
    int64_t bad[1] = {5}, good[1] = {4};
    float out[2];
    (void)state;
    assert_int_equal(ct_predict(c, y, bad, 1, out), CT_EDATA);
    assert_non_null(strstr(ct_error(c), "sample 0 has id 5"));
    assert_int_equal(ct_predict(c, y, good, 1, out), CT_OK);
    assert_string_equal(ct_error(c), "");
    assert_int_equal(ct_predict(c, y, good, (int64_t)INT32_MAX + 1, out), CT_EUSAGE);
    assert_int_equal(ct_predict(c, (ct_t){0, 0, 0}, good, 1, out), CT_EUSAGE);
    assert_int_equal(ct_predict(c, y, good, 1, out), CT_OK);
    ct_t wide = ct_expand(ct_number(ct_default_graph(c), 1), CT_SHAPE(CT_N, 1 << 20, 1 << 20)),
         big = ct_add(ct_input(c, "w", CT_F32, CT_SHAPE(CT_N, 1, 1)), wide);
    assert_int_equal(ct_predict(c, big, good, 2000000000, out), CT_ELIMIT);
    assert_non_null(strstr(ct_error(c), "[N,1048576,1048576]"));
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(swap),         cmocka_unit_test(crossed_gradients),
                                       cmocka_unit_test(one_writer),   cmocka_unit_test(all_or_nothing),
                                       cmocka_unit_test(lowest_error), cmocka_unit_test(homes_stay),
                                       cmocka_unit_test(copies_once),  cmocka_unit_test(large_batches),
                                       cmocka_unit_test(lanes),        cmocka_unit_test(known_peak),
                                       cmocka_unit_test(bounded),      cmocka_unit_test(failed_prediction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
