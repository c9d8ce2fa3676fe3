/* Scaled dot-product attention (Vaswani et al. 2017; PyTorch's scaled_dot_product_attention) as one op.
 *
 *     q [N,H,T,D], k [N,G,S,D], v [N,G,S,E], mask: bool (1: may be seen) or f32 (added), broadcast to [N,H,T,S]
 *     p = softmax(scale q k' + mask),  y = p v  [N,H,T,E];  causal: query i sees keys 0..i
 *     G divides H: each key head serves H/G query heads.  scale 0: 1/sqrt(D)
 *     dv = p' dy,  ds = scale p (dy v' - sum of dy y),  dq = ds k,  dk = ds' q
 *
 * Queries go in blocks of 64 against all keys they may see; the probabilities of a block live in scratch and
 * are made again in the backward pass from the row's log-sum-exp. */
#include <stdlib.h>

#include "kern/gemm.h"
#include "kern/row.h"
#include "op/common.h"

static const ct__attr attrs[] = {
    OPT_INT(ct_attend, causal, 0, 0, 1, "1: a query sees the keys up to its own place"),
    OPT_FLOAT(ct_attend, scale, 0, 0, 1e30, "factor of the products; 0: 1/sqrt(D)"),
    {0},
};
enum { CAUSAL, SCALE };
enum { Q, K, V };
#define BLOCK 64

/* ---- shapes ---- */
static int has_mask(int32_t n_in, const ct__type *in, int32_t at) { return n_in > at && in[at].dtype != 0; }

static ct_status infer_mask(const ct__infer *f) {
    char text[CT_SHAPE_TEXT], wanted[CT_SHAPE_TEXT];
    ct_shape full = f->in[Q].shape, both;
    full.dim[3] = f->in[K].shape.dim[2];
    if (f->in[3].dtype != CT_F32 && f->in[3].dtype != CT_BOOL)
        return ct__infer_fail(f, "the mask is %s; wanted bool or f32",
                              ct_dtype_name((ct_dtype)f->in[3].dtype));
    if (!ct__broadcast(&f->in[3].shape, &full, &both) || !ct_shape_equal(&both, &full))
        return ct__infer_fail(f, "the mask is %s; wanted one that broadcasts to %s",
                              ct_shape_format(&f->in[3].shape, text), ct_shape_format(&full, wanted));
    return CT_OK;
}
static ct_status infer(ct__infer *f) {
    char q[CT_SHAPE_TEXT], k[CT_SHAPE_TEXT], v[CT_SHAPE_TEXT];
    for (int32_t i = 0; i < 3; i++)
        if (ct__infer_dtype(f, i, CT_F32) || ct__infer_rank(f, i, 4, 4)) return CT_EUSAGE;
    const ct_shape *a = &f->in[Q].shape, *b = &f->in[K].shape, *c = &f->in[V].shape;
    int fixed = 1;
    for (int32_t i = 1; i < 4; i++) fixed &= a->dim[i] >= 1 && b->dim[i] >= 1 && c->dim[i] >= 1;
    if (!fixed || a->dim[0] != b->dim[0] || b->dim[0] != c->dim[0] || b->dim[1] != c->dim[1] ||
        b->dim[2] != c->dim[2] || a->dim[3] != b->dim[3] || a->dim[1] % b->dim[1])
        return ct__infer_fail(
            f, "q is %s, k %s, v %s; wanted q [N,H,T,D], k [N,G,S,D], v [N,G,S,E] with G a divisor of H",
            ct_shape_format(a, q), ct_shape_format(b, k), ct_shape_format(c, v));
    if (has_mask(f->n_in, f->in, 3) && infer_mask(f)) return CT_EUSAGE;
    f->out[0] = f->in[Q];
    f->out[0].shape.dim[3] = c->dim[3];
    return CT_OK;
}
/* attend: the same with the log-sum-exp of each query's row [N,H,T], kept for the gradient */
static ct_status attend_infer(ct__infer *f) {
    ct_status s = infer(f);
    f->n_out = 2;
    f->out[1] = f->in[Q];
    f->out[1].shape.dim[--f->out[1].shape.rank] = 0;
    return s;
}
/* attention_grad(dy, y, lse, q, k, v, mask or none) -> dq, dk, dv */
static ct_status grad_infer(ct__infer *f) {
    f->n_out = 3;
    for (int32_t i = 0; i < 3; i++) f->out[i] = f->in[3 + i];
    return CT_OK;
}

