/* Local response normalisation across channels (Krizhevsky 2012), PyTorch's definition.
 *
 *     y[c] = x[c] / (k + alpha/size * sum of x[j]^2 over j = c - size/2 .. c + (size-1)/2)^beta
 *     dx by the chain rule through the expansion below
 *
 * Channels outside the image count as zeros. It is built of elementwise ops, which become two passes, and of
 * channel_sum, the sum over neighbouring channels, which is linear: its gradient is itself with the reach to
 * both sides exchanged. */
#include "kern/conv.h"
#include "kern/image.h"
#include "op/common.h"

static const ct__attr attrs[] = {
    POS_INT(size, CT__NODEF, 1, 65535, "channels of a window"),
    OPT_FLOAT(ct_lrn, alpha, 1e-4, 1e-30, 1e30, "weight of the squares"),
    OPT_FLOAT(ct_lrn, beta, 0.75, 1e-30, 1e30, "exponent"),
    OPT_FLOAT(ct_lrn, k, 1, 1e-30, 1e30, "added to the sum"),
    {0},
};
enum { SIZE, ALPHA, BETA, K };
static const ct__attr sum_attrs[] = {POS_INT(before, CT__NODEF, 0, 65535, "channels before"),
                                     POS_INT(after, CT__NODEF, 0, 65535, "channels after"),
                                     {0}};

static ct_status infer(ct__infer *f) {
    char text[CT_SHAPE_TEXT];
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_rank(f, 0, 2, 5)) return CT_EUSAGE;
    for (int32_t i = 1; i < f->in[0].shape.rank; i++)
        if (f->in[0].shape.dim[i] < 0)
            return ct__infer_fail(f, "x is %s; wanted N in the first axis only",
                                  ct_shape_format(&f->in[0].shape, text));
    f->out[0].shape = f->in[0].shape;
    return CT_OK;
}

extern const ct__op ct__op_channel_sum;

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    int64_t size = node->attr[SIZE].i;
    ct__value reach[] = {{.i = size / 2}, {.i = (size - 1) / 2}};
    ct_t square = ct_square(in[0]);
    ct_t sum = ct__make(&ct__op_channel_sum, &square, 1, reach);
    ct_t base = ct_add_scalar(ct_mul_scalar(sum, node->attr[ALPHA].f / (double)size), node->attr[K].f);
    (void)g;
    (void)train;
    out[0] = ct_mul(in[0], ct_pow_scalar(base, -node->attr[BETA].f));
    return 1;
}

static void sum_grad(ct__grad *g) {
    ct__value reach[] = {g->attr[1], g->attr[0]};
    if (g->need[0]) g->din[0] = ct__make(&ct__op_channel_sum, g->dout, 1, reach);
}

/* ---- lowering ---- */
typedef struct lrn_data {
    ct__image image;
    int64_t before, after;
    const ct__image_table *table;
} lrn_data;

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const lrn_data *d = data;
    d->table->channel_sum(&d->image, d->before, d->after, arg[0], x->scratch, arg[1]);
    return CT_OK;
}

static ct_status sum_lower(ct__lower *l) {
    lrn_data *d = CT__DATA(l, lrn_data);
    const ct_shape *s = &l->in[0].shape;
    if (!d) return CT_ELIMIT;
    d->image = (ct__image){s->dim[0], s->dim[1], 1,
                           l->in_layout[0].kind == CT__BLOCKED ? ct__block_channels() : 1, 0};
    for (int32_t i = 2; i < s->rank; i++) d->image.spatial *= s->dim[i];
    d->before = l->attr[0].i;
    d->after = l->attr[1].i;
    d->table = l->simd->image;
    l->scratch = (uint64_t)(ct__image_channels(s->dim[1]) + d->before + d->after) * sizeof(float);
    l->run = run;
    l->data = d;
    l->impl = "sliding";
    return CT_OK;
}

