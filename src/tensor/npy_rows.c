/* npy_rows.c: NumPy's .npy by rows, for data that does not fit in memory.
 *
 * The file is read once from the front (or again after a rewind), a run of rows at a time. Its length is compared
 * with the header when it is opened; its size, time and inode must be the same at every opening and at the end. */
#include "tensor/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"

struct ct_npy {
    ct_allocator allocator;
    ct_files files;
    char *path;
    size_t path_bytes;
    int fd; /* -1: closed */
    ct__npy_header h;
    struct stat stamp;
    int64_t begin; /* of the data in the file */
    int64_t row;   /* the next one */
    uint64_t row_bytes, row_elements;
    uint8_t *raw; /* a run of rows as they lie in the file */
    size_t raw_bytes;
};

static ct_status refused(const ct_npy *n, const char *what, int error, ct_err *e) {
    return ct_fail_at(e, CT_EIO, n->path, -1,
                      "%s: %s; wanted a readable file; check the path and its permissions", what,
                      ct__files_why(error));
}
static ct_status changed(const ct_npy *n, ct_err *e) {
    return ct_fail_at(e, CT_EIO, n->path, -1,
                      "changed while reading; wanted a file at rest; try again when its writer is done");
}

static int same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Up to `bytes`; *got is less at the end of the file. */
static ct_status read_some(ct_npy *n, void *to, uint64_t bytes, uint64_t *got, ct_err *e) {
    *got = 0;
    while (*got < bytes) {
        uint64_t left = bytes - *got;
        int64_t k =
            ct__files_read(&n->files, n->fd, (char *)to + *got, left > SIZE_MAX ? SIZE_MAX : (size_t)left);
        if (k < 0) return refused(n, "cannot read", errno, e);
        if ((uint64_t)k > left) return changed(n, e);
        if (k == 0) break;
        *got += (uint64_t)k;
    }
    return CT_OK;
}

