/* interpret.c: walks a graph in order and asks every node's reference. Slow and plain: nothing of the planner
 * or the kernels is used, so an agreement of both means something. */
#include "plan/interpret.h"

#include <string.h>

int ct__ref_new(ct_arena *arena, const ct__type *type, int64_t batch, ct__ref_array *out) {
    uint64_t count;
    *out = (ct__ref_array){.shape = type->shape, .dtype = type->dtype, .present = 1};
    for (int32_t i = 0; i < out->shape.rank; i++)
        if (out->shape.dim[i] < 0) out->shape.dim[i] *= -batch;
    if (!ct_shape_count(&out->shape, 1, &count)) return 0;
    out->v = ct_arena_array(arena, count + 1, sizeof(double));
    return out->v != NULL;
}

static double read_constant(const void *data, int32_t dtype, uint64_t i) {
    if (dtype == CT_F32) return (double)((const float *)data)[i];
    if (dtype == CT_I64) return (double)((const int64_t *)data)[i];
    if (dtype == CT_I32) return (double)((const int32_t *)data)[i];
    return (double)((const uint8_t *)data)[i];
}

static ct_status node_value(const ct__interpreter *t, ct_arena *arena, const ct_node *n, ct__ref_array *value,
                            ct_err *e) {
    ct__ref_array in[CT__MAX_IN] = {{0}}, *out = &value[n->id * CT__MAX_OUT];
    for (int32_t k = 0; k < n->n_out; k++)
        if (!ct__ref_new(arena, &n->out[k], t->batch, &out[k]))
            return ct_fail(e, CT_ELIMIT, "reference: out of memory");
    if (n->data) {
        uint64_t count = 0;
        ct_shape_count(&out->shape, 1, &count);
        for (uint64_t i = 0; i < count; i++) out->v[i] = read_constant(n->data, out->dtype, i);
        return CT_OK;
    }
    if (n->op->flags & CT__OP_SOURCE) {
        if (n->id >= t->nodes || !t->source[n->id].present)
            return ct_fail(e, CT_EINTERNAL, "reference: %s \"%s\" has no value", n->op->name, n->name);
        *out = t->source[n->id];
        return CT_OK;
    }
    if (!n->op->ref) return ct_fail(e, CT_EINTERNAL, "%s: has no reference", n->op->name);
    for (int32_t k = 0; k < n->n_in; k++)
        if (n->in[k].node) in[k] = value[n->in[k].node->id * CT__MAX_OUT + n->in[k].out];
    ct__ref r = {.attr = n->attr,
                 .name = n->name,
                 .n_in = n->n_in,
                 .n_out = n->n_out,
                 .in = in,
                 .out = out,
                 .train = t->train,
                 .batch = t->batch,
                 .seed = t->seed,
                 .step = t->step};
    n->op->ref(&r);
    return CT_OK;
}

ct_status ct__interpret(const ct__interpreter *t, ct_arena *arena, const ct_t *root, int32_t roots,
                        ct__ref_array *out, ct_err *e) {
    const ct_graph *g = t->graph;
    uint8_t *reached = ct_arena_array(arena, (uint64_t)g->nodes + 1, 1);
    ct__ref_array *value = ct_arena_array(arena, (uint64_t)g->nodes * CT__MAX_OUT + 1, sizeof *value);
    if (!reached || !value) return ct_fail(e, CT_ELIMIT, "reference: out of memory");
    for (int32_t i = 0; i < roots; i++) reached[root[i].node->id] = 1;
    for (int32_t i = g->nodes - 1; i >= 0; i--)
        for (int32_t k = 0; reached[i] && k < g->node[i]->n_in; k++)
            if (g->node[i]->in[k].node) reached[g->node[i]->in[k].node->id] = 1;
    for (int32_t i = 0; i < g->nodes; i++) {
        ct_status s = reached[i] ? node_value(t, arena, g->node[i], value, e) : CT_OK;
        if (s) return s;
    }
    for (int32_t i = 0; i < roots; i++) out[i] = value[root[i].node->id * CT__MAX_OUT + root[i].out];
    return CT_OK;
}
