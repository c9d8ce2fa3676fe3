/* product.c: matrix products, C = A B, by OpenBLAS's gemm on fixed blocks of the result's rows.
 *
 * gemm is fast already; the blocks are there for threads. They are cut by the shape alone and each is one call on
 * one thread, so the bits do not depend on how many threads took part. Operands are used where they lie: a
 * transposed view is gemm's own transpose, anything else is copied once. */
#include "maths/lapack.h"
#include "maths/maths.h"

#include <string.h>

#define ROWS_OF_BLOCK 256

ct_status ct__operand_make(ct__job *j, const ct_array *a, const char *what, int32_t type, int column,
                           ct__operand *out) {
    ct_status s = ct__array_check(j, a, what, 1, 2);
    if (s) return s;
    ct_array v = *a; /* as a matrix */
    if (a->rank == 1) {
        v.rank = 2;
        v.dim[column ? 0 : 1] = a->dim[0], v.stride[column ? 0 : 1] = a->stride[0];
        v.dim[column ? 1 : 0] = 1, v.stride[column ? 1 : 0] = a->dim[0];
    }
    *out = (ct__operand){.data = v.data, .rows = v.dim[0], .cols = v.dim[1], .type = type};
    int by_rows = (v.dim[1] == 1 || v.stride[1] == 1) && (v.dim[0] == 1 || v.stride[0] >= v.dim[1]),
        by_cols = (v.dim[0] == 1 || v.stride[0] == 1) && (v.dim[1] == 1 || v.stride[1] >= v.dim[0]);
    if (a->dtype == type && (by_rows || by_cols)) {
        out->transposed = !by_rows;
        out->ld = by_rows ? v.dim[0] == 1 ? v.dim[1] : v.stride[0] : v.dim[1] == 1 ? v.dim[0] : v.stride[1];
        if (out->ld <= INT32_MAX) return CT_OK;
    }
    uint64_t count = (uint64_t)v.dim[0] * (uint64_t)v.dim[1]; /* both fit in 31 bits */
    void *copy = ct_arena_array(&j->arena, count, ct_dtype_size((ct_dtype)type));
    if (!copy) return ct__job_memory(j);
    ct_array to = ct_array_view(copy, (ct_dtype)type, CT_SHAPE(v.dim[0], v.dim[1]));
    out->data = copy;
    out->ld = v.dim[1];
    out->transposed = 0;
    return ct_array_copy(&to, &v, j->e);
}

typedef struct product {
    const ct__operand *a, *b;
    void *c;
} product;

static ct_status block(void *user, int64_t task, ct_err *e) {
    const product *p = user;
    const ct__operand *a = p->a, *b = p->b;
    int64_t row = task * ROWS_OF_BLOCK, rows = a->rows - row < ROWS_OF_BLOCK ? a->rows - row : ROWS_OF_BLOCK;
    size_t from = (size_t)(a->transposed ? row : row * a->ld), to = (size_t)row * (size_t)b->cols;
    CBLAS_TRANSPOSE ta = a->transposed ? CblasTrans : CblasNoTrans,
                    tb = b->transposed ? CblasTrans : CblasNoTrans;
    (void)e;
    if (a->type == CT_F32) LAPACK(cblas_sgemm)
    (CblasRowMajor, ta, tb, (int)rows, (int)b->cols, (int)a->cols, 1, (const float *)a->data + from,
     (int)a->ld, b->data, (int)b->ld, 0, (float *)p->c + to, (int)b->cols);
    else LAPACK(cblas_dgemm)(CblasRowMajor, ta, tb, (int)rows, (int)b->cols, (int)a->cols, 1,
                             (const double *)a->data + from, (int)a->ld, b->data, (int)b->ld, 0,
                             (double *)p->c + to, (int)b->cols);
    return CT_OK;
}

ct_status ct__multiply(ct__job *j, const ct__operand *a, const ct__operand *b, void *c) {
    product p = {a, b, c};
    double operations = 2.0 * (double)a->rows * (double)a->cols * (double)b->cols;
    return ct__parallel(j, (a->rows + ROWS_OF_BLOCK - 1) / ROWS_OF_BLOCK, operations, block, &p);
}

static ct_shape shape_of_product(const ct_array *a, const ct_array *b) {
    ct_shape s = {{0}, 0, 0};
    if (a->rank == 2) s.dim[s.rank++] = a->dim[0];
    if (b->rank == 2) s.dim[s.rank++] = b->dim[1];
    return s;
}

static ct_status multiply(ct__job *j, const ct_array *a, const ct_array *b, ct_array *out) {
    ct__operand x, y;
    ct_array c = {0};
    ct_status s = ct__array_check(j, a, "a", 1, 2);
    if (!s) s = ct__array_check(j, b, "b", 1, 2);
    if (s) return s;
    int32_t type = ct__result_type(a, b);
    s = ct__operand_make(j, a, "a", type, 0, &x);
    if (!s) s = ct__operand_make(j, b, "b", type, 1, &y);
    if (!s && x.cols != y.rows) {
        char left[CT_SHAPE_TEXT], right[CT_SHAPE_TEXT];
        ct_shape l = ct_shape_make(a->rank, a->dim), r = ct_shape_make(b->rank, b->dim);
        return ct_fail(
            j->e, CT_EUSAGE,
            "%s: a is %s, b is %s; wanted the last extent of a equal to the first of b; transpose one",
            j->name, ct_shape_format(&l, left), ct_shape_format(&r, right));
    }
    if (!s) s = ct_array_new(j->allocator, (ct_dtype)type, shape_of_product(a, b), &c, j->e);
    if (!s) s = ct__multiply(j, &x, &y, c.data);
    if (s)
        ct_array_free(&c);
    else
        *out = c;
    return s;
}

ct_status ct_matrix_multiply(const ct_maths *m, const ct_array *a, const ct_array *b, ct_array *out,
                             ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "matrix_multiply", e);
    if (!s) s = multiply(&j, a, b, out);
    ct__job_end(&j);
    return s;
}
