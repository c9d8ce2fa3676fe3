/* records.c: numbers from a file, whatever its form. An .npy array or an idx file begins with its own bytes; everything else
 * is taken for CSV. A CSV is read twice: first its records are counted, then their numbers go where they belong, so
 * that no array has to grow. */
#include "task/records.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what it is ---- */

/* The first bytes, without a pass over the file; 0 of them where it cannot be opened: its reader says why. */
static size_t peek(const ct_files *f, const char *path, unsigned char out[4]) {
    int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd;
    do fd = f && f->open ? f->open(f->user, path, flags, 0) : open(path, flags);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return 0;
    size_t n = 0;
    while (n < 4) {
        int64_t k = f && f->read ? f->read(f->user, fd, out + n, 4 - n) : (int64_t)read(fd, out + n, 4 - n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) break;
        n += (size_t)k;
    }
    if (f && f->close)
        (void)f->close(f->user, fd);
    else
        (void)close(fd);
    return n;
}

static int is_npy(const unsigned char *b, size_t n) { return n >= 4 && memcmp(b, "\x93NUM", 4) == 0; }
static int is_idx(const unsigned char *b, size_t n) {
    return n >= 4 && b[0] == 0 && b[1] == 0 && b[2] >= 8 && b[3] > 0;
}
static int is_gzip(const unsigned char *b, size_t n) { return n >= 2 && b[0] == 0x1f && b[1] == 0x8b; }

/* ---- arrays ---- */

static ct_status shape_of(ct__records *r, const ct_shape *s, ct_err *e) {
    r->count = s->rank > 0 ? s->dim[0] : 0;
    r->features = 1;
    for (int32_t i = 1; i < s->rank; i++) r->features *= s->dim[i];
    if (s->rank < 1 || r->count < 1 || r->features < 1) {
        char text[CT_SHAPE_TEXT];
        return ct_fail_at(e, CT_EDATA, r->path, -1,
                          "an array of shape %s; wanted records and features, [N,D]; give one",
                          ct_shape_format(s, text));
    }
    return CT_OK;
}

static ct_status take_whole(ct__records *r, ct_array *a, ct_err *e) {
    ct_shape s = ct_shape_make(a->rank, a->dim);
    r->whole = *a;
    r->dtype = a->dtype;
    return shape_of(r, &s, e);
}

static ct_status open_npy(ct__records *r, int stream, ct_err *e) {
    ct_array a;
    if (!stream || strcmp(r->path, "-") == 0) {
        ct_status s = ct_npy_load(r->files, r->allocator, r->path, &a, e);
        return s ? s : take_whole(r, &a, e);
    }
    ct_status s = ct_npy_open(r->files, r->allocator, r->path, &r->npy, e);
    if (s) return s;
    ct_shape shape = ct_npy_shape(r->npy);
    r->dtype = (int32_t)ct_npy_dtype(r->npy);
    return shape_of(r, &shape, e);
}

static ct_status open_idx(ct__records *r, ct_err *e) {
    ct_array a;
    ct_status s = ct_idx_load(r->files, r->allocator, r->path, &a, e);
    return s ? s : take_whole(r, &a, e);
}

/* ---- CSV ---- */

static ct_status memory(const ct__records *r, ct_err *e) {
    return ct_fail_at(e, CT_ELIMIT, r->path, -1, "out of memory; use a smaller file, or --incremental");
}

