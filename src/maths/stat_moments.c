/* stat_moments.c: mean, variance, standard scores and intervals. Two passes with compensated sums: a variance never comes
 * out negative, and data far from 0 keeps its digits (Chan, Golub, LeVeque 1983). */
#include <stdlib.h>

#include "maths/stat.h"

ct_status ct__stat_load(ct__job *j, const ct_array *x, const char *what, int64_t least, double **v,
                        int64_t *n) {
    ct_status s = ct__vector_load(j, x, what, 1, v, n);
    if (s || *n >= least) return s;
    return ct_fail(j->e, CT_EDATA, "%s: %s has %lld value%s; wanted at least %lld; take more data", j->name,
                   what, (long long)*n, *n == 1 ? "" : "s", (long long)least);
}

ct_status ct__squares(ct__job *j, const double *v, int64_t n, double mean, double *out) {
    double *off = ct__job_doubles(j, n, 1);
    if (!off) return CT_ELIMIT;
    for (int64_t i = 0; i < n; i++) off[i] = v[i] - mean;
    *out = ct__dot(off, off, n);
    if (isfinite(*out)) return CT_OK;
    return ct_fail(j->e, CT_ENONFINITE, "%s: the squares overflow; wanted smaller numbers; scale the data",
                   j->name);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
void ct__sort(double *v, int64_t n) { qsort(v, (size_t)n, sizeof *v, ascending); }

ct_status ct__level(const char *name, double level, double *out, ct_err *e) {
    *out = level == 0.0 ? 0.95 : level;
    return *out > 0 && *out < 1
               ? CT_OK
               : ct_fail(e, CT_EUSAGE,
                         "%s: level %g; wanted a share above 0 and below 1; give one such as 0.95", name,
                         level);
}

ct_status ct__check_ddof(ct__job *j, int64_t ddof) {
    if (ddof >= 0 && ddof < INT64_MAX) return CT_OK; /* one more value than that is wanted */
    return ct_fail(j->e, CT_EUSAGE, "%s: ddof %lld; wanted 0 or more; give 0 or 1", j->name, (long long)ddof);
}

/* ---- the calls ---- */

ct_status ct_stat_mean(const ct_maths *m, const ct_array *x, double *out, ct_err *e) {
    ct__job j;
    double *v;
    int64_t n;
    ct_status s = ct__job_begin(&j, m, "stat_mean", e);
    if (!s) s = ct__stat_load(&j, x, "x", 1, &v, &n);
    if (!s) *out = ct__mean(v, n);
    ct__job_end(&j);
    return s;
}

ct_status ct_stat_variance(const ct_maths *m, const ct_array *x, int64_t ddof, double *out, ct_err *e) {
    ct__job j;
    double *v;
    int64_t n;
    ct_status s = ct__job_begin(&j, m, "stat_variance", e);
    if (!s) s = ct__check_ddof(&j, ddof);
    if (!s) s = ct__stat_load(&j, x, "x", ddof + 1, &v, &n);
    double sum = 0;
    if (!s) s = ct__squares(&j, v, n, ct__mean(v, n), &sum);
    if (!s) *out = sum / (double)(n - ddof);
    ct__job_end(&j);
    return s;
}

static ct_status standardise(ct__job *j, const ct_array *x, ct_array *out) {
    double *v, *column;
    int64_t n, rows, cols;
    ct_status s = ct__stat_load(j, x, "x", 1, &v, &n);
    if (s) return s;
    cols = x->rank == 2 ? x->dim[1] : 1;
    rows = n / cols;
    column = ct__job_doubles(j, rows, 1);
    if (!column) return CT_ELIMIT;
    for (int64_t k = 0; k < cols; k++) {
        for (int64_t i = 0; i < rows; i++) column[i] = v[i * cols + k];
        double mean = ct__mean(column, rows), square;
        s = ct__squares(j, column, rows, mean, &square);
        if (s) return s;
        double deviation = sqrt(square / (double)rows);
        int flat = !(deviation > (double)rows * CT__EPS * fabs(mean)); /* the rounding of the mean */
        for (int64_t i = 0; i < rows; i++) v[i * cols + k] = flat ? 0 : (column[i] - mean) / deviation;
    }
    ct_array from = ct_array_view(v, CT_F64, ct_shape_make(x->rank, x->dim)), to = {0};
    s = ct_array_new(j->allocator, CT_F64, ct_shape_make(x->rank, x->dim), &to, j->e);
    if (!s) s = ct_array_copy(&to, &from, j->e);
    if (!s) *out = to;
    return s;
}

ct_status ct_stat_standardise(const ct_maths *m, const ct_array *x, ct_array *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "stat_standardise", e);
    if (!s) s = standardise(&j, x, out);
    ct__job_end(&j);
    return s;
}

ct_status ct_stat_mean_interval(const ct_maths *m, const ct_array *x, double level, ct_interval *out,
                                ct_err *e) {
    ct__job j;
    double *v;
    int64_t n;
    ct_status s = ct__job_begin(&j, m, "stat_mean_interval", e);
    if (!s) s = ct__level(j.name, level, &level, e);
    if (!s) s = ct__stat_load(&j, x, "x", 2, &v, &n);
    double mean = s ? 0 : ct__mean(v, n), square = 0;
    if (!s) s = ct__squares(&j, v, n, mean, &square);
    if (!s) {
        double df = (double)(n - 1),
               reach = ct__t_quantile(0.5 + level / 2, df) * sqrt(square / df / (double)n);
        *out = (ct_interval){mean - reach, mean + reach};
    }
    ct__job_end(&j);
    return s;
}

/* (p + z^2/2n +- z sqrt(p (1-p) / n + z^2 / 4n^2)) / (1 + z^2/n) */
ct_status ct_stat_share_interval(int64_t successes, int64_t n, double level, ct_interval *out, ct_err *e) {
    ct_status s = ct__level("stat_share_interval", level, &level, e);
    if (s) return s;
    if (n < 1 || successes < 0 || successes > n)
        return ct_fail(e, CT_EDATA,
                       "stat_share_interval: %lld of %lld; wanted 0 to n, n at least 1; correct the counts",
                       (long long)successes, (long long)n);
    double z = ct__normal_quantile(0.5 + level / 2, 0.5 - level / 2), count = (double)n,
           p = (double)successes / count, square = z * z / count, centre = (p + square / 2) / (1 + square),
           reach = z * sqrt((p * (1 - p) + square / 4) / count) / (1 + square);
    *out = (ct_interval){successes == 0 ? 0 : centre - reach, successes == n ? 1 : centre + reach};
    return CT_OK;
}
