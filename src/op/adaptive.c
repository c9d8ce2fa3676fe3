/* Average pooling to a given size, PyTorch's AdaptiveAvgPool2d, and over everything.
 *
 *     adaptive_avgpool2d(x, out_h, out_w): window i of an axis is floor(i in / out) .. ceil((i + 1) in / out) - 1
 *     y = the mean of each window, dx[i] = sum of dy / count over the windows that cover i
 *     global_avgpool: [N,C,...] -> [N,C], the mean over all places; dx = dy / places
 *
 * Each gradient's own gradient is the op itself. The gradients take x as an input for its storage order
 * alone. (adaptive_maxpool2d stands with max pooling.) */
#include "op/pool.h"

static const ct__attr attrs[] = {POS_INT(out_h, CT__NODEF, 1, 65535, "rows of the result"),
                                 POS_INT(out_w, CT__NODEF, 1, 65535, "columns of the result"),
                                 {0}};

static ct_status infer(ct__infer *f) {
    if (ct__pool_infer_image(f, 4, 4)) return CT_EUSAGE;
    f->out[0].shape = f->in[0].shape;
    f->out[0].shape.dim[2] = f->attr[0].i;
    f->out[0].shape.dim[3] = f->attr[1].i;
    return CT_OK;
}
static ct_status global_infer(ct__infer *f) {
    if (ct__pool_infer_image(f, 3, 5)) return CT_EUSAGE;
    f->out[0].shape = ct_shape_make(2, f->in[0].shape.dim);
    return CT_OK;
}
/* dx like x from dy, x */
static ct_status grad_infer(ct__infer *f) {
    f->out[0].shape = f->in[1].shape;
    return CT_OK;
}

extern const ct__op ct__op_adaptive_avgpool2d, ct__op_adaptive_avgpool2d_grad, ct__op_global_avgpool,
    ct__op_global_avgpool_grad;

static void grad(ct__grad *g) {
    if (g->need[0]) g->din[0] = ct__op2(&ct__op_adaptive_avgpool2d_grad, g->dout[0], g->in[0]);
}
static void grad_grad(ct__grad *g) {
    ct_shape s = ct_shape_of(g->in[0]);
    ct__value a[] = {{.i = s.dim[2]}, {.i = s.dim[3]}};
    if (g->need[0]) g->din[0] = ct__make(&ct__op_adaptive_avgpool2d, g->dout, 1, a);
}
static void global_grad(ct__grad *g) {
    if (g->need[0]) g->din[0] = ct__op2(&ct__op_global_avgpool_grad, g->dout[0], g->in[0]);
}
static void global_grad_grad(ct__grad *g) {
    if (g->need[0]) g->din[0] = ct__op1(&ct__op_global_avgpool, g->dout[0]);
}

/* ---- lowering ---- */
typedef struct adaptive_data {
    ct__pool pool;
    ct__image whole;
    float scale;
    int32_t reserved;
    const ct__image_table *image;
} adaptive_data;

static ct_status run_forward(const void *data, void *const *arg, const ct__exec *x) {
    const adaptive_data *d = data;
    (void)x;
    d->image->avgpool(&d->pool, arg[0], arg[1]);
    return CT_OK;
}
static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const adaptive_data *d = data;
    (void)x;
    d->image->avgpool_grad(&d->pool, arg[0], arg[2]);
    return CT_OK;
}
static ct_status run_global(const void *data, void *const *arg, const ct__exec *x) {
    const adaptive_data *d = data;
    (void)x;
    d->image->spatial_sum(&d->whole, d->scale, arg[0], arg[1]);
    return CT_OK;
}
static ct_status run_global_grad(const void *data, void *const *arg, const ct__exec *x) {
    const adaptive_data *d = data;
    (void)x;
    d->image->spatial_spread(&d->whole, d->scale, arg[0], arg[2]);
    return CT_OK;
}

static adaptive_data *new_data(ct__lower *l, ct__kernel run, const char *impl) {
    adaptive_data *d = CT__DATA(l, adaptive_data);
    if (!d) return NULL;
    d->image = l->simd->image;
    l->run = run;
    l->data = d;
    l->impl = impl;
    return d;
}

