/* test_picture.c: picture files, good and bad: the cases G1 to G16, cuts at every length, changed bytes, limits. */
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
#include <zlib.h>

#include "cotan/data.h"
#include "images/samples.h"

static sample samples[SAMPLES_MOST];
static int count;

static const sample *named(const char *name) {
    const sample *s = sample_named(samples, count, name);
    if (!s) fail_msg("no sample %s", name);
    return s;
}

/* A copy of exactly the size, so that a read beyond it is seen by the sanitizer. */
static uint8_t *exact(const uint8_t *data, size_t n) {
    uint8_t *p = malloc(n ? n : 1);
    assert_non_null(p);
    if (n) memcpy(p, data, n);
    return p;
}

static ct_status decode(const uint8_t *data, size_t n, const ct_picture_options *o, ct_array *out,
                        ct_picture_info *info, ct_err *e) {
    uint8_t *copy = exact(data, n);
    ct_status s = ct_picture_decode(NULL, copy, n, "file", o, out, info, e);
    free(copy);
    return s;
}

static void good_and_bad(void **state) {
    int good = 0, bad = 0;
    (void)state;
    for (int i = 0; i < count; i++) {
        const sample *s = &samples[i];
        ct_array a = {0};
        ct_picture_info info = {0}, probed = {0};
        ct_err e = {0}, e2 = {0};
        int wanted = strcmp(s->kind, "ok") == 0 ? CT_OK : strcmp(s->kind, "data") == 0 ? CT_EDATA : CT_ELIMIT;
        ct_status status = decode(s->data, s->bytes, NULL, &a, &info, &e);
        if ((int)status != wanted) fail_msg("%s: status %d, \"%s\"", s->name, (int)status, e.text);
        if (wanted) {
            if (!strstr(e.text, s->text))
                fail_msg("%s: found \"%s\"; wanted \"%s\"", s->name, e.text, s->text);
            if (strncmp(e.text, "file:", 5) != 0) fail_msg("%s: no file in \"%s\"", s->name, e.text);
            assert_null(a.data);
            bad++;
            continue;
        }
        char text[100];
        snprintf(text, sizeof text, "%lld %lld %lld %08lx", (long long)a.dim[2], (long long)a.dim[1],
                 (long long)a.dim[0], crc32(0, a.data, (uInt)ct_array_count(&a)));
        if (strcmp(text, s->text) != 0) fail_msg("%s: found %s; wanted %s", s->name, text, s->text);
        assert_int_equal(ct_picture_probe(s->data, s->bytes, "file", NULL, &probed, &e2), CT_OK);
        assert_true(probed.width == a.dim[2] && probed.height == a.dim[1] && probed.channels == a.dim[0]);
        assert_true(info.width == probed.width && info.turn == probed.turn && info.format == probed.format);
        ct_array_free(&a);
        good++;
    }
    assert_true(good > 100 && bad > 70);
}

