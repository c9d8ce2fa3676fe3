/* test_memory.c: memory fails in whole jobs (X9): the n-th allocation, once, and from there on. Whatever fails: an
 * error with its text or a result, no crash, nothing lost, no file half written, and the job works again. The
 * walk over the parts of the core is test_allocation.c. */
#include "meter.h"
#include "training.h"

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

static const struct {
    const char *name;
    ct_status (*run)(meter *m, ct_err *e);
} jobs[] = {
    {"train", train_job}, {"resume", resume_job}, {"evaluate", evaluate_job}, {"predict", predict_job}};

static void fails(const char *name, ct_status (*run)(meter *m, ct_err *e), int64_t site, int persistent) {
    meter m = METER;
    ct_err e = {0};
    m.fail_at = site, m.persistent = persistent;
    ct_status s = run(&m, &e);
    if (m.live || m.live_bytes)
        fail_msg("%s, allocation %lld%s: %lld blocks are lost (%s)", name, (long long)site,
                 persistent ? " and on" : "", (long long)m.live, e.text);
    if (s && s != CT_ELIMIT)
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
        int64_t sites = m.calls, most = full ? 1 << 30 : 40, stride = sites / most + 1, tried = 0;
        for (int persistent = 0; persistent < 2; persistent++)
            for (int64_t k = persistent; k < sites; k += stride, tried++)
                fails(jobs[i].name, jobs[i].run, k, persistent);
        print_message("X9: %s: %lld allocations, %lld of them made to fail\n", jobs[i].name, (long long)sites,
                      (long long)tried);
        if (jobs[i].run(&m, &e)) fail_msg("%s works no more: %s", jobs[i].name, e.text);
    }
}

static int prepare(void **state) {
    meter m = METER;
    ct_err e = {0};
    if (training_prepare(state)) return -1;
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
