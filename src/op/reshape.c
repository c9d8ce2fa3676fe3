/* The same elements, in row-major order, under another shape: no memory is touched.
 *
 *     reshape(x, extents...): any shape of equal count; -1 stands for N, -k for k*N, so [N,T,C] <-> [-T,C] is exact
 *     flatten(x): [A,B,C,...] -> [A, B*C*...]
 *     squeeze(x, axis): drops an axis of extent 1 (another extent is an error)
 *     unsqueeze(x, axis): puts an axis of extent 1 before `axis` (-1: at the end)
 *     dx = dy under the shape of x
 *
 * N is symbolic: both shapes must hold it equally often and their fixed factors must have the same product.
 * A piece of the batch is reshaped by itself where the axis with N has the same number of elements before it
 * on both sides; a reshape that moves N runs on the whole batch. */
#include "op/common.h"

static const ct__attr reshape_attrs[] = {POS_LIST(shape, "the new extents; -1 is N, -k is k*N"), {0}};
static const ct__attr squeeze_attrs[] = {
    POS_INT(axis, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1, "the axis of extent 1; negative from the end"),
    {0}};
static const ct__attr unsqueeze_attrs[] = {
    POS_INT(axis, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1,
            "where the new axis stands in the result; negative from the end"),
    {0}};

/* How often N occurs, and the product of the other factors; 0 when it does not fit. */
static int factors(const ct_shape *s, int32_t *ns, uint64_t *product) {
    *ns = 0;
    *product = 1;
    for (int32_t i = 0; i < s->rank; i++) {
        int64_t d = s->dim[i];
        *ns += d < 0;
        if (d == INT64_MIN || !ct_mul_ok(*product, (uint64_t)(d < 0 ? -d : d), product)) return 0;
    }
    return 1;
}

static ct_status reshape_infer(ct__infer *f) {
    const ct__ints *list = f->attr[0].list;
    char from[CT_SHAPE_TEXT], to[CT_SHAPE_TEXT];
    int32_t rank = list ? list->count : 0, n_from, n_to;
    uint64_t count_from, count_to;
    if (rank < 0 || rank > CT_MAX_RANK)
        return ct__infer_fail(f, "%d extents; wanted at most %d", rank, CT_MAX_RANK);
    ct_shape s = ct_shape_make(rank, list ? list->v : NULL);
    if (!factors(&f->in[0].shape, &n_from, &count_from) || !factors(&s, &n_to, &count_to))
        return ct__infer_fail(f, "the product of the extents passes 64 bits; wanted fewer elements");
    ct_shape_format(&f->in[0].shape, from);
    ct_shape_format(&s, to);
    f->out[0].shape = s;
    if (count_from == 0 && count_to == 0) return CT_OK; /* nothing, whatever N is */
    if (n_from != n_to)
        return ct__infer_fail(
            f, "x is %s, the shape %s; wanted N as often in both (-1 is N, -k is k*N, nothing is guessed)",
            from, to);
    if (count_from != count_to)
        return ct__infer_fail(f, "x is %s with %llu elements%s, the shape %s has %llu; wanted as many", from,
                              (unsigned long long)count_from, n_from ? " a sample" : "", to,
                              (unsigned long long)count_to);
    return CT_OK;
}

static ct_status flatten_infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    ct_shape rest;
    char text[CT_SHAPE_TEXT];
    int32_t ns;
    uint64_t product;
    if (ct__infer_rank(f, 0, 1, CT_MAX_RANK)) return CT_EUSAGE;
    rest = ct_shape_make(s->rank - 1, s->dim + 1);
    if (!factors(&rest, &ns, &product) || product > INT64_MAX || ns > 1)
        return ct__infer_fail(f, "x is %s; wanted N in one axis and a product that fits",
                              ct_shape_format(s, text));
    int64_t d[2] = {s->dim[0], ns ? -(int64_t)product : (int64_t)product};
    f->out[0].shape = ct_shape_make(2, d);
    return CT_OK;
}

static ct_status squeeze_infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    char text[CT_SHAPE_TEXT];
    int32_t axis = ct__axis(f->attr[0].i, s->rank), rank = 0;
    if (axis < 0 || s->dim[axis] != 1)
        return ct__infer_fail(f, "axis is %lld, x is %s; wanted an axis of extent 1", (long long)f->attr[0].i,
                              ct_shape_format(s, text));
    int64_t d[CT_MAX_RANK];
    for (int32_t i = 0; i < s->rank; i++)
        if (i != axis) d[rank++] = s->dim[i];
    f->out[0].shape = ct_shape_make(rank, d);
    return CT_OK;
}

