/* folder.c: training on picture files. The set is scanned before the net is built: sizes first, where the job
 * has to choose the transform, then pixels with the transform's first steps, so that one reading finds what is
 * broken, audits, hashes, measures and fills the cache. */
#include "task/image/folder.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "task/image/job.h"
#include "task/image/met.h"

int ct__is_folder(const char *data) {
    struct stat st;
    return stat(data, &st) == 0 && !ct__pictures_has(data, CT__PART_TRAIN) &&
           !ct__pictures_has(data, CT__PART_TEST);
}

uint64_t ct__cache_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t quarter = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 4 : 0;
    return quarter < 2ull << 30 ? quarter : 2ull << 30;
}

int32_t ct__all_threads(int32_t wanted) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return wanted > 0 ? wanted : cores > 0 && cores < 64 ? (int32_t)cores : 1;
}

/* ---- parts ---- */

/* Training with a validation part of its own: all records but those for the test. */
static ct_status all_but_test(ct__image_job *j) {
    int64_t count = ct_images_count(j->set), n = 0, k = 0;
    for (int64_t i = 0; i < count; i++) n += ct_images_part_of(j->set, j->recipe.seed, i) != CT_PART_TEST;
    int64_t *list = ct_new_array(&j->o->allocator, (uint64_t)n + 1, sizeof *list);
    for (int64_t i = 0; list && i < count; i++)
        if (ct_images_part_of(j->set, j->recipe.seed, i) != CT_PART_TEST) list[k++] = i;
    j->train_index = list;
    j->train_count = n;
    return list ? CT_OK : ct_fail(j->e, CT_ELIMIT, "data: out of memory for %lld records", (long long)n);
}

static ct_status split(ct__image_job *j) {
    uint64_t seed = j->recipe.seed;
    ct_images *from = j->validation_set ? j->validation_set : j->set;
    ct_status s = j->validation_set
                      ? all_but_test(j)
                      : ct_images_part(j->set, seed, "train", &j->train_index, &j->train_count, j->e);
    if (!s)
        s = ct_images_part(from, seed, j->validation_set ? "all" : "validation", &j->validation_index,
                           &j->validation_count, j->e);
    if (!s && (j->train_count < 1 || j->validation_count < 1))
        s = ct_fail_at(j->e, CT_EDATA, j->data, -1,
                       "%lld pictures leave %lld to train and %lld to validate; wanted at least one each; "
                       "give more data or --validate",
                       (long long)ct_images_count(j->set), (long long)j->train_count,
                       (long long)j->validation_count);
    return s;
}

static void forget_parts(ct__image_job *j) {
    const ct_allocator *a = &j->o->allocator;
    ct_delete(a, j->train_index, ((size_t)j->train_count + 1) * sizeof *j->train_index);
    ct_delete(a, j->validation_index, ((size_t)j->validation_count + 1) * sizeof *j->validation_index);
    j->train_index = j->validation_index = NULL;
}

/* ---- the transform that is chosen ---- */

static int compare_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of 96, where there is time for it, of 64, or of 32: the greatest that half of the pictures are not smaller than. */
static int64_t square_for(int64_t pictures, int64_t median) {
    if (pictures < CT__FEW_PICTURES && median >= 96) return 96;
    return median >= 64 ? 64 : 32;
}

/* Training pictures of one size up to 96 stay as they are; others become squares. */
static ct_status choose_size(ct__image_job *j, int64_t size[2], int *resize) {
    int64_t *shorter = ct_new_array(&j->o->allocator, (uint64_t)j->train_count, sizeof *shorter);
    ct_image r = {0}, first = {0};
    int equal = 1;
    if (!shorter) return ct_fail(j->e, CT_ELIMIT, "data: out of memory");
    (void)ct_images_at(j->set, j->train_index[0], &first);
    for (int64_t i = 0; i < j->train_count; i++) {
        (void)ct_images_at(j->set, j->train_index[i], &r);
        shorter[i] = r.width < r.height ? r.width : r.height;
        equal &= r.width == first.width && r.height == first.height;
    }
    qsort(shorter, (size_t)j->train_count, sizeof *shorter, compare_number);
    *resize = !equal || first.width > 96 || first.height > 96;
    size[0] = *resize ? square_for(j->train_count, shorter[j->train_count / 2]) : first.width;
    size[1] = *resize ? size[0] : first.height;
    ct_delete(&j->o->allocator, shorter, (size_t)j->train_count * sizeof *shorter);
    return CT_OK;
}

static void add_numbers(ct_text *t, const char *key, const double *v, int64_t channels) {
    ct_text_format(t, " %s=", key);
    for (int64_t c = 0; c < channels; c++) {
        if (c) ct_text_add(t, ":");
        ct_text_number(t, v[c]);
    }
}

