/* test_init.c: initial values: moments, bounds, orthogonality, and what they depend on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "graph/graph.h"

#define ROOM 65536
static float draw[ROOM], other[ROOM];

static ct__var var_of(const char *name, int32_t rank, const int64_t *dim, ct_init init) {
    ct__var v = {.name = name,
                 .dtype = CT_F32,
                 .kind = CT_PARAM,
                 .shape = ct_shape_make(rank, dim),
                 .count = 1,
                 .init = init};
    int64_t field = 1;
    for (int32_t i = 0; i < rank; i++) v.count *= (uint64_t)dim[i];
    for (int32_t i = 2; i < rank; i++) field *= dim[i];
    v.fan_in = field * (rank > 1 ? dim[1] : dim[0]);
    v.fan_out = field * dim[0];
    return v;
}

static void make(const char *name, int32_t rank, const int64_t *dim, ct_init init, uint64_t seed,
                 float *out) {
    ct__var v = var_of(name, rank, dim, init);
    assert_true(v.count <= ROOM);
    ct__var_draw(&v, seed, out);
}

typedef struct moments {
    double mean, deviation, skew, kurtosis, low, high;
} moments;
static moments moments_of(const float *x, int n) {
    moments m = {.low = x[0], .high = x[0]};
    double c3 = 0, c4 = 0;
    for (int i = 0; i < n; i++) {
        m.mean += (double)x[i] / n;
        m.low = fmin(m.low, x[i]);
        m.high = fmax(m.high, x[i]);
    }
    for (int i = 0; i < n; i++) m.deviation += (x[i] - m.mean) * (x[i] - m.mean) / n;
    m.deviation = sqrt(m.deviation);
    for (int i = 0; i < n; i++) {
        double z = (x[i] - m.mean) / m.deviation;
        c3 += z * z * z / n;
        c4 += z * z * z * z / n;
    }
    m.skew = c3;
    m.kurtosis = c4;
    return m;
}

static void near(double found, double wanted, double tolerance) {
    if (!(fabs(found - wanted) <= tolerance))
        fail_msg("found %.9g, wanted %.9g within %.3g", found, wanted, tolerance);
}

static void is_uniform(const float *x, int n, double low, double high) {
    moments m = moments_of(x, n);
    near(m.mean, (low + high) / 2, 0.01 * (high - low));
    near(m.deviation, (high - low) / sqrt(12), 0.01 * (high - low));
    near(m.kurtosis, 1.8, 0.03);
    assert_true(m.low >= low && m.high <= high);
    near(m.low, low, 0.001 * (high - low));
    near(m.high, high, 0.001 * (high - low));
}

static void is_normal(const float *x, int n, double mean, double deviation) {
    moments m = moments_of(x, n);
    near(m.mean, mean, 0.02 * deviation);
    near(m.deviation, deviation, 0.01 * deviation);
    near(m.skew, 0, 0.05);
    near(m.kurtosis, 3, 0.15);
    assert_true(m.high > mean + 3.5 * deviation && m.low < mean - 3.5 * deviation);
}

static const int64_t matrix[2] = {128, 256};
#define COUNT (128 * 256)

static void test_constants(void **state) {
    (void)state;
    make("w", 2, matrix, (ct_init){CT_INIT_ONES, 0, 0, 0}, 1, draw);
    make("w", 2, matrix, (ct_init){CT_INIT_CONSTANT, 0, -2.5, 0}, 1, other);
    for (int i = 0; i < COUNT; i++) assert_true(draw[i] == 1.0f && other[i] == -2.5f);
    make("w", 2, matrix, (ct_init){CT_INIT_ZEROS, 0, 3, 0}, 1, draw);
    make("w", 2, matrix, (ct_init){CT_INIT_DEFAULT, 0, 3, 0}, 1, other);
    for (int i = 0; i < COUNT; i++) assert_true(draw[i] == 0.0f && other[i] == 0.0f);
}

static void test_uniform_normal(void **state) {
    (void)state;
    make("w", 2, matrix, (ct_init){CT_INIT_UNIFORM, 0, -0.25, 0.75}, 1, draw);
    is_uniform(draw, COUNT, -0.25, 0.75);
    make("w", 2, matrix, (ct_init){CT_INIT_NORMAL, 0, 3, 0.5}, 1, draw);
    is_normal(draw, COUNT, 3, 0.5);
    double pairs = 0, lag = 0; /* the two normals of one pair, and neighbours of two pairs, are independent */
    for (int i = 0; i + 2 < COUNT; i += 2) {
        pairs += (draw[i] - 3.0) * (draw[i + 1] - 3.0) / (0.25 * COUNT / 2);
        lag += (draw[i + 1] - 3.0) * (draw[i + 2] - 3.0) / (0.25 * COUNT / 2);
    }
    near(pairs, 0, 0.03);
    near(lag, 0, 0.03);
}

