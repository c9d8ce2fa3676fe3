/* test_round_trip.c: M23, numbers that go out and come back are the same bits, -0, denormals, NaN with its payload and
 * infinities included: safetensors, models, .npy, variables in whatever order plans keep them, text, attributes of the
 * net. */
#include "evaluate.h"

#include <float.h>
#include <stdio.h>
#include <unistd.h>

#include "cotan/model.h"

/* Specials first, then any bits at all. */
static void fill(uint32_t *bits, int n, uint64_t stream) {
    static const uint32_t special[] = {0x80000000, 0,          1,          0x807fffff, 0x00800000,
                                       0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001,
                                       0x7fa5a5a5, 0x7f800001, 0x3f800000, 0x33800001};
    ct_random r = ct_random_stream(23, stream);
    for (int i = 0; i < n; i++)
        bits[i] = i < (int)(sizeof special / sizeof *special) ? special[i] : ct_random_u32(&r);
}

static const char *path_of(const char *name) {
    static char path[200];
    snprintf(path, sizeof path, "/tmp/cotan-round-trip-%d-%s", (int)getpid(), name);
    return path;
}

static void M23_files(void **state) {
    enum { N = 1000 };
    static uint32_t bits[N];
    static uint64_t wide[N];
    ct_err e = {0};
    (void)state;
    fill(bits, N, 0);
    fill((uint32_t *)wide, 2 * N, 1);
    ct_array single = ct_array_view(bits, CT_F32, CT_SHAPE(10, 100)),
             twice = ct_array_view(wide, CT_F64, CT_SHAPE(N)), back;
    ct_tensors *t, *u;
    assert_int_equal(ct_tensors_new(NULL, &t, &e), CT_OK);
    assert_int_equal(ct_tensors_add(t, "single", &single, &e), CT_OK);
    assert_int_equal(ct_tensors_add(t, "double", &twice, &e), CT_OK);
    assert_int_equal(ct_tensors_save(NULL, t, path_of("t"), &e), CT_OK);
    assert_int_equal(ct_tensors_load(NULL, NULL, path_of("t"), &u, &e), CT_OK);
    assert_int_equal(ct_tensors_at(u, ct_tensors_find(u, "single"), &back), CT_OK);
    assert_memory_equal(back.data, bits, sizeof bits);
    assert_int_equal(ct_tensors_at(u, ct_tensors_find(u, "double"), &back), CT_OK);
    assert_memory_equal(back.data, wide, sizeof wide);
    ct_tensors_free(t);
    ct_tensors_free(u);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ct_npy_save(NULL, NULL, path_of("t"), i ? &twice : &single, &e), CT_OK);
        assert_int_equal(ct_npy_load(NULL, NULL, path_of("t"), &back, &e), CT_OK);
        assert_memory_equal(back.data, i ? (void *)wide : (void *)bits, i ? sizeof wide : sizeof bits);
        ct_array_free(&back);
    }
    unlink(path_of("t"));
}

