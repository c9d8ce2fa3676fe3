/* Sums and means over axes.
 *
 *     sum(x, axes), mean(x, axes): over the axes given (none: all); keep=1 leaves them with extent 1
 *     dx = dy expanded;  dx = dy / count expanded
 *
 * Over the batch axis both are partial sums of the shards: a mean divides by the whole batch's count. Numbers
 * are added in double, in a fixed order. */
#include "op/reduce.h"

static const ct__attr attrs[] = {OPT_INT(ct_reduce, keep, 0, 0, 1, "1: reduced axes stay, with extent 1"),
                                 POS_LIST(axes, "axes, negative from the end; none: all"),
                                 {0}};
static const ct__attr scale_attrs[] = {POS_LIST(extents, "of the reduced axes, -k for k N"), {0}};
enum { KEEP = CT__KEEP };

int ct__reduce_marks(const ct__ints *axes, int32_t rank, uint8_t out[CT_MAX_RANK]) {
    memset(out, axes && axes->count ? 0 : 1, CT_MAX_RANK);
    for (int32_t i = 0; axes && i < axes->count; i++) {
        int32_t a = ct__axis(axes->v[i], rank);
        if (a < 0 || out[a]) return 0;
        out[a] = 1;
    }
    return 1;
}

ct_status ct__reduce_infer(ct__infer *f) {
    uint8_t reduced[CT_MAX_RANK];
    char text[CT_SHAPE_TEXT];
    const ct_shape *s = &f->in[0].shape;
    if (ct__infer_dtype(f, 0, CT_F32)) return CT_EUSAGE;
    if (!ct__reduce_axes(f->attr, s->rank, reduced))
        return ct__infer_fail(f,
                              "an axis is out of range or given twice for x %s; wanted -%d to %d, each once",
                              ct_shape_format(s, text), s->rank, s->rank - 1);
    ct_shape out = {{0}, 0, 0};
    for (int32_t i = 0; i < s->rank; i++) {
        if (!reduced[i])
            out.dim[out.rank++] = s->dim[i];
        else if (f->attr[KEEP].i)
            out.dim[out.rank++] = 1;
    }
    f->out[0].shape = out;
    return CT_OK;
}

/* dy with its reduced axes back as 1, then expanded. */
static ct_t spread(ct__grad *g, ct_t dy) {
    uint8_t reduced[CT_MAX_RANK];
    ct_shape x = ct_shape_of(g->in[0]), kept = x;
    ct__reduce_axes(g->attr, x.rank, reduced);
    for (int32_t i = 0; i < x.rank; i++)
        if (reduced[i]) kept.dim[i] = 1;
    return ct_expand(g->attr[KEEP].i ? dy : ct_reshape(dy, kept), x);
}

static void sum_grad(ct__grad *g) { g->din[0] = spread(g, g->dout[0]); }

extern const ct__op ct__op_mean_scale;
static void mean_grad(ct__grad *g) {
    uint8_t reduced[CT_MAX_RANK];
    ct_shape x = ct_shape_of(g->in[0]);
    ct__ints extents = {{0}, 0, 0};
    ct__reduce_axes(g->attr, x.rank, reduced);
    for (int32_t i = 0; i < x.rank; i++)
        if (reduced[i]) extents.v[extents.count++] = x.dim[i];
    g->din[0] = spread(g, ct__make(&ct__op_mean_scale, &g->dout[0], 1, (ct__value[]){{.list = &extents}}));
}
static void scale_grad(ct__grad *g) { g->din[0] = ct__make(&ct__op_mean_scale, &g->dout[0], 1, g->attr); }

static ct_status mean_infer(ct__infer *f) {
    uint8_t reduced[CT_MAX_RANK];
    char text[CT_SHAPE_TEXT];
    const ct_shape *s = &f->in[0].shape;
    if (ct__reduce_infer(f)) return CT_EUSAGE;
    ct__reduce_axes(f->attr, s->rank, reduced);
    for (int32_t i = 0; i < s->rank; i++)
        if (reduced[i] && s->dim[i] == 0 && ct__count(&f->out[0].shape) != 0)
            return ct__infer_fail(f, "axis %d of x %s is empty; wanted at least one number for each result",
                                  i, ct_shape_format(s, text));
    return CT_OK;
}

