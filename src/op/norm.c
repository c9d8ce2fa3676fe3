/* Layer, RMS and group norm (PyTorch's LayerNorm, RMSNorm, GroupNorm).
 *
 *     layer_norm(x):  y = (x - mean) / sqrt(var + eps) * weight + bias, moments over the last axes of a row
 *     rms_norm(x):    y = x / sqrt(mean(x^2) + eps) * weight
 *     group_norm(x [N,C,...], groups): the moments over the channels of a group and all places
 *
 * All are made of one kernel over rows, row_norm, which keeps mean and scale = 1 / sqrt(var + eps) for
 *     h = (x - mean) scale, a = dy weight
 *     dx = scale (a - avg a - h avg(a h)),   dweight = sum dy h,   dbias = sum dy
 * That is the whole derivative by x: mean and scale get no cotangent. */
#include "kern/row.h"
#include "op/common.h"

static const ct__attr layer_attrs[] = {
    OPT_INT(ct_layernorm, no_weight, 0, 0, 1, "1: without weight and bias"),
    OPT_INT(ct_layernorm, no_bias, 0, 0, 1, "1: without bias"),
    OPT_INT(ct_layernorm, axes, 1, 1, CT_MAX_RANK, "how many trailing axes make a row"),
    OPT_FLOAT(ct_layernorm, eps, 1e-5, 1e-30, 1e30, "added to the variance"),
    {0},
};
enum { NO_WEIGHT, NO_BIAS, AXES, EPS };
static const ct__attr rms_attrs[] = {
    OPT_INT(ct_rmsnorm, no_weight, 0, 0, 1, "1: without weight"),
    OPT_INT(ct_rmsnorm, axes, 1, 1, CT_MAX_RANK, "how many trailing axes make a row"),
    OPT_FLOAT(ct_rmsnorm, eps, 1.1920928955078125e-7, 1e-30, 1e30, "added to the mean of squares"),
    {0},
};
enum { RMS_NO_WEIGHT, RMS_AXES, RMS_EPS };
static const ct__attr group_attrs[] = {
    POS_INT(groups, CT__NODEF, 1, 1 << 30, "groups of channels; must divide C"),
    OPT_INT(ct_groupnorm, no_weight, 0, 0, 1, "1: without weight and bias"),
    OPT_FLOAT(ct_groupnorm, eps, 1e-5, 1e-30, 1e30, "added to the variance"),
    {0},
};
enum { GROUPS, GROUP_NO_WEIGHT, GROUP_EPS };
static const ct__attr row_attrs[] = {POS_INT(centre, CT__NODEF, 0, 1, "1: the mean is taken away"),
                                     POS_FLOAT(eps, CT__NODEF, 0, 1e30, "added to the variance"),
                                     {0}};
enum { CENTRE, ROW_EPS };

/* ---- shapes ---- */
static int row_shape(const ct__infer *f, int64_t axes, ct_shape *row) {
    const ct_shape *s = &f->in[0].shape;
    char text[CT_SHAPE_TEXT];
    row->rank = 0;
    for (int32_t i = s->rank - (int32_t)axes; i < s->rank; i++) {
        if (i < 0 || s->dim[i] < 1) {
            ct__infer_fail(f, "x is %s; wanted %lld trailing axes of fixed extents of at least 1",
                           ct_shape_format(s, text), (long long)axes);
            return 0;
        }
        row->dim[row->rank++] = s->dim[i];
    }
    return 1;
}
static ct_status infer_rows(ct__infer *f, int64_t axes) {
    ct_shape row = {0};
    if (ct__infer_dtype(f, 0, CT_F32) || !row_shape(f, axes, &row)) return CT_EUSAGE;
    f->out[0].shape = f->in[0].shape;
    return CT_OK;
}
static ct_status layer_infer(ct__infer *f) { return infer_rows(f, f->attr[AXES].i); }
static ct_status rms_infer(ct__infer *f) { return infer_rows(f, f->attr[RMS_AXES].i); }
static ct_status group_infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    char text[CT_SHAPE_TEXT];
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_rank(f, 0, 2, CT_MAX_RANK)) return CT_EUSAGE;
    for (int32_t i = 1; i < s->rank; i++)
        if (s->dim[i] < 1)
            return ct__infer_fail(f, "x is %s; wanted fixed extents of at least 1 after the first",
                                  ct_shape_format(s, text));
    if (s->dim[1] % f->attr[GROUPS].i)
        return ct__infer_fail(f, "%lld groups of %lld channels; wanted a divisor of the channels",
                              (long long)f->attr[GROUPS].i, (long long)s->dim[1]);
    f->out[0].shape = *s;
    return CT_OK;
}

