/* What batch norm is made of in plans (batchnorm.c).
 *
 *     bn_stats(x): count, mean and M2 = sum (x - mean)^2 of each channel, for each shard; shards are merged in
 *         the order of their index by the rule of Chan, Golub and LeVeque, in doubles
 *     bn_finish: mean, var, and the unbiased var, once
 *     bn_normalize, bn_apply: one pass, a following ReLU included; by the batch's and by the running numbers
 *     bn_sums: dbias and dweight, partial sums of the batch
 *     bn_data: dx = s (dy - dbias / count - h dweight / count), s = weight / sqrt(var + eps),
 *         which is the whole derivative by x, through mean and var too
 *     bn_count: one more batch */
#include "op/batchnorm.h"

#include "kern/conv.h"
#include "kern/image.h"

const ct__attr ct__bn_eps_attrs[] = {POS_FLOAT(eps, CT__NODEF, 0, 1e30, "added to the variance"), {0}};

/* [2 + 3C]: C, the count, means, M2, what the means lack. C stands in it so that the merge needs nothing else. */
static ct_status stats_infer(ct__infer *f) {
    int64_t n = 2 + 3 * f->in[0].shape.dim[1];
    f->out[0].shape = ct_shape_make(1, &n);
    return CT_OK;
}
static ct_status finish_infer(ct__infer *f) {
    int64_t c = (f->in[0].shape.dim[0] - 2) / 3;
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

/* An internal op that keeps the layer's name, for plans and errors. */
ct_t ct__bn_make(const ct__op *op, const char *name, const ct_t *in, int32_t n_in, const ct__value *attr) {
    static const ct__value none[1];
    ct__call call = {
        .op = op, .name = name[0] ? name : NULL, .in = in, .n_in = n_in, .attr = attr ? attr : none};
    return ct__build(&call);
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
            double count = (double)part[p][1],
                   d = (double)part[p][2 + k] + (double)part[p][2 + 2 * c + k] - mean;
            if (count <= 0) continue;
            m2 += (double)part[p][2 + c + k] + d * d * n * count / (n + count);
            mean += d * count / (n + count);
            n += count;
        }
        out[2 + k] = (float)mean;
        out[2 + c + k] = (float)m2;
        out[2 + 2 * c + k] = (float)(mean - (double)out[2 + k]);
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
    int64_t c = (d->image.n - 2) / 3;
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
ct__grid ct__grid_of(const ct__ref_array *x) {
    int64_t c = x->shape.dim[1], n = x->shape.dim[0];
    return (ct__grid){n, c, n ? ct__count(&x->shape) / (n * c) : 0};
}
int64_t ct__channel_of(const ct__grid *g, int64_t i) { return i / g->places % g->c; }
static double one_of(const ct__ref_array *a, int64_t k, double absent) {
    return a->present ? a->v[k] : absent;
}

void ct__bn_moments(const ct__ref_array *x, int64_t c, double *mean, double *m2) {
    ct__grid g = ct__grid_of(x);
    double sum = 0, square = 0;
    for (int64_t i = 0; i < g.n * g.c * g.places; i++)
        if (ct__channel_of(&g, i) == c) sum += x->v[i];
    *mean = sum / (double)(g.n * g.places);
    for (int64_t i = 0; i < g.n * g.c * g.places; i++)
        if (ct__channel_of(&g, i) == c) square += (x->v[i] - *mean) * (x->v[i] - *mean);
    *m2 = square;
}

void ct__bn_ref_normalized(ct__ref *r, int64_t c, double mean, double var, const ct__ref_array *weight,
                           const ct__ref_array *bias) {
    ct__grid g = ct__grid_of(&r->in[0]);
    for (int64_t i = 0; i < g.n * g.c * g.places; i++)
        if (ct__channel_of(&g, i) == c)
            r->out[0].v[i] =
                (r->in[0].v[i] - mean) / sqrt(var + r->attr[0].f) * one_of(weight, c, 1) + one_of(bias, c, 0);
}

static void stats_ref(ct__ref *r) {
    ct__grid g = ct__grid_of(&r->in[0]);
    r->out[0].v[0] = (double)g.c;
    r->out[0].v[1] = (double)(g.n * g.places);
    for (int64_t c = 0; c < g.c; c++)
        ct__bn_moments(&r->in[0], c, &r->out[0].v[2 + c], &r->out[0].v[2 + g.c + c]);
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
        ct__bn_ref_normalized(r, c, r->in[1].v[c], r->in[2].v[c], &r->in[3], &r->in[4]);
}
/* h of element i, from x, mean, var = in[1], in[2], in[3] */
static double hat(const ct__ref *r, int64_t c, int64_t i) {
    return (r->in[1].v[i] - r->in[2].v[c]) / sqrt(r->in[3].v[c] + r->attr[0].f);
}

static void sums_ref(ct__ref *r) {
    ct__grid g = ct__grid_of(&r->in[0]);
    for (int64_t i = 0; i < g.n * g.c * g.places; i++) {
        int64_t c = ct__channel_of(&g, i);
        r->out[0].v[c] += r->in[0].v[i];
        r->out[1].v[c] += r->in[0].v[i] * hat(r, c, i);
    }
}
static void data_ref(ct__ref *r) {
    ct__grid g = ct__grid_of(&r->in[0]);
    double count = (double)(g.n * g.places);
    for (int64_t i = 0; i < g.n * g.c * g.places; i++) {
        int64_t c = ct__channel_of(&g, i);
        double scale = one_of(&r->in[6], c, 1) / sqrt(r->in[3].v[c] + r->attr[0].f);
        r->out[0].v[i] =
            scale * (r->in[0].v[i] - r->in[4].v[c] / count - hat(r, c, i) * r->in[5].v[c] / count);
    }
}
static void count_ref(ct__ref *r) { r->out[0].v[0] = r->in[0].v[0] + 1; }

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
    .attrs = ct__bn_eps_attrs,
    .inputs_min = 3,
    .inputs_max = 5,
    .flags = CT__OP_INTERNAL,
    .infer = like_first,
    .nondiff = "batch_norm's derivative accounts for it",
    .batch = ct__batch_rows,
    .layout = lay_in_out,
    .fuse = fuse,
    .lower = apply_lower,
    .ref = apply_ref,
};
const ct__op ct__op_bn_apply = {
    .name = "bn_apply",
    .summary = "batch_norm by given statistics",
    .attrs = ct__bn_eps_attrs,
    .inputs_min = 3,
    .inputs_max = 5,
    .flags = CT__OP_INTERNAL,
    .infer = like_first,
    .nondiff = "batch_norm's derivative accounts for it",
    .batch = ct__batch_rows,
    .layout = lay_in_out,
    .fuse = fuse,
    .lower = apply_lower,
    .ref = apply_ref,
};
const ct__op ct__op_bn_sums = {
    .name = "bn_sums",
    .summary = "gradients of batch_norm by bias and weight",
    .attrs = ct__bn_eps_attrs,
    .inputs_min = 4,
    .inputs_max = 4,
    .flags = CT__OP_INTERNAL,
    .infer = sums_infer,
    .nondiff = "batch_norm_grad's derivative accounts for it",
    .batch = partial,
    .layout = lay_two,
    .lower = sums_lower,
    .ref = sums_ref,
};
const ct__op ct__op_bn_data = {
    .name = "bn_data",
    .summary = "gradient of batch_norm by x",
    .attrs = ct__bn_eps_attrs,
    .inputs_min = 6,
    .inputs_max = 7,
    .flags = CT__OP_INTERNAL,
    .infer = like_first,
    .nondiff = "batch_norm_grad's derivative accounts for it",
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
