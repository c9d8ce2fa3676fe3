/* writer.c: a file appears whole or not at all.
 *
 * The bytes go to a new file beside the old one (rename is atomic only within a file system), which is
 * synced and renamed over it; then the folder is synced, because the rename lives there. Whoever is killed
 * at whatever point leaves the old file or the new one, never a mixture. After a failed fsync the kernel
 * may have dropped the pages, so the temporary file counts as lost: it is removed, never synced again. */
#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct ct_writer {
    ct_allocator allocator;
    ct_files files;
    char *path, *folder, *temporary;
    size_t path_bytes, folder_bytes, temporary_bytes;
    uint64_t written;
    int fd;     /* -1: none */
    int exists; /* the temporary file does */
    int failed; /* a write did: commit refuses */
};

static ct_status refused(const ct_writer *w, const char *what, int error, ct_err *e) {
    return ct_fail_at(e, CT_EIO, w->path, -1,
                      "%s: %s; wanted to replace the file; check the folder, its permissions and space", what,
                      ct__files_why(error));
}

/* Free everything; the temporary file, if it is there, goes too. */
static void writer_free(ct_writer *w) {
    if (w->fd >= 0) (void)ct__files_close(&w->files, w->fd);
    if (w->exists) (void)ct__files_unlink(&w->files, w->temporary);
    ct_allocator a = w->allocator;
    ct_delete(&a, w->path, w->path_bytes);
    ct_delete(&a, w->folder, w->folder_bytes);
    ct_delete(&a, w->temporary, w->temporary_bytes);
    ct_delete(&a, w, sizeof *w);
}

/* A file that exists must be a regular one: renaming over /dev/null would replace the device. *mode: what
 * the new file is created with. */
static ct_status check_target(const char *path, int *mode, ct_err *e) {
    struct stat s;
    size_t length = strlen(path);
    *mode = 0666;
    if (length == 0 || path[length - 1] == '/')
        return ct_fail(e, CT_EUSAGE, "file name: \"%s\" names no file; wanted FOLDER/NAME; give a file name",
                       path);
    if (stat(path, &s)) return CT_OK; /* absent, or open will say why not */
    if (!S_ISREG(s.st_mode))
        return ct_fail_at(e, CT_EIO, path, -1,
                          "%s; wanted a regular file, or none, to replace; choose another name",
                          S_ISDIR(s.st_mode) ? "a folder" : "a pipe, socket or device");
    *mode = (int)(s.st_mode & 0777);
    return CT_OK;
}

/* Room for the names: path "F/NAME" gives folder "F" and temporary "F/.NAME.tmp-PID-xxxxxxxx". */
#define SUFFIX_ROOM 40u
#define KEPT_NAME 190 /* of NAME, so that the temporary name fits where NAME does (255 bytes) */

static int make_names(ct_writer *w, const char *path) {
    const char *slash = strrchr(path, '/');
    size_t length = strlen(path), folder = slash ? (size_t)(slash - path) : 0;
    w->path_bytes = length + 1;
    w->folder_bytes = folder + 2;
    w->temporary_bytes = length + SUFFIX_ROOM;
    w->path = ct_new(&w->allocator, w->path_bytes);
    w->folder = ct_new(&w->allocator, w->folder_bytes);
    w->temporary = ct_new(&w->allocator, w->temporary_bytes);
    if (!w->path || !w->folder || !w->temporary) return 0;
    memcpy(w->path, path, length + 1);
    if (folder)
        memcpy(w->folder, path, folder);
    else
        w->folder[0] = slash ? '/' : '.';
    return 1;
}

