/* dist_poisson.c: P(k) = rate^k e^-rate / k!. */
#include "maths/dist.h"

static ct_status prepare(ct_dist *d, ct_err *e) {
    return d->p[0] >= 0 && d->p[0] <= 1e15 ? CT_OK
                                           : ct__dist_wrong(d, "rate", d->p[0], "a number from 0 to 1e15", e);
}
static double log_density(const ct_dist *d, double x) {
    return ct__is_whole(x) ? ct__poisson_log(x, d->p[0]) : -INFINITY;
}
static double cdf(const ct_dist *d, double x, double *upper) {
    double lower;
    if (x < 0 || isinf(x) || d->p[0] == 0) {
        *upper = x < 0;
        return x >= 0;
    }
    *upper = ct__gamma_p(floor(x) + 1, d->p[0], &lower);
    return lower;
}
static double quantile(const ct_dist *d, double p, double q) {
    double z = p > 0 && q > 0 ? ct__normal_quantile(p, q) : 0;
    return ct__discrete_quantile(d, p, q, d->p[0] + z * sqrt(d->p[0]), 0, INFINITY);
}
static void sample(const ct_dist *d, ct_random *r, double *out) { *out = ct__sample_poisson(r, d->p[0]); }
static void mean(const ct_dist *d, double *out) { *out = d->p[0]; }
static double entropy(const ct_dist *d) {
    double rate = d->p[0];
    if (rate == 0) return 0;
    if (rate < 1e5) return ct__discrete_entropy(d, floor(rate));
    double i = 1 / rate; /* Evans, Boersma, Blachman, Jagers 1988 */
    return 0.5 + CT__HALF_LOG_2PI + 0.5 * log(rate) - i * (1 / 12.0 + i * (1 / 24.0 + i * 19 / 360.0));
}
static ct_status fit(ct__fit *f) {
    ct_status s = ct__fit_range(f, 0, 1e15, 1, "whole numbers from 0");
    if (!s) f->p[0] = ct__fit_mean(f);
    return s;
}
static double kl(const ct_dist *p, const ct_dist *q) {
    return p->p[0] > 0 ? ct__deviance(p->p[0], q->p[0]) : q->p[0];
}

const ct__record ct__dist_poisson = {
    .name = "poisson",
    .parameters = "rate",
    .support = "whole numbers from 0",
    .discrete = 1,
    .count = 1,
    .required = 1,
    .prepare = prepare,
    .log_density = log_density,
    .cdf = cdf,
    .quantile = quantile,
    .sample = sample,
    .mean = mean,
    .variance = mean,
    .entropy = entropy,
    .fit = fit,
    .kl = kl,
};
