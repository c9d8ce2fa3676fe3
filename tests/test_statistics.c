/* test_statistics.c: statistics against numpy and scipy (tests/ref/statistical.py), hard sums, degenerate input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>

#include "ref.h"

#define TIGHT 1e-12

static ct_err e;

static void ok(ct_status s) {
    if (s) fail_msg("%s", e.text);
}
static void refuse(ct_status found, ct_status wanted, const char *text) {
    if (found != wanted || !strstr(e.text, text))
        fail_msg("status %d \"%s\"; wanted %d \"%s\"", (int)found, e.text, (int)wanted, text);
    ct_error_clear(&e);
}

static void lists(void **state) {
    static const char *const names[] = {"x", "tied", "far"};
    static const double p[] = {0, 0.05, 0.25, 0.5, 0.333, 0.9, 1};
    (void)state;
    for (int i = 0; i < 3; i++) {
        ct_array x = ref_get(names[i], ""), w, counts, edges, ranks;
        double v, q[7];
        ok(ct_stat_mean(NULL, &x, &v, &e));
        check_number(names[i], ":mean", v, ref_number(names[i], ":mean"), 1e-15);
        ok(ct_stat_variance(NULL, &x, 0, &v, &e));
        check_number(names[i], ":var0", v, ref_number(names[i], ":var0"), TIGHT);
        ok(ct_stat_variance(NULL, &x, 1, &v, &e));
        check_number(names[i], ":var1", v, ref_number(names[i], ":var1"), TIGHT);
        ok(ct_stat_quantiles(NULL, &x, p, 7, q, &e));
        w = ref_get(names[i], ":quantiles");
        assert_memory_equal(q, w.data, sizeof q);
        ok(ct_stat_histogram(NULL, &x, 7, 0, 0, &counts, &edges, &e));
        w = ref_get(names[i], ":counts");
        assert_memory_equal(counts.data, w.data, 7 * sizeof(int64_t));
        w = ref_get(names[i], ":edges");
        check_array(names[i], ":edges", &edges, &w, 1e-15);
        ct_array_free(&counts);
        ct_array_free(&edges);
        ok(ct_stat_ranks(NULL, &x, &ranks, &e));
        w = ref_get(names[i], ":ranks");
        check_array(names[i], ":ranks", &ranks, &w, 0);
        ct_array_free(&ranks);
    }
}

static void range(void **state) {
    ct_array x = ref_get("x", ""), counts, edges, w = ref_get("x:range", ":counts"), half;
    (void)state;
    ok(ct_stat_histogram(NULL, &x, 5, -2, 3, &counts, &edges, &e));
    assert_memory_equal(counts.data, w.data, 5 * sizeof(int64_t));
    ct_array_free(&counts);
    ct_array_free(&edges);
    double same[3] = {2, 2, 2};
    half = ct_array_view(same, CT_F64, CT_SHAPE(3));
    ok(ct_stat_histogram(NULL, &half, 2, 0, 0, &counts, &edges, &e)); /* numpy: half a unit to both sides */
    assert_true(near(((double *)edges.data)[0], 1.5, 0, 1) && ((int64_t *)counts.data)[1] == 3);
    ct_array_free(&counts);
    ct_array_free(&edges);
}

static void tables(void **state) {
    ct_array x = ref_get("table", ""), w, y;
    (void)state;
    ok(ct_stat_standardise(NULL, &x, &y, &e));
    w = ref_get("table", ":z");
    check_array("table", ":z", &y, &w, TIGHT);
    ct_array_free(&y);
    for (int64_t ddof = 0; ddof < 2; ddof++) {
        ok(ct_stat_covariance(NULL, &x, ddof, &y, &e));
        w = ref_get("table", ddof ? ":cov1" : ":cov0");
        check_array("table", ":cov", &y, &w, TIGHT);
        ct_array_free(&y);
    }
    ok(ct_stat_correlation(NULL, &x, CT_PEARSON, &y, &e));
    w = ref_get("table", ":pearson");
    check_array("table", ":pearson", &y, &w, TIGHT);
    ct_array_free(&y);
    ok(ct_stat_correlation(NULL, &x, CT_SPEARMAN, &y, &e));
    w = ref_get("table", ":spearman");
    check_array("table", ":spearman", &y, &w, TIGHT);
    ct_array_free(&y);
}

static void density(void **state) {
    ct_array x = ref_get("x", ""), points = ref_get("kde:points", ""), w = ref_get("kde", ""), y;
    (void)state;
    ok(ct_stat_density(NULL, &x, 0, &points, &y, &e));
    check_array("kde", "", &y, &w, TIGHT);
    ct_array_free(&y);
    ok(ct_stat_density(NULL, &x, 0.5, &points, &y, &e));
    w = ref_get("kde", ":half");
    check_array("kde", ":half", &y, &w, TIGHT);
    ct_array_free(&y);
}

