/* test_pca.c: principal components against scikit-learn's (tests/ref/pca.py), solvers against each other, batches,
 * degenerate data, and the same bits for any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdlib.h>

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

/* ---- against the references ---- */

static void compare(const char *form, const ct_pca *p, const ct_array *x, double tolerance) {
    ct_array w, scores, back;
    double error;
    const struct {
        const char *what;
        const ct_array *found;
    } rows[] = {{":mean", &p->mean},
                {":components", &p->components},
                {":variance", &p->variance},
                {":ratio", &p->ratio},
                {":singular", &p->singular}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        w = ref_get(form, rows[i].what);
        check_array(form, rows[i].what, rows[i].found, &w, tolerance);
    }
    if (ref_find(form, ":scale", &w)) check_array(form, ":scale", &p->scale, &w, tolerance);
    assert_true(near(p->noise, ref_number(form, ":noise"), tolerance, p->total));
    ok(ct_pca_transform(NULL, p, x, &scores, &e));
    w = ref_get(form, ":scores");
    check_array(form, ":scores", &scores, &w, tolerance);
    ok(ct_pca_inverse(NULL, p, &scores, &back, &e));
    w = ref_get(form, ":back");
    check_array(form, ":back", &back, &w, tolerance);
    ok(ct_pca_error(NULL, p, x, &error, &e));
    assert_true(near(error, ref_number(form, ":error"), tolerance, p->total));
    ct_array_free(&scores);
    ct_array_free(&back);
}

static void references(void **state) {
    static const struct {
        const char *form;
        ct_pca_options o;
    } forms[] = {{"all", {.solver = CT_PCA_SVD}},
                 {"few", {.solver = CT_PCA_SVD, .components = 3}},
                 {"covariance", {.solver = CT_PCA_COVARIANCE, .components = 3}},
                 {"whiten", {.solver = CT_PCA_SVD, .components = 3, .whiten = 1}},
                 {"scale", {.solver = CT_PCA_SVD, .components = 3, .scale = 1}},
                 {"share", {.variance = 0.9}}};
    static const char *const names[] = {"short", "long", "wide", "far"};
    (void)state;
    for (size_t n = 0; n < 4; n++)
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            char form[64];
            ct_pca p;
            ct_array x = ref_get(names[n], "");
            ct_pca_options o = forms[i].o;
            if (o.components && strcmp(names[n], "wide") == 0) o.components = 4;
            if (i == 0 && strcmp(names[n], "wide") == 0) o.components = 6;
            snprintf(form, sizeof form, "%s:%s", names[n], forms[i].form);
            ok(ct_pca_fit(NULL, &x, o, &p, &e));
            /* far lies 1e4 from 0: the data itself has four digits less */
            compare(form, &p, &x, strcmp(names[n], "far") == 0 ? 1e-10 : TIGHT);
            ct_pca_free(&p);
        }
}

/* scikit-learn's cut: a rest smaller than `least` stays with the batch before it. */
static void batches(void **state) {
    static const char *const names[] = {"short", "long", "wide", "far"};
    (void)state;
    for (size_t n = 0; n < 4; n++) {
        ct_array x = ref_get(names[n], "");
        int64_t size = strcmp(names[n], "long") == 0 ? 20 : 5, least = strcmp(names[n], "wide") == 0 ? 4 : 3,
                at = 0;
        ct_pca_incremental *q;
        ct_pca p;
        char form[64];
        ok(ct_pca_begin(NULL, (ct_pca_options){.components = least}, &q, &e));
        while (at < x.dim[0]) {
            int64_t end = at + size + least > x.dim[0] ? x.dim[0] : at + size;
            ct_array part = x;
            part.data = (double *)x.data + at * x.dim[1];
            part.dim[0] = end - at;
            ok(ct_pca_add(q, &part, &e));
            at = end;
        }
        ok(ct_pca_end(q, &p, &e));
        snprintf(form, sizeof form, "%s:batches", names[n]);
        compare(form, &p, &x, strcmp(names[n], "far") == 0 ? 1e-10 : TIGHT);
        ct_pca_free(&p);
        ct_pca_incremental_free(q);
    }
}

