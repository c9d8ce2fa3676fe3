/* chain.c: runs of elementwise nodes as one pass over tiles in the first-level cache.
 *
 * The pass: a node whose only reader is an elementwise node of the same kind and shape joins that reader's
 * group; what is left is one node per group, with the outside operands as its inputs. The kernel walks the
 * result in tiles of CT__TILE floats; for each tile it brings the operands into registers (pointers to 4 KB
 * pieces: into memory where it is contiguous and aligned, else a copy that broadcasts and converts), runs
 * the functions one after the other, and stores. So a chain of any length reads and writes memory once. */
#include <string.h>

#include "kern/tile.h"
#include "op/common.h"
#include "plan/plan.h"

#define MAX_LOADS 12
#define MAX_INSTR 24
#define MAX_REGISTERS (MAX_LOADS + MAX_INSTR)

typedef struct ct__instr {
    const ct__pnode *node;
    int32_t src[3]; /* registers; -1 none */
    int32_t dst;
} ct__instr;

typedef struct ct__chain {
    ct__instr instr[MAX_INSTR];
    int32_t n_instr, n_loads; /* registers 0..n_loads-1 are the node's inputs */
} ct__chain;

/* ---- the pass ---- */

static int elementwise(const ct__pnode *n) { return n->op->tile && n->n_out == 1 && n->n_in <= 3; }

static int32_t load_of(ct__chain *c, int32_t *in, int32_t value) {
    for (int32_t i = 0; i < c->n_loads; i++)
        if (in[i] == value) return i;
    if (c->n_loads == MAX_LOADS) return -1;
    in[c->n_loads] = value;
    return c->n_loads++;
}

typedef struct grouping {
    ct__instance *t;
    ct__chain chain;
    int32_t in[MAX_LOADS];
    int32_t open_instr, open_loads; /* what the nodes that wait for their inputs will take at most */
} grouping;

static int same_form(const ct__val *a, const ct__val *b) {
    return ct_shape_equal(&a->concrete.shape, &b->concrete.shape) && a->layout.kind == b->layout.kind &&
           a->place == b->place;
}

/* May the producer of value v be computed inside n's group? */
static ct__pnode *joinable(const ct__instance *t, const ct__pnode *n, int32_t v, int32_t root_value) {
    ct__pnode *p = t->val[v].node >= 0 ? t->node[t->val[v].node] : NULL;
    if (!p || t->val[v].uses != 1 || !elementwise(p) || p->kind != n->kind || p->dead || p->chain)
        return NULL;
    if (t->val[v].type.dtype != CT_F32 && t->val[v].type.dtype != CT_BOOL) return NULL;
    return same_form(&t->val[v], &t->val[root_value]) ? p : NULL;
}

static int has_room(const grouping *g, const ct__pnode *p) {
    return g->chain.n_instr + g->open_instr < MAX_INSTR - 4 &&
           g->chain.n_loads + g->open_loads + p->n_in <= MAX_LOADS;
}

/* Instructions for n (inputs first); returns its register. A producer that the group has no room for stays a node. */
static int32_t emit(grouping *g, ct__pnode *n, int32_t root_value, int allow) {
    int32_t src[3] = {-1, -1, -1};
    g->open_instr++;
    g->open_loads += n->n_in;
    for (int32_t i = 0; i < n->n_in; i++) {
        g->open_loads--;
        if (n->in[i] < 0) continue;
        ct__pnode *p = allow ? joinable(g->t, n, n->in[i], root_value) : NULL;
        if (p && has_room(g, p)) {
            src[i] = emit(g, p, root_value, 1);
            p->dead = 1;
        } else {
            src[i] = load_of(&g->chain, g->in, n->in[i]);
        }
    }
    g->open_instr--;
    ct__instr *k = &g->chain.instr[g->chain.n_instr];
    *k = (ct__instr){n, {src[0], src[1], src[2]}, MAX_LOADS + g->chain.n_instr};
    g->chain.n_instr++;
    return k->dst;
}

static ct_status make_group(ct__instance *t, ct__pnode *n) {
    grouping g = {.t = t};
    emit(&g, n, n->out[0], !t->plan->options.no_fuse);
    ct__chain *c = ct_arena_new(&t->arena, sizeof *c);
    int32_t *in = ct_arena_array(&t->arena, (uint64_t)g.chain.n_loads + 2, sizeof *in);
    if (!c || !in) return ct_fail(t->e, CT_ELIMIT, "plan: out of memory");
    *c = g.chain;
    memcpy(in, g.in, (size_t)c->n_loads * sizeof *in);
    in[c->n_loads] = n->out[0];
    n->in = in;
    n->n_in = c->n_loads;
    n->out = in + c->n_loads;
    n->chain = c;
    return CT_OK;
}

