/* Convolution of images (PyTorch's nn.Conv2d), as cross-correlation.
 *
 *     x [N,I,H,W], weight [O,I/g,kh,kw], bias [O]  ->  y [N,O,H',W']
 *     y[n,o,i,j] = bias[o] + sum over c,u,v of weight[o,c,u,v] x[n, c', i s + u d - p, j s + v d - p]
 *     H' = floor((H + 2p - d (kh - 1) - 1) / s) + 1
 *     dx = conv2d_data(dy, weight), dweight and dbias = conv2d_weight(dy, x)
 *
 * Three primitives of oneDNN. The weight's home is the order that the forward wants, the weight gradient is
 * asked for in the home, backward by data reads a copy in its own order. Activations are blocked by
 * channels; a first layer of at most three channels reads plain pictures. A following ReLU is taken in. */
#include "op/conv.h"

static const ct__attr attrs[] = {
    POS_INT(channels, CT__NODEF, 1, 1 << 24, "O, the number of outputs"),
    POS_INT(kernel, CT__NODEF, 1, 4096, "kh, and kw unless kernel_w is given"),
    OPT_INT(ct_conv, pad, 0, 0, 65535, "zeros around, on each side"),
    OPT_INT(ct_conv, stride, 1, 1, 65535, "step of the window"),
    OPT_INT(ct_conv, dilation, 1, 1, 65535, "distance between taps"),
    OPT_INT(ct_conv, groups, 1, 1, 1 << 24, "independent groups of channels"),
    OPT_INT(ct_conv, no_bias, 0, 0, 1, "1: without bias"),
    OPT_INT(ct_conv, kernel_w, 0, 0, 4096, "kw; 0: as kernel"),
    OPT_INT(ct_conv, pad_w, 0, -1, 65535, "left and right; 0: as pad; -1: none"),
    OPT_INT(ct_conv, stride_w, 0, 0, 65535, "across; 0: as stride"),
    OPT_INT(ct_conv, dilation_w, 0, 0, 65535, "across; 0: as dilation"),
    OPT_CHOICE(ct_conv, init,
               "default|zeros|ones|constant|uniform|normal|trunc_normal|xavier_uniform|xavier_normal|kaiming_"
               "uniform|kaiming_normal|orthogonal",
               "initialiser of the weight; default: uniform within 1/sqrt(fan in)"),
    OPT_FLOAT(ct_conv, init_a, 0, -1e30, 1e30, "its first number"),
    OPT_FLOAT(ct_conv, init_b, 0, -1e30, 1e30, "its second number"),
    {0},
};

ct__conv_shape ct__conv_geometry(const ct__value *a, const ct_shape *x, const ct_shape *w) {
    int64_t pad_w = a[CT__CONV_PAD_W].i ? a[CT__CONV_PAD_W].i : a[CT__CONV_PAD].i;
    ct__conv_shape s = {.n = x->dim[0],
                        .ic = x->dim[1],
                        .ih = x->dim[2],
                        .iw = x->dim[3],
                        .oc = w->dim[0],
                        .kh = w->dim[2],
                        .kw = w->dim[3]};
    s.stride_h = a[CT__CONV_STRIDE].i;
    s.stride_w = a[CT__CONV_STRIDE_W].i ? a[CT__CONV_STRIDE_W].i : s.stride_h;
    s.dilation_h = a[CT__CONV_DILATION].i;
    s.dilation_w = a[CT__CONV_DILATION_W].i ? a[CT__CONV_DILATION_W].i : s.dilation_h;
    s.pad_top = s.pad_bottom = a[CT__CONV_PAD].i;
    s.pad_left = s.pad_right = pad_w < 0 ? 0 : pad_w;
    s.groups = a[CT__CONV_GROUPS].i;
    int64_t free_h = s.ih + 2 * s.pad_top - s.dilation_h * (s.kh - 1) - 1,
            free_w = s.iw + 2 * s.pad_left - s.dilation_w * (s.kw - 1) - 1;
    s.oh = free_h < 0 ? 0 : free_h / s.stride_h + 1;
    s.ow = free_w < 0 ? 0 : free_w / s.stride_w + 1;
    return s;
}

