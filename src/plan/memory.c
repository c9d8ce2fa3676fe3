/* memory.c: static memory. Every value that a plan computes gets an offset before the first run.
 *
 * Two parts of a session's arena: one per thread, for what lives inside a single shard phase (and the
 * kernels' scratch), reused by every shard that the thread claims; and one shared, for what crosses a
 * barrier, where a sharded value has one place for each shard, contiguous, so that a whole-batch reader sees
 * one array. Within each part lifetimes are intervals (steps, or phases) and values are put, in order of
 * size, at the lowest offset that no overlapping interval uses. */
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"

#define ALIGN 64

static uint64_t aligned(uint64_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

static void note(ct__val *v, int32_t at) {
    if (v->first < 0 || at < v->first) v->first = at;
    if (at > v->last) v->last = at;
}

static int is_source(const ct__instance *t,
                     const ct__val *v) { /* a scalar is computed: read from the session */
    const ct__op *op = t->node[v->node]->op;
    return (op->flags & CT__OP_SOURCE) && op != &ct__op_scalar;
}

/* A value crosses when its producer or any reader (through views too) is in another phase, or it is cut over
 * shards without being in a shard phase, or it leaves the plan. */
static void find_crossing(ct__instance *t) {
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        for (int32_t k = 0; k < n->n_in; k++) {
            if (n->in[k] < 0) continue;
            ct__val *v = &t->val[n->in[k]], *r = &t->val[v->root];
            if (t->node[r->node]->phase != n->phase) r->crosses = 1;
        }
        for (int32_t k = 0; k < n->n_out; k++)
            if (n->out[k] >= 0 && (n->kind != CT__SHARDED || t->val[n->out[k]].place == CT__PARTIAL))
                t->val[t->val[n->out[k]].root].crosses = 1;
    }
    for (int32_t i = 0; i < t->plan->outs; i++) t->val[t->val[t->output[i]].root].crosses = 1;
}

static void place_source(ct__instance *t, ct__val *v) {
    const ct__pnode *n = t->node[v->node];
    v->stride = v->place == CT__SHARD ? v->bytes : 0;
    if (n->op == &ct__op_var) v->base = CT__BASE_FIRST + n->origin->var->index;
    if (n->op == &ct__op_constant) {
        v->base = CT__BASE_ABSOLUTE;
        v->offset = (uint64_t)(uintptr_t)n->origin->data;
    }
    if (n->op == &ct__op_input)
        for (int32_t i = 0; i < t->plan->inputs; i++)
            if (t->plan->input[i].node == n->origin) v->base = CT__BASE_FIRST + t->plan->ctx->vars + i;
}

static uint64_t size_of(const ct__instance *t, const ct__val *v) {
    uint64_t n = v->base == CT__BASE_SHARED && v->place != CT__REPLICATE ? (uint64_t)t->shards : 1;
    return aligned(v->bytes * n + ALIGN); /* room for whole vectors at the end */
}

typedef struct item {
    ct__val *v;
    uint64_t bytes;
    int32_t number;
    int32_t reserved;
} item;

static int by_size(const void *a, const void *b) {
    const item *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->number < y->number ? -1 : 1;
}

/* First fit: the lowest offset free of all placed items whose lifetime overlaps. */
static uint64_t first_fit(const item *list, int32_t placed, const item *now) {
    uint64_t offset = 0;
    for (int moved = 1; moved;) {
        moved = 0;
        for (int32_t i = 0; i < placed; i++) {
            const ct__val *v = list[i].v;
            if (v->last < now->v->first || v->first > now->v->last) continue;
            if (offset + now->bytes > v->offset && offset < v->offset + list[i].bytes) {
                offset = v->offset + list[i].bytes;
                moved = 1;
            }
        }
    }
    return offset;
}

static uint64_t pack(ct__instance *t, int32_t base, item *list) {
    uint64_t total = 0;
    int32_t n = 0;
    for (int32_t i = 0; i < t->vals; i++) {
        ct__val *v = &t->val[i];
        if (v->base != base || v->root != i || v->first < 0) continue;
        list[n++] = (item){v, size_of(t, v), i, 0};
    }
    qsort(list, (size_t)n, sizeof *list, by_size);
    for (int32_t i = 0; i < n; i++) {
        list[i].v->offset = t->plan->options.no_reuse ? total : first_fit(list, i, &list[i]);
        if (list[i].v->offset + list[i].bytes > total) total = list[i].v->offset + list[i].bytes;
    }
    return total;
}

static void lifetimes(ct__instance *t) {
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        for (int32_t k = 0; k < n->n_in + n->n_out; k++) { /* outputs follow inputs */
            if (n->in[k] < 0) continue;
            ct__val *r = &t->val[t->val[n->in[k]].root];
            note(r, r->base == CT__BASE_SHARED && n->kind != CT__ONCE
                        ? n->phase * 65536
                        : n->phase * 65536 + (n->kind == CT__ONCE ? i : 0));
            if (r->base == CT__BASE_SHARED && n->kind != CT__ONCE) note(r, n->phase * 65536 + 65535);
            if (r->base == CT__BASE_THREAD) note(r, n->phase * 65536 + i);
        }
    }
    for (int32_t i = 0; i < t->plan->outs; i++) note(&t->val[t->val[t->output[i]].root], INT32_MAX);
}

ct_status ct__pass_memory(ct__instance *t) {
    item *list = ct_arena_array(&t->arena, (uint64_t)t->vals + 1, sizeof *list);
    uint8_t *used = ct_arena_array(&t->arena, (uint64_t)t->vals + 1, 1);
    if (!list || !used) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    if (t->nodes >= 32768 || (t->nodes && t->node[t->nodes - 1]->phase >= 32768))
        return ct_fail(t->e, CT_ELIMIT, "plan: %d nodes; wanted under 32768", t->nodes);
    for (int32_t i = 0; i < t->nodes; i++)
        for (int32_t k = 0; k < t->node[i]->n_out; k++)
            if (t->node[i]->out[k] >= 0) used[t->node[i]->out[k]] = 1;
    find_crossing(t);
    for (int32_t i = 0; i < t->vals; i++) {
        ct__val *v = &t->val[i];
        v->first = v->last = -1;
        if (!used[i] || v->root != i) continue;
        if (is_source(t, v)) {
            place_source(t, v);
            continue;
        }
        const ct__pnode *n = t->node[v->node];
        if (n->op->update || ((n->op->flags & CT__OP_ASSIGN) && i == n->out[0]))
            continue; /* in the variable's own memory */
        v->base = v->crosses || n->kind != CT__SHARDED ? CT__BASE_SHARED : CT__BASE_THREAD;
        v->stride = v->base == CT__BASE_SHARED && v->place != CT__REPLICATE ? v->bytes : 0;
    }
    lifetimes(t);
    t->thread_bytes = pack(t, CT__BASE_THREAD, list);
    t->shared_bytes = pack(t, CT__BASE_SHARED, list);
    for (int32_t i = 0; i < t->vals; i++) {
        ct__val *v = &t->val[i], *r = &t->val[v->root];
        if (v == r) continue;
        v->base = r->base;
        v->offset = r->offset;
        v->stride = r->base == CT__BASE_THREAD || v->place == CT__REPLICATE
                        ? 0
                        : v->bytes; /* a view may be placed otherwise than its root */
    }
    return CT_OK;
}
