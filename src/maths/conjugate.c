/* conjugate.c: nonlinear conjugate gradients (Hager and Zhang 2005, CG_DESCENT): d' = -g' + beta d with
 *
 *     beta = (y - 2 d |y|^2 / d'y)' g' / d'y,   at least -1 / (|d| min(0.01, |g|))
 *
 * which is a descent direction with any line search. The first trial lowers f as much, to first order, as the last step
 * did (Nocedal and Wright, 3.60), but is at most four times as long: where slopes fall by orders from one direction to the
 * next that rule overshoots by as much. Also steepest descent, d = -g, with either line search. */
#include <string.h>

#include "maths/minimise.h"

static double beta_of(int64_t n, const double *d, const double *g_old, const double *g, double *y) {
    for (int64_t i = 0; i < n; i++) y[i] = g[i] - g_old[i];
    double dy = ct__inner(d, y, n), yy = ct__inner(y, y, n);
    if (!(dy > 0)) return 0;
    double beta = (ct__inner(y, g, n) - 2 * yy * ct__inner(d, g, n) / dy) / dy;
    return fmax(beta, -1 / (ct__norm(d, n) * fmin(0.01, ct__norm(g_old, n))));
}

static void downhill(const ct__search *s, double *d) {
    for (int64_t i = 0; i < s->n; i++) d[i] = -s->g[i];
}

ct_status ct__minimise_conjugate(ct__search *s) {
    int64_t n = s->n;
    double *d = ct__job_doubles(s->j, n, 1), *g = ct__job_doubles(s->j, n, 1),
           *y = ct__job_doubles(s->j, n, 1);
    double gain = 0; /* step times slope of the iteration before; 0: d is the gradient's */
    if (!d || !g || !y) return CT_ELIMIT;
    s->r.iterations--; /* the start is looked at as an iteration is */
    downhill(s, d);
    while (!ct__step_done(s, ct__largest(s->g, n))) {
        double slope = ct__inner(s->g, d, n);
        memcpy(g, s->g, (size_t)n * sizeof *g);
        double step = gain < 0 ? fmin(gain / slope, 4 * s->step) : 1 / ct__norm(s->g, n);
        if (!ct__wolfe(s, d, step, 0.4)) {
            if (!(gain < 0)) {
                ct__no_step(s);
                break;
            }
            downhill(s, d);
            gain = 0;
            continue;
        }
        gain = s->step * slope;
        double beta = beta_of(n, d, g, s->g, y);
        for (int64_t i = 0; i < n; i++) d[i] = beta * d[i] - s->g[i];
    }
    return CT_OK;
}

ct_status ct__minimise_steepest(ct__search *s) {
    double *d = ct__job_doubles(s->j, s->n, 1), gain = 0;
    if (!d) return CT_ELIMIT;
    s->r.iterations--;
    while (!ct__step_done(s, ct__largest(s->g, s->n))) {
        double slope = -ct__inner(s->g, s->g, s->n), step = gain < 0 ? gain / slope : 1 / sqrt(-slope);
        downhill(s, d);
        if (!(s->o.line_search == CT_BACKTRACKING ? ct__backtrack(s, d, 2 * step)
                                                  : ct__wolfe(s, d, step, 0.9))) {
            ct__no_step(s);
            break;
        }
        gain = s->step * slope;
    }
    return CT_OK;
}
