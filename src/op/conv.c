/* conv.c: how convolutions agree with the planner about the order of weights, and one-dimensional and
 * transposed convolutions out of the same primitives.
 *
 *     conv1d: x [N,I,T], weight [O,I/g,k] -> [N,O,T']            a conv2d of height 1
 *     conv_transpose2d: x [N,I,H,W], weight [I,O/g,kh,kw] -> [N,O,(H-1)s - 2p + d(k-1) + output_pad + 1, ...]
 *         PyTorch's nn.ConvTranspose2d: the gradient of conv2d by its input, plus bias */
#include "op/conv.h"

void ct__conv_weight_wish(ct__layouts *q, int32_t home, ct__conv_wish *w, ct__layout *out) {
    ct__conv *c;
    const ct__lower *l = q->l;
    int keep_home = home >= 0 && !q->in_free[home] && q->in_now[home].kind == CT__CONV;
    w->any_weight = !keep_home;
    if (keep_home) memcpy(&w->weight, q->in_now[home].opaque, sizeof w->weight);
    if (ct__conv_new(l->allocator, w, &c, l->e)) return;
    ct__conv_free(c);
    ct__weight_layout *layout = ct_arena_new(l->arena, sizeof *layout);
    ct__conv_shape *shape = ct_arena_new(l->arena, sizeof *shape);
    if (!layout || !shape) {
        ct_fail(l->e, CT_ELIMIT, "%s \"%s\": out of memory", l->op->name, l->name);
        return;
    }
    *layout = w->weight;
    *shape = w->shape;
    *out = (ct__layout){.kind = CT__CONV,
                        .opaque_bytes = (int32_t)sizeof *layout,
                        .bytes = layout->bytes,
                        .opaque = layout,
                        .shape = shape};
}

int ct__conv_pads_apart(const ct__value *attr, const ct_shape *weight, ct__value inner[CT__CONV_ATTRS],
                        ct_shape *pads) {
    const int64_t one[4] = {1, 1, 1 << 30, 1 << 30};
    ct_shape any = ct_shape_make(4, one);
    ct__conv_shape s = ct__conv_geometry(attr, &any, weight);
    if (s.pad_top <= s.dilation_h * (s.kh - 1) && s.pad_left <= s.dilation_w * (s.kw - 1)) return 0;
    memcpy(inner, attr, CT__CONV_ATTRS * sizeof *inner);
    inner[CT__CONV_PAD].i = 0;
    inner[CT__CONV_PAD_W].i = -1;
    inner[CT__CONV_IN_H].i += 2 * s.pad_top;
    inner[CT__CONV_IN_W].i += 2 * s.pad_left;
    *pads = CT_SHAPE(s.pad_left, s.pad_left, s.pad_top, s.pad_top);
    return 1;
}

static void dispose(void *data) { ct__conv_free(data); }

ct_status ct__conv_lower(ct__lower *l, ct__conv_wish *w, const ct__layout *weight) {
    static const ct__weight_layout plain;
    ct__conv *c;
    w->any_weight = 0;
    w->weight = weight->kind == CT__CONV ? *(const ct__weight_layout *)weight->opaque : plain;
    ct__weight_layout asked = w->weight;
    ct_status s = ct__conv_new(l->allocator, w, &c, l->e);
    if (s) return s;
    if (asked.bytes && !ct__weight_layout_equal(&asked, &w->weight)) {
        ct__conv_free(c);
        return ct_fail(l->e, CT_EINTERNAL, "%s \"%s\": no implementation takes the weight in its order",
                       l->op->name, l->name);
    }
    l->data = c;
    l->dispose = dispose;
    l->impl = ct__conv_impl(c);
    l->scratch = ct__conv_scratch(c);
    const ct__conv_shape *g = &w->shape;
    l->flops = 2.0 * (double)g->n * (double)g->oc * (double)g->oh * (double)g->ow *
               (double)(g->ic / g->groups) * (double)g->kh * (double)g->kw;
    return CT_OK;
}

