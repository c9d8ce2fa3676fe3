/* test_property.c: what holds for every plan. For the nets of the benchmarks and for random graphs: no two live buffers
 * overlap, no step runs a reference implementation; threads, memory reuse and merging change no bit; the cut of the
 * batch, fusion and layouts change last digits only. And the gradient of a linear map is its transpose. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "nets.h"
#include "plan/interpret.h"
#include "plan/plan.h"

static void verify(ct_plan *p, int64_t batch, const char *what) {
    ct__instance *t;
    ct_err e = {0};
    if (ct__instance_of(p, batch, &t, &e)) fail_msg("%s: %s", what, e.text);
    if (ct__verify_memory(t, &e)) fail_msg("%s: %s", what, e.text);
    for (int32_t i = 0; i < t->steps; i++)
        if (strstr(t->step[i].impl, "ref")) fail_msg("%s: step %d runs %s", what, i, t->step[i].impl);
    ct__instance_leave(t);
}

static void bench_plans(void **state) {
    (void)state;
    for (int i = 0; i < NETS; i++) {
        bench_net n = net_at(i);
        ct_options o = {.threads = 3};
        ct_ctx *c = ct_open(&o);
        ct_plan *predict, *train = NULL;
        ct_err e = {0};
        ct_t y = build_net(c, &n);
        int small = strcmp(n.name, "alexnet") == 0;
        if (ct_plan_new(&y, 1, NULL, 0, (ct_compile){0}, &predict, &e) ||
            ct_compile_train(net_loss(y, &n), NULL, 0, &(ct_train){.batch = n.batch, .clip_norm = 1}, &train,
                             &e))
            fail_msg("%s: %s", n.name, e.text);
        verify(train, n.batch, n.name);
        verify(train, n.batch - 3, n.name);              /* a ragged shard */
        if (!small) verify(train, 12 * n.batch, n.name); /* lanes */
        verify(predict, 1, n.name);
        verify(predict, small ? 4 : n.batch, n.name);
        ct_plan_free(predict);
        ct_plan_free(train);
        ct_close(c);
    }
}

/* ---- the verifier sees what is wrong ---- */

static void overlap_seen(void **state) {
    bench_net n = net_at(2);
    ct_ctx *c = ct_open(NULL);
    ct_plan *p;
    ct__instance *t = NULL;
    ct_err e = {0};
    int32_t seen = 0, moved = 0;
    (void)state;
    if (ct_compile_train(net_loss(build_net(c, &n), &n), NULL, 0, &(ct_train){.batch = 16}, &p, &e) ||
        ct__instance_of(p, 16, &t, &e))
        fail_msg("%s", e.text);
    for (int32_t i = 0; i < t->vals; i++) { /* each buffer moved onto the beginning in turn */
        ct__val *v = &t->val[i];
        uint64_t keep = v->offset;
        if (v->root != i || (v->base != CT__BASE_THREAD && v->base != CT__BASE_SHARED) || !keep) continue;
        v->offset = 0;
        moved++;
        ct_error_clear(&e);
        seen += ct__verify_memory(t, &e) == CT_EINTERNAL;
        v->offset = 32;
        assert_int_equal(ct__verify_memory(t, NULL), CT_EINTERNAL);
        v->offset = keep;
    }
    assert_true(moved > 10 && seen > moved / 3);
    assert_int_equal(ct__verify_memory(t, NULL), CT_OK);
    ct__instance_leave(t);
    ct_plan_free(p);
    ct_close(c);
}

/* ---- random graphs ---- */

enum { ROWS = 23, SIDE = 6, POOL = 8, MAX_PARAMS = 64 };

typedef struct maker {
    ct_random r;
    ct_t image[POOL], row[POOL];
    int images, rows, names;
} maker;

static int64_t pick(maker *m, int64_t n) { return (int64_t)ct_random_below(&m->r, (uint64_t)n); }
static const char *name(maker *m) {
    static char text[16];
    snprintf(text, sizeof text, "p%d", m->names++);
    return text;
}
static void put(maker *m, ct_t x) { /* the newest last; the oldest goes */
    int image = ct_shape_of(x).rank == 4;
    ct_t *pool = image ? m->image : m->row;
    int *n = image ? &m->images : &m->rows;
    if (*n == POOL) memmove(pool, pool + 1, (size_t)-- * n * sizeof *pool);
    pool[(*n)++] = x;
}
static ct_t recent(maker *m, const ct_t *pool, int n) { return pool[n - 1 - pick(m, n < 3 ? n : 3)]; }
static ct_t same_as(maker *m, ct_t x) { /* another of that shape, or itself */
    int image = ct_shape_of(x).rank == 4;
    for (int i = 0; i < POOL; i++) {
        ct_t y = image ? m->image[pick(m, m->images)] : m->row[pick(m, m->rows)];
        ct_shape a = ct_shape_of(x), b = ct_shape_of(y);
        if (ct_shape_equal(&a, &b)) return y;
    }
    return x;
}

