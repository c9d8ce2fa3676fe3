/* layers.c: looking into a graph that was built: its layers by name, and what a node reads. */
#include <string.h>

#include "graph/graph.h"

/* Nodes that carry a name of their own: layers and random ops; variables and inputs are not. */
static int is_layer(const ct_node *n) { return n->name && n->name[0] && !n->var && n->n_in > 0; }

/* Which nodes y needs, by id; NULL: out of memory. */
static uint8_t *needed(ct_t y) {
    uint8_t *mark = ct_new_array(&y.node->graph->ctx->allocator, (uint64_t)y.node->id + 1, sizeof *mark);
    if (!mark) return NULL;
    mark[y.node->id] = 1;
    for (int32_t i = y.node->id; i >= 0; i--) { /* an input precedes its users */
        const ct_node *n = y.node->graph->node[i];
        for (int32_t k = 0; mark[i] && k < n->n_in; k++)
            if (n->in[k].node) mark[n->in[k].node->id] = 1;
    }
    return mark;
}

int32_t ct_layers(ct_t y, ct_t *out, int32_t capacity) {
    int32_t count = 0;
    uint8_t *mark = ct_ok(y) ? needed(y) : NULL;
    if (!mark) return 0;
    for (int32_t i = 0; i <= y.node->id; i++) {
        ct_node *n = y.node->graph->node[i];
        if (!mark[i] || !is_layer(n)) continue;
        if (count < capacity) out[count] = (ct_t){n, 0, 0};
        count++;
    }
    ct_delete(&y.node->graph->ctx->allocator, mark, (size_t)y.node->id + 1);
    return count;
}

ct_t ct_operand(ct_t x, int32_t i) {
    ct_t none = {0};
    return x.node && i >= 0 && i < x.node->n_in ? x.node->in[i] : none;
}
