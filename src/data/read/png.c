/* png.c: PNG by libpng, behind a walk of our own.
 *
 * The walk reads the chunks before libpng sees a byte: their order and lengths, the header's fields, palette and
 * transparency against the header, animation, and every limit. What libpng then is given is whole and small
 * enough; of what is not picture data (profiles, text, times) it takes nothing, so nothing there can inflate.
 * Its "benign" errors are errors here: they mean pixels that the file does not have. */
#include <png.h>
#include <string.h>

#include "data/read/picture.h"

static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

static int is_png(const uint8_t *d, uint64_t n) { return n >= 8 && memcmp(d, signature, 8) == 0; }

/* ---- the walk ---- */

typedef struct walk {
    ct__pic *p;
    ct_reader r;
    uint32_t length;
    const uint8_t *type, *data;
    int64_t at; /* of the chunk */
    int32_t colour, headers, palette, ended;
    uint64_t picture; /* bytes of IDAT */
} walk;

static ct_status bad(walk *w, const char *found, const char *wanted) {
    return ct_fail_at(w->p->e, CT_EDATA, w->p->name, w->at,
                      "PNG chunk %.4s: %s; wanted %s; save the picture anew", w->type, found, wanted);
}

/* Bits of a sample that go with a colour type, as a set. */
static int depth_fits(int colour, int depth) {
    static const uint32_t allowed[7] = {1 << 1 | 1 << 2 | 1 << 4 | 1 << 8 | 1 << 16,
                                        0,
                                        1 << 8 | 1 << 16,
                                        1 << 1 | 1 << 2 | 1 << 4 | 1 << 8,
                                        1 << 8 | 1 << 16,
                                        0,
                                        1 << 8 | 1 << 16};
    return colour >= 0 && colour <= 6 && depth <= 16 && (allowed[colour] >> depth & 1);
}

static uint32_t u32be(const uint8_t *d) {
    return (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3];
}

static ct_status read_header(walk *w) {
    ct__pic *p = w->p;
    const uint8_t *d = w->data;
    if (w->headers++) return bad(w, "a second one", "one header, at the beginning");
    if (w->length != 13) return bad(w, "another length than 13", "the header of PNG");
    uint32_t width = u32be(d), height = u32be(d + 4);
    if (width > INT32_MAX || height > INT32_MAX) return bad(w, "a side over 2^31 - 1", "a smaller picture");
    ct_status s = ct__pic_limit(p, width, height, w->at);
    if (s) return s;
    if (!depth_fits(d[9], d[8]))
        return bad(w, "a bit depth that its colour type has not", "a pair of the standard");
    if (d[10] || d[11] || d[12] > 1)
        return bad(w, "an unknown compression, filter or interlacing", "0, 0 and 0 or 1");
    w->colour = d[9];
    p->info.width = width;
    p->info.height = height;
    p->info.depth = d[8];
    p->info.interlaced = d[12];
    p->info.palette = d[9] == 3;
    p->info.alpha = d[9] >= 4;
    p->info.channels = d[9] == 0 || d[9] == 4 ? 1 : 3;
    return CT_OK;
}

static ct_status read_palette(walk *w) {
    if (w->palette || w->picture) return bad(w, "a second one, or after picture data", "one before it");
    if (w->length == 0 || w->length % 3 || w->length > 768)
        return bad(w, "no whole number of 1 to 256 colours", "3 bytes a colour");
    w->palette = (int32_t)(w->length / 3);
    if (w->colour == 3 && w->palette > 1 << w->p->info.depth)
        return bad(w, "more colours than its bits can name", "at most 2^depth");
    return CT_OK;
}

static ct_status read_transparency(walk *w) {
    static const uint32_t length[7] = {2, 0, 6, 0, 0, 0, 0};
    if (w->picture) return bad(w, "after picture data", "it before");
    if (w->colour == 3 && !w->palette) return bad(w, "before the palette", "it after");
    if (w->colour >= 4) return bad(w, "a picture that has alpha already", "one of the two");
    if (w->colour == 3 ? w->length > (uint32_t)w->palette : w->length != length[w->colour])
        return bad(w, "more entries than the palette, or another length than its colour type has",
                   "as many or fewer");
    w->p->info.alpha = 1;
    return CT_OK;
}

static int is_type(const walk *w, const char *type) { return memcmp(w->type, type, 4) == 0; }

static ct_status read_chunk(walk *w) {
    int critical = !(w->type[0] & 32);
    for (int i = 0; i < 4; i++)
        if (!((w->type[i] | 32) >= 'a' && (w->type[i] | 32) <= 'z')) {
            w->type = (const uint8_t *)"????";
            return bad(w, "a name that is not four letters", "a chunk of PNG");
        }
    if (!w->headers && !is_type(w, "IHDR")) return bad(w, "it first", "IHDR first");
    if (is_type(w, "IHDR")) return read_header(w);
    if (is_type(w, "PLTE")) return read_palette(w);
    if (is_type(w, "tRNS")) return read_transparency(w);
    if (is_type(w, "acTL")) return bad(w, "an animated PNG", "one picture");
    if (is_type(w, "IDAT")) {
        if (w->colour == 3 && !w->palette) return bad(w, "no palette before it", "a PLTE chunk");
        w->picture += w->length;
    } else if (is_type(w, "IEND")) {
        w->ended = 1;
    } else if (critical) {
        return bad(w, "a critical chunk that is not known", "one of the standard");
    } else if (is_type(w, "eXIf")) {
        w->p->info.turn = ct__exif_turn(w->data, w->length);
    }
    return CT_OK;
}

