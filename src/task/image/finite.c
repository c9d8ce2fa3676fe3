/* finite.c: what becomes of a step whose loss or gradient is not finite. The step itself changed nothing.
 *
 *     stop      the training ends with CT_ENONFINITE; what was saved before stays
 *     skip      the step is left out; ten in a row end the training
 *     rollback  weights and moments are again those of the last epoch's end (in the first epoch those it began with),
 *               the learning rate is halved from here on, and the training goes on with the next step; ten of these
 *               end it
 *
 * The choice is part of the recipe, and what it has come to part of the checkpoint, so a resumed training goes the same
 * way. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "task/image/job.h"

#define MOST 10

static int is(const ct__image_job *j, const char *choice) { return strcmp(j->recipe.nonfinite, choice) == 0; }

ct_status ct__finite_keep(ct__image_job *j) {
    ct_tensors *now = NULL;
    if (!is(j, "rollback")) return CT_OK;
    ct_status s = ct_tensors_new(&j->o->allocator, &now, j->e);
    if (!s) s = ct_weights_collect(j->ctx, CT_MODEL_KINDS | 1 << CT_MOMENT, now, j->e);
    if (s) {
        ct_tensors_free(now);
        return s;
    }
    ct_tensors_free(j->back);
    j->back = now;
    return CT_OK;
}

static ct_status skip(ct__image_job *j, const char *what) {
    char step[32];
    if (++j->skips_in_row > MOST)
        return ct_fail(j->e, CT_ENONFINITE, "%s (after %d steps that were skipped)", what, MOST);
    ct__tell_note(j, "step %s is skipped: %s", ct_group_digits(j->step + 1, step), what);
    return CT_OK;
}

static ct_status roll_back(ct__image_job *j, const char *what) {
    char step[32], to[60] = "the weights it began with";
    if (++j->rollbacks > MOST)
        return ct_fail(j->e, CT_ENONFINITE, "%s (after going back %d times)", what, MOST);
    j->lr_factor /= 2;
    if (j->epoch) snprintf(to, sizeof to, "the end of epoch %lld", (long long)j->epoch);
    ct__tell_note(j, "step %s goes back to %s, at 1/%.0f of the learning rate: %s",
                  ct_group_digits(j->step + 1, step), to, 1 / j->lr_factor, what);
    return ct_weights_apply(j->ctx, j->back, "rollback", CT_MODEL_KINDS | 1 << CT_MOMENT, 0, j->e);
}

/* The text with the picture that the number came from: its path, or of arrays its record. */
static void name_sample(const ct__image_job *j, const ct_batch *b, ct_err *e) {
    int64_t row = ct_session_error_row(ct_trainer_session(j->trainer));
    if (row < 0 || row >= b->rows) return;
    size_t n = strlen(e->text);
    ct_image r = {.number = j->train_index[b->record[row]]};
    if (j->set) (void)ct_images_at(j->set, r.number, &r);
    if (r.path)
        snprintf(e->text + n, sizeof e->text - n, " (that sample is %s)", r.path);
    else
        snprintf(e->text + n, sizeof e->text - n, " (that sample is record %lld)", (long long)r.number);
}

ct_status ct__finite_step(ct__image_job *j, const ct_batch *b, double lr, double *loss) {
    ct_err inner = {0};
    ct_status s = ct_trainer_step(j->trainer, b, lr, loss, NULL, &inner);
    if (!s) {
        j->skips_in_row = 0;
        return CT_OK;
    }
    if (s == CT_ENONFINITE) name_sample(j, b, &inner);
    if (s == CT_ENONFINITE) ct__doctor_nonfinite(j, inner.text);
    if (s != CT_ENONFINITE || is(j, "stop")) return ct_fail(j->e, s, "%s", inner.text);
    *loss = NAN;
    s = is(j, "skip") ? skip(j, inner.text) : roll_back(j, inner.text);
    ct_session_step(ct_trainer_session(j->trainer),
                    (uint64_t)j->step + 1); /* the step counts, though nothing came of it */
    return s;
}
