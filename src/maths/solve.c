/* solve.c: square systems by LU with partial pivoting, P A = L U (LAPACK's dgetrf): solutions, inverse and
 * determinant. A matrix that is singular exactly has a pivot of 0 and is refused; one that is nearly so is
 * ct_matrix_condition's to tell. */
#include "maths/lapack.h"
#include "maths/maths.h"

#include <math.h>

/* a becomes L and U; *pivot counts from 1 the first pivot that is 0, or is 0. */
static ct_status factor(ct__job *j, ct__matrix *a, int32_t **order, int32_t *pivot) {
    *order = ct__job_ints(j, a->rows);
    if (!*order) return CT_ELIMIT;
    lapack_int n = (lapack_int)a->rows;
    *pivot = LAPACK(LAPACKE_dgetrf_work)(LAPACK_COL_MAJOR, n, n, a->v, n, *order);
    return CT_OK;
}

static ct_status refuse_singular(ct__job *j, int32_t pivot) {
    return ct_fail(
        j->e, CT_EDATA,
        "%s: a is singular (pivot %d is 0); wanted a matrix of full rank; use ct_matrix_least_squares",
        j->name, pivot - 1);
}

static ct_status solve(ct__job *j, const ct_array *a, const ct_array *b, ct_array *x) {
    ct__matrix f, r;
    int32_t *order, pivot;
    ct_status s = ct__matrix_load_square(j, a, &f);
    if (!s) s = ct__matrix_load(j, b, "b", 1, &r);
    if (!s && r.rows != f.rows)
        s = ct_fail(j->e, CT_EUSAGE, "%s: b has %lld rows; wanted %lld, as a; give a row for each of a's",
                    j->name, (long long)r.rows, (long long)f.rows);
    if (!s) s = factor(j, &f, &order, &pivot);
    if (!s && pivot) s = refuse_singular(j, pivot);
    if (s) return s;
    lapack_int n = (lapack_int)f.rows;
    LAPACK(LAPACKE_dgetrs_work)(LAPACK_COL_MAJOR, 'N', n, (lapack_int)r.cols, f.v, n, order, r.v, n);
    return ct__matrix_store(j, &r, ct__result_type(a, b), b->rank, x);
}

ct_status ct_matrix_solve(const ct_maths *m, const ct_array *a, const ct_array *b, ct_array *x, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "matrix_solve", e);
    if (!s) s = solve(&j, a, b, x);
    ct__job_end(&j);
    return s;
}

/* Against the columns of the unit matrix: as accurate as a solution, each column by itself. */
static ct_status inverse(ct__job *j, const ct_array *a, ct_array *out) {
    ct__matrix f, r = {0};
    int32_t *order, pivot;
    ct_status s = ct__matrix_load_square(j, a, &f);
    if (!s) s = ct__matrix_new(j, f.rows, f.rows, &r);
    if (!s) s = factor(j, &f, &order, &pivot);
    if (!s && pivot) s = refuse_singular(j, pivot);
    if (s) return s;
    lapack_int n = (lapack_int)f.rows;
    for (int64_t i = 0; i < f.rows; i++) r.v[i + i * r.rows] = 1;
    LAPACK(LAPACKE_dgetrs_work)(LAPACK_COL_MAJOR, 'N', n, n, f.v, n, order, r.v, n);
    return ct__matrix_store(j, &r, ct__result_type(a, NULL), 2, out);
}

ct_status ct_matrix_inverse(const ct_maths *m, const ct_array *a, ct_array *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "matrix_inverse", e);
    if (!s) s = inverse(&j, a, out);
    ct__job_end(&j);
    return s;
}

/* The product of U's diagonal with the sign of the permutation, as sign, mantissa and power of two: it does not
 * overflow on the way. */
typedef struct determinant {
    double sign, mantissa;
    int64_t exponent;
    double log;
} determinant;

static ct_status determine(ct__job *j, const ct_array *a, determinant *d) {
    ct__matrix f;
    int32_t *order, pivot;
    ct_status s = ct__matrix_load_square(j, a, &f);
    if (!s) s = factor(j, &f, &order, &pivot);
    double *logs = s ? NULL : ct__job_doubles(j, f.rows, 1);
    if (!logs) return s ? s : CT_ELIMIT;
    *d = (determinant){1, 1, 0, 0};
    for (int64_t i = 0; i < f.rows; i++) {
        double u = f.v[i + i * f.rows];
        int power = 0;
        if (order[i] != i + 1) d->sign = -d->sign;
        if (u < 0) d->sign = -d->sign;
        d->mantissa = frexp(d->mantissa * fabs(u), &power);
        d->exponent += power;
        logs[i] = log(fabs(u));
    }
    d->log = ct__sum(logs, f.rows);
    if (pivot) *d = (determinant){0, 0, 0, -INFINITY};
    return CT_OK;
}

ct_status ct_matrix_determinant(const ct_maths *m, const ct_array *a, double *out, ct_err *e) {
    ct__job j;
    determinant d;
    ct_status s = ct__job_begin(&j, m, "matrix_determinant", e);
    if (!s) s = determine(&j, a, &d);
    if (!s) *out = d.sign * scalbln(d.mantissa, (long)d.exponent);
    ct__job_end(&j);
    return s;
}

ct_status ct_matrix_log_determinant(const ct_maths *m, const ct_array *a, double *sign, double *logarithm,
                                    ct_err *e) {
    ct__job j;
    determinant d;
    ct_status s = ct__job_begin(&j, m, "matrix_log_determinant", e);
    if (!s) s = determine(&j, a, &d);
    if (!s) {
        *sign = d.sign;
        *logarithm = d.log;
    }
    ct__job_end(&j);
    return s;
}
