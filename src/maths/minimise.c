/* minimise.c: one way in and one report for all minimisers. */
#include "maths/minimise.h"

#include <math.h>
#include <string.h>

const char *ct_stop_name(int32_t stop) {
    static const char *const names[] = {"",           "gradient",    "value",  "precision",
                                        "iterations", "evaluations", "request"};
    return stop >= CT_STOP_GRADIENT && stop <= CT_STOP_REQUEST ? names[stop] : "";
}

double ct__largest(const double *v, int64_t n) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fabs(v[i]) > most || isnan(v[i]) ? fabs(v[i]) : most;
    return most;
}

double ct__evaluate(ct__search *s, const double *x, double *g) {
    double f;
    s->r.evaluations++;
    if (g && s->p->differences) {
        f = s->p->f(s->p->user, x, NULL);
        if (isfinite(f)) ct__differences(s, x, g);
    } else {
        f = s->p->f(s->p->user, x, g);
    }
    if (!isfinite(f)) return INFINITY;
    return g && !isfinite(ct__largest(g, s->n)) ? INFINITY : f;
}

int32_t ct__step_done(ct__search *s, double gradient) {
    double lowered = s->before - s->f, scale = fmax(fabs(s->f), 1);
    s->r.iterations++;
    s->r.value = s->f;
    s->r.gradient = gradient;
    s->before = s->f;
    if (s->o.each && s->o.each(s->o.user, s->x, &s->r)) return s->r.stop = CT_STOP_REQUEST;
    if (gradient <= s->o.gradient_tolerance) return s->r.stop = CT_STOP_GRADIENT;
    if (s->o.value_tolerance > 0 && lowered <= s->o.value_tolerance * scale) return s->r.stop = CT_STOP_VALUE;
    if (s->r.iterations >= s->o.max_iterations) return s->r.stop = CT_STOP_ITERATIONS;
    if (s->o.max_evaluations && s->r.evaluations >= s->o.max_evaluations)
        return s->r.stop = CT_STOP_EVALUATIONS;
    return 0;
}

void ct__no_step(ct__search *s) {
    s->r.stop = s->o.max_evaluations && s->r.evaluations >= s->o.max_evaluations ? CT_STOP_EVALUATIONS
                                                                                 : CT_STOP_PRECISION;
}

typedef struct method_row {
    int32_t method, constrained;
    ct_status (*run)(ct__search *s);
} method_row;

static const method_row *row_of(int32_t method) {
    static const method_row rows[] = {
        {CT_LBFGS, 0, ct__minimise_quasi_newton},  {CT_BFGS, 0, ct__minimise_quasi_newton},
        {CT_NEWTON, 0, ct__minimise_newton},       {CT_CONJUGATE_GRADIENT, 0, ct__minimise_conjugate},
        {CT_STEEPEST, 0, ct__minimise_steepest},   {CT_PROJECTED, 1, ct__minimise_projected},
        {CT_PROXIMAL, 2, ct__minimise_proximal},   {CT_FIXED, 0, ct__minimise_steps},
        {CT_MOMENTUM, 0, ct__minimise_steps},      {CT_NESTEROV, 0, ct__minimise_steps},
        {CT_ADAGRAD_STEPS, 0, ct__minimise_steps}, {CT_RMSPROP_STEPS, 0, ct__minimise_steps},
        {CT_ADAM_STEPS, 0, ct__minimise_steps}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].method == method) return &rows[i];
    return NULL;
}

static ct_status check_box(ct__job *j, const ct_problem *p) {
    for (int64_t i = 0; (p->low || p->high) && i < p->n; i++) {
        double low = p->low ? p->low[i] : -INFINITY, high = p->high ? p->high[i] : INFINITY;
        if (!(low <= high)) /* NaN too */
            return ct_fail(j->e, CT_EUSAGE,
                           "%s: the box from %g to %g at %lld; wanted low <= high; exchange them", j->name,
                           low, high, (long long)i);
    }
    return CT_OK;
}