static void test_fans(void **state) {
    (void)state;
    const int64_t conv[4] = {64, 32, 3, 3};
    int n = 64 * 32 * 9;
    double in = 32 * 9, out = 64 * 9, bound = sqrt(6 / (in + out));
    make("w", 4, conv, (ct_init){CT_INIT_XAVIER_UNIFORM, 0, 0, 0}, 1, draw);
    is_uniform(draw, n, -bound, bound);
    make("w", 4, conv, (ct_init){CT_INIT_XAVIER_UNIFORM, 0, 5.0 / 3, 0}, 1, draw);
    is_uniform(draw, n, -bound * 5 / 3, bound * 5 / 3);
    make("w", 4, conv, (ct_init){CT_INIT_XAVIER_NORMAL, 0, 0, 0}, 1, draw);
    is_normal(draw, n, 0, sqrt(2 / (in + out)));
    make("w", 4, conv, (ct_init){CT_INIT_KAIMING_UNIFORM, 0, 0, 0}, 1, draw);
    is_uniform(draw, n, -sqrt(6 / in), sqrt(6 / in));
    make("w", 4, conv, (ct_init){CT_INIT_KAIMING_UNIFORM, 1, 1, 0}, 1, draw);
    is_uniform(draw, n, -sqrt(3 / out), sqrt(3 / out));
    make("w", 4, conv, (ct_init){CT_INIT_KAIMING_NORMAL, 0, 0, 0}, 1, draw);
    is_normal(draw, n, 0, sqrt(2 / in));
    make("w", 4, conv, (ct_init){CT_INIT_KAIMING_NORMAL, 1, 0, 0}, 1, draw);
    is_normal(draw, n, 0, sqrt(2 / out));
}

/* Of a standard normal cut at +-2: deviation sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)) = 0.87963 */
static void test_truncated(void **state) {
    (void)state;
    make("w", 2, matrix, (ct_init){CT_INIT_TRUNC_NORMAL, 0, 0, 1}, 1, draw);
    moments m = moments_of(draw, COUNT);
    near(m.mean, 0, 0.02);
    near(m.deviation, 0.87963, 0.01);
    assert_true(m.low >= -2 && m.low < -1.99 && m.high <= 2 && m.high > 1.99);
    make("w", 2, matrix, (ct_init){CT_INIT_TRUNC_NORMAL, 0, 0, 0.02}, 1,
         draw); /* the cut is absolute: never reached */
    is_normal(draw, COUNT, 0, 0.02);
    make("w", 2, matrix, (ct_init){CT_INIT_TRUNC_NORMAL, 0, 100, 1}, 1, draw);
    for (int i = 0; i < COUNT; i++) assert_true(draw[i] == 2.0f);
}

/* Rows (or columns, where there are more rows) have length `gain` and are orthogonal. */
static void is_orthogonal(int64_t rows, int64_t columns, double gain) {
    int64_t dim[2] = {rows, columns}, n = rows <= columns ? rows : columns,
            length = rows <= columns ? columns : rows;
    int64_t vector = rows <= columns ? columns : 1, step = rows <= columns ? 1 : columns;
    make("w", 2, dim, (ct_init){CT_INIT_ORTHOGONAL, 0, gain == 1 ? 0 : gain, 0}, 7, draw);
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b <= a; b++) {
            double sum = 0;
            for (int64_t i = 0; i < length; i++)
                sum += (double)draw[a * vector + i * step] * draw[b * vector + i * step];
            near(sum, a == b ? gain * gain : 0, 2e-6 * gain * gain);
        }
}

static void test_orthogonal(void **state) {
    (void)state;
    is_orthogonal(1, 1, 1);
    is_orthogonal(17, 17, 1);
    is_orthogonal(64, 200, 1);
    is_orthogonal(200, 64, 2);
    is_orthogonal(96, 96, sqrt(2));
    is_orthogonal(1, 9, 1);
    is_orthogonal(9, 1, 1);
    is_orthogonal(180, 300, 1);
    is_orthogonal(100, 1, 1);
    const int64_t conv[4] = {8, 3, 5, 5}, flat[2] = {8, 75}; /* trailing axes count as columns */
    make("w", 4, conv, (ct_init){CT_INIT_ORTHOGONAL, 0, 0, 0}, 7, draw);
    make("w", 2, flat, (ct_init){CT_INIT_ORTHOGONAL, 0, 0, 0}, 7, other);
    assert_memory_equal(draw, other, sizeof(float) * 600);
}