static ct_t from_image(maker *m) {
    ct_t x = recent(m, m->image, m->images), two[2];
    ct_shape s = ct_shape_of(x);
    int64_t axis[1] = {0};
    switch (pick(m, 13)) {
        case 0:
        case 1:
            return ct_conv2d(x, name(m), 1 + pick(m, 20), 3, (ct_conv){.pad = 1});
        case 2:
            return ct_batch_norm(x, name(m), (ct_batchnorm){0});
        case 3:
            return ct_relu(x);
        case 4:
            return ct_sigmoid(x);
        case 5:
            return s.dim[2] >= 4 ? ct_maxpool2d(x, 2, (ct_pool){0}) : ct_tanh(x);
        case 6:
            return s.dim[2] >= 4 ? ct_avgpool2d(x, 2, (ct_pool){0}) : ct_silu(x);
        case 7:
            return ct_add(x, same_as(m, x));
        case 8:
            return ct_mul(x, ct_tanh(same_as(m, x)));
        case 9:
            two[0] = x, two[1] = same_as(m, x);
            return s.dim[1] < 30 ? ct_concat(two, 2, 1) : ct_neg(x);
        case 10:
            return s.dim[1] > 2 ? ct_slice(x, 1, 1, s.dim[1], 1) : ct_gelu(x);
        case 11:
            return ct_sub(x, ct_mean(x, ct_shape_make(1, axis), (ct_reduce){.keep = 1})); /* over the batch */
        default:
            return ct_flatten(x);
    }
}
static ct_t from_row(maker *m) {
    ct_t x = recent(m, m->row, m->rows);
    ct_shape s = ct_shape_of(x);
    switch (pick(m, 10)) {
        case 0:
        case 1:
            return ct_linear(x, name(m), 1 + pick(m, 40), (ct_lin){0});
        case 2:
            return ct_layer_norm(x, name(m), (ct_layernorm){0});
        case 3:
            return ct_relu(x);
        case 4:
            return ct_softmax(x, -1);
        case 5:
            return ct_add(x, same_as(m, x));
        case 6:
            return ct_mul(x, ct_sigmoid(same_as(m, x)));
        case 7:
            return ct_batch_norm(x, name(m), (ct_batchnorm){0});
        case 8:
            return ct_reshape(ct_transpose(ct_reshape(x, CT_SHAPE(CT_N, s.dim[1], 1)), 1, 2),
                              CT_SHAPE(CT_N, s.dim[1]));
        default:
            return ct_dropout(x, name(m), 0.3);
    }
}

static ct_t random_loss(ct_ctx *c, uint64_t seed) {
    maker m = {.r = ct_random_stream(seed, 77)};
    ct_shape all = ct_shape_make(0, NULL);
    put(&m, ct_input(c, "image", CT_F32, CT_SHAPE(CT_N, 1 + pick(&m, 17), SIDE, SIDE)));
    put(&m, ct_input(c, "row", CT_F32, CT_SHAPE(CT_N, 12)));
    for (int i = 0; i < 24; i++) put(&m, pick(&m, 2) ? from_image(&m) : from_row(&m));
    ct_t loss = ct_number(ct_default_graph(c), 0);
    for (int i = 0; i < 3; i++) {
        ct_t x = ct_flatten(i < 2 ? m.image[m.images - 1 - (m.images > 1 ? i : 0)] : m.row[m.rows - 1]);
        x = ct_tanh(ct_linear(ct_tanh(x), name(&m), 3, (ct_lin){0}));
        loss = ct_add(loss, ct_mean(ct_square(x), all, (ct_reduce){0}));
    }
    return loss;
}

typedef struct values {
    int32_t n;
    ct_shape shape[MAX_PARAMS];
    uint64_t count[MAX_PARAMS];
    float *v[MAX_PARAMS];
} values;
static void free_values(values *v) {
    for (int32_t i = 0; i < v->n; i++) free(v->v[i]);
}

