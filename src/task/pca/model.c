/* model.c: fitted components as a model file, and back.
 *
 * The file holds them exactly, as doubles under "pca.", for `cotan predict`; and once more as the net that they are,
 * y = transform.weight x + transform.bias, in f32, so that whatever runs nets (ct_model_open) runs this one too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/pca/pca.h"

/* ---- writing ---- */

static ct_status add(ct_tensors *t, const char *name, const ct_array *a, ct_err *e) {
    return a->data ? ct_tensors_add(t, name, a, e) : CT_OK;
}

/* weight[k][d] = component / (scale deviation), bias[k] = - weight mean */
static ct_status add_net(ct__pca_job *j, ct_tensors *t) {
    const ct_pca *p = &j->result->pca;
    int64_t k = p->components.dim[0], d = p->components.dim[1];
    float *w = ct_arena_array(&j->arena, (uint64_t)(k * d), sizeof *w),
          *b = ct_arena_array(&j->arena, (uint64_t)k, sizeof *b);
    const double *c = p->components.data, *mean = p->mean.data, *scale = p->scale.data,
                 *variance = p->variance.data;
    if (!w || !b) return ct_fail(j->e, CT_ELIMIT, "pca: out of memory; use fewer components");
    for (int64_t i = 0; i < k; i++) {
        double sum = 0, deviation = p->whiten ? sqrt(variance[i]) : 1;
        for (int64_t l = 0; l < d; l++) {
            double v = deviation > 0 ? c[i * d + l] / (scale ? scale[l] : 1) / deviation : 0;
            w[i * d + l] = (float)v;
            sum -= v * mean[l];
        }
        b[i] = (float)sum;
    }
    ct_array weight = ct_array_view(w, CT_F32, CT_SHAPE(k, d)), bias = ct_array_view(b, CT_F32, CT_SHAPE(k));
    ct_status s = ct_tensors_add(t, "transform.weight", &weight, j->e);
    return s ? s : ct_tensors_add(t, "transform.bias", &bias, j->e);
}

static json_t *numbers(const ct_array *a) {
    json_t *list = json_array();
    for (int64_t i = 0; i < a->dim[0]; i++)
        json_array_append_new(list, ct__json_number(((const double *)a->data)[i]));
    return list;
}

static json_t *feature_names(const ct__pca_job *j) {
    json_t *list = json_array();
    for (int64_t i = 0; j->records.name && i < j->result->features; i++)
        json_array_append_new(list, ct__json_path(j->records.name[i]));
    return list;
}

static char *document(ct__pca_job *j) {
    const ct_pca *p = &j->result->pca;
    const ct_pca_options *o = &j->o->pca;
    char net[80], seed[32];
    int64_t k = p->components.dim[0], d = p->components.dim[1];
    snprintf(net, sizeof net, "y = linear(input(x), \"transform\", %lld)\n", (long long)k);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    json_t *doc = json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:[i,I]}], s:{}, s:o}", "task", "pca", "version",
                            CT_VERSION, "net", net, "inputs", "name", "x", "dtype", "f32", "shape", -1,
                            (json_int_t)d, "constants", "features", feature_names(j));
    json_object_set_new(doc, "recipe",
                        json_pack("{s:I, s:o, s:s, s:s, s:b, s:b, s:b, s:I, s:i, s:i, s:o}", "components",
                                  (json_int_t)o->components, "variance", ct__json_number(o->variance),
                                  "solver", ct__pca_solver(o->solver), "seed", seed, "whiten", o->whiten != 0,
                                  "scale", o->scale != 0, "incremental", j->o->incremental != 0, "batch",
                                  (json_int_t)(j->o->incremental ? j->rows : 0), "oversample", o->oversample,
                                  "passes", o->passes, "target",
                                  j->o->target ? ct__json_path(j->o->target) : json_null()));
    json_object_set_new(doc, "metrics",
                        json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "records", (json_int_t)j->result->records,
                                  "components", (json_int_t)k, "explained_variance_ratio", numbers(&p->ratio),
                                  "total_variance", ct__json_number(p->total), "noise_variance",
                                  ct__json_number(p->noise), "mean_squared_error",
                                  ct__json_number(j->result->error)));
    if (j->records.transform) {
        const int64_t *shape = j->records.planes;
        json_object_set_new(doc, "transform", json_string(j->records.transform));
        json_object_set_new(doc, "picture",
                            json_pack("{s:i, s:[I,I,I]}", "channels", j->records.channels, "shape",
                                      (json_int_t)shape[0], (json_int_t)shape[1], (json_int_t)shape[2]));
    }
    json_object_set_new(doc, "data", json_pack("{s:s}", "train", j->data_hash));
    char *text = doc ? json_dumps(doc, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_decref(doc);
    return text;
}

