/* infer.c: what shape inference of many ops shares: error texts, checks, broadcasting, the batch axis. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

/* An error that does not say what to do sends to the op's page. */
static const char *what_to_do(const char *text) {
    const char *wanted = strstr(text, "; wanted ");
    return wanted && strstr(wanted + 2, "; ") ? "" : "; see docs/ops.md";
}

ct_status ct__infer_fail(const ct__infer *f, const char *format, ...) {
    char text[700];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    const char *more = what_to_do(text);
    if (f->name && f->name[0])
        return ct_fail(f->e, CT_EUSAGE, "%s \"%s\": %s%s", f->op->name, f->name, text, more);
    return ct_fail(f->e, CT_EUSAGE, "%s: %s%s", f->op->name, text, more);
}

static const char *input_text(const ct__infer *f, int32_t input, char out[CT_SHAPE_TEXT]) {
    return ct_shape_format(&f->in[input].shape, out);
}

ct_status ct__infer_rank(const ct__infer *f, int32_t input, int32_t min, int32_t max) {
    int32_t rank = f->in[input].shape.rank;
    char text[CT_SHAPE_TEXT];
    if (rank >= min && rank <= max) return CT_OK;
    if (min == max)
        return ct__infer_fail(f, "input %d is %s; wanted %d axes; reshape it first", input + 1,
                              input_text(f, input, text), min);
    return ct__infer_fail(f, "input %d is %s; wanted %d to %d axes; reshape it first", input + 1,
                          input_text(f, input, text), min, max);
}

ct_status ct__infer_dtype(const ct__infer *f, int32_t input, int32_t dtype) {
    int32_t found = f->in[input].dtype;
    if (found == dtype) return CT_OK;
    return ct__infer_fail(f, "input %d is %s; wanted %s; cast it first", input + 1,
                          ct_dtype_name((ct_dtype)found), ct_dtype_name((ct_dtype)dtype));
}

ct_status ct__infer_same_shape(const ct__infer *f, int32_t a, int32_t b) {
    char first[CT_SHAPE_TEXT], second[CT_SHAPE_TEXT];
    if (ct_shape_equal(&f->in[a].shape, &f->in[b].shape)) return CT_OK;
    return ct__infer_fail(
        f, "input %d is %s, input %d is %s; wanted equal shapes; reshape or expand one of them", a + 1,
        input_text(f, a, first), b + 1, input_text(f, b, second));
}

int ct__broadcast(const ct_shape *a, const ct_shape *b, ct_shape *out) {
    ct_shape r = {{0}, a->rank > b->rank ? a->rank : b->rank, 0};
    for (int32_t k = 1; k <= r.rank; k++) {
        int64_t p = k <= a->rank ? a->dim[a->rank - k] : 1, q = k <= b->rank ? b->dim[b->rank - k] : 1;
        if (p != q && p != 1 && q != 1) return 0;
        r.dim[r.rank - k] = p == 1 ? q : p;
    }
    *out = r;
    return 1;
}

int32_t ct__axis(int64_t axis, int32_t rank) {
    if (axis < 0) axis += rank;
    return axis >= 0 && axis < rank ? (int32_t)axis : -1;
}

int32_t ct__batch_axis(const ct_shape *s) {
    int32_t found = -1;
    for (int32_t i = 0; i < s->rank; i++) {
        if (s->dim[i] >= 0) continue;
        if (found >= 0) return -2;
        found = i;
    }
    return found;
}

int ct__batch_rows(ct__batch *b) {
    int sharded = 0;
    for (int32_t i = 0; i < b->n_in; i++) sharded |= b->in_place[i] == CT__SHARD;
    for (int32_t i = 0; i < b->n_out; i++) {
        int32_t axis = ct__batch_axis(&b->out[i].shape);
        if (axis == -2 || (sharded && axis < 0)) return 0;
        b->out_place[i] = (uint8_t)(axis >= 0 ? CT__SHARD : CT__REPLICATE);
    }
    return 1;
}