static void facts(void **state) {
    static const struct {
        const char *name;
        int32_t format, depth, alpha, palette, interlaced, turn, warnings;
    } rows[] = {
        {"c6d16i1_9x11.png", CT_PICTURE_PNG, 16, 1, 0, 1, 1, 0},
        {"palette_trns.png", CT_PICTURE_PNG, 2, 1, 1, 0, 1, 0},
        {"bad_crc_ancillary.png", CT_PICTURE_PNG, 8, 0, 0, 0, 1, 1},
        {"progressive.jpg", CT_PICTURE_JPEG, 8, 0, 0, 1, 1, 0},
        {"turn_6.jpg", CT_PICTURE_JPEG, 8, 0, 0, 0, 6, 0},
        {"turn_odd.jpg", CT_PICTURE_JPEG, 8, 0, 0, 0, 1, 0},
        {"turned.webp", CT_PICTURE_WEBP, 8, 0, 0, 0, 8, 0},
        {"last.npy", CT_PICTURE_NPY, 8, 0, 0, 0, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const sample *s = named(rows[i].name);
        ct_array a;
        ct_picture_info f;
        ct_err e = {0};
        assert_int_equal(decode(s->data, s->bytes, NULL, &a, &f, &e), CT_OK);
        if (f.format != rows[i].format || f.depth != rows[i].depth || f.alpha != rows[i].alpha ||
            f.palette != rows[i].palette || f.interlaced != rows[i].interlaced || f.turn != rows[i].turn ||
            f.warnings != rows[i].warnings)
            fail_msg("%s: %s %d bit, alpha %d, palette %d, interlaced %d, turn %d, warnings %d (%s)", s->name,
                     ct_picture_format_name(f.format), f.depth, f.alpha, f.palette, f.interlaced, f.turn,
                     f.warnings, f.warning);
        ct_array_free(&a);
    }
}

/* Grey from colour, colour from grey, what shines through. */
static void channels(void **state) {
    const sample *colour = named("444.jpg"), *grey = named("grey.jpg"), *alpha = named("c6d8i0_9x11.png"),
                 *grey_alpha = named("c4d8i0_9x11.png");
    ct_array a, b;
    ct_err e = {0};
    ct_picture_options one = {.channels = 1}, three = {.channels = 3},
                       red = {.background = CT_RGB(255, 0, 0)}, black = {.background = CT_RGB(0, 0, 0)},
                       two = {.channels = 2};
    (void)state;
    assert_int_equal(decode(colour->data, colour->bytes, NULL, &a, NULL, &e), CT_OK);
    assert_int_equal(decode(colour->data, colour->bytes, &one, &b, NULL, &e), CT_OK);
    const uint8_t *x = a.data, *y = b.data;
    int64_t n = a.dim[1] * a.dim[2];
    assert_true(b.dim[0] == 1);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(y[i], (19595 * x[i] + 38470 * x[n + i] + 7471 * x[2 * n + i] + 32768) >> 16);
    ct_array_free(&a);
    ct_array_free(&b);
    assert_int_equal(decode(grey->data, grey->bytes, NULL, &a, NULL, &e), CT_OK);
    assert_int_equal(decode(grey->data, grey->bytes, &three, &b, NULL, &e), CT_OK);
    for (int c = 0; c < 3; c++)
        assert_memory_equal((uint8_t *)b.data + c * a.dim[1] * a.dim[2], a.data,
                            (size_t)(a.dim[1] * a.dim[2]));
    ct_array_free(&a);
    ct_array_free(&b);
    assert_int_equal(decode(alpha->data, alpha->bytes, &red, &a, NULL, &e), CT_OK);
    assert_int_equal(decode(alpha->data, alpha->bytes, &black, &b, NULL, &e), CT_OK);
    for (int64_t i = 0; i < 99; i++) { /* green and blue are the same, red is at least as much */
        assert_true(((uint8_t *)a.data)[i] >= ((uint8_t *)b.data)[i]);
        assert_int_equal(((uint8_t *)a.data)[99 + i], ((uint8_t *)b.data)[99 + i]);
    }
    ct_array_free(&a);
    ct_array_free(&b);
    assert_int_equal(decode(grey_alpha->data, grey_alpha->bytes, &red, &a, NULL, &e), CT_OK);
    assert_int_equal(decode(grey_alpha->data, grey_alpha->bytes, &black, &b, NULL, &e), CT_OK);
    assert_true(a.dim[0] == 3 && b.dim[0] == 1); /* a coloured background makes colour */
    ct_array_free(&a);
    ct_array_free(&b);
    assert_int_equal(decode(grey->data, grey->bytes, &two, &a, NULL, &e), CT_EUSAGE);
    static const char *const wrong[] = {"", "red", "#12345", "#1234567", "#12345g", "123456"};
    int32_t made = 0;
    assert_int_equal(ct_picture_background("#0aFf10", &made, &e), CT_OK);
    assert_int_equal(made, CT_RGB(10, 255, 16));
    assert_int_equal(ct_picture_background("black", &made, &e), CT_OK);
    assert_int_equal(made, CT_RGB(0, 0, 0));
    for (int i = 0; i < 6; i++) assert_int_equal(ct_picture_background(wrong[i], &made, &e), CT_EUSAGE);
}

/* ---- cut and changed ---- */

static void cut_everywhere(void **state) {
    static const char *const names[] = {"c2d8i0_9x11.png", "c3d4i1_9x11.png", "palette_trns.png",
                                        "420.jpg",         "progressive.jpg", "restart_3.jpg",
                                        "grey.jpg",        "lossy.webp",      "alpha.webp",
                                        "turned.webp",     "last.npy"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const sample *s = named(names[i]);
        for (size_t n = 0; n < s->bytes; n++) {
            ct_array a;
            ct_err e = {0};
            ct_status status = decode(s->data, n, NULL, &a, NULL, &e);
            if (!status && n + 1 == s->bytes && strstr(s->name, "webp")) { /* the padding byte */
                ct_array_free(&a);
                continue;
            }
            if (status != CT_EDATA) fail_msg("%s cut to %zu: status %d", s->name, n, (int)status);
            assert_true(e.text[0] != 0);
        }
    }
}

/* With accept_cut what is there comes out, at the place where it belongs. */
static void accepted_cuts(void **state) {
    static const char *const names[] = {"c2d8i0_9x11.png", "c2d8i1_9x11.png", "420.jpg", "progressive.jpg"};
    ct_picture_options o = {.accept_cut = 1};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const sample *s = named(names[i]);
        ct_array whole, part;
        ct_err e = {0};
        int taken = 0;
        assert_int_equal(decode(s->data, s->bytes, NULL, &whole, NULL, &e), CT_OK);
        for (size_t n = 0; n < s->bytes; n++) {
            ct_error_clear(&e);
            if (decode(s->data, n, &o, &part, NULL, &e)) continue;
            taken++;
            assert_true(ct_array_count(&part) == ct_array_count(&whole));
            if (i == 0 && n + 30 > s->bytes) assert_memory_equal(part.data, whole.data, 9);
            ct_array_free(&part);
        }
        if (taken < 15) fail_msg("%s: %d of its cuts are read", s->name, taken);
        ct_array_free(&whole);
    }
}

