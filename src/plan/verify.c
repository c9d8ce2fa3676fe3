/* verify.c: a second opinion on the memory plan: no two buffers that are live at the same time overlap, each begins at a
 * multiple of 64 and lies inside its part. Written without looking at memory.c: it walks the steps as a run does and
 * notes when a buffer is first written and last read. Debug builds ask it about every plan, tests about many. */
#include "plan/plan.h"

typedef struct buffer {
    int32_t base, first, last; /* positions of nodes */
    int32_t value, reserved;
    uint64_t begin, end;
} buffer;

typedef struct bounds { /* of the phase that a node is in */
    int32_t first, last;
} bounds;

static bounds phase_of(const ct__instance *t, int32_t node) {
    bounds b = {node, node};
    while (b.first > 0 && t->node[b.first - 1]->phase == t->node[node]->phase) b.first--;
    while (b.last + 1 < t->nodes && t->node[b.last + 1]->phase == t->node[node]->phase) b.last++;
    return b;
}

/* Node i touches b. What all threads share is touched during a whole phase unless one thread does its steps. */
static void touch(const ct__instance *t, buffer *b, int32_t i) {
    bounds p = {i, i};
    if (b->base == CT__BASE_SHARED && t->node[i]->kind != CT__ONCE) p = phase_of(t, i);
    if (b->first < 0 || p.first < b->first) b->first = p.first;
    if (p.last > b->last) b->last = p.last;
}

static int reads(const ct__instance *t, const ct__pnode *n, int32_t root) {
    for (int32_t k = 0; k < n->n_in + n->n_out; k++) /* outputs follow inputs */
        if (n->in[k] >= 0 && t->val[n->in[k]].root == root) return 1;
    return 0;
}

static uint64_t copies(const ct__instance *t, const ct__val *v) {
    if (v->base != CT__BASE_SHARED || v->place == CT__REPLICATE) return 1;
    return (uint64_t)(v->place == CT__PARTIAL ? t->lanes : t->shards);
}

static buffer buffer_of(const ct__instance *t, int32_t value) {
    const ct__val *v = &t->val[value];
    uint64_t n = copies(t, v), stride = v->stride ? v->stride : v->bytes;
    buffer b = {.base = v->base, .first = -1, .last = -1, .value = value, .begin = v->offset};
    b.end = b.begin + (n - 1) * stride + v->bytes;
    for (int32_t i = 0; i < t->nodes; i++)
        if (reads(t, t->node[i], value)) touch(t, &b, i);
    for (int32_t i = 0; i < t->plan->outs; i++)
        if (t->val[t->output[i]].root == value) b.last = t->nodes;
    return b;
}

/* Where the later shards of a lane write: the thread's own, from the step to its last reader in the phase. */
static buffer beside(const ct__instance *t, int32_t value) {
    const ct__val *v = &t->val[value];
    buffer b = {.base = CT__BASE_THREAD, .first = -1, .last = -1, .value = value, .begin = v->local};
    b.end = b.begin + v->bytes;
    for (int32_t i = 0; i < t->nodes; i++)
        if (t->node[i]->phase == t->node[v->node]->phase && reads(t, t->node[i], value)) touch(t, &b, i);
    return b;
}

static ct_status check(const ct__instance *t, const buffer *list, int32_t n, ct_err *e) {
    for (int32_t i = 0; i < n; i++) {
        uint64_t room = list[i].base == CT__BASE_THREAD ? t->thread_bytes : t->shared_bytes;
        if (list[i].begin % 64 || list[i].end > room)
            return ct_fail(e, CT_EINTERNAL, "memory: value %d at %llu..%llu of %llu", list[i].value,
                           (unsigned long long)list[i].begin, (unsigned long long)list[i].end,
                           (unsigned long long)room);
        for (int32_t k = 0; k < i; k++) {
            const buffer *a = &list[i], *b = &list[k];
            int apart = a->base != b->base || a->last < b->first || b->last < a->first ||
                        a->end <= b->begin || b->end <= a->begin;
            if (apart) continue;
            return ct_fail(
                e, CT_EINTERNAL,
                "memory: value %d (nodes %d..%d, bytes %llu..%llu) and value %d (nodes %d..%d, bytes "
                "%llu..%llu) overlap",
                a->value, a->first, a->last, (unsigned long long)a->begin, (unsigned long long)a->end,
                b->value, b->first, b->last, (unsigned long long)b->begin, (unsigned long long)b->end);
        }
    }
    return CT_OK;
}

ct_status ct__verify_memory(const ct__instance *t, ct_err *e) {
    ct_arena arena = {.allocator = &t->plan->ctx->allocator};
    buffer *list = ct_arena_array(&arena, 2 * (uint64_t)t->vals + 1, sizeof *list);
    int32_t n = 0;
    for (int32_t i = 0; list && i < t->vals; i++) {
        const ct__val *v = &t->val[i];
        if (v->root != i || (v->base != CT__BASE_THREAD && v->base != CT__BASE_SHARED)) continue;
        buffer b = buffer_of(t, i);
        if (b.first < 0) continue;
        list[n++] = b;
        if (t->lane_shards > 1 && v->place == CT__PARTIAL) list[n++] = beside(t, i);
    }
    ct_status s = list ? check(t, list, n, e) : ct_fail(e, CT_ELIMIT, "plan: out of memory");
    ct_arena_free(&arena);
    return s;
}
