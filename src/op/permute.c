/* Axes in another order, as a real copy.
 *
 *     permute(x, a0, a1, ...): axis i of the result is axis a_i of x
 *     transpose(x, a, b): the two axes swapped
 *     dx = dy with the inverse permutation
 *
 * Axes that stay together are folded, so [N,T,H,D] -> [N,H,T,D] copies runs of D and [N,T,C] -> [N,C,T] turns
 * 16 x 16 blocks (strided.h). Negative axes count from the end. */
#include "op/strided.h"

static const ct__attr permute_attrs[] = {
    POS_LIST(axes, "every axis of x once, in the new order; negative from the end"), {0}};
static const ct__attr transpose_attrs[] = {
    POS_INT(a, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1, "one axis; negative from the end"),
    POS_INT(b, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1, "the other axis"),
    {0},
};

/* The axis of x for each axis of the result; 0 when the list is no permutation. */
static int order_of(const ct__ints *list, int32_t rank, int32_t order[CT_MAX_RANK]) {
    uint32_t seen = 0;
    if ((list ? list->count : 0) != rank) return 0;
    for (int32_t i = 0; i < rank; i++) {
        order[i] = ct__axis(list->v[i], rank);
        if (order[i] < 0 || seen >> order[i] & 1) return 0;
        seen |= 1u << order[i];
    }
    return 1;
}

static ct_status permute_infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    int32_t order[CT_MAX_RANK];
    char text[CT_SHAPE_TEXT];
    if (!order_of(f->attr[0].list, s->rank, order))
        return ct__infer_fail(f, "the axes do not name each axis of x %s once; wanted a permutation of 0..%d",
                              ct_shape_format(s, text), s->rank - 1);
    f->out[0].shape.rank = s->rank;
    for (int32_t i = 0; i < s->rank; i++) f->out[0].shape.dim[i] = s->dim[order[i]];
    return CT_OK;
}

static ct_status transpose_infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    int32_t a = ct__axis(f->attr[0].i, s->rank), b = ct__axis(f->attr[1].i, s->rank);
    char text[CT_SHAPE_TEXT];
    if (a < 0 || b < 0)
        return ct__infer_fail(f, "axes are %lld and %lld, x is %s; wanted %d to %d", (long long)f->attr[0].i,
                              (long long)f->attr[1].i, ct_shape_format(s, text), -s->rank, s->rank - 1);
    f->out[0].shape = *s;
    f->out[0].shape.dim[a] = s->dim[b];
    f->out[0].shape.dim[b] = s->dim[a];
    return CT_OK;
}

static void permute_grad(ct__grad *g) {
    int32_t order[CT_MAX_RANK], rank = ct_shape_of(g->in[0]).rank;
    ct_shape inverse = {{0}, rank, 0};
    if (!g->need[0] || !order_of(g->attr[0].list, rank, order)) return;
    for (int32_t i = 0; i < rank; i++) inverse.dim[order[i]] = i;
    g->din[0] = ct_permute(g->dout[0], inverse);
}

static void transpose_grad(ct__grad *g) {
    if (g->need[0]) g->din[0] = ct_transpose(g->dout[0], g->attr[0].i, g->attr[1].i);
}

static int permute_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    int32_t order[CT_MAX_RANK], rank = ct_shape_of(in[0]).rank, moved = 0;
    (void)g;
    (void)train;
    if (!order_of(node->attr[0].list, rank, order)) return 0;
    for (int32_t i = 0; i < rank; i++) moved |= order[i] != i;
    out[0] = in[0];
    return !moved;
}

static int transpose_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_shape axes = {{0}, ct_shape_of(in[0]).rank, 0};
    int32_t a = ct__axis(node->attr[0].i, axes.rank), b = ct__axis(node->attr[1].i, axes.rank);
    (void)g;
    (void)train;
    for (int32_t i = 0; i < axes.rank; i++) axes.dim[i] = i == a ? b : i == b ? a : i;
    out[0] = ct_permute(in[0], axes);
    return 1;
}

static ct_status lower(ct__lower *l) {
    ct__mover *m = ct__mover_new(l);
    int32_t order[CT_MAX_RANK];
    int64_t stride[CT_MAX_RANK];
    if (!m) return CT_ELIMIT;
    ct__strided *c = m->copy;
    c->rank = l->out[0].shape.rank;
    if (!order_of(l->attr[0].list, c->rank, order)) return ct_fail(l->e, CT_EINTERNAL, "permute: bad axes");
    ct__strides(&l->in[0].shape, stride);
    ct__strides(&l->out[0].shape, c->dst);
    for (int32_t i = 0; i < c->rank; i++) {
        c->dim[i] = l->out[0].shape.dim[i];
        c->src[i] = stride[order[i]];
    }
    ct__strided_plan(c);
    return CT_OK;
}

