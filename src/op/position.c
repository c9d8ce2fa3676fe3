/* Learned position embeddings (Gehring et al. 2017; GPT's wpe).
 *
 *     x [...,T,D], weight [places,D]  ->  y[...,t,:] = x[...,t,:] + weight[t,:]
 *     dx = dy, dweight = sum of dy over the leading axes
 *
 * Drawn from a normal distribution like an embedding; sequences may be shorter than `places`. */
#include "op/common.h"

static const ct__attr attrs[] = {
    POS_INT(places, CT__NODEF, 1, 1 << 30, "the longest sequence"),
    OPT_FLOAT(ct_positions, deviation, 1, 1e-30, 1e30, "standard deviation of the first weights"),
    {0},
};

static ct_status infer(ct__infer *f) {
    const ct_shape *s = &f->in[0].shape;
    char text[CT_SHAPE_TEXT];
    if (ct__infer_dtype(f, 0, CT_F32) || ct__infer_rank(f, 0, 2, CT_MAX_RANK)) return CT_EUSAGE;
    int64_t t = s->dim[s->rank - 2];
    if (t < 1 || t > f->attr[0].i || s->dim[s->rank - 1] < 1)
        return ct__infer_fail(f, "x is %s; wanted [...,T,D] with T from 1 to %lld", ct_shape_format(s, text),
                              (long long)f->attr[0].i);
    f->out[0].shape = *s;
    return CT_OK;
}
static int32_t slots(const ct__infer *f, ct__slot out[CT__MAX_SLOTS]) {
    const ct_shape *s = &f->in[0].shape;
    if (ct__infer_rank(f, 0, 2, CT_MAX_RANK)) return -1;
    int64_t shape[2] = {f->attr[0].i, s->dim[s->rank - 1]};
    if (shape[1] < 1) {
        ct__infer_fail(f, "the last axis of x is not fixed; wanted [...,T,D]");
        return -1;
    }
    out[0] = (ct__slot){"weight", ct_shape_make(2, shape), {CT_INIT_NORMAL, 0, 0, f->attr[1].f}, CT_PARAM, 0};
    return 1;
}
static int expand(ct_graph *g, ct_node *node, const ct_t *in, int32_t train, ct_t *out) {
    ct_shape s = ct_shape_of(in[0]);
    (void)g;
    (void)node;
    (void)train;
    out[0] = ct_add(in[0], ct_slice(in[1], 0, 0, s.dim[s.rank - 2], 1));
    return 1;
}
static void ref(ct__ref *r) {
    const ct_shape *s = &r->in[0].shape;
    int64_t row = s->dim[s->rank - 2] * s->dim[s->rank - 1];
    for (uint64_t i = 0; i < ct__ref_count(&r->in[0]); i++)
        r->out[0].v[i] = r->in[0].v[i] + r->in[1].v[(int64_t)i % row];
}
static const ct__case cases[] = {
    {.text = "x=f32[N,5,3]; position(x, \"p\", 5)", .flags = CT__CASE_SECOND},
    {.text = "x=f32[N,5,16]; position(x, \"p\", 9)"},
    {.text = "x=f32[4,7]; position(x, \"p\", 4, deviation=0.02)"},
    {.text = "x=f32[N,2,1,17]; position(x, \"p\", 3)"},
    {.text = "x=f32[N,6,3]; position(x, \"p\", 5)", .error = "with T from 1 to 5"},
    {.text = "x=f32[N]; position(x, \"p\", 5)", .error = "input 1 is [N]; wanted 2 to"},
    {0},
};
const ct__op ct__op_position = {
    .name = "position",
    .summary = "learned position embeddings added",
    .attrs = attrs,
    .inputs_min = 1,
    .inputs_max = 1,
    .layer = 1,
    .infer = infer,
    .slots = slots,
    .expand = expand,
    .ref = ref,
    .cases = cases,
};

/* x [...,T,D] -> the same shape; parameter NAME.weight [places,D]. */
ct_t ct_position(ct_t x, const char *name, int64_t places, ct_positions options) {
    return ct__op_named(&ct__op_position, name, &x, 1, (ct__value[]){{.i = places}}, &options);
}
