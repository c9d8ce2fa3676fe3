/* RMSprop (PyTorch's); g as optimiser steps see it (update.c).
 *
 *     s = alpha s + (1 - alpha) g^2
 *     centered: a = alpha a + (1 - alpha) g, q = g / (sqrt(max(s - a^2, 0)) + eps);  else q = g / (sqrt(s) + eps)
 *     momentum: b = momentum b + q, p = p - lr b;                                    else p = p - lr q
 *
 * Four ops, because an op has a fixed number of moments. The maximum with 0 is ours: rounding can bring
 * s - a^2 below it, where PyTorch's step is NaN. */
#include "op/update.h"

static const ct__attr attrs[] = {
    POS_FLOAT(alpha, 0.99, 0, 1, "decay of the square"),
    POS_FLOAT(eps, 1e-8, 0, 1e9, "added to the divisor"),
    OPT_FLOAT(ct_rmsprop, momentum, 0, 0, 1, "factor of the momentum"),
    OPT_FLOAT(ct_rmsprop, weight_decay, 0, 0, 1e9, "adds weight_decay * p to the gradient"),
    OPT_FLOAT(ct_rmsprop, l1, 0, 0, 1e9, "adds l1 * sign(p) to the gradient"),
    OPT_FLOAT(ct_rmsprop, clip_value, 0, 0, 1e30, "> 0: gradients are cut to +-clip_value"),
    OPT_INT(ct_rmsprop, decoupled, 0, 0, 1, "1: the decay is p *= 1 - lr * weight_decay instead"),
    {0},
};
enum { ALPHA, EPS, MOMENTUM, WEIGHT_DECAY, L1, CLIP, DECOUPLED };

static ct__rule rule_of(const ct__value *a) {
    return (ct__rule){.beta1 = a[MOMENTUM].f,
                      .beta2 = a[ALPHA].f,
                      .eps = a[EPS].f,
                      .weight_decay = a[WEIGHT_DECAY].f,
                      .l1 = a[L1].f,
                      .clip = a[CLIP].f,
                      .decoupled = (int32_t)a[DECOUPLED].i};
}

static double square_of(const ct__rule *r, double square, double g) {
    return r->beta2 * square + (1 - r->beta2) * g * g;
}
static double quotient(const ct__rule *r, double square, double g) {
    double divisor = sqrt(square > 0 ? square : 0) + r->eps;
    return divisor != 0 ? g / divisor : 0;
}
static double centre(const ct__rule *r, double *mean, double square, double g) {
    *mean = r->beta2 * *mean + (1 - r->beta2) * g;
    return square - *mean * *mean;
}
static void step_rmsprop(const ct__rule *r, double *v, double g, double lr, double step) {
    (void)step;
    v[1] = square_of(r, v[1], g);
    v[0] -= lr * quotient(r, v[1], g);
}
static void step_rmsprop_centered(const ct__rule *r, double *v, double g, double lr, double step) {
    (void)step;
    v[1] = square_of(r, v[1], g);
    v[0] -= lr * quotient(r, centre(r, &v[2], v[1], g), g);
}
static void step_rmsprop_momentum(const ct__rule *r, double *v, double g, double lr, double step) {
    (void)step;
    v[1] = square_of(r, v[1], g);
    v[2] = r->beta1 * v[2] + quotient(r, v[1], g);
    v[0] -= lr * v[2];
}
static void step_rmsprop_both(const ct__rule *r, double *v, double g, double lr, double step) {
    (void)step;
    v[1] = square_of(r, v[1], g);
    v[3] = r->beta1 * v[3] + quotient(r, centre(r, &v[2], v[1], g), g);
    v[0] -= lr * v[3];
}

#define VARIANT(variant, n) \
    static const void *prepare_##variant(const ct__lower *l, ct__update_fn *fn) { \
        *fn = l->simd->update->variant; \
        return ct__update_data(l, rule_of(l->attr)); \
    } \
    static void ref_##variant(ct__ref *r) { ct__update_refs(r, rule_of(r->attr), step_##variant); } \
    static const ct__update update_##variant = {.moments = n, .scalars = 2, .prepare = prepare_##variant};
VARIANT(rmsprop, 1)
VARIANT(rmsprop_centered, 2)
VARIANT(rmsprop_momentum, 2)
VARIANT(rmsprop_both, 3)

static const ct__case cases[] = {
    CT__UPDATE_SHAPES,
    {.text = "[17] alpha=0.9"},
    {.text = "[17] eps=0"},
    {.text = "[17] eps=0.1"},
    {.text = "[3] alpha=2", .error = "alpha is 2; wanted"},
    {0},
};

const ct__op ct__op_rmsprop_update = {
    .name = "rmsprop_update",
    .summary = "RMSprop",
    .attrs = attrs,
    .inputs_min = 5,
    .inputs_max = 5,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &update_rmsprop,
    .ref = ref_rmsprop,
    .cases = cases,
};
const ct__op ct__op_rmsprop_centered_update = {
    .name = "rmsprop_centered_update",
    .summary = "RMSprop, centred",
    .attrs = attrs,
    .inputs_min = 6,
    .inputs_max = 6,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &update_rmsprop_centered,
    .ref = ref_rmsprop_centered,
    .cases = cases,
};
static const ct__case momentum_cases[] = {
    CT__UPDATE_SHAPES,
    {.text = "[17] momentum=0.9"},
    {.text = "[17] momentum=0.5 alpha=0.9"},
    {.text = "[17] momentum=0.9 eps=0.1"},
    {.text = "[3] momentum=2", .error = "momentum is 2; wanted"},
    {0},
};

const ct__op ct__op_rmsprop_momentum_update = {
    .name = "rmsprop_momentum_update",
    .summary = "RMSprop with momentum",
    .attrs = attrs,
    .inputs_min = 6,
    .inputs_max = 6,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &update_rmsprop_momentum,
    .ref = ref_rmsprop_momentum,
    .cases = momentum_cases,
};
const ct__op ct__op_rmsprop_both_update = {
    .name = "rmsprop_both_update",
    .summary = "RMSprop, centred, with momentum",
    .attrs = attrs,
    .inputs_min = 7,
    .inputs_max = 7,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &update_rmsprop_both,
    .ref = ref_rmsprop_both,
    .cases = momentum_cases,
};

/* A step of RMSprop, an effect for a plan. Moment variables of the parameter's shape, zeros at first: square;
 * average for the centred form, else node NULL; momentum when o.momentum is not 0, else node NULL. */
ct_t ct_rmsprop_update(ct_t param, ct_t grad, ct_t square, ct_t average, ct_t momentum, ct_t lr, ct_t scale,
                       double alpha, double eps, ct_rmsprop o) {
    ct_t moment[3] = {square, average.node ? average : momentum, momentum};
    ct__value positional[2] = {{.f = alpha}, {.f = eps}};
    int32_t moments = 1 + (average.node != NULL) + (momentum.node != NULL);
    const ct__op *op = average.node && momentum.node ? &ct__op_rmsprop_both_update
                       : average.node                ? &ct__op_rmsprop_centered_update
                       : momentum.node               ? &ct__op_rmsprop_momentum_update
                                                     : &ct__op_rmsprop_update;
    if (ct_ok(param) && (o.momentum != 0) != (momentum.node != NULL))
        ct__graph_fail(param.node->graph,
                       "rmsprop: momentum is %g and its variable is %s; wanted both or none", o.momentum,
                       momentum.node ? "given" : "none");
    return ct__update_node(op, param, grad, moment, moments, lr, scale, positional, &o);
}
