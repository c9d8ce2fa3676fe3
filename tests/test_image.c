/* test_image.c: the image kernels against plain loops of doubles, on every instruction set of the machine and
 * in all storage orders. Guard values around each result show writes outside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/base.h"
#include "kern/image.h"

#define GUARD 12345.0f

/* Sizes around every vector width. */
static const int64_t channels[] = {1, 3, 7, 8, 9, 15, 16, 17, 33};

static ct_random rng;
static float *fresh(int64_t n) { /* n floats between guards, all guards; on no more than 4 bytes aligned */
    float *p = malloc(sizeof(float) * (size_t)(n + 33));
    assert_non_null(p);
    for (int64_t i = 0; i < n + 33; i++) p[i] = GUARD;
    return p + 17;
}
static void done(float *p, int64_t n) {
    for (int64_t i = 0; i < 16; i++) {
        assert_true(p[-1 - i] == GUARD);
        assert_true(p[n + i] == GUARD);
    }
    free(p - 17);
}
static float *drawn(int64_t n) {
    float *p = fresh(n);
    for (int64_t i = 0; i < n; i++) p[i] = (float)ct_random_normal(&rng);
    return p;
}
static int64_t below(int64_t n) { return (int64_t)ct_random_below(&rng, (uint64_t)n); }

static int64_t padded(int64_t c, int64_t lanes) { return (c + lanes - 1) / lanes * lanes; }
/* Where element (n, c, s) lies. */
static int64_t place(int64_t n, int64_t c, int64_t s, int64_t all_c, int64_t all_s, int64_t lanes) {
    return ((n * (padded(all_c, lanes) / lanes) + c / lanes) * all_s + s) * lanes + c % lanes;
}
/* Plain -> an order, by the formula; padding zero. */
static float *ordered(const float *plain, int64_t n, int64_t c, int64_t s, int64_t lanes) {
    int64_t count = n * padded(c, lanes) * s;
    float *p = fresh(count);
    for (int64_t i = 0; i < count; i++) p[i] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t t = 0; t < s; t++) p[place(i, k, t, c, s, lanes)] = plain[(i * c + k) * s + t];
    return p;
}
static void near(double found, double wanted, double tolerance) {
    if (isnan(wanted) ? isnan(found)
                      : found == wanted || fabs(found - wanted) <= tolerance * (1 + fabs(wanted)))
        return;
    fail_msg("found %.9g, wanted %.9g", found, wanted);
}
static void padding_zero(const float *p, int64_t n, int64_t c, int64_t s, int64_t lanes) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = c; k < padded(c, lanes); k++)
            for (int64_t t = 0; t < s; t++) assert_true(p[place(i, k, t, c, s, lanes)] == 0);
}

typedef void (*body)(const ct__image_table *t, int64_t lanes);
static void everywhere(body run) {
    static const int64_t lanes[] = {1, 8, 16};
    for (int32_t level = 1; level <= ct__simd_of(0)->level; level++)
        for (int i = 0; i < 3; i++) {
            rng = ct_random_stream(7, (uint64_t)i);
            run(ct__simd_of(level)->image, lanes[i]);
        }
}

/* ---- order ---- */

static void order(const ct__image_table *t, int64_t lanes) {
    static const int64_t spatial[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 49, 64, 100};
    if (lanes == 1) return;
    for (size_t ci = 0; ci < sizeof channels / sizeof *channels; ci++)
        for (size_t si = 0; si < sizeof spatial / sizeof *spatial; si++) {
            int64_t n = below(3), c = channels[ci], s = spatial[si], count = n * padded(c, lanes) * s;
            float *x = drawn(n * c * s), *want = ordered(x, n, c, s, lanes), *y = fresh(count),
                  *back = fresh(n * c * s);
            t->to_blocked(n, c, s, lanes, x, y);
            assert_memory_equal(y, want, (size_t)count * sizeof *y);
            t->to_plain(n, c, s, lanes, y, back);
            assert_memory_equal(back, x, (size_t)(n * c * s) * sizeof *x);
            done(x, n * c * s);
            done(want, count);
            done(y, count);
            done(back, n * c * s);
        }
}
static void test_order(void **state) {
    (void)state;
    everywhere(order);
}

/* ---- pooling ---- */

typedef struct axis_rule {
    int64_t in, out, kernel, stride, pad, dilation;
} axis_rule;

