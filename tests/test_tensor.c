/* Types, shapes, host arrays with every conversion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cotan.h"

#include <math.h>
#include <string.h>

static const ct_dtype all_types[] = {CT_F32, CT_F64, CT_BF16, CT_I64, CT_I32, CT_U8, CT_BOOL, CT_I8};
#define TYPES (sizeof all_types / sizeof *all_types)

static void test_dtypes(void **state) {
    static const char *const names[TYPES] = {"f32", "f64", "bf16", "i64", "i32", "u8", "bool", "i8"};
    static const size_t sizes[TYPES] = {4, 8, 2, 8, 4, 1, 1, 1};
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        assert_string_equal(ct_dtype_name(all_types[i]), names[i]);
        assert_int_equal(ct_dtype_size(all_types[i]), sizes[i]);
    }
    assert_int_equal(ct_dtype_size((ct_dtype)0), 0);
    assert_int_equal(ct_dtype_size((ct_dtype)9), 0);
    assert_string_equal(ct_dtype_name((ct_dtype)-1), "invalid");
}

static void test_shapes(void **state) {
    (void)state;
    char text[CT_SHAPE_TEXT];
    uint64_t count = 99;
    ct_shape s = CT_SHAPE(CT_N, 3, 32, 32), scalar = ct_shape_make(0, NULL), twice = CT_SHAPE(-2, 5);
    ct_shape large = CT_SHAPE(INT64_C(1) << 62, 4), empty = CT_SHAPE(0, 5),
             sly = CT_SHAPE(0, INT64_C(1) << 62, 8);
    ct_shape worst =
        CT_SHAPE(INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN);
    assert_int_equal(s.rank, 4);
    assert_string_equal(ct_shape_format(&s, text), "[N,3,32,32]");
    assert_string_equal(ct_shape_format(&scalar, text), "[]");
    assert_string_equal(ct_shape_format(&twice, text), "[2N,5]");
    assert_int_equal(strlen(ct_shape_format(&worst, text)), 8 * 21 + 1);
    assert_true(ct_shape_count(&s, 2, &count) && count == 2 * 3 * 32 * 32);
    assert_true(ct_shape_count(&scalar, 2, &count) && count == 1);
    assert_true(ct_shape_count(&twice, 7, &count) && count == 70);
    assert_true(ct_shape_count(&empty, 1, &count) && count == 0);
    assert_true(ct_shape_count(&s, 0, &count) && count == 0);
    count = 99;
    assert_false(ct_shape_count(&large, 1, &count));
    assert_false(ct_shape_count(&sly, 1, &count));
    assert_false(ct_shape_count(&worst, INT64_MAX, &count));
    assert_false(ct_shape_count(&s, -1, &count));
    assert_int_equal(count, 99);
    ct_shape wrong = ct_shape_make(9, s.dim), negative = ct_shape_make(-1, NULL);
    assert_false(ct_shape_count(&wrong, 1, &count));
    assert_false(ct_shape_count(&negative, 1, &count));
    assert_true(ct_shape_equal(&s, &s));
    assert_false(ct_shape_equal(&s, &scalar));
    ct_shape other = CT_SHAPE(CT_N, 3, 32, 33);
    assert_false(ct_shape_equal(&s, &other));
}

/* ---- arrays ---- */

static void *no_memory(void *user, size_t bytes) {
    (void)user, (void)bytes;
    return NULL;
}

static void test_array_basics(void **state) {
    ct_allocator nothing = {.allocate = no_memory};
    (void)state;
    ct_array a = {0};
    ct_err e = {0};
    assert_int_equal(ct_array_new(NULL, CT_F32, CT_SHAPE(3, 4), &a, &e), CT_OK);
    assert_int_equal(ct_array_count(&a), 12);
    assert_int_equal(a.owned, 48);
    assert_true(a.stride[0] == 4 && a.stride[1] == 1);
    assert_true(ct_array_contiguous(&a));
    for (int i = 0; i < 12; i++) assert_true(((float *)a.data)[i] == 0.0f);
    ct_array_free(&a);
    assert_null(a.data);
    ct_array_free(&a);
    ct_array_free(NULL);
    assert_int_equal(ct_array_new(NULL, CT_F32, CT_SHAPE(0, 4), &a, &e), CT_OK);
    assert_int_equal(ct_array_count(&a), 0);
    assert_true(a.owned > 0);
    ct_array_free(&a);
    assert_int_equal(ct_array_new(NULL, CT_F32, CT_SHAPE(CT_N, 4), &a, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "[N,4]"));
    assert_int_equal(ct_array_new(NULL, CT_F64, CT_SHAPE(INT64_MAX), &a, NULL), CT_EUSAGE);
    assert_int_equal(ct_array_new(&nothing, CT_F32, CT_SHAPE(1), &a, NULL), CT_ELIMIT);
    assert_int_equal(ct_array_new(NULL, (ct_dtype)0, CT_SHAPE(1), &a, NULL), CT_EUSAGE);
    assert_null(a.data);
    float data[6] = {0};
    ct_array v = ct_array_view(data, CT_F32, CT_SHAPE(2, 1, 3));
    v.stride[1] = 77; /* an extent of one has no stride to speak of */
    assert_true(ct_array_contiguous(&v));
    v.stride[0] = 1;
    assert_false(ct_array_contiguous(&v));
    ct_array_free(&v); /* only forgotten */
    ct_array none = ct_array_view(data, CT_F32, CT_SHAPE(CT_N));
    assert_int_equal(ct_array_count(&none), 0);
    assert_int_equal(ct_array_copy(&none, &none, NULL), CT_EUSAGE);
}

