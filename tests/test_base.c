/* The ground: errors, memory, text and numbers, random numbers, hashes, nearest names, the
 * bounded reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cotan/base.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

static void test_first_error_stays(void **state) {
    (void)state;
    ct_err e = {0};
    assert_int_equal(ct_fail(&e, CT_EDATA, "first: %d", 1), CT_EDATA);
    assert_int_equal(ct_fail(&e, CT_EIO, "second"), CT_EIO);
    assert_int_equal(e.status, CT_EDATA);
    assert_string_equal(e.text, "first: 1");
    assert_int_equal(e.pos, -1);
    ct_error_clear(&e);
    assert_int_equal(e.status, CT_OK);
    assert_string_equal(e.text, "");
    ct_fail_at(&e, CT_EDATA, "a\nb", 12, "x%sy", "\x1b[31m");
    assert_string_equal(e.text, "a\\x0ab:@12: x\\x1b[31my");
    assert_string_equal(e.file, "a\\x0ab");
    assert_int_equal(e.pos, 12);
    ct_error_clear(&e);
    ct_fail_at(&e, CT_EIO, "f", -1, "gone");
    assert_string_equal(e.text, "f: gone");
    assert_int_equal(ct_fail(NULL, CT_ELIMIT, "nobody listens"), CT_ELIMIT);
}

static void test_error_text_is_bounded(void **state) {
    (void)state;
    ct_err e = {0};
    char longer[3000];
    for (size_t i = 0; i + 2 < sizeof longer; i += 2) memcpy(longer + i, "\xc3\xa9", 2);
    longer[sizeof longer - 2] = 0;
    ct_fail(&e, CT_EDATA, "x%s", longer);
    size_t n = strlen(e.text);
    assert_true(n <= CT_ERROR_TEXT - 1 && n >= CT_ERROR_TEXT - 3);
    assert_null(strstr(e.text, "\\x")); /* no character was cut in two */
    ct_error_clear(&e);
    ct_fail_at(&e, CT_EDATA, longer, 5, "y");
    assert_true(strlen(e.text) < CT_ERROR_TEXT && strlen(e.file) < sizeof e.file);
}

static void test_escape(void **state) {
    (void)state;
    char out[64], small[6];
    assert_string_equal(ct_escape("a\tb\x7f", out, sizeof out), "a\\x09b\\x7f");
    assert_string_equal(ct_escape("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", out, sizeof out),
                        "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_string_equal(ct_escape("\xc3", out, sizeof out), "\\xc3");                   /* cut */
    assert_string_equal(ct_escape("\xc0\xaf", out, sizeof out), "\\xc0\\xaf");          /* overlong */
    assert_string_equal(ct_escape("\xed\xa0\x80", out, sizeof out), "\\xed\\xa0\\x80"); /* surrogate */
    assert_string_equal(ct_escape("\xc2\x9b", out, sizeof out), "\\xc2\\x9b");          /* C1 control */
    assert_string_equal(ct_escape("\xe2\x80\xa8", out, sizeof out), "\\xe2\\x80\\xa8"); /* line separator */
    assert_string_equal(ct_escape("ab\n", small, sizeof small), "ab");
    assert_string_equal(ct_escape(NULL, small, sizeof small), "");
}

static void test_status_names(void **state) {
    (void)state;
    assert_string_equal(ct_status_name(CT_EUSAGE), "usage");
    assert_string_equal(ct_status_name(CT_EDATA), "data");
    assert_string_equal(ct_status_name(CT_EIO), "io");
    assert_string_equal(ct_status_name(CT_ELIMIT), "limit");
    assert_string_equal(ct_status_name((ct_status)99), "unknown");
}

/* ---- memory ---- */

typedef struct meter {
    int64_t left; /* allocations before NULL; negative: no end */
    int64_t live, bytes, calls;
} meter;

static void *meter_allocate(void *user, size_t bytes) {
    meter *m = user;
    m->calls++;
    if (m->left == 0) return NULL;
    if (m->left > 0) m->left--;
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) return NULL;
    memset(p, 0xA5, bytes); /* what was never set is not zero */
    m->live++;
    m->bytes += (int64_t)bytes;
    return p;
}

static void meter_release(void *user, void *memory, size_t bytes) {
    meter *m = user;
    m->live--;
    m->bytes -= (int64_t)bytes;
    free(memory);
}

static ct_allocator metered(meter *m) { return (ct_allocator){meter_allocate, meter_release, m}; }

static int all_zero(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]) return 0;
    return 1;
}

