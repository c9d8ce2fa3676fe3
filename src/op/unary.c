/* Functions of one tensor, elementwise.
 *
 *     neg -x, abs |x|, sign (0 at 0), floor, exp, log, sqrt, rsqrt 1/sqrt(x), square x^2, reciprocal 1/x,
 *     erf, sin, cos
 *
 *     dx: neg -dy; abs dy sign(x); sign, floor 0; exp dy y; log dy/x; sqrt dy/(2y); rsqrt -dy y^3/2;
 *     square 2 dy x; reciprocal -dy y^2; erf dy 2/sqrt(pi) exp(-x^2); sin dy cos(x); cos -dy sin(x)
 *
 * x and y have the same shape. NaN gives NaN. */
#include "op/common.h"

#define TILE(name) \
    static ct__tile_any tile_##name(const struct ct__simd *s, const ct__value *a, float p[4]) { \
        (void)a; \
        (void)p; \
        return s->tile->name##_; \
    }
TILE(neg)
TILE(abs)
TILE(sign)
TILE(floor)
TILE(exp)
TILE(log)
TILE(sqrt)
TILE(rsqrt)
TILE(square)
TILE(recip)
TILE(erf)
TILE(sin)
TILE(cos)

#define REF(name, value) \
    static double value_##name(double x, double y, double z, const ct__value *a) { \
        (void)y; \
        (void)z; \
        (void)a; \
        return value; \
    } \
    static void ref_##name(ct__ref *r) { ct__ref_elementwise(r, value_##name); }
REF(neg, -x)
REF(abs, fabs(x))
REF(sign, x > 0 ? 1 : x < 0 ? -1 : x)
REF(floor, floor(x))
REF(exp, exp(x))
REF(log, log(x))
REF(sqrt, sqrt(x))
REF(rsqrt, 1 / sqrt(x))
REF(square, x *x)
REF(recip, 1 / x)
REF(erf, erf(x))
REF(sin, sin(x))
REF(cos, cos(x))

static void grad_neg(ct__grad *g) { g->din[0] = ct_neg(g->dout[0]); }
static void grad_abs(ct__grad *g) { g->din[0] = ct_mul(g->dout[0], ct_sign(g->in[0])); }
static void grad_zero(ct__grad *g) { (void)g; }
static void grad_exp(ct__grad *g) { g->din[0] = ct_mul(g->dout[0], g->out[0]); }
static void grad_log(ct__grad *g) { g->din[0] = ct_div(g->dout[0], g->in[0]); }
static void grad_sqrt(ct__grad *g) { g->din[0] = ct_mul_scalar(ct_div(g->dout[0], g->out[0]), 0.5); }
static void grad_rsqrt(ct__grad *g) {
    ct_t y = g->out[0];
    g->din[0] = ct_mul_scalar(ct_mul(g->dout[0], ct_mul(y, ct_square(y))), -0.5);
}
static void grad_square(ct__grad *g) { g->din[0] = ct_mul_scalar(ct_mul(g->dout[0], g->in[0]), 2); }
static void grad_recip(ct__grad *g) { g->din[0] = ct_neg(ct_mul(g->dout[0], ct_square(g->out[0]))); }
static void grad_erf(ct__grad *g) {
    ct_t slope = ct_mul_scalar(ct_exp(ct_neg(ct_square(g->in[0]))), 1.1283791670955126);
    g->din[0] = ct_mul(g->dout[0], slope);
}
static void grad_sin(ct__grad *g) { g->din[0] = ct_mul(g->dout[0], ct_cos(g->in[0])); }
static void grad_cos(ct__grad *g) { g->din[0] = ct_neg(ct_mul(g->dout[0], ct_sin(g->in[0]))); }

