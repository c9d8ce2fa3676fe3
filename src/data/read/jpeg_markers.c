/* jpeg_markers.c: a walk over the markers of a JPEG before the decoder sees it.
 *
 * It finds what the decoder would find too late or not at all: the kind of coding (baseline, extended and
 * progressive Huffman of 8 bits are read), the number of components, the size against the limit, the number of
 * scans (a progressive file of a few hundred bytes a scan can ask for work without end), EXIF's turn, tables that
 * are used and not defined, and whether the end is there. Between scans only 0xFF bytes matter; memchr finds them. */
#include <string.h>

#include "data/read/jpeg.h"

typedef struct walk {
    ct__pic *p;
    ct_reader r;
    int64_t at; /* of the marker */
    int32_t frames, scans, ended;
    uint32_t quantisers, codes; /* defined so far: bits by number; of codes (class << 2 | number) */
    uint32_t uses;              /* the quantisers of the frame */
} walk;

static ct_status bad(walk *w, const char *found, const char *wanted) {
    return ct_fail_at(w->p->e, CT_EDATA, w->p->name, w->at, "JPEG: %s; wanted %s; save the picture anew",
                      found, wanted);
}

static int is_frame(int m) { return m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc; }

static ct_status read_frame(walk *w, int marker, const uint8_t *d, uint32_t n) {
    ct__pic *p = w->p;
    if (marker >= 0xc9) return bad(w, "arithmetic coding", "Huffman coding");
    if (marker == 0xc3 || marker >= 0xc5)
        return bad(w, "lossless or hierarchical coding", "baseline or progressive");
    if (w->frames++) return bad(w, "a second frame header", "one");
    if (n < 6) return bad(w, "a frame header that is cut", "a whole one");
    uint32_t height = (uint32_t)d[1] << 8 | d[2], width = (uint32_t)d[3] << 8 | d[4], components = d[5];
    if (d[0] != 8) return bad(w, d[0] == 12 ? "12 bits a sample" : "an odd number of bits a sample", "8");
    ct_status s = ct__pic_limit(p, width, height, w->at);
    if (s) return s;
    if (components == 4) return bad(w, "four components (CMYK)", "grey or colour");
    if (components != 1 && components != 3) return bad(w, "an odd number of components", "1 or 3");
    if (n != 6 + 3 * components) return bad(w, "a frame header of the wrong length", "3 bytes a component");
    for (uint32_t i = 0; i < components; i++) {
        uint32_t across = d[7 + 3 * i] >> 4, down = d[7 + 3 * i] & 15;
        if (across < 1 || across > 4 || down < 1 || down > 4)
            return bad(w, "a sampling factor outside of 1 to 4", "1 to 4");
        w->uses |= 1u << (d[8 + 3 * i] & 3);
    }
    p->info.width = width;
    p->info.height = height;
    p->info.depth = 8;
    p->info.channels = p->samples = (int32_t)components;
    p->info.interlaced = marker == 0xc2;
    return CT_OK;
}

/* ---- tables; what is wrong with them is the decoder's to refuse ---- */

static void note_quantisers(walk *w, const uint8_t *d, uint32_t n) {
    for (uint32_t at = 0; at < n; at += d[at] >> 4 ? 129 : 65) w->quantisers |= 1u << (d[at] & 3);
}

static void note_codes(walk *w, const uint8_t *d, uint32_t n) {
    for (uint32_t at = 0; at + 17 <= n;) {
        uint32_t values = 0;
        for (uint32_t i = 1; i <= 16; i++) values += d[at + i];
        w->codes |= 1u << ((d[at] >> 4 & 1) << 2 | (d[at] & 3));
        at += 17 + values;
    }
}

/* Does the scan of header d use what no segment before it defines? In progressive coding a scan has codes of one class:
 * the first coefficient's, or the others'. */
