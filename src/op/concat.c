/* Tensors one after the other.
 *
 *     concat(a, b, ..., axis): along an axis they have; all other extents equal
 *     stack(a, b, ..., axis): equal shapes along a new axis     (expands into concat)
 *     da = the part of dy that came from a (slices)
 *
 * The rows of the batch keep their place, so concat refuses the axis that holds N: stack on axis 0 and
 * reshape [2,N,...] to [-2,...] puts two batches after each other. Up to 64 tensors of one type. */
#include "op/strided.h"

static const ct__attr concat_attrs[] = {
    POS_INT(axis, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1, "the axis; negative from the end"), {0}};
static const ct__attr stack_attrs[] = {
    POS_INT(axis, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1,
            "where the new axis stands in the result; negative from the end"),
    {0}};

static ct_status same_types(const ct__infer *f) {
    for (int32_t i = 1; i < f->n_in; i++)
        if (ct__infer_dtype(f, i, f->in[0].dtype)) return CT_EUSAGE;
    return CT_OK;
}

static ct_status concat_infer(ct__infer *f) {
    ct_shape s = f->in[0].shape;
    char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
    int32_t axis = ct__axis(f->attr[0].i, s.rank);
    if (same_types(f)) return CT_EUSAGE;
    if (axis < 0)
        return ct__infer_fail(f, "axis is %lld, input 1 is %s; wanted %d to %d", (long long)f->attr[0].i,
                              ct_shape_format(&s, a), -s.rank, s.rank - 1);
    for (int32_t i = 0; i < f->n_in; i++) {
        ct_shape other = f->in[i].shape;
        if (other.rank == s.rank && other.dim[axis] < 0)
            return ct__infer_fail(
                f, "axis %d of input %d %s holds N; wanted another axis, or stack on axis 0 and reshape",
                axis, i + 1, ct_shape_format(&other, a));
        if (i == 0) continue;
        int64_t extent = other.rank == s.rank ? other.dim[axis] : 0;
        if (other.rank == s.rank) other.dim[axis] = s.dim[axis];
        if (!ct_shape_equal(&other, &s))
            return ct__infer_fail(f, "input 1 is %s, input %d %s; wanted equal extents but on axis %d",
                                  ct_shape_format(&f->in[0].shape, a), i + 1,
                                  ct_shape_format(&f->in[i].shape, b), axis);
        if (extent > INT64_MAX - s.dim[axis])
            return ct__infer_fail(f, "the extents of axis %d pass 64 bits", axis);
        s.dim[axis] += extent;
    }
    f->out[0].shape = s;
    return CT_OK;
}

static ct_status stack_infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    int32_t axis = ct__axis(f->attr[0].i, s->rank + 1);
    if (same_types(f)) return CT_EUSAGE;
    for (int32_t i = 1; i < f->n_in; i++)
        if (ct__infer_same_shape(f, 0, i)) return CT_EUSAGE;
    if (axis < 0 || s->rank == CT_MAX_RANK)
        return ct__infer_fail(f, "axis is %lld, inputs have %d axes; wanted %d to %d, and at most %d axes",
                              (long long)f->attr[0].i, s->rank, -s->rank - 1, s->rank, CT_MAX_RANK - 1);
    f->out[0].shape.rank = s->rank + 1;
    for (int32_t i = 0; i <= s->rank; i++)
        f->out[0].shape.dim[i] = i < axis ? s->dim[i] : i == axis ? f->n_in : s->dim[i - 1];
    return CT_OK;
}

static void concat_grad(ct__grad *g) {
    int32_t axis = ct__axis(g->attr[0].i, ct_shape_of(g->in[0]).rank);
    int64_t begin = 0;
    for (int32_t i = 0; i < g->n_in; i++) {
        int64_t extent = ct_shape_of(g->in[i]).dim[axis];
        if (g->need[i]) g->din[i] = ct_slice(g->dout[0], axis, begin, begin + extent, 1);
        begin += extent;
    }
}

/* From the result's rank, so that -1 is its last axis. */
static void stack_grad(ct__grad *g) {
    int32_t axis = ct__axis(g->attr[0].i, ct_shape_of(g->in[0]).rank + 1);
    for (int32_t i = 0; i < g->n_in; i++)
        if (g->need[i]) g->din[i] = ct_squeeze(ct_slice(g->dout[0], axis, i, i + 1, 1), axis);
}

static int alone(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    out[0] = in[0];
    return node->n_in == 1;
}

static int stack_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_t part[CT__MAX_IN];
    (void)g;
    (void)train;
    for (int32_t i = 0; i < node->n_in; i++) part[i] = ct_unsqueeze(in[i], node->attr[0].i);
    out[0] = ct_concat(part, node->n_in, node->attr[0].i);
    return 1;
}

static ct_status lower(ct__lower *l) {
    ct__mover *m = ct__mover_new(l);
    int32_t rank = l->out[0].shape.rank, axis = ct__axis(l->attr[0].i, rank);
    int64_t begin = 0;
    if (!m) return CT_ELIMIT;
    for (int32_t i = 0; i < l->n_in; i++) {
        ct__strided *c = &m->copy[i];
        c->rank = rank;
        memcpy(c->dim, l->in[i].shape.dim, sizeof c->dim);
        ct__strides(&l->in[i].shape, c->src);
        ct__strides(&l->out[0].shape, c->dst);
        c->dst_begin = begin * c->dst[axis];
        begin += c->dim[axis];
        ct__strided_plan(c);
    }
    return CT_OK;
}

