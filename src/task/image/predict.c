/* predict.c: a trained model on pictures: evaluation of a part, prediction of every record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/image/data.h"
#include "task/image/folder.h"
#include "task/image/pass.h"

/* Grey or colour as the net wants it, as of picture files. */
static ct_status open_source(ct__pass *p, ct_array *x, const ct_array *labels, const char *path) {
    ct_status s = ct__pass_open(p);
    int64_t channels = x->rank == 3 ? 1 : x->dim[1];
    if (!s && p->picture.channels && (channels == 1 || channels == 3))
        s = ct_pictures_channels(p->allocator, x, p->picture.channels, p->e);
    int64_t shape[3] = {x->rank == 3 ? 1 : x->dim[1], x->dim[x->rank - 2], x->dim[x->rank - 1]};
    if (!s) s = ct__pass_fits(p, shape, path, 4);
    return s ? s : ct_source_images(p->allocator, x, labels, p->transform, &p->source, p->e);
}

/* ---- evaluate ---- */

static ct_status hash_is(const ct__pass *p, const ct_source *s, const char *skip, const char *wanted,
                         int *same) {
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
    int64_t limit;       /* so many of the part chosen, the first; 0: all */
    int64_t *index, n;   /* the records chosen */
    int64_t index_bytes; /* to free */
} choice;

static ct_status records_of(ct__pass *p, choice *c, int with_test, const char *part) {
    int64_t count = strcmp(part, "all") == 0 ? c->pictures->images.dim[0] : c->records;
    ct_status s = ct__pictures_split(p->allocator, count, c->seed, with_test, part, &c->index, &c->n, p->e);
    c->index_bytes = (c->n + 1) * (int64_t)sizeof *c->index;
    return s;
}

