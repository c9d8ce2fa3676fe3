/* test_chi.c: Pearson's chi-squared tests (1900): counts against expected ones, and independence in a table.
 *     X^2 = sum (observed - expected)^2 / expected */
#include "maths/stat.h"

static double tail(double statistic, double df) {
    double upper;
    if (!(df > 0)) return 1;
    (void)ct__gamma_p(df / 2, statistic / 2, &upper);
    return upper;
}

static ct_status counts(ct__job *j, const ct_array *x, const char *what, double **v, int64_t *n) {
    ct_status s = ct__stat_load(j, x, what, 2, v, n);
    for (int64_t i = 0; !s && i < *n; i++)
        if (!((*v)[i] >= 0 && (*v)[i] <= 1e12)) /* their sums and products stay exact enough, and finite */
            return ct_fail(j->e, CT_EDATA, "%s: %s[%lld] is %g; wanted counts from 0 to 1e12; correct it",
                           j->name, what, (long long)i, (*v)[i]);
    return s;
}

static ct_status goodness(ct__job *j, const ct_array *observed, const ct_array *expected, ct_test *out) {
    double *o, *x, *term;
    int64_t n, k;
    ct_status s = counts(j, observed, "observed", &o, &n);
    term = s ? NULL : ct__job_doubles(j, n, 1);
    if (!term) return s ? s : CT_ELIMIT;
    double sum = ct__sum(o, n);
    if (expected) {
        s = counts(j, expected, "expected", &x, &k);
        if (!s && n != k)
            s = ct_fail(
                j->e, CT_EDATA,
                "%s: %lld and %lld counts; wanted as many of each; give one expected count an observed one",
                j->name, (long long)n, (long long)k);
        if (!s && fabs(ct__sum(x, n) - sum) > 1e-8 * sum)
            s = ct_fail(j->e, CT_EDATA, "%s: sums %g and %g; wanted equal ones; scale the expected counts",
                        j->name, sum, ct__sum(x, n));
    }
    for (int64_t i = 0; !s && i < n; i++) {
        double want = expected ? x[i] : sum / (double)n;
        if (!(want > 0))
            return ct_fail(j->e, CT_EDATA,
                           "%s: expected[%lld] is %g; wanted a number above 0; pool it with a neighbour",
                           j->name, (long long)i, want);
        term[i] = (o[i] - want) * (o[i] - want) / want;
    }
    if (s) return s;
    *out = (ct_test){.statistic = ct__sum(term, n),
                     .df = (double)(n - 1),
                     .n = n,
                     .interval = {NAN, NAN},
                     .estimate = NAN};
    out->p_value = tail(out->statistic, out->df);
    return CT_OK;
}

ct_status ct_chi_squared_test(const ct_maths *m, const ct_array *observed, const ct_array *expected,
                              ct_test *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "chi_squared_test", e);
    if (!s) s = goodness(&j, observed, expected, out);
    ct__job_end(&j);
    return s;
}

static ct_status independence(ct__job *j, const ct_array *table, int32_t corrected, ct_test *out) {
    double *v, *row, *column, *term;
    int64_t n, rows, cols;
    ct_status s = ct__array_check(j, table, "table", 2, 2);
    if (!s) s = counts(j, table, "table", &v, &n);
    if (s) return s;
    rows = table->dim[0], cols = table->dim[1];
    row = ct__job_doubles(j, rows, 1);
    column = ct__job_doubles(j, cols, 1);
    term = ct__job_doubles(j, n, 1);
    if (!row || !column || !term) return CT_ELIMIT;
    for (int64_t i = 0; i < n; i++) row[i / cols] += v[i], column[i % cols] += v[i];
    double all = ct__sum(v, n);
    for (int64_t i = 0; i < n; i++) {
        double want = row[i / cols] * column[i % cols] / all, off = fabs(v[i] - want);
        if (!(want > 0))
            return ct_fail(j->e, CT_EDATA,
                           "%s: row %lld or column %lld is all 0; wanted counts in each; leave it out",
                           j->name, (long long)(i / cols), (long long)(i % cols));
        if (corrected && rows == 2 && cols == 2) off -= fmin(0.5, off); /* Yates 1934 */
        term[i] = off * off / want;
    }
    *out = (ct_test){.statistic = ct__sum(term, n),
                     .df = (double)((rows - 1) * (cols - 1)),
                     .n = (int64_t)all,
                     .interval = {NAN, NAN},
                     .estimate = NAN};
    out->p_value = tail(out->statistic, out->df);
    return CT_OK;
}

ct_status ct_independence_test(const ct_maths *m, const ct_array *table, int32_t corrected, ct_test *out,
                               ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "independence_test", e);
    if (!s) s = independence(&j, table, corrected, out);
    ct__job_end(&j);
    return s;
}
