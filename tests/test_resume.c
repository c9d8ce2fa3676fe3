/* test_resume.c: the model is the same, byte for byte, with 1 to 4 threads and after being killed again and
 * again. A child trains with a file table that counts operations; at the chosen one, or at the chosen step, it
 * kills itself with SIGKILL, and another goes on. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cotan/task.h"
#include "pictures.h"

static char folder[64];

static const char *at(const char *name) {
    static char path[4][200];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

typedef struct killer {
    int64_t operation; /* kill before this write, sync or rename of a checkpoint; -1: never */
    int64_t step;      /* kill at this step of this process; -1: never */
    int64_t operations, steps;
    int checkpoint; /* a checkpoint's temporary file is open */
} killer;

static void die(void) { kill(getpid(), SIGKILL); }
static void count(killer *k) {
    if (k->checkpoint && k->operations++ == k->operation) die();
}
static int open_file(void *user, const char *path, int flags, int mode) {
    killer *k = user;
    if (flags & O_CREAT) k->checkpoint = strstr(path, "checkpoint") != NULL;
    return open(path, flags, mode);
}
static int64_t write_file(void *user, int fd, const void *data, size_t bytes) {
    killer *k = user;
    if (k->checkpoint && k->operations == k->operation && bytes > 1) { /* torn: half of it arrives */
        ssize_t n = write(fd, data, bytes / 2);
        if (n >= 0) die();
    }
    count(k);
    return write(fd, data, bytes);
}
static int sync_file(void *user, int fd) {
    count(user);
    return fsync(fd);
}
static int rename_file(void *user, const char *from, const char *to) {
    count(user);
    return rename(from, to);
}
static void tell(void *user, const ct_event *e) {
    killer *k = user;
    if (e->kind == CT_EVENT_STEP && k->steps++ == k->step) die();
}

static ct_status train(const char *output, int32_t threads, killer *k, int resume, ct_train_result *result) {
    ct_err e = {0};
    ct_image_train o = {.data = folder,
                        .output = output,
                        .net = at("small.net"),
                        .epochs = 3,
                        .batch = 32,
                        .seed = 5,
                        .threads = threads,
                        .checkpoint_every = 4,
                        .average = 0.9,
                        .transform = "normalize mean=0.3 std=0.3, random_crop 8 pad=1, flip 0.5",
                        .resume = resume,
                        .force = !resume};
    if (k) {
        o.files = (ct_files){
            .user = k, .open = open_file, .write = write_file, .fsync = sync_file, .rename = rename_file};
        o.tell = tell;
        o.user = k;
    }
    ct_status s = ct_train_image(&o, result, &e);
    if (s) print_message("%s\n", e.text);
    return s;
}

static void assert_same_file(const char *a, const char *b) {
    void *x = NULL, *y = NULL;
    uint64_t n = 0, m = 0;
    ct_err e = {0};
    if (ct_file_read(NULL, NULL, a, 0, &x, &n, &e) || ct_file_read(NULL, NULL, b, 0, &y, &m, &e))
        fail_msg("%s", e.text);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    ct_delete(NULL, x, n);
    ct_delete(NULL, y, m);
}

static int prepare(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cotan_resume_XXXXXX");
    if (!mkdtemp(folder) || !pictures(folder, 640, 64, 8)) return -1;
    FILE *f = fopen(at("small.net"), "w");
    if (!f) return -1;
    fputs("h = maxpool2d(relu(batch_norm(conv2d(input(image), \"c\", 8, 3, pad=1), \"bn\")), 2)\n"
          "h = dropout(relu(linear(flatten(h), \"fc\", 16)), \"d\", 0.2)\nlogit = linear(h, \"out\", "
          "classes)\n",
          f);
    fclose(f);
    ct_train_result r;
    return train(at("whole.safetensors"), 1, NULL, 0, &r) ? -1 : 0;
}
static int clean(void **state) {
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void threads(void **state) {
    (void)state;
    for (int32_t n = 2; n <= 4; n++) {
        ct_train_result r;
        assert_int_equal(train(at("threads.safetensors"), n, NULL, 0, &r), CT_OK);
        assert_same_file(at("whole.safetensors"), at("threads.safetensors"));
    }
}

/* 1: the child was killed, 0: it came to the end */
static int killed(killer k) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        ct_train_result r;
        _exit(train(at("killed.safetensors"), 2, &k, 1, &r) == CT_OK ? 0 : 1);
    }
    int status = 0;
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return 1;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}

static void kills(void **state) {
    int wanted = getenv("COTAN_TEST_FULL") ? 50 : 14, inside = 0, between = 0, rounds = 0;
    char path[200], command[400];
    (void)state;
    snprintf(path, sizeof path, "%s", at("killed.safetensors"));
    while (inside + between < wanted) {
        for (int n = 0;; n++) { /* one training from its begin to its end */
            killer k = {.operation = n % 2 == 0 ? (n * 3 + rounds) % 9 : -1,
                        .step = n % 2 ? (n + rounds) % 7 + 2 : -1};
            if (!killed(k)) break;
            if (k.operation >= 0)
                inside++;
            else
                between++;
            assert_true(n < 400);
        }
        assert_same_file(at("whole.safetensors"), path);
        snprintf(command, sizeof command, "rm -rf %s %s", path, at("killed.run"));
        assert_int_equal(system(command), 0);
        rounds++;
    }
    print_message("%d kills in %d trainings: %d inside a checkpoint's writes, %d in mid-epoch\n",
                  inside + between, rounds, inside, between);
    assert_true(inside >= wanted / 5 && between >= wanted / 5);
}

static void finished(void **state) {
    ct_train_result r = {0};
    (void)state;
    assert_int_equal(train(at("whole.safetensors"), 1, NULL, 1, &r), CT_OK);
    assert_int_equal(r.finished_before, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads), cmocka_unit_test(kills),
                                       cmocka_unit_test(finished)};
    return cmocka_run_group_tests(tests, prepare, clean);
}
