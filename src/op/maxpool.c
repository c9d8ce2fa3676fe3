/* Max pooling of [N,C,H,W] (or [N,C,W]: maxpool1d), PyTorch's.
 *
 *     y[n,c,o] = max over window o of x[n,c,.]      index[n,c,o] = the winner's place in its plane, row * W + column
 *     dx[n,c,index] += dy[n,c,o]                    (maxpool_grad)
 *     of that by dy: dy[n,c,o] = ddx[n,c,index]     (maxpool_take)
 *
 * Of equal values the first wins; NaN wins over everything (of several the last). Padding never wins. The
 * windows are those of the chapter "pool". In training the index is kept instead of looking for the winner
 * again: it is as small as y, and right where values are equal. A ReLU before the pool has its backward
 * pass taken into maxpool_grad, whose every write is then final. */
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
    {0},
};
static const ct__attr attrs_1d[] = {
    POS_INT(kernel, CT__NODEF, 1, 65535, "extent of the window"),
    OPT_INT(ct_pool, stride, 0, 0, 65535, "step of the window; 0: its extent"),
    OPT_INT(ct_pool, pad, 0, 0, 65535, "padding on each side; at most half a window"),
    OPT_INT(ct_pool, ceil, 0, 0, 1, "1: a last window that is partly outside counts"),
    OPT_INT(ct_pool, dilation, 1, 1, 65535, "distance between the elements of a window"),
    {0},
};
static const ct__attr grad_attrs[] = {
    POS_INT(height, CT__NODEF, 1, INT32_MAX, "rows of x"),
    POS_INT(width, CT__NODEF, 1, INT32_MAX, "columns of x"),
    POS_INT(pairs, CT__NODEF, 0, 1, "1: windows 2 x 2 side by side"),
    {0},
};
enum { HEIGHT, WIDTH, PAIRS };

static ct_status finish_infer(ct__infer *f, ct_status s) {
    f->n_out = 2;
    f->out[1] = (ct__type){CT_I32, 0, f->out[0].shape};
    return s;
}
static ct_status infer(ct__infer *f) { return finish_infer(f, ct__pool_infer(f, 4)); }
static ct_status infer_1d(ct__infer *f) { return finish_infer(f, ct__pool_infer(f, 3)); }

/* dx from dy, index and, of the pool itself, y: what a fused ReLU looks at */
static ct_status grad_infer(ct__infer *f) {
    ct_shape s = f->in[0].shape;
    if (s.rank == 4) s.dim[2] = f->attr[HEIGHT].i;
    s.dim[s.rank - 1] = f->attr[WIDTH].i;
    f->out[0].shape = s;
    return CT_OK;
}
/* dy from dx, index */
static ct_status take_infer(ct__infer *f) {
    f->out[0].shape = f->in[1].shape;
    return CT_OK;
}

extern const ct__op ct__op_maxpool_grad, ct__op_maxpool_take;

static void grad(ct__grad *g) {
    const ct_shape *in = &ct__type_of(g->in[0])->shape, *out = &g->node->out[0].shape;
    ct__window w[2];
    if (!g->need[0] || !g->dout[0].node) return;
    ct__pool_windows(g->attr, in->rank, w);
    ct__value a[] = {{.i = in->rank == 4 ? in->dim[2] : 1},
                     {.i = in->dim[in->rank - 1]},
                     {.i = ct__pool_pairs(w, in, out)}};
    ct_t from[3] = {g->dout[0], g->out[1], g->out[0]};
    g->din[0] = ct__make(&ct__op_maxpool_grad, from, 3, a);
}
static void adaptive_grad(ct__grad *g) {
    const ct_shape *in = &ct__type_of(g->in[0])->shape;
    ct__value a[] = {{.i = in->dim[2]}, {.i = in->dim[3]}, {.i = 0}};
    ct_t from[3] = {g->dout[0], g->out[1], g->out[0]};
    if (g->need[0] && g->dout[0].node) g->din[0] = ct__make(&ct__op_maxpool_grad, from, 3, a);
}
static void grad_grad(ct__grad *g) {
    ct_t from[2] = {g->dout[0], g->in[1]};
    if (g->need[0]) g->din[0] = ct__make(&ct__op_maxpool_take, from, 2, g->attr);
}
static void take_grad(ct__grad *g) {
    ct_t from[2] = {g->dout[0], g->in[1]};
    if (g->need[0]) g->din[0] = ct__make(&ct__op_maxpool_grad, from, 2, g->attr);
}

