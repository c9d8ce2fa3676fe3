/* frame.c: the memory of a run.
 *
 * A session has one block; a run divides it as its instance wants: the threads' error slots, the table of
 * bases for each thread (where a reference's offset begins), the shared part, and each thread's own part with
 * the kernels' scratch behind it. ct__frame_of is a function of the instance alone, so the peak that a plan
 * reports before its first step is what the first step takes. */
#include "plan/plan.h"

#define PAGE 4096

static uint64_t up(uint64_t bytes, uint64_t to) { return (bytes + to - 1) / to * to; }

ct__frame ct__frame_of(const ct__instance *t) {
    const ct_ctx *c = t->plan->ctx;
    ct__frame f = {.threads = t->small ? 1 : c->threads,
                   .n_bases = CT__BASE_FIRST + c->vars + t->plan->inputs};
    f.bases = up((uint64_t)f.threads * sizeof(ct__slot_of_thread), 64);
    f.shared = up(f.bases + (uint64_t)f.threads * (uint64_t)f.n_bases * sizeof(void *), PAGE);
    f.thread = up(f.shared + t->shared_bytes, PAGE);
    f.each = up(t->thread_bytes + t->scratch_bytes, PAGE) + PAGE; /* two threads never share a page */
    f.bytes = f.thread + f.each * (uint64_t)f.threads;
    return f;
}

/* Contents need not be kept, so the old block goes first: the two are never there together. */
static ct_status grow(ct_session *s, void **memory, uint64_t *have, uint64_t want) {
    if (*memory && *have >= want) return CT_OK;
    ct_delete(&s->ctx->allocator, *memory, *have);
    *have = 0;
    *memory = ct_new(&s->ctx->allocator, want);
    if (!*memory)
        return ct_fail(&s->error, CT_ELIMIT, "run: out of memory for %llu bytes", (unsigned long long)want);
    *have = want;
    return CT_OK;
}

static ct_status prepare_states(ct_session *s, const ct__instance *t) {
    ct_status e = t->n_states ? ct__states_reserve(s, &s->error) : CT_OK;
    for (int32_t i = 0; i < t->n_states && !e; i++)
        e = ct__state_prepare(s, t->state[i], t->batch, &s->error);
    return e;
}

ct_status ct__frame_prepare(ct_session *s, const ct__instance *t, const void *const *in, ct__frame *f) {
    ct_ctx *c = s->ctx;
    *f = ct__frame_of(t);
    ct_status e = grow(s, &s->memory, &s->memory_bytes, f->bytes);
    if (!e) e = prepare_states(s, t);
    if (e) return e;
    for (int32_t i = 0; i < f->threads; i++) {
        void **b = ct__frame_bases(s, f, i);
        ct__frame_slot(s, f, i)->e.status = 0;
        b[CT__BASE_ABSOLUTE] = NULL;
        b[CT__BASE_SHARED] = (char *)s->memory + f->shared;
        b[CT__BASE_THREAD] = (char *)s->memory + f->thread + f->each * (uint64_t)i;
        for (int32_t k = 0; k < t->plan->inputs; k++) b[CT__BASE_FIRST + k] = (void *)(uintptr_t)in[k];
        void **var = b + CT__BASE_FIRST + t->plan->inputs;
        for (int32_t k = 0; k < c->vars; k++)
            var[k] = c->var[k]->kind == CT_STATE && k < s->states ? s->state[k].data : c->var[k]->data;
    }
    for (int32_t i = 0; i < c->scalars; i++)
        if (!s->scalar_set[i]) s->scalar[i] = c->scalar_initial[i];
    return CT_OK;
}
