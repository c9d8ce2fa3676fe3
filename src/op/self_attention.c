/* Self-attention over rows that hold q, k and v side by side, as one linear layer makes them.
 *
 *     x [N,T,(H+2G) D], a row being H heads of q, G of k, G of v; mask as attention's, broadcast to [N,H,T,T]
 *     y [N,T,H D] = attention of the heads, side by side again;  groups 0: G = H
 *
 * The same numbers as attention of the slices, but nothing is copied: the kernels read heads where they stand, and
 * the gradient is written as one tensor. */
#include <stdlib.h>

#include "op/attention.h"

static const ct__attr attrs[] = {
    POS_INT(heads, CT__NODEF, 1, 65535, "H, the query heads"),
    OPT_INT(ct_self_attend, causal, 0, 0, 1, "1: a query sees the keys up to its own place"),
    OPT_INT(ct_self_attend, groups, 0, 0, 65535, "G, the key and value heads, a divisor of H; 0: H"),
    OPT_FLOAT(ct_self_attend, scale, 0, 0, 1e30, "factor of the products; 0: 1/sqrt(D)"),
    {0},
};
enum { HEADS, CAUSAL, GROUPS, SCALE };

static int64_t groups_of(const ct__value *attr) { return attr[GROUPS].i ? attr[GROUPS].i : attr[HEADS].i; }
static int64_t all_heads(const ct__value *attr) { return attr[HEADS].i + 2 * groups_of(attr); }

/* ---- shapes ---- */
static ct_status infer(ct__infer *f) {
    char text[CT_SHAPE_TEXT];
    const ct_shape *x = &f->in[0].shape;
    int64_t heads = f->attr[HEADS].i, groups = groups_of(f->attr), all = all_heads(f->attr);
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_rank(f, 0, 3, 3)) return CT_EUSAGE;
    if (heads % groups)
        return ct__infer_fail(f, "%lld heads, %lld groups; wanted groups that divide the heads",
                              (long long)heads, (long long)groups);
    if (x->dim[1] < 1 || x->dim[2] < 1 || x->dim[2] % all)
        return ct__infer_fail(f, "x is %s; wanted [N,T,%lld*D]: %lld heads of q, %lld of k, %lld of v",
                              ct_shape_format(x, text), (long long)all, (long long)heads, (long long)groups,
                              (long long)groups);
    ct_shape full = CT_SHAPE(x->dim[0], heads, x->dim[1], x->dim[1]);
    if (f->n_in > 1 && f->in[1].dtype && ct__attention_infer_mask(f, &f->in[1], &full)) return CT_EUSAGE;
    f->out[0] = f->in[0];
    f->out[0].shape.dim[2] = x->dim[2] / all * heads;
    return CT_OK;
}
/* self_attend: the same with the log-sum-exp of each query [N,H,T], kept for the gradient */
static ct_status attend_infer(ct__infer *f) {
    ct_status s = infer(f);
    f->n_out = 2;
    f->out[1] =
        (ct__type){CT_F32, 0, CT_SHAPE(f->in[0].shape.dim[0], f->attr[HEADS].i, f->in[0].shape.dim[1])};
    return s;
}
/* self_attention_grad(dy, lse, x, mask or none) -> dx */
static ct_status grad_infer(ct__infer *f) {
    f->out[0] = f->in[2];
    return CT_OK;
}
static int batch(ct__batch *b) { /* a mask with rows of its own is cut with x */
    for (int32_t i = 0; i < b->n_in; i++)
        if (ct__batch_axis(&b->in[i].shape) > 0 ||
            (ct__batch_axis(&b->in[i].shape) == 0 && b->in_place[i] != b->in_place[0]))
            return 0;
    return ct__batch_rows(b);
}

/* ---- gradient ---- */
extern const ct__op ct__op_self_attend, ct__op_self_attention_grad;

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    out[0] =
        ct__make(&ct__op_self_attend, (ct_t[2]){in[0], node->n_in > 1 ? in[1] : ct__none()}, 2, node->attr);
    return 1;
}

