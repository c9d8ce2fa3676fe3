/* pca_random.c: a few principal components from a random start and two passes over the data.
 *
 * C, the covariance matrix, is never made; a pass applies it to a few columns, C Q, a block of rows B at a time,
 * B'(B Q). What C Q adds to the directions known so far is the next Q (a block Krylov space: Musco, Musco 2015). In
 * the end, with all Q side by side and W = C Q, Nystroem's approximation
 *
 *     C ~ W (Q'W)^-1 W'  =  F F',   F = W L'^-1,   L L' = Q'W
 *
 * is the largest that fits; the singular values of F, squared, are the variances, its left vectors the components
 * (Tropp, Yurtsever, Udell, Cevher 2017, algorithm 3, with their shift nu). It is better than the eigenvectors of Q'W
 * by half a power of C for nothing.
 *
 * The first Q is where it is won: Krylov's passes on a random sixteenth of the rows cost next to nothing and leave an
 * angle of some hundredths to the true directions, where random columns begin with none of them. Measured on
 * Fashion-MNIST, 60,000 x 784, k = 10: variances to 2e-5 after two passes, 2e-7 after three. Directions that the
 * sample misses are still found, as they are by random columns: later. */
#include "maths/lapack.h"
#include "maths/pca.h"

#include <math.h>
#include <string.h>

#define SAMPLE 2000 /* rows at least */
#define SAMPLE_PASSES 3
#define SINGLE (INT64_C(1) << 24) /* elements: data this large goes through f32 products, exact to 1e-7 */

/* ---- C Q ---- */

typedef struct pass {
    const ct__rows *r;
    int64_t width;
    const double *q;                          /* [width,D] */
    double *y, *w;                            /* [lanes,block,width], [lanes,width,D] */
    float *block_f32, *q_f32, *y_f32, *w_f32; /* the same in f32, w of one block; or NULL */
    ct__column_sums *sums;
    double *square; /* [lanes]: sum of squares; with `sums`, on the first pass over all rows */
} pass;

static void add_single(const pass *p, int64_t lane, int n, const double *block) {
    int d = (int)p->r->d, l = (int)p->width;
    float *b = p->block_f32 + lane * p->r->block * d, *y = p->y_f32 + lane * p->r->block * l,
          *part = p->w_f32 + lane * d * l;
    double *w = p->w + lane * d * l;
    ct__rows_single(block, (int64_t)n * d, b);
    LAPACK(cblas_sgemm)(CblasRowMajor, CblasNoTrans, CblasTrans, n, l, d, 1, b, d, p->q_f32, d, 0, y, l);
    LAPACK(cblas_sgemm)(CblasRowMajor, CblasTrans, CblasNoTrans, l, d, n, 1, y, l, b, d, 0, part, d);
    for (int64_t i = 0; i < (int64_t)d * l; i++) w[i] += (double)part[i];
}

static ct_status add_pass(void *user, int64_t lane, int64_t from, int64_t count, const double *block,
                          ct_err *e) {
    const pass *p = user;
    int d = (int)p->r->d, l = (int)p->width, n = (int)count;
    double *y = p->y + lane * p->r->block * l, *w = p->w + lane * d * l;
    (void)from, (void)e;
    if (p->sums) {
        ct__column_sums_add(p->sums, lane, count, block, 0);
        for (int64_t i = 0; i < count; i++)
            p->square[lane] += LAPACK(cblas_ddot)(d, block + i * d, 1, block + i * d, 1);
    }
    if (p->block_f32) {
        add_single(p, lane, n, block);
        return CT_OK;
    }
    LAPACK(cblas_dgemm)(CblasRowMajor, CblasNoTrans, CblasTrans, n, l, d, 1, block, d, p->q, d, 0, y, l);
    LAPACK(cblas_dgemm)(CblasRowMajor, CblasTrans, CblasNoTrans, l, d, n, 1, y, l, block, d, 1, w, d);
    return CT_OK;
}

static ct_status rooms(ct__job *j, pass *p, int64_t lanes) {
    int64_t d = p->r->d, l = p->width, block = p->r->block;
    p->w = ct__job_doubles(j, lanes, l * d);
    if (!p->w) return CT_ELIMIT;
    if (p->r->n * d < SINGLE) {
        p->y = ct__job_doubles(j, lanes, block * l);
        return p->y ? CT_OK : CT_ELIMIT;
    }
    p->block_f32 = ct__job_floats(j, lanes, block * d);
    p->q_f32 = ct__job_floats(j, l, d);
    p->y_f32 = ct__job_floats(j, lanes, block * l);
    p->w_f32 = ct__job_floats(j, lanes, l * d);
    if (!p->block_f32 || !p->q_f32 || !p->y_f32 || !p->w_f32) return CT_ELIMIT;
    ct__rows_single(p->q, l * d, p->q_f32);
    return CT_OK;
}

