/* test_transform.c: transforms: text and back, equality with Pillow, windows, tones, the first models' lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
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
        {"resise 3", "transform:1:1: no step \"resise\"; wanted another; nearest is resize"},
        {"resize 3,\n flipp", "transform:2:2: no step \"flipp\"; wanted another; nearest is flip"},
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
        {"to_tensor x=3", "no argument x; wanted none"},
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
    for (int i = 0; i < 144; i++) assert_true(found[i] == (float)x[i] / 255.0f);
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
        cmocka_unit_test(help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
