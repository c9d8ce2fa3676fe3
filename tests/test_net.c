/* The net as text: grammar, canonical form, defs, loops, scopes, params, errors with line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/nn.h"

static ct_status build(ct_ctx *c, const char *text, const ct_setting *set, int32_t n, ct_t *y, ct_err *e) {
    ct_net_input in = {.name = "image", .dtype = CT_F32, .shape = CT_SHAPE(CT_N, 1, 28, 28)};
    ct_setting constant = {"classes", "10"};
    ct_net_env env = {.inputs = &in,
                      .n_inputs = 1,
                      .constants = &constant,
                      .n_constants = 1,
                      .settings = set,
                      .n_settings = n};
    return ct_net_build(ct_default_graph(c), text, "t.net", &env, y, e);
}

static void presets(void **state) {
    (void)state;
    assert_true(ct_preset_count() >= 7);
    for (int32_t i = 0; i < ct_preset_count(); i++) {
        const char *text = ct_preset_text(ct_preset_name(i));
        ct_text once = {0}, twice = {0};
        ct_err e = {0};
        assert_int_equal(ct_net_print(text, ct_preset_name(i), NULL, 0, &once, &e), CT_OK);
        assert_int_equal(ct_net_print(once.data, ct_preset_name(i), NULL, 0, &twice, &e), CT_OK);
        assert_string_equal(once.data, twice.data); /* parse -> print -> parse is the identity */
        ct_text_free(&once);
        ct_text_free(&twice);
    }
}

static void cnn_shapes(void **state) {
    (void)state;
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_t y;
    ct_var_info v;
    assert_int_equal(build(c, ct_preset_text("cnn"), NULL, 0, &y, &e), CT_OK);
    assert_int_equal(ct_var_find(c, "conv1.weight", &v), CT_OK);
    assert_true(v.shape.rank == 4 && v.shape.dim[0] == 32 && v.shape.dim[1] == 1 && v.shape.dim[2] == 3 &&
                v.shape.dim[3] == 3);
    assert_int_equal(ct_var_find(c, "fc1.weight", &v), CT_OK);
    assert_true(v.shape.rank == 2 && v.shape.dim[0] == 128 && v.shape.dim[1] == 3136);
    ct_close(c);
}

static void settings(void **state) {
    (void)state;
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_t y;
    ct_var_info v;
    ct_setting set = {"hidden", "33"}, wrong = {"hiden", "33"}, text = {"hidden", "many"};
    assert_int_equal(build(c, ct_preset_text("cnn"), &set, 1, &y, &e), CT_OK);
    assert_int_equal(ct_var_find(c, "fc1.weight", &v), CT_OK);
    assert_int_equal(v.shape.dim[0], 33);
    ct_close(c);
    c = ct_open(NULL);
    assert_int_equal(build(c, ct_preset_text("cnn"), &wrong, 1, &y, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "nearest is \"hidden\""));
    ct_close(c);
    c = ct_open(NULL);
    ct_error_clear(&e);
    assert_int_equal(build(c, ct_preset_text("cnn"), &text, 1, &y, &e), CT_EUSAGE);
    ct_close(c);
}

static void language(void **state) {
    (void)state;
    static const char text[] =
        "param width = 2 * 3 + 1\n"
        "def block(x, n, slope=0.1) { h = linear(x, \"fc\", n)\n return leaky_relu(h, slope) }\n"
        "x = flatten(input(image))\n"
        "for i in 0..3 { scope \"layer{i}\" { x = block(x, width - i, slope=0.2) } }\n"
        "y = linear(x, \"out\", classes, no_bias=1)\n";
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_t y;
    ct_var_info v;
    ct_status s = build(c, text, NULL, 0, &y, &e);
    if (s) fprintf(stderr, "%s\n", e.text);
    assert_int_equal(s, CT_OK);
    assert_int_equal(ct_var_find(c, "layer2.fc.weight", &v), CT_OK);
    assert_int_equal(v.shape.dim[0], 5);
    assert_int_equal(ct_var_find(c, "out.bias", &v), CT_EUSAGE);
    assert_int_equal(ct_shape_of(y).dim[1], 10);
    ct_close(c);
}

