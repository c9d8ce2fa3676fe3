/* test_npy_rows.c: .npy files by rows: the same values as whole, whatever the room; files that cannot be read so; files
 * that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cotan.h"

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

/* By rows: the same values as whole, for all types and both byte orders, whatever the room. */
static void test_npy_rows(void **state) {
    (void)state;
    char path[] = "/tmp/cotan_rows_XXXXXX";
    int fd = mkstemp(path);
    double data[21];
    assert_true(fd >= 0);
    close(fd);
    for (int i = 0; i < 21; i++) data[i] = i * 1.5;
    ct_array all = ct_array_view(data, CT_F64, CT_SHAPE(7, 3));
    assert_int_equal(ct_npy_save(NULL, NULL, path, &all, NULL), CT_OK);
    for (int64_t room = 1; room < 9; room++) {
        double part[27], back[21];
        ct_array to = ct_array_view(part, CT_F64, CT_SHAPE(room, 3));
        ct_npy *n;
        ct_err e = {0};
        int64_t rows = 1, at = 0;
        if (ct_npy_open(NULL, NULL, path, &n, &e)) fail_msg("%s", e.text);
        assert_int_equal(ct_npy_dtype(n), CT_F64);
        for (int pass = 0; pass < 2; pass++) {
            for (at = 0, rows = 1; rows; at += rows) {
                assert_int_equal(ct_npy_rows(n, &to, &rows, &e), CT_OK);
                memcpy(back + at * 3, part, (size_t)rows * 24);
            }
            assert_int_equal(at, 7);
            assert_memory_equal(back, data, sizeof data);
            assert_int_equal(ct_npy_rewind(n, &e), CT_OK);
        }
        ct_array wrong = ct_array_view(part, CT_F32, CT_SHAPE(room, 3));
        assert_int_equal(ct_npy_rows(n, &wrong, &rows, &e), CT_EUSAGE);
        ct_npy_close(n);
    }
    unsigned char file[256];
    static const struct {
        const char *header, *text;
    } bad[] = {{"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }\n", "Fortran order"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", "a single number"},
               {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", "8 bytes of data; wanted 12"},
               {"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }\n", "pickled"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ct_npy *n;
        ct_err e = {0};
        size_t bytes = make_npy(file, 1, bad[i].header, "abcdefgh", 8);
        assert_int_equal(ct_file_write(NULL, NULL, path, file, bytes, NULL), CT_OK);
        assert_int_equal(ct_npy_open(NULL, NULL, path, &n, &e), CT_EDATA);
        if (!strstr(e.text, bad[i].text)) fail_msg("%s", e.text);
    }
    unlink(path);
}

/* A file that grows while it is read. */
static void test_npy_rows_change(void **state) {
    (void)state;
    char path[] = "/tmp/cotan_rows_XXXXXX";
    int fd = mkstemp(path);
    float data[4] = {1, 2, 3, 4}, part[4];
    ct_array all = ct_array_view(data, CT_F32, CT_SHAPE(4)), to = ct_array_view(part, CT_F32, CT_SHAPE(2));
    ct_npy *n;
    ct_err e = {0};
    int64_t rows;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ct_npy_save(NULL, NULL, path, &all, NULL), CT_OK);
    assert_int_equal(ct_npy_open(NULL, NULL, path, &n, &e), CT_OK);
    assert_int_equal(ct_npy_rows(n, &to, &rows, &e), CT_OK);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs("more", f);
    fclose(f);
    assert_int_equal(ct_npy_rows(n, &to, &rows, &e), CT_EIO);
    assert_non_null(strstr(e.text, "changed while reading"));
    assert_int_equal(ct_npy_rewind(n, NULL), CT_EIO);
    ct_npy_close(n);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_npy_rows),
                                       cmocka_unit_test(test_npy_rows_change)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
