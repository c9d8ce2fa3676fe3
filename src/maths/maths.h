/* maths.h: what the files of this room share: a job (scratch memory, error, BLAS held to one thread), dense
 * working copies, and work shared out to threads. */
#ifndef CT_MATHS_MATHS_H
#define CT_MATHS_MATHS_H

#include "cotan/maths.h"

#define CT__EPS 2.220446049250313e-16     /* of f64: 2^-52 */
#define CT__EPS_F32 1.1920928955078125e-7 /* of f32: 2^-23 */

/* ---- a job: one call of a public function ---- */

typedef struct ct__job {
    const ct_allocator *allocator;
    const char *name; /* begins the error's text: "matrix_solve" */
    ct_err *e;
    ct_arena arena; /* freed as a whole by ct__job_end */
    int32_t threads;
    int32_t inside;      /* ct__job_end has something to restore */
    uint32_t mxcsr;      /* of the caller */
    int32_t omp_threads; /* of the caller */
} ct__job;

/* Holds BLAS to one thread and sets the plain floating-point environment (round to nearest, denormals kept)
 * until ct__job_end, which is called whatever happened. */
ct_status ct__job_begin(ct__job *j, const ct_maths *m, const char *name, ct_err *e);
void ct__job_end(ct__job *j);
/* Zeroed memory of the job, [a,b] elements; NULL with the error set. */
double *ct__job_doubles(ct__job *j, int64_t a, int64_t b);
float *ct__job_floats(ct__job *j, int64_t a, int64_t b);
int32_t *ct__job_ints(ct__job *j, int64_t count);
ct_status ct__job_memory(ct__job *j); /* records "out of memory" */
/* Where caller's or pool's thread computes by itself: the same environment, for a task. */
typedef struct ct__env {
    uint32_t mxcsr;
    int32_t omp_threads;
} ct__env;
ct__env ct__env_enter(void);
void ct__env_leave(ct__env v);

/* Run `count` tasks. Which thread runs a task is not determined; below about 2e8 `operations` all run on the
 * caller's. */
typedef ct_status (*ct__task)(void *user, int64_t task, ct_err *e);
ct_status ct__parallel(ct__job *j, int64_t count, double operations, ct__task task, void *user);

/* ---- dense working matrices: column-major, leading dimension = rows, as LAPACK wants them ---- */

typedef struct ct__matrix {
    double *v; /* element (i,j) is v[i + j * rows] */
    int64_t rows, cols;
} ct__matrix;
/* A copy of `a`; a vector is one column. `what` names the argument. Refuses empty arrays, more than two axes,
 * extents beyond LAPACK's 32 bits, and, with `finite`, values that are not finite. */
ct_status ct__matrix_load(ct__job *j, const ct_array *a, const char *what, int finite, ct__matrix *out);
ct_status ct__matrix_load_square(ct__job *j, const ct_array *a, ct__matrix *out);
ct_status ct__matrix_new(ct__job *j, int64_t rows, int64_t cols, ct__matrix *out);
/* A new array of `type` and rank 2, or of rank 1 (then one column or one row). */
ct_status ct__matrix_store(ct__job *j, const ct__matrix *x, int32_t type, int32_t rank, ct_array *out);
ct_status ct__vector_store(ct__job *j, const double *v, int64_t n, int32_t type, ct_array *out);
/* f32 when all of them are (b may be NULL), else f64. */
int32_t ct__result_type(const ct_array *a, const ct_array *b);
double ct__precision(int32_t type);
/* The first element that is not finite: its text into `out`; 0 when there is none. */
int ct__find_nonfinite(const double *v, int64_t count, int64_t *at);
ct_status ct__array_check(ct__job *j, const ct_array *a, const char *what, int32_t rank_low,
                          int32_t rank_high);
/* a as a contiguous vector of doubles, in row-major order. */
ct_status ct__vector_load(ct__job *j, const ct_array *a, const char *what, int finite, double **out,
                          int64_t *n);
ct_status ct__refuse_nonfinite(ct__job *j, const char *what, const ct_array *shape, int64_t at, double value);

/* ---- sums (sum.c) ---- */
double ct__sum(const double *v, int64_t n);
double ct__mean(const double *v, int64_t n); /* finite where all of v are */
double ct__dot(const double *a, const double *b, int64_t n);
/* sqrt(sum v^2), scaled by the largest */
double ct__length(const double *v, int64_t n);

/* ---- products in row blocks ---- */

/* An operand as BLAS takes it, from any strides: where they do not fit, a contiguous copy. f32 or f64. */
typedef struct ct__operand {
    const void *data;
    int64_t rows, cols, ld;
    int32_t transposed; /* element (i,j) is data[j * ld + i] instead of data[i * ld + j] */
    int32_t type;
} ct__operand;
ct_status ct__operand_make(ct__job *j, const ct_array *a, const char *what, int32_t type, int column,
                           ct__operand *out);
/* c [M,P] row-major = a b, cut into fixed blocks of rows. */
ct_status ct__multiply(ct__job *j, const ct__operand *a, const ct__operand *b, void *c);

/* ---- decompositions on working matrices; the input is overwritten ---- */

/* LAPACK counts its workspace in 32 bits and does not notice when that is too few: CT_ELIMIT for more than 2^31 - 1
 * numbers. Asked before a matrix is copied. */
ct_status ct__lapack_room(ct__job *j, double numbers);
ct_status ct__svd_room(ct__job *j, int64_t rows, int64_t cols, int vectors);
ct_status ct__eigen_symmetric_room(ct__job *j, int64_t n, int vectors);

/* a = U diag(s) V': u [M,K], s [K], vt [K,N]; u and vt NULL: values only. */
ct_status ct__svd(ct__job *j, ct__matrix *a, ct__matrix *u, double *s, ct__matrix *vt);
/* Symmetric a (lower triangle) becomes its eigenvectors when `vectors`; w [N] ascending. */
ct_status ct__eigen_symmetric(ct__job *j, ct__matrix *a, double *w, int vectors);
/* To 1e-8 of the largest element (f32: 1e-4), else CT_EDATA. */
ct_status ct__check_symmetric(ct__job *j, const ct__matrix *a, int32_t type);
/* Lower triangle of a becomes L (the upper is left); CT_EDATA when not positive definite. */
ct_status ct__cholesky(ct__job *j, ct__matrix *a);
/* a becomes q [M,K], r [K,N], K = min(M,N); r may be NULL. */
ct_status ct__qr(ct__job *j, ct__matrix *a, ct__matrix *r);

#endif
