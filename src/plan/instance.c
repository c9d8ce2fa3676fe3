/* instance.c: one batch size of a plan: its side tables, and the order of the passes. */
#include "plan/plan.h"

#include <string.h>

#include "base/pool.h"

static ct_status no_memory(ct__instance *t) {
    return ct_fail(t->e, CT_ELIMIT, "plan: out of memory for batch %lld", (long long)t->batch);
}

int32_t ct__val_new(ct__instance *t, const ct__type *type, int32_t node) {
    const ct_allocator *a = &t->plan->ctx->allocator;
    ct__type own = *type; /* it may stand in the table that moves */
    if (t->vals == t->val_capacity) {
        int32_t capacity = t->val_capacity ? 2 * t->val_capacity : 256;
        ct__val *v = ct_resize(a, t->val, (size_t)t->val_capacity * sizeof *v, (size_t)capacity * sizeof *v);
        if (!v) {
            no_memory(t);
            return -1;
        }
        t->val = v;
        t->val_capacity = capacity;
    }
    t->val[t->vals] =
        (ct__val){.type = own, .concrete = own, .node = node, .root = t->vals, .base = CT__BASE_NONE};
    return t->vals++;
}

ct__pnode *ct__pnode_new(ct__instance *t, const ct__op *op, int32_t n_in, int32_t n_out) {
    ct__pnode *n = ct_arena_new(&t->arena, sizeof *n);
    int32_t *in = ct_arena_array(&t->arena, (uint64_t)(n_in + n_out) + 1, sizeof *in);
    if (!n || !in) {
        no_memory(t);
        return NULL;
    }
    *n = (ct__pnode){.op = op, .name = "", .in = in, .out = in + n_in, .n_in = n_in, .n_out = n_out};
    return n;
}

int ct__pnode_list(ct__instance *t, ct__pnode *const *node, int32_t count) {
    const ct_allocator *a = &t->plan->ctx->allocator;
    int32_t live = 0;
    for (int32_t i = 0; i < count; i++) live += !node[i]->dead;
    ct__pnode **list = ct_new_array(a, (uint64_t)live + 1, sizeof *list);
    if (!list) {
        no_memory(t);
        return 0;
    }
    int32_t n = 0;
    for (int32_t i = 0; i < count; i++) {
        if (node[i]->dead) continue;
        for (int32_t k = 0; k < node[i]->n_out; k++)
            if (node[i]->out[k] >= 0) t->val[node[i]->out[k]].node = n;
        list[n++] = node[i];
    }
    ct_delete(a, t->node, ((size_t)t->node_capacity) * sizeof *list);
    t->node = list;
    t->node_capacity = live + 1;
    t->nodes = live;
    return 1;
}

static void concrete_shape(ct_shape *s, int64_t rows) {
    for (int32_t i = 0; i < s->rank; i++)
        if (s->dim[i] < 0) s->dim[i] *= -rows;
}

void ct__concrete(const ct__instance *t, ct__val *v, int64_t rows) {
    (void)t;
    v->concrete = v->type;
    concrete_shape(&v->concrete.shape, rows);
}

int64_t ct__rows_of(const ct__instance *t, const ct__val *v, int ragged) {
    if (v->place != CT__SHARD) return t->batch;
    return ragged ? t->last_rows : t->rows;
}

void ct__count_uses(ct__instance *t) {
    for (int32_t i = 0; i < t->vals; i++) t->val[i].uses = 0;
    for (int32_t i = 0; i < t->nodes; i++)
        for (int32_t k = 0; k < t->node[i]->n_in; k++)
            if (t->node[i]->in[k] >= 0) t->val[t->node[i]->in[k]].uses++;
    for (int32_t i = 0; i < t->plan->outs; i++) t->val[t->output[i]].uses++;
}

