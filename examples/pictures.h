/* pictures.h: what photos.c and frames.c work on when they are given nothing: folders of small pictures, one a class, of
 * lines across and of lines down, as .npy files. */
#ifndef PICTURES_H
#define PICTURES_H

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cotan/data.h"

enum { SIDE = 24, EACH = 120 };

/* Interleaved [SIDE,SIDE,3]. */
static inline void draw(uint8_t *rgb, int down, uint64_t number) {
    ct_random r = ct_random_stream(number, (uint64_t)down);
    int period = 2 + (int)ct_random_below(&r, 4), phase = (int)ct_random_below(&r, 8);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int on = ((down ? x : y) + phase) / period % 2;
            for (int c = 0; c < 3; c++) *rgb++ = (uint8_t)(on * 120 + 40 + (int)ct_random_below(&r, 60));
        }
}

static inline ct_status make_pictures(const char *folder, ct_err *e) {
    static const char *const names[] = {"across", "down"};
    uint8_t rgb[SIDE * SIDE * 3];
    char path[300];
    ct_array picture = ct_array_view(rgb, CT_U8, CT_SHAPE(SIDE, SIDE, 3));
    ct_status s = CT_OK;
    mkdir(folder, 0755);
    for (int i = 0; i < 2 * EACH && !s; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i % 2]);
        mkdir(path, 0755);
        snprintf(path, sizeof path, "%s/%s/%03d.npy", folder, names[i % 2], i / 2);
        draw(rgb, i % 2, (uint64_t)i);
        s = ct_npy_save(NULL, NULL, path, &picture, e);
    }
    return s;
}

#endif
