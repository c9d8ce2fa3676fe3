/* weights.c: variables of a context to named tensors and back. Nothing is set before everything fits. A tied parameter
 * has several names: it is written under each, and read from any. */
#include <stdio.h>
#include <string.h>

#include "cotan/model.h"

static int wanted(const ct_var_info *v, int32_t kinds) {
    return (kinds >> v->kind & 1) && v->kind != CT_STATE;
}

static ct_status add_aliases(ct_ctx *c, const char *of, const ct_array *a, ct_tensors *to, ct_err *e) {
    const char *name, *base;
    ct_status s = CT_OK;
    for (int64_t i = 0; !s && !ct_alias_at(c, i, &name, &base); i++)
        if (strcmp(base, of) == 0) s = ct_tensors_add(to, name, a, e);
    return s;
}

/* The variable of a tensor's name, its own or that of a tie. */
static int variable_of(ct_ctx *c, const char *tensor, ct_var_info *v) {
    const char *name, *of;
    if (!ct_var_find(c, tensor, v)) return 1;
    for (int64_t i = 0; !ct_alias_at(c, i, &name, &of); i++)
        if (strcmp(name, tensor) == 0) return !ct_var_find(c, of, v);
    return 0;
}

/* The tensor of a variable, under the first of its names that is there; -1: none. */
static int64_t tensor_of(ct_ctx *c, const ct_tensors *from, const char *variable) {
    const char *name, *of;
    int64_t at = ct_tensors_find(from, variable);
    for (int64_t i = 0; at < 0 && !ct_alias_at(c, i, &name, &of); i++)
        if (strcmp(of, variable) == 0) at = ct_tensors_find(from, name);
    return at;
}

ct_status ct_weights_collect(ct_ctx *c, int32_t kinds, ct_tensors *to, ct_err *e) {
    ct_var_info v;
    for (int64_t i = 0; i < ct_var_count(c); i++) {
        ct_array a;
        if (ct_var_at(c, i, &v) || !wanted(&v, kinds)) continue;
        ct_status s = ct_array_new(ct_allocator_of(c), (ct_dtype)v.dtype, v.shape, &a, e);
        if (s) return s;
        s = ct_var_get(c, v.name, &a, e);
        if (!s) s = ct_tensors_add(to, v.name, &a, e);
        if (!s) s = add_aliases(c, v.name, &a, to, e);
        ct_array_free(&a);
        if (s) return s;
    }
    return CT_OK;
}

#define SHOWN 12 /* names in a list */

static void mention(ct_text *t, int32_t *count, const char *kind, const char *text) {
    if (*count == 0) ct_text_format(t, "%s%s: ", t->length ? "; " : "", kind);
    if (*count < SHOWN) ct_text_format(t, "%s%s", *count ? ", " : "", text);
    if (*count == SHOWN) ct_text_add(t, " ...");
    ++*count;
}

static void compare(ct_ctx *c, const ct_tensors *from, int32_t kinds, int32_t extra, ct_text *t) {
    ct_var_info v;
    ct_array a;
    char have[CT_SHAPE_TEXT], want[CT_SHAPE_TEXT], line[600];
    int32_t missing = 0, shapes = 0, more = 0;
    for (int64_t i = 0; i < ct_var_count(c); i++)
        if (!ct_var_at(c, i, &v) && wanted(&v, kinds) && tensor_of(c, from, v.name) < 0)
            mention(t, &missing, "missing", v.name);
    for (int64_t i = 0; i < ct_tensors_count(from); i++) {
        const char *name = ct_tensors_name(from, i);
        int known = variable_of(c, name, &v) && wanted(&v, kinds);
        if (!known && !extra) mention(t, &more, "superfluous", name);
    }
    for (int64_t i = 0; i < ct_tensors_count(from); i++) {
        const char *name = ct_tensors_name(from, i);
        if (ct_tensors_at(from, i, &a) || !variable_of(c, name, &v) || !wanted(&v, kinds)) continue;
        ct_shape s = ct_shape_make(a.rank, a.dim);
        if (ct_shape_equal(&s, &v.shape)) continue;
        snprintf(line, sizeof line, "%.300s %s (wanted %s)", name, ct_shape_format(&s, have),
                 ct_shape_format(&v.shape, want));
        mention(t, &shapes, "other shapes", line);
    }
}

