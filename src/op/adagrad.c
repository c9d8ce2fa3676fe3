/* Adagrad (PyTorch's); g as optimiser steps see it (update.c).
 *
 *     s = s + g^2
 *     p = p - lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps) */
#include "op/update.h"

static const ct__attr attrs[] = {
    POS_FLOAT(eps, 1e-10, 0, 1e9, "added to the divisor"),
    OPT_FLOAT(ct_adagrad, lr_decay, 0, 0, 1e9, "decay of the learning rate"),
    OPT_FLOAT(ct_adagrad, weight_decay, 0, 0, 1e9, "adds weight_decay * p to the gradient"),
    OPT_FLOAT(ct_adagrad, l1, 0, 0, 1e9, "adds l1 * sign(p) to the gradient"),
    OPT_FLOAT(ct_adagrad, clip_value, 0, 0, 1e30, "> 0: gradients are cut to +-clip_value"),
    OPT_INT(ct_adagrad, decoupled, 0, 0, 1, "1: the decay is p *= 1 - lr * weight_decay instead"),
    {0},
};
enum { EPS, LR_DECAY, WEIGHT_DECAY, L1, CLIP, DECOUPLED };

static ct__rule rule_of(const ct__value *a) {
    return (ct__rule){.eps = a[EPS].f,
                      .momentum_decay = a[LR_DECAY].f,
                      .weight_decay = a[WEIGHT_DECAY].f,
                      .l1 = a[L1].f,
                      .clip = a[CLIP].f,
                      .decoupled = (int32_t)a[DECOUPLED].i};
}

static const void *prepare(const ct__lower *l, ct__update_fn *fn) {
    *fn = l->simd->update->adagrad;
    return ct__update_data(l, rule_of(l->attr));
}

static void step_adagrad(const ct__rule *r, double *v, double g, double lr, double step) {
    v[1] += g * g;
    double divisor = sqrt(v[1]) + r->eps;
    if (divisor != 0) v[0] -= lr / (1 + step * r->momentum_decay) * g / divisor;
}
static void ref(ct__ref *r) { ct__update_refs(r, rule_of(r->attr), step_adagrad); }

static const ct__update update = {.moments = 1, .scalars = 2, .prepare = prepare};
static const ct__case cases[] = {
    CT__UPDATE_SHAPES,
    {.text = "[17] eps=0"},
    {.text = "[17] lr_decay=0.5"},
    {.text = "[17] eps=0.1 lr_decay=0.01"},
    {.text = "[3] eps=-1", .error = "eps is -1; wanted"},
    {0},
};

const ct__op ct__op_adagrad_update = {
    .name = "adagrad_update",
    .summary = "Adagrad",
    .attrs = attrs,
    .inputs_min = 5,
    .inputs_max = 5,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &update,
    .ref = ref,
    .cases = cases,
};

/* A step of Adagrad, an effect for a plan. sum: a moment variable of the parameter's shape. */
ct_t ct_adagrad_update(ct_t param, ct_t grad, ct_t sum, ct_t lr, ct_t scale, double eps, ct_adagrad o) {
    return ct__update_node(&ct__op_adagrad_update, param, grad, &sum, 1, lr, scale, (ct__value[]){{.f = eps}},
                           &o);
}
