/* test_sparse.c: tables updated by the rows used: PyTorch's sparse optimisers, the same bits however the batch is cut,
 * rows that nobody asked for untouched, a cost that does not know how long the table is, and what is refused. */
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

#include "cotan/nn.h"

static ct_t total(ct_t x) { return ct_sum(x, ct_shape_make(0, NULL), (ct_reduce){0}); }

/* ---- against PyTorch ---- */

enum { V = 9, W = 5, D = 3, N = 6 };

static void floats(const json_t *list, float *out, size_t n) {
    assert_int_equal(json_array_size(list), n);
    for (size_t i = 0; i < n; i++) out[i] = (float)json_number_value(json_array_get(list, i));
}
static void ids_of(const json_t *list, int64_t *out, size_t n) {
    assert_int_equal(json_array_size(list), n);
    for (size_t i = 0; i < n; i++) out[i] = json_integer_value(json_array_get(list, i));
}
static void close_to(ct_ctx *c, const char *name, const json_t *list, int64_t rows, const char *what) {
    float have[V * D], want[V * D];
    ct_array a = ct_array_view(have, CT_F32, CT_SHAPE(rows, D));
    ct_err e = {0};
    floats(list, want, (size_t)(rows * D));
    assert_int_equal(ct_var_get(c, name, &a, &e), CT_OK);
    for (int64_t i = 0; i < rows * D; i++)
        if (fabsf(have[i] - want[i]) > 2e-6f * (1 + fabsf(want[i])))
            fail_msg("%s: %s[%d] is %.9g; PyTorch has %.9g", what, name, (int)i, (double)have[i],
                     (double)want[i]);
}

static void one_optimiser(const json_t *all, const json_t *row, int64_t shard) {
    const char *name = json_string_value(json_object_get(row, "name"));
    ct_options options = {.threads = 3};
    ct_ctx *c = ct_open(&options);
    ct_t ids = ct_input(c, "ids", CT_I64, CT_SHAPE(CT_N, 2)),
         other = ct_input(c, "other", CT_I64, CT_SHAPE(CT_N)),
         again = ct_input(c, "again", CT_I64, CT_SHAPE(CT_N)),
         k = ct_input(c, "c", CT_F32, CT_SHAPE(CT_N, 2, D)), d = ct_input(c, "d", CT_F32, CT_SHAPE(CT_N, D)),
         f = ct_input(c, "e", CT_F32, CT_SHAPE(CT_N, D));
    ct_embed sparse = {.sparse = 1}, tied = {.sparse = 1, .tie = "a.weight"};
    ct_t loss = total(ct_mul(ct_embedding(ids, "a", V, D, sparse), k));
    loss = ct_add(loss, total(ct_mul(ct_embedding(other, "b", W, D, sparse), d)));
    loss = ct_add(loss, total(ct_mul(ct_embedding(again, "a2", V, D, tied), f)));
    ct_plan *p;
    ct_err e = {0};
    float a[V * D], b[W * D], kk[N * 2 * D], dd[N * D], ff[N * D];
    int64_t i1[N * 2], i2[N], i3[N];
    ct_array av = ct_array_view(a, CT_F32, CT_SHAPE(V, D)), bv = ct_array_view(b, CT_F32, CT_SHAPE(W, D));
    floats(json_object_get(all, "a"), a, V * D);
    floats(json_object_get(all, "b"), b, W * D);
    ct_train t = {.optimiser = ct_optimiser_of(name),
                  .lr = 0.1,
                  .shard = (int32_t)shard,
                  .one_thread = -1,
                  .clip_norm = 1e9};
    if (ct_compile_train(loss, NULL, 0, &t, &p, &e) || ct_var_set(c, "a.weight", &av, &e) ||
        ct_var_set(c, "b.weight", &bv, &e))
        fail_msg("%s: %s %s", name, e.text, ct_error(c));
    const json_t *steps = json_object_get(all, "steps"), *after = json_object_get(row, "after");
    for (size_t s = 0; s < json_array_size(steps); s++) {
        const json_t *in = json_array_get(steps, s), *want = json_array_get(after, s);
        ids_of(json_object_get(in, "ids"), i1, N * 2);
        ids_of(json_object_get(in, "other"), i2, N);
        ids_of(json_object_get(in, "again"), i3, N);
        floats(json_object_get(in, "c"), kk, N * 2 * D);
        floats(json_object_get(in, "d"), dd, N * D);
        floats(json_object_get(in, "e"), ff, N * D);
        if (ct_run(ct_default_session(c), p, (const void *[6]){i1, i2, i3, kk, dd, ff}, N, NULL))
            fail_msg("%s: %s", name, ct_error(c));
        close_to(c, "a.weight", json_object_get(want, "a"), V, name);
        close_to(c, "b.weight", json_object_get(want, "b"), W, name);
    }
    ct_plan_free(p);
    ct_close(c);
}

