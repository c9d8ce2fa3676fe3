/* Batch norm of [N,C], [N,C,T] or [N,C,H,W] over all axes but the channels (PyTorch's BatchNorm1d and 2d).
 *
 *     y = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]
 *
 * In training mean and var (biased) are those of the whole batch, and at the end of the run
 *     running_mean = (1 - momentum) running_mean + momentum * mean
 *     running_var  = (1 - momentum) running_var  + momentum * M2 / (count - 1)
 *     num_batches_tracked = num_batches_tracked + 1
 * In evaluation mean and var are the running ones. Gradients follow the mode of the plan that computes them; with
 * h = (x - mean) / sqrt(var + eps), g = dy weight / sqrt(var + eps) and averages over the batch:
 *     dbias = sum dy, dweight = sum dy h,  dx = g - avg g - h avg(g h) in training, g in evaluation
 * The kernels are the ops of batchnorm_parts.c; second derivatives go through elementary ops. */
#include "op/batchnorm.h"

static const ct__attr attrs[] = {
    OPT_FLOAT(ct_batchnorm, eps, 1e-5, 1e-30, 1e30, "added to the variance"),
    OPT_FLOAT(ct_batchnorm, momentum, 0.1, 1e-30, 1, "share of the new batch in the running statistics"),
    OPT_INT(ct_batchnorm, no_affine, 0, 0, 1, "1: without weight and bias"),
    {0},
};
enum { EPS, MOMENTUM, NO_AFFINE };
enum { WEIGHT = 1, BIAS, RUNNING_MEAN, RUNNING_VAR, TRACKED }; /* inputs after x */

static ct_status infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    char text[CT_SHAPE_TEXT];
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_rank(f, 0, 2, 5)) return CT_EUSAGE;
    for (int32_t i = 1; i < s->rank; i++)
        if (s->dim[i] < 1)
            return ct__infer_fail(f, "x is %s; wanted fixed extents of at least 1 after the first",
                                  ct_shape_format(s, text));
    f->out[0].shape = *s;
    return CT_OK;
}

static int32_t slots(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    if (ct__infer_rank(f, 0, 2, 5)) return -1;
    int64_t c = f->in[0].shape.dim[1];
    ct_shape channels = ct_shape_make(1, &c);
    if (c < 1) {
        ct__infer_fail(f, "the channels of x are not fixed; wanted [N,C,...] of at least one");
        return -1;
    }
    out[0] = (ct__slot){"weight", channels, {CT_INIT_ONES, 0, 0, 0}, CT_PARAM, 0};
    out[1] = (ct__slot){"bias", channels, {CT_INIT_ZEROS, 0, 0, 0}, CT_PARAM, 0};
    out[2] = (ct__slot){"running_mean", channels, {CT_INIT_ZEROS, 0, 0, 0}, CT_BUFFER, 0};
    out[3] = (ct__slot){"running_var", channels, {CT_INIT_ONES, 0, 0, 0}, CT_BUFFER, 0};
    out[4] = (ct__slot){
        "num_batches_tracked", ct_shape_make(0, NULL), {CT_INIT_ZEROS, 0, 0, 0}, CT_BUFFER, CT_I64};
    if (f->attr[NO_AFFINE].i) out[0].shape.rank = out[1].shape.rank = -1;
    return 5;
}

static ct_t mixed(ct_t running, ct_t fresh, double momentum) {
    return ct_add(ct_mul_scalar(running, 1 - momentum), ct_mul_scalar(fresh, momentum));
}

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct__value eps[] = {node->attr[EPS]};
    double momentum = node->attr[MOMENTUM].f;
    if (!train) {
        ct_t from[5] = {in[0], in[RUNNING_MEAN], in[RUNNING_VAR], in[WEIGHT], in[BIAS]};
        out[0] = ct__bn_make(&ct__op_bn_apply, node->name, from, 5, eps);
        return 1;
    }
    ct_t stats = ct__bn_make(&ct__op_bn_stats, node->name, in, 1, NULL),
         mean = ct__bn_make(&ct__op_bn_finish, node->name, &stats, 1, NULL);
    ct_t from[5] = {in[0], mean, ct__output(mean, 1), in[WEIGHT], in[BIAS]};
    out[0] = ct__bn_make(&ct__op_bn_normalize, node->name, from, 5, eps);
    ct__effect(g, ct_assign(in[RUNNING_MEAN], mixed(in[RUNNING_MEAN], mean, momentum)));
    ct__effect(g, ct_assign(in[RUNNING_VAR], mixed(in[RUNNING_VAR], ct__output(mean, 2), momentum)));
    ct__effect(g, ct_assign(in[TRACKED], ct__op1(&ct__op_bn_count, in[TRACKED])));
    return 1;
}