static int batch(ct__batch *b) { /* q, k and v are cut together; a mask with rows of its own too */
    uint8_t first = b->in_place[0];
    for (int32_t i = 0; i < b->n_in; i++)
        if (ct__batch_axis(&b->in[i].shape) > 0 ||
            (ct__batch_axis(&b->in[i].shape) == 0 && b->in_place[i] != first))
            return 0;
    return ct__batch_rows(b);
}

/* ---- gradient ---- */
extern const ct__op ct__op_attend, ct__op_attention_grad;

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_t all[4] = {in[Q], in[K], in[V], node->n_in > 3 ? in[3] : ct__none()};
    (void)g;
    (void)train;
    out[0] = ct__make(&ct__op_attend, all, 4, node->attr);
    return 1;
}

static double scale_of(const ct__value *attr, double depth) {
    return attr[SCALE].f > 0 ? attr[SCALE].f : 1 / sqrt(depth);
}

/* Key heads repeated for the query heads they serve; and the sum back. */
static ct_t spread_heads(ct_t x, int64_t heads) {
    ct_shape s = ct_shape_of(x);
    int64_t n = s.dim[0], g = s.dim[1], t = s.dim[2], d = s.dim[3];
    if (g == heads) return x;
    x = ct_expand(ct_reshape(x, CT_SHAPE(n, g, 1, t, d)), CT_SHAPE(n, g, heads / g, t, d));
    return ct_reshape(x, CT_SHAPE(n, heads, t, d));
}
static ct_t gather_heads(ct_t x, int64_t groups) {
    ct_shape s = ct_shape_of(x);
    int64_t n = s.dim[0], h = s.dim[1], t = s.dim[2], d = s.dim[3];
    if (h == groups) return x;
    return ct_sum(ct_reshape(x, CT_SHAPE(n, groups, h / groups, t, d)), CT_SHAPE(2), (ct_reduce){0});
}
static ct_t causal_mask(ct_graph *g, int64_t t, int64_t s) {
    float *m = ct_new_array(&g->ctx->allocator, (uint64_t)(t * s), sizeof *m);
    for (int64_t i = 0; m && i < t * s; i++) m[i] = i % s > i / s ? -1e30f : 0;
    ct_t mask = ct_constant(g, CT_F32, CT_SHAPE(t, s), m);
    ct_delete(&g->ctx->allocator, m, (size_t)(t * s) * sizeof *m);
    return mask;
}

typedef struct parts { /* the op in elementary ones */
    ct_t p, ds;        /* [N,H,T,S]; ds without the scale */
} parts;
static parts compose(ct_graph *g, const ct__value *attr, ct_t q, ct_t k, ct_t v, ct_t mask, ct_t dy) {
    ct_shape s = ct_shape_of(q);
    ct_t kk = spread_heads(k, s.dim[1]), vv = spread_heads(v, s.dim[1]);
    ct_t scores = ct_mul_scalar(ct_matmul(q, ct_transpose(kk, 2, 3)), scale_of(attr, (double)s.dim[3]));
    if (mask.node)
        scores =
            ct_dtype_of(mask) == CT_BOOL ? ct_where(mask, scores, ct_number(g, -1e30)) : ct_add(scores, mask);
    if (attr[CAUSAL].i) scores = ct_add(scores, causal_mask(g, s.dim[2], ct_shape_of(k).dim[2]));
    ct_t p = ct_softmax(scores, -1), dp = ct_matmul(dy, ct_transpose(vv, 2, 3));
    return (parts){p, ct_mul(p, ct_sub(dp, ct_sum(ct_mul(p, dp), CT_SHAPE(-1), (ct_reduce){.keep = 1})))};
}

