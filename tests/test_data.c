/* Sources, loader, metrics, transforms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/data.h"
#include "data/order.h"

/* ---- loader ---- */
typedef struct seen {
    int64_t order[64];
    int n;
} seen;

static seen run(int threads, int64_t batch, int64_t epoch, int64_t position, int batches) {
    float x[23];
    seen s = {{0}, 0};
    ct_source src;
    ct_loader *l;
    ct_batch b;
    ct_err e = {0};
    const char *names[1] = {"x"};
    for (int i = 0; i < 23; i++) x[i] = (float)i;
    ct_array a = ct_array_view(x, CT_F32, CT_SHAPE(23));
    assert_int_equal(ct_source_arrays(NULL, &a, names, 1, &src, &e), CT_OK);
    assert_int_equal(ct_loader_new(NULL, &src,
                                   (ct_loader_options){.batch = batch,
                                                       .seed = 9,
                                                       .shuffle = 1,
                                                       .threads = threads,
                                                       .epoch = epoch,
                                                       .position = position},
                                   &l, &e),
                     CT_OK);
    while (batches-- > 0) {
        assert_int_equal(ct_next(l, &b, &e), CT_OK);
        for (int64_t r = 0; r < b.rows; r++) {
            assert_true(((const float *)b.field[0])[r] == (float)b.record[r]);
            s.order[s.n++] = b.record[r];
        }
        if (b.rows == 0) s.order[s.n++] = -1;
    }
    ct_loader_free(l);
    ct_source_close(&src);
    return s;
}

static void order(void **state) {
    (void)state;
    seen whole = run(0, 5, 0, 0, 6), threads = run(3, 5, 0, 0, 6), later = run(2, 5, 0, 2, 4),
         second = run(1, 5, 1, 0, 6);
    assert_int_equal(whole.n, 24);
    assert_int_equal(whole.order[23], -1);
    assert_memory_equal(&whole, &threads, sizeof whole);
    assert_memory_equal(whole.order + 10, later.order, 14 * sizeof *whole.order);
    assert_memory_not_equal(whole.order, second.order, 23 * sizeof *whole.order);
    int count[23] = {0};
    for (int i = 0; i < 23; i++) count[whole.order[i]]++;
    for (int i = 0; i < 23; i++) assert_int_equal(count[i], 1);
}

static ct_status failing(void *user, int64_t record, int64_t epoch, uint64_t seed, void *const *out,
                         ct_err *e) {
    (void)user;
    (void)epoch;
    (void)seed;
    *(float *)out[0] = 1;
    return record == 7 ? ct_fail(e, CT_EDATA, "record 7 is bad") : CT_OK;
}

static void reader_error(void **state) {
    (void)state;
    ct_source s = {.count = 20, .fields = 1, .field = {{"x", CT_F32, 0, {{0}, 0, 0}}}, .read = failing};
    ct_loader *l;
    ct_batch b = {.rows = 1};
    ct_err e = {0};
    assert_int_equal(ct_loader_new(NULL, &s, (ct_loader_options){.batch = 3, .threads = 2}, &l, &e), CT_OK);
    int good = 0;
    ct_status status;
    while (!(status = ct_next(l, &b, &e)) && b.rows) good++;
    assert_int_equal(status, CT_EDATA);
    assert_int_equal(good, 2);
    assert_string_equal(e.text, "record 7 is bad");
    ct_loader_free(l);
    s.count = 0;
    ct_error_clear(&e);
    assert_int_equal(ct_loader_new(NULL, &s, (ct_loader_options){0}, &l, &e), CT_EDATA);
}

/* Five billion records: no list of them, the same batches whoever reads them, a resume at the end. */
static ct_status numbered(void *user, int64_t record, int64_t epoch, uint64_t seed, void *const *out,
                          ct_err *e) {
    (void)user, (void)epoch, (void)seed, (void)e;
    *(int64_t *)out[0] = record;
    return CT_OK;
}
static void billions(void **state) {
    (void)state;
    const int64_t count = INT64_C(5000000011), batch = 1000, batches = count / batch + 1;
    ct_source s = {.count = count, .fields = 1, .field = {{"x", CT_I64, 0, {{0}, 0, 0}}}, .read = numbered};
    int64_t met[2][3000];
    ct_err e = {0};
    ct_batch b;
    for (int32_t threads = 0; threads < 2; threads++) {
        ct_loader_options o = {.batch = batch, .seed = 4, .shuffle = 1, .threads = 3 * threads};
        ct_loader *l;
        assert_int_equal(ct_loader_new(NULL, &s, o, &l, &e), CT_OK);
        assert_int_equal(ct_loader_batches(l), batches);
        int large = 0;
        for (int k = 0; k < 3; k++) {
            assert_int_equal(ct_next(l, &b, &e), CT_OK);
            for (int r = 0; r < 1000; r++) {
                int64_t x = ((const int64_t *)b.field[0])[r];
                assert_true(x >= 0 && x < count && x == b.record[r]);
                met[threads][k * 1000 + r] = x;
                large += x > INT32_MAX;
            }
        }
        assert_true(large > 1000 && large < 2500); /* 57 in 100 */
        ct_loader_free(l);
    }
    assert_memory_equal(met[0], met[1], sizeof met[0]);
    for (int32_t shuffle = 0; shuffle < 2; shuffle++) {
        ct_loader_options o = {.batch = batch, .shuffle = shuffle, .epoch = 2, .position = batches - 1};
        ct_loader *l;
        assert_int_equal(ct_loader_new(NULL, &s, o, &l, &e), CT_OK);
        assert_int_equal(ct_next(l, &b, &e), CT_OK);
        assert_true(b.rows == count % batch && b.epoch == 2 && b.position == batches - 1);
        assert_true((b.record[0] == (batches - 1) * batch) == !shuffle);
        assert_int_equal(ct_next(l, &b, &e), CT_OK);
        assert_int_equal(b.rows, 0);
        ct_loader_free(l);
    }
}

