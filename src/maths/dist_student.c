/* dist_student.c: Student's t and Cauchy, with location m and scale s, z = (x - m) / s.
 *
 *     t: f = 1 / (s sqrt(n) B(n/2, 1/2)) (1 + z^2/n)^(-(n+1)/2)      Cauchy: f = 1 / (pi s (1 + z^2)), t with n = 1
 *
 * Fits maximise the likelihood by BFGS over (m, log s, log n). */
#include "maths/dist.h"

#include <stdlib.h>
#include <string.h>

static ct_status prepare(ct_dist *d, ct_err *e) {
    ct_status s = ct__dist_positive(d, 0, "df", e);
    if (!s && !isfinite(d->p[1])) s = ct__dist_wrong(d, "location", d->p[1], "a finite number", e);
    if (!s) s = ct__dist_positive(d, 2, "scale", e);
    d->c[0] = s ? 0 : -ct__log_beta(d->p[0] / 2, 0.5) - 0.5 * log(d->p[0]) - log(d->p[2]);
    return s;
}

static double log_density(const ct_dist *d, double x) {
    double z = (x - d->p[1]) / d->p[2], n = d->p[0], square = z * z / n;
    if (isinf(z)) return -INFINITY;
    return d->c[0] - 0.5 * (n + 1) * (isinf(square) ? 2 * log(fabs(z)) - log(n) : log1p(square));
}

/* A tail beyond |z| is I_x(n/2, 1/2) / 2 with x = n / (n + z^2) (DLMF 8.17.18). */
static double cdf(const ct_dist *d, double x, double *upper) {
    double z = (x - d->p[1]) / d->p[2], n = d->p[0], share = z * z / n, beyond, within;
    if (isinf(z)) {
        *upper = z < 0;
        return z > 0;
    }
    beyond = isinf(share) ? 0 : ct__beta_i(n / 2, 0.5, 1 / (1 + share), share / (1 + share), &within);
    *upper = z > 0 ? 0.5 * beyond : 1 - 0.5 * beyond;
    return z > 0 ? 1 - 0.5 * beyond : 0.5 * beyond;
}
static double quantile(const ct_dist *d, double p, double q) {
    double n = d->p[0], y, x = ct__beta_i_inverse(n / 2, 0.5, 2 * fmin(p, q), fabs(p - q), &y),
           z = sqrt(n * y / x);
    return d->p[1] + d->p[2] * (p < q ? -z : z);
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    double z = ct_random_normal(r), log_chi = ct__sample_log_gamma(r, d->p[0] / 2) - log(d->p[0] / 2);
    *out = d->p[1] + d->p[2] * z * exp(-0.5 * log_chi);
}
static void mean(const ct_dist *d, double *out) { *out = d->p[0] > 1 ? d->p[1] : NAN; }
static void variance(const ct_dist *d, double *out) {
    double n = d->p[0];
    *out = n > 2 ? d->p[2] * d->p[2] * (n / (n - 2)) : n > 1 ? INFINITY : NAN;
}
/* (n+1)/2 (psi((n+1)/2) - psi(n/2)) + log(sqrt(n) B(n/2, 1/2)) + log s */
static double entropy(const ct_dist *d) {
    double n = d->p[0],
           rise = n < 20 ? ct__digamma((n + 1) / 2) - ct__digamma(n / 2)
                         : log1p(1 / n) - ct__log_minus_digamma((n + 1) / 2) + ct__log_minus_digamma(n / 2);
    return 0.5 * (n + 1) * rise - d->c[0];
}

/* ---- fit ---- */

typedef struct likelihood {
    const double *x;
    int64_t count;
    double df; /* fixed, or 0: the third variable */
} likelihood;

