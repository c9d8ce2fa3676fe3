/* functions.h: test functions for minimisers with known minima: More, Garbow, Hillstrom 1981 ("Testing unconstrained
 * optimization software"), and others of the field; the same as in ref/minimise.py. */
#ifndef CT_TESTS_FUNCTIONS_H
#define CT_TESTS_FUNCTIONS_H

#include <math.h>
#include <string.h>

typedef struct function {
    const char *name, *title;
    int n;
    double (*f)(void *user, const double *x, double *g);
    double start[30];
    double minimum; /* of f */
} function;

/* sum 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2 */
static inline double rosenbrock(int n, const double *x, double *g) {
    double f = 0;
    if (g) memset(g, 0, (size_t)n * sizeof *g);
    for (int i = 0; i + 1 < n; i++) {
        double r = x[i + 1] - x[i] * x[i];
        f += 100 * r * r + (1 - x[i]) * (1 - x[i]);
        if (!g) continue;
        g[i] += -400 * x[i] * r - 2 * (1 - x[i]);
        g[i + 1] += 200 * r;
    }
    return f;
}
static inline double rosenbrock2(void *u, const double *x, double *g) { return (void)u, rosenbrock(2, x, g); }
static inline double rosenbrock10(void *u, const double *x, double *g) {
    return (void)u, rosenbrock(10, x, g);
}

static inline double beale(void *u, const double *x, double *g) {
    static const double c[] = {1.5, 2.25, 2.625};
    double f = 0, power = 1;
    (void)u;
    if (g) g[0] = g[1] = 0;
    for (int k = 1; k <= 3; k++) {
        double before = power;
        power *= x[1];
        double r = c[k - 1] - x[0] * (1 - power);
        f += r * r;
        if (!g) continue;
        g[0] -= 2 * r * (1 - power);
        g[1] += 2 * r * x[0] * k * before;
    }
    return f;
}

static inline double booth(void *u, const double *x, double *g) {
    double r = x[0] + 2 * x[1] - 7, q = 2 * x[0] + x[1] - 5;
    (void)u;
    if (g) g[0] = 2 * r + 4 * q, g[1] = 4 * r + 2 * q;
    return r * r + q * q;
}

static inline double himmelblau(void *u, const double *x, double *g) {
    double r = x[0] * x[0] + x[1] - 11, q = x[0] + x[1] * x[1] - 7;
    (void)u;
    if (g) g[0] = 4 * x[0] * r + 2 * q, g[1] = 2 * r + 4 * x[1] * q;
    return r * r + q * q;
}

static inline double wood(void *u, const double *x, double *g) {
    double a = x[0], b = x[1], c = x[2], d = x[3], r = b - a * a, q = d - c * c;
    (void)u;
    if (g) {
        g[0] = -400 * a * r - 2 * (1 - a);
        g[1] = 200 * r + 20.2 * (b - 1) + 19.8 * (d - 1);
        g[2] = -360 * c * q - 2 * (1 - c);
        g[3] = 180 * q + 20.2 * (d - 1) + 19.8 * (b - 1);
    }
    return 100 * r * r + (1 - a) * (1 - a) + 90 * q * q + (1 - c) * (1 - c) +
           10.1 * ((b - 1) * (b - 1) + (d - 1) * (d - 1)) + 19.8 * (b - 1) * (d - 1);
}

static inline double helical(void *u, const double *x, double *g) {
    const double pi = 3.14159265358979323846;
    double theta = atan2(x[1], x[0]) / (2 * pi), r = hypot(x[0], x[1]), p = 10 * (x[2] - 10 * theta),
           q = 10 * (r - 1);
    (void)u;
    if (g) {
        double turn = 2 * pi * r * r;
        g[0] = 2 * p * -100 * (-x[1] / turn) + 20 * q * x[0] / r;
        g[1] = 2 * p * -100 * (x[0] / turn) + 20 * q * x[1] / r;
        g[2] = 20 * p + 2 * x[2];
    }
    return p * p + q * q + x[2] * x[2];
}

