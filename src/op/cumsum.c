/* The running sum along an axis (PyTorch's cumsum).
 *
 *     y_i = x_0 + ... + x_i;  dx_i = dy_i + ... + dy_last: the running sum from the other end
 *
 * Sums are kept in double. Another axis than the last is moved there and back. */
#include "op/common.h"

static const ct__attr attrs[] = {
    POS_INT(axis, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1, "the axis, negative from the end"), {0}};
static const ct__attr row_attrs[] = {POS_INT(reverse, CT__NODEF, 0, 1, "1: from the end"), {0}};

static ct_status infer(ct__infer *f) {
    char text[CT_SHAPE_TEXT];
    const ct_shape *s = &f->in[0].shape;
    if (ct__infer_dtype(f, 0, CT_F32)) return CT_EUSAGE;
    if (ct__axis(f->attr[0].i, s->rank) < 0)
        return ct__infer_fail(f, "axis is %lld, x is %s; wanted -%d to %d", (long long)f->attr[0].i,
                              ct_shape_format(s, text), s->rank, s->rank - 1);
    f->out[0].shape = *s;
    return CT_OK;
}
static ct_status row_infer(ct__infer *f) {
    f->out[0].shape = f->in[0].shape;
    return CT_OK;
}

extern const ct__op ct__op_row_cumsum;
static ct_t rows(ct_t x, int64_t reverse) {
    return ct__make(&ct__op_row_cumsum, &x, 1, (ct__value[]){{.i = reverse}});
}

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    int32_t rank = ct_shape_of(in[0]).rank, axis = ct__axis(node->attr[0].i, rank);
    (void)g;
    (void)train;
    out[0] = axis == rank - 1 ? rows(in[0], 0)
                              : ct_transpose(rows(ct_transpose(in[0], axis, rank - 1), 0), axis, rank - 1);
    return 1;
}
static void row_grad(ct__grad *g) { g->din[0] = rows(g->dout[0], !g->attr[0].i); }

static int batch(ct__batch *b) {
    if (b->in_place[0] == CT__SHARD && ct__batch_axis(&b->in[0].shape) == b->in[0].shape.rank - 1) return 0;
    return ct__batch_rows(b);
}

typedef struct sums {
    int64_t rows, columns;
    int32_t reverse, reserved;
} sums;
static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const sums *d = data;
    (void)x;
    for (int64_t r = 0; r < d->rows; r++) {
        const float *in = (const float *)arg[0] + r * d->columns;
        float *out = (float *)arg[1] + r * d->columns;
        double sum = 0;
        for (int64_t i = 0; i < d->columns; i++) {
            int64_t k = d->reverse ? d->columns - 1 - i : i;
            sum += (double)in[k];
            out[k] = (float)sum;
        }
    }
    return CT_OK;
}
static ct_status lower(ct__lower *l) {
    sums *d = CT__DATA(l, sums);
    if (!d) return CT_ELIMIT;
    const ct_shape *s = &l->in[0].shape;
    int64_t columns = s->dim[s->rank - 1];
    *d = (sums){columns ? ct__count(s) / columns : 0, columns, (int32_t)l->attr[0].i, 0};
    l->run = run;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}

static void ref_lines(ct__ref *r, int32_t axis, int reverse) {
    int64_t outer, n, inner;
    ct__split_axis(&r->in[0].shape, axis, &outer, &n, &inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++) {
            int64_t at = i / inner * n * inner + (reverse ? n - 1 - k : k) * inner + i % inner;
            r->out[0].v[at] = sum += r->in[0].v[at];
        }
    }
}
static void ref(ct__ref *r) { ref_lines(r, ct__axis(r->attr[0].i, r->in[0].shape.rank), 0); }
static void row_ref(ct__ref *r) { ref_lines(r, r->in[0].shape.rank - 1, (int)r->attr[0].i); }

static const ct__case cases[] = {
    {.text = "x=f32[N,7]; cumsum(x, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,7]; cumsum(x, 0)"},
    {.text = "x=f32[N,1]; cumsum(x, -1)"},
    {.text = "x=f32[N,3,5]; cumsum(x, 1)"},
    {.text = "x=f32[2,16]; cumsum(x, 1)"},
    {.text = "x=f32[17]; cumsum(x, 0)"},
    {.text = "x=f32[2,3,4,5]; cumsum(x, 2)"},
    {.text = "x=f32[0,4]; cumsum(x, 1)"},
    {.text = "x=f32[4,0]; cumsum(x, 1)"},
    {.text = "x=f32[N,33]; cumsum(x, 1)"},
    {.text = "x=f32[N,2,9]; cumsum(x, -1)"},
    {.text = "x=f32[N]; cumsum(x, 0)"},
    {.text = "x=f32[N,7]; cumsum(x, 2)", .error = "axis is 2"},
    {.text = "x=i64<5>[N,7]; cumsum(x, 1)", .error = "input 1 is i64; wanted f32"},
    {0},
};
const ct__op ct__op_cumsum = {
    .name = "cumsum",
    .summary = "running sum along an axis",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .expand = expand,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_row_cumsum = {
    .name = "row_cumsum",
    .summary = "running sum of the last axis",
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

/* Along `axis` (negative from the end). */
ct_t ct_cumsum(ct_t x, int64_t axis) {
    return ct__op_with(&ct__op_cumsum, &x, 1, (ct__value[]){{.i = axis}}, NULL);
}
