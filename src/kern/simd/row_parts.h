/* row_parts.h: what the files of the row table share: walking a row, and each other's names. */
#ifndef CT_KERN_SIMD_ROW_PARTS_H
#define CT_KERN_SIMD_ROW_PARTS_H

#include "kern/row.h"
#include "kern/simd/vmath.h"

typedef struct tail { /* the last, short vector of every row */
    int64_t whole, left;
    ct_i16v in; /* its lanes that hold data */
} tail;

static inline tail tail_of(int64_t columns) {
    tail t = {.whole = columns / 16 * 16, .left = columns % 16};
    for (int i = 0; i < 16; i++) t.in[i] = i < t.left ? -1 : 0;
    return t;
}

CT_V float row_max(const float *x, const tail *t) {
    ct_f16v m = ct_v_splat(-INFINITY);
    for (int64_t i = 0; i < t->whole; i += 16) m = ct_v_max(ct_v_load(x + i), m);
    if (t->left)
        m = ct_v_max(ct_v_select(t->in, ct_v_load_part(x + t->whole, t->left), ct_v_splat(-INFINITY)), m);
    return ct_v_max_lane(m);
}

/* sum_c e^(x_c - max), long rows in pieces */
CT_V float exp_sum(const float *x, const tail *t, float max) {
    double all = 0;
    for (int64_t first = 0; first < t->whole; first += 1024) {
        int64_t end = first + 1024 < t->whole ? first + 1024 : t->whole;
        ct_f16v s = {0};
        for (int64_t i = first; i < end; i += 16) s += ct_v_exp(ct_v_load(x + i) - max);
        all += (double)ct_v_sum(s);
    }
    if (!t->left) return (float)all;
    ct_f16v s = ct_v_select(t->in, ct_v_exp(ct_v_load_part(x + t->whole, t->left) - max), ct_v_splat(0.0f));
    return (float)(all + (double)ct_v_sum(s));
}

#define SOFTMAX CT_SIMD(ct__row_softmax)
#define SOFTMAX_GRAD CT_SIMD(ct__row_softmax_grad)
#define LOG_SOFTMAX CT_SIMD(ct__row_log_softmax)
#define LOGSUMEXP CT_SIMD(ct__row_logsumexp)
#define NORM CT_SIMD(ct__row_norm)
#define NORM_GRAD CT_SIMD(ct__row_norm_grad)
#define ATTEND CT_SIMD(ct__row_attend)
#define ATTEND_SUMS CT_SIMD(ct__row_attend_sums)
#define ATTEND_AGAIN CT_SIMD(ct__row_attend_again)
#define ATTEND_GRAD CT_SIMD(ct__row_attend_grad)
void ATTEND(int64_t columns, float scale, const uint8_t *allowed, const float *added, float *x, float *max,
            float *total);
void ATTEND_SUMS(int64_t rows, const float *max, const float *total, float *lse);
void ATTEND_AGAIN(int64_t columns, float scale, const uint8_t *allowed, const float *added, float lse,
                  float *x);
void ATTEND_GRAD(int64_t columns, float scale, const float *p, float *dp);
void SOFTMAX(int64_t rows, int64_t columns, const float *x, float *y);
void SOFTMAX_GRAD(int64_t rows, int64_t columns, const float *y, const float *dy, float *dx);
void LOG_SOFTMAX(int64_t rows, int64_t columns, const float *x, float *y);
void LOGSUMEXP(int64_t rows, int64_t columns, const float *x, float *y);
void NORM(int64_t rows, int64_t columns, int centre, double eps, const float *x, const float *weight,
          const float *bias, float *y, float *mean, float *scale);
void NORM_GRAD(int64_t rows, int64_t columns, int centre, const float *dy, const float *x,
               const float *weight, const float *mean, const float *scale, const float *plus, float *dx,
               float *dw, float *db);

#endif
