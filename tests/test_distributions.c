/* test_distributions.c: densities, distribution functions, quantiles, moments, fits and divergences against scipy and
 * mpmath (tests/ref/distributions.py); edges of supports; what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>

#include "ref.h"

#define TIGHT 1e-12
#define TAIL 1e-10

static ct_err e;

static void ok(ct_status s) {
    if (s) fail_msg("%s", e.text);
}
static void refuse(ct_status found, ct_status wanted, const char *text) {
    if (found != wanted || !strstr(e.text, text))
        fail_msg("status %d \"%s\"; wanted %d \"%s\"", (int)found, e.text, (int)wanted, text);
    ct_error_clear(&e);
}
static ct_dist *make(const char *name, const double *p, int64_t n) {
    ct_dist *d = NULL;
    if (ct_dist_new(NULL, name, p, n, &d, &e)) fail_msg("%s", e.text);
    return d;
}

/* ---- rows of the file: NAME/i ---- */

typedef ct_status (*function)(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *err);

static int failures;

/* A tail begins where one is left out of 10,000: of probabilities, and of quantiles by their argument. */
static int in_tail(const char *what, const double *x, const double *wanted, int64_t i) {
    double p = strstr(what, "ppf") || strstr(what, "isf") ? x[i] : wanted[i];
    return fmin(p, 1 - p) < 1e-4;
}

static void compare(const char *row, const char *what, const double *x, const double *found,
                    const double *wanted, int64_t n, double tolerance, double floor) {
    for (int64_t i = 0; i < n; i++) {
        double scale = fmax(fabs(wanted[i]), floor),
               held = tolerance == TAIL && !in_tail(what, x, wanted, i) ? TIGHT : tolerance;
        if (near(found[i], wanted[i], held, scale)) continue;
        print_message("%s%s at %.17g: %.17g; wanted %.17g (off by %.1e)\n", row, what, x ? x[i] : 0, found[i],
                      wanted[i], fabs(found[i] - wanted[i]) / scale);
        failures++;
    }
}

static void elementwise(const char *row, const ct_dist *d, const char *arguments, const char *what,
                        function f, double tolerance, double floor) {
    ct_array x, w = {0}, y;
    if (!ref_find(row, arguments, &x) || !ref_find(row, what, &w)) return;
    ok(f(d, &x, &y, &e));
    assert_int_equal(ct_array_count(&y), ct_array_count(&w));
    compare(row, what, x.data, y.data, w.data, (int64_t)ct_array_count(&w), tolerance, floor);
    ct_array_free(&y);
}

static void moments(const char *row, const ct_dist *d) {
    ct_array w;
    int64_t k = ct_dist_size(d);
    double v[9], entropy = ct_dist_entropy(d);
    if (ref_find(row, ":mean", &w)) {
        ct_dist_mean(d, v);
        compare(row, ":mean", NULL, v, w.data, k, TIGHT, 0);
    }
    if (ref_find(row, ":var", &w)) {
        ct_dist_variance(d, v);
        compare(row, ":var", NULL, v, w.data, k * k, TIGHT, 0);
    }
    if (ref_find(row, ":entropy", &w)) compare(row, ":entropy", NULL, &entropy, w.data, 1, TIGHT, 1);
}

static void one_row(const char *row, const char *name, const ct_array *p) {
    ct_dist *d = make(name, p->data, p->dim[0]);
    elementwise(row, d, ":x", ":logpdf", ct_dist_log_density, TIGHT, 1);
    elementwise(row, d, ":x", ":pdf", ct_dist_density, TIGHT, 1e-300); /* denormals have fewer digits */
    elementwise(row, d, ":x", ":cdf", ct_dist_cdf, TAIL, 0);
    elementwise(row, d, ":x", ":sf", ct_dist_survival, TAIL, 0);
    elementwise(row, d, ":p", ":ppf", ct_dist_quantile, TAIL, 1e-10);
    elementwise(row, d, ":q", ":isf", ct_dist_upper_quantile, TAIL, 1e-10);
    moments(row, d);
    ct_dist_free(d);
}

