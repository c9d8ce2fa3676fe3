/* Matrix products of src/kern on every instruction set of this machine: against loops of doubles, and bit by
 * bit against the promised chain c = fma(a, b, c), over sizes about the tiles, every stride and layout. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/gemm.h"

static uint32_t state = 12345;
static uint32_t draw(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}
static float *numbers(int64_t n) {
    float *p = malloc((size_t)(n + 16) * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n + 16; i++) p[i] = (float)((double)(draw() % 20001) / 10000.0 - 1.0);
    return p;
}

typedef struct problem {
    ct__gemm g;
    float *a, *b, *panel, *bias, *plus, *c, *before; /* b with strides; its panels; plus lies as c */
    int64_t c_floats;
} problem;

static int64_t at(const ct__gemm *g, int64_t i, int64_t j) {
    int64_t stride = g->c_panel_stride ? g->c_panel_stride : g->m * 16;
    return g->c_panel ? (j / 16) * stride + i * 16 + j % 16 : i * g->c_row + j;
}

/* kind: bits choose transposed A, transposed B, panels, accumulation, relu, general strides, gaps, bias, a sum. */
static problem make(const ct__gemm_table *t, int64_t m, int64_t n, int64_t k, uint32_t kind) {
    problem p = {.g = {.m = m, .n = n, .k = k}};
    ct__gemm *g = &p.g;
    int64_t gap = kind & 128 ? 3 : 0, two = kind & 64 ? 2 : 1, panels = (n + 15) / 16;
    if (kind & 1)
        g->a_row = two, g->a_col = m * two + gap;
    else
        g->a_row = k * two + gap, g->a_col = two;
    if (kind & 2)
        g->b_row = two, g->b_col = k * two + gap;
    else
        g->b_row = n * two + gap, g->b_col = two;
    g->b_panel = (kind & 4) != 0;
    g->c_panel = (kind & 8) != 0;
    g->accumulate = (kind & 16) != 0;
    g->act = kind & 32 ? CT__ACT_RELU : CT__ACT_NONE;
    g->c_row = n + gap;
    if (gap && g->b_panel) g->b_panel_stride = k * 16 + 48;
    if (gap && g->c_panel) g->c_panel_stride = m * 16 + 32;
    int64_t b_stride = g->b_panel_stride ? g->b_panel_stride : k * 16;
    p.a = numbers(m * g->a_row + k * g->a_col);
    p.b = numbers(k * g->b_row + n * g->b_col);
    p.panel = numbers(panels * b_stride);
    float *packed = numbers(panels * k * 16);
    t->pack(k, n, p.b, g->b_row, g->b_col, packed);
    for (int64_t q = 0; q < panels; q++)
        memcpy(p.panel + q * b_stride, packed + q * k * 16, (size_t)k * 16 * sizeof(float));
    free(packed);
    p.bias = (kind & 256) ? numbers(n) : NULL;
    p.c_floats = g->c_panel ? panels * (m * 16 + 32) : m * (n + gap);
    p.c = numbers(p.c_floats);
    p.plus = kind & 512 ? numbers(p.c_floats) : NULL;
    for (int64_t i = 0; p.plus && g->c_panel && i < m; i++)
        for (int64_t j = n; j < panels * 16; j++) p.plus[at(g, i, j)] = 0;
    for (int64_t i = 0; g->c_panel && i < m; i++)
        for (int64_t j = n; g->accumulate && j < panels * 16; j++) p.c[at(g, i, j)] = 0;
    p.before = malloc((size_t)(p.c_floats + 16) * sizeof(float));
    assert_non_null(p.before);
    memcpy(p.before, p.c, (size_t)(p.c_floats + 16) * sizeof(float));
    return p;
}

static void drop(problem *p) {
    free(p->a), free(p->b), free(p->panel), free(p->bias), free(p->plus), free(p->c), free(p->before);
}

