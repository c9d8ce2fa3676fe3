/* test_linear.c: linear algebra against numpy and scipy (tests/ref/linear.py), and by its defining equations. */
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

/* ---- against the references: every result that the file has of a matrix ---- */

static void norms(const char *name, const ct_array *a) {
    static const struct {
        const char *what;
        ct_norm kind;
    } rows[] = {{":norm:2", CT_NORM_2},
                {":norm:1", CT_NORM_1},
                {":norm:inf", CT_NORM_MAX},
                {":norm:fro", CT_NORM_FROBENIUS},
                {":norm:nuc", CT_NORM_NUCLEAR}};
    ct_array w;
    double v;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!ref_find(name, rows[i].what, &w)) continue;
        ok(ct_matrix_norm(NULL, a, rows[i].kind, &v, &e));
        check_number(name, rows[i].what, v, *(double *)w.data, TIGHT);
    }
}

static void numbers(const char *name, const ct_array *a) {
    ct_array w;
    double v, sign;
    int64_t rank;
    if (ref_find(name, ":rank", &w)) {
        ok(ct_matrix_rank(NULL, a, 0, &rank, &e));
        assert_int_equal(rank, *(int64_t *)w.data);
    }
    if (ref_find(name, ":condition", &w)) {
        ok(ct_matrix_condition(NULL, a, &v, &e));
        check_number(name, ":condition", v, *(double *)w.data, TIGHT);
    }
    if (ref_find(name, ":det", &w)) {
        ok(ct_matrix_determinant(NULL, a, &v, &e));
        check_number(name, ":det", v, *(double *)w.data, TIGHT);
    }
    if (ref_find(name, ":slogdet", &w)) {
        ok(ct_matrix_log_determinant(NULL, a, &sign, &v, &e));
        assert_true(near(sign, ((double *)w.data)[0], 0, 1));
        check_number(name, ":slogdet", v, ((double *)w.data)[1], TIGHT);
    }
}

/* Columns of u (rows of vt) are theirs up to one sign each. */
static void align(ct_array *found, const ct_array *wanted, int by_rows) {
    double *f = found->data;
    const double *w = wanted->data;
    int64_t rows = found->dim[0], cols = found->dim[1], n = by_rows ? rows : cols, m = by_rows ? cols : rows;
    for (int64_t k = 0; k < n; k++) {
        double dot = 0;
        for (int64_t i = 0; i < m; i++) {
            int64_t at = by_rows ? k * cols + i : i * cols + k;
            dot += f[at] * w[at];
        }
        for (int64_t i = 0; i < m && dot < 0; i++) f[by_rows ? k * cols + i : i * cols + k] *= -1;
    }
}

static void decompositions(const char *name, const ct_array *a) {
    ct_array w, u = {0}, s = {0}, vt = {0};
    if (ref_find(name, ":svd", &w)) {
        ok(ct_matrix_svd(NULL, a, &u, &s, &vt, &e));
        check_array(name, ":svd", &s, &w, TIGHT);
        if (ref_find(name, ":svd:u", &w) && strcmp(name, "turn") != 0) {
            align(&u, &w, 0);
            check_array(name, ":svd:u", &u, &w, TIGHT);
            w = ref_get(name, ":svd:vt");
            align(&vt, &w, 1);
            check_array(name, ":svd:vt", &vt, &w, TIGHT);
        }
        ct_array_free(&u);
        ct_array_free(&s);
        ct_array_free(&vt);
    }
    if (ref_find(name, ":qr:r", &w)) {
        ct_array product;
        ok(ct_matrix_qr(NULL, a, &vt, &u, &e));
        check_array(name, ":qr:r", &u, &w, TIGHT);
        w = ref_get(name, ":qr:q");
        check_array(name, ":qr:q", &vt, &w, TIGHT);
        ok(ct_matrix_multiply(NULL, &vt, &u, &product, &e));
        check_array(name, ": q r", &product, a, TIGHT);
        ct_array_free(&product);
        ct_array_free(&vt);
        ct_array_free(&u);
    }
    if (ref_find(name, ":eigh", &w)) {
        ok(ct_matrix_eigen_symmetric(NULL, a, &s, &u, &e));
        check_array(name, ":eigh", &s, &w, TIGHT);
        w = ref_get(name, ":eigh:v");
        align(&u, &w, 0);
        check_array(name, ":eigh:v", &u, &w, TIGHT);
        ct_array_free(&u);
        ct_array_free(&s);
    }
    if (ref_find(name, ":cholesky", &w)) {
        ok(ct_matrix_cholesky(NULL, a, &u, &e));
        check_array(name, ":cholesky", &u, &w, TIGHT);
        ct_array_free(&u);
    }
}