/* ---- references ---- */
static double window_sum(const ct__ref_array *x, int64_t i, int64_t before, int64_t after, int squares) {
    int64_t channels = x->shape.dim[1], places = 1;
    for (int32_t k = 2; k < x->shape.rank; k++) places *= x->shape.dim[k];
    int64_t c = i / places % channels;
    double sum = 0;
    for (int64_t j = c - before; j <= c + after; j++) {
        if (j < 0 || j >= channels) continue;
        double v = x->v[i + (j - c) * places];
        sum += squares ? v * v : v;
    }
    return sum;
}
static void ref(ct__ref *r) {
    int64_t n = ct__count(&r->in[0].shape), size = r->attr[SIZE].i;
    for (int64_t i = 0; i < n; i++) {
        double sum = window_sum(&r->in[0], i, size / 2, (size - 1) / 2, 1);
        r->out[0].v[i] =
            r->in[0].v[i] / pow(r->attr[K].f + r->attr[ALPHA].f / (double)size * sum, r->attr[BETA].f);
    }
}
static void sum_ref(ct__ref *r) {
    int64_t n = ct__count(&r->in[0].shape);
    for (int64_t i = 0; i < n; i++) r->out[0].v[i] = window_sum(&r->in[0], i, r->attr[0].i, r->attr[1].i, 0);
}

static const ct__case cases[] = {
    {.text = "x=f32[N,5,3,3]; local_response_norm(x, 5, alpha=0.5)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,1,2,2]; local_response_norm(x, 5)"},
    {.text = "x=f32[N,16,3,3]; local_response_norm(x, 5, alpha=1, beta=0.5, k=2)"},
    {.text = "x=f32[N,17,2,9]; local_response_norm(x, 4, alpha=1)"},
    {.text = "x=f32[N,33,4]; local_response_norm(x, 3, alpha=1)"},
    {.text = "x=f32[2,7,1,1]; local_response_norm(x, 2, alpha=1)"},
    {.text = "x=f32[N,8,16]; local_response_norm(x, 1, alpha=1)"},
    {.text = "x=f32[N,9,17]; local_response_norm(x, 40, alpha=1)"},
    {.text = "x=f32[N,15]; local_response_norm(x, 5, alpha=1)"},
    {.text = "x=f32[N,3,2,3,2]; local_response_norm(x, 5, alpha=1)"},
    {.text = "x=f32[0,3,2,2]; local_response_norm(x, 5)"},
    {.text = "x=f32[N,3,5,5]; local_response_norm(conv2d(x, \"c\", 32, 3), 5, alpha=1)"},
    {.text = "x=f32[N,3,5,5]; local_response_norm(relu(conv2d(x, \"c\", 17, 3)), 5, alpha=1)"},
    {.text = "x=f32[N,3,5,5]; local_response_norm(x, 0)", .error = "size is 0; wanted 1 to"},
    {.text = "x=f32[N]; local_response_norm(x, 5)", .error = "input 1 is [N]; wanted 2 to 5 axes"},
    {.text = "x=f32[N,3,5,5]; local_response_norm(x, 5, alpha=-1)", .error = "alpha is -1; wanted"},
    {.text = "x=i64<5>[N,3,5,5]; local_response_norm(x, 5)", .error = "input 1 is i64; wanted f32"},
    {0},
};

const ct__op ct__op_local_response_norm = {
    .name = "local_response_norm",
    .summary = "divided by the activity of neighbouring channels",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = infer,
    .expand = expand,
    .batch = ct__batch_rows,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_channel_sum = {
    .name = "channel_sum",
    .summary = "sum over neighbouring channels",
    .attrs = sum_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL | CT__OP_FOLLOW | CT__OP_LINEAR,
    .infer = infer,
    .grad = sum_grad,
    .batch = ct__batch_rows,
    .lower = sum_lower,
    .ref = sum_ref,
};

/* x [N,C,...] -> the same shape; `size` channels around each. */
ct_t ct_local_response_norm(ct_t x, int64_t size, ct_lrn options) {
    return ct__op_with(&ct__op_local_response_norm, &x, 1, (ct__value[]){{.i = size}}, &options);
}