/* Q of QR with positive diag(R): the first vector is the first normal vector, made unit. */
static void test_orthogonal_is_q(void **state) {
    (void)state;
    const int64_t dim[2] = {5, 12};
    make("w", 2, dim, (ct_init){CT_INIT_ORTHOGONAL, 0, 0, 0}, 3, draw);
    make("w", 2, dim, (ct_init){CT_INIT_NORMAL, 0, 0, 1}, 3, other);
    for (int j = 0; j < 5;
         j++) { /* each normal vector lies in the span of the first j + 1, positive along the last */
        double rest = 0, along = 0;
        for (int i = 0; i < 12; i++) rest += (double)other[j * 12 + i] * other[j * 12 + i];
        for (int k = 0; k <= j; k++) {
            along = 0;
            for (int i = 0; i < 12; i++) along += (double)draw[k * 12 + i] * other[j * 12 + i];
            rest -= along * along;
        }
        near(rest, 0, 1e-5);
        assert_true(along > 0);
    }
}

static void test_padded(void **state) {
    (void)state;
    make("w", 2, matrix, (ct_init){CT__INIT_PADDED, 0, 5, 0}, 1, draw);
    make("w", 2, matrix, (ct_init){CT_INIT_NORMAL, 0, 0, 1}, 1, other);
    for (int i = 0; i < COUNT; i++) assert_true(draw[i] == (i / 256 == 5 ? 0.0f : other[i]));
}

static void test_determinism(void **state) {
    static const int32_t kinds[] = {CT_INIT_UNIFORM,        CT_INIT_NORMAL,         CT_INIT_TRUNC_NORMAL,
                                    CT_INIT_XAVIER_UNIFORM, CT_INIT_KAIMING_NORMAL, CT_INIT_ORTHOGONAL};
    (void)state;
    const int64_t dim[2] = {33, 21};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        ct_init init = {kinds[k], 0, -1, 1};
        make("a.weight", 2, dim, init, 5, draw);
        make("a.weight", 2, dim, init, 5, other);
        assert_memory_equal(draw, other, sizeof(float) * 33 * 21);
        make("b.weight", 2, dim, init, 5, other);
        assert_memory_not_equal(draw, other, sizeof(float) * 33 * 21);
        make("a.weight", 2, dim, init, 6, other);
        assert_memory_not_equal(draw, other, sizeof(float) * 33 * 21);
    }
    /* an element is a function of its index: a longer variable begins with the same numbers */
    for (int64_t n = 1; n < 140; n += 3) {
        const int64_t longer = 256;
        make("v", 1, &n, (ct_init){CT_INIT_NORMAL, 0, 0, 1}, 5, draw);
        make("v", 1, &longer, (ct_init){CT_INIT_NORMAL, 0, 0, 1}, 5, other);
        assert_memory_equal(draw, other, sizeof(float) * (size_t)n);
    }
}

/* Element i takes word i % 4 of block i / 4 of the scalar generator. */
static void test_words(void **state) {
    (void)state;
    const int64_t n = 1001;
    uint64_t name = ct__name_key("w"), key = ct_hash64(&name, sizeof name, 9);
    uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)}, word[4];
    make("w", 1, &n, (ct_init){CT_INIT_UNIFORM, 0, 0, 1}, 9, draw);
    for (uint32_t i = 0; i < 1001; i++) {
        ct_philox((const uint32_t[4]){i / 4, 0, 0, 0x696e6974u}, k, word);
        assert_true(draw[i] == (float)(word[i % 4] * 0x1p-32));
    }
}

static void test_empty(void **state) {
    (void)state;
    const int64_t a[2] = {0, 4}, b[2] = {4, 0};
    for (int32_t kind = 0; kind <= CT_INIT_ORTHOGONAL; kind++) {
        draw[0] = 42;
        make("w", 2, a, (ct_init){kind, 0, 1, 2}, 1, draw);
        make("w", 2, b, (ct_init){kind, 0, 1, 2}, 1, draw);
        assert_true(draw[0] == 42.0f);
    }
}

static void test_order_of_creation(void **state) {
    (void)state;
    static const char *const names[2] = {"one", "two"};
    ct_init init = {CT_INIT_NORMAL, 0, 0, 1};
    ct_shape shape = ct_shape_make(2, (const int64_t[2]){7, 9});
    ct__var *v[2][2];
    ct_ctx *c[2];
    for (int k = 0; k < 2; k++) {
        c[k] = ct_open(&(ct_options){.seed = 11});
        assert_non_null(c[k]);
        for (int i = 0; i < 2; i++) {
            int which = k ? 1 - i : i;
            v[k][which] = ct__var_bind(c[k], CT_PARAM, names[which], CT_F32, &shape, &init, NULL);
            assert_non_null(v[k][which]);
        }
    }
    for (int i = 0; i < 2; i++) assert_memory_equal(v[0][i]->data, v[1][i]->data, 63 * sizeof(float));
    assert_memory_not_equal(v[0][0]->data, v[0][1]->data, 63 * sizeof(float));
    ct_close(c[0]);
    ct_close(c[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constants),  cmocka_unit_test(test_uniform_normal),
        cmocka_unit_test(test_fans),       cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_orthogonal), cmocka_unit_test(test_orthogonal_is_q),
        cmocka_unit_test(test_padded),     cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_order_of_creation),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
