/* update.c: optimiser steps, sixteen floats at a time (update.h).
 *
 * A step is a body on vectors; `each` walks the segment with it, whole vectors first, then one short one.
 * What depends on the step number alone (bias corrections, schedules) is worked out once a call, in double.
 * A quotient whose divisor is 0 counts as 0: an element that never had a gradient stays where it is even with
 * eps = 0, and so do the padding lanes of a parameter. */
#include "kern/update.h"

#include "kern/simd/vmath.h"

typedef struct numbers {                 /* of one call */
    float scale, clip, l1, weight_decay; /* gradient; weight_decay 0 when decoupled */
    float keep;                          /* decoupled decay: p *= keep */
    float lr, a, b, c, d, eps;           /* the body's own */
    int32_t nesterov, first;
} numbers;

#define MAX_VARS 4
typedef void (*body_fn)(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g);

CT_V void each(body_fn body, const int vars, const numbers *c, float *const *var, const float *g, int64_t n) {
    ct_f16v v[MAX_VARS];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int k = 0; k < vars; k++) v[k] = ct_v_load(var[k] + i);
        body(c, v, ct_v_load(g + i));
        for (int k = 0; k < vars; k++) ct_v_store(var[k] + i, v[k]);
    }
    if (i == n) return;
    for (int k = 0; k < vars; k++) v[k] = ct_v_load_part(var[k] + i, n - i);
    body(c, v, ct_v_load_part(g + i, n - i));
    for (int k = 0; k < vars; k++) ct_v_store_part(var[k] + i, v[k], n - i);
}

static int open_call(const ct__rule *r, const float *scalars, numbers *c) {
    *c = (numbers){.scale = scalars[1],
                   .clip = (float)r->clip,
                   .l1 = (float)r->l1,
                   .weight_decay = r->decoupled ? 0 : (float)r->weight_decay,
                   .keep = r->decoupled ? (float)(1 - (double)scalars[0] * r->weight_decay) : 1.0f,
                   .lr = scalars[0],
                   .eps = (float)r->eps};
    return isfinite(scalars[1]) != 0;
}

CT_V ct_f16v sign_of(ct_f16v x) {
    return ct_v_select(x != 0.0f, ct_v_copysign(ct_v_splat(1.0f), x), ct_v_splat(0.0f));
}
CT_V ct_f16v over(ct_f16v a, ct_f16v b) { return ct_v_select(b == 0.0f, ct_v_splat(0.0f), a / b); }
CT_V ct_f16v fma1(float a, ct_f16v b, ct_f16v c) { return ct_v_fma(ct_v_splat(a), b, c); }

/* The gradient that the rule sees; the decoupled decay of the parameter. */
CT_V ct_f16v gradient(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    ct_f16v p = v[0];
    v[0] = p * c->keep;
    g = g * c->scale;
    if (c->clip > 0) {
        g = ct_v_select(g > c->clip, ct_v_splat(c->clip), g);
        g = ct_v_select(g < -c->clip, ct_v_splat(-c->clip), g);
    }
    if (c->l1 > 0) g = fma1(c->l1, sign_of(p), g);
    if (c->weight_decay > 0) g = fma1(c->weight_decay, p, g);
    return g;
}

/* ---- SGD ---- */
CT_V void sgd_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[0] = fma1(-c->lr, g, v[0]);
}
/* a: momentum, b: 1 - dampening */
CT_V void sgd_momentum_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = c->first ? g : fma1(c->a, v[1], g * c->b);
    v[0] = fma1(-c->lr, c->nesterov ? fma1(c->a, v[1], g) : v[1], v[0]);
}

static void sgd(const void *data, float *const *var, const float *g, int64_t n, const float *scalars,
                uint64_t step) {
    numbers c;
    (void)step;
    if (open_call(data, scalars, &c)) each(sgd_body, 1, &c, var, g, n);
}
static void sgd_momentum(const void *data, float *const *var, const float *g, int64_t n, const float *scalars,
                         uint64_t step) {
    const ct__rule *r = data;
    numbers c;
    if (!open_call(r, scalars, &c)) return;
    c.a = (float)r->beta1;
    c.b = (float)(1 - r->beta2);
    c.first = step == 0;
    c.nesterov = r->nesterov;
    each(sgd_momentum_body, 2, &c, var, g, n);
}

