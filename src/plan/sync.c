/* sync.c: the two explicit ways from pieces to a whole.
 *
 * sync: partial -> replicate. The lanes' buffers are added pairwise by index, ((0+1)+(2+3))+..., or merged by
 * the producer's own rule. gather: sharded along an inner axis -> whole. Both are plan nodes; there
 * is no other place where shards meet. */
#include <string.h>

#include "kern/tile.h"
#include "op/common.h"
#include "plan/plan.h"

typedef struct sync_data {
    int64_t count;   /* floats of one part */
    int64_t piece;   /* floats a task */
    uint64_t stride; /* bytes between parts */
    int32_t parts;
    int32_t reserved;
    void (*merge)(const void *data, float *const *part, int32_t parts, float *out);
    const struct ct__simd *simd;
} sync_data;

void ct__add(const struct ct__simd *simd, int64_t n, const float *a, const float *b, float *out) {
    int64_t whole = n / 16 * 16;
    simd->tile->add_(out, a, b, NULL, whole, NULL);
    for (int64_t i = whole; i < n; i++) out[i] = a[i] + b[i];
}

void ct__tree_sum(const struct ct__simd *simd, const float *base, uint64_t stride, int32_t first,
                  int32_t parts, int64_t n, float *out) {
    const char *a = (const char *)base + (uint64_t)first * stride;
    float right[CT__SUM_BLOCK];
    int32_t left = 1;
    if (parts <= 2) {
        if (parts == 1)
            memcpy(out, a, (size_t)n * sizeof *out);
        else
            ct__add(simd, n, (const float *)(const void *)a, (const float *)(const void *)(a + stride), out);
        return;
    }
    while (2 * left < parts) left *= 2;
    ct__tree_sum(simd, base, stride, first, left, n, out);
    ct__tree_sum(simd, base, stride, first + left, parts - left, n, right);
    ct__add(simd, n, out, right, out);
}

static ct_status run_sync(const void *data, void *const *arg, const ct__exec *x) {
    const sync_data *d = data;
    if (d->merge) {
        float *part[CT__LANES];
        for (int32_t i = 0; i < d->parts; i++)
            part[i] = (float *)(void *)((char *)arg[0] + (uint64_t)i * d->stride);
        d->merge(NULL, part, d->parts, arg[1]);
        return CT_OK;
    }
    int64_t begin = x->task * d->piece, end = begin + d->piece < d->count ? begin + d->piece : d->count;
    for (int64_t i = begin; i < end; i += CT__SUM_BLOCK)
        ct__tree_sum(d->simd, (const float *)arg[0] + i, d->stride, 0, d->parts,
                     end - i < CT__SUM_BLOCK ? end - i : CT__SUM_BLOCK, (float *)arg[1] + i);
    return CT_OK;
}

ct_status ct__sync_lower(ct__instance *t, const ct__pnode *n, ct__lower *l) {
    sync_data *d = CT__DATA(l, sync_data);
    const ct__val *v = &t->val[n->in[0]];
    if (!d) return CT_ELIMIT;
    d->count = (int64_t)(v->bytes / sizeof(float));
    d->piece = 16384;
    d->stride = v->stride;
    d->parts = t->lanes;
    d->simd = t->simd;
    d->merge = t->node[v->node]->op->merge;
    if (d->merge) d->piece = d->count > 0 ? d->count : 1;
    l->run = run_sync;
    l->data = d;
    l->impl = "tree";
    return CT_OK;
}

static ct_status same(ct__infer *f) {
    f->out[0] = f->in[0];
    return CT_OK;
}
static void ref(ct__ref *r) { memcpy(r->out[0].v, r->in[0].v, ct__ref_count(&r->in[0]) * sizeof(double)); }

const ct__op ct__op_sync = {.name = "sync",
                            .summary = "adds up the shards of a partial sum",
                            .inputs_min = 1,
                            .inputs_max = 1,
                            .flags = CT__OP_INTERNAL,
                            .infer = same,
                            .nondiff = "it appears in plans only",
                            .ref = ref};

/* ---- gather ---- */
typedef struct gather_data {
    int64_t outer, rows, last, batch; /* rows of a shard (times k), of the last, of the batch */
    uint64_t inner, stride;           /* bytes of one row, between shards */
    int32_t shards;
    int32_t reserved;
} gather_data;

static ct_status run_gather(const void *data, void *const *arg, const ct__exec *x) {
    const gather_data *d = data;
    (void)x;
    for (int32_t s = 0; s < d->shards; s++) {
        int64_t rows = s + 1 < d->shards ? d->rows : d->last;
        const char *from = (const char *)arg[0] + (uint64_t)s * d->stride;
        char *to = (char *)arg[1] + (uint64_t)s * (uint64_t)d->rows * d->inner;
        for (int64_t o = 0; o < d->outer; o++)
            memcpy(to + (uint64_t)(o * d->batch) * d->inner, from + (uint64_t)(o * rows) * d->inner,
                   (size_t)rows * d->inner);
    }
    return CT_OK;
}

ct_status ct__gather_lower(ct__instance *t, const ct__pnode *n, ct__lower *l) {
    gather_data *d = CT__DATA(l, gather_data);
    const ct__val *v = &t->val[n->in[0]];
    int32_t axis = ct__batch_axis(&v->type.shape);
    int64_t outer, extent, inner;
    if (!d) return CT_ELIMIT;
    if (axis < 0)
        return ct_fail(t->e, CT_EUSAGE, "%s: its result has several extents of the batch; wanted one",
                       t->node[v->node]->op->name);
    ct__split_axis(&v->concrete.shape, axis, &outer, &extent, &inner);
    int64_t k = -v->type.shape.dim[axis];
    *d = (gather_data){outer,
                       k * t->rows,
                       k * t->last_rows,
                       k * t->batch,
                       (uint64_t)inner * ct_dtype_size((ct_dtype)v->type.dtype),
                       v->stride,
                       t->shards,
                       0};
    l->run = run_gather;
    l->data = d;
    l->impl = "copy";
    return CT_OK;
}

const ct__op ct__op_gather = {.name = "gather_shards",
                              .summary = "puts the shards of a value together",
                              .inputs_min = 1,
                              .inputs_max = 1,
                              .flags = CT__OP_INTERNAL,
                              .infer = same,
                              .nondiff = "it appears in plans only",
                              .ref = ref};