/* ---- conv1d ---- */
static const ct__attr attrs1[] = {
    POS_INT(channels, CT__NODEF, 1, 1 << 24, "O, the number of outputs"),
    POS_INT(kernel, CT__NODEF, 1, 4096, "k"),
    OPT_INT(ct_conv1, pad, 0, 0, 65535, "zeros on each side"),
    OPT_INT(ct_conv1, stride, 1, 1, 65535, "step of the window"),
    OPT_INT(ct_conv1, dilation, 1, 1, 65535, "distance between taps"),
    OPT_INT(ct_conv1, groups, 1, 1, 1 << 24, "independent groups of channels"),
    OPT_INT(ct_conv1, no_bias, 0, 0, 1, "1: without bias"),
    OPT_CHOICE(ct_conv1, init,
               "default|zeros|ones|constant|uniform|normal|trunc_normal|xavier_uniform|xavier_normal|kaiming_"
               "uniform|kaiming_normal|orthogonal",
               "initialiser of the weight; default: uniform within 1/sqrt(fan in)"),
    OPT_FLOAT(ct_conv1, init_a, 0, -1e30, 1e30, "its first number"),
    OPT_FLOAT(ct_conv1, init_b, 0, -1e30, 1e30, "its second number"),
    {0},
};

static int32_t slots1(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    char x[CT_SHAPE_TEXT];
    const ct_shape *s = &f->in[0].shape;
    int64_t groups = f->attr[CT__CONV_GROUPS].i, channels = f->attr[CT__CONV_CHANNELS].i;
    if (s->rank != 3 || s->dim[1] < 1 || s->dim[2] < 1 || s->dim[1] % groups || channels % groups) {
        ct__infer_fail(f,
                       "x is %s, channels %lld, groups %lld; wanted [N,C,T] that is not empty and channels "
                       "in whole groups",
                       ct_shape_format(s, x), (long long)channels, (long long)groups);
        return -1;
    }
    int64_t w[3] = {channels, s->dim[1] / groups, f->attr[CT__CONV_KERNEL].i};
    double bound = 1 / sqrt((double)(w[1] * w[2]));
    out[0] = (ct__slot){"weight", ct_shape_make(3, w), {CT_INIT_UNIFORM, 0, -bound, bound}, CT_PARAM, 0};
    out[1] = (ct__slot){"bias", ct_shape_make(1, w), {CT_INIT_UNIFORM, 0, -bound, bound}, CT_PARAM, 0};
    if (f->attr[CT__CONV_NO_BIAS].i) out[1].shape.rank = -1;
    return 2;
}

/* conv2d's attributes for a picture of height 1. */
static void wide(const ct__value *a, ct__value out[CT__CONV_ATTRS]) {
    memset(out, 0, CT__CONV_ATTRS * sizeof *out);
    out[CT__CONV_CHANNELS].i = a[CT__CONV_CHANNELS].i;
    out[CT__CONV_KERNEL].i = out[CT__CONV_STRIDE].i = out[CT__CONV_DILATION].i = 1;
    out[CT__CONV_GROUPS].i = a[CT__CONV_GROUPS].i;
    out[CT__CONV_KERNEL_W].i = a[CT__CONV_KERNEL].i;
    out[CT__CONV_PAD_W].i = a[CT__CONV_PAD].i ? a[CT__CONV_PAD].i : -1;
    out[CT__CONV_STRIDE_W].i = a[CT__CONV_STRIDE].i;
    out[CT__CONV_DILATION_W].i = a[CT__CONV_DILATION].i;
}

static ct_shape with_height(const ct_shape *s) { /* [A,B,T] -> [A,B,1,T] */
    int64_t dim[4] = {s->dim[0], s->dim[1], 1, s->dim[2]};
    return ct_shape_make(4, dim);
}

