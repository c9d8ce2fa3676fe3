/* row_attend.c: the rows of attention (row.h). Sums run over sixteen lanes, key j in lane j % 16: keys that are
 * masked add exact zeros, so a row has the same bits however many masked keys follow it. */
#include "kern/simd/row_parts.h"

CT_V ct_f16v masked(int64_t i, int64_t n, float scale, const uint8_t *allowed, const float *added,
                    const float *x) {
    ct_f16v v = (n == 16 ? ct_v_load(x + i) : ct_v_load_part(x + i, n)) * scale;
    if (added) v += n == 16 ? ct_v_load(added + i) : ct_v_load_part(added + i, n);
    for (int64_t k = 0; allowed && k < n; k++)
        if (!allowed[i + k]) v[k] = -INFINITY;
    return v;
}

void ATTEND(int64_t columns, float scale, const uint8_t *allowed, const float *added, float *x, float *max,
            float *total) {
    tail t = tail_of(columns);
    ct_f16v sum = {0}, most = ct_v_splat(-INFINITY), e;
    for (int64_t i = 0; i < t.whole; i += 16) {
        e = masked(i, 16, scale, allowed, added, x);
        most = ct_v_max(e, most);
        ct_v_store(x + i, e);
    }
    if (t.left) {
        e = masked(t.whole, t.left, scale, allowed, added, x);
        most = ct_v_max(ct_v_select(t.in, e, ct_v_splat(-INFINITY)), most);
        ct_v_store_part(x + t.whole, e, t.left);
    }
    *max = ct_v_max_lane(most);
    *total = 0;
    if (*max == -INFINITY) {
        memset(x, 0, (size_t)columns * sizeof *x);
        return;
    }
    for (int64_t i = 0; i < t.whole; i += 16) {
        e = ct_v_exp(ct_v_load(x + i) - *max);
        sum += e;
        ct_v_store(x + i, e);
    }
    if (t.left) {
        e = ct_v_exp(ct_v_load_part(x + t.whole, t.left) - *max);
        sum += ct_v_select(t.in, e, ct_v_splat(0.0f));
        ct_v_store_part(x + t.whole, e, t.left);
    }
    *total = ct_v_sum(sum);
    float factor = 1 / *total;
    for (int64_t i = 0; i < t.whole; i += 16) ct_v_store(x + i, ct_v_load(x + i) * factor);
    if (t.left) ct_v_store_part(x + t.whole, ct_v_load_part(x + t.whole, t.left) * factor, t.left);
}

void ATTEND_SUMS(int64_t rows, const float *max, const float *total, float *lse) {
    for (int64_t i = 0; i < rows; i += 16) {
        int64_t n = rows - i < 16 ? rows - i : 16;
        ct_v_store_part(lse + i, ct_v_load_part(max + i, n) + ct_v_log(ct_v_load_part(total + i, n)), n);
    }
}

void ATTEND_AGAIN(int64_t columns, float scale, const uint8_t *allowed, const float *added, float lse,
                  float *x) {
    tail t = tail_of(columns);
    if (lse == -INFINITY) {
        memset(x, 0, (size_t)columns * sizeof *x);
        return;
    }
    for (int64_t i = 0; i < t.whole; i += 16)
        ct_v_store(x + i, ct_v_exp(masked(i, 16, scale, allowed, added, x) - lse));
    if (t.left)
        ct_v_store_part(x + t.whole, ct_v_exp(masked(t.whole, t.left, scale, allowed, added, x) - lse),
                        t.left);
}

void ATTEND_GRAD(int64_t columns, float scale, const float *p, float *dp) {
    tail t = tail_of(columns);
    ct_f16v sum = {0}, last = {0}, last_p = {0};
    for (int64_t i = 0; i < t.whole; i += 16) sum = ct_v_fma(ct_v_load(p + i), ct_v_load(dp + i), sum);
    if (t.left) {
        last = ct_v_load_part(dp + t.whole, t.left);
        last_p = ct_v_load_part(p + t.whole, t.left);
        sum = ct_v_fma(last_p, last, sum);
    }
    float delta = ct_v_sum(sum);
    for (int64_t i = 0; i < t.whole; i += 16)
        ct_v_store(dp + i, ct_v_load(p + i) * (ct_v_load(dp + i) - delta) * scale);
    if (t.left) ct_v_store_part(dp + t.whole, last_p * (last - delta) * scale, t.left);
}