static int32_t slots_of(const ct_shape *shape, int no_weight, int no_bias, ct__slot *out) {
    out[0] = (ct__slot){"weight", *shape, {CT_INIT_ONES, 0, 0, 0}, CT_PARAM, 0};
    out[1] = (ct__slot){"bias", *shape, {CT_INIT_ZEROS, 0, 0, 0}, CT_PARAM, 0};
    if (no_weight) out[0].shape.rank = -1;
    if (no_bias) out[1].shape.rank = -1;
    return 2;
}
static int32_t layer_slots(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    ct_shape row = {0};
    int none = f->attr[NO_WEIGHT].i != 0;
    return row_shape(f, f->attr[AXES].i, &row) ? slots_of(&row, none, none || f->attr[NO_BIAS].i, out) : -1;
}
static int32_t rms_slots(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    ct_shape row = {0};
    if (!row_shape(f, f->attr[RMS_AXES].i, &row)) return -1;
    slots_of(&row, f->attr[RMS_NO_WEIGHT].i != 0, 1, out);
    return 1;
}
static int32_t group_slots(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    int none = f->attr[GROUP_NO_WEIGHT].i != 0;
    if (ct__infer_rank(f, 0, 2, CT_MAX_RANK) || group_infer(&(ct__infer){.op = f->op,
                                                                         .name = f->name,
                                                                         .attr = f->attr,
                                                                         .n_in = f->n_in,
                                                                         .n_out = 1,
                                                                         .in = f->in,
                                                                         .out = (ct__type[1]){{0}},
                                                                         .e = f->e}))
        return -1;
    ct_shape channels = ct_shape_make(1, &f->in[0].shape.dim[1]);
    return slots_of(&channels, none, none, out);
}

/* ---- made of rows ---- */
extern const ct__op ct__op_row_norm, ct__op_row_norm_grad;

static ct_t rows_norm(const char *name, ct_t x, ct_t weight, ct_t bias, int64_t centre, double eps) {
    ct_t in[3] = {x, weight, bias};
    ct__value attr[2] = {{.i = centre}, {.f = eps}};
    ct__call call = {
        .op = &ct__op_row_norm, .name = name[0] ? name : NULL, .in = in, .n_in = 3, .attr = attr};
    return ct__build(&call);
}
/* The last `axes` merged into one. */
static ct_t merged(ct_t x, int64_t axes) {
    ct_shape s = ct_shape_of(x);
    if (!x.node || axes == 1) return x;
    for (; axes > 1; axes--) {
        s.dim[s.rank - 2] *= s.dim[s.rank - 1];
        s.dim[--s.rank] = 0;
    }
    return ct_reshape(x, s);
}
static int expand_rows(ct_node *node, const ct_t *in, int64_t axes, int64_t centre, double eps, ct_t *out) {
    ct_t y = rows_norm(node->name, merged(in[0], axes), merged(in[1], axes),
                       node->n_in > 2 ? merged(in[2], axes) : ct__none(), centre, eps);
    out[0] = axes == 1 ? y : ct_reshape(y, ct_shape_of(in[0]));
    return 1;
}
static int layer_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    return expand_rows(node, in, node->attr[AXES].i, 1, node->attr[EPS].f, out);
}
static int rms_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    return expand_rows(node, in, node->attr[RMS_AXES].i, 0, node->attr[RMS_EPS].f, out);
}
static int group_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_shape s = ct_shape_of(in[0]);
    int64_t groups = node->attr[GROUPS].i, row[3] = {s.dim[0], groups, s.dim[1] / groups},
            column[CT_MAX_RANK] = {s.dim[1], 1, 1, 1, 1, 1, 1, 1};
    (void)g;
    (void)train;
    for (int32_t i = 2; i < s.rank; i++) row[2] *= s.dim[i];
    ct_shape channels = ct_shape_make(s.rank - 1, column);
    ct_t h = rows_norm(node->name, ct_reshape(in[0], ct_shape_make(3, row)), ct__none(), ct__none(), 1,
                       node->attr[GROUP_EPS].f);
    out[0] = ct_reshape(h, s);
    if (in[1].node) out[0] = ct_add(ct_mul(out[0], ct_reshape(in[1], channels)), ct_reshape(in[2], channels));
    return 1;
}

