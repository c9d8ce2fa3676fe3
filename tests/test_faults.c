/* test_faults.c: a whole training in which the n-th file operation fails (X4, X5, X8), is shortened or interrupted
 * (X6), or whose folder cannot be written (X7). Whatever fails: one line, status 4, no temporary file, every
 * checkpoint that stood still loads, and --resume ends with the bytes of the training never disturbed. */
#include "rows.h"
#include "seam.h"
#include "training.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "task/run.h"

static int64_t steps_told;
static void tell(void *user, const ct_event *e) {
    (void)user;
    steps_told += e->kind == CT_EVENT_STEP;
}

static ct_status run(seam *s, int resume, ct_err *e) {
    ct_image_train o = training(at("m.safetensors"));
    if (s) o.files = seam_files(s);
    o.resume = resume;
    o.tell = tell;
    steps_told = 0;
    return train(&o, e);
}

static void begin(void) {
    remove_tree(at("m.run"));
    remove_tree(at("m.safetensors"));
}

/* A checkpoint, or the one before, loads; none is there only while none was saved. */
static void some_checkpoint(const char *what, int64_t steps) {
    ct_files none = {0};
    ct_allocator a = {0};
    ct__run r = {.files = &none, .allocator = &a, .lock = -1};
    ct_tensors *t = NULL;
    const char *document;
    char note[600];
    ct_err e = {0};
    assert_int_equal(ct__run_paths(&r, at("m.safetensors"), &e), CT_OK);
    if (ct__run_load(&r, 1, &t, &document, note, &e)) fail_msg("%s: %s", what, e.text);
    if (!t && steps > TRAINING_EVERY) fail_msg("%s: no checkpoint after %lld steps", what, (long long)steps);
    ct_tensors_free(t);
}

static void counts(int64_t calls[OPS]) {
    seam s = {.op = -1};
    ct_err e;
    begin();
    if (run(&s, 0, &e)) fail_msg("%s", e.text);
    assert_same_run("m");
    assert_int_equal(s.opened, s.closed);
    memcpy(calls, s.calls, sizeof s.calls);
}

static int64_t failed_with(int op, int64_t nth, int error, int persistent) {
    seam s = {.op = op, .nth = nth, .error = error, .persistent = persistent};
    char what[100];
    ct_err e;
    begin();
    ct_status status = run(&s, 0, &e);
    snprintf(what, sizeof what, "%s %lld fails with \"%s\"%s", seam_names[op], (long long)nth,
             strerror(error), persistent ? " and ever after" : "");
    if (s.opened != s.closed) fail_msg("%s: %lld files stay open", what, (long long)(s.opened - s.closed));
    if (status) {
        if (status != CT_EIO) fail_msg("%s: status %d: %s", what, (int)status, e.text);
        rows_one_line(what, &e);
        if (!strstr(e.text, strerror(error)) || !strstr(e.text, training_folder))
            fail_msg("%s: %s", what, e.text);
        if (op == OP_WRITE && strstr(e.text, "checkpoint") && !strstr(e.text, "wanted to write "))
            fail_msg("%s: %s", what, e.text);
    }
    if (op != OP_UNLINK && !persistent && count_files(at("m.run"), ".tmp-"))
        fail_msg("%s: a temporary file stays", what);
    some_checkpoint(what, steps_told);
    if (run(NULL, 1, &e)) fail_msg("%s, then --resume: %s", what, e.text);
    assert_same_run("m");
    if (count_files(at("m.run"), ".tmp-") || count_files(training_folder, ".tmp-"))
        fail_msg("%s: a temporary file stays", what);
    return status != CT_OK;
}

/* X4, X5, X8 */
static void each_fails(void **state) {
    static const struct {
        const char *code;
        int op, error, persistent;
    } rows[] = {{"X4", OP_WRITE, ENOSPC, 0}, {"X4", OP_WRITE, EDQUOT, 1}, {"X5", OP_FSYNC, EIO, 0},
                {"X8", OP_RENAME, EXDEV, 0}, {"X8", OP_MKDIR, EACCES, 0}, {"X8", OP_OPEN, EMFILE, 0},
                {"X8", OP_OPEN, EACCES, 1},  {"X8", OP_CLOSE, EIO, 0},    {"X8", OP_UNLINK, EACCES, 0},
                {"reading", OP_READ, EIO, 0}};
    int64_t calls[OPS], most = getenv("COTAN_TEST_FULL") ? 60 : 9;
    (void)state;
    counts(calls);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t all = calls[rows[i].op], tried = 0, refused = 0;
        for (int64_t k = 0; k < all; k += k < 4 ? 1 : all / most + 1, tried++)
            refused += failed_with(rows[i].op, k, rows[i].error, rows[i].persistent);
        print_message("%s: %s, %lld of %lld calls, %lld trainings stopped\n", rows[i].code,
                      seam_names[rows[i].op], (long long)tried, (long long)all, (long long)refused);
        if (rows[i].op != OP_UNLINK) assert_true(refused > 0);
    }
}