static int batch(ct__batch *b) {
    uint8_t reduced[CT_MAX_RANK];
    int32_t axis = ct__batch_axis(&b->in[0].shape);
    ct__reduce_axes(b->attr, b->in[0].shape.rank, reduced);
    if (axis < 0 || !reduced[axis]) return ct__batch_rows(b);
    b->out_place[0] = CT__PARTIAL;
    return 1;
}

/* ---- kernel: axes of one kind side by side are one ---- */
typedef struct reduce_data {
    int64_t extent[CT_MAX_RANK], x_stride[CT_MAX_RANK], y_stride[CT_MAX_RANK], count;
    double scale;
    int32_t levels, last_reduced;
} reduce_data;

static double line_sum(const float *x, int64_t n) {
    double lane[8] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) lane[k] += (double)x[i + k];
    for (; i < n; i++) lane[i % 8] += (double)x[i];
    for (int k = 0; k < 8; k++) sum += lane[k];
    return sum;
}

static void add_level(const reduce_data *d, int32_t level, const float *x, double *y) {
    int64_t n = d->extent[level];
    if (level < d->levels - 1) {
        for (int64_t i = 0; i < n; i++)
            add_level(d, level + 1, x + i * d->x_stride[level], y + i * d->y_stride[level]);
    } else if (d->last_reduced) {
        *y += line_sum(x, n);
    } else {
        for (int64_t i = 0; i < n; i++) y[i] += (double)x[i];
    }
}

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const reduce_data *d = data;
    double *sum = x->scratch;
    float *y = arg[1];
    memset(sum, 0, (size_t)d->count * sizeof *sum);
    add_level(d, 0, arg[0], sum);
    for (int64_t i = 0; i < d->count; i++) y[i] = (float)(sum[i] * d->scale);
    return CT_OK;
}

static void merge_axes(reduce_data *d, const ct_shape *s, const uint8_t *reduced) {
    int64_t x_stride = 1, y_stride = 1;
    uint8_t kind[CT_MAX_RANK] = {0};
    int32_t n = 0;
    for (int32_t i = s->rank - 1; i >= 0; i--) { /* from the innermost */
        if (n && kind[n - 1] == reduced[i]) {
            d->extent[n - 1] *= s->dim[i];
        } else {
            d->extent[n] = s->dim[i];
            d->x_stride[n] = x_stride;
            d->y_stride[n] = reduced[i] ? 0 : y_stride;
            kind[n++] = reduced[i];
        }
        x_stride *= s->dim[i];
        if (!reduced[i]) y_stride *= s->dim[i];
    }
    if (n == 0) d->extent[n++] = 1;
    d->last_reduced = kind[0];
    d->levels = n;
    for (int32_t i = 0; i < n / 2; i++) {
        int64_t e = d->extent[i], xs = d->x_stride[i], ys = d->y_stride[i];
        d->extent[i] = d->extent[n - 1 - i];
        d->x_stride[i] = d->x_stride[n - 1 - i];
        d->y_stride[i] = d->y_stride[n - 1 - i];
        d->extent[n - 1 - i] = e;
        d->x_stride[n - 1 - i] = xs;
        d->y_stride[n - 1 - i] = ys;
    }
}