ct_status ct__ask(ct__instance *t, const ct__pnode *n, int ragged, ct__lower *l) {
    uint64_t count = (uint64_t)(n->n_in + n->n_out) + 1;
    ct__type *type = ct_arena_array(&t->arena, 2 * count, sizeof *type);
    ct__layout *layout = ct_arena_array(&t->arena, count, sizeof *layout);
    if (!type || !layout) return no_memory(t);
    for (int32_t i = 0; i < n->n_in + n->n_out; i++) {
        int32_t v = n->in[i]; /* out follows in */
        if (v < 0) continue;
        type[i] = type[count + (uint64_t)i] = t->val[v].type;
        concrete_shape(&type[i].shape,
                       n->kind == CT__SHARDED ? ct__rows_of(t, &t->val[v], ragged) : t->batch);
        layout[i] = t->val[v].layout;
    }
    *l = (ct__lower){.op = n->op,
                     .attr = n->attr,
                     .name = n->name,
                     .simd = t->simd,
                     .allocator = &t->plan->ctx->allocator,
                     .arena = &t->arena,
                     .n_in = n->n_in,
                     .n_out = n->n_out,
                     .in = type,
                     .out = type + n->n_in,
                     .symbolic = type + count,
                     .in_layout = layout,
                     .out_layout = layout + n->n_in,
                     .fused = n->fused,
                     .n_fused = n->n_fused,
                     .train = t->plan->options.train,
                     .batch = t->batch,
                     .shards = t->shards,
                     .e = t->e};
    return CT_OK;
}

/* Multiply-adds of the layers with weights, from shapes alone: what decides whether cutting pays. */
static double work_of(const ct_plan *p, int64_t batch) {
    double flops = 0;
    for (int32_t i = 0; i < p->graph->nodes; i++) {
        const ct_node *n = p->graph->node[i];
        uint64_t out, weight;
        if (!n->n_in || !ct_shape_count(&n->out[0].shape, batch, &out)) continue;
        flops += (double)out;
        for (int32_t k = 0; k < n->n_in; k++) {
            const ct_node *w = n->in[k].node;
            if (!w || !w->var || w->var->shape.rank < 2 || !w->var->shape.dim[0] ||
                !ct_shape_count(&w->var->shape, 1, &weight))
                continue;
            flops += 2.0 * (double)out * (double)(weight / (uint64_t)w->var->shape.dim[0]);
        }
    }
    return flops;
}

#define SMALL_WORK 1e7 /* about 100 us: below it neither cutting nor waking threads pays */

static void choose_shards(ct__instance *t) {
    const ct_compile *o = &t->plan->options;
    int64_t base = o->batch > 0 ? o->batch : t->batch;
    double work = work_of(t->plan, base);
    t->rows = o->shard > 0 ? o->shard : work < SMALL_WORK ? base : (base + 7) / 8;
    if (t->rows < 1) t->rows = 1;
    if (t->rows > t->batch) t->rows = t->batch > 0 ? t->batch : 1;
    int64_t shards = t->batch > 0 ? (t->batch + t->rows - 1) / t->rows : 1;
    t->shards = (int32_t)shards;
    t->lane_shards = (t->shards + CT__LANES - 1) / CT__LANES;
    t->lanes = (t->shards + t->lane_shards - 1) / t->lane_shards;
    t->last_rows = t->batch - (shards - 1) * t->rows;
    t->small = o->one_thread > 0 || t->shards == 1 ||
               (o->one_thread == 0 && work_of(t->plan, t->batch) < SMALL_WORK);
}

/* Under the context's lock. */
static void instance_free(ct__instance *t) {
    const ct_allocator *a = &t->plan->ctx->allocator;
    for (int32_t i = 0; i < t->n_derived; i++)
        ct__derived_drop(t->plan->ctx, t->derived_of[i], t->derived[i]);
    for (int32_t i = 0; i < t->steps; i++)
        for (int k = 0; k < 2; k++)
            if (t->step[i].dispose[k]) t->step[i].dispose[k](t->step[i].data[k]);
    ct_delete(a, t->node, (size_t)t->node_capacity * sizeof *t->node);
    ct_delete(a, t->val, (size_t)t->val_capacity * sizeof *t->val);
    ct_arena_free(&t->arena);
    ct_delete(a, t, sizeof *t);
}

void ct__instance_free(ct__instance *t) {
    pthread_mutex_t *lock = &t->plan->ctx->lock;
    pthread_mutex_lock(lock);
    instance_free(t);
    pthread_mutex_unlock(lock);
}

