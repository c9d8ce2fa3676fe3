/* conv.c: convolution primitives. A primitive is created once per plan step with the layouts the planner has
 * chosen; the first implementation that is not a reference is taken, else other weight orders are tried, else plain
 * loops of our own (direct.c).
 * A run makes its memory objects anew (well under a microsecond): nothing is shared between threads. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kern/direct.h"
#include "kern/onednn.h"

struct ct__conv {
    ct_allocator allocator;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t src, weight, bias, dst, scratch;
    ct__conv_shape shape;
    int32_t kind, has_bias, relu, direct; /* direct: no primitive, but loops */
    uint64_t scratch_bytes;
    char impl[64];
};

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
const char *ct__onednn_version(void) {
    return "oneDNN " TEXT(DNNL_VERSION_MAJOR) "." TEXT(DNNL_VERSION_MINOR) "." TEXT(DNNL_VERSION_PATCH);
}

ct_status ct__onednn_reserve(ct_err *e) {
    size_t bytes = (size_t)64 << 20; /* pages of its own, never touched: no allocator's business */
    void *reserve = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (reserve == MAP_FAILED)
        return ct_fail(e, CT_ELIMIT,
                       "convolution: less than 64 MB of memory left; wanted that as a reserve; free some");
    munmap(reserve, bytes);
    return CT_OK;
}

ct_status ct__onednn_fail(ct_err *e, dnnl_status_t status, const char *what, const ct__conv_shape *s) {
    if (status == dnnl_out_of_memory) return ct_fail(e, CT_ELIMIT, "convolution: out of memory for %s", what);
    return ct_fail(
        e, CT_EINTERNAL,
        "convolution: %s of [%lld,%lld,%lld,%lld] to %lld channels, kernel %lldx%lld, groups %lld: status %d",
        what, (long long)s->n, (long long)s->ic, (long long)s->ih, (long long)s->iw, (long long)s->oc,
        (long long)s->kh, (long long)s->kw, (long long)s->groups, (int)status);
}

int ct__onednn_is_ref(const char *impl) {
    return strncmp(impl, "ref", 3) == 0 || strstr(impl, ":ref") != NULL || strstr(impl, "ref:") != NULL;
}

/* ---- layouts ---- */

int32_t ct__block_channels(void) {
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core ? 16 : 8;
}

static void activation_desc(int64_t n, int64_t c, int64_t h, int64_t w, int blocked,
                            dnnl_memory_desc_t *out) {
    dnnl_dims_t dims = {n, c, h, w};
    dnnl_format_tag_t tag = !blocked ? dnnl_nchw : ct__block_channels() == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    dnnl_memory_desc_init_by_tag(out, 4, dims, dnnl_f32, tag);
}

static void weight_dims(const ct__conv_shape *s, dnnl_memory_desc_t *out, int any) {
    dnnl_dims_t plain = {s->oc, s->ic, s->kh, s->kw},
                grouped = {s->groups, s->oc / s->groups, s->ic / s->groups, s->kh, s->kw};
    if (s->groups == 1)
        dnnl_memory_desc_init_by_tag(out, 4, plain, dnnl_f32, any ? dnnl_format_tag_any : dnnl_oihw);
    else
        dnnl_memory_desc_init_by_tag(out, 5, grouped, dnnl_f32, any ? dnnl_format_tag_any : dnnl_goihw);
}

void ct__weight_desc(const ct__conv_shape *s, const ct__weight_layout *layout, dnnl_memory_desc_t *out) {
    if (layout->bytes)
        memcpy(out, layout->opaque, sizeof *out);
    else
        weight_dims(s, out, 0);
}

int ct__weight_layout_equal(const ct__weight_layout *a, const ct__weight_layout *b) {
    if (!a->bytes || !b->bytes) return a->bytes == b->bytes;
    return dnnl_memory_desc_equal((const dnnl_memory_desc_t *)(const void *)a->opaque,
                                  (const dnnl_memory_desc_t *)(const void *)b->opaque);
}

static void describe_weight(const dnnl_memory_desc_t *desc, ct__weight_layout *out) {
    memset(out, 0, sizeof *out);
    memcpy(out->opaque, desc, sizeof *desc);
    out->bytes = dnnl_memory_desc_get_size(desc);
}

/* ---- creation ---- */

