/* test_transform.c: transforms: text and back, equality with Pillow, what random steps promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/transform/transform.h"
#include "images/picture.h"

static ct_transform *parse(const char *text) {
    ct_transform *t = NULL;
    ct_err e = {0};
    if (ct_transform_parse(NULL, text, &t, &e)) fail_msg("\"%s\": %s", text, e.text);
    return t;
}

static uint32_t crc(const void *data, int64_t n) { return (uint32_t)crc32(0, data, (uInt)n); }

static FILE *reference(const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/tests/images/%s", COTAN_SOURCE, name);
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s: missing", path);
    return f;
}

/* ---- Pillow ---- */

static int channels_of(const char *mode) { return mode[0] == 'L' ? 1 : mode[0] == 'C' ? 4 : 3; }

static int place_of(const char *word, const char *words) {
    int n = 0;
    for (const char *w = words; *w; n++) {
        size_t length = strcspn(w, " ");
        if (strlen(word) == length && memcmp(word, w, length) == 0) return n;
        w += length + strspn(w + length, " ");
    }
    fail_msg("%s is not one of %s", word, words);
    return -1;
}

static void resize_equals_pillow(void **state) {
    FILE *f = reference("resize.txt");
    char line[200], mode[8], filter[16];
    unsigned seed, want;
    int w, h, to_w, to_h, rows = 0;
    (void)state;
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') continue;
        assert_int_equal(
            sscanf(line, "%u %7s %d %d %d %d %15s %x", &seed, mode, &w, &h, &to_w, &to_h, filter, &want), 8);
        int64_t c = channels_of(mode);
        uint8_t *x = test_picture(seed, c, h, w);
        for (int32_t set = 1; set <= 3; set++) {
            ct_err e = {0};
            ct_scratch *s = ct_scratch_new(NULL);
            ct__frame p = {
                .data = x, .c = c, .h = h, .w = w, .slot = -1, .scratch = s, .instructions = set, .e = &e};
            assert_int_equal(ct__frame_resize(&p, (ct__box){0, 0, h, w}, to_h, to_w,
                                              place_of(filter, CT__FILTERS), CT__BALANCED),
                             CT_OK);
            if (crc(p.data, c * to_h * to_w) != want) fail_msg("instructions %d: %s", set, line);
            ct_scratch_free(s);
        }
        free(x);
        rows++;
    }
    fclose(f);
    assert_true(rows >= 500);
}

static ct_status tone(ct__frame *f, const char *name, double v) {
    if (strcmp(name, "brightness") == 0) return ct__tone_brightness(f, v);
    if (strcmp(name, "contrast") == 0) return ct__tone_contrast(f, v);
    if (strcmp(name, "saturation") == 0) return ct__tone_saturation(f, v);
    if (strcmp(name, "sharpness") == 0) return ct__tone_sharpness(f, v);
    if (strcmp(name, "posterize") == 0) return ct__tone_posterize(f, (int)v);
    if (strcmp(name, "solarize") == 0) return ct__tone_solarize(f, v);
    if (strcmp(name, "autocontrast") == 0) return ct__tone_autocontrast(f);
    if (strcmp(name, "equalize") == 0) return ct__tone_equalize(f);
    fail_msg("%s", name);
    return CT_EUSAGE;
}

static void tones_equal_pillow(void **state) {
    FILE *f = reference("tone.txt");
    char line[200], mode[8], name[20];
    unsigned seed, want;
    int w, h;
    double v;
    (void)state;
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') continue;
        assert_int_equal(sscanf(line, "%u %7s %d %d %19s %lf %x", &seed, mode, &w, &h, name, &v, &want), 7);
        int64_t c = channels_of(mode);
        uint8_t *x = test_picture(seed, c, h, w);
        ct_err e = {0};
        ct_scratch *s = ct_scratch_new(NULL);
        ct__frame p = {.data = x, .c = c, .h = h, .w = w, .slot = -1, .scratch = s, .e = &e};
        assert_int_equal(tone(&p, name, v), CT_OK);
        if (crc(p.data, c * h * w) != want) fail_msg("%s", line);
        ct_scratch_free(s);
        free(x);
    }
    fclose(f);
}

