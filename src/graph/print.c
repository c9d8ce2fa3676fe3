/* print.c: a graph as flat text (one node a line, in the grammar of the net text) and as Graphviz dot. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

static void write_choice(ct_text *t, const char *choices, int64_t index) {
    for (; index > 0 && choices; index--) choices = strchr(choices, '|') + 1;
    ct_text_format(t, "\"%.*s\"", (int)strcspn(choices, "|"), choices);
}

static void write_attr(ct_text *t, const ct__attr *a, ct__value v) {
    if (a->type == CT__FLOAT && v.f == 0 && signbit(v.f)) /* "-0" would be an integer */
        ct_text_add(t, "-0.0");
    else if (a->type == CT__FLOAT)
        ct_text_number(t, v.f);
    else if (a->type == CT__CHOICE)
        write_choice(t, a->choices, v.i);
    else if (a->type == CT__TEXT)
        ct_text_format(t, "\"%s\"", v.s ? v.s : "");
    else
        ct_text_format(t, "%lld", (long long)v.i);
}

static int is_default(const ct__attr *a, ct__value v) {
    if (a->type == CT__TEXT || a->type == CT__LIST) return v.s == NULL;
    if (a->type == CT__FLOAT) return v.f == a->def;
    return v.i == (int64_t)a->def;
}

static void write_attrs(ct_text *t, const ct_node *n) {
    const ct__attr *a = n->op->attrs;
    for (int32_t i = 0; a && a[i].name; i++) {
        if (a[i].type == CT__LIST) {
            for (int32_t k = 0; n->attr[i].list && k < n->attr[i].list->count; k++)
                ct_text_format(t, ", %lld", (long long)n->attr[i].list->v[k]);
        } else if (a[i].offset == CT__POSITIONAL) {
            ct_text_add(t, ", ");
            write_attr(t, &a[i], n->attr[i]);
        } else if (!is_default(&a[i], n->attr[i])) {
            ct_text_format(t, ", %s=", a[i].name);
            write_attr(t, &a[i], n->attr[i]);
        }
    }
}

static const char *local_name(ct_t x, char out[64]) {
    if (!x.node) return "none";
    const char *prefix = x.node->op == &ct__op_input ? "in" : x.node->var ? "p" : "v";
    if (x.out)
        snprintf(out, 64, "output(%s%d, %d)", prefix, x.node->id, x.out);
    else
        snprintf(out, 64, "%s%d", prefix, x.node->id);
    return out;
}

static void write_node(ct_text *t, const ct_node *n) {
    char name[64], shape[CT_SHAPE_TEXT];
    int32_t inputs = n->op->slots ? n->data_inputs : n->n_in;
    ct_text_format(t, "%s = %s(", local_name((ct_t){(ct_node *)(uintptr_t)n, 0, 0}, name), n->op->name);
    if (n->op == &ct__op_input) ct_text_add(t, n->name);
    for (int32_t i = 0; i < inputs; i++) ct_text_format(t, "%s%s", i ? ", " : "", local_name(n->in[i], name));
    if (n->op != &ct__op_input && n->name[0]) ct_text_format(t, "%s\"%s\"", inputs ? ", " : "", n->name);
    write_attrs(t, n);
    ct_text_format(t, ")    # %s %s\n", ct_dtype_name((ct_dtype)n->out[0].dtype),
                   ct_shape_format(&n->out[0].shape, shape));
}

typedef void (*visitor)(ct_text *t, const ct_node *n);

static ct_status walk(ct_t y, ct_text *out, visitor visit) {
    if (!ct_ok(y)) return CT_EUSAGE;
    const ct_graph *g = y.node->graph;
    int32_t nodes = y.node->id + 1;
    uint8_t *reached = ct_new_array(&g->ctx->allocator, (uint64_t)nodes, 1);
    if (!reached) return CT_ELIMIT;
    reached[y.node->id] = 1;
    for (int32_t i = nodes - 1; i >= 0; i--)
        for (int32_t k = 0; reached[i] && k < g->node[i]->n_in; k++)
            if (g->node[i]->in[k].node) reached[g->node[i]->in[k].node->id] = 1;
    for (int32_t i = 0; i < nodes; i++)
        if (reached[i]) visit(out, g->node[i]);
    ct_delete(&g->ctx->allocator, reached, (size_t)nodes);
    return out->failed ? CT_ELIMIT : CT_OK;
}

static void flat(ct_text *t, const ct_node *n) {
    if (!n->var) write_node(t, n); /* parameters are made by their layers */
}

ct_status ct_graph_print(ct_t y, ct_text *out) { return walk(y, out, flat); }

static void dot(ct_text *t, const ct_node *n) {
    char shape[CT_SHAPE_TEXT];
    const char *style = n->var ? "ellipse" : n->op == &ct__op_input ? "invhouse" : "box";
    ct_text_format(t, "  n%d [shape=%s, label=\"%s%s%s\\n%s\"];\n", n->id, style, n->var ? "" : n->op->name,
                   n->name[0] && !n->var ? " " : "", n->name, ct_shape_format(&n->out[0].shape, shape));
    for (int32_t i = 0; i < n->n_in; i++)
        if (n->in[i].node) ct_text_format(t, "  n%d -> n%d;\n", n->in[i].node->id, n->id);
}

ct_status ct_graph_dot(ct_t y, ct_text *out) {
    ct_text_add(out, "digraph net {\n  rankdir=BT;\n  node [fontname=\"sans-serif\"];\n");
    ct_status s = walk(y, out, dot);
    ct_text_add(out, "}\n");
    return s ? s : out->failed ? CT_ELIMIT : CT_OK;
}