/* The heads from..from+count of rows [N,T,heads D] as [N,count,T,D], and back. */
static ct_t apart(ct_t x, const ct__value *attr, int64_t from, int64_t count) {
    ct_shape s = ct_shape_of(x);
    int64_t d = s.dim[2] / all_heads(attr);
    x = ct_slice(x, 2, from * d, (from + count) * d, 1);
    return ct_transpose(ct_reshape(x, CT_SHAPE(s.dim[0], s.dim[1], count, d)), 1, 2);
}
static ct_t together(ct_t x) {
    ct_shape s = ct_shape_of(x);
    return ct_reshape(ct_transpose(x, 1, 2), CT_SHAPE(s.dim[0], s.dim[2], s.dim[1] * s.dim[3]));
}
static ct__attention_parts compose(ct_graph *g, const ct__value *attr, ct_t x, ct_t mask, ct_t dy) {
    ct_shape s = ct_shape_of(dy);
    int64_t h = attr[HEADS].i, k = groups_of(attr), d = s.dim[2] / h;
    dy = ct_transpose(ct_reshape(dy, CT_SHAPE(s.dim[0], s.dim[1], h, d)), 1, 2);
    return ct__attention_compose(g, ct__attention_scale(attr[SCALE].f, (double)d), (int)attr[CAUSAL].i,
                                 apart(x, attr, 0, h), apart(x, attr, h, k), apart(x, attr, h + k, k), mask,
                                 dy);
}
static void grad(ct__grad *g) {
    ct_t mask = g->n_in > 1 ? g->in[1] : ct__none();
    if (!g->dout[0].node) return;
    g->din[0] =
        ct__make(&ct__op_self_attention_grad, (ct_t[4]){g->dout[0], g->out[1], g->in[0], mask}, 4, g->attr);
    if (mask.node && g->need[1]) g->din[1] = compose(g->graph, g->attr, g->in[0], mask, g->dout[0]).dmask;
}
static int grad_compose(ct_graph *g, ct_node *node, const ct_t *in, ct_t *out) {
    ct__attention_parts p = compose(g, node->attr, in[2], node->n_in > 3 ? in[3] : ct__none(), in[0]);
    out[0] = ct_concat((ct_t[3]){together(p.dq), together(p.dk), together(p.dv)}, 3, 2);
    return 1;
}

/* ---- lowering ---- */
/* `count` heads from number `from` of rows of `all` heads of width d. */
static ct__heads heads_at(int32_t arg, int64_t t, int64_t d, int64_t all, int64_t from) {
    return (ct__heads){arg, 0, from * d, t * all * d, d, all * d};
}
static ct__attention describe(const ct__lower *l, int32_t x, int32_t y) {
    const ct_shape *s = &l->in[x].shape;
    int64_t h = l->attr[HEADS].i, g = groups_of(l->attr), all = h + 2 * g, t = s->dim[1], d = s->dim[2] / all;
    ct__attention a = {.n = s->dim[0],
                       .h = h,
                       .g = g,
                       .t = t,
                       .s = t,
                       .d = d,
                       .e = d,
                       .q = heads_at(x, t, d, all, 0),
                       .k = heads_at(x, t, d, all, h),
                       .v = heads_at(x, t, d, all, h + g),
                       .y = heads_at(y, t, d, h, 0),
                       .causal = (int32_t)l->attr[CAUSAL].i,
                       .scale = ct__attention_scale(l->attr[SCALE].f, (double)d)};
    ct__attention_mask(&a, l->n_in > x + 1 ? &l->in[x + 1] : NULL, x + 1);
    return a;
}
static ct_status lower(ct__lower *l) {
    ct__attention a = describe(l, 0, l->n_in);
    a.lse_arg = l->n_in + 1;
    return ct__attention_lower(l, &a);
}
static ct_status grad_lower(ct__lower *l) {
    ct__attention a = describe(l, 2, 0);
    a.lse_arg = 1;
    a.dq = a.q;
    a.dk = a.k;
    a.dv = a.v;
    a.dq.arg = a.dk.arg = a.dv.arg = l->n_in;
    return ct__attention_grad_lower(l, &a);
}

