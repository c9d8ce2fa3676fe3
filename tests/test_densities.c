/* test_densities.c: densities as nodes: values beside the distributions of cotan/statistics.h, gradients beside differences
 * of them; extreme logits; a fit by gradient descent that finds what the fit by formula finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cotan/task.h"

enum { POINTS = 12, MOST = 4 };

static ct_err e;
static void ok(ct_status s) {
    if (s) fail_msg("%s", e.text);
}

/* ---- of numbers ---- */

static double log_density(const char *name, double x, const double *parameters, int64_t n) {
    ct_dist *d;
    ct_array in = ct_array_view(&x, CT_F64, CT_SHAPE(1)), out;
    ok(ct_dist_new(NULL, name, parameters, n, &d, &e));
    ok(ct_dist_log_density(d, &in, &out, &e));
    double v = *(double *)out.data;
    ct_array_free(&out);
    ct_dist_free(d);
    return v;
}
static double kl(const char *name, const double *p, const double *q, int64_t n) {
    ct_dist *a, *b;
    double v;
    ok(ct_dist_new(NULL, name, p, n, &a, &e));
    ok(ct_dist_new(NULL, name, q, n, &b, &e));
    ok(ct_dist_kl(a, b, &v, &e));
    ct_dist_free(a);
    ct_dist_free(b);
    return v;
}
static double entropy(const char *name, const double *p, int64_t n) {
    ct_dist *a;
    ok(ct_dist_new(NULL, name, p, n, &a, &e));
    double v = ct_dist_entropy(a);
    ct_dist_free(a);
    return v;
}
static double sigmoid(double l) { return 1 / (1 + exp(-l)); }

/* a[0..]: the arguments, in the builders' order */
static ct_t normal(const ct_t *a) { return ct_normal_log_density(a[0], a[1], a[2]); }
static ct_t lognormal(const ct_t *a) { return ct_lognormal_log_density(a[0], a[1], a[2]); }
static ct_t laplace(const ct_t *a) { return ct_laplace_log_density(a[0], a[1], a[2]); }
static ct_t cauchy(const ct_t *a) { return ct_cauchy_log_density(a[0], a[1], a[2]); }
static ct_t student(const ct_t *a) { return ct_student_log_density(a[0], 3.5, a[1], a[2]); }
static ct_t exponential(const ct_t *a) { return ct_exponential_log_density(a[0], a[1]); }
static ct_t gamma_density(const ct_t *a) { return ct_gamma_log_density(a[0], 2.5, a[1]); }
static ct_t bernoulli(const ct_t *a) { return ct_bernoulli_log_mass(a[0], a[1]); }
static ct_t poisson(const ct_t *a) { return ct_poisson_log_mass(a[0], a[1]); }
static ct_t geometric(const ct_t *a) { return ct_geometric_log_mass(a[0], a[1]); }
static ct_t normal_entropy(const ct_t *a) { return ct_normal_entropy(a[0]); }
static ct_t bernoulli_entropy(const ct_t *a) { return ct_bernoulli_entropy(a[0]); }
static ct_t normal_kl(const ct_t *a) { return ct_normal_kl(a[0], a[1], a[2], a[3]); }
static ct_t laplace_kl(const ct_t *a) { return ct_laplace_kl(a[0], a[1], a[2], a[3]); }
static ct_t exponential_kl(const ct_t *a) { return ct_exponential_kl(a[0], a[1]); }
static ct_t bernoulli_kl(const ct_t *a) { return ct_bernoulli_kl(a[0], a[1]); }

static double h_normal(const double *a) { return log_density("normal", a[0], a + 1, 2); }
static double h_lognormal(const double *a) { return log_density("lognormal", a[0], a + 1, 2); }
static double h_laplace(const double *a) { return log_density("laplace", a[0], a + 1, 2); }
static double h_cauchy(const double *a) { return log_density("cauchy", a[0], a + 1, 2); }
static double h_student(const double *a) {
    return log_density("student_t", a[0], (const double[]){3.5, a[1], a[2]}, 3);
}
static double h_exponential(const double *a) { return log_density("exponential", a[0], a + 1, 1); }
static double h_gamma(const double *a) { return log_density("gamma", a[0], (const double[]){2.5, a[1]}, 2); }
static double h_bernoulli(const double *a) {
    return a[0] * log(sigmoid(a[1])) + (1 - a[0]) * log(sigmoid(-a[1]));
}
static double h_poisson(const double *a) { return a[0] * a[1] - exp(a[1]); }
static double h_geometric(const double *a) { return log(sigmoid(a[1])) + a[0] * log(sigmoid(-a[1])); }
static double h_normal_entropy(const double *a) { return entropy("normal", (const double[]){0, a[0]}, 2); }
static double h_bernoulli_entropy(const double *a) {
    return entropy("bernoulli", (const double[]){sigmoid(a[0])}, 1);
}
static double h_normal_kl(const double *a) { return kl("normal", a, a + 2, 2); }
static double h_laplace_kl(const double *a) { return kl("laplace", a, a + 2, 2); }
static double h_exponential_kl(const double *a) { return kl("exponential", a, a + 1, 1); }
static double h_bernoulli_kl(const double *a) {
    return kl("bernoulli", (const double[]){sigmoid(a[0])}, (const double[]){sigmoid(a[1])}, 1);
}

