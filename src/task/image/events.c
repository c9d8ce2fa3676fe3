/* events.c: what of a training of pictures goes to TensorBoard: the losses of steps (at most 10,000 of them), and
 * of every epoch what its row in metrics.jsonl has. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "task/image/job.h"

#define MOST_STEPS 10000

ct_status ct__image_events_open(ct__image_job *j) {
    if (!j->o->tensorboard) return CT_OK;
    const char *slash = strrchr(j->run.folder, '/');
    ct_status s = ct__events_open(&j->events, &j->o->files, &j->o->allocator, j->o->tensorboard,
                                  slash ? slash + 1 : j->run.folder, j->step, j->e);
    j->events.every = (j->recipe.steps + MOST_STEPS - 1) / MOST_STEPS;
    return s;
}

void ct__image_events_step(ct__image_job *j, double loss) {
    if (!j->o->tensorboard || j->step % j->events.every) return;
    ct__events_add(&j->events, j->step, "loss/step", loss);
    ct__events_add(&j->events, j->step, "learning_rate", j->last_lr);
    ct__events_add(&j->events, j->step, "gradient_norm", j->last_norm);
}

static void add_health(ct__image_job *j, const char *what, const char *name, double value) {
    char tag[400];
    if (!isfinite(value)) return;
    snprintf(tag, sizeof tag, "%s/%.300s", what, name);
    ct__events_add(&j->events, j->step, tag, value);
}

ct_status ct__image_events_epoch(ct__image_job *j, const ct_epoch *row) {
    if (!j->o->tensorboard) return CT_OK;
    ct__events_add(&j->events, j->step, "loss/epoch", row->loss);
    ct__events_add(&j->events, j->step, "loss/train", row->train);
    ct__events_add(&j->events, j->step, "loss/validation", row->validation);
    ct__events_add(&j->events, j->step, "accuracy/train", row->train_accuracy);
    ct__events_add(&j->events, j->step, "accuracy/validation", row->accuracy);
    for (int32_t i = 0; j->doctor && i < ct_doctor_layers(j->doctor); i++) {
        ct_layer_health h = ct_doctor_layer(j->doctor, i);
        add_health(j, "active", h.layer, h.active);
        add_health(j, "dead", h.layer, h.dead / (double)h.units);
        add_health(j, "saturated", h.layer, h.saturated);
    }
    for (int32_t i = 0; j->doctor && i < ct_doctor_weights(j->doctor); i++) {
        ct_weight_health h = ct_doctor_weight(j->doctor, i);
        add_health(j, "gradient", h.name, h.gradient);
        add_health(j, "update", h.name, h.update);
    }
    return ct__events_flush(&j->events, j->e);
}
