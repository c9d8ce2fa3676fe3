/* scores.c: metrics of classification, from logits and labels, in double, in the order of samples. */
#include <math.h>
#include <string.h>

#include "cotan/data.h"

#define BINS 15

typedef struct bins { /* samples by the probability of the class named */
    int64_t count[BINS], right[BINS];
    double confidence[BINS];
} bins;

struct ct_scores {
    const ct_allocator *allocator;
    int64_t classes, samples;
    double loss, squares; /* sums of cross-entropies, and of their squares */
    int64_t *confusion;   /* [truth, predicted] */
    int64_t *rank;        /* [classes]: samples whose label has so many classes above it */
    double *probability;
    bins plain, scaled;            /* scaled: of logits / temperature */
    double temperature, threshold; /* 1; -1: no sets */
    double scaled_loss;
    int64_t covered, members; /* sets with the label in it; classes in all sets */
};

ct_status ct_scores_new(const ct_allocator *a, int64_t classes, ct_scores **out, ct_err *e) {
    uint64_t cells = 0;
    if (classes < 1)
        return ct_fail(e, CT_EUSAGE, "scores: %lld classes; wanted at least 1; give their number",
                       (long long)classes);
    if (!ct_mul_ok((uint64_t)classes, (uint64_t)classes, &cells))
        return ct_fail(e, CT_ELIMIT, "scores: %lld classes; wanted so few that their square can be counted",
                       (long long)classes);
    ct_scores *s = ct_new(a, sizeof *s);
    if (!s) return ct_fail(e, CT_ELIMIT, "scores: out of memory");
    s->allocator = a;
    s->classes = classes;
    s->temperature = 1;
    s->threshold = -1;
    s->confusion = ct_new_array(a, cells, sizeof *s->confusion);
    s->rank = ct_new_array(a, (uint64_t)classes, sizeof *s->rank);
    s->probability = ct_new_array(a, (uint64_t)classes, sizeof *s->probability);
    if (!s->confusion || !s->rank || !s->probability) {
        ct_scores_free(s);
        return ct_fail(e, CT_ELIMIT, "scores: out of memory for %lld classes", (long long)classes);
    }
    *out = s;
    return CT_OK;
}

void ct_scores_free(ct_scores *s) {
    if (!s) return;
    ct_delete(s->allocator, s->confusion, (size_t)(s->classes * s->classes) * sizeof *s->confusion);
    ct_delete(s->allocator, s->rank, (size_t)s->classes * sizeof *s->rank);
    ct_delete(s->allocator, s->probability, (size_t)s->classes * sizeof *s->probability);
    ct_delete(s->allocator, s, sizeof *s);
}

int64_t ct_softmax_at(const float *logits, int64_t classes, double temperature, double *probability) {
    int64_t best = 0;
    double sum = 0;
    for (int64_t c = 1; c < classes; c++) /* NaN wins, the first of several */
        if (logits[c] > logits[best] || (isnan(logits[c]) && !isnan(logits[best]))) best = c;
    for (int64_t c = 0; c < classes; c++)
        sum += probability[c] = exp(((double)logits[c] - (double)logits[best]) / temperature);
    for (int64_t c = 0; c < classes; c++) probability[c] /= sum;
    return best;
}

int64_t ct_softmax_row(const float *logits, int64_t classes, double *probability) {
    return ct_softmax_at(logits, classes, 1, probability);
}

static double cross_entropy(const float *logits, int64_t classes, int64_t label, double temperature) {
    double max = (double)logits[0], sum = 0;
    for (int64_t c = 1; c < classes; c++)
        if ((double)logits[c] > max) max = (double)logits[c];
    for (int64_t c = 0; c < classes; c++) sum += exp(((double)logits[c] - max) / temperature);
    return log(sum) + (max - (double)logits[label]) / temperature;
}

void ct_scores_calibrate(ct_scores *s, double temperature, double threshold) {
    s->temperature = temperature;
    s->threshold = threshold;
}