/* ---- row_norm(x, weight or none, bias or none) -> y, mean, scale ---- */
static ct_status row_infer(ct__infer *f) {
    ct_shape s = f->in[0].shape;
    f->n_out = 3;
    f->out[0] = f->in[0];
    s.dim[--s.rank] = 0;
    f->out[1] = f->out[2] = (ct__type){CT_F32, 0, s};
    return CT_OK;
}
/* row_norm_grad(dy, x, mean, scale, weight or none) -> dx, dw, db */
static ct_status grad_infer(ct__infer *f) {
    ct_shape row = ct_shape_make(1, &f->in[0].shape.dim[f->in[0].shape.rank - 1]);
    f->n_out = 3;
    f->out[0] = f->in[0];
    f->out[1] = f->out[2] = (ct__type){CT_F32, 0, row};
    return CT_OK;
}
static void row_grad(ct__grad *g) {
    ct_t in[5] = {g->dout[0], g->in[0], g->out[1], g->out[2], g->n_in > 1 ? g->in[1] : ct__none()};
    if (!g->dout[0].node) return;
    ct_t dx = ct__make(&ct__op_row_norm_grad, in, 5, g->attr);
    g->din[0] = dx;
    if (g->n_in > 1 && g->in[1].node) g->din[1] = ct__output(dx, 1);
    if (g->n_in > 2 && g->in[2].node) g->din[2] = ct__output(dx, 2);
}
/* The gradient in elementary ops of x itself, mean and scale included, for second derivatives. */
static int grad_compose(ct_graph *g, ct_node *node, const ct_t *in, ct_t *out) {
    ct_t dy = in[0], x = in[1], weight = node->n_in > 4 ? in[4] : ct__none(),
         a = weight.node ? ct_mul(dy, weight) : dy, m = x;
    ct_shape s = ct_shape_of(x), last = ct_shape_make(1, (int64_t[1]){-1}), lead = {{0}, s.rank - 1, 0};
    ct_reduce keep = {.keep = 1}, drop = {0};
    (void)g;
    for (int32_t i = 0; i < lead.rank; i++) lead.dim[i] = i;
    if (node->attr[CENTRE].i) m = ct_sub(x, ct_mean(x, last, keep));
    ct_t scale = ct_rsqrt(ct_add_scalar(ct_mean(ct_square(m), last, keep), node->attr[ROW_EPS].f)),
         h = ct_mul(m, scale);
    ct_t rest = ct_sub(a, ct_mul(h, ct_mean(ct_mul(a, h), last, keep)));
    if (node->attr[CENTRE].i) rest = ct_sub(rest, ct_mean(a, last, keep));
    out[0] = ct_mul(rest, scale);
    out[1] = lead.rank ? ct_sum(ct_mul(dy, h), lead, drop) : ct_mul(dy, h);
    out[2] = lead.rank ? ct_sum(dy, lead, drop) : dy;
    return 1;
}
static int grad_batch(ct__batch *b) {
    int sharded = b->in_place[0] == CT__SHARD;
    if (ct__batch_axis(&b->in[0].shape) < -1) return 0;
    b->out_place[0] = (uint8_t)(sharded ? CT__SHARD : CT__REPLICATE);
    b->out_place[1] = b->out_place[2] = sharded ? CT__PARTIAL : CT__REPLICATE;
    return b->in_place[1] == b->in_place[0];
}