static ct_status unsqueeze_infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    int32_t axis = ct__axis(f->attr[0].i, s->rank + 1);
    if (s->rank == CT_MAX_RANK)
        return ct__infer_fail(f, "x has %d axes; wanted at most %d", s->rank, CT_MAX_RANK - 1);
    if (axis < 0)
        return ct__infer_fail(f, "axis is %lld, x has %d axes; wanted %d to %d", (long long)f->attr[0].i,
                              s->rank, -s->rank - 1, s->rank);
    int64_t d[CT_MAX_RANK];
    for (int32_t i = 0; i <= s->rank; i++) d[i] = i < axis ? s->dim[i] : i == axis ? 1 : s->dim[i - 1];
    f->out[0].shape = ct_shape_make(s->rank + 1, d);
    return CT_OK;
}

static void grad(ct__grad *g) {
    if (g->need[0]) g->din[0] = ct_reshape(g->dout[0], ct_shape_of(g->in[0]));
}

static int64_t before(const ct_shape *s, int32_t axis) {
    int64_t n = 1;
    for (int32_t i = 0; i < axis; i++) n *= s->dim[i];
    return n;
}

static int batch(ct__batch *b) {
    int32_t in = ct__batch_axis(&b->in[0].shape), out = ct__batch_axis(&b->out[0].shape);
    if (in < 0 || out < 0 || before(&b->in[0].shape, in) != before(&b->out[0].shape, out)) return 0;
    b->out_place[0] = b->in_place[0];
    return 1;
}

static void ref(ct__ref *r) {
    for (uint64_t i = 0, n = ct__ref_count(&r->out[0]); i < n; i++) r->out[0].v[i] = r->in[0].v[i];
}

static const ct__case reshape_cases[] = {
    {.text = "x=f32[2,3,4]; reshape(x, 4, 6)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[24]; reshape(x, 2, 3, 4)"},
    {.text = "x=f32[N,3,4]; reshape(x, -1, 12)"},
    {.text = "x=f32[N,3,4]; reshape(x, -3, 4)"},
    {.text = "x=f32[N,3,4]; reshape(x, -12)"},
    {.text = "x=f32[N,12]; reshape(x, -6, 2)"},
    {.text = "x=f32[N,12]; reshape(x, -1, 3, 2, 2)"},
    {.text = "x=f32[N,6]; reshape(x, 2, -1, 3)"},
    {.text = "x=f32[N,3]; reshape(x, 1, -1, 3)"},
    {.text = "x=f32[N,3,4]; reshape(transpose(x, 0, 1), 3, -2, 2)"},
    {.text = "x=f32[N,3,4]; reshape(transpose(x, 0, 1), -3, 4)"},
    {.text = "x=f32[1]; reshape(x)"},
    {.text = "x=f32[]; reshape(x, 1, 1)"},
    {.text = "x=f32[0,3]; reshape(x, 3, 0, 7)"},
    {.text = "x=f32[3,N,0]; reshape(x, 3, 0)"},
    {.text = "x=f32[0,3]; reshape(x, 0, -1)"},
    {.text = "x=i64<5>[N,4]; reshape(x, -2, 2)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[N,3]; relu(reshape(relu(x), -3))"},
    {.text = "x=f32[2,3]; reshape(x, 5)",
     .error = "x is [2,3] with 6 elements, the shape [5] has 5; wanted as many"},
    {.text = "x=f32[2,3]; reshape(x, -1, 3)", .error = "wanted N as often in both"},
    {.text = "x=f32[N,3]; reshape(x, -1, 4)", .error = "elements a sample"},
    {.text = "x=f32[N,3]; reshape(x, 3)", .error = "wanted N as often in both"},
    {.text = "x=f32[N,3]; reshape(x, 1, 1, 1, 1, 1, 1, 1, -1, 3)", .error = "9 extents; wanted at most 8"},
    {.text = "x=f32[2]; reshape(x, 4294967296, 4294967296)", .error = "passes 64 bits"},
    {0},
};
static const ct__case flatten_cases[] = {
    {.text = "x=f32[N,3,5,5]; flatten(x)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[2,17]; flatten(x)"},
    {.text = "x=f32[N]; flatten(x)"},
    {.text = "x=f32[N,3,2]; flatten(transpose(x, 0, 1))"},
    {.text = "x=f32[4,0,3]; flatten(x)"},
    {.text = "x=f32[N,3,0]; flatten(transpose(x, 0, 1))"},
    {.text = "x=f32[]; flatten(x)", .error = "wanted 1 to 8 axes"},
    {0},
};
static const ct__case squeeze_cases[] = {
    {.text = "x=f32[N,1,3]; squeeze(x, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3]; relu(squeeze(unsqueeze(relu(x), 0), 0))"},
    {.text = "x=f32[N,1]; squeeze(x, -1)"},
    {.text = "x=f32[1]; squeeze(x, 0)"},
    {.text = "x=f32[N,3]; squeeze(x, 1)", .error = "axis is 1, x is [N,3]; wanted an axis of extent 1"},
    {.text = "x=f32[N,1]; squeeze(x, 2)", .error = "wanted an axis of extent 1"},
    {0},
};
static const ct__case unsqueeze_cases[] = {
    {.text = "x=f32[N,3]; unsqueeze(x, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3]; unsqueeze(x, 0)"},
    {.text = "x=f32[N,3]; unsqueeze(x, -1)"},
    {.text = "x=f32[]; unsqueeze(x, 0)"},
    {.text = "x=f32[N,3]; unsqueeze(x, 3)", .error = "axis is 3, x has 2 axes; wanted -3 to 2"},
    {.text = "x=f32[1,1,1,1,1,1,1,1]; unsqueeze(x, 0)", .error = "wanted at most 7"},
    {0},
};

