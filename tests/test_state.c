/* test_state.c: values that a session carries from run to run: hidden states with truncated gradients, caches written
 * at a position, rows put in another order, reset, and checkpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/model.h"
#include "cotan/nn.h"

static ct_session *session_of(ct_ctx *c) {
    ct_session *s;
    ct_err e = {0};
    assert_int_equal(ct_session_new(c, &s, &e), CT_OK);
    return s;
}
static void go(ct_session *s, ct_plan *p, const void *const *in, int64_t batch, void *const *out) {
    if (ct_run(s, p, in, batch, out)) fail_msg("%s", ct_session_error(s));
}
static ct_plan *plan_of(const ct_t *out, int32_t outs, const ct_t *effects, int32_t n, ct_compile o) {
    ct_plan *p = NULL;
    ct_err e = {0};
    if (ct_plan_new(out, outs, effects, n, o, &p, &e)) fail_msg("%s", e.text);
    return p;
}
static void state_is(ct_session *s, const char *name, ct_shape shape, const float *want) {
    float have[256];
    uint64_t count = 0;
    ct_err e = {0};
    ct_var_info v;
    ct_array a = ct_array_view(have, CT_F32, shape);
    if (ct_state_get(s, name, &a, &e)) fail_msg("%s", e.text);
    assert_int_equal(ct_state_info(s, name, &v, &e), CT_OK);
    assert_true(ct_shape_equal(&v.shape, &shape));
    ct_shape_count(&shape, 1, &count);
    assert_int_equal(v.count, count);
    for (uint64_t i = 0; i < count; i++)
        if (have[i] != want[i])
            fail_msg("%s[%d] is %g; wanted %g", name, (int)i, (double)have[i], (double)want[i]);
}

/* ---- a hidden state ---- */

enum { ROWS = 12, D = 8 };

typedef struct cell {
    ct_ctx *c;
    ct_t x, h, next, loss, dw;
    ct_plan *plan;
} cell;

static cell open_cell(ct_compile o) {
    ct_options options = {.threads = 3, .seed = 4};
    cell k = {.c = ct_open(&options)};
    ct_graph *g = ct_default_graph(k.c);
    ct_init zeros = {.kind = CT_INIT_ZEROS};
    k.x = ct_input(k.c, "x", CT_F32, CT_SHAPE(CT_N, D));
    k.h = ct_var_new(g, CT_STATE, "h", CT_F32, CT_SHAPE(CT_N, D), zeros);
    k.next =
        ct_tanh(ct_add(ct_linear(k.x, "w", D, (ct_lin){0}), ct_linear(k.h, "u", D, (ct_lin){.no_bias = 1})));
    k.loss = ct_mean(ct_square(k.next), ct_shape_make(0, NULL), (ct_reduce){0});
    ct_t u = ct_param(k.c, "u.weight");
    assert_int_equal(ct_grad(k.loss, NULL, &u, 1, &k.dw), CT_OK);
    ct_t effect = ct_assign(k.h, k.next), out[3] = {k.next, k.loss, k.dw};
    k.plan = plan_of(out, 3, &effect, 1, o);
    return k;
}
static void close_cell(cell *k) {
    ct_plan_free(k->plan);
    ct_close(k->c);
}

