/* images.c: a set of pictures: opening, classes, order, parts. What is a list and what a folder is decided here;
 * each way of listing has its own file. */
#include "data/read/images.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void ct__images_tell(const ct_images *s, const char *format, ...) {
    char line[1200], safe[1500];
    va_list ap;
    if (!s->o.tell) return;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    s->o.tell(s->o.user, ct_escape(line, safe, sizeof safe));
}

void ct__names_add(ct_text *t, int64_t k, const char *name) {
    if (k < 12) ct_text_format(t, "%s%.40s", k ? ", " : "", name);
}

void ct__names_end(ct_text *t, int64_t n) {
    if (n > 12) ct_text_format(t, ", ... (%lld)", (long long)n);
}

ct_status ct__class_empty(const char *path, const char *name, ct_err *e) {
    return ct_fail_at(e, CT_EDATA, path, -1,
                      "class %.100s has no pictures; wanted at least one; remove the folder or fill it",
                      name);
}

ct_status ct__images_file(const ct_images *s, const char *path, char out[CT__PATH], ct_err *e) {
    int rooted = s->root[0] && path[0] && path[0] != '/';
    if (!path[0]) path = s->root;
    size_t root = strlen(s->root);
    while (root > 1 && s->root[root - 1] == '/') root--; /* photos/ is photos */
    int n = rooted ? snprintf(out, CT__PATH, "%.*s/%s", (int)root, s->root, path)
                   : snprintf(out, CT__PATH, "%s", path);
    if (n < CT__PATH) return CT_OK;
    return ct_fail(e, CT_EIO, "%.200s...: a path of %d bytes; wanted under %d; rename a folder", out, n,
                   CT__PATH);
}

ct__record *ct__images_add(ct_images *s, const char *path, int64_t number, int32_t part, ct_err *e) {
    if (s->count == s->capacity) {
        int64_t capacity = s->capacity ? 2 * s->capacity : 256;
        size_t size = sizeof *s->record;
        ct__record *more =
            ct_resize(s->allocator, s->record, (size_t)s->capacity * size, (size_t)capacity * size);
        if (!more) {
            ct_fail(e, CT_ELIMIT, "%s: out of memory for %lld pictures", s->name, (long long)capacity);
            return NULL;
        }
        s->record = more;
        s->capacity = capacity;
    }
    ct__record *r = &s->record[s->count];
    memset(r, 0, sizeof *r);
    if (path && !(r->path = ct_arena_text(&s->arena, path))) {
        ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
        return NULL;
    }
    r->number = number;
    r->part = (uint8_t)part;
    s->count++;
    return r;
}

/* ---- classes ---- */

static int compare_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_record(const void *a, const void *b) {
    const ct__record *x = a, *y = b;
    int c = x->path && y->path ? strcmp(x->path, y->path) : 0;
    return c ? c : (x->number > y->number) - (x->number < y->number);
}

