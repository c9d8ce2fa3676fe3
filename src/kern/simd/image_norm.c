/* image_norm.c: batch norm over images.
 *
 * Whatever the storage order, the data is a set of runs in which lane l of every vector of sixteen belongs to
 * one channel: a blocked plane (16 channels, or twice 8), a plain plane (one channel), or, without spatial
 * axes, sixteen neighbouring columns of the matrix [N,C]. The last vector of a run may have fewer lanes.
 *
 * Statistics: each run is taken in chunks that stay in the first-level cache. A chunk is read twice, for its
 * mean and for the squared deviations from it (corrected by the sum of the deviations, which rounding leaves
 * not quite 0), and merged into double accumulators of each lane by the rule of Chan, Golub and LeVeque:
 *     n = a + b, d = mean_b - mean_a, mean += d b/n, M2 = M2_a + M2_b + d^2 a b/n
 * So no cancellation happens whatever the mean is, and memory is read once. Lanes of one channel are merged
 * at the end. */
#include <math.h>
#include <stddef.h>

#include "kern/simd/image_parts.h"

#define CHUNK 64 /* vectors: 4 KB */

typedef struct run { /* `rows` vectors, `stride` floats apart, of `lanes` lanes, the last of `last` */
    const float *x, *dy;
    int64_t stride, rows;
    int64_t lanes, last;
} run;

ALWAYS v16 lanes_of(const float *p, int64_t lanes) { return lanes >= 16 ? load16(p) : load_part(p, lanes); }

static run contiguous(const float *x, const float *dy, int64_t count) {
    int64_t last = count % 16 ? count % 16 : 16;
    return (run){x, dy, 16, (count + 15) / 16, count < 16 ? last : 16, last};
}

/* ---- statistics ---- */

typedef struct moments {
    double n[16], mean[16], m2[16];
} moments;

static void merge(moments *m, int l, double n, double mean, double m2) {
    if (n <= 0) return;
    double all = m->n[l] + n, d = mean - m->mean[l];
    m->mean[l] += d * n / all;
    m->m2[l] += m2 + d * d * m->n[l] * n / all;
    m->n[l] = all;
}

/* The chunk's lanes: n values, their mean up to rounding, the sums of deviations from it and of their squares. */
static void merge_lanes(moments *m, const float n[16], const float mean[16], const float rest[16],
                        const float square[16]) {
    for (int l = 0; l < 16; l++) {
        double count = (double)n[l], one = 1 / (count > 0 ? count : 1), r = (double)rest[l],
               all = m->n[l] + count;
        double d = (double)mean[l] + r * one - m->mean[l], share = count / (all > 0 ? all : 1);
        m->m2[l] += (double)square[l] - r * r * one + d * d * m->n[l] * share;
        m->mean[l] += d * share;
        m->n[l] = all;
    }
}

ALWAYS v16 keep_lanes(v16 v, int64_t lanes) {
    float all[16];
    store16(all, v);
    for (int64_t l = lanes; l < 16; l++) all[l] = 0;
    return load16(all);
}

/* A chunk's sum, or its sums of deviations from `center` and of their squares, without its last vector. Two
 * sums side by side, for the adder's latency. */
ALWAYS v16 sum_rows(const run *r, const int64_t lanes) {
    v16 a = zero16(), b = zero16();
    int64_t i = 0;
    for (; i + 2 < r->rows; i += 2) {
        a = add16(a, lanes_of(r->x + i * r->stride, lanes));
        b = add16(b, lanes_of(r->x + (i + 1) * r->stride, lanes));
    }
    if (i + 1 < r->rows) a = add16(a, lanes_of(r->x + i * r->stride, lanes));
    return add16(a, b);
}
ALWAYS void deviate(const float *x, const int64_t lanes, v16 center, v16 *rest, v16 *square) {
    v16 d = sub16(lanes_of(x, lanes), center);
    *rest = add16(*rest, d);
    *square = add16(*square, mul16(d, d));
}
ALWAYS void deviate_rows(const run *r, const int64_t lanes, v16 center, v16 *rest, v16 *square) {
    v16 a = zero16(), b = zero16(), aa = zero16(), bb = zero16();
    int64_t i = 0;
    for (; i + 2 < r->rows; i += 2) {
        deviate(r->x + i * r->stride, lanes, center, &a, &aa);
        deviate(r->x + (i + 1) * r->stride, lanes, center, &b, &bb);
    }
    if (i + 1 < r->rows) deviate(r->x + i * r->stride, lanes, center, &a, &aa);
    *rest = add16(a, b);
    *square = add16(aa, bb);
}