/* Pillow turns in single precision or in fixed point: a pixel whose source lies on an edge may differ. */
static void warps_like_pillow(void **state) {
    FILE *f = reference("warp.txt"), *pixels = reference("warp.u8");
    char line[300];
    unsigned seed;
    int w, h, smooth;
    double m[6];
    ct__value fill = {.v = {9}, .count = 1};
    (void)state;
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') continue;
        assert_int_equal(sscanf(line, "%u %d %d %d %lf %lf %lf %lf %lf %lf", &seed, &w, &h, &smooth, m, m + 1,
                                m + 2, m + 3, m + 4, m + 5),
                         10);
        uint8_t *x = test_picture(seed, 3, h, w), want[3 * 30 * 30];
        size_t n = (size_t)(3 * w * h), far = 0;
        assert_int_equal(fread(want, 1, n, pixels), n);
        ct_err e = {0};
        ct_scratch *s = ct_scratch_new(NULL);
        ct__frame p = {.data = x, .c = 3, .h = h, .w = w, .slot = -1, .scratch = s, .e = &e};
        assert_int_equal(ct__frame_warp(&p, m, smooth, &fill), CT_OK);
        for (size_t i = 0; i < n; i++) far += abs(((uint8_t *)p.data)[i] - want[i]) > 1;
        if (far > n / 200) fail_msg("%zu of %zu pixels: %s", far, n, line);
        ct_scratch_free(s);
        free(x);
    }
    fclose(f);
    fclose(pixels);
}

/* ---- text ---- */

static const char *const lists[] = {
    "",
    "resize 256, center_crop 224, to_tensor, normalize mean=0.485:0.456:0.406 std=0.229:0.224:0.225",
    "resize 32x24 filter=lanczos order=across",
    "random_crop 28 pad=2 fill=3:4:5 mode=reflect, flip",
    "random_resized_crop 24x16 scale=0.2:0.9 ratio=1 filter=bicubic",
    "pad 1:2:3:4 mode=symmetric\nvertical_flip 1 # upside down\n\nrotate 20 filter=bilinear fill=128",
    "affine 0:30 translate=0.1:0.2 scale=0.8:1.2 shear_x=5 shear_y=-3:3",
    "color_jitter brightness=0.4 contrast=0.5:1.5 saturation=2 hue=0.1, grey",
    "random_grey 0.5, blur 3 sigma=0.5 p=0.3, randaugment 3 m=5 bins=11 fill=128, trivial_augment",
    "normalize mean=0.5 std=0.5, erasing 0.7 value=0.1, mixup 0.3, cutmix",
};
#define LISTS (sizeof lists / sizeof *lists)

static void parses_back(void **state) {
    (void)state;
    for (size_t i = 0; i < LISTS; i++) {
        ct_text once = {0}, twice = {0};
        ct_transform *t = parse(lists[i]);
        assert_int_equal(ct_transform_text(t, &once), CT_OK);
        ct_transform *u = parse(once.data);
        assert_int_equal(ct_transform_text(u, &twice), CT_OK);
        if (once.data) assert_string_equal(once.data, twice.data);
        assert_int_equal(ct_transform_steps(t), ct_transform_steps(u));
        assert_memory_equal(ct_transform_mixes(t) ? "1" : "0", i == LISTS - 1 ? "1" : "0", 1);
        ct_text_free(&once);
        ct_text_free(&twice);
        ct_transform_free(t);
        ct_transform_free(u);
    }
}

/* What models hold already; the text must not change. */
static void old_text(void **state) {
    ct_text text = {0};
    ct_transform *t = parse(" random_crop 4 pad=2, flip 0.5 ,normalize mean=0.5 std=0.25:0.25:0.25");
    (void)state;
    assert_int_equal(ct_transform_text(t, &text), CT_OK);
    assert_string_equal(
        text.data, "random_crop size=4 pad=2, flip p=0.5, normalize mean=0.5:0.5:0.5 std=0.25:0.25:0.25");
    ct_text_free(&text);
    ct_transform_free(t);
}

