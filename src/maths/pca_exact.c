/* pca_exact.c: principal components of all the data: by singular values, or by the covariance matrix.
 *
 * Singular values work on the data itself. With more records than features it is first reduced to a triangle, X = Q R
 * (Householder), whose singular values and right vectors are those of X: a block of rows at a time is put under the
 * triangle so far and reduced to a triangle again (Demmel, Grigori, Hoemmen, Langou 2012), so neither a copy of X nor
 * Q is ever made.
 * The covariance matrix X'X / (N - 1) is summed in blocks of centred rows; small values lose digits, as squaring
 * halves them, but it takes a fraction of the time. */
#include "maths/lapack.h"
#include "maths/pca.h"

#include <math.h>
#include <string.h>

static ct_status results_new(ct__job *j, ct__pca *p, int64_t found) {
    p->found = found;
    p->vectors = ct__job_doubles(j, found, p->rows.d);
    p->variance = ct__job_doubles(j, found, 1);
    p->singular = ct__job_doubles(j, found, 1);
    return p->vectors && p->variance && p->singular ? CT_OK : CT_ELIMIT;
}

/* ---- singular values ---- */

/* A triangle R [D,D], upper, by columns, and a block of rows below it become the triangle of both: LAPACK's dtpqrt
 * uses that R is one. */
typedef struct triangle {
    const ct__rows *r;
    double *all;      /* [lanes,D,D] */
    double *block;    /* [lanes,D,block]: the rows by columns */
    double *t, *work; /* [lanes,panel,D] */
    lapack_int panel;
} triangle;

static void turn(const double *rows, int64_t count, int64_t d, double *out) {
    for (int64_t from = 0; from < d; from += 8) /* eight columns of a cache line at a time */
        for (int64_t i = 0; i < count; i++)
            for (int64_t k = from; k < from + 8 && k < d; k++) out[k * count + i] = rows[i * d + k];
}

static ct_status add_rows(void *user, int64_t lane, int64_t from, int64_t count, const double *block,
                          ct_err *e) {
    const triangle *t = user;
    int64_t d = t->r->d, panel = (int64_t)t->panel;
    double *all = t->all + lane * d * d, *b = t->block + lane * d * t->r->block;
    (void)from, (void)e;
    turn(block, count, d, b);
    LAPACK(LAPACKE_dtpqrt_work)
    (LAPACK_COL_MAJOR, (lapack_int)count, (lapack_int)d, 0, t->panel, all, (lapack_int)d, b,
     (lapack_int)count, t->t + lane * panel * d, t->panel, t->work + lane * panel * d);
    return CT_OK;
}

static void merge_triangles(const triangle *t, int64_t lanes) {
    int64_t d = t->r->d;
    for (int64_t l = 1; l < lanes; l++) /* the lower part of the one below is zero: trapezoidal with d rows */
        LAPACK(LAPACKE_dtpqrt_work)
    (LAPACK_COL_MAJOR, (lapack_int)d, (lapack_int)d, (lapack_int)d, t->panel, t->all, (lapack_int)d,
     t->all + l * d * d, (lapack_int)d, t->t, t->panel, t->work);
}

ct_status ct__pca_triangle(ct__job *j, const ct__rows *r, ct__matrix *out) {
    int64_t d = r->d, lanes = ct__rows_lanes(r, (INT64_C(1) << 23) / (d * d) + 1), panel = d < 32 ? d : 32;
    triangle t = {.r = r, .panel = (lapack_int)panel};
    t.all = ct__job_doubles(j, lanes, d * d);
    t.block = ct__job_doubles(j, lanes, d * r->block);
    t.t = ct__job_doubles(j, lanes, panel * d);
    t.work = ct__job_doubles(j, lanes, panel * d);
    if (!t.all || !t.block || !t.t || !t.work) return CT_ELIMIT;
    ct_status s = ct__rows_walk(j, r, lanes, 2 * (double)r->n * (double)d * (double)d, add_rows, &t);
    if (!s) merge_triangles(&t, lanes);
    *out = (ct__matrix){t.all, d, d};
    return s;
}

/* x [D,N] by columns: our rows one after the other. */
static ct_status whole(ct__job *j, const ct__rows *r, ct__matrix *x) {
    ct_status s = ct__matrix_new(j, r->d, r->n, x);
    for (int64_t i = 0; !s && i < r->n; i += r->block)
        s = ct__rows_read(r, i, r->n - i < r->block ? r->n - i : r->block, x->v + i * r->d, j->e);
    return s;
}

ct_status ct__pca_svd(ct__job *j, ct__pca *p) {
    const ct__rows *r = &p->rows;
    ct__matrix x, left, right;
    int tall = r->n > r->d;
    ct_status s = results_new(j, p, p->most);
    if (!s) s = tall ? ct__pca_triangle(j, r, &x) : whole(j, r, &x);
    if (!s) s = ct__svd(j, &x, &left, p->singular, &right);
    if (s) return s;
    for (int64_t k = 0; k < p->most; k++) {
        for (int64_t i = 0; i < r->d; i++) /* X' = V s U': v by columns; R = U s V': v' by columns */
            p->vectors[k * r->d + i] = tall ? right.v[k + i * r->d] : left.v[i + k * r->d];
        p->variance[k] = p->singular[k] * p->singular[k] / (double)(r->n - 1);
    }
    p->total = ct__sum(p->variance, p->most);
    return CT_OK;
}

/* ---- covariance ---- */