static void grad(ct__grad *g) {
    ct_t mask = g->n_in > 3 ? g->in[3] : ct__none();
    if (!g->dout[0].node) return;
    ct_t in[7] = {g->dout[0], g->out[0], g->out[1], g->in[Q], g->in[K], g->in[V], mask};
    ct_t dq = ct__make(&ct__op_attention_grad, in, 7, g->attr);
    for (int32_t i = 0; i < 3; i++) g->din[i] = ct__output(dq, i);
    if (mask.node && g->need[3])
        g->din[3] = compose(g->graph, g->attr, g->in[Q], g->in[K], g->in[V], mask, g->dout[0]).ds;
}
static int grad_compose(ct_graph *g, ct_node *node, const ct_t *in, ct_t *out) {
    ct_t dy = in[0], q = in[3], k = in[4], v = in[5], mask = node->n_in > 6 ? in[6] : ct__none();
    ct_shape s = ct_shape_of(q);
    parts c = compose(g, node->attr, q, k, v, mask, dy);
    ct_t ds = ct_mul_scalar(c.ds, scale_of(node->attr, (double)s.dim[3]));
    int64_t groups = ct_shape_of(k).dim[1];
    out[0] = ct_matmul(ds, spread_heads(k, s.dim[1]));
    out[1] = gather_heads(ct_matmul(ct_transpose(ds, 2, 3), q), groups);
    out[2] = gather_heads(ct_matmul(ct_transpose(c.p, 2, 3), dy), groups);
    return 1;
}

/* ---- kernels ---- */
typedef struct attention {
    int64_t n, h, g, t, s, d, e;
    int64_t mask_stride[4]; /* of n, h, t, s, in elements */
    float scale;
    int32_t causal, mask; /* mask: 0, CT_F32 or CT_BOOL */
    int32_t reserved;
    uint64_t gemm_at; /* in scratch */
    const ct__row_table *row;
    void (*gemm)(const ct__gemm *g, const float *a, const float *b, const float *bias, float *c,
                 void *scratch);
} attention;

typedef struct block {         /* up to 64 queries of one head */
    int64_t first, rows, keys; /* keys: that any of them may see */
} block;
static block block_at(const attention *a, int64_t first) {
    block b = {first, a->t - first < BLOCK ? a->t - first : BLOCK, a->s};
    if (a->causal && first + b.rows < b.keys) b.keys = first + b.rows;
    return b;
}

/* The mask of query i of head h of sample n as a row of S, or NULL; a row that does not lie in steps of one is
 * gathered into `space`. */
static const void *mask_row(const attention *a, const void *mask, int64_t n, int64_t h, int64_t i,
                            int64_t keys, void *space) {
    int64_t at = n * a->mask_stride[0] + h * a->mask_stride[1] + i * a->mask_stride[2],
            step = a->mask_stride[3];
    if (!a->mask) return NULL;
    if (a->mask == CT_F32) {
        const float *m = (const float *)mask + at;
        for (int64_t k = 0; step != 1 && k < keys; k++) ((float *)space)[k] = m[k * step];
        return step == 1 ? m : space;
    }
    const uint8_t *m = (const uint8_t *)mask + at;
    for (int64_t k = 0; step != 1 && k < keys; k++) ((uint8_t *)space)[k] = m[k * step];
    return step == 1 ? m : space;
}

/* What a row of a block may see of its keys: the others are zeros. */
static int64_t seen(const attention *a, const block *b, int64_t r) {
    return a->causal && b->first + r + 1 < b->keys ? b->first + r + 1 : b->keys;
}

static void products(const attention *a, const block *b, const float *q, const float *k, int64_t depth,
                     float *out, void *scratch) {
    ct__gemm g = {.m = b->rows,
                  .n = b->keys,
                  .k = depth,
                  .a_row = depth,
                  .a_col = 1,
                  .b_row = 1,
                  .b_col = depth,
                  .c_row = a->s};
    a->gemm(&g, q + b->first * depth, k, NULL, out, scratch);
}

typedef struct operands {
    const float *q, *k, *v;
    const void *mask;
    char *scratch;
} operands;

