/* Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms"); g as optimiser steps see it
 * (update.c), except that the weight decay is always decoupled, as in the paper.
 *
 *     p = p (1 - lr weight_decay) - lr sign(beta1 m + (1 - beta1) g)
 *     m = beta2 m + (1 - beta2) g */
#include "op/update.h"

static const ct__attr attrs[] = {
    POS_FLOAT(beta1, 0.9, 0, 1, "share of the momentum in the step"),
    POS_FLOAT(beta2, 0.99, 0, 1, "decay of the momentum"),
    OPT_FLOAT(ct_lion, weight_decay, 0, 0, 1e9, "p *= 1 - lr * weight_decay"),
    OPT_FLOAT(ct_lion, l1, 0, 0, 1e9, "adds l1 * sign(p) to the gradient"),
    OPT_FLOAT(ct_lion, clip_value, 0, 0, 1e30, "> 0: gradients are cut to +-clip_value"),
    OPT_INT(ct_lion, decoupled, 1, 1, 1, "the paper's form, and the only one"),
    {0},
};
enum { BETA1, BETA2, WEIGHT_DECAY, L1, CLIP };

static ct__rule rule_of(const ct__value *a) {
    return (ct__rule){.beta1 = a[BETA1].f,
                      .beta2 = a[BETA2].f,
                      .weight_decay = a[WEIGHT_DECAY].f,
                      .decoupled = 1,
                      .l1 = a[L1].f,
                      .clip = a[CLIP].f};
}

static const void *prepare(const ct__lower *l, ct__update_fn *fn) {
    *fn = l->simd->update->lion;
    return ct__update_data(l, rule_of(l->attr));
}

static void step_lion(const ct__rule *r, double *v, double g, double lr, double step) {
    double c = r->beta1 * v[1] + (1 - r->beta1) * g;
    (void)step;
    v[0] -= lr * (c > 0 ? 1 : c < 0 ? -1 : 0);
    v[1] = r->beta2 * v[1] + (1 - r->beta2) * g;
}
static void ref(ct__ref *r) { ct__update_refs(r, rule_of(r->attr), step_lion); }

static const ct__update update = {.moments = 1, .scalars = 2, .prepare = prepare};
static const ct__case cases[] = {
    CT__UPDATE_SHAPES,
    {.text = "[17] beta1=0.5 beta2=0.9"},
    {.text = "[17] beta1=0"},
    {.text = "[3] beta1=2", .error = "beta1 is 2; wanted"},
    {0},
};

const ct__op ct__op_lion_update = {
    .name = "lion_update",
    .summary = "Lion",
    .attrs = attrs,
    .inputs_min = 5,
    .inputs_max = 5,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &update,
    .ref = ref,
    .cases = cases,
};

/* A step of Lion, an effect for a plan. m: a moment variable of the parameter's shape, zeros at first. */
ct_t ct_lion_update(ct_t param, ct_t grad, ct_t m, ct_t lr, ct_t scale, double beta1, double beta2,
                    ct_lion o) {
    return ct__update_node(&ct__op_lion_update, param, grad, &m, 1, lr, scale,
                           (ct__value[]){{.f = beta1}, {.f = beta2}}, &o);
}
