/* fit.c: the common loop, there to be read: epochs over a loader, a learning rate by step, validation, the best
 * weights kept. Whatever it does is a public call, so a program that needs something else copies it. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "cotan/model.h"
#include "cotan/nn.h"

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

typedef struct evaluation { /* a plan over a whole source */
    ct_plan *plan;
    ct_session *session;
    int32_t field[CT_MAX_FIELDS], inputs;
} evaluation;

static ct_status find_fields(evaluation *v, const ct_source *data, ct_err *e) {
    v->inputs = ct_plan_inputs(v->plan);
    for (int32_t i = 0; i < v->inputs && i < CT_MAX_FIELDS; i++) {
        v->field[i] = -1;
        for (int32_t k = 0; k < data->fields; k++)
            if (strcmp(data->field[k].name, ct_plan_input_name(v->plan, i)) == 0) v->field[i] = k;
        if (v->field[i] < 0)
            return ct_fail(e, CT_EUSAGE, "evaluate: the data has no field \"%s\"",
                           ct_plan_input_name(v->plan, i));
    }
    return v->inputs <= CT_MAX_FIELDS
               ? CT_OK
               : ct_fail(e, CT_EUSAGE, "evaluate: %d inputs; wanted at most %d", v->inputs, CT_MAX_FIELDS);
}

/* Mean of the scalar over rows, and with logits [N,C] and integer labels in the last field their accuracy. */
static ct_status evaluate(ct_t value, ct_t logits, const ct_source *data, int64_t batch, double *mean,
                          double *accuracy, ct_err *e) {
    evaluation v = {0};
    ct_loader *l = NULL;
    ct_scores *scores = NULL;
    ct_t outs[2] = {value, logits};
    const ct_field *last = &data->field[data->fields - 1];
    int classify =
        ct_ok(logits) && ct_shape_of(logits).rank == 2 && last->dtype == CT_I64 && last->shape.rank == 0;
    int64_t classes = classify ? ct_shape_of(logits).dim[1] : 1;
    ct_ctx *c = ct_context(value);
    ct_status s = ct_plan_new(outs, classify ? 2 : 1, NULL, 0, (ct_compile){0}, &v.plan, e);
    if (!s) s = ct_session_new(c, &v.session, e);
    if (!s) s = find_fields(&v, data, e);
    if (!s)
        s = ct_loader_new(ct_allocator_of(c), data, (ct_loader_options){.batch = batch, .evaluate = 1}, &l,
                          e);
    if (!s && classify) s = ct_scores_new(ct_allocator_of(c), classes, &scores, e);
    uint64_t bytes = (uint64_t)(batch * classes) * sizeof(float) + 64;
    float *row = ct_new(ct_allocator_of(c), bytes), one;
    if (!s && !row) s = ct_fail(e, CT_ELIMIT, "evaluate: out of memory");
    double sum = 0;
    ct_batch b = {.rows = 1};
    while (!s) {
        s = ct_next(l, &b, e);
        if (s || b.rows == 0) break;
        const void *in[CT_MAX_FIELDS];
        void *out[2] = {&one, row};
        for (int32_t i = 0; i < v.inputs; i++) in[i] = b.field[v.field[i]];
        s = ct_run(v.session, v.plan, in, b.rows, out);
        if (s) ct_fail(e, s, "%s", ct_session_error(v.session));
        sum += (double)one * (double)b.rows;
        if (!s && classify) s = ct_scores_add(scores, row, b.field[data->fields - 1], b.rows, e);
    }
    if (!s) *mean = sum / (double)data->count;
    if (!s && accuracy) *accuracy = classify ? ct_scores_result(scores).accuracy : NAN;
    ct_delete(ct_allocator_of(c), row, bytes);
    ct_scores_free(scores);
    ct_loader_free(l);
    ct_session_free(v.session);
    ct_plan_free(v.plan);
    return s;
}

ct_status ct_evaluate(ct_t value, const ct_source *data, int64_t batch, double *mean, ct_err *e) {
    ct_t none = {0, 0, 0};
    if (!ct_ok(value) || ct_shape_of(value).rank != 0)
        return ct_fail(e, CT_EUSAGE, "evaluate: wanted a scalar tensor, such as a mean loss");
    return evaluate(value, none, data, batch > 0 ? batch : 64, mean, NULL, e);
}

