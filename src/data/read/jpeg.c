/* jpeg.c: JPEG by libjpeg-turbo, with the exact inverse transform and smooth chroma, its defaults elsewhere too, so
 * that the pixels are those that other programs show. The walk in jpeg_markers.c comes first. */
#include <string.h>
#include <turbojpeg.h>

#include "data/read/jpeg.h"

static int is_jpeg(const uint8_t *d, uint64_t n) { return n >= 3 && memcmp(d, "\xff\xd8\xff", 3) == 0; }

static void free_decoder(void *handle) { tjDestroy(handle); }

/* A decoder is kept by the scratch: making one costs as much as a small picture. */
static tjhandle decoder(ct__pic *p) {
    if (!p->scratch->decoder) {
        p->scratch->decoder = tjInitDecompress();
        p->scratch->decoder_free = free_decoder;
    }
    return p->scratch->decoder;
}

/* What libjpeg warns of and goes on: missing or false pixels that it had to guess. The rest (bytes too many, restart
 * markers out of order, after which it finds its place again, odd versions) is a warning here too. */
static int is_guessed(const char *warning) {
    return strstr(warning, "premature end") || strstr(warning, "Premature end") ||
           strstr(warning, "bad Huffman");
}

static ct_status decode(ct__pic *p) {
    tjhandle h = decoder(p);
    int64_t row = p->info.width * p->samples;
    uint8_t *rows = h ? ct__room(p->scratch, CT__ROOM_ROWS, (uint64_t)(row * p->info.height), p->e) : NULL;
    if (!rows)
        return h ? CT_ELIMIT : ct_fail_at(p->e, CT_ELIMIT, p->name, -1, "out of memory for libjpeg-turbo");
    int failed =
        tjDecompress2(h, p->data, (unsigned long)p->bytes, rows, (int)p->info.width, (int)row,
                      (int)p->info.height, p->samples == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT);
    if (failed) {
        const char *text = tjGetErrorStr2(h);
        int warned = tjGetErrorCode(h) == TJERR_WARNING;
        if (!warned || (is_guessed(text) && !p->o.accept_cut))
            return ct_fail_at(p->e, strstr(text, "memory") ? CT_ELIMIT : CT_EDATA, p->name, -1,
                              "JPEG: %.200s; wanted a whole picture; fetch the file again", text);
        ct__pic_warn(p, text);
    }
    for (int64_t y = 0; y < p->info.height; y++) ct__store_row(p, y, rows + y * row);
    return CT_OK;
}

const ct__decoder ct__decode_jpeg = {CT_PICTURE_JPEG, "JPEG", is_jpeg, ct__jpeg_probe, decode};
