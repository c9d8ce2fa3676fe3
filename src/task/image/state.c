/* state.c: checkpoints and their way back. A checkpoint holds all variables, the weights of the best
 * epoch under "best.", and as its document where the training stands. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/image/job.h"

/* Shortest text that reads back to the same bits, whatever the locale of the program. */
static json_t *exact(double v) {
    ct_text t = {0};
    ct_text_number(&t, v);
    json_t *text = t.failed ? NULL : json_string(t.data);
    ct_text_free(&t);
    return text;
}

static int exact_value(const json_t *v, double *out) {
    const char *s = json_string_value(v);
    if (!s) return 0;
    if (strcmp(s, "nan") == 0) return *out = NAN, 1;
    if (strcmp(s, "inf") == 0) return *out = INFINITY, 1;
    if (strcmp(s, "-inf") == 0) return *out = -INFINITY, 1;
    return ct_parse_number(s, out);
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
             {"rows", offsetof(ct__image_job, rows)},
             {"skips_in_row", offsetof(ct__image_job, skips_in_row)},
             {"rollbacks", offsetof(ct__image_job, rollbacks)}};
static const struct {
    const char *name;
    size_t offset;
} reals[] = {{"loss_sum", offsetof(ct__image_job, loss_sum)},
             {"plateau", offsetof(ct__image_job, plateau)},
             {"least_loss", offsetof(ct__image_job, least_loss)},
             {"least_error", offsetof(ct__image_job, least_error)},
             {"lr_factor", offsetof(ct__image_job, lr_factor)},
             {"lr", offsetof(ct__image_job, last_lr)},
             {"norm", offsetof(ct__image_job, last_norm)}};

static int64_t *whole_at(ct__image_job *j, size_t offset) { return (int64_t *)(void *)((char *)j + offset); }
static double *real_at(ct__image_job *j, size_t offset) { return (double *)(void *)((char *)j + offset); }

static char *document(ct__image_job *j) {
    json_t *doc = json_object();
    int failed = 0;
    failed |= json_object_set_new(doc, "task", json_string("checkpoint"));
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        failed |= json_object_set_new(doc, whole[i].name, json_integer(*whole_at(j, whole[i].offset)));
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        failed |= json_object_set_new(doc, reals[i].name, exact(*real_at(j, reals[i].offset)));
    failed |= json_object_set_new(doc, "data", json_string(j->train_hash));
    failed |= json_object_set_new(doc, "validation", json_string(j->validation_hash));
    failed |= json_object_set_new(doc, "recipe", ct__recipe_json(j));
    failed |= json_object_set_new(doc, "instructions", json_string(ct_cpu_features()));
    failed |= json_object_set_new(doc, "kernels", json_string(ct_kernel_library()));
    char *text = failed ? NULL : json_dumps(doc, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(doc);
    return text;
}

/* The tensors of a set under "PREFIX.NAME". */
static ct_status add_set(const ct__image_job *j, const char *prefix, const ct_tensors *set, ct_tensors *t) {
    for (int64_t i = 0; set && i < ct_tensors_count(set); i++) {
        char name[1100];
        ct_array a;
        snprintf(name, sizeof name, "%s.%s", prefix, ct_tensors_name(set, i));
        ct_status s = ct_tensors_at(set, i, &a);
        if (!s) s = ct_tensors_add(t, name, &a, j->e);
        if (s) return s;
    }
    return CT_OK;
}

ct_status ct__image_save(ct__image_job *j) {
    ct_tensors *t = NULL;
    ct_status s = ct_tensors_new(&j->o->allocator, &t, j->e);
    if (!s) s = ct_weights_collect(j->ctx, CT_MODEL_KINDS | 1 << CT_MOMENT, t, j->e);
    if (!s) s = add_set(j, "best", j->best, t);
    if (!s) s = add_set(j, "back", j->back, t);
    if (!s) s = ct__doctor_save(j, t);
    char *doc = s ? NULL : document(j);
    if (!s && !doc) s = ct_fail(j->e, CT_ELIMIT, "checkpoint: out of memory");
    if (!s) s = ct_tensors_seal(t, doc, j->e);
    if (!s) s = ct__run_save(&j->run, t, j->e);
    free(doc);
    ct_tensors_free(t);
    return s;
}

static ct_status out_of_range(const ct__image_job *j, const char *what) {
    return ct_fail(
        j->e, CT_EDATA,
        "%s/checkpoint.safetensors: its %s is missing or out of range; wanted what this program saves; "
        "begin anew with --force",
        j->run.folder, what);
}

static ct_status differs(const ct__image_job *j, const char *what, const char *now, const char *then) {
    return ct_fail(
        j->e, CT_EUSAGE,
        "--resume: %s is %.200s; wanted %.200s, as the run was begun; give the same, or begin anew with "
        "--force",
        what, now, then);
}

/* The first member of the recipe that is another one, both values. */
static ct_status recipe_differs(const ct__image_job *j, json_t *now, json_t *then) {
    const char *key;
    json_t *v;
    ct_status s = CT_OK;
    if (!json_is_object(then)) return out_of_range(j, "recipe");
    json_object_foreach(now, key, v) {
        json_t *other = json_object_get(then, key);
        char *a = json_dumps(v, JSON_ENCODE_ANY), *b = other ? json_dumps(other, JSON_ENCODE_ANY) : NULL;
        if (!json_equal(v, other)) s = differs(j, key, a ? a : "?", b ? b : "none");
        free(a);
        free(b);
        if (s) return s;
    }
    return out_of_range(j, "recipe");
}

static ct_status check_same(ct__image_job *j, const json_t *doc) {
    const char *data = json_string_value(json_object_get(doc, "data")),
               *validation = json_string_value(json_object_get(doc, "validation"));
    json_t *now = ct__recipe_json(j), *then = json_object_get(doc, "recipe");
    ct_status s = CT_OK;
    json_object_del(now, "stop_at"); /* a time limit sets it when all is saved; config.json has it */
    json_object_del(then, "stop_at");
    if (!data || strcmp(data, j->train_hash) != 0)
        s = differs(j, "the hash of the data", j->train_hash, data ? data : "none");
    else if (!validation || strcmp(validation, j->validation_hash) != 0)
        s = differs(j, "the hash of the validation data", j->validation_hash,
                    validation ? validation : "none");
    else if (!json_equal(now, then))
        s = recipe_differs(j, now, then);
    json_decref(now);
    return s;
}

/* Every number of the state follows from the step, or is bounded by it. */
static const char *first_wrong(const ct__image_job *j) {
    int64_t batches = (j->train_count + j->recipe.batch - 1) / j->recipe.batch;
    if (j->step < 0 || j->step > j->recipe.steps) return "step";
    if (j->epoch < 0 || j->epoch > j->recipe.epochs) return "epoch";
    if (j->position < 0 || j->position > batches || j->step != j->epoch * batches + j->position)
        return "position";
    if (j->loss_count < 0 || j->loss_count > j->train_count) return "loss_count";
    if (j->best_epoch < -1 || j->best_epoch > j->epoch) return "best_epoch";
    if (j->bad_epochs < 0 || j->bad_epochs > j->epoch) return "bad_epochs";
    if (j->rows != j->epoch) return "rows";
    if (j->skips_in_row < 0 || j->skips_in_row > j->step) return "skips_in_row";
    if (j->rollbacks < 0 || j->rollbacks > j->step || !(j->lr_factor > 0 && j->lr_factor <= 1))
        return "rollbacks";
    return NULL;
}

static ct_status read_state(ct__image_job *j, const json_t *doc) {
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        const json_t *v = json_object_get(doc, whole[i].name);
        if (!json_is_integer(v)) return out_of_range(j, whole[i].name);
        *whole_at(j, whole[i].offset) = json_integer_value(v);
    }
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (!exact_value(json_object_get(doc, reals[i].name), real_at(j, reals[i].offset)))
            return out_of_range(j, reals[i].name);
    const char *wrong = first_wrong(j);
    return wrong ? out_of_range(j, wrong) : CT_OK;
}

