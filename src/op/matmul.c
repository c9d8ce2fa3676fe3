/* Matrix products (PyTorch's torch.matmul).
 *
 *     a [..., M, K], b [..., K, P] -> [..., M, P]; the leading axes broadcast. A vector a [K] is a row, a vector
 *     b [K] a column, and their axis is taken away from the result.
 *     da = dy b',  db = a' dy
 *
 * Gradients are products of transposes; matmul_t names which operand is read transposed, so nothing is ever
 * transposed in memory. Over the batch in M or in a leading axis rows are independent; over the batch in K the
 * shards' products are added. */
#include "kern/gemm.h"
#include "op/common.h"

static const ct__attr t_attrs[] = {POS_INT(trans_a, CT__NODEF, 0, 1, "1: a is read transposed"),
                                   POS_INT(trans_b, CT__NODEF, 0, 1, "1: b is read transposed"),
                                   {0}};

typedef struct extents {
    int64_t m, k, k_b, p;
} extents;
static extents extents_of(const ct_shape *a, const ct_shape *b, int64_t ta, int64_t tb) {
    int32_t i = a->rank - 2, j = b->rank - 2;
    return (extents){ta ? a->dim[i + 1] : a->dim[i], ta ? a->dim[i] : a->dim[i + 1],
                     tb ? b->dim[j + 1] : b->dim[j], tb ? b->dim[j] : b->dim[j + 1]};
}
static ct_shape lead_of(const ct_shape *s) {
    ct_shape lead = *s;
    lead.dim[lead.rank - 1] = lead.dim[lead.rank - 2] = 0;
    lead.rank -= 2;
    return lead;
}

static ct_status product_infer(ct__infer *f, const ct_shape *a, const ct_shape *b, int64_t ta, int64_t tb) {
    char x[CT_SHAPE_TEXT], y[CT_SHAPE_TEXT];
    extents e = extents_of(a, b, ta, tb);
    ct_shape out, la = lead_of(a), lb = lead_of(b);
    if (e.k != e.k_b || !ct__broadcast(&la, &lb, &out))
        return ct__infer_fail(
            f, "a is %s, b %s; wanted a [...,M,K], b [...,K,P] with leading axes that broadcast",
            ct_shape_format(&f->in[0].shape, x), ct_shape_format(&f->in[1].shape, y));
    out.dim[out.rank++] = e.m;
    out.dim[out.rank++] = e.p;
    f->out[0].shape = out;
    return CT_OK;
}
static ct_status t_infer(ct__infer *f) {
    return product_infer(f, &f->in[0].shape, &f->in[1].shape, f->attr[0].i, f->attr[1].i);
}

/* Vectors as matrices. */
static ct_shape as_matrix(const ct_shape *s, int second) {
    ct_shape m = *s;
    if (s->rank > 1) return m;
    m.rank = 2;
    m.dim[0] = second ? s->dim[0] : 1;
    m.dim[1] = second ? 1 : s->dim[0];
    return m;
}
static ct_status infer(ct__infer *f) {
    for (int32_t i = 0; i < 2; i++)
        if (ct__infer_dtype(f, i, CT_F32) || ct__infer_rank(f, i, 1, CT_MAX_RANK)) return CT_EUSAGE;
    ct_shape a = as_matrix(&f->in[0].shape, 0), b = as_matrix(&f->in[1].shape, 1), *out = &f->out[0].shape;
    if (product_infer(f, &a, &b, 0, 0)) return CT_EUSAGE;
    if (f->in[1].shape.rank == 1) out->dim[--out->rank] = 0;
    if (f->in[0].shape.rank == 1) {
        int32_t at = out->rank - (f->in[1].shape.rank == 1 ? 1 : 2);
        for (int32_t i = at; i + 1 < out->rank; i++) out->dim[i] = out->dim[i + 1];
        out->dim[--out->rank] = 0;
    }
    return CT_OK;
}

extern const ct__op ct__op_matmul_t;
static ct_t product(ct_t a, ct_t b, int64_t ta, int64_t tb) {
    ct__value attr[2] = {{.i = ta}, {.i = tb}};
    return ct__make(&ct__op_matmul_t, (ct_t[2]){a, b}, 2, attr);
}
static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_shape a = ct_shape_of(in[0]), b = ct_shape_of(in[1]), ma = as_matrix(&a, 0), mb = as_matrix(&b, 1);
    (void)g;
    (void)train;
    ct_t y = product(a.rank == 1 ? ct_reshape(in[0], ma) : in[0], b.rank == 1 ? ct_reshape(in[1], mb) : in[1],
                     0, 0);
    out[0] = a.rank == 1 || b.rank == 1 ? ct_reshape(y, node->out[0].shape) : y;
    return 1;
}