/* The same in doubles by the references of the ops, all of it uncut. */
static void reference(ct_ctx *c, const ct_t *out, values *r, const ct_plan *p, float *const *feed) {
    ct_graph *g = ct_default_graph(c);
    ct_arena arena = {0};
    ct__ref_array result[MAX_PARAMS];
    ct_err e = {0};
    ct__interpreter t = {.graph = g, .batch = ROWS, .train = 1, .nodes = g->nodes, .seed = ct_seed(c)};
    t.source = ct_arena_array(&arena, (uint64_t)g->nodes, sizeof *t.source);
    for (int32_t i = 0; i < g->nodes; i++) {
        const ct_node *n = g->node[i];
        uint64_t count = 0;
        if (!(n->op->flags & CT__OP_SOURCE) || n->data || !n->n_out) continue;
        assert_true(ct__ref_new(&arena, &n->out[0], ROWS, &t.source[i]));
        ct_shape_count(&t.source[i].shape, 1, &count);
        const float *from = NULL;
        for (int32_t k = 0; k < ct_plan_inputs(p); k++)
            if (!n->var && strcmp(ct_plan_input_name(p, k), n->name) == 0) from = feed[k];
        float *plain = malloc((count + 1) * sizeof *plain);
        if (n->var && n->var->dtype == CT_F32) {
            ct_array a = ct_array_view(plain, CT_F32, n->var->shape);
            assert_int_equal(ct_var_get(c, n->name, &a, &e), CT_OK);
            from = plain;
        }
        for (uint64_t k = 0; from && k < count; k++) t.source[i].v[k] = (double)from[k];
        free(plain);
    }
    if (ct__interpret(&t, &arena, out, r->n, result, &e)) fail_msg("%s", e.text);
    for (int32_t i = 0; i < r->n; i++)
        for (uint64_t k = 0; k < r->count[i]; k++) r->v[i][k] = (float)result[i].v[k];
    ct_arena_free(&arena);
}

/* exact: in doubles instead of by the plan. */
static values compute(uint64_t seed, ct_compile o, int exact) {
    ct_options options = {.threads = 3, .seed = seed};
    ct_ctx *c = ct_open(&options);
    ct_t out[MAX_PARAMS], param[MAX_PARAMS];
    ct_err e = {0};
    values r = {0};
    ct_plan *p;
    out[0] = random_loss(c, seed);
    int32_t n = ct_parameters(out[0], param, MAX_PARAMS - 1);
    assert_true(n < MAX_PARAMS);
    if (ct_grad(out[0], NULL, param, n, out + 1)) fail_msg("graph %d: %s", (int)seed, ct_error(c));
    r.n = n + 1;
    o.train = 1;
    if (ct_plan_new(out, r.n, NULL, 0, o, &p, &e)) fail_msg("graph %d: %s", (int)seed, e.text);
    verify(p, ROWS, "random graph");
    const void *in[2] = {0};
    float *feed[2];
    for (int32_t i = 0; i < ct_plan_inputs(p); i++) {
        uint64_t count = 0;
        ct_shape s = ct_plan_input_shape(p, i);
        ct_random x = ct_random_stream(seed, s.rank == 4 ? 5 : 6);
        ct_shape_count(&s, ROWS, &count);
        in[i] = feed[i] = malloc(count * sizeof(float));
        for (uint64_t k = 0; k < count; k++) feed[i][k] = (float)ct_random_normal(&x);
    }
    for (int32_t i = 0; i < r.n; i++) {
        r.shape[i] = ct_shape_of(out[i]);
        ct_shape_count(&r.shape[i], ROWS, &r.count[i]);
        r.v[i] = calloc(r.count[i] + 1, sizeof(float));
    }
    if (exact)
        reference(c, out, &r, p, feed);
    else if (ct_run(ct_default_session(c), p, in, ROWS, (void *const *)r.v))
        fail_msg("graph %d: %s", (int)seed, ct_error(c));
    for (int32_t i = 0; i < ct_plan_inputs(p); i++) free(feed[i]);
    ct_plan_free(p);
    ct_close(c);
    return r;
}

static void equal_bits(uint64_t seed, const char *what, const values *a, const values *b) {
    for (int32_t i = 0; i < a->n; i++)
        if (memcmp(a->v[i], b->v[i], a->count[i] * sizeof(float)))
            fail_msg("graph %d: %s changes bits of output %d", (int)seed, what, (int)i);
}
/* Of loss and gradients; relative to the length of all gradients together, as one of them may be nothing but rounding. */
static double apart(const values *a, const values *b) {
    double d = 0, all = 0;
    for (int32_t i = 1; i < a->n; i++)
        for (uint64_t k = 0; k < a->count[i]; k++) {
            d += pow((double)a->v[i][k] - (double)b->v[i][k], 2);
            all += pow((double)a->v[i][k], 2);
        }
    double loss = fabs((double)a->v[0][0] / (double)b->v[0][0] - 1);
    return fmax(sqrt(d / (all + 1e-12)), loss);
}

