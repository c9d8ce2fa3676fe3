/* vmath.h: elementary functions of sixteen floats, the same expression in every lane and on every set.
 *
 * Ranges are reduced exactly (multiples of ln 2 or pi/2 in two or three parts), then a polynomial of
 * tools/fit_vmath.py follows. No table, no branch but a choice by mask; NaN goes through, overflow gives
 * infinity; denormal results are as the processor's mode has them (runs flush them to 0). Errors: docs/numbers.md, as
 * tests/test_vmath.c measures them. */
#ifndef CT_KERN_SIMD_VMATH_H
#define CT_KERN_SIMD_VMATH_H

#include <math.h>
#include <string.h>

#include "kern/simd.h"

#if defined(__FMA__)
#include <immintrin.h>
#endif

#define CT_V static inline __attribute__((always_inline))

/* ---- memory ---- */
CT_V ct_f16v ct_v_load(const float *p) {
    ct_f16v v;
    memcpy(&v, p, sizeof v);
    return v;
}
CT_V void ct_v_store(float *p, ct_f16v v) { memcpy(p, &v, sizeof v); }
/* The first n lanes (1..16), the rest zero; and back. */
CT_V ct_f16v ct_v_load_part(const float *p, int64_t n) {
#if defined(__AVX512F__)
    return (ct_f16v)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
    ct_f16v v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
#endif
}
CT_V void ct_v_store_part(float *p, ct_f16v v, int64_t n) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
    memcpy(p, &v, (size_t)n * sizeof *p);
#endif
}

/* ---- lanes ---- */
CT_V ct_f16v ct_v_splat(float x) {
    ct_f16v v = {0};
    return v + x;
}
CT_V ct_f16v ct_v_select(ct_i16v mask, ct_f16v a, ct_f16v b) {
    return (ct_f16v)((mask & (ct_i16v)a) | (~mask & (ct_i16v)b));
}
CT_V ct_f16v ct_v_fma(ct_f16v a, ct_f16v b, ct_f16v c) {
#if defined(__AVX512F__)
    return (ct_f16v)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    __m256 x[2], y[2], z[2];
    ct_f16v r;
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    memcpy(z, &c, sizeof c);
    z[0] = _mm256_fmadd_ps(x[0], y[0], z[0]);
    z[1] = _mm256_fmadd_ps(x[1], y[1], z[1]);
    memcpy(&r, z, sizeof r);
    return r;
#else
    return a * b + c;
#endif
}
CT_V ct_f16v ct_v_abs(ct_f16v x) { return (ct_f16v)((ct_i16v)x & 0x7fffffff); }
CT_V ct_f16v ct_v_copysign(ct_f16v magnitude, ct_f16v sign) {
    return (ct_f16v)(((ct_i16v)magnitude & 0x7fffffff) | ((ct_i16v)sign & (int32_t)0x80000000));
}
/* NaN of either wins. */
CT_V ct_f16v ct_v_max(ct_f16v a, ct_f16v b) { return ct_v_select((a > b) | (a != a), a, b); }
CT_V ct_f16v ct_v_min(ct_f16v a, ct_f16v b) { return ct_v_select((a < b) | (a != a), a, b); }
/* x between low and high; NaN stays. */
CT_V ct_f16v ct_v_clamp(ct_f16v x, float low, float high) {
#if defined(__AVX512F__)
    return (ct_f16v)_mm512_min_ps(_mm512_set1_ps(high), _mm512_max_ps(_mm512_set1_ps(low), (__m512)x));
#elif defined(__FMA__)
    __m256 v[2];
    memcpy(v, &x, sizeof x);
    for (int i = 0; i < 2; i++)
        v[i] = _mm256_min_ps(_mm256_set1_ps(high), _mm256_max_ps(_mm256_set1_ps(low), v[i]));
    memcpy(&x, v, sizeof x);
    return x;
#else
    x = ct_v_select(x > high, ct_v_splat(high), x);
    return ct_v_select(x < low, ct_v_splat(low), x);
#endif
}
CT_V ct_f16v ct_v_sqrt(ct_f16v x) {
#if defined(__AVX512F__)
    return (ct_f16v)_mm512_sqrt_ps((__m512)x);
#else
    for (int i = 0; i < 16; i++) x[i] = sqrtf(x[i]);
    return x;
#endif
}
CT_V ct_i16v ct_v_to_int(ct_f16v x) { return __builtin_convertvector(x, ct_i16v); }
CT_V ct_f16v ct_v_of_int(ct_i16v x) { return __builtin_convertvector(x, ct_f16v); }
/* To the nearest integer, halves to even, for |x| < 2^22. */
CT_V ct_f16v ct_v_round_small(ct_f16v x) { return (x + 12582912.0f) - 12582912.0f; }
/* Sum and maximum of the lanes, in a fixed tree: halves added, then quarters ... The halves are whole vectors, so
 * nothing goes through memory. */
