#!/usr/bin/env python3
"""Writes special.safetensors: special functions by mpmath at 60 digits, for tests/test_special.c.

usage: special.py [OUT]      needs mpmath, numpy
NAME is [n, arguments + results]: the arguments as they are (doubles), then the values.
"""
import mpmath as mp
import numpy as np
from common import save

mp.mp.dps = 60
t, f = {}, mp.mpf


def rows(name, function, arguments):
    out = []
    for a in arguments:
        a = [float(v) for v in (a if isinstance(a, tuple) else (a,))]
        v = function(*[f(x) for x in a])
        out.append(a + [float(x) for x in (v if isinstance(v, tuple) else (v,))])
    t[name] = np.array(out)


def tails_gamma(a, x):
    return mp.gammainc(a, 0, x, regularized=True), mp.gammainc(a, x, mp.inf, regularized=True)


def beta_lower(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def tails_beta(a, b, x):
    return beta_lower(a, b, x), beta_lower(b, a, 1 - x)


def inverse(function, low, high, p):
    """x with function(x) = p by bisection on the logarithm, then secants: 40 digits."""
    low, high = mp.log(low), mp.log(high)
    for _ in range(300):
        mid = (low + high) / 2
        low, high = (mid, high) if function(mp.exp(mid)) < p else (low, mid)
    return mp.exp((low + high) / 2)


rows("log_gamma_1p", lambda x: mp.loggamma(1 + x), [1e-30, 1e-20, 1e-10, -1e-8, 1e-5, 0.1, -0.3, 0.5, -0.5, 0.7, 1.0, 1.3, 5.0, 100.0])
rows("digamma", mp.digamma, [1e-8, 1e-3, 0.1, 0.5, 1, 1.2, 2, 3.7, 9.9, 10.1, 100, 1e6, 1e300, -0.5, -3.3])
rows("trigamma", lambda x: mp.psi(1, x), [1e-8, 1e-3, 0.1, 0.5, 1, 2, 3.7, 11.9, 12.1, 100, 1e6])
rows("log_beta", lambda a, b: mp.log(mp.beta(a, b)), [(0.5, 0.5), (1e-10, 2), (3, 4.5), (0.1, 200), (12, 15), (1e3, 1e-3), (1e8, 2.5), (1e8, 1e8), (11, 1e12), (9.5, 9.9)])
rows("stirling_rest", lambda x: mp.loggamma(x + 1) - (x + f(1) / 2) * mp.log(x) + x - mp.log(2 * mp.pi) / 2, [0.1, 0.5, 1, 3.3, 11.9, 12.1, 50, 1e4, 1e10])
rows("deviance", lambda x, m: x * mp.log(x / m) + m - x, [(1, 1.0000001), (5, 5.5), (1e10, 1e10 + 3), (3, 30), (30, 3), (1e-5, 1), (0.1, 0.11)])
rows("poisson_log", lambda x, m: x * mp.log(m) - m - mp.loggamma(x + 1), [(0, 3), (1, 1e-10), (3.5, 2), (100, 100), (1e6, 1e6 + 1000), (1e9, 1e9), (0.01, 5), (1e-5, 1e-5), (20, 1e-3), (5, 700)])
rows("binomial_log", lambda x, n, p: mp.log(mp.binomial(n, x)) + x * mp.log(p) + (n - x) * mp.log(1 - p), [(3, 10, 0.3), (0, 10, 1e-9), (10, 10, 0.4), (500, 1000, 0.5), (2e5, 1e6, 0.2), (0.5, 3.25, 0.1), (1, 1e9, 1e-9)])
rows("gamma_p", tails_gamma, [(a, x) for a in (1e-10, 1e-3, 0.1, 0.5, 1, 2.5, 10, 100, 1234.5) for r in (1e-8, 0.01, 0.3, 0.9, 1, 1.1, 2, 5) for x in (max(a, 0.2) * r,)])
rows("gamma_p_large", tails_gamma, [(1e5, 1e5), (1e5, 1.005e5), (1e5, 0.99e5), (1e6, 1.001e6)])
rows("beta_i", tails_beta, [(a, b, x) for a, b in ((0.5, 0.5), (1, 1), (2, 3), (0.1, 5), (5, 0.1), (30, 70), (200, 3), (1e-3, 2), (400, 600)) for x in (1e-6, 0.01, 0.25, 0.5, 0.9, 0.999)])
rows("normal_cdf", lambda z: (mp.ncdf(z), mp.ncdf(-z)), [-37, -10, -5, -1, -0.1, -1e-10, 0, 1e-5, 0.5, 2, 8, 30])
rows("normal_quantile", lambda p: mp.findroot(lambda z: mp.ncdf(z) - p if p > 1e-5 else mp.log(mp.ncdf(z)) - mp.log(p), -mp.sqrt(-2 * mp.log(p)) if p < 0.1 else p - 0.5),
     [1e-300, 1e-100, 1e-20, 1e-8, 0.001, 0.02, 0.2, 0.3, 0.4, 0.4999999999, 0.5000001, 0.6, 0.75, 0.8, 0.99, 0.999999])
rows("gamma_p_inverse", lambda a, p: inverse(lambda x: mp.gammainc(a, 0, x, regularized=True), f(10) ** -300, f(10) ** 6, p),
     [(a, p) for a in (0.05, 0.5, 1, 3, 50, 2000) for p in (1e-6, 0.01, 0.3, 0.5, 0.9, 0.999)])
rows("beta_i_inverse", lambda a, b, p: inverse(lambda x: beta_lower(a, b, x), f(10) ** -130, 1, p),
     [(a, b, p) for a, b in ((0.5, 0.5), (2, 3), (0.05, 5), (5, 0.3), (30, 70), (500, 2)) for p in (1e-6, 0.01, 0.3, 0.5, 0.9, 0.999)])
save(t, __file__)
