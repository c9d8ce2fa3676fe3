/* eigen.c: eigenvalues and eigenvectors, A v = w v.
 *
 * A symmetric matrix has real eigenvalues and orthonormal vectors (LAPACK's dsyevd, divide and conquer). Any other
 * square matrix may have conjugate pairs (dgeev: Hessenberg form, QR iteration); LAPACK packs the vectors of a
 * pair as two real columns, re and im, which are spread here. */
#include "maths/lapack.h"
#include "maths/maths.h"

#include <math.h>

/* ---- symmetric ---- */

/* dsyevd: 1 + 6 n + 2 n^2 for vectors, and panels of up to 64 columns. */
ct_status ct__eigen_symmetric_room(ct__job *j, int64_t n, int vectors) {
    double k = (double)n;
    return ct__lapack_room(j, 1 + (vectors ? 2 * k * k : 0) + 72 * k);
}

ct_status ct__eigen_symmetric(ct__job *j, ct__matrix *a, double *w, int vectors) {
    lapack_int n = (lapack_int)a->rows, whole = 0;
    double want = 0;
    char job = vectors ? 'V' : 'N';
    ct_status s = ct__eigen_symmetric_room(j, n, vectors);
    if (s) return s;
    LAPACK(LAPACKE_dsyevd_work)(LAPACK_COL_MAJOR, job, 'L', n, a->v, n, w, &want, -1, &whole, -1);
    s = ct__lapack_room(j, want);
    if (s) return s;
    double *work = ct__job_doubles(j, (int64_t)want, 1);
    int32_t *iwork = ct__job_ints(j, whole);
    if (!work || !iwork) return CT_ELIMIT;
    if (LAPACK(LAPACKE_dsyevd_work)(LAPACK_COL_MAJOR, job, 'L', n, a->v, n, w, work, (lapack_int)want, iwork,
                                    whole) == 0)
        return CT_OK;
    return ct_fail(
        j->e, CT_EINTERNAL,
        "%s: the eigenvalues did not converge; wanted a scaled matrix; divide by its largest element",
        j->name);
}

ct_status ct__check_symmetric(ct__job *j, const ct__matrix *a, int32_t type) {
    double largest = 0, share = type == CT_F32 ? 1e-4 : 1e-8;
    for (int64_t i = 0; i < a->rows * a->cols; i++) largest = fmax(largest, fabs(a->v[i]));
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t k = 0; k < i; k++) {
            double below = a->v[i + k * a->rows], above = a->v[k + i * a->rows];
            if (fabs(below - above) > share * largest)
                return ct_fail(
                    j->e, CT_EDATA,
                    "%s: a[%lld,%lld] is %.9g, a[%lld,%lld] is %.9g; wanted a symmetric matrix; use (a + "
                    "a')/2, or a function for any matrix",
                    j->name, (long long)i, (long long)k, below, (long long)k, (long long)i, above);
        }
    return CT_OK;
}

static ct_status symmetric(ct__job *j, const ct_array *a, ct_array *values, ct_array *vectors) {
    ct__matrix x;
    ct_array w = {0};
    ct_status s = ct__array_check(j, a, "a", 2, 2);
    if (!s) s = ct__eigen_symmetric_room(j, a->dim[0], vectors != NULL);
    if (!s) s = ct__matrix_load_square(j, a, &x);
    double *v = s ? NULL : ct__job_doubles(j, x.rows, 1);
    if (!v) return s ? s : CT_ELIMIT;
    int32_t type = ct__result_type(a, NULL);
    s = ct__check_symmetric(j, &x, a->dtype);
    if (!s) s = ct__eigen_symmetric(j, &x, v, vectors != NULL);
    if (!s) s = ct__vector_store(j, v, x.rows, type, &w);
    if (!s && vectors) s = ct__matrix_store(j, &x, type, 2, vectors);
    if (s)
        ct_array_free(&w);
    else
        *values = w;
    return s;
}

