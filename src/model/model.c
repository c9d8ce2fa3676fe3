/* model.c: models as one object: document, net, weights, plan. */
#include <stdlib.h>
#include <string.h>

#include "model/document.h"

struct ct_model {
    ct_allocator allocator;
    ct_ctx *ctx;
    ct_plan *plan;
    ct_t output;
    json_t *doc;
    char *text;
    int64_t nonfinite;
};

ct_status ct_tensors_seal(ct_tensors *t, const char *document, ct_err *e) {
    json_t *doc = ct__document_parse(document, "model", e);
    if (!doc) return CT_EUSAGE;
    json_object_set_new(doc, "format", json_integer(CT_MODEL_FORMAT));
    ct_status s = ct__document_seal(t, doc, e);
    json_decref(doc);
    return s;
}

ct_status ct_model_save(ct_ctx *c, const char *path, const char *document, ct_err *e) {
    ct_tensors *t = NULL;
    ct_status s = ct_tensors_new(ct_allocator_of(c), &t, e);
    if (!s) s = ct_weights_collect(c, CT_MODEL_KINDS, t, e);
    if (!s) s = ct_tensors_seal(t, document, e);
    if (!s) s = ct_tensors_save(ct_files_of(c), t, path, e);
    ct_tensors_free(t);
    return s;
}

ct_status ct_model_read(const ct_files *f, const ct_allocator *a, const char *path, ct_tensors **out,
                        const char **document, ct_err *e) {
    ct_tensors *t;
    ct_status s = ct_tensors_load(f, a, path, &t, e);
    if (s) return s;
    const char *text = ct_tensors_get(t, "cotan");
    if (text) {
        json_t *doc = ct__document_parse(text, path, e);
        s = doc ? ct__document_check(t, doc, path, e) : CT_EDATA;
        json_decref(doc);
    }
    if (s) {
        ct_tensors_free(t);
        return s;
    }
    *out = t;
    *document = text;
    return CT_OK;
}

/* ---- the document's description of the net ---- */

#define MAX_INPUTS 16
#define MAX_CONSTANTS 32

typedef struct description {
    ct_net_input input[MAX_INPUTS];
    ct_setting constant[MAX_CONSTANTS];
    ct_net_env env;
} description;

static ct_status read_input(const json_t *v, ct_net_input *in, const char *path, ct_err *e) {
    const json_t *shape = json_object_get(v, "shape");
    const char *name = json_string_value(json_object_get(v, "name")),
               *type = json_string_value(json_object_get(v, "dtype"));
    if (!name || !type || !json_is_array(shape) || json_array_size(shape) > CT_MAX_RANK)
        return ct_fail_at(e, CT_EDATA, path, -1,
                          "document: an input without name, dtype or shape; wanted all three; "
                          "take another copy");
    *in = (ct_net_input){.name = name};
    for (int32_t d = CT_F32; d <= CT_I8; d++)
        if (strcmp(ct_dtype_name((ct_dtype)d), type) == 0) in->dtype = d;
    in->shape.rank = (int32_t)json_array_size(shape);
    for (int32_t i = 0; i < in->shape.rank; i++)
        in->shape.dim[i] = json_integer_value(json_array_get(shape, (size_t)i));
    return CT_OK;
}

static ct_status describe(const json_t *doc, description *d, const char *path, ct_err *e) {
    const json_t *inputs = json_object_get(doc, "inputs");
    json_t *constants = json_object_get(doc, "constants"), *v;
    const char *key;
    if (json_array_size(inputs) > MAX_INPUTS || json_object_size(constants) > MAX_CONSTANTS)
        return ct_fail_at(e, CT_EDATA, path, -1,
                          "document: %zu inputs, %zu constants; wanted at most %d and %d; take "
                          "another copy",
                          json_array_size(inputs), json_object_size(constants), MAX_INPUTS, MAX_CONSTANTS);
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        ct_status s = read_input(json_array_get(inputs, i), &d->input[i], path, e);
        if (s) return s;
    }
    int32_t n = 0;
    json_object_foreach(constants, key, v) {
        if (!json_is_string(v))
            return ct_fail_at(e, CT_EDATA, path, -1,
                              "document: constant \"%.60s\" is no text; wanted digits; take another "
                              "copy",
                              key);
        d->constant[n++] = (ct_setting){key, json_string_value(v)};
    }
    d->env = (ct_net_env){.inputs = d->input,
                          .n_inputs = (int32_t)json_array_size(inputs),
                          .constants = d->constant,
                          .n_constants = n};
    return CT_OK;
}

