/* doctor_rules.c: when a number is a fault, and the words for it. Each fault is told once.
 *
 * The limits are chosen so that the presets on Fashion-MNIST and the tests' sound nets stay silent, with a factor of
 * three or more to spare, and the tests' sick nets do not:
 *
 *     dead ReLUs        half of a layer: by then width is wasted. Sound nets have 0 to 20 %, narrow ones seldom 30
 *     saturated         60 % of outputs where the slope is under a hundredth of its greatest
 *     vanishing         1e-5 between the largest and the least gradient: beyond what Adam's eps of 1e-8 evens out
 *     exploding         a norm of 1,000; sound nets that begin at a loss of ln C have 0.1 to 30
 *     updates           a tenth of the weights a step; the rule of thumb is a thousandth (Karpathy, CS231n notes);
 *                       under a millionth float32 weights hardly change
 *     flat loss         within 2 % of what guessing by the classes' shares costs, a third into the training
 *     rising loss       half as much again as in the first steps */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/doctor.h"

#define DEAD 0.5
#define SATURATED 0.6
#define VANISHING 1e-5
#define EXPLODING 1e3
#define LARGE 0.1
#define SMALL 1e-6
#define FLAT 0.98
#define RISING 1.5

const char *ct_fault_name(int32_t fault) {
    static const char *const names[] = {
        "dead_relu",     "saturated", "vanishing_gradient", "exploding_gradient", "large_updates",
        "small_updates", "flat_loss", "rising_loss",        "one_class",          "nonfinite"};
    return fault >= 1 && fault <= CT_FAULTS ? names[fault - 1] : NULL;
}

static int is_found(const ct_doctor *d, int32_t fault) {
    for (int32_t i = 0; i < (int32_t)d->m->found; i++)
        if ((int32_t)d->m->finding[i].fault == fault) return 1;
    return 0;
}

/* more: a second number for the words. */
static void add(ct_doctor *d, int32_t fault, int64_t step, double value, double limit, double more,
                double index) {
    int32_t i = (int32_t)d->m->found;
    if (i >= CT_FAULTS || is_found(d, fault)) return;
    d->m->finding[i] = (ct__found){fault, (double)step + 1, value, limit, more, index};
    d->m->found = i + 1;
    ct__doctor_words(d, i);
}

/* ---- words ---- */

/* Two digits, with a point whatever the locale. */
static const char *digits(double v, char out[48]) {
    ct_text t = {0};
    double power = v > 0 && v < INFINITY ? pow(10, 1 - floor(log10(v))) : 1;
    ct_text_number(&t, v > 0 && isfinite(power) && power > 0 ? round(v * power) / power : v);
    snprintf(out, 48, "%.40s", t.data ? t.data : "?");
    ct_text_free(&t);
    return out;
}

static const char *layer_of(const ct_doctor *d, const ct__found *f) {
    int64_t i = (int64_t)f->index;
    int of_layer = (int32_t)f->fault == CT_FAULT_DEAD_RELU || (int32_t)f->fault == CT_FAULT_SATURATED,
        of_weight = (int32_t)f->fault == CT_FAULT_VANISHING || (int32_t)f->fault == CT_FAULT_LARGE_UPDATES;
    if (of_layer && i >= 0 && i < d->acts) return d->act[i].layer;
    return of_weight && i >= 0 && i < d->weights ? d->weight[i].name : "";
}

static void words_of_layer(const ct_doctor *d, const ct__found *f, ct_finding *out) {
    const ct__activation *a = &d->act[f->index >= 0 && f->index < d->acts ? (int32_t)f->index : 0];
    if (out->fault == CT_FAULT_DEAD_RELU) {
        snprintf(out->text, sizeof out->text, "%.0f of %lld ReLUs of %.60s give 0 for every record", f->more,
                 (long long)a->units, a->layer);
        snprintf(out->advice, sizeof out->advice, "a lower --lr, or leaky_relu");
    } else {
        snprintf(out->text, sizeof out->text, "%.0f %% of the %s outputs of %.60s are saturated",
                 f->value * 100, a->kind == CT__TANH ? "tanh" : "sigmoid", a->layer);
        snprintf(out->advice, sizeof out->advice, "a lower --lr, batch_norm, or relu");
    }
}

