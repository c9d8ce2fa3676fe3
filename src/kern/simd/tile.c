/* tile.c: the elementwise functions of tile.h. Each is one loop over whole vectors. */
#include "kern/tile.h"

#include "kern/simd/vmath.h"

typedef ct_f16v vec;
#define ARGS float *dst, const float *a, const float *b, const float *c, int64_t n, const float *p
#define NONE (void)a, (void)b, (void)c, (void)p
#define ONE ct_v_splat(1.0f)
#define ZERO ct_v_splat(0.0f)
#define LOOP for (int64_t i = 0; i < n; i += 16)

/* x is the first source, y the second, z the third; P(k) a parameter in every lane. */
#define P(k) ct_v_splat(p[k])
#define UNARY(name, value) \
    static void name(ARGS) { \
        NONE; \
        LOOP { \
            vec x = ct_v_load(a + i); \
            ct_v_store(dst + i, value); \
        } \
    }
#define BINARY(name, value) \
    static void name(ARGS) { \
        NONE; \
        LOOP { \
            vec x = ct_v_load(a + i), y = ct_v_load(b + i); \
            ct_v_store(dst + i, value); \
        } \
    }
#define TERNARY(name, value) \
    static void name(ARGS) { \
        NONE; \
        LOOP { \
            vec x = ct_v_load(a + i), y = ct_v_load(b + i), z = ct_v_load(c + i); \
            ct_v_store(dst + i, value); \
        } \
    }

/* ---- compound values ---- */
CT_V vec floor_of(vec x) {
    vec t = ct_v_of_int(ct_v_to_int(ct_v_select(ct_v_abs(x) < 2147483648.0f, x, ZERO)));
    t = t - ct_v_select(t > x, ONE, ZERO);
    return ct_v_select(ct_v_abs(x) < 8388608.0f, ct_v_copysign(t, ct_v_select(t == 0.0f, x, t)), x);
}
CT_V vec sign_of(vec x) {
    vec s = ct_v_select(x > 0.0f, ONE, ct_v_select(x < 0.0f, -ONE, ZERO));
    return ct_v_select(x != x, x, s);
}
CT_V vec relu_of(vec x) { return ct_v_select(x <= 0.0f, ZERO, x); } /* NaN stays */
CT_V vec softplus_of(vec x, vec beta, vec threshold) {
    vec t = x * beta;
    return ct_v_select(t > threshold, x, ct_v_log1p(ct_v_exp(t)) / beta);
}
CT_V vec elu_of(vec x, vec alpha) { return ct_v_select(x > 0.0f, x, alpha * ct_v_expm1(x)); }
#define SELU_ALPHA 1.6732632423543772f
#define SELU_SCALE 1.0507009873554805f
CT_V vec gelu_of(vec x) {
    vec density;
    return x * ct_v_normal(x, &density);
}
CT_V vec gelu_slope(vec x) { /* Phi(x) + x phi(x) */
    vec density, below = ct_v_normal(x, &density);
    return ct_v_fma(x, density, below);
}
#define GELU_A 0.79788456080f
#define GELU_B 0.044715f
CT_V vec gelu_inner(vec x) { return GELU_A * (x + GELU_B * x * x * x); }
/* (1 + tanh u) / 2 is the sigmoid of 2u, which keeps its digits where tanh is near -1. */
CT_V vec gelu_tanh_of(vec x) { return x / (1.0f + ct_v_exp(-2.0f * gelu_inner(x))); }
CT_V vec gelu_tanh_slope(vec x) {
    vec s = ct_v_sigmoid(2.0f * gelu_inner(x)), inner = GELU_A * (1.0f + 3.0f * GELU_B * x * x);
    return s + 2.0f * x * s * (1.0f - s) * inner;
}
CT_V vec hardsigmoid_of(vec x) { return ct_v_min(ct_v_max(x + 3.0f, ZERO), ct_v_splat(6.0f)) / 6.0f; }
CT_V vec clip_of(vec x, vec low, vec high) { return ct_v_min(ct_v_max(x, low), high); }
CT_V vec truth(ct_i16v mask) { return ct_v_select(mask, ONE, ZERO); }
CT_V vec sigmoid_slope(vec x) {
    vec s = ct_v_sigmoid(x);
    return s * (1.0f - s);
}

