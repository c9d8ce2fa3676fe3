/* test_checkpoint.c: run folders that were damaged or belong to something else (H1-H12 of the bad inputs, X17).
 * Each row begins with a run that was stopped in its second epoch; what is resumed ends with the bytes of the
 * training never disturbed, or with one line. */
#include "rows.h"
#include "seam.h"
#include "training.h"

#include <jansson.h>
#include <math.h>

#include "task/run.h"

static const char *const names[] = {"config.json", "checkpoint.safetensors", "previous.safetensors",
                                    "metrics.jsonl"};
enum { CONFIG, NEWEST, BEFORE, LOG, FILES };
static void *content[FILES]; /* of the stopped run */
static uint64_t bytes[FILES];

typedef struct listener {
    int64_t stop_after; /* steps; 0: never */
    volatile int32_t stop;
    char notes[1200];
} listener;

static void tell(void *user, const ct_event *e) {
    listener *l = user;
    size_t n = strlen(l->notes);
    if (e->kind == CT_EVENT_NOTE) snprintf(l->notes + n, sizeof l->notes - n, "%s\n", e->text);
    if (e->kind == CT_EVENT_STEP && e->step == l->stop_after) l->stop = 1;
}

static ct_status run(ct_image_train o, listener *l, ct_err *e) {
    *l = (listener){.stop_after = l->stop_after};
    o.tell = tell;
    o.user = l;
    o.stop = &l->stop;
    return train(&o, e);
}

static const char *in_run(const char *name) {
    static char path[3][200];
    static int turn;
    turn = (turn + 1) % 3;
    snprintf(path[turn], sizeof path[turn], "%s/m.run/%s", training_folder, name);
    return path[turn];
}

static int prepare(void **state) {
    listener l = {.stop_after = 29};
    ct_err e;
    if (training_prepare(state)) return -1;
    if (run(training(at("m.safetensors")), &l, &e) != CT_ECANCEL) return -1;
    for (int i = 0; i < FILES; i++) content[i] = bytes_of(in_run(names[i]), &bytes[i]);
    return 0;
}

static int clean(void **state) {
    for (int i = 0; i < FILES; i++) ct_delete(NULL, content[i], bytes[i]);
    return training_clean(state);
}

/* The stopped run as it was. */
static void put_back(void) {
    remove_tree(at("m.run"));
    remove_tree(at("m.safetensors"));
    assert_int_equal(mkdir(at("m.run"), 0777), 0);
    for (int i = 0; i < FILES; i++) put_bytes(in_run(names[i]), content[i], bytes[i]);
}

static ct_image_train resuming(void) {
    ct_image_train o = training(at("m.safetensors"));
    o.resume = 1;
    return o;
}

/* Resumed, the run ends like the one never disturbed; `part` is in the notes. */
static void goes_on(const char *code, const char *part) {
    listener l = {0};
    ct_err e;
    if (run(resuming(), &l, &e)) fail_msg("%s: %s", code, e.text);
    if (!strstr(l.notes, part)) fail_msg("%s: \"%s\"; wanted \"%s\"", code, l.notes, part);
    assert_same_run("m");
}

/* Refused with one line, and what stands in the folder is left: nobody lost a checkpoint. */
static void refuses(const char *code, ct_image_train o, ct_status status, const char *part) {
    listener l = {0};
    ct_err e;
    void *before[FILES] = {0};
    uint64_t n[FILES] = {0};
    for (int i = 0; i < FILES; i++)
        if (access(in_run(names[i]), F_OK) == 0) before[i] = bytes_of(in_run(names[i]), &n[i]);
    ct_status s = run(o, &l, &e);
    if (s != status) fail_msg("%s: status %d; wanted %d (%s)", code, (int)s, (int)status, e.text);
    if (!strstr(e.text, part)) fail_msg("%s: \"%s\"; wanted \"%s\"", code, e.text, part);
    rows_one_line(code, &e);
    for (int i = 0; i < FILES; i++) {
        uint64_t m;
        if (!before[i]) continue;
        void *now = bytes_of(in_run(names[i]), &m);
        assert_true(m == n[i] && memcmp(now, before[i], n[i]) == 0);
        ct_delete(NULL, now, m);
        ct_delete(NULL, before[i], n[i]);
    }
    assert_int_not_equal(access(at("m.safetensors"), F_OK), 0);
}

