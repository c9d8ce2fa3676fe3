/* test_t.c: Student's t tests: one sample, two samples (Welch's, pooled), pairs; and McNemar's exact test of pairs that
 * went one way or the other.
 *
 *     t = (mean - mu) / (s / sqrt(n)),  df = n - 1
 *     Welch: t = (mean_x - mean_y) / sqrt(a + b), a = s_x^2/n_x, b = s_y^2/n_y,  df = (a+b)^2 / (a^2/(n_x-1) + b^2/(n_y-1)) */
#include "maths/stat.h"

double ct__t_quantile(double p, double df) {
    double y, x = ct__beta_i_inverse(df / 2, 0.5, 2 * fmin(p, 1 - p), fabs(2 * p - 1), &y),
              t = sqrt(df * y / x);
    return p < 0.5 ? -t : t;
}

/* P(T > |t|) */
static double beyond(double t, double df) {
    double share = t * t / df, within;
    if (isinf(share)) return 0;
    return 0.5 * ct__beta_i(df / 2, 0.5, 1 / (1 + share), share / (1 + share), &within);
}

double ct__t_tail(double t, double df, ct_alternative alternative) {
    double tail = beyond(t, df);
    if (alternative == CT_TWO_SIDED) return 2 * tail;
    return (t > 0) == (alternative == CT_GREATER) ? tail : 1 - tail;
}

double ct__normal_tail(double z, ct_alternative alternative) {
    double upper, lower = ct__normal_cdf(z, &upper);
    return alternative == CT_LESS      ? lower
           : alternative == CT_GREATER ? upper
                                       : fmin(1, 2 * fmin(lower, upper));
}

ct_status ct__check_alternative(ct__job *j, ct_alternative alternative) {
    return alternative >= CT_TWO_SIDED && alternative <= CT_GREATER
               ? CT_OK
               : ct_fail(j->e, CT_EUSAGE, "%s: alternative %d; wanted a ct_alternative; choose one", j->name,
                         (int)alternative);
}

/* `error`: of the estimate. Without any: t is 0 or infinite. */
static void finish(double estimate, double against, double error, double df, int64_t n,
                   ct_alternative alternative, ct_test *out) {
    double off = estimate - against, reach = ct__t_quantile(0.975, df) * error,
           t = error > 0 ? off / error
               : off > 0 ? INFINITY
               : off < 0 ? -INFINITY
                         : 0;
    *out = (ct_test){.statistic = t, .df = df, .estimate = estimate, .n = n};
    out->interval = (ct_interval){estimate - reach, estimate + reach};
    out->p_value = error > 0 || off > 0 || off < 0 ? ct__t_tail(t, df, alternative) : 1;
}

static ct_status one(ct__job *j, const double *v, int64_t n, double mean, ct_alternative alternative,
                     ct_test *out) {
    double m = ct__mean(v, n), square, df = (double)(n - 1);
    ct_status s = ct__squares(j, v, n, m, &square);
    if (s) return s;
    finish(m, mean, sqrt(square / df / (double)n), df, n, alternative, out);
    return CT_OK;
}

ct_status ct_t_test(const ct_maths *m, const ct_array *x, double mean, ct_alternative alternative,
                    ct_test *out, ct_err *e) {
    ct__job j;
    double *v;
    int64_t n;
    ct_status s = ct__job_begin(&j, m, "t_test", e);
    if (!s) s = ct__check_alternative(&j, alternative);
    if (!s) s = ct__stat_load(&j, x, "x", 2, &v, &n);
    if (!s) s = one(&j, v, n, mean, alternative, out);
    ct__job_end(&j);
    return s;
}

ct_status ct_t_test_paired(const ct_maths *m, const ct_array *x, const ct_array *y,
                           ct_alternative alternative, ct_test *out, ct_err *e) {
    ct__job j;
    double *a, *b;
    int64_t n, k;
    ct_status s = ct__job_begin(&j, m, "t_test_paired", e);
    if (!s) s = ct__check_alternative(&j, alternative);
    if (!s) s = ct__stat_load(&j, x, "x", 2, &a, &n);
    if (!s) s = ct__stat_load(&j, y, "y", 2, &b, &k);
    if (!s && n != k)
        s = ct_fail(e, CT_EDATA, "t_test_paired: %lld and %lld values; wanted pairs; give as many of each",
                    (long long)n, (long long)k);
    for (int64_t i = 0; !s && i < n; i++) a[i] -= b[i];
    if (!s) s = one(&j, a, n, 0, alternative, out);
    ct__job_end(&j);
    return s;
}

static ct_status two(ct__job *j, const ct_array *x, const ct_array *y, int32_t pooled,
                     ct_alternative alternative, ct_test *out) {
    double *a, *b;
    int64_t na, nb;
    ct_status s = ct__stat_load(j, x, "x", 2, &a, &na);
    if (!s) s = ct__stat_load(j, y, "y", 2, &b, &nb);
    if (s) return s;
    double ma = ct__mean(a, na), mb = ct__mean(b, nb), sa, sb;
    s = ct__squares(j, a, na, ma, &sa);
    if (!s) s = ct__squares(j, b, nb, mb, &sb);
    if (s) return s;
    double da = (double)(na - 1), db = (double)(nb - 1), va = sa / da / (double)na, vb = sb / db / (double)nb;
    double error = pooled ? sqrt((sa + sb) / (da + db) * (1 / (double)na + 1 / (double)nb)) : sqrt(va + vb),
           df = pooled || !(va + vb > 0) ? da + db : (va + vb) * (va + vb) / (va * va / da + vb * vb / db);
    finish(ma - mb, 0, error, df, na + nb, alternative, out);
    return CT_OK;
}

ct_status ct_t_test_two(const ct_maths *m, const ct_array *x, const ct_array *y, int32_t pooled,
                        ct_alternative alternative, ct_test *out, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "t_test_two", e);
    if (!s) s = ct__check_alternative(&j, alternative);
    if (!s) s = two(&j, x, y, pooled, alternative, out);
    ct__job_end(&j);
    return s;
}

/* Twice the binomial tail of the rarer way. Interval of the difference of shares (a - b) / n: Tango's would be exact; this
 * is the plain one, +- 1.96 sqrt((a + b - (a - b)^2 / n)) / n (Agresti, Categorical Data Analysis, 10.1.1). */
ct_status ct_mcnemar_test(int64_t a, int64_t b, int64_t n, ct_test *out, ct_err *e) {
    if (a < 0 || b < 0 || n < 1 || a > n || b > n - a)
        return ct_fail(e, CT_EDATA,
                       "mcnemar_test: %lld and %lld of %lld pairs; wanted counts within them; correct them",
                       (long long)a, (long long)b, (long long)n);
    int64_t few = a < b ? a : b, all = a + b;
    double upper,
        tail = few == all ? 1 : ct__beta_i((double)(all - few), (double)few + 1, 0.5, 0.5, &upper),
        count = (double)n, off = (double)(a - b),
        reach = ct__normal_quantile(0.975, 0.025) * sqrt(fmax((double)all - off * off / count, 0)) / count;
    *out = (ct_test){
        .statistic = (double)few, .p_value = fmin(1, 2 * tail), .estimate = off / count, .n = n, .exact = 1};
    out->interval = (ct_interval){off / count - reach, off / count + reach};
    return CT_OK;
}
