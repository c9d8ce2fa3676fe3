/* The article's fourth block, with exactly its semantics:
 *     start = np.array([10.0, -6.0]);  gradient_descent(lambda v: 2 * v, start, 0.2, 50)
 * vector IS start: the loop moves the caller's array, here as there; and the step that is small enough to end the loop is
 * dropped, not taken. Where the original is given a Python float it cannot move the caller's number; here a single
 * number is an array of one, which moves. */
#include <stdio.h>

#include "cotan/maths.h"

static void gradient(void *user, const double *vector, double *out) {
    for (int i = 0; i < *(int *)user; i++) out[i] = 2 * vector[i];
}

int main(void) {
    int n = 2;
    double start[2] = {10, -6};
    int64_t steps;
    ct_err e = {0};
    ct_descent how = {.learn_rate = 0.2, .n_iter = 50, .tolerance = 1e-06};
    if (ct_gradient_descent(NULL, gradient, &n, start, n, how, &steps, &e)) return puts(e.text), 1;
    printf("[%.8e %.8e] after %lld steps\n", start[0], start[1], (long long)steps);
    double other[1] = {10};
    n = 1;
    how = (ct_descent){.learn_rate = 0.8, .n_iter = 20, .tolerance = 1e-06};
    if (ct_gradient_descent(NULL, gradient, &n, other, n, how, &steps, &e)) return puts(e.text), 1;
    printf("[%.8e] after %lld steps\n", other[0], (long long)steps);
    return 0;
}
