/* Optimiser steps on the rows of a table that a batch used (sparse.c): rows [M] and values [M,D].
 *
 * For each slot u with row r = rows[u] >= 0, g = values[u] * factor, t = completed steps of the session + 1:
 *
 *     sparse_sgd_update:      p[r] -= lr g
 *     sparse_adam_update:     PyTorch's SparseAdam: m[r] += (1 - beta1) (g - m[r]), v[r] += (1 - beta2) (g^2 - v[r]),
 *                             p[r] -= lr sqrt(1 - beta2^t) / (1 - beta1^t) m[r] / (sqrt(v[r]) + eps)
 *     sparse_adagrad_update:  s[r] += g^2, p[r] -= lr g / (sqrt(s[r]) + eps)
 *
 * Rows that no id pointed at keep parameter and moments as they are: with Adam that is another rule than the dense
 * one, whose moments decay everywhere. A factor that is not finite leaves everything as it is; x / 0 counts as 0.
 * Inputs are parameter, moments, rows, values, learning rate, factor; outputs parameter, moments. */
#include "kern/update.h"
#include "op/sparse.h"

static const ct__attr adam_attrs[] = {
    POS_FLOAT(beta1, 0.9, 0, 0.9999999, "decay of the mean"),
    POS_FLOAT(beta2, 0.999, 0, 0.9999999, "decay of the square"),
    POS_FLOAT(eps, 1e-8, 0, 1e9, "added to the divisor"),
    {0},
};
static const ct__attr adagrad_attrs[] = {POS_FLOAT(eps, 1e-10, 0, 1e9, "added to the divisor"), {0}};

static ct_status step_infer(ct__infer *f) {
    int32_t moments = f->n_in - 5;
    char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
    const ct_shape *values = &f->in[moments + 2].shape;
    for (int32_t i = 0; i <= moments; i++)
        if (ct__infer_dtype(f, i, CT_F32) || ct__infer_same_shape(f, 0, i)) return CT_EUSAGE;
    if (ct__infer_rank(f, 0, 2, 2) || ct__infer_dtype(f, moments + 1, CT_I64) ||
        ct__infer_rank(f, moments + 1, 1, 1) || ct__infer_rank(f, moments + 2, 2, 2))
        return CT_EUSAGE;
    if (values->dim[1] != f->in[0].shape.dim[1] || values->dim[0] != f->in[moments + 1].shape.dim[0])
        return ct__infer_fail(
            f, "the table is %s, values %s; wanted a value for each of rows, as wide as the table",
            ct_shape_format(&f->in[0].shape, a), ct_shape_format(values, b));
    for (int32_t i = moments + 3; i < f->n_in; i++)
        if (ct__infer_dtype(f, i, CT_F32) || ct__infer_rank(f, i, 0, 0)) return CT_EUSAGE;
    f->n_out = 1 + moments;
    for (int32_t i = 0; i < f->n_out; i++) f->out[i] = f->in[0];
    return CT_OK;
}

/* Table and moments as they lie: the table is plain, as lookups read it by rows. */
static void step_layout(ct__layouts *q) {
    for (int32_t i = 0; i < q->l->n_in - 4; i++) q->in[i] = q->in_now[i];
}

typedef struct step_data {
    ct__rule rule;
    ct__update_rows fn;
    int64_t slots, width;
    int32_t moments, reserved;
} step_data;

static ct_status step_run(const void *data, void *const *arg, const ct__exec *x) {
    const step_data *d = data;
    float *var[4] = {0};
    int64_t begin, end;
    const float scalars[2] = {*(const float *)arg[d->moments + 3], *(const float *)arg[d->moments + 4]};
    ct__sparse_share(d->slots, x, &begin, &end);
    for (int32_t i = 0; i <= d->moments; i++) var[i] = arg[i];
    ct__rows_used rows = {(const int64_t *)arg[d->moments + 1] + begin,
                          (const float *)arg[d->moments + 2] + begin * d->width, end - begin, d->width};
    d->fn(&d->rule, var, &rows, scalars, x->step);
    return CT_OK;
}

static ct_status step_lower(ct__lower *l, ct__update_rows fn, ct__rule rule) {
    step_data *d = CT__DATA(l, step_data);
    if (!d) return CT_ELIMIT;
    d->rule = rule;
    d->fn = fn;
    d->moments = l->n_in - 5;
    d->slots = l->in[d->moments + 1].shape.dim[0];
    d->width = l->in[0].shape.dim[1];
    for (int32_t i = 0; i <= d->moments; i++)
        if (l->in_layout[i].kind != CT__PLAIN)
            return ct_fail(
                l->e, CT_EUSAGE,
                "%s: the table's storage is not by rows, as another plan read it first in another order; "
                "compile the training plan first",
                l->op->name);
    l->run = step_run;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}
static int32_t step_pieces(const ct__lower *l) { return ct__sparse_pieces(&l->in[l->n_in - 3].shape); }

static ct__rule adam_rule(const ct__value *a) {
    return (ct__rule){.beta1 = a[0].f, .beta2 = a[1].f, .eps = a[2].f};
}
static ct_status adam_lower(ct__lower *l) {
    return step_lower(l, l->simd->update->rows_adam, adam_rule(l->attr));
}
static ct_status sgd_lower(ct__lower *l) { return step_lower(l, l->simd->update->rows_sgd, (ct__rule){0}); }
static ct_status adagrad_lower(ct__lower *l) {
    return step_lower(l, l->simd->update->rows_adagrad, (ct__rule){.eps = l->attr[0].f});
}

