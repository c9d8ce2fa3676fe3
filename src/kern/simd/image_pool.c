/* image_pool.c: pooling, plane by plane.
 *
 * One body for planes of 1, 8 and 16 lanes (image_pool_lanes.h): a window is a walk over vectors of channels,
 * so nothing is shuffled. The pooling of nearly every net, 2 x 2 windows side by side, has its own loops both
 * ways: each vector of x is read once and each of dx written once, so they run at the speed of memory. Where
 * windows overlap, dx is cleared and added to while its plane is in the cache. */
#include <math.h>
#include <stddef.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "kern/simd/image_parts.h"

#define LANES 1
#include "kern/simd/image_pool_lanes.h"
#define LANES 8
#include "kern/simd/image_pool_lanes.h"
#define LANES 16
#include "kern/simd/image_pool_lanes.h"

#define PICK(lanes, f) ((lanes) == 16 ? f##_16 : (lanes) == 8 ? f##_8 : f##_1)
#define EACH_PART(p, l) for (int32_t l = 0; l < (p)->lanes; l += WIDTH)

static int64_t plane_in(const ct__pool *p) { return p->h.in * p->w.in * p->lanes; }
static int64_t plane_out(const ct__pool *p) { return p->h.out * p->w.out * p->lanes; }

void MAXPOOL(const ct__pool *p, const float *x, float *y, int32_t *index) {
    void (*run)(const ct__pool *, const float *, float *, int32_t *) =
        p->pairs ? PICK(p->lanes, max_pairs) : PICK(p->lanes, max_windows);
    int64_t in = plane_in(p), out = plane_out(p);
    for (int64_t i = 0; i < p->planes; i++)
        EACH_PART(p, l) run(p, x + i * in + l, y + i * out + l, index ? index + i * out + l : NULL);
}

/* Zeros where no pair lies: the last row and column of odd extents. */
static void clear_rest(const ct__pool *p, float *dx) {
    int64_t row = p->w.in * p->lanes, used = 2 * p->w.out * p->lanes;
    for (int64_t i = 0; used < row && i < 2 * p->h.out; i++)
        memset(dx + i * row + used, 0, (size_t)(row - used) * sizeof *dx);
    memset(dx + 2 * p->h.out * row, 0, (size_t)((p->h.in - 2 * p->h.out) * row) * sizeof *dx);
}

static void max_plane_grad(const ct__pool *p, const float *dy, const int32_t *index, const float *pooled,
                           float *dx) {
    if (!p->pairs) {
        memset(dx, 0, (size_t)plane_in(p) * sizeof *dx);
        PICK(p->lanes, grad_scatter)(p, dy, index, pooled, dx);
        return;
    }
    EACH_PART(p, l) {
        if (pooled)
            PICK(p->lanes, grad_pairs_relu)(p, dy + l, index + l, pooled + l, dx + l);
        else
            PICK(p->lanes, grad_pairs_plain)(p, dy + l, index + l, dx + l);
    }
    clear_rest(p, dx);
}

void MAXPOOL_GRAD(const ct__pool *p, const float *dy, const int32_t *index, const float *pooled, float *dx) {
    int64_t in = plane_in(p), out = plane_out(p);
    for (int64_t i = 0; i < p->planes; i++)
        max_plane_grad(p, dy + i * out, index + i * out, pooled ? pooled + i * out : NULL, dx + i * in);
}

void MAXPOOL_TAKE(const ct__pool *p, const float *x, const int32_t *index, float *y) {
    int64_t in = plane_in(p), out = plane_out(p);
    for (int64_t i = 0; i < p->planes; i++) PICK(p->lanes, take)(p, x + i * in, index + i * out, y + i * out);
}

void AVGPOOL(const ct__pool *p, const float *x, float *y) {
    int64_t in = plane_in(p), out = plane_out(p);
    for (int64_t i = 0; i < p->planes; i++)
        EACH_PART(p, l) PICK(p->lanes, average)(p, x + i * in + l, y + i * out + l);
}

void AVGPOOL_GRAD(const ct__pool *p, const float *dy, float *dx) {
    int64_t in = plane_in(p), out = plane_out(p);
    for (int64_t i = 0; i < p->planes; i++) {
        memset(dx + i * in, 0, (size_t)in * sizeof *dx);
        EACH_PART(p, l) PICK(p->lanes, average_grad)(p, dy + i * out + l, dx + i * in + l);
    }
}
