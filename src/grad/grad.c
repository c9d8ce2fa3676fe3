/* grad.c: reverse-mode differentiation, graph to graph.
 *
 * The walk goes from y to its inputs in reverse order of creation, so that every user of a node has been
 * seen before the node itself. `cot` holds the cotangent of each output met so far; a node hands its
 * cotangents to its record's grad rule, which builds those of its inputs; contributions of several users
 * are added. Broadcasting is undone here and nowhere else: a cotangent larger than its input is summed to
 * the input's shape.
 *
 * An op without a rule but with an expansion or a composition is differentiated through that: a nested
 * walk from its results to the op's own inputs. Nodes made by the walk come after y and are never visited. */
#include <string.h>

#include "graph/graph.h"

typedef struct walk {
    ct_graph *graph;
    int32_t nodes;    /* nodes below are visited */
    ct_t *cot;        /* [nodes][CT__MAX_OUT] */
    uint8_t *depends; /* [nodes]: on a target */
    uint8_t *target;  /* [nodes]: stop here (nested walks) */
    const ct_allocator *allocator;
} walk;

/* Sum x down to `shape`: over leading extra axes, then over axes where shape has 1. */
static ct_t sum_to(ct_t x, const ct_shape *shape) {
    ct_shape from = ct_shape_of(x);
    int64_t axes[CT_MAX_RANK];
    int32_t n = 0, extra = from.rank - shape->rank;
    if (ct_shape_equal(&from, shape)) return x;
    for (int32_t i = 0; i < from.rank; i++)
        if (i < extra || (shape->dim[i - extra] == 1 && from.dim[i] != 1)) axes[n++] = i;
    if (n) x = ct_sum(x, ct_shape_make(n, axes), (ct_reduce){.keep = 1});
    from = ct_shape_of(x);
    return ct_shape_equal(&from, shape) ? x : ct_reshape(x, *shape);
}

/* The other direction: a cotangent that broadcasts up to its output's shape (gradient rules may give one). */
static ct_t fit_to(ct_t x, ct_t like) {
    ct_shape want = ct_shape_of(like), have = ct_shape_of(x), both;
    if (ct_shape_equal(&want, &have)) return x;
    if (ct__broadcast(&have, &want, &both) && ct_shape_equal(&both, &want)) return ct_expand(x, want);
    return sum_to(x, &want);
}

static void add_to(walk *w, ct_t at, ct_t d) {
    if (!at.node || !d.node || at.node->id >= w->nodes || !w->depends[at.node->id]) return;
    ct_t *c = &w->cot[at.node->id * CT__MAX_OUT + at.out];
    d = fit_to(d, at);
    *c = c->node ? ct_add(*c, d) : d;
}

static void mark(walk *w, int stop) {
    for (int32_t i = 0; i < w->nodes; i++) {
        const ct_node *n = w->graph->node[i];
        if (w->target[i]) {
            w->depends[i] = 1;
            if (stop) continue;
        }
        for (int32_t k = 0; k < n->n_in; k++)
            if (n->in[k].node && w->depends[n->in[k].node->id] &&
                n->in[k].node->out[n->in[k].out].dtype == CT_F32)
                w->depends[i] = 1;
    }
}

static void run(walk *w, const ct_t *y, const ct_t *dy, int32_t n, int stop);

static void close_walk(walk *w) {
    ct_delete(w->allocator, w->cot, (size_t)w->nodes * CT__MAX_OUT * sizeof *w->cot);
    ct_delete(w->allocator, w->depends, (size_t)w->nodes);
    ct_delete(w->allocator, w->target, (size_t)w->nodes);
}

static int open_walk(walk *w, ct_graph *g, int32_t nodes) {
    *w = (walk){.graph = g, .nodes = nodes, .allocator = &g->ctx->allocator};
    w->cot = ct_new_array(w->allocator, (uint64_t)nodes, CT__MAX_OUT * sizeof *w->cot);
    w->depends = ct_new_array(w->allocator, (uint64_t)nodes, 1);
    w->target = ct_new_array(w->allocator, (uint64_t)nodes, 1);
    if (w->cot && w->depends && w->target) return 1;
    close_walk(w);
    ct_fail(&g->error, CT_ELIMIT, "gradient: out of memory for %d nodes", nodes);
    return 0;
}

/* Through the expansion: cotangents of the node's inputs by a walk that stops at them. */
static void through_expansion(walk *outer, ct_node *node, const ct_t *dout, ct_t *din) {
    ct_graph *g = outer->graph;
    ct_t out[CT__MAX_OUT] = {{0}}, y[CT__MAX_OUT], dy[CT__MAX_OUT];
    int32_t n = 0;
    walk w;
    int32_t effects = g->n_effects;
    int made = node->op->compose ? node->op->compose(g, node, node->in, out)
                                 : node->op->expand(g, node, node->in, 1, out);
    if (!made) return;
    g->n_effects = effects; /* they belong to the forward node, which the plan expands itself */
    for (int32_t i = 0; i < node->n_out; i++)
        if (dout[i].node && ct_ok(out[i])) {
            y[n] = out[i];
            dy[n++] = dout[i];
        }
    if (!g->error.status && open_walk(&w, g, g->nodes)) {
        for (int32_t i = 0; i < node->n_in; i++)
            if (node->in[i].node && outer->depends[node->in[i].node->id]) w.target[node->in[i].node->id] = 1;
        run(&w, y, dy, n, 1);
        for (int32_t i = 0; i < node->n_in; i++) {
            ct_t x = node->in[i];
            int seen = 0;
            for (int32_t k = 0; k < i; k++) seen |= node->in[k].node == x.node && node->in[k].out == x.out;
            if (x.node && w.target[x.node->id] && !seen) din[i] = w.cot[x.node->id * CT__MAX_OUT + x.out];
        }
        close_walk(&w);
    }
}

