/* Elements picked, and added, by an index along one axis (torch.gather and scatter_add).
 *
 *     gather(x, index, axis): y[i,j,k] = x[i, index[i,j,k], k]                      (axis 1 of 3)
 *     scatter_add(x, index, source, axis): y = x, then y[i, index[i,j,k], k] += source[i,j,k]
 *     d gather: dx = scatter_add(zeros, index, dy)
 *     d scatter_add: dx = dy, dsource = gather(dy, index), zeros where source is larger than index
 *
 * index (i64 or i32) has as many axes as x; on axes other than `axis` its extents are at most those of x, on
 * all axes at most those of source; y of gather has its shape. N must be on the same axis of all. Additions
 * go in row-major order of index. An index out of range is an error of the data at run time. */
#include "op/index.h"
#include "op/strided.h"

static const ct__attr attrs[] = {POS_INT(axis, CT__NODEF, -CT_MAX_RANK, CT_MAX_RANK - 1,
                                         "the axis that index runs along; negative from the end"),
                                 {0}};

/* a may not be larger than b; N only beside an equal N */
static int within(int64_t a, int64_t b) { return a == b || (a >= 0 && b >= 0 && a <= b); }

static ct_status index_infer(ct__infer *f, int32_t *axis) {
    const ct_shape *x = &f->in[0].shape, *index = &f->in[1].shape;
    char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
    *axis = ct__axis(f->attr[0].i, x->rank);
    if (ct__infer_index(f, 1)) return CT_EUSAGE;
    if (*axis < 0)
        return ct__infer_fail(f, "axis is %lld, x is %s; wanted %d to %d", (long long)f->attr[0].i,
                              ct_shape_format(x, a), -x->rank, x->rank - 1);
    int fits = x->rank == index->rank;
    for (int32_t i = 0; fits && i < x->rank; i++) fits = i == *axis || within(index->dim[i], x->dim[i]);
    if (!fits)
        return ct__infer_fail(
            f, "x is %s, index %s; wanted as many axes, and extents of at most x's but on axis %d",
            ct_shape_format(x, a), ct_shape_format(index, b), *axis);
    return CT_OK;
}

static ct_status gather_infer(ct__infer *f) {
    int32_t axis;
    if (index_infer(f, &axis)) return CT_EUSAGE;
    f->out[0].shape = f->in[1].shape;
    return CT_OK;
}

static ct_status scatter_infer(ct__infer *f) {
    const ct_shape *index = &f->in[1].shape, *source = &f->in[2].shape;
    char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
    int32_t axis;
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_dtype(f, 2, CT_F32) || index_infer(f, &axis))
        return CT_EUSAGE;
    int fits = source->rank == index->rank;
    for (int32_t i = 0; fits && i < index->rank; i++) fits = within(index->dim[i], source->dim[i]);
    if (!fits)
        return ct__infer_fail(
            f, "index is %s, source %s; wanted as many axes, and extents of index of at most those of source",
            ct_shape_format(index, a), ct_shape_format(source, b));
    f->out[0].shape = f->in[0].shape;
    return CT_OK;
}

static void gather_grad(ct__grad *g) {
    if (g->need[0])
        g->din[0] = ct_scatter_add(ct_expand(ct_number(g->graph, 0), ct_shape_of(g->in[0])), g->in[1],
                                   g->dout[0], g->attr[0].i);
}

extern const ct__op ct__op_pad;
static void scatter_grad(ct__grad *g) {
    ct_shape index = ct_shape_of(g->in[1]), source = ct_shape_of(g->in[2]);
    ct__ints pads = {0};
    if (g->need[0]) g->din[0] = g->dout[0];
    if (!g->need[2]) return;
    g->din[2] = ct_gather(g->dout[0], g->in[1], g->attr[0].i);
    pads.count = 2 * index.rank;
    for (int32_t i = 0; i < index.rank; i++)
        pads.v[2 * (index.rank - 1 - i) + 1] = source.dim[i] - index.dim[i];
    if (!ct_shape_equal(&index, &source))
        g->din[2] = ct__make(&ct__op_pad, &g->din[2], 1, (ct__value[]){{.f = 0}, {.list = &pads}});
}

