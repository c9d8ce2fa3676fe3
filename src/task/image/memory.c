/* memory.c: the bound on memory. An allocator counts what the job takes and refuses to pass the bound, so the promise
 * holds whatever happens; and before the first step what a training does is rehearsed once (steps of the full and of the
 * last batch, validation, the copies of a checkpoint), with some room to spare, off which the texts of the end live: where
 * that does not go through, the batch is halved, which is said and stored. */
#include "task/image/calibration.h"
#include "task/image/folder.h"
#include "task/image/job.h"

#define COPIES 4
#define OUTSIDE (64ll << 20) /* of code, kernels, stacks and texts, which the allocator does not see */

static void *take(void *user, size_t bytes) {
    ct__meter *m = user;
    uint64_t live = __atomic_add_fetch(&m->live, bytes, __ATOMIC_RELAXED);
    void *p = NULL;
    if (live <= __atomic_load_n(&m->limit, __ATOMIC_RELAXED))
        p = m->under.allocate ? m->under.allocate(m->under.user, bytes) : ct_new(NULL, bytes);
    if (!p) __atomic_sub_fetch(&m->live, bytes, __ATOMIC_RELAXED);
    return p;
}

static void give(void *user, void *memory, size_t bytes) {
    ct__meter *m = user;
    __atomic_sub_fetch(&m->live, bytes, __ATOMIC_RELAXED);
    if (m->under.release)
        m->under.release(m->under.user, memory, bytes);
    else
        ct_delete(NULL, memory, bytes);
}

static int64_t bound(const ct__image_job *j) { return j->o->memory - OUTSIDE; }

ct_status ct__memory_open(ct__image_job *j) {
    if (j->o->memory == 0) return CT_OK;
    if (j->o->memory < 2 * OUTSIDE)
        return ct_fail(j->e, CT_EUSAGE, "--memory: %lld bytes; wanted 128M or more; give more",
                       (long long)j->o->memory);
    j->meter = (ct__meter){.under = j->o->allocator, .limit = (uint64_t)bound(j)};
    j->metered = *j->o;
    j->metered.allocator = (ct_allocator){take, give, &j->meter};
    j->o = &j->metered;
    return CT_OK;
}

/* Of decoded pictures; a bounded job gives a quarter to it. */
uint64_t ct__memory_cache(const ct__image_job *j) {
    uint64_t most = ct__cache_bytes(), quarter = j->o->memory > 0 ? (uint64_t)j->o->memory / 4 : most;
    return quarter < most ? quarter : most;
}

/* ---- the rehearsal ---- */

static ct_status step_of(ct__image_job *j, const ct_batch *b) {
    ct_batch mixed;
    ct_err inner = {0};
    ct_status s = ct__image_mix(j, b, &mixed);
    if (s) return s;
    s = ct_trainer_step(j->trainer, &mixed, 1e-12, NULL, NULL, &inner);
    return s && s != CT_ENONFINITE ? ct_fail(j->e, s, "%s", inner.text) : CT_OK;
}

static ct_status steps(ct__image_job *j, ct_loader *l) {
    ct_batch b;
    int64_t last = j->train_count % j->recipe.batch;
    ct_status s = ct_next(l, &b, j->e);
    if (!s) s = step_of(j, &b);
    if (s || last == 0 || last == b.rows) return s;
    b.rows = last;
    return step_of(j, &b);
}

static ct_status validation(ct__image_job *j) {
    ct_loader *l = NULL;
    ct_batch b;
    int64_t batch = ct__image_eval_batch(j), last = j->validation_count % batch;
    float *logits = ct_new_array(&j->o->allocator, (uint64_t)(batch * j->classes) + 16, sizeof *logits);
    if (!logits) return ct_fail(j->e, CT_ELIMIT, "validation: out of memory");
    ct_status s = ct_loader_new(&j->o->allocator, &j->validation_source,
                                (ct_loader_options){.batch = batch, .evaluate = 1}, &l, j->e);
    if (!s) s = ct_next(l, &b, j->e);
    for (int k = 0; !s && k < 2; k++) {
        if (k == 1 && (last == 0 || last == b.rows)) break;
        if (k == 1) b.rows = last;
        s = ct_run(j->eval, j->eval_plan, (const void *[1]){b.field[0]}, b.rows, (void *[1]){logits});
        if (s) ct_fail(j->e, s, "%s", ct_session_error(j->eval));
    }
    ct_loader_free(l);
    ct_delete(&j->o->allocator, logits, ((uint64_t)(batch * j->classes) + 16) * sizeof *logits);
    return s;
}

