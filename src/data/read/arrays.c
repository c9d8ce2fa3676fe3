/* arrays.c: sets whose pictures lie in arrays: idx (MNIST's names), CIFAR's binary files, .npy. Each part is one
 * array u8 [N,H,W] or [N,C,H,W] and one row of labels; a record is a part and a number. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data/read/images.h"

typedef struct finder {
    ct_images *s;
    const char *folder;
    char images[CT__PATH], labels[CT__PATH];
    ct_err *e;
} finder;

static int exists(const char *folder, const char *name, char out[CT__PATH]) {
    struct stat st;
    return snprintf(out, CT__PATH, "%s/%s", folder, name) < CT__PATH && stat(out, &st) == 0 &&
           S_ISREG(st.st_mode);
}

/* ---- names ---- */

static int find_idx(const char *folder, int part, const char *kind, char out[CT__PATH]) {
    static const char *const stems[4][2] = {{0}, {"train", "train"}, {"t10k", "test"}, {"validation", "val"}};
    char name[100];
    for (int i = 0; i < 2; i++)
        for (int dot = 0; dot < 2; dot++)
            for (int gz = 0; gz < 2; gz++) {
                snprintf(name, sizeof name, "%s-%s%cidx%d-ubyte%s", stems[part][i], kind, dot ? '.' : '-',
                         kind[0] == 'i' ? 3 : 1, gz ? ".gz" : "");
                if (exists(folder, name, out)) return 1;
            }
    return 0;
}

static int find_npy(const char *folder, int part, char images[CT__PATH], char labels[CT__PATH]) {
    static const char *const names[4][3][2] = {
        {{"images.npy", "labels.npy"}, {"x.npy", "y.npy"}, {0}},
        {{"train_images.npy", "train_labels.npy"}, {"x_train.npy", "y_train.npy"}, {0}},
        {{"test_images.npy", "test_labels.npy"}, {"x_test.npy", "y_test.npy"}, {0}},
        {{"validation_images.npy", "validation_labels.npy"},
         {"x_val.npy", "y_val.npy"},
         {"x_valid.npy", "y_valid.npy"}}};
    for (int i = 0; i < 3; i++)
        if (names[part][i][0] && exists(folder, names[part][i][0], images) &&
            exists(folder, names[part][i][1], labels))
            return 1;
    return 0;
}

#define CIFAR_FILES 5 /* of a training part, at most */

static int find_cifar(const char *folder, int part, int file, char out[CT__PATH], int *kind) {
    char name[40];
    snprintf(name, sizeof name, part == CT_PART_TRAIN ? "data_batch_%d.bin" : "test_batch.bin", file + 1);
    *kind = 10;
    if (part == CT_PART_TEST && file > 0) return 0;
    if (part != CT_PART_TRAIN && part != CT_PART_TEST) return 0;
    if (exists(folder, name, out)) return 1;
    *kind = 100;
    return file == 0 && exists(folder, part == CT_PART_TRAIN ? "train.bin" : "test.bin", out);
}

/* A batch of CIFAR-10's training part, whichever is there. */
static int has_batch(const char *folder) {
    char path[CT__PATH];
    int kind, found = 0;
    for (int i = 0; i < CIFAR_FILES; i++) found |= find_cifar(folder, CT_PART_TRAIN, i, path, &kind);
    return found;
}

int ct__has_arrays(const char *folder) {
    char a[CT__PATH], b[CT__PATH];
    int kind;
    return find_idx(folder, CT_PART_TRAIN, "images", a) || find_idx(folder, CT_PART_TEST, "images", a) ||
           find_npy(folder, CT_PART_TRAIN, a, b) || find_npy(folder, CT_PART_TEST, a, b) ||
           find_npy(folder, CT_PART_NONE, a, b) || has_batch(folder) ||
           find_cifar(folder, CT_PART_TEST, 0, a, &kind);
}

