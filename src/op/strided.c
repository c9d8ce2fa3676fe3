/* Copies between two walks over memory: the kernel behind permute, slice, pad, concat and expand.
 *
 * Axes are folded first: extents of 1 go, and neighbours that walk as one in source and destination merge,
 * so that most copies become two or three loops. The inner loop is then one of three: runs (both sides in
 * steps of 1), turns (the source's own run lies along another axis: a 2-d transpose in blocks of 16, so that
 * every cache line is read and written once), or steps. */
#include "op/strided.h"

void ct__strides(const ct_shape *s, int64_t stride[CT_MAX_RANK]) {
    int64_t step = 1;
    for (int32_t i = s->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= s->dim[i];
    }
}

void ct__strided_plan(ct__strided *s) {
    int32_t n = 0;
    for (int32_t i = 0; i < s->rank; i++) {
        int64_t dim = s->dim[i], src = s->src[i], dst = s->dst[i];
        if (dim == 1) continue;
        if (n && s->src[n - 1] == src * dim && s->dst[n - 1] == dst * dim) {
            s->dim[n - 1] *= dim;
            s->src[n - 1] = src;
            s->dst[n - 1] = dst;
            continue;
        }
        s->dim[n] = dim;
        s->src[n] = src;
        s->dst[n++] = dst;
    }
    s->rank = n;
    s->turn = -1;
    for (int32_t i = 0; i < n - 1; i++)
        if (s->src[i] == 1 && s->src[n - 1] != 1) s->turn = i;
}

/* A run of n elements. Short ones go without a call. */
static void copy_run(char *dst, const char *src, size_t bytes) {
    if (bytes > 128 || bytes % 16) {
        memcpy(dst, src, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i += 16) memcpy(dst + i, src + i, 16);
}

#define STEPS(type) \
    static void steps_##type(const ct__strided *s, const type *src, type *dst) { \
        int32_t last = s->rank - 1; \
        int64_t n = s->dim[last], a = s->src[last], b = s->dst[last]; \
        for (int64_t i = 0; i < n; i++) dst[i * b] = src[i * a]; \
    } \
    static void turn_##type(const ct__strided *s, const type *src, type *dst) { \
        int32_t last = s->rank - 1; \
        int64_t rows = s->dim[s->turn], row = s->dst[s->turn], columns = s->dim[last]; \
        int64_t from = s->src[last], to = s->dst[last]; \
        for (int64_t i = 0; i < rows; i += 16) \
            for (int64_t j = 0; j < columns; j += 16) { \
                int64_t i1 = i + 16 < rows ? i + 16 : rows, j1 = j + 16 < columns ? j + 16 : columns; \
                for (int64_t p = i; p < i1; p++) \
                    for (int64_t q = j; q < j1; q++) dst[p * row + q * to] = src[p + q * from]; \
            } \
    }
STEPS(uint8_t)
STEPS(uint16_t)
STEPS(uint32_t)
STEPS(uint64_t)

static void inner(const ct__strided *s, const char *src, char *dst) {
    int32_t last = s->rank - 1;
    const void *from = src;
    void *to = dst;
    if (last < 0)
        memcpy(dst, src, (size_t)s->size);
    else if (s->src[last] == 1 && s->dst[last] == 1)
        copy_run(dst, src, (size_t)s->dim[last] * (size_t)s->size);
    else if (s->size == 4)
        (s->turn >= 0 ? turn_uint32_t : steps_uint32_t)(s, from, to);
    else if (s->size == 8)
        (s->turn >= 0 ? turn_uint64_t : steps_uint64_t)(s, from, to);
    else if (s->size == 2)
        (s->turn >= 0 ? turn_uint16_t : steps_uint16_t)(s, from, to);
    else
        (s->turn >= 0 ? turn_uint8_t : steps_uint8_t)(s, from, to);
}

void ct__strided_copy(const ct__strided *s, const void *src, void *dst) {
    int64_t index[CT_MAX_RANK] = {0}, a = 0, b = 0;
    for (int32_t i = 0; i < s->rank; i++)
        if (s->dim[i] == 0) return;
    const char *from = (const char *)src + s->src_begin * s->size;
    char *to = (char *)dst + s->dst_begin * s->size;
    for (;;) {
        int32_t d = s->rank - 2;
        inner(s, from + a * s->size, to + b * s->size);
        for (; d >= 0; d--) {
            if (d == s->turn) continue;
            a += s->src[d];
            b += s->dst[d];
            if (++index[d] < s->dim[d]) break;
            a -= s->src[d] * s->dim[d];
            b -= s->dst[d] * s->dim[d];
            index[d] = 0;
        }
        if (d < 0) return;
    }
}

void ct__fill(void *dst, int64_t n, int32_t dtype, double value) {
    size_t size = ct_dtype_size((ct_dtype)dtype);
    if (value == 0 && !signbit(value)) {
        memset(dst, 0, (size_t)n * size);
    } else if (dtype == CT_F32) {
        for (int64_t i = 0; i < n; i++) ((float *)dst)[i] = (float)value;
    } else if (dtype == CT_I64) {
        for (int64_t i = 0; i < n; i++) ((int64_t *)dst)[i] = (int64_t)value;
    } else if (dtype == CT_I32) {
        for (int64_t i = 0; i < n; i++) ((int32_t *)dst)[i] = (int32_t)value;
    } else {
        memset(dst, (int)value, (size_t)n * size);
    }
}

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const ct__mover *m = data;
    (void)x;
    if (m->fill) ct__fill(arg[m->n], m->count, m->dtype, m->value);
    for (int32_t i = 0; i < m->n; i++) ct__strided_copy(&m->copy[i], arg[i], arg[m->n]);
    return CT_OK;
}

ct__mover *ct__mover_new(ct__lower *l) {
    ct__mover *m = ct__lower_data(l, sizeof *m + (size_t)l->n_in * sizeof *m->copy);
    if (!m) return NULL;
    m->count = ct__count(&l->out[0].shape);
    m->dtype = l->out[0].dtype;
    m->n = l->n_in;
    for (int32_t i = 0; i < m->n; i++) m->copy[i].size = (int32_t)ct_dtype_size((ct_dtype)m->dtype);
    l->run = run;
    l->data = m;
    l->impl = "copy";
    return m;
}
