/* rows.c: one way over the records of a matrix, for everything that reads many of them.
 *
 * A block of some hundred rows is converted to doubles, centred and scaled in the second cache and then used. Blocks
 * are grouped into lanes (at most 8) that threads claim; a lane adds up its own blocks in order and lanes are added
 * in order, so the bits depend on the shape alone. */
#include "maths/rows.h"

#include <math.h>
#include <string.h>

#define DOUBLES_OF_BLOCK (INT64_C(1) << 18)

static int64_t rows_of_block(int64_t n, int64_t d) {
    int64_t rows = DOUBLES_OF_BLOCK / d, least = d > DOUBLES_OF_BLOCK ? 8 : 64;
    rows = rows < least ? least : rows > 1024 ? 1024 : rows;
    return rows < n ? rows : n;
}

ct_status ct__rows_open(ct__job *j, const ct_array *x, const char *what, int64_t rows_min, ct__rows *out) {
    ct_status s = ct__array_check(j, x, what, 2, 2);
    if (s) return s;
    *out = (ct__rows){.x = x, .n = x->dim[0], .d = x->dim[1], .block = rows_of_block(x->dim[0], x->dim[1])};
    if (out->n >= rows_min) return CT_OK;
    return ct_fail(j->e, CT_EDATA, "%s: %lld record%s; wanted at least %lld; take more data", j->name,
                   (long long)out->n, out->n == 1 ? "" : "s", (long long)rows_min);
}

/* ---- one block ---- */

/* out = x - mean in one stream, for a type whose rows are contiguous. */
#define READ(TYPE) \
    for (int64_t i = 0; i < count; i++) { \
        const TYPE *x = (const TYPE *)r->x->data + (from + i) * r->x->stride[0]; \
        double *row = out + i * r->d; \
        if (r->mean) \
            for (int64_t k = 0; k < r->d; k++) row[k] = (double)x[k] - r->mean[k]; \
        else \
            for (int64_t k = 0; k < r->d; k++) row[k] = (double)x[k]; \
    }

static ct_status read_any(const ct__rows *r, int64_t from, int64_t count, double *out, ct_err *e) {
    ct_array part = *r->x, to = ct_array_view(out, CT_F64, CT_SHAPE(count, r->d));
    part.owned = 0;
    part.dim[0] = count;
    part.data = (char *)part.data + from * part.stride[0] * (int64_t)ct_dtype_size((ct_dtype)part.dtype);
    ct_status s = ct_array_copy(&to, &part, e);
    for (int64_t i = 0; !s && r->mean && i < count; i++)
        for (int64_t k = 0; k < r->d; k++) out[i * r->d + k] -= r->mean[k];
    return s;
}

ct_status ct__rows_read(const ct__rows *r, int64_t from, int64_t count, double *out, ct_err *e) {
    ct_status s = CT_OK;
    int plain = r->x->stride[1] == 1 || r->d == 1;
    if (plain && r->x->dtype == CT_F64) {
        READ(double)
    } else if (plain && r->x->dtype == CT_F32) {
        READ(float)
    } else if (plain && r->x->dtype == CT_U8) {
        READ(uint8_t)
    } else {
        s = read_any(r, from, count, out, e);
    }
    for (int64_t i = 0; !s && r->scale && i < count; i++)
        for (int64_t k = 0; k < r->d; k++) out[i * r->d + k] /= r->scale[k];
    return s;
}

void ct__rows_single(const double *block, int64_t count, float *out) {
    for (int64_t i = 0; i < count; i++) out[i] = (float)block[i];
}

/* ---- all blocks ---- */

typedef struct walk {
    const ct__rows *r;
    int64_t lanes, blocks;
    double *room; /* [lanes, block, d] */
    ct__rows_each each;
    void *user;
} walk;

static ct_status walk_lane(void *user, int64_t lane, ct_err *e) {
    const walk *w = user;
    const ct__rows *r = w->r;
    double *block = w->room + lane * r->block * r->d;
    int64_t end = w->blocks * (lane + 1) / w->lanes;
    for (int64_t b = w->blocks * lane / w->lanes; b < end; b++) {
        int64_t from = b * r->block, count = r->n - from < r->block ? r->n - from : r->block;
        ct_status s = ct__rows_read(r, from, count, block, e);
        if (!s) s = w->each(w->user, lane, from, count, block, e);
        if (s) return s;
    }
    return CT_OK;
}

int64_t ct__rows_lanes(const ct__rows *r, int64_t most) {
    int64_t blocks = (r->n + r->block - 1) / r->block, lanes = most < 1 ? 1 : most > 8 ? 8 : most;
    return blocks < lanes ? blocks : lanes;
}

ct_status ct__rows_walk(ct__job *j, const ct__rows *r, int64_t lanes, double operations, ct__rows_each each,
                        void *user) {
    walk w = {r, lanes, (r->n + r->block - 1) / r->block, NULL, each, user};
    uint64_t bytes = (uint64_t)(lanes * r->block * r->d) * sizeof *w.room;
    w.room = ct_new(j->allocator, bytes);
    if (!w.room) return ct__job_memory(j);
    ct_status s = ct__parallel(j, lanes, operations, walk_lane, &w);
    ct_delete(j->allocator, w.room, bytes);
    return s;
}

