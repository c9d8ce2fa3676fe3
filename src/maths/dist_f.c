/* dist_f.c: Fisher's F with m and n degrees of freedom: the ratio (X/m) / (Y/n) of chi-squared variates. With
 * u = m x / (m x + n), which has a beta distribution,  f(x) = u^(m/2) (1-u)^(n/2) / (x B(m/2, n/2)). */
#include "maths/dist.h"

static ct_status prepare(ct_dist *d, ct_err *e) {
    ct_status s = ct__dist_positive(d, 0, "df1", e);
    return s ? s : ct__dist_positive(d, 1, "df2", e);
}

/* u and 1 - u, of x from 0, without m x, which may be infinite */
static double beta_of(const ct_dist *d, double x, double *rest) {
    double m = d->p[0], n = d->p[1], ratio = n / m;
    if (x > ratio) {
        *rest = ratio / x / (1 + ratio / x);
        return 1 / (1 + ratio / x);
    }
    *rest = 1 / (1 + x / ratio);
    return x / ratio / (1 + x / ratio);
}

static double log_density(const ct_dist *d, double x) {
    double m = d->p[0], a = m / 2, b = d->p[1] / 2, v;
    if (!(x >= 0) || isinf(x)) return -INFINITY;
    if (x == 0) return m < 2 ? INFINITY : m > 2 ? -INFINITY : 0;
    double u = beta_of(d, x, &v);
    return ct__binomial_log(a, a + b, u, v) + log(a) - log1p(a / b) - log(x);
}
static double cdf(const ct_dist *d, double x, double *upper) {
    double v;
    if (!(x > 0) || isinf(x)) {
        *upper = !(x > 0);
        return x > 0;
    }
    double u = beta_of(d, x, &v);
    return ct__beta_i(d->p[0] / 2, d->p[1] / 2, u, v, upper);
}
static double quantile(const ct_dist *d, double p, double q) {
    double y, x = ct__beta_i_inverse(d->p[0] / 2, d->p[1] / 2, p, q, &y);
    return d->p[1] * x / (d->p[0] * y);
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    double x = ct__sample_log_gamma(r, d->p[0] / 2), y = ct__sample_log_gamma(r, d->p[1] / 2);
    *out = exp(x - y) * d->p[1] / d->p[0];
}
static void mean(const ct_dist *d, double *out) { *out = d->p[1] > 2 ? d->p[1] / (d->p[1] - 2) : INFINITY; }
static void variance(const ct_dist *d, double *out) {
    double m = d->p[0], n = d->p[1];
    *out = n > 4 ? 2 * (n / (n - 2)) * (n / (n - 2)) * (m + n - 2) / (m * (n - 4)) : n > 2 ? INFINITY : NAN;
}
/* log(n/m) + log B(a,b) + (1-a) psi(a) - (1+b) psi(b) + (a+b) psi(a+b), a = m/2, b = n/2 */
static double entropy(const ct_dist *d) {
    double a = d->p[0] / 2, b = d->p[1] / 2;
    return log(b / a) + ct__log_beta(a, b) + (1 - a) * ct__digamma(a) - (1 + b) * ct__digamma(b) +
           (a + b) * ct__digamma(a + b);
}

typedef struct likelihood {
    const double *x;
    int64_t count;
    double mean_log;
} likelihood;

/* Minus the mean log-likelihood at v = (log m, log n). */
static double negative(void *user, const double *v, double *g) {
    const likelihood *l = user;
    double m = exp(v[0]), n = exp(v[1]), logs = 0, share = 0, count = (double)l->count;
    for (int64_t i = 0; i < l->count; i++) {
        double ratio = m * l->x[i] / n;
        logs += log1p(ratio) / count;
        share += ratio / (1 + ratio) / count;
    }
    if (g) {
        double both = ct__digamma((m + n) / 2);
        g[0] = -0.5 * m *
               (both - ct__digamma(m / 2) + v[0] - v[1] + 1 + l->mean_log - logs - (m + n) / m * share);
        g[1] = -0.5 * n * (both - ct__digamma(n / 2) - m / n - logs + (m + n) / n * share);
    }
    return ct__log_beta(m / 2, n / 2) - 0.5 * m * (v[0] - v[1]) - (0.5 * m - 1) * l->mean_log +
           0.5 * (m + n) * logs;
}

static ct_status fit(ct__fit *f) {
    double *logs = ct__job_doubles(f->j, f->n, 1), v[2];
    if (!logs) return CT_ELIMIT;
    ct_status s = ct__fit_range(f, 4.9406564584124654e-324, 1.7976931348623157e308, 0, "numbers above 0");
    if (s) return s;
    if (f->n < 3) return ct__fit_refuse(f, "fewer than 3 values", "more of them");
    int differ = 0;
    for (int64_t i = 1; i < f->n; i++) differ |= f->x[i] < f->x[0] || f->x[i] > f->x[0];
    if (!differ) return ct__fit_refuse(f, "all values are equal", "values that differ");
    likelihood l = {f->x, f->n, ct__fit_mean_log(f, logs)};
    double m = ct__fit_mean(f);
    v[0] = log(4);
    v[1] = log(m > 1.05 ? fmin(2 * m / (m - 1), 40) : 40); /* the mean is n / (n - 2) */
    ct_problem p = {.user = &l, .n = 2, .f = negative};
    ct_minimise_result r;
    ct_maths job = {.allocator = f->j->allocator, .threads = 1};
    s = ct_minimise(&job, &p, v, &(ct_minimise_options){.method = CT_BFGS, .gradient_tolerance = 1e-13}, &r,
                    f->j->e);
    f->p[0] = exp(v[0]);
    f->p[1] = exp(v[1]);
    return s;
}

const ct__record ct__dist_f = {
    .name = "f",
    .parameters = "df1, df2",
    .support = "x > 0",
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
};