/* ---- damage ---- */

/* What ct__run_load makes of the folder: which of the two, or CT_EDATA. */
static ct_status loads(int strict, char which[64], char text[600]) {
    ct_files none = {0};
    ct_allocator a = {0};
    ct__run r = {.files = &none, .allocator = &a, .lock = -1};
    ct_tensors *t = NULL;
    const char *document = NULL;
    ct_err e = {0};
    assert_int_equal(ct__run_paths(&r, at("m.safetensors"), &e), CT_OK);
    ct_status s = ct__run_load(&r, strict, &t, &document, text, &e);
    snprintf(which, 64, "%s", s ? "" : !t ? "none" : strstr(document, "\"step\":29") ? "newest" : "before");
    if (s) snprintf(text, 600, "%.590s", e.text);
    ct_tensors_free(t);
    return s;
}

/* H1, H2, H9, H10: whatever became of the newest, the one before is loaded, and said so. */
static void expect_before(const char *code, const void *data, uint64_t n) {
    char which[64], text[600];
    put_bytes(in_run(names[NEWEST]), data, n);
    if (loads(0, which, text) || strcmp(which, "before") != 0 ||
        !strstr(text, "the last checkpoint is damaged"))
        fail_msg("%s: loads \"%s\" and says \"%s\"", code, which, text);
    if (loads(1, which, text) != CT_EDATA || !strstr(text, "checkpoint.safetensors"))
        fail_msg("%s: strictly, \"%s\"", code, text); /* H8 */
}

static void cuts_and_flips(void **state) {
    uint64_t step = getenv("COTAN_TEST_FULL") ? 7 : 211, rows = 0;
    uint8_t *copy = ct_new(NULL, bytes[NEWEST]);
    (void)state;
    put_back();
    for (uint64_t n = 0; n < bytes[NEWEST]; n += n < 40 ? 1 : step, rows++)
        expect_before("H1", content[NEWEST], n);
    for (uint64_t i = 0; i < bytes[NEWEST]; i += i < 40 ? 1 : step, rows++) {
        memcpy(copy, content[NEWEST], bytes[NEWEST]);
        copy[i] ^= (uint8_t)(1u << (i % 8));
        expect_before("H2", copy, bytes[NEWEST]);
    }
    memcpy(copy, content[NEWEST], bytes[NEWEST]);
    for (int i = 0; i < 4; i++) {
        uint8_t keep = copy[i];
        copy[i] = copy[7 - i];
        copy[7 - i] = keep;
    }
    expect_before("H9", copy, bytes[NEWEST]);
    print_message("H1, H2: %llu damaged checkpoints of %llu bytes\n", (unsigned long long)rows,
                  (unsigned long long)bytes[NEWEST]);
    ct_delete(NULL, copy, bytes[NEWEST]);
}