ct_status ct_matrix_eigen_symmetric(const ct_maths *m, const ct_array *a, ct_array *values, ct_array *vectors,
                                    ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "matrix_eigen_symmetric", e);
    if (!s) s = symmetric(&j, a, values, vectors);
    ct__job_end(&j);
    return s;
}

/* ---- general ---- */

typedef struct spectrum {
    ct__matrix a, packed, re, im;
    double *w, *wi;
} spectrum;

static ct_status general(ct__job *j, spectrum *p) {
    lapack_int n = (lapack_int)p->a.rows;
    double want = 0;
    ct_status s = ct__lapack_room(j, 72.0 * n); /* 4 n, and panels of up to 64 columns */
    if (s) return s;
    LAPACK(LAPACKE_dgeev_work)
    (LAPACK_COL_MAJOR, 'N', 'V', n, p->a.v, n, p->w, p->wi, NULL, 1, p->packed.v, n, &want, -1);
    s = ct__lapack_room(j, want);
    if (s) return s;
    double *work = ct__job_doubles(j, (int64_t)want, 1);
    if (!work) return CT_ELIMIT;
    if (LAPACK(LAPACKE_dgeev_work)(LAPACK_COL_MAJOR, 'N', 'V', n, p->a.v, n, p->w, p->wi, NULL, 1,
                                   p->packed.v, n, work, (lapack_int)want) == 0)
        return CT_OK;
    return ct_fail(
        j->e, CT_EINTERNAL,
        "%s: the eigenvalues did not converge; wanted a scaled matrix; divide by its largest element",
        j->name);
}

/* Columns k and k+1 of a pair hold re and im of the vector with the positive imaginary part. */
static int64_t spread(spectrum *p) {
    int64_t n = p->a.rows, pairs = 0;
    for (int64_t k = 0; k < n; k++) {
        int first = p->wi[k] > 0, second = p->wi[k] < 0;
        pairs += first || second;
        for (int64_t i = 0; i < n; i++) {
            p->re.v[i + k * n] = p->packed.v[i + (second ? k - 1 : k) * n];
            if (first || second)
                p->im.v[i + k * n] = second ? -p->packed.v[i + k * n] : p->packed.v[i + (k + 1) * n];
        }
    }
    return pairs;
}

static ct_status eigen(ct__job *j, const ct_array *a, ct_eigen *out) {
    spectrum p = {0};
    ct_status s = ct__matrix_load_square(j, a, &p.a);
    int64_t n = p.a.rows;
    if (!s) s = ct__matrix_new(j, n, n, &p.packed);
    if (!s) s = ct__matrix_new(j, n, n, &p.re);
    if (!s) s = ct__matrix_new(j, n, n, &p.im);
    p.w = s ? NULL : ct__job_doubles(j, n, 1);
    p.wi = s ? NULL : ct__job_doubles(j, n, 1);
    if (!p.w || !p.wi) return s ? s : CT_ELIMIT;
    s = general(j, &p);
    if (s) return s;
    int32_t type = ct__result_type(a, NULL);
    out->complex_count = spread(&p);
    s = ct__vector_store(j, p.w, n, type, &out->values);
    if (!s) s = ct__vector_store(j, p.wi, n, type, &out->values_im);
    if (!s) s = ct__matrix_store(j, &p.re, type, 2, &out->vectors);
    if (!s) s = ct__matrix_store(j, &p.im, type, 2, &out->vectors_im);
    return s;
}

ct_status ct_matrix_eigen(const ct_maths *m, const ct_array *a, ct_eigen *out, ct_err *e) {
    ct__job j;
    ct_eigen v = {0};
    ct_status s = ct__job_begin(&j, m, "matrix_eigen", e);
    if (!s) s = eigen(&j, a, &v);
    if (s)
        ct_eigen_free(&v);
    else
        *out = v;
    ct__job_end(&j);
    return s;
}

void ct_eigen_free(ct_eigen *v) {
    if (!v) return;
    ct_array_free(&v->values);
    ct_array_free(&v->values_im);
    ct_array_free(&v->vectors);
    ct_array_free(&v->vectors_im);
    v->complex_count = 0;
}