/* p [rows, keys] of a block; lse written (known 0) or read (1). */
static void probabilities(const attention *a, const operands *o, const block *b, int64_t n, int64_t h,
                          float *p, float *lse, int known) {
    int64_t key_head = n * a->g + h / (a->h / a->g);
    void *space = o->scratch + a->gemm_at;
    products(a, b, o->q + (n * a->h + h) * a->t * a->d, o->k + key_head * a->s * a->d, a->d, p,
             o->scratch + a->gemm_at + (uint64_t)a->s * 4 + 64);
    for (int64_t r = 0; r < b->rows; r++) {
        float *row = p + r * a->s;
        int64_t keys = seen(a, b, r);
        const void *m = mask_row(a, o->mask, n, h, b->first + r, keys, space);
        const uint8_t *allowed = a->mask == CT_BOOL ? m : NULL;
        const float *added = a->mask == CT_F32 ? m : NULL;
        if (known)
            a->row->attend_again(keys, a->scale, allowed, added, lse[b->first + r], row);
        else
            a->row->attend(keys, a->scale, allowed, added, row, &lse[b->first + r]);
        if (keys < b->keys) memset(row + keys, 0, (size_t)(b->keys - keys) * sizeof *row);
    }
}

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const attention *a = data;
    operands o = {arg[Q], arg[K], arg[V], arg[3], x->scratch};
    float *p = x->scratch, *y = arg[4], *lse = arg[5];
    for (int64_t head = 0; head < a->n * a->h; head++)
        for (int64_t i = 0; i < a->t; i += BLOCK) {
            int64_t n = head / a->h, h = head % a->h, key_head = n * a->g + h / (a->h / a->g);
            block b = block_at(a, i);
            float space[BLOCK];
            float *sums = lse ? lse + head * a->t : space - i;
            probabilities(a, &o, &b, n, h, p, sums, 0);
            ct__gemm g = {.m = b.rows,
                          .n = a->e,
                          .k = b.keys,
                          .a_row = a->s,
                          .a_col = 1,
                          .b_row = a->e,
                          .b_col = 1,
                          .c_row = a->e};
            a->gemm(&g, p, o.v + key_head * a->s * a->e, NULL, y + (head * a->t + i) * a->e,
                    (char *)x->scratch + a->gemm_at + (uint64_t)a->s * 4 + 64);
        }
    return CT_OK;
}

typedef struct gradients {
    const float *dy, *y;
    float *lse;          /* only read */
    float *dq, *dk, *dv; /* NULL: not wanted */
} gradients;

static void block_grad(const attention *a, const operands *o, const gradients *d, const block *b, int64_t n,
                       int64_t h, float *p, float *ds) {
    int64_t head = n * a->h + h, key_head = n * a->g + h / (a->h / a->g), first = head * a->t + b->first;
    const float *dy = d->dy + first * a->e, *y = d->y + first * a->e;
    void *scratch = o->scratch + a->gemm_at + (uint64_t)a->s * 4 + 64;
    probabilities(a, o, b, n, h, p, d->lse + head * a->t, 1);
    if (d->dv) {
        ct__gemm g = {.m = b->keys,
                      .n = a->e,
                      .k = b->rows,
                      .a_row = 1,
                      .a_col = a->s,
                      .b_row = a->e,
                      .b_col = 1,
                      .c_row = a->e,
                      .accumulate = 1};
        a->gemm(&g, p, dy, NULL, d->dv + key_head * a->s * a->e, scratch);
    }
    products(a, b, d->dy + head * a->t * a->e, o->v + key_head * a->s * a->e, a->e, ds, scratch);
    for (int64_t r = 0; r < b->rows; r++) {
        double delta = 0;
        for (int64_t c = 0; c < a->e; c++) delta += (double)dy[r * a->e + c] * (double)y[r * a->e + c];
        a->row->attend_grad(b->keys, a->scale, p + r * a->s, (float)delta, ds + r * a->s);
    }
    if (d->dq) {
        ct__gemm g = {.m = b->rows,
                      .n = a->d,
                      .k = b->keys,
                      .a_row = a->s,
                      .a_col = 1,
                      .b_row = a->d,
                      .b_col = 1,
                      .c_row = a->d};
        a->gemm(&g, ds, o->k + key_head * a->s * a->d, NULL, d->dq + first * a->d, scratch);
    }
    if (d->dk) {
        ct__gemm g = {.m = b->keys,
                      .n = a->d,
                      .k = b->rows,
                      .a_row = 1,
                      .a_col = a->s,
                      .b_row = a->d,
                      .b_col = 1,
                      .c_row = a->d,
                      .accumulate = 1};
        a->gemm(&g, ds, o->q + first * a->d, NULL, d->dk + key_head * a->s * a->d, scratch);
    }
}

