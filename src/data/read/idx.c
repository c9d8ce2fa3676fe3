/* idx.c: the format of MNIST. Bytes 0 0 TYPE RANK, then RANK big-endian extents, then the data. */
#include <string.h>

#include "cotan/data.h"

#define LIMIT (8ull << 30) /* of an inflated file */

typedef struct kind {
    uint8_t code, bytes;
    int32_t dtype;
} kind;

static const kind kinds[] = {{0x08, 1, CT_U8},  {0x09, 1, CT_I8},  {0x0B, 2, CT_I32},
                             {0x0C, 4, CT_I32}, {0x0D, 4, CT_F32}, {0x0E, 8, CT_F64}};

static ct_status read_magic(ct_reader *r, const kind **k, int32_t *rank, ct_err *e) {
    const uint8_t *m = ct_reader_take(r, 4, "the idx magic", e);
    if (!m) return CT_EDATA;
    if (m[0] == 0x1f && m[1] == 0x8b)
        return ct_fail_at(e, CT_EDATA, r->file, 0,
                          "found gzip data; wanted idx; give the file to the reader that inflates");
    if (m[2] == 0 && m[3] == 0 && m[0] && m[1])
        return ct_fail_at(e, CT_EDATA, r->file, 0,
                          "found magic %02x %02x 00 00, which is little-endian; wanted 00 00 TYPE RANK; "
                          "write the file big-endian",
                          m[0], m[1]);
    if (m[0] || m[1])
        return ct_fail_at(e, CT_EDATA, r->file, 0,
                          "found magic %02x %02x %02x %02x; wanted 00 00 TYPE RANK, an idx file", m[0], m[1],
                          m[2], m[3]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].code == m[2]) *k = &kinds[i];
    if (!*k)
        return ct_fail_at(e, CT_EDATA, r->file, 2,
                          "found type 0x%02x; wanted 0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e", m[2]);
    *rank = m[3];
    if (*rank < 1 || *rank > CT_MAX_RANK)
        return ct_fail_at(e, CT_EDATA, r->file, 3, "found %d dimensions; wanted 1 to %d", *rank, CT_MAX_RANK);
    return CT_OK;
}

static void convert(const kind *k, const uint8_t *from, uint64_t count, void *to) {
    if (k->bytes == 1) {
        memcpy(to, from, count);
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
    const kind *k = NULL;
    ct_shape shape = {{0}, 0, 0};
    uint64_t count = 1, want = 0;
    ct_status s = read_magic(&r, &k, &shape.rank, e);
    for (int32_t i = 0; !s && i < shape.rank; i++) {
        uint32_t extent = 0;
        s = ct_reader_u32be(&r, &extent, "an extent", e);
        shape.dim[i] = extent;
        if (!s && !ct_mul_ok(count, extent, &count))
            s = ct_fail_at(e, CT_EDATA, name, (int64_t)r.pos - 4,
                           "the product of the extents overflows; wanted what the file holds");
    }
    if (s) return s;
    uint64_t left = r.end - r.pos;
    if (!ct_mul_ok(count, k->bytes, &want) || want != left)
        return ct_fail_at(e, CT_EDATA, name, (int64_t)r.pos,
                          "%llu bytes of data; wanted %llu by the header; fetch the file again",
                          (unsigned long long)left, (unsigned long long)want);
    s = ct_array_new(a, (ct_dtype)k->dtype, shape, out, e);
    if (!s) convert(k, r.base + r.pos, count, out->data);
    return s;
}

ct_status ct_idx_load(const ct_files *f, const ct_allocator *a, const char *path, ct_array *out, ct_err *e) {
    void *data;
    uint64_t bytes;
    ct_status s = ct_file_inflate(f, a, path, LIMIT, &data, &bytes, e);
    if (s) return s;
    s = ct_idx_parse(a, data, bytes, path, out, e);
    ct_delete(a, data, bytes);
    return s;
}
