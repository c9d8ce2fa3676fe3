/* cotan/statistics.h: probability distributions, statistics and tests. Included by cotan/maths.h, whose rules hold.
 *
 *     ct_dist *d;
 *     if (ct_dist_new(NULL, "normal", (double[]){10, 2}, 2, &d, &e)) ...      // mean 10, deviation 2
 *     ct_dist_quantile(d, &p, &x, &e);                                        // of an array of probabilities
 *     ct_dist_free(d); */
#ifndef COTAN_STATISTICS_H
#define COTAN_STATISTICS_H

#include "cotan.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ct_maths;

/* ---- distributions ----
 *
 * By name (ct_dist_describe lists them): normal, lognormal, uniform, exponential, gamma, beta, student_t, chi_squared,
 * f, laplace, cauchy; bernoulli, binomial, geometric, poisson, categorical; and of vectors: multivariate_normal,
 * dirichlet, multinomial. Parameters are those of torch.distributions; geometric counts failures, from 0.
 * A distribution is immutable: any number of threads may use it. */
typedef struct ct_dist ct_dist;
typedef struct ct_dist_about {
    const char *name;
    /* "mean = 0, deviation = 1": in order, with defaults; "K" counts a vector's elements */
    const char *parameters;
    const char *support; /* "x > 0" */
    int32_t discrete;    /* densities are probabilities */
    int32_t vector;      /* a value is [K] */
} ct_dist_about;
CT_API int32_t ct_dist_count(void);
CT_API ct_dist_about ct_dist_describe(int32_t index);
/* `parameters` as described, vectors and matrices (row by row) written out one after the other; trailing ones that have
 * a default may be left out. CT_EUSAGE for a wrong name, count or value. */
CT_API ct_status ct_dist_new(const struct ct_maths *m, const char *name, const double *parameters,
                             int64_t count, ct_dist **out, ct_err *e);
CT_API void ct_dist_free(ct_dist *d);
CT_API ct_dist_about ct_dist_of(const ct_dist *d);
CT_API int64_t ct_dist_size(const ct_dist *d); /* K; 1 where a value is a number */
CT_API const double *ct_dist_parameters(const ct_dist *d, int64_t *count); /* all of them */

/* Elementwise: x of any shape, for vectors [K] or [N,K] -> the same shape without K. x may be infinite; NaN is
 * CT_ENONFINITE. Outside of the support: density 0, its logarithm -infinity. */
CT_API ct_status ct_dist_density(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *e);
CT_API ct_status ct_dist_log_density(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *e);
/* P(X <= x), and P(X > x) with all its digits where the other is near 1. CT_EUSAGE for vectors. */
CT_API ct_status ct_dist_cdf(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *e);
CT_API ct_status ct_dist_survival(const ct_dist *d, const ct_array *x, ct_array *out, ct_err *e);
/* The least x with P(X <= x) >= p; and by the upper tail, P(X > x) <= p. p outside of 0..1 is CT_EDATA. */
CT_API ct_status ct_dist_quantile(const ct_dist *d, const ct_array *p, ct_array *out, ct_err *e);
CT_API ct_status ct_dist_upper_quantile(const ct_dist *d, const ct_array *p, ct_array *out, ct_err *e);
/* Values first .. first + n - 1 of the endless sequence that `seed` stands for: [n], or [n,K]. Value i depends on
 * (seed, i) alone. f64. */
CT_API ct_status ct_dist_sample(const struct ct_maths *m, const ct_dist *d, uint64_t seed, int64_t first,
                                int64_t n, ct_array *out, ct_err *e);
/* [K] and [K,K]; infinity where the moment is infinite, NaN where it is undefined. */
CT_API void ct_dist_mean(const ct_dist *d, double *out);
CT_API void ct_dist_variance(const ct_dist *d, double *out);
CT_API double ct_dist_entropy(const ct_dist *d); /* in nats; of densities, differential */
/* Maximum likelihood: x [N], or [N,K]. `known` gives what is not estimated: {n} of binomial, which must have it; {K} of
 * categorical (NULL: the classes up to the largest that came up); else NULL. CT_EDATA for values outside of the
 * support, too few of them or without spread. */
CT_API ct_status ct_dist_fit(const struct ct_maths *m, const char *name, const ct_array *x,
                             const double *known, ct_dist **out, ct_err *e);
