/* epoch.c: what happens between epochs and at the end: validation, the choice of the best, the model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/image/calibration.h"
#include "task/image/job.h"
#include "task/image/met.h"

#define LOOK_BACK 1000
#define KNOWS_NOTHING 100 /* a temperature */

typedef struct visit {
    ct__image_job *j;
    const ct_source *source; /* NULL: the validation part */
    ct_status (*each)(struct visit *v, const ct_batch *b, const float *logits);
    ct_scores *scores;
    ct_text *lines;
    float *kept; /* [rows, classes]: logits of every `every`-th record, and its label */
    int64_t *label, rows, every, seen;
} visit;

/* By the recipe alone: where there is little memory for batches there is little for these. */
int64_t ct__image_eval_batch(const ct__image_job *j) {
    return j->recipe.batch < 64 ? 4 * j->recipe.batch : 256;
}

static ct_status walk(visit *v) {
    ct__image_job *j = v->j;
    const ct_source *source = v->source ? v->source : &j->validation_source;
    ct_loader *l = NULL;
    ct_batch b = {0};
    /* Files may have to be decoded: two threads ahead, four small batches in place of a large one. */
    int64_t batch = ct__image_eval_batch(j);
    if (j->set && batch > 64) batch = 64;
    ct_loader_options lo = {.batch = batch, .evaluate = 1, .threads = j->set ? 2 : 0};
    float *logits = ct_new_array(&j->o->allocator, (uint64_t)(batch * j->classes) + 16, sizeof *logits);
    ct_status s = logits ? CT_OK : ct_fail(j->e, CT_ELIMIT, "validation: out of memory");
    if (!s) s = ct_loader_new(&j->o->allocator, source, lo, &l, j->e);
    while (!s) {
        const void *in[1];
        void *out[1] = {logits};
        s = ct_next(l, &b, j->e);
        if (s || b.rows == 0) break;
        in[0] = b.field[0];
        s = ct_run(j->eval, j->eval_plan, in, b.rows, out);
        if (s) ct_fail(j->e, s, "%s", ct_session_error(j->eval));
        if (!s) s = v->each(v, &b, logits);
    }
    ct_loader_free(l);
    ct_delete(&j->o->allocator, logits, ((uint64_t)(batch * j->classes) + 16) * sizeof *logits);
    return s;
}

static ct_status add_scores(visit *v, const ct_batch *b, const float *logits) {
    return ct_scores_add(v->scores, logits, b->field[1], b->rows, v->j->e);
}

static ct_status score_of(ct__image_job *j, const ct_source *source, ct_score *score) {
    visit v = {.j = j, .source = source, .each = add_scores};
    ct_status s = ct_scores_new(&j->o->allocator, j->classes, &v.scores, j->e);
    if (!s) s = walk(&v);
    if (!s) *score = ct_scores_result(v.scores);
    ct_scores_free(v.scores);
    return s;
}

ct_status ct__image_validate(ct__image_job *j, ct_score *score) { return score_of(j, NULL, score); }

/* The loss of the training's own steps has dropout, random transforms, mixing and label smoothing in it, and is of
 * weights that moved meanwhile: it cannot stand beside the validation loss. This one can. The records are evenly
 * spread, as many as validate, at most LOOK_BACK, so that it costs no more than the validation. */
ct_status ct__image_look_back(ct__image_job *j, ct_score *score) {
    const ct_allocator *a = &j->o->allocator;
    int64_t n = j->train_count < j->validation_count ? j->train_count : j->validation_count;
    if (n > LOOK_BACK) n = LOOK_BACK;
    int64_t *index = ct_new_array(a, (uint64_t)n, sizeof *index);
    ct_source some = {0};
    if (!index) return ct_fail(j->e, CT_ELIMIT, "validation: out of memory");
    for (int64_t i = 0; i < n; i++) index[i] = i * j->train_count / n;
    ct_status s = ct_source_subset(a, &j->train_source, index, n, &some, j->e);
    if (!s) s = score_of(j, &some, score);
    if (s == CT_ENONFINITE) { /* it decides nothing: not known */
        *score = (ct_score){.loss = NAN, .accuracy = NAN};
        ct_error_clear(j->e);
        s = CT_OK;
    }
    ct_source_close(&some);
    ct_delete(a, index, (uint64_t)n * sizeof *index);
    return s;
}

