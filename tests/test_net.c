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
    assert_non_null(strstr(e.text, "wanted hidden"));
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
        {"x = input(imag)", "t.net:1:5: input: the task gives no imag; wanted image"},
        {"x = input(image)\ny = rleu(x)", "t.net:2:5: no op rleu and no def above; wanted relu"},
        {"x = input(image)\ny = adam_update(x)", "t.net:2:5: no op adam_update"},
        {"def block(a) { return a }\ny = blok(input(image))",
         "t.net:2:5: no op blok and no def above; wanted block"},
        {"x = input(image)\ny = conv2d(x, \"c\", 4, 3, padd=1)",
         "t.net:2:31: conv2d: no attribute padd; wanted pad"},
        {"x = input(image)\ny = conv2d(x, \"c\", 4, 3, pad=-1)",
         "t.net:2:5: conv2d \"c\": pad is -1; wanted 0 to 65535"},
        {"x = input(image)\ny = conv2d(x, \"c\", 4.5, 3)",
         "t.net:2:20: conv2d: channels is a number; wanted an integer"},
        {"x = input(image)\ny = conv2d(x, \"c\", 4, 99)", "does not fit into x"},
        {"x = input(image)\ny = conv2d(x, 4, 3)", "conv2d: no name; wanted a string"},
        {"x = input(image)\ny = relu(x, x)", "t.net:2:13: relu: one tensor more; wanted at most 1"},
        {"x = input(image)\ny = relu(x, 3)", "t.net:2:13: relu: one argument too many"},
        {"x = input(image)\ny = relu()", "t.net:2:5: relu: 0 tensors; wanted 1"},
        {"x = input(image)\ny = relu(z)", "t.net:2:10: z is not defined"},
        {"first = input(image)\ny = relu(frist)", "t.net:2:10: frist is not defined; wanted first"},
        {"x = (1 + 2", "wanted ')'"},
        {"x = relu(input(image)", "t.net:1:22: found the end; wanted ',' or ')'"},
        {"x = relu(input(image)) y", "wanted '='"},
        {"x = \"abc", "string without end"},
        {"x = 1 $ 2", "t.net:1:7: found '$'"},
        {"x = 9223372036854775807 + 1", "t.net:1:25: 9223372036854775807 + 1 has no value"},
        {"x = 5 / 0", "5 / 0 has no value"},
        {"x = 99999999999999999999", "out of range"},
        {"x = 1 + input(image)", "'+' with a tensor"},
        {"x = -input(image)", "use neg()"},
        {"x = 1 + \"a\"", "'+' with a text"},
        {"return 5", "return outside of a def"},
        {"x = 5", "is no tensor"},
        {"def f(x) { return f(x) }\ny = f(input(image))", "no op f and no def above"},
        {"def f(x) { def g(y) { return y }\nreturn x }\ny = f(input(image))",
         "t.net:1:12: def inside a block"},
        {"for i in 0..2 { param w = 3 }", "t.net:1:17: param inside a block"},
        {"param w = 3\nparam w = 4", "t.net:2:1: param w: the name is taken"},
        {"def f(a, a) { return a }", "t.net:1:10: a: a parameter twice"},
        {"def f(a) { b = a }\ny = f(input(image))", "f: ended without a return"},
        {"def f(size) { return size }\ny = f(sise=input(image))",
         "f: no parameter sise; wanted size; see its def in line 1"},
        {"def f(a) { return a }\ny = f()", "f: a is not given"},
        {"def f(a) { return a }\ny = f(input(image), 3)", "f: one argument too many; wanted 1"},
        {"scope name { x = 3 }", "wanted the scope's name as a string"},
        {"x = relu(input(image))\ny = scope", "t.net:2:5: scope is not defined"},
        {"for i in 0..100000000 { x = 1 }", "t.net:1:1: more than 200000 turns"},
        {"def a(x) { return relu(x) }\ndef a2(x) { return a(a(a(a(a(a(a(a(x)))))))) }\ndef a3(x) { return "
         "a2(a2(a2(a2(a2(a2(a2(a2(x)))))))) }\n"
         "def a4(x) { return a3(a3(a3(a3(a3(a3(a3(a3(x)))))))) }\ndef a5(x) { return "
         "a4(a4(a4(a4(a4(a4(a4(a4(x)))))))) }\n"
         "def a6(x) { return a5(a5(a5(a5(a5(a5(a5(a5(x)))))))) }\ndef a7(x) { return "
         "a6(a6(a6(a6(a6(a6(a6(a6(x)))))))) }\ny = a7(input(image))",
         "more than 200000 calls"},
        {"x = linear(flatten(input(image)), \"fc\", 3)\ny = linear(x, \"fc\", 3)", "made twice in one graph"},
        {"x = linear(flatten(input(image)), \"fc\", 3)\ny = linear(x, \"d\", 3, tie=\"fd.weight\")",
         "fc.weight"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_ctx *c = ct_open(NULL);
        ct_err e = {0};
        ct_t y;
        if (build(c, rows[i].text, NULL, 0, &y, &e) == CT_OK)
            fail_msg("\"%s\" was accepted; wanted \"%s\"", rows[i].text, rows[i].wanted);
        if (!strstr(e.text, rows[i].wanted)) fail_msg("found \"%s\"; wanted \"%s\"", e.text, rows[i].wanted);
        const char *wanted = strstr(e.text, "; wanted ");
        if (!strstr(e.text, "does not fit") && (!wanted || !strchr(wanted + 1, ';')))
            fail_msg("\"%s\" does not say what was wanted and what to do", e.text);
        assert_string_equal(e.file, "t.net");
        if (!strstr(e.text, "is no tensor")) assert_true(e.column > 0 && e.pos > 0);
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
    assert_int_equal(build(c, text, NULL, 0, &y, &e), CT_ELIMIT);
    assert_non_null(strstr(e.text, "nested deeper than 64"));
    ct_close(c);
}

