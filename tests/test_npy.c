/* The .npy format: round trips, NumPy's variants, malformed files (N1-N11 of the bad inputs). */
#include "rows.h"

#include "cotan.h"
#include "cotan/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ct_dtype all_types[] = {CT_F32, CT_F64, CT_BF16, CT_I64, CT_I32, CT_U8, CT_BOOL, CT_I8};
#define TYPES (sizeof all_types / sizeof *all_types)

/* A file of version `major` with this header text, unpadded, and data. Returns its length. */
static size_t make_npy(unsigned char *out, unsigned char major, const char *header, const void *data,
                       size_t bytes) {
    size_t n = strlen(header), at = 8;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = major;
    out[7] = 0;
    for (size_t i = 0; i < (major == 1 ? 2u : 4u); i++) out[at++] = (unsigned char)(n >> 8 * i & 255);
    memcpy(out + at, header, n);
    if (bytes) memcpy(out + at + n, data, bytes);
    return at + n + bytes;
}

static ct_array parse_ok(unsigned char major, const char *header, const void *data, size_t bytes) {
    unsigned char file[1024];
    size_t n = make_npy(file, major, header, data, bytes);
    ct_array a = {0};
    ct_err e = {0};
    if (ct_npy_parse(NULL, file, n, "x.npy", &a, &e)) fail_msg("%s: %s", header, e.text);
    return a;
}

static void test_npy_variants(void **state) {
    static const unsigned char big_floats[] = {0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0}; /* 1, -2 */
    static const unsigned char halves[] = {0, 0x3C, 0xFF, 0xFB, 1, 0, 0, 0x7C};  /* 1, -65504, 2^-24, inf */
    static const unsigned char words[] = {0xFF, 0xFF, 1, 0};
    static const unsigned char six[] = {1, 2, 3, 4, 5, 6}, odd[] = {0, 1, 2};
    (void)state;
    /* N5: the other byte order */
    ct_array a = parse_ok(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n", big_floats, 8);
    assert_int_equal(a.dtype, CT_F32);
    assert_true(((float *)a.data)[0] == 1 && ((float *)a.data)[1] == -2);
    ct_array_free(&a);
    a = parse_ok(2, "{\"shape\":(2L,2L),\"descr\":\"<f2\",\"fortran_order\":False}", halves, 8);
    assert_true(a.dtype == CT_F32 && a.rank == 2);
    const float *f = a.data;
    assert_true(f[0] == 1 && f[1] == -65504 && f[2] == 0x1p-24f && isinf(f[3]));
    ct_array_free(&a);
    a = parse_ok(3, "{'descr': '<i2', 'fortran_order': False, 'shape': (2,)}  \n", words, 4);
    assert_true(a.dtype == CT_I32 && ((int32_t *)a.data)[0] == -1 && ((int32_t *)a.data)[1] == 1);
    ct_array_free(&a);
    a = parse_ok(1, "{'descr': '<u2', 'fortran_order': False, 'shape': (2,)}", words, 4);
    assert_true(a.dtype == CT_I32 && ((int32_t *)a.data)[0] == 65535);
    ct_array_free(&a);
    a = parse_ok(1, "{'descr': '>u4', 'fortran_order': False, 'shape': (1,)}", words, 4);
    assert_true(a.dtype == CT_I64 && ((int64_t *)a.data)[0] == 0xFFFF0100);
    ct_array_free(&a);
    /* N7: the first index runs fastest in the file, the last one in memory */
    a = parse_ok(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", six, 6);
    assert_true(ct_array_contiguous(&a));
    assert_memory_equal(a.data, "\1\3\5\2\4\6", 6);
    ct_array_free(&a);
    a = parse_ok(1, "{'descr': '|b1', 'fortran_order': True, 'shape': (3,), }\n", odd, 3);
    assert_memory_equal(a.data, "\0\1\1", 3);
    ct_array_free(&a);
    /* N11 */
    a = parse_ok(1, "{'descr': '|V2', 'fortran_order': False, 'shape': (), }\n", six, 2);
    assert_true(a.dtype == CT_BF16 && a.rank == 0 && ct_array_count(&a) == 1);
    ct_array_free(&a);
    a = parse_ok(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }\n", NULL, 0);
    assert_true(a.rank == 2 && ct_array_count(&a) == 0);
    ct_array_free(&a);
}

static ct_status parse(const ct_allocator *a, const void *bytes, uint64_t n, ct_err *e) {
    ct_array x = {.rank = 77};
    ct_dtype dtype = CT_F64;
    ct_shape shape = {{0}, 0, 0};
    ct_status s = ct_npy_parse(a, bytes, n, "x.npy", &x, e), head;
    if (s != CT_ELIMIT) { /* the header alone says the same */
        ct_err e2 = {0};
        head = ct_npy_probe(bytes, n, "x.npy", &dtype, &shape, &e2);
        assert_int_equal(head, s);
        if (s) assert_string_equal(e2.text, e->text);
    }
    if (!s) {
        assert_true(x.dtype == (int32_t)dtype && x.rank == shape.rank);
        assert_memory_equal(x.dim, shape.dim, (size_t)x.rank * sizeof *x.dim);
    }
    if (s) assert_int_equal(x.rank, 77);
    if (!s) ct_array_free(&x);
    return s;
}

static void refuse(const char *code, const void *bytes, size_t n, const char *text) {
    rows_refused(code, parse, bytes, n, CT_EDATA, text);
}

static void test_npy_malformed_headers(void **state) {
    static const char *const rows[][3] = {
        {"N4", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "pickled objects"},
        {"N6", "{'descr': '<U8', 'fortran_order': False, 'shape': (1,), }", "type '<U8' is not supported"},
        {"N6", "{'descr': '|S4', 'fortran_order': False, 'shape': (1,), }", "not supported"},
        {"N6", "{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }", "not supported"},
        {"N6", "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "not supported"},
        {"N6", "{'descr': '|f4', 'fortran_order': False, 'shape': (1,), }", "not supported"},
        {"N6", "{'descr': '', 'fortran_order': False, 'shape': (1,), }", "not supported"},
        {"N6", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "structured"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "not a number"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,), }", "not followed by ','"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (1e3,), }", "not followed by ','"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (4), }", "not followed by ','"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': 4, }", "no shape"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
         "more than 8 dimensions"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,), }", "too large"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "overflows"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }", "overflows"},
        {"N8", "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 16), }",
         "overflows"},
        {"N10", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "4 bytes of data; wanted 8"},
        {"N9", "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1, }", "unknown key"},
        {"N9", "{'descr': '<f4', 'descr': '<f4', 'shape': (), }", "a key twice"},
        {"N9", "{'descr': '<f4', 'shape': (), }", "a key is missing"},
        {"N9", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", "no truth value"},
        {"N9", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } import os",
         "text after the dictionary"},
        {"N9", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ", "no string"},
        {"N9", "{'descr': '<f4", "string without end"},
        {"N9", "{'descr' '<f4'}", "without ':'"},
        {"N9", "__import__('os').system('true')", "no dictionary"},
        {"N9", "", "no dictionary"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char file[512];
        refuse(rows[i][0], file, make_npy(file, (unsigned char)(1 + i % 3), rows[i][1], "\0\0\0", 4),
               rows[i][2]);
    }
}

