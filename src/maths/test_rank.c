/* test_rank.c: tests by ranks: Wilcoxon's signed ranks (1945) and Mann and Whitney's U (1947).
 *
 * Exact distributions are counted: signed ranks by how many subsets of the ranks have each sum (of twice the ranks, which
 * are whole numbers where values are tied too), U by the recursion N(u; m, n) = N(u - n; m - 1, n) + N(u; m, n - 1), both
 * as shares, so that nothing overflows. */
#include <string.h>

#include "maths/stat.h"

static ct_test result(double statistic, double p, double estimate, int64_t n, int exact) {
    return (ct_test){.statistic = statistic,
                     .p_value = p,
                     .estimate = estimate,
                     .n = n,
                     .exact = exact,
                     .interval = {NAN, NAN}};
}

/* P(X <= x) and P(X >= x) of shares over 0, 1, ..., size - 1 */
static double exact_p(const double *share, int64_t size, double x, ct_alternative alternative) {
    double less = 0, greater = 0;
    for (int64_t k = 0; k < size; k++) {
        if ((double)k <= x) less += share[k];
        if ((double)k >= x) greater += share[k];
    }
    return alternative == CT_LESS      ? fmin(1, less)
           : alternative == CT_GREATER ? fmin(1, greater)
                                       : fmin(1, 2 * fmin(less, greater));
}

/* ---- signed ranks ---- */

enum { EXACT = 50, EXACT_TIED = 13 }; /* pairs; of tied ones as scipy, which tries all 2^13 signs */

/* Shares of the sums 0, 1, ..., n (n + 1) of twice the ranks. */
static double *signed_rank_shares(ct__job *j, const double *rank, int64_t n) {
    int64_t most = n * (n + 1);
    double *share = ct__job_doubles(j, most + 1, 1);
    if (!share) return NULL;
    share[0] = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t twice = (int64_t)(2 * rank[k]);
        for (int64_t s = most; s >= 0; s--) share[s] = 0.5 * (share[s] + (s >= twice ? share[s - twice] : 0));
    }
    return share;
}

static ct_status signed_ranks(ct__job *j, double *d, int64_t n, ct_alternative alternative, ct_test *out) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (d[i] > 0 || d[i] < 0) d[kept++] = d[i];
    if (kept == 0) {
        *out = result(0, 1, 0, 0, 1);
        return CT_OK;
    }
    double *size = ct__job_doubles(j, kept, 1), *rank = ct__job_doubles(j, kept, 1), ties, plus = 0,
           minus = 0, count = (double)kept, p;
    if (!size || !rank) return CT_ELIMIT;
    for (int64_t i = 0; i < kept; i++) size[i] = fabs(d[i]);
    ct_status s = ct__ranks(j, size, kept, rank, &ties);
    if (s) return s;
    for (int64_t i = 0; i < kept; i++) *(d[i] > 0 ? &plus : &minus) += rank[i];
    int exact = kept <= (ties > 0 ? EXACT_TIED : EXACT);
    if (exact) {
        const double *share = signed_rank_shares(j, rank, kept);
        if (!share) return CT_ELIMIT;
        p = exact_p(share, kept * (kept + 1) + 1, 2 * plus, alternative);
    } else {
        double mean = count * (count + 1) / 4,
               variance = (count * (count + 1) * (2 * count + 1) - ties / 2) / 24;
        p = ct__normal_tail((plus - mean) / sqrt(variance), alternative);
    }
    ct__sort(d, kept);
    double median = kept % 2 ? d[kept / 2] : 0.5 * (d[kept / 2 - 1] + d[kept / 2]);
    *out = result(alternative == CT_TWO_SIDED ? fmin(plus, minus) : plus, p, median, kept, exact);
    return CT_OK;
}