static void intervals(void **state) {
    static const int64_t k[] = {3, 0, 50, 517}, n[] = {10, 5, 50, 1000};
    ct_array x = ref_get("x", ""), w = ref_get("x", ":interval");
    ct_interval v;
    (void)state;
    ok(ct_stat_mean_interval(NULL, &x, 0.9, &v, &e));
    check_number("x", ":interval low", v.low, ((double *)w.data)[0], TIGHT);
    check_number("x", ":interval high", v.high, ((double *)w.data)[1], TIGHT);
    w = ref_get("wilson", "");
    for (int i = 0; i < 4; i++) {
        ok(ct_stat_share_interval(k[i], n[i], 0, &v, &e));
        assert_true(near(v.low, ((double *)w.data)[2 * i], TIGHT, 1));
        assert_true(near(v.high, ((double *)w.data)[2 * i + 1], TIGHT, 1));
    }
    refuse(ct_stat_share_interval(3, 2, 0, &v, &e), CT_EDATA, "3 of 2");
    refuse(ct_stat_share_interval(1, 2, 1.5, &v, &e), CT_EUSAGE, "level 1.5");
}

static double mean_of(void *user, const double *x, int64_t n) {
    double sum = 0;
    (void)user;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}
static double bad(void *user, const double *x, int64_t n) {
    (void)user, (void)x, (void)n;
    return NAN;
}

static void bootstrap(void **state) {
    ct_array x = ref_get("skewed", ""), w = ref_get("bootstrap", "");
    const double *v = w.data;
    ct_bootstrap_result r;
    ct_bootstrap_options o = {.resamples = 500, .seed = 3, .level = 0.9};
    (void)state;
    ok(ct_bootstrap(NULL, &x, mean_of, NULL, o, &r, &e));
    check_number("bootstrap", " estimate", r.estimate, v[0], TIGHT);
    check_number("bootstrap", " error", r.error, v[1], TIGHT);
    check_number("bootstrap", " low", r.interval.low, v[2], TIGHT);
    check_number("bootstrap", " high", r.interval.high, v[3], TIGHT);
    o.percentile = 1;
    ok(ct_bootstrap(NULL, &x, mean_of, NULL, o, &r, &e));
    w = ref_get("bootstrap", ":percentile");
    check_number("bootstrap", " percentile", r.interval.low, ((double *)w.data)[0], TIGHT);
    check_number("bootstrap", " percentile", r.interval.high, ((double *)w.data)[1], TIGHT);
    refuse(ct_bootstrap(NULL, &x, bad, NULL, o, &r, &e), CT_ENONFINITE, "statistic of a resample");
    refuse(ct_bootstrap(NULL, &x, NULL, NULL, o, &r, &e), CT_EUSAGE, "no statistic");
}

/* Sums that plain adding gets wrong. */
static void M7_hard_sums(void **state) {
    enum { MANY = 10000000 };
    double cancel[3] = {1e20, 1, -1e20}, v;
    float *tenth = malloc(MANY * sizeof *tenth);
    ct_array c = ct_array_view(cancel, CT_F64, CT_SHAPE(3));
    (void)state;
    assert_non_null(tenth);
    for (int i = 0; i < MANY; i++) tenth[i] = 0.1f;
    ct_array t = ct_array_view(tenth, CT_F32, CT_SHAPE(MANY));
    ok(ct_stat_mean(NULL, &c, &v, &e));
    check_number("1e20, 1, -1e20:", " mean", v, 1 / 3.0, 1e-15);
    ok(ct_stat_mean(NULL, &t, &v, &e));
    check_number("0.1f:", " mean", v, (double)0.1f, 1e-15);
    ok(ct_stat_variance(NULL, &t, 1, &v, &e));
    assert_true(v >= 0 && v < 1e-30);
    free(tenth);
}

static void M7_alternating(void **state) {
    enum { MANY = 1000001 };
    double *x = malloc(MANY * sizeof *x), v;
    ct_array a = ct_array_view(x, CT_F64, CT_SHAPE(MANY));
    (void)state;
    assert_non_null(x);
    for (int i = 0; i < MANY; i++) x[i] = i % 2 ? -1e8 / 3 : 1e8 / 3; /* what is left is one of them */
    ok(ct_stat_mean(NULL, &a, &v, &e));
    check_number("alternating:", " mean", v, 1e8 / 3 / MANY, 1e-15);
    for (int i = 0; i < MANY; i++) x[i] = 1e8 + 1e-8 * (i % 3); /* 1e8 + small */
    double wanted = 0;
    for (int i = 0; i < MANY; i++) wanted += x[i] - 1e8; /* exact: multiples of 2^-26 */
    ok(ct_stat_mean(NULL, &a, &v, &e));
    check_number("1e8 + small:", " mean", v, 1e8 + wanted / MANY, 2e-16);
    free(x);
}

static void M8_far_from_zero(void **state) {
    enum { MANY = 10000 };
    double x[MANY], near_zero[MANY], v, w;
    ct_random r = ct_random_stream(8, 0);
    ct_array a = ct_array_view(x, CT_F64, CT_SHAPE(MANY)),
             b = ct_array_view(near_zero, CT_F64, CT_SHAPE(MANY));
    (void)state;
    for (int i = 0; i < MANY; i++) x[i] = 1e6 + ct_random_normal(&r), near_zero[i] = x[i] - 1e6;
    ok(ct_stat_variance(NULL, &a, 1, &v, &e));
    ok(ct_stat_variance(NULL, &b, 1, &w, &e));
    check_number("1e6 + noise:", " variance", v, w, TIGHT);
    for (int i = 0; i < MANY; i++) x[i] = 1e6 / 3;
    ok(ct_stat_variance(NULL, &a, 1, &v, &e));
    assert_true(v >= 0 && v <= 1e-18);
}