typedef struct basis { /* columns one after the other, [D,size] as LAPACK has it; w = C q */
    int64_t d, size;
    double *q, *w;
    double *delta; /* [D]: mean of the rows as they are read, which must be centred by it; NULL: 0 */
    double square; /* sum of squares of the centred rows */
} basis;

/* (B'B - n delta delta') q / (n - 1) */
static void correct(const ct__rows *r, basis *b, int64_t at) {
    for (int64_t i = at; i < b->size; i++) {
        double *w = b->w + i * b->d, dot = b->delta ? ct__dot(b->delta, b->q + i * b->d, b->d) : 0;
        for (int64_t k = 0; k < b->d; k++)
            w[k] = (w[k] - (b->delta ? (double)r->n * dot * b->delta[k] : 0)) / (double)(r->n - 1);
    }
}

static ct_status finish_sums(ct__job *j, const ct__rows *r, basis *b, pass *p, int64_t lanes) {
    int64_t at;
    b->delta = ct__job_doubles(j, b->d, 1);
    ct_status s = b->delta ? ct__column_sums_total(j, p->sums, b->delta) : CT_ELIMIT;
    b->square = ct__sum(p->square, lanes);
    if (!s && (ct__find_nonfinite(b->delta, b->d, &at) || !isfinite(b->square))) s = ct__rows_refuse(j, r);
    for (int64_t k = 0; !s && k < b->d; k++) b->delta[k] /= (double)r->n;
    if (!s) b->square = fmax(b->square - (double)r->n * ct__dot(b->delta, b->delta, b->d), 0);
    return s;
}

/* w = C q for the columns from `at`; `first`: the rows' sums are taken on the way. */
static ct_status apply(ct__job *j, const ct__rows *r, basis *b, int64_t at, int first) {
    int64_t lanes = ct__rows_lanes(r, 8), size = b->d * (b->size - at);
    ct__column_sums sums;
    pass p = {.r = r, .width = b->size - at, .q = b->q + at * b->d};
    ct_status s = rooms(j, &p, lanes);
    if (!s && first) {
        p.sums = &sums;
        p.square = ct__job_doubles(j, lanes, 1);
        s = p.square ? ct__column_sums_new(j, lanes, b->d, &sums) : CT_ELIMIT;
    }
    if (!s) s = ct__rows_walk(j, r, lanes, 4 * (double)r->n * (double)size, add_pass, &p);
    for (int64_t i = 1; !s && i < lanes; i++)
        for (int64_t k = 0; k < size; k++) p.w[k] += p.w[i * size + k];
    if (!s && first) s = finish_sums(j, r, b, &p, lanes);
    if (s) return s;
    memcpy(b->w + at * b->d, p.w, (size_t)size * sizeof *p.w);
    correct(r, b, at);
    return CT_OK;
}

/* ---- the space ---- */

/* The `count` columns at `from` made orthogonal to all of b (twice is enough: Giraud et al. 2005) and to each other,
 * and put behind them. Columns that had nothing new are kept out. */
static ct_status extend(ct__job *j, basis *b, const double *from, int64_t count) {
    int d = (int)b->d;
    double *c = ct__job_doubles(j, b->d, 1), *v = ct__job_doubles(j, b->d, 1);
    if (!c || !v) return CT_ELIMIT;
    for (int64_t i = 0; i < count && b->size < b->d; i++) {
        double before = LAPACK(cblas_dnrm2)(d, from + i * b->d, 1);
        memcpy(v, from + i * b->d, (size_t)b->d * sizeof *v);
        for (int turn = 0; turn < 2 && b->size; turn++) {
            LAPACK(cblas_dgemv)(CblasColMajor, CblasTrans, d, (int)b->size, 1, b->q, d, v, 1, 0, c, 1);
            LAPACK(cblas_dgemv)(CblasColMajor, CblasNoTrans, d, (int)b->size, -1, b->q, d, c, 1, 1, v, 1);
        }
        double after = LAPACK(cblas_dnrm2)(d, v, 1);
        if (!(after > 1e-12 * before)) continue;
        for (int64_t k = 0; k < b->d; k++) b->q[b->size * b->d + k] = v[k] / after;
        b->size++;
    }
    return CT_OK;
}

static ct_status basis_new(ct__job *j, int64_t d, int64_t width, int64_t passes, basis *b) {
    int64_t most = passes < d / width + 1 ? width * passes : d;
    *b = (basis){.d = d};
    b->q = ct__job_doubles(j, most < d ? most : d, d);
    b->w = ct__job_doubles(j, most < d ? most : d, d);
    return b->q && b->w ? CT_OK : CT_ELIMIT;
}

