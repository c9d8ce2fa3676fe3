/* dist_geometric.c: failures before the first success: P(k) = (1-p)^k p, k = 0, 1, ... (torch.distributions; scipy's
 * geom counts the success too). */
#include "maths/dist.h"

static ct_status prepare(ct_dist *d, ct_err *e) {
    return d->p[0] > 0 && d->p[0] <= 1
               ? CT_OK
               : ct__dist_wrong(d, "probability", d->p[0], "a number above 0, at most 1", e);
}
static double log_density(const ct_dist *d, double x) {
    if (!(x >= 0) || !ct__is_whole(x)) return -INFINITY;
    return log(d->p[0]) + (x > 0 ? x * log1p(-d->p[0]) : 0);
}
static double cdf(const ct_dist *d, double x, double *upper) {
    double t = x < 0 ? 0 : (floor(x) + 1) * log1p(-d->p[0]);
    *upper = exp(t);
    return -expm1(t);
}
static double quantile(const ct_dist *d, double p, double q) {
    double t = (p < q ? log1p(-p) : log(q)) / log1p(-d->p[0]);
    return ct__discrete_quantile(d, p, q, isfinite(t) ? t - 1 : 0, 0, INFINITY);
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    *out = d->p[0] < 1 ? floor(log(ct__sample_open(r)) / log1p(-d->p[0])) : 0;
}
static void mean(const ct_dist *d, double *out) { *out = (1 - d->p[0]) / d->p[0]; }
static void variance(const ct_dist *d, double *out) { *out = (1 - d->p[0]) / (d->p[0] * d->p[0]); }
static double entropy(const ct_dist *d) {
    double p = d->p[0];
    return -log(p) - (p < 1 ? (1 - p) * log1p(-p) / p : 0);
}
static ct_status fit(ct__fit *f) {
    ct_status s = ct__fit_range(f, 0, INFINITY, 1, "whole numbers from 0");
    if (!s) f->p[0] = 1 / (1 + ct__fit_mean(f));
    return s;
}
static double kl(const ct_dist *p, const ct_dist *q) {
    double a = p->p[0], b = q->p[0];
    if (a < 1 && b >= 1) return INFINITY;
    return log(a / b) + (a < 1 ? (1 - a) / a * (log1p(-a) - log1p(-b)) : 0);
}

const ct__record ct__dist_geometric = {
    .name = "geometric",
    .parameters = "probability",
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
    .variance = variance,
    .entropy = entropy,
    .fit = fit,
    .kl = kl,
};
