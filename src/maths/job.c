/* job.c: what surrounds every computation of this room.
 *
 * LAPACK and BLAS run on the calling thread alone: OpenBLAS built with OpenMP asks that thread's own limit, so it
 * is set to one and put back. (The pthread flavour has one number for the whole process; changing it would
 * reach into other threads' calls, so it is refused unless it is one already.) Denormals are kept: unlike a net,
 * a distribution's tail is made of them. Our own threads claim tasks that were cut by shapes alone. */
#include "maths/lapack.h"
#include "maths/maths.h"

#include <math.h>
#include <sched.h>
#include <stdatomic.h>

extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

#if defined(__x86_64__)
#include <xmmintrin.h>
#define MXCSR_PLAIN 0x1F80u /* exceptions masked, round to nearest, denormals as they are */
static uint32_t environment(void) { return _mm_getcsr(); }
static void environment_set(uint32_t mxcsr) { _mm_setcsr(mxcsr); }
#else
#define MXCSR_PLAIN 0u
static uint32_t environment(void) { return 0; }
static void environment_set(uint32_t mxcsr) { (void)mxcsr; }
#endif

ct__env ct__env_enter(void) {
    ct__env v = {environment(), (int32_t)omp_get_max_threads()};
    environment_set(MXCSR_PLAIN);
    if (v.omp_threads != 1) omp_set_num_threads(1);
    return v;
}

void ct__env_leave(ct__env v) {
    environment_set(v.mxcsr);
    if (v.omp_threads != 1) omp_set_num_threads(v.omp_threads);
}

static int32_t allowed_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    return 1;
}

ct_status ct__job_begin(ct__job *j, const ct_maths *m, const char *name, ct_err *e) {
    *j = (ct__job){.allocator = m ? m->allocator : NULL, .name = name, .e = e, .threads = m ? m->threads : 0};
    j->arena.allocator = j->allocator;
    if (j->threads < 0 || j->threads > 1024)
        return ct_fail(
            e, CT_EUSAGE,
            "%s: %d threads; wanted 0 (the cores allowed) to 1024; choose about the number of cores", name,
            j->threads);
    if (j->threads == 0) j->threads = allowed_cores();
    if (!LAPACK(openblas_get_parallel) || !LAPACK(LAPACKE_dgesdd_work))
        return ct_fail(
            e, CT_EIO,
            "%s: liblapacke.so.3 or libopenblas.so.0 cannot be loaded; wanted both; install liblapacke and "
            "libopenblas0-openmp",
            name);
    if (LAPACK(openblas_get_parallel)() == 1 && LAPACK(openblas_get_num_threads)() > 1)
        return ct_fail(
            e, CT_EUSAGE,
            "%s: OpenBLAS is its pthread flavour with %d threads, whose sums depend on their number; "
            "wanted one thread; set OPENBLAS_NUM_THREADS=1 or install libopenblas0-openmp",
            name, LAPACK(openblas_get_num_threads)());
    ct__env v = ct__env_enter();
    j->mxcsr = v.mxcsr;
    j->omp_threads = v.omp_threads;
    j->inside = 1;
    return CT_OK;
}

void ct__job_end(ct__job *j) {
    if (j->inside) ct__env_leave((ct__env){j->mxcsr, j->omp_threads});
    j->inside = 0;
    ct_arena_free(&j->arena);
}

ct_status ct__job_memory(ct__job *j) {
    return ct_fail(j->e, CT_ELIMIT, "%s: out of memory; use smaller arrays", j->name);
}

static void *job_array(ct__job *j, int64_t a, int64_t b, size_t size) {
    uint64_t count;
    void *p = a >= 0 && b >= 0 && ct_mul_ok((uint64_t)a, (uint64_t)b, &count)
                  ? ct_arena_array(&j->arena, count, size)
                  : NULL;
    if (!p) ct__job_memory(j);
    return p;
}
double *ct__job_doubles(ct__job *j, int64_t a, int64_t b) { return job_array(j, a, b, sizeof(double)); }
float *ct__job_floats(ct__job *j, int64_t a, int64_t b) { return job_array(j, a, b, sizeof(float)); }
int32_t *ct__job_ints(ct__job *j, int64_t count) { return job_array(j, count, 1, sizeof(int32_t)); }

/* ---- tasks ---- */

#define WORTH_THREADS \
    2e8 /* operations: some milliseconds, against some tens of microseconds to start a pool */

typedef struct crew {
    ct__task task;
    void *user;
    ct_err *error;         /* of the task with the lowest number that failed */
    _Atomic int64_t first; /* its number, INT64_MAX: none */
    atomic_flag lock;
} crew;

static void run_task(void *job, int64_t task, int32_t thread) {
    crew *c = job;
    ct_err e = {0};
    (void)thread;
    if (atomic_load(&c->first) < task) return;
    ct__env v = ct__env_enter();
    ct_status s = c->task(c->user, task, &e);
    ct__env_leave(v);
    if (!s) return;
    while (atomic_flag_test_and_set(&c->lock)) {
    }
    if (task < atomic_load(&c->first)) { /* the text must not depend on who was first in time */
        atomic_store(&c->first, task);
        *c->error = e;
        c->error->status = (int32_t)s;
    }
    atomic_flag_clear(&c->lock);
}

ct_status ct__parallel(ct__job *j, int64_t count, double operations, ct__task task, void *user) {
    ct_err error = {0};
    crew c = {.task = task, .user = user, .error = &error, .first = INT64_MAX, .lock = ATOMIC_FLAG_INIT};
    int32_t threads = operations < WORTH_THREADS ? 1 : j->threads;
    if (threads > count) threads = (int32_t)count;
    ct_status s = ct_parallel(j->allocator, threads, run_task, &c, count, j->e);
    if (!s && error.status) s = ct_fail(j->e, (ct_status)error.status, "%s", error.text);
    return s;
}