static void one_fit(const char *row, const char *name, const ct_array *x) {
    ct_dist *d;
    int64_t count;
    ct_array w = ref_get(row, ":p");
    ok(ct_dist_fit(NULL, name, x, NULL, &d, &e));
    const double *p = ct_dist_parameters(d, &count);
    assert_int_equal(count, w.dim[0]);
    compare(row, ":p", NULL, p, w.data, count, 1e-12, 0);
    ct_dist_free(d);
}

static void one_divergence(const char *row, const char *name, const ct_array *both) {
    int64_t n = both->dim[0] / 2;
    ct_dist *p = make(name, both->data, n), *q = make(name, (const double *)both->data + n, n);
    double v;
    ct_array w = ref_get(row, ":v");
    ok(ct_dist_kl(p, q, &v, &e));
    compare(row, ":v", NULL, &v, w.data, 1, TIGHT, 0);
    ok(ct_dist_kl(p, p, &v, &e));
    assert_true(fabs(v) <= 1e-14);
    ct_dist_free(p);
    ct_dist_free(q);
}

static void references(void **state) {
    int rows = 0, fits = 0, divergences = 0;
    (void)state;
    for (int64_t i = 0; i < ct_tensors_count(ref_file); i++) {
        const char *row = ct_tensors_name(ref_file, i), *slash = strchr(row, '/');
        char name[64];
        if (strchr(row, ':') || !slash) continue;
        snprintf(name, sizeof name, "%.*s", (int)(slash - row), row);
        ct_array a = ref_get(row, "");
        if (strcmp(slash, "/fit") == 0)
            one_fit(row, name, &a), fits++;
        else if (strncmp(slash, "/kl/", 4) == 0)
            one_divergence(row, name, &a), divergences++;
        else
            one_row(row, name, &a), rows++;
    }
    assert_true(rows >= 46 && fits >= 18 && divergences >= 17);
    assert_int_equal(failures, 0);
}

/* ---- laws between the functions ---- */

static double call(function f, const ct_dist *d, double x) {
    ct_array a = ct_array_view(&x, CT_F64, ct_shape_make(0, NULL)), y;
    ok(f(d, &a, &y, &e));
    double v = *(double *)y.data;
    ct_array_free(&y);
    return v;
}

/* cdf + survival = 1; quantile(cdf(x)) = x where the density is not flat; densities sum or integrate to 1. */
static void laws(void **state) {
    static const struct {
        const char *name;
        double p[3];
        int64_t n;
        double low, high;
    } rows[] = {{"normal", {0, 1}, 2, -9, 9},
                {"lognormal", {0, 0.5}, 2, 1e-3, 30},
                {"uniform", {0, 1}, 2, 0, 1},
                {"exponential", {1}, 1, 0, 40},
                {"gamma", {3, 1}, 2, 0, 60},
                {"beta", {2, 3}, 2, 0, 1},
                {"student_t", {9, 0, 1}, 3, -60, 60},
                {"chi_squared", {5}, 1, 0, 90},
                {"f", {6, 14}, 2, 0, 300},
                {"laplace", {0, 1}, 2, -36, 36}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum { STEPS = 20000 };
        ct_dist *d = make(rows[i].name, rows[i].p, rows[i].n);
        double sum = 0, h = (rows[i].high - rows[i].low) / STEPS;
        for (int k = 0; k <= STEPS; k++) { /* Simpson */
            double f = call(ct_dist_density, d, rows[i].low + k * h);
            sum += f * (k == 0 || k == STEPS ? 1 : k % 2 ? 4 : 2);
        }
        if (fabs(sum * h / 3 - 1) > 2e-5) fail_msg("%s: the density sums to %g", rows[i].name, sum * h / 3);
        for (int k = 1; k < 20; k++) {
            double p = k / 20.0, x = call(ct_dist_quantile, d, p);
            assert_true(near(call(ct_dist_cdf, d, x) + call(ct_dist_survival, d, x), 1, TIGHT, 1));
            assert_true(near(call(ct_dist_cdf, d, x), p, TIGHT, 1));
            assert_true(near(call(ct_dist_upper_quantile, d, 1 - p), x, 1e-11, fmax(fabs(x), 1)));
        }
        ct_dist_free(d);
    }
}

