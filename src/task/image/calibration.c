/* calibration.c: temperature and conformal scores between training, which measures them on the validation part,
 * and the model's document, from which evaluation and prediction take them. */
#include "task/image/calibration.h"

#include <math.h>

#define SCORES 1000           /* kept: a coverage is met to a thousandth */
#define MOST_LOGITS (1 << 24) /* kept while it is measured */

int64_t ct__calibration_every(int64_t records, int64_t classes) {
    int64_t every = (records * classes + MOST_LOGITS - 1) / MOST_LOGITS;
    return every < 1 ? 1 : every;
}

json_t *ct__calibration_json(const ct_allocator *a, const float *logits, const int64_t *label, int64_t rows,
                             int64_t classes, ct_err *e) {
    double temperature = 1, *score;
    int64_t n = rows < SCORES ? rows : SCORES;
    json_t *v = NULL, *list = NULL;
    ct_status s = ct_temperature_fit(logits, label, rows, classes, &temperature, e);
    if (s) return NULL;
    score = ct_new_array(a, (uint64_t)n, sizeof *score);
    if (!score) {
        ct_fail(e, CT_ELIMIT, "calibration: out of memory");
        return NULL;
    }
    s = ct_conformal_scores(a, logits, label, rows, classes, temperature, score, n, e);
    if (!s) list = json_array();
    for (int64_t i = 0; list && i < n; i++)
        json_array_append_new(list, json_integer(llround(score[i] * 1e7)));
    ct_delete(a, score, (uint64_t)n * sizeof *score);
    if (!s)
        v = json_pack("{s:f, s:I, s:o}", "temperature", temperature, "records", (json_int_t)rows, "scores",
                      list);
    if (!s && !v) ct_fail(e, CT_ELIMIT, "calibration: out of memory");
    return v;
}

double ct_image_temperature(const ct_model *m) {
    double t = ct_model_number(m, "calibration/temperature", 1);
    return t > 0 && isfinite(t) ? t : 1;
}

ct_status ct_image_threshold(const ct_model *m, double coverage, double *threshold, int64_t *records,
                             ct_err *e) {
    double score[SCORES];
    if (!(coverage > 0 && coverage < 1))
        return ct_fail(e, CT_EUSAGE, "coverage: %g; wanted between 0 and 1; give 0.9, say", coverage);
    json_t *doc = json_loads(ct_model_document(m), 0, NULL);
    const json_t *v = json_object_get(doc, "calibration"), *list = json_object_get(v, "scores");
    int64_t n = (int64_t)json_array_size(list), rows = json_integer_value(json_object_get(v, "records"));
    for (int64_t i = 0; i < n && i < SCORES; i++)
        score[i] = json_number_value(json_array_get(list, (size_t)i)) * 1e-7;
    json_decref(doc);
    if (n < 1 || n > SCORES || rows < n)
        return ct_fail(
            e, CT_EUSAGE,
            "coverage: the model has no calibration; wanted one that training measured; train it anew");
    *threshold = ct_conformal_threshold(score, n, rows, coverage);
    if (records) *records = rows;
    return CT_OK;
}
