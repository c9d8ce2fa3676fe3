/* score.c: once more over the records, for their scores as a CSV file, the mean squared error of what the components
 * keep, the points of the plot and the hash of what was read. */
#include "task/pca/pca.h"

#include <math.h>
#include <string.h>

/* A field of CSV: in quotes where it has to be. */
static void csv_field(ct_text *t, const char *text) {
    if (!text[strcspn(text, ",\"\r\n")]) {
        ct_text_add(t, text);
        return;
    }
    ct_text_add(t, "\"");
    for (; *text; text++) ct_text_bytes(t, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    ct_text_add(t, "\"");
}

static void score_header(const ct__pca_job *j, ct_text *t) {
    int64_t k = j->result->pca.components.dim[0];
    ct_text_add(t, "record");
    for (int64_t i = 0; i < k; i++) ct_text_format(t, ",pc%lld", (long long)i + 1);
    if (j->records.target_name) {
        ct_text_add(t, ",");
        csv_field(t, j->records.target_name);
    }
    if (j->records.pictures) ct_text_add(t, ",path");
    ct_text_add(t, "\n");
}

static void score_rows(const ct__pca_job *j, int64_t from, const ct_array *y, const int32_t *labels,
                       ct_text *t) {
    int64_t k = y->dim[1];
    const double *v = y->data;
    char path[4200];
    for (int64_t i = 0; i < y->dim[0]; i++) {
        ct_text_format(t, "%lld", (long long)(from + i));
        for (int64_t l = 0; l < k; l++) {
            ct_text_add(t, ",");
            ct_text_number(t, v[i * k + l]);
        }
        if (labels) {
            ct_text_add(t, ",");
            csv_field(t, labels[i] >= 0 ? j->records.label[labels[i]] : "");
        }
        if (j->records.pictures) {
            ct_text_add(t, ",");
            csv_field(t, ct__pictures_path(&j->records, from + i, path));
        }
        ct_text_add(t, "\n");
    }
}

static void keep_points(ct__pca_job *j, int64_t from, const ct_array *y, const int32_t *labels,
                        const double *values) {
    int64_t k = y->dim[1];
    const double *v = y->data;
    for (int64_t i = 0; i < y->dim[0]; i++) {
        if ((from + i) % j->every || j->points == CT__PCA_POINTS) continue;
        j->point[j->points++] = (ct__pca_point){.x = v[i * k],
                                                .y = k > 1 ? v[i * k + 1] : (double)(from + i),
                                                .value = values ? values[i] : NAN,
                                                .label = labels ? labels[i] : -1};
    }
}

static ct_status score_batch(ct__pca_job *j, int64_t from, const ct_array *x, const int32_t *labels,
                             const double *values, ct_writer *w, double *error) {
    ct_maths m = ct__pca_maths(j);
    ct_array y = {0};
    ct_text t = {.allocator = &j->o->allocator};
    ct_err inner = {0};
    double mean;
    ct_status s = ct__pca_with_file(j, ct_pca_transform(&m, &j->result->pca, x, &y, &inner), &inner);
    if (!s) s = ct__pca_with_file(j, ct_pca_error(&m, &j->result->pca, x, &mean, &inner), &inner);
    if (!s) {
        *error += mean * (double)x->dim[0] / (double)j->records.count;
        keep_points(j, from, &y, labels, values);
        score_rows(j, from, &y, labels, &t);
        s = t.failed ? ct__pca_memory(j) : ct_writer_write(w, t.data, t.length, j->e);
    }
    ct_text_free(&t);
    ct_array_free(&y);
    return s;
}

/* The decoded features as they lie in memory, for the model's document. */
static void hash_rows(ct_hasher *h, const ct_array *x) {
    ct_hasher_add(h, x->data, (size_t)(x->dim[0] * x->dim[1]) * ct_dtype_size((ct_dtype)x->dtype));
}

static ct_status score_all(ct__pca_job *j, ct_writer *w, ct_hasher *h) {
    ct_array x;
    const int32_t *labels;
    const double *values;
    ct_text t = {.allocator = &j->o->allocator};
    score_header(j, &t);
    ct_status s = t.failed ? ct__pca_memory(j) : ct_writer_write(w, t.data, t.length, j->e);
    ct_text_free(&t);
    j->result->error = 0;
    for (int64_t from = 0; !s && from < j->records.count; from += x.dim[0]) {
        s = ct__pca_next(j, from, &x, &labels, &values);
        if (!s && !x.dim[0])
            s = ct_fail_at(j->e, CT_EIO, j->o->data, -1,
                           "changed while reading; wanted a file at rest; try again");
        if (s) break;
        hash_rows(h, &x);
        s = score_batch(j, from, &x, labels, values, w, &j->result->error);
    }
    return s;
}

ct_status ct__pca_score(ct__pca_job *j) {
    ct_writer *w = NULL;
    ct_hasher *h = ct_hasher_new(&j->o->allocator);
    j->every = (j->records.count + CT__PCA_POINTS - 1) / CT__PCA_POINTS;
    j->point = ct_arena_array(&j->arena, CT__PCA_POINTS, sizeof *j->point);
    if (!h || !j->point) {
        ct_hasher_free(h);
        return ct__pca_memory(j);
    }
    ct__run_path(&j->run, "scores.csv", j->result->scores);
    ct_status s = ct_writer_open(&j->o->files, &j->o->allocator, j->result->scores, &w, j->e);
    if (!s) s = score_all(j, w, h);
    if (!s) {
        ct_hash_hex(ct_hasher_end(h), j->data_hash);
        s = ct_writer_commit(w, j->e);
    } else {
        ct_writer_abandon(w);
    }
    ct_hasher_free(h);
    return s;
}