static void visit(walk *w, ct_node *node) {
    ct_t out[CT__MAX_OUT], din[CT__MAX_IN], dout[CT__MAX_OUT];
    uint8_t need[CT__MAX_IN];
    int any = 0;
    for (int32_t i = 0; i < node->n_out; i++) {
        out[i] = (ct_t){node, i, 0};
        dout[i] = w->cot[node->id * CT__MAX_OUT + i];
        any |= dout[i].node != NULL;
    }
    if (!any || (node->op->flags & CT__OP_SOURCE)) return;
    for (int32_t i = 0; i < node->n_in; i++) {
        din[i] = ct__none();
        need[i] = node->in[i].node && w->depends[node->in[i].node->id];
    }
    if (node->op->grad) {
        ct__grad g = {w->graph, node, node->attr, node->n_in, node->n_out, node->in, out, dout, need, din};
        node->op->grad(&g);
    } else if (node->op->compose || node->op->expand) {
        through_expansion(w, node, dout, din);
    } else {
        ct__graph_fail(
            w->graph,
            "%s \"%s\": has no gradient (%s); take the gradient of something else, or ct_detach its input",
            node->op->name, node->name, node->op->nondiff ? node->op->nondiff : "none is defined");
        return;
    }
    for (int32_t i = 0; i < node->n_in; i++)
        if (need[i]) add_to(w, node->in[i], din[i]);
}

static void run(walk *w, const ct_t *y, const ct_t *dy, int32_t n, int stop) {
    mark(w, stop);
    for (int32_t i = 0; i < n; i++) add_to(w, y[i], dy[i]);
    for (int32_t i = w->nodes - 1; i >= 0 && !w->graph->error.status; i--)
        if (w->depends[i] && !(stop && w->target[i])) visit(w, w->graph->node[i]);
}

static ct_t ones_like(ct_t y) {
    ct_t one = ct_number(y.node->graph, 1);
    return ct_shape_of(y).rank == 0 ? one : ct_expand(one, ct_shape_of(y));
}

static ct_t zeros_like(ct_t x) {
    ct_t zero = ct_number(x.node->graph, 0);
    return ct_shape_of(x).rank == 0 ? zero : ct_expand(zero, ct_shape_of(x));
}

/* Every target is a tensor of y's graph. */
static int targets_fit(ct_graph *g, const ct_t *wrt, int32_t count) {
    for (int32_t i = 0; i < count && !g->error.status; i++)
        if (!wrt[i].node || wrt[i].node->graph != g)
            ct__graph_fail(g, "gradient: target %d is %s; wanted a tensor of the result's graph", i + 1,
                           wrt[i].node ? "of another graph" : "none");
    return !g->error.status;
}

ct_status ct_grad(ct_t y, const ct_t *dy, const ct_t *wrt, int32_t count, ct_t *out) {
    walk w;
    if (!y.node) return CT_EUSAGE;
    ct_graph *g = y.node->graph;
    for (int32_t i = 0; i < count; i++) out[i] = ct__poison(g);
    if (!targets_fit(g, wrt, count) || !open_walk(&w, g, y.node->id + 1)) return (ct_status)g->error.status;
    for (int32_t i = 0; i < count; i++)
        if (wrt[i].node->id < w.nodes) w.target[wrt[i].node->id] = 1;
    ct_t seed = dy ? *dy : ones_like(y);
    run(&w, &y, &seed, 1, 0);
    for (int32_t i = 0; i < count && !g->error.status; i++) {
        ct_t c = ct__none();
        if (wrt[i].node->id < w.nodes) c = w.cot[wrt[i].node->id * CT__MAX_OUT + wrt[i].out];
        out[i] = c.node ? c : zeros_like(wrt[i]);
    }
    close_walk(&w);
    return (ct_status)g->error.status;
}

int32_t ct_parameters(ct_t y, ct_t *out, int32_t capacity) {
    int32_t n = 0;
    if (!ct_ok(y)) return 0;
    ct_graph *g = y.node->graph;
    int32_t nodes = y.node->id + 1;
    uint8_t *reached = ct_new_array(&g->ctx->allocator, (uint64_t)nodes, 1);
    if (!reached) {
        ct_fail(&g->error, CT_ELIMIT, "parameters: out of memory");
        return 0;
    }
    reached[y.node->id] = 1;
    for (int32_t i = nodes - 1; i >= 0; i--)
        for (int32_t k = 0; reached[i] && k < g->node[i]->n_in; k++)
            if (g->node[i]->in[k].node) reached[g->node[i]->in[k].node->id] = 1;
    for (int32_t i = 0; i < nodes; i++) {
        const ct__var *v = g->node[i]->var;
        if (!reached[i] || !v || v->kind != CT_PARAM || v->frozen || v->dtype != CT_F32) continue;
        if (n < capacity) out[n] = (ct_t){g->node[i], 0, 0};
        n++;
    }
    ct_delete(&g->ctx->allocator, reached, (size_t)nodes);
    return n;
}