/* ---- lowering ---- */
typedef struct maxpool_data {
    ct__pool pool;
    const ct__image_table *image;
    int32_t out, reserved; /* of a gradient: the argument that is dx */
} maxpool_data;

static maxpool_data *new_data(ct__lower *l, const ct_shape *in, const ct_shape *out, ct__kernel run,
                              const char *impl) {
    maxpool_data *d = CT__DATA(l, maxpool_data);
    if (!d) return NULL;
    d->image = l->simd->image;
    ct__pool_describe(l, 0, in, out, &d->pool);
    l->run = run;
    l->data = d;
    l->impl = impl;
    return d;
}

static ct_status run_forward(const void *data, void *const *arg, const ct__exec *x) {
    const maxpool_data *d = data;
    (void)x;
    d->image->maxpool(&d->pool, arg[0], arg[1], arg[2]);
    return CT_OK;
}
static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const maxpool_data *d = data;
    (void)x;
    d->image->maxpool_grad(&d->pool, arg[0], arg[1], NULL, arg[d->out]);
    return CT_OK;
}
static ct_status run_grad_relu(const void *data, void *const *arg, const ct__exec *x) {
    const maxpool_data *d = data;
    (void)x;
    d->image->maxpool_grad(&d->pool, arg[0], arg[1], arg[2], arg[d->out]);
    return CT_OK;
}
static ct_status run_take(const void *data, void *const *arg, const ct__exec *x) {
    const maxpool_data *d = data;
    (void)x;
    d->image->maxpool_take(&d->pool, arg[0], arg[1], arg[2]);
    return CT_OK;
}

static ct_status lower(ct__lower *l) {
    ct__window w[2];
    maxpool_data *d = new_data(l, &l->in[0].shape, &l->out[0].shape, run_forward, "windows");
    if (!d) return CT_ELIMIT;
    ct__pool_windows(l->attr, l->in[0].shape.rank, w);
    d->pool.pairs = ct__pool_pairs(w, &l->in[0].shape, &l->out[0].shape);
    if (d->pool.pairs) l->impl = "pairs";
    return ct__pool_spans(l, w, 0, &d->pool);
}
static ct_status adaptive_lower(ct__lower *l) {
    maxpool_data *d = new_data(l, &l->in[0].shape, &l->out[0].shape, run_forward, "windows");
    return d ? ct__pool_spans_adaptive(l, &d->pool) : CT_ELIMIT;
}
static ct_status grad_lower(ct__lower *l) {
    int pairs = l->attr[PAIRS].i != 0;
    maxpool_data *d = new_data(l, &l->out[0].shape, &l->in[0].shape, l->n_fused ? run_grad_relu : run_grad,
                               pairs ? "pairs" : "scatter");
    if (!d) return CT_ELIMIT;
    d->pool.pairs = pairs;
    d->out = l->n_in;
    return CT_OK;
}
static ct_status take_lower(ct__lower *l) {
    return new_data(l, &l->in[0].shape, &l->out[0].shape, run_take, "take") ? CT_OK : CT_ELIMIT;
}

/* relu_grad(dx, x): x is what was pooled, so at a winner it is the pooled y, and elsewhere dx is 0: a look at y, a
 * quarter of x, is enough. */