static ct_status lower_scaled(ct__lower *l, int mean) {
    uint8_t reduced[CT_MAX_RANK];
    reduce_data *d = CT__DATA(l, reduce_data);
    if (!d) return CT_ELIMIT;
    ct__reduce_axes(l->attr, l->in[0].shape.rank, reduced);
    merge_axes(d, &l->in[0].shape, reduced);
    d->count = ct__count(&l->out[0].shape);
    d->scale = 1;
    for (int32_t i = 0; mean && i < l->in[0].shape.rank; i++) {
        int64_t extent = l->symbolic[0].shape.dim[i];
        if (reduced[i]) d->scale /= (double)(extent < 0 ? -extent * l->batch : extent);
    }
    l->run = run;
    l->data = d;
    l->scratch = (uint64_t)d->count * sizeof(double);
    l->impl = "loops";
    l->flops = (double)ct__count(&l->in[0].shape);
    return CT_OK;
}
static ct_status sum_lower(ct__lower *l) { return lower_scaled(l, 0); }
static ct_status mean_lower(ct__lower *l) { return lower_scaled(l, 1); }

/* ---- dy / count ---- */
static double count_of(const ct__ints *extents, int64_t rows) {
    double count = 1;
    for (int32_t i = 0; extents && i < extents->count; i++)
        count *= (double)(extents->v[i] < 0 ? -extents->v[i] * rows : extents->v[i]);
    return count;
}
typedef struct scale_data {
    int64_t count;
    float scale;
    int32_t reserved;
} scale_data;
static ct_status run_scale(const void *data, void *const *arg, const ct__exec *x) {
    const scale_data *d = data;
    const float *dy = arg[0];
    (void)x;
    for (int64_t i = 0; i < d->count; i++) ((float *)arg[1])[i] = dy[i] * d->scale;
    return CT_OK;
}
static ct_status scale_lower(ct__lower *l) {
    scale_data *d = CT__DATA(l, scale_data);
    if (!d) return CT_ELIMIT;
    *d = (scale_data){ct__count(&l->in[0].shape), (float)(1 / count_of(l->attr[0].list, l->batch)), 0};
    l->run = run_scale;
    l->data = d;
    l->impl = "loops";
    return CT_OK;
}
static ct_status scale_infer(ct__infer *f) {
    f->out[0] = f->in[0];
    return CT_OK;
}
static void scale_ref(ct__ref *r) {
    for (uint64_t i = 0; i < ct__ref_count(&r->in[0]); i++)
        r->out[0].v[i] = r->in[0].v[i] / count_of(r->attr[0].list, r->batch);
}

/* ---- references ---- */
static void ref_scaled(ct__ref *r, int mean) {
    uint8_t reduced[CT_MAX_RANK];
    int64_t index[CT_MAX_RANK] = {0};
    const ct_shape *s = &r->in[0].shape;
    double count = 1;
    ct__reduce_axes(r->attr, s->rank, reduced);
    for (int32_t i = 0; i < s->rank; i++)
        if (reduced[i]) count *= (double)s->dim[i];
    for (uint64_t k = 0; k < ct__ref_count(&r->in[0]); k++) {
        int64_t at = 0;
        for (int32_t i = 0; i < s->rank; i++)
            if (!reduced[i]) at = at * s->dim[i] + index[i];
        r->out[0].v[at] += mean ? r->in[0].v[k] / count : r->in[0].v[k];
        for (int32_t i = s->rank - 1; i >= 0 && ++index[i] == s->dim[i]; i--) index[i] = 0;
    }
}
static void sum_ref(ct__ref *r) { ref_scaled(r, 0); }
static void mean_ref(ct__ref *r) { ref_scaled(r, 1); }

