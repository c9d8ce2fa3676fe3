/* Adam, AdamW and NAdam (PyTorch's); g as optimiser steps see it (update.c).
 *
 *     m = m + (1 - beta1) (g - m)
 *     v = beta2 v + (1 - beta2) g^2
 *     adam_update:   p = p - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)
 *     nadam_update:  mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), P_t = mu_1 ... mu_t
 *                    p = p - lr (1 - mu_t) / (1 - P_t) * g / (sqrt(v / (1 - beta2^t)) + eps)
 *                          - lr mu_t+1 / (1 - P_t+1)  * m / (the same)
 *
 * AdamW is adam_update with decoupled = 1. */
#include "op/update.h"

static const ct__attr attrs[] = {
    POS_FLOAT(beta1, 0.9, 0, 0.9999999, "decay of the mean"),
    POS_FLOAT(beta2, 0.999, 0, 0.9999999, "decay of the square"),
    POS_FLOAT(eps, 1e-8, 0, 1e9, "added to the divisor"),
    OPT_FLOAT(ct_adam, weight_decay, 0, 0, 1e9, "adds weight_decay * p to the gradient"),
    OPT_INT(ct_adam, decoupled, 0, 0, 1, "1: AdamW, the decay is p *= 1 - lr * weight_decay instead"),
    OPT_FLOAT(ct_adam, l1, 0, 0, 1e9, "adds l1 * sign(p) to the gradient"),
    OPT_FLOAT(ct_adam, clip_value, 0, 0, 1e30, "> 0: gradients are cut to +-clip_value"),
    {0},
};
static const ct__attr nadam_attrs[] = {
    POS_FLOAT(beta1, 0.9, 0, 0.9999999, "decay of the mean"),
    POS_FLOAT(beta2, 0.999, 0, 0.9999999, "decay of the square"),
    POS_FLOAT(eps, 1e-8, 0, 1e9, "added to the divisor"),
    OPT_FLOAT(ct_adam, weight_decay, 0, 0, 1e9, "adds weight_decay * p to the gradient"),
    OPT_INT(ct_adam, decoupled, 0, 0, 1, "1: AdamW, the decay is p *= 1 - lr * weight_decay instead"),
    OPT_FLOAT(ct_adam, l1, 0, 0, 1e9, "adds l1 * sign(p) to the gradient"),
    OPT_FLOAT(ct_adam, clip_value, 0, 0, 1e30, "> 0: gradients are cut to +-clip_value"),
    OPT_FLOAT(ct_adam, momentum_decay, 0.004, 1e-9, 1e3, "NAdam alone: of its momentum's schedule"),
    {0},
};
enum { BETA1, BETA2, EPS, WEIGHT_DECAY, DECOUPLED, L1, CLIP, MOMENTUM_DECAY };

static ct__rule rule_of(const ct__value *a) {
    return (ct__rule){.beta1 = a[BETA1].f,
                      .beta2 = a[BETA2].f,
                      .eps = a[EPS].f,
                      .weight_decay = a[WEIGHT_DECAY].f,
                      .decoupled = (int32_t)a[DECOUPLED].i,
                      .l1 = a[L1].f,
                      .clip = a[CLIP].f};
}
static ct__rule nadam_rule(const ct__value *a) {
    ct__rule r = rule_of(a);
    r.momentum_decay = a[MOMENTUM_DECAY].f;
    return r;
}

static const void *adam(const ct__lower *l, ct__update_fn *fn) {
    *fn = l->simd->update->adam;
    return ct__update_data(l, rule_of(l->attr));
}
static const void *nadam(const ct__lower *l, ct__update_fn *fn) {
    *fn = l->simd->update->nadam;
    return ct__update_data(l, nadam_rule(l->attr));
}

