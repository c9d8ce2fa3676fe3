/* doctor.c: the doctor in a training of pictures: what it finds is told at once, stands in the row of its epoch and
 * in the result; what it knows stands in checkpoints. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "task/image/job.h"

#define TENSOR "doctor.memory" /* in checkpoints */

ct_status ct__doctor_open(ct__image_job *j) {
    if (j->o->doctor < 0) return CT_OK;
    ct_doctor_options o = {
        .steps = j->recipe.steps, .batch = j->recipe.batch, .label = 2, .weighted = j->recipe.class_weights};
    return ct_doctor_new(j->loss, j->logits, &j->like, &o, &j->doctor, j->e);
}

ct_status ct__doctor_rehearse(ct__image_job *j, ct_loader *l, ct_doctor **out) {
    ct_doctor_options o = {.steps = 1, .batch = j->recipe.batch, .every = 1, .label = 2};
    ct_batch b, mixed;
    if (j->o->doctor < 0) return CT_OK;
    ct_status s = ct_doctor_new(j->loss, j->logits, &j->like, &o, out, j->e);
    if (!s) s = ct_next(l, &b, j->e);
    if (!s && b.rows == 0) s = ct_next(l, &b, j->e); /* between epochs */
    if (!s) s = ct__image_mix(j, &b, &mixed);
    return s ? s : ct_doctor_before(*out, 0, &mixed, j->e);
}

static void tell_new(ct__image_job *j) {
    for (; j->told < ct_doctor_findings(j->doctor); j->told++) {
        char text[500];
        const ct_finding *f = ct_doctor_finding(j->doctor, j->told);
        snprintf(text, sizeof text, "%s; try %s", f->text, f->advice);
        ct_event event = {
            .kind = CT_EVENT_FINDING, .key = ct_fault_name(f->fault), .text = text, .finding = f};
        if (j->o->tell) j->o->tell(j->o->user, &event);
    }
}

ct_status ct__doctor_begin(ct__image_job *j, const ct_batch *b) {
    return j->doctor ? ct_doctor_before(j->doctor, j->step, b, j->e) : CT_OK;
}

ct_status ct__doctor_end(ct__image_job *j, double loss) {
    if (!j->doctor) return CT_OK;
    ct_status s = ct_doctor_after(j->doctor, j->step, loss, j->last_lr, j->e);
    tell_new(j);
    return s;
}

void ct__doctor_nonfinite(ct__image_job *j, const char *what) {
    if (!j->doctor) return;
    ct_doctor_nonfinite(j->doctor, j->step, what);
    tell_new(j);
}

/* ---- the row of an epoch ---- */

json_t *ct__finding_json(const ct_finding *f) {
    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:s}", "fault", ct_fault_name(f->fault), "step",
                     (json_int_t)f->step, "layer", f->layer, "value", ct__json_number(f->value), "limit",
                     ct__json_number(f->limit), "text", ct__json_path(f->text), "advice", f->advice);
}

static json_t *layers_json(const ct_doctor *d) {
    json_t *list = json_array();
    for (int32_t i = 0; i < ct_doctor_layers(d); i++) {
        ct_layer_health h = ct_doctor_layer(d, i);
        json_t *v = json_pack("{s:s, s:s, s:I}", "layer", h.layer, "op", h.op, "units", (json_int_t)h.units);
        if (strcmp(h.op, "relu") == 0) {
            json_object_set_new(v, "active", ct__json_number(h.active));
            json_object_set_new(v, "dead", isfinite(h.dead) ? json_integer((json_int_t)h.dead) : json_null());
        } else {
            json_object_set_new(v, "saturated", ct__json_number(h.saturated));
        }
        json_array_append_new(list, v);
    }
    return list;
}

static json_t *weights_json(const ct_doctor *d) {
    json_t *list = json_array();
    for (int32_t i = 0; i < ct_doctor_weights(d); i++) {
        ct_weight_health h = ct_doctor_weight(d, i);
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:o}", "name", h.name, "gradient", ct__json_number(h.gradient),
                            "weight", ct__json_number(h.weight), "update", ct__json_number(h.update)));
    }
    return list;
}

void ct__doctor_row(const ct__image_job *j, json_t *row) {
    if (!j->doctor || !row) return;
    json_t *findings = json_array();
    for (int32_t i = 0; i < ct_doctor_findings(j->doctor); i++)
        json_array_append_new(findings, ct__finding_json(ct_doctor_finding(j->doctor, i)));
    json_object_set_new(row, "findings", findings);
    if (!ct_doctor_measured(j->doctor)) return;
    json_object_set_new(row, "measurements", json_integer(ct_doctor_measured(j->doctor)));
    json_object_set_new(row, "layers", layers_json(j->doctor));
    json_object_set_new(row, "weights", weights_json(j->doctor));
}

/* ---- checkpoints, the result ---- */

ct_status ct__doctor_save(const ct__image_job *j, ct_tensors *t) {
    ct_array a;
    if (!j->doctor) return CT_OK;
    ct_status s = ct_doctor_save(j->doctor, &a, j->e);
    if (s) return s;
    s = ct_tensors_add(t, TENSOR, &a, j->e);
    ct_array_free(&a);
    return s;
}

ct_status ct__doctor_restore(ct__image_job *j, const ct_tensors *t) {
    ct_array a;
    int64_t i = ct_tensors_find(t, TENSOR);
    if (!j->doctor || i < 0) return CT_OK; /* a run begun without */
    ct_status s = ct_tensors_at(t, i, &a);
    if (!s) s = ct_doctor_load(j->doctor, &a, j->e);
    if (!s) j->told = ct_doctor_findings(j->doctor);
    return s;
}

void ct__doctor_result(const ct__image_job *j, ct_train_result *r) {
    if (!j->doctor) return;
    r->findings = ct_doctor_findings(j->doctor);
    for (int32_t i = 0; i < r->findings; i++) r->finding[i] = *ct_doctor_finding(j->doctor, i);
    r->measurements = ct_doctor_measured(j->doctor);
    r->doctor_seconds = ct_doctor_seconds(j->doctor);
}
