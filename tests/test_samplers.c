/* test_samplers.c: samples at fixed seeds pass goodness-of-fit tests (Kolmogorov and Smirnov for densities, Pearson's
 * chi-squared for counts), are the same for any number of threads, and element i is the same wherever a call begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/maths.h"

enum { N = 20000 };

static ct_err e;

static void ok(ct_status s) {
    if (s) fail_msg("%s", e.text);
}
static ct_dist *make(const char *name, const double *p, int64_t n) {
    ct_dist *d = NULL;
    if (ct_dist_new(NULL, name, p, n, &d, &e)) fail_msg("%s", e.text);
    return d;
}
static double *map(ct_status (*f)(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *err),
                   const ct_dist *d, double *x, int64_t n, ct_array *room) {
    ct_array a = ct_array_view(x, CT_F64, CT_SHAPE(n));
    ok(f(d, &a, room, &e));
    return room->data;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest distance of the two distribution functions, times sqrt(n): above 1.95 once in 1,000. */
static double kolmogorov(const ct_dist *d, double *x, int64_t n) {
    ct_array room;
    double worst = 0;
    qsort(x, (size_t)n, sizeof *x, ascending);
    double *p = map(ct_dist_cdf, d, x, n, &room);
    for (int64_t i = 0; i < n; i++)
        worst =
            fmax(worst, fmax(fabs(p[i] - (double)i / (double)n), fabs(p[i] - (double)(i + 1) / (double)n)));
    ct_array_free(&room);
    return worst * sqrt((double)n);
}

/* The p-value of the counts; neighbours are pooled until ten are expected. */
static double pearson(const ct_dist *d, double *x, int64_t n) {
    ct_array room;
    double statistic = 0, expected = 0, count = 0, all = 0, bins = 0;
    qsort(x, (size_t)n, sizeof *x, ascending);
    int64_t at = 0;
    for (double k = x[0]; k <= x[n - 1] + 1; k++) {
        double *p = map(ct_dist_density, d, &k, 1, &room);
        expected += *p * (double)n;
        ct_array_free(&room);
        if (k <= x[0]) { /* all that lies below */
            p = map(ct_dist_cdf, d, &k, 1, &room);
            expected = *p * (double)n;
            ct_array_free(&room);
        }
        for (; at < n && x[at] <= k; at++) count++;
        if (expected < 10 || (double)n - all - expected < 10) continue;
        statistic += (count - expected) * (count - expected) / expected;
        all += expected;
        bins++;
        expected = count = 0;
    }
    count += (double)(n - at);
    expected = (double)n - all;
    statistic += (count - expected) * (count - expected) / expected;
    if (bins < 1) return 1;
    ct_dist *chi = make("chi_squared", &bins, 1);
    double *p = map(ct_dist_survival, chi, &statistic, 1, &room), value = *p;
    ct_array_free(&room);
    ct_dist_free(chi);
    return value;
}

static const struct {
    const char *name;
    double p[3];
    int64_t n;
} scalars[] = {{"normal", {3, 2}, 2},
               {"lognormal", {0, 1}, 2},
               {"uniform", {-1, 4}, 2},
               {"exponential", {0.3}, 1},
               {"gamma", {0.2, 1}, 2},
               {"gamma", {1, 3}, 2},
               {"gamma", {20, 0.5}, 2},
               {"beta", {0.3, 0.4}, 2},
               {"beta", {5, 2}, 2},
               {"student_t", {1.5, 0, 1}, 3},
               {"student_t", {30, 2, 3}, 3},
               {"chi_squared", {3}, 1},
               {"f", {4, 7}, 2},
               {"laplace", {1, 2}, 2},
               {"cauchy", {0, 1}, 2},
               {"bernoulli", {0.3}, 1},
               {"binomial", {8, 0.4}, 2},
               {"binomial", {100, 0.07}, 2},
               {"binomial", {500, 0.3}, 2},
               {"binomial", {300, 0.85}, 2},
               {"binomial", {1e6, 0.4}, 2},
               {"geometric", {0.2}, 1},
               {"poisson", {0.7}, 1},
               {"poisson", {11}, 1},
               {"poisson", {400}, 1},
               {"categorical", {0.2, 0.5, 0.3}, 3}};

static void goodness(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        ct_dist *d = make(scalars[i].name, scalars[i].p, scalars[i].n);
        ct_array x;
        ok(ct_dist_sample(NULL, d, 100 + i, 0, N, &x, &e));
        if (ct_dist_of(d).discrete) {
            double p = pearson(d, x.data, N);
            if (p < 1e-4) fail_msg("%s %g: p-value %g", scalars[i].name, scalars[i].p[0], p);
        } else {
            double k = kolmogorov(d, x.data, N);
            if (k > 1.95) fail_msg("%s %g: distance %g", scalars[i].name, scalars[i].p[0], k);
        }
        ct_array_free(&x);
        ct_dist_free(d);
    }
}

static void column(const ct_array *x, int64_t k, double *out) {
    for (int64_t i = 0; i < x->dim[0]; i++) out[i] = ((const double *)x->data)[i * x->dim[1] + k];
}

