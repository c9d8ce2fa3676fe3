/* test_special.c: special functions against mpmath at 60 digits (tests/ref/special.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include "maths/special.h"
#include "ref.h"

#define TIGHT 1e-12
#define TAIL 1e-10

/* Rows of arguments and values, and a function that turns one into the other. */
typedef void (*compute)(const double *argument, double *value);

static void log_gamma_1p(const double *a, double *v) { v[0] = ct__log_gamma_1p(a[0]); }
static void digamma(const double *a, double *v) { v[0] = ct__digamma(a[0]); }
static void trigamma(const double *a, double *v) { v[0] = ct__trigamma(a[0]); }
static void log_beta(const double *a, double *v) { v[0] = ct__log_beta(a[0], a[1]); }
static void stirling_rest(const double *a, double *v) { v[0] = ct__stirling_rest(a[0]); }
static void deviance(const double *a, double *v) { v[0] = ct__deviance(a[0], a[1]); }
static void poisson_log(const double *a, double *v) { v[0] = ct__poisson_log(a[0], a[1]); }
static void binomial_log(const double *a, double *v) { v[0] = ct__binomial_log(a[0], a[1], a[2], 1 - a[2]); }
static void gamma_p(const double *a, double *v) { v[0] = ct__gamma_p(a[0], a[1], &v[1]); }
static void beta_i(const double *a, double *v) { v[0] = ct__beta_i(a[0], a[1], a[2], 1 - a[2], &v[1]); }
static void normal_cdf(const double *a, double *v) { v[0] = ct__normal_cdf(a[0], &v[1]); }
static void normal_quantile(const double *a, double *v) { v[0] = ct__normal_quantile(a[0], 1 - a[0]); }
static void gamma_p_inverse(const double *a, double *v) { v[0] = ct__gamma_p_inverse(a[0], a[1], 1 - a[1]); }
static void beta_i_inverse(const double *a, double *v) {
    double y;
    v[0] = ct__beta_i_inverse(a[0], a[1], a[2], 1 - a[2], &y);
}

static const struct {
    const char *name;
    compute run;
    int arguments, values;
    double tolerance; /* relative */
    double floor;     /* below this size the tolerance is absolute: differences that cancel by nature */
} table[] = {
    {"log_gamma_1p", log_gamma_1p, 1, 1, TIGHT, 0},
    {"digamma", digamma, 1, 1, TIGHT, 1},
    {"trigamma", trigamma, 1, 1, TIGHT, 0},
    {"log_beta", log_beta, 2, 1, TIGHT, 0},
    {"stirling_rest", stirling_rest, 1, 1, TIGHT, 1e-2},
    {"deviance", deviance, 2, 1, TIGHT, 0},
    {"poisson_log", poisson_log, 2, 1, TIGHT, 1},
    {"binomial_log", binomial_log, 3, 1, TIGHT, 1},
    {"gamma_p", gamma_p, 2, 2, TIGHT, 0},
    {"gamma_p_large", gamma_p, 2, 2, TAIL, 0},
    {"beta_i", beta_i, 3, 2, TIGHT, 0},
    {"normal_cdf", normal_cdf, 1, 2, TIGHT, 0},
    {"normal_quantile", normal_quantile, 1, 1, TIGHT, 0},
    {"gamma_p_inverse", gamma_p_inverse, 2, 1, TAIL, 0},
    {"beta_i_inverse", beta_i_inverse, 3, 1, TAIL, 0},
};

static void references(void **state) {
    int failures = 0;
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ct_array w = ref_get(table[i].name, "");
        int n = table[i].arguments, columns = (int)w.dim[1];
        double worst = 0;
        assert_int_equal(columns, n + table[i].values);
        for (int64_t r = 0; r < w.dim[0]; r++) {
            const double *row = (const double *)w.data + r * columns;
            double v[2];
            table[i].run(row, v);
            for (int k = 0; k < table[i].values; k++) {
                double want = row[n + k], scale = fmax(fabs(want), table[i].floor);
                /* denormals carry fewer digits */
                int right = near(v[k], want, table[i].tolerance, fmax(scale, 1e-300));
                if (!right)
                    print_message("%s(%.17g, %.17g, %.17g) value %d: %.17g; wanted %.17g (off by %.1e)\n",
                                  table[i].name, row[0], n > 1 ? row[1] : 0, n > 2 ? row[2] : 0, k, v[k],
                                  want, fabs(v[k] - want) / scale);
                failures += !right;
                if (isfinite(want) && scale > 1e-300) worst = fmax(worst, fabs(v[k] - want) / scale);
            }
        }
        print_message("%-16s off by %.1e at most\n", table[i].name, worst);
    }
    assert_int_equal(failures, 0);
}

static void digamma_inverse(void **state) {
    (void)state;
    for (double x = 1e-6; x < 1e7; x *= 3.7)
        assert_true(near(ct__digamma_inverse(ct__digamma(x)), x, 1e-11, x));
}

static void edges(void **state) {
    double upper;
    (void)state;
    assert_true(isnan(ct__digamma(0)) && isnan(ct__digamma(-2)) && isnan(ct__normal_quantile(NAN, NAN)));
    assert_true(near(ct__gamma_p(2, 0, &upper), 0, 0, 1) && near(upper, 1, 0, 1));
    assert_true(near(ct__gamma_p(2, INFINITY, &upper), 1, 0, 1) && near(upper, 0, 0, 1));
    assert_true(near(ct__beta_i(2, 3, 0, 1, &upper), 0, 0, 1) && near(upper, 1, 0, 1));
    assert_true(near(ct__beta_i(2, 3, 1, 0, &upper), 1, 0, 1) && near(upper, 0, 0, 1));
    assert_true(isinf(ct__normal_quantile(1, 0)) && ct__normal_quantile(0, 1) < -1e300);
    assert_true(near(ct__normal_quantile(0.5, 0.5), 0, 1e-17, 1));
    assert_true(near(ct__gamma_p_inverse(3, 0, 1), 0, 0, 1) && isinf(ct__gamma_p_inverse(3, 1, 0)));
    assert_true(isinf(ct__log_beta(0, 1)) && isnan(ct__log_beta(-1, 1)));
}

static int setup(void **state) {
    (void)state;
    ref_open("special.safetensors");
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(references), cmocka_unit_test(digamma_inverse),
                                       cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, setup, ref_close);
}
