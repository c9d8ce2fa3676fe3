/* test_random.c: M16, random numbers depend on seed, step and place alone: Philox's published vectors, dropout, the
 * shuffle; M17, a loader that begins in mid-epoch goes on in the same order; M24, the caller's rounding and denormals. */
#include "evaluate.h"

#include <fenv.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* ---- M16 ---- */

/* Random123's known answers for philox4x32-10. */
static void M16_philox(void **state) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                 {0xffffffff, 0xffffffff},
                 {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                 {0xa4093822, 0x299f31d0},
                 {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        ct_philox(rows[i].counter, rows[i].key, out);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
}

enum { ROWS = 24, COLUMNS = 50 };
typedef struct drop { /* what dropout of ones is asked for */
    uint64_t seed, step;
    const char *name;
    int32_t threads, others; /* others: other random ops built before it */
    int64_t rows, shard;
} drop;

static void dropped(drop d, float *y) {
    static float ones[ROWS * COLUMNS];
    ct_options o = {.seed = d.seed, .threads = d.threads > 0 ? d.threads : 1};
    ct_ctx *c = ct_open(&o);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, COLUMNS)), before = x;
    ct_plan *p;
    ct_session *s = NULL;
    ct_err e = {0};
    for (int i = 0; i < ROWS * COLUMNS; i++) ones[i] = 1;
    for (int32_t i = 0; i < d.others; i++) before = ct_dropout(before, i ? "second" : "first", 0.25);
    ct_t out[2] = {ct_dropout(x, d.name ? d.name : "drop", 0.5), before};
    if (ct_plan_new(out, 2, NULL, 0, (ct_compile){.train = 1, .shard = d.shard > 0 ? d.shard : d.rows}, &p,
                    &e) ||
        ct_session_new(c, &s, &e))
        fail_msg("%s", e.text);
    ct_session_step(s, d.step);
    if (ct_run(s, p, (const void *[1]){ones}, d.rows, (void *[2]){y, NULL}))
        fail_msg("%s", ct_session_error(s));
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
}

static void M16_dropout(void **state) {
    static float y[ROWS * COLUMNS], z[ROWS * COLUMNS];
    const drop first = {.seed = 5, .step = 7, .rows = ROWS};
    double kept = 0;
    (void)state;
    dropped(first, y);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        assert_true(y[i] == 0 || y[i] == 2);
        kept += y[i] != 0;
    }
    assert_true(fabs(kept / (ROWS * COLUMNS) - 0.5) < 0.06);
    const drop same[] = {{.seed = 5, .step = 7, .rows = ROWS, .threads = 4, .shard = 1},
                         {.seed = 5, .step = 7, .rows = ROWS, .threads = 3, .shard = 5},
                         {.seed = 5, .step = 7, .rows = ROWS, .others = 2},
                         {.seed = 5, .step = 7, .rows = ROWS / 2}}; /* the first samples of a smaller batch */
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        dropped(same[i], z);
        assert_memory_equal(y, z, (size_t)(same[i].rows * COLUMNS) * sizeof *y);
    }
    const drop other[] = {{.seed = 6, .step = 7, .rows = ROWS},
                          {.seed = 5, .step = 8, .rows = ROWS},
                          {.seed = 5, .step = 7 + (UINT64_C(1) << 32), .rows = ROWS},
                          {.seed = 5, .step = 7, .rows = ROWS, .name = "drop2"}};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        int differ = 0;
        dropped(other[i], z);
        for (int k = 0; k < ROWS * COLUMNS; k++) differ += y[k] != z[k];
        assert_true(differ > ROWS * COLUMNS / 3); /* half of the places, by chance */
    }
    for (int row = 1; row < ROWS; row++) /* every sample has a mask of its own */
        assert_true(memcmp(y, y + row * COLUMNS, COLUMNS * sizeof *y) != 0);
}

