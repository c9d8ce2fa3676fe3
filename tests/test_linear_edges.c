/* test_linear_edges.c: linear algebra on degenerate, wrong and huge input; the same bits on any number of threads;
 * every allocation failing in turn. */
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

typedef ct_status (*unary)(const ct_array *a);
static ct_array dropped;
static double number;
static int64_t whole;
static ct_status do_inverse(const ct_array *a) { return ct_matrix_inverse(NULL, a, &dropped, &e); }
static ct_status do_determinant(const ct_array *a) { return ct_matrix_determinant(NULL, a, &number, &e); }
static ct_status do_cholesky(const ct_array *a) { return ct_matrix_cholesky(NULL, a, &dropped, &e); }
static ct_status do_qr(const ct_array *a) { return ct_matrix_qr(NULL, a, NULL, &dropped, &e); }
static ct_status do_svd(const ct_array *a) { return ct_matrix_svd(NULL, a, NULL, &dropped, NULL, &e); }
static ct_status do_rank(const ct_array *a) { return ct_matrix_rank(NULL, a, 0, &whole, &e); }
static ct_status do_condition(const ct_array *a) { return ct_matrix_condition(NULL, a, &number, &e); }
static ct_status do_pinv(const ct_array *a) { return ct_matrix_pseudo_inverse(NULL, a, 0, &dropped, &e); }
static ct_status do_norm(const ct_array *a) { return ct_matrix_norm(NULL, a, CT_NORM_2, &number, &e); }
static ct_status do_eigh(const ct_array *a) { return ct_matrix_eigen_symmetric(NULL, a, &dropped, NULL, &e); }
static ct_status do_eig(const ct_array *a) {
    ct_eigen v;
    return ct_matrix_eigen(NULL, a, &v, &e);
}
static const unary all[] = {do_inverse,   do_determinant, do_cholesky, do_qr,   do_svd, do_rank,
                            do_condition, do_pinv,        do_norm,     do_eigh, do_eig};

static void refuse(ct_status found, ct_status wanted, const char *text) {
    if (found != wanted || !strstr(e.text, text))
        fail_msg("status %d \"%s\"; wanted %d \"%s\"", (int)found, e.text, (int)wanted, text);
    ct_error_clear(&e);
}

static void M21_wrong(void **state) {
    double v[4] = {1, 2, NAN, 4}, one[2] = {1, 2};
    ct_array a = ct_array_view(v, CT_F64, CT_SHAPE(2, 2)), none = {0},
             line = ct_array_view(one, CT_F64, CT_SHAPE(2)), b = ct_array_view(v, CT_F64, CT_SHAPE(1, 2)),
             empty = ct_array_view(v, CT_F64, CT_SHAPE(0, 2)), x;
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        v[2] = NAN;
        refuse(all[i](&a), CT_ENONFINITE, "a[1,0] is nan");
        v[2] = -INFINITY;
        refuse(all[i](&a), CT_ENONFINITE, "a[1,0] is -inf");
        refuse(all[i](&none), CT_EUSAGE, "not an array");
        refuse(all[i](&empty), CT_EUSAGE, "wanted extents from 1");
    }
    v[2] = 2;
    refuse(do_inverse(&b), CT_EUSAGE, "wanted a square matrix");
    refuse(do_svd(&line), CT_EUSAGE, "a is [2]; wanted a matrix");
    refuse(ct_matrix_solve(NULL, &a, &b, &x, &e), CT_EUSAGE, "b has 1 rows; wanted 2");
    v[2] = 3;
    refuse(do_eigh(&a), CT_EDATA, "wanted a symmetric matrix");
    refuse(do_cholesky(&a), CT_EDATA, "wanted a symmetric matrix");
    v[0] = -1, v[2] = 2;
    refuse(do_cholesky(&a), CT_EDATA, "leading minor of order 1");
    v[0] = 1, v[3] = 4; /* [1 2; 2 4] */
    refuse(do_inverse(&a), CT_EDATA, "singular (pivot 1 is 0)");
    refuse(ct_matrix_solve(NULL, &a, &line, &x, &e), CT_EDATA, "singular");
    ct_maths m = {.threads = -1};
    refuse(ct_matrix_solve(&m, &a, &line, &x, &e), CT_EUSAGE, "-1 threads");
    refuse(ct_matrix_rank(NULL, &a, 1.5, &whole, &e), CT_EUSAGE, "tolerance 1.5");
}

