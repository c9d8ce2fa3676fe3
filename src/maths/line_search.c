/* line_search.c: how far to go along a direction d with g'd < 0. phi(t) = f(x + t d).
 *
 * Wolfe (strong conditions; Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6):
 *     phi(t) <= phi(0) + c1 t phi'(0)      enough descent
 *     |phi'(t)| <= c2 |phi'(0)|            no longer steep
 * The trial is bracketed and refined by cubic interpolation of values and slopes. Near a minimum the first condition
 * drowns in rounding; there Hager and Zhang's approximate form (2005, eq. 4.1) decides, by slopes alone.
 * Backtracking (Armijo 1966) halves the step, by the parabola through two values and a slope, until the first holds. */
#include <math.h>
#include <string.h>

#include "maths/minimise.h"

#define C1 1e-4
#define TRIALS 40

typedef struct point {
    double t, f, slope;
} point;

static point try_step(ct__search *s, const double *d, double t) {
    for (int64_t i = 0; i < s->n; i++) s->try_x[i] = s->x[i] + t * d[i];
    s->try_f = ct__evaluate(s, s->try_x, s->try_g);
    return (point){t, s->try_f, isfinite(s->try_f) ? ct__inner(s->try_g, d, s->n) : NAN};
}

static void accept(ct__search *s, const double *x, const double *g, double f) {
    memcpy(s->x, x, (size_t)s->n * sizeof *x);
    memcpy(s->g, g, (size_t)s->n * sizeof *g);
    s->f = f;
}

/* The minimum of the cubic through two values and slopes (Nocedal and Wright, 3.59), or the middle; where the values
 * differ by rounding alone, the zero of the line through the slopes. */
static double cubic(point a, point b, double noise) {
    double d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t), square = d1 * d1 - a.slope * b.slope,
           middle = (a.t + b.t) / 2, t;
    if (fabs(a.f - b.f) <= noise) {
        t = a.t - a.slope * (b.t - a.t) / (b.slope - a.slope);
    } else {
        if (!(square >= 0)) return middle;
        double d2 = b.t > a.t ? sqrt(square) : -sqrt(square), below = b.slope - a.slope + 2 * d2;
        t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / below;
    }
    return isfinite(t) ? t : middle;
}

/* Inside the bracket, at least a tenth of it away from either end. */
static double inside(double t, double a, double b) {
    double low = fmin(a, b), high = fmax(a, b), margin = 0.1 * (high - low);
    return fmin(fmax(t, low + margin), high - margin);
}

static double next_inside(point low, point high, double noise) {
    if (!isfinite(high.f) || !isfinite(high.slope)) return low.t + 0.2 * (high.t - low.t);
    return inside(cubic(low, high, noise), low.t, high.t);
}

static int wolfe_holds(point start, point p, double c2, double noise) {
    if (!(fabs(p.slope) <= -c2 * start.slope)) return 0;
    if (p.f <= start.f + C1 * p.t * start.slope) return 1;
    return p.f <= start.f + noise && p.slope <= (2 * C1 - 1) * start.slope;
}

/* Steeper than at the start and still going down: go further, as the cubic says, at least twice as far. */
static double next_outside(point before, point p, double noise) {
    double t = cubic(before, p, noise);
    if (!(t > p.t)) t = 4 * p.t;
    return fmin(fmax(t, 2 * p.t), 10 * p.t);
}

int ct__wolfe(ct__search *s, const double *d, double step, double c2) {
    point start = {0, s->f, ct__inner(s->g, d, s->n)}, low = start, high = {0};
    double noise = 1e-14 * fmax(fabs(s->f), 1e-300);
    int bracketed = 0, moved = 0;
    if (!(start.slope < 0)) return 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        point p = try_step(s, d, step);
        if (isfinite(p.f) && wolfe_holds(start, p, c2, noise)) {
            accept(s, s->try_x, s->try_g, p.f);
            s->step = p.t;
            return 1;
        }
        if (!isfinite(p.f) || p.f > start.f + C1 * p.t * start.slope + noise ||
            (moved && p.f > low.f + noise)) {
            high = p;
            bracketed = 1;
        } else {
            point old = low;
            if (bracketed ? p.slope * (high.t - low.t) >= 0 : p.slope >= 0) {
                high = low;
                bracketed = 1;
            }
            low = p;
            moved = 1;
            memcpy(s->low_x, s->try_x, (size_t)s->n * sizeof *s->low_x);
            memcpy(s->low_g, s->try_g, (size_t)s->n * sizeof *s->low_g);
            if (!bracketed) step = next_outside(old, p, noise);
        }
        if (bracketed) step = next_inside(low, high, noise);
        if (bracketed && fabs(high.t - low.t) <= 1e-14 * fmax(fabs(low.t), fabs(high.t))) break;
        if (s->o.max_evaluations && s->r.evaluations >= s->o.max_evaluations) break;
    }
    if (!moved || !(low.f < start.f)) return 0; /* not even the best trial is lower */
    accept(s, s->low_x, s->low_g, low.f);
    s->step = low.t;
    return 1;
}

int ct__backtrack(ct__search *s, const double *d, double step) {
    double slope = ct__inner(s->g, d, s->n);
    if (!(slope < 0)) return 0;
    for (int trial = 0; trial < 2 * TRIALS; trial++) {
        for (int64_t i = 0; i < s->n; i++) s->try_x[i] = s->x[i] + step * d[i];
        double f = ct__evaluate(s, s->try_x, NULL);
        if (f <= s->f + C1 * step * slope && f < s->f) {
            double again = ct__evaluate(s, s->try_x, s->try_g);
            accept(s, s->try_x, s->try_g, again);
            s->step = step;
            return isfinite(again);
        }
        double t = isfinite(f) ? -slope * step * step / (2 * (f - s->f - slope * step)) : 0;
        step = fmin(fmax(t, 0.1 * step), 0.5 * step);
        if (s->o.max_evaluations && s->r.evaluations >= s->o.max_evaluations) break;
    }
    return 0;
}