static void systems(const char *name, const ct_array *a) {
    static const char *const rows[][2] = {{":solve", ":solve:b"}, {":solve1", ":solve1:b"}};
    static const char *const least[][3] = {{":lstsq0:b", ":lstsq0:x", ":lstsq0:residual"},
                                           {":lstsq1:b", ":lstsq1:x", ":lstsq1:residual"}};
    ct_array w, b, x;
    for (int i = 0; i < 2; i++) {
        if (!ref_find(name, rows[i][0], &w)) continue;
        b = ref_get(name, rows[i][1]);
        ok(ct_matrix_solve(NULL, a, &b, &x, &e));
        check_array(name, rows[i][0], &x, &w, TIGHT);
        ct_array_free(&x);
    }
    for (int i = 0; i < 2; i++) {
        ct_least_squares l;
        if (!ref_find(name, least[i][0], &b)) continue;
        ok(ct_matrix_least_squares(NULL, a, &b, 0, &l, &e));
        w = ref_get(name, least[i][1]);
        check_array(name, least[i][1], &l.x, &w, TIGHT);
        w = ref_get(name, least[i][2]);
        for (int64_t k = 0; k < w.dim[0]; k++)
            assert_true(near(((double *)l.residual.data)[k], ((double *)w.data)[k], TIGHT,
                             fmax(1, ((double *)w.data)[k])));
        ct_least_squares_free(&l);
    }
    if (ref_find(name, ":inverse", &w)) {
        ok(ct_matrix_inverse(NULL, a, &x, &e));
        check_array(name, ":inverse", &x, &w, TIGHT);
        ct_array_free(&x);
    }
    if (ref_find(name, ":pinv", &w)) {
        ok(ct_matrix_pseudo_inverse(NULL, a, 0, &x, &e));
        check_array(name, ":pinv", &x, &w, TIGHT);
        ct_array_free(&x);
    }
}

/* |<ours, theirs>| of column k of v and column i of w, complex: 1 for vectors of length 1 that are one but for a phase. */
static double overlap(const ct_eigen *v, int64_t k, const double *w, int64_t i, int64_t n) {
    const double *a = v->vectors.data, *b = v->vectors_im.data;
    double re = 0, im = 0;
    for (int64_t r = 0; r < n; r++) {
        double x = a[r * n + k], y = b[r * n + k], p = w[r * n + i], q = w[n * n + r * n + i];
        re += x * p + y * q;
        im += x * q - y * p;
    }
    return hypot(re, im);
}

/* Eigenvalues as a set: each of theirs is near one of ours, and so is its vector (of matrices of distinct eigenvalues). */
static void eigenvalues(const char *name, const ct_array *a) {
    ct_array w, vectors;
    ct_eigen v;
    if (!ref_find(name, ":eig", &w)) return;
    vectors = ref_get(name, ":eig:v");
    ok(ct_matrix_eigen(NULL, a, &v, &e));
    int64_t n = w.dim[1];
    const double *re = w.data, *im = re + n, *ours = v.values.data, *ours_im = v.values_im.data;
    double scale = largest_of(re, (uint64_t)(2 * n));
    for (int64_t i = 0; i < n; i++) {
        double best = INFINITY;
        int64_t at = 0;
        for (int64_t k = 0; k < n; k++) {
            double off = hypot(re[i] - ours[k], im[i] - ours_im[k]);
            if (off < best) best = off, at = k;
        }
        if (best > TIGHT * scale)
            fail_msg("%s: no eigenvalue %g + %gi (off by %g)", name, re[i], im[i], best);
        double same = overlap(&v, at, vectors.data, i, n);
        if (!near(same, 1, TIGHT, 1)) fail_msg("%s: eigenvector %lld: %.15g", name, (long long)i, same);
    }
    ct_eigen_free(&v);
}

