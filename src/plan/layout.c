/* layout.c: storage orders (CORE 3, DESIGN 6).
 *
 * Two walks. The first lets each op with a layout rule decide the home of the variables that have none yet,
 * so that a weight lies as its first user reads it; its optimiser state follows it. From then on the home is
 * fixed, as plans hold addresses and orders; other orders of a variable are derived copies (derived.c). The second goes through
 * the nodes in order: an op says which order it wants for each operand; where the producer gives another, a
 * relayout node is put between, once per value and order. Ops that follow take the blocked order of their
 * images on; every other op reads and writes plain row-major memory. */
#include <string.h>

#include "kern/conv.h"
#include "op/relayout.h"
#include "plan/plan.h"

typedef struct change { /* a converted version of a value */
    int32_t from, to;
    struct change *next;
} change;

typedef struct laying {
    ct__instance *t;
    ct__pnode **list;
    int32_t n;
    change *changes;
} laying;

static const ct__layout plain = {.kind = CT__PLAIN};

/* `list` holds the producers: the second walk renumbers values as it builds its own. */
static ct__var *var_of(const ct__instance *t, ct__pnode *const *list, int32_t v) {
    const ct__pnode *n = v >= 0 && t->val[v].node >= 0 ? list[t->val[v].node] : NULL;
    return n && n->op == &ct__op_var ? n->origin->var : NULL;
}

static uint64_t blocked_bytes(const ct_shape *s) {
    int64_t b = ct__block_channels(), count = (s->dim[1] + b - 1) / b * b * s->dim[0];
    for (int32_t i = 2; i < s->rank; i++) count *= s->dim[i];
    return (uint64_t)count * sizeof(float);
}

uint64_t ct__storage_bytes(const ct__layout *l, const ct__type *concrete) {
    return l->kind == CT__BLOCKED ? blocked_bytes(&concrete->shape) : ct__layout_bytes(l, concrete);
}

/* ---- homes ---- */

static ct_status move_home(ct_ctx *c, ct__var *v, const ct__layout *to, ct_err *e) {
    ct__type type = {v->dtype, 0, v->shape};
    uint64_t bytes = (ct__layout_bytes(to, &type) + 255) / 256 * 256;
    const void *opaque = NULL, *shape = NULL;
    uint64_t extra = to->kind == CT__CONV ? sizeof(ct__weight_layout) + sizeof(ct__conv_shape) : 0;
    char *copy = extra ? ct_new(&c->allocator, extra) : NULL;
    void *data = ct_new(&c->allocator, bytes);
    if (!data || (extra && !copy)) {
        ct_delete(&c->allocator, data, bytes);
        ct_delete(&c->allocator, copy, extra);
        return ct_fail(e, CT_ELIMIT, "variable \"%s\": out of memory for %llu bytes", v->name,
                       (unsigned long long)bytes);
    }
    if (extra) {
        opaque = memcpy(copy, to->opaque, sizeof(ct__weight_layout));
        shape = memcpy(copy + sizeof(ct__weight_layout), to->shape, sizeof(ct__conv_shape));
    }
    ct__layout home = *to;
    home.opaque = opaque;
    home.shape = shape;
    ct_status s = ct__relayout_now(c, &type, &v->home, &home, v->data, data, e);
    if (s) {
        ct_delete(&c->allocator, data, bytes);
        ct_delete(&c->allocator, copy, extra);
        return s;
    }
    ct_delete(&c->allocator, v->data, v->bytes);
    ct_delete(&c->allocator, v->home_opaque, v->home_opaque_bytes);
    v->data = data;
    v->bytes = bytes;
    v->home = home;
    v->home_opaque = copy;
    v->home_opaque_bytes = extra;
    return CT_OK;
}

static ct_status ask_layout(ct__instance *t, ct__pnode *const *list, const ct__pnode *n, ct__lower *l,
                            ct__layouts *q) {
    uint64_t count = (uint64_t)(n->n_in + n->n_out) + 1;
    ct__layout *wish = ct_arena_array(&t->arena, count, sizeof *wish),
               *now = ct_arena_array(&t->arena, count, sizeof *now);
    uint8_t *is_free = ct_arena_array(&t->arena, count, 1);
    if (!wish || !now || !is_free || ct__ask(t, n, 0, l))
        return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    for (int32_t i = 0; i < n->n_in; i++) {
        const ct__var *v = var_of(t, list, n->in[i]);
        if (n->in[i] >= 0) now[i] = v ? v->home : t->val[n->in[i]].layout;
        is_free[i] = v && !v->home_fixed;
    }
    *q = (ct__layouts){l, now, is_free, wish, wish + n->n_in};
    if (n->op->layout) n->op->layout(q);
    return (ct_status)t->e->status;
}