static ct_status infer1(ct__infer *f) {
    char x[CT_SHAPE_TEXT];
    ct__value a[CT__CONV_ATTRS];
    if (ct__infer_dtype(f, 0, CT_F32)) return CT_EUSAGE;
    ct_shape s = with_height(&f->in[0].shape), w = with_height(&f->in[1].shape);
    wide(f->attr, a);
    if (f->in[0].shape.rank != 3 || s.dim[1] != w.dim[1] * a[CT__CONV_GROUPS].i)
        return ct__infer_fail(f, "x is %s; its channels do not fit the weight",
                              ct_shape_format(&f->in[0].shape, x));
    ct__conv_shape g = ct__conv_geometry(a, &s, &w);
    if (g.ow < 1)
        return ct__infer_fail(f, "a window of %lld does not fit into x %s with its padding",
                              (long long)(g.dilation_w * (g.kw - 1) + 1),
                              ct_shape_format(&f->in[0].shape, x));
    int64_t dim[3] = {s.dim[0], g.oc, g.ow};
    f->out[0].shape = ct_shape_make(3, dim);
    return CT_OK;
}

static int expand1(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct__value a[CT__CONV_ATTRS];
    ct_shape x = ct_shape_of(in[0]), w = ct_shape_of(in[1]);
    (void)g;
    (void)train;
    wide(node->attr, a);
    ct_t tall[3] = {ct_reshape(in[0], with_height(&x)), ct_reshape(in[1], with_height(&w)),
                    node->n_in > 2 ? in[2] : ct__none()};
    out[0] = ct_reshape(ct__make(&ct__op_conv2d, tall, 3, a), node->out[0].shape);
    return 1;
}

static void ref1(ct__ref *r) {
    ct__value a[CT__CONV_ATTRS];
    ct__ref_array in[3] = {r->in[0], r->in[1], r->n_in > 2 ? r->in[2] : (ct__ref_array){0}}, out = r->out[0];
    wide(r->attr, a);
    in[0].shape = with_height(&r->in[0].shape);
    in[1].shape = with_height(&r->in[1].shape);
    out.shape = with_height(&r->out[0].shape);
    ct__ref two = {.attr = a, .name = r->name, .n_in = 3, .n_out = 1, .in = in, .out = &out};
    ct__op_conv2d.ref(&two);
}

static const ct__case cases1[] = {
    {.text = "x=f32[N,3,9]; conv1d(x, \"c\", 4, 3, pad=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,16,17]; conv1d(x, \"c\", 16, 5, stride=2)"},
    {.text = "x=f32[N,8,15]; conv1d(x, \"c\", 8, 3, dilation=2, groups=2, no_bias=1)"},
    {.text = "x=f32[2,1,7]; conv1d(x, \"c\", 3, 7)"},
    {.text = "x=f32[0,1,19]; conv1d(x, \"c\", 3, 7)"},
    {.text = "x=f32[N,3,4]; conv1d(x, \"c\", 3, 1, pad=2)"},
    {.text = "x=f32[N,3,9]; conv1d(x, \"c\", 4, 3, init=\"kaiming_normal\")"},
    {.text = "x=f32[N,3,0]; conv1d(x, \"c\", 4, 3, pad=2)", .error = "wanted [N,C,T] that is not empty"},
    {.text = "x=f32[N,3,2]; conv1d(x, \"c\", 4, 3)", .error = "a window of 3 does not fit into x [N,3,2]"},
    {0}};

const ct__op ct__op_conv1d = {
    .name = "conv1d",
    .summary = "convolution of sequences",
    .attrs = attrs1,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = infer1,
    .slots = slots1,
    .expand = expand1,
    .ref = ref1,
    .cases = cases1,
};

/* x [N,C,T] -> [N,channels,T']; parameters NAME.weight [channels,C/groups,kernel] and NAME.bias. */
ct_t ct_conv1d(ct_t x, const char *name, int64_t channels, int64_t kernel, ct_conv1 options) {
    return ct__op_named(&ct__op_conv1d, name, &x, 1, (ct__value[]){{.i = channels}, {.i = kernel}}, &options);
}

