/* Optimiser steps: what they share, and the moving average of a parameter.
 *
 * An optimiser is an op whose inputs are the parameter p, its gradient g, the moments, the learning rate and
 * a factor of the gradient (two f32 scalars), and whose outputs are the new parameter and moments. Given to
 * a plan as effects, the steps of equal rules run as one pass over all parameters, in place, which also adds
 * up the gradient's shards. In order, for every rule:
 *
 *     g = g * factor                        the factor is 1, or what clipping by the norm gives; a factor
 *                                           that is not finite leaves parameter and moments as they are
 *     g = min(max(g, -clip_value), clip_value)     when clip_value > 0
 *     g = g + l1 * sign(p) + weight_decay * p      decoupled: p = p * (1 - lr * weight_decay) instead
 *     the rule's own step; t = completed steps of the session + 1; a quotient x / 0 counts as 0
 *
 * average: a = decay * a + (1 - decay) * p', p' being the parameter after its step. */
#include "op/update.h"

ct_status ct__update_infer(ct__infer *f) {
    int32_t moments = f->op->update->moments, scalars = f->op->update->scalars;
    if (f->n_in != 2 + moments + scalars)
        return ct__infer_fail(f, "%d inputs; wanted %d", f->n_in, 2 + moments + scalars);
    for (int32_t i = 0; i < f->n_in; i++) {
        if (ct__infer_dtype(f, i, CT_F32)) return CT_EUSAGE;
        if (i >= 2 + moments ? ct__infer_rank(f, i, 0, 0) : ct__infer_same_shape(f, 0, i)) return CT_EUSAGE;
    }
    f->n_out = 1 + moments;
    for (int32_t i = 0; i < f->n_out; i++) f->out[i] = f->in[0];
    return CT_OK;
}

const void *ct__update_data(const ct__lower *l, ct__rule rule) {
    ct__rule *r = ct_arena_new(l->arena, sizeof *r);
    if (r)
        *r = rule;
    else
        ct_fail(l->e, CT_ELIMIT, "%s: out of memory", l->op->name);
    return r;
}

static int is_variable(const ct__op *op, ct_t x, const char *what) {
    if (!x.node || !ct_ok(x) || x.node->var) return 1;
    ct__graph_fail(x.node->graph, "%s: %s is the result of %s; wanted a variable, which the step can write",
                   op->name, what, x.node->op->name);
    return 0;
}

ct_t ct__update_node(const ct__op *op, ct_t param, ct_t grad, const ct_t *moment, int32_t moments, ct_t lr,
                     ct_t scale, const ct__value *positional, const void *options) {
    ct_t in[8] = {param, grad};
    int32_t n = 2;
    int fine = is_variable(op, param, "the parameter");
    for (int32_t i = 0; i < moments; i++) {
        in[n++] = moment[i];
        fine = fine && is_variable(op, moment[i], "a moment");
    }
    in[n++] = lr;
    in[n++] = scale;
    return fine ? ct__op_with(op, in, n, positional, options) : ct__poison(param.node->graph);
}

static double cut(double g, double clip) {
    return clip > 0 && g > clip ? clip : clip > 0 && g < -clip ? -clip : g;
}

void ct__update_refs(ct__ref *r, ct__rule rule, ct__update_ref fn) {
    uint64_t n = ct__ref_count(&r->in[0]);
    double lr = r->in[r->n_in - 2].v[0], scale = r->in[r->n_in - 1].v[0];
    for (uint64_t i = 0; i < n; i++) {
        double v[CT__MAX_OUT] = {0}, p = r->in[0].v[i], g = cut(r->in[1].v[i] * scale, rule.clip);
        for (int32_t k = 0; k < r->n_out; k++) v[k] = r->in[k ? k + 1 : 0].v[i];
        g += rule.l1 * (p > 0 ? 1 : p < 0 ? -1 : 0);
        if (rule.decoupled)
            v[0] *= 1 - lr * rule.weight_decay;
        else
            g += rule.weight_decay * p;
        if (isfinite(scale)) fn(&rule, v, g, lr, (double)r->step);
        for (int32_t k = 0; k < r->n_out; k++)
            r->out[k].v[i] = isfinite(scale) ? v[k] : r->in[k ? k + 1 : 0].v[i];
    }
}

/* ---- average ---- */
static const ct__attr attrs[] = {POS_FLOAT(decay, 0.999, 0, 1, "share of the old average"), {0}};

static const void *prepare(const ct__lower *l, ct__update_fn *fn) {
    *fn = l->simd->update->average;
    return ct__update_data(l, (ct__rule){.beta2 = l->attr[0].f});
}

static void ref(ct__ref *r) {
    double decay = r->attr[0].f;
    for (uint64_t i = 0; i < ct__ref_count(&r->in[0]); i++) {
        r->out[0].v[i] = r->in[0].v[i];
        r->out[1].v[i] = decay * r->in[2].v[i] + (1 - decay) * r->in[1].v[i];
    }
}

static const ct__case cases[] = {
    {.text = "[1]"},
    {.text = "[7]"},
    {.text = "[8]"},
    {.text = "[9]"},
    {.text = "[15]"},
    {.text = "[16]"},
    {.text = "[17]"},
    {.text = "[31]"},
    {.text = "[33]"},
    {.text = "[1,1]"},
    {.text = "[3,5]"},
    {.text = "[7,9]"},
    {.text = "[16,16]"},
    {.text = "[15,17]"},
    {.text = "[2,3,4]"},
    {.text = "[3,3,3,3]"},
    {.text = "[1000]"},
    {.text = "[1025]"},
    {.text = "[129,128]"},
    {.text = "[17] decay=0"},
    {.text = "[17] decay=1"},
    {.text = "[17] decay=0.5"},
    {.text = "[17] step=1000"},
    {.text = "[3] decay=2", .error = "decay is 2; wanted"},
    {0},
};
static const ct__update update = {.moments = 1, .scalars = 0, .reads_parameter = 1, .prepare = prepare};
const ct__op ct__op_average_update = {
    .name = "average_update",
    .summary = "exponential moving average of a parameter",
    .attrs = attrs,
    .inputs_min = 3,
    .inputs_max = 3,
    .infer = ct__update_infer,
    .nondiff = "an optimiser step",
    .update = &update,
    .ref = ref,
    .cases = cases,
};

/* average = decay * average + (1 - decay) * param, to be given to a plan as an effect. `param` is the result
 * of the optimiser's node, so that the average takes the parameter after its step, or a parameter that the
 * plan does not change. */
ct_t ct_average_update(ct_t average, ct_t param, double decay) {
    ct_t in[3] = {param, param, average};
    int stepped = ct_ok(param) && (param.node->op->update || (param.node->op->flags & CT__OP_ASSIGN));
    if (stepped && param.out == 0) in[0] = param.node->in[0];
    if (!is_variable(&ct__op_average_update, average, "the average") ||
        !is_variable(&ct__op_average_update, in[0], "the parameter"))
        return ct__poison(param.node->graph);
    return ct__output(ct__op_with(&ct__op_average_update, in, 3, (ct__value[]){{.f = decay}}, NULL), 1);
}