static ct_status all_columns(ct__records *r, ct_err *e) {
    int32_t n = ct_csv_columns(r->csv);
    r->features = n - (r->target >= 0);
    if (r->features < 1)
        return ct_fail_at(e, CT_EDATA, r->path, -1,
                          "no column beside the target; wanted at least one feature; add some");
    r->name = ct_arena_array(&r->arena, (uint64_t)r->features, sizeof *r->name);
    r->column = ct_arena_array(&r->arena, (uint64_t)r->features, sizeof *r->column);
    if (!r->name || !r->column) return memory(r, e);
    int64_t k = 0;
    int32_t bare = 0;
    for (int32_t i = 0; i < n; i++) {
        if (i == r->target) continue;
        bare += !ct_csv_name(r->csv, i)[0];
        if (bare > 1)
            return ct_fail_line(
                e, CT_EDATA, r->path, 1, 1,
                "column %d is the second without a name; wanted names, as predictions find columns by them; "
                "name it, or leave it out",
                i + 1);
        r->name[k] = ct_csv_name(r->csv, i);
        r->column[k++] = i;
    }
    return CT_OK;
}

static ct_status named_columns(ct__records *r, const ct__records_options *o, ct_err *e) {
    r->features = o->features;
    r->column = ct_arena_array(&r->arena, (uint64_t)r->features, sizeof *r->column);
    if (!r->column) return memory(r, e);
    ct_status s = CT_OK;
    for (int64_t i = 0; !s && i < r->features; i++)
        s = ct_csv_column(r->csv, o->feature[i], &r->column[i], e);
    r->name = (const char **)(uintptr_t)o->feature;
    return s;
}

static ct_status open_csv(ct__records *r, const ct__records_options *o, ct_err *e) {
    ct_status s;
    if (strcmp(r->path, "-") == 0) { /* standard input comes once */
        s = ct_file_read(r->files, r->allocator, r->path, 0, &r->bytes, &r->size, e);
        if (!s) s = ct_csv_parse(r->allocator, r->bytes, r->size, r->path, o->csv, &r->csv, e);
    } else {
        s = ct_csv_open(r->files, r->allocator, r->path, o->csv, &r->csv, e);
    }
    r->count = -1;
    r->dtype = CT_F64;
    r->numeric = 1;
    r->target_name = o->target;
    if (!s && o->target) s = ct_csv_column(r->csv, o->target, &r->target, e);
    return s ? s : o->feature ? named_columns(r, o, e) : all_columns(r, e);
}

ct_status ct__records_open(ct__records *r, const ct_files *f, const ct_allocator *a, const char *path,
                           ct__records_options o, ct_err *e) {
    unsigned char b[4] = {0};
    *r = (ct__records){.files = f, .allocator = a, .path = path, .target = -1, .arena = {.allocator = a}};
    int pictures = o.pictures || ct__records_folder(path);
    size_t n = ct__records_folder(path) || strcmp(path, "-") == 0 ? 0 : peek(f, path, b);
    int array = !pictures && (is_npy(b, n) || is_idx(b, n));
    ct_status s = CT_OK;
    if ((array || pictures) && o.target)
        s = ct_fail_at(e, CT_EUSAGE, path, -1,
                       "%s no column \"%.60s\"; wanted no target; leave it out, or give a CSV file",
                       array ? "an array has" : "pictures have", o.target);
    else if (pictures)
        s = is_idx(b, n) || is_gzip(b, n) ? ct__pictures_array(r, &o, e) : ct__pictures_open(r, &o, e);
    else if (o.transform)
        s = ct_fail_at(e, CT_EUSAGE, path, -1,
                       "no folder of pictures; wanted one, to transform them; leave the transform out, or "
                       "give pictures");
    else if (is_gzip(b, n))
        s = ct_fail_at(e, CT_EDATA, path, 0, "gzip; wanted CSV, .npy or idx as it is; unpack it with gunzip");
    else
        s = is_npy(b, n) ? open_npy(r, o.stream, e) : is_idx(b, n) ? open_idx(r, e) : open_csv(r, &o, e);
    if (!s && o.feature && array && r->features != o.features)
        s = ct_fail_at(e, CT_EDATA, path, -1,
                       "%lld features; wanted %lld, as the model; give those it was made of",
                       (long long)r->features, (long long)o.features);
    if (s) ct__records_close(r);
    return s;
}