/* ---- conv_transpose2d ---- */
static const ct__attr attrs_t[] = {
    POS_INT(channels, CT__NODEF, 1, 1 << 24, "O, the number of outputs"),
    POS_INT(kernel, CT__NODEF, 1, 4096, "kh and kw"),
    OPT_INT(ct_conv_t, pad, 0, 0, 65535, "taken off on each side"),
    OPT_INT(ct_conv_t, stride, 1, 1, 65535, "distance of the inputs in the output"),
    OPT_INT(ct_conv_t, dilation, 1, 1, 65535, "distance between taps"),
    OPT_INT(ct_conv_t, groups, 1, 1, 1 << 24, "independent groups of channels"),
    OPT_INT(ct_conv_t, no_bias, 0, 0, 1, "1: without bias"),
    OPT_INT(ct_conv_t, output_pad, 0, 0, 65535, "added at the end; below stride or dilation"),
    OPT_CHOICE(ct_conv_t, init,
               "default|zeros|ones|constant|uniform|normal|trunc_normal|xavier_uniform|xavier_normal|kaiming_"
               "uniform|kaiming_normal|orthogonal",
               "initialiser of the weight; default: uniform within 1/sqrt(fan in)"),
    OPT_FLOAT(ct_conv_t, init_a, 0, -1e30, 1e30, "its first number"),
    OPT_FLOAT(ct_conv_t, init_b, 0, -1e30, 1e30, "its second number"),
    {0},
};
enum { OUTPUT_PAD = CT__CONV_NO_BIAS + 1 };

static int32_t slots_t(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    char x[CT_SHAPE_TEXT];
    const ct_shape *s = &f->in[0].shape;
    int64_t groups = f->attr[CT__CONV_GROUPS].i, channels = f->attr[CT__CONV_CHANNELS].i,
            kernel = f->attr[CT__CONV_KERNEL].i;
    if (s->rank != 4 || s->dim[1] < 1 || s->dim[2] < 1 || s->dim[3] < 1 || s->dim[1] % groups ||
        channels % groups) {
        ct__infer_fail(
            f,
            "x is %s, channels %lld, groups %lld; wanted [N,C,H,W] that is not empty and channels in "
            "whole groups",
            ct_shape_format(s, x), (long long)channels, (long long)groups);
        return -1;
    }
    int64_t w[4] = {s->dim[1], channels / groups, kernel, kernel}, b[1] = {channels};
    double bound =
        1 / sqrt((double)(w[1] * kernel * kernel)); /* PyTorch takes the fan of axis 1 here as well */
    out[0] = (ct__slot){"weight", ct_shape_make(4, w), {CT_INIT_UNIFORM, 0, -bound, bound}, CT_PARAM, 0};
    out[1] = (ct__slot){"bias", ct_shape_make(1, b), {CT_INIT_UNIFORM, 0, -bound, bound}, CT_PARAM, 0};
    if (f->attr[CT__CONV_NO_BIAS].i) out[1].shape.rank = -1;
    return 2;
}

static int64_t grown(const ct__value *a, int64_t extent) {
    return (extent - 1) * a[CT__CONV_STRIDE].i - 2 * a[CT__CONV_PAD].i +
           a[CT__CONV_DILATION].i * (a[CT__CONV_KERNEL].i - 1) + a[OUTPUT_PAD].i + 1;
}

static ct_status infer_t(ct__infer *f) {
    char x[CT_SHAPE_TEXT];
    const ct_shape *s = &f->in[0].shape;
    const ct__value *a = f->attr;
    if (ct__infer_dtype(f, 0, CT_F32)) return CT_EUSAGE;
    int64_t dim[4] = {s->dim[0], a[CT__CONV_CHANNELS].i, grown(a, s->dim[2]), grown(a, s->dim[3])};
    if (a[OUTPUT_PAD].i && a[OUTPUT_PAD].i >= a[CT__CONV_STRIDE].i &&
        a[OUTPUT_PAD].i >= a[CT__CONV_DILATION].i)
        return ct__infer_fail(f, "output_pad is %lld; wanted less than stride or dilation",
                              (long long)a[OUTPUT_PAD].i);
    if (dim[2] < 1 || dim[3] < 1)
        return ct__infer_fail(f, "nothing is left of x %s after its padding; wanted less pad",
                              ct_shape_format(s, x));
    f->out[0].shape = ct_shape_make(4, dim);
    return CT_OK;
}