static void words_of_gradient(const char *layer, const ct__found *f, ct_finding *out) {
    char a[48], b[48];
    if (out->fault == CT_FAULT_VANISHING) {
        if (f->value > 0)
            snprintf(out->text, sizeof out->text, "the gradient of %.64s is %s of the largest", layer,
                     digits(f->value, a));
        else
            snprintf(out->text, sizeof out->text, "no gradient reaches %.64s", layer);
        snprintf(out->advice, sizeof out->advice, "relu, batch_norm, or fewer layers");
    } else if (out->fault == CT_FAULT_EXPLODING) {
        snprintf(out->text, sizeof out->text, "the gradient's norm is %s", digits(f->value, a));
        snprintf(out->advice, sizeof out->advice, "--clip 1, or smaller weights to begin with");
    } else if (out->fault == CT_FAULT_LARGE_UPDATES) {
        snprintf(out->text, sizeof out->text, "a step changes %.64s by %.0f %%", layer, f->value * 100);
        snprintf(out->advice, sizeof out->advice, "--lr %s", digits(f->more * 0.01 / f->value, a));
    } else {
        snprintf(out->text, sizeof out->text, "a step changes no weight by more than %s of it, at lr %s",
                 digits(f->value, a), digits(f->more, b));
        snprintf(out->advice, sizeof out->advice, "a higher --lr");
    }
}

static void words_of_loss(const ct__found *f, ct_finding *out) {
    char lr[48];
    if (out->fault == CT_FAULT_FLAT_LOSS) {
        snprintf(out->text, sizeof out->text, "the loss, %.4g, is no better than guessing, %.4g", f->value,
                 f->limit / FLAT);
        snprintf(out->advice, sizeof out->advice, "another --lr; are the labels right?");
    } else {
        snprintf(out->text, sizeof out->text, "the loss rose from %.4g to %.4g", f->limit / RISING, f->value);
        snprintf(out->advice, sizeof out->advice, "--lr %s", digits(f->more / 10, lr));
    }
}

void ct__doctor_words(ct_doctor *d, int32_t i) {
    const ct__found *f = &d->m->finding[i];
    ct_finding *out = &d->finding[i];
    *out = (ct_finding){
        .fault = (int32_t)f->fault, .step = (int64_t)f->step, .value = f->value, .limit = f->limit};
    snprintf(out->layer, sizeof out->layer, "%.63s", layer_of(d, f));
    if (out->fault == CT_FAULT_DEAD_RELU || out->fault == CT_FAULT_SATURATED) {
        if (d->acts) words_of_layer(d, f, out);
    } else if (out->fault == CT_FAULT_FLAT_LOSS || out->fault == CT_FAULT_RISING_LOSS) {
        words_of_loss(f, out);
    } else if (out->fault == CT_FAULT_ONE_CLASS) {
        snprintf(out->text, sizeof out->text, "the last %.0f records are all taken for class %.0f", f->value,
                 f->index);
        snprintf(out->advice, sizeof out->advice, "a lower --lr; are the classes balanced?");
    } else if (out->fault == CT_FAULT_NONFINITE) {
        snprintf(out->text, sizeof out->text, "%s", *d->nonfinite);
        snprintf(out->advice, sizeof out->advice, "a lower --lr, --clip 1, or --nonfinite rollback");
    } else {
        words_of_gradient(layer_of(d, f), f, out);
    }
}

/* ---- rules ---- */

