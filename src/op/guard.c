/* What stands between gradients and updates.
 *
 *     global_norm(x1, x2, ...) -> sqrt of the sum of all squares, a scalar; dx_i = dy x_i / norm, 0 where norm is 0
 *     guard(loss, norm) -> the factor of the gradients: min(1, clip / (norm + 1e-6)), 1 without clip; and norm
 *
 * Squares are added in double, in fixed pieces of 4,096 numbers, so a norm is right as long as it is a number of
 * f32 itself: that of [1e20, 1e20] is 1.4142e20. In a plan squared_parts adds the pieces in 64 parts of
 * consecutive ones, which threads may share, and norm_of_parts the parts, so it is the same on any number of
 * threads. Parameters and their gradients are read in whatever storage order they have; padding lanes are zeros.
 *
 * guard ends the run with CT_ENONFINITE when the loss or the norm is no finite number: it runs before any
 * update, so weights and moments stay as they are (PyTorch's clip_grad_norm_ goes on by default). */
#include "kern/update.h"
#include "op/common.h"
#include "op/relayout.h"

#define PIECE 4096
#define PARTS 64

static ct_status norm_infer(ct__infer *f) {
    for (int32_t i = 0; i < f->n_in; i++)
        if (ct__infer_dtype(f, i, CT_F32)) return CT_EUSAGE;
    f->out[0] = (ct__type){CT_F32, 0, ct_shape_make(0, NULL)};
    return CT_OK;
}

static void norm_grad(ct__grad *g) {
    ct_t zero = ct_number(g->graph, 0), norm = g->out[0], none = ct_eq(norm, zero);
    ct_t inverse = ct_where(none, zero, ct_reciprocal(ct_where(none, ct_number(g->graph, 1), norm)));
    ct_t factor = ct_mul(g->dout[0], inverse);
    for (int32_t i = 0; i < g->n_in; i++)
        if (g->need[i]) g->din[i] = ct_mul(g->in[i], factor);
}

/* ---- in a plan: parts [PARTS] of doubles; the graph has no such type, so they travel as the bits of i64 ---- */
static ct_status parts_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_I64, 0, CT_SHAPE(PARTS)};
    return CT_OK;
}

static void parts_layout(ct__layouts *q) {
    for (int32_t i = 0; i < q->l->n_in; i++)
        if (q->in_now[i].kind != CT__BLOCKED) q->in[i] = q->in_now[i];
}

typedef struct parts_data {
    const ct__update_table *table;
    int64_t count[CT__MAX_IN], pieces;
    int32_t n, reserved;
} parts_data;

static int64_t pieces_of(int64_t count) { return (count + PIECE - 1) / PIECE; }

/* The squares of pieces begin..end-1, numbered through all operands. */
static double sum_pieces(const parts_data *d, void *const *arg, int64_t begin, int64_t end) {
    double sum = 0;
    int64_t first = 0;
    for (int32_t i = 0; i < d->n && first < end; first += pieces_of(d->count[i++]))
        for (int64_t k = begin > first ? begin - first : 0; k < pieces_of(d->count[i]) && first + k < end;
             k++) {
            int64_t left = d->count[i] - k * PIECE;
            sum += d->table->squares((const float *)arg[i] + k * PIECE, left < PIECE ? left : PIECE);
        }
    return sum;
}

static ct_status parts_run(const void *data, void *const *arg, const ct__exec *x) {
    const parts_data *d = data;
    double *out = arg[d->n];
    for (int64_t p = PARTS * x->task / x->tasks; p < PARTS * (x->task + 1) / x->tasks; p++)
        out[p] = sum_pieces(d, arg, d->pieces * p / PARTS, d->pieces * (p + 1) / PARTS);
    return CT_OK;
}

static ct_status parts_lower(ct__lower *l) {
    parts_data *d = CT__DATA(l, parts_data);
    if (!d) return CT_ELIMIT;
    d->table = l->simd->update;
    d->n = l->n_in;
    for (int32_t i = 0; i < l->n_in; i++) {
        d->count[i] = (int64_t)(ct__layout_bytes(&l->in_layout[i], &l->in[i]) / sizeof(float));
        d->pieces += pieces_of(d->count[i]);
    }
    l->run = parts_run;
    l->data = d;
    l->impl = "pieces";
    return CT_OK;
}

