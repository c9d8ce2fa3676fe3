/* test_permutation.c: is a difference of means what exchanges of labels give by chance (Fisher 1935, Pitman 1937)?
 *
 * Of pairs the sign of each difference is exchanged, of two samples their members. Where there are no more arrangements
 * than resamples all are counted; else random ones, the observed one counted among them: p = (k + 1) / (n + 1)
 * (Phipson, Smyth 2010). */
#include <string.h>

#include "maths/stat.h"

typedef struct exchange {
    const double *v;  /* differences [n], or both samples [na + nb] */
    int64_t n, first; /* of two samples: how many are of the first; 0: pairs */
    double total, observed, slack;
    int64_t less, greater, count;
} exchange;

static void judge(exchange *x, double value) {
    x->less += value <= x->observed + x->slack;
    x->greater += value >= x->observed - x->slack;
    x->count++;
}

/* Difference of means when the first sample's sum is `sum`. */
static double difference(const exchange *x, double sum) {
    return sum / (double)x->first - (x->total - sum) / (double)(x->n - x->first);
}

static void all_signs(exchange *x) {
    for (uint64_t mask = 0; mask < UINT64_C(1) << x->n; mask++) {
        double sum = 0;
        for (int64_t i = 0; i < x->n; i++) sum += mask >> i & 1 ? -x->v[i] : x->v[i];
        judge(x, sum / (double)x->n);
    }
}

static void random_signs(exchange *x, int64_t resamples, uint64_t seed) {
    for (int64_t r = 0; r < resamples; r++) {
        ct_random random = ct_random_stream(seed, (uint64_t)r);
        double sum = 0;
        uint32_t bits = 0;
        for (int64_t i = 0; i < x->n; i++) {
            if (i % 32 == 0) bits = ct_random_u32(&random);
            sum += bits >> (i % 32) & 1 ? -x->v[i] : x->v[i];
        }
        judge(x, sum / (double)x->n);
    }
}

/* All choices of `first` out of n, in lexical order. */
static void all_choices(exchange *x, int64_t *chosen) {
    for (int64_t i = 0; i < x->first; i++) chosen[i] = i;
    for (;;) {
        double sum = 0;
        int64_t i = x->first - 1;
        for (int64_t k = 0; k < x->first; k++) sum += x->v[chosen[k]];
        judge(x, difference(x, sum));
        while (i >= 0 && chosen[i] == x->n - x->first + i) i--;
        if (i < 0) return;
        chosen[i]++;
        for (int64_t k = i + 1; k < x->first; k++) chosen[k] = chosen[k - 1] + 1;
    }
}

static void random_choices(exchange *x, double *room, int64_t resamples, uint64_t seed) {
    for (int64_t r = 0; r < resamples; r++) {
        ct_random random = ct_random_stream(seed, (uint64_t)r);
        double sum = 0;
        memcpy(room, x->v, (size_t)x->n * sizeof *room);
        for (int64_t i = 0; i < x->first; i++) { /* the first steps of Fisher and Yates's shuffle */
            int64_t k = i + (int64_t)ct_random_below(&random, (uint64_t)(x->n - i));
            double swap = room[i];
            room[i] = room[k];
            room[k] = swap;
            sum += room[i];
        }
        judge(x, difference(x, sum));
    }
}

static double arrangements(const exchange *x) {
    if (!x->first) return x->n < 64 ? ldexp(1, (int)x->n) : INFINITY;
    return exp(-ct__log_beta((double)x->first + 1, (double)(x->n - x->first) + 1)) / (double)(x->n + 1);
}

static ct_status run(ct__job *j, exchange *x, int64_t resamples, uint64_t seed, ct_alternative alternative,
                     ct_test *out) {
    double *room = ct__job_doubles(j, x->n, 1);
    int64_t *chosen = ct_arena_array(&j->arena, (uint64_t)x->n, sizeof *chosen);
    if (!room || !chosen) return ct__job_memory(j);
    int exact = arrangements(x) <= (double)resamples + 0.5;
    for (int64_t i = 0; i < x->n; i++) room[i] = fabs(x->v[i]);
    if (!isfinite(ct__sum(room, x->n))) /* a bound of every sum, so none of them overflows */
        return ct_fail(j->e, CT_ENONFINITE, "%s: the sums overflow; wanted smaller numbers; scale the data",
                       j->name);
    x->slack = 1e-13 * fabs(x->observed) + 1e-15 * ct__mean(room, x->n); /* equal but for rounding is equal */
    if (x->first)
        exact ? all_choices(x, chosen) : random_choices(x, room, resamples, seed);
    else
        exact ? all_signs(x) : random_signs(x, resamples, seed);
    double more = exact ? 0 : 1, less = ((double)x->less + more) / ((double)x->count + more),
           greater = ((double)x->greater + more) / ((double)x->count + more);
    *out = (ct_test){
        .statistic = x->observed, .estimate = x->observed, .n = x->n, .exact = exact, .interval = {NAN, NAN}};
    out->p_value = alternative == CT_LESS      ? less
                   : alternative == CT_GREATER ? greater
                                               : fmin(1, 2 * fmin(less, greater));
    return CT_OK;
}

static ct_status prepare(ct__job *j, const ct_array *x, const ct_array *y, int32_t paired, exchange *out) {
    double *a, *b, *both;
    int64_t na, nb;
    ct_status s = ct__stat_load(j, x, "x", 1, &a, &na);
    if (!s) s = ct__stat_load(j, y, "y", 1, &b, &nb);
    if (!s && paired && na != nb)
        s = ct_fail(j->e, CT_EDATA, "%s: %lld and %lld values; wanted pairs; give as many of each", j->name,
                    (long long)na, (long long)nb);
    if (s) return s;
    if (paired) {
        for (int64_t i = 0; i < na; i++) a[i] -= b[i];
        *out = (exchange){.v = a, .n = na, .observed = ct__mean(a, na)};
        return CT_OK;
    }
    both = ct__job_doubles(j, na + nb, 1);
    if (!both) return CT_ELIMIT;
    memcpy(both, a, (size_t)na * sizeof *a);
    memcpy(both + na, b, (size_t)nb * sizeof *b);
    *out = (exchange){.v = both, .n = na + nb, .first = na, .total = ct__sum(both, na + nb)};
    out->observed = ct__mean(a, na) - ct__mean(b, nb);
    return CT_OK;
}

ct_status ct_permutation_test(const ct_maths *m, const ct_array *x, const ct_array *y, int32_t paired,
                              int64_t resamples, uint64_t seed, ct_alternative alternative, ct_test *out,
                              ct_err *e) {
    ct__job j;
    exchange v;
    ct_status s = ct__job_begin(&j, m, "permutation_test", e);
    if (!s) s = ct__check_alternative(&j, alternative);
    if (!s && (resamples < 0 || resamples > 1000000000))
        s = ct_fail(e, CT_EUSAGE, "permutation_test: %lld resamples; wanted 0 (9,999) to 10^9; ask for fewer",
                    (long long)resamples);
    if (!s) s = prepare(&j, x, y, paired, &v);
    if (!s) s = run(&j, &v, resamples ? resamples : 9999, seed, alternative, out);
    ct__job_end(&j);
    return s;
}
