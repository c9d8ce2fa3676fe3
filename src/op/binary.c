/* Elementwise arithmetic of two tensors, with NumPy broadcasting.
 *
 *     add: x + y        dx = dz, dy = dz
 *     sub: x - y        dx = dz, dy = -dz
 *     mul: x * y        dx = dz * y, dy = dz * x
 *     div: x / y        dx = dz / y, dy = -dz * z / y
 *     minimum, maximum: the smaller, the larger; NaN of either wins; ties give the gradient to x and y in halves
 *     pow: x^y          dx = dz * y * x^(y-1), dy = dz * z * log(x)  (0 where x = 0)
 *
 * Shapes: any two that broadcast; z has the broadcast shape. Gradients of a broadcast input are summed by
 * the reverse walk, never here. */
#include "op/common.h"

static ct__tile_any tile_add(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->add_;
}
static ct__tile_any tile_sub(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->sub_;
}
static ct__tile_any tile_mul(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->mul_;
}
static ct__tile_any tile_div(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->div_;
}
static ct__tile_any tile_min(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->min_;
}
static ct__tile_any tile_max(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->max_;
}
static ct__tile_any tile_pow(const struct ct__simd *s, const ct__value *a, float p[4]) {
    (void)a;
    (void)p;
    return s->tile->pow_;
}

static double add(double x, double y, double z, const ct__value *a) {
    (void)z;
    (void)a;
    return x + y;
}
static double sub(double x, double y, double z, const ct__value *a) {
    (void)z;
    (void)a;
    return x - y;
}
static double mul(double x, double y, double z, const ct__value *a) {
    (void)z;
    (void)a;
    return x * y;
}
static double divide(double x, double y, double z, const ct__value *a) {
    (void)z;
    (void)a;
    return x / y;
}
static double smaller(double x, double y, double z, const ct__value *a) {
    (void)z;
    (void)a;
    return isnan(x) || x < y ? x : y;
}
static double larger(double x, double y, double z, const ct__value *a) {
    (void)z;
    (void)a;
    return isnan(x) || x > y ? x : y;
}
static double power(double x, double y, double z, const ct__value *a) {
    (void)z;
    (void)a;
    return pow(x, y);
}

static void ref_add(ct__ref *r) { ct__ref_elementwise(r, add); }
static void ref_sub(ct__ref *r) { ct__ref_elementwise(r, sub); }
static void ref_mul(ct__ref *r) { ct__ref_elementwise(r, mul); }
static void ref_div(ct__ref *r) { ct__ref_elementwise(r, divide); }
static void ref_min(ct__ref *r) { ct__ref_elementwise(r, smaller); }
static void ref_max(ct__ref *r) { ct__ref_elementwise(r, larger); }
static void ref_pow(ct__ref *r) { ct__ref_elementwise(r, power); }

static void grad_add(ct__grad *g) { g->din[0] = g->din[1] = g->dout[0]; }

static void grad_sub(ct__grad *g) {
    g->din[0] = g->dout[0];
    if (g->need[1]) g->din[1] = ct_neg(g->dout[0]);
}

static void grad_mul(ct__grad *g) {
    if (g->need[0]) g->din[0] = ct_mul(g->dout[0], g->in[1]);
    if (g->need[1]) g->din[1] = ct_mul(g->dout[0], g->in[0]);
}

static void grad_div(ct__grad *g) {
    ct_t dx = ct_div(g->dout[0], g->in[1]);
    if (g->need[0]) g->din[0] = dx;
    if (g->need[1]) g->din[1] = ct_neg(ct_mul(dx, g->out[0]));
}

/* dz * ([x wins] + [tie] / 2), and the rest for y */
static void grad_extreme(ct__grad *g) {
    ct_t tie = ct_cast(ct_eq(g->in[0], g->in[1]), CT_F32), half = ct_mul_scalar(tie, 0.5);
    ct_t x_wins = ct_sub(ct_cast(ct_eq(g->in[0], g->out[0]), CT_F32), half);
    ct_t y_wins = ct_sub(ct_cast(ct_eq(g->in[1], g->out[0]), CT_F32), half);
    if (g->need[0]) g->din[0] = ct_mul(g->dout[0], x_wins);
    if (g->need[1]) g->din[1] = ct_mul(g->dout[0], y_wins);
}

static void grad_pow(ct__grad *g) {
    ct_t x = g->in[0], y = g->in[1];
    if (g->need[0]) g->din[0] = ct_mul(g->dout[0], ct_mul(y, ct_pow(x, ct_add_scalar(y, -1))));
    if (g->need[1]) {
        ct_t zero = ct_eq(x, ct_number(g->graph, 0));
        g->din[1] = ct_mul(g->dout[0], ct_mul(g->out[0], ct_log(ct_where(zero, ct_number(g->graph, 1), x))));
    }
}

static const ct__case cases[] = {
    {.text = "x=f32[3,5]; y=f32[3,5]; add(x, y)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5]; y=f32[5]; add(x, y)"},
    {.text = "x=f32[N,1,7]; y=f32[4,1]; add(x, y)"},
    {.text = "x=f32[17]; y=f32[]; add(x, y)"},
    {.text = "x=f32[0,3]; y=f32[3]; add(x, y)"},
    {.text = "x=f32[3,5]; y=f32[4]; add(x, y)", .error = "shapes [3,5] and [4] do not broadcast"},
    {.text = "x=f32[3]; y=i64[3]; add(x, y)", .error = "input 2 is i64; wanted f32"},
    {0},
};
static const ct__case sub_cases[] = {
    {.text = "x=f32[3,16]; y=f32[3,16]; sub(x, y)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,1]; y=f32[1,9]; sub(x, y)"},
    {0}};
