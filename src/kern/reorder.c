/* reorder.c: weights of convolutions between orders. */
#include <string.h>

#include "kern/onednn.h"

struct ct__reorder {
    ct_allocator allocator;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t from, to, scratch;
    uint64_t scratch_bytes;
    char impl[64];
};

ct_status ct__reorder_weight(const ct_allocator *a, const ct__conv_shape *shape,
                             const ct__weight_layout *from, const ct__weight_layout *to, ct__reorder **out,
                             ct_err *e) {
    ct_status status = ct__onednn_reserve(e);
    if (status) return status;
    ct__reorder *r = ct_new(a, sizeof *r);
    if (!r) return ct_fail(e, CT_ELIMIT, "convolution: out of memory");
    if (a) r->allocator = *a;
    ct__weight_desc(shape, from, &r->from);
    ct__weight_desc(shape, to, &r->to);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    const char *name = "";
    dnnl_status_t s = dnnl_engine_create(&r->engine, dnnl_cpu, 0);
    if (s == dnnl_success) s = dnnl_stream_create(&r->stream, r->engine, dnnl_stream_default_flags);
    if (s == dnnl_success) s = dnnl_primitive_attr_create(&attr);
    if (s == dnnl_success) s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (s == dnnl_success)
        s = dnnl_reorder_primitive_desc_create(&pd, &r->from, r->engine, &r->to, r->engine, attr);
    if (s == dnnl_success) s = dnnl_primitive_create(&r->primitive, pd);
    if (s == dnnl_success) {
        r->scratch = *dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        r->scratch_bytes = dnnl_memory_desc_get_size(&r->scratch);
        dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
        strncpy(r->impl, ct__onednn_is_ref(name) ? "reorder:any" : name,
                sizeof r->impl - 1); /* a copy of few elements in plain loops is what is wanted */
    }
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (attr) dnnl_primitive_attr_destroy(attr);
    if (s != dnnl_success) {
        ct__reorder_free(r);
        return ct__onednn_fail(e, s, "reorder of the weight", shape);
    }
    *out = r;
    return CT_OK;
}

void ct__reorder_free(ct__reorder *r) {
    if (!r) return;
    if (r->primitive) dnnl_primitive_destroy(r->primitive);
    if (r->stream) dnnl_stream_destroy(r->stream);
    if (r->engine) dnnl_engine_destroy(r->engine);
    ct_allocator a = r->allocator;
    ct_delete(&a, r, sizeof *r);
}

const char *ct__reorder_impl(const ct__reorder *r) { return r->impl; }
uint64_t ct__reorder_scratch(const ct__reorder *r) { return r->scratch_bytes + 64; }

ct_status ct__reorder_run(const ct__reorder *r, const void *from, void *to, void *scratch) {
    dnnl_exec_arg_t arg[3] = {{DNNL_ARG_FROM, NULL}, {DNNL_ARG_TO, NULL}, {DNNL_ARG_SCRATCHPAD, NULL}};
    const dnnl_memory_desc_t *desc[3] = {&r->from, &r->to, &r->scratch};
    void *data[3] = {(void *)(uintptr_t)from, to, scratch};
    int count = r->scratch_bytes ? 3 : 2, made = 0;
    dnnl_status_t s = dnnl_success;
    for (; made < count && s == dnnl_success; made++)
        s = dnnl_memory_create(&arg[made].memory, desc[made], r->engine, data[made]);
    if (s == dnnl_success) s = dnnl_primitive_execute(r->primitive, r->stream, count, arg);
    for (int i = 0; i < made; i++)
        if (arg[i].memory) dnnl_memory_destroy(arg[i].memory);
    return s == dnnl_success ? CT_OK : s == dnnl_out_of_memory ? CT_ELIMIT : CT_EINTERNAL;
}
