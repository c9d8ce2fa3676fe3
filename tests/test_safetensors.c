/* test_safetensors.c: the safetensors reader on malformed files (S1-S20 of the bad inputs), and what it must take. */
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "cotan/model.h"

/* Comparisons of names are counted (the linker sends strcmp and memcmp here), so that a quadratic step shows
 * without a clock. */
static uint64_t comparisons;
int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b) {
    comparisons++;
    return __real_strcmp(a, b);
}
int __real_memcmp(const void *a, const void *b, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n) {
    comparisons++;
    return __real_memcmp(a, b, n);
}

static ct_status parse(const ct_allocator *a, const void *data, uint64_t bytes, ct_err *e) {
    ct_tensors *t = NULL;
    ct_status s = ct_tensors_parse(a, data, bytes, "f", &t, e);
    assert_true((s == CT_OK) == (t != NULL));
    ct_tensors_free(t);
    return s;
}

/* A file: the header's length, the header, `data_bytes` bytes of data. */
static uint8_t *file_of(const char *header, uint64_t n, uint64_t data_bytes, uint64_t *bytes) {
    uint8_t *p = calloc(8 + n + data_bytes + 1, 1);
    assert_non_null(p);
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(n >> (8 * i));
    memcpy(p + 8, header, n);
    *bytes = 8 + n + data_bytes;
    return p;
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}"
#define SHAPE(shape) "{\"a\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[0,4]}}"
#define OFFSETS(offsets) "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" offsets "}}"
#define TYPE(type) "{\"a\":{\"dtype\":\"" type "\",\"shape\":[1],\"data_offsets\":[0,4]}}"
#define NAME(name) "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
#define TWO(b, e) \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2]" \
    "," \
    "\"data_offsets\":[" b "," e "]}}"

