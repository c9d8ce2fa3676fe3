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

/* ---- late ----
 * A shard's values are cheap while they live and die inside one phase: the thread's memory holds them, whatever the
 * batch. One that is read in a later phase is kept for all shards. So a second order is tried, in which a node whose
 * readers are all later goes later itself, into the phase of the first of them, unless that would keep more operands
 * than results: a loss that is divided by a count of labels then waits for that count before its forward pass, not
 * between forward and backward. It is taken when clearly less is kept. Shards move among the phases there are. */

typedef struct waiting {
    const ct__instance *t;
    int32_t *late;   /* by node: the phase it may go to */
    int32_t *far;    /* by value: readings in a later phase than its producer's */
    uint8_t *exists; /* by phase */
    int32_t phases;
} waiting;

/* The last phase of a kind before `before`, -1: none. Whole-batch nodes may come after all the shards there are. */
static int32_t latest(const waiting *w, int32_t kind, int32_t before) {
    int32_t p = before < w->phases + 6 ? before : w->phases + 6;
    for (p--; p >= 0 && (p % 3 != kind || (kind == CT__SHARDED && (p >= w->phases || !w->exists[p]))); p--) {
    }
    return p;
}

static const ct__pnode *producer_of(const ct__instance *t, int32_t v) {
    return v >= 0 ? t->node[t->val[v].node] : NULL;
}
static int stays(const ct__pnode *n) { return (n->op->flags & CT__OP_SOURCE) || ct__writes_variables(n); }

static void prepare(waiting *w) {
    const ct__instance *t = w->t;
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        if (!(n->op->flags & (CT__OP_SOURCE | CT__OP_VIEW)) && !ct__writes_variables(n))
            w->exists[n->phase] = 1;
        for (int32_t k = 0; k < n->n_in; k++) {
            const ct__pnode *p = producer_of(t, n->in[k]);
            if (p) w->far[n->in[k]] += n->phase > p->phase;
        }
    }
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        int32_t end = stays(n) ? -1 : latest(w, n->kind, INT32_MAX);
        w->late[i] = end > n->phase ? end : n->phase;
    }
}

/* No node is later than its readers allow; writers come last whatever happens. */
static void limit_by_readers(const waiting *w) {
    const ct__instance *t = w->t;
    for (int32_t i = t->nodes - 1; i >= 0; i--) {
        const ct__pnode *n = t->node[i];
        for (int32_t k = 0; k < n->n_in && !ct__writes_variables(n); k++) {
            const ct__pnode *p = producer_of(t, n->in[k]);
            if (!p || stays(p)) continue;
            int32_t *late = &w->late[t->val[n->in[k]].node],
                    together = p->kind == n->kind && n->kind != CT__PIECE,
                    limit = together ? w->late[i] : latest(w, p->kind, w->late[i]);
            if (limit < *late) *late = limit > p->phase ? limit : p->phase;
        }
    }
}

/* Is it worth going beyond what the producers ask for? Sums over the batch are no less to keep later. */
static int worth_it(const waiting *w, int32_t node) {
    const ct__instance *t = w->t;
    const ct__pnode *n = t->node[node];
    uint64_t in = 0, out = 0;
    if (n->kind != CT__SHARDED) return 0;
    for (int32_t k = 0; k < n->n_in; k++) {
        const ct__pnode *p = producer_of(t, n->in[k]);
        int alone = p && !stays(p) && p->kind == CT__SHARDED && w->far[n->in[k]] <= (n->phase > p->phase);
        if (alone && w->late[t->val[n->in[k]].node] < w->late[node]) in += t->val[n->in[k]].bytes;
    }
    for (int32_t k = 0; k < n->n_out; k++)
        if (n->out[k] >= 0 && t->val[n->out[k]].place == CT__SHARD) out += t->val[n->out[k]].bytes;
    return in < out;
}

/* Producers first: each goes where its readers would like it, or no farther than its own producers. */
static void settle(const waiting *w) {
    const ct__instance *t = w->t;
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        int32_t earliest = n->phase;
        for (int32_t k = 0; k < n->n_in && !stays(n); k++) {
            ct__pnode p = n->in[k] >= 0 ? *producer_of(t, n->in[k]) : *n;
            if (n->in[k] < 0) continue;
            p.phase = w->late[t->val[n->in[k]].node];
            int32_t after = phase_after(&p, n);
            if (after > earliest) earliest = after;
        }
        if (w->late[i] > earliest && !worth_it(w, i)) w->late[i] = earliest;
    }
}

/* Bytes of a shard's values that are read in another phase than they are made in. */
static uint64_t kept(const ct__instance *t, uint8_t *crosses, const int32_t *phase) {
    uint64_t bytes = 0;
    for (int32_t i = 0; i < t->vals; i++) crosses[i] = 0;
    for (int32_t i = 0; i < t->nodes; i++)
        for (int32_t k = 0; k < t->node[i]->n_in; k++) {
            int32_t root = t->node[i]->in[k] >= 0 ? t->val[t->node[i]->in[k]].root : -1;
            if (root >= 0 && phase[t->val[root].node] != phase[i]) crosses[root] = 1;
        }
    for (int32_t i = 0; i < t->vals; i++) {
        const ct__pnode *n = crosses[i] ? t->node[t->val[i].node] : NULL;
        if (n && n->kind == CT__SHARDED && t->val[i].place == CT__SHARD && !stays(n))
            bytes += t->val[i].bytes;
    }
    return bytes;
}

static ct_status wait_for_readers(ct__instance *t) {
    waiting w = {.t = t, .phases = 1};
    for (int32_t i = 0; i < t->nodes; i++)
        if (t->node[i]->phase >= w.phases) w.phases = t->node[i]->phase + 1;
    w.late = ct_arena_array(&t->arena, (uint64_t)t->nodes + 1, sizeof *w.late);
    w.far = ct_arena_array(&t->arena, (uint64_t)t->vals + 1, sizeof *w.far);
    w.exists = ct_arena_array(&t->arena, (uint64_t)w.phases + 1, 1);
    int32_t *now = ct_arena_array(&t->arena, (uint64_t)t->nodes + 1, sizeof *now);
    uint8_t *crosses = ct_arena_array(&t->arena, (uint64_t)t->vals + 1, 1);
    if (!w.late || !w.far || !w.exists || !now || !crosses)
        return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    prepare(&w);
    limit_by_readers(&w);
    settle(&w);
    for (int32_t i = 0; i < t->nodes; i++) now[i] = t->node[i]->phase;
    uint64_t early = kept(t, crosses, now), late = kept(t, crosses, w.late);
    for (int32_t i = 0; i < t->nodes && late < early - early / 8; i++) t->node[i]->phase = w.late[i];
    return CT_OK;
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
    if (wait_for_readers(t)) return CT_ELIMIT;
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
