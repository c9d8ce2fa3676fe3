/* seam.h: a table of file operations that counts, fails, shortens and interrupts; over the system's own. */
#ifndef CT_TESTS_SEAM_H
#define CT_TESTS_SEAM_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cotan/base.h"

enum { OP_OPEN, OP_READ, OP_WRITE, OP_FSYNC, OP_CLOSE, OP_RENAME, OP_UNLINK, OP_MKDIR, OPS };
static const char *const seam_names[OPS] = {"open",  "read",   "write",  "fsync",
                                            "close", "rename", "unlink", "mkdir"};

typedef struct seam {
    int op, error; /* fail the nth call (from 0) of op with errno; op -1: never */
    int64_t nth;
    int persistent; /* from there on */
    int mild;       /* 1: reads and writes of at most three bytes, EINTR before each */
    int toggle;
    int64_t calls[OPS];
    int64_t opened, closed;
    /* told before every call; may be NULL. path: NULL for descriptors; data: what is about to be written, or the
     * new name; bytes: for open, its flags */
    void (*before)(struct seam *s, int op, const char *path, int fd, const void *data, size_t bytes);
    void *user;
} seam;

static inline int seam_hit(seam *s, int op, const char *path, int fd, const void *data, size_t bytes) {
    int interrupts = op == OP_OPEN || op == OP_READ || op == OP_WRITE || op == OP_FSYNC;
    if (s->mild && interrupts && (s->toggle ^= 1)) {
        errno = EINTR;
        return 1;
    }
    if (s->before) s->before(s, op, path, fd, data, bytes);
    int64_t call = s->calls[op]++;
    if (s->op != op || (s->persistent ? call < s->nth : call != s->nth)) return 0;
    errno = s->error;
    return 1;
}

static inline int seam_open(void *user, const char *path, int flags, int mode) {
    seam *s = user;
    if (seam_hit(s, OP_OPEN, path, -1, NULL, (size_t)flags)) return -1;
    if (!(flags & O_CLOEXEC)) return errno = EINVAL, -1;
    int fd = open(path, flags, (mode_t)mode);
    s->opened += fd >= 0;
    return fd;
}
static inline int64_t seam_read(void *user, int fd, void *buffer, size_t bytes) {
    seam *s = user;
    if (seam_hit(s, OP_READ, NULL, fd, NULL, bytes)) return -1;
    return read(fd, buffer, s->mild && bytes > 3 ? 3 : bytes);
}
static inline int64_t seam_write(void *user, int fd, const void *buffer, size_t bytes) {
    seam *s = user;
    if (seam_hit(s, OP_WRITE, NULL, fd, buffer, bytes)) return -1;
    return write(fd, buffer, s->mild && bytes > 3 ? 3 : bytes);
}
static inline int seam_fsync(void *user, int fd) {
    return seam_hit(user, OP_FSYNC, NULL, fd, NULL, 0) ? -1 : fsync(fd);
}
static inline int seam_close(void *user, int fd) {
    seam *s = user;
    int failed = seam_hit(s, OP_CLOSE, NULL, fd, NULL, 0), error = errno;
    close(fd); /* the descriptor is gone either way, as on Linux */
    s->closed++;
    errno = error;
    return failed ? -1 : 0;
}
static inline int seam_rename(void *user, const char *from, const char *to) {
    return seam_hit(user, OP_RENAME, from, -1, to, 0) ? -1 : rename(from, to);
}
static inline int seam_unlink(void *user, const char *path) {
    return seam_hit(user, OP_UNLINK, path, -1, NULL, 0) ? -1 : unlink(path);
}
static inline int seam_mkdir(void *user, const char *path, int mode) {
    return seam_hit(user, OP_MKDIR, path, -1, NULL, 0) ? -1 : mkdir(path, (mode_t)mode);
}

static inline ct_files seam_files(seam *s) {
    return (ct_files){s,          seam_open,   seam_read,   seam_write, seam_fsync,
                      seam_close, seam_rename, seam_unlink, seam_mkdir};
}

#endif
