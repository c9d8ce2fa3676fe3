/* npy_picture.c: a picture that NumPy saved: u8 [H,W], [H,W,C] or [C,H,W] with one or three channels. Where
 * both ends could be the channels, the last one is. */
#include <string.h>

#include "data/read/picture.h"

static int is_npy(const uint8_t *d, uint64_t n) { return n >= 6 && memcmp(d, "\x93NUMPY", 6) == 0; }

static int is_channels(int64_t n) { return n == 1 || n == 3; }

/* From the header alone, so that limits hold before memory is taken. */
static ct_status probe(ct__pic *p) {
    ct_dtype dtype;
    ct_shape x;
    ct_status s = ct_npy_probe(p->data, p->bytes, p->name, &dtype, &x, p->e);
    if (s) return s;
    int last = x.rank == 3 && is_channels(x.dim[2]), planar = x.rank == 3 && !last;
    if (dtype != CT_U8 || !(x.rank == 2 || last || (planar && is_channels(x.dim[0]))))
        return ct_fail_at(
            p->e, CT_EDATA, p->name, 0,
            "%s with %d dimensions; wanted a picture: u8 [H,W], [H,W,C] or [C,H,W], C 1 or 3; save it as one",
            ct_dtype_name(dtype), x.rank);
    p->samples = x.rank == 2 ? 1 : (int32_t)x.dim[last ? 2 : 0];
    p->info.height = x.dim[planar ? 1 : 0];
    p->info.width = x.dim[planar ? 2 : 1];
    p->info.channels = p->samples;
    p->info.depth = 8;
    return CT_OK;
}

static ct_status decode(ct__pic *p) {
    ct_array x;
    ct_status s = ct_npy_parse(p->scratch->allocator, p->data, p->bytes, p->name, &x, p->e);
    if (s) return s;
    int planar = x.rank == 3 && !is_channels(x.dim[2]);
    int64_t w = p->info.width, plane = p->info.height * w, n = p->samples;
    uint8_t *row = ct__room(p->scratch, CT__ROOM_ROWS, (uint64_t)(w * n), p->e);
    for (int64_t y = 0; row && y < p->info.height; y++) {
        const uint8_t *from = x.data;
        if (planar)
            for (int64_t i = 0; i < w * n; i++) row[i] = from[i % n * plane + y * w + i / n];
        else
            memcpy(row, from + y * w * n, (size_t)(w * n));
        ct__store_row(p, y, row);
    }
    ct_array_free(&x);
    return row ? CT_OK : CT_ELIMIT;
}

const ct__decoder ct__decode_npy = {CT_PICTURE_NPY, ".npy", is_npy, probe, decode};