static dnnl_status_t op_desc(const ct__conv_wish *w, ct__conv *c, int any, dnnl_convolution_desc_t *out) {
    const ct__conv_shape *s = &w->shape;
    dnnl_dims_t stride = {s->stride_h, s->stride_w}, dilate = {s->dilation_h - 1, s->dilation_w - 1};
    dnnl_dims_t before = {s->pad_top, s->pad_left}, after = {s->pad_bottom, s->pad_right}, bias = {s->oc};
    activation_desc(s->n, s->ic, s->ih, s->iw, w->src_blocked, &c->src);
    activation_desc(s->n, s->oc, s->oh, s->ow, w->dst_blocked, &c->dst);
    if (any)
        weight_dims(s, &c->weight, 1);
    else
        ct__weight_desc(s, &w->weight, &c->weight);
    memset(&c->bias, 0, sizeof c->bias);
    if (w->bias) dnnl_memory_desc_init_by_tag(&c->bias, 1, bias, dnnl_f32, dnnl_x);
    const dnnl_memory_desc_t *b = w->bias ? &c->bias : NULL;
    if (w->kind == CT__CONV_DATA)
        return dnnl_dilated_convolution_backward_data_desc_init(
            out, dnnl_convolution_direct, &c->src, &c->weight, &c->dst, stride, dilate, before, after);
    if (w->kind == CT__CONV_WEIGHT)
        return dnnl_dilated_convolution_backward_weights_desc_init(
            out, dnnl_convolution_direct, &c->src, &c->weight, b, &c->dst, stride, dilate, before, after);
    return dnnl_dilated_convolution_forward_desc_init(
        out, w->training ? dnnl_forward_training : dnnl_forward_inference, dnnl_convolution_direct, &c->src,
        &c->weight, b, &c->dst, stride, dilate, before, after);
}

static dnnl_status_t attributes(const ct__conv_wish *w, dnnl_primitive_attr_t *out) {
    dnnl_status_t s = dnnl_primitive_attr_create(out);
    if (s == dnnl_success) s = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    /* said, as the library's default can be changed from its environment */
    if (s == dnnl_success) s = dnnl_primitive_attr_set_fpmath_mode(*out, dnnl_fpmath_mode_strict);
    if (s == dnnl_success && w->relu) {
        dnnl_post_ops_t post;
        s = dnnl_post_ops_create(&post);
        if (s == dnnl_success) s = dnnl_post_ops_append_eltwise(post, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
        if (s == dnnl_success) s = dnnl_primitive_attr_set_post_ops(*out, post);
        dnnl_post_ops_destroy(post);
    }
    return s;
}

/* The first implementation that is no reference. The backward directions take a forward one as a hint. */
static dnnl_primitive_desc_t find(const dnnl_convolution_desc_t *desc, const_dnnl_primitive_attr_t attr,
                                  dnnl_engine_t engine, const_dnnl_primitive_desc_t hint) {
    dnnl_primitive_desc_iterator_t it;
    dnnl_primitive_desc_t found = NULL;
    if (dnnl_primitive_desc_iterator_create(&it, desc, attr, engine, hint) != dnnl_success) return NULL;
    do {
        const char *name = NULL;
        dnnl_primitive_desc_t pd = dnnl_primitive_desc_iterator_fetch(it);
        if (!pd) break;
        if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success &&
            !ct__onednn_is_ref(name))
            found = pd;
        else
            dnnl_primitive_desc_destroy(pd);
    } while (!found && dnnl_primitive_desc_iterator_next(it) == dnnl_success);
    dnnl_primitive_desc_iterator_destroy(it);
    return found;
}

static dnnl_primitive_desc_t forward_hint(const ct__conv_wish *w, ct__conv *c) {
    ct__conv_wish f = *w;
    ct__conv like = *c;
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t pd = NULL;
    f.kind = CT__CONV_FORWARD;
    f.training = 1;
    f.bias = 0;
    if (w->kind == CT__CONV_FORWARD) return NULL;
    if (op_desc(&f, &like, 1, &desc) != dnnl_success) return NULL;
    dnnl_primitive_desc_create(&pd, &desc, NULL, c->engine, NULL);
    return pd;
}

static dnnl_primitive_desc_t choose(ct__conv_wish *w, ct__conv *c, const_dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t hint = forward_hint(w, c), pd = NULL;
    for (int any = w->any_weight; !pd && any <= 1; any++)
        if (op_desc(w, c, any, &desc) == dnnl_success) pd = find(&desc, attr, c->engine, hint);
    if (hint) dnnl_primitive_desc_destroy(hint);
    return pd;
}