static void test_checked_sizes(void **state) {
    (void)state;
    uint64_t out = 7;
    assert_true(ct_mul_ok(UINT32_MAX, UINT32_MAX, &out));
    assert_true(out == UINT64_C(0xFFFFFFFE00000001));
    assert_false(ct_mul_ok(UINT64_C(1) << 32, UINT64_C(1) << 32, &out));
    assert_true(out == UINT64_C(0xFFFFFFFE00000001));
    assert_true(ct_mul_ok(0, UINT64_MAX, &out) && out == 0);
    assert_true(ct_add_ok(UINT64_MAX, 0, &out) && out == UINT64_MAX);
    assert_false(ct_add_ok(UINT64_MAX, 1, &out));
    assert_null(ct_new_array(NULL, UINT64_MAX, 2));
    assert_null(ct_new_array(NULL, UINT64_C(1) << 62, 4));
    assert_null(ct_new(NULL, SIZE_MAX));
}

static void test_memory(void **state) {
    (void)state;
    meter m = {.left = -1};
    ct_allocator a = metered(&m), zeroed = {0};
    for (size_t n = 0; n < 300; n += 37) {
        unsigned char *p = ct_new(&a, n), *q = ct_new(&zeroed, n);
        assert_non_null(p);
        assert_non_null(q);
        assert_int_equal((uintptr_t)q % 64, 0);
        assert_true(all_zero(p, n) && all_zero(q, n));
        memset(p, 1, n);
        p = ct_resize(&a, p, n, n + 100);
        for (size_t i = 0; i < n; i++) assert_int_equal(p[i], 1);
        assert_true(all_zero(p + n, 100));
        m.left = 0;
        assert_null(ct_resize(&a, p, n + 100, n + 1000));
        m.left = -1;
        assert_true(all_zero(p + n, 100));
        p = ct_resize(&a, p, n + 100, 10);
        ct_delete(&a, p, 10);
        ct_delete(NULL, q, n);
        assert_int_equal(m.live, 0);
        assert_int_equal(m.bytes, 0);
    }
    ct_delete(&a, NULL, 10);
}

static void test_arena(void **state) {
    (void)state;
    meter m = {.left = -1};
    ct_allocator a = metered(&m);
    ct_arena arena = {.allocator = &a};
    unsigned char *first = NULL;
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 2000; i++) {
            uint64_t n = i % 97 == 0 ? 50000 : i % 61;
            unsigned char *p = ct_arena_new(&arena, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            assert_true(all_zero(p, (size_t)n));
            memset(p, 0xFF, (size_t)n);
            if (!first) first = p;
        }
        assert_string_equal(ct_arena_text(&arena, "conv1.weight"), "conv1.weight");
        assert_string_equal(ct_arena_format(&arena, "%s.%d", "block", 12), "block.12");
        assert_true(arena.bytes == (uint64_t)m.bytes);
        assert_true(m.live < 60);
        assert_null(ct_arena_array(&arena, UINT64_MAX, 16));
        assert_null(ct_arena_new(&arena, UINT64_MAX));
        ct_arena_free(&arena);
        assert_int_equal(m.live, 0);
        assert_int_equal(arena.bytes, 0);
    }
    m.left = 0;
    assert_null(ct_arena_new(&arena, 8));
    assert_null(ct_arena_text(&arena, "x"));
    ct_arena_free(&arena);
}

/* ---- text and numbers ---- */

static void test_text(void **state) {
    (void)state;
    meter m = {.left = -1};
    ct_allocator a = metered(&m);
    ct_text t = {.allocator = &a};
    assert_null(t.data);
    for (int i = 0; i < 500; i++) {
        ct_text_add(&t, "ab");
        ct_text_format(&t, "%03d", i);
        ct_text_bytes(&t, ";\0x", 1);
    }
    assert_int_equal(t.length, 3000);
    assert_int_equal(strlen(t.data), 3000);
    assert_memory_equal(t.data + 2994, "ab499;", 7);
    assert_int_equal(t.failed, 0);
    ct_text_free(&t);
    assert_int_equal(m.live, 0);
    m.left = 1;
    for (int i = 0; i < 100; i++) ct_text_add(&t, "0123456789");
    assert_int_equal(t.failed, 1);
    assert_true(t.length < 1000 && strlen(t.data) == t.length);
    ct_text_free(&t);
    assert_int_equal(m.live, 0);
}

static void check_number(double v, const char *wanted) {
    ct_text t = {0};
    ct_text_number(&t, v);
    assert_string_equal(t.data, wanted);
    ct_text_free(&t);
}

static void check_round_trip(double v) {
    ct_text t = {0};
    double back = 0;
    ct_text_number(&t, v);
    assert_true(ct_parse_number(t.data, &back));
    assert_memory_equal(&back, &v, sizeof v);
    assert_true(t.length <= 24);
    ct_text_free(&t);
}