/* Rows stay rows where N is on another axis than the index runs along, and on the same one of all operands. */
static int batch(ct__batch *b) {
    int32_t n = ct__batch_axis(&b->in[1].shape);
    if (n < 0 || n == ct__axis(b->attr[0].i, b->in[1].shape.rank)) return 0;
    for (int32_t i = 0; i < b->n_in; i++)
        if (b->in_place[i] != CT__SHARD || ct__batch_axis(&b->in[i].shape) != n) return 0;
    b->out_place[0] = CT__SHARD;
    return 1;
}

/* Walks the index: for each of its rows (all axes but the last) the place in x and in source. */
typedef struct walk {
    ct__ids ids;
    int32_t rank, axis, size, reserved;
    int64_t dim[CT_MAX_RANK], x[CT_MAX_RANK],
        source[CT_MAX_RANK]; /* index extents; strides, x's 0 on `axis` */
    int64_t extent, stride;  /* of x on `axis` */
    int64_t count;           /* of x */
} walk;

static ct_status lower(ct__lower *l, const ct_shape *x, const ct_shape *source, ct__kernel run) {
    walk *d = CT__DATA(l, walk);
    if (!d) return CT_ELIMIT;
    d->ids = ct__ids_of(l, 1);
    d->rank = x->rank;
    d->axis = ct__axis(l->attr[0].i, x->rank);
    d->size = (int32_t)ct_dtype_size((ct_dtype)l->in[0].dtype);
    memcpy(d->dim, l->in[1].shape.dim, sizeof d->dim);
    ct__strides(x, d->x);
    ct__strides(source, d->source);
    d->extent = x->dim[d->axis];
    d->stride = d->x[d->axis];
    d->x[d->axis] = 0;
    d->count = ct__count(x);
    l->run = run;
    l->data = d;
    l->impl = "loops";
    return CT_OK;
}

/* The next row of the index: 0 when there is none. */
static int next_row(const walk *d, int64_t index[CT_MAX_RANK], int64_t *x, int64_t *source) {
    for (int32_t k = d->rank - 2; k >= 0; k--) {
        *x += d->x[k];
        *source += d->source[k];
        if (++index[k] < d->dim[k]) return 1;
        *x -= d->x[k] * d->dim[k];
        *source -= d->source[k] * d->dim[k];
        index[k] = 0;
    }
    return 0;
}

static void move(const walk *d, void *y, int64_t to, const void *x, int64_t from) {
    if (d->size == 4)
        ((uint32_t *)y)[to] = ((const uint32_t *)x)[from];
    else if (d->size == 8)
        ((uint64_t *)y)[to] = ((const uint64_t *)x)[from];
    else
        memcpy((char *)y + to * d->size, (const char *)x + from * d->size, (size_t)d->size);
}

static ct_status gather_run(const void *data, void *const *arg, const ct__exec *e) {
    const walk *d = data;
    int64_t index[CT_MAX_RANK] = {0}, x = 0, y = 0, n = d->dim[d->rank - 1], step = d->x[d->rank - 1];
    if (d->ids.count == 0) return CT_OK;
    for (int64_t at = 0, more = 1; more; at += n) {
        for (int64_t k = 0; k < n; k++) {
            int64_t id = ct__id(&d->ids, arg[1], at + k);
            if (id < 0 || id >= d->extent) return ct__id_fail(&d->ids, e, at + k, id, d->extent);
            move(d, arg[2], at + k, arg[0], x + k * step + id * d->stride);
        }
        more = next_row(d, index, &x, &y);
    }
    return CT_OK;
}

