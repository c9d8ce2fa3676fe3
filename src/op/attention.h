/* attention.h: what the two forms of attention share: q, k and v as tensors of their own (attention.c), or side
 * by side in the rows of one, as the linear layer before them leaves them (self_attention.c). */
#ifndef CT_OP_ATTENTION_H
#define CT_OP_ATTENTION_H

#include "op/common.h"

/* One of q, k, v, y and their gradients as the kernel finds it; distances in floats. */
typedef struct ct__heads {
    int32_t arg; /* which argument of the step holds it, -1: none */
    int32_t reserved;
    int64_t at, sample, head, row; /* of its first number, between samples, heads, rows; within a row: 1 */
} ct__heads;

typedef struct ct__attention {
    int64_t n, h, g, t, s, d, e; /* samples, query heads, key heads, queries, keys, widths of q and of v */
    ct__heads q, k, v, y;        /* y: the result, in the gradient its cotangent */
    ct__heads dq, dk, dv;
    int32_t mask_arg, lse_arg; /* -1: none; lse [N,H,T] */
    int32_t mask;              /* CT_BOOL, CT_F32 or 0 */
    int32_t causal;
    int64_t mask_stride[4]; /* of n, h, t, s, in elements */
    double scale;
} ct__attention;

/* Fill mask and mask_stride from an operand that broadcasts to [N,H,T,S]; dtype 0: none. */
void ct__attention_mask(ct__attention *a, const ct__type *mask, int32_t arg);
/* The kernels: y and lse; dq, dk and dv. */
ct_status ct__attention_lower(ct__lower *l, const ct__attention *a);
ct_status ct__attention_grad_lower(ct__lower *l, const ct__attention *a);

double ct__attention_scale(double given, double depth); /* given 0: 1 / sqrt(depth) */
ct_status ct__attention_infer_mask(const ct__infer *f, const ct__type *mask, const ct_shape *full);

/* In elementary ops: q [N,H,T,D], k [N,G,S,D], v [N,G,S,E], mask or none, dy [N,H,T,E]. */
typedef struct ct__attention_parts {
    ct_t dq, dk, dv, dmask; /* dmask: of an added mask, [N,H,T,S] */
} ct__attention_parts;
ct__attention_parts ct__attention_compose(ct_graph *g, double scale, int causal, ct_t q, ct_t k, ct_t v,
                                          ct_t mask, ct_t dy);

#endif