/* The order that is computed is a permutation, another one each epoch. */
static void computed_order(void **state) {
    (void)state;
    for (int64_t count = 1; count < 3000; count = count * 2 + 1) {
        ct__order o = {.seed = 7, .count = count, .epoch = -1, .shuffle = 1, .half = 1};
        while (((count - 1) >> o.half) >> o.half) o.half++;
        int same = 0;
        for (int64_t epoch = 0; epoch < 2; epoch++) {
            uint8_t hit[3000] = {0};
            ct__order_epoch(&o, epoch);
            for (int64_t i = 0; i < count; i++) {
                int64_t x = ct__order_record(&o, i);
                assert_true(x >= 0 && x < count && !hit[x]);
                hit[x] = 1;
                same += x == i;
            }
        }
        assert_true(count < 50 || same < 10);
    }
}

static void wrong_loaders(void **state) {
    (void)state;
    ct_source s = {.count = 20, .fields = 1, .field = {{"x", CT_I64, 0, {{0}, 0, 0}}}, .read = numbered},
              none = s, many = s;
    static const ct_loader_options rows[] = {
        {.epoch = -1},       {.position = -1}, {.position = 5, .batch = 5},
        {.batch = -1},       {.threads = 65},  {.batch = 21, .drop_last = 1},
        {.epoch = INT64_MAX}};
    ct_loader *l;
    ct_err e = {0};
    none.fields = 0;
    many.fields = CT_MAX_FIELDS + 1;
    assert_int_equal(ct_loader_new(NULL, &none, (ct_loader_options){0}, &l, &e), CT_EUSAGE);
    assert_int_equal(ct_loader_new(NULL, &many, (ct_loader_options){0}, &l, &e), CT_EUSAGE);
    many = s;
    many.count = 0;
    assert_int_equal(ct_loader_new(NULL, &many, (ct_loader_options){0}, &l, &e), CT_EDATA);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(ct_loader_new(NULL, &s, rows[i], &l, &e), CT_EUSAGE);
}

/* ---- metrics ---- */
static void scores(void **state) {
    (void)state;
    ct_scores *s;
    ct_err e = {0};
    float logits[4 * 3] = {2, 1, 0, 0, 3, 0, 1, 0, 0, 0, 0, 5};
    int64_t label[4] = {0, 1, 2, 2}, bad[1] = {3};
    assert_int_equal(ct_scores_new(NULL, 0, &s, &e), CT_EUSAGE);
    ct_error_clear(&e);
    assert_int_equal(ct_scores_new(NULL, INT64_MAX, &s, &e), CT_ELIMIT);
    assert_string_equal(
        e.text, "scores: 9223372036854775807 classes; wanted so few that their square can be counted");
    ct_error_clear(&e);
    assert_int_equal(ct_scores_new(NULL, 3, &s, &e), CT_OK);
    assert_true(isnan(ct_scores_result(s).accuracy));
    assert_int_equal(ct_scores_add(s, logits, label, 4, &e), CT_OK);
    ct_score r = ct_scores_result(s);
    assert_true(r.accuracy == 0.75 && r.baseline == 0.5 && r.top5 == 1);
    assert_true(r.low < 0.75 && r.high > 0.75 && fabs(r.low - 0.3006418) < 1e-6 &&
                fabs(r.high - 0.9544127) < 1e-6);
    double want = (log(1 + exp(-1) + exp(-2)) + log(1 + 2 * exp(-3)) + 1 + log(1 + 2 * exp(-1)) +
                   log(1 + 2 * exp(-5))) /
                  4;
    assert_true(fabs(r.loss - want) < 1e-12);
    assert_int_equal(ct_scores_confusion(s, 2, 0), 1);
    assert_true(ct_scores_top(s, 1) == 0.75 && ct_scores_top(s, 2) == 0.75 && ct_scores_top(s, 3) == 1);
    ct_text json = {0};
    ct_score_json(&r, &json);
    assert_non_null(strstr(json.data, "\"accuracy\":0.75,\"accuracy_ci95\":[0.3006"));
    assert_non_null(strstr(json.data, "\"baseline_accuracy\":0.5}"));
    ct_text_free(&json);
    r = (ct_score){.accuracy = NAN, .low = NAN, .high = NAN, .loss = INFINITY, .loss_error = NAN};
    ct_score_json(&r, &json);
    assert_non_null(strstr(
        json.data, "\"loss\":null,\"loss_error\":null,\"accuracy\":null,\"accuracy_ci95\":[null,null]"));
    ct_text_free(&json);
    assert_int_equal(ct_scores_add(s, logits, bad, 1, &e), CT_EDATA);
    ct_scores_free(s);
}

