/* A part of one axis: begin, begin + step, ... below end.
 *
 *     slice(x, axis, begin, end, step): y[.., i, ..] = x[.., begin + i*step, ..], ceil((end - begin) / step) elements
 *     dx = zeros with dy placed where y came from     (slice_grad, itself differentiable)
 *
 * Negative begin, end and axis count from the end; begin and end are cut to the axis, as in Python; end left
 * out means to the end. The axis that holds N can only be taken whole. ct_split makes equal parts of slices. */
#include "op/strided.h"

#define FAR 9e15 /* beyond any extent, exact as a double */
#define TO_THE_END INT64_C(9000000000000000)

static const ct__attr attrs[] = {
    POS_INT(axis, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1, "the axis; negative from the end"),
    POS_INT(begin, 0, -FAR, FAR, "first index; negative from the end"),
    POS_INT(end, FAR, -FAR, FAR, "index after the last; negative from the end"),
    POS_INT(step, 1, 1, FAR, "distance of two indices"),
    {0},
};
static const ct__attr grad_attrs[] = {
    POS_INT(axis, CT__NODEF, 0, CT_MAX_RANK - 1, "the axis"),
    POS_INT(begin, CT__NODEF, 0, FAR, "first index"),
    POS_INT(step, CT__NODEF, 1, FAR, "distance of two indices"),
    POS_INT(extent, CT__NODEF, 0, FAR, "extent of the axis"),
    {0},
};
enum { AXIS, BEGIN, END, STEP };
enum { G_AXIS, G_BEGIN, G_STEP, G_EXTENT };

static int64_t cut(int64_t i, int64_t extent) {
    if (i < 0) i += extent;
    return i < 0 ? 0 : i > extent ? extent : i;
}

typedef struct range {
    int64_t begin, step, count;
} range;

static range range_of(const ct__value *attr, int64_t extent) {
    range r = {cut(attr[BEGIN].i, extent), attr[STEP].i, 0};
    int64_t end = cut(attr[END].i, extent);
    if (end > r.begin) r.count = (end - r.begin - 1) / r.step + 1;
    return r;
}

static ct_status infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    char text[CT_SHAPE_TEXT];
    int32_t axis = ct__axis(f->attr[AXIS].i, s->rank);
    if (axis < 0)
        return ct__infer_fail(f, "axis is %lld, x is %s; wanted %d to %d", (long long)f->attr[AXIS].i,
                              ct_shape_format(s, text), -s->rank, s->rank - 1);
    f->out[0].shape = *s;
    if (s->dim[axis] >= 0) {
        f->out[0].shape.dim[axis] = range_of(f->attr, s->dim[axis]).count;
        return CT_OK;
    }
    if (f->attr[BEGIN].i == 0 && f->attr[STEP].i == 1 && f->attr[END].i > INT32_MAX) return CT_OK;
    return ct__infer_fail(f, "axis %d of x %s holds N; wanted an axis of fixed extent, or the whole of it",
                          axis, ct_shape_format(s, text));
}

static ct_status grad_infer(ct__infer *f) {
    f->out[0].shape = f->in[0].shape;
    f->out[0].shape.dim[f->attr[G_AXIS].i] = f->attr[G_EXTENT].i;
    return CT_OK;
}

extern const ct__op ct__op_slice_grad;

static void grad(ct__grad *g) {
    ct_shape s = ct_shape_of(g->in[0]);
    int32_t axis = ct__axis(g->attr[AXIS].i, s.rank);
    if (!g->need[0]) return;
    g->din[0] = g->dout[0];
    if (s.dim[axis] < 0) return;
    range r = range_of(g->attr, s.dim[axis]);
    if (r.begin == 0 && r.step == 1 && r.count == s.dim[axis]) return;
    ct__value a[] = {{.i = axis}, {.i = r.begin}, {.i = r.step}, {.i = s.dim[axis]}};
    g->din[0] = ct__make(&ct__op_slice_grad, g->dout, 1, a);
}

/* dy = dz taken where it was placed; count from dy's own shape, so that a step beyond the end fits */
static void grad_grad(ct__grad *g) {
    int64_t axis = g->attr[G_AXIS].i, begin = g->attr[G_BEGIN].i, step = g->attr[G_STEP].i;
    int64_t count = ct_shape_of(g->in[0]).dim[axis];
    if (g->need[0])
        g->din[0] = ct_slice(g->dout[0], axis, begin, count ? begin + (count - 1) * step + 1 : begin, step);
}

static int whole(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_shape s = ct_shape_of(in[0]);
    (void)g;
    (void)train;
    out[0] = in[0];
    return ct_shape_equal(&s, &node->out[0].shape); /* as long as before: nothing left out */
}

/* y = x walked from `begin`, every `step`; or the way back */
static ct_status lower(ct__lower *l) {
    ct__mover *m = ct__mover_new(l);
    const ct_shape *in = &l->in[0].shape;
    int32_t axis = ct__axis(l->attr[AXIS].i, in->rank);
    if (!m) return CT_ELIMIT;
    ct__strided *c = m->copy;
    range r = range_of(l->attr, in->dim[axis]);
    c->rank = in->rank;
    memcpy(c->dim, l->out[0].shape.dim, sizeof c->dim);
    ct__strides(in, c->src);
    ct__strides(&l->out[0].shape, c->dst);
    c->src_begin = r.begin * c->src[axis];
    if (r.count > 1) c->src[axis] *= r.step;
    ct__strided_plan(c);
    return CT_OK;
}

