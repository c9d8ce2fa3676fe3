/* The lasso, min |a x - b|^2 / 2 + l |x|_1, by accelerated proximal gradient, which leaves exact zeros. Its dual is
 *     max - |u|^2 / 2 - b'u     where no |(a'u)_k| exceeds l;
 * the residual a x - b, shrunk until it is allowed, gives the bound (Kim et al. 2007). */
#include "data.h"

static double f(void *user, const double *x, double *gradient) {
    const data *d = user;
    double r[N];
    times(d, x, r);
    for (int i = 0; i < N; i++) r[i] -= d->b[i];
    if (gradient) transposed(d, r, gradient);
    return dot(r, r, N) / 2;
}

static double dual(const data *d, const double *x) {
    double u[N], v[D], most = 0;
    times(d, x, u);
    for (int i = 0; i < N; i++) u[i] -= d->b[i];
    transposed(d, u, v);
    for (int k = 0; k < D; k++) most = fmax(most, fabs(v[k]));
    for (int i = 0; i < N; i++) u[i] *= fmin(1, d->lambda / most);
    return -dot(u, u, N) / 2 - dot(d->b, u, N);
}

int main(void) {
    data d = make_data(15);
    double x[D] = {0}, size = 0;
    ct_problem p = {.user = &d, .n = D, .f = f, .l1 = d.lambda};
    ct_minimise_options o = {.method = CT_PROXIMAL, .gradient_tolerance = 1e-11};
    ct_minimise_result r;
    ct_err e = {0};
    if (ct_minimise(NULL, &p, x, &o, &r, &e)) return puts(e.text), 1;
    printf("x:");
    for (int k = 0; k < D; k++) printf(" %.4g", x[k]), size += fabs(x[k]);
    printf("\n");
    return !certificate(&r, f(&d, x, NULL) + d.lambda * size, dual(&d, x));
}