static void carried(void **state) {
    static const ct_compile forms[3] = {
        {.shard = ROWS}, {.shard = 5, .one_thread = -1}, {.shard = 1, .one_thread = -1}};
    static float x[2][ROWS * D], y[3][2][ROWS * D], dw[3][2][D * D], want[ROWS * D];
    (void)state;
    for (int i = 0; i < 2 * ROWS * D; i++) x[i / (ROWS * D)][i % (ROWS * D)] = sinf((float)i);
    for (int f = 0; f < 3; f++) {
        cell k = open_cell(forms[f]);
        ct_session *s = session_of(k.c), *other = session_of(k.c);
        for (int t = 0; t < 2; t++)
            go(s, k.plan, (const void *[1]){x[t]}, ROWS, (void *[3]){y[f][t], NULL, dw[f][t]});
        go(other, k.plan, (const void *[1]){x[0]}, ROWS,
           (void *[3]){want, NULL, NULL}); /* its own beginning */
        assert_memory_equal(want, y[f][0], sizeof want);
        for (int i = 0; i < ROWS * D; i++) want[i] = y[f][1][i];
        state_is(s, "h", CT_SHAPE(ROWS, D), want);
        if (f) assert_memory_equal(y[f], y[0], sizeof y[0]); /* rows are rows however the batch is cut */
        for (int i = 0; i < D * D; i++) {
            assert_true(dw[f][0][i] == 0); /* the first state is zeros */
            assert_true(fabsf(dw[f][1][i] - dw[0][1][i]) < 1e-7f);
        }
        assert_true(dw[f][1][3] != 0);
        ct_session_free(s);
        ct_session_free(other);
        close_cell(&k);
    }
}

/* The gradient by u of the second step is that of a step whose h is a constant: it stops at the read. */
static void gradient_stops(void **state) {
    cell k = open_cell((ct_compile){.shard = ROWS});
    ct_session *s = session_of(k.c);
    float x[ROWS * D], h[ROWS * D], loss[3], dw[D * D], u[D * D], step = 1e-2f;
    ct_err e = {0};
    ct_array a = ct_array_view(u, CT_F32, CT_SHAPE(D, D)), kept = ct_array_view(h, CT_F32, CT_SHAPE(ROWS, D));
    (void)state;
    for (int i = 0; i < ROWS * D; i++) x[i] = sinf((float)i);
    go(s, k.plan, (const void *[1]){x}, ROWS, NULL);
    assert_int_equal(ct_state_get(s, "h", &kept, &e), CT_OK);
    assert_int_equal(ct_var_get(k.c, "u.weight", &a, &e), CT_OK);
    go(s, k.plan, (const void *[1]){x}, ROWS, (void *[3]){NULL, &loss[0], dw});
    for (int side = 0; side < 2; side++) { /* differences with h held fast */
        u[5] += side ? -2 * step : step;
        assert_int_equal(ct_var_set(k.c, "u.weight", &a, &e), CT_OK);
        assert_int_equal(ct_state_set(s, "h", &kept, &e), CT_OK);
        go(s, k.plan, (const void *[1]){x}, ROWS, (void *[3]){NULL, &loss[1 + side], NULL});
    }
    float want = (loss[1] - loss[2]) / (2 * step);
    if (fabsf(dw[5] - want) > 1e-3f * fabsf(want) + 1e-6f)
        fail_msg("%g; differences say %g", (double)dw[5], (double)want);
    ct_session_free(s);
    close_cell(&k);
}

static void rows_belong(void **state) {
    cell k = open_cell((ct_compile){0});
    ct_session *s = session_of(k.c);
    static float x[ROWS * D], zeros[ROWS * D];
    ct_err e = {0};
    ct_var_info v;
    (void)state;
    assert_int_equal(ct_state_info(s, "h", &v, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "has no values yet"));
    go(s, k.plan, (const void *[1]){x}, ROWS, NULL);
    assert_int_equal(ct_run(s, k.plan, (const void *[1]){x}, ROWS - 1, NULL), CT_EUSAGE);
    assert_string_equal(ct_session_error(s),
                        "state \"h\": holds 12 samples, the batch has 11; wanted as many; reset the "
                        "session first");
    ct_session_reset(s);
    go(s, k.plan, (const void *[1]){x}, ROWS - 1, NULL);
    ct_error_clear(&e);
    ct_array a = ct_array_view(zeros, CT_F32, CT_SHAPE(5, D)),
             wrong = ct_array_view(zeros, CT_F32, CT_SHAPE(5, D - 1));
    assert_int_equal(ct_state_set(s, "h", &wrong, &e), CT_EDATA);
    ct_error_clear(&e);
    assert_int_equal(ct_state_set(s, "h", &a, &e), CT_OK);
    state_is(s, "h", CT_SHAPE(5, D), zeros);
    assert_int_equal(ct_state_get(s, "w.weight", &a, &e), CT_EUSAGE);
    ct_error_clear(&e);
    assert_int_equal(ct_var_get(k.c, "h", &a, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "ct_state_get"));
    ct_session_free(s);
    close_cell(&k);
}

