/* The variance over axes (PyTorch's var).
 *
 *     var(x, axes) = sum (x - mean)^2 / (count - 1), or / count with biased=1
 *
 * Two sweeps: deviations d from the mean lose no digits. The mean itself is rounded to f32, which far from 0 is many
 * digits of a deviation; (sum d)^2 / count takes that away again, so that
 *     var = (sum d^2 - (sum d)^2 / count) / (count - 1)
 * is the variance whatever was subtracted, and so are its derivatives with the mean as a constant. Rounding
 * leaves it above 0: it is cut there. Over N the count is the whole batch's. */
#include "op/reduce.h"

static const ct__attr attrs[] = {OPT_INT(ct_variance, keep, 0, 0, 1, "1: reduced axes stay, with extent 1"),
                                 OPT_INT(ct_variance, biased, 0, 0, 1, "1: divided by the count"),
                                 POS_LIST(axes, "axes, negative from the end; none: all"),
                                 {0}};
enum { KEEP, BIASED, AXES };

/* The elements that one result is made of: fixed ones, times N or not. */
static double count_of(const ct_shape *s, const uint8_t *reduced, int *over_batch) {
    double count = 1;
    *over_batch = 0;
    for (int32_t i = 0; i < s->rank; i++) {
        if (!reduced[i]) continue;
        if (s->dim[i] < 0) *over_batch = 1;
        count *= s->dim[i] < 0 ? (double)-s->dim[i] : (double)s->dim[i];
    }
    return count;
}

static ct_status infer(ct__infer *f) {
    ct__value two[2] = {f->attr[KEEP], f->attr[AXES]};
    ct__infer as_sum = *f;
    as_sum.attr = two;
    if (ct__reduce_infer(&as_sum)) return CT_EUSAGE;
    uint8_t reduced[CT_MAX_RANK];
    char text[CT_SHAPE_TEXT];
    int over_batch;
    ct__reduce_marks(f->attr[AXES].list, f->in[0].shape.rank, reduced);
    double count = count_of(&f->in[0].shape, reduced, &over_batch), least = f->attr[BIASED].i ? 1 : 2;
    if (count < least && (!over_batch || count == 0))
        return ct__infer_fail(f, "%.0f numbers for a result, x is %s; wanted at least %.0f%s", count,
                              ct_shape_format(&f->in[0].shape, text), least,
                              count == 1 ? ", or biased=1" : "");
    return CT_OK;
}

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    uint8_t reduced[CT_MAX_RANK];
    ct_shape s = ct_shape_of(in[0]), axes = {0};
    int over_batch;
    (void)train;
    ct__reduce_marks(node->attr[AXES].list, s.rank, reduced);
    double fixed = count_of(&s, reduced, &over_batch);
    for (int32_t i = 0; i < s.rank; i++)
        if (reduced[i]) axes.dim[axes.rank++] = i;
    ct_reduce keep = {.keep = (int32_t)node->attr[KEEP].i}, whole = {.keep = 1};
    ct_t d = ct_sub(in[0], ct_detach(ct_mean(in[0], axes, whole)));
    ct_t mean = ct_mean(d, axes, keep), square = ct_mean(ct_square(d), axes, keep);
    ct_t var = ct_relu(ct_sub(square, ct_square(mean)));
    if (node->attr[BIASED].i) {
        out[0] = var;
    } else if (!over_batch) {
        out[0] = ct_mul_scalar(var, fixed / (fixed - 1));
    } else {
        ct_t rows =
            ct_sum(ct_expand(ct_number(g, 1), CT_SHAPE(CT_N)), ct_shape_make(0, NULL), (ct_reduce){0});
        ct_t count = ct_mul_scalar(rows, fixed);
        out[0] = ct_mul(var, ct_div(count, ct_add_scalar(count, -1)));
    }
    return 1;
}

static void ref(ct__ref *r) {
    uint8_t reduced[CT_MAX_RANK];
    const ct_shape *s = &r->in[0].shape;
    uint64_t outs = ct__ref_count(&r->out[0]), n = ct__ref_count(&r->in[0]);
    double count = outs ? (double)n / (double)outs : 0;
    ct__reduce_marks(r->attr[AXES].list, s->rank, reduced);
    for (uint64_t o = 0; o < outs; o++) {
        double mean = 0, sum = 0;
        for (int pass = 0; pass < 2; pass++) {
            int64_t index[CT_MAX_RANK] = {0};
            for (uint64_t k = 0; k < n; k++) {
                uint64_t at = 0;
                for (int32_t i = 0; i < s->rank; i++)
                    if (!reduced[i]) at = at * (uint64_t)s->dim[i] + (uint64_t)index[i];
                if (at == o && pass == 0) mean += r->in[0].v[k] / count;
                if (at == o && pass == 1) sum += (r->in[0].v[k] - mean) * (r->in[0].v[k] - mean);
                for (int32_t i = s->rank - 1; i >= 0 && ++index[i] == s->dim[i]; i--) index[i] = 0;
            }
        }
        r->out[0].v[o] = sum / (r->attr[BIASED].i ? count : count - 1);
    }
}

static const ct__case cases[] = {
    {.text = "x=f32[N,5]; var(x, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5]; var(x, 0)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5]; var(x)"},
    {.text = "x=f32[N,5]; var(x, 0, biased=1)"},
    {.text = "x=f32[N,16]; var(x, -1, keep=1)"},
    {.text = "x=f32[N,3,17]; var(x, 0, 2)"},
    {.text = "x=f32[N,3,4,5]; var(x, 1, 3, keep=1, biased=1)"},
    {.text = "x=f32[7,9]; var(x, 0)"},
    {.text = "x=f32[33]; var(x)"},
    {.text = "x=f32[2,2]; var(x, 1)"},
    {.text = "x=f32[N,15]; var(x, 1)"},
    {.text = "x=f32[8,2,3]; var(x, 1)"},
    {.text = "x=f32[N,1]; var(x, 1)",
     .error = "1 numbers for a result, x is [N,1]; wanted at least 2, or biased=1"},
    {.text = "x=f32[N,0]; var(x, 1, biased=1)", .error = "0 numbers for a result"},
    {.text = "x=f32[3,5]; var(x, 2)", .error = "an axis is out of range"},
    {.text = "x=i64<5>[3]; var(x)", .error = "input 1 is i64; wanted f32"},
    {0},
};
const ct__op ct__op_var_of = {
    .name = "var",
    .summary = "variance over axes",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .expand = expand,
    .ref = ref,
    .cases = cases,
};

/* The variance over `axes` (rank 0: all), unbiased by default; over N the whole batch's. */
ct_t ct_var(ct_t x, ct_shape axes, ct_variance options) {
    return ct__reduce_with(&ct__op_var_of, x, axes, &options);
}