/* At its most a job holds the best weights, those of a rollback, and a checkpoint's copy of both. */
static ct_status hold_copies(ct__image_job *j, ct_tensors *copy[COPIES]) {
    ct_status s = CT_OK;
    for (int k = 0; k < COPIES && !s; k++) {
        s = ct_tensors_new(&j->o->allocator, &copy[k], j->e);
        if (!s && k < 2) s = ct_weights_model(j->ctx, copy[k], j->e);
        if (!s && k >= 2 && j->recipe.nonfinite[0] == 'r')
            s = ct_weights_collect(j->ctx, CT_MODEL_KINDS | 1 << CT_MOMENT, copy[k], j->e);
    }
    return s;
}

/* Of the validation part, at the end. */
static ct_status hold_logits(ct__image_job *j) {
    int64_t every = ct__calibration_every(j->validation_count, j->classes);
    uint64_t n = (uint64_t)((j->validation_count + every - 1) / every * j->classes);
    float *logits = ct_new_array(&j->o->allocator, n, sizeof *logits);
    ct_status s = logits ? CT_OK : ct_fail(j->e, CT_ELIMIT, "calibration: out of memory");
    ct_delete(&j->o->allocator, logits, n * sizeof *logits);
    return s;
}

static ct_status act(ct__image_job *j) {
    ct_tensors *keep = NULL, *copy[COPIES] = {NULL, NULL, NULL, NULL};
    ct_loader *l = NULL;
    ct_doctor *doctor = NULL;
    ct_status s = ct__trial_begin(j, &keep);
    if (!s) s = hold_copies(j, copy);
    if (!s)
        s = ct_loader_new(
            &j->o->allocator, &j->train_source,
            (ct_loader_options){.batch = j->recipe.batch, .shuffle = 1, .threads = ct__readers(j)}, &l, j->e);
    if (!s) s = steps(j, l);
    if (!s) s = ct__doctor_rehearse(j, l, &doctor);
    if (!s) s = validation(j);
    ct_doctor_free(doctor);
    ct_loader_free(l);
    for (int k = 1; k < COPIES; k++) ct_tensors_free(copy[k]);
    if (!s) s = hold_logits(j);
    ct_tensors_free(copy[0]);
    return ct__trial_end(j, keep, s);
}

static ct_status rehearse(ct__image_job *j) {
    uint64_t all = j->meter.limit, spare = all / 32 + (1 << 20);
    __atomic_store_n(&j->meter.limit, all - spare, __ATOMIC_RELAXED);
    ct_status s = ct__image_open_net(j);
    if (!s) s = act(j);
    __atomic_store_n(&j->meter.limit, all, __ATOMIC_RELAXED);
    return s;
}

ct_status ct__memory_net(ct__image_job *j) {
    int64_t begun = j->recipe.batch;
    if (j->o->memory == 0) return ct__image_open_net(j);
    for (;;) {
        ct_status s = rehearse(j);
        if (s != CT_ELIMIT) {
            if (!s && j->recipe.batch != begun)
                ct__tell_note(j, "a batch of %lld does not hold in %lld MB: it is %lld", (long long)begun,
                              (long long)j->o->memory >> 20, (long long)j->recipe.batch);
            return s;
        }
        int fixed = j->resumed || j->o->batch > 0;
        if (fixed || j->recipe.batch == 1) {
            ct_error_clear(j->e);
            return ct_fail(j->e, CT_ELIMIT, "--memory: %lld MB; wanted more for a batch of %lld; give more%s",
                           (long long)j->o->memory >> 20, (long long)j->recipe.batch,
                           fixed ? ", or a smaller --batch" : ", or a smaller net");
        }
        ct_error_clear(j->e);
        ct__image_close_net(j);
        j->recipe.batch /= 2;
        s = ct__choose(j);
        if (s) return s;
    }
}