static void random_graphs(void **state) {
    static const struct {
        const char *name;
        ct_compile o;
        int bits;
    } forms[] = {{"one thread", {.shard = 5, .one_thread = 1}, 1},
                 {"no reuse of memory", {.shard = 5, .one_thread = -1, .no_reuse = 1}, 1},
                 {"no merging", {.shard = 5, .one_thread = -1, .no_cse = 1}, 1},
                 {"no fusion", {.shard = 5, .no_fuse = 1}, 0},
                 {"no layouts", {.shard = 5, .no_layout = 1}, 0},
                 {"one shard", {.shard = ROWS}, 0},
                 {"shards of 1", {.shard = 1, .one_thread = -1}, 0},
                 {"shards of 2", {.shard = 2, .one_thread = -1}, 0}};
    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        values a = compute(seed, (ct_compile){.shard = 5, .one_thread = -1}, 0),
               exact = compute(seed, (ct_compile){0}, 1);
        double own = apart(&a, &exact); /* deep graphs may magnify rounding */
        for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
            values b = compute(seed, forms[f].o, 0);
            assert_int_equal(a.n, b.n);
            if (forms[f].bits) equal_bits(seed, forms[f].name, &a, &b);
            double d = apart(&a, &b);
            if (d > 1e-6 && d > 3 * own)
                fail_msg("graph %d: %s: gradients are %.3g apart, %.3g from the exact ones", (int)seed,
                         forms[f].name, d, own);
            free_values(&b);
        }
        if (own > 2e-5) fail_msg("graph %d: gradients are %.3g from the exact ones", (int)seed, own);
        free_values(&a);
        free_values(&exact);
    }
}

/* Equal work that expansion brings to light is done once, and the same is done when it is not merged. */
static void merging(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 5)),
         label = ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), none = {0, 0, 0},
         out[2] = {ct_cross_entropy(x, label, none, (ct_ce){0}),
                   ct_cross_entropy(x, label, none, (ct_ce){.reduction = 1})};
    ct_plan *p, *q;
    ct_plan_info a, b;
    ct_err e = {0};
    float in[15], y[2][2];
    int64_t id[3] = {0, 4, 2};
    (void)state;
    for (int i = 0; i < 15; i++) in[i] = sinf((float)i);
    assert_int_equal(ct_plan_new(out, 2, NULL, 0, (ct_compile){0}, &p, &e), CT_OK);
    assert_int_equal(ct_plan_new(out, 2, NULL, 0, (ct_compile){.no_cse = 1}, &q, &e), CT_OK);
    assert_int_equal(ct_plan_describe(p, 3, &a, &e), CT_OK);
    assert_int_equal(ct_plan_describe(q, 3, &b, &e), CT_OK);
    assert_true(a.steps < b.steps);
    assert_int_equal(
        ct_run(ct_default_session(c), p, (const void *[2]){in, id}, 3, (void *[2]){&y[0][0], &y[0][1]}),
        CT_OK);
    assert_int_equal(
        ct_run(ct_default_session(c), q, (const void *[2]){in, id}, 3, (void *[2]){&y[1][0], &y[1][1]}),
        CT_OK);
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    ct_plan_free(p);
    ct_plan_free(q);
    ct_close(c);
}

/* ---- <A x, y> = <x, A' y> ---- */

