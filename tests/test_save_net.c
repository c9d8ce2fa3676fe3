/* Nets written in C and saved by ct_model_save_net: what is read back computes the same bits; what cannot be text is
 * refused by name, and nothing is written. */
#include "rows.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cotan/model.h"
#include "cotan/nn.h"
#include "cotan/task.h"

static const char path[] = "test_save_net.safetensors";
#define SIDE 8
#define ROWS 3

/* Scopes, buffers, a random op, options with defaults and without, one tensor used twice, a tied parameter. */
static ct_t written_in_c(ct_ctx *c) {
    ct_t x = ct_input(c, "image", CT_F32, CT_SHAPE(CT_N, 1, SIDE, SIDE));
    for (int i = 0; i < 2; i++) {
        char name[20];
        snprintf(name, sizeof name, "block%d", i);
        ct_scope_push(ct_default_graph(c), name);
        ct_t h = ct_conv2d(x, "conv", 4, 3, (ct_conv){.pad = 1, .no_bias = i});
        x = ct_add(ct_leaky_relu(ct_batch_norm(h, "bn", (ct_batchnorm){0}), 0.25), h);
        ct_scope_pop(ct_default_graph(c));
    }
    x = ct_dropout(ct_flatten(ct_maxpool2d(x, 2, (ct_pool){0})), "drop", 0.5);
    x = ct_tanh(ct_linear(ct_mul_scalar(x, -0.3), "fc1", 64, (ct_lin){0}));
    x = ct_tanh(ct_linear(x, "fc2", 64, (ct_lin){.tie = "fc1.weight"}));
    return ct_linear(x, "out", 2, (ct_lin){0});
}

static void same_bits(void **state) {
    ct_ctx *c = ct_open(&(ct_options){.seed = 3});
    ct_t y = written_in_c(c);
    ct_err e = {0};
    float in[ROWS * SIDE * SIDE], out[ROWS * 2], again[ROWS * 2];
    ct_model *m;
    ct_session *s;
    (void)state;
    for (int i = 0; i < ROWS * SIDE * SIDE; i++) in[i] = (float)(i % 17) / 9 - 1;
    assert_int_equal(ct_predict(c, y, in, ROWS, out), CT_OK);
    if (ct_model_save_net(y, path, "{\"labels\":[\"a\",\"b\"],\"mine\":{\"n\":3}}", &e))
        fail_msg("%s", e.text);
    ct_close(c);
    if (ct_model_open(path, NULL, &m, &e)) fail_msg("%s", e.text);
    assert_int_equal(ct_session_new(ct_model_context(m), &s, &e), CT_OK);
    assert_int_equal(ct_run(s, ct_model_plan(m), (const void *[]){in}, ROWS, (void *[]){again}), CT_OK);
    assert_memory_equal(out, again, sizeof out);
    assert_string_equal(ct_model_label(m, 1), "b");
    assert_true(ct_model_number(m, "mine/n", 0) == 3);
    assert_string_equal(ct_plan_input_name(ct_model_plan(m), 0), "image");
    ct_session_free(s);
    ct_model_close(m);
    unlink(path);
}

/* Inputs that the loss alone reads are not the model's; those of the net keep their types. */
static void inputs(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_model *m;
    (void)state;
    ct_t id = ct_input(c, "id", CT_I64, CT_SHAPE(CT_N)), x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 4)),
         want = ct_input(c, "want", CT_F32, CT_SHAPE(CT_N, 1));
    ct_t y = ct_linear(ct_mul(ct_embedding(id, "users", 10, 4, (ct_embed){0}), x), "fc", 1, (ct_lin){0});
    assert_true(ct_ok(ct_mse(y, want, (ct_loss){0})));
    if (ct_model_save_net(y, path, NULL, &e)) fail_msg("%s", e.text);
    ct_close(c);
    if (ct_model_open(path, NULL, &m, &e)) fail_msg("%s", e.text);
    assert_int_equal(ct_plan_inputs(ct_model_plan(m)), 2);
    assert_int_equal(ct_plan_input_dtype(ct_model_plan(m), 0), CT_I64);
    assert_string_equal(ct_plan_input_name(ct_model_plan(m), 1), "x");
    assert_string_equal(ct_model_task(m), "");
    ct_model_close(m);
    unlink(path);
}

/* ---- with the keys of "image" the job of the command takes it ---- */

static int keep(void *user, const ct_prediction *p) {
    *(ct_prediction *)user = *p;
    return 0;
}

