/* The affine layer y = x W' + b (PyTorch's nn.Linear).
 *
 *     x [..., I], weight [O, I], bias [O]  ->  y [..., O]
 *     dx = dy W          (linear_data)
 *     dW = sum dy' x, db = sum dy over all leading axes   (linear_weight, a partial sum of the batch)
 *
 * The weight's home is panel16 of W' (kern/gemm.h): forward reads it as it lies, linear_weight writes its
 * gradient in the same order; linear_data reads the flipped copy. A following ReLU, or the sum with a tensor of its shape, is taken into the kernel.
 * A weight so big that a gradient for every shard of the batch would cost more than the barrier (BIG) is
 * worked on by the whole batch at once, cut over outputs: forward over O, dx over I, dW over the longer. */
#include "kern/gemm.h"
#include "op/common.h"

static const ct__attr attrs[] = {
    POS_INT(features, CT__NODEF, 1, 1 << 30, "O, the number of outputs"),
    OPT_INT(ct_lin, no_bias, 0, 0, 1, "1: without bias"),
    OPT_CHOICE(ct_lin, init,
               "default|zeros|ones|constant|uniform|normal|trunc_normal|xavier_uniform|xavier_normal|kaiming_"
               "uniform|kaiming_normal|orthogonal",
               "initialiser of the weight; default: uniform within 1/sqrt(I)"),
    OPT_FLOAT(ct_lin, init_a, 0, -1e30, 1e30, "its first number (value, low, mean or gain)"),
    OPT_FLOAT(ct_lin, init_b, 0, -1e30, 1e30, "its second number (high, standard deviation)"),
    OPT_TEXT(ct_lin, tie, "full name of an existing [O,I] parameter to share"),
    {0},
};
enum { FEATURES, NO_BIAS };

static int32_t slots(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    if (ct__infer_rank(f, 0, 1, CT_MAX_RANK)) return -1;
    int64_t in = f->in[0].shape.dim[f->in[0].shape.rank - 1], features = f->attr[FEATURES].i;
    if (in < 1) {
        ct__infer_fail(f, "the last axis of x is not fixed; wanted [..., I]; reshape or permute it first");
        return -1;
    }
    double bound = 1 / sqrt((double)in);
    int64_t w[2] = {features, in}, b[1] = {features};
    out[0] = (ct__slot){"weight", ct_shape_make(2, w), {CT_INIT_UNIFORM, 0, -bound, bound}, CT_PARAM, 0};
    out[1] = (ct__slot){"bias", ct_shape_make(1, b), {CT_INIT_UNIFORM, 0, -bound, bound}, CT_PARAM, 0};
    if (f->attr[NO_BIAS].i) out[1].shape.rank = -1;
    return 2;
}

static ct_status infer(ct__infer *f) {
    char x[CT_SHAPE_TEXT], w[CT_SHAPE_TEXT];
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_dtype(f, 1, CT_F32)) return CT_EUSAGE;
    const ct_shape *s = &f->in[0].shape, *v = &f->in[1].shape;
    if (s->rank < 1 || v->rank != 2 || s->dim[s->rank - 1] != v->dim[1] ||
        (f->attr && v->dim[0] != f->attr[FEATURES].i))
        return ct__infer_fail(f, "x is %s, weight %s; wanted x [...,%lld]; reshape x or use another name",
                              ct_shape_format(s, x), ct_shape_format(v, w),
                              (long long)(v->rank == 2 ? v->dim[1] : 0));
    f->out[0].shape = *s;
    f->out[0].shape.dim[s->rank - 1] = v->dim[0];
    return CT_OK;
}

/* dx [..., I] from dy [..., O] and W [O, I] */
static ct_status data_infer(ct__infer *f) {
    f->out[0].shape = f->in[0].shape;
    f->out[0].shape.dim[f->in[0].shape.rank - 1] = f->in[1].shape.dim[1];
    return CT_OK;
}

