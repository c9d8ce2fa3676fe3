/* variables.c: variables from outside: always plain order, whatever the home is. */
#include <string.h>

#include "op/common.h"
#include "op/relayout.h"
#include "plan/plan.h"

static ct_status find(ct_ctx *c, const char *name, const ct_array *a, ct__var **out, ct_err *e) {
    char have[CT_SHAPE_TEXT], want[CT_SHAPE_TEXT];
    ct__var *v = ct__var_lookup(c, name);
    if (!v) return ct_fail(e, CT_EUSAGE, "variable \"%.200s\": there is none of that name", name);
    if (!v->data)
        return ct_fail(e, CT_EUSAGE,
                       "variable \"%.200s\": is a state; wanted a variable of the context; use ct_state_get "
                       "and ct_state_set",
                       name);
    ct_shape s = ct_shape_make(a->rank, a->dim);
    if (a->dtype != v->dtype || !ct_shape_equal(&s, &v->shape))
        return ct_fail(e, CT_EDATA, "variable \"%s\": given %s %s; wanted %s %s", v->name,
                       ct_dtype_name((ct_dtype)a->dtype), ct_shape_format(&s, have),
                       ct_dtype_name((ct_dtype)v->dtype), ct_shape_format(&v->shape, want));
    *out = v;
    return CT_OK;
}

/* Between the home order and a plain temporary array. */
static ct_status exchange(ct_ctx *c, ct__var *v, void *plain_data, int to_home, ct_err *e) {
    static const ct__layout plain = {.kind = CT__PLAIN};
    ct__type type = {v->dtype, 0, v->shape};
    uint64_t bytes = v->count * ct_dtype_size((ct_dtype)v->dtype);
    if (v->home.kind == CT__PLAIN) {
        memcpy(to_home ? v->data : plain_data, to_home ? plain_data : v->data, bytes);
        return CT_OK;
    }
    if (to_home) return ct__relayout_now(c, &type, &plain, &v->home, plain_data, v->data, e);
    return ct__relayout_now(c, &type, &v->home, &plain, v->data, plain_data, e);
}

static ct_status through_plain(ct_ctx *c, ct__var *v, ct_array *to, const ct_array *from, ct_err *e) {
    ct_array plain;
    ct_status s = ct_array_new(&c->allocator, (ct_dtype)v->dtype, v->shape, &plain, e);
    if (s) return s;
    if (from) {
        s = ct_array_copy(&plain, from, e);
        if (!s) s = exchange(c, v, plain.data, 1, e);
        if (!s) v->version++;
    } else {
        s = exchange(c, v, plain.data, 0, e);
        if (!s) s = ct_array_copy(to, &plain, e);
    }
    ct_array_free(&plain);
    return s;
}

ct_status ct_var_get(ct_ctx *c, const char *name, ct_array *out, ct_err *e) {
    ct__var *v;
    ct_status s = find(c, name, out, &v, e);
    return s ? s : through_plain(c, v, out, NULL, e);
}

ct_status ct_var_set(ct_ctx *c, const char *name, const ct_array *from, ct_err *e) {
    ct__var *v;
    ct_status s = find(c, name, from, &v, e);
    return s ? s : through_plain(c, v, NULL, from, e);
}

void ct_var_init_all(ct_ctx *c, uint64_t seed) {
    for (int32_t i = 0; i < c->vars; i++) {
        ct__var *v = c->var[i];
        ct_array plain;
        if (!v->data || v->dtype != CT_F32) continue;
        if (ct_array_new(&c->allocator, CT_F32, v->shape, &plain, &c->error)) return;
        ct__var_draw(v, seed, plain.data);
        if (!exchange(c, v, plain.data, 1, &c->error)) v->version++;
        ct_array_free(&plain);
    }
}
