/* Comparison, logic and choice, elementwise with broadcasting.
 *
 *     eq ne lt le gt ge: bool; NaN is unequal to everything. Integers are compared as they are; beside an f32 they
 *         become f32 (as in PyTorch)
 *     logical_and, logical_or, logical_not: bool of non-zero
 *     where(c, x, y): x where c is true, else y     dx = dz where c, dy = dz where not c */
#include "op/integer.h"

#define TILE(name, member) \
    static ct__tile_any tile_##name(const struct ct__simd *s, const ct__value *a, float p[4]) { \
        (void)a; \
        (void)p; \
        return s->tile->member; \
    }
TILE(eq, eq_)
TILE(ne, ne_)
TILE(lt, lt_)
TILE(le, le_)
TILE(gt, gt_)
TILE(ge, ge_)
TILE(and, and_)
TILE(or, or_)
TILE(not, not_)
TILE(where, where_)

#define REF(name, value) \
    static double value_##name(double x, double y, double z, const ct__value *a) { \
        (void)y; \
        (void)z; \
        (void)a; \
        return value; \
    } \
    static void ref_##name(ct__ref *r) { ct__ref_elementwise(r, value_##name); }
REF(eq, x == y)
REF(ne, x != y)
REF(lt, x < y)
REF(le, x <= y)
REF(gt, x > y)
REF(ge, x >= y)
REF(and, x != 0 && y != 0)
REF(or, x != 0 || y != 0)
REF(not, x == 0)
REF(where, x != 0 ? y : z)

static ct_status infer_where(ct__infer *f) {
    char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
    if (ct__infer_dtype(f, 0, CT_BOOL) || ct__infer_dtype(f, 1, CT_F32) || ct__infer_dtype(f, 2, CT_F32))
        return CT_EUSAGE;
    ct_shape s = f->in[0].shape;
    for (int32_t i = 1; i < 3; i++)
        if (!ct__broadcast(&s, &f->in[i].shape, &s))
            return ct__infer_fail(
                f, "shapes %s and %s do not broadcast; wanted equal extents or 1; reshape one of them",
                ct_shape_format(&s, a), ct_shape_format(&f->in[i].shape, b));
    f->out[0] = (ct__type){CT_F32, 0, s};
    return CT_OK;
}

static void grad_where(ct__grad *g) {
    ct_t zero = ct_number(g->graph, 0);
    if (g->need[1]) g->din[1] = ct_where(g->in[0], g->dout[0], zero);
    if (g->need[2]) g->din[2] = ct_where(g->in[0], zero, g->dout[0]);
}

#define WHOLE(name, kind) \
    static int whole_##name(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) { \
        (void)g; \
        (void)train; \
        return ct__integers_compared(node, in, kind, out); \
    }
WHOLE(eq, 0)
WHOLE(ne, 1)
WHOLE(lt, 2)
WHOLE(le, 3)
WHOLE(gt, 4)
WHOLE(ge, 5)

