/* Activation functions, elementwise, with PyTorch's definitions and its values at the kinks.
 *
 *     sigmoid 1/(1+e^-x); tanh; relu max(x,0); leaky_relu x or slope x; elu x or alpha (e^x - 1);
 *     selu (Klambauer et al. 2017); gelu x Phi(x) (erf form), gelu_tanh (its approximation);
 *     silu x sigmoid(x); softplus log(1+e^x); hardsigmoid clip(x+3, 0, 6)/6; hardswish x hardsigmoid(x)
 *
 *     dx: sigmoid dy y (1-y); tanh dy (1-y^2); relu dy where y > 0; leaky_relu dy or slope dy;
 *     the others by an internal op *_grad(dy, x) = dy f'(x), itself differentiated through plain ops.
 *
 * Which to choose: relu and its kin keep gradients alive in deep nets, a unit that is negative for every
 * sample is dead (leaky_relu, elu never are); sigmoid and tanh saturate: their gradient vanishes where |x| is
 * large, so they belong to gates and outputs. */
#include "op/common.h"

#define TILE(name) \
    static ct__tile_any tile_##name(const struct ct__simd *s, const ct__value *a, float p[4]) { \
        (void)a; \
        (void)p; \
        return s->tile->name##_; \
    }
#define TILE1(name, member) \
    static ct__tile_any tile_##name(const struct ct__simd *s, const ct__value *a, float p[4]) { \
        p[0] = (float)a[0].f; \
        return s->tile->member; \
    }
TILE(sigmoid)
TILE(tanh)
TILE(relu)
TILE(selu)
TILE(gelu)
TILE(gelu_tanh)
TILE(silu)
TILE(hardsigmoid)
TILE(hardswish)
TILE(sigmoid_grad)
TILE(tanh_grad)
TILE(relu_grad)
TILE(selu_grad)
TILE(gelu_grad)
TILE(gelu_tanh_grad)
TILE(silu_grad)
TILE(hardsigmoid_grad)
TILE(hardswish_grad)
TILE1(leaky, leaky_)
TILE1(elu, elu_)
TILE1(leaky_grad, leaky_grad_)
TILE1(elu_grad, elu_grad_)
static ct__tile_any tile_softplus(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    p[0] = 1;
    p[1] = 20;
    return s->tile->softplus_;
}
static ct__tile_any tile_softplus_grad(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    p[0] = 1;
    p[1] = 20;
    return s->tile->softplus_grad_;
}

