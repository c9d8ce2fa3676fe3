/* matrix.c: arrays of any type and strides become dense working copies of doubles, and back.
 *
 * LAPACK overwrites what it is given and wants columns; so every function works on a copy of its own, which is
 * also where types are converted and values checked. */
#include "maths/maths.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int32_t ct__result_type(const ct_array *a, const ct_array *b) {
    return a->dtype == CT_F32 && (!b || b->dtype == CT_F32) ? CT_F32 : CT_F64;
}
double ct__precision(int32_t type) { return type == CT_F32 ? CT__EPS_F32 : CT__EPS; }

ct_array ct_matrix_transpose(const ct_array *a) {
    ct_array t = *a;
    t.owned = 0;
    if (a->rank != 2) return t;
    t.dim[0] = a->dim[1], t.dim[1] = a->dim[0];
    t.stride[0] = a->stride[1], t.stride[1] = a->stride[0];
    return t;
}

ct_status ct__array_check(ct__job *j, const ct_array *a, const char *what, int32_t rank_low,
                          int32_t rank_high) {
    char text[CT_SHAPE_TEXT];
    if (!a || !a->data || !ct_dtype_size((ct_dtype)a->dtype))
        return ct_fail(j->e, CT_EUSAGE,
                       "%s: %s is not an array (NULL, or freed); wanted one with data; make it with "
                       "ct_array_new or ct_array_view",
                       j->name, what);
    ct_shape shape = ct_shape_make(a->rank, a->dim);
    if (a->rank < rank_low || a->rank > rank_high)
        return ct_fail(j->e, CT_EUSAGE, "%s: %s is %s; wanted %s; reshape it", j->name, what,
                       ct_shape_format(&shape, text),
                       rank_high == 1  ? "a vector [N]"
                       : rank_low == 2 ? "a matrix [M,N]"
                                       : "a matrix [M,N] or a vector [N]");
    for (int32_t i = 0; i < a->rank; i++)
        if (a->dim[i] < 1 || a->dim[i] > INT32_MAX)
            return ct_fail(j->e, a->dim[i] < 1 ? CT_EUSAGE : CT_ELIMIT,
                           "%s: %s is %s; wanted extents from 1 to %d; give an array with elements", j->name,
                           what, ct_shape_format(&shape, text), INT32_MAX);
    return CT_OK;
}

ct_status ct__lapack_room(ct__job *j, double numbers) {
    if (numbers <= INT32_MAX) return CT_OK;
    return ct_fail(j->e, CT_ELIMIT,
                   "%s: a workspace of %.0f numbers; wanted at most %d, as LAPACK counts; use fewer rows or "
                   "columns",
                   j->name, numbers, INT32_MAX);
}

int ct__find_nonfinite(const double *v, int64_t count, int64_t *at) {
    for (int64_t i = 0; i < count; i++) {
        if (isfinite(v[i])) continue;
        *at = i;
        return 1;
    }
    return 0;
}

ct_status ct__refuse_nonfinite(ct__job *j, const char *what, const ct_array *shape, int64_t at,
                               double value) {
    char place[64];
    if (shape->rank == 2)
        snprintf(place, sizeof place, "%lld,%lld", (long long)(at / shape->dim[1]),
                 (long long)(at % shape->dim[1]));
    else
        snprintf(place, sizeof place, "%lld", (long long)at);
    return ct_fail(j->e, CT_ENONFINITE, "%s: %s[%s] is %s; wanted finite numbers; remove or replace it",
                   j->name, what, place,
                   isnan(value) ? "nan"
                   : value > 0  ? "inf"
                                : "-inf");
}

ct_status ct__matrix_new(ct__job *j, int64_t rows, int64_t cols, ct__matrix *out) {
    *out = (ct__matrix){ct__job_doubles(j, rows, cols), rows, cols};
    return out->v ? CT_OK : CT_ELIMIT;
}

/* A working matrix as an array: [rows,cols] with the strides of columns. */
static ct_array array_of(const ct__matrix *x, int32_t rank) {
    ct_array a = ct_array_view(x->v, CT_F64, CT_SHAPE(x->rows, x->cols));
    a.stride[0] = 1;
    a.stride[1] = x->rows;
    if (rank == 1) {
        a.rank = 1;
        a.dim[0] = x->rows * x->cols;
    }
    return a;
}

ct_status ct__matrix_load(ct__job *j, const ct_array *a, const char *what, int finite, ct__matrix *out) {
    ct_status s = ct__array_check(j, a, what, 1, 2);
    if (!s) s = ct__matrix_new(j, a->dim[0], a->rank == 2 ? a->dim[1] : 1, out);
    if (s) return s;
    ct_array to = array_of(out, a->rank);
    s = ct_array_copy(&to, a, j->e);
    int64_t at;
    if (!s && finite && ct__find_nonfinite(out->v, out->rows * out->cols, &at)) {
        for (int64_t i = 0; i < out->rows; i++) /* the first in the reader's order, by rows */
            for (int64_t k = 0; k < out->cols; k++)
                if (!isfinite(out->v[i + k * out->rows]))
                    return ct__refuse_nonfinite(j, what, a, i * out->cols + k, out->v[i + k * out->rows]);
    }
    return s;
}

ct_status ct__matrix_load_square(ct__job *j, const ct_array *a, ct__matrix *out) {
    ct_status s = ct__array_check(j, a, "a", 2, 2);
    if (s) return s;
    if (a->dim[0] != a->dim[1])
        return ct_fail(
            j->e, CT_EUSAGE,
            "%s: a is [%lld,%lld]; wanted a square matrix; use least squares or the SVD for others", j->name,
            (long long)a->dim[0], (long long)a->dim[1]);
    return ct__matrix_load(j, a, "a", 1, out);
}

ct_status ct__matrix_store(ct__job *j, const ct__matrix *x, int32_t type, int32_t rank, ct_array *out) {
    ct_array from = array_of(x, rank), to = {0};
    ct_status s = ct_array_new(j->allocator, (ct_dtype)type, ct_shape_make(rank, from.dim), &to, j->e);
    if (!s) s = ct_array_copy(&to, &from, j->e);
    if (s)
        ct_array_free(&to);
    else
        *out = to;
    return s;
}

ct_status ct__vector_store(ct__job *j, const double *v, int64_t n, int32_t type, ct_array *out) {
    ct__matrix x = {(double *)(uintptr_t)v, n, 1};
    return ct__matrix_store(j, &x, type, 1, out);
}

ct_status ct__vector_load(ct__job *j, const ct_array *a, const char *what, int finite, double **out,
                          int64_t *n) {
    ct_status s = ct__array_check(j, a, what, 0, CT_MAX_RANK);
    if (s) return s;
    int64_t count = (int64_t)ct_array_count(a), at;
    double *v = ct__job_doubles(j, count, 1);
    if (!v) return CT_ELIMIT;
    ct_array to = ct_array_view(v, CT_F64, ct_shape_make(a->rank, a->dim));
    s = ct_array_copy(&to, a, j->e);
    if (!s && finite && ct__find_nonfinite(v, count, &at)) return ct__refuse_nonfinite(j, what, a, at, v[at]);
    *out = v;
    *n = count;
    return s;
}
