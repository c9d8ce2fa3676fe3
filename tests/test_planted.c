/* test_planted.c: X22: a label and an id that are out of range, planted in batch 913 of a training: the sample's value
 * is told, nothing is read beside the table, and the weights stay those of the step before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cotan/data.h"
#include "cotan/nn.h"

enum { BATCH = 4, BATCHES = 1000, PLANTED = 912, ROWS = BATCH * BATCHES, CLASSES = 3, WORDS = 7 };

static float x[ROWS * 2];
static int64_t id[ROWS], label[ROWS];

static void fill(void) {
    for (int64_t i = 0; i < ROWS; i++) {
        x[2 * i] = (float)(i % 5);
        x[2 * i + 1] = (float)(i % 3);
        id[i] = i % WORDS;
        label[i] = i % CLASSES;
    }
}

static void read_values(ct_ctx *c, const char *name, ct_var_info *info, float *to) {
    ct_err e = {0};
    assert_int_equal(ct_var_find(c, name, info), CT_OK);
    assert_true(info->count <= 64);
    ct_array a = ct_array_view(to, CT_F32, info->shape);
    if (ct_var_get(c, name, &a, &e)) fail_msg("%s", e.text);
}

/* Steps until one fails; the step that did is PLANTED, and its run changed nothing. */
static void fails_there(ct_ctx *c, ct_t loss, const void *input, const char *parameter, int64_t value) {
    ct_plan *p;
    ct_err e = {0};
    float out = 0;
    char number[32];
    float kept[2][64] = {{0}};
    ct_var_info info;
    if (ct_compile_train(loss, NULL, 0, &(ct_train){.batch = BATCH}, &p, &e)) fail_msg("%s", e.text);
    size_t row = input == x ? 2 * sizeof *x : sizeof *id;
    for (int64_t i = 0; i <= PLANTED; i++) {
        const void *in[2] = {(const char *)input + (size_t)(i * BATCH) * row, label + i * BATCH};
        if (i == PLANTED) read_values(c, parameter, &info, kept[0]);
        ct_status s = ct_run(ct_default_session(c), p, in, BATCH, (void *[2]){&out, NULL});
        if (i < PLANTED && s) fail_msg("step %lld: %s", (long long)i, ct_error(c));
        if (i == PLANTED) assert_int_equal(s, CT_EDATA);
    }
    snprintf(number, sizeof number, "%lld", (long long)value);
    if (!strstr(ct_error(c), number)) fail_msg("found \"%s\"; wanted the value %s", ct_error(c), number);
    read_values(c, parameter, &info, kept[1]);
    assert_memory_equal(kept[0], kept[1], sizeof kept[0]);
    ct_plan_free(p);
    ct_close(c);
}

static void labels(void **state) {
    static const int64_t wrong[] = {CLASSES, -1, INT64_MAX, INT64_MIN};
    (void)state;
    for (int k = 0; k < 4; k++) {
        fill();
        label[PLANTED * BATCH + 2] = wrong[k];
        ct_ctx *c = ct_open(&(ct_options){.threads = 1});
        ct_t y =
            ct_linear(ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)), "fc", CLASSES, (ct_lin){0}); /* [N,3] */
        ct_t want = ct_input(c, "label", CT_I64, CT_SHAPE(CT_N));
        fails_there(c, ct_cross_entropy(y, want, (ct_t){0}, (ct_ce){0}), x, "fc.weight", wrong[k]);
    }
}

static void ids(void **state) {
    static const int64_t wrong[] = {WORDS, -1, INT64_MAX};
    (void)state;
    for (int k = 0; k < 3; k++) {
        fill();
        id[PLANTED * BATCH + 3] = wrong[k];
        ct_ctx *c = ct_open(&(ct_options){.threads = 1});
        ct_t w = ct_input(c, "id", CT_I64, CT_SHAPE(CT_N));
        ct_t y = ct_linear(ct_embedding(w, "words", WORDS, 4, (ct_embed){0}), "fc", CLASSES,
                           (ct_lin){0}); /* [N,3] */
        ct_t want = ct_input(c, "label", CT_I64, CT_SHAPE(CT_N));
        fails_there(c, ct_cross_entropy(y, want, (ct_t){0}, (ct_ce){0}), id, "words.weight", wrong[k]);
    }
}

/* The same through what collects metrics: the sample is counted from the first. */
static void metrics(void **state) {
    ct_scores *s;
    ct_err e = {0};
    float logits[BATCH * CLASSES] = {0};
    (void)state;
    fill();
    label[PLANTED * BATCH + 1] = 99;
    assert_int_equal(ct_scores_new(NULL, CLASSES, &s, &e), CT_OK);
    for (int64_t i = 0; i < PLANTED; i++)
        assert_int_equal(ct_scores_add(s, logits, label + i * BATCH, BATCH, &e), CT_OK);
    assert_int_equal(ct_scores_add(s, logits, label + PLANTED * BATCH, BATCH, &e), CT_EDATA);
    assert_string_equal(e.text, "scores: sample 3649 has label 99; wanted 0 to 2");
    ct_scores_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels), cmocka_unit_test(ids),
                                       cmocka_unit_test(metrics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
