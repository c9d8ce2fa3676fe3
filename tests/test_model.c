/* Models: round trips, hashes against flipped bits, weights that do not fit. */
#include "rows.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "cotan/model.h"
#include "cotan/nn.h"

static ct_ctx *net(ct_t *y, uint64_t seed) {
    ct_options o = {.seed = seed};
    ct_ctx *c = ct_open(&o);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 7));
    *y = ct_linear(ct_relu(ct_linear(x, "fc1", 19, (ct_lin){0})), "fc2", 3, (ct_lin){0});
    return c;
}

static const char document[] =
    "{\"task\":\"test\",\"net\":\"x = input(x)\\nh = relu(linear(x, \\\"fc1\\\", 19))\\ny = linear(h, "
    "\\\"fc2\\\", 3)\\n\","
    "\"inputs\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[-1,7]}],\"labels\":[\"a\",\"b\",\"c\"]}";

static void round_trip(void **state) {
    (void)state;
    const char *path = "test_model.safetensors";
    ct_t y;
    ct_err e = {0};
    ct_ctx *c = net(&y, 5);
    float in[4 * 7], out[4 * 3], again[4 * 3];
    for (int i = 0; i < 28; i++) in[i] = (float)i / 9 - 1;
    assert_int_equal(ct_predict(c, y, in, 4, out), CT_OK);
    assert_int_equal(ct_model_save(c, path, document, &e), CT_OK);
    ct_close(c);
    ct_model *m;
    assert_int_equal(ct_model_open(path, NULL, &m, &e), CT_OK);
    assert_string_equal(ct_model_label(m, 2), "c");
    assert_string_equal(ct_model_task(m), "test");
    ct_session *s;
    assert_int_equal(ct_session_new(ct_model_context(m), &s, &e), CT_OK);
    const void *ins[1] = {in};
    void *outs[1] = {again};
    assert_int_equal(ct_run(s, ct_model_plan(m), ins, 4, outs), CT_OK);
    assert_memory_equal(out, again, sizeof out);
    ct_session_free(s);
    ct_model_close(m);
}

/* H1, H2: any single bit flipped, and any cut: refused, with a line that names the file. */
static void damage(void **state) {
    (void)state;
    ct_t y;
    ct_err e = {0};
    ct_ctx *c = net(&y, 1);
    assert_int_equal(ct_model_save(c, "test_damage.safetensors", document, &e), CT_OK);
    ct_close(c);
    void *data;
    uint64_t bytes;
    assert_int_equal(ct_file_read(NULL, NULL, "test_damage.safetensors", 0, &data, &bytes, &e), CT_OK);
    for (uint64_t i = 0; i < bytes; i++) {
        ct_tensors *t;
        const char *doc;
        ct_error_clear(&e);
        ((uint8_t *)data)[i] ^= (uint8_t)(1u << (i % 8));
        assert_int_equal(ct_file_write(NULL, NULL, "test_flip.safetensors", data, i % 5 == 4 ? i : bytes, &e),
                         CT_OK);
        ct_status s = ct_model_read(NULL, NULL, "test_flip.safetensors", &t, &doc, &e);
        if (s == CT_OK && !doc) { /* the key "cotan" itself was hit: plain weights, no model */
            ct_tensors_free(t);
            s = CT_EDATA;
        } else if (s == CT_OK) {
            fail_msg("bit %d of byte %llu went unseen", (int)(i % 8), (unsigned long long)i);
        }
        assert_int_equal(s, CT_EDATA);
        ((uint8_t *)data)[i] ^= (uint8_t)(1u << (i % 8));
        i += i > 200 ? 13 : 0;
    }
    ct_delete(NULL, data, bytes);
    unlink("test_flip.safetensors");
    unlink("test_damage.safetensors");
}

