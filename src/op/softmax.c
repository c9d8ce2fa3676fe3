/* Softmax, log-softmax and logsumexp.
 *
 *     softmax(x, axis):      y_i = e^x_i / sum_k e^x_k          dx = y (dy - sum y dy)
 *     log_softmax(x, axis):  y_i = x_i - log sum_k e^x_k        dx = dy - e^y sum dy
 *     logsumexp(x, axes):    y = log sum e^x over the axes (none: all)      dx = dy e^(x - y)
 *
 * Infinite numbers give the limit: nothing but -inf along the axis gives zeros (logarithms: -inf), +inf in k places
 * 1/k there and 0 elsewhere; NaN makes all of it NaN. (PyTorch's softmax is NaN in all three.) The kernels walk
 * rows; an axis that is not the last is moved there and back. */
#include "kern/row.h"
#include "op/common.h"
#include "op/reduce.h"

static const ct__attr attrs[] = {
    POS_INT(axis, -1, -CT_MAX_RANK, CT_MAX_RANK - 1, "the axis, negative from the end"), {0}};
static const ct_reduce keep = {.keep = 1};

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

extern const ct__op ct__op_softmax, ct__op_softmax_grad, ct__op_log_softmax, ct__op_logsumexp,
    ct__op_row_logsumexp;

static ct_t sum_axis(ct_t x, const ct__value *attr) { return ct_sum(x, ct_shape_make(1, &attr[0].i), keep); }

static void softmax_grad(ct__grad *g) {
    ct_t in[2] = {g->out[0], g->dout[0]};
    g->din[0] = ct__make(&ct__op_softmax_grad, in, 2, g->attr);
}
/* dx = y (dy - sum y dy); with u the cotangent: d dy = y (u - sum y u), d y = u (dy - sum y dy) - dy sum y u */
static void grad_grad(ct__grad *g) {
    ct_t y = g->in[0], dy = g->in[1], u = g->dout[0], in[2] = {y, u};
    if (g->need[0]) {
        ct_t own = ct_mul(u, ct_sub(dy, sum_axis(ct_mul(y, dy), g->attr)));
        g->din[0] = ct_sub(own, ct_mul(dy, sum_axis(ct_mul(y, u), g->attr)));
    }
    if (g->need[1]) g->din[1] = ct__make(&ct__op_softmax_grad, in, 2, g->attr);
}
static void log_grad(ct__grad *g) {
    ct_t dy = g->dout[0];
    g->din[0] = ct_sub(dy, ct_mul(ct_exp(g->out[0]), sum_axis(dy, g->attr)));
}

/* The same op on the last axis, between two swaps. */
static int moved(ct_node *node, const ct_t *in, ct_t *out) {
    ct_t x[2] = {{0}};
    ct__value last[1] = {{.i = -1}};
    int32_t rank = ct_shape_of(in[0]).rank, axis = ct__axis(node->attr[0].i, rank);
    if (axis == rank - 1) return 0;
    for (int32_t i = 0; i < node->n_in; i++) x[i] = ct_transpose(in[i], axis, rank - 1);
    out[0] = ct_transpose(ct__make(node->op, x, node->n_in, last), axis, rank - 1);
    return 1;
}
static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    return moved(node, in, out);
}

/* Rows are independent unless they are made of the batch. */
static int batch(ct__batch *b) {
    if (ct__batch_axis(&b->in[0].shape) == b->in[0].shape.rank - 1 && b->in[0].shape.rank > 0) {
        for (int32_t i = 0; i < b->n_in; i++)
            if (b->in_place[i] == CT__SHARD) return 0;
    }
    return ct__batch_rows(b);
}

typedef struct rows {
    const ct__row_table *row;
    int64_t rows, columns;
} rows;
static ct_status run_softmax(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    (void)x;
    d->row->softmax(d->rows, d->columns, arg[0], arg[1]);
    return CT_OK;
}
static ct_status run_log(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    (void)x;
    d->row->log_softmax(d->rows, d->columns, arg[0], arg[1]);
    return CT_OK;
}
static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    (void)x;
    d->row->softmax_grad(d->rows, d->columns, arg[0], arg[1], arg[2]);
    return CT_OK;
}
static ct_status run_logsumexp(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    (void)x;
    d->row->logsumexp(d->rows, d->columns, arg[0], arg[1]);
    return CT_OK;
}
static ct_status lower_with(ct__lower *l, ct__kernel run) {
    rows *d = CT__DATA(l, rows);
    const ct_shape *s = &l->in[0].shape;
    int64_t outer = 1, columns = 1, inner = 1;
    if (!d) return CT_ELIMIT;
    if (s->rank) ct__split_axis(s, s->rank - 1, &outer, &columns, &inner);
    *d = (rows){l->simd->row, outer, columns};
    l->run = run;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}
static ct_status softmax_lower(ct__lower *l) { return lower_with(l, run_softmax); }
static ct_status log_lower(ct__lower *l) { return lower_with(l, run_log); }
static ct_status grad_lower(ct__lower *l) { return lower_with(l, run_grad); }
static ct_status logsumexp_lower(ct__lower *l) { return lower_with(l, run_logsumexp); }

