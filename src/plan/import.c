/* import.c: from the user's graph to the plan's own, and from that to the side tables.
 *
 * The plan's graph is the part that the outputs and effects need, rebuilt with every op that has an
 * expansion replaced, round after round, until none is left. Rebuilding goes through hash-consing, so equal
 * expressions that expansion brings to light are computed once. */
#include <string.h>

#include "base/pool.h"
#include "plan/plan.h"

typedef struct rewrite {
    ct_graph *from, *to;
    ct_t *map;        /* [from->nodes][CT__MAX_OUT] */
    uint8_t *reached; /* [from->nodes] */
    int32_t train, expanded;
} rewrite;

static void reach(const ct_graph *g, uint8_t *reached, const ct_t *root, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        if (ct_ok(root[i])) reached[root[i].node->id] = 1;
    for (int32_t i = g->nodes - 1; i >= 0; i--)
        for (int32_t k = 0; reached[i] && k < g->node[i]->n_in; k++)
            if (g->node[i]->in[k].node) reached[g->node[i]->in[k].node->id] = 1;
}

static ct_t mapped(const rewrite *w, ct_t x) { return x.node ? w->map[x.node->id * CT__MAX_OUT + x.out] : x; }

static void rewrite_node(rewrite *w, ct_node *n) {
    ct_t in[CT__MAX_IN], out[CT__MAX_OUT] = {{0}};
    for (int32_t k = 0; k < n->n_in; k++) in[k] = mapped(w, n->in[k]);
    if (n->op->expand && n->op->expand(w->to, n, in, w->train, out)) {
        w->expanded = 1;
    } else {
        ct_t copy = ct__rebuild(w->to, n, in);
        for (int32_t k = 0; k < n->n_out; k++) out[k] = ct__output(copy, k);
    }
    for (int32_t k = 0; k < n->n_out; k++) w->map[n->id * CT__MAX_OUT + k] = out[k];
}

/* One round. *root is replaced by the new graph's handles; effects made by expansion are in to->effects. */
static ct_status rewrite_round(rewrite *w, ct_t *root, int32_t n) {
    const ct_allocator *a = &w->from->ctx->allocator;
    w->map = ct_new_array(a, (uint64_t)w->from->nodes + 1, CT__MAX_OUT * sizeof *w->map);
    w->reached = ct_new_array(a, (uint64_t)w->from->nodes + 1, 1);
    ct_status s = w->map && w->reached ? CT_OK : CT_ELIMIT;
    if (!s) {
        reach(w->from, w->reached, root, n);
        for (int32_t i = 0; i < w->from->nodes; i++)
            if (w->reached[i]) rewrite_node(w, w->from->node[i]);
        for (int32_t i = 0; i < n; i++) root[i] = mapped(w, root[i]);
        s = (ct_status)w->to->error.status;
    }
    ct_delete(a, w->map, ((size_t)w->from->nodes + 1) * CT__MAX_OUT * sizeof *w->map);
    ct_delete(a, w->reached, (size_t)w->from->nodes + 1);
    return s;
}

/* Roots of a plan in one array: outputs, then effects; effects of expansion are added as rounds go. */
typedef struct roots {
    ct_t *t;
    int32_t n, capacity;
} roots;

static ct_status add_effects(const ct_allocator *a, roots *r, ct_graph *g) {
    int32_t n = r->n + g->n_effects;
    if (n > r->capacity) {
        ct_t *t = ct_resize(a, r->t, (size_t)r->capacity * sizeof *t, (size_t)n * sizeof *t);
        if (!t) return CT_ELIMIT;
        r->t = t;
        r->capacity = n;
    }
    for (int32_t i = 0; i < g->n_effects; i++) r->t[r->n++] = g->effects[i];
    g->n_effects = 0;
    return CT_OK;
}

#define MAX_ROUNDS 16

