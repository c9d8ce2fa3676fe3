/* run.c: a run owns a folder beside its model. Writing is always a temporary file, fsync, rename. */
#include "task/run.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ct_status ct__run_paths(ct__run *r, const char *output, ct_err *e) {
    struct stat st;
    const char *slash = strrchr(output, '/'), *dot = strrchr(output, '.');
    size_t stem =
        dot && (!slash || dot > slash + 1) && dot != output ? (size_t)(dot - output) : strlen(output);
    r->lock = -1;
    if (!output[0] || strlen(output) + 8 > sizeof r->model)
        return ct_fail(e, output[0] ? CT_EIO : CT_EUSAGE,
                       "-o: a path of %zu bytes; wanted 1 to %zu; choose another name", strlen(output),
                       sizeof r->model - 8);
    if (stat(output, &st) == 0 && S_ISDIR(st.st_mode))
        return ct_fail(e, CT_EUSAGE,
                       "-o %.900s: a folder; wanted a file name; give one such as m.safetensors", output);
    snprintf(r->model, sizeof r->model, "%s", output);
    snprintf(r->folder, sizeof r->folder, "%.*s.run", (int)stem, output);
    return CT_OK;
}

const char *ct__run_path(const ct__run *r, const char *name, char out[4200]) {
    if (name)
        snprintf(out, 4200, "%s/%s", r->folder, name);
    else
        snprintf(out, 4200, "%s", r->model);
    return out;
}

int ct__run_has(const ct__run *r, const char *name) {
    char path[4200];
    struct stat st;
    return stat(ct__run_path(r, name, path), &st) == 0;
}

ct_status ct__run_remove(const ct__run *r, const char *name, ct_err *e) {
    char path[4200];
    return ct_file_remove(r->files, ct__run_path(r, name, path), e);
}

/* Can the model be written at the end? Better known before the first step. */
static ct_status probe(const ct__run *r, ct_err *e) {
    ct_writer *w;
    ct_status s = ct_writer_open(r->files, r->allocator, r->model, &w, e);
    if (!s) ct_writer_abandon(w);
    return s;
}

static void remove_leftovers(const ct__run *r) {
    static const char *const names[] = {"config.json", "checkpoint.safetensors", "metrics.jsonl",
                                        "validation.jsonl", NULL};
    char path[4200];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ct_writer_clean(r->files, ct__run_path(r, names[i], path));
}

ct_status ct__run_open(ct__run *r, ct_err *e) {
    char path[4200];
    ct_status s = ct_folder_make(r->files, r->folder, &r->made, e);
    if (!s) s = ct_file_lock(r->files, ct__run_path(r, "lock", path), &r->lock, e);
    if (s) return s;
    r->begun = ct__run_has(r, "config.json");
    remove_leftovers(r);
    return probe(r, e);
}

ct_status ct__run_possible(const ct__run *r, ct_err *e) {
    char parent[4200];
    snprintf(parent, sizeof parent, "%s", r->model);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    else
        snprintf(parent, sizeof parent, ".");
    if (access(parent, W_OK | X_OK) == 0) return CT_OK;
    return ct_fail_at(e, CT_EIO, r->model, -1,
                      "%s: %s; wanted a folder that may be written to; choose another", parent,
                      strerror(errno));
}

void ct__run_close(ct__run *r) {
    char path[4200];
    ct_file_unlock(r->files, ct__run_path(r, "lock", path), r->lock, !r->begun);
    if (r->made && !r->begun) (void)remove(r->folder);
    r->lock = -1;
}

ct_status ct__run_read(const ct__run *r, const char *name, json_t **out, ct_err *e) {
    char path[4200];
    void *data;
    uint64_t bytes;
    json_error_t je;
    *out = NULL;
    ct_status s =
        ct_file_read(r->files, r->allocator, ct__run_path(r, name, path), 16u << 20, &data, &bytes, e);
    if (s) return s;
    *out = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &je);
    ct_delete(r->allocator, data, bytes);
    if (*out) return CT_OK;
    return ct_fail_at(e, CT_EDATA, path, je.line, "%s; wanted JSON as this program wrote it", je.text);
}

ct_status ct__run_write(const ct__run *r, const char *name, const json_t *v, ct_err *e) {
    char path[4200];
    char *text = json_dumps(v, JSON_SORT_KEYS | JSON_INDENT(2));
    if (!text) return ct_fail(e, CT_ELIMIT, "%s: out of memory", name);
    size_t length = strlen(text);
    text[length] = '\n'; /* in the place of its NUL: files end with a line end */
    ct_status s = ct_file_write(r->files, r->allocator, ct__run_path(r, name, path), text, length + 1, e);
    free(text);
    return s;
}

