/* test_minimise.c: the article's gradient_descent to the last bit, minimisers beside scipy's by evaluations, PyTorch's
 * steps, constraints, reports, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>

#include "functions.h"
#include "ref.h"

static ct_err e;

static void ok(ct_status s) {
    if (s) fail_msg("%s", e.text);
}
static void refuse(ct_status found, ct_status wanted, const char *text) {
    if (found != wanted || !strstr(e.text, text))
        fail_msg("status %d \"%s\"; wanted %d \"%s\"", (int)found, e.text, (int)wanted, text);
    ct_error_clear(&e);
}

/* ---- gradient_descent ---- */

static void twice(void *user, const double *v, double *g) {
    for (int64_t i = 0; i < *(int64_t *)user; i++) g[i] = 2 * v[i];
}
static void quartic(void *user, const double *v, double *g) {
    (void)user;
    g[0] = 4 * pow(v[0], 3) - 10 * v[0] - 3;
}

static void descent(void **state) {
    static const struct {
        const char *name;
        double start[2];
        int64_t n;
        ct_descent o;
    } rows[] = {{"descent:square", {10}, 1, {.learn_rate = 0.2, .n_iter = 50}},
                {"descent:late", {10}, 1, {.learn_rate = 0.8, .n_iter = 50}},
                {"descent:short", {3, -4}, 2, {.learn_rate = 0.1, .n_iter = 7}},
                {"descent:loose", {3, -4}, 2, {.learn_rate = 0.1, .n_iter = 1000, .tolerance = 0.05}},
                {"descent:none", {1}, 1, {.learn_rate = 0.1, .n_iter = 0}}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double v[2] = {rows[i].start[0], rows[i].start[1]};
        int64_t n = rows[i].n;
        ok(ct_gradient_descent(NULL, twice, &n, v, n, rows[i].o, NULL, &e));
        ct_array w = ref_get(rows[i].name, "");
        assert_int_equal(w.dim[0], n);
        assert_memory_equal(v, w.data, (size_t)n * sizeof *v); /* bit for bit */
    }
    double v = 0;
    ct_array w = ref_get("descent:quartic", "");
    ok(ct_gradient_descent(NULL, quartic, NULL, &v, 1, (ct_descent){.learn_rate = 0.1, .n_iter = 50}, NULL,
                           &e));
    assert_true(near(v, *(double *)w.data, 1e-15, 2)); /* pow against numpy's own */
}

/* The diff that ends the loop is not added; NaN never ends it; a negative tolerance neither. */
static void descent_ends(void **state) {
    double v[2] = {1e-7, 0};
    int64_t n = 2, steps = -1;
    (void)state;
    ok(ct_gradient_descent(NULL, twice, &n, v, 2, (ct_descent){.learn_rate = 0.1, .n_iter = 5}, &steps, &e));
    assert_true(steps == 0 && near(v[0], 1e-7, 0, 1));
    ok(ct_gradient_descent(NULL, twice, &n, v, 2,
                           (ct_descent){.learn_rate = 0.1, .n_iter = 5, .tolerance = -1}, &steps, &e));
    assert_int_equal(steps, 5);
    v[0] = 1e-9, v[1] = -1e-9;
    ok(ct_gradient_descent(NULL, twice, &n, v, 2,
                           (ct_descent){.learn_rate = 0.5, .n_iter = 5, .tolerance = 1e-300}, &steps, &e));
    assert_true(steps == 1 && near(v[0], 0, 0, 1) && near(v[1], 0, 0, 1)); /* then diff is 0 */
    v[0] = NAN;
    ok(ct_gradient_descent(NULL, twice, &n, v, 2, (ct_descent){.learn_rate = 0.1, .n_iter = 9}, &steps, &e));
    assert_true(steps == 9 && isnan(v[0]));
    refuse(ct_gradient_descent(NULL, NULL, NULL, v, 2, (ct_descent){0}, NULL, &e), CT_EUSAGE, "no gradient");
}

/* ---- unconstrained, beside scipy ---- */

