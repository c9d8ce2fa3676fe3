/* philox.c: random numbers that are a function of a counter.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011): ten
 * rounds of two 32x32 -> 64 bit products, whose halves are swapped and mixed with a key that walks by the
 * golden ratio and by sqrt(3) - 1. There is no state to share: dropout's mask at (step, op, element) is
 * the same on any number of threads, and a resumed run draws what the first one would have drawn. */
#include "cotan/base.h"

#include <math.h>

void ct_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = UINT64_C(0xD2511F53) * c0;
        uint64_t p1 = UINT64_C(0xCD9E8D57) * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c0 = n0;
        c1 = (uint32_t)p1;
        c2 = n2;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* key = seed, counter = (index of the block of four words, stream) */
ct_random ct_random_stream(uint64_t seed, uint64_t stream) {
    ct_random r = {0};
    r.key[0] = (uint32_t)seed;
    r.key[1] = (uint32_t)(seed >> 32);
    r.counter[2] = (uint32_t)stream;
    r.counter[3] = (uint32_t)(stream >> 32);
    r.used = 4;
    return r;
}

uint32_t ct_random_u32(ct_random *r) {
    if (r->used >= 4) {
        ct_philox(r->counter, r->key, r->word);
        if (++r->counter[0] == 0) r->counter[1]++;
        r->used = 0;
    }
    return r->word[r->used++];
}

static uint64_t random_u64(ct_random *r) {
    uint64_t low = ct_random_u32(r);
    return low | (uint64_t)ct_random_u32(r) << 32;
}

/* 2^64 mod n values at the bottom are refused, so that what remains is a multiple of n. */
uint64_t ct_random_below(ct_random *r, uint64_t n) {
    if (n <= 1) return 0;
    uint64_t refused = (0 - n) % n, x = random_u64(r);
    while (x < refused) x = random_u64(r);
    return x % n;
}

double ct_random_uniform(ct_random *r) { return (double)(random_u64(r) >> 11) * 0x1p-53; }

/* sqrt(-2 ln u) cos(2 pi v), u in (0, 1]. The sine twin is not kept: a draw then costs always the same
 * words, and a stream can be continued from its counter alone. */
double ct_random_normal(ct_random *r) {
    double u = 1.0 - ct_random_uniform(r);
    double v = ct_random_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}
