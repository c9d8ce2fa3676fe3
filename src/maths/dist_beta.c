/* dist_beta.c: f(x) = x^(a-1) (1-x)^(b-1) / B(a,b). */
#include "maths/dist.h"

static ct_status prepare(ct_dist *d, ct_err *e) {
    ct_status s = ct__dist_positive(d, 0, "a", e);
    return s ? s : ct__dist_positive(d, 1, "b", e);
}

static double log_density(const ct_dist *d, double x) {
    double a = d->p[0], b = d->p[1];
    if (!(x >= 0 && x <= 1)) return -INFINITY;
    if (x == 0) return a < 1 ? INFINITY : a > 1 ? -INFINITY : log(b);
    if (x == 1) return b < 1 ? INFINITY : b > 1 ? -INFINITY : log(a);
    /* the binomial weight of a of a + b, over x (1 - x) and (a + b) / (a b) */
    return ct__binomial_log(a, a + b, x, 1 - x) + log(a) - log1p(a / b) - log(x) - log1p(-x);
}
static double cdf(const ct_dist *d, double x, double *upper) {
    double low = fmin(fmax(x, 0), 1);
    return ct__beta_i(d->p[0], d->p[1], low, 1 - low, upper);
}
static double quantile(const ct_dist *d, double p, double q) {
    double y;
    return ct__beta_i_inverse(d->p[0], d->p[1], p, q, &y);
}
/* X / (X + Y) of two gamma variates, by their logarithms: tiny shapes do not end as 0/0 */
static void sample(const ct_dist *d, ct_random *r, double *out) {
    double x = ct__sample_log_gamma(r, d->p[0]), y = ct__sample_log_gamma(r, d->p[1]);
    *out = 1 / (1 + exp(y - x));
}
static void mean(const ct_dist *d, double *out) { *out = d->p[0] / (d->p[0] + d->p[1]); }
static void variance(const ct_dist *d, double *out) {
    double a = d->p[0], b = d->p[1], s = a + b;
    *out = a / s * (b / s) / (s + 1);
}

/* log B - (a-1) psi(a) - (b-1) psi(b) + (a+b-2) psi(a+b); for large parameters psi(x) = log x - e(x) and log B by what
 * Stirling leaves, the large terms cancelled on paper */
static double entropy(const ct_dist *d) {
    double p = fmin(d->p[0], d->p[1]), q = fmax(d->p[0], d->p[1]), share = log1p(-p / (p + q));
    if (q < 10)
        return ct__log_beta(p, q) - (p - 1) * ct__digamma(p) - (q - 1) * ct__digamma(q) +
               (p + q - 2) * ct__digamma(p + q);
    double rest = ct__stirling_rest(q) - ct__stirling_rest(p + q) + (q - 1) * ct__log_minus_digamma(q) -
                  (p + q - 2) * ct__log_minus_digamma(p + q);
    if (p < 10) return ct__log_gamma(p) + p - log(p + q) + 0.5 * share - (p - 1) * ct__digamma(p) + rest;
    return -0.5 * log(q) + CT__HALF_LOG_2PI + ct__stirling_rest(p) + 0.5 * log(p / (p + q)) + share +
           (p - 1) * ct__log_minus_digamma(p) + rest;
}

/* psi(a) - psi(a+b) = mean log x, psi(b) - psi(a+b) = mean log(1-x), by Newton's method from the moments. */
static ct_status solve(ct__fit *f, double want_a, double want_b, double a, double b) {
    for (int i = 0; i < 200; i++) {
        double both = ct__digamma(a + b), common = ct__trigamma(a + b), ga = ct__digamma(a) - both - want_a,
               gb = ct__digamma(b) - both - want_b, haa = ct__trigamma(a) - common,
               hbb = ct__trigamma(b) - common, det = haa * hbb - common * common,
               da = (hbb * ga + common * gb) / det, db = (haa * gb + common * ga) / det, scale = 1;
        while (!(a - scale * da > 0 && b - scale * db > 0) && scale > 1e-10) scale /= 2;
        a -= scale * da;
        b -= scale * db;
        if (fabs(da) <= 1e-14 * a && fabs(db) <= 1e-14 * b) break;
    }
    f->p[0] = a;
    f->p[1] = b;
    return isfinite(a) && isfinite(b) && a > 0 && b > 0
               ? CT_OK
               : ct__fit_refuse(f, "no maximum of the likelihood", "values that differ");
}

static ct_status fit(ct__fit *f) {
    double *v = ct__job_doubles(f->j, f->n, 1), inside = 1 - CT__EPS / 2;
    if (!v) return CT_ELIMIT;
    ct_status s = ct__fit_range(f, 4.9406564584124654e-324, inside, 0, "numbers above 0 and below 1");
    if (s) return s;
    double m = ct__fit_mean(f), want_a = ct__fit_mean_log(f, v);
    for (int64_t i = 0; i < f->n; i++) v[i] = log1p(-f->x[i]);
    double want_b = ct__sum(v, f->n) / (double)f->n;
    for (int64_t i = 0; i < f->n; i++) v[i] = (f->x[i] - m) * (f->x[i] - m);
    double var = ct__sum(v, f->n) / (double)f->n, size = m * (1 - m) / var - 1;
    if (!(var > 0)) return ct__fit_refuse(f, "all values are equal", "values that differ");
    return solve(f, want_a, want_b, fmax(m * size, 1e-3), fmax((1 - m) * size, 1e-3));
}

static double kl(const ct_dist *p, const ct_dist *q) {
    double a = p->p[0], b = p->p[1], c = q->p[0], d = q->p[1];
    return ct__log_beta(c, d) - ct__log_beta(a, b) + (a - c) * ct__digamma(a) + (b - d) * ct__digamma(b) +
           (c - a + d - b) * ct__digamma(a + b);
}

const ct__record ct__dist_beta = {
    .name = "beta",
    .parameters = "a, b",
    .support = "0 < x < 1",
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