static ct_status scatter_run(const void *data, void *const *arg, const ct__exec *e) {
    const walk *d = data;
    const float *source = arg[2];
    float *out = arg[3];
    int64_t index[CT_MAX_RANK] = {0}, x = 0, s = 0, n = d->dim[d->rank - 1], step = d->x[d->rank - 1];
    if (out != arg[0]) memcpy(out, arg[0], (size_t)d->count * sizeof *out);
    if (d->ids.count == 0) return CT_OK;
    for (int64_t at = 0, more = 1; more; at += n) {
        for (int64_t k = 0; k < n; k++) {
            int64_t id = ct__id(&d->ids, arg[1], at + k);
            if (id < 0 || id >= d->extent) return ct__id_fail(&d->ids, e, at + k, id, d->extent);
            out[x + k * step + id * d->stride] += source[s + k];
        }
        more = next_row(d, index, &x, &s);
    }
    return CT_OK;
}

static ct_status gather_lower(ct__lower *l) { return lower(l, &l->in[0].shape, &l->in[1].shape, gather_run); }
static ct_status scatter_lower(ct__lower *l) {
    return lower(l, &l->in[0].shape, &l->in[2].shape, scatter_run);
}

/* Place of element i of the index in an array of shape s, with `id` on `axis` (axis -1: nowhere replaced). */
static int64_t place(const ct_shape *index, uint64_t i, const ct_shape *s, int32_t axis, int64_t id) {
    int64_t rest = (int64_t)i, at = 0, step = 1;
    for (int32_t k = s->rank - 1; k >= 0; k--) {
        at += (k == axis ? id : rest % index->dim[k]) * step;
        rest /= index->dim[k];
        step *= s->dim[k];
    }
    return at;
}
static void gather_ref(ct__ref *r) {
    int32_t axis = ct__axis(r->attr[0].i, r->in[0].shape.rank);
    for (uint64_t i = 0, n = ct__ref_count(&r->in[1]); i < n; i++)
        r->out[0].v[i] = r->in[0].v[place(&r->in[1].shape, i, &r->in[0].shape, axis, (int64_t)r->in[1].v[i])];
}
static void scatter_ref(ct__ref *r) {
    int32_t axis = ct__axis(r->attr[0].i, r->in[0].shape.rank);
    for (uint64_t i = 0, n = ct__ref_count(&r->in[0]); i < n; i++) r->out[0].v[i] = r->in[0].v[i];
    for (uint64_t i = 0, n = ct__ref_count(&r->in[1]); i < n; i++)
        r->out[0].v[place(&r->in[1].shape, i, &r->in[0].shape, axis, (int64_t)r->in[1].v[i])] +=
            r->in[2].v[place(&r->in[1].shape, i, &r->in[2].shape, -1, 0)];
}

