/* time.c: the time limit. Nine tenths of it become a number of steps before the first one, by the pace of a few steps
 * and of a validation, after which the state is restored. While training, what is left to do after the last step is
 * kept free: where the machine slows, the run ends after a whole step with the model written in time. */
#include <math.h>

#include "task/image/job.h"

#define TRIAL_STEPS 12
#define TRIAL_WARM 2 /* not counted: plans are made, caches filled */

/* The report's own work: occlusion of 6 pictures at 8 x 8 places, times of ops. */
#define REPORT_PICTURES 390
#define REPORT_STEPS 6
#define FEW_EPOCHS 5

/* Picture files are decoded by two threads, arrays copied by one. Results do not depend on it. */
int32_t ct__readers(const ct__image_job *j) { return j->set ? 2 : 1; }

ct_status ct__trial_begin(ct__image_job *j, ct_tensors **keep) {
    ct_status s = ct_tensors_new(&j->o->allocator, keep, j->e);
    return s ? s : ct_weights_collect(j->ctx, CT_MODEL_KINDS | 1 << CT_MOMENT, *keep, j->e);
}

ct_status ct__trial_end(ct__image_job *j, ct_tensors *keep, ct_status s) {
    if (!s) s = ct_weights_apply(j->ctx, keep, "weights", CT_MODEL_KINDS | 1 << CT_MOMENT, 0, j->e);
    ct_session_step(ct_trainer_session(j->trainer), 0);
    ct_tensors_free(keep);
    return s;
}

/* A step that is not finite takes as long as another; the training itself will say so. */
static ct_status trial_step(const ct__image_job *j, const ct_batch *b) {
    ct_err inner = {0};
    ct_status s = ct_trainer_step(j->trainer, b, 1e-12, NULL, NULL, &inner);
    return s && s != CT_ENONFINITE ? ct_fail(j->e, s, "%s", inner.text) : CT_OK;
}

static ct_status time_steps(ct__image_job *j) {
    ct_loader *l = NULL;
    ct_batch b, mixed;
    ct_status s = ct_loader_new(
        &j->o->allocator, &j->train_source,
        (ct_loader_options){.batch = j->recipe.batch, .shuffle = 1, .threads = ct__readers(j)}, &l, j->e);
    double begin = 0;
    for (int n = 0; !s && n < TRIAL_STEPS; n++) {
        if (n == TRIAL_WARM) begin = j->now;
        s = ct_next(l, &b, j->e);
        if (!s && b.rows == 0) s = ct_next(l, &b, j->e); /* between epochs */
        if (!s) s = ct__image_mix(j, &b, &mixed);
        if (!s) s = trial_step(j, &mixed);
        ct__tell_busy(j, "timing", "steps", n + 1, TRIAL_STEPS);
        j->now = ct__job_now(j);
    }
    j->step_seconds = (j->now - begin) / (TRIAL_STEPS - TRIAL_WARM);
    ct_loader_free(l);
    return s;
}

static ct_status measure(ct__image_job *j) {
    ct_tensors *keep = NULL;
    ct_score score;
    double begin = ct__job_now(j);
    ct_status s = ct__trial_begin(j, &keep);
    j->save_seconds = 2 * (ct__job_now(j) - begin); /* what a checkpoint copies, and as much for writing it */
    if (!s) s = time_steps(j);
    begin = ct__job_now(j);
    if (!s) s = ct__image_validate(j, &score);
    if (!s) s = ct__image_look_back(j, &score);
    j->validate_seconds = ct__job_now(j) - begin;
    return ct__trial_end(j, keep, s);
}

int ct__time_decides(const ct__image_job *j) { return j->o->time_limit > 0 && !j->o->steps && !j->resumed; }

/* What comes after the last step: the epoch's scores, three passes over the validation part for the model and its
 * lines, the report, a checkpoint and the model. */
static double end_seconds(const ct__image_job *j) {
    double passes = 4 + REPORT_PICTURES / (double)j->validation_count;
    return passes * j->validate_seconds + REPORT_STEPS * j->step_seconds + 2 * j->save_seconds;
}

static ct_status decide(ct__image_job *j) {
    ct__recipe *r = &j->recipe;
    char count[32];
    int64_t batches = ct__batches(j);
    double spent = ct__job_now(j) - j->begin, left = 0.9 * r->time_limit - spent - end_seconds(j),
           each = j->step_seconds + (j->validate_seconds + j->save_seconds) / (double)batches +
                  j->save_seconds / (double)j->checkpoint_every;
    if (left <= 0)
        return ct_fail(
            j->e, CT_EUSAGE,
            "--time-limit: %g s; wanted more than %.3g, what opening the data, validations and the report "
            "take; give more",
            r->time_limit, (spent + end_seconds(j)) / 0.9);
    double most = each > 0 ? left / each : 1e15;
    int64_t all = j->o->epochs ? r->epochs * batches : 1000000 * batches;
    r->steps = most < 1 ? 1 : most < (double)all ? (int64_t)most : all;
    r->epochs = (r->steps + batches - 1) / batches;
    ct__tell_fact(j, "time limit", "%g s: %s steps at %.3g ms, a validation %.2g s", r->time_limit,
                  ct_group_digits(r->steps, count), j->step_seconds * 1e3, j->validate_seconds);
    if (r->epochs < FEW_EPOCHS && !j->o->epochs)
        ct__tell_note(j, "%lld epoch%s: few for any net; more time, or a smaller net, would help",
                      (long long)r->epochs, r->epochs == 1 ? " is" : "s are");
    return ct__choose_by_steps(j);
}

/* The net is opened anew, for its plan has the average in it, and an average that is not kept leaves no trace. */
ct_status ct__time_plan(ct__image_job *j) {
    if (j->recipe.time_limit <= 0) return CT_OK;
    ct_status s = measure(j);
    if (s || !ct__time_decides(j)) return s;
    s = decide(j);
    if (s || j->o->average != 0) return s;
    ct__image_close_net(j);
    return ct__image_open_net(j);
}

int ct__time_is_over(const ct__image_job *j) {
    double limit = j->recipe.time_limit;
    return limit > 0 && j->now - j->begin + end_seconds(j) + 2 * j->step_seconds > limit;
}
