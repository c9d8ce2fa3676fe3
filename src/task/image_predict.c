/* image_predict.c: a trained model on pictures: evaluation of a part, prediction of every record. */
#include <stdlib.h>
#include <string.h>

#include "task/image_data.h"

typedef struct pass { /* a model over one part of pictures */
    ct_model *m;
    const ct_allocator *allocator;
    ct_transform *transform;
    ct_session *session;
    ct_source source;
    ct_loader *loader;
    float *logits;
    int64_t classes, batch;
    ct_err *e;
} pass;

static ct_status check_size(const ct_model *m, const ct_array *x, const char *path, ct_err *e) {
    ct_shape want = ct_plan_input_shape(ct_model_plan((ct_model *)(uintptr_t)m), 0);
    int64_t channels = x->rank == 3 ? 1 : x->dim[1];
    if (want.rank == 4 && want.dim[1] == channels && want.dim[2] == x->dim[x->rank - 2] &&
        want.dim[3] == x->dim[x->rank - 1])
        return CT_OK;
    char text[CT_SHAPE_TEXT];
    return ct_fail_at(
        e, CT_EDATA, path, 4,
        "pictures of [%lld,%lld,%lld]; wanted %s, as the model; give pictures of the size it was "
        "trained on",
        (long long)channels, (long long)x->dim[x->rank - 2], (long long)x->dim[x->rank - 1],
        ct_shape_format(&want, text));
}

static ct_status open_pass(pass *p, const ct_array *images, const ct_array *labels, const char *path) {
    if (strcmp(ct_model_task(p->m), "image") != 0)
        return ct_fail(p->e, CT_EUSAGE, "model: its task is \"%.40s\"; wanted image", ct_model_task(p->m));
    p->allocator = ct_allocator_of(ct_model_context(p->m));
    p->classes = ct_shape_of(ct_model_output(p->m)).dim[1];
    p->batch = 256;
    ct_status s = check_size(p->m, images, path, p->e);
    if (!s) s = ct_transform_parse(p->allocator, ct_model_text(p->m, "transform"), &p->transform, p->e);
    if (!s) s = ct_source_images(p->allocator, images, labels, p->transform, &p->source, p->e);
    if (!s) s = ct_session_new(ct_model_context(p->m), &p->session, p->e);
    p->logits =
        s ? NULL : ct_new_array(p->allocator, (uint64_t)(p->batch * p->classes) + 16, sizeof *p->logits);
    if (!s && !p->logits) s = ct_fail(p->e, CT_ELIMIT, "predict: out of memory");
    return s;
}

static void close_pass(pass *p) {
    ct_loader_free(p->loader);
    ct_delete(p->allocator, p->logits, ((uint64_t)(p->batch * p->classes) + 16) * sizeof *p->logits);
    ct_session_free(p->session);
    ct_source_close(&p->source);
    ct_transform_free(p->transform);
}

static ct_status next_logits(pass *p, ct_batch *b) {
    ct_status s = ct_next(p->loader, b, p->e);
    if (s || b->rows == 0) return s;
    const void *in[1] = {b->field[0]};
    void *out[1] = {p->logits};
    s = ct_run(p->session, ct_model_plan(p->m), in, b->rows, out);
    return s ? ct_fail(p->e, s, "%s", ct_session_error(p->session)) : CT_OK;
}

/* ---- evaluate ---- */

static ct_status score_part(pass *p, const ct_source *part, ct_evaluation *out) {
    ct_scores *scores = NULL;
    ct_status s = ct_scores_new(p->allocator, p->classes, &scores, p->e);
    if (!s)
        s = ct_loader_new(p->allocator, part,
                          (ct_loader_options){.batch = p->batch, .evaluate = 1, .threads = 1}, &p->loader,
                          p->e);
    ct_batch b = {.rows = 1};
    while (!s && b.rows) {
        s = next_logits(p, &b);
        if (!s && b.rows) s = ct_scores_add(scores, p->logits, b.field[1], b.rows, p->e);
    }
    if (!s) {
        out->classes = p->classes;
        out->confusion = calloc((size_t)(p->classes * p->classes) + 1, sizeof *out->confusion);
        if (!out->confusion) s = ct_fail(p->e, CT_ELIMIT, "evaluate: out of memory");
    }
    for (int64_t i = 0; !s && i < p->classes * p->classes; i++)
        out->confusion[i] = ct_scores_confusion(scores, i / p->classes, i % p->classes);
    if (!s) out->score = ct_scores_result(scores);
    ct_scores_free(scores);
    return s;
}

/* Which records: the folder's own test part; or, of the data trained on, the part by the run's split; of other
 * data all. */