#define CASES(name) \
    static const ct__case cases_##name[] = { \
        {.text = "x=f32[N,5]; y=f32[5]; " #name "(x, y)"}, \
        {.text = "x=i64<3>[N,17]; y=i64<3>[N,1]; " #name "(x, y)"}, \
        {.text = "x=i32<3>[9]; y=i32<3>[]; " #name "(x, y)"}, \
        {.text = "x=bool[0,2]; y=bool[2]; " #name "(x, y)"}, \
        {.text = "x=f32[3]; y=f32[4]; " #name "(x, y)", .error = "do not broadcast"}, \
        {0}};
CASES(eq)
CASES(ne)
CASES(lt)
CASES(le)
CASES(gt)
CASES(ge)
CASES(logical_and)
CASES(logical_or)
static const ct__case not_cases[] = {
    {.text = "x=bool[N,5]; logical_not(x)"}, {.text = "x=i64<2>[17]; logical_not(x)"}, {0}};
static const ct__case where_cases[] = {
    {.text = "c=bool[N,5]; x=f32[N,5]; y=f32[5]; where(c, x, y)", .flags = CT__CASE_SECOND},
    {.text = "c=bool[17]; x=f32[]; y=f32[3,17]; where(c, x, y)"},
    {.text = "c=bool[N,1,3]; x=f32[4,1]; y=f32[]; where(c, x, y)"},
    {.text = "c=f32[3]; x=f32[3]; y=f32[3]; where(c, x, y)", .error = "input 1 is f32; wanted bool"},
    {0}};

#define COMPARE \
    .inputs_min = 2, .inputs_max = 2, .flags = CT__OP_FOLLOW, .infer = ct__compare_infer, \
    .batch = ct__batch_rows, .nondiff = "its result is true or false"
const ct__op ct__op_eq = {.name = "eq",
                          .summary = "x == y",
                          COMPARE,
                          .expand = whole_eq,
                          .tile = tile_eq,
                          .ref = ref_eq,
                          .cases = cases_eq};
const ct__op ct__op_ne = {.name = "ne",
                          .summary = "x != y",
                          COMPARE,
                          .expand = whole_ne,
                          .tile = tile_ne,
                          .ref = ref_ne,
                          .cases = cases_ne};
const ct__op ct__op_lt = {.name = "lt",
                          .summary = "x < y",
                          COMPARE,
                          .expand = whole_lt,
                          .tile = tile_lt,
                          .ref = ref_lt,
                          .cases = cases_lt};
const ct__op ct__op_le = {.name = "le",
                          .summary = "x <= y",
                          COMPARE,
                          .expand = whole_le,
                          .tile = tile_le,
                          .ref = ref_le,
                          .cases = cases_le};
const ct__op ct__op_gt = {.name = "gt",
                          .summary = "x > y",
                          COMPARE,
                          .expand = whole_gt,
                          .tile = tile_gt,
                          .ref = ref_gt,
                          .cases = cases_gt};
const ct__op ct__op_ge = {.name = "ge",
                          .summary = "x >= y",
                          COMPARE,
                          .expand = whole_ge,
                          .tile = tile_ge,
                          .ref = ref_ge,
                          .cases = cases_ge};
const ct__op ct__op_logical_and = {.name = "logical_and",
                                   .summary = "both are not 0",
                                   COMPARE,
                                   .tile = tile_and,
                                   .ref = ref_and,
                                   .cases = cases_logical_and};
const ct__op ct__op_logical_or = {.name = "logical_or",
                                  .summary = "one is not 0",
                                  COMPARE,
                                  .tile = tile_or,
                                  .ref = ref_or,
                                  .cases = cases_logical_or};
const ct__op ct__op_logical_not = {.name = "logical_not",
                                   .summary = "x is 0",
                                   .inputs_min = 1,
                                   .inputs_max = 1,
                                   .infer = ct__compare_infer,
                                   .batch = ct__batch_rows,
                                   .nondiff = "its result is true or false",
                                   .tile = tile_not,
                                   .ref = ref_not,
                                   .cases = not_cases};
const ct__op ct__op_where = {.name = "where",
                             .summary = "x where c is true, else y",
                             .inputs_min = 3,
                             .inputs_max = 3,
                             .flags = CT__OP_FOLLOW,
                             .infer = infer_where,
                             .grad = grad_where,
                             .batch = ct__batch_rows,
                             .tile = tile_where,
                             .ref = ref_where,
                             .cases = where_cases};

/* x == y, bool, broadcasting; f32, i32, i64 or bool. */
ct_t ct_eq(ct_t x, ct_t y) { return ct__op2(&ct__op_eq, x, y); }
/* x != y */
ct_t ct_ne(ct_t x, ct_t y) { return ct__op2(&ct__op_ne, x, y); }
/* x < y */
ct_t ct_lt(ct_t x, ct_t y) { return ct__op2(&ct__op_lt, x, y); }
/* x <= y */
ct_t ct_le(ct_t x, ct_t y) { return ct__op2(&ct__op_le, x, y); }
/* x > y */
ct_t ct_gt(ct_t x, ct_t y) { return ct__op2(&ct__op_gt, x, y); }
/* x >= y */
ct_t ct_ge(ct_t x, ct_t y) { return ct__op2(&ct__op_ge, x, y); }
/* Both are not 0. */
ct_t ct_logical_and(ct_t x, ct_t y) { return ct__op2(&ct__op_logical_and, x, y); }
/* At least one is not 0. */
ct_t ct_logical_or(ct_t x, ct_t y) { return ct__op2(&ct__op_logical_or, x, y); }
/* x is 0. */
ct_t ct_logical_not(ct_t x) { return ct__op1(&ct__op_logical_not, x); }
/* x where condition (bool) is true, else y; broadcasting. */
ct_t ct_where(ct_t condition, ct_t x, ct_t y) {
    ct_t in[3] = {condition, x, y};
    return ct__make(&ct__op_where, in, 3, NULL);
}
