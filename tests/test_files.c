/* Reading, atomic writing, and what happens when the system refuses, shortens or interrupts: through the
 * file-operations seam. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/files.h"
#include "seam.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct meter {
    int64_t left; /* allocations before NULL; negative: no end */
    int64_t live;
} meter;

static void *meter_allocate(void *user, size_t bytes) {
    meter *m = user;
    if (m->left == 0) return NULL;
    if (m->left > 0) m->left--;
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) return NULL;
    memset(p, 0xA5, bytes); /* what was never set is not zero */
    m->live++;
    return p;
}

static void meter_release(void *user, void *memory, size_t bytes) {
    meter *m = user;
    m->live--;
    (void)bytes;
    free(memory);
}

static ct_allocator metered(meter *m) { return (ct_allocator){meter_allocate, meter_release, m}; }

static const char *changed_path;
static int64_t changed_length;
static void change_at_first_read(seam *s, int op, const char *path, int fd, const void *data, size_t bytes) {
    (void)path, (void)fd, (void)data, (void)bytes;
    if (op == OP_READ && s->calls[OP_READ] == 0) assert_int_equal(truncate(changed_path, changed_length), 0);
}

static int entries(const char *folder) {
    DIR *d = opendir(folder);
    int n = 0;
    assert_non_null(d);
    for (struct dirent *x = readdir(d); x; x = readdir(d))
        n += strcmp(x->d_name, ".") && strcmp(x->d_name, "..");
    closedir(d);
    return n;
}

static void holds(const char *path, const char *wanted) {
    void *data = NULL;
    uint64_t bytes = 0;
    assert_int_equal(ct_file_read(NULL, NULL, path, 0, &data, &bytes, NULL), CT_OK);
    assert_int_equal(bytes, strlen(wanted));
    assert_memory_equal(data, wanted, bytes);
    ct_delete(NULL, data, (size_t)bytes);
}

static char folder[64];
static char file[96];

static int setup(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "test_files.XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(file, sizeof file, "%s/model.bin", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(file);
    return rmdir(folder);
}

static void test_write_and_read(void **state) {
    (void)state;
    ct_writer *w = NULL;
    ct_err e = {0};
    assert_int_equal(ct_file_write(NULL, NULL, file, "old", 3, &e), CT_OK);
    holds(file, "old");
    assert_int_equal(ct_writer_open(NULL, NULL, file, &w, &e), CT_OK);
    assert_int_equal(ct_writer_write(w, "new ", 4, &e), CT_OK);
    assert_int_equal(ct_writer_write(w, NULL, 0, &e), CT_OK);
    assert_int_equal(ct_writer_write(w, "text", 4, &e), CT_OK);
    holds(file, "old");
    assert_int_equal(entries(folder), 2);
    assert_int_equal(ct_writer_commit(w, &e), CT_OK);
    holds(file, "new text");
    assert_int_equal(ct_writer_open(NULL, NULL, file, &w, &e), CT_OK);
    assert_int_equal(ct_writer_write(w, "lost", 4, &e), CT_OK);
    ct_writer_abandon(w);
    ct_writer_abandon(NULL);
    holds(file, "new text");
    assert_int_equal(entries(folder), 1);
    assert_int_equal(ct_file_write(NULL, NULL, file, NULL, 0, &e), CT_OK);
    holds(file, "");
}

/* Short transfers and EINTR at every call give the same bytes. */
static void test_mild_faults(void **state) {
    (void)state;
    seam f = {.op = -1, .mild = 1};
    ct_files files = seam_files(&f);
    void *data = NULL;
    uint64_t bytes = 0;
    assert_int_equal(ct_file_write(&files, NULL, file, "0123456789abcdef", 16, NULL), CT_OK);
    holds(file, "0123456789abcdef");
    assert_int_equal(ct_file_read(&files, NULL, file, 16, &data, &bytes, NULL), CT_OK);
    assert_int_equal(bytes, 16);
    assert_memory_equal(data, "0123456789abcdef", 16);
    ct_delete(NULL, data, 16);
    assert_int_equal(f.opened, f.closed);
    assert_int_equal(f.calls[OP_UNLINK], 0);
}