static axis_rule random_axis(int pairs) {
    for (;;) {
        axis_rule a = {1 + below(12), 0, 1 + below(4), 1 + below(3), 0, 1 + below(2)};
        a.pad = below(a.kernel / 2 + 1);
        if (pairs) a = (axis_rule){2 + below(11), 0, 2, 2, 0, 1};
        int64_t reach = (a.kernel - 1) * a.dilation + 1;
        int ok = a.in + 2 * a.pad >= reach;
        if (ok) a.out = (a.in + 2 * a.pad - reach) / a.stride + 1;
        for (int64_t o = 0; ok && o < a.out; o++) {
            int any = 0;
            for (int64_t k = 0; k < a.kernel; k++) {
                int64_t at = o * a.stride - a.pad + k * a.dilation;
                any |= at >= 0 && at < a.in;
            }
            ok = any;
        }
        if (ok) return a;
    }
}

static void fill_spans(const axis_rule *a, ct__span *span) {
    for (int64_t o = 0; o < a->out; o++) {
        int64_t first = -1, last = -1, inside = 0;
        for (int64_t k = 0; k < a->kernel; k++) {
            int64_t at = o * a->stride - a->pad + k * a->dilation;
            if (at < 0 || at >= a->in) continue;
            if (first < 0) first = at;
            last = at;
            inside++;
        }
        span[o] = (ct__span){(int32_t)first, (int32_t)last + 1, (int32_t)(o % 2 ? inside : a->kernel), 0};
    }
}

typedef struct pooling {
    ct__pool p;
    axis_rule h, w;
    ct__span hs[16], ws[16];
    int64_t n, c, in, out; /* in, out: positions */
} pooling;

static void random_pooling(pooling *g, int64_t lanes, int pairs) {
    g->h = random_axis(pairs);
    g->w = random_axis(pairs);
    fill_spans(&g->h, g->hs);
    fill_spans(&g->w, g->ws);
    g->n = below(3);
    g->c = channels[below((int64_t)(sizeof channels / sizeof *channels))];
    g->in = g->h.in * g->w.in;
    g->out = g->h.out * g->w.out;
    g->p = (ct__pool){g->n * padded(g->c, lanes) / lanes,
                      (int32_t)lanes,
                      pairs,
                      {g->h.in, g->h.out, g->h.dilation, g->hs},
                      {g->w.in, g->w.out, g->w.dilation, g->ws}};
}

/* Taps of output o in row-major order: positions; returns how many. */
static int taps_of(const pooling *g, int64_t o, int64_t *at) {
    int n = 0;
    for (int64_t i = 0; i < g->h.kernel; i++)
        for (int64_t j = 0; j < g->w.kernel; j++) {
            int64_t y = o / g->w.out * g->h.stride - g->h.pad + i * g->h.dilation,
                    x = o % g->w.out * g->w.stride - g->w.pad + j * g->w.dilation;
            if (y >= 0 && y < g->h.in && x >= 0 && x < g->w.in) at[n++] = y * g->w.in + x;
        }
    return n;
}

/* Values with ties, NaNs and infinities. */
static void roughen(float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        int64_t k = below(20);
        if (k < 8) x[i] = (float)below(3);
        if (k == 18) x[i] = NAN;
        if (k == 19) x[i] = -INFINITY;
    }
}