static void discrete_quantiles(void **state) {
    static const struct {
        const char *name;
        double p[4];
        int64_t n;
    } rows[] = {{"binomial", {30, 0.3}, 2},
                {"poisson", {7.5}, 1},
                {"geometric", {0.15}, 1},
                {"bernoulli", {0.4}, 1},
                {"categorical", {0.1, 0.2, 0.3, 0.4}, 4}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_dist *d = make(rows[i].name, rows[i].p, rows[i].n);
        double sum = 0;
        for (double k = 0; k < 200; k++) {
            double p = call(ct_dist_density, d, k);
            sum += p;
            assert_true(near(call(ct_dist_cdf, d, k), sum, 1e-13, 1));
            assert_true(near(call(ct_dist_cdf, d, k + 0.5), sum, 1e-13, 1));
            assert_true(near(call(ct_dist_density, d, k + 0.5), 0, 0, 1));
            if (sum < 0.9999 && p > 1e-3) { /* the least k with cdf >= p */
                assert_true(near(call(ct_dist_quantile, d, sum - p / 2), k, 0, 1));
                assert_true(near(call(ct_dist_quantile, d, call(ct_dist_cdf, d, k)), k, 0, 1));
            }
        }
        assert_true(near(sum, 1, 1e-12, 1));
        ct_dist_free(d);
    }
}

static void edges(void **state) {
    (void)state;
    for (int32_t i = 0; i < ct_dist_count(); i++) {
        static const double p[] = {1, 1, 1}, share[] = {0.25, 0.75};
        ct_dist_about a = ct_dist_describe(i);
        if (a.vector) continue;
        int categorical = strcmp(a.name, "categorical") == 0, low_high = strcmp(a.name, "uniform") == 0;
        ct_dist *d = categorical ? make(a.name, share, 2) : low_high ? make(a.name, share, 2) : NULL;
        for (int64_t n = 0; !d && n <= 3; n++)
            if (ct_dist_new(NULL, a.name, p, n, &d, NULL)) d = NULL;
        assert_non_null(d);
        assert_true(near(call(ct_dist_cdf, d, INFINITY), 1, 0, 1) &&
                    near(call(ct_dist_cdf, d, -INFINITY), 0, 0, 1));
        assert_true(near(call(ct_dist_survival, d, INFINITY), 0, 0, 1) &&
                    near(call(ct_dist_survival, d, -INFINITY), 1, 0, 1));
        assert_true(near(call(ct_dist_density, d, INFINITY), 0, 0, 1) &&
                    near(call(ct_dist_density, d, -INFINITY), 0, 0, 1));
        double low = call(ct_dist_quantile, d, 0), high = call(ct_dist_quantile, d, 1);
        assert_true(low <= high && !isnan(low));
        double nan = NAN, two = 2;
        ct_array x = ct_array_view(&nan, CT_F64, CT_SHAPE(1)), y,
                 t = ct_array_view(&two, CT_F64, CT_SHAPE(1));
        refuse(ct_dist_cdf(d, &x, &y, &e), CT_ENONFINITE, "x[0] is nan");
        refuse(ct_dist_quantile(d, &x, &y, &e), CT_ENONFINITE, "p[0] is nan");
        refuse(ct_dist_quantile(d, &t, &y, &e), CT_EDATA, "wanted a probability from 0 to 1");
        ct_dist_free(d);
    }
}

static void moments_without_value(void **state) {
    double v;
    (void)state;
    ct_dist *d = make("cauchy", NULL, 0);
    ct_dist_mean(d, &v);
    assert_true(isnan(v));
    ct_dist_free(d);
    d = make("student_t", (double[]){1.5}, 1);
    ct_dist_variance(d, &v);
    assert_true(isinf(v));
    ct_dist_free(d);
    d = make("f", (double[]){3, 2}, 2);
    ct_dist_mean(d, &v);
    assert_true(isinf(v));
    ct_dist_free(d);
}

