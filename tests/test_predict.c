/* test_predict.c: the same bits whoever asks: the command, a folder and one picture through the C API, a program's own
 * buffer in a loop that allocates nothing, a model that was trained in one go and one whose training was stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>

#include "cotan/task.h"
#include "images/folder.h"
#include "images/picture.h"

enum { SIDE = 16, EACH = 30, MOST = 2 * EACH, CLASSES = 2, HIDDEN = 6 };
#define NET \
    "h = maxpool2d(relu(conv2d(input(image), \"c\", 4, 3, pad=1)), 2)\n" \
    "h = relu(linear(flatten(h), \"fc\", 6))\n" \
    "logit = linear(h, \"out\", classes)\n"

static char root[] = "/tmp/cotan_predict_XXXXXX";
static char data[200], whole[200], parts[200];

typedef struct all {
    double probability[MOST][CLASSES];
    float feature[MOST][HIDDEN];
    int64_t label[MOST], n, set[MOST];
} all;

static int keep(void *user, const ct_prediction *p) {
    all *a = user;
    assert_true(a->n < MOST && !p->error);
    a->label[a->n] = p->label;
    a->set[a->n] = p->set;
    if (p->probability) memcpy(a->probability[a->n], p->probability, sizeof a->probability[0]);
    if (p->feature) memcpy(a->feature[a->n], p->feature, (size_t)p->features * sizeof(float));
    a->n++;
    return 0;
}

static volatile int32_t stop;
static void stop_at_step(void *user, const ct_event *e) {
    (void)user;
    if (e->kind == CT_EVENT_STEP && e->step == 7) stop = 1;
}

static void train(const char *output, int stopped) {
    ct_image_train o = {.data = data,
                        .output = output,
                        .net_text = NET,
                        .model = "small",
                        .epochs = 4,
                        .batch = 8,
                        .lr = 0.01,
                        .seed = 3,
                        .checkpoint_every = 5};
    ct_train_result r;
    ct_err e = {0};
    if (stopped) {
        o.stop = &stop;
        o.tell = stop_at_step;
        assert_int_equal(ct_train_image(&o, &r, &e), CT_ECANCEL);
        stop = 0;
        o.tell = NULL;
        o.resume = 1;
        o.threads = 3;
        ct_error_clear(&e);
    }
    if (ct_train_image(&o, &r, &e)) fail_msg("%s", e.text);
}

static int prepare(void **state) {
    (void)state;
    assert_non_null(mkdtemp(root));
    snprintf(data, sizeof data, "%s/data", root);
    snprintf(whole, sizeof whole, "%s/whole.safetensors", root);
    snprintf(parts, sizeof parts, "%s/parts.safetensors", root);
    for (int i = 0; i < MOST; i++) {
        char path[300];
        uint8_t *x = test_picture((uint64_t)(i % 2 ? 3 * i + 2 : 3 * i), 3, SIDE, SIDE);
        snprintf(path, sizeof path, "%s/%s/%03d.png", data, i % 2 ? "slopes" : "noise", i);
        assert_true(folder_png(path, x, 3, SIDE, SIDE));
        free(x);
    }
    train(whole, 0);
    train(parts, 1);
    return 0;
}

static int clean(void **state) {
    (void)state;
    folder_remove(root);
    return 0;
}

static ct_model *opened(const char *path) {
    ct_model *m;
    ct_err e = {0};
    if (ct_model_open(path, NULL, &m, &e)) fail_msg("%s", e.text);
    return m;
}

static void predict(ct_model *m, const char *path, const ct_predict_options *o, all *out) {
    ct_err e = {0};
    if (ct_predict_images_with(m, &path, 1, o, keep, out, &e)) fail_msg("%s", e.text);
}

static void resumed(void **state) {
    static all a, b;
    ct_predict_options sets = {.coverage = 0.8}, layer = {.layer = ""};
    ct_model *m = opened(whole), *k = opened(parts);
    (void)state;
    predict(m, data, &sets, &a);
    predict(k, data, &sets, &b);
    assert_true(a.n == MOST && a.set[0] >= 1);
    assert_memory_equal(&a, &b, sizeof a);
    a.n = b.n = 0;
    predict(m, data, &layer, &a);
    predict(k, data, &layer, &b);
    assert_true(a.feature[0][0] + a.feature[0][1] + a.feature[1][0] != 0);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(ct_image_temperature(m) == ct_image_temperature(k));
    ct_model_close(m);
    ct_model_close(k);
}

static void one_by_one(void **state) {
    static all a, b;
    ct_model *m = opened(whole);
    (void)state;
    predict(m, data, NULL, &a);
    for (int folder = 0; folder < 2; folder++)
        for (int i = 0; i < MOST; i++) {
            char path[300];
            if (i % 2 != folder) continue;
            snprintf(path, sizeof path, "%s/%s/%03d.png", data, i % 2 ? "slopes" : "noise", i);
            predict(m, path, NULL, &b);
        }
    assert_memory_equal(&a, &b, sizeof a);
    ct_model_close(m);
}

/* ---- a program's own buffers ---- */

typedef struct meter {
    int64_t calls;
} meter;
static void *take(void *user, size_t bytes) {
    ((meter *)user)->calls++;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}
static void give(void *user, void *memory, size_t bytes) {
    (void)user;
    (void)bytes;
    free(memory);
}