static void references(void **state) {
    int seen = 0;
    (void)state;
    for (int64_t i = 0; i < ct_tensors_count(ref_file); i++) {
        const char *name = ct_tensors_name(ref_file, i);
        if (strchr(name, ':')) continue;
        ct_array a = ref_get(name, "");
        norms(name, &a);
        numbers(name, &a);
        decompositions(name, &a);
        systems(name, &a);
        eigenvalues(name, &a);
        seen++;
    }
    assert_true(seen >= 13);
}

static void products(void **state) {
    static const char *const names[] = {"product:ab", "product:big"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        ct_array a = ref_get(names[i], ":a"), b = ref_get(names[i], ":b"), w = ref_get(names[i], ":c"), c,
                 back;
        ok(ct_matrix_multiply(NULL, &a, &b, &c, &e));
        check_array(names[i], ":c", &c, &w, TIGHT);
        ct_array at = ct_matrix_transpose(&a), bt = ct_matrix_transpose(&b), ct = ct_matrix_transpose(&c);
        ok(ct_matrix_multiply(NULL, &bt, &at, &back, &e)); /* (ab)' = b'a' */
        for (int64_t k = 0; k < ct.dim[0]; k++)
            for (int64_t l = 0; l < ct.dim[1]; l++)
                assert_true(near(((double *)back.data)[k * ct.dim[1] + l],
                                 ((double *)c.data)[l * c.dim[1] + k], TIGHT, 10));
        ct_array_free(&back);
        ct_array_free(&c);
    }
}

/* Vectors, integers, strides that fit no BLAS, both types. */
static void product_forms(void **state) {
    int32_t a[6] = {1, 2, 3, 4, 5, 6};
    float f[6] = {1, 2, 3, 4, 5, 6};
    double x[3] = {1, -1, 2};
    ct_array m = ct_array_view(a, CT_I32, CT_SHAPE(2, 3)), v = ct_array_view(x, CT_F64, CT_SHAPE(3)),
             s = ct_array_view(f, CT_F32, CT_SHAPE(2, 3)), out;
    (void)state;
    ok(ct_matrix_multiply(NULL, &m, &v, &out, &e)); /* [2] */
    assert_true(out.rank == 1 && out.dim[0] == 2 && out.dtype == CT_F64);
    assert_true(near(((double *)out.data)[0], 5, 0, 1) && near(((double *)out.data)[1], 11, 0, 1));
    ct_array_free(&out);
    ok(ct_matrix_multiply(NULL, &v, &v, &out, &e));
    assert_true(out.rank == 0 && near(*(double *)out.data, 6, 0, 1));
    ct_array_free(&out);
    ct_array st = ct_matrix_transpose(&s);
    ok(ct_matrix_multiply(NULL, &s, &st, &out, &e));
    assert_true(out.dtype == CT_F32 && near((double)((float *)out.data)[1], 32, 0, 1));
    ct_array_free(&out);
    double big[24];
    for (int i = 0; i < 24; i++) big[i] = i;
    ct_array odd = ct_array_view(big, CT_F64, CT_SHAPE(2, 3));
    odd.stride[0] = 12, odd.stride[1] = 4; /* every fourth of a row */
    ok(ct_matrix_multiply(NULL, &odd, &v, &out, &e));
    assert_true(near(((double *)out.data)[0], 0 - 4 + 16, 0, 1) &&
                near(((double *)out.data)[1], 12 - 16 + 40, 0, 1));
    ct_array_free(&out);
    x[1] = NAN, x[2] = INFINITY; /* go through */
    ok(ct_matrix_multiply(NULL, &v, &v, &out, &e));
    assert_true(isnan(*(double *)out.data));
    ct_array_free(&out);
    x[1] = 0;
    ok(ct_matrix_multiply(NULL, &m, &v, &out, &e));
    assert_true(isinf(((double *)out.data)[0]) && isinf(((double *)out.data)[1]));
    ct_array_free(&out);
    assert_int_equal(ct_matrix_multiply(NULL, &s, &s, &out, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "a is [2,3], b is [2,3]"));
    ct_error_clear(&e);
}