static ct_status fix_homes(ct__instance *t) {
    for (int32_t i = 0; i < t->nodes; i++) {
        const ct__pnode *n = t->node[i];
        ct__lower l;
        ct__layouts q;
        int wanted = 0;
        for (int32_t k = 0; k < n->n_in; k++) {
            const ct__var *v = var_of(t, t->node, n->in[k]);
            wanted |= v && !v->home_fixed && n->op->layout;
        }
        if (!wanted || (n->op->flags & CT__OP_INTERNAL)) continue;
        if (ask_layout(t, t->node, n, &l, &q)) return (ct_status)t->e->status;
        for (int32_t k = 0; k < n->n_in; k++) {
            ct__var *v = var_of(t, t->node, n->in[k]);
            if (!v || v->home_fixed || v->kind == CT_STATE) continue;
            if (q.in[k].kind != CT__PLAIN && move_home(t->plan->ctx, v, &q.in[k], t->e))
                return (ct_status)t->e->status;
            v->home_fixed = 1;
        }
    }
    for (int32_t i = 0; i < t->nodes; i++) { /* optimiser state follows its parameter */
        const ct__pnode *n = t->node[i];
        for (int32_t k = 0; n->op->update && k < n->op->update->moments; k++) {
            const ct__var *p = var_of(t, t->node, n->in[0]);
            ct__var *m = var_of(t, t->node, n->in[2 + k]);
            if (!p || !m || m->home_fixed) continue;
            if (p->home.kind != CT__PLAIN && move_home(t->plan->ctx, m, &p->home, t->e))
                return (ct_status)t->e->status;
            m->home_fixed = 1;
        }
    }
    for (int32_t i = 0; i < t->nodes;
         i++) /* what nobody had a wish about stays as it is: this plan counts on it */
        if (t->node[i]->op == &ct__op_var) t->node[i]->origin->var->home_fixed = 1;
    return CT_OK;
}

/* ---- values ---- */

/* Of a parameter or buffer: its derived copy in that order, whose memory the node then fills. */
static ct_status derive(laying *p, ct__pnode *n, int32_t value, const ct__layout *to) {
    ct__instance *t = p->t;
    ct__var *v = var_of(t, p->list, value);
    if (!v || v->kind == CT_STATE) return CT_OK;
    n->derived = ct__derived_take(t->plan->ctx, v, to, t->e);
    if (!n->derived) return CT_ELIMIT;
    t->derived[t->n_derived] = n->derived;
    t->derived_of[t->n_derived++] = v;
    if (t->shards > 1) n->kind = CT__PIECE;
    return CT_OK;
}

static int32_t converted(laying *p, int32_t v, const ct__layout *to) {
    ct__instance *t = p->t;
    if (ct__layout_equal(&t->val[v].layout, to)) return v;
    for (change *c = p->changes; c; c = c->next)
        if (c->from == v && ct__layout_equal(&t->val[c->to].layout, to)) return c->to;
    change *c = ct_arena_new(&t->arena, sizeof *c);
    ct__pnode *n = ct__pnode_new(t, &ct__op_relayout, 1, 1);
    int32_t out = c && n ? ct__val_new(t, &t->val[v].type, p->n) : -1;
    if (out < 0) {
        ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
        return -1;
    }
    int32_t place = t->val[v].place;
    ct__val *o = &t->val[out];
    o->concrete = t->val[v].concrete;
    o->layout = *to;
    o->place = place;
    n->in[0] = v;
    n->out[0] = out;
    n->kind = place == CT__REPLICATE ? CT__ONCE : CT__SHARDED;
    if (derive(p, n, v, to)) return -1;
    n->name = p->list[t->val[v].node]->name;
    n->origin = p->list[t->val[v].node]->origin;
    p->list[p->n++] = n;
    *c = (change){v, out, p->changes};
    p->changes = c;
    return out;
}

static int image_like(const ct_shape *a, const ct_shape *b) {
    return a->rank == b->rank && a->rank >= 3 && a->rank <= 5 && a->dim[0] == b->dim[0] &&
           a->dim[1] == b->dim[1];
}