/* ---- Adam ---- */
/* The moments: a = 1 - beta1, b = beta2; the square's factor 1 - beta2 is d. */
CT_V ct_f16v moments(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = fma1(c->a, g - v[1], v[1]);
    v[2] = ct_v_fma(g * c->d, g, v[2] * c->b);
    return g;
}
/* lr: learning rate / (1 - beta1^t); c: 1 / sqrt(1 - beta2^t) */
CT_V void adam_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    moments(c, v, g);
    v[0] = fma1(-c->lr, over(v[1], fma1(c->c, ct_v_sqrt(v[2]), ct_v_splat(c->eps))), v[0]);
}

static void adam(const void *data, float *const *var, const float *g, int64_t n, const float *scalars,
                 uint64_t step) {
    const ct__rule *r = data;
    double t = (double)step + 1;
    numbers c;
    if (!open_call(r, scalars, &c)) return;
    c.a = (float)(1 - r->beta1);
    c.b = (float)r->beta2;
    c.d = (float)(1 - r->beta2);
    c.lr = (float)((double)scalars[0] / (1 - pow(r->beta1, t)));
    c.c = (float)(1 / sqrt(1 - pow(r->beta2, t)));
    each(adam_body, 3, &c, var, g, n);
}

/* ---- NAdam ---- */
typedef struct nadam_numbers {
    numbers c;
    float mean, now; /* steps along the mean and along the gradient */
} nadam_numbers;
CT_V void nadam_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    const nadam_numbers *s = (const nadam_numbers *)c;
    g = moments(c, v, g);
    ct_f16v divisor = fma1(c->c, ct_v_sqrt(v[2]), ct_v_splat(c->eps));
    v[0] = fma1(-s->now, over(g, divisor), v[0]);
    v[0] = fma1(-s->mean, over(v[1], divisor), v[0]);
}

/* mu_t = beta1 (1 - 0.96^(t decay) / 2); the product of all up to t is below the last digit of 1 after some
 * hundred steps, so the walk to it is short whatever t is. */
static double mu_of(const ct__rule *r, double t) {
    return r->beta1 * (1 - 0.5 * pow(0.96, t * r->momentum_decay));
}
static double mu_product(const ct__rule *r, double t) {
    double ratio = pow(0.96, r->momentum_decay), power = 1, product = 1;
    for (double i = 1; i <= t && product > 1e-20; i++) {
        power *= ratio;
        product *= r->beta1 * (1 - 0.5 * power);
    }
    return product;
}

static void nadam(const void *data, float *const *var, const float *g, int64_t n, const float *scalars,
                  uint64_t step) {
    const ct__rule *r = data;
    double t = (double)step + 1, lr = (double)scalars[0], product = mu_product(r, t), mu = mu_of(r, t),
           next = mu_of(r, t + 1);
    nadam_numbers s;
    if (!open_call(r, scalars, &s.c)) return;
    s.c.a = (float)(1 - r->beta1);
    s.c.b = (float)r->beta2;
    s.c.d = (float)(1 - r->beta2);
    s.c.c = (float)(1 / sqrt(1 - pow(r->beta2, t)));
    s.now = (float)(lr * (1 - mu) / (1 - product));
    s.mean = (float)(lr * next / (1 - product * next));
    each(nadam_body, 3, &s.c, var, g, n);
}

/* ---- Lion ---- */
/* a: 1 - beta1, b: 1 - beta2 */
CT_V void lion_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[0] = fma1(-c->lr, sign_of(fma1(c->a, g - v[1], v[1])), v[0]);
    v[1] = fma1(c->b, g - v[1], v[1]);
}
static void lion(const void *data, float *const *var, const float *g, int64_t n, const float *scalars,
                 uint64_t step) {
    const ct__rule *r = data;
    numbers c;
    (void)step;
    if (!open_call(r, scalars, &c)) return;
    c.a = (float)(1 - r->beta1);
    c.b = (float)(1 - r->beta2);
    each(lion_body, 2, &c, var, g, n);
}

