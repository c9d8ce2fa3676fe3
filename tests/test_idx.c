/* test_idx.c: the idx reader of the library: malformed bytes (I1-I12 of the bad inputs; the command's side is
 * tests/outside/test_idx.py), all types, any byte changed. */
#include "rows.h"

#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "cotan/data.h"

static ct_status parse(const ct_allocator *a, const void *data, uint64_t bytes, ct_err *e) {
    ct_array x = {.rank = 77};
    ct_status s = ct_idx_parse(a, data, bytes, "f", &x, e);
    if (s) assert_int_equal(x.rank, 77);
    if (!s) ct_array_free(&x);
    return s;
}

static ct_status load(const ct_allocator *a, const void *data, uint64_t bytes, ct_err *e) {
    char path[] = "test_idx.XXXXXX";
    ct_array x = {.rank = 77};
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    close(fd);
    ct_status s = ct_idx_load(NULL, a, path, &x, e);
    unlink(path);
    if (!s) ct_array_free(&x);
    return s;
}

#define ROW(code, bytes, part) \
    { code, bytes, sizeof(bytes) - 1, part }

static void refused(void **state) {
    static const struct {
        const char *code, *bytes;
        uint64_t n;
        const char *part;
    } rows[] = {
        ROW("I1", "", "f:@0: 0 bytes left; wanted 4"),
        ROW("I1 a cut magic", "\0\0\x08", "f:@0: 3 bytes left; wanted 4"),
        ROW("I1 a cut extent", "\0\0\x08\x02\0\0", "f:@4: 2 bytes left; wanted 4"),
        ROW("I3", "\x03\x08\0\0\0\0\0\1", "f:@0: magic 03 08 00 00, which is little-endian"),
        ROW("I4", "\0\0\x07\1\0\0\0\1x", "f:@2: type 0x07"),
        ROW("I5 none", "\0\0\x08\0", "f:@3: 0 dimensions"),
        ROW("I5 200", "\0\0\x08\xc8", "f:@3: 200 dimensions"),
        ROW("I6", "\0\0\x08\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            "f:@12: the product of the extents overflows"),
        ROW("I6 around an extent of 0", "\0\0\x08\3\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", "overflows"),
        ROW("I6 by the size of an element", "\0\0\x0e\2\xff\xff\xff\xff\xff\xff\xff\xff", "overflows"),
        ROW("I6 no overflow", "\0\0\x08\2\xff\xff\xff\xff\x7f\xff\xff\xff",
            "0 bytes of data; wanted 9223372030412324865"),
        ROW("I7", "\0\0\x08\2\0\0\0\2\0\0\0\4abcdef", "f:@12: 6 bytes of data; wanted 8"),
        ROW("I8", "\0\0\x08\1\0\0\0\2abc", "f:@8: 3 bytes of data; wanted 2"),
        ROW("I8 of none", "\0\0\x08\1\0\0\0\0a", "f:@8: 1 bytes of data; wanted 0"),
        ROW("I11", "\x1f\x8b\x08\0", "f:@0: gzip data"),
        ROW("text", "abcd", "wanted 00 00 TYPE RANK"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        rows_refused(rows[i].code, parse, rows[i].bytes, rows[i].n, CT_EDATA, rows[i].part);
}

/* I11: gzip members of `data`, the first of `split` bytes. */
static uint64_t pack(const uint8_t *data, uint64_t n, uint64_t split, uint8_t *out, uint64_t room) {
    uint64_t used = 0;
    for (int part = 0; part < 2; part++) {
        z_stream z = {0};
        const uint8_t *from = part ? data + split : data;
        uint64_t length = part ? n - split : split;
        if (part && !length) break;
        assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (Bytef *)(uintptr_t)from;
        z.avail_in = (uInt)length;
        z.next_out = out + used;
        z.avail_out = (uInt)(room - used);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        used = room - z.avail_out;
        deflateEnd(&z);
    }
    return used;
}

static void gzip(void **state) {
    enum { ROOM = 4 << 20 };
    static uint8_t plain[3 << 20], packed[ROOM];
    (void)state;
    memcpy(plain, "\0\0\x08\2\0\0\x02\0\0\0\x04\0", 12); /* 512 x 1024 */
    uint64_t whole = 12 + 512 * 1024;
    for (uint64_t i = 12; i < sizeof plain; i++) plain[i] = (uint8_t)(i * 7 >> 3);
    for (uint64_t split = 0; split < 90; split += 11) /* I11: several members, cut inside the header too */
        rows_accepted("I11", load, packed, pack(plain, whole, whole - split, packed, ROOM));
    rows_accepted("I11 a first member of 5 bytes", load, packed, pack(plain, whole, 5, packed, ROOM));
    uint64_t n = pack(plain, whole, whole, packed, ROOM);
    for (uint64_t cut = 2; cut < n; cut += 997)
        rows_refused("I11 cut", load, packed, cut, CT_EDATA, "gzip data is cut");
    n = pack(plain, whole - 1, whole - 1, packed, ROOM);
    rows_refused("I7 in gzip", load, packed, n, CT_EDATA, "524287 bytes of data; wanted 524288");
    n = pack(plain, sizeof plain, sizeof plain, packed, ROOM);
    rows_refused("I8 in gzip", load, packed, n, CT_EDATA,
                 "inflates to more than the 524300 bytes that its header says");
    memset(plain, 0, sizeof plain);
    n = pack(plain, sizeof plain, sizeof plain, packed, ROOM);
    rows_refused("I11 a bomb", load, packed, n, CT_EDATA, "type 0x00");
    memcpy(plain, "\0\0\x08\1\xff\xff\xff\xff", 8);
    n = pack(plain, sizeof plain, sizeof plain, packed, ROOM);
    rows_refused("I11 a bomb of 4 GiB", load, packed, n, CT_EDATA, "header says 4294967303 bytes");
}

static void types(void **state) {
    static const struct {
        const char *bytes;
        uint64_t n;
        int32_t dtype;
        double first, second;
    } rows[] = {{"\0\0\x08\1\0\0\0\2\xff\1", 10, CT_U8, 255, 1},
                {"\0\0\x09\1\0\0\0\2\xff\1", 10, CT_I8, -1, 1},
                {"\0\0\x0b\1\0\0\0\2\xff\xfe\1\0", 12, CT_I32, -2, 256},
                {"\0\0\x0c\1\0\0\0\2\xff\xff\xff\xfe\0\0\1\0", 16, CT_I32, -2, 256},
                {"\0\0\x0d\1\0\0\0\2\x3f\x80\0\0\xc0\0\0\0", 16, CT_F32, 1, -2},
                {"\0\0\x0e\1\0\0\0\2\x3f\xf0\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0", 24, CT_F64, 1, -2}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_array x, d;
        ct_err e = {0};
        rows_accepted("types", parse, rows[i].bytes, rows[i].n);
        assert_int_equal(ct_idx_parse(NULL, rows[i].bytes, rows[i].n, "f", &x, &e), CT_OK);
        assert_int_equal(x.dtype, rows[i].dtype);
        assert_int_equal(ct_array_new(NULL, CT_F64, ct_shape_make(1, x.dim), &d, &e), CT_OK);
        assert_int_equal(ct_array_copy(&d, &x, &e), CT_OK);
        assert_true(((double *)d.data)[0] == rows[i].first && ((double *)d.data)[1] == rows[i].second);
        ct_array_free(&x);
        ct_array_free(&d);
    }
    rows_accepted("I12: the reader takes it, the job refuses it", parse, "\0\0\x08\2\0\0\0\0\0\0\0\3", 12);
}

/* Any byte changed to any value, any cut: refused or read, never worse (the sanitizers watch). */
static void mutations(void **state) {
    uint8_t file[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    (void)state;
    for (size_t i = 0; i < 16; i++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t before = file[i];
            file[i] = (uint8_t)v;
            ct_status s = parse(NULL, file, sizeof file, NULL);
            assert_true(s == CT_OK || s == CT_EDATA);
            file[i] = before;
        }
    for (size_t n = 0; n < sizeof file; n++) assert_int_equal(parse(NULL, file, n, NULL), CT_EDATA);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused), cmocka_unit_test(gzip),
                                       cmocka_unit_test(types), cmocka_unit_test(mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