static int32_t slots(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    char x[CT_SHAPE_TEXT];
    const ct_shape *s = &f->in[0].shape;
    int64_t groups = f->attr[CT__CONV_GROUPS].i, channels = f->attr[CT__CONV_CHANNELS].i,
            kernel = f->attr[CT__CONV_KERNEL].i;
    if (s->rank != 4 || s->dim[1] < 1 || s->dim[2] < 1 || s->dim[3] < 1) {
        ct__infer_fail(f, "x is %s; wanted [N,C,H,W] of at least one element each; reshape it first",
                       ct_shape_format(s, x));
        return -1;
    }
    if (s->dim[1] % groups || channels % groups) {
        ct__infer_fail(f, "%lld and %lld channels do not divide into %lld groups; wanted multiples",
                       (long long)s->dim[1], (long long)channels, (long long)groups);
        return -1;
    }
    int64_t w[4] = {channels, s->dim[1] / groups, kernel,
                    f->attr[CT__CONV_KERNEL_W].i ? f->attr[CT__CONV_KERNEL_W].i : kernel};
    double bound = 1 / sqrt((double)(w[1] * w[2] * w[3]));
    out[0] = (ct__slot){"weight", ct_shape_make(4, w), {CT_INIT_UNIFORM, 0, -bound, bound}, CT_PARAM, 0};
    out[1] = (ct__slot){"bias", ct_shape_make(1, w), {CT_INIT_UNIFORM, 0, -bound, bound}, CT_PARAM, 0};
    if (f->attr[CT__CONV_NO_BIAS].i) out[1].shape.rank = -1;
    return 2;
}

static ct_status infer(ct__infer *f) {
    char x[CT_SHAPE_TEXT], w[CT_SHAPE_TEXT];
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_dtype(f, 1, CT_F32)) return CT_EUSAGE;
    const ct_shape *s = &f->in[0].shape, *v = &f->in[1].shape;
    if (s->rank != 4 || v->rank != 4)
        return ct__infer_fail(f, "x is %s, weight %s; wanted [N,C,H,W] and [O,I,kh,kw]",
                              ct_shape_format(s, x), ct_shape_format(v, w));
    int64_t groups = f->attr[CT__CONV_GROUPS].i;
    if (s->dim[1] != v->dim[1] * groups)
        return ct__infer_fail(f,
                              "x has %lld channels (x %s); weight %s wants %lld; pass an x with %lld "
                              "channels or use another name",
                              (long long)s->dim[1], ct_shape_format(s, x), ct_shape_format(v, w),
                              (long long)(v->dim[1] * groups), (long long)(v->dim[1] * groups));
    ct__conv_shape g = ct__conv_geometry(f->attr, s, v);
    if (g.oh < 1 || g.ow < 1)
        return ct__infer_fail(f,
                              "a window of %lldx%lld does not fit into x %s with its padding; wanted a "
                              "smaller kernel or more padding",
                              (long long)(g.dilation_h * (g.kh - 1) + 1),
                              (long long)(g.dilation_w * (g.kw - 1) + 1), ct_shape_format(s, x));
    int64_t dim[4] = {s->dim[0], g.oc, g.oh, g.ow};
    f->out[0].shape = ct_shape_make(4, dim);
    return CT_OK;
}

static void grad(ct__grad *g) {
    ct__value a[CT__CONV_ATTRS];
    ct_shape x = ct_shape_of(g->in[0]);
    memcpy(a, g->attr, CT__CONV_IN_H * sizeof *a);
    a[CT__CONV_IN_H].i = x.dim[2];
    a[CT__CONV_IN_W].i = x.dim[3];
    ct_t data[2] = {g->dout[0], g->in[1]}, weight[3] = {g->dout[0], g->in[0], g->in[1]};
    if (g->need[0]) g->din[0] = ct__make(&ct__op_conv2d_data, data, 2, a);
    if (!g->need[1] && !(g->n_in > 2 && g->need[2])) return;
    ct_t dw = ct__make(&ct__op_conv2d_weight, weight, 3, a);
    g->din[1] = dw;
    if (g->n_in > 2) g->din[2] = ct__output(dw, 1);
}

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct__value attr[CT__CONV_ATTRS] = {{0}}, inner[CT__CONV_ATTRS];
    ct_shape pads, w = ct_shape_of(in[1]);
    (void)train;
    if (ct_shape_of(in[0]).dim[0] == 0) {
        out[0] = ct_expand(ct_number(g, 0), node->out[0].shape);
        return 1;
    }
    memcpy(attr, node->attr, CT__CONV_IN_H * sizeof *attr);
    if (!ct__conv_pads_apart(attr, &w, inner, &pads)) return 0;
    ct_t padded[3] = {ct_pad(in[0], pads, 0), in[1], node->n_in > 2 ? in[2] : ct__none()};
    out[0] = ct__make(&ct__op_conv2d, padded, 3, inner);
    return 1;
}

