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

#define ROOM 180 /* bytes of a list: four fit into an error's text */

typedef struct list { /* of names that do not fit */
    const char *kind;
    ct_text text;
    int64_t count, left_out;
} list;

static void mention(list *l, const char *name) {
    l->count++;
    if (l->text.length > ROOM) {
        l->left_out++;
        return;
    }
    ct_text_format(&l->text, "%s%.200s", l->text.length ? ", " : "", name);
}

enum { MISSING, SUPERFLUOUS, MISSHAPED, DIFFERENT, LISTS };

static void compare(ct_ctx *c, const ct_tensors *from, int32_t kinds, int32_t extra, list l[LISTS]) {
    ct_var_info v;
    ct_array a;
    char have[CT_SHAPE_TEXT], want[CT_SHAPE_TEXT], line[600];
    for (int64_t i = 0; i < ct_var_count(c); i++)
        if (!ct_var_at(c, i, &v) && wanted(&v, kinds) && tensor_of(c, from, v.name) < 0)
            mention(&l[MISSING], v.name);
    for (int64_t i = 0; i < ct_tensors_count(from); i++) {
        const char *name = ct_tensors_name(from, i);
        if (!variable_of(c, name, &v) || !wanted(&v, kinds)) {
            if (!extra) mention(&l[SUPERFLUOUS], name);
            continue;
        }
        if (ct_tensors_at(from, i, &a)) continue;
        ct_shape s = ct_shape_make(a.rank, a.dim);
        if (ct_shape_equal(&s, &v.shape)) continue;
        snprintf(line, sizeof line, "%.150s %s for %s", name, ct_shape_format(&s, have),
                 ct_shape_format(&v.shape, want));
        mention(&l[MISSHAPED], line);
    }
}

/* Names of one parameter must hold one value. */
static void compare_ties(ct_ctx *c, const ct_tensors *from, list *l) {
    const char *name, *of;
    char line[600];
    for (int64_t i = 0; !ct_alias_at(c, i, &name, &of); i++) {
        ct_array a, b;
        int64_t at = tensor_of(c, from, of);
        if (ct_tensors_at(from, ct_tensors_find(from, name), &a) || ct_tensors_at(from, at, &b)) continue;
        uint64_t bytes = ct_array_count(&a) * ct_dtype_size((ct_dtype)a.dtype);
        int same = a.dtype == b.dtype && ct_array_count(&a) == ct_array_count(&b);
        if (same && (!bytes || !memcmp(a.data, b.data, bytes))) continue;
        snprintf(line, sizeof line, "%.90s and %.90s", of, name);
        mention(l, line);
    }
}

static ct_status describe(const list l[LISTS], const char *file, ct_err *e) {
    ct_text t = {0};
    ct_status s = CT_OK;
    for (int i = 0; i < LISTS; i++) {
        if (l[i].text.failed) t.failed = 1;
        if (!l[i].count) continue;
        ct_text_format(&t, "%s%lld %s: %s", t.length ? ", and " : "", (long long)l[i].count, l[i].kind,
                       l[i].text.data ? l[i].text.data : "");
        if (l[i].left_out) ct_text_format(&t, " and %lld more", (long long)l[i].left_out);
    }
    if (t.failed)
        s = ct_fail_at(e, CT_ELIMIT, file, -1, "out of memory");
    else if (t.length)
        s = ct_fail_at(e, CT_EDATA, file, -1,
                       "does not fit the net (%s); wanted the net's names and shapes; give the "
                       "weights of this net",
                       t.data);
    ct_text_free(&t);
    return s;
}

/* CT_EDATA, listing all that is missing, superfluous or misshaped. */
static ct_status check(ct_ctx *c, const ct_tensors *from, const char *file, int32_t kinds, int32_t extra,
                       ct_err *e) {
    const ct_allocator *a = ct_allocator_of(c);
    list l[LISTS] = {{.kind = "missing", .text = {.allocator = a}},
                     {.kind = "superfluous", .text = {.allocator = a}},
                     {.kind = "of another shape", .text = {.allocator = a}},
                     {.kind = "tied but different", .text = {.allocator = a}}};
    compare(c, from, kinds, extra, l);
    compare_ties(c, from, &l[DIFFERENT]);
    ct_status s = describe(l, file, e);
    for (int i = 0; i < LISTS; i++) ct_text_free(&l[i].text);
    return s;
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
    ct_status s = check(c, from, file, kinds, extra, e);
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
