/* Average pooling of [N,C,H,W] (or [N,C,W]: avgpool1d), PyTorch's.
 *
 *     y[n,c,o] = sum over window o of x[n,c,.] / count
 *     dx[n,c,i] = sum over windows o that cover i of dy[n,c,o] / count      (avgpool_grad, and its own gradient is avgpool)
 *
 * count is the number of elements of the window inside the padded image, so padding counts as zeros; with
 * count_without_pad only those inside the image. The windows are those of the chapter "pool". The gradients
 * take x as an input for its storage order alone: dy often comes in another. */
#include "op/pool.h"

static const ct__attr attrs[] = {
    POS_INT(kernel, CT__NODEF, 1, 65535, "extent of the window"),
    OPT_INT(ct_pool, stride, 0, 0, 65535, "step of the window; 0: its extent"),
    OPT_INT(ct_pool, pad, 0, 0, 65535, "padding on each side; at most half a window"),
    OPT_INT(ct_pool, ceil, 0, 0, 1, "1: a last window that is partly outside counts"),
    OPT_INT(ct_pool, dilation, 1, 1, 65535, "distance between the elements of a window"),
    OPT_INT(ct_pool, kernel_w, 0, 0, 65535, "columns of the window; 0: as rows"),
    OPT_INT(ct_pool, stride_w, 0, 0, 65535, "step over columns; 0: as stride, else the window's columns"),
    OPT_INT(ct_pool, pad_w, 0, -1, 65535, "padding left and right; 0: as pad, -1: none"),
    OPT_INT(ct_pool, count_without_pad, 0, 0, 1,
            "average pooling: 1 to divide by the elements inside the image"),
    {0},
};
static const ct__attr attrs_1d[] = {
    POS_INT(kernel, CT__NODEF, 1, 65535, "extent of the window"),
    OPT_INT(ct_pool, stride, 0, 0, 65535, "step of the window; 0: its extent"),
    OPT_INT(ct_pool, pad, 0, 0, 65535, "padding on each side; at most half a window"),
    OPT_INT(ct_pool, ceil, 0, 0, 1, "1: a last window that is partly outside counts"),
    OPT_INT(ct_pool, dilation, 1, 1, 65535, "distance between the elements of a window"),
    OPT_INT(ct_pool, count_without_pad, 0, 0, 1,
            "average pooling: 1 to divide by the elements inside the image"),
    {0},
};

static int64_t without_pad(const ct__value *attr, int32_t rank) {
    return attr[rank == 3 ? CT__POOL_1D : CT__POOL_2D].i;
}

static ct_status infer(ct__infer *f) { return ct__pool_infer(f, 4); }
static ct_status infer_1d(ct__infer *f) { return ct__pool_infer(f, 3); }
/* dx like x from dy, x */
static ct_status grad_infer(ct__infer *f) {
    f->out[0].shape = f->in[1].shape;
    return CT_OK;
}

extern const ct__op ct__op_avgpool2d, ct__op_avgpool1d, ct__op_avgpool2d_grad, ct__op_avgpool1d_grad;

static const ct__op *forward_of(int32_t rank) { return rank == 3 ? &ct__op_avgpool1d : &ct__op_avgpool2d; }
static const ct__op *backward_of(int32_t rank) {
    return rank == 3 ? &ct__op_avgpool1d_grad : &ct__op_avgpool2d_grad;
}

static void grad(ct__grad *g) {
    ct_t from[2] = {g->dout[0], g->in[0]};
    if (g->need[0]) g->din[0] = ct__make(backward_of(ct_shape_of(g->in[0]).rank), from, 2, g->attr);
}
static void grad_grad(ct__grad *g) {
    if (g->need[0]) g->din[0] = ct__make(forward_of(ct_shape_of(g->in[1]).rank), g->dout, 1, g->attr);
}

/* ---- lowering ---- */
typedef struct avgpool_data {
    ct__pool pool;
    const ct__image_table *image;
} avgpool_data;