static void torch(void **state) {
    json_t *all = json_load_file(COTAN_SOURCE "/tests/torch/sparse.json", 0, NULL);
    const json_t *cases = json_object_get(all, "cases");
    (void)state;
    assert_int_equal(json_array_size(cases), 3);
    for (size_t i = 0; i < 3; i++) {
        one_optimiser(all, json_array_get(cases, i), N);
        one_optimiser(all, json_array_get(cases, i), 2);
    }
    json_decref(all);
}

/* ---- a larger batch ---- */

enum { LONG = 5000, WIDE = 32, ROWS = 1500, WORDS = 3 };

typedef struct big {
    float *table;
    float norm;
    uint64_t peak;
} big;

static big train(int64_t rows, int64_t shard, int32_t one_thread, int32_t sparse) {
    ct_options options = {.threads = 4, .seed = 5};
    ct_ctx *c = ct_open(&options);
    ct_t ids = ct_input(c, "ids", CT_I32, CT_SHAPE(CT_N, WORDS)),
         y = ct_input(c, "y", CT_F32, CT_SHAPE(CT_N, 1));
    ct_t h = ct_flatten(
        ct_embedding(ids, "e", rows, WIDE, (ct_embed){.sparse = sparse, .has_padding = 1, .padding = 7}));
    ct_t loss = ct_mse(ct_linear(h, "out", 1, (ct_lin){0}), y, (ct_loss){0});
    ct_freeze(c, "out", 1); /* its gradient would depend on the cut in its last digits */
    big r = {.table = calloc((size_t)(rows * WIDE), sizeof(float))};
    int32_t *in = calloc(ROWS * WORDS, sizeof *in);
    float *want = calloc(ROWS, sizeof *want), out[2];
    ct_plan *p;
    ct_plan_info info;
    ct_err e = {0};
    ct_train t = {.lr = 0.01, .shard = (int32_t)shard, .one_thread = one_thread, .clip_norm = INFINITY};
    ct_random random = ct_random_stream(1, 1);
    for (int i = 0; i < ROWS * WORDS; i++)
        in[i] = (int32_t)ct_random_below(&random, LONG / 2); /* the rest is never used */
    for (int i = 0; i < ROWS; i++) want[i] = (float)ct_random_normal(&random);
    if (ct_compile_train(loss, NULL, 0, &t, &p, &e) || ct_plan_describe(p, ROWS, &info, &e))
        fail_msg("%s", e.text);
    for (int i = 0; i < 3; i++)
        if (ct_run(ct_default_session(c), p, (const void *[2]){in, want}, ROWS,
                   (void *[2]){&out[0], &out[1]}))
            fail_msg("%s", ct_error(c));
    ct_array a = ct_array_view(r.table, CT_F32, CT_SHAPE(rows, WIDE));
    assert_int_equal(ct_var_get(c, "e.weight", &a, &e), CT_OK);
    r.norm = out[1];
    r.peak = info.peak_bytes;
    free(in);
    free(want);
    ct_plan_free(p);
    ct_close(c);
    return r;
}

static void cuts(void **state) {
    (void)state;
    big whole = train(LONG, ROWS, 1, 1), cut = train(LONG, 130, -1, 1), lanes = train(LONG, 11, -1, 1),
        dense = train(LONG, ROWS, 1, 0);
    /* the forward is the same, and rows are added in the order of their places: no bit depends on the cut */
    assert_memory_equal(whole.table, cut.table, LONG * WIDE * sizeof(float));
    assert_memory_equal(cut.table, lanes.table, LONG * WIDE * sizeof(float));
    assert_true(fabsf(whole.norm / dense.norm - 1) < 0.05f && fabsf(whole.norm / cut.norm - 1) < 1e-6f);
    ct_options options = {.seed = 5}; /* untouched rows are the initial ones: unused, and the padding */
    ct_ctx *c = ct_open(&options);
    ct_t e = ct_embedding(ct_input(c, "i", CT_I32, CT_SHAPE(CT_N)), "e", LONG, WIDE,
                          (ct_embed){.has_padding = 1, .padding = 7});
    float *first = calloc(LONG * WIDE, sizeof *first);
    ct_array a = ct_array_view(first, CT_F32, CT_SHAPE(LONG, WIDE));
    ct_err err = {0};
    assert_true(ct_ok(e));
    assert_int_equal(ct_var_get(c, "e.weight", &a, &err), CT_OK);
    assert_memory_equal(first + LONG / 2 * WIDE, cut.table + LONG / 2 * WIDE,
                        LONG / 2 * WIDE * sizeof *first);
    assert_memory_equal(first + 7 * WIDE, cut.table + 7 * WIDE, WIDE * sizeof *first);
    int moved = 0;
    for (int r = 0; r < LONG / 2; r++)
        moved += memcmp(first + r * WIDE, cut.table + r * WIDE, WIDE * sizeof *first) != 0;
    assert_true(moved > LONG / 4);
    ct_close(c);
    free(first);
    free(whole.table), free(cut.table), free(lanes.table), free(dense.table);
}