static char *flat_of(const char *text) {
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_t y;
    ct_text flat = {0};
    if (build(c, text, NULL, 0, &y, &e)) fail_msg("%s\n%s", e.text, text);
    assert_int_equal(ct_graph_print(y, &flat), CT_OK);
    ct_close(c);
    return flat.data;
}

/* What is printed is the same net: the same text when printed again, and the same graph when built. */
static void same_net(const char *text) {
    ct_text once = {0}, twice = {0};
    ct_err e = {0};
    if (ct_net_print(text, "t.net", NULL, 0, &once, &e)) fail_msg("%s\n%s", e.text, text);
    assert_int_equal(ct_net_print(once.data, "t.net", NULL, 0, &twice, &e), CT_OK);
    assert_string_equal(once.data, twice.data);
    char *a = flat_of(text), *b = flat_of(once.data);
    assert_string_equal(a, b);
    free(a);
    free(b);
    ct_text_free(&once);
    ct_text_free(&twice);
}

static void identity(void **state) {
    (void)state;
    for (int32_t i = 0; i < ct_preset_count(); i++)
        if (strncmp(ct_preset_name(i), "alexnet", 7) != 0) same_net(ct_preset_text(ct_preset_name(i)));
    same_net("# every construct of the grammar\n"
             "param width = 2 * (3 + 1)\nparam p = 0.25\nparam mode = \"mean\"\n"
             "def block(x, n, slope=0.1, name=\"a\\\"b\\\\c\") {\n  h = linear(x, \"fc\", n, no_bias=1)\n"
             "  scope \"in\" { h = leaky_relu(linear(h, \"fc\", n), slope) }\n  return add(h, h)\n}\n"
             "x = flatten(input(image))\nemb = linear(x, \"tied\", width)\n"
             "for i in 0..2 + 1 { scope \"layer{i}\" { x = block(x, width - i, slope=0.1 + 0.1) } }\n"
             "for j in 3 - 3..1 { x = dropout(x, \"d{j}\", p) }\n"
             "x = linear(x, \"out\", 784, no_bias=1)\n"
             "y = linear(x, \"again\", width, tie=\"tied.weight\")\n"
             "z = sum(add(y, emb), -1, keep=1)\n");
}

