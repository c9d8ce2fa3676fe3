/* evaluate.c: a plan of evaluation over all records of a source. */
#include "nn/evaluate.h"

#include <math.h>
#include <string.h>

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

ct_status ct__evaluate(ct_t value, ct_t logits, const ct_source *data, int64_t batch, double *mean,
                       double *accuracy, ct_err *e) {
    evaluation v = {0};
    ct_loader *l = NULL;
    ct_scores *scores = NULL;
    ct_t outs[2] = {value, logits};
    if (data->fields < 1 || data->fields > CT_MAX_FIELDS)
        return ct_fail(e, CT_EUSAGE, "evaluate: the data has %d fields; wanted 1 to %d", data->fields,
                       CT_MAX_FIELDS);
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
    uint64_t bytes = 0;
    int fits = ct_mul_ok((uint64_t)batch, (uint64_t)classes * sizeof(float), &bytes) && bytes < INT64_MAX;
    float *row = fits ? ct_new(ct_allocator_of(c), bytes) : NULL, one = 0;
    if (!s && !row)
        s = ct_fail(e, CT_ELIMIT, "evaluate: out of memory for batches of %lld", (long long)batch);
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
    return ct__evaluate(value, none, data, batch > 0 ? batch : 64, mean, NULL, e);
}
