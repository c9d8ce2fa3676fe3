/* test_resume.c: the model, the log and the validation lines are the same, byte for byte, with 1 to 4 threads (X20)
 * and after kill -9 with --resume (X1, X2): before each file operation of a training, in the middle of a write, at
 * a step, at random instants. A child trains and notes in shared memory where it is; the test prints where the
 * kills met it. */
#include "seam.h"
#include "training.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

typedef struct place {                      /* where the child is */
    int64_t operations, steps, checkpoints; /* of this process; checkpoints: begun */
    int64_t inside_calls[OPS];              /* of the checkpoint being written */
    int32_t inside;                         /* 1: one is being written */
    int32_t op, torn, renamed;
} place;
static place *where; /* shared with the child */

enum { NEVER = -1 };
typedef struct plan {   /* when the child kills itself */
    int64_t operation;  /* before this file operation */
    int64_t checkpoint; /* inside this checkpoint of the process, */
    int32_t op, nth;    /* before this call of this operation; a write is left half done */
    int64_t step;       /* after this step of this process */
} plan;
static const plan nowhere = {NEVER, NEVER, NEVER, NEVER, NEVER};

static void die(void) { kill(getpid(), SIGKILL); }

/* A checkpoint is being written from the opening of its temporary file to the sync of its folder. */
static void before(seam *s, int op, const char *path, int fd, const void *data, size_t bytes) {
    const plan *p = s->user;
    if (op == OP_OPEN && strstr(path, "checkpoint.safetensors.tmp")) {
        where->inside = 1, where->renamed = 0;
        where->checkpoints++;
        memset(where->inside_calls, 0, sizeof where->inside_calls);
    }
    where->op = op;
    if (where->operations++ == p->operation) die();
    if (!where->inside) return;
    int64_t call = where->inside_calls[op]++;
    if (where->checkpoints - 1 == p->checkpoint && op == p->op && call == p->nth) {
        if (op == OP_WRITE && bytes > 1) where->torn = write(fd, data, bytes / 2) > 0;
        die();
    }
    if (op == OP_RENAME) where->renamed = 1;
    if (op == OP_CLOSE && where->renamed) where->inside = 0; /* the folder's */
}

static void tell(void *user, const ct_event *e) {
    const plan *p = user;
    if (e->kind == CT_EVENT_STEP && where->steps++ == p->step) die();
}

static ct_status run(const char *output, int32_t threads, int resume, plan *p, ct_err *e) {
    seam s = {.op = -1, .before = before, .user = p};
    ct_image_train o = training(output);
    o.threads = threads;
    o.resume = resume;
    o.force = !resume;
    if (p) {
        o.files = seam_files(&s);
        o.tell = tell;
        o.user = p;
    }
    return train(&o, e);
}

