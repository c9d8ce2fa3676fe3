/* simd.c: the instruction sets that this machine has. */
#include "kern/simd.h"

#define TABLES(isa) \
    extern const struct ct__gemm_table ct__gemm_table_##isa; \
    extern const struct ct__tile_table ct__tile_table_##isa; \
    extern const struct ct__row_table ct__row_table_##isa; \
    extern const struct ct__image_table ct__image_table_##isa; \
    extern const struct ct__update_table ct__update_table_##isa; \
    extern const struct ct__random_table ct__random_table_##isa;
TABLES(baseline)
TABLES(avx2)
TABLES(avx512)

#define SET(isa, level) \
    { \
#isa, level, 0, &ct__gemm_table_##isa, &ct__tile_table_##isa, &ct__row_table_##isa, \
            &ct__image_table_##isa, &ct__update_table_##isa, &ct__random_table_##isa \
    }

/* A build for tests may take a machine for a narrower one (COTAN_SIMD_LIMIT of cmake). */
enum { CT_SIMD_baseline = 1, CT_SIMD_avx2, CT_SIMD_avx512 };
#ifndef CT_SIMD_LIMIT
#define CT_SIMD_LIMIT CT_SIMD_avx512
#endif

static int32_t machine_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return CT_SIMD_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return CT_SIMD_avx2;
#endif
    return CT_SIMD_baseline;
}

const ct__simd *ct__simd_of(int32_t level) {
    static const ct__simd sets[] = {SET(baseline, 1), SET(avx2, 2), SET(avx512, 3)};
    int32_t best = machine_level();
    if (best > CT_SIMD_LIMIT) best = CT_SIMD_LIMIT;
    if (level > 0 && level < best) best = level;
    return &sets[best - 1];
}
