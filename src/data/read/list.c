/* list.c: pictures named in a file: CSV or TSV with a header, or one JSON object a line. Paths are relative to the
 * list's folder. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "data/read/images.h"

#define LIMIT (1u << 30)
#define MAX_COLUMNS 64

typedef struct list {
    ct_images *s;
    const char *file;
    const char *at, *end;
    int64_t line;
    char separator;
    int path, label, part; /* columns; -1: none */
    const char **name;     /* label of each record */
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

static ct_status add(list *l, const char *path, const char *label, const char *part) {
    static const struct {
        const char *name;
        int32_t part;
    } parts[] = {{"train", CT_PART_TRAIN},           {"test", CT_PART_TEST},
                 {"validation", CT_PART_VALIDATION}, {"valid", CT_PART_VALIDATION},
                 {"val", CT_PART_VALIDATION},        {"", CT_PART_NONE}};
    ct_images *s = l->s;
    size_t k = 0, n = sizeof parts / sizeof *parts;
    while (k < n && strcmp(parts[k].name, part) != 0) k++;
    if (k == n) return bad(l, "an unknown part", "train, validation or test");
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

/* ---- CSV ---- */

/* After an opening quote: up to the closing one; two in a row are one. Quotes as in RFC 4180. */
static ct_status read_quoted(list *l, ct_text *t) {
    int64_t opened = l->line;
    for (l->at++; l->at < l->end; l->at++) {
        if (*l->at == '"' && (l->at + 1 == l->end || l->at[1] != '"')) {
            l->at++;
            if (l->at == l->end || *l->at == l->separator || *l->at == '\n' || *l->at == '\r') return CT_OK;
            return bad(l, "text after a closing quote", "a separator");
        }
        l->at += *l->at == '"';
        l->line += *l->at == '\n';
        ct_text_bytes(t, l->at, 1);
    }
    l->line = opened;
    return bad(l, "a quote that never ends", "its end");
}

/* One cell into `t`; *more: a separator follows. */
static ct_status read_cell(list *l, ct_text *t, int *more) {
    ct_status s = CT_OK;
    t->length = 0;
    ct_text_add(t, "");
    if (l->at < l->end && *l->at == '"') {
        s = read_quoted(l, t);
    } else {
        const char *from = l->at;
        while (l->at < l->end && *l->at != l->separator && *l->at != '\n' && *l->at != '\r') l->at++;
        ct_text_bytes(t, from, (size_t)(l->at - from));
    }
    if (s) return s;
    *more = l->at < l->end && *l->at == l->separator;
    l->at += *more;
    if (t->failed) return ct_fail(l->e, CT_ELIMIT, "%s: out of memory", l->file);
    return t->data && strlen(t->data) != t->length ? bad(l, "a NUL byte", "text") : CT_OK;
}

static void end_line(list *l) {
    if (l->at < l->end && *l->at == '\r') l->at++;
    if (l->at < l->end && *l->at == '\n') l->at++;
    l->line++;
}

static ct_status read_row(list *l, ct_text *cell, int *n) {
    int more = 1;
    *n = 0;
    while (more) {
        if (*n == MAX_COLUMNS) return bad(l, "more than 64 columns", "path, label and part");
        ct_status s = read_cell(l, &cell[(*n)++], &more);
        if (s) return s;
    }
    end_line(l);
    return CT_OK;
}

static int column_of(const ct_text *cell, int n, const char *names) {
    for (int i = 0; i < n; i++)
        for (const char *w = names; *w && cell[i].length;) {
            size_t k = strcspn(w, " ");
            if (cell[i].length == k && strncasecmp(cell[i].data, w, k) == 0) return i;
            w += k + strspn(w + k, " ");
        }
    return -1;
}

static char separator_of(const list *l) {
    const char *c = l->at;
    while (c < l->end && *c != '\n' && !strchr(",;\t", *c)) c++;
    return c < l->end && *c != '\n' ? *c : ',';
}

static ct_status read_header(list *l, ct_text *cell, int *columns) {
    if (l->end - l->at >= 3 && memcmp(l->at, "\xef\xbb\xbf", 3) == 0) l->at += 3;
    l->separator = separator_of(l);
    ct_status s = read_row(l, cell, columns);
    if (s) return s;
    l->line--;
    l->path = column_of(cell, *columns, "path file filename image");
    l->label = column_of(cell, *columns, "label class target");
    l->part = column_of(cell, *columns, "part split");
    if (l->path < 0) return bad(l, "no column \"path\"", "a header such as path,label");
    if (l->label < 0 && !l->s->o.unlabelled)
        return bad(l, "no column \"label\"", "a header such as path,label");
    l->line++;
    return CT_OK;
}

static ct_status read_csv(list *l) {
    ct_text cell[MAX_COLUMNS] = {{0}};
    int columns = 0, n = 0;
    for (int i = 0; i < MAX_COLUMNS; i++) cell[i].allocator = l->s->allocator;
    ct_status s = read_header(l, cell, &columns);
    while (!s && l->at < l->end) {
        if (*l->at == '\n' || *l->at == '\r') { /* an empty line */
            end_line(l);
            continue;
        }
        int64_t line = l->line;
        s = read_row(l, cell, &n);
        int64_t after = l->line;
        l->line = line;
        if (!s && n != columns) {
            char found[40], wanted[40];
            snprintf(found, sizeof found, "%d fields", n);
            snprintf(wanted, sizeof wanted, "%d, as the header", columns);
            s = bad(l, found, wanted);
        }
        if (!s)
            s = add(l, cell[l->path].data, l->label >= 0 ? cell[l->label].data : "",
                    l->part >= 0 ? cell[l->part].data : "");
        if (!s) l->line = after;
    }
    for (int i = 0; i < MAX_COLUMNS; i++) ct_text_free(&cell[i]);
    return s;
}

/* ---- JSON lines ---- */

static ct_status read_object(list *l, const json_t *v) {
    char number[32];
    const json_t *label = json_object_get(v, "label");
    const char *path = json_string_value(json_object_get(v, "path")), *text = json_string_value(label),
               *part = json_string_value(json_object_get(v, "part"));
    if (!path) return bad(l, "no \"path\"", "an object such as {\"path\": \"a.png\", \"label\": \"cat\"}");
    if (json_is_integer(label)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(label));
        text = number;
    }
    if (!text && !l->s->o.unlabelled) return bad(l, "no \"label\"", "a text or a whole number");
    return add(l, path, text ? text : "", part ? part : "");
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
    if (!status) status = first < bytes && l.at[first] == '{' ? read_json(&l) : read_csv(&l);
    if (!status && s->count == 0)
        status = ct_fail_at(e, CT_EDATA, path, -1, "0 rows; wanted at least one picture; check the file");
    if (!status) status = ct__images_label(s, l.name, e);
    ct_delete(s->allocator, l.name, (size_t)l.capacity * sizeof *l.name);
    ct_delete(s->allocator, data, bytes);
    return status;
}