/* ---- gradient: batch_norm_grad(dy, x, weight or none, running_mean, running_var) -> dx, dweight, dbias ---- */
extern const ct__op ct__op_batch_norm_grad;

static void grad(ct__grad *g) {
    ct_t in[5] = {g->dout[0], g->in[0], g->in[WEIGHT], g->in[RUNNING_MEAN], g->in[RUNNING_VAR]};
    ct_t dx = ct__bn_make(&ct__op_batch_norm_grad, g->node->name, in, 5, &g->attr[EPS]);
    g->din[0] = dx;
    if (g->in[WEIGHT].node) g->din[WEIGHT] = ct__output(dx, 1);
    if (g->in[BIAS].node) g->din[BIAS] = ct__output(dx, 2);
}

enum { DY, X, GRAD_WEIGHT, GRAD_MEAN, GRAD_VAR };

static ct_status grad_infer(ct__infer *f) {
    f->n_out = 3;
    f->out[0] = f->in[X];
    f->out[1] = f->out[2] = f->in[GRAD_MEAN];
    return CT_OK;
}

/* [C] beside [N,C,...] */
static ct_t beside(ct_t channels, int32_t rank) {
    int64_t dim[CT_MAX_RANK] = {ct_shape_of(channels).dim[0], 1, 1, 1, 1, 1, 1, 1};
    return rank == 2 ? channels : ct_reshape(channels, ct_shape_make(rank - 1, dim));
}
static ct_shape all_but_channels(int32_t rank) {
    ct_shape axes = {{0}, rank - 1, 0};
    for (int32_t i = 1; i < axes.rank; i++) axes.dim[i] = i + 1;
    return axes;
}

typedef struct formula { /* the gradient in elementary ops, by the given mean and variance */
    ct_t h, g;           /* of x's shape */
    ct_shape axes;
} formula;
static formula formula_of(const ct__value *attr, const ct_t *in, ct_t mean, ct_t var) {
    int32_t rank = ct_shape_of(in[X]).rank;
    ct_t scale = beside(ct_rsqrt(ct_add_scalar(var, attr[0].f)), rank);
    formula f = {ct_mul(ct_sub(in[X], beside(mean, rank)), scale), ct_mul(in[DY], scale),
                 all_but_channels(rank)};
    if (in[GRAD_WEIGHT].node) f.g = ct_mul(f.g, beside(in[GRAD_WEIGHT], rank));
    return f;
}
static void sums(const formula *f, ct_t dy, ct_t *out) {
    out[1] = ct_sum(ct_mul(dy, f->h), f->axes, (ct_reduce){0});
    out[2] = ct_sum(dy, f->axes, (ct_reduce){0});
}

static int grad_expand(ct_graph *graph, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)graph;
    if (!train) {
        formula f = formula_of(node->attr, in, in[GRAD_MEAN], in[GRAD_VAR]);
        out[0] = f.g;
        sums(&f, in[DY], out);
        return 1;
    }
    ct_t stats = ct__bn_make(&ct__op_bn_stats, node->name, &in[X], 1, NULL),
         mean = ct__bn_make(&ct__op_bn_finish, node->name, &stats, 1, NULL), var = ct__output(mean, 1);
    ct_t from[4] = {in[DY], in[X], mean, var};
    ct_t db = ct__bn_make(&ct__op_bn_sums, node->name, from, 4, node->attr), dw = ct__output(db, 1);
    ct_t all[7] = {in[DY], in[X], mean, var, db, dw, in[GRAD_WEIGHT]};
    out[0] = ct__bn_make(&ct__op_bn_data, node->name, all, 7, node->attr);
    out[1] = dw;
    out[2] = db;
    return 1;
}
/* For second derivatives, in either mode. */
static int grad_compose(ct_graph *graph, ct_node *node, const ct_t *in, ct_t *out) {
    ct_shape axes = all_but_channels(ct_shape_of(in[X]).rank);
    ct_t mean = ct__by_mode(ct_mean(in[X], axes, (ct_reduce){0}), in[GRAD_MEAN]),
         var = ct__by_mode(ct_var(in[X], axes, (ct_variance){.biased = 1}), in[GRAD_VAR]);
    formula f = formula_of(node->attr, in, mean, var);
    ct_reduce keep = {.keep = 1};
    ct_t back = ct_add(ct_mean(f.g, axes, keep), ct_mul(f.h, ct_mean(ct_mul(f.g, f.h), axes, keep)));
    out[0] = ct_sub(f.g, ct__by_mode(back, ct_expand(ct_number(graph, 0), ct_shape_of(back))));
    sums(&f, in[DY], out);
    return 1;
}