ct_status ct_wilcoxon_test(const ct_maths *m, const ct_array *x, const ct_array *y,
                           ct_alternative alternative, ct_test *out, ct_err *e) {
    ct__job j;
    double *a, *b;
    int64_t n, k;
    ct_status s = ct__job_begin(&j, m, "wilcoxon_test", e);
    if (!s) s = ct__check_alternative(&j, alternative);
    if (!s) s = ct__stat_load(&j, x, "x", 1, &a, &n);
    if (!s && y) s = ct__stat_load(&j, y, "y", 1, &b, &k);
    if (!s && y && n != k)
        s = ct_fail(e, CT_EDATA, "wilcoxon_test: %lld and %lld values; wanted pairs; give as many of each",
                    (long long)n, (long long)k);
    for (int64_t i = 0; !s && y && i < n; i++) a[i] -= b[i];
    if (!s) s = signed_ranks(&j, a, n, alternative, out);
    ct__job_end(&j);
    return s;
}

/* ---- U ---- */

/* Shares of U over 0 .. m n: the largest of m + n values is of the first sample (and exceeds all n) with share m/(m+n).
 * m and n may be exchanged: m is the smaller, as the table has a row for each a <= m. */
static double *u_shares(ct__job *j, int64_t m, int64_t n) {
    int64_t size = m * n + 1;
    double *table = ct__job_doubles(j, m + 1, size); /* row a: a values of the first, for the current n */
    if (!table) return NULL;
    for (int64_t a = 0; a <= m; a++) table[a * size] = 1; /* n = 0: U is 0 */
    for (int64_t b = 1; b <= n; b++)
        for (int64_t a = 1; a <= m; a++) {
            double first = (double)a / (double)(a + b), second = (double)b / (double)(a + b);
            const double *before = table + (a - 1) * size;
            double *row = table + a * size;
            for (int64_t u = a * b; u >= 0; u--)
                row[u] = second * row[u] + (u >= b ? first * before[u - b] : 0);
        }
    return table + m * size;
}

static ct_status mann_whitney(ct__job *j, const double *a, int64_t na, const double *b, int64_t nb,
                              ct_alternative alternative, ct_test *out) {
    int64_t n = na + nb;
    double *both = ct__job_doubles(j, n, 1), *rank = ct__job_doubles(j, n, 1), ties, sum = 0, x = (double)na,
           y = (double)nb, p;
    if (!both || !rank) return CT_ELIMIT;
    memcpy(both, a, (size_t)na * sizeof *a);
    memcpy(both + na, b, (size_t)nb * sizeof *b);
    ct_status s = ct__ranks(j, both, n, rank, &ties);
    if (s) return s;
    for (int64_t i = 0; i < na; i++) sum += rank[i];
    double u = sum - x * (x + 1) / 2, all = x + y;
    int exact = (na <= 8 || nb <= 8) && !(ties > 0) && na * nb <= 100000;
    if (exact) {
        const double *share = na < nb ? u_shares(j, na, nb) : u_shares(j, nb, na);
        if (!share) return CT_ELIMIT;
        p = exact_p(share, na * nb + 1, u, alternative);
    } else {
        double variance = x * y / 12 * (all + 1 - ties / (all * (all - 1))), off = u - x * y / 2;
        double shift = alternative == CT_TWO_SIDED ? (off > 0 ? -0.5 : 0.5)
                       : alternative == CT_LESS    ? 0.5
                                                   : -0.5;
        if (alternative == CT_TWO_SIDED && fabs(off) < 0.5) shift = -off;
        p = variance > 0 ? ct__normal_tail((off + shift) / sqrt(variance), alternative) : 1;
    }
    *out = result(u, p, u / (x * y), n, exact);
    return CT_OK;
}

ct_status ct_mann_whitney_test(const ct_maths *m, const ct_array *x, const ct_array *y,
                               ct_alternative alternative, ct_test *out, ct_err *e) {
    ct__job j;
    double *a, *b;
    int64_t na, nb;
    ct_status s = ct__job_begin(&j, m, "mann_whitney_test", e);
    if (!s) s = ct__check_alternative(&j, alternative);
    if (!s) s = ct__stat_load(&j, x, "x", 1, &a, &na);
    if (!s) s = ct__stat_load(&j, y, "y", 1, &b, &nb);
    if (!s) s = mann_whitney(&j, a, na, b, nb, alternative, out);
    ct__job_end(&j);
    return s;
}
