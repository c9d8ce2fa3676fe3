/* pca_incremental.c: principal components a batch at a time (Ross, Lim, Lin, Yang 2008, "Incremental learning for
 * robust visual tracking", section 2).
 *
 * K directions, their singular values and the mean stand for all records so far. A batch of n records B with mean b
 * is merged by the singular values of the stack
 *
 *     diag(s) V'                                       [K,D]
 *     B - b                                            [n,D]
 *     sqrt(N n / (N + n)) (mean - b)                   [1,D]   what moving the mean adds
 *
 * of which the first K are kept. Nothing is lost while K is the rank of all the data. */
#include "maths/pca.h"

#include <math.h>
#include <string.h>

struct ct_pca_incremental {
    ct_allocator allocator;
    ct_maths maths; /* its allocator points to the one above, or is NULL */
    ct_pca_options o;
    int64_t d, k, samples;
    double *mean, *square;         /* [D]: means and sums of squared deviations */
    double *components, *singular; /* [K,D], [K] */
    double noise;                  /* mean variance of what the last batch left out */
};

ct_status ct_pca_begin(const ct_maths *m, ct_pca_options o, ct_pca_incremental **out, ct_err *e) {
    if (o.components < 0)
        return ct_fail(e, CT_EUSAGE, "pca_begin: %lld components; wanted 0 (all) or more; ask for fewer",
                       (long long)o.components);
    if (o.scale || o.solver || o.variance > 0 || o.variance < 0 || o.oversample || o.passes)
        return ct_fail(e, CT_EUSAGE,
                       "pca_begin: scale, solver, variance, oversample or passes given; wanted components "
                       "and whiten alone, as a batch does not know the rest of the data; leave the others 0");
    ct_pca_incremental *p = ct_new(m ? m->allocator : NULL, sizeof *p);
    if (!p) return ct_fail(e, CT_ELIMIT, "pca_begin: out of memory; free some");
    if (m) p->maths = *m;
    if (m && m->allocator) p->allocator = *m->allocator;
    p->maths.allocator = &p->allocator;
    p->o = o;
    *out = p;
    return CT_OK;
}

static void forget(ct_pca_incremental *p) {
    const ct_allocator *a = &p->allocator;
    ct_delete(a, p->mean, (size_t)p->d * sizeof *p->mean);
    ct_delete(a, p->square, (size_t)p->d * sizeof *p->square);
    ct_delete(a, p->components, (size_t)(p->k * p->d) * sizeof *p->components);
    ct_delete(a, p->singular, (size_t)p->k * sizeof *p->singular);
    p->mean = p->square = p->components = p->singular = NULL;
    p->d = p->k = 0;
}

void ct_pca_incremental_free(ct_pca_incremental *p) {
    if (!p) return;
    ct_allocator a = p->allocator;
    forget(p);
    ct_delete(&a, p, sizeof *p);
}

/* The first batch fixes the extents; one that failed leaves nothing behind. */
static ct_status first(ct__job *j, ct_pca_incremental *p, int64_t n, int64_t d) {
    int64_t most = n < d ? n : d, k = p->o.components ? p->o.components : most;
    if (k > most)
        return ct_fail(j->e, CT_EUSAGE,
                       "%s: a first batch of [%lld,%lld] for %lld components; wanted at least as many "
                       "records and features; give larger batches, or ask for fewer",
                       j->name, (long long)n, (long long)d, (long long)k);
    forget(p);
    p->d = d;
    p->k = k;
    const ct_allocator *a = &p->allocator;
    p->mean = ct_new_array(a, (uint64_t)d, sizeof *p->mean);
    p->square = ct_new_array(a, (uint64_t)d, sizeof *p->square);
    p->components = ct_new_array(a, (uint64_t)(k * d), sizeof *p->components);
    p->singular = ct_new_array(a, (uint64_t)k, sizeof *p->singular);
    return p->mean && p->square && p->components && p->singular ? CT_OK : ct__job_memory(j);
}

/* The stack by columns, [D,rows]: its rows one after the other. */
static ct_status stack(ct__job *j, const ct_pca_incremental *p, ct__rows *r, const double *mean,
                       ct__matrix *out) {
    int64_t d = p->d, kept = p->samples ? p->k : 0, rows = kept + r->n + (p->samples ? 1 : 0);
    ct_status s = ct__matrix_new(j, d, rows, out);
    for (int64_t i = 0; !s && i < kept; i++)
        for (int64_t k = 0; k < d; k++) out->v[i * d + k] = p->singular[i] * p->components[i * d + k];
    r->mean = mean;
    if (!s) s = ct__rows_read(r, 0, r->n, out->v + kept * d, j->e);
    double weight = sqrt((double)p->samples / (double)(p->samples + r->n) * (double)r->n);
    for (int64_t k = 0; !s && p->samples && k < d; k++)
        out->v[(kept + r->n) * d + k] = weight * (p->mean[k] - mean[k]);
    return s;
}

