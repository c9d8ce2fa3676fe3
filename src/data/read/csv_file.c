/* csv_file.c: the bytes under the CSV reader: a window over a file, or over memory, that moves along.
 *
 * The window grows only while one record does not fit, up to the limit; a file that changes between two passes, or
 * while it is read, is noticed by its size, time and inode. */
#include "data/read/csv.h"

#include <errno.h>
#include <string.h>

#define FIRST_WINDOW ((size_t)1 << 16)

static int take_stamp(int fd, ct__stamp *out, mode_t *mode) {
    struct stat s;
    if (fstat(fd, &s)) return 0;
    *mode = s.st_mode;
    *out = ct__stamp_of(&s);
    return 1;
}

static ct_status changed(const ct_csv *c, ct_err *e) {
    return ct_fail_at(e, CT_EIO, c->path, -1,
                      "changed while reading; wanted a file at rest; try again when its writer is done");
}

ct_status ct__csv_open_file(ct_csv *c, ct_err *e) {
    ct__stamp now;
    mode_t mode = 0;
    c->begin = c->end = 0;
    c->ended = c->after_cr = 0;
    c->line = 1;
    c->read = c->given = 0;
    if (c->from_memory) return CT_OK;
    ct__csv_close_file(c);
    c->fd = ct__file_open(c->files, c->path);
    if (c->fd < 0)
        return ct_fail_at(e, CT_EIO, c->path, -1,
                          "cannot open: %s; wanted a readable file; check the path and its permissions",
                          strerror(errno));
    if (!take_stamp(c->fd, &now, &mode) || !S_ISREG(mode))
        return ct_fail_at(e, CT_EIO, c->path, -1, "%s; wanted a regular file; copy the data to a file",
                          S_ISDIR(mode) ? "a folder" : "a pipe, socket or device");
    if (c->stamp.inode && !ct__stamp_same(&c->stamp, &now)) return changed(c, e);
    c->stamp = now;
    return CT_OK;
}

void ct__csv_close_file(ct_csv *c) {
    if (c->fd >= 0) ct__file_close(c->files, c->fd);
    c->fd = -1;
}

/* Room behind `end`: what was given out is dropped, then the window doubles. */
static ct_status make_room(ct_csv *c, ct_err *e) {
    if (c->begin) {
        memmove(c->buffer, c->buffer + c->begin, c->end - c->begin);
        c->end -= c->begin;
        c->begin = 0;
    }
    if (c->end + 1 < c->capacity) return CT_OK; /* one byte is for a NUL at the end */
    if (c->end + 1 >= CT__CSV_RECORD)
        return ct_fail_line(
            e, CT_ELIMIT, c->path, c->line > INT32_MAX ? INT32_MAX : (int32_t)c->line, 1,
            "a record of more than 64 MiB; wanted lines; is a quote left open, or is it no CSV?");
    size_t capacity = c->capacity ? 2 * c->capacity : FIRST_WINDOW;
    char *fresh = ct_resize(c->allocator, c->buffer, c->capacity, capacity);
    if (!fresh) return ct_fail(e, CT_ELIMIT, "%s: out of memory for a record; use a smaller file", c->path);
    c->buffer = fresh;
    c->capacity = capacity;
    return CT_OK;
}

static ct_status take(ct_csv *c, size_t room, int64_t *got, ct_err *e) {
    if (c->from_memory) {
        uint64_t left = c->bytes - c->given, n = left < room ? left : room;
        if (n) memcpy(c->buffer + c->end, c->data + c->given, (size_t)n);
        c->given += n;
        *got = (int64_t)n;
        return CT_OK;
    }
    *got = ct__file_some(c->files, c->fd, c->buffer + c->end, room);
    if (*got < 0)
        return ct_fail_at(e, CT_EIO, c->path, -1, "cannot read: %s; wanted a readable file; check the disk",
                          strerror(errno));
    if ((uint64_t)*got > room) return changed(c, e);
    c->read += (uint64_t)*got;
    if (*got > 0) return CT_OK;
    ct__stamp now;
    mode_t mode;
    if (!take_stamp(c->fd, &now, &mode) || !ct__stamp_same(&c->stamp, &now) ||
        c->read != (uint64_t)c->stamp.bytes)
        return changed(c, e);
    return CT_OK;
}

ct_status ct__csv_fill(ct_csv *c, ct_err *e) {
    int64_t got = 0;
    ct_status s = make_room(c, e);
    if (!s) s = take(c, c->capacity - c->end - 1, &got, e);
    if (s) return s;
    if (got == 0) c->ended = 1;
    c->end += (size_t)got;
    return CT_OK;
}