static ct_status reopen(ct_npy *n, struct stat *now, ct_err *e) {
    if (n->fd >= 0) (void)ct__files_close(&n->files, n->fd);
    n->fd = ct__files_open(&n->files, n->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (n->fd < 0) return refused(n, "cannot open", errno, e);
    if (fstat(n->fd, now)) return refused(n, "cannot examine", errno, e);
    if (!S_ISREG(now->st_mode))
        return ct_fail_at(e, CT_EIO, n->path, -1, "%s; wanted a regular file; copy the data to a file",
                          S_ISDIR(now->st_mode) ? "a folder" : "a pipe, socket or device");
    n->row = 0;
    return CT_OK;
}

static ct_status examine(ct_npy *n, uint64_t size, ct_err *e) {
    uint64_t count, wanted;
    if (n->h.fortran && n->h.shape.rank > 1)
        return ct_fail_at(
            e, CT_EDATA, n->path, n->begin,
            "Fortran order; wanted C order to read it by rows; write it anew with numpy.ascontiguousarray");
    if (n->h.shape.rank == 0)
        return ct_fail_at(e, CT_EDATA, n->path, n->begin,
                          "a single number; wanted rows; give an array of one axis or more");
    if (!ct_shape_count(&n->h.shape, -1, &count) || !ct_mul_ok(count, (uint64_t)n->h.type->size, &wanted))
        return ct_fail_at(
            e, CT_EDATA, n->path, n->begin,
            "the shape's product overflows; wanted one that fits in 63 bits; the file is damaged");
    if (wanted != size - (uint64_t)n->begin)
        return ct_fail_at(
            e, CT_EDATA, n->path, n->begin,
            "%llu bytes of data; wanted %llu by its shape and type; the file is cut short or damaged",
            (unsigned long long)(size - (uint64_t)n->begin), (unsigned long long)wanted);
    n->row_elements = 1; /* no overflow: the whole product has none, unless it is 0 */
    for (int32_t i = 1; i < n->h.shape.rank; i++)
        if (!ct_mul_ok(n->row_elements, (uint64_t)n->h.shape.dim[i], &n->row_elements)) n->row_elements = 0;
    n->row_bytes = n->row_elements * (uint64_t)n->h.type->size;
    return CT_OK;
}

static ct_status open_first(ct_npy *n, ct_err *e) {
    uint8_t head[CT__NPY_HEADER + 12];
    uint64_t got;
    ct_status s = reopen(n, &n->stamp, e);
    if (!s) s = read_some(n, head, sizeof head, &got, e);
    if (s) return s;
    ct_reader r = ct_reader_of(head, got, n->path);
    s = ct__npy_header_read(&r, &n->h, e);
    n->begin = (int64_t)r.pos;
    if (!s) s = examine(n, (uint64_t)n->stamp.st_size, e);
    return s ? s : ct_npy_rewind(n, e);
}

ct_status ct_npy_rewind(ct_npy *n, ct_err *e) {
    uint8_t head[CT__NPY_HEADER + 12];
    uint64_t got;
    struct stat now;
    ct_status s = reopen(n, &now, e);
    if (!s && !same(&n->stamp, &now)) s = changed(n, e);
    if (!s) s = read_some(n, head, (uint64_t)n->begin, &got, e);
    if (!s && got != (uint64_t)n->begin) s = changed(n, e);
    return s;
}

ct_status ct_npy_open(const ct_files *f, const ct_allocator *a, const char *path, ct_npy **out, ct_err *e) {
    ct_npy *n = ct_new(a, sizeof *n);
    if (!n) return ct_fail_at(e, CT_ELIMIT, path, -1, "out of memory");
    if (a) n->allocator = *a;
    if (f) n->files = *f;
    n->fd = -1;
    n->path_bytes = strlen(path) + 1;
    n->path = ct_new(&n->allocator, n->path_bytes);
    ct_status s = n->path ? CT_OK : ct_fail_at(e, CT_ELIMIT, path, -1, "out of memory");
    if (n->path) memcpy(n->path, path, n->path_bytes);
    if (!s) s = open_first(n, e);
    if (s)
        ct_npy_close(n);
    else
        *out = n;
    return s;
}

void ct_npy_close(ct_npy *n) {
    if (!n) return;
    ct_allocator a = n->allocator;
    if (n->fd >= 0) (void)ct__files_close(&n->files, n->fd);
    ct_delete(&a, n->raw, n->raw_bytes);
    ct_delete(&a, n->path, n->path_bytes);
    ct_delete(&a, n, sizeof *n);
}

ct_shape ct_npy_shape(const ct_npy *n) { return n->h.shape; }
ct_dtype ct_npy_dtype(const ct_npy *n) { return (ct_dtype)n->h.type->dtype; }

static ct_status check_room(const ct_npy *n, const ct_array *to, ct_err *e) {
    char wanted[CT_SHAPE_TEXT], found[CT_SHAPE_TEXT];
    ct_shape have = ct_shape_make(to->rank, to->dim), want = n->h.shape;
    if (to->rank > 0) want.dim[0] = to->dim[0];
    if (to->data && to->dtype == n->h.type->dtype && ct_shape_equal(&have, &want) && ct_array_contiguous(to))
        return CT_OK;
    return ct_fail(e, CT_EUSAGE,
                   "npy_rows: room of %s%s; wanted contiguous rows of %s%s; make room of its shape",
                   ct_dtype_name((ct_dtype)to->dtype), ct_shape_format(&have, found),
                   ct_dtype_name((ct_dtype)n->h.type->dtype), ct_shape_format(&n->h.shape, wanted));
}

static ct_status make_raw(ct_npy *n, uint64_t bytes, ct_err *e) {
    if (n->raw_bytes >= bytes) return CT_OK;
    ct_delete(&n->allocator, n->raw, n->raw_bytes);
    n->raw_bytes = 0;
    n->raw = ct_new_array(&n->allocator, bytes, 1);
    if (!n->raw)
        return ct_fail_at(e, CT_ELIMIT, n->path, -1,
                          "out of memory for %llu bytes of rows; read fewer rows at a time",
                          (unsigned long long)bytes);
    n->raw_bytes = (size_t)bytes;
    return CT_OK;
}

#define RUN ((uint64_t)1 << 20) /* bytes decoded at a time: the room for raw rows stays small */

ct_status ct_npy_rows(ct_npy *n, ct_array *to, int64_t *rows, ct_err *e) {
    ct_status s = check_room(n, to, e);
    int64_t left = n->h.shape.dim[0] - n->row,
            count = s                   ? 0
                    : left < to->dim[0] ? left
                                        : to->dim[0],
            run = n->row_bytes < RUN ? n->row_bytes ? (int64_t)(RUN / n->row_bytes) : count : 1;
    if (run > count) run = count;
    if (!s) s = make_raw(n, (uint64_t)run * n->row_bytes, e);
    for (int64_t done = 0; !s && done < count; done += run) {
        int64_t k = count - done < run ? count - done : run;
        uint64_t bytes = (uint64_t)k * n->row_bytes, got;
        size_t offset = (size_t)((uint64_t)done * n->row_elements) * ct_dtype_size((ct_dtype)to->dtype);
        s = read_some(n, n->raw, bytes, &got, e);
        if (!s && got != bytes) s = changed(n, e);
        if (!s)
            ct__npy_decode(&n->h, n->raw, (uint64_t)k * n->row_elements, (unsigned char *)to->data + offset);
    }
    struct stat now;
    if (!s && n->row + count == n->h.shape.dim[0] && (fstat(n->fd, &now) || !same(&n->stamp, &now)))
        s = changed(n, e);
    if (s) return s;
    n->row += count;
    *rows = count;
    return CT_OK;
}