static void predicted(void **state) {
    static const char picture[] = "test_save_net.npy";
    uint8_t pixels[SIDE * SIDE] = {255};
    ct_array a = ct_array_view(pixels, CT_U8, CT_SHAPE(SIDE, SIDE));
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_model *m;
    ct_prediction p = {0};
    (void)state;
    assert_int_equal(ct_model_save_net(written_in_c(c), path,
                                       "{\"task\":\"image\",\"labels\":[\"day\",\"night\"],"
                                       "\"transform\":\"normalize mean=0.5 std=0.25\"}",
                                       &e),
                     CT_OK);
    ct_close(c);
    assert_int_equal(ct_npy_save(NULL, NULL, picture, &a, &e), CT_OK);
    assert_int_equal(ct_model_open(path, NULL, &m, &e), CT_OK);
    if (ct_predict_image(m, picture, keep, &p, &e)) fail_msg("%s", e.text);
    assert_string_equal(p.name, p.label ? "night" : "day");
    ct_model_close(m);
    unlink(picture);
    unlink(path);
}

/* ---- what is refused ---- */

static ct_status same_shape(void *user, const ct_shape *in, int32_t n, ct_shape *out, ct_err *e) {
    (void)user, (void)n, (void)e;
    *out = in[0];
    return CT_OK;
}
static ct_status copy(void *user, const ct_shape *shape, const float *const *in, int32_t n, float *out,
                      ct_err *e) {
    (void)user, (void)n, (void)e;
    memcpy(out, in[0], (size_t)(shape[0].dim[0] * shape[0].dim[1]) * sizeof *out);
    return CT_OK;
}

enum { CUSTOM, CONSTANT, NUMBER, SCALAR, VARIABLE, ALONE, NAME, INPUT, POISON, NETS };

static ct_t strange(ct_ctx *c, int which) {
    static const ct_custom op = {.name = "squash", .shape = same_shape, .forward = copy};
    static const float three[3] = {1, 2, 3};
    ct_graph *g = ct_default_graph(c);
    ct_t x = ct_input(c, which == INPUT ? "my input" : "x", CT_F32, CT_SHAPE(CT_N, 3)), h;
    if (which == CUSTOM) h = ct_custom_op(&op, &x, 1);
    if (which == CONSTANT) h = ct_mul(x, ct_constant(g, CT_F32, CT_SHAPE(3), three));
    if (which == NUMBER) h = ct_mul(x, ct_number(g, 0.5));
    if (which == SCALAR) h = ct_mul(x, ct_scalar(g, "temperature", 1));
    if (which == VARIABLE || which == ALONE)
        h = ct_var_new(g, CT_PARAM, "w", CT_F32, CT_SHAPE(3, 3), (ct_init){0});
    if (which == ALONE) return h;
    if (which == VARIABLE) h = ct_matmul(x, h);
    if (which == NAME || which == INPUT) h = x;
    if (which == POISON) h = ct_conv2d(x, "conv", 1, 3, (ct_conv){0});
    return ct_linear(h, which == NAME ? "a\"b" : "fc", 2, (ct_lin){0});
}

static void refused(void **state) {
    static const char *const wanted[NETS] = {
        "net: an op of the program's own, \"squash\"; wanted ops and layers",
        "net: an array, \"constant\"; wanted ops and layers",
        "net: an array, \"constant\"; wanted ops and layers",
        "net: an op without a word, \"scalar\"; wanted ops and layers",
        "net: a variable that no layer made, \"w\"; wanted",
        "net: a variable, \"w\"; wanted",
        "net: it cannot be read back from its text",
        "net: it cannot be read back from its text",
        "conv2d \"conv\": x is [N,3]",
    };
    (void)state;
    for (int i = 0; i < NETS; i++) {
        ct_ctx *c = ct_open(NULL);
        ct_err e = {0};
        ct_status s = ct_model_save_net(strange(c, i), path, NULL, &e);
        if (s != CT_EUSAGE || !strstr(e.text, wanted[i]))
            fail_msg("%d: %d %s; wanted %s", i, s, e.text, wanted[i]);
        if (i != POISON) rows_one_line("refused", &e);
        assert_int_equal(access(path, F_OK), -1);
        ct_close(c);
    }
}

static void documents(void **state) {
    static const char *const bad[][2] = {{"{\"net\":\"y = input(x)\"}", "a net or inputs of its own"},
                                         {"{\"inputs\":[]}", "a net or inputs of its own"},
                                         {"[1]", "no JSON object"},
                                         {"{", "no JSON object"}};
    ct_ctx *c = ct_open(NULL);
    ct_t y = ct_linear(ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3)), "fc", 2, (ct_lin){0});
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ct_err e = {0};
        assert_int_equal(ct_model_save_net(y, path, bad[i][0], &e), CT_EUSAGE);
        if (!strstr(e.text, bad[i][1])) fail_msg("%s", e.text);
    }
    ct_err e = {0};
    assert_int_equal(ct_model_save_net((ct_t){0}, path, NULL, &e), CT_EUSAGE);
    assert_int_equal(access(path, F_OK), -1);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits), cmocka_unit_test(inputs),
                                       cmocka_unit_test(predicted), cmocka_unit_test(refused),
                                       cmocka_unit_test(documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
