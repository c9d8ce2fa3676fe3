/* Batch norm of [N,C], [N,C,T] or [N,C,H,W] over all axes but the channels (PyTorch's BatchNorm1d and 2d).
 *
 *     y = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]
 *
 * In training mean and var (biased) are those of the whole batch, and at the end of the run
 *     running_mean = (1 - momentum) running_mean + momentum * mean
 *     running_var  = (1 - momentum) running_var  + momentum * M2 / (count - 1)
 *     num_batches_tracked = num_batches_tracked + 1
 * In evaluation mean and var are the running ones.
 *
 * In training the layer is expanded:
 *     bn_stats(x): count, mean and M2 = sum (x - mean)^2 of each channel, for each shard; shards are merged in
 *         the order of their index by the rule of Chan, Golub and LeVeque, in doubles
 *     bn_finish: mean, var, and the unbiased var, once
 *     bn_normalize: one pass, a following ReLU included
 * and its gradient is that of bn_normalize, with g[c] = weight / sqrt(var + eps), h = (x - mean) / sqrt(var + eps):
 *     dbias = sum dy, dweight = sum dy h                         (bn_sums, partial sums of the batch)
 *     dx = g (dy - dbias / count - h dweight / count)            (bn_data)
 * These are the whole derivative by x, through mean and var too. So bn_normalize gives mean and var no
 * cotangent, although they are inputs: they are functions of x here and have been accounted for. (Evaluation
 * uses bn_apply, the same kernel on numbers that do not depend on x.) A gradient is always that of training. */
#include "kern/conv.h"
#include "kern/image.h"
#include "op/common.h"

static const ct__attr attrs[] = {
    OPT_FLOAT(ct_batchnorm, eps, 1e-5, 1e-30, 1e30, "added to the variance"),
    OPT_FLOAT(ct_batchnorm, momentum, 0.1, 1e-30, 1, "share of the new batch in the running statistics"),
    OPT_INT(ct_batchnorm, no_affine, 0, 0, 1, "1: without weight and bias"),
    {0},
};
enum { EPS, MOMENTUM, NO_AFFINE };
static const ct__attr eps_attrs[] = {POS_FLOAT(eps, CT__NODEF, 0, 1e30, "added to the variance"), {0}};
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

/* [2 + 2C]: C, the count, means, M2. C stands in it so that the merge needs nothing else. */
static ct_status stats_infer(ct__infer *f) {
    int64_t n = 2 + 2 * f->in[0].shape.dim[1];
    f->out[0].shape = ct_shape_make(1, &n);
    return CT_OK;
}
static ct_status finish_infer(ct__infer *f) {
    int64_t c = (f->in[0].shape.dim[0] - 2) / 2;
    f->n_out = 3;
    for (int i = 0; i < 3; i++) f->out[i] = (ct__type){CT_F32, 0, ct_shape_make(1, &c)};
    return CT_OK;
}
static ct_status like_first(ct__infer *f) {
    f->out[0].shape = f->in[0].shape;
    return CT_OK;
}
static ct_status sums_infer(ct__infer *f) {
    f->n_out = 2;
    for (int i = 0; i < 2; i++) f->out[i] = (ct__type){CT_F32, 0, ct_shape_make(1, &f->in[0].shape.dim[1])};
    return CT_OK;
}

extern const ct__op ct__op_bn_stats, ct__op_bn_finish, ct__op_bn_normalize, ct__op_bn_apply, ct__op_bn_sums,
    ct__op_bn_data, ct__op_bn_count;

/* An internal op that keeps the layer's name, for plans and errors. */
static ct_t make(const ct__op *op, const char *name, const ct_t *in, int32_t n_in, const ct__value *attr) {
    static const ct__value none[1];
    ct__call call = {
        .op = op, .name = name[0] ? name : NULL, .in = in, .n_in = n_in, .attr = attr ? attr : none};
    return ct__build(&call);
}