/* dW [O, I], db [O] from dy [..., O], x [..., I] */
static ct_status weight_infer(ct__infer *f) {
    const ct_shape *dy = &f->in[0].shape, *x = &f->in[1].shape;
    int64_t w[2] = {dy->dim[dy->rank - 1], x->dim[x->rank - 1]};
    f->n_out = 2;
    f->out[0] = (ct__type){CT_F32, 0, ct_shape_make(2, w)};
    f->out[1] = (ct__type){CT_F32, 0, ct_shape_make(1, w)};
    return CT_OK;
}

extern const ct__op ct__op_linear, ct__op_linear_data, ct__op_linear_weight;

static void grad(ct__grad *g) {
    ct_t dy = g->dout[0];
    if (g->need[0]) g->din[0] = ct__op2(&ct__op_linear_data, dy, g->in[1]);
    if (!g->need[1] && !(g->n_in > 2 && g->need[2])) return;
    ct_t dw = ct__op2(&ct__op_linear_weight, dy, g->in[0]);
    g->din[1] = dw;
    if (g->n_in > 2 && g->in[2].node) g->din[2] = ct__output(dw, 1);
}

/* z = linear_data(dy, W): bilinear. d dy = linear(dz, W), dW += dy' dz */
static void data_grad(ct__grad *g) {
    ct_t dz = g->dout[0];
    if (g->need[0]) {
        ct__value a[8] = {{.i = g->in[1].node->out[g->in[1].out].shape.dim[0]}, {.i = 1}};
        ct_t in[3] = {dz, g->in[1], ct__none()};
        g->din[0] = ct__make(&ct__op_linear, in, 3, a);
    }
    if (g->need[1]) g->din[1] = ct__op2(&ct__op_linear_weight, g->in[0], dz);
}

/* (dW, db) = linear_weight(dy, x): d dy = linear(x, ddW) + ddb, dx = linear_data(dy, ddW) */
static void weight_grad(ct__grad *g) {
    ct_t ddw = g->dout[0], ddb = g->dout[1];
    if (g->need[0]) {
        ct_t sum = ct__none();
        if (ddw.node) {
            ct__value a[8] = {{.i = ct_shape_of(ddw).dim[0]}, {.i = 1}};
            ct_t in[3] = {g->in[1], ddw, ct__none()};
            sum = ct__make(&ct__op_linear, in, 3, a);
        }
        if (ddb.node) sum = sum.node ? ct_add(sum, ddb) : ct_expand(ddb, ct_shape_of(g->in[0]));
        g->din[0] = sum;
    }
    if (g->need[1] && ddw.node) g->din[1] = ct__op2(&ct__op_linear_data, g->in[0], ddw);
}

/* Leading axes hold N: rows are independent. */
static int weight_batch(ct__batch *b) {
    int sharded = b->in_place[0] == CT__SHARD || b->in_place[1] == CT__SHARD;
    if (b->in_place[0] != b->in_place[1]) return 0;
    b->out_place[0] = b->out_place[1] = sharded ? CT__PARTIAL : CT__REPLICATE;
    return 1;
}

/* ---- lowering ---- */
typedef struct linear_data {
    ct__gemm gemm, last; /* of a task, of the last one when the product is cut over outputs */
    int64_t step;        /* outputs of a task */
    int32_t tasks;
    int32_t bias, plus, out; /* the arguments that are these; -1: none */
    void (*run)(const ct__gemm *g, const float *a, const float *b, const float *bias, const float *plus,
                float *c, void *scratch);
    void (*sum_rows)(int64_t rows, int64_t columns, const float *x, float *sum);
} linear_data;

static int64_t rows_of(const ct_shape *s) {
    return s->dim[s->rank - 1] ? ct__count(s) / s->dim[s->rank - 1] : 0;
}
static int64_t last_of(const ct_shape *s) { return s->dim[s->rank - 1]; }

static ct__layout panel_of(const ct_shape *weight, int32_t kind) {
    int64_t o = weight->dim[0], i = weight->dim[1];
    uint64_t floats = kind == CT__PANEL ? ct__panel_floats(i, o) : ct__panel_floats(o, i);
    return (ct__layout){.kind = kind, .bytes = floats * sizeof(float)};
}