static void text_errors(void **state) {
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"resise 3", "transform:1:1: no step \"resise\"; nearest is resize"},
        {"resize 3,\n flipp", "transform:2:2: no step \"flipp\"; nearest is flip"},
        {"resize", "resize: size is not given"},
        {"resize 0", "transform:1:8: resize: size is \"0\"; wanted an integer 1 to 65536"},
        {"resize 3x", "size is \"\""},
        {"resize 3x4x5", "more than 2 numbers"},
        {"resize 3.5", "wanted an integer"},
        {"resize 8 filter=bicubc", "nearest is bicubic"},
        {"resize 8 fliter=box", "no argument fliter; wanted size, filter or order; nearest is filter"},
        {"resize 8 8", "wanted KEY=VALUE"},
        {"resize 8 size=9", "given twice"},
        {"normalize mean=1", "std is not given"},
        {"normalize 1 std=1", "wanted KEY=VALUE"},
        {"normalize mean=x std=1", "wanted a number"},
        {"normalize mean=1:2 std=1:2:3", "mean has 2 numbers, std 3"},
        {"normalize mean=1 std=0", "wanted a number 1e-06"},
        {"flip 2", "wanted a number 0 to 1"},
        {"flip nan", "wanted a number 0 to 1"},
        {"flip q=1", "no argument q"},
        {"flip,,flip", "transform:1:6: an empty step"},
        {"flip,", "an empty step"},
        {",flip", "an empty step"},
        {"to_tensor 3", "wanted KEY=VALUE"},
        {"to_tensor x=3", "it takes none"},
        {"to_tensor, resize 8", "transform:1:12: resize after to_tensor"},
        {"mixup, flip", "wanted mixup last"},
        {"pad 1:2:3", "wanted 1, 2"},
        {"blur 4", "wanted an odd number"},
        {"randaugment 2 m=31", "wanted 0 to bins - 1 = 30"},
        {"affine -3", "wanted a span from 0"},
        {"color_jitter brightness=2:1", "wanted LOW:HIGH"},
        {"random_resized_crop 8 scale=0.9:0.1", "wanted LOW:HIGH"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_transform *t = NULL;
        ct_err e = {0};
        assert_int_equal(ct_transform_parse(NULL, rows[i].text, &t, &e), CT_EUSAGE);
        if (!strstr(e.text, rows[i].wanted))
            fail_msg("\"%s\": found \"%s\"; wanted \"%s\"", rows[i].text, e.text, rows[i].wanted);
    }
    char many[40 * 8] = "flip";
    ct_transform *t = NULL;
    ct_err e = {0};
    for (int i = 1; i < CT__MAX_STEPS; i++) strcat(many, ",flip");
    ct_transform_free(parse(many));
    strcat(many, ",flip");
    assert_int_equal(ct_transform_parse(NULL, many, &t, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "more than 32 steps"));
}