/* ---- references: over double, head by head ---- */
typedef struct ref_heads {
    const ct__ref *r;
    const ct__ref_array *x, *mask;
    int64_t h, g, t, d, stride[CT_MAX_RANK];
    double scale;
} ref_heads;
static ref_heads ref_of(const ct__ref *r, int32_t x) {
    ref_heads a = {.r = r, .x = &r->in[x], .h = r->attr[HEADS].i, .g = groups_of(r->attr)};
    a.t = a.x->shape.dim[1];
    a.d = a.x->shape.dim[2] / all_heads(r->attr);
    a.scale = ct__attention_scale(r->attr[SCALE].f, (double)a.d);
    if (r->n_in > x + 1 && r->in[x + 1].present) a.mask = &r->in[x + 1];
    if (a.mask) ct__ref_strides(a.mask, 4, a.stride);
    return a;
}
/* Row of sample n, place t: number of its head's first element in x. */
static int64_t ref_at(const ref_heads *a, int64_t n, int64_t t, int64_t head) {
    return ((n * a->t + t) * (a->h + 2 * a->g) + head) * a->d;
}
/* p of query i of head h; returns its log-sum-exp */
static double ref_row(const ref_heads *a, int64_t n, int64_t h, int64_t i, double *p) {
    const double *x = a->x->v;
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < a->t; j++) {
        const double *q = x + ref_at(a, n, i, h), *k = x + ref_at(a, n, j, a->h + h / (a->h / a->g));
        const double m =
            a->mask ? a->mask->v[n * a->stride[0] + h * a->stride[1] + i * a->stride[2] + j * a->stride[3]]
                    : 0;
        p[j] = 0;
        for (int64_t c = 0; c < a->d; c++) p[j] += a->scale * q[c] * k[c];
        if (a->mask && a->mask->dtype == CT_F32) p[j] += m;
        if ((a->r->attr[CAUSAL].i && j > i) || (a->mask && a->mask->dtype == CT_BOOL && m == 0))
            p[j] = -INFINITY;
        max = fmax(max, p[j]);
    }
    for (int64_t j = 0; j < a->t; j++) sum += p[j] = isfinite(max) ? exp(p[j] - max) : 0;
    for (int64_t j = 0; j < a->t && sum > 0; j++) p[j] /= sum;
    return sum > 0 ? max + log(sum) : -INFINITY;
}
static void ref(ct__ref *r) {
    ref_heads a = ref_of(r, 0);
    double *p = calloc((size_t)a.t, sizeof *p);
    for (int64_t n = 0; p && n < a.x->shape.dim[0]; n++)
        for (int64_t h = 0; h < a.h; h++)
            for (int64_t i = 0; i < a.t; i++) {
                double *y = r->out[0].v + ((n * a.t + i) * a.h + h) * a.d;
                double lse = ref_row(&a, n, h, i, p);
                if (r->n_out > 1) r->out[1].v[(n * a.h + h) * a.t + i] = lse;
                for (int64_t j = 0; j < a.t; j++)
                    for (int64_t c = 0; c < a.d; c++)
                        y[c] += p[j] * a.x->v[ref_at(&a, n, j, a.h + a.g + h / (a.h / a.g)) + c];
            }
    free(p);
}
/* p, dp: room for a row each */
static void ref_query_grad(const ref_heads *a, int64_t n, int64_t h, int64_t i, const double *dy, double *p,
                           double *dp, double *dx) {
    const double *x = a->x->v;
    int64_t key = a->h + h / (a->h / a->g), value = key + a->g, q = ref_at(a, n, i, h);
    double delta = 0;
    ref_row(a, n, h, i, p);
    for (int64_t j = 0; j < a->t; j++) {
        int64_t v = ref_at(a, n, j, value);
        dp[j] = 0;
        for (int64_t c = 0; c < a->d; c++) dp[j] += dy[c] * x[v + c], dx[v + c] += p[j] * dy[c];
        delta += p[j] * dp[j];
    }
    for (int64_t j = 0; j < a->t; j++) {
        int64_t k = ref_at(a, n, j, key);
        double ds = a->scale * p[j] * (dp[j] - delta);
        for (int64_t c = 0; c < a->d; c++) dx[q + c] += ds * x[k + c], dx[k + c] += ds * x[q + c];
    }
}
static void grad_ref(ct__ref *r) {
    ref_heads a = ref_of(r, 2);
    double *p = calloc(2 * (size_t)a.t, sizeof *p);
    for (int64_t n = 0; p && n < a.x->shape.dim[0]; n++)
        for (int64_t h = 0; h < a.h; h++)
            for (int64_t i = 0; i < a.t; i++)
                ref_query_grad(&a, n, h, i, r->in[0].v + ((n * a.t + i) * a.h + h) * a.d, p, p + a.t,
                               r->out[0].v);
    free(p);
}

