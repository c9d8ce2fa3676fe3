/* stat_bootstrap.c: intervals of any statistic by resampling with replacement (Efron 1979).
 *
 * BCa (Efron 1987): the percentiles that are read off the resamples are shifted by the bias z0, where the estimate lies
 * among them, and by the acceleration a, the skewness of the jackknife's values (each record left out in turn):
 *     alpha' = Phi(z0 + (z0 + z_alpha) / (1 - a (z0 + z_alpha))) */
#include <string.h>

#include "maths/stat.h"

typedef struct draws {
    const double *x;
    int64_t n, count;
    uint64_t seed;
    double (*statistic)(void *user, const double *x, int64_t n);
    void *user;
    double *value, *room; /* [count], [n] */
} draws;

static void resample(const draws *d) {
    for (int64_t r = 0; r < d->count; r++) {
        ct_random random = ct_random_stream(d->seed, (uint64_t)r);
        for (int64_t i = 0; i < d->n; i++) d->room[i] = d->x[ct_random_below(&random, (uint64_t)d->n)];
        d->value[r] = d->statistic(d->user, d->room, d->n);
    }
}

/* Skewness of the jackknife's values, over six. */
static double acceleration(const draws *d, double *left_out) {
    double cubes = 0, squares = 0;
    for (int64_t k = 0; k < d->n; k++) {
        memcpy(d->room, d->x, (size_t)k * sizeof *d->x);
        memcpy(d->room + k, d->x + k + 1, (size_t)(d->n - 1 - k) * sizeof *d->x);
        left_out[k] = d->statistic(d->user, d->room, d->n - 1);
    }
    double mean = ct__mean(left_out, d->n);
    for (int64_t k = 0; k < d->n; k++) {
        double off = mean - left_out[k];
        squares += off * off;
        cubes += off * off * off;
    }
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

static double shifted(double alpha, double bias, double a) {
    double z = bias + ct__normal_quantile(alpha, 1 - alpha), upper;
    return ct__normal_cdf(bias + z / (1 - a * z), &upper);
}

static double percentile(const double *sorted, int64_t n, double p) {
    double at = p * (double)(n - 1);
    int64_t i = (int64_t)at;
    return i >= n - 1 ? sorted[n - 1] : sorted[i] + (sorted[i + 1] - sorted[i]) * (at - (double)i);
}

static ct_status interval(ct__job *j, draws *d, const ct_bootstrap_options *o, ct_bootstrap_result *out) {
    double alpha = (1 - o->level) / 2, low = alpha, high = 1 - alpha, below = 0;
    int64_t at;
    if (ct__find_nonfinite(d->value, d->count, &at) || !isfinite(out->estimate))
        return ct_fail(j->e, CT_ENONFINITE,
                       "%s: the statistic of a resample is not finite; wanted one that is defined for "
                       "repeated values; use another statistic",
                       j->name);
    double square;
    ct_status s = ct__squares(j, d->value, d->count, ct__mean(d->value, d->count), &square);
    if (s) return s;
    out->error = sqrt(square / (double)(d->count - 1));
    if (!o->percentile) {
        double *left_out = ct__job_doubles(j, d->n, 1);
        if (!left_out) return CT_ELIMIT;
        for (int64_t r = 0; r < d->count; r++)
            below += d->value[r] < out->estimate ? 1 : d->value[r] > out->estimate ? 0 : 0.5;
        double share = below / (double)d->count, a = acceleration(d, left_out);
        if (share > 0 && share < 1 && isfinite(a)) {
            double bias = ct__normal_quantile(share, 1 - share);
            low = shifted(alpha, bias, a);
            high = shifted(1 - alpha, bias, a);
        }
    }
    ct__sort(d->value, d->count);
    out->interval = (ct_interval){percentile(d->value, d->count, low), percentile(d->value, d->count, high)};
    return CT_OK;
}

ct_status ct_bootstrap(const ct_maths *m, const ct_array *x,
                       double (*statistic)(void *user, const double *x, int64_t n), void *user,
                       ct_bootstrap_options o, ct_bootstrap_result *out, ct_err *e) {
    ct__job j;
    draws d = {
        .seed = o.seed, .statistic = statistic, .user = user, .count = o.resamples ? o.resamples : 9999};
    double *v;
    ct_bootstrap_result result = {0};
    ct_status s = ct__job_begin(&j, m, "bootstrap", e);
    if (!s) s = ct__level(j.name, o.level, &o.level, e);
    if (!s && (!statistic || d.count < 2))
        s = ct_fail(e, CT_EUSAGE,
                    "bootstrap: no statistic, or %lld resamples; wanted one, and at least 2; give them",
                    (long long)d.count);
    if (!s) s = ct__stat_load(&j, x, "x", 2, &v, &d.n);
    if (!s) {
        d.x = v;
        d.value = ct__job_doubles(&j, d.count, 1);
        d.room = ct__job_doubles(&j, d.n, 1);
        if (!d.value || !d.room) s = CT_ELIMIT;
    }
    if (!s) {
        result.estimate = statistic(user, d.x, d.n);
        resample(&d);
        s = interval(&j, &d, &o, &result);
    }
    if (!s) *out = result;
    ct__job_end(&j);
    return s;
}
