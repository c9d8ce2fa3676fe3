/* random.c: Philox4x32-10 in vectors (random.h says which block and word an element takes).
 *
 * A round needs 32 x 32 -> 64 bit products. The sets have them for the even lanes of a vector (pmuludq), so
 * the odd lanes are shifted down, multiplied and blended back. Vectors are as wide as the set's registers,
 * and several go through the rounds side by side, because one alone waits for its products. Integers are
 * exact: every set gives the same words. */
#include "kern/random.h"

#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define BYTES 64
#define PARTS 2
#elif defined(__AVX2__)
#define BYTES 32
#define PARTS 2
#else
#define BYTES 16
#define PARTS 4
#endif

typedef uint64_t u64v __attribute__((vector_size(BYTES)));
typedef uint32_t u32v __attribute__((vector_size(BYTES)));
#define LANES (BYTES / 4)
#define BLOCKS (PARTS * LANES) /* made at a time: 16 or a multiple */
#define BATCH (4 * BLOCKS)     /* their words */

/* Products of the even 32-bit lanes. */
static inline u64v even_product(u64v a, u64v b) {
#if defined(__AVX512F__)
    return (u64v)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (u64v)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (u64v)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

/* high:low = a * m, lane by lane (little endian: the even lane of a pair is the low word of its 64 bits) */
static inline void product(u32v a, uint64_t m, u32v *high, u32v *low) {
    u64v factor = (u64v){0} + m, low_half = (u64v){0} + UINT64_C(0xFFFFFFFF);
    u64v even = even_product((u64v)a, factor), odd = even_product((u64v)a >> 32, factor);
    *low = (u32v)((even & low_half) | (odd << 32));
    *high = (u32v)((even >> 32) | (odd & ~low_half));
}

/* Words of blocks first .. first+BLOCKS-1 in the order of the stream. */
static void batch(const ct__stream *s, uint32_t first, uint32_t out[BATCH]) {
    u32v c0[PARTS], c1[PARTS], c2[PARTS], c3[PARTS], zero = {0};
    uint32_t k0 = s->key[0], k1 = s->key[1], block[BLOCKS];
    for (uint32_t i = 0; i < BLOCKS; i++) block[i] = first + i;
    for (int p = 0; p < PARTS; p++) {
        memcpy(&c0[p], block + p * LANES, sizeof c0[p]);
        c1[p] = zero + s->counter[0];
        c2[p] = zero + s->counter[1];
        c3[p] = zero + s->counter[2];
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int p = 0; p < PARTS; p++) {
            u32v high0, low0, high1, low1;
            product(c0[p], 0xD2511F53u, &high0, &low0);
            product(c2[p], 0xCD9E8D57u, &high1, &low1);
            c0[p] = high1 ^ c1[p] ^ k0;
            c1[p] = low1;
            c2[p] = high0 ^ c3[p] ^ k1;
            c3[p] = low0;
        }
    for (int p = 0; p < PARTS; p++) {
        uint32_t *to = out + p * LANES / 16 * 64 + p * LANES % 16;
        memcpy(to, &c0[p], sizeof c0[p]);
        memcpy(to + 16, &c1[p], sizeof c1[p]);
        memcpy(to + 32, &c2[p], sizeof c2[p]);
        memcpy(to + 48, &c3[p], sizeof c3[p]);
    }
}

static void words(const ct__stream *s, int64_t n, uint32_t *out) {
    uint32_t w[BATCH];
    for (int64_t i = 0; i < n; i += BATCH) {
        batch(s, (uint32_t)(i / 4), w);
        memcpy(out + i, w, n - i < BATCH ? (size_t)(n - i) * sizeof *out : sizeof w);
    }
}

static inline ct_f16v dropped(const uint32_t *word, uint32_t threshold, float scale, ct_f16v x) {
    ct_f16v all = (ct_f16v){0} + scale;
    ct_u16v w;
    memcpy(&w, word, sizeof w);
    return x * (ct_f16v)((ct_i16v)(w >= threshold) & (ct_i16v)all);
}

static void drop(const ct__stream *s, int64_t n, uint32_t threshold, float scale, const float *x, float *y) {
    uint32_t w[BATCH];
    ct_f16v v;
    for (int64_t i = 0; i < n; i += 16) {
        if (i % BATCH == 0) batch(s, (uint32_t)(i / 4), w);
        if (i + 16 <= n) {
            memcpy(&v, x + i, sizeof v);
            v = dropped(w + i % BATCH, threshold, scale, v);
            memcpy(y + i, &v, sizeof v);
        } else {
            size_t bytes = (size_t)(n - i) * sizeof *x;
            v = (ct_f16v){0};
            memcpy(&v, x + i, bytes);
            v = dropped(w + i % BATCH, threshold, scale, v);
            memcpy(y + i, &v, bytes);
        }
    }
}

extern const ct__random_table CT_SIMD(ct__random_table);
const ct__random_table CT_SIMD(ct__random_table) = {words, drop};