ct_status ct__rows_sample(ct__job *j, const ct__rows *r, int64_t count, uint64_t seed, double *out) {
    ct__rows raw = *r;
    ct_random random = ct_random_stream(seed, 1);
    ct_status s = CT_OK;
    raw.mean = raw.scale = NULL;
    for (int64_t i = 0; !s && i < count; i++) {
        /* i n / count without overflow: both are below 2^31 */
        int64_t from = i * r->n / count, end = (i + 1) * r->n / count;
        from += (int64_t)ct_random_below(&random, (uint64_t)(end - from));
        s = ct__rows_read(&raw, from, 1, out + i * r->d, j->e);
    }
    return s;
}

/* ---- sums of columns ---- */

ct_status ct__column_sums_new(ct__job *j, int64_t lanes, int64_t d, ct__column_sums *out) {
    *out = (ct__column_sums){.lanes = lanes, .d = d};
    out->sum = ct__job_doubles(j, lanes, d);
    out->lost = ct__job_doubles(j, lanes, d);
    out->part = ct__job_doubles(j, lanes, d);
    return out->sum && out->lost && out->part ? CT_OK : CT_ELIMIT;
}

void ct__column_sums_add(ct__column_sums *c, int64_t lane, int64_t count, const double *block, int square) {
    int64_t d = c->d;
    double *sum = c->sum + lane * d, *lost = c->lost + lane * d, *part = c->part + lane * d;
    memset(part, 0, (size_t)d * sizeof *part);
    for (int64_t i = 0; i < count; i++) {
        const double *row = block + i * d;
        if (square)
            for (int64_t k = 0; k < d; k++) part[k] += row[k] * row[k];
        else
            for (int64_t k = 0; k < d; k++) part[k] += row[k];
    }
    for (int64_t k = 0; k < d; k++) {
        double t = sum[k] + part[k];
        lost[k] += fabs(sum[k]) >= fabs(part[k]) ? (sum[k] - t) + part[k] : (part[k] - t) + sum[k];
        sum[k] = t;
    }
}

ct_status ct__column_sums_total(ct__job *j, const ct__column_sums *c, double *total) {
    double *column = ct__job_doubles(j, 2 * c->lanes, 1);
    if (!column) return CT_ELIMIT;
    for (int64_t k = 0; k < c->d; k++) {
        for (int64_t l = 0; l < c->lanes; l++) {
            column[2 * l] = c->sum[l * c->d + k];
            column[2 * l + 1] = c->lost[l * c->d + k];
        }
        total[k] = ct__sum(column, 2 * c->lanes);
    }
    return CT_OK;
}

typedef struct sums {
    ct__column_sums *c;
    int square;
} sums;

static ct_status add_block(void *user, int64_t lane, int64_t from, int64_t count, const double *block,
                           ct_err *e) {
    const sums *a = user;
    (void)from, (void)e;
    ct__column_sums_add(a->c, lane, count, block, a->square);
    return CT_OK;
}

ct_status ct__rows_refuse(ct__job *j, const ct__rows *r) {
    ct__rows raw = *r;
    double *row = ct__job_doubles(j, r->d, 1);
    if (!row) return CT_ELIMIT;
    raw.mean = raw.scale = NULL;
    for (int64_t i = 0; i < r->n; i++) {
        ct_status s = ct__rows_read(&raw, i, 1, row, j->e);
        if (s) return s;
        for (int64_t k = 0; k < r->d; k++)
            if (!isfinite(row[k])) return ct__refuse_nonfinite(j, "x", r->x, i * r->d + k, row[k]);
    }
    return ct_fail(j->e, CT_ENONFINITE, "%s: the sums overflow; wanted smaller numbers; scale the data",
                   j->name);
}

/* Over all rows -> total [d]. */
static ct_status column_sums(ct__job *j, const ct__rows *r, int square, double *total) {
    ct__column_sums c;
    sums a = {&c, square};
    int64_t lanes = ct__rows_lanes(r, 8), at;
    ct_status s = ct__column_sums_new(j, lanes, r->d, &c);
    if (!s) s = ct__rows_walk(j, r, lanes, 8 * (double)r->n * (double)r->d, add_block, &a);
    if (!s) s = ct__column_sums_total(j, &c, total);
    return !s && ct__find_nonfinite(total, r->d, &at) ? ct__rows_refuse(j, r) : s;
}

ct_status ct__rows_moments(ct__job *j, const ct__rows *r, double *mean, double *variance) {
    ct__rows raw = *r;
    raw.mean = raw.scale = NULL;
    ct_status s = column_sums(j, &raw, 0, mean);
    for (int64_t k = 0; !s && k < r->d; k++) mean[k] /= (double)r->n;
    if (s || !variance) return s;
    raw.mean = mean;
    s = column_sums(j, &raw, 1, variance);
    for (int64_t k = 0; !s && k < r->d; k++) variance[k] /= (double)(r->n - 1);
    return s;
}