ct_status ct__pca_save_model(ct__pca_job *j) {
    const ct_pca *p = &j->result->pca;
    ct_tensors *t = NULL;
    char *text = document(j);
    ct_status s = text ? ct_tensors_new(&j->o->allocator, &t, j->e)
                       : ct_fail(j->e, CT_ELIMIT, "pca: out of memory; free some");
    if (!s) s = add_net(j, t);
    if (!s) s = add(t, "pca.mean", &p->mean, j->e);
    if (!s) s = add(t, "pca.scale", &p->scale, j->e);
    if (!s) s = add(t, "pca.components", &p->components, j->e);
    if (!s) s = add(t, "pca.variance", &p->variance, j->e);
    if (!s) s = add(t, "pca.ratio", &p->ratio, j->e);
    if (!s) s = add(t, "pca.singular", &p->singular, j->e);
    if (!s) s = ct_tensors_seal(t, text, j->e);
    if (!s) s = ct_tensors_save(&j->o->files, t, j->run.model, j->e);
    ct_tensors_free(t);
    free(text);
    return s;
}

/* ---- reading ---- */

typedef struct model {
    ct_tensors *tensors;
    json_t *doc;
    ct_pca pca;
} model;

static ct_status take(const model *m, const ct_allocator *a, const char *path, const char *name, int32_t rank,
                      int optional, ct_array *out, ct_err *e) {
    ct_array view;
    int64_t i = ct_tensors_find(m->tensors, name);
    if (i < 0 && optional) return CT_OK;
    if (i < 0 || ct_tensors_at(m->tensors, i, &view) || view.dtype != CT_F64 || view.rank != rank)
        return ct_fail_at(e, CT_EDATA, path, -1,
                          "no tensor %s of doubles with %d axes; wanted a model of cotan pca; make it anew",
                          name, rank);
    ct_status s = ct_array_new(a, CT_F64, ct_shape_make(view.rank, view.dim), out, e);
    return s ? s : ct_array_copy(out, &view, e);
}

static ct_status read_arrays(model *m, const ct_allocator *a, const char *path, ct_err *e) {
    ct_pca *p = &m->pca;
    ct_status s = take(m, a, path, "pca.mean", 1, 0, &p->mean, e);
    if (!s) s = take(m, a, path, "pca.scale", 1, 1, &p->scale, e);
    if (!s) s = take(m, a, path, "pca.components", 2, 0, &p->components, e);
    if (!s) s = take(m, a, path, "pca.variance", 1, 0, &p->variance, e);
    if (!s) s = take(m, a, path, "pca.ratio", 1, 0, &p->ratio, e);
    if (!s) s = take(m, a, path, "pca.singular", 1, 0, &p->singular, e);
    if (s) return s;
    int64_t k = p->components.dim[0], d = p->components.dim[1];
    if (k < 1 || d < 1 || p->mean.dim[0] != d || p->variance.dim[0] != k || p->ratio.dim[0] != k ||
        p->singular.dim[0] != k || (p->scale.data && p->scale.dim[0] != d))
        return ct_fail_at(e, CT_EDATA, path, -1,
                          "tensors of %lld components and %lld features that do not fit each other; wanted a "
                          "model of cotan pca; "
                          "make it anew",
                          (long long)k, (long long)d);
    const json_t *metrics = json_object_get(m->doc, "metrics");
    p->whiten = json_is_true(json_object_get(json_object_get(m->doc, "recipe"), "whiten"));
    p->samples = json_integer_value(json_object_get(metrics, "records"));
    p->total = json_number_value(json_object_get(metrics, "total_variance"));
    p->noise = json_number_value(json_object_get(metrics, "noise_variance"));
    return CT_OK;
}

static void model_close(model *m) {
    ct_pca_free(&m->pca);
    json_decref(m->doc);
    ct_tensors_free(m->tensors);
}

static ct_status model_open(const ct_files *f, const ct_allocator *a, const char *path, model *m, ct_err *e) {
    const char *text = NULL;
    *m = (model){0};
    ct_status s = ct_model_read(f, a, path, &m->tensors, &text, e);
    if (s) return s;
    m->doc = text ? json_loads(text, 0, NULL) : NULL;
    const char *task = json_string_value(json_object_get(m->doc, "task"));
    if (!task || strcmp(task, "pca") != 0)
        s = ct_fail_at(e, CT_EDATA, path, -1, "its task is \"%.40s\"; wanted a model of cotan pca; give one",
                       task ? task : "");
    if (!s) s = read_arrays(m, a, path, e);
    if (s) model_close(m);
    return s;
}