static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const attention *a = data;
    operands o = {arg[3], arg[4], arg[5], arg[6], x->scratch};
    gradients d = {arg[0], arg[1], arg[2], arg[7], arg[8], arg[9]};
    float *p = x->scratch, *ds = p + BLOCK * a->s;
    if (d.dk) memset(d.dk, 0, (size_t)(a->n * a->g * a->s * a->d) * sizeof(float));
    if (d.dv) memset(d.dv, 0, (size_t)(a->n * a->g * a->s * a->e) * sizeof(float));
    for (int64_t head = 0; head < a->n * a->h; head++)
        for (int64_t i = 0; i < a->t; i += BLOCK) {
            block b = block_at(a, i);
            block_grad(a, &o, &d, &b, head / a->h, head % a->h, p, ds);
        }
    return CT_OK;
}

/* The greatest scratch of the five products; extents at most those of a whole block. */
static uint64_t gemm_scratch(const attention *a) {
    int64_t deep = a->d > a->e ? a->d : a->e;
    ct__gemm g[3] = {{.m = BLOCK,
                      .n = a->s,
                      .k = deep,
                      .a_row = deep,
                      .a_col = 1,
                      .b_row = 1,
                      .b_col = deep,
                      .c_row = a->s},
                     {.m = BLOCK,
                      .n = deep,
                      .k = a->s,
                      .a_row = a->s,
                      .a_col = 1,
                      .b_row = deep,
                      .b_col = 1,
                      .c_row = deep},
                     {.m = a->s,
                      .n = deep,
                      .k = BLOCK,
                      .a_row = 1,
                      .a_col = a->s,
                      .b_row = deep,
                      .b_col = 1,
                      .c_row = deep,
                      .accumulate = 1}};
    uint64_t most = 0;
    for (int i = 0; i < 3; i++)
        if (ct__gemm_scratch(&g[i]) > most) most = ct__gemm_scratch(&g[i]);
    return most;
}

static ct_status lower_with(ct__lower *l, ct__kernel kernel, int32_t q, int32_t buffers) {
    attention *a = CT__DATA(l, attention);
    if (!a) return CT_ELIMIT;
    const ct_shape *sq = &l->in[q].shape, *sk = &l->in[q + 1].shape, *sv = &l->in[q + 2].shape;
    *a = (attention){.n = sq->dim[0],
                     .h = sq->dim[1],
                     .g = sk->dim[1],
                     .t = sq->dim[2],
                     .s = sk->dim[2],
                     .d = sq->dim[3],
                     .e = sv->dim[3],
                     .scale = (float)scale_of(l->attr, (double)sq->dim[3]),
                     .causal = (int32_t)l->attr[CAUSAL].i,
                     .row = l->simd->row,
                     .gemm = l->simd->gemm->run};
    if (has_mask(l->n_in, l->in, q + 3)) {
        const ct_shape *m = &l->in[q + 3].shape;
        int64_t step = 1;
        a->mask = l->in[q + 3].dtype;
        for (int32_t i = 1; i <= m->rank; i++) {
            a->mask_stride[4 - i] = m->dim[m->rank - i] == 1 ? 0 : step;
            step *= m->dim[m->rank - i];
        }
    }
    a->gemm_at = ((uint64_t)buffers * BLOCK * (uint64_t)a->s * sizeof(float) + 63) / 64 * 64;
    l->scratch = a->gemm_at + (uint64_t)a->s * 4 + 64 + gemm_scratch(a) + 64;
    l->run = kernel;
    l->data = a;
    l->impl = "blocks";
    l->flops = 2.0 * (double)(a->n * a->h * a->t) * (double)a->s * (double)(a->d + a->e) *
               (buffers == 2 ? 2.5 : 1) * (a->causal ? 0.5 : 1);
    return CT_OK;
}
static ct_status lower(ct__lower *l) { return lower_with(l, run, Q, 1); }
static ct_status grad_lower(ct__lower *l) { return lower_with(l, run_grad, 3, 2); }

/* ---- references ---- */
typedef struct ref_head {
    const ct__ref *r;
    const ct__ref_array *q, *k, *v, *mask;
    int64_t n, h, key_head;
} ref_head;

