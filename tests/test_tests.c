/* test_tests.c: statistical tests against scipy (tests/ref/statistical.py), and degenerate samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include "meter.h"
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

static ct_array x, y, paired, tied, tied2, few_x, few_y, nine_x, nine_paired, six_y, few_tied, few_tied2;

static ct_status t_one(ct_alternative a, ct_test *t) { return ct_t_test(NULL, &x, 0.4, a, t, &e); }
static ct_status t_two(ct_alternative a, ct_test *t) { return ct_t_test_two(NULL, &x, &y, 0, a, t, &e); }
static ct_status t_pooled(ct_alternative a, ct_test *t) { return ct_t_test_two(NULL, &x, &y, 1, a, t, &e); }
static ct_status t_pairs(ct_alternative a, ct_test *t) {
    return ct_t_test_paired(NULL, &x, &paired, a, t, &e);
}
static ct_status pearson(ct_alternative a, ct_test *t) {
    return ct_correlation_test(NULL, &x, &paired, CT_PEARSON, a, t, &e);
}
static ct_status spearman(ct_alternative a, ct_test *t) {
    return ct_correlation_test(NULL, &x, &paired, CT_SPEARMAN, a, t, &e);
}
static ct_status wilcoxon(ct_alternative a, ct_test *t) {
    return ct_wilcoxon_test(NULL, &x, &paired, a, t, &e);
}
static ct_status wilcoxon_tied(ct_alternative a, ct_test *t) {
    return ct_wilcoxon_test(NULL, &tied, &tied2, a, t, &e);
}
static ct_status wilcoxon_few(ct_alternative a, ct_test *t) {
    return ct_wilcoxon_test(NULL, &few_tied, &few_tied2, a, t, &e);
}
static ct_status mann(ct_alternative a, ct_test *t) { return ct_mann_whitney_test(NULL, &x, &y, a, t, &e); }
static ct_status mann_exact(ct_alternative a, ct_test *t) {
    return ct_mann_whitney_test(NULL, &x, &six_y, a, t, &e);
}
static ct_status mann_tied(ct_alternative a, ct_test *t) {
    return ct_mann_whitney_test(NULL, &tied, &tied2, a, t, &e);
}
static ct_status permutation(ct_alternative a, ct_test *t) {
    return ct_permutation_test(NULL, &few_x, &few_y, 0, 0, 0, a, t, &e);
}
static ct_status permutation_paired(ct_alternative a, ct_test *t) {
    return ct_permutation_test(NULL, &nine_x, &nine_paired, 1, 0, 0, a, t, &e);
}

static void alternatives(void **state) {
    static const struct {
        const char *name;
        ct_status (*run)(ct_alternative a, ct_test *t);
        int32_t exact;
    } rows[] = {{"t_test", t_one, 0},
                {"t_two", t_two, 0},
                {"t_pooled", t_pooled, 0},
                {"t_paired", t_pairs, 0},
                {"pearson", pearson, 0},
                {"spearman", spearman, 0},
                {"wilcoxon", wilcoxon, 1},
                {"wilcoxon_tied", wilcoxon_tied, 0},
                {"wilcoxon_few", wilcoxon_few, 1},
                {"mann_whitney", mann, 0},
                {"mann_whitney_exact", mann_exact, 1},
                {"mann_whitney_tied", mann_tied, 0},
                {"permutation", permutation, 1},
                {"permutation_paired", permutation_paired, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_array w = ref_get(rows[i].name, "");
        for (int a = 0; a < 3; a++) {
            ct_test t;
            ok(rows[i].run((ct_alternative)a, &t));
            check_number(rows[i].name, " statistic", t.statistic, ((double *)w.data)[2 * a], TIGHT);
            check_number(rows[i].name, " p", t.p_value, ((double *)w.data)[2 * a + 1], TIGHT);
            assert_int_equal(t.exact, rows[i].exact);
        }
    }
}

static void intervals(void **state) {
    ct_test t;
    ct_array w = ref_get("t_two", ":interval");
    (void)state;
    ok(t_two(CT_TWO_SIDED, &t));
    check_number("t_two", ":df", t.df, ref_number("t_two", ":df"), TIGHT);
    check_number("t_two", ":interval", t.interval.low, ((double *)w.data)[0], TIGHT);
    check_number("t_two", ":interval", t.interval.high, ((double *)w.data)[1], TIGHT);
    w = ref_get("pearson", ":interval");
    ok(pearson(CT_TWO_SIDED, &t));
    check_number("pearson", ":interval", t.interval.low, ((double *)w.data)[0], TIGHT);
    check_number("pearson", ":interval", t.interval.high, ((double *)w.data)[1], TIGHT);
}

static void counts(void **state) {
    ct_array o = ref_get("chi:observed", ""), x23 = ref_get("independence:23", ""),
             x22 = ref_get("independence:22", ""), expected = ref_get("chi:expected", ""),
             w = ref_get("chi", "");
    ct_test t;
    (void)state;
    ok(ct_chi_squared_test(NULL, &o, NULL, &t, &e));
    check_number("chi", " statistic", t.statistic, ((double *)w.data)[0], TIGHT);
    check_number("chi", " p", t.p_value, ((double *)w.data)[1], TIGHT);
    ok(ct_chi_squared_test(NULL, &o, &expected, &t, &e));
    check_number("chi", " statistic", t.statistic, ((double *)w.data)[2], TIGHT);
    check_number("chi", " p", t.p_value, ((double *)w.data)[3], TIGHT);
    w = ref_get("independence", "");
    for (int i = 0; i < 3; i++) {
        ok(ct_independence_test(NULL, i ? &x22 : &x23, i == 1, &t, &e));
        check_number("independence", " statistic", t.statistic, ((double *)w.data)[2 * i], TIGHT);
        check_number("independence", " p", t.p_value, ((double *)w.data)[2 * i + 1], TIGHT);
    }
    static const int64_t a[] = {3, 20, 0, 5}, all[] = {14, 41, 6, 10};
    w = ref_get("mcnemar", "");
    for (int i = 0; i < 4; i++) {
        ok(ct_mcnemar_test(a[i], all[i] - a[i], 100, &t, &e));
        check_number("mcnemar", " p", t.p_value, ((double *)w.data)[i], TIGHT);
        check_number("mcnemar", " estimate", t.estimate, (double)(2 * a[i] - all[i]) / 100, TIGHT);
        assert_true(t.interval.low <= t.estimate && t.estimate <= t.interval.high);
    }
    refuse(ct_mcnemar_test(3, 4, 6, &t, &e), CT_EDATA, "3 and 4 of 6 pairs");
}

static void adjusted(void **state) {
    ct_array p = ref_get("adjust:p", ""), w = ref_get("adjust", "");
    double out[7], one = 0.3;
    (void)state;
    for (int method = 0; method < 4; method++) {
        ok(ct_p_adjust(NULL, p.data, 7, (ct_adjust)method, out, &e));
        for (int i = 0; i < 7; i++) assert_true(near(out[i], ((double *)w.data)[7 * method + i], TIGHT, 1));
    }
    ok(ct_p_adjust(NULL, &one, 1, CT_HOLM, &one, &e));
    assert_true(near(one, 0.3, 0, 1));
    one = 1.5;
    refuse(ct_p_adjust(NULL, &one, 1, CT_HOLM, &one, &e), CT_EDATA, "p[0] is 1.5");
}

/* Random exchanges agree with all of them; the same seed gives the same answer. */
static void random_permutations(void **state) {
    ct_test all, some, again;
    (void)state;
    for (int32_t pairs = 0; pairs < 2; pairs++) {
        const ct_array *a = pairs ? &nine_x : &few_x, *b = pairs ? &nine_paired : &few_y;
        ok(ct_permutation_test(NULL, a, b, pairs, 100000, 0, CT_TWO_SIDED, &all, &e));
        ok(ct_permutation_test(NULL, a, b, pairs, 400, 5, CT_TWO_SIDED, &some, &e));
        ok(ct_permutation_test(NULL, a, b, pairs, 400, 5, CT_TWO_SIDED, &again, &e));
        assert_true(all.exact && !some.exact && near(some.p_value, again.p_value, 0, 1));
        assert_true(fabs(some.p_value - all.p_value) < 0.1);
    }
}

