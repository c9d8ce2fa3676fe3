/* dist_exponential.c: exponential, f(x) = rate e^(-rate x), and Laplace, f(x) = e^(-|x - location| / scale) / (2 scale). */
#include "maths/dist.h"

#include <stdlib.h>
#include <string.h>

static ct_status prepare(ct_dist *d, ct_err *e) { return ct__dist_positive(d, 0, "rate", e); }
static double log_density(const ct_dist *d, double x) {
    return x >= 0 ? log(d->p[0]) - d->p[0] * x : -INFINITY;
}
static double cdf(const ct_dist *d, double x, double *upper) {
    double t = d->p[0] * fmax(x, 0);
    *upper = exp(-t);
    return -expm1(-t);
}
static double quantile(const ct_dist *d, double p, double q) {
    return -(p < q ? log1p(-p) : log(q)) / d->p[0];
}
static void sample(const ct_dist *d, ct_random *r, double *out) { *out = -log(ct__sample_open(r)) / d->p[0]; }
static void mean(const ct_dist *d, double *out) { *out = 1 / d->p[0]; }
static void variance(const ct_dist *d, double *out) { *out = 1 / (d->p[0] * d->p[0]); }
static double entropy(const ct_dist *d) { return 1 - log(d->p[0]); }
static ct_status fit(ct__fit *f) {
    ct_status s = ct__fit_range(f, 0, INFINITY, 0, "numbers from 0");
    if (s) return s;
    f->p[0] = 1 / ct__fit_mean(f);
    return isfinite(f->p[0]) ? CT_OK : ct__fit_refuse(f, "all values are 0", "values above 0");
}
static double kl(const ct_dist *p, const ct_dist *q) {
    double ratio = q->p[0] / p->p[0];
    return ratio - 1 - log(ratio);
}

const ct__record ct__dist_exponential = {
    .name = "exponential",
    .parameters = "rate = 1",
    .support = "x >= 0",
    .count = 1,
    .defaults = {1},
    .prepare = prepare,
    .log_density = log_density,
    .cdf = cdf,
    .quantile = quantile,
    .sample = sample,
    .mean = mean,
    .variance = variance,
    .entropy = entropy,
    .fit = fit,
    .kl = kl,
};

/* ---- Laplace ---- */

static ct_status laplace_prepare(ct_dist *d, ct_err *e) {
    if (!isfinite(d->p[0])) return ct__dist_wrong(d, "location", d->p[0], "a finite number", e);
    return ct__dist_positive(d, 1, "scale", e);
}
static double laplace_log_density(const ct_dist *d, double x) {
    return -fabs(x - d->p[0]) / d->p[1] - log(2 * d->p[1]);
}
static double laplace_cdf(const ct_dist *d, double x, double *upper) {
    double z = (x - d->p[0]) / d->p[1], tail = 0.5 * exp(-fabs(z)), rest = 0.5 - 0.5 * expm1(-fabs(z));
    *upper = z > 0 ? tail : rest;
    return z > 0 ? rest : tail;
}
static double laplace_quantile(const ct_dist *d, double p, double q) {
    return p < q ? d->p[0] + d->p[1] * log(2 * p) : d->p[0] - d->p[1] * log(2 * q);
}
static void laplace_sample(const ct_dist *d, ct_random *r, double *out) {
    uint32_t side = ct_random_u32(r) & 1;
    double size = -log(ct__sample_open(r)) * d->p[1];
    *out = side ? d->p[0] + size : d->p[0] - size;
}
static void laplace_mean(const ct_dist *d, double *out) { *out = d->p[0]; }
static void laplace_variance(const ct_dist *d, double *out) { *out = 2 * d->p[1] * d->p[1]; }
static double laplace_entropy(const ct_dist *d) { return 1 + log(2 * d->p[1]); }

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* The median, and the mean distance from it. */
static ct_status laplace_fit(ct__fit *f) {
    double *x = ct__job_doubles(f->j, f->n, 1);
    if (!x) return CT_ELIMIT;
    memcpy(x, f->x, (size_t)f->n * sizeof *x);
    qsort(x, (size_t)f->n, sizeof *x, ascending);
    f->p[0] = f->n % 2 ? x[f->n / 2] : x[f->n / 2 - 1] + 0.5 * (x[f->n / 2] - x[f->n / 2 - 1]);
    for (int64_t i = 0; i < f->n; i++) x[i] = fabs(x[i] - f->p[0]);
    f->p[1] = ct__sum(x, f->n) / (double)f->n;
    return f->p[1] > 0 ? CT_OK : ct__fit_refuse(f, "all values are equal", "values that differ");
}
/* log(b1/b0) + (b0 e^(-|m|/b0) + |m|) / b1 - 1, m the distance of the locations */
static double laplace_kl(const ct_dist *p, const ct_dist *q) {
    double off = fabs(p->p[0] - q->p[0]), b0 = p->p[1], b1 = q->p[1];
    return log(b1 / b0) + (b0 * exp(-off / b0) + off) / b1 - 1;
}

const ct__record ct__dist_laplace = {
    .name = "laplace",
    .parameters = "location = 0, scale = 1",
    .support = "all x",
    .count = 2,
    .defaults = {0, 1},
    .prepare = laplace_prepare,
    .log_density = laplace_log_density,
    .cdf = laplace_cdf,
    .quantile = laplace_quantile,
    .sample = laplace_sample,
    .mean = laplace_mean,
    .variance = laplace_variance,
    .entropy = laplace_entropy,
    .fit = laplace_fit,
    .kl = laplace_kl,
};
