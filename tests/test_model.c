/* Models: round trips, hashes against flipped bits, weights that do not fit. */
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "cotan/model.h"

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
                                       cmocka_unit_test(other_net), cmocka_unit_test(not_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
