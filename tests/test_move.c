/* test_move.c: kernels that move elements or pick them by id, and dropout's random numbers, without a plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kern/random.h"
#include "op/strided.h"

/* ---- strided copies against one element at a time ---- */

static uint64_t below(ct_random *r, uint64_t n) { return ct_random_below(r, n); }

#define ROOM 40000
static uint8_t from[8 * ROOM], to[8 * ROOM + 64], wanted[8 * ROOM + 64];

static void naive(const ct__strided *s, int32_t axis, int64_t a, int64_t b) {
    if (axis == s->rank) {
        memcpy(wanted + b * s->size, from + a * s->size, (size_t)s->size);
        return;
    }
    for (int64_t i = 0; i < s->dim[axis]; i++) naive(s, axis + 1, a + i * s->src[axis], b + i * s->dst[axis]);
}

static void check_copy(ct__strided s) {
    memset(to, 0xAA, sizeof to);
    memset(wanted, 0xAA, sizeof wanted);
    naive(&s, 0, s.src_begin, s.dst_begin);
    ct__strided_plan(&s);
    ct__strided_copy(&s, from, to);
    assert_memory_equal(to, wanted, sizeof to);
}

/* Random shapes, permuted, cut out of a larger source, put into a larger destination, some axes repeated. */
static void test_strided(void **state) {
    ct_random r = ct_random_stream(1, 2);
    (void)state;
    for (size_t i = 0; i < sizeof from; i++) from[i] = (uint8_t)ct_random_u32(&r);
    for (int turn = 0; turn < 4000; turn++) {
        ct__strided s = {.rank = (int32_t)below(&r, 6), .size = 1 << below(&r, 4)};
        int32_t order[CT_MAX_RANK];
        int64_t source = 1, target = 1;
        for (int32_t i = 0; i < s.rank; i++) {
            static const int64_t extents[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 33, 0};
            s.dim[i] = extents[below(&r, turn % 8 ? 6 : 12)];
            order[i] = i;
        }
        for (int32_t i = s.rank - 1; i > 0; i--) {
            int32_t k = (int32_t)below(&r, (uint64_t)i + 1), t = order[i];
            order[i] = order[k];
            order[k] = t;
        }
        for (int32_t i = s.rank - 1; i >= 0; i--) {
            s.dst[i] = target;
            target *= s.dim[i] + (int64_t)below(&r, 2);
            s.src[order[i]] = turn % 5 == 0 && below(&r, 3) == 0 ? 0 : source;
            source *= s.dim[order[i]] + (int64_t)below(&r, 2);
        }
        s.src_begin = (int64_t)below(&r, 9);
        s.dst_begin = (int64_t)below(&r, 9);
        if (source + 9 < ROOM && target + 9 < ROOM) check_copy(s);
    }
}

static void test_turn(void **state) { /* transposes around the block of 16 */
    static const int64_t n[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100};
    (void)state;
    for (size_t i = 0; i < 12; i++)
        for (size_t k = 0; k < 12; k++)
            for (int32_t size = 1; size <= 8; size *= 2)
                check_copy((ct__strided){.rank = 3,
                                         .size = size,
                                         .dim = {2, n[i], n[k]},
                                         .src = {n[i] * n[k], 1, n[i]},
                                         .dst = {n[i] * n[k], n[k], 1}});
}

static void test_fill(void **state) {
    float f[7];
    int64_t l[7];
    int32_t i[7];
    uint8_t b[7];
    (void)state;
    ct__fill(f, 7, CT_F32, -0.0);
    ct__fill(l, 7, CT_I64, -3.9);
    ct__fill(i, 7, CT_I32, 12);
    ct__fill(b, 7, CT_BOOL, 1);
    for (int k = 0; k < 7; k++)
        assert_true(f[k] == 0 && signbit(f[k]) && l[k] == -3 && i[k] == 12 && b[k] == 1);
    ct__fill(f, 7, CT_F32, 0.0);
    for (int k = 0; k < 7; k++) assert_true(f[k] == 0 && !signbit(f[k]));
}

/* ---- random words ---- */

