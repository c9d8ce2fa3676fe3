/* conv.h: convolution by oneDNN, behind plain C structs. This folder alone includes dnnl.h.
 *
 * Activations are NCHW ("plain") or channel-blocked ("blocked": [N][C/b][H][W][b], b = 16 with AVX-512,
 * else 8; lanes beyond C zero). Weights live in whatever order the primitive prefers, described by an
 * opaque ct__weight_layout that can be compared, measured and reordered.
 * Primitives are created and run on one thread, under an OpenMP limit of one that the caller has set
 * (pool.h, ct__float_enter). They are immutable: any number of threads may run one at a time each. */
#ifndef CT_KERN_CONV_H
#define CT_KERN_CONV_H

#include "cotan/base.h"

typedef struct ct__conv_shape { /* a 1-d convolution has ih = oh = kh = 1 */
    int64_t n, ic, ih, iw, oc, oh, ow, kh, kw;
    int64_t stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
    int64_t dilation_h, dilation_w; /* 1: dense */
    int64_t groups;
} ct__conv_shape;

typedef enum ct__conv_kind {
    CT__CONV_FORWARD = 1, /* dst = act(conv(src, weight) + bias) */
    CT__CONV_DATA = 2,    /* dsrc = gradient by data, from ddst and weight */
    CT__CONV_WEIGHT = 3   /* dweight (and dbias), from src and ddst */
} ct__conv_kind;

#define CT__LAYOUT_BYTES 1024
typedef struct ct__weight_layout { /* zeroed: plain row-major [oc, ic/groups, kh, kw] */
    uint64_t bytes;                /* of storage, padding included; 0 while plain */
    uint64_t opaque[CT__LAYOUT_BYTES / 8];
} ct__weight_layout;

typedef struct ct__conv_wish {
    ct__conv_shape shape;
    int32_t kind;                     /* a ct__conv_kind */
    int32_t bias, relu;               /* forward: bias added, ReLU after; weight: dbias wanted */
    int32_t src_blocked, dst_blocked; /* layouts of src/dsrc and dst/ddst that the planner has chosen */
    int32_t any_weight; /* 1: the primitive chooses, and tells in `weight`; 0: `weight` is given */
    int32_t training;   /* forward: 1 forward_training, 0 inference */
    int32_t reserved;
    ct__weight_layout weight; /* of weight or dweight */
} ct__conv_wish;

typedef struct ct__conv ct__conv;
/* Fills in the activation layouts that suit the wish, whatever its n: 1 for blocked. Wherever one order has kernels for all three kinds
 * it is the same for them; src is blocked wherever dst is, except that a first layer of few channels reads plain
 * pictures. */
void ct__conv_layouts(ct__conv_wish *w);
int32_t ct__block_channels(void); /* b */
/* Create. A `ref` implementation is never accepted: where none takes the given weight order, the primitive
 * chooses; where there is none at all, and layouts are plain, loops of our own ("cotan:direct"). wish->weight tells the
 * order taken. */
ct_status ct__conv_new(const ct_allocator *a, ct__conv_wish *wish, ct__conv **out, ct_err *e);
void ct__conv_free(ct__conv *c);
const char *ct__conv_impl(const ct__conv *c); /* oneDNN's implementation name */
uint64_t ct__conv_scratch(const ct__conv *c); /* bytes of scratch for a run, 64-aligned */
/* forward: (src, weight, bias|NULL, dst); data: (ddst, weight, NULL, dsrc); weight: (src, ddst, dbias|NULL, dweight). */
ct_status ct__conv_run(const ct__conv *c, const void *p0, const void *p1, void *p2, void *p3, void *scratch);

typedef struct ct__reorder ct__reorder;
/* Weights between orders (`groups` 1: [oc,ic,kh,kw], else [groups, oc/groups, ic/groups, kh, kw]; plain is
 * the same memory in both). */
ct_status ct__reorder_weight(const ct_allocator *a, const ct__conv_shape *s, const ct__weight_layout *from,
                             const ct__weight_layout *to, ct__reorder **out, ct_err *e);
void ct__reorder_free(ct__reorder *r);
const char *ct__reorder_impl(const ct__reorder *r);
uint64_t ct__reorder_scratch(const ct__reorder *r);
ct_status ct__reorder_run(const ct__reorder *r, const void *from, void *to, void *scratch);
int ct__weight_layout_equal(const ct__weight_layout *a, const ct__weight_layout *b);

const char *ct__onednn_version(void); /* "oneDNN 2.6.3" */

#endif
