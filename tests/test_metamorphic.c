/* test_metamorphic.c: M22, what must not matter: later tokens to earlier ones, how far a sequence is padded, where in a
 * picture something stands, in which order rows come. */
#include "evaluate.h"
#include "kern/simd.h"

/* Bits hold where CORE promises them, on AVX-512; elsewhere 1e-6 of the largest. */
static void same(const char *what, const float *a, const float *b, int64_t n) {
    float largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(a[i]));
    for (int64_t i = 0; i < n; i++) {
        int equal = ct__simd_of(0)->level == 3 ? memcmp(&a[i], &b[i], sizeof *a) == 0
                                               : fabsf(a[i] - b[i]) <= 1e-6f * largest;
        if (!equal)
            fail_msg("%s: element %lld is %.9g and %.9g", what, (long long)i, (double)a[i], (double)b[i]);
    }
}

static const char language[] =
    "h = position(embedding(input(t), \"wte\", 11, 24), \"wpe\", 40)\n"
    "h = add(h, linear(self_attention(linear(layer_norm(h, \"n1\"), \"qkv\", 72), 4, causal=1), \"proj\", "
    "24))\n"
    "h = add(h, linear(gelu(linear(layer_norm(h, \"n2\"), \"up\", 96)), \"down\", 24))\n"
    "y = linear(layer_norm(h, \"n\"), \"head\", 11)\n";

/* Outputs [T,11] of one sequence. */
static void speak(const int64_t *tokens, int64_t t, float *y) {
    ct_options o = {.seed = 3, .threads = 2};
    ct_ctx *c = ct_open(&o);
    ct_net_input in = {"t", CT_SHAPE(CT_N, t), CT_I64, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1};
    ct_err e = {0};
    ct_t out;
    if (ct_net_build(ct_default_graph(c), language, "net", &env, &out, &e) ||
        ct_predict(c, out, tokens, 1, y))
        fail_msg("%s%s", e.text, ct_error(c));
    ct_close(c);
}

static void M22_later_tokens_change_nothing(void **state) {
    enum { T = 37 };
    int64_t tokens[T];
    static float y[T * 11], z[T * 11];
    (void)state;
    for (int i = 0; i < T; i++) tokens[i] = (i * 7) % 11;
    speak(tokens, T, y);
    for (int from = 1; from < T; from += 5) {
        int64_t other[T];
        for (int i = 0; i < T; i++) other[i] = i < from ? tokens[i] : (tokens[i] + i + 1) % 11;
        speak(other, T, z);
        if (memcmp(y, z, (size_t)from * 11 * sizeof *y) != 0)
            fail_msg("tokens from %d on change earlier ones", from);
        assert_true(memcmp(y, z, sizeof y) != 0);
    }
    for (int64_t t = 1; t < T; t += 4) { /* nor does it matter whether they are there */
        speak(tokens, t, z);
        same("shorter sequence", y, z, t * 11);
    }
}

/* Keys that a mask hides have no effect, whatever they hold and however many they are. */
static void M22_padding_has_no_effect(void **state) {
    enum { REAL = 13, LONG = 70, D = 8 };
    static float q[REAL * D], k[LONG * D], v[LONG * D], y[REAL * D], z[REAL * D], dq[2][REAL * D];
    static uint8_t mask[LONG];
    static const char net[] = "attention(input(q), input(k), input(v), input(m))";
    ct_random r = ct_random_stream(22, 0);
    (void)state;
    for (int i = 0; i < REAL * D; i++) q[i] = (float)ct_random_normal(&r);
    for (int i = 0; i < LONG * D; i++) k[i] = (float)ct_random_normal(&r), v[i] = (float)ct_random_normal(&r);
    for (int i = 0; i < REAL; i++) mask[i] = 1;
    for (int64_t s = REAL; s <= LONG; s = s < 20 ? s + 1 : s + 17) {
        given in[4] = {{"q", q, CT_SHAPE(CT_N, 1, REAL, D), CT_F32, 0},
                       {"k", k, CT_SHAPE(CT_N, 1, s, D), CT_F32, 0},
                       {"v", v, CT_SHAPE(CT_N, 1, s, D), CT_F32, 0},
                       {"m", mask, CT_SHAPE(CT_N, 1, 1, s), CT_BOOL, 0}};
        evaluate((evaluation){
            .net = net, .in = in, .n = 4, .y = s == REAL ? y : z, .by = "q", .dx = dq[s > REAL]});
        if (s == REAL) continue;
        same("padded attention", y, z, REAL * D);
        for (int i = 0; i < REAL * D; i++) assert_true(fabsf(dq[0][i] - dq[1][i]) <= 1e-6f);
    }
}

