/* Ops of the user's program: forward and backward as callbacks (ct_custom in cotan.h).
 *
 *     y = custom(x1, ...),   (dx1, ...) = custom_grad(x1, ..., y, dy)
 *
 * One record serves all: its only attribute is the address of the user's ct_custom, which outlives every
 * plan. Inputs and results are contiguous f32. Declared per sample, it runs on shards of the batch, else once
 * on the whole. There is no second derivative. */
#include "op/common.h"

#define MAX_CUSTOM 4

static const ct__attr attrs[] = {POS_INT(self, CT__NODEF, -9.3e18, 9.3e18, "address of the ct_custom"), {0}};
extern const ct__op ct__op_custom, ct__op_custom_grad;

static const ct_custom *self_of(const ct__value *attr) { return (const ct_custom *)(uintptr_t)attr[0].i; }

static ct_status infer(ct__infer *f) {
    const ct_custom *c = self_of(f->attr);
    ct_shape in[MAX_CUSTOM];
    ct_err inner = {0};
    for (int32_t i = 0; i < f->n_in; i++) {
        if (ct__infer_dtype(f, i, CT_F32)) return CT_EUSAGE;
        in[i] = f->in[i].shape;
    }
    if (c->shape(c->user, in, f->n_in, &f->out[0].shape, &inner))
        return ct__infer_fail(f, "%s: %s", c->name, inner.status ? inner.text : "its shape callback failed");
    uint64_t count;
    char text[CT_SHAPE_TEXT];
    if (!ct_shape_count(&f->out[0].shape, 1, &count))
        return ct__infer_fail(f, "%s: its shape callback gave %s", c->name,
                              ct_shape_format(&f->out[0].shape, text));
    f->out[0].dtype = CT_F32;
    return CT_OK;
}

static ct_status grad_infer(ct__infer *f) {
    f->n_out = f->n_in - 2;
    for (int32_t i = 0; i < f->n_out; i++) f->out[i] = f->in[i];
    return CT_OK;
}

static void grad(ct__grad *g) {
    ct_t in[MAX_CUSTOM + 2];
    const ct_custom *c = self_of(g->attr);
    if (!c->backward) {
        ct__graph_fail(g->graph, "custom \"%s\": has no backward callback; wanted one to take its gradient",
                       c->name);
        return;
    }
    for (int32_t i = 0; i < g->n_in; i++) in[i] = g->in[i];
    in[g->n_in] = g->out[0];
    in[g->n_in + 1] = g->dout[0];
    ct_t first = ct__make(&ct__op_custom_grad, in, g->n_in + 2, g->attr);
    for (int32_t i = 0; i < g->n_in; i++) g->din[i] = ct__output(first, i);
}

static int batch(ct__batch *b) { return self_of(b->attr)->per_sample ? ct__batch_rows(b) : 0; }

/* ---- kernels ---- */
typedef struct custom_data {
    const ct_custom *self;
    ct_shape shape[MAX_CUSTOM + 1]; /* inputs, output */
    int32_t n;
    int32_t reserved;
} custom_data;

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const custom_data *d = data;
    const float *in[MAX_CUSTOM];
    for (int32_t i = 0; i < d->n; i++) in[i] = arg[i];
    ct_status s = d->self->forward(d->self->user, d->shape, in, d->n, arg[d->n], x->e);
    return s ? ct_fail(x->e, s, "custom \"%s\": its forward callback failed", d->self->name) : CT_OK;
}

static ct_status run_grad(const void *data, void *const *arg, const ct__exec *x) {
    const custom_data *d = data;
    const float *in[MAX_CUSTOM];
    float *din[MAX_CUSTOM];
    for (int32_t i = 0; i < d->n; i++) {
        in[i] = arg[i];
        din[i] = arg[d->n + 2 + i];
    }
    ct_status s = d->self->backward(d->self->user, d->shape, in, d->n, arg[d->n], arg[d->n + 1], din, x->e);
    return s ? ct_fail(x->e, s, "custom \"%s\": its backward callback failed", d->self->name) : CT_OK;
}

static ct_status prepare(ct__lower *l, int32_t n, const ct_shape *out, ct__kernel kernel) {
    custom_data *d = CT__DATA(l, custom_data);
    if (!d) return CT_ELIMIT;
    d->self = self_of(l->attr);
    d->n = n;
    for (int32_t i = 0; i < n; i++) d->shape[i] = l->in[i].shape;
    d->shape[n] = *out;
    l->run = kernel;
    l->data = d;
    l->impl = "callback";
    return CT_OK;
}
static ct_status lower(ct__lower *l) { return prepare(l, l->n_in, &l->out[0].shape, run); }
static ct_status grad_lower(ct__lower *l) {
    return prepare(l, l->n_in - 2, &l->in[l->n_in - 2].shape, run_grad);
}

const ct__op ct__op_custom = {
    .name = "custom",
    .summary = "an op of the user's program",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = MAX_CUSTOM,
    .flags = CT__OP_INTERNAL,
    .infer = infer,
    .grad = grad,
    .batch = batch,
    .lower = lower,
};
const ct__op ct__op_custom_grad = {
    .name = "custom_grad",
    .summary = "its gradient",
    .attrs = attrs,
    .inputs_min = 3,
    .inputs_max = MAX_CUSTOM + 2,
    .flags = CT__OP_INTERNAL,
    .infer = grad_infer,
    .nondiff = "a user's op has a first derivative only",
    .batch = batch,
    .lower = grad_lower,
};

ct_t ct_custom_op(const ct_custom *op, const ct_t *in, int32_t n_in) {
    ct__value attr = {.i = (int64_t)(uintptr_t)op};
    if (n_in < 1 || n_in > MAX_CUSTOM || !op || !op->name || !op->shape || !op->forward) {
        if (n_in > 0 && in[0].node)
            ct__graph_fail(ct_graph_of(in[0]),
                           "custom: wanted 1 to %d inputs, and a name, shape and forward callback",
                           MAX_CUSTOM);
        return n_in > 0 && in[0].node ? ct__poison(ct_graph_of(in[0])) : ct__none();
    }
    return ct__make(&ct__op_custom, in, n_in, &attr);
}
