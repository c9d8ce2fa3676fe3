#!/usr/bin/env python3
"""Writes distributions.safetensors: scipy.stats' distributions, for tests/test_distributions.c.

usage: distributions.py [OUT]      needs scipy, mpmath
NAME/i is the i-th row of parameters; NAME/i:x, :logpdf, :pdf, :cdf, :sf, :p, :ppf, :q, :isf, :mean, :var, :entropy. NAME/fit is
a sample and NAME/fit:p what maximises its likelihood (the score is solved to 1e-15). NAME/kl/i is two rows of parameters,
one after the other, and NAME/kl/i:v their divergence, by quadrature.
"""
import mpmath as mp
import numpy as np
import scipy.stats as st
from common import save

mp.mp.dps = 30
t = {}
P = np.array([1e-8, 1e-3, 0.1, 0.3, 0.5, 0.8, 0.975, 0.9999])
Q = np.array([1e-15, 1e-9, 1e-4, 0.02, 0.4])

SCIPY = {
    "normal": lambda m, s: st.norm(m, s), "lognormal": lambda m, s: st.lognorm(s, scale=np.exp(m)), "uniform": lambda a, b: st.uniform(a, b - a),
    "exponential": lambda r: st.expon(scale=1 / r), "gamma": lambda a, r: st.gamma(a, scale=1 / r), "beta": st.beta,
    "student_t": lambda n, m, s: st.t(n, m, s), "chi_squared": st.chi2, "f": st.f, "laplace": lambda m, s: st.laplace(m, s),
    "cauchy": lambda m, s: st.cauchy(m, s), "bernoulli": st.bernoulli, "binomial": st.binom, "geometric": lambda p: st.geom(p, loc=-1),
    "poisson": st.poisson,
}
ROWS = {
    "normal": [(0, 1), (10, 2.5)], "lognormal": [(0, 1), (1.5, 0.25)], "uniform": [(0, 1), (-3, 7)], "exponential": [(1,), (0.02,)],
    "gamma": [(0.3, 1), (1, 2), (4.5, 0.1), (250, 3), (1e5, 1)], "beta": [(0.5, 0.5), (2, 5), (0.2, 3), (40, 60), (300, 2)],
    "student_t": [(1, 0, 1), (2.5, 1, 3), (10, 0, 1), (200, 0, 1)], "chi_squared": [(1,), (4,), (77,)], "f": [(1, 5), (4, 9), (30, 100)],
    "laplace": [(0, 1), (-2, 0.3)], "cauchy": [(0, 1), (5, 0.5)], "bernoulli": [(0.3,), (0.999,)],
    "binomial": [(10, 0.3), (1, 0.5), (400, 0.02), (100000, 0.6)], "geometric": [(0.2,), (0.001,)], "poisson": [(0.4,), (12.5,), (4000,)],
}
DISCRETE = {"bernoulli", "binomial", "geometric", "poisson"}

# log-densities by mpmath: scipy subtracts large logarithms of Gamma, which costs digits for large parameters
LOG = {
    "normal": lambda x, m, s: -((x - m) / s) ** 2 / 2 - mp.log(s) - mp.log(2 * mp.pi) / 2,
    "lognormal": lambda x, m, s: -((mp.log(x) - m) / s) ** 2 / 2 - mp.log(s * x) - mp.log(2 * mp.pi) / 2,
    "uniform": lambda x, a, b: -mp.log(b - a), "exponential": lambda x, r: mp.log(r) - r * x,
    "gamma": lambda x, a, r: a * mp.log(r) + (a - 1) * mp.log(x) - r * x - mp.loggamma(a),
    "beta": lambda x, a, b: (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x) - mp.log(mp.beta(a, b)),
    "chi_squared": lambda x, n: (n / 2 - 1) * mp.log(x) - x / 2 - n / 2 * mp.log(2) - mp.loggamma(n / 2),
    "laplace": lambda x, m, s: -abs(x - m) / s - mp.log(2 * s), "cauchy": lambda x, m, s: -mp.log(mp.pi * s * (1 + ((x - m) / s) ** 2)),
    "bernoulli": lambda x, p: mp.log(p if x else 1 - p), "binomial": lambda x, n, p: mp.log(mp.binomial(n, x)) + x * mp.log(p) + (n - x) * mp.log(1 - p),
    "geometric": lambda x, p: mp.log(p) + x * mp.log(1 - p), "poisson": lambda x, r: x * mp.log(r) - r - mp.loggamma(x + 1),
    "student_t": lambda x, n, m, s: mp.loggamma((n + 1) / 2) - mp.loggamma(n / 2) - mp.log(n * mp.pi) / 2 - mp.log(s) - (n + 1) / 2 * mp.log(1 + ((x - m) / s) ** 2 / n),
    "f": lambda x, m, n: -mp.log(mp.beta(m / 2, n / 2)) + m / 2 * mp.log(m / n) + (m / 2 - 1) * mp.log(x) - (m + n) / 2 * mp.log(1 + m * x / n),
}