typedef struct norm_data {
    const ct__row_table *row;
    int64_t rows, columns;
    double eps;
    int32_t centre, out; /* out: the argument that is the first output */
} norm_data;
static ct_status run_norm(const void *data, void *const *arg, const ct__exec *x) {
    const norm_data *d = data;
    (void)x;
    d->row->norm(d->rows, d->columns, d->centre, d->eps, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    return CT_OK;
}
static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const norm_data *d = data;
    (void)x;
    void *const *out = arg + d->out;
    d->row->norm_grad(d->rows, d->columns, d->centre, arg[0], arg[1], arg[4], arg[2], arg[3],
                      d->out > 5 ? arg[5] : NULL, out[0], out[1], out[2]);
    return CT_OK;
}
static ct_status lower_with(ct__lower *l, ct__kernel run) {
    norm_data *d = CT__DATA(l, norm_data);
    const ct_shape *s = &l->in[0].shape;
    if (!d) return CT_ELIMIT;
    int64_t columns = s->dim[s->rank - 1];
    *d = (norm_data){l->simd->row,       ct__count(s) / columns,     columns,
                     l->attr[ROW_EPS].f, (int32_t)l->attr[CENTRE].i, l->n_in};
    l->run = run;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}
/* What a residual branch brings back is added to dx on the way. */
static int grad_fuse(const ct__lower *l, const ct__fused *consumer) {
    int fits = l->n_fused == 0 && l->n_in == 5 && strcmp(consumer->op->name, "add") == 0 && consumer->other;
    return fits && consumer->other->dtype == CT_F32 &&
                   ct_shape_equal(&consumer->other->shape, &l->symbolic[l->n_in].shape)
               ? CT__FUSE_WITH
               : CT__FUSE_NO;
}
static ct_status row_lower(ct__lower *l) { return lower_with(l, run_norm); }
static ct_status grad_lower(ct__lower *l) { return lower_with(l, run_grad); }

