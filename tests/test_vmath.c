/* test_vmath.c: M11, the elementary functions of the kernels on the floats themselves, against a double reference, for
 * every instruction set of this machine: the largest error in units of the last place, no NaN and no infinity where
 * the function has a number, and monotone where the function is. Every 65,536th float of all; with COTAN_TEST_FULL set
 * every 4,096th; with COTAN_TEST_FLOATS set to "all" all of them (some minutes a function; COTAN_TEST_FUNCTION and
 * COTAN_TEST_SET choose one function and one instruction set). The table that this prints
 * stands in docs/numbers.md. Kernels run as in plans: denormals are zeros. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "kern/tile.h"

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double gelu(double x) { return 0.5 * x * erfc(-x * M_SQRT1_2); }
static double softplus(double x) { return x > 20 ? x : log1p(exp(x)); }
static double rsqrt(double x) { return 1 / sqrt(x); }
static double silu(double x) { return x / (1 + exp(-x)); }
static double gelu_tanh(double x) {
    return x / (1 + exp(-2 * 0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

typedef struct function {
    const char *name;
    double (*reference)(double x);
    size_t member; /* of the tile table */
    float p[2];
    double ulp;    /* allowed */
    int32_t rises; /* 1: never falls, -1: never rises, 0: neither */
    int32_t back;  /* by how many units of the last place it may go back */
} function;
#define TABLE(name) offsetof(ct__tile_table, name##_)
static const function functions[] = {
    {"exp", exp, TABLE(exp), {0}, 1, 1, 0},
    {"log", log, TABLE(log), {0}, 1, 1, 0},
    {"tanh", tanh, TABLE(tanh), {0}, 2, 1, 0},
    {"sigmoid", sigmoid, TABLE(sigmoid), {0}, 2.5, 1, 0},
    {"gelu", gelu, TABLE(gelu), {0}, 6, 0, 0},
    {"gelu_tanh", gelu_tanh, TABLE(gelu_tanh), {0}, 200, 0, 0},
    {"softplus", softplus, TABLE(softplus), {1, 20}, 2.5, 1, 0},
    {"rsqrt", rsqrt, TABLE(rsqrt), {0}, 1.5, -1, 0},
    {"erf", erf, TABLE(erf), {0}, 2, 1, 0},
    {"silu", silu, TABLE(silu), {0}, 3, 0, 0},
    {"expm1", expm1, TABLE(expm1), {0}, 2.5, 1, 0},
    {"log1p", log1p, TABLE(log1p), {0}, 2, 1, 0},
    {"sin", sin, TABLE(sin), {0}, 2, 0, 0},
    {"cos", cos, TABLE(cos), {0}, 2, 0, 0},
};

/* Floats in order: 0 is -infinity, then up to +infinity; their count; NaN left out. */
#define INFINITE 0x7f800000u
#define FLOATS (2 * (uint64_t)INFINITE + 1)
static float nth(uint64_t i) {
    uint32_t bits = i < INFINITE ? 0x80000000u | (uint32_t)(INFINITE - i) : (uint32_t)(i - INFINITE);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define LEAST 3e-37

typedef struct result {
    double ulp;
    float worst;  /* where */
    int64_t back; /* the most units of the last place that it went the wrong way */
    float back_at;
    uint64_t tested, strange; /* strange: NaN or infinity for a number, or the other way */
    float strange_at;
} result;

static double unit(double y) { /* of the last place of a float near y */
    int e;
    frexp(y, &e);
    return ldexp(1, (e < -125 ? -125 : e) - 24);
}

static int64_t order(float y) {
    int32_t bits;
    memcpy(&bits, &y, sizeof bits);
    return bits < 0 ? -(int64_t)(bits & 0x7fffffff) : bits;
}

static void judge(const function *f, float x, float y, result *r) {
    double want = f->reference((double)(fabsf(x) < FLT_MIN ? copysignf(0, x) : x));
    r->tested++;
    if (isnan(want) ||
        fabs(want) > (double)FLT_MAX) { /* outside, or an infinity; one last place is forgiven */
        if (isnan(want) ? !isnan(y) : fabsf(y) < FLT_MAX) r->strange++, r->strange_at = x;
        return;
    }
    if (!isfinite(y)) {
        if (fabs(want) < (double)FLT_MAX * (1 - 1e-6)) r->strange++, r->strange_at = x;
        return;
    }
    if (fabs(want) < LEAST)
        return; /* 0 and denormals are no errors, nor what a denormal factor brings about */
    double ulp = fabs((double)y - want) / unit(want);
    if (ulp > r->ulp) r->ulp = ulp, r->worst = x;
}

static result walk(const function *f, const ct__simd *simd, uint64_t stride) {
    static _Alignas(64) float x[CT__TILE], y[CT__TILE];
    ct__tile_fn fn;
    result r = {0};
    float before = NAN;
    memcpy(&fn, (const char *)simd->tile + f->member, sizeof fn);
    for (uint64_t i = 0; i < FLOATS; i += stride * CT__TILE) {
        int n = 0;
        for (; n < CT__TILE && i + (uint64_t)n * stride < FLOATS; n++) x[n] = nth(i + (uint64_t)n * stride);
        for (int k = n; k < CT__TILE; k++) x[k] = 0;
        ct_float_state s = ct__float_enter();
        fn(y, x, NULL, NULL, CT__TILE, f->p);
        ct__float_leave(s);
        for (int k = 0; k < n; k++) {
            judge(f, x[k], y[k], &r);
            int64_t back = f->rises * (order(before) - order(y[k]));
            if (f->rises && isfinite(before) && isfinite(y[k]) && back > r.back)
                r.back = back, r.back_at = x[k];
            before = y[k];
        }
    }
    return r;
}

static uint64_t stride_of(void) {
    const char *floats = getenv("COTAN_TEST_FLOATS");
    if (floats && strcmp(floats, "all") == 0) return 1;
    return getenv("COTAN_TEST_FULL") ? 4096 : 65537;
}

static void M11_every_float(void **state) {
    const char *only = getenv("COTAN_TEST_FUNCTION"), *set = getenv("COTAN_TEST_SET");
    int wrong = 0;
    (void)state;
    for (int32_t level = 1; level <= ct__simd_of(0)->level; level++)
        for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
            const function *f = &functions[i];
            if ((only && strcmp(only, f->name) != 0) || (set && strcmp(set, ct__simd_of(level)->name) != 0))
                continue;
            result r = walk(f, ct__simd_of(level), stride_of());
            int bad = !(r.ulp <= f->ulp) || r.strange || r.back > f->back;
            printf("%-9s %-9s %6.2f ulp at %.9g; back %lld at %.9g; strange %llu at %.9g%s\n",
                   ct__simd_of(level)->name, f->name, r.ulp, (double)r.worst, (long long)r.back,
                   (double)r.back_at, (unsigned long long)r.strange, (double)r.strange_at,
                   bad ? "  WRONG" : "");
            wrong += bad;
        }
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(M11_every_float)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