/* Worth the threads from a megabyte on. */
static int32_t parts_pieces(const ct__lower *l) {
    int64_t count = 0;
    for (int32_t i = 0; i < l->n_in; i++) count += ct__count(&l->in[i].shape);
    return count >= 1 << 18 ? 8 : 0;
}

static ct_status root_run(const void *data, void *const *arg, const ct__exec *x) {
    double sum = 0;
    (void)data;
    (void)x;
    for (int k = 0; k < PARTS; k++) sum += ((const double *)arg[0])[k];
    *(float *)arg[1] = (float)sqrt(sum);
    return CT_OK;
}

static ct_status root_lower(ct__lower *l) {
    l->run = root_run;
    l->impl = "parts";
    return CT_OK;
}

static void parts_ref(ct__ref *r) { /* all in the first part */
    for (int32_t i = 0; i < r->n_in; i++)
        for (uint64_t k = 0; k < ct__ref_count(&r->in[i]); k++)
            r->out[0].v[0] += r->in[i].v[k] * r->in[i].v[k];
}
static void root_ref(ct__ref *r) {
    for (int k = 0; k < PARTS; k++) r->out[0].v[0] += r->in[0].v[k];
    r->out[0].v[0] = sqrt(r->out[0].v[0]);
}

static ct_status root_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_F32, 0, ct_shape_make(0, NULL)};
    return CT_OK;
}

const ct__op ct__op_squared_parts = {
    .name = "squared_parts",
    .summary = "sums of squares, in parts",
    .inputs_min = 1,
    .inputs_max = CT__MAX_IN,
    .flags = CT__OP_INTERNAL,
    .infer = parts_infer,
    .nondiff = "it appears in plans only",
    .layout = parts_layout,
    .pieces = parts_pieces,
    .lower = parts_lower,
    .ref = parts_ref,
};
const ct__op ct__op_norm_of_parts = {
    .name = "norm_of_parts",
    .summary = "the root of the sum of parts",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = root_infer,
    .nondiff = "it appears in plans only",
    .lower = root_lower,
    .ref = root_ref,
};

static int norm_expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    out[0] = ct__op1(&ct__op_norm_of_parts, ct__make(&ct__op_squared_parts, in, node->n_in, NULL));
    return 1;
}

static void norm_ref(ct__ref *r) {
    for (int32_t i = 0; i < r->n_in; i++)
        for (uint64_t k = 0; k < ct__ref_count(&r->in[i]); k++)
            r->out[0].v[0] += r->in[i].v[k] * r->in[i].v[k];
    r->out[0].v[0] = sqrt(r->out[0].v[0]);
}

static const ct__case norm_cases[] = {
    {.text = "x=f32[3,5]; y=f32[7]; global_norm(x, y)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[17]; global_norm(x)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[]; global_norm(x)"},
    {.text = "x=f32[N,3]; y=f32[]; z=f32[2,2,2]; global_norm(x, y, z)"},
    {.text = "x=f32[4097]; global_norm(x)"},
    {.text = "x=f32[9000]; y=f32[0]; global_norm(x, y)"},
    {.text = "x=f32[N,3,4,4]; global_norm(conv2d(x, \"c\", 17, 3))"},
    {.text = "x=i64<5>[3]; global_norm(x)", .error = "input 1 is i64; wanted f32"},
    {0},
};

static const ct__attr guard_attrs[] = {POS_FLOAT(clip, 0, 0, 1e300, "the largest norm; 0: any"), {0}};

static ct_status guard_infer(ct__infer *f) {
    for (int32_t i = 0; i < f->n_in; i++)
        if (f->in[i].dtype && (ct__infer_dtype(f, i, CT_F32) || ct__infer_rank(f, i, 0, 0))) return CT_EUSAGE;
    f->n_out = 2;
    f->out[0] = f->out[1] = (ct__type){CT_F32, 0, ct_shape_make(0, NULL)};
    return CT_OK;
}

typedef struct limits {
    double clip;
    int32_t inputs; /* the outputs' arguments follow */
    int32_t reserved;
} limits;

