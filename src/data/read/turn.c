/* turn.c: EXIF orientation. A camera writes pixels as its sensor has them and a number from 1 to 8 that says how
 * to hold the picture; the turn is undone when the picture is read, so that nothing after it has to know. */
#include "data/read/picture.h"

static uint32_t number(const uint8_t *p, int bytes, int little) {
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | p[little ? bytes - 1 - i : i];
    return v;
}

/* A TIFF header, the first directory, the entry 0x0112. Whatever is odd says nothing. */
int32_t ct__exif_turn(const uint8_t *t, uint64_t bytes) {
    if (bytes < 14 || t[0] != t[1] || (t[0] != 'I' && t[0] != 'M')) return 1;
    int little = t[0] == 'I';
    uint64_t at = number(t + 4, 4, little);
    if (number(t + 2, 2, little) != 42 || at > bytes - 2) return 1;
    uint32_t entries = number(t + at, 2, little);
    at += 2;
    for (uint32_t i = 0; i < entries && at + 12 <= bytes; i++, at += 12) {
        if (number(t + at, 2, little) != 0x0112) continue;
        uint32_t v = number(t + at + 8, 2, little);
        return number(t + at + 2, 2, little) == 3 && v >= 1 && v <= 8 ? (int32_t)v : 1;
    }
    return 1;
}

void ct__turn_planes(const uint8_t *in, int64_t c, int64_t h, int64_t w, int32_t turn, uint8_t *out) {
    int sideways = turn >= 5, flip_x = turn == 2 || turn == 3 || turn == 7 || turn == 8,
        flip_y = turn == 3 || turn == 4 || turn == 6 || turn == 7;
    int64_t out_h = sideways ? w : h, out_w = sideways ? h : w;
    for (int64_t k = 0; k < c; k++, in += h * w)
        for (int64_t y = 0; y < out_h; y++)
            for (int64_t x = 0; x < out_w; x++) {
                int64_t from_x = sideways ? y : x, from_y = sideways ? x : y;
                if (flip_x) from_x = w - 1 - from_x;
                if (flip_y) from_y = h - 1 - from_y;
                *out++ = in[from_y * w + from_x];
            }
}