static ct_status build(ct_model *m, const ct_tensors *t, const char *path, ct_err *e) {
    description d;
    const char *net = json_string_value(json_object_get(m->doc, "net"));
    if (!net && strcmp(ct_model_task(m), "checkpoint") == 0)
        return ct_fail_at(
            e, CT_EDATA, path, -1,
            "a checkpoint, which has no net; wanted a model; give the one that training writes at "
            "its end, or go on with --resume");
    if (!net)
        return ct_fail_at(e, CT_EDATA, path, -1,
                          "no net in the document; wanted a model; give one that cotan wrote");
    ct_status s = describe(m->doc, &d, path, e);
    ct_err wrong = {0}; /* a wrong net is usage where a user wrote it; here it is bad data */
    if (!s) s = ct_net_build(ct_default_graph(m->ctx), net, path, &d.env, &m->output, &wrong);
    if (wrong.status)
        s = ct_fail(e, wrong.status == CT_EUSAGE ? CT_EDATA : (ct_status)wrong.status, "%s", wrong.text);
    if (!s) s = ct_weights_apply(m->ctx, t, path, CT_MODEL_KINDS, 1, e);
    if (!s) s = ct_plan_new(&m->output, 1, NULL, 0, (ct_compile){0}, &m->plan, e);
    ct_plan_info info;
    return s ? s
             : ct_plan_describe(m->plan, 1, &info,
                                e); /* the layouts of the weights are decided here, before threads come */
}

static ct_status check_finite(ct_model *m, const ct_tensors *t, const ct_options *o, const char *path,
                              ct_err *e) {
    int64_t first;
    m->nonfinite = ct_tensors_nonfinite(t, &first);
    if (!o->strict || !m->nonfinite) return CT_OK;
    return ct_fail_at(
        e, CT_EDATA, path, -1,
        "%lld weights are NaN or infinite, first in \"%.200s\"; wanted finite ones; leave strictness out to "
        "take them as they are",
        (long long)m->nonfinite, ct_tensors_name(t, first));
}

ct_status ct_model_open(const char *path, const ct_options *o, ct_model **out, ct_err *e) {
    ct_options none = {0};
    ct_tensors *t = NULL;
    const char *document = NULL;
    if (!o) o = &none;
    ct_model *m = ct_new(&o->allocator, sizeof *m);
    if (!m) return ct_fail(e, CT_ELIMIT, "model: out of memory");
    m->allocator = o->allocator;
    m->ctx = ct_open(o);
    ct_status s = m->ctx ? CT_OK : ct_fail(e, CT_ELIMIT, "model: out of memory");
    if (!s && ct_error_status(m->ctx)) s = ct_fail(e, ct_error_status(m->ctx), "%s", ct_error(m->ctx));
    if (!s) s = ct_model_read(o->files, &m->allocator, path, &t, &document, e);
    if (!s && !document)
        s = ct_fail_at(e, CT_EDATA, path, -1,
                       "weights without a net; wanted a model that cotan wrote; give these to --init, or to "
                       "ct_weights_apply");
    if (!s) {
        m->doc = ct__document_parse(document, path, e);
        m->text = m->doc ? ct__document_dump(m->doc) : NULL;
        if (!m->text) s = ct_fail(e, CT_ELIMIT, "%s: out of memory", path);
    }
    if (!s) s = check_finite(m, t, o, path, e);
    if (!s) s = build(m, t, path, e);
    ct_tensors_free(t);
    if (s)
        ct_model_close(m);
    else
        *out = m;
    return s;
}

void ct_model_close(ct_model *m) {
    if (!m) return;
    ct_allocator a = m->allocator;
    ct_plan_free(m->plan);
    ct_close(m->ctx);
    json_decref(m->doc);
    free(m->text);
    ct_delete(&a, m, sizeof *m);
}

ct_ctx *ct_model_context(ct_model *m) { return m->ctx; }
int64_t ct_model_nonfinite(const ct_model *m) { return m->nonfinite; }
ct_plan *ct_model_plan(ct_model *m) { return m->plan; }
ct_t ct_model_output(ct_model *m) { return m->output; }
const char *ct_model_document(const ct_model *m) { return m->text; }
const char *ct_model_task(const ct_model *m) { return ct_model_text(m, "task"); }

int64_t ct_model_labels(const ct_model *m) {
    return (int64_t)json_array_size(json_object_get(m->doc, "labels"));
}
const char *ct_model_label(const ct_model *m, int64_t i) {
    const char *s =
        i >= 0 ? json_string_value(json_array_get(json_object_get(m->doc, "labels"), (size_t)i)) : NULL;
    return s ? s : "";
}

static const json_t *member(const ct_model *m, const char *path) {
    const json_t *v = m->doc;
    char key[128];
    while (v && *path) {
        size_t n = strcspn(path, "/");
        if (n >= sizeof key) return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        v = json_object_get(v, key);
        path += path[n] ? n + 1 : n;
    }
    return v;
}

const char *ct_model_text(const ct_model *m, const char *path) {
    const char *s = json_string_value(member(m, path));
    return s ? s : "";
}

double ct_model_number(const ct_model *m, const char *path, double otherwise) {
    const json_t *v = member(m, path);
    if (json_is_boolean(v)) return json_is_true(v);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}
