/* place.c: what may run on a piece of the batch (CORE 1).
 *
 * Every value gets a placement, every node a kind. A node whose sharded inputs its batch rule accepts runs
 * per shard; any other runs once on the whole batch. A partial value (a sum over the batch still to be
 * added up) passes through ops that are linear in all their inputs; before any other op, except the
 * optimisers, which add the shards themselves, a `sync` node adds it up. An op on a parameter so big that a
 * gradient for every shard would not do says so: it runs on the whole batch, cut over outputs instead. With a
 * single shard nothing is cut: every node runs once. */
#include "plan/plan.h"

typedef struct placing {
    ct__instance *t;
    ct__pnode **list;
    int32_t n;
    int32_t *synced; /* by value: its summed-up version, or -1 */
} placing;

static int32_t sync_value(placing *p, int32_t v) {
    ct__instance *t = p->t;
    if (p->synced[v] >= 0) return p->synced[v];
    ct__pnode *n = ct__pnode_new(t, &ct__op_sync, 1, 1);
    if (!n) return -1;
    n->in[0] = v;
    n->out[0] = ct__val_new(t, &t->val[v].type, -1);
    if (n->out[0] < 0) return -1;
    n->name = p->list[t->val[v].node]->name;
    n->origin = p->list[t->val[v].node]->origin;
    n->kind = CT__PIECE;
    t->val[n->out[0]].place = CT__REPLICATE;
    t->val[n->out[0]].node = p->n;
    p->list[p->n++] = n;
    return p->synced[v] = n->out[0];
}

static int all_partial(const ct__instance *t, const ct__pnode *n) {
    for (int32_t i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && t->val[n->in[i]].place != CT__PARTIAL) return 0;
    return n->n_in > 0;
}

/* Shard by shard; where a lane has several, its sums are of the lane and only their memory passes on. */
static int passes_partials(const ct__instance *t, const ct__pnode *n) {
    int linear = n->op->flags & CT__OP_LINEAR && (t->lane_shards == 1 || n->op->flags & CT__OP_VIEW);
    return linear && all_partial(t, n);
}

static ct_status resolve_partials(placing *p, ct__pnode *n) {
    for (int32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0 || p->t->val[n->in[i]].place != CT__PARTIAL) continue;
        if (n->op->update && i == 1) continue; /* the gradient: the update adds the shards */
        n->in[i] = sync_value(p, n->in[i]);
        if (n->in[i] < 0) return CT_ELIMIT;
    }
    return CT_OK;
}

static void place_outputs(ct__instance *t, ct__pnode *n, int32_t place) {
    for (int32_t i = 0; i < n->n_out; i++) {
        ct__val *v = &t->val[n->out[i]];
        v->place = place;
        /* computed once on the whole batch: a later node may still take it row by row */
        if (place == CT__REPLICATE && t->shards > 1 && ct__batch_axis(&v->type.shape) == 0)
            v->place = CT__SHARD;
    }
}

static int per_shard(ct__instance *t, ct__pnode *n) {
    uint8_t in_place[CT__MAX_IN], out_place[CT__MAX_OUT] = {0};
    ct__type in[CT__MAX_IN], out[CT__MAX_OUT];
    int sharded = 0;
    for (int32_t i = 0; i < n->n_in; i++) {
        const ct__val *v = n->in[i] >= 0 ? &t->val[n->in[i]] : NULL;
        in_place[i] = (uint8_t)(v ? v->place : CT__REPLICATE);
        in[i] = v ? v->type : (ct__type){0};
        sharded |= in_place[i] == CT__SHARD;
        if (v && v->place == CT__REPLICATE && ct__batch_axis(&v->type.shape) != -1) return 0;
    }
    if (!sharded || !n->op->batch) return 0;
    for (int32_t i = 0; i < n->n_out; i++) out[i] = t->val[n->out[i]].type;
    ct__batch b = {n->op, n->attr, n->n_in, n->n_out, in, out, in_place, out_place};
    if (!n->op->batch(&b)) return 0;
    for (int32_t i = 0; i < n->n_out; i++) t->val[n->out[i]].place = out_place[i];
    return 1;
}

/* Elementwise nodes without inputs that vary over the batch but whose result has rows (expand of a number to
 * [N]): made per shard, so that nothing has to be cut. */
static int makes_rows(const ct__instance *t, const ct__pnode *n) {
    if (!n->op->batch || n->op->update || n->n_out != 1 || ct__batch_axis(&t->val[n->out[0]].type.shape) != 0)
        return 0;
    for (int32_t i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && ct__batch_axis(&t->val[n->in[i]].type.shape) != -1) return 0;
    return 1;
}

/* Bytes of the largest operand without rows: the parameter, or its gradient. */
static uint64_t parameter_bytes(const ct__instance *t, const ct__pnode *n) {
    uint64_t most = 0, count;
    for (int32_t i = 0; i < n->n_in + n->n_out; i++) { /* outputs follow inputs */
        const ct__val *v = n->in[i] >= 0 ? &t->val[n->in[i]] : NULL;
        if (!v || ct__batch_axis(&v->type.shape) != -1 || !ct_shape_count(&v->type.shape, 1, &count))
            continue;
        if (count * sizeof(float) > most) most = count * sizeof(float);
    }
    return most;
}

#define FEW_BYTES (4 << 20)

/* The op's own word, given the whole batch. Beyond eight shards the batch is larger than the one configured:
 * there the activations of one shard a thread are what counts, so only a parameter whose eight buffers pass
 * 32 MB makes the batch whole. */
