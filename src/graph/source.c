/* source.c: nodes that compute nothing: inputs, variables, constants, session scalars. */
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "graph/graph.h"

static ct_status no_infer(ct__infer *f) { return ct__infer_fail(f, "made by its own builder only"); }
static const ct__attr scalar_attrs[] = {
    POS_INT(index, 0, 0, CT__MAX_SCALARS, "position among the context's scalars"), {0}};

const ct__op ct__op_input = {
    .name = "input", .flags = CT__OP_SOURCE, .infer = no_infer, .nondiff = "an input"};
const ct__op ct__op_var = {.name = "var", .flags = CT__OP_SOURCE, .infer = no_infer, .nondiff = "a variable"};
const ct__op ct__op_constant = {
    .name = "constant", .flags = CT__OP_SOURCE, .infer = no_infer, .nondiff = "a constant"};
const ct__op ct__op_scalar = {.name = "scalar",
                              .attrs = scalar_attrs,
                              .flags = CT__OP_SOURCE,
                              .infer = no_infer,
                              .nondiff = "a setting"};

typedef struct source { /* what makes one */
    const ct__op *op;
    const char *name;
    ct__type type;
    ct__var *var;
    const void *data;
    int64_t index;
} source;

/* Sources are placed through ct__rebuild, which finds an equal one or makes it. */
static ct_t place(ct_graph *g, const source *s) {
    ct__value attr = {.i = s->index};
    ct__type type = s->type;
    ct_node n = {.op = s->op,
                 .graph = g,
                 .name = s->name,
                 .attr = &attr,
                 .out = &type,
                 .var = s->var,
                 .data = s->data,
                 .n_out = 1};
    return ct__rebuild(g, &n, NULL);
}

/* What nodes may hold; the other types are of host arrays and files. */
static int is_graph_type(int32_t dtype) {
    return dtype == CT_F32 || dtype == CT_I64 || dtype == CT_I32 || dtype == CT_BOOL;
}

static int name_taken(const ct_graph *g, const ct__op *op, const char *name) {
    for (int32_t i = 0; i < g->nodes; i++)
        if (g->node[i]->op == op && strcmp(g->node[i]->name, name) == 0) return 1;
    return 0;
}

ct_t ct_graph_input(ct_graph *g, const char *name, ct_dtype dtype, ct_shape shape) {
    char text[CT_SHAPE_TEXT];
    uint64_t count;
    if (g->error.status) return ct__poison(g);
    if (!name || !name[0] || name_taken(g, &ct__op_input, name)) {
        ct__graph_fail(g, "input \"%.60s\": the name is empty or taken; wanted a new name", name ? name : "");
        return ct__poison(g);
    }
    if (shape.rank < 0 || shape.rank > CT_MAX_RANK || !ct_shape_count(&shape, 1, &count) ||
        ct__batch_axis(&shape) == -2) {
        ct__graph_fail(g, "input \"%.60s\": shape %s; wanted at most %d extents, N at most once", name,
                       ct_shape_format(&shape, text), CT_MAX_RANK);
        return ct__poison(g);
    }
    if (!is_graph_type((int32_t)dtype)) {
        ct__graph_fail(g, "input \"%.60s\": type %s; wanted f32, i64, i32 or bool", name,
                       ct_dtype_name(dtype));
        return ct__poison(g);
    }
    return place(g, &(source){.op = &ct__op_input, .name = name, .type = {(int32_t)dtype, 0, shape}});
}

ct_t ct_input(ct_ctx *c, const char *name, ct_dtype dtype, ct_shape shape) {
    return ct_graph_input(c->graph, name, dtype, shape);
}