/* Any byte changed: an answer, never a fault. */
static void changed_bytes(void **state) {
    ct_random r = ct_random_stream(11, 1);
    (void)state;
    for (int i = 0; i < count; i++) {
        const sample *s = &samples[i];
        for (int k = 0; k < 60 && s->bytes; k++) {
            uint8_t *copy = exact(s->data, s->bytes);
            ct_array a = {0};
            ct_err e = {0};
            for (int m = 0; m <= k % 3; m++)
                copy[ct_random_below(&r, s->bytes)] ^= (uint8_t)(1 + ct_random_below(&r, 255));
            ct_picture_options o = {.accept_cut = k % 2, .max_pixels = 1 << 16};
            ct_status status = ct_picture_decode(NULL, copy, s->bytes, "file", &o, &a, NULL, &e);
            if (status && !e.text[0]) fail_msg("%s: no text", s->name);
            if (status != CT_OK && status != CT_EDATA && status != CT_ELIMIT)
                fail_msg("%s: status %d", s->name, (int)status);
            if (!status) ct_array_free(&a);
            free(copy);
        }
    }
}

/* ---- limits ---- */

typedef struct buffer {
    uint8_t *data;
    size_t n;
} buffer;

static void put(buffer *b, const void *data, size_t n) {
    b->data = realloc(b->data, b->n + n + 1);
    assert_non_null(b->data);
    if (n) memcpy(b->data + b->n, data, n);
    b->n += n;
}

