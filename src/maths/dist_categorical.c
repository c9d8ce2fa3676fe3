/* dist_categorical.c: one of K classes, 0 .. K-1, with given probabilities; and multinomial, how often each came up in
 * n draws: P(x) = n! prod p_i^x_i / x_i!. */
#include "maths/dist.h"

/* Probabilities from 0 whose sum is 1 to 1e-9; v[i] = their share of the sum, v[K + i] = sum of the first i + 1. */
static ct_status shares(ct_dist *d, const double *p, int64_t k, ct_err *e) {
    double sum = ct__sum(p, k), before = 0;
    for (int64_t i = 0; i < k; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            return ct__dist_wrong(d, "a probability", p[i], "numbers from 0 to 1", e);
    if (!(fabs(sum - 1) <= 1e-9)) return ct__dist_wrong(d, "the probabilities' sum", sum, "1", e);
    ct_status s = ct__dist_room(d, 2 * k, e);
    for (int64_t i = 0; !s && i < k; i++) {
        d->v[i] = p[i] / sum;
        before += d->v[i];
        d->v[k + i] = before;
    }
    return s;
}

static ct_status prepare(ct_dist *d, ct_err *e) { return shares(d, d->p, d->count, e); }
static double log_density(const ct_dist *d, double x) {
    return ct__is_whole(x) && x >= 0 && x < (double)d->count ? log(d->v[(int64_t)x]) : -INFINITY;
}
static double cdf(const ct_dist *d, double x, double *upper) {
    double sum = 0;
    int64_t last = x < 0 ? -1 : x >= (double)d->count ? d->count - 1 : (int64_t)floor(x);
    for (int64_t i = d->count - 1; i > last; i--) sum += d->v[i];
    *upper = sum;
    return last < 0 ? 0 : last == d->count - 1 ? 1 : d->v[d->count + last];
}
static double quantile(const ct_dist *d, double p, double q) {
    return ct__discrete_quantile(d, p, q, 0, 0, (double)d->count - 1);
}
/* The first class whose sum is above u, by halving. */
static void sample(const ct_dist *d, ct_random *r, double *out) {
    double u = ct_random_uniform(r);
    int64_t low = 0, high = d->count - 1;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (d->v[d->count + middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    *out = (double)low;
}
static void mean(const ct_dist *d, double *out) {
    *out = 0;
    for (int64_t i = 0; i < d->count; i++) *out += (double)i * d->v[i];
}
static void variance(const ct_dist *d, double *out) {
    double m;
    mean(d, &m);
    *out = 0;
    for (int64_t i = 0; i < d->count; i++) *out += ((double)i - m) * ((double)i - m) * d->v[i];
}
static double entropy(const ct_dist *d) {
    double sum = 0;
    for (int64_t i = 0; i < d->count; i++) sum -= ct__xlogy(d->v[i], d->v[i]);
    return sum;
}
/* Shares of the classes 0 .. the largest that came up, or as many as are known to be. */
static ct_status fit(ct__fit *f) {
    double most = f->known ? f->known[0] - 1 : 0;
    if (f->known && !(ct__is_whole(most) && most >= 0 && most < 1e7))
        return ct_fail(f->j->e, CT_EUSAGE,
                       "%s: %g classes; wanted 1 to 10 million as the known parameter; give known = {K}, or "
                       "NULL",
                       f->j->name, f->known[0]);
    for (int64_t i = 0; i < f->n && !f->known; i++) most = fmax(most, f->x[i]);
    ct_status s = ct__fit_range(f, 0, fmin(most, 1e7), 1, "classes: whole numbers from 0, below 10 million");
    if (s) return s;
    f->count = (int64_t)most + 1;
    f->p = ct__job_doubles(f->j, f->count, 1);
    if (!f->p) return CT_ELIMIT;
    for (int64_t i = 0; i < f->n; i++) f->p[(int64_t)f->x[i]]++;
    for (int64_t i = 0; i < f->count; i++) f->p[i] /= (double)f->n;
    return CT_OK;
}
static double divergence(const double *p, const double *q, int64_t k) {
    double sum = 0;
    for (int64_t i = 0; i < k; i++) sum += ct__xlogy(p[i], p[i] / q[i]);
    return sum;
}
static double kl(const ct_dist *p, const ct_dist *q) {
    int64_t both = p->count < q->count ? p->count : q->count;
    for (int64_t i = both; i < p->count; i++)
        if (p->v[i] > 0) return INFINITY;
    return divergence(p->v, q->v, both);
}

const ct__record ct__dist_categorical = {
    .name = "categorical",
    .parameters = "K probabilities, whose sum is 1",
    .support = "whole numbers from 0 to K - 1",
    .discrete = 1,
    .count = -1,
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

/* ---- multinomial ---- */

static int near_zero(double x) { return fabs(x) < 0.5; } /* of whole numbers */

static int64_t multi_size(int64_t count) { return count > 2 ? count - 1 : 0; }
static ct_status multi_prepare(ct_dist *d, ct_err *e) {
    if (!(d->p[0] >= 0) || d->p[0] > 9007199254740992.0 || !ct__is_whole(d->p[0]))
        return ct__dist_wrong(d, "n", d->p[0], "a whole number from 0 to 2^53", e);
    return shares(d, d->p + 1, d->k, e);
}
/* As a chain of binomials, which saddle points keep exact: x_1 of n, x_2 of what is left, ... */
static double multi_log_density(const ct_dist *d, const double *x, double *work) {
    double left = d->p[0], sum = 0, rest = 1;
    (void)work;
    for (int64_t i = 0; i < d->k; i++) {
        if (!(x[i] >= 0) || !ct__is_whole(x[i]) || x[i] > left) return -INFINITY;
        if (i == d->k - 1) break;
        double after = 0;
        for (int64_t l = i + 1; l < d->k; l++) after += d->v[l];
        rest = d->v[i] + after;
        if (rest > 0)
            sum += ct__binomial_log(x[i], left, d->v[i] / rest, after / rest);
        else if (x[i] > 0)
            return -INFINITY;
        left -= x[i];
    }
    return x[d->k - 1] == left ? sum : -INFINITY;
}
static void multi_sample(const ct_dist *d, ct_random *r, double *out) {
    double left = d->p[0], rest = 1;
    for (int64_t i = 0; i < d->k; i++) {
        double share = rest > 0 ? fmin(d->v[i] / rest, 1) : 1;
        out[i] = i == d->k - 1 ? left : ct__sample_binomial(r, left, share);
        left -= out[i];
        rest -= d->v[i];
    }
}
static void multi_mean(const ct_dist *d, double *out) {
    for (int64_t i = 0; i < d->k; i++) out[i] = d->p[0] * d->v[i];
}
static void multi_variance(const ct_dist *d, double *out) {
    for (int64_t i = 0; i < d->k; i++)
        for (int64_t l = 0; l < d->k; l++)
            out[i * d->k + l] = d->p[0] * d->v[i] * (i == l ? 1 - d->v[i] : -d->v[l]);
}
/* E of -log Poisson(x; m), x binomial and m = n p its mean. Above a variance of 1e7 by its expansion, to 1 / m^2. */
static double surprise(double n, double p) {
    double q = 1 - p, m = n * p, sum = 0, mode = floor((n + 1) * p);
    if (m * q > 1e7) return CT__HALF_LOG_2PI + 0.5 * log(m) + 0.5 * q + (3 - p - 1 / p) / (12 * n);
    for (int side = -1; side <= 1; side += 2)
        for (double x = side < 0 ? fmin(mode, n) : mode + 1; x >= 0 && x <= n; x += side) {
            double share = exp(ct__binomial_log(x, n, p, q));
            if (share > 0) sum -= share * ct__poisson_log(x, m);
            if (share < 1e-25) break;
        }
    return sum;
}
/* A multinomial is Poisson variates of means n p_i, given that their sum is n: no large terms that cancel. */
static double multi_entropy(const ct_dist *d) {
    double n = d->p[0], sum = ct__poisson_log(n, n);
    for (int64_t i = 0; i < d->k; i++) sum += surprise(n, d->v[i]);
    return sum;
}
static ct_status multi_fit(ct__fit *f) {
    double n = ct__sum(f->x, f->k);
    ct_status s = ct__fit_range(f, 0, 9007199254740992.0, 1, "whole numbers from 0");
    f->count = f->k + 1;
    f->p = ct__job_doubles(f->j, f->count, 1);
    if (!f->p) return CT_ELIMIT;
    f->p[0] = n;
    for (int64_t i = 0; !s && i < f->n; i++) {
        if (!near_zero(ct__sum(f->x + i * f->k, f->k) - n))
            s = ct__fit_refuse(f, "records with different sums", "equal ones");
        for (int64_t l = 0; l < f->k; l++) f->p[1 + l] += f->x[i * f->k + l] / (n * (double)f->n);
    }
    return !s && n <= 0 ? ct__fit_refuse(f, "records without a draw", "a sum above 0") : s;
}
static double multi_kl(const ct_dist *p, const ct_dist *q) {
    return near_zero(p->p[0] - q->p[0]) ? p->p[0] * divergence(p->v, q->v, p->k) : NAN;
}

const ct__record ct__dist_multinomial = {
    .name = "multinomial",
    .parameters = "n, K >= 2 probabilities, whose sum is 1",
    .support = "K whole numbers from 0, whose sum is n",
    .discrete = 1,
    .vector = 1,
    .count = -1,
    .size = multi_size,
    .prepare = multi_prepare,
    .log_density_of = multi_log_density,
    .sample = multi_sample,
    .mean = multi_mean,
    .variance = multi_variance,
    .entropy = multi_entropy,
    .fit = multi_fit,
    .kl = multi_kl,
};