/* Were these pictures trained on? Then *part is the tenth that training kept away, where it kept one. */
static ct_status recognise(ct__pass *p, choice *c, const char **part, ct_evaluation *out) {
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

/* A coverage is what records show that did not calibrate the sets. Are those that did among all of these? test_part: the
 * records are a test part, which is not divided. */
static ct_status check_coverage(ct__pass *p, choice *c, int test_part, int with_test) {
    const char *calibrated = ct_model_text(p->m, "data/validation");
    ct_source tenth = {0};
    int inside = 0;
    ct_status s =
        hash_is(p, &p->source, NULL, calibrated, &inside); /* files that training had for validation */
    if (!s && !inside && !test_part) {
        s = records_of(p, c, with_test, "validation");
        if (!s) s = ct_source_subset(p->allocator, &p->source, c->index, c->n, &tenth, p->e);
        if (!s) s = hash_is(p, &tenth, NULL, calibrated, &inside);
        ct_source_close(&tenth);
        ct_delete(p->allocator, c->index, (size_t)c->index_bytes);
        c->index = NULL;
    }
    return s || !inside ? s : ct__pass_calibrated(p, c->pictures->path);
}

/* A folder without a test part of its own, or another part than the test. */
static ct_status choose_part(ct__pass *p, choice *c, const char *wanted, ct_evaluation *out) {
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
    if (out->coverage != 0 && strcmp(part, "all") == 0) s = check_coverage(p, c, 0, with_test);
    if (!s) s = records_of(p, c, with_test, c->own_validation && strcmp(part, "train") == 0 ? "kept" : part);
    return s;
}

static ct_status check(const ct_evaluate_options *o, ct_err *e) {
    static const char *const names[] = {"train", "validation", "test", "all"};
    int known = !o->part;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (o->part && strcmp(o->part, names[i]) == 0) known = 1;
    if (!known)
        return ct_fail(e, CT_EUSAGE, "--part: %.40s; wanted train, validation, test or all; choose one",
                       o->part);
    if (o->coverage != 0 && o->part && strcmp(o->part, "validation") == 0)
        return ct_fail(
            e, CT_EUSAGE,
            "--coverage: --part validation calibrated the sets; wanted records that did not; leave --part "
            "out");
    return CT_OK;
}

static ct_status score_chosen(ct__pass *p, choice *c, const char *part, ct_evaluation *out) {
    ct_source chosen = {0};
    ct_status s = choose_part(p, c, part, out);
    if (!s && c->n == 0)
        s = ct_fail_at(p->e, CT_EDATA, c->pictures->path, -1,
                       "the %s part has no record; wanted at least one; choose another --part", out->part);
    int64_t n = c->limit > 0 && c->limit < c->n ? c->limit : c->n;
    if (!s) s = ct_source_subset(p->allocator, &p->source, c->index, n, &chosen, p->e);
    if (!s) s = ct__pass_score(p, &chosen, out);
    ct_loader_free(p->loader);
    p->loader = NULL;
    ct_source_close(&chosen);
    ct_delete(p->allocator, c->index, (size_t)c->index_bytes);
    return s;
}

static ct_status evaluate_idx(ct_model *m, const char *data, const ct_evaluate_options *o, ct_evaluation *out,
                              ct_err *e) {
    const char *part = o->part;
    ct__pass p = {.m = m, .e = e};
    ct__pictures pictures = {0};
    ct_evaluation v = {.top = o->top, .coverage = o->coverage};
    choice c = {.pictures = &pictures,
                .seed = strtoull(ct_model_text(m, "recipe/seed"), NULL, 10),
                .own_validation = ct_model_number(m, "data/validation_given", 0) > 0,
                .limit = o->limit};
    int64_t classes = ct_shape_of(ct_model_output(m)).dim[1],
            trained = (int64_t)ct_model_number(m, "recipe/limit", 0);
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    int own_test = ct__pictures_has(data, CT__PART_TEST) && (!part || strcmp(part, "test") == 0);
    ct_status s =
        ct__pictures_load(ct_files_of(ct_model_context(m)), a, data,
                          own_test ? CT__PART_TEST : CT__PART_TRAIN, own_test ? o->limit : 0, &pictures, e);
    if (!s) s = ct__pictures_check(&pictures, classes, e);
    if (!s) s = open_source(&p, &pictures.images, &pictures.labels, pictures.path);
    if (!s) c.records = trained > 0 && trained < pictures.images.dim[0] ? trained : pictures.images.dim[0];
    if (!s && own_test) {
        memcpy(v.part, "test", 5);
        if (o->coverage != 0) s = check_coverage(&p, &c, 1, 0);
        if (!s) s = ct__pass_score(&p, &p.source, &v);
    } else if (!s) {
        s = score_chosen(&p, &c, part, &v);
    }
    ct__pass_close(&p);
    ct__pictures_free(&pictures);
    if (s)
        ct_evaluation_free(&v);
    else
        *out = v;
    return s;
}

ct_status ct_evaluate_image_with(ct_model *m, const char *data, const ct_evaluate_options *o,
                                 ct_evaluation *out, ct_err *e) {
    ct_evaluate_options none = {0};
    if (!o) o = &none;
    ct_status s = check(o, e);
    if (!s) s = ct__pass_task(m, e);
    if (s) return s;
    return ct__is_folder(data) ? ct__folder_evaluate(m, data, o, out, e) : evaluate_idx(m, data, o, out, e);
}

ct_status ct_evaluate_image(ct_model *m, const char *data, const char *part, int64_t limit,
                            ct_evaluation *out, ct_err *e) {
    ct_evaluate_options o = {.part = part, .limit = limit};
    return ct_evaluate_image_with(m, data, &o, out, e);
}

void ct_evaluation_free(ct_evaluation *v) {
    free(v->confusion);
    free(v->each);
    v->confusion = NULL;
    v->each = NULL;
}

/* ---- predict ---- */

static ct_status tell_rows(ct__pass *p, const char *path, const ct_batch *b, double *probability,
                           int (*each)(void *user, const ct_prediction *p), void *user) {
    for (int64_t r = 0; r < b->rows; r++) {
        ct_prediction q = {.path = path, .index = b->record[r]};
        ct__pass_row(p, r, probability, &q);
        if (each(user, &q)) return ct_fail(p->e, CT_ECANCEL, "predict: stopped; wanted all; call again");
    }
    return CT_OK;
}

/* idx files, and standard input, which may be one or a picture. */
static ct_status predict_idx(ct_model *m, const char *path, const ct_predict_options *o,
                             int (*each)(void *user, const ct_prediction *p), void *user, ct_err *e) {
    ct__pass p = {.m = m, .e = e};
    ct_array images = {0};
    const ct_allocator *a = ct_allocator_of(ct_model_context(m));
    const ct_files *f = ct_files_of(ct_model_context(m));
    void *data = NULL;
    uint64_t bytes = 0;
    int input = strcmp(path, "-") == 0;
    ct_status s = input ? ct_file_inflate(f, a, path, CT_PICTURE_FILE, &data, &bytes, e)
                        : ct_idx_load(f, a, path, &images, e);
    if (!s && input && (bytes < 2 || memcmp(data, "\0\0", 2) != 0)) {
        s = ct__bytes_predict(m, path, data, bytes, o, each, user, e);
        ct_delete(a, data, bytes);
        return s;
    }
    if (!s && input) s = ct_idx_parse(a, data, bytes, path, &images, e);
    ct_delete(a, data, bytes);
    if (!s) s = ct__pictures_pixels(&images, path, e);
    if (!s) s = open_source(&p, &images, NULL, path);
    if (!s && o->layer) s = ct__pass_layer(&p, o->layer);
    if (!s) s = ct__pass_coverage(&p, o->coverage);
    if (!s)
        s = ct_loader_new(a, &p.source, (ct_loader_options){.batch = p.batch, .evaluate = 1}, &p.loader, e);
    double *probability = s ? NULL : ct_new_array(a, (uint64_t)p.classes + 1, sizeof *probability);
    if (!s && !probability) s = ct_fail(e, CT_ELIMIT, "predict: out of memory");
    ct_batch b = {.rows = 1};
    while (!s && b.rows) {
        s = ct__pass_next(&p, &b);
        if (!s && b.rows) s = tell_rows(&p, path, &b, probability, each, user);
    }
    ct_delete(a, probability, ((size_t)p.classes + 1) * sizeof *probability);
    ct__pass_close(&p);
    ct_array_free(&images);
    return s;
}

/* Neighbours that are picture files go through the net together. */
ct_status ct_predict_images_with(ct_model *m, const char *const *path, int64_t n, const ct_predict_options *o,
                                 int (*each)(void *user, const ct_prediction *p), void *user, ct_err *e) {
    ct_predict_options none = {0};
    ct_status s = CT_OK, broken = CT_OK;
    if (!o) o = &none;
    if (o->layer && o->coverage != 0)
        return ct_fail(
            e, CT_EUSAGE,
            "--coverage: sets of labels, and --layer gives none; wanted one of them; leave one out");
    for (int64_t i = 0, k; i < n && !s; i = k) {
        ct_err own = {0};
        for (k = i; k < n && !ct__is_idx(path[k]);) k++;
        if (k == i)
            s = predict_idx(m, path[k++], o, each, user, &own);
        else
            s = ct__files_predict(m, path + i, k - i, n == 1, o, each, user, &own);
        int goes_on = s == CT_EDATA && !ct__is_idx(path[i]); /* the rest is predicted */
        if (own.status && e && (!e->status || !goes_on)) *e = own;
        if (goes_on) broken = s, s = CT_OK;
    }
    return s ? s : broken;
}

ct_status ct_predict_images(ct_model *m, const char *const *path, int64_t n,
                            int (*each)(void *user, const ct_prediction *p), void *user, ct_err *e) {
    return ct_predict_images_with(m, path, n, NULL, each, user, e);
}

ct_status ct_predict_image(ct_model *m, const char *path, int (*each)(void *user, const ct_prediction *p),
                           void *user, ct_err *e) {
    return ct_predict_images_with(m, &path, 1, NULL, each, user, e);
}

_Static_assert(sizeof(ct_evaluate_options) == 64, "ct_evaluate_options");
_Static_assert(sizeof(ct_predict_options) == 64, "ct_predict_options");
