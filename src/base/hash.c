/* hash.c: xxHash 3, 64 and 128 bits wide.
 *
 * Not cryptographic: it tells whether data, recipes and files are the ones a run was made from, at the
 * speed of memory. XXH3's results are fixed by its specification, so a hash may be stored. */
#include "cotan/base.h"

#define XXH_STATIC_LINKING_ONLY /* the size of the state, so that it comes from our allocator */
#include <xxhash.h>

struct ct_hasher {
    XXH3_state_t state; /* first: it wants the 64-byte alignment of ct_new */
    ct_allocator allocator;
};

uint64_t ct_hash64(const void *data, size_t bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(data, bytes, seed);
}

ct_hash128 ct_hash_bytes(const void *data, size_t bytes) {
    XXH128_hash_t h = XXH3_128bits(data, bytes);
    return (ct_hash128){h.low64, h.high64};
}

void ct_hash_hex(ct_hash128 hash, char out[33]) {
    static const char digit[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        out[i] = digit[hash.high >> (60 - 4 * i) & 15];
        out[16 + i] = digit[hash.low >> (60 - 4 * i) & 15];
    }
    out[32] = 0;
}

ct_hasher *ct_hasher_new(const ct_allocator *a) {
    ct_hasher *h = ct_new(a, sizeof *h);
    if (!h) return NULL;
    if (a) h->allocator = *a;
    XXH3_128bits_reset(&h->state);
    return h;
}

void ct_hasher_add(ct_hasher *h, const void *data, size_t bytes) {
    if (bytes) XXH3_128bits_update(&h->state, data, bytes);
}

ct_hash128 ct_hasher_end(ct_hasher *h) {
    XXH128_hash_t r = XXH3_128bits_digest(&h->state);
    return (ct_hash128){r.low64, r.high64};
}

void ct_hasher_free(ct_hasher *h) {
    if (!h) return;
    ct_allocator allocator = h->allocator;
    ct_delete(&allocator, h, sizeof *h);
}
