/* test_plan.c: plans as a whole: the number of steps of each standard net (a pass that stops fusing shows
 * here), big parameters cut over outputs against the same net uncut, sessions in several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/conv.h"
#include "nets.h"

/* Steps to predict one sample and to train a batch. A fusion makes them fewer: put the new numbers here. More than
 * these means that a pass no longer finds what it found. */
static const struct {
    int64_t predict, train;
} wanted_steps[NETS] = {{2, 15}, {3, 21}, {7, 30}, {53, 419}, {13, 57}, {37, 118}};

static void steps(void **state) {
    int wrong = 0;
    (void)state;
    if (ct__block_channels() != 16) skip(); /* narrower convolutions take more conversions */
    for (int i = 0; i < NETS; i++) {
        bench_net n = net_at(i);
        ct_ctx *c = ct_open(NULL);
        ct_plan *predict, *train = NULL;
        ct_plan_info a, b;
        ct_err e = {0};
        ct_t y = build_net(c, &n);
        int64_t batch = strcmp(n.name, "alexnet") == 0 ? 2 : n.batch;
        if (ct_plan_new(&y, 1, NULL, 0, (ct_compile){.batch = 1}, &predict, &e) ||
            ct_plan_describe(predict, 1, &a, &e) ||
            ct_compile_train(net_loss(y, &n), NULL, 0, &(ct_train){.batch = batch}, &train, &e) ||
            ct_plan_describe(train, batch, &b, &e))
            fail_msg("%s", e.text);
        if (a.steps != wanted_steps[i].predict || b.steps != wanted_steps[i].train)
            print_error("%s: %lld steps to predict, %lld to train; wanted %lld and %lld\n", n.name,
                        (long long)a.steps, (long long)b.steps, (long long)wanted_steps[i].predict,
                        (long long)wanted_steps[i].train);
        wrong += a.steps != wanted_steps[i].predict || b.steps != wanted_steps[i].train;
        ct_plan_free(predict);
        ct_plan_free(train);
        ct_close(c);
    }
    assert_int_equal(wrong, 0);
}

static double away(const float *a, const float *b, size_t n) {
    double d = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        all += (double)b[i] * (double)b[i];
    }
    return sqrt(d / (all + 1e-30));
}

enum { ROWS = 16, IN = 600, MIDDLE = 520, OUT = 40 };

/* Loss and gradients of 600-520-40: fc1's eight gradients would be 10 MB, so it is cut over outputs. */
static void big_gradients(ct_compile o, float *loss, float *weight, float *bias, float *x_grad) {
    ct_options options = {.threads = 3, .seed = 9};
    ct_ctx *c = ct_open(&options);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, IN)),
         label = ct_input(c, "label", CT_I64, CT_SHAPE(CT_N));
    ct_t y = ct_linear(ct_relu(ct_linear(x, "fc1", MIDDLE, (ct_lin){0})), "fc2", OUT, (ct_lin){0});
    ct_t out[4] = {ct_cross_entropy(y, label, (ct_t){0}, (ct_ce){0})},
         wrt[3] = {ct_param(c, "fc1.weight"), ct_param(c, "fc1.bias"), x};
    ct_plan *p = NULL;
    ct_session *s = NULL;
    ct_err e = {0};
    static float in[ROWS * IN];
    int64_t labels[ROWS];
    ct_random r = ct_random_stream(4, 0);
    for (int i = 0; i < ROWS * IN; i++) in[i] = (float)ct_random_normal(&r);
    for (int i = 0; i < ROWS; i++) labels[i] = i % OUT;
    if (ct_grad(out[0], NULL, wrt, 3, out + 1) || ct_plan_new(out, 4, NULL, 0, o, &p, &e) ||
        ct_session_new(c, &s, &e))
        fail_msg("%s %s", ct_error(c), e.text);
    if (ct_run(s, p, (const void *[2]){in, labels}, ROWS, (void *[4]){loss, weight, bias, x_grad}))
        fail_msg("%s", ct_session_error(s));
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

static void big_parameters(void **state) {
    size_t n = (size_t)MIDDLE * IN;
    float *w = malloc(n * sizeof *w), *v = malloc(n * sizeof *v), b[2][MIDDLE], loss[2];
    float *x = malloc(ROWS * IN * sizeof *x), *z = malloc(ROWS * IN * sizeof *z);
    (void)state;
    big_gradients((ct_compile){.shard = 2, .train = 1}, &loss[0], w, b[0], x);
    big_gradients((ct_compile){.shard = ROWS, .train = 1}, &loss[1], v, b[1], z);
    assert_true(fabs((double)(loss[0] - loss[1])) < 1e-6);
    assert_true(away(w, v, n) < 1e-6 && away(b[0], b[1], MIDDLE) < 1e-6 && away(x, z, ROWS * IN) < 1e-6);
    big_gradients((ct_compile){.shard = 2, .train = 1, .one_thread = 1}, &loss[1], v, b[1], z);
    assert_memory_equal(w, v, n * sizeof *w);
    assert_memory_equal(x, z, ROWS * IN * sizeof *x);
    free(w), free(v), free(x), free(z);
}