/* Elementwise and pooling: blocked when one image operand is blocked and all operands are such images (or,
 * elementwise, single numbers); padding lanes must stay zero. */
static int follows_blocked(const ct__instance *t, const ct__pnode *n) {
    const ct_shape *image = NULL;
    if (!(n->op->flags & CT__OP_FOLLOW) || t->plan->options.no_layout) return 0;
    for (int32_t i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && t->val[n->in[i]].layout.kind == CT__BLOCKED)
            image = &t->val[n->in[i]].concrete.shape;
    if (!image) return 0;
    if (image->dim[1] % ct__block_channels() != 0 && n->op->tile && !(n->op->flags & CT__OP_ZERO)) return 0;
    for (int32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0) continue;
        const ct__val *v = &t->val[n->in[i]];
        uint64_t count = 0;
        if (n->op->tile ? ct_shape_equal(&v->concrete.shape, image) : image_like(&v->concrete.shape, image))
            continue;
        if (!n->op->tile || !ct_shape_count(&v->concrete.shape, 1, &count) || count != 1) return 0;
        if (image->dim[1] % ct__block_channels() != 0) return 0;
    }
    for (int32_t i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0 && !image_like(&t->val[n->out[i]].concrete.shape, image)) return 0;
    return 1;
}

static ct__layout follow_wish(const ct__val *v, int blocked) {
    if (!blocked || v->concrete.shape.rank < 3) return plain;
    return (ct__layout){.kind = CT__BLOCKED};
}

static ct_status lay_node(laying *p, ct__pnode *n) {
    ct__instance *t = p->t;
    ct__lower l;
    ct__layouts q = {0};
    int blocked = !n->op->layout && follows_blocked(t, n);
    if (n->op->flags & CT__OP_SOURCE) {
        const ct__var *v = n->op == &ct__op_var ? n->origin->var : NULL;
        t->val[n->out[0]].layout = v ? v->home : plain;
        return CT_OK;
    }
    if (n->op == &ct__op_sync || n->op == &ct__op_gather) {
        t->val[n->out[0]].layout = t->val[n->in[0]].layout;
        if (n->op == &ct__op_sync) return CT_OK;
    }
    if (n->op->layout && ask_layout(t, p->list, n, &l, &q)) return (ct_status)t->e->status;
    for (int32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0) continue;
        ct__layout want = q.in ? q.in[i] : follow_wish(&t->val[n->in[i]], blocked);
        if (n->op->update && i < 2 + n->op->update->moments) want = t->val[n->in[0]].layout;
        if ((n->in[i] = converted(p, n->in[i], &want)) < 0) return CT_ELIMIT;
    }
    for (int32_t i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0) continue;
        ct__val *v = &t->val[n->out[i]];
        v->layout = q.out ? q.out[i] : follow_wish(v, blocked);
        if (n->op->update) v->layout = t->val[n->in[0]].layout;
    }
    return CT_OK;
}

ct_status ct__pass_layout(ct__instance *t) {
    uint64_t room = 64;
    ct_status s = fix_homes(t);
    if (s) return s;
    for (int32_t i = 0; i < t->nodes; i++) room += (uint64_t)t->node[i]->n_in + 2;
    room += (uint64_t)t->plan->outs;
    laying p = {.t = t, .list = ct_arena_array(&t->arena, room, sizeof *p.list)};
    t->derived = ct_arena_array(&t->arena, room, sizeof *t->derived);
    t->derived_of = ct_arena_array(&t->arena, room, sizeof *t->derived_of);
    if (!p.list || !t->derived || !t->derived_of) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    for (int32_t i = 0; i < t->nodes; i++) {
        ct__pnode *n = t->node[i];
        s = lay_node(&p, n);
        if (s) return s;
        for (int32_t k = 0; k < n->n_out; k++)
            if (n->out[k] >= 0) t->val[n->out[k]].node = p.n;
        p.list[p.n++] = n;
    }
    for (int32_t i = 0; i < t->plan->outs; i++)
        if ((t->output[i] = converted(&p, t->output[i], &plain)) < 0) return CT_ELIMIT;
    if (!ct__pnode_list(t, p.list, p.n)) return CT_ELIMIT;
    for (int32_t i = 0; i < t->vals; i++) {
        ct__val *v = &t->val[i];
        v->bytes = ct__storage_bytes(&v->layout, &v->concrete);
    }
    ct__count_uses(t);
    return CT_OK;
}