static const struct {
    int32_t method;
    const char *name;
} methods[] = {
    {CT_BFGS, "BFGS"}, {CT_LBFGS, "L-BFGS-B"}, {CT_CONJUGATE_GRADIENT, "CG"}, {CT_NEWTON, "Newton-CG"}};

/* Evaluations of f; those of Hessians by differences apart, as scipy's Newton is given its Hessians. Where scipy itself
 * does not bring the gradient to 1e-8 its count says nothing, and ours is not held against it: *theirs is 0. */
static double evaluations(const function *f, size_t k, double *theirs, double *hessians) {
    double x[30], g[30];
    char what[64];
    ct_problem p = {.n = f->n, .f = f->f};
    ct_minimise_result r;
    memcpy(x, f->start, sizeof x);
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = methods[k].method}, &r, &e));
    snprintf(what, sizeof what, ":%s", methods[k].name);
    const double *w = ref_get(f->name, what).data; /* f, gradients, Hessians, |g|, value */
    double count = (double)(r.evaluations - r.hessians * 2 * f->n);
    int reached = w[3] <= 1e-8;
    *theirs = reached ? w[0] : 0;
    hessians[0] += reached ? (double)r.hessians : 0;
    hessians[1] += reached ? w[2] : 0;
    if ((reached && r.stop != CT_STOP_GRADIENT) ||
        fabs(r.value - f->minimum) > 1e-8 * fmax(1, fabs(f->minimum)))
        fail_msg("%s by %s: stopped for %s at %.12g", f->name, methods[k].name, ct_stop_name(r.stop),
                 r.value);
    assert_true(near(f->f(NULL, x, g), r.value, 0, 1));
    assert_true(r.stop != CT_STOP_GRADIENT || largest_of(g, (uint64_t)f->n) <= 1e-8);
    if (reached && count > 1.5 * *theirs)
        fail_msg("%s by %s: %.0f evaluations; scipy takes %.0f", f->name, methods[k].name, count, *theirs);
    return count;
}

/* The table is printed, and docs/maths.md must have it: scipy's counts as they are in the reference, ours about, as the
 * last bits of sin and exp, and so the way a minimiser takes, differ from one libm to the next. */
static char *page;
static int absent; /* rows */

static void check_cell(const char *title, const char *cell, double count, double theirs) {
    double a = -1, b = 0;
    int found = theirs > 0 ? sscanf(cell, " %lf / %lf |", &a, &b) : sscanf(cell, " (%lf) |", &a);
    if (found != (theirs > 0 ? 2 : 1) || !near(b, theirs, 0, 1) || fabs(a - count) > 5 + 0.2 * count)
        fail_msg("docs/maths.md, %s: \"%.20s\"; wanted %.0f / %.0f", title, cell, count, theirs);
}

static void print_row(const char *title, const double *ours, const double *theirs) {
    char head[100];
    snprintf(head, sizeof head, "\n| %s |", title);
    print_message("| %s |", title);
    for (size_t k = 0; k < 4; k++)
        theirs[k] > 0 ? print_message(" %.0f / %.0f |", ours[k], theirs[k])
                      : print_message(" (%.0f) |", ours[k]);
    print_message("\n");
    const char *cell = strstr(page, head);
    absent += !cell;
    if (cell) cell += strlen(head);
    for (size_t k = 0; cell && k < 4; k++) {
        check_cell(title, cell, ours[k], theirs[k]);
        cell = strchr(cell, '|') + 1;
    }
}

