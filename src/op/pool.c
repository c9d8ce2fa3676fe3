/* Pooling: how windows lie over an image.
 *
 *     window o covers the elements o * stride - pad + i * dilation, i = 0 .. kernel-1, that lie inside
 *     out = floor((in + 2 pad - dilation (kernel - 1) - 1) / stride) + 1
 *
 * With `ceil` the division rounds up, and a last window that would begin in the padding behind the image is
 * dropped (PyTorch's rule). Each window must cover an element of the image. */
#include "op/pool.h"

void ct__pool_windows(const ct__value *attr, int32_t rank, ct__window out[2]) {
    int64_t kernel = attr[CT__POOL_KERNEL].i, stride = attr[CT__POOL_STRIDE].i, pad = attr[CT__POOL_PAD].i;
    ct__window w = {kernel, stride ? stride : kernel, pad, attr[CT__POOL_DILATION].i};
    out[0] = rank == 3 ? (ct__window){1, 1, 0, 1} : w;
    out[1] = w;
    if (rank == 3) return;
    if (attr[CT__POOL_KERNEL_W].i) out[1].kernel = attr[CT__POOL_KERNEL_W].i;
    if (attr[CT__POOL_STRIDE_W].i)
        out[1].stride = attr[CT__POOL_STRIDE_W].i;
    else if (!stride)
        out[1].stride = out[1].kernel;
    if (attr[CT__POOL_PAD_W].i) out[1].pad = attr[CT__POOL_PAD_W].i < 0 ? 0 : attr[CT__POOL_PAD_W].i;
}

static int64_t out_extent(const ct__window *w, int64_t in, int ceil_mode) {
    int64_t room = in + 2 * w->pad - (w->kernel - 1) * w->dilation - 1;
    if (room < 0) return 0;
    int64_t out = (ceil_mode ? room + w->stride - 1 : room) / w->stride + 1;
    return ceil_mode && (out - 1) * w->stride >= in + w->pad ? out - 1 : out;
}

static ct__span span_of(const ct__window *w, int64_t in, int64_t o, int count_pad) {
    int64_t begin = o * w->stride - w->pad, end = begin + (w->kernel - 1) * w->dilation + 1,
            limit = in + w->pad;
    int64_t taps = ((end < limit ? end : limit) - 1 - begin) / w->dilation + 1;
    if (begin < 0) begin += (-begin + w->dilation - 1) / w->dilation * w->dilation;
    if (end > in) end = in;
    int64_t inside = begin < end ? (end - 1 - begin) / w->dilation + 1 : 0;
    return (ct__span){(int32_t)begin, (int32_t)end, (int32_t)(count_pad ? taps : inside), 0};
}

ct_status ct__pool_infer_image(const ct__infer *f, int32_t min_rank, int32_t max_rank) {
    const ct_shape *s = &f->in[0].shape;
    char text[CT_SHAPE_TEXT];
    uint64_t plane = 1;
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_rank(f, 0, min_rank, max_rank)) return CT_EUSAGE;
    for (int32_t i = 1; i < s->rank; i++)
        if (s->dim[i] < 1)
            return ct__infer_fail(f, "x is %s; wanted fixed extents of at least 1 after the first",
                                  ct_shape_format(s, text));
    for (int32_t i = 2; i < s->rank; i++)
        if (!ct_mul_ok(plane, (uint64_t)s->dim[i], &plane) || plane > INT32_MAX)
            return ct__infer_fail(f, "x is %s; wanted at most 2147483647 elements a channel",
                                  ct_shape_format(s, text));
    return CT_OK;
}