static void singular(void **state) {
    double v[4] = {1, 2, 2, 4}, zero[4] = {0}, sign, logarithm, right[2] = {1, 2};
    ct_array a = ct_array_view(v, CT_F64, CT_SHAPE(2, 2)), z = ct_array_view(zero, CT_F64, CT_SHAPE(2, 2)),
             b = ct_array_view(right, CT_F64, CT_SHAPE(2)), x;
    ct_least_squares l;
    (void)state;
    ok(do_determinant(&a));
    assert_true(near(number, 0, 0, 1));
    ok(ct_matrix_log_determinant(NULL, &a, &sign, &logarithm, &e));
    assert_true(near(sign, 0, 0, 1) && near(logarithm, -INFINITY, 0, 1));
    ok(do_condition(&z));
    assert_true(isinf(number));
    ok(do_rank(&z));
    assert_int_equal(whole, 0);
    ok(do_rank(&a));
    assert_int_equal(whole, 1);
    ok(do_norm(&z));
    assert_true(near(number, 0, 0, 1));
    ok(ct_matrix_least_squares(NULL, &a, &b, 0, &l, &e)); /* the shortest of x + 2y = 1 */
    assert_true(l.rank == 1 && near(((double *)l.x.data)[0], 0.2, TIGHT, 1) &&
                near(((double *)l.x.data)[1], 0.4, TIGHT, 1) &&
                near(((double *)l.residual.data)[0], 0, TIGHT, 1));
    ct_least_squares_free(&l);
    ok(ct_matrix_pseudo_inverse(NULL, &z, 0, &x, &e));
    assert_true(near(largest_of(x.data, 4), 0, 0, 1));
    ct_array_free(&x);
}

static void M13_norm_range(void **state) {
    float big[2] = {1e20f, 1e20f};
    double tiny[2] = {3e-200, 4e-200}, huge[2] = {3e200, -4e200}, v;
    ct_array a = ct_array_view(big, CT_F32, CT_SHAPE(2)), b = ct_array_view(tiny, CT_F64, CT_SHAPE(2)),
             c = ct_array_view(huge, CT_F64, CT_SHAPE(2));
    (void)state;
    ok(ct_matrix_norm(NULL, &a, CT_NORM_2, &v, &e));
    check_number("norm", " of [1e20,1e20] f32", v, sqrt(2.0) * (double)1e20f, TIGHT);
    ok(ct_matrix_norm(NULL, &b, CT_NORM_2, &v, &e));
    check_number("norm", " of tiny", v, 5e-200, TIGHT);
    ok(ct_matrix_norm(NULL, &c, CT_NORM_2, &v, &e));
    check_number("norm", " of huge", v, 5e200, TIGHT);
    ok(ct_matrix_norm(NULL, &c, CT_NORM_1, &v, &e));
    check_number("norm", " 1 of huge", v, 7e200, TIGHT);
    ok(ct_matrix_norm(NULL, &c, CT_NORM_MAX, &v, &e));
    check_number("norm", " max of huge", v, 4e200, 0);
    assert_int_equal(ct_matrix_norm(NULL, &c, CT_NORM_NUCLEAR, &v, &e), CT_EUSAGE);
    ct_error_clear(&e);
}

static void single(void **state) {
    float f[4] = {4, 1, 1, 3}, right[2] = {1, 2};
    ct_array a = ct_array_view(f, CT_F32, CT_SHAPE(2, 2)), b = ct_array_view(right, CT_F32, CT_SHAPE(2)), x;
    (void)state;
    ok(ct_matrix_solve(NULL, &a, &b, &x, &e));
    assert_int_equal(x.dtype, CT_F32);
    assert_true(((float *)x.data)[0] == (float)(1.0 / 11) && ((float *)x.data)[1] == (float)(7.0 / 11));
    ct_array_free(&x);
}

