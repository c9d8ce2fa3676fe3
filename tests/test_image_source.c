/* test_image_source.c: sources of pictures and what they refuse: labels of every type, records that are not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include "images/set.h"

/* Labels may be of any integer type, bools, and a view with gaps. */
static void labels(void **state) {
    static const ct_dtype types[] = {CT_BOOL, CT_U8, CT_I8, CT_I32, CT_I64};
    uint8_t pixels[3 * 4] = {0};
    ct_array images = ct_array_view(pixels, CT_U8, CT_SHAPE(3, 2, 2));
    ct_err e = {0};
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int64_t gap = 1; gap <= 2; gap++) {
            int32_t wanted[6] = {1, 0, 0, 0, 1, 0};
            ct_array whole, all = ct_array_view(wanted, CT_I32, CT_SHAPE(6));
            assert_int_equal(ct_array_new(NULL, types[t], CT_SHAPE(6), &whole, &e), CT_OK);
            assert_int_equal(ct_array_copy(&whole, &all, &e), CT_OK);
            ct_array view = whole;
            view.owned = 0;
            view.dim[0] = 3;
            view.stride[0] = gap;
            ct_source s;
            float x[4];
            if (ct_source_images(NULL, &images, &view, NULL, &s, &e)) fail_msg("%s", e.text);
            for (int64_t i = 0; i < 3; i++) {
                int64_t y = -1;
                assert_int_equal(s.read(s.user, i, 0, 0, (void *const[2]){x, &y}, &e), CT_OK);
                assert_int_equal(y, wanted[i * gap]);
            }
            ct_source_close(&s);
            ct_array_free(&whole);
        }
}

/* Indices from before a scan that took pictures out, and such as never were. */
static void wrong_records(void **state) {
    (void)state;
    classes("set", 10, 1);
    folder_put(at("set/a/broken.png"), "\x89PNG\r\n\x1a\n", 8);
    ct_images *s = opened("set", (ct_images_options){.allow_broken = 1});
    ct_transform *t;
    ct_err e = {0};
    assert_int_equal(ct_images_count(s), 21);
    assert_int_equal(ct_images_scan(s, NULL, 0, &e), CT_OK);
    assert_int_equal(ct_images_count(s), 20);
    assert_int_equal(ct_transform_parse(NULL, "resize 8x8", &t, &e), CT_OK);
    static const int64_t wrong[] = {-1, 20, INT64_MAX};
    for (int k = 0; k < 3; k++) {
        int64_t index[2] = {0, wrong[k]};
        ct_source source;
        ct_hash128 h;
        double mean[3], std[3];
        ct_error_clear(&e);
        assert_int_equal(ct_images_source(s, index, 2, t, &source, &e), CT_EUSAGE);
        assert_non_null(strstr(e.text, "wanted 0 to 19; give another, and take indices after the scan"));
        assert_int_equal(ct_images_hash(s, index, 2, 0, &h, &e), CT_EUSAGE);
        assert_int_equal(ct_images_moments(s, index, 2, mean, std, &e), CT_EUSAGE);
        assert_int_equal(ct_images_part_of(s, 0, wrong[k]), CT_PART_NONE);
    }
    assert_true(ct_images_part_of(s, 0, 19) != CT_PART_NONE);
    ct_transform_free(t);
    ct_images_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(labels), TEST(wrong_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