static void beside_scipy(void **state) {
    double all[4] = {0}, all_theirs[4] = {0}, hessians[4][2] = {{0}};
    uint64_t size;
    (void)state;
    ok(ct_file_read(NULL, NULL, COTAN_SOURCE "/docs/maths.md", 1 << 20, (void **)&page, &size, &e));
    page[size - 1] = 0;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        double ours[4], theirs[4];
        for (size_t k = 0; k < 4; k++) {
            ours[k] = evaluations(&functions[i], k, &theirs[k], hessians[k]);
            all[k] += theirs[k] > 0 ? ours[k] : 0;
            all_theirs[k] += theirs[k];
        }
        print_row(functions[i].title, ours, theirs);
    }
    for (size_t k = 0; k < 4; k++) assert_true(all[k] <= all_theirs[k]);
    print_message("Hessians of Newton's method: %.0f / %.0f\n", hessians[3][0], hessians[3][1]);
    assert_true(hessians[3][0] > 0 && hessians[3][0] <= hessians[3][1]);
    print_row("in all", all, all_theirs);
    if (absent) fail_msg("docs/maths.md has not %d of these rows", absent);
    ct_delete(NULL, page, (size_t)size);
}

static void hessian_of_quadratic(void *user, const double *x, double *h) {
    double g[30], zero[30], unit[30] = {0};
    (void)user, (void)x;
    quadratic(NULL, unit, zero);
    for (int k = 0; k < 30; k++) {
        memset(unit, 0, sizeof unit);
        unit[k] = 1;
        quadratic(NULL, unit, g);
        for (int i = 0; i < 30; i++) h[i * 30 + k] = g[i] - zero[i];
    }
}

static void newton_with_hessian(void **state) {
    double x[30] = {0};
    ct_problem p = {.n = 30, .f = quadratic, .hessian = hessian_of_quadratic};
    ct_minimise_result r;
    (void)state;
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_NEWTON}, &r, &e));
    assert_true(r.iterations == 1 && r.hessians == 1 && r.evaluations == 2 && r.value < 1e-20);
}

static void steepest(void **state) {
    (void)state;
    for (int32_t search = CT_WOLFE; search <= CT_BACKTRACKING; search++) {
        double x[2] = {0, 0};
        ct_problem p = {.n = 2, .f = booth};
        ct_minimise_result r;
        ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_STEEPEST, .line_search = search}, &r,
                       &e));
        assert_true(r.stop == CT_STOP_GRADIENT && near(x[0], 1, 1e-8, 1) && near(x[1], 3, 1e-8, 1));
    }
}

/* PyTorch's formulas, ten steps. */
static void steps(void **state) {
    static const struct {
        int32_t method;
        const char *name;
    } rows[] = {{CT_FIXED, "fixed"},           {CT_MOMENTUM, "momentum"},     {CT_NESTEROV, "nesterov"},
                {CT_ADAGRAD_STEPS, "adagrad"}, {CT_RMSPROP_STEPS, "rmsprop"}, {CT_ADAM_STEPS, "adam"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double x[2] = {-1.2, 1};
        ct_problem p = {.n = 2, .f = rosenbrock2};
        ct_minimise_result r;
        ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = rows[i].method, .max_iterations = 10},
                       &r, &e));
        assert_int_equal(r.stop, CT_STOP_ITERATIONS);
        ct_array found = ct_array_view(x, CT_F64, CT_SHAPE(2)), w = ref_get("steps:", rows[i].name);
        check_array("steps:", rows[i].name, &found, &w, 1e-13);
    }
}

/* ---- differences ---- */

static void differences(void **state) {
    double x[10] = {0}, worst;
    ct_problem p = {.n = 10, .f = rosenbrock10, .differences = 1};
    ct_minimise_result r;
    (void)state;
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.gradient_tolerance = 1e-6}, &r, &e));
    assert_true(r.stop == CT_STOP_GRADIENT && r.value < 1e-10);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        double y[30];
        for (int k = 0; k < 30; k++) y[k] = functions[i].start[k] + 0.3 * sin(k + 1);
        ct_problem q = {.n = functions[i].n, .f = functions[i].f};
        ok(ct_gradient_check(NULL, &q, y, &worst, NULL, &e));
        double size = fabs(functions[i].f(NULL, y, NULL)); /* whose rounding the differences carry */
        if (worst > fmax(1e-9, 1e-13 * size))
            fail_msg("%s: the gradient is off by %g", functions[i].name, worst);
    }
}

