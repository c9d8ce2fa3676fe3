/* Broadcasting to a given shape: axes of extent 1 are repeated, missing leading axes are added.
 *
 *     expand(x, extents...): y[i, j, ...] = x[i or 0, j or 0, ...]
 *     dx = dy summed over the repeated axes (by the reverse walk)
 *
 * -1 in the shape is N (not "keep", as in PyTorch: every extent is written). For f32 and bool it is an
 * elementwise copy whose operand is smaller than its result, so it joins chains and usually costs nothing;
 * other types are copied as they are. */
#include "op/strided.h"

static const ct__attr attrs[] = {POS_LIST(shape, "the new extents; -1 is N, -k is k*N"), {0}};

static ct_status infer(ct__infer *f) {
    const ct__ints *list = f->attr[0].list;
    int32_t rank = list ? list->count : 0;
    char from[CT_SHAPE_TEXT], to[CT_SHAPE_TEXT];
    ct_shape s = {{0}, 0, 0}, both;
    if (rank < 0 || rank > CT_MAX_RANK)
        return ct__infer_fail(f, "%d extents; wanted at most %d", rank, CT_MAX_RANK);
    if (rank) s = ct_shape_make(rank, list->v);
    if (!ct__broadcast(&f->in[0].shape, &s, &both) || !ct_shape_equal(&both, &s))
        return ct__infer_fail(f, "x is %s, the shape %s; wanted x's extents equal to the shape's or 1",
                              ct_shape_format(&f->in[0].shape, from), ct_shape_format(&s, to));
    f->out[0].shape = s;
    return CT_OK;
}

static void grad(ct__grad *g) { g->din[0] = g->dout[0]; }

static ct__tile_any tile(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->copy_;
}

/* Tiles are floats: integers, which need not fit, go through a copy of their own. */
extern const ct__op ct__op_expand_any;
static int expand_any(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    int32_t dtype = node->out[0].dtype;
    (void)g;
    (void)train;
    if (dtype == CT_F32 || dtype == CT_BOOL) return 0;
    out[0] = ct__make(&ct__op_expand_any, in, 1, node->attr);
    return 1;
}

static ct_status lower(ct__lower *l) {
    ct__mover *m = ct__mover_new(l);
    const ct_shape *in = &l->in[0].shape, *out = &l->out[0].shape;
    int64_t stride[CT_MAX_RANK];
    if (!m) return CT_ELIMIT;
    ct__strided *c = m->copy;
    c->rank = out->rank;
    ct__strides(in, stride);
    ct__strides(out, c->dst);
    for (int32_t i = 0; i < out->rank; i++) {
        int32_t k = i - (out->rank - in->rank);
        c->dim[i] = out->dim[i];
        c->src[i] = k >= 0 && in->dim[k] != 1 ? stride[k] : 0;
    }
    ct__strided_plan(c);
    return CT_OK;
}

static double same(double x, double y, double z, const ct__value *a) {
    (void)y;
    (void)z;
    (void)a;
    return x;
}
static void ref(ct__ref *r) { ct__ref_elementwise(r, same); }

static const ct__case cases[] = {
    {.text = "x=f32[3,1]; expand(x, 3, 5)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[5]; expand(x, 2, 3, 5)"},
    {.text = "x=f32[]; expand(x, 17)"},
    {.text = "x=f32[1]; expand(x, -1, 9)"},
    {.text = "x=f32[1,7]; expand(x, -2, 7)"},
    {.text = "x=f32[N,1,8]; expand(x, -1, 4, 8)"},
    {.text = "x=f32[N,15,1]; expand(x, -1, 15, 16)"},
    {.text = "x=f32[N,3]; expand(x, 2, -1, 3)"},
    {.text = "x=f32[3,1]; expand(x, 3, 0)"},
    {.text = "x=f32[2,3]; expand(x, 2, 3)"},
    {.text = "x=f32[N,1]; y=f32[N,6]; mul(expand(relu(x), -1, 6), y)"},
    {.text = "x=i64<5>[N,1]; expand(x, -1, 3)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=i32<5>[3,1,2]; expand(x, 4, 3, 5, 2)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[3]; expand(x, 4)",
     .error = "x is [3], the shape [4]; wanted x's extents equal to the shape's or 1"},
    {.text = "x=f32[2,3]; expand(x, 3)", .error = "x is [2,3], the shape [3]"},
    {.text = "x=f32[3]; expand(x, -1)", .error = "x is [3], the shape [N]"},
    {0},
};

const ct__op ct__op_expand = {
    .name = "expand",
    .summary = "repeated along axes of extent 1",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .grad = grad,
    .expand = expand_any,
    .batch = ct__batch_rows,
    .tile = tile,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_expand_any = {
    .name = "expand_any",
    .summary = "expand of integers",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = infer,
    .nondiff = "of integers",
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = ref,
};

/* x repeated to `shape`: axes of extent 1 and missing leading axes. */
ct_t ct_expand(ct_t x, ct_shape shape) {
    ct__ints list = {0};
    if (ct_ok(x) && ct_shape_equal(&x.node->out[x.out].shape, &shape)) return x;
    list.count = shape.rank;
    for (int32_t i = 0; i < shape.rank && i < CT_MAX_RANK; i++) list.v[i] = shape.dim[i];
    return ct__op_with(&ct__op_expand, &x, 1, (ct__value[]){{.list = &list}}, NULL);
}
