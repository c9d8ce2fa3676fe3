/* Dropout: in training each element is zero with probability p, the others are scaled by 1 / (1 - p); in
 * evaluation the op is not there.
 *
 *     y = x * m, m = [word >= p * 2^32] / (1 - p)
 *     dx = dy * m, the same m      (dropout_grad; it is its own gradient)
 *
 * The mask is not stored. Its words are Philox's, a function of the seed, the op's full name, the step, the
 * index along axis 0 in the whole batch (the sample) and the element's place behind that axis (kern/random.h),
 * so it is the same however the batch is cut, and backward makes it again. */
#include "kern/random.h"
#include "op/common.h"

static const ct__attr attrs[] = {POS_FLOAT(p, 0.5, 0, 1, "probability of a zero"), {0}};
static const ct__attr grad_attrs[] = {
    POS_FLOAT(p, CT__NODEF, 0, 1, "probability of a zero"),
    POS_INT(key, CT__NODEF, -9.3e18, 9.3e18, "random key of the forward op's name"),
    {0},
};
enum { P, KEY };

static ct_status infer(ct__infer *f) {
    if (ct__infer_dtype(f, 0, CT_F32)) return CT_EUSAGE;
    f->out[0].shape = f->in[0].shape;
    return CT_OK;
}

extern const ct__op ct__op_dropout_grad;

static void grad(ct__grad *g) {
    ct__value a[] = {g->attr[P], {.i = (int64_t)ct__name_key(g->node->name)}};
    if (g->need[0]) g->din[0] = ct__make(&ct__op_dropout_grad, g->dout, 1, a);
}
static void grad_grad(ct__grad *g) {
    if (g->need[0]) g->din[0] = ct__make(&ct__op_dropout_grad, g->dout, 1, g->attr);
}

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    out[0] = in[0];
    return !train || node->attr[P].f == 0;
}

/* Samples are told apart by axis 0. */
static int batch(ct__batch *b) { return ct__batch_axis(&b->in[0].shape) == 0 && ct__batch_rows(b); }

typedef struct dropout {
    void (*drop)(const ct__stream *s, int64_t n, uint32_t threshold, float scale, const float *x, float *y);
    int64_t rows, row;  /* row: elements of one */
    int64_t per_sample; /* rows that one sample of the batch has on axis 0 */
    uint64_t key;
    uint32_t threshold;
    float scale;
} dropout;

static ct__stream stream_of(uint64_t key, uint64_t seed, uint64_t step) {
    uint64_t k = ct_hash64(&key, sizeof key, seed);
    return (ct__stream){.key = {(uint32_t)k, (uint32_t)(k >> 32)},
                        .counter = {0, (uint32_t)step, (uint32_t)(step >> 32)}};
}

/* p = 1 drops all: the scale is 0, as the threshold cannot be 2^32. */
static void rule_of(double p, uint32_t *threshold, float *scale) {
    double t = floor(p * 0x1p32 + 0.5);
    *threshold = t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
    *scale = p < 1 ? (float)(1 / (1 - p)) : 0;
}

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const dropout *d = data;
    const float *in = arg[0];
    float *out = arg[1];
    ct__stream s = stream_of(d->key, x->seed, x->step);
    for (int64_t r = 0; r < d->rows; r++) {
        s.counter[0] = (uint32_t)(x->row0 * d->per_sample + r);
        d->drop(&s, d->row, d->threshold, d->scale, in + r * d->row, out + r * d->row);
    }
    return CT_OK;
}

static ct_status lower_key(ct__lower *l, uint64_t key) {
    dropout *d = CT__DATA(l, dropout);
    const ct_shape *s = &l->in[0].shape;
    if (!d) return CT_ELIMIT;
    d->drop = l->simd->random->drop;
    d->rows = s->rank ? s->dim[0] : 1;
    d->row = d->rows ? ct__count(s) / d->rows : 0;
    d->per_sample = s->rank && l->symbolic[0].shape.dim[0] < 0 ? -l->symbolic[0].shape.dim[0] : 0;
    d->key = key;
    rule_of(l->attr[P].f, &d->threshold, &d->scale);
    l->run = run;
    l->data = d;
    l->impl = "philox";
    return CT_OK;
}
static ct_status lower(ct__lower *l) { return lower_key(l, ct__name_key(l->name)); }
static ct_status grad_lower(ct__lower *l) { return lower_key(l, (uint64_t)l->attr[KEY].i); }