static ref_head head_of(const ct__ref *r, int32_t q, int64_t head) {
    int64_t heads = r->in[q].shape.dim[1], groups = r->in[q + 1].shape.dim[1], n = head / heads,
            h = head % heads;
    return (ref_head){r,
                      &r->in[q],
                      &r->in[q + 1],
                      &r->in[q + 2],
                      r->n_in > q + 3 && r->in[q + 3].present ? &r->in[q + 3] : NULL,
                      n,
                      h,
                      n * groups + h / (heads / groups)};
}
/* log of the sum of query i; p[j], NULL: not wanted */
static double ref_row(const ref_head *a, int64_t i, double *p) {
    int64_t t = a->q->shape.dim[2], s = a->k->shape.dim[2], d = a->q->shape.dim[3], stride[CT_MAX_RANK];
    int64_t heads = a->q->shape.dim[1];
    const double *q = a->q->v + ((a->n * heads + a->h) * t + i) * d;
    double max = -INFINITY, sum = 0;
    if (a->mask) ct__ref_strides(a->mask, 4, stride);
    for (int64_t j = 0; j < s; j++) {
        double x = 0,
               m = a->mask ? a->mask->v[a->n * stride[0] + a->h * stride[1] + i * stride[2] + j * stride[3]]
                           : 0;
        for (int64_t c = 0; c < d; c++) x += q[c] * a->k->v[(a->key_head * s + j) * d + c];
        x = x * scale_of(a->r->attr, (double)d) + (a->mask && a->mask->dtype == CT_F32 ? m : 0);
        if ((a->r->attr[CAUSAL].i && j > i) || (a->mask && a->mask->dtype == CT_BOOL && m == 0))
            x = -INFINITY;
        p[j] = x;
        max = fmax(max, x);
    }
    for (int64_t j = 0; j < s; j++) sum += p[j] = isfinite(max) ? exp(p[j] - max) : 0;
    for (int64_t j = 0; j < s && sum > 0; j++) p[j] /= sum;
    return sum > 0 ? max + log(sum) : -INFINITY;
}

static void ref(ct__ref *r) {
    int64_t heads = r->in[Q].shape.dim[0] * r->in[Q].shape.dim[1], t = r->in[Q].shape.dim[2],
            s = r->in[K].shape.dim[2], e = r->in[V].shape.dim[3];
    double *p = calloc((size_t)s + 1, sizeof *p);
    for (int64_t head = 0; p && head < heads; head++) {
        ref_head a = head_of(r, Q, head);
        for (int64_t i = 0; i < t; i++) {
            double lse = ref_row(&a, i, p);
            if (r->n_out > 1) r->out[1].v[head * t + i] = lse;
            for (int64_t j = 0; j < s; j++)
                for (int64_t c = 0; c < e; c++)
                    r->out[0].v[(head * t + i) * e + c] += p[j] * a.v->v[(a.key_head * s + j) * e + c];
        }
    }
    free(p);
}

static void grad_ref(ct__ref *r) {
    int64_t heads = r->in[3].shape.dim[0] * r->in[3].shape.dim[1], t = r->in[3].shape.dim[2],
            s = r->in[4].shape.dim[2];
    int64_t d = r->in[3].shape.dim[3], e = r->in[5].shape.dim[3];
    double *p = calloc((size_t)s + 1, sizeof *p), scale = scale_of(r->attr, (double)d);
    for (int64_t row = 0; p && row < heads * t; row++) {
        ref_head a = head_of(r, 3, row / t);
        const double *dy = r->in[0].v + row * e, *q = r->in[3].v + row * d;
        double sum = 0;
        ref_row(&a, row % t, p);
        for (int pass = 0; pass < 2; pass++)
            for (int64_t j = 0; j < s; j++) {
                double dp = 0, *dk = r->out[1].v + (a.key_head * s + j) * d,
                       *dv = r->out[2].v + (a.key_head * s + j) * e;
                for (int64_t c = 0; c < e; c++) dp += dy[c] * a.v->v[(a.key_head * s + j) * e + c];
                if (pass == 0) {
                    sum += p[j] * dp;
                    continue;
                }
                double ds = scale * p[j] * (dp - sum);
                for (int64_t c = 0; c < d; c++) {
                    r->out[0].v[row * d + c] += ds * a.k->v[(a.key_head * s + j) * d + c];
                    dk[c] += ds * q[c];
                }
                for (int64_t c = 0; c < e; c++) dv[c] += p[j] * dy[c];
            }
    }
    free(p);
}