static ct_status check_logits(const ct_scores *s, const float *logits, ct_err *e) {
    int64_t finite = 0;
    for (int64_t c = 0; c < s->classes; c++) {
        if (isnan(logits[c]) || logits[c] == INFINITY)
            return ct_fail(e, CT_ENONFINITE,
                           "scores: sample %lld has %g for class %lld; wanted a number, or -inf",
                           (long long)s->samples, (double)logits[c], (long long)c);
        finite += logits[c] != -INFINITY;
    }
    if (finite) return CT_OK;
    return ct_fail(e, CT_ENONFINITE,
                   "scores: sample %lld has -inf for every class; wanted a number for one of them",
                   (long long)s->samples);
}

static void count_bin(bins *b, double confidence, int right) {
    int32_t bin = confidence >= 1 ? BINS - 1 : (int32_t)(confidence * BINS);
    b->count[bin]++;
    b->right[bin] += right;
    b->confidence[bin] += confidence;
}

/* The same sample at the temperature, and its set; s->probability is this temperature's afterwards. */
static void add_scaled(ct_scores *s, const float *logits, int64_t label, int64_t best) {
    int64_t size = 0;
    (void)ct_softmax_at(logits, s->classes, s->temperature, s->probability);
    count_bin(&s->scaled, s->probability[best], best == label);
    s->scaled_loss += cross_entropy(logits, s->classes, label, s->temperature);
    if (s->threshold < 0) return;
    for (int64_t c = 0; c < s->classes; c++) size += s->probability[c] >= s->threshold || c == best;
    s->members += size;
    s->covered += s->probability[label] >= s->threshold || label == best;
}

ct_status ct_scores_add(ct_scores *s, const float *logits, const int64_t *label, int64_t rows, ct_err *e) {
    for (int64_t r = 0; r < rows; r++, logits += s->classes) {
        if (label[r] < 0 || label[r] >= s->classes)
            return ct_fail(e, CT_EDATA, "scores: sample %lld has label %lld; wanted 0 to %lld",
                           (long long)s->samples, (long long)label[r], (long long)s->classes - 1);
        ct_status status = check_logits(s, logits, e);
        if (status) return status;
        int64_t best = ct_softmax_row(logits, s->classes, s->probability), above = 0;
        for (int64_t c = 0; c < s->classes; c++)
            above += logits[c] > logits[label[r]] || (logits[c] == logits[label[r]] && c < label[r]);
        count_bin(&s->plain, s->probability[best], best == label[r]);
        double loss = cross_entropy(logits, s->classes, label[r], 1);
        s->loss += loss;
        s->squares += loss * loss;
        add_scaled(s, logits, label[r], best);
        s->confusion[label[r] * s->classes + best]++;
        s->rank[above]++;
        s->samples++;
    }
    return CT_OK;
}

/* Wilson's interval for a share of n. */
static void wilson(double share, double n, double *low, double *high) {
    double z = 1.959963984540054, z2 = z * z, centre = share + z2 / (2 * n),
           half = z * sqrt(share * (1 - share) / n + z2 / (4 * n * n));
    *low = (centre - half) / (1 + z2 / n);
    *high = (centre + half) / (1 + z2 / n);
}

/* Means over the classes that occur as truth or as prediction; 0/0 counts as 0, as scikit-learn does. */
static void per_class(const ct_scores *s, ct_score *r, int64_t *right, int64_t *largest) {
    int64_t used = 0;
    for (int64_t c = 0; c < s->classes; c++) {
        ct_class_score one = ct_scores_class(s, c);
        *right += one.right;
        if (one.samples > *largest) *largest = one.samples;
        if (one.samples + one.predicted == 0) continue;
        used++;
        r->macro_precision += one.predicted ? one.precision : 0;
        r->macro_recall += one.samples ? one.recall : 0;
        r->macro_f1 += one.f1;
    }
    r->macro_precision /= (double)used;
    r->macro_recall /= (double)used;
    r->macro_f1 /= (double)used;
}

/* Expected calibration error: the distance of confidence and accuracy, weighted by the samples in a bin. */
static double error_of(const bins *b, double n) {
    double sum = 0;
    for (int32_t i = 0; i < BINS; i++)
        if (b->count[i]) sum += fabs((double)b->right[i] - b->confidence[i]) / n;
    return sum;
}

