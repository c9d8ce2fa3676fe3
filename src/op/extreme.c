/* The largest and the smallest over axes (PyTorch's amax, amin), and where the largest lies (argmax).
 *
 *     max(x, axes), min(x, axes): dx = dy shared equally by all places that hold the value
 *     argmax(x, axis) -> i64: the first of equals; no gradient
 *
 * NaN wins everywhere. The axes are moved last and merged; the kernels walk rows. */
#include "op/reduce.h"

static const ct__attr attrs[] = {OPT_INT(ct_reduce, keep, 0, 0, 1, "1: reduced axes stay, with extent 1"),
                                 POS_LIST(axes, "axes, negative from the end; none: all"),
                                 {0}};
static const ct__attr arg_attrs[] = {
    POS_INT(axis, -1, -CT_MAX_RANK, CT_MAX_RANK - 1, "the axis, negative from the end"),
    OPT_INT(ct_argmax_options, keep, 0, 0, 1, "1: the axis stays, with extent 1"),
    {0}};
static const ct__attr row_attrs[] = {POS_INT(least, CT__NODEF, 0, 1, "1: the smallest"), {0}};

static ct_status not_empty(const ct__infer *f, const ct_shape *out) {
    char text[CT_SHAPE_TEXT];
    int zero = 0, zero_out = 0;
    for (int32_t i = 0; i < f->in[0].shape.rank; i++) zero |= f->in[0].shape.dim[i] == 0;
    for (int32_t i = 0; i < out->rank; i++) zero_out |= out->dim[i] == 0;
    if (zero && !zero_out)
        return ct__infer_fail(f, "x is %s; wanted at least one number for each result",
                              ct_shape_format(&f->in[0].shape, text));
    return CT_OK;
}
static ct_status infer(ct__infer *f) {
    ct_status s = ct__reduce_infer(f);
    return s ? s : not_empty(f, &f->out[0].shape);
}
static ct_status arg_infer(ct__infer *f) {
    char text[CT_SHAPE_TEXT];
    ct_shape out = f->in[0].shape;
    int32_t axis = ct__axis(f->attr[0].i, out.rank);
    if (ct__infer_dtype(f, 0, CT_F32)) return CT_EUSAGE;
    if (axis < 0)
        return ct__infer_fail(f, "axis is %lld, x is %s; wanted -%d to %d", (long long)f->attr[0].i,
                              ct_shape_format(&out, text), out.rank, out.rank - 1);
    out.dim[axis] = 1;
    for (int32_t i = axis; !f->attr[1].i && i + 1 < out.rank; i++) out.dim[i] = out.dim[i + 1];
    if (!f->attr[1].i) out.dim[--out.rank] = 0;
    f->out[0] = (ct__type){CT_I64, 0, out};
    return not_empty(f, &out);
}
static ct_status row_infer(ct__infer *f) {
    f->out[0].shape = f->in[0].shape;
    f->out[0].shape.dim[--f->out[0].shape.rank] = 0;
    return CT_OK;
}
static ct_status row_arg_infer(ct__infer *f) {
    row_infer(f);
    f->out[0].dtype = CT_I64;
    return CT_OK;
}

extern const ct__op ct__op_row_extreme, ct__op_row_argmax;

static int expand_to(ct_node *node, ct_t x, int64_t least, ct_t *out) {
    ct__value attr[1] = {{.i = least}};
    ct_t rows = ct__reduce_rows(x, node->attr);
    out[0] = ct_reshape(ct__make(&ct__op_row_extreme, &rows, 1, attr), node->out[0].shape);
    return 1;
}
static int max_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    return expand_to(node, in[0], 0, out);
}
static int min_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    return expand_to(node, in[0], 1, out);
}
static int arg_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_shape s = ct_shape_of(in[0]);
    int32_t axis = ct__axis(node->attr[0].i, s.rank), n = 0;
    ct_shape order = {{0}, s.rank, 0};
    (void)g;
    (void)train;
    for (int32_t i = 0; i < s.rank; i++)
        if (i != axis) order.dim[n++] = i;
    order.dim[n] = axis;
    out[0] = ct_reshape(ct__op1(&ct__op_row_argmax, ct_permute(in[0], order)), node->out[0].shape);
    return 1;
}

