/* image_state.c: checkpoints and their way back. A checkpoint holds all variables, the weights of the best
 * epoch under "best.", and as its document where the training stands; doubles as text of all their bits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/image_job.h"

static json_t *exact(double v) {
    char text[64];
    snprintf(text, sizeof text, "%a", v);
    return json_string(text);
}

static double exact_value(const json_t *doc, const char *key) {
    const char *s = json_string_value(json_object_get(doc, key));
    return s ? strtod(s, NULL) : NAN;
}

static const struct {
    const char *name;
    size_t offset;
} whole[] = {{"step", offsetof(ct__image_job, step)},
             {"epoch", offsetof(ct__image_job, epoch)},
             {"position", offsetof(ct__image_job, position)},
             {"loss_count", offsetof(ct__image_job, loss_count)},
             {"best_epoch", offsetof(ct__image_job, best_epoch)},
             {"bad_epochs", offsetof(ct__image_job, bad_epochs)},
             {"rows", offsetof(ct__image_job, rows)}};
static const struct {
    const char *name;
    size_t offset;
} reals[] = {{"loss_sum", offsetof(ct__image_job, loss_sum)},
             {"plateau", offsetof(ct__image_job, plateau)},
             {"best_loss", offsetof(ct__image_job, best_loss)},
             {"lr", offsetof(ct__image_job, last_lr)},
             {"norm", offsetof(ct__image_job, last_norm)}};

static int64_t *whole_at(ct__image_job *j, size_t offset) { return (int64_t *)(void *)((char *)j + offset); }
static double *real_at(ct__image_job *j, size_t offset) { return (double *)(void *)((char *)j + offset); }

static char *document(ct__image_job *j) {
    json_t *doc = json_object();
    json_object_set_new(doc, "task", json_string("checkpoint"));
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        json_object_set_new(doc, whole[i].name, json_integer(*whole_at(j, whole[i].offset)));
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        json_object_set_new(doc, reals[i].name, exact(*real_at(j, reals[i].offset)));
    json_object_set_new(doc, "data", json_string(j->train_hash));
    json_object_set_new(doc, "validation", json_string(j->validation_hash));
    json_object_set_new(doc, "recipe", ct__recipe_json(j));
    json_object_set_new(doc, "instructions", json_string(ct_cpu_features()));
    json_object_set_new(doc, "kernels", json_string(ct_kernel_library()));
    char *text = json_dumps(doc, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(doc);
    return text;
}

static ct_status add_best(const ct__image_job *j, ct_tensors *t) {
    for (int64_t i = 0; j->best && i < ct_tensors_count(j->best); i++) {
        char name[1100];
        ct_array a;
        snprintf(name, sizeof name, "best.%s", ct_tensors_name(j->best, i));
        ct_status s = ct_tensors_at(j->best, i, &a);
        if (!s) s = ct_tensors_add(t, name, &a, j->e);
        if (s) return s;
    }
    return CT_OK;
}

ct_status ct__image_save(ct__image_job *j) {
    ct_tensors *t = NULL;
    ct_status s = ct_tensors_new(&j->o->allocator, &t, j->e);
    if (!s) s = ct_weights_collect(j->ctx, CT_MODEL_KINDS | 1 << CT_MOMENT, t, j->e);
    if (!s) s = add_best(j, t);
    char *doc = s ? NULL : document(j);
    if (!s && !doc) s = ct_fail(j->e, CT_ELIMIT, "checkpoint: out of memory");
    if (!s) s = ct_tensors_seal(t, doc, j->e);
    if (!s) s = ct__run_save(&j->run, t, j->e);
    free(doc);
    ct_tensors_free(t);
    return s;
}

static ct_status check_same(ct__image_job *j, const json_t *doc) {
    const char *data = json_string_value(json_object_get(doc, "data")),
               *validation = json_string_value(json_object_get(doc, "validation"));
    json_t *now = ct__recipe_json(j);
    ct_status s = CT_OK;
    if (!data || strcmp(data, j->train_hash) != 0)
        s = ct_fail(j->e, CT_EUSAGE,
                    "--resume: the data's hash is %s; the run was begun with %s; give the same data, or "
                    "begin anew with --force",
                    j->train_hash, data ? data : "none");
    else if (!validation || strcmp(validation, j->validation_hash) != 0)
        s = ct_fail(j->e, CT_EUSAGE, "--resume: the validation data's hash is %s; the run was begun with %s",
                    j->validation_hash, validation ? validation : "none");
    else if (!json_equal(now, json_object_get(doc, "recipe")))
        s = ct_fail(j->e, CT_EUSAGE,
                    "--resume: checkpoint and config.json hold different recipes; begin anew with --force");
    json_decref(now);
    return s;
}

static ct_status read_state(ct__image_job *j, const json_t *doc) {
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        const json_t *v = json_object_get(doc, whole[i].name);
        if (!json_is_integer(v) || json_integer_value(v) < -1)
            return ct_fail(j->e, CT_EDATA,
                           "%s: checkpoint: %s is missing or out of range; begin anew with --force",
                           j->run.folder, whole[i].name);
        *whole_at(j, whole[i].offset) = json_integer_value(v);
    }
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        *real_at(j, reals[i].offset) = exact_value(doc, reals[i].name);
    if (j->step > j->recipe.steps || j->epoch > j->recipe.epochs)
        return ct_fail(j->e, CT_EDATA, "%s: checkpoint: step %lld of %lld; begin anew with --force",
                       j->run.folder, (long long)j->step, (long long)j->recipe.steps);
    return CT_OK;
}

/* The tensors "best.X" become the kept weights. */
static ct_status take_best(ct__image_job *j, const ct_tensors *t) {
    ct_tensors_free(j->best);
    j->best = NULL;
    ct_status s = CT_OK;
    for (int64_t i = 0; i < ct_tensors_count(t) && !s; i++) {
        ct_array a;
        const char *name = ct_tensors_name(t, i);
        if (strncmp(name, "best.", 5) != 0) continue;
        if (!j->best) s = ct_tensors_new(&j->o->allocator, &j->best, j->e);
        if (!s) s = ct_tensors_at(t, i, &a);
        if (!s) s = ct_tensors_add(j->best, name + 5, &a, j->e);
    }
    return s;
}