#define CASES(name, of_nothing) \
    static const ct__case name##_cases[] = { \
        {.text = "x=f32[N,5]; " #name "(x)", .flags = CT__CASE_SECOND}, \
        {.text = "x=f32[N,5]; " #name "(x, 0)", .flags = CT__CASE_SECOND}, \
        {.text = "x=f32[N,5]; " #name "(x, 1)"}, \
        {.text = "x=f32[N,5]; " #name "(x, -1, keep=1)"}, \
        {.text = "x=f32[N,3,17]; " #name "(x, 0, 2)"}, \
        {.text = "x=f32[N,3,4,5]; " #name "(x, 2, 3)"}, \
        {.text = "x=f32[N,3,4,5]; " #name "(x, 0, 2, 3, keep=1)"}, \
        {.text = "x=f32[3,7,9]; " #name "(x, 1)"}, \
        {.text = "x=f32[8,15,16]; " #name "(x, 0, 2)"}, \
        {.text = "x=f32[1]; " #name "(x)"}, \
        {.text = "x=f32[]; " #name "(x)"}, \
        {.text = "x=f32[33]; " #name "(x, 0)"}, \
        {.text = "x=f32[0,3]; " #name "(x, 1)"}, \
        {.text = "x=f32[N,16,3,3]; " #name "(x, 1)"}, \
        {.text = "x=f32[2,3,4,5,6]; " #name "(x, 1, 3)"}, \
        {.text = "x=f32[N,1]; " #name "(x, 1)"}, \
        {.text = "x=f32[N]; " #name "(x)"}, \
        {.text = "x=f32[N,65]; " #name "(x, 0, keep=1)"}, \
        {.text = "x=f32[3,5]; " #name "(x, 2)", .error = "an axis is out of range"}, \
        {.text = "x=f32[3,5]; " #name "(x, 1, -1)", .error = "given twice"}, \
        {.text = "x=i64[3]; " #name "(x)", .error = "input 1 is i64; wanted f32"}, \
        {.text = "x=f32[3,0]; " #name "(x, 1)", .error = of_nothing}, \
        {0}};
CASES(sum, NULL)
CASES(mean, "axis 1 of x [3,0] is empty")

const ct__op ct__op_sum = {
    .name = "sum",
    .summary = "sum over axes",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_LINEAR,
    .infer = ct__reduce_infer,
    .grad = sum_grad,
    .batch = batch,
    .lower = sum_lower,
    .ref = sum_ref,
    .cases = sum_cases,
};
const ct__op ct__op_mean = {
    .name = "mean",
    .summary = "mean over axes",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_LINEAR,
    .infer = mean_infer,
    .grad = mean_grad,
    .batch = batch,
    .lower = mean_lower,
    .ref = mean_ref,
    .cases = mean_cases,
};
const ct__op ct__op_mean_scale = {
    .name = "mean_scale",
    .summary = "divided by a count",
    .attrs = scale_attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL | CT__OP_LINEAR,
    .infer = scale_infer,
    .grad = scale_grad,
    .batch = ct__batch_rows,
    .lower = scale_lower,
    .ref = scale_ref,
};

ct_t ct__reduce_rows(ct_t x, const ct__value *attr) {
    uint8_t reduced[CT_MAX_RANK];
    ct_shape s = ct_shape_of(x), order = {{0}, s.rank, 0}, flat = {{0}, 0, 0};
    int64_t merged = 1;
    int32_t n = 0;
    if (!ct_ok(x)) return x;
    ct__reduce_axes(attr, s.rank, reduced);
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < s.rank; i++) {
            if (reduced[i] != pass) continue;
            order.dim[n++] = i;
            if (pass)
                merged *= s.dim[i];
            else
                flat.dim[flat.rank++] = s.dim[i];
        }
    flat.dim[flat.rank++] = merged;
    return ct_reshape(ct_permute(x, order), flat);
}

ct_t ct__reduce_with(const ct__op *op, ct_t x, ct_shape axes, const void *options) {
    ct__ints list = {{0}, axes.rank, 0};
    for (int32_t i = 0; i < axes.rank && i < CT_MAX_RANK; i++) list.v[i] = axes.dim[i];
    return ct__op_with(op, &x, 1, (ct__value[]){{.list = axes.rank ? &list : NULL}}, options);
}

/* The sum over `axes` (rank 0: all). */
ct_t ct_sum(ct_t x, ct_shape axes, ct_reduce options) {
    return ct__reduce_with(&ct__op_sum, x, axes, &options);
}
/* The mean over `axes` (rank 0: all); over N the whole batch's. */
ct_t ct_mean(ct_t x, ct_shape axes, ct_reduce options) {
    return ct__reduce_with(&ct__op_mean, x, axes, &options);
}