/* The article's example, digits as numpy prints them. */
static void article(void **state) {
    ct_array a = ref_get("eig2", ""), w = ref_get("eig2", ":eig:v");
    ct_eigen v;
    char text[64];
    (void)state;
    ok(ct_matrix_eigen(NULL, &a, &v, &e));
    snprintf(text, sizeof text, "%.8f %.8f", ((double *)v.values.data)[0], ((double *)v.values.data)[1]);
    assert_string_equal(text, "-0.37228132 5.37228132");
    ct_array real = ct_array_view(w.data, CT_F64, CT_SHAPE(2, 2)); /* before the imaginary parts */
    check_array("eig2", ":eig:v", &v.vectors, &real, TIGHT);
    assert_int_equal(v.complex_count, 0);
    ct_eigen_free(&v);
}

/* ---- f32: what doubles give, rounded once ---- */

static void rounded(const char *what, ct_array *f32, ct_array *f64) {
    assert_int_equal(f32->dtype, CT_F32);
    assert_int_equal(f64->dtype, CT_F64);
    for (uint64_t i = 0; i < ct_array_count(f64); i++)
        if (!near((double)((float *)f32->data)[i], (double)(float)((double *)f64->data)[i], 0, 1))
            fail_msg("%s: element %d", what, (int)i);
    ct_array_free(f32);
    ct_array_free(f64);
}

static void single(void **state) {
    enum { N = 7 };
    ct_array whole = ref_get("definite", "");
    float f[N * N];
    double d[N * N];
    (void)state;
    for (int i = 0; i < N * N; i++) d[i] = f[i] = (float)((double *)whole.data)[i];
    ct_array a = ct_array_view(f, CT_F32, CT_SHAPE(N, N)), b = ct_array_view(d, CT_F64, CT_SHAPE(N, N)), x[3],
             y[3];
    ct_eigen v, w;
    ct_least_squares l, k;
    ok(ct_matrix_inverse(NULL, &a, x, &e)), ok(ct_matrix_inverse(NULL, &b, y, &e));
    rounded("inverse", x, y);
    ok(ct_matrix_solve(NULL, &a, &a, x, &e)), ok(ct_matrix_solve(NULL, &b, &b, y, &e));
    rounded("solve", x, y);
    ok(ct_matrix_pseudo_inverse(NULL, &a, 0, x, &e)), ok(ct_matrix_pseudo_inverse(NULL, &b, 0, y, &e));
    rounded("pseudo-inverse", x, y);
    ok(ct_matrix_cholesky(NULL, &a, x, &e)), ok(ct_matrix_cholesky(NULL, &b, y, &e));
    rounded("cholesky", x, y);
    ok(ct_matrix_qr(NULL, &a, x, x + 1, &e)), ok(ct_matrix_qr(NULL, &b, y, y + 1, &e));
    for (int i = 0; i < 2; i++) rounded("qr", x + i, y + i);
    ok(ct_matrix_svd(NULL, &a, x, x + 1, x + 2, &e)), ok(ct_matrix_svd(NULL, &b, y, y + 1, y + 2, &e));
    for (int i = 0; i < 3; i++) rounded("svd", x + i, y + i);
    ok(ct_matrix_eigen_symmetric(NULL, &a, x, x + 1, &e)),
        ok(ct_matrix_eigen_symmetric(NULL, &b, y, y + 1, &e));
    for (int i = 0; i < 2; i++) rounded("symmetric eigen", x + i, y + i);
    ok(ct_matrix_eigen(NULL, &a, &v, &e)), ok(ct_matrix_eigen(NULL, &b, &w, &e));
    rounded("eigen", &v.values, &w.values), rounded("eigen", &v.values_im, &w.values_im);
    rounded("eigen", &v.vectors, &w.vectors), rounded("eigen", &v.vectors_im, &w.vectors_im);
    ok(ct_matrix_least_squares(NULL, &a, &a, 1e-9, &l, &e));
    ok(ct_matrix_least_squares(NULL, &b, &b, 1e-9, &k, &e));
    rounded("least squares", &l.x, &k.x), rounded("least squares", &l.singular, &k.singular);
    ct_least_squares_free(&l), ct_least_squares_free(&k);
}