/* A mean is finite where its sum is not; squares that are not finite are told. */
static void overflow(void **state) {
    double x[3] = {1.5e308, 1.7e308, -1e307}, v;
    ct_array a = ct_array_view(x, CT_F64, CT_SHAPE(3)), y;
    ct_interval between;
    ct_test t;
    (void)state;
    ok(ct_stat_mean(NULL, &a, &v, &e));
    check_number("1e308:", " mean", v, 1.5e308 / 3 + 1.7e308 / 3 - 1e307 / 3, 1e-15);
    refuse(ct_stat_variance(NULL, &a, 1, &v, &e), CT_ENONFINITE, "the squares overflow");
    refuse(ct_stat_mean_interval(NULL, &a, 0, &between, &e), CT_ENONFINITE, "the squares overflow");
    refuse(ct_stat_standardise(NULL, &a, &y, &e), CT_ENONFINITE, "the squares overflow");
    refuse(ct_t_test(NULL, &a, 0, CT_TWO_SIDED, &t, &e), CT_ENONFINITE, "the squares overflow");
    double wide[4] = {-1e308, 1, 1e308, 2};
    ct_array table = ct_array_view(wide, CT_F64, CT_SHAPE(2, 2));
    refuse(ct_stat_covariance(NULL, &table, 1, &y, &e), CT_ENONFINITE, "the sums overflow");
    x[1] = x[0], x[2] = x[0];
    ok(ct_stat_variance(NULL, &a, 1, &v, &e));
    assert_true(near(v, 0, 0, 1));
}

static void degenerate(void **state) {
    double one[1] = {5}, same[4] = {3, 3, 3, 3}, nan[2] = {1, NAN}, pair[8] = {1, 7, 2, 7, 3, 7, 4, 7}, v;
    ct_array a = ct_array_view(one, CT_F64, CT_SHAPE(1)), b = ct_array_view(same, CT_F64, CT_SHAPE(4)),
             c = ct_array_view(nan, CT_F64, CT_SHAPE(2)), d = ct_array_view(pair, CT_F64, CT_SHAPE(4, 2)), y;
    ct_interval r;
    (void)state;
    ok(ct_stat_mean(NULL, &a, &v, &e));
    assert_true(near(v, 5, 0, 1));
    ok(ct_stat_variance(NULL, &a, 0, &v, &e));
    assert_true(near(v, 0, 0, 1));
    refuse(ct_stat_variance(NULL, &a, 1, &v, &e), CT_EDATA, "x has 1 value; wanted at least 2");
    refuse(ct_stat_variance(NULL, &a, INT64_MAX, &v, &e), CT_EUSAGE, "ddof 9223372036854775807");
    refuse(ct_stat_covariance(NULL, &d, INT64_MAX, &y, &e), CT_EUSAGE, "ddof 9223372036854775807");
    refuse(ct_stat_covariance(NULL, &d, -1, &y, &e), CT_EUSAGE, "ddof -1");
    refuse(ct_stat_mean_interval(NULL, &a, 0, &r, &e), CT_EDATA, "1 value");
    refuse(ct_stat_mean(NULL, &c, &v, &e), CT_ENONFINITE, "x[1] is nan");
    ok(ct_stat_standardise(NULL, &b, &y, &e));
    assert_true(near(largest_of(y.data, 4), 0, 0, 1));
    ct_array_free(&y);
    refuse(ct_stat_correlation(NULL, &d, CT_PEARSON, &y, &e), CT_EDATA, "all values of feature 1 are equal");
    refuse(ct_stat_density(NULL, &b, 0, &b, &y, &e), CT_EDATA, "all values are equal");
    refuse(ct_stat_quantiles(NULL, &b, (double[]){1.5}, 1, &v, &e), CT_EUSAGE, "p[0] is 1.5");
    ok(ct_stat_covariance(NULL, &d, 1, &y, &e));
    assert_true(near(((double *)y.data)[3], 0, 0, 1) && near(((double *)y.data)[0], 5 / 3.0, TIGHT, 1));
    ct_array_free(&y);
}

static int setup(void **state) {
    (void)state;
    ref_open("statistical.safetensors");
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),        cmocka_unit_test(range),          cmocka_unit_test(tables),
        cmocka_unit_test(density),      cmocka_unit_test(intervals),      cmocka_unit_test(bootstrap),
        cmocka_unit_test(M7_hard_sums), cmocka_unit_test(M7_alternating), cmocka_unit_test(M8_far_from_zero),
        cmocka_unit_test(overflow),     cmocka_unit_test(degenerate),
    };
    return cmocka_run_group_tests(tests, setup, ref_close);
}
