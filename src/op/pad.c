/* A constant border; negative widths crop.
 *
 *     pad(x, value, before_last, after_last, before_last_but_one, ...): as PyTorch's F.pad, pairs from the last axis
 *     dx = dy padded by the negated widths (the border's part of dy falls away, cropped elements get zeros)
 *
 * The axis that holds N cannot be padded. value is 0 in most uses; integers and bool take it truncated. */
#include "op/strided.h"

#define FAR 1e15

static const ct__attr attrs[] = {
    POS_FLOAT(value, 0, -3.4e38, 3.4e38, "what the border holds"),
    POS_LIST(pads, "widths before and after, in pairs from the last axis; negative: crop"),
    {0},
};
enum { VALUE, PADS };

/* Widths before and after axis `axis` of `rank`. */
static void widths(const ct__ints *list, int32_t rank, int32_t axis, int64_t *before, int64_t *after) {
    int32_t k = 2 * (rank - 1 - axis);
    *before = list && k + 1 < list->count ? list->v[k] : 0;
    *after = list && k + 1 < list->count ? list->v[k + 1] : 0;
}

static ct_status infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    const ct__ints *list = f->attr[PADS].list;
    int32_t count = list ? list->count : 0;
    char text[CT_SHAPE_TEXT];
    if (count < 0 || count % 2 || count > 2 * s->rank)
        return ct__infer_fail(f, "%d widths for x %s; wanted pairs, at most %d", count,
                              ct_shape_format(s, text), 2 * s->rank);
    double most = f->in[0].dtype == CT_I32 ? 0x1p31 : f->in[0].dtype == CT_I64 ? 0x1p63 : INFINITY;
    if (fabs(f->attr[VALUE].f) >= most)
        return ct__infer_fail(f, "value is %g, x %s; wanted a number that fits; cast x first",
                              f->attr[VALUE].f, ct_dtype_name((ct_dtype)f->in[0].dtype));
    f->out[0].shape = *s;
    for (int32_t i = 0; i < s->rank; i++) {
        int64_t before, after;
        widths(list, s->rank, i, &before, &after);
        if (!before && !after) continue;
        if (s->dim[i] < 0)
            return ct__infer_fail(f, "axis %d of x %s holds N; wanted another axis", i,
                                  ct_shape_format(s, text));
        if ((double)before > FAR || (double)before < -FAR || (double)after > FAR || (double)after < -FAR ||
            s->dim[i] + before + after < 0)
            return ct__infer_fail(f, "widths %lld and %lld of axis %d of x %s; wanted a result of 0 or more",
                                  (long long)before, (long long)after, i, ct_shape_format(s, text));
        f->out[0].shape.dim[i] += before + after;
    }
    return CT_OK;
}

extern const ct__op ct__op_pad;
static void grad(ct__grad *g) {
    const ct__ints *list = g->attr[PADS].list;
    ct__ints back = {0};
    if (!g->need[0]) return;
    for (int32_t i = 0; list && i < list->count; i++) back.v[i] = -list->v[i];
    back.count = list ? list->count : 0;
    ct__value a[] = {{.f = 0}, {.list = &back}};
    g->din[0] = ct__make(&ct__op_pad, g->dout, 1, a);
}

static int nothing(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    const ct__ints *list = node->attr[PADS].list;
    (void)g;
    (void)train;
    out[0] = in[0];
    for (int32_t i = 0; list && i < list->count; i++)
        if (list->v[i]) return 0;
    return 1;
}

/* Of axis i, elements max(0, -before) .. of x go to max(0, before) .. of y. An axis without them: an empty copy. */
static ct_status lower(ct__lower *l) {
    ct__mover *m = ct__mover_new(l);
    if (!m) return CT_ELIMIT;
    ct__strided *c = m->copy;
    int32_t rank = l->in[0].shape.rank;
    m->fill = 1;
    m->value = l->attr[VALUE].f;
    c->rank = rank;
    ct__strides(&l->in[0].shape, c->src);
    ct__strides(&l->out[0].shape, c->dst);
    for (int32_t i = 0; i < rank; i++) {
        int64_t before, after, extent = l->in[0].shape.dim[i];
        widths(l->attr[PADS].list, rank, i, &before, &after);
        int64_t from = before < 0 ? -before : 0, to = after < 0 ? extent + after : extent;
        c->dim[i] = to > from ? to - from : 0;
        c->src_begin += from * c->src[i];
        c->dst_begin += (before > 0 ? before : 0) * c->dst[i];
    }
    ct__strided_plan(c);
    return CT_OK;
}