/* ---- references ---- */
static void ref(ct__ref *r) {
    ct__grid g = ct__grid_of(&r->in[0]);
    for (int64_t c = 0; c < g.c; c++) {
        double mean = r->in[RUNNING_MEAN].v[c], var = r->in[RUNNING_VAR].v[c];
        if (r->train) {
            ct__bn_moments(&r->in[0], c, &mean, &var);
            var /= (double)(g.n * g.places);
        }
        ct__bn_ref_normalized(r, c, mean, var, &r->in[WEIGHT], &r->in[BIAS]);
    }
}
static void grad_ref(ct__ref *r) {
    ct__grid g = ct__grid_of(&r->in[X]);
    for (int64_t c = 0; c < g.c; c++) {
        double mean = r->in[GRAD_MEAN].v[c], var = r->in[GRAD_VAR].v[c], count = (double)(g.n * g.places);
        if (r->train) ct__bn_moments(&r->in[X], c, &mean, &var);
        if (r->train) var /= count;
        double scale = 1 / sqrt(var + r->attr[0].f), *dw = &r->out[1].v[c], *db = &r->out[2].v[c];
        double w = r->in[GRAD_WEIGHT].present ? r->in[GRAD_WEIGHT].v[c] : 1;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < g.n * g.c * g.places; i++) {
                double dy = r->in[DY].v[i], h = (r->in[X].v[i] - mean) * scale;
                if (ct__channel_of(&g, i) != c) continue;
                if (pass) r->out[0].v[i] = w * scale * (r->train ? dy - *db / count - h * *dw / count : dy);
                *dw += pass ? 0 : dy * h;
                *db += pass ? 0 : dy;
            }
    }
}

static const ct__case cases[] = {
    {.text = "x=f32[N,3,4,4]; batch_norm(x, \"bn\")", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,1,3,3]; batch_norm(x, \"bn\", momentum=0.3)"},
    {.text = "x=f32[N,16,2,3]; batch_norm(x, \"bn\", eps=0.01)"},
    {.text = "x=f32[N,17,5,1]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,7,7]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,8,9]; batch_norm(x, \"bn\", no_affine=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,9,15]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,15,16]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,3,17]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,5]; batch_norm(x, \"bn\")", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,16]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,33]; batch_norm(x, \"bn\", no_affine=1)"},
    {.text = "x=f32[4,3,2,2]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[1,4,9]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,2,3,2,3]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,3,5]; batch_norm(reshape(x, -3, 5), \"bn\")"},
    {.text = "x=f32[N,3,5,5]; batch_norm(conv2d(x, \"c\", 16, 3, pad=1, no_bias=1), \"bn\")"},
    {.text = "x=f32[N,3,5,5]; batch_norm(conv2d(x, \"c\", 17, 3, no_bias=1), \"bn\")", .tolerance = 3e-5},
    {.text = "x=f32[N,3,5,5]; relu(batch_norm(conv2d(x, \"c\", 16, 3, no_bias=1), \"bn\"))"},
    {.text = "x=f32[N,3,5,5]; y=f32[N,3,5,5]; mul(relu(batch_norm(x, \"bn\")), y)"},
    {.text = "x=f32[1,3]; batch_norm(x, \"bn\")",
     .error = "1 values a channel; wanted at least 2 in training"},
    {.text = "x=f32[N]; batch_norm(x, \"bn\")", .error = "input 1 is [N]; wanted 2 to 5 axes"},
    {.text = "x=f32[N,3,0]; batch_norm(x, \"bn\")", .error = "wanted fixed extents of at least 1"},
    {.text = "x=f32[3,N]; batch_norm(x, \"bn\")", .error = "the channels of x are not fixed"},
    {.text = "x=f32[N,3]; batch_norm(x, \"bn\", momentum=2)", .error = "momentum is 2; wanted"},
    {.text = "x=i64<5>[N,3]; batch_norm(x, \"bn\")", .error = "input 1 is i64; wanted f32"},
    {0},
};

const ct__op ct__op_batch_norm = {
    .name = "batch_norm",
    .summary = "normalised over the batch, channel by channel",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = infer,
    .slots = slots,
    .grad = grad,
    .expand = expand,
    .batch = ct__batch_rows,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_batch_norm_grad = {
    .name = "batch_norm_grad",
    .summary = "gradients of batch_norm by x, weight and bias",
    .attrs = ct__bn_eps_attrs,
    .inputs_min = 2,
    .inputs_max = 5,
    .flags = CT__OP_INTERNAL,
    .infer = grad_infer,
    .expand = grad_expand,
    .compose = grad_compose,
    .ref = grad_ref,
};

/* x [N,C,...]; parameters NAME.weight, NAME.bias [C]; buffers NAME.running_mean, NAME.running_var [C],
 * NAME.num_batches_tracked. */
ct_t ct_batch_norm(ct_t x, const char *name, ct_batchnorm options) {
    return ct__op_named(&ct__op_batch_norm, name, &x, 1, NULL, &options);
}
