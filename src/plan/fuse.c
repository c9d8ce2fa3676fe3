/* fuse.c: consumers taken into their producer's kernel, as the producer's record allows: the only reader of
 * a node's first output is one node of the same kind; its result becomes the producer's. Inputs of the
 * consumer other than the fused one are appended to the producer's inputs, unless the producer can do without
 * them: what nobody reads need not be kept. */
#include <string.h>

#include "plan/plan.h"

static ct__pnode *only_reader(const ct__instance *t, int32_t value, int32_t after) {
    for (int32_t i = after + 1; i < t->nodes; i++)
        for (int32_t k = 0; k < t->node[i]->n_in; k++)
            if (t->node[i]->in[k] == value) return t->node[i];
    return NULL;
}

/* Every other input of the consumer must exist before the producer runs. */
static int inputs_ready(const ct__instance *t, const ct__pnode *consumer, int32_t value, int32_t producer) {
    for (int32_t k = 0; k < consumer->n_in; k++) {
        int32_t v = consumer->in[k];
        if (v >= 0 && v != value && t->val[v].node >= producer) return 0;
    }
    return 1;
}

static const ct__type *other_input(const ct__instance *t, const ct__pnode *c, int32_t value) {
    int32_t v = c->n_in == 2 ? c->in[c->in[0] == value] : -1;
    return v >= 0 ? &t->val[v].type : NULL;
}

static int absorb(ct__instance *t, ct__pnode *n, ct__pnode *c, int32_t value, int alone) {
    int32_t extra = 0, k = n->n_in;
    for (int32_t i = 0; i < c->n_in; i++) extra += !alone && c->in[i] != value;
    int32_t *in = ct_arena_array(&t->arena, (uint64_t)(n->n_in + extra + n->n_out) + 1, sizeof *in);
    if (!in) return 0;
    memcpy(in, n->in, (size_t)n->n_in * sizeof *in);
    for (int32_t i = 0; i < c->n_in; i++)
        if (!alone && c->in[i] != value) in[k++] = c->in[i];
    memcpy(in + k, n->out, (size_t)n->n_out * sizeof *in);
    n->in = in;
    n->n_in = k;
    n->out = in + k;
    n->out[0] = c->out[0];
    n->fused[n->n_fused++] = (ct__fused){c->op, c->attr, NULL};
    c->dead = 1;
    return 1;
}

ct_status ct__pass_fuse(ct__instance *t) {
    if (t->plan->options.no_fuse) return CT_OK;
    for (int32_t i = 0; i < t->nodes; i++) {
        ct__pnode *n = t->node[i];
        while (!n->dead && n->op->fuse && n->n_fused < CT__MAX_FUSED) {
            int32_t value = n->out[0];
            ct__lower l;
            if (t->val[value].uses != 1) break;
            ct__pnode *c = only_reader(t, value, i);
            int fits = c && (c->kind == n->kind || (n->pieces > 0 && c->kind == CT__SHARDED));
            if (!fits || c->n_out != 1 || c->n_fused || !inputs_ready(t, c, value, i)) break;
            ct__fused f = {c->op, c->attr, other_input(t, c, value)};
            if (ct__ask(t, n, 0, &l)) return CT_ELIMIT;
            int how = n->op->fuse(&l, &f);
            if (!how) break;
            if (!absorb(t, n, c, value, how == CT__FUSE_ALONE))
                return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
        }
    }
    if (!ct__pnode_list(t, t->node, t->nodes)) return CT_ELIMIT;
    ct__count_uses(t);
    return CT_OK;
}
