/* random.h: Philox4x32-10 in sixteen lanes, and dropout made of it.
 *
 * A stream is a key and three counter words (sample, step low, step high); the first counter word is the
 * block. Element i of the stream is word (i / 16) % 4 of block i / 64 * 16 + i % 16: a group of 64 elements
 * takes sixteen neighbouring blocks, one a lane, and each word of them lies where its lane is, so nothing
 * is shuffled. */
#ifndef CT_KERN_RANDOM_H
#define CT_KERN_RANDOM_H

#include "kern/simd.h"

typedef struct ct__stream {
    uint32_t key[2];
    uint32_t counter[3]; /* words 1, 2, 3 */
    uint32_t reserved;
} ct__stream;

typedef struct ct__random_table {
    /* Elements 0..n-1. */
    void (*words)(const ct__stream *s, int64_t n, uint32_t *out);
    /* y[i] = x[i] * (element i >= threshold ? scale : 0); y may be x. */
    void (*drop)(const ct__stream *s, int64_t n, uint32_t threshold, float scale, const float *x, float *y);
} ct__random_table;

#endif
