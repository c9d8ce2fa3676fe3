/* doctor_measure.c: a doctor's work around a step: the plan over a part of the batch, the weights before and after, the
 * losses. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "nn/doctor.h"

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- labels ---- */

static void count_label(ct_doctor *d, int64_t label) {
    if (label < 0 || label >= d->classes) return; /* a padding label */
    d->count[label]++;
    d->m->labels++;
}

static int64_t largest(const float *v, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (v[i] > v[best]) best = i;
    return best;
}

/* Labels of the rows measured: which classes there are. Returns the first label; *several: another one too. */
static void count_labels(ct_doctor *d, const void *field, int *several) {
    int64_t n = d->o.rows * d->label_count, first = -1;
    *several = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t label = d->shares ? largest((const float *)field + i * d->classes, d->classes)
                                  : ((const int64_t *)field)[i];
        count_label(d, label);
        if (first < 0) first = label;
        *several |= label != first;
    }
}

double ct__doctor_guess(const ct_doctor *d) {
    double sum = 0;
    if (d->m->labels < 32) return NAN;
    for (int64_t c = 0; c < d->classes; c++) {
        double p = d->count[c] / d->m->labels;
        if (p > 0) sum -= p * log(p);
    }
    return sum;
}

/* ---- one measurement ---- */

static void read_relu(ct_doctor *d, int32_t i) {
    const ct__activation *a = &d->act[i];
    int64_t n = d->o.rows * a->units, dead = 0;
    double active = 0;
    for (int64_t k = 0; k < n; k++) {
        active += (double)a->share[k];
        if (a->most[k] > 0) a->last[k % a->units] = d->m->measured;
    }
    double back = d->m->measured < CT__DEAD_AFTER ? d->m->measured : CT__DEAD_AFTER;
    for (int64_t u = 0; u < a->units; u++) dead += d->m->measured - a->last[u] >= back;
    d->layer[i] = (ct__layer_memory){active / (double)n, back < CT__DEAD_FROM ? NAN : (double)dead, NAN};
}

static void read_flat(ct_doctor *d, int32_t i) {
    const ct__activation *a = &d->act[i];
    double flat = 0;
    for (int64_t k = 0; k < d->o.rows * a->units; k++) flat += (double)a->share[k];
    d->layer[i] = (ct__layer_memory){NAN, NAN, flat / (double)(d->o.rows * a->units)};
}

/* How often in a row all predictions were one and the same class, and whether the labels were not. */
static void read_predictions(ct_doctor *d, int several) {
    int64_t n = d->o.rows * d->predictions, first = largest(d->logits, d->classes);
    int same = 1;
    for (int64_t r = 1; r < n && same; r++) same = largest(d->logits + r * d->classes, d->classes) == first;
    if (!same || d->m->one_class < 1 || (int64_t)d->m->class_seen != first)
        d->m->several = d->m->one_class = 0;
    d->m->class_seen = (double)first;
    if (same) d->m->one_class++;
    if (several) d->m->several = 1;
}

static void read_outputs(ct_doctor *d, const ct_batch *b) {
    int several = 0;
    d->m->measured++;
    for (int32_t i = 0; i < d->acts; i++) {
        if (d->act[i].kind == CT__RELU)
            read_relu(d, i);
        else
            read_flat(d, i);
    }
    for (int32_t i = 0; i < d->weights; i++)
        d->last[i].gradient = (double)d->weight[i].norm / sqrt((double)d->weight[i].count);
    if (d->label_count > 0) count_labels(d, b->field[d->o.label - 1], &several);
    if (d->predictions) read_predictions(d, several);
}

static ct_status keep_weights(ct_doctor *d, ct_err *e) {
    ct_status s = CT_OK;
    for (int32_t i = 0; i < d->weights && !s; i++) {
        ct__weight *w = &d->weight[i];
        ct_array a = ct_array_view(w->before, CT_F32, w->shape);
        if (w->before) s = ct_var_get(d->ctx, w->name, &a, e);
    }
    return s;
}

ct_status ct_doctor_before(ct_doctor *d, int64_t step, const ct_batch *b, ct_err *e) {
    double begin = seconds();
    const void *in[CT_MAX_FIELDS];
    d->measuring = 0;
    /* A last batch of an epoch may have too few; the middle of each stretch is measured, the first steps are not. */
    if (!d->plan || step % d->o.every != d->o.every / 2 || b->rows < d->o.rows) return CT_OK;
    for (int32_t i = 0; i < d->n_inputs; i++) in[i] = b->field[d->field[i]];
    ct_status s = ct_run(d->session, d->plan, in, d->o.rows, d->out);
    if (s == CT_ENONFINITE) return CT_OK; /* a trap: the step itself will say so */
    if (s) return ct_fail(e, s, "doctor: %s", ct_session_error(d->session));
    s = keep_weights(d, e);
    if (!s) read_outputs(d, b);
    d->measuring = !s;
    d->seconds += seconds() - begin;
    return s;
}

/* ---- after the step ---- */

static ct_status read_updates(ct_doctor *d, ct_err *e) {
    for (int32_t i = 0; i < d->weights; i++) {
        const ct__weight *w = &d->weight[i];
        ct_array a = ct_array_view(d->scratch, CT_F32, w->shape);
        if (!w->before) continue;
        ct_status s = ct_var_get(d->ctx, w->name, &a, e);
        if (s) return s;
        double change = 0, size = 0;
        for (int64_t k = 0; k < w->count; k++) {
            double before = (double)w->before[k], by = (double)d->scratch[k] - before;
            change += by * by;
            size += before * before;
        }
        d->last[i].weight = sqrt(size / (double)w->count);
        d->last[i].update = size > 0 ? sqrt(change / size) : NAN;
    }
    return CT_OK;
}

/* The first steps: a fiftieth of the training, 5 to 50; the moving mean looks back as far. */
static void read_loss(ct_doctor *d, double loss) {
    ct__memory *m = d->m;
    int64_t first = d->o.steps / 50 < 5 ? 5 : d->o.steps / 50 > 50 ? 50 : d->o.steps / 50;
    m->steps++;
    if (m->first_count < (double)first) {
        m->first_sum += loss;
        m->first_count++;
    }
    double span = m->steps < (double)first ? m->steps : (double)first;
    m->recent += (loss - m->recent) / span;
}

ct_status ct_doctor_after(ct_doctor *d, int64_t step, double loss, double lr, ct_err *e) {
    double begin = seconds();
    ct_status s = CT_OK;
    if (isfinite(loss)) {
        read_loss(d, loss);
        ct__doctor_judge_loss(d, step, lr);
    }
    if (d->measuring && isfinite(loss)) {
        s = read_updates(d, e);
        if (!s) ct__doctor_judge(d, step, lr);
    }
    d->measuring = 0;
    d->seconds += seconds() - begin;
    return s;
}