def f_upper(q, m, n):
    """scipy's f.isf loses digits in the tail: here by bisection on the incomplete beta function."""
    low, high, m, n = mp.mpf(0), mp.log(mp.mpf(10) ** 12), mp.mpf(m), mp.mpf(n)
    for _ in range(120):
        mid = (low + high) / 2
        low, high = (mid, high) if mp.betainc(n / 2, m / 2, 0, n / (n + m * (mp.exp(mid) - 1)), regularized=True) > q else (low, mid)
    return float(mp.exp((low + high) / 2) - 1)


for name, rows in ROWS.items():
    for i, p in enumerate(rows):
        d, k = SCIPY[name](*p), f"{name}/{i}"
        t[k] = np.array(p, dtype=float)
        x = np.unique(np.concatenate([d.ppf(P), d.isf(Q[:3])]))
        if name not in DISCRETE:
            x = np.round(x, 6 - int(np.floor(np.log10(np.abs(x).max() + 1e-300))))
            x = x[(x > d.support()[0]) & (x < d.support()[1])]
        t[k + ":x"] = x.astype(float)
        t[k + ":logpdf"] = np.array([float(LOG[name](mp.mpf(float(v)), *[mp.mpf(float(w)) for w in p])) for v in x])
        t[k + ":pdf"] = np.array([float(mp.exp(LOG[name](mp.mpf(float(v)), *[mp.mpf(float(w)) for w in p]))) for v in x])
        t[k + ":cdf"], t[k + ":sf"] = d.cdf(x), d.sf(x)
        t[k + ":p"], t[k + ":ppf"], t[k + ":q"], t[k + ":isf"] = P, d.ppf(P).astype(float), Q, d.isf(Q).astype(float)
        t[k + ":mean"], t[k + ":var"], t[k + ":entropy"] = np.float64(d.mean()), np.float64(d.var()), np.float64(d.entropy())
        if name == "f":
            t[k + ":isf"] = np.array([f_upper(q, *p) for q in Q])
        if name == "student_t" and p[0] <= 1:
            t[k + ":mean"] = t[k + ":var"] = np.float64(np.nan)  # undefined, not infinite
        if name == "poisson":
            f = lambda x: LOG[name](mp.mpf(x), mp.mpf(p[0]))
            t[k + ":entropy"] = np.float64(-sum(mp.exp(f(x)) * f(x) for x in range(max(0, int(p[0] - 40 * p[0] ** 0.5) - 40), int(p[0] + 40 * p[0] ** 0.5) + 60)))

