/* data.c: idx folders. */
#include "task/image/data.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const stems[2][2] = {{"train", "train"}, {"t10k", "test"}};

#define MOST_CLASSES 65536 /* the net has an output for each */

static int find_file(const char *folder, int part, const char *kind, char out[4300]) {
    struct stat st;
    for (int i = 0; i < 2; i++)
        for (int dot = 0; dot < 2; dot++)
            for (int gz = 0; gz < 2; gz++) {
                snprintf(out, 4300, "%s/%s-%s%cidx%d-ubyte%s", folder, stems[part - 1][i], kind,
                         dot ? '.' : '-', kind[0] == 'i' ? 3 : 1, gz ? ".gz" : "");
                if (stat(out, &st) == 0) return 1;
            }
    return 0;
}

int ct__pictures_has(const char *folder, int part) {
    char path[4300];
    return find_file(folder, part, "images", path);
}

int ct__pictures_find(const char *folder, int part, ct__pictures *out) {
    return find_file(folder, part, "images", out->path) &&
           find_file(folder, part, "labels", out->labels_path);
}

void ct__pictures_free(ct__pictures *p) {
    ct_array_free(&p->images);
    ct_array_free(&p->labels);
}

int64_t ct__pictures_label(const ct__pictures *p, int64_t i) { return ct_array_integer(&p->labels, i); }

/* The four bytes that an idx file of this type and rank begins with. */
static uint32_t magic(const ct_array *x) {
    static const struct {
        int32_t dtype;
        uint32_t code;
    } codes[] = {{CT_U8, 8}, {CT_I8, 9}, {CT_I32, 12}, {CT_F32, 13}, {CT_F64, 14}};
    uint32_t code = 0;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].dtype == x->dtype) code = codes[i].code;
    return code << 8 | (uint32_t)x->rank;
}

ct_status ct__pictures_pixels(const ct_array *x, const char *path, ct_err *e) {
    if (x->dtype != CT_U8 || x->rank < 3 || x->rank > 4)
        return ct_fail_at(
            e, CT_EDATA, path, 0,
            "magic 0x%08x, %s with %d dimensions; wanted 0x00000803, pictures as bytes, or 0x00000804 "
            "with channels; %s",
            magic(x), ct_dtype_name((ct_dtype)x->dtype), x->rank,
            x->rank == 1 ? "are images and labels exchanged?" : "give the file of the pictures");
    for (int32_t i = 0; i < x->rank; i++)
        if (x->dim[i] == 0)
            return ct_fail_at(
                e, CT_EDATA, path, 4 + 4 * i,
                "empty data set (extent %d is 0); wanted at least one picture; fetch the file again", i + 1);
    return CT_OK;
}

static ct_status check_pair(const ct__pictures *p, ct_err *e) {
    const ct_array *x = &p->images, *y = &p->labels;
    ct_status s = ct__pictures_pixels(x, p->path, e);
    if (s) return s;
    if (y->rank != 1 || (y->dtype != CT_U8 && y->dtype != CT_I8 && y->dtype != CT_I32))
        return ct_fail_at(e, CT_EDATA, p->labels_path, 0,
                          "magic 0x%08x, %s with %d dimensions; wanted 0x00000801, one row of integers; %s",
                          magic(y), ct_dtype_name((ct_dtype)y->dtype), y->rank,
                          y->rank >= 3 ? "are images and labels exchanged?" : "give the file of the labels");
    if (x->dim[0] != y->dim[0])
        return ct_fail_at(e, CT_EDATA, p->path, 4,
                          "%lld pictures, and %lld labels in %s; wanted equal counts; fetch both files again",
                          (long long)x->dim[0], (long long)y->dim[0], p->labels_path);
    return CT_OK;
}

ct_status ct__pictures_load(const ct_files *f, const ct_allocator *a, const char *folder, int part,
                            int64_t limit, ct__pictures *out, ct_err *e) {
    struct stat st;
    memset(out, 0, sizeof *out);
    if (stat(folder, &st) != 0)
        return ct_fail_at(
            e, CT_EIO, folder, -1,
            "no such folder; wanted one of pictures, a folder a class, or of idx files; check the path");
    if (!S_ISDIR(st.st_mode))
        return ct_fail_at(e, CT_EDATA, folder, -1,
                          "a file; wanted the folder that holds it; leave its name out");
    if (!ct__pictures_find(folder, part, out))
        return ct_fail_at(
            e, CT_EDATA, folder, -1,
            "no %s-images-idx3-ubyte[.gz] with its labels; wanted the usual MNIST names; rename "
            "the files, or give their folder",
            stems[part - 1][0]);
    ct_status s = ct_idx_load(f, a, out->path, &out->images, e);
    if (!s) s = ct_idx_load(f, a, out->labels_path, &out->labels, e);
    if (!s) s = check_pair(out, e);
    if (s) {
        ct__pictures_free(out);
        return s;
    }
    if (limit > 0 && limit < out->images.dim[0]) out->images.dim[0] = out->labels.dim[0] = limit;
    return CT_OK;
}

