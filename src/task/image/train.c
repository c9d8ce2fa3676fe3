/* train.c: the training job: everything is decided before the first step, stored, and then only done. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "task/image/job.h"

#define STOP_AT " --stop-at "

/* ---- before ---- */

static int is_same(const char *a, const char *b) {
    struct stat x, y;
    return a && b && stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* What is written may not be what is read. */
static ct_status check_inputs(const ct__image_job *j) {
    char checkpoint[4200], previous[4200];
    ct__pictures test = {0};
    (void)ct__pictures_find(j->data, CT__PART_TEST, &test);
    const struct {
        const char *option, *path;
    } inputs[] = {{"--init", j->init},
                  {"--net", j->o->net},
                  {"the data", j->data},
                  {"the data", j->train.path},
                  {"the data", j->train.labels_path},
                  {"the test part", test.path},
                  {"the test part", test.labels_path},
                  {"--validate", j->validate},
                  {"--validate", j->validation.path},
                  {"--validate", j->validation.labels_path}};
    const char *outputs[] = {j->run.model, ct__run_path(&j->run, "checkpoint.safetensors", checkpoint),
                             ct__run_path(&j->run, "previous.safetensors", previous)};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        for (size_t k = 0; k < sizeof outputs / sizeof *outputs; k++)
            if (inputs[i].path && is_same(inputs[i].path, outputs[k]))
                return ct_fail(j->e, CT_EUSAGE,
                               "-o %s: it writes %s, which is read as %s; wanted another name; "
                               "choose one, or copy that file",
                               j->run.model, outputs[k], inputs[i].option);
    return CT_OK;
}

/* Where the data was, for the commands that are shown next; no matter when it is not known. */
static void read_data_path(ct__image_job *j) {
    ct_err ignored = {0};
    json_t *config = NULL;
    if (ct__run_has(&j->run, "config.json")) (void)ct__run_read(&j->run, "config.json", &config, &ignored);
    const char *data = json_string_value(json_object_get(config, "data"));
    if (data) j->data = ct_arena_text(&j->arena, data);
    json_decref(config);
}

/* The model's document as a run that may be compared; its metrics and numbers as the result. */
static ct_status read_finished(ct__image_job *j) {
    ct_tensors *t;
    const char *text;
    ct_train_result *r = &j->result;
    ct_status s = ct_model_read(&j->o->files, &j->o->allocator, j->run.model, &t, &text, j->e);
    if (s) return s;
    json_t *doc = text ? json_loads(text, 0, NULL) : NULL;
    const json_t *metrics = json_object_get(doc, "metrics");
    if (!doc)
        s = ct_fail(j->e, CT_EUSAGE,
                    "-o %s: exists, and is no model of cotan; wanted a new name; give one, or --force",
                    j->run.model);
    else
        s = ct__recipe_resume(j, doc, j->run.model);
    if (!s && !j->data) read_data_path(j);
    r->epochs = json_integer_value(json_object_get(metrics, "epochs"));
    r->steps = json_integer_value(json_object_get(metrics, "steps"));
    r->best_epoch = json_integer_value(json_object_get(metrics, "best_epoch"));
    ct__score_read(metrics, &r->validation);
    json_decref(doc);
    ct_tensors_free(t);
    return s;
}

/* A model that stands there is a finished training: it is written at the end alone. */
static ct_status check_output(ct__image_job *j, int *nothing_to_do) {
    const ct_image_train *o = j->o;
    char path[4200];
    int model = ct__run_has(&j->run, NULL), begun = ct__run_has(&j->run, "config.json");
    if (o->resume && model) {
        ct_status s = read_finished(j);
        *nothing_to_do = !s;
        return s;
    }
    if (o->resume || o->force) return CT_OK;
    if (o->dry_run) { /* writes nothing, so nothing is in its way */
        if (model || begun)
            ct__tell_note(j, "%s %s: training will want --resume or --force",
                          model ? j->run.model : j->run.folder, model ? "exists" : "holds an unfinished run");
        return CT_OK;
    }
    if (model)
        return ct_fail(j->e, CT_EUSAGE, "-o %s: exists; wanted a new name; give --force to train anew",
                       j->run.model);
    if (begun)
        return ct_fail(
            j->e, CT_EUSAGE,
            "%s: holds an unfinished run; wanted none; give --resume to go on, or --force to begin anew",
            ct__run_path(&j->run, "config.json", path));
    return CT_OK;
}

/* What an earlier run left; config.json first, for without it the rest means nothing. */
static ct_status begin_anew(const ct__image_job *j) {
    static const char *const names[] = {"config.json",   "checkpoint.safetensors", "previous.safetensors",
                                        "metrics.jsonl", "validation.jsonl",       "report.html",
                                        "lr.jsonl"};
    ct_status s = CT_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && !s; i++)
        s = ct__run_remove(&j->run, names[i], j->e);
    if (s || !ct__run_has(&j->run, NULL)) return s;
    s = ct__run_remove(&j->run, NULL, j->e);
    return s ? s : ct_folder_sync(&j->o->files, j->run.model, j->e);
}

