/* minimise.h: what the minimisers share: the point, its value and gradient, counts, and the line searches. */
#ifndef CT_MATHS_MINIMISE_H
#define CT_MATHS_MINIMISE_H

#include <math.h>

#include "maths/maths.h"

typedef struct ct__search {
    ct__job *j;
    const ct_problem *p;
    ct_minimise_options o; /* defaults filled in */
    int64_t n;
    double *x, *g, f;             /* where it stands */
    double *try_x, *try_g, try_f; /* a trial */
    double *low_x, *low_g;        /* the best trial of a line search */
    double *near_x;               /* for differences */
    ct_minimise_result r;
    double before; /* f of the iteration before */
    double step;   /* that ct__wolfe took last */
} ct__search;

/* f at x; the gradient into g unless NULL. Infinity when it is not a finite number. */
double ct__evaluate(ct__search *s, const double *x, double *g);
/* Plain loops: the order of their sums, and so the way a minimiser takes, is the same on every machine. */
static inline double ct__inner(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}
static inline void ct__add_scaled(double *to, double factor, const double *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += factor * from[i];
}
static inline double ct__norm(const double *v, int64_t n) { return sqrt(ct__inner(v, v, n)); }
/* After an iteration: sets r, tells the callback; a ct_stop when it is over, else 0. `gradient`: its measure. */
int32_t ct__step_done(ct__search *s, double gradient);
double ct__largest(const double *v, int64_t n);
/* Ends the search where no step lowers f: at the limit of evaluations, or as near as rounding allows. */
void ct__no_step(ct__search *s);

/* Along d from the current point, which moves on success (1); 0: no step lowers f. `step` is tried first. */
int ct__wolfe(ct__search *s, const double *d, double step, double c2);
int ct__backtrack(ct__search *s, const double *d, double step);

ct_status ct__minimise_quasi_newton(ct__search *s);
ct_status ct__minimise_newton(ct__search *s);
ct_status ct__minimise_conjugate(ct__search *s);
ct_status ct__minimise_steepest(ct__search *s);
ct_status ct__minimise_projected(ct__search *s);
ct_status ct__minimise_proximal(ct__search *s);
ct_status ct__minimise_steps(ct__search *s);

/* Differences of f: central, two points a coordinate -> g; the search's own x is not touched. */
void ct__differences(ct__search *s, const double *x, double *g);

#endif
