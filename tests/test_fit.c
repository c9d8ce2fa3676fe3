/* ct_fit: callbacks, early stopping, the best weights, moving averages, what it does beside a loop by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "cotan/model.h"
#include "cotan/nn.h"

enum { SAMPLES = 96 };

typedef struct problem { /* y = 2 x0 - x1 + noise, by one linear layer */
    float x[SAMPLES][2], y[SAMPLES][1];
    ct_ctx *c;
    ct_t loss, out;
    ct_source data, validation;
    ct_err e;
} problem;

static void begin(problem *p) {
    static const char *const names[2] = {"x", "y"};
    ct_random r = ct_random_stream(3, 0);
    memset(p, 0, sizeof *p);
    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < 2; k++) p->x[i][k] = (float)ct_random_normal(&r);
        p->y[i][0] = 2 * p->x[i][0] - p->x[i][1] + 0.5f * (float)ct_random_normal(&r);
    }
    ct_array a[2] = {ct_array_view(p->x, CT_F32, CT_SHAPE(SAMPLES, 2)),
                     ct_array_view(p->y, CT_F32, CT_SHAPE(SAMPLES, 1))};
    assert_int_equal(ct_source_arrays(NULL, a, names, 2, &p->data, &p->e), CT_OK);
    p->validation = p->data;
    p->validation.count = 32;
    p->c = ct_open(NULL);
    ct_t x = ct_input(p->c, "x", CT_F32, CT_SHAPE(CT_N, 2)),
         y = ct_input(p->c, "y", CT_F32, CT_SHAPE(CT_N, 1));
    p->out = ct_linear(x, "fc", 1, (ct_lin){0});
    p->loss = ct_mse(p->out, y, (ct_loss){0});
}

static void end(problem *p) {
    ct_source_close(&p->data);
    ct_close(p->c);
}

static double validation_loss(problem *p) {
    double mean;
    assert_int_equal(ct_evaluate(p->loss, &p->validation, 0, &mean, &p->e), CT_OK);
    return mean;
}

typedef struct history {
    int64_t calls, stop_after;
    double validation[64], loss[64];
    int32_t best[64];
} history;

static int record(void *user, const ct_epoch *row) {
    history *h = user;
    h->validation[h->calls] = row->validation;
    h->loss[h->calls] = row->loss;
    h->best[h->calls] = row->best;
    h->calls++;
    assert_int_equal(row->epoch, h->calls);
    return h->calls == h->stop_after;
}

static void callbacks(void **state) {
    (void)state;
    problem p;
    history h = {.stop_after = 3};
    ct_epoch last = {0};
    begin(&p);
    ct_fit_options o = {.epochs = 10,
                        .batch = 32,
                        .callback = record,
                        .user = &h,
                        .validation = &p.validation,
                        .train = {.lr = 0.01}};
    assert_int_equal(ct_fit(p.loss, (ct_t){0}, &p.data, &o, &last, &p.e), CT_OK);
    assert_int_equal(h.calls, 3);
    assert_int_equal(last.epoch, 3);
    assert_int_equal(last.steps, 9);
    assert_true(isnan(last.accuracy) && isnan(last.norm) && last.validation > 0);
    end(&p);
}

/* A learning rate that overshoots: the best epoch is an early one, its weights come back. */
static void early_stopping(void **state) {
    (void)state;
    problem p;
    history h = {0};
    ct_epoch last = {0};
    begin(&p);
    ct_fit_options o = {.epochs = 50,
                        .batch = 32,
                        .patience = 4,
                        .callback = record,
                        .user = &h,
                        .validation = &p.validation,
                        .train = {.optimiser = CT_SGD, .lr = 0.3}};
    assert_int_equal(ct_fit(p.loss, (ct_t){0}, &p.data, &o, &last, &p.e), CT_OK);
    assert_true(h.calls < 50);
    int64_t best = 0;
    for (int64_t i = 1; i < h.calls; i++)
        if (h.validation[i] < h.validation[best]) best = i;
    assert_int_equal(h.calls - 1 - best, 4); /* so many without a better one */
    for (int64_t i = 0; i < h.calls; i++) assert_true(!h.best[i] || i <= best);
    assert_true(h.best[best] == 1);
    assert_true(fabs(validation_loss(&p) - h.validation[best]) < 1e-6);
    end(&p);
    begin(&p);
    memset(&h, 0, sizeof h);
    o.keep_last = 1;
    o.validation = &p.validation;
    assert_int_equal(ct_fit(p.loss, (ct_t){0}, &p.data, &o, &last, &p.e), CT_OK);
    assert_true(fabs(validation_loss(&p) - h.validation[h.calls - 1]) < 1e-6);
    end(&p);
}

