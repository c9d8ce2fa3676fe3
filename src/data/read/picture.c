/* picture.c: one picture file: which format its bytes are, its limits, and the planes that everything after
 * works on. A decoder gives rows of interleaved values; here they become planes, alpha is laid on the
 * background, grey becomes colour or colour grey, and the turn that EXIF asks for is undone. */
#include "data/luma.h"
#include "data/read/picture.h"
#include "data/transform/lanes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const ct__decoder *const decoders[] = {&ct__decode_png, &ct__decode_jpeg, &ct__decode_webp,
                                              &ct__decode_npy};
#define DECODERS (sizeof decoders / sizeof *decoders)
#define READ "PNG, JPEG, WebP or .npy"

const char *ct_picture_format_name(int32_t format) {
    for (size_t i = 0; i < DECODERS; i++)
        if (decoders[i]->format == format) return decoders[i]->name;
    return "?";
}

/* ---- what it is ---- */

static const struct { /* formats that are refused by name; '?' is any byte */
    const char *name, *magic;
    uint32_t bytes;
} others[] = {
    {"a GIF", "GIF8", 4},
    {"a BMP", "BM", 2},
    {"a TIFF", "II*\0", 4},
    {"a TIFF", "MM\0*", 4},
    {"a HEIC", "????ftypheic", 12},
    {"a HEIC", "????ftypheix", 12},
    {"a HEIC", "????ftyphevc", 12},
    {"a HEIF", "????ftypmif1", 12},
    {"an AVIF", "????ftypavif", 12},
    {"an AVIF", "????ftypavis", 12},
    {"a JPEG XL", "\xff\x0a", 2},
    {"a JPEG XL", "\0\0\0\x0cJXL ", 8},
    {"a JPEG 2000", "\0\0\0\x0cjP  ", 8},
    {"a JPEG 2000", "\xff\x4f\xff\x51", 4},
    {"a Photoshop file", "8BPS", 4},
    {"a PDF", "%PDF", 4},
    {"an SVG", "<svg", 4},
    {"an icon", "\0\0\1\0", 4},
};

static const char *other_format(const uint8_t *data, uint64_t bytes) {
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        uint32_t k = 0, n = others[i].bytes;
        if (bytes < n) continue;
        while (k < n && (others[i].magic[k] == '?' || (uint8_t)others[i].magic[k] == data[k])) k++;
        if (k == n) return others[i].name;
    }
    return NULL;
}

static const ct__decoder *decoder_of(const uint8_t *data, uint64_t bytes) {
    for (size_t i = 0; i < DECODERS; i++)
        if (decoders[i]->is(data, bytes)) return decoders[i];
    return NULL;
}

static int has_picture_name(const char *path) {
    static const char *const endings[] = {"png",  "jpg",  "jpeg", "jpe",  "jfif", "webp", "gif", "bmp", "tif",
                                          "tiff", "heic", "heif", "avif", "jxl",  "jp2",  "npy", "apng"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0) return 1;
    return 0;
}

int ct_picture_likely(const char *path, const void *head, uint64_t bytes) {
    return decoder_of(head, bytes) || other_format(head, bytes) || (path && has_picture_name(path));
}

static ct_status unknown(const ct__pic *p) {
    const char *other = other_format(p->data, p->bytes);
    if (p->bytes == 0)
        return ct_fail_at(p->e, CT_EDATA, p->name, 0, "0 bytes; wanted " READ "; fetch the file again");
    if (other) return ct_fail_at(p->e, CT_EDATA, p->name, 0, "found %s; wanted " READ "; convert it", other);
    int text = 1;
    for (uint64_t i = 0; i < p->bytes && i < 64; i++)
        text &= p->data[i] >= 32 || p->data[i] == '\n' || p->data[i] == '\r' || p->data[i] == '\t';
    return ct_fail_at(p->e, CT_EDATA, p->name, 0, "found %s; wanted " READ "; take it out, or fetch it again",
                      text ? "text" : "bytes that begin no picture");
}