static void goes_back(void **state) {
    static const struct {
        const char *code;
        uint64_t newest, before; /* bytes that are left; 1: all */
        ct_status status;
        const char *part;
    } rows[] = {
        {"H1", 900, 1, CT_OK, "is damaged"},
        {"H10", 0, 1, CT_OK, "the one before is used"},
        {"H10 both", 0, 0, CT_EDATA, "no whole checkpoint"},
        {"H1 both", 900, 900, CT_EDATA, "no whole checkpoint"},
        {"the one before is damaged, nobody looks", 1, 0, CT_OK, "resumed at step 29"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_back();
        if (rows[i].newest != 1) put_bytes(in_run(names[NEWEST]), content[NEWEST], rows[i].newest);
        if (rows[i].before != 1) put_bytes(in_run(names[BEFORE]), content[BEFORE], rows[i].before);
        if (rows[i].status)
            refuses(rows[i].code, resuming(), rows[i].status, rows[i].part);
        else
            goes_on(rows[i].code, rows[i].part);
    }
    put_back();
    put_bytes(in_run(names[NEWEST]), content[NEWEST], 900);
    ct_image_train strict = resuming();
    strict.strict = 1;
    refuses("H8", strict, CT_EDATA, "checkpoint.safetensors");
    remove_tree(in_run(names[NEWEST]));
    goes_on("only the one before is there", "resumed at step 28");
}

/* The newest was damaged, and no other could be written in its place: the one before is still there. */
static void no_room(seam *s, int op, const char *path, int fd, const void *data, size_t n) {
    (void)fd, (void)data, (void)n;
    if (op == OP_OPEN && strstr(path, "checkpoint.safetensors.tmp")) s->op = OP_OPEN, s->error = ENOSPC;
}

static void keeps_the_whole_one(void **state) {
    seam s = {.op = -1, .persistent = 1, .before = no_room};
    listener l = {0};
    ct_err e;
    (void)state;
    put_back();
    put_bytes(in_run(names[NEWEST]), content[NEWEST], 900);
    ct_image_train o = resuming();
    o.files = seam_files(&s);
    assert_int_equal(run(o, &l, &e), CT_EIO);
    assert_non_null(strstr(e.text, "checkpoint.safetensors"));
    goes_on("H8 and a full disk", "the one before is used");
}

/* H7: what killed writers left is ignored and goes away. */
static void leftovers(void **state) {
    (void)state;
    put_back();
    put_bytes(in_run(".checkpoint.safetensors.tmp-123-0000abcd"), "half", 4);
    put_bytes(in_run(".config.json.tmp-123-0000abcd"), "half", 4);
    put_bytes(at(".m.safetensors.tmp-99-00000001"), "half", 4);
    put_bytes(at(".m.safetensors.tmp-mine"), "mine", 4); /* none of ours */
    goes_on("H7", "resumed at step 29");
    assert_int_equal(count_files(at("m.run"), "tmp"), 0);
    assert_int_equal(count_files(training_folder, ".tmp-99"), 0);
    assert_int_equal(count_files(training_folder, ".tmp-mine"), 1);
}

/* ---- another document ---- */

/* The newest checkpoint with another member in its document, sealed anew: its hashes are right. */
static void change_document(const char *key, json_t *value) {
    ct_tensors *t;
    const char *text;
    ct_err e = {0};
    if (ct_model_read(NULL, NULL, in_run(names[NEWEST]), &t, &text, &e)) fail_msg("%s", e.text);
    json_t *doc = json_loads(text, 0, NULL);
    assert_non_null(doc);
    json_object_set_new(doc, key, value);
    char *changed = json_dumps(doc, JSON_SORT_KEYS);
    if (ct_tensors_seal(t, changed, &e) || ct_tensors_save(NULL, t, in_run(names[NEWEST]), &e))
        fail_msg("%s", e.text);
    free(changed);
    json_decref(doc);
    ct_tensors_free(t);
}

/* H11: numbers that no training could have saved. */
static void out_of_range(void **state) {
    static const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"step", 1000000},  {"step", -1},      {"step", 28},       {"epoch", 7},
                {"epoch", -3},      {"position", -1},  {"position", 4000}, {"position", 12},
                {"rows", 100},      {"rows", -1},      {"best_epoch", 3},  {"best_epoch", -2},
                {"bad_epochs", -1}, {"bad_epochs", 9}, {"loss_count", -5}, {"loss_count", 1ll << 60}};
    char code[60];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_back();
        change_document(rows[i].key, json_integer(rows[i].value));
        snprintf(code, sizeof code, "H11 %s %lld", rows[i].key, (long long)rows[i].value);
        refuses(code, resuming(), CT_EDATA, "out of range; wanted what this program saves");
    }
    static const char *const texts[] = {"", "0x1p3", "1,5", "7 "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_back();
        change_document("least_loss", json_string(texts[i]));
        refuses("H11 a number as text", resuming(), CT_EDATA, "its least_loss is missing or out of range");
    }
    put_back();
    change_document("step", json_null());
    refuses("H11 no step", resuming(), CT_EDATA, "its step is missing");
}