static void run(const ct__gemm_table *t, problem *p) {
    size_t bytes = ct__gemm_scratch(&p->g);
    unsigned char *scratch = aligned_alloc(64, (bytes + 64 + 63) / 64 * 64);
    assert_non_null(scratch);
    memset(scratch + bytes, 0x5a, 64);
    t->run(&p->g, p->a, p->g.b_panel ? p->panel : p->b, p->bias, p->plus, p->c, scratch);
    for (int i = 0; i < 64; i++) assert_int_equal(scratch[bytes + (size_t)i], 0x5a);
    free(scratch);
}

/* Every element is the chain, and within rounding of the exact sum; nothing else of C is written. */
static void check(const ct__simd *s, problem *p) {
    const ct__gemm *g = &p->g;
    unsigned char *touched = calloc((size_t)p->c_floats + 16, 1);
    assert_non_null(touched);
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < (g->c_panel ? (g->n + 15) / 16 * 16 : g->n); j++) {
            int64_t where = at(g, i, j);
            float y = p->c[where], chain = g->accumulate ? p->before[where] : 0.0f;
            double exact = chain, size = 1;
            touched[where] = 1;
            if (j >= g->n) {
                assert_true(y == 0 && !signbit(y));
                continue;
            }
            for (int64_t q = 0; q < g->k; q++) {
                float a = p->a[i * g->a_row + q * g->a_col], b = p->b[q * g->b_row + j * g->b_col];
                chain = s->level > 1 ? fmaf(a, b, chain) : a * b + chain;
                exact += (double)a * b;
                size += fabs((double)a * b);
            }
            if (p->bias && !g->accumulate) chain += p->bias[j], exact += p->bias[j];
            if (g->act && !g->accumulate) chain = chain <= 0 ? 0 : chain, exact = exact <= 0 ? 0 : exact;
            if (p->plus) chain += p->plus[where], exact += p->plus[where];
            if (memcmp(&y, &chain, 4) != 0 || fabs(y - exact) > 1e-6 * size)
                fail_msg("%s m %d n %d k %d (%d,%d): %a, chain %a, exact %g", s->name, (int)g->m, (int)g->n,
                         (int)g->k, (int)i, (int)j, y, chain, exact);
        }
    for (int64_t i = 0; i < p->c_floats + 16; i++)
        if (!touched[i]) assert_memory_equal(&p->c[i], &p->before[i], 4);
    free(touched);
}

#define EACH_SET(s) \
    for (int32_t level = 1; level <= 3; level++) \
        for (const ct__simd *s = ct__simd_of(level); s && s->level == level; s = NULL)

static void test_kinds(void **unused) {
    (void)unused;
    EACH_SET(s) for (uint32_t kind = 0; kind < 1024; kind++) {
        problem p = make(s->gemm, draw() % 40, draw() % 70, draw() % 40, kind);
        run(s->gemm, &p);
        check(s, &p);
        drop(&p);
    }
}

static void test_sizes(void **unused) {
    (void)unused;
    static const int64_t ms[] = {0, 1, 2, 5, 6, 7, 13, 14, 15, 17, 29},
                         ns[] = {0, 1, 10, 15, 16, 17, 31, 32, 33, 48, 64, 65, 80}, ks[] = {0, 1, 2, 7, 19};
    EACH_SET(s)
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
                problem p = make(s->gemm, ms[i], ns[j], ks[k], draw() % 512);
                run(s->gemm, &p);
                check(s, &p);
                drop(&p);
            }
}

/* Beyond one block of K, and A's copied rows: chains go on through C. */
static void test_blocks(void **unused) {
    (void)unused;
    static const int64_t sizes[][3] = {{9, 64, 512},  {120, 70, 512}, {230, 64, 1024}, {13, 65, 513},
                                       {3, 33, 1500}, {1, 130, 1024}, {40, 17, 1100}};
    EACH_SET(s)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t kind = 0; kind < 512; kind += 37) {
            problem p =
                make(s->gemm, sizes[i][0], sizes[i][1], sizes[i][2], kind & ~64u & (i & 1 ? ~0u : ~1u));
            run(s->gemm, &p);
            check(s, &p);
            drop(&p);
        }
}

