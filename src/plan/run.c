/* run.c: a run walks the phases; in a phase threads claim tasks. Nothing is allocated, nothing is decided:
 * offsets, kernels and task counts come from the instance, so the result has the same bits whichever thread
 * claims what. */
#include <string.h>
#include <time.h>

#include "base/pool.h"
#include "plan/plan.h"

double ct__now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

typedef struct job {
    ct_session *s;
    ct__instance *t;
    const ct__phase *phase;
    int32_t bases, profile;
    int32_t failed; /* atomic: some task failed */
    int32_t reserved;
} job;

#define MAX_ARGS 640

static ct_status run_step(const job *j, const ct__step *s, int64_t task, int32_t thread, ct__exec *x) {
    void *arg[MAX_ARGS];
    void *const *base = j->s->base + (size_t)thread * (size_t)j->bases;
    int sharded = s->node->kind == CT__SHARDED, ragged = sharded && task == j->t->shards - 1;
    for (int32_t i = 0; i < s->args; i++) {
        const ct__ref_arg *a = &s->arg[i];
        arg[i] = a->base == CT__BASE_NONE
                     ? NULL
                     : (char *)base[a->base] + a->offset + (sharded ? a->stride * (uint64_t)task : 0);
    }
    x->task = task;
    x->row0 = sharded ? task * j->t->rows : 0;
    if (!j->profile) return s->run[ragged](s->data[ragged], arg, x);
    double begin = ct__now();
    ct_status status = s->run[ragged](s->data[ragged], arg, x);
    ((ct__step *)(uintptr_t)s)->ms += (ct__now() - begin) * 1e3;
    return status;
}

static ct_status run_piece(const job *j, int64_t task, int32_t thread, ct__exec *x) {
    for (int32_t i = 0; i < j->phase->steps; i++) {
        const ct__step *s = &j->t->step[j->phase->first + i];
        if (task < s->tasks) {
            x->tasks = s->tasks;
            return run_step(j, s, task, thread, x);
        }
        task -= s->tasks;
    }
    return CT_OK;
}

static void run_task(void *data, int64_t task, int32_t thread) {
    job *j = data;
    ct_session *s = j->s;
    ct__exec x = {.thread = thread,
                  .train = j->t->plan->options.train,
                  .tasks = j->phase->tasks,
                  .batch = j->t->batch,
                  .seed = s->ctx->options.seed,
                  .step = s->step,
                  .scalars = s->scalar,
                  .e = &s->errors[thread]};
    x.scratch = (char *)s->base[(size_t)thread * (size_t)j->bases + CT__BASE_THREAD] + j->t->thread_bytes;
    ct_status status = CT_OK;
    if (__atomic_load_n(&j->failed, __ATOMIC_RELAXED)) return;
    if (j->phase->kind == CT__PIECE) status = run_piece(j, task, thread, &x);
    for (int32_t i = 0; j->phase->kind != CT__PIECE && !status && i < j->phase->steps; i++) {
        if (s->cancel)
            status = ct_fail(x.e, CT_ECANCEL, "run: cancelled");
        else
            status = run_step(j, &j->t->step[j->phase->first + i], task, thread, &x);
    }
    if (status) __atomic_store_n(&j->failed, (int32_t)status, __ATOMIC_RELAXED);
}

static ct_status first_error(ct_session *s) {
    for (int32_t i = 0; i < s->threads; i++)
        if (s->errors[i].status) {
            s->error = s->errors[i];
            return (ct_status)s->error.status;
        }
    return ct_fail(&s->error, CT_EINTERNAL, "run: a kernel failed without a text");
}

/* The context's threads serve one run at a time; a run that finds them busy does its tasks itself. */
static ct_status run_phase(job *j) {
    ct_session *s = j->s;
    ct_status status = CT_OK;
    if (s->deadline > 0 && ct__now() > s->deadline)
        return ct_fail(&s->error, CT_ECANCEL, "run: the deadline has passed");
    int alone = j->t->small || j->phase->tasks <= 1 || s->threads == 1 || j->profile;
    if (alone || __atomic_exchange_n(&s->ctx->pool_busy, 1, __ATOMIC_ACQUIRE)) {
        for (int64_t i = 0; i < j->phase->tasks; i++) run_task(j, i, 0);
    } else {
        struct ct_pool *pool;
        status = ct__pool_of(s->ctx, &pool, &s->error);
        if (!status) status = ct__pool_run(pool, run_task, j, j->phase->tasks, s->threads, &s->error);
        __atomic_store_n(&s->ctx->pool_busy, 0, __ATOMIC_RELEASE);
    }
    if (!status && j->failed) status = first_error(s);
    return status;
}

/* ---- preparation ---- */

static ct_status grow(ct_session *s, void **memory, uint64_t *have, uint64_t want) {
    if (*have >= want && *memory) return CT_OK;
    void *p = ct_new(&s->ctx->allocator, want);
    if (!p)
        return ct_fail(&s->error, CT_ELIMIT, "run: out of memory for %llu bytes", (unsigned long long)want);
    ct_delete(&s->ctx->allocator, *memory, *have);
    *memory = p;
    *have = want;
    return CT_OK;
}

