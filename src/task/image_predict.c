/* image_predict.c: a trained model on pictures: evaluation of a part, prediction of every record. */
#include <stdio.h>
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
        return ct_fail(p->e, CT_EUSAGE,
                       "model: its task is \"%.40s\"; wanted image; give a model of cotan train image",
                       ct_model_task(p->m));
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

static ct_status hash_is(const pass *p, const ct_source *s, const char *skip, const char *wanted, int *same) {
    char hex[33];
    ct_hash128 h;
    ct_status status = ct_source_hash(p->allocator, s, skip, &h, p->e);
    if (status) return status;
    ct_hash_hex(h, hex);
    *same = strcmp(hex, wanted) == 0;
    return CT_OK;
}

/* The records of a folder that a choice of part is about. */
typedef struct choice {
    const ct__pictures *pictures;
    int64_t records;     /* those training may have met: the first `limit` of its recipe */
    uint64_t seed;       /* of the split */
    int own_validation;  /* training had another folder for it */
    int64_t *index, n;   /* the records chosen */
    int64_t index_bytes; /* to free */
} choice;

static ct_status records_of(pass *p, choice *c, int with_test, const char *part) {
    int64_t count = strcmp(part, "all") == 0 ? c->pictures->images.dim[0] : c->records;
    ct_status s = ct__pictures_split(p->allocator, count, c->seed, with_test, part, &c->index, &c->n, p->e);
    c->index_bytes = (c->n + 1) * (int64_t)sizeof *c->index;
    return s;
}

/* Were these pictures trained on? Then *part is the tenth that training kept away, where it kept one. */
static ct_status recognise(pass *p, choice *c, const char **part, ct_evaluation *out) {
    const char *all = ct_model_text(p->m, "data/all"), *train = ct_model_text(p->m, "data/train");
    ct_source met = p->source, trained = {0};
    int same = 0;
    met.count = c->records;
    *part = "all";
    ct_status s = CT_OK;
    if (all[0]) {
        s = hash_is(p, &met, "label", all, &same);
        if (same) *part = "test";
        if (same)
            snprintf(
                out->note, sizeof out->note,
                "the model was trained on this folder: scored on the tenth that training kept for the test");
        return s;
    }
    s = records_of(p, c, 0, c->own_validation ? "all" : "train");
    if (!s) s = ct_source_subset(p->allocator, &met, c->index, c->n, &trained, p->e);
    if (!s) s = hash_is(p, &trained, NULL, train, &same);
    if (same)
        snprintf(out->note, sizeof out->note,
                 "the model was trained on these pictures: the score says nothing about new ones");
    ct_source_close(&trained);
    ct_delete(p->allocator, c->index, (size_t)c->index_bytes);
    c->index = NULL;
    return s;
}

/* A folder without a test part of its own, or another part than the test. */
static ct_status choose_part(pass *p, choice *c, const char *wanted, ct_evaluation *out) {
    const char *part = wanted;
    int with_test = ct_model_text(p->m, "data/all")[0] != '\0';
    ct_status s = wanted ? CT_OK : recognise(p, c, &part, out);
    if (s) return s;
    snprintf(out->part, sizeof out->part, "%s", part);
    if (wanted && strcmp(part, "test") == 0 && !with_test)
        return ct_fail_at(
            p->e, CT_EUSAGE, c->pictures->path, -1,
            "no test part, and training kept none; wanted a folder with one; give it, or --part all");
    if (c->own_validation && strcmp(part, "validation") == 0)
        return ct_fail(
            p->e, CT_EUSAGE,
            "--part: validation, for which training had a folder of its own; wanted that folder; give it, "
            "with --part all");
    return records_of(p, c, with_test, part);
}

static ct_status check_part(const char *part, ct_err *e) {
    static const char *const names[] = {"train", "validation", "test", "all"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!part || strcmp(part, names[i]) == 0) return CT_OK;
    return ct_fail(e, CT_EUSAGE, "--part: %.40s; wanted train, validation, test or all; choose one", part);
}

static ct_status score_chosen(pass *p, choice *c, const char *part, ct_evaluation *out) {
    ct_source chosen = {0};
    ct_status s = choose_part(p, c, part, out);
    if (!s && c->n == 0)
        s = ct_fail_at(p->e, CT_EDATA, c->pictures->path, -1,
                       "the %s part has no record; wanted at least one; choose another --part", out->part);
    if (!s) s = ct_source_subset(p->allocator, &p->source, c->index, c->n, &chosen, p->e);
    if (!s) s = score_part(p, &chosen, out);
    ct_loader_free(p->loader);
    p->loader = NULL;
    ct_source_close(&chosen);
    ct_delete(p->allocator, c->index, (size_t)c->index_bytes);
    return s;
}

ct_status ct_evaluate_image(ct_model *m, const char *data, const char *part, int64_t limit,
                            ct_evaluation *out, ct_err *e) {
    pass p = {.m = m, .e = e};
    ct__pictures pictures = {0};
    ct_evaluation v = {0};
    choice c = {.pictures = &pictures,
                .seed = strtoull(ct_model_text(m, "recipe/seed"), NULL, 10),
                .own_validation = ct_model_number(m, "data/validation_given", 0) > 0};
    int64_t classes = ct_shape_of(ct_model_output(m)).dim[1],
            trained = (int64_t)ct_model_number(m, "recipe/limit", 0);
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    ct_status s = check_part(part, e);
    if (s) return s;
    int own_test = ct__pictures_has(data, CT__PART_TEST) && (!part || strcmp(part, "test") == 0);
    s = ct__pictures_load(ct_files_of(ct_model_context(m)), a, data,
                          own_test ? CT__PART_TEST : CT__PART_TRAIN, limit, &pictures, e);
    if (!s) s = ct__pictures_check(&pictures, classes, e);
    if (!s) s = open_pass(&p, &pictures.images, &pictures.labels, pictures.path);
    if (!s) c.records = trained > 0 && trained < pictures.images.dim[0] ? trained : pictures.images.dim[0];
    if (!s && own_test) {
        memcpy(v.part, "test", 5);
        s = score_part(&p, &p.source, &v);
    } else if (!s) {
        s = score_chosen(&p, &c, part, &v);
    }
    if (p.allocator) close_pass(&p);
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
