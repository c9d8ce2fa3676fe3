/* loop.c: the steps of a training, in order: rates, checkpoints, the ends of epochs, and what stops it before its last. */
#include <math.h>
#include <string.h>

#include "task/image/job.h"

static double rate_now(const ct__image_job *j) {
    ct_schedule s = {.kind = ct_schedule_of(j->recipe.schedule),
                     .steps = j->recipe.steps,
                     .warmup = j->recipe.warmup,
                     .every = j->recipe.steps / 3 + 1};
    return j->recipe.lr * j->lr_factor * ct_schedule_at(&s, j->step, j->plateau);
}

static void tell_step(const ct__image_job *j, double loss, double begin, int64_t first_step) {
    double seconds = j->now - begin, steps = (double)(j->step - first_step);
    ct_event event = {.kind = CT_EVENT_STEP,
                      .epoch = (int32_t)j->epoch + 1,
                      .epochs = (int32_t)j->recipe.epochs,
                      .step = j->step,
                      .steps = j->recipe.steps,
                      .loss = loss,
                      .rate = steps * (double)j->recipe.batch / seconds,
                      .eta = seconds / steps * (double)(j->recipe.steps - j->step)};
    if (j->o->tell) j->o->tell(j->o->user, &event);
}

static ct_status one_step(ct__image_job *j, const ct_batch *b, double begin, int64_t first_step) {
    double loss = NAN;
    ct_batch mixed;
    double before = j->now;
    j->last_lr = rate_now(j);
    ct_status s = ct__image_mix(j, b, &mixed);
    if (!s) s = ct__doctor_begin(j, &mixed);
    if (!s) s = ct__finite_step(j, &mixed, j->last_lr, &loss);
    if (!s) s = ct__doctor_end(j, loss);
    if (s) return s;
    j->step++;
    j->position++;
    j->now = ct__job_now(j);
    j->step_seconds = j->now - before;
    if (isfinite(loss)) {
        j->last_norm = ct_trainer_norm(j->trainer);
        j->loss_sum += loss * (double)b->rows;
        j->loss_count += b->rows;
    }
    ct__image_events_step(j, loss);
    tell_step(j, loss, begin, first_step);
    return CT_OK;
}

static ct_status stopped(ct__image_job *j) {
    char step[32], steps[32];
    ct_status s = ct__image_save(j);
    return s ? s
             : ct_fail(j->e, CT_ECANCEL, "stopped at step %s of %s; saved in %s; go on with --resume",
                       ct_group_digits(j->step, step), ct_group_digits(j->recipe.steps, steps),
                       j->run.folder);
}

static ct_status save(ct__image_job *j) {
    double begin = j->now;
    ct_status s = ct__image_save(j);
    j->now = ct__job_now(j);
    j->save_seconds = j->now - begin;
    return s;
}

static ct_status end_epoch(ct__image_job *j, double begin, int *stop) {
    ct_status s = ct__image_end_epoch(j, begin, stop);
    if (!s) s = ct__finite_keep(j);
    return s ? s : save(j);
}

/* A run may have been stopped between the last step of an epoch and its end. */
static ct_status end_stopped_epoch(ct__image_job *j, int *stop) {
    return j->position == ct__batches(j) ? end_epoch(j, j->now, stop) : CT_OK;
}

/* The last step: of the schedule, or where a time limit once cut it. */
static int64_t last_step(const ct__image_job *j) {
    return j->recipe.stop_at > 0 ? j->recipe.stop_at : j->recipe.steps;
}

static int is_cut(ct__image_job *j) {
    char step[32], steps[32];
    if (j->step >= last_step(j) || !ct__time_is_over(j)) return 0;
    j->recipe.stop_at = j->step;
    j->limited = 1;
    ct__tell_note(j, "the time limit is reached: stopped after step %s of %s", ct_group_digits(j->step, step),
                  ct_group_digits(j->recipe.steps, steps));
    return 1;
}

ct_status ct__image_loop(ct__image_job *j) {
    ct_loader *l = NULL;
    int stop = ct__image_patience_over(j); /* what was resumed may have been about to write its model */
    j->now = ct__job_now(j);
    ct_status s = end_stopped_epoch(j, &stop);
    ct_loader_options lo = {.batch = j->recipe.batch,
                            .seed = j->recipe.seed,
                            .shuffle = 1,
                            .threads = ct__readers(j),
                            .epoch = j->epoch,
                            .position = j->position};
    if (!s) s = ct_loader_new(&j->o->allocator, &j->train_source, lo, &l, j->e);
    int64_t first_step = j->step;
    double begin = j->now = ct__job_now(j), epoch_begin = begin;
    while (!s && !stop && j->step < last_step(j)) {
        ct_batch b;
        s = ct_next(l, &b, j->e);
        if (!s && b.rows) s = one_step(j, &b, begin, first_step);
        if (s) break;
        if (j->o->stop && *j->o->stop) {
            s = stopped(j);
        } else if (j->step == j->recipe.stop_at || is_cut(j)) {
            break;
        } else if (j->position == ct__batches(j)) {
            s = end_epoch(j, epoch_begin, &stop);
            epoch_begin = j->now;
            if (!s && !stop && is_cut(j)) break;
        } else if (j->step % j->checkpoint_every == 0) {
            s = save(j);
        }
    }
    if (!s && j->position > 0)
        s = ct__image_end_epoch(j, epoch_begin, &stop); /* the last, which a limit may have cut short */
    ct_loader_free(l);
    return s;
}
