/* pool.h: what the pooling ops share: windows from attributes, output extents, spans for the kernels.
 *
 * Attribute tables of pooling ops begin with the same rows, so that they can be read here: kernel, stride,
 * pad, ceil, dilation, and for two axes kernel_w, stride_w, pad_w. */
#ifndef CT_OP_POOL_H
#define CT_OP_POOL_H

#include "kern/conv.h"
#include "kern/image.h"
#include "op/common.h"

enum {
    CT__POOL_KERNEL,
    CT__POOL_STRIDE,
    CT__POOL_PAD,
    CT__POOL_CEIL,
    CT__POOL_DILATION,
    CT__POOL_1D,
    CT__POOL_KERNEL_W = CT__POOL_1D,
    CT__POOL_STRIDE_W,
    CT__POOL_PAD_W,
    CT__POOL_2D
};

typedef struct ct__window { /* along one axis */
    int64_t kernel, stride, pad, dilation;
} ct__window;

/* Windows over rows and columns; an image of rank 3 [N,C,W] has one row. */
void ct__pool_windows(const ct__value *attr, int32_t rank, ct__window out[2]);
/* [N,C,H,W] of fixed C, H, W and `rank` axes, f32; then the extents of the result in f->out[0]. */
ct_status ct__pool_infer(ct__infer *f, int32_t rank);
ct_status ct__pool_infer_image(const ct__infer *f, int32_t min_rank, int32_t max_rank);
/* 1: windows 2 x 2, step 2, no padding, all inside. */
int ct__pool_pairs(const ct__window w[2], const ct_shape *in, const ct_shape *out);

/* The kernel's description: extents of both images, planes; l->in_layout[operand] says which order. */
void ct__pool_describe(const ct__lower *l, int32_t operand, const ct_shape *in, const ct_shape *out,
                       ct__pool *p);
/* Spans of both axes, in the arena. count_pad: means divide by the padding too. */
ct_status ct__pool_spans(ct__lower *l, const ct__window w[2], int count_pad, ct__pool *p);
ct_status ct__pool_spans_adaptive(ct__lower *l, ct__pool *p);

#endif
