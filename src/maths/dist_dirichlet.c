/* dist_dirichlet.c: on the simplex, x_i >= 0 with sum 1:  f(x) = prod x_i^(a_i - 1) / B(a),
 * B(a) = prod Gamma(a_i) / Gamma(a_0), a_0 = sum a_i. */
#include "maths/dist.h"

static int64_t size(int64_t count) { return count >= 2 ? count : 0; }

/* c[0] = a_0, c[1] = log B(a), as a chain of betas: B(a_1, a_2 + ...) B(a_2, a_3 + ...) ... */
static ct_status prepare(ct_dist *d, ct_err *e) {
    double rest = 0;
    for (int64_t i = 0; i < d->k; i++) {
        ct_status s = ct__dist_positive(d, i, "a parameter", e);
        if (s) return s;
    }
    for (int64_t i = d->k - 1; i >= 0; i--) {
        if (i < d->k - 1) d->c[1] += ct__log_beta(d->p[i], rest);
        rest += d->p[i];
    }
    d->c[0] = rest;
    return CT_OK;
}
static double log_density(const ct_dist *d, const double *x, double *work) {
    double sum = ct__sum(x, d->k), l = -d->c[1];
    (void)work;
    if (!(fabs(sum - 1) <= 1e-9)) return -INFINITY;
    for (int64_t i = 0; i < d->k; i++) {
        if (!(x[i] >= 0)) return -INFINITY;
        l += ct__xlogy(d->p[i] - 1, x[i]);
    }
    return l;
}
static void sample(const ct_dist *d, ct_random *r, double *out) {
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < d->k; i++) {
        out[i] = ct__sample_log_gamma(r, d->p[i]);
        most = fmax(most, out[i]);
    }
    for (int64_t i = 0; i < d->k; i++) sum += out[i] = exp(out[i] - most);
    for (int64_t i = 0; i < d->k; i++) out[i] /= sum;
}
static void mean(const ct_dist *d, double *out) {
    for (int64_t i = 0; i < d->k; i++) out[i] = d->p[i] / d->c[0];
}
static void variance(const ct_dist *d, double *out) {
    for (int64_t i = 0; i < d->k; i++)
        for (int64_t l = 0; l < d->k; l++) {
            double a = d->p[i] / d->c[0], b = d->p[l] / d->c[0];
            out[i * d->k + l] = a * (i == l ? 1 - a : -b) / (d->c[0] + 1);
        }
}
static double entropy(const ct_dist *d) {
    double sum = d->c[1] + (d->c[0] - (double)d->k) * ct__digamma(d->c[0]);
    for (int64_t i = 0; i < d->k; i++) sum -= (d->p[i] - 1) * ct__digamma(d->p[i]);
    return sum;
}

/* psi(a_i) - psi(a_0) = mean log x_i, by Newton's method with its Hessian's inverse in closed form (Minka 2000,
 * "Estimating a Dirichlet distribution", section 1). */
static ct_status newton(ct__fit *f, const double *wanted, double *g) {
    int64_t k = f->k;
    for (int turn = 0; turn < 500; turn++) {
        double all = ct__sum(f->p, k), z = ct__trigamma(all), above = 0, below = -1 / z, moved = 0, scale = 1;
        for (int64_t i = 0; i < k; i++) {
            double q = ct__trigamma(f->p[i]);
            g[i] = ct__digamma(all) - ct__digamma(f->p[i]) + wanted[i];
            above += g[i] / q;
            below += 1 / q;
        }
        double b = above / below;
        for (int64_t i = 0; i < k; i++) { /* the step, limited so that all stay above 0 */
            g[i] = (g[i] - b) / ct__trigamma(f->p[i]);
            if (f->p[i] + g[i] <= 0) scale = fmin(scale, -0.5 * f->p[i] / g[i]);
        }
        for (int64_t i = 0; i < k; i++) {
            f->p[i] += scale * g[i];
            moved = fmax(moved, fabs(g[i]) / f->p[i]);
        }
        if (moved <= 1e-14) return CT_OK;
        if (!isfinite(moved)) break;
    }
    double all = ct__sum(f->p, k);
    return isfinite(all) && all < 1e12
               ? CT_OK
               : ct__fit_refuse(f, "no maximum of the likelihood", "records that differ");
}

static ct_status fit(ct__fit *f) {
    int64_t k = f->k;
    double *wanted = ct__job_doubles(f->j, k, 1), *g = ct__job_doubles(f->j, k, 1),
           *column = ct__job_doubles(f->j, f->n, 1), spread = 0, first = 0;
    f->p = ct__job_doubles(f->j, k, 1);
    f->count = k;
    if (!wanted || !g || !column || !f->p) return CT_ELIMIT;
    ct_status s = ct__fit_range(f, 4.9406564584124654e-324, 1, 0, "shares above 0");
    for (int64_t i = 0; !s && i < f->n; i++)
        if (!(fabs(ct__sum(f->x + i * k, k) - 1) <= 1e-9))
            s = ct__fit_refuse(f, "a record whose sum is not 1", "shares");
    for (int64_t l = 0; !s && l < k; l++) {
        for (int64_t i = 0; i < f->n; i++) column[i] = f->x[i * k + l];
        f->p[l] = ct__mean(column, f->n);
        for (int64_t i = 0; i < f->n; i++) column[i] = log(column[i]);
        wanted[l] = ct__sum(column, f->n) / (double)f->n;
        if (l == 0) first = f->p[l];
    }
    for (int64_t i = 0; !s && i < f->n; i++)
        spread += (f->x[i * k] - first) * (f->x[i * k] - first) / (double)f->n;
    if (!s && !(spread > 0)) s = ct__fit_refuse(f, "all records are equal", "records that differ");
    double total =
        s ? 1 : fmax(first * (1 - first) / spread - 1, 0.1); /* by the moments of the first share */
    for (int64_t l = 0; l < k; l++) f->p[l] *= total;
    return s ? s : newton(f, wanted, g);
}

static double kl(const ct_dist *p, const ct_dist *q) {
    double sum = q->c[1] - p->c[1], both = ct__digamma(p->c[0]);
    for (int64_t i = 0; i < p->k; i++) sum += (p->p[i] - q->p[i]) * (ct__digamma(p->p[i]) - both);
    return sum;
}

const ct__record ct__dist_dirichlet = {
    .name = "dirichlet",
    .parameters = "K >= 2 numbers above 0",
    .support = "K numbers from 0, whose sum is 1",
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