static void headers(void **state) {
    static const struct {
        const char *code, *header;
        uint64_t data;
        const char *part;
    } rows[] = {
        {"S4", "{\"\xff\":1}", 0, "f:@10: byte 0xff in a string"},
        {"S4 overlong", "{\"\xc0\xaf\":1}", 0, "f:@10: byte 0xc0"},
        {"S4 a surrogate", "{\"\xed\xa0\x80\":1}", 0, "f:@10: byte 0xed"},
        {"S4 cut", "{\"\xe2\x82\":1}", 0, "f:@10: byte 0xe2"},
        {"S4 in a value that is skipped", "{\"a\":{\"more\":\"\xff\"}}", 0, "byte 0xff"},
        {"S4 UTF-16", "\xff\xfe{", 0, "f:@8: "},
        {"S5 cut", "{" A, 4, "the header ends; wanted '}'"},
        {"S5 cut in a name", "{\"abc", 4, "f:@9: a string without end"},
        {"S5 a comma at the end", "{" A ",}", 4, "wanted a string"},
        {"S5 a comma in the shape", SHAPE("[1,]"), 4, "an extent: no whole number"},
        {"S5 NaN", SHAPE("[NaN]"), 4, "an extent: no whole number"},
        {"S5 NaN as a value", "{\"a\":{\"x\":NaN}}", 4, "f:@18: 'N', no JSON here; wanted a JSON value"},
        {"S5 a lone surrogate", "{\"\\ud800\":1}", 0, "f:@10: a wrong escape, a lone surrogate"},
        {"S5 a wrong escape", "{\"\\x41\":1}", 0, "f:@10: a wrong escape"},
        {"S5 text after it", "{} x", 0, "f:@11: 'x', no JSON here"},
        {"S5 a list", "[1,2]", 0, "f:@8: '[', no JSON here; wanted '{'"},
        {"S5 nothing", "", 0, "the header ends; wanted '{'"},
        {"S6", "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}," A "}", 8,
         "f:@115: key \"a\" is given twice, first @9"},
        {"S6 escaped", "{" A ",\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
         "key \"a\" is given twice, first @9"},
        {"S6 in a tensor",
         "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
         "f:@28: key \"dtype\" is given twice, first @14"},
        {"S6 in the metadata", "{\"__metadata__\":{\"x\":\"1\",\"x\":\"1\"}}", 0,
         "key \"x\" is given twice, first @25"},
        {"S6 two metadata", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "given twice, first @9"},
        {"S7", SHAPE("[4294967296,4294967296]"), 4, "the product of its extents overflows"},
        {"S7 by the type",
         "{\"a\":{\"dtype\":\"F64\",\"shape\":[9007199254740992,1024],\"data_offsets\":[0,4]}}", 4,
         "overflows"},
        {"S8 negative", SHAPE("[-1]"), 4, "tensor \"a\": an extent: no whole number from 0 to 2^53"},
        {"S8 a fraction", SHAPE("[1.5]"), 4, "no whole number"},
        {"S8 an exponent", SHAPE("[1e3]"), 4, "no whole number"},
        {"S8 2^53 + 1", SHAPE("[9007199254740993]"), 4, "no whole number"},
        {"S8 of many digits", SHAPE("[18446744073709551617]"), 4, "no whole number"},
        {"S8 a zero before", SHAPE("[01]"), 4, "no whole number"},
        {"S8 in offsets", OFFSETS("[-1,4]"), 4, "tensor \"a\": a data_offset: no whole number"},
        {"S8 in offsets, a fraction", OFFSETS("[0,4.0]"), 4, "a data_offset: no whole number"},
        {"S8 one offset", OFFSETS("[0]"), 4, "wanted ','"},
        {"S8 three offsets", OFFSETS("[0,4,8]"), 4, "wanted ']'"},
        {"S9", OFFSETS("[4,0]"), 4, "data from 4 to 0; wanted a range within the 4 bytes"},
        {"S9 beyond the end", OFFSETS("[0,40]"), 4, "data from 0 to 40"},
        {"S10", TWO("4", "12"), 12, "tensors \"a\" and \"b\" overlap"},
        {"S10 one inside the other", TWO("0", "8"), 8, "overlap"},
        {"S11 a hole", TWO("12", "20"), 20, "4 bytes between \"a\" and \"b\" belong to no tensor"},
        {"S11 a hole before", OFFSETS("[4,8]"), 8, "4 bytes between \"the header\" and \"a\""},
        {"S11 bytes after", "{" A "}", 8, "4 bytes after the last tensor"},
        {"S11 data of no tensor", "{}", 3, "3 bytes after the last tensor"},
        {"S12", SHAPE("[2]"), 4, "tensor \"a\": 4 bytes of data; wanted 8"},
        {"S12 a scalar", SHAPE("[]"), 8, "bytes after the last tensor"},
        {"S13 malformed", TYPE("F7"), 4, "\"F7\" is no type of this format"},
        {"S13 unsupported", TYPE("F8_E4M3"), 4, "type F8_E4M3 is not supported"},
        {"S13 of a hundred letters", TYPE("F3333333333333333333333333333333332"), 4, "is no type"},
        {"S13 a number", "{\"a\":{\"dtype\":5}}", 4, "wanted a string"},
        {"S14 NUL", NAME("a\\u0000b"), 4, "or NUL in a string"},
        {"S14 control", NAME("a\\u0001"), 4, "control bytes or \"../\" in its name"},
        {"S14 a raw newline", NAME("a\nb"), 4, "byte 0x0a in a string"},
        {"S14 delete", NAME("a\x7f"), 4, "control bytes"},
        {"S14 a path", NAME("../a"), 4, "in its name"},
        {"S14 a path inside", NAME("x/../../a"), 4, "in its name"},
        {"S15 a number", "{\"__metadata__\":{\"x\":5}}", 0, "wanted a string"},
        {"S15 no object", "{\"__metadata__\":7}", 0, "wanted '{'"},
        {"S15 null", "{\"__metadata__\":{\"x\":null}}", 0, "wanted a string"},
        {"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor \"a\": no dtype"},
        {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "tensor \"a\": no shape"},
        {"no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "tensor \"a\": no data_offsets"},
        {"an empty tensor", "{\"a\":{}}", 4, "tensor \"a\": no dtype"},
        {"no tensor", "{\"a\":7}", 4, "f:@13: '7', no JSON here; wanted '{'"},
        {"nine axes", SHAPE("[1,1,1,1,1,1,1,1,1]"), 4, "more than 8 axes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t n;
        uint8_t *p = file_of(rows[i].header, strlen(rows[i].header), rows[i].data, &n);
        rows_refused(rows[i].code, parse, p, n, CT_EDATA, rows[i].part);
        free(p);
    }
}

static void lengths(void **state) {
    static const uint8_t rows[][8] = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                                      {0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, /* plus 8 wraps */
                                      {1, 0, 0, 0, 0, 0, 0, 0},
                                      {0, 0, 0, 0, 0, 0, 0, 1}};
    static uint8_t turned[] = {0, 0, 0, 0, 0, 0, 0, 2, '{', '}'};
    (void)state;
    for (uint64_t n = 0; n < 8; n++) rows_refused("S1", parse, rows[2], n, CT_EDATA, "bytes left; wanted 8");
    for (size_t i = 0; i < 4; i++)
        rows_refused(i < 2 ? "S3" : "S2", parse, rows[i], 8, CT_EDATA, "f:@0: a header of ");
    rows_refused("H9", parse, turned, sizeof turned, CT_EDATA, "its length is big-endian");
    uint64_t n = 8 + (100ull << 20) + 1; /* S2: one byte beyond the limit, though the file has them */
    uint8_t *p = calloc(n + 8, 1);
    assert_non_null(p);
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)((n - 8) >> (8 * i));
    memset(p + 8, ' ', n);
    rows_refused("S2 the limit and one", parse, p, n, CT_EDATA, "and 100 MB");
    p[0]--, p[8] = '{', p[9] = '}'; /* the limit itself */
    ct_tensors *t;
    ct_err e = {0};
    if (ct_tensors_parse(NULL, p, n - 1, "f", &t, &e)) fail_msg("S2 the limit: %s", e.text);
    ct_tensors_free(t);
    free(p);
}

