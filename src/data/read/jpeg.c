/* jpeg.c: JPEG by libjpeg-turbo, with the exact inverse transform and smooth chroma, its defaults elsewhere too, so
 * that the pixels are those that other programs show. The walk in jpeg_markers.c comes first. */
#include <stdio.h>
#include <string.h>
#include <turbojpeg.h>

#include "data/read/jpeg.h"

static int is_jpeg(const uint8_t *d, uint64_t n) { return n >= 3 && memcmp(d, "\xff\xd8\xff", 3) == 0; }

static void free_decoder(void *handle) { tjDestroy(handle); }

/* A decoder is kept by the scratch: making one costs as much as a small picture. It also keeps the tables of the
 * picture before, so one that does not bring all it uses gets a new decoder: without Huffman tables, as the frames of
 * Motion JPEG are, it is read with the standard ones, and without quantisation tables it is refused. */
static tjhandle decoder(ct__pic *p) {
    ct_scratch *s = p->scratch;
    if (s->decoder && p->lacks_tables) {
        s->decoder_free(s->decoder);
        s->decoder = NULL;
    }
    if (!s->decoder) {
        s->decoder = tjInitDecompress();
        s->decoder_free = free_decoder;
    }
    return s->decoder;
}

/* Of what libjpeg warns and goes on, that which leaves every pixel as it was meant: odd versions, selections that
 * sequential coding ignores, bytes too many at the end; and, by our rule, restart markers out of order, after which it
 * finds its place again. Behind anything else are pixels that it had to guess. */
static int is_harmless(const char *warning) {
    static const char *const texts[] = {"unknown JFIF revision", "Unknown Adobe color transform",
                                        "Invalid SOS parameters for sequential",
                                        "extraneous bytes before marker 0xd9", "instead of RST"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strstr(warning, texts[i])) return 1;
    return 0;
}

static int run(ct__pic *p, tjhandle h, uint8_t *rows, int flags) {
    int64_t row = p->info.width * p->samples;
    return tjDecompress2(h, p->data, (unsigned long)p->bytes, rows, (int)p->info.width, (int)row,
                         (int)p->info.height, p->samples == 1 ? TJPF_GRAY : TJPF_RGB,
                         TJFLAG_ACCURATEDCT | flags);
}

static ct_status refuse(ct__pic *p, const char *text) {
    return ct_fail_at(p->e, strstr(text, "memory") ? CT_ELIMIT : CT_EDATA, p->name, -1,
                      "JPEG: %.200s; wanted a whole picture; fetch the file again", text);
}

/* The decoder stops at its first warning, as of several it tells the first alone. Where that one may pass the picture
 * is decoded again to the end; another text then is an error that came after it. What remains unseen is a guess behind a
 * warning that may pass. */
static ct_status decode(ct__pic *p) {
    char first[256];
    tjhandle h = decoder(p);
    int64_t row = p->info.width * p->samples;
    if (!h) return ct_fail_at(p->e, CT_ELIMIT, p->name, -1, "out of memory for libjpeg-turbo");
    uint8_t *rows = ct__room(p->scratch, CT__ROOM_ROWS, (uint64_t)(row * p->info.height), p->e);
    if (!rows) return CT_ELIMIT;
    if (run(p, h, rows, TJFLAG_STOPONWARNING)) {
        snprintf(first, sizeof first, "%s", tjGetErrorStr2(h));
        int warned = tjGetErrorCode(h) == TJERR_WARNING;
        if (!warned || !(is_harmless(first) || p->o.accept_cut)) return refuse(p, first);
        if (!(h = decoder(p)))
            return ct_fail_at(p->e, CT_ELIMIT, p->name, -1, "out of memory for libjpeg-turbo");
        if (run(p, h, rows, 0) && strcmp(tjGetErrorStr2(h), first) != 0) return refuse(p, tjGetErrorStr2(h));
        ct__pic_warn(p, first);
    }
    for (int64_t y = 0; y < p->info.height; y++) ct__store_row(p, y, rows + y * row);
    return CT_OK;
}

const ct__decoder ct__decode_jpeg = {CT_PICTURE_JPEG, "JPEG", is_jpeg, ct__jpeg_probe, decode};