static void layout(ct__layouts *q) { q->in[1] = panel_of(&q->l->in[1].shape, CT__PANEL); }
static void data_layout(ct__layouts *q) { q->in[1] = panel_of(&q->l->in[1].shape, CT__FLIP); }
static void weight_layout(ct__layouts *q) { q->out[0] = panel_of(&q->l->out[0].shape, CT__PANEL); }

/* Cut over outputs when all shards' gradients together pass BIG bytes and a shard has few rows (docs/decisions.md
 * has the measurement): a constant of shapes and of the batch, never of threads. */
#define BIG (4 << 20)
#define MANY_ROWS 256
static int32_t cut(const ct__lower *l, const ct_shape *x, int64_t weights, int64_t outputs, int64_t grain) {
    int64_t rows = rows_of(x), tasks = (outputs + grain - 1) / grain;
    if (l->shards < 2 || rows / l->shards >= MANY_ROWS || weights * 4 <= BIG / l->shards) return 0;
    return (int32_t)(tasks < 8 ? tasks : 8);
}
static int32_t pieces(const ct__lower *l) {
    return cut(l, &l->in[0].shape, ct__count(&l->in[1].shape), last_of(&l->out[0].shape), 32);
}
static int32_t data_pieces(const ct__lower *l) {
    return cut(l, &l->in[0].shape, ct__count(&l->in[1].shape), last_of(&l->out[0].shape), 64);
}
/* A weight's gradient alone waits for the whole batch sooner: as soon as x and dy are less to keep than the shards'
 * gradients are to write and to read again. */
static int32_t weight_pieces(const ct__lower *l) {
    int64_t i = last_of(&l->in[1].shape), o = last_of(&l->in[0].shape), rows = rows_of(&l->in[0].shape);
    int64_t tasks = ((i > o ? i : o) + 127) / 128;
    if (l->shards < 2 || rows / l->shards >= MANY_ROWS || 2 * l->shards * i * o <= rows * (i + o)) return 0;
    return (int32_t)(tasks < 8 ? tasks : 8);
}

/* The extent `*of` of both products by tasks of multiples of `grain`. */
static void cut_product(linear_data *d, int64_t tasks, int64_t extent, int64_t grain, int64_t *of,
                        int64_t *of_last) {
    d->tasks = tasks > 0 ? (int32_t)tasks : 1;
    d->step = (extent + d->tasks - 1) / d->tasks;
    d->step = (d->step + grain - 1) / grain * grain;
    int64_t used = (extent + d->step - 1) / d->step, left = extent - (used - 1) * d->step;
    *of = d->step < extent ? d->step : extent;
    *of_last = left;
}
/* The product of a task and where its outputs begin, -1: nothing is left for it. */
static int64_t begin_of(const linear_data *d, int64_t extent, int64_t task, const ct__gemm **g) {
    int64_t begin = d->tasks > 1 ? task * d->step : 0;
    *g = begin + d->step >= extent ? &d->last : &d->gemm;
    return begin < extent ? begin : -1;
}

static ct_status run_rows(const void *data, void *const *arg, const ct__exec *x) {
    const linear_data *d = data;
    const ct__gemm *g;
    int64_t j = begin_of(d, d->gemm.c_row, x->task, &g);
    const float *bias = d->bias < 0 ? NULL : arg[d->bias], *plus = d->plus < 0 ? NULL : arg[d->plus];
    if (j >= 0)
        d->run(g, arg[0], (const float *)arg[1] + j * g->k, bias ? bias + j : NULL, plus ? plus + j : NULL,
               (float *)arg[d->out] + j, x->scratch);
    return CT_OK;
}
/* dW' [I,O] = x' [I,M] dy [M,O], written in panels of O. A task has some panels, so that dy is packed once in
 * all, or some rows where there are more of these. */
