/* dist_binomial.c: Bernoulli, P(1) = p, and binomial, P(k) = C(n,k) p^k (1-p)^(n-k). */
#include "maths/dist.h"

static ct_status probability(const ct_dist *d, int64_t index, ct_err *e) {
    return d->p[index] >= 0 && d->p[index] <= 1
               ? CT_OK
               : ct__dist_wrong(d, "probability", d->p[index], "a number from 0 to 1", e);
}

/* Both as binomial: c[0] = n, c[1] = p. */
static ct_status bernoulli_prepare(ct_dist *d, ct_err *e) {
    d->c[0] = 1, d->c[1] = d->p[0];
    return probability(d, 0, e);
}
static ct_status prepare(ct_dist *d, ct_err *e) {
    if (!(d->p[0] >= 0) || d->p[0] > 9007199254740992.0 || !ct__is_whole(d->p[0]))
        return ct__dist_wrong(d, "n", d->p[0], "a whole number from 0 to 2^53", e);
    d->c[0] = d->p[0], d->c[1] = d->p[1];
    return probability(d, 1, e);
}

static double log_density(const ct_dist *d, double x) {
    return ct__is_whole(x) ? ct__binomial_log(x, d->c[0], d->c[1], 1 - d->c[1]) : -INFINITY;
}
static double cdf(const ct_dist *d, double x, double *upper) {
    double n = d->c[0], k = floor(x);
    if (k < 0 || k >= n) {
        *upper = k < 0;
        return k >= n;
    }
    return ct__beta_i(n - k, k + 1, 1 - d->c[1], d->c[1], upper);
}
static double quantile(const ct_dist *d, double p, double q) {
    double n = d->c[0], m = n * d->c[1], z = p > 0 && q > 0 ? ct__normal_quantile(p, q) : 0;
    return ct__discrete_quantile(d, p, q, m + z * sqrt(m * (1 - d->c[1])), 0, n);
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    *out = ct__sample_binomial(r, d->c[0], d->c[1]);
}
static void bernoulli_sample(const ct_dist *d, ct_random *r, double *out) {
    *out = ct_random_uniform(r) < d->c[1];
}
static void mean(const ct_dist *d, double *out) { *out = d->c[0] * d->c[1]; }
static void variance(const ct_dist *d, double *out) { *out = d->c[0] * d->c[1] * (1 - d->c[1]); }
/* For large variances its expansion (Cichon, Golebiewski 2012): the next term is of order 1 / spread^2. */
static double entropy(const ct_dist *d) {
    double n = d->c[0], p = d->c[1], spread = n * p * (1 - p);
    if (spread > 1e7) return 0.5 + CT__HALF_LOG_2PI + 0.5 * log(spread) + (4 - n / spread) / (12 * n);
    return ct__discrete_entropy(d, floor((n + 1) * p));
}

static ct_status bernoulli_fit(ct__fit *f) {
    ct_status s = ct__fit_range(f, 0, 1, 1, "0 or 1");
    if (!s) f->p[0] = ct__fit_mean(f);
    return s;
}
static ct_status fit(ct__fit *f) {
    if (!f->known || !ct__is_whole(f->known[0]) || !(f->known[0] > 0))
        return ct_fail(f->j->e, CT_EUSAGE,
                       "%s: binomial without n; wanted it as the known parameter, above 0; give known = {n}",
                       f->j->name);
    ct_status s = ct__fit_range(f, 0, f->known[0], 1, "whole numbers from 0 to n");
    f->p[0] = f->known[0];
    if (!s) f->p[1] = ct__fit_mean(f) / f->known[0];
    return s;
}

/* n (p log(p/r) + (1-p) log((1-p)/(1-r))), of equal n; else infinite where q cannot reach as far, or no form */
static double kl(const ct_dist *p, const ct_dist *q) {
    double a = p->c[1], b = q->c[1];
    if (p->c[0] > q->c[0] || p->c[0] < q->c[0]) return p->c[0] > q->c[0] && a > 0 ? INFINITY : NAN;
    return p->c[0] * (ct__xlogy(a, a / b) + ct__xlogy(1 - a, (1 - a) / (1 - b)));
}

const ct__record ct__dist_bernoulli = {
    .name = "bernoulli",
    .parameters = "probability",
    .support = "0 or 1",
    .discrete = 1,
    .count = 1,
    .required = 1,
    .prepare = bernoulli_prepare,
    .log_density = log_density,
    .cdf = cdf,
    .quantile = quantile,
    .sample = bernoulli_sample,
    .mean = mean,
    .variance = variance,
    .entropy = entropy,
    .fit = bernoulli_fit,
    .kl = kl,
};

const ct__record ct__dist_binomial = {
    .name = "binomial",
    .parameters = "n, probability",
    .support = "whole numbers from 0 to n",
    .discrete = 1,
    .count = 2,
    .required = 2,
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