static ct_status scan_pixels(ct__image_job *j, const ct_transform *t) {
    ct_status s = ct_images_scan(j->set, t, 0, j->e);
    if (!s && j->validation_set) s = ct_images_scan(j->validation_set, t, 0, j->e);
    forget_parts(j); /* broken pictures are out now */
    return s ? s : split(j);
}

/* The sizes decide the first steps, the pixels that these make the rest. */
static ct_status choose_transform(ct__image_job *j) {
    ct_text text = {.allocator = &j->o->allocator};
    ct_transform *first = NULL;
    int64_t size[2] = {0, 0}, channels = ct_images_channels(j->set);
    double mean[3], std[3];
    int resize = 0;
    ct_status s = choose_size(j, size, &resize);
    if (s) return s;
    if (resize) ct_text_format(&text, "resize %lldx%lld", (long long)size[0], (long long)size[1]);
    s = ct_transform_parse(&j->o->allocator, text.data, &first, j->e);
    if (!s) s = scan_pixels(j, first);
    if (!s) s = ct_images_moments(j->set, j->train_index, j->train_count, mean, std, j->e);
    ct_transform_free(first);
    if (!s) {
        for (int64_t c = 0; c < channels; c++) {
            mean[c] = round(mean[c] * 1e4) / 1e4;
            std[c] = std[c] > 1e-3 ? round(std[c] * 1e4) / 1e4 : 1; /* a constant channel stays as it is */
        }
        ct__add_training_steps(j, &text, size, channels, mean, 0);
        ct_text_format(&text, "%snormalize", text.length ? ", " : "");
        add_numbers(&text, "mean", mean, channels);
        add_numbers(&text, "std", std, channels);
        if (ct__wants_variety(j, size, channels)) ct_text_add(&text, ", mixup, cutmix");
        if (text.failed) s = ct_fail(j->e, CT_ELIMIT, "data: out of memory");
        if (!s) s = ct__recipe_transform(j, text.data, &j->recipe.transform);
    }
    ct_text_free(&text);
    return s ? s : ct_transform_parse(&j->o->allocator, j->recipe.transform, &j->transform, j->e);
}

static ct_status take_transform(ct__image_job *j) {
    if (!j->recipe.transform) return choose_transform(j);
    ct_status s = ct_transform_parse(&j->o->allocator, j->recipe.transform, &j->transform, j->e);
    return s ? s : scan_pixels(j, j->transform);
}

/* ---- opening ---- */

/* Said, and kept for the report: a line each. */
static void tell_line(void *user, const char *line) {
    ct__image_job *j = user;
    ct__tell_note(j, "%s", line);
    j->found.allocator = &j->o->allocator;
    ct_text_add(&j->found, line);
    ct_text_add(&j->found, "\n");
}
static void tell_progress(void *user, int64_t done, int64_t of) {
    const ct__image_job *j = user;
    ct__tell_busy(j, "reading", j->data, done, of);
}

static ct_status open_sets(ct__image_job *j) {
    ct_images_options o = {.threads = ct__all_threads(j->o->threads),
                           .picture = {.background = j->recipe.background},
                           .follow_links = j->recipe.follow_links,
                           .strict = j->o->strict,
                           .allow_broken = j->recipe.allow_broken,
                           .limit = j->recipe.limit,
                           .cache = ct__memory_cache(j),
                           .cache_parts = 1 << CT_PART_TRAIN | 1 << CT_PART_VALIDATION,
                           .tell = tell_line,
                           .progress = tell_progress,
                           .user = j,
                           .stop = j->o->stop};
    ct__tell_busy(j, "reading", j->data, 0, 0);
    ct_status s = ct_images_open(&j->o->files, &j->o->allocator, j->data, &o, &j->set, j->e);
    if (!s) s = ct_images_scan(j->set, NULL, 1, j->e);
    if (s || !j->validate) return s;
    o.limit = 0;
    o.picture.channels = (int32_t)ct_images_channels(j->set);
    s = ct_images_open(&j->o->files, &j->o->allocator, j->validate, &o, &j->validation_set, j->e);
    if (!s) s = ct_images_scan(j->validation_set, NULL, 1, j->e);
    if (s) return s;
    int64_t n = ct_images_classes(j->set);
    const char **names = ct_arena_array(&j->arena, (uint64_t)n + 1, sizeof *names);
    if (!names) return ct_fail(j->e, CT_ELIMIT, "data: out of memory");
    for (int64_t i = 0; i < n; i++) names[i] = ct_images_class(j->set, i);
    return ct_images_match(j->validation_set, names, n, j->data, j->e);
}

static ct_status hash(ct__image_job *j, const ct_images *s, const int64_t *index, int64_t n, int labels,
                      char out[33]) {
    ct_hash128 h;
    ct_status status = ct_images_hash(s, index, n, labels, &h, j->e);
    if (!status) ct_hash_hex(h, out);
    return status;
}

