/* fit.c: the records of a file, in memory or a batch at a time, and the fit. With `incremental` only a batch is ever
 * in memory: one pass fits, one more before it finds the scale. */
#include "task/pca/pca.h"

#include <math.h>
#include <string.h>

/* ---- reading ---- */

ct_status ct__pca_batch(ct__pca_job *j) {
    int64_t rows = j->o->batch ? j->o->batch : 256;
    if (j->o->incremental && !j->o->batch && rows < j->o->pca.components) rows = j->o->pca.components;
    ct_status s = ct_array_new(&j->o->allocator, (ct_dtype)j->records.dtype,
                               CT_SHAPE(rows, j->records.features), &j->batch, j->e);
    j->rows = rows;
    j->label = ct_arena_array(&j->arena, (uint64_t)rows, sizeof *j->label);
    j->value = ct_arena_array(&j->arena, (uint64_t)rows, sizeof *j->value);
    return s ? s : j->label && j->value ? CT_OK : ct__pca_memory(j);
}

/* A CSV's numbers in one array; arrays are there already. */
static ct_status read_whole(ct__pca_job *j) {
    ct__records *r = &j->records;
    int64_t rows = 0;
    ct_status s = ct__records_count(r, j->e);
    if (s || r->whole.data) return s;
    s = ct_array_new(&j->o->allocator, (ct_dtype)r->dtype, CT_SHAPE(r->count, r->features), &j->whole, j->e);
    if (s) return s;
    if (r->target >= 0) {
        j->labels = ct_arena_array(&j->arena, (uint64_t)r->count, sizeof *j->labels);
        j->values = ct_arena_array(&j->arena, (uint64_t)r->count, sizeof *j->values);
        if (!j->labels || !j->values) return ct__pca_memory(j);
    }
    s = ct__records_next(r, &j->whole, &rows, j->labels, j->values, j->e);
    if (!s && rows != r->count)
        s = ct_fail_at(j->e, CT_EIO, r->path, -1, "changed while reading; wanted a file at rest; try again");
    return s;
}

/* The whole as [N,D], when it is in memory. */
static ct_array matrix(const ct__pca_job *j) {
    ct_array a = j->whole.data ? j->whole : j->records.whole;
    ct_array m = ct_array_view(a.data, (ct_dtype)a.dtype, CT_SHAPE(j->records.count, j->records.features));
    return m;
}

/* Row `from` and those behind it: a view of memory, or the next of the file. *labels and *values may be NULL. */
ct_status ct__pca_next(ct__pca_job *j, int64_t from, ct_array *x, const int32_t **labels,
                       const double **values) {
    if (!j->o->incremental) {
        *x = matrix(j);
        int64_t left = x->dim[0] - from;
        x->data = (char *)x->data + (size_t)(from * x->stride[0]) * ct_dtype_size((ct_dtype)x->dtype);
        x->dim[0] = left < j->rows ? left : j->rows;
        *labels = j->labels ? j->labels + from : NULL;
        *values = j->values ? j->values + from : NULL;
        return CT_OK;
    }
    int64_t rows = 0;
    ct_status s = ct__records_next(&j->records, &j->batch, &rows, j->label, j->value, j->e);
    *x = j->batch;
    x->owned = 0;
    x->dim[0] = rows;
    *labels = j->records.target >= 0 ? j->label : NULL;
    *values = j->records.target >= 0 ? j->value : NULL;
    return s;
}

ct_maths ct__pca_maths(const ct__pca_job *j) {
    return (ct_maths){.allocator = &j->o->allocator, .threads = j->o->threads};
}

/* "pca: x[4,1] is nan; ..." becomes "FILE: record 4, feature 1 ...": the text begins with the file. */
ct_status ct__pca_with_file(ct__pca_job *j, ct_status s, const ct_err *inner) {
    const char *text = strstr(inner->text, ": ");
    if (!s) return s;
    if (s != CT_ENONFINITE && s != CT_EDATA) return ct_fail(j->e, s, "%s", inner->text);
    return ct_fail_at(j->e, s, j->o->data, -1, "%s", text ? text + 2 : inner->text);
}

/* ---- fitting ---- */

static ct_status fit_whole(ct__pca_job *j) {
    ct_maths m = ct__pca_maths(j);
    ct_err inner = {0};
    ct_status s = read_whole(j);
    if (s) return s;
    ct_array x = matrix(j);
    return ct__pca_with_file(j, ct_pca_fit(&m, &x, j->o->pca, &j->result->pca, &inner), &inner);
}