static ct_status check_label(const ct__pictures *p, int64_t i, int64_t classes, ct_err *e) {
    char wanted[64] = "0 or more";
    int64_t y = ct__pictures_label(p, i);
    if (y >= 0 && y < classes) return CT_OK;
    if (classes < INT64_MAX) snprintf(wanted, sizeof wanted, "0 to %lld", (long long)classes - 1);
    return ct_fail_at(e, CT_EDATA, p->labels_path, 8 + i * (int64_t)ct_dtype_size((ct_dtype)p->labels.dtype),
                      "the label of record %lld is %lld; wanted %s; mend the label or take the record out",
                      (long long)i, (long long)y, wanted);
}

ct_status ct__pictures_classes(const ct__pictures *p, int64_t *classes, ct_err *e) {
    *classes = 0;
    for (int64_t i = 0; i < p->labels.dim[0]; i++) {
        ct_status s = check_label(p, i, INT64_MAX, e);
        if (s) return s;
        int64_t y = ct__pictures_label(p, i);
        if (y >= MOST_CLASSES)
            return ct_fail_at(
                e, CT_ELIMIT, p->labels_path, 8 + i * (int64_t)ct_dtype_size((ct_dtype)p->labels.dtype),
                "the label of record %lld is %lld; wanted at most %d; number the classes from 0",
                (long long)i, (long long)y, MOST_CLASSES - 1);
        if (y >= *classes) *classes = y + 1;
    }
    return CT_OK;
}

ct_status ct__pictures_check(const ct__pictures *p, int64_t classes, ct_err *e) {
    ct_status s = CT_OK;
    for (int64_t i = 0; i < p->labels.dim[0] && !s; i++) s = check_label(p, i, classes, e);
    return s;
}

static int in_part(int32_t tenth, int with_test, const char *part) {
    if (strcmp(part, "all") == 0) return 1;
    if (strcmp(part, "kept") == 0) return !with_test || tenth < 1000 || tenth >= 2000;
    const char *here = tenth < 1000 ? "validation" : with_test && tenth < 2000 ? "test" : "train";
    return strcmp(here, part) == 0;
}

ct_status ct__pictures_split(const ct_allocator *a, int64_t count, uint64_t seed, int with_test,
                             const char *part, int64_t **index, int64_t *n, ct_err *e) {
    int64_t *list = ct_new_array(a, (uint64_t)count + 1, sizeof *list), k = 0;
    if (!list) return ct_fail(e, CT_ELIMIT, "data: out of memory for %lld records", (long long)count);
    for (int64_t i = 0; i < count; i++) {
        uint8_t key[8];
        for (int b = 0; b < 8; b++) key[b] = (uint8_t)((uint64_t)i >> (8 * b));
        if (in_part(ct_split_of(seed, key, sizeof key), with_test, part)) list[k++] = i;
    }
    *index = ct_new_array(a, (uint64_t)k + 1, sizeof *list);
    if (*index) memcpy(*index, list, (size_t)k * sizeof *list);
    ct_delete(a, list, ((size_t)count + 1) * sizeof *list);
    if (!*index) return ct_fail(e, CT_ELIMIT, "data: out of memory for %lld records", (long long)count);
    *n = k;
    return CT_OK;
}

ct_status ct__pictures_normalize(const ct__pictures *p, const int64_t *index, int64_t n, ct_text *out,
                                 ct_err *e) {
    const ct_array *x = &p->images;
    int64_t channels = x->rank == 3 ? 1 : x->dim[1], pixels = x->dim[x->rank - 2] * x->dim[x->rank - 1];
    ct_text std = {.allocator = out->allocator};
    ct_text_add(out, "normalize mean=");
    if (channels > 4)
        return ct_fail(e, CT_EDATA, "%s: %lld channels; wanted at most 4", p->path, (long long)channels);
    for (int64_t c = 0; c < channels; c++) {
        uint64_t sum = 0, square = 0;
        for (int64_t i = 0; i < n; i++) {
            const uint8_t *v = (const uint8_t *)x->data + (index[i] * channels + c) * pixels;
            for (int64_t k = 0; k < pixels; k++) {
                sum += v[k];
                square += (uint64_t)v[k] * v[k];
            }
        }
        double count = (double)n * (double)pixels * 255, m = (double)sum / count,
               s = sqrt((double)square / (count * 255) - m * m);
        if (c) ct_text_add(out, ":");
        ct_text_number(out, round(m * 1e4) / 1e4);
        if (c) ct_text_add(&std, ":");
        ct_text_number(&std, s > 1e-3 ? round(s * 1e4) / 1e4 : 1.0); /* a constant picture stays as it is */
    }
    ct_text_format(out, " std=%s", std.data ? std.data : "1");
    int failed = out->failed || std.failed;
    ct_text_free(&std);
    return failed ? ct_fail(e, CT_ELIMIT, "data: out of memory") : CT_OK;
}
