/* test_torch.c: values, gradients and optimiser steps against PyTorch's, from torch/references.safetensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/model.h"
#include "cotan/nn.h"
#include "graph/graph.h"

#define MAX 16

static ct_tensors *file;
static json_t *list;

static ct_array tensor(const char *format, const char *a, const char *b) {
    char name[200];
    ct_array out = {0};
    snprintf(name, sizeof name, format, a, b);
    int64_t i = ct_tensors_find(file, name);
    if (i < 0 || ct_tensors_at(file, i, &out)) fail_msg("no tensor %s", name);
    return out;
}

static ct_t input_of(ct_graph *g, const char *name) {
    for (int32_t i = 0; i < g->nodes; i++)
        if (g->node[i]->op == &ct__op_input && strcmp(g->node[i]->name, name) == 0)
            return (ct_t){g->node[i], 0, 0};
    return (ct_t){0};
}

static void compare(const char *name, const char *what, const float *have, const ct_array *want) {
    const float *w = want->data;
    double scale = 1e-3;
    uint64_t n = ct_array_count(want);
    for (uint64_t i = 0; i < n; i++) scale = fmax(scale, fabs((double)w[i]));
    for (uint64_t i = 0; i < n; i++)
        if (!(fabs((double)have[i] - (double)w[i]) <= 1e-5 * scale))
            fail_msg("%s: %s: element %llu is %.9g; PyTorch has %.9g", name, what, (unsigned long long)i,
                     (double)have[i], (double)w[i]);
}

static void one_case(const json_t *row) {
    const char *name = json_string_value(json_object_get(row, "name"));
    const json_t *inputs = json_object_get(row, "inputs"), *params = json_object_get(row, "params"),
                 *grads = json_object_get(row, "grads");
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_net_input in[MAX];
    char text[600];
    ct_err e = {0};
    ct_t out[MAX], wrt[MAX];
    int32_t n_in = (int32_t)json_array_size(inputs), n = (int32_t)json_array_size(grads);
    for (int32_t i = 0; i < n_in; i++) {
        const char *key = json_string_value(json_array_get(inputs, (size_t)i));
        ct_array a = tensor("%s:in:%s", name, key);
        in[i] = (ct_net_input){key, ct_shape_make(a.rank, a.dim), a.dtype, 0};
    }
    ct_net_env env = {.inputs = in, .n_inputs = n_in};
    snprintf(text, sizeof text, "y = %s\n", json_string_value(json_object_get(row, "net")));
    if (ct_net_build(g, text, name, &env, &out[0], &e)) fail_msg("%s: %s", name, e.text);
    for (size_t i = 0; i < json_array_size(params); i++) {
        const char *key = json_string_value(json_array_get(params, i));
        ct_array a = tensor("%s:param:%s", name, key);
        if (ct_var_set(c, key, &a, &e)) fail_msg("%s: %s", name, e.text);
    }
    for (int32_t i = 0; i < n; i++) {
        const char *key = json_string_value(json_array_get(grads, (size_t)i));
        wrt[i] = input_of(g, key);
        if (!wrt[i].node) wrt[i] = ct_param(c, key);
    }
    ct_t dy = n ? ct_graph_input(g, "dy", CT_F32, ct_shape_of(out[0])) : (ct_t){0};
    if (n && ct_grad(out[0], &dy, wrt, n, out + 1)) fail_msg("%s: %s", name, ct_error(c));
    ct_plan *p;
    ct_session *s;
    if (ct_plan_new(out, n + 1, NULL, 0, (ct_compile){.train = 1}, &p, &e) || ct_session_new(c, &s, &e))
        fail_msg("%s: %s", name, e.text);
    const void *feed[MAX];
    void *room[MAX];
    for (int32_t i = 0; i < ct_plan_inputs(p); i++) {
        const char *key = ct_plan_input_name(p, i);
        feed[i] =
            strcmp(key, "dy") == 0 ? tensor("%s:%s", name, "dy").data : tensor("%s:in:%s", name, key).data;
    }
    for (int32_t i = 0; i <= n; i++) room[i] = calloc(20000, sizeof(float));
    if (ct_run(s, p, feed, 1, room)) fail_msg("%s: %s", name, ct_session_error(s));
    ct_array y = tensor("%s:%s", name, "y");
    compare(name, "y", room[0], &y);
    for (int32_t i = 0; i < n; i++) {
        const char *key = json_string_value(json_array_get(grads, (size_t)i));
        ct_array a = tensor("%s:grad:%s", name, key);
        compare(name, key, room[i + 1], &a);
    }
    for (int32_t i = 0; i <= n; i++) free(room[i]);
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

static void ops(void **state) {
    (void)state;
    const json_t *cases = json_object_get(list, "cases");
    assert_true(json_array_size(cases) >= 70);
    for (size_t i = 0; i < json_array_size(cases); i++) one_case(json_array_get(cases, i));
}

static double number(const json_t *row, const char *key) {
    return json_number_value(json_object_get(row, key));
}

static void one_optimiser(const json_t *row) {
    const char *name = json_string_value(json_object_get(row, "name"));
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_err e = {0};
    ct_array p = tensor("opt:%s:%s", name, "p"), grad = tensor("opt:%s:%s", name, "g"),
             after = tensor("opt:%s:%s", name, "after");
    int64_t n = p.dim[0];
    ct_t w = ct_var_new(g, CT_PARAM, "w", CT_F32, CT_SHAPE(n), (ct_init){.kind = CT_INIT_ZEROS});
    ct_t loss = ct_sum(ct_mul(w, ct_graph_input(g, "g", CT_F32, CT_SHAPE(n))), CT_SHAPE(0),
                       (ct_reduce){0}); /* its gradient is g */
    ct_train t = {.optimiser = ct_optimiser_of(json_string_value(json_object_get(row, "kind"))),
                  .lr = number(row, "lr"),
                  .weight_decay = number(row, "weight_decay"),
                  .momentum = number(row, "momentum"),
                  .nesterov = (int32_t)number(row, "nesterov"),
                  .centered = (int32_t)number(row, "centered")};
    ct_plan *plan;
    ct_session *s;
    if (ct_var_set(c, "w", &p, &e) || ct_compile_train(loss, NULL, 0, &t, &plan, &e) ||
        ct_session_new(c, &s, &e))
        fail_msg("%s: %s", name, e.text);
    for (int64_t k = 0; k < grad.dim[0]; k++) {
        float now[64];
        char what[40];
        const void *in[1] = {(const float *)grad.data + k * n};
        ct_array a = ct_array_view(now, CT_F32, CT_SHAPE(n)),
                 want = ct_array_view((float *)after.data + k * n, CT_F32, CT_SHAPE(n));
        if (ct_run(s, plan, in, 1, (void *[2]){NULL, NULL})) fail_msg("%s: %s", name, ct_session_error(s));
        if (ct_var_get(c, "w", &a, &e)) fail_msg("%s: %s", name, e.text);
        snprintf(what, sizeof what, "step %lld", (long long)k + 1);
        compare(name, what, now, &want);
    }
    ct_session_free(s);
    ct_plan_free(plan);
    ct_close(c);
}

