/* row_softmax.c: softmax and its kin over rows (row.h). The maximum is taken away first, so that no exponential
 * overflows. Rows that hold infinities have the limit's value: nothing but -inf gives zeros (-inf for the logarithm and
 * logsumexp), +inf in k places gives 1/k there and 0 elsewhere. NaN makes the whole row NaN. Long rows are summed in
 * pieces of 1,024 numbers, the pieces in double. */
#include "kern/simd/row_parts.h"

#define PIECE 1024

/* x - max, where equal infinities are 0 apart. */
CT_V ct_f16v below(ct_f16v x, float max) {
    ct_f16v d = x - max;
    return max == INFINITY ? ct_v_select(x == INFINITY, ct_v_splat(0.0f), ct_v_splat(-INFINITY)) : d;
}

/* sum of e^(x - max), stored in y where that is wanted */
CT_V float exponentials(const float *x, const tail *t, float max, float *y) {
    double all = 0;
    for (int64_t first = 0; first < t->whole; first += PIECE) {
        int64_t end = first + PIECE < t->whole ? first + PIECE : t->whole;
        ct_f16v sum = {0};
        for (int64_t i = first; i < end; i += 16) {
            ct_f16v e = ct_v_exp(below(ct_v_load(x + i), max));
            sum += e;
            if (y) ct_v_store(y + i, e);
        }
        all += (double)ct_v_sum(sum);
    }
    if (!t->left) return (float)all;
    ct_f16v e = ct_v_exp(below(ct_v_load_part(x + t->whole, t->left), max));
    if (y) ct_v_store_part(y + t->whole, e, t->left);
    return (float)(all + (double)ct_v_sum(ct_v_select(t->in, e, ct_v_splat(0.0f))));
}

/* log of the sum of e^(x - max) */
CT_V float log_sum(const float *x, const tail *t, float *max) {
    *max = row_max(x, t);
    if (*max == -INFINITY) return 0;
    return ct_v_log(ct_v_splat(exponentials(x, t, *max, NULL)))[0];
}

void SOFTMAX(int64_t rows, int64_t columns, const float *x, float *y) {
    tail t = tail_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float max = row_max(x, &t);
        if (max == -INFINITY) {
            memset(y, 0, (size_t)columns * sizeof *y);
            continue;
        }
        float factor = 1 / exponentials(x, &t, max, y);
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
        if (max == -INFINITY) max = 0;
        for (int64_t i = 0; i < t.whole; i += 16) ct_v_store(y + i, below(ct_v_load(x + i), max) - sum);
        if (t.left)
            ct_v_store_part(y + t.whole, below(ct_v_load_part(x + t.whole, t.left), max) - sum, t.left);
    }
}

void LOGSUMEXP(int64_t rows, int64_t columns, const float *x, float *y) {
    tail t = tail_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns) {
        float max, sum = log_sum(x, &t, &max);
        y[r] = max + sum;
    }
}