/* E_p log(p / q), of two distributions of one name. CT_EUSAGE where it has no closed form (student_t, f). */
CT_API ct_status ct_dist_kl(const ct_dist *p, const ct_dist *q, double *out, ct_err *e);

/* ---- statistics ----
 *
 * x of any shape counts as a list of numbers, but where [N,D], records and features, is said. Sums are compensated.
 * Too few values, or none that differ where a spread is divided by, are CT_EDATA. */
CT_API ct_status ct_stat_mean(const struct ct_maths *m, const ct_array *x, double *out, ct_err *e);
/* Squared deviations from the mean over N - ddof: 1 for the unbiased estimate, 0 for the mean of squares. */
CT_API ct_status ct_stat_variance(const struct ct_maths *m, const ct_array *x, int64_t ddof, double *out,
                                  ct_err *e);
/* (x - mean) / deviation (ddof 0) of each feature of [N,D] or of a list, f64; 0 where all are equal. */
CT_API ct_status ct_stat_standardise(const struct ct_maths *m, const ct_array *x, ct_array *out, ct_err *e);
/* Of [N,D] -> [D,D], f64. */
CT_API ct_status ct_stat_covariance(const struct ct_maths *m, const ct_array *x, int64_t ddof, ct_array *out,
                                    ct_err *e);
typedef enum ct_correlation { CT_PEARSON = 0, CT_SPEARMAN = 1 } ct_correlation;
CT_API ct_status ct_stat_correlation(const struct ct_maths *m, const ct_array *x, ct_correlation kind,
                                     ct_array *out, ct_err *e);
/* Places in ascending order from 1, equal values sharing the mean of theirs: f64 of x's shape. */
CT_API ct_status ct_stat_ranks(const struct ct_maths *m, const ct_array *x, ct_array *out, ct_err *e);
/* At p[i] (n of them), between neighbours linearly: numpy's default, type 7 of Hyndman and Fan 1996. */
CT_API ct_status ct_stat_quantiles(const struct ct_maths *m, const ct_array *x, const double *p, int64_t n,
                                   double *out, ct_err *e);
/* `bins` of equal width from low to high (both 0: the data's own), the last closed: counts [bins] i64, edges [bins + 1].
 * Values outside are not counted. */
CT_API ct_status ct_stat_histogram(const struct ct_maths *m, const ct_array *x, int64_t bins, double low,
                                   double high, ct_array *counts, ct_array *edges, ct_err *e);
/* A density by normal kernels of deviation `bandwidth` (0: Scott's n^(-1/5) deviations, ddof 1) at `points`. */
CT_API ct_status ct_stat_density(const struct ct_maths *m, const ct_array *x, double bandwidth,
                                 const ct_array *points, ct_array *out, ct_err *e);

/* Intervals of confidence, level 0..1 (0: 0.95): of a mean by Student's t, of a share by Wilson 1927. */
typedef struct ct_interval {
    double low, high;
} ct_interval;
CT_API ct_status ct_stat_mean_interval(const struct ct_maths *m, const ct_array *x, double level,
                                       ct_interval *out, ct_err *e);
CT_API ct_status ct_stat_share_interval(int64_t successes, int64_t n, double level, ct_interval *out,
                                        ct_err *e);

/* Of any statistic, by resampling (Efron 1987, BCa; or plain percentiles). Resample r draws from Philox by (seed, r). */
typedef struct ct_bootstrap_options {
    int64_t resamples; /* 0: 9,999 */
    uint64_t seed;
    double level;       /* 0: 0.95 */
    int32_t percentile; /* 1: percentiles, neither bias nor skewness corrected */
    int32_t reserved_28;
    int64_t reserved[4];
} ct_bootstrap_options;
typedef struct ct_bootstrap_result {
    double estimate, error; /* of the data; standard deviation of the resamples' */
    ct_interval interval;
} ct_bootstrap_result;
CT_API ct_status ct_bootstrap(const struct ct_maths *m, const ct_array *x,
                              double (*statistic)(void *user, const double *x, int64_t n), void *user,
                              ct_bootstrap_options o, ct_bootstrap_result *out, ct_err *e);

/* ---- tests ---- */