typedef float ct_f8v __attribute__((vector_size(32)));
typedef int32_t ct_i8v __attribute__((vector_size(32)));
typedef float ct_f4v __attribute__((vector_size(16)));
typedef int32_t ct_i4v __attribute__((vector_size(16)));
CT_V float ct_v_sum(ct_f16v v) {
    ct_f8v half[2];
    ct_f4v quarter[2];
    memcpy(half, &v, sizeof v);
    half[0] += half[1];
    memcpy(quarter, half, sizeof quarter);
    quarter[0] += quarter[1];
    return (quarter[0][0] + quarter[0][2]) + (quarter[0][1] + quarter[0][3]);
}
CT_V float ct_v_max_lane(ct_f16v v) {
    ct_f8v half[2];
    ct_f4v quarter[2];
    memcpy(half, &v, sizeof v);
    ct_i8v first = (half[0] > half[1]) | (half[0] != half[0]);
    half[0] = (ct_f8v)((first & (ct_i8v)half[0]) | (~first & (ct_i8v)half[1]));
    memcpy(quarter, half, sizeof quarter);
    ct_i4v nearer = (quarter[0] > quarter[1]) | (quarter[0] != quarter[0]);
    quarter[0] = (ct_f4v)((nearer & (ct_i4v)quarter[0]) | (~nearer & (ct_i4v)quarter[1]));
    float x[4];
    memcpy(x, quarter, sizeof x);
    for (int i = 0; i < 2; i++) x[i] = x[i] > x[i + 2] || x[i] != x[i] ? x[i] : x[i + 2];
    return x[0] > x[1] || x[0] != x[0] ? x[0] : x[1];
}

/* ---- functions ---- */
CT_V ct_f16v ct_v_power_of_two(ct_i16v n) { return (ct_f16v)((n + 127) << 23); } /* -126 <= n <= 127 */

/* exp(r), |r| <= ln 2 / 2 */
CT_V ct_f16v ct_v_exp_core(ct_f16v r) {
    ct_f16v p = ct_v_splat(1.395043015e-03f);
    p = ct_v_fma(p, r, ct_v_splat(8.368886920e-03f));
    p = ct_v_fma(p, r, ct_v_splat(4.166620665e-02f));
    p = ct_v_fma(p, r, ct_v_splat(1.666651885e-01f));
    p = ct_v_fma(p, r, ct_v_splat(5.000000095e-01f));
    return ct_v_fma(r * r, p, r) + 1.0f;
}

/* exp(x) = 2^n exp(r). 2^n goes in by two factors, so that what is too great or too small becomes infinity or,
 * by way of the denormal numbers, zero by itself. */
CT_V ct_f16v ct_v_exp(ct_f16v x) {
    ct_f16v y = ct_v_clamp(x, -104.0f, 88.8f), n = ct_v_round_small(y * 1.44269504f);
    ct_f16v r = ct_v_fma(n, ct_v_splat(-0.693359375f), y);
    r = ct_v_fma(n, ct_v_splat(2.12194440e-4f), r);
    ct_i16v whole = ct_v_to_int(n), half = whole >> 1;
    return ct_v_exp_core(r) * ct_v_power_of_two(half) * ct_v_power_of_two(whole - half);
}

/* What rounding took from square = a * a. */
CT_V ct_f16v ct_v_square_rest(ct_f16v a, ct_f16v square) {
#if defined(__FMA__)
    return ct_v_fma(a, a, -square);
#else
    ct_f16v high = (ct_f16v)((ct_i16v)a & (int32_t)0xfffff000), low = a - high;
    return ((high * high - square) + 2.0f * high * low) + low * low;
#endif
}

/* The normal distribution: its density exp(-x^2 / 2) / sqrt(2 pi), and its distribution function by way of the tail
 * Phi(-a) = exp(-a^2 / 2) M(a), M(a) (a + 4) being a polynomial in (a - 4) / (a + 4), a >= 0: both have the
 * digits of a float wherever they are. What a * a loses in rounding is given back to the exponent. */
