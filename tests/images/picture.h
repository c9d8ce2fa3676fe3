/* picture.h: small pictures that the scripts beside it make by the same rule. */
#ifndef CT_TESTS_PICTURE_H
#define CT_TESTS_PICTURE_H

#include <stdint.h>
#include <stdlib.h>

/* [C,H,W]: noise, black and white, or slopes with some noise; free() it. */
static inline uint8_t *test_picture(uint64_t seed, int64_t c, int64_t h, int64_t w) {
    uint8_t *p = malloc((size_t)(c * h * w) + 1);
    for (int64_t i = 0; p && i < c * h * w; i++) {
        uint64_t x = seed * 0x9E3779B97F4A7C15ull + (uint64_t)i * 0xBF58476D1CE4E5B9ull;
        x ^= x >> 31;
        x *= 0x94D049BB133111EBull;
        x ^= x >> 29;
        int64_t b = (int64_t)(x >> 56), across = i % w, down = i / w % h, channel = i / (w * h);
        if (seed % 3 == 1) b = b > 127 ? 255 : 0;
        if (seed % 3 == 2) b = (3 * across + 2 * down) * (1 + channel) % 200 + b % 40;
        p[i] = (uint8_t)b;
    }
    return p;
}

#endif
