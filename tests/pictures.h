/* pictures.h: a small data set of idx files for tests: K kinds of bars in noise, C x S x S bytes. */
#ifndef CT_TESTS_PICTURES_H
#define CT_TESTS_PICTURES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cotan/base.h"

static inline void pictures_u32(FILE *f, uint32_t v) {
    unsigned char b[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                          (unsigned char)v};
    fwrite(b, 1, 4, f);
}

/* Writes NAME-images-idx3-ubyte and NAME-labels-idx1-ubyte; 1: written. */
static inline int pictures_part(const char *folder, const char *name, uint32_t count, uint32_t side,
                                uint64_t seed) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", folder, name);
    FILE *x = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", folder, name);
    FILE *y = fopen(path, "wb");
    if (!x || !y) return 0;
    ct_random r = ct_random_stream(seed, 0);
    pictures_u32(x, 0x803), pictures_u32(x, count), pictures_u32(x, side), pictures_u32(x, side);
    pictures_u32(y, 0x801), pictures_u32(y, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kind = (uint32_t)ct_random_below(&r, 4), at = (uint32_t)ct_random_below(&r, side);
        for (uint32_t k = 0; k < side * side; k++) {
            uint32_t row = k / side, column = k % side;
            int on = kind == 0   ? row == at
                     : kind == 1 ? column == at
                     : kind == 2 ? (row + column) % side == at
                                 : (row + side - column) % side == at;
            fputc((int)ct_random_below(&r, 80) + (on ? 150 : 0), x);
        }
        fputc((int)kind, y);
    }
    return fclose(x) == 0 && fclose(y) == 0;
}

static inline int pictures(const char *folder, uint32_t train, uint32_t test, uint32_t side) {
    mkdir(folder, 0777);
    return pictures_part(folder, "train", train, side, 1) && pictures_part(folder, "t10k", test, side, 2);
}

#endif
