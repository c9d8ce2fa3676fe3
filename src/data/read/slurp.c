/* slurp.c: a picture file in a thread's own memory: thousands of files, no allocation after the largest. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/read/images.h"

static ct_status failed(const char *path, const char *what, ct_err *e) {
    char text[120] = "";
    const char *why = strerror_r(errno, text, sizeof text);
    return ct_fail_at(e, CT_EIO, path, -1,
                      "%s: %s; wanted a readable picture; check the path and its permissions", what, why);
}

static int64_t read_some(const ct_files *f, int fd, uint8_t *to, uint64_t n) {
    int64_t got;
    if (n > 1u << 30) n = 1u << 30;
    do got = f && f->read ? f->read(f->user, fd, to, (size_t)n) : (int64_t)read(fd, to, (size_t)n);
    while (got < 0 && errno == EINTR);
    return got;
}

static ct_status read_all(const ct_files *f, int fd, const char *path, uint8_t *to, uint64_t bytes,
                          ct_err *e) {
    uint64_t done = 0;
    while (done < bytes) {
        int64_t n = read_some(f, fd, to + done, bytes - done);
        if (n < 0) return failed(path, "cannot read", e);
        if (n == 0) break;
        done += (uint64_t)n;
    }
    uint8_t beyond;
    if (done < bytes || read_some(f, fd, &beyond, 1) > 0)
        return ct_fail_at(e, CT_EIO, path, -1,
                          "changed while reading; wanted a file at rest; try again when its writer is done");
    return CT_OK;
}

ct_status ct__slurp(const ct_files *f, ct_scratch *s, const char *path, uint64_t limit, uint8_t **data,
                    uint64_t *bytes, int *over, ct_err *e) {
    struct stat st;
    int fd, flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    *over = 0;
    do fd = f && f->open ? f->open(f->user, path, flags, 0) : open(path, flags);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return failed(path, "cannot open", e);
    ct_status status = CT_OK;
    if (fstat(fd, &st)) {
        status = failed(path, "cannot examine", e);
    } else if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > limit) {
        *over = 1;
        status = ct_fail_at(e, CT_ELIMIT, path, -1,
                            "%lld bytes, or no regular file; wanted at most %llu; take it out",
                            (long long)st.st_size, (unsigned long long)limit);
    } else {
        *bytes = (uint64_t)st.st_size;
        *data = ct__room(s, CT__ROOM_FILE, *bytes + 1, e);
        status = *data ? read_all(f, fd, path, *data, *bytes, e) : CT_ELIMIT;
    }
    if (f && f->close)
        f->close(f->user, fd);
    else
        close(fd);
    return status;
}
