#!/usr/bin/env python3
"""Fit the polynomial coefficients of src/kern/simd/vmath.h: weighted least squares on Chebyshev nodes, the
weight being the relative error. Prints them; needs mpmath and numpy (only to write the header anew)."""
import mpmath as mp
import numpy as np

mp.mp.dps = 40


def fit(f, lo, hi, degree, weight=lambda x: mp.mpf(1), steps=12, nodes=400):
    """f(x) ~ sum c_k x^k, k = 0..degree, small in weight*|error|; Lawson iteration towards minimax."""
    xs = [(lo + hi) / 2 + (hi - lo) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * nodes)) for i in range(nodes)]
    A = np.array([[float(x ** k) for k in range(degree + 1)] for x in xs], dtype=np.longdouble)
    y = np.array([float(f(x)) for x in xs], dtype=np.longdouble)
    w = np.array([float(weight(x)) for x in xs], dtype=np.longdouble)
    lawson = np.ones(nodes)
    for _ in range(steps):
        s = (w * np.sqrt(lawson)).astype(float)
        c, *_ = np.linalg.lstsq(A.astype(float) * s[:, None], y.astype(float) * s, rcond=None)
        err = np.abs((A @ c - y) * w).astype(float)
        lawson *= err + 1e-30
        lawson /= lawson.sum()
    return c, float(err.max())


def show(name, result):
    c, err = result
    print(name, "max", "%.2e" % err)
    print("   ", ", ".join("%.9ef" % v for v in c))


L = mp.log(2) / 2
# exp(r) = 1 + r + r^2 P(r)
show("exp", fit(lambda r: (mp.exp(r) - 1 - r) / r ** 2 if r else mp.mpf(1) / 2, -L, L, 4, lambda r: r ** 2))
# log(1+f) = f - f^2/2 + f^3 P(f)
show("log", fit(lambda f: (mp.log1p(f) - f + f * f / 2) / f ** 3, mp.sqrt(0.5) - 1, mp.sqrt(2) - 1, 8, lambda f: f ** 3 / mp.log1p(f)))
# tanh(x) = x + x^3 P(x^2), |x| < 0.55
show("tanh", fit(lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf("1e-9"), mp.mpf("0.3025"), 5, lambda z: z))
# erf(x) = x + x P(x^2), |x| < 0.92
show("erf small", fit(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, mp.mpf("1e-9"), mp.mpf("0.8464"), 6))
# erf(x) = 1 - exp(-x - x P(x)), 0.9 < x < 4
show("erf large", fit(lambda x: (-mp.log(mp.erfc(x)) - x) / x, mp.mpf("0.9"), mp.mpf("4"), 6, lambda x: x * mp.erfc(x)))
# expm1(x) = x + x^2 P(x), |x| < 0.5 ; log1p reuses log
show("expm1", fit(lambda r: (mp.expm1(r) - r) / r ** 2 if r else mp.mpf(1) / 2, mp.mpf("-0.51"), mp.mpf("0.51"), 5, lambda r: abs(r)))
# Phi(-a) = exp(-a^2/2) P(t) / (a + 4), t = (a - 4)/(a + 4), 0 < a < 13.5
def mills(t):
    a = 4 * (1 + t) / (1 - t)
    return mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / 2 * (a + 4)


show("normal tail", fit(mills, mp.mpf(-1), mp.mpf("9.5") / mp.mpf("17.5"), 9, lambda t: 1 / mills(t), nodes=200))
Q = mp.pi / 4
# sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2/2 + r^4 P(r^2), |r| < pi/4
show("sin", fit(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, mp.mpf("1e-9"), Q * Q, 3, lambda z: z))
show("cos", fit(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z ** 2, mp.mpf("1e-9"), Q * Q, 3, lambda z: z ** 2))