static ct_status cut_over_outputs(ct__instance *t, ct__pnode *n) {
    ct__lower l;
    if (!n->op->pieces || (t->lane_shards > 1 && parameter_bytes(t, n) <= FEW_BYTES)) return CT_OK;
    n->kind = CT__PIECE;
    if (ct__ask(t, n, 0, &l)) return CT_ELIMIT;
    n->pieces = n->op->pieces(&l);
    return CT_OK;
}

static ct_status place_node(placing *p, ct__pnode *n) {
    ct__instance *t = p->t;
    if (t->shards == 1) {
        n->kind = n->op->update ? CT__PIECE : CT__ONCE;
        return CT_OK;
    }
    if (n->op == &ct__op_input || n->op == &ct__op_var) { /* a session's state may have rows */
        t->val[n->out[0]].place =
            ct__batch_axis(&t->val[n->out[0]].type.shape) == 0 ? CT__SHARD : CT__REPLICATE;
        return CT_OK;
    }
    if (passes_partials(t, n)) {
        n->kind = CT__SHARDED;
        for (int32_t i = 0; i < n->n_out; i++) t->val[n->out[i]].place = CT__PARTIAL;
        return CT_OK;
    }
    if (resolve_partials(p, n) || cut_over_outputs(t, n)) return CT_ELIMIT;
    if (n->pieces > 0) {
        place_outputs(t, n, CT__REPLICATE);
    } else if (per_shard(t, n)) {
        n->kind = CT__SHARDED;
    } else if (makes_rows(t, n)) {
        n->kind = CT__SHARDED;
        t->val[n->out[0]].place = CT__SHARD;
    } else {
        n->kind = n->op->update ? CT__PIECE : CT__ONCE;
        place_outputs(t, n, CT__REPLICATE);
    }
    return CT_OK;
}

/* A sharded value whose rows do not come first has to be put together before a whole-batch op reads it. */
static ct_status gather_inputs(placing *p, ct__pnode *n) {
    ct__instance *t = p->t;
    for (int32_t i = 0; i < n->n_in; i++) {
        int32_t v = n->in[i];
        if (v < 0 || n->kind == CT__SHARDED || t->val[v].place != CT__SHARD ||
            ct__batch_axis(&t->val[v].type.shape) <= 0)
            continue;
        ct__pnode *gather = ct__pnode_new(t, &ct__op_gather, 1, 1);
        int32_t out = gather ? ct__val_new(t, &t->val[v].type, p->n) : -1;
        if (out < 0) return CT_ELIMIT;
        gather->in[0] = v;
        gather->out[0] = out;
        gather->kind = CT__ONCE;
        n->in[i] = out;
        p->list[p->n++] = gather;
    }
    return CT_OK;
}

/* The product of the extents at this batch is one that memory could hold; sums of such sizes fit in 64 bits. */
static ct_status check_sizes(ct__instance *t) {
    for (int32_t i = 0; i < t->vals; i++) {
        ct__val *v = &t->val[i];
        uint64_t count;
        if (!ct_shape_count(&v->type.shape, t->batch, &count) || count > CT__VALUE_BYTES / 8) {
            char text[CT_SHAPE_TEXT];
            return ct_fail(t->e, CT_ELIMIT, "plan: a value %s at batch %lld; wanted at most %lld elements",
                           ct_shape_format(&v->type.shape, text), (long long)t->batch,
                           (long long)CT__VALUE_BYTES / 8);
        }
    }
    return CT_OK;
}

ct_status ct__pass_place(ct__instance *t) {
    int32_t room = 4 * t->nodes + 64;
    for (int32_t i = 0; i < t->nodes; i++) room += t->node[i]->n_in;
    placing p = {.t = t,
                 .list = ct_arena_array(&t->arena, (uint64_t)room, sizeof *p.list),
                 .synced = ct_arena_array(&t->arena, (uint64_t)(t->vals + room), sizeof *p.synced)};
    if (!p.list || !p.synced) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    if (check_sizes(t)) return CT_ELIMIT;
    for (int32_t i = 0; i < t->vals + room; i++) p.synced[i] = -1;
    for (int32_t i = 0; i < t->nodes; i++) {
        ct__pnode *n = t->node[i];
        if (place_node(&p, n) || gather_inputs(&p, n)) return CT_ELIMIT;
        for (int32_t k = 0; k < n->n_out; k++) t->val[n->out[k]].node = p.n;
        p.list[p.n++] = n;
    }
    for (int32_t i = 0; i < t->plan->outs; i++) {
        if (t->val[t->output[i]].place == CT__PARTIAL) t->output[i] = sync_value(&p, t->output[i]);
        if (t->output[i] < 0) return CT_ELIMIT;
        int32_t v = t->output[i];
        if (t->val[v].place == CT__SHARD && ct__batch_axis(&t->val[v].type.shape) > 0) {
            ct__pnode *gather = ct__pnode_new(t, &ct__op_gather, 1, 1);
            int32_t out = gather ? ct__val_new(t, &t->val[v].type, p.n) : -1;
            if (out < 0) return CT_ELIMIT;
            gather->in[0] = v;
            gather->out[0] = out;
            t->output[i] = out;
            p.list[p.n++] = gather;
        }
    }
    for (int32_t i = 0; i < t->vals; i++) ct__concrete(t, &t->val[i], ct__rows_of(t, &t->val[i], 0));
    if (!ct__pnode_list(t, p.list, p.n)) return CT_ELIMIT;
    ct__count_uses(t);
    return CT_OK;
}
