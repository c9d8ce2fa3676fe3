/* sum.c: sums that keep the last digit.
 *
 * Neumaier's compensated sum (1974): what each addition loses is kept in a second number, exactly; the error is
 * about one rounding of the result plus n eps^2 sum |v|. [1e20, 1, -1e20] sums to 1. Products are split exactly
 * by fma first (Ogita, Rump, Oishi 2005: Dot2). */
#include "maths/maths.h"

#include <math.h>

typedef struct pair {
    double sum, lost;
} pair;

static void add(pair *p, double v) {
    double t = p->sum + v;
    p->lost += fabs(p->sum) >= fabs(v) ? (p->sum - t) + v : (v - t) + p->sum;
    p->sum = t;
}

double ct__sum(const double *v, int64_t n) {
    pair p = {0, 0};
    for (int64_t i = 0; i < n; i++) add(&p, v[i]);
    return isfinite(p.sum) ? p.sum + p.lost : p.sum;
}

/* Three times 0.1 rounds up, and its third lies above 0.1: the mean is kept between the least and the greatest, so that
 * equal values have it exactly and no variance. */
double ct__mean(const double *v, int64_t n) {
    double sum = ct__sum(v, n), mean = sum / (double)n, low = v[0], high = v[0];
    if (!isfinite(sum)) {
        pair p = {0, 0}; /* the sum overflows, the mean does not */
        for (int64_t i = 0; i < n; i++) add(&p, ldexp(v[i], -64));
        mean = ldexp((p.sum + p.lost) / (double)n, 64);
    }
    for (int64_t i = 1; i < n; i++) {
        low = v[i] < low ? v[i] : low;
        high = v[i] > high ? v[i] : high;
    }
    return mean < low ? low : mean > high ? high : mean;
}

double ct__dot(const double *a, const double *b, int64_t n) {
    pair p = {0, 0};
    double low = 0;
    for (int64_t i = 0; i < n; i++) {
        double high = a[i] * b[i];
        low += fma(a[i], b[i], -high);
        add(&p, high);
    }
    return isfinite(p.sum) ? p.sum + (p.lost + low) : p.sum;
}

/* The scale is a power of two, so that dividing rounds nothing. */
double ct__length(const double *v, int64_t n) {
    double largest = 0;
    pair p = {0, 0};
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(v[i]));
    if (largest <= 0) return 0;
    int exponent;
    (void)frexp(largest, &exponent);
    for (int64_t i = 0; i < n; i++) {
        double x = ldexp(v[i], -exponent);
        add(&p, x * x);
    }
    return ldexp(sqrt(p.sum + p.lost), exponent);
}