/* The next chunk does not end within the file, and its beginning belongs to what may be missing. */
static int is_missing(const walk *w) {
    const uint8_t *d = w->r.base + w->r.pos;
    uint64_t left = w->r.end - w->r.pos;
    if (left < 12) return w->picture > 0;
    return u32be(d) > left - 12 && (w->picture > 0 || memcmp(d + 4, "IDAT", 4) == 0);
}

static ct_status next_chunk(walk *w) {
    ct__pic *p = w->p;
    w->at = (int64_t)w->r.pos;
    if (p->o.accept_cut && w->headers && is_missing(w)) {
        p->cut = w->ended = 1;
        w->picture++;
        return CT_OK;
    }
    ct_status s = ct_reader_u32be(&w->r, &w->length, "a PNG chunk's length", p->e);
    if (s) return s;
    w->type = ct_reader_take(&w->r, 4, "a PNG chunk's name", p->e);
    if (!w->type) return CT_EDATA;
    if (w->length > INT32_MAX) return bad(w, "a length over 2^31 - 1", "what the file holds");
    if (w->length > CT_PICTURE_CHUNK && !is_type(w, "IDAT"))
        return ct_fail_at(p->e, CT_ELIMIT, p->name, w->at,
                          "PNG chunk %.4s: %u bytes; wanted at most %d; save it without", w->type, w->length,
                          CT_PICTURE_CHUNK);
    w->data = ct_reader_take(&w->r, w->length, "a PNG chunk's data", p->e);
    if (!w->data || !ct_reader_take(&w->r, 4, "a PNG chunk's checksum", p->e)) return CT_EDATA;
    return read_chunk(w);
}

static ct_status probe(ct__pic *p) {
    walk w = {.p = p, .r = ct_reader_of(p->data, p->bytes, p->name)};
    w.r.pos = 8;
    while (!w.ended) {
        ct_status s = next_chunk(&w);
        if (s) return s;
    }
    w.type = (const uint8_t *)"IDAT";
    if (!w.picture) return bad(&w, "none", "picture data");
    p->samples = (p->info.channels == 1 ? 1 : 3) + p->info.alpha;
    return CT_OK;
}

/* ---- libpng ---- */

typedef struct reading {
    ct__pic *p;
    uint64_t pos;
    png_structp png;
    png_infop info;
    uint8_t *rows; /* one, or all where the picture is interlaced */
    size_t row_bytes;
    png_colorp palette; /* of a picture that has one: its rows are places in it */
    png_bytep alpha;
    int32_t colours, alphas;
    uint8_t *wide; /* a row of palette colours */
    int32_t pass;  /* being read, and its row: what a cut leaves out begins here */
    int64_t row;
    ct_status status; /* what ended it, where that was not libpng */
    char message[120];
} reading;

static void on_error(png_structp png, png_const_charp text) {
    reading *r = png_get_error_ptr(png);
    strncpy(r->message, text, sizeof r->message - 1);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    reading *r = png_get_error_ptr(png);
    ct__pic_warn(r->p, text);
}

static void give_bytes(png_structp png, png_bytep to, png_size_t n) {
    reading *r = png_get_io_ptr(png);
    if (n > r->p->bytes - r->pos) png_error(png, "cut short");
    memcpy(to, r->p->data + r->pos, n);
    r->pos += n;
}

/* libpng's memory comes from the allocator too; a block remembers its size. */
#define BEFORE 64
static png_voidp take(png_structp png, png_alloc_size_t n) {
    const ct_allocator *a = png_get_mem_ptr(png);
    uint64_t all = (uint64_t)n + BEFORE;
    char *memory = ct_new_array(a, all, 1);
    if (!memory) return NULL;
    memcpy(memory, &all, sizeof all);
    return memory + BEFORE;
}

static void give_back(png_structp png, png_voidp memory) {
    uint64_t all;
    if (!memory) return;
    memcpy(&all, (char *)memory - BEFORE, sizeof all);
    ct_delete(png_get_mem_ptr(png), (char *)memory - BEFORE, (size_t)all);
}

