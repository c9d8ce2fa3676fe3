/* Losses of regression: x and target of one shape (PyTorch's mse_loss, l1_loss, huber_loss).
 *
 *     mse:    (x - t)^2
 *     mae:    |x - t|
 *     huber:  d = |x - t|:  d^2 / 2 up to delta, delta (d - delta / 2) beyond
 *     mean over all elements, sum, or none
 *
 * With c = min(d, delta) the Huber loss is c (d - c / 2): no branch, and its derivative follows. */
#include "op/loss.h"

static const ct__attr attrs[] = {
    OPT_CHOICE(ct_loss, reduction, "mean|sum|none", "what becomes of the losses"), {0}};
static const ct__attr huber_attrs[] = {
    OPT_CHOICE(ct_huber_options, reduction, "mean|sum|none", "what becomes of the losses"),
    OPT_FLOAT(ct_huber_options, delta, 1, 1e-30, 1e30, "where the square ends"),
    {0},
};

ct_status ct__loss_infer(ct__infer *f) {
    for (int32_t i = 0; i < f->n_in; i++)
        if (ct__infer_dtype(f, i, CT_F32) || (i && ct__infer_same_shape(f, 0, i))) return CT_EUSAGE;
    for (int32_t i = 0; f->attr[0].i == CT__LOSS_MEAN && i < f->in[0].shape.rank; i++)
        if (f->in[0].shape.dim[i] == 0)
            return ct__infer_fail(f, "axis %d of the input is empty; wanted at least one number for a mean",
                                  i);
    f->out[0].shape = f->attr[0].i == CT__LOSS_NONE ? f->in[0].shape : ct_shape_make(0, NULL);
    return CT_OK;
}

ct_t ct__loss_reduce(ct_t values, int64_t reduction) {
    ct_shape all = ct_shape_make(0, NULL);
    if (reduction == CT__LOSS_NONE) return values;
    return reduction == CT__LOSS_SUM ? ct_sum(values, all, (ct_reduce){0})
                                     : ct_mean(values, all, (ct_reduce){0});
}

void ct__loss_ref(ct__ref *r, ct__loss_fn fn) {
    uint64_t n = ct__ref_count(&r->in[0]);
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        double v = fn(r->in[0].v[i], r->in[1].v[i], r->n_in > 2 ? r->in[2].v[i] : 0, r->attr);
        if (r->attr[0].i == CT__LOSS_NONE) r->out[0].v[i] = v;
        sum += v;
    }
    if (r->attr[0].i != CT__LOSS_NONE) r->out[0].v[0] = r->attr[0].i == CT__LOSS_SUM ? sum : sum / (double)n;
}

static int mse_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    out[0] = ct__loss_reduce(ct_square(ct_sub(in[0], in[1])), node->attr[0].i);
    return 1;
}
static int mae_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    out[0] = ct__loss_reduce(ct_abs(ct_sub(in[0], in[1])), node->attr[0].i);
    return 1;
}
static int huber_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_t d = ct_abs(ct_sub(in[0], in[1])), c = ct_clip(d, 0, node->attr[1].f);
    (void)g;
    (void)train;
    out[0] = ct__loss_reduce(ct_mul(c, ct_sub(d, ct_mul_scalar(c, 0.5))), node->attr[0].i);
    return 1;
}

static double square(double x, double t, double third, const ct__value *attr) {
    (void)third;
    (void)attr;
    return (x - t) * (x - t);
}
static double absolute(double x, double t, double third, const ct__value *attr) {
    (void)third;
    (void)attr;
    return fabs(x - t);
}
static double huber(double x, double t, double third, const ct__value *attr) {
    double d = fabs(x - t), delta = attr[1].f;
    (void)third;
    return d <= delta ? 0.5 * d * d : delta * (d - 0.5 * delta);
}
static void mse_ref(ct__ref *r) { ct__loss_ref(r, square); }
static void mae_ref(ct__ref *r) { ct__loss_ref(r, absolute); }
static void huber_ref(ct__ref *r) { ct__loss_ref(r, huber); }

#define CASES(name) \
    static const ct__case name##_cases[] = { \
        {.text = "x=f32[N,5]; t=f32[N,5]; " #name "(x, t)", .flags = CT__CASE_SECOND}, \
        {.text = "x=f32[N]; t=f32[N]; " #name "(x, t)"}, \
        {.text = "x=f32[N,1]; t=f32[N,1]; " #name "(x, t, reduction=\"sum\")"}, \
        {.text = "x=f32[N,17]; t=f32[N,17]; " #name "(x, t)"}, \
        {.text = "x=f32[N,3,4]; t=f32[N,3,4]; " #name "(x, t, reduction=\"none\")"}, \
        {.text = "x=f32[7,9]; t=f32[7,9]; " #name "(x, t)"}, \
        {.text = "x=f32[]; t=f32[]; " #name "(x, t)"}, \
        {.text = "x=f32[N,2,16]; t=f32[N,2,16]; " #name "(x, t)"}, \
        {.text = "x=f32[N,5]; t=f32[N,4]; " #name "(x, t)", .error = "wanted equal shapes"}, \
        {.text = "x=f32[N,5]; t=i64<5>[N,5]; " #name "(x, t)", .error = "input 2 is i64; wanted f32"}, \
        {0}};
CASES(mse)
CASES(mae)
static const ct__case huber_cases[] = {
    {.text = "x=f32[N,5]; t=f32[N,5]; huber(x, t)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,17]; t=f32[N,17]; huber(x, t, delta=0.3)"},
    {.text = "x=f32[N,3]; t=f32[N,3]; huber(x, t, delta=2, reduction=\"sum\")"},
    {.text = "x=f32[4,16]; t=f32[4,16]; huber(x, t, reduction=\"none\")"},
    {.text = "x=f32[N,5]; t=f32[N,5]; huber(x, t, delta=0)", .error = "delta is 0; wanted"},
    {.text = "x=f32[N,5]; t=f32[N]; huber(x, t)", .error = "wanted equal shapes"},
    {0},
};

const ct__op ct__op_mse = {
    .name = "mse",
    .summary = "mean squared error",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .infer = ct__loss_infer,
    .expand = mse_expand,
    .ref = mse_ref,
    .cases = mse_cases,
};
const ct__op ct__op_mae = {
    .name = "mae",
    .summary = "mean absolute error",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .infer = ct__loss_infer,
    .expand = mae_expand,
    .ref = mae_ref,
    .cases = mae_cases,
};
const ct__op ct__op_huber = {
    .name = "huber",
    .summary = "squared error near, absolute error far",
    .attrs = huber_attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .infer = ct__loss_infer,
    .expand = huber_expand,
    .ref = huber_ref,
    .cases = huber_cases,
};

/* (x - target)^2, x and target of one shape. */
ct_t ct_mse(ct_t x, ct_t target, ct_loss options) {
    return ct__op_with(&ct__op_mse, (ct_t[2]){x, target}, 2, NULL, &options);
}
/* |x - target|, x and target of one shape. */
ct_t ct_mae(ct_t x, ct_t target, ct_loss options) {
    return ct__op_with(&ct__op_mae, (ct_t[2]){x, target}, 2, NULL, &options);
}
/* The Huber loss, x and target of one shape. */
ct_t ct_huber(ct_t x, ct_t target, ct_huber_options options) {
    return ct__op_with(&ct__op_huber, (ct_t[2]){x, target}, 2, NULL, &options);
}
