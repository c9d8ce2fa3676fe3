/* Gradients of the convolution, as ops.
 *
 *     conv2d_data(dy, weight) -> dx [N,I,H,W]
 *     conv2d_weight(dy, x, weight) -> dweight, dbias: partial sums over the batch; weight is not read, it
 *         tells in which order dweight is wanted
 *
 * The convolution is bilinear, so their own gradients are convolutions again:
 *     z = conv2d_data(dy, w):     d dy = conv2d(dz, w),          dw = conv2d_weight(dy, dz)
 *     z = conv2d_weight(dy, x):   d dy = conv2d(x, dz) + dzb,    dx = conv2d_data(dy, dz) */
#include "op/conv.h"

static const ct__attr attrs[] = {
    POS_INT(channels, 0, 0, 1 << 24, "O"),
    POS_INT(kernel, 0, 0, 4096, "kh"),
    POS_INT(pad, 0, 0, 65535, "as conv2d"),
    POS_INT(stride, 1, 1, 65535, "as conv2d"),
    POS_INT(dilation, 1, 1, 65535, "as conv2d"),
    POS_INT(groups, 1, 1, 1 << 24, "as conv2d"),
    POS_INT(no_bias, 0, 0, 1, "as conv2d"),
    POS_INT(kernel_w, 0, 0, 4096, "as conv2d"),
    POS_INT(pad_w, 0, -1, 65535, "as conv2d"),
    POS_INT(stride_w, 0, 0, 65535, "as conv2d"),
    POS_INT(dilation_w, 0, 0, 65535, "as conv2d"),
    POS_INT(init, 0, 0, 11, "unused"),
    POS_FLOAT(init_a, 0, -1e30, 1e30, "unused"),
    POS_FLOAT(init_b, 0, -1e30, 1e30, "unused"),
    POS_INT(in_h, 0, 0, 1 << 30, "H of x"),
    POS_INT(in_w, 0, 0, 1 << 30, "W of x"),
    {0},
};

/* The shape of x, from dy's rows and the attributes. */
static ct_shape x_shape(const ct__value *a, const ct_shape *dy, const ct_shape *weight) {
    int64_t dim[4] = {dy->dim[0], weight->dim[1] * a[CT__CONV_GROUPS].i, a[CT__CONV_IN_H].i,
                      a[CT__CONV_IN_W].i};
    return ct_shape_make(4, dim);
}

static ct_status data_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_F32, 0, x_shape(f->attr, &f->in[0].shape, &f->in[1].shape)};
    return CT_OK;
}
static ct_status weight_infer(ct__infer *f) {
    f->n_out = 2;
    f->out[0] = (ct__type){CT_F32, 0, f->in[2].shape};
    f->out[1] = (ct__type){CT_F32, 0, ct_shape_make(1, f->in[2].shape.dim)};
    return CT_OK;
}

/* The forward convolution with explicit weight, without bias. */
static ct_t forward(const ct__value *a, ct_t x, ct_t weight) {
    ct_t in[2] = {x, weight};
    return ct__make(&ct__op_conv2d, in, 2, a);
}

static void data_grad(ct__grad *g) {
    ct_t weight[3] = {g->in[0], g->dout[0], g->in[1]};
    if (g->need[0]) g->din[0] = forward(g->attr, g->dout[0], g->in[1]);
    if (g->need[1]) g->din[1] = ct__make(&ct__op_conv2d_weight, weight, 3, g->attr);
}

static void weight_grad(ct__grad *g) {
    ct_t dzw = g->dout[0], dzb = g->dout[1], sum = ct__none();
    if (g->need[0]) {
        if (dzw.node) sum = forward(g->attr, g->in[1], dzw);
        if (dzb.node) {
            int64_t dim[3] = {ct_shape_of(dzb).dim[0], 1, 1};
            ct_t b = ct_reshape(dzb, ct_shape_make(3, dim));
            sum = sum.node ? ct_add(sum, b) : ct_expand(b, ct_shape_of(g->in[0]));
        }
        g->din[0] = sum;
    }
    if (g->need[1] && dzw.node) {
        ct_t data[2] = {g->in[0], dzw};
        g->din[1] = ct__make(&ct__op_conv2d_data, data, 2, g->attr);
    }
}