static ct_status grad_lower(ct__lower *l) {
    ct__mover *m = ct__mover_new(l);
    int64_t axis = l->attr[G_AXIS].i;
    if (!m) return CT_ELIMIT;
    ct__strided *c = m->copy;
    m->fill = 1;
    c->rank = l->in[0].shape.rank;
    memcpy(c->dim, l->in[0].shape.dim, sizeof c->dim);
    ct__strides(&l->in[0].shape, c->src);
    ct__strides(&l->out[0].shape, c->dst);
    c->dst_begin = l->attr[G_BEGIN].i * c->dst[axis];
    if (c->dim[axis] > 1) c->dst[axis] *= l->attr[G_STEP].i;
    ct__strided_plan(c);
    return CT_OK;
}

/* small[o][i][k] <-> large[o][begin + i*step][k] */
static void ref(ct__ref *r) {
    int64_t outer, extent, inner, count;
    int32_t axis = ct__axis(r->attr[AXIS].i, r->in[0].shape.rank);
    ct__split_axis(&r->in[0].shape, axis, &outer, &extent, &inner);
    count = r->out[0].shape.dim[axis];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < count; i++)
            for (int64_t k = 0; k < inner; k++)
                r->out[0].v[(o * count + i) * inner + k] =
                    r->in[0]
                        .v[(o * extent + cut(r->attr[BEGIN].i, extent) + i * r->attr[STEP].i) * inner + k];
}
static void grad_ref(ct__ref *r) {
    int64_t outer, count, inner, extent = r->attr[G_EXTENT].i;
    ct__split_axis(&r->in[0].shape, (int32_t)r->attr[G_AXIS].i, &outer, &count, &inner);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < count; i++)
            for (int64_t k = 0; k < inner; k++)
                r->out[0].v[(o * extent + r->attr[G_BEGIN].i + i * r->attr[G_STEP].i) * inner + k] =
                    r->in[0].v[(o * count + i) * inner + k];
}

static const ct__case cases[] = {
    {.text = "x=f32[3,8]; slice(x, 1, 2, 7)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[3,8]; slice(x, 1, 2, 7, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[3,9]; slice(x, 1, 0, 9, 4)"},
    {.text = "x=f32[3,9]; slice(x, 1, 1, 9, 100)"},
    {.text = "x=f32[N,16]; slice(x, 1, 0, 15)"},
    {.text = "x=f32[N,17,3]; slice(x, 1, 16)"},
    {.text = "x=f32[N,17,3]; slice(x, -2, -4, -1)"},
    {.text = "x=f32[N,3,5]; slice(x, 2, 0, 5, 2)"},
    {.text = "x=f32[N,3,5]; slice(x, 2, -1)"},
    {.text = "x=f32[N,3,5]; slice(x, 1, 1, 100)"},
    {.text = "x=f32[N,3,5]; slice(x, 1, -100, 2)"},
    {.text = "x=f32[N,7,2]; slice(transpose(x, 0, 1), 0, 1, 6, 3)"},
    {.text = "x=f32[2,3,4,5]; slice(x, 1, 1, 2)"},
    {.text = "x=f32[4,3]; slice(x, 0, 2, 2)"},
    {.text = "x=f32[4,3]; slice(x, 0, 3, 1)"},
    {.text = "x=f32[0,3]; slice(x, 0, 0, 5)"},
    {.text = "x=f32[0,3]; slice(x, 1, 1)"},
    {.text = "x=f32[N,3]; slice(x, 0)"},
    {.text = "x=f32[4,3]; slice(x, 0)"},
    {.text = "x=i64<9>[N,7]; slice(x, 1, 1, 7, 2)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[4,3]; slice(x, 2, 0, 1)", .error = "axis is 2, x is [4,3]; wanted -2 to 1"},
    {.text = "x=f32[4,3]; slice(x, 1, 0, 1, 0)", .error = "step is 0; wanted 1 to"},
    {.text = "x=f32[N,3]; slice(x, 0, 1)", .error = "axis 0 of x [N,3] holds N"},
    {.text = "x=f32[N,3]; slice(x, 0, 0, 10)", .error = "axis 0 of x [N,3] holds N"},
    {0},
};

/* Rows stay rows: the axis with N is never cut. */
const ct__op ct__op_slice = {
    .name = "slice",
    .summary = "a part of one axis",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_LINEAR,
    .infer = infer,
    .grad = grad,
    .expand = whole,
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_slice_grad = {
    .name = "slice_grad",
    .summary = "gradient of slice",
    .attrs = grad_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = grad_infer,
    .grad = grad_grad,
    .batch = ct__batch_rows,
    .lower = grad_lower,
    .ref = grad_ref,
};

/* Indices begin, begin + step, ... below end of `axis`; negative ones count from the end; step 0 is 1. */
ct_t ct_slice(ct_t x, int64_t axis, int64_t begin, int64_t end, int64_t step) {
    int64_t far = end > TO_THE_END ? TO_THE_END : end;
    return ct__op_with(&ct__op_slice, &x, 1,
                       (ct__value[]){{.i = axis}, {.i = begin}, {.i = far}, {.i = step ? step : 1}}, NULL);
}
/* `parts` equal parts of `axis` into out[]; the extent must divide. After an error all are poison. */
void ct_split(ct_t x, int64_t axis, int32_t parts, ct_t *out) {
    ct_shape s = ct_shape_of(x);
    int32_t k = ct__axis(axis, s.rank);
    char text[CT_SHAPE_TEXT];
    if (ct_ok(x) && (k < 0 || parts < 1 || s.dim[k] < 0 || s.dim[k] % parts != 0))
        ct__graph_fail(
            x.node->graph,
            "split: %d parts of axis %lld of x %s; wanted an axis of fixed extent that the parts divide",
            parts, (long long)axis, ct_shape_format(&s, text));
    for (int32_t i = 0; i < parts; i++) {
        int64_t each = k >= 0 ? s.dim[k] / parts : 0;
        out[i] = ct_slice(x, k, i * each, (i + 1) * each, 1);
    }
}
