/* fit.c: the common loop, there to be read: epochs over a loader, a learning rate by step, validation, the best
 * weights kept. Whatever it does is a public call, so a program that needs something else copies it. */
#include <math.h>
#include <time.h>

#include "cotan/model.h"
#include "nn/evaluate.h"

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

typedef struct best {
    ct_tensors *weights;
    double loss;
    int32_t waited; /* epochs since */
    ct_plateau plateau;
} best;

/* With an average it is the averaged weights that are looked at, and kept; training goes on with its own. */
static ct_status validate(ct_t loss, ct_t logits, const ct_fit_options *o, int64_t batch,
                          ct_tensors *averaged, ct_epoch *row, ct_err *e) {
    ct_ctx *c = ct_context(loss);
    ct_tensors *own = NULL;
    ct_status s = CT_OK;
    if (o->train.average > 0) {
        s = ct_tensors_new(ct_allocator_of(c), &own, e);
        if (!s) s = ct_weights_collect(c, CT_MODEL_KINDS, own, e);
        if (!s) s = ct_weights_apply(c, averaged, "average", CT_MODEL_KINDS, 0, e);
    }
    if (!s) s = ct__evaluate(loss, logits, o->validation, batch, &row->validation, &row->accuracy, e);
    if (!s && own) s = ct_weights_apply(c, own, "weights", CT_MODEL_KINDS, 0, e);
    ct_tensors_free(own);
    return s;
}

static void judge(best *b, ct_epoch *row, const ct_fit_options *o, ct_tensors **weights) {
    double score = o->validation ? row->validation : row->loss;
    row->best = row->least = score < b->loss;
    b->waited = row->best ? 0 : b->waited + 1;
    ct_plateau_next(&b->plateau, &o->schedule, score);
    if (!row->best) return;
    ct_tensors *before = b->weights;
    b->loss = score;
    b->weights = *weights;
    *weights = before; /* to be freed */
}

static ct_status end_epoch(ct_t loss, ct_t logits, const ct_fit_options *o, int64_t batch, best *b,
                           ct_epoch *row, ct_err *e) {
    ct_ctx *c = ct_context(loss);
    ct_tensors *weights = NULL;
    ct_status s = ct_tensors_new(ct_allocator_of(c), &weights, e);
    if (!s) s = ct_weights_model(c, weights, e);
    if (!s && o->validation) s = validate(loss, logits, o, batch, weights, row, e);
    if (!s) judge(b, row, o, &weights);
    ct_tensors_free(weights);
    return s;
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
    ct_epoch row = {.validation = NAN, .accuracy = NAN, .train = NAN, .train_accuracy = NAN};
    int64_t epochs = o->epochs > 0 ? o->epochs : 1, batch = o->batch > 0 ? o->batch : 64;
    ct_train train = o->train;
    if (train.batch == 0) train.batch = batch;
    ct_status s = ct_trainer_new(loss, NULL, 0, &train, data, &t, e);
    if (s) return s;
    double lr = train.lr > 0 ? train.lr : ct_optimiser_lr(train.optimiser);
    ct_ctx *c = ct_context(loss);
    int32_t ahead = o->threads < 0 ? 0 : o->threads ? o->threads : 1;
    ct_loader_options lo = {.batch = batch, .seed = o->seed, .shuffle = 1, .threads = ahead};
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
    if (!s && b.weights && !o->keep_last)
        s = ct_weights_apply(c, b.weights, "best weights", CT_MODEL_KINDS, 0, e);
    if (!s && last) *last = row;
    ct_tensors_free(b.weights);
    ct_loader_free(l);
    ct_trainer_free(t);
    return s;
}
