/* functions.h: test functions for minimisers with known minima: More, Garbow, Hillstrom 1981 ("Testing unconstrained
 * optimization software"), and others of the field; the same as in ref/minimise.py. */
#ifndef CT_TESTS_FUNCTIONS_H
#define CT_TESTS_FUNCTIONS_H

#include <math.h>
#include <string.h>

typedef struct function {
    const char *name;
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

static const function functions[] = {
    {"rosenbrock2", 2, rosenbrock2, {-1.2, 1}, 0},
    {"rosenbrock10", 10, rosenbrock10, {0}, 0},
    {"beale", 2, beale, {1, 1}, 0},
    {"booth", 2, booth, {0}, 0},
    {"himmelblau", 2, himmelblau, {0}, 0},
    {"wood", 4, wood, {-3, -1, -3, -1}, 0},
    {"helical", 3, helical, {-1, 0, 0}, 0},
    {"dixon", 10, dixon, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 0},
    {"quadratic", 30, quadratic, {0}, 0},
    {"logistic", 5, logistic, {0}, 21.62618330130},
};
#define FUNCTIONS (sizeof functions / sizeof *functions)

#endif