/* ---- defining equations ---- */

static double residual(const double *a, const double *w, const double *v, int64_t n) {
    double worst = 0; /* of A V - V diag(w) */
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++) {
            double sum = 0;
            for (int64_t l = 0; l < n; l++) sum += a[i * n + l] * v[l * n + k];
            worst = fmax(worst, fabs(sum - w[k] * v[i * n + k]));
        }
    return worst;
}

static double orthonormality(const double *v, int64_t n) {
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++) {
            double sum = 0;
            for (int64_t l = 0; l < n; l++) sum += v[l * n + i] * v[l * n + k];
            worst = fmax(worst, fabs(sum - (i == k)));
        }
    return worst;
}

/* Repeated and zero eigenvalues: Q diag(w) Q' with w = 3 3 3 3 0 0 -1. */
static void M21_repeated(void **state) {
    enum { N = 7 };
    static const double w[N] = {-1, 0, 0, 3, 3, 3, 3};
    double g[N * N], a[N * N];
    ct_random r = ct_random_stream(3, 0);
    ct_array x = ct_array_view(g, CT_F64, CT_SHAPE(N, N)), m = ct_array_view(a, CT_F64, CT_SHAPE(N, N)), q,
             up, values, vectors;
    (void)state;
    for (int i = 0; i < N * N; i++) g[i] = ct_random_normal(&r);
    ok(ct_matrix_qr(NULL, &x, &q, &up, &e));
    assert_true(orthonormality(q.data, N) <= TIGHT);
    const double *o = q.data;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            a[i * N + k] = 0;
            for (int l = 0; l < N; l++) a[i * N + k] += o[i * N + l] * w[l] * o[k * N + l];
        }
    ok(ct_matrix_eigen_symmetric(NULL, &m, &values, &vectors, &e));
    for (int i = 0; i < N; i++) assert_true(near(((double *)values.data)[i], w[i], TIGHT, 3));
    assert_true(orthonormality(vectors.data, N) <= TIGHT);
    assert_true(residual(a, values.data, vectors.data, N) <= 3 * TIGHT);
    ct_array_free(&q);
    ct_array_free(&up);
    ct_array_free(&values);
    ct_array_free(&vectors);
}

/* Complex pairs: A (re + i im) = (w + i wi)(re + i im), and length 1. */
static void complex_pairs(void **state) {
    ct_array a = ref_get("turn", "");
    ct_eigen v;
    (void)state;
    ok(ct_matrix_eigen(NULL, &a, &v, &e));
    assert_int_equal(v.complex_count, 2);
    int64_t n = a.dim[0];
    const double *x = a.data, *w = v.values.data, *wi = v.values_im.data, *p = v.vectors.data,
                 *q = v.vectors_im.data;
    for (int64_t k = 0; k < n; k++) {
        double length = 0;
        for (int64_t i = 0; i < n; i++) {
            double re = 0, im = 0;
            for (int64_t l = 0; l < n; l++)
                re += x[i * n + l] * p[l * n + k], im += x[i * n + l] * q[l * n + k];
            assert_true(near(re, w[k] * p[i * n + k] - wi[k] * q[i * n + k], TIGHT, 2));
            assert_true(near(im, w[k] * q[i * n + k] + wi[k] * p[i * n + k], TIGHT, 2));
            length += p[i * n + k] * p[i * n + k] + q[i * n + k] * q[i * n + k];
        }
        assert_true(near(length, 1, TIGHT, 1));
    }
    for (int64_t k = 0; k + 1 < n; k++)
        if (wi[k] > 0) assert_true(near(wi[k + 1], -wi[k], 0, 1));
    ct_eigen_free(&v);
}

static int setup(void **state) {
    (void)state;
    ref_open("linear.safetensors");
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references), cmocka_unit_test(products),     cmocka_unit_test(product_forms),
        cmocka_unit_test(article),    cmocka_unit_test(M21_repeated), cmocka_unit_test(complex_pairs),
        cmocka_unit_test(single),
    };
    return cmocka_run_group_tests(tests, setup, ref_close);
}
