/* run.c: a run walks the phases; in a phase threads claim tasks. Nothing is allocated, nothing is decided:
 * offsets, kernels and task counts come from the instance, so the result has the same bits whichever thread
 * claims what.
 *
 * A task of a shard phase is a lane: up to eight of them, each with consecutive shards that it takes one after
 * the other, in the activation memory of one. What is summed over the batch has one buffer a lane: the first
 * shard writes it, the others write beside it and are added (CORE 1). With at most eight shards a lane is a
 * shard. The error of a run is that of the lowest task that failed, so it does not depend on threads either. */
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
    ct__frame f;
    ct__mode mode;
    int32_t looks;  /* values are looked at after each step */
    int64_t failed; /* atomic: the lowest task that failed; INT64_MAX: none */
} job;

/* Between steps; once variables are being written the run goes through. */
static ct_status interrupted(const job *j, ct_err *e) {
    const ct_session *s = j->s;
    if (j->phase->writes) return CT_OK;
    if (__atomic_load_n(&s->cancel, __ATOMIC_RELAXED)) return ct_fail(e, CT_ECANCEL, "run: cancelled");
    if (s->deadline > 0 && ct__now() > s->deadline)
        return ct_fail(e, CT_ECANCEL, "run: the deadline has passed");
    return CT_OK;
}

static int64_t lane_of(const ct__instance *t, int64_t shard) { return shard / t->lane_shards; }

static void find_args(const job *j, const ct__step *s, int64_t task, void *const *base, void **arg) {
    int sharded = s->node->kind == CT__SHARDED;
    int64_t lane = sharded ? lane_of(j->t, task) : 0;
    for (int32_t i = 0; i < s->args; i++) {
        const ct__ref_arg *a = &s->arg[i];
        arg[i] = NULL;
        if (a->base == CT__BASE_NONE) continue;
        if (!a->partial)
            arg[i] = (char *)base[a->base] + a->offset + (sharded ? a->stride * (uint64_t)task : 0);
        else if (task == lane * j->t->lane_shards)
            arg[i] = (char *)base[a->base] + a->offset + a->stride * (uint64_t)lane;
        else
            arg[i] = (char *)base[CT__BASE_THREAD] + a->local;
    }
}

/* What a later shard of a lane has written beside the lane's sums is added to them. */
static void add_to_lane(const job *j, const ct__step *s, int64_t shard, void *const *base, void *const *arg) {
    uint64_t lane = (uint64_t)lane_of(j->t, shard);
    for (int32_t i = s->node->n_in; i < s->args; i++) {
        const ct__ref_arg *a = &s->arg[i];
        if (a->base == CT__BASE_NONE || !a->partial) continue;
        float *sum = (float *)(void *)((char *)base[a->base] + a->offset + a->stride * lane);
        float *const part[2] = {sum, arg[i]};
        if (s->node->op->merge)
            s->node->op->merge(NULL, part, 2, sum);
        else
            ct__add(j->t->simd, a->count, sum, arg[i], sum);
    }
}

/* What debug builds, ct_options.trap and .debug, and replays look at. */
static ct_status look(const job *j, const ct__step *s, int64_t task, void *const *arg, const ct__exec *x) {
    const ct_ctx *c = j->s->ctx;
    ct_status status = ct__watch_padding(j->t, s, task, arg, x->e);
    if (!status && ct__traces(c, 4)) ct__trace_step(j->t, s, task, arg);
    if (!status && (c->options.trap || j->mode == CT__REPLAY))
        status = ct__watch_step(j->t, s, task, arg, x, j->mode != CT__REPLAY);
    return status;
}

