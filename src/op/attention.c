/* Scaled dot-product attention (Vaswani et al. 2017; PyTorch's scaled_dot_product_attention) as one op.
 *
 *     q [N,H,T,D], k [N,G,S,D], v [N,G,S,E], mask: bool (1: may be seen) or f32 (added), broadcast to [N,H,T,S]
 *     p = softmax(scale q k' + mask),  y = p v  [N,H,T,E];  causal: query i sees keys 0..i
 *     G divides H: each key head serves H/G query heads.  scale 0: 1/sqrt(D)
 *     dv = p' dy,  ds = scale p (dy v' - sum of p (dy v')),  dq = ds k,  dk = ds' q
 *
 * A query that may see no key gets zeros. The kernels stand in attention_kernel.c. */
#include <stdlib.h>

#include "op/attention.h"

static const ct__attr attrs[] = {
    OPT_INT(ct_attend, causal, 0, 0, 1, "1: a query sees the keys up to its own place"),
    OPT_FLOAT(ct_attend, scale, 0, 0, 1e30, "factor of the products; 0: 1/sqrt(D)"),
    {0},
};
enum { CAUSAL, SCALE };
enum { Q, K, V };

/* ---- shapes ---- */
static int has_mask(int32_t n_in, const ct__type *in, int32_t at) { return n_in > at && in[at].dtype != 0; }