/* ---- a cache ---- */

enum { TMAX = 7, WIDTH = 3, BEAMS = 4 };

static void cache(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_init minus = {.kind = CT_INIT_CONSTANT, .a = -1};
    ct_t k = ct_var_new(g, CT_STATE, "k", CT_F32, CT_SHAPE(CT_N, TMAX, WIDTH), minus),
         x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2, WIDTH)), at = ct_scalar(g, "length", 0),
         y = ct_neg(x);
    ct_t effect = ct_assign_at(k, at, y, 1);
    float in[BEAMS * 2 * WIDTH], want[BEAMS * TMAX * WIDTH];
    (void)state;
    for (int i = 0; i < BEAMS * 2 * WIDTH; i++) in[i] = (float)i;
    for (int i = 0; i < BEAMS * TMAX * WIDTH; i++) want[i] = -1;
    ct_plan *p = plan_of(&y, 1, &effect, 1, (ct_compile){.shard = 3, .one_thread = -1});
    ct_session *s = session_of(c);
    for (int t = 0; t < 6; t += 2) { /* one plan, the position is a setting */
        assert_int_equal(ct_session_set(s, "length", t), CT_OK);
        go(s, p, (const void *[1]){in}, BEAMS, NULL);
        for (int b = 0; b < BEAMS; b++)
            for (int i = 0; i < 2 * WIDTH; i++) want[(b * TMAX + t) * WIDTH + i] = -in[b * 2 * WIDTH + i];
        state_is(s, "k", CT_SHAPE(BEAMS, TMAX, WIDTH), want);
    }
    static const double bad[] = {6, -1, 1.5, 1e30, NAN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) { /* two rows do not fit at 6 */
        assert_int_equal(ct_session_set(s, "length", bad[i]), CT_OK);
        assert_int_equal(ct_run(s, p, (const void *[1]){in}, BEAMS, NULL), CT_EDATA);
        assert_non_null(strstr(ct_session_error(s), "wanted a whole number 0 to 5"));
        state_is(s, "k", CT_SHAPE(BEAMS, TMAX, WIDTH), want);
    }
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

/* One position for each row; and two caches written in one run, one of them i64. */
static void cache_by_rows(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_init zeros = {.kind = CT_INIT_ZEROS};
    ct_t k = ct_var_new(g, CT_STATE, "k", CT_F32, CT_SHAPE(CT_N, WIDTH, TMAX), zeros),
         ids = ct_var_new(g, CT_STATE, "ids", CT_I64, CT_SHAPE(CT_N, TMAX), zeros),
         x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, WIDTH, 1)),
         id = ct_input(c, "id", CT_I64, CT_SHAPE(CT_N, 1)), at = ct_input(c, "at", CT_I32, CT_SHAPE(CT_N)),
         out = ct_neg(x);
    ct_t effects[2] = {ct_assign_at(k, at, x, -1), ct_assign_at(ids, at, id, 1)};
    float in[BEAMS * WIDTH], want[BEAMS * WIDTH * TMAX] = {0};
    int64_t token[BEAMS] = {10, 11, 12, 13}, tokens[BEAMS * TMAX] = {0}, have[BEAMS * TMAX];
    int32_t position[BEAMS] = {6, 0, 3, 3};
    ct_err e = {0};
    (void)state;
    ct_plan *p = plan_of(&out, 1, effects, 2, (ct_compile){.shard = 1, .one_thread = -1});
    ct_session *s = session_of(c);
    for (int b = 0; b < BEAMS; b++) {
        tokens[b * TMAX + position[b]] = token[b];
        for (int i = 0; i < WIDTH; i++)
            want[(b * WIDTH + i) * TMAX + position[b]] = in[b * WIDTH + i] = (float)(b + i);
    }
    go(s, p, (const void *[3]){in, token, position}, BEAMS, NULL);
    state_is(s, "k", CT_SHAPE(BEAMS, WIDTH, TMAX), want);
    ct_array a = ct_array_view(have, CT_I64, CT_SHAPE(BEAMS, TMAX));
    assert_int_equal(ct_state_get(s, "ids", &a, &e), CT_OK);
    assert_memory_equal(have, tokens, sizeof have);
    position[2] = TMAX;
    assert_int_equal(ct_run(s, p, (const void *[3]){in, token, position}, BEAMS, NULL), CT_EDATA);
    assert_non_null(strstr(ct_session_error(s), "position 7 of row 2"));
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

