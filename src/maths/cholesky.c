/* cholesky.c: A = L L' of a symmetric positive definite matrix (LAPACK's dpotrf). */
#include "maths/lapack.h"
#include "maths/maths.h"

#include <math.h>

ct_status ct__cholesky(ct__job *j, ct__matrix *a) {
    lapack_int n = (lapack_int)a->rows,
               minor = LAPACK(LAPACKE_dpotrf_work)(LAPACK_COL_MAJOR, 'L', n, a->v, n);
    if (minor == 0) return CT_OK;
    return ct_fail(
        j->e, CT_EDATA,
        "%s: a is not positive definite (its leading minor of order %d is not); wanted one that is; add "
        "a little to its diagonal",
        j->name, (int)minor);
}

static ct_status cholesky(ct__job *j, const ct_array *a, ct_array *l) {
    ct__matrix x;
    ct_status s = ct__matrix_load_square(j, a, &x);
    if (!s) s = ct__check_symmetric(j, &x, a->dtype);
    if (!s) s = ct__cholesky(j, &x);
    if (s) return s;
    for (int64_t k = 1; k < x.cols; k++)
        for (int64_t i = 0; i < k; i++) x.v[i + k * x.rows] = 0;
    return ct__matrix_store(j, &x, ct__result_type(a, NULL), 2, l);
}

ct_status ct_matrix_cholesky(const ct_maths *m, const ct_array *a, ct_array *l, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "matrix_cholesky", e);
    if (!s) s = cholesky(&j, a, l);
    ct__job_end(&j);
    return s;
}