/* The words that began the run, and what was decided then as numbers. */
static void add_begun(const ct__image_job *j, ct_text *t) {
    const ct__recipe *r = &j->recipe;
    if (j->begun_by) { /* resumed */
        const char *end = strstr(j->begun_by, STOP_AT);
        ct_text_bytes(t, j->begun_by, end ? (size_t)(end - j->begun_by) : strlen(j->begun_by));
        return;
    }
    ct_text_add(t, j->o->command);
    if (r->time_limit > 0)
        ct_text_format(t, " --epochs %lld --steps %lld", (long long)r->epochs, (long long)r->steps);
    if (j->o->lr_auto) {
        ct_text_add(t, " --lr ");
        ct_text_number(t, r->lr);
    }
    if (j->o->memory > 0 && j->o->batch == 0) ct_text_format(t, " --batch %lld", (long long)r->batch);
}

/* The words that repeat the run, "" where a program began it; the step that a time limit cut it at stands last. */
static void add_command(const ct__image_job *j, ct_text *t) {
    const char *begun = j->begun_by ? j->begun_by : j->o->command;
    if (!begun || !*begun) return;
    add_begun(j, t);
    if (j->recipe.stop_at > 0) ct_text_format(t, STOP_AT "%lld", (long long)j->recipe.stop_at);
}

static ct_status write_config(ct__image_job *j) {
    ct_text command = {.allocator = &j->o->allocator};
    add_command(j, &command);
    json_t *v =
        command.failed
            ? NULL
            : json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:s, s:f, s:I, s:i, s:s, s:s, s:s}", "task", "image",
                        "recipe", ct__recipe_json(j), "net", j->recipe.net, "data", ct__json_path(j->data),
                        "validate", ct__json_path(j->validate ? j->validate : ""), "init",
                        ct__json_path(j->init ? j->init : ""), "command", command.data ? command.data : "",
                        "time_limit", j->recipe.time_limit, "checkpoint_every",
                        (json_int_t)j->checkpoint_every, "threads", (int)ct_threads(j->ctx), "instructions",
                        ct_cpu_features(), "kernels", ct_kernel_library(), "version", CT_VERSION);
    ct_status s = v ? ct__run_write(&j->run, "config.json", v, j->e)
                    : ct_fail(j->e, CT_ELIMIT, "config: out of memory");
    j->run.begun = 1;
    json_decref(v);
    ct_text_free(&command);
    return s;
}

static ct_status write_curve(ct__image_job *j) {
    char path[4200];
    if (!j->curve.length) return CT_OK;
    return ct_file_write(&j->o->files, &j->o->allocator, ct__run_path(&j->run, "lr.jsonl", path),
                         j->curve.data, j->curve.length, j->e);
}

static ct_status open_recipe(ct__image_job *j) {
    char path[4200];
    ct_status s;
    if (!j->o->resume) return ct__recipe_resolve(j);
    if (!ct__run_has(&j->run, "config.json")) {
        if (!j->o->data)
            return ct_fail(j->e, CT_EUSAGE,
                           "%s: no run to resume; wanted the data too; give its folder as a word",
                           j->run.folder);
        ct__tell_note(j, "%s holds no run yet: the training starts from the beginning", j->run.folder);
        return ct__recipe_resolve(j);
    }
    json_t *config;
    s = ct__run_read(&j->run, "config.json", &config, j->e);
    if (!s) s = ct__recipe_resume(j, config, ct__run_path(&j->run, "config.json", path));
    if (!s && !j->data)
        s = ct_fail_at(j->e, CT_EDATA, path, -1, "no data; wanted a folder; give it as a word");
    const char *command = s ? NULL : json_string_value(json_object_get(config, "command"));
    j->resumed = !s;
    if (!s && !(j->begun_by = ct_arena_text(&j->arena, command ? command : "")))
        s = ct_fail(j->e, CT_ELIMIT, "config: out of memory");
    json_decref(config);
    return s;
}

