/* Losses of probability.
 *
 *     bce_logits(x, t):            log(1 + e^x) - x t               (PyTorch's binary_cross_entropy_with_logits)
 *         computed as max(x, 0) - x t + log1p(e^-|x|), which loses no digits; dx = sigmoid(x) - t, dt = -x
 *     cross_entropy_of(p, y):      -sum_c y_c log p_c over axis 1   0 where y_c is 0, whatever p_c is
 *     kl(log_p, t):                t (log t - log_p)                0 where t is 0 (PyTorch's kl_div)
 *     gaussian_nll(x, t, var):     (log v + (x - t)^2 / v) / 2, v = max(var, eps); `full` adds log(2 pi) / 2
 *
 * eps bounds v as in PyTorch: the gradient passes through to var unchanged. */
#include "op/loss.h"

static const ct__attr attrs[] = {
    OPT_CHOICE(ct_loss, reduction, "mean|sum|none", "what becomes of the losses"), {0}};
static const ct__attr kl_attrs[] = {
    OPT_CHOICE(ct_kl_options, reduction, "mean|sum|none|batchmean",
               "what becomes of the losses; batchmean: the sum over axis 0's extent"),
    {0}};
static const ct__attr nll_attrs[] = {
    OPT_CHOICE(ct_nll, reduction, "mean|sum|none", "what becomes of the losses"),
    OPT_INT(ct_nll, full, 0, 0, 1, "1: with the constant log(2 pi) / 2"),
    OPT_FLOAT(ct_nll, eps, 1e-6, 1e-30, 1e30, "the least variance"),
    {0},
};
enum { REDUCTION, FULL, EPS };
enum { BATCHMEAN = CT__LOSS_NONE + 1 };

static int class_axis(const ct_shape *s) { return s->rank > 1; }

static ct_status of_infer(ct__infer *f) {
    ct_status s = ct__infer_rank(f, 0, 1, CT_MAX_RANK);
    if (!s) s = ct__loss_infer(f);
    if (s || f->attr[REDUCTION].i != CT__LOSS_NONE) return s;
    ct_shape *out = &f->out[0].shape;
    for (int32_t i = class_axis(&f->in[0].shape); i + 1 < out->rank; i++) out->dim[i] = out->dim[i + 1];
    out->dim[--out->rank] = 0;
    return CT_OK;
}
static ct_status kl_infer(ct__infer *f) {
    ct_status s = ct__loss_infer(f);
    if (!s && f->attr[REDUCTION].i == BATCHMEAN) s = ct__infer_rank(f, 0, 1, CT_MAX_RANK);
    return s;
}

extern const ct__op ct__op_bce_each;

static int bce_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    out[0] = ct__loss_reduce(ct__op2(&ct__op_bce_each, in[0], in[1]), node->attr[REDUCTION].i);
    return 1;
}
static void bce_each_grad(ct__grad *g) {
    ct_t x = g->in[0], t = g->in[1], dy = g->dout[0];
    if (g->need[0]) g->din[0] = ct_mul(dy, ct_sub(ct_sigmoid(x), t));
    if (g->need[1]) g->din[1] = ct_neg(ct_mul(dy, x));
}
static ct__tile_any bce_tile(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->bce_;
}

/* y log p, 0 where y is 0. */
static ct_t y_log(ct_graph *g, ct_t y, ct_t p) {
    ct_t zero = ct_number(g, 0), used = ct_ne(y, zero);
    return ct_where(used, ct_mul(y, ct_log(ct_where(used, p, ct_number(g, 1)))), zero);
}
static int of_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_shape s = ct_shape_of(in[0]);
    int64_t axis = class_axis(&s);
    (void)train;
    out[0] = ct__loss_reduce(ct_neg(ct_sum(y_log(g, in[1], in[0]), ct_shape_make(1, &axis), (ct_reduce){0})),
                             node->attr[REDUCTION].i);
    return 1;
}
static int kl_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_shape s = ct_shape_of(in[0]), rest = {{0}, s.rank - 1, 0};
    ct_t each = ct_sub(y_log(g, in[1], in[1]), ct_mul(in[1], in[0]));
    (void)train;
    if (node->attr[REDUCTION].i != BATCHMEAN) {
        out[0] = ct__loss_reduce(each, node->attr[REDUCTION].i);
        return 1;
    }
    for (int32_t i = 0; i < rest.rank; i++) rest.dim[i] = i + 1;
    out[0] = ct__loss_reduce(rest.rank ? ct_sum(each, rest, (ct_reduce){0}) : each, CT__LOSS_MEAN);
    return 1;
}
static int nll_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_t least = ct_number(g, node->attr[EPS].f);
    ct_t v = ct_add(in[2], ct_detach(ct_sub(ct_maximum(in[2], least), in[2])));
    ct_t each = ct_mul_scalar(ct_add(ct_log(v), ct_div(ct_square(ct_sub(in[0], in[1])), v)), 0.5);
    (void)train;
    if (node->attr[FULL].i) each = ct_add_scalar(each, 0.91893853320467274178);
    out[0] = ct__loss_reduce(each, node->attr[REDUCTION].i);
    return 1;
}