/* ---- logsumexp ---- */
static ct_status row_infer(ct__infer *f) {
    f->out[0].shape = f->in[0].shape;
    f->out[0].shape.dim[--f->out[0].shape.rank] = 0;
    return CT_OK;
}
static void row_grad(ct__grad *g) {
    g->din[0] = ct_mul(ct_unsqueeze(g->dout[0], -1), ct_exp(ct_sub(g->in[0], ct_unsqueeze(g->out[0], -1))));
}
static int logsumexp_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    uint8_t reduced[CT_MAX_RANK];
    ct_shape s = ct_shape_of(in[0]);
    (void)train;
    ct__reduce_axes(node->attr, s.rank, reduced);
    for (int32_t i = 0; i < s.rank; i++)
        if (reduced[i] && s.dim[i] == 0) { /* of nothing: the logarithm of 0 */
            out[0] = ct_expand(ct_number(g, -INFINITY), node->out[0].shape);
            return 1;
        }
    ct_t row = ct__op1(&ct__op_row_logsumexp, ct__reduce_rows(in[0], node->attr));
    out[0] = ct_reshape(row, ct_shape_of((ct_t){node, 0, 0}));
    return 1;
}

/* ---- references ---- */
static double line_lse(const double *x, int64_t n, int64_t step) {
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) max = fmax(max, x[i * step]);
    if (!isfinite(max)) return max;
    for (int64_t i = 0; i < n; i++) sum += exp(x[i * step] - max);
    return max + log(sum);
}
/* x - max, where equal infinities are 0 apart */
static double below(double x, double max) { return isinf(max) ? (x == max ? 0 : -INFINITY) : x - max; }
static void ref_lines(ct__ref *r, int logarithm) {
    int64_t outer, n, inner;
    ct__split_axis(&r->in[0].shape, ct__axis(r->attr[0].i, r->in[0].shape.rank), &outer, &n, &inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t base = i / inner * n * inner + i % inner, end = base + n * inner;
        const double *x = r->in[0].v;
        double max = -INFINITY, sum = 0;
        for (int64_t k = base; k < end; k += inner) max = isnan(x[k]) || x[k] > max ? x[k] : max;
        for (int64_t k = base; k < end; k += inner) sum += exp(below(x[k], max));
        for (int64_t k = base; k < end; k += inner) {
            double d = below(x[k], max);
            if (max == -INFINITY)
                r->out[0].v[k] = logarithm ? -INFINITY : 0;
            else
                r->out[0].v[k] = logarithm ? d - log(sum) : exp(d) / sum;
        }
    }
}
static void softmax_ref(ct__ref *r) { ref_lines(r, 0); }
static void log_ref(ct__ref *r) { ref_lines(r, 1); }
static void grad_ref(ct__ref *r) {
    int64_t outer, n, inner;
    const double *y = r->in[0].v, *dy = r->in[1].v;
    ct__split_axis(&r->in[0].shape, ct__axis(r->attr[0].i, r->in[0].shape.rank), &outer, &n, &inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t base = i / inner * n * inner + i % inner;
        double sum = 0;
        for (int64_t k = base; k < base + n * inner; k += inner) sum += y[k] * dy[k];
        for (int64_t k = base; k < base + n * inner; k += inner) r->out[0].v[k] = y[k] * (dy[k] - sum);
    }
}
static void row_ref(ct__ref *r) {
    const ct_shape *s = &r->in[0].shape;
    int64_t n = s->dim[s->rank - 1];
    for (uint64_t i = 0; i < ct__ref_count(&r->out[0]); i++)
        r->out[0].v[i] = line_lse(r->in[0].v + (int64_t)i * n, n, 1);
}
static void logsumexp_ref(ct__ref *r) {
    uint8_t reduced[CT_MAX_RANK];
    const ct_shape *s = &r->in[0].shape;
    double *max = r->out[0].v;
    ct__reduce_axes(r->attr, s->rank, reduced);
    for (int pass = 0; pass < 2; pass++) { /* log sum e^x, stable enough in double for test inputs */
        int64_t index[CT_MAX_RANK] = {0};
        for (uint64_t k = 0; pass == 0 && k < ct__ref_count(&r->in[0]); k++) {
            int64_t at = 0;
            for (int32_t i = 0; i < s->rank; i++)
                if (!reduced[i]) at = at * s->dim[i] + index[i];
            max[at] += exp(r->in[0].v[k]);
            for (int32_t i = s->rank - 1; i >= 0 && ++index[i] == s->dim[i]; i--) index[i] = 0;
        }
        for (uint64_t k = 0; pass == 1 && k < ct__ref_count(&r->out[0]); k++) max[k] = log(max[k]);
    }
}