static void put_u32(buffer *b, size_t v) {
    uint8_t d[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    put(b, d, 4);
}

static void put_chunk(buffer *b, const char *type, const void *data, size_t n) {
    put_u32(b, n);
    put(b, type, 4);
    put(b, data, n);
    put_u32(b, (size_t)crc32(0, b->data + b->n - n - 4, (uInt)n + 4));
}

/* A grey PNG of one bit, all black, and a chunk before its data. */
static buffer black_png(uint32_t w, uint32_t h, const char *type, const void *data, size_t n) {
    buffer b = {0}, head = {0};
    uLong all = (uLong)h * (1 + (w + 7) / 8), room = compressBound(all);
    uint8_t *zeros = calloc(1, all), *packed = malloc(room);
    assert_true(zeros && packed);
    assert_int_equal(compress2(packed, &room, zeros, all, 9), Z_OK);
    put(&b, "\x89PNG\r\n\x1a\n", 8);
    put_u32(&head, w);
    put_u32(&head, h);
    put(&head, "\1\0\0\0\0", 5);
    put_chunk(&b, "IHDR", head.data, head.n);
    if (type) put_chunk(&b, type, data, n);
    put_chunk(&b, "IDAT", packed, room);
    put_chunk(&b, "IEND", NULL, 0);
    free(zeros);
    free(packed);
    free(head.data);
    return b;
}

typedef struct meter {
    size_t now, peak;
    int64_t calls, fail_at, live;
} meter;
static void *take(void *user, size_t bytes) {
    meter *m = user;
    if (m->calls++ == m->fail_at) return NULL;
    m->now += bytes;
    if (m->now > m->peak) m->peak = m->now;
    m->live++;
    return aligned_alloc(64, (bytes + 64) / 64 * 64);
}
static void give(void *user, void *memory, size_t bytes) {
    ((meter *)user)->now -= bytes;
    ((meter *)user)->live--;
    free(memory);
}

static ct_status metered(const buffer *b, meter *m, ct_err *e) {
    ct_allocator a = {take, give, m};
    ct_array out;
    *m = (meter){.fail_at = -1};
    ct_status s = ct_picture_decode(&a, b->data, b->n, "file", NULL, &out, NULL, e);
    if (!s) ct_array_free(&out);
    assert_true(m->now == 0 && m->live == 0);
    return s;
}

static void pixel_limit(void **state) {
    ct_err e = {0};
    meter m;
    buffer at = black_png(8192, 8192, NULL, NULL, 0), over = black_png(8192, 8193, NULL, NULL, 0);
    (void)state;
    assert_int_equal(metered(&at, &m, &e), CT_OK);
    assert_int_equal(metered(&over, &m, &e), CT_ELIMIT);
    assert_non_null(strstr(e.text, "8192 x 8193 pixels; wanted at most 67108864 in all"));
    assert_true(m.peak < 65536); /* before memory is taken */
    free(at.data);
    free(over.data);
    ct_picture_options o = {.max_pixels = 99};
    const sample *s = named("c2d8i0_9x11.png"), *j = named("grey.jpg");
    ct_picture_info info;
    ct_error_clear(&e);
    assert_int_equal(ct_picture_probe(s->data, s->bytes, "file", &o, &info, &e), CT_OK);
    o.max_pixels = 98;
    assert_int_equal(ct_picture_probe(s->data, s->bytes, "file", &o, &info, &e), CT_ELIMIT);
    ct_error_clear(&e);
    o.max_pixels = 37 * 29 - 1;
    assert_int_equal(ct_picture_probe(j->data, j->bytes, "file", &o, &info, &e), CT_ELIMIT);
    const sample *npy = named("last.npy"); /* of an array too by its header */
    ct_allocator hook = {take, give, &m};
    ct_array out;
    m = (meter){.fail_at = -1};
    o.max_pixels = 1;
    ct_error_clear(&e);
    assert_int_equal(ct_picture_decode(&hook, npy->data, npy->bytes, "file", &o, &out, NULL, &e), CT_ELIMIT);
    assert_non_null(strstr(e.text, "wanted at most 1 in all"));
    assert_int_equal(m.calls, 1); /* the scratch itself */
}

static void chunk_limit(void **state) {
    ct_err e = {0};
    meter m;
    uint8_t *text = calloc(1, CT_PICTURE_CHUNK + 1);
    buffer at = black_png(8, 8, "teXt", text, CT_PICTURE_CHUNK),
           over = black_png(8, 8, "teXt", text, CT_PICTURE_CHUNK + 1);
    (void)state;
    assert_int_equal(metered(&at, &m, &e), CT_OK);
    assert_int_equal(metered(&over, &m, &e), CT_ELIMIT);
    assert_non_null(strstr(e.text, "PNG chunk teXt: 8388609 bytes; wanted at most 8388608"));
    free(at.data);
    free(over.data);
    free(text);
}

/* 60 MB of zeros in a profile and in a text: skipped, memory stays flat. */
static void inflating_chunks(void **state) {
    static const char *const types[] = {"iCCP", "zTXt"};
    uLong all = 60000000, room = compressBound(all);
    uint8_t *zeros = calloc(1, all), *packed = malloc(room + 5);
    (void)state;
    assert_true(zeros && packed);
    memcpy(packed, "name\0\0", 6);
    assert_int_equal(compress2(packed + 6, &room, zeros, all, 6), Z_OK);
    for (int i = 0; i < 2; i++) {
        ct_err e = {0};
        meter m;
        buffer b = black_png(64, 64, types[i], packed, room + 6);
        assert_int_equal(metered(&b, &m, &e), CT_OK);
        assert_true(m.peak < 1000000);
        free(b.data);
    }
    free(zeros);
    free(packed);
}

/* The last scan of a progressive file again and again. */
static buffer many_scans(int more) {
    const sample *s = named("progressive.jpg");
    buffer b = {0};
    size_t last = 0;
    for (size_t i = 0; i + 1 < s->bytes; i++)
        if (s->data[i] == 0xff && s->data[i + 1] == 0xda) last = i;
    put(&b, s->data, s->bytes - 2);
    for (int i = 0; i < more; i++) put(&b, s->data + last, s->bytes - 2 - last);
    put(&b, "\xff\xd9", 2);
    return b;
}

static void scan_limit(void **state) {
    const sample *s = named("progressive.jpg");
    int scans = 0;
    (void)state;
    for (size_t i = 0; i + 1 < s->bytes; i++) scans += s->data[i] == 0xff && s->data[i + 1] == 0xda;
    for (int i = 0; i < 3; i++) {
        buffer b = many_scans(i == 2 ? 10000 : CT_PICTURE_SCANS - scans + i);
        ct_picture_info info;
        ct_err e = {0};
        assert_int_equal(ct_picture_probe(b.data, b.n, "file", NULL, &info, &e), i ? CT_ELIMIT : CT_OK);
        if (i) assert_non_null(strstr(e.text, "more than 256 scans"));
        free(b.data);
    }
}

/* G15: an APP segment of full length, several of them; restart markers out of their order. */
static void odd_segments(void **state) {
    const sample *s = named("420.jpg"), *restart = named("restart_1.jpg");
    buffer b = {0};
    ct_array plain, a;
    ct_picture_info info;
    ct_err e = {0};
    uint8_t *block = calloc(1, 65533);
    (void)state;
    put(&b, s->data, 2);
    for (int i = 0; i < 4; i++) {
        put(&b, "\xff\xef\xff\xff", 4);
        put(&b, block, 65533);
    }
    put(&b, s->data + 2, s->bytes - 2);
    assert_int_equal(decode(s->data, s->bytes, NULL, &plain, NULL, &e), CT_OK);
    assert_int_equal(decode(b.data, b.n, NULL, &a, NULL, &e), CT_OK);
    assert_memory_equal(a.data, plain.data, ct_array_count(&a));
    ct_array_free(&plain);
    ct_array_free(&a);
    free(b.data);
    free(block);
    uint8_t *copy = exact(restart->data, restart->bytes);
    for (size_t i = 0; i + 1 < restart->bytes; i++)
        if (copy[i] == 0xff && copy[i + 1] == 0xd1) {
            copy[i + 1] = 0xd3;
            break;
        }
    assert_int_equal(ct_picture_decode(NULL, copy, restart->bytes, "file", NULL, &a, &info, &e), CT_OK);
    assert_int_equal(info.warnings, 1);
    assert_non_null(strstr(info.warning, "RST"));
    ct_array_free(&a);
    free(copy);
}

/* ---- memory and files ---- */

static void failing_memory(void **state) {
    static const char *const names[] = {"c6d16i1_9x11.png", "turn_6.jpg", "alpha.webp", "first.npy",
                                        "turned.png"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int64_t site = 0;; site++) {
            const sample *s = named(names[i]);
            meter m = {.fail_at = site};
            ct_allocator a = {take, give, &m};
            ct_array out = {0};
            ct_err e = {0};
            ct_status status = ct_picture_decode(&a, s->data, s->bytes, "file", NULL, &out, NULL, &e);
            if (!status) ct_array_free(&out);
            assert_int_equal(m.live, 0);
            if (!status) break;
            if (status != CT_ELIMIT || !e.text[0])
                fail_msg("%s, failure %lld: status %d \"%s\"", names[i], (long long)site, (int)status,
                         e.text);
            assert_true(site < 200);
        }
}

static void files(void **state) { /* by content: a PNG that is called .jpg */
    char path[] = "/tmp/cotan_picture_XXXXXX.jpg";
    const sample *s = named("c2d8i0_9x11.png");
    int fd = mkstemps(path, 4);
    ct_array a;
    ct_picture_info info;
    ct_err e = {0};
    (void)state;
    assert_true(fd >= 0 && write(fd, s->data, s->bytes) == (ssize_t)s->bytes);
    close(fd);
    assert_int_equal(ct_picture_load(NULL, NULL, path, NULL, &a, &info, &e), CT_OK);
    assert_int_equal(info.format, CT_PICTURE_PNG);
    ct_array_free(&a);
    unlink(path);
    assert_int_equal(ct_picture_load(NULL, NULL, path, NULL, &a, &info, &e), CT_EIO);
    ct_error_clear(&e);
    assert_int_equal(ct_picture_load(NULL, NULL, "/tmp", NULL, &a, &info, &e), CT_EIO);
    assert_non_null(strstr(e.text, "a folder"));
}

int main(void) {
    count = samples_load(samples);
    if (count < 190) {
        fprintf(stderr, "samples: %d read\n", count);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_and_bad),   cmocka_unit_test(facts),         cmocka_unit_test(channels),
        cmocka_unit_test(cut_everywhere), cmocka_unit_test(accepted_cuts), cmocka_unit_test(changed_bytes),
        cmocka_unit_test(pixel_limit),    cmocka_unit_test(chunk_limit),   cmocka_unit_test(inflating_chunks),
        cmocka_unit_test(scan_limit),     cmocka_unit_test(odd_segments),  cmocka_unit_test(failing_memory),
        cmocka_unit_test(files),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(samples[0].data);
    return failed;
}
