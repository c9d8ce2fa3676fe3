/* parallel.c: threads for one call, for work that has no context. */
#include "base/pool.h"

ct_status ct_parallel(const ct_allocator *a, int32_t threads,
                      void (*task)(void *job, int64_t number, int32_t thread), void *job, int64_t count,
                      ct_err *e) {
    ct_pool *p = NULL;
    if (threads < 2 || count < 2) {
        for (int64_t i = 0; i < count; i++) task(job, i, 0);
        return CT_OK;
    }
    ct_status s = ct__pool_open(a, threads, &p, e);
    if (!s) s = ct__pool_run(p, task, job, count, 0, e);
    ct__pool_close(p);
    return s;
}