/* The cotangent goes to the places that hold the value, in equal shares. */
static void row_grad(ct__grad *g) {
    ct_t y = ct_unsqueeze(g->out[0], -1), dy = ct_unsqueeze(g->dout[0], -1);
    ct_t holds = ct_cast(ct_eq(g->in[0], y), CT_F32),
         shares = ct_sum(holds, CT_SHAPE(-1), (ct_reduce){.keep = 1});
    g->din[0] = ct_mul(holds, ct_div(dy, shares));
}

static int batch(ct__batch *b) {
    if (b->in_place[0] == CT__SHARD && ct__batch_axis(&b->in[0].shape) == b->in[0].shape.rank - 1) return 0;
    return ct__batch_rows(b);
}

typedef struct rows {
    int64_t rows, columns;
    int32_t least, reserved;
} rows;

static float extreme(const float *x, int64_t n, int least) {
    float best = x[0];
    for (int64_t i = 1; i < n; i++) best = (least ? x[i] < best : x[i] > best) || x[i] != x[i] ? x[i] : best;
    return best;
}
static int64_t place_of_max(const float *x, int64_t n) {
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[at] || (x[i] != x[i] && x[at] == x[at])) at = i;
    return at;
}
static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    (void)x;
    for (int64_t r = 0; r < d->rows; r++)
        ((float *)arg[1])[r] = extreme((const float *)arg[0] + r * d->columns, d->columns, d->least);
    return CT_OK;
}
static ct_status run_arg(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    (void)x;
    for (int64_t r = 0; r < d->rows; r++)
        ((int64_t *)arg[1])[r] = place_of_max((const float *)arg[0] + r * d->columns, d->columns);
    return CT_OK;
}
static ct_status lower_with(ct__lower *l, ct__kernel kernel, int least) {
    rows *d = CT__DATA(l, rows);
    if (!d) return CT_ELIMIT;
    const ct_shape *s = &l->in[0].shape;
    *d = (rows){ct__count(&l->out[0].shape), s->dim[s->rank - 1], least, 0};
    l->run = kernel;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}
static ct_status lower(ct__lower *l) { return lower_with(l, run, (int)l->attr[0].i); }
static ct_status arg_lower(ct__lower *l) { return lower_with(l, run_arg, 0); }

/* ---- references ---- */
static int beats(double x, double best, int least) {
    return isnan(x) || (!isnan(best) && (least ? x < best : x > best));
}
static void ref_axes(ct__ref *r, int least) {
    uint8_t reduced[CT_MAX_RANK];
    int64_t index[CT_MAX_RANK] = {0};
    const ct_shape *s = &r->in[0].shape;
    ct__reduce_axes(r->attr, s->rank, reduced);
    for (uint64_t k = 0; k < ct__ref_count(&r->out[0]); k++) r->out[0].v[k] = least ? INFINITY : -INFINITY;
    for (uint64_t k = 0; k < ct__ref_count(&r->in[0]); k++) {
        int64_t at = 0;
        for (int32_t i = 0; i < s->rank; i++)
            if (!reduced[i]) at = at * s->dim[i] + index[i];
        if (beats(r->in[0].v[k], r->out[0].v[at], least)) r->out[0].v[at] = r->in[0].v[k];
        for (int32_t i = s->rank - 1; i >= 0 && ++index[i] == s->dim[i]; i--) index[i] = 0;
    }
}
static void max_ref(ct__ref *r) { ref_axes(r, 0); }
static void min_ref(ct__ref *r) { ref_axes(r, 1); }
static void row_ref(ct__ref *r) {
    int64_t n = r->in[0].shape.dim[r->in[0].shape.rank - 1];
    for (uint64_t k = 0; k < ct__ref_count(&r->out[0]); k++) {
        const double *x = r->in[0].v + (int64_t)k * n;
        r->out[0].v[k] = x[0];
        for (int64_t i = 1; i < n; i++)
            if (beats(x[i], r->out[0].v[k], (int)r->attr[0].i)) r->out[0].v[k] = x[i];
    }
}
static void ref_argmax(const ct__ref *r, int32_t axis, double *out) {
    int64_t outer, n, inner;
    ct__split_axis(&r->in[0].shape, axis, &outer, &n, &inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        const double *x = r->in[0].v + i / inner * n * inner + i % inner;
        int64_t at = 0;
        for (int64_t k = 1; k < n; k++)
            if (beats(x[k * inner], x[at * inner], 0) && !isnan(x[at * inner])) at = k;
        out[i] = (double)at;
    }
}
static void arg_ref(ct__ref *r) { ref_argmax(r, ct__axis(r->attr[0].i, r->in[0].shape.rank), r->out[0].v); }
static void row_arg_ref(ct__ref *r) { ref_argmax(r, r->in[0].shape.rank - 1, r->out[0].v); }

