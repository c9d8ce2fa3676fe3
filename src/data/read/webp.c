/* webp.c: WebP by libwebp, lossy and lossless; animations are refused. */
#include <string.h>
#include <webp/decode.h>

#include "data/read/picture.h"

static int is_webp(const uint8_t *d, uint64_t n) {
    return n >= 12 && memcmp(d, "RIFF", 4) == 0 && memcmp(d + 8, "WEBP", 4) == 0;
}

static const char *why(VP8StatusCode code) {
    switch (code) {
        case VP8_STATUS_OUT_OF_MEMORY:
            return "out of memory";
        case VP8_STATUS_NOT_ENOUGH_DATA:
            return "cut short";
        case VP8_STATUS_UNSUPPORTED_FEATURE:
            return "a feature that is not read";
        default:
            return "broken WebP data";
    }
}

/* The chunks of the RIFF list, for EXIF; what passes the end is the decoder's to refuse. */
static int32_t find_turn(const uint8_t *d, uint64_t n) {
    for (uint64_t at = 12; at + 8 <= n;) {
        uint64_t size = (uint64_t)d[at + 4] | (uint64_t)d[at + 5] << 8 | (uint64_t)d[at + 6] << 16 |
                        (uint64_t)d[at + 7] << 24;
        if (size > n - at - 8) return 1;
        if (memcmp(d + at, "EXIF", 4) == 0) {
            int prefix = size > 6 && memcmp(d + at + 8, "Exif\0", 6) == 0;
            return ct__exif_turn(d + at + 8 + (prefix ? 6 : 0), size - (prefix ? 6 : 0));
        }
        at += 8 + size + size % 2;
    }
    return 1;
}

static ct_status probe(ct__pic *p) {
    WebPBitstreamFeatures f;
    const uint8_t *d = p->data;
    uint64_t listed = (uint64_t)d[4] | (uint64_t)d[5] << 8 | (uint64_t)d[6] << 16 | (uint64_t)d[7] << 24;
    if (listed + 8 > p->bytes + 1) /* a last byte of padding may be missing */
        return ct_fail_at(p->e, CT_EDATA, p->name, 4,
                          "WebP: %llu bytes; wanted %llu by its header; fetch the file again",
                          (unsigned long long)p->bytes, (unsigned long long)listed + 8);
    VP8StatusCode code = WebPGetFeatures(p->data, (size_t)p->bytes, &f);
    if (code != VP8_STATUS_OK)
        return ct_fail_at(p->e, CT_EDATA, p->name, 12, "%s; wanted a whole WebP; fetch the file again",
                          why(code));
    if (f.has_animation)
        return ct_fail_at(p->e, CT_EDATA, p->name, 12,
                          "an animated WebP; wanted one picture; take a frame out of it");
    p->info.width = f.width;
    p->info.height = f.height;
    p->info.channels = 3;
    p->info.depth = 8;
    p->info.alpha = f.has_alpha != 0;
    p->info.turn = find_turn(p->data, p->bytes);
    p->samples = f.has_alpha ? 4 : 3;
    return CT_OK;
}

static ct_status decode(ct__pic *p) {
    WebPDecoderConfig config;
    uint64_t row = (uint64_t)p->info.width * (uint64_t)p->samples, all = row * (uint64_t)p->info.height;
    uint8_t *rows = ct__room(p->scratch, CT__ROOM_ROWS, all, p->e);
    if (!rows) return CT_ELIMIT;
    if (!WebPInitDecoderConfig(&config))
        return ct_fail(p->e, CT_EINTERNAL,
                       "libwebp: found another version; wanted the one this was built for; install it");
    config.output.colorspace = p->samples == 4 ? MODE_RGBA : MODE_RGB;
    config.output.u.RGBA.rgba = rows;
    config.output.u.RGBA.stride = (int)row;
    config.output.u.RGBA.size = (size_t)all;
    config.output.is_external_memory = 1;
    VP8StatusCode code = WebPDecode(p->data, (size_t)p->bytes, &config);
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return ct_fail_at(p->e, CT_ELIMIT, p->name, 0, "out of memory for %lld x %lld pixels",
                          (long long)p->info.width, (long long)p->info.height);
    if (code != VP8_STATUS_OK)
        return ct_fail_at(p->e, CT_EDATA, p->name, 12, "%s; wanted a whole WebP; fetch the file again",
                          why(code));
    for (int64_t y = 0; y < p->info.height; y++) ct__store_row(p, y, rows + (uint64_t)y * row);
    return CT_OK;
}

const ct__decoder ct__decode_webp = {CT_PICTURE_WEBP, "WebP", is_webp, probe, decode};