static const ct__case gather_cases[] = {
    {.text = "x=f32[3,5]; i=i64<5>[3,4]; gather(x, i, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[5,3]; i=i64<5>[7,3]; gather(x, i, 0)"},
    {.text = "x=f32[5,3]; i=i32<5>[1,2]; gather(x, i, 0)"},
    {.text = "x=f32[9]; i=i64<9>[17]; gather(x, i, 0)"},
    {.text = "x=f32[N,10]; i=i64<10>[N,1]; gather(x, i, 1)"},
    {.text = "x=f32[N,10]; i=i32<10>[N,1]; squeeze(gather(x, i, -1), 1)"},
    {.text = "x=f32[N,4,8]; i=i64<4>[N,16,8]; gather(x, i, 1)"},
    {.text = "x=f32[N,4,8]; i=i64<4>[N,2,7]; gather(x, i, 1)"},
    {.text = "x=f32[N,4,8]; i=i64<8>[N,3,15]; gather(x, i, 2)"},
    {.text = "x=f32[N,4,3]; i=i64<4>[N,2,3]; gather(transpose(x, 0, 1), transpose(i, 0, 1), 0)"},
    {.text = "x=f32[N,3]; i=i64<1>[N,3]; gather(x, i, 0)"},
    {.text = "x=f32[3,5]; i=i64<5>[3,0]; gather(x, i, 1)"},
    {.text = "x=i64<7>[N,5]; i=i64<5>[N,3]; gather(x, i, 1)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=i32<7>[5]; i=i64<5>[3]; gather(x, i, 0)", .flags = CT__CASE_NO_GRAD},
    {.text = "x=f32[3,5]; i=i64<5>[4,4]; gather(x, i, 1)",
     .error = "x is [3,5], index [4,4]; wanted as many axes"},
    {.text = "x=f32[3,5]; i=i64<5>[3]; gather(x, i, 1)", .error = "wanted as many axes"},
    {.text = "x=f32[N,5]; i=i64<5>[3,5]; gather(x, i, 1)", .error = "x is [N,5], index [3,5]"},
    {.text = "x=f32[3,5]; i=f32[3,5]; gather(x, i, 1)", .error = "input 2 is f32; wanted i64 or i32"},
    {.text = "x=f32[3,5]; i=i64<5>[3,5]; gather(x, i, 2)", .error = "axis is 2, x is [3,5]; wanted -2 to 1"},
    {0},
};
static const ct__case scatter_cases[] = {
    {.text = "x=f32[3,5]; i=i64<5>[3,4]; s=f32[3,4]; scatter_add(x, i, s, 1)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[5,3]; i=i64<5>[9,3]; s=f32[9,3]; scatter_add(x, i, s, 0)"},
    {.text = "x=f32[5,3]; i=i32<5>[7,2]; s=f32[8,3]; scatter_add(x, i, s, 0)"},
    {.text = "x=f32[9]; i=i64<9>[17]; s=f32[17]; scatter_add(x, i, s, 0)"},
    {.text = "x=f32[N,6]; i=i64<6>[N,15]; s=f32[N,16]; scatter_add(x, i, s, -1)"},
    {.text = "x=f32[N,4,8]; i=i64<4>[N,7,8]; s=f32[N,7,8]; scatter_add(x, i, s, 1)"},
    {.text = "x=f32[4]; i=i64<4>[N]; s=f32[N]; scatter_add(x, i, s, 0)"},
    {.text = "x=f32[3,5]; i=i64<5>[0,4]; s=f32[3,4]; scatter_add(x, i, s, 1)"},
    {.text = "x=f32[3,5]; i=i64<5>[3,4]; s=f32[3,3]; scatter_add(x, i, s, 1)",
     .error = "index is [3,4], source [3,3]"},
    {.text = "x=i64<5>[3]; i=i64<3>[3]; s=f32[3]; scatter_add(x, i, s, 0)",
     .error = "input 1 is i64; wanted f32"},
    {0},
};

/* The planner's own op that puts shards together is called gather_shards; its record has the shorter symbol. */
const ct__op ct__op_gather_along = {
    .name = "gather",
    .summary = "elements picked by an index along one axis",
    .attrs = attrs,
    .inputs_min = 2,
    .inputs_max = 2,
    .infer = gather_infer,
    .grad = gather_grad,
    .batch = batch,
    .lower = gather_lower,
    .ref = gather_ref,
    .cases = gather_cases,
};
const ct__op ct__op_scatter_add = {
    .name = "scatter_add",
    .summary = "elements added by an index along one axis",
    .attrs = attrs,
    .inputs_min = 3,
    .inputs_max = 3,
    .flags = CT__OP_INPLACE,
    .infer = scatter_infer,
    .grad = scatter_grad,
    .batch = batch,
    .lower = scatter_lower,
    .ref = scatter_ref,
    .cases = scatter_cases,
};

/* y[.., j, ..] = x[.., index[.., j, ..], ..] along `axis`; y has the shape of index (torch.gather). */
ct_t ct_gather(ct_t x, ct_t index, int64_t axis) {
    ct_t in[2] = {x, index};
    return ct__op_with(&ct__op_gather_along, in, 2, (ct__value[]){{.i = axis}}, NULL);
}
/* x with source[.., j, ..] added at index[.., j, ..] of `axis` (torch.scatter_add). */
ct_t ct_scatter_add(ct_t x, ct_t index, ct_t source, int64_t axis) {
    ct_t in[3] = {x, index, source};
    return ct__op_with(&ct__op_scatter_add, in, 3, (ct__value[]){{.i = axis}}, NULL);
}