static void optimisers(void **state) {
    (void)state;
    const json_t *rows = json_object_get(list, "optimisers");
    assert_true(json_array_size(rows) >= 11);
    for (size_t i = 0; i < json_array_size(rows); i++) one_optimiser(json_array_get(rows, i));
}

/* The tensors of our model files are those of PyTorch's state_dict: load_state_dict(strict=True) takes them. */
static void one_state_dict(const char *preset, const json_t *row) {
    ct_ctx *c = ct_open(NULL);
    const json_t *shape = json_object_get(row, "input"), *want = json_object_get(row, "tensors");
    char classes[32];
    ct_err e = {0};
    ct_t y;
    ct_tensors *t;
    snprintf(classes, sizeof classes, "%lld", (long long)json_integer_value(json_object_get(row, "classes")));
    ct_setting constants[1] = {{"classes", classes}};
    ct_net_input in = {"image", {{CT_N}, 4, 0}, CT_F32, 0};
    for (size_t i = 0; i < 3; i++) in.shape.dim[i + 1] = json_integer_value(json_array_get(shape, i));
    ct_net_env env = {.inputs = &in, .n_inputs = 1, .constants = constants, .n_constants = 1};
    if (ct_net_build(ct_default_graph(c), ct_preset_text(preset), preset, &env, &y, &e))
        fail_msg("%s", e.text);
    if (ct_tensors_new(NULL, &t, &e) || ct_weights_collect(c, CT_MODEL_KINDS, t, &e)) fail_msg("%s", e.text);
    assert_int_equal(ct_tensors_count(t), json_object_size(want));
    for (int64_t i = 0; i < ct_tensors_count(t); i++) {
        ct_array a;
        const json_t *dims = json_object_get(want, ct_tensors_name(t, i));
        if (!dims) fail_msg("%s: PyTorch has no %s", preset, ct_tensors_name(t, i));
        assert_int_equal(ct_tensors_at(t, i, &a), CT_OK);
        assert_int_equal(a.rank, json_array_size(dims));
        for (int32_t k = 0; k < a.rank; k++)
            assert_int_equal(a.dim[k], json_integer_value(json_array_get(dims, (size_t)k)));
    }
    ct_tensors_free(t);
    ct_close(c);
}

static void state_dicts(void **state) {
    json_t *rows = json_load_file(COTAN_SOURCE "/tests/torch/state_dicts.json", 0, NULL);
    const char *name;
    json_t *row;
    (void)state;
    assert_int_equal(json_object_size(rows), 3);
    json_object_foreach(rows, name, row) one_state_dict(name, row);
    json_decref(rows);
}

static int load(void **state) {
    ct_err e = {0};
    (void)state;
    if (ct_tensors_load(NULL, NULL, COTAN_SOURCE "/tests/torch/references.safetensors", &file, &e)) {
        print_error("%s\n", e.text);
        return -1;
    }
    list = json_loads(ct_tensors_get(file, "cases"), 0, NULL);
    return list ? 0 : -1;
}
static int unload(void **state) {
    (void)state;
    json_decref(list);
    ct_tensors_free(file);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ops), cmocka_unit_test(optimisers),
                                       cmocka_unit_test(state_dicts)};
    return cmocka_run_group_tests(tests, load, unload);
}