/* S18: the right file for the wrong net: all that does not fit is counted and listed, nothing is changed. */
static void other_net(void **state) {
    (void)state;
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_tensors *t;
    float before[21], after[21], two[2] = {1, 2};
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 7));
    ct_t y = ct_linear(x, "fc1", 3, (ct_lin){0});
    assert_true(ct_ok(y));
    ct_array a = ct_array_view(before, CT_F32, CT_SHAPE(3, 7)),
             b = ct_array_view(after, CT_F32, CT_SHAPE(3, 7)),
             small = ct_array_view(two, CT_F32, CT_SHAPE(2));
    assert_int_equal(ct_var_get(c, "fc1.weight", &a, &e), CT_OK);
    assert_int_equal(ct_tensors_new(NULL, &t, &e), CT_OK);
    assert_int_equal(ct_tensors_add(t, "fc1.weight", &small, &e), CT_OK);
    for (int i = 0; i < 100; i++) {
        char name[40];
        snprintf(name, sizeof name, "other%d.weight", i);
        assert_int_equal(ct_tensors_add(t, name, &small, &e), CT_OK);
    }
    assert_int_equal(ct_weights_apply(c, t, "f", CT_MODEL_KINDS, 0, &e), CT_EDATA);
    rows_one_line("S18", &e);
    assert_non_null(strstr(e.text, "1 missing: fc1.bias"));
    assert_non_null(strstr(e.text, "100 superfluous: other0.weight, other1.weight"));
    assert_non_null(strstr(e.text, " more"));
    assert_non_null(strstr(e.text, "1 of another shape: fc1.weight [2] for [3,7]"));
    ct_error_clear(&e);
    assert_int_equal(ct_var_get(c, "fc1.weight", &b, &e), CT_OK);
    assert_memory_equal(before, after, sizeof before);
    ct_tensors_free(t);
    ct_close(c);
}

/* A tied parameter stands under each of its names, as in PyTorch's state_dict; any of them is enough to read it. */
static ct_ctx *tied_net(uint64_t seed) {
    ct_options o = {.seed = seed};
    ct_ctx *c = ct_open(&o);
    ct_graph *g = ct_default_graph(c);
    ct_t ids = ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N)), h = ct_embedding(ids, "wte", 5, 3, (ct_embed){0});
    ct_scope_push(g, "lm");
    ct_t y = ct_linear(h, "head", 5, (ct_lin){.tie = "wte.weight"});
    ct_scope_pop(g);
    assert_true(ct_ok(y));
    return c;
}
static void tied(void **state) {
    (void)state;
    ct_ctx *c = tied_net(1), *d = tied_net(2);
    ct_tensors *t, *part;
    ct_err e = {0};
    ct_array a;
    float before[15], after[15];
    ct_array w = ct_array_view(before, CT_F32, CT_SHAPE(5, 3)),
             v = ct_array_view(after, CT_F32, CT_SHAPE(5, 3));
    assert_int_equal(ct_alias_count(c), 1);
    assert_int_equal(ct_tensors_new(NULL, &t, &e), CT_OK);
    assert_int_equal(ct_weights_collect(c, CT_MODEL_KINDS, t, &e), CT_OK);
    assert_int_equal(ct_tensors_count(t), 3);
    assert_int_equal(ct_tensors_at(t, ct_tensors_find(t, "lm.head.weight"), &a), CT_OK);
    assert_int_equal(ct_var_get(c, "wte.weight", &w, &e), CT_OK);
    assert_memory_equal(a.data, before, sizeof before);
    assert_int_equal(ct_weights_apply(d, t, "f", CT_MODEL_KINDS, 0, &e), CT_OK);
    assert_int_equal(ct_var_get(d, "wte.weight", &v, &e), CT_OK);
    assert_memory_equal(before, after, sizeof before);
    ((float *)a.data)[4] += 1; /* two names, two values */
    assert_int_equal(ct_weights_apply(d, t, "f", CT_MODEL_KINDS, 0, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "1 tied but different: wte.weight and lm.head.weight"));
    ct_error_clear(&e);
    assert_int_equal(ct_tensors_new(NULL, &part, &e), CT_OK); /* the tie's name alone */
    assert_int_equal(ct_tensors_add(part, "lm.head.weight", &a, &e), CT_OK);
    assert_int_equal(ct_tensors_at(t, ct_tensors_find(t, "lm.head.bias"), &a), CT_OK);
    assert_int_equal(ct_tensors_add(part, "lm.head.bias", &a, &e), CT_OK);
    assert_int_equal(ct_weights_apply(d, part, "f", CT_MODEL_KINDS, 0, &e), CT_OK);
    assert_int_equal(ct_var_get(d, "wte.weight", &v, &e), CT_OK);
    assert_true(after[4] == before[4] + 1);
    ct_t x = ct_graph_input(ct_default_graph(d), "x", CT_F32, CT_SHAPE(CT_N, 3)),
         y = ct_linear(x, "lm.head", 4, (ct_lin){0});
    assert_false(ct_ok(y));
    assert_non_null(strstr(ct_error(d), "\"lm.head.weight\": is tied to \"wte.weight\""));
    ct_tensors_free(t);
    ct_tensors_free(part);
    ct_close(c);
    ct_close(d);
}

