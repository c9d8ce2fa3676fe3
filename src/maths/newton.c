/* newton.c: Newton's method with a line search: H d = -g by Cholesky, H shifted by a multiple of the unit matrix until
 * it is positive definite (Nocedal and Wright, algorithm 3.3). Without a Hessian of the caller's it is made of central
 * differences of the gradient, made symmetric. */
#include <math.h>
#include <string.h>

#include "maths/lapack.h"
#include "maths/minimise.h"

static void hessian_by_differences(ct__search *s, double *h) {
    int64_t n = s->n;
    for (int64_t k = 0; k < n; k++) {
        double step = 6.055454452393343e-6 * fmax(1, fabs(s->x[k])); /* eps^(1/3) */
        memcpy(s->try_x, s->x, (size_t)n * sizeof *s->x);
        s->try_x[k] = s->x[k] + step;
        ct__evaluate(s, s->try_x, s->try_g);
        s->try_x[k] = s->x[k] - step;
        ct__evaluate(s, s->try_x, s->low_g);
        for (int64_t i = 0; i < n; i++) h[i * n + k] = (s->try_g[i] - s->low_g[i]) / (2 * step);
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < i; k++) h[i * n + k] = h[k * n + i] = (h[i * n + k] + h[k * n + i]) / 2;
}

/* d = -(h + shift)^-1 g; 0 when no shift was enough. */
static int solve(ct__search *s, const double *h, double *work, double *d) {
    int64_t n = s->n;
    double norm = ct__length(h, n * n), least = h[0], shift;
    for (int64_t i = 1; i < n; i++) least = fmin(least, h[i * n + i]);
    shift = least > 0 ? 0 : 1e-3 * norm - least;
    if (!isfinite(norm)) return 0;
    for (int trial = 0; trial < 60; trial++) {
        memcpy(work, h, (size_t)(n * n) * sizeof *h);
        for (int64_t i = 0; i < n; i++) work[i * n + i] += shift;
        if (LAPACK(LAPACKE_dpotrf_work)(LAPACK_COL_MAJOR, 'L', (lapack_int)n, work, (lapack_int)n) == 0) {
            for (int64_t i = 0; i < n; i++) d[i] = -s->g[i];
            LAPACK(LAPACKE_dpotrs_work)
            (LAPACK_COL_MAJOR, 'L', (lapack_int)n, 1, work, (lapack_int)n, d, (lapack_int)n);
            return isfinite(ct__largest(d, n));
        }
        shift = fmax(2 * shift, 1e-3 * norm);
    }
    return 0;
}

ct_status ct__minimise_newton(ct__search *s) {
    int64_t n = s->n;
    double *h = ct__job_doubles(s->j, n, n), *work = ct__job_doubles(s->j, n, n),
           *d = ct__job_doubles(s->j, n, 1);
    if (!h || !work || !d) return CT_ELIMIT;
    s->r.iterations--;
    while (!ct__step_done(s, ct__largest(s->g, n))) {
        s->r.hessians++;
        if (s->p->hessian)
            s->p->hessian(s->p->user, s->x, h);
        else
            hessian_by_differences(s, h);
        if (!solve(s, h, work, d))
            for (int64_t i = 0; i < n; i++) d[i] = -s->g[i];
        if (!ct__wolfe(s, d, 1, 0.9)) {
            ct__no_step(s);
            break;
        }
    }
    return CT_OK;
}