/* A last batch of one record may be too small for the net (batch norm): better known before the first step. */
static ct_status check_last_batch(const ct__image_job *j) {
    ct_plan_info info;
    int64_t rows = j->train_count % j->recipe.batch;
    if (rows != 1 || j->recipe.batch == 1) return CT_OK;
    return ct_plan_describe(ct_trainer_plan(j->trainer), rows, &info, j->e);
}

/* The loss takes logits: a softmax in the net would be taken twice, and learning would crawl. */
static void warn_of_probabilities(const ct__image_job *j) {
    const char *op = ct_op_of(j->logits);
    if (strcmp(op, "softmax") == 0 || strcmp(op, "log_softmax") == 0 || strcmp(op, "sigmoid") == 0)
        ct__tell_note(
            j, "the net ends in %s, which the loss applies itself: leave it out, or training is slow", op);
}

static void tell_net(const ct__image_job *j) {
    char count[32];
    int64_t n = 0;
    ct_var_info v;
    for (int64_t i = 0; i < ct_var_count(j->ctx); i++)
        if (!ct_var_at(j->ctx, i, &v) && v.kind == CT_PARAM) n += (int64_t)v.count;
    ct__tell_fact(j, "net", "%s: %s parameters", j->recipe.model, ct_group_digits(n, count));
    warn_of_probabilities(j);
}

static void tell_with(const ct__image_job *j) {
    const ct__recipe *r = &j->recipe;
    char average[48] = "no average of weights", patience[32] = "no early stop";
    if (r->average > 0) snprintf(average, sizeof average, "average of weights %g", r->average);
    if (r->patience > 0)
        snprintf(patience, sizeof patience, "patience %d epoch%s", (int)r->patience,
                 r->patience == 1 ? "" : "s");
    ct__tell_fact(j, "with", "weight decay %g, label smoothing %g, %s, %s%s", r->weight_decay, r->smoothing,
                  average, patience, r->class_weights ? ", class weights" : "");
}

static void tell_training(const ct__image_job *j) {
    const ct__recipe *r = &j->recipe;
    char steps[32];
    int undecided = j->o->dry_run && ct__time_decides(j);
    if (undecided)
        ct__tell_fact(j, "training", "as many steps of %lld as %g s allow; %s, lr %.4g %s; seed %llu",
                      (long long)r->batch, r->time_limit, r->optimiser, r->lr, r->schedule,
                      (unsigned long long)r->seed);
    else
        ct__tell_fact(j, "training", "%lld epoch%s, %s step%s of %lld; %s, lr %.4g %s; seed %llu",
                      (long long)r->epochs, r->epochs == 1 ? "" : "s", ct_group_digits(r->steps, steps),
                      r->steps == 1 ? "" : "s", (long long)r->batch, r->optimiser, r->lr, r->schedule,
                      (unsigned long long)r->seed);
    if (!undecided) tell_with(j);
    ct__tell_fact(j, "machine", "%d thread%s, %s, %s", ct_threads(j->ctx), ct_threads(j->ctx) == 1 ? "" : "s",
                  ct_cpu_features(), ct_kernel_library());
    ct__tell_fact(j, "output", "%s; the run is in %s/", j->run.model, j->run.folder);
}

static ct_status prepare(ct__image_job *j) {
    ct_status s = ct__image_open_data(j);
    j->recipe.time_limit = j->o->time_limit;
    if (!s) s = check_inputs(j);
    if (!s && !j->resumed) s = ct__choose(j);
    if (!s) s = ct__memory_net(j);
    if (!s) s = check_last_batch(j);
    if (!s) tell_net(j);
    j->plateau = 1;
    j->lr_factor = 1;
    j->best_epoch = -1;
    j->last_norm = NAN;
    j->least_loss = INFINITY;
    return s;
}