static const ct__case cases[] = {
    {.text = "q=f32[N,2,3,4]; k=f32[N,2,3,4]; v=f32[N,2,3,4]; attention(q, k, v)", .flags = CT__CASE_SECOND},
    {.text = "q=f32[N,2,3,4]; k=f32[N,2,3,4]; v=f32[N,2,3,4]; attention(q, k, v, causal=1)",
     .flags = CT__CASE_SECOND},
    {.text = "q=f32[N,1,5,8]; k=f32[N,1,7,8]; v=f32[N,1,7,3]; attention(q, k, v)"},
    {.text = "q=f32[N,4,5,4]; k=f32[N,2,6,4]; v=f32[N,2,6,5]; attention(q, k, v, scale=0.3)",
     .flags = CT__CASE_SECOND},
    {.text = "q=f32[N,4,4,4]; k=f32[N,1,4,4]; v=f32[N,1,4,4]; attention(q, k, v, causal=1)"},
    {.text = "q=f32[N,2,3,4]; k=f32[N,2,5,4]; v=f32[N,2,5,4]; m=f32[3,5]; attention(q, k, v, m)",
     .flags = CT__CASE_SECOND},
    {.text = "q=f32[N,2,3,4]; k=f32[N,2,5,4]; v=f32[N,2,5,4]; m=f32[N,1,1,5]; attention(q, k, v, m)"},
    {.text = "q=f32[N,2,3,4]; k=f32[N,2,5,4]; v=f32[N,2,5,4]; m=f32[2,1,5]; attention(q, k, v, m)"},
    {.text = "q=f32[N,2,3,4]; k=f32[N,2,5,4]; v=f32[N,2,5,4]; m=bool[N,1,3,5]; attention(q, k, v, m)"},
    {.text = "q=f32[N,1,17,16]; k=f32[N,1,33,16]; v=f32[N,1,33,16]; attention(q, k, v, causal=1)"},
    {.text = "q=f32[2,1,70,8]; k=f32[2,1,70,8]; v=f32[2,1,70,8]; attention(q, k, v, causal=1)"},
    {.text = "q=f32[1,1,66,4]; k=f32[1,1,16,4]; v=f32[1,1,16,4]; attention(q, k, v, causal=1)"},
    {.text = "q=f32[N,1,1,1]; k=f32[N,1,1,1]; v=f32[N,1,1,1]; attention(q, k, v)"},
    {.text = "q=f32[N,3,3,4]; k=f32[N,2,3,4]; v=f32[N,2,3,4]; attention(q, k, v)",
     .error = "with G a divisor of H"},
    {.text = "q=f32[N,2,3,4]; k=f32[N,2,3,5]; v=f32[N,2,3,4]; attention(q, k, v)",
     .error = "wanted q [N,H,T,D]"},
    {.text = "q=f32[N,2,3,4]; k=f32[N,2,5,4]; v=f32[N,2,5,4]; m=f32[4,5]; attention(q, k, v, m)",
     .error = "wanted one that broadcasts to"},
    {.text = "q=f32[N,3,4]; k=f32[N,3,4]; v=f32[N,3,4]; attention(q, k, v)", .error = "wanted 4"},
    {0},
};

const ct__op ct__op_attention = {
    .name = "attention",
    .summary = "softmax(scale q k' + mask) v",
    .attrs = attrs,
    .inputs_min = 3,
    .inputs_max = 4,
    .infer = infer,
    .expand = expand,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_attend = {
    .name = "attend",
    .summary = "attention that keeps its row sums",
    .attrs = attrs,
    .inputs_min = 3,
    .inputs_max = 4,
    .flags = CT__OP_INTERNAL,
    .infer = attend_infer,
    .grad = grad,
    .batch = batch,
    .lower = lower,
    .ref = ref,
};
const ct__op ct__op_attention_grad = {
    .name = "attention_grad",
    .summary = "gradients of attention",
    .attrs = attrs,
    .inputs_min = 6,
    .inputs_max = 7,
    .flags = CT__OP_INTERNAL,
    .infer = grad_infer,
    .compose = grad_compose,
    .batch = batch,
    .lower = grad_lower,
    .ref = grad_ref,
};

/* q [N,H,T,D], k [N,G,S,D], v [N,G,S,E]; mask bool or f32, node NULL: none -> [N,H,T,E]. */
ct_t ct_attention(ct_t q, ct_t k, ct_t v, ct_t mask, ct_attend options) {
    return ct__op_with(&ct__op_attention, (ct_t[4]){q, k, v, mask}, 4, NULL, &options);
}