static double wrong_gradient(void *user, const double *x, double *g) {
    double f = booth(user, x, g);
    if (g) g[1] *= 1.001;
    return f;
}

static void gradient_check(void **state) {
    double x[2] = {0.5, -1}, worst;
    int64_t at;
    ct_problem p = {.n = 2, .f = wrong_gradient};
    (void)state;
    ok(ct_gradient_check(NULL, &p, x, &worst, &at, &e));
    assert_true(at == 1 && worst > 9e-4 && worst < 1.1e-3);
    p.differences = 1;
    refuse(ct_gradient_check(NULL, &p, x, &worst, &at, &e), CT_EUSAGE, "no gradient");
}

/* ---- constraints ---- */

typedef struct least {
    const double *a, *b;
    int rows, cols;
    double ridge;
} least;

static double squares(void *user, const double *x, double *g) {
    const least *l = user;
    double f = 0;
    if (g) memset(g, 0, (size_t)l->cols * sizeof *g);
    for (int i = 0; i < l->rows; i++) {
        double r = -l->b[i];
        for (int k = 0; k < l->cols; k++) r += l->a[i * l->cols + k] * x[k];
        f += 0.5 * r * r;
        for (int k = 0; g && k < l->cols; k++) g[k] += r * l->a[i * l->cols + k];
    }
    return f;
}

static void box(void **state) {
    ct_array a = ref_get("nnls:a", ""), b = ref_get("nnls:b", ""), w = ref_get("nnls:x", "");
    least l = {a.data, b.data, 12, 5, 0};
    double zero[5] = {0};
    (void)state;
    for (int32_t method = CT_PROJECTED; method <= CT_PROXIMAL; method++) {
        double x[5] = {1, 1, 1, 1, 1};
        ct_problem p = {.n = 5, .f = squares, .user = &l, .low = zero};
        ct_minimise_result r;
        ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = method, .gradient_tolerance = 1e-10}, &r,
                       &e));
        assert_int_equal(r.stop, CT_STOP_GRADIENT);
        ct_array found = ct_array_view(x, CT_F64, CT_SHAPE(5));
        check_array("nnls", method == CT_PROJECTED ? " projected" : " proximal", &found, &w, 1e-8);
    }
}

/* Onto {x >= 0, sum x = 1} (Held, Wolfe, Crowder 1974), here for three by trying all supports. */
static void onto_simplex(void *user, double *x) {
    double best[3] = {0}, nearest = INFINITY;
    (void)user;
    for (int mask = 1; mask < 8; mask++) {
        double sum = 0, y[3], off = 0;
        int count = 0, inside = 1;
        for (int i = 0; i < 3; i++)
            if (mask >> i & 1) sum += x[i], count++;
        for (int i = 0; i < 3; i++) {
            y[i] = mask >> i & 1 ? x[i] - (sum - 1) / count : 0;
            inside &= y[i] >= 0;
            off += (y[i] - x[i]) * (y[i] - x[i]);
        }
        if (inside && off < nearest) {
            nearest = off;
            memcpy(best, y, sizeof best);
        }
    }
    memcpy(x, best, sizeof best);
}

static double distance(void *user, const double *x, double *g) {
    const double *to = user;
    double f = 0;
    for (int i = 0; i < 3; i++) {
        double w = i + 1, r = x[i] - to[i];
        f += 0.5 * w * r * r;
        if (g) g[i] = w * r;
    }
    return f;
}

static void own_set(void **state) {
    double to[3] = {0.9, 0.6, -0.3}, x[3] = {5, -2, 1};
    ct_problem p = {.n = 3, .f = distance, .user = to, .project = onto_simplex};
    ct_minimise_result r;
    (void)state;
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_PROJECTED}, &r, &e));
    assert_int_equal(r.stop,
                     CT_STOP_GRADIENT); /* with a multiplier m: x = to - m / w where x > 0, sum 1: m = 1/3 */
    assert_true(near(x[0], 0.9 - 1.0 / 3, 1e-8, 1) && near(x[1], 0.6 - 1.0 / 6, 1e-8, 1) &&
                near(x[2], 0, 1e-8, 1));
}

