/* index.h: ids and indices as operands: i64 or i32, checked against their range where they are used. */
#ifndef CT_OP_INDEX_H
#define CT_OP_INDEX_H

#include "op/common.h"

typedef struct ct__ids {
    int64_t count;      /* ids of one task */
    int64_t row;        /* ids of one row of axis 0 */
    int64_t per_sample; /* rows of axis 0 that a sample of the batch has; 0: axis 0 does not hold N */
    int32_t wide;       /* 1: i64 */
    int32_t reserved;
    const char *op, *name;
} ct__ids;

static inline ct_status ct__infer_index(const ct__infer *f, int32_t input) {
    int32_t d = f->in[input].dtype;
    if (d == CT_I64 || d == CT_I32) return CT_OK;
    return ct__infer_fail(f, "input %d is %s; wanted i64 or i32; cast it first", input + 1,
                          ct_dtype_name((ct_dtype)d));
}

static inline ct__ids ct__ids_of(const ct__lower *l, int32_t input) {
    const ct_shape *s = &l->in[input].shape, *n = &l->symbolic[input].shape;
    ct__ids d = {.count = ct__count(s),
                 .row = 1,
                 .wide = l->in[input].dtype == CT_I64,
                 .op = l->op->name,
                 .name = l->name};
    for (int32_t i = 1; i < s->rank; i++) d.row *= s->dim[i];
    if (s->rank && n->dim[0] < 0) d.per_sample = -n->dim[0];
    return d;
}

static inline int64_t ct__id(const ct__ids *d, const void *ids, int64_t i) {
    return d->wide ? ((const int64_t *)ids)[i] : ((const int32_t *)ids)[i];
}

/* Id number i of the task is out of 0..extent-1. */
static inline ct_status ct__id_fail(const ct__ids *d, const ct__exec *x, int64_t i, int64_t id,
                                    int64_t extent) {
    const char *quote = d->name && d->name[0] ? "\"" : "";
    return ct_fail(
        x->e, CT_EDATA,
        "%s%s%s%s%s: sample %lld has id %lld at position %lld; wanted 0..%lld; fix the data or the extent",
        d->op, quote[0] ? " " : "", quote, quote[0] ? d->name : "", quote,
        (long long)(x->row0 * d->per_sample + i / d->row), (long long)id, (long long)(i % d->row),
        (long long)(extent - 1));
}

#endif