/* Small whole numbers survive the way through any pair of types, transposed on the way. */
static void test_copy_all_pairs(void **state) {
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        for (size_t j = 0; j < TYPES; j++) {
            int32_t numbers[6], back[6];
            int boolean = all_types[i] == CT_BOOL || all_types[j] == CT_BOOL;
            for (int k = 0; k < 6; k++) numbers[k] = boolean ? k % 2 : k * 25;
            ct_array a, b;
            ct_array source = ct_array_view(numbers, CT_I32, CT_SHAPE(2, 3)),
                     end = ct_array_view(back, CT_I32, CT_SHAPE(2, 3));
            assert_int_equal(ct_array_new(NULL, all_types[i], CT_SHAPE(2, 3), &a, NULL), CT_OK);
            assert_int_equal(ct_array_new(NULL, all_types[j], CT_SHAPE(3, 2), &b, NULL), CT_OK);
            ct_array turned = b;
            turned.dim[0] = 2, turned.dim[1] = 3, turned.stride[0] = 1, turned.stride[1] = 2;
            assert_int_equal(ct_array_copy(&a, &source, NULL), CT_OK);
            assert_int_equal(ct_array_copy(&turned, &a, NULL), CT_OK);
            assert_int_equal(ct_array_copy(&end, &turned, NULL), CT_OK);
            assert_memory_equal(back, numbers, sizeof back);
            ct_array_free(&a);
            ct_array_free(&b);
        }
    }
}

static void test_copy_strided(void **state) {
    (void)state;
    float from[24], to[24] = {0};
    for (int i = 0; i < 24; i++) from[i] = (float)i;
    ct_array f = ct_array_view(from + 23, CT_F32, CT_SHAPE(2, 3, 2)),
             t = ct_array_view(to, CT_F32, CT_SHAPE(2, 3, 2));
    f.stride[0] = -12, f.stride[1] = -4, f.stride[2] = -2; /* backwards, every other one */
    t.stride[0] = 1, t.stride[1] = 4, t.stride[2] = 2;
    assert_int_equal(ct_array_copy(&t, &f, NULL), CT_OK);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 2; k++)
                assert_true(to[i + 4 * j + 2 * k] == (float)(23 - 12 * i - 4 * j - 2 * k));
    ct_array other = ct_array_view(to, CT_F32, CT_SHAPE(2, 3));
    ct_err e = {0};
    assert_int_equal(ct_array_copy(&other, &f, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "[2,3,2]; wanted [2,3]"));
    float one = 5, got = 0;
    ct_array x = ct_array_view(&one, CT_F32, ct_shape_make(0, NULL)),
             y = ct_array_view(&got, CT_F32, ct_shape_make(0, NULL));
    assert_int_equal(ct_array_copy(&y, &x, NULL), CT_OK);
    assert_true(got == 5);
    ct_array null = ct_array_view(NULL, CT_F32, CT_SHAPE(2, 3, 2));
    assert_int_equal(ct_array_copy(&t, &null, NULL), CT_EUSAGE);
}

static ct_status convert(ct_dtype from, const void *value, ct_dtype to, void *out, ct_err *e) {
    ct_array f = ct_array_view((void *)(uintptr_t)value, from, CT_SHAPE(1)),
             t = ct_array_view(out, to, CT_SHAPE(1));
    return ct_array_copy(&t, &f, e);
}

static uint16_t bf16_by(ct_dtype from, const void *value) {
    uint16_t out = 0;
    assert_int_equal(convert(from, value, CT_BF16, &out, NULL), CT_OK);
    return out;
}

static uint16_t bf16_of_bits(uint32_t bits) { return bf16_by(CT_F32, &bits); }