/* A picture moved by the stride gives a result moved by one. */
static void M22_convolution_moves_with_the_picture(void **state) {
    enum { SIDE = 24, C = 3, O = 5 };
    static const struct {
        const char *net;
        int stride, out;
    } rows[] = {{"conv2d(input(x), \"c\", 5, 3, pad=1)", 1, 24},
                {"conv2d(input(x), \"c\", 5, 3, pad=1, stride=2)", 2, 12},
                {"maxpool2d(conv2d(input(x), \"c\", 5, 1), 2)", 2, 12},
                {"avgpool2d(conv2d(input(x), \"c\", 5, 1), 3, stride=3)", 3, 8},
                {"conv2d(input(x), \"c\", 5, 3, pad=2, dilation=2)", 1, 24}};
    static float x[C * SIDE * SIDE], moved[C * SIDE * SIDE], y[O * SIDE * SIDE], z[O * SIDE * SIDE];
    ct_random r = ct_random_stream(22, 1);
    (void)state;
    for (int i = 0; i < C * SIDE * SIDE; i++) x[i] = (float)ct_random_normal(&r);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        int stride = rows[k].stride, out = rows[k].out;
        memset(moved, 0, sizeof moved);
        for (int c = 0; c < C; c++)
            for (int i = stride; i < SIDE; i++)
                for (int j = stride; j < SIDE; j++)
                    moved[(c * SIDE + i) * SIDE + j] = x[(c * SIDE + i - stride) * SIDE + j - stride];
        given a = {"x", x, CT_SHAPE(CT_N, C, SIDE, SIDE), CT_F32, 0}, b = a;
        b.data = moved;
        evaluate((evaluation){.net = rows[k].net, .in = &a, .n = 1, .y = y});
        evaluate((evaluation){.net = rows[k].net, .in = &b, .n = 1, .y = z});
        for (int o = 0; o < O; o++) /* away from the borders */
            for (int i = 4; i < out - 4; i++)
                for (int j = 4; j < out - 4; j++) {
                    float want = y[(o * out + i - 1) * out + j - 1], have = z[(o * out + i) * out + j];
                    if (!(fabsf(want - have) <= 1e-6f * (1 + fabsf(want))))
                        fail_msg("%s: %.9g and %.9g", rows[k].net, (double)want, (double)have);
                }
    }
}

static void M22_order_of_rows(void **state) {
    static const char *const nets[] = {
        "linear(relu(linear(input(x), \"a\", 33)), \"b\", 10)", "softmax(linear(input(x), \"a\", 17), 1)",
        "layer_norm(linear(input(x), \"a\", 20), \"n\")",
        ("linear(flatten(maxpool2d(relu(conv2d(reshape(input(x), -1, 1, 6, 6), "
         "\"c\", 16, 3, pad=1)), 2)), \"b\", 10)")};
    enum { ROWS = 23, COLUMNS = 36 };
    static float x[ROWS * COLUMNS], turned[ROWS * COLUMNS], y[ROWS * 40], z[ROWS * 40];
    ct_random r = ct_random_stream(22, 2);
    (void)state;
    for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = (float)ct_random_normal(&r);
    for (int i = 0; i < ROWS; i++)
        memcpy(turned + i * COLUMNS, x + i * 7 % ROWS * COLUMNS, COLUMNS * sizeof *x);
    for (size_t k = 0; k < sizeof nets / sizeof *nets; k++) {
        int64_t width = k == 1 ? 17 : k == 2 ? 20 : 10;
        given a = rows_of(x, COLUMNS), b = rows_of(turned, COLUMNS);
        for (int64_t shard = ROWS; shard > 0; shard /= 6) {
            evaluate((evaluation){.net = nets[k], .in = &a, .n = 1, .batch = ROWS, .shard = shard, .y = y});
            evaluate((evaluation){.net = nets[k], .in = &b, .n = 1, .batch = ROWS, .shard = shard, .y = z});
            for (int i = 0; i < ROWS; i++) same(nets[k], y + i * 7 % ROWS * width, z + i * width, width);
        }
    }
}

/* Scores know no order; a mean knows none but in its last digits. */
static void M22_order_of_samples(void **state) {
    float logits[3 * 4] = {1, 2, 3, -1, 0, 4, 2, 2, 2, 5, 5, -3};
    int64_t label[4] = {2, 0, 1, 1};
    ct_score a, b;
    ct_err e = {0};
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        ct_scores *s;
        assert_int_equal(ct_scores_new(NULL, 3, &s, &e), CT_OK);
        for (int i = 0; i < 4; i++) {
            int k = turn ? 3 - i : i;
            assert_int_equal(ct_scores_add(s, logits + 3 * k, label + k, 1, &e), CT_OK);
        }
        if (turn)
            b = ct_scores_result(s);
        else
            a = ct_scores_result(s);
        ct_scores_free(s);
    }
    assert_true(a.accuracy == b.accuracy && a.macro_f1 == b.macro_f1 && fabs(a.loss - b.loss) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M22_later_tokens_change_nothing), cmocka_unit_test(M22_padding_has_no_effect),
        cmocka_unit_test(M22_convolution_moves_with_the_picture), cmocka_unit_test(M22_order_of_rows),
        cmocka_unit_test(M22_order_of_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