/* Weights whose homes a plan has chosen: convolution orders, panels of linear layers, plain. */
static void M23_weights_in_their_homes(void **state) {
    static const char net[] = "h = relu(conv2d(input(x), \"c1\", 17, 3, pad=1))\n"
                              "h = conv2d(h, \"c2\", 16, 3, groups=1)\n"
                              "y = linear(flatten(h), \"fc\", 19)\n";
    static uint32_t bits[40000], back[40000];
    ct_net_input in = {"x", CT_SHAPE(CT_N, 3, 6, 6), CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1};
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_t y;
    float x[108] = {0}, out[19];
    (void)state;
    assert_int_equal(ct_net_build(ct_default_graph(c), net, "net", &env, &y, &e), CT_OK);
    assert_int_equal(ct_predict(c, y, x, 1, out), CT_OK); /* fixes the homes */
    for (int64_t i = 0; i < ct_var_count(c); i++) {
        ct_var_info v;
        assert_int_equal(ct_var_at(c, i, &v), CT_OK);
        assert_true(v.count <= 40000);
        fill(bits, (int)v.count, (uint64_t)i);
        ct_array a = ct_array_view(bits, CT_F32, v.shape), b = ct_array_view(back, CT_F32, v.shape);
        assert_int_equal(ct_var_set(c, v.name, &a, &e), CT_OK);
        assert_int_equal(ct_var_get(c, v.name, &b, &e), CT_OK);
        if (memcmp(bits, back, v.count * sizeof *bits) != 0) fail_msg("%s comes back otherwise", v.name);
    }
    /* and through a model file into another context */
    assert_int_equal(ct_model_save(c, path_of("m"), "{}", &e), CT_OK);
    ct_tensors *t, *mine;
    const char *document;
    assert_int_equal(ct_model_read(NULL, NULL, path_of("m"), &t, &document, &e), CT_OK);
    assert_int_equal(ct_tensors_new(NULL, &mine, &e), CT_OK);
    assert_int_equal(ct_weights_collect(c, CT_MODEL_KINDS, mine, &e), CT_OK);
    for (int64_t i = 0; i < ct_tensors_count(mine); i++) {
        ct_array a, b;
        assert_int_equal(ct_tensors_at(mine, i, &a), CT_OK);
        assert_int_equal(ct_tensors_at(t, ct_tensors_find(t, ct_tensors_name(mine, i)), &b), CT_OK);
        assert_memory_equal(a.data, b.data, ct_array_count(&a) * sizeof(float));
    }
    ct_tensors_free(t);
    ct_tensors_free(mine);
    unlink(path_of("m"));
    ct_close(c);
}

static int same_float(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }
static int same_double(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

/* %.9g and %a of a float, %.17g and our shortest form of a double. */
static void M23_text(void **state) {
    enum { N = 200000 };
    static uint32_t bits[N];
    (void)state;
    fill(bits, N, 2);
    for (int i = 0; i < N; i++) {
        char text[64];
        float x;
        double d, y;
        memcpy(&x, &bits[i], sizeof x);
        snprintf(text, sizeof text, "%.9g", (double)x);
        if (isfinite(x)) assert_true(ct_parse_number(text, &d) && same_float((float)d, x));
        snprintf(text, sizeof text, "%a", (double)x);
        assert_true(same_float(strtof(text, NULL), x));
        uint64_t wide = (uint64_t)bits[i] << 32 | bits[N - 1 - i];
        memcpy(&y, &wide, sizeof y);
        snprintf(text, sizeof text, "%.17g", y);
        if (isfinite(y)) assert_true(ct_parse_number(text, &d) && same_double(d, y));
        ct_text shortest = {.allocator = NULL};
        ct_text_number(&shortest, y);
        if (isfinite(y)) assert_true(ct_parse_number(shortest.data, &d) && same_double(d, y));
        ct_text_free(&shortest);
    }
}

/* Numbers of a net: through print and parse the attribute is the same double. */
static void M23_attributes(void **state) {
    static const double numbers[] = {
        0.1, 1.0 / 3, -1e-300, 1e299, 5e-324, -0.0, 123456789.123456789, 0x1.fffffffffffffp-1};
    ct_err e = {0};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ct_ctx *c = ct_open(NULL);
        ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3)), y = ct_add_scalar(x, numbers[i]), z;
        ct_text text = {.allocator = NULL};
        ct_net_input in = {"x", CT_SHAPE(CT_N, 3), CT_F32, 0};
        ct_net_env env = {.inputs = &in, .n_inputs = 1};
        ct_graph *g = ct_graph_new(c);
        assert_int_equal(ct_graph_print(y, &text), CT_OK);
        if (ct_net_build(g, text.data, "printed", &env, &z, &e)) fail_msg("%s: %s", text.data, e.text);
        assert_true(same_double(z.node->attr[0].f, numbers[i]));
        ct_graph_free(g);
        ct_text_free(&text);
        ct_close(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(M23_files),
                                       cmocka_unit_test(M23_weights_in_their_homes),
                                       cmocka_unit_test(M23_text), cmocka_unit_test(M23_attributes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
