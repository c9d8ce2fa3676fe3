/* row_norm.c: layer norm and RMS norm over rows (row.h): two sweeps for the moments (the second over
 * deviations, which loses no digits), one for the result. */
#include "kern/simd/row_parts.h"

CT_V ct_f16v part_or(const float *p, int64_t n, float absent) {
    return p ? ct_v_load_part(p, n) : ct_v_splat(absent);
}
CT_V ct_f16v full_or(const float *p, int64_t i, float absent) {
    return p ? ct_v_load(p + i) : ct_v_splat(absent);
}

CT_V float row_sum(const float *x, const tail *t) {
    ct_f16v s = {0};
    for (int64_t i = 0; i < t->whole; i += 16) s += ct_v_load(x + i);
    if (t->left) s += ct_v_load_part(x + t->whole, t->left);
    return ct_v_sum(s);
}
CT_V float square_sum(const float *x, const tail *t, float mean) {
    ct_f16v s = {0}, d;
    for (int64_t i = 0; i < t->whole; i += 16) {
        d = ct_v_load(x + i) - mean;
        s = ct_v_fma(d, d, s);
    }
    if (t->left) {
        d = ct_v_select(t->in, ct_v_load_part(x + t->whole, t->left) - mean, ct_v_splat(0.0f));
        s = ct_v_fma(d, d, s);
    }
    return ct_v_sum(s);
}

void NORM(int64_t rows, int64_t columns, int centre, double eps, const float *x, const float *weight,
          const float *bias, float *y, float *mean, float *scale) {
    tail t = tail_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float m = centre ? row_sum(x, &t) / (float)columns : 0;
        float f = (float)(1 / sqrt((double)square_sum(x, &t, m) / (double)columns + eps));
        for (int64_t i = 0; i < t.whole; i += 16) {
            ct_f16v h = (ct_v_load(x + i) - m) * f;
            ct_v_store(y + i, weight || bias ? ct_v_fma(h, full_or(weight, i, 1), full_or(bias, i, 0)) : h);
        }
        if (t.left) {
            ct_f16v h = (ct_v_load_part(x + t.whole, t.left) - m) * f;
            const float *w = weight ? weight + t.whole : NULL, *b = bias ? bias + t.whole : NULL;
            ct_v_store_part(y + t.whole,
                            weight || bias ? ct_v_fma(h, part_or(w, t.left, 1), part_or(b, t.left, 0)) : h,
                            t.left);
        }
        if (mean) mean[r] = m;
        if (scale) scale[r] = f;
    }
}

/* The averages of a and a h over one row. */
CT_V void averages(const float *dy, const float *x, const float *weight, const tail *t, float m, float f,
                   float out[2]) {
    ct_f16v a, sum = {0}, product = {0};
    for (int64_t i = 0; i < t->whole; i += 16) {
        a = ct_v_load(dy + i) * full_or(weight, i, 1);
        sum += a;
        product = ct_v_fma(a, (ct_v_load(x + i) - m) * f, product);
    }
    if (t->left) {
        a = ct_v_load_part(dy + t->whole, t->left) * part_or(weight ? weight + t->whole : NULL, t->left, 1);
        sum += a; /* zero beyond the data */
        product = ct_v_fma(a, (ct_v_load_part(x + t->whole, t->left) - m) * f, product);
    }
    float n = (float)(t->whole + t->left);
    out[0] = ct_v_sum(sum) / n;
    out[1] = ct_v_sum(product) / n;
}

CT_V void data_row(const float *dy, const float *x, const float *weight, const float *plus, const tail *t,
                   float m, float f, const float avg[2], float *dx) {
    for (int64_t i = 0; i < t->whole; i += 16) {
        ct_f16v h = (ct_v_load(x + i) - m) * f, a = ct_v_load(dy + i) * full_or(weight, i, 1);
        ct_v_store(dx + i, (a - avg[0] - h * avg[1]) * f + full_or(plus, i, 0));
    }
    if (!t->left) return;
    ct_f16v h = (ct_v_load_part(x + t->whole, t->left) - m) * f;
    ct_f16v a =
        ct_v_load_part(dy + t->whole, t->left) * part_or(weight ? weight + t->whole : NULL, t->left, 1);
    ct_v_store_part(dx + t->whole,
                    (a - avg[0] - h * avg[1]) * f + part_or(plus ? plus + t->whole : NULL, t->left, 0),
                    t->left);
}

CT_V void weight_row(const float *dy, const float *x, const tail *t, float m, float f, float *dw, float *db) {
    for (int64_t i = 0; i < t->whole; i += 16) {
        ct_f16v d = ct_v_load(dy + i);
        if (dw) ct_v_store(dw + i, ct_v_fma(d, (ct_v_load(x + i) - m) * f, ct_v_load(dw + i)));
        if (db) ct_v_store(db + i, ct_v_load(db + i) + d);
    }
    if (!t->left) return;
    int64_t k = t->whole;
    ct_f16v d = ct_v_load_part(dy + k, t->left);
    if (dw)
        ct_v_store_part(
            dw + k, ct_v_fma(d, (ct_v_load_part(x + k, t->left) - m) * f, ct_v_load_part(dw + k, t->left)),
            t->left);
    if (db) ct_v_store_part(db + k, ct_v_load_part(db + k, t->left) + d, t->left);
}

void NORM_GRAD(int64_t rows, int64_t columns, int centre, const float *dy, const float *x,
               const float *weight, const float *mean, const float *scale, const float *plus, float *dx,
               float *dw, float *db) {
    tail t = tail_of(columns);
    if (dw) memset(dw, 0, (size_t)columns * sizeof *dw);
    if (db) memset(db, 0, (size_t)columns * sizeof *db);
    for (int64_t r = 0; r < rows; r++, dy += columns, x += columns) {
        if (dx) {
            float avg[2];
            averages(dy, x, weight, &t, mean[r], scale[r], avg);
            if (!centre) avg[0] = 0;
            data_row(dy, x, weight, plus ? plus + r * columns : NULL, &t, mean[r], scale[r], avg,
                     dx + r * columns);
        }
        if (dw || db) weight_row(dy, x, &t, mean[r], scale[r], dw, db);
    }
}