ct_status ct__pic_limit(const ct__pic *p, uint64_t width, uint64_t height, int64_t at) {
    uint64_t limit = p->o.max_pixels > 0 ? (uint64_t)p->o.max_pixels : CT_PICTURE_PIXELS;
    if (width == 0 || height == 0)
        return ct_fail_at(p->e, CT_EDATA, p->name, at,
                          "%llu x %llu pixels; wanted at least one; fetch the file again",
                          (unsigned long long)width, (unsigned long long)height);
    if (width > limit / height)
        return ct_fail_at(
            p->e, CT_ELIMIT, p->name, at,
            "%llu x %llu pixels; wanted at most %llu in all; make it smaller, or raise the limit",
            (unsigned long long)width, (unsigned long long)height, (unsigned long long)limit);
    return CT_OK;
}

void ct__pic_warn(ct__pic *p, const char *text) {
    if (p->info.warnings++ == 0) snprintf(p->info.warning, sizeof p->info.warning, "%s", text);
}

static ct_status begin(ct__pic *p, const void *data, uint64_t bytes, const char *name,
                       const ct_picture_options *o, const ct__decoder **decoder, ct_err *e) {
    memset(p, 0, sizeof *p);
    p->data = data;
    p->bytes = bytes;
    p->name = name;
    p->e = e;
    if (o) p->o = *o;
    if (p->o.channels != 0 && p->o.channels != 1 && p->o.channels != 3)
        return ct_fail(e, CT_EUSAGE, "pictures: %d channels asked for; wanted 0, 1 or 3; choose one",
                       p->o.channels);
    *decoder = decoder_of(data, bytes);
    if (!*decoder) return unknown(p);
    p->info.format = (*decoder)->format;
    p->info.turn = 1;
    ct_status s = (*decoder)->probe(p);
    if (!s) s = ct__pic_limit(p, (uint64_t)p->info.width, (uint64_t)p->info.height, 0);
    if (s) return s;
    int32_t b = p->o.background,
            coloured = b && !((b >> 16 & 255) == (b >> 8 & 255) && (b >> 8 & 255) == (b & 255));
    if (p->info.alpha && coloured) p->info.channels = 3;
    p->channels = p->o.channels ? p->o.channels : p->info.channels;
    return CT_OK;
}

/* ---- rows ---- */

static uint8_t over(uint32_t value, uint32_t alpha, uint32_t behind) {
    return (uint8_t)((value * alpha + behind * (255 - alpha) + 127) / 255);
}

/* Grey, or grey with alpha, on one plane or three. */
static void store_grey(const ct__pic *p, const uint8_t *row, uint8_t *to, const uint8_t back[3]) {
    int64_t plane = p->info.width * p->info.height;
    for (int64_t x = 0; x < p->info.width; x++) {
        uint32_t v = row[x * p->samples], alpha = p->samples == 2 ? row[2 * x + 1] : 255;
        if (p->channels == 3)
            for (int64_t c = 0; c < 3; c++) to[c * plane + x] = over(v, alpha, back[c]);
        else
            to[x] = over(v, alpha, ct__luma(back[0], back[1], back[2]));
    }
}

static void store_colour(const ct__pic *p, const uint8_t *row, uint8_t *to, const uint8_t back[3]) {
    int64_t plane = p->info.width * p->info.height, w = p->info.width;
    if (p->samples == 3 && p->channels == 3) {
        ct__lanes_of(0)->planes(row, w, plane, to);
        return;
    }
    for (int64_t x = 0; x < w; x++, row += p->samples) {
        uint32_t alpha = p->samples == 4 ? row[3] : 255;
        uint8_t v[3];
        for (int c = 0; c < 3; c++) v[c] = over(row[c], alpha, back[c]);
        if (p->channels == 1)
            to[x] = ct__luma(v[0], v[1], v[2]);
        else
            for (int64_t c = 0; c < 3; c++) to[c * plane + x] = v[c];
    }
}

