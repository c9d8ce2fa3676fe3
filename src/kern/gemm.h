/* gemm.h: matrix products of our own, on one thread.
 *
 * C[M,N] = act(A[M,K] B[K,N] + bias[N]) + plus[M,N], or C += A B.
 *
 * The bits rule. Every element of C is one chain c = fma(a(i,p), b(p,j), c), p = 0..K-1 in order, starting
 * from zero (or from C), then bias, act and plus. So a row's result depends neither on M nor on its position,
 * nor on how the work was cut; this is what CORE 7 promises for batches and for pieces of outputs.
 *
 * The panel layout "panel16" of a matrix X[R,S]: [ceil(S/16)][R][16], panels of sixteen columns, the lanes
 * beyond S zero. A Linear's weight [O,I] lives as panel16 of its transpose [I,O]; its gradient is written
 * in the same layout. */
#ifndef CT_KERN_GEMM_H
#define CT_KERN_GEMM_H

#include "cotan/base.h"
#include "kern/simd.h"

typedef enum ct__act { CT__ACT_NONE = 0, CT__ACT_RELU = 1 } ct__act;

typedef struct ct__gemm {
    int64_t m, n, k;        /* any may be 0 */
    int64_t a_row, a_col;   /* A(i,p) = a[i*a_row + p*a_col]; one of them is 1, or both are general */
    int64_t b_row, b_col;   /* B(p,j) = b[p*b_row + j*b_col] when b_panel is 0 */
    int64_t c_row;          /* C(i,j) = c[i*c_row + j] when c_panel is 0 */
    int32_t b_panel;        /* 1: b is panel16 of B[K,N] */
    int32_t c_panel;        /* 1: c is panel16 of C[M,N]; lanes beyond N are written as zeros */
    int32_t accumulate;     /* 1: C += A B (no bias, no act) */
    int32_t act;            /* a ct__act */
    int64_t c_panel_stride; /* c_panel: floats between panels of 16 columns; 0: m*16 */
    int64_t b_panel_stride; /* b_panel: floats between panels; 0: k*16 */
} ct__gemm;

typedef struct ct__gemm_table {
    /* bias and plus (which lies as C) may be NULL. scratch: ct__gemm_scratch bytes, 64-aligned. No pointer needs
     * alignment beyond 4. */
    void (*run)(const ct__gemm *g, const float *a, const float *b, const float *bias, const float *plus,
                float *c, void *scratch);
    /* X[R,S] with strides to panel16 and back (strided to strided is the copy kernels' business). */
    void (*pack)(int64_t r, int64_t s, const float *x, int64_t x_row, int64_t x_col, float *panel);
    void (*unpack)(int64_t r, int64_t s, const float *panel, float *x, int64_t x_row, int64_t x_col);
    /* panel16 of X[R,S] to panel16 of its transpose X'[S,R]. */
    void (*flip)(int64_t r, int64_t s, const float *panel, float *flipped);
    /* sum[j] = x[0,j] + x[1,j] + ... in the order of rows; x [rows, columns] row-major. */
    void (*sum_rows)(int64_t rows, int64_t columns, const float *x, float *sum);
} ct__gemm_table;

uint64_t ct__gemm_scratch(const ct__gemm *g); /* bytes */

/* Blocks of the product: K in pieces of CT__GEMM_K, M in pieces of CT__GEMM_M where A is copied. A is copied
 * when its rows are contiguous and lie a multiple of 1024 bytes apart, so that what a tile reads of it would fight for
 * the same cache sets. */
#define CT__GEMM_K 256
#define CT__GEMM_M 112
#define CT__GEMM_PACKED 4 /* panels of B packed at a time */
#define CT__GEMM_A_ROW (CT__GEMM_K + 16)
static inline int ct__gemm_copies(const ct__gemm *g) {
    return g->a_col == 1 && g->a_row % 256 == 0 && g->m > 8 && g->k > 256 && g->n >= 64;
}
static inline uint64_t ct__panel_floats(int64_t r, int64_t s) {
    return (uint64_t)((s + 15) / 16) * 16 * (uint64_t)r;
}

#endif