/* ---- references ---- */
typedef struct moments {
    double mean, scale;
} moments;
static moments moments_of(const double *x, int64_t n, int64_t centre, double eps) {
    moments m = {0, 0};
    double square = 0;
    for (int64_t i = 0; centre && i < n; i++) m.mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += (x[i] - m.mean) * (x[i] - m.mean) / (double)n;
    m.scale = 1 / sqrt(square + eps);
    return m;
}
static void ref_rows(ct__ref *r, int64_t n, int64_t centre, double eps) {
    int64_t rows = (int64_t)ct__ref_count(&r->in[0]) / n;
    int has_weight = r->n_in > 1 && r->in[1].present, has_bias = r->n_in > 2 && r->in[2].present;
    for (int64_t k = 0; k < rows; k++) {
        const double *x = r->in[0].v + k * n;
        moments m = moments_of(x, n, centre, eps);
        for (int64_t i = 0; i < n; i++)
            r->out[0].v[k * n + i] =
                (x[i] - m.mean) * m.scale * (has_weight ? r->in[1].v[i] : 1) + (has_bias ? r->in[2].v[i] : 0);
        if (r->n_out > 1) {
            r->out[1].v[k] = m.mean;
            r->out[2].v[k] = m.scale;
        }
    }
}
static int64_t row_length(const ct_shape *s, int64_t axes) {
    int64_t n = 1;
    for (int32_t i = s->rank - (int32_t)axes; i < s->rank; i++) n *= s->dim[i];
    return n;
}
static void layer_ref(ct__ref *r) {
    ref_rows(r, row_length(&r->in[0].shape, r->attr[AXES].i), 1, r->attr[EPS].f);
}
static void rms_ref(ct__ref *r) {
    ref_rows(r, row_length(&r->in[0].shape, r->attr[RMS_AXES].i), 0, r->attr[RMS_EPS].f);
}
static void row_ref(ct__ref *r) {
    ref_rows(r, row_length(&r->in[0].shape, 1), r->attr[CENTRE].i, r->attr[ROW_EPS].f);
}
static void group_ref(ct__ref *r) {
    const ct_shape *s = &r->in[0].shape;
    int64_t channels = s->dim[1], places = row_length(s, s->rank - 2),
            n = channels / r->attr[GROUPS].i * places;
    int64_t rows = s->dim[0] * r->attr[GROUPS].i;
    for (int64_t k = 0; k < rows; k++) {
        const double *x = r->in[0].v + k * n;
        moments m = moments_of(x, n, 1, r->attr[GROUP_EPS].f);
        for (int64_t i = 0; i < n; i++) {
            int64_t c = (k * n + i) / places % channels;
            double w = r->in[1].present ? r->in[1].v[c] : 1, b = r->in[2].present ? r->in[2].v[c] : 0;
            r->out[0].v[k * n + i] = (x[i] - m.mean) * m.scale * w + b;
        }
    }
}
static void grad_ref(ct__ref *r) {
    int64_t n = row_length(&r->in[0].shape, 1), rows = (int64_t)ct__ref_count(&r->in[0]) / n;
    for (int64_t k = 0; k < rows; k++) {
        const double *dy = r->in[0].v + k * n, *x = r->in[1].v + k * n;
        double mean = r->in[2].v[k], scale = r->in[3].v[k], a_avg = 0, ah_avg = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < n; i++) {
                double h = (x[i] - mean) * scale,
                       a = dy[i] * (r->n_in > 4 && r->in[4].present ? r->in[4].v[i] : 1);
                if (pass) {
                    r->out[0].v[k * n + i] = scale * (a - a_avg - h * ah_avg);
                    r->out[1].v[i] += dy[i] * h;
                    r->out[2].v[i] += dy[i];
                } else {
                    if (r->attr[CENTRE].i) a_avg += a / (double)n;
                    ah_avg += a * h / (double)n;
                }
            }
    }
}

