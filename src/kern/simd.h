/* simd.h: one source, three instruction sets.
 *
 * Every file in src/kern/simd/ is compiled for the portable baseline, for AVX2+FMA and for AVX-512, with
 * CT_ISA set; CT_SIMD(name) gives each its own symbol. A file ends with one constant table of its
 * functions; ct__simd_of picks the tables once per context. Vectors are GCC vector extensions of sixteen
 * floats on every set: the compiler splits them where registers are narrower, so lanes, tails and
 * instruction sets run the same expression. CT_FMA is a fused multiply-add where the set has one. */
#ifndef CT_KERN_SIMD_H
#define CT_KERN_SIMD_H

#include <stdint.h>

struct ct__gemm_table;
struct ct__tile_table;
struct ct__row_table;
struct ct__image_table;
struct ct__update_table;
struct ct__random_table;

typedef struct ct__simd {
    const char *name; /* "baseline", "avx2", "avx512" */
    int32_t level;    /* 1, 2, 3 */
    int32_t reserved;
    const struct ct__gemm_table *gemm;   /* gemm.h */
    const struct ct__tile_table *tile;   /* tile.h: elementwise functions on L1 tiles */
    const struct ct__row_table *row;     /* row.h: softmax, norms, losses, attention over rows */
    const struct ct__image_table *image; /* image.h: pooling, batch norm, local response on blocked images */
    const struct ct__update_table *update; /* update.h: optimisers over flat segments */
    const struct ct__random_table *random; /* random.h: Philox, dropout */
} ct__simd;

/* The best set of this machine, at most `level` (0: no limit). Static constant. */
const ct__simd *ct__simd_of(int32_t level);

#ifdef CT_ISA
#define CT_SIMD_PASTE(a, b) a##_##b
#define CT_SIMD_EXPAND(a, b) CT_SIMD_PASTE(a, b)
#define CT_SIMD(name) CT_SIMD_EXPAND(name, CT_ISA)
typedef float ct_f16v __attribute__((vector_size(64)));   /* sixteen floats */
typedef int32_t ct_i16v __attribute__((vector_size(64))); /* sixteen ints, and comparison masks (0, -1) */
typedef uint32_t ct_u16v __attribute__((vector_size(64)));
#endif

#endif
