/* image_parts.h: what the files of the image table share: sixteen floats at a time, and each other's names.
 *
 * A v16 is held in as many registers of the set as it takes. (A GCC vector of 64 bytes would say the same,
 * but gcc compares and accumulates such vectors through memory, element by element, where registers are
 * narrower: ten times slower.) The loops below have constant bounds and vanish. */
#ifndef CT_KERN_SIMD_IMAGE_PARTS_H
#define CT_KERN_SIMD_IMAGE_PARTS_H

#include <string.h>

#if defined(__FMA__)
#include <immintrin.h>
#endif

#include "kern/image.h"

#define ALWAYS static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#define WIDTH 16
#elif defined(__AVX2__)
#define WIDTH 8
#else
#define WIDTH 4
#endif
#define PARTS (16 / WIDTH)
typedef float part __attribute__((vector_size(WIDTH * 4)));
typedef int32_t part_mask __attribute__((vector_size(WIDTH * 4)));
typedef struct v16 {
    part p[PARTS];
} v16;

ALWAYS v16 load16(const float *p) {
    v16 v;
    for (int i = 0; i < PARTS; i++) memcpy(&v.p[i], p + i * WIDTH, sizeof(part));
    return v;
}
ALWAYS void store16(float *p, v16 v) {
    for (int i = 0; i < PARTS; i++) memcpy(p + i * WIDTH, &v.p[i], sizeof(part));
}
/* The first n < 16 floats, then zeros. */
ALWAYS v16 load_part(const float *p, int64_t n) {
    float all[16] = {0};
    for (int64_t l = 0; l < n; l++) all[l] = p[l];
    return load16(all);
}
ALWAYS void store_part(float *p, v16 v, int64_t n) {
    float all[16];
    store16(all, v);
    for (int64_t l = 0; l < n; l++) p[l] = all[l];
}
ALWAYS v16 zero16(void) {
    v16 v;
    for (int i = 0; i < PARTS; i++) v.p[i] = (part){0};
    return v;
}
ALWAYS v16 splat16(float x) {
    v16 v;
    for (int i = 0; i < PARTS; i++) v.p[i] = (part){0} + x;
    return v;
}
ALWAYS v16 add16(v16 a, v16 b) {
    for (int i = 0; i < PARTS; i++) a.p[i] += b.p[i];
    return a;
}
ALWAYS v16 sub16(v16 a, v16 b) {
    for (int i = 0; i < PARTS; i++) a.p[i] -= b.p[i];
    return a;
}
ALWAYS v16 mul16(v16 a, v16 b) {
    for (int i = 0; i < PARTS; i++) a.p[i] *= b.p[i];
    return a;
}
/* a b + c, fused where the set can */
ALWAYS v16 fma16(v16 a, v16 b, v16 c) {
    for (int i = 0; i < PARTS; i++)
#if defined(__AVX512F__)
        a.p[i] = (part)_mm512_fmadd_ps((__m512)a.p[i], (__m512)b.p[i], (__m512)c.p[i]);
#elif defined(__FMA__)
        a.p[i] = (part)_mm256_fmadd_ps((__m256)a.p[i], (__m256)b.p[i], (__m256)c.p[i]);
#else
        a.p[i] = a.p[i] * b.p[i] + c.p[i];
#endif
    return a;
}
/* max(x, 0); NaN stays */
ALWAYS v16 relu16(v16 x) {
    for (int i = 0; i < PARTS; i++) x.p[i] = (part)((part_mask)x.p[i] & ~(x.p[i] <= 0));
    return x;
}

#define MAXPOOL CT_SIMD(ct__image_maxpool)
#define MAXPOOL_GRAD CT_SIMD(ct__image_maxpool_grad)
#define MAXPOOL_TAKE CT_SIMD(ct__image_maxpool_take)
#define AVGPOOL CT_SIMD(ct__image_avgpool)
#define AVGPOOL_GRAD CT_SIMD(ct__image_avgpool_grad)
#define NORM_STATS CT_SIMD(ct__image_norm_stats)
#define NORM_APPLY CT_SIMD(ct__image_norm_apply)
#define NORM_SUMS CT_SIMD(ct__image_norm_sums)
#define NORM_GRAD CT_SIMD(ct__image_norm_grad)

void MAXPOOL(const ct__pool *p, const float *x, float *y, int32_t *index);
void MAXPOOL_GRAD(const ct__pool *p, const float *dy, const int32_t *index, const float *pooled, float *dx);
void MAXPOOL_TAKE(const ct__pool *p, const float *x, const int32_t *index, float *y);
void AVGPOOL(const ct__pool *p, const float *x, float *y);
void AVGPOOL_GRAD(const ct__pool *p, const float *dy, float *dx);
void NORM_STATS(const ct__image *m, const float *x, float *out);
void NORM_APPLY(const ct__image *m, const float *x, const float *mean, const float *var, const float *weight,
                const float *bias, double eps, int32_t relu, float *scratch, float *y);
void NORM_SUMS(const ct__image *m, const float *dy, const float *x, const float *mean, const float *var,
               double eps, float *db, float *dw);
void NORM_GRAD(const ct__image *m, const float *dy, const float *x, const float *mean, const float *var,
               const float *weight, const float *db, const float *dw, double eps, double count,
               float *scratch, float *dx);

#endif