static void test_bf16(void **state) {
    (void)state;
    assert_int_equal(bf16_of_bits(0x3F800000), 0x3F80); /* 1 */
    assert_int_equal(bf16_of_bits(0x3F808000), 0x3F80); /* ties go to even ... */
    assert_int_equal(bf16_of_bits(0x3F818000), 0x3F82);
    assert_int_equal(bf16_of_bits(0x3F808001), 0x3F81); /* ... and only ties */
    assert_int_equal(bf16_of_bits(0x3F817FFF), 0x3F81);
    assert_int_equal(bf16_of_bits(0xBF818000), 0xBF82);
    assert_int_equal(bf16_of_bits(0x7F7FFFFF), 0x7F80); /* the largest float is nearer to infinity */
    assert_int_equal(bf16_of_bits(0x7F800000), 0x7F80);
    assert_int_equal(bf16_of_bits(0xFF800000), 0xFF80);
    assert_int_equal(bf16_of_bits(0x7F800001) & 0x7FC0, 0x7FC0); /* NaN, and not infinity */
    assert_int_equal(bf16_of_bits(0x80000000), 0x8000);
    double above = 1.0 + 0x1p-8 + 0x1p-40, tie = 1.0 + 0x1p-8,
           below = 1.0 + 3 * 0x1p-8 - 0x1p-40; /* one rounding, not two */
    assert_int_equal(bf16_by(CT_F64, &above), 0x3F81);
    assert_int_equal(bf16_by(CT_F64, &tie), 0x3F80);
    assert_int_equal(bf16_by(CT_F64, &below), 0x3F81);
    int64_t whole = (INT64_C(1) << 60) + (INT64_C(1) << 52), more = whole + 1, less = -more;
    assert_int_equal(bf16_by(CT_I64, &whole), 0x5D80);
    assert_int_equal(bf16_by(CT_I64, &more), 0x5D81);
    assert_int_equal(bf16_by(CT_I64, &less), 0xDD81);
    for (uint32_t bits = 0; bits < 0x10000; bits++) { /* every bf16 is itself */
        uint16_t in = (uint16_t)bits, out = 0;
        float f = 0;
        assert_int_equal(convert(CT_BF16, &in, CT_F32, &f, NULL), CT_OK);
        assert_int_equal(convert(CT_F32, &f, CT_BF16, &out, NULL), CT_OK);
        if (isnan(f))
            assert_true((out & 0x7FFF) > 0x7F80);
        else
            assert_int_equal(in, out);
    }
}

static void test_integers(void **state) {
    static const struct {
        double value;
        ct_dtype to;
        int fits;
        int64_t result;
    } rows[] = {
        {2.9, CT_I32, 1, 2},
        {-2.9, CT_I32, 1, -2},
        {-0.9, CT_U8, 1, 0},
        {255.9, CT_U8, 1, 255},
        {256, CT_U8, 0, 0},
        {-1, CT_U8, 0, 0},
        {127.5, CT_I8, 1, 127},
        {-128.5, CT_I8, 1, -128},
        {128, CT_I8, 0, 0},
        {2147483647, CT_I32, 1, INT32_MAX},
        {2147483648.0, CT_I32, 0, 0},
        {-2147483648.0, CT_I32, 1, INT32_MIN},
        {0x1p63, CT_I64, 0, 0},
        {-0x1p63, CT_I64, 1, INT64_MIN},
        {(double)INFINITY, CT_I64, 0, 0},
        {(double)NAN, CT_I64, 0, 0},
        {(double)NAN, CT_BOOL, 0, 0},
        {0.25, CT_BOOL, 1, 1},
        {0, CT_BOOL, 1, 0},
        {1e300, CT_I32, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        union {
            int64_t i64;
            int32_t i32;
            int8_t i8;
            uint8_t u8;
        } out = {.i64 = 0x5A5A5A5A5A5A5A5A};
        int64_t before = out.i64;
        assert_int_equal(convert(CT_F64, &rows[i].value, rows[i].to, &out, NULL),
                         rows[i].fits ? CT_OK : CT_EDATA);
        int64_t got = rows[i].to == CT_I64   ? out.i64
                      : rows[i].to == CT_I32 ? out.i32
                      : rows[i].to == CT_I8  ? out.i8
                                             : out.u8;
        if (rows[i].fits)
            assert_true(got == rows[i].result);
        else
            assert_true(out.i64 == before);
    }
    int32_t wide = 300;
    uint8_t narrow = 9;
    ct_err e = {0};
    assert_int_equal(convert(CT_I32, &wide, CT_U8, &narrow, &e), CT_EDATA);
    assert_int_equal(narrow, 9);
    assert_non_null(strstr(e.text, "is 300; wanted a number that fits in u8"));
}

static void test_first_bad_element(void **state) {
    (void)state;
    float from[6] = {1, 2, 3, 4, (float)NAN, (float)INFINITY};
    int32_t to[6] = {-1, -1, -1, -1, -1, -1};
    ct_array f = ct_array_view(from, CT_F32, CT_SHAPE(2, 3)), t = ct_array_view(to, CT_I32, CT_SHAPE(2, 3));
    ct_err e = {0};
    assert_int_equal(ct_array_copy(&t, &f, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "element [1,1] is nan"));
    for (int i = 0; i < 6; i++) assert_int_equal(to[i], -1); /* nothing was written */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes),       cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_array_basics), cmocka_unit_test(test_copy_all_pairs),
        cmocka_unit_test(test_copy_strided), cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_integers),     cmocka_unit_test(test_first_bad_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