static void chunk_moments(const run *r, moments *m) {
    v16 rest, square;
    int64_t full = r->rows - 1;
    float n[16], mean[16], s[16], q[16];
    v16 last = lanes_of(r->x + full * r->stride, r->last);
    store16(s, add16(r->lanes == 16 ? sum_rows(r, 16) : sum_rows(r, r->lanes), last));
    for (int l = 0; l < 16; l++) {
        n[l] = (float)((l < r->lanes ? full : 0) + (l < r->last));
        mean[l] = n[l] > 0 ? s[l] / n[l] : 0;
    }
    v16 center = load16(mean);
    if (r->lanes == 16)
        deviate_rows(r, 16, center, &rest, &square);
    else
        deviate_rows(r, r->lanes, center, &rest, &square);
    last = keep_lanes(sub16(last, center), r->last);
    store16(s, add16(rest, last));
    store16(q, add16(square, mul16(last, last)));
    merge_lanes(m, n, mean, s, q);
}

static void run_moments(run r, moments *m) {
    int64_t rows = r.rows, last = r.last;
    for (int64_t i = 0; i < rows; i += CHUNK, r.x += CHUNK * r.stride) {
        r.rows = rows - i < CHUNK ? rows - i : CHUNK;
        r.last = i + r.rows < rows ? r.lanes : last;
        chunk_moments(&r, m);
    }
}

/* Lanes l, l + group, ... are one channel. */
static void moments_out(moments *m, const ct__image *g, int64_t c, int64_t group, float *out) {
    for (int64_t l = group; l < 16; l++) merge(m, (int)(l % group), m->n[l], m->mean[l], m->m2[l]);
    for (int64_t l = 0; l < group && c + l < g->c; l++) {
        out[2 + c + l] = (float)m->mean[l];
        out[2 + 2 * g->c + c + l] = (float)(m->mean[l] - (double)out[2 + c + l]);
        out[2 + g->c + c + l] = (float)(m->m2[l] > 0 ? m->m2[l] : m->m2[l] == m->m2[l] ? 0 : m->m2[l]);
    }
}

void NORM_STATS(const ct__image *g, const float *x, float *out) {
    int64_t lanes = g->lanes, plane = g->spatial * lanes, sample = (g->c + lanes - 1) / lanes * plane;
    int columns = lanes == 1 && g->spatial == 1;
    out[0] = (float)g->c;
    out[1] = (float)(g->n * g->spatial);
    for (int64_t c = 0; c < g->c; c += columns ? 16 : lanes) {
        moments m = {{0}, {0}, {0}};
        int64_t width = g->c - c < 16 ? g->c - c : 16;
        if (columns && g->n) run_moments((run){x + c, NULL, g->c, g->n, width, width}, &m);
        for (int64_t n = 0; !columns && plane && n < g->n; n++)
            run_moments(contiguous(x + n * sample + c / lanes * plane, NULL, plane), &m);
        moments_out(&m, g, c, columns ? 16 : lanes, out);
    }
}

/* ---- sums of the gradient ---- */

typedef struct sums {
    double d[16], xd[16];
} sums;

