/* Adadelta (PyTorch's); g as optimiser steps see it (update.c).
 *
 *     s = rho s + (1 - rho) g^2
 *     d = sqrt(u + eps) / sqrt(s + eps) * g
 *     u = rho u + (1 - rho) d^2
 *     p = p - lr d */
#include "op/update.h"

static const ct__attr attrs[] = {
    POS_FLOAT(rho, 0.9, 0, 1, "decay of both squares"),
    POS_FLOAT(eps, 1e-6, 0, 1e9, "added below the roots"),
    OPT_FLOAT(ct_adadelta, weight_decay, 0, 0, 1e9, "adds weight_decay * p to the gradient"),
    OPT_FLOAT(ct_adadelta, l1, 0, 0, 1e9, "adds l1 * sign(p) to the gradient"),
    OPT_FLOAT(ct_adadelta, clip_value, 0, 0, 1e30, "> 0: gradients are cut to +-clip_value"),
    OPT_INT(ct_adadelta, decoupled, 0, 0, 1, "1: the decay is p *= 1 - lr * weight_decay instead"),
    {0},
};
enum { RHO, EPS, WEIGHT_DECAY, L1, CLIP, DECOUPLED };

static ct__rule rule_of(const ct__value *a) {
    return (ct__rule){.beta2 = a[RHO].f,
                      .eps = a[EPS].f,
                      .weight_decay = a[WEIGHT_DECAY].f,
                      .l1 = a[L1].f,
                      .clip = a[CLIP].f,
                      .decoupled = (int32_t)a[DECOUPLED].i};
}

static const void *prepare(const ct__lower *l, ct__update_fn *fn) {
    *fn = l->simd->update->adadelta;
    return ct__update_data(l, rule_of(l->attr));
}

static void step_adadelta(const ct__rule *r, double *v, double g, double lr, double step) {
    (void)step;
    v[1] = r->beta2 * v[1] + (1 - r->beta2) * g * g;
    double divisor = sqrt(v[1] + r->eps), d = divisor != 0 ? sqrt(v[2] + r->eps) / divisor * g : 0;
    v[2] = r->beta2 * v[2] + (1 - r->beta2) * d * d;
    v[0] -= lr * d;
}
static void ref(ct__ref *r) { ct__update_refs(r, rule_of(r->attr), step_adadelta); }

static const ct__update update = {.moments = 2, .scalars = 2, .prepare = prepare};
static const ct__case cases[] = {
    CT__UPDATE_SHAPES,
    {.text = "[17] rho=0.5"},
    {.text = "[17] eps=0.01 lr=1"},
    {.text = "[3] rho=2", .error = "rho is 2; wanted"},
    {0},
};

const ct__op ct__op_adadelta_update = {
    .name = "adadelta_update",
    .summary = "Adadelta",
    .attrs = attrs,
    .inputs_min = 6,
    .inputs_max = 6,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &update,
    .ref = ref,
    .cases = cases,
};

/* A step of Adadelta, an effect for a plan. square, delta: moment variables of the parameter's shape, zeros
 * at first. */
ct_t ct_adadelta_update(ct_t param, ct_t grad, ct_t square, ct_t delta, ct_t lr, ct_t scale, double rho,
                        double eps, ct_adadelta o) {
    ct_t moment[2] = {square, delta};
    return ct__update_node(&ct__op_adadelta_update, param, grad, moment, 2, lr, scale,
                           (ct__value[]){{.f = rho}, {.f = eps}}, &o);
}