/* Nothing to sum over; padding apart from the primitive. */
static int data_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct__value inner[CT__CONV_ATTRS];
    ct_shape pads, w = ct_shape_of(in[1]), x = node->out[0].shape;
    (void)train;
    if (x.dim[0] == 0) {
        out[0] = ct_expand(ct_number(g, 0), x);
        return 1;
    }
    if (!ct__conv_pads_apart(node->attr, &w, inner, &pads)) return 0;
    ct_t whole = ct__make(&ct__op_conv2d_data, in, 2, inner);
    for (int64_t i = 0; i < 4; i++) pads.dim[i] = -pads.dim[i];
    out[0] = ct_pad(whole, pads, 0);
    return 1;
}
static int weight_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct__value inner[CT__CONV_ATTRS];
    ct_shape pads, w = ct_shape_of(in[2]);
    (void)train;
    if (ct_shape_of(in[1]).dim[0] == 0) {
        for (int32_t i = 0; i < 2; i++) out[i] = ct_expand(ct_number(g, 0), node->out[i].shape);
        return 1;
    }
    if (!ct__conv_pads_apart(node->attr, &w, inner, &pads)) return 0;
    ct_t padded[3] = {in[0], ct_pad(in[1], pads, 0), in[2]};
    out[0] = ct__make(&ct__op_conv2d_weight, padded, 3, inner);
    out[1] = ct__output(out[0], 1);
    return 1;
}

static int weight_batch(ct__batch *b) {
    if (b->in_place[0] != b->in_place[1]) return 0;
    b->out_place[0] = b->out_place[1] = b->in_place[0] == CT__SHARD ? CT__PARTIAL : CT__REPLICATE;
    return 1;
}

/* ---- layouts and kernels ---- */

static ct__conv_wish data_wish(const ct__lower *l) {
    ct_shape x = x_shape(l->attr, &l->in[0].shape, &l->in[1].shape);
    ct__conv_wish w = {.shape = ct__conv_geometry(l->attr, &x, &l->in[1].shape), .kind = CT__CONV_DATA};
    w.shape.oh = l->in[0].shape.dim[2];
    w.shape.ow = l->in[0].shape.dim[3];
    ct__conv_layouts(&w);
    return w;
}

static ct__conv_wish weight_wish(const ct__lower *l) {
    ct__conv_wish w = {.shape = ct__conv_geometry(l->attr, &l->in[1].shape, &l->in[2].shape),
                       .kind = CT__CONV_WEIGHT,
                       .bias = l->out[1].dtype != 0};
    w.shape.oh = l->in[0].shape.dim[2];
    w.shape.ow = l->in[0].shape.dim[3];
    ct__conv_layouts(&w);
    return w;
}

static void data_layout(ct__layouts *q) {
    ct__conv_wish w = data_wish(q->l);
    q->in[0].kind = w.dst_blocked ? CT__BLOCKED : CT__PLAIN;
    q->out[0].kind = w.src_blocked ? CT__BLOCKED : CT__PLAIN;
    w.any_weight = 1;
    ct__conv_weight_wish(q, -1, &w, &q->in[1]);
}

static void weight_layout(ct__layouts *q) {
    ct__conv_wish w = weight_wish(q->l);
    q->in[0].kind = w.dst_blocked ? CT__BLOCKED : CT__PLAIN;
    q->in[1].kind = w.src_blocked ? CT__BLOCKED : CT__PLAIN;
    q->in[2] = q->in_now[2];
    ct__conv_weight_wish(q, 2, &w, &q->out[0]);
}