static void ref_key(ct__ref *r, uint64_t key) {
    ct__stream s = stream_of(key, r->seed, r->step);
    uint64_t n = ct__ref_count(&r->in[0]), rows = r->in[0].shape.rank ? (uint64_t)r->in[0].shape.dim[0] : 1;
    double p = r->attr[P].f;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t e = i % (n / rows);
        uint32_t counter[4] = {(uint32_t)(e / 64 * 16 + e % 16), (uint32_t)(i / (n / rows)), s.counter[1],
                               s.counter[2]},
                 word[4];
        ct_philox(counter, s.key, word);
        int keep = p < 1 && word[e / 16 % 4] >= floor(p * 0x1p32 + 0.5);
        r->out[0].v[i] = !r->train ? r->in[0].v[i] : keep ? r->in[0].v[i] / (1 - p) : 0;
    }
}
static void ref(ct__ref *r) { ref_key(r, ct__name_key(r->name)); }
static void grad_ref(ct__ref *r) { ref_key(r, (uint64_t)r->attr[KEY].i); }

static const ct__case cases[] = {
    {.text = "x=f32[3,5]; dropout(x, \"d\", 0.5)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,17]; dropout(x, \"d\", 0.1)"},
    {.text = "x=f32[N,4,63]; dropout(x, \"d\", 0.9)"},
    {.text = "x=f32[N,64]; dropout(x, \"d\", 0.5)"},
    {.text = "x=f32[N,65]; dropout(x, \"d\")"},
    {.text = "x=f32[N,300]; dropout(x, \"d\", 0.25)"},
    {.text = "x=f32[N,3,5]; dropout(reshape(x, -3, 5), \"d\", 0.5)"},
    {.text = "x=f32[N,3,5]; dropout(transpose(x, 0, 1), \"d\", 0.5)"},
    {.text = "x=f32[N]; dropout(x, \"d\", 0.5)"},
    {.text = "x=f32[]; dropout(x, \"d\", 0.5)"},
    {.text = "x=f32[0,3]; dropout(x, \"d\", 0.5)"},
    {.text = "x=f32[N,9]; dropout(x, \"d\", 0)"},
    {.text = "x=f32[N,9]; dropout(x, \"d\", 1)"},
    {.text = "x=f32[N,9]; dropout(dropout(x, \"a\", 0.5), \"b\", 0.5)"},
    {.text = "x=f32[N,9]; dropout(x, \"d\", 1.5)", .error = "p is 1.5; wanted 0 to 1"},
    {.text = "x=f32[N,9]; dropout(x, 0.5)", .error = "no name"},
    {.text = "x=i64<5>[N,9]; dropout(x, \"d\", 0.5)", .error = "input 1 is i64; wanted f32"},
    {0},
};

const ct__op ct__op_dropout = {
    .name = "dropout",
    .summary = "zeros with probability p, in training",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .flags = CT__OP_RANDOM | CT__OP_INPLACE,
    .infer = infer,
    .grad = grad,
    .expand = expand,
    .batch = batch,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_dropout_grad = {
    .name = "dropout_grad",
    .summary = "gradient of dropout",
    .attrs = grad_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL | CT__OP_INPLACE,
    .infer = infer,
    .grad = grad_grad,
    .expand = expand,
    .batch = batch,
    .lower = grad_lower,
    .ref = grad_ref,
};

/* In training zeros with probability p and x / (1 - p); x itself in evaluation. The name keys its random numbers. */
ct_t ct_dropout(ct_t x, const char *name, double p) {
    return ct__op_named(&ct__op_dropout, name, &x, 1, (ct__value[]){{.f = p}}, NULL);
}