static ct_status choose_part(pass *p, const ct__pictures *pictures, const char *wanted, ct_evaluation *out,
                             int64_t **index, int64_t *n) {
    uint64_t seed = strtoull(ct_model_text(p->m, "recipe/seed"), NULL, 10);
    const char *all = ct_model_text(p->m, "data/all"), *part = wanted;
    char hex[33] = "";
    if (!part && all[0]) {
        ct_hash128 h;
        ct_status s = ct_source_hash(p->allocator, &p->source, "label", &h, p->e);
        if (s) return s;
        ct_hash_hex(h, hex);
        part = strcmp(hex, all) == 0 ? "test" : "all";
    }
    if (!part) part = "all";
    memset(out->part, 0, sizeof out->part);
    memcpy(out->part, part, strlen(part) < 60 ? strlen(part) : 60);
    return ct__pictures_split(p->allocator, pictures->images.dim[0], seed, all[0] != '\0', part, index, n,
                              p->e);
}

ct_status ct_evaluate_image(ct_model *m, const char *data, const char *part, int64_t limit,
                            ct_evaluation *out, ct_err *e) {
    pass p = {.m = m, .e = e};
    ct__pictures pictures = {0};
    ct_source chosen = {0};
    ct_evaluation v = {0};
    int64_t *index = NULL, n = 0, classes = ct_shape_of(ct_model_output(m)).dim[1];
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    if (part && strcmp(part, "train") != 0 && strcmp(part, "validation") != 0 && strcmp(part, "test") != 0 &&
        strcmp(part, "all") != 0)
        return ct_fail(e, CT_EUSAGE, "--part %.40s; wanted train, validation, test or all", part);
    int own_test = ct__pictures_has(data, CT__PART_TEST) && (!part || strcmp(part, "test") == 0);
    ct_status s = ct__pictures_load(ct_files_of(ct_model_context(m)), a, data,
                                    own_test ? CT__PART_TEST : CT__PART_TRAIN, limit, &pictures, e);
    if (!s) s = ct__pictures_check(&pictures, classes, e);
    if (!s) s = open_pass(&p, &pictures.images, &pictures.labels, pictures.path);
    if (!s && own_test) {
        memcpy(v.part, "test", 5);
        s = score_part(&p, &p.source, &v);
    } else if (!s) {
        s = choose_part(&p, &pictures, part, &v, &index, &n);
        if (!s && n == 0) s = ct_fail(e, CT_EDATA, "%s: the %s part has no record", pictures.path, v.part);
        if (!s) s = ct_source_subset(a, &p.source, index, n, &chosen, e);
        if (!s) s = score_part(&p, &chosen, &v);
    }
    ct_loader_free(p.loader);
    p.loader = NULL;
    ct_source_close(&chosen);
    if (p.allocator) close_pass(&p);
    ct_delete(a, index, ((size_t)n + 1) * sizeof *index);
    ct__pictures_free(&pictures);
    if (s)
        ct_evaluation_free(&v);
    else
        *out = v;
    return s;
}

void ct_evaluation_free(ct_evaluation *v) {
    free(v->confusion);
    v->confusion = NULL;
}

/* ---- predict ---- */

static ct_status tell_rows(pass *p, const char *path, const ct_batch *b, double *probability,
                           int (*each)(void *user, const ct_prediction *p), void *user) {
    for (int64_t r = 0; r < b->rows; r++) {
        int64_t label = ct_softmax_row(p->logits + r * p->classes, p->classes, probability);
        ct_prediction q = {.path = path,
                           .index = b->record[r],
                           .label = label,
                           .name = ct_model_label(p->m, label),
                           .probability = probability,
                           .classes = p->classes};
        if (each(user, &q)) return ct_fail(p->e, CT_ECANCEL, "predict: stopped");
    }
    return CT_OK;
}

ct_status ct_predict_image(ct_model *m, const char *path, int (*each)(void *user, const ct_prediction *p),
                           void *user, ct_err *e) {
    pass p = {.m = m, .e = e};
    ct_array images = {0};
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    ct_status s = ct_idx_load(ct_files_of(ct_model_context(m)), a, path, &images, e);
    if (!s) s = ct__pictures_pixels(&images, path, e);
    if (!s) s = open_pass(&p, &images, NULL, path);
    if (!s)
        s = ct_loader_new(a, &p.source, (ct_loader_options){.batch = p.batch, .evaluate = 1}, &p.loader, e);
    double *probability = s ? NULL : ct_new_array(a, (uint64_t)p.classes + 1, sizeof *probability);
    if (!s && !probability) s = ct_fail(e, CT_ELIMIT, "predict: out of memory");
    ct_batch b = {.rows = 1};
    while (!s && b.rows) {
        s = next_logits(&p, &b);
        if (!s && b.rows) s = tell_rows(&p, path, &b, probability, each, user);
    }
    ct_delete(a, probability, ((size_t)p.classes + 1) * sizeof *probability);
    if (p.allocator) close_pass(&p);
    ct_array_free(&images);
    return s;
}