#define CASES(name, f) \
    static const ct__case cases_##name[] = { \
        {.text = "x=f32[N,5]; " #name "(x)", .flags = f}, \
        {.text = "x=f32[3,17]; " #name "(x)", .flags = f}, \
        {.text = "x=f32[]; " #name "(x)", .flags = f}, \
        {.text = "x=f32[0,4]; " #name "(x)", .flags = f}, \
        {.text = "x=f32[N,3,5,7]; " #name "(x)", .flags = f}, \
        {.text = "x=i64[N,5]; " #name "(x)", .error = "input 1 is i64; wanted f32"}, \
        {0}};
CASES(neg, CT__CASE_SECOND)
CASES(abs, CT__CASE_SECOND)
CASES(sign, CT__CASE_SECOND)
CASES(floor, CT__CASE_SECOND)
CASES(exp, CT__CASE_SECOND)
CASES(log, CT__CASE_SECOND | CT__CASE_POSITIVE)
CASES(sqrt, CT__CASE_SECOND | CT__CASE_POSITIVE)
CASES(rsqrt, CT__CASE_SECOND | CT__CASE_POSITIVE)
CASES(square, CT__CASE_SECOND)
CASES(reciprocal, CT__CASE_SECOND | CT__CASE_POSITIVE)
CASES(erf, CT__CASE_SECOND)
CASES(sin, CT__CASE_SECOND)
CASES(cos, CT__CASE_SECOND)

#define UNARY(f) \
    .inputs_min = 1, .inputs_max = 1, .infer = ct__elementwise_infer, .batch = ct__batch_rows, \
    .flags = CT__OP_FOLLOW | CT__OP_INPLACE | (f)
const ct__op ct__op_neg = {.name = "neg",
                           .summary = "-x",
                           UNARY(CT__OP_ZERO | CT__OP_LINEAR),
                           .grad = grad_neg,
                           .tile = tile_neg,
                           .ref = ref_neg,
                           .cases = cases_neg};
const ct__op ct__op_abs = {.name = "abs",
                           .summary = "|x|",
                           UNARY(CT__OP_ZERO),
                           .grad = grad_abs,
                           .tile = tile_abs,
                           .ref = ref_abs,
                           .cases = cases_abs};
const ct__op ct__op_sign = {.name = "sign",
                            .summary = "-1, 0 or 1",
                            UNARY(CT__OP_ZERO),
                            .grad = grad_zero,
                            .tile = tile_sign,
                            .ref = ref_sign,
                            .cases = cases_sign};
const ct__op ct__op_floor = {.name = "floor",
                             .summary = "the largest integer not above x",
                             UNARY(CT__OP_ZERO),
                             .grad = grad_zero,
                             .tile = tile_floor,
                             .ref = ref_floor,
                             .cases = cases_floor};
const ct__op ct__op_exp = {.name = "exp",
                           .summary = "e to the power of x",
                           UNARY(0),
                           .grad = grad_exp,
                           .tile = tile_exp,
                           .ref = ref_exp,
                           .cases = cases_exp};
const ct__op ct__op_log = {.name = "log",
                           .summary = "the natural logarithm",
                           UNARY(0),
                           .grad = grad_log,
                           .tile = tile_log,
                           .ref = ref_log,
                           .cases = cases_log};
const ct__op ct__op_sqrt = {.name = "sqrt",
                            .summary = "the square root",
                            UNARY(CT__OP_ZERO),
                            .grad = grad_sqrt,
                            .tile = tile_sqrt,
                            .ref = ref_sqrt,
                            .cases = cases_sqrt};
const ct__op ct__op_rsqrt = {.name = "rsqrt",
                             .summary = "1 / sqrt(x)",
                             UNARY(0),
                             .grad = grad_rsqrt,
                             .tile = tile_rsqrt,
                             .ref = ref_rsqrt,
                             .cases = cases_rsqrt};
const ct__op ct__op_square = {.name = "square",
                              .summary = "x * x",
                              UNARY(CT__OP_ZERO),
                              .grad = grad_square,
                              .tile = tile_square,
                              .ref = ref_square,
                              .cases = cases_square};
const ct__op ct__op_reciprocal = {.name = "reciprocal",
                                  .summary = "1 / x",
                                  UNARY(0),
                                  .grad = grad_recip,
                                  .tile = tile_recip,
                                  .ref = ref_recip,
                                  .cases = cases_reciprocal};
const ct__op ct__op_erf = {.name = "erf",
                           .summary = "the error function",
                           UNARY(CT__OP_ZERO),
                           .grad = grad_erf,
                           .tile = tile_erf,
                           .ref = ref_erf,
                           .cases = cases_erf};
const ct__op ct__op_sin = {.name = "sin",
                           .summary = "the sine",
                           UNARY(CT__OP_ZERO),
                           .grad = grad_sin,
                           .tile = tile_sin,
                           .ref = ref_sin,
                           .cases = cases_sin};
const ct__op ct__op_cos = {.name = "cos",
                           .summary = "the cosine",
                           UNARY(0),
                           .grad = grad_cos,
                           .tile = tile_cos,
                           .ref = ref_cos,
                           .cases = cases_cos};

/* -x */
ct_t ct_neg(ct_t x) { return ct__op1(&ct__op_neg, x); }
/* |x| */
ct_t ct_abs(ct_t x) { return ct__op1(&ct__op_abs, x); }
/* -1, 0 or 1; its gradient is 0. */
ct_t ct_sign(ct_t x) { return ct__op1(&ct__op_sign, x); }
/* The largest integer not above x; its gradient is 0. */
ct_t ct_floor(ct_t x) { return ct__op1(&ct__op_floor, x); }
/* e^x */
ct_t ct_exp(ct_t x) { return ct__op1(&ct__op_exp, x); }
/* The natural logarithm. */
ct_t ct_log(ct_t x) { return ct__op1(&ct__op_log, x); }
/* The square root. */
ct_t ct_sqrt(ct_t x) { return ct__op1(&ct__op_sqrt, x); }
/* 1 / sqrt(x) */
ct_t ct_rsqrt(ct_t x) { return ct__op1(&ct__op_rsqrt, x); }
/* x * x */
ct_t ct_square(ct_t x) { return ct__op1(&ct__op_square, x); }
/* 1 / x */
ct_t ct_reciprocal(ct_t x) { return ct__op1(&ct__op_reciprocal, x); }
/* The error function. */
ct_t ct_erf(ct_t x) { return ct__op1(&ct__op_erf, x); }
/* The sine of x in radians. */
ct_t ct_sin(ct_t x) { return ct__op1(&ct__op_sin, x); }
/* The cosine of x in radians. */
ct_t ct_cos(ct_t x) { return ct__op1(&ct__op_cos, x); }
