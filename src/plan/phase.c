/* phase.c: barriers. A phase is a run of steps between two barriers, of one kind: once (on one thread),
 * piece (steps independent of each other, cut into tasks) or shard (all steps for each shard in turn).
 *
 * Phases are numbered level * 3 + kind. A node takes the smallest number of its kind that is not before any
 * producer, and after it where something has to be complete first: a whole-batch reader of sharded values, a
 * piece after a piece. Nodes that write variables come after all others, so a run that fails has changed
 * nothing. */
#include "plan/plan.h"

static int32_t not_before(int32_t phase, int32_t kind) { return phase + ((kind - phase % 3) + 3) % 3; }

static int32_t phase_after(const ct__pnode *producer, const ct__pnode *n) {
    int32_t same_run = producer->kind == n->kind && n->kind != CT__PIECE;
    if (producer->op->flags & CT__OP_SOURCE) return not_before(0, n->kind);
    if (same_run) return producer->phase;
    return not_before(producer->phase + 1, n->kind);
}

static void set_roots(ct__instance *t) {
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        if ((n->op->flags & CT__OP_VIEW) && n->in[0] >= 0) t->val[n->out[0]].root = t->val[n->in[0]].root;
    }
}

static int by_phase(const ct__instance *t, ct__pnode **sorted) {
    int32_t max = 0, n = 0;
    for (int32_t i = 0; i < t->nodes; i++)
        if (t->node[i]->phase > max) max = t->node[i]->phase;
    for (int32_t p = 0; p <= max; p++)
        for (int32_t i = 0; i < t->nodes; i++)
            if (t->node[i]->phase == p) sorted[n++] = t->node[i];
    return n == t->nodes;
}

ct_status ct__pass_phase(ct__instance *t) {
    ct__pnode **sorted = ct_arena_array(&t->arena, (uint64_t)t->nodes + 1, sizeof *sorted);
    if (!sorted) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    set_roots(t);
    for (int32_t i = 0; i < t->nodes; i++) {
        ct__pnode *n = t->node[i];
        n->phase = not_before(0, n->kind);
        for (int32_t k = 0; k < n->n_in; k++) {
            if (n->in[k] < 0) continue;
            int32_t p = phase_after(t->node[t->val[n->in[k]].node], n);
            if (p > n->phase) n->phase = p;
        }
    }
    int32_t last = 0; /* everything that can still fail comes before the first write */
    for (int32_t i = 0; i < t->nodes; i++)
        if (!ct__writes_variables(t->node[i]) && t->node[i]->phase > last) last = t->node[i]->phase;
    for (int32_t i = 0; i < t->nodes; i++) {
        ct__pnode *n = t->node[i];
        if (!ct__writes_variables(n)) continue;
        n->phase = not_before(last + 1, n->kind);
        for (int32_t k = 0; k < n->n_in; k++) {
            int32_t p = n->in[k] >= 0 ? phase_after(t->node[t->val[n->in[k]].node], n) : 0;
            if (p > n->phase) n->phase = p;
        }
    }
    if (!by_phase(t, sorted)) return ct_fail(t->e, CT_EINTERNAL, "plan: a node without a phase");
    return ct__pnode_list(t, sorted, t->nodes) ? CT_OK : CT_ELIMIT;
}