static void shapes(void **state) {
    static const struct {
        const char *text;
        int64_t in[3], out[3];
        const char *wanted; /* NULL: out */
    } rows[] = {
        {"resize 10", {3, 20, 31}, {3, 10, 15}, NULL},
        {"resize 10", {1, 40, 20}, {1, 20, 10}, NULL},
        {"resize 30x20", {1, 7, 9}, {1, 20, 30}, NULL},
        {"resize 256, center_crop 224", {3, 500, 375}, {3, 224, 224}, NULL},
        {"pad 1:2:3:4", {1, 5, 6}, {1, 11, 10}, NULL},
        {"grey", {3, 5, 6}, {1, 5, 6}, NULL},
        {"grey", {2, 5, 6}, {0, 0, 0}, "2 channels"},
        {"random_crop 8", {1, 7, 9}, {0, 0, 0}, "wanted at least 8x8"},
        {"random_crop 8 pad=1", {1, 7, 9}, {1, 8, 8}, NULL},
        {"normalize mean=1:2 std=1:2", {3, 5, 5}, {0, 0, 0}, "2 numbers for 3 channels"},
        {"resize 65536x1025", {3, 5, 5}, {0, 0, 0}, "wanted at most 67108864 pixels"},
        {"resize 65536x1024", {1, 5, 5}, {1, 1024, 65536}, NULL},
        {"flip", {1, 0, 5}, {0, 0, 0}, "wanted extents from 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_transform *t = parse(rows[i].text);
        ct_err e = {0};
        int64_t out[3] = {0};
        ct_status s = ct_transform_shape(t, rows[i].in, out, &e);
        if (rows[i].wanted) {
            assert_int_not_equal(s, CT_OK);
            if (!strstr(e.text, rows[i].wanted)) fail_msg("%s: %s", rows[i].text, e.text);
        } else {
            assert_int_equal(s, CT_OK);
            assert_memory_equal(out, rows[i].out, sizeof out);
        }
        ct_transform_free(t);
    }
}

/* ---- values ---- */

/* Lists of the first models: floats from the start, a window moved by up to pad, a flip, (x/255 - M) / S. */
static void old_model(const uint8_t *x, int64_t n, int64_t pad, ct_draw d, float mean, float std,
                      float *out) {
    float v[400];
    ct_random r =
        ct_random_stream(d.seed, (uint64_t)d.record * 0x9e3779b97f4a7c15ull + (uint64_t)(d.epoch + 1));
    int64_t dy = 0, dx = 0;
    if (d.epoch >= 0) {
        dy = (int64_t)ct_random_below(&r, (uint64_t)(2 * pad + 1)) - pad;
        dx = (int64_t)ct_random_below(&r, (uint64_t)(2 * pad + 1)) - pad;
    }
    for (int64_t y = 0; y < n; y++)
        for (int64_t i = 0; i < n; i++) {
            int inside = y + dy >= 0 && y + dy < n && i + dx >= 0 && i + dx < n;
            v[y * n + i] = inside ? x[(y + dy) * n + i + dx] : 0;
        }
    int turn = d.epoch >= 0 && ct_random_uniform(&r) < 0.5;
    float scale = (float)(1 / (255 * (double)std)), shift = (float)(-(double)mean / (double)std);
    for (int64_t y = 0; y < n; y++)
        for (int64_t i = 0; i < n; i++) out[y * n + i] = v[y * n + (turn ? n - 1 - i : i)] * scale + shift;
}

static void old_meaning(void **state) {
    ct_transform *t = parse("random_crop 12 pad=3, flip 0.5, normalize mean=0.25 std=0.5");
    ct_transform *u = parse("normalize mean=0.25 std=0.5, random_crop 12 pad=0, flip 0"), *none = parse("");
    uint8_t *x = test_picture(5, 1, 12, 12);
    int64_t shape[3] = {1, 12, 12};
    float found[144], want[144];
    ct_err e = {0};
    (void)state;
    for (int64_t k = 0; k < 60; k++) {
        ct_draw d = {k, k % 4 - 1, 77};
        assert_int_equal(ct_transform_run(t, NULL, x, shape, d, found, &e), CT_OK);
        old_model(x, 12, 3, d, 0.25f, 0.5f, want);
        assert_memory_equal(found, want, sizeof want);
    }
    assert_int_equal(ct_transform_run(u, NULL, x, shape, (ct_draw){0, 0, 1}, found, &e), CT_OK);
    for (int i = 0; i < 144; i++)
        assert_true(found[i] == (float)x[i] * (float)(1 / (255 * 0.5)) + (float)(-0.25 / 0.5));
    assert_int_equal(ct_transform_run(none, NULL, x, shape, (ct_draw){0, -1, 1}, found, &e), CT_OK);
    for (int i = 0; i < 144; i++) assert_true(found[i] == (float)x[i] * (1.0f / 255.0f));
    free(x);
    ct_transform_free(t);
    ct_transform_free(u);
    ct_transform_free(none);
}

static void tensor_values(void **state) {
    ct_transform *t = parse("to_tensor, normalize mean=0.1:0.2:0.3 std=0.5:0.6:0.7");
    uint8_t *x = test_picture(3, 3, 5, 7);
    int64_t shape[3] = {3, 5, 7};
    float y[105];
    ct_err e = {0};
    (void)state;
    assert_int_equal(ct_transform_run(t, NULL, x, shape, (ct_draw){0, -1, 0}, y, &e), CT_OK);
    for (int i = 0; i < 105; i++) {
        float m[3] = {0.1f, 0.2f, 0.3f}, s[3] = {0.5f, 0.6f, 0.7f};
        assert_true(y[i] == ((float)x[i] / 255.0f - m[i / 35]) / s[i / 35]);
    }
    free(x);
    ct_transform_free(t);
}

static void windows(void **state) { /* pad's modes against NumPy's definition, and crops */
    static const struct {
        const char *text;
        uint8_t want[9];
    } rows[] = {
        {"pad 3:0 fill=9", {9, 9, 9, 1, 2, 3, 9, 9, 9}},
        {"pad 3:0 mode=edge", {1, 1, 1, 1, 2, 3, 3, 3, 3}},
        {"pad 3:0 mode=reflect", {2, 3, 2, 1, 2, 3, 2, 1, 2}},
        {"pad 3:0 mode=symmetric", {3, 2, 1, 1, 2, 3, 3, 2, 1}},
        {"center_crop 9x1 fill=7", {7, 7, 7, 1, 2, 3, 7, 7, 7}},
        {"center_crop 1", {2}},
        {"center_crop 2x1", {1, 2}},
        {"random_crop 1", {2}},
    };
    uint8_t x[3] = {1, 2, 3};
    int64_t shape[3] = {1, 1, 3};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_transform *t = parse(rows[i].text);
        ct_array y;
        ct_err e = {0};
        assert_int_equal(ct_transform_bytes(t, NULL, x, shape, (ct_draw){0, -1, 0}, NULL, &y, &e), CT_OK);
        assert_memory_equal(y.data, rows[i].want, (size_t)y.dim[2]);
        ct_array_free(&y);
        ct_transform_free(t);
    }
}