static double moments(const ct__rule *r, double *v, double g, double step) {
    v[1] += (1 - r->beta1) * (g - v[1]);
    v[2] = r->beta2 * v[2] + (1 - r->beta2) * g * g;
    return sqrt(v[2] / (1 - pow(r->beta2, step + 1))) + r->eps;
}
static void step_adam(const ct__rule *r, double *v, double g, double lr, double step) {
    double divisor = moments(r, v, g, step);
    if (divisor != 0) v[0] -= lr / (1 - pow(r->beta1, step + 1)) * v[1] / divisor;
}
static double mu(const ct__rule *r, double t) {
    return r->beta1 * (1 - 0.5 * pow(0.96, t * r->momentum_decay));
}
static void step_nadam(const ct__rule *r, double *v, double g, double lr, double step) {
    double divisor = moments(r, v, g, step), t = step + 1, product = 1;
    for (double i = 1; i <= t && product > 1e-300; i++) product *= mu(r, i);
    if (divisor == 0) return;
    v[0] -= lr * (1 - mu(r, t)) / (1 - product) * g / divisor;
    v[0] -= lr * mu(r, t + 1) / (1 - product * mu(r, t + 1)) * v[1] / divisor;
}
static void ref_adam(ct__ref *r) { ct__update_refs(r, rule_of(r->attr), step_adam); }
static void ref_nadam(ct__ref *r) { ct__update_refs(r, nadam_rule(r->attr), step_nadam); }

static const ct__update adam_update = {.moments = 2, .scalars = 2, .prepare = adam};
static const ct__update nadam_update = {.moments = 2, .scalars = 2, .prepare = nadam};

static const ct__case cases[] = {
    CT__UPDATE_SHAPES,
    {.text = "[17] eps=0"},
    {.text = "[17] eps=0.1"},
    {.text = "[17] beta1=0"},
    {.text = "[17] beta1=0.5 beta2=0.9"},
    {.text = "[3] beta2=1", .error = "beta2 is 1; wanted"},
    {0},
};

const ct__op ct__op_adam_update = {
    .name = "adam_update",
    .summary = "Adam and AdamW",
    .attrs = attrs,
    .inputs_min = 6,
    .inputs_max = 6,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &adam_update,
    .ref = ref_adam,
    .cases = cases,
};
static const ct__case nadam_cases[] = {
    CT__UPDATE_SHAPES,
    {.text = "[17] eps=0"},
    {.text = "[17] eps=0.1"},
    {.text = "[17] beta1=0.5 beta2=0.9"},
    {.text = "[17] momentum_decay=0.1"},
    {.text = "[3] momentum_decay=-1", .error = "momentum_decay is -1; wanted"},
    {0},
};

const ct__op ct__op_nadam_update = {
    .name = "nadam_update",
    .summary = "Adam with Nesterov momentum",
    .attrs = nadam_attrs,
    .inputs_min = 6,
    .inputs_max = 6,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &nadam_update,
    .ref = ref_nadam,
    .cases = nadam_cases,
};

/* A step of Adam, an effect for a plan. m, v: moment variables of the parameter's shape, zeros at first. */
ct_t ct_adam_update(ct_t param, ct_t grad, ct_t m, ct_t v, ct_t lr, ct_t scale, double beta1, double beta2,
                    double eps, ct_adam o) {
    ct_t moment[2] = {m, v};
    ct__value positional[3] = {{.f = beta1}, {.f = beta2}, {.f = eps}};
    return ct__update_node(&ct__op_adam_update, param, grad, moment, 2, lr, scale, positional, &o);
}
/* A step of NAdam, an effect for a plan. m, v: moment variables of the parameter's shape, zeros at first. */
ct_t ct_nadam_update(ct_t param, ct_t grad, ct_t m, ct_t v, ct_t lr, ct_t scale, double beta1, double beta2,
                     double eps, ct_adam o) {
    ct_t moment[2] = {m, v};
    ct__value positional[3] = {{.f = beta1}, {.f = beta2}, {.f = eps}};
    return ct__update_node(&ct__op_nadam_update, param, grad, moment, 2, lr, scale, positional, &o);
}