/* ---- RMSprop ---- */
/* a: alpha, b: 1 - alpha, c: momentum */
CT_V ct_f16v squared(const numbers *c, ct_f16v square, ct_f16v g) {
    return ct_v_fma(g * c->b, g, square * c->a);
}
CT_V ct_f16v deviation(const numbers *c, ct_f16v square) { return ct_v_sqrt(square) + c->eps; }
/* Rounding may bring square - mean^2 below zero. */
CT_V ct_f16v spread(ct_f16v square, ct_f16v mean) {
    ct_f16v x = ct_v_fma(-mean, mean, square);
    return ct_v_select(x < 0.0f, ct_v_splat(0.0f), x);
}
CT_V void rmsprop_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = squared(c, v[1], g);
    v[0] = fma1(-c->lr, over(g, deviation(c, v[1])), v[0]);
}
CT_V void rmsprop_centered_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = squared(c, v[1], g);
    v[2] = fma1(c->b, g - v[2], v[2]);
    v[0] = fma1(-c->lr, over(g, deviation(c, spread(v[1], v[2]))), v[0]);
}
CT_V void rmsprop_momentum_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = squared(c, v[1], g);
    v[2] = fma1(c->c, v[2], over(g, deviation(c, v[1])));
    v[0] = fma1(-c->lr, v[2], v[0]);
}
CT_V void rmsprop_both_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = squared(c, v[1], g);
    v[2] = fma1(c->b, g - v[2], v[2]);
    v[3] = fma1(c->c, v[3], over(g, deviation(c, spread(v[1], v[2]))));
    v[0] = fma1(-c->lr, v[3], v[0]);
}

static int rmsprop_call(const ct__rule *r, const float *scalars, numbers *c) {
    int fine = open_call(r, scalars, c);
    c->a = (float)r->beta2;
    c->b = (float)(1 - r->beta2);
    c->c = (float)r->beta1;
    return fine;
}
#define RMSPROP(name, vars) \
    static void name(const void *data, float *const *var, const float *g, int64_t n, const float *scalars, \
                     uint64_t step) { \
        numbers c; \
        (void)step; \
        if (rmsprop_call(data, scalars, &c)) each(name##_body, vars, &c, var, g, n); \
    }
RMSPROP(rmsprop, 2)
RMSPROP(rmsprop_centered, 3)
RMSPROP(rmsprop_momentum, 3)
RMSPROP(rmsprop_both, 4)

/* ---- Adagrad, Adadelta ---- */
CT_V void adagrad_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = ct_v_fma(g, g, v[1]);
    v[0] = fma1(-c->lr, over(g, ct_v_sqrt(v[1]) + c->eps), v[0]);
}
static void adagrad(const void *data, float *const *var, const float *g, int64_t n, const float *scalars,
                    uint64_t step) {
    const ct__rule *r = data;
    numbers c;
    if (!open_call(r, scalars, &c)) return;
    c.lr = (float)((double)scalars[0] / (1 + (double)step * r->momentum_decay));
    each(adagrad_body, 2, &c, var, g, n);
}

/* a: rho, b: 1 - rho */
CT_V void adadelta_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = squared(c, v[1], g);
    ct_f16v d = over(ct_v_sqrt(v[2] + c->eps), ct_v_sqrt(v[1] + c->eps)) * g;
    v[2] = squared(c, v[2], d);
    v[0] = fma1(-c->lr, d, v[0]);
}
static void adadelta(const void *data, float *const *var, const float *g, int64_t n, const float *scalars,
                     uint64_t step) {
    const ct__rule *r = data;
    numbers c;
    (void)step;
    if (!open_call(r, scalars, &c)) return;
    c.a = (float)r->beta2;
    c.b = (float)(1 - r->beta2);
    each(adadelta_body, 3, &c, var, g, n);
}

