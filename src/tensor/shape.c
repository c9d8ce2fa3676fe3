/* shape.c: extents, outermost first; a negative extent -k stands for k*N, N the batch size. */
#include "cotan.h"

#include <stdio.h>

/* A rank out of 0..8 is kept as -1, which ct_shape_count refuses. */
ct_shape ct_shape_make(int32_t rank, const int64_t *dim) {
    ct_shape s = {.rank = rank};
    if (rank < 0 || rank > CT_MAX_RANK || (rank > 0 && !dim)) {
        s.rank = -1;
        return s;
    }
    for (int32_t i = 0; i < rank; i++) s.dim[i] = dim[i];
    return s;
}

/* -k without overflow at the smallest integer */
static uint64_t factor_of_n(int64_t extent) { return (uint64_t)0 - (uint64_t)extent; }

/* The product of the extents that are not zero must fit too: it bounds every stride, so [0, 2^62, 2^62]
 * is refused as NumPy refuses it. Counts stay below 2^63 because strides are signed. */
int ct_shape_count(const ct_shape *s, int64_t n, uint64_t *count) {
    uint64_t product = 1;
    int empty = 0;
    if (!s || s->rank < 0 || s->rank > CT_MAX_RANK) return 0;
    for (int32_t i = 0; i < s->rank; i++) {
        uint64_t extent = (uint64_t)s->dim[i];
        if (s->dim[i] < 0 && (n < 0 || !ct_mul_ok(factor_of_n(s->dim[i]), (uint64_t)n, &extent))) return 0;
        if (extent == 0)
            empty = 1;
        else if (!ct_mul_ok(product, extent, &product) || product > (uint64_t)INT64_MAX)
            return 0;
    }
    *count = empty ? 0 : product;
    return 1;
}

int ct_shape_equal(const ct_shape *a, const ct_shape *b) {
    if (a->rank != b->rank) return 0;
    for (int32_t i = 0; i < a->rank && i < CT_MAX_RANK; i++)
        if (a->dim[i] != b->dim[i]) return 0;
    return 1;
}

const char *ct_shape_format(const ct_shape *s, char out[CT_SHAPE_TEXT]) {
    size_t used = 1;
    out[0] = '[';
    if (s->rank < 0 || s->rank > CT_MAX_RANK) {
        snprintf(out, CT_SHAPE_TEXT, "[rank %d]", (int)s->rank);
        return out;
    }
    for (int32_t i = 0; i < s->rank; i++) {
        const char *comma = i ? "," : "";
        int n;
        if (s->dim[i] >= 0)
            n = snprintf(out + used, CT_SHAPE_TEXT - used, "%s%lld", comma, (long long)s->dim[i]);
        else if (s->dim[i] == CT_N)
            n = snprintf(out + used, CT_SHAPE_TEXT - used, "%sN", comma);
        else
            n = snprintf(out + used, CT_SHAPE_TEXT - used, "%s%lluN", comma,
                         (unsigned long long)factor_of_n(s->dim[i]));
        used += (size_t)n; /* eight extents of at most 21 characters: it fits */
    }
    out[used] = ']';
    out[used + 1] = 0;
    return out;
}