static ct_status infer_axis(const ct__infer *f, const ct__window *w, int64_t in, int64_t *out) {
    int64_t reach = (w->kernel - 1) * w->dilation + 1;
    if (2 * w->pad > reach)
        return ct__infer_fail(f, "pad is %lld, the window %lld long; wanted a pad of at most half the window",
                              (long long)w->pad, (long long)reach);
    int64_t n = out_extent(w, in, (int)f->attr[CT__POOL_CEIL].i);
    if (n < 1)
        return ct__infer_fail(
            f, "the window is %lld long, the image %lld with padding; wanted a window that fits",
            (long long)reach, (long long)(in + 2 * w->pad));
    for (int64_t o = 0; w->dilation > 1 && o < n; o++)
        if (span_of(w, in, o, 0).count == 0)
            return ct__infer_fail(f, "window %lld covers padding only; wanted a smaller pad or dilation",
                                  (long long)o);
    *out = n;
    return CT_OK;
}

ct_status ct__pool_infer(ct__infer *f, int32_t rank) {
    ct__window w[2];
    ct_shape s = f->in[0].shape;
    if (ct__pool_infer_image(f, rank, rank)) return CT_EUSAGE;
    ct__pool_windows(f->attr, rank, w);
    for (int32_t i = 2; i < rank; i++)
        if (infer_axis(f, &w[i - rank + 2], s.dim[i], &s.dim[i])) return CT_EUSAGE;
    f->out[0].shape = s;
    return CT_OK;
}

static int64_t rows_of(const ct_shape *s) { return s->rank == 3 ? 1 : s->dim[2]; }
static int64_t columns_of(const ct_shape *s) { return s->dim[s->rank - 1]; }

int ct__pool_pairs(const ct__window w[2], const ct_shape *in, const ct_shape *out) {
    for (int i = 0; i < 2; i++)
        if (w[i].kernel != 2 || w[i].stride != 2 || w[i].pad != 0 || w[i].dilation != 1) return 0;
    return 2 * rows_of(out) <= rows_of(in) && 2 * columns_of(out) <= columns_of(in);
}

void ct__pool_describe(const ct__lower *l, int32_t operand, const ct_shape *in, const ct_shape *out,
                       ct__pool *p) {
    int32_t lanes = l->in_layout[operand].kind == CT__BLOCKED ? ct__block_channels() : 1;
    p->lanes = lanes;
    p->planes = in->dim[0] * ((in->dim[1] + lanes - 1) / lanes);
    p->h = (ct__pool_axis){rows_of(in), rows_of(out), 1, NULL};
    p->w = (ct__pool_axis){columns_of(in), columns_of(out), 1, NULL};
}

static ct__span *spans_new(ct__lower *l, int64_t n) {
    ct__span *s = ct_arena_array(l->arena, (uint64_t)n, sizeof *s);
    if (!s) ct_fail(l->e, CT_ELIMIT, "%s \"%s\": out of memory", l->op->name, l->name);
    return s;
}

ct_status ct__pool_spans(ct__lower *l, const ct__window w[2], int count_pad, ct__pool *p) {
    ct__pool_axis *axis[2] = {&p->h, &p->w};
    for (int i = 0; i < 2; i++) {
        ct__span *s = spans_new(l, axis[i]->out);
        if (!s) return CT_ELIMIT;
        for (int64_t o = 0; o < axis[i]->out; o++) s[o] = span_of(&w[i], axis[i]->in, o, count_pad);
        axis[i]->span = s;
        axis[i]->step = w[i].dilation;
    }
    return CT_OK;
}

ct_status ct__pool_spans_adaptive(ct__lower *l, ct__pool *p) {
    ct__pool_axis *axis[2] = {&p->h, &p->w};
    for (int i = 0; i < 2; i++) {
        ct__span *s = spans_new(l, axis[i]->out);
        int64_t in = axis[i]->in, out = axis[i]->out;
        if (!s) return CT_ELIMIT;
        for (int64_t o = 0; o < out; o++) {
            int64_t begin = o * in / out, end = ((o + 1) * in + out - 1) / out;
            s[o] = (ct__span){(int32_t)begin, (int32_t)end, (int32_t)(end - begin), 0};
        }
        axis[i]->span = s;
    }
    return CT_OK;
}
