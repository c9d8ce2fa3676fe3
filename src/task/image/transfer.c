/* transfer.c: transfer: the weights of another model to begin with, its last layer anew where the classes are others,
 * and layers that stay as they are. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "task/image/job.h"

static ct_status check_finite(const ct__image_job *j, const ct_tensors *t) {
    int64_t first, n = ct_tensors_nonfinite(t, &first);
    if (n && j->o->strict)
        return ct_fail_at(
            j->e, CT_EDATA, j->init, -1,
            "%lld weights are NaN or infinite, first in \"%.200s\"; wanted finite ones; leave --strict out "
            "to begin with them all the same",
            (long long)n, ct_tensors_name(t, first));
    if (n && j->opened == 1)
        ct__tell_note(j, "%lld weights of %s are NaN or infinite", (long long)n, j->init);
    return CT_OK;
}

/* A checkpoint holds more than weights: moments, and the best epoch's. */
static int is_checkpoint(const char *document) {
    json_t *doc = document ? json_loads(document, 0, NULL) : NULL;
    const char *task = json_string_value(json_object_get(doc, "task"));
    int yes = task && strcmp(task, "checkpoint") == 0;
    json_decref(doc);
    return yes;
}

/* ---- a head of another size ---- */

/* The last layer: the parameter made last, up to its last '.'. */
static void last_layer(const ct_ctx *c, char out[1000]) {
    ct_var_info v;
    out[0] = '\0';
    for (int64_t i = ct_var_count(c) - 1; i >= 0; i--) {
        if (ct_var_at(c, i, &v) || v.kind != CT_PARAM) continue;
        const char *dot = strrchr(v.name, '.');
        snprintf(out, 1000, "%.*s", dot ? (int)(dot - v.name) : 999, v.name);
        return;
    }
}

static int of_layer(const char *name, const char *layer) {
    size_t n = strlen(layer);
    return n > 0 && strncmp(name, layer, n) == 0 && name[n] == '.';
}

/* Differs in the first extent, that of the classes, alone. */
static int other_classes(const ct_array *a, const ct_shape *want) {
    if (a->rank != want->rank || a->rank == 0 || a->dim[0] == want->dim[0]) return 0;
    for (int32_t i = 1; i < a->rank; i++)
        if (a->dim[i] != want->dim[i]) return 0;
    return 1;
}

/* The file's tensors, those of a head with other classes as the net has drawn its own. */
static ct_status with_own_head(ct__image_job *j, const ct_tensors *from, ct_tensors *to) {
    char layer[1000];
    ct_var_info v;
    ct_array a, own;
    ct_status s = CT_OK;
    last_layer(j->ctx, layer);
    for (int64_t i = 0; i < ct_tensors_count(from) && !s; i++) {
        const char *name = ct_tensors_name(from, i);
        s = ct_tensors_at(from, i, &a);
        if (s) break;
        if (!of_layer(name, layer) || ct_var_find(j->ctx, name, &v) || !other_classes(&a, &v.shape)) {
            s = ct_tensors_add(to, name, &a, j->e);
            continue;
        }
        s = ct_array_new(&j->o->allocator, (ct_dtype)v.dtype, v.shape, &own, j->e);
        if (s) break;
        s = ct_var_get(j->ctx, name, &own, j->e);
        if (!s) s = ct_tensors_add(to, name, &own, j->e);
        ct_array_free(&own);
        if (j->opened > 1) continue;
        ct__tell_note(j, "%s has %lld classes in %s, here %lld: it begins anew", name, (long long)a.dim[0],
                      j->init, (long long)v.shape.dim[0]);
    }
    return s;
}

