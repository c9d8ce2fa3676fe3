/* Arithmetic with a number, elementwise, and clipping.
 *
 *     add_scalar x + v, mul_scalar x v, pow_scalar x^v, clip: x cut to [low, high]
 *     dx: dy; dy v; dy v x^(v-1); dy where low <= x <= high */
#include "op/common.h"

static const ct__attr number_attrs[] = {POS_FLOAT(value, CT__NODEF, -1e300, 1e300, "v"), {0}};
static const ct__attr clip_attrs[] = {POS_FLOAT(low, CT__NODEF, -1e300, 1e300, "the least value"),
                                      POS_FLOAT(high, CT__NODEF, -1e300, 1e300, "the largest value"),
                                      {0}};

static ct__tile_any tile_add(const struct ct__simd *s, const ct__value *a, float p[4]) {
    p[0] = (float)a[0].f;
    return s->tile->add_scalar_;
}
static ct__tile_any tile_mul(const struct ct__simd *s, const ct__value *a, float p[4]) {
    p[0] = (float)a[0].f;
    return s->tile->mul_scalar_;
}
static ct__tile_any tile_pow(const struct ct__simd *s, const ct__value *a, float p[4]) {
    p[0] = (float)a[0].f;
    return s->tile->pow_scalar_;
}
static ct__tile_any tile_clip(const struct ct__simd *s, const ct__value *a, float p[4]) {
    p[0] = (float)a[0].f;
    p[1] = (float)a[1].f;
    return s->tile->clip_;
}
static ct__tile_any tile_clip_grad(const struct ct__simd *s, const ct__value *a, float p[4]) {
    p[0] = (float)a[0].f;
    p[1] = (float)a[1].f;
    return s->tile->clip_grad_;
}

static double add(double x, double y, double z, const ct__value *a) {
    (void)y;
    (void)z;
    return x + a[0].f;
}
static double mul(double x, double y, double z, const ct__value *a) {
    (void)y;
    (void)z;
    return x * a[0].f;
}
static double power(double x, double y, double z, const ct__value *a) {
    (void)y;
    (void)z;
    return pow(x, a[0].f);
}
static double clip(double x, double y, double z, const ct__value *a) {
    (void)y;
    (void)z;
    return x < a[0].f ? a[0].f : x > a[1].f ? a[1].f : x;
}
static double clip_slope(double dy, double x, double z, const ct__value *a) {
    (void)z;
    return x >= a[0].f && x <= a[1].f ? dy : 0;
}
static void ref_add(ct__ref *r) { ct__ref_elementwise(r, add); }
static void ref_mul(ct__ref *r) { ct__ref_elementwise(r, mul); }
static void ref_pow(ct__ref *r) { ct__ref_elementwise(r, power); }
static void ref_clip(ct__ref *r) { ct__ref_elementwise(r, clip); }
static void ref_clip_grad(ct__ref *r) { ct__ref_elementwise(r, clip_slope); }

extern const ct__op ct__op_clip_grad;
static void grad_add(ct__grad *g) { g->din[0] = g->dout[0]; }
static void grad_mul(ct__grad *g) { g->din[0] = ct_mul_scalar(g->dout[0], g->attr[0].f); }
static void grad_pow(ct__grad *g) {
    double v = g->attr[0].f;
    if (v == 1) g->din[0] = g->dout[0];
    if (v == 0 || v == 1) return;
    g->din[0] = ct_mul_scalar(ct_mul(g->dout[0], ct_pow_scalar(g->in[0], v - 1)), v);
}
static void grad_clip(ct__grad *g) {
    ct_t in[2] = {g->dout[0], g->in[0]};
    g->din[0] = ct__make(&ct__op_clip_grad, in, 2, g->attr);
}
static void grad_clip_grad(ct__grad *g) {
    ct_t in[2] = {g->dout[0], g->in[1]};
    if (g->need[0]) g->din[0] = ct__make(&ct__op_clip_grad, in, 2, g->attr);
}

static ct_status infer_clip(ct__infer *f) {
    if (f->attr[0].f > f->attr[1].f)
        return ct__infer_fail(f, "low is %.9g, high %.9g; wanted low <= high", f->attr[0].f, f->attr[1].f);
    return ct__elementwise_infer(f);
}

static const ct__case add_cases[] = {{.text = "x=f32[N,5]; add_scalar(x, 1.5)", .flags = CT__CASE_SECOND},
                                     {.text = "x=f32[17]; add_scalar(x, -2)"},
                                     {.text = "x=f32[3,4]; add_scalar(x)", .error = "value is not given"},
                                     {0}};
