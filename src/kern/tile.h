/* tile.h: elementwise functions on tiles that lie in the first-level cache.
 *
 * A chain of elementwise ops runs as a small program over tiles of CT__TILE floats: each function reads
 * whole tiles and writes one. n is always a multiple of sixteen and pointers are 64-byte aligned, so there
 * is no tail code: whatever lies in the lanes beyond the data is computed with the same expression and
 * dropped. exp, log, tanh, erf ... are our own vector polynomials, the same bits in every lane. */
#ifndef CT_KERN_TILE_H
#define CT_KERN_TILE_H

#include "kern/simd.h"

#define CT__TILE 1024

/* dst[i] = f(a[i], b[i], c[i]; p); unused sources are NULL; dst may be one of them. p: up to four numbers. */
typedef void (*ct__tile_fn)(float *dst, const float *a, const float *b, const float *c, int64_t n,
                            const float *p);

/* X-macro of all functions: CT__TILE_LIST(F) calls F(name) for each. Semantics (x=a, y=b, z=c):
 * copy x; neg; abs; sign (0 at 0, NaN stays); floor; sqrt; rsqrt 1/sqrt(x); recip 1/x; square;
 * exp; log; expm1; log1p; sin; cos; tanh; erf; sigmoid; softplus log(1+e^x), PyTorch's with p0=beta p1=threshold;
 * relu max(x,0) (NaN stays); leaky p0=slope; elu p0=alpha; selu; gelu (erf form); gelu_tanh; silu; hardsigmoid; hardswish;
 * add; sub; mul; div; pow (libm's special cases); min; max (NaN of either wins); fma x*y+z;
 * add_scalar x+p0; mul_scalar x*p0; rsub_scalar p0-x; pow_scalar x^p0; clip to [p0,p1] (NaN stays);
 * eq, ne, lt, le, gt, ge: 1.0f or 0.0f; where x!=0 ? y : z; and, or, not on 0/non-0; bce max(x,0) - x*y + log1p(e^-|x|).
 * Gradients, dx from dy=a and what forward kept: relu_grad(a=dy, b=y) dy where y>0; leaky_grad(dy,x); elu_grad(dy,x);
 * selu_grad; gelu_grad(dy,x); gelu_tanh_grad(dy,x); silu_grad(dy,x); sigmoid_grad(dy,y)=dy*y*(1-y); tanh_grad(dy,y)=dy*(1-y*y);
 * softplus_grad(dy,x); hardsigmoid_grad(dy,x); hardswish_grad(dy,x); clip_grad(dy,x); abs_grad = dy*sign(x). */
/* clang-format off */
#define CT__TILE_LIST(F)                                                                                                            \
    F(copy) F(neg) F(abs) F(sign) F(floor) F(sqrt) F(rsqrt) F(recip) F(square) F(exp) F(log) F(expm1) F(log1p) F(sin) F(cos)       \
    F(tanh) F(erf) F(sigmoid) F(softplus) F(relu) F(leaky) F(elu) F(selu) F(gelu) F(gelu_tanh) F(silu) F(hardsigmoid) F(hardswish) \
    F(add) F(sub) F(mul) F(div) F(pow) F(min) F(max) F(fma) F(add_scalar) F(mul_scalar) F(rsub_scalar) F(pow_scalar) F(clip)       \
    F(eq) F(ne) F(lt) F(le) F(gt) F(ge) F(where) F(and) F(or) F(not) F(bce)                                                            \
    F(relu_grad) F(leaky_grad) F(elu_grad) F(selu_grad) F(gelu_grad) F(gelu_tanh_grad) F(silu_grad) F(sigmoid_grad) F(tanh_grad)   \
    F(softplus_grad) F(hardsigmoid_grad) F(hardswish_grad) F(clip_grad) F(abs_grad)
/* clang-format on */

#define CT__TILE_MEMBER(name) ct__tile_fn name##_;
typedef struct ct__tile_table {
    CT__TILE_LIST(CT__TILE_MEMBER)
} ct__tile_table;

#endif