/* X5: after a sync that failed the file counts as lost: it is not synced again, a new one is written. */
static int synced_again, failed_fd;
static void watch_sync(seam *s, int op, const char *path, int fd, const void *data, size_t bytes) {
    (void)path, (void)data, (void)bytes;
    if (op == OP_FSYNC && s->calls[op] == s->nth) failed_fd = fd;
    if (op == OP_FSYNC && s->calls[op] > s->nth && fd == failed_fd) synced_again = 1;
    if (op == OP_CLOSE && fd == failed_fd && s->calls[OP_FSYNC] > s->nth) failed_fd = -1;
}
static void lost_after_sync(void **state) {
    (void)state;
    for (int64_t nth = 0; nth < 12; nth++) {
        seam s = {.op = OP_FSYNC, .nth = nth, .error = EIO, .before = watch_sync};
        ct_err e;
        begin();
        synced_again = 0, failed_fd = -1;
        assert_int_equal(run(&s, 0, &e), CT_EIO);
        assert_false(synced_again);
        assert_int_equal(run(NULL, 1, &e), CT_OK);
        assert_same_run("m");
    }
}

/* X6: three bytes at a time, EINTR before each call. */
static void shortened(void **state) {
    seam s = {.op = -1, .mild = 1};
    ct_err e;
    (void)state;
    begin();
    if (run(&s, 0, &e)) fail_msg("X6: %s", e.text);
    assert_same_run("m");
    assert_true(s.calls[OP_WRITE] > 10000 && s.calls[OP_READ] > 10000);
}

/* X7: no step is made for a model that could not be written. */
static void no_folder(void **state) {
    ct_err e;
    (void)state;
    begin();
    for (int op = OP_OPEN; op <= OP_MKDIR; op += OP_MKDIR - OP_OPEN) {
        seam s = {.op = op, .error = EROFS, .persistent = 1};
        assert_int_equal(run(&s, 0, &e), CT_EIO);
        assert_int_equal(steps_told, 0);
        rows_one_line("X7", &e);
        assert_non_null(strstr(e.text, "Read-only file system"));
        assert_int_equal(access(at("m.run"), F_OK), -1);
    }
    ct_image_train o = training(at("absent/m.safetensors"));
    assert_int_equal(train(&o, &e), CT_EIO);
    rows_one_line("X7", &e);
    o = training("/proc/m.safetensors");
    assert_int_equal(train(&o, &e), CT_EIO);
    rows_one_line("X7", &e);
    assert_int_equal(mkdir(at("m.run"), 0777), 0); /* the run's folder is there, the model's place is not */
    assert_int_equal(mkdir(at("m.safetensors"), 0777), 0);
    assert_int_equal(run(NULL, 0, &e), CT_EUSAGE);
    rows_one_line("X7 a folder", &e);
}

/* X4: the system's own limit of a file's size, in a process that ignores its signal. */
static void size_limit(void **state) {
    (void)state;
    for (rlim_t limit = 1000; limit < 60000; limit += getenv("COTAN_TEST_FULL") ? 1000 : 12000) {
        begin();
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            struct rlimit r = {limit, limit};
            ct_err e;
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &r);
            ct_status s = run(NULL, 0, &e);
            _exit(s == CT_EIO && strstr(e.text, "File too large") ? 0 : s == CT_OK ? 2 : 1);
        }
        int status = 0;
        assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        if (WEXITSTATUS(status) == 1) fail_msg("X4: a limit of %ld bytes", (long)limit);
        ct_err e;
        if (run(NULL, 1, &e)) fail_msg("X4: a limit of %ld bytes, then --resume: %s", (long)limit, e.text);
        assert_same_run("m");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_fails), cmocka_unit_test(lost_after_sync),
                                       cmocka_unit_test(shortened), cmocka_unit_test(no_folder),
                                       cmocka_unit_test(size_limit)};
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