ct_status ct__image_restore(ct__image_job *j) {
    ct_tensors *t;
    const char *text;
    char note[600];
    json_error_t je;
    ct_status s = ct__run_load(&j->run, &t, &text, note, j->e);
    if (s) return s;
    if (note[0]) ct__tell_note(j, "%s", note);
    if (!t) {
        ct__tell_note(j, "nothing was saved yet: the training starts from the beginning");
        return ct__run_truncate(&j->run, "metrics.jsonl", 0, j->e);
    }
    json_t *doc = json_loads(text, 0, &je);
    s = doc ? check_same(j, doc) : ct_fail(j->e, CT_EDATA, "%s: checkpoint: %s", j->run.folder, je.text);
    if (!s) s = read_state(j, doc);
    if (!s) s = ct_weights_apply(j->ctx, t, j->run.folder, CT_MODEL_KINDS | 1 << CT_MOMENT, 1, j->e);
    if (!s) s = take_best(j, t);
    if (!s) s = ct__run_truncate(&j->run, "metrics.jsonl", j->rows, j->e);
    if (!s) {
        const char *isa = json_string_value(json_object_get(doc, "instructions")),
                   *kernels = json_string_value(json_object_get(doc, "kernels"));
        ct_session_step(ct_trainer_session(j->trainer), (uint64_t)j->step);
        if (isa && kernels &&
            (strcmp(isa, ct_cpu_features()) != 0 || strcmp(kernels, ct_kernel_library()) != 0))
            ct__tell_note(j, "begun with %s, %s; goes on with %s, %s: last digits may differ", isa, kernels,
                          ct_cpu_features(), ct_kernel_library());
        char at[32], steps[32];
        ct__tell_note(j, "resumed at step %s of %s, epoch %lld", ct__grouped(j->step, at),
                      ct__grouped(j->recipe.steps, steps), (long long)j->epoch + 1);
    }
    json_decref(doc);
    ct_tensors_free(t);
    return s;
}
