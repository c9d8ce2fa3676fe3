/* inflate.c: files that may be gzip. Memory grows with what was inflated, never by a number in a header; it is
 * bounded by the caller's limit, by 1032 times the file, which deflate cannot exceed, and by the length that
 * the first bytes claim. */
#define ZLIB_CONST
#include <string.h>
#include <zlib.h>

#include "data/read/inflate.h"

#define CHUNK (1u << 20)

typedef struct output {
    const ct_allocator *allocator;
    ct__read_head head;
    const char *path;
    ct_err *e;
    uint8_t *data;
    uint64_t size, capacity, limit;
    uint64_t possible; /* what deflate could make of the file */
    uint64_t claimed;  /* by the first bytes; 0: not known (yet) */
} output;

static ct_status too_long(const output *o) {
    if (o->claimed)
        return ct_fail_at(o->e, CT_EDATA, o->path, 0,
                          "gzip data that inflates to more than the %llu bytes that its header says; wanted "
                          "that many; fetch "
                          "the file again",
                          (unsigned long long)o->claimed);
    return ct_fail_at(o->e, CT_ELIMIT, o->path, -1,
                      "gzip data that inflates to more than %llu bytes; wanted at most that; unpack it first",
                      (unsigned long long)o->limit);
}

static ct_status grow(output *o) {
    uint64_t capacity = o->capacity ? 2 * o->capacity : CHUNK;
    if (capacity > o->limit) capacity = o->limit;
    uint8_t *p = ct_resize(o->allocator, o->data, o->capacity, capacity);
    if (!p)
        return ct_fail_at(o->e, CT_ELIMIT, o->path, -1, "out of memory for %llu bytes",
                          (unsigned long long)capacity);
    o->data = p;
    o->capacity = capacity;
    return CT_OK;
}

/* Inflate into what room there is: at the limit into one byte beside it, to see whether more would come. */
static ct_status step(z_stream *z, output *o, int *result) {
    uint8_t beyond;
    if (o->size == o->capacity && o->size < o->limit) {
        ct_status s = grow(o);
        if (s) return s;
    }
    uint64_t room = o->capacity - o->size;
    uInt before = room == 0 ? 1 : room > CHUNK ? CHUNK : (uInt)room;
    if (o->head && !o->claimed && before > CT__HEAD) before = CT__HEAD;
    z->next_out = room ? o->data + o->size : &beyond;
    z->avail_out = before;
    *result = inflate(z, Z_NO_FLUSH);
    if (room == 0) return z->avail_out == 0 ? too_long(o) : CT_OK;
    o->size += before - z->avail_out;
    return CT_OK;
}

/* Once the first bytes are there: the length they claim becomes the limit. */
static ct_status ask_head(output *o) {
    uint64_t whole = 0;
    if (!o->head || o->claimed || o->size < CT__HEAD) return CT_OK;
    ct_status s = o->head(o->data, o->path, &whole, o->e);
    if (s) return s;
    if (whole > o->possible)
        return ct_fail_at(o->e, CT_EDATA, o->path, 0,
                          "gzip data whose header says %llu bytes; wanted at most %llu, what a file of this "
                          "length can hold; fetch the file again",
                          (unsigned long long)whole, (unsigned long long)o->possible);
    o->claimed = whole;
    if (whole < o->size) return too_long(o);
    if (whole < o->limit) o->limit = whole;
    if (o->capacity <= o->limit) return CT_OK;
    uint8_t *fit = ct_resize(o->allocator, o->data, o->capacity, o->limit);
    if (!fit) return ct_fail_at(o->e, CT_ELIMIT, o->path, -1, "out of memory");
    o->data = fit;
    o->capacity = o->limit;
    return CT_OK;
}

/* Members one after the other, as gzip -d reads them. */
static ct_status inflate_all(z_stream *z, output *o) {
    for (;;) {
        int r = Z_OK;
        ct_status s = step(z, o, &r);
        if (!s) s = ask_head(o);
        if (s) return s;
        if (r == Z_STREAM_END) {
            if (z->avail_in == 0) return CT_OK;
            if (inflateReset(z) != Z_OK) return ct_fail(o->e, CT_EINTERNAL, "%s: zlib failed", o->path);
        } else if (r == Z_BUF_ERROR && z->avail_in == 0) {
            return ct_fail_at(o->e, CT_EDATA, o->path, (int64_t)z->total_in,
                              "gzip data is cut; wanted its end; fetch the file again");
        } else if (r != Z_OK && r != Z_BUF_ERROR) {
            return ct_fail_at(o->e, CT_EDATA, o->path, (int64_t)z->total_in,
                              "gzip data is damaged (%s); wanted a whole gzip file; fetch the file again",
                              z->msg ? z->msg : "unknown");
        }
    }
}

static ct_status unpack(const void *raw, uint64_t size, output *o) {
    z_stream z = {0};
    z.next_in = raw;
    z.avail_in = (uInt)size;
    if (size > UINT32_MAX)
        return ct_fail_at(o->e, CT_ELIMIT, o->path, -1,
                          "a gzip file of %llu bytes; wanted under 4 GiB; unpack it first",
                          (unsigned long long)size);
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return ct_fail_at(o->e, CT_ELIMIT, o->path, -1, "out of memory for zlib");
    ct_status s = inflate_all(&z, o);
    inflateEnd(&z);
    if (s || o->capacity == o->size) return s;
    void *fit = ct_resize(o->allocator, o->data, o->capacity, o->size);
    if (!fit) return ct_fail_at(o->e, CT_ELIMIT, o->path, -1, "out of memory");
    o->data = fit;
    o->capacity = o->size;
    return CT_OK;
}

ct_status ct__file_inflate(const ct_files *f, const ct_allocator *a, const char *path, uint64_t limit,
                           ct__read_head head, void **data, uint64_t *bytes, ct_err *e) {
    void *raw;
    uint64_t size;
    ct_status s = ct_file_read(f, a, path, limit, &raw, &size, e);
    if (s) return s;
    if (size < 2 || memcmp(raw, "\x1f\x8b", 2) != 0) {
        *data = raw;
        *bytes = size;
        return CT_OK;
    }
    output o = {.allocator = a, .head = head, .path = path, .e = e, .possible = size * 1032 + 64};
    o.limit = limit && limit < o.possible ? limit : o.possible;
    s = unpack(raw, size, &o);
    ct_delete(a, raw, size);
    if (s) {
        ct_delete(a, o.data, o.capacity);
        return s;
    }
    *data = o.data;
    *bytes = o.size;
    return CT_OK;
}

ct_status ct_file_inflate(const ct_files *f, const ct_allocator *a, const char *path, uint64_t limit,
                          void **data, uint64_t *bytes, ct_err *e) {
    return ct__file_inflate(f, a, path, limit, NULL, data, bytes, e);
}
