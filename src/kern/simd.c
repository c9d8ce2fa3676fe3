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

static int32_t best_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return 3;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 2;
#endif
    return 1;
}

const ct__simd *ct__simd_of(int32_t level) {
    static const ct__simd sets[] = {SET(baseline, 1), SET(avx2, 2), SET(avx512, 3)};
    int32_t best = best_level();
    if (level > 0 && level < best) best = level;
    return &sets[best - 1];
}
