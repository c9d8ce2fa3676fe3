/* Ridge regression, min |a x - b|^2 / 2 + l |x|^2 / 2, by L-BFGS, with the gap to its dual problem
 *     max - |u|^2 / 2 - b'u - |a'u|^2 / (2 l)     at u = a x - b                  (Boyd, Vandenberghe 2004, chapter 5) */
#include "data.h"

static double f(void *user, const double *x, double *gradient) {
    const data *d = user;
    double r[N];
    times(d, x, r);
    for (int i = 0; i < N; i++) r[i] -= d->b[i];
    if (gradient) {
        transposed(d, r, gradient);
        for (int k = 0; k < D; k++) gradient[k] += d->lambda * x[k];
    }
    return dot(r, r, N) / 2 + d->lambda * dot(x, x, D) / 2;
}

static double dual(const data *d, const double *u) {
    double v[D];
    transposed(d, u, v);
    return -dot(u, u, N) / 2 - dot(d->b, u, N) - dot(v, v, D) / (2 * d->lambda);
}

int main(void) {
    data d = make_data(5);
    double x[D] = {0}, u[N];
    ct_problem p = {.user = &d, .n = D, .f = f};
    ct_minimise_result r;
    ct_err e = {0};
    if (ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_LBFGS}, &r, &e)) return puts(e.text), 1;
    times(&d, x, u);
    for (int i = 0; i < N; i++) u[i] -= d.b[i];
    return !certificate(&r, f(&d, x, NULL), dual(&d, u));
}
