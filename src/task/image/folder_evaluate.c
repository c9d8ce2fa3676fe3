/* folder_evaluate.c: a trained model scored on picture files. The set is scanned first, so that every picture
 * counts or is named, and the data trained on is recognised by its hash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/image/folder.h"
#include "task/image/met.h"
#include "task/image/pass.h"

typedef struct evaluation {
    ct__pass p;
    ct_images *s;
    ct_images_options o;
    const char *data;
    int64_t limit;           /* so many of the part chosen; 0: all */
    int64_t *index, n, used; /* used: of the n that were chosen */
    uint64_t seed;           /* of the split */
    int own_validation;      /* training had another set for it: its train part is all but the test */
    ct_evaluation *out;
    ct_text passed; /* lines on what is passed over, each with its NUL */
} evaluation;

static void pass_over(void *user, const char *line) {
    evaluation *v = user;
    v->out->passed_over++;
    ct_text_bytes(&v->passed, line, strlen(line) + 1);
}

static ct_status by_models_classes(evaluation *v) {
    int64_t n = ct_model_labels(v->p.m);
    const char **names = ct_new_array(v->p.allocator, (uint64_t)n + 1, sizeof *names);
    if (!names) return ct_fail(v->p.e, CT_ELIMIT, "evaluate: out of memory");
    for (int64_t i = 0; i < n; i++) names[i] = ct_model_label(v->p.m, i);
    ct_status s = ct_images_match(v->s, names, n, "the model", v->p.e);
    ct_delete(v->p.allocator, names, ((size_t)n + 1) * sizeof *names);
    return s;
}

/* Opened, and every picture read once: those that are broken are out. */
static ct_status open_scanned(evaluation *v) {
    const ct_files *f = ct_files_of(ct_model_context(v->p.m));
    v->passed.length = 0;
    v->out->passed_over = 0;
    ct_status s = ct_images_open(f, v->p.allocator, v->data, &v->o, &v->s, v->p.e);
    if (!s) s = ct_images_scan(v->s, v->p.transform, 0, v->p.e);
    return s ? s : by_models_classes(v);
}

static ct_status open_anew(evaluation *v) {
    ct_images_close(v->s);
    v->s = NULL;
    return open_scanned(v);
}

/* All parts are listed to see which there are; only those asked for are read. */
static ct_status open_set(evaluation *v, const char *part) {
    const ct_files *f = ct_files_of(ct_model_context(v->p.m));
    if (part && strcmp(part, "test") != 0) return open_scanned(v);
    ct_status s = ct_images_open(f, v->p.allocator, v->data, &v->o, &v->s, v->p.e);
    if (s) return s;
    if (ct_images_has(v->s, CT_PART_TEST)) {
        v->o.parts = 1 << CT_PART_TEST;
        v->o.limit = v->limit;
    }
    return open_anew(v);
}

static ct_status part_of(evaluation *v, const char *part, int64_t **index, int64_t *n) {
    if (!v->own_validation || strcmp(part, "train") != 0)
        return ct_images_part(v->s, v->seed, part, index, n, v->p.e);
    int64_t count = ct_images_count(v->s), k = 0, kept = 0;
    for (int64_t i = 0; i < count; i++) kept += ct_images_part_of(v->s, v->seed, i) != CT_PART_TEST;
    int64_t *list = ct_new_array(v->p.allocator, (uint64_t)kept + 1, sizeof *list);
    if (!list) return ct_fail(v->p.e, CT_ELIMIT, "evaluate: out of memory");
    for (int64_t i = 0; i < count; i++)
        if (ct_images_part_of(v->s, v->seed, i) != CT_PART_TEST) list[k++] = i;
    *index = list;
    *n = kept;
    return CT_OK;
}