static ct_status run_forward(const void *data, void *const *arg, const ct__exec *x) {
    const avgpool_data *d = data;
    (void)x;
    d->image->avgpool(&d->pool, arg[0], arg[1]);
    return CT_OK;
}
static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const avgpool_data *d = data;
    (void)x;
    d->image->avgpool_grad(&d->pool, arg[0], arg[2]);
    return CT_OK;
}

static avgpool_data *new_data(ct__lower *l, const ct_shape *in, const ct_shape *out, ct__kernel run) {
    avgpool_data *d = CT__DATA(l, avgpool_data);
    if (!d) return NULL;
    d->image = l->simd->image;
    ct__pool_describe(l, 0, in, out, &d->pool);
    l->run = run;
    l->data = d;
    l->impl = "windows";
    return d;
}

static ct_status lower_windows(ct__lower *l, const ct_shape *in, const ct_shape *out, ct__kernel run) {
    ct__window w[2];
    avgpool_data *d = new_data(l, in, out, run);
    if (!d) return CT_ELIMIT;
    ct__pool_windows(l->attr, in->rank, w);
    return ct__pool_spans(l, w, !without_pad(l->attr, in->rank), &d->pool);
}
static ct_status lower(ct__lower *l) {
    return lower_windows(l, &l->in[0].shape, &l->out[0].shape, run_forward);
}
static ct_status grad_lower(ct__lower *l) {
    return lower_windows(l, &l->out[0].shape, &l->in[0].shape, run_grad);
}

/* ---- references: y from x, or dx from dy ---- */
static void windows_ref(ct__ref *r, const ct_shape *in, const ct_shape *out, int backward) {
    int64_t ih = in->rank == 3 ? 1 : in->dim[2], iw = in->dim[in->rank - 1],
            oh = in->rank == 3 ? 1 : out->dim[2], ow = out->dim[in->rank - 1];
    ct__window w[2];
    ct__pool_windows(r->attr, in->rank, w);
    for (int64_t o = 0; o < in->dim[0] * in->dim[1] * oh * ow; o++) {
        int64_t row = o / ow % oh * w[0].stride - w[0].pad, column = o % ow * w[1].stride - w[1].pad,
                plane = o / (oh * ow) * ih * iw;
        double count = 0, sum = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t k = 0; k < w[0].kernel * w[1].kernel; k++) {
                int64_t a = row + k / w[1].kernel * w[0].dilation,
                        b = column + k % w[1].kernel * w[1].dilation;
                int inside = a >= 0 && a < ih && b >= 0 && b < iw,
                    counted = a < ih + w[0].pad && b < iw + w[1].pad;
                if (pass == 0)
                    count += without_pad(r->attr, in->rank) ? inside : counted;
                else if (inside && backward)
                    r->out[0].v[plane + a * iw + b] += r->in[0].v[o] / count;
                else if (inside)
                    sum += r->in[0].v[plane + a * iw + b] / count;
            }
        if (!backward) r->out[0].v[o] = sum;
    }
}
static void ref(ct__ref *r) { windows_ref(r, &r->in[0].shape, &r->out[0].shape, 0); }
static void grad_ref(ct__ref *r) { windows_ref(r, &r->out[0].shape, &r->in[0].shape, 1); }