static ct_status run_step(const job *j, const ct__step *s, int64_t task, int32_t thread, ct__exec *x) {
    void *arg[CT__MAX_ARGS];
    void *const *base = ct__frame_bases(j->s, &j->f, thread);
    int sharded = s->node->kind == CT__SHARDED, ragged = sharded && task == j->t->shards - 1;
    find_args(j, s, task, base, arg);
    x->task = task;
    x->row0 = sharded ? task * j->t->rows : 0;
    double begin = j->mode == CT__PROFILE ? ct__now() : 0;
    ct_status status = s->node->derived ? ct__derived_refresh(s, arg, x, j->mode == CT__PROFILE)
                                        : s->run[ragged](s->data[ragged], arg, x);
    if (!status && j->looks && s->node->kind != CT__PIECE) status = look(j, s, task, arg, x);
    if (!status && sharded && task % j->t->lane_shards) add_to_lane(j, s, task, base, arg);
    if (j->mode == CT__PROFILE) ((ct__step *)(uintptr_t)s)->ms += (ct__now() - begin) * 1e3;
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

/* All steps of the phase for one shard, or once. */
static ct_status run_steps(const job *j, int64_t task, int32_t thread, ct__exec *x) {
    for (int32_t i = 0; i < j->phase->steps; i++) {
        ct_status status = interrupted(j, x->e);
        if (!status) status = run_step(j, &j->t->step[j->phase->first + i], task, thread, x);
        if (status) return status;
    }
    return CT_OK;
}

static ct_status run_lane(const job *j, int64_t lane, int32_t thread, ct__exec *x) {
    int64_t each = j->t->lane_shards,
            end = (lane + 1) * each < j->t->shards ? (lane + 1) * each : j->t->shards;
    ct_status status = CT_OK;
    for (int64_t shard = lane * each; shard < end && !status; shard++)
        status = run_steps(j, shard, thread, x);
    return status;
}

/* Notes the failure of a task, unless a lower one has failed. */
static void note_failure(job *j, int64_t task, int32_t thread) {
    int64_t lowest = __atomic_load_n(&j->failed, __ATOMIC_RELAXED);
    ct__frame_slot(j->s, &j->f, thread)->task = task;
    while (task < lowest)
        if (__atomic_compare_exchange_n(&j->failed, &lowest, task, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
}

static void run_task(void *data, int64_t task, int32_t thread) {
    job *j = data;
    ct_session *s = j->s;
    if (task > __atomic_load_n(&j->failed, __ATOMIC_RELAXED)) return;
    ct__exec x = {.thread = thread,
                  .train = j->t->plan->options.train,
                  .tasks = j->phase->kind == CT__SHARDED ? j->t->shards : 1,
                  .batch = j->t->batch,
                  .seed = s->ctx->options.seed,
                  .step = s->step,
                  .scalars = s->scalar,
                  .scratch = (char *)ct__frame_bases(s, &j->f, thread)[CT__BASE_THREAD] + j->t->thread_bytes,
                  .e = &ct__frame_slot(s, &j->f, thread)->e};
    ct_status status = CT_OK;
    if (j->phase->kind == CT__PIECE) {
        status = interrupted(j, x.e);
        if (!status) status = run_piece(j, task, thread, &x);
    } else if (j->phase->kind == CT__SHARDED) {
        status = run_lane(j, task, thread, &x);
    } else {
        status = run_steps(j, task, thread, &x);
    }
    if (status) {
        ct_fail(x.e, status, "run: a kernel failed without a text");
        note_failure(j, task, thread);
    }
}

/* The text of the lowest task that failed. */
static ct_status take_error(job *j) {
    for (int32_t i = 0; i < j->f.threads; i++) {
        const ct__slot_of_thread *slot = ct__frame_slot(j->s, &j->f, i);
        if (slot->e.status && slot->task == j->failed) j->s->error = slot->e;
    }
    return j->s->error.status ? (ct_status)j->s->error.status
                              : ct_fail(&j->s->error, CT_EINTERNAL, "run: a task failed without a text");
}

/* A cut step is complete when its phase is over. */
static ct_status look_at_pieces(job *j) {
    void *arg[CT__MAX_ARGS];
    ct__exec x = {.step = j->s->step, .e = &j->s->error};
    ct_status status = CT_OK;
    for (int32_t i = 0; i < j->phase->steps && !status; i++) {
        const ct__step *s = &j->t->step[j->phase->first + i];
        find_args(j, s, 0, ct__frame_bases(j->s, &j->f, 0), arg);
        status = look(j, s, 0, arg, &x);
    }
    return status;
}

/* The context's threads serve one run at a time; a run that finds them busy does its tasks itself. */
static ct_status run_phase(job *j) {
    ct_session *s = j->s;
    ct_status status = CT_OK;
    int alone = j->t->small || j->phase->tasks <= 1 || j->f.threads == 1 || j->mode != CT__RUN ||
                ct__traces(s->ctx, 4);
    j->failed = INT64_MAX;
    if (alone || __atomic_exchange_n(&s->ctx->pool_busy, 1, __ATOMIC_ACQUIRE)) {
        for (int64_t i = 0; i < j->phase->tasks; i++) run_task(j, i, 0);
    } else {
        struct ct_pool *pool;
        status = ct__pool_of(s->ctx, &pool, &s->error);
        if (!status) status = ct__pool_run(pool, run_task, j, j->phase->tasks, j->f.threads, &s->error);
        __atomic_store_n(&s->ctx->pool_busy, 0, __ATOMIC_RELEASE);
    }
    if (!status && j->failed != INT64_MAX) status = take_error(j);
    if (!status && j->looks && j->phase->kind == CT__PIECE) status = look_at_pieces(j);
    return status;
}

static void copy_outputs(const job *j, void *const *out) {
    const ct__instance *t = j->t;
    void *const *base = ct__frame_bases(j->s, &j->f, 0);
    for (int32_t i = 0; i < t->plan->outs; i++) {
        const ct__val *v = &t->val[t->output[i]];
        uint64_t count = 0;
        if (!out || !out[i] || !ct_shape_count(&v->type.shape, t->batch, &count)) continue;
        memcpy(out[i], (const char *)base[v->base] + v->offset,
               count * ct_dtype_size((ct_dtype)v->type.dtype));
    }
}

static void touch_variables(const ct__instance *t) {
    for (int32_t i = 0; i < t->n_written; i++) t->written[i]->version++;
}

#ifdef CT_CHECKED
#define ALWAYS_LOOKS 1
#else
#define ALWAYS_LOOKS 0
#endif

static ct_status run_phases(job *j) {
    ct_session *s = j->s;
    ct_status e = CT_OK;
    if (s->ctx->options.trap || j->mode == CT__REPLAY)
        e = ct__watch_sources(j->t, ct__frame_bases(s, &j->f, 0), s->step, &s->error);
    for (int32_t i = 0; i < j->t->phases && !e; i++) {
        j->phase = &j->t->phase[i];
        if (j->mode == CT__REPLAY && j->phase->writes) break;
        e = run_phase(j);
    }
    return e;
}

ct_status ct__run_instance(ct_session *s, ct__instance *t, const void *const *in, void *const *out,
                           ct__mode mode) {
    const ct_ctx *c = s->ctx;
    job j = {.s = s,
             .t = t,
             .mode = mode,
             .looks = ALWAYS_LOOKS || c->options.trap || mode == CT__REPLAY || ct__traces(c, 4)};
    ct_status e = ct__frame_prepare(s, t, in, &j.f);
    if (e) return e;
    double begin = ct__traces(c, 1) ? ct__now() : 0;
    ct_float_state f = ct__float_enter();
    e = run_phases(&j);
    ct__float_leave(f);
    if (ct__traces(c, 1)) ct__trace_run(t, ct__now() - begin, e);
    if (e) return e;
    copy_outputs(&j, out);
    if (t->plan->n_effects > 0 && mode == CT__RUN) {
        s->step++;
        touch_variables(t);
    }
    return CT_OK;
}
