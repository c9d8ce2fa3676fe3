/* file.c: a whole file in memory.
 *
 * Files are read, not mapped: a mapped file that somebody cuts short kills the process with SIGBUS. The
 * size, as fstat tells it, is checked against the limit before memory is taken, and the file must still
 * be the same after the last byte. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static ct_status changed(const char *path, ct_err *e) {
    return ct_fail_at(e, CT_EIO, path, -1,
                      "changed while reading; wanted a file at rest; try again when its writer is done");
}

static ct_status system_failed(const char *path, const char *what, int error, ct_err *e) {
    return ct_fail_at(e, CT_EIO, path, -1,
                      "%s: %s; wanted a readable file; check the path and its permissions", what,
                      ct__files_why(error));
}

/* Exactly `bytes` bytes: the file was that long when it was opened, and must still end there. */
static ct_status read_exactly(const ct_files *f, int fd, const char *path, char *data, uint64_t bytes,
                              ct_err *e) {
    uint64_t done = 0;
    while (done < bytes) {
        uint64_t left = bytes - done;
        int64_t n = ct__files_read(f, fd, data + done, left > SIZE_MAX ? SIZE_MAX : (size_t)left);
        if (n < 0) return system_failed(path, "cannot read", errno, e);
        if (n == 0 || (uint64_t)n > left) return changed(path, e);
        done += (uint64_t)n;
    }
    char beyond;
    int64_t n = ct__files_read(f, fd, &beyond, 1);
    if (n < 0) return system_failed(path, "cannot read", errno, e);
    return n == 0 ? CT_OK : changed(path, e);
}

static ct_status check_kind(const struct stat *s, const char *path, uint64_t limit, ct_err *e) {
    if (!S_ISREG(s->st_mode) || s->st_size < 0)
        return ct_fail_at(e, CT_EIO, path, -1, "%s; wanted a regular file; copy the data to a file",
                          S_ISDIR(s->st_mode) ? "a folder" : "a pipe, socket or device");
    if (limit && (uint64_t)s->st_size > limit)
        return ct_fail_at(e, CT_ELIMIT, path, -1,
                          "%lld bytes; wanted at most %llu; raise the limit or use a smaller file",
                          (long long)s->st_size, (unsigned long long)limit);
    return CT_OK;
}

static ct_status read_open(const ct_files *f, const ct_allocator *a, int fd, const char *path, uint64_t limit,
                           void **data, uint64_t *bytes, ct_err *e) {
    struct stat before, after;
    if (fstat(fd, &before)) return system_failed(path, "cannot examine", errno, e);
    ct_status status = check_kind(&before, path, limit, e);
    if (status) return status;
    uint64_t size = (uint64_t)before.st_size;
    void *memory = ct_new_array(a, size, 1);
    if (!memory)
        return ct_fail_at(e, CT_ELIMIT, path, -1, "%llu bytes do not fit in memory; use a smaller file",
                          (unsigned long long)size);
    status = read_exactly(f, fd, path, memory, size, e);
    if (!status &&
        (fstat(fd, &after) || after.st_size != before.st_size ||
         after.st_mtim.tv_sec != before.st_mtim.tv_sec || after.st_mtim.tv_nsec != before.st_mtim.tv_nsec))
        status = changed(path, e);
    if (status) {
        ct_delete(a, memory, (size_t)size);
        return status;
    }
    *data = memory;
    *bytes = size;
    return CT_OK;
}

ct_status ct_file_read(const ct_files *f, const ct_allocator *a, const char *path, uint64_t limit,
                       void **data, uint64_t *bytes, ct_err *e) {
    /* O_NONBLOCK: opening a pipe that nobody writes to would wait for ever */
    int fd = ct__files_open(f, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0) return system_failed(path, "cannot open", errno, e);
    ct_status status = read_open(f, a, fd, path, limit, data, bytes, e);
    (void)ct__files_close(f, fd); /* nothing was written: a failing close loses nothing */
    return status;
}