/* One context, several threads with a session each: the same bits. */
typedef struct worker {
    ct_ctx *c;
    ct_plan *plan;
    const float *x;
    float y[32 * 10];
    int failed;
} worker;
static void *work(void *user) {
    worker *w = user;
    ct_session *s;
    ct_err e = {0};
    w->failed = ct_session_new(w->c, &s, &e) != CT_OK;
    for (int i = 0; i < 20 && !w->failed; i++)
        w->failed = ct_run(s, w->plan, (const void *[1]){w->x}, 32, (void *[1]){w->y}) != CT_OK;
    ct_session_free(s);
    return NULL;
}
static void sessions(void **state) {
    enum { WORKERS = 4 };
    ct_ctx *c = ct_open(NULL);
    static worker w[WORKERS];
    pthread_t thread[WORKERS];
    ct_plan *p;
    ct_err e = {0};
    bench_net net = net_at(2);
    ct_t y = build_net(c, &net);
    float *x = calloc(32 * 3072, sizeof *x);
    ct_random r = ct_random_stream(2, 0);
    (void)state;
    for (int i = 0; i < 32 * 3072; i++) x[i] = (float)ct_random_normal(&r);
    if (ct_plan_new(&y, 1, NULL, 0, (ct_compile){0}, &p, &e)) fail_msg("%s", e.text);
    for (int i = 0; i < WORKERS; i++) {
        w[i] = (worker){.c = c, .plan = p, .x = x};
        assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < WORKERS; i++) {
        assert_false(w[i].failed);
        assert_memory_equal(w[i].y, w[0].y, sizeof w[0].y);
    }
    free(x);
    ct_plan_free(p);
    ct_close(c);
}

/* A training step of a deep net with batch norm, so that the side tables of the planner grow. */
static void deep(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_plan *p;
    ct_err e = {0};
    float loss = 0, *x = calloc(16 * 3072, sizeof *x);
    int64_t label[16] = {0};
    ct_random r = ct_random_stream(2, 0);
    (void)state;
    for (int i = 0; i < 16 * 3072; i++) x[i] = (float)ct_random_normal(&r);
    bench_net net = net_at(3);
    if (ct_compile_train(net_loss(build_net(c, &net), &net), NULL, 0, &(ct_train){.batch = 16}, &p, &e))
        fail_msg("%s", e.text);
    for (int i = 0; i < 2; i++)
        if (ct_run(ct_default_session(c), p, (const void *[2]){x, label}, 16, (void *[2]){&loss, NULL}))
            fail_msg("%s", ct_session_error(ct_default_session(c)));
    assert_true(isfinite(loss) && loss < 4);
    free(x);
    ct_plan_free(p);
    ct_close(c);
}

/* A net of many batch norms can be measured: on rows that are all the same its gradients would not be finite. */
static void measured(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 8));
    ct_plan *p;
    ct_session *session = NULL;
    ct_err e = {0};
    (void)state;
    for (int i = 0; i < 24; i++) {
        char name[2][32];
        snprintf(name[0], sizeof name[0], "fc%d", i);
        snprintf(name[1], sizeof name[1], "norm%d", i);
        x = ct_batch_norm(ct_linear(x, name[0], 8, (ct_lin){.no_bias = 1}), name[1], (ct_batchnorm){0});
    }
    x = ct_linear(ct_dropout(x, "drop", 0.5), "last", 10, (ct_lin){0});
    ct_t label = ct_graph_input(ct_graph_of(x), "label", CT_I64, CT_SHAPE(CT_N));
    ct_t loss = ct_cross_entropy(x, label, (ct_t){0}, (ct_ce){0});
    if (ct_compile_train(loss, NULL, 0, &(ct_train){.batch = 16}, &p, &e) || ct_session_new(c, &session, &e))
        fail_msg("%s", e.text);
    if (ct_plan_profile(session, p, 16, 3)) fail_msg("%s", ct_session_error(session));
    ct_session_free(session);
    ct_plan_free(p);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(big_parameters),
                                       cmocka_unit_test(sessions), cmocka_unit_test(deep),
                                       cmocka_unit_test(measured)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