static ct_status run_data(const void *data, void *const *arg, const ct__exec *x) {
    return ct__conv_run(data, arg[0], arg[1], NULL, arg[2], x->scratch);
}
static ct_status run_weight(const void *data, void *const *arg, const ct__exec *x) {
    return ct__conv_run(data, arg[1], arg[0], arg[4], arg[3], x->scratch);
}

static ct_status data_lower(ct__lower *l) {
    ct__conv_wish w = data_wish(l);
    l->run = run_data;
    return ct__conv_lower(l, &w, &l->in_layout[1]);
}
static ct_status weight_lower(ct__lower *l) {
    ct__conv_wish w = weight_wish(l);
    l->run = run_weight;
    return ct__conv_lower(l, &w, &l->out_layout[0]);
}

/* ---- references: visit every product y[yi] += w[wi] x[xi] of the forward ---- */
typedef void (*visit)(double *const *v, int64_t yi, int64_t wi, int64_t xi);
static void walk(const ct__conv_shape *s, double *const *v, visit f) {
    int64_t per = s->ic / s->groups;
    for (int64_t yi = 0; yi < s->n * s->oc * s->oh * s->ow; yi++) {
        int64_t j = yi % s->ow, i = yi / s->ow % s->oh, o = yi / s->ow / s->oh % s->oc,
                n = yi / s->ow / s->oh / s->oc;
        for (int64_t k = 0; k < per * s->kh * s->kw; k++) {
            int64_t c = k / s->kw / s->kh,
                    h = i * s->stride_h + k / s->kw % s->kh * s->dilation_h - s->pad_top,
                    w = j * s->stride_w + k % s->kw * s->dilation_w - s->pad_left;
            if (h < 0 || w < 0 || h >= s->ih || w >= s->iw) continue;
            f(v, yi, o * per * s->kh * s->kw + k,
              ((n * s->ic + o / (s->oc / s->groups) * per + c) * s->ih + h) * s->iw + w);
        }
    }
}
static void add_data(double *const *v, int64_t yi, int64_t wi, int64_t xi) {
    v[2][xi] += v[0][yi] * v[1][wi];
}
static void add_weight(double *const *v, int64_t yi, int64_t wi, int64_t xi) {
    v[2][wi] += v[0][yi] * v[1][xi];
}

static void data_ref(ct__ref *r) {
    ct__conv_shape s = ct__conv_geometry(r->attr, &r->out[0].shape, &r->in[1].shape);
    double *v[3] = {r->in[0].v, r->in[1].v, r->out[0].v};
    s.oh = r->in[0].shape.dim[2];
    s.ow = r->in[0].shape.dim[3];
    walk(&s, v, add_data);
}
static void weight_ref(ct__ref *r) {
    ct__conv_shape s = ct__conv_geometry(r->attr, &r->in[1].shape, &r->in[2].shape);
    double *v[3] = {r->in[0].v, r->in[1].v, r->out[0].v};
    s.oh = r->in[0].shape.dim[2];
    s.ow = r->in[0].shape.dim[3];
    walk(&s, v, add_weight);
    int64_t plane = s.oh * s.ow;
    for (int64_t i = 0; i < s.n * s.oc * plane; i++) r->out[1].v[i / plane % s.oc] += r->in[0].v[i];
}

const ct__op ct__op_conv2d_data = {
    .name = "conv2d_data",
    .summary = "gradient of conv2d by x",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = data_infer,
    .grad = data_grad,
    .expand = data_expand,
    .batch = ct__batch_rows,
    .layout = data_layout,
    .lower = data_lower,
    .ref = data_ref,
};
const ct__op ct__op_conv2d_weight = {
    .name = "conv2d_weight",
    .summary = "gradients of conv2d by weight and bias",
    .attrs = attrs,
    .inputs_min = 3,
    .inputs_max = 3,
    .flags = CT__OP_INTERNAL | CT__OP_SPARE,
    .infer = weight_infer,
    .grad = weight_grad,
    .expand = weight_expand,
    .batch = weight_batch,
    .layout = weight_layout,
    .lower = weight_lower,
    .ref = weight_ref,
};
