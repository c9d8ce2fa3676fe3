/* Conversion between storage orders; inserted by the planner, never written by a user.
 *
 *     plain <-> blocked     activations
 *     plain <-> panel16, plain -> flip, panel16 -> flip    matrices of linear
 *     plain <-> conv, conv <-> conv    convolution weights, by oneDNN's reorder
 *
 * The logical values are unchanged; padding lanes of the result are zero. */
#include "op/relayout.h"

#include "base/pool.h"
#include "kern/conv.h"
#include "kern/gemm.h"
#include "kern/image.h"
#include "op/common.h"

int ct__layout_equal(const ct__layout *a, const ct__layout *b) {
    if (a->kind != b->kind) return 0;
    if (a->kind == CT__CONV) return ct__weight_layout_equal(a->opaque, b->opaque);
    return 1;
}

uint64_t ct__layout_bytes(const ct__layout *l, const ct__type *concrete) {
    if (l->bytes) return l->bytes;
    return (uint64_t)ct__count(&concrete->shape) * ct_dtype_size((ct_dtype)concrete->dtype);
}

const char *ct__layout_name(const ct__layout *l) {
    static const char *const names[] = {"plain", "blocked8", "panel16", "flip16", "conv"};
    if (l->kind == CT__BLOCKED && ct__block_channels() == 16) return "blocked16";
    return names[l->kind];
}

typedef struct relayout {
    const struct ct__simd *simd;
    int64_t n, c, spatial; /* or rows, columns */
    int32_t from, to;
    ct__reorder *reorder;
} relayout;

static ct_status run(const void *data, void *const *arg, const ct__exec *x) {
    const relayout *d = data;
    const float *src = arg[0];
    float *dst = arg[1];
    if (d->reorder) return ct__reorder_run(d->reorder, src, dst, x->scratch);
    const ct__gemm_table *gemm = d->simd->gemm;
    if (d->to == CT__BLOCKED)
        d->simd->image->to_blocked(d->n, d->c, d->spatial, ct__block_channels(), src, dst);
    else if (d->from == CT__BLOCKED)
        d->simd->image->to_plain(d->n, d->c, d->spatial, ct__block_channels(), src, dst);
    else if (d->from == CT__PLAIN && d->to == CT__PANEL)
        gemm->pack(d->c, d->n, src, 1, d->c, dst); /* W [O,I]: X = W' [I,O] */
    else if (d->from == CT__PLAIN && d->to == CT__FLIP)
        gemm->pack(d->n, d->c, src, d->c, 1, dst);
    else if (d->from == CT__PANEL && d->to == CT__PLAIN)
        gemm->unpack(d->c, d->n, src, dst, 1, d->c);
    else if (d->from == CT__PANEL && d->to == CT__FLIP)
        gemm->flip(d->c, d->n, src, dst);
    else if (d->from == CT__FLIP && d->to == CT__PLAIN)
        gemm->unpack(d->n, d->c, src, dst, d->c, 1);
    else if (d->from == CT__FLIP && d->to == CT__PANEL)
        gemm->flip(d->n, d->c, src, dst);
    return CT_OK;
}

static void dispose(void *data) { ct__reorder_free(((relayout *)data)->reorder); }

static ct_status lower_conv(ct__lower *l, relayout *d, const ct__layout *from, const ct__layout *to) {
    static const ct__weight_layout plain;
    const ct__conv_shape *shape = from->kind == CT__CONV ? from->shape : to->shape;
    ct_status s = ct__reorder_weight(l->allocator, shape, from->kind == CT__CONV ? from->opaque : &plain,
                                     to->kind == CT__CONV ? to->opaque : &plain, &d->reorder, l->e);
    if (s) return s;
    l->dispose = dispose;
    l->impl = ct__reorder_impl(d->reorder);
    l->scratch = ct__reorder_scratch(d->reorder);
    return CT_OK;
}

ct_status ct__relayout_lower(ct__lower *l) {
    relayout *d = CT__DATA(l, relayout);
    const ct__layout *from = &l->in_layout[0], *to = &l->out_layout[0];
    const ct_shape *s = &l->in[0].shape;
    if (!d) return CT_ELIMIT;
    d->simd = l->simd;
    d->from = from->kind;
    d->to = to->kind;
    d->n = s->rank > 0 ? s->dim[0] : 1;
    d->c = s->rank > 1 ? s->dim[1] : 1;
    d->spatial = 1;
    for (int32_t i = 2; i < s->rank; i++) d->spatial *= s->dim[i];
    l->run = run;
    l->data = d;
    l->impl = "copy";
    if (from->kind == CT__CONV || to->kind == CT__CONV) return lower_conv(l, d, from, to);
    return CT_OK;
}

ct_status ct__relayout_now(ct_ctx *c, const ct__type *type, const ct__layout *from, const ct__layout *to,
                           const void *src, void *dst, ct_err *e) {
    ct_arena arena = {.allocator = &c->allocator};
    ct__lower l = {.op = &ct__op_relayout,
                   .name = "",
                   .simd = c->simd,
                   .allocator = &c->allocator,
                   .arena = &arena,
                   .n_in = 1,
                   .n_out = 1,
                   .in = type,
                   .out = type,
                   .in_layout = from,
                   .out_layout = to,
                   .e = e};
    if (!l.simd) l.simd = ct__simd_of(0);
    ct_float_state f = ct__float_enter();
    ct_status s = ct__relayout_lower(&l);
    void *scratch = s ? NULL : ct_new(&c->allocator, l.scratch + 64);
    if (!s && !scratch)
        s = ct_fail(e, CT_ELIMIT, "relayout: out of memory for %llu bytes", (unsigned long long)l.scratch);
    if (!s) {
        void *arg[2] = {(void *)(uintptr_t)src, dst};
        ct__exec x = {.scratch = scratch, .tasks = 1, .e = e};
        s = l.run(l.data, arg, &x);
    }
    ct_delete(&c->allocator, scratch, l.scratch + 64);
    if (l.dispose) l.dispose(l.data);
    ct__float_leave(f);
    ct_arena_free(&arena);
    return s;
}

static ct_status infer(ct__infer *f) {
    f->out[0] = f->in[0];
    return CT_OK;
}
static void ref(ct__ref *r) { memcpy(r->out[0].v, r->in[0].v, ct__ref_count(&r->in[0]) * sizeof(double)); }

const ct__op ct__op_relayout = {
    .name = "relayout",
    .summary = "the same values in another storage order",
    .inputs_min = 1,
    .inputs_max = 1,
    .flags = CT__OP_INTERNAL,
    .infer = infer,
    .nondiff = "it appears in plans only",
    .batch = ct__batch_rows,
    .lower = ct__relayout_lower,
    .ref = ref,
};