/* Minus the mean log-likelihood at v = (m, log s, log n). */
static double negative(void *user, const double *v, double *g) {
    const likelihood *l = user;
    double n = l->df > 0 ? l->df : exp(v[2]), s = exp(v[1]), logs = 0, wr = 0, wrr = 0;
    for (int64_t i = 0; i < l->count; i++) {
        double r = (l->x[i] - v[0]) / s, w = (n + 1) / (n + r * r);
        logs += log1p(r * r / n);
        wr += w * r;
        wrr += w * r * r;
    }
    double count = (double)l->count;
    logs /= count, wr /= count, wrr /= count;
    if (g) {
        g[0] = -wr / s;
        g[1] = 1 - wrr;
        if (!(l->df > 0))
            g[2] = -0.5 * n * (ct__digamma((n + 1) / 2) - ct__digamma(n / 2) - 1 / n - logs + wrr / n);
    }
    return ct__log_beta(n / 2, 0.5) + 0.5 * log(n) + v[1] + 0.5 * (n + 1) * logs;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* From the median and half the distance of the quartiles. */
static ct_status maximise(ct__fit *f, double df, double v[3]) {
    double *x = ct__job_doubles(f->j, f->n, 1);
    if (!x) return CT_ELIMIT;
    memcpy(x, f->x, (size_t)f->n * sizeof *x);
    qsort(x, (size_t)f->n, sizeof *x, ascending);
    double spread = (x[(3 * f->n) / 4 < f->n ? (3 * f->n) / 4 : f->n - 1] - x[f->n / 4]) / 2;
    if (!(spread > 0)) spread = (x[f->n - 1] - x[0]) / 2;
    if (f->n < 3 || !(spread > 0))
        return ct__fit_refuse(f, "fewer than 3 values, or all equal", "values that differ");
    v[0] = x[f->n / 2], v[1] = log(spread), v[2] = log(4);
    likelihood l = {f->x, f->n, df};
    ct_problem p = {.user = &l, .n = df > 0 ? 2 : 3, .f = negative};
    ct_minimise_result r;
    ct_maths m = {.allocator = f->j->allocator, .threads = 1};
    return ct_minimise(&m, &p, v, &(ct_minimise_options){.method = CT_BFGS, .gradient_tolerance = 1e-13}, &r,
                       f->j->e);
}

static ct_status fit(ct__fit *f) {
    double v[3];
    ct_status s = maximise(f, 0, v);
    f->p[0] = exp(v[2]), f->p[1] = v[0], f->p[2] = exp(v[1]);
    return s;
}

const ct__record ct__dist_student_t = {
    .name = "student_t",
    .parameters = "df, location = 0, scale = 1",
    .support = "all x",
    .count = 3,
    .required = 1,
    .defaults = {0, 0, 1},
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

/* ---- Cauchy ---- */

static ct_status cauchy_prepare(ct_dist *d, ct_err *e) {
    if (!isfinite(d->p[0])) return ct__dist_wrong(d, "location", d->p[0], "a finite number", e);
    return ct__dist_positive(d, 1, "scale", e);
}
static double cauchy_log_density(const ct_dist *d, double x) {
    double z = (x - d->p[0]) / d->p[1];
    if (isinf(z)) return -INFINITY;
    return -log(CT__PI * d->p[1]) - (fabs(z) > 1e100 ? 2 * log(fabs(z)) : log1p(z * z));
}
static double cauchy_cdf(const ct_dist *d, double x, double *upper) {
    double z = (x - d->p[0]) / d->p[1];
    *upper = atan2(1, z) / CT__PI; /* no cancellation in either tail */
    return atan2(1, -z) / CT__PI;
}
static double cauchy_quantile(const ct_dist *d, double p, double q) {
    if (p == 0 || q == 0) return p == 0 ? -INFINITY : INFINITY;
    double tail = fmin(p, q), z = tail < 0.25 ? 1 / tan(CT__PI * tail) : tan(CT__PI * 0.5 * fabs(p - q));
    return d->p[0] + d->p[1] * (p < q ? -z : z);
}
static void cauchy_sample(const ct_dist *d, ct_random *r, double *out) {
    *out = d->p[0] + d->p[1] * tan(CT__PI * (ct_random_uniform(r) - 0.5));
}
static void cauchy_moment(const ct_dist *d, double *out) {
    (void)d;
    *out = NAN;
}
static double cauchy_entropy(const ct_dist *d) { return log(4 * CT__PI * d->p[1]); }
static ct_status cauchy_fit(ct__fit *f) {
    double v[3];
    ct_status s = maximise(f, 1, v);
    f->p[0] = v[0], f->p[1] = exp(v[1]);
    return s;
}
/* log(((s0 + s1)^2 + (m0 - m1)^2) / (4 s0 s1)) (Chyzak, Nielsen 2019) */
static double cauchy_kl(const ct_dist *p, const ct_dist *q) {
    double s = p->p[1] - q->p[1], m = p->p[0] - q->p[0];
    return log1p((s * s + m * m) / (4 * p->p[1] * q->p[1]));
}

const ct__record ct__dist_cauchy = {
    .name = "cauchy",
    .parameters = "location = 0, scale = 1",
    .support = "all x",
    .count = 2,
    .defaults = {0, 1},
    .prepare = cauchy_prepare,
    .log_density = cauchy_log_density,
    .cdf = cauchy_cdf,
    .quantile = cauchy_quantile,
    .sample = cauchy_sample,
    .mean = cauchy_moment,
    .variance = cauchy_moment,
    .entropy = cauchy_entropy,
    .fit = cauchy_fit,
    .kl = cauchy_kl,
};