static const ct__case cases[] = {
    {.text = "x=f32[N,3,4,4]; avgpool2d(x, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,1,2,2]; avgpool2d(x, 2)"},
    {.text = "x=f32[N,16,5,7]; avgpool2d(x, 2)"},
    {.text = "x=f32[2,17,8,9]; avgpool2d(x, 3)"},
    {.text = "x=f32[N,8,1,1]; avgpool2d(x, 1)"},
    {.text = "x=f32[N,3,7,7]; avgpool2d(x, 3, stride=2)"},
    {.text = "x=f32[N,3,7,7]; avgpool2d(x, 3, stride=2, pad=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,7,7]; avgpool2d(x, 3, stride=2, pad=1, count_without_pad=1)"},
    {.text = "x=f32[N,2,6,6]; avgpool2d(x, 3, stride=2, ceil=1)"},
    {.text = "x=f32[N,2,6,6]; avgpool2d(x, 3, stride=2, ceil=1, pad=1)"},
    {.text = "x=f32[N,2,6,6]; avgpool2d(x, 3, stride=2, ceil=1, pad=1, count_without_pad=1)"},
    {.text = "x=f32[N,15,9,8]; avgpool2d(x, 3, stride=1, pad=1)"},
    {.text = "x=f32[N,2,9,9]; avgpool2d(x, 2, dilation=3)"},
    {.text = "x=f32[N,2,8,9]; avgpool2d(x, 2, kernel_w=3, stride=2, stride_w=1, pad=1, pad_w=-1)"},
    {.text = "x=f32[N,2,1,9]; avgpool2d(x, 1, kernel_w=3)"},
    {.text = "x=f32[N,2,6,5]; avgpool2d(x, 2, stride=4)"},
    {.text = "x=f32[0,2,4,4]; avgpool2d(x, 2)"},
    {.text = "x=f32[N,3,6,6]; avgpool2d(relu(conv2d(x, \"c\", 16, 3, pad=1)), 2)"},
    {.text = "x=f32[N,3,6,6]; avgpool2d(conv2d(x, \"c\", 17, 3, pad=1), 3, stride=2)"},
    {.text = "x=f32[N,4,4]; avgpool2d(x, 2)", .error = "input 1 is [N,4,4]; wanted 4 axes"},
    {.text = "x=f32[N,3,3,3]; avgpool2d(x, 2, pad=2)", .error = "pad is 2, the window 2 long"},
    {.text = "x=f32[N,3,3,3]; avgpool2d(x, 4)", .error = "the window is 4 long, the image 3 with padding"},
    {0},
};
static const ct__case cases_1d[] = {
    {.text = "x=f32[N,3,8]; avgpool1d(x, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,17,9]; avgpool1d(x, 3, stride=2, pad=1)"},
    {.text = "x=f32[N,16,9]; avgpool1d(x, 3, stride=2, pad=1, count_without_pad=1)"},
    {.text = "x=f32[2,8,15]; avgpool1d(x, 4, ceil=1)"},
    {.text = "x=f32[N,3,4,4]; avgpool1d(x, 2)", .error = "input 1 is [N,3,4,4]; wanted 3 axes"},
    {0},
};

const ct__op ct__op_avgpool2d = {
    .name = "avgpool2d",
    .summary = "the mean of each window",
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
const ct__op ct__op_avgpool1d = {
    .name = "avgpool1d",
    .summary = "the mean of each window",
    .attrs = attrs_1d,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_FOLLOW | CT__OP_LINEAR,
    .infer = infer_1d,
    .grad = grad,
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = ref,
    .cases = cases_1d,
};
const ct__op ct__op_avgpool2d_grad = {
    .name = "avgpool2d_grad",
    .summary = "gradient of avgpool2d",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL | CT__OP_FOLLOW,
    .infer = grad_infer,
    .grad = grad_grad,
    .batch = ct__batch_rows,
    .lower = grad_lower,
    .ref = grad_ref,
};
const ct__op ct__op_avgpool1d_grad = {
    .name = "avgpool1d_grad",
    .summary = "gradient of avgpool1d",
    .attrs = attrs_1d,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL | CT__OP_FOLLOW,
    .infer = grad_infer,
    .grad = grad_grad,
    .batch = ct__batch_rows,
    .lower = grad_lower,
    .ref = grad_ref,
};

/* x [N,C,H,W] -> [N,C,H',W']. */
ct_t ct_avgpool2d(ct_t x, int64_t kernel, ct_pool options) {
    return ct__op_with(&ct__op_avgpool2d, &x, 1, (ct__value[]){{.i = kernel}}, &options);
}
/* x [N,C,T] -> [N,C,T']. */
ct_t ct_avgpool1d(ct_t x, int64_t kernel, ct_pool options) {
    return ct__op_with(&ct__op_avgpool1d, &x, 1, (ct__value[]){{.i = kernel}}, &options);
}
