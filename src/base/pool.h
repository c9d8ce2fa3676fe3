/* pool.h: the one thread pool of a context.
 *
 * A job is `count` tasks that threads claim from a counter in order; the caller works too, as thread 0.
 * Which thread runs a task is not determined, so a task's result must not depend on it. Waiting threads
 * spin briefly, then sleep. Threads run with the OpenMP limit at one and with the floating-point
 * environment of ct__float_enter. */
#ifndef CT_BASE_POOL_H
#define CT_BASE_POOL_H

#include "cotan/base.h"

typedef struct ct_pool ct_pool;
/* task in 0..count-1, thread in 0..threads-1 */
typedef void (*ct_pool_task)(void *job, int64_t task, int32_t thread);

/* `threads` counts the caller. Fewer are started when the system refuses (ct__pool_threads tells). */
ct_status ct__pool_open(const ct_allocator *a, int32_t threads, ct_pool **out, ct_err *e);
void ct__pool_close(ct_pool *p);
int32_t ct__pool_threads(const ct_pool *p);
/* Run all tasks and return when all are done. At most `limit` threads take part (0: all). One caller at a
 * time; in a child after fork it returns CT_EUSAGE and runs nothing. */
ct_status ct__pool_run(ct_pool *p, ct_pool_task task, void *job, int64_t count, int32_t limit, ct_err *e);

/* Where the caller's own thread computes: OpenMP limit 1, round to nearest, denormals flushed; and back. */
typedef struct ct_float_state {
    uint32_t mxcsr;
    int32_t omp;
} ct_float_state;
ct_float_state ct__float_enter(void);
void ct__float_leave(ct_float_state s);

#endif