/* ---- layouts and kernel ---- */

static ct__conv_wish wish_of(const ct__lower *l) {
    ct__conv_wish w = {.shape = ct__conv_geometry(l->attr, &l->in[0].shape, &l->in[1].shape),
                       .kind = CT__CONV_FORWARD,
                       .training = l->train};
    w.bias = l->n_in > 2 && l->in[2].dtype != 0;
    w.relu = l->n_fused > 0;
    ct__conv_layouts(&w);
    return w;
}

static void layout(ct__layouts *q) {
    ct__conv_wish w = wish_of(q->l);
    q->in[0].kind = w.src_blocked ? CT__BLOCKED : CT__PLAIN;
    q->out[0].kind = w.dst_blocked ? CT__BLOCKED : CT__PLAIN;
    ct__conv_weight_wish(q, 1, &w, &q->in[1]);
}

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    return ct__conv_run(data, arg[0], arg[1], arg[2], arg[3], x->scratch);
}
static ct_status run_without_bias(const void *data, void *const *arg, const ct__exec *x) {
    return ct__conv_run(data, arg[0], arg[1], NULL, arg[2], x->scratch);
}

static ct_status lower(ct__lower *l) {
    ct__conv_wish w = wish_of(l);
    ct_status s = ct__conv_lower(l, &w, &l->in_layout[1]);
    l->run = l->n_in > 2 ? run : run_without_bias;
    return s;
}

static int fuse(const ct__lower *l, const ct__fused *consumer) {
    return l->n_fused == 0 && strcmp(consumer->op->name, "relu") == 0;
}

static void ref(ct__ref *r) {
    ct__conv_shape s = ct__conv_geometry(r->attr, &r->in[0].shape, &r->in[1].shape);
    int64_t per = s.ic / s.groups;
    double *y = r->out[0].v;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t o = 0; o < s.oc; o++)
            for (int64_t i = 0; i < s.oh; i++)
                for (int64_t j = 0; j < s.ow; j++, y++) {
                    *y = r->n_in > 2 && r->in[2].present ? r->in[2].v[o] : 0;
                    for (int64_t c = 0; c < per; c++)
                        for (int64_t u = 0; u < s.kh; u++)
                            for (int64_t v = 0; v < s.kw; v++) {
                                int64_t h = i * s.stride_h + u * s.dilation_h - s.pad_top,
                                        w = j * s.stride_w + v * s.dilation_w - s.pad_left;
                                if (h < 0 || w < 0 || h >= s.ih || w >= s.iw) continue;
                                *y +=
                                    r->in[1].v[((o * per + c) * s.kh + u) * s.kw + v] *
                                    r->in[0]
                                        .v[((n * s.ic + o / (s.oc / s.groups) * per + c) * s.ih + h) * s.iw +
                                           w];
                            }
                }
}

