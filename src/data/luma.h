/* luma.h: grey of colour, one formula for readers and transforms. */
#ifndef CT_DATA_LUMA_H
#define CT_DATA_LUMA_H

#include <stdint.h>

/* L = (19595 R + 38470 G + 7471 B + 2^15) >> 16: ITU-R 601-2 in 16 bits, as Pillow has it. */
static inline uint8_t ct__luma(uint32_t r, uint32_t g, uint32_t b) {
    return (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
}

#endif
