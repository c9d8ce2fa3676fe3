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
    for (int32_t i = 0; i < s->states; i++) ct_delete(a, s->state[i].data, s->state[i].bytes);
    ct_delete(a, s->state, (size_t)s->states * sizeof *s->state);
    ct_delete(a, s->memory, s->memory_bytes);
    ct_delete(a, s, sizeof *s);
}

ct_status ct_session_set(ct_session *s, const char *scalar, double value) {
    for (int32_t i = 0; scalar && i < s->ctx->scalars; i++)
        if (strcmp(s->ctx->scalar_name[i], scalar) == 0) {
            s->scalar[i] = value;
            s->scalar_set[i] = 1;
            return CT_OK;
        }
    ct_error_clear(&s->error); /* of an earlier run */
    return ct_fail(&s->error, CT_EUSAGE, "session: no scalar \"%.60s\"; wanted one made by ct_scalar",
                   scalar ? scalar : "NULL");
}

void ct_session_step(ct_session *s, uint64_t step) { s->step = step; }
uint64_t ct_session_step_of(const ct_session *s) { return s->step; }
void ct_session_cancel(ct_session *s, int on) { __atomic_store_n(&s->cancel, on, __ATOMIC_RELAXED); }
void ct_session_deadline(ct_session *s, double seconds) {
    s->deadline = seconds > 0 ? ct__now() + seconds : 0;
}
ct_ctx *ct_session_context(const ct_session *s) { return s->ctx; }
const char *ct_session_error(const ct_session *s) { return s->error.text; }
int64_t ct_session_error_row(const ct_session *s) { /* watch.c leaves it where files have their position */
    return s->error.status == CT_ENONFINITE && !s->error.file[0] ? s->error.pos : -1;
}

static ct_err *error_of(ct_session *s) { return &s->error; }

ct_session *ct_default_session(ct_ctx *c) {
    if (!c->session) {
        if (ct_session_new(c, &c->session, &c->error)) return NULL;
        c->session_free = ct_session_free;
        c->session_error = error_of;
    }
    return c->session;
}

/* Names the step that a number that is not finite came from, where a replay finds it. */
static void explain(ct_session *s, ct__instance *t, const void *const *in) {
    ct_err found = s->error;
    ct_error_clear(&s->error);
    if (ct__run_instance(s, t, in, NULL, CT__REPLAY) != CT_ENONFINITE) s->error = found;
}

ct_status ct_run(ct_session *s, ct_plan *p, const void *const *in, int64_t batch, void *const *out) {
    ct__instance *t;
    if (!s) return CT_EUSAGE;
    ct_error_clear(&s->error);
    if (!p || p->ctx != s->ctx)
        return ct_fail(&s->error, CT_EUSAGE, "run: the plan is %s; wanted one of the session's context",
                       p ? "of another context" : "NULL");
    if (batch == 0 && p->n_effects > 0)
        return ct_fail(&s->error, CT_EUSAGE,
                       "run: batch is 0; wanted at least 1 in a step that updates; leave it out");
    for (int32_t i = 0; i < p->inputs; i++)
        if (!in || !in[i])
            return ct_fail(&s->error, CT_EUSAGE, "run: input \"%s\" is NULL; wanted its data",
                           ct_plan_input_name(p, i));
    ct_status e = ct__instance_of(p, batch, &t, &s->error);
    if (e) return e;
    e = ct__run_instance(s, t, in, out, CT__RUN);
    if (e == CT_ENONFINITE && !s->ctx->options.trap) explain(s, t, in);
    ct__instance_leave(t);
    return e;
}
