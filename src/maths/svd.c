/* svd.c: singular values, A = U diag(s) V' (LAPACK's dgesdd, divide and conquer), and what follows from them:
 * rank, condition number and pseudo-inverse. */
#include "maths/lapack.h"
#include "maths/maths.h"

#include <math.h>
#include <string.h>

/* dgesdd: 4 k^2 + 7 k for both kinds of vectors, and panels of up to 64 columns. */
ct_status ct__svd_room(ct__job *j, int64_t rows, int64_t cols, int vectors) {
    double k = (double)(rows < cols ? rows : cols);
    return ct__lapack_room(j, (vectors ? 4 * k * k : 0) + 7 * k + 64 * ((double)rows + (double)cols));
}

ct_status ct__svd(ct__job *j, ct__matrix *a, ct__matrix *u, double *s, ct__matrix *vt) {
    lapack_int rows = (lapack_int)a->rows, cols = (lapack_int)a->cols, k = rows < cols ? rows : cols,
               size = -1;
    ct__matrix no_u = {0}, no_vt = {0};
    ct_status status = ct__svd_room(j, rows, cols, u || vt);
    char job = u || vt ? 'S' : 'N'; /* LAPACK makes both or none */
    if (!u) u = &no_u;
    if (!vt) vt = &no_vt;
    if (job == 'S' && !status) {
        status = ct__matrix_new(j, rows, k, u);
        if (!status) status = ct__matrix_new(j, k, cols, vt);
    }
    int32_t *whole = status ? NULL : ct__job_ints(j, 8 * (int64_t)k);
    if (!whole) return CT_ELIMIT; /* every failure so far */
    double want = 0, *work = &want;
    LAPACK(LAPACKE_dgesdd_work)
    (LAPACK_COL_MAJOR, job, rows, cols, a->v, rows, s, u->v, rows, vt->v, k, work, size, whole);
    status = ct__lapack_room(j, want);
    if (status) return status;
    size = (lapack_int)want;
    work = ct__job_doubles(j, size, 1);
    if (!work) return CT_ELIMIT;
    if (LAPACK(LAPACKE_dgesdd_work)(LAPACK_COL_MAJOR, job, rows, cols, a->v, rows, s, u->v, rows, vt->v, k,
                                    work, size, whole) == 0)
        return CT_OK;
    return ct_fail(
        j->e, CT_EINTERNAL,
        "%s: the singular values did not converge; wanted a scaled matrix; divide by its largest element",
        j->name);
}

/* ---- the calls ---- */

static ct_status load(ct__job *j, const ct_array *a, int vectors, ct__matrix *x, double **s, int64_t *k) {
    ct_status status = ct__array_check(j, a, "a", 2, 2);
    if (!status) status = ct__svd_room(j, a->dim[0], a->dim[1], vectors);
    if (!status) status = ct__matrix_load(j, a, "a", 1, x);
    if (status) return status;
    *k = x->rows < x->cols ? x->rows : x->cols;
    *s = ct__job_doubles(j, *k, 1);
    return *s ? CT_OK : CT_ELIMIT;
}

static ct_status svd(ct__job *j, const ct_array *a, ct_array *u, ct_array *s, ct_array *vt) {
    ct__matrix x, left, right;
    ct_array su = {0}, ss = {0}, sv = {0};
    double *values;
    int64_t k;
    int vectors = u || vt;
    ct_status status = load(j, a, vectors, &x, &values, &k);
    if (!status) status = ct__svd(j, &x, vectors ? &left : NULL, values, vectors ? &right : NULL);
    if (status) return status;
    int32_t type = ct__result_type(a, NULL);
    status = ct__vector_store(j, values, k, type, &ss);
    if (!status && u) status = ct__matrix_store(j, &left, type, 2, &su);
    if (!status && vt) status = ct__matrix_store(j, &right, type, 2, &sv);
    if (status) {
        ct_array_free(&su);
        ct_array_free(&ss);
        ct_array_free(&sv);
        return status;
    }
    *s = ss;
    if (u) *u = su;
    if (vt) *vt = sv;
    return CT_OK;
}

