/* least_squares.c: min |A x - b| of any rank by singular values (LAPACK's dgelsd): the shortest x. What remains is
 * computed anew from the data, not from the factors, and summed with compensation. */
#include "maths/lapack.h"
#include "maths/maths.h"

#include <math.h>
#include <string.h>

typedef struct problem {
    ct__matrix a, b, x; /* [M,N], [M,P], [max(M,N),P]: b above, then the solution */
    double *singular;
    int64_t k;
    int32_t rank;
} problem;

static ct_status prepare(ct__job *j, const ct_array *a, const ct_array *b, problem *p) {
    ct_status s = ct__array_check(j, a, "a", 2, 2);
    if (!s) s = ct__matrix_load(j, a, "a", 1, &p->a);
    if (!s) s = ct__matrix_load(j, b, "b", 1, &p->b);
    if (s) return s;
    if (p->b.rows != p->a.rows)
        return ct_fail(j->e, CT_EUSAGE, "%s: b has %lld rows; wanted %lld, as a; give a row for each of a's",
                       j->name, (long long)p->b.rows, (long long)p->a.rows);
    p->k = p->a.rows < p->a.cols ? p->a.rows : p->a.cols;
    p->singular = ct__job_doubles(j, p->k, 1);
    if (!p->singular) return CT_ELIMIT;
    s = ct__matrix_new(j, p->a.rows > p->a.cols ? p->a.rows : p->a.cols, p->b.cols, &p->x);
    for (int64_t c = 0; !s && c < p->b.cols; c++)
        memcpy(p->x.v + c * p->x.rows, p->b.v + c * p->b.rows, (size_t)p->b.rows * sizeof *p->b.v);
    return s;
}

static ct_status run(ct__job *j, problem *p, double share) {
    lapack_int rows = (lapack_int)p->a.rows, cols = (lapack_int)p->a.cols, columns = (lapack_int)p->b.cols,
               room = (lapack_int)p->x.rows, whole = 0;
    double want = 0;
    ct__matrix copy; /* the routine overwrites it */
    /* dgelsd, with leaves of 25 and at most 31 levels; panels of up to 64 columns */
    ct_status s = ct__lapack_room(j, (double)p->k * (12 + 50 + 8 * 31 + (double)columns) +
                                         64 * ((double)rows + cols + columns) + 676);
    if (!s) s = ct__matrix_new(j, p->a.rows, p->a.cols, &copy);
    if (s) return s;
    memcpy(copy.v, p->a.v, (size_t)(p->a.rows * p->a.cols) * sizeof *copy.v);
    LAPACK(LAPACKE_dgelsd_work)
    (LAPACK_COL_MAJOR, rows, cols, columns, copy.v, rows, p->x.v, room, p->singular, share, &p->rank, &want,
     -1, &whole);
    s = ct__lapack_room(j, want);
    if (s) return s;
    double *work = ct__job_doubles(j, (int64_t)want, 1);
    int32_t *iwork = ct__job_ints(j, whole);
    if (!work || !iwork) return CT_ELIMIT;
    if (LAPACK(LAPACKE_dgelsd_work)(LAPACK_COL_MAJOR, rows, cols, columns, copy.v, rows, p->x.v, room,
                                    p->singular, share, &p->rank, work, (lapack_int)want, iwork) == 0)
        return CT_OK;
    return ct_fail(
        j->e, CT_EINTERNAL,
        "%s: the singular values did not converge; wanted a scaled matrix; divide by its largest element",
        j->name);
}

/* |a x - b|^2 of column c */
static double remains(const problem *p, int64_t c, double *row) {
    double sum = 0, lost = 0;
    for (int64_t i = 0; i < p->a.rows; i++) {
        for (int64_t k = 0; k < p->a.cols; k++) row[k] = p->a.v[i + k * p->a.rows];
        double r = ct__dot(row, p->x.v + c * p->x.rows, p->a.cols) - p->b.v[i + c * p->b.rows],
               t = sum + r * r;
        lost += fabs(sum) >= r * r ? (sum - t) + r * r : (r * r - t) + sum;
        sum = t;
    }
    return sum + lost;
}

static ct_status store(ct__job *j, const problem *p, int32_t type, int32_t rank, ct_least_squares *out) {
    ct__matrix x;
    double *residual = ct__job_doubles(j, p->b.cols, 1), *row = ct__job_doubles(j, p->a.cols, 1);
    if (!residual || !row) return CT_ELIMIT;
    ct_status s = ct__matrix_new(j, p->a.cols, p->b.cols, &x);
    for (int64_t c = 0; !s && c < x.cols; c++) {
        memcpy(x.v + c * x.rows, p->x.v + c * p->x.rows, (size_t)x.rows * sizeof *x.v);
        residual[c] = remains(p, c, row);
    }
    if (!s) s = ct__matrix_store(j, &x, type, rank, &out->x);
    if (!s) s = ct__vector_store(j, residual, p->b.cols, type, &out->residual);
    if (!s) s = ct__vector_store(j, p->singular, p->k, type, &out->singular);
    out->rank = p->rank;
    return s;
}

ct_status ct_matrix_least_squares(const ct_maths *m, const ct_array *a, const ct_array *b, double tolerance,
                                  ct_least_squares *out, ct_err *e) {
    ct__job j;
    problem p = {0};
    ct_least_squares result = {0};
    ct_status s = ct__job_begin(&j, m, "matrix_least_squares", e);
    if (!s && !(tolerance >= 0 && tolerance < 1))
        s = ct_fail(e, CT_EUSAGE, "%s: tolerance %g; wanted 0 (the default) or a share below 1; give 0",
                    j.name, tolerance);
    if (!s) s = prepare(&j, a, b, &p);
    int32_t type = s ? CT_F64 : ct__result_type(a, b);
    double longest = (double)(p.a.rows > p.a.cols ? p.a.rows : p.a.cols);
    if (!s) s = run(&j, &p, tolerance > 0 ? tolerance : longest * ct__precision(type));
    if (!s) s = store(&j, &p, type, b->rank, &result);
    if (s)
        ct_least_squares_free(&result);
    else
        *out = result;
    ct__job_end(&j);
    return s;
}

void ct_least_squares_free(ct_least_squares *l) {
    if (!l) return;
    ct_array_free(&l->x);
    ct_array_free(&l->residual);
    ct_array_free(&l->singular);
    l->rank = 0;
}
