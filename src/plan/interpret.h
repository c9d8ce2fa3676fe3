/* interpret.h: a graph computed by the ops' references, in double. The oracle of the case runner. */
#ifndef CT_PLAN_INTERPRET_H
#define CT_PLAN_INTERPRET_H

#include "graph/graph.h"

typedef struct ct__interpreter {
    const ct_graph *graph;
    int64_t batch;
    int32_t train, nodes; /* nodes: how many of the graph `source` covers */
    uint64_t seed, step;
    ct__ref_array *source; /* [nodes]: values of inputs and variables */
} ct__interpreter;

/* root[i] -> out[i], allocated in the arena. */
ct_status ct__interpret(const ct__interpreter *t, ct_arena *arena, const ct_t *root, int32_t roots,
                        ct__ref_array *out, ct_err *e);
/* An array of zeros for a type at N = batch. */
int ct__ref_new(ct_arena *arena, const ct__type *type, int64_t batch, ct__ref_array *out);

#endif
