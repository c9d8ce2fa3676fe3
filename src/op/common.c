/* common.c: what op files share. */
#include "op/common.h"

ct_t ct__op_with(const ct__op *op, const ct_t *in, int32_t n_in, const ct__value *positional,
                 const void *options) {
    ct__call call = {.op = op, .in = in, .n_in = n_in, .positional = positional, .options = options};
    return ct__build(&call);
}

ct_t ct__op_named(const ct__op *op, const char *name, const ct_t *in, int32_t n_in,
                  const ct__value *positional, const void *options) {
    ct__call call = {.op = op,
                     .name = name ? name : "",
                     .in = in,
                     .n_in = n_in,
                     .positional = positional,
                     .options = options};
    return ct__build(&call);
}

static ct_status broadcast_all(ct__infer *f) {
    char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
    ct_shape s = f->in[0].shape;
    for (int32_t i = 1; i < f->n_in; i++)
        if (!ct__broadcast(&s, &f->in[i].shape, &s))
            return ct__infer_fail(
                f, "shapes %s and %s do not broadcast; wanted equal extents or 1; reshape one of them",
                ct_shape_format(&f->in[0].shape, a), ct_shape_format(&f->in[i].shape, b));
    f->out[0].shape = s;
    return CT_OK;
}

ct_status ct__elementwise_infer(ct__infer *f) {
    for (int32_t i = 0; i < f->n_in; i++) {
        ct_status s = ct__infer_dtype(f, i, CT_F32);
        if (s) return s;
    }
    f->out[0].dtype = CT_F32;
    return broadcast_all(f);
}

ct_status ct__compare_infer(ct__infer *f) {
    for (int32_t i = 0; i < f->n_in; i++) {
        int32_t d = f->in[i].dtype;
        if (d != CT_F32 && d != CT_BOOL && d != CT_I32 && d != CT_I64)
            return ct__infer_fail(f, "input %d is %s; wanted f32, bool, i32 or i64; cast it first", i + 1,
                                  ct_dtype_name((ct_dtype)d));
    }
    f->out[0].dtype = CT_BOOL;
    return broadcast_all(f);
}

uint64_t ct__ref_count(const ct__ref_array *a) {
    uint64_t n = 1;
    for (int32_t i = 0; i < a->shape.rank; i++) n *= (uint64_t)a->shape.dim[i];
    return n;
}

void ct__ref_strides(const ct__ref_array *a, int32_t rank, int64_t stride[CT_MAX_RANK]) {
    int64_t step = 1;
    for (int32_t k = 1; k <= rank; k++) {
        int64_t extent = k <= a->shape.rank ? a->shape.dim[a->shape.rank - k] : 1;
        stride[rank - k] = extent == 1 ? 0 : step;
        step *= extent;
    }
}

void ct__ref_elementwise(ct__ref *r, ct__ref_fn fn) {
    const ct_shape *s = &r->out[0].shape;
    int64_t stride[3][CT_MAX_RANK], index[CT_MAX_RANK] = {0}, at[3] = {0};
    uint64_t n = ct__ref_count(&r->out[0]);
    for (int32_t k = 0; k < r->n_in && k < 3; k++) ct__ref_strides(&r->in[k], s->rank, stride[k]);
    for (uint64_t i = 0; i < n; i++) {
        double v[3] = {0};
        for (int32_t k = 0; k < r->n_in && k < 3; k++) v[k] = r->in[k].v[at[k]];
        r->out[0].v[i] = fn(v[0], v[1], v[2], r->attr);
        for (int32_t d = s->rank - 1; d >= 0; d--) {
            for (int32_t k = 0; k < r->n_in && k < 3; k++) at[k] += stride[k][d];
            if (++index[d] < s->dim[d]) break;
            for (int32_t k = 0; k < r->n_in && k < 3; k++) at[k] -= stride[k][d] * s->dim[d];
            index[d] = 0;
        }
    }
}

void ct__split_axis(const ct_shape *s, int32_t axis, int64_t *outer, int64_t *extent, int64_t *inner) {
    *outer = *inner = 1;
    *extent = s->dim[axis];
    for (int32_t i = 0; i < axis; i++) *outer *= s->dim[i];
    for (int32_t i = axis + 1; i < s->rank; i++) *inner *= s->dim[i];
}

int64_t ct__count(const ct_shape *s) {
    int64_t n = 1;
    for (int32_t i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

void *ct__lower_data(ct__lower *l, size_t bytes) {
    void *p = ct_arena_new(l->arena, bytes);
    if (!p) ct_fail(l->e, CT_ELIMIT, "%s \"%s\": out of memory", l->op->name, l->name);
    return p;
}