static ct_status hash_is(evaluation *v, const char *part, int labels, const char *wanted, int *same) {
    char hex[33];
    ct_hash128 h;
    int64_t *index, n;
    *same = 0;
    ct_status s = part_of(v, part, &index, &n);
    if (s) return s;
    s = ct_images_hash(v->s, index, n, labels, &h, v->p.e);
    ct_delete(v->p.allocator, index, ((size_t)n + 1) * sizeof *index);
    if (s) return s;
    ct_hash_hex(h, hex);
    *same = strcmp(hex, wanted) == 0;
    return CT_OK;
}

/* Were these pictures trained on, or some of them? Then *part is the tenth that training kept away, where it kept one:
 * each picture's hash tells whether it is of it. */
static ct_status recognise(evaluation *v, const char **part, int *same) {
    const char *all = ct_model_text(v->p.m, "data/all"), *train = ct_model_text(v->p.m, "data/train");
    char *note = v->out->note;
    size_t room = sizeof v->out->note;
    double met = 0;
    *part = "all";
    *same = 0;
    ct_status s = all[0] ? hash_is(v, "all", 0, all, same) : CT_OK;
    if (*same)
        snprintf(note, room,
                 "the model was trained on this folder: scored on the tenth that training kept for the test");
    if (*same) *part = "test";
    if (s || *same) return s;
    s = hash_is(v, "train", 1, train, same);
    if (!s) s = ct__met_percent(v->p.m, v->s, &met, v->p.e);
    if (s || met == 0) return s;
    if (all[0]) {
        *part = "test";
        snprintf(
            note, room,
            "%.0f %% of the pictures that the model was trained on are among these: scored on those that "
            "training would have kept for the test",
            met);
    } else if (*same) {
        snprintf(note, room,
                 "the model was trained on these pictures: the score says nothing about new ones");
    } else {
        snprintf(
            note, room,
            "%.0f %% of the pictures that the model was trained on are among these: the score says little "
            "about new ones",
            met);
    }
    return CT_OK;
}

/* A coverage is what records show that did not calibrate the sets. Are those that did among all of the folder? */
static ct_status check_coverage(evaluation *v, const char *part) {
    const char *calibrated = ct_model_text(v->p.m, "data/validation");
    int inside = 0;
    if (v->out->coverage == 0 || strcmp(part, "all") != 0) return CT_OK;
    ct_status s = hash_is(v, "all", 1, calibrated, &inside); /* a folder that training had for validation */
    if (!s && !inside) s = hash_is(v, "validation", 1, calibrated, &inside);
    return s || !inside ? s : ct__pass_calibrated(&v->p, v->data);
}

/* The folder's own test part; else, of the data trained on, the tenth kept for the test; else all, which is more than
 * the records that training took where that had a limit. */
static ct_status choose_part(evaluation *v, const char *wanted) {
    const char *part = wanted;
    int same = 1;
    if (v->own_validation && part && strcmp(part, "validation") == 0 &&
        !ct_images_has(v->s, CT_PART_VALIDATION))
        return ct_fail(
            v->p.e, CT_EUSAGE,
            "--part: validation, for which training had a folder of its own; wanted that folder; give it, "
            "with --part all");
    ct_status s = CT_OK;
    if (!part && ct_images_has(v->s, CT_PART_TEST)) part = "test";
    if (!part) s = recognise(v, &part, &same);
    if (!s) s = check_coverage(v, part);
    if (!s && strcmp(part, "all") == 0 && v->o.limit && (wanted || !same)) {
        v->o.limit = v->limit;
        s = open_anew(v);
    }
    if (s) return s;
    snprintf(v->out->part, sizeof v->out->part, "%s", part);
    s = part_of(v, part, &v->index, &v->n);
    v->used = v->n;
    if (!s && v->n == 0)
        s = ct_fail(v->p.e, CT_EDATA,
                    "the %s part has no picture; wanted at least one; choose another --part", part);
    return s;
}