/* Two classes are a binomial: by sums over counts, and from variances of 1e7 on by expansions. */
static void entropies(void **state) {
    (void)state;
    for (double n = 1; n < 1e13; n *= 10) {
        ct_dist *two = make("multinomial", (double[]){n, 0.3, 0.7}, 3),
                *one = make("binomial", (double[]){n, 0.3}, 2);
        check_number("multinomial", " entropy", ct_dist_entropy(two), ct_dist_entropy(one), TIGHT);
        ct_dist_free(two);
        ct_dist_free(one);
    }
    ct_dist *sure = make("multinomial", (double[]){5, 0, 1}, 3);
    assert_true(near(ct_dist_entropy(sure), 0, 0, 1));
    ct_dist_free(sure);
}

/* Beyond 2^53 not every whole number is a double: the search for a quantile ends all the same. */
static void huge_quantiles(void **state) {
    ct_dist *d = make("geometric", (double[]){1e-18}, 1);
    (void)state;
    for (int k = 1; k < 10; k++) {
        double x = call(ct_dist_quantile, d, k / 10.0);
        check_number("geometric 1e-18", " quantile", x, -log1p(-k / 10.0) * 1e18, TIGHT);
    }
    ct_dist_free(d);
}

/* The largest numbers are no infinities: nothing on the way to a density may be one. */
static void far_out(void **state) {
    static const struct {
        const char *name;
        double p[3];
        int64_t n;
        double log_density, survival;             /* at 1e308 */
    } rows[] = {{"f", {10, 4}, 2, -1.0 / 0.0, 0}, /* x^-3: below the smallest number, its logarithm not */
                {"f", {10, 0.02}, 2, 0, 0},
                {"gamma", {2, 1e10}, 2, -1.0 / 0.0, 0},
                {"exponential", {1e10}, 1, -1.0 / 0.0, 0},
                {"normal", {0, 1e-5}, 2, -1.0 / 0.0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_dist *d = make(rows[i].name, rows[i].p, rows[i].n);
        double l = call(ct_dist_log_density, d, 1e308), upper = call(ct_dist_survival, d, 1e308);
        if (strcmp(rows[i].name, "f") == 0) { /* x^(-n/2) (n/m)^(n/2) / (n/2 B(m/2,n/2)), and its slope */
            double a = rows[i].p[0] / 2, b = rows[i].p[1] / 2,
                   log_beta = lgamma(a) + lgamma(b) - lgamma(a + b),
                   log_upper = -b * log(1e308) + b * log(b / a) - log(b) - log_beta;
            check_number("f", " far out", l, log_upper + log(b) - log(1e308), 1e-10);
            assert_true(near(upper, exp(log_upper), 1e-9, exp(log_upper)));
        } else
            assert_true(near(l, rows[i].log_density, 0, 1) && near(upper, rows[i].survival, 0, 1));
        ct_dist_free(d);
    }
}

static void divergence_limits(void **state) {
    ct_dist *a = make("uniform", (double[]){0, 2}, 2), *b = make("uniform", (double[]){0, 1}, 2),
            *c = make("student_t", (double[]){3}, 1), *p = make("categorical", (double[]){0.5, 0.5}, 2),
            *q = make("categorical", (double[]){1, 0}, 2);
    double v;
    (void)state;
    ok(ct_dist_kl(a, b, &v, &e));
    assert_true(isinf(v));
    ok(ct_dist_kl(p, q, &v, &e));
    assert_true(isinf(v));
    ok(ct_dist_kl(q, p, &v, &e));
    assert_true(near(v, log(2), TIGHT, 1));
    refuse(ct_dist_kl(c, c, &v, &e), CT_EUSAGE, "no closed form");
    ct_dist *few = make("binomial", (double[]){3, 0.5}, 2), *more = make("binomial", (double[]){4, 0.5}, 2);
    refuse(ct_dist_kl(few, more, &v, &e), CT_EUSAGE, "binomial of different n");
    ok(ct_dist_kl(more, few, &v, &e)); /* 4 of 4 is out of the other's reach */
    assert_true(isinf(v));
    ct_dist_free(few);
    ct_dist_free(more);
    refuse(ct_dist_kl(a, c, &v, &e), CT_EUSAGE, "wanted two of one kind");
    ct_dist *all[] = {a, b, c, p, q};
    for (int i = 0; i < 5; i++) ct_dist_free(all[i]);
    double one[] = {0, 0, 1, 0, 0, 1},
           two[] = {1, -1, 2, 0.5, 0.5, 1}; /* against the closed form written out */
    a = make("multivariate_normal", one, 6), b = make("multivariate_normal", two, 6);
    ok(ct_dist_kl(a, b, &v, &e));
    double det = 2 - 0.25, trace = (1 + 2) / det, off = (1 * 1 + 2 * 0.5 * 1 * 1 + 2 * 1) / det;
    assert_true(near(v, 0.5 * (trace + off - 2 + log(det)), TIGHT, 1));
    ct_dist_free(a);
    ct_dist_free(b);
}

static void wrong(void **state) {
    static const struct {
        const char *name;
        double p[8];
        int64_t n;
        const char *text;
    } rows[] = {{"norml", {0}, 0, "no such one; wanted normal"},
                {"normal", {0, 0}, 2, "normal: deviation is 0; wanted a finite number above 0"},
                {"normal", {0, 1, 2}, 3, "3 parameters; wanted mean = 0, deviation = 1"},
                {"normal", {NAN, 1}, 2, "a parameter is nan"},
                {"gamma", {0}, 0, "0 parameters; wanted shape"},
                {"uniform", {1, 1}, 2, "high is 1; wanted a finite number above low"},
                {"bernoulli", {1.5}, 1, "probability is 1.5"},
                {"binomial", {2.5, 0.5}, 2, "n is 2.5; wanted a whole number"},
                {"geometric", {0}, 1, "above 0, at most 1"},
                {"categorical", {0.5, 0.6}, 2, "sum is 1.1; wanted 1"},
                {"multinomial", {3, 1}, 2, "K >= 2"},
                {"dirichlet", {1}, 1, "K >= 2"},
                {"dirichlet", {1, -1}, 2, "a parameter is -1"},
                {"multivariate_normal", {0, 0, 1, 2, 2, 1}, 6, "not positive definite"},
                {"multivariate_normal", {0, 0, 1, 2, 0, 9}, 6, "a symmetric matrix"},
                {"multivariate_normal", {0, 0, 1}, 3, "wanted K means"}};
    ct_dist *d;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuse(ct_dist_new(NULL, rows[i].name, rows[i].p, rows[i].n, &d, &e), CT_EUSAGE, rows[i].text);
    d = make("dirichlet", (double[]){1, 2}, 2);
    double x[2] = {0.5, 0.5};
    ct_array a = ct_array_view(x, CT_F64, CT_SHAPE(2)), y, three = ct_array_view(x, CT_F64, CT_SHAPE(2, 1));
    refuse(ct_dist_cdf(d, &a, &y, &e), CT_EUSAGE, "is of vectors");
    refuse(ct_dist_log_density(d, &three, &y, &e), CT_EUSAGE, "values of 1 elements; wanted 2");
    ok(ct_dist_log_density(d, &a, &y, &e));
    assert_true(y.rank == 0 && near(*(double *)y.data, log(2 * 0.5), TIGHT, 1));
    ct_array_free(&y);
    ct_dist_free(d);
}

static void wrong_fits(void **state) {
    static const struct {
        const char *name;
        double x[4];
        const char *text;
    } rows[] = {{"normal", {2, 2, 2, 2}, "all values are equal"},
                {"normal", {0.1, 0.1, 0.1, 0.1}, "all values are equal"},
                {"lognormal", {0.7, 0.7, 0.7, 0.7}, "all values are equal"},
                {"gamma", {0.1, 0.1, 0.1, 0.1}, "all values are equal"},
                {"laplace", {0.1, 0.1, 0.1, 0.1}, "all values are equal"},
                {"cauchy", {0.1, 0.1, 0.1, 0.1}, "all equal"},
                {"f", {0.1, 0.1, 0.1, 0.1}, "all values are equal"},
                {"gamma", {1, 2, 0, 3}, "x[2] is 0; wanted numbers above 0"},
                {"beta", {0.5, 0.5, 0.5, 0.5}, "all values are equal"},
                {"beta", {0.1, 0.2, 1, 0.3}, "x[2] is 1"},
                {"poisson", {1, 2, 2.5, 3}, "x[2] is 2.5"},
                {"bernoulli", {0, 1, 2, 1}, "x[2] is 2"},
                {"exponential", {0, 0, 0, 0}, "all values are 0"},
                {"student_t", {1, 1, 1, 1}, "all equal"},
                {"normal", {1, NAN, 2, 3}, "x[1] is nan"}};
    ct_dist *d;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_array x = ct_array_view((void *)(uintptr_t)rows[i].x, CT_F64, CT_SHAPE(4));
        refuse(ct_dist_fit(NULL, rows[i].name, &x, NULL, &d, &e),
               isnan(rows[i].x[1]) ? CT_ENONFINITE : CT_EDATA, rows[i].text);
    }
    double k[4] = {1, 3, 2, 6};
    ct_array x = ct_array_view(k, CT_F64, CT_SHAPE(4));
    refuse(ct_dist_fit(NULL, "binomial", &x, NULL, &d, &e), CT_EUSAGE, "binomial without n");
    ok(ct_dist_fit(NULL, "binomial", &x, (double[]){10}, &d, &e));
    assert_true(near(ct_dist_parameters(d, NULL)[1], 0.3, TIGHT, 1));
    ct_dist_free(d);
    static const double same[6] = {0.1, 0.9, 0.1, 0.9, 0.1, 0.9};
    ct_array shares = ct_array_view((void *)(uintptr_t)same, CT_F64, CT_SHAPE(3, 2));
    refuse(ct_dist_fit(NULL, "dirichlet", &shares, NULL, &d, &e), CT_EDATA, "all records are equal");
    refuse(ct_dist_fit(NULL, "multivariate_normal", &shares, NULL, &d, &e), CT_EDATA,
           "dist_fit: the covariance is not positive definite");
    for (int i = 0; i < 3; i++) { /* as many classes as nobody has; refused before memory is asked for */
        static const double known[] = {0, NAN, 1e300};
        refuse(ct_dist_fit(NULL, "categorical", &x, &known[i], &d, &e), CT_EUSAGE, "as the known parameter");
    }
    refuse(ct_dist_fit(NULL, "categorical", &x, (double[]){6}, &d, &e), CT_EDATA, "x[3] is 6");
    ok(ct_dist_fit(NULL, "categorical", &x, (double[]){9}, &d, &e));
    int64_t n;
    assert_true(near(ct_dist_parameters(d, &n)[8], 0, 0, 1) && n == 9);
    ct_dist_free(d);
    ok(ct_dist_fit(NULL, "categorical", &x, NULL, &d, &e));
    assert_true(near(ct_dist_parameters(d, &n)[3], 0.25, 0, 1) && n == 7);
    ct_dist_free(d);
}