void ct__records_close(ct__records *r) {
    ct__pictures_close(r);
    ct_csv_close(r->csv);
    ct_npy_close(r->npy);
    ct_array_free(&r->whole);
    ct_delete(r->allocator, r->bytes, (size_t)r->size);
    ct_delete(r->allocator, r->slot, (size_t)r->slots * sizeof *r->slot);
    ct_delete(r->allocator, r->label, (size_t)r->room * sizeof *r->label);
    ct_arena_free(&r->arena);
    *r = (ct__records){.target = -1};
}

ct_status ct__records_rewind(ct__records *r, ct_err *e) {
    r->row = 0;
    r->missing = 0;
    if (r->pictures) return ct__pictures_rewind(r, e);
    if (r->csv) return ct_csv_rewind(r->csv, e);
    return r->npy ? ct_npy_rewind(r->npy, e) : CT_OK;
}

ct_status ct__records_count(ct__records *r, ct_err *e) {
    int32_t more = 1;
    int64_t n = 0;
    ct_status s = CT_OK;
    if (r->count >= 0) return CT_OK;
    for (;; n++) {
        s = ct_csv_next(r->csv, &more, e);
        if (s || !more) break;
    }
    if (!s && n == 0)
        s = ct_fail_at(e, CT_EDATA, r->path, -1,
                       "0 records below the names; wanted at least one; is it the right file?");
    if (!s) s = ct__records_rewind(r, e);
    if (!s) r->count = n;
    return s;
}

/* ---- the target's values as codes, in the order they come ---- */

#define LABELS 65536

static ct_status grow_labels(ct__records *r, ct_err *e) {
    int64_t room = r->room ? 2 * r->room : 64, slots = 2 * room;
    int32_t *slot = ct_new_array(r->allocator, (uint64_t)slots, sizeof *slot);
    const char **label =
        ct_resize(r->allocator, r->label, (size_t)r->room * sizeof *label, (size_t)room * sizeof *label);
    if (label) r->label = label, r->room = room;
    if (!slot || !label) {
        ct_delete(r->allocator, slot, (size_t)slots * sizeof *slot);
        return memory(r, e);
    }
    for (int64_t i = 0; i < r->labels; i++) {
        uint64_t at = ct_hash64(r->label[i], strlen(r->label[i]), 0) & (uint64_t)(slots - 1);
        while (slot[at]) at = (at + 1) & (uint64_t)(slots - 1);
        slot[at] = (int32_t)i + 1;
    }
    ct_delete(r->allocator, r->slot, (size_t)r->slots * sizeof *r->slot);
    r->slot = slot;
    r->slots = slots;
    return CT_OK;
}

/* -1: more different values than are told apart */
static ct_status code_of(ct__records *r, const char *text, int32_t *code, ct_err *e) {
    if (r->labels == r->room && r->room < LABELS) {
        ct_status s = grow_labels(r, e);
        if (s) return s;
    }
    uint64_t at = ct_hash64(text, strlen(text), 0) & (uint64_t)(r->slots - 1);
    for (; r->slot[at]; at = (at + 1) & (uint64_t)(r->slots - 1))
        if (strcmp(r->label[r->slot[at] - 1], text) == 0) {
            *code = r->slot[at] - 1;
            return CT_OK;
        }
    *code = -1;
    if (r->labels == LABELS) return CT_OK;
    const char *copy = ct_arena_text(&r->arena, text);
    if (!copy) return memory(r, e);
    r->label[r->labels++] = copy;
    r->slot[at] = (int32_t)r->labels;
    *code = (int32_t)r->labels - 1;
    return CT_OK;
}

static ct_status read_target(ct__records *r, int32_t *code, double *value, ct_err *e) {
    const char *text = ct_csv_text(r->csv, r->target);
    ct_err ignored = {0};
    int32_t missing;
    if (!text[strspn(text, " \t")])
        return ct_csv_refuse(r->csv, r->target, CT_EDATA, e,
                             "an empty target; wanted a class or a number; fill it in");
    if (ct_csv_number(r->csv, r->target, value, &missing, &ignored) || missing) {
        *value = NAN;
        r->numeric = 0;
    }
    return code_of(r, text, code, e);
}

