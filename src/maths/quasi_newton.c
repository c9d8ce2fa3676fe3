/* quasi_newton.c: BFGS and its limited-memory form (Nocedal and Wright, chapters 6 and 7).
 *
 * With s = x' - x and y = g' - g of the steps taken, H approximates the inverse Hessian; d = -H g. BFGS keeps H as a
 * matrix, the unit matrix at first; L-BFGS keeps the last pairs and applies H by two loops over them (Nocedal 1980),
 * beginning with the scale s'y / y'y of the last pair (eq. 7.20). A pair without positive curvature is left out.
 * The first trial of a step is 1; of BFGS, whose H is not scaled, at most as far as a parabola of the depth that the
 * last step gained would end. */
#include <string.h>

#include "maths/minimise.h"

typedef struct memory {
    int64_t n, room, count, next; /* of pairs */
    double *s, *y, *rho, *alpha;  /* [room,n] twice, [room] twice */
    double *h, *hy;               /* BFGS: [n,n]; [n] */
    int ready;                    /* h holds something */
} memory;

static ct_status memory_new(ct__search *s, memory *m) {
    int dense = s->o.method == CT_BFGS;
    *m = (memory){.n = s->n, .room = dense ? 1 : s->o.memory};
    m->s = ct__job_doubles(s->j, m->room, s->n);
    m->y = ct__job_doubles(s->j, m->room, s->n);
    m->rho = ct__job_doubles(s->j, m->room, 1);
    m->alpha = ct__job_doubles(s->j, m->room, 1);
    if (dense) {
        m->h = ct__job_doubles(s->j, s->n, s->n);
        m->hy = ct__job_doubles(s->j, s->n, 1);
    }
    return m->s && m->y && m->rho && m->alpha && (!dense || (m->h && m->hy)) ? CT_OK : CT_ELIMIT;
}

static void times(const double *h, const double *v, int64_t n, double factor, double *out) {
    for (int64_t i = 0; i < n; i++) out[i] = factor * ct__inner(h + i * n, v, n);
}

/* H' = (I - s y'/sy) H (I - y s'/sy) + s s'/sy */
static void update_matrix(memory *m, const double *s, const double *y, double sy) {
    int64_t n = m->n;
    for (int64_t i = 0; i < n && !m->ready; i++) m->h[i * n + i] = 1;
    m->ready = 1;
    times(m->h, y, n, 1, m->hy);
    double factor = 1 + ct__inner(y, m->hy, n) / sy;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++)
            m->h[i * n + k] += (factor * s[i] * s[k] - m->hy[i] * s[k] - s[i] * m->hy[k]) / sy;
}

/* The pair stands in row `next` of s and y already. */
static void remember(memory *m) {
    double *s = m->s + m->next * m->n, *y = m->y + m->next * m->n, sy = ct__inner(s, y, m->n);
    if (!(sy > 2.2e-16 * ct__norm(s, m->n) * ct__norm(y, m->n))) return;
    if (m->h) {
        update_matrix(m, s, y, sy);
        return;
    }
    m->rho[m->next] = 1 / sy;
    m->next = (m->next + 1) % m->room;
    if (m->count < m->room) m->count++;
}

static void two_loops(memory *m, double *d) {
    int64_t n = m->n;
    for (int64_t k = 1; k <= m->count; k++) { /* from the newest */
        int64_t i = (m->next - k + m->room) % m->room;
        m->alpha[i] = m->rho[i] * ct__inner(m->s + i * n, d, n);
        ct__add_scaled(d, -m->alpha[i], m->y + i * n, n);
    }
    if (m->count) {
        int64_t i = (m->next - 1 + m->room) % m->room;
        double scale = 1 / (m->rho[i] * ct__inner(m->y + i * n, m->y + i * n, n));
        for (int64_t k = 0; k < n; k++) d[k] *= scale;
    }
    for (int64_t k = m->count; k >= 1; k--) {
        int64_t i = (m->next - k + m->room) % m->room;
        double beta = m->rho[i] * ct__inner(m->y + i * n, d, n);
        ct__add_scaled(d, m->alpha[i] - beta, m->s + i * n, n);
    }
}

static void direction(memory *m, const double *g, double *d) {
    if (m->ready) {
        times(m->h, g, m->n, -1, d);
        return;
    }
    for (int64_t i = 0; i < m->n; i++) d[i] = -g[i];
    if (!m->h) two_loops(m, d);
}

static void forget(memory *m) {
    m->count = m->next = 0;
    m->ready = 0;
    if (m->h) memset(m->h, 0, (size_t)(m->n * m->n) * sizeof *m->h);
}

static double first_step(const ct__search *s, const memory *m, const double *d, double gained) {
    double t = 2.02 * gained / -ct__inner(s->g, d, s->n);
    if (!m->ready && !m->count) return fmin(1, 1 / ct__norm(s->g, s->n));
    return m->h && t > 0 ? fmin(1, t) : 1;
}

ct_status ct__minimise_quasi_newton(ct__search *s) {
    memory m;
    ct_status status = memory_new(s, &m);
    double *d = status ? NULL : ct__job_doubles(s->j, s->n, 1), gained = 0;
    if (!d) return CT_ELIMIT;
    s->r.iterations--; /* the start is looked at as an iteration is */
    while (!ct__step_done(s, ct__largest(s->g, s->n))) {
        double *ds = m.s + m.next * s->n, *dy = m.y + m.next * s->n, f = s->f;
        direction(&m, s->g, d);
        for (int64_t i = 0; i < s->n; i++) ds[i] = -s->x[i], dy[i] = -s->g[i];
        if (!ct__wolfe(s, d, first_step(s, &m, d, gained), 0.9)) {
            if (!m.ready && !m.count) {
                ct__no_step(s);
                break;
            }
            forget(&m); /* the model may have gone wrong: once more along the gradient */
            continue;
        }
        gained = f - s->f;
        for (int64_t i = 0; i < s->n; i++) ds[i] += s->x[i], dy[i] += s->g[i];
        remember(&m);
    }
    return CT_OK;
}