static ct_status open_sources(ct__image_job *j) {
    ct_images *from = j->validation_set ? j->validation_set : j->set;
    int64_t *all = NULL, n = 0;
    ct_status s =
        ct_images_source(j->set, j->train_index, j->train_count, j->transform, &j->train_source, j->e);
    if (!s)
        s = ct_images_source(from, j->validation_index, j->validation_count, j->transform,
                             &j->validation_source, j->e);
    if (!s) s = hash(j, j->set, j->train_index, j->train_count, 1, j->train_hash);
    if (!s) s = hash(j, from, j->validation_index, j->validation_count, 1, j->validation_hash);
    if (s || j->own_test) return s;
    s = ct_images_part(j->set, j->recipe.seed, "all", &all, &n, j->e);
    if (!s) s = hash(j, j->set, all, n, 0, j->all_hash);
    ct_delete(&j->o->allocator, all, ((size_t)n + 1) * sizeof *all);
    return s;
}

static void tell_data(ct__image_job *j, const ct_audit *a) {
    char all[32], train[32], validation[32], sizes[120];
    if (a->sizes == 1)
        snprintf(sizes, sizeof sizes, "%lldx%lld", (long long)a->size_width, (long long)a->size_height);
    else
        snprintf(sizes, sizeof sizes, "%lldx%lld to %lldx%lld", (long long)a->width_min,
                 (long long)a->height_min, (long long)a->width_max, (long long)a->height_max);
    ct__tell_fact(j, "data", "%s picture%s %s %s, %lld class%s; %s", ct_group_digits(a->pictures, all),
                  a->pictures == 1 ? "" : "s", sizes, ct_images_channels(j->set) == 3 ? "in colour" : "grey",
                  (long long)a->classes, a->classes == 1 ? "" : "es", j->data);
    ct__tell_fact(j, "split", "%s train, %s validation (%s); %s", ct_group_digits(j->train_count, train),
                  ct_group_digits(j->validation_count, validation),
                  j->validate                                 ? j->validate
                  : ct_images_has(j->set, CT_PART_VALIDATION) ? "its own part"
                                                              : "a tenth, by hash",
                  j->own_test ? "the test part only checked for leaks" : "a tenth is kept for the test");
    ct__tell_fact(j, "transform", "%s", j->recipe.transform[0] ? j->recipe.transform : "none: x / 255");
}

/* Pictures of --validate that are trained on too make its scores, and what is chosen by them, too good. */
static ct_status tell_shared(ct__image_job *j) {
    int64_t shared = 0;
    char line[200], n[32], of[32];
    if (!j->validation_set) return CT_OK;
    ct_status s = ct__met_shared(&j->o->allocator, j->validation_set, j->set, j->train_index, j->train_count,
                                 &shared, j->e);
    if (s || !shared) return s;
    snprintf(line, sizeof line,
             "%s of %s validation pictures stand in the training part too: scores and the best epoch rest on "
             "what is "
             "learned by heart",
             ct_group_digits(shared, n), ct_group_digits(j->validation_count, of));
    tell_line(j, line);
    return CT_OK;
}

static ct_status audit(ct__image_job *j) {
    ct_audit a;
    ct_status s = ct_audit_images(j->set, j->recipe.seed, &a, j->e);
    if (s) return s;
    tell_data(j, &a);
    ct_audit_findings(&a, j->set, tell_line, j);
    ct_audit_free(&a);
    return tell_shared(j);
}

/* The next training would take the run's folder for a class. */
static ct_status check_output(const ct__image_job *j) {
    char folder[sizeof j->run.model + 2], data[PATH_MAX], to[PATH_MAX];
    const char *slash = strrchr(j->run.model, '/');
    snprintf(folder, sizeof folder, "%.*s/.", slash ? (int)(slash - j->run.model) : 1,
             slash ? j->run.model : ".");
    if (!realpath(j->data, data) || !realpath(folder, to)) return CT_OK;
    size_t n = strlen(data);
    if (strncmp(data, to, n) != 0 || (to[n] && to[n] != '/')) return CT_OK;
    return ct_fail(j->e, CT_EUSAGE,
                   "-o %s: lies in %s, the data; wanted a place outside of it; give another path",
                   j->run.model, j->data);
}

ct_status ct__folder_open(ct__image_job *j) {
    ct_status s = check_output(j);
    if (!s) s = open_sets(j);
    if (s) return s;
    if (j->recipe.labels)
        return ct_fail_at(j->e, CT_EUSAGE, j->data, -1,
                          "names its classes itself; wanted --labels for idx files alone; leave it out");
    j->own_test = ct_images_has(j->set, CT_PART_TEST);
    j->classes = ct_images_classes(j->set);
    s = split(j);
    if (!s) s = ct__classes_check(j);
    if (!s) s = take_transform(j);
    if (!s) s = open_sources(j);
    if (s) return s;
    memcpy(j->shape, j->train_source.field[0].shape.dim, sizeof j->shape);
    return audit(j);
}