/* ---- CIFAR: label bytes (CIFAR-100: coarse, fine), then 3072 bytes [3,32,32] ---- */

static uint64_t cifar_bytes(int kind) { return kind == 10 ? 3073 : 3074; }

static ct_status parse_cifar(finder *f, const uint8_t *d, uint64_t bytes, int kind, uint8_t *x, uint8_t *y) {
    uint64_t size = cifar_bytes(kind), head = size - 3072;
    for (uint64_t i = 0; i < bytes / size; i++, d += size) {
        y[i] = d[head - 1];
        if (y[i] >= kind)
            return ct_fail_at(f->e, CT_EDATA, f->images, (int64_t)(i * size + head - 1),
                              "label of record %llu is %d; wanted 0 to %d; fetch the file again",
                              (unsigned long long)i, y[i], kind - 1);
        memcpy(x + i * 3072, d + head, 3072);
    }
    return CT_OK;
}

static ct_status check_cifar(finder *f, uint64_t bytes, int kind) {
    uint64_t size = cifar_bytes(kind);
    if (bytes && bytes % size == 0) return CT_OK;
    return ct_fail_at(f->e, CT_EDATA, f->images, (int64_t)bytes,
                      "%llu bytes; wanted records of %llu; fetch the file again", (unsigned long long)bytes,
                      (unsigned long long)size);
}

/* A batch that is missing between others was lost; fewer from the first on are somebody's choice. */
static ct_status check_batches(finder *f) {
    int kind;
    for (int i = CIFAR_FILES - 1, later = 0; i >= 0; i--) {
        int here = find_cifar(f->folder, CT_PART_TRAIN, i, f->images, &kind);
        if (later && !here)
            return ct_fail_at(f->e, CT_EDATA, f->folder, -1,
                              "no data_batch_%d.bin, and data_batch_%d.bin is there; wanted all before it; "
                              "fetch it again",
                              i + 1, i + 2);
        later = here;
    }
    return CT_OK;
}

static ct_status load_cifar(finder *f, int part, ct_array *x, ct_array *y) {
    int kind = 0, same, files = 0;
    void *data[CIFAR_FILES] = {0};
    uint64_t bytes[CIFAR_FILES] = {0}, records = 0, at = 0;
    ct_status s = CT_OK;
    find_cifar(f->folder, part, 0, f->images, &kind);
    int most = kind == 10 ? CIFAR_FILES : 1;
    for (; !s && files < most && find_cifar(f->folder, part, files, f->images, &same); files++) {
        s = ct_file_read(f->s->files, f->s->allocator, f->images, CT_PICTURE_FILE, &data[files],
                         &bytes[files], f->e);
        if (!s) s = check_cifar(f, bytes[files], kind);
        records += bytes[files] / cifar_bytes(kind);
    }
    if (!s) s = ct_array_new(f->s->allocator, CT_U8, CT_SHAPE((int64_t)records, 3, 32, 32), x, f->e);
    if (!s) s = ct_array_new(f->s->allocator, CT_U8, CT_SHAPE((int64_t)records), y, f->e);
    for (int i = 0; i < files; i++) {
        find_cifar(f->folder, part, i, f->images, &same); /* for errors */
        if (!s)
            s = parse_cifar(f, data[i], bytes[i], kind, (uint8_t *)x->data + at * 3072,
                            (uint8_t *)y->data + at);
        at += bytes[i] / cifar_bytes(kind);
        ct_delete(f->s->allocator, data[i], bytes[i]);
    }
    return s;
}

/* ---- .npy ---- */

/* [N,H,W,C] becomes [N,C,H,W]. */
static ct_status planes_first(finder *f, ct_array *x) {
    int64_t n = x->dim[0], h = x->dim[1], w = x->dim[2], c = x->dim[3];
    ct_array y;
    ct_status s = ct_array_new(f->s->allocator, CT_U8, CT_SHAPE(n, c, h, w), &y, f->e);
    if (s) return s;
    const uint8_t *from = x->data;
    uint8_t *to = y.data;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t p = 0; p < h * w; p++) *to++ = from[(i * h * w + p) * c + k];
    ct_array_free(x);
    *x = y;
    return CT_OK;
}

