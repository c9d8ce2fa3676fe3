/* stat_quantile.c: quantiles, histogram and kernel density: where the values lie. */
#include <string.h>

#include "maths/stat.h"

/* Between the neighbours of place p (n - 1), from the nearer one, as numpy does. */
static double quantile(const double *sorted, int64_t n, double p) {
    double at = p * (double)(n - 1), below = floor(at), t = at - below;
    int64_t i = (int64_t)below;
    if (i >= n - 1) return sorted[n - 1];
    double a = sorted[i], b = sorted[i + 1];
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

ct_status ct_stat_quantiles(const ct_maths *m, const ct_array *x, const double *p, int64_t n, double *out,
                            ct_err *e) {
    ct__job j;
    double *v;
    int64_t count;
    ct_status s = ct__job_begin(&j, m, "stat_quantiles", e);
    for (int64_t i = 0; !s && i < n; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            s = ct_fail(e, CT_EUSAGE, "stat_quantiles: p[%lld] is %g; wanted a share from 0 to 1; correct it",
                        (long long)i, p[i]);
    if (!s) s = ct__stat_load(&j, x, "x", 1, &v, &count);
    if (!s) ct__sort(v, count);
    for (int64_t i = 0; !s && i < n; i++) out[i] = quantile(v, count, p[i]);
    ct__job_end(&j);
    return s;
}

/* ---- histogram ---- */

static double edge(double low, double high, int64_t i, int64_t bins) { /* numpy.linspace */
    return i == bins ? high : low + (double)i * ((high - low) / (double)bins);
}

static ct_status histogram(ct__job *j, const ct_array *x, int64_t bins, double low, double high,
                           ct_array *counts, ct_array *edges) {
    double *v;
    int64_t n;
    ct_status s = ct__stat_load(j, x, "x", 1, &v, &n);
    if (s) return s;
    if (low == 0.0 && high == 0.0) {
        low = high = v[0];
        for (int64_t i = 1; i < n; i++) low = fmin(low, v[i]), high = fmax(high, v[i]);
        if (!(high > low)) low -= 0.5, high += 0.5; /* all equal: as numpy */
    }
    if (!(high > low) || !isfinite(high - low))
        return ct_fail(j->e, CT_EUSAGE, "%s: from %g to %g; wanted low below high; exchange them", j->name,
                       low, high);
    s = ct_array_new(j->allocator, CT_I64, CT_SHAPE(bins), counts, j->e);
    if (!s) s = ct_array_new(j->allocator, CT_F64, CT_SHAPE(bins + 1), edges, j->e);
    if (s) return s;
    int64_t *c = counts->data;
    double *g = edges->data;
    for (int64_t i = 0; i <= bins; i++) g[i] = edge(low, high, i, bins);
    for (int64_t i = 0; i < n; i++) {
        if (v[i] < low || v[i] > high) continue;
        int64_t k = (int64_t)((v[i] - low) / (high - low) * (double)bins);
        if (k >= bins) k = bins - 1;
        if (v[i] < g[k]) k--; /* the division rounded across an edge */
        if (k < bins - 1 && v[i] >= g[k + 1]) k++;
        c[k]++;
    }
    return CT_OK;
}

ct_status ct_stat_histogram(const ct_maths *m, const ct_array *x, int64_t bins, double low, double high,
                            ct_array *counts, ct_array *edges, ct_err *e) {
    ct__job j;
    ct_array c = {0}, g = {0};
    ct_status s = ct__job_begin(&j, m, "stat_histogram", e);
    if (!s && (bins < 1 || bins > INT32_MAX))
        s = ct_fail(e, CT_EUSAGE, "stat_histogram: %lld bins; wanted 1 to 2^31 - 1; choose about sqrt(n)",
                    (long long)bins);
    if (!s) s = histogram(&j, x, bins, low, high, &c, &g);
    if (s) {
        ct_array_free(&c);
        ct_array_free(&g);
    } else {
        *counts = c;
        *edges = g;
    }
    ct__job_end(&j);
    return s;
}

/* ---- kernel density (Rosenblatt 1956, Parzen 1962) ---- */

static ct_status density(ct__job *j, const ct_array *x, double bandwidth, const ct_array *points,
                         ct_array *out) {
    double *v, *at, *term;
    int64_t n, count;
    ct_status s = ct__stat_load(j, x, "x", bandwidth > 0 ? 1 : 2, &v, &n);
    if (!s) s = ct__stat_load(j, points, "points", 1, &at, &count);
    term = s ? NULL : ct__job_doubles(j, n, 1);
    if (!term) return s ? s : CT_ELIMIT;
    if (!(bandwidth > 0)) { /* Scott 1992 */
        double square;
        s = ct__squares(j, v, n, ct__mean(v, n), &square);
        if (s) return s;
        bandwidth = pow((double)n, -0.2) * sqrt(square / (double)(n - 1));
        if (!(bandwidth > 0))
            return ct_fail(j->e, CT_EDATA,
                           "%s: all values are equal; wanted some that differ, or a bandwidth; give one",
                           j->name);
    }
    ct_array y = {0};
    s = ct_array_new(j->allocator, CT_F64, ct_shape_make(points->rank, points->dim), &y, j->e);
    if (s) return s;
    for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < n; i++) {
            double z = (at[k] - v[i]) / bandwidth;
            term[i] = exp(-0.5 * z * z);
        }
        ((double *)y.data)[k] = ct__sum(term, n) / (2.50662827463100050242 * bandwidth * (double)n);
    }
    *out = y;
    return CT_OK;
}

ct_status ct_stat_density(const ct_maths *m, const ct_array *x, double bandwidth, const ct_array *points,
                          ct_array *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "stat_density", e);
    if (!s && !(bandwidth >= 0 && isfinite(bandwidth)))
        s = ct_fail(e, CT_EUSAGE,
                    "stat_density: bandwidth %g; wanted 0 (Scott's) or a number above 0; give 0", bandwidth);
    if (!s) s = density(&j, x, bandwidth, points, out);
    ct__job_end(&j);
    return s;
}
