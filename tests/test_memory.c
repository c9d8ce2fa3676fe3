/* test_memory.c: memory fails in whole jobs (X9): the n-th allocation, once, and from there on. Whatever fails: an
 * error with its text or a result, no crash, nothing lost, no file half written, and the job works again. The
 * walk over the parts of the core is test_allocation.c. */
#include "meter.h"
#include "training.h"

#include "images/folder.h"

#include "cotan/model.h"

static char model[200], output[200];

static ct_image_train options(meter *m, int resume) {
    ct_image_train o = training(output);
    o.limit = 160, o.epochs = 1, o.threads = 2;
    o.allocator = meter_hook(m);
    o.resume = resume;
    o.force = !resume;
    return o;
}

static ct_status train_job(meter *m, ct_err *e) {
    ct_image_train o = options(m, 0);
    return train(&o, e);
}

/* A run that was stopped after three steps, gone on with. */
static void stop_after_three(void *user, const ct_event *e) {
    if (e->kind == CT_EVENT_STEP && e->step == 3) *(volatile int32_t *)user = 1;
}
static void *checkpoint, *config;
static uint64_t checkpoint_bytes, config_bytes;
static void lay_run(void) {
    char path[240];
    remove_tree(at("job.run"));
    remove_tree(output);
    assert_int_equal(mkdir(at("job.run"), 0777), 0);
    snprintf(path, sizeof path, "%s", at("job.run/checkpoint.safetensors"));
    put_bytes(path, checkpoint, checkpoint_bytes);
    put_bytes(at("job.run/config.json"), config, config_bytes);
}
static ct_status resume_job(meter *m, ct_err *e) {
    lay_run();
    ct_image_train o = options(m, 1);
    return train(&o, e);
}

static int stop_now(void *user, const ct_prediction *p) {
    (void)user;
    return p->index == 20;
}

static ct_status with_model(meter *m, ct_err *e, int predict) {
    ct_options o = {.threads = 2, .allocator = meter_hook(m)};
    ct_model *net = NULL;
    ct_evaluation v = {0};
    memset(e, 0, sizeof *e);
    ct_status s = ct_model_open(model, &o, &net, e);
    if (!s && !predict) s = ct_evaluate_image(net, training_folder, NULL, 30, &v, e);
    if (!s && predict) s = ct_predict_image(net, at("t10k-images-idx3-ubyte"), stop_now, NULL, e);
    if (s == CT_ECANCEL) s = CT_OK;
    ct_evaluation_free(&v);
    ct_model_close(net);
    return s;
}
static ct_status evaluate_job(meter *m, ct_err *e) { return with_model(m, e, 0); }
static ct_status predict_job(meter *m, ct_err *e) { return with_model(m, e, 1); }

/* ---- picture files ---- */

enum { FILES = 12 };
static int lay_files(void) {
    for (int i = 0; i < FILES; i++) {
        uint8_t x[64];
        char name[40];
        for (int k = 0; k < 64; k++) x[k] = (uint8_t)(k * (3 + i) + 40 * (i % 2));
        snprintf(name, sizeof name, "files/%d/%02d.png", i % 2, i);
        if (!folder_png(at(name), x, 1, 8, 8)) return 0;
    }
    return 1;
}

static int keep_on(void *user, const ct_similar *s) {
    *(int64_t *)user += s->count;
    return 0;
}
static ct_status similar_to(meter *m, ct_err *e, const char *folder, const char *path, int64_t wanted) {
    ct_options o = {.threads = 1, .allocator = meter_hook(m)};
    ct_model *net = NULL;
    int64_t near = 0;
    memset(e, 0, sizeof *e);
    ct_status s = ct_model_open(model, &o, &net, e);
    if (!s) s = ct_similar_images(net, NULL, &path, 1, folder, 3, keep_on, &near, e);
    if (!s) assert_int_equal(near, wanted);
    ct_model_close(net);
    return s;
}
static ct_status similar_job(meter *m, ct_err *e) {
    return similar_to(m, e, at("files"), at("files/1/07.png"), 3);
}
static ct_status similar_idx_job(meter *m, ct_err *e) {
    return similar_to(m, e, at("t10k-images-idx3-ubyte"), at("t10k-images-idx3-ubyte"), 3 * 64);
}

static ct_status coverage_job(meter *m, ct_err *e) {
    ct_options o = {.threads = 1, .allocator = meter_hook(m)};
    ct_evaluate_options with = {.coverage = 0.8};
    ct_model *net = NULL;
    ct_evaluation v = {0};
    memset(e, 0, sizeof *e);
    ct_status s = ct_model_open(model, &o, &net, e);
    if (!s) s = ct_evaluate_image_with(net, at("files"), &with, &v, e);
    if (!s) assert_int_equal(v.score.samples, FILES);
    ct_evaluation_free(&v);
    ct_model_close(net);
    return s;
}

