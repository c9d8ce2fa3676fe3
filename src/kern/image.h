/* image.h: kernels on images [N,C,...]: storage order, pooling, batch norm, sums over neighbouring channels.
 *
 * Three storage orders meet here. "Plain" is [N][C][spatial]. "Blocked" is [N][C/b][spatial][b] with b = 8 or
 * 16 and zeros in the lanes beyond C. A plane is the spatial part of b channels, b = 1 in plain order, so most
 * kernels are one loop over planes whose elements have `lanes` lanes. Every kernel runs on one thread, reads
 * and writes logical data and padding lanes only, leaves padding lanes zero, and gives each sample the same
 * bits whatever else is in the batch (sums over the batch excepted). Zero extents are fine. */
#ifndef CT_KERN_IMAGE_H
#define CT_KERN_IMAGE_H

#include "kern/simd.h"

typedef struct ct__span { /* one window along one axis */
    int32_t begin, end;   /* taps begin, begin + step ... < end lie inside the image; at least one does */
    int32_t count;        /* what a mean divides by, along this axis */
    int32_t reserved;
} ct__span;

typedef struct ct__pool_axis {
    int64_t in, out, step;
    const ct__span *span; /* [out] */
} ct__pool_axis;

typedef struct ct__pool {
    int64_t planes;
    int32_t lanes; /* 1, 8 or 16 */
    int32_t pairs; /* 1: windows 2 x 2, step 2, no padding, all inside */
    ct__pool_axis h, w;
} ct__pool;

typedef struct ct__image {
    int64_t n, c, spatial;
    int32_t lanes; /* 1: plain; 8, 16: blocked */
    int32_t reserved;
} ct__image;
/* Floats of padded channel numbers: each of the arrays in `scratch` below. */
static inline int64_t ct__image_channels(int64_t c) { return (c + 15) / 16 * 16; }

typedef struct ct__image_table {
    /* plain [n,c,spatial] <-> blocked */
    void (*to_blocked)(int64_t n, int64_t c, int64_t spatial, int64_t block, const float *src, float *dst);
    void (*to_plain)(int64_t n, int64_t c, int64_t spatial, int64_t block, const float *src, float *dst);

    /* y [planes][oh][ow][lanes], index of the winner in its plane: the first of equals, the last of NaNs. */
    void (*maxpool)(const ct__pool *p, const float *x, float *y, int32_t *index); /* index NULL: not wanted */
    /* dx = dy at the winners, added up in order of outputs, 0 elsewhere; with `pooled` (y, or NULL) only the dy
     * whose y is above 0: the gradient of a ReLU before the pool. Only in/out extents of p are read. */
    void (*maxpool_grad)(const ct__pool *p, const float *dy, const int32_t *index, const float *pooled,
                         float *dx);
    /* y = x at the winners */
    void (*maxpool_take)(const ct__pool *p, const float *x, const int32_t *index, float *y);
    void (*avgpool)(const ct__pool *p, const float *x, float *y);
    void (*avgpool_grad)(const ct__pool *p, const float *dy, float *dx);
    /* y [n][c] = scale * sum over spatial; x [n][c][spatial] = scale * y: plain on the side of y. */
    void (*spatial_sum)(const ct__image *m, float scale, const float *x, float *y);
    void (*spatial_spread)(const ct__image *m, float scale, const float *y, float *x);

    /* out [2 + 3c]: c, the count of values a channel, the means, the sums of squared deviations, and what the means
     * lack of their doubles, so that merging loses nothing. */
    void (*norm_stats)(const ct__image *m, const float *x, float *out);
    /* y = (x - mean) * a + b, a = weight / sqrt(var + eps), then max(y, 0) if relu; weight, bias: NULL for 1, 0.
     * scratch: 3 arrays. */
    void (*norm_apply)(const ct__image *m, const float *x, const float *mean, const float *var,
                       const float *weight, const float *bias, double eps, int32_t relu, float *scratch,
                       float *y);
    /* db [c] = sum of dy, dw [c] = sum of dy * (x - mean) / sqrt(var + eps) */
    void (*norm_sums)(const ct__image *m, const float *dy, const float *x, const float *mean,
                      const float *var, double eps, float *db, float *dw);
    /* dx = a * (dy - db/count - (x - mean) * dw / sqrt(var + eps) / count); scratch: 4 arrays. */
    void (*norm_grad)(const ct__image *m, const float *dy, const float *x, const float *mean,
                      const float *var, const float *weight, const float *db, const float *dw, double eps,
                      double count, float *scratch, float *dx);

    /* y[c] = sum of x[c - before .. c + after], channels outside are 0; scratch: padded c + before + after floats. */
    void (*channel_sum)(const ct__image *m, int64_t before, int64_t after, const float *x, float *scratch,
                        float *y);
} ct__image_table;

#endif