/* Rows as doubles, for the deviations that scaling divides by. */
static ct_status to_doubles(ct__pca_job *j, const ct_array *x, double *room) {
    ct_array to = ct_array_view(room, CT_F64, CT_SHAPE(x->dim[0], x->dim[1]));
    return ct_array_copy(&to, x, j->e);
}

/* Welford 1962, feature by feature: means and sums of squared deviations -> population deviations, 1 where 0. */
static ct_status find_scale(ct__pca_job *j, double *room, double *mean, double *scale) {
    int64_t d = j->records.features, n = 0;
    ct_array x;
    const int32_t *labels;
    const double *values;
    for (;;) {
        ct_status s = ct__pca_next(j, n, &x, &labels, &values);
        if (!s && x.dim[0]) s = to_doubles(j, &x, room);
        if (s) return s;
        if (!x.dim[0]) break;
        for (int64_t i = 0; i < x.dim[0]; i++) {
            n++;
            for (int64_t k = 0; k < d; k++) {
                double off = room[i * d + k] - mean[k];
                mean[k] += off / (double)n;
                scale[k] += off * (room[i * d + k] - mean[k]);
            }
        }
    }
    for (int64_t k = 0; k < d; k++) {
        double deviation = sqrt(scale[k] / (double)n);
        scale[k] = deviation > (double)n * 2.220446049250313e-16 * fabs(mean[k]) ? deviation : 1;
    }
    return ct__records_rewind(&j->records, j->e);
}

/* The scale as the fitted components keep it: (x - mean) / scale. */
static ct_status keep_scale(ct__pca_job *j, const double *scale) {
    ct_pca *p = &j->result->pca;
    int64_t d = j->records.features;
    ct_status s = ct_array_new(&j->o->allocator, CT_F64, CT_SHAPE(d), &p->scale, j->e);
    for (int64_t k = 0; !s && k < d; k++) {
        ((double *)p->scale.data)[k] = scale[k];
        ((double *)p->mean.data)[k] *= scale[k];
    }
    return s;
}

static ct_status add_batches(ct__pca_job *j, ct_pca_incremental *p, double *room, const double *scale) {
    int64_t d = j->records.features;
    ct_array x;
    const int32_t *labels;
    const double *values;
    for (int64_t n = 0;; n += x.dim[0]) {
        ct_err inner = {0};
        ct_status s = ct__pca_next(j, n, &x, &labels, &values);
        if (s || !x.dim[0]) return s;
        if (scale) {
            s = to_doubles(j, &x, room);
            for (int64_t i = 0; !s && i < x.dim[0] * d; i++) room[i] /= scale[i % d];
            x = ct_array_view(room, CT_F64, CT_SHAPE(x.dim[0], d));
        }
        if (!s) s = ct__pca_with_file(j, ct_pca_add(p, &x, &inner), &inner);
        if (s) return s;
    }
}

static ct_status fit_batches(ct__pca_job *j) {
    ct_maths m = ct__pca_maths(j);
    ct_pca_options o = j->o->pca;
    ct_pca_incremental *p = NULL;
    ct_err inner = {0};
    uint64_t d = (uint64_t)j->records.features;
    double *room = NULL, *mean = NULL, *scale = NULL;
    if (o.scale) {
        room = ct_arena_array(&j->arena, (uint64_t)j->rows * d, sizeof *room);
        mean = ct_arena_array(&j->arena, d, sizeof *mean);
        scale = ct_arena_array(&j->arena, d, sizeof *scale);
        if (!room || !mean || !scale) return ct__pca_memory(j);
    }
    o.scale = 0;
    ct_status s = scale ? find_scale(j, room, mean, scale) : CT_OK;
    if (!s) s = ct_pca_begin(&m, o, &p, j->e);
    if (!s) s = add_batches(j, p, room, scale);
    if (!s) s = ct__pca_with_file(j, ct_pca_end(p, &j->result->pca, &inner), &inner);
    if (!s && scale) s = keep_scale(j, scale);
    ct_pca_incremental_free(p);
    if (!s) s = ct__records_rewind(&j->records, j->e);
    j->records.count = j->result->pca.samples;
    return s;
}

ct_status ct__pca_fit(ct__pca_job *j) { return j->o->incremental ? fit_batches(j) : fit_whole(j); }