/* Each operation of a save fails in turn: the old file stays, nothing is left behind or open. */
static void test_save_faults(void **state) {
    static const struct {
        int op, nth, error;
        int renamed; /* the fault comes after the rename */
        const char *text;
    } rows[] = {
        {OP_OPEN, 0, EACCES, 0, "Permission denied"},
        {OP_OPEN, 0, ENOENT, 0, "No such file"},
        {OP_WRITE, 0, ENOSPC, 0, "No space left on device"},
        {OP_WRITE, 1, EDQUOT, 0, "after 4 bytes; wanted to write 5 more"},
        {OP_FSYNC, 0, EIO, 0, "cannot sync"},
        {OP_CLOSE, 0, EIO, 0, "cannot close"},
        {OP_RENAME, 0, EXDEV, 0, "cannot rename"},
        {OP_OPEN, 1, EMFILE, 1, "folder"},
        {OP_FSYNC, 1, EIO, 1, "power loss"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seam f = {.op = rows[i].op, .nth = rows[i].nth, .error = rows[i].error};
        ct_files files = seam_files(&f);
        ct_writer *w = NULL;
        ct_err e = {0};
        assert_int_equal(ct_file_write(NULL, NULL, file, "old", 3, NULL), CT_OK);
        ct_status status = ct_writer_open(&files, NULL, file, &w, &e);
        if (!status) {
            status = ct_writer_write(w, "head", 4, &e);
            if (!status) status = ct_writer_write(w, "tail!", 5, &e);
            if (status) assert_int_equal(ct_writer_write(w, "more", 4, NULL), CT_EIO);
            assert_int_equal(ct_writer_commit(w, &e), CT_EIO);
            status = CT_EIO;
        }
        assert_int_equal(status, CT_EIO);
        assert_int_equal(e.status, CT_EIO);
        assert_non_null(strstr(e.text, "model.bin"));
        if (!strstr(e.text, rows[i].text)) fail_msg("row %zu: %s", i, e.text);
        holds(file, rows[i].renamed ? "headtail!" : "old");
        assert_int_equal(entries(folder), 1);
        assert_int_equal(f.opened, f.closed);
        assert_true(f.op != OP_FSYNC || f.nth > 0 ||
                    f.calls[OP_FSYNC] == 1); /* no second sync of a lost file */
    }
}

/* A folder that cannot be synced is no failure; a name that a killed process left is stepped over. */
static void test_save_oddities(void **state) {
    (void)state;
    seam f = {.op = OP_FSYNC, .nth = 1, .error = EINVAL}, g = {.op = OP_OPEN, .nth = 0, .error = EEXIST};
    ct_files files = seam_files(&f), others = seam_files(&g);
    assert_int_equal(ct_file_write(&files, NULL, file, "a", 1, NULL), CT_OK);
    assert_int_equal(ct_file_write(&others, NULL, file, "b", 1, NULL), CT_OK);
    holds(file, "b");
    assert_int_equal(chmod(file, 0640), 0);
    assert_int_equal(ct_file_write(NULL, NULL, file, "c", 1, NULL), CT_OK);
    struct stat s;
    assert_int_equal(stat(file, &s), 0);
    assert_int_equal(s.st_mode & 0137, 0); /* not wider than it was */
    char longer[400];
    int n = snprintf(longer, sizeof longer, "%s/", folder);
    memset(longer + n, 'n', 250);
    longer[n + 250] = 0;
    assert_int_equal(ct_file_write(NULL, NULL, longer, "d", 1, NULL), CT_OK);
    holds(longer, "d");
    assert_int_equal(unlink(longer), 0);
}

static void test_wrong_targets(void **state) {
    (void)state;
    ct_err e = {0};
    char name[128];
    assert_int_equal(ct_file_write(NULL, NULL, "", "x", 1, NULL), CT_EUSAGE);
    assert_int_equal(ct_file_write(NULL, NULL, "folder/", "x", 1, NULL), CT_EUSAGE);
    assert_int_equal(ct_file_write(NULL, NULL, folder, "x", 1, NULL), CT_EIO);
    assert_int_equal(ct_file_write(NULL, NULL, "/dev/null", "x", 1, &e), CT_EIO);
    assert_non_null(strstr(e.text, "/dev/null: a pipe, socket or device"));
    struct stat s;
    assert_int_equal(stat("/dev/null", &s), 0);
    assert_true(S_ISCHR(s.st_mode));
    snprintf(name, sizeof name, "%s/absent/x", folder);
    assert_int_equal(ct_file_write(NULL, NULL, name, "x", 1, NULL), CT_EIO);
}

static void refuse_read(const ct_files *files, const char *path, uint64_t limit, ct_status wanted,
                        const char *text) {
    void *data = NULL;
    uint64_t bytes = 77;
    meter m = {.left = -1};
    ct_allocator a = metered(&m);
    ct_err e = {0};
    assert_int_equal(ct_file_read(files, &a, path, limit, &data, &bytes, &e), wanted);
    if (!strstr(e.text, text)) fail_msg("%s", e.text);
    assert_null(data);
    assert_int_equal(bytes, 77);
    assert_int_equal(m.live, 0);
}

static void test_read_faults(void **state) {
    (void)state;
    char fifo[128];
    assert_int_equal(ct_file_write(NULL, NULL, file, "0123456789", 10, NULL), CT_OK);
    refuse_read(NULL, file, 9, CT_ELIMIT, "10 bytes; wanted at most 9");
    refuse_read(NULL, folder, 0, CT_EIO, "a folder");
    refuse_read(NULL, "/dev/zero", 0, CT_EIO, "wanted a regular file");
#ifdef __linux__
    refuse_read(NULL, "/proc/self/status", 0, CT_EIO, "changed while reading"); /* claims to hold nothing */
#endif
    refuse_read(NULL, "absent/file", 0, CT_EIO, "No such file");
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refuse_read(NULL, fifo, 0, CT_EIO, "pipe"); /* and does not wait for a writer */
    unlink(fifo);
    seam f = {.op = OP_READ, .error = EIO};
    ct_files files = seam_files(&f);
    refuse_read(&files, file, 0, CT_EIO, "Input/output error");
    assert_int_equal(f.opened, f.closed);
    changed_path = file, changed_length = 100000;
    f = (seam){.op = -1, .before = change_at_first_read};
    refuse_read(&files, file, 0, CT_EIO, "changed while reading");
    changed_length = 5;
    f = (seam){.op = -1, .before = change_at_first_read};
    refuse_read(&files, file, 0, CT_EIO, "changed while reading");
    assert_int_equal(f.opened, f.closed);
}

/* Memory fails at each allocation of a save and of a load. */
static void test_file_memory(void **state) {
    (void)state;
    assert_int_equal(ct_file_write(NULL, NULL, file, "old", 3, NULL), CT_OK);
    for (int64_t k = 0;; k++) {
        meter m = {.left = k};
        ct_allocator a = metered(&m);
        ct_status status = ct_file_write(NULL, &a, file, "new", 3, NULL);
        assert_int_equal(m.live, 0);
        assert_int_equal(entries(folder), 1);
        holds(file, status ? "old" : "new");
        if (!status) break;
        assert_int_equal(status, CT_ELIMIT);
        assert_true(k < 10);
    }
    meter m = {.left = 0};
    ct_allocator a = metered(&m);
    void *data;
    uint64_t bytes;
    assert_int_equal(ct_file_read(NULL, &a, file, 0, &data, &bytes, NULL), CT_ELIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mild_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_save_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_save_oddities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_targets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