/* One value has a fit or is refused; what has one is a distribution, whose parameters are finite. */
static void fits_of_one_value(void **state) {
    int refused = 0;
    (void)state;
    for (int32_t i = 0; i < ct_dist_count(); i++)
        for (double v = 0.5; v <= 1; v += 0.5) {
            ct_dist_about a = ct_dist_describe(i);
            ct_array x = ct_array_view(&v, CT_F64, CT_SHAPE(1));
            ct_dist *d = NULL;
            int64_t n;
            if (a.vector) continue;
            ct_status s = ct_dist_fit(NULL, a.name, &x, (double[]){3}, &d, &e);
            refused += s != CT_OK;
            if (s)
                refuse(s, CT_EDATA, "wanted ");
            else
                for (const double *p = ct_dist_parameters(d, &n); n-- > 0; p++) assert_true(isfinite(*p));
            ct_dist_free(d);
        }
    assert_true(refused > 10);
}

static int setup(void **state) {
    (void)state;
    ref_open("distributions.safetensors");
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(laws),
        cmocka_unit_test(discrete_quantiles),
        cmocka_unit_test(edges),
        cmocka_unit_test(moments_without_value),
        cmocka_unit_test(entropies),
        cmocka_unit_test(huge_quantiles),
        cmocka_unit_test(divergence_limits),
        cmocka_unit_test(far_out),
        cmocka_unit_test(wrong),
        cmocka_unit_test(wrong_fits),
        cmocka_unit_test(fits_of_one_value),
    };
    return cmocka_run_group_tests(tests, setup, ref_close);
}