/* The lasso's own conditions: |a'r| <= l1, and = l1 sign(x) where x is not 0. */
static void lasso(void **state) {
    ct_array a = ref_get("nnls:a", ""), b = ref_get("nnls:b", "");
    least l = {a.data, b.data, 12, 5, 0};
    double x[5] = {0}, g[5];
    int zeros = 0;
    ct_problem p = {.n = 5, .f = squares, .user = &l, .l1 = 1.5};
    ct_minimise_result r;
    (void)state;
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_PROXIMAL, .gradient_tolerance = 1e-10},
                   &r, &e));
    assert_int_equal(r.stop, CT_STOP_GRADIENT);
    double f = squares(&l, x, g), sum = 0;
    for (int i = 0; i < 5; i++) {
        zeros += x[i] > -1e-300 && x[i] < 1e-300;
        sum += fabs(x[i]);
        assert_true(fabs(g[i]) <= 1.5 + 1e-9);
        if (fabs(x[i]) > 0) assert_true(near(g[i], x[i] > 0 ? -1.5 : 1.5, 1e-9, 1));
    }
    assert_true(zeros > 0 && zeros < 5 && near(r.value, f + 1.5 * sum, 1e-12, f));
}

/* ---- reports and refusals ---- */

static int stop_at_third(void *user, const double *x, const ct_minimise_result *now) {
    (void)user, (void)x;
    return now->iterations == 3;
}

static double outside(void *user, const double *x, double *g) { /* -log x + x, of x > 0 */
    (void)user;
    if (g) g[0] = 1 - 1 / x[0];
    return x[0] > 0 ? x[0] - log(x[0]) : NAN;
}

static double disagrees(void *user, const double *x, double *g) { /* the gradient points the wrong way */
    (void)user;
    if (g) g[0] = -2 * x[0];
    return x[0] * x[0];
}

static void reports(void **state) {
    double x[2] = {-1.2, 1}, y = 3, z = 1;
    ct_problem p = {.n = 2, .f = rosenbrock2}, q = {.n = 1, .f = outside}, w = {.n = 1, .f = disagrees};
    ct_minimise_result r;
    (void)state;
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.each = stop_at_third}, &r, &e));
    assert_true(r.stop == CT_STOP_REQUEST && r.iterations == 3);
    assert_string_equal(ct_stop_name(r.stop), "request");
    x[0] = -1.2, x[1] = 1;
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.max_iterations = 4}, &r, &e));
    assert_true(r.stop == CT_STOP_ITERATIONS && r.iterations == 4);
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.max_evaluations = 5}, &r, &e));
    assert_int_equal(r.stop, CT_STOP_EVALUATIONS);
    ok(ct_minimise(NULL, &p, x, &(ct_minimise_options){.value_tolerance = 1e-3, .gradient_tolerance = -1}, &r,
                   &e));
    assert_int_equal(r.stop, CT_STOP_VALUE);
    for (int32_t method = CT_LBFGS; method <= CT_STEEPEST;
         method++) { /* trials outside of the domain are stepped back from */
        y = 3;
        ok(ct_minimise(NULL, &q, &y, &(ct_minimise_options){.method = method}, &r, &e));
        assert_true(r.stop == CT_STOP_GRADIENT && near(y, 1, 1e-8, 1));
    }
    ok(ct_minimise(NULL, &w, &z, NULL, &r, &e));
    assert_int_equal(r.stop, CT_STOP_PRECISION);
}

static double hard(void *user, const double *x,
                   double *g) { /* a first trial far too long, whatever its direction */
    (void)user;
    double f = 0;
    for (int i = 0; i < 2; i++) {
        f += cosh(50 * (x[i] - 1));
        if (g) g[i] = 50 * sinh(50 * (x[i] - 1));
    }
    return f;
}

