/* row.h: kernels over the rows of a matrix: losses, and what else works on one row at a time.
 *
 * A row is read in vectors of sixteen, the last one short; sums run over sixteen lanes that are added in a
 * fixed tree at the end. So a row has the same bits whatever rows stand beside it. */
#ifndef CT_KERN_ROW_H
#define CT_KERN_ROW_H

#include "kern/simd.h"

typedef struct ct__row_table {
    /* Cross-entropy of logits x [rows, classes] with class ids; label < 0: the row counts nothing. weight
     * [classes] or NULL. lse = log sum_c e^x_c; with s = smoothing, y = label:
     *     loss = (1 - s) w_y (lse - x_y) + s / classes * sum_c w_c (lse - x_c) */
    void (*softmax_ce)(int64_t rows, int64_t classes, const float *x, const int32_t *label,
                       const float *weight, float smoothing, float *loss, float *lse);
    /* dx_c = dloss ((1 - s) w_y (p_c - [c = y]) + s / classes * (p_c sum w - w_c)), p_c = e^(x_c - lse) */
    void (*softmax_ce_grad)(int64_t rows, int64_t classes, const float *x, const int32_t *label,
                            const float *weight, float smoothing, const float *lse, const float *dloss,
                            float *dx);

    /* y = e^(x - max) / sum of it; dx = y (dy - sum y dy); y = x - lse; y [rows] = lse (-inf when all are). */
    void (*softmax)(int64_t rows, int64_t columns, const float *x, float *y);
    void (*softmax_grad)(int64_t rows, int64_t columns, const float *y, const float *dy, float *dx);
    void (*log_softmax)(int64_t rows, int64_t columns, const float *x, float *y);
    void (*logsumexp)(int64_t rows, int64_t columns, const float *x, float *y);

    /* y = (x - mean) scale * weight + bias with scale = 1 / sqrt(var + eps) of the row; without `centre` mean is
     * 0 and var the mean of squares. weight, bias, mean, scale may be NULL. */
    void (*norm)(int64_t rows, int64_t columns, int centre, double eps, const float *x, const float *weight,
                 const float *bias, float *y, float *mean, float *scale);
    /* with h = (x - mean) scale, a = dy weight: dx = scale (a - avg a - h avg(a h)) + plus (avg a only with
     * `centre`), dw [columns] = sum over rows of dy h, db [columns] = sum of dy. weight, plus, dx, dw, db may be
     * NULL. */
    void (*norm_grad)(int64_t rows, int64_t columns, int centre, const float *dy, const float *x,
                      const float *weight, const float *mean, const float *scale, const float *plus,
                      float *dx, float *dw, float *db);

    /* One row of attention: x = scale x + added (NULL: 0), -inf where allowed (NULL: all) is 0; then
     * x = e^(x - max) / total, total = sum of e^(x - max). A row without any allowed place is 0, its max -inf and
     * total 0. */
    void (*attend)(int64_t columns, float scale, const uint8_t *allowed, const float *added, float *x,
                   float *max, float *total);
    /* lse[r] = max[r] + log total[r] */
    void (*attend_sums)(int64_t rows, const float *max, const float *total, float *lse);
    /* The same probabilities from lse = max + log total. */
    void (*attend_again)(int64_t columns, float scale, const uint8_t *allowed, const float *added, float lse,
                         float *x);
    /* dx = scale p (dp - sum p dp), in place of dp */
    void (*attend_grad)(int64_t columns, float scale, const float *p, float *dp);
} ct__row_table;

#endif
