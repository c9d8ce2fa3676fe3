/* proximal.c: minima under constraints and with an l1 term, by gradients and projections.
 *
 * Projected: spectral projected gradient (Birgin, Martinez, Raydan 2000): d = P(x - a g) - x with Barzilai and Borwein's
 * a = s's / s'y, and a line search that compares with the largest of the last ten values.
 * Proximal: FISTA (Beck, Teboulle 2009) on f + l1 |x|_1 in a box: z = prox(y - t g(y)), y' = z + momentum (z - x); t is
 * halved until the quadratic model lies above f, and the momentum begins anew where it points uphill (O'Donoghue,
 * Candes 2015). prox: the soft threshold at t l1, then the box. Both end by what a step of the gradient moves. */
#include <math.h>
#include <string.h>

#include "maths/minimise.h"

static void project(const ct__search *s, double *x) {
    const ct_problem *p = s->p;
    if (p->project) {
        p->project(p->user, x);
        return;
    }
    for (int64_t i = 0; i < s->n; i++) {
        if (p->low && x[i] < p->low[i]) x[i] = p->low[i];
        if (p->high && x[i] > p->high[i]) x[i] = p->high[i];
    }
}

static void proximal(const ct__search *s, double step, double *x) {
    double cut = step * s->p->l1;
    for (int64_t i = 0; i < s->n && cut > 0; i++)
        x[i] = x[i] > cut ? x[i] - cut : x[i] < -cut ? x[i] + cut : 0;
    project(s, x);
}

/* The largest component of x - prox(x - g), a unit step: 0 at the minimum. */
static double measure(const ct__search *s, double *room) {
    for (int64_t i = 0; i < s->n; i++) room[i] = s->x[i] - s->g[i];
    proximal(s, 1, room);
    for (int64_t i = 0; i < s->n; i++) room[i] -= s->x[i];
    return ct__largest(room, s->n);
}

/* ---- projected ---- */

#define HISTORY 10

static int descend(ct__search *s, const double *d, const double *values, int count) {
    double slope = ct__inner(s->g, d, s->n), most = values[0], step = 1;
    for (int i = 1; i < count; i++) most = fmax(most, values[i]);
    if (!(slope < 0)) return 0;
    for (int trial = 0; trial < 60; trial++) {
        for (int64_t i = 0; i < s->n; i++) s->try_x[i] = s->x[i] + step * d[i];
        s->try_f = ct__evaluate(s, s->try_x, s->try_g);
        if (s->try_f <= most + 1e-4 * step * slope + 1e-15 * fabs(most)) return 1;
        double t = isfinite(s->try_f) ? -slope * step * step / (2 * (s->try_f - s->f - step * slope)) : 0;
        step = t >= 0.1 * step && t <= 0.9 * step ? t : step / 2;
        if (s->o.max_evaluations && s->r.evaluations >= s->o.max_evaluations) return 0;
    }
    return 0;
}

static ct_status enter(ct__search *s) { /* the start, put into the set */
    memcpy(s->try_x, s->x, (size_t)s->n * sizeof *s->x);
    project(s, s->try_x);
    if (memcmp(s->try_x, s->x, (size_t)s->n * sizeof *s->x) == 0) return CT_OK;
    memcpy(s->x, s->try_x, (size_t)s->n * sizeof *s->x);
    s->f = s->before = ct__evaluate(s, s->x, s->g);
    if (isfinite(s->f)) return CT_OK;
    return ct_fail(s->j->e, CT_ENONFINITE,
                   "%s: f is not finite at the start, put into the set; wanted another start; choose one",
                   s->j->name);
}

