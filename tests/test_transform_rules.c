/* test_transform_rules.c: what transforms promise in words: x / 255 to the last bit, draws from Beta(alpha, alpha), sizes
 * judged by the step that makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <string.h>

#include "cotan/data.h"

static ct_transform *parse(const char *text) {
    ct_transform *t = NULL;
    ct_err e = {0};
    if (ct_transform_parse(NULL, text, &t, &e)) fail_msg("%s", e.text);
    return t;
}

/* x / 255 to the last bit, of every byte, by no list, an empty one and to_tensor. */
static void every_byte(void **state) {
    ct_transform *way[3] = {NULL, parse(""), parse("to_tensor")};
    uint8_t x[256];
    int64_t shape[3] = {1, 16, 16};
    float y[256];
    ct_err e = {0};
    (void)state;
    for (int i = 0; i < 256; i++) x[i] = (uint8_t)i;
    for (int k = 0; k < 3; k++) {
        assert_int_equal(ct_transform_run(way[k], NULL, x, shape, (ct_draw){0, -1, 0}, y, &e), CT_OK);
        for (int i = 0; i < 256; i++) assert_true(y[i] == (float)i / 255.0f);
        ct_transform_free(way[k]);
    }
}

/* Beta(0.001, 0.001) lies at its ends: within 0.1 to 0.9 with probability 0.0022, over 0.5 with 0.5. */
static void shares_of_a_small_alpha(void **state) {
    ct_transform *t = parse("mixup 0.001");
    int64_t shape[3] = {1, 1, 1}, label[2] = {0, 1};
    int middle = 0, over = 0;
    (void)state;
    for (int64_t k = 0; k < 4000; k++) {
        float x[2] = {0, 0}, target[4];
        ct_err e = {0};
        assert_int_equal(ct_mix(t, x, shape, label, 2, 2, (ct_draw){k, 0, 5}, target, &e), CT_OK);
        middle += target[0] > 0.1f && target[0] < 0.9f;
        over += target[0] > 0.5f;
    }
    assert_true(middle < 30);
    assert_true(over > 1850 && over < 2150);
    ct_transform_free(t);
}

/* A size is judged by the step that makes it: an input may have a longer side than any step may make. */
static void long_sides(void **state) {
    static const struct {
        const char *text, *wanted; /* NULL: fine */
    } rows[] = {{"flip, resize 64x64", NULL},
                {"flip", NULL},
                {"flip, pad 1", "pad: makes a picture of 70002x102; wanted sides of at most 65536"}};
    int64_t in[3] = {1, 100, 70000}, out[3];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_transform *t = parse(rows[i].text);
        ct_err e = {0};
        ct_status s = ct_transform_shape(t, in, out, &e);
        if (rows[i].wanted ? s != CT_ELIMIT || !strstr(e.text, rows[i].wanted) : s != CT_OK)
            fail_msg("%s: status %d, \"%s\"", rows[i].text, (int)s, e.text);
        ct_transform_free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte), cmocka_unit_test(long_sides),
                                       cmocka_unit_test(shares_of_a_small_alpha)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
