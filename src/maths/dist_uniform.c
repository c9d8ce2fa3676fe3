/* dist_uniform.c: f(x) = 1 / (high - low) between the two. */
#include "maths/dist.h"

static ct_status prepare(ct_dist *d, ct_err *e) {
    if (!isfinite(d->p[0])) return ct__dist_wrong(d, "low", d->p[0], "a finite number", e);
    if (!(d->p[1] > d->p[0]) || !isfinite(d->p[1] - d->p[0]))
        return ct__dist_wrong(d, "high", d->p[1], "a finite number above low", e);
    return CT_OK;
}
static double width(const ct_dist *d) { return d->p[1] - d->p[0]; }
static double log_density(const ct_dist *d, double x) {
    return x >= d->p[0] && x <= d->p[1] ? -log(width(d)) : -INFINITY;
}
static double cdf(const ct_dist *d, double x, double *upper) {
    double low = fmin(fmax(x, d->p[0]), d->p[1]);
    *upper = (d->p[1] - low) / width(d);
    return (low - d->p[0]) / width(d);
}
static double quantile(const ct_dist *d, double p, double q) {
    return p <= q ? d->p[0] + p * width(d) : d->p[1] - q * width(d);
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    *out = d->p[0] + ct_random_uniform(r) * width(d);
}
static void mean(const ct_dist *d, double *out) { *out = d->p[0] + 0.5 * width(d); }
static void variance(const ct_dist *d, double *out) { *out = width(d) * width(d) / 12; }
static double entropy(const ct_dist *d) { return log(width(d)); }
static ct_status fit(ct__fit *f) {
    f->p[0] = f->p[1] = f->x[0];
    for (int64_t i = 1; i < f->n; i++) {
        f->p[0] = fmin(f->p[0], f->x[i]);
        f->p[1] = fmax(f->p[1], f->x[i]);
    }
    return f->p[1] > f->p[0] ? CT_OK : ct__fit_refuse(f, "all values are equal", "values that differ");
}
/* Infinite where p reaches beyond q. */
static double kl(const ct_dist *p, const ct_dist *q) {
    return p->p[0] >= q->p[0] && p->p[1] <= q->p[1] ? log(width(q) / width(p)) : INFINITY;
}

const ct__record ct__dist_uniform = {
    .name = "uniform",
    .parameters = "low = 0, high = 1",
    .support = "low <= x <= high",
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