typedef struct row {
    const char *name;
    ct_t (*build)(const ct_t *a);
    double (*host)(const double *a);
    int arguments;
    double low[MOST], high[MOST]; /* of each argument */
} row;
static const row rows[] = {
    {"normal", normal, h_normal, 3, {-3, -1, 0.3}, {3, 1, 2}},
    {"lognormal", lognormal, h_lognormal, 3, {0.2, -1, 0.3}, {5, 1, 2}},
    {"laplace", laplace, h_laplace, 3, {1.5, -1, 0.3}, {3, 1, 2}},
    {"cauchy", cauchy, h_cauchy, 3, {-9, -1, 0.3}, {9, 1, 2}},
    {"student", student, h_student, 3, {-9, -1, 0.3}, {9, 1, 2}},
    {"exponential", exponential, h_exponential, 2, {0.1, 0.2}, {4, 3}},
    {"gamma", gamma_density, h_gamma, 2, {0.1, 0.2}, {4, 3}},
    {"bernoulli", bernoulli, h_bernoulli, 2, {0, -4}, {1, 4}},
    {"poisson", poisson, h_poisson, 2, {0, -2}, {9, 2}},
    {"geometric", geometric, h_geometric, 2, {0, -2}, {9, 2}},
    {"normal_entropy", normal_entropy, h_normal_entropy, 1, {0.1}, {3}},
    {"bernoulli_entropy", bernoulli_entropy, h_bernoulli_entropy, 1, {-4}, {4}},
    {"normal_kl", normal_kl, h_normal_kl, 4, {-1, 0.4, -1, 0.4}, {1, 2, 1, 2}},
    {"laplace_kl", laplace_kl, h_laplace_kl, 4, {1.2, 0.4, -1, 0.4}, {2, 2, 1, 2}},
    {"exponential_kl", exponential_kl, h_exponential_kl, 2, {0.2, 0.2}, {3, 3}},
    {"bernoulli_kl", bernoulli_kl, h_bernoulli_kl, 2, {-3, -3}, {3, 3}},
};

static void close_to(const row *r, const char *what, int point, double found, double wanted,
                     double tolerance) {
    if (!(fabs(found - wanted) <= tolerance * fmax(1, fabs(wanted))))
        fail_msg("%s: %s at point %d is %.9g; wanted %.9g", r->name, what, point, found, wanted);
}

