/* What stands between gradients and updates.
 *
 *     squared_norm(g1, g2, ...) -> the sum of all squares
 *     guard(loss, squared) -> the factor of the gradients: min(1, clip / (norm + 1e-6)), 1 without clip;
 *         and norm = sqrt(squared)
 *
 * The sum is taken in fixed pieces of 4,096 numbers, in double: squared_parts adds them in 64 parts of consecutive
 * pieces, which threads may share, and squared_norm adds the parts, so it is the same on any number of threads.
 * guard ends the run with CT_ENONFINITE when the loss or the norm is no finite number: it runs before any
 * update, so weights and moments stay as they are (PyTorch's clip_grad_norm_ goes on by default). Operands of
 * squared_norm are read in whatever storage order they have; padding lanes are zeros. */
#include "kern/update.h"
#include "op/common.h"
#include "op/relayout.h"

#define PIECE 4096
#define PARTS 64

/* [PARTS] doubles; the graph has no such type, so they travel as the bits of i64. */
static ct_status parts_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_I64, 0, CT_SHAPE(PARTS)};
    return CT_OK;
}
static ct_status norm_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_F32, 0, ct_shape_make(0, NULL)};
    return CT_OK;
}

static void parts_layout(ct__layouts *q) {
    for (int32_t i = 0; i < q->l->n_in; i++) q->in[i] = q->in_now[i];
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

static ct_status norm_run(const void *data, void *const *arg, const ct__exec *x) {
    int64_t n = *(const int64_t *)data;
    double sum = 0;
    (void)x;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < PARTS; k++) sum += ((const double *)arg[i])[k];
    *(float *)arg[n] = (float)sum;
    if (sum > 3e38 && isfinite(sum)) *(float *)arg[n] = 3e38f; /* its root is still far beyond any clip */
    return CT_OK;
}

static ct_status norm_lower(ct__lower *l) {
    int64_t *n = CT__DATA(l, int64_t);
    if (!n) return CT_ELIMIT;
    *n = l->n_in;
    l->run = norm_run;
    l->data = n;
    l->impl = "parts";
    return CT_OK;
}

static void parts_ref(ct__ref *r) { /* all in the first part */
    for (int32_t i = 0; i < r->n_in; i++)
        for (uint64_t k = 0; k < ct__ref_count(&r->in[i]); k++)
            r->out[0].v[0] += r->in[i].v[k] * r->in[i].v[k];
}
static void norm_ref(ct__ref *r) {
    for (int32_t i = 0; i < r->n_in; i++)
        for (int k = 0; k < PARTS; k++) r->out[0].v[0] += r->in[i].v[k];
}

static const ct__attr guard_attrs[] = {POS_FLOAT(clip, 0, 0, 1e300, "the largest norm; 0: any"), {0}};

static ct_status guard_infer(ct__infer *f) {
    f->n_out = 2;
    f->out[0] = f->out[1] = (ct__type){CT_F32, 0, ct_shape_make(0, NULL)};
    return CT_OK;
}

static ct_status guard_run(const void *data, void *const *arg, const ct__exec *x) {
    double clip = *(const double *)data, loss = (double)*(const float *)arg[0],
           norm = arg[1] ? sqrt((double)*(const float *)arg[1]) : 0;
    if (!isfinite(loss))
        return ct_fail(x->e, CT_ENONFINITE,
                       "loss: is %g at step %llu; wanted a finite number; nothing was updated; a lower "
                       "learning rate may help",
                       loss, (unsigned long long)x->step + 1);
    if (!isfinite(norm))
        return ct_fail(x->e, CT_ENONFINITE,
                       "gradient: its norm is %g at step %llu; wanted a finite number; nothing was updated",
                       norm, (unsigned long long)x->step + 1);
    if (arg[2]) *(float *)arg[2] = clip > 0 && norm + 1e-6 > clip ? (float)(clip / (norm + 1e-6)) : 1.0f;
    if (arg[3]) *(float *)arg[3] = arg[1] ? (float)norm : NAN;
    return CT_OK;
}

static ct_status guard_lower(ct__lower *l) {
    double *clip = CT__DATA(l, double);
    if (!clip) return CT_ELIMIT;
    *clip = l->attr[0].f;
    l->run = guard_run;
    l->data = clip;
    l->impl = "check";
    return CT_OK;
}

static void guard_ref(ct__ref *r) {
    double norm = r->n_in > 1 && r->in[1].present ? sqrt(r->in[1].v[0]) : 0, clip = r->attr[0].f;
    r->out[0].v[0] = clip > 0 && norm + 1e-6 > clip ? clip / (norm + 1e-6) : 1;
    r->out[1].v[0] = norm;
}

const ct__op ct__op_squared_parts = {
    .name = "squared_parts",
    .summary = "sums of squares, in parts",
    .inputs_min = 1,
    .inputs_max = CT__MAX_IN,
    .flags = CT__OP_INTERNAL,
    .infer = parts_infer,
    .nondiff = "it scales an optimiser step",
    .layout = parts_layout,
    .pieces = parts_pieces,
    .lower = parts_lower,
    .ref = parts_ref,
};
const ct__op ct__op_squared_norm = {
    .name = "squared_norm",
    .summary = "the sum of all squares",
    .inputs_min = 1,
    .inputs_max = CT__MAX_IN,
    .flags = CT__OP_INTERNAL,
    .infer = norm_infer,
    .nondiff = "it scales an optimiser step",
    .lower = norm_lower,
    .ref = norm_ref,
};
const ct__op ct__op_guard = {
    .name = "guard",
    .summary = "refuses steps that are not finite",
    .attrs = guard_attrs,
    .inputs_min = 1,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL | CT__OP_RANDOM,
    .infer = guard_infer,
    .nondiff = "it scales an optimiser step",
    .lower = guard_lower,
    .ref = guard_ref,
};

/* The sum of the squares of all elements of n tensors (at most 4,096), a scalar. */
ct_t ct_squared_norm(const ct_t *x, int32_t n) {
    ct_t part[CT__MAX_IN];
    int32_t parts = 0;
    for (int32_t i = 0; i < n && parts < CT__MAX_IN; i += CT__MAX_IN)
        part[parts++] = ct__make(&ct__op_squared_parts, x + i, n - i < CT__MAX_IN ? n - i : CT__MAX_IN, NULL);
    if (parts * CT__MAX_IN < n && ct_ok(x[0]))
        ct__graph_fail(x[0].node->graph, "squared_norm: %d tensors; wanted at most %d", n,
                       CT__MAX_IN * CT__MAX_IN);
    return ct__make(&ct__op_squared_norm, part, parts, NULL);
}
/* min(1, clip / (norm + 1e-6)), or 1 when clip is 0, with norm = sqrt(squared); the run ends with CT_ENONFINITE
 * when loss or norm is not finite. `squared` may be none. *norm (may be NULL) gets the norm. */
ct_t ct_guard(ct_t loss, ct_t squared, double clip, ct_t *norm) {
    ct_t in[2] = {loss, squared}, y = ct__op_with(&ct__op_guard, in, 2, (ct__value[]){{.f = clip}}, NULL);
    if (norm) *norm = ct__output(y, 1);
    return y;
}
