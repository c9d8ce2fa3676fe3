/* pool.c: the threads of a context.
 *
 * One 64-bit word tells everything about the current job: its number, how many threads may take part,
 * whether it is open, and how many workers are inside. A worker joins by adding one to it while the job is
 * open; the caller closes the job when no task is left to claim and waits until the workers inside have
 * left. So the job's fields are read only by threads that joined, a worker that wakes too late finds the
 * job closed and goes on waiting, and the caller never waits for a thread that still sleeps.
 *
 *     number : 32 | limit : 15 | open : 1 | inside : 16
 *
 * Waiting is a spin of some tens of microseconds (the gap between two phases of a step) and then a
 * condition variable. Who goes to sleep counts itself first and looks at the word again; who changes the
 * word looks at the count afterwards. Both in the one order of seq_cst: one of them sees the other. */
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define MOST_THREADS 4096 /* as ct_options has it */
#define STACK_BYTES ((size_t)8 << 20)
#define SPIN_NANOSECONDS 30000

#define INSIDE UINT64_C(0xFFFF)
#define OPEN UINT64_C(0x10000)
#define STOP UINT64_MAX /* no job has all bits: its limit is at most MOST_THREADS */

typedef struct worker {
    ct_pool *pool;
    pthread_t thread;
    int32_t index; /* 1.. */
    int32_t reserved;
} worker;

struct ct_pool {
    ct_allocator allocator;
    worker *workers;
    size_t workers_bytes;
    pid_t pid;
    int32_t threads;
    uint32_t number; /* of the last job; the caller's */
    pthread_mutex_t lock;
    pthread_cond_t wake, left;
    _Atomic int32_t busy;     /* a caller is inside ct__pool_run */
    _Atomic int32_t sleepers; /* workers that sleep, or are about to */
    _Atomic int32_t waiting;  /* the caller sleeps, or is about to */
    ct_pool_task task;        /* the job: written while it is closed and empty */
    void *job;
    int64_t count;
    _Alignas(64) _Atomic uint64_t word;
    _Alignas(64) _Atomic int64_t next; /* the first task not claimed */
};

/* ---- waiting ---- */

static void pause_briefly(void) {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

static int64_t now_nanoseconds(void) {
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t word_limit(uint64_t word) { return word >> 17 & 0x7FFF; }

/* Is there something new for worker `index`, which has done job `seen`? */
static int is_news(uint64_t word, int32_t index, uint32_t seen) {
    if (word == STOP) return 1;
    return (word & OPEN) && (uint32_t)(word >> 32) != seen && (uint64_t)index < word_limit(word);
}

static uint64_t wait_for_news(ct_pool *p, int32_t index, uint32_t seen) {
    int64_t end = now_nanoseconds() + SPIN_NANOSECONDS;
    uint64_t word;
    do {
        for (int i = 0; i < 32; i++) {
            word = atomic_load(&p->word);
            if (is_news(word, index, seen)) return word;
            pause_briefly();
        }
    } while (now_nanoseconds() < end);
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    for (word = atomic_load(&p->word); !is_news(word, index, seen); word = atomic_load(&p->word))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
    return word;
}

static void wait_until_empty(ct_pool *p) {
    int64_t end = now_nanoseconds() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < 32; i++) {
            if (!(atomic_load(&p->word) & INSIDE)) return;
            pause_briefly();
        }
    } while (now_nanoseconds() < end);
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->waiting, 1);
    while (atomic_load(&p->word) & INSIDE) pthread_cond_wait(&p->left, &p->lock);
    atomic_store(&p->waiting, 0);
    pthread_mutex_unlock(&p->lock);
}