# ---- distributions of vectors ----
r = np.random.default_rng(4)
mean, m = np.array([1.0, -2.0, 0.5]), r.standard_normal((3, 3))
cov = m @ m.T + np.eye(3)
d = st.multivariate_normal(mean, cov)
t["multivariate_normal/0"] = np.concatenate([mean, cov.ravel()])
t["multivariate_normal/0:x"] = x = d.rvs(6, random_state=1)
t["multivariate_normal/0:logpdf"], t["multivariate_normal/0:entropy"] = d.logpdf(x), np.float64(d.entropy())
alpha = np.array([0.7, 2.0, 5.5])
a = alpha
d = st.dirichlet(a)
t["dirichlet/0"] = a
x = d.rvs(6, random_state=1)
t["dirichlet/0:x"] = x = x / x.sum(1, keepdims=True)
t["dirichlet/0:logpdf"], t["dirichlet/0:entropy"] = np.array([st.dirichlet.logpdf(v, a) for v in x]), np.float64(d.entropy())
t["dirichlet/0:mean"], t["dirichlet/0:var"] = d.mean(), d.cov()
p = np.array([0.2, 0.5, 0.3])
d = st.multinomial(12, p)
t["multinomial/0"] = np.concatenate([[12], p])
t["multinomial/0:x"] = x = d.rvs(6, random_state=1).astype(float)
t["multinomial/0:logpdf"], t["multinomial/0:entropy"] = d.logpmf(x), np.float64(d.entropy())
t["multinomial/0:mean"], t["multinomial/0:var"] = 12 * p, d.cov()

t["multivariate_normal/0:mean"], t["multivariate_normal/0:var"] = mean, cov
p = np.array([0.1, 0.45, 0.0, 0.25, 0.2])
d = st.rv_discrete(values=(np.arange(5), p))
t["categorical/0"] = p
t["categorical/0:x"] = x = np.array([0, 1, 3, 4, 1.5, -1, 7.0])
t["categorical/0:pdf"] = np.array([0.1, 0.45, 0.25, 0.2, 0, 0, 0])
t["categorical/0:logpdf"] = np.array([*np.log([0.1, 0.45, 0.25, 0.2]), -np.inf, -np.inf, -np.inf])
t["categorical/0:cdf"], t["categorical/0:sf"] = np.array([0.1, 0.55, 0.8, 1, 0.55, 0, 1]), np.array([0.9, 0.45, 0.2, 0, 0.45, 1, 0])
t["categorical/0:p"], t["categorical/0:ppf"] = P, d.ppf(P).astype(float)
t["categorical/0:q"], t["categorical/0:isf"] = Q, d.isf(Q).astype(float)
t["categorical/0:mean"], t["categorical/0:var"], t["categorical/0:entropy"] = np.float64(p @ np.arange(5)), np.float64(p @ np.arange(5) ** 2 - (p @ np.arange(5)) ** 2), np.float64(st.entropy(p))
n, p = 2000, [mp.mpf("0.2"), mp.mpf("0.5"), mp.mpf("0.3")]  # n H(p) - log n! + sum E log x_i!, at 30 digits
f = lambda x, q: mp.binomial(n, x) * q ** x * (1 - q) ** (n - x) * mp.loggamma(x + 1)
t["multinomial/1"] = np.array([n, 0.2, 0.5, 0.3])
t["multinomial/1:entropy"] = np.float64(-mp.loggamma(n + 1) - sum(n * q * mp.log(q) - sum(f(x, q) for x in range(n + 1)) for q in p))
n, p = 10 ** 8, mp.mpf("0.3")
f = lambda x: mp.loggamma(n + 1) - mp.loggamma(x + 1) - mp.loggamma(n - x + 1) + x * mp.log(p) + (n - x) * mp.log(1 - p)
t["binomial/4"] = np.array([1e8, 0.3])
t["binomial/4:entropy"] = np.float64(-sum(mp.exp(f(x)) * f(x) for x in range(3 * 10 ** 7 - 45000, 3 * 10 ** 7 + 45000)))

