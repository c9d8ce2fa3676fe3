/* reduce.h: what the ops share that take axes away (sum, mean, max, prod, variance, logsumexp ...). Their
 * attribute tables begin with KEEP and end with the list of axes, as in reduce.c. */
#ifndef CT_OP_REDUCE_H
#define CT_OP_REDUCE_H

#include "op/common.h"

/* Where `axes` stands in the tables of two rows; longer tables pass their own list. */
enum { CT__KEEP, CT__AXES };

/* Marks the reduced axes (NULL or an empty list: all); 0 when one is out of range or given twice. */
int ct__reduce_marks(const ct__ints *axes, int32_t rank, uint8_t out[CT_MAX_RANK]);
static inline int ct__reduce_axes(const ct__value *attr, int32_t rank, uint8_t out[CT_MAX_RANK]) {
    return ct__reduce_marks(attr[CT__AXES].list, rank, out);
}
/* The result's shape; f32 alone. */
ct_status ct__reduce_infer(ct__infer *f);
/* x with the axes that stay first and the others merged into one last axis. */
ct_t ct__reduce_rows(ct_t x, const ct__value *attr);
/* A builder of the family. */
ct_t ct__reduce_with(const ct__op *op, ct_t x, ct_shape axes, const void *options);

#endif