static void check_max(const ct__image_table *t, const pooling *g, int64_t lanes) {
    int64_t rows = g->n * g->c, big = g->n * padded(g->c, lanes) * g->in,
            small = g->n * padded(g->c, lanes) * g->out;
    float *plain = drawn(rows * g->in), *dplain = drawn(rows * g->out), *yplain = drawn(rows * g->out);
    roughen(plain, rows * g->in);
    float *x = ordered(plain, g->n, g->c, g->in, lanes), *dy = ordered(dplain, g->n, g->c, g->out, lanes);
    float *pooled = ordered(yplain, g->n, g->c, g->out, lanes);
    float *y = fresh(small), *index = fresh(small), *dx = fresh(big), *dx_relu = fresh(big),
          *again = fresh(small);
    t->maxpool(&g->p, x, y, (int32_t *)index);
    t->maxpool_grad(&g->p, dy, (int32_t *)index, NULL, dx);
    t->maxpool_grad(&g->p, dy, (int32_t *)index, pooled, dx_relu);
    t->maxpool_take(&g->p, x, (int32_t *)index, again);
    for (int64_t i = 0; i < g->n; i++)
        for (int64_t k = 0; k < g->c; k++) {
            double want[200] = {0}, want_relu[200] = {0};
            const float *from = plain + (i * g->c + k) * g->in;
            for (int64_t o = 0; o < g->out; o++) {
                int64_t at[16], e = place(i, k, o, g->c, g->out, lanes);
                int n = taps_of(g, o, at);
                int64_t winner = at[0];
                float best = -INFINITY;
                for (int q = 0; q < n; q++)
                    if (from[at[q]] > best || isnan(from[at[q]])) {
                        best = from[at[q]];
                        winner = at[q];
                    }
                near((double)y[e], (double)best, 0);
                near((double)again[e], (double)from[winner], 0);
                assert_int_equal(((int32_t *)index)[e], winner);
                want[winner] += (double)dplain[(i * g->c + k) * g->out + o];
                if (yplain[(i * g->c + k) * g->out + o] > 0)
                    want_relu[winner] += (double)dplain[(i * g->c + k) * g->out + o];
            }
            for (int64_t s = 0; s < g->in; s++) {
                int64_t e = place(i, k, s, g->c, g->in, lanes);
                near((double)dx[e], want[s], 1e-6);
                near((double)dx_relu[e], want_relu[s], 1e-6);
            }
        }
    padding_zero(y, g->n, g->c, g->out, lanes);
    padding_zero(dx, g->n, g->c, g->in, lanes);
    padding_zero(dx_relu, g->n, g->c, g->in, lanes);
    done(plain, rows * g->in), done(dplain, rows * g->out), done(yplain, rows * g->out);
    done(x, big), done(dy, small), done(pooled, small), done(y, small), done(index, small), done(dx, big),
        done(dx_relu, big), done(again, small);
}

static void check_average(const ct__image_table *t, const pooling *g, int64_t lanes) {
    int64_t rows = g->n * g->c, big = g->n * padded(g->c, lanes) * g->in,
            small = g->n * padded(g->c, lanes) * g->out;
    float *plain = drawn(rows * g->in), *dplain = drawn(rows * g->out);
    float *x = ordered(plain, g->n, g->c, g->in, lanes), *dy = ordered(dplain, g->n, g->c, g->out, lanes),
          *y = fresh(small), *dx = fresh(big);
    t->avgpool(&g->p, x, y);
    t->avgpool_grad(&g->p, dy, dx);
    for (int64_t i = 0; i < g->n; i++)
        for (int64_t k = 0; k < g->c; k++) {
            double want[200] = {0};
            for (int64_t o = 0; o < g->out; o++) {
                int64_t at[16];
                int n = taps_of(g, o, at);
                double sum = 0, count = (double)g->hs[o / g->w.out].count * (double)g->ws[o % g->w.out].count;
                for (int q = 0; q < n; q++) {
                    sum += (double)plain[(i * g->c + k) * g->in + at[q]];
                    want[at[q]] += (double)dplain[(i * g->c + k) * g->out + o] / count;
                }
                near((double)y[place(i, k, o, g->c, g->out, lanes)], sum / count, 1e-6);
            }
            for (int64_t s = 0; s < g->in; s++)
                near((double)dx[place(i, k, s, g->c, g->in, lanes)], want[s], 1e-6);
        }
    padding_zero(y, g->n, g->c, g->out, lanes);
    padding_zero(dx, g->n, g->c, g->in, lanes);
    done(plain, rows * g->in), done(dplain, rows * g->out), done(x, big), done(dy, small), done(y, small),
        done(dx, big);
}

static void pool(const ct__image_table *t, int64_t lanes) {
    for (int turn = 0; turn < 60; turn++) {
        pooling g;
        random_pooling(&g, lanes, turn % 3 == 0);
        check_max(t, &g, lanes);
        check_average(t, &g, lanes);
    }
}
static void test_pool(void **state) {
    (void)state;
    everywhere(pool);
}

/* ---- over space and channels ---- */

static const int64_t positions[] = {1, 2, 3, 7, 9, 16, 17, 33, 100};
#define SHAPES (int64_t)(sizeof positions / sizeof *positions)

static void space(const ct__image_table *t, int64_t lanes) {
    for (int turn = 0; turn < 60; turn++) {
        int64_t n = below(3), c = channels[below(9)], s = positions[below(SHAPES)],
                count = n * padded(c, lanes) * s;
        ct__image m = {n, c, s, (int32_t)lanes, 0};
        float *plain = drawn(n * c * s), *x = ordered(plain, n, c, s, lanes), *y = fresh(n * c),
              *back = fresh(count);
        t->spatial_sum(&m, 0.5f, x, y);
        t->spatial_spread(&m, 2, y, back);
        for (int64_t i = 0; i < n * c; i++) {
            double sum = 0;
            for (int64_t k = 0; k < s; k++) sum += (double)plain[i * s + k];
            near((double)y[i], sum / 2, 1e-5);
            for (int64_t k = 0; k < s; k++)
                assert_true(back[place(i / c, i % c, k, c, s, lanes)] == 2 * y[i]);
        }
        padding_zero(back, n, c, s, lanes);
        done(plain, n * c * s), done(x, count), done(y, n * c), done(back, count);
    }
}
static void test_space(void **state) {
    (void)state;
    everywhere(space);
}