/* The standard error of the mean: 0.1 and 0.5 about 0.3, so sqrt((0.2^2 + 0.2^2) / 1 / 2) = 0.2. */
static void error_of_the_loss(void **state) {
    ct_scores *s = NULL;
    ct_err e = {0};
    float logits[4] = {0, (float)log(exp(0.1) - 1), 0, (float)log(exp(0.5) - 1)};
    int64_t label[2] = {0, 0};
    (void)state;
    assert_int_equal(ct_scores_new(NULL, 2, &s, &e), CT_OK);
    assert_int_equal(ct_scores_add(s, logits, label, 1, &e), CT_OK);
    assert_true(isnan(ct_scores_result(s).loss_error));
    assert_int_equal(ct_scores_add(s, logits + 2, label + 1, 1, &e), CT_OK);
    ct_score r = ct_scores_result(s);
    assert_true(fabs(r.loss - 0.3) < 1e-6 && fabs(r.loss_error - 0.2) < 1e-6);
    ct_scores_free(s);
}

static void confusions(void **state) {
    static const int64_t counts[9] = {90, 2, 5, 5, 90, 0, 1, 2, 90}, wanted[] = {2, 3, 1, 7, 6, -1};
    (void)state;
    int64_t at = -1;
    for (int i = 0; i < 6; i++) {
        at = ct_confused_next(counts, 3, at);
        assert_int_equal(at, wanted[i]);
    }
    assert_int_equal(ct_confused_next(counts, 1, -1), -1);
}

/* ---- transforms ---- */
static void transforms(void **state) {
    (void)state;
    static const struct {
        const char *text, *wanted;
    } bad[] = {{"normalise mean=1 std=1", "nearest is normalize"},
               {"normalize mean=1", "std is not given"},
               {"flip 2", "wanted a number 0 to 1"},
               {"normalize mean=x std=1", "wanted a number"},
               {"flip 0.5 0.5", "wanted KEY=VALUE"},
               {"flip q=1", "no argument q"},
               {"flip,,flip", "empty step"}};
    ct_transform *t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ct_err e = {0};
        assert_int_equal(ct_transform_parse(NULL, bad[i].text, &t, &e), CT_EUSAGE);
        if (!strstr(e.text, bad[i].wanted)) fail_msg("found \"%s\"; wanted \"%s\"", e.text, bad[i].wanted);
    }
    ct_err e = {0};
    ct_text text = {0};
    uint8_t picture[16];
    float a[16], b[16];
    int64_t shape[3] = {1, 4, 4};
    for (int i = 0; i < 16; i++) picture[i] = (uint8_t)(i * 10);
    assert_int_equal(
        ct_transform_parse(NULL, " random_crop 4 pad=2, flip 0.5 ,normalize mean=0.5 std=0.25", &t, &e),
        CT_OK);
    assert_int_equal(ct_transform_text(t, &text), CT_OK);
    assert_string_equal(text.data, "random_crop size=4 pad=2, flip p=0.5, normalize mean=0.5 std=0.25");
    assert_int_equal(ct_transform_run(t, NULL, picture, shape, (ct_draw){3, -1, 1}, a, &e),
                     CT_OK); /* nothing random */
    for (int i = 0; i < 16; i++) assert_true(fabsf(a[i] - ((float)picture[i] / 255 - 0.5f) / 0.25f) < 1e-5f);
    int different = 0;
    for (int64_t epoch = 0; epoch < 8; epoch++) {
        assert_int_equal(ct_transform_run(t, NULL, picture, shape, (ct_draw){3, epoch, 1}, a, &e), CT_OK);
        assert_int_equal(ct_transform_run(t, NULL, picture, shape, (ct_draw){3, epoch, 1}, b, &e), CT_OK);
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(ct_transform_run(t, NULL, picture, shape, (ct_draw){4, epoch, 1}, b, &e), CT_OK);
        different += memcmp(a, b, sizeof a) != 0;
    }
    assert_true(different > 4);
    ct_text_free(&text);
    ct_transform_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(order),
                                       cmocka_unit_test(reader_error),
                                       cmocka_unit_test(billions),
                                       cmocka_unit_test(computed_order),
                                       cmocka_unit_test(wrong_loaders),
                                       cmocka_unit_test(scores),
                                       cmocka_unit_test(error_of_the_loss),
                                       cmocka_unit_test(confusions),
                                       cmocka_unit_test(transforms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