static ct_t mixed(ct_t running, ct_t fresh, double momentum) {
    return ct_add(ct_mul_scalar(running, 1 - momentum), ct_mul_scalar(fresh, momentum));
}

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct__value eps[] = {node->attr[EPS]};
    double momentum = node->attr[MOMENTUM].f;
    if (!train) {
        ct_t from[5] = {in[0], in[RUNNING_MEAN], in[RUNNING_VAR], in[WEIGHT], in[BIAS]};
        out[0] = make(&ct__op_bn_apply, node->name, from, 5, eps);
        return 1;
    }
    ct_t stats = make(&ct__op_bn_stats, node->name, in, 1, NULL),
         mean = make(&ct__op_bn_finish, node->name, &stats, 1, NULL);
    ct_t from[5] = {in[0], mean, ct__output(mean, 1), in[WEIGHT], in[BIAS]};
    out[0] = make(&ct__op_bn_normalize, node->name, from, 5, eps);
    ct__effect(g, ct_assign(in[RUNNING_MEAN], mixed(in[RUNNING_MEAN], mean, momentum)));
    ct__effect(g, ct_assign(in[RUNNING_VAR], mixed(in[RUNNING_VAR], ct__output(mean, 2), momentum)));
    ct__effect(g, ct_assign(in[TRACKED], ct__op1(&ct__op_bn_count, in[TRACKED])));
    return 1;
}

/* in: x, mean, var, weight, bias */
static void grad(ct__grad *g) {
    const char *name = g->node->name;
    ct_t dy = g->dout[0], from[4] = {dy, g->in[0], g->in[1], g->in[2]};
    ct_t db = make(&ct__op_bn_sums, name, from, 4, g->attr), dw = ct__output(db, 1);
    if (g->need[0]) {
        ct_t all[7] = {dy, g->in[0], g->in[1], g->in[2], db, dw, g->in[3]};
        g->din[0] = make(&ct__op_bn_data, name, all, 7, g->attr);
    }
    if (g->in[3].node) g->din[3] = dw;
    if (g->in[4].node) g->din[4] = db;
}

/* ---- placement ---- */
static int partial(ct__batch *b) {
    int32_t axis = ct__batch_axis(&b->in[0].shape);
    if (axis > 0) return 0;
    for (int32_t i = 0; i < b->n_in; i++)
        if (b->in_place[i] != b->in_place[0] && b->in[i].shape.rank > 1) return 0;
    for (int32_t i = 0; i < b->n_out; i++)
        b->out_place[i] = b->in_place[0] == CT__SHARD ? CT__PARTIAL : CT__REPLICATE;
    return 1;
}

/* Shard after shard into the first, in doubles. */
static void merge(const void *data, float *const *part, int32_t parts, float *out) {
    int64_t c = (int64_t)part[0][0];
    double all = 0;
    (void)data;
    for (int32_t p = 0; p < parts; p++) all += (double)part[p][1];
    for (int64_t k = 0; k < c; k++) {
        double n = 0, mean = 0, m2 = 0;
        for (int32_t p = 0; p < parts; p++) {
            double count = (double)part[p][1], d = (double)part[p][2 + k] - mean;
            if (count <= 0) continue;
            m2 += (double)part[p][2 + c + k] + d * d * n * count / (n + count);
            mean += d * count / (n + count);
            n += count;
        }
        out[2 + k] = (float)mean;
        out[2 + c + k] = (float)m2;
    }
    out[0] = (float)c;
    out[1] = (float)all;
}

/* ---- lowering ---- */
typedef struct bn_data {
    ct__image image;
    const ct__image_table *table;
    double eps, count;
    int32_t relu, reserved;
} bn_data;

/* The images among the operands (those of the output's or the first input's rank) in one order: blocked when
 * any of them comes so. */
static void lay(ct__layouts *q, int32_t images, int image_out) {
    int blocked = 0;
    for (int32_t i = 0; i < images; i++) blocked |= q->in_now[i].kind == CT__BLOCKED;
    for (int32_t i = 0; blocked && i < images; i++) q->in[i].kind = CT__BLOCKED;
    if (blocked && image_out) q->out[0].kind = CT__BLOCKED;
}
static void lay_in(ct__layouts *q) { lay(q, 1, 0); }
static void lay_in_out(ct__layouts *q) { lay(q, 1, 1); }
static void lay_two(ct__layouts *q) { lay(q, 2, 0); }
static void lay_two_out(ct__layouts *q) { lay(q, 2, 1); }

static bn_data *new_data(ct__lower *l, ct__kernel run) {
    const ct_shape *s = &l->in[0].shape;
    bn_data *d = CT__DATA(l, bn_data);
    if (!d) return NULL;
    d->image = (ct__image){s->dim[0], s->rank > 1 ? s->dim[1] : 1, 1,
                           l->in_layout[0].kind == CT__BLOCKED ? ct__block_channels() : 1, 0};
    for (int32_t i = 2; i < s->rank; i++) d->image.spatial *= s->dim[i];
    d->table = l->simd->image;
    l->run = run;
    l->data = d;
    l->impl = "channels";
    return d;
}

