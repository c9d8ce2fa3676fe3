/* Models: round trips, hashes against flipped bits, weights that do not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cotan/model.h"

static ct_status parse(const char *header, const char *data, uint64_t data_bytes, ct_tensors **t, ct_err *e) {
    uint64_t n = strlen(header);
    uint8_t *p = malloc(8 + n + data_bytes + 1);
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(n >> (8 * i));
    memcpy(p + 8, header, n);
    if (data_bytes) memcpy(p + 8 + n, data, data_bytes);
    ct_status s = ct_tensors_parse(NULL, p, 8 + n + data_bytes, "f", t, e);
    free(p);
    return s;
}

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

/* Any single bit flipped, and any cut: refused, with a line that names the file. */
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

static void other_net(void **state) {
    (void)state;
    ct_ctx *c = ct_open(NULL);
    ct_err e = {0};
    ct_tensors *t;
    float before[21], after[21];
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 7));
    ct_t y = ct_linear(x, "fc1", 3, (ct_lin){0});
    assert_true(ct_ok(y));
    ct_array a = ct_array_view(before, CT_F32, CT_SHAPE(3, 7)),
             b = ct_array_view(after, CT_F32, CT_SHAPE(3, 7));
    assert_int_equal(ct_var_get(c, "fc1.weight", &a, &e), CT_OK);
    assert_int_equal(parse("{\"fc1.weight\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                           "\"other\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
                           "aaaabbbbcccc", 12, &t, &e),
                     CT_OK);
    assert_int_equal(ct_weights_apply(c, t, "f", CT_MODEL_KINDS, 0, &e), CT_EDATA);
    assert_non_null(strstr(e.text, "missing: fc1.bias"));
    assert_non_null(strstr(e.text, "superfluous: other"));
    assert_non_null(strstr(e.text, "other shapes: fc1.weight [2] (wanted [3,7])"));
    ct_error_clear(&e);
    assert_int_equal(ct_var_get(c, "fc1.weight", &b, &e), CT_OK);
    assert_memory_equal(before, after, sizeof before);
    ct_tensors_free(t);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(damage),
                                       cmocka_unit_test(other_net)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
