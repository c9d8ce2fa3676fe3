/* update.c: the optimiser as one streaming pass.
 *
 * Update nodes of one op with equal attributes and equal scalar inputs become one step (or a few, where they are
 * many) over a list of segments (parameter, gradient shards, moments). The step is cut into pieces of 16,384 floats that threads
 * claim; a piece adds the gradient's shards pairwise by index, then updates parameter and moments in place:
 * each number is read and written once. */
#include <string.h>

#include "op/common.h"
#include "plan/plan.h"

#define PIECE 16384
#define MAX_VARS 5
#define MAX_UPDATE_SCALARS 8

typedef struct ct__segments {
    const ct__pnode **node;
    int32_t count;
} ct__segments;

typedef struct segment {
    int64_t count;      /* floats */
    int64_t first_task; /* number of its first piece */
    uint64_t stride;    /* bytes between gradient shards */
    int32_t parts;
    int32_t arg; /* index of its first argument: parameter, gradient, moments... */
} segment;

typedef struct update_data {
    const struct ct__simd *simd;
    const segment *segment;
    int32_t segments, moments, scalars, scalar_arg;
    ct__update_fn fn;
    const void *data;
} update_data;

static int same_group(const ct__pnode *a, const ct__pnode *b) {
    const ct__update *u = a->op->update;
    if (a->op != b->op || a->n_in != b->n_in) return 0;
    for (int32_t i = 2 + u->moments; i < a->n_in; i++)
        if (a->in[i] != b->in[i]) return 0;
    for (int32_t i = 0; a->op->attrs && a->op->attrs[i].name; i++)
        if (a->attr[i].i != b->attr[i].i) return 0;
    return 1;
}

/* So many that the group's arguments are at most CT__MAX_ARGS; the others make further groups. */
static int32_t most_members(const ct__pnode *n) {
    int32_t moments = n->op->update->moments, scalars = n->n_in - 2 - moments;
    return (CT__MAX_ARGS - scalars) / (2 + moments + 1 + moments);
}

/* All inputs of the members become the group's inputs: members' parameter, gradient, moments; then scalars. */
static ct_status merge_group(ct__instance *t, ct__pnode *first, ct__pnode **member, int32_t n) {
    const ct__update *u = first->op->update;
    int32_t each = 2 + u->moments, n_in = n * each + first->n_in - each, n_out = n * (1 + u->moments);
    ct__segments *s = ct_arena_new(&t->arena, sizeof *s);
    ct__pnode *g = ct__pnode_new(t, first->op, n_in, n_out);
    const ct__pnode **list = ct_arena_array(&t->arena, (uint64_t)n, sizeof *list);
    if (!s || !g || !list) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    for (int32_t i = 0; i < n; i++) {
        list[i] = member[i];
        memcpy(g->in + i * each, member[i]->in, (size_t)each * sizeof *g->in);
        memcpy(g->out + i * (1 + u->moments), member[i]->out, (size_t)(1 + u->moments) * sizeof *g->out);
        member[i]->dead = 1;
    }
    memcpy(g->in + n * each, first->in + each, (size_t)(first->n_in - each) * sizeof *g->in);
    *s = (ct__segments){list, n};
    g->attr = first->attr;
    g->kind = CT__PIECE;
    g->segments = s;
    g->name = "";
    t->node[t->nodes++] = g; /* room kept by the caller */
    return CT_OK;
}

ct_status ct__pass_update(ct__instance *t) {
    int32_t before = t->nodes;
    ct__pnode **list = ct_arena_array(&t->arena, 2 * (uint64_t)before + 2, sizeof *list);
    ct__pnode **member = ct_arena_array(&t->arena, (uint64_t)before + 1, sizeof *member);
    if (!list || !member) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    memcpy(list, t->node, (size_t)before * sizeof *list);
    ct__pnode **old = t->node;
    ct_status s = CT_OK;
    t->node = list;
    for (int32_t i = 0; i < before && !s; i++) {
        int32_t n = 0;
        if (!list[i]->op->update || list[i]->dead) continue;
        for (int32_t k = i; k < before && n < most_members(list[i]); k++)
            if (!list[k]->dead && list[k]->op->update && same_group(list[i], list[k])) member[n++] = list[k];
        s = merge_group(t, list[i], member, n);
    }
    int32_t after = t->nodes;
    t->node = old;
    t->nodes = before;
    if (!s && !ct__pnode_list(t, list, after)) s = CT_ELIMIT;
    ct__count_uses(t);
    return s;
}

/* ---- kernel ---- */

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const update_data *d = data;
    float scalar[MAX_UPDATE_SCALARS], sum[CT__SUM_BLOCK], *var[MAX_VARS];
    int32_t s = d->segments - 1;
    for (int32_t i = 0; i < d->scalars; i++) scalar[i] = *(const float *)arg[d->scalar_arg + i];
    while (d->segment[s].first_task > x->task) s--;
    const segment *g = &d->segment[s];
    int64_t begin = (x->task - g->first_task) * PIECE,
            end = begin + PIECE < g->count ? begin + PIECE : g->count;
    for (int64_t i = begin; i < end; i += CT__SUM_BLOCK) {
        int64_t n = end - i < CT__SUM_BLOCK ? end - i : CT__SUM_BLOCK;
        const float *dx =
            arg[g->arg + 1] ? (const float *)arg[g->arg + 1] + i : NULL; /* an average reads none */
        if (g->parts > 1) {
            ct__tree_sum(d->simd, dx, g->stride, 0, g->parts, n, sum);
            dx = sum;
        }
        var[0] = (float *)arg[g->arg] + i;
        for (int32_t k = 0; k < d->moments; k++) var[1 + k] = (float *)arg[g->arg + 2 + k] + i;
        d->fn(d->data, var, dx, n, scalar, x->step);
    }
    return CT_OK;
}

ct_status ct__segments_lower(ct__instance *t, const ct__pnode *n, ct__lower *l, int32_t *tasks) {
    const ct__update *u = n->op->update;
    int32_t each = 2 + u->moments;
    update_data *d = CT__DATA(l, update_data);
    segment *s = ct_arena_array(l->arena, (uint64_t)n->segments->count, sizeof *s);
    if (!d || !s || u->moments + 1 > MAX_VARS || u->scalars > MAX_UPDATE_SCALARS)
        return ct_fail(t->e, CT_ELIMIT, "plan: %s: out of memory or too many moments", n->op->name);
    int64_t task = 0;
    for (int32_t i = 0; i < n->segments->count; i++) {
        const ct__val *p = &t->val[n->in[i * each]], *g = &t->val[n->in[i * each + 1]];
        s[i] = (segment){(int64_t)(p->bytes / sizeof(float)), task, g->stride,
                         g->place == CT__PARTIAL ? t->lanes : 1, i * each};
        task += (s[i].count + PIECE - 1) / PIECE;
    }
    *d = (update_data){t->simd, s,   n->segments->count, u->moments, u->scalars, n->segments->count * each,
                       NULL,    NULL};
    d->data = u->prepare(l, &d->fn);
    if (!d->data) return CT_ELIMIT;
    l->run = run;
    l->data = d;
    l->impl = "stream";
    *tasks = (int32_t)task;
    return CT_OK;
}
