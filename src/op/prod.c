/* The product over axes (PyTorch's prod).
 *
 *     prod(x, axes): made by halves, y = product of (left half * right half)
 *
 * Halving needs no division, so the gradient and every further derivative are right at zeros too. Axes with N, whose
 * extent is not known here, go through the kernels of prod_rows.c instead. */
#include "op/reduce.h"

static const ct__attr attrs[] = {OPT_INT(ct_reduce, keep, 0, 0, 1, "1: reduced axes stay, with extent 1"),
                                 POS_LIST(axes, "axes, negative from the end; none: all"),
                                 {0}};

extern const ct__op ct__op_row_prod;

static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    uint8_t reduced[CT_MAX_RANK];
    ct_shape s = ct_shape_of(in[0]);
    (void)train;
    ct__reduce_axes(node->attr, s.rank, reduced);
    for (int32_t i = 0; i < s.rank; i++)
        if (reduced[i] && s.dim[i] == 0) {
            out[0] = ct_expand(ct_number(g, 1), node->out[0].shape);
            return 1;
        }
    ct_t x = ct__reduce_rows(in[0], node->attr), rest = ct__none();
    if (!ct_ok(x)) return 0;
    int32_t axis = ct_shape_of(x).rank - 1;
    int64_t n = ct_shape_of(x).dim[axis];
    if (n < 0) {
        out[0] = ct_reshape(ct__op1(&ct__op_row_prod, x), node->out[0].shape);
        return 1;
    }
    for (; n > 1; n /= 2) {
        if (n % 2) {
            ct_t last = ct_slice(x, axis, n - 1, n, 1);
            rest = rest.node ? ct_mul(rest, last) : last;
        }
        x = ct_mul(ct_slice(x, axis, 0, n / 2, 1), ct_slice(x, axis, n / 2, n / 2 * 2, 1));
    }
    out[0] = ct_reshape(rest.node ? ct_mul(x, rest) : x, node->out[0].shape);
    return 1;
}

static void ref(ct__ref *r) {
    uint8_t reduced[CT_MAX_RANK];
    int64_t index[CT_MAX_RANK] = {0};
    const ct_shape *s = &r->in[0].shape;
    ct__reduce_axes(r->attr, s->rank, reduced);
    for (uint64_t k = 0; k < ct__ref_count(&r->out[0]); k++) r->out[0].v[k] = 1;
    for (uint64_t k = 0; k < ct__ref_count(&r->in[0]); k++) {
        int64_t at = 0;
        for (int32_t i = 0; i < s->rank; i++)
            if (!reduced[i]) at = at * s->dim[i] + index[i];
        r->out[0].v[at] *= r->in[0].v[k];
        for (int32_t i = s->rank - 1; i >= 0 && ++index[i] == s->dim[i]; i--) index[i] = 0;
    }
}

static const ct__case cases[] = {
    {.text = "x=f32[N,5]; prod(x, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,1]; prod(x, 1)"},
    {.text = "x=f32[N,2]; prod(x, -1, keep=1)"},
    {.text = "x=f32[N,7,3]; prod(x, 1)"},
    {.text = "x=f32[N,2,3]; prod(x, 1, 2)"},
    {.text = "x=f32[3,4]; prod(x)"},
    {.text = "x=f32[2,15]; prod(x, 1)"},
    {.text = "x=f32[16,3]; prod(x, 0)"},
    {.text = "x=f32[]; prod(x)"},
    {.text = "x=f32[3,0]; prod(x, 1)"},
    {.text = "x=f32[N,0]; prod(x)"},
    {.text = "x=f32[N,3,0]; prod(x, 0, -1)"},
    {.text = "x=f32[N,5]; prod(mul(x, cast(gt(x, abs(x)), \"f32\")), 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[N,5]; prod(x, 0)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3]; prod(x)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[3,N,2]; prod(x, 1, 2, keep=1)"},
    {.text = "x=f32[N,5]; prod(mul(x, cast(gt(x, abs(x)), \"f32\")), 0)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[3,5]; prod(x, 2)", .error = "an axis is out of range"},
    {.text = "x=i64<5>[3]; prod(x)", .error = "input 1 is i64; wanted f32"},
    {0},
};
const ct__op ct__op_prod = {
    .name = "prod",
    .summary = "product over axes",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .infer = ct__reduce_infer,
    .expand = expand,
    .ref = ref,
    .cases = cases,
};

/* The product over `axes` (rank 0: all). */
ct_t ct_prod(ct_t x, ct_shape axes, ct_reduce options) {
    return ct__reduce_with(&ct__op_prod, x, axes, &options);
}
