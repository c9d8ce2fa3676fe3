/* dist_multinormal.c: the multivariate normal: f(x) = exp(-|z|^2 / 2) / ((2 pi)^(K/2) |L|), L z = x - mean, with the
 * covariance C = L L' (Cholesky). */
#include <string.h>

#include "maths/dist.h"

static int64_t size(int64_t count) { /* K + K^2 */
    int64_t k = (int64_t)((sqrt(1.0 + 4.0 * (double)count) - 1) / 2 + 0.5);
    return k >= 1 && k * (k + 1) == count ? k : 0;
}
static const double *covariance(const ct_dist *d) { return d->p + d->k; }

/* v = L by rows, then its inverse; c[0] = log |L| */
static ct_status factor(ct_dist *d, ct_err *e) {
    int64_t k = d->k;
    const double *c = covariance(d);
    for (int64_t i = 0; i < k; i++)
        for (int64_t l = 0; l <= i; l++) {
            double sum = c[i * k + l] - ct__dot(d->v + i * k, d->v + l * k, l);
            if (i == l && !(sum > 0))
                return ct_fail(e, CT_EUSAGE,
                               "%s: the covariance is not positive definite (its leading minor of order "
                               "%lld); wanted one "
                               "that is; leave out features that others determine",
                               d->record->name, (long long)i + 1);
            d->v[i * k + l] = i == l ? sqrt(sum) : sum / d->v[l * k + l];
            if (i == l) d->c[0] += 0.5 * log(sum);
        }
    for (int64_t l = 0; l < k; l++) /* column l of the inverse */
        for (int64_t i = l; i < k; i++) {
            double sum = i == l;
            for (int64_t r = l; r < i; r++) sum -= d->v[i * k + r] * d->v[k * k + r * k + l];
            d->v[k * k + i * k + l] = sum / d->v[i * k + i];
        }
    return CT_OK;
}
static ct_status prepare(ct_dist *d, ct_err *e) {
    int64_t k = d->k;
    const double *c = covariance(d);
    for (int64_t i = 0; i < d->count; i++)
        if (!isfinite(d->p[i])) return ct__dist_wrong(d, "a parameter", d->p[i], "finite numbers", e);
    for (int64_t i = 0; i < k; i++)
        for (int64_t l = 0; l < i; l++)
            if (fabs(c[i * k + l] - c[l * k + i]) > 1e-8 * (fabs(c[i * k + i]) + fabs(c[l * k + l])))
                return ct__dist_wrong(d, "an element of the covariance", c[i * k + l], "a symmetric matrix",
                                      e);
    ct_status s = ct__dist_room(d, 2 * k * k, e);
    return s ? s : factor(d, e);
}

/* L z = x - mean */
static void whiten(const ct_dist *d, const double *x, double *z) {
    for (int64_t i = 0; i < d->k; i++)
        z[i] = (x[i] - d->p[i] - ct__dot(d->v + i * d->k, z, i)) / d->v[i * d->k + i];
}
static double log_density(const ct_dist *d, const double *x, double *z) {
    for (int64_t i = 0; i < d->k; i++)
        if (isinf(x[i])) return -INFINITY;
    whiten(d, x, z);
    return -0.5 * ct__dot(z, z, d->k) - d->c[0] - (double)d->k * CT__HALF_LOG_2PI;
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    for (int64_t i = 0; i < d->k; i++) out[i] = ct_random_normal(r);
    for (int64_t i = d->k - 1; i >= 0; i--) { /* L z in place, from below */
        double sum = 0;
        for (int64_t l = 0; l <= i; l++) sum += d->v[i * d->k + l] * out[l];
        out[i] = sum;
    }
    for (int64_t i = 0; i < d->k; i++) out[i] += d->p[i];
}
static void mean(const ct_dist *d, double *out) { memcpy(out, d->p, (size_t)d->k * sizeof *out); }
static void variance(const ct_dist *d, double *out) {
    memcpy(out, covariance(d), (size_t)(d->k * d->k) * sizeof *out);
}
static double entropy(const ct_dist *d) { return (double)d->k * (0.5 + CT__HALF_LOG_2PI) + d->c[0]; }

/* Mean and covariance, divided by N. */
static ct_status fit(ct__fit *f) {
    int64_t k = f->k;
    double *a = ct__job_doubles(f->j, f->n, 1), *b = ct__job_doubles(f->j, f->n, 1);
    f->count = k + k * k;
    f->p = ct__job_doubles(f->j, f->count, 1);
    if (!a || !b || !f->p) return CT_ELIMIT;
    for (int64_t l = 0; l < k; l++) {
        for (int64_t i = 0; i < f->n; i++) a[i] = f->x[i * k + l];
        f->p[l] = ct__mean(a, f->n);
    }
    for (int64_t l = 0; l < k; l++)
        for (int64_t r = 0; r <= l; r++) {
            for (int64_t i = 0; i < f->n; i++)
                a[i] = f->x[i * k + l] - f->p[l], b[i] = f->x[i * k + r] - f->p[r];
            f->p[k + l * k + r] = f->p[k + r * k + l] = ct__dot(a, b, f->n) / (double)f->n;
        }
    return CT_OK;
}

/* (|L1^-1 L0|^2 + |L1^-1 (m0 - m1)|^2 - K) / 2 + log |L1| - log |L0| */
static double kl(const ct_dist *p, const ct_dist *q) {
    int64_t k = p->k;
    const double *inverse = q->v + k * k;
    double sum = -(double)k;
    for (int64_t i = 0; i < k; i++) {
        double off = 0;
        for (int64_t l = 0; l <= i; l++) off += inverse[i * k + l] * (p->p[l] - q->p[l]);
        sum += off * off;
        for (int64_t l = 0; l <= i; l++) {
            double z = 0;
            for (int64_t r = l; r <= i; r++) z += inverse[i * k + r] * p->v[r * k + l];
            sum += z * z;
        }
    }
    return 0.5 * sum + q->c[0] - p->c[0];
}

const ct__record ct__dist_multivariate_normal = {
    .name = "multivariate_normal",
    .parameters = "K means, [K,K] covariance",
    .support = "K numbers",
    .vector = 1,
    .count = -1,
    .size = size,
    .prepare = prepare,
    .log_density_of = log_density,
    .sample = sample,
    .mean = mean,
    .variance = variance,
    .entropy = entropy,
    .fit = fit,
    .kl = kl,
};
