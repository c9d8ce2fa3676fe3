/* test_nan.c: M18, what becomes of NaN: it wins where something is chosen, stays where something is cut, spreads where
 * something is summed, is refused by metrics; and the detector names the op that made the first one. The rules stand
 * in docs/numbers.md. */
#include "evaluate.h"

static const float nan_ = NAN, inf = INFINITY;

/* y of a net on rows x [N,columns]; wanted numbers, NaN where NaN is wanted */
static void expect(const char *net, const float *x, int64_t rows, int64_t columns, const float *wanted,
                   int n) {
    for (int64_t shard = 1; shard <= rows; shard += rows > 1 ? rows - 1 : 1) {
        float y[64] = {0};
        given in = rows_of(x, columns);
        evaluate((evaluation){.net = net, .in = &in, .n = 1, .batch = rows, .shard = shard, .y = y});
        for (int i = 0; i < n; i++)
            if (!(y[i] == wanted[i] || (isnan(y[i]) && isnan(wanted[i]))))
                fail_msg("%s: element %d is %g; wanted %g", net, i, (double)y[i], (double)wanted[i]);
    }
}

static void M18_choices(void **state) {
    float x[10] = {1, nan_, 3, 2, nan_, /**/ 5, -inf, inf, 5, 4};
    float max[2] = {nan_, inf}, min[2] = {nan_, -inf}, over_rows[5] = {5, nan_, inf, 5, nan_},
          first[1] = {nan_};
    (void)state;
    expect("max(input(x), 1)", x, 2, 5, max, 2);
    expect("min(input(x), 1)", x, 2, 5, min, 2);
    expect("max(input(x), 0)", x, 2, 5, over_rows, 5);
    expect("max(input(x))", x, 2, 5, first, 1);
    int64_t at[2] = {-1, -1};
    given in = rows_of(x, 5);
    evaluate((evaluation){.net = "argmax(input(x), 1)", .in = &in, .n = 1, .batch = 2, .y = at});
    assert_true(at[0] == 1 && at[1] == 2); /* the first NaN; the first of equals */
}

static void M18_argmax_of_columns(void **state) {
    float x[6] = {1, nan_, 3, 2, nan_, 1};
    int64_t at[3];
    given in = rows_of(x, 3);
    (void)state;
    evaluate((evaluation){.net = "argmax(input(x), 0)", .in = &in, .n = 1, .batch = 2, .shard = 1, .y = at});
    assert_true(at[0] == 1 && at[1] == 0 && at[2] == 0);
}

static void M18_elementwise(void **state) {
    float x[4] = {nan_, 1, -inf, inf}, clip[4] = {nan_, 0.5f, -0.5f, 0.5f}, relu[4] = {nan_, 1, 0, inf},
          less[4] = {nan_, 0.5f, -inf, 0.5f}, sign[4] = {nan_, 1, -1, 1}, zero[4] = {0};
    (void)state;
    expect("clip(input(x), -0.5, 0.5)", x, 1, 4, clip, 4);
    expect("relu(input(x))", x, 1, 4, relu, 4);
    expect("minimum(input(x), clip(abs(input(x)), 0.5, 0.5))", x, 1, 1, less, 1);
    expect("sign(input(x))", x, 1, 4, sign, 4);
    expect("mul_scalar(cast(gt(input(x), input(x)), \"f32\"), 1)", x, 1, 4, zero,
           4); /* no comparison but != holds */
    float unequal[4] = {1, 0, 0, 0};
    expect("cast(ne(input(x), input(x)), \"f32\")", x, 1, 4, unequal, 4);
    float chosen[4] = {0, 1, -inf, inf}; /* where leaves the NaN of what is not chosen alone */
    expect("where(ne(input(x), input(x)), mul_scalar(cast(eq(input(x), input(x)), \"f32\"), 0), input(x))", x,
           1, 4, chosen, 4);
}

static void M18_pooling(void **state) {
    float x[16] = {1, nan_, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, nan_, 16}, y[4], dx[16],
          dy[4] = {1, 2, 3, 4};
    given in = {"x", x, CT_SHAPE(CT_N, 1, 4, 4), CT_F32, 0};
    (void)state;
    evaluate((evaluation){
        .net = "maxpool2d(input(x), 2)", .in = &in, .n = 1, .y = y, .by = "x", .dy = dy, .dx = dx});
    assert_true(isnan(y[0]) && y[1] == 8 && y[2] == 14 && isnan(y[3]));
    for (int i = 0; i < 16; i++) /* the gradient goes to the NaN that won */
        assert_true(dx[i] == (i == 1 ? 1 : i == 7 ? 2 : i == 13 ? 3 : i == 14 ? 4 : 0));
    evaluate((evaluation){.net = "avgpool2d(input(x), 2)", .in = &in, .n = 1, .y = y});
    assert_true(isnan(y[0]) && y[1] == 5.5f && y[2] == 11.5f && isnan(y[3]));
    evaluate((evaluation){.net = "global_avgpool(input(x))", .in = &in, .n = 1, .y = y});
    assert_true(isnan(y[0]));
    evaluate((evaluation){.net = "adaptive_maxpool2d(input(x), 1, 2)", .in = &in, .n = 1, .y = y});
    assert_true(isnan(y[0]) && isnan(y[1]));
}