/* Of a model of another preset, its name says more than the list of what does not fit. */
static ct_status refuse(const ct__image_job *j, const char *document, const ct_err *why) {
    json_t *doc = document ? json_loads(document, 0, NULL) : NULL;
    const char *net = json_string_value(json_object_get(json_object_get(doc, "recipe"), "model")),
               *list = strchr(why->text, '('), *end = list ? strstr(list, "); wanted") : NULL;
    int length = !end ? 0 : end - list < 300 ? (int)(end - list) : 300;
    if (net && end && ct_preset_text(net) && strcmp(net, j->recipe.model) != 0)
        ct_fail_at(j->e, CT_EDATA, j->init, -1,
                   "weights of %.60s, which do not fit %s%.60s %.*s); wanted those of one net; give "
                   "--model %.60s, or weights of this net",
                   net, ct_preset_text(j->recipe.model) ? "" : "the ", j->recipe.model, length, list, net);
    else if (j->e && !j->e->status)
        *j->e = *why;
    json_decref(doc);
    return (ct_status)why->status;
}

ct_status ct__transfer_init(ct__image_job *j) {
    ct_tensors *t, *made = NULL;
    const char *document;
    char hex[33];
    ct_err why = {0};
    ct_status s = ct_model_read(&j->o->files, &j->o->allocator, j->init, &t, &document, j->e);
    if (s) return s;
    s = check_finite(j, t);
    if (!s) s = ct_tensors_new(&j->o->allocator, &made, j->e);
    if (!s) s = with_own_head(j, t, made);
    if (!s && ct_weights_apply(j->ctx, made, j->init, CT_MODEL_KINDS, is_checkpoint(document), &why))
        s = refuse(j, document, &why);
    if (!s) s = ct__init_hash(j, t, hex);
    ct_tensors_free(made);
    ct_tensors_free(t);
    if (s) return s;
    if (j->resumed && strcmp(hex, j->recipe.init_hash) != 0)
        return ct_fail_at(j->e, CT_EUSAGE, j->init, -1,
                          "weights of hash %s; wanted %s, with which the run was begun; give that file, or "
                          "begin anew with --force",
                          hex, j->recipe.init_hash);
    j->recipe.init_hash = ct_arena_text(&j->arena, hex);
    return j->recipe.init_hash ? CT_OK : ct_fail(j->e, CT_ELIMIT, "init: out of memory");
}

/* ---- layers that stay ---- */

/* The whole name, or what stands before one of its '.'. */
static int matches(const char *pattern, const char *name) {
    char head[1000];
    if (fnmatch(pattern, name, 0) == 0) return 1;
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        snprintf(head, sizeof head, "%.*s", (int)(dot - name), name);
        if (fnmatch(pattern, head, 0) == 0) return 1;
    }
    return 0;
}

static ct_status freeze_one(ct__image_job *j, const char *pattern, int64_t *frozen) {
    ct_var_info v;
    char layer[1000];
    int64_t found = 0;
    last_layer(j->ctx, layer);
    for (int64_t i = 0; i < ct_var_count(j->ctx); i++) {
        if (ct_var_at(j->ctx, i, &v) || v.kind != CT_PARAM || !matches(pattern, v.name)) continue;
        found++;
        if (!v.frozen) *frozen += (int64_t)v.count;
        (void)ct_freeze(j->ctx, v.name, 1);
    }
    return found ? CT_OK
                 : ct_fail(j->e, CT_EUSAGE,
                           "--freeze: %.200s matches no parameter; wanted names such as %.200s, or layer*; "
                           "see cotan inspect, or leave it out",
                           pattern, layer);
}

ct_status ct__transfer_freeze(ct__image_job *j) {
    char pattern[256], count[32];
    int64_t frozen = 0;
    ct_status s = CT_OK;
    const char *at = j->recipe.freeze;
    if (!at) return CT_OK;
    while (*at && !s) {
        size_t skip = strspn(at, ", "), n = strcspn(at + skip, ", ");
        if (n >= sizeof pattern) return ct_fail(j->e, CT_EUSAGE, "--freeze: a pattern of %zu bytes", n);
        snprintf(pattern, sizeof pattern, "%.*s", (int)n, at + skip);
        if (n) s = freeze_one(j, pattern, &frozen);
        at += skip + n;
    }
    if (!s && j->opened == 1)
        ct__tell_fact(j, "frozen", "%s parameters of %s", ct_group_digits(frozen, count), j->recipe.freeze);
    return s;
}