# ---- divergences, by quadrature of p log(p/q) ----
KL = {
    "normal": [((0, 1), (1, 2))], "lognormal": [((0, 1), (1, 2))], "uniform": [((1, 2), (0, 4))], "exponential": [((2,), (0.5,))], "gamma": [((2.5, 1), (4, 0.5))],
    "beta": [((2, 3), (1.5, 6))], "chi_squared": [((3,), (8,))], "laplace": [((0, 1), (2, 3))], "cauchy": [((0, 1), (2, 3))], "bernoulli": [((0.3,), (0.6,))],
    "binomial": [((9, 0.3), (9, 0.6))], "geometric": [((0.3,), (0.6,))], "poisson": [((3,), (5.5,))],
}
SPAN = {"normal": [-40, -5, 0, 5, 40], "lognormal": [0, 0.01, 0.1, 1, 10, 100, 1e4, 1e7], "uniform": [1, 2], "exponential": [0, 1, 5, 50], "gamma": [0, 1, 5, 20, 150],
        "beta": [0, 0.5, 1], "chi_squared": [0, 1, 5, 20, 200], "laplace": [-80, -5, 0, 2, 5, 80], "cauchy": [-mp.inf, -10, 0, 2, 10, mp.inf], "bernoulli": 2, "binomial": 10,
        "geometric": 300, "poisson": 120}
for name, pairs in KL.items():
    for i, (p, q) in enumerate(pairs):
        P_, Q_ = [mp.mpf(v) for v in p], [mp.mpf(v) for v in q]
        f = lambda x: mp.exp(LOG[name](x, *P_)) * (LOG[name](x, *P_) - LOG[name](x, *Q_))
        v = sum(f(x) for x in range(SPAN[name])) if isinstance(SPAN[name], int) else mp.quad(f, SPAN[name])
        t[f"{name}/kl/{i}"], t[f"{name}/kl/{i}:v"] = np.array(p + q, dtype=float), np.float64(v)

# ... of vectors: by the sum, by quadrature over the triangle, by the formula with inverse and determinant
from itertools import product
a, b = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.5, 0.1])
t["categorical/kl/0"], t["categorical/kl/0:v"] = np.concatenate([a, b]), np.float64(st.entropy(a, b))
pa, pb = st.multinomial(7, a), st.multinomial(7, b)
every = [np.array(x) for x in product(range(8), repeat=3) if sum(x) == 7]
t["multinomial/kl/0"] = np.concatenate([[7], a, [7], b])
t["multinomial/kl/0:v"] = np.float64(sum(pa.pmf(x) * (pa.logpmf(x) - pb.logpmf(x)) for x in every))
a, b = [mp.mpf(v) for v in (2, 3, 2)], [mp.mpf(v) for v in (1.5, 2, 4)]
L3 = lambda x, y, v: mp.loggamma(sum(v)) - sum(map(mp.loggamma, v)) + (v[0] - 1) * mp.log(x) + (v[1] - 1) * mp.log(y) + (v[2] - 1) * mp.log(1 - x - y)
mp.mp.dps = 20
inner = lambda x: mp.quad(lambda u: (1 - x) * mp.exp(L3(x, u * (1 - x), a)) * (L3(x, u * (1 - x), a) - L3(x, u * (1 - x), b)), [0, 1])
t["dirichlet/kl/0"], t["dirichlet/kl/0:v"] = np.array([float(v) for v in a + b]), np.float64(mp.quad(inner, [0, 1]))
mp.mp.dps = 30
m2, c2 = np.array([0.0, 1, -1]), np.array([[2, 0.5, 0.1], [0.5, 1, -0.2], [0.1, -0.2, 1.5]])
A, B, u = mp.matrix(cov.tolist()), mp.matrix(c2.tolist()), mp.matrix((m2 - mean).tolist())
t["multivariate_normal/kl/0"] = np.concatenate([mean, cov.ravel(), m2, c2.ravel()])
trace = sum((B ** -1 * A)[i, i] for i in range(3))
t["multivariate_normal/kl/0:v"] = np.float64((trace + (u.T * B ** -1 * u)[0] - 3 + mp.log(mp.det(B) / mp.det(A))) / 2)