ct_status ct__images_label(ct_images *s, const char *const *label_name, ct_err *e) {
    const char **sorted = ct_new_array(s->allocator, (uint64_t)s->count + 1, sizeof *sorted);
    if (!sorted) return ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
    memcpy(sorted, label_name, (size_t)s->count * sizeof *sorted);
    qsort(sorted, (size_t)s->count, sizeof *sorted, compare_text);
    int64_t n = 0;
    for (int64_t i = 0; i < s->count; i++)
        if (n == 0 || strcmp(sorted[n - 1], sorted[i]) != 0) sorted[n++] = sorted[i];
    s->classes = ct_arena_array(&s->arena, (uint64_t)n + 1, sizeof *s->classes);
    if (s->classes) memcpy(s->classes, sorted, (size_t)n * sizeof *sorted);
    s->n_classes = n;
    for (int64_t i = 0; i < s->count; i++) {
        const char **at = bsearch(&label_name[i], sorted, (size_t)n, sizeof *sorted, compare_text);
        s->record[i].label = (int32_t)(at - sorted);
    }
    ct_delete(s->allocator, sorted, ((size_t)s->count + 1) * sizeof *sorted);
    for (int64_t i = 0; s->classes && i < n; i++) { /* names are printed and stored as UTF-8 */
        char safe[1100];
        const char *name = ct_escape(s->classes[i], safe, sizeof safe);
        if (strcmp(name, s->classes[i]) != 0) s->classes[i] = ct_arena_text(&s->arena, name);
        if (!s->classes[i]) s->classes = NULL;
    }
    if (!s->classes) return ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
    qsort(s->record, (size_t)s->count, sizeof *s->record, compare_record);
    for (int64_t i = 0; i < s->count; i++) s->record[i].number = i;
    return CT_OK;
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t place_of(const ct__record *r) {
    return r->path ? ct_hash64(r->path, strlen(r->path), 0) : (uint64_t)r->number;
}

/* So many of each part: of arrays the first, of paths those whose hashes are least, so that every class keeps its
 * share. */
static ct_status apply_limit(ct_images *s, ct_err *e) {
    uint64_t *place = ct_new_array(s->allocator, (uint64_t)s->count + 1, sizeof *place), most[4];
    int64_t kept = 0, limit = s->o.limit;
    if (!place) return ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
    for (int part = 0; part < 4; part++) {
        int64_t n = 0;
        for (int64_t i = 0; i < s->count; i++)
            if (s->record[i].part == part) place[n++] = place_of(&s->record[i]);
        qsort(place, (size_t)n, sizeof *place, compare_u64);
        most[part] = n > limit ? place[limit - 1] : UINT64_MAX;
    }
    for (int64_t i = 0; i < s->count; i++)
        if (place_of(&s->record[i]) <= most[s->record[i].part]) s->record[kept++] = s->record[i];
    ct_delete(s->allocator, place, ((size_t)s->count + 1) * sizeof *place);
    s->count = kept;
    return CT_OK;
}

/* ---- open, close ---- */

static ct_status list_any(ct_images *s, const char *path, ct_err *e) {
    struct stat st;
    if (stat(path, &st))
        return ct_fail_at(e, CT_EIO, path, -1,
                          "no such file or folder; wanted a folder of pictures, or a list; check the path");
    if (S_ISDIR(st.st_mode)) {
        s->root = s->name;
        return !s->o.unlabelled && ct__has_arrays(path) ? ct__images_arrays(s, path, e)
                                                        : ct__images_walk(s, path, e);
    }
    if (!S_ISREG(st.st_mode))
        return ct_fail_at(e, CT_EIO, path, -1,
                          "a pipe, socket or device; wanted a folder or a file; copy the data to one");
    if (s->o.unlabelled && !ct__is_list(path)) {
        const char *none = "";
        return ct__images_add(s, path, 0, CT_PART_NONE, e) ? ct__images_label(s, &none, e) : CT_ELIMIT;
    }
    if (ct__is_list(path)) return ct__images_list(s, path, e);
    return ct_fail_at(e, CT_EDATA, path, -1,
                      "a file; wanted the folder of the classes or of the idx files, or a list FILE.csv or "
                      "FILE.jsonl; give one "
                      "of them");
}

ct_status ct_images_open(const ct_files *f, const ct_allocator *a, const char *path,
                         const ct_images_options *o, ct_images **out, ct_err *e) {
    ct_images *s = ct_new(a, sizeof *s);
    if (!s) return ct_fail(e, CT_ELIMIT, "%s: out of memory", path);
    s->files = f;
    s->allocator = s->arena.allocator = a;
    if (o) s->o = *o;
    pthread_mutex_init(&s->lock, NULL);
    ct__scratches_open(&s->scratches, a);
    s->root = "";
    s->name = ct_arena_text(&s->arena, path);
    s->channels = s->o.picture.channels;
    ct_status status = s->name ? list_any(s, path, e) : ct_fail(e, CT_ELIMIT, "%s: out of memory", path);
    if (!status && s->o.limit > 0) status = apply_limit(s, e);
    s->listed = s->count;
    if (!status && s->count == 0)
        status = ct_fail_at(e, CT_EDATA, path, -1, "no pictures; wanted at least one; check the path");
    if (status)
        ct_images_close(s);
    else
        *out = s;
    return status;
}

void ct_images_close(ct_images *s) {
    if (!s) return;
    for (int64_t i = 0; i < s->count; i++)
        ct_delete(s->allocator, s->record[i].kept, (size_t)s->record[i].kept_bytes);
    for (int i = 0; i < 4; i++) {
        if (s->array[i].data) ct_array_free(&s->array[i]);
        if (s->labels[i].data) ct_array_free(&s->labels[i]);
    }
    ct_delete(s->allocator, s->record, (size_t)s->capacity * sizeof *s->record);
    ct__scratches_close(&s->scratches);
    pthread_mutex_destroy(&s->lock);
    ct_arena_free(&s->arena);
    ct_delete(s->allocator, s, sizeof *s);
}

/* ---- what it holds ---- */

int64_t ct_images_count(const ct_images *s) { return s->count; }
int64_t ct_images_classes(const ct_images *s) { return s->n_classes; }
int64_t ct_images_channels(const ct_images *s) { return s->channels; }

const char *ct_images_class(const ct_images *s, int64_t label) {
    return label >= 0 && label < s->n_classes ? s->classes[label] : "";
}

int ct_images_has(const ct_images *s, int32_t part) { return part > 0 && part < 4 && s->own[part]; }

ct_status ct_images_at(const ct_images *s, int64_t i, ct_image *out) {
    if (i < 0 || i >= s->count) return CT_EUSAGE;
    const ct__record *r = &s->record[i];
    *out = (ct_image){.path = r->path,
                      .number = r->number,
                      .label = r->label,
                      .width = r->width,
                      .height = r->height,
                      .part = r->part,
                      .format = r->format,
                      .channels = r->channels,
                      .depth = r->depth,
                      .alpha = r->alpha,
                      .palette = r->palette,
                      .turn = r->turn,
                      .hash = r->hash};
    return CT_OK;
}

/* ---- parts ---- */

static int32_t tenth_of(const ct__record *r, uint64_t seed) {
    uint8_t key[8];
    if (r->path) return ct_split_of(seed, r->path, strlen(r->path));
    for (int b = 0; b < 8; b++) key[b] = (uint8_t)((uint64_t)r->number >> (8 * b));
    return ct_split_of(seed, key, sizeof key);
}

/* Parts that the data has of its own stay; what is left gives a tenth to validation and a tenth to the test. */
int32_t ct_images_part_of(const ct_images *s, uint64_t seed, int64_t i) {
    if (i < 0 || i >= s->count) return CT_PART_NONE;
    const ct__record *r = &s->record[i];
    if (r->part == CT_PART_TEST || r->part == CT_PART_VALIDATION) return r->part;
    int32_t tenth = tenth_of(r, seed);
    if (!s->own[CT_PART_VALIDATION] && tenth < 1000) return CT_PART_VALIDATION;
    if (!s->own[CT_PART_TEST] && tenth >= 1000 && tenth < 2000) return CT_PART_TEST;
    return CT_PART_TRAIN;
}

ct_status ct_images_part(const ct_images *s, uint64_t seed, const char *part, int64_t **index, int64_t *n,
                         ct_err *e) {
    static const char *const names[] = {"all", "train", "test", "validation"};
    int32_t wanted = 0;
    while (wanted < 4 && strcmp(part, names[wanted]) != 0) wanted++;
    if (wanted == 4)
        return ct_fail(e, CT_EUSAGE, "part %.40s; wanted train, validation, test or all; choose one", part);
    int64_t count = 0, k = 0;
    for (int64_t i = 0; i < s->count; i++) count += !wanted || ct_images_part_of(s, seed, i) == wanted;
    int64_t *list = ct_new_array(s->allocator, (uint64_t)count + 1, sizeof *list);
    if (!list) return ct_fail(e, CT_ELIMIT, "%s: out of memory for %lld records", s->name, (long long)count);
    for (int64_t i = 0; i < s->count; i++)
        if (!wanted || ct_images_part_of(s, seed, i) == wanted) list[k++] = i;
    *index = list;
    *n = count;
    return CT_OK;
}

/* ---- other classes ---- */

_Static_assert(sizeof(ct_picture_options) == 64, "ct_picture_options");
_Static_assert(sizeof(ct_images_options) == 192, "ct_images_options: a ct_picture_options and 128 bytes");

static void write_names(const char *const *name, int64_t n, ct_text *t) {
    for (int64_t i = 0; i < n; i++) ct__names_add(t, i, name[i]);
    ct__names_end(t, n);
}

static ct_status missing_class(const ct_images *s, int64_t i, const char *const *name, int64_t n,
                               const char *of, ct_err *e) {
    ct_text mine = {.allocator = s->allocator}, theirs = {.allocator = s->allocator};
    write_names(s->classes, s->n_classes, &mine);
    write_names(name, n, &theirs);
    ct_status status = ct_fail_at(
        e, CT_EDATA, s->name, -1, "class %.60s, which %s has not; found %s; wanted only %s; take it out",
        s->classes[i], of, mine.data ? mine.data : "", theirs.data ? theirs.data : "");
    ct_text_free(&mine);
    ct_text_free(&theirs);
    return status;
}

static ct_status take_classes(ct_images *s, const int32_t *to, const char *const *name, int64_t n,
                              ct_err *e) {
    const char **copy = ct_arena_array(&s->arena, (uint64_t)n + 1, sizeof *copy);
    for (int64_t i = 0; copy && i < n; i++)
        if (!(copy[i] = ct_arena_text(&s->arena, name[i]))) copy = NULL;
    if (!copy) return ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
    for (int64_t i = 0; i < s->count; i++) s->record[i].label = to[s->record[i].label];
    s->classes = copy;
    s->n_classes = n;
    s->matched = 1;
    return CT_OK;
}

/* A model's file is JSON, so of a class whose name is not UTF-8 it has what ct_escape makes of it. */
static int is_called(const char *own, const char *name) {
    char escaped[4 * 1024];
    if (strcmp(own, name) == 0) return 1;
    return strlen(own) < sizeof escaped / 4 && strcmp(ct_escape(own, escaped, sizeof escaped), name) == 0;
}

ct_status ct_images_match(ct_images *s, const char *const *name, int64_t n, const char *of, ct_err *e) {
    uint64_t mine = (uint64_t)s->n_classes + 1;
    int32_t *to = ct_new_array(s->allocator, mine, sizeof *to);
    ct_status status = to ? CT_OK : ct_fail(e, CT_ELIMIT, "%s: out of memory", s->name);
    for (int64_t i = 0; i < s->n_classes && !status; i++) {
        int64_t k = 0;
        while (k < n && !is_called(s->classes[i], name[k])) k++;
        to[i] = (int32_t)k;
        if (k == n) status = missing_class(s, i, name, n, of, e);
    }
    if (!status) status = take_classes(s, to, name, n, e);
    ct_delete(s->allocator, to, mine * sizeof *to);
    return status;
}