/* The records of an epoch's batches in order, from a position on. */
static int64_t order(uint64_t seed, int64_t epoch, int64_t position, int32_t threads, int64_t *record) {
    static int64_t ids[101];
    for (int i = 0; i < 101; i++) ids[i] = i;
    ct_array a = ct_array_view(ids, CT_I64, CT_SHAPE(101));
    const char *name = "id";
    ct_source source;
    ct_loader *l = NULL;
    ct_batch b = {.rows = 1};
    ct_err e = {0};
    int64_t n = 0;
    ct_loader_options o = {
        .batch = 8, .seed = seed, .shuffle = 1, .threads = threads, .epoch = epoch, .position = position};
    if (ct_source_arrays(NULL, &a, &name, 1, &source, &e) || ct_loader_new(NULL, &source, o, &l, &e))
        fail_msg("%s", e.text);
    for (;;) {
        if (ct_next(l, &b, &e)) fail_msg("%s", e.text);
        if (b.rows == 0) break;
        for (int64_t i = 0; i < b.rows; i++) {
            assert_true(((const int64_t *)b.field[0])[i] == b.record[i]);
            record[n++] = b.record[i];
        }
    }
    ct_loader_free(l);
    ct_source_close(&source);
    return n;
}

static void M16_shuffle_M17_resumed(void **state) {
    int64_t a[101], b[101], seen[101] = {0};
    (void)state;
    assert_int_equal(order(3, 2, 0, 0, a), 101);
    for (int i = 0; i < 101; i++) seen[a[i]]++;
    for (int i = 0; i < 101; i++) assert_int_equal(seen[i], 1);
    for (int32_t threads = 1; threads <= 4; threads++) {
        assert_int_equal(order(3, 2, 0, threads, b), 101);
        assert_memory_equal(a, b, sizeof a);
    }
    assert_int_equal(order(4, 2, 0, 0, b), 101);
    assert_true(memcmp(a, b, sizeof a) != 0);
    assert_int_equal(order(3, 3, 0, 0, b), 101);
    assert_true(memcmp(a, b, sizeof a) != 0);
    for (int64_t done = 1; done < 13; done++) /* M17: the rest of the epoch, wherever it is taken up */
        for (int32_t threads = 0; threads <= 3; threads += 3) {
            assert_int_equal(order(3, 2, done, threads, b), 101 - 8 * done);
            assert_memory_equal(a + 8 * done, b, (size_t)(101 - 8 * done) * sizeof *b);
        }
}

/* ---- M24 ---- */

/* Runs that succeed and runs that fail leave the caller's control word as it was, and are not moved by it. */
static void M24_host_state(void **state) {
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    ct_ctx *c = ct_open(NULL);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3)), t = ct_input(c, "t", CT_I64, CT_SHAPE(CT_N));
    ct_t loss = ct_cross_entropy(ct_linear(x, "fc", 3, (ct_lin){0}), t, (ct_t){0}, (ct_ce){0});
    float in[6] = {0.1f, 0.2f, 0.3f, 1e-40f, 1.7f, -3}, y, first = 0;
    int64_t label[2] = {0, 2}, wrong[2] = {0, 9};
    ct_plan *p;
    ct_err e = {0};
    (void)state;
    assert_int_equal(ct_plan_new(&loss, 1, NULL, 0, (ct_compile){0}, &p, &e), CT_OK);
    for (int k = 0; k < 8; k++) {
        fesetround(modes[k % 4]);
#if defined(__x86_64__)
        unsigned before =
            (_mm_getcsr() & ~0x8040u) | (k / 4 ? 0x8040u : 0); /* flush to zero, denormals are zero */
        _mm_setcsr(before);
#endif
        ct_status right = ct_run(ct_default_session(c), p, (const void *[2]){in, label}, 2, (void *[1]){&y});
        ct_status bad = ct_run(ct_default_session(c), p, (const void *[2]){in, wrong}, 2, (void *[1]){NULL});
        int round = fegetround();
#if defined(__x86_64__)
        unsigned after = _mm_getcsr();
        _mm_setcsr(after & ~0x8040u);
        after &= ~0x3fu; /* sticky flags may be raised, as by any arithmetic */
        before &= ~0x3fu;
        assert_int_equal(before, after);
#endif
        fesetround(FE_TONEAREST);
        assert_int_equal(round, modes[k % 4]);
        assert_int_equal(right, CT_OK);
        assert_int_equal(bad, CT_EDATA);
        if (k == 0) first = y;
        assert_memory_equal(&first, &y, sizeof y);
    }
    ct_plan_free(p);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(M16_philox), cmocka_unit_test(M16_dropout),
                                       cmocka_unit_test(M16_shuffle_M17_resumed),
                                       cmocka_unit_test(M24_host_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