ct_t ct_constant(ct_graph *g, ct_dtype dtype, ct_shape shape, const void *data) {
    uint64_t count, bytes;
    if (g->error.status) return ct__poison(g);
    if (!is_graph_type((int32_t)dtype)) {
        ct__graph_fail(g, "constant: type %s; wanted f32, i64, i32 or bool", ct_dtype_name(dtype));
        return ct__poison(g);
    }
    if (!ct_shape_count(&shape, 0, &count) || ct__batch_axis(&shape) != -1 ||
        !ct_mul_ok(count, ct_dtype_size(dtype), &bytes) || (!data && count)) {
        ct__graph_fail(g, "constant: its shape is not fixed, or its data is missing; wanted both");
        return ct__poison(g);
    }
    void *copy = ct_arena_new(&g->arena, (bytes + 127) / 64 * 64);
    if (!copy) {
        ct_fail(&g->error, CT_ELIMIT, "constant: out of memory for %llu bytes", (unsigned long long)bytes);
        return ct__poison(g);
    }
    if (bytes) memcpy(copy, data, bytes);
    char key[64]; /* equal constants have equal names, so they are found again */
    char hex[33];
    ct_hash_hex(ct_hash_bytes(copy, bytes), hex);
    snprintf(key, sizeof key, "const.%s.%d", hex, (int)dtype);
    for (int32_t i = 0; i < g->nodes; i++)
        if (g->node[i]->op == &ct__op_constant && strcmp(g->node[i]->name, key) == 0 &&
            ct_shape_equal(&g->node[i]->out[0].shape, &shape))
            return (ct_t){g->node[i], 0, 0};
    return place(
        g, &(source){.op = &ct__op_constant, .name = key, .type = {(int32_t)dtype, 0, shape}, .data = copy});
}

ct_t ct_number(ct_graph *g, double value) {
    ct_float_state s = ct__float_enter(); /* rounded to nearest whatever the caller has set */
    float f = (float)value;
    ct__float_leave(s);
    return ct_constant(g, CT_F32, ct_shape_make(0, NULL), &f);
}

ct_t ct_scalar(ct_graph *g, const char *name, double initial) {
    ct_ctx *c = g->ctx;
    int32_t i = 0;
    if (g->error.status) return ct__poison(g);
    if (!name || !name[0]) {
        ct__graph_fail(g, "scalar: its name is %s; wanted a name; give one", name ? "empty" : "NULL");
        return ct__poison(g);
    }
    while (i < c->scalars && strcmp(c->scalar_name[i], name) != 0) i++;
    if (i == c->scalars) {
        const char *copy = i < CT__MAX_SCALARS ? ct_arena_text(&c->arena, name) : NULL;
        if (!copy) {
            ct__graph_fail(g, "scalar \"%.60s\": out of memory or beyond %d scalars", name, CT__MAX_SCALARS);
            return ct__poison(g);
        }
        c->scalar_name[i] = copy;
        c->scalars++;
    }
    c->scalar_initial[i] = initial;
    return place(g,
                 &(source){.op = &ct__op_scalar, .name = name, .type = {CT_F32, 0, {{0}, 0, 0}}, .index = i});
}

static ct_t var_node(ct_graph *g, ct__var *v) {
    return place(g, &(source){.op = &ct__op_var, .name = v->name, .type = {v->dtype, 0, v->shape}, .var = v});
}

ct_t ct_var_new(ct_graph *g, ct_var_kind kind, const char *name, ct_dtype dtype, ct_shape shape,
                ct_init init) {
    char full[1536];
    if (g->error.status) return ct__poison(g);
    snprintf(full, sizeof full, "%s%s", g->scope, name ? name : "");
    if (name_taken(g, &ct__op_var, full)) {
        ct__graph_fail(g,
                       "variable \"%.200s\": made twice in one graph; wanted once; use another name, or "
                       "share it by tie= "
                       "(ct_param in C)",
                       full);
        return ct__poison(g);
    }
    if (!is_graph_type((int32_t)dtype)) {
        ct__graph_fail(g, "variable \"%.200s\": type %s; wanted f32, i64, i32 or bool", full,
                       ct_dtype_name(dtype));
        return ct__poison(g);
    }
    ct__var *v = ct__var_bind(g->ctx, kind, full, (int32_t)dtype, &shape, &init, &g->error);
    return v ? var_node(g, v) : ct__poison(g);
}

ct_t ct_graph_param(ct_graph *g, const char *full_name) {
    ct_ctx *c = g->ctx;
    if (g->error.status) return ct__poison(g);
    ct__var *v = ct__var_lookup(c, full_name ? full_name : "");
    if (v) return var_node(g, v);
    const char *names[256];
    size_t n = 0;
    for (int32_t i = 0; i < c->vars && n < 256; i++) names[n++] = c->var[i]->name;
    const char *near = ct_nearest(full_name ? full_name : "", names, n);
    ct__graph_fail(g, "variable \"%.200s\": there is none of that name; wanted %.200s; make it first",
                   full_name ? full_name : "", near ? near : "one that exists");
    return ct__poison(g);
}

ct_t ct_param(ct_ctx *c, const char *full_name) { return ct_graph_param(c->graph, full_name); }