/* ---- the article's way: eigenvectors of the covariance matrix ---- */

static void by_eigenvectors(void **state) {
    ct_array x = ref_get("long", ""), c;
    int64_t n = x.dim[0], d = x.dim[1];
    double *v = malloc((size_t)(n * d) * sizeof *v), mean;
    ct_pca p;
    ct_eigen w;
    (void)state;
    assert_non_null(v);
    for (int64_t k = 0; k < d; k++) {
        mean = 0;
        for (int64_t i = 0; i < n; i++) mean += ((double *)x.data)[i * d + k] / (double)n;
        for (int64_t i = 0; i < n; i++) v[i * d + k] = ((double *)x.data)[i * d + k] - mean;
    }
    ct_array centred = ct_array_view(v, CT_F64, CT_SHAPE(n, d)), turned = ct_matrix_transpose(&centred);
    ok(ct_matrix_multiply(NULL, &turned, &centred, &c, &e));
    ok(ct_matrix_eigen(NULL, &c, &w, &e));
    ok(ct_pca_fit(NULL, &x, (ct_pca_options){0}, &p, &e));
    for (int64_t i = 0; i < d; i++) {
        double best = INFINITY, found = ((double *)p.variance.data)[i] * (double)(n - 1);
        int64_t at = 0;
        for (int64_t k = 0; k < d; k++) {
            double off = fabs(((double *)w.values.data)[k] - found);
            if (off < best) best = off, at = k;
        }
        assert_true(best <= TIGHT * ((double *)p.variance.data)[0] * (double)n);
        double dot = 0;
        for (int64_t k = 0; k < d; k++)
            dot += ((double *)w.vectors.data)[k * d + at] * ((double *)p.components.data)[i * d + k];
        assert_true(near(fabs(dot), 1, TIGHT, 1));
    }
    ct_pca_free(&p);
    ct_eigen_free(&w);
    ct_array_free(&c);
    free(v);
}

/* ---- larger data: solvers agree, threads change no bit ---- */

enum { N = 3000, D = 60 };

static double *data_new(int64_t n) {
    double *v = malloc(sizeof(double) * (size_t)n * D), mix[D];
    ct_random r = ct_random_stream(4, 0);
    assert_non_null(v);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < D; k++) {
            mix[k] = ct_random_normal(&r) * 10 / (double)(k + 1);
            v[i * D + k] = mix[k] + (k ? 0.5 * mix[k - 1] : 0) + 5;
        }
    return v;
}

static void solvers_agree(void **state) {
    double *v = data_new(N);
    ct_array x = ct_array_view(v, CT_F64, CT_SHAPE(N, D));
    ct_pca svd, cov, rnd;
    (void)state;
    ok(ct_pca_fit(NULL, &x, (ct_pca_options){.solver = CT_PCA_SVD, .components = 5}, &svd, &e));
    ok(ct_pca_fit(NULL, &x, (ct_pca_options){.components = 5}, &cov, &e));
    ok(ct_pca_fit(NULL, &x, (ct_pca_options){.solver = CT_PCA_RANDOMISED, .components = 5, .passes = 6}, &rnd,
                  &e));
    check_array("covariance", " variance", &cov.variance, &svd.variance, TIGHT);
    check_array("covariance", " components", &cov.components, &svd.components, 1e-11);
    check_array("randomised", " variance", &rnd.variance, &svd.variance, TIGHT);
    check_array("randomised", " components", &rnd.components, &svd.components, 1e-8);
    check_number("total", "", rnd.total, svd.total, TIGHT);
    check_number("noise", "", rnd.noise, svd.noise, 1e-10);
    ct_pca_free(&svd);
    ct_pca_free(&cov);
    ct_pca_free(&rnd);
    free(v);
}