static ct_status guard_run(const void *data, void *const *arg, const ct__exec *x) {
    const limits *d = data;
    const float *given = d->inputs > 1 ? arg[1] : NULL;
    float *factor = arg[d->inputs], *checked = arg[d->inputs + 1];
    double clip = d->clip, loss = (double)*(const float *)arg[0], norm = given ? (double)*given : 0;
    if (!isfinite(loss))
        return ct_fail(x->e, CT_ENONFINITE,
                       "loss: is %g at step %llu; wanted a finite number; nothing was updated; a lower "
                       "learning rate may help",
                       loss, (unsigned long long)x->step + 1);
    if (!isfinite(norm))
        return ct_fail(x->e, CT_ENONFINITE,
                       "gradient: its norm is %g at step %llu; wanted a finite number; nothing was updated",
                       norm, (unsigned long long)x->step + 1);
    if (factor) *factor = clip > 0 && norm + 1e-6 > clip ? (float)(clip / (norm + 1e-6)) : 1.0f;
    if (checked) *checked = given ? (float)norm : NAN;
    return CT_OK;
}

static ct_status guard_lower(ct__lower *l) {
    limits *d = CT__DATA(l, limits);
    if (!d) return CT_ELIMIT;
    *d = (limits){l->attr[0].f, l->n_in, 0};
    l->run = guard_run;
    l->data = d;
    l->impl = "check";
    return CT_OK;
}

static void guard_ref(ct__ref *r) {
    int given = r->n_in > 1 && r->in[1].present;
    double norm = given ? r->in[1].v[0] : 0, clip = r->attr[0].f;
    r->out[0].v[0] = clip > 0 && norm + 1e-6 > clip ? clip / (norm + 1e-6) : 1;
    r->out[1].v[0] = given ? norm : NAN;
}

static const ct__case guard_cases[] = {
    {.text = "l=f32[]; n=f32[]; guard(l, n, 0.05)", .flags = CT__CASE_POSITIVE},
    {.text = "l=f32[]; n=f32[]; guard(l, n, 100)", .flags = CT__CASE_POSITIVE},
    {.text = "l=f32[]; n=f32[]; guard(l, n)", .flags = CT__CASE_POSITIVE},
    {.text = "l=f32[]; guard(l, 1)"},
    {.text = "x=f32[N,3]; y=f32[7]; guard(mean(x), global_norm(x, y), 0.5)"},
    {.text = "x=f32[N,3]; y=f32[7]; guard(mean(x), global_norm(x, y), 1000)"},
    {.text = "l=f32[3]; guard(l, 1)", .error = "input 1 is [3]; wanted 0 axes"},
    {.text = "l=f32[]; guard(l, -1)", .error = "clip is -1; wanted"},
    {.text = "l=f32[]; guard(log(mul_scalar(abs(l), 0)), 1)", .error = "is -inf at step 1"},
    {.text = "l=f32[]; guard(l, reciprocal(mul_scalar(abs(l), 0)), 1)", .error = "is inf at step 1"},
    {0},
};

const ct__op ct__op_global_norm = {
    .name = "global_norm",
    .summary = "the root of the sum of all squares",
    .inputs_min = 1,
    .inputs_max = CT__MAX_IN,
    .infer = norm_infer,
    .grad = norm_grad,
    .expand = norm_expand,
    .ref = norm_ref,
    .cases = norm_cases,
};
const ct__op ct__op_guard = {
    .name = "guard",
    .summary = "refuses steps that are not finite",
    .attrs = guard_attrs,
    .inputs_min = 1,
    .inputs_max = 2,
    .flags = CT__OP_RANDOM,
    .infer = guard_infer,
    .nondiff = "it scales an optimiser step",
    .lower = guard_lower,
    .ref = guard_ref,
    .cases = guard_cases,
};

/* The root of the sum of the squares of all elements of n tensors. */
ct_t ct_global_norm(const ct_t *x, int32_t n) {
    ct_t part[CT__MAX_IN];
    int32_t parts = 0;
    if (n <= CT__MAX_IN) return ct__make(&ct__op_global_norm, x, n, NULL);
    int32_t each = (n + CT__MAX_IN - 1) / CT__MAX_IN; /* the norm of norms */
    for (int32_t i = 0; i < n; i += each) part[parts++] = ct_global_norm(x + i, n - i < each ? n - i : each);
    return ct__make(&ct__op_global_norm, part, parts, NULL);
}
/* min(1, clip / (norm + 1e-6)), or 1 when clip is 0; the run ends with CT_ENONFINITE when loss or norm is not
 * finite. `norm` may be none. *checked (may be NULL) gets the norm, NaN when there is none. */
ct_t ct_guard(ct_t loss, ct_t norm, double clip, ct_t *checked) {
    ct_t in[2] = {loss, norm}, y = ct__op_with(&ct__op_guard, in, 2, (ct__value[]){{.f = clip}}, NULL);
    if (checked) *checked = ct__output(y, 1);
    return y;
}
