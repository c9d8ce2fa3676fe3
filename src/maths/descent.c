/* descent.c: gradient descent as the article writes it.
 *
 *     def gradient_descent(gradient, start, learn_rate, n_iter, tolerance=1e-06):
 *         vector = start
 *         for _ in range(n_iter):
 *             diff = -learn_rate * gradient(vector)
 *             if np.all(np.abs(diff) <= tolerance):
 *                 break
 *             vector += diff
 *         return vector
 *
 * `vector += diff` changes the array `start` itself, so here the start is changed in place; the diff that ends the
 * loop is not added. Each element is one product and one sum, as numpy rounds them. */
#include "maths/maths.h"

#include <math.h>

ct_status ct_gradient_descent(const ct_maths *m,
                              void (*gradient)(void *user, const double *vector, double *out), void *user,
                              double *vector, int64_t n, ct_descent o, int64_t *steps, ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "gradient_descent", e);
    if (!s && (!gradient || !vector || n < 1))
        s = ct_fail(e, CT_EUSAGE,
                    "gradient_descent: no gradient, no vector or n %lld; wanted all three; give them",
                    (long long)n);
    double *diff = s ? NULL : ct__job_doubles(&j, n, 1), tolerance = o.tolerance == 0.0 ? 1e-6 : o.tolerance;
    if (!s && !diff) s = CT_ELIMIT;
    int64_t done = 0;
    for (int64_t i = 0; !s && i < o.n_iter; i++) {
        int small = 1;
        gradient(user, vector, diff);
        for (int64_t k = 0; k < n; k++) {
            diff[k] = -o.learn_rate * diff[k];
            small &= fabs(diff[k]) <= tolerance;
        }
        if (small) break;
        for (int64_t k = 0; k < n; k++) vector[k] += diff[k];
        done++;
    }
    if (!s && steps) *steps = done;
    ct__job_end(&j);
    return s;
}