ct_status ct__minimise_projected(ct__search *s) {
    double *d = s->low_g, *room = s->low_x, values[HISTORY], rate;
    int count = 0;
    ct_status status = enter(s);
    if (status) return status;
    rate = measure(s, room);
    rate = rate > 0 ? fmin(1, 1 / rate) : 1;
    s->r.iterations--;
    while (!ct__step_done(s, measure(s, room))) {
        values[count++ % HISTORY] = s->f;
        for (int64_t i = 0; i < s->n; i++) d[i] = s->x[i] - rate * s->g[i];
        project(s, d);
        for (int64_t i = 0; i < s->n; i++) d[i] -= s->x[i];
        if (!descend(s, d, values, count < HISTORY ? count : HISTORY)) {
            ct__no_step(s);
            break;
        }
        double ss = 0, sy = 0;
        for (int64_t i = 0; i < s->n; i++) {
            double ds = s->try_x[i] - s->x[i];
            ss += ds * ds;
            sy += ds * (s->try_g[i] - s->g[i]);
        }
        rate = sy > 0 ? fmin(fmax(ss / sy, 1e-30), 1e30) : 1e30;
        memcpy(s->x, s->try_x, (size_t)s->n * sizeof *s->x);
        memcpy(s->g, s->try_g, (size_t)s->n * sizeof *s->g);
        s->f = s->try_f;
    }
    return CT_OK;
}

/* ---- proximal ---- */

typedef struct fista {
    double *y, *gy, *z, fy, t, momentum;
} fista;

static double rough(const ct__search *s, const double *x) {
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++) sum += fabs(x[i]);
    return s->p->l1 * sum;
}

/* z = prox(y - t gy), t small enough that f(z) lies below the model at y. 0: no t does. */
static int proximal_step(ct__search *s, fista *a) {
    for (int trial = 0; trial < 100; trial++) {
        double linear = 0, square = 0;
        for (int64_t i = 0; i < s->n; i++) a->z[i] = a->y[i] - a->t * a->gy[i];
        proximal(s, a->t, a->z);
        for (int64_t i = 0; i < s->n; i++) {
            double step = a->z[i] - a->y[i];
            linear += step * a->gy[i];
            square += step * step;
        }
        s->try_f = ct__evaluate(s, a->z, s->try_g);
        if (s->try_f <= a->fy + linear + square / (2 * a->t) + 1e-14 * fabs(a->fy)) return 1;
        a->t /= 2;
        if (s->o.max_evaluations && s->r.evaluations >= s->o.max_evaluations) return 0;
    }
    return 0;
}

/* y' = z + momentum (z - x); the momentum is dropped where (y - z)'(z - x) > 0. */
static void extrapolate(ct__search *s, fista *a) {
    double uphill = 0, next = (1 + sqrt(1 + 4 * a->momentum * a->momentum)) / 2,
           weight = (a->momentum - 1) / next;
    for (int64_t i = 0; i < s->n; i++) uphill += (a->y[i] - a->z[i]) * (a->z[i] - s->x[i]);
    if (uphill > 0) next = 1, weight = 0;
    a->momentum = next;
    for (int64_t i = 0; i < s->n; i++) a->y[i] = a->z[i] + weight * (a->z[i] - s->x[i]);
    memcpy(s->x, a->z, (size_t)s->n * sizeof *s->x);
    memcpy(s->g, s->try_g, (size_t)s->n * sizeof *s->g);
    if (weight > 0) {
        a->fy = ct__evaluate(s, a->y, a->gy);
        if (isfinite(a->fy)) return;
    }
    memcpy(a->y, s->x, (size_t)s->n * sizeof *a->y);
    memcpy(a->gy, s->g, (size_t)s->n * sizeof *a->gy);
    a->fy = s->try_f;
}

ct_status ct__minimise_proximal(ct__search *s) {
    fista a = {.t = 1, .momentum = 1};
    a.y = ct__job_doubles(s->j, s->n, 1);
    a.gy = ct__job_doubles(s->j, s->n, 1);
    a.z = ct__job_doubles(s->j, s->n, 1);
    if (!a.y || !a.gy || !a.z) return CT_ELIMIT;
    ct_status status = enter(s);
    if (status) return status;
    memcpy(a.y, s->x, (size_t)s->n * sizeof *a.y);
    memcpy(a.gy, s->g, (size_t)s->n * sizeof *a.gy);
    a.fy = s->f;
    s->f += rough(s, s->x);
    s->before = s->f;
    s->r.iterations--;
    while (!ct__step_done(s, measure(s, s->low_x))) {
        if (!proximal_step(s, &a)) {
            ct__no_step(s);
            break;
        }
        double f = s->try_f;
        extrapolate(s, &a);
        s->f = f + rough(s, s->x);
        a.t *= 1.1; /* the model may be less curved here */
    }
    return CT_OK;
}
