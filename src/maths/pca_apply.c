/* pca_apply.c: scores of records, records of scores, and what is lost between: block by block, on all threads.
 *
 *     scores = ((x - mean) / scale) V / deviation       x = (scores * deviation) V' * scale + mean
 *
 * with deviation = sqrt(variance) when whitened, else 1. */
#include "maths/lapack.h"
#include "maths/pca.h"

#include <math.h>

typedef struct apply {
    ct__rows rows;
    const ct_pca *p;
    int64_t d, k;
    double *deviation;                     /* [K], or NULL */
    double *out;                           /* of the transform */
    double *scores, *back, *square, *lost; /* of the error: [lanes,block,K], [lanes,block,D], [lanes] */
} apply;

ct_status ct__pca_check(ct__job *j, const ct_pca *p) {
    if (p && p->components.data && p->mean.data && p->variance.data && p->components.rank == 2 &&
        p->components.dtype == CT_F64 && p->mean.dtype == CT_F64 && p->variance.dtype == CT_F64 &&
        p->mean.rank == 1 && p->variance.rank == 1 && p->components.dim[1] == p->mean.dim[0] &&
        p->components.dim[0] == p->variance.dim[0] &&
        (!p->scale.data || (p->scale.dtype == CT_F64 && p->scale.rank == 1 &&
                            p->scale.dim[0] == p->mean.dim[0] && ct_array_contiguous(&p->scale))) &&
        ct_array_contiguous(&p->components) && ct_array_contiguous(&p->mean) &&
        ct_array_contiguous(&p->variance))
        return CT_OK;
    return ct_fail(j->e, CT_EUSAGE,
                   "%s: the components are not fitted (or freed); wanted what ct_pca_fit gives; fit first",
                   j->name);
}

static ct_status prepare(ct__job *j, const ct_pca *p, apply *a) {
    ct_status s = ct__pca_check(j, p);
    if (s) return s;
    a->p = p;
    a->k = p->components.dim[0];
    a->d = p->components.dim[1];
    if (!p->whiten) return CT_OK;
    a->deviation = ct__job_doubles(j, a->k, 1);
    if (!a->deviation) return CT_ELIMIT;
    for (int64_t i = 0; i < a->k; i++) a->deviation[i] = sqrt(((const double *)p->variance.data)[i]);
    return CT_OK;
}

static ct_status open_rows(ct__job *j, const ct_pca *p, const ct_array *x, apply *a) {
    ct_status s = prepare(j, p, a);
    if (!s) s = ct__rows_open(j, x, "x", 1, &a->rows);
    if (!s && a->rows.d != a->d)
        return ct_fail(j->e, CT_EUSAGE,
                       "%s: x has %lld features; wanted %lld, as the components; give the features of the "
                       "fit, in their order",
                       j->name, (long long)a->rows.d, (long long)a->d);
    a->rows.mean = p->mean.data;
    a->rows.scale = p->scale.data;
    return s;
}

static void scores_of(const apply *a, const double *block, int64_t count, double *out) {
    LAPACK(cblas_dgemm)
    (CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)a->k, (int)a->d, 1, block, (int)a->d,
     a->p->components.data, (int)a->d, 0, out, (int)a->k);
    for (int64_t i = 0; a->deviation && i < count; i++)
        for (int64_t k = 0; k < a->k; k++)
            out[i * a->k + k] = a->deviation[k] > 0 ? out[i * a->k + k] / a->deviation[k] : 0;
}

static ct_status transform_block(void *user, int64_t lane, int64_t from, int64_t count, const double *block,
                                 ct_err *e) {
    const apply *a = user;
    (void)lane, (void)e;
    scores_of(a, block, count, a->out + from * a->k);
    return CT_OK;
}

static ct_status transform(ct__job *j, const ct_pca *p, const ct_array *x, ct_array *out) {
    apply a = {0};
    ct_array y = {0};
    ct_status s = open_rows(j, p, x, &a);
    if (!s) s = ct_array_new(j->allocator, CT_F64, CT_SHAPE(a.rows.n, a.k), &y, j->e);
    if (s) return s;
    a.out = y.data;
    s = ct__rows_walk(j, &a.rows, ct__rows_lanes(&a.rows, 8),
                      2 * (double)a.rows.n * (double)a.d * (double)a.k, transform_block, &a);
    int64_t at;
    if (!s && ct__find_nonfinite(y.data, a.rows.n * a.k, &at))
        s = ct_fail(j->e, CT_ENONFINITE,
                    "%s: record %lld holds a number that is not finite; wanted finite ones; remove it",
                    j->name, (long long)(at / a.k));
    if (s)
        ct_array_free(&y);
    else
        *out = y;
    return s;
}

ct_status ct_pca_transform(const ct_maths *m, const ct_pca *p, const ct_array *x, ct_array *scores,
                           ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "pca_transform", e);
    if (!s) s = transform(&j, p, x, scores);
    ct__job_end(&j);
    return s;
}

