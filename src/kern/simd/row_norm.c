/* row_norm.c: layer norm and RMS norm over rows (row.h): two sweeps for the moments, one for the result.
 *
 * Far from zero the mean m, an f32, is off by many digits of a deviation. The second sweep, over d = x - m, gives what
 * it is off by, avg d, and the variance avg d^2 - (avg d)^2; the result is made of d - avg d. */
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
/* out: avg d, avg d^2 of d = x - mean */
CT_V void deviations(const float *x, const tail *t, float mean, double out[2]) {
    ct_f16v s = {0}, square = {0}, d;
    double n = (double)(t->whole + t->left);
    for (int64_t i = 0; i < t->whole; i += 16) {
        d = ct_v_load(x + i) - mean;
        s += d;
        square = ct_v_fma(d, d, square);
    }
    if (t->left) {
        d = ct_v_select(t->in, ct_v_load_part(x + t->whole, t->left) - mean, ct_v_splat(0.0f));
        s += d;
        square = ct_v_fma(d, d, square);
    }
    out[0] = (double)ct_v_sum(s) / n;
    out[1] = (double)ct_v_sum(square) / n;
}

/* mean, what it is off by, scale */
CT_V void row_moments(const float *x, const tail *t, int centre, double eps, float out[3]) {
    double d[2], var;
    out[0] = centre ? row_sum(x, t) / (float)(t->whole + t->left) : 0;
    deviations(x, t, out[0], d);
    if (!centre) d[0] = 0;
    var = d[1] - d[0] * d[0];
    out[1] = (float)d[0];
    out[2] = (float)(1 / sqrt((var > 0 ? var : 0) + eps));
    if (d[1] != d[1]) out[2] = NAN;
}

void NORM(int64_t rows, int64_t columns, int centre, double eps, const float *x, const float *weight,
          const float *bias, float *y, float *mean, float *scale) {
    tail t = tail_of(columns);
    for (int64_t r = 0; r < rows; r++, x += columns, y += columns) {
        float moment[3];
        row_moments(x, &t, centre, eps, moment);
        float m = moment[0], off = moment[1], f = moment[2];
        for (int64_t i = 0; i < t.whole; i += 16) {
            ct_f16v h = ((ct_v_load(x + i) - m) - off) * f;
            ct_v_store(y + i, weight || bias ? ct_v_fma(h, full_or(weight, i, 1), full_or(bias, i, 0)) : h);
        }
        if (t.left) {
            ct_f16v h = ((ct_v_load_part(x + t.whole, t.left) - m) - off) * f;
            const float *w = weight ? weight + t.whole : NULL, *b = bias ? bias + t.whole : NULL;
            ct_v_store_part(y + t.whole,
                            weight || bias ? ct_v_fma(h, part_or(w, t.left, 1), part_or(b, t.left, 0)) : h,
                            t.left);
        }
        if (mean) mean[r] = m;
        if (scale) scale[r] = f;
    }
}

typedef struct averages { /* over one row: of a and a h; shift: of h, which it is off by */
    float a, ah, shift;
} averages;

CT_V averages averages_of(const float *dy, const float *x, const float *weight, const tail *t, int centre,
                          float m, float f) {
    ct_f16v a, h, sum = {0}, product = {0}, hats = {0};
    for (int64_t i = 0; i < t->whole; i += 16) {
        a = ct_v_load(dy + i) * full_or(weight, i, 1);
        h = (ct_v_load(x + i) - m) * f;
        sum += a;
        hats += h;
        product = ct_v_fma(a, h, product);
    }
    if (t->left) { /* a is zero beyond the data */
        a = ct_v_load_part(dy + t->whole, t->left) * part_or(weight ? weight + t->whole : NULL, t->left, 1);
        h = ct_v_select(t->in, (ct_v_load_part(x + t->whole, t->left) - m) * f, ct_v_splat(0.0f));
        sum += a;
        hats += h;
        product = ct_v_fma(a, h, product);
    }
    float n = (float)(t->whole + t->left);
    averages r = {ct_v_sum(sum) / n, ct_v_sum(product) / n, ct_v_sum(hats) / n};
    if (!centre) r.a = r.shift = 0;
    r.ah -= r.a * r.shift;
    return r;
}

CT_V void data_row(const float *dy, const float *x, const float *weight, const float *plus, const tail *t,
                   float m, float f, const averages *r, float *dx) {
    for (int64_t i = 0; i < t->whole; i += 16) {
        ct_f16v h = (ct_v_load(x + i) - m) * f - r->shift, a = ct_v_load(dy + i) * full_or(weight, i, 1);
        ct_v_store(dx + i, (a - r->a - h * r->ah) * f + full_or(plus, i, 0));
    }
    if (!t->left) return;
    ct_f16v h = (ct_v_load_part(x + t->whole, t->left) - m) * f - r->shift;
    ct_f16v a =
        ct_v_load_part(dy + t->whole, t->left) * part_or(weight ? weight + t->whole : NULL, t->left, 1);
    ct_v_store_part(dx + t->whole,
                    (a - r->a - h * r->ah) * f + part_or(plus ? plus + t->whole : NULL, t->left, 0), t->left);
}

CT_V void weight_row(const float *dy, const float *x, const tail *t, float m, float f, float shift, float *dw,
                     float *db) {
    for (int64_t i = 0; i < t->whole; i += 16) {
        ct_f16v d = ct_v_load(dy + i);
        if (dw) ct_v_store(dw + i, ct_v_fma(d, (ct_v_load(x + i) - m) * f - shift, ct_v_load(dw + i)));
        if (db) ct_v_store(db + i, ct_v_load(db + i) + d);
    }
    if (!t->left) return;
    int64_t k = t->whole;
    ct_f16v d = ct_v_load_part(dy + k, t->left);
    if (dw)
        ct_v_store_part(
            dw + k,
            ct_v_fma(d, (ct_v_load_part(x + k, t->left) - m) * f - shift, ct_v_load_part(dw + k, t->left)),
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
        averages a = averages_of(dy, x, weight, &t, centre, mean[r], scale[r]);
        if (dx)
            data_row(dy, x, weight, plus ? plus + r * columns : NULL, &t, mean[r], scale[r], &a,
                     dx + r * columns);
        if (dw || db) weight_row(dy, x, &t, mean[r], scale[r], a.shift, dw, db);
    }
}
