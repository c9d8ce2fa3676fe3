/* folder.h: folders of small PNG files for tests. */
#ifndef CT_TESTS_FOLDER_H
#define CT_TESTS_FOLDER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Every folder on the way to `path`. */
static inline void folder_make(const char *path) {
    char part[700];
    for (size_t i = 1; path[i]; i++)
        if (path[i] == '/') {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            mkdir(part, 0755);
        }
}

static inline int folder_put(const char *path, const void *data, size_t n) {
    folder_make(path);
    FILE *f = fopen(path, "wb");
    if (!f) return 0;
    int ok = fwrite(data, 1, n, f) == n;
    return !fclose(f) && ok;
}

static inline void png_u32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline size_t png_chunk(uint8_t *to, const char *type, const uint8_t *data, size_t n) {
    png_u32(to, (uint32_t)n);
    memcpy(to + 4, type, 4);
    if (n) memcpy(to + 8, data, n);
    png_u32(to + 8 + n, (uint32_t)crc32(0, to + 4, (uInt)n + 4));
    return n + 12;
}

/* Planes [C,H,W], C 1 or 3, as a PNG file; the bytes are malloc'ed. */
static inline uint8_t *png_of(const uint8_t *x, int c, int h, int w, size_t *bytes) {
    size_t raw_n = (size_t)(h * (1 + c * w)), at = 8;
    uLongf packed_n = compressBound(raw_n);
    uint8_t *raw = calloc(1, raw_n), *packed = malloc(packed_n), *out = malloc(packed_n + 100), head[13];
    for (int y = 0; y < h; y++)
        for (int i = 0; i < w * c; i++) raw[y * (1 + c * w) + 1 + i] = x[(i % c * h + y) * w + i / c];
    compress2(packed, &packed_n, raw, raw_n, 6);
    memcpy(out, "\x89PNG\r\n\x1a\n", 8);
    png_u32(head, (uint32_t)w);
    png_u32(head + 4, (uint32_t)h);
    memcpy(head + 8, c == 1 ? "\x08\0\0\0\0" : "\x08\x02\0\0\0", 5);
    at += png_chunk(out + at, "IHDR", head, 13);
    at += png_chunk(out + at, "IDAT", packed, packed_n);
    at += png_chunk(out + at, "IEND", NULL, 0);
    free(raw);
    free(packed);
    *bytes = at;
    return out;
}

static inline int folder_png(const char *path, const uint8_t *x, int c, int h, int w) {
    size_t n;
    uint8_t *data = png_of(x, c, h, w, &n);
    int ok = folder_put(path, data, n);
    free(data);
    return ok;
}

static inline void folder_remove(const char *path) {
    char command[800];
    snprintf(command, sizeof command, "chmod -R u+rwx '%s' 2>/dev/null; rm -rf '%s'", path, path);
    if (system(command)) fprintf(stderr, "%s stays\n", path);
}

#endif
