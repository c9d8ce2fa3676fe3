/* The pool: every task runs once, whatever the threads, the limit and the gaps between jobs; the
 * environment inside tasks; wrong use is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/pool.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

#define TASKS 1000

typedef struct counting {
    _Atomic int32_t ran[TASKS];
    _Atomic int32_t wrong;
    int32_t threads;      /* thread numbers must stay below */
    int32_t plain[TASKS]; /* written without a lock: visible to the caller when the run is over */
} counting;

static void count_task(void *job, int64_t task, int32_t thread) {
    counting *c = job;
    if (task < 0 || task >= TASKS || thread < 0 || thread >= c->threads) {
        atomic_fetch_add(&c->wrong, 1);
        return;
    }
    atomic_fetch_add(&c->ran[task], 1);
    c->plain[task] = (int32_t)task * 3 + 1;
}

static void check_run(ct_pool *p, int64_t count, int32_t limit, int32_t threads) {
    static counting c;
    ct_err e = {0};
    memset(&c, 0, sizeof c);
    c.threads = threads;
    assert_int_equal(ct__pool_run(p, count_task, &c, count, limit, &e), CT_OK);
    assert_int_equal(c.wrong, 0);
    for (int64_t i = 0; i < TASKS; i++) {
        assert_int_equal(c.ran[i], i < count ? 1 : 0);
        assert_int_equal(c.plain[i], i < count ? i * 3 + 1 : 0);
    }
}

static void test_all_tasks_once(void **state) {
    static const int64_t counts[] = {0, 1, 2, 3, 7, 64, TASKS};
    (void)state;
    for (int32_t threads = 1; threads <= 4; threads++) {
        ct_pool *p = NULL;
        ct_err e = {0};
        assert_int_equal(ct__pool_open(NULL, threads, &p, &e), CT_OK);
        assert_int_equal(ct__pool_threads(p), threads);
        for (int round = 0; round < 30; round++)
            for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) check_run(p, counts[i], 0, threads);
        for (int32_t limit = 1; limit <= 6; limit++)
            check_run(p, TASKS, limit, limit < threads ? limit : threads);
        ct__pool_close(p);
    }
}

/* Workers that fell asleep are woken; those that are awake are used. */
static void test_after_sleep(void **state) {
    (void)state;
    ct_pool *p = NULL;
    assert_int_equal(ct__pool_open(NULL, 3, &p, NULL), CT_OK);
    for (int round = 0; round < 20; round++) {
        struct timespec gap = {0, round * 20000};
        nanosleep(&gap, NULL);
        check_run(p, 100, 0, 3);
    }
    ct__pool_close(p);
}

typedef struct meeting {
    _Atomic int32_t arrived;
    _Atomic int32_t seen[4];
} meeting;

/* Ends only when two threads are inside at once: the first job waits for company. */
static void meet_task(void *job, int64_t task, int32_t thread) {
    meeting *m = job;
    (void)task;
    atomic_fetch_add(&m->seen[thread], 1);
    atomic_fetch_add(&m->arrived, 1);
    while (atomic_load(&m->arrived) < 2) {
        struct timespec gap = {0, 1000};
        nanosleep(&gap, NULL);
    }
}

static void test_threads_work_together(void **state) {
    (void)state;
    ct_pool *p = NULL;
    assert_int_equal(ct__pool_open(NULL, 2, &p, NULL), CT_OK);
    for (int round = 0; round < 5; round++) {
        meeting m = {0};
        struct timespec gap = {0, 2000000};
        assert_int_equal(ct__pool_run(p, meet_task, &m, 2, 0, NULL), CT_OK);
        assert_int_equal(m.seen[0], 1);
        assert_int_equal(m.seen[1], 1);
        if (round & 1) nanosleep(&gap, NULL);
    }
    ct__pool_close(p);
}

typedef struct environment {
    _Atomic int32_t flushed, limits;
    volatile float tiny; /* a denormal */
} environment;

static void environment_task(void *job, int64_t task, int32_t thread) {
    environment *v = job;
    (void)task, (void)thread;
    if (v->tiny * 1.0f == 0.0f) atomic_fetch_add(&v->flushed, 1);
    if (omp_get_max_threads() == 1) atomic_fetch_add(&v->limits, 1);
}

