/* pca.c: principal components of a file: read, fit, then once more over the records for their scores, the error and the
 * points of the plot; model, scores, report and config.json at the end. With `incremental` only a batch is ever in
 * memory: one pass fits (one more before it finds the scale), one scores. */
#include "task/pca.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void ct__pca_tell(const ct__pca_job *j, int32_t kind, const char *key, const char *format, ...) {
    char text[1000];
    va_list args;
    if (!j->o->tell) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ct_event event = {.kind = kind, .key = key, .text = text};
    j->o->tell(j->o->user, &event);
}

static ct_status memory(ct__pca_job *j) {
    return ct_fail(j->e, CT_ELIMIT, "pca: out of memory; use a smaller file, or --incremental");
}

/* ---- before ---- */

static ct_status check_output(ct__pca_job *j) {
    struct stat a, b;
    ct_status s = ct__run_paths(&j->run, j->o->output, j->e);
    if (s) return s;
    if (stat(j->run.model, &a) == 0 && stat(j->o->data, &b) == 0 && a.st_ino == b.st_ino &&
        a.st_dev == b.st_dev)
        return ct_fail(j->e, CT_EUSAGE, "-o %s: is the data; wanted another name; choose one", j->run.model);
    if (!j->o->force && ct__run_has(&j->run, NULL))
        return ct_fail(j->e, CT_EUSAGE,
                       "-o %s: exists; wanted a new file; give --force to replace it, or another name",
                       j->run.model);
    if (!j->o->force && ct__run_has(&j->run, "config.json"))
        return ct_fail(j->e, CT_EUSAGE, "%s: holds a run; wanted a new folder; give --force, or another name",
                       j->run.folder);
    return ct__run_open(&j->run, j->e);
}

static ct_status check_options(ct__pca_job *j) {
    const ct_pca_options *p = &j->o->pca;
    if (!j->o->data) return ct_fail(j->e, CT_EUSAGE, "pca: no data; wanted a file; name one");
    if (j->o->incremental && (p->variance > 0 || p->solver || p->oversample || p->passes))
        return ct_fail(j->e, CT_EUSAGE,
                       "pca: --incremental with a share of variance or a solver, which want all the data; "
                       "wanted a number of "
                       "components; give -k, or leave --incremental out");
    return CT_OK;
}

/* ---- reading ---- */

static ct_status make_batch(ct__pca_job *j) {
    int64_t rows = j->o->batch ? j->o->batch : 256;
    if (j->o->incremental && !j->o->batch && rows < j->o->pca.components) rows = j->o->pca.components;
    ct_status s = ct_array_new(&j->o->allocator, (ct_dtype)j->records.dtype,
                               CT_SHAPE(rows, j->records.features), &j->batch, j->e);
    j->rows = rows;
    j->label = ct_arena_array(&j->arena, (uint64_t)rows, sizeof *j->label);
    j->value = ct_arena_array(&j->arena, (uint64_t)rows, sizeof *j->value);
    return s ? s : j->label && j->value ? CT_OK : memory(j);
}

/* A CSV's numbers in one array; arrays are there already. */
static ct_status read_whole(ct__pca_job *j) {
    ct__records *r = &j->records;
    int64_t rows = 0;
    ct_status s = ct__records_count(r, j->e);
    if (s || r->whole.data) return s;
    s = ct_array_new(&j->o->allocator, CT_F64, CT_SHAPE(r->count, r->features), &j->whole, j->e);
    if (s) return s;
    if (r->target >= 0) {
        j->labels = ct_arena_array(&j->arena, (uint64_t)r->count, sizeof *j->labels);
        j->values = ct_arena_array(&j->arena, (uint64_t)r->count, sizeof *j->values);
        if (!j->labels || !j->values) return memory(j);
    }
    s = ct__records_next(r, &j->whole, &rows, j->labels, j->values, j->e);
    if (!s && rows != r->count)
        s = ct_fail_at(j->e, CT_EIO, r->path, -1, "changed while reading; wanted a file at rest; try again");
    return s;
}

/* The whole as [N,D], when it is in memory. */
static ct_array matrix(const ct__pca_job *j) {
    ct_array a = j->whole.data ? j->whole : j->records.whole;
    ct_array m = ct_array_view(a.data, (ct_dtype)a.dtype, CT_SHAPE(j->records.count, j->records.features));
    return m;
}