/* Chan, Golub, LeVeque 1979: moments of two sets together. */
static void merge_moments(ct_pca_incremental *p, int64_t n, const double *mean, const double *variance) {
    double had = (double)p->samples, more = (double)n, all = had + more;
    for (int64_t k = 0; k < p->d; k++) {
        double delta = mean[k] - p->mean[k];
        p->square[k] += variance[k] * (more - 1) + delta * delta * had / all * more;
        p->mean[k] += delta * more / all;
    }
    p->samples += n;
}

static ct_status add(ct__job *j, ct_pca_incremental *p, const ct_array *batch) {
    ct__rows r;
    ct__matrix x, v, rest;
    ct_status s = ct__rows_open(j, batch, "batch", 1, &r);
    if (!s && p->samples && r.d != p->d)
        s = ct_fail(j->e, CT_EUSAGE,
                    "%s: batch has %lld features; wanted %lld, as the first; give equal ones", j->name,
                    (long long)r.d, (long long)p->d);
    if (!s && !p->samples) s = first(j, p, r.n, r.d);
    double *mean = s ? NULL : ct__job_doubles(j, r.d, 1), *variance = s ? NULL : ct__job_doubles(j, r.d, 1);
    if (!mean || !variance) return s ? s : CT_ELIMIT;
    s = ct__rows_moments(j, &r, mean, r.n > 1 ? variance : NULL);
    if (!s) s = stack(j, p, &r, mean, &x);
    int64_t found = s ? 0 : x.rows < x.cols ? x.rows : x.cols;
    double *values = s ? NULL : ct__job_doubles(j, found, 1);
    if (!values) return s ? s : CT_ELIMIT;
    s = ct__svd(j, &x, &v, values, &rest);
    if (!s && !isfinite(values[0] * values[0])) s = ct__rows_refuse(j, &r);
    if (s) return s;
    merge_moments(p, r.n, mean, variance);
    memcpy(p->singular, values, (size_t)p->k * sizeof *values);
    memcpy(p->components, v.v, (size_t)(p->k * p->d) * sizeof *v.v);
    for (int64_t i = 0; i < p->k; i++) ct__pca_sign(p->components + i * p->d, p->d);
    p->noise = 0;
    for (int64_t i = p->k; i < found; i++)
        p->noise += values[i] * values[i] / (double)(p->samples - 1) / (double)(found - p->k);
    if (p->k == r.n || p->k == p->d) p->noise = 0; /* scikit-learn's rule */
    return CT_OK;
}

ct_status ct_pca_add(ct_pca_incremental *p, const ct_array *batch, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, &p->maths, "pca_add", e);
    if (!s) s = add(&j, p, batch);
    ct__job_end(&j);
    return s;
}

static ct_status store(ct__job *j, const ct_pca_incremental *p, ct_pca *out) {
    double *variance = ct__job_doubles(j, p->k, 1), *ratio = ct__job_doubles(j, p->k, 1),
           all = ct__sum(p->square, p->d);
    if (!variance || !ratio) return CT_ELIMIT;
    for (int64_t i = 0; i < p->k; i++) {
        double square = p->singular[i] * p->singular[i];
        variance[i] = square / (double)(p->samples - 1);
        ratio[i] = all > 0 ? square / all : 0;
    }
    ct_array rows = ct_array_view(p->components, CT_F64, CT_SHAPE(p->k, p->d));
    ct_status s = ct__vector_store(j, p->mean, p->d, CT_F64, &out->mean);
    if (!s) s = ct_array_new(j->allocator, CT_F64, CT_SHAPE(p->k, p->d), &out->components, j->e);
    if (!s) s = ct_array_copy(&out->components, &rows, j->e);
    if (!s) s = ct__vector_store(j, variance, p->k, CT_F64, &out->variance);
    if (!s) s = ct__vector_store(j, ratio, p->k, CT_F64, &out->ratio);
    if (!s) s = ct__vector_store(j, p->singular, p->k, CT_F64, &out->singular);
    out->total = all / (double)(p->samples - 1);
    out->noise = p->noise;
    out->samples = p->samples;
    out->whiten = p->o.whiten != 0;
    return s;
}

ct_status ct_pca_end(const ct_pca_incremental *p, ct_pca *out, ct_err *e) {
    ct__job j;
    ct_pca result = {0};
    ct_status s = ct__job_begin(&j, &p->maths, "pca_end", e);
    if (!s && p->samples < 2)
        s = ct_fail(e, CT_EDATA, "pca_end: %lld records so far; wanted at least 2; add more",
                    (long long)p->samples);
    if (!s) s = store(&j, p, &result);
    if (s)
        ct_pca_free(&result);
    else
        *out = result;
    ct__job_end(&j);
    return s;
}