/* y[o][begin + i][k] = x[o][i][k] */
static void place(ct__ref *r, int32_t input, int64_t outer, int64_t extent, int64_t inner, int64_t total,
                  int64_t begin) {
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < extent; i++)
            for (int64_t k = 0; k < inner; k++)
                r->out[0].v[(o * total + begin + i) * inner + k] =
                    r->in[input].v[(o * extent + i) * inner + k];
}
static void concat_ref(ct__ref *r) {
    int32_t axis = ct__axis(r->attr[0].i, r->out[0].shape.rank);
    int64_t begin = 0, outer, extent, inner;
    for (int32_t i = 0; i < r->n_in; i++) {
        ct__split_axis(&r->in[i].shape, axis, &outer, &extent, &inner);
        place(r, i, outer, extent, inner, r->out[0].shape.dim[axis], begin);
        begin += extent;
    }
}
static void stack_ref(ct__ref *r) {
    int32_t axis = ct__axis(r->attr[0].i, r->out[0].shape.rank);
    int64_t outer, extent, inner;
    ct__split_axis(&r->out[0].shape, axis, &outer, &extent, &inner);
    for (int32_t i = 0; i < r->n_in; i++) place(r, i, outer, 1, inner, extent, i);
}

static const ct__case concat_cases[] = {
    {.text = "x=f32[3,5]; y=f32[3,2]; concat(x, y, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[3,5]; y=f32[4,5]; concat(x, y, 0)"},
    {.text = "x=f32[N,7]; y=f32[N,9]; concat(x, y, -1)"},
    {.text = "x=f32[N,3,4]; y=f32[N,1,4]; z=f32[N,16,4]; concat(x, y, z, 1)"},
    {.text = "x=f32[N,3,8,2]; y=f32[N,3,15,2]; concat(y, x, y, 2)"},
    {.text = "x=f32[N,2,3]; y=f32[N,1,3]; concat(transpose(x, 0, 1), transpose(y, 0, 1), 0)"},
    {.text = "x=f32[N,4]; concat(x, 1)"},
    {.text = "x=f32[N,4]; concat(x, x, 1)"},
    {.text = "x=f32[3]; y=f32[17]; concat(x, y, 0)"},
    {.text = "x=f32[3,0]; y=f32[3,2]; concat(x, y, 1)"},
    {.text = "x=i64<9>[N,3]; y=i64<9>[N,2]; concat(x, y, 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=i32<9>[3]; y=i32<9>[2]; concat(x, y, 0)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[3,5]; y=f32[3,5]; concat(x, y, 2)",
     .error = "axis is 2, input 1 is [3,5]; wanted -2 to 1"},
    {.text = "x=f32[3,5]; y=f32[4,5]; concat(x, y, 1)",
     .error = "input 1 is [3,5], input 2 [4,5]; wanted equal extents but on axis 1"},
    {.text = "x=f32[3,5]; y=f32[3]; concat(x, y, 1)", .error = "input 2 [3]"},
    {.text = "x=f32[N,5]; y=f32[N,5]; concat(x, y, 0)",
     .error = "holds N; wanted another axis, or stack on axis 0"},
    {.text = "x=f32[3]; y=i64<5>[3]; concat(x, y, 0)", .error = "input 2 is i64; wanted f32"},
    {0},
};
static const ct__case stack_cases[] = {
    {.text = "x=f32[3,5]; y=f32[3,5]; stack(x, y, 0)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5]; y=f32[N,5]; stack(x, y, 0)"},
    {.text = "x=f32[N,5]; y=f32[N,5]; reshape(stack(x, y, 0), -2, 5)"},
    {.text = "x=f32[N,5]; y=f32[N,5]; z=f32[N,5]; stack(x, y, z, 1)"},
    {.text = "x=f32[N,5]; y=f32[N,5]; stack(x, y, -1)"},
    {.text = "x=f32[]; y=f32[]; stack(x, y, 0)"},
    {.text = "x=f32[N,16]; stack(x, 1)"},
    {.text = "x=f32[3]; y=f32[4]; stack(x, y, 0)", .error = "wanted equal shapes"},
    {.text = "x=f32[3]; y=f32[3]; stack(x, y, 2)", .error = "axis is 2, inputs have 1 axes; wanted -2 to 1"},
    {0},
};

const ct__op ct__op_concat = {
    .name = "concat",
    .summary = "tensors one after the other along an axis",
    .attrs = concat_attrs,
    .inputs_min = 1,
    .inputs_max = CT__MAX_IN,
    .flags = CT__OP_LINEAR,
    .infer = concat_infer,
    .grad = concat_grad,
    .expand = alone,
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = concat_ref,
    .cases = concat_cases,
};
const ct__op ct__op_stack = {
    .name = "stack",
    .summary = "equal tensors along a new axis",
    .attrs = stack_attrs,
    .inputs_min = 1,
    .inputs_max = CT__MAX_IN,
    .infer = stack_infer,
    .grad = stack_grad,
    .expand = stack_expand,
    .ref = stack_ref,
    .cases = stack_cases,
};

/* x[0], x[1], ... x[n-1] one after the other along `axis`. */
ct_t ct_concat(const ct_t *x, int32_t n, int64_t axis) {
    return ct__op_with(&ct__op_concat, x, n, (ct__value[]){{.i = axis}}, NULL);
}
/* x[0] ... x[n-1], of one shape, along a new axis that stands at `axis` of the result. */
ct_t ct_stack(const ct_t *x, int32_t n, int64_t axis) {
    return ct__op_with(&ct__op_stack, x, n, (ct__value[]){{.i = axis}}, NULL);
}