static ct_status run_stats(const void *data, void *const *arg, const ct__exec *x) {
    const bn_data *d = data;
    (void)x;
    d->table->norm_stats(&d->image, arg[0], arg[1]);
    return CT_OK;
}
/* One value has no variance. Known here, from the batch, so that who describes a plan sees it before any step. */
static ct_status stats_lower(ct__lower *l) {
    const ct_shape *s = &l->symbolic[0].shape;
    uint64_t count = 1;
    for (int32_t i = 0; i < s->rank; i++)
        if (i != 1) count *= (uint64_t)(s->dim[i] < 0 ? -s->dim[i] * l->batch : s->dim[i]);
    if (count < 2)
        return ct_fail(
            l->e, CT_EUSAGE,
            "batch_norm \"%s\": %llu values a channel; wanted at least 2 in training; use another batch",
            l->name, (unsigned long long)count);
    return new_data(l, run_stats) ? CT_OK : CT_ELIMIT;
}

static ct_status run_finish(const void *data, void *const *arg, const ct__exec *x) {
    const bn_data *d = data;
    (void)x;
    const float *stats = arg[0];
    float *mean = arg[1], *var = arg[2], *unbiased = arg[3];
    int64_t c = (d->image.n - 2) / 2;
    double count = (double)stats[1];
    for (int64_t k = 0; k < c; k++) {
        double m2 = (double)stats[2 + c + k];
        if (mean) mean[k] = stats[2 + k];
        if (var) var[k] = (float)(m2 / count);
        if (unbiased) unbiased[k] = (float)(m2 / (count - 1));
    }
    return CT_OK;
}
static ct_status finish_lower(ct__lower *l) { return new_data(l, run_finish) ? CT_OK : CT_ELIMIT; }

static ct_status run_apply(const void *data, void *const *arg, const ct__exec *x) {
    const bn_data *d = data;
    d->table->norm_apply(&d->image, arg[0], arg[1], arg[2], arg[3], arg[4], d->eps, d->relu, x->scratch,
                         arg[5]);
    return CT_OK;
}
static ct_status apply_lower(ct__lower *l) {
    bn_data *d = new_data(l, run_apply);
    if (!d) return CT_ELIMIT;
    d->eps = l->attr[0].f;
    d->relu = l->n_fused > 0;
    l->scratch = (uint64_t)(3 * ct__image_channels(d->image.c)) * sizeof(float);
    return CT_OK;
}
static int fuse(const ct__lower *l, const ct__fused *consumer) {
    return l->n_fused == 0 && strcmp(consumer->op->name, "relu") == 0;
}

static ct_status run_sums(const void *data, void *const *arg, const ct__exec *x) {
    const bn_data *d = data;
    (void)x;
    d->table->norm_sums(&d->image, arg[0], arg[1], arg[2], arg[3], d->eps, arg[4], arg[5]);
    return CT_OK;
}
static ct_status sums_lower(ct__lower *l) {
    bn_data *d = new_data(l, run_sums);
    if (!d) return CT_ELIMIT;
    d->eps = l->attr[0].f;
    return CT_OK;
}

static ct_status run_data(const void *data, void *const *arg, const ct__exec *x) {
    const bn_data *d = data;
    d->table->norm_grad(&d->image, arg[0], arg[1], arg[2], arg[3], arg[6], arg[4], arg[5], d->eps, d->count,
                        x->scratch, arg[7]);
    return CT_OK;
}
static ct_status data_lower(ct__lower *l) {
    bn_data *d = new_data(l, run_data);
    uint64_t count = 0;
    if (!d) return CT_ELIMIT;
    ct_shape_count(&l->symbolic[0].shape, l->batch, &count); /* of the whole batch */
    d->count = (double)count / (double)d->image.c;
    d->eps = l->attr[0].f;
    l->scratch = (uint64_t)(4 * ct__image_channels(d->image.c)) * sizeof(float);
    return CT_OK;
}

static ct_status run_count(const void *data, void *const *arg, const ct__exec *x) {
    int64_t n;
    (void)data;
    (void)x;
    memcpy(&n, arg[0], sizeof n);
    n = n < INT64_MAX ? n + 1 : n;
    memcpy(arg[1], &n, sizeof n);
    return CT_OK;
}
static ct_status count_lower(ct__lower *l) {
    l->run = run_count;
    l->impl = "plus one";
    return CT_OK;
}