static inline double dixon(void *u, const double *x, double *g) {
    double f = (x[0] - 1) * (x[0] - 1);
    (void)u;
    if (g) memset(g, 0, 10 * sizeof *g), g[0] = 2 * (x[0] - 1);
    for (int i = 2; i <= 10; i++) {
        double r = 2 * x[i - 1] * x[i - 1] - x[i - 2];
        f += i * r * r;
        if (!g) continue;
        g[i - 1] += 8 * i * r * x[i - 1];
        g[i - 2] -= 2 * i * r;
    }
    return f;
}

/* Eigenvalues 1 .. 1000, turned by a reflection; the minimum is turned ones. */
static inline double quadratic(void *u, const double *x, double *g) {
    enum { N = 30 };
    double v[N], y[N], length = 0, vx = 0, vg = 0, f = 0;
    (void)u;
    for (int i = 0; i < N; i++) v[i] = sin(i + 1), length += v[i] * v[i];
    for (int i = 0; i < N; i++) v[i] /= sqrt(length), vx += v[i] * x[i];
    for (int i = 0; i < N; i++) {
        double w = pow(1000, i / (N - 1.0));
        double off = x[i] - 2 * v[i] * vx - 1;
        f += 0.5 * w * off * off;
        y[i] = w * off;
        vg += v[i] * y[i];
    }
    for (int i = 0; g && i < N; i++) g[i] = y[i] - 2 * v[i] * vg;
    return f;
}

/* 40 records of 5 features, ridge 0.1 */
static inline double logistic(void *u, const double *x, double *g) {
    double f = 0;
    (void)u;
    for (int k = 0; k < 5; k++) {
        f += 0.05 * x[k] * x[k];
        if (g) g[k] = 0.1 * x[k];
    }
    for (int i = 0; i < 40; i++) {
        double row[5], z = 0, t = cos(2.1 * i) > 0 ? 1 : -1;
        for (int k = 0; k < 5; k++) row[k] = sin(i * (1.3 + 0.7 * k) + k), z += row[k] * x[k];
        double m = t * z;
        f += m > 0 ? log1p(exp(-m)) : log1p(exp(m)) - m;
        for (int k = 0; g && k < 5; k++) g[k] -= t / (1 + exp(m)) * row[k];
    }
    return f;
}

/* Sums of squares of residuals r_i; the four below are More, Garbow, Hillstrom's 13, 4, 26 and 30. */
static inline double powell_singular(void *u, const double *x, double *g) {
    double a = x[0] + 10 * x[1], b = x[2] - x[3], c = x[1] - 2 * x[2], d = x[0] - x[3], c3 = 4 * c * c * c,
           d3 = 40 * d * d * d;
    (void)u;
    if (g) g[0] = 2 * a + d3, g[1] = 20 * a + c3, g[2] = 10 * b - 2 * c3, g[3] = -10 * b - d3;
    return a * a + 5 * b * b + c * c * c * c + 10 * d * d * d * d;
}

static inline double brown_scaled(void *u, const double *x, double *g) {
    double a = x[0] - 1e6, b = x[1] - 2e-6, c = x[0] * x[1] - 2;
    (void)u;
    if (g) g[0] = 2 * a + 2 * c * x[1], g[1] = 2 * b + 2 * c * x[0];
    return a * a + b * b + c * c;
}

static inline double trigonometric(void *u, const double *x, double *g) {
    enum { N = 10 };
    double cosines = 0, r[N], all = 0, f = 0;
    (void)u;
    for (int i = 0; i < N; i++) cosines += cos(x[i]);
    for (int i = 0; i < N; i++) {
        r[i] = N - cosines + (i + 1) * (1 - cos(x[i])) - sin(x[i]);
        f += r[i] * r[i];
        all += r[i];
    }
    for (int i = 0; g && i < N; i++) g[i] = 2 * (sin(x[i]) * all + r[i] * ((i + 1) * sin(x[i]) - cos(x[i])));
    return f;
}

static inline double broyden(void *u, const double *x, double *g) { /* tridiagonal */
    enum { N = 10 };
    double f = 0;
    (void)u;
    if (g) memset(g, 0, N * sizeof *g);
    for (int i = 0; i < N; i++) {
        double left = i ? x[i - 1] : 0, right = i < N - 1 ? x[i + 1] : 0,
               r = (3 - 2 * x[i]) * x[i] - left - 2 * right + 1;
        f += r * r;
        if (!g) continue;
        g[i] += 2 * r * (3 - 4 * x[i]);
        if (i) g[i - 1] -= 2 * r;
        if (i < N - 1) g[i + 1] -= 4 * r;
    }
    return f;
}