static int lacks_tables(const walk *w, const uint8_t *d, uint32_t n) {
    uint32_t codes = 0, components = n ? d[0] : 0;
    if (n < 4 + 2 * components) return 0;
    int first = !w->p->info.interlaced || d[1 + 2 * components] == 0;
    int others = !w->p->info.interlaced || !first;
    for (uint32_t i = 0; i < components; i++) {
        uint32_t both = d[2 + 2 * i];
        if (first) codes |= 1u << (both >> 4 & 3);
        if (others) codes |= 1u << (4 | (both & 3));
    }
    return (codes & ~w->codes) || (w->uses & ~w->quantisers);
}

/* Coded data up to the next marker that is not a restart; its 0xFF is the next byte. */
static int skip_coded(walk *w) {
    const uint8_t *d = w->r.base;
    for (;;) {
        const uint8_t *f = memchr(d + w->r.pos, 0xff, (size_t)(w->r.end - w->r.pos));
        if (!f || (uint64_t)(f - d) + 1 >= w->r.end) return 0;
        w->r.pos = (uint64_t)(f - d);
        if (f[1] != 0 && f[1] != 0xff && !(f[1] >= 0xd0 && f[1] <= 0xd7)) return 1;
        w->r.pos += f[1] == 0xff ? 1 : 2;
    }
}

static ct_status cut(walk *w) {
    if (!w->p->o.accept_cut || !w->scans)
        return ct_fail_at(
            w->p->e, CT_EDATA, w->p->name, (int64_t)w->r.end,
            "JPEG: the file ends before the picture does; wanted its end marker; fetch the file "
            "again");
    w->p->cut = w->ended = 1;
    return CT_OK;
}

static ct_status read_scan(walk *w, const uint8_t *d, uint32_t n) {
    if (!w->frames) return bad(w, "a scan before the frame header", "the header first");
    w->p->lacks_tables |= lacks_tables(w, d, n);
    if (++w->scans > CT_PICTURE_SCANS)
        return ct_fail_at(w->p->e, CT_ELIMIT, w->p->name, w->at,
                          "JPEG: more than %d scans; wanted at most that; save it anew", CT_PICTURE_SCANS);
    return skip_coded(w) ? CT_OK : cut(w);
}

static ct_status read_segment(walk *w, int marker) {
    const uint8_t *d = w->r.base + w->r.pos;
    uint64_t left = w->r.end - w->r.pos;
    if (left < 2) return cut(w);
    uint32_t n = (uint32_t)d[0] << 8 | d[1];
    if (n < 2) return bad(w, "a segment length under 2", "a whole segment");
    if (n > left) return cut(w);
    w->r.pos += n;
    if (is_frame(marker)) return read_frame(w, marker, d + 2, n - 2);
    if (marker == 0xcc) return bad(w, "arithmetic coding", "Huffman coding");
    if (marker == 0xe1 && n >= 8 && memcmp(d + 2, "Exif\0", 6) == 0)
        w->p->info.turn = ct__exif_turn(d + 8, n - 8);
    if (marker == 0xdb) note_quantisers(w, d + 2, n - 2);
    if (marker == 0xc4) note_codes(w, d + 2, n - 2);
    return marker == 0xda ? read_scan(w, d + 2, n - 2) : CT_OK;
}

ct_status ct__jpeg_probe(ct__pic *p) {
    walk w = {.p = p, .r = ct_reader_of(p->data, p->bytes, p->name)};
    ct_status s = CT_OK;
    w.r.pos = 2;
    while (!s && !w.ended) {
        w.at = (int64_t)w.r.pos;
        if (w.r.pos + 2 > w.r.end) {
            s = cut(&w);
            continue;
        }
        const uint8_t *d = p->data + w.r.pos;
        if (d[0] != 0xff) return bad(&w, "bytes between segments", "a marker");
        w.r.pos += d[1] == 0xff ? 1 : 2; /* any number of 0xFF may stand before a marker */
        if (d[1] == 0xff || d[1] == 0x01 || (d[1] >= 0xd0 && d[1] <= 0xd7)) continue;
        if (d[1] == 0xd8) return bad(&w, "a second beginning", "one picture");
        if (d[1] == 0xd9)
            w.ended = 1;
        else
            s = read_segment(&w, d[1]);
    }
    if (s) return s;
    if (!w.frames || !w.scans) return bad(&w, "no picture data", "a frame and a scan");
    return CT_OK;
}