ct_status ct__run_truncate(const ct__run *r, const char *name, int64_t lines, ct_err *e) {
    char path[4200];
    void *data;
    uint64_t bytes, keep = 0;
    if (!ct__run_has(r, name))
        return lines == 0 ? CT_OK
                          : ct_fail(e, CT_EDATA, "%s: missing; wanted %lld lines", name, (long long)lines);
    ct_status s =
        ct_file_read(r->files, r->allocator, ct__run_path(r, name, path), 1u << 30, &data, &bytes, e);
    if (s) return s;
    int64_t have = 0;
    for (uint64_t i = 0; i < bytes && have < lines; i++)
        if (((const char *)data)[i] == '\n') {
            have++;
            keep = i + 1;
        }
    if (have < lines)
        s = ct_fail(e, CT_EDATA, "%s: %lld whole lines; wanted %lld; begin anew with --force", path,
                    (long long)have, (long long)lines);
    else if (keep != bytes)
        s = ct_file_write(r->files, r->allocator, path, data, keep, e);
    ct_delete(r->allocator, data, bytes);
    return s;
}

/* A line that a kill tore is dropped by the next resume. */
ct_status ct__run_append(const ct__run *r, const char *name, const json_t *row, ct_err *e) {
    char path[4200];
    char *text = json_dumps(row, JSON_SORT_KEYS | JSON_COMPACT);
    ct_text line = {.allocator = r->allocator};
    if (text) ct_text_format(&line, "%s\n", text);
    ct_status s = !text || line.failed
                      ? ct_fail(e, CT_ELIMIT, "%s: out of memory", name)
                      : ct_file_append(r->files, ct__run_path(r, name, path), line.data, line.length, e);
    free(text);
    ct_text_free(&line);
    return s;
}

ct_status ct__run_save(ct__run *r, const ct_tensors *t, ct_err *e) {
    char now[4200], before[4200];
    ct__run_path(r, "checkpoint.safetensors", now);
    ct__run_path(r, "previous.safetensors", before);
    ct_status s = CT_OK;
    if (!r->damaged && ct__run_has(r, "checkpoint.safetensors")) s = ct_file_rename(r->files, now, before, e);
    if (!s) s = ct_tensors_save(r->files, t, now, e);
    if (!s) r->damaged = 0;
    return s;
}

/* A newer program's checkpoint is not damaged: nothing is gone back to. */
static int is_newer(const ct__run *r, const char *path) {
    ct_tensors *t;
    ct_err ignored = {0};
    if (ct_tensors_load(r->files, r->allocator, path, &t, &ignored)) return 0;
    const char *text = ct_tensors_get(t, "cotan");
    json_t *doc = text ? json_loads(text, 0, NULL) : NULL;
    int newer = json_integer_value(json_object_get(doc, "format")) > CT_MODEL_FORMAT;
    json_decref(doc);
    ct_tensors_free(t);
    return newer;
}

static ct_status load_one(const ct__run *r, const char *name, ct_tensors **out, const char **document,
                          ct_err *e) {
    char path[4200];
    ct_status s = ct_model_read(r->files, r->allocator, ct__run_path(r, name, path), out, document, e);
    if (!s && *document) return CT_OK;
    if (!s) ct_tensors_free(*out);
    *out = NULL;
    if (!s)
        s = ct_fail_at(e, CT_EDATA, path, -1,
                       "weights without a document; wanted a checkpoint; take another");
    if (s == CT_EDATA && is_newer(r, path)) s = CT_EUSAGE; /* told apart for the caller; the text stays */
    return s;
}

ct_status ct__run_load(ct__run *r, int strict, ct_tensors **out, const char **document, char note[600],
                       ct_err *e) {
    static const char *const names[] = {"checkpoint.safetensors", "previous.safetensors"};
    ct_err inner[2] = {{0}, {0}};
    int damaged = 0;
    note[0] = '\0';
    *out = NULL;
    for (int i = 0; i < 2; i++) {
        if (!ct__run_has(r, names[i])) continue;
        ct_status s = load_one(r, names[i], out, document, &inner[damaged]);
        if (!s) {
            r->damaged = damaged;
            if (damaged)
                snprintf(note, 600, "the last checkpoint is damaged (%.400s); the one before is used",
                         inner[0].text);
            return CT_OK;
        }
        if (s != CT_EDATA || strict)
            return ct_fail(e, s == CT_EUSAGE ? CT_EDATA : s, "%s", inner[damaged].text);
        damaged++;
    }
    if (!damaged) return CT_OK;
    return ct_fail(e, CT_EDATA, "%s: no whole checkpoint (%.600s); wanted one; begin anew with --force",
                   r->folder, inner[0].text);
}

json_t *ct__json_path(const char *path) {
    json_t *v = json_string(path);
    char *escaped = v ? NULL : malloc(4 * strlen(path) + 5);
    if (escaped) v = json_string(ct_escape(path, escaped, 4 * strlen(path) + 5));
    free(escaped);
    return v;
}

json_t *ct__json_number(double v) { return isfinite(v) ? json_real(v) : json_null(); }
