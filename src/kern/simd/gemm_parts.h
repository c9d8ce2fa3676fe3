/* gemm_parts.h: what the files of the matrix product share: one register of the set at hand (ct__gv), and
 * the copies between strided matrices and panels of sixteen columns. */
#ifndef CT_KERN_SIMD_GEMM_PARTS_H
#define CT_KERN_SIMD_GEMM_PARTS_H

#include <string.h>

#include "kern/gemm.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif
#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__) && defined(__FMA__)
#define LANES 8
#else
#define LANES 4
#endif
#define PER_PANEL (16 / LANES)
#define ALWAYS static inline __attribute__((always_inline))

typedef float ct__gv __attribute__((vector_size(LANES * 4)));
typedef int32_t ct__gi __attribute__((vector_size(LANES * 4)));

ALWAYS ct__gv gv_load(const float *p) {
    ct__gv v;
    memcpy(&v, p, sizeof v);
    return v;
}
ALWAYS void gv_store(float *p, ct__gv v) { memcpy(p, &v, sizeof v); }
ALWAYS ct__gv gv_splat(float x) { return x - (ct__gv){0}; } /* x - 0 is x for every x, -0 and NaN included */
ALWAYS ct__gv gv_fma(ct__gv a, ct__gv b, ct__gv c) {
#if LANES == 16
    return (ct__gv)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif LANES == 8
    return (ct__gv)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}
/* The first n lanes, n <= 0: none, n >= LANES: all; lanes not loaded are zero, those not stored stay. */
ALWAYS ct__gv gv_load_part(const float *p, int64_t n) {
#if LANES == 16
    return (ct__gv)_mm512_maskz_loadu_ps((__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1), p);
#else
    ct__gv v = {0};
    float x[LANES] = {0};
    for (int64_t i = 0; i < n && i < LANES; i++) x[i] = p[i];
    memcpy(&v, x, sizeof v);
    return v;
#endif
}
ALWAYS void gv_store_part(float *p, ct__gv v, int64_t n) {
#if LANES == 16
    _mm512_mask_storeu_ps(p, (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1), (__m512)v);
#else
    float x[LANES];
    memcpy(x, &v, sizeof v);
    for (int64_t i = 0; i < n && i < LANES; i++) p[i] = x[i];
#endif
}

/* gemm_pack.c. Panel p of `panel` is at panel + p * stride. */
void CT_SIMD(ct__gemm_pack)(int64_t r, int64_t s, const float *x, int64_t x_row, int64_t x_col, float *panel,
                            int64_t stride);
void CT_SIMD(ct__gemm_unpack)(int64_t r, int64_t s, const float *panel, float *x, int64_t x_row,
                              int64_t x_col);
void CT_SIMD(ct__gemm_flip)(int64_t r, int64_t s, const float *panel, float *flipped);

#endif