static ct_status lower_windows(ct__lower *l, const ct_shape *in, const ct_shape *out, ct__kernel run) {
    adaptive_data *d = new_data(l, run, "windows");
    if (!d) return CT_ELIMIT;
    ct__pool_describe(l, 0, in, out, &d->pool);
    return ct__pool_spans_adaptive(l, &d->pool);
}
static ct_status lower(ct__lower *l) {
    return lower_windows(l, &l->in[0].shape, &l->out[0].shape, run_forward);
}
static ct_status grad_lower(ct__lower *l) {
    return lower_windows(l, &l->out[0].shape, &l->in[0].shape, run_grad);
}

static ct_status lower_whole(ct__lower *l, const ct_shape *image, const ct__layout *layout, ct__kernel run) {
    adaptive_data *d = new_data(l, run, "whole");
    if (!d) return CT_ELIMIT;
    d->whole = (ct__image){image->dim[0], image->dim[1], 1,
                           layout->kind == CT__BLOCKED ? ct__block_channels() : 1, 0};
    for (int32_t i = 2; i < image->rank; i++) d->whole.spatial *= image->dim[i];
    d->scale = (float)(1 / (double)d->whole.spatial);
    return CT_OK;
}
static ct_status global_lower(ct__lower *l) {
    return lower_whole(l, &l->in[0].shape, &l->in_layout[0], run_global);
}
static ct_status global_grad_lower(ct__lower *l) {
    return lower_whole(l, &l->out[0].shape, &l->out_layout[0], run_global_grad);
}

/* The image as it comes; its means plain. */
static void global_layout(ct__layouts *q) {
    if (q->in_now[0].kind == CT__BLOCKED) q->in[0].kind = CT__BLOCKED;
}
static void global_grad_layout(ct__layouts *q) {
    if (q->in_now[1].kind == CT__BLOCKED) q->in[1].kind = q->out[0].kind = CT__BLOCKED;
}

/* ---- references: y from x, or dx from dy ---- */
static void windows_ref(ct__ref *r, const ct_shape *in, const ct_shape *out, int backward) {
    int64_t ih = in->dim[2], iw = in->dim[3], oh = out->dim[2], ow = out->dim[3];
    for (int64_t o = 0; o < in->dim[0] * in->dim[1] * oh * ow; o++) {
        int64_t a = o / ow % oh, b = o % ow, plane = o / (oh * ow) * ih * iw;
        double count = 0, sum = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < ih; i++)
                for (int64_t j = 0; j < iw; j++) {
                    int inside = (i + 1) * oh > a * ih && i * oh < (a + 1) * ih && (j + 1) * ow > b * iw &&
                                 j * ow < (b + 1) * iw;
                    if (!inside) continue;
                    if (pass == 0)
                        count++;
                    else if (backward)
                        r->out[0].v[plane + i * iw + j] += r->in[0].v[o] / count;
                    else
                        sum += r->in[0].v[plane + i * iw + j] / count;
                }
        if (!backward) r->out[0].v[o] = sum;
    }
}
static void ref(ct__ref *r) { windows_ref(r, &r->in[0].shape, &r->out[0].shape, 0); }
static void grad_ref(ct__ref *r) { windows_ref(r, &r->out[0].shape, &r->in[0].shape, 1); }

static void global_ref(ct__ref *r) {
    int64_t planes = ct__count(&r->out[0].shape), places = planes ? ct__count(&r->in[0].shape) / planes : 0;
    for (int64_t i = 0; i < planes * places; i++) r->out[0].v[i / places] += r->in[0].v[i] / (double)places;
}
static void global_grad_ref(ct__ref *r) {
    int64_t planes = ct__count(&r->in[0].shape), places = planes ? ct__count(&r->out[0].shape) / planes : 0;
    for (int64_t i = 0; i < planes * places; i++) r->out[0].v[i] = r->in[0].v[i / places] / (double)places;
}