static const ct__case mul_cases[] = {
    {.text = "x=f32[3,16]; y=f32[3,16]; mul(x, y)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,1,3]; y=f32[2,1]; mul(x, y)"},
    {0}};
static const ct__case div_cases[] = {
    {.text = "x=f32[3,16]; y=f32[3,16]; div(x, y)", .flags = CT__CASE_POSITIVE | CT__CASE_SECOND},
    {.text = "x=f32[N,8]; y=f32[8]; div(x, y)", .flags = CT__CASE_POSITIVE},
    {0}};
static const ct__case min_cases[] = {
    {.text = "x=f32[3,15]; y=f32[3,15]; minimum(x, y)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3]; y=f32[]; minimum(x, y)"},
    {0}};
static const ct__case max_cases[] = {
    {.text = "x=f32[3,15]; y=f32[3,15]; maximum(x, y)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,3]; y=f32[]; maximum(x, y)"},
    {0}};
static const ct__case pow_cases[] = {
    {.text = "x=f32[3,15]; y=f32[3,15]; pow(x, y)", .flags = CT__CASE_POSITIVE | CT__CASE_SECOND},
    {.text = "x=f32[N,3]; y=f32[]; pow(x, y)", .flags = CT__CASE_POSITIVE},
    {0}};

#define BINARY_FLAGS (CT__OP_FOLLOW | CT__OP_INPLACE)
const ct__op ct__op_add = {
    .name = "add",
    .summary = "x + y",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = BINARY_FLAGS | CT__OP_LINEAR | CT__OP_ZERO,
    .infer = ct__elementwise_infer,
    .grad = grad_add,
    .batch = ct__batch_rows,
    .tile = tile_add,
    .ref = ref_add,
    .cases = cases,
};
const ct__op ct__op_sub = {
    .name = "sub",
    .summary = "x - y",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = BINARY_FLAGS | CT__OP_LINEAR | CT__OP_ZERO,
    .infer = ct__elementwise_infer,
    .grad = grad_sub,
    .batch = ct__batch_rows,
    .tile = tile_sub,
    .ref = ref_sub,
    .cases = sub_cases,
};
const ct__op ct__op_mul = {
    .name = "mul",
    .summary = "x * y",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = BINARY_FLAGS | CT__OP_ZERO,
    .infer = ct__elementwise_infer,
    .grad = grad_mul,
    .batch = ct__batch_rows,
    .tile = tile_mul,
    .ref = ref_mul,
    .cases = mul_cases,
};
const ct__op ct__op_div = {
    .name = "div",
    .summary = "x / y",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = BINARY_FLAGS,
    .infer = ct__elementwise_infer,
    .grad = grad_div,
    .batch = ct__batch_rows,
    .tile = tile_div,
    .ref = ref_div,
    .cases = div_cases,
};
const ct__op ct__op_minimum = {
    .name = "minimum",
    .summary = "the smaller of x and y",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = BINARY_FLAGS | CT__OP_ZERO,
    .infer = ct__elementwise_infer,
    .grad = grad_extreme,
    .batch = ct__batch_rows,
    .tile = tile_min,
    .ref = ref_min,
    .cases = min_cases,
};
const ct__op ct__op_maximum = {
    .name = "maximum",
    .summary = "the larger of x and y",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = BINARY_FLAGS | CT__OP_ZERO,
    .infer = ct__elementwise_infer,
    .grad = grad_extreme,
    .batch = ct__batch_rows,
    .tile = tile_max,
    .ref = ref_max,
    .cases = max_cases,
};
const ct__op ct__op_pow = {
    .name = "pow",
    .summary = "x to the power of y",
    .inputs_min = 2,
    .inputs_max = 2,
    .flags = BINARY_FLAGS,
    .infer = ct__elementwise_infer,
    .grad = grad_pow,
    .batch = ct__batch_rows,
    .tile = tile_pow,
    .ref = ref_pow,
    .cases = pow_cases,
};

/* x + y, broadcasting. */
ct_t ct_add(ct_t x, ct_t y) { return ct__op2(&ct__op_add, x, y); }
/* x - y, broadcasting. */
ct_t ct_sub(ct_t x, ct_t y) { return ct__op2(&ct__op_sub, x, y); }
/* x * y, broadcasting. */
ct_t ct_mul(ct_t x, ct_t y) { return ct__op2(&ct__op_mul, x, y); }
/* x / y, broadcasting. */
ct_t ct_div(ct_t x, ct_t y) { return ct__op2(&ct__op_div, x, y); }
/* The smaller of x and y, broadcasting; NaN of either wins. */
ct_t ct_minimum(ct_t x, ct_t y) { return ct__op2(&ct__op_minimum, x, y); }
/* The larger of x and y, broadcasting; NaN of either wins. */
ct_t ct_maximum(ct_t x, ct_t y) { return ct__op2(&ct__op_maximum, x, y); }
/* x to the power of y, broadcasting; C's pow in special cases. */
ct_t ct_pow(ct_t x, ct_t y) { return ct__op2(&ct__op_pow, x, y); }
