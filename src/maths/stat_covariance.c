/* stat_covariance.c: covariance and correlation of features, and ranks. */
#include <stdlib.h>

#include "maths/lapack.h"
#include "maths/rows.h"
#include "maths/stat.h"

/* ---- ranks ---- */

typedef struct place {
    double value;
    int64_t index;
} place;

static int by_value(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->value < y->value || x->value > y->value) return x->value < y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

ct_status ct__ranks(ct__job *j, const double *v, int64_t n, double *ranks, double *ties) {
    place *p = ct_arena_array(&j->arena, (uint64_t)n, sizeof *p);
    if (!p) return ct__job_memory(j);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) p[i] = (place){v[i], i};
    qsort(p, (size_t)n, sizeof *p, by_value);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !(p[end].value > p[i].value); end++) {
        }
        double count = (double)(end - i), rank = (double)(i + 1 + end) / 2;
        for (int64_t k = i; k < end; k++) ranks[p[k].index] = rank;
        sum += count * count * count - count;
    }
    if (ties) *ties = sum;
    return CT_OK;
}

ct_status ct_stat_ranks(const ct_maths *m, const ct_array *x, ct_array *out, ct_err *e) {
    ct__job j;
    double *v;
    int64_t n;
    ct_array y = {0};
    ct_status s = ct__job_begin(&j, m, "stat_ranks", e);
    if (!s) s = ct__stat_load(&j, x, "x", 1, &v, &n);
    if (!s) s = ct_array_new(j.allocator, CT_F64, ct_shape_make(x->rank, x->dim), &y, e);
    if (!s) s = ct__ranks(&j, v, n, y.data, NULL);
    if (s)
        ct_array_free(&y);
    else
        *out = y;
    ct__job_end(&j);
    return s;
}

/* ---- covariance ---- */

typedef struct gram {
    int64_t d;
    double *sum; /* [lanes,D,D] */
} gram;

static ct_status add(void *user, int64_t lane, int64_t from, int64_t count, const double *block, ct_err *e) {
    const gram *g = user;
    int d = (int)g->d;
    (void)from, (void)e;
    LAPACK(cblas_dsyrk)
    (CblasRowMajor, CblasUpper, CblasTrans, d, (int)count, 1, block, d, 1, g->sum + lane * d * d, d);
    return CT_OK;
}

/* Sums of products of deviations, [D,D], of rows that are read as `r` says; whole. */
static ct_status products(ct__job *j, const ct__rows *r, double **out) {
    int64_t d = r->d, lanes = ct__rows_lanes(r, (INT64_C(1) << 23) / (d * d) + 1);
    gram g = {d, ct__job_doubles(j, lanes, d * d)};
    if (!g.sum) return CT_ELIMIT;
    ct_status s = ct__rows_walk(j, r, lanes, (double)r->n * (double)d * (double)d, add, &g);
    for (int64_t l = 1; !s && l < lanes; l++)
        for (int64_t i = 0; i < d * d; i++) g.sum[i] += g.sum[l * d * d + i];
    for (int64_t i = 0; i < d; i++)
        for (int64_t k = 0; k < i; k++) g.sum[i * d + k] = g.sum[k * d + i];
    *out = g.sum;
    return s;
}

static ct_status store(ct__job *j, const double *v, int64_t d, ct_array *out) {
    ct_array from = ct_array_view((void *)(uintptr_t)v, CT_F64, CT_SHAPE(d, d)), to = {0};
    ct_status s = ct_array_new(j->allocator, CT_F64, CT_SHAPE(d, d), &to, j->e);
    if (!s) s = ct_array_copy(&to, &from, j->e);
    if (!s) *out = to;
    return s;
}

static ct_status covariance(ct__job *j, const ct_array *x, int64_t ddof, ct_array *out) {
    ct__rows r;
    double *sum;
    ct_status s = ct__rows_open(j, x, "x", ddof + 1, &r);
    double *mean = s ? NULL : ct__job_doubles(j, r.d, 1);
    if (!mean) return s ? s : CT_ELIMIT;
    s = ct__rows_moments(j, &r, mean, NULL);
    r.mean = mean;
    if (!s) s = products(j, &r, &sum);
    for (int64_t i = 0; !s && i < r.d * r.d; i++) sum[i] /= (double)(r.n - ddof);
    int64_t at;
    if (!s && ct__find_nonfinite(sum, r.d * r.d, &at)) s = ct__rows_refuse(j, &r);
    return s ? s : store(j, sum, r.d, out);
}

ct_status ct_stat_covariance(const ct_maths *m, const ct_array *x, int64_t ddof, ct_array *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "stat_covariance", e);
    if (!s) s = ct__check_ddof(&j, ddof);
    if (!s) s = covariance(&j, x, ddof, out);
    ct__job_end(&j);
    return s;
}

/* ---- correlation ---- */