static ct_status load_npy(finder *f, int part, ct_array *x, ct_array *y) {
    find_npy(f->folder, part, f->images, f->labels);
    ct_status s = ct_npy_load(f->s->files, f->s->allocator, f->images, x, f->e);
    if (!s) s = ct_npy_load(f->s->files, f->s->allocator, f->labels, y, f->e);
    if (!s && y->rank == 2 && y->dim[1] == 1) y->rank = 1;
    if (!s && x->dtype == CT_U8 && x->rank == 4 && (x->dim[3] == 1 || x->dim[3] == 3)) s = planes_first(f, x);
    return s;
}

/* ---- a part ---- */

static ct_status check_pair(finder *f, const ct_array *x, const ct_array *y) {
    if (x->rank < 3 && y->rank >= 3)
        return ct_fail(
            f->e, CT_EDATA,
            "%s: %d dimensions (magic 0x080%d); wanted pictures (0x0803); are images and labels exchanged?",
            f->images, x->rank, x->rank);
    if (x->dtype != CT_U8 || x->rank < 3 || x->rank > 4)
        return ct_fail(
            f->e, CT_EDATA,
            "%s: %s with %d dimensions (0x080%d); wanted bytes with 3 (0x0803), or 4: [records, channels, "
            "height, width]; give pictures as bytes",
            f->images, ct_dtype_name((ct_dtype)x->dtype), x->rank, x->rank);
    if (y->rank != 1 || y->dtype == CT_F32 || y->dtype == CT_F64 || y->dtype == CT_BF16)
        return ct_fail(f->e, CT_EDATA,
                       "%s: %s with %d dimensions; wanted one row of integers (0x0801); give the labels",
                       f->labels, ct_dtype_name((ct_dtype)y->dtype), y->rank);
    if (x->dim[0] != y->dim[0])
        return ct_fail(f->e, CT_EDATA,
                       "%s has %lld pictures, %s has %lld labels; wanted equal counts; fetch both again",
                       f->images, (long long)x->dim[0], f->labels, (long long)y->dim[0]);
    if (x->dim[0] == 0 || ct_array_count(x) == 0)
        return ct_fail(f->e, CT_EDATA,
                       "%s: empty data set; wanted at least one picture; fetch the file again", f->images);
    return CT_OK;
}

static ct_status add_records(finder *f, int part) {
    ct_images *s = f->s;
    const ct_array *x = &s->array[part], *y = &s->labels[part];
    int grey = x->rank == 3;
    for (int64_t i = 0; i < x->dim[0]; i++) {
        int64_t label = ct_array_integer(y, i);
        if (label < 0 || label >= 1000000)
            return ct_fail(f->e, CT_EDATA,
                           "%s: label of record %lld is %lld; wanted 0 to 999999; number the classes from 0",
                           f->labels, (long long)i, (long long)label);
        ct__record *r = ct__images_add(s, NULL, i, part, f->e);
        if (!r) return CT_ELIMIT;
        r->label = (int32_t)label;
        r->height = (int32_t)x->dim[grey ? 1 : 2];
        r->width = (int32_t)x->dim[grey ? 2 : 3];
        r->channels = (uint8_t)(grey ? 1 : x->dim[1] > 255 ? 255 : x->dim[1]);
        r->depth = 8;
        r->turn = 1;
        if (label >= s->n_classes) s->n_classes = label + 1;
    }
    return CT_OK;
}