static void neighbours(const ct__image_table *t, int64_t lanes) {
    for (int turn = 0; turn < 60; turn++) {
        int64_t n = below(3), c = channels[below(9)], s = positions[below(SHAPES)],
                count = n * padded(c, lanes) * s;
        int64_t before = below(turn % 5 ? 4 : 40), after = below(turn % 5 ? 4 : 40),
                room = ct__image_channels(c) + before + after;
        ct__image m = {n, c, s, (int32_t)lanes, 0};
        float *plain = drawn(n * c * s), *x = ordered(plain, n, c, s, lanes), *y = fresh(count),
              *scratch = fresh(room);
        t->channel_sum(&m, before, after, x, scratch, y);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < c; k++)
                for (int64_t p = 0; p < s; p++) {
                    double sum = 0;
                    for (int64_t q = k - before; q <= k + after; q++)
                        if (q >= 0 && q < c) sum += (double)plain[(i * c + q) * s + p];
                    near((double)y[place(i, k, p, c, s, lanes)], sum, 1e-5);
                }
        padding_zero(y, n, c, s, lanes);
        done(plain, n * c * s), done(x, count), done(y, count), done(scratch, room);
    }
}
static void test_neighbours(void **state) {
    (void)state;
    everywhere(neighbours);
}

/* ---- batch norm ---- */

typedef struct normed {
    int64_t n, c, s;
    float *mean, *var, *weight, *bias, *db, *dw;
} normed;

static void check_apply(const ct__image_table *t, const normed *d, int64_t lanes, const float *plain,
                        const float *x, const float *dplain, const float *dy) {
    int64_t n = d->n, c = d->c, s = d->s, count = n * padded(c, lanes) * s, wide = ct__image_channels(c);
    ct__image m = {n, c, s, (int32_t)lanes, 0};
    float *y = fresh(count), *relu = fresh(count), *bare = fresh(count), *dx = fresh(count),
          *scratch = fresh(4 * wide);
    t->norm_apply(&m, x, d->mean, d->var, d->weight, d->bias, 1e-5, 0, scratch, y);
    t->norm_apply(&m, x, d->mean, d->var, d->weight, d->bias, 1e-5, 1, scratch, relu);
    t->norm_apply(&m, x, d->mean, d->var, NULL, NULL, 1e-5, 0, scratch, bare);
    t->norm_grad(&m, dy, x, d->mean, d->var, d->weight, d->db, d->dw, 1e-5, 50, scratch, dx);
    for (int64_t i = 0; i < n * c * s; i++) {
        int64_t k = i / s % c, e = place(i / s / c, k, i % s, c, s, lanes);
        double rstd = 1 / sqrt((double)d->var[k] + 1e-5),
               hat = ((double)plain[i] - (double)d->mean[k]) * rstd;
        double want = hat * (double)d->weight[k] + (double)d->bias[k];
        near((double)y[e], want, 1e-5);
        near((double)relu[e], (double)y[e] > 0 ? (double)y[e] : 0, 0);
        near((double)bare[e], hat, 1e-5);
        near((double)dx[e],
             (double)d->weight[k] * rstd *
                 ((double)dplain[i] - (double)d->db[k] / 50 - hat * (double)d->dw[k] / 50),
             1e-5);
    }
    padding_zero(y, n, c, s, lanes), padding_zero(relu, n, c, s, lanes), padding_zero(bare, n, c, s, lanes),
        padding_zero(dx, n, c, s, lanes);
    done(y, count), done(relu, count), done(bare, count), done(dx, count), done(scratch, 4 * wide);
}