static void own_buffers(void **state) {
    static all a;
    meter count = {0};
    ct_options o = {.allocator = {take, give, &count}};
    ct_model *m;
    ct_transform *t;
    ct_session *s;
    ct_err e = {0};
    uint8_t rgb[SIDE * SIDE * 3], planes[3 * SIDE * SIDE];
    float x[3 * SIDE * SIDE], logits[CLASSES];
    double p[CLASSES];
    int64_t shape[3] = {3, SIDE, SIDE}, before = 0;
    (void)state;
    assert_int_equal(ct_model_open(whole, &o, &m, &e), CT_OK);
    predict(m, data, NULL, &a);
    assert_int_equal(ct_transform_parse(&o.allocator, ct_model_text(m, "transform"), &t, &e), CT_OK);
    assert_int_equal(ct_session_new(ct_model_context(m), &s, &e), CT_OK);
    ct_scratch *scratch = ct_scratch_new(&o.allocator);
    for (int i = 0; i < MOST; i += 2) { /* those called noise are the folder's first */
        uint8_t *drawn = test_picture((uint64_t)(3 * i), 3, SIDE, SIDE);
        for (int k = 0; k < SIDE * SIDE * 3; k++) rgb[k] = drawn[k % 3 * SIDE * SIDE + k / 3];
        free(drawn);
        if (i == 2) before = count.calls;
        ct_rgb_planes(rgb, SIDE, SIDE, planes);
        assert_int_equal(ct_transform_run(t, scratch, planes, shape, (ct_draw){0, -1, 0}, x, &e), CT_OK);
        assert_int_equal(ct_run(s, ct_model_plan(m), (const void *[1]){x}, 1, (void *[1]){logits}), CT_OK);
        assert_int_equal(ct_softmax_at(logits, CLASSES, ct_image_temperature(m), p), a.label[i / 2]);
        assert_memory_equal(p, a.probability[i / 2], sizeof p);
    }
    assert_int_equal(count.calls, before); /* after the first frame nothing is allocated */
    ct_scratch_free(scratch);
    ct_session_free(s);
    ct_transform_free(t);
    ct_model_close(m);
}

/* ---- the command ---- */

static void command(void **state) {
    static all a;
    char words[800], npy[300];
    ct_model *m = opened(whole);
    ct_array x;
    ct_err e = {0};
    double shown;
    char name[100], line[500];
    int64_t n = 0;
    (void)state;
    if (access("./cotan", X_OK)) {
        ct_model_close(m);
        skip();
    }
    predict(m, data, NULL, &a);
    predict(m, data, &(ct_predict_options){.layer = "out"}, &(all){0});
    snprintf(words, sizeof words, "./cotan predict '%s' '%s'", whole, data);
    FILE *f = popen(words, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char wanted[120], got[120];
        assert_int_equal(sscanf(line, "%*[^\t]\t%99[^\t]\t%lf", name, &shown), 2);
        snprintf(wanted, sizeof wanted, "%s %.4f", ct_model_label(m, a.label[n]),
                 a.probability[n][a.label[n]]);
        snprintf(got, sizeof got, "%s %.4f", name, shown);
        assert_string_equal(got, wanted);
        n++;
    }
    assert_int_equal(pclose(f), 0);
    assert_int_equal(n, MOST);
    snprintf(npy, sizeof npy, "%s/out.npy", root);
    snprintf(words, sizeof words, "./cotan predict '%s' '%s' --layer out -o '%s' > /dev/null", parts, data,
             npy);
    assert_int_equal(system(words), 0); /* of the training that was stopped */
    assert_int_equal(ct_npy_load(NULL, NULL, npy, &x, &e), CT_OK);
    assert_true(x.dim[0] == MOST && x.dim[1] == CLASSES);
    for (int64_t i = 0; i < MOST; i++) {
        double p[CLASSES];
        (void)ct_softmax_at((const float *)x.data + i * CLASSES, CLASSES, ct_image_temperature(m), p);
        assert_memory_equal(p, a.probability[i], sizeof p);
    }
    ct_array_free(&x);
    ct_model_close(m);
}

/* ---- models without what was asked for ---- */

static void uncalibrated(void **state) {
    char path[300];
    ct_model *m = opened(whole), *old;
    ct_err e = {0};
    double threshold;
    int64_t records = 0;
    ct_evaluation v;
    ct_evaluate_options o = {.coverage = 0.9};
    (void)state;
    assert_int_equal(ct_image_threshold(m, 0.9, &threshold, &records, &e), CT_OK);
    assert_true(records > 0 && threshold >= 0 && threshold < 1);
    assert_int_equal(ct_image_threshold(m, 1, &threshold, NULL, &e), CT_EUSAGE);
    ct_error_clear(&e);
    snprintf(path, sizeof path, "%s/old.safetensors", root);
    char *document = strdup(ct_model_document(m)), *at = strstr(document, "\"calibration\"");
    assert_non_null(at);
    memcpy(at, "\"calibratiom\"", 13); /* as a model that another version wrote, without one */
    assert_int_equal(ct_model_save(ct_model_context(m), path, document, &e), CT_OK);
    free(document);
    old = opened(path);
    assert_true(ct_image_temperature(old) == 1);
    assert_int_equal(ct_evaluate_image_with(old, data, &o, &v, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "the model has no calibration"));
    ct_error_clear(&e);
    assert_int_equal(ct_evaluate_image(old, data, NULL, 0, &v, &e), CT_OK);
    assert_true(v.calibrated_on == 0 && v.calibrated.ece == v.score.ece && v.calibrated.loss == v.score.loss);
    ct_evaluation_free(&v);
    ct_model_close(old);
    ct_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed), cmocka_unit_test(one_by_one),   cmocka_unit_test(own_buffers),
        cmocka_unit_test(command), cmocka_unit_test(uncalibrated),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