/* sum x^2 + s^2 + s^4, s = sum i x_i / 2 */
static inline double zakharov(void *u, const double *x, double *g) {
    enum { N = 10 };
    double squares = 0, s = 0;
    (void)u;
    for (int i = 0; i < N; i++) squares += x[i] * x[i], s += 0.5 * (i + 1) * x[i];
    for (int i = 0; g && i < N; i++) g[i] = 2 * x[i] + (2 * s + 4 * s * s * s) * 0.5 * (i + 1);
    return squares + s * s + s * s * s * s;
}

static inline double freudenstein(void *u, const double *x, double *g) { /* to its local minimum */
    double a = x[0] - 13 + ((5 - x[1]) * x[1] - 2) * x[1], b = x[0] - 29 + ((x[1] + 1) * x[1] - 14) * x[1];
    (void)u;
    if (g) {
        g[0] = 2 * (a + b);
        g[1] = 2 * a * (10 * x[1] - 3 * x[1] * x[1] - 2) + 2 * b * (3 * x[1] * x[1] + 2 * x[1] - 14);
    }
    return a * a + b * b;
}

static inline double penalty(void *u, const double *x, double *g) { /* 23, n = 4 */
    double q = -0.25, f = 0;
    (void)u;
    for (int i = 0; i < 4; i++) q += x[i] * x[i], f += 1e-5 * (x[i] - 1) * (x[i] - 1);
    for (int i = 0; g && i < 4; i++) g[i] = 2e-5 * (x[i] - 1) + 4 * q * x[i];
    return f + q * q;
}

/* Ridge regression of 40 records of 5 features: the data of the logistic problem below, targets cos 2.1 i. */
static inline double ridge(void *u, const double *x, double *g) {
    double f = 0;
    (void)u;
    for (int k = 0; k < 5; k++) {
        f += 0.05 * x[k] * x[k];
        if (g) g[k] = 0.1 * x[k];
    }
    for (int i = 0; i < 40; i++) {
        double row[5], r = -cos(2.1 * i);
        for (int k = 0; k < 5; k++) row[k] = sin(i * (1.3 + 0.7 * k) + k), r += row[k] * x[k];
        f += 0.5 * r * r;
        for (int k = 0; g && k < 5; k++) g[k] += r * row[k];
    }
    return f;
}

static const function functions[] = {
    {"rosenbrock2", "Rosenbrock, 2", 2, rosenbrock2, {-1.2, 1}, 0},
    {"rosenbrock10", "Rosenbrock, 10", 10, rosenbrock10, {0}, 0},
    {"beale", "Beale", 2, beale, {1, 1}, 0},
    {"booth", "Booth", 2, booth, {0}, 0},
    {"himmelblau", "Himmelblau", 2, himmelblau, {0}, 0},
    {"wood", "Wood", 4, wood, {-3, -1, -3, -1}, 0},
    {"helical", "helical valley", 3, helical, {-1, 0, 0}, 0},
    {"dixon", "Dixon and Price", 10, dixon, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 0},
    {"quadratic", "quadratic, 30, condition 1000", 30, quadratic, {0}, 0},
    {"powell", "Powell, singular", 4, powell_singular, {3, -1, 0, 1}, 0},
    {"brown", "Brown, badly scaled", 2, brown_scaled, {1, 1}, 0},
    {"trigonometric",
     "trigonometric, 10",
     10,
     trigonometric,
     {.1, .1, .1, .1, .1, .1, .1, .1, .1, .1},
     2.7950561219e-05},
    {"broyden", "Broyden, tridiagonal, 10", 10, broyden, {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, 0},
    {"zakharov", "Zakharov, 10", 10, zakharov, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 0},
    {"freudenstein", "Freudenstein and Roth", 2, freudenstein, {0.5, -2}, 48.98425367924},
    {"penalty", "penalty I, 4", 4, penalty, {1, 2, 3, 4}, 2.24997750092e-05},
    {"ridge", "ridge regression", 5, ridge, {0}, 7.24505272540},
    {"logistic", "logistic regression", 5, logistic, {0}, 21.62618330130},
};
#define FUNCTIONS (sizeof functions / sizeof *functions)

#endif