/* O_EXCL makes the name ours; the clock only makes a clash with a file left by a killed process unlikely. */
static ct_status open_temporary(ct_writer *w, int mode, ct_err *e) {
    const char *slash = strrchr(w->path, '/');
    const char *name = slash ? slash + 1 : w->path;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint32_t mark = (uint32_t)now.tv_nsec ^ (uint32_t)now.tv_sec << 16;
    for (uint32_t attempt = 0; attempt < 100; attempt++) {
        snprintf(w->temporary, w->temporary_bytes, "%.*s.%.*s.tmp-%ld-%08x", (int)(name - w->path), w->path,
                 KEPT_NAME, name, (long)getpid(), (unsigned)(mark + attempt));
        w->fd = ct__files_open(&w->files, w->temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (w->fd >= 0) {
            w->exists = 1;
            return CT_OK;
        }
        if (errno != EEXIST) break;
    }
    return refused(w, "cannot create a temporary file beside it", errno, e);
}

ct_status ct_writer_open(const ct_files *f, const ct_allocator *a, const char *path, ct_writer **out,
                         ct_err *e) {
    int mode;
    ct_status status = check_target(path, &mode, e);
    if (status) return status;
    ct_writer *w = ct_new(a, sizeof *w);
    if (!w) return ct_fail_at(e, CT_ELIMIT, path, -1, "out of memory while opening it for writing");
    w->fd = -1;
    if (a) w->allocator = *a;
    if (f) w->files = *f;
    if (!make_names(w, path))
        status = ct_fail_at(e, CT_ELIMIT, path, -1, "out of memory while opening it for writing");
    else
        status = open_temporary(w, mode, e);
    if (status) {
        writer_free(w);
        return status;
    }
    *out = w;
    return CT_OK;
}

ct_status ct_writer_write(ct_writer *w, const void *data, uint64_t bytes, ct_err *e) {
    uint64_t before = w->written;
    if (w->failed)
        return ct_fail_at(e, CT_EIO, w->path, -1,
                          "an earlier write failed; wanted none to; nothing more is written");
    int error = ct__files_write_all(&w->files, w->fd, data, bytes, &w->written);
    if (!error) return CT_OK;
    w->failed = 1;
    return ct_fail_at(
        e, CT_EIO, w->path, -1,
        "%s after %llu bytes; wanted to write %llu more; make room or choose another folder (the "
        "old file, if any, is untouched)",
        ct__files_why(error), (unsigned long long)w->written,
        (unsigned long long)(bytes - (w->written - before)));
}

static ct_status commit(ct_writer *w, ct_err *e) {
    if (w->failed)
        return ct_fail_at(e, CT_EIO, w->path, -1,
                          "a write failed; wanted all of it written; the file is left as it was");
    if (ct__files_fsync(&w->files, w->fd)) return refused(w, "cannot sync", errno, e);
    int fd = w->fd;
    w->fd = -1;
    if (ct__files_close(&w->files, fd)) return refused(w, "cannot close", errno, e);
    if (ct__files_rename(&w->files, w->temporary, w->path)) return refused(w, "cannot rename", errno, e);
    w->exists = 0;
    int error = ct__folder_sync(&w->files, w->folder);
    return error
               ? refused(
                     w, "written, but its folder cannot be synced: the new name may not survive a power loss",
                     error, e)
               : CT_OK;
}

ct_status ct_writer_commit(ct_writer *w, ct_err *e) {
    ct_status status = commit(w, e);
    writer_free(w);
    return status;
}

void ct_writer_abandon(ct_writer *w) {
    if (w) writer_free(w);
}

ct_status ct_file_write(const ct_files *f, const ct_allocator *a, const char *path, const void *data,
                        uint64_t bytes, ct_err *e) {
    ct_writer *w;
    ct_status status = ct_writer_open(f, a, path, &w, e);
    if (status) return status;
    status = ct_writer_write(w, data, bytes, e);
    if (!status) return ct_writer_commit(w, e);
    ct_writer_abandon(w);
    return status;
}

/* ".NAME.tmp-" with digits after it, NAME as make_names keeps it. */
static int is_leftover(const char *entry, const char *name) {
    char prefix[KEPT_NAME + 16];
    int n = snprintf(prefix, sizeof prefix, ".%.*s.tmp-", KEPT_NAME, name);
    return strncmp(entry, prefix, (size_t)n) == 0 && entry[n] >= '0' && entry[n] <= '9';
}

void ct_writer_clean(const ct_files *f, const char *path) {
    char full[4096];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    if (folder + 300 > sizeof full) return;
    snprintf(full, sizeof full, "%.*s", folder ? (int)folder : 2, folder ? path : "./");
    DIR *d = opendir(full);
    if (!d) return;
    for (struct dirent *x = readdir(d); x; x = readdir(d)) {
        if (!is_leftover(x->d_name, name)) continue;
        snprintf(full, sizeof full, "%.*s%s", (int)folder, path, x->d_name);
        (void)ct__files_unlink(f, full);
    }
    closedir(d);
}