/* Sums, norms and softmax: the NaN of a row is the row's, not its neighbour's. */
static void M18_rows_keep_to_themselves(void **state) {
    static const char *const nets[] = {
        "softmax(input(x), 1)",       "log_softmax(input(x), 1)",
        "cumsum(input(x), 1)",        "layer_norm(input(x), \"n\", no_weight=1)",
        "linear(input(x), \"l\", 3)", "rms_norm(input(x), \"n\")"};
    float x[9] = {1, 2, 3, 4, nan_, 6, 7, 8, 9}, y[9];
    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        given in = rows_of(x, 3);
        evaluate((evaluation){.net = nets[i], .in = &in, .n = 1, .batch = 3, .y = y});
        for (int k = 0; k < 3; k++) assert_true(isfinite(y[k]) && isfinite(y[6 + k]));
        assert_true(isnan(y[5]));
    }
}

static void M18_metrics(void **state) {
    ct_scores *s;
    ct_err e = {0};
    float logits[6] = {0, 1, 2, 3, nan_, -inf};
    int64_t label[2] = {2, 0};
    double p[3];
    (void)state;
    assert_int_equal(ct_scores_new(NULL, 3, &s, &e), CT_OK);
    assert_int_equal(ct_scores_add(s, logits, label, 2, &e), CT_ENONFINITE);
    assert_string_equal(e.text, "scores: sample 1 has nan for class 1; wanted a number, or -inf");
    assert_int_equal(ct_scores_result(s).samples, 1);
    ct_error_clear(&e);
    logits[4] = inf;
    assert_int_equal(ct_scores_add(s, logits, label, 2, &e), CT_ENONFINITE);
    ct_error_clear(&e);
    logits[4] = 1; /* -inf is a class that cannot be */
    assert_int_equal(ct_scores_add(s, logits, label, 2, &e), CT_OK);
    assert_true(ct_scores_result(s).samples == 4 && isfinite(ct_scores_result(s).loss));
    for (int c = 0; c < 3; c++) logits[c] = -inf; /* but one class must be */
    assert_int_equal(ct_scores_add(s, logits, label, 1, &e), CT_ENONFINITE);
    assert_string_equal(e.text, "scores: sample 4 has -inf for every class; wanted a number for one of them");
    ct_scores_free(s);
    logits[4] = nan_;
    assert_int_equal(ct_softmax_row(logits + 3, 3, p), 1);
    assert_true(isnan(p[0]) && isnan(p[1]) && isnan(p[2]));
}

/* Of two ops that make NaN the first is named, though the other's result comes out as well. */
static void M18_detector_names_the_first_op(void **state) {
    ct_options o = {.trap = 1, .threads = 2};
    ct_ctx *c = ct_open(&o);
    ct_t x = ct_input(c, "x", CT_F32, CT_SHAPE(CT_N, 3)), roots = ct_sqrt(x), logs = ct_log(roots);
    ct_t out[2] = {ct_mul(logs, roots), ct_add_scalar(roots, 1)};
    float in[6] = {1, 4, 9, 4, -1, 1}, y[6], z[6];
    ct_plan *p;
    ct_err e = {0};
    (void)state;
    assert_int_equal(ct_plan_new(out, 2, NULL, 0, (ct_compile){.no_fuse = 1}, &p, &e), CT_OK);
    assert_int_equal(ct_run(ct_default_session(c), p, (const void *[1]){in}, 2, (void *[2]){y, z}),
                     CT_ENONFINITE);
    if (!strstr(ct_session_error(ct_default_session(c)), "sqrt after \"x\": element [1,1]"))
        fail_msg("%s", ct_session_error(ct_default_session(c)));
    ct_plan_free(p);
    ct_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(M18_argmax_of_columns),
                                       cmocka_unit_test(M18_choices),
                                       cmocka_unit_test(M18_elementwise),
                                       cmocka_unit_test(M18_pooling),
                                       cmocka_unit_test(M18_rows_keep_to_themselves),
                                       cmocka_unit_test(M18_metrics),
                                       cmocka_unit_test(M18_detector_names_the_first_op)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