static ct_status write_row(ct__image_job *j, const ct_epoch *row) {
    json_t *v = json_pack(
        "{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "epoch", (json_int_t)row->epoch, "steps",
        (json_int_t)row->steps, "loss", ct__json_number(row->loss), "validation_loss",
        ct__json_number(row->validation), "validation_loss_error", ct__json_number(row->validation_error),
        "validation_accuracy", ct__json_number(row->accuracy), "train_loss", ct__json_number(row->train),
        "train_accuracy", ct__json_number(row->train_accuracy), "lr", ct__json_number(row->lr),
        "gradient_norm", ct__json_number(row->norm), "best", row->best);
    ct__doctor_row(j, v);
    ct_status s = v ? ct__run_append(&j->run, "metrics.jsonl", v, j->e)
                    : ct_fail(j->e, CT_ELIMIT, "metrics: out of memory");
    json_decref(v);
    return s;
}

static ct_status both(ct__image_job *j, ct_score *score, ct_score *train) {
    ct_status s = ct__image_validate(j, score);
    return s ? s : ct__image_look_back(j, train);
}

static ct_status validate_with(ct__image_job *j, const ct_tensors *weights, ct_score *score,
                               ct_score *train) {
    ct_tensors *now = NULL;
    if (j->recipe.average <= 0) return both(j, score, train);
    ct_status s = ct_tensors_new(&j->o->allocator, &now, j->e);
    if (!s) s = ct_weights_collect(j->ctx, CT_MODEL_KINDS, now, j->e);
    if (!s) s = ct_weights_apply(j->ctx, weights, "average", CT_MODEL_KINDS, 0, j->e);
    if (!s) s = both(j, score, train);
    if (!s) s = ct_weights_apply(j->ctx, now, "weights", CT_MODEL_KINDS, 0, j->e);
    ct_tensors_free(now);
    return s;
}

int ct__image_patience_over(const ct__image_job *j) {
    return j->recipe.patience > 0 && j->bad_epochs >= j->recipe.patience;
}

/* The best is the last epoch whose loss is within a standard error of the least (Breiman, Friedman, Olshen and Stone,
 * "Classification and Regression Trees", 1984): nearer than that the validation part cannot tell epochs apart, and
 * later ones are of lower rates. Bad epochs are those since the least. */
static int is_best(ct__image_job *j, const ct_score *score) {
    int least =
        j->best_epoch < 0 || score->loss < j->least_loss || (isnan(j->least_loss) && !isnan(score->loss));
    j->bad_epochs = least ? 0 : j->bad_epochs + 1;
    if (least) {
        j->least_loss = score->loss;
        j->least_error = isnan(score->loss_error) ? 0 : score->loss_error;
    }
    return least || score->loss <= j->least_loss + j->least_error;
}

ct_status ct__image_end_epoch(ct__image_job *j, double begin, int *stop) {
    ct_score score, train;
    ct_tensors *weights = NULL;
    ct_status s = ct_tensors_new(&j->o->allocator, &weights, j->e);
    if (!s) s = ct_weights_model(j->ctx, weights, j->e);
    double before = j->now;
    if (!s) s = validate_with(j, weights, &score, &train);
    j->now = ct__job_now(j);
    if (!s) j->validate_seconds = j->now - before;
    if (s) {
        ct_tensors_free(weights);
        return s;
    }
    int best = is_best(j, &score);
    j->epoch++;
    j->position = 0;
    ct_epoch row = {.epoch = j->epoch,
                    .steps = j->step,
                    .loss = j->loss_sum / (double)j->loss_count,
                    .validation = score.loss,
                    .validation_error = score.loss_error,
                    .accuracy = score.accuracy,
                    .seconds = j->now - begin,
                    .lr = j->last_lr,
                    .norm = j->last_norm,
                    .best = best,
                    .train = train.loss,
                    .train_accuracy = train.accuracy};
    j->loss_sum = 0;
    j->loss_count = 0;
    if (best) {
        ct_tensors_free(j->best);
        j->best = weights;
        j->best_epoch = j->epoch;
    } else {
        ct_tensors_free(weights);
    }
    if (j->bad_epochs && j->bad_epochs % 3 == 0 && strcmp(j->recipe.schedule, "plateau") == 0)
        j->plateau *= 0.1;
    *stop = ct__image_patience_over(j);
    s = write_row(j, &row);
    if (!s) s = ct__image_events_epoch(j, &row);
    j->rows++;
    ct_event event = {.kind = CT_EVENT_EPOCH,
                      .row = &row,
                      .epoch = (int32_t)j->epoch,
                      .epochs = (int32_t)j->recipe.epochs,
                      .step = j->step,
                      .steps = j->recipe.steps};
    if (!s && j->o->tell) j->o->tell(j->o->user, &event);
    return s;
}

/* ---- the end ---- */

