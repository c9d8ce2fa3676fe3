/* p_adjust.c: p-values of many tests. Bonferroni: n p. Holm 1979: the i-th smallest times n - i + 1, never below those
 * before it. Benjamini and Hochberg 1995: times n / i, never above those after it; Yekutieli 2001: that times
 * 1 + 1/2 + ... + 1/n. */
#include <stdlib.h>

#include "maths/stat.h"

typedef struct place {
    double p;
    int64_t index;
} place;

static int ascending(const void *a, const void *b) {
    const place *x = a, *y = b;
    return (x->p > y->p) - (x->p < y->p);
}

static void adjust(place *v, int64_t n, ct_adjust method) {
    double count = (double)n, harmonic = 0, bound = method == CT_HOLM ? 0 : 1;
    for (int64_t i = n; i >= 1; i--) harmonic += 1 / (double)i;
    double factor = method == CT_BENJAMINI_YEKUTIELI ? harmonic * count : count;
    for (int64_t k = 0; k < n; k++) {
        int64_t i = method == CT_HOLM ? k : n - 1 - k;
        double p = method == CT_BONFERRONI ? v[i].p * count
                   : method == CT_HOLM     ? fmax(bound, v[i].p * (count - (double)i))
                                           : fmin(bound, v[i].p * factor / (double)(i + 1));
        v[i].p = fmin(p, 1);
        bound = v[i].p;
    }
}

ct_status ct_p_adjust(const ct_maths *m, const double *p, int64_t n, ct_adjust method, double *out,
                      ct_err *e) {
    ct__job j;
    ct_status s = ct__job_begin(&j, m, "p_adjust", e);
    if (!s && (n < 1 || method < CT_BONFERRONI || method > CT_BENJAMINI_YEKUTIELI))
        s = ct_fail(e, CT_EUSAGE,
                    "p_adjust: %lld values, method %d; wanted at least 1, and a ct_adjust; choose one",
                    (long long)n, (int)method);
    for (int64_t i = 0; !s && i < n; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            s = ct_fail(e, CT_EDATA, "p_adjust: p[%lld] is %g; wanted a probability; correct it",
                        (long long)i, p[i]);
    place *v = s ? NULL : ct_arena_array(&j.arena, (uint64_t)n, sizeof *v);
    if (!s && !v) s = ct__job_memory(&j);
    if (!s) {
        for (int64_t i = 0; i < n; i++) v[i] = (place){p[i], i};
        qsort(v, (size_t)n, sizeof *v, ascending);
        adjust(v, n, method);
        for (int64_t i = 0; i < n; i++) out[v[i].index] = v[i].p;
    }
    ct__job_end(&j);
    return s;
}