/* Attributes of the convolution whose gradient by data this is. */
static void inner(const ct__value *a, const ct_shape *y, ct__value out[CT__CONV_ATTRS]) {
    memset(out, 0, CT__CONV_ATTRS * sizeof *out);
    for (int32_t i = CT__CONV_CHANNELS; i <= CT__CONV_GROUPS; i++) out[i] = a[i];
    out[CT__CONV_IN_H].i = y->dim[2];
    out[CT__CONV_IN_W].i = y->dim[3];
}

static int expand_t(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct__value a[CT__CONV_ATTRS];
    ct_t data[2] = {in[0], in[1]};
    (void)g;
    (void)train;
    inner(node->attr, &node->out[0].shape, a);
    out[0] = ct__make(&ct__op_conv2d_data, data, 2, a);
    if (node->n_in > 2 && in[2].node) {
        int64_t dim[3] = {node->out[0].shape.dim[1], 1, 1};
        out[0] = ct_add(out[0], ct_reshape(in[2], ct_shape_make(3, dim)));
    }
    return 1;
}

static void ref_t(ct__ref *r) {
    ct__value a[CT__CONV_ATTRS];
    inner(r->attr, &r->out[0].shape, a);
    ct__ref data = {.attr = a, .name = r->name, .n_in = 2, .n_out = 1, .in = r->in, .out = r->out};
    ct__op_conv2d_data.ref(&data);
    int64_t plane = r->out[0].shape.dim[2] * r->out[0].shape.dim[3], channels = r->out[0].shape.dim[1];
    for (int64_t i = 0; r->n_in > 2 && r->in[2].present && i < ct__count(&r->out[0].shape); i++)
        r->out[0].v[i] += r->in[2].v[i / plane % channels];
}

static const ct__case cases_t[] = {
    {.text = "x=f32[N,3,4,4]; conv_transpose2d(x, \"c\", 5, 3)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,16,5,5]; conv_transpose2d(x, \"c\", 16, 3, stride=2, pad=1, output_pad=1)"},
    {.text = "x=f32[2,8,3,3]; conv_transpose2d(x, \"c\", 4, 2, stride=2, no_bias=1)"},
    {.text = "x=f32[N,4,4,4]; conv_transpose2d(x, \"c\", 6, 3, groups=2)"},
    {.text = "x=f32[N,16,5,5]; conv_transpose2d(x, \"c\", 16, 2, stride=2, pad=2, output_pad=1)"},
    {.text = "x=f32[N,4,3,3]; conv_transpose2d(x, \"c\", 4, 3, stride=2, dilation=2, groups=4)"},
    {.text = "x=f32[N,1,1,1]; conv_transpose2d(x, \"c\", 6, 3)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[0,4,3,3]; conv_transpose2d(x, \"c\", 4, 3)"},
    {.text = "x=f32[N,4,0,3]; conv_transpose2d(x, \"c\", 6, 2)",
     .error = "wanted [N,C,H,W] that is not empty"},
    {.text = "x=f32[N,4,1,1]; conv_transpose2d(x, \"c\", 6, 2, pad=1)", .error = "nothing is left of x"},
    {0}};

const ct__op ct__op_conv_transpose2d = {
    .name = "conv_transpose2d",
    .summary = "transposed convolution of images",
    .attrs = attrs_t,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = infer_t,
    .slots = slots_t,
    .expand = expand_t,
    .ref = ref_t,
    .cases = cases_t,
};

/* x [N,C,H,W] -> [N,channels,H',W'], larger; parameters NAME.weight [C,channels/groups,kernel,kernel] and NAME.bias. */
ct_t ct_conv_transpose2d(ct_t x, const char *name, int64_t channels, int64_t kernel, ct_conv_t options) {
    return ct__op_named(&ct__op_conv_transpose2d, name, &x, 1, (ct__value[]){{.i = channels}, {.i = kernel}},
                        &options);
}
