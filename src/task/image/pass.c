/* pass.c: a model over pictures, batch by batch. */
#include "task/image/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ct_status make_room(ct__pass *p) {
    uint64_t n = 0;
    p->logits = ct_mul_ok((uint64_t)p->batch, (uint64_t)p->width, &n)
                    ? ct_new_array(p->allocator, n + 16, sizeof *p->logits)
                    : NULL;
    return p->logits ? CT_OK : ct_fail(p->e, CT_ELIMIT, "predict: out of memory");
}

ct_status ct__pass_task(const ct_model *m, ct_err *e) {
    if (strcmp(ct_model_task(m), "image") == 0) return CT_OK;
    return ct_fail(e, CT_EUSAGE,
                   "model: its task is \"%.40s\"; wanted image; give a model of cotan train image",
                   ct_model_task(m));
}

/* The channels that the transform wants of a picture to make what the net reads. Where both do, because it has `grey`
 * in it, pictures stay as they are, as training had them: so its records are known again. */
static int32_t channels_for(const ct__pass *p) {
    int32_t fits = 0;
    for (int32_t c = 1; c <= 3; c += 2) {
        int64_t made[3];
        if (!ct_transform_shape(p->transform, (const int64_t[3]){c, 256, 256}, made, NULL) &&
            made[0] == p->want[0])
            fits |= c;
    }
    return fits == 1 || fits == 3 ? fits : 0;
}

ct_status ct__pass_open(ct__pass *p) {
    if (ct__pass_task(p->m, p->e)) return CT_EUSAGE;
    ct_shape want = ct_plan_input_shape(ct_model_plan(p->m), 0);
    if (want.rank != 4)
        return ct_fail(p->e, CT_EDATA,
                       "model: its input has %d axes; wanted pictures, 4; give a model of cotan train image",
                       want.rank);
    memcpy(p->want, want.dim + 1, sizeof p->want);
    p->allocator = ct_allocator_of(ct_model_context(p->m));
    p->classes = ct_shape_of(ct_model_output(p->m)).dim[1];
    p->width = p->classes;
    p->batch = 256;
    p->plan = ct_model_plan(p->m);
    p->temperature = ct_image_temperature(p->m);
    p->threshold = -1;
    const char *background = ct_model_text(p->m, "recipe/background");
    if (*background && ct_picture_background(background, &p->picture.background, p->e)) return CT_EDATA;
    ct_status s = ct_transform_parse(p->allocator, ct_model_text(p->m, "transform"), &p->transform, p->e);
    if (!s) p->picture.channels = channels_for(p);
    if (!s) s = ct_session_new(ct_model_context(p->m), &p->session, p->e);
    return s ? s : make_room(p);
}

/* ---- a layer ---- */

/* The last layer with parameters: its first operand is what the net makes of a picture before it decides. */
static ct_t last_features(const ct_t *layer, int32_t n) {
    for (int32_t i = n - 1; i >= 0; i--)
        if (ct_ok(ct_operand(layer[i], 1))) return ct_operand(layer[i], 0);
    return (ct_t){0};
}

static ct_status no_layer(const ct__pass *p, const ct_t *layer, int32_t n, const char *name) {
    char names[500] = "";
    for (int32_t i = 0; i < n && strlen(names) < 400; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%.60s", i ? ", " : "",
                 ct_name_of(layer[i]));
    return ct_fail(p->e, CT_EUSAGE,
                   "layer: %.60s: the net has none of that name; wanted one of %s; choose one", name,
                   n ? names : "none");
}

static ct_status find_layer(const ct__pass *p, const char *name, ct_t *out) {
    ct_t y = ct_model_output(p->m);
    int32_t nodes = ct_nodes_of(y, NULL, 0), n = 0, found = -1;
    ct_t *layer = ct_new_array(p->allocator, (uint64_t)nodes + 1, sizeof *layer);
    if (nodes == 0 || !layer || ct_nodes_of(y, layer, nodes) != nodes) {
        ct_delete(p->allocator, layer, ((uint64_t)nodes + 1) * sizeof *layer);
        return ct_fail(p->e, CT_ELIMIT, "layer: out of memory");
    }
    for (int32_t i = 0; i < nodes; i++) /* nodes with a name that compute: layers */
        if (*ct_name_of(layer[i]) && ct_ok(ct_operand(layer[i], 0))) layer[n++] = layer[i];
    for (int32_t i = 0; i < n; i++)
        if (strcmp(ct_name_of(layer[i]), name) == 0) found = i;
    *out = *name ? found >= 0 ? layer[found] : (ct_t){0} : last_features(layer, n);
    ct_status s = ct_ok(*out) ? CT_OK : no_layer(p, layer, n, *name ? name : "(the last)");
    ct_delete(p->allocator, layer, ((uint64_t)nodes + 1) * sizeof *layer);
    return s;
}

ct_status ct__pass_layer(ct__pass *p, const char *name) {
    ct_t x;
    ct_status s = find_layer(p, name, &x);
    if (s) return s;
    ct_shape shape = ct_shape_of(x);
    uint64_t width = 1;
    for (int32_t i = 1; i < shape.rank; i++)
        if (shape.dim[i] < 1 || !ct_mul_ok(width, (uint64_t)shape.dim[i], &width)) width = 0;
    if (shape.rank < 1 || shape.dim[0] != CT_N || !width || width > INT32_MAX || ct_dtype_of(x) != CT_F32)
        return ct_fail(
            p->e, CT_EUSAGE,
            "layer: %.60s: its output is not a row of floats for each picture; wanted such a layer; "
            "choose another",
            name);
    s = ct_plan_new(&x, 1, NULL, 0, (ct_compile){0}, &p->own_plan, p->e);
    if (s) return s;
    ct_delete(p->allocator, p->logits, ((uint64_t)(p->batch * p->width) + 16) * sizeof *p->logits);
    p->plan = p->own_plan;
    p->width = (int64_t)width;
    return make_room(p);
}