static void test_words(void **state) {
    (void)state;
    ct__stream s = {.key = {0x12345678, 0x9abcdef0}, .counter = {5, 0xffffffff, 7}};
    uint32_t out[1024];
    for (int32_t level = 1; level <= 3; level++) {
        const ct__random_table *t = ct__simd_of(level)->random;
        for (int64_t n = 0; n <= 1000; n += n < 140 ? 1 : 43) {
            memset(out, 0xAA, sizeof out);
            t->words(&s, n, out);
            assert_true(out[n] == 0xAAAAAAAA);
            for (uint32_t e = 0; e < n; e++) {
                uint32_t word[4];
                ct_philox((const uint32_t[4]){e / 64 * 16 + e % 16, 5, 0xffffffff, 7}, s.key, word);
                assert_true(out[e] == word[e / 16 % 4]);
            }
        }
    }
}

static void test_drop(void **state) {
    (void)state;
    ct__stream s = {.key = {1, 2}, .counter = {3, 4, 5}};
    float x[601], y[601];
    uint32_t w[601];
    for (int i = 0; i < 601; i++) x[i] = (float)i - 300.25f;
    for (int32_t level = 1; level <= 3; level++) {
        const ct__random_table *t = ct__simd_of(level)->random;
        t->words(&s, 600, w);
        for (int64_t n = 0; n <= 600; n += n < 80 ? 1 : 65) {
            memset(y, 0xAA, sizeof y);
            t->drop(&s, n, 0x40000000, 1.5f, x, y);
            for (int64_t i = 0; i < n; i++) assert_true(y[i] == (w[i] >= 0x40000000 ? x[i] * 1.5f : 0));
            uint32_t after;
            memcpy(&after, y + n, 4);
            assert_true(after == 0xAAAAAAAA);
        }
    }
}

/* ---- ops without a plan ---- */

typedef struct bench {
    ct_arena arena;
    ct__type in[2], symbolic[2], out[1];
    ct__lower l;
    ct_err e;
} bench;

static void lower_op(bench *b, const ct__op *op, const ct__value *attr, int32_t inputs, int64_t rows,
                     int64_t samples) {
    b->l = (ct__lower){.op = op,
                       .attr = attr,
                       .name = "net.it",
                       .simd = ct__simd_of(0),
                       .arena = &b->arena,
                       .n_in = inputs,
                       .n_out = 1,
                       .in = b->in,
                       .out = b->out,
                       .symbolic = b->symbolic,
                       .batch = samples,
                       .train = 1,
                       .e = &b->e};
    for (int32_t i = 0; i < inputs; i++) {
        b->in[i] = b->symbolic[i];
        for (int32_t k = 0; k < b->in[i].shape.rank; k++)
            if (b->in[i].shape.dim[k] < 0) b->in[i].shape.dim[k] *= -rows;
    }
    assert_int_equal(op->lower(&b->l), CT_OK);
}

extern const ct__op ct__op_dropout, ct__op_dropout_grad, ct__op_embedding, ct__op_embedding_weight,
    ct__op_one_hot, ct__op_gather_along;

#define SAMPLES 24
#define ROW 77
static float input[SAMPLES * 2 * ROW], output[SAMPLES * 2 * ROW], other[SAMPLES * 2 * ROW];

/* [-2N, ROW] cut into shards of `rows` samples. */
static void drop_cut(const ct__op *op, const ct__value *attr, int64_t rows, uint64_t seed, uint64_t step,
                     float *y) {
    for (int64_t begin = 0; begin < SAMPLES; begin += rows) {
        int64_t here = begin + rows < SAMPLES ? rows : SAMPLES - begin;
        bench b = {0};
        b.symbolic[0] = (ct__type){CT_F32, 0, ct_shape_make(2, (const int64_t[2]){-2, ROW})};
        lower_op(&b, op, attr, 1, here, SAMPLES);
        void *arg[2] = {input + begin * 2 * ROW, y + begin * 2 * ROW};
        ct__exec x = {
            .row0 = begin, .batch = SAMPLES, .tasks = 1, .seed = seed, .step = step, .train = 1, .e = &b.e};
        assert_int_equal(b.l.run(b.l.data, arg, &x), CT_OK);
        ct_arena_free(&b.arena);
    }
}