/* Is there a kernel for a direction with these layouts? */
static int possible(const ct__conv_shape *s, int32_t kind, int32_t relu, const int32_t blocked[2]) {
    ct__conv c = {0};
    dnnl_primitive_attr_t attr = NULL;
    ct__conv_wish w = {.shape = *s,
                       .kind = kind,
                       .bias = kind != CT__CONV_DATA,
                       .relu = relu,
                       .src_blocked = blocked[kind == CT__CONV_DATA ? 1 : 0],
                       .dst_blocked = blocked[1],
                       .any_weight = 1,
                       .training = 1};
    if (ct__onednn_reserve(NULL) || dnnl_engine_create(&c.engine, dnnl_cpu, 0) != dnnl_success) return 0;
    dnnl_primitive_desc_t pd = attributes(&w, &attr) == dnnl_success ? choose(&w, &c, attr) : NULL;
    if (attr) dnnl_primitive_attr_destroy(attr);
    if (pd) dnnl_primitive_desc_destroy(pd);
    dnnl_engine_destroy(c.engine);
    return pd != NULL;
}

static int all_possible(const ct__conv_shape *s, int32_t relu, const int32_t blocked[2]) {
    for (int32_t kind = CT__CONV_FORWARD; kind <= CT__CONV_WEIGHT; kind++)
        if (!possible(s, kind, relu && kind == CT__CONV_FORWARD, blocked)) return 0;
    return 1;
}

/* Blocked wherever it can be; kernels for first layers read plain pictures. Shapes that fill whole blocks, with
 * odd windows, steps of at most 2, images no smaller than the window and padding of at most half of it, are known to
 * have kernels, the others are tried: an order that all directions have, so that nothing is moved between them, else
 * one that this one has. */
static void choose_layouts(const ct__conv_shape *s, int32_t kind, int32_t relu, int32_t out[2]) {
    int64_t b = ct__block_channels(), first = s->groups == 1 && s->ic <= 3,
            depthwise = s->groups == s->ic && s->groups == s->oc;
    int plain = s->groups > 1 && !depthwise && (s->ic / s->groups % b != 0 || s->oc / s->groups % b != 0);
    const int32_t orders[3][2] = {{!first && !plain, !plain}, {!plain, !plain}, {0, 0}};
    int plain_window = s->groups == 1 && s->kh == s->kw && s->kh % 2 == 1 && s->dilation_h == 1 &&
                       s->dilation_w == 1 && s->stride_h == s->stride_w && s->stride_h <= 2;
    int within = 2 * s->pad_top < s->kh && 2 * s->pad_left < s->kw && 2 * s->pad_bottom < s->kh &&
                 2 * s->pad_right < s->kw && s->ih >= s->kh && s->iw >= s->kw && s->oh > 1 && s->ow > 1;
    int known = b == 16 && (first || s->ic % b == 0) && s->oc % b == 0 && plain_window && within;
    int found = known ? 0 : -1;
    for (int i = 0; i < 3 && found < 0; i++)
        if (all_possible(s, relu, orders[i])) found = i;
    for (int i = 0; i < 3 && found < 0; i++)
        if (possible(s, kind, relu, orders[i])) found = i;
    memcpy(out, orders[found < 0 ? 2 : found], sizeof orders[0]);
}

void ct__conv_layouts(ct__conv_wish *w) {
    int32_t blocked[2];
    ct__conv_shape s = w->shape;
    s.n = 2; /* whole and ragged shards must agree */
    choose_layouts(&s, w->kind, w->relu, blocked);
    w->dst_blocked = blocked[1];
    w->src_blocked = w->kind == CT__CONV_DATA && blocked[1] ? 1 : blocked[0];
}

static void keep(ct__conv_wish *w, ct__conv *c, const_dnnl_primitive_desc_t pd) {
    dnnl_query_t what = w->kind == CT__CONV_WEIGHT ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    const dnnl_memory_desc_t *weight = dnnl_primitive_desc_query_md(pd, what, 0),
                             *scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    const char *name = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    c->weight = *weight;
    c->scratch = *scratch;
    c->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    strncpy(c->impl, name, sizeof c->impl - 1);
    describe_weight(weight, &w->weight);
}

/* No kernel at all: loops, where all is plain. */
static int keep_direct(ct__conv_wish *w, ct__conv *c) {
    if (w->src_blocked || w->dst_blocked) return 0;
    weight_dims(&w->shape, &c->weight, 0);
    describe_weight(&c->weight, &w->weight);
    strncpy(c->impl, "cotan:direct", sizeof c->impl - 1);
    return c->direct = 1;
}

