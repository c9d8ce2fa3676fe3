/* idx.c: the format of MNIST. Bytes 0 0 TYPE RANK, then RANK big-endian extents, then the data. */
#include <string.h>

#include "data/read/inflate.h"

#define LIMIT (8ull << 30) /* of an inflated file */

typedef struct kind {
    uint8_t code, bytes;
    int32_t dtype;
} kind;

static const kind kinds[] = {{0x08, 1, CT_U8},  {0x09, 1, CT_I8},  {0x0B, 2, CT_I32},
                             {0x0C, 4, CT_I32}, {0x0D, 4, CT_F32}, {0x0E, 8, CT_F64}};

typedef struct header {
    const kind *kind;
    ct_shape shape;
    uint64_t count, bytes; /* elements; bytes of data */
} header;

static ct_status read_magic(ct_reader *r, header *h, ct_err *e) {
    const uint8_t *m = ct_reader_take(r, 4, "the idx magic", e);
    if (!m) return CT_EDATA;
    if (m[0] == 0x1f && m[1] == 0x8b)
        return ct_fail_at(e, CT_EDATA, r->file, 0,
                          "gzip data; wanted idx; give the file to the reader that inflates");
    if (m[2] == 0 && m[3] == 0 && m[0] && m[1])
        return ct_fail_at(e, CT_EDATA, r->file, 0,
                          "magic %02x %02x 00 00, which is little-endian; wanted 00 00 TYPE RANK; write the "
                          "file big-endian",
                          m[0], m[1]);
    if (m[0] || m[1])
        return ct_fail_at(e, CT_EDATA, r->file, 0,
                          "magic %02x %02x %02x %02x; wanted 00 00 TYPE RANK; give an idx file", m[0], m[1],
                          m[2], m[3]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].code == m[2]) h->kind = &kinds[i];
    if (!h->kind)
        return ct_fail_at(
            e, CT_EDATA, r->file, 2,
            "type 0x%02x; wanted 0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e; the file is damaged or no idx file",
            m[2]);
    if (m[3] < 1 || m[3] > CT_MAX_RANK)
        return ct_fail_at(e, CT_EDATA, r->file, 3,
                          "%d dimensions; wanted 1 to %d; the file is damaged or no idx file", m[3],
                          CT_MAX_RANK);
    h->shape.rank = m[3];
    return CT_OK;
}

static ct_status read_header(ct_reader *r, header *h, ct_err *e) {
    *h = (header){.count = 1};
    ct_status s = read_magic(r, h, e);
    for (int32_t i = 0; !s && i < h->shape.rank; i++) {
        uint32_t extent = 0;
        s = ct_reader_u32be(r, &extent, "an extent", e);
        h->shape.dim[i] = extent;
        if (!s && !ct_mul_ok(h->count, extent, &h->count))
            s = ct_fail_at(e, CT_EDATA, r->file, (int64_t)r->pos - 4,
                           "the product of the extents overflows; wanted what the file holds; the file is "
                           "damaged");
    }
    uint64_t count; /* extents around a 0 may be beyond what an array can have */
    if (!s && (!ct_shape_count(&h->shape, 1, &count) || !ct_mul_ok(h->count, h->kind->bytes, &h->bytes)))
        s = ct_fail_at(
            e, CT_EDATA, r->file, 4,
            "the product of the extents overflows; wanted what the file holds; the file is damaged");
    return s;
}

/* For inflating: as long as the header says, and not longer. */
static ct_status whole_size(const uint8_t *head, const char *path, uint64_t *whole, ct_err *e) {
    ct_reader r = ct_reader_of(head, CT__HEAD, path);
    header h;
    ct_status s = read_header(&r, &h, e);
    if (!s && !ct_add_ok(r.pos, h.bytes, whole)) *whole = UINT64_MAX;
    return s;
}

static void convert(const kind *k, const uint8_t *from, uint64_t count, void *to) {
    if (k->bytes == 1) {
        if (count) memcpy(to, from, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++, from += k->bytes) {
        uint64_t v = 0;
        for (int32_t b = 0; b < k->bytes; b++) v = v << 8 | from[b];
        if (k->bytes == 2)
            ((int32_t *)to)[i] = (int16_t)(uint16_t)v;
        else if (k->bytes == 4)
            ((uint32_t *)to)[i] = (uint32_t)v;
        else
            ((uint64_t *)to)[i] = v;
    }
}

ct_status ct_idx_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                       ct_array *out, ct_err *e) {
    ct_reader r = ct_reader_of(data, bytes, name);
    header h;
    ct_status s = read_header(&r, &h, e);
    if (s) return s;
    uint64_t left = r.end - r.pos;
    if (h.bytes != left)
        return ct_fail_at(e, CT_EDATA, name, (int64_t)r.pos,
                          "%llu bytes of data; wanted %llu by the header; fetch the file again",
                          (unsigned long long)left, (unsigned long long)h.bytes);
    s = ct_array_new(a, (ct_dtype)h.kind->dtype, h.shape, out, e);
    if (!s) convert(h.kind, r.base + r.pos, h.count, out->data);
    return s;
}

ct_status ct_idx_load(const ct_files *f, const ct_allocator *a, const char *path, ct_array *out, ct_err *e) {
    void *data;
    uint64_t bytes;
    ct_status s = ct__file_inflate(f, a, path, LIMIT, whole_size, &data, &bytes, e);
    if (s) return s;
    s = ct_idx_parse(a, data, bytes, path, out, e);
    ct_delete(a, data, bytes);
    return s;
}
