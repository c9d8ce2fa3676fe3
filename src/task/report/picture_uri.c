/* picture_uri.c: PNG by hand (signature, IHDR, one IDAT of rows without filters through zlib, IEND), JPEG by
 * libjpeg-turbo, base64. */
#include "task/report/picture_uri.h"

#include <string.h>
#include <turbojpeg.h>
#include <zlib.h>

static void base64(ct_text *t, const uint8_t *data, size_t n) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)data[i] << 16 | (i + 1 < n ? (uint32_t)data[i + 1] << 8 : 0) |
                     (i + 2 < n ? data[i + 2] : 0);
        char out[4] = {digit[v >> 18], digit[v >> 12 & 63], i + 1 < n ? digit[v >> 6 & 63] : '=',
                       i + 2 < n ? digit[v & 63] : '='};
        ct_text_bytes(t, out, 4);
    }
}

/* [C,H,W] -> rows of interleaved samples, `lead` bytes of zeros before each. */
static uint8_t *interleave(const ct_allocator *a, const uint8_t *planes, int64_t c, int64_t h, int64_t w,
                           int64_t lead) {
    uint8_t *rows = ct_new_array(a, (uint64_t)(h * (w * c + lead)) + 1, 1);
    for (int64_t y = 0; rows && y < h; y++)
        for (int64_t x = 0; x < w; x++)
            for (int64_t k = 0; k < c; k++)
                rows[y * (w * c + lead) + lead + x * c + k] = planes[(k * h + y) * w + x];
    return rows;
}

static void put_u32(ct_text *t, uint32_t v) {
    char b[4] = {(char)(v >> 24), (char)(v >> 16 & 255), (char)(v >> 8 & 255), (char)(v & 255)};
    ct_text_bytes(t, b, 4);
}
static void put_chunk(ct_text *t, const char type[4], const uint8_t *data, size_t n) {
    uLong crc = crc32(crc32(0, (const Bytef *)type, 4), data, (uInt)n);
    put_u32(t, (uint32_t)n);
    ct_text_bytes(t, type, 4);
    if (n) ct_text_bytes(t, (const char *)data, n);
    put_u32(t, (uint32_t)crc);
}

void ct__png_uri(ct_text *t, const uint8_t *planes, int64_t channels, int64_t h, int64_t w) {
    const ct_allocator *a = t->allocator;
    size_t bytes = (size_t)(h * (w * channels + 1));
    uLong room = compressBound((uLong)bytes), packed = room;
    uint8_t *rows = interleave(a, planes, channels, h, w, 1), *z = ct_new(a, room),
            head[13] = {0,
                        0,
                        (uint8_t)(w >> 8),
                        (uint8_t)w,
                        0,
                        0,
                        (uint8_t)(h >> 8),
                        (uint8_t)h,
                        8,
                        channels == 1   ? 0
                        : channels == 3 ? 2
                                        : 6,
                        0,
                        0,
                        0};
    ct_text png = {.allocator = a};
    int ok = rows && z && w < 65536 && h < 65536 && compress2(z, &packed, rows, (uLong)bytes, 9) == Z_OK;
    if (ok) {
        ct_text_bytes(&png, "\x89PNG\r\n\x1a\n", 8);
        put_chunk(&png, "IHDR", head, sizeof head);
        put_chunk(&png, "IDAT", z, packed);
        put_chunk(&png, "IEND", head, 0);
        ct_text_add(t, "data:image/png;base64,");
        if (!png.failed) base64(t, (const uint8_t *)png.data, png.length);
    }
    t->failed |= !ok || png.failed;
    ct_text_free(&png);
    ct_delete(a, rows, bytes + 1);
    ct_delete(a, z, room);
}

void ct__jpeg_uri(ct_text *t, const uint8_t *planes, int64_t channels, int64_t h, int64_t w, int quality) {
    const ct_allocator *a = t->allocator;
    uint8_t *rows = interleave(a, planes, channels, h, w, 0);
    unsigned char *jpeg = NULL;
    unsigned long bytes = 0;
    tjhandle turbo = tjInitCompress();
    int grey = channels == 1,
        ok = rows && turbo &&
             tjCompress2(turbo, rows, (int)w, 0, (int)h, grey ? TJPF_GRAY : TJPF_RGB, &jpeg, &bytes,
                         grey ? TJSAMP_GRAY : TJSAMP_420, quality, TJFLAG_ACCURATEDCT) == 0;
    if (ok) {
        ct_text_add(t, "data:image/jpeg;base64,");
        base64(t, jpeg, bytes);
    }
    t->failed |= !ok;
    tjFree(jpeg);
    if (turbo) tjDestroy(turbo);
    ct_delete(a, rows, (size_t)(h * w * channels) + 1);
}