#define VIEW_FLAGS (CT__OP_VIEW | CT__OP_LINEAR)
const ct__op ct__op_reshape = {
    .name = "reshape",
    .summary = "the same elements in another shape",
    .attrs = reshape_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = VIEW_FLAGS,
    .infer = reshape_infer,
    .grad = grad,
    .batch = batch,
    .ref = ref,
    .cases = reshape_cases,
};
const ct__op ct__op_flatten = {
    .name = "flatten",
    .summary = "all axes but the first as one",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = VIEW_FLAGS,
    .infer = flatten_infer,
    .grad = grad,
    .batch = batch,
    .ref = ref,
    .cases = flatten_cases,
};
const ct__op ct__op_squeeze = {
    .name = "squeeze",
    .summary = "without an axis of extent 1",
    .attrs = squeeze_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = VIEW_FLAGS,
    .infer = squeeze_infer,
    .grad = grad,
    .batch = batch,
    .ref = ref,
    .cases = squeeze_cases,
};
const ct__op ct__op_unsqueeze = {
    .name = "unsqueeze",
    .summary = "with another axis of extent 1",
    .attrs = unsqueeze_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = VIEW_FLAGS,
    .infer = unsqueeze_infer,
    .grad = grad,
    .batch = batch,
    .ref = ref,
    .cases = unsqueeze_cases,
};

/* The elements of x, in order, as `shape`; -1 is N, -k is k*N. */
ct_t ct_reshape(ct_t x, ct_shape shape) {
    ct__ints list = {0};
    if (ct_ok(x) && ct_shape_equal(&x.node->out[x.out].shape, &shape)) return x;
    list.count = shape.rank;
    for (int32_t i = 0; i < shape.rank && i < CT_MAX_RANK; i++) list.v[i] = shape.dim[i];
    return ct__op_with(&ct__op_reshape, &x, 1, (ct__value[]){{.list = &list}}, NULL);
}
/* [A,B,C,...] -> [A, B*C*...]. */
ct_t ct_flatten(ct_t x) { return ct__op1(&ct__op_flatten, x); }
/* Without `axis`, whose extent must be 1. */
ct_t ct_squeeze(ct_t x, int64_t axis) {
    return ct__op_with(&ct__op_squeeze, &x, 1, (ct__value[]){{.i = axis}}, NULL);
}
/* With an axis of extent 1 that stands at `axis` of the result. */
ct_t ct_unsqueeze(ct_t x, int64_t axis) {
    return ct__op_with(&ct__op_unsqueeze, &x, 1, (ct__value[]){{.i = axis}}, NULL);
}
