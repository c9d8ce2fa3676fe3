/* special.h: special functions, each to about 1e-14 of its value where nothing else is said. */
#ifndef CT_MATHS_SPECIAL_H
#define CT_MATHS_SPECIAL_H

/* ---- gamma (gamma_function.c) ---- */
double ct__log_gamma(double x);       /* log |Gamma(x)| */
double ct__log_gamma_1p(double x);    /* log Gamma(1 + x), x > -1, to its last digits near 0 too */
double ct__digamma(double x);         /* psi(x) = Gamma'/Gamma, to 1e-14 of max(1, |psi|) */
double ct__trigamma(double x);        /* psi'(x), x > 0 */
double ct__digamma_inverse(double y); /* x > 0 with psi(x) = y */
double ct__log_beta(double a, double b);
/* log Gamma(x + 1) - ((x + 1/2) log x - x + log(2 pi) / 2), x > 0: what Stirling's formula leaves */
double ct__stirling_rest(double x);

/* ---- densities without cancellation (saddle.c) ---- */
double ct__deviance(double x, double m);       /* x log(x/m) + m - x >= 0 */
double ct__poisson_log(double x, double mean); /* log(mean^x e^-mean / Gamma(x+1)), x >= 0 real */
double ct__binomial_log(double x, double n, double p, double q); /* log(C(n,x) p^x q^(n-x)), q = 1 - p */

/* ---- incomplete functions: the lower part is returned, *upper = 1 - lower without cancellation ---- */
double ct__gamma_p(double a, double x, double *upper);                    /* P(a,x), a > 0 */
double ct__beta_i(double a, double b, double x, double y, double *upper); /* I_x(a,b), y = 1 - x */
/* Their inverses: x with P = p, I = p; q = 1 - p, of which the smaller is used. */
double ct__gamma_p_inverse(double a, double p, double q);
double ct__beta_i_inverse(double a, double b, double p, double q, double *y);

/* ---- normal (normal_function.c) ---- */
double ct__normal_cdf(double z, double *upper);
double ct__normal_quantile(double p, double q);
double ct__xlogy(double x, double y); /* x log y, 0 where x is 0 */

#endif