/* 0.1 + 0.2 - 0.3 is not quite 0: exchanges that are equal but for rounding count as equal. */
static void rounding(void **state) {
    double d[3] = {0.1, 0.2, -0.3}, zero[3] = {0};
    ct_array a = ct_array_view(d, CT_F64, CT_SHAPE(3)), z = ct_array_view(zero, CT_F64, CT_SHAPE(3));
    ct_test t;
    (void)state;
    ok(ct_permutation_test(NULL, &a, &z, 1, 0, 0, CT_GREATER, &t, &e));
    check_number("permutation", " p", t.p_value, 5 / 8.0, 0); /* -.6 -.4 -.2 | 0 0 .2 .4 .6 */
    ok(ct_permutation_test(NULL, &a, &z, 1, 0, 0, CT_LESS, &t, &e));
    check_number("permutation", " p", t.p_value, 5 / 8.0, 0);
}

static void degenerate(void **state) {
    double same[4] = {2, 2, 2, 2}, one[1] = {1}, zero[3] = {0, 0, 0}, counts_of[3] = {1, -2, 3};
    ct_array s = ct_array_view(same, CT_F64, CT_SHAPE(4)), o = ct_array_view(one, CT_F64, CT_SHAPE(1)),
             z = ct_array_view(zero, CT_F64, CT_SHAPE(3)), c = ct_array_view(counts_of, CT_F64, CT_SHAPE(3)),
             t2 = ct_array_view(zero, CT_F64, CT_SHAPE(1, 3));
    ct_test t;
    (void)state;
    ok(ct_t_test(NULL, &s, 2, CT_TWO_SIDED, &t, &e)); /* no spread: exactly there, or exactly not */
    assert_true(near(t.p_value, 1, 0, 1) && near(t.statistic, 0, 0, 1));
    ok(ct_t_test(NULL, &s, 1, CT_TWO_SIDED, &t, &e));
    assert_true(near(t.p_value, 0, 0, 1) && isinf(t.statistic));
    ok(ct_t_test(NULL, &s, 1, CT_LESS, &t, &e));
    assert_true(near(t.p_value, 1, 0, 1));
    ok(ct_t_test_two(NULL, &s, &s, 0, CT_TWO_SIDED, &t, &e));
    assert_true(near(t.p_value, 1, 0, 1));
    refuse(ct_t_test(NULL, &o, 0, CT_TWO_SIDED, &t, &e), CT_EDATA, "1 value; wanted at least 2");
    refuse(ct_t_test_paired(NULL, &s, &z, CT_TWO_SIDED, &t, &e), CT_EDATA, "wanted pairs");
    refuse(ct_t_test(NULL, &s, 0, (ct_alternative)7, &t, &e), CT_EUSAGE, "alternative 7");
    ok(ct_wilcoxon_test(NULL, &z, NULL, CT_TWO_SIDED, &t, &e)); /* all differences 0 */
    assert_true(t.n == 0 && near(t.p_value, 1, 0, 1));
    ok(ct_mann_whitney_test(NULL, &s, &s, CT_TWO_SIDED, &t, &e));
    assert_true(near(t.p_value, 1, 0, 1));
    ok(ct_permutation_test(NULL, &s, &s, 0, 0, 0, CT_TWO_SIDED, &t, &e));
    assert_true(near(t.p_value, 1, 0, 1));
    refuse(ct_chi_squared_test(NULL, &c, NULL, &t, &e), CT_EDATA, "observed[1] is -2");
    refuse(ct_chi_squared_test(NULL, &z, NULL, &t, &e), CT_EDATA, "expected[0] is 0");
    refuse(ct_independence_test(NULL, &t2, 0, &t, &e), CT_EDATA, "all 0");
    refuse(ct_correlation_test(NULL, &s, &s, CT_PEARSON, CT_TWO_SIDED, &t, &e), CT_EDATA, "are equal");
}

