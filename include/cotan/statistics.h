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
    const char *parameters; /* "mean = 0, deviation = 1": in order, with defaults; "K" counts a vector's elements */
    const char *support;    /* "x > 0" */
    int32_t discrete;       /* densities are probabilities */
    int32_t vector;         /* a value is [K] */
} ct_dist_about;
CT_API int32_t ct_dist_count(void);
CT_API ct_dist_about ct_dist_describe(int32_t index);
/* `parameters` as described, vectors and matrices (row by row) written out one after the other; trailing ones that have
 * a default may be left out. CT_EUSAGE for a wrong name, count or value. */
CT_API ct_status ct_dist_new(const struct ct_maths *m, const char *name, const double *parameters, int64_t count,
                             ct_dist **out, ct_err *e);
CT_API void ct_dist_free(ct_dist *d);
CT_API ct_dist_about ct_dist_of(const ct_dist *d);
CT_API int64_t ct_dist_size(const ct_dist *d);                      /* K; 1 where a value is a number */
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
CT_API ct_status ct_dist_sample(const struct ct_maths *m, const ct_dist *d, uint64_t seed, int64_t first, int64_t n,
                                ct_array *out, ct_err *e);
/* [K] and [K,K]; infinity where the moment is infinite, NaN where it is undefined. */
CT_API void ct_dist_mean(const ct_dist *d, double *out);
CT_API void ct_dist_variance(const ct_dist *d, double *out);
CT_API double ct_dist_entropy(const ct_dist *d); /* in nats; of densities, differential */
/* Maximum likelihood: x [N], or [N,K]. `known` gives what is not estimated: binomial: {n}; else NULL. CT_EDATA for
 * values outside of the support, too few of them or without spread. */
CT_API ct_status ct_dist_fit(const struct ct_maths *m, const char *name, const ct_array *x, const double *known,
                             ct_dist **out, ct_err *e);
/* E_p log(p / q), of two distributions of one name. CT_EUSAGE where it has no closed form (student_t, f). */
CT_API ct_status ct_dist_kl(const ct_dist *p, const ct_dist *q, double *out, ct_err *e);

#ifdef __cplusplus
}
#endif
#endif