ct_status ct__pass_coverage(ct__pass *p, double coverage) {
    return coverage == 0 ? CT_OK : ct_image_threshold(p->m, coverage, &p->threshold, NULL, p->e);
}

ct_status ct__pass_calibrated(const ct__pass *p, const char *path) {
    return ct_fail_at(p->e, CT_EUSAGE, path, -1,
                      "--coverage: among these records are those that calibrated the sets; wanted only "
                      "others; leave --part "
                      "out, or give other data");
}

void ct__pass_row(const ct__pass *p, int64_t r, double *probability, ct_prediction *out) {
    const float *row = p->logits + r * p->width;
    if (p->own_plan) {
        out->label = -1;
        out->feature = row;
        out->features = p->width;
        return;
    }
    out->label = ct_softmax_at(row, p->classes, p->temperature, probability);
    out->name = ct_model_label(p->m, out->label);
    out->probability = probability;
    out->classes = p->classes;
    if (p->threshold < 0) return;
    for (int64_t c = 0; c < p->classes; c++) out->set += c == out->label || probability[c] >= p->threshold;
}

void ct__pass_close(ct__pass *p) {
    if (!p->allocator) return;
    ct_loader_free(p->loader);
    ct_delete(p->allocator, p->logits, ((uint64_t)(p->batch * p->width) + 16) * sizeof *p->logits);
    ct_plan_free(p->own_plan);
    ct_session_free(p->session);
    if (p->source.close) ct_source_close(&p->source);
    ct_transform_free(p->transform);
}

ct_status ct__pass_fits(const ct__pass *p, const int64_t shape[3], const char *path, int64_t at) {
    int64_t made[3];
    ct_err why = {0};
    if (ct_transform_shape(p->transform, shape, made, &why))
        return ct_fail_at(p->e, CT_EDATA, path, at, "pictures of [%lld,%lld,%lld]: %s", (long long)shape[0],
                          (long long)shape[1], (long long)shape[2], why.text);
    if (memcmp(made, p->want, sizeof made) == 0) return CT_OK;
    return ct_fail_at(
        p->e, CT_EDATA, path, at,
        "pictures of [%lld,%lld,%lld]; wanted [N,%lld,%lld,%lld], as the model; give pictures of "
        "the size it was trained on",
        (long long)shape[0], (long long)shape[1], (long long)shape[2], (long long)p->want[0],
        (long long)p->want[1], (long long)p->want[2]);
}

ct_status ct__pass_next(ct__pass *p, ct_batch *b) {
    ct_status s = ct_next(p->loader, b, p->e);
    if (s || b->rows == 0) return s;
    const void *in[1] = {b->field[0]};
    void *out[1] = {p->logits};
    s = ct_run(p->session, p->plan, in, b->rows, out);
    return s ? ct_fail(p->e, s, "%s", ct_session_error(p->session)) : CT_OK;
}

static ct_status collect(ct__pass *p, const ct_source *part, ct_scores *scores) {
    ct_loader_options o = {.batch = p->batch, .evaluate = 1, .threads = p->threads ? p->threads : 1};
    ct_batch b = {.rows = 1};
    ct_status s = ct_loader_new(p->allocator, part, o, &p->loader, p->e);
    while (!s && b.rows) {
        s = ct__pass_next(p, &b);
        if (!s && b.rows) s = ct_scores_add(scores, p->logits, b.field[1], b.rows, p->e);
    }
    return s;
}

static ct_status results(const ct__pass *p, const ct_scores *scores, ct_evaluation *out) {
    out->classes = p->classes;
    out->confusion = calloc((size_t)(p->classes * p->classes) + 1, sizeof *out->confusion);
    out->each = calloc((size_t)p->classes + 1, sizeof *out->each);
    if (!out->confusion || !out->each) return ct_fail(p->e, CT_ELIMIT, "evaluate: out of memory");
    for (int64_t i = 0; i < p->classes * p->classes; i++)
        out->confusion[i] = ct_scores_confusion(scores, i / p->classes, i % p->classes);
    for (int64_t c = 0; c < p->classes; c++) out->each[c] = ct_scores_class(scores, c);
    out->score = ct_scores_result(scores);
    out->calibrated = ct_scores_calibrated(scores);
    out->calibrated_on = (int64_t)ct_model_number(p->m, "calibration/records", 0);
    if (out->top == 0) out->top = 5;
    out->top_k = ct_scores_top(scores, out->top);
    return CT_OK;
}

ct_status ct__pass_score(ct__pass *p, const ct_source *part, ct_evaluation *out) {
    ct_scores *scores = NULL;
    ct_status s = ct__pass_coverage(p, out->coverage);
    if (!s) s = ct_scores_new(p->allocator, p->classes, &scores, p->e);
    if (s) return s;
    ct_scores_calibrate(scores, p->temperature, p->threshold);
    s = collect(p, part, scores);
    if (!s) s = results(p, scores, out);
    ct_scores_free(scores);
    return s;
}