static ct_status run_weight(const void *data, void *const *arg, const ct__exec *x) {
    const linear_data *d = data;
    const ct__gemm *g;
    int64_t i = d->gemm.a_col, o = d->gemm.b_row, begin = begin_of(d, i > o ? i : o, x->task, &g);
    if (arg[2] && begin >= 0 && i > o)
        d->run(g, (const float *)arg[1] + begin, arg[0], NULL, NULL, (float *)arg[2] + begin * 16,
               x->scratch);
    if (arg[2] && begin >= 0 && i <= o)
        d->run(g, arg[1], (const float *)arg[0] + begin, NULL, NULL, (float *)arg[2] + begin * i, x->scratch);
    if (arg[3] && begin == 0) d->sum_rows(g->k, o, arg[0], arg[3]);
    return CT_OK;
}

static ct_status finish(ct__lower *l, linear_data *d, ct__kernel run, double flops) {
    d->run = l->simd->gemm->run;
    d->sum_rows = l->simd->gemm->sum_rows;
    l->run = run;
    l->data = d;
    l->scratch = ct__gemm_scratch(&d->gemm);
    if (ct__gemm_scratch(&d->last) > l->scratch) l->scratch = ct__gemm_scratch(&d->last);
    l->impl = "gemm";
    l->flops = flops;
    return CT_OK;
}

/* y [M,P] = x [M,K] B, B in panels; cut over P. Fused: a ReLU, or what is added (the last input). */
static ct_status lower_rows(ct__lower *l, int32_t bias) {
    linear_data *d = CT__DATA(l, linear_data);
    if (!d) return CT_ELIMIT;
    int relu = l->n_fused && strcmp(l->fused[0].op->name, "relu") == 0;
    d->bias = bias;
    d->plus = l->n_fused && !relu ? l->n_in - 1 : -1;
    d->out = l->n_in;
    int64_t k = last_of(&l->in[0].shape), p = last_of(&l->out[0].shape), m = rows_of(&l->in[0].shape);
    d->gemm = (ct__gemm){.m = m,
                         .n = p,
                         .k = k,
                         .a_row = k,
                         .a_col = 1,
                         .b_panel = 1,
                         .c_row = p,
                         .act = relu ? CT__ACT_RELU : CT__ACT_NONE};
    d->last = d->gemm;
    cut_product(d, l->pieces, p, 16, &d->gemm.n, &d->last.n);
    return finish(l, d, run_rows, 2.0 * (double)m * (double)p * (double)k);
}
static ct_status lower(ct__lower *l) { return lower_rows(l, 2); }
static ct_status data_lower(ct__lower *l) { return lower_rows(l, -1); }

static ct_status weight_lower(ct__lower *l) {
    linear_data *d = CT__DATA(l, linear_data);
    if (!d) return CT_ELIMIT;
    int64_t o = last_of(&l->in[0].shape), i = last_of(&l->in[1].shape), m = rows_of(&l->in[0].shape);
    d->gemm = (ct__gemm){.m = i,
                         .n = o,
                         .k = m,
                         .a_row = 1,
                         .a_col = i,
                         .b_row = o,
                         .b_col = 1,
                         .c_panel = 1,
                         .c_panel_stride = i * 16};
    d->last = d->gemm;
    if (i > o)
        cut_product(d, l->pieces, i, 16, &d->gemm.m, &d->last.m);
    else
        cut_product(d, l->pieces, o, 32, &d->gemm.n, &d->last.n);
    return finish(l, d, run_weight, 2.0 * (double)m * (double)o * (double)i);
}

static int fuse_add(const ct__lower *l, const ct__fused *consumer) {
    int fits = l->n_fused == 0 && strcmp(consumer->op->name, "add") == 0 && consumer->other;
    return fits && consumer->other->dtype == CT_F32 &&
                   ct_shape_equal(&consumer->other->shape, &l->symbolic[l->n_in].shape)
               ? CT__FUSE_WITH
               : CT__FUSE_NO;
}
static int fuse(const ct__lower *l, const ct__fused *consumer) {
    if (l->n_fused == 0 && strcmp(consumer->op->name, "relu") == 0) return CT__FUSE_WITH;
    return fuse_add(l, consumer);
}

