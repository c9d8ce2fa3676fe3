/* average.c: weights as a model holds them. Where a training keeps a moving average of a parameter, the moment
 * "ema.NAME", the average stands under the parameter's own name: a reader need not know. */
#include <stdio.h>
#include <string.h>

#include "cotan/model.h"

static ct_status add_one(ct_ctx *c, const char *from, const ct_var_info *v, ct_tensors *to, ct_err *e) {
    ct_array a;
    ct_status s = ct_array_new(ct_allocator_of(c), (ct_dtype)v->dtype, v->shape, &a, e);
    if (s) return s;
    s = ct_var_get(c, from, &a, e);
    if (!s) s = ct_tensors_add(to, v->name, &a, e);
    ct_array_free(&a);
    return s;
}

ct_status ct_weights_model(ct_ctx *c, ct_tensors *to, ct_err *e) {
    ct_status s = CT_OK;
    ct_var_info v, average;
    for (int64_t i = 0; i < ct_var_count(c) && !s; i++) {
        char name[1100];
        if (ct_var_at(c, i, &v) || (v.kind != CT_PARAM && v.kind != CT_BUFFER)) continue;
        snprintf(name, sizeof name, "ema.%s", v.name);
        int kept = v.kind == CT_PARAM && ct_var_find(c, name, &average) == CT_OK && average.kind == CT_MOMENT;
        s = add_one(c, kept ? name : v.name, &v, to, e);
    }
    return s;
}