ct_status ct__pass_chain(ct__instance *t) {
    for (int32_t i = t->nodes - 1; i >= 0; i--) {
        ct__pnode *n = t->node[i];
        if (n->dead || !elementwise(n) || n->chain) continue;
        ct_status s = make_group(t, n);
        if (s) return s;
    }
    if (!ct__pnode_list(t, t->node, t->nodes)) return CT_ELIMIT;
    ct__count_uses(t);
    return CT_OK;
}

/* ---- the kernel ---- */

typedef enum load_mode { LOAD_FULL, LOAD_SPLAT, LOAD_WALK } load_mode;
typedef struct load { /* how one operand comes into a tile */
    int32_t mode, dtype;
    int32_t rank;
    int32_t reserved;
    int64_t dim[CT_MAX_RANK], stride[CT_MAX_RANK]; /* WALK: the result's extents, the operand's strides */
} load;

typedef struct instr {
    ct__tile_fn fn;
    int32_t src[3], dst;
    float p[4];
} instr;

typedef struct chain_data {
    int64_t count, piece; /* elements of the result, of one task */
    int32_t n_loads, n_instr, out_dtype, reserved;
    load load[MAX_LOADS];
    instr instr[MAX_INSTR];
} chain_data;

static float element(const void *p, int32_t dtype, int64_t i) {
    if (dtype == CT_F32) return ((const float *)p)[i];
    if (dtype == CT_BOOL) return ((const uint8_t *)p)[i] ? 1.0f : 0.0f;
    if (dtype == CT_I64) return (float)((const int64_t *)p)[i];
    return (float)((const int32_t *)p)[i];
}

static void load_line(float *dst, const void *p, int32_t dtype, int64_t at, int64_t step, int64_t n) {
    if (dtype == CT_F32 && step == 1) {
        memcpy(dst, (const float *)p + at, (size_t)n * sizeof *dst);
    } else if (step == 0) {
        float v = element(p, dtype, at);
        for (int64_t i = 0; i < n; i++) dst[i] = v;
    } else {
        for (int64_t i = 0; i < n; i++) dst[i] = element(p, dtype, at + i * step);
    }
}

/* Elements begin..begin+n-1 of the result, read through the operand's strides. */
static void load_walk(const load *l, float *dst, const void *p, int64_t begin, int64_t n) {
    int64_t index[CT_MAX_RANK], rest = begin, at = 0;
    for (int32_t d = l->rank - 1; d >= 0; d--) {
        index[d] = rest % l->dim[d];
        rest /= l->dim[d];
        at += index[d] * l->stride[d];
    }
    for (int64_t i = 0; i < n;) {
        int32_t d = l->rank - 1;
        int64_t run = l->dim[d] - index[d] < n - i ? l->dim[d] - index[d] : n - i;
        load_line(dst + i, p, l->dtype, at, l->stride[d], run);
        i += run;
        at += run * l->stride[d];
        index[d] += run;
        for (; d > 0 && index[d] == l->dim[d]; d--) {
            at += l->stride[d - 1] - l->dim[d] * l->stride[d];
            index[d] = 0;
            index[d - 1]++;
        }
    }
}

static int usable(const void *p, int64_t begin, int64_t n) {
    return (((uintptr_t)p + (uintptr_t)begin * 4) & 63) == 0 && n % 16 == 0;
}

static const float *bring(const load *l, const void *p, float *tile, int64_t begin, int64_t n) {
    if (l->mode == LOAD_FULL && l->dtype == CT_F32 && usable(p, begin, n)) return (const float *)p + begin;
    if (l->mode == LOAD_FULL) load_line(tile, p, l->dtype, begin, 1, n);
    if (l->mode == LOAD_WALK) load_walk(l, tile, p, begin, n);
    return tile;
}

/* Towards zero; NaN is 0, what does not fit the nearest that does. limit: 2^63 or 2^31, which floats hold. */
static int64_t to_integer(float v, float limit) {
    if (!(v > -limit)) return v <= -limit ? -(int64_t)(limit / 2) * 2 : 0;
    return v >= limit ? (int64_t)(limit / 2) - 1 + (int64_t)(limit / 2) : (int64_t)v;
}