/* ---- references ---- */
static double bce(double x, double t, double third, const ct__value *attr) {
    (void)third;
    (void)attr;
    return fmax(x, 0) - x * t + log1p(exp(-fabs(x)));
}
static double divergence(double log_p, double t, double third, const ct__value *attr) {
    (void)third;
    (void)attr;
    return t == 0 ? 0 : t * (log(t) - log_p);
}
static double nll(double x, double t, double var, const ct__value *attr) {
    double v = fmax(var, attr[EPS].f);
    return 0.5 * (log(v) + (x - t) * (x - t) / v) + (attr[FULL].i ? 0.91893853320467274178 : 0);
}
static void bce_ref(ct__ref *r) { ct__loss_ref(r, bce); }
static void bce_each_ref(ct__ref *r) { ct__ref_elementwise(r, bce); }
static void nll_ref(ct__ref *r) { ct__loss_ref(r, nll); }
static void kl_ref(ct__ref *r) {
    double sum = 0;
    if (r->attr[REDUCTION].i != BATCHMEAN) {
        ct__loss_ref(r, divergence);
        return;
    }
    for (uint64_t i = 0; i < ct__ref_count(&r->in[0]); i++)
        sum += divergence(r->in[0].v[i], r->in[1].v[i], 0, r->attr);
    r->out[0].v[0] = sum / (double)r->in[0].shape.dim[0];
}
static void of_ref(ct__ref *r) {
    int64_t outer, classes, inner;
    double all = 0;
    ct__split_axis(&r->in[0].shape, class_axis(&r->in[0].shape), &outer, &classes, &inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        double sum = 0;
        for (int64_t c = 0; c < classes; c++) {
            int64_t at = (i / inner * classes + c) * inner + i % inner;
            if (r->in[1].v[at] != 0) sum -= r->in[1].v[at] * log(r->in[0].v[at]);
        }
        if (r->attr[REDUCTION].i == CT__LOSS_NONE) r->out[0].v[i] = sum;
        all += sum;
    }
    if (r->attr[REDUCTION].i != CT__LOSS_NONE)
        r->out[0].v[0] = r->attr[REDUCTION].i == CT__LOSS_SUM ? all : all / (double)(outer * inner);
}

