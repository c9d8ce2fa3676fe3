/* Stochastic gradient descent (PyTorch's SGD); g as optimiser steps see it (update.c).
 *
 *     sgd_update:           p = p - lr * g
 *     sgd_momentum_update:  m = g at the first step, then momentum * m + (1 - dampening) * g
 *                           p = p - lr * m, nesterov: p - lr * (g + momentum * m) */
#include "op/update.h"

static const ct__attr attrs[] = {
    OPT_FLOAT(ct_sgd, momentum, 0, 0, 1, "factor of the momentum"),
    OPT_FLOAT(ct_sgd, dampening, 0, 0, 1, "share of the gradient that the momentum does not take"),
    OPT_INT(ct_sgd, nesterov, 0, 0, 1, "1: Nesterov's form"),
    OPT_FLOAT(ct_sgd, weight_decay, 0, 0, 1e9, "adds weight_decay * p to the gradient"),
    OPT_FLOAT(ct_sgd, l1, 0, 0, 1e9, "adds l1 * sign(p) to the gradient"),
    OPT_FLOAT(ct_sgd, clip_value, 0, 0, 1e30, "> 0: gradients are cut to +-clip_value"),
    OPT_INT(ct_sgd, decoupled, 0, 0, 1, "1: the decay is p *= 1 - lr * weight_decay instead"),
    {0},
};
enum { MOMENTUM, DAMPENING, NESTEROV, WEIGHT_DECAY, L1, CLIP, DECOUPLED };

static ct__rule rule_of(const ct__value *a) {
    return (ct__rule){.beta1 = a[MOMENTUM].f,
                      .beta2 = a[DAMPENING].f,
                      .nesterov = (int32_t)a[NESTEROV].i,
                      .weight_decay = a[WEIGHT_DECAY].f,
                      .l1 = a[L1].f,
                      .clip = a[CLIP].f,
                      .decoupled = (int32_t)a[DECOUPLED].i};
}

static const void *plain(const ct__lower *l, ct__update_fn *fn) {
    *fn = l->simd->update->sgd;
    return ct__update_data(l, rule_of(l->attr));
}
static const void *momentum(const ct__lower *l, ct__update_fn *fn) {
    *fn = l->simd->update->sgd_momentum;
    return ct__update_data(l, rule_of(l->attr));
}

static void step_plain(const ct__rule *r, double *v, double g, double lr, double step) {
    (void)r;
    (void)step;
    v[0] -= lr * g;
}
static void step_momentum(const ct__rule *r, double *v, double g, double lr, double step) {
    v[1] = step > 0 ? r->beta1 * v[1] + (1 - r->beta2) * g : g;
    v[0] -= lr * (r->nesterov ? g + r->beta1 * v[1] : v[1]);
}
static void ref_plain(ct__ref *r) { ct__update_refs(r, rule_of(r->attr), step_plain); }
static void ref_momentum(ct__ref *r) { ct__update_refs(r, rule_of(r->attr), step_momentum); }

static const ct__update plain_update = {.moments = 0, .scalars = 2, .prepare = plain};
static const ct__update momentum_update = {.moments = 1, .scalars = 2, .prepare = momentum};

static const ct__case cases[] = {
    CT__UPDATE_SHAPES,
    {0},
};

const ct__op ct__op_sgd_update = {
    .name = "sgd_update",
    .summary = "gradient descent",
    .attrs = attrs,
    .inputs_min = 4,
    .inputs_max = 4,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &plain_update,
    .ref = ref_plain,
    .cases = cases,
};
static const ct__case momentum_cases[] = {
    CT__UPDATE_SHAPES,
    {.text = "[17] momentum=0.9"},
    {.text = "[33] momentum=0.9 dampening=0.5"},
    {.text = "[9] momentum=0.9 nesterov=1"},
    {.text = "[9] momentum=0.9 nesterov=1 weight_decay=0.1"},
    {.text = "[3] momentum=2", .error = "momentum is 2; wanted"},
    {0},
};

const ct__op ct__op_sgd_momentum_update = {
    .name = "sgd_momentum_update",
    .summary = "gradient descent with momentum",
    .attrs = attrs,
    .inputs_min = 5,
    .inputs_max = 5,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &momentum_update,
    .ref = ref_momentum,
    .cases = momentum_cases,
};

/* A step of SGD, an effect for a plan. `momentum`: a moment variable of the parameter's shape, zeros at
 * first; node NULL when o.momentum is 0. `scale` multiplies the gradient (ct_number 1 when there is nothing). */
ct_t ct_sgd_update(ct_t param, ct_t grad, ct_t momentum, ct_t lr, ct_t scale, ct_sgd o) {
    if (ct_ok(param) && (o.momentum != 0) != (momentum.node != NULL))
        ct__graph_fail(param.node->graph, "sgd: momentum is %g and its variable is %s; wanted both or none",
                       o.momentum, momentum.node ? "given" : "none");
    if (!momentum.node) return ct__update_node(&ct__op_sgd_update, param, grad, NULL, 0, lr, scale, NULL, &o);
    return ct__update_node(&ct__op_sgd_momentum_update, param, grad, &momentum, 1, lr, scale, NULL, &o);
}
