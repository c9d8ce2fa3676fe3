/* session.c: sessions, and the calls that run plans through them. */
#include <string.h>

#include "plan/plan.h"

ct_status ct_session_new(ct_ctx *c, ct_session **out, ct_err *e) {
    ct_session *s = ct_new(&c->allocator, sizeof *s);
    if (!s) return ct_fail(e, CT_ELIMIT, "session: out of memory");
    s->ctx = c;
    *out = s;
    return CT_OK;
}

void ct_session_free(ct_session *s) {
    if (!s) return;
    const ct_allocator *a = &s->ctx->allocator;
    for (int32_t i = 0; i < s->states; i++) ct_delete(a, s->state[i], s->state_bytes[i]);
    ct_delete(a, s->state, (size_t)s->states * sizeof *s->state);
    ct_delete(a, s->state_bytes, (size_t)s->states * sizeof *s->state_bytes);
    ct_delete(a, s->arena, s->arena_bytes);
    ct_delete(a, s->base, s->base_bytes);
    ct_delete(a, s->errors, (size_t)s->threads * sizeof *s->errors);
    ct_delete(a, s, sizeof *s);
}

ct_status ct_session_set(ct_session *s, const char *scalar, double value) {
    for (int32_t i = 0; i < s->ctx->scalars; i++)
        if (strcmp(s->ctx->scalar_name[i], scalar) == 0) {
            s->scalar[i] = value;
            s->scalar_set[i] = 1;
            return CT_OK;
        }
    return ct_fail(&s->error, CT_EUSAGE, "session: no scalar \"%.60s\"; wanted one made by ct_scalar",
                   scalar);
}

void ct_session_step(ct_session *s, uint64_t step) { s->step = step; }
uint64_t ct_session_step_of(const ct_session *s) { return s->step; }
void ct_session_cancel(ct_session *s, int on) { s->cancel = on; }
void ct_session_deadline(ct_session *s, double seconds) {
    s->deadline = seconds > 0 ? ct__now() + seconds : 0;
}
const char *ct_session_error(const ct_session *s) { return s->error.text; }

ct_session *ct_default_session(ct_ctx *c) {
    if (!c->session) {
        if (ct_session_new(c, &c->session, &c->error)) return NULL;
        c->session_free = ct_session_free;
    }
    return c->session;
}

ct_status ct_run(ct_session *s, ct_plan *p, const void *const *in, int64_t batch, void *const *out) {
    ct__instance *t;
    ct_error_clear(&s->error);
    if (batch == 0 && p->n_effects > 0)
        return ct_fail(&s->error, CT_EUSAGE,
                       "run: batch is 0; wanted at least 1 in a step that updates; leave it out");
    for (int32_t i = 0; i < p->inputs; i++)
        if (!in || !in[i])
            return ct_fail(&s->error, CT_EUSAGE, "run: input \"%s\" is NULL; wanted its data",
                           ct_plan_input_name(p, i));
    ct_status e = ct__instance_of(p, batch, &t, &s->error);
    return e ? e : ct__run_instance(s, t, in, out, 0);
}

/* ---- the simple tier: plans of ct_predict, by node ---- */

typedef struct cached {
    ct_t y;
    ct_plan *plan;
    struct cached *next;
} cached;
typedef struct cache {
    ct_ctx *ctx;
    cached *first;
} cache;

static void cache_free(void *plans) {
    cache *k = plans;
    while (k && k->first) {
        cached *c = k->first;
        k->first = c->next;
        ct_plan_free(c->plan);
        ct_delete(&k->ctx->allocator, c, sizeof *c);
    }
    if (k) ct_delete(&k->ctx->allocator, k, sizeof *k);
}

static ct_plan *cached_plan(ct_ctx *c, ct_t y) {
    cache *k = c->plans;
    if (!k) {
        k = c->plans = ct_new(&c->allocator, sizeof *k);
        if (!k) {
            ct_fail(&c->error, CT_ELIMIT, "predict: out of memory");
            return NULL;
        }
        k->ctx = c;
        c->plans_free = cache_free;
    }
    for (cached *i = k->first; i; i = i->next)
        if (i->y.node == y.node && i->y.out == y.out) return i->plan;
    cached *n = ct_new(&c->allocator, sizeof *n);
    if (!n || ct_plan_new(&y, 1, NULL, 0, (ct_compile){0}, &n->plan, &c->error)) {
        ct_delete(&c->allocator, n, sizeof *n);
        return NULL;
    }
    n->y = y;
    n->next = k->first;
    k->first = n;
    return n->plan;
}

ct_status ct_predict(ct_ctx *c, ct_t y, const void *in, int64_t batch, void *out) {
    if (ct_error_status(c)) return ct_error_status(c);
    ct_session *s = ct_default_session(c);
    ct_plan *p = s && ct_ok(y) ? cached_plan(c, y) : NULL;
    if (!p)
        return ct_error_status(c)
                   ? ct_error_status(c)
                   : ct_fail(&c->error, CT_EUSAGE, "predict: no tensor; wanted one of this context");
    if (p->inputs != 1)
        return ct_fail(&c->error, CT_EUSAGE, "predict: the net has %d inputs; wanted one; use ct_run",
                       p->inputs);
    const void *ins[1] = {in};
    void *outs[1] = {out};
    ct_status e = ct_run(s, p, ins, batch, outs);
    return e ? ct_fail(&c->error, e, "%s", ct_session_error(s)) : CT_OK;
}
