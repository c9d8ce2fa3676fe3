/* test_nonfinite.c: a training in which some steps are not finite (X21): it stops and says where, skips, or goes back,
 * as it was told; a bad state is never saved; a resumed training goes the same way. One picture has a pixel of 255,
 * which no other has; the net makes infinity of it. (How a run names step, op and element: test_finite.c.) */
#include "rows.h"
#include "training.h"

#include <math.h>

typedef struct listener {
    int64_t stop_after; /* steps; 0: never */
    int64_t bad;        /* steps that were told as not finite */
    volatile int32_t stop;
    char notes[4000];
} listener;

static void tell(void *user, const ct_event *e) {
    listener *l = user;
    size_t n = strlen(l->notes);
    if (e->kind == CT_EVENT_NOTE) snprintf(l->notes + n, sizeof l->notes - n, "%s\n", e->text);
    if (e->kind == CT_EVENT_STEP) l->bad += !isfinite(e->loss);
    if (e->kind == CT_EVENT_STEP && e->step == l->stop_after) l->stop = 1;
}

static ct_image_train options(const char *name, const char *nonfinite, listener *l) {
    static char net[200];
    ct_image_train o = training(at(name));
    snprintf(net, sizeof net, "%s", at("steep.net"));
    o.net = net;
    o.transform = "normalize mean=0 std=1";
    o.nonfinite = nonfinite;
    o.force = 1;
    o.tell = tell;
    o.user = l;
    o.stop = &l->stop;
    return o;
}

/* The picture `record` of the training part gets the pixel. */
static void plant(long record) {
    FILE *f = fopen(at("train-images-idx3-ubyte"), "r+b");
    assert_true(f && fseek(f, 16 + 64 * record + 20, SEEK_SET) == 0 && fputc(255, f) == 255 &&
                fclose(f) == 0);
}

static int prepare(void **state) {
    if (training_prepare(state)) return -1;
    plant(123);
    return training_write(at("steep.net"),
                          "x = input(image)\n"
                          "h = exp(mul_scalar(relu(add_scalar(x, -0.95)), 1e6))\n"
                          "logit = linear(relu(linear(flatten(mul(h, x)), \"fc\", 8)), \"out\", classes)\n")
               ? 0
               : -1;
}

static void finite_model(const char *path) {
    ct_tensors *t;
    const char *document;
    ct_err e = {0};
    if (ct_model_read(NULL, NULL, path, &t, &document, &e)) fail_msg("%s", e.text);
    assert_int_equal(ct_tensors_nonfinite(t, NULL), 0);
    ct_tensors_free(t);
}

static void stops(void **state) {
    (void)state;
    for (int given = 0; given < 2; given++) {
        listener l = {0};
        ct_image_train o = options("stop.safetensors", given ? "stop" : NULL, &l);
        ct_err e;
        assert_int_equal(train(&o, &e), CT_ENONFINITE);
        rows_one_line("X21", &e);
        assert_non_null(strstr(e.text, "mul after \"image\""));
        assert_non_null(strstr(e.text, "element ["));
        assert_non_null(strstr(e.text, " is inf at step "));
        assert_non_null(strstr(e.text, "(that sample is record 123)"));
        assert_int_equal(access(at("stop.safetensors"), F_OK), -1);
        if (access(at("stop.run/checkpoint.safetensors"), F_OK) == 0)
            finite_model(at("stop.run/checkpoint.safetensors"));
        o.force = 0, o.resume = 1; /* the same sample comes again */
        if (train(&o, &e) != CT_ENONFINITE) fail_msg("%d: %s", e.status, e.text);
    }
}

/* Skipped or rolled back, in one go or in pieces: the same bytes. */
static void goes_on(const char *choice, const char *said) {
    char whole[40], pieces[40];
    listener l = {0};
    ct_err e;
    snprintf(whole, sizeof whole, "%s.safetensors", choice);
    snprintf(pieces, sizeof pieces, "%s2.safetensors", choice);
    ct_image_train o = options(whole, choice, &l);
    if (train(&o, &e)) fail_msg("%s: %s", choice, e.text);
    assert_int_equal(l.bad, TRAINING_EPOCHS); /* once an epoch */
    if (!strstr(l.notes, said)) fail_msg("%s: %s", choice, l.notes);
    finite_model(at(whole));
    static const int64_t steps[] = {
        5,  12, TRAINING_BATCHES,     19, 26,
        33, 40, 2 * TRAINING_BATCHES, 47}; /* in mid-epoch, and at the ends of two */
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int64_t step = steps[i];
        listener part = {.stop_after = step};
        ct_image_train p = options(pieces, choice, &part);
        assert_int_equal(train(&p, &e), CT_ECANCEL);
        listener rest = {0};
        p = options(pieces, NULL, &rest);
        p.resume = 1, p.force = 0, p.threads = 3;
        if (train(&p, &e)) fail_msg("%s, resumed at %lld: %s", choice, (long long)step, e.text);
        assert_same_file(at(whole), at(pieces));
    }
    listener other = {0};
    ct_image_train p = options(pieces, strcmp(choice, "skip") == 0 ? "rollback" : "skip", &other);
    p.resume = 1, p.force = 0;
    assert_int_equal(train(&p, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, choice));
}

static void skips(void **state) {
    (void)state;
    goes_on("skip", "is skipped: mul");
}
static void rolls_back(void **state) {
    (void)state;
    goes_on("rollback", "goes back to the end of epoch 2, at 1/8 of the learning rate: mul");
}

/* Where nothing is finite, both come to an end. */
static void hopeless(void **state) {
    static const char *const choices[] = {"skip", "rollback"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        listener l = {0};
        ct_image_train o = options("hopeless.safetensors", choices[i], &l);
        ct_err e;
        char path[200];
        assert_true(training_write(
            at("hopeless.net"),
            "logit = linear(exp(add_scalar(flatten(input(image)), 1000)), \"out\", classes)\n"));
        snprintf(path, sizeof path, "%s", at("hopeless.net"));
        o.net = path;
        assert_int_equal(train(&o, &e), CT_ENONFINITE);
        assert_non_null(strstr(e.text, i ? "after going back 10 times" : "after 10 steps that were skipped"));
        rows_one_line("X21 hopeless", &e);
        assert_int_equal(access(at("hopeless.safetensors"), F_OK), -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(stops), cmocka_unit_test(skips),
                                       cmocka_unit_test(rolls_back), cmocka_unit_test(hopeless)};
    return cmocka_run_group_tests(tests, prepare, training_clean);
}