/* v[0] the parameter, v[1..] moments. */
static void one_sgd(const ct__value *a, double *v, double g, double lr, double t) {
    (void)a, (void)t;
    v[0] -= lr * g;
}
static void one_adam(const ct__value *a, double *v, double g, double lr, double t) {
    double b1 = a[0].f, b2 = a[1].f;
    v[1] += (1 - b1) * (g - v[1]);
    v[2] += (1 - b2) * (g * g - v[2]);
    double divisor = sqrt(v[2]) + a[2].f;
    if (divisor != 0) v[0] -= lr * sqrt(1 - pow(b2, t)) / (1 - pow(b1, t)) * v[1] / divisor;
}
static void one_adagrad(const ct__value *a, double *v, double g, double lr, double t) {
    (void)t;
    v[1] += g * g;
    if (sqrt(v[1]) + a[0].f != 0) v[0] -= lr * g / (sqrt(v[1]) + a[0].f);
}
static void step_refs(ct__ref *r, void (*one)(const ct__value *a, double *v, double g, double lr, double t)) {
    int32_t moments = r->n_out - 1;
    int64_t width = r->in[0].shape.dim[1], slots = r->in[moments + 1].shape.dim[0];
    double lr = r->in[moments + 3].v[0], scale = r->in[moments + 4].v[0];
    for (int32_t k = 0; k <= moments; k++)
        memcpy(r->out[k].v, r->in[k].v, ct__ref_count(&r->in[k]) * sizeof(double));
    for (int64_t u = 0; u < slots && isfinite(scale); u++) {
        int64_t row = (int64_t)r->in[moments + 1].v[u];
        for (int64_t i = 0; row >= 0 && i < width; i++) {
            double v[3] = {0};
            for (int32_t k = 0; k <= moments; k++) v[k] = r->out[k].v[row * width + i];
            one(r->attr, v, r->in[moments + 2].v[u * width + i] * scale, lr, (double)r->step + 1);
            for (int32_t k = 0; k <= moments; k++) r->out[k].v[row * width + i] = v[k];
        }
    }
}
static void adam_ref(ct__ref *r) { step_refs(r, one_adam); }
static void sgd_ref(ct__ref *r) { step_refs(r, one_sgd); }
static void adagrad_ref(ct__ref *r) { step_refs(r, one_adagrad); }

const ct__op ct__op_sparse_sgd_update = {
    .name = "sparse_sgd_update",
    .summary = "gradient descent, of the rows used",
    .inputs_min = 5,
    .inputs_max = 5,
    .flags = CT__OP_ASSIGN,
    .infer = step_infer,
    .nondiff = "an optimiser step",
    .layout = step_layout,
    .pieces = step_pieces,
    .lower = sgd_lower,
    .tested = "tests/test_sparse.c",
    .ref = sgd_ref,
};
const ct__op ct__op_sparse_adam_update = {
    .name = "sparse_adam_update",
    .summary = "Adam of the rows used (PyTorch's SparseAdam)",
    .attrs = adam_attrs,
    .inputs_min = 7,
    .inputs_max = 7,
    .flags = CT__OP_ASSIGN,
    .infer = step_infer,
    .nondiff = "an optimiser step",
    .layout = step_layout,
    .pieces = step_pieces,
    .lower = adam_lower,
    .tested = "tests/test_sparse.c",
    .ref = adam_ref,
};
const ct__op ct__op_sparse_adagrad_update = {
    .name = "sparse_adagrad_update",
    .summary = "Adagrad, of the rows used",
    .attrs = adagrad_attrs,
    .inputs_min = 6,
    .inputs_max = 6,
    .flags = CT__OP_ASSIGN,
    .infer = step_infer,
    .nondiff = "an optimiser step",
    .layout = step_layout,
    .pieces = step_pieces,
    .lower = adagrad_lower,
    .tested = "tests/test_sparse.c",
    .ref = adagrad_ref,
};

static ct_t step(const ct__op *op, const ct_t *in, int32_t n, int32_t moments, const ct__value *positional) {
    for (int32_t i = 0; i <= moments; i++)
        if (ct_ok(in[i]) && !in[i].node->var) {
            ct__graph_fail(in[i].node->graph, "%s: input %d is the result of %s; wanted a variable", op->name,
                           i + 1, in[i].node->op->name);
            return ct__poison(in[i].node->graph);
        }
    return ct__op_with(op, in, n, positional, NULL);
}

/* A step of SGD on the rows used, an effect for a plan. rows, values: of ct_sparse_rows. */
ct_t ct_sparse_sgd_update(ct_t table, ct_t rows, ct_t values, ct_t lr, ct_t scale) {
    ct_t in[5] = {table, rows, values, lr, scale};
    return step(&ct__op_sparse_sgd_update, in, 5, 0, NULL);
}
/* A step of SparseAdam, an effect for a plan. m, v: moment variables of the table's shape, zeros at first. */
ct_t ct_sparse_adam_update(ct_t table, ct_t rows, ct_t values, ct_t m, ct_t v, ct_t lr, ct_t scale,
                           double beta1, double beta2, double eps) {
    ct_t in[7] = {table, m, v, rows, values, lr, scale};
    return step(&ct__op_sparse_adam_update, in, 7, 2, (ct__value[]){{.f = beta1}, {.f = beta2}, {.f = eps}});
}
/* A step of Adagrad on the rows used, an effect for a plan. sum: a moment variable of the table's shape. */
ct_t ct_sparse_adagrad_update(ct_t table, ct_t rows, ct_t values, ct_t sum, ct_t lr, ct_t scale, double eps) {
    ct_t in[6] = {table, sum, rows, values, lr, scale};
    return step(&ct__op_sparse_adagrad_update, in, 6, 1, (ct__value[]){{.f = eps}});
}