#define CASES(name) \
    static const ct__case name##_cases[] = { \
        {.text = "x=f32[N,5]; " #name "(x)"}, \
        {.text = "x=f32[N,5]; " #name "(x, 0)"}, \
        {.text = "x=f32[N,5]; " #name "(x, 1)"}, \
        {.text = "x=f32[N,5]; " #name "(x, -1, keep=1)"}, \
        {.text = "x=f32[N,3,17]; " #name "(x, 0, 2)"}, \
        {.text = "x=f32[N,3,4,5]; " #name "(x, 1, 3, keep=1)"}, \
        {.text = "x=f32[7,16]; " #name "(x, 1)"}, \
        {.text = "x=f32[3,15]; " #name "(x)"}, \
        {.text = "x=f32[1]; " #name "(x)"}, \
        {.text = "x=f32[N,1]; " #name "(x, 1)"}, \
        {.text = "x=f32[0,3]; " #name "(x, 1)"}, \
        {.text = "x=f32[N,33]; " #name "(x, 1)", .flags = CT__CASE_SECOND}, \
        {.text = "x=f32[3,0]; " #name "(x, 1)", .error = "at least one number"}, \
        {.text = "x=f32[3,5]; " #name "(x, 2)", .error = "an axis is out of range"}, \
        {.text = "x=i64<5>[3]; " #name "(x)", .error = "input 1 is i64; wanted f32"}, \
        {0}};
CASES(max)
CASES(min)
static const ct__case arg_cases[] = {
    {.text = "x=f32[N,5]; argmax(x, 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[N,5]; argmax(x, 0)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[N,5]; argmax(x, 1, keep=1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[N,3,17]; argmax(x, 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[N,16]; argmax(x)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[7]; argmax(x, 0)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[N,1]; argmax(x)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[2,3,4]; argmax(x, -2)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[N,0]; argmax(x, 1)", .error = "at least one number"},
    {.text = "x=f32[N,5]; argmax(x, 2)", .error = "axis is 2"},
    {0},
};

const ct__op ct__op_max = {
    .name = "max",
    .summary = "the largest over axes",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .expand = max_expand,
    .ref = max_ref,
    .cases = max_cases,
};
const ct__op ct__op_min = {
    .name = "min",
    .summary = "the smallest over axes",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .expand = min_expand,
    .ref = min_ref,
    .cases = min_cases,
};
const ct__op ct__op_argmax = {
    .name = "argmax",
    .summary = "where the largest lies",
    .attrs = arg_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = arg_infer,
    .nondiff = "its result is an index",
    .expand = arg_expand,
    .ref = arg_ref,
    .cases = arg_cases,
};
const ct__op ct__op_row_extreme = {
    .name = "row_extreme",
    .summary = "the largest or smallest of the last axis",
    .attrs = row_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = row_infer,
    .grad = row_grad,
    .batch = batch,
    .lower = lower,
    .ref = row_ref,
};
const ct__op ct__op_row_argmax = {
    .name = "row_argmax",
    .summary = "argmax of the last axis",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = row_arg_infer,
    .nondiff = "its result is an index",
    .batch = batch,
    .lower = arg_lower,
    .ref = row_arg_ref,
};

/* The largest over `axes` (rank 0: all). */
ct_t ct_max(ct_t x, ct_shape axes, ct_reduce options) {
    return ct__reduce_with(&ct__op_max, x, axes, &options);
}
/* The smallest over `axes` (rank 0: all). */
ct_t ct_min(ct_t x, ct_shape axes, ct_reduce options) {
    return ct__reduce_with(&ct__op_min, x, axes, &options);
}
/* The index of the largest along `axis`, i64; the first of equals. */
ct_t ct_argmax(ct_t x, int64_t axis, ct_argmax_options options) {
    return ct__op_with(&ct__op_argmax, &x, 1, (ct__value[]){{.i = axis}}, &options);
}