static void test_numbers(void **state) {
    (void)state;
    check_number(0.1, "0.1");
    check_number(0.001, "0.001");
    check_number(1e-5, "1e-5");
    check_number(1e20, "1e20");
    check_number(100, "100");
    check_number(-0.0, "-0");
    check_number(1.0 / 3, "0.3333333333333333");
    check_number(5e-324, "5e-324");
    check_number(DBL_MAX, "1.7976931348623157e308");
    check_number((double)NAN, "nan");
    check_number((double)INFINITY, "inf");
    check_number(-(double)INFINITY, "-inf");
    ct_random r = ct_random_stream(11, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)ct_random_u32(&r) << 32 | ct_random_u32(&r);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (i % 4 == 0) v = ct_random_uniform(&r);
        if (i % 16 == 1) bits &= UINT64_C(0x800FFFFFFFFFFFFF), memcpy(&v, &bits, sizeof v); /* denormals */
        if (isfinite(v)) check_round_trip(v);
    }
}

/* Where the host program uses ',' for the point, nothing changes. */
static void test_numbers_in_another_locale(void **state) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    (void)state;
    const char *set = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !set; i++) set = setlocale(LC_ALL, names[i]);
    if (!set) skip(); /* none of them is installed */
    check_number(2.5, "2.5");
    double v = 0;
    assert_true(ct_parse_number("2.5", &v) && v == 2.5);
    assert_false(ct_parse_number("2,5", &v));
    setlocale(LC_ALL, "C");
}

static void test_parse(void **state) {
    static const char *const refused[] = {"",    " 1",  "1 ",    "0x10", "1e",  "e5",    ".",
                                          "+",   "--1", "1.2.3", "nan",  "inf", "1e400", "-1e400",
                                          "1_0", "1,5", "12abc", "1e+",  "+-1", "\t1"};
    (void)state;
    double v = 42;
    int64_t i = 42;
    for (size_t k = 0; k < sizeof refused / sizeof *refused; k++) {
        assert_false(ct_parse_number(refused[k], &v));
        assert_false(ct_parse_integer(refused[k], &i));
    }
    assert_true(v == 42 && i == 42);
    assert_false(ct_parse_number(NULL, &v));
    assert_true(ct_parse_number("+5", &v) && v == 5);
    assert_true(ct_parse_number(".5", &v) && v == 0.5);
    assert_true(ct_parse_number("5.", &v) && v == 5);
    assert_true(ct_parse_number("-1.5E-3", &v) && v == -1.5e-3);
    assert_true(ct_parse_number("1e-400", &v) && v == 0);
    assert_true(ct_parse_integer("9223372036854775807", &i) && i == INT64_MAX);
    assert_true(ct_parse_integer("-9223372036854775808", &i) && i == INT64_MIN);
    assert_true(ct_parse_integer("+007", &i) && i == 7);
    assert_true(ct_parse_integer("-0", &i) && i == 0);
    assert_false(ct_parse_integer("9223372036854775808", &i));
    assert_false(ct_parse_integer("-9223372036854775809", &i));
    assert_false(ct_parse_integer("99999999999999999999999", &i));
    assert_false(ct_parse_integer("1.0", &i));
}

static void test_grouped_digits(void **state) {
    static const struct {
        int64_t n;
        const char *text;
    } rows[] = {
        {0, "0"},       {7, "7"},          {999, "999"},           {1000, "1,000"},
        {-999, "-999"}, {-1000, "-1,000"}, {1234567, "1,234,567"}, {INT64_MIN, "-9,223,372,036,854,775,808"}};
    (void)state;
    char out[32];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(ct_group_digits(rows[i].n, out), rows[i].text);
}

/* ---- random numbers ---- */

/* The known answers that the authors of the generator publish with it. */
static void test_philox_known_answers(void **state) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        ct_philox(rows[i].counter, rows[i].key, out);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
}

static void test_random_stream(void **state) {
    (void)state;
    ct_random a = ct_random_stream(5, 1), b = ct_random_stream(5, 1), c = ct_random_stream(5, 2);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t x = ct_random_u32(&a);
        assert_int_equal(x, ct_random_u32(&b));
        same += x == ct_random_u32(&c);
    }
    assert_true(same < 3);
    a = ct_random_stream(0, 0);
    assert_int_equal(ct_random_u32(&a), 0x6627e8d5);
    a = b;
    a.counter[0] = UINT32_MAX; /* the carry */
    a.used = 4;
    (void)ct_random_u32(&a);
    assert_int_equal(a.counter[0], 0);
    assert_int_equal(a.counter[1], b.counter[1] + 1);
}

