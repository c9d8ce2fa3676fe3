/* test_png.c: what is there of a PNG that is cut stays as it is, what is missing is grey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/data.h"
#include "images/samples.h"

static sample samples[SAMPLES_MOST];
static int count;

/* Each pixel is the whole picture's or grey, and more of the file never takes one away. */
static void interlaced_and_cut(void **state) {
    static const char *const names[] = {"c3d4i1_9x11.png", "c2d8i1_9x11.png", "c6d8i1_9x11.png",
                                        "c0d8i1_9x11.png"};
    ct_picture_options o = {.accept_cut = 1};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const sample *s = sample_named(samples, count, names[i]);
        ct_array whole, part;
        ct_err e = {0};
        int64_t grey_before = INT64_MAX, most = 0, least = INT64_MAX;
        if (!s) fail_msg("no sample %s", names[i]);
        assert_int_equal(ct_picture_decode(NULL, s->data, s->bytes, "file", &o, &whole, NULL, &e), CT_OK);
        int64_t plane = whole.dim[1] * whole.dim[2];
        for (size_t n = 0; n < s->bytes; n++) {
            ct_error_clear(&e);
            if (ct_picture_decode(NULL, s->data, n, "file", &o, &part, NULL, &e)) continue;
            const uint8_t *x = part.data, *y = whole.data;
            int64_t grey = 0;
            assert_true(part.dim[0] == whole.dim[0]);
            for (int64_t k = 0; k < plane; k++) {
                int same = 1, is_grey = 1;
                for (int64_t c = 0; c < part.dim[0]; c++) {
                    same &= x[c * plane + k] == y[c * plane + k];
                    is_grey &= x[c * plane + k] == 128;
                }
                if (!same && !is_grey) fail_msg("%s cut to %zu: pixel %lld", names[i], n, (long long)k);
                grey += !same;
            }
            assert_true(grey <= grey_before);
            grey_before = grey;
            most = grey > most ? grey : most;
            least = grey < least ? grey : least;
            ct_array_free(&part);
        }
        assert_true(most > plane / 2 && least < plane / 8);
        ct_array_free(&whole);
    }
}

int main(void) {
    count = samples_load(samples);
    if (count < 190) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(interlaced_and_cut)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(samples[0].data);
    return failed;
}
