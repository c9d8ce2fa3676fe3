/* walk.c: a graph from outside: what made a tensor, and from what. */
#include "graph/graph.h"

const char *ct_op_of(ct_t x) { return x.node ? x.node->op->name : ""; }

ct_t ct_operand(ct_t x, int32_t i) {
    ct_t none = {0};
    return x.node && i >= 0 && i < x.node->n_in ? x.node->in[i] : none;
}

int32_t ct_nodes_of(ct_t y, ct_t *out, int32_t capacity) {
    if (!ct_ok(y)) return 0;
    const ct_graph *g = y.node->graph;
    uint64_t nodes = (uint64_t)y.node->id + 1;
    uint8_t *reached = ct_new_array(&g->ctx->allocator, nodes, 1);
    int32_t n = 0;
    if (!reached) return 0;
    reached[y.node->id] = 1;
    for (int32_t i = y.node->id; i >= 0; i--)
        for (int32_t k = 0; reached[i] && k < g->node[i]->n_in; k++)
            if (g->node[i]->in[k].node) reached[g->node[i]->in[k].node->id] = 1;
    for (int32_t i = 0; i <= y.node->id; i++) {
        if (!reached[i]) continue;
        if (n < capacity) out[n] = (ct_t){g->node[i], 0, 0};
        n++;
    }
    ct_delete(&g->ctx->allocator, reached, (size_t)nodes);
    return n;
}