/* Values that are skipped may nest, to a limit. */
static void depth(void **state) {
    (void)state;
    for (int levels = 63; levels <= 65; levels++) {
        ct_text h = {0};
        uint64_t n;
        ct_text_add(&h, "{\"a\":{\"more\":");
        for (int i = 0; i < levels; i++) ct_text_add(&h, i % 2 ? "{\"k\":" : "[");
        ct_text_add(&h, "1");
        for (int i = levels; i-- > 0;) ct_text_add(&h, i % 2 ? "}" : "]");
        ct_text_add(&h, ",\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}");
        uint8_t *p = file_of(h.data, h.length, 0, &n);
        if (levels <= 64)
            rows_accepted("64 levels", parse, p, n);
        else
            rows_refused("65 levels", parse, p, n, CT_ELIMIT, "nested deeper than 64 levels");
        free(p);
        ct_text_free(&h);
    }
    ct_text h = {0};
    uint64_t n;
    ct_text_add(&h, "{\"a\":{\"more\":");
    for (int i = 0; i < 100000; i++) ct_text_add(&h, "[");
    uint8_t *p = file_of(h.data, h.length, 0, &n);
    rows_refused("100,000 levels", parse, p, n, CT_ELIMIT, "nested deeper");
    free(p);
    ct_text_free(&h);
}

static void accepted(void **state) {
    static const struct {
        const char *code, *header;
        uint64_t data;
        int64_t tensors;
    } rows[] = {
        {"S17",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},\"b\":{\"dtype\":\"F32\","
         "\"shape\":[],"
         "\"data_offsets\":[0,4]},\"c\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[4,4]},"
         "\"d\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[2,2]}}",
         4, 4},
        {"no tensors", "{}    ", 0, 0},
        {"unknown keys and every kind of value",
         "{\"a\":{\"x\":[true,false,null,-1.5e+3,{\"y\":\"\\u00e9\\ud83d\\ude00\"},[],{}],\"dtype\":\"U8\","
         "\"shape\":[1,1,1,1,1,1,1,1],"
         "\"data_offsets\":[0,1]}}",
         1, 1},
        {"metadata", "{ \"__metadata__\" : { \"format\" : \"pt\" } , " A " }", 4, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t n;
        uint8_t *p = file_of(rows[i].header, strlen(rows[i].header), rows[i].data, &n);
        ct_tensors *t;
        rows_accepted(rows[i].code, parse, p, n);
        assert_int_equal(ct_tensors_parse(NULL, p, n, "f", &t, NULL), CT_OK);
        assert_int_equal(ct_tensors_count(t), rows[i].tensors);
        ct_tensors_free(t);
        free(p);
    }
}

