/* strided.h: copies between two walks over memory, for ops that only move elements (permute, slice, pad,
 * concat, expand). A copy is planned once at lowering and run any number of times. */
#ifndef CT_OP_STRIDED_H
#define CT_OP_STRIDED_H

#include "op/common.h"

typedef struct ct__strided { /* dst[dst_begin + sum i*dst] = src[src_begin + sum i*src], in elements */
    int64_t dim[CT_MAX_RANK], src[CT_MAX_RANK], dst[CT_MAX_RANK];
    int64_t src_begin, dst_begin;
    int32_t rank, size; /* size: bytes of an element, 1, 2, 4 or 8 */
    int32_t turn;       /* made by ct__strided_plan: the axis that walks in steps of 1 in src, -1 none */
    int32_t reserved;
} ct__strided;

/* Row-major strides of a concrete shape. */
void ct__strides(const ct_shape *s, int64_t stride[CT_MAX_RANK]);
/* Drop extents of 1, merge axes that walk as one, choose the loop. The last axis should walk in steps of 1
 * in dst. */
void ct__strided_plan(ct__strided *s);
void ct__strided_copy(const ct__strided *s, const void *src, void *dst);
/* n elements of `value` (integers: truncated). */
void ct__fill(void *dst, int64_t n, int32_t dtype, double value);

/* What a moving op keeps as kernel data: out is filled with `value` where `fill`, then each input is copied. */
typedef struct ct__mover {
    int64_t count; /* of out */
    double value;
    int32_t fill, dtype, n;
    int32_t reserved;
    ct__strided copy[]; /* one an input */
} ct__mover;
/* Data with room for l->n_in copies of the elements of out 0, kernel and impl set; NULL: l->e has it. */
ct__mover *ct__mover_new(ct__lower *l);

#endif