/* Twenty times the rows: as much more memory as table and moments take, and none beside. */
static void long_tables(void **state) {
    (void)state;
    big few = train(LONG, 190, -1, 1), many = train(20 * LONG, 190, -1, 1);
    uint64_t more = (uint64_t)19 * LONG * WIDE * sizeof(float) * 3;
    assert_true(many.peak - few.peak <= more + 4096);
    free(few.table), free(many.table);
}

static void refused(void **state) {
    static const struct {
        ct_train t;
        const char *text;
    } rows[] = {{{.optimiser = CT_ADAMW}, "adamw has no rule for rows"},
                {{.optimiser = CT_SGD, .momentum = 0.9}, "sgd with momentum has no rule"},
                {{.weight_decay = 0.1}, "decay would touch all its rows"},
                {{.l1 = 0.1}, "decay would touch all its rows"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_ctx *c = ct_open(NULL);
        ct_t y = ct_embedding(ct_input(c, "i", CT_I64, CT_SHAPE(CT_N)), "e", 5, 2, (ct_embed){.sparse = 1});
        ct_plan *p;
        ct_err e = {0};
        assert_int_equal(ct_compile_train(total(y), NULL, 0, &rows[i].t, &p, &e), CT_EUSAGE);
        if (!strstr(e.text, rows[i].text)) fail_msg("%s", e.text);
        ct_close(c);
    }
}

/* A table that something else reads as well takes the dense pass, with whatever optimiser. */
static void not_only_lookups(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t i = ct_input(c, "i", CT_I64, CT_SHAPE(CT_N)),
         e = ct_embedding(i, "e", 5, 4, (ct_embed){.sparse = 1}),
         y = ct_linear(e, "head", 5, (ct_lin){.no_bias = 1, .tie = "e.weight"}), none = {0, 0, 0};
    int64_t ids[3] = {0, 1, 1};
    float before[20], after[20];
    ct_array a = ct_array_view(before, CT_F32, CT_SHAPE(5, 4)),
             b = ct_array_view(after, CT_F32, CT_SHAPE(5, 4));
    ct_plan *p;
    ct_err err = {0};
    (void)state;
    if (ct_compile_train(ct_cross_entropy(y, i, none, (ct_ce){0}), NULL, 0,
                         &(ct_train){.optimiser = CT_ADAMW}, &p, &err))
        fail_msg("%s", err.text);
    assert_int_equal(ct_var_get(c, "e.weight", &a, &err), CT_OK);
    if (ct_run(ct_default_session(c), p, (const void *[1]){ids}, 3, NULL)) fail_msg("%s", ct_error(c));
    assert_int_equal(ct_var_get(c, "e.weight", &b, &err), CT_OK);
    for (int k = 0; k < 20; k++) assert_true(before[k] != after[k]);
    ct_plan_free(p);
    ct_close(c);
}

static void bad_id(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_t y = ct_embedding(ct_input(c, "i", CT_I64, CT_SHAPE(CT_N, 2)), "e", 5, 2, (ct_embed){.sparse = 1});
    int64_t ids[6] = {0, 1, 2, 3, 4, 5};
    ct_plan *p;
    ct_err e = {0};
    (void)state;
    assert_int_equal(ct_compile_train(total(y), NULL, 0, &(ct_train){0}, &p, &e), CT_OK);
    assert_int_equal(ct_run(ct_default_session(c), p, (const void *[1]){ids}, 3, NULL), CT_EDATA);
    assert_non_null(strstr(ct_error(c), "sample 2 has id 5 at position 1; wanted 0..4"));
    ct_plan_free(p);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(torch),
                                       cmocka_unit_test(cuts),
                                       cmocka_unit_test(long_tables),
                                       cmocka_unit_test(refused),
                                       cmocka_unit_test(not_only_lookups),
                                       cmocka_unit_test(bad_id)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