static void test_random_distributions(void **state) {
    (void)state;
    enum { DRAWS = 200000 };
    ct_random r = ct_random_stream(123, 4);
    int64_t bins[7] = {0};
    double sum = 0, squares = 0, cubes = 0, mean = 0;
    for (int i = 0; i < DRAWS; i++) {
        bins[ct_random_below(&r, 7)]++;
        double u = ct_random_uniform(&r), z = ct_random_normal(&r);
        assert_true(u >= 0 && u < 1);
        assert_true(isfinite(z));
        mean += u;
        sum += z;
        squares += z * z;
        cubes += z * z * z;
    }
    for (int i = 0; i < 7; i++) assert_true(llabs(bins[i] - DRAWS / 7) < 800); /* 5 standard deviations */
    assert_true(fabs(mean / DRAWS - 0.5) < 0.0033);
    assert_true(fabs(sum / DRAWS) < 0.0112);
    assert_true(fabs(squares / DRAWS - 1) < 0.016);
    assert_true(fabs(cubes / DRAWS) < 0.044);
    assert_int_equal(ct_random_below(&r, 1), 0);
    for (int i = 0; i < 100; i++) assert_true(ct_random_below(&r, UINT64_C(3) << 62) < UINT64_C(3) << 62);
}

/* ---- hashing ---- */

static void test_hash(void **state) {
    (void)state;
    char hex[33];
    ct_hash_hex(ct_hash_bytes("", 0), hex); /* XXH3's specified value of nothing */
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
    assert_true(ct_hash64("", 0, 0) == UINT64_C(0x2D06800538D394C2));
    assert_true(ct_hash64("abc", 3, 0) != ct_hash64("abc", 3, 1));
    unsigned char data[5000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 31 >> 2);
    meter m = {.left = -1};
    ct_allocator a = metered(&m);
    ct_hasher *h = ct_hasher_new(&a);
    for (size_t at = 0, step = 0; at < sizeof data; at += step) {
        step = at % 613 + 1 < sizeof data - at ? at % 613 + 1 : sizeof data - at;
        ct_hasher_add(h, data + at, step);
        (void)ct_hasher_end(h); /* looking does not disturb */
    }
    ct_hash128 whole = ct_hash_bytes(data, sizeof data), parts = ct_hasher_end(h);
    assert_true(whole.low == parts.low && whole.high == parts.high);
    ct_hasher_free(h);
    ct_hasher_free(NULL);
    assert_int_equal(m.live, 0);
    m.left = 0;
    assert_null(ct_hasher_new(&a));
}

/* ---- nearest ---- */

static void test_nearest(void **state) {
    static const char *const names[] = {"learning_rate", "momentum", "relu", "gelu", "adam", "lr", "epochs"};
    const size_t n = sizeof names / sizeof *names;
    (void)state;
    assert_string_equal(ct_nearest("learning-rate", names, n), "learning_rate");
    assert_string_equal(ct_nearest("momentun", names, n), "momentum");
    assert_string_equal(ct_nearest("ReLU", names, n), "relu");
    assert_string_equal(ct_nearest("adma", names, n), "adam");
    assert_string_equal(ct_nearest("epoch", names, n), "epochs");
    assert_null(ct_nearest("zzzzzz", names, n));
    assert_null(ct_nearest("x", names, n));
    assert_null(ct_nearest("", names, n));
    assert_null(ct_nearest("relu", names, 0));
    char longer[1000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_null(ct_nearest(longer, names, n));
}

/* ---- the bounded reader ---- */

static void test_reader(void **state) {
    static const unsigned char bytes[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                          11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    (void)state;
    ct_err e = {0};
    ct_reader r = ct_reader_of(bytes, sizeof bytes, "f.bin");
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    assert_int_equal(ct_reader_u8(&r, &u8, "a", &e), CT_OK);
    assert_int_equal(ct_reader_u16le(&r, &u16, "b", &e), CT_OK);
    assert_int_equal(ct_reader_u32le(&r, &u32, "c", &e), CT_OK);
    assert_true(u8 == 1 && u16 == 0x0302 && u32 == 0x07060504);
    assert_int_equal(ct_reader_u32be(&r, &u32, "d", &e), CT_OK);
    assert_int_equal(ct_reader_u64le(&r, &u64, "e", &e), CT_OK);
    assert_true(u32 == 0x08090a0b && u64 == UINT64_C(0x131211100f0e0d0c));
    assert_non_null(ct_reader_take(&r, 0, "nothing", &e));
    assert_int_equal(ct_reader_u16le(&r, &u16, "the tail", &e), CT_EDATA);
    assert_non_null(strstr(e.text, "f.bin:@19: 1 bytes left; wanted 2 for the tail"));
    assert_int_equal(r.pos, 19);
    assert_true(u16 == 0x0302);
    assert_null(ct_reader_take(&r, UINT64_MAX, "all", NULL));
    r = ct_reader_of(NULL, 5, "none");
    assert_null(ct_reader_take(&r, 1, "x", NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_error_stays),
        cmocka_unit_test(test_grouped_digits),
        cmocka_unit_test(test_error_text_is_bounded),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_checked_sizes),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_in_another_locale),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_random_stream),
        cmocka_unit_test(test_random_distributions),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