/* One element of the result at a time: its index, permuted, found in x. */
static void ref_by(ct__ref *r, const int32_t *order) {
    const ct_shape *in = &r->in[0].shape, *out = &r->out[0].shape;
    for (uint64_t i = 0, n = ct__ref_count(&r->out[0]); i < n; i++) {
        int64_t index[CT_MAX_RANK] = {0}, rest = (int64_t)i, at = 0;
        for (int32_t d = out->rank - 1; d >= 0; d--) {
            index[order[d]] = rest % out->dim[d];
            rest /= out->dim[d];
        }
        for (int32_t d = 0; d < in->rank; d++) at = at * in->dim[d] + index[d];
        r->out[0].v[i] = r->in[0].v[at];
    }
}
static void permute_ref(ct__ref *r) {
    int32_t order[CT_MAX_RANK];
    if (order_of(r->attr[0].list, r->in[0].shape.rank, order)) ref_by(r, order);
}
static void transpose_ref(ct__ref *r) {
    int32_t order[CT_MAX_RANK], rank = r->in[0].shape.rank, a = ct__axis(r->attr[0].i, rank),
                                b = ct__axis(r->attr[1].i, rank);
    for (int32_t i = 0; i < rank; i++) order[i] = i == a ? b : i == b ? a : i;
    ref_by(r, order);
}

static const ct__case permute_cases[] = {
    {.text = "x=f32[3,5]; permute(x, 1, 0)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[17,33]; permute(x, 1, 0)"},
    {.text = "x=f32[16,16]; permute(x, 1, 0)"},
    {.text = "x=f32[1,9]; permute(x, 1, 0)"},
    {.text = "x=f32[N,7,2,8]; permute(x, 0, 2, 1, 3)"},
    {.text = "x=f32[N,2,7,8]; permute(x, 0, 2, 3, 1)"},
    {.text = "x=f32[N,5,3,1]; permute(x, 0, 2, 1, 3)"},
    {.text = "x=f32[N,3,4]; permute(x, 1, 0, 2)"},
    {.text = "x=f32[N,3,4]; permute(x, 2, 1, 0)"},
    {.text = "x=f32[N,3,4]; permute(permute(x, 1, 0, 2), 1, 2, 0)"},
    {.text = "x=f32[2,3,4,5,2]; permute(x, 4, 2, 0, 3, 1)"},
    {.text = "x=f32[2,3,1,4,1,2]; permute(x, 5, 4, 3, 2, 1, 0)"},
    {.text = "x=f32[2,3,4]; permute(x, 0, 1, 2)"},
    {.text = "x=f32[2,3,4]; permute(x, -1, 0, -2)"},
    {.text = "x=f32[0,3]; permute(x, 1, 0)"},
    {.text = "x=f32[]; permute(x)"},
    {.text = "x=f32[4]; permute(x, 0)"},
    {.text = "x=i64<9>[N,5,3]; permute(x, 0, 2, 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=i32<9>[15,17]; permute(x, 1, 0)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[2,3]; permute(x, 0)", .error = "do not name each axis of x [2,3] once"},
    {.text = "x=f32[2,3]; permute(x, 0, 0)", .error = "wanted a permutation of 0..1"},
    {.text = "x=f32[2,3]; permute(x, 0, 2)", .error = "wanted a permutation of 0..1"},
    {0},
};
static const ct__case transpose_cases[] = {
    {.text = "x=f32[N,3,5]; transpose(x, 1, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,5]; transpose(x, 0, -1)"},
    {.text = "x=f32[N,3,5]; transpose(x, 1, 1)"},
    {.text = "x=f32[8,9]; transpose(x, 0, 1)"},
    {.text = "x=f32[2,8,3,15,16]; transpose(x, 1, 3)"},
    {.text = "x=f32[3]; transpose(x, 0, 1)", .error = "axes are 0 and 1, x is [3]; wanted -1 to 0"},
    {0},
};

const ct__op ct__op_permute = {
    .name = "permute",
    .summary = "axes in another order",
    .attrs = permute_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_LINEAR,
    .infer = permute_infer,
    .grad = permute_grad,
    .expand = permute_expand,
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = permute_ref,
    .cases = permute_cases,
};
const ct__op ct__op_transpose = {
    .name = "transpose",
    .summary = "two axes swapped",
    .attrs = transpose_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = transpose_infer,
    .grad = transpose_grad,
    .expand = transpose_expand,
    .ref = transpose_ref,
    .cases = transpose_cases,
};

/* Axis i of the result is axis axes[i] of x. */
ct_t ct_permute(ct_t x, ct_shape axes) {
    ct__ints list = {0};
    list.count = axes.rank;
    for (int32_t i = 0; i < axes.rank && i < CT_MAX_RANK; i++) list.v[i] = axes.dim[i];
    return ct__op_with(&ct__op_permute, &x, 1, (ct__value[]){{.list = &list}}, NULL);
}
/* Axes a and b swapped. */
ct_t ct_transpose(ct_t x, int64_t a, int64_t b) {
    return ct__op_with(&ct__op_transpose, &x, 1, (ct__value[]){{.i = a}, {.i = b}}, NULL);
}