ct_score ct_scores_result(const ct_scores *s) {
    ct_score r = {.samples = s->samples};
    double n = (double)s->samples;
    int64_t right = 0, largest = 0;
    if (s->samples == 0) {
        r.loss = r.loss_error = r.accuracy = r.low = r.high = r.top5 = r.macro_f1 = r.macro_precision =
            r.macro_recall = r.ece = r.baseline = NAN;
        return r;
    }
    per_class(s, &r, &right, &largest);
    r.loss = s->loss / n;
    r.loss_error =
        n > 1 && isfinite(r.loss) ? sqrt(fmax(s->squares / n - r.loss * r.loss, 0) / (n - 1)) : NAN;
    r.accuracy = (double)right / n;
    r.top5 = ct_scores_top(s, 5);
    r.baseline = (double)largest / n;
    wilson(r.accuracy, n, &r.low, &r.high);
    r.ece = error_of(&s->plain, n);
    return r;
}

ct_calibrated ct_scores_calibrated(const ct_scores *s) {
    double n = (double)s->samples;
    ct_calibrated r = {.temperature = s->temperature, .threshold = s->threshold};
    r.loss = r.ece = r.covered = r.low = r.high = r.mean_size = NAN;
    if (s->samples == 0) return r;
    r.loss = s->scaled_loss / n;
    r.ece = error_of(&s->scaled, n);
    if (s->threshold < 0) return r;
    r.covered = (double)s->covered / n;
    r.mean_size = (double)s->members / n;
    wilson(r.covered, n, &r.low, &r.high);
    return r;
}

ct_class_score ct_scores_class(const ct_scores *s, int64_t c) {
    ct_class_score r = {.precision = NAN, .recall = NAN, .f1 = NAN};
    if (c < 0 || c >= s->classes) return r;
    for (int64_t k = 0; k < s->classes; k++) {
        r.samples += s->confusion[c * s->classes + k];
        r.predicted += s->confusion[k * s->classes + c];
    }
    r.right = s->confusion[c * s->classes + c];
    if (r.predicted) r.precision = (double)r.right / (double)r.predicted;
    if (r.samples) r.recall = (double)r.right / (double)r.samples;
    if (r.samples + r.predicted) r.f1 = 2 * (double)r.right / (double)(r.samples + r.predicted);
    return r;
}

double ct_scores_top(const ct_scores *s, int64_t k) {
    int64_t right = 0;
    for (int64_t i = 0; i < k && i < s->classes; i++) right += s->rank[i];
    return s->samples ? (double)right / (double)s->samples : NAN;
}

int64_t ct_scores_confusion(const ct_scores *s, int64_t truth, int64_t predicted) {
    if (truth < 0 || predicted < 0 || truth >= s->classes || predicted >= s->classes) return 0;
    return s->confusion[truth * s->classes + predicted];
}

int64_t ct_confused_next(const int64_t *confusion, int64_t classes, int64_t before) {
    int64_t limit = before < 0 ? INT64_MAX : confusion[before], most = 0, at = -1;
    for (int64_t i = 0; i < classes * classes; i++) {
        int64_t k = confusion[i];
        if (i / classes == i % classes || k > limit || (k == limit && i <= before)) continue;
        if (k > most) most = k, at = i;
    }
    return at;
}

static void number(ct_text *t, double v) {
    if (isfinite(v))
        ct_text_number(t, v);
    else
        ct_text_add(t, "null");
}

static void member(ct_text *t, const char *key, double v) {
    ct_text_format(t, ",\"%s\":", key);
    number(t, v);
}

void ct_score_json(const ct_score *s, ct_text *out) {
    ct_text_format(out, "{\"samples\":%lld", (long long)s->samples);
    member(out, "loss", s->loss);
    member(out, "loss_error", s->loss_error);
    member(out, "accuracy", s->accuracy);
    ct_text_add(out, ",\"accuracy_ci95\":[");
    number(out, s->low);
    ct_text_add(out, ",");
    number(out, s->high);
    ct_text_add(out, "]");
    member(out, "top5_accuracy", s->top5);
    member(out, "macro_f1", s->macro_f1);
    member(out, "macro_precision", s->macro_precision);
    member(out, "macro_recall", s->macro_recall);
    member(out, "log_loss", s->loss);
    member(out, "ece", s->ece);
    member(out, "baseline_accuracy", s->baseline);
    ct_text_add(out, "}");
}