static int grad_fuse(const ct__lower *l, const ct__fused *consumer) {
    int can = l->n_fused == 0 && l->n_in > 2 && l->in[2].dtype != 0;
    return can && strcmp(consumer->op->name, "relu_grad") == 0 ? CT__FUSE_ALONE : CT__FUSE_NO;
}

/* ---- references ---- */
typedef struct plane { /* of a reference: rows and columns of both sides, number of planes */
    int64_t planes, ih, iw, oh, ow;
} plane;

static plane planes_of(const ct_shape *in, const ct_shape *out) {
    int64_t ih = in->rank == 4 ? in->dim[2] : 1, oh = in->rank == 4 ? out->dim[2] : 1;
    return (plane){in->dim[0] * in->dim[1], ih, in->dim[in->rank - 1], oh, out->dim[in->rank - 1]};
}

static void challenge(const double *x, int64_t at, double *best, int64_t *winner) {
    if (*winner >= 0 && !(x[at] > *best) && !isnan(x[at])) return;
    *best = x[at];
    *winner = at;
}

static void ref(ct__ref *r) {
    plane p = planes_of(&r->in[0].shape, &r->out[0].shape);
    ct__window w[2];
    ct__pool_windows(r->attr, r->in[0].shape.rank, w);
    for (int64_t o = 0; o < p.planes * p.oh * p.ow; o++) {
        const double *x = r->in[0].v + o / (p.oh * p.ow) * p.ih * p.iw;
        int64_t row = o / p.ow % p.oh * w[0].stride - w[0].pad, column = o % p.ow * w[1].stride - w[1].pad,
                winner = -1;
        double best = 0;
        for (int64_t i = 0; i < w[0].kernel; i++)
            for (int64_t j = 0; j < w[1].kernel; j++) {
                int64_t a = row + i * w[0].dilation, b = column + j * w[1].dilation;
                if (a >= 0 && a < p.ih && b >= 0 && b < p.iw) challenge(x, a * p.iw + b, &best, &winner);
            }
        r->out[0].v[o] = best;
        r->out[1].v[o] = (double)winner;
    }
}
static void adaptive_ref(ct__ref *r) {
    plane p = planes_of(&r->in[0].shape, &r->out[0].shape);
    for (int64_t o = 0; o < p.planes * p.oh * p.ow; o++) {
        const double *x = r->in[0].v + o / (p.oh * p.ow) * p.ih * p.iw;
        int64_t a = o / p.ow % p.oh, b = o % p.ow, winner = -1;
        double best = 0;
        for (int64_t i = a * p.ih / p.oh; i * p.oh < (a + 1) * p.ih; i++)
            for (int64_t j = b * p.iw / p.ow; j * p.ow < (b + 1) * p.iw; j++)
                challenge(x, i * p.iw + j, &best, &winner);
        r->out[0].v[o] = best;
        r->out[1].v[o] = (double)winner;
    }
}
static void grad_ref(ct__ref *r) {
    plane p = planes_of(&r->out[0].shape, &r->in[0].shape);
    for (int64_t o = 0; o < p.planes * p.oh * p.ow; o++)
        r->out[0].v[o / (p.oh * p.ow) * p.ih * p.iw + (int64_t)r->in[1].v[o]] += r->in[0].v[o];
}
static void take_ref(ct__ref *r) {
    plane p = planes_of(&r->in[0].shape, &r->out[0].shape);
    for (int64_t o = 0; o < p.planes * p.oh * p.ow; o++)
        r->out[0].v[o] = r->in[0].v[o / (p.oh * p.ow) * p.ih * p.iw + (int64_t)r->in[1].v[o]];
}