static ct_status krylov(ct__job *j, const ct__rows *r, basis *b, const double *start, int64_t width,
                        int64_t passes, int sums) {
    int64_t at = 0;
    ct_status s = extend(j, b, start, width);
    for (int64_t i = 0; !s && i < passes && at < b->size; i++) {
        s = apply(j, r, b, at, sums && i == 0);
        if (s || i == passes - 1) break;
        int64_t next = b->size;
        s = extend(j, b, b->w + at * b->d, b->size - at);
        at = next;
    }
    return s;
}

/* Nystroem: the first k values (descending) and vectors, [k,D]. The shift nu lies above the rounding of w. */
static ct_status nystroem(ct__job *j, const basis *b, double nu, int64_t k, double *values, double *vectors) {
    int64_t m = b->size, d = b->d;
    ct__matrix t, f = {b->w, d, m}, u, vt;
    ct_status s = ct__matrix_new(j, m, m, &t);
    double *v = s ? NULL : ct__job_doubles(j, m, 1);
    if (!v) return CT_ELIMIT;
    if (!(nu > 0)) nu = 1e-300; /* no variance at all: any directions will do */
    for (int64_t i = 0; i < m * d; i++) b->w[i] += nu * b->q[i];
    LAPACK(cblas_dgemm)
    (CblasColMajor, CblasTrans, CblasNoTrans, (int)m, (int)m, (int)d, 1, b->q, (int)d, b->w, (int)d, 0, t.v,
     (int)m);
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < i; l++) t.v[i + l * m] = (t.v[i + l * m] + t.v[l + i * m]) / 2;
    s = ct__cholesky(j, &t);
    if (s) return s;
    LAPACK(cblas_dtrsm)
    (CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)d, (int)m, 1, t.v, (int)m, f.v,
     (int)d);
    s = ct__svd(j, &f, &u, v, &vt);
    for (int64_t i = 0; !s && i < k; i++) {
        values[i] = fmax(v[i] * v[i] - nu, 0);
        memcpy(vectors + i * d, u.v + i * d, (size_t)d * sizeof *u.v);
    }
    return s;
}

static double shift(const ct__rows *r, double total) { return total * (r->n * r->d < SINGLE ? 1e-14 : 1e-6); }

/* The first columns, [width,D]: the largest directions of a sample of the rows. */
static ct_status begin(ct__job *j, ct__pca *p, int64_t width, double *start) {
    int64_t d = p->rows.d, count = p->rows.n / 16 < SAMPLE ? SAMPLE : p->rows.n / 16;
    if (count > p->rows.n) count = p->rows.n;
    double *sample = ct__job_doubles(j, count, d), *values = ct__job_doubles(j, width, 1);
    if (!sample || !values) return CT_ELIMIT;
    ct_random random = ct_random_stream(p->o.seed, 0);
    for (int64_t i = 0; i < width * d; i++) start[i] = ct_random_normal(&random);
    ct_array view = ct_array_view(sample, CT_F64, CT_SHAPE(count, d));
    ct__rows r;
    basis b;
    ct_status s = ct__rows_sample(j, &p->rows, count, p->o.seed, sample);
    if (!s) s = ct__pca_guess(j, p, sample, count);
    if (!s) s = ct__rows_open(j, &view, "x", 1, &r);
    if (!s) s = basis_new(j, d, width, SAMPLE_PASSES, &b);
    r.mean = p->mean;
    r.scale = p->scale;
    if (!s && count > 1) s = krylov(j, &r, &b, start, width, SAMPLE_PASSES, 1);
    return s ? s : nystroem(j, &b, shift(&r, b.square / (double)(count - 1)), width, values, start);
}

ct_status ct__pca_randomised(ct__job *j, ct__pca *p) {
    int64_t d = p->rows.d, k = p->o.components ? p->o.components : p->most,
            passes = p->o.passes ? p->o.passes : 2, width = k + (p->o.oversample ? p->o.oversample : 6);
    if (width > d) width = d;
    basis b;
    ct_status s = basis_new(j, d, width, passes, &b);
    double *start = s ? NULL : ct__job_doubles(j, width, d);
    p->vectors = ct__job_doubles(j, k, d);
    p->variance = ct__job_doubles(j, k, 1);
    p->singular = ct__job_doubles(j, k, 1);
    if (!start || !p->vectors || !p->variance || !p->singular) return CT_ELIMIT;
    s = begin(j, p, width, start);
    if (!s) s = krylov(j, &p->rows, &b, start, width, passes, 1);
    if (s) return s;
    p->total = b.square / (double)(p->rows.n - 1);
    for (int64_t i = 0; i < d && !p->scale; i++) p->mean[i] += b.delta[i];
    s = nystroem(j, &b, shift(&p->rows, p->total), k, p->variance, p->vectors);
    for (int64_t i = 0; i < k; i++) p->singular[i] = sqrt(p->variance[i] * (double)(p->rows.n - 1));
    p->found = k;
    return s;
}