typedef enum ct_alternative { CT_TWO_SIDED = 0, CT_LESS = 1, CT_GREATER = 2 } ct_alternative;
typedef struct ct_test {
    double statistic, p_value;
    double df;            /* degrees of freedom; 0 where there are none */
    double estimate;      /* what is tested: a mean, a difference, a correlation */
    ct_interval interval; /* of it, 95 %, two-sided; NaN where the test gives none */
    int64_t n;            /* values, or pairs, that counted */
    int32_t exact;        /* 1: all arrangements were counted */
    int32_t reserved;
} ct_test;

/* Student 1908: the mean of x is `mean`. Without any spread: p 1 where it is, else 0. */
CT_API ct_status ct_t_test(const struct ct_maths *m, const ct_array *x, double mean,
                           ct_alternative alternative, ct_test *out, ct_err *e);
/* The means of x and y are equal; Welch 1947, or with `pooled` Student's, which takes the variances for equal. */
CT_API ct_status ct_t_test_two(const struct ct_maths *m, const ct_array *x, const ct_array *y, int32_t pooled,
                               ct_alternative alternative, ct_test *out, ct_err *e);
/* The mean of x - y is 0. */
CT_API ct_status ct_t_test_paired(const struct ct_maths *m, const ct_array *x, const ct_array *y,
                                  ct_alternative alternative, ct_test *out, ct_err *e);
/* Pearson 1900: counts against expected ones of the same sum (NULL: equal ones). */
CT_API ct_status ct_chi_squared_test(const struct ct_maths *m, const ct_array *observed,
                                     const ct_array *expected, ct_test *out, ct_err *e);
/* Rows and columns of a table of counts [R,C] are independent; `corrected`: Yates's correction of 2 x 2 tables. */
CT_API ct_status ct_independence_test(const struct ct_maths *m, const ct_array *table, int32_t corrected,
                                      ct_test *out, ct_err *e);
/* Wilcoxon 1945, signed ranks of x - y (y NULL: of x): symmetric about 0. Zeros are left out. Exact up to 50 pairs without
 * ties and 13 with them, else by the normal distribution with the correction for ties. */
CT_API ct_status ct_wilcoxon_test(const struct ct_maths *m, const ct_array *x, const ct_array *y,
                                  ct_alternative alternative, ct_test *out, ct_err *e);
/* Mann and Whitney 1947: x and y have one distribution. The statistic is U of x. Exact where one has at most 8 values,
 * none are tied and there are up to 100,000 pairs of x and y; else normal with corrections for ties and continuity. */
CT_API ct_status ct_mann_whitney_test(const struct ct_maths *m, const ct_array *x, const ct_array *y,
                                      ct_alternative alternative, ct_test *out, ct_err *e);
/* The difference of means under all (or `resamples`, 0: 9,999, random) exchanges: of members, or with `paired` within
 * pairs. Exact where there are no more arrangements than that. */
CT_API ct_status ct_permutation_test(const struct ct_maths *m, const ct_array *x, const ct_array *y,
                                     int32_t paired, int64_t resamples, uint64_t seed,
                                     ct_alternative alternative, ct_test *out, ct_err *e);
/* McNemar 1947, exact: of n pairs, a and b went one and the other way; both are equally likely. Statistic: min(a, b). */
CT_API ct_status ct_mcnemar_test(int64_t a, int64_t b, int64_t n, ct_test *out, ct_err *e);
/* A correlation of x and y of 0; estimate and statistic are the correlation; interval by Fisher's z (Pearson). */
CT_API ct_status ct_correlation_test(const struct ct_maths *m, const ct_array *x, const ct_array *y,
                                     ct_correlation kind, ct_alternative alternative, ct_test *out,
                                     ct_err *e);

/* p-values of many tests -> adjusted ones, in their order; out may be p. */
typedef enum ct_adjust {
    CT_BONFERRONI = 0,
    CT_HOLM = 1,
    CT_BENJAMINI_HOCHBERG = 2, /* false discoveries, of independent tests */
    CT_BENJAMINI_YEKUTIELI = 3 /* of any */
} ct_adjust;
CT_API ct_status ct_p_adjust(const struct ct_maths *m, const double *p, int64_t n, ct_adjust method,
                             double *out, ct_err *e);

#ifdef __cplusplus
}
#endif
#endif