/* S16: the comparisons grow with the number of tensors, and so does the memory. */
static uint64_t many(int count, int metadata) {
    ct_text h = {0};
    ct_tensors *t;
    uint64_t n;
    ct_text_add(&h, metadata ? "{\"__metadata__\":{" : "{");
    for (int i = 0; i < count; i++)
        ct_text_format(&h,
                       metadata ? "%s\"t%d\":\"\""
                                : "%s\"t%d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                       i ? "," : "", i);
    ct_text_add(&h, metadata ? "}}" : "}");
    uint8_t *p = file_of(h.data, h.length, 0, &n);
    meter m = METER;
    ct_allocator a = meter_hook(&m);
    comparisons = 0;
    assert_int_equal(ct_tensors_parse(&a, p, n, "f", &t, NULL), CT_OK);
    uint64_t compared = comparisons;
    assert_true(m.most_bytes < (int64_t)(4 * n + (16u << 20)));
    assert_int_equal(ct_tensors_count(t), metadata ? 0 : count);
    assert_int_equal(ct_tensors_find(t, "t77"), metadata ? -1 : 77);
    assert_true((ct_tensors_get(t, "t77") != NULL) == (metadata != 0));
    ct_tensors_free(t);
    assert_int_equal(m.live, 0);
    free(p);
    ct_text_free(&h);
    return compared;
}

static void linear(void **state) {
    (void)state;
    for (int metadata = 0; metadata < 2; metadata++) {
        uint64_t some = many(25000, metadata), all = many(100000, metadata);
        print_message("S16: %llu comparisons for 25,000 %s, %llu for 100,000\n", (unsigned long long)some,
                      metadata ? "texts" : "tensors", (unsigned long long)all);
        assert_true(some > 0 && all < 5 * some && all < 100000ull * 40);
    }
}

/* S20: a file cut while it is read is an error, not SIGBUS: nothing is mapped. */
static const char *cut_path;
static int64_t cutting_read(void *user, int fd, void *buffer, size_t bytes) {
    (void)user;
    assert_int_equal(truncate(cut_path, 20), 0);
    return read(fd, buffer, bytes);
}
static void cut_while_read(void **state) {
    ct_files files = {.read = cutting_read};
    ct_tensors *t;
    ct_err e = {0};
    uint64_t n;
    uint8_t *p = file_of("{" A "}", strlen("{" A "}"), 4, &n);
    (void)state;
    cut_path = "test_safetensors.cut";
    assert_int_equal(ct_file_write(NULL, NULL, cut_path, p, n, &e), CT_OK);
    assert_int_equal(ct_tensors_load(&files, NULL, cut_path, &t, &e), CT_EIO);
    assert_non_null(strstr(e.text, "changed while reading"));
    rows_one_line("S20", &e);
    unlink(cut_path);
    free(p);
}

/* Any byte changed to any value, any cut: refused or read, never worse (the sanitizers watch). */
static void mutations(void **state) {
    const char *header = "{\"__metadata__\":{\"k\":\"v\"}," A
                         ",\"b\":{\"dtype\":\"U8\",\"shape\":[2,1],\"data_offsets\":[4,6]}}";
    uint64_t n;
    uint8_t *p = file_of(header, strlen(header), 6, &n);
    (void)state;
    for (uint64_t i = 0; i < n; i++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t before = p[i];
            ct_err e = {0};
            p[i] = (uint8_t)v;
            ct_status s = parse(NULL, p, n, &e);
            assert_true(s == CT_OK || s == CT_EDATA);
            if (s) rows_one_line("mutation", &e);
            p[i] = before;
        }
    for (uint64_t k = 0; k < n; k++) {
        uint8_t *cut = malloc(k ? k : 1);
        memcpy(cut, p, k);
        assert_int_equal(parse(NULL, cut, k, NULL), CT_EDATA);
        free(cut);
    }
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers),  cmocka_unit_test(lengths),
                                       cmocka_unit_test(depth),    cmocka_unit_test(accepted),
                                       cmocka_unit_test(linear),   cmocka_unit_test(cut_while_read),
                                       cmocka_unit_test(mutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