static void test_npy_malformed_files(void **state) {
    (void)state;
    static unsigned char file[20000];
    static char brackets[10001];
    const char *good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";
    size_t n = make_npy(file, 1, good, "\0\0\0", 4);
    for (size_t k = 0; k < n; k++) { /* cut anywhere */
        ct_array a = {0};
        unsigned char *cut = malloc(k ? k : 1);
        assert_non_null(cut);
        memcpy(cut, file, k);
        assert_int_equal(ct_npy_parse(NULL, cut, k, "x.npy", &a, NULL), CT_EDATA);
        assert_null(a.data);
        free(cut);
    }
    refuse("N10", file, n - 1, "3 bytes of data; wanted 4");
    refuse("N10", file, n + 1, "5 bytes of data; wanted 4");
    file[0] = 'P';
    refuse("N1", file, n, "not an .npy file");
    n = make_npy(file, 9, good, "\0\0\0", 4);
    refuse("N2", file, n, "version 9.0");
    n = make_npy(file, 1, good, "\0\0\0", 4);
    file[8] = 0xFF;
    refuse("N3", file, n, "for the header");
    file[9] = 0xFF;
    refuse("N3", file, n, "a header of 65535 bytes; wanted at most 10000");
    n = make_npy(file, 2, good, "\0\0\0", 4);
    memset(file + 8, 0xFF, 4);
    refuse("N3", file, n, "a header of 4294967295 bytes");
    static char padded[10002]; /* a header of 10,000 bytes is read, of 10,001 not */
    memset(padded, ' ', sizeof padded - 1);
    memcpy(padded, good, strlen(good) - 1);
    n = make_npy(file, 2, padded, "\0\0\0", 4);
    refuse("N3", file, n, "a header of 10001 bytes; wanted at most 10000");
    padded[10000] = 0;
    n = make_npy(file, 2, padded, "\0\0\0", 4);
    rows_accepted("N3 10,000", parse, file, n);
    memset(brackets, '[', 10000);
    refuse("N9", file, make_npy(file, 1, brackets, NULL, 0), "no dictionary");
    memset(brackets, '(', 10000);
    memcpy(brackets, "{'shape': ", 10);
    refuse("N9", file, make_npy(file, 1, brackets, NULL, 0), "not a number");
}

