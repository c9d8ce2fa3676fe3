/* integer.h: expansions of elementwise ops whose operands are integers, which tiles of floats would round (integer.c). */
#ifndef CT_OP_INTEGER_H
#define CT_OP_INTEGER_H

#include "op/common.h"

/* 1 and out[0] set where both operands are integers (or one of them bool). kind: 0 eq, 1 ne, 2 lt, 3 le, 4 gt, 5 ge. */
int ct__integers_compared(ct_node *node, const ct_t *in, int32_t kind, ct_t *out);
/* 1 and out[0] set where integers become integers. */
int ct__integers_cast(ct_node *node, const ct_t *in, ct_t *out);

#endif