static const ct__case layer_cases[] = {
    {.text = "x=f32[N,7]; layer_norm(x, \"n\")", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,17]; add(x, linear(layer_norm(x, \"n\"), \"fc\", 17))"},
    {.text = "x=f32[N,16]; layer_norm(x, \"n\")"},
    {.text = "x=f32[N,17]; layer_norm(x, \"n\", no_weight=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,33]; layer_norm(x, \"n\", no_bias=1)"},
    {.text = "x=f32[N,3,5]; layer_norm(x, \"n\", axes=2)"},
    {.text = "x=f32[2,3,4,5]; layer_norm(x, \"n\", axes=3, eps=0.1)"},
    {.text = "x=f32[9]; layer_norm(x, \"n\")"},
    {.text = "x=f32[0,8]; layer_norm(x, \"n\")"},
    {.text = "x=f32[N,2,128]; layer_norm(x, \"n\")"},
    {.text = "x=f32[N,15]; layer_norm(x, \"n\", eps=1)"},
    {.text = "x=f32[5,8]; layer_norm(x, \"n\")"},
    {.text = "x=f32[N,2]; layer_norm(x, \"n\", eps=0.5)"},
    {.text = "x=f32[N]; layer_norm(x, \"n\")", .error = "trailing axes of fixed extents"},
    {.text = "x=f32[N,4]; layer_norm(x, \"n\", axes=3)", .error = "trailing axes of fixed extents"},
    {.text = "x=i64<5>[N,4]; layer_norm(x, \"n\")", .error = "input 1 is i64; wanted f32"},
    {0},
};
static const ct__case rms_cases[] = {
    {.text = "x=f32[N,7]; rms_norm(x, \"n\", eps=0.1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,7]; rms_norm(x, \"n\")", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,16]; rms_norm(x, \"n\", no_weight=1)"},
    {.text = "x=f32[N,3,17]; rms_norm(x, \"n\", eps=0.1)"},
    {.text = "x=f32[N,3,5]; rms_norm(x, \"n\", axes=2)"},
    {.text = "x=f32[33]; rms_norm(x, \"n\")"},
    {.text = "x=f32[N,2,64]; rms_norm(x, \"n\")"},
    {.text = "x=f32[N]; rms_norm(x, \"n\")", .error = "trailing axes of fixed extents"},
    {0},
};
static const ct__case group_cases[] = {
    {.text = "x=f32[N,6,3]; group_norm(x, \"n\", 3)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,4,3,3]; group_norm(x, \"n\", 1)"},
    {.text = "x=f32[N,16,2,2]; group_norm(x, \"n\", 16)"},
    {.text = "x=f32[N,8]; group_norm(x, \"n\", 2, no_weight=1)"},
    {.text = "x=f32[2,32,3,3]; group_norm(x, \"n\", 4, eps=0.01)"},
    {.text = "x=f32[N,3,6,6]; group_norm(conv2d(x, \"c\", 16, 3), \"n\", 4)"},
    {.text = "x=f32[N,6,3]; group_norm(x, \"n\", 4)", .error = "4 groups of 6 channels; wanted a divisor"},
    {.text = "x=f32[N]; group_norm(x, \"n\", 1)", .error = "input 1 is [N]; wanted 2 to"},
    {0},
};

const ct__op ct__op_layer_norm = {
    .name = "layer_norm",
    .summary = "rows with mean 0 and variance 1",
    .attrs = layer_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = layer_infer,
    .slots = layer_slots,
    .expand = layer_expand,
    .ref = layer_ref,
    .cases = layer_cases,
};
const ct__op ct__op_rms_norm = {
    .name = "rms_norm",
    .summary = "rows with mean square 1",
    .attrs = rms_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = rms_infer,
    .slots = rms_slots,
    .expand = rms_expand,
    .ref = rms_ref,
    .cases = rms_cases,
};
const ct__op ct__op_group_norm = {
    .name = "group_norm",
    .summary = "groups of channels with mean 0 and variance 1",
    .attrs = group_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = group_infer,
    .slots = group_slots,
    .expand = group_expand,
    .ref = group_ref,
    .cases = group_cases,
};
const ct__op ct__op_row_norm = {
    .name = "row_norm",
    .summary = "normalised rows",
    .attrs = row_attrs,
    .inputs_min = 1,
    .inputs_max = 3,
    .flags = CT__OP_INTERNAL | CT__OP_SPARE,
    .infer = row_infer,
    .grad = row_grad,
    .batch = ct__batch_rows,
    .lower = row_lower,
    .ref = row_ref,
};
const ct__op ct__op_row_norm_grad = {
    .name = "row_norm_grad",
    .summary = "gradients of row_norm",
    .attrs = row_attrs,
    .inputs_min = 4,
    .inputs_max = 5,
    .flags = CT__OP_INTERNAL | CT__OP_SPARE,
    .infer = grad_infer,
    .compose = grad_compose,
    .batch = grad_batch,
    .fuse = grad_fuse,
    .lower = grad_lower,
    .ref = grad_ref,
};

/* Over the last axis (or options.axes of them); parameters NAME.weight and NAME.bias of the row's shape. */
ct_t ct_layer_norm(ct_t x, const char *name, ct_layernorm options) {
    return ct__op_named(&ct__op_layer_norm, name, &x, 1, NULL, &options);
}
/* Over the last axis (or options.axes of them); parameter NAME.weight of the row's shape. */
ct_t ct_rms_norm(ct_t x, const char *name, ct_rmsnorm options) {
    return ct__op_named(&ct__op_rms_norm, name, &x, 1, NULL, &options);
}
/* x [N,C,...]; parameters NAME.weight [C] and NAME.bias [C]. */
ct_t ct_group_norm(ct_t x, const char *name, int64_t groups, ct_groupnorm options) {
    return ct__op_named(&ct__op_group_norm, name, &x, 1, (ct__value[]){{.i = groups}}, &options);
}