static void fill_result(ct__image_job *j) {
    ct_train_result *r = &j->result;
    snprintf(r->model, sizeof r->model, "%s", j->run.model);
    snprintf(r->run, sizeof r->run, "%s", j->run.folder);
    snprintf(r->data, sizeof r->data, "%s", j->data ? j->data : "");
    r->seconds = ct__job_now(j) - j->begin;
    r->resumed = j->resumed;
    if (r->finished_before) return; /* epochs and steps are those of the model */
    r->epochs = j->epoch;
    r->steps = j->step;
    ct__doctor_result(j, r);
}

/* Everything that may be refused comes before the first write. */
static ct_status train(ct__image_job *j) {
    int nothing_to_do = 0;
    ct_status s = ct__run_paths(&j->run, j->o->output, j->e);
    if (!s) s = j->o->dry_run ? ct__run_possible(&j->run, j->e) : ct__run_open(&j->run, j->e);
    if (!s) s = check_output(j, &nothing_to_do);
    if (s) return s;
    if (nothing_to_do) {
        ct__tell_note(j, "%s is finished: nothing to do", j->run.model);
        j->result.finished_before = 1;
        return CT_OK;
    }
    s = open_recipe(j);
    if (!s) s = prepare(j);
    if (!s && (j->o->dry_run || j->resumed)) tell_training(j);
    if (!s && j->o->dry_run) ct__tell_note(j, "a dry run: nothing is written");
    if (s || j->o->dry_run) return s;
    if (j->resumed) {
        s = ct__time_plan(j);
        if (!s) s = ct__doctor_open(j);
        if (!s) s = ct__image_restore(j);
    } else {
        s = ct__range_test(j);
        if (!s) s = ct__time_plan(j);
        if (!s) tell_training(j);
        if (!s) s = ct__doctor_open(j);
        if (!s) s = begin_anew(j);
        if (!s) s = write_config(j);
        if (!s) s = write_curve(j);
    }
    if (!s) s = ct__image_events_open(j);
    if (!s && !j->back) s = ct__finite_keep(j);
    if (!s) s = ct__image_loop(j);
    if (!s && j->limited) s = write_config(j);
    return s ? s : ct__image_finish(j);
}

static void close_job(ct__image_job *j) {
    const ct_allocator *a = &j->o->allocator;
    ct__events_close(&j->events);
    ct_doctor_free(j->doctor);
    ct_tensors_free(j->best);
    ct_tensors_free(j->back);
    ct__image_close_net(j);
    ct_source_close(&j->train_source);
    ct_source_close(&j->validation_source);
    ct_source_close(&j->images);
    ct_source_close(&j->validation_images);
    ct_transform_free(j->transform);
    ct_delete(a, j->train_index, ((size_t)j->train_count + 1) * sizeof *j->train_index);
    ct_delete(a, j->validation_index, ((size_t)j->validation_count + 1) * sizeof *j->validation_index);
    ct_images_close(j->set);
    ct_images_close(j->validation_set);
    ct__pictures_free(&j->train);
    ct__pictures_free(&j->validation);
    ct__run_close(&j->run);
    ct_text_free(&j->curve);
    ct_text_free(&j->found);
    ct_arena_free(&j->arena);
}

_Static_assert(sizeof(ct_image_train) == 512, "ct_image_train: its tail is reserved and zero");

ct_status ct_train_image(const ct_image_train *o, ct_train_result *out, ct_err *e) {
    if ((!o->data && !o->resume) || !o->output)
        return ct_fail(e, CT_EUSAGE,
                       "train image: no data folder or no output; wanted both; set .data and .output");
    ct__image_job *j = ct_new(&o->allocator, sizeof *j); /* paths make it too large for a small stack */
    if (!j) return ct_fail(e, CT_ELIMIT, "train image: out of memory");
    j->o = o;
    j->e = e;
    j->result.best_epoch = -1;
    j->begin = ct__job_now(j);
    j->data = o->data;
    j->validate = o->validate;
    j->init = o->init;
    j->run.lock = -1;
    j->checkpoint_every = o->checkpoint_every > 0 ? o->checkpoint_every : 200;
    ct_status s = ct__memory_open(j);
    j->arena.allocator = &j->o->allocator;
    j->run.files = &j->o->files;
    j->run.allocator = &j->o->allocator;
    if (!s) s = train(j);
    fill_result(j);
    close_job(j);
    if (!s) *out = j->result;
    ct_delete(&o->allocator, j, sizeof *j);
    return s;
}
