/* saddle.c: binomial and Poisson probabilities by their saddle-point form (Loader 2000, "Fast and accurate computation
 * of binomial probabilities"): the large logarithms of factorials and powers cancel on paper, not in the computer.
 *
 *     x^x e^-x ... : log p = -rest(x) - D(x, mean) - log(2 pi x) / 2,   D(x,m) = x log(x/m) + m - x
 *
 * They serve real x too, and so the densities of gamma, beta, t and F. */
#include "maths/special.h"

#include <math.h>

double ct__deviance(double x, double m) {
    if (x == m) return 0;
    if (!(fabs(x - m) < 0.1 * (x + m))) return x > 0 ? x * log(x / m) + m - x : m;
    double v = (x - m) / (x + m), sum = (x - m) * v, term = 2 * x * v, square = v * v;
    for (int k = 1; k < 100; k++) { /* log((1+v)/(1-v)) = 2 (v + v^3/3 + ...) */
        term *= square;
        double next = sum + term / (2 * k + 1);
        if (next == sum) break;
        sum = next;
    }
    return sum;
}

double ct__poisson_log(double x, double mean) {
    const double log_2pi = 1.83787706640934548356;
    if (!(x >= 0)) return -INFINITY;
    if (mean == 0) return x == 0 ? 0 : -INFINITY;
    if (isinf(mean)) return -INFINITY;
    if (x == 0) return -mean;
    if (x < 1e-300) return -mean + x * log(mean);
    return -ct__stirling_rest(x) - ct__deviance(x, mean) - 0.5 * (log_2pi + log(x));
}

double ct__binomial_log(double x, double n, double p, double q) {
    const double log_2pi = 1.83787706640934548356;
    if (!(x >= 0 && x <= n)) return -INFINITY;
    if (p == 0) return x == 0 ? 0 : -INFINITY;
    if (q == 0) return x == n ? 0 : -INFINITY;
    if (x == 0) return n * (p < q ? log1p(-p) : log(q));
    if (x == n) return n * (q < p ? log1p(-q) : log(p));
    double rest = ct__stirling_rest(n) - ct__stirling_rest(x) - ct__stirling_rest(n - x);
    return rest - ct__deviance(x, n * p) - ct__deviance(n - x, n * q) -
           0.5 * (log_2pi + log(x) + log((n - x) / n));
}