/* ---- ct_fit ---- */

typedef struct best {
    ct_tensors *weights;
    double loss;
    int32_t waited;
    ct_plateau plateau;
} best;

/* The validation's numbers, and the weights when they are the best: the averaged ones where there is an average. */
static ct_status end_epoch(ct_t loss, ct_t logits, const ct_fit_options *o, int64_t batch, best *b,
                           ct_epoch *row, ct_err *e) {
    ct_ctx *c = ct_context(loss);
    int average = o->train.average > 0;
    ct_status s = average ? ct_average_swap(c, e) : CT_OK;
    if (!s && o->validation)
        s = evaluate(loss, logits, o->validation, batch, &row->validation, &row->accuracy, e);
    double score = o->validation ? row->validation : row->loss;
    row->best = score < b->loss;
    b->waited = row->best ? 0 : b->waited + 1;
    ct_plateau_next(&b->plateau, &o->schedule, score);
    if (!s && row->best && !o->keep_last) {
        ct_tensors_free(b->weights);
        b->weights = NULL;
        s = ct_tensors_new(ct_allocator_of(c), &b->weights, e);
        if (!s) s = ct_weights_collect(c, CT_MODEL_KINDS, b->weights, e);
    }
    if (row->best) b->loss = score;
    return !s && average ? ct_average_swap(c, e) : s;
}

static ct_status one_epoch(ct_trainer *t, ct_loader *l, const ct_schedule *schedule, double lr, const best *b,
                           ct_epoch *row, ct_err *e) {
    double sum = 0;
    int64_t rows = 0;
    for (;;) {
        ct_batch batch;
        double loss;
        ct_status s = ct_next(l, &batch, e);
        if (s || batch.rows == 0) {
            row->loss = sum / (double)rows;
            return s;
        }
        row->lr = lr * ct_schedule_at(schedule, row->steps, b->plateau.factor);
        s = ct_trainer_step(t, &batch, row->lr, &loss, NULL, e);
        if (s) return s;
        sum += loss * (double)batch.rows;
        rows += batch.rows;
        row->norm = ct_trainer_norm(t);
        row->steps++;
    }
}

ct_status ct_fit(ct_t loss, ct_t logits, const ct_source *data, const ct_fit_options *o, ct_epoch *last,
                 ct_err *e) {
    ct_trainer *t = NULL;
    ct_loader *l = NULL;
    best b = {.loss = INFINITY, .plateau = {.factor = 1}};
    ct_epoch row = {.validation = NAN, .accuracy = NAN};
    int64_t epochs = o->epochs > 0 ? o->epochs : 1, batch = o->batch > 0 ? o->batch : 64;
    ct_train train = o->train;
    if (train.batch == 0) train.batch = batch;
    double lr = train.lr > 0 ? train.lr : train.optimiser == CT_SGD ? 1e-2 : 1e-3;
    ct_status s = ct_trainer_new(loss, NULL, 0, &train, data, &t, e);
    if (s) return s;
    ct_ctx *c = ct_context(loss);
    ct_loader_options lo = {.batch = batch,
                            .seed = o->seed,
                            .shuffle = 1,
                            .threads = o->threads < 0 ? 0
                                       : o->threads   ? o->threads
                                                      : 1};
    s = ct_loader_new(ct_allocator_of(c), data, lo, &l, e);
    ct_schedule schedule = o->schedule;
    if (!s && schedule.steps == 0) schedule.steps = epochs * ct_loader_batches(l);
    for (int64_t i = 0; !s && i < epochs; i++) {
        double begin = now();
        row.epoch = i + 1;
        s = one_epoch(t, l, &schedule, lr, &b, &row, e);
        if (!s) s = end_epoch(loss, logits, o, batch, &b, &row, e);
        row.seconds = now() - begin;
        if (!s && o->callback && o->callback(o->user, &row)) break;
        if (!s && o->patience > 0 && b.waited >= o->patience) break;
    }
    if (!s && b.weights)
        s = ct_weights_apply(c, b.weights, "best weights", CT_MODEL_KINDS, 0, e);
    else if (!s && train.average > 0) /* the last weights: their average */
        s = ct_average_swap(c, e);
    if (!s && last) *last = row;
    ct_tensors_free(b.weights);
    ct_loader_free(l);
    ct_trainer_free(t);
    return s;
}