/* What LAPACK, which counts in 32 bits, would count wrong, is refused before any of it is copied: these have stride 0. */
static void beyond_lapack(void **state) {
    double one = 1;
    ct_array a = ct_array_view(&one, CT_F64, CT_SHAPE(1, 1)), x, y, z;
    ct_pca p;
    (void)state;
    a.stride[0] = a.stride[1] = 0;
    a.dim[0] = a.dim[1] = 40000;
    refuse(ct_matrix_svd(NULL, &a, &x, &y, &z, &e), CT_ELIMIT, "a workspace of 6405400000 numbers");
    refuse(ct_matrix_pseudo_inverse(NULL, &a, 0, &x, &e), CT_ELIMIT, "as LAPACK counts");
    refuse(ct_matrix_eigen_symmetric(NULL, &a, &x, &y, &e), CT_ELIMIT, "as LAPACK counts");
    refuse(ct_pca_fit(NULL, &a, (ct_pca_options){.solver = CT_PCA_SVD}, &p, &e), CT_ELIMIT,
           "as LAPACK counts");
    refuse(ct_pca_fit(NULL, &a, (ct_pca_options){.solver = CT_PCA_COVARIANCE}, &p, &e), CT_ELIMIT,
           "as LAPACK counts");
    a.dim[0] = 1, a.dim[1] = 40000000;
    refuse(ct_matrix_norm(NULL, &a, CT_NORM_2, &number, &e), CT_ELIMIT, "as LAPACK counts");
}

/* ---- bits ---- */

static void M14_threads_and_alignment(void **state) {
    enum { M = 700, K = 410, P = 390 };
    ct_random r = ct_random_stream(1, 0);
    char *room = calloc(M * K + 16, sizeof(double));
    double *right = malloc(K * P * sizeof *right);
    assert_non_null(room);
    assert_non_null(right);
    for (int i = 0; i < K * P; i++) right[i] = ct_random_normal(&r);
    ct_array b = ct_array_view(right, CT_F64, CT_SHAPE(K, P)), first = {0}, c;
    (void)state;
    for (int32_t t = 1; t <= 4; t++) {
        double *left = (double *)(void *)(room + 8 * t);
        ct_random s = ct_random_stream(2, 0);
        for (int i = 0; i < M * K; i++) left[i] = ct_random_normal(&s);
        ct_array a = ct_array_view(left, CT_F64, CT_SHAPE(M, K));
        ct_maths m = {.threads = t};
        ok(ct_matrix_multiply(&m, &a, &b, &c, &e));
        if (t == 1)
            first = c;
        else {
            assert_memory_equal(first.data, c.data, M * P * sizeof(double));
            ct_array_free(&c);
        }
    }
    ct_array_free(&first);
    free(room);
    free(right);
}

/* What takes memory; below it fails at each allocation, and from there on: an error, nothing lost. */
static ct_status everything(const ct_maths *m) {
    ct_array a = ref_get("definite", ""), b = ref_get("definite", ":solve:b"), x = {0}, y = {0}, z = {0};
    ct_eigen v = {0};
    ct_least_squares l = {0};
    ct_status s = ct_matrix_solve(m, &a, &b, &x, &e);
    ct_array_free(&x);
    if (!s) s = ct_matrix_svd(m, &a, &x, &y, &z, &e);
    ct_array_free(&x);
    ct_array_free(&y);
    ct_array_free(&z);
    if (!s) s = ct_matrix_qr(m, &a, &x, &y, &e);
    ct_array_free(&x);
    ct_array_free(&y);
    if (!s) s = ct_matrix_eigen_symmetric(m, &a, &x, &y, &e);
    ct_array_free(&x);
    ct_array_free(&y);
    if (!s) s = ct_matrix_eigen(m, &a, &v, &e);
    ct_eigen_free(&v);
    if (!s) s = ct_matrix_least_squares(m, &a, &b, 0, &l, &e);
    ct_least_squares_free(&l);
    if (!s) s = ct_matrix_cholesky(m, &a, &x, &e);
    ct_array_free(&x);
    if (!s) s = ct_matrix_pseudo_inverse(m, &a, 0, &x, &e);
    ct_array_free(&x);
    if (!s) s = ct_matrix_multiply(m, &a, &b, &x, &e);
    ct_array_free(&x);
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
    ref_open("linear.safetensors");
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M21_wrong),      cmocka_unit_test(singular),
        cmocka_unit_test(M13_norm_range), cmocka_unit_test(single),
        cmocka_unit_test(beyond_lapack),  cmocka_unit_test(M14_threads_and_alignment),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, setup, ref_close);
}
