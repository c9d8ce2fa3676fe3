/* update.h: what the optimiser ops share (update.c). */
#ifndef CT_OP_UPDATE_H
#define CT_OP_UPDATE_H

#include "kern/update.h"
#include "op/common.h"

/* Inputs: parameter, gradient, moments..., learning rate, factor; outputs: parameter, moments... */
ct_status ct__update_infer(ct__infer *f);
/* A copy of the rule in the plan's arena; NULL: out of memory, recorded. */
const void *ct__update_data(const struct ct__lower *l, ct__rule rule);
/* The node. moment[0..moments-1]; an absent one must not be given. */
ct_t ct__update_node(const ct__op *op, ct_t param, ct_t grad, const ct_t *moment, int32_t moments, ct_t lr,
                     ct_t scale, const ct__value *positional, const void *options);

/* References: fn steps one element, v[0] the parameter, v[1..] the moments, from the gradient that the rule
 * sees (scaled, cut, decayed). */
typedef void (*ct__update_ref)(const ct__rule *rule, double *v, double g, double lr, double step);
void ct__update_refs(ct__ref *r, ct__rule rule, ct__update_ref fn);

/* The rows of shapes that every rule has: sizes around vectors, several axes, more than one piece of a segment. */
#define CT__UPDATE_SHAPES \
    {.text = "[1]"}, {.text = "[7]"}, {.text = "[8]"}, {.text = "[9]"}, {.text = "[15]"}, {.text = "[16]"}, \
        {.text = "[17]"}, {.text = "[31]"}, {.text = "[33]"}, {.text = "[1,1]"}, {.text = "[3,5]"}, \
        {.text = "[7,9]"}, {.text = "[16,16]"}, {.text = "[15,17]"}, {.text = "[2,3,4]"}, \
        {.text = "[3,3,3,3]"}, {.text = "[1000]"}, {.text = "[1025]"}, {.text = "[129,128]"}, \
        {.text = "[17] clip_value=0.2"}, {.text = "[17] l1=0.05"}, {.text = "[17] weight_decay=0.1"}, \
        {.text = "[17] weight_decay=0.1 decoupled=1 lr=0.1"}, {.text = "[17] scale=0.3"}, \
        {.text = "[17] lr=0"}, {.text = "[17] step=10000000"}, { \
        .text = "[3] weight_decay=-1", .error = "weight_decay is -1; wanted" \
    }

#endif