static const ct__case mul_cases[] = {{.text = "x=f32[N,5]; mul_scalar(x, 1.5)", .flags = CT__CASE_SECOND},
                                     {.text = "x=f32[17]; mul_scalar(x, 0)"},
                                     {.text = "x=f32[0]; mul_scalar(x, 2)"},
                                     {0}};
static const ct__case pow_cases[] = {
    {.text = "x=f32[N,5]; pow_scalar(x, 2)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[17]; pow_scalar(x, 0.5)", .flags = CT__CASE_POSITIVE | CT__CASE_SECOND},
    {.text = "x=f32[3,3]; pow_scalar(x, -1.5)", .flags = CT__CASE_POSITIVE | CT__CASE_SECOND},
    {.text = "x=f32[9]; pow_scalar(x, 0)"},
    {.text = "x=f32[9]; pow_scalar(x, 1)"},
    {0}};
static const ct__case clip_cases[] = {{.text = "x=f32[N,5]; clip(x, -0.5, 0.5)", .flags = CT__CASE_SECOND},
                                      {.text = "x=f32[2,17]; clip(x, 0, 1)"},
                                      {.text = "x=f32[3]; clip(x, 1, 0)", .error = "wanted low <= high"},
                                      {0}};

#define SCALAR(f) \
    .inputs_min = 1, .inputs_max = 1, .batch = ct__batch_rows, .flags = CT__OP_FOLLOW | CT__OP_INPLACE | (f)
const ct__op ct__op_add_scalar = {.name = "add_scalar",
                                  .summary = "x + v",
                                  .attrs = number_attrs,
                                  SCALAR(0),
                                  .infer = ct__elementwise_infer,
                                  .grad = grad_add,
                                  .tile = tile_add,
                                  .ref = ref_add,
                                  .cases = add_cases};
const ct__op ct__op_mul_scalar = {.name = "mul_scalar",
                                  .summary = "x times v",
                                  .attrs = number_attrs,
                                  SCALAR(CT__OP_ZERO | CT__OP_LINEAR),
                                  .infer = ct__elementwise_infer,
                                  .grad = grad_mul,
                                  .tile = tile_mul,
                                  .ref = ref_mul,
                                  .cases = mul_cases};
const ct__op ct__op_pow_scalar = {.name = "pow_scalar",
                                  .summary = "x to the power of v",
                                  .attrs = number_attrs,
                                  SCALAR(0),
                                  .infer = ct__elementwise_infer,
                                  .grad = grad_pow,
                                  .tile = tile_pow,
                                  .ref = ref_pow,
                                  .cases = pow_cases};
const ct__op ct__op_clip = {.name = "clip",
                            .summary = "x cut to [low, high]",
                            .attrs = clip_attrs,
                            SCALAR(0),
                            .infer = infer_clip,
                            .grad = grad_clip,
                            .tile = tile_clip,
                            .ref = ref_clip,
                            .cases = clip_cases};
const ct__op ct__op_clip_grad = {.name = "clip_grad",
                                 .summary = "dy where clip let x through",
                                 .attrs = clip_attrs,
                                 .inputs_min = 2,
                                 .inputs_max = 2,
                                 .batch = ct__batch_rows,
                                 .flags = CT__OP_FOLLOW | CT__OP_ZERO | CT__OP_INTERNAL,
                                 .infer = ct__elementwise_infer,
                                 .grad = grad_clip_grad,
                                 .tile = tile_clip_grad,
                                 .ref = ref_clip_grad};

static ct_t with_number(const ct__op *op, ct_t x, double v) {
    return ct__op_with(op, &x, 1, (ct__value[]){{.f = v}}, NULL);
}
/* x + value */
ct_t ct_add_scalar(ct_t x, double value) { return with_number(&ct__op_add_scalar, x, value); }
/* x * value */
ct_t ct_mul_scalar(ct_t x, double value) { return with_number(&ct__op_mul_scalar, x, value); }
/* x to the power of value. */
ct_t ct_pow_scalar(ct_t x, double value) { return with_number(&ct__op_pow_scalar, x, value); }
/* x cut to [low, high]; NaN stays. */
ct_t ct_clip(ct_t x, double low, double high) {
    return ct__op_with(&ct__op_clip, &x, 1, (ct__value[]){{.f = low}, {.f = high}}, NULL);
}
