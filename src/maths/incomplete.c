/* incomplete.c: the incomplete gamma and beta functions (DLMF chapter 8) and their inverses.
 *
 * P(a,x): the series 8.11.4 below a + 1, the continued fraction 8.9.2 above; for small a and x, where P is near 1,
 * Q by itself: 1 - x^a / Gamma(a+1) and the rest of the series. I_x(a,b): the continued fraction 8.17.22, on the side of
 * the mean where it converges fast. The factor before them is a Poisson or binomial probability (saddle.c).
 * Inverses: Newton's method for the logarithm of the smaller tail, in log x and in log(x/y), inside a bracket. */
#include <math.h>

#include "maths/special.h"

#define TERMS 2000000 /* about the root of the largest argument that is served to full precision, 1e12 */
#define TINY 1e-300

/* ---- gamma ---- */

static double gamma_series(double a, double x) { /* 1 + x/(a+1) + x^2/((a+1)(a+2)) + ... */
    double sum = 1, term = 1;
    for (int k = 1; k < TERMS; k++) {
        term *= x / (a + k);
        sum += term;
        if (term <= 1e-17 * sum) break;
    }
    return sum;
}

/* By Lentz's method (Press et al., modified): x + 1 - a - 1 (1-a) / (x + 3 - a - ... */
static double gamma_fraction(double a, double x) {
    double b = x + 1 - a, c = 1 / TINY, d = 1 / b, h = d;
    for (int k = 1; k < TERMS; k++) {
        double an = -k * (k - a);
        b += 2;
        d = an * d + b;
        c = b + an / c;
        if (fabs(d) < TINY) d = TINY;
        if (fabs(c) < TINY) c = TINY;
        d = 1 / d;
        h *= d * c;
        if (fabs(d * c - 1) <= 1e-16) break;
    }
    return h;
}

/* Q for a < 1, x <= 1.1, where 1 - P would cancel. */
static double gamma_upper_small(double a, double x) {
    double power = a * log(x) - ct__log_gamma_1p(a), sum = 0, term = 1;
    for (int k = 1; k < 60; k++) {
        term *= -x / k;
        sum += term / (a + k);
    }
    return -expm1(power) - exp(power) * a * sum;
}

double ct__gamma_p(double a, double x, double *upper) {
    double lower;
    if (!(a > 0) || isnan(x)) return *upper = NAN;
    if (x <= 0 || isinf(x)) {
        *upper = x <= 0;
        return x > 0;
    }
    double before = exp(ct__poisson_log(a, x)); /* x^a e^-x / Gamma(a+1) */
    if (a < 1 && x <= 1.1) {
        lower = before * gamma_series(a, x);
        *upper = gamma_upper_small(a, x);
    } else if (x < a + 1) {
        lower = before * gamma_series(a, x);
        *upper = 1 - lower;
    } else {
        *upper = before * a * gamma_fraction(a, x);
        lower = 1 - *upper;
    }
    return lower;
}

/* ---- beta ---- */

static double beta_fraction(double a, double b, double x) {
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    if (fabs(d) < TINY) d = TINY;
    d = 1 / d;
    double h = d;
    for (int k = 1; k < TERMS; k++) {
        double even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)),
               odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        if (fabs(d) < TINY) d = TINY;
        if (fabs(c) < TINY) c = TINY;
        d = 1 / d;
        h *= d * c;
        d = 1 + odd * d;
        c = 1 + odd / c;
        if (fabs(d) < TINY) d = TINY;
        if (fabs(c) < TINY) c = TINY;
        d = 1 / d;
        h *= d * c;
        if (fabs(d * c - 1) <= 1e-16) break;
    }
    return h;
}

