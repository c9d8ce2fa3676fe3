/* list.c: pictures named in a file: CSV or TSV with a header, or one JSON object a line. Paths are relative to the
 * list's folder. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "data/read/images.h"

#define LIMIT (1u << 30)

typedef struct list {
    ct_images *s;
    const char *file;
    const char *at, *end;
    int64_t line;
    const char **name; /* label of each record */
    int64_t capacity;
    ct_err *e;
} list;

int ct__is_list(const char *path) {
    static const char *const endings[] = {".csv", ".tsv", ".jsonl", ".ndjson"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t k = strlen(endings[i]);
        if (n > k && strcasecmp(path + n - k, endings[i]) == 0) return 1;
    }
    return 0;
}

static ct_status bad(list *l, const char *found, const char *wanted) {
    return ct_fail(l->e, CT_EDATA, "%s:%lld: %s; wanted %s; mend the line", l->file, (long long)l->line,
                   found, wanted);
}

static ct_status unknown_part(list *l, const char *part) {
    char safe[80];
    return ct_fail(l->e, CT_EDATA, "%s:%lld: part \"%s\"; wanted train, validation or test; mend the line",
                   l->file, (long long)l->line, ct_escape(part, safe, sizeof safe));
}

static ct_status add(list *l, const char *path, const char *label, const char *part) {
    static const struct {
        const char *name;
        int32_t part;
    } parts[] = {{"train", CT_PART_TRAIN},           {"test", CT_PART_TEST},
                 {"validation", CT_PART_VALIDATION}, {"valid", CT_PART_VALIDATION},
                 {"val", CT_PART_VALIDATION},        {"", CT_PART_NONE}};
    ct_images *s = l->s;
    size_t k = 0, n = sizeof parts / sizeof *parts;
    while (k < n && strcasecmp(parts[k].name, part) != 0) k++;
    if (k == n) return unknown_part(l, part);
    if (!path[0]) return bad(l, "no path", "a path in each row");
    if (!label[0] && !s->o.unlabelled) return bad(l, "no label", "a label in each row");
    s->own[parts[k].part] = parts[k].part != 0;
    if (s->o.parts && parts[k].part && !(s->o.parts >> parts[k].part & 1)) return CT_OK;
    if (s->count >= l->capacity) {
        int64_t capacity = l->capacity ? 2 * l->capacity : 256;
        const char **more = ct_resize(s->allocator, l->name, (size_t)l->capacity * sizeof *more,
                                      (size_t)capacity * sizeof *more);
        if (!more) return ct_fail(l->e, CT_ELIMIT, "%s: out of memory", l->file);
        l->name = more;
        l->capacity = capacity;
    }
    l->name[s->count] = ct_arena_text(&s->arena, s->o.unlabelled ? "" : label);
    if (!l->name[s->count]) return ct_fail(l->e, CT_ELIMIT, "%s: out of memory", l->file);
    return ct__images_add(s, path, s->count, parts[k].part, l->e) ? CT_OK : CT_ELIMIT;
}

/* What a column of CSV, or a key of JSON, is called. */
#define PATHS "path file filename image"
#define LABELS "label class target"
#define PARTS "part split"

/* ---- CSV ---- */

/* The column with one of these names, in any letters; -1: none. */
static int32_t column_of(const ct_csv *c, const char *names) {
    for (int32_t i = 0; i < ct_csv_columns(c); i++)
        for (const char *w = names; *w;) {
            size_t k = strcspn(w, " ");
            if (strlen(ct_csv_name(c, i)) == k && strncasecmp(ct_csv_name(c, i), w, k) == 0) return i;
            w += k + strspn(w + k, " ");
        }
    return -1;
}