/* Row `from` and those behind it: a view of memory, or the next of the file. *labels and *values may be NULL. */
static ct_status next(ct__pca_job *j, int64_t from, ct_array *x, const int32_t **labels,
                      const double **values) {
    if (!j->o->incremental) {
        *x = matrix(j);
        int64_t left = x->dim[0] - from;
        x->data = (char *)x->data + (size_t)(from * x->stride[0]) * ct_dtype_size((ct_dtype)x->dtype);
        x->dim[0] = left < j->rows ? left : j->rows;
        *labels = j->labels ? j->labels + from : NULL;
        *values = j->values ? j->values + from : NULL;
        return CT_OK;
    }
    int64_t rows = 0;
    ct_status s = ct__records_next(&j->records, &j->batch, &rows, j->label, j->value, j->e);
    *x = j->batch;
    x->owned = 0;
    x->dim[0] = rows;
    *labels = j->records.target >= 0 ? j->label : NULL;
    *values = j->records.target >= 0 ? j->value : NULL;
    return s;
}

/* ---- fitting ---- */

static ct_maths maths_of(const ct__pca_job *j) {
    return (ct_maths){.allocator = &j->o->allocator, .threads = j->o->threads};
}

/* "pca: x[4,1] is nan; ..." becomes "FILE: record 4, feature 1 ...": the text begins with the file. */
static ct_status with_file(ct__pca_job *j, ct_status s, const ct_err *inner) {
    const char *text = strstr(inner->text, ": ");
    if (!s) return s;
    if (s != CT_ENONFINITE && s != CT_EDATA) return ct_fail(j->e, s, "%s", inner->text);
    return ct_fail_at(j->e, s, j->o->data, -1, "%s", text ? text + 2 : inner->text);
}

static ct_status fit_whole(ct__pca_job *j) {
    ct_maths m = maths_of(j);
    ct_err inner = {0};
    ct_status s = read_whole(j);
    if (s) return s;
    ct_array x = matrix(j);
    return with_file(j, ct_pca_fit(&m, &x, j->o->pca, &j->result->pca, &inner), &inner);
}

/* Rows as doubles, for the deviations that scaling divides by. */
static ct_status to_doubles(ct__pca_job *j, const ct_array *x, double *room) {
    ct_array to = ct_array_view(room, CT_F64, CT_SHAPE(x->dim[0], x->dim[1]));
    return ct_array_copy(&to, x, j->e);
}

/* Welford 1962, feature by feature: means and sums of squared deviations -> population deviations, 1 where 0. */
static ct_status find_scale(ct__pca_job *j, double *room, double *mean, double *scale) {
    int64_t d = j->records.features, n = 0;
    ct_array x;
    const int32_t *labels;
    const double *values;
    for (;;) {
        ct_status s = next(j, n, &x, &labels, &values);
        if (!s && x.dim[0]) s = to_doubles(j, &x, room);
        if (s) return s;
        if (!x.dim[0]) break;
        for (int64_t i = 0; i < x.dim[0]; i++) {
            n++;
            for (int64_t k = 0; k < d; k++) {
                double off = room[i * d + k] - mean[k];
                mean[k] += off / (double)n;
                scale[k] += off * (room[i * d + k] - mean[k]);
            }
        }
    }
    for (int64_t k = 0; k < d; k++) {
        double deviation = sqrt(scale[k] / (double)n);
        scale[k] = deviation > (double)n * 2.220446049250313e-16 * fabs(mean[k]) ? deviation : 1;
    }
    return ct__records_rewind(&j->records, j->e);
}

/* The scale as the fitted components keep it: (x - mean) / scale. */
static ct_status keep_scale(ct__pca_job *j, const double *scale) {
    ct_pca *p = &j->result->pca;
    int64_t d = j->records.features;
    ct_status s = ct_array_new(&j->o->allocator, CT_F64, CT_SHAPE(d), &p->scale, j->e);
    for (int64_t k = 0; !s && k < d; k++) {
        ((double *)p->scale.data)[k] = scale[k];
        ((double *)p->mean.data)[k] *= scale[k];
    }
    return s;
}