/* Names of one parameter must hold one value. */
static void compare_ties(ct_ctx *c, const ct_tensors *from, ct_text *t) {
    const char *name, *of;
    int32_t differ = 0;
    char line[600];
    for (int64_t i = 0; !ct_alias_at(c, i, &name, &of); i++) {
        ct_array a, b;
        int64_t at = tensor_of(c, from, of);
        if (ct_tensors_at(from, ct_tensors_find(from, name), &a) || ct_tensors_at(from, at, &b)) continue;
        uint64_t bytes = ct_array_count(&a) * ct_dtype_size((ct_dtype)a.dtype);
        if (a.dtype == b.dtype && ct_array_count(&a) == ct_array_count(&b) &&
            (!bytes || !memcmp(a.data, b.data, bytes)))
            continue;
        snprintf(line, sizeof line, "%.250s and %.250s", of, name);
        mention(t, &differ, "tied, but different", line);
    }
}

static ct_status set_one(ct_ctx *c, const ct_var_info *v, const ct_array *a, const char *file, ct_err *e) {
    ct_array copy;
    if (a->dtype == v->dtype) return ct_var_set(c, v->name, a, e);
    ct_status s = ct_array_new(ct_allocator_of(c), (ct_dtype)v->dtype, v->shape, &copy, e);
    if (s) return s;
    ct_err inner = {0};
    s = ct_array_copy(&copy, a, &inner);
    if (s) ct_fail(e, s, "%s: tensor \"%.200s\": %s", file, v->name, inner.text);
    if (!s) s = ct_var_set(c, v->name, &copy, e);
    ct_array_free(&copy);
    return s;
}

ct_status ct_weights_apply(ct_ctx *c, const ct_tensors *from, const char *file, int32_t kinds, int32_t extra,
                           ct_err *e) {
    ct_text t = {.allocator = ct_allocator_of(c)};
    compare(c, from, kinds, extra, &t);
    compare_ties(c, from, &t);
    ct_status s = CT_OK;
    if (t.length) s = ct_fail(e, CT_EDATA, "%s: does not fit the net: %s", file, t.data);
    if (t.failed) s = ct_fail(e, CT_ELIMIT, "%s: out of memory", file);
    ct_text_free(&t);
    for (int64_t i = 0; i < ct_var_count(c) && !s; i++) {
        ct_var_info v;
        ct_array a;
        if (ct_var_at(c, i, &v) || !wanted(&v, kinds)) continue;
        s = ct_tensors_at(from, tensor_of(c, from, v.name), &a);
        if (!s) s = set_one(c, &v, &a, file, e);
    }
    return s;
}

/* ---- states of a session ---- */

ct_status ct_states_collect(ct_session *s, ct_tensors *to, ct_err *e) {
    ct_ctx *c = ct_session_context(s);
    ct_status status = CT_OK;
    for (int64_t i = 0; i < ct_var_count(c) && !status; i++) {
        ct_var_info v;
        ct_array a;
        if (ct_var_at(c, i, &v) || v.kind != CT_STATE || ct_state_info(s, v.name, &v, NULL)) continue;
        status = ct_array_new(ct_allocator_of(c), (ct_dtype)v.dtype, v.shape, &a, e);
        if (status) return status;
        status = ct_state_get(s, v.name, &a, e);
        if (!status) status = ct_tensors_add(to, v.name, &a, e);
        ct_array_free(&a);
    }
    return status;
}

ct_status ct_states_apply(ct_session *s, const ct_tensors *from, ct_err *e) {
    ct_ctx *c = ct_session_context(s);
    ct_status status = CT_OK;
    ct_session_reset(s);
    for (int64_t i = 0; i < ct_var_count(c) && !status; i++) {
        ct_var_info v;
        ct_array a;
        if (ct_var_at(c, i, &v) || v.kind != CT_STATE) continue;
        if (!ct_tensors_at(from, ct_tensors_find(from, v.name), &a)) status = ct_state_set(s, v.name, &a, e);
    }
    return status;
}
