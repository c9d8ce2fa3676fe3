/* test_augment.c: transforms that draw: the same on any number of threads, other with every seed, epoch and record; mixing
 * in the batch; memory. */
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

#include "data/transform/transform.h"
#include "images/picture.h"

static ct_transform *parse(const char *text) {
    ct_transform *t = NULL;
    ct_err e = {0};
    if (ct_transform_parse(NULL, text, &t, &e)) fail_msg("\"%s\": %s", text, e.text);
    return t;
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_draw_alike),
        cmocka_unit_test(draws),
        cmocka_unit_test(shares),
        cmocka_unit_test(mixing),
        cmocka_unit_test(failing_memory),
        cmocka_unit_test(steady_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
