/* test_calibrate.c: temperatures, prediction sets, figures by class, under-fit and over-fit: each against what its
 * definition says, computed plainly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/task.h"

enum { ROWS = 3000, CLASSES = 5 };

/* Logits that are right: each label is drawn from their softmax. `sharpness` then multiplies them. */
static void draw(float *logits, int64_t *label, int64_t rows, double sharpness, uint64_t seed) {
    ct_random r = ct_random_stream(seed, 5);
    for (int64_t i = 0; i < rows; i++) {
        double p[CLASSES], u = ct_random_uniform(&r);
        float *z = logits + i * CLASSES;
        for (int c = 0; c < CLASSES; c++) z[c] = (float)(1.5 * ct_random_normal(&r));
        (void)ct_softmax_row(z, CLASSES, p);
        label[i] = CLASSES - 1;
        for (int c = 0; c < CLASSES - 1; c++) {
            u -= p[c];
            if (u < 0) {
                label[i] = c;
                break;
            }
        }
        for (int c = 0; c < CLASSES; c++) z[c] *= (float)sharpness;
    }
}

static double loss_at(const float *logits, const int64_t *label, int64_t rows, double temperature) {
    double p[CLASSES], sum = 0, rest = 1 / ((double)rows + 2);
    for (int64_t i = 0; i < rows; i++) {
        (void)ct_softmax_at(logits + i * CLASSES, CLASSES, temperature, p);
        for (int c = 0; c < CLASSES; c++)
            sum -= (c == label[i] ? 1 - rest : rest / (CLASSES - 1)) * log(p[c]);
    }
    return sum / (double)rows;
}

static void temperature(void **state) {
    static float logits[ROWS * CLASSES];
    static int64_t label[ROWS];
    static const double sharp[] = {1, 4, 0.2};
    double t, first = 0;
    ct_err e = {0};
    (void)state;
    for (int k = 0; k < 3; k++) {
        draw(logits, label, ROWS, sharp[k], 1);
        assert_int_equal(ct_temperature_fit(logits, label, ROWS, CLASSES, &t, &e), CT_OK);
        if (k == 0) first = t;
        assert_true(fabs(t / sharp[k] - 1) < 0.1);          /* what made them too sharp is found */
        assert_true(fabs(t / sharp[k] / first - 1) < 1e-5); /* T(k z) = k T(z) */
        double best = loss_at(logits, label, ROWS, t);
        assert_true(best <= loss_at(logits, label, ROWS, t * 1.001) &&
                    best <= loss_at(logits, label, ROWS, t / 1.001));
    }
}

static void never_another_class(void **state) {
    static float logits[ROWS * CLASSES];
    static int64_t label[ROWS];
    double p[CLASSES], q[CLASSES];
    (void)state;
    draw(logits, label, ROWS, 1, 2);
    for (int i = 0; i < ROWS; i++)
        for (double t = 1e-3; t < 2e3; t *= 10) {
            int64_t best = ct_softmax_row(logits + i * CLASSES, CLASSES, p);
            assert_int_equal(ct_softmax_at(logits + i * CLASSES, CLASSES, t, q), best);
            for (int c = 0; c < CLASSES; c++) assert_true(q[best] >= q[c]);
            (void)ct_softmax_at(logits + i * CLASSES, CLASSES, 1, q);
            assert_memory_equal(p, q, sizeof p); /* 1 changes no bit */
        }
}