static ct_status check(ct__job *j, const ct_problem *p, const double *x, const ct_minimise_options *o) {
    const method_row *row = row_of(o->method);
    if (!p || !p->f || !x || p->n < 1)
        return ct_fail(j->e, CT_EUSAGE, "%s: no f, no x or n %lld; wanted all three; give them", j->name,
                       p ? (long long)p->n : 0);
    if (!row)
        return ct_fail(j->e, CT_EUSAGE, "%s: method %d; wanted a ct_method; choose one", j->name, o->method);
    if (o->line_search < CT_WOLFE || o->line_search > CT_BACKTRACKING || o->memory < 0 ||
        o->max_iterations < 0 || o->max_evaluations < 0 || !(o->rate >= 0) ||
        !(o->momentum >= 0 && o->momentum < 1) || !(o->beta1 >= 0 && o->beta1 < 1) ||
        !(o->beta2 >= 0 && o->beta2 < 1) || isnan(o->gradient_tolerance) || isnan(o->value_tolerance))
        return ct_fail(
            j->e, CT_EUSAGE,
            "%s: an option out of its range; wanted a ct_line_search, counts and a rate from 0, momentum and "
            "betas from 0 to below 1; give 0 for the default",
            j->name);
    if ((p->low || p->high || p->project) && row->constrained == 0)
        return ct_fail(
            j->e, CT_EUSAGE,
            "%s: a box or a set with method %d, which knows none; wanted CT_PROJECTED%s; choose it", j->name,
            o->method, p->project ? "" : " or CT_PROXIMAL");
    if (p->project && row->constrained != 1)
        return ct_fail(j->e, CT_EUSAGE, "%s: a set by `project`; wanted CT_PROJECTED; choose it", j->name);
    if (!(p->l1 >= 0 && isfinite(p->l1)) || (p->l1 > 0 && row->constrained != 2))
        return ct_fail(j->e, CT_EUSAGE,
                       "%s: l1 %g with method %d; wanted CT_PROXIMAL and 0 or more; choose that method",
                       j->name, p->l1, o->method);
    return check_box(j, p);
}

static ct_minimise_options filled(const ct_minimise_options *from) {
    ct_minimise_options o = *from;
    if (!o.memory) o.memory = 10;
    if (!o.max_iterations) o.max_iterations = 10000;
    if (o.gradient_tolerance == 0.0) o.gradient_tolerance = 1e-8;
    if (o.rate == 0.0) o.rate = 1e-3;
    if (o.momentum == 0.0) o.momentum = 0.9;
    if (o.beta1 == 0.0) o.beta1 = 0.9;
    if (o.beta2 == 0.0) o.beta2 = o.method == CT_RMSPROP_STEPS ? 0.99 : 0.999;
    return o;
}

static ct_status begin(ct__search *s) {
    int64_t n = s->n;
    double **rooms[] = {&s->g, &s->try_x, &s->try_g, &s->low_x, &s->low_g, &s->near_x};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        *rooms[i] = ct__job_doubles(s->j, n, 1);
        if (!*rooms[i]) return CT_ELIMIT;
    }
    s->f = ct__evaluate(s, s->x, s->g);
    s->before = s->f;
    if (isfinite(s->f)) return CT_OK;
    return ct_fail(s->j->e, CT_ENONFINITE,
                   "%s: f or its gradient is not finite at the start; wanted a start inside of f's domain; "
                   "choose another",
                   s->j->name);
}

ct_status ct_minimise(const ct_maths *m, const ct_problem *p, double *x, const ct_minimise_options *o,
                      ct_minimise_result *out, ct_err *e) {
    static const ct_minimise_options none = {0};
    ct__job j;
    ct__search s = {.j = &j, .p = p, .x = x};
    ct_status status = ct__job_begin(&j, m, "minimise", e);
    if (!o) o = &none;
    if (!status) status = check(&j, p, x, o);
    if (!status) {
        s.o = filled(o);
        s.n = p->n;
        status = begin(&s);
    }
    if (!status) status = row_of(o->method)->run(&s);
    if (!status) *out = s.r;
    ct__job_end(&j);
    return status;
}
