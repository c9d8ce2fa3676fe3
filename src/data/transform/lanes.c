/* lanes.c: the kernels of lanes.h, compiled for each set of instructions, and the choice among them. */
#include "data/transform/lanes.h"

#include <string.h>

#include "cotan/data.h"

typedef uint8_t bytes __attribute__((vector_size(16)));
#define SHUFFLE __builtin_shufflevector
#define LOW(a, b) SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b) SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

#define HALF (1 << (CT__WEIGHT_BITS - 1))

static uint8_t sum_one(const uint8_t *from, int64_t step, const int32_t *weight, int32_t count) {
    int32_t s = HALF;
    for (int32_t k = 0; k < count; k++) s += from[k * step] * weight[k];
    s >>= CT__WEIGHT_BITS;
    return (uint8_t)(s < 0 ? 0 : s > 255 ? 255 : s);
}

/* Each set has its own sum: to[lane] = round(sum_k weight[k] from[k * step + lane]) for sixteen lanes. */

static inline void sum_baseline(const uint8_t *from, int64_t step, const int32_t *weight, int32_t count,
                                uint8_t *to) {
    int32_t s[CT__LANES];
    for (int i = 0; i < CT__LANES; i++) s[i] = HALF;
    for (int32_t k = 0; k < count; k++, from += step)
        for (int i = 0; i < CT__LANES; i++) s[i] += from[i] * weight[k];
    for (int i = 0; i < CT__LANES; i++) {
        int32_t v = s[i] >> CT__WEIGHT_BITS;
        to[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}
#define NAME(x) x##_baseline
#define TARGET
#include "data/transform/lanes_body.h"
#undef NAME
#undef TARGET

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
/* Packing saturates, which clips. */
TARGET static inline __attribute__((always_inline)) void
sum_avx2(const uint8_t *from, int64_t step, const int32_t *weight, int32_t count, uint8_t *to) {
    __m256i a = _mm256_set1_epi32(HALF), b = a;
    for (int32_t k = 0; k < count; k++, from += step) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)from);
        __m256i w = _mm256_set1_epi32(weight[k]);
        a = _mm256_add_epi32(a, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(x), w));
        b = _mm256_add_epi32(b, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(_mm_srli_si128(x, 8)), w));
    }
    a = _mm256_srai_epi32(a, CT__WEIGHT_BITS);
    b = _mm256_srai_epi32(b, CT__WEIGHT_BITS);
    __m256i p =
        _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8); /* the halves of a, then those of b */
    __m128i y = _mm_packus_epi16(_mm256_castsi256_si128(p), _mm256_extracti128_si256(p, 1));
    _mm_storeu_si128((__m128i *)(void *)to, y);
}
#define NAME(x) x##_avx2
#include "data/transform/lanes_body.h"
#undef NAME
#undef TARGET

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
TARGET static inline __attribute__((always_inline)) void
sum_avx512(const uint8_t *from, int64_t step, const int32_t *weight, int32_t count, uint8_t *to) {
    __m512i s = _mm512_set1_epi32(HALF);
    for (int32_t k = 0; k < count; k++, from += step) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)from);
        s = _mm512_add_epi32(s, _mm512_mullo_epi32(_mm512_cvtepu8_epi32(x), _mm512_set1_epi32(weight[k])));
    }
    s = _mm512_max_epi32(_mm512_srai_epi32(s, CT__WEIGHT_BITS), _mm512_setzero_si512());
    _mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtusepi32_epi8(s));
}
#define NAME(x) x##_avx512
#include "data/transform/lanes_body.h"
#undef NAME
#undef TARGET
#endif

const ct__lanes *ct__lanes_of(int32_t wanted) {
#if defined(__x86_64__)
    const char *set = ct_cpu_features();
    int32_t has = strcmp(set, "avx512") == 0 ? 3 : strcmp(set, "avx2") == 0 ? 2 : 1;
    if (wanted && wanted < has) has = wanted;
    return has == 3 ? &lanes_avx512 : has == 2 ? &lanes_avx2 : &lanes_baseline;
#else
    (void)wanted;
    return &lanes_baseline;
#endif
}

void ct_rgb_planes(const uint8_t *rgb, int64_t h, int64_t w, uint8_t *planes) {
    ct__lanes_of(0)->planes(rgb, h * w, h * w, planes);
}
