/* graph.c: a graph's life, its scopes, its sticky error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

static ct_status poison_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_F32, 0, {{0}, 0, 0}};
    return CT_OK;
}
static const ct__op poison_op = {
    .name = "poison", .flags = CT__OP_SOURCE | CT__OP_INTERNAL, .infer = poison_infer};

ct_graph *ct_graph_new(ct_ctx *c) {
    ct_graph *g = ct_new(&c->allocator, sizeof *g);
    if (!g) return NULL;
    g->ctx = c;
    g->serial = __atomic_add_fetch(&c->graphs, 1, __ATOMIC_RELAXED); /* plans make graphs from any thread */
    g->arena.allocator = &c->allocator;
    ct_node *p = ct_arena_new(&g->arena, sizeof *p);
    ct__type *type = ct_arena_new(&g->arena, sizeof *type);
    if (!p || !type) {
        ct_graph_free(g);
        return NULL;
    }
    type->dtype = CT_F32;
    *p = (ct_node){.op = &poison_op, .graph = g, .name = "", .out = type, .n_out = 1, .id = -1};
    g->poison = p;
    return g;
}

void ct_graph_free(ct_graph *g) {
    if (!g) return;
    const ct_allocator *a = &g->ctx->allocator;
    if (g->ctx->plans && !g->private_names) g->ctx->plans_forget(g->ctx->plans, g);
    ct_delete(a, g->node, (size_t)g->capacity * sizeof *g->node);
    ct_delete(a, g->table, (size_t)g->table_size * sizeof *g->table);
    ct_delete(a, g->effects, (size_t)g->effects_capacity * sizeof *g->effects);
    ct_arena_free(&g->arena);
    ct_delete(a, g, sizeof *g);
}

void ct__graph_fail(ct_graph *g, const char *format, ...) {
    char text[800];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    ct_fail(&g->error, CT_EUSAGE, "%s", text);
}

ct_status ct_graph_status(const ct_graph *g, ct_err *e) {
    if (g->error.status && e && !e->status) *e = g->error;
    return (ct_status)g->error.status;
}

ct_t ct__poison(ct_graph *g) { return (ct_t){g->poison, 0, 0}; }
int ct_ok(ct_t x) { return x.node && x.node->id >= 0; }
ct_ctx *ct_context(ct_t x) { return x.node ? x.node->graph->ctx : NULL; }
ct_graph *ct_graph_of(ct_t x) { return x.node ? x.node->graph : NULL; }
const char *ct_name_of(ct_t x) { return x.node ? x.node->name : ""; }
ct_dtype ct_dtype_of(ct_t x) { return (ct_dtype)(x.node ? x.node->out[x.out].dtype : 0); }
ct_shape ct_shape_of(ct_t x) {
    ct_shape none = {{0}, 0, 0};
    return x.node ? x.node->out[x.out].shape : none;
}
ct_t ct__output(ct_t first, int32_t out) {
    if (!ct_ok(first)) return first;
    return (ct_t){first.node, out, 0};
}

void ct_scope_push(ct_graph *g, const char *name) {
    size_t now = strlen(g->scope), more = name ? strlen(name) : 0;
    if (g->depth >= 32 || now + more + 2 > sizeof g->scope || !more) {
        ct__graph_fail(g, "scope \"%.60s\": empty, or deeper than 32 levels or %d bytes; shorten the names",
                       name ? name : "", (int)sizeof g->scope);
        return;
    }
    g->scope_length[g->depth++] = (uint16_t)now;
    memcpy(g->scope + now, name, more);
    memcpy(g->scope + now + more, ".", 2);
}

void ct_scope_pop(ct_graph *g) {
    if (g->depth == 0) {
        ct__graph_fail(g, "scope: popped more often than pushed; balance the calls");
        return;
    }
    g->scope[g->scope_length[--g->depth]] = '\0';
}

void ct__effect(ct_graph *g, ct_t assignment) {
    const ct_allocator *a = &g->ctx->allocator;
    if (!ct_ok(assignment)) return;
    if (g->n_effects == g->effects_capacity) {
        int32_t capacity = g->effects_capacity ? 2 * g->effects_capacity : 16;
        ct_t *t =
            ct_resize(a, g->effects, (size_t)g->effects_capacity * sizeof *t, (size_t)capacity * sizeof *t);
        if (!t) {
            ct_fail(&g->error, CT_ELIMIT, "graph: out of memory");
            return;
        }
        g->effects = t;
        g->effects_capacity = capacity;
    }
    g->effects[g->n_effects++] = assignment;
}