static int by_place(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

static int by_record(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The first `limit` records of the part: of arrays the first, of paths those whose hashes are least, so that every
 * class keeps its share. */
static ct_status take_first(evaluation *v) {
    if (v->limit <= 0 || v->n <= v->limit) return CT_OK;
    uint64_t(*place)[2] = ct_new_array(v->p.allocator, (uint64_t)v->n, sizeof *place);
    if (!place) return ct_fail(v->p.e, CT_ELIMIT, "evaluate: out of memory");
    for (int64_t i = 0; i < v->n; i++) {
        ct_image r = {0};
        (void)ct_images_at(v->s, v->index[i], &r);
        place[i][0] = r.path ? ct_hash64(r.path, strlen(r.path), 0) : (uint64_t)r.number;
        place[i][1] = (uint64_t)v->index[i];
    }
    qsort(place, (size_t)v->n, sizeof *place, by_place);
    for (int64_t i = 0; i < v->limit; i++) v->index[i] = (int64_t)place[i][1];
    qsort(v->index, (size_t)v->limit, sizeof *v->index, by_record);
    ct_delete(v->p.allocator, place, (uint64_t)v->n * sizeof *place);
    v->used = v->limit;
    return CT_OK;
}

static ct_status score(evaluation *v) {
    ct_source *source = &v->p.source;
    ct_status s = ct_images_source(v->s, v->index, v->used, v->p.transform, source, v->p.e);
    if (!s && memcmp(source->field[0].shape.dim, v->p.want, sizeof v->p.want) != 0)
        s = ct_fail_at(
            v->p.e, CT_EDATA, v->data, -1,
            "the model's transform makes [%lld,%lld,%lld] of these pictures; wanted [%lld,%lld,%lld]; give "
            "pictures of the size it was trained on",
            (long long)source->field[0].shape.dim[0], (long long)source->field[0].shape.dim[1],
            (long long)source->field[0].shape.dim[2], (long long)v->p.want[0], (long long)v->p.want[1],
            (long long)v->p.want[2]);
    return s ? s : ct__pass_score(&v->p, source, v->out);
}

static ct_status tell_passed(const evaluation *v, const ct_evaluate_options *with) {
    const char *line = v->passed.data;
    if (v->passed.failed) return ct_fail(v->p.e, CT_ELIMIT, "evaluate: out of memory");
    for (int64_t i = 0; i < v->out->passed_over && with->tell; i++, line += strlen(line) + 1)
        with->tell(with->user, line);
    return CT_OK;
}

ct_status ct__folder_evaluate(ct_model *m, const char *data, const ct_evaluate_options *with,
                              ct_evaluation *out, ct_err *e) {
    const char *part = with->part;
    ct_evaluation made = {.top = with->top, .coverage = with->coverage};
    evaluation v = {.p = {.m = m, .e = e}, .out = &made, .data = data, .limit = with->limit};
    v.own_validation = ct_model_number(m, "data/validation_given", 0) > 0;
    v.seed = strtoull(ct_model_text(m, "recipe/seed"), NULL, 10);
    ct_status s = ct__pass_open(&v.p);
    if (s) {
        ct__pass_close(&v.p);
        return s;
    }
    v.p.threads = ct_threads(ct_model_context(m));
    v.passed.allocator = v.p.allocator;
    v.o = (ct_images_options){.picture = v.p.picture, /* as training met them, to know them again */
                              .follow_links = ct_model_number(m, "recipe/follow_links", 0) > 0,
                              .allow_broken =
                                  with->allow_broken || ct_model_number(m, "recipe/allow_broken", 0) > 0,
                              .limit = (int64_t)ct_model_number(m, "recipe/limit", 0),
                              .threads = v.p.threads,
                              .cache = ct__cache_bytes(),
                              .strict = with->strict,
                              .tell = pass_over,
                              .user = &v};
    s = open_set(&v, part);
    if (!s) s = choose_part(&v, part);
    if (!s) s = take_first(&v);
    if (!s) s = score(&v);
    if (!s) s = tell_passed(&v, with);
    ct_text_free(&v.passed);
    ct_delete(v.p.allocator, v.index, ((size_t)v.n + 1) * sizeof *v.index);
    ct__pass_close(&v.p);
    ct_images_close(v.s);
    if (s)
        ct_evaluation_free(&made);
    else
        *out = made;
    return s;
}