static const ct__case bce_cases[] = {
    {.text = "x=f32[N,5]; t=f32[N,5]; bce_logits(x, t)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N]; t=f32[N]; bce_logits(x, t, reduction=\"sum\")"},
    {.text = "x=f32[N,17]; t=f32[N,17]; bce_logits(x, t, reduction=\"none\")"},
    {.text = "x=f32[3,16]; t=f32[3,16]; bce_logits(x, t)"},
    {.text = "x=f32[N,5]; t=f32[N,4]; bce_logits(x, t)", .error = "wanted equal shapes"},
    {0},
};
static const ct__case of_cases[] = {
    {.text = "p=f32[N,5]; t=f32[N,5]; cross_entropy_of(p, t)", .flags = CT__CASE_UNIT | CT__CASE_SECOND},
    {.text = "p=f32[7]; t=f32[7]; cross_entropy_of(p, t)", .flags = CT__CASE_UNIT},
    {.text = "p=f32[N,3,4]; t=f32[N,3,4]; cross_entropy_of(p, t, reduction=\"none\")",
     .flags = CT__CASE_UNIT},
    {.text = "p=f32[N,17]; t=f32[N,17]; cross_entropy_of(p, t, reduction=\"sum\")", .flags = CT__CASE_UNIT},
    {.text = "p=f32[N,5]; k=i64<5>[N]; cross_entropy_of(p, one_hot(k, 5))", .flags = CT__CASE_UNIT},
    {.text = "p=f32[N,5]; k=i64<5>[N]; cross_entropy_of(mul(p, one_hot(k, 5)), one_hot(k, 5))",
     .flags = CT__CASE_UNIT},
    {.text = "p=f32[N,5]; t=f32[N,4]; cross_entropy_of(p, t)", .error = "wanted equal shapes"},
    {.text = "p=f32[]; t=f32[]; cross_entropy_of(p, t)", .error = "input 1 is []; wanted 1 to"},
    {0},
};
static const ct__case kl_cases[] = {
    {.text = "x=f32[N,5]; t=f32[N,5]; kl(x, t)", .flags = CT__CASE_UNIT | CT__CASE_SECOND},
    {.text = "x=f32[N,17]; t=f32[N,17]; kl(x, t, reduction=\"batchmean\")", .flags = CT__CASE_UNIT},
    {.text = "x=f32[N]; t=f32[N]; kl(x, t, reduction=\"sum\")", .flags = CT__CASE_UNIT},
    {.text = "x=f32[N,2,3]; t=f32[N,2,3]; kl(x, t, reduction=\"none\")", .flags = CT__CASE_UNIT},
    {.text = "x=f32[N,5]; t=f32[N,4]; kl(x, t)", .error = "wanted equal shapes"},
    {0},
};
static const ct__case nll_cases[] = {
    {.text = "x=f32[N,5]; t=f32[N,5]; v=f32[N,5]; gaussian_nll(x, t, v)",
     .flags = CT__CASE_POSITIVE | CT__CASE_SECOND},
    {.text = "x=f32[N,17]; t=f32[N,17]; v=f32[N,17]; gaussian_nll(x, t, v, full=1, reduction=\"sum\")",
     .flags = CT__CASE_POSITIVE},
    {.text = "x=f32[N]; t=f32[N]; v=f32[N]; gaussian_nll(x, t, v, reduction=\"none\", eps=0.001)",
     .flags = CT__CASE_POSITIVE},
    {.text = "x=f32[N,5]; t=f32[N,5]; v=f32[N]; gaussian_nll(x, t, v)", .error = "wanted equal shapes"},
    {0},
};

const ct__op ct__op_bce_logits = {
    .name = "bce_logits",
    .summary = "binary cross-entropy of logits",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .infer = ct__loss_infer,
    .expand = bce_expand,
    .ref = bce_ref,
    .cases = bce_cases,
};
const ct__op ct__op_bce_each = {
    .name = "bce_each",
    .summary = "binary cross-entropy of each logit",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL | CT__OP_FOLLOW,
    .infer = ct__elementwise_infer,
    .grad = bce_each_grad,
    .batch = ct__batch_rows,
    .tile = bce_tile,
    .ref = bce_each_ref,
};
const ct__op ct__op_cross_entropy_of = {
    .name = "cross_entropy_of",
    .summary = "cross-entropy of probabilities",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .infer = of_infer,
    .expand = of_expand,
    .ref = of_ref,
    .cases = of_cases,
};
const ct__op ct__op_kl = {
    .name = "kl",
    .summary = "Kullback-Leibler divergence",
    .attrs = kl_attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .infer = kl_infer,
    .expand = kl_expand,
    .ref = kl_ref,
    .cases = kl_cases,
};
const ct__op ct__op_gaussian_nll = {
    .name = "gaussian_nll",
    .summary = "negative log likelihood of a normal distribution",
    .attrs = nll_attrs,
    .inputs_min = 3,
    .inputs_max = 3,
    .infer = ct__loss_infer,
    .expand = nll_expand,
    .ref = nll_ref,
    .cases = nll_cases,
};

/* Logits x and targets in [0,1] of one shape. */
ct_t ct_bce_logits(ct_t x, ct_t target, ct_loss options) {
    return ct__op_with(&ct__op_bce_logits, (ct_t[2]){x, target}, 2, NULL, &options);
}
/* -sum(y log p) over axis 1 (the only axis of a vector), then the reduction over what is left. */
ct_t ct_cross_entropy_of(ct_t p, ct_t y, ct_loss options) {
    return ct__op_with(&ct__op_cross_entropy_of, (ct_t[2]){p, y}, 2, NULL, &options);
}
/* t (log t - log_p), of one shape. */
ct_t ct_kl(ct_t log_p, ct_t target, ct_kl_options options) {
    return ct__op_with(&ct__op_kl, (ct_t[2]){log_p, target}, 2, NULL, &options);
}
/* Mean, target and variance of one shape. */
ct_t ct_gaussian_nll(ct_t mean, ct_t target, ct_t variance, ct_nll options) {
    return ct__op_with(&ct__op_gaussian_nll, (ct_t[3]){mean, target, variance}, 3, NULL, &options);
}
