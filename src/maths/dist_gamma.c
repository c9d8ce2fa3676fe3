/* dist_gamma.c: gamma, f(x) = rate^a x^(a-1) e^(-rate x) / Gamma(a), and chi-squared, which is the gamma distribution of
 * shape df/2 and rate 1/2. */
#include "maths/dist.h"

/* shape and rate of either: c[0], c[1] */
static ct_status prepare(ct_dist *d, ct_err *e) {
    ct_status s = ct__dist_positive(d, 0, "shape", e);
    if (!s) s = ct__dist_positive(d, 1, "rate", e);
    d->c[0] = d->p[0], d->c[1] = d->p[1];
    return s;
}

static double log_density(const ct_dist *d, double x) {
    double a = d->c[0], rate = d->c[1];
    if (!(x >= 0) || isinf(x)) return -INFINITY;
    if (x == 0) return a < 1 ? INFINITY : a > 1 ? -INFINITY : log(rate);
    /* x^(a-1): one less than the Poisson weight of shape a */
    return ct__poisson_log(a, rate * x) + log(a) - log(x);
}
static double cdf(const ct_dist *d, double x, double *upper) {
    return ct__gamma_p(d->c[0], d->c[1] * x, upper);
}
static double quantile(const ct_dist *d, double p, double q) {
    return ct__gamma_p_inverse(d->c[0], p, q) / d->c[1];
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    *out = exp(ct__sample_log_gamma(r, d->c[0])) / d->c[1];
}
static void mean(const ct_dist *d, double *out) { *out = d->c[0] / d->c[1]; }
static void variance(const ct_dist *d, double *out) { *out = d->c[0] / (d->c[1] * d->c[1]); }

/* a - log rate + log Gamma(a) + (1 - a) psi(a); for large a with what Stirling leaves, as the terms cancel */
static double entropy(const ct_dist *d) {
    double a = d->c[0], rate = d->c[1];
    if (a < 10) return a - log(rate) + ct__log_gamma(a) + (1 - a) * ct__digamma(a);
    return CT__HALF_LOG_2PI + 0.5 * log(a) - log(rate) + ct__stirling_rest(a) +
           (a - 1) * ct__log_minus_digamma(a);
}

/* log a - psi(a) = log(mean) - mean(log), by Newton's method for 1/a (Minka 2002, "Estimating a Gamma distribution"). */
static ct_status fit(ct__fit *f) {
    double *logs = ct__job_doubles(f->j, f->n, 1);
    if (!logs) return CT_ELIMIT;
    ct_status status =
        ct__fit_range(f, 4.9406564584124654e-324, 1.7976931348623157e308, 0, "numbers above 0");
    if (status) return status;
    double m = ct__fit_mean(f), s = log(m) - ct__fit_mean_log(f, logs);
    if (!(s > 1e-14)) return ct__fit_refuse(f, "all values are equal", "values that differ");
    double a = (3 - s + sqrt((s - 3) * (s - 3) + 24 * s)) / (12 * s);
    for (int i = 0; i < 50; i++) {
        double step = (ct__log_minus_digamma(a) - s) / (a * a * (1 / a - ct__trigamma(a))),
               next = 1 / (1 / a + step);
        if (!(next > 0)) next = a / 2;
        double moved = fabs(next - a);
        a = next;
        if (moved <= 1e-15 * a) break;
    }
    f->p[0] = a;
    f->p[1] = a / m;
    return CT_OK;
}

/* (a0 - a1) psi(a0) - log G(a0) + log G(a1) + a1 log(r0/r1) + a0 (r1 - r0) / r0 */
static double kl(const ct_dist *p, const ct_dist *q) {
    double a = p->c[0], b = q->c[0], ratio = q->c[1] / p->c[1];
    return (a - b) * ct__digamma(a) - ct__log_gamma(a) + ct__log_gamma(b) - b * log(ratio) + a * (ratio - 1);
}

const ct__record ct__dist_gamma = {
    .name = "gamma",
    .parameters = "shape, rate = 1",
    .support = "x > 0",
    .count = 2,
    .required = 1,
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

/* ---- chi-squared ---- */

static ct_status chi_prepare(ct_dist *d, ct_err *e) {
    d->c[0] = d->p[0] / 2, d->c[1] = 0.5;
    return ct__dist_positive(d, 0, "df", e);
}

/* psi(df/2) = mean(log(x/2)) */
static ct_status chi_fit(ct__fit *f) {
    double *logs = ct__job_doubles(f->j, f->n, 1);
    if (!logs) return CT_ELIMIT;
    ct_status s = ct__fit_range(f, 4.9406564584124654e-324, 1.7976931348623157e308, 0, "numbers above 0");
    if (!s) f->p[0] = 2 * ct__digamma_inverse(ct__fit_mean_log(f, logs) - 0.69314718055994530942);
    return s;
}

const ct__record ct__dist_chi_squared = {
    .name = "chi_squared",
    .parameters = "df",
    .support = "x > 0",
    .count = 1,
    .required = 1,
    .prepare = chi_prepare,
    .log_density = log_density,
    .cdf = cdf,
    .quantile = quantile,
    .sample = sample,
    .mean = mean,
    .variance = variance,
    .entropy = entropy,
    .fit = chi_fit,
    .kl = kl,
};