static ct_status scores_job(meter *m, ct_err *e) {
    enum { ROWS = 200, CLASSES = 3 };
    float logits[ROWS * CLASSES];
    int64_t label[ROWS];
    double score[50], temperature;
    ct_allocator a = meter_hook(m);
    memset(e, 0, sizeof *e);
    for (int i = 0; i < ROWS * CLASSES; i++) logits[i] = (float)(i * 7 % 11) / 3;
    for (int i = 0; i < ROWS; i++) label[i] = i % CLASSES;
    ct_status s = ct_temperature_fit(logits, label, ROWS, CLASSES, &temperature, e);
    if (!s) s = ct_conformal_scores(&a, logits, label, ROWS, CLASSES, temperature, score, 50, e);
    return s;
}

static ct_status components_job(meter *m, ct_err *e) {
    ct_pca_task o = {.data = at("files"),
                     .output = output,
                     .pca = {.components = 2},
                     .force = 1,
                     .threads = 1,
                     .allocator = meter_hook(m)};
    ct_pca_result r = {0};
    memset(e, 0, sizeof *e);
    ct_status s = ct_pca_file(&o, &r, e);
    if (!s) assert_true(r.records >= FILES / 2 && r.features == 64);
    if (!s) ct_pca_result_free(&r);
    return s;
}

/* A picture for which there was no memory is named with this reason, as others that cannot be read are: CT_EDATA. */
static const struct {
    const char *name;
    ct_status (*run)(meter *m, ct_err *e);
    int64_t most; /* sites of each kind to try, where not all are asked for */
    ct_status also;
} jobs[] = {{"train", train_job, 40, CT_OK},
            {"resume", resume_job, 40, CT_OK},
            {"evaluate", evaluate_job, 40, CT_OK},
            {"predict", predict_job, 40, CT_OK},
            {"similar", similar_job, 1000, CT_EDATA},
            {"similar, idx", similar_idx_job, 1000, CT_OK},
            {"coverage", coverage_job, 1000, CT_EDATA},
            {"scores", scores_job, 1000, CT_OK},
            {"components of pictures", components_job, 1000, CT_EDATA}};

static void fails(size_t i, int64_t site, int persistent) {
    const char *name = jobs[i].name;
    meter m = METER;
    ct_err e = {0};
    m.fail_at = site, m.persistent = persistent;
    ct_status s = jobs[i].run(&m, &e);
    if (m.live || m.live_bytes)
        fail_msg("%s, allocation %lld%s: %lld blocks are lost (%s)", name, (long long)site,
                 persistent ? " and on" : "", (long long)m.live, e.text);
    if (s && s != CT_ELIMIT && s != jobs[i].also)
        fail_msg("%s, allocation %lld: status %d (%s)", name, (long long)site, (int)s, e.text);
    if (s && !strstr(e.text, "memory"))
        fail_msg("%s, allocation %lld: \"%s\"", name, (long long)site, e.text);
    if (count_files(at("job.run"), ".tmp-") || count_files(training_folder, ".tmp-"))
        fail_msg("%s, allocation %lld: a temporary file stays", name, (long long)site);
}

static void walk(void **state) {
    int full = getenv("COTAN_TEST_FULL") != NULL;
    (void)state;
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        meter m = METER;
        ct_err e = {0};
        if (jobs[i].run(&m, &e)) fail_msg("%s: %s", jobs[i].name, e.text);
        int64_t sites = m.calls, most = full ? 1 << 30 : jobs[i].most, stride = sites / most + 1, tried = 0;
        for (int persistent = 0; persistent < 2; persistent++)
            for (int64_t k = persistent; k < sites; k += stride, tried++) fails(i, k, persistent);
        print_message("X9: %s: %lld allocations, %lld of them made to fail\n", jobs[i].name, (long long)sites,
                      (long long)tried);
        if (jobs[i].run(&m, &e)) fail_msg("%s works no more: %s", jobs[i].name, e.text);
    }
}

static int prepare(void **state) {
    meter m = METER;
    ct_err e = {0};
    if (training_prepare(state) || !lay_files()) return -1;
    snprintf(model, sizeof model, "%s", at("whole.safetensors"));
    snprintf(output, sizeof output, "%s", at("job.safetensors"));
    volatile int32_t stop = 0;
    ct_image_train o = options(&m, 0);
    o.stop = &stop;
    o.user = (void *)(uintptr_t)&stop;
    o.tell = stop_after_three;
    if (train(&o, &e) != CT_ECANCEL) return -1;
    checkpoint = bytes_of(at("job.run/checkpoint.safetensors"), &checkpoint_bytes);
    config = bytes_of(at("job.run/config.json"), &config_bytes);
    return 0;
}
static int clean(void **state) {
    ct_delete(NULL, checkpoint, checkpoint_bytes);
    ct_delete(NULL, config, config_bytes);
    return training_clean(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(walk)};
    return cmocka_run_group_tests(tests, prepare, clean);
}
