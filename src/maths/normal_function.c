/* normal_function.c: the normal distribution function and its inverse, from libm's erf and erfc.
 *
 * The inverse begins with Hastings' rational approximation (Abramowitz and Stegun 26.2.23, error 4.5e-4) and takes
 * Halley's steps, which triple the digits, on whichever of erf and erfc does not cancel there. */
#include <math.h>

#include "maths/special.h"

#define ROOT_HALF 0.70710678118654752440

double ct__normal_cdf(double z, double *upper) {
    *upper = 0.5 * erfc(z * ROOT_HALF);
    return 0.5 * erfc(-z * ROOT_HALF);
}

double ct__normal_quantile(double p, double q) {
    const double root_2pi = 2.50662827463100050242;
    double tail = fmin(p, q), centre = p - q;
    if (!(tail >= 0)) return NAN;
    if (tail == 0) return p > q ? INFINITY : -INFINITY;
    double t = sqrt(-2 * log(tail)), z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                                                 (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    for (int i = 0; i < 3; i++) { /* z > 0: the upper tail is wanted */
        double off = fabs(centre) < 0.5 ? 0.5 * (fabs(centre) - erf(z * ROOT_HALF))
                                        : 0.5 * erfc(z * ROOT_HALF) - tail,
               step = off * root_2pi * exp(0.5 * z * z);
        if (!isfinite(step)) break;
        z += step / (1 - 0.5 * step * z);
    }
    return p > q ? z : -z;
}

double ct__xlogy(double x, double y) { return x == 0 ? 0 : x * log(y); }