CT_V ct_f16v ct_v_normal(ct_f16v x, ct_f16v *density) {
    ct_f16v a = ct_v_clamp(ct_v_abs(x), 0.0f, 13.2f), square = a * a, lost = ct_v_square_rest(a, square);
    ct_f16v n = ct_v_round_small(square * -0.721347520f),
            r = ct_v_fma(square, ct_v_splat(-0.5f), n * -0.693359375f);
    r = ct_v_fma(n, ct_v_splat(2.12194440e-4f), r);
    r = ct_v_fma(lost, ct_v_splat(-0.5f), r);
    ct_f16v e = ct_v_exp_core(r) * ct_v_power_of_two(ct_v_to_int(n)), inverse = 1.0f / (a + 4.0f);
    ct_f16v t = (a - 4.0f) * inverse, m = ct_v_splat(-1.268640799e-04f);
    m = ct_v_fma(m, t, ct_v_splat(1.905254848e-04f));
    m = ct_v_fma(m, t, ct_v_splat(1.574300723e-03f));
    m = ct_v_fma(m, t, ct_v_splat(-3.517443839e-03f));
    m = ct_v_fma(m, t, ct_v_splat(-7.528383970e-03f));
    m = ct_v_fma(m, t, ct_v_splat(6.040440799e-02f));
    m = ct_v_fma(m, t, ct_v_splat(-1.865229525e-01f));
    m = ct_v_fma(m, t, ct_v_splat(3.871368841e-01f));
    m = ct_v_fma(m, t, ct_v_splat(-6.078966064e-01f));
    m = ct_v_fma(m, t, ct_v_splat(7.552851355e-01f));
    ct_f16v tail = e * m * inverse;
    *density = e * 0.398942280f;
    return ct_v_select(x < 0.0f, tail, 1.0f - tail);
}

CT_V ct_f16v ct_v_log(ct_f16v x) {
    ct_i16v bits = (ct_i16v)((ct_u16v)x - 0x3f3504f3u); /* the mantissa in [sqrt 1/2, sqrt 2) */
    ct_f16v e = ct_v_of_int(bits >> 23), f = (ct_f16v)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
    ct_f16v p = ct_v_splat(6.749430794e-02f);
    p = ct_v_fma(p, f, ct_v_splat(-1.167835099e-01f));
    p = ct_v_fma(p, f, ct_v_splat(1.188831908e-01f));
    p = ct_v_fma(p, f, ct_v_splat(-1.240508789e-01f));
    p = ct_v_fma(p, f, ct_v_splat(1.421945483e-01f));
    p = ct_v_fma(p, f, ct_v_splat(-1.666802561e-01f));
    p = ct_v_fma(p, f, ct_v_splat(2.000212578e-01f));
    p = ct_v_fma(p, f, ct_v_splat(-2.500000904e-01f));
    p = ct_v_fma(p, f, ct_v_splat(3.333331246e-01f));
    ct_f16v square = f * f, r = p * (square * f);
    r = ct_v_fma(e, ct_v_splat(-2.12194440e-4f), r);
    r = ct_v_fma(square, ct_v_splat(-0.5f), r) + f;
    r = ct_v_fma(e, ct_v_splat(0.693359375f), r);
    r = ct_v_select(x < 1.17549435e-38f, ct_v_splat(-INFINITY), r);
    r = ct_v_select((x < 0.0f) & (x <= -1.17549435e-38f), ct_v_splat(NAN), r);
    return ct_v_select((x != x) | (x == INFINITY), x, r);
}

CT_V ct_f16v ct_v_expm1(ct_f16v x) {
    ct_f16v p = ct_v_splat(1.999573999e-04f);
    p = ct_v_fma(p, x, ct_v_splat(1.400197481e-03f));
    p = ct_v_fma(p, x, ct_v_splat(8.333064461e-03f));
    p = ct_v_fma(p, x, ct_v_splat(4.166519948e-02f));
    p = ct_v_fma(p, x, ct_v_splat(1.666666806e-01f));
    p = ct_v_fma(p, x, ct_v_splat(5.000000473e-01f));
    return ct_v_select(ct_v_abs(x) < 0.5f, ct_v_fma(x * x, p, x), ct_v_exp(x) - 1.0f);
}

/* log(1 + x): what was lost in 1 + x is given back. */
CT_V ct_f16v ct_v_log1p(ct_f16v x) {
    ct_f16v u = x + 1.0f, lost = x - (u - 1.0f);
    ct_f16v r = ct_v_log(u) + lost / u;
    r = ct_v_select(ct_v_abs(x) < 1e-4f,
                    ct_v_fma(x * x, ct_v_fma(x, ct_v_splat(1.0f / 3), ct_v_splat(-0.5f)), x), r);
    return ct_v_select((x == INFINITY) | (x <= -1.0f), ct_v_log(u), r);
}

CT_V ct_f16v ct_v_sigmoid(ct_f16v x) { return 1.0f / (1.0f + ct_v_exp(-x)); }