/* The tensors "PREFIX.NAME" become a set again; NULL when there are none. */
static ct_status take_set(const ct__image_job *j, const char *prefix, const ct_tensors *t, ct_tensors **set) {
    size_t n = strlen(prefix);
    ct_status s = CT_OK;
    ct_tensors_free(*set);
    *set = NULL;
    for (int64_t i = 0; i < ct_tensors_count(t) && !s; i++) {
        ct_array a;
        const char *name = ct_tensors_name(t, i);
        if (strncmp(name, prefix, n) != 0 || name[n] != '.') continue;
        if (!*set) s = ct_tensors_new(&j->o->allocator, set, j->e);
        if (!s) s = ct_tensors_at(t, i, &a);
        if (!s) s = ct_tensors_add(*set, name + n + 1, &a, j->e);
    }
    return s;
}

ct_status ct__image_restore(ct__image_job *j) {
    ct_tensors *t;
    const char *text;
    char note[600];
    json_error_t je;
    ct_status s = ct__run_load(&j->run, j->o->strict, &t, &text, note, j->e);
    if (s) return s;
    if (note[0]) ct__tell_note(j, "%s", note);
    if (!t) {
        ct__tell_note(j, "nothing was saved yet: the training starts from the beginning");
        return ct__run_truncate(&j->run, "metrics.jsonl", 0, j->e);
    }
    json_t *doc = json_loads(text, 0, &je);
    s = doc ? check_same(j, doc) : out_of_range(j, "document");
    if (!s) s = read_state(j, doc);
    if (!s) s = ct_weights_apply(j->ctx, t, j->run.folder, CT_MODEL_KINDS | 1 << CT_MOMENT, 1, j->e);
    if (!s) s = take_set(j, "best", t, &j->best);
    if (!s) s = take_set(j, "back", t, &j->back);
    if (!s) s = ct__doctor_restore(j, t);
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
        ct__tell_note(j, "resumed at step %s of %s, epoch %lld", ct_group_digits(j->step, at),
                      ct_group_digits(j->recipe.steps, steps), (long long)j->epoch + 1);
    }
    json_decref(doc);
    ct_tensors_free(t);
    return s;
}
