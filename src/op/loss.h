/* loss.h: what the losses share: their reduction. */
#ifndef CT_OP_LOSS_H
#define CT_OP_LOSS_H

#include "op/common.h"

enum { CT__LOSS_MEAN, CT__LOSS_SUM, CT__LOSS_NONE };

/* Two operands of one shape, f32; the result's shape by attribute 0, the reduction. */
ct_status ct__loss_infer(ct__infer *f);
/* values reduced. */
ct_t ct__loss_reduce(ct_t values, int64_t reduction);
/* r->out[0] = fn of the operands' elements, reduced. */
typedef double (*ct__loss_fn)(double x, double target, double third, const ct__value *attr);
void ct__loss_ref(ct__ref *r, ct__loss_fn fn);

#endif
