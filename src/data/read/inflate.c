/* inflate.c: files that may be gzip. The inflated size is bounded before it is allocated: by the caller's
 * limit, and by 1032 times the file, which deflate cannot exceed. */
#define ZLIB_CONST
#include <string.h>
#include <zlib.h>

#include "cotan/data.h"

#define CHUNK (1u << 20)

typedef struct output {
    const ct_allocator *allocator;
    uint8_t *data;
    uint64_t size, capacity, limit;
} output;

static ct_status grow(output *o, const char *path, ct_err *e) {
    uint64_t capacity = o->capacity ? 2 * o->capacity : CHUNK;
    if (capacity > o->limit) capacity = o->limit;
    if (capacity <= o->size)
        return ct_fail(e, CT_ELIMIT, "%s: inflates to more than %llu bytes; wanted at most that", path,
                       (unsigned long long)o->limit);
    uint8_t *p = ct_resize(o->allocator, o->data, o->capacity, capacity);
    if (!p)
        return ct_fail(e, CT_ELIMIT, "%s: out of memory for %llu bytes", path, (unsigned long long)capacity);
    o->data = p;
    o->capacity = capacity;
    return CT_OK;
}

/* Members one after the other, as gzip -d reads them. */
static ct_status inflate_all(z_stream *z, output *o, const char *path, ct_err *e) {
    for (;;) {
        if (o->size == o->capacity) {
            ct_status s = grow(o, path, e);
            if (s) return s;
        }
        uint64_t room = o->capacity - o->size;
        z->next_out = o->data + o->size;
        z->avail_out = room > CHUNK ? CHUNK : (uInt)room;
        uInt before = z->avail_out;
        int r = inflate(z, Z_NO_FLUSH);
        o->size += before - z->avail_out;
        if (r == Z_STREAM_END) {
            if (z->avail_in == 0) return CT_OK;
            if (inflateReset(z) != Z_OK) return ct_fail(e, CT_EINTERNAL, "%s: zlib failed", path);
        } else if (r == Z_BUF_ERROR && z->avail_in == 0) {
            return ct_fail_at(e, CT_EDATA, path, (int64_t)z->total_in,
                              "gzip data is cut; wanted its end; fetch the file again");
        } else if (r != Z_OK && r != Z_BUF_ERROR) {
            return ct_fail_at(e, CT_EDATA, path, (int64_t)z->total_in,
                              "gzip data is damaged (%s); fetch the file again", z->msg ? z->msg : "unknown");
        }
    }
}

ct_status ct_file_inflate(const ct_files *f, const ct_allocator *a, const char *path, uint64_t limit,
                          void **data, uint64_t *bytes, ct_err *e) {
    void *raw;
    uint64_t size;
    ct_status s = ct_file_read(f, a, path, limit, &raw, &size, e);
    if (s) return s;
    if (size < 2 || memcmp(raw, "\x1f\x8b", 2) != 0) {
        *data = raw;
        *bytes = size;
        return CT_OK;
    }
    output o = {.allocator = a, .limit = size * 1032 + 64};
    if (limit && limit < o.limit) o.limit = limit;
    z_stream z = {0};
    z.next_in = raw;
    z.avail_in = (uInt)size;
    if (size > UINT32_MAX)
        s = ct_fail(e, CT_ELIMIT, "%s: gzip file of %llu bytes; wanted under 4 GiB; unpack it first", path,
                    (unsigned long long)size);
    else if (inflateInit2(&z, 15 + 16) != Z_OK)
        s = ct_fail(e, CT_ELIMIT, "%s: out of memory for zlib", path);
    if (!s) {
        s = inflate_all(&z, &o, path, e);
        inflateEnd(&z);
    }
    ct_delete(a, raw, size);
    void *fit = s ? NULL : ct_resize(a, o.data, o.capacity, o.size);
    if (!s && !fit) s = ct_fail(e, CT_ELIMIT, "%s: out of memory", path);
    if (s) {
        ct_delete(a, o.data, o.capacity);
        return s;
    }
    *data = fit;
    *bytes = o.size;
    return CT_OK;
}