/* A random expression of whole numbers, and its value. */
static int64_t expression(ct_random *r, ct_text *t, int depth) {
    if (depth == 0 || ct_random_below(r, 4) == 0) {
        int64_t v = (int64_t)ct_random_below(r, 9) + 1;
        ct_text_format(t, "%lld", (long long)v);
        return v;
    }
    uint64_t kind = ct_random_below(r, 6);
    if (kind == 4) {
        ct_text_add(t, "-");
        int64_t v = depth > 1 ? (ct_text_add(t, "("), expression(r, t, depth - 1)) : expression(r, t, 0);
        if (depth > 1) ct_text_add(t, ")");
        return -v;
    }
    ct_text_add(t, "(");
    int64_t a = expression(r, t, depth - 1);
    size_t mark = t->length + 1;
    ct_text_add(t, " + ");
    int64_t b = expression(r, t, depth - 1);
    ct_text_add(t, ")");
    if (kind == 3 && b == 0) kind = 0;
    t->data[mark] = "+-*/+-"[kind];
    return kind == 1 || kind == 5 ? a - b : kind == 2 ? a * b : kind == 3 ? a / b : a + b;
}

/* Parentheses that are printed, and those that are left out, change no value. */
static void arithmetic(void **state) {
    (void)state;
    ct_random r = ct_random_stream(11, 0);
    for (int i = 0; i < 200; i++) {
        ct_text value = {0}, net = {0}, printed = {0};
        ct_err e = {0};
        int64_t v = expression(&r, &value, 4);
        ct_text_format(&net, "x = linear(flatten(input(image)), \"f\", (%s) - (%lld) + 7)\n", value.data,
                       (long long)v);
        assert_int_equal(ct_net_print(net.data, "t.net", NULL, 0, &printed, &e), CT_OK);
        char *a = flat_of(net.data), *b = flat_of(printed.data);
        if (!strstr(a, "\"f\", 7)")) fail_msg("%s gives %s", net.data, a);
        assert_string_equal(a, b);
        free(a);
        free(b);
        ct_text_free(&value);
        ct_text_free(&net);
        ct_text_free(&printed);
    }
}

/* --set: values of the param's own kind alone, in building and in printing. */
static void kinds_of_settings(void **state) {
    (void)state;
    static const struct {
        const char *param, *value, *wanted; /* wanted NULL: fine */
    } rows[] = {{"3", "5", NULL},
                {"3", "5.5", "wanted an integer"},
                {"3", "2*8", "wanted an integer"},
                {"3", "abc", "wanted an integer"},
                {"0.5", "0.25", NULL},
                {"0.5", "1", NULL},
                {"0.5", "half", "wanted a number"},
                {"\"mean\"", "sum", NULL},
                {"3", "-4", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        ct_text printed = {0};
        ct_setting set = {"v", rows[i].value};
        ct_err built = {0}, shown = {0};
        ct_t y;
        ct_ctx *c = ct_open(NULL);
        snprintf(text, sizeof text, "param v = %s\ny = relu(input(image))\n", rows[i].param);
        build(c, text, &set, 1, &y, &built);
        ct_net_print(text, "t.net", &set, 1, &printed, &shown);
        if (rows[i].wanted) {
            if (!strstr(built.text, rows[i].wanted)) fail_msg("%s: \"%s\"", rows[i].value, built.text);
            assert_string_equal(built.text, shown.text);
        } else {
            assert_string_equal(built.text, "");
            assert_string_equal(shown.text, "");
            assert_non_null(strstr(printed.data, rows[i].value));
        }
        ct_text_free(&printed);
        ct_close(c);
    }
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets),  cmocka_unit_test(cnn_shapes), cmocka_unit_test(settings),
        cmocka_unit_test(language), cmocka_unit_test(errors),     cmocka_unit_test(deep),
        cmocka_unit_test(identity), cmocka_unit_test(arithmetic), cmocka_unit_test(kinds_of_settings),
        cmocka_unit_test(flat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
