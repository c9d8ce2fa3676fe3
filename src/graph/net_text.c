/* net_text.c: a graph that was written in C, as the text of a net. Text makes parameters by layers and calls ops by
 * name; what it has no words for (a program's own op, arrays, variables of one's own) is refused by name, as a text
 * that is not this net would be worse than none. */
#include <stdio.h>
#include <string.h>

#include "graph/net_build.h"

static ct_status refuse(const char *found, const char *name, const char *advice, ct_err *e) {
    return ct_fail(e, CT_EUSAGE,
                   "net: %.60s \"%.100s\"; wanted ops and layers that a net as text may call; %s", found,
                   name, advice);
}

static ct_status check_node(const ct_node *n, ct_err *e) {
    int32_t data = n->op->slots ? n->data_inputs : n->n_in;
    if (n->op == &ct__op_input || n->var) return CT_OK; /* variables are looked at where they are read */
    if (strcmp(n->op->name, "custom") == 0)
        return refuse("an op of the program's own,", ((const ct_custom *)(uintptr_t)n->attr[0].i)->name,
                      "keep the net in C, and its weights with ct_weights_collect", e);
    if (!ct__net_may_call(n->op))
        return refuse(n->data ? "an array," : "an op without a word,", n->op->name,
                      "for numbers use ct_mul_scalar or ct_add_scalar, for arrays another input", e);
    for (int32_t i = 0; i < data; i++)
        if (n->in[i].node && n->in[i].node->var)
            return refuse("a variable that no layer made,", n->in[i].node->name,
                          "let a layer such as ct_linear make it, or share it with .tie", e);
    return CT_OK;
}

static ct_status check(ct_t y, ct_err *e) {
    const ct_graph *g = y.node->graph;
    int32_t n = ct_nodes_of(y, NULL, 0);
    ct_t *node = ct_new_array(&g->ctx->allocator, (uint64_t)n + 1, sizeof *node);
    ct_status s = n && node ? check_node(y.node, e) : ct_fail(e, CT_ELIMIT, "net: out of memory");
    if (!s && y.node->var) s = refuse("a variable,", y.node->name, "give what a layer computes", e);
    if (!s && ct_nodes_of(y, node, n) != n) s = ct_fail(e, CT_ELIMIT, "net: out of memory");
    for (int32_t i = 0; i < n && !s; i++) s = check_node(node[i].node, e);
    ct_delete(&g->ctx->allocator, node, ((uint64_t)n + 1) * sizeof *node);
    return s;
}

ct_status ct_net_of(ct_t y, ct_text *out, ct_err *e) {
    if (!y.node)
        return ct_fail(e, CT_EUSAGE,
                       "net: no tensor; wanted the net's output; give what the last op returned");
    ct_status s = ct_graph_status(y.node->graph, e);
    if (!s && !ct_ok(y))
        s = ct_fail(e, CT_EUSAGE, "net: its building failed; wanted a net; look at ct_error");
    if (!s) s = check(y, e);
    if (s) return s;
    ct_err why = {0};
    ct_text flat = {.allocator = &y.node->graph->ctx->allocator};
    s = ct_graph_print(y, &flat);
    if (!s && y.out) { /* the last name assigned is the output */
        char last[40];
        snprintf(last, sizeof last, "y = output(v%d, %d)\n", y.node->id, y.out);
        ct_text_add(&flat, last);
    }
    if (s || flat.failed)
        s = ct_fail(e, CT_ELIMIT, "net: out of memory");
    else
        s = ct_net_print(flat.data, "net", NULL, 0, out, &why); /* without the remarks about shapes */
    if (why.status)
        s = ct_fail(
            e, (ct_status)why.status,
            "net: it cannot be read back from its text (%.300s); wanted one that can; give plain names",
            why.text);
    ct_text_free(&flat);
    return s;
}