static void check_sums(const ct__image_table *t, const normed *d, int64_t lanes, const float *plain,
                       const float *x, const float *dplain, const float *dy) {
    int64_t n = d->n, c = d->c, s = d->s;
    ct__image m = {n, c, s, (int32_t)lanes, 0};
    float *stats = fresh(2 + 3 * c), *db = fresh(c), *dw = fresh(c);
    t->norm_stats(&m, x, stats);
    t->norm_sums(&m, dy, x, d->mean, d->var, 1e-5, db, dw);
    assert_true(stats[0] == (float)c && stats[1] == (float)(n * s));
    for (int64_t k = 0; k < c; k++) {
        double sum = 0, square = 0, b = 0, w = 0, all = (double)(n * s),
               scale = 1 / sqrt((double)d->var[k] + 1e-5), spread = 0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t p = 0; p < s; p++) sum += (double)plain[(i * c + k) * s + p];
        for (int64_t i = 0; i < n; i++)
            for (int64_t p = 0; p < s; p++) {
                int64_t e = (i * c + k) * s + p;
                double v = (double)plain[e] - sum / all, dv = (double)dplain[e],
                       hat = ((double)plain[e] - (double)d->mean[k]) * scale;
                square += v * v;
                b += dv;
                w += dv * hat;
                spread += fabs(dv) * (1 + fabs(hat));
            }
        near((double)stats[2 + k], all > 0 ? sum / all : 0, 1e-6);
        near((double)stats[2 + c + k], square, 1e-5);
        near((double)db[k], b, 1e-6 * (1 + spread));
        near((double)dw[k], w, 1e-6 * (1 + spread));
    }
    done(stats, 2 + 3 * c), done(db, c), done(dw, c);
}

static void norm(const ct__image_table *t, int64_t lanes) {
    for (int turn = 0; turn < 60; turn++) {
        int64_t n = turn ? below(turn % 4 ? 4 : 200) : 300, c = channels[below(9)],
                s = turn % 4 ? positions[below(SHAPES)] : 1;
        if (turn == 1) n = 2, s = 3000;
        int64_t count = n * padded(c, lanes) * s;
        float offset = turn % 3 ? 0 : 1000;
        normed d = {n, c, s, drawn(c), drawn(c), drawn(c), drawn(c), drawn(c), drawn(c)};
        float *plain = drawn(n * c * s), *dplain = drawn(n * c * s);
        for (int64_t i = 0; i < n * c * s; i++) plain[i] += offset;
        for (int64_t k = 0; k < c; k++) d.var[k] = d.var[k] * d.var[k] + 0.1f, d.mean[k] += offset;
        float *x = ordered(plain, n, c, s, lanes), *dy = ordered(dplain, n, c, s, lanes);
        check_apply(t, &d, lanes, plain, x, dplain, dy);
        check_sums(t, &d, lanes, plain, x, dplain, dy);
        done(plain, n * c * s), done(dplain, n * c * s), done(x, count), done(dy, count);
        done(d.mean, c), done(d.var, c), done(d.weight, c), done(d.bias, c), done(d.db, c), done(d.dw, c);
    }
}
static void test_norm(void **state) {
    (void)state;
    everywhere(norm);
}

/* A mean far from zero costs no digits: deviations of +-1 around 4e6. */
static void far_from_zero(const ct__image_table *t, int64_t lanes) {
    int64_t s = 1000, c = 16;
    ct__image m = {1, c, s, (int32_t)lanes, 0};
    float *plain = fresh(c * s), stats[50];
    for (int64_t i = 0; i < c * s; i++) plain[i] = 4e6f + (i % 2 ? 1.0f : -1.0f);
    float *x = ordered(plain, 1, c, s, lanes);
    t->norm_stats(&m, x, stats);
    for (int64_t k = 0; k < c; k++) {
        near((double)stats[2 + k], 4e6, 0);
        near((double)stats[2 + c + k], 1000, 1e-6);
    }
    done(plain, c * s), done(x, c * s);
}
static void test_far(void **state) {
    (void)state;
    everywhere(far_from_zero);
}

/* NaN stays through the ReLU. */
static void nan_stays(const ct__image_table *t, int64_t lanes) {
    ct__image m = {1, 16, 1, (int32_t)lanes, 0};
    float x[16] = {NAN, -1, 1}, zero[16] = {0}, one[16], y[16], scratch[48];
    for (int i = 0; i < 16; i++) one[i] = 1;
    t->norm_apply(&m, x, zero, one, NULL, NULL, 1e-5, 1, scratch, y);
    assert_true(isnan(y[0]));
    assert_true(y[1] == 0 && y[2] > 0.99f);
}
static void test_nan(void **state) {
    (void)state;
    everywhere(nan_stays);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),      cmocka_unit_test(test_pool), cmocka_unit_test(test_space),
        cmocka_unit_test(test_neighbours), cmocka_unit_test(test_norm), cmocka_unit_test(test_far),
        cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
