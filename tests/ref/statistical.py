#!/usr/bin/env python3
"""Writes statistical.safetensors: numpy's and scipy.stats' statistics and tests, for tests/test_statistics.c and
tests/test_tests.c.      usage: statistical.py [OUT]      needs numpy, scipy
"""
import numpy as np
import scipy.stats as st
from common import save

r = np.random.default_rng(12)
t = {}
x, y = r.standard_normal(23) * 3 + 1, r.standard_normal(17) * 2
paired = x + r.standard_normal(23) * 0.7 + 0.3
tied, tied2 = r.integers(0, 6, 30).astype(float), r.integers(1, 8, 30).astype(float)
far = 1e6 + r.standard_normal(50)
table = r.standard_normal((25, 4)) @ r.standard_normal((4, 4)) + np.array([0, 100, -5, 1e4])
t.update(x=x, y=y, paired=paired, tied=tied, tied2=tied2, far=far, table=table)

for n, v in (("x", x), ("tied", tied), ("far", far)):
    w = np.array(v, dtype=np.longdouble)
    t[f"{n}:mean"], t[f"{n}:var0"], t[f"{n}:var1"] = np.float64(w.mean()), np.float64(w.var()), np.float64(w.var(ddof=1))
    t[f"{n}:quantiles"] = np.quantile(v, [0, 0.05, 0.25, 0.5, 0.333, 0.9, 1])
    c, e = np.histogram(v, 7)
    t[f"{n}:counts"], t[f"{n}:edges"] = c.astype(np.int64), e
    t[f"{n}:ranks"] = st.rankdata(v)
c, e = np.histogram(x, 5, (-2, 3))
t["x:range:counts"], t["x:range:edges"] = c.astype(np.int64), e
w = table.astype(np.longdouble)  # one column lies 1e4 from 0
t["table:z"] = ((w - w.mean(0)) / w.std(0)).astype(float)
w -= w.mean(0)
t["table:cov0"], t["table:cov1"] = (w.T @ w / 25).astype(float), (w.T @ w / 24).astype(float)
t["table:pearson"], t["table:spearman"] = np.corrcoef(table.T), st.spearmanr(table).statistic
k = st.gaussian_kde(x)
points = np.linspace(-8, 10, 13)
t["kde:points"], t["kde"] = points, k(points)
t["kde:half"] = st.norm(points[:, None], 0.5).pdf(x).mean(1)
m = st.t(22, x.mean(), st.sem(x)).interval(0.9)
t["x:interval"] = np.array(m)
t["wilson"] = np.array([[*st.binomtest(k, n).proportion_ci(method="wilson")] for k, n in ((3, 10), (0, 5), (50, 50), (517, 1000))])

# ---- tests: [statistic, p-value] for the alternatives two-sided, less, greater ----
A = ("two-sided", "less", "greater")


def three(name, f):
    t[name] = np.array([[(q := f(a)).statistic, q.pvalue] for a in A])


three("t_test", lambda a: st.ttest_1samp(x, 0.4, alternative=a))
three("t_two", lambda a: st.ttest_ind(x, y, equal_var=False, alternative=a))
three("t_pooled", lambda a: st.ttest_ind(x, y, alternative=a))
three("t_paired", lambda a: st.ttest_rel(x, paired, alternative=a))
q = st.ttest_ind(x, y, equal_var=False)
t["t_two:df"], t["t_two:interval"] = np.float64(q.df), np.array(q.confidence_interval(0.95))
three("pearson", lambda a: st.pearsonr(x, paired, alternative=a))
three("spearman", lambda a: st.spearmanr(x, paired, alternative=a))
t["pearson:interval"] = np.array(st.pearsonr(x, paired).confidence_interval(0.95))
three("wilcoxon", lambda a: st.wilcoxon(x, paired, alternative=a, method="exact"))
three("wilcoxon_tied", lambda a: st.wilcoxon(tied - tied2, alternative=a, zero_method="wilcox", correction=False, method="asymptotic"))
three("wilcoxon_few", lambda a: st.wilcoxon(tied[6:18] - tied2[6:18], alternative=a))
three("mann_whitney", lambda a: st.mannwhitneyu(x, y, alternative=a))
three("mann_whitney_exact", lambda a: st.mannwhitneyu(x, y[:6], alternative=a))
three("mann_whitney_tied", lambda a: st.mannwhitneyu(tied, tied2, alternative=a))
mean = lambda u, v, axis=-1: u.mean(axis) - v.mean(axis)
three("permutation", lambda a: st.permutation_test((x[:6], y[:5]), mean, n_resamples=np.inf, alternative=a, vectorized=True))
three("permutation_paired", lambda a: st.permutation_test((x[:9], paired[:9]), mean, n_resamples=np.inf, alternative=a, permutation_type="samples", vectorized=True))
counts = np.array([18.0, 22, 30, 14, 16])
q, q2 = st.chisquare(counts), st.chisquare(counts, counts.sum() * np.array([0.2, 0.2, 0.25, 0.2, 0.15]))
t["chi:observed"], t["chi:expected"] = counts, counts.sum() * np.array([0.2, 0.2, 0.25, 0.2, 0.15])
t["chi"] = np.array([[q.statistic, q.pvalue], [q2.statistic, q2.pvalue]])
a23, a22 = np.array([[10.0, 20, 30], [6, 9, 17]]), np.array([[12.0, 5], [3, 9]])
t["independence:23"], t["independence:22"] = a23, a22
t["independence"] = np.array([st.chi2_contingency(a23)[:2], st.chi2_contingency(a22)[:2], st.chi2_contingency(a22, correction=False)[:2]])
t["mcnemar"] = np.array([st.binomtest(k, n).pvalue for k, n in ((3, 14), (20, 41), (0, 6), (5, 10))])
p = np.array([0.01, 0.04, 0.03, 0.005, 0.2, 0.04, 0.9])
o = np.argsort(p, kind="stable")
holm = np.empty(7)
holm[o] = np.minimum(1, np.maximum.accumulate(p[o] * np.arange(7, 0, -1)))
t["adjust:p"] = p
t["adjust"] = np.stack([np.minimum(1, 7 * p), holm, st.false_discovery_control(p), st.false_discovery_control(p, method="by")])


# ---- the bootstrap, anew: Philox4x32-10, resamples by (seed, r), BCa ----
def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def below(n, seed, stream):
    word, block = [], 0
    while True:
        if len(word) < 2:
            word += philox([block & 0xFFFFFFFF, 0, stream, 0], [seed, 0])
            block += 1
        v = word.pop(0) | word.pop(0) << 32
        if v >= (2**64 - n) % n:
            yield v % n


def resamples(v, count, seed):
    for s in range(count):
        g = below(len(v), seed, s)
        yield v[[next(g) for _ in v]]


def bca(v, f, count, seed, level):
    theta, value = f(v), np.sort([f(s) for s in resamples(v, count, seed)])
    z0 = st.norm.ppf(((value < theta).sum() + (value == theta).sum() / 2) / count)
    j = np.array([f(np.delete(v, i)) for i in range(len(v))])
    a = ((j.mean() - j) ** 3).sum() / (6 * ((j.mean() - j) ** 2).sum() ** 1.5)
    z = st.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    return np.array([theta, value.std(ddof=1), *np.quantile(value, st.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z))))])


skewed = np.exp(y)
t["skewed"], t["bootstrap"] = skewed, bca(skewed, np.mean, 500, 3, 0.9)
value = np.sort([s.mean() for s in resamples(skewed, 500, 3)])
t["bootstrap:percentile"] = np.quantile(value, [0.05, 0.95])
save(t, __file__)
