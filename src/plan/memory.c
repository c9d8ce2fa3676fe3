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
    if (n->op == &ct__op_var) v->base = ct__var_base(t, n->origin->var);
    if (n->op == &ct__op_constant) {
        v->base = CT__BASE_ABSOLUTE;
        v->offset = (uint64_t)(uintptr_t)n->origin->data;
    }
    if (n->op == &ct__op_input)
        for (int32_t i = 0; i < t->plan->inputs; i++)
            if (t->plan->input[i].node == n->origin) v->base = CT__BASE_FIRST + i;
}

static int32_t step_time(const ct__instance *t, int32_t node) { return t->node[node]->phase * 65536 + node; }

/* Shards lie side by side, so that a whole-batch reader sees one array; lanes begin at multiples of 64. */
static uint64_t stride_of(const ct__val *v) {
    return v->place == CT__REPLICATE ? 0 : v->place == CT__PARTIAL ? aligned(v->bytes) : v->bytes;
}

static uint64_t size_of(const ct__instance *t, const ct__val *v) {
    uint64_t n = v->base != CT__BASE_SHARED || v->place == CT__REPLICATE ? 1
                 : v->place == CT__PARTIAL                               ? (uint64_t)t->lanes
                                                                         : (uint64_t)t->shards;
    return aligned((n > 1 && v->stride ? v->stride : v->bytes) * n +
                   ALIGN); /* room for whole vectors at the end */
}

typedef struct item {
    uint64_t bytes, *offset;
    int32_t first, last, number, reserved;
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
            const item *v = &list[i];
            if (v->last < now->first || v->first > now->last) continue;
            if (offset + now->bytes > *v->offset && offset < *v->offset + v->bytes) {
                offset = *v->offset + v->bytes;
                moved = 1;
            }
        }
    }
    return offset;
}

/* Where the later shards of a lane write what is to be added to its sums: the thread's own part. */
static int is_beside(const ct__instance *t, const ct__val *v) {
    return t->lane_shards > 1 && v->place == CT__PARTIAL && v->base == CT__BASE_SHARED;
}

static uint64_t pack(ct__instance *t, int32_t base, item *list) {
    uint64_t total = 0;
    int32_t n = 0;
    for (int32_t i = 0; i < t->vals; i++) {
        ct__val *v = &t->val[i];
        if (v->root != i || v->first < 0) continue;
        if (v->base == base) list[n++] = (item){size_of(t, v), &v->offset, v->first, v->last, i, 0};
        if (base == CT__BASE_THREAD && is_beside(t, v))
            list[n++] =
                (item){aligned(v->bytes + ALIGN), &v->local, step_time(t, v->node), v->local_last, i, 0};
    }
    qsort(list, (size_t)n, sizeof *list, by_size);
    for (int32_t i = 0; i < n; i++) {
        *list[i].offset = t->plan->options.no_reuse ? total : first_fit(list, i, &list[i]);
        if (*list[i].offset + list[i].bytes > total) total = *list[i].offset + list[i].bytes;
    }
    return total;
}

static void lifetimes(ct__instance *t) {
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        for (int32_t k = 0; k < n->n_in + n->n_out; k++) { /* outputs follow inputs */
            if (n->in[k] < 0) continue;
            ct__val *r = &t->val[t->val[n->in[k]].root];
            if (n->kind == CT__SHARDED) r->local_last = step_time(t, i);
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
        if (n->derived) {
            v->base = CT__BASE_ABSOLUTE;
            v->offset = (uint64_t)(uintptr_t)n->derived->data;
            continue;
        }
        if (ct__writes_variables(n)) continue; /* in the variable's own memory */
        v->base = v->crosses || n->kind != CT__SHARDED ? CT__BASE_SHARED : CT__BASE_THREAD;
        v->stride = v->base != CT__BASE_SHARED ? 0 : stride_of(v);
    }
    lifetimes(t);
    t->thread_bytes = pack(t, CT__BASE_THREAD, list);
    t->shared_bytes = pack(t, CT__BASE_SHARED, list);
    if (t->thread_bytes > CT__VALUE_BYTES || t->shared_bytes > CT__VALUE_BYTES)
        return ct_fail(t->e, CT_ELIMIT, "plan: %llu bytes at batch %lld; wanted at most %lld",
                       (unsigned long long)(t->thread_bytes + t->shared_bytes), (long long)t->batch,
                       (long long)CT__VALUE_BYTES);
    for (int32_t i = 0; i < t->vals; i++) {
        ct__val *v = &t->val[i], *r = &t->val[v->root];
        if (v == r) continue;
        v->base = r->base;
        v->offset = r->offset;
        v->stride =
            r->base == CT__BASE_THREAD ? 0 : stride_of(v); /* it may be placed otherwise than its root */
    }
    return CT_OK;
}
