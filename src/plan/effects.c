/* effects.c: what the writers of variables take.
 *
 * Effects (optimiser steps, assignments) come after everything else, and each takes what its operands were
 * before any effect: `assign(a, b)` beside `assign(b, a)` swaps, an output that is a variable gives the value
 * that the run began with. So an operand or an output that is the memory of a written variable, or a view of
 * it, is copied first. A variable has one writer in a plan. */
#include <string.h>

#include "op/common.h"
#include "plan/plan.h"

static ct_status run_keep(const void *data, void *const *arg, const ct__exec *x) {
    (void)x;
    if (arg[1]) memcpy(arg[1], arg[0], *(const uint64_t *)data);
    return CT_OK;
}

static ct_status lower_keep(ct__lower *l) {
    uint64_t *bytes = CT__DATA(l, uint64_t);
    if (!bytes) return CT_ELIMIT;
    *bytes = (uint64_t)ct__count(&l->in[0].shape) * ct_dtype_size((ct_dtype)l->in[0].dtype);
    l->run = run_keep;
    l->data = bytes;
    l->impl = "copy";
    return CT_OK;
}

static ct_status same(ct__infer *f) {
    f->out[0] = f->in[0];
    return CT_OK;
}
static void ref(ct__ref *r) { memcpy(r->out[0].v, r->in[0].v, ct__ref_count(&r->in[0]) * sizeof(double)); }

static const ct__op keep = {.name = "keep",
                            .summary = "a variable as it was before the effects",
                            .inputs_min = 1,
                            .inputs_max = 1,
                            .flags = CT__OP_INTERNAL,
                            .infer = same,
                            .nondiff = "it appears in plans only",
                            .batch = ct__batch_rows,
                            .lower = lower_keep,
                            .ref = ref};

typedef struct keeping {
    ct__instance *t;
    ct__pnode **list;
    int32_t n;
    const ct__pnode **writer; /* by variable index */
    int32_t *kept;            /* by value: its copy, or -1 */
} keeping;

int ct__is_target(const ct__pnode *n, int32_t input) {
    const ct__update *u = n->op->update;
    if (u) return (input == 0 && !u->reads_parameter) || (input >= 2 && input < 2 + u->moments);
    return (n->op->flags & CT__OP_ASSIGN) && input < n->n_out;
}

/* The variable whose memory a value is, NULL: none. */
static ct__var *memory_of(const ct__instance *t, int32_t v) {
    for (const ct__pnode *n = t->node[t->val[v].node];; n = t->node[t->val[n->in[0]].node]) {
        if (n->op == &ct__op_var) return n->origin->var;
        if (!(n->op->flags & CT__OP_VIEW) || n->in[0] < 0) return NULL;
    }
}

static ct_status find_writers(keeping *k) {
    ct__instance *t = k->t;
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        for (int32_t j = 0; j < n->n_in; j++) {
            ct__var *v = n->in[j] >= 0 && ct__is_target(n, j) ? memory_of(t, n->in[j]) : NULL;
            if (!v) continue;
            if (k->writer[v->index] && k->writer[v->index] != n)
                return ct_fail(
                    t->e, CT_EUSAGE,
                    "plan: variable \"%s\" is written by %s and by %s; wanted one effect for each variable",
                    v->name, k->writer[v->index]->op->name, n->op->name);
            if (!k->writer[v->index]) t->written[t->n_written++] = v;
            k->writer[v->index] = n;
        }
    }
    return CT_OK;
}

static int32_t kept_version(keeping *k, int32_t v) {
    ct__instance *t = k->t;
    const ct__var *var = memory_of(t, v);
    if (!var || !k->writer[var->index]) return v;
    if (k->kept[v] >= 0) return k->kept[v];
    ct__pnode *n = ct__pnode_new(t, &keep, 1, 1);
    int32_t out = n ? ct__val_new(t, &t->val[v].type, k->n) : -1;
    if (out < 0) return -1;
    n->in[0] = v;
    n->out[0] = out;
    n->name = t->node[t->val[v].node]->name;
    n->origin = t->node[t->val[v].node]->origin;
    k->list[k->n++] = n;
    return k->kept[v] = out;
}

ct_status ct__pass_effects(ct__instance *t) {
    int32_t vars = t->plan->ctx->vars, values = t->vals;
    keeping k = {.t = t};
    k.list = ct_arena_array(&t->arena, (uint64_t)(t->nodes + values) + 1, sizeof *k.list);
    k.writer = ct_arena_array(&t->arena, (uint64_t)vars + 1, sizeof *k.writer);
    k.kept = ct_arena_array(&t->arena, (uint64_t)values + 1, sizeof *k.kept);
    t->written = ct_arena_array(&t->arena, (uint64_t)vars + 1, sizeof *t->written);
    t->state = ct_arena_array(&t->arena, (uint64_t)vars + 1, sizeof *t->state);
    if (!k.list || !k.writer || !k.kept || !t->written || !t->state)
        return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    for (int32_t i = 0; i < values; i++) k.kept[i] = -1;
    for (int32_t i = 0; i < t->nodes; i++)
        if (t->node[i]->op == &ct__op_var && t->node[i]->origin->var->kind == CT_STATE)
            t->state[t->n_states++] = t->node[i]->origin->var;
    ct_status s = find_writers(&k);
    if (s || !t->n_written) return s;
    for (int32_t i = 0; i < t->nodes; i++) {
        ct__pnode *n = t->node[i];
        for (int32_t j = 0; ct__writes_variables(n) && j < n->n_in; j++)
            if (n->in[j] >= 0 && !ct__is_target(n, j) && (j || !n->op->update) &&
                (n->in[j] = kept_version(&k, n->in[j])) < 0)
                return CT_ELIMIT;
        k.list[k.n++] = n;
    }
    for (int32_t i = 0; i < t->plan->outs; i++)
        if ((t->output[i] = kept_version(&k, t->output[i])) < 0) return CT_ELIMIT;
    return ct__pnode_list(t, k.list, k.n) ? CT_OK : CT_ELIMIT;
}
