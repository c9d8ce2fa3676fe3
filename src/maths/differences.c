/* differences.c: gradients from values, and a check of gradients that were written by hand.
 *
 * Central: (f(x+h) - f(x-h)) / 2h with h = eps^(1/3), error about eps^(2/3). The check uses four points,
 * (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h with h = eps^(1/5), error about eps^(4/5). */
#include <math.h>
#include <string.h>

#include "maths/minimise.h"

static double value_at(ct__search *s, double *x, int64_t i, double by) {
    double old = x[i];
    x[i] = old + by;
    s->r.evaluations++;
    double f = s->p->f(s->p->user, x, NULL);
    x[i] = old;
    return f;
}

/* A step that is exact: x + h - x == h. */
static double exact_step(double x, double h) {
    volatile double there = x + h;
    return there - x;
}

void ct__differences(ct__search *s, const double *x, double *g) {
    double *at = s->near_x;
    memcpy(at, x, (size_t)s->n * sizeof *x);
    for (int64_t i = 0; i < s->n; i++) {
        double h = exact_step(x[i], 6.055454452393343e-6 * fmax(1, fabs(x[i])));
        g[i] = (value_at(s, at, i, h) - value_at(s, at, i, -h)) / (2 * h);
    }
}

ct_status ct_gradient_check(const ct_maths *m, const ct_problem *p, const double *x, double *worst,
                            int64_t *at, ct_err *e) {
    ct__job j;
    ct_status status = ct__job_begin(&j, m, "gradient_check", e);
    if (!status && (!p || !p->f || !x || p->n < 1 || p->differences))
        status = ct_fail(e, CT_EUSAGE,
                         "gradient_check: no f, no x, n below 1 or no gradient; wanted a gradient of f's; "
                         "give one, or leave `differences` 0");
    ct__search s = {.j = &j, .p = p, .n = p ? p->n : 0};
    double *g = status ? NULL : ct__job_doubles(&j, p->n, 1),
           *y = status ? NULL : ct__job_doubles(&j, p->n, 1);
    if (!status && (!g || !y)) status = CT_ELIMIT;
    double most = -1;
    int64_t where = 0;
    if (!status) {
        memcpy(y, x, (size_t)p->n * sizeof *x);
        if (!isfinite(p->f(p->user, x, g)))
            status = ct_fail(
                e, CT_ENONFINITE,
                "gradient_check: f is not finite there; wanted a point of its domain; choose another");
    }
    for (int64_t i = 0; !status && i < p->n; i++) {
        double h = exact_step(x[i], 7.4e-4 * fmax(1, fabs(x[i]))),
               d = (8 * (value_at(&s, y, i, h) - value_at(&s, y, i, -h)) -
                    (value_at(&s, y, i, 2 * h) - value_at(&s, y, i, -2 * h))) /
                   (12 * h),
               off = fabs(d - g[i]) / fmax(1, fabs(g[i]));
        if (!(off <= most)) most = off, where = i; /* NaN counts as the worst */
        if (isnan(off)) break;
    }
    if (!status) {
        *worst = most;
        if (at) *at = where;
    }
    ct__job_end(&j);
    return status;
}
