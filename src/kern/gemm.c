/* gemm.c: what a matrix product needs beside its operands: room for a block of A whose rows would meet in
 * the same cache sets, and for the panels of a strided B (simd/gemm.c). */
#include "kern/gemm.h"

uint64_t ct__gemm_scratch(const ct__gemm *g) {
    uint64_t k = g->k < CT__GEMM_K ? (uint64_t)(g->k > 0 ? g->k : 0) : CT__GEMM_K;
    uint64_t floats = g->b_panel ? 0 : k * CT__GEMM_PACKED * 16;
    if (ct__gemm_copies(g)) floats += (uint64_t)(g->m < CT__GEMM_M ? g->m : CT__GEMM_M) * CT__GEMM_A_ROW;
    return floats * sizeof(float);
}