static ct_status read_csv(list *l, uint64_t bytes) {
    ct_csv *c = NULL;
    int32_t more = 1;
    ct_status s = ct_csv_parse(l->s->allocator, l->at, bytes, l->file, (ct_csv_options){0}, &c, l->e);
    if (s) return s;
    int32_t path = column_of(c, PATHS), label = column_of(c, LABELS), part = column_of(c, PARTS);
    if (path < 0) s = bad(l, "no column \"path\"", "a header such as path,label");
    if (!s && label < 0 && !l->s->o.unlabelled)
        s = bad(l, "no column \"label\"", "a header such as path,label");
    while (!s) {
        s = ct_csv_next(c, &more, l->e);
        if (s || !more) break;
        l->line = ct_csv_line(c);
        s = add(l, ct_csv_text(c, path), label >= 0 ? ct_csv_text(c, label) : "",
                part >= 0 ? ct_csv_text(c, part) : "");
    }
    ct_csv_close(c);
    return s;
}

/* ---- JSON lines ---- */

/* The value of the first of these keys that is there and not null; NULL: none. */
static const json_t *value_of(const json_t *v, const char *names) {
    char name[16];
    for (const char *w = names; *w;) {
        size_t k = strcspn(w, " ");
        snprintf(name, sizeof name, "%.*s", (int)k, w);
        const json_t *x = json_object_get(v, name);
        if (x && !json_is_null(x)) return x;
        w += k + strspn(w + k, " ");
    }
    return NULL;
}

static ct_status read_object(list *l, const json_t *v) {
    char number[32];
    const json_t *label = value_of(v, LABELS), *part = value_of(v, PARTS);
    const char *path = json_string_value(value_of(v, PATHS)), *text = json_string_value(label);
    if (!path) return bad(l, "no \"path\"", "an object such as {\"path\": \"a.png\", \"label\": \"cat\"}");
    if (json_is_integer(label)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(label));
        text = number;
    }
    if (!text && !l->s->o.unlabelled) return bad(l, "no \"label\"", "a text or a whole number");
    if (part && !json_is_string(part)) return bad(l, "a part that is no text", "train, validation or test");
    return add(l, path, text ? text : "", part ? json_string_value(part) : "");
}

static ct_status read_json(list *l) {
    ct_status s = CT_OK;
    for (; l->at < l->end && !s; l->line++) {
        const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
        if (!stop) stop = l->end;
        size_t n = (size_t)(stop - l->at), blank = 0;
        while (blank < n && strchr(" \t\r", l->at[blank])) blank++;
        if (blank < n) {
            json_error_t error;
            json_t *v = json_loadb(l->at, n, JSON_REJECT_DUPLICATES, &error);
            s = json_is_object(v) ? read_object(l, v)
                                  : bad(l, v ? "no object" : error.text, "one JSON object a line");
            json_decref(v);
        }
        if (s) break;
        l->at = stop < l->end ? stop + 1 : stop;
    }
    return s;
}

/* ---- the list ---- */

ct_status ct__images_list(ct_images *s, const char *path, ct_err *e) {
    void *data;
    uint64_t bytes;
    ct_status status = ct_file_read(s->files, s->allocator, path, LIMIT, &data, &bytes, e);
    if (status) return status;
    const char *slash = strrchr(path, '/');
    s->root = slash ? ct_arena_format(&s->arena, "%.*s", (int)(slash - path), path) : "";
    if (slash == path) s->root = "/.";
    list l = {.s = s, .file = path, .at = data, .end = (const char *)data + bytes, .line = 1, .e = e};
    if (!s->root) status = ct_fail(e, CT_ELIMIT, "%s: out of memory", path);
    size_t first = 0;
    while (first < bytes && strchr(" \t\r\n", l.at[first])) first++;
    if (!status) status = first < bytes && l.at[first] == '{' ? read_json(&l) : read_csv(&l, bytes);
    if (!status && s->count == 0)
        status = ct_fail_at(e, CT_EDATA, path, -1, "0 rows; wanted at least one picture; check the file");
    if (!status) status = ct__images_label(s, l.name, e);
    ct_delete(s->allocator, l.name, (size_t)l.capacity * sizeof *l.name);
    ct_delete(s->allocator, data, bytes);
    return status;
}