ct_status ct__conv_new(const ct_allocator *a, ct__conv_wish *w, ct__conv **out, ct_err *e) {
    ct_status status = ct__onednn_reserve(e);
    if (status) return status;
    ct__conv *c = ct_new(a, sizeof *c);
    if (!c) return ct_fail(e, CT_ELIMIT, "convolution: out of memory");
    if (a) c->allocator = *a;
    c->shape = w->shape;
    c->kind = w->kind;
    c->has_bias = w->bias;
    c->relu = w->relu;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = dnnl_engine_create(&c->engine, dnnl_cpu, 0);
    if (s == dnnl_success) s = dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags);
    if (s == dnnl_success) s = attributes(w, &attr);
    if (s == dnnl_success && !(pd = choose(w, c, attr)) && !keep_direct(w, c)) s = dnnl_unimplemented;
    if (s == dnnl_success && pd) keep(w, c, pd);
    if (s == dnnl_success && pd) s = dnnl_primitive_create(&c->primitive, pd);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (attr) dnnl_primitive_attr_destroy(attr);
    if (s != dnnl_success) {
        ct__conv_free(c);
        return ct__onednn_fail(e, s,
                               w->kind == CT__CONV_FORWARD ? "forward"
                               : w->kind == CT__CONV_DATA  ? "backward by data"
                                                           : "backward by weights",
                               &w->shape);
    }
    *out = c;
    return CT_OK;
}

void ct__conv_free(ct__conv *c) {
    if (!c) return;
    if (c->primitive) dnnl_primitive_destroy(c->primitive);
    if (c->stream) dnnl_stream_destroy(c->stream);
    if (c->engine) dnnl_engine_destroy(c->engine);
    ct_allocator a = c->allocator;
    ct_delete(&a, c, sizeof *c);
}

const char *ct__conv_impl(const ct__conv *c) { return c->impl; }
uint64_t ct__conv_scratch(const ct__conv *c) { return c->scratch_bytes + 64; }

/* ---- run ---- */

static ct_status run_direct(const ct__conv *c, const void *p0, const void *p1, void *p2, void *p3) {
    float *in = (float *)(uintptr_t)p0, *by = (float *)(uintptr_t)p1;
    ct__direct d = c->kind == CT__CONV_FORWARD ? (ct__direct){in, by, p2, p3}
                   : c->kind == CT__CONV_DATA  ? (ct__direct){p3, by, NULL, in}
                                               : (ct__direct){in, p3, p2, by};
    ct__direct_run(&c->shape, c->kind, c->relu, &d);
    return CT_OK;
}

typedef struct arguments {
    dnnl_exec_arg_t arg[5];
    int32_t count;
    int32_t failed;
} arguments;

static void add(arguments *l, const ct__conv *c, int kind, const dnnl_memory_desc_t *desc, const void *data) {
    dnnl_memory_t m;
    if (dnnl_memory_create(&m, desc, c->engine, (void *)(uintptr_t)data) != dnnl_success)
        l->failed = 1;
    else
        l->arg[l->count++] = (dnnl_exec_arg_t){kind, m};
}

ct_status ct__conv_run(const ct__conv *c, const void *p0, const void *p1, void *p2, void *p3, void *scratch) {
    arguments l = {.count = 0};
    if (c->direct) return run_direct(c, p0, p1, p2, p3);
    if (c->kind == CT__CONV_FORWARD) {
        add(&l, c, DNNL_ARG_SRC, &c->src, p0);
        add(&l, c, DNNL_ARG_WEIGHTS, &c->weight, p1);
        if (c->has_bias) add(&l, c, DNNL_ARG_BIAS, &c->bias, p2);
        add(&l, c, DNNL_ARG_DST, &c->dst, p3);
    } else if (c->kind == CT__CONV_DATA) {
        add(&l, c, DNNL_ARG_DIFF_DST, &c->dst, p0);
        add(&l, c, DNNL_ARG_WEIGHTS, &c->weight, p1);
        add(&l, c, DNNL_ARG_DIFF_SRC, &c->src, p3);
    } else {
        add(&l, c, DNNL_ARG_SRC, &c->src, p0);
        add(&l, c, DNNL_ARG_DIFF_DST, &c->dst, p1);
        if (c->has_bias) add(&l, c, DNNL_ARG_DIFF_BIAS, &c->bias, p2);
        add(&l, c, DNNL_ARG_DIFF_WEIGHTS, &c->weight, p3);
    }
    if (c->scratch_bytes) add(&l, c, DNNL_ARG_SCRATCHPAD, &c->scratch, scratch);
    dnnl_status_t s =
        l.failed ? dnnl_out_of_memory : dnnl_primitive_execute(c->primitive, c->stream, l.count, l.arg);
    for (int32_t i = 0; i < l.count; i++) dnnl_memory_destroy(l.arg[i].memory);
    return s == dnnl_success ? CT_OK : s == dnnl_out_of_memory ? CT_ELIMIT : CT_EINTERNAL;
}