CT_V ct_f16v ct_v_tanh(ct_f16v x) {
    ct_f16v z = x * x, p = ct_v_splat(2.398942413e-03f);
    p = ct_v_fma(p, z, ct_v_splat(-8.416741665e-03f));
    p = ct_v_fma(p, z, ct_v_splat(2.178375013e-02f));
    p = ct_v_fma(p, z, ct_v_splat(-5.395978958e-02f));
    p = ct_v_fma(p, z, ct_v_splat(1.333329461e-01f));
    p = ct_v_fma(p, z, ct_v_splat(-3.333333274e-01f));
    ct_f16v small = ct_v_fma(x * z, p, x), big = 1.0f - 2.0f / (ct_v_exp(2.0f * ct_v_abs(x)) + 1.0f);
    ct_f16v y = ct_v_select(ct_v_abs(x) < 0.55f, small, ct_v_copysign(big, x));
    return ct_v_select(x != x, x, y);
}

CT_V ct_f16v ct_v_erf(ct_f16v x) {
    ct_f16v z = x * x, a = ct_v_abs(x), p = ct_v_splat(8.409858501e-05f), q = ct_v_splat(1.076844471e-05f);
    p = ct_v_fma(p, z, ct_v_splat(-8.152612217e-04f));
    p = ct_v_fma(p, z, ct_v_splat(5.201958735e-03f));
    p = ct_v_fma(p, z, ct_v_splat(-2.685979794e-02f));
    p = ct_v_fma(p, z, ct_v_splat(1.128370330e-01f));
    p = ct_v_fma(p, z, ct_v_splat(-3.761263429e-01f));
    p = ct_v_fma(p, z, ct_v_splat(1.283791667e-01f));
    a = ct_v_select(a > 4.0f, ct_v_splat(4.0f), a);
    q = ct_v_fma(q, a, ct_v_splat(-3.181099442e-04f));
    q = ct_v_fma(q, a, ct_v_splat(3.623112643e-03f));
    q = ct_v_fma(q, a, ct_v_splat(-2.372057375e-02f));
    q = ct_v_fma(q, a, ct_v_splat(1.061880352e-01f));
    q = ct_v_fma(q, a, ct_v_splat(6.351812567e-01f));
    q = ct_v_fma(q, a, ct_v_splat(1.286410197e-01f));
    ct_f16v big = ct_v_copysign(1.0f - ct_v_exp(-ct_v_fma(a, q, a)), x);
    return ct_v_select(x != x, x, ct_v_select(ct_v_abs(x) < 0.92f, ct_v_fma(x, p, x), big));
}

#if defined(__FMA__)
#define FAR_ANGLE 20000.0f
#else
#define FAR_ANGLE 400.0f
#endif
/* Both from one reduction by multiples of pi/2; quadrant: 0 for sine, 1 for cosine. */
CT_V ct_f16v ct_v_sine(ct_f16v x, int quadrant) {
    ct_f16v n = ct_v_round_small(x * 0.636619772f), r = ct_v_fma(n, ct_v_splat(-1.5703125f), x);
    r = ct_v_fma(n, ct_v_splat(-4.83751297e-4f), r);
    r = ct_v_fma(n, ct_v_splat(-7.54978942e-8f), r);
    r = ct_v_fma(n, ct_v_splat(-5.12668955e-15f), r);
    ct_i16v q = ct_v_to_int(n) + quadrant;
    ct_f16v z = r * r, s = ct_v_splat(2.718309565e-06f), c = ct_v_splat(-2.721020365e-07f);
    s = ct_v_fma(s, z, ct_v_splat(-1.983933459e-04f));
    s = ct_v_fma(s, z, ct_v_splat(8.333329385e-03f));
    s = ct_v_fma(s, z, ct_v_splat(-1.666666664e-01f));
    s = ct_v_fma(r * z, s, r);
    c = ct_v_fma(c, z, ct_v_splat(2.479951954e-05f));
    c = ct_v_fma(c, z, ct_v_splat(-1.388888375e-03f));
    c = ct_v_fma(c, z, ct_v_splat(4.166666662e-02f));
    c = ct_v_fma(z * z, c, ct_v_fma(z, ct_v_splat(-0.5f), ct_v_splat(1.0f)));
    ct_f16v y = ct_v_select((q & 1) != 0, c, s);
    y = (ct_f16v)((ct_i16v)y ^ ((q & 2) << 30));
    for (int i = 0; i < 16; i++) /* far away the reduction has no digits left */
        if (!(fabsf(x[i]) < FAR_ANGLE)) y[i] = quadrant ? cosf(x[i]) : sinf(x[i]);
    return y;
}
CT_V ct_f16v ct_v_sin(ct_f16v x) { return ct_v_sine(x, 0); }
CT_V ct_f16v ct_v_cos(ct_f16v x) { return ct_v_sine(x, 1); }

CT_V ct_f16v ct_v_pow(ct_f16v x, ct_f16v y) {
    for (int i = 0; i < 16; i++) x[i] = powf(x[i], y[i]);
    return x;
}

#endif