static void ask(reading *r) { /* what rows shall look like: 8 bits, or places in the palette */
    png_structp png = r->png;
    png_set_read_fn(png, r, give_bytes);
    png_set_user_limits(png, INT32_MAX, INT32_MAX);
    png_set_chunk_malloc_max(png, CT_PICTURE_CHUNK + 1);
    png_set_benign_errors(png, 0);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    if (r->p->cut) png_set_compression_buffer_size(png, 1); /* every byte before the cut counts */
    png_read_info(png, r->info);
    int colour = png_get_color_type(png, r->info), depth = png_get_bit_depth(png, r->info);
    int key = png_get_valid(png, r->info, PNG_INFO_tRNS) != 0;
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(png);
        png_get_PLTE(png, r->info, &r->palette, &r->colours);
        if (key) png_get_tRNS(png, r->info, &r->alpha, &r->alphas, NULL);
    } else if (key) {
        png_set_tRNS_to_alpha(png);
    }
    if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (depth == 16) png_set_scale_16(png);
}

static ct_status store_row(reading *r, int64_t y, const uint8_t *row) {
    ct__pic *p = r->p;
    if (!r->palette) {
        ct__store_row(p, y, row);
        return CT_OK;
    }
    uint8_t *to = r->wide;
    for (int64_t x = 0; x < p->info.width; x++, to += p->samples) {
        if (row[x] >= r->colours)
            return ct_fail_at(p->e, CT_EDATA, p->name, -1,
                              "PNG: pixel %lld of row %lld is colour %d; wanted 0 to %d, as the palette has; "
                              "fetch the file again",
                              (long long)x, (long long)y, row[x], r->colours - 1);
        to[0] = r->palette[row[x]].red;
        to[1] = r->palette[row[x]].green;
        to[2] = r->palette[row[x]].blue;
        if (p->samples == 4) to[3] = row[x] < r->alphas ? r->alpha[row[x]] : 255;
    }
    ct__store_row(p, y, r->wide);
    return CT_OK;
}

static void steps(reading *r) {
    ct__pic *p = r->p;
    ask(r);
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    r->row_bytes = png_get_rowbytes(r->png, r->info);
    p->samples = r->palette ? r->alpha ? 4 : 3 : png_get_channels(r->png, r->info);
    uint64_t kept = passes > 1 ? (uint64_t)p->info.height : 1, all = r->row_bytes * kept;
    r->rows = ct__room(p->scratch, CT__ROOM_ROWS, all + (uint64_t)p->info.width * 4, p->e);
    r->status = r->rows ? CT_OK : CT_ELIMIT;
    if (r->rows && r->row_bytes != (size_t)p->info.width * (size_t)(r->palette ? 1 : p->samples))
        r->status =
            ct_fail(p->e, CT_EINTERNAL,
                    "%s: libpng gives rows of %zu bytes; wanted what the header says; use another libpng",
                    p->name, r->row_bytes);
    if (r->status) return;
    r->wide = r->rows + all;
    if (passes > 1) memset(r->rows, 0, all);
    for (r->pass = 0; r->pass < passes; r->pass++)
        for (r->row = 0; r->row < p->info.height && !r->status; r->row++) {
            png_read_row(r->png, r->rows + (passes > 1 ? r->row_bytes * (size_t)r->row : 0), NULL);
            if (passes == 1) r->status = store_row(r, r->row, r->rows);
        }
    if (!p->cut && !r->status) png_read_end(r->png, NULL);
}

/* Adam7's pass of a pixel, 0 to 6. */
static int pass_of(int64_t x, int64_t y) {
    return y & 1 ? 6 : x & 1 ? 5 : y & 2 ? 4 : x & 2 ? 3 : y & 4 ? 2 : x & 4 ? 1 : 0;
}

static void store_interlaced(reading *r) {
    ct__pic *p = r->p;
    int64_t w = p->info.width, h = p->info.height;
    for (int64_t y = 0; y < h && !r->status; y++) {
        r->status = store_row(r, y, r->rows + (size_t)y * r->row_bytes);
        for (int64_t x = 0; p->cut && x < w; x++) { /* what never came is grey */
            int pass = pass_of(x, y);
            if (pass < r->pass || (pass == r->pass && y < r->row)) continue;
            for (int64_t c = 0; c < p->channels; c++) p->planes[(c * h + y) * w + x] = 128;
        }
    }
}

/* 1: libpng was content. Nothing local lives over the jump. */
static int run(reading *r) {
    if (setjmp(png_jmpbuf(r->png))) return 0;
    steps(r);
    return 1;
}

static ct_status decode(ct__pic *p) {
    reading r = {.p = p};
    void *memory = (void *)(uintptr_t)p->scratch->allocator;
    r.png =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning, memory, take, give_back);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (!r.info) {
        png_destroy_read_struct(&r.png, NULL, NULL);
        return ct_fail_at(p->e, CT_ELIMIT, p->name, -1, "out of memory for libpng");
    }
    if (p->cut) memset(p->planes, 128, (size_t)(p->channels * p->info.height * p->info.width));
    int content = run(&r);
    if (!content && (!p->cut || !r.rows))
        r.status = ct_fail_at(p->e, strstr(r.message, "memory") ? CT_ELIMIT : CT_EDATA, p->name, -1,
                              "PNG: %s; wanted a whole picture; fetch the file again", r.message);
    if (p->info.interlaced && !r.status) store_interlaced(&r);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    return r.status;
}

const ct__decoder ct__decode_png = {CT_PICTURE_PNG, "PNG", is_png, probe, decode};