static ct_status prepare_states(ct_session *s) {
    ct_ctx *c = s->ctx;
    if (s->states < c->vars) { /* both arrays, or none */
        void **state = ct_new_array(&c->allocator, (uint64_t)c->vars, sizeof *state);
        uint64_t *bytes = ct_new_array(&c->allocator, (uint64_t)c->vars, sizeof *bytes);
        if (!state || !bytes) {
            ct_delete(&c->allocator, state, (size_t)c->vars * sizeof *state);
            ct_delete(&c->allocator, bytes, (size_t)c->vars * sizeof *bytes);
            return ct_fail(&s->error, CT_ELIMIT, "run: out of memory");
        }
        if (s->states) {
            memcpy(state, s->state, (size_t)s->states * sizeof *state);
            memcpy(bytes, s->state_bytes, (size_t)s->states * sizeof *bytes);
        }
        ct_delete(&c->allocator, s->state, (size_t)s->states * sizeof *state);
        ct_delete(&c->allocator, s->state_bytes, (size_t)s->states * sizeof *bytes);
        s->state = state;
        s->state_bytes = bytes;
        s->states = c->vars;
    }
    for (int32_t i = 0; i < c->vars; i++) {
        if (c->var[i]->kind != CT_STATE || s->state[i]) continue;
        ct_status e = grow(s, &s->state[i], &s->state_bytes[i], c->var[i]->bytes);
        if (e) return e;
    }
    return CT_OK;
}

static ct_status prepare(ct_session *s, const ct__instance *t, const void *const *in, int32_t *bases) {
    ct_ctx *c = s->ctx;
    ct_status e = CT_OK;
    *bases = CT__BASE_FIRST + c->vars + t->plan->inputs;
    if (s->threads != c->threads || !s->errors) {
        ct_delete(&c->allocator, s->errors, (size_t)s->threads * sizeof *s->errors);
        s->threads = c->threads;
        s->errors = ct_new_array(&c->allocator, (uint64_t)s->threads, sizeof *s->errors);
        if (!s->errors) return ct_fail(&s->error, CT_ELIMIT, "run: out of memory");
    }
    uint64_t each = (t->thread_bytes + t->scratch_bytes + 4095) / 4096 * 4096 + 4096;
    e = grow(s, &s->arena, &s->arena_bytes, t->shared_bytes + 64 + each * (uint64_t)s->threads);
    if (!e)
        e = grow(s, (void **)(void *)&s->base, &s->base_bytes,
                 (uint64_t)s->threads * (uint64_t)*bases * sizeof *s->base);
    if (!e) e = prepare_states(s);
    if (e) return e;
    for (int32_t i = 0; i < s->threads; i++) {
        void **b = s->base + (size_t)i * (size_t)*bases;
        s->errors[i].status = 0;
        b[CT__BASE_ABSOLUTE] = NULL;
        b[CT__BASE_SHARED] = s->arena;
        b[CT__BASE_THREAD] = (char *)s->arena + (t->shared_bytes + 63) / 64 * 64 + each * (uint64_t)i;
        for (int32_t k = 0; k < c->vars; k++)
            b[CT__BASE_FIRST + k] = c->var[k]->kind == CT_STATE ? s->state[k] : c->var[k]->data;
        for (int32_t k = 0; k < t->plan->inputs; k++)
            b[CT__BASE_FIRST + c->vars + k] = (void *)(uintptr_t)in[k];
    }
    for (int32_t i = 0; i < c->scalars; i++)
        if (!s->scalar_set[i]) s->scalar[i] = c->scalar_initial[i];
    return CT_OK;
}

static void copy_outputs(const ct_session *s, const ct__instance *t, void *const *out) {
    for (int32_t i = 0; i < t->plan->outs; i++) {
        const ct__val *v = &t->val[t->output[i]];
        uint64_t count = 0;
        if (!out || !out[i] || !ct_shape_count(&v->type.shape, t->batch, &count)) continue;
        const char *from = (const char *)s->base[v->base] + v->offset;
        memcpy(out[i], from, count * ct_dtype_size((ct_dtype)v->type.dtype));
    }
}

static void touch_variables(const ct__instance *t) {
    for (int32_t i = 0; i < t->nodes; i++)
        if (t->node[i]->op == &ct__op_var) t->node[i]->origin->var->version++;
}

ct_status ct__run_instance(ct_session *s, ct__instance *t, const void *const *in, void *const *out,
                           int profile) {
    job j = {.s = s, .t = t, .profile = profile};
    ct_status e = prepare(s, t, in, &j.bases);
    if (e) return e;
    ct_float_state f = ct__float_enter();
    for (int32_t i = 0; i < t->phases && !e; i++) {
        j.phase = &t->phase[i];
        e = run_phase(&j);
    }
    ct__float_leave(f);
    if (e) return e;
    copy_outputs(s, t, out);
    if (t->plan->n_effects > 0 && !profile) {
        s->step++;
        touch_variables(t);
    }
    return CT_OK;
}