/* y = op(a) op(b): d op(a) = dy op(b)', d op(b) = op(a)' dy; of a transposed operand the transpose. */
static void grad(ct__grad *g) {
    ct_t a = g->in[0], b = g->in[1], dy = g->dout[0];
    int64_t ta = g->attr[0].i, tb = g->attr[1].i;
    if (g->need[0]) g->din[0] = ta ? product(b, dy, tb, 1) : product(dy, b, 0, !tb);
    if (g->need[1]) g->din[1] = tb ? product(dy, a, 1, ta) : product(a, dy, !ta, 0);
}

static int batch(ct__batch *b) {
    int sharded[2] = {b->in_place[0] == CT__SHARD, b->in_place[1] == CT__SHARD};
    if (ct__batch_axis(&b->out[0].shape) != -1) return ct__batch_rows(b);
    if (sharded[0] != sharded[1]) return 0;
    b->out_place[0] = sharded[0] ? CT__PARTIAL : CT__REPLICATE;
    return 1;
}

/* ---- kernel ---- */
typedef struct matmul {
    ct__gemm gemm;
    int64_t count, extent[CT_MAX_RANK], a_step[CT_MAX_RANK], b_step[CT_MAX_RANK];
    int32_t rank, reserved;
    void (*run)(const ct__gemm *g, const float *a, const float *b, const float *bias, const float *plus,
                float *c, void *scratch);
} matmul;

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const matmul *d = data;
    int64_t index[CT_MAX_RANK] = {0}, a = 0, b = 0;
    float *y = arg[2];
    for (int64_t i = 0; i < d->count; i++) {
        d->run(&d->gemm, (const float *)arg[0] + a, (const float *)arg[1] + b, NULL, NULL,
               y + i * d->gemm.m * d->gemm.n, x->scratch);
        for (int32_t k = d->rank - 1; k >= 0; k--) {
            a += d->a_step[k];
            b += d->b_step[k];
            if (++index[k] < d->extent[k]) break;
            a -= d->a_step[k] * d->extent[k];
            b -= d->b_step[k] * d->extent[k];
            index[k] = 0;
        }
    }
    return CT_OK;
}

/* Steps of the leading axes of an operand whose matrices have `size` elements. */
static void lead_steps(const ct_shape *s, const ct_shape *out, int64_t size, int64_t *step) {
    for (int32_t k = 1; k <= out->rank - 2; k++) {
        int32_t own = s->rank - 2 - k;
        int64_t extent = own >= 0 ? s->dim[own] : 1;
        step[out->rank - 2 - k] = extent == 1 ? 0 : size;
        size *= extent;
    }
}

static ct_status lower(ct__lower *l) {
    matmul *d = CT__DATA(l, matmul);
    const ct_shape *a = &l->in[0].shape, *b = &l->in[1].shape, *y = &l->out[0].shape;
    if (!d) return CT_ELIMIT;
    int64_t ta = l->attr[0].i, tb = l->attr[1].i, ac = a->dim[a->rank - 1], bc = b->dim[b->rank - 1];
    extents e = extents_of(a, b, ta, tb);
    d->gemm = (ct__gemm){.m = e.m,
                         .n = e.p,
                         .k = e.k,
                         .a_row = ta ? 1 : ac,
                         .a_col = ta ? ac : 1,
                         .b_row = tb ? 1 : bc,
                         .b_col = tb ? bc : 1,
                         .c_row = e.p};
    d->rank = y->rank - 2;
    d->count = 1;
    for (int32_t i = 0; i < d->rank; i++) d->count *= d->extent[i] = y->dim[i];
    lead_steps(a, y, e.m * e.k, d->a_step);
    lead_steps(b, y, e.k * e.p, d->b_step);
    d->run = l->simd->gemm->run;
    l->run = run;
    l->data = d;
    l->scratch = ct__gemm_scratch(&d->gemm);
    l->impl = "gemm";
    l->flops = 2.0 * (double)d->count * (double)e.m * (double)e.p * (double)e.k;
    return CT_OK;
}