ct_status ct_matrix_svd(const ct_maths *m, const ct_array *a, ct_array *u, ct_array *s, ct_array *vt,
                        ct_err *e) {
    ct__job j;
    ct_status status = ct__job_begin(&j, m, "matrix_svd", e);
    if (!status) status = svd(&j, a, u, s, vt);
    ct__job_end(&j);
    return status;
}

static ct_status values_of(ct__job *j, const ct_array *a, double **s, int64_t *k) {
    ct__matrix x;
    ct_status status = load(j, a, 0, &x, s, k);
    return status ? status : ct__svd(j, &x, NULL, *s, NULL);
}

static ct_status check_tolerance(ct__job *j, double tolerance) {
    if (tolerance >= 0 && tolerance < 1) return CT_OK;
    return ct_fail(j->e, CT_EUSAGE, "%s: tolerance %g; wanted 0 (the default) or a share below 1; give 0",
                   j->name, tolerance);
}

ct_status ct_matrix_rank(const ct_maths *m, const ct_array *a, double tolerance, int64_t *out, ct_err *e) {
    ct__job j;
    double *s;
    int64_t k, rank = 0;
    ct_status status = ct__job_begin(&j, m, "matrix_rank", e);
    if (!status) status = check_tolerance(&j, tolerance);
    if (!status) status = values_of(&j, a, &s, &k);
    if (!status) {
        double longest = (double)(a->dim[0] > a->dim[1] ? a->dim[0] : a->dim[1]),
               share = tolerance > 0 ? tolerance : longest * ct__precision(ct__result_type(a, NULL));
        for (int64_t i = 0; i < k; i++) rank += s[i] > share * s[0];
        *out = rank;
    }
    ct__job_end(&j);
    return status;
}

ct_status ct_matrix_condition(const ct_maths *m, const ct_array *a, double *out, ct_err *e) {
    ct__job j;
    double *s;
    int64_t k;
    ct_status status = ct__job_begin(&j, m, "matrix_condition", e);
    if (!status) status = values_of(&j, a, &s, &k);
    if (!status) *out = s[k - 1] > 0 ? s[0] / s[k - 1] : INFINITY;
    ct__job_end(&j);
    return status;
}

/* V diag(1/s) U', the small values left out. */
static ct_status pseudo_inverse(ct__job *j, const ct_array *a, double tolerance, ct_array *out) {
    ct__matrix x, u, vt, p;
    double *s;
    int64_t k, rank = 0;
    ct_status status = load(j, a, 1, &x, &s, &k);
    if (!status) status = ct__svd(j, &x, &u, s, &vt);
    if (!status) status = ct__matrix_new(j, x.cols, x.rows, &p);
    if (status) return status;
    while (rank < k && s[rank] > (tolerance > 0 ? tolerance : 1e-15) * s[0]) rank++;
    for (int64_t i = 0; i < rank; i++) LAPACK(cblas_dscal)((int)x.rows, 1 / s[i], u.v + i * u.rows, 1);
    if (rank) LAPACK(cblas_dgemm)
    (CblasColMajor, CblasTrans, CblasTrans, (int)x.cols, (int)x.rows, (int)rank, 1, vt.v, (int)k, u.v,
     (int)u.rows, 0, p.v, (int)p.rows);
    return ct__matrix_store(j, &p, ct__result_type(a, NULL), 2, out);
}

ct_status ct_matrix_pseudo_inverse(const ct_maths *m, const ct_array *a, double tolerance, ct_array *out,
                                   ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "matrix_pseudo_inverse", e);
    if (!s) s = check_tolerance(&j, tolerance);
    if (!s) s = pseudo_inverse(&j, a, tolerance, out);
    ct__job_end(&j);
    return s;
}