/* |V'V - 1| and |C v - variance v| / |C| to 1e-12, of data with a repeated variance and one that is 0. */
static void M21_orthonormal(void **state) {
    enum { ROWS = 200, COLS = 6 };
    double v[ROWS * COLS];
    ct_random r = ct_random_stream(6, 0);
    (void)state;
    for (int i = 0; i < ROWS / 2;
         i++) /* every row with both signs of each pair: variances 4 4 1 1 1 0 in another frame */
        for (int k = 0; k < COLS; k++) v[i * COLS + k] = ct_random_normal(&r) * (k < 2 ? 2 : k < 5 ? 1 : 0);
    for (int i = 0; i < ROWS / 2; i++)
        for (int k = 0; k < COLS; k++) v[(ROWS / 2 + i) * COLS + k] = v[i * COLS + (k < 2 ? 1 - k : k)];
    ct_array x = ct_array_view(v, CT_F64, CT_SHAPE(ROWS, COLS)), c;
    ok(ct_stat_covariance(NULL, &x, 1, &c, &e));
    for (int32_t solver = CT_PCA_SVD; solver <= CT_PCA_RANDOMISED; solver++) {
        ct_pca p;
        ok(ct_pca_fit(NULL, &x, (ct_pca_options){.solver = solver}, &p, &e));
        const double *w = p.components.data, *s = p.variance.data, *m = c.data;
        for (int i = 0; i < COLS; i++)
            for (int k = 0; k < COLS; k++) {
                double dot = 0, off = -s[i] * w[i * COLS + k];
                for (int l = 0; l < COLS; l++) {
                    dot += w[i * COLS + l] * w[k * COLS + l];
                    off += m[k * COLS + l] * w[i * COLS + l];
                }
                assert_true(near(dot, i == k, TIGHT, 1) && fabs(off) <= TIGHT * s[0]);
            }
        assert_true(near(s[COLS - 1], 0, TIGHT, s[0]));
        ct_pca_free(&p);
    }
    ct_array_free(&c);
}

static void same_bits(const ct_pca *a, const ct_pca *b) {
    assert_memory_equal(a->components.data, b->components.data, (size_t)ct_array_count(&a->components) * 8);
    assert_memory_equal(a->variance.data, b->variance.data, (size_t)ct_array_count(&a->variance) * 8);
    assert_memory_equal(a->mean.data, b->mean.data, (size_t)ct_array_count(&a->mean) * 8);
}

/* Work is shared out from 2e8 operations on: N D^2 of the covariance, twice that of singular values, 2 N D K of scores. */
static void M14_threads(void **state) {
    enum { MANY = 60000, K = 40 };
    double *v = data_new(MANY), error[2];
    ct_array x = ct_array_view(v, CT_F64, CT_SHAPE(MANY, D)), c[2], back[2], scores[2];
    (void)state;
    for (int32_t solver = CT_PCA_SVD; solver <= CT_PCA_RANDOMISED; solver++) {
        ct_pca p[2];
        for (int i = 0; i < 2; i++) {
            ct_maths m = {.threads = i ? 3 : 1};
            ok(ct_pca_fit(&m, &x, (ct_pca_options){.solver = solver, .components = K}, &p[i], &e));
            if (solver != CT_PCA_SVD) continue;
            ok(ct_pca_transform(&m, &p[i], &x, &scores[i], &e));
            ok(ct_pca_inverse(&m, &p[i], &scores[i], &back[i], &e));
            ok(ct_pca_error(&m, &p[i], &x, &error[i], &e));
            ok(ct_stat_covariance(&m, &x, 1, &c[i], &e));
        }
        same_bits(&p[0], &p[1]);
        ct_pca_free(&p[0]);
        ct_pca_free(&p[1]);
    }
    assert_memory_equal(scores[0].data, scores[1].data, MANY * K * sizeof(double));
    assert_memory_equal(back[0].data, back[1].data, MANY * D * sizeof(double));
    assert_memory_equal(c[0].data, c[1].data, D * D * sizeof(double));
    assert_memory_equal(&error[0], &error[1], sizeof(double));
    for (int i = 0; i < 2; i++) {
        ct_array_free(&scores[i]);
        ct_array_free(&back[i]);
        ct_array_free(&c[i]);
    }
    free(v);
}

/* Data of 2^24 elements goes through f32 products: variances to 1e-6, the same bits for any number of threads; strided
 * data, which is read another way, too. */
