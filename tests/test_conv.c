/* Convolution kernels of src/kern: there is one for every shape and direction, in the layouts chosen for it; and the
 * plain loops of direct.c are the sums that the formula says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/conv.h"
#include "kern/direct.h"

static uint32_t state = 2463534242u;
static int64_t below(int64_t n) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return state % (uint32_t)n;
}
static int64_t channels(void) {
    static const int64_t some[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 17, 24, 32, 33};
    return some[below(sizeof some / sizeof *some)];
}
static int64_t pixels(void) { return 1 + below(below(2) ? 1 : 9); }

/* Any shape with a result of at least one pixel; 0: the draw has no source. */
static int draw_shape(ct__conv_shape *s) {
    int64_t groups = below(4) ? 1 : 1 + below(4), depthwise = below(6) == 0;
    *s = (ct__conv_shape){.n = 1 + below(3),
                          .ic = channels() * groups,
                          .oc = channels() * groups,
                          .groups = groups,
                          .oh = pixels(),
                          .ow = pixels(),
                          .kh = 1 + below(5),
                          .stride_h = 1 + below(4),
                          .dilation_h = below(4) ? 1 : 1 + below(3),
                          .dilation_w = below(4) ? 1 : 1 + below(3),
                          .pad_top = below(3),
                          .pad_left = below(3)};
    if (depthwise) s->groups = s->ic, s->oc = s->ic * (1 + below(2));
    s->kw = below(2) ? s->kh : 1 + below(5);
    s->stride_w = below(2) ? s->stride_h : 1 + below(4);
    s->pad_bottom = below(3) ? s->pad_top : below(3);
    s->pad_right = below(3) ? s->pad_left : below(3);
    s->ih = (s->oh - 1) * s->stride_h + (s->kh - 1) * s->dilation_h + 1 - s->pad_top - s->pad_bottom +
            below(s->stride_h);
    s->iw = (s->ow - 1) * s->stride_w + (s->kw - 1) * s->dilation_w + 1 - s->pad_left - s->pad_right +
            below(s->stride_w);
    return s->ih > 0 && s->iw > 0;
}

/* The kernel of a whole shard, then those of ragged ones, that have to take its layouts; is it of plain loops? */
static int try_sizes(ct__conv_wish *w) {
    static const int64_t sizes[] = {3, 1, 2, 8};
    const ct__conv_shape *s = &w->shape;
    int direct = 0;
    for (int i = 0; i < 4; i++) {
        ct__conv *c;
        ct_err e = {0};
        ct__weight_layout first = w->weight;
        w->any_weight = i == 0;
        w->shape.n = sizes[i];
        ct__conv_layouts(w);
        if (ct__conv_new(NULL, w, &c, &e) || (i && !ct__weight_layout_equal(&w->weight, &first)))
            fail_msg("%s; n %d, kind %d, stride %d,%d dilation %d,%d pad %d,%d", e.text, (int)s->n, w->kind,
                     (int)s->stride_h, (int)s->stride_w, (int)s->dilation_h, (int)s->dilation_w,
                     (int)s->pad_top, (int)s->pad_left);
        direct |= strcmp(ct__conv_impl(c), "cotan:direct") == 0;
        ct__conv_free(c);
    }
    return direct;
}

static void every_shape_has_a_kernel(void **unused) {
    (void)unused;
    int direct = 0, draws = getenv("COTAN_TEST_FULL") ? 10000 : 2000;
    for (int i = 0; i < draws; i++) {
        ct__conv_shape s;
        if (!draw_shape(&s)) continue;
        for (int32_t kind = CT__CONV_FORWARD; kind <= CT__CONV_WEIGHT; kind++) {
            ct__conv_wish w = {.shape = s, .kind = kind, .training = 1, .any_weight = 1};
            w.bias = kind != CT__CONV_DATA && below(2);
            w.relu = kind == CT__CONV_FORWARD && below(3) == 0;
            direct += try_sizes(&w);
        }
    }
    assert_true(direct > 0); /* else this test meets no such shape any more */
}

/* x 3x3, one group of two: by hand. */
static void loops_by_hand(void **unused) {
    (void)unused;
    ct__conv_shape s = {.n = 1, .ic = 2, .ih = 2, .iw = 3, .oc = 2, .oh = 2, .ow = 1, .kh = 2, .kw = 2};
    s.stride_h = 1, s.stride_w = 2, s.pad_top = 1, s.dilation_h = 1, s.dilation_w = 2, s.groups = 2;
    float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, w[8] = {1, 2, 3, 4, 5, 6, 7, 8},
          b[2] = {.5f, -300};
    float y[4], dx[12], dw[8], db[2], dy[4] = {1, 10, 100, 1000};
    /* taps of a row: columns 0 and 2; output row 0 has the rows -1 (none) and 0, output row 1 the rows 0 and 1 */
    const float wanted_y[4] = {.5f + 3 * 1 + 4 * 3, .5f + 1 * 1 + 2 * 3 + 3 * 4 + 4 * 6, 0, 0};
    ct__direct_run(&s, CT__CONV_FORWARD, 1, &(ct__direct){x, w, b, y});
    assert_memory_equal(y, wanted_y, sizeof y); /* the second channel is below zero: 7 7 + 8 9 - 300, ... */
    const float wanted_dx[12] = {3 + 10, 0, 4 + 20, 30, 0, 40, 700 + 5000, 0, 800 + 6000, 7000, 0, 8000};
    ct__direct_run(&s, CT__CONV_DATA, 0, &(ct__direct){dx, w, NULL, dy});
    assert_memory_equal(dx, wanted_dx, sizeof dx);
    const float wanted_dw[8] = {10, 30, 1 + 40, 3 + 60, 7000, 9000, 700 + 10000, 900 + 12000},
                wanted_db[2] = {11, 1100};
    ct__direct_run(&s, CT__CONV_WEIGHT, 0, &(ct__direct){x, dw, db, dy});
    assert_memory_equal(dw, wanted_dw, sizeof dw);
    assert_memory_equal(db, wanted_db, sizeof db);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_shape_has_a_kernel),
                                       cmocka_unit_test(loops_by_hand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
