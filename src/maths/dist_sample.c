/* dist_sample.c: random variates from a stream of Philox, shared by the records.
 *
 * Gamma: Marsaglia and Tsang 2000; below shape 1 by the power of a uniform number (their section 6), as a logarithm, so
 * that ratios of tiny values stay exact. Poisson and binomial: by adding up probabilities for small means, by
 * transformed rejection else (Hoermann 1993: PTRS, BTRS), with the saddle-point probabilities as the target. */
#include "maths/dist.h"

double ct__sample_open(ct_random *r) { return 1 - ct_random_uniform(r); }

static double large_shape(ct_random *r, double shape) {
    double d = shape - 1 / 3.0, c = 1 / sqrt(9 * d);
    for (;;) {
        double z = ct_random_normal(r), v = 1 + c * z;
        double u = ct__sample_open(r);
        if (v <= 0) continue;
        v = v * v * v;
        if (log(u) < 0.5 * z * z + d - d * v + d * log(v)) return log(d * v);
    }
}

double ct__sample_log_gamma(ct_random *r, double shape) {
    if (shape >= 1) return large_shape(r, shape);
    double u = ct__sample_open(r);
    return large_shape(r, shape + 1) + log(u) / shape;
}

/* Down from u through p_0, p_1 = p_0 ratio(1), ... */
static double poisson_small(ct_random *r, double mean) {
    double u = ct_random_uniform(r), p = exp(-mean), k = 0;
    while (u >= p && k < 1000) {
        u -= p;
        k++;
        p *= mean / k;
    }
    return k;
}

double ct__sample_poisson(ct_random *r, double mean) {
    if (mean < 10) return poisson_small(r, mean);
    double root = sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b,
           inverse = 1.1239 + 1.1328 / (b - 3.4), quick = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = ct_random_uniform(r) - 0.5, v = ct__sample_open(r), us = 0.5 - fabs(u),
               k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= quick) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (log(v * inverse / (a / (us * us) + b)) <= ct__poisson_log(k, mean)) return k;
    }
}

static double binomial_small(ct_random *r, double n, double p) {
    double q = 1 - p, u = ct_random_uniform(r), probability = exp(n * log1p(-p)), k = 0;
    while (u >= probability && k < n) {
        u -= probability;
        probability *= p / q * (n - k) / (k + 1);
        k++;
    }
    return k;
}

double ct__sample_binomial(ct_random *r, double n, double p) {
    if (p > 0.5) return n - ct__sample_binomial(r, n, 1 - p);
    if (n * p < 10) return binomial_small(r, n, p);
    double spread = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p,
           c = n * p + 0.5, quick = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spread;
    for (;;) {
        double u = ct_random_uniform(r) - 0.5, v = ct__sample_open(r), us = 0.5 - fabs(u),
               k = floor((2 * a / us + b) * u + c);
        if (k < 0 || k > n) continue;
        if (us >= 0.07 && v <= quick) return k;
        double target = ct__binomial_log(k, n, p, 1 - p),
               peak = ct__binomial_log(floor((n + 1) * p), n, p, 1 - p);
        if (log(v * alpha / (a / (us * us) + b)) <= target - peak) return k;
    }
}
