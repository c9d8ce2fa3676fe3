/* first_order.c: steps of the gradient at a fixed rate, by PyTorch's formulas (torch.optim.SGD, Adagrad, RMSprop,
 * Adam), to see on a plain function what trains a net. */
#include <math.h>

#include "maths/minimise.h"

typedef struct state {
    double *m, *v; /* [n]: velocity or first moment, second moment */
    double beta1_power, beta2_power;
} state;

static double step_of(const ct__search *s, state *t, int64_t i) {
    const ct_minimise_options *o = &s->o;
    double g = s->g[i];
    if (o->method == CT_FIXED) return o->rate * g;
    if (o->method == CT_MOMENTUM || o->method == CT_NESTEROV) {
        t->m[i] = o->momentum * t->m[i] + g;
        return o->rate * (o->method == CT_NESTEROV ? g + o->momentum * t->m[i] : t->m[i]);
    }
    if (o->method == CT_ADAGRAD_STEPS) {
        t->v[i] += g * g;
        return o->rate * g / (sqrt(t->v[i]) + 1e-10);
    }
    t->v[i] = o->beta2 * t->v[i] + (1 - o->beta2) * g * g;
    if (o->method == CT_RMSPROP_STEPS) return o->rate * g / (sqrt(t->v[i]) + 1e-8);
    t->m[i] = o->beta1 * t->m[i] + (1 - o->beta1) * g;
    return o->rate / (1 - t->beta1_power) * t->m[i] / (sqrt(t->v[i]) / sqrt(1 - t->beta2_power) + 1e-8);
}

ct_status ct__minimise_steps(ct__search *s) {
    state t = {.beta1_power = 1, .beta2_power = 1};
    t.m = ct__job_doubles(s->j, s->n, 1);
    t.v = ct__job_doubles(s->j, s->n, 1);
    if (!t.m || !t.v) return CT_ELIMIT;
    s->r.iterations--;
    while (!ct__step_done(s, ct__largest(s->g, s->n))) {
        t.beta1_power *= s->o.beta1;
        t.beta2_power *= s->o.beta2;
        for (int64_t i = 0; i < s->n; i++) s->x[i] -= step_of(s, &t, i);
        s->f = ct__evaluate(s, s->x, s->g);
        if (!isfinite(s->f))
            return ct_fail(s->j->e, CT_ENONFINITE,
                           "%s: f is not finite after %lld steps; wanted a smaller rate than %g; lower it, "
                           "or use a line search",
                           s->j->name, (long long)s->r.iterations + 1, s->o.rate);
    }
    return CT_OK;
}
