/* slurp.c: a picture file in a thread's own memory: thousands of files, no allocation after the largest. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "data/read/images.h"

static ct_status failed(const char *path, const char *what, ct_err *e) {
    char text[120] = "";
    const char *why = strerror_r(errno, text, sizeof text);
    return ct_fail_at(e, CT_EIO, path, -1,
                      "%s: %s; wanted a readable picture; check the path and its permissions", what, why);
}

static ct_status read_all(const ct_files *f, int fd, const char *path, uint8_t *to, uint64_t bytes,
                          ct_err *e) {
    uint64_t done = 0;
    while (done < bytes) {
        int64_t n = ct__file_some(f, fd, to + done, bytes - done);
        if (n < 0) return failed(path, "cannot read", e);
        if (n == 0) break;
        done += (uint64_t)n;
    }
    uint8_t beyond;
    if (done < bytes || ct__file_some(f, fd, &beyond, 1) > 0)
        return ct_fail_at(e, CT_EIO, path, -1,
                          "changed while reading; wanted a file at rest; try again when its writer is done");
    return CT_OK;
}

ct_status ct__unchanged(const char *path, const ct__stamp *was, const ct__stamp *now, ct_err *e) {
    struct stat st;
    ct__stamp here;
    if (!now) {
        if (stat(path, &st)) return failed(path, "cannot examine", e);
        here = ct__stamp_of(&st);
        now = &here;
    }
    if (ct__stamp_same(now, was)) return CT_OK;
    return ct_fail_at(e, CT_EIO, path, -1,
                      "changed since it was looked at; wanted files at rest; begin anew");
}

/* Its first bytes instead, none of a pipe. */
static ct_status read_head(const ct_files *f, ct_scratch *s, int fd, const struct stat *st, uint8_t **data,
                           ct__stamp *stamp, ct_err *e) {
    *data = ct__room(s, CT__ROOM_FILE, CT__HEAD, e);
    if (!*data) return CT_ELIMIT;
    int64_t n = S_ISREG(st->st_mode) ? ct__file_some(f, fd, *data, CT__HEAD) : 0;
    *stamp = (ct__stamp){.bytes = n > 0 ? n : 0};
    return CT_OK;
}

static ct_status read_open(const ct_files *f, ct_scratch *s, int fd, const char *path, uint8_t **data,
                           ct__stamp *stamp, int *over, ct_err *e) {
    struct stat st;
    if (fstat(fd, &st)) return failed(path, "cannot examine", e);
    if (!S_ISREG(st.st_mode) || st.st_size < 0 || st.st_size > CT_PICTURE_FILE) {
        if (read_head(f, s, fd, &st, data, stamp, e)) return CT_ELIMIT;
        *over = 1;
        return ct_fail_at(e, CT_ELIMIT, path, -1,
                          "%lld bytes, or no regular file; wanted at most %d; take it out",
                          (long long)st.st_size, CT_PICTURE_FILE);
    }
    *stamp = ct__stamp_of(&st);
    *data = ct__room(s, CT__ROOM_FILE, (uint64_t)st.st_size + 1, e);
    return *data ? read_all(f, fd, path, *data, (uint64_t)st.st_size, e) : CT_ELIMIT;
}

ct_status ct__slurp(const ct_files *f, ct_scratch *s, const char *path, uint8_t **data, ct__stamp *stamp,
                    int *over, ct_err *e) {
    int fd = ct__file_open(f, path);
    *over = 0;
    if (fd < 0) return failed(path, "cannot open", e);
    ct_status status = read_open(f, s, fd, path, data, stamp, over, e);
    ct__file_close(f, fd);
    return status;
}