#define CASES(name) \
    static const ct__case name##_cases[] = { \
        {.text = "x=f32[N,7]; " #name "(x)", .flags = CT__CASE_SECOND}, \
        {.text = "x=f32[N,1]; " #name "(x, 1)"}, \
        {.text = "x=f32[N,8]; " #name "(x, 1)"}, \
        {.text = "x=f32[N,9]; " #name "(x)"}, \
        {.text = "x=f32[N,15]; " #name "(x)"}, \
        {.text = "x=f32[N,16]; " #name "(x)"}, \
        {.text = "x=f32[N,17]; " #name "(x)"}, \
        {.text = "x=f32[3,33]; " #name "(x)"}, \
        {.text = "x=f32[N,65]; " #name "(x)"}, \
        {.text = "x=f32[N,5,3]; " #name "(x, 1)", .flags = CT__CASE_SECOND}, \
        {.text = "x=f32[N,5]; " #name "(x, 0)"}, \
        {.text = "x=f32[2,3,4,5]; " #name "(x, -2)"}, \
        {.text = "x=f32[7]; " #name "(x, 0)"}, \
        {.text = "x=f32[0,7]; " #name "(x)"}, \
        {.text = "x=f32[N,2,3,17]; " #name "(x, 3)"}, \
        {.text = "x=f32[N,7]; " #name "(x, 2)", .error = "axis is 2, x is [N,7]; wanted -2 to 1"}, \
        {.text = "x=i64<5>[N,7]; " #name "(x)", .error = "input 1 is i64; wanted f32"}, \
        {0}};
CASES(softmax)
CASES(log_softmax)

static const ct__attr reduce_attrs[] = {
    OPT_INT(ct_reduce, keep, 0, 0, 1, "1: reduced axes stay, with extent 1"),
    POS_LIST(axes, "axes, negative from the end; none: all"),
    {0}};
static const ct__case logsumexp_cases[] = {
    {.text = "x=f32[N,5]; logsumexp(x)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5]; logsumexp(x, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5]; logsumexp(x, 0)"},
    {.text = "x=f32[N,16]; logsumexp(x, -1, keep=1)"},
    {.text = "x=f32[N,3,17]; logsumexp(x, 0, 2)"},
    {.text = "x=f32[N,3,4,5]; logsumexp(x, 1, 3)"},
    {.text = "x=f32[7]; logsumexp(x)"},
    {.text = "x=f32[1]; logsumexp(x)"},
    {.text = "x=f32[3,8,9]; logsumexp(x, 1, keep=1)"},
    {.text = "x=f32[3,33]; logsumexp(x, 1)"},
    {.text = "x=f32[0,4]; logsumexp(x, 1)"},
    {.text = "x=f32[N,0]; logsumexp(x)"},
    {.text = "x=f32[N,0]; logsumexp(x, 1)"},
    {.text = "x=f32[N,15]; logsumexp(x, 1)"},
    {.text = "x=f32[3,5]; logsumexp(x, 2)", .error = "an axis is out of range"},
    {.text = "x=i64<5>[3]; logsumexp(x)", .error = "input 1 is i64; wanted f32"},
    {0},
};

const ct__op ct__op_softmax = {
    .name = "softmax",
    .summary = "e^x over its sum along an axis",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .grad = softmax_grad,
    .expand = expand,
    .batch = batch,
    .lower = softmax_lower,
    .ref = softmax_ref,
    .cases = softmax_cases,
};
const ct__op ct__op_softmax_grad = {
    .name = "softmax_grad",
    .summary = "gradient of softmax",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = infer,
    .grad = grad_grad,
    .expand = expand,
    .batch = batch,
    .lower = grad_lower,
    .ref = grad_ref,
};
const ct__op ct__op_log_softmax = {
    .name = "log_softmax",
    .summary = "logarithm of softmax",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .grad = log_grad,
    .expand = expand,
    .batch = batch,
    .lower = log_lower,
    .ref = log_ref,
    .cases = log_softmax_cases,
};
const ct__op ct__op_logsumexp = {
    .name = "logsumexp",
    .summary = "log of the sum of e^x over axes",
    .attrs = reduce_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = ct__reduce_infer,
    .expand = logsumexp_expand,
    .ref = logsumexp_ref,
    .cases = logsumexp_cases,
};
const ct__op ct__op_row_logsumexp = {
    .name = "row_logsumexp",
    .summary = "logsumexp of the last axis",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = row_infer,
    .grad = row_grad,
    .batch = batch,
    .lower = logsumexp_lower,
    .ref = row_ref,
};

/* Along `axis` (negative from the end). */
ct_t ct_softmax(ct_t x, int64_t axis) {
    return ct__op_with(&ct__op_softmax, &x, 1, (ct__value[]){{.i = axis}}, NULL);
}
/* Along `axis` (negative from the end). */
ct_t ct_log_softmax(ct_t x, int64_t axis) {
    return ct__op_with(&ct__op_log_softmax, &x, 1, (ct__value[]){{.i = axis}}, NULL);
}
/* log sum e^x over `axes` (rank 0: all). */
ct_t ct_logsumexp(ct_t x, ct_shape axes, ct_reduce options) {
    return ct__reduce_with(&ct__op_logsumexp, x, axes, &options);
}