/* Any byte of a header changed to any value: refused or read, never worse (the sanitizers watch). */
static void test_npy_mutations(void **state) {
    (void)state;
    unsigned char file[256];
    size_t n = make_npy(file, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n",
                        "0123456789abcdef01234567", 24);
    int read = 0;
    for (size_t i = 0; i < n - 24; i++) {
        for (unsigned v = 0; v < 256; v++) {
            unsigned char before = file[i];
            ct_array a = {0};
            file[i] = (unsigned char)v;
            ct_status status = ct_npy_parse(NULL, file, n, "x.npy", &a, NULL);
            assert_true(status == CT_OK || status == CT_EDATA);
            if (status == CT_OK) {
                assert_true(ct_array_count(&a) * ct_dtype_size((ct_dtype)a.dtype) >= 24);
                read++;
            }
            ct_array_free(&a);
            file[i] = before;
        }
    }
    assert_true(read > (int)(n - 24) && read < 1000);
}

static void test_npy_round_trip(void **state) {
    (void)state;
    char path[64] = "test_tensor.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < TYPES; i++) {
        for (int32_t rank = 0; rank <= CT_MAX_RANK; rank++) {
            int64_t dim[CT_MAX_RANK] = {2, 3, 1, 2, 1, 2, 1, 2};
            ct_array a, b = {0};
            ct_err e = {0};
            assert_int_equal(ct_array_new(NULL, all_types[i], ct_shape_make(rank, dim), &a, NULL), CT_OK);
            for (uint64_t k = 0; k < a.owned; k++)
                ((unsigned char *)a.data)[k] = (unsigned char)(all_types[i] == CT_BOOL ? k % 2 : k * 7 + 1);
            if (ct_npy_save(NULL, NULL, path, &a, &e) || ct_npy_load(NULL, NULL, path, &b, &e))
                fail_msg("%s", e.text);
            assert_true(b.dtype == a.dtype && b.rank == a.rank && b.owned == a.owned);
            assert_memory_equal(a.dim, b.dim, sizeof a.dim);
            assert_memory_equal(a.data, b.data, (size_t)a.owned);
            ct_array_free(&a);
            ct_array_free(&b);
        }
    }
    float data[6] = {0, 1, 2, 3, 4, 5};
    ct_array turned = ct_array_view(data, CT_F32, CT_SHAPE(3, 2)), back;
    turned.stride[0] = 1, turned.stride[1] = 3;
    assert_int_equal(ct_npy_save(NULL, NULL, path, &turned, NULL), CT_OK);
    assert_int_equal(ct_npy_load(NULL, NULL, path, &back, NULL), CT_OK);
    static const float wanted[6] = {0, 3, 1, 4, 2, 5};
    assert_memory_equal(back.data, wanted, sizeof wanted);
    ct_array_free(&back);
    void *bytes;
    uint64_t n;
    assert_int_equal(ct_file_read(NULL, NULL, path, 0, &bytes, &n, NULL), CT_OK);
    assert_int_equal(n, 128 + 24); /* the data is aligned to 64 bytes, as numpy.save does */
    assert_memory_equal((char *)bytes + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }  ",
                        60);
    assert_int_equal(((char *)bytes)[127], '\n');
    ct_delete(NULL, bytes, (size_t)n);
    unlink(path);
    ct_array none = {0};
    assert_int_equal(ct_npy_save(NULL, NULL, path, &none, NULL), CT_EUSAGE);
    assert_int_equal(ct_npy_load(NULL, NULL, path, &back, NULL), CT_EIO);
}

/* N11: a scalar and no rows are read as they stand; a source of records wants rows. */
static void test_npy_no_rows(void **state) {
    static const char *const rows[][2] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "\0\0\x80\x3f"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", ""}};
    const char *names[1] = {"x"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        ct_array a = parse_ok(1, rows[i][0], rows[i][1], i ? 0 : 4);
        ct_source source = {0};
        ct_loader *l = NULL;
        ct_err e = {0};
        assert_int_equal(a.rank, i ? 2 : 0);
        ct_status s = ct_source_arrays(NULL, &a, names, 1, &source, &e);
        if (!s) s = ct_loader_new(NULL, &source, (ct_loader_options){0}, &l, &e);
        assert_int_equal(s, CT_EDATA);
        rows_one_line("N11", &e);
        ct_source_close(&source);
        ct_array_free(&a);
    }
}

static void test_npy_memory(void **state) {
    (void)state;
    unsigned char file[256];
    rows_accepted(
        "N7", parse, file,
        make_npy(file, 1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", "abcdef", 6));
    rows_accepted(
        "N5", parse, file,
        make_npy(file, 1, "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n", "abcd", 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy_variants),        cmocka_unit_test(test_npy_malformed_headers),
        cmocka_unit_test(test_npy_malformed_files), cmocka_unit_test(test_npy_mutations),
        cmocka_unit_test(test_npy_round_trip),      cmocka_unit_test(test_npy_memory),
        cmocka_unit_test(test_npy_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