static const ct__case cases[] = {
    {.text = "x=f32[N,3,4,4]; maxpool2d(x, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,1,2,2]; maxpool2d(x, 2)"},
    {.text = "x=f32[N,16,5,7]; maxpool2d(x, 2)"},
    {.text = "x=f32[2,17,8,9]; maxpool2d(x, 2)"},
    {.text = "x=f32[N,8,1,1]; maxpool2d(x, 1)"},
    {.text = "x=f32[N,3,7,7]; maxpool2d(x, 3, stride=2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,7,7]; maxpool2d(x, 3, stride=2, pad=1)"},
    {.text = "x=f32[N,2,6,6]; maxpool2d(x, 3, stride=2, ceil=1)"},
    {.text = "x=f32[N,2,5,5]; maxpool2d(x, 2, ceil=1)"},
    {.text = "x=f32[N,2,4,4]; maxpool2d(x, 2, stride=3, pad=1, ceil=1)"},
    {.text = "x=f32[N,15,9,8]; maxpool2d(x, 3, stride=1, pad=1)"},
    {.text = "x=f32[N,2,9,9]; maxpool2d(x, 2, dilation=3)"},
    {.text = "x=f32[N,2,9,9]; maxpool2d(x, 3, stride=2, dilation=2, pad=1)"},
    {.text = "x=f32[N,2,8,9]; maxpool2d(x, 2, kernel_w=3, stride=2, stride_w=1, pad=1, pad_w=-1)"},
    {.text = "x=f32[N,2,1,9]; maxpool2d(x, 1, kernel_w=3)"},
    {.text = "x=f32[N,2,6,5]; maxpool2d(x, 2, stride=4)"},
    {.text = "x=f32[0,2,4,4]; maxpool2d(x, 2)"},
    {.text = "x=f32[N,3,6,6]; maxpool2d(relu(conv2d(x, \"c\", 16, 3, pad=1)), 2)"},
    {.text = "x=f32[N,3,7,7]; maxpool2d(relu(conv2d(x, \"c\", 17, 3, pad=1)), 3, stride=2)"},
    {.text = "x=f32[N,3,7,6]; y=f32[N,3,3,3]; mul(maxpool2d(relu(x), 2), y)"},
    {.text = "x=f32[N,4,4]; maxpool2d(x, 2)", .error = "input 1 is [N,4,4]; wanted 4 axes"},
    {.text = "x=f32[N,3,3,3]; maxpool2d(x, 4)", .error = "the window is 4 long, the image 3 with padding"},
    {.text = "x=f32[N,3,3,3]; maxpool2d(x, 2, pad=2)", .error = "pad is 2, the window 2 long"},
    {.text = "x=f32[N,3,3,3]; maxpool2d(x, 2, pad=1, dilation=4)", .error = "window 0 covers padding only"},
    {.text = "x=f32[N,3,3,3]; maxpool2d(x, 0)", .error = "kernel is 0; wanted 1 to"},
    {.text = "x=i64<5>[N,3,3,3]; maxpool2d(x, 2)", .error = "input 1 is i64; wanted f32"},
    {.text = "x=f32[3,N,3,3]; maxpool2d(x, 2)", .error = "wanted fixed extents"},
    {0},
};
static const ct__case cases_1d[] = {
    {.text = "x=f32[N,3,8]; maxpool1d(x, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,17,9]; maxpool1d(x, 3, stride=2, pad=1)"},
    {.text = "x=f32[N,1,16]; maxpool1d(x, 2, dilation=3)"},
    {.text = "x=f32[2,8,15]; maxpool1d(x, 4, ceil=1)"},
    {.text = "x=f32[N,3,4,4]; maxpool1d(x, 2)", .error = "input 1 is [N,3,4,4]; wanted 3 axes"},
    {0},
};

