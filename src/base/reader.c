/* reader.c: the one way into bytes that somebody else wrote.
 *
 * Every binary format takes its bytes here, and the check is one comparison that cannot overflow: what is
 * wanted against what is left. A parser built on it cannot pass the end, whatever the lengths in the file
 * claim. */
#include "cotan/base.h"

ct_reader ct_reader_of(const void *data, uint64_t bytes, const char *file) {
    return (ct_reader){.base = data, .end = data ? bytes : 0, .pos = 0, .file = file};
}

const uint8_t *ct_reader_take(ct_reader *r, uint64_t bytes, const char *what, ct_err *e) {
    static const uint8_t nothing[1] = {0};
    uint64_t left = r->pos < r->end ? r->end - r->pos : 0;
    if (bytes > left) {
        ct_fail_at(e, CT_EDATA, r->file, (int64_t)r->pos,
                   "%llu bytes left; wanted %llu for %s; the file is cut short or not of this format",
                   (unsigned long long)left, (unsigned long long)bytes, what);
        return NULL;
    }
    const uint8_t *p = r->base ? r->base + r->pos : nothing;
    r->pos += bytes;
    return p;
}

ct_status ct_reader_u8(ct_reader *r, uint8_t *out, const char *what, ct_err *e) {
    const uint8_t *p = ct_reader_take(r, 1, what, e);
    if (!p) return CT_EDATA;
    *out = p[0];
    return CT_OK;
}

ct_status ct_reader_u16le(ct_reader *r, uint16_t *out, const char *what, ct_err *e) {
    const uint8_t *p = ct_reader_take(r, 2, what, e);
    if (!p) return CT_EDATA;
    *out = (uint16_t)(p[0] | p[1] << 8);
    return CT_OK;
}

static uint32_t u32le(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

ct_status ct_reader_u32le(ct_reader *r, uint32_t *out, const char *what, ct_err *e) {
    const uint8_t *p = ct_reader_take(r, 4, what, e);
    if (!p) return CT_EDATA;
    *out = u32le(p);
    return CT_OK;
}

ct_status ct_reader_u32be(ct_reader *r, uint32_t *out, const char *what, ct_err *e) {
    const uint8_t *p = ct_reader_take(r, 4, what, e);
    if (!p) return CT_EDATA;
    *out = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
    return CT_OK;
}

ct_status ct_reader_u64le(ct_reader *r, uint64_t *out, const char *what, ct_err *e) {
    const uint8_t *p = ct_reader_take(r, 8, what, e);
    if (!p) return CT_EDATA;
    *out = (uint64_t)u32le(p) | (uint64_t)u32le(p + 4) << 32;
    return CT_OK;
}
