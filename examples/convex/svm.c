/* A linear support vector machine, min l |w|^2 / 2 + sum max(0, 1 - y_i a_i'w). The hinge has a corner, so its dual, smooth in
 * a box, is solved by the projected gradient:
 *     max sum q_i - |sum q_i y_i a_i|^2 / (2 l),   0 <= q_i <= 1;   then w = sum q_i y_i a_i / l
 * (Cortes, Vapnik 1995). Points with 0 < q are the support vectors. */
#include "data.h"

static void weights(const data *d, const double *q, double *w) {
    double signs[N];
    for (int i = 0; i < N; i++) signs[i] = q[i] * d->y[i] / d->lambda;
    transposed(d, signs, w);
}

/* The dual, turned over to be a minimum; its gradient is y_i a_i'w - 1. */
static double f(void *user, const double *q, double *gradient) {
    const data *d = user;
    double w[D], sum = 0;
    weights(d, q, w);
    for (int i = 0; i < N; i++) sum += q[i];
    if (gradient) {
        times(d, w, gradient);
        for (int i = 0; i < N; i++) gradient[i] = d->y[i] * gradient[i] - 1;
    }
    return d->lambda * dot(w, w, D) / 2 - sum;
}

static double primal(const data *d, const double *w) {
    double margin[N], sum = d->lambda * dot(w, w, D) / 2;
    times(d, w, margin);
    for (int i = 0; i < N; i++) sum += fmax(0, 1 - d->y[i] * margin[i]);
    return sum;
}

int main(void) {
    data d = make_data(1);
    double q[N] = {0}, low[N] = {0}, high[N], w[D];
    int support = 0;
    for (int i = 0; i < N; i++) high[i] = 1;
    ct_problem p = {.user = &d, .n = N, .f = f, .low = low, .high = high};
    ct_minimise_options o = {.method = CT_PROJECTED, .gradient_tolerance = 1e-10};
    ct_minimise_result r;
    ct_err e = {0};
    if (ct_minimise(NULL, &p, q, &o, &r, &e)) return puts(e.text), 1;
    weights(&d, q, w);
    for (int i = 0; i < N; i++) support += q[i] > 0;
    printf("%d of %d points are support vectors\n", support, N);
    return !certificate(&r, primal(&d, w), -f(&d, q, NULL));
}
