/* data.h: the numbers of the convex problems: N points of D features, b a noisy linear answer, y a noisy class of -1 or 1. */
#ifndef EXAMPLES_CONVEX_DATA_H
#define EXAMPLES_CONVEX_DATA_H
#include <math.h>
#include <stdio.h>
#include "cotan/maths.h"

enum { N = 60, D = 8 };
typedef struct data {
    double a[N][D], b[N], y[N];
    double lambda; /* weight of the penalty */
} data;

static inline data make_data(double lambda) {
    static const double x[D] = {3, -2, 0, 0, 1.5, 0, 0, 0.5};
    ct_random r = ct_random_stream(2026, 0);
    data d = {.lambda = lambda};
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < D; k++) d.b[i] += x[k] * (d.a[i][k] = ct_random_normal(&r));
        d.b[i] += 0.5 * ct_random_normal(&r);
        d.y[i] = d.b[i] + ct_random_normal(&r) > 0 ? 1 : -1;
    }
    return d;
}

/* a x [N], and a' u [D] */
static inline void times(const data *d, const double *x, double *out) {
    for (int i = 0; i < N; i++) {
        out[i] = 0;
        for (int k = 0; k < D; k++) out[i] += d->a[i][k] * x[k];
    }
}
static inline void transposed(const data *d, const double *u, double *out) {
    for (int k = 0; k < D; k++) {
        out[k] = 0;
        for (int i = 0; i < N; i++) out[k] += d->a[i][k] * u[i];
    }
}
static inline double dot(const double *x, const double *y, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* Any u gives a lower bound of the minimum, so a gap of nothing proves it. 1: it is small beside the value. */
static inline int certificate(const ct_minimise_result *r, double primal, double dual) {
    printf("ended by: %s, after %lld evaluations\n", ct_stop_name(r->stop), (long long)r->evaluations);
    printf("value %.10f, lower bound %.10f, duality gap %.1e\n", primal, dual, primal - dual);
    return fabs(primal - dual) <= 1e-8 * fabs(primal);
}
#endif