/* ---- average ---- */
static void average(const void *data, float *const *var, const float *g, int64_t n, const float *scalars,
                    uint64_t step) {
    const ct__rule *r = data;
    const float *p = var[0];
    float *to = var[1], rest = (float)(1 - r->beta2);
    int64_t i = 0;
    (void)g;
    (void)scalars;
    (void)step;
    for (; i + 16 <= n; i += 16) {
        ct_f16v a = ct_v_load(to + i);
        ct_v_store(to + i, fma1(rest, ct_v_load(p + i) - a, a));
    }
    if (i == n) return;
    ct_f16v a = ct_v_load_part(to + i, n - i);
    ct_v_store_part(to + i, fma1(rest, ct_v_load_part(p + i, n - i) - a, a), n - i);
}

/* ---- rows of a table ---- */
CT_V void each_row(body_fn body, const int vars, const numbers *c, float *const *var,
                   const ct__rows_used *rows) {
    for (int64_t u = 0; u < rows->slots; u++) {
        float *at[MAX_VARS];
        if (rows->row[u] < 0) continue;
        for (int k = 0; k < vars; k++) at[k] = var[k] + rows->row[u] * rows->width;
        each(body, vars, c, at, rows->values + u * rows->width, rows->width);
    }
}
/* lr: learning rate * sqrt(1 - beta2^t) / (1 - beta1^t); the divisor's square is not corrected */
CT_V void rows_adam_body(const numbers *c, ct_f16v v[MAX_VARS], ct_f16v g) {
    g = gradient(c, v, g);
    v[1] = fma1(c->a, g - v[1], v[1]);
    v[2] = fma1(c->d, ct_v_fma(g, g, -v[2]), v[2]);
    v[0] = fma1(-c->lr, over(v[1], ct_v_sqrt(v[2]) + c->eps), v[0]);
}
static void rows_sgd(const void *data, float *const *var, const ct__rows_used *rows, const float *scalars,
                     uint64_t step) {
    numbers c;
    (void)step;
    if (open_call(data, scalars, &c)) each_row(sgd_body, 1, &c, var, rows);
}
static void rows_adam(const void *data, float *const *var, const ct__rows_used *rows, const float *scalars,
                      uint64_t step) {
    const ct__rule *r = data;
    double t = (double)step + 1;
    numbers c;
    if (!open_call(r, scalars, &c)) return;
    c.a = (float)(1 - r->beta1);
    c.d = (float)(1 - r->beta2);
    c.lr = (float)((double)scalars[0] * sqrt(1 - pow(r->beta2, t)) / (1 - pow(r->beta1, t)));
    each_row(rows_adam_body, 3, &c, var, rows);
}
static void rows_adagrad(const void *data, float *const *var, const ct__rows_used *rows, const float *scalars,
                         uint64_t step) {
    numbers c;
    (void)step;
    if (open_call(data, scalars, &c)) each_row(adagrad_body, 2, &c, var, rows);
}

/* ---- the norm ---- */
typedef float half __attribute__((vector_size(32)));
typedef double lanes __attribute__((vector_size(64))); /* eight doubles */
CT_V lanes wide(const float *x) {
    half v;
    memcpy(&v, x, sizeof v);
    return __builtin_convertvector(v, lanes);
}
static double squares(const float *x, int64_t n) {
    lanes low = {0}, high = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        lanes a = wide(x + i), b = wide(x + i + 8);
        low += a * a;
        high += b * b;
    }
    for (int64_t k = i; k < n; k++) {
        double v = (double)x[k] * (double)x[k];
        if (k - i < 8)
            low[k - i] += v;
        else
            high[k - i - 8] += v;
    }
    low += high;
    return ((low[0] + low[4]) + (low[2] + low[6])) + ((low[1] + low[5]) + (low[3] + low[7]));
}

extern const ct__update_table CT_SIMD(ct__update_table);
const ct__update_table CT_SIMD(ct__update_table) = {
    .sgd = sgd,
    .sgd_momentum = sgd_momentum,
    .adam = adam,
    .nadam = nadam,
    .lion = lion,
    .rmsprop = rmsprop,
    .rmsprop_centered = rmsprop_centered,
    .rmsprop_momentum = rmsprop_momentum,
    .rmsprop_both = rmsprop_both,
    .adagrad = adagrad,
    .adadelta = adadelta,
    .average = average,
    .rows_sgd = rows_sgd,
    .rows_adam = rows_adam,
    .rows_adagrad = rows_adagrad,
    .squares = squares,
};
