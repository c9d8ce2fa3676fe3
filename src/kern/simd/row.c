/* row.c: cross-entropy over rows of logits (row.h).
 *
 * Three sweeps over a row that lies in the first-level cache: maximum, sum of exponentials, and in the
 * gradient one more. The loss is put together from differences to the maximum m, (m - x_y) + log sum, which
 * keeps its digits when the logits are large. */
#include "kern/simd/row_parts.h"

/* sum_c w_c (max - x_c) */
CT_V float below_max(const float *x, const float *weight, const tail *t, float max) {
    ct_f16v s = {0}, one = ct_v_splat(1.0f);
    for (int64_t i = 0; i < t->whole; i += 16)
        s = ct_v_fma(weight ? ct_v_load(weight + i) : one, max - ct_v_load(x + i), s);
    if (t->left) {
        ct_f16v w = weight ? ct_v_load_part(weight + t->whole, t->left) : one;
        s += ct_v_select(t->in, w * (max - ct_v_load_part(x + t->whole, t->left)), ct_v_splat(0.0f));
    }
    return ct_v_sum(s);
}

static float weight_sum(const float *weight, int64_t classes) {
    double s = 0;
    for (int64_t i = 0; weight && i < classes; i++) s += (double)weight[i];
    return weight ? (float)s : (float)classes;
}

static void softmax_ce(int64_t rows, int64_t classes, const float *x, const int32_t *label,
                       const float *weight, float smoothing, float *loss, float *lse) {
    tail t = tail_of(classes);
    float share = smoothing / (float)classes, total = smoothing > 0 ? weight_sum(weight, classes) : 0;
    for (int64_t r = 0; r < rows; r++, x += classes) {
        float max = row_max(x, &t), log_sum = ct_v_log(ct_v_splat(exp_sum(x, &t, max)))[0];
        int32_t y = label[r];
        lse[r] = max + log_sum;
        loss[r] = 0;
        if (y < 0) continue;
        loss[r] = (1 - smoothing) * (weight ? weight[y] : 1.0f) * (max - x[y] + log_sum);
        if (smoothing > 0) loss[r] += share * (below_max(x, weight, &t, max) + total * log_sum);
    }
}

/* dx_c = k p_c - share w_c; the label's own part is taken away afterwards. */
CT_V void grad_row(const float *x, const float *weight, const tail *t, float lse, float k, float share,
                   float *dx) {
    ct_f16v one = ct_v_splat(1.0f);
    for (int64_t i = 0; i < t->whole; i += 16) {
        ct_f16v g = ct_v_exp(ct_v_load(x + i) - lse) * k;
        if (share != 0) g = ct_v_fma(ct_v_splat(-share), weight ? ct_v_load(weight + i) : one, g);
        ct_v_store(dx + i, g);
    }
    if (!t->left) return;
    ct_f16v g = ct_v_exp(ct_v_load_part(x + t->whole, t->left) - lse) * k;
    if (share != 0)
        g = ct_v_fma(ct_v_splat(-share), weight ? ct_v_load_part(weight + t->whole, t->left) : one, g);
    ct_v_store_part(dx + t->whole, g, t->left);
}

static void softmax_ce_grad(int64_t rows, int64_t classes, const float *x, const int32_t *label,
                            const float *weight, float smoothing, const float *lse, const float *dloss,
                            float *dx) {
    tail t = tail_of(classes);
    float share = smoothing / (float)classes, total = smoothing > 0 ? weight_sum(weight, classes) : 0;
    for (int64_t r = 0; r < rows; r++, x += classes, dx += classes) {
        int32_t y = label[r];
        if (y < 0) {
            memset(dx, 0, (size_t)classes * sizeof *dx);
            continue;
        }
        float own = (1 - smoothing) * (weight ? weight[y] : 1.0f);
        grad_row(x, weight, &t, lse[r], dloss[r] * (own + share * total), dloss[r] * share, dx);
        dx[y] -= dloss[r] * own;
    }
}

extern const ct__row_table CT_SIMD(ct__row_table);
const ct__row_table CT_SIMD(ct__row_table) = {
    .softmax_ce = softmax_ce,
    .softmax_ce_grad = softmax_ce_grad,
    .softmax = SOFTMAX,
    .softmax_grad = SOFTMAX_GRAD,
    .log_softmax = LOG_SOFTMAX,
    .logsumexp = LOGSUMEXP,
    .norm = NORM,
    .norm_grad = NORM_GRAD,
    .attend = ATTEND,
    .attend_sums = ATTEND_SUMS,
    .attend_again = ATTEND_AGAIN,
    .attend_grad = ATTEND_GRAD,
};