/* Its number, or of a file its path. */
static void add_record(const ct__image_job *j, int64_t record, ct_text *out) {
    const ct_images *set = j->validation_set ? j->validation_set : j->set;
    ct_image r = {.number = record};
    if (set) (void)ct_images_at(set, record, &r);
    if (!r.path) {
        ct_text_format(out, "%lld", (long long)r.number);
        return;
    }
    json_t *v = ct__json_path(r.path);
    char *text = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;
    ct_text_add(out, text ? text : "null");
    free(text);
    json_decref(v);
}

static ct_status add_line(visit *v, const ct_batch *b, const float *logits) {
    ct__image_job *j = v->j;
    double *p = ct_new_array(&j->o->allocator, (uint64_t)j->classes, sizeof *p);
    if (!p) return ct_fail(j->e, CT_ELIMIT, "validation: out of memory");
    for (int64_t r = 0; r < b->rows; r++) {
        int64_t label = ((const int64_t *)b->field[1])[r],
                best = ct_softmax_row(logits + r * j->classes, j->classes, p);
        ct_text_add(v->lines, "{\"record\":");
        add_record(j, j->validation_index[b->record[r]], v->lines);
        ct_text_format(v->lines, ",\"label\":%lld,\"prediction\":%lld,\"loss\":", (long long)label,
                       (long long)best);
        ct_text_number(v->lines, p[label] > 0 ? -log(p[label]) : 745.0); /* the least double's logarithm */
        ct_text_add(v->lines, ",\"probability\":");
        (void)ct_softmax_at(logits + r * j->classes, j->classes, j->temperature, p);
        ct_text_number(v->lines, p[best]);
        ct_text_add(v->lines, "}\n");
    }
    ct_delete(&j->o->allocator, p, (uint64_t)j->classes * sizeof *p);
    return v->lines->failed ? ct_fail(j->e, CT_ELIMIT, "validation: out of memory") : CT_OK;
}

static ct_status write_validation(ct__image_job *j) {
    char path[4200];
    ct_text lines = {.allocator = &j->o->allocator};
    visit v = {.j = j, .each = add_line, .lines = &lines};
    ct_status s = walk(&v);
    if (!s)
        s = ct_file_write(&j->o->files, &j->o->allocator, ct__run_path(&j->run, "validation.jsonl", path),
                          lines.data, lines.length, j->e);
    ct_text_free(&lines);
    return s;
}

static ct_status keep_logits(visit *v, const ct_batch *b, const float *logits) {
    int64_t classes = v->j->classes;
    for (int64_t r = 0; r < b->rows; r++) {
        if (v->seen++ % v->every) continue;
        v->label[v->rows] = ((const int64_t *)b->field[1])[r];
        memcpy(v->kept + v->rows++ * classes, logits + r * classes, (size_t)classes * sizeof *logits);
    }
    return CT_OK;
}

/* The temperature takes all that a net knows for chance where it tells the classes apart no better. */
static void tell_temperature(ct__image_job *j, const json_t *calibration) {
    j->temperature = json_number_value(json_object_get(calibration, "temperature"));
    if (j->temperature > KNOWS_NOTHING)
        ct__tell_note(
            j,
            "on the validation part the net does no better than chance (temperature %.3g): predict will "
            "find all classes alike; train longer, or look at the data",
            j->temperature);
}

/* Temperature and scores of prediction sets, from the logits of the validation part; of many, a share evenly spread. */
static ct_status calibrate(ct__image_job *j, json_t **out) {
    const ct_allocator *a = &j->o->allocator;
    int64_t all = j->validation_count, every = ct__calibration_every(all, j->classes);
    uint64_t rows = (uint64_t)((all + every - 1) / every), numbers = rows * (uint64_t)j->classes;
    visit v = {.j = j, .each = keep_logits, .every = every};
    v.kept = ct_new_array(a, numbers, sizeof *v.kept);
    v.label = ct_new_array(a, rows, sizeof *v.label);
    ct_status s = v.kept && v.label ? CT_OK : ct_fail(j->e, CT_ELIMIT, "calibration: out of memory");
    if (!s) s = walk(&v);
    if (!s) *out = ct__calibration_json(a, v.kept, v.label, v.rows, j->classes, j->e);
    if (!s && !*out) s = (ct_status)j->e->status;
    if (!s) tell_temperature(j, *out);
    ct_delete(a, v.kept, numbers * sizeof *v.kept);
    ct_delete(a, v.label, rows * sizeof *v.label);
    return s;
}