double ct__beta_i(double a, double b, double x, double y, double *upper) {
    if (!(a > 0) || !(b > 0) || isnan(x)) return *upper = NAN;
    if (x <= 0 || y <= 0) {
        *upper = x <= 0;
        return x > 0;
    }
    if (x > (a + 1) / (a + b + 2)) {
        double lower;
        *upper = ct__beta_i(b, a, y, x, &lower);
        return lower;
    }
    double lower = exp(ct__binomial_log(a, a + b, x, y)) * (b / (a + b)) * beta_fraction(a, b, x);
    *upper = 1 - lower;
    return lower;
}

/* ---- inverses ---- */

typedef struct equation {
    double a, b, target; /* log of the tail */
    int upper;           /* that tail */
} equation;

/* An increasing function of u that is 0 at the answer, and its slope. */
typedef double (*level)(const equation *e, double u, double *slope);

static double solve(level f, const equation *e, double u) {
    double low = -INFINITY, high = INFINITY, reach = 1;
    for (int i = 0; i < 300; i++) {
        double slope, g = f(e, u, &slope);
        if (g == 0) return u;
        if (g < 0 || (isnan(g) && u < 0))
            low = u;
        else
            high = u;
        double next = u - g / slope;
        if (!(next > low && next < high)) { /* NaN too */
            if (isfinite(low) && isfinite(high))
                next = low + (high - low) / 2;
            else {
                next = u + (isfinite(low) ? reach : -reach);
                reach *= 2;
            }
        }
        if (fabs(next - u) <= 1e-16 * fmax(fabs(u), 0.1) || next == low || next == high) return next;
        u = next;
    }
    return u;
}

static double gamma_level(const equation *e, double u, double *slope) {
    double x = exp(u), upper, lower = ct__gamma_p(e->a, x, &upper), tail = e->upper ? upper : lower;
    *slope = exp(ct__poisson_log(e->a, x)) * e->a / tail; /* x density / tail */
    return e->upper ? e->target - log(tail) : log(tail) - e->target;
}

double ct__gamma_p_inverse(double a, double p, double q) {
    if (!(p >= 0 && q >= 0)) return NAN;
    if (p == 0) return 0;
    if (q == 0) return INFINITY;
    equation e = {.a = a, .target = log(fmin(p, q)), .upper = q < p};
    double z = ct__normal_quantile(p, q), w = 1 - 1 / (9 * a) + z / (3 * sqrt(a)), /* Wilson, Hilferty 1931 */
        start = a > 0.3 && w > 0.05 ? log(a) + 3 * log(w) : (log(p) + ct__log_gamma_1p(a)) / a;
    return exp(solve(gamma_level, &e, fmin(start, 1e3)));
}

static double beta_level(const equation *e, double u, double *slope) {
    double x = 1 / (1 + exp(-u)), y = 1 / (1 + exp(u)), upper, lower = ct__beta_i(e->a, e->b, x, y, &upper),
           tail = e->upper ? upper : lower;
    *slope = exp(ct__binomial_log(e->a, e->a + e->b, x, y)) * (e->a / (e->a + e->b)) * e->b / tail;
    return e->upper ? e->target - log(tail) : log(tail) - e->target;
}

double ct__beta_i_inverse(double a, double b, double p, double q, double *y) {
    if (!(p >= 0 && q >= 0)) return *y = NAN;
    if (p == 0 || q == 0) {
        *y = p == 0;
        return p > 0;
    }
    equation e = {.a = a, .b = b, .target = log(fmin(p, q)), .upper = q < p};
    double start =
        log(a / b) + ct__normal_quantile(p, q) * sqrt(1 / a + 1 / b); /* of a logistic beta's spread */
    if (a < 1 && p < 0.5) start = fmin(start, (log(p) + log(a) + ct__log_beta(a, b)) / a);
    if (b < 1 && q < 0.5) start = fmax(start, -(log(q) + log(b) + ct__log_beta(a, b)) / b);
    double u = solve(beta_level, &e, fmin(fmax(start, -700), 700));
    *y = 1 / (1 + exp(u));
    return 1 / (1 + exp(-u));
}