static void beams(void **state) {
    ct_ctx *c = ct_open(NULL);
    ct_graph *g = ct_default_graph(c);
    ct_init zeros = {.kind = CT_INIT_ZEROS};
    ct_t k = ct_var_new(g, CT_STATE, "k", CT_F32, CT_SHAPE(CT_N, 2), zeros),
         from = ct_input(c, "from", CT_I64, CT_SHAPE(CT_N)), effect = ct_assign_rows(k, from),
         out = ct_cast(from, CT_F32);
    float rows[BEAMS * 2] = {0, 1, 10, 11, 20, 21, 30, 31}, want[BEAMS * 2] = {30, 31, 10, 11, 10, 11, 0, 1};
    int64_t index[BEAMS] = {3, 1, 1, 0};
    ct_array a = ct_array_view(rows, CT_F32, CT_SHAPE(BEAMS, 2));
    ct_err e = {0};
    (void)state;
    ct_plan *p = plan_of(&out, 1, &effect, 1, (ct_compile){.shard = 1, .one_thread = -1});
    ct_session *s = session_of(c);
    assert_int_equal(ct_state_set(s, "k", &a, &e), CT_OK);
    go(s, p, (const void *[1]){index}, BEAMS, NULL);
    state_is(s, "k", CT_SHAPE(BEAMS, 2), want);
    index[1] = BEAMS;
    assert_int_equal(ct_run(s, p, (const void *[1]){index}, BEAMS, NULL), CT_EDATA);
    state_is(s, "k", CT_SHAPE(BEAMS, 2), want);
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

static void refused(void **state) {
    static const struct {
        int what;
        const char *text;
    } rows[] = {{0, "is b; wanted a state"},
                {1, "wanted one of its fixed axes"},
                {2, "wanted equal extents but on axis 1"},
                {3, "wanted a scalar f32, or"},
                {4, "made twice"},
                {5, "exists as state"},
                {6, "has N and a random"},
                {7, "wanted fixed extents"},
                {8, "an index for each of its rows"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ct_ctx *c = ct_open(NULL);
        ct_graph *g = ct_default_graph(c);
        ct_init zeros = {.kind = CT_INIT_ZEROS}, normal = {.kind = CT_INIT_NORMAL, .b = 1};
        ct_t k = ct_var_new(g, CT_STATE, "k", CT_F32, CT_SHAPE(CT_N, 5), zeros),
             b = ct_var_new(g, CT_BUFFER, "b", CT_F32, CT_SHAPE(5), zeros),
             x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 2)),
             wide = ct_input(c, "wide", CT_F32, CT_SHAPE(CT_N, 6)), at = ct_scalar(g, "at", 0),
             many = ct_input(c, "many", CT_F32, CT_SHAPE(CT_N)),
             few = ct_input(c, "few", CT_I64, CT_SHAPE(3));
        if (rows[i].what == 0) ct_assign_at(b, at, x, 0);
        if (rows[i].what == 1) ct_assign_at(k, at, x, 0);
        if (rows[i].what == 2) ct_assign_at(k, at, wide, 1);
        if (rows[i].what == 3) ct_assign_at(k, many, x, 1);
        if (rows[i].what == 4) ct_var_new(g, CT_STATE, "k", CT_F32, CT_SHAPE(CT_N, 5), zeros);
        ct_graph *other = ct_graph_new(c);
        ct_err e = {0};
        if (rows[i].what == 5) ct_var_new(other, CT_BUFFER, "k", CT_F32, CT_SHAPE(CT_N, 5), zeros);
        if (rows[i].what == 6) ct_var_new(g, CT_STATE, "n", CT_F32, CT_SHAPE(CT_N, 5), normal);
        if (rows[i].what == 7) ct_var_new(g, CT_STATE, "n", CT_F32, CT_SHAPE(5, CT_N), zeros);
        if (rows[i].what == 8) ct_assign_rows(k, few);
        if (!ct_graph_status(rows[i].what == 5 ? other : g, &e) || !strstr(e.text, rows[i].text))
            fail_msg("row %d: %s", (int)i, e.text);
        ct_graph_free(other);
        ct_close(c);
    }
}