ALWAYS void add_row(const run *r, int64_t i, const int64_t lanes, v16 center, v16 *d, v16 *xd) {
    v16 dy = lanes_of(r->dy + i * r->stride, lanes);
    *d = add16(*d, dy);
    *xd = add16(*xd, mul16(dy, sub16(lanes_of(r->x + i * r->stride, lanes), center)));
}
ALWAYS void add_rows(const run *r, const int64_t lanes, v16 center, v16 *d, v16 *xd) {
    v16 a = zero16(), b = zero16(), xa = zero16(), xb = zero16();
    int64_t i = 0;
    for (; i + 2 < r->rows; i += 2) {
        add_row(r, i, lanes, center, &a, &xa);
        add_row(r, i + 1, lanes, center, &b, &xb);
    }
    if (i + 1 < r->rows) add_row(r, i, lanes, center, &a, &xa);
    *d = add16(a, b);
    *xd = add16(xa, xb);
}

static void chunk_sums(const run *r, v16 center, sums *t) {
    v16 d, xd, last = zero16(), xlast = zero16();
    float a[16], b[16];
    if (r->lanes == 16)
        add_rows(r, 16, center, &d, &xd);
    else
        add_rows(r, r->lanes, center, &d, &xd);
    add_row(r, r->rows - 1, r->last, center, &last, &xlast);
    store16(a, add16(d, last));
    store16(b, add16(xd, keep_lanes(xlast, r->last)));
    for (int l = 0; l < 16; l++) {
        t->d[l] += (double)a[l];
        t->xd[l] += (double)b[l];
    }
}

static void run_sums(run r, v16 center, sums *t) {
    int64_t rows = r.rows, last = r.last;
    for (int64_t i = 0; i < rows; i += CHUNK, r.x += CHUNK * r.stride, r.dy += CHUNK * r.stride) {
        r.rows = rows - i < CHUNK ? rows - i : CHUNK;
        r.last = i + r.rows < rows ? r.lanes : last;
        chunk_sums(&r, center, t);
    }
}

/* Values of channels c, c + 1 ... in lanes l, l + group ..., 0 beyond the last channel */
static v16 per_lane(const float *value, int64_t channels, int64_t c, int64_t group) {
    float v[16];
    for (int64_t l = 0; l < 16; l++) v[l] = c + l % group < channels ? value[c + l % group] : 0;
    return load16(v);
}

void NORM_SUMS(const ct__image *g, const float *dy, const float *x, const float *mean, const float *var,
               double eps, float *db, float *dw) {
    int64_t lanes = g->lanes, plane = g->spatial * lanes, sample = (g->c + lanes - 1) / lanes * plane;
    int columns = lanes == 1 && g->spatial == 1;
    int64_t group = columns ? 16 : lanes;
    for (int64_t c = 0; c < g->c; c += group) {
        sums t = {{0}, {0}};
        int64_t width = g->c - c < 16 ? g->c - c : 16;
        v16 center = per_lane(mean, g->c, c, group);
        if (columns && g->n) run_sums((run){x + c, dy + c, g->c, g->n, width, width}, center, &t);
        for (int64_t n = 0; !columns && plane && n < g->n; n++) {
            int64_t at = n * sample + c / lanes * plane;
            run_sums(contiguous(x + at, dy + at, plane), center, &t);
        }
        for (int64_t l = group; l < 16; l++) {
            t.d[l % group] += t.d[l];
            t.xd[l % group] += t.xd[l];
        }
        for (int64_t l = 0; l < group && c + l < g->c; l++) {
            db[c + l] = (float)t.d[l];
            dw[c + l] = (float)(t.xd[l] / sqrt((double)var[c + l] + eps));
        }
    }
}

/* ---- elementwise passes ---- */

typedef struct factors { /* of the sixteen lanes */
    v16 mean, a, b, c;
} factors;

ALWAYS v16 applied(v16 x, const factors *f, const int relu) {
    v16 y = fma16(sub16(x, f->mean), f->a, f->b);
    return relu ? relu16(y) : y;
}
/* a * (dy - b - (x - mean) * c) */
ALWAYS v16 gradient(v16 dy, v16 x, const factors *f) {
    return mul16(f->a, sub16(sub16(dy, f->b), mul16(sub16(x, f->mean), f->c)));
}

enum { APPLY = 0, APPLY_RELU = 1, GRADIENT = 2 };
ALWAYS v16 value(v16 x, v16 dy, const factors *f, const int form) {
    return form == GRADIENT ? gradient(dy, x, f) : applied(x, f, form == APPLY_RELU);
}