/* ---- batches ---- */

static ct_status csv_row(ct__records *r, double *to, ct_err *e) {
    ct_status s = CT_OK;
    for (int64_t k = 0; !s && k < r->features; k++) {
        int32_t missing = 0;
        s = ct_csv_number(r->csv, r->column[k], &to[k], &missing, e);
        if (missing && r->missing++ == 0) {
            ct_err place = {0};
            (void)ct_csv_refuse(r->csv, r->column[k], CT_EDATA, &place, "no number");
            r->missing_feature = (int32_t)k;
            r->missing_line = place.pos;
            r->missing_column = place.column;
        }
    }
    return s;
}

/* At the end of the file, so that all are counted. */
static ct_status refuse_missing(const ct__records *r, ct_err *e) {
    char name[80];
    return ct_fail_line(e, CT_EDATA, r->path, (int32_t)r->missing_line, (int32_t)r->missing_column,
                        "column %d \"%s\" has no number (empty, NA, nan or inf), the first of %lld such "
                        "fields; wanted finite "
                        "numbers; fill them in or leave columns out",
                        r->column[r->missing_feature] + 1,
                        ct_escape(r->name[r->missing_feature], name, sizeof name), (long long)r->missing);
}

static ct_status next_csv(ct__records *r, ct_array *to, int64_t *rows, int32_t *label, double *value,
                          ct_err *e) {
    int64_t n = 0;
    int32_t more = 1, code = -1;
    double number = NAN;
    ct_status s = CT_OK;
    while (n < to->dim[0] || r->missing) { /* once one is missing, to the end: they are counted */
        s = ct_csv_next(r->csv, &more, e);
        if (s || !more) break;
        if (n == to->dim[0]) n = 0;
        s = csv_row(r, (double *)to->data + n * r->features, e);
        if (!s && r->target >= 0) s = read_target(r, &code, &number, e);
        if (s) break;
        if (label) label[n] = code;
        if (value) value[n] = number;
        n++;
    }
    if (s) return s;
    r->row += n;
    if (r->missing) return refuse_missing(r, e);
    *rows = n;
    return CT_OK;
}

static ct_status next_whole(ct__records *r, ct_array *to, int64_t *rows, ct_err *e) {
    int64_t left = r->whole.dim[0] - r->row, n = left < to->dim[0] ? left : to->dim[0];
    ct_array from = r->whole, part;
    from.owned = 0;
    from.dim[0] = n;
    from.data = (char *)from.data + r->row * from.stride[0] * (int64_t)ct_dtype_size((ct_dtype)from.dtype);
    part = ct_array_view(to->data, (ct_dtype)to->dtype, ct_shape_make(from.rank, from.dim));
    ct_status s = n ? ct_array_copy(&part, &from, e) : CT_OK;
    if (s) return s;
    r->row += n;
    *rows = n;
    return CT_OK;
}

ct_status ct__records_next(ct__records *r, ct_array *to, int64_t *rows, int32_t *label, double *value,
                           ct_err *e) {
    if (r->csv) return next_csv(r, to, rows, label, value, e);
    if (r->pictures) return ct__pictures_next(r, to, rows, label, value, e);
    for (int64_t i = 0; i < to->dim[0]; i++) {
        if (label) label[i] = -1;
        if (value) value[i] = NAN;
    }
    if (!r->npy) return next_whole(r, to, rows, e);
    ct_shape shape = ct_npy_shape(r->npy);
    shape.dim[0] = to->dim[0];
    ct_array room = ct_array_view(to->data, (ct_dtype)to->dtype, shape);
    return ct_npy_rows(r->npy, &room, rows, e);
}
