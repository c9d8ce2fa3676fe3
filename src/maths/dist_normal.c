/* dist_normal.c: normal and log-normal.
 *
 *     f(x) = exp(-z^2 / 2) / (s sqrt(2 pi)),  z = (x - mean) / s       x log-normal: log x is normal */
#include "maths/dist.h"

static ct_status prepare(ct_dist *d, ct_err *e) {
    if (!isfinite(d->p[0])) return ct__dist_wrong(d, "mean", d->p[0], "a finite number", e);
    return ct__dist_positive(d, 1, "deviation", e);
}

static double log_density(const ct_dist *d, double x) {
    double z = (x - d->p[0]) / d->p[1];
    return -0.5 * z * z - log(d->p[1]) - CT__HALF_LOG_2PI;
}
static double cdf(const ct_dist *d, double x, double *upper) {
    return ct__normal_cdf((x - d->p[0]) / d->p[1], upper);
}
static double quantile(const ct_dist *d, double p, double q) {
    return d->p[0] + d->p[1] * ct__normal_quantile(p, q);
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    *out = d->p[0] + d->p[1] * ct_random_normal(r);
}
static void mean(const ct_dist *d, double *out) { *out = d->p[0]; }
static void variance(const ct_dist *d, double *out) { *out = d->p[1] * d->p[1]; }
static double entropy(const ct_dist *d) { return 0.5 + CT__HALF_LOG_2PI + log(d->p[1]); }

/* Mean, and the root of the mean squared deviation (divided by N). */
static ct_status moments(ct__fit *f, const double *x) {
    double *square = ct__job_doubles(f->j, f->n, 1);
    if (!square) return CT_ELIMIT;
    f->p[0] = ct__mean(x, f->n);
    for (int64_t i = 0; i < f->n; i++) square[i] = (x[i] - f->p[0]) * (x[i] - f->p[0]);
    f->p[1] = sqrt(ct__sum(square, f->n) / (double)f->n);
    return f->p[1] > 0 ? CT_OK : ct__fit_refuse(f, "all values are equal", "values that differ");
}
static ct_status fit(ct__fit *f) { return moments(f, f->x); }

/* log(s1/s0) + (s0^2 + (m0 - m1)^2) / (2 s1^2) - 1/2 */
static double kl(const ct_dist *p, const ct_dist *q) {
    double ratio = p->p[1] / q->p[1], off = (p->p[0] - q->p[0]) / q->p[1];
    return 0.5 * (ratio * ratio - 1 + off * off) - log(ratio);
}

const ct__record ct__dist_normal = {
    .name = "normal",
    .parameters = "mean = 0, deviation = 1",
    .support = "all x",
    .count = 2,
    .defaults = {0, 1},
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

/* ---- log-normal ---- */

static double log_density_of_log(const ct_dist *d, double x) {
    if (!(x > 0) || isinf(x)) return -INFINITY;
    return log_density(d, log(x)) - log(x);
}
static double cdf_of_log(const ct_dist *d, double x, double *upper) {
    if (x > 0) return cdf(d, log(x), upper);
    *upper = 1;
    return 0;
}
static double quantile_of_log(const ct_dist *d, double p, double q) { return exp(quantile(d, p, q)); }
static void sample_of_log(const ct_dist *d, ct_random *r, double *out) {
    sample(d, r, out);
    *out = exp(*out);
}
static void mean_of_log(const ct_dist *d, double *out) { *out = exp(d->p[0] + 0.5 * d->p[1] * d->p[1]); }
static void variance_of_log(const ct_dist *d, double *out) {
    double square = d->p[1] * d->p[1];
    *out = expm1(square) * exp(2 * d->p[0] + square);
}
static double entropy_of_log(const ct_dist *d) { return entropy(d) + d->p[0]; }
static ct_status fit_of_log(ct__fit *f) {
    double *logs = ct__job_doubles(f->j, f->n, 1);
    if (!logs) return CT_ELIMIT;
    ct_status s = ct__fit_range(f, 4.9406564584124654e-324, 1.7976931348623157e308, 0, "numbers above 0");
    if (s) return s;
    (void)ct__fit_mean_log(f, logs);
    return moments(f, logs);
}

const ct__record ct__dist_lognormal = {
    .name = "lognormal",
    .parameters = "mean = 0, deviation = 1 (of log x)",
    .support = "x > 0",
    .count = 2,
    .defaults = {0, 1},
    .prepare = prepare,
    .log_density = log_density_of_log,
    .cdf = cdf_of_log,
    .quantile = quantile_of_log,
    .sample = sample_of_log,
    .mean = mean_of_log,
    .variance = variance_of_log,
    .entropy = entropy_of_log,
    .fit = fit_of_log,
    .kl = kl,
};