/* The averages are validated and kept, and stand under the parameters' own names. */
static void averages(void **state) {
    (void)state;
    problem p;
    history h = {0};
    float kept[2], average[2];
    ct_array a = ct_array_view(kept, CT_F32, CT_SHAPE(1, 2)),
             b = ct_array_view(average, CT_F32, CT_SHAPE(1, 2));
    begin(&p);
    ct_fit_options o = {.epochs = 6,
                        .batch = 16,
                        .callback = record,
                        .user = &h,
                        .validation = &p.validation,
                        .train = {.optimiser = CT_SGD, .lr = 0.05, .average = 0.9}};
    assert_int_equal(ct_fit(p.loss, (ct_t){0}, &p.data, &o, NULL, &p.e), CT_OK);
    assert_true(h.best[5]); /* still falling: the last epoch's weights are the ones kept */
    assert_int_equal(ct_var_get(p.c, "fc.weight", &a, &p.e), CT_OK);
    assert_int_equal(ct_var_get(p.c, "ema.fc.weight", &b, &p.e), CT_OK);
    assert_memory_equal(kept, average, sizeof kept);
    assert_true(fabs(validation_loss(&p) - h.validation[5]) < 1e-6);
    end(&p);
}

/* The same as a loop by hand over the lower tier, to the bit. */
static void by_hand(void **state) {
    (void)state;
    problem p;
    history h = {0};
    begin(&p);
    ct_train train = {.lr = 0.02, .batch = 32};
    ct_fit_options o = {.epochs = 3,
                        .batch = 32,
                        .seed = 5,
                        .callback = record,
                        .user = &h,
                        .train = train,
                        .schedule = {.kind = CT_COSINE}};
    assert_int_equal(ct_fit(p.loss, (ct_t){0}, &p.data, &o, NULL, &p.e), CT_OK);
    end(&p);
    begin(&p);
    ct_trainer *t;
    ct_loader *l;
    ct_batch batch;
    int64_t step = 0;
    ct_schedule schedule = {.kind = CT_COSINE, .steps = 9};
    assert_int_equal(ct_trainer_new(p.loss, NULL, 0, &train, &p.data, &t, &p.e), CT_OK);
    assert_int_equal(
        ct_loader_new(NULL, &p.data, (ct_loader_options){.batch = 32, .seed = 5, .shuffle = 1}, &l, &p.e),
        CT_OK);
    for (int epoch = 0; epoch < 3; epoch++) {
        double sum = 0, loss;
        for (;;) {
            assert_int_equal(ct_next(l, &batch, &p.e), CT_OK);
            if (batch.rows == 0) break;
            assert_int_equal(
                ct_trainer_step(t, &batch, 0.02 * ct_schedule_at(&schedule, step++, 1), &loss, NULL, &p.e),
                CT_OK);
            sum += loss * (double)batch.rows;
        }
        assert_true(sum / SAMPLES == h.loss[epoch]);
    }
    ct_loader_free(l);
    ct_trainer_free(t);
    end(&p);
}

/* Arrays in memory, windows of a series among them, and what is refused. */
static void rows(void **state) {
    (void)state;
    problem p;
    float series[64], next;
    ct_epoch last;
    begin(&p);
    ct_fit_options o = {.epochs = 40, .batch = 32, .train = {.lr = 0.05}};
    assert_int_equal(ct_fit_rows(p.loss, (const void *[]){p.x, p.y}, SAMPLES, &o, &last), CT_OK);
    assert_true(last.loss < 0.4 && last.steps == 40 * 3);
    assert_int_equal(ct_fit_rows(p.loss, (const void *[]){p.x, NULL}, SAMPLES, &o, &last), CT_EUSAGE);
    assert_non_null(strstr(ct_error(p.c), "input \"y\" is NULL"));
    end(&p);
    begin(&p);
    assert_int_equal(ct_fit_rows(p.loss, (const void *[]){p.x, p.y}, 0, NULL, NULL), CT_EUSAGE);
    end(&p);
    for (int i = 0; i < 64; i++) series[i] = (float)sin(0.3 * i);
    ct_ctx *c = ct_open(NULL); /* the next of two, which for a sine is linear in them */
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), y = ct_input(c, "y", CT_F32, CT_SHAPE(CT_N, 1));
    ct_t out = ct_linear(x, "fc", 1, (ct_lin){0});
    o = (ct_fit_options){.epochs = 400, .batch = 62, .hop = 1, .train = {.lr = 0.05}};
    assert_int_equal(
        ct_fit_rows(ct_mse(out, y, (ct_loss){0}), (const void *[]){series, series + 2}, 62, &o, NULL), CT_OK);
    assert_int_equal(ct_predict(c, out, series + 20, 1, &next), CT_OK);
    assert_true(fabs(next - sin(0.3 * 22)) < 0.02);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(callbacks), cmocka_unit_test(early_stopping),
                                       cmocka_unit_test(averages), cmocka_unit_test(by_hand),
                                       cmocka_unit_test(rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
