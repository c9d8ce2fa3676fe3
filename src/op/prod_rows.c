/* Products of whole rows, for axes that hold N (prod.c).
 *
 *     row_prod(x [..., R]):        y = x_1 x_2 ... x_R                     dx = dy * others(x)
 *     row_others(x):               z_i = product of x_j, j != i            dx = row_others_grad(x, dz)
 *     row_others_grad(x, u):       w_k = sum over i != k of u_i * product of x_j, j not in {i, k}
 *
 * Without a division, so zeros are right. z is what stands before i times what stands after. w is the same with the
 * numbers x + e u, e^2 = 0, in place of x: the product of all but k, of which w_k is the part with e. */
#include "op/reduce.h"

static ct_status row_infer(ct__infer *f) {
    f->out[0].shape = f->in[0].shape;
    f->out[0].shape.dim[--f->out[0].shape.rank] = 0;
    return CT_OK;
}
static ct_status same_infer(ct__infer *f) {
    f->out[0] = f->in[0];
    return CT_OK;
}

extern const ct__op ct__op_row_prod, ct__op_row_others, ct__op_row_others_grad;

static void prod_grad(ct__grad *g) {
    g->din[0] = ct_mul(ct_unsqueeze(g->dout[0], -1), ct__op1(&ct__op_row_others, g->in[0]));
}
static void others_grad(ct__grad *g) { g->din[0] = ct__op2(&ct__op_row_others_grad, g->in[0], g->dout[0]); }

/* A row that the batch makes is whole on the whole batch only. */
static int batch(ct__batch *b) {
    if (b->in_place[0] == CT__SHARD && ct__batch_axis(&b->in[0].shape) == b->in[0].shape.rank - 1) return 0;
    return ct__batch_rows(b);
}

/* ---- kernels ---- */

typedef struct dual { /* value + e * part, e^2 = 0 */
    double value, part;
} dual;
static dual times(dual a, double x, double u) { return (dual){a.value * x, a.value * u + a.part * x}; }

/* All but k, for each k. u may be NULL: zeros; z: room for n. */
static void others(const float *x, const float *u, int64_t n, dual *z) {
    dual all = {1, 0};
    for (int64_t i = n - 1; i >= 0; i--) {
        z[i] = all;
        all = times(all, (double)x[i], u ? (double)u[i] : 0);
    }
    all = (dual){1, 0};
    for (int64_t i = 0; i < n; i++) {
        z[i] = times(all, z[i].value, z[i].part);
        all = times(all, (double)x[i], u ? (double)u[i] : 0);
    }
}

typedef struct rows {
    int64_t rows, columns;
} rows;

static ct_status run_prod(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    (void)x;
    for (int64_t r = 0; r < d->rows; r++) {
        double all = 1;
        for (int64_t i = 0; i < d->columns; i++) all *= (double)((const float *)arg[0])[r * d->columns + i];
        ((float *)arg[1])[r] = (float)all;
    }
    return CT_OK;
}
static ct_status run_others(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    dual *z = x->scratch;
    for (int64_t r = 0; r < d->rows; r++) {
        others((const float *)arg[0] + r * d->columns, NULL, d->columns, z);
        for (int64_t i = 0; i < d->columns; i++) ((float *)arg[1])[r * d->columns + i] = (float)z[i].value;
    }
    return CT_OK;
}
static ct_status run_others_grad(const void *data, void *const *arg, const ct__exec *x) {
    const rows *d = data;
    dual *z = x->scratch;
    for (int64_t r = 0; r < d->rows; r++) {
        others((const float *)arg[0] + r * d->columns, (const float *)arg[1] + r * d->columns, d->columns, z);
        for (int64_t i = 0; i < d->columns; i++) ((float *)arg[2])[r * d->columns + i] = (float)z[i].part;
    }
    return CT_OK;
}

static ct_status lower_with(ct__lower *l, ct__kernel run) {
    rows *d = CT__DATA(l, rows);
    const ct_shape *s = &l->in[0].shape;
    if (!d) return CT_ELIMIT;
    int64_t columns = s->dim[s->rank - 1];
    *d = (rows){columns ? ct__count(s) / columns : 0, columns};
    l->scratch = (uint64_t)columns * sizeof(dual);
    l->run = run;
    l->data = d;
    l->impl = "rows";
    return CT_OK;
}
static ct_status prod_lower(ct__lower *l) { return lower_with(l, run_prod); }
static ct_status others_lower(ct__lower *l) { return lower_with(l, run_others); }
static ct_status others_grad_lower(ct__lower *l) { return lower_with(l, run_others_grad); }

static int64_t length_of(const ct__ref *r) { return r->in[0].shape.dim[r->in[0].shape.rank - 1]; }
static void prod_ref(ct__ref *r) {
    int64_t n = length_of(r);
    for (uint64_t k = 0; k < ct__ref_count(&r->out[0]); k++) {
        r->out[0].v[k] = 1;
        for (int64_t i = 0; i < n; i++) r->out[0].v[k] *= r->in[0].v[(int64_t)k * n + i];
    }
}
/* Plainly, product by product. */
static double product_without(const double *x, int64_t n, int64_t i, int64_t k) {
    double p = 1;
    for (int64_t j = 0; j < n; j++)
        if (j != i && j != k) p *= x[j];
    return p;
}
static void others_ref(ct__ref *r) {
    int64_t n = length_of(r);
    for (int64_t k = 0; k < (int64_t)ct__ref_count(&r->in[0]); k++)
        r->out[0].v[k] = product_without(r->in[0].v + k / n * n, n, k % n, k % n);
}
static void others_grad_ref(ct__ref *r) {
    int64_t n = length_of(r);
    for (int64_t k = 0; k < (int64_t)ct__ref_count(&r->in[0]); k++)
        for (int64_t i = 0; i < n; i++)
            if (i != k % n)
                r->out[0].v[k] +=
                    r->in[1].v[k / n * n + i] * product_without(r->in[0].v + k / n * n, n, i, k % n);
}

const ct__op ct__op_row_prod = {
    .name = "row_prod",
    .summary = "product of the last axis",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = row_infer,
    .grad = prod_grad,
    .batch = batch,
    .lower = prod_lower,
    .ref = prod_ref,
};
const ct__op ct__op_row_others = {
    .name = "row_others",
    .summary = "products of all others of the last axis",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = same_infer,
    .grad = others_grad,
    .batch = batch,
    .lower = others_lower,
    .ref = others_ref,
};
const ct__op ct__op_row_others_grad = {
    .name = "row_others_grad",
    .summary = "gradient of row_others",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = same_infer,
    .nondiff = "a product over the batch has two derivatives only",
    .batch = batch,
    .lower = others_grad_lower,
    .ref = others_grad_ref,
};