static void single_products(void **state) {
    enum { ROWS = 1 << 15, COLS = 1 << 9 };
    uint8_t *v = malloc(ROWS * COLS * 2);
    ct_array x = ct_array_view(v, CT_U8, CT_SHAPE(ROWS, COLS)), odd = x;
    ct_pca exact, p, again;
    ct_pca_options o = {.solver = CT_PCA_RANDOMISED, .components = 3};
    (void)state;
    assert_non_null(v);
    for (int64_t i = 0; i < ROWS; i++) { /* a few directions above noise */
        ct_random r = ct_random_stream(10, (uint64_t)i);
        double a = ct_random_normal(&r) * 60, b = ct_random_normal(&r) * 30;
        for (int64_t k = 0; k < COLS; k++) {
            double at =
                128 + a * sin((double)k / 40) + b * cos((double)k / 9) + (double)ct_random_below(&r, 9);
            v[i * COLS + k] = (uint8_t)fmin(fmax(at, 0), 255);
        }
    }
    ok(ct_pca_fit(NULL, &x, (ct_pca_options){.solver = CT_PCA_COVARIANCE, .components = 3}, &exact, &e));
    ok(ct_pca_fit(&(ct_maths){.threads = 1}, &x, o, &p, &e));
    check_array("f32 products", " variance", &p.variance, &exact.variance, 1e-6);
    check_array("f32 products", " mean", &p.mean, &exact.mean, TIGHT);
    check_number("f32 products", " total", p.total, exact.total, TIGHT);
    ok(ct_pca_fit(&(ct_maths){.threads = 3}, &x, o, &again, &e));
    same_bits(&p, &again);
    ct_pca_free(&again);
    for (int64_t i = ROWS * COLS - 1; i >= 0; i--) v[2 * i] = v[i]; /* every other byte */
    odd.stride[0] = 2 * COLS, odd.stride[1] = 2;
    ok(ct_pca_fit(NULL, &odd, o, &again, &e));
    same_bits(&p, &again);
    ct_pca_free(&again);
    ct_pca_free(&exact);
    ct_pca_free(&p);
    free(v);
}

/* f32, u8, strided and transposed data: the same numbers as doubles. */
static void types(void **state) {
    enum { ROWS = 50, COLS = 4 };
    double d[ROWS * COLS], turned[ROWS * COLS];
    float f[ROWS * COLS];
    uint8_t u[ROWS * COLS];
    ct_random r = ct_random_stream(9, 0);
    (void)state;
    for (int i = 0; i < ROWS * COLS; i++) {
        u[i] = (uint8_t)ct_random_below(&r, 256);
        d[i] = u[i];
        f[i] = u[i];
        turned[i % COLS * ROWS + i / COLS] = d[i];
    }
    ct_array x = ct_array_view(d, CT_F64, CT_SHAPE(ROWS, COLS)),
             s = ct_array_view(f, CT_F32, CT_SHAPE(ROWS, COLS)),
             b = ct_array_view(u, CT_U8, CT_SHAPE(ROWS, COLS)),
             t = ct_array_view(turned, CT_F64, CT_SHAPE(COLS, ROWS));
    ct_array columns = ct_matrix_transpose(&t);
    ct_pca p, q;
    ok(ct_pca_fit(NULL, &x, (ct_pca_options){0}, &p, &e));
    ok(ct_pca_fit(NULL, &columns, (ct_pca_options){0}, &q, &e));
    same_bits(&p, &q);
    ct_pca_free(&q);
    ok(ct_pca_fit(NULL, &b, (ct_pca_options){0}, &q, &e));
    same_bits(&p, &q);
    ct_pca_free(&q);
    ok(ct_pca_fit(NULL, &s, (ct_pca_options){.solver = CT_PCA_SVD}, &q, &e));
    check_array("f32", " by singular values", &q.variance, &p.variance, TIGHT);
    ct_pca_free(&q);
    ok(ct_pca_fit(NULL, &s, (ct_pca_options){.solver = CT_PCA_COVARIANCE}, &q, &e));
    check_array("f32", " by covariance", &q.variance, &p.variance, 1e-6);
    ct_pca_free(&q);
    ct_pca_free(&p);
}