/* H3: a newer program's checkpoint is refused with both versions, and the one before is not taken for it. */
static void newer(void **state) {
    char *text = ct_new(NULL, bytes[NEWEST]), *found = NULL;
    (void)state;
    put_back();
    memcpy(text, content[NEWEST], bytes[NEWEST]);
    for (uint64_t i = 0; i + 20 < bytes[NEWEST] && !found; i++)
        if (memcmp(text + i, "\\\"format\\\":1", 12) == 0) found = text + i;
    assert_non_null(found);
    found[11] = '7';
    put_bytes(in_run(names[NEWEST]), text, bytes[NEWEST]);
    refuses("H3", resuming(), CT_EDATA, "document format 7; wanted 1, which this version reads");
    ct_delete(NULL, text, bytes[NEWEST]);
}

/* ---- other data, net, optimiser ---- */

static void others(void **state) {
    ct_err e = {0};
    (void)state;
    put_back();
    ct_image_train o = resuming();
    o.batch = 16;
    refuses("H12 batch", o, CT_EUSAGE, "16");
    o = resuming();
    o.lr = 0.5;
    refuses("H12 rate", o, CT_EUSAGE, "0.5");
    o = resuming();
    o.optimiser = "sgd";
    refuses("H5", o, CT_EUSAGE, "adam");
    char other[80];
    snprintf(other, sizeof other, "%s", at("other"));
    assert_true(pictures(other, 640, 64, 8) && pictures_part(other, "train", 640, 8, 77));
    o = resuming();
    o.data = other;
    refuses("H12 data", o, CT_EUSAGE, "the hash of the data is ");
    change_document("recipe", json_object());
    refuses("H12 recipe", resuming(), CT_EUSAGE, "wanted none, as the run was begun");
    put_back();
    assert_true(training_write(
        at("wide.net"),
        "logit = linear(relu(linear(flatten(input(image)), \"fc\", 40)), \"out\", classes)\n"));
    o = training(at("h4.safetensors"));
    o.net = at("wide.net");
    o.init = at("whole.safetensors");
    assert_int_equal(train(&o, &e), CT_EDATA); /* H4 */
    rows_one_line("H4", &e);
    assert_non_null(strstr(e.text, "superfluous: c.weight"));
    assert_non_null(strstr(e.text, "fc.weight [16,128] for [40,64]"));
    assert_int_equal(count_files(training_folder, "h4"), 0);
}

/* H6, X17: the lock is tried before anything else is said. */
static void two_writers(void **state) {
    static const struct {
        const char *code;
        int resume, force;
    } rows[] = {{"H6", 0, 0}, {"H6 --resume", 1, 0}, {"H6 --force", 0, 1}};
    int32_t lock = -1;
    ct_err e = {0};
    char pid[40];
    (void)state;
    put_back();
    snprintf(pid, sizeof pid, "held by process %ld,", (long)getpid());
    assert_int_equal(ct_file_lock(NULL, in_run("lock"), &lock, &e), CT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_image_train o = training(at("m.safetensors"));
        o.resume = rows[i].resume;
        o.force = rows[i].force;
        refuses(rows[i].code, o, CT_EIO, pid);
    }
    ct_file_unlock(NULL, in_run("lock"), lock, 0);
    goes_on("X17 the lock is free again", "resumed at step 29");
}

/* A lock that its holder removed, opened before that, is none: the name is locked anew. */
static void lock_removed(void **state) {
    int32_t first = -1, second = -1, third = -1;
    ct_err e = {0};
    char path[200];
    (void)state;
    snprintf(path, sizeof path, "%s", at("one.lock"));
    assert_int_equal(ct_file_lock(NULL, path, &first, &e), CT_OK);
    assert_int_equal(ct_file_lock(NULL, path, &second, &e), CT_EIO);
    ct_file_unlock(NULL, path, first, 1);
    assert_int_not_equal(access(path, F_OK), 0);
    ct_error_clear(&e);
    assert_int_equal(ct_file_lock(NULL, path, &second, &e), CT_OK);
    assert_int_equal(ct_file_lock(NULL, path, &third, &e), CT_EIO);
    ct_file_unlock(NULL, path, second, 1);
}