/* ---- reference ---- */
static void ref_product(ct__ref *r, const ct_shape *a, const ct_shape *b, int64_t ta, int64_t tb) {
    extents e = extents_of(a, b, ta, tb);
    ct_shape la = lead_of(a), lb = lead_of(b), lead;
    int64_t sa[CT_MAX_RANK], sb[CT_MAX_RANK], size = e.m * e.p;
    ct__broadcast(&la, &lb, &lead);
    ct__ref_array xa = {.shape = la}, xb = {.shape = lb};
    ct__ref_strides(&xa, lead.rank, sa);
    ct__ref_strides(&xb, lead.rank, sb);
    for (int64_t i = 0; i < ct__count(&lead) * size; i++) {
        int64_t rest = i / size, ai = 0, bi = 0, row = i % size / e.p, column = i % e.p;
        for (int32_t k = lead.rank - 1; k >= 0; k--) {
            ai += rest % lead.dim[k] * sa[k];
            bi += rest % lead.dim[k] * sb[k];
            rest /= lead.dim[k];
        }
        const double *x = r->in[0].v + ai * e.m * e.k, *y = r->in[1].v + bi * e.k * e.p;
        for (int64_t k = 0; k < e.k; k++)
            r->out[0].v[i] +=
                (ta ? x[k * e.m + row] : x[row * e.k + k]) * (tb ? y[column * e.k + k] : y[k * e.p + column]);
    }
}
static void t_ref(ct__ref *r) {
    ref_product(r, &r->in[0].shape, &r->in[1].shape, r->attr[0].i, r->attr[1].i);
}
static void ref(ct__ref *r) {
    ct_shape a = as_matrix(&r->in[0].shape, 0), b = as_matrix(&r->in[1].shape, 1);
    ref_product(r, &a, &b, 0, 0);
}

static const ct__case cases[] = {
    {.text = "a=f32[N,7]; b=f32[7,5]; matmul(a, b)", .flags = CT__CASE_SECOND},
    {.text = "a=f32[3,7]; b=f32[7,16]; matmul(a, b)"},
    {.text = "a=f32[17,15]; b=f32[15,33]; matmul(a, b)"},
    {.text = "a=f32[N,3,4]; b=f32[N,4,5]; matmul(a, b)", .flags = CT__CASE_SECOND},
    {.text = "a=f32[N,2,3,4]; b=f32[N,2,4,5]; matmul(a, b)"},
    {.text = "a=f32[N,2,3,4]; b=f32[2,4,5]; matmul(a, b)"},
    {.text = "a=f32[N,2,3,4]; b=f32[4,5]; matmul(a, b)", .flags = CT__CASE_SECOND},
    {.text = "a=f32[2,1,3,4]; b=f32[5,4,2]; matmul(a, b)"},
    {.text = "a=f32[3,4]; b=f32[N,4,2]; matmul(a, b)"},
    {.text = "a=f32[4]; b=f32[4]; matmul(a, b)", .flags = CT__CASE_SECOND},
    {.text = "a=f32[4]; b=f32[N,4,3]; matmul(a, b)"},
    {.text = "a=f32[N,3,4]; b=f32[4]; matmul(a, b)"},
    {.text = "a=f32[1,1]; b=f32[1,1]; matmul(a, b)"},
    {.text = "a=f32[N,5]; b=f32[N,3]; matmul(transpose(a, 0, 1), b)"},
    {.text = "a=f32[0,4]; b=f32[4,3]; matmul(a, b)"},
    {.text = "a=f32[8,128]; b=f32[128,65]; matmul(a, b)"},
    {.text = "a=f32[N,3]; b=f32[4,5]; matmul(a, b)", .error = "wanted a [...,M,K]"},
    {.text = "a=f32[]; b=f32[4]; matmul(a, b)", .error = "input 1 is []; wanted 1 to"},
    {.text = "a=i64<5>[3,4]; b=f32[4,5]; matmul(a, b)", .error = "input 1 is i64; wanted f32"},
    {0},
};

const ct__op ct__op_matmul = {
    .name = "matmul",
    .summary = "matrix product, leading axes broadcast",
    .inputs_min = 2,
    .inputs_max = 2,
    .infer = infer,
    .expand = expand,
    .ref = ref,
    .cases = cases,
};
const ct__op ct__op_matmul_t = {
    .name = "matmul_t",
    .summary = "product of matrices, transposed or not",
    .attrs = t_attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = CT__OP_INTERNAL,
    .infer = t_infer,
    .grad = grad,
    .batch = batch,
    .lower = lower,
    .ref = t_ref,
};

/* a [...,M,K], b [...,K,P]; vectors as torch.matmul has them. */
ct_t ct_matmul(ct_t a, ct_t b) { return ct__op2(&ct__op_matmul, a, b); }
