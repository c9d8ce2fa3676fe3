/* A choice by what a plan is for: by_mode(a, b) is a in training and b in evaluation. So a formula that differs in
 * the two is one expression, with all its derivatives:
 *     da = by_mode(dy, 0), db = by_mode(0, dy) */
#include "op/batchnorm.h"

static ct_status infer(ct__infer *f) {
    f->out[0] = f->in[0];
    return ct__infer_same_shape(f, 0, 1);
}

static void grad(ct__grad *g) {
    ct_t dy = g->dout[0], zero = ct_expand(ct_number(g->graph, 0), ct_shape_of(dy));
    if (g->need[0]) g->din[0] = ct__by_mode(dy, zero);
    if (g->need[1]) g->din[1] = ct__by_mode(zero, dy);
}

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)node;
    out[0] = in[train ? 0 : 1];
    return 1;
}

static void ref(ct__ref *r) {
    for (uint64_t i = 0; i < ct__ref_count(&r->out[0]); i++) r->out[0].v[i] = r->in[r->train ? 0 : 1].v[i];
}

const ct__op ct__op_by_mode = {
    .name = "by_mode",
    .summary = "one in training, the other in evaluation",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = infer,
    .grad = grad,
    .expand = expand,
    .ref = ref,
};

ct_t ct__by_mode(ct_t train, ct_t evaluate) { return ct__op2(&ct__op_by_mode, train, evaluate); }
