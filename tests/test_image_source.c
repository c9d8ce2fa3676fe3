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

int main(void) {
    const struct CMUnitTest tests[] = {TEST(labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