/* ---- references ---- */
typedef struct grid { /* element (n, c, s) at (n * c_all + c) * places + s */
    int64_t n, c, places;
} grid;
static grid grid_of(const ct__ref_array *x) {
    int64_t c = x->shape.dim[1], n = x->shape.dim[0];
    return (grid){n, c, n ? ct__count(&x->shape) / (n * c) : 0};
}
static int64_t channel_of(const grid *g, int64_t i) { return i / g->places % g->c; }
static double one_of(const ct__ref_array *a, int64_t k, double absent) {
    return a->present ? a->v[k] : absent;
}

static void moments(const ct__ref_array *x, int64_t c, double *mean, double *m2) {
    grid g = grid_of(x);
    double sum = 0, square = 0;
    for (int64_t i = 0; i < g.n * g.c * g.places; i++)
        if (channel_of(&g, i) == c) sum += x->v[i];
    *mean = sum / (double)(g.n * g.places);
    for (int64_t i = 0; i < g.n * g.c * g.places; i++)
        if (channel_of(&g, i) == c) square += (x->v[i] - *mean) * (x->v[i] - *mean);
    *m2 = square;
}

static void ref_normalized(ct__ref *r, int64_t c, double mean, double var, const ct__ref_array *weight,
                           const ct__ref_array *bias) {
    grid g = grid_of(&r->in[0]);
    for (int64_t i = 0; i < g.n * g.c * g.places; i++)
        if (channel_of(&g, i) == c)
            r->out[0].v[i] = (r->in[0].v[i] - mean) / sqrt(var + r->attr[EPS].f) * one_of(weight, c, 1) +
                             one_of(bias, c, 0);
}

static void ref(ct__ref *r) {
    grid g = grid_of(&r->in[0]);
    for (int64_t c = 0; c < g.c; c++) {
        double mean = r->in[RUNNING_MEAN].v[c], var = r->in[RUNNING_VAR].v[c];
        if (r->train) {
            moments(&r->in[0], c, &mean, &var);
            var /= (double)(g.n * g.places);
        }
        ref_normalized(r, c, mean, var, &r->in[WEIGHT], &r->in[BIAS]);
    }
}
static void stats_ref(ct__ref *r) {
    grid g = grid_of(&r->in[0]);
    r->out[0].v[0] = (double)g.c;
    r->out[0].v[1] = (double)(g.n * g.places);
    for (int64_t c = 0; c < g.c; c++) moments(&r->in[0], c, &r->out[0].v[2 + c], &r->out[0].v[2 + g.c + c]);
}
static void finish_ref(ct__ref *r) {
    int64_t c = r->out[0].shape.dim[0];
    const double *stats = r->in[0].v;
    for (int64_t k = 0; k < c; k++) {
        r->out[0].v[k] = stats[2 + k];
        r->out[1].v[k] = stats[2 + c + k] / stats[1];
        r->out[2].v[k] = stats[2 + c + k] / (stats[1] - 1);
    }
}
static void apply_ref(ct__ref *r) {
    for (int64_t c = 0; c < r->in[0].shape.dim[1]; c++)
        ref_normalized(r, c, r->in[1].v[c], r->in[2].v[c], &r->in[3], &r->in[4]);
}
/* h of element i, from x, mean, var = in[1], in[2], in[3] */
static double hat(const ct__ref *r, int64_t c, int64_t i) {
    return (r->in[1].v[i] - r->in[2].v[c]) / sqrt(r->in[3].v[c] + r->attr[0].f);
}

static void sums_ref(ct__ref *r) {
    grid g = grid_of(&r->in[0]);
    for (int64_t i = 0; i < g.n * g.c * g.places; i++) {
        int64_t c = channel_of(&g, i);
        r->out[0].v[c] += r->in[0].v[i];
        r->out[1].v[c] += r->in[0].v[i] * hat(r, c, i);
    }
}
static void data_ref(ct__ref *r) {
    grid g = grid_of(&r->in[0]);
    double count = (double)(g.n * g.places);
    for (int64_t i = 0; i < g.n * g.c * g.places; i++) {
        int64_t c = channel_of(&g, i);
        double scale = one_of(&r->in[6], c, 1) / sqrt(r->in[3].v[c] + r->attr[0].f);
        r->out[0].v[i] =
            scale * (r->in[0].v[i] - r->in[4].v[c] / count - hat(r, c, i) * r->in[5].v[c] / count);
    }
}
static void count_ref(ct__ref *r) { r->out[0].v[0] = r->in[0].v[0] + 1; }