#define PRIMITIVE_BYTES 65536 /* about what oneDNN keeps for one: its generated code above all */

static uint64_t bytes_of(const ct__instance *t) {
    uint64_t bytes = sizeof *t + t->arena.bytes + (uint64_t)t->node_capacity * sizeof *t->node +
                     (uint64_t)t->val_capacity * sizeof *t->val;
    for (int32_t i = 0; i < t->steps; i++)
        for (int k = 0; k < 2; k++) bytes += t->step[i].dispose[k] ? PRIMITIVE_BYTES : 0;
    return bytes;
}

static ct_status build(ct__instance *t) {
    static const struct {
        ct_status (*run)(ct__instance *);
        const char *name;
    } pass[] = {{ct__pass_import, "import"}, {ct__pass_effects, "effects"}, {ct__pass_place, "place"},
                {ct__pass_fuse, "fuse"},     {ct__pass_spare, "spare"},     {ct__pass_layout, "layout"},
                {ct__pass_chain, "chain"},   {ct__pass_update, "update"},   {ct__pass_phase, "phase"},
                {ct__pass_memory, "memory"}, {ct__pass_lower, "lower"}};
    const ct_ctx *c = t->plan->ctx;
    ct_status s = CT_OK;
    ct_float_state f = ct__float_enter();
    for (size_t i = 0; !s && i < sizeof pass / sizeof *pass; i++) {
        s = pass[i].run(t);
        if (!s && ct__traces(c, 3)) ct__trace_pass(t, pass[i].name);
    }
    ct__float_leave(f);
#ifdef CT_CHECKED
    if (!s) s = ct__verify_memory(t, t->e);
#endif
    if (!s && ct__traces(c, 2)) ct__trace_plan(t);
    return s;
}

static ct_status instance_new(ct_plan *p, int64_t batch, ct__instance **out, ct_err *e) {
    ct__instance *t = ct_new(&p->ctx->allocator, sizeof *t);
    if (!t) return ct_fail(e, CT_ELIMIT, "plan: out of memory");
    t->plan = p;
    t->batch = batch;
    t->arena.allocator = &p->ctx->allocator;
    t->simd = p->ctx->simd;
    t->e = e;
    choose_shards(t);
    pthread_mutex_lock(&p->ctx->lock);
    ct_status s = build(t);
    t->e = NULL;
    if (s) instance_free(t);
    pthread_mutex_unlock(&p->ctx->lock);
    if (s) return s;
    t->bytes = bytes_of(t);
    *out = t;
    return CT_OK;
}

/* A plan met with ever other batch sizes keeps those used last. */
#define KEPT_BYTES (64u << 20)

static void forget_oldest(ct_plan *p) {
    while (p->bytes > KEPT_BYTES) {
        ct__instance **oldest = NULL;
        for (ct__instance **t = &p->instance; *t; t = &(*t)->next)
            if ((*t)->users == 0 && (!oldest || (*t)->used < (*oldest)->used)) oldest = t;
        if (!oldest) return;
        ct__instance *gone = *oldest;
        *oldest = gone->next;
        p->bytes -= gone->bytes;
        ct__instance_free(gone);
    }
}

ct_status ct__instance_of(ct_plan *p, int64_t batch, ct__instance **out, ct_err *e) {
    ct_status s = CT_OK;
    if (batch < 0 || batch > INT32_MAX)
        return ct_fail(e, CT_EUSAGE, "run: batch is %lld; wanted 0 to 2147483647", (long long)batch);
    pthread_mutex_lock(&p->lock);
    ct__instance *t = p->instance;
    while (t && t->batch != batch) t = t->next;
    if (!t) {
        s = instance_new(p, batch, &t, e);
        if (!s) {
            t->next = p->instance;
            p->instance = t;
            p->bytes += t->bytes;
        }
    }
    if (!s) {
        t->users++;
        t->used = ++p->clock;
        forget_oldest(p);
        *out = t;
    }
    pthread_mutex_unlock(&p->lock);
    return s;
}

void ct__instance_leave(ct__instance *t) {
    ct_plan *p = t->plan;
    pthread_mutex_lock(&p->lock);
    t->users--;
    pthread_mutex_unlock(&p->lock);
}