/* A run of `count` floats with the same factors in every vector. */
ALWAYS void run_of(int64_t count, const float *x, const float *dy, const factors *f, const int form,
                   float *out) {
    factors k = *f;
    v16 none = zero16();
    int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        store16(out + i, value(load16(x + i), form == GRADIENT ? load16(dy + i) : none, &k, form));
    if (i < count)
        store_part(out + i,
                   value(load_part(x + i, count - i), form == GRADIENT ? load_part(dy + i, count - i) : none,
                         &k, form),
                   count - i);
}

/* The factors of `scratch` [mean, a, b, c][padded channels] for channels c, c + 1 ... */
ALWAYS factors factors_at(const float *scratch, int64_t padded, int64_t c, int64_t lanes, const int form) {
    factors f = {zero16(), zero16(), zero16(), zero16()};
    v16 *to[4] = {&f.mean, &f.a, &f.b, &f.c};
    for (int i = 0; i < (form == GRADIENT ? 4 : 3); i++) {
        const float *from = scratch + i * padded + c;
        if (lanes == 1) *to[i] = splat16(from[0]);
        if (lanes == 16) *to[i] = load16(from);
        if (lanes == 8) {
            float twice[16];
            memcpy(twice, from, 8 * sizeof *twice);
            memcpy(twice + 8, from, 8 * sizeof *twice);
            *to[i] = load16(twice);
        }
    }
    return f;
}

ALWAYS void pass(const ct__image *g, const float *x, const float *dy, const float *scratch, const int form,
                 float *out) {
    int64_t lanes = g->lanes, padded = ct__image_channels(g->c), plane = g->spatial * lanes;
    for (int64_t n = 0; n < g->n; n++) {
        if (lanes == 1 && g->spatial == 1) {
            for (int64_t c = 0; c < g->c; c += 16) {
                factors f = factors_at(scratch, padded, c, 16, form);
                int64_t count = g->c - c < 16 ? g->c - c : 16;
                run_of(count, x + c, dy + c, &f, form, out + c);
            }
            x += g->c;
            dy += g->c;
            out += g->c;
            continue;
        }
        for (int64_t c = 0; c < g->c; c += lanes, x += plane, dy += plane, out += plane) {
            factors f = factors_at(scratch, padded, c, lanes, form);
            run_of(plane, x, dy, &f, form, out);
        }
    }
}

void NORM_APPLY(const ct__image *g, const float *x, const float *mean, const float *var, const float *weight,
                const float *bias, double eps, int32_t relu, float *scratch, float *y) {
    int64_t padded = ct__image_channels(g->c);
    memset(scratch, 0, (size_t)(3 * padded) * sizeof *scratch);
    for (int64_t c = 0; c < g->c; c++) {
        scratch[c] = mean[c];
        scratch[padded + c] = (float)((weight ? (double)weight[c] : 1) / sqrt((double)var[c] + eps));
        scratch[2 * padded + c] = bias ? bias[c] : 0;
    }
    if (relu)
        pass(g, x, x, scratch, APPLY_RELU, y);
    else
        pass(g, x, x, scratch, APPLY, y);
}

void NORM_GRAD(const ct__image *g, const float *dy, const float *x, const float *mean, const float *var,
               const float *weight, const float *db, const float *dw, double eps, double count,
               float *scratch, float *dx) {
    int64_t padded = ct__image_channels(g->c);
    memset(scratch, 0, (size_t)(4 * padded) * sizeof *scratch);
    for (int64_t c = 0; c < g->c; c++) {
        double rstd = 1 / sqrt((double)var[c] + eps);
        scratch[c] = mean[c];
        scratch[padded + c] = (float)((weight ? (double)weight[c] : 1) * rstd);
        scratch[2 * padded + c] = (float)((double)db[c] / count);
        scratch[3 * padded + c] = (float)((double)dw[c] * rstd / count);
    }
    pass(g, x, dy, scratch, GRADIENT, dx);
}