/* A file with the names, types and shapes of PyTorch's state_dict (torch/state_dicts.json) is taken strictly, and what is
 * written then is the same file's tensors; one name fewer or more is refused, and changes nothing. torch/exchange.py
 * does the same with PyTorch at hand. */
static ct_tensors *as_torch_writes(const json_t *dict, uint64_t stream) {
    ct_tensors *t;
    ct_err e = {0};
    const char *name;
    json_t *dims;
    ct_random r = ct_random_stream(3, stream);
    assert_int_equal(ct_tensors_new(NULL, &t, &e), CT_OK);
    json_object_foreach((json_t *)(uintptr_t)dict, name, dims) {
        int64_t dim[8] = {0};
        size_t rank = json_array_size(dims), n = strlen(name);
        int counts = n > 19 && strcmp(name + n - 19, "num_batches_tracked") == 0;
        ct_array a;
        for (size_t i = 0; i < rank; i++) dim[i] = json_integer_value(json_array_get(dims, i));
        assert_int_equal(
            ct_array_new(NULL, counts ? CT_I64 : CT_F32, ct_shape_make((int32_t)rank, dim), &a, &e), CT_OK);
        if (counts) *(int64_t *)a.data = (int64_t)ct_random_below(&r, 1000);
        for (uint64_t i = 0; !counts && i < ct_array_count(&a); i++)
            ((float *)a.data)[i] = (float)(ct_random_u32(&r) % 4096);
        assert_int_equal(ct_tensors_add(t, name, &a, &e), CT_OK);
        ct_array_free(&a);
    }
    return t;
}

static void same_tensors(ct_ctx *c, const ct_tensors *want) {
    ct_tensors *have;
    ct_err e = {0};
    assert_int_equal(ct_tensors_new(NULL, &have, &e), CT_OK);
    assert_int_equal(ct_weights_collect(c, CT_MODEL_KINDS, have, &e), CT_OK);
    assert_int_equal(ct_tensors_count(have), ct_tensors_count(want));
    for (int64_t i = 0; i < ct_tensors_count(want); i++) {
        ct_array a, b;
        assert_int_equal(ct_tensors_at(want, i, &a), CT_OK);
        if (ct_tensors_at(have, ct_tensors_find(have, ct_tensors_name(want, i)), &b))
            fail_msg("no %s", ct_tensors_name(want, i));
        assert_int_equal(a.dtype, b.dtype);
        assert_memory_equal(a.data, b.data, ct_array_count(&a) * ct_dtype_size((ct_dtype)a.dtype));
    }
    ct_tensors_free(have);
}