void ct__store_row(const ct__pic *p, int64_t y, const uint8_t *row) {
    int32_t b = p->o.background ? p->o.background : CT_RGB(255, 255, 255);
    uint8_t back[3] = {(uint8_t)(b >> 16 & 255), (uint8_t)(b >> 8 & 255), (uint8_t)(b & 255)};
    uint8_t *to = p->planes + y * p->info.width;
    if (p->samples == 1 && p->channels == 1)
        memcpy(to, row, (size_t)p->info.width);
    else if (p->samples <= 2)
        store_grey(p, row, to, back);
    else
        store_colour(p, row, to, back);
}

/* ---- all of it ---- */

static uint8_t *room_for(ct__pic *p, int slot, const ct_allocator *a, ct_array *out, int64_t h, int64_t w) {
    uint64_t n = (uint64_t)p->channels * (uint64_t)h * (uint64_t)w; /* under 3 x the limit */
    if (!out) return ct__room(p->scratch, slot, n + 64, p->e);
    return ct_array_new(a, CT_U8, CT_SHAPE(p->channels, h, w), out, p->e) ? NULL : out->data;
}

ct_status ct__picture_decode(ct_scratch *scratch, const void *data, uint64_t bytes, const char *name,
                             const ct_picture_options *o, const ct_allocator *a, ct_array *out,
                             uint8_t **planes, int64_t shape[3], ct_picture_info *info, ct_err *e) {
    ct__pic p;
    const ct__decoder *decoder = NULL;
    ct_status s = begin(&p, data, bytes, name, o, &decoder, e);
    if (s) return s;
    p.scratch = scratch;
    int64_t h = p.info.height, w = p.info.width;
    int turned = p.info.turn != 1, sideways = p.info.turn >= 5;
    p.planes = room_for(&p, turned ? CT__ROOM_MIDDLE : CT__ROOM_PICTURE, a, turned ? NULL : out, h, w);
    if (!p.planes) return CT_ELIMIT;
    *planes = p.planes;
    s = decoder->decode(&p);
    if (!s && turned) {
        *planes = room_for(&p, CT__ROOM_PICTURE, a, out, sideways ? w : h, sideways ? h : w);
        if (!*planes) return CT_ELIMIT;
        ct__turn_planes(p.planes, p.channels, h, w, p.info.turn, *planes);
    }
    if (s && !turned && out) ct_array_free(out);
    if (s) return s;
    shape[0] = p.channels;
    shape[1] = sideways ? w : h;
    shape[2] = sideways ? h : w;
    if (!info) return CT_OK;
    *info = p.info;
    info->height = shape[1];
    info->width = shape[2];
    return CT_OK;
}

ct_status ct_picture_probe(const void *data, uint64_t bytes, const char *name, const ct_picture_options *o,
                           ct_picture_info *out, ct_err *e) {
    ct__pic p;
    const ct__decoder *decoder = NULL;
    ct_status s = begin(&p, data, bytes, name, o, &decoder, e);
    if (s) return s;
    *out = p.info;
    if (p.info.turn >= 5) {
        out->width = p.info.height;
        out->height = p.info.width;
    }
    return CT_OK;
}

ct_status ct_picture_decode(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                            const ct_picture_options *o, ct_array *out, ct_picture_info *info, ct_err *e) {
    ct_scratch *s = ct_scratch_new(a);
    uint8_t *planes;
    int64_t shape[3];
    ct_array made = {0};
    if (!s) return ct_fail(e, CT_ELIMIT, "pictures: out of memory");
    ct_status status = ct__picture_decode(s, data, bytes, name, o, a, &made, &planes, shape, info, e);
    ct_scratch_free(s);
    if (!status) *out = made;
    return status;
}

ct_status ct_picture_load(const ct_files *f, const ct_allocator *a, const char *path,
                          const ct_picture_options *o, ct_array *out, ct_picture_info *info, ct_err *e) {
    void *data;
    uint64_t bytes;
    ct_status s = ct_file_read(f, a, path, CT_PICTURE_FILE, &data, &bytes, e);
    if (s) return s;
    s = ct_picture_decode(a, data, bytes, path, o, out, info, e);
    ct_delete(a, data, bytes);
    return s;
}