static void check_row(const row *r) {
    ct_ctx *c = ct_open(&(ct_options){.threads = 1});
    ct_random draw = ct_random_stream(7, 0);
    float in[MOST][POINTS], out[MOST + 1][POINTS];
    ct_t a[MOST], node[MOST + 1];
    const void *data[MOST];
    void *to[MOST + 1];
    ct_plan *p;
    ct_session *s;
    for (int i = 0; i < r->arguments; i++) {
        char name[16];
        snprintf(name, sizeof name, "a%d", i);
        a[i] = ct_input(c, name, CT_F32, CT_SHAPE(CT_N));
        data[i] = in[i];
        for (int k = 0; k < POINTS; k++)
            in[i][k] = (float)(r->low[i] + (r->high[i] - r->low[i]) * ct_random_uniform(&draw));
    }
    node[0] = r->build(a);
    if (ct_grad(node[0], NULL, a, r->arguments, node + 1)) fail_msg("%s: %s", r->name, ct_error(c));
    for (int i = 0; i <= r->arguments; i++) to[i] = out[i];
    ok(ct_plan_new(node, r->arguments + 1, NULL, 0, (ct_compile){0}, &p, &e));
    ok(ct_session_new(c, &s, &e));
    if (ct_run(s, p, data, POINTS, to)) fail_msg("%s: %s", r->name, ct_session_error(s));
    for (int k = 0; k < POINTS; k++) {
        double x[MOST];
        for (int i = 0; i < r->arguments; i++) x[i] = (double)in[i][k];
        close_to(r, "value", k, (double)out[0][k], r->host(x), 3e-6);
        for (int i = 0; i < r->arguments; i++) {
            double at = x[i], h = 1e-5, high, low;
            if (r->host == h_bernoulli && i == 0) continue; /* its host form is for 0..1 alone */
            x[i] = at + h, high = r->host(x);
            x[i] = at - h, low = r->host(x);
            x[i] = at;
            close_to(r, "gradient", k, (double)out[i + 1][k], (high - low) / (2 * h), 2e-5);
        }
    }
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

static void numbers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* ---- categories ---- */

static void categories(void **state) {
    static const float logits[2][3] = {{1, -2, 0.5f}, {100, -100, 3}}, other[2][3] = {{0, 0, 1}, {1, 2, 3}};
    static const int64_t label[2] = {2, 1};
    ct_ctx *c = ct_open(&(ct_options){.threads = 1});
    ct_t l = ct_input(c, "l", CT_F32, CT_SHAPE(CT_N, 3)), q = ct_input(c, "q", CT_F32, CT_SHAPE(CT_N, 3)),
         y = ct_input(c, "y", CT_I64, CT_SHAPE(CT_N));
    ct_t node[] = {ct_categorical_log_mass(y, l), ct_categorical_entropy(l), ct_categorical_kl(l, q)};
    float out[3][2];
    ct_plan *p;
    ct_session *s;
    (void)state;
    assert_string_equal(ct_error(c), "");
    ok(ct_plan_new(node, 3, NULL, 0, (ct_compile){0}, &p, &e));
    ok(ct_session_new(c, &s, &e));
    assert_int_equal(
        ct_run(s, p, (const void *[]){logits, other, label}, 2, (void *[]){out[0], out[1], out[2]}), CT_OK);
    for (int r = 0; r < 2; r++) {
        double z = 0, w = 0, h = 0, d = 0;
        for (int k = 0; k < 3; k++) z += exp((double)logits[r][k]), w += exp((double)other[r][k]);
        for (int k = 0; k < 3; k++) {
            double log_p = (double)logits[r][k] - log(z), log_q = (double)other[r][k] - log(w);
            h -= exp(log_p) * log_p;
            d += exp(log_p) * (log_p - log_q);
        }
        assert_true(fabs((double)out[0][r] - ((double)logits[r][label[r]] - log(z))) < 2e-5);
        assert_true(fabs((double)out[1][r] - h) < 1e-6);
        assert_true(fabs((double)out[2][r] - d) < 1e-6);
    }
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

enum { CLASSES = 3, RECORDS = 2 };
typedef struct category { /* of a record, in doubles */
    double p[CLASSES], q[CLASSES], entropy, kl;
} category;

static category category_of(const float *logits, const float *other) {
    category v = {.entropy = 0};
    double z = 0, w = 0;
    for (int k = 0; k < CLASSES; k++) z += exp((double)logits[k]), w += exp((double)other[k]);
    for (int k = 0; k < CLASSES; k++) {
        v.p[k] = exp((double)logits[k]) / z, v.q[k] = exp((double)other[k]) / w;
        v.entropy -= v.p[k] * log(v.p[k]);
        v.kl += v.p[k] * log(v.p[k] / v.q[k]);
    }
    return v;
}

/* By the logits l of p and m of q: log p_y: [k = y] - p_k; the entropy H: -p_k (log p_k + H); the divergence D:
 * p_k (log(p_k/q_k) - D), and by m: q_k - p_k. */
static void category_gradients(void **state) {
    static const float logits[RECORDS][CLASSES] = {{1, -2, 0.5f}, {-3, 4, 2}},
                       other[RECORDS][CLASSES] = {{0, 0, 1}, {1, 2, 3}};
    static const int64_t label[RECORDS] = {2, 1};
    ct_ctx *c = ct_open(&(ct_options){.threads = 1});
    ct_t in[] = {ct_input(c, "l", CT_F32, CT_SHAPE(CT_N, CLASSES)),
                 ct_input(c, "m", CT_F32, CT_SHAPE(CT_N, CLASSES))},
         y = ct_input(c, "y", CT_I64, CT_SHAPE(CT_N)), g[4];
    float out[4][RECORDS][CLASSES];
    ct_plan *p;
    ct_session *s;
    (void)state;
    assert_int_equal(ct_grad(ct_categorical_log_mass(y, in[0]), NULL, in, 1, g), CT_OK);
    assert_int_equal(ct_grad(ct_categorical_entropy(in[0]), NULL, in, 1, g + 1), CT_OK);
    assert_int_equal(ct_grad(ct_categorical_kl(in[0], in[1]), NULL, in, 2, g + 2), CT_OK);
    ok(ct_plan_new(g, 4, NULL, 0, (ct_compile){0}, &p, &e));
    ok(ct_session_new(c, &s, &e));
    if (ct_run(s, p, (const void *[]){logits, other, label}, RECORDS,
               (void *[]){out[0], out[1], out[2], out[3]}))
        fail_msg("%s", ct_session_error(s));
    for (int r = 0; r < RECORDS; r++) {
        category v = category_of(logits[r], other[r]);
        for (int k = 0; k < CLASSES; k++) {
            double wanted[] = {(k == label[r]) - v.p[k], -v.p[k] * (log(v.p[k]) + v.entropy),
                               v.p[k] * (log(v.p[k] / v.q[k]) - v.kl), v.q[k] - v.p[k]};
            for (int i = 0; i < 4; i++)
                if (fabs((double)out[i][r][k] - wanted[i]) > 3e-6)
                    fail_msg("gradient %d, record %d, class %d: %g; wanted %g", i, r, k, (double)out[i][r][k],
                             wanted[i]);
        }
    }
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

/* Logits of 200 are no reason for infinities: log p is 0 or -200. */
static void far_logits(void **state) {
    static const float x[4] = {1, 0, 1, 0}, logit[4] = {200, 200, -200, -200}, wanted[4] = {0, -200, -200, 0};
    ct_ctx *c = ct_open(&(ct_options){.threads = 1});
    ct_t a = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N)), l = ct_input(c, "l", CT_F32, CT_SHAPE(CT_N));
    ct_t node = ct_bernoulli_log_mass(a, l), slope;
    float out[4], gradient[4];
    ct_plan *p;
    ct_session *s;
    (void)state;
    assert_int_equal(ct_grad(node, NULL, &l, 1, &slope), CT_OK);
    ok(ct_plan_new((ct_t[]){node, slope}, 2, NULL, 0, (ct_compile){0}, &p, &e));
    ok(ct_session_new(c, &s, &e));
    assert_int_equal(ct_run(s, p, (const void *[]){x, logit}, 4, (void *[]){out, gradient}), CT_OK);
    for (int i = 0; i < 4; i++) {
        assert_true(out[i] == wanted[i]);
        assert_true(fabsf(gradient[i] - (x[i] - (logit[i] > 0 ? 1.0f : 0.0f))) < 1e-30f);
    }
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

/* Mean and log deviation by likelihood, with the graph's gradients, as ct_dist_fit has them in closed form. */
static void fitted(void **state) {
    double parameters[] = {3, 0.5};
    ct_dist *d, *by_formula;
    ct_array x;
    float data[500], mean, log_deviation;
    int64_t n;
    (void)state;
    ok(ct_dist_new(NULL, "normal", parameters, 2, &d, &e));
    ok(ct_dist_sample(NULL, d, 1, 0, 500, &x, &e));
    for (int i = 0; i < 500; i++) data[i] = (float)((double *)x.data)[i];
    ct_ctx *c = ct_open(&(ct_options){.threads = 1});
    ct_graph *g = ct_default_graph(c);
    ct_t in = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N));
    ct_t m = ct_var_new(g, CT_PARAM, "mean", CT_F32, (ct_shape){0}, (ct_init){.kind = CT_INIT_ZEROS});
    ct_t l =
        ct_var_new(g, CT_PARAM, "log_deviation", CT_F32, (ct_shape){0}, (ct_init){.kind = CT_INIT_ZEROS});
    ct_t loss = ct_neg(ct_mean(ct_normal_log_density(in, m, ct_exp(l)), (ct_shape){0}, (ct_reduce){0}));
    assert_string_equal(ct_error(c), "");
    ok(ct_minimise_loss(loss, (const void *[]){data}, 500, NULL, NULL, NULL, &e));
    ct_array a = ct_array_view(&mean, CT_F32, (ct_shape){0}),
             b = ct_array_view(&log_deviation, CT_F32, (ct_shape){0});
    ok(ct_var_get(c, "mean", &a, &e));
    ok(ct_var_get(c, "log_deviation", &b, &e));
    ok(ct_dist_fit(NULL, "normal", &x, NULL, &by_formula, &e));
    const double *wanted = ct_dist_parameters(by_formula, &n);
    assert_true(fabs((double)mean - wanted[0]) < 1e-4 && fabs(exp((double)log_deviation) - wanted[1]) < 1e-4);
    ct_dist_free(d);
    ct_dist_free(by_formula);
    ct_array_free(&x);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(categories),
                                       cmocka_unit_test(category_gradients), cmocka_unit_test(far_logits),
                                       cmocka_unit_test(fitted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