static void ref(ct__ref *r) {
    const ct_shape *in = &r->in[0].shape, *out = &r->out[0].shape;
    for (uint64_t i = 0, n = ct__ref_count(&r->out[0]); i < n; i++) {
        int64_t rest = (int64_t)i, at = 0, step = 1, inside = 1;
        for (int32_t d = out->rank - 1; d >= 0; d--) {
            int64_t before, after;
            widths(r->attr[PADS].list, out->rank, d, &before, &after);
            int64_t k = rest % out->dim[d] - before;
            rest /= out->dim[d];
            inside &= k >= 0 && k < in->dim[d];
            at += k * step;
            step *= in->dim[d];
        }
        r->out[0].v[i] = inside ? r->in[0].v[at] : r->attr[VALUE].f;
    }
}

static const ct__case cases[] = {
    {.text = "x=f32[3,5]; pad(x, 0, 1, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[3,5]; pad(x, -1.5, 1, 2, 3, 0)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,7,8]; pad(x, 0, 1, 1, 2, 2)"},
    {.text = "x=f32[N,3,7,8]; pad(x, 0, 0, 0, 0, 1)"},
    {.text = "x=f32[N,3]; pad(x, 2.5, 0, 13)"},
    {.text = "x=f32[N,1,1]; pad(x, 1, 7, 8)"},
    {.text = "x=f32[N,9]; pad(x, 0, -2, -3)"},
    {.text = "x=f32[N,9]; pad(x, 0, -2, 4)"},
    {.text = "x=f32[N,9]; pad(x, 3, 5, -7, 0, 0)"},
    {.text = "x=f32[N,3,4]; pad(transpose(x, 0, 1), 0, 1, 1, 0, 0, 2, 1)"},
    {.text = "x=f32[2,3,2,2,2]; pad(x, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1)"},
    {.text = "x=f32[3,5]; pad(x, 0, -2, -3)"},
    {.text = "x=f32[3,5]; pad(x, 7, -6, 3)"},
    {.text = "x=f32[0,5]; pad(x, 4, 0, 0, 1, 1)"},
    {.text = "x=f32[3,5]; pad(x, 4)"},
    {.text = "x=f32[]; pad(x, 4)"},
    {.text = "x=i64<5>[N,3]; pad(x, -1, 2, 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=i32<5>[N,3]; pad(x, 1e10, 2, 1)",
     .error = "value is 1e+10, x i32; wanted a number that fits"},
    {.text = "x=i32<5>[3]; pad(x, 9, 1, 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[3,5]; pad(x, 0, 1)", .error = "1 widths for x [3,5]; wanted pairs, at most 4"},
    {.text = "x=f32[3]; pad(x, 0, 1, 1, 1, 1)", .error = "4 widths for x [3]"},
    {.text = "x=f32[N,5]; pad(x, 0, 0, 0, 1, 0)", .error = "axis 0 of x [N,5] holds N"},
    {.text = "x=f32[3,5]; pad(x, 0, -3, -3)", .error = "wanted a result of 0 or more"},
    {0},
};

const ct__op ct__op_pad = {
    .name = "pad",
    .summary = "a constant border, or a crop",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .grad = grad,
    .expand = nothing,
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};

/* x within a border of `value`: widths before and after in pairs from the last axis; negative widths crop. */
ct_t ct_pad(ct_t x, ct_shape pads, double value) {
    ct__ints list = {0};
    list.count = pads.rank;
    for (int32_t i = 0; i < pads.rank && i < CT_MAX_RANK; i++) list.v[i] = pads.dim[i];
    return ct__op_with(&ct__op_pad, &x, 1, (ct__value[]){{.f = value}, {.list = &list}}, NULL);
}
