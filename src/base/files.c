/* files.c: the calls of files.h. The idea is there. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One request stays below the 2 GiB at which systems differ. */
#define LARGEST_REQUEST ((size_t)1 << 30)

int ct__files_open(const ct_files *f, const char *path, int flags, int mode) {
    int fd;
    flags |= O_CLOEXEC;
    do fd = f && f->open ? f->open(f->user, path, flags, mode) : open(path, flags, (mode_t)mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int64_t ct__files_read(const ct_files *f, int fd, void *buffer, size_t bytes) {
    int64_t n;
    if (bytes > LARGEST_REQUEST) bytes = LARGEST_REQUEST;
    do n = f && f->read ? f->read(f->user, fd, buffer, bytes) : (int64_t)read(fd, buffer, bytes);
    while (n < 0 && errno == EINTR);
    return n;
}

int64_t ct__files_write(const ct_files *f, int fd, const void *buffer, size_t bytes) {
    int64_t n;
    if (bytes > LARGEST_REQUEST) bytes = LARGEST_REQUEST;
    do n = f && f->write ? f->write(f->user, fd, buffer, bytes) : (int64_t)write(fd, buffer, bytes);
    while (n < 0 && errno == EINTR);
    return n;
}

int ct__files_write_all(const ct_files *f, int fd, const void *data, uint64_t bytes, uint64_t *written) {
    const char *from = data;
    while (bytes) {
        int64_t n = ct__files_write(f, fd, from, bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes);
        if (n <= 0 || (uint64_t)n > bytes) return n < 0 ? errno : EIO;
        from += n;
        bytes -= (uint64_t)n;
        if (written) *written += (uint64_t)n;
    }
    return 0;
}

int ct__files_fsync(const ct_files *f, int fd) {
    int r;
    do r = f && f->fsync ? f->fsync(f->user, fd) : fsync(fd);
    while (r < 0 && errno == EINTR);
    return r;
}

int ct__files_close(const ct_files *f, int fd) { return f && f->close ? f->close(f->user, fd) : close(fd); }

int ct__files_rename(const ct_files *f, const char *from, const char *to) {
    return f && f->rename ? f->rename(f->user, from, to) : rename(from, to);
}

int ct__files_unlink(const ct_files *f, const char *path) {
    return f && f->unlink ? f->unlink(f->user, path) : unlink(path);
}

int ct__files_mkdir(const ct_files *f, const char *path, int mode) {
    return f && f->mkdir ? f->mkdir(f->user, path, mode) : mkdir(path, (mode_t)mode);
}

const char *ct__files_why(int error) {
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0) return "the system refused";
    const char *text = strerror_l(error, c);
    freelocale(c);
    return text;
}