static ct_t linear_map(ct_ctx *c, int which, ct_t x) {
    ct_graph *g = ct_default_graph(c);
    int64_t one[1] = {1}, last[2] = {2, 3}, turn[4] = {0, 2, 3, 1}, pads[4] = {1, 2, 0, 1};
    ct_t two[2] = {x, ct_mul_scalar(x, 3)};
    switch (which) {
        case 0:
            return ct_conv2d(x, "k", 5, 3, (ct_conv){.pad = 1, .no_bias = 1});
        case 1:
            return ct_conv2d(x, "k", 16, 3, (ct_conv){.stride = 2, .dilation = 2, .pad = 2, .no_bias = 1});
        case 2:
            return ct_linear(ct_flatten(x), "k", 7, (ct_lin){.no_bias = 1});
        case 3:
            return ct_sum(x, ct_shape_make(1, one), (ct_reduce){0});
        case 4:
            return ct_mean(x, ct_shape_make(2, last), (ct_reduce){.keep = 1});
        case 5:
            return ct_permute(x, ct_shape_make(4, turn));
        case 6:
            return ct_slice(x, 2, 1, 5, 2);
        case 7:
            return ct_pad(x, ct_shape_make(4, pads), 0);
        case 8:
            return ct_concat(two, 2, 1);
        case 9:
            return ct_avgpool2d(x, 3, (ct_pool){.stride = 1, .pad = 1});
        case 10:
            return ct_cumsum(x, 3);
        case 11:
            return ct_expand(ct_slice(x, 1, 0, 1, 1), CT_SHAPE(CT_N, 3, 6, 6));
        case 12:
            return ct_conv_transpose2d(x, "k", 4, 3, (ct_conv_t){.stride = 2, .no_bias = 1});
        case 13:
            return ct_matmul(x, ct_graph_input(g, "m", CT_F32, CT_SHAPE(6, 4)));
        case 14:
            return ct_sub(ct_mul_scalar(x, 0.5), ct_transpose(x, 2, 3));
        case 15:
            return ct_adaptive_avgpool2d(x, 4, 5);
        case 16:
            return ct_reshape(x, CT_SHAPE(-3, 36));
        default:
            return ct_where(ct_graph_input(g, "m", CT_BOOL, CT_SHAPE(6, 6)), x, ct_neg(x));
    }
}

static float *noise(ct_shape s, int64_t n, uint64_t stream, uint64_t *count) {
    ct_random r = ct_random_stream(11, stream);
    ct_shape_count(&s, n, count);
    float *x = malloc((*count + 1) * sizeof *x);
    for (uint64_t i = 0; i < *count; i++) x[i] = (float)ct_random_normal(&r);
    return x;
}

static void transposes(void **state) {
    enum { N = 9, MAPS = 18 };
    (void)state;
    for (int k = 0; k < MAPS; k++) {
        ct_ctx *c = ct_open(NULL);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3, 6, 6)), out[2] = {linear_map(c, k, x)};
        ct_t dy = ct_graph_input(ct_default_graph(c), "dy", CT_F32, ct_shape_of(out[0]));
        uint64_t nx, ny;
        ct_plan *p;
        ct_err e = {0};
        if (ct_grad(out[0], &dy, &x, 1, &out[1]) ||
            ct_plan_new(out, 2, NULL, 0, (ct_compile){.train = 1, .shard = 2, .one_thread = -1}, &p, &e))
            fail_msg("map %d: %s %s", k, ct_error(c), e.text);
        float *in = noise(ct_shape_of(x), N, 1, &nx), *cotangent = noise(ct_shape_of(dy), N, 2, &ny),
              matrix[36];
        float *y = calloc(ny + 1, sizeof *y), *dx = calloc(nx + 1, sizeof *dx);
        const void *feed[3];
        for (int i = 0; i < 36; i++) matrix[i] = sinf((float)i);
        if (k == MAPS - 1)
            for (int i = 0; i < 36; i++) ((uint8_t *)matrix)[i] = i % 3 == 0;
        for (int32_t i = 0; i < ct_plan_inputs(p); i++) {
            const char *n = ct_plan_input_name(p, i);
            feed[i] = strcmp(n, "x") == 0 ? in : strcmp(n, "dy") == 0 ? cotangent : matrix;
        }
        if (ct_run(ct_default_session(c), p, feed, N, (void *[2]){y, dx}))
            fail_msg("map %d: %s", k, ct_error(c));
        double left = 0, right = 0, size = 0;
        for (uint64_t i = 0; i < ny; i++) left += (double)y[i] * (double)cotangent[i];
        for (uint64_t i = 0; i < nx; i++) right += (double)in[i] * (double)dx[i];
        for (uint64_t i = 0; i < nx; i++) size += fabs((double)in[i] * (double)dx[i]);
        if (!(fabs(left - right) <= 1e-6 * size) || size == 0)
            fail_msg("map %d: %.9g and %.9g", k, left, right);
        free(in), free(cotangent), free(y), free(dx);
        ct_plan_free(p);
        ct_close(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bench_plans), cmocka_unit_test(overlap_seen),
                                       cmocka_unit_test(random_graphs), cmocka_unit_test(merging),
                                       cmocka_unit_test(transposes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
