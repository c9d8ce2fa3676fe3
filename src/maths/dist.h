/* dist.h: a distribution is a record of functions; the table of records is dist_table.c. */
#ifndef CT_MATHS_DIST_H
#define CT_MATHS_DIST_H

#include <math.h>

#include "maths/maths.h"
#include "maths/special.h"

#define CT__HALF_LOG_2PI 0.91893853320467274178
#define CT__PI 3.14159265358979323846
#define CT__EULER 0.57721566490153286061

typedef struct ct__record ct__record;

struct ct_dist {
    ct_allocator allocator;
    const ct__record *record;
    int64_t k, count; /* elements of a value; parameters */
    double *p;        /* [count] */
    double *v;        /* [v_count]: what `prepare` makes of them */
    int64_t v_count;
    double c[4]; /* numbers that `prepare` makes of them */
};

/* What a fit is given, and where it leaves the parameters. */
typedef struct ct__fit {
    ct__job *j;
    const double *x; /* [n,k] */
    int64_t n, k;
    const double *known; /* or NULL */
    double *p;           /* [count]; made by the fit when `count` is not that of the record */
    int64_t count;
} ct__fit;

struct ct__record {
    const char *name, *parameters, *support;
    int32_t discrete, vector;
    int32_t count, required; /* parameters that are numbers: all, and those without default. -1: vectors */
    double defaults[4];
    int64_t (*size)(int64_t count);              /* vectors: K of so many parameters, 0: none */
    ct_status (*prepare)(ct_dist *d, ct_err *e); /* checks the parameters; may fill v and c */
    double (*log_density)(const ct_dist *d, double x);
    double (*log_density_of)(const ct_dist *d, const double *x, double *work); /* vectors; work [k] */
    double (*cdf)(const ct_dist *d, double x, double *upper); /* lower returned; NULL: none */
    double (*quantile)(const ct_dist *d, double p, double q); /* p + q = 1; the smaller one has the digits */
    void (*sample)(const ct_dist *d, ct_random *r, double *out);
    void (*mean)(const ct_dist *d, double *out);
    void (*variance)(const ct_dist *d, double *out);
    double (*entropy)(const ct_dist *d);
    ct_status (*fit)(ct__fit *f);
    double (*kl)(const ct_dist *p, const ct_dist *q); /* NULL: no closed form */
};

extern const ct__record ct__dist_normal, ct__dist_lognormal, ct__dist_uniform, ct__dist_exponential,
    ct__dist_laplace, ct__dist_gamma, ct__dist_chi_squared, ct__dist_beta, ct__dist_student_t,
    ct__dist_cauchy, ct__dist_f, ct__dist_bernoulli, ct__dist_binomial, ct__dist_geometric, ct__dist_poisson,
    ct__dist_categorical, ct__dist_multivariate_normal, ct__dist_dirichlet, ct__dist_multinomial;
extern const ct__record *const ct__dist_records[]; /* ends with NULL */

/* ---- for records (dist_common.c) ---- */

/* CT_EUSAGE "NAME: WHAT is VALUE; wanted RANGE" unless `ok`. */
ct_status ct__dist_wrong(const ct_dist *d, const char *what, double value, const char *wanted, ct_err *e);
ct_status ct__dist_positive(const ct_dist *d, int64_t index, const char *what, ct_err *e);
/* Room for v. */
ct_status ct__dist_room(ct_dist *d, int64_t count, ct_err *e);
ct_status ct__fit_refuse(ct__fit *f, const char *found, const char *wanted);
/* CT_EDATA, naming the first value that is not in low..high (or not a whole number). */
ct_status ct__fit_range(ct__fit *f, double low, double high, int whole, const char *wanted);
double ct__fit_mean(const ct__fit *f);
double ct__fit_mean_log(ct__fit *f, double *logs); /* logs [n] is room */
/* The least whole number k in low..high with cdf(k) >= p, near `guess`. */
double ct__discrete_quantile(const ct_dist *d, double p, double q, double guess, double low, double high);
/* -sum p log p over whole numbers, from `mode` out to both sides. */
double ct__discrete_entropy(const ct_dist *d, double mode);
int ct__is_whole(double x);
double ct__log_minus_digamma(double x); /* log x - psi(x) */

/* ---- samplers (dist_sample.c) ---- */
double ct__sample_open(ct_random *r);                    /* uniform in (0, 1] */
double ct__sample_log_gamma(ct_random *r, double shape); /* the logarithm of a gamma variate of rate 1 */
double ct__sample_poisson(ct_random *r, double mean);
double ct__sample_binomial(ct_random *r, double n, double p);

#endif