static ct_status expand_all(ct_plan *p, ct_graph *from, roots *r, ct_err *e) {
    for (int32_t round = 0; round < MAX_ROUNDS; round++) {
        ct_graph *to = ct_graph_new(p->ctx);
        if (!to) return ct_fail(e, CT_ELIMIT, "plan: out of memory");
        to->private_names = 1;
        to->no_merge = p->options.no_cse;
        rewrite w = {.from = from, .to = to, .train = p->options.train};
        ct_status s = rewrite_round(&w, r->t, r->n);
        if (!s) s = add_effects(&p->ctx->allocator, r, to);
        if (s) {
            if (to->error.status) ct_fail(e, (ct_status)to->error.status, "%s", to->error.text);
            ct_graph_free(to);
            return ct_fail(e, CT_ELIMIT, "plan: out of memory");
        }
        if (round > 0) ct_graph_free(from);
        p->graph = from = to;
        if (!w.expanded) return CT_OK;
    }
    return ct_fail(e, CT_EINTERNAL, "plan: expansion does not end after %d rounds", MAX_ROUNDS);
}

static int is_input(const ct_node *n) { return n->op == &ct__op_input; }

static ct_status collect(ct_plan *p, const roots *r, int32_t outs) {
    const ct_allocator *a = &p->ctx->allocator;
    for (int32_t i = 0; i < p->graph->nodes; i++) p->inputs += is_input(p->graph->node[i]);
    p->outs = outs;
    p->n_effects = r->n - outs;
    p->out = ct_new_array(a, (uint64_t)outs + 1, sizeof *p->out);
    p->effect = ct_new_array(a, (uint64_t)p->n_effects + 1, sizeof *p->effect);
    p->input = ct_new_array(a, (uint64_t)p->inputs + 1, sizeof *p->input);
    if (!p->out || !p->effect || !p->input) return CT_ELIMIT;
    for (int32_t i = 0; i < outs; i++) p->out[i] = r->t[i];
    for (int32_t i = 0; i < p->n_effects; i++) p->effect[i] = r->t[outs + i];
    int32_t k = 0;
    for (int32_t i = 0; i < p->graph->nodes; i++)
        if (is_input(p->graph->node[i])) p->input[k++] = (ct_t){p->graph->node[i], 0, 0};
    return CT_OK;
}

static int is_effect(ct_t x) { return x.node->op->update || (x.node->op->flags & CT__OP_ASSIGN); }

static ct_status check_roots(const ct_t *t, int32_t n, int effects, ct_graph **g, ct_err *e) {
    for (int32_t i = 0; i < n; i++) {
        if (!t[i].node) return ct_fail(e, CT_EUSAGE, "plan: output %d is none; wanted a tensor", i + 1);
        if (t[i].node->graph->error.status) return ct_graph_status(t[i].node->graph, e);
        if (*g && t[i].node->graph != *g)
            return ct_fail(e, CT_EUSAGE, "plan: outputs belong to two graphs; wanted one");
        if (!effects && is_effect(t[i]))
            return ct_fail(e, CT_EUSAGE,
                           "plan: output %d is the result of %s; wanted it among the effects; give the value "
                           "that it takes as output",
                           i + 1, t[i].node->op->name);
        if (effects && !is_effect(t[i]))
            return ct_fail(e, CT_EUSAGE,
                           "plan: effect %d is the result of %s; wanted an assignment or an optimiser step",
                           i + 1, t[i].node->op->name);
        *g = t[i].node->graph;
    }
    return CT_OK;
}

ct_status ct_plan_new(const ct_t *out, int32_t outs, const ct_t *effects, int32_t n_effects, ct_compile o,
                      ct_plan **plan, ct_err *e) {
    ct_graph *g = NULL;
    ct_status s = check_roots(out, outs, 0, &g, e);
    if (!s) s = check_roots(effects, n_effects, 1, &g, e);
    if (!s && !g) s = ct_fail(e, CT_EUSAGE, "plan: no output and no effect; wanted at least one");
    if (s) return s;
    const ct_allocator *a = &g->ctx->allocator;
    ct_plan *p = ct_new(a, sizeof *p);
    roots r = {.t = ct_new_array(a, (uint64_t)(outs + n_effects), sizeof(ct_t)),
               .n = outs + n_effects,
               .capacity = outs + n_effects};
    if (!p || !r.t) {
        ct_delete(a, p, sizeof *p);
        ct_delete(a, r.t, (size_t)r.capacity * sizeof *r.t);
        return ct_fail(e, CT_ELIMIT, "plan: out of memory");
    }
    for (int32_t i = 0; i < outs; i++) r.t[i] = out[i];
    for (int32_t i = 0; i < n_effects; i++) r.t[outs + i] = effects[i];
    p->ctx = g->ctx;
    p->options = o;
    if (!g->ctx->simd) g->ctx->simd = ct__simd_of(0);
    pthread_mutex_init(&p->lock, NULL);
    ct_float_state f = ct__float_enter(); /* expansions compute constants */
    s = expand_all(p, g, &r, e);
    ct__float_leave(f);
    if (!s && collect(p, &r, outs)) s = ct_fail(e, CT_ELIMIT, "plan: out of memory");
    ct_delete(a, r.t, (size_t)r.capacity * sizeof *r.t);
    if (s)
        ct_plan_free(p);
    else
        *plan = p;
    return s;
}