ct_status ct_pca_open(const ct_files *f, const ct_allocator *a, const char *path, ct_pca *out, ct_err *e) {
    model m;
    ct_status s = model_open(f, a, path, &m, e);
    if (s) return s;
    *out = m.pca;
    m.pca = (ct_pca){0};
    model_close(&m);
    return CT_OK;
}

/* ---- predicting ---- */

enum { ROWS = 256 };

typedef int (*each_score)(void *user, const char *path, int64_t record, const double *scores,
                          int64_t components);

static ct_status walk(const ct_options *o, const model *m, ct__records *r, each_score each, void *user,
                      ct_err *e) {
    ct_maths maths = {.allocator = &o->allocator, .threads = 1};
    ct_array room, y;
    int64_t rows, from = 0;
    ct_status s = ct_array_new(&o->allocator, (ct_dtype)r->dtype, CT_SHAPE(ROWS, r->features), &room, e);
    while (!s) {
        ct_err inner = {0};
        s = ct__records_next(r, &room, &rows, NULL, NULL, e);
        if (s || !rows) break;
        ct_array x = room;
        x.owned = 0;
        x.dim[0] = rows;
        s = ct_pca_transform(&maths, &m->pca, &x, &y, &inner);
        if (s) {
            s = ct_fail_at(e, s, r->path, -1, "%s", inner.text);
            break;
        }
        for (int64_t i = 0; !s && i < rows; i++) {
            char room_for_path[4200];
            const char *path = r->pictures ? ct__pictures_path(r, from + i, room_for_path) : r->path;
            if (each(user, path, from + i, (const double *)y.data + i * y.dim[1], y.dim[1]))
                s = ct_fail(e, CT_ECANCEL, "predict: stopped");
        }
        ct_array_free(&y);
        from += rows;
    }
    if (!s && from == 0)
        s = ct_fail_at(e, CT_EDATA, r->path, -1, "0 records; wanted at least one; is it the right file?");
    ct_array_free(&room);
    return s;
}

/* The columns of a CSV, by name. */
static ct_status take_features(const model *m, ct_arena *arena, ct__records_options *o, ct_err *e) {
    const json_t *names = json_object_get(m->doc, "features");
    int64_t d = m->pca.components.dim[1];
    o->features = d;
    if ((int64_t)json_array_size(names) != d) return CT_OK;
    const char **feature = ct_arena_array(arena, (uint64_t)d, sizeof *feature);
    if (!feature)
        return ct_fail(e, CT_ELIMIT, "pca: out of memory for %lld features; free some", (long long)d);
    for (int64_t i = 0; i < d; i++) {
        feature[i] = json_string_value(json_array_get(names, (size_t)i));
        if (!feature[i]) feature[i] = "";
    }
    o->feature = feature;
    return CT_OK;
}

/* Pictures are read and transformed as those were that the model was made of. */
static void take_pictures(const model *m, ct__records_options *o) {
    const json_t *picture = json_object_get(m->doc, "picture");
    o->transform = json_string_value(json_object_get(m->doc, "transform"));
    o->channels = (int32_t)json_integer_value(json_object_get(picture, "channels"));
    o->pictures = o->strict = o->unlabelled = 1;
    if (o->channels != 1 && o->channels != 3) o->channels = 0;
}

static ct_status check_features(const model *m, const ct__records *r, ct_err *e) {
    int64_t d = m->pca.components.dim[1];
    if (r->features == d) return CT_OK;
    return ct_fail_at(e, CT_EDATA, r->path, -1,
                      "%lld features; wanted %lld, as the model; give those it was made of",
                      (long long)r->features, (long long)d);
}

ct_status ct_pca_predict(const ct_options *o, const char *path, const char *data, ct_csv_options csv,
                         each_score each, void *user, ct_err *e) {
    static const ct_options none = {0};
    model m;
    ct__records r = {.target = -1};
    if (!o) o = &none;
    ct_arena arena = {.allocator = &o->allocator};
    ct__records_options want = {.stream = 1, .csv = csv, .threads = o->threads};
    ct_status s = model_open(o->files, &o->allocator, path, &m, e);
    if (s) return s;
    if (json_object_get(m.doc, "picture"))
        take_pictures(&m, &want);
    else if (ct__records_folder(data))
        s = ct_fail_at(e, CT_EDATA, data, -1,
                       "a folder; wanted a CSV file or an array, as the model; give one");
    else
        s = take_features(&m, &arena, &want, e);
    if (!s) s = ct__records_open(&r, o->files, &o->allocator, data, want, e);
    if (!s) s = check_features(&m, &r, e);
    if (!s) s = walk(o, &m, &r, each, user, e);
    ct__records_close(&r);
    model_close(&m);
    ct_arena_free(&arena);
    return s;
}