static void strict_net(const char *preset, const json_t *row) {
    ct_ctx *c = ct_open(NULL);
    const json_t *shape = json_object_get(row, "input");
    const char *path = "test_strict.safetensors";
    char classes[32];
    ct_err e = {0};
    ct_t y;
    ct_tensors *first = as_torch_writes(json_object_get(row, "tensors"), 1), *t;
    snprintf(classes, sizeof classes, "%lld", (long long)json_integer_value(json_object_get(row, "classes")));
    ct_setting constant = {"classes", classes};
    ct_net_input in = {"image", {{CT_N}, 4, 0}, CT_F32, 0};
    for (size_t i = 0; i < 3; i++) in.shape.dim[i + 1] = json_integer_value(json_array_get(shape, i));
    ct_net_env env = {.inputs = &in, .n_inputs = 1, .constants = &constant, .n_constants = 1};
    if (ct_net_build(ct_default_graph(c), ct_preset_text(preset), preset, &env, &y, &e))
        fail_msg("%s", e.text);
    assert_int_equal(ct_tensors_save(NULL, first, path, &e), CT_OK);
    assert_int_equal(ct_tensors_load(NULL, NULL, path, &t, &e), CT_OK);
    if (ct_weights_apply(c, t, path, CT_MODEL_KINDS, 0, &e)) fail_msg("%s: %s", preset, e.text);
    same_tensors(c, first);
    float one = 1; /* one name more */
    ct_array a = ct_array_view(&one, CT_F32, CT_SHAPE(1));
    assert_int_equal(ct_tensors_add(t, "fc.more", &a, &e), CT_OK);
    assert_int_equal(ct_weights_apply(c, t, path, CT_MODEL_KINDS, 0, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "1 superfluous: fc.more"));
    ct_tensors_free(t);
    ct_error_clear(&e);
    json_t *fewer = json_copy(json_object_get(row, "tensors")); /* and one fewer, all others new */
    const char *gone = json_object_iter_key(json_object_iter(fewer));
    char wanted[200];
    snprintf(wanted, sizeof wanted, "missing: %s", gone);
    json_object_del(fewer, gone); /* frees the key */
    t = as_torch_writes(fewer, 2);
    assert_int_equal(ct_weights_apply(c, t, path, CT_MODEL_KINDS, 0, &e), CT_EDATA);
    assert_non_null(strstr(e.text, wanted));
    same_tensors(c, first);
    ct_tensors_free(t);
    ct_tensors_free(first);
    json_decref(fewer);
    unlink(path);
    ct_close(c);
}

static void strict_both_ways(void **state) {
    json_t *rows = json_load_file(COTAN_SOURCE "/tests/torch/state_dicts.json", 0, NULL);
    const char *name;
    json_t *row;
    (void)state;
    assert_int_equal(json_object_size(rows), 5);
    json_object_foreach(rows, name, row) strict_net(name, row);
    json_decref(rows);
}

/* S19: NaN among the weights is taken and counted; strictly it is refused. */
static void not_finite(void **state) {
    static const char path[] = "test_nan.safetensors";
    ct_t y;
    ct_err e = {0};
    ct_model *m;
    ct_ctx *c = net(&y, 1);
    float bias[19] = {1, NAN, 3, -INFINITY};
    ct_array a = ct_array_view(bias, CT_F32, CT_SHAPE(19));
    (void)state;
    assert_int_equal(ct_var_set(c, "fc1.bias", &a, &e), CT_OK);
    assert_int_equal(ct_model_save(c, path, document, &e), CT_OK);
    ct_close(c);
    assert_int_equal(ct_model_open(path, NULL, &m, &e), CT_OK);
    assert_int_equal(ct_model_nonfinite(m), 2);
    ct_model_close(m);
    ct_options strict = {.strict = 1};
    assert_int_equal(ct_model_open(path, &strict, &m, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "2 weights are NaN or infinite, first in \"fc1.bias\""));
    rows_one_line("S19", &e);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(damage),
                                       cmocka_unit_test(other_net),  cmocka_unit_test(not_finite),
                                       cmocka_unit_test(tied),       cmocka_unit_test(strict_both_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