static const ct__case cases[] = {
    {.text = "x=f32[N,3,7,5]; adaptive_avgpool2d(x, 3, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,17,4,4]; adaptive_avgpool2d(x, 1, 1)"},
    {.text = "x=f32[N,8,3,3]; adaptive_avgpool2d(x, 5, 4)"},
    {.text = "x=f32[2,1,6,6]; adaptive_avgpool2d(x, 6, 6)"},
    {.text = "x=f32[N,2,13,13]; adaptive_avgpool2d(x, 6, 6)"},
    {.text = "x=f32[N,9,1,1]; adaptive_avgpool2d(x, 2, 3)"},
    {.text = "x=f32[N,3,6,6]; adaptive_avgpool2d(conv2d(x, \"c\", 16, 3), 2, 3)"},
    {.text = "x=f32[N,3,6,6]; adaptive_avgpool2d(conv2d(x, \"c\", 15, 3), 3, 3)"},
    {.text = "x=f32[0,3,6,6]; adaptive_avgpool2d(x, 2, 3)"},
    {.text = "x=f32[N,3,4,4]; adaptive_avgpool2d(x, 0, 2)", .error = "out_h is 0; wanted 1 to"},
    {.text = "x=f32[N,3,4]; adaptive_avgpool2d(x, 2, 2)", .error = "input 1 is [N,3,4]; wanted 4 axes"},
    {.text = "x=i64<5>[N,3,4,4]; adaptive_avgpool2d(x, 2, 2)", .error = "input 1 is i64; wanted f32"},
    {0},
};
static const ct__case global_cases[] = {
    {.text = "x=f32[N,3,4,4]; global_avgpool(x)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,17,7,7]; global_avgpool(x)"},
    {.text = "x=f32[N,16,1,1]; global_avgpool(x)"},
    {.text = "x=f32[2,9,33]; global_avgpool(x)"},
    {.text = "x=f32[N,2,3,2,3]; global_avgpool(x)"},
    {.text = "x=f32[0,2,3,3]; global_avgpool(x)"},
    {.text = "x=f32[N,3,6,6]; global_avgpool(relu(conv2d(x, \"c\", 16, 3)))"},
    {.text = "x=f32[N,3,6,6]; global_avgpool(conv2d(x, \"c\", 17, 3))"},
    {.text = "x=f32[N,3]; global_avgpool(x)", .error = "input 1 is [N,3]; wanted 3 to 5 axes"},
    {.text = "x=f32[N,3,0]; global_avgpool(x)", .error = "wanted fixed extents of at least 1"},
    {0},
};

const ct__op ct__op_adaptive_avgpool2d = {
    .name = "adaptive_avgpool2d",
    .summary = "average pooling to a given size",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_FOLLOW | CT__OP_LINEAR,
    .infer = infer,
    .grad = grad,
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_adaptive_avgpool2d_grad = {
    .name = "adaptive_avgpool2d_grad",
    .summary = "gradient of adaptive_avgpool2d",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL | CT__OP_FOLLOW,
    .infer = grad_infer,
    .grad = grad_grad,
    .batch = ct__batch_rows,
    .lower = grad_lower,
    .ref = grad_ref,
};
const ct__op ct__op_global_avgpool = {
    .name = "global_avgpool",
    .summary = "the mean over all places of a channel",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_LINEAR,
    .infer = global_infer,
    .grad = global_grad,
    .batch = ct__batch_rows,
    .layout = global_layout,
    .lower = global_lower,
    .ref = global_ref,
    .cases = global_cases,
};
const ct__op ct__op_global_avgpool_grad = {
    .name = "global_avgpool_grad",
    .summary = "gradient of global_avgpool",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = grad_infer,
    .grad = global_grad_grad,
    .batch = ct__batch_rows,
    .layout = global_grad_layout,
    .lower = global_grad_lower,
    .ref = global_grad_ref,
};

/* x [N,C,H,W] -> [N,C,out_h,out_w]. */
ct_t ct_adaptive_avgpool2d(ct_t x, int64_t out_h, int64_t out_w) {
    return ct__op_with(&ct__op_adaptive_avgpool2d, &x, 1, (ct__value[]){{.i = out_h}, {.i = out_w}}, NULL);
}
/* x [N,C,...] -> [N,C]. */
ct_t ct_global_avgpool(ct_t x) { return ct__op1(&ct__op_global_avgpool, x); }