/* ---- and back ---- */

/* scores [count,K] are overwritten; x [count,D] in the components' own (scaled, centred) units */
static void records_of(const apply *a, double *scores, int64_t count, double *x) {
    for (int64_t i = 0; a->deviation && i < count; i++)
        for (int64_t k = 0; k < a->k; k++) scores[i * a->k + k] *= a->deviation[k];
    LAPACK(cblas_dgemm)
    (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, (int)a->d, (int)a->k, 1, scores, (int)a->k,
     a->p->components.data, (int)a->d, 0, x, (int)a->d);
}

static ct_status inverse_block(void *user, int64_t lane, int64_t from, int64_t count, const double *block,
                               ct_err *e) {
    const apply *a = user;
    const double *mean = a->p->mean.data, *scale = a->p->scale.data;
    double *x = a->out + from * a->d;
    int64_t at;
    (void)lane;
    if (ct__find_nonfinite(block, count * a->k, &at))
        return ct_fail(e, CT_ENONFINITE,
                       "pca_inverse: scores of record %lld hold a number that is not finite; wanted finite "
                       "ones; remove or replace it",
                       (long long)(from + at / a->k));
    records_of(a, (double *)(uintptr_t)block, count, x);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < a->d; k++)
            x[i * a->d + k] = x[i * a->d + k] * (scale ? scale[k] : 1) + mean[k];
    return CT_OK;
}

static ct_status inverse(ct__job *j, const ct_pca *p, const ct_array *scores, ct_array *out) {
    apply a = {0};
    ct_array x = {0};
    ct_status s = prepare(j, p, &a);
    if (!s) s = ct__rows_open(j, scores, "scores", 1, &a.rows);
    if (!s && a.rows.d != a.k)
        s = ct_fail(
            j->e, CT_EUSAGE,
            "%s: scores have %lld columns; wanted %lld, one a component; give what ct_pca_transform made",
            j->name, (long long)a.rows.d, (long long)a.k);
    if (!s) s = ct_array_new(j->allocator, CT_F64, CT_SHAPE(a.rows.n, a.d), &x, j->e);
    if (s) return s;
    a.out = x.data;
    s = ct__rows_walk(j, &a.rows, ct__rows_lanes(&a.rows, 8),
                      2 * (double)a.rows.n * (double)a.d * (double)a.k, inverse_block, &a);
    if (s)
        ct_array_free(&x);
    else
        *out = x;
    return s;
}

ct_status ct_pca_inverse(const ct_maths *m, const ct_pca *p, const ct_array *scores, ct_array *x, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "pca_inverse", e);
    if (!s) s = inverse(&j, p, scores, x);
    ct__job_end(&j);
    return s;
}

/* ---- what is lost ---- */

static ct_status error_block(void *user, int64_t lane, int64_t from, int64_t count, const double *block,
                             ct_err *e) {
    const apply *a = user;
    const double *scale = a->p->scale.data;
    double *scores = a->scores + lane * a->rows.block * a->k, *back = a->back + lane * a->rows.block * a->d,
           sum = 0;
    (void)from, (void)e;
    scores_of(a, block, count, scores);
    records_of(a, scores, count, back);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < a->d; k++) {
            double off = (back[i * a->d + k] - block[i * a->d + k]) * (scale ? scale[k] : 1);
            sum += off * off;
        }
    double t = a->square[lane] + sum;
    a->lost[lane] += a->square[lane] >= sum ? (a->square[lane] - t) + sum : (sum - t) + a->square[lane];
    a->square[lane] = t;
    return CT_OK;
}

static ct_status lost_of(ct__job *j, const ct_pca *p, const ct_array *x, double *out) {
    apply a = {0};
    ct_status s = open_rows(j, p, x, &a);
    if (s) return s;
    int64_t lanes = ct__rows_lanes(&a.rows, 8);
    a.scores = ct__job_doubles(j, lanes, a.rows.block * a.k);
    a.back = ct__job_doubles(j, lanes, a.rows.block * a.d);
    a.square = ct__job_doubles(j, 2 * lanes, 1);
    if (!a.scores || !a.back || !a.square) return CT_ELIMIT;
    a.lost = a.square + lanes;
    s = ct__rows_walk(j, &a.rows, lanes, 4 * (double)a.rows.n * (double)a.d * (double)a.k, error_block, &a);
    double mean = ct__sum(a.square, 2 * lanes) / ((double)a.rows.n * (double)a.d);
    if (!s && !isfinite(mean))
        s = ct_fail(j->e, CT_ENONFINITE,
                    "%s: x holds a number that is not finite; wanted finite ones; remove or replace it",
                    j->name);
    if (!s) *out = mean;
    return s;
}

ct_status ct_pca_error(const ct_maths *m, const ct_pca *p, const ct_array *x, double *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "pca_error", e);
    if (!s) s = lost_of(&j, p, x, out);
    ct__job_end(&j);
    return s;
}