/* Marginals of vectors: Dirichlet's are beta, multinomial's binomial, normal's normal; and the covariance. */
static void vectors(void **state) {
    static double v[N];
    static const double a[] = {0.3, 2, 4}, shares[] = {9, 0.2, 0.5, 0.3}, gauss[] = {1, -1, 4, 1.2, 1.2, 1};
    ct_array x;
    (void)state;
    ct_dist *d = make("dirichlet", a, 3);
    ok(ct_dist_sample(NULL, d, 7, 0, N, &x, &e));
    for (int64_t k = 0; k < 3; k++) {
        ct_dist *marginal = make("beta", (double[]){a[k], 6.3 - a[k]}, 2);
        column(&x, k, v);
        assert_true(kolmogorov(marginal, v, N) < 1.95);
        ct_dist_free(marginal);
    }
    ct_array_free(&x);
    ct_dist_free(d);
    d = make("multinomial", shares, 4);
    ok(ct_dist_sample(NULL, d, 7, 0, N, &x, &e));
    for (int64_t k = 0; k < 3; k++) {
        ct_dist *marginal = make("binomial", (double[]){9, shares[k + 1]}, 2);
        column(&x, k, v);
        assert_true(pearson(marginal, v, N) > 1e-4);
        ct_dist_free(marginal);
    }
    ct_array_free(&x);
    ct_dist_free(d);
    d = make("multivariate_normal", gauss, 6);
    ok(ct_dist_sample(NULL, d, 7, 0, N, &x, &e));
    double cross = 0;
    for (int64_t k = 0; k < 2; k++) {
        ct_dist *marginal = make("normal", (double[]){gauss[k], k ? 1 : 2}, 2);
        column(&x, k, v);
        assert_true(kolmogorov(marginal, v, N) < 1.95);
        ct_dist_free(marginal);
    }
    for (int64_t i = 0; i < N; i++)
        cross += (((double *)x.data)[2 * i] - 1) * (((double *)x.data)[2 * i + 1] + 1) / N;
    assert_true(fabs(cross - 1.2) < 5 * sqrt(4 + 1.2 * 1.2) / sqrt(N));
    ct_array_free(&x);
    ct_dist_free(d);
}

/* `n` values by one thread and by four, a piece of them from its own place on, and another seed's. */
static void same_bits(const char *name, const double *p, int64_t count, int64_t n) {
    ct_dist *d = make(name, p, count);
    ct_array one, four, part;
    ct_maths m = {.threads = 4}, single = {.threads = 1};
    size_t k = (size_t)ct_dist_size(d);
    ok(ct_dist_sample(&single, d, 1, 0, n, &one, &e));
    ok(ct_dist_sample(&m, d, 1, 0, n, &four, &e));
    assert_memory_equal(one.data, four.data, (size_t)n * k * sizeof(double));
    ok(ct_dist_sample(&m, d, 1, 5000, 100, &part, &e));
    assert_memory_equal((double *)one.data + 5000 * k, part.data, 100 * k * sizeof(double));
    ct_array_free(&part);
    ok(ct_dist_sample(&m, d, 2, 0, 100, &part, &e));
    assert_true(memcmp(one.data, part.data, 100 * k * sizeof(double)) != 0); /* another seed */
    ct_array_free(&one);
    ct_array_free(&four);
    ct_array_free(&part);
    ct_dist_free(d);
}

/* 200 operations are reckoned for a number, and work is shared out from 2e8 on: SHARED is above that, some of the others
 * are below. */
static void M14_M16_same_bits(void **state) {
    enum { SHARED = 1050000, FEW = 9000 };
    static const double alpha[] = {0.3, 2, 4}, shares[] = {9, 0.2, 0.5, 0.3},
                        gauss[] = {1, -1, 4, 1.2, 1.2, 1};
    (void)state;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        same_bits(scalars[i].name, scalars[i].p, scalars[i].n, i % 5 ? FEW : SHARED);
    same_bits("dirichlet", alpha, 3, SHARED / 3 + 1);
    same_bits("multinomial", shares, 4, SHARED / 3 + 1);
    same_bits("multivariate_normal", gauss, 6, SHARED / 2 + 1);
}

/* Tiny shapes: no NaN where both gamma variates underflow. */
static void tiny_shapes(void **state) {
    ct_dist *d = make("beta", (double[]){1e-4, 1e-4}, 2),
            *f = make("dirichlet", (double[]){1e-4, 1e-4, 1e-4}, 3);
    ct_array x, y;
    (void)state;
    ok(ct_dist_sample(NULL, d, 3, 0, 2000, &x, &e));
    ok(ct_dist_sample(NULL, f, 3, 0, 2000, &y, &e));
    for (int i = 0; i < 2000; i++) {
        const double *s = (const double *)y.data + 3 * i;
        assert_true(((double *)x.data)[i] >= 0 && ((double *)x.data)[i] <= 1);
        assert_true(fabs(s[0] + s[1] + s[2] - 1) < 1e-12);
    }
    ct_array_free(&x);
    ct_array_free(&y);
    ct_dist_free(d);
    ct_dist_free(f);
}

static void beyond_the_end(void **state) {
    ct_dist *d = make("normal", NULL, 0);
    ct_array x;
    (void)state;
    ok(ct_dist_sample(NULL, d, 1, INT64_MAX - 10, 10, &x, &e));
    ct_array_free(&x);
    assert_int_equal(ct_dist_sample(NULL, d, 1, INT64_MAX - 10, 11, &x, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "their sum below 2^63"));
    ct_error_clear(&e);
    ct_dist_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(goodness), cmocka_unit_test(vectors),
                                       cmocka_unit_test(M14_M16_same_bits), cmocka_unit_test(tiny_shapes),
                                       cmocka_unit_test(beyond_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