static const ct__case cases[] = {
    {.text = "x=f32[N,3,4,4]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,1,3,3]; batch_norm(x, \"bn\", momentum=0.3)"},
    {.text = "x=f32[N,16,2,3]; batch_norm(x, \"bn\", eps=0.01)"},
    {.text = "x=f32[N,17,5,1]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,7,7]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,8,9]; batch_norm(x, \"bn\", no_affine=1)"},
    {.text = "x=f32[N,9,15]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,15,16]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,3,17]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,5]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,16]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,33]; batch_norm(x, \"bn\", no_affine=1)"},
    {.text = "x=f32[4,3,2,2]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[1,4,9]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,2,3,2,3]; batch_norm(x, \"bn\")"},
    {.text = "x=f32[N,3,5]; batch_norm(reshape(x, -3, 5), \"bn\")"},
    {.text = "x=f32[N,3,5,5]; batch_norm(conv2d(x, \"c\", 16, 3, pad=1), \"bn\")"},
    {.text = "x=f32[N,3,5,5]; batch_norm(conv2d(x, \"c\", 17, 3), \"bn\")", .tolerance = 3e-5},
    {.text = "x=f32[N,3,5,5]; relu(batch_norm(conv2d(x, \"c\", 16, 3), \"bn\"))"},
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
    .expand = expand,
    .batch = ct__batch_rows,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_bn_stats = {
    .name = "bn_stats",
    .summary = "count, mean and squared deviations of each channel",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = stats_infer,
    .nondiff = "batch_norm's derivative accounts for it",
    .batch = partial,
    .layout = lay_in,
    .lower = stats_lower,
    .merge = merge,
    .ref = stats_ref,
};
const ct__op ct__op_bn_finish = {
    .name = "bn_finish",
    .summary = "mean, variance, unbiased variance",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = finish_infer,
    .nondiff = "batch_norm's derivative accounts for it",
    .lower = finish_lower,
    .ref = finish_ref,
};
const ct__op ct__op_bn_normalize = {
    .name = "bn_normalize",
    .summary = "batch_norm by the statistics of x itself",
    .attrs = eps_attrs,
    .inputs_min = 3,
    .inputs_max = 5,
    .flags = CT__OP_INTERNAL,
    .infer = like_first,
    .grad = grad,
    .batch = ct__batch_rows,
    .layout = lay_in_out,
    .fuse = fuse,
    .lower = apply_lower,
    .ref = apply_ref,
};
const ct__op ct__op_bn_apply = {
    .name = "bn_apply",
    .summary = "batch_norm by given statistics",
    .attrs = eps_attrs,
    .inputs_min = 3,
    .inputs_max = 5,
    .flags = CT__OP_INTERNAL,
    .infer = like_first,
    .nondiff = "it appears in plans for evaluation only",
    .batch = ct__batch_rows,
    .layout = lay_in_out,
    .fuse = fuse,
    .lower = apply_lower,
    .ref = apply_ref,
};
const ct__op ct__op_bn_sums = {
    .name = "bn_sums",
    .summary = "gradients of batch_norm by bias and weight",
    .attrs = eps_attrs,
    .inputs_min = 4,
    .inputs_max = 4,
    .flags = CT__OP_INTERNAL,
    .infer = sums_infer,
    .nondiff = "second derivatives of batch norm are not offered",
    .batch = partial,
    .layout = lay_two,
    .lower = sums_lower,
    .ref = sums_ref,
};
const ct__op ct__op_bn_data = {
    .name = "bn_data",
    .summary = "gradient of batch_norm by x",
    .attrs = eps_attrs,
    .inputs_min = 6,
    .inputs_max = 7,
    .flags = CT__OP_INTERNAL,
    .infer = like_first,
    .nondiff = "second derivatives of batch norm are not offered",
    .batch = ct__batch_rows,
    .layout = lay_two_out,
    .lower = data_lower,
    .ref = data_ref,
};
const ct__op ct__op_bn_count = {
    .name = "bn_count",
    .summary = "one more batch",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = like_first,
    .nondiff = "of integers",
    .lower = count_lower,
    .ref = count_ref,
};

/* x [N,C,...]; parameters NAME.weight, NAME.bias [C]; buffers NAME.running_mean, NAME.running_var [C],
 * NAME.num_batches_tracked. */
ct_t ct_batch_norm(ct_t x, const char *name, ct_batchnorm options) {
    return ct__op_named(&ct__op_batch_norm, name, &x, 1, NULL, &options);
}