static void test_environment(void **state) {
    (void)state;
    ct_pool *p = NULL;
    environment v = {.tiny = 1e-40f};
    int before = omp_get_max_threads();
    omp_set_num_threads(3);
    assert_int_equal(ct__pool_open(NULL, 3, &p, NULL), CT_OK);
    assert_int_equal(ct__pool_run(p, environment_task, &v, 50, 0, NULL), CT_OK);
    assert_int_equal(v.limits, 50);
#if defined(__x86_64__)
    assert_int_equal(v.flushed, 50);
#endif
    assert_int_equal(omp_get_max_threads(), 3); /* the caller's own is as it was */
    assert_true(v.tiny * 1.0f != 0.0f);
    ct_float_state f = ct__float_enter();
    assert_int_equal(omp_get_max_threads(), 1);
    ct__float_leave(f);
    assert_int_equal(omp_get_max_threads(), 3);
    omp_set_num_threads(before);
    ct__pool_close(p);
}

typedef struct nested {
    ct_pool *pool;
    _Atomic int32_t refused;
} nested;

static void nested_task(void *job, int64_t task, int32_t thread) {
    nested *n = job;
    ct_err e = {0};
    (void)task, (void)thread;
    if (ct__pool_run(n->pool, nested_task, n, 1, 0, &e) == CT_EUSAGE && strstr(e.text, "already running"))
        atomic_fetch_add(&n->refused, 1);
}

static void test_wrong_use(void **state) {
    (void)state;
    ct_pool *p = NULL;
    ct_err e = {0};
    assert_int_equal(ct__pool_open(NULL, 0, &p, &e), CT_EUSAGE);
    assert_null(p);
    assert_non_null(strstr(e.text, "wanted 1 to"));
    assert_int_equal(ct__pool_open(NULL, 1000000, &p, NULL), CT_EUSAGE);
    assert_int_equal(ct__pool_open(NULL, 2, &p, NULL), CT_OK);
    nested n = {.pool = p};
    assert_int_equal(ct__pool_run(p, nested_task, &n, 4, 0, NULL), CT_OK);
    assert_int_equal(n.refused, 4);
    check_run(p, 10, 0, 2);
    ct__pool_close(p);
    ct__pool_close(NULL);
}

static void test_fork_child_is_refused(void **state) {
    (void)state;
    ct_pool *p = NULL;
    assert_int_equal(ct__pool_open(NULL, 3, &p, NULL), CT_OK);
    check_run(p, 100, 0, 3);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static counting c;
        ct_err e = {0};
        c.threads = 3;
        int refused = ct__pool_run(p, count_task, &c, 10, 0, &e) == CT_EUSAGE && c.ran[0] == 0;
        ct__pool_close(p); /* frees, joins nobody */
        _exit(refused && strstr(e.text, "fork") ? 0 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    check_run(p, 100, 0, 3);
    ct__pool_close(p);
}

/* The allocator gives out `left` times and then no more. */
typedef struct scarce {
    int64_t left;
    int64_t live;
} scarce;

static void *scarce_allocate(void *user, size_t bytes) {
    scarce *s = user;
    if (s->left <= 0) return NULL;
    s->left--;
    s->live++;
    return ct_new(NULL, bytes);
}

static void scarce_release(void *user, void *memory, size_t bytes) {
    ((scarce *)user)->live--;
    ct_delete(NULL, memory, bytes);
}

static void test_out_of_memory(void **state) {
    (void)state;
    for (int64_t k = 0;; k++) {
        scarce s = {.left = k};
        ct_allocator a = {scarce_allocate, scarce_release, &s};
        ct_pool *p = NULL;
        ct_status status = ct__pool_open(&a, 2, &p, NULL);
        if (status == CT_OK) {
            assert_true(k > 0);
            check_run(p, 10, 0, 2);
            ct__pool_close(p);
            assert_int_equal(s.live, 0);
            return;
        }
        assert_int_equal(status, CT_ELIMIT);
        assert_null(p);
        assert_int_equal(s.live, 0);
    }
}

/* Where no thread can be started the pool is the caller alone, and still does all tasks. */
static void test_system_refuses_threads(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static counting c;
        ct_pool *p = NULL;
        struct rlimit none = {0, 0};
        if (geteuid() == 0 && setuid(65534)) _exit(1); /* the limit does not bind root */
        if (setrlimit(RLIMIT_NPROC, &none)) _exit(2);
        if (ct__pool_open(NULL, 8, &p, NULL)) _exit(3);
        c.threads = ct__pool_threads(p);
        if (c.threads != 1) _exit(4);
        if (ct__pool_run(p, count_task, &c, TASKS, 0, NULL)) _exit(5);
        for (int i = 0; i < TASKS; i++)
            if (c.ran[i] != 1) _exit(6);
        ct__pool_close(p);
        _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_tasks_once),
        cmocka_unit_test(test_after_sleep),
        cmocka_unit_test(test_threads_work_together),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_wrong_use),
        cmocka_unit_test(test_fork_child_is_refused),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_system_refuses_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