void ct__doctor_judge_loss(ct_doctor *d, int64_t step, double lr) {
    const ct__memory *m = d->m;
    double first = m->first_sum / m->first_count, guess = ct__doctor_guess(d);
    int64_t look = d->o.steps / 3 > 60 ? d->o.steps / 3 : 60;
    if (m->steps < 3 * m->first_count) return;
    if (m->recent > RISING * first) add(d, CT_FAULT_RISING_LOSS, step, m->recent, RISING * first, lr, -1);
    if (step >= look && guess > 0 && m->recent >= FLAT * guess && m->recent < RISING * first)
        add(d, CT_FAULT_FLAT_LOSS, step, m->recent, FLAT * guess, 0, -1);
}

static void judge_layers(ct_doctor *d, int64_t step) {
    int32_t dead = -1, flat = -1;
    for (int32_t i = 0; i < d->acts; i++) {
        double share = d->layer[i].dead / (double)d->act[i].units;
        if (share > DEAD && (dead < 0 || share > d->layer[dead].dead / (double)d->act[dead].units)) dead = i;
        if (d->layer[i].saturated > SATURATED &&
            (flat < 0 || d->layer[i].saturated > d->layer[flat].saturated))
            flat = i;
    }
    if (dead >= 0)
        add(d, CT_FAULT_DEAD_RELU, step, d->layer[dead].dead / (double)d->act[dead].units, DEAD,
            d->layer[dead].dead, dead);
    d->m->saturated = flat >= 0 ? d->m->saturated + 1 : 0;
    if (d->m->saturated >= 2) add(d, CT_FAULT_SATURATED, step, d->layer[flat].saturated, SATURATED, 0, flat);
}

static void judge_gradients(ct_doctor *d, int64_t step) {
    double most = 0, square = 0;
    int32_t least = -1;
    for (int32_t i = 0; i < d->weights; i++) {
        double g = d->last[i].gradient;
        if (!isfinite(g)) return;
        most = g > most ? g : most;
        square += g * g * (double)d->weight[i].count;
        if (least < 0 || g < d->last[least].gradient) least = i;
    }
    double norm = sqrt(square), share = most > 0 ? d->last[least].gradient / most : 1;
    d->m->exploding = norm > EXPLODING ? d->m->exploding + 1 : 0;
    d->m->vanishing = share < VANISHING ? d->m->vanishing + 1 : 0;
    if (d->m->exploding >= 2) add(d, CT_FAULT_EXPLODING, step, norm, EXPLODING, 0, -1);
    if (d->m->vanishing >= 3) add(d, CT_FAULT_VANISHING, step, share, VANISHING, 0, least);
}

/* The median of the updates against too large ones: one small layer may move more. The largest against too small. */
static void judge_updates(ct_doctor *d, int64_t step, double lr) {
    int32_t known = 0, most = -1, above = 0;
    for (int32_t i = 0; i < d->weights; i++) {
        double u = d->last[i].update;
        if (!isfinite(u)) continue;
        known++;
        above += u > LARGE;
        if (most < 0 || u > d->last[most].update) most = i;
    }
    if (!known) return;
    double update = d->last[most].update;
    d->m->large = 2 * above > known ? d->m->large + 1 : 0;
    d->m->small = update < SMALL ? d->m->small + 1 : 0;
    if (d->m->large >= 2) add(d, CT_FAULT_LARGE_UPDATES, step, update, LARGE, lr, most);
    if (d->m->small >= 2) add(d, CT_FAULT_SMALL_UPDATES, step, update, SMALL, lr, most);
}

void ct__doctor_judge(ct_doctor *d, int64_t step, double lr) {
    judge_layers(d, step);
    judge_gradients(d, step);
    judge_updates(d, step, lr);
    if (d->m->one_class >= 4 && d->m->several > 0)
        add(d, CT_FAULT_ONE_CLASS, step, d->m->one_class * (double)(d->o.rows * d->predictions), 1, 0,
            d->m->class_seen);
}

void ct_doctor_nonfinite(ct_doctor *d, int64_t step, const char *what) {
    if (is_found(d, CT_FAULT_NONFINITE)) return;
    ct_escape(what, *d->nonfinite, sizeof *d->nonfinite);
    add(d, CT_FAULT_NONFINITE, step, NAN, NAN, 0, -1);
}
