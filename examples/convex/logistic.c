/* Logistic regression, min sum log(1 + exp(-y_i a_i'x)) + l |x|^2 / 2, by Newton's method, with its dual
 *     max - sum (q log q + (1 - q) log(1 - q)) - |sum q_i y_i a_i|^2 / (2 l)     at q_i = 1 / (1 + exp(y_i a_i'x)) */
#include "data.h"

static void chances(const data *d, const double *x, double *q) { /* of being wrong */
    times(d, x, q);
    for (int i = 0; i < N; i++) q[i] = 1 / (1 + exp(d->y[i] * q[i]));
}

static double f(void *user, const double *x, double *gradient) {
    const data *d = user;
    double q[N], sum = d->lambda * dot(x, x, D) / 2;
    chances(d, x, q);
    for (int i = 0; i < N; i++) {
        sum -= log1p(-q[i]);
        q[i] *= -d->y[i];
    }
    if (gradient) transposed(d, q, gradient);
    for (int k = 0; gradient && k < D; k++) gradient[k] += d->lambda * x[k];
    return sum;
}

static void hessian(void *user, const double *x, double *h) {
    const data *d = user;
    double q[N];
    chances(d, x, q);
    for (int k = 0; k < D; k++)
        for (int l = 0; l < D; l++) {
            h[k * D + l] = k == l ? d->lambda : 0;
            for (int i = 0; i < N; i++) h[k * D + l] += q[i] * (1 - q[i]) * d->a[i][k] * d->a[i][l];
        }
}

static double dual(const data *d, const double *x) {
    double q[N], v[D], sum = 0;
    chances(d, x, q);
    for (int i = 0; i < N; i++) {
        sum -= q[i] * log(q[i]) + (1 - q[i]) * log1p(-q[i]);
        q[i] *= d->y[i];
    }
    transposed(d, q, v);
    return sum - dot(v, v, D) / (2 * d->lambda);
}

int main(void) {
    data d = make_data(1);
    double x[D] = {0};
    ct_problem p = {.user = &d, .n = D, .f = f, .hessian = hessian};
    ct_minimise_result r;
    ct_err e = {0};
    if (ct_minimise(NULL, &p, x, &(ct_minimise_options){.method = CT_NEWTON}, &r, &e)) return puts(e.text), 1;
    printf("%lld Newton steps\n", (long long)r.iterations);
    return !certificate(&r, f(&d, x, NULL), dual(&d, x));
}