static void few_and_wrong(void **state) {
    float right[3 * 2] = {5, 0, 0, 5, 5, 0}, masked[2 * 2] = {1, -INFINITY, 1, -INFINITY}, nan[2] = {1, NAN};
    int64_t label[3] = {0, 1, 0}, bad[3] = {0, 2, 0}, other[2] = {0, 1};
    double t;
    ct_err e = {0};
    (void)state;
    assert_int_equal(ct_temperature_fit(right, label, 3, 2, &t, &e), CT_OK);
    assert_true(fabs(1 / (1 + exp(-5 / t)) - 4.0 / 5) < 1e-6); /* Platt: three right of three are 4/5 */
    assert_int_equal(ct_temperature_fit(masked, other, 2, 2, &t, &e), CT_OK);
    assert_true(t >= 1e-3 && t <= 1e3);
    assert_int_equal(ct_temperature_fit(right, bad, 3, 2, &t, &e), CT_EDATA);
    assert_string_equal(e.text, "calibration: record 1 has label 2; wanted 0 to 1; mend it");
    ct_error_clear(&e);
    assert_int_equal(ct_temperature_fit(nan, label, 1, 2, &t, &e), CT_ENONFINITE);
    masked[2] = -INFINITY; /* every class of record 1 */
    ct_error_clear(&e);
    assert_int_equal(ct_conformal_scores(NULL, masked, label, 2, 2, 1, &t, 1, &e), CT_ENONFINITE);
    assert_string_equal(e.text,
                        "calibration: record 1 has -inf for every class; wanted a number for one of them; "
                        "train at a lower rate");
    ct_error_clear(&e);
    assert_int_equal(ct_temperature_fit(right, label, 0, 2, &t, &e), CT_EUSAGE);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The threshold against the definition: the score of rank ceil((n + 1) coverage) of all, and thinned no lower. */
static void thresholds(void **state) {
    static float logits[ROWS * CLASSES];
    static int64_t label[ROWS];
    static double score[ROWS], all[ROWS], thin[100];
    double p[CLASSES];
    ct_err e = {0};
    (void)state;
    draw(logits, label, ROWS, 2, 3);
    for (int i = 0; i < ROWS; i++) {
        (void)ct_softmax_at(logits + i * CLASSES, CLASSES, 1.7, p);
        all[i] = 1 - p[label[i]];
    }
    qsort(all, ROWS, sizeof *all, ascending);
    assert_int_equal(ct_conformal_scores(NULL, logits, label, ROWS, CLASSES, 1.7, score, ROWS, &e), CT_OK);
    assert_int_equal(ct_conformal_scores(NULL, logits, label, ROWS, CLASSES, 1.7, thin, 100, &e), CT_OK);
    for (int k = 1; k < 1000; k++) {
        double coverage = k / 1000.0;
        int64_t rank = (ROWS + 1) * k / 1000 + ((ROWS + 1) * k % 1000 != 0);
        double threshold = ct_conformal_threshold(score, ROWS, ROWS, coverage);
        assert_true(fabs(threshold - (1 - all[rank - 1])) < 2e-7 && threshold <= 1 - all[rank - 1]);
        double less = ct_conformal_threshold(thin, 100, ROWS, coverage);
        assert_true(less <= threshold);
        if (rank > 30) assert_true(less >= 1 - all[rank + 30 < ROWS ? rank + 29 : ROWS - 1] - 1e-6);
    }
    assert_true(ct_conformal_threshold(score, ROWS, ROWS, 0.9999) == 0); /* too few for that: all classes */
    assert_true(ct_conformal_threshold(score, 3, 3, 0.75) > 0 &&
                ct_conformal_threshold(score, 3, 3, 0.76) == 0);
    assert_int_equal(ct_conformal_scores(NULL, logits, label, 10, CLASSES, 1, score, 11, &e), CT_EUSAGE);
}

/* Sets of new records of the same kind hold their label as often as was asked for: the mean over many calibrations of
 * 200 records each lies within what chance allows (5 standard errors). */
static void promise(void **state) {
    static float logits[ROWS * CLASSES];
    static int64_t label[ROWS];
    static const double wanted[] = {0.5, 0.8, 0.9, 0.99};
    double score[200], p[CLASSES];
    int64_t held[4] = {0}, tested = 0;
    ct_err e = {0};
    (void)state;
    for (uint64_t round = 0; round < 60; round++) {
        draw(logits, label, 400, 3, 100 + round);
        assert_int_equal(ct_conformal_scores(NULL, logits, label, 200, CLASSES, 1, score, 200, &e), CT_OK);
        for (int i = 200; i < 400; i++, tested++) {
            (void)ct_softmax_row(logits + i * CLASSES, CLASSES, p);
            for (int k = 0; k < 4; k++)
                held[k] += p[label[i]] >= ct_conformal_threshold(score, 200, 200, wanted[k]);
        }
    }
    for (int k = 0; k < 4; k++) {
        double share = (double)held[k] / (double)tested, w = wanted[k];
        double error = sqrt(w * (1 - w) * (1.0 / 200 + 1.0 / 200) / 60);
        assert_true(share > w - 5 * error && share < w + 1.0 / 201 + 5 * error);
    }
}

static void scores(void **state) {
    static float logits[ROWS * CLASSES];
    static int64_t label[ROWS];
    double p[CLASSES], loss = 0, gap[15] = {0}, threshold = 0.2, ece = 0;
    int64_t members = 0, covered = 0, right[CLASSES] = {0}, taken[CLASSES] = {0}, truth[CLASSES] = {0};
    ct_scores *s;
    ct_err e = {0};
    (void)state;
    draw(logits, label, ROWS, 3, 4);
    for (int i = 0; i < ROWS; i++) {
        int64_t best = ct_softmax_at(logits + i * CLASSES, CLASSES, 2.5, p), in = 0;
        loss -= log(p[label[i]]) / ROWS;
        gap[(int)(p[best] * 15)] += (double)(best == label[i]) - p[best];
        for (int c = 0; c < CLASSES; c++) in += p[c] >= threshold;
        members += in;
        covered += p[label[i]] >= threshold;
        right[label[i]] += best == label[i];
        taken[best]++;
        truth[label[i]]++;
    }
    for (int b = 0; b < 15; b++) ece += fabs(gap[b]) / ROWS;
    assert_int_equal(ct_scores_new(NULL, CLASSES, &s, &e), CT_OK);
    ct_scores_calibrate(s, 2.5, threshold);
    assert_true(isnan(ct_scores_calibrated(s).covered));
    assert_int_equal(ct_scores_add(s, logits, label, ROWS, &e), CT_OK);
    ct_calibrated k = ct_scores_calibrated(s);
    assert_true(fabs(k.loss - loss) < 1e-12 && fabs(k.ece - ece) < 1e-12 && k.temperature == 2.5);
    assert_true(k.covered == (double)covered / ROWS && k.mean_size == (double)members / ROWS);
    assert_true(k.low < k.covered && k.covered < k.high);
    for (int c = 0; c < CLASSES; c++) {
        ct_class_score one = ct_scores_class(s, c);
        assert_true(one.samples == truth[c] && one.predicted == taken[c] && one.right == right[c]);
        assert_true(one.precision == (double)right[c] / (double)taken[c] &&
                    one.recall == (double)right[c] / (double)truth[c]);
        assert_true(fabs(one.f1 - 2 * one.precision * one.recall / (one.precision + one.recall)) < 1e-12);
    }
    ct_scores_free(s);
}

/* X24: one class only, a class that never occurs: no figure is a division by nothing. */
static void undefined(void **state) {
    float logits[2 * 3] = {9, 0, 0, 9, 0, 0};
    int64_t label[2] = {0, 0};
    ct_scores *s;
    ct_err e = {0};
    (void)state;
    assert_int_equal(ct_scores_new(NULL, 3, &s, &e), CT_OK);
    assert_true(isnan(ct_scores_calibrated(s).loss) && isnan(ct_scores_class(s, 0).f1));
    ct_scores_calibrate(s, 1, 0);
    assert_int_equal(ct_scores_add(s, logits, label, 2, &e), CT_OK);
    ct_class_score never = ct_scores_class(s, 2);
    assert_true(never.samples == 0 && isnan(never.precision) && isnan(never.recall) && isnan(never.f1));
    ct_score r = ct_scores_result(s);
    assert_true(r.macro_f1 == 1 && r.accuracy == 1 && r.baseline == 1 && isfinite(r.ece));
    assert_true(ct_scores_calibrated(s).mean_size == 3); /* a threshold of 0: all classes */
    assert_true(isnan(ct_scores_class(s, 3).f1) && isnan(ct_scores_class(s, -1).f1));
    ct_scores_free(s);
}

/* Losses of the training part and of validation, an epoch a column. What the steps reported is no part of it. */
static ct_gap gap_of(const double (*loss)[2], int64_t n) {
    ct_epoch row[16] = {0};
    ct_gap g;
    for (int64_t i = 0; i < n; i++)
        row[i] = (ct_epoch){.epoch = i + 1,
                            .loss = 9,
                            .train = loss[i][0],
                            .train_accuracy = loss[i][0] < 0.55 ? 0.95 : 0.5,
                            .validation = loss[i][1],
                            .accuracy = 0.5};
    ct_gap_of(row, n, &g);
    return g;
}

static void gaps(void **state) {
    static const double over[][2] = {{1, 1}, {.6, .7}, {.4, .6}, {.3, .65}, {.2, .7}, {.1, .8}},
                        under[][2] = {{2, 2}, {1.8, 1.8}, {1.6, 1.5}, {1.4, 1.3}},
                        fits[][2] = {{1, 1}, {.6, .7}, {.52, .6}, {.5, .6}},
                        equal[][2] = {{2, 2}, {1.1, 1.12}, {1, 1.05}, {1, 1.05}},
                        learned[][2] = {{2, 2}, {.3, .31}, {.2, .21}, {.2, .21}},
                        unknown[][2] = {{NAN, 1}, {NAN, .9}, {NAN, .8}},
                        far[][2] = {{1, 1}, {.6, .8}, {.2, .7}, {.1, .7}},
                        broken[][2] = {{1, 1}, {NAN, NAN}, {.9, .9}, {.8, .95}};
    (void)state;
    ct_gap g = gap_of(over, 6);
    assert_true(g.verdict == CT_GAP_OVERFIT && g.best_epoch == 3 && g.overfit_from == 4);
    assert_non_null(
        strstr(g.text, "over-fit from epoch 4: validation loss rose from 0.6000 (epoch 3) to 0.8000"));
    g = gap_of(under, 4);
    assert_true(g.verdict == CT_GAP_UNDERFIT && g.best_epoch == 4 && g.overfit_from == 0);
    g = gap_of(fits, 4);
    assert_true(g.verdict == CT_GAP_FITS && strstr(g.text, "neither under-fit nor over-fit"));
    g = gap_of(far, 4);
    assert_true(g.verdict == CT_GAP_FITS && strstr(g.text, "far better than new data"));
    g = gap_of(equal, 4); /* all that such a net can do, or such labels allow */
    assert_true(g.verdict == CT_GAP_FITS && strstr(g.text, "known no better"));
    g = gap_of(learned, 4);
    assert_true(g.verdict == CT_GAP_FITS && strstr(g.text, "neither under-fit nor over-fit"));
    g = gap_of(unknown, 3);
    assert_true(g.verdict == CT_GAP_UNKNOWN && strlen(g.text) > 0);
    assert_true(gap_of(over, 2).verdict == CT_GAP_UNKNOWN && gap_of(over, 0).verdict == CT_GAP_UNKNOWN);
    g = gap_of(broken, 4);
    assert_true(g.best_epoch == 3 && g.verdict == CT_GAP_OVERFIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(temperature),   cmocka_unit_test(never_another_class),
        cmocka_unit_test(few_and_wrong), cmocka_unit_test(thresholds),
        cmocka_unit_test(promise),       cmocka_unit_test(scores),
        cmocka_unit_test(undefined),     cmocka_unit_test(gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
