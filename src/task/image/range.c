/* range.c: the learning rate by a range test (Smith, "Cyclical Learning Rates for Training Neural Networks", 2015): one
 * pass in which the rate grows from 1e-6 of the largest to the largest by equal factors a step. The loss, smoothed, falls,
 * flattens and explodes; a tenth of the rate at its lowest point is taken, rounded to two digits so that the command that
 * repeats the run can name it. The curve stands in lr.jsonl, and weights, moments and counters are put back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "task/image/job.h"

#define STEPS 100
#define SMOOTH 0.9
#define EXPLODED 4 /* times the lowest loss */

typedef struct range {
    double lr, smoothed, lowest, best; /* best: the rate at the lowest loss */
    int32_t steps, over;
} range;

/* Adam's steps have the size of the rate itself, those of SGD that of the gradient. */
static double largest(const ct__image_job *j) {
    double usual = ct_optimiser_lr(ct_optimiser_of(j->recipe.optimiser));
    return usual * 1000;
}

static double rate_at(double top, int32_t step) { return top * pow(10, 6.0 * (step + 1 - STEPS) / STEPS); }

static ct_status add_row(ct__image_job *j, const range *t, double loss) {
    ct_text *c = &j->curve;
    const struct {
        const char *key;
        double value;
    } rows[] = {
        {"{\"step\":", t->steps}, {",\"lr\":", t->lr}, {",\"loss\":", loss}, {",\"smoothed\":", t->smoothed}};
    c->allocator = &j->o->allocator;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_text_add(c, rows[i].key);
        if (isfinite(rows[i].value))
            ct_text_number(c, rows[i].value);
        else
            ct_text_add(c, "null");
    }
    ct_text_add(c, "}\n");
    return c->failed ? ct_fail(j->e, CT_ELIMIT, "lr: out of memory") : CT_OK;
}

/* The mean of what was seen, newest most, without the pull of its beginning at 0. */
static void take(range *t, double *sum, double loss) {
    *sum = SMOOTH * *sum + (1 - SMOOTH) * loss;
    t->smoothed = *sum / (1 - pow(SMOOTH, t->steps));
    if (t->smoothed < t->lowest) {
        t->lowest = t->smoothed;
        t->best = t->lr;
    }
    t->over = !isfinite(loss) || t->smoothed > EXPLODED * t->lowest;
}

static ct_status one_step(ct__image_job *j, ct_loader *l, double *loss) {
    ct_batch b, mixed;
    ct_err inner = {0};
    ct_status s = ct_next(l, &b, j->e);
    if (!s && b.rows == 0) s = ct_next(l, &b, j->e); /* between epochs */
    if (!s) s = ct__image_mix(j, &b, &mixed);
    if (s) return s;
    s = ct_trainer_step(j->trainer, &mixed, *loss, loss, NULL, &inner);
    if (s == CT_ENONFINITE) return *loss = NAN, CT_OK; /* the end of the curve */
    return s ? ct_fail(j->e, s, "%s", inner.text) : CT_OK;
}

static ct_status walk(ct__image_job *j, range *t) {
    ct_loader *l = NULL;
    double sum = 0, top = largest(j);
    ct_status s = ct_loader_new(
        &j->o->allocator, &j->train_source,
        (ct_loader_options){
            .batch = j->recipe.batch, .seed = j->recipe.seed, .shuffle = 1, .threads = ct__readers(j)},
        &l, j->e);
    while (!s && !t->over && t->steps < STEPS) {
        double loss = t->lr = rate_at(top, t->steps); /* in: the rate */
        s = one_step(j, l, &loss);
        t->steps++;
        if (!s) take(t, &sum, loss);
        if (!s) s = add_row(j, t, loss);
        ct__tell_busy(j, "trying", "learning rates", t->steps, STEPS);
        if (!s && j->o->stop && *j->o->stop)
            s = ct_fail(j->e, CT_ECANCEL, "stopped in the range test of the learning rate");
    }
    ct_loader_free(l);
    return s;
}

ct_status ct__range_test(ct__image_job *j) {
    ct_tensors *keep = NULL;
    range t = {.lowest = INFINITY};
    char text[32];
    if (!j->o->lr_auto || j->resumed) return CT_OK;
    ct_status s = ct__trial_begin(j, &keep);
    if (!s) s = walk(j, &t);
    s = ct__trial_end(j, keep, s);
    if (s) return s;
    if (!(t.best > 0))
        return ct_fail(
            j->e, CT_ENONFINITE,
            "--lr auto: the loss is not finite at the first step; wanted numbers; look at the data");
    snprintf(text, sizeof text, "%.1e", t.best / 10);
    j->recipe.lr = strtod(text, NULL);
    ct__tell_fact(j, "lr auto", "%.4g: a tenth of %.3g, where the loss of %d steps of growing rate is lowest",
                  j->recipe.lr, t.best, t.steps);
    return CT_OK;
}
