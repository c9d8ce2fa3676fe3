/* lanes.h: sixteen bytes at a time, for each set of instructions: the two passes of a resize (resample.c says how they
 * compute) and planes from interleaved colour. Integers throughout, so the same bits everywhere. */
#ifndef CT_DATA_LANES_H
#define CT_DATA_LANES_H

#include <stdint.h>

#define CT__LANES 16
#define CT__WEIGHT_BITS 22

typedef struct ct__taps {            /* of one axis */
    int64_t out, most;               /* results; the most pixels that one of them reads */
    int32_t *first, *count, *weight; /* [out], [out], [out, most] */
} ct__taps;

typedef struct ct__lanes {
    /* Rows of w bytes at `pitch` -> [t->out, w]. */
    void (*columns)(const ct__taps *t, const uint8_t *in, int64_t pitch, int64_t w, uint8_t *out);
    /* Sixteen rows of w bytes at `pitch` -> sixteen rows of t->out. side: room for 16 (w + t->out). */
    void (*rows)(const ct__taps *t, const uint8_t *in, int64_t pitch, int64_t w, uint8_t *side, uint8_t *out);
    /* n pixels of three bytes -> three planes, `plane` bytes apart. */
    void (*planes)(const uint8_t *in, int64_t n, int64_t plane, uint8_t *out);
} ct__lanes;

/* wanted: 0 what the CPU has; 1 baseline, 2 AVX2, 3 AVX-512, if it has them. */
const ct__lanes *ct__lanes_of(int32_t wanted);

#endif
