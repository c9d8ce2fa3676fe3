/* gemm_pack.c: between strided matrices and panels of sixteen columns.
 *
 * A matrix whose rows are contiguous is copied by whole registers. One whose columns are contiguous (a
 * transposed operand), and a panel matrix that becomes its own transpose, go through squares of LANES x
 * LANES numbers that are turned over inside registers: log2(LANES) rounds, each of which exchanges the
 * off-diagonal halves of ever smaller blocks. */
#include "kern/simd/gemm_parts.h"

/* The round with blocks of `half`: row i, i & half = 0, keeps its first half-blocks and takes row i + half's. */
#if defined(__clang__)
#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define MIX(a, b, ...) __builtin_shuffle(a, b, (ct__gi){__VA_ARGS__})
#endif
#define ROUND(half, LOW, HIGH) \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) if (!(i & (half))) { \
        ct__gv a = x[i], b = x[i + (half)]; \
        x[i] = MIX(a, b, LOW); \
        x[i + (half)] = MIX(a, b, HIGH); \
    }
#if LANES == 16
#define LOW8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LOW4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#elif LANES == 8
#define LOW4 0, 1, 2, 3, 8, 9, 10, 11
#define HIGH4 4, 5, 6, 7, 12, 13, 14, 15
#define LOW2 0, 1, 8, 9, 4, 5, 12, 13
#define HIGH2 2, 3, 10, 11, 6, 7, 14, 15
#define LOW1 0, 8, 2, 10, 4, 12, 6, 14
#define HIGH1 1, 9, 3, 11, 5, 13, 7, 15
#else
#define LOW2 0, 1, 4, 5
#define HIGH2 2, 3, 6, 7
#define LOW1 0, 4, 2, 6
#define HIGH1 1, 5, 3, 7
#endif

ALWAYS void turn(ct__gv x[LANES]) {
#if LANES == 16
    ROUND(8, LOW8, HIGH8)
#endif
#if LANES >= 8
    ROUND(4, LOW4, HIGH4)
#endif
    ROUND(2, LOW2, HIGH2)
    ROUND(1, LOW1, HIGH1)
}

/* to[i * to_row + l] = from[l * from_row + i] for 16 x 16 numbers. */
static void turn_square(const float *from, int64_t from_row, float *to, int64_t to_row) {
    for (int64_t i = 0; i < 16; i += LANES)
        for (int64_t l = 0; l < 16; l += LANES) {
            ct__gv x[LANES];
#pragma GCC unroll 16
            for (int k = 0; k < LANES; k++) x[k] = gv_load(from + (l + k) * from_row + i);
            turn(x);
#pragma GCC unroll 16
            for (int k = 0; k < LANES; k++) gv_store(to + (i + k) * to_row + l, x[k]);
        }
}

/* Rows of x contiguous: one panel. */
static void pack_rows(int64_t r, int64_t lanes, const float *x, int64_t x_row, float *panel) {
    if (lanes < 16) {
        for (int64_t i = 0; i < r; i++)
            for (int v = 0; v < PER_PANEL; v++)
                gv_store(panel + i * 16 + v * LANES,
                         gv_load_part(x + i * x_row + v * LANES, lanes - v * LANES));
        return;
    }
    for (int64_t i = 0; i < r; i++, x += x_row, panel += 16) memcpy(panel, x, 16 * sizeof *x);
}

static void pack_any(int64_t r, int64_t lanes, const float *x, int64_t x_row, int64_t x_col, float *panel) {
    for (int64_t i = 0; i < r; i++)
        for (int64_t l = 0; l < 16; l++) panel[i * 16 + l] = l < lanes ? x[i * x_row + l * x_col] : 0.0f;
}

void CT_SIMD(ct__gemm_pack)(int64_t r, int64_t s, const float *x, int64_t x_row, int64_t x_col, float *panel,
                            int64_t stride) {
    for (int64_t j = 0; j < s; j += 16, panel += stride) {
        const float *from = x + j * x_col;
        int64_t lanes = s - j < 16 ? s - j : 16, done = 0;
        if (x_col == 1) {
            pack_rows(r, lanes, from, x_row, panel);
            continue;
        }
        if (x_row == 1 && lanes == 16)
            for (; done + 16 <= r; done += 16) turn_square(from + done, x_col, panel + done * 16, 16);
        pack_any(r - done, lanes, from + done * x_row, x_row, x_col, panel + done * 16);
    }
}

void CT_SIMD(ct__gemm_unpack)(int64_t r, int64_t s, const float *panel, float *x, int64_t x_row,
                              int64_t x_col) {
    for (int64_t j = 0; j < s; j += 16, panel += r * 16) {
        float *to = x + j * x_col;
        int64_t lanes = s - j < 16 ? s - j : 16, done = 0;
        if (x_row == 1 && lanes == 16)
            for (; done + 16 <= r; done += 16) turn_square(panel + done * 16, 16, to + done, x_col);
        for (int64_t i = done; i < r; i++) {
            if (x_col == 1 && lanes == 16)
                memcpy(to + i * x_row, panel + i * 16, 16 * sizeof *x);
            else
                for (int64_t l = 0; l < lanes; l++) to[i * x_row + l * x_col] = panel[i * 16 + l];
        }
    }
}

/* Squares of rows i.., columns j..; at the edges through a small square whose missing rows are zero. */
void CT_SIMD(ct__gemm_flip)(int64_t r, int64_t s, const float *panel, float *flipped) {
    float from[256], to[256];
    for (int64_t j = 0; j < s; j += 16)
        for (int64_t i = 0; i < r; i += 16) {
            const float *square = panel + (j / 16) * r * 16 + i * 16;
            float *out = flipped + (i / 16) * s * 16 + j * 16;
            int64_t rows = r - i < 16 ? r - i : 16, columns = s - j < 16 ? s - j : 16;
            if (rows == 16 && columns == 16) {
                turn_square(square, 16, out, 16);
                continue;
            }
            memset(from, 0, sizeof from);
            memcpy(from, square, (size_t)rows * 16 * sizeof *from);
            turn_square(from, 16, to, 16);
            memcpy(out, to, (size_t)columns * 16 * sizeof *to);
        }
}