/* ---- degenerate data ---- */

static void M21_degenerate(void **state) {
    double v[40], one[3] = {1, 2, 3};
    ct_array x = ct_array_view(v, CT_F64, CT_SHAPE(10, 4)),
             single = ct_array_view(one, CT_F64, CT_SHAPE(1, 3)), y;
    ct_pca p;
    (void)state;
    for (int i = 0; i < 40; i++) v[i] = 7;
    for (int32_t solver = CT_PCA_AUTO; solver <= CT_PCA_RANDOMISED; solver++) { /* no variance at all */
        ok(ct_pca_fit(NULL, &x, (ct_pca_options){.solver = solver, .whiten = 1, .scale = 1}, &p, &e));
        assert_true(near(p.total, 0, 0, 1) && near(largest_of(p.ratio.data, 4), 0, 0, 1));
        ok(ct_pca_transform(NULL, &p, &x, &y, &e));
        assert_true(near(largest_of(y.data, 40), 0, 0, 1));
        ct_array_free(&y);
        ct_pca_free(&p);
    }
    for (int i = 0; i < 10; i++) v[i * 4] = i, v[i * 4 + 1] = 2 * i; /* rank one beside constant columns */
    ok(ct_pca_fit(NULL, &x, (ct_pca_options){.scale = 1}, &p, &e));
    assert_true(near(((double *)p.ratio.data)[0], 1, TIGHT, 1));
    assert_true(near(((double *)p.scale.data)[2], 1, 0, 1));
    ct_pca_free(&p);
    refuse(ct_pca_fit(NULL, &single, (ct_pca_options){0}, &p, &e), CT_EDATA, "1 record; wanted at least 2");
    v[17] = NAN;
    refuse(ct_pca_fit(NULL, &x, (ct_pca_options){0}, &p, &e), CT_ENONFINITE, "x[4,1] is nan");
    v[17] = 1e308, v[1] = 1e308;
    refuse(ct_pca_fit(NULL, &x, (ct_pca_options){0}, &p, &e), CT_ENONFINITE, "the sums overflow");
    for (int i = 0; i < 10; i++) v[i * 4 + 1] = i % 2 ? 1e200 : -1e200; /* their squares do */
    for (int32_t solver = CT_PCA_AUTO; solver <= CT_PCA_RANDOMISED; solver++)
        refuse(ct_pca_fit(NULL, &x, (ct_pca_options){.solver = solver, .components = 2}, &p, &e),
               CT_ENONFINITE, "the sums overflow");
    ct_pca_incremental *q;
    ok(ct_pca_begin(NULL, (ct_pca_options){.components = 2}, &q, &e));
    refuse(ct_pca_add(q, &x, &e), CT_ENONFINITE, "the sums overflow");
    ct_pca_incremental_free(q);
    for (int i = 0; i < 10; i++) v[i * 4 + 1] = 2 * i;
    v[17] = v[1] = 1;
    refuse(ct_pca_fit(NULL, &x, (ct_pca_options){.components = 5}, &p, &e), CT_EUSAGE,
           "5 components; wanted 1 to 4");
    refuse(ct_pca_fit(NULL, &x, (ct_pca_options){.variance = 1.5}, &p, &e), CT_EUSAGE, "variance 1.5");
    refuse(ct_pca_fit(NULL, &x, (ct_pca_options){.variance = 0.5, .components = 2}, &p, &e), CT_EUSAGE,
           "one of the two");
    refuse(ct_pca_fit(NULL, &x, (ct_pca_options){.variance = 0.5, .solver = CT_PCA_RANDOMISED}, &p, &e),
           CT_EUSAGE, "randomised solver");
    ct_pca none = {0};
    refuse(ct_pca_transform(NULL, &none, &x, &y, &e), CT_EUSAGE, "not fitted");
    ok(ct_pca_fit(NULL, &x, (ct_pca_options){0}, &p, &e));
    refuse(ct_pca_transform(NULL, &p, &single, &y, &e), CT_EUSAGE, "3 features; wanted 4");
    v[6] = NAN;
    refuse(ct_pca_inverse(NULL, &p, &x, &y, &e), CT_ENONFINITE, "scores of record 1 ");
    v[6] = 7;
    v[5] = INFINITY;
    refuse(ct_pca_transform(NULL, &p, &x, &y, &e), CT_ENONFINITE, "record 1 ");
    ct_pca_free(&p);
}