static void geometry(void **state) { /* quarter turns and whole moves are exact */
    uint8_t x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    int64_t shape[3] = {1, 3, 3};
    static const struct {
        const char *text;
        uint8_t want[9];
    } rows[] = {
        {"rotate 90:90", {3, 6, 9, 2, 5, 8, 1, 4, 7}},
        {"rotate 180:180 filter=bilinear", {9, 8, 7, 6, 5, 4, 3, 2, 1}},
        {"rotate 0:0 filter=bilinear", {1, 2, 3, 4, 5, 6, 7, 8, 9}},
        {"affine 90:90", {7, 4, 1, 8, 5, 2, 9, 6, 3}},
        {"affine 0 scale=3", {5, 5, 5, 5, 5, 5, 5, 5, 5}},
        {"flip 1", {3, 2, 1, 6, 5, 4, 9, 8, 7}},
        {"vertical_flip 1", {7, 8, 9, 4, 5, 6, 1, 2, 3}},
        {"blur 1", {1, 2, 3, 4, 5, 6, 7, 8, 9}},
        {"blur 3 sigma=100", {4, 4, 4, 5, 5, 5, 6, 6, 6}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_transform *t = parse(rows[i].text);
        ct_array y;
        ct_err e = {0};
        assert_int_equal(ct_transform_bytes(t, NULL, x, shape, (ct_draw){3, 0, 0}, NULL, &y, &e), CT_OK);
        for (int k = 0; k < 9; k++)
            if (((uint8_t *)y.data)[k] != rows[i].want[k])
                fail_msg("%s: pixel %d is %d; wanted %d", rows[i].text, k, ((uint8_t *)y.data)[k],
                         rows[i].want[k]);
        ct_array_free(&y);
        ct_transform_free(t);
    }
}

static void hue(void **state) { /* a third of a circle exchanges red, green and blue */
    uint8_t x[3] = {200, 10, 60};
    static const uint8_t third[3] = {60, 200, 10}, half[3] = {10, 200, 150};
    ct_err e = {0};
    ct_scratch *s = ct_scratch_new(NULL);
    ct__frame f = {.data = x, .c = 3, .h = 1, .w = 1, .slot = -1, .scratch = s, .e = &e};
    (void)state;
    assert_int_equal(ct__tone_hue(&f, 1.0 / 3), CT_OK);
    assert_memory_equal(f.data, third, 3);
    f = (ct__frame){.data = x, .c = 3, .h = 1, .w = 1, .slot = -1, .scratch = s, .e = &e};
    assert_int_equal(ct__tone_hue(&f, 0.5), CT_OK);
    assert_memory_equal(f.data, half, 3);
    assert_int_equal(x[0], 200); /* the source is not written */
    ct_scratch_free(s);
}

/* ---- random steps ---- */

static const char *const random_lists[] = {
    "random_crop 16 pad=4 mode=reflect, flip, color_jitter brightness=0.4 contrast=0.4 saturation=0.4 "
    "hue=0.1",
    "random_resized_crop 16, randaugment 4 m=20, to_tensor, erasing 0.9",
    "trivial_augment, affine 30 translate=0.2 scale=0.5:1.5 shear_x=10, blur 5, random_grey 0.5, resize 16",
    "rotate 180 filter=bilinear, normalize mean=0.5 std=0.5, random_crop 12 pad=2, vertical_flip, erasing 1 "
    "value=1",
};
#define RANDOM_LISTS (sizeof random_lists / sizeof *random_lists)
#define RECORDS 40

typedef struct work {
    ct_transform *t;
    float *out;
    int64_t count, first, step;
    uint8_t *const *x;
} work;

static void *run_records(void *user) {
    work *w = user;
    ct_err e = {0};
    ct_scratch *s = ct_scratch_new(NULL);
    for (int64_t k = w->first; k < RECORDS; k += w->step) {
        int64_t shape[3] = {3, 18 + k % 3, 20};
        if (ct_transform_run(w->t, s, w->x[k], shape, (ct_draw){k, 2, 9}, w->out + k * w->count, &e))
            return "failed";
    }
    ct_scratch_free(s);
    return NULL;
}

static void threads_draw_alike(void **state) {
    uint8_t *x[RECORDS];
    (void)state;
    for (int k = 0; k < RECORDS; k++) x[k] = test_picture((uint64_t)k, 3, 18 + k % 3, 20);
    for (size_t i = 0; i < RANDOM_LISTS; i++) {
        int64_t shape[3] = {3, 18, 20}, made[3];
        ct_transform *t = parse(random_lists[i]);
        ct_err e = {0};
        if (ct_transform_shape(t, shape, made, &e)) fail_msg("%s", e.text);
        int64_t count = made[0] * 20 * 20;
        float *one = calloc((size_t)(count * RECORDS), sizeof *one),
              *many = calloc((size_t)(count * RECORDS), 4);
        work w = {t, one, count, 0, 1, x};
        assert_null(run_records(&w));
        pthread_t thread[3];
        work part[3];
        for (int k = 0; k < 3; k++) {
            part[k] = (work){t, many, count, k, 3, x};
            assert_int_equal(pthread_create(&thread[k], NULL, run_records, &part[k]), 0);
        }
        for (int k = 0; k < 3; k++) {
            void *failed;
            pthread_join(thread[k], &failed);
            assert_null(failed);
        }
        assert_memory_equal(one, many, (size_t)(count * RECORDS) * sizeof *one);
        free(one);
        free(many);
        ct_transform_free(t);
    }
    for (int k = 0; k < RECORDS; k++) free(x[k]);
}

/* (seed, epoch, record) each change the draw; evaluation draws nothing. */
static void draws(void **state) {
    (void)state;
    for (size_t i = 0; i < RANDOM_LISTS; i++) {
        ct_transform *t = parse(random_lists[i]);
        uint8_t *x = test_picture(2, 3, 18, 18);
        int64_t shape[3] = {3, 18, 18}, made[3];
        float a[3 * 400], b[3 * 400];
        ct_err e = {0};
        assert_int_equal(ct_transform_shape(t, shape, made, &e), CT_OK);
        size_t bytes = (size_t)(made[0] * made[1] * made[2]) * sizeof(float);
        int differ[3] = {0};
        for (int64_t k = 0; k < 20; k++) {
            ct_draw base = {k, 1, 5}, other[4] = {{k + 1, 1, 5}, {k, 2, 5}, {k, 1, 6}, {k, 1, 5}};
            assert_int_equal(ct_transform_run(t, NULL, x, shape, base, a, &e), CT_OK);
            for (int c = 0; c < 4; c++) {
                assert_int_equal(ct_transform_run(t, NULL, x, shape, other[c], b, &e), CT_OK);
                if (c == 3)
                    assert_memory_equal(a, b, bytes);
                else
                    differ[c] += memcmp(a, b, bytes) != 0;
            }
            assert_int_equal(ct_transform_run(t, NULL, x, shape, (ct_draw){k, -1, 5}, a, &e), CT_OK);
            assert_int_equal(ct_transform_run(t, NULL, x, shape, (ct_draw){0, -1, 8}, b, &e), CT_OK);
            assert_memory_equal(a, b, bytes);
        }
        for (int c = 0; c < 3; c++) assert_true(differ[c] > 12);
        free(x);
        ct_transform_free(t);
    }
}

/* Shares: flips in half of the pictures, windows everywhere they may be, erased area within its range. */
static void shares(void **state) {
    uint8_t x[64 * 64];
    int64_t shape[3] = {1, 64, 64}, small[3] = {1, 1, 4};
    float y[64 * 64];
    ct_err e = {0};
    ct_transform *flip = parse("flip 0.3"), *crop = parse("random_crop 1 pad=1 fill=9"),
                 *erase = parse("to_tensor, erasing 1 scale=0.1:0.2 value=-1");
    int flips = 0, seen[10] = {0};
    (void)state;
    for (int i = 0; i < 64 * 64; i++) x[i] = (uint8_t)(i % 250);
    for (int64_t k = 0; k < 4000; k++) {
        ct_draw d = {k, 0, 3};
        ct_array z;
        assert_int_equal(ct_transform_run(flip, NULL, x, small, d, y, &e), CT_OK);
        flips += y[0] > y[1];
        assert_int_equal(ct_transform_bytes(crop, NULL, x, small, d, NULL, &z, &e), CT_OK);
        seen[((uint8_t *)z.data)[0]]++;
        ct_array_free(&z);
    }
    assert_true(abs(flips - 1200) < 120);
    for (int i = 0; i < 4; i++) assert_true(abs(seen[i] - 4000 / 18) < 80); /* 3 x 6 windows, 4 inside */
    for (int64_t k = 0; k < 200; k++) {
        int64_t gone = 0;
        assert_int_equal(ct_transform_run(erase, NULL, x, shape, (ct_draw){k, 0, 3}, y, &e), CT_OK);
        for (int i = 0; i < 64 * 64; i++) gone += y[i] < 0;
        assert_true(gone > 64 * 64 * 0.09 && gone < 64 * 64 * 0.21);
    }
    ct_transform_free(flip);
    ct_transform_free(crop);
    ct_transform_free(erase);
}

/* ---- mixing ---- */

enum { ROWS = 5, CLASSES = 3 };

static void mixing(void **state) {
    static const char *const texts[] = {"mixup", "cutmix", "mixup, cutmix", "flip"};
    int64_t shape[3] = {2, 8, 8}, label[ROWS] = {0, 1, 2, 0, 1}, size = 128;
    (void)state;
    for (int i = 0; i < 4; i++) {
        ct_transform *t = parse(texts[i]);
        int mixed = 0;
        for (int64_t k = 0; k < 50; k++) {
            float x[ROWS * 128], target[ROWS * CLASSES], again[ROWS * 128], sum = 0;
            ct_err e = {0};
            for (int r = 0; r < ROWS; r++)
                for (int64_t p = 0; p < size; p++) x[r * size + p] = again[r * size + p] = (float)r;
            assert_int_equal(ct_mix(t, x, shape, label, ROWS, CLASSES, (ct_draw){k, 0, 4}, target, &e),
                             CT_OK);
            assert_int_equal(ct_mix(t, again, shape, label, ROWS, CLASSES, (ct_draw){k, 0, 4}, target, &e),
                             CT_OK);
            assert_memory_equal(x, again, sizeof x);
            for (int r = 0; r < ROWS;
                 r++) { /* the share of row r in itself is the mean's place between the two */
                float mean = 0, all = 0;
                for (int64_t p = 0; p < size; p++) mean += x[r * size + p] / (float)size;
                for (int c = 0; c < CLASSES; c++) all += target[r * CLASSES + c];
                int other = ROWS - 1 - r;
                float share = r == other ? 1 : (mean - (float)other) / (float)(r - other);
                float want = share + (label[r] == label[other] ? 1 - share : 0);
                assert_true(fabsf(all - 1) < 1e-6f);
                assert_true(fabsf(target[r * CLASSES + label[r]] - want) < 1e-4f);
                sum += mean;
            }
            assert_true(fabsf(sum - 10) < 1e-3f);
            mixed += x[0] != 0 || x[(int64_t)(size / 2)] != 0 || target[0] < 1;
        }
        assert_true(i < 3 ? mixed > 25 : mixed == 0);
        ct_transform_free(t);
    }
    ct_err e = {0};
    float x[2] = {0}, target[6];
    int64_t one[3] = {1, 1, 1}, bad[2] = {0, 3};
    assert_int_equal(ct_mix(NULL, x, one, bad, 2, 3, (ct_draw){0, 0, 0}, target, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "sample 1 has label 3"));
}

/* ---- memory ---- */

typedef struct meter {
    int64_t calls, fail_at, live;
} meter;
static void *take(void *user, size_t bytes) {
    meter *m = user;
    if (m->calls++ == m->fail_at) return NULL;
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    m->live += p != NULL;
    return p;
}
static void give(void *user, void *memory, size_t bytes) {
    (void)bytes;
    ((meter *)user)->live--;
    free(memory);
}

static void failing_memory(void **state) {
    (void)state;
    for (size_t i = 0; i < RANDOM_LISTS; i++)
        for (int64_t site = 0;; site++) {
            meter m = {.fail_at = site};
            ct_allocator a = {take, give, &m};
            ct_transform *t = NULL;
            ct_err e = {0};
            int64_t shape[3] = {3, 18, 18};
            float out[3 * 400];
            uint8_t *x = test_picture(1, 3, 18, 18);
            ct_status s = ct_transform_parse(&a, random_lists[i], &t, &e);
            for (int64_t k = 0; k < 12 && !s; k++)
                s = ct_transform_run(t, NULL, x, shape, (ct_draw){k, 0, 1}, out, &e);
            ct_transform_free(t);
            free(x);
            assert_int_equal(m.live, 0);
            if (!s) break;
            assert_int_equal(s, CT_ELIMIT);
            assert_true(e.text[0] != 0 && site < 1000);
        }
}

static void steady_memory(void **state) { /* after the largest picture nothing is allocated */
    (void)state;
    for (size_t i = 0; i < RANDOM_LISTS; i++) {
        meter m = {.fail_at = -1};
        ct_allocator a = {take, give, &m};
        ct_scratch *s = ct_scratch_new(&a);
        ct_transform *t = parse(random_lists[i]);
        ct_err e = {0};
        int64_t shape[3] = {3, 18, 18}, before = 0;
        float out[3 * 400];
        uint8_t *x = test_picture(1, 3, 18, 18);
        for (int64_t k = 0; k < 600; k++) {
            if (k == 300) before = m.calls;
            assert_int_equal(ct_transform_run(t, s, x, shape, (ct_draw){k, 0, 1}, out, &e), CT_OK);
        }
        assert_int_equal(m.calls, before);
        ct_scratch_free(s);
        ct_transform_free(t);
        free(x);
        assert_int_equal(m.live, 0);
    }
}

/* ---- help ---- */

/* docs/transforms.md holds what the table says; `test_transform write` writes it anew. */
static char *help_text(void) {
    ct_text out = {0};
    const char *name;
    ct_text_add(&out,
                "# Transforms of pictures\n\nA list of steps, separated by commas or lines: `resize 256, "
                "center_crop 224, to_tensor, normalize mean=0.5 std=0.25`.\nA value in [brackets] may be "
                "left out. Made from the tables in `src/data/transform` (`test_transform write`).\n");
    for (int32_t i = 0;; i++) {
        ct_text usage = {0}, help = {0};
        if (!ct_transform_help(i, &name, &usage, &help)) break;
        ct_text_format(&out, "\n## %s\n\n    %s\n\n", name, usage.data);
        char *line = strtok(help.data, "\n");
        int in_table = 0;
        for (; line; line = strtok(NULL, "\n")) {
            if (strncmp(line, "    ", 4) == 0) {
                ct_text_format(&out, "%s- %s\n", in_table ? "" : "\n", line + 4);
                in_table = 1;
            } else {
                ct_text_format(&out, "%s\n", line);
            }
        }
        ct_text_free(&usage);
        ct_text_free(&help);
    }
    return out.data;
}

static void help(void **state) {
    char *want = help_text(), *have = calloc(1, 1 << 20);
    FILE *f = fopen(COTAN_SOURCE "/docs/transforms.md", "rb");
    (void)state;
    assert_non_null(f);
    assert_true(fread(have, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    assert_string_equal(have, want);
    free(have);
    free(want);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "write") == 0) {
        FILE *f = fopen(COTAN_SOURCE "/docs/transforms.md", "wb");
        return !f || fputs(help_text(), f) < 0 || fclose(f);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_equals_pillow),
        cmocka_unit_test(tones_equal_pillow),
        cmocka_unit_test(warps_like_pillow),
        cmocka_unit_test(parses_back),
        cmocka_unit_test(old_text),
        cmocka_unit_test(text_errors),
        cmocka_unit_test(shapes),
        cmocka_unit_test(old_meaning),
        cmocka_unit_test(tensor_values),
        cmocka_unit_test(windows),
        cmocka_unit_test(geometry),
        cmocka_unit_test(hue),
        cmocka_unit_test(threads_draw_alike),
        cmocka_unit_test(draws),
        cmocka_unit_test(shares),
        cmocka_unit_test(mixing),
        cmocka_unit_test(failing_memory),
        cmocka_unit_test(steady_memory),
        cmocka_unit_test(help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