/* ---- functions ---- */
UNARY(copy, x)
UNARY(neg, -x)
UNARY(abs_, ct_v_abs(x))
UNARY(sign, sign_of(x))
UNARY(floor_, floor_of(x))
UNARY(sqrt_, ct_v_sqrt(x))
UNARY(rsqrt, 1.0f / ct_v_sqrt(x))
UNARY(recip, 1.0f / x)
UNARY(square, x *x)
UNARY(exp_, ct_v_exp(x))
UNARY(log_, ct_v_log(x))
UNARY(expm1_, ct_v_expm1(x))
UNARY(log1p_, ct_v_log1p(x))
UNARY(sin_, ct_v_sin(x))
UNARY(cos_, ct_v_cos(x))
UNARY(tanh_, ct_v_tanh(x))
UNARY(erf_, ct_v_erf(x))
UNARY(sigmoid, ct_v_sigmoid(x))
UNARY(softplus, softplus_of(x, P(0), P(1)))
UNARY(relu, relu_of(x))
UNARY(leaky, ct_v_select(x < 0.0f, x *P(0), x))
UNARY(elu, elu_of(x, P(0)))
UNARY(selu, SELU_SCALE *elu_of(x, ct_v_splat(SELU_ALPHA)))
UNARY(gelu, gelu_of(x))
UNARY(gelu_tanh, gelu_tanh_of(x))
UNARY(silu, x / (1.0f + ct_v_exp(-x)))
UNARY(hardsigmoid, hardsigmoid_of(x))
UNARY(hardswish, x *hardsigmoid_of(x))
BINARY(add, x + y)
BINARY(sub, x - y)
BINARY(mul, x *y)
BINARY(div_, x / y)
BINARY(pow_, ct_v_pow(x, y))
BINARY(min, ct_v_min(x, y))
BINARY(max, ct_v_max(x, y))
TERNARY(fma_, ct_v_fma(x, y, z))
UNARY(add_scalar, x + P(0))
UNARY(mul_scalar, x *P(0))
UNARY(rsub_scalar, P(0) - x)
UNARY(pow_scalar, ct_v_pow(x, P(0)))
UNARY(clip, clip_of(x, P(0), P(1)))
BINARY(eq, truth(x == y))
BINARY(ne, truth(x != y))
BINARY(lt, truth(x < y))
BINARY(le, truth(x <= y))
BINARY(gt, truth(x > y))
BINARY(ge, truth(x >= y))
TERNARY(where, ct_v_select(x != 0.0f, y, z))
BINARY(and_, truth((x != 0.0f) & (y != 0.0f)))
BINARY(or_, truth((x != 0.0f) | (y != 0.0f)))
UNARY(not_, truth(x == 0.0f))
BINARY(bce, (relu_of(x) - x * y) + ct_v_log1p(ct_v_exp(-ct_v_abs(x))))

/* ---- gradients: x is dy, y what the forward kept ---- */
BINARY(relu_grad, ct_v_select(y <= 0.0f, ZERO, x))
BINARY(leaky_grad, ct_v_select(y > 0.0f, x, x *P(0)))
BINARY(elu_grad, ct_v_select(y > 0.0f, x, x *P(0) * ct_v_exp(y)))
BINARY(selu_grad, x *SELU_SCALE *ct_v_select(y > 0.0f, ONE, SELU_ALPHA *ct_v_exp(y)))
BINARY(gelu_grad, x *gelu_slope(y))
BINARY(gelu_tanh_grad, x *gelu_tanh_slope(y))
BINARY(silu_grad, x *(ct_v_sigmoid(y) + y * sigmoid_slope(y)))
BINARY(sigmoid_grad, x *y *(1.0f - y))
BINARY(tanh_grad, x *(1.0f - y * y))
BINARY(softplus_grad, ct_v_select(y *P(0) > P(1), x, x *ct_v_sigmoid(y *P(0))))
BINARY(hardsigmoid_grad, ct_v_select((y > -3.0f) & (y < 3.0f), x *(1.0f / 6.0f), ZERO))
BINARY(hardswish_grad, ct_v_select(y <= -3.0f, ZERO, ct_v_select(y < 3.0f, x *(y / 3.0f + 0.5f), x)))
BINARY(clip_grad, ct_v_select((y >= P(0)) & (y <= P(1)), x, ZERO))
BINARY(abs_grad, x *sign_of(y))

const ct__tile_table CT_SIMD(ct__tile_table) = {
    .copy_ = copy,
    .neg_ = neg,
    .abs_ = abs_,
    .sign_ = sign,
    .floor_ = floor_,
    .sqrt_ = sqrt_,
    .rsqrt_ = rsqrt,
    .recip_ = recip,
    .square_ = square,
    .exp_ = exp_,
    .log_ = log_,
    .expm1_ = expm1_,
    .log1p_ = log1p_,
    .sin_ = sin_,
    .cos_ = cos_,
    .tanh_ = tanh_,
    .erf_ = erf_,
    .sigmoid_ = sigmoid,
    .softplus_ = softplus,
    .relu_ = relu,
    .leaky_ = leaky,
    .elu_ = elu,
    .selu_ = selu,
    .gelu_ = gelu,
    .gelu_tanh_ = gelu_tanh,
    .silu_ = silu,
    .hardsigmoid_ = hardsigmoid,
    .hardswish_ = hardswish,
    .add_ = add,
    .sub_ = sub,
    .mul_ = mul,
    .div_ = div_,
    .pow_ = pow_,
    .min_ = min,
    .max_ = max,
    .fma_ = fma_,
    .add_scalar_ = add_scalar,
    .mul_scalar_ = mul_scalar,
    .rsub_scalar_ = rsub_scalar,
    .pow_scalar_ = pow_scalar,
    .clip_ = clip,
    .eq_ = eq,
    .ne_ = ne,
    .lt_ = lt,
    .le_ = le,
    .gt_ = gt,
    .ge_ = ge,
    .where_ = where,
    .and_ = and_,
    .or_ = or_,
    .not_ = not_,
    .bce_ = bce,
    .relu_grad_ = relu_grad,
    .leaky_grad_ = leaky_grad,
    .elu_grad_ = elu_grad,
    .selu_grad_ = selu_grad,
    .gelu_grad_ = gelu_grad,
    .gelu_tanh_grad_ = gelu_tanh_grad,
    .silu_grad_ = silu_grad,
    .sigmoid_grad_ = sigmoid_grad,
    .tanh_grad_ = tanh_grad,
    .softplus_grad_ = softplus_grad,
    .hardsigmoid_grad_ = hardsigmoid_grad,
    .hardswish_grad_ = hardswish_grad,
    .clip_grad_ = clip_grad,
    .abs_grad_ = abs_grad,
};
