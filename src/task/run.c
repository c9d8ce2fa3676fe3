/* run.c: a run owns a folder beside its model. Writing is always a temporary file, fsync, rename. */
#include "task/run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ct_status ct__run_paths(ct__run *r, const char *output, ct_err *e) {
    const char *slash = strrchr(output, '/'), *dot = strrchr(output, '.');
    size_t stem =
        dot && (!slash || dot > slash + 1) && dot != output ? (size_t)(dot - output) : strlen(output);
    r->lock = -1;
    if (!output[0] || strlen(output) + 8 > sizeof r->model)
        return ct_fail(e, CT_EUSAGE, "output: a path of %zu bytes; wanted 1 to %zu", strlen(output),
                       sizeof r->model - 8);
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

static ct_status locked(const ct__run *r, const char *path, ct_err *e) {
    char pid[32] = {0};
    ssize_t n = pread(r->lock, pid, sizeof pid - 1, 0);
    if (n > 0) pid[strcspn(pid, "\n")] = '\0';
    return ct_fail(e, CT_EIO,
                   "%s: held by process %s, which trains into this folder; wait for it, or give another -o",
                   path, n > 0 ? pid : "unknown");
}

static int make_folder(const ct__run *r) {
    if (r->files && r->files->mkdir) return r->files->mkdir(r->files->user, r->folder, 0777);
    return mkdir(r->folder, 0777);
}

ct_status ct__run_open(ct__run *r, ct_err *e) {
    char path[4200], pid[32];
    if (make_folder(r) != 0 && errno != EEXIST)
        return ct_fail(e, CT_EIO, "%s: cannot be made: %s", r->folder, strerror(errno));
    ct__run_path(r, "lock", path);
    r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (r->lock < 0) return ct_fail(e, CT_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(r->lock, F_OFD_SETLK, &lock) != 0) {
        ct_status s = locked(r, path, e);
        close(r->lock);
        r->lock = -1;
        return s;
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(r->lock, 0) != 0 || pwrite(r->lock, pid, (size_t)n, 0) != n)
        return ct_fail(e, CT_EIO, "%s: cannot be written: %s", path, strerror(errno));
    return CT_OK;
}

void ct__run_close(ct__run *r) {
    if (r->lock >= 0) close(r->lock);
    r->lock = -1;
}

json_t *ct__run_read(const ct__run *r, const char *name, ct_err *e) {
    char path[4200];
    void *data;
    uint64_t bytes;
    json_error_t je;
    if (ct_file_read(r->files, r->allocator, ct__run_path(r, name, path), 16u << 20, &data, &bytes, e))
        return NULL;
    json_t *v = json_loadb(data, bytes, JSON_REJECT_DUPLICATES, &je);
    ct_delete(r->allocator, data, bytes);
    if (!v) ct_fail_at(e, CT_EDATA, path, je.line, "%s; wanted JSON as this program wrote it", je.text);
    return v;
}

ct_status ct__run_write(const ct__run *r, const char *name, const json_t *v, ct_err *e) {
    char path[4200];
    char *text = json_dumps(v, JSON_SORT_KEYS | JSON_INDENT(2));
    if (!text) return ct_fail(e, CT_ELIMIT, "%s: out of memory", name);
    ct_status s = ct_file_write(r->files, r->allocator, ct__run_path(r, name, path), text, strlen(text), e);
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

/* One write call of a whole line: a torn one is repaired by the next resume. */
ct_status ct__run_append(const ct__run *r, const char *name, const json_t *row, ct_err *e) {
    char path[4200];
    char *text = json_dumps(row, JSON_SORT_KEYS | JSON_COMPACT);
    ct_text line = {.allocator = r->allocator};
    if (text) ct_text_format(&line, "%s\n", text);
    free(text);
    if (!text || line.failed) return ct_fail(e, CT_ELIMIT, "%s: out of memory", name);
    const ct_files *f = r->files;
    ct__run_path(r, name, path);
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, ok = 0;
    int fd = f && f->open ? f->open(f->user, path, flags, 0666) : open(path, flags, 0666);
    if (fd >= 0) {
        int64_t n = f && f->write ? f->write(f->user, fd, line.data, line.length)
                                  : (int64_t)write(fd, line.data, line.length);
        ok = n == (int64_t)line.length && (f && f->fsync ? f->fsync(f->user, fd) : fsync(fd)) == 0;
        int closed = f && f->close ? f->close(f->user, fd) : close(fd);
        ok = ok && closed == 0;
    }
    ct_text_free(&line);
    return ok ? CT_OK : ct_fail(e, CT_EIO, "%s: cannot be appended to: %s", path, strerror(errno));
}

static int rename_file(const ct_files *f, const char *from, const char *to) {
    return f && f->rename ? f->rename(f->user, from, to) : rename(from, to);
}

ct_status ct__run_save(const ct__run *r, const ct_tensors *t, ct_err *e) {
    char now[4200], before[4200];
    ct__run_path(r, "checkpoint.safetensors", now);
    ct__run_path(r, "previous.safetensors", before);
    if (ct__run_has(r, "checkpoint.safetensors") && rename_file(r->files, now, before) != 0)
        return ct_fail(e, CT_EIO, "%s: cannot be renamed to %s: %s", now, before, strerror(errno));
    return ct_tensors_save(r->files, t, now, e);
}

ct_status ct__run_load(const ct__run *r, ct_tensors **out, const char **document, char note[600], ct_err *e) {
    static const char *const names[] = {"checkpoint.safetensors", "previous.safetensors"};
    note[0] = '\0';
    *out = NULL;
    for (int i = 0; i < 2; i++) {
        char path[4200];
        ct_err inner = {0};
        if (!ct__run_has(r, names[i])) continue;
        ct_status s =
            ct_model_read(r->files, r->allocator, ct__run_path(r, names[i], path), out, document, &inner);
        if (!s && *document) return CT_OK;
        if (!s) ct_tensors_free(*out);
        *out = NULL;
        if (s == CT_ELIMIT) return ct_fail(e, s, "%s", inner.text);
        if (i == 0)
            snprintf(note, 600, "the last checkpoint is damaged (%.400s); the one before is used",
                     inner.text);
        else if (note[0] || !ct__run_has(r, names[0]))
            return ct_fail(e, CT_EDATA, "%s: no whole checkpoint: %.600s; begin anew with --force", r->folder,
                           inner.text);
    }
    if (note[0])
        return ct_fail(e, CT_EDATA, "%s: %.500s, and there is none; begin anew with --force", r->folder,
                       note);
    return CT_OK;
}

json_t *ct__json_number(double v) { return isfinite(v) ? json_real(v) : json_null(); }
