/* test_jpeg.c: what a JPEG becomes depends on its own bytes alone, and guessed pixels are never taken for good ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "data/read/picture.h"
#include "images/samples.h"

static sample samples[SAMPLES_MOST];
static int count;

typedef struct bytes {
    uint8_t d[4096];
    size_t n;
} bytes;

static bytes of(const char *name) {
    const sample *s = sample_named(samples, count, name);
    bytes b = {.n = s ? s->bytes : 0};
    assert_true(s && b.n <= sizeof b.d);
    memcpy(b.d, s->data, b.n);
    return b;
}

/* Where marker `m` stands for the `nth` time, from 0. */
static size_t find(const bytes *b, int m, int nth) {
    for (size_t i = 0; i + 1 < b->n; i++)
        if (b->d[i] == 0xff && b->d[i + 1] == m && nth-- == 0) return i;
    fail_msg("no marker %02x", m);
    return 0;
}

static void cut_out(bytes *b, size_t at, size_t n) {
    memmove(b->d + at, b->d + at + n, b->n - at - n);
    b->n -= n;
}

static void put_in(bytes *b, size_t at, size_t n) { /* zeros */
    assert_true(b->n + n <= sizeof b->d);
    memmove(b->d + at + n, b->d + at, b->n - at);
    memset(b->d + at, 0, n);
    b->n += n;
}

static void without(bytes *b, int m) {
    size_t at = b->n;
    while (at-- > 0)
        if (b->d[at] == 0xff && b->d[at + 1] == m)
            cut_out(b, at, 2 + (size_t)(b->d[at + 2] << 8 | b->d[at + 3]));
}

static void version(bytes *b, uint8_t major) {
    assert_memory_equal(b->d + 6, "JFIF", 5);
    b->d[11] = major;
}

/* In a scratch that has seen other pictures; the pixels stay in it. */
static ct_status decode(ct_scratch *s, const bytes *b, int accept_cut, const uint8_t **x, size_t *n,
                        ct_picture_info *info, ct_err *e) {
    uint8_t *planes;
    int64_t shape[3];
    ct_picture_options o = {.accept_cut = accept_cut};
    memset(e, 0, sizeof *e);
    ct_status status = ct__picture_decode(s, b->d, b->n, "file", &o, NULL, NULL, &planes, shape, info, e);
    *x = planes;
    if (!status) *n = (size_t)(shape[0] * shape[1] * shape[2]);
    return status;
}

/* Motion JPEG's frames have no Huffman tables: the standard ones, whatever was decoded before. */
static void tables_of_others(void **state) {
    bytes whole = of("420.jpg"), bare = whole, other = of("progressive.jpg"),
          none = of("no_quantisation.jpg");
    ct_scratch *fresh = ct_scratch_new(NULL), *used = ct_scratch_new(NULL);
    const uint8_t *x, *y;
    size_t n, m;
    ct_err e;
    (void)state;
    without(&bare, 0xc4);
    assert_int_equal(decode(fresh, &whole, 0, &x, &n, NULL, &e), CT_OK);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(decode(used, &other, 0, &y, &m, NULL, &e), CT_OK);
        if (decode(used, &bare, 0, &y, &m, NULL, &e)) fail_msg("%s", e.text);
        assert_true(m == n);
        assert_memory_equal(x, y, n);
        assert_int_equal(decode(used, &none, 0, &y, &m, NULL, &e), CT_EDATA);
        assert_non_null(strstr(e.text, "Quantization table"));
    }
    /* one of two quantisation tables */
    bytes part = whole;
    size_t at = find(&part, 0xdb, 1);
    cut_out(&part, at, 69);
    assert_int_equal(decode(used, &part, 0, &y, &m, NULL, &e), CT_EDATA);
    ct_scratch_free(fresh);
    ct_scratch_free(used);
}

/* A warning does not hide the error behind it. */
static void warned_and_failed(void **state) {
    bytes odd = of("420.jpg"), broken = of("no_quantisation.jpg");
    ct_scratch *s = ct_scratch_new(NULL);
    const uint8_t *x;
    size_t n;
    ct_picture_info info;
    ct_err e;
    (void)state;
    version(&odd, 3);
    version(&broken, 3);
    assert_int_equal(decode(s, &odd, 0, &x, &n, &info, &e), CT_OK);
    assert_int_equal(info.warnings, 1);
    assert_non_null(strstr(info.warning, "JFIF"));
    for (int cut = 0; cut < 2; cut++) {
        assert_int_equal(decode(s, &broken, cut, &x, &n, &info, &e), CT_EDATA);
        assert_non_null(strstr(e.text, "Quantization table"));
    }
    ct_scratch_free(s);
}

/* Bytes too many at the end are no harm; before a restart they mean coded data that was lost. */
static void bytes_too_many(void **state) {
    bytes good = of("restart_1.jpg"), tail = good, lost = good;
    ct_scratch *s = ct_scratch_new(NULL), *t = ct_scratch_new(NULL);
    const uint8_t *x, *y;
    size_t n, m;
    ct_picture_info info;
    ct_err e;
    (void)state;
    put_in(&tail, find(&tail, 0xd9, 0), 40);
    assert_int_equal(decode(s, &good, 0, &x, &n, &info, &e), CT_OK);
    assert_int_equal(info.warnings, 0);
    if (decode(t, &tail, 0, &y, &m, &info, &e)) fail_msg("%s", e.text);
    assert_true(m == n && info.warnings == 1);
    assert_memory_equal(x, y, n);
    size_t from = find(&lost, 0xd2, 0), to = find(&lost, 0xd3, 0); /* a segment that ends too early */
    cut_out(&lost, from + 3, to - from - 3);
    put_in(&lost, find(&lost, 0xd0, 0), 40); /* behind a warning */
    assert_int_equal(decode(t, &lost, 0, &y, &m, &info, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "extraneous bytes before marker 0xd0"));
    assert_int_equal(decode(t, &lost, 1, &y, &m, &info, &e), CT_OK);
    assert_int_equal(info.warnings, 1);
    ct_scratch_free(s);
    ct_scratch_free(t);
}

int main(void) {
    count = samples_load(samples);
    if (count < 190) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_of_others),
        cmocka_unit_test(warned_and_failed),
        cmocka_unit_test(bytes_too_many),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(samples[0].data);
    return failed;
}
