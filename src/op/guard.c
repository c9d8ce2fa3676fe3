/* What stands between gradients and updates.
 *
 *     squared_norm(g1, g2, ...) -> the sum of all squares, in fixed pieces of 4,096 numbers added in double
 *     guard(loss, squared) -> the factor of the gradients: min(1, clip / (norm + 1e-6)), 1 without clip;
 *         and norm = sqrt(squared)
 *
 * guard ends the run with CT_ENONFINITE when the loss or the norm is no finite number: it runs before any
 * update, so weights and moments stay as they are (PyTorch's clip_grad_norm_ goes on by default). Operands of
 * squared_norm are read in whatever storage order they have; padding lanes are zeros. */
#include "op/common.h"
#include "op/relayout.h"

#define PIECE 4096

typedef struct sizes {
    int64_t count[CT__MAX_IN];
    int32_t n;
    int32_t reserved;
} sizes;

static ct_status norm_infer(ct__infer *f) {
    f->out[0] = (ct__type){CT_F32, 0, ct_shape_make(0, NULL)};
    return CT_OK;
}

static void norm_layout(ct__layouts *q) {
    for (int32_t i = 0; i < q->l->n_in; i++) q->in[i] = q->in_now[i];
}

static double piece_sum(const float *x, int64_t n) {
    double lane[8] = {0}, sum = 0;
    for (int64_t i = 0; i < n; i++) lane[i % 8] += (double)x[i] * (double)x[i];
    for (int i = 0; i < 8; i++) sum += lane[i];
    return sum;
}

static ct_status norm_run(const void *data, void *const *arg, const ct__exec *x) {
    const sizes *s = data;
    double sum = 0;
    (void)x;
    for (int32_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < s->count[i]; k += PIECE)
            sum += piece_sum((const float *)arg[i] + k, s->count[i] - k < PIECE ? s->count[i] - k : PIECE);
    *(float *)arg[s->n] = (float)sum;
    if (sum > 3e38 && isfinite(sum)) *(float *)arg[s->n] = 3e38f; /* its root is still far beyond any clip */
    return CT_OK;
}

static ct_status norm_lower(ct__lower *l) {
    sizes *s = CT__DATA(l, sizes);
    if (!s) return CT_ELIMIT;
    s->n = l->n_in;
    for (int32_t i = 0; i < l->n_in; i++)
        s->count[i] = (int64_t)(ct__layout_bytes(&l->in_layout[i], &l->in[i]) / sizeof(float));
    l->run = norm_run;
    l->data = s;
    l->impl = "pieces";
    return CT_OK;
}

static void norm_ref(ct__ref *r) {
    for (int32_t i = 0; i < r->n_in; i++)
        for (uint64_t k = 0; k < ct__ref_count(&r->in[i]); k++)
            r->out[0].v[0] += r->in[i].v[k] * r->in[i].v[k];
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

const ct__op ct__op_squared_norm = {
    .name = "squared_norm",
    .summary = "the sum of all squares",
    .inputs_min = 1,
    .inputs_max = CT__MAX_IN,
    .flags = CT__OP_INTERNAL,
    .infer = norm_infer,
    .nondiff = "it scales an optimiser step",
    .layout = norm_layout,
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

/* The sum of the squares of all elements of n tensors (at most 64), a scalar. */
ct_t ct_squared_norm(const ct_t *x, int32_t n) { return ct__make(&ct__op_squared_norm, x, n, NULL); }
/* min(1, clip / (norm + 1e-6)), or 1 when clip is 0, with norm = sqrt(squared); the run ends with CT_ENONFINITE
 * when loss or norm is not finite. `squared` may be none. *norm (may be NULL) gets the norm. */
ct_t ct_guard(ct_t loss, ct_t squared, double clip, ct_t *norm) {
    ct_t in[2] = {loss, squared}, y = ct__op_with(&ct__op_guard, in, 2, (ct__value[]){{.f = clip}}, NULL);
    if (norm) *norm = ct__output(y, 1);
    return y;
}