static void wrong_batches(void **state) {
    double v[12] = {1, 5, 2, 6, 3, 1, 9, 2, 4, 4, 1, 7};
    ct_array few = ct_array_view(v, CT_F64, CT_SHAPE(1, 3)), x = ct_array_view(v, CT_F64, CT_SHAPE(4, 3)),
             other = ct_array_view(v, CT_F64, CT_SHAPE(6, 2));
    ct_pca_incremental *q;
    ct_pca p;
    (void)state;
    refuse(ct_pca_begin(NULL, (ct_pca_options){.scale = 1}, &q, &e), CT_EUSAGE, "scale");
    ok(ct_pca_begin(NULL, (ct_pca_options){.components = 2}, &q, &e));
    refuse(ct_pca_end(q, &p, &e), CT_EDATA, "0 records so far");
    refuse(ct_pca_add(q, &few, &e), CT_EUSAGE, "first batch of [1,3] for 2 components");
    ok(ct_pca_add(q, &other, &e)); /* the first that succeeds decides */
    refuse(ct_pca_add(q, &x, &e), CT_EUSAGE, "3 features; wanted 2");
    v[3] = NAN;
    refuse(ct_pca_add(q, &other, &e), CT_ENONFINITE, "x[1,1] is nan");
    ok(ct_pca_end(q, &p, &e));
    assert_int_equal(p.samples, 6);
    ct_pca_free(&p);
    ct_pca_incremental_free(q);
}

static ct_status everything(const ct_maths *m) {
    ct_array x = ref_get("long", ""), y = {0}, z = {0};
    ct_pca p = {0};
    ct_pca_incremental *q = NULL;
    double error;
    ct_status s = CT_OK;
    for (int32_t solver = CT_PCA_SVD; !s && solver <= CT_PCA_RANDOMISED; solver++) {
        s = ct_pca_fit(m, &x, (ct_pca_options){.solver = solver, .components = 2, .scale = 1}, &p, &e);
        if (!s) s = ct_pca_transform(m, &p, &x, &y, &e);
        if (!s) s = ct_pca_inverse(m, &p, &y, &z, &e);
        if (!s) s = ct_pca_error(m, &p, &x, &error, &e);
        ct_array_free(&y);
        ct_array_free(&z);
        ct_pca_free(&p);
    }
    if (!s) s = ct_pca_begin(m, (ct_pca_options){.components = 2}, &q, &e);
    if (!s) s = ct_pca_add(q, &x, &e);
    if (!s) s = ct_pca_end(q, &p, &e);
    ct_pca_free(&p);
    ct_pca_incremental_free(q);
    return s;
}

static void memory(void **state) {
    int64_t k = 0;
    (void)state;
    for (;; k++) {
        meter s = METER;
        s.fail_at = k, s.persistent = 1;
        ct_allocator a = meter_hook(&s);
        ct_maths m = {.allocator = &a};
        ct_status status = everything(&m);
        assert_int_equal(s.live, 0);
        if (!status) break;
        refuse(status, CT_ELIMIT, "out of memory");
        assert_true(k < 1000);
    }
    assert_true(k > 20);
}

static int setup(void **state) {
    (void)state;
    ref_open("pca.safetensors");
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),      cmocka_unit_test(batches),
        cmocka_unit_test(by_eigenvectors), cmocka_unit_test(solvers_agree),
        cmocka_unit_test(M14_threads),     cmocka_unit_test(types),
        cmocka_unit_test(single_products), cmocka_unit_test(M21_degenerate),
        cmocka_unit_test(M21_orthonormal), cmocka_unit_test(wrong_batches),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, setup, ref_close);
}