static ct_status add_batches(ct__pca_job *j, ct_pca_incremental *p, double *room, const double *scale) {
    int64_t d = j->records.features;
    ct_array x;
    const int32_t *labels;
    const double *values;
    for (int64_t n = 0;; n += x.dim[0]) {
        ct_err inner = {0};
        ct_status s = next(j, n, &x, &labels, &values);
        if (s || !x.dim[0]) return s;
        if (scale) {
            s = to_doubles(j, &x, room);
            for (int64_t i = 0; !s && i < x.dim[0] * d; i++) room[i] /= scale[i % d];
            x = ct_array_view(room, CT_F64, CT_SHAPE(x.dim[0], d));
        }
        if (!s) s = with_file(j, ct_pca_add(p, &x, &inner), &inner);
        if (s) return s;
    }
}

static ct_status fit_batches(ct__pca_job *j) {
    ct_maths m = maths_of(j);
    ct_pca_options o = j->o->pca;
    ct_pca_incremental *p = NULL;
    ct_err inner = {0};
    uint64_t d = (uint64_t)j->records.features;
    double *room = NULL, *mean = NULL, *scale = NULL;
    if (o.scale) {
        room = ct_arena_array(&j->arena, (uint64_t)j->rows * d, sizeof *room);
        mean = ct_arena_array(&j->arena, d, sizeof *mean);
        scale = ct_arena_array(&j->arena, d, sizeof *scale);
        if (!room || !mean || !scale) return memory(j);
    }
    o.scale = 0;
    ct_status s = scale ? find_scale(j, room, mean, scale) : CT_OK;
    if (!s) s = ct_pca_begin(&m, o, &p, j->e);
    if (!s) s = add_batches(j, p, room, scale);
    if (!s) s = with_file(j, ct_pca_end(p, &j->result->pca, &inner), &inner);
    if (!s && scale) s = keep_scale(j, scale);
    ct_pca_incremental_free(p);
    if (!s) s = ct__records_rewind(&j->records, j->e);
    j->records.count = j->result->pca.samples;
    return s;
}

/* ---- scores ---- */

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
    if (j->o->target) {
        ct_text_add(t, ",");
        csv_field(t, j->o->target);
    }
    ct_text_add(t, "\n");
}