static void store(int32_t dtype, void *out, const float *tile, int64_t begin, int64_t n) {
    if (dtype == CT_F32)
        memcpy((float *)out + begin, tile, (size_t)n * sizeof *tile);
    else if (dtype == CT_BOOL)
        for (int64_t i = 0; i < n; i++) ((uint8_t *)out)[begin + i] = tile[i] != 0;
    else if (dtype == CT_I64)
        for (int64_t i = 0; i < n; i++) ((int64_t *)out)[begin + i] = to_integer(tile[i], 0x1p63f);
    else
        for (int64_t i = 0; i < n; i++) ((int32_t *)out)[begin + i] = (int32_t)to_integer(tile[i], 0x1p31f);
}

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const chain_data *d = data;
    float *scratch = x->scratch;
    const float *reg[MAX_REGISTERS] = {0};
    void *out = arg[d->n_loads];
    int64_t first = d->piece ? x->task * d->piece : 0,
            end = d->piece && first + d->piece < d->count ? first + d->piece : d->count;
    for (int32_t i = 0; i < d->n_loads; i++)
        if (d->load[i].mode == LOAD_SPLAT) {
            reg[i] = scratch + i * CT__TILE;
            load_line(scratch + i * CT__TILE, arg[i], d->load[i].dtype, 0, 0, CT__TILE);
        }
    for (int64_t begin = first; begin < end; begin += CT__TILE) {
        int64_t n = end - begin < CT__TILE ? end - begin : CT__TILE, n16 = (n + 15) / 16 * 16;
        for (int32_t i = 0; i < d->n_loads; i++)
            if (d->load[i].mode != LOAD_SPLAT)
                reg[i] = bring(&d->load[i], arg[i], scratch + i * CT__TILE, begin, n);
        int direct = d->out_dtype == CT_F32 && usable(out, begin, n);
        for (int32_t k = 0; k < d->n_instr; k++) {
            const instr *s = &d->instr[k];
            float *dst = k == d->n_instr - 1 && direct ? (float *)out + begin : scratch + s->dst * CT__TILE;
            s->fn(dst, s->src[0] >= 0 ? reg[s->src[0]] : NULL, s->src[1] >= 0 ? reg[s->src[1]] : NULL,
                  s->src[2] >= 0 ? reg[s->src[2]] : NULL, n16, s->p);
            reg[s->dst] = dst;
        }
        if (!direct) store(d->out_dtype, out, reg[d->instr[d->n_instr - 1].dst], begin, n);
    }
    return CT_OK;
}

/* ---- lowering ---- */

/* Strides of the operand against the result's axes; neighbouring axes that walk as one are merged. */
static void plan_walk(load *l, const ct_shape *out, const ct_shape *in) {
    int64_t stride[CT_MAX_RANK] = {0}, step = 1;
    for (int32_t k = 1; k <= in->rank; k++) {
        int64_t extent = in->dim[in->rank - k];
        stride[out->rank - k] = extent == 1 ? 0 : step;
        step *= extent;
    }
    l->rank = 0;
    for (int32_t d = 0; d < out->rank; d++) {
        if (out->dim[d] == 1) continue;
        int32_t last = l->rank - 1;
        if (last >= 0 && l->stride[last] == stride[d] * out->dim[d]) {
            l->dim[last] *= out->dim[d];
            l->stride[last] = stride[d];
        } else {
            l->dim[l->rank] = out->dim[d];
            l->stride[l->rank++] = stride[d];
        }
    }
}

static void plan_load(load *l, const ct__type *in, const ct__type *out) {
    l->dtype = in->dtype;
    l->mode = LOAD_WALK;
    if (ct__count(&in->shape) == 1)
        l->mode = LOAD_SPLAT;
    else if (ct__count(&in->shape) == ct__count(&out->shape))
        l->mode = LOAD_FULL;
    if (l->mode == LOAD_WALK) plan_walk(l, &out->shape, &in->shape);
}

#define PIECE 32768

ct_status ct__chain_lower(ct__instance *t, const ct__pnode *n, int ragged, ct__lower *l) {
    chain_data *d = CT__DATA(l, chain_data);
    (void)ragged;
    if (!d) return CT_ELIMIT;
    const ct__val *o = &t->val[n->out[0]];
    d->count = ct__count(&l->out[0].shape);
    if (o->layout.kind != CT__PLAIN) { /* storage order: padding included */
        int64_t rows = o->concrete.shape.rank && o->concrete.shape.dim[0] ? o->concrete.shape.dim[0] : 1;
        d->count = o->layout.kind == CT__BLOCKED ? (int64_t)(o->bytes / 4) / rows * l->out[0].shape.dim[0]
                                                 : (int64_t)(o->bytes / 4);
    }
    d->piece = n->kind == CT__PIECE ? PIECE : 0;
    d->n_loads = n->chain->n_loads;
    d->n_instr = n->chain->n_instr;
    d->out_dtype = l->out[0].dtype;
    for (int32_t i = 0; i < d->n_loads; i++) plan_load(&d->load[i], &l->in[i], &l->out[0]);
    for (int32_t k = 0; k < d->n_instr; k++) {
        const ct__instr *s = &n->chain->instr[k];
        instr *to = &d->instr[k];
        to->fn = (ct__tile_fn)s->node->op->tile(t->simd, s->node->attr, to->p);
        memcpy(to->src, s->src, sizeof to->src);
        to->dst = s->dst;
    }
    l->run = run;
    l->data = d;
    l->impl = "tiles";
    l->scratch = (uint64_t)MAX_REGISTERS * CT__TILE * sizeof(float);
    l->flops = (double)d->count * d->n_instr;
    return CT_OK;
}
