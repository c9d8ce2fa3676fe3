/* file.c: opening and reading for those that cannot take a whole file into an array of its own (csv_file.c, slurp.c). */
#include "data/read/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int ct__file_open(const ct_files *f, const char *path) {
    int fd, flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    do fd = f && f->open ? f->open(f->user, path, flags, 0) : open(path, flags);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int64_t ct__file_some(const ct_files *f, int fd, void *to, uint64_t bytes) {
    int64_t got;
    if (bytes > 1u << 30) bytes = 1u << 30;
    do got = f && f->read ? f->read(f->user, fd, to, (size_t)bytes) : (int64_t)read(fd, to, (size_t)bytes);
    while (got < 0 && errno == EINTR);
    return got;
}

void ct__file_close(const ct_files *f, int fd) {
    if (f && f->close)
        (void)f->close(f->user, fd);
    else
        (void)close(fd);
}

ct__stamp ct__stamp_of(const struct stat *s) {
    return (ct__stamp){(uint64_t)s->st_dev, (uint64_t)s->st_ino, (int64_t)s->st_size,
                       (int64_t)s->st_mtim.tv_sec, (int64_t)s->st_mtim.tv_nsec};
}

int ct__stamp_same(const ct__stamp *a, const ct__stamp *b) {
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->seconds == b->seconds && a->nanoseconds == b->nanoseconds;
}