/* Three times 0.1 sums up to a little more than 0.3: equal values have no spread all the same. */
static void equal_values(void **state) {
    double v[3] = {0.1, 0.1, 0.1};
    ct_array a = ct_array_view(v, CT_F64, CT_SHAPE(3));
    ct_test t;
    double variance;
    (void)state;
    ok(ct_stat_variance(NULL, &a, 1, &variance, &e));
    assert_true(near(variance, 0, 0, 1));
    ok(ct_t_test(NULL, &a, 0.1, CT_TWO_SIDED, &t, &e));
    assert_true(near(t.p_value, 1, 0, 1) && near(t.statistic, 0, 0, 1) && near(t.estimate, 0.1, 0, 1));
}

/* Sums that overflow are told, not judged. */
static void overflow(void **state) {
    double v[4] = {1e308, 1e308, 1e308, 1e308}, w[4] = {-1e308, -1e308, -1e308, -1e308},
           c[4] = {1, 2, 1e300, 4};
    ct_array a = ct_array_view(v, CT_F64, CT_SHAPE(4)), b = ct_array_view(w, CT_F64, CT_SHAPE(4)),
             o = ct_array_view(c, CT_F64, CT_SHAPE(2, 2));
    ct_test t;
    (void)state;
    for (int32_t pairs = 0; pairs < 2; pairs++)
        refuse(ct_permutation_test(NULL, &a, &b, pairs, 0, 0, CT_TWO_SIDED, &t, &e), CT_ENONFINITE,
               "the sums overflow");
    refuse(ct_independence_test(NULL, &o, 0, &t, &e), CT_EDATA, "table[2] is 1e+300; wanted counts from 0");
    refuse(ct_chi_squared_test(NULL, &o, NULL, &t, &e), CT_EDATA, "observed[2] is 1e+300");
}