static ct_status load_part(finder *f, int part) {
    ct_images *s = f->s;
    int kind, idx = part && find_idx(f->folder, part, "images", f->images);
    int npy = !idx && find_npy(f->folder, part, f->images, f->labels);
    int cifar = !idx && !npy && find_cifar(f->folder, part, 0, f->images, &kind);
    if (!idx && !npy && !cifar) return CT_OK;
    s->own[part] = part != CT_PART_NONE;
    if (part && s->o.parts && !(s->o.parts >> part & 1)) return CT_OK;
    ct_array *x = &s->array[part], *y = &s->labels[part];
    ct_status status = CT_OK;
    if (idx && !find_idx(f->folder, part, "labels", f->labels))
        return ct_fail(f->e, CT_EDATA,
                       "%s: no labels beside it; wanted the usual MNIST names; put them there", f->images);
    if (idx) {
        status = ct_idx_load(s->files, s->allocator, f->images, x, f->e);
        if (!status) status = ct_idx_load(s->files, s->allocator, f->labels, y, f->e);
    } else {
        status = npy ? load_npy(f, part, x, y) : load_cifar(f, part, x, y);
    }
    if (cifar) snprintf(f->labels, sizeof f->labels, "%s", f->images);
    if (!status) status = check_pair(f, x, y);
    int64_t channels = x->rank == 3 ? 1 : x->dim[1];
    if (!status && s->o.picture.channels && (channels == 1 || channels == 3))
        status = ct_pictures_channels(s->allocator, x, s->o.picture.channels, f->e);
    return status ? status : add_records(f, part);
}

/* The next line that is not empty, from *at; its length, 0 at the end. */
static int next_line(const char **at, const char *end) {
    while (*at < end && (**at == '\r' || **at == '\n')) ++*at;
    const char *from = *at;
    while (*at < end && **at != '\r' && **at != '\n') ++*at;
    return (int)(*at - from);
}

/* Lines of a file of names, where there is one and it is long enough; else the numbers, and that is told. */
static ct_status name_classes(finder *f) {
    static const char *const files[] = {"batches.meta.txt", "fine_label_names.txt", "labels.txt"};
    ct_images *s = f->s;
    char path[CT__PATH];
    void *data = NULL;
    uint64_t bytes = 0;
    int64_t named = 0;
    s->classes = ct_arena_array(&s->arena, (uint64_t)s->n_classes + 1, sizeof *s->classes);
    if (!s->classes) return ct_fail(f->e, CT_ELIMIT, "%s: out of memory", s->name);
    for (size_t i = 0; i < 3 && !data; i++)
        if (exists(f->folder, files[i], path) &&
            ct_file_read(s->files, s->allocator, path, 1 << 20, &data, &bytes, NULL))
            data = NULL;
    const char *at = data ? data : "", *from = at, *end = at + bytes;
    while (next_line(&at, end)) named++;
    if (data && named < s->n_classes)
        ct__images_tell(s, "%s: %lld names for %lld classes; the classes are called by their numbers", path,
                        (long long)named, (long long)s->n_classes);
    int missing = 0;
    for (int64_t i = 0; i < s->n_classes; i++) {
        int n = named < s->n_classes ? 0 : next_line(&from, end);
        s->classes[i] = n ? ct_arena_format(&s->arena, "%.*s", n, from - n)
                          : ct_arena_format(&s->arena, "%lld", (long long)i);
        missing |= !s->classes[i];
    }
    ct_delete(s->allocator, data, bytes);
    return missing ? ct_fail(f->e, CT_ELIMIT, "%s: out of memory", s->name) : CT_OK;
}

ct_status ct__images_arrays(ct_images *s, const char *path, ct_err *e) {
    static const int order[] = {CT_PART_NONE, CT_PART_TRAIN, CT_PART_VALIDATION, CT_PART_TEST};
    finder f = {.s = s, .folder = path, .e = e};
    ct_status status = check_batches(&f);
    s->in_arrays = 1;
    for (int i = 0; i < 4 && !status; i++) status = load_part(&f, order[i]);
    return status ? status : name_classes(&f);
}
