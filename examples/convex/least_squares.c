/* Least squares, min |a x - b|^2 / 2, by conjugate gradients. Convex without a constraint: x is a minimum exactly where
 * the gradient a' (a x - b) is 0. That residual of the conditions of optimality is the certificate. */
#include "data.h"

static double f(void *user, const double *x, double *gradient) {
    const data *d = user;
    double r[N];
    times(d, x, r);
    for (int i = 0; i < N; i++) r[i] -= d->b[i];
    if (gradient) transposed(d, r, gradient);
    return dot(r, r, N) / 2;
}

int main(void) {
    data d = make_data(0);
    double x[D] = {0}, g[D], worst = 0, apart = 0;
    ct_problem p = {.user = &d, .n = D, .f = f};
    ct_minimise_options o = {.method = CT_CONJUGATE_GRADIENT, .gradient_tolerance = 1e-10};
    ct_minimise_result r;
    ct_least_squares exact;
    ct_err e = {0};
    ct_array a = ct_array_view(d.a, CT_F64, CT_SHAPE(N, D)), b = ct_array_view(d.b, CT_F64, CT_SHAPE(N));
    if (ct_minimise(NULL, &p, x, &o, &r, &e) || ct_matrix_least_squares(NULL, &a, &b, 0, &exact, &e))
        return puts(e.text), 1;
    double value = f(&d, x, g);
    for (int k = 0; k < D; k++) {
        worst = fmax(worst, fabs(g[k]));
        apart = fmax(apart, fabs(x[k] - ((double *)exact.x.data)[k]));
    }
    printf("ended by: %s, after %lld evaluations\n", ct_stop_name(r.stop), (long long)r.evaluations);
    printf("value %.10f, largest component of the gradient %.1e\n", value, worst);
    printf("farthest from the solution by singular values: %.1e\n", apart);
    ct_least_squares_free(&exact);
    return worst > 1e-8 || apart > 1e-8;
}