/* Features as their ranks, [N,D]. */
static ct_status ranked(ct__job *j, const ct_array *x, ct_array *out) {
    double *v, *column, *ranks;
    int64_t n, rows = x->dim[0], cols = x->dim[1];
    ct_status s = ct__stat_load(j, x, "x", 2, &v, &n);
    if (s) return s;
    column = ct__job_doubles(j, rows, 1);
    ranks = ct__job_doubles(j, rows, 1);
    if (!column || !ranks) return CT_ELIMIT;
    for (int64_t k = 0; !s && k < cols; k++) {
        for (int64_t i = 0; i < rows; i++) column[i] = v[i * cols + k];
        s = ct__ranks(j, column, rows, ranks, NULL);
        for (int64_t i = 0; i < rows; i++) v[i * cols + k] = ranks[i];
    }
    *out = ct_array_view(v, CT_F64, CT_SHAPE(rows, cols));
    return s;
}

/* Columns are scaled to length 1 first, so that the diagonal is 1 and nothing overflows. */
static ct_status correlation(ct__job *j, const ct_array *x, ct_correlation kind, ct_array *out) {
    ct__rows r;
    ct_array ranks;
    double *sum;
    ct_status s = ct__rows_open(j, x, "x", 2, &r);
    if (!s && kind == CT_SPEARMAN) {
        s = ranked(j, x, &ranks);
        if (!s) s = ct__rows_open(j, &ranks, "x", 2, &r);
    }
    double *mean = s ? NULL : ct__job_doubles(j, r.d, 1), *scale = s ? NULL : ct__job_doubles(j, r.d, 1);
    if (!mean || !scale) return s ? s : CT_ELIMIT;
    s = ct__rows_moments(j, &r, mean, scale);
    for (int64_t k = 0; !s && k < r.d; k++) {
        scale[k] = sqrt(scale[k] * (double)(r.n - 1));
        if (!(scale[k] > (double)r.n * CT__EPS * fabs(mean[k])))
            return ct_fail(j->e, CT_EDATA,
                           "%s: all values of feature %lld are equal; wanted some that differ; leave it out",
                           j->name, (long long)k);
    }
    r.mean = mean;
    r.scale = scale;
    if (!s) s = products(j, &r, &sum);
    for (int64_t i = 0; !s && i < r.d * r.d; i++) sum[i] = i % (r.d + 1) == 0 ? 1 : fmin(fmax(sum[i], -1), 1);
    return s ? s : store(j, sum, r.d, out);
}

ct_status ct_stat_correlation(const ct_maths *m, const ct_array *x, ct_correlation kind, ct_array *out,
                              ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "stat_correlation", e);
    if (!s && kind != CT_PEARSON && kind != CT_SPEARMAN)
        s = ct_fail(e, CT_EUSAGE, "stat_correlation: kind %d; wanted a ct_correlation; choose one",
                    (int)kind);
    if (!s) s = correlation(&j, x, kind, out);
    ct__job_end(&j);
    return s;
}

/* ---- test ---- */

/* t = r sqrt((n-2) / (1-r^2)) has Student's distribution where there is none; Fisher's z = atanh r is about normal. */
static ct_status correlation_test(ct__job *j, const ct_array *x, const ct_array *y, ct_correlation kind,
                                  ct_alternative alternative, ct_test *out) {
    double *a, *b;
    int64_t n, k;
    ct_array c = {0};
    ct_status s = ct__check_alternative(j, alternative);
    if (!s) s = ct__stat_load(j, x, "x", 3, &a, &n);
    if (!s) s = ct__stat_load(j, y, "y", 3, &b, &k);
    if (!s && n != k)
        return ct_fail(j->e, CT_EDATA, "%s: %lld and %lld values; wanted pairs; give as many of each",
                       j->name, (long long)n, (long long)k);
    double *both = s ? NULL : ct__job_doubles(j, n, 2);
    if (!both) return s ? s : CT_ELIMIT;
    for (int64_t i = 0; i < n; i++) both[2 * i] = a[i], both[2 * i + 1] = b[i];
    ct_array pairs = ct_array_view(both, CT_F64, CT_SHAPE(n, 2));
    s = correlation(j, &pairs, kind, &c);
    if (s) return s;
    double r = ((const double *)c.data)[1], df = (double)(n - 2), t = r * sqrt(df / ((1 - r) * (1 + r)));
    ct_array_free(&c);
    *out = (ct_test){.statistic = r, .estimate = r, .df = df, .n = n, .interval = {NAN, NAN}};
    out->p_value = ct__t_tail(t, df, alternative);
    if (n > 3 && kind == CT_PEARSON) {
        double reach = ct__normal_quantile(0.975, 0.025) / sqrt((double)(n - 3));
        out->interval = (ct_interval){tanh(atanh(r) - reach), tanh(atanh(r) + reach)};
    }
    return CT_OK;
}

ct_status ct_correlation_test(const ct_maths *m, const ct_array *x, const ct_array *y, ct_correlation kind,
                              ct_alternative alternative, ct_test *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "correlation_test", e);
    if (!s && kind != CT_PEARSON && kind != CT_SPEARMAN)
        s = ct_fail(e, CT_EUSAGE, "correlation_test: kind %d; wanted a ct_correlation; choose one",
                    (int)kind);
    if (!s) s = correlation_test(&j, x, y, kind, alternative, out);
    ct__job_end(&j);
    return s;
}