ct_status ct__attention_infer_mask(const ct__infer *f, const ct__type *mask, const ct_shape *full) {
    char text[CT_SHAPE_TEXT], wanted[CT_SHAPE_TEXT];
    ct_shape both;
    if (mask->dtype != CT_F32 && mask->dtype != CT_BOOL)
        return ct__infer_fail(f, "the mask is %s; wanted bool or f32", ct_dtype_name((ct_dtype)mask->dtype));
    if (!ct__broadcast(&mask->shape, full, &both) || !ct_shape_equal(&both, full))
        return ct__infer_fail(f, "the mask is %s; wanted one that broadcasts to %s",
                              ct_shape_format(&mask->shape, text), ct_shape_format(full, wanted));
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
    ct_shape full = *a;
    full.dim[3] = b->dim[2];
    if (has_mask(f->n_in, f->in, 3) && ct__attention_infer_mask(f, &f->in[3], &full)) return CT_EUSAGE;
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
/* attention_grad(dy, lse, q, k, v, mask or none) -> dq, dk, dv */
static ct_status grad_infer(ct__infer *f) {
    f->n_out = 3;
    for (int32_t i = 0; i < 3; i++) f->out[i] = f->in[2 + i];
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

double ct__attention_scale(double given, double depth) { return given > 0 ? given : 1 / sqrt(depth); }
static double scale_of(const ct__value *attr, ct_t q) {
    return ct__attention_scale(attr[SCALE].f, (double)ct_shape_of(q).dim[3]);
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

ct__attention_parts ct__attention_compose(ct_graph *g, double scale, int causal, ct_t q, ct_t k, ct_t v,
                                          ct_t mask, ct_t dy) {
    ct_shape s = ct_shape_of(q);
    int64_t groups = ct_shape_of(k).dim[1];
    ct_t kk = spread_heads(k, s.dim[1]), vv = spread_heads(v, s.dim[1]);
    ct_t scores = ct_mul_scalar(ct_matmul(q, ct_transpose(kk, 2, 3)), scale);
    if (mask.node && ct_dtype_of(mask) == CT_BOOL)
        scores = ct_where(mask, scores, ct_number(g, -1e30));
    else if (mask.node)
        scores = ct_add(scores, mask);
    if (causal) scores = ct_add(scores, causal_mask(g, s.dim[2], ct_shape_of(k).dim[2]));
    ct_t p = ct_softmax(scores, -1), dp = ct_matmul(dy, ct_transpose(vv, 2, 3));
    ct_t dmask = ct_mul(p, ct_sub(dp, ct_sum(ct_mul(p, dp), CT_SHAPE(-1), (ct_reduce){.keep = 1})));
    ct_t ds = ct_mul_scalar(dmask, scale);
    return (ct__attention_parts){ct_matmul(ds, kk),
                                 gather_heads(ct_matmul(ct_transpose(ds, 2, 3), q), groups),
                                 gather_heads(ct_matmul(ct_transpose(p, 2, 3), dy), groups), dmask};
}

static void grad(ct__grad *g) {
    ct_t mask = g->n_in > 3 ? g->in[3] : ct__none();
    if (!g->dout[0].node) return;
    ct_t in[6] = {g->dout[0], g->out[1], g->in[Q], g->in[K], g->in[V], mask};
    ct_t dq = ct__make(&ct__op_attention_grad, in, 6, g->attr);
    for (int32_t i = 0; i < 3; i++) g->din[i] = ct__output(dq, i);
    if (mask.node && g->need[3])
        g->din[3] = ct__attention_compose(g->graph, scale_of(g->attr, g->in[Q]), (int)g->attr[CAUSAL].i,
                                          g->in[Q], g->in[K], g->in[V], mask, g->dout[0])
                        .dmask;
}
static int grad_compose(ct_graph *g, ct_node *node, const ct_t *in, ct_t *out) {
    ct__attention_parts p =
        ct__attention_compose(g, scale_of(node->attr, in[2]), (int)node->attr[CAUSAL].i, in[2], in[3], in[4],
                              node->n_in > 5 ? in[5] : ct__none(), in[0]);
    out[0] = p.dq;
    out[1] = p.dk;
    out[2] = p.dv;
    return 1;
}

/* ---- lowering ---- */
/* A tensor [N,H,T,D] of its own. */
static ct__heads whole(int32_t arg, const ct_shape *s) {
    return (ct__heads){arg, 0, 0, s->dim[1] * s->dim[2] * s->dim[3], s->dim[2] * s->dim[3], s->dim[3]};
}
static ct__attention describe(const ct__lower *l, int32_t q) { /* q: place of the first of q, k, v and mask */
    const ct_shape *sq = &l->in[q].shape, *sk = &l->in[q + 1].shape, *sv = &l->in[q + 2].shape;
    ct__attention a = {.n = sq->dim[0],
                       .h = sq->dim[1],
                       .g = sk->dim[1],
                       .t = sq->dim[2],
                       .s = sk->dim[2],
                       .d = sq->dim[3],
                       .e = sv->dim[3],
                       .q = whole(q, sq),
                       .k = whole(q + 1, sk),
                       .v = whole(q + 2, sv),
                       .causal = (int32_t)l->attr[CAUSAL].i,
                       .scale = ct__attention_scale(l->attr[SCALE].f, (double)sq->dim[3])};
    ct__attention_mask(&a, has_mask(l->n_in, l->in, q + 3) ? &l->in[q + 3] : NULL, q + 3);
    return a;
}
static ct_status lower(ct__lower *l) {
    ct__attention a = describe(l, Q);
    a.y = whole(l->n_in, &l->out[0].shape);
    a.lse_arg = l->n_in + 1;
    return ct__attention_lower(l, &a);
}
static ct_status grad_lower(ct__lower *l) {
    ct__attention a = describe(l, 2);
    a.y = whole(0, &l->in[0].shape);
    a.lse_arg = 1;
    a.dq = whole(l->n_in, &l->out[0].shape);
    a.dk = whole(l->n_in + 1, &l->out[1].shape);
    a.dv = whole(l->n_in + 2, &l->out[2].shape);
    return ct__attention_grad_lower(l, &a);
}

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
        x = x * ct__attention_scale(a->r->attr[SCALE].f, (double)d) +
            (a->mask && a->mask->dtype == CT_F32 ? m : 0);
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
    int64_t heads = r->in[2].shape.dim[0] * r->in[2].shape.dim[1], t = r->in[2].shape.dim[2],
            s = r->in[3].shape.dim[2];
    int64_t d = r->in[2].shape.dim[3], e = r->in[4].shape.dim[3];
    double *p = calloc((size_t)s + 1, sizeof *p), scale = ct__attention_scale(r->attr[SCALE].f, (double)d);
    for (int64_t row = 0; p && row < heads * t; row++) {
        ref_head a = head_of(r, 2, row / t);
        const double *dy = r->in[0].v + row * e, *q = r->in[2].v + row * d;
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
    .flags = CT__OP_INTERNAL | CT__OP_SPARE,
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
    .inputs_min = 5,
    .inputs_max = 6,
    .flags = CT__OP_INTERNAL | CT__OP_SPARE,
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