static void test_dropout(void **state) {
    (void)state;
    ct__value p[1] = {{.f = 0.25}}, back[2] = {{.f = 0.25}, {.i = (int64_t)ct__name_key("net.it")}};
    int dropped = 0, same = 0;
    for (int i = 0; i < SAMPLES * 2 * ROW; i++) input[i] = 3;
    drop_cut(&ct__op_dropout, p, SAMPLES, 1, 2, output);
    for (int i = 0; i < SAMPLES * 2 * ROW; i++) {
        dropped += output[i] == 0;
        assert_true(output[i] == 0 || output[i] == 4.0f);
    }
    assert_true(abs(dropped - SAMPLES * 2 * ROW / 4) < 150); /* five standard deviations */
    static const int64_t cuts[] = {1, 5, 7, 23};
    for (int i = 0; i < 4; i++) {
        drop_cut(&ct__op_dropout, p, cuts[i], 1, 2, other);
        assert_memory_equal(output, other, sizeof output);
    }
    drop_cut(&ct__op_dropout_grad, back, 5, 1, 2, other); /* backward: the same mask */
    assert_memory_equal(output, other, sizeof output);
    for (int change = 0; change < 2; change++) { /* another seed, another step: independent masks */
        drop_cut(&ct__op_dropout, p, SAMPLES, change ? 1 : 9, change ? 3 : 2, other);
        same = 0;
        for (int i = 0; i < SAMPLES * 2 * ROW; i++) same += output[i] == 0 && other[i] == 0;
        assert_true(abs(same - SAMPLES * 2 * ROW / 16) < 80);
    }
    assert_memory_not_equal(output, output + ROW, ROW * sizeof *output); /* rows differ */
}

static void wants_error(const ct__op *op, const ct__value *attr, bench *b, int32_t inputs, void **arg,
                        const char *text) {
    lower_op(b, op, attr, inputs, 3, 100);
    ct__exec x = {.row0 = 40, .batch = 100, .tasks = 1, .e = &b->e};
    assert_int_equal(b->l.run(b->l.data, arg, &x), CT_EDATA);
    assert_string_equal(b->e.text, text);
    ct_arena_free(&b->arena);
}

static void test_ids(void **state) {
    (void)state;
    int64_t wide[6] = {0, 1, 4, 3, -1, 9};
    int32_t narrow[3] = {0, 5, 1};
    float w[20] = {0}, y[64];
    ct__value table[8] = {{.i = 5}, {.i = 4}}, classes[1] = {{.i = 5}}, weight[2] = {{.i = 5}, {.i = -1}},
              axis[1] = {{.i = 1}};
    ct__type ids = {CT_I64, 0, ct_shape_make(2, (const int64_t[2]){CT_N, 2})},
             line = {CT_I32, 0, ct_shape_make(1, (const int64_t[1]){CT_N})};
    ct__type w_type = {CT_F32, 0, ct_shape_make(2, (const int64_t[2]){5, 4})},
             dy = {CT_F32, 0, ct_shape_make(3, (const int64_t[3]){CT_N, 2, 4})};
    bench b = {.symbolic = {ids, w_type}};
    wants_error(
        &ct__op_embedding, table, &b, 2, (void *[]){wide, w, y},
        "embedding \"net.it\": sample 42 has id -1 at position 0; wanted 0..4; fix the data or the extent");
    b = (bench){.symbolic = {dy, ids}, .out = {w_type}};
    wants_error(&ct__op_embedding_weight, weight, &b, 2, (void *[]){y, wide, w},
                "embedding_weight \"net.it\": sample 42 has id -1 at position 0; wanted 0..4; fix the data "
                "or the extent");
    b = (bench){.symbolic = {line}};
    wants_error(
        &ct__op_one_hot, classes, &b, 1, (void *[]){narrow, y},
        "one_hot \"net.it\": sample 41 has id 5 at position 0; wanted 0..4; fix the data or the extent");
    b = (bench){.symbolic = {{CT_F32, 0, ct_shape_make(2, (const int64_t[2]){CT_N, 4})}, ids}};
    wants_error(
        &ct__op_gather_along, axis, &b, 2, (void *[]){w, wide, y},
        "gather \"net.it\": sample 41 has id 4 at position 0; wanted 0..3; fix the data or the extent");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strided), cmocka_unit_test(test_turn), cmocka_unit_test(test_fill),
        cmocka_unit_test(test_words),   cmocka_unit_test(test_drop), cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
