/* row_softmax.c: softmax and its kin over rows (row.h). The maximum is taken away first, so that no
 * exponential overflows; a row of nothing but -inf is NaN for softmax and -inf for logsumexp, as in PyTorch. */
#include "kern/simd/row_parts.h"

CT_V float log_sum(const float *x, const tail *t, float *max) {
    *max = row_max(x, t);
    if (*max == -INFINITY || *max == INFINITY) return *max == INFINITY ? INFINITY : -INFINITY;
    return ct_v_log(ct_v_splat(exp_sum(x, t, *max)))[0];
}

void SOFTMAX(int64_t rows, int64_t columns, const float *x, float *y) {
    tail t = tail_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float max = row_max(x, &t);
        ct_f16v sum = {0}, e;
        for (int64_t i = 0; i < t.whole; i += 16) {
            e = ct_v_exp(ct_v_load(x + i) - max);
            sum += e;
            ct_v_store(y + i, e);
        }
        if (t.left) {
            e = ct_v_exp(ct_v_load_part(x + t.whole, t.left) - max);
            sum += ct_v_select(t.in, e, ct_v_splat(0.0f));
            ct_v_store_part(y + t.whole, e, t.left);
        }
        float factor = 1 / ct_v_sum(sum);
        for (int64_t i = 0; i < t.whole; i += 16) ct_v_store(y + i, ct_v_load(y + i) * factor);
        if (t.left) ct_v_store_part(y + t.whole, ct_v_load_part(y + t.whole, t.left) * factor, t.left);
    }
}

void SOFTMAX_GRAD(int64_t rows, int64_t columns, const float *y, const float *dy, float *dx) {
    tail t = tail_of(columns);
    for (int64_t r = 0; r < rows; r++, y += columns, dy += columns, dx += columns) {
        ct_f16v sum = {0};
        for (int64_t i = 0; i < t.whole; i += 16) sum = ct_v_fma(ct_v_load(y + i), ct_v_load(dy + i), sum);
        if (t.left)
            sum = ct_v_fma(ct_v_load_part(y + t.whole, t.left), ct_v_load_part(dy + t.whole, t.left), sum);
        float s = ct_v_sum(sum);
        for (int64_t i = 0; i < t.whole; i += 16)
            ct_v_store(dx + i, ct_v_load(y + i) * (ct_v_load(dy + i) - s));
        if (t.left)
            ct_v_store_part(dx + t.whole,
                            ct_v_load_part(y + t.whole, t.left) * (ct_v_load_part(dy + t.whole, t.left) - s),
                            t.left);
    }
}

void LOG_SOFTMAX(int64_t rows, int64_t columns, const float *x, float *y) {
    tail t = tail_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float max, sum = log_sum(x, &t, &max);
        for (int64_t i = 0; i < t.whole; i += 16) ct_v_store(y + i, (ct_v_load(x + i) - max) - sum);
        if (t.left) ct_v_store_part(y + t.whole, (ct_v_load_part(x + t.whole, t.left) - max) - sum, t.left);
    }
}

void LOGSUMEXP(int64_t rows, int64_t columns, const float *x, float *y) {
    tail t = tail_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns) {
        float max, sum = log_sum(x, &t, &max);
        y[r] = max == sum ? max : max + sum; /* both infinite: that infinity */
    }
}