/* ---- references ---- */
static void ref(ct__ref *r) {
    int64_t i = last_of(&r->in[0].shape), o = last_of(&r->out[0].shape), m = rows_of(&r->in[0].shape);
    for (int64_t n = 0; n < m; n++)
        for (int64_t j = 0; j < o; j++) {
            double sum = r->n_in > 2 && r->in[2].present ? r->in[2].v[j] : 0;
            for (int64_t k = 0; k < i; k++) sum += r->in[0].v[n * i + k] * r->in[1].v[j * i + k];
            r->out[0].v[n * o + j] = sum;
        }
}
static void data_ref(ct__ref *r) {
    int64_t o = last_of(&r->in[0].shape), i = last_of(&r->out[0].shape), m = rows_of(&r->in[0].shape);
    for (int64_t n = 0; n < m; n++)
        for (int64_t k = 0; k < i; k++)
            for (int64_t j = 0; j < o; j++)
                r->out[0].v[n * i + k] += r->in[0].v[n * o + j] * r->in[1].v[j * i + k];
}
static void weight_ref(ct__ref *r) {
    int64_t o = last_of(&r->in[0].shape), i = last_of(&r->in[1].shape), m = rows_of(&r->in[0].shape);
    for (int64_t n = 0; n < m; n++)
        for (int64_t j = 0; j < o; j++) {
            r->out[1].v[j] += r->in[0].v[n * o + j];
            for (int64_t k = 0; k < i; k++)
                r->out[0].v[j * i + k] += r->in[0].v[n * o + j] * r->in[1].v[n * i + k];
        }
}

static const ct__case cases[] = {
    {.text = "x=f32[N,10]; linear(x, \"fc\", 7)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[3,4,17]; linear(x, \"fc\", 16, no_bias=1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,33]; linear(x, \"fc\", 65)"},
    {.text = "x=f32[N,1]; linear(x, \"fc\", 1)"},
    {.text = "x=f32[8]; linear(x, \"fc\", 15)"},
    {.text = "x=f32[0,8]; linear(x, \"fc\", 15)"},
    {.text = "x=f32[N,10]; z=f32[N,7]; add(linear(x, \"fc\", 7), z)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3,17]; add(x, linear(relu(linear(x, \"up\", 33)), \"down\", 17, no_bias=1))"},
    {.text = "x=f32[N,5]; z=f32[16]; add(z, linear(x, \"fc\", 16))"},
    {.text = "x=f32[N,8]; linear(x, \"fc\", 0)", .error = "features is 0; wanted 1 to"},
    {.text = "x=i64[N,8]; linear(x, \"fc\", 3)", .error = "input 1 is i64; wanted f32"},
    {0},
};

const ct__op ct__op_linear = {
    .name = "linear",
    .summary = "y = x W' + b",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = infer,
    .slots = slots,
    .grad = grad,
    .batch = ct__batch_rows,
    .layout = layout,
    .fuse = fuse,
    .pieces = pieces,
    .lower = lower,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_linear_data = {
    .name = "linear_data",
    .summary = "gradient of linear by x",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = data_infer,
    .grad = data_grad,
    .batch = ct__batch_rows,
    .layout = data_layout,
    .fuse = fuse_add,
    .pieces = data_pieces,
    .lower = data_lower,
    .ref = data_ref,
};
const ct__op ct__op_linear_weight = {
    .name = "linear_weight",
    .summary = "gradients of linear by weight and bias",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL | CT__OP_SPARE,
    .infer = weight_infer,
    .grad = weight_grad,
    .batch = weight_batch,
    .layout = weight_layout,
    .pieces = weight_pieces,
    .lower = weight_lower,
    .ref = weight_ref,
};

/* x [..., I] -> [..., features]; parameters NAME.weight [features, I] and NAME.bias [features]. */
ct_t ct_linear(ct_t x, const char *name, int64_t features, ct_lin options) {
    ct__value positional[1] = {{.i = features}};
    return ct__op_named(&ct__op_linear, name, &x, 1, positional, &options);
}
