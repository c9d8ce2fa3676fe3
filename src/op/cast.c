/* Other element types, and the end of a gradient.
 *
 *     cast(x, dtype): f32, i64, i32 or bool; floats to integers are truncated toward zero, NaN is 0
 *         and what does not fit the nearest number that does; to bool: not 0
 *     dx = dy (f32 to f32); other casts have no gradient through integers
 *     detach(x) = x, dx = 0 */
#include "op/integer.h"

static const ct__attr attrs[] = {
    POS_CHOICE(dtype, "none|f32|f64|bf16|i64|i32|u8|bool", "the new type: f32, i64, i32 or bool"), {0}};

static ct_status infer(ct__infer *f) {
    int32_t to = (int32_t)f->attr[0].i;
    if (to != CT_F32 && to != CT_I64 && to != CT_I32 && to != CT_BOOL)
        return ct__infer_fail(f, "dtype is %s; wanted f32, i64, i32 or bool", ct_dtype_name((ct_dtype)to));
    f->out[0] = (ct__type){to, 0, f->in[0].shape};
    return CT_OK;
}

static ct__tile_any tile(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->copy_;
}
static int whole(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    (void)g;
    (void)train;
    return ct__integers_cast(node, in, out);
}
static void ref(ct__ref *r) {
    for (uint64_t i = 0; i < ct__ref_count(&r->in[0]); i++) {
        double v = r->in[0].v[i];
        r->out[0].v[i] = r->out[0].dtype == CT_F32 ? v : r->out[0].dtype == CT_BOOL ? v != 0 : trunc(v);
    }
}
static void grad(ct__grad *g) {
    if (g->attr[0].i == CT_F32) g->din[0] = g->dout[0];
}

static ct_status infer_same(ct__infer *f) {
    f->out[0] = f->in[0];
    return CT_OK;
}
static void grad_none(ct__grad *g) { (void)g; }
static void ref_same(ct__ref *r) {
    memcpy(r->out[0].v, r->in[0].v, ct__ref_count(&r->in[0]) * sizeof(double));
}

static const ct__case cases[] = {{.text = "x=f32[N,5]; cast(x, \"i64\")", .flags = CT__CASE_NO_GRAD},
                                 {.text = "x=f32[17]; cast(x, \"i32\")", .flags = CT__CASE_NO_GRAD},
                                 {.text = "x=f32[3,3]; cast(x, \"f32\")", .flags = CT__CASE_SECOND},
                                 {.text = "x=f32[9]; cast(x, \"bool\")", .flags = CT__CASE_NO_GRAD},
                                 {.text = "x=i64<9>[N,5]; cast(x, \"f32\")"},
                                 {.text = "x=i32<9>[N,5]; cast(x, \"i64\")"},
                                 {.text = "x=bool[N,5]; cast(x, \"f32\")"},
                                 {.text = "x=f32[3]; cast(x, \"u8\")", .error = "dtype is u8; wanted f32"},
                                 {.text = "x=f32[3]; cast(x, \"half\")", .error = "wanted one of"},
                                 {0}};
static const ct__case detach_cases[] = {
    {.text = "x=f32[N,5]; detach(x)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[4]; y=f32[4]; mul(detach(x), y)", .flags = CT__CASE_NO_GRAD},
    {0}};

const ct__op ct__op_cast = {.name = "cast",
                            .summary = "another element type",
                            .attrs = attrs,
                            .inputs_min = 1,
                            .inputs_max = 1,
                            .flags = CT__OP_FOLLOW | CT__OP_ZERO,
                            .infer = infer,
                            .grad = grad,
                            .batch = ct__batch_rows,
                            .expand = whole,
                            .tile = tile,
                            .ref = ref,
                            .cases = cases};
const ct__op ct__op_detach = {.name = "detach",
                              .summary = "x without gradient",
                              .inputs_min = 1,
                              .inputs_max = 1,
                              .flags = CT__OP_VIEW,
                              .infer = infer_same,
                              .grad = grad_none,
                              .batch = ct__batch_rows,
                              .ref = ref_same,
                              .cases = detach_cases};

/* x as another type: f32, i64, i32 or bool. */
ct_t ct_cast(ct_t x, ct_dtype dtype) {
    return ct__op_with(&ct__op_cast, &x, 1, (ct__value[]){{.i = dtype}}, NULL);
}
/* x, but no gradient flows through. */
ct_t ct_detach(ct_t x) { return ct__op1(&ct__op_detach, x); }