/* Three values beside 30,000: exact in little memory, whichever sample is the small one. */
static void lopsided(void **state) {
    enum { MANY = 30000 };
    static double many[MANY];
    double few[3] = {-1, 7000.5, 12000.5};
    ct_array a = ct_array_view(few, CT_F64, CT_SHAPE(3)), b = ct_array_view(many, CT_F64, CT_SHAPE(MANY));
    meter s = METER;
    ct_allocator hook = meter_hook(&s);
    ct_maths m = {.allocator = &hook};
    ct_test t, turned;
    (void)state;
    for (int i = 0; i < MANY; i++) many[i] = i;
    ok(ct_mann_whitney_test(&m, &a, &b, CT_LESS, &t, &e));
    ok(ct_mann_whitney_test(&m, &b, &a, CT_GREATER, &turned, &e));
    assert_true(t.exact && turned.exact && near(turned.p_value, t.p_value, 1e-12, t.p_value));
    assert_true(near(t.statistic, 19002, 0, 1) && s.most_bytes < 16 << 20);
}

static ct_array head(ct_array a, int64_t n) {
    a.dim[0] = n;
    return a;
}
static int setup(void **state) {
    (void)state;
    ref_open("statistical.safetensors");
    x = ref_get("x", ""), y = ref_get("y", ""), paired = ref_get("paired", "");
    tied = ref_get("tied", ""), tied2 = ref_get("tied2", "");
    few_x = head(x, 6), few_y = head(y, 5), nine_x = head(x, 9), nine_paired = head(paired, 9),
    six_y = head(y, 6), few_tied = head(tied, 12), few_tied2 = head(tied2, 12);
    few_tied.data = (double *)tied.data + 6, few_tied2.data = (double *)tied2.data + 6; /* 6 .. 17 */
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alternatives), cmocka_unit_test(intervals),           cmocka_unit_test(counts),
        cmocka_unit_test(adjusted),     cmocka_unit_test(random_permutations), cmocka_unit_test(degenerate),
        cmocka_unit_test(rounding),     cmocka_unit_test(equal_values),        cmocka_unit_test(overflow),
        cmocka_unit_test(lopsided),
    };
    return cmocka_run_group_tests(tests, setup, ref_close);
}