static void wake_sleepers(ct_pool *p) {
    if (!atomic_load(&p->sleepers)) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* ---- working ---- */

static void do_tasks(ct_pool *p, int32_t thread) {
    for (;;) {
        int64_t task = atomic_fetch_add(&p->next, 1);
        if (task >= p->count) return;
        p->task(p->job, task, thread);
    }
}

static void leave(ct_pool *p) {
    uint64_t before = atomic_fetch_sub(&p->word, 1);
    if ((before & INSIDE) != 1 || !atomic_load(&p->waiting)) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_signal(&p->left);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *argument) {
    worker *w = argument;
    ct_pool *p = w->pool;
    uint32_t seen = 0;
    ct__float_enter();
    for (;;) {
        uint64_t word = wait_for_news(p, w->index, seen);
        if (word == STOP) return NULL;
        if (!atomic_compare_exchange_strong(&p->word, &word, word + 1)) continue; /* it moved: look again */
        seen = (uint32_t)(word >> 32);
        do_tasks(p, w->index);
        leave(p);
    }
}

ct_status ct__pool_run(ct_pool *p, ct_pool_task task, void *job, int64_t count, int32_t limit, ct_err *e) {
    if (getpid() != p->pid)
        return ct_fail(e, CT_EUSAGE,
                       "threads: used in a child after fork, where they do not exist; wanted the process "
                       "that opened the context; open a new context in the child");
    if (atomic_exchange(&p->busy, 1))
        return ct_fail(e, CT_EUSAGE,
                       "threads: already running a job; wanted one caller at a time; use one context, or "
                       "one session's run, at a time");
    int64_t threads = limit > 0 && limit < p->threads ? limit : p->threads;
    if (threads > count) threads = count;
    ct_float_state f = ct__float_enter();
    if (threads <= 1) {
        for (int64_t i = 0; i < count; i++) task(job, i, 0);
    } else {
        p->task = task;
        p->job = job;
        p->count = count;
        atomic_store(&p->next, 0);
        if (++p->number == 0) p->number = 1; /* 0 is what a new worker has seen */
        atomic_store(&p->word, (uint64_t)p->number << 32 | (uint64_t)threads << 17 | OPEN);
        wake_sleepers(p);
        do_tasks(p, 0);
        atomic_fetch_and(&p->word, ~OPEN);
        wait_until_empty(p);
    }
    ct__float_leave(f);
    atomic_store(&p->busy, 0);
    return CT_OK;
}

/* ---- opening and closing ---- */

/* Workers until the system refuses one. */
static void start_workers(ct_pool *p, int32_t threads) {
    ct_signals old;
    pthread_attr_t attr;
    if (pthread_attr_init(&attr)) return;
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES); /* whatever `ulimit -s` says */
    if (ct_signals_block(&old)) {
        while (p->threads < threads) {
            worker *w = &p->workers[p->threads - 1];
            w->pool = p;
            w->index = p->threads;
            if (pthread_create(&w->thread, &attr, worker_main, w)) break;
            p->threads++;
        }
        ct_signals_restore(&old);
    }
    pthread_attr_destroy(&attr);
}

static int locks_open(ct_pool *p) {
    if (pthread_mutex_init(&p->lock, NULL)) return 0;
    if (pthread_cond_init(&p->wake, NULL)) {
        pthread_mutex_destroy(&p->lock);
        return 0;
    }
    if (pthread_cond_init(&p->left, NULL)) {
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->lock);
        return 0;
    }
    return 1;
}

static void pool_free(ct_pool *p) {
    ct_allocator a = p->allocator;
    ct_delete(&a, p->workers, p->workers_bytes);
    ct_delete(&a, p, sizeof *p);
}

ct_status ct__pool_open(const ct_allocator *a, int32_t threads, ct_pool **out, ct_err *e) {
    if (threads < 1 || threads > MOST_THREADS)
        return ct_fail(e, CT_EUSAGE, "threads: %d; wanted 1 to %d; choose about the number of cores",
                       (int)threads, MOST_THREADS);
    ct_pool *p = ct_new(a, sizeof *p);
    if (!p) return ct_fail(e, CT_ELIMIT, "threads: out of memory for the pool");
    if (a) p->allocator = *a;
    p->workers_bytes = (size_t)threads * sizeof *p->workers;
    p->workers = ct_new(a, p->workers_bytes);
    if (!p->workers || !locks_open(p)) {
        pool_free(p);
        return ct_fail(e, CT_ELIMIT, "threads: out of memory for the pool");
    }
    p->pid = getpid();
    p->threads = 1;
    start_workers(p, threads);
    *out = p;
    return CT_OK;
}

/* In a child after fork there is nobody to join, and the locks may have been copied while held. */
void ct__pool_close(ct_pool *p) {
    if (!p) return;
    if (getpid() == p->pid) {
        atomic_store(&p->word, STOP);
        wake_sleepers(p);
        for (int32_t i = 1; i < p->threads; i++) pthread_join(p->workers[i - 1].thread, NULL);
        pthread_cond_destroy(&p->left);
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->lock);
    }
    pool_free(p);
}

int32_t ct__pool_threads(const ct_pool *p) { return p->threads; }
