/* float.c: the floating-point environment that results are computed in.
 *
 * Round to nearest, exceptions masked, denormals read and written as zero: a sum then has the same bits on
 * every thread whatever the host program has set, and a net whose activations die out does not become a
 * hundred times slower. The OpenMP limit is one because the pool is the only parallelism: a library that
 * opened a team of its own inside a task would oversubscribe the cores and change the order of its sums. */
#include "base/pool.h"

/* Two functions of the OpenMP standard, declared here as not every compiler ships <omp.h>. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

#if defined(__x86_64__)
#include <xmmintrin.h>
/* all exceptions masked 0x1F80, flush to zero 0x8000, denormals are zero 0x0040, rounding bits 0 */
#define MXCSR_COMPUTE 0x9FC0u
static uint32_t environment(void) { return _mm_getcsr(); }
static void environment_set(uint32_t mxcsr) { _mm_setcsr(mxcsr); }
#else
#define MXCSR_COMPUTE 0u
static uint32_t environment(void) { return 0; }
static void environment_set(uint32_t mxcsr) { (void)mxcsr; }
#endif

ct_float_state ct__float_enter(void) {
    ct_float_state s = {environment(), (int32_t)omp_get_max_threads()};
    environment_set(MXCSR_COMPUTE);
    if (s.omp != 1) omp_set_num_threads(1);
    return s;
}

void ct__float_leave(ct_float_state s) {
    environment_set(s.mxcsr);
    if (s.omp != 1) omp_set_num_threads(s.omp);
}
