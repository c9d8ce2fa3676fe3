/* schedule.c: the learning rate's factor as a function of the step alone, so that a resumed training has the
 * same one. */
#include <math.h>
#include <string.h>

#include "cotan/nn.h"

static const char *const names[] = {"constant",     "step",    "cosine", "one_cycle",
                                    "inverse_sqrt", "plateau", "linear"};
#define COUNT ((int32_t)(sizeof names / sizeof *names))

const char *ct_schedule_name(int32_t kind) { return kind >= 0 && kind < COUNT ? names[kind] : NULL; }
int32_t ct_schedule_of(const char *name) {
    for (int32_t i = 0; i < COUNT; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

static double cosine(double from, double to, double share) {
    return to + (from - to) * 0.5 * (1 + cos(M_PI * share));
}

/* PyTorch's OneCycleLR with anneal_strategy "cos", div_factor 25, final_div_factor 1e4. */
static double one_cycle(const ct_schedule *s, double step) {
    double steps = (double)(s->steps > 1 ? s->steps : 2),
           up = s->warmup > 0 ? (double)s->warmup : 0.3 * steps - 1;
    if (up < 1) up = 1;
    if (step <= up) return cosine(1.0 / 25, 1, step / up);
    double share = (step - up) / (steps - 1 - up > 1 ? steps - 1 - up : 1);
    return cosine(1, 1.0 / 25 / 1e4, share < 1 ? share : 1);
}

static double warm_up(const ct_schedule *s, double t) {
    return s->warmup > 0 && t < (double)s->warmup && s->kind != CT_ONE_CYCLE ? (t + 1) / (double)s->warmup
                                                                             : 1;
}

double ct_schedule_at(const ct_schedule *s, int64_t step, double plateau) {
    double t = (double)step, steps = (double)(s->steps > 0 ? s->steps : 1), w = (double)s->warmup,
           gamma = s->gamma > 0 ? s->gamma : 0.1, factor = 1;
    double share = w < steps ? (t - w) / (steps - w) : 0;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    if (s->kind == CT_STEP && s->every > 0) factor = pow(gamma, floor(t / (double)s->every));
    if (s->kind == CT_COSINE) factor = cosine(1, s->floor, share);
    if (s->kind == CT_LINEAR) factor = 1 + (s->floor - 1) * share;
    if (s->kind == CT_ONE_CYCLE) factor = one_cycle(s, t);
    if (s->kind == CT_INVERSE_SQRT && t + 1 > w) factor = sqrt((w > 0 ? w : 1) / (t + 1));
    if (s->kind == CT_PLATEAU && plateau > 0) factor = plateau;
    factor = factor > s->floor ? factor : s->floor;
    return factor * warm_up(s, t);
}

double ct_plateau_next(ct_plateau *p, const ct_schedule *s, double score) {
    int64_t patience = s->patience > 0 ? s->patience : 10;
    if (p->epochs == 0) *p = (ct_plateau){.factor = 1, .best = INFINITY};
    p->epochs++;
    if (score < p->best - 1e-4 * fabs(isfinite(p->best) ? p->best : 0)) {
        p->best = score;
        p->bad = 0;
    } else if (++p->bad > patience) {
        p->factor *= s->gamma > 0 ? s->gamma : 0.1;
        p->bad = 0;
    }
    return p->factor;
}