/* Two evaluations, the start's among them: at a limit it is the limit that ended it, not precision. */
static void limits(void **state) {
    (void)state;
    for (int32_t method = CT_LBFGS; method <= CT_PROXIMAL; method++)
        for (int32_t search = CT_WOLFE; search <= CT_BACKTRACKING; search++) {
            double x[2] = {1.3, 0.8};
            ct_problem p = {.n = 2, .f = hard};
            ct_minimise_result r;
            ct_minimise_options o = {.method = method, .line_search = search, .max_evaluations = 2};
            ok(ct_minimise(NULL, &p, x, &o, &r, &e));
            if (r.stop != CT_STOP_EVALUATIONS)
                fail_msg("method %d: ended by %s after %lld evaluations", method, ct_stop_name(r.stop),
                         (long long)r.evaluations);
        }
}

static double explodes(void *user, const double *x, double *g) {
    (void)user;
    if (g) g[0] = 4 * x[0] * x[0] * x[0];
    return x[0] * x[0] * x[0] * x[0];
}

static void refusals(void **state) {
    double x[2] = {1, 1}, bad = -1, far = 100;
    ct_problem p = {.n = 2, .f = booth}, q = {.n = 1, .f = outside}, w = {.n = 1, .f = explodes},
               none = {.n = 1};
    ct_minimise_result r;
    (void)state;
    refuse(ct_minimise(NULL, &none, x, NULL, &r, &e), CT_EUSAGE, "no f");
    refuse(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = 99}, &r, &e), CT_EUSAGE, "method 99");
    refuse(ct_minimise(NULL, &p, x, &(ct_minimise_options){.momentum = 1}, &r, &e), CT_EUSAGE,
           "out of its range");
    refuse(ct_minimise(NULL, &q, &bad, NULL, &r, &e), CT_ENONFINITE, "not finite at the start");
    refuse(ct_minimise(NULL, &w, &far, &(ct_minimise_options){.method = CT_FIXED, .rate = 1}, &r, &e),
           CT_ENONFINITE, "wanted a smaller rate than 1");
}

static void constraints_refused(void **state) {
    double x[2] = {1, 1}, low[2] = {2, 2}, high[2] = {1, 3};
    ct_problem p = {.n = 2, .f = booth, .low = low, .high = high};
    ct_minimise_result r;
    (void)state;
    refuse(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_PROJECTED}, &r, &e), CT_EUSAGE,
           "wanted low <= high");
    high[0] = 4;
    refuse(ct_minimise(NULL, &p, x, NULL, &r, &e), CT_EUSAGE, "a box or a set with method 0");
    for (int32_t method = CT_PROJECTED; method <= CT_PROXIMAL; method++) {
        low[1] = NAN;
        p = (ct_problem){.n = 2, .f = booth, .low = low};
        refuse(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = method}, &r, &e), CT_EUSAGE,
               "the box from nan to inf at 1");
    }
    p = (ct_problem){.n = 2, .f = booth, .l1 = NAN};
    refuse(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_PROXIMAL}, &r, &e), CT_EUSAGE,
           "l1 nan");
    p = (ct_problem){.n = 2, .f = booth, .l1 = 1};
    refuse(ct_minimise(NULL, &p, x, NULL, &r, &e), CT_EUSAGE, "l1 1 with method 0");
    p = (ct_problem){.n = 2, .f = booth, .project = onto_simplex};
    refuse(ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_PROXIMAL}, &r, &e), CT_EUSAGE,
           "wanted CT_PROJECTED");
}

static int setup(void **state) {
    (void)state;
    ref_open("minimise.safetensors");
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descent),      cmocka_unit_test(descent_ends),
        cmocka_unit_test(beside_scipy), cmocka_unit_test(newton_with_hessian),
        cmocka_unit_test(steepest),     cmocka_unit_test(steps),
        cmocka_unit_test(differences),  cmocka_unit_test(gradient_check),
        cmocka_unit_test(box),          cmocka_unit_test(own_set),
        cmocka_unit_test(lasso),        cmocka_unit_test(reports),
        cmocka_unit_test(refusals),     cmocka_unit_test(constraints_refused),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, setup, ref_close);
}
