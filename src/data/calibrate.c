/* calibrate.c: how far probabilities may be trusted. Nets are surer than they are right; one number, a temperature that
 * divides the logits, mends most of it and changes no decision. Where one label is not enough, a set of labels is
 * given that holds the right one as often as was asked for: no assumption about the net, only that new records are of
 * the kind of those that calibrated it. */
#include <math.h>
#include <stdlib.h>

#include "cotan/data.h"

#define LEAST 1e-3 /* of 1/T; the most is its inverse */

static ct_status check_row(const float *logits, int64_t r, int64_t classes, ct_err *e) {
    int64_t finite = 0;
    for (int64_t c = 0; c < classes; c++) {
        if (isnan(logits[c]) || logits[c] == INFINITY)
            return ct_fail(e, CT_ENONFINITE,
                           "calibration: record %lld has %g for class %lld; wanted a number, or -inf; "
                           "train at a lower rate",
                           (long long)r, (double)logits[c], (long long)c);
        finite += logits[c] != -INFINITY;
    }
    if (finite) return CT_OK;
    return ct_fail(e, CT_ENONFINITE,
                   "calibration: record %lld has -inf for every class; wanted a number for one of them; "
                   "train at a lower rate",
                   (long long)r);
}

static ct_status check(const float *logits, const int64_t *label, int64_t rows, int64_t classes, ct_err *e) {
    if (rows < 1 || classes < 1)
        return ct_fail(e, CT_EUSAGE,
                       "calibration: %lld records of %lld classes; wanted at least 1; give a validation part",
                       (long long)rows, (long long)classes);
    for (int64_t r = 0; r < rows; r++) {
        if (label[r] < 0 || label[r] >= classes)
            return ct_fail(e, CT_EDATA, "calibration: record %lld has label %lld; wanted 0 to %lld; mend it",
                           (long long)r, (long long)label[r], (long long)classes - 1);
        ct_status s = check_row(logits + r * classes, r, classes, e);
        if (s) return s;
    }
    return CT_OK;
}

/* One record's part of the slope and curvature of the loss in b = 1/T. With p = softmax(b z) and target q:
 *     slope = E_p z - E_q z,   curvature = E_p z^2 - (E_p z)^2.
 * A class of logit -inf has p = 0 at every b and gets no share of the target. */
static void add_record(const float *z, int64_t classes, int64_t label, double b, double rest, double *slope,
                       double *curvature) {
    double max = -INFINITY, sum = 0, first = 0, second = 0, spread = 0, finite = 0;
    if (isinf(z[label])) return; /* an infinite loss at every temperature */
    for (int64_t c = 0; c < classes; c++)
        if ((double)z[c] > max) max = (double)z[c];
    for (int64_t c = 0; c < classes; c++) {
        if (isinf(z[c])) continue;
        double at = (double)z[c] - max, p = exp(b * at);
        sum += p;
        first += p * at;
        second += p * at * at;
        spread += at;
        finite++;
    }
    double mean = first / sum, own = (double)z[label] - max,
           others = finite > 1 ? (spread - own) / (finite - 1) : own;
    *slope += mean - (1 - rest) * own - rest * others;
    *curvature += second / sum - mean * mean;
}

ct_status ct_temperature_fit(const float *logits, const int64_t *label, int64_t rows, int64_t classes,
                             double *temperature, ct_err *e) {
    ct_status s = check(logits, label, rows, classes, e);
    if (s) return s;
    double low = LEAST, high = 1 / LEAST, b = 1, rest = 1 / ((double)rows + 2);
    for (int i = 0; i < 200 && high - low > 1e-12 * b;
         i++) { /* Newton, kept within what is known of the root */
        double slope = 0, curvature = 0;
        for (int64_t r = 0; r < rows; r++)
            add_record(logits + r * classes, classes, label[r], b, rest, &slope, &curvature);
        if (slope > 0)
            high = b;
        else
            low = b;
        double next = curvature > 0 ? b - slope / curvature : 0;
        if (!(next > low && next < high)) next = sqrt(low * high);
        if (slope == 0 || fabs(next - b) <= 1e-13 * b) break;
        b = next;
    }
    *temperature = 1 / b;
    return CT_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

ct_status ct_conformal_scores(const ct_allocator *a, const float *logits, const int64_t *label, int64_t rows,
                              int64_t classes, double temperature, double *score, int64_t scores, ct_err *e) {
    ct_status s = check(logits, label, rows, classes, e);
    if (s) return s;
    if (scores < 1 || scores > rows)
        return ct_fail(e, CT_EUSAGE, "conformal: %lld scores of %lld records; wanted 1 to %lld; give fewer",
                       (long long)scores, (long long)rows, (long long)rows);
    double *all = ct_new_array(a, (uint64_t)rows, sizeof *all),
           *p = ct_new_array(a, (uint64_t)classes, sizeof *p);
    if (!all || !p) s = ct_fail(e, CT_ELIMIT, "conformal: out of memory");
    for (int64_t r = 0; !s && r < rows; r++) {
        (void)ct_softmax_at(logits + r * classes, classes, temperature, p);
        all[r] = 1 - p[label[r]];
    }
    if (!s) qsort(all, (size_t)rows, sizeof *all, ascending);
    for (int64_t i = 0; !s && i < scores; i++) {
        int64_t rank = (int64_t)ceil((double)(i + 1) * (double)rows / (double)scores - 1e-9);
        double up = ceil(all[(rank < rows ? rank : rows) - 1] * 1e7) / 1e7;
        score[i] = up < 1 ? up : 1;
    }
    ct_delete(a, all, (uint64_t)rows * sizeof *all);
    ct_delete(a, p, (uint64_t)classes * sizeof *p);
    return s;
}

double ct_conformal_threshold(const double *score, int64_t scores, int64_t rows, double coverage) {
    double rank = ceil(((double)rows + 1) * coverage - 1e-9);
    if (scores < 1 || !(rank <= (double)rows)) return 0;
    int64_t i =
        (int64_t)ceil(rank * (double)scores / (double)rows - 1e-9) - 1; /* the least of a rank no lower */
    while (i > 0 && ceil((double)i * (double)rows / (double)scores - 1e-9) >= rank) i--;
    return 1 - score[i > 0 ? i : 0];
}