static const ct__case cases[] = {
    {.text = "x=f32[N,3,5,5]; conv2d(x, \"c\", 4, 3, pad=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,1,7,7]; conv2d(x, \"c\", 16, 3)"},
    {.text = "x=f32[N,17,6,5]; conv2d(x, \"c\", 33, 3, pad=1, no_bias=1)"},
    {.text = "x=f32[2,16,8,8]; conv2d(x, \"c\", 16, 3, pad=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,32,4,4]; conv2d(x, \"c\", 32, 1)"},
    {.text = "x=f32[N,16,9,9]; conv2d(x, \"c\", 32, 3, pad=1, stride=2)"},
    {.text = "x=f32[N,16,9,9]; conv2d(x, \"c\", 32, 1, stride=2)"},
    {.text = "x=f32[N,3,15,15]; conv2d(x, \"c\", 16, 5, pad=2, stride=4)"},
    {.text = "x=f32[N,3,16,16]; conv2d(x, \"c\", 8, 11, pad=2, stride=4)"},
    {.text = "x=f32[N,8,9,9]; conv2d(x, \"c\", 8, 3, pad=2, dilation=2)"},
    {.text = "x=f32[N,16,7,7]; conv2d(x, \"c\", 16, 3, pad=1, groups=16)"},
    {.text = "x=f32[N,32,5,5]; conv2d(x, \"c\", 32, 3, pad=1, groups=2)"},
    {.text = "x=f32[N,6,5,5]; conv2d(x, \"c\", 9, 3, pad=1, groups=3)"},
    {.text = "x=f32[N,4,6,8]; conv2d(x, \"c\", 5, 3, kernel_w=1, pad=1, pad_w=-1)"},
    {.text = "x=f32[N,4,1,9]; conv2d(x, \"c\", 5, 1, kernel_w=3, pad_w=1)"},
    {.text = "x=f32[N,2,8,8]; conv2d(x, \"c\", 3, 3, stride=2, stride_w=1)"},
    {.text = "x=f32[1,3,3,3]; conv2d(x, \"c\", 1, 3)"},
    {.text = "x=f32[N,16,4,4]; relu(conv2d(x, \"c\", 16, 3, pad=1))"},
    {.text = "x=f32[N,5,7,7]; conv2d(x, \"c\", 7, 2, pad=1)"},
    {.text = "x=f32[N,24,6,6]; conv2d(x, \"c\", 40, 3, pad=1)"},
    {.text = "x=f32[N,16,5,5]; relu(conv2d(x, \"c\", 16, 1, pad=1))"},
    {.text = "x=f32[N,3,4,5]; conv2d(x, \"c\", 4, 3, pad=5, stride=2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,4,5]; conv2d(x, \"c\", 4, 3, pad=1, kernel_w=1, pad_w=2)"},
    {.text = "x=f32[N,16,1,1]; relu(conv2d(x, \"c\", 16, 3, pad=2))"},
    {.text = "x=f32[N,6,2,2]; relu(conv2d(x, \"c\", 1, 2))", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,8,5,2]; conv2d(x, \"c\", 1, 5, pad=1, pad_w=2, stride=3)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[0,3,4,5]; conv2d(x, \"c\", 4, 3, pad=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,3,3]; conv2d(x, \"c\", 4, 5)",
     .error = "a window of 5x5 does not fit into x [N,3,3,3]"},
    {.text = "x=f32[N,3,5,5]; conv2d(x, \"c\", 4, 0)", .error = "kernel is 0; wanted 1"},
    {.text = "x=f32[N,3,5,5]; conv2d(x, \"c\", 4, 3, stride=-1)", .error = "stride is -1; wanted 1"},
    {.text = "x=f32[N,3,5,5]; conv2d(x, \"c\", 4, 3, groups=2)", .error = "do not divide into 2 groups"},
    {.text = "x=f32[N,3,0,5]; conv2d(x, \"c\", 4, 3, pad=2)", .error = "of at least one element each"},
    {.text = "x=f32[N,3]; conv2d(x, \"c\", 4, 3)", .error = "x is [N,3]; wanted [N,C,H,W]"},
    {.text = "x=f32[N,3,5,5]; conv2d(x, \"c\", 4, 3, padd=1)", .error = "no attribute padd; wanted pad"},
    {0},
};

const ct__op ct__op_conv2d = {
    .name = "conv2d",
    .summary = "convolution of images",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = infer,
    .slots = slots,
    .grad = grad,
    .expand = expand,
    .batch = ct__batch_rows,
    .layout = layout,
    .fuse = fuse,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};

/* x [N,C,H,W] -> [N,channels,H',W']; parameters NAME.weight [channels,C/groups,kernel,kernel] and NAME.bias. */
ct_t ct_conv2d(ct_t x, const char *name, int64_t channels, int64_t kernel, ct_conv options) {
    return ct__op_named(&ct__op_conv2d, name, &x, 1, (ct__value[]){{.i = channels}, {.i = kernel}}, &options);
}
