/* Assignment: a variable takes a value at the end of a run.
 *
 *     assign(variable, value): variable = value      same shape and type, f32 or i64
 *
 * An effect for a plan (carried states, running statistics, counters); it happens after every reader of the
 * variable. The result is the variable's new value. Never merged, no gradient. */
#include "op/common.h"
#include "op/relayout.h"

static ct_status infer(ct__infer *f) {
    int32_t dtype = f->in[0].dtype;
    if (dtype != CT_F32 && dtype != CT_I64)
        return ct__infer_fail(f, "the variable is %s; wanted f32 or i64", ct_dtype_name((ct_dtype)dtype));
    if (ct__infer_dtype(f, 1, dtype) || ct__infer_same_shape(f, 0, 1)) return CT_EUSAGE;
    f->out[0] = f->in[0];
    return CT_OK;
}

/* The variable stays in its home; the value comes in the same order. */
static void layout(ct__layouts *q) { q->in[0] = q->in[1] = q->out[0] = q->in_now[0]; }

/* arg[2] is the variable's own memory or absent. */
static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    (void)x;
    if (arg[0] && arg[1] && arg[0] != arg[1]) memmove(arg[0], arg[1], *(const uint64_t *)data);
    return CT_OK;
}

static ct_status lower(ct__lower *l) {
    uint64_t *bytes = CT__DATA(l, uint64_t);
    if (!bytes) return CT_ELIMIT;
    *bytes = ct__layout_bytes(&l->in_layout[1], &l->in[1]);
    l->run = run;
    l->data = bytes;
    l->impl = "copy";
    return CT_OK;
}

static void ref(ct__ref *r) { memcpy(r->out[0].v, r->in[1].v, ct__ref_count(&r->in[1]) * sizeof(double)); }

const ct__op ct__op_assign = {
    .name = "assign",
    .summary = "a variable takes a value",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_ASSIGN,
    .infer = infer,
    .nondiff = "it writes a variable",
    .layout = layout,
    .lower = lower,
    .ref = ref,
};

/* variable = value at the end of each run of a plan that has this among its effects. */
ct_t ct_assign(ct_t variable, ct_t value) {
    if (ct_ok(variable) && !variable.node->var) {
        ct__graph_fail(variable.node->graph, "assign: its first input is the result of %s; wanted a variable",
                       variable.node->op->name);
        return ct__poison(variable.node->graph);
    }
    return ct__op2(&ct__op_assign, variable, value);
}