static double number(const json_t *v, const char *key) {
    const json_t *x = json_object_get(v, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

void ct__score_read(const json_t *v, ct_score *s) {
    const json_t *interval = json_object_get(v, "accuracy_ci95");
    *s = (ct_score){.samples = json_integer_value(json_object_get(v, "samples")),
                    .loss = number(v, "loss"),
                    .loss_error = number(v, "loss_error"),
                    .accuracy = number(v, "accuracy"),
                    .low = json_number_value(json_array_get(interval, 0)),
                    .high = json_number_value(json_array_get(interval, 1)),
                    .top5 = number(v, "top5_accuracy"),
                    .macro_f1 = number(v, "macro_f1"),
                    .macro_precision = number(v, "macro_precision"),
                    .macro_recall = number(v, "macro_recall"),
                    .ece = number(v, "ece"),
                    .baseline = number(v, "baseline_accuracy")};
}

static json_t *metrics_json(const ct__image_job *j, const ct_score *score) {
    ct_text text = {.allocator = &j->o->allocator};
    ct_score_json(score, &text);
    json_t *v = text.failed ? NULL : json_loads(text.data, 0, NULL);
    ct_text_free(&text);
    if (!v) return NULL;
    int failed = json_object_set_new(v, "part", json_string("validation"));
    failed |= json_object_set_new(v, "best_epoch", json_integer(j->best_epoch));
    failed |= json_object_set_new(v, "epochs", json_integer(j->epoch));
    failed |= json_object_set_new(v, "steps", json_integer(j->step));
    if (failed) json_decref(v);
    return failed ? NULL : v;
}

static json_t *data_json(ct__image_job *j) {
    json_t *v =
        json_pack("{s:s, s:s, s:s, s:b, s:b}", "train", j->train_hash, "validation", j->validation_hash,
                  "all", j->all_hash, "own_test", j->own_test, "validation_given", j->validate != NULL);
    if (!v || !j->set) return v;
    json_t *met = ct__met_json(&j->o->allocator, j->set, j->train_index, j->train_count, j->e);
    if (met && !json_object_set_new(v, "met", met)) return v;
    json_decref(v);
    return NULL;
}

/* Takes the reference to `calibration`. */
static char *model_document(ct__image_job *j, const ct_score *score, json_t *calibration) {
    char classes[32];
    json_t *metrics = metrics_json(j, score);
    json_t *labels = json_array(), *doc = json_object();
    int failed = json_object_set_new(doc, "calibration", calibration);
    for (int64_t c = 0; c < j->classes; c++) {
        char name[256];
        failed |= json_array_append_new(labels, ct__json_path(ct__image_class(j, c, name)));
    }
    snprintf(classes, sizeof classes, "%lld", (long long)j->classes);
    failed |= json_object_set_new(doc, "task", json_string("image"));
    failed |= json_object_set_new(doc, "version", json_string(CT_VERSION));
    failed |= json_object_set_new(doc, "net", json_string(j->recipe.net));
    failed |= json_object_set_new(doc, "inputs",
                                  json_pack("[{s:s, s:s, s:[i,I,I,I]}]", "name", "image", "dtype", "f32",
                                            "shape", -1, (json_int_t)j->shape[0], (json_int_t)j->shape[1],
                                            (json_int_t)j->shape[2]));
    failed |= json_object_set_new(doc, "constants", json_pack("{s:s}", "classes", classes));
    failed |= json_object_set_new(doc, "labels", labels);
    failed |= json_object_set_new(doc, "transform", json_string(j->recipe.transform));
    failed |= json_object_set_new(doc, "recipe", ct__recipe_json(j));
    failed |= json_object_set_new(doc, "metrics", metrics);
    failed |= json_object_set_new(doc, "data", data_json(j));
    char *text = failed ? NULL : json_dumps(doc, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(doc);
    return text;
}

ct_status ct__image_finish(ct__image_job *j) {
    ct_score score;
    ct_status s =
        j->best ? ct_weights_apply(j->ctx, j->best, "best weights", CT_MODEL_KINDS, 0, j->e) : CT_OK;
    if (!s) s = ct__image_validate(j, &score);
    json_t *calibration = NULL;
    if (!s) s = calibrate(j, &calibration);
    if (!s) s = write_validation(j);
    if (!s) {
        j->result.validation = score;
        j->result.best_epoch = j->best_epoch;
        s = ct__image_report(j);
    }
    if (s) json_decref(calibration);
    char *doc = s ? NULL : model_document(j, &score, calibration);
    if (!s && !doc) s = ct_fail(j->e, CT_ELIMIT, "model: out of memory");
    if (!s) s = ct_model_save(j->ctx, j->run.model, doc, j->e);
    free(doc);
    return s;
}