void ct_plan_free(ct_plan *p) {
    if (!p) return;
    const ct_allocator *a = &p->ctx->allocator;
    while (p->instance) {
        ct__instance *t = p->instance;
        p->instance = t->next;
        ct__instance_free(t);
    }
    pthread_mutex_destroy(&p->lock);
    ct_graph_free(p->graph);
    ct_delete(a, p->out, ((size_t)p->outs + 1) * sizeof *p->out);
    ct_delete(a, p->effect, ((size_t)p->n_effects + 1) * sizeof *p->effect);
    ct_delete(a, p->input, ((size_t)p->inputs + 1) * sizeof *p->input);
    ct_delete(a, p, sizeof *p);
}

/* ---- graph -> side tables ---- */

static ct_status import_node(ct__instance *t, const ct_node *n, const int32_t *first, ct__pnode **out) {
    ct__pnode *p = ct__pnode_new(t, n->op, n->n_in, n->n_out);
    if (!p) return CT_ELIMIT;
    p->attr = n->attr;
    p->name = n->name;
    p->origin = n;
    for (int32_t k = 0; k < n->n_in; k++)
        p->in[k] = n->in[k].node ? first[n->in[k].node->id] + n->in[k].out : -1;
    for (int32_t k = 0; k < n->n_out; k++)
        if ((p->out[k] = ct__val_new(t, &n->out[k], n->id)) < 0) return CT_ELIMIT;
    *out = p;
    return CT_OK;
}

ct_status ct__pass_import(ct__instance *t) {
    const ct_plan *p = t->plan;
    const ct_graph *g = p->graph;
    uint8_t *reached = ct_arena_array(&t->arena, (uint64_t)g->nodes + 1, 1);
    int32_t *first = ct_arena_array(&t->arena, (uint64_t)g->nodes + 1, sizeof *first), n = 0;
    ct__pnode **list = ct_arena_array(&t->arena, (uint64_t)g->nodes + 1, sizeof *list);
    t->output = ct_arena_array(&t->arena, (uint64_t)p->outs + 1, sizeof *t->output);
    if (!reached || !first || !list || !t->output) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    reach(g, reached, p->out, p->outs);
    reach(g, reached, p->effect, p->n_effects);
    for (int32_t i = 0; i < g->nodes; i++) {
        if (!reached[i]) continue;
        first[i] = t->vals;
        if (import_node(t, g->node[i], first, &list[n++])) return CT_ELIMIT;
    }
    for (int32_t i = 0; i < p->outs; i++) t->output[i] = first[p->out[i].node->id] + p->out[i].out;
    return ct__pnode_list(t, list, n) ? CT_OK : CT_ELIMIT;
}

int32_t ct_plan_inputs(const ct_plan *p) { return p->inputs; }
const char *ct_plan_input_name(const ct_plan *p, int32_t i) {
    return i >= 0 && i < p->inputs ? p->input[i].node->name : "";
}
ct_shape ct_plan_input_shape(const ct_plan *p, int32_t i) {
    return i >= 0 && i < p->inputs ? ct_shape_of(p->input[i]) : ct_shape_make(0, NULL);
}
ct_dtype ct_plan_input_dtype(const ct_plan *p, int32_t i) {
    return i >= 0 && i < p->inputs ? ct_dtype_of(p->input[i]) : CT_F32;
}
int32_t ct_plan_outputs(const ct_plan *p) { return p->outs; }
ct_shape ct_plan_output_shape(const ct_plan *p, int32_t i) {
    return i >= 0 && i < p->outs ? ct_shape_of(p->out[i]) : ct_shape_make(0, NULL);
}
ct_dtype ct_plan_output_dtype(const ct_plan *p, int32_t i) {
    return i >= 0 && i < p->outs ? ct_dtype_of(p->out[i]) : CT_F32;
}
