/* norm.c: norms of vectors and matrices (Golub and Van Loan, Matrix Computations, 2.2 and 2.3). */
#include "maths/maths.h"

#include <math.h>

/* v is the job's own copy. */
static double absolute_sum(double *v, int64_t n) {
    for (int64_t i = 0; i < n; i++) v[i] = fabs(v[i]);
    return ct__sum(v, n);
}

static ct_status vector_norm(ct__job *j, double *v, int64_t n, ct_norm kind, double *out) {
    double norm = 0;
    if (kind == CT_NORM_2 || kind == CT_NORM_FROBENIUS)
        norm = ct__length(v, n);
    else if (kind == CT_NORM_1)
        norm = absolute_sum(v, n);
    else if (kind == CT_NORM_MAX)
        for (int64_t i = 0; i < n; i++) norm = fmax(norm, fabs(v[i]));
    else
        return ct_fail(
            j->e, CT_EUSAGE,
            "%s: the nuclear norm of a vector; wanted a matrix, or another norm; choose one of the others",
            j->name);
    *out = norm;
    return CT_OK;
}

static ct_status spectral(ct__job *j, ct__matrix *a, ct_norm kind, double *out) {
    int64_t k = a->rows < a->cols ? a->rows : a->cols;
    double *s = ct__job_doubles(j, k, 1);
    if (!s) return CT_ELIMIT;
    ct_status status = ct__svd(j, a, NULL, s, NULL);
    if (!status) *out = kind == CT_NORM_2 ? s[0] : ct__sum(s, k);
    return status;
}

/* The largest sum of absolute values of a column. */
static double largest_column(const ct__matrix *a) {
    double largest = 0;
    for (int64_t k = 0; k < a->cols; k++) largest = fmax(largest, absolute_sum(a->v + k * a->rows, a->rows));
    return largest;
}

static ct_status norm_of(ct__job *j, const ct_array *a, ct_norm kind, double *out) {
    ct__matrix x;
    if (kind < CT_NORM_2 || kind > CT_NORM_NUCLEAR)
        return ct_fail(j->e, CT_EUSAGE, "%s: kind %d; wanted a ct_norm; choose one", j->name, (int)kind);
    ct_array t = a ? ct_matrix_transpose(a) : (ct_array){0};
    /* the sums of rows are those of the transpose's columns */
    ct_status s = ct__matrix_load(j, kind == CT_NORM_MAX ? &t : a, "a", 1, &x);
    if (s) return s;
    if (a->rank == 1) return vector_norm(j, x.v, x.rows, kind, out);
    if (kind == CT_NORM_FROBENIUS) return vector_norm(j, x.v, x.rows * x.cols, kind, out);
    if (kind == CT_NORM_2 || kind == CT_NORM_NUCLEAR) return spectral(j, &x, kind, out);
    *out = largest_column(&x);
    return CT_OK;
}

ct_status ct_matrix_norm(const ct_maths *m, const ct_array *a, ct_norm kind, double *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "matrix_norm", e);
    if (!s) s = norm_of(&j, a, kind, out);
    ct__job_end(&j);
    return s;
}