/* Stopped after the last step of an epoch, before its end: the epoch is ended by who goes on. */
static void stopped_at_epoch_end(void **state) {
    static const int64_t steps[] = {TRAINING_BATCHES, TRAINING_BATCHES - 1, TRAINING_BATCHES + 1,
                                    TRAINING_STEPS};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        listener l = {.stop_after = steps[i]};
        ct_image_train o = training(at("m.safetensors"));
        ct_err e;
        o.force = 1;
        assert_int_equal(run(o, &l, &e), CT_ECANCEL);
        goes_on("stopped at an epoch's end", "resumed at");
    }
}

/* The seam says that the disk is full when the named file is begun; op, and the rest from there on. */
static void no_model(seam *s, int op, const char *path, int fd, const void *data, size_t n) {
    (void)fd, (void)data, (void)n;
    if (op == OP_OPEN && strstr(path, "validation.jsonl.tmp")) s->op = OP_OPEN, s->error = ENOSPC;
}

/* Patience ended the training, and then the model could not be written: who goes on trains no further. */
static void stopped_early(void **state) {
    seam s = {.op = -1, .persistent = 1, .before = no_model};
    ct_image_train o = training(at("early.safetensors"));
    ct_train_result r;
    ct_err e = {0};
    (void)state;
    o.epochs = 12;
    o.lr = 0.5;
    o.patience = 1;
    if (ct_train_image(&o, &r, &e)) fail_msg("%s", e.text);
    assert_true(r.epochs > 1 && r.epochs < 12);
    o.output = at("late.safetensors");
    o.files = seam_files(&s);
    assert_int_equal(train(&o, &e), CT_EIO);
    o.files = (ct_files){0};
    o.resume = 1;
    if (train(&o, &e)) fail_msg("%s", e.text);
    assert_same_file(at("early.safetensors"), at("late.safetensors"));
    assert_same_file(at("early.run/metrics.jsonl"), at("late.run/metrics.jsonl"));
}

/* A limit ended the training at a step: a signal at that step, and a kill between config.json, which has the step by
 * then, and the model, change nothing. */
static void stopped_at_limit(void **state) {
    listener l = {.stop_after = 29};
    ct_image_train o = training(at("cut.safetensors"));
    json_error_t je;
    ct_err e;
    (void)state;
    o.stop_at = 29;
    assert_int_equal(train(&o, &e), CT_OK);
    o.output = at("again.safetensors");
    assert_int_equal(run(o, &l, &e), CT_ECANCEL);
    o.resume = 1;
    if (train(&o, &e)) fail_msg("%s", e.text);
    assert_same_file(at("cut.safetensors"), at("again.safetensors"));
    put_back();
    json_t *config = json_load_file(in_run(names[CONFIG]), 0, &je);
    assert_int_equal(json_object_set_new(json_object_get(config, "recipe"), "stop_at", json_integer(29)), 0);
    assert_int_equal(json_dump_file(config, in_run(names[CONFIG]), JSON_SORT_KEYS), 0);
    json_decref(config);
    if (train(&(ct_image_train){.output = at("m.safetensors"), .resume = 1, .threads = 1}, &e))
        fail_msg("%s", e.text);
    assert_same_file(at("cut.safetensors"), at("m.safetensors"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cuts_and_flips),
                                       cmocka_unit_test(goes_back),
                                       cmocka_unit_test(keeps_the_whole_one),
                                       cmocka_unit_test(leftovers),
                                       cmocka_unit_test(out_of_range),
                                       cmocka_unit_test(newer),
                                       cmocka_unit_test(others),
                                       cmocka_unit_test(two_writers),
                                       cmocka_unit_test(lock_removed),
                                       cmocka_unit_test(stopped_at_epoch_end),
                                       cmocka_unit_test(stopped_early),
                                       cmocka_unit_test(stopped_at_limit)};
    return cmocka_run_group_tests(tests, prepare, clean);
}