static int prepare(void **state) {
    where = mmap(NULL, sizeof *where, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return where == MAP_FAILED ? -1 : training_prepare(state);
}

/* M14, X20 */
static void threads(void **state) {
    ct_err e;
    (void)state;
    for (int32_t n = 2; n <= 4; n++) {
        if (run(at("threads.safetensors"), n, 0, NULL, &e)) fail_msg("%d threads: %s", n, e.text);
        assert_same_run("threads");
    }
}

static void forget(void) {
    remove_tree(at("m.run"));
    remove_tree(at("m.safetensors"));
}

/* A child that trains; killed from here after `delay` microseconds (< 0: it kills itself). 1: it was killed, 0: it
 * came to the end. */
static int child(plan p, int32_t n_threads, int64_t delay) {
    *where = (place){0};
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        ct_err e;
        ct_status s = run(at("m.safetensors"), n_threads, 1, &p, &e);
        if (s) fprintf(stderr, "%s\n", e.text);
        _exit(s == CT_OK ? 0 : 1);
    }
    if (delay >= 0) {
        struct timespec t = {delay / 1000000, delay % 1000000 * 1000};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return 1;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}

/* X1: before each operation of the training, one kill; then it goes on to the end. */
static void each_operation(void **state) {
    int64_t stride = getenv("COTAN_TEST_FULL") ? 3 : 41, kills = 0;
    (void)state;
    for (int64_t k = 0;; k += stride) {
        plan p = nowhere;
        p.operation = k;
        forget();
        int killed = child(p, 1, -1);
        if (!killed) break;
        kills++;
        assert_int_equal(child(nowhere, (int32_t)(k % 4) + 1, -1), 0);
        assert_same_run("m");
    }
    print_message("X1: killed before %lld of the operations of a training, every %lld\n", (long long)kills,
                  (long long)stride);
    assert_true(kills > 10);
}

typedef struct tally {
    int64_t inside, between,
        outside;           /* a checkpoint's writes; in mid-epoch; before the first or after the last step */
    int64_t op[OPS], torn; /* of those inside */
} tally;

static void count(tally *t) {
    if (where->inside) {
        t->inside++;
        t->op[where->op]++;
        t->torn += where->torn;
    } else if (where->steps) {
        t->between++;
    } else {
        t->outside++;
    }
}

/* The points of a checkpoint's writing: the temporary file is opened, written, synced, closed, renamed; the folder is
 * opened, synced, closed. */
static const struct {
    int32_t op, nth;
} points[] = {{OP_WRITE, 7}, {OP_RENAME, 0}, {OP_OPEN, 0},  {OP_FSYNC, 0}, {OP_WRITE, 0}, {OP_CLOSE, 0},
              {OP_OPEN, 1},  {OP_WRITE, 30}, {OP_FSYNC, 1}, {OP_WRITE, 1}, {OP_CLOSE, 1}};
enum { POINTS = sizeof points / sizeof *points };

/* One training, killed again and again until it comes to its end; `kind` says how. */
static void killed_to_the_end(int kind, ct_random *r, tally *t, int wanted) {
    int64_t delay = 200;
    forget();
    for (int turn = 0;; turn++) {
        plan p = nowhere;
        int last = t->inside + t->between + t->outside >= wanted;
        if (kind == 0) {
            p.op = points[turn % POINTS].op;
            p.nth = points[turn % POINTS].nth;
            p.checkpoint = (int64_t)ct_random_below(r, 3);
        }
        if (kind == 1) p.step = (int64_t)ct_random_below(r, 7) + 1;
        delay += (int64_t)ct_random_below(r, 3000); /* later and later, so that it ends */
        if (!child(last ? nowhere : p, turn % 4 + 1, kind == 2 && !last ? delay : -1)) break;
        count(t);
        assert_true(turn < 400);
    }
    assert_same_run("m");
}

static void print_tally(const char *how, const tally *t) {
    char text[300] = "";
    for (int op = 0, n = 0; op < OPS; op++)
        if (t->op[op])
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%s %lld", n ? ", " : "", seam_names[op],
                          (long long)t->op[op]);
    print_message(
        "X2: %s: %lld kills inside a checkpoint's writes (%s; %lld half way through a write), %lld in "
        "mid-epoch, %lld before the first step\n",
        how, (long long)t->inside, text[0] ? text : "none", (long long)t->torn, (long long)t->between,
        (long long)t->outside);
}

static void kills(void **state) {
    static const char *const how[] = {"inside a checkpoint", "at a step", "at random instants"};
    int full = getenv("COTAN_TEST_FULL") != NULL;
    int64_t all = 0, inside = 0, between = 0, trainings = 0;
    ct_random r = ct_random_stream(11, 0);
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        tally t = {0};
        int wanted = full ? 20 : 6;
        while (t.inside + t.between + t.outside < wanted) {
            killed_to_the_end(kind, &r, &t, wanted);
            trainings++;
        }
        print_tally(how[kind], &t);
        all += t.inside + t.between + t.outside;
        inside += t.inside;
        between += t.between;
    }
    print_message("X2: %lld kills in %lld trainings, %lld inside a checkpoint's writes, %lld in mid-epoch\n",
                  (long long)all, (long long)trainings, (long long)inside, (long long)between);
    assert_true(all >= (full ? 50 : 18) && inside >= (full ? 10 : 4) && between >= (full ? 10 : 4));
}

static void finished(void **state) {
    ct_image_train o = training(at("whole.safetensors"));
    ct_train_result r = {0};
    ct_err e = {0};
    (void)state;
    o.resume = 1;
    assert_int_equal(ct_train_image(&o, &r, &e), CT_OK);
    assert_int_equal(r.finished_before, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads), cmocka_unit_test(each_operation),
                                       cmocka_unit_test(kills), cmocka_unit_test(finished)};
    return cmocka_run_group_tests(tests, prepare, training_clean);
}