# ---- maximum likelihood ----
n = 60
u = (np.arange(n) + 0.5) / n
S = {"normal": SCIPY["normal"](3, 2).ppf(u), "lognormal": SCIPY["lognormal"](0.5, 0.8).ppf(u), "uniform": SCIPY["uniform"](1, 4).ppf(u), "exponential": SCIPY["exponential"](0.7).ppf(u),
     "gamma": SCIPY["gamma"](2.5, 0.5).ppf(u), "beta": SCIPY["beta"](2, 3.5).ppf(u), "student_t": SCIPY["student_t"](3, 1, 2).ppf(u), "chi_squared": SCIPY["chi_squared"](5).ppf(u),
     "f": SCIPY["f"](6, 11).ppf(u), "laplace": SCIPY["laplace"](1, 2).ppf(u), "cauchy": SCIPY["cauchy"](-1, 0.5).ppf(u), "bernoulli": (u < 0.3) * 1.0,
     "geometric": SCIPY["geometric"](0.3).ppf(u), "poisson": SCIPY["poisson"](4).ppf(u)}


def score_zero(loglik, start):
    """The parameters where the gradient of the mean log-likelihood is 0."""
    def gradient(*v):
        v = list(v)
        return [mp.diff(lambda h: loglik(*(v[:i] + [h] + v[i + 1:])), v[i]) for i in range(len(v))]
    root = mp.findroot(gradient, [mp.mpf(v) for v in start], tol=1e-20)
    return np.array([float(v) for v in root])


for name, x in S.items():
    t[f"{name}/fit"] = x
    X = [mp.mpf(float(v)) for v in x]
    if name in ("normal", "lognormal"):
        y = np.log(x) if name == "lognormal" else x
        t[f"{name}/fit:p"] = np.array([y.mean(), y.std()])
    elif name == "uniform":
        t[f"{name}/fit:p"] = np.array([x.min(), x.max()])
    elif name == "laplace":
        t[f"{name}/fit:p"] = np.array([np.median(x), np.abs(x - np.median(x)).mean()])
    elif name in ("exponential", "geometric"):
        t[f"{name}/fit:p"] = np.array([1 / (x.mean() + (name == "geometric"))])
    elif name in ("bernoulli", "poisson"):
        t[f"{name}/fit:p"] = np.array([x.mean()])
    elif name == "student_t":
        ll = lambda nu, m, s: sum(mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2 - mp.log(s) - (nu + 1) / 2 * mp.log(1 + ((v - m) / s) ** 2 / nu) for v in X) / n
        t[f"{name}/fit:p"] = score_zero(ll, (3.2, 1, 2))
    elif name == "f":
        ll = lambda a, b: sum(-mp.log(mp.beta(a / 2, b / 2)) + a / 2 * mp.log(a / b) + (a / 2 - 1) * mp.log(v) - (a + b) / 2 * mp.log(1 + a * v / b) for v in X) / n
        t[f"{name}/fit:p"] = score_zero(ll, (6, 11))
    else:
        start = {"gamma": (2.5, 0.5), "beta": (2, 3.5), "chi_squared": (5,), "cauchy": (-1, 0.5)}[name]
        t[f"{name}/fit:p"] = score_zero(lambda *p: sum(LOG[name](v, *p) for v in X) / n, start)
x = st.multinomial(9, [0.2, 0.5, 0.3]).rvs(20, random_state=2).astype(float)
t["multinomial/fit"], t["multinomial/fit:p"] = x, np.concatenate([[9], x.sum(0) / 180])
x = np.array([0, 2, 1, 1, 3, 0, 1.0])
t["categorical/fit"], t["categorical/fit:p"] = x, np.array([2, 3, 1, 1]) / 7
x = st.multivariate_normal(mean, cov).rvs(30, random_state=3)
t["multivariate_normal/fit"], t["multivariate_normal/fit:p"] = x, np.concatenate([x.mean(0), np.cov(x.T, ddof=0).ravel()])
a = alpha
x = st.dirichlet(a).rvs(40, random_state=3)
x /= x.sum(1, keepdims=True)
t["dirichlet/fit"] = x
L = [[mp.log(mp.mpf(float(v))) for v in row] for row in x]
t["dirichlet/fit:p"] = score_zero(lambda *p: mp.loggamma(sum(p)) - sum(mp.loggamma(v) for v in p) + sum((p[k] - 1) * sum(row[k] for row in L) / 40 for k in range(3)), a)
save(t, __file__)