typedef struct gram {
    const ct__rows *r;
    ct__column_sums *c;
    double *sum;      /* [lanes,D,D], upper triangles */
    float *block;     /* [lanes,block,D], and */
    float *part;      /* [lanes,D,D], for f32 data: of the last few blocks */
    int32_t *pending; /* [lanes]: how many */
} gram;

#define SINGLE_BLOCKS 4 /* about 1,300 rows of 784 features: sums in f32 stay short */

static void flush(const gram *g, int64_t lane) {
    int64_t d = g->r->d;
    const float *part = g->part + lane * d * d;
    double *sum = g->sum + lane * d * d;
    for (int64_t i = 0; i < d; i++)
        for (int64_t k = i; k < d; k++) sum[i * d + k] += (double)part[i * d + k];
    g->pending[lane] = 0;
}

/* sum += B'B; f32 data in f32, a few blocks at a time, added up in f64. */
static ct_status add_gram(void *user, int64_t lane, int64_t from, int64_t count, const double *block,
                          ct_err *e) {
    const gram *g = user;
    int d = (int)g->r->d, n = (int)count;
    (void)from, (void)e;
    ct__column_sums_add(g->c, lane, count, block, 0);
    if (!g->block) {
        LAPACK(cblas_dsyrk)
        (CblasRowMajor, CblasUpper, CblasTrans, d, n, 1, block, d, 1, g->sum + lane * d * d, d);
        return CT_OK;
    }
    float *single = g->block + lane * g->r->block * d, old = g->pending[lane] ? 1 : 0;
    ct__rows_single(block, count * d, single);
    LAPACK(cblas_ssyrk)
    (CblasRowMajor, CblasUpper, CblasTrans, d, n, 1, single, d, old, g->part + lane * d * d, d);
    if (++g->pending[lane] == SINGLE_BLOCKS) flush(g, lane);
    return CT_OK;
}

/* With x' = x - c, c near the mean: C = (sum x'x'' - n delta delta') / (n - 1), delta the mean of x'. */
static ct_status finish_gram(ct__job *j, ct__pca *p, gram *g, int64_t lanes) {
    int64_t d = p->rows.d, n = p->rows.n, at;
    double *delta = ct__job_doubles(j, d, 1);
    ct_status s = delta ? ct__column_sums_total(j, g->c, delta) : CT_ELIMIT;
    if (s) return s;
    if (ct__find_nonfinite(delta, d, &at)) return ct__rows_refuse(j, &p->rows);
    for (int64_t l = 0; g->part && l < lanes; l++)
        if (g->pending[l]) flush(g, l);
    for (int64_t l = 1; l < lanes; l++)
        for (int64_t i = 0; i < d * d; i++) g->sum[i] += g->sum[l * d * d + i];
    for (int64_t k = 0; k < d; k++) {
        delta[k] /= (double)n;
        p->mean[k] += p->scale ? 0 : delta[k];
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t k = i; k < d; k++)
            g->sum[i * d + k] = (g->sum[i * d + k] - (double)n * delta[i] * delta[k]) / (double)(n - 1);
    return ct__find_nonfinite(g->sum, d * d, &at) ? ct__rows_refuse(j, &p->rows) : CT_OK;
}

#define SAMPLE 256

/* The covariance matrix, as LAPACK's lower triangle by columns, which is our upper one by rows. */
static ct_status covariance(ct__job *j, ct__pca *p, ct__matrix *out) {
    const ct__rows *r = &p->rows;
    int64_t d = r->d, lanes = ct__rows_lanes(r, (INT64_C(1) << 23) / (d * d) + 1),
            few = r->n < SAMPLE ? r->n : SAMPLE;
    ct__column_sums c;
    gram g = {.r = r, .c = &c, .sum = ct__job_doubles(j, lanes, d * d)};
    double *sample = ct__job_doubles(j, few, d);
    if (!g.sum || !sample) return CT_ELIMIT;
    if (r->x->dtype == CT_F32) {
        g.block = ct__job_floats(j, lanes, r->block * d);
        g.part = ct__job_floats(j, lanes, d * d);
        g.pending = ct__job_ints(j, lanes);
        if (!g.block || !g.part || !g.pending) return CT_ELIMIT;
    }
    ct_status s = ct__column_sums_new(j, lanes, d, &c);
    if (!s) s = ct__rows_sample(j, r, few, 0, sample);
    if (!s) s = ct__pca_guess(j, p, sample, few);
    if (!s) s = ct__rows_walk(j, r, lanes, (double)r->n * (double)d * (double)d, add_gram, &g);
    *out = (ct__matrix){g.sum, d, d};
    return s ? s : finish_gram(j, p, &g, lanes);
}

ct_status ct__pca_covariance(ct__job *j, ct__pca *p) {
    ct__matrix c;
    int64_t d = p->rows.d;
    ct_status s = results_new(j, p, d);
    double *w = s ? NULL : ct__job_doubles(j, d, 1);
    if (!w) return s ? s : CT_ELIMIT;
    s = covariance(j, p, &c);
    if (!s) s = ct__eigen_symmetric(j, &c, w, 1);
    if (s) return s;
    p->found = p->most; /* with fewer records than features the rest are zeros */
    for (int64_t k = 0; k < p->found; k++) {
        p->variance[k] = fmax(w[d - 1 - k], 0);
        p->singular[k] = sqrt(p->variance[k] * (double)(p->rows.n - 1));
        memcpy(p->vectors + k * d, c.v + (d - 1 - k) * d, (size_t)d * sizeof *c.v);
    }
    p->total = ct__sum(p->variance, p->found);
    return CT_OK;
}