/* ---- references: f(x), and for the gradients dy f'(x) or dy f'(y) ---- */
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double phi(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
static double density(double x) { return exp(-x * x / 2) * 0.3989422804014327; }
static double gelu_inner(double x) { return 0.7978845608028654 * (x + 0.044715 * x * x * x); }
static double gelu_tanh_slope(double x) {
    double t = tanh(gelu_inner(x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
}
static double hard(double x) { return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6; }
#define ALPHA 1.6732632423543772
#define SCALE 1.0507009873554805

#define REF(name, value) \
    static double value_##name(double x, double y, double z, const ct__value *a) { \
        (void)y; \
        (void)z; \
        (void)a; \
        return value; \
    } \
    static void ref_##name(ct__ref *r) { ct__ref_elementwise(r, value_##name); }
REF(sigmoid, sigmoid(x))
REF(tanh, tanh(x))
REF(relu, x <= 0 ? 0 : x)
REF(leaky, x < 0 ? x * a[0].f : x)
REF(elu, x > 0 ? x : a[0].f * expm1(x))
REF(selu, SCALE *(x > 0 ? x : ALPHA * expm1(x)))
REF(gelu, x *phi(x))
REF(gelu_tanh, 0.5 * x * (1 + tanh(gelu_inner(x))))
REF(silu, x *sigmoid(x))
REF(softplus, x > 20 ? x : log1p(exp(x)))
REF(hardsigmoid, hard(x))
REF(hardswish, x *hard(x))
REF(sigmoid_grad, x *y *(1 - y))
REF(tanh_grad, x *(1 - y * y))
REF(relu_grad, y <= 0 ? 0 : x)
REF(leaky_grad, y > 0 ? x : x * a[0].f)
REF(elu_grad, y > 0 ? x : x * a[0].f * exp(y))
REF(selu_grad, x *SCALE *(y > 0 ? 1 : ALPHA * exp(y)))
REF(gelu_grad, x *(phi(y) + y * density(y)))
REF(gelu_tanh_grad, x *gelu_tanh_slope(y))
REF(silu_grad, x *sigmoid(y) * (1 + y * (1 - sigmoid(y))))
REF(softplus_grad, y > 20 ? x : x * sigmoid(y))
REF(hardsigmoid_grad, y > -3 && y < 3 ? x / 6 : 0)
REF(hardswish_grad, y <= -3 ? 0 : y < 3 ? x * (y / 3 + 0.5) : x)

/* ---- gradients ---- */
extern const ct__op ct__op_sigmoid_grad, ct__op_tanh_grad, ct__op_relu_grad, ct__op_leaky_relu_grad,
    ct__op_elu_grad, ct__op_selu_grad, ct__op_gelu_grad, ct__op_gelu_tanh_grad, ct__op_silu_grad,
    ct__op_softplus_grad, ct__op_hardsigmoid_grad, ct__op_hardswish_grad;

static ct_t slope_of(const ct__op *op, ct_t dy, ct_t at, const ct__value *attr) {
    ct_t in[2] = {dy, at};
    return ct__make(op, in, 2, attr);
}
#define GRAD(name, op, at) \
    static void grad_##name(ct__grad *g) { \
        g->din[0] = slope_of(&ct__op_##op, g->dout[0], g->at[0], g->attr); \
    }
GRAD(sigmoid, sigmoid_grad, out)
GRAD(tanh, tanh_grad, out)
GRAD(relu, relu_grad, out)
GRAD(leaky, leaky_relu_grad, in)
GRAD(elu, elu_grad, in)
GRAD(selu, selu_grad, in)
GRAD(gelu, gelu_grad, in)
GRAD(gelu_tanh, gelu_tanh_grad, in)
GRAD(silu, silu_grad, in)
GRAD(softplus, softplus_grad, in)
GRAD(hardsigmoid, hardsigmoid_grad, in)
GRAD(hardswish, hardswish_grad, in)

/* z = dy f'(x) is linear in dy: d dy is the same op on dz. By x: dz dy f''(x), which each rule writes. */
#define SECOND(name, op, by_x) \
    static void second_##name(ct__grad *g) { \
        if (g->need[0]) g->din[0] = slope_of(&ct__op_##op, g->dout[0], g->in[1], g->attr); \
        if (g->need[1]) { \
            ct_t d = ct_mul(g->dout[0], g->in[0]), x = g->in[1]; \
            g->din[1] = by_x; \
        } \
    }
static ct_t one_minus(ct_t x) { return ct_add_scalar(ct_neg(x), 1); }
static ct_t normal_density(ct_t x) {
    return ct_mul_scalar(ct_exp(ct_mul_scalar(ct_square(x), -0.5)), 0.3989422804014327);
}
static ct_t below_zero(ct_t x) { return ct_cast(ct_le(x, ct_number(ct_graph_of(x), 0)), CT_F32); }
/* silu'' = s (1-s) (2 + x (1 - 2s)) */
static ct_t silu_curve(ct_t x) {
    ct_t s = ct_sigmoid(x);
    return ct_mul(ct_mul(s, one_minus(s)),
                  ct_add_scalar(ct_mul(x, ct_add_scalar(ct_mul_scalar(s, -2), 1)), 2));
}
/* With u = gelu_inner(x), t = tanh u: (1-t^2) (u' + x u''/2 - x t u'^2) */
static ct_t gelu_tanh_curve(ct_t x) {
    ct_t square = ct_square(x),
         u1 = ct_mul_scalar(ct_add_scalar(ct_mul_scalar(square, 3 * 0.044715), 1), 0.7978845608028654),
         u2 = ct_mul_scalar(x, 6 * 0.044715 * 0.7978845608028654);
    ct_t t = ct_tanh(
        ct_mul_scalar(ct_mul(x, ct_add_scalar(ct_mul_scalar(square, 0.044715), 1)), 0.7978845608028654));
    ct_t inner = ct_sub(ct_add(u1, ct_mul_scalar(ct_mul(x, u2), 0.5)), ct_mul(ct_mul(x, t), ct_square(u1)));
    return ct_mul(one_minus(ct_square(t)), inner);
}
/* 1/3 between -3 and 3 */
static ct_t hardswish_curve(ct_t x) {
    ct_t inside = ct_cast(ct_lt(ct_abs(x), ct_number(ct_graph_of(x), 3)), CT_F32);
    return ct_mul_scalar(inside, 1.0 / 3);
}
SECOND(sigmoid, sigmoid_grad, ct_mul(d, ct_add_scalar(ct_mul_scalar(x, -2), 1)))
SECOND(tanh, tanh_grad, ct_mul(d, ct_mul_scalar(x, -2)))
static void second_relu(ct__grad *g) {
    if (g->need[0]) g->din[0] = slope_of(&ct__op_relu_grad, g->dout[0], g->in[1], g->attr);
}
static void second_leaky(ct__grad *g) {
    if (g->need[0]) g->din[0] = slope_of(&ct__op_leaky_relu_grad, g->dout[0], g->in[1], g->attr);
}
static void second_hardsigmoid(ct__grad *g) {
    if (g->need[0]) g->din[0] = slope_of(&ct__op_hardsigmoid_grad, g->dout[0], g->in[1], g->attr);
}
SECOND(elu, elu_grad,
       ct_mul(d, ct_mul(below_zero(x),
                        ct_mul_scalar(ct_exp(ct_minimum(x, ct_number(g->graph, 0))), g->attr[0].f))))
SECOND(selu, selu_grad,
       ct_mul(d, ct_mul(below_zero(x),
                        ct_mul_scalar(ct_exp(ct_minimum(x, ct_number(g->graph, 0))), SCALE *ALPHA))))
SECOND(gelu, gelu_grad, ct_mul(d, ct_mul(normal_density(x), ct_add_scalar(ct_neg(ct_square(x)), 2))))
SECOND(gelu_tanh, gelu_tanh_grad, ct_mul(d, gelu_tanh_curve(x)))
SECOND(silu, silu_grad, ct_mul(d, silu_curve(x)))
SECOND(softplus, softplus_grad, ct_mul(d, ct_mul(ct_sigmoid(x), one_minus(ct_sigmoid(x)))))
SECOND(hardswish, hardswish_grad, ct_mul(d, hardswish_curve(x)))

/* ---- cases ---- */
#define CASES(name, call, f) \
    static const ct__case cases_##name[] = { \
        {.text = "x=f32[N,5]; " call, .flags = f}, \
        {.text = "x=f32[3,17]; " call, .flags = f}, \
        {.text = "x=f32[]; " call, .flags = f}, \
        {.text = "x=f32[0,4]; " call, .flags = f}, \
        {.text = "x=f32[N,3,5,7]; " call, .flags = f}, \
        {.text = "x=f32[N,16,3,3]; " call, .flags = f}, \
        {.text = "x=i64[N,5]; " call, .error = "input 1 is i64; wanted f32"}, \
        {0}};
CASES(sigmoid, "sigmoid(x)", CT__CASE_SECOND)
CASES(tanh, "tanh(x)", CT__CASE_SECOND)
CASES(relu, "relu(x)", CT__CASE_SECOND)
CASES(leaky, "leaky_relu(x, 0.01)", CT__CASE_SECOND)
CASES(elu, "elu(x, 1.5)", CT__CASE_SECOND)
CASES(selu, "selu(x)", CT__CASE_SECOND)
CASES(gelu, "gelu(x)", CT__CASE_SECOND)
CASES(gelu_tanh, "gelu_tanh(x)", CT__CASE_SECOND)
CASES(silu, "silu(x)", CT__CASE_SECOND)
CASES(softplus, "softplus(x)", CT__CASE_SECOND)
CASES(hardsigmoid, "hardsigmoid(x)", CT__CASE_SECOND)
CASES(hardswish, "hardswish(x)", CT__CASE_SECOND)

static const ct__attr slope_attrs[] = {POS_FLOAT(slope, 0.01, -1e6, 1e6, "of the negative part"), {0}};
static const ct__attr alpha_attrs[] = {
    POS_FLOAT(alpha, 1, -1e6, 1e6, "the limit at minus infinity is -alpha"), {0}};

#define ACTIVATION(f) \
    .inputs_min = 1, .inputs_max = 1, .infer = ct__elementwise_infer, .batch = ct__batch_rows, \
    .flags = CT__OP_FOLLOW | CT__OP_INPLACE | CT__OP_ACTIVATION | (f)
const ct__op ct__op_sigmoid = {.name = "sigmoid",
                               .summary = "1 / (1 + e^-x)",
                               ACTIVATION(0),
                               .grad = grad_sigmoid,
                               .tile = tile_sigmoid,
                               .ref = ref_sigmoid,
                               .cases = cases_sigmoid};
const ct__op ct__op_tanh = {.name = "tanh",
                            .summary = "the hyperbolic tangent",
                            ACTIVATION(CT__OP_ZERO),
                            .grad = grad_tanh,
                            .tile = tile_tanh,
                            .ref = ref_tanh,
                            .cases = cases_tanh};
const ct__op ct__op_relu = {.name = "relu",
                            .summary = "max(x, 0)",
                            ACTIVATION(CT__OP_ZERO),
                            .grad = grad_relu,
                            .tile = tile_relu,
                            .ref = ref_relu,
                            .cases = cases_relu};
const ct__op ct__op_leaky_relu = {.name = "leaky_relu",
                                  .summary = "x, or slope x below 0",
                                  .attrs = slope_attrs,
                                  ACTIVATION(CT__OP_ZERO),
                                  .grad = grad_leaky,
                                  .tile = tile_leaky,
                                  .ref = ref_leaky,
                                  .cases = cases_leaky};
const ct__op ct__op_elu = {.name = "elu",
                           .summary = "x, or alpha (e^x - 1) below 0",
                           .attrs = alpha_attrs,
                           ACTIVATION(CT__OP_ZERO),
                           .grad = grad_elu,
                           .tile = tile_elu,
                           .ref = ref_elu,
                           .cases = cases_elu};
const ct__op ct__op_selu = {.name = "selu",
                            .summary = "the self-normalising elu",
                            ACTIVATION(CT__OP_ZERO),
                            .grad = grad_selu,
                            .tile = tile_selu,
                            .ref = ref_selu,
                            .cases = cases_selu};
const ct__op ct__op_gelu = {.name = "gelu",
                            .summary = "x Phi(x)",
                            ACTIVATION(CT__OP_ZERO),
                            .grad = grad_gelu,
                            .tile = tile_gelu,
                            .ref = ref_gelu,
                            .cases = cases_gelu};
const ct__op ct__op_gelu_tanh = {.name = "gelu_tanh",
                                 .summary = "gelu's approximation by tanh",
                                 ACTIVATION(CT__OP_ZERO),
                                 .grad = grad_gelu_tanh,
                                 .tile = tile_gelu_tanh,
                                 .ref = ref_gelu_tanh,
                                 .cases = cases_gelu_tanh};
const ct__op ct__op_silu = {.name = "silu",
                            .summary = "x sigmoid(x)",
                            ACTIVATION(CT__OP_ZERO),
                            .grad = grad_silu,
                            .tile = tile_silu,
                            .ref = ref_silu,
                            .cases = cases_silu};
const ct__op ct__op_softplus = {.name = "softplus",
                                .summary = "log(1 + e^x)",
                                ACTIVATION(0),
                                .grad = grad_softplus,
                                .tile = tile_softplus,
                                .ref = ref_softplus,
                                .cases = cases_softplus};
const ct__op ct__op_hardsigmoid = {.name = "hardsigmoid",
                                   .summary = "clip(x + 3, 0, 6) / 6",
                                   ACTIVATION(0),
                                   .grad = grad_hardsigmoid,
                                   .tile = tile_hardsigmoid,
                                   .ref = ref_hardsigmoid,
                                   .cases = cases_hardsigmoid};
const ct__op ct__op_hardswish = {.name = "hardswish",
                                 .summary = "x hardsigmoid(x)",
                                 ACTIVATION(CT__OP_ZERO),
                                 .grad = grad_hardswish,
                                 .tile = tile_hardswish,
                                 .ref = ref_hardswish,
                                 .cases = cases_hardswish};

#define SLOPE \
    .inputs_min = 2, .inputs_max = 2, .infer = ct__elementwise_infer, .batch = ct__batch_rows, \
    .flags = CT__OP_FOLLOW | CT__OP_INPLACE | CT__OP_ZERO | CT__OP_INTERNAL
const ct__op ct__op_sigmoid_grad = {.name = "sigmoid_grad",
                                    .summary = "dy y (1 - y)",
                                    SLOPE,
                                    .grad = second_sigmoid,
                                    .tile = tile_sigmoid_grad,
                                    .ref = ref_sigmoid_grad};
const ct__op ct__op_tanh_grad = {.name = "tanh_grad",
                                 .summary = "dy (1 - y^2)",
                                 SLOPE,
                                 .grad = second_tanh,
                                 .tile = tile_tanh_grad,
                                 .ref = ref_tanh_grad};
const ct__op ct__op_relu_grad = {.name = "relu_grad",
                                 .summary = "dy where y > 0",
                                 SLOPE,
                                 .grad = second_relu,
                                 .tile = tile_relu_grad,
                                 .ref = ref_relu_grad};
const ct__op ct__op_leaky_relu_grad = {.name = "leaky_relu_grad",
                                       .summary = "dy, or slope dy",
                                       .attrs = slope_attrs,
                                       SLOPE,
                                       .grad = second_leaky,
                                       .tile = tile_leaky_grad,
                                       .ref = ref_leaky_grad};
const ct__op ct__op_elu_grad = {.name = "elu_grad",
                                .summary = "dy elu'(x)",
                                .attrs = alpha_attrs,
                                SLOPE,
                                .grad = second_elu,
                                .tile = tile_elu_grad,
                                .ref = ref_elu_grad};
const ct__op ct__op_selu_grad = {.name = "selu_grad",
                                 .summary = "dy selu'(x)",
                                 SLOPE,
                                 .grad = second_selu,
                                 .tile = tile_selu_grad,
                                 .ref = ref_selu_grad};
const ct__op ct__op_gelu_grad = {.name = "gelu_grad",
                                 .summary = "dy gelu'(x)",
                                 SLOPE,
                                 .grad = second_gelu,
                                 .tile = tile_gelu_grad,
                                 .ref = ref_gelu_grad};
const ct__op ct__op_gelu_tanh_grad = {.name = "gelu_tanh_grad",
                                      .summary = "dy gelu_tanh'(x)",
                                      SLOPE,
                                      .grad = second_gelu_tanh,
                                      .tile = tile_gelu_tanh_grad,
                                      .ref = ref_gelu_tanh_grad};
const ct__op ct__op_silu_grad = {.name = "silu_grad",
                                 .summary = "dy silu'(x)",
                                 SLOPE,
                                 .grad = second_silu,
                                 .tile = tile_silu_grad,
                                 .ref = ref_silu_grad};
const ct__op ct__op_softplus_grad = {.name = "softplus_grad",
                                     .summary = "dy sigmoid(x)",
                                     SLOPE,
                                     .grad = second_softplus,
                                     .tile = tile_softplus_grad,
                                     .ref = ref_softplus_grad};
const ct__op ct__op_hardsigmoid_grad = {.name = "hardsigmoid_grad",
                                        .summary = "dy hardsigmoid'(x)",
                                        SLOPE,
                                        .grad = second_hardsigmoid,
                                        .tile = tile_hardsigmoid_grad,
                                        .ref = ref_hardsigmoid_grad};
const ct__op ct__op_hardswish_grad = {.name = "hardswish_grad",
                                      .summary = "dy hardswish'(x)",
                                      SLOPE,
                                      .grad = second_hardswish,
                                      .tile = tile_hardswish_grad,
                                      .ref = ref_hardswish_grad};

/* 1 / (1 + e^-x) */
ct_t ct_sigmoid(ct_t x) { return ct__op1(&ct__op_sigmoid, x); }
/* The hyperbolic tangent. */
ct_t ct_tanh(ct_t x) { return ct__op1(&ct__op_tanh, x); }
/* max(x, 0) */
ct_t ct_relu(ct_t x) { return ct__op1(&ct__op_relu, x); }
/* x, or slope * x where x < 0 (PyTorch's default slope is 0.01). */
ct_t ct_leaky_relu(ct_t x, double slope) {
    return ct__op_with(&ct__op_leaky_relu, &x, 1, (ct__value[]){{.f = slope}}, NULL);
}
/* x, or alpha * (e^x - 1) where x < 0 (PyTorch's default alpha is 1). */
ct_t ct_elu(ct_t x, double alpha) {
    return ct__op_with(&ct__op_elu, &x, 1, (ct__value[]){{.f = alpha}}, NULL);
}
/* The self-normalising elu. */
ct_t ct_selu(ct_t x) { return ct__op1(&ct__op_selu, x); }
/* x times the normal distribution function of x. */
ct_t ct_gelu(ct_t x) { return ct__op1(&ct__op_gelu, x); }
/* gelu's approximation by tanh. */
ct_t ct_gelu_tanh(ct_t x) { return ct__op1(&ct__op_gelu_tanh, x); }
/* x * sigmoid(x), also called swish. */
ct_t ct_silu(ct_t x) { return ct__op1(&ct__op_silu, x); }
/* log(1 + e^x); x itself above 20. */
ct_t ct_softplus(ct_t x) { return ct__op1(&ct__op_softplus, x); }
/* clip(x + 3, 0, 6) / 6 */
ct_t ct_hardsigmoid(ct_t x) { return ct__op1(&ct__op_hardsigmoid, x); }
/* x * hardsigmoid(x) */
ct_t ct_hardswish(ct_t x) { return ct__op1(&ct__op_hardswish, x); }