/* A checkpoint holds the states; a model does not. */
static void kept(void **state) {
    cell k = open_cell((ct_compile){0});
    ct_session *s = session_of(k.c), *again = session_of(k.c), *fresh = session_of(k.c);
    float x[ROWS * D], y[2][ROWS * D];
    ct_tensors *t, *model;
    ct_err e = {0};
    (void)state;
    for (int i = 0; i < ROWS * D; i++) x[i] = cosf((float)i);
    go(s, k.plan, (const void *[1]){x}, ROWS, NULL);
    assert_int_equal(ct_tensors_new(NULL, &t, &e), CT_OK);
    assert_int_equal(ct_tensors_new(NULL, &model, &e), CT_OK);
    assert_int_equal(ct_weights_collect(k.c, CT_MODEL_KINDS, model, &e), CT_OK);
    assert_int_equal(ct_tensors_find(model, "h"), -1);
    assert_int_equal(ct_states_collect(s, t, &e), CT_OK);
    assert_int_equal(ct_tensors_count(t), 1);
    assert_int_equal(ct_states_apply(again, t, &e), CT_OK);
    go(s, k.plan, (const void *[1]){x}, ROWS, (void *[3]){y[0], NULL, NULL});
    go(again, k.plan, (const void *[1]){x}, ROWS, (void *[3]){y[1], NULL, NULL});
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    assert_int_equal(ct_states_apply(again, model, &e), CT_OK); /* none in it: all begin anew */
    go(again, k.plan, (const void *[1]){x}, ROWS, (void *[3]){y[0], NULL, NULL});
    go(fresh, k.plan, (const void *[1]){x}, ROWS, (void *[3]){y[1], NULL, NULL});
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    ct_tensors_free(t);
    ct_tensors_free(model);
    ct_session_free(s);
    ct_session_free(again);
    ct_session_free(fresh);
    close_cell(&k);
}

/* Measuring a plan changes neither states nor variables. */
static void profiled(void **state) {
    cell k = open_cell((ct_compile){0});
    ct_session *s = session_of(k.c);
    float x[ROWS * D], h[ROWS * D];
    ct_err e = {0};
    ct_array a = ct_array_view(h, CT_F32, CT_SHAPE(ROWS, D));
    (void)state;
    for (int i = 0; i < ROWS * D; i++) x[i] = cosf((float)i);
    go(s, k.plan, (const void *[1]){x}, ROWS, NULL);
    assert_int_equal(ct_state_get(s, "h", &a, &e), CT_OK);
    assert_int_equal(ct_plan_profile(s, k.plan, ROWS, 3), CT_OK);
    state_is(s, "h", CT_SHAPE(ROWS, D), h);
    assert_int_equal(ct_session_step_of(s), 1);
    ct_session_free(s);
    close_cell(&k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carried), cmocka_unit_test(gradient_stops), cmocka_unit_test(rows_belong),
        cmocka_unit_test(cache),   cmocka_unit_test(cache_by_rows),  cmocka_unit_test(beams),
        cmocka_unit_test(refused), cmocka_unit_test(kept),           cmocka_unit_test(profiled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