/* A row's bits depend neither on M nor on its position. */
static void test_rows(void **unused) {
    (void)unused;
    EACH_SET(s) for (int64_t n = 10; n < 100; n += 22) {
        problem all = make(s->gemm, 67, n, 600, 4 | 256 | 32);
        run(s->gemm, &all);
        for (int64_t m = 1; m < 60; m += 3) {
            problem part = all;
            int64_t first = draw() % (uint32_t)(67 - m + 1);
            part.g.m = m;
            part.a = all.a + first * all.g.a_row;
            part.c = malloc((size_t)(m * n) * sizeof(float));
            assert_non_null(part.c);
            run(s->gemm, &part);
            assert_memory_equal(part.c, all.c + first * n, (size_t)(m * n) * sizeof(float));
            free(part.c);
        }
        drop(&all);
    }
}

/* Infinite and undefined numbers do not leak into the zero lanes; relu keeps NaN. */
static void test_special(void **unused) {
    (void)unused;
    EACH_SET(s) {
        problem p = make(s->gemm, 3, 5, 4, 4 | 8 | 32);
        p.a[0] = INFINITY;
        p.a[p.g.a_row] = NAN;
        run(s->gemm, &p);
        for (int64_t i = 0; i < 3; i++)
            for (int64_t j = 5; j < 16; j++) assert_true(p.c[i * 16 + j] == 0);
        for (int64_t j = 0; j < 5; j++) assert_true(isnan(p.c[16 + j]));
        drop(&p);
    }
}

static void test_layouts(void **unused) {
    (void)unused;
    static const int64_t sizes[] = {0, 1, 7, 8, 9, 15, 16, 17, 33, 48};
    EACH_SET(s)
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 10; j++)
            for (int transposed = 0; transposed < 3; transposed++) {
                int64_t r = sizes[i], c = sizes[j],
                        row = transposed == 1 ? 1
                              : transposed    ? 2 * c + 1
                                              : c + 2,
                        col = transposed == 1 ? r + 1
                              : transposed    ? 2
                                              : 1;
                int64_t floats = (int64_t)ct__panel_floats(r, c),
                        flipped_floats = (int64_t)ct__panel_floats(c, r), total = r * row + c * col;
                float *x = numbers(total), *panel = numbers(floats), *flip = numbers(flipped_floats),
                      *back = numbers(total), *was = numbers(total);
                memcpy(was, back, (size_t)total * sizeof *was);
                s->gemm->pack(r, c, x, row, col, panel);
                s->gemm->flip(r, c, panel, flip);
                s->gemm->unpack(r, c, panel, back, row, col);
                for (int64_t p = 0; p < floats; p++) {
                    int64_t y = p / 16 % (r ? r : 1), l = p / 16 / (r ? r : 1) * 16 + p % 16;
                    assert_true(panel[p] == (l < c ? x[y * row + l * col] : 0.0f));
                }
                for (int64_t p = 0; p < flipped_floats; p++) {
                    int64_t y = p / 16 % (c ? c : 1), l = p / 16 / (c ? c : 1) * 16 + p % 16;
                    assert_true(flip[p] == (l < r ? x[l * row + y * col] : 0.0f));
                }
                for (int64_t y = 0; y < r; y++)
                    for (int64_t l = 0; l < c; l++) {
                        assert_true(back[y * row + l * col] == x[y * row + l * col]);
                        was[y * row + l * col] = back[y * row + l * col];
                    }
                assert_memory_equal(was, back, (size_t)total * sizeof *was);
                free(x), free(panel), free(flip), free(back), free(was);
            }
}

static void test_sum_rows(void **unused) {
    (void)unused;
    EACH_SET(s) for (int64_t n = 0; n < 150; n += 7) for (int64_t m = 0; m < 20; m += 3) {
        float *x = numbers(m * n), *sum = numbers(n), last = sum[n];
        s->gemm->sum_rows(m, n, x, sum);
        for (int64_t j = 0; j < n; j++) {
            float wanted = 0;
            for (int64_t i = 0; i < m; i++) wanted += x[i * n + j];
            assert_memory_equal(&wanted, &sum[j], 4);
        }
        assert_true(sum[n] == last);
        free(x), free(sum);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),    cmocka_unit_test(test_sizes),   cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_special), cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_sum_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