const ct__op ct__op_maxpool2d = {
    .name = "maxpool2d",
    .summary = "the largest of each window",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_FOLLOW | CT__OP_SPARE,
    .infer = infer,
    .grad = grad,
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_maxpool1d = {
    .name = "maxpool1d",
    .summary = "the largest of each window",
    .attrs = attrs_1d,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_FOLLOW | CT__OP_SPARE,
    .infer = infer_1d,
    .grad = grad,
    .batch = ct__batch_rows,
    .lower = lower,
    .ref = ref,
    .cases = cases_1d,
};
const ct__op ct__op_maxpool_grad = {
    .name = "maxpool_grad",
    .summary = "gradient of max pooling",
    .attrs = grad_attrs,
    .inputs_min = 2,
    .inputs_max = 3,
    .flags = CT__OP_INTERNAL | CT__OP_FOLLOW,
    .infer = grad_infer,
    .grad = grad_grad,
    .batch = ct__batch_rows,
    .fuse = grad_fuse,
    .lower = grad_lower,
    .ref = grad_ref,
};
const ct__op ct__op_maxpool_take = {
    .name = "maxpool_take",
    .summary = "elements at the winners of max pooling",
    .attrs = grad_attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL | CT__OP_FOLLOW,
    .infer = take_infer,
    .grad = take_grad,
    .batch = ct__batch_rows,
    .lower = take_lower,
    .ref = take_ref,
};

/* ---- adaptive ---- */
static const ct__attr adaptive_attrs[] = {POS_INT(out_h, CT__NODEF, 1, 65535, "rows of the result"),
                                          POS_INT(out_w, CT__NODEF, 1, 65535, "columns of the result"),
                                          {0}};

static ct_status adaptive_infer(ct__infer *f) {
    if (ct__pool_infer_image(f, 4, 4)) return CT_EUSAGE;
    f->out[0].shape = f->in[0].shape;
    f->out[0].shape.dim[2] = f->attr[0].i;
    f->out[0].shape.dim[3] = f->attr[1].i;
    return finish_infer(f, CT_OK);
}

static const ct__case adaptive_cases[] = {
    {.text = "x=f32[N,3,7,5]; adaptive_maxpool2d(x, 3, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,17,4,4]; adaptive_maxpool2d(x, 1, 1)"},
    {.text = "x=f32[N,8,3,3]; adaptive_maxpool2d(x, 5, 4)"},
    {.text = "x=f32[2,1,6,6]; adaptive_maxpool2d(x, 6, 6)"},
    {.text = "x=f32[N,3,6,6]; adaptive_maxpool2d(conv2d(x, \"c\", 16, 3), 2, 3)"},
    {.text = "x=f32[N,3,4,4]; adaptive_maxpool2d(x, 0, 2)", .error = "out_h is 0; wanted 1 to"},
    {0},
};
const ct__op ct__op_adaptive_maxpool2d = {
    .name = "adaptive_maxpool2d",
    .summary = "max pooling to a given size",
    .attrs = adaptive_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_FOLLOW | CT__OP_SPARE,
    .infer = adaptive_infer,
    .grad = adaptive_grad,
    .batch = ct__batch_rows,
    .lower = adaptive_lower,
    .ref = adaptive_ref,
    .cases = adaptive_cases,
};

/* x [N,C,H,W] -> [N,C,H',W']; ct__output(y, 1) has the winners' places, i32. */
ct_t ct_maxpool2d(ct_t x, int64_t kernel, ct_pool options) {
    return ct__op_with(&ct__op_maxpool2d, &x, 1, (ct__value[]){{.i = kernel}}, &options);
}
/* x [N,C,T] -> [N,C,T']. */
ct_t ct_maxpool1d(ct_t x, int64_t kernel, ct_pool options) {
    return ct__op_with(&ct__op_maxpool1d, &x, 1, (ct__value[]){{.i = kernel}}, &options);
}
/* x [N,C,H,W] -> [N,C,out_h,out_w]: window i of an axis is floor(i H / out) .. ceil((i + 1) H / out) - 1. */
ct_t ct_adaptive_maxpool2d(ct_t x, int64_t out_h, int64_t out_w) {
    return ct__op_with(&ct__op_adaptive_maxpool2d, &x, 1, (ct__value[]){{.i = out_h}, {.i = out_w}}, NULL);
}
