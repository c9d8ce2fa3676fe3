/* qr.c: A = Q R by Householder reflections (LAPACK's dgeqrf, dorgqr). */
#include "maths/lapack.h"
#include "maths/maths.h"

static void copy_upper(const ct__matrix *a, ct__matrix *r) {
    for (int64_t k = 0; k < r->cols; k++)
        for (int64_t i = 0; i < r->rows && i <= k; i++) r->v[i + k * r->rows] = a->v[i + k * a->rows];
}

/* One workspace for both routines: each says what it likes when asked with -1. */
static ct_status reflect(ct__job *j, ct__matrix *a, ct__matrix *r) {
    lapack_int rows = (lapack_int)a->rows, cols = (lapack_int)a->cols, k = rows < cols ? rows : cols;
    double want = 0, want_q = 0, *tau = ct__job_doubles(j, k, 1);
    if (!tau || ct__lapack_room(j, 64.0 * cols)) return CT_ELIMIT; /* panels of up to 64 columns */
    LAPACK(LAPACKE_dgeqrf_work)(LAPACK_COL_MAJOR, rows, cols, a->v, rows, tau, &want, -1);
    LAPACK(LAPACKE_dorgqr_work)(LAPACK_COL_MAJOR, rows, k, k, a->v, rows, tau, &want_q, -1);
    lapack_int size = (lapack_int)(want > want_q ? want : want_q);
    double *work = ct__job_doubles(j, size, 1);
    if (!work) return CT_ELIMIT;
    LAPACK(LAPACKE_dgeqrf_work)(LAPACK_COL_MAJOR, rows, cols, a->v, rows, tau, work, size);
    if (r) copy_upper(a, r);
    LAPACK(LAPACKE_dorgqr_work)(LAPACK_COL_MAJOR, rows, k, k, a->v, rows, tau, work, size);
    return CT_OK;
}

ct_status ct__qr(ct__job *j, ct__matrix *a, ct__matrix *r) {
    int64_t k = a->rows < a->cols ? a->rows : a->cols;
    ct_status s = r ? ct__matrix_new(j, k, a->cols, r) : CT_OK;
    if (!s) s = reflect(j, a, r);
    a->cols = k; /* the first columns are Q */
    return s;
}

static ct_status qr(ct__job *j, const ct_array *a, ct_array *q, ct_array *r) {
    ct__matrix x, y;
    ct_array out = {0};
    int32_t type;
    ct_status s = ct__array_check(j, a, "a", 2, 2);
    if (!s) s = ct__matrix_load(j, a, "a", 1, &x);
    if (!s) s = ct__qr(j, &x, &y);
    if (s) return s;
    type = ct__result_type(a, NULL);
    s = ct__matrix_store(j, &y, type, 2, &out);
    if (!s && q) s = ct__matrix_store(j, &x, type, 2, q);
    if (s)
        ct_array_free(&out);
    else
        *r = out;
    return s;
}

ct_status ct_matrix_qr(const ct_maths *m, const ct_array *a, ct_array *q, ct_array *r, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "matrix_qr", e);
    if (!s) s = qr(&j, a, q, r);
    ct__job_end(&j);
    return s;
}