static void score_rows(const ct__pca_job *j, int64_t from, const ct_array *y, const int32_t *labels,
                       ct_text *t) {
    int64_t k = y->dim[1];
    const double *v = y->data;
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
    ct_maths m = maths_of(j);
    ct_array y = {0};
    ct_text t = {.allocator = &j->o->allocator};
    ct_err inner = {0};
    double mean;
    ct_status s = with_file(j, ct_pca_transform(&m, &j->result->pca, x, &y, &inner), &inner);
    if (!s) s = with_file(j, ct_pca_error(&m, &j->result->pca, x, &mean, &inner), &inner);
    if (!s) {
        *error += mean * (double)x->dim[0] / (double)j->records.count;
        keep_points(j, from, &y, labels, values);
        score_rows(j, from, &y, labels, &t);
        s = t.failed ? memory(j) : ct_writer_write(w, t.data, t.length, j->e);
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
    ct_status s = t.failed ? memory(j) : ct_writer_write(w, t.data, t.length, j->e);
    ct_text_free(&t);
    j->result->error = 0;
    for (int64_t from = 0; !s && from < j->records.count; from += x.dim[0]) {
        s = next(j, from, &x, &labels, &values);
        if (!s && !x.dim[0])
            s = ct_fail_at(j->e, CT_EIO, j->o->data, -1,
                           "changed while reading; wanted a file at rest; try again");
        if (s) break;
        hash_rows(h, &x);
        s = score_batch(j, from, &x, labels, values, w, &j->result->error);
    }
    return s;
}

static ct_status score(ct__pca_job *j) {
    ct_writer *w = NULL;
    ct_hasher *h = ct_hasher_new(&j->o->allocator);
    j->every = (j->records.count + CT__PCA_POINTS - 1) / CT__PCA_POINTS;
    j->point = ct_arena_array(&j->arena, CT__PCA_POINTS, sizeof *j->point);
    if (!h || !j->point) {
        ct_hasher_free(h);
        return memory(j);
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

/* ---- the run ---- */

static json_t *path_json(const char *path) { return path ? ct__json_path(path) : json_null(); }

static ct_status write_config(ct__pca_job *j) {
    const ct_pca_task *o = j->o;
    json_t *v = json_pack("{s:s, s:o, s:o, s:o, s:I, s:o, s:i, s:b, s:b, s:b, s:i, s:s, s:s}", "task", "pca",
                          "data", path_json(o->data), "target", path_json(o->target), "command",
                          path_json(o->command), "components", (json_int_t)o->pca.components, "variance",
                          ct__json_number(o->pca.variance), "solver", o->pca.solver, "whiten",
                          o->pca.whiten != 0, "scale", o->pca.scale != 0, "incremental", o->incremental != 0,
                          "threads", o->threads, "instructions", ct_cpu_features(), "version", CT_VERSION);
    ct_status s = v ? ct__run_write(&j->run, "config.json", v, j->e) : memory(j);
    json_decref(v);
    return s;
}

static void tell_data(const ct__pca_job *j) {
    const ct__records *r = &j->records;
    const ct_pca *p = &j->result->pca;
    ct__pca_tell(j, CT_EVENT_FACT, "data", "%lld records of %lld features", (long long)r->count,
                 (long long)r->features);
    ct__pca_tell(j, CT_EVENT_FACT, "components", "%lld", (long long)p->components.dim[0]);
    int32_t numbers = r->csv != NULL && !j->o->csv.no_header;
    for (int64_t i = 0; i < r->features && numbers; i++) {
        double v;
        numbers = r->name && ct_parse_number(r->name[i], &v) && (v < (double)i - 0.5 || v > (double)i + 1.5);
    }
    if (numbers)
        ct__pca_tell(j, CT_EVENT_NOTE, NULL,
                     "the first line, all numbers, was taken for names; --no-header if it is a record");
}

static ct_status run(ct__pca_job *j) {
    ct__records_options o = {.target = j->o->target, .stream = j->o->incremental, .csv = j->o->csv};
    ct_status s = check_options(j);
    if (!s) s = ct__records_open(&j->records, &j->o->files, &j->o->allocator, j->o->data, o, j->e);
    if (!s && j->o->output) s = check_output(j);
    if (!s) s = make_batch(j);
    if (!s) s = j->o->incremental ? fit_batches(j) : fit_whole(j);
    if (s) return s;
    j->result->records = j->records.count;
    j->result->features = j->records.features;
    tell_data(j);
    if (!j->o->output) return CT_OK;
    s = score(j);
    if (!s) s = ct__pca_report(j);
    if (!s) s = write_config(j);
    if (!s) s = ct__pca_save_model(j);
    if (!s) snprintf(j->result->model, sizeof j->result->model, "%s", j->run.model);
    return s;
}

/* Names live in the records: the result has copies. */
static ct_status keep_names(ct__pca_job *j) {
    ct_pca_result *r = j->result;
    if (!j->records.name) return CT_OK;
    const char **name = ct_arena_array(&r->names, (uint64_t)r->features, sizeof *name);
    for (int64_t i = 0; name && i < r->features; i++) {
        name[i] = ct_arena_text(&r->names, j->records.name[i]);
        if (!name[i]) return memory(j);
    }
    r->name = name;
    return name ? CT_OK : memory(j);
}

/* What failed leaves no trace in a folder of its own. */
static void close_run(ct__pca_job *j, ct_status s) {
    static const char *const names[] = {"scores.csv", "report.html", "config.json"};
    ct_err ignored = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names && s && !j->run.begun; i++)
        (void)ct__run_remove(&j->run, names[i], &ignored);
    if (!s) j->run.begun = 1;
    ct__run_close(&j->run);
}

ct_status ct_pca_file(const ct_pca_task *o, ct_pca_result *out, ct_err *e) {
    ct_pca_result result = {.error = NAN};
    ct__pca_job j = {.o = o, .e = e, .result = &result};
    j.records.target = -1;
    j.run = (ct__run){.files = &o->files, .allocator = &o->allocator, .lock = -1};
    j.arena.allocator = &o->allocator;
    result.names.allocator = o->allocator.allocate ? &o->allocator : NULL;
    ct_status s = run(&j);
    if (!s) s = keep_names(&j);
    if (j.run.lock >= 0) close_run(&j, s);
    ct_array_free(&j.batch);
    ct_array_free(&j.whole);
    ct__records_close(&j.records);
    ct_arena_free(&j.arena);
    if (s)
        ct_pca_result_free(&result);
    else
        *out = result;
    return s;
}

void ct_pca_result_free(ct_pca_result *r) {
    if (!r) return;
    ct_pca_free(&r->pca);
    ct_arena_free(&r->names);
    memset(r, 0, sizeof *r);
}
