/* rows.c: ct_fit for data that lies in memory, one array an input: what a small program needs, and no more names. */
#include <string.h>

#include "cotan/nn.h"

/* The inputs of the loss as arrays [rows, ...] over the caller's memory. */
static ct_status view_inputs(const ct_plan *p, const void *const *data, int64_t rows, int64_t hop,
                             ct_array *array, const char **name, ct_err *e) {
    int32_t n = ct_plan_inputs(p);
    if (n < 1 || n > CT_MAX_FIELDS)
        return ct_fail(e, CT_EUSAGE, "fit: the loss has %d inputs; wanted 1 to %d; use ct_fit with a source",
                       n, CT_MAX_FIELDS);
    for (int32_t i = 0; i < n; i++) {
        ct_shape shape = ct_plan_input_shape(p, i);
        name[i] = ct_plan_input_name(p, i);
        if (!data || !data[i])
            return ct_fail(
                e, CT_EUSAGE,
                "fit: data of input \"%s\" is NULL; wanted its rows; inputs are in order of creation",
                name[i]);
        if (shape.rank < 1 || shape.dim[0] != CT_N)
            return ct_fail(e, CT_EUSAGE,
                           "fit: input \"%s\" has no rows; wanted [N, ...]; use ct_fit with a source",
                           name[i]);
        shape.dim[0] = rows;
        array[i] = ct_array_view((void *)(uintptr_t)data[i], ct_plan_input_dtype(p, i), shape);
        if (hop > 0) array[i].stride[0] = hop;
    }
    return CT_OK;
}

ct_status ct_fit_rows(ct_t loss, const void *const *data, int64_t rows, const ct_fit_options *o,
                      ct_epoch *last) {
    ct_array array[CT_MAX_FIELDS];
    const char *name[CT_MAX_FIELDS];
    ct_ctx *c = ct_context(loss);
    ct_plan *p = NULL;
    ct_source source = {0};
    ct_fit_options none = {0};
    ct_err e = {0};
    if (!c) return CT_EUSAGE;
    if (ct_error_status(c)) return ct_error_status(c);
    ct_status s =
        rows > 0 ? CT_OK
                 : ct_fail(&e, CT_EUSAGE, "fit: %lld rows; wanted 1 or more; give more", (long long)rows);
    if (!s) s = ct_plan_new(&loss, 1, NULL, 0, (ct_compile){0}, &p, &e);
    if (!s) s = view_inputs(p, data, rows, o ? o->hop : 0, array, name, &e);
    if (!s) s = ct_source_arrays(ct_allocator_of(c), array, name, ct_plan_inputs(p), &source, &e);
    if (!s) s = ct_fit(loss, (ct_t){0}, &source, o ? o : &none, last, &e);
    ct_source_close(&source);
    ct_plan_free(p);
    return s ? ct_fail(ct_error_of(c), s, "%s", e.text) : CT_OK;
}