static void errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"", "t.net:1:1: the net is empty"},
        {"x = input(imag)", "t.net:1:5: input: the task gives no input imag; it gives image"},
        {"x = input(image)\ny = rleu(x)", "t.net:2:5: no op or def rleu; nearest is relu"},
        {"x = input(image)\ny = conv2d(x, \"c\", 4, 3, padd=1)", "t.net:2:"},
        {"x = input(image)\ny = conv2d(x, \"c\", 4, 3, pad=-1)", "pad is -1; wanted 0 to 65535"},
        {"x = input(image)\ny = conv2d(x, \"c\", 4, 99)", "does not fit into x"},
        {"x = input(image)\ny = relu(z)", "t.net:2:10: z is not defined"},
        {"x = (1 + 2", "wanted ')'"},
        {"x = \"abc", "string without end"},
        {"x = 1 $ 2", "t.net:1:7: found '$'"},
        {"x = 9223372036854775807 + 1", "has no value in 64 bits"},
        {"x = 5 / 0", "has no value in 64 bits"},
        {"x = 99999999999999999999", "out of range"},
        {"return 5", "return outside of a def"},
        {"x = 5", "is no tensor"},
        {"def f(x) { return f(x) }\ny = f(input(image))", "no op or def f"},
        {"for i in 0..100000000 { x = 1 }", "more than 200000 turns"},
        {"def a(x) { return relu(x) }\ndef a2(x) { return a(a(a(a(a(a(a(a(x)))))))) }\ndef a3(x) { return "
         "a2(a2(a2(a2(a2(a2(a2(a2(x)))))))) }\n"
         "def a4(x) { return a3(a3(a3(a3(a3(a3(a3(a3(x)))))))) }\ndef a5(x) { return "
         "a4(a4(a4(a4(a4(a4(a4(a4(x)))))))) }\n"
         "def a6(x) { return a5(a5(a5(a5(a5(a5(a5(a5(x)))))))) }\ndef a7(x) { return "
         "a6(a6(a6(a6(a6(a6(a6(a6(x)))))))) }\ny = a7(input(image))",
         "more than 200000 calls"},
        {"x = linear(flatten(input(image)), \"fc\", 3)\ny = linear(x, \"fc\", 3)", "made twice in one graph"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_ctx *c = ct_open(NULL);
        ct_err e = {0};
        ct_t y;
        if (build(c, rows[i].text, NULL, 0, &y, &e) == CT_OK)
            fail_msg("\"%s\" was accepted; wanted \"%s\"", rows[i].text, rows[i].wanted);
        if (!strstr(e.text, rows[i].wanted)) fail_msg("found \"%s\"; wanted \"%s\"", e.text, rows[i].wanted);
        ct_close(c);
    }
}

static void deep(void **state) {
    (void)state;
    static char text[20000];
    memset(text, '(', 10000);
    memcpy(text, "x = ", 4);
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_t y;
    assert_int_equal(build(c, text, NULL, 0, &y, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "nested deeper than 64"));
    ct_close(c);
}

static void flat(void **state) {
    (void)state;
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_t y, z;
    ct_text text = {0}, dot = {0};
    assert_int_equal(build(c, ct_preset_text("cnn"), NULL, 0, &y, &e), CT_OK);
    assert_int_equal(ct_graph_print(y, &text), CT_OK);
    assert_int_equal(ct_graph_dot(y, &dot), CT_OK);
    assert_non_null(strstr(dot.data, "digraph"));
    ct_close(c);
    c = ct_open(NULL);
    assert_int_equal(build(c, text.data, NULL, 0, &z, &e), CT_OK);
    assert_int_equal(ct_shape_of(z).dim[1], 10);
    ct_close(c);
    ct_text_free(&text);
    ct_text_free(&dot);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(presets),  cmocka_unit_test(cnn_shapes),
                                       cmocka_unit_test(settings), cmocka_unit_test(language),
                                       cmocka_unit_test(errors),   cmocka_unit_test(deep),
                                       cmocka_unit_test(flat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