static const ct__case cases[] = {
    {.text = "x=f32[N,3,24]; self_attention(x, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,24]; self_attention(x, 2, causal=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5,32]; self_attention(x, 4, groups=2, causal=1, scale=0.3)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,4,24]; self_attention(x, 4, groups=1)"},
    {.text = "x=f32[N,5,12]; m=f32[5,5]; self_attention(x, m, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5,12]; m=f32[N,1,1,5]; self_attention(x, m, 2)"},
    {.text = "x=f32[N,5,12]; m=bool[N,2,5,5]; self_attention(x, m, 2)"},
    {.text = "x=f32[N,17,48]; self_attention(x, 1, causal=1)"},
    {.text = "x=f32[2,70,24]; self_attention(x, 1, causal=1)"},
    {.text = "x=f32[2,66,24]; self_attention(x, 2)"},
    {.text = "x=f32[N,1,3]; self_attention(x, 1)"},
    {.text = "x=f32[0,3,24]; self_attention(x, 2)"},
    {.text = "x=f32[N,5,32]; self_attention(x, 3, groups=2)", .error = "wanted groups that divide the heads"},
    {.text = "x=f32[N,5,32]; self_attention(x, 2)", .error = "2 heads of q, 2 of k, 2 of v"},
    {.text = "x=f32[N,5,12]; m=f32[4,5]; self_attention(x, m, 2)", .error = "wanted one that broadcasts to"},
    {.text = "x=f32[5,12]; self_attention(x, 2)", .error = "wanted 3"},
    {0},
};

const ct__op ct__op_self_attention = {
    .name = "self_attention",
    .summary = "attention within rows that hold q, k and v",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 2,
    .infer = infer,
    .expand = expand,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_self_attend = {
    .name = "self_attend",
    .summary = "self_attention that keeps its row sums",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL | CT__OP_SPARE,
    .infer = attend_infer,
    .grad = grad,
    .batch = batch,
    .lower = lower,
    .ref = ref,
};
const ct__op ct__op_self_attention_grad = {
    .name = "self_attention_grad",
    .summary = "gradient of self_attention",
    .attrs = attrs,
    .inputs_min = 3,
    .inputs_max = 4,
    .flags = CT__OP_INTERNAL,
    .infer = grad_infer,
    .compose = grad_compose,
    .batch = batch,
    .lower = grad_lower,
    .ref = grad_ref,
};

/* x [N,T,(H+2G) D]; mask bool or f32, node NULL: none -> [N,T,H D]. */
ct_t ct_self_attention(ct_t x, ct_t mask, int64_t heads, ct_self_attend options) {
    return ct__op_with(&ct__op_self_attention, (ct_t[2]){x, mask}, 2, (ct__value[]){{.i = heads}}, &options);
}
