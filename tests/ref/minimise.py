#!/usr/bin/env python3
"""Writes minimise.safetensors: how often scipy's BFGS, L-BFGS-B, CG and Newton-CG evaluate the test functions of
tests/functions.h until the gradient is below 1e-8, and where they end.   usage: minimise.py [OUT]   needs scipy

NAME:METHOD is [nfev, njev, nhev, |g|, f]. The functions are those of More, Garbow, Hillstrom 1981 and of scipy.
"""
import numpy as np
from scipy.optimize import minimize
from common import save

A = np.random.default_rng(3)


def rosenbrock(x):
    a, b = x[:-1], x[1:]
    f = (100 * (b - a * a) ** 2 + (1 - a) ** 2).sum()
    g = np.zeros_like(x)
    g[:-1] = -400 * a * (b - a * a) - 2 * (1 - a)
    g[1:] += 200 * (b - a * a)
    return f, g


def beale(x):
    c = np.array([1.5, 2.25, 2.625])
    k = np.arange(1, 4)
    r = c - x[0] * (1 - x[1] ** k)
    return (r * r).sum(), np.array([(2 * r * -(1 - x[1] ** k)).sum(), (2 * r * x[0] * k * x[1] ** (k - 1)).sum()])


def booth(x):
    r, q = x[0] + 2 * x[1] - 7, 2 * x[0] + x[1] - 5
    return r * r + q * q, np.array([2 * r + 4 * q, 4 * r + 2 * q])


def himmelblau(x):
    r, q = x[0] ** 2 + x[1] - 11, x[0] + x[1] ** 2 - 7
    return r * r + q * q, np.array([4 * x[0] * r + 2 * q, 2 * r + 4 * x[1] * q])


def wood(x):
    a, b, c, d = x
    f = 100 * (b - a * a) ** 2 + (1 - a) ** 2 + 90 * (d - c * c) ** 2 + (1 - c) ** 2 + 10.1 * ((b - 1) ** 2 + (d - 1) ** 2) + 19.8 * (b - 1) * (d - 1)
    return f, np.array([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a) + 20.2 * (b - 1) + 19.8 * (d - 1),
                        -360 * c * (d - c * c) - 2 * (1 - c), 180 * (d - c * c) + 20.2 * (d - 1) + 19.8 * (b - 1)])


def helical(x):
    theta = np.arctan2(x[1], x[0]) / (2 * np.pi)
    r = np.hypot(x[0], x[1])
    p, q = 10 * (x[2] - 10 * theta), 10 * (r - 1)
    dt = np.array([-x[1], x[0]]) / (2 * np.pi * r * r)
    g = np.zeros(3)
    g[:2] = 2 * p * -100 * dt + 2 * q * 10 * x[:2] / r
    g[2] = 20 * p + 2 * x[2]
    return p * p + q * q + x[2] ** 2, g


def dixon(x):
    """Dixon and Price 1979."""
    i = np.arange(2, len(x) + 1)
    r = 2 * x[1:] ** 2 - x[:-1]
    g = np.zeros_like(x)
    g[0] = 2 * (x[0] - 1)
    g[1:] += 8 * i * r * x[1:]
    g[:-1] -= 2 * i * r
    return (x[0] - 1) ** 2 + (i * r * r).sum(), g


def quadratic(x):
    """Eigenvalues 1 .. 1000, turned by a fixed reflection."""
    n = len(x)
    w = 1000 ** (np.arange(n) / (n - 1))
    v = np.sin(np.arange(1, n + 1)); v /= np.linalg.norm(v)
    y = x - 2 * v * (v @ x) - 1
    g = w * y
    return 0.5 * (w * y * y).sum(), g - 2 * v * (v @ g)


def logistic(x):
    """40 records of 5 features, ridge 0.1: the same numbers as in functions.h."""
    n, d = 40, len(x)
    X = np.sin(np.arange(n)[:, None] * (1.3 + 0.7 * np.arange(d)) + np.arange(d))
    t = np.where(np.cos(2.1 * np.arange(n)) > 0, 1.0, -1.0)
    m = t * (X @ x)
    f = np.logaddexp(0, -m).sum() + 0.05 * (x @ x)
    return f, X.T @ (-t / (1 + np.exp(m))) + 0.1 * x


def powell(x):
    a, b, c, d = x[0] + 10 * x[1], x[2] - x[3], x[1] - 2 * x[2], x[0] - x[3]
    return a * a + 5 * b * b + c ** 4 + 10 * d ** 4, np.array([2 * a + 40 * d ** 3, 20 * a + 4 * c ** 3, 10 * b - 8 * c ** 3, -10 * b - 40 * d ** 3])


def brown(x):
    a, b, c = x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2
    return a * a + b * b + c * c, np.array([2 * a + 2 * c * x[1], 2 * b + 2 * c * x[0]])


def trigonometric(x):
    i = np.arange(1, len(x) + 1)
    r = len(x) - np.cos(x).sum() + i * (1 - np.cos(x)) - np.sin(x)
    return (r * r).sum(), 2 * (np.sin(x) * r.sum() + r * (i * np.sin(x) - np.cos(x)))


def broyden(x):
    left, right = np.r_[0, x[:-1]], np.r_[x[1:], 0]
    r = (3 - 2 * x) * x - left - 2 * right + 1
    g = 2 * r * (3 - 4 * x)
    g[:-1] -= 2 * r[1:]
    g[1:] -= 4 * r[:-1]
    return (r * r).sum(), g


def zakharov(x):
    i = 0.5 * np.arange(1, len(x) + 1)
    s = i @ x
    return x @ x + s * s + s ** 4, 2 * x + (2 * s + 4 * s ** 3) * i


def freudenstein(x):
    y = x[1]
    a, b = x[0] - 13 + ((5 - y) * y - 2) * y, x[0] - 29 + ((y + 1) * y - 14) * y
    return a * a + b * b, np.array([2 * (a + b), 2 * a * (10 * y - 3 * y * y - 2) + 2 * b * (3 * y * y + 2 * y - 14)])


def penalty(x):
    q = x @ x - 0.25
    return 1e-5 * ((x - 1) ** 2).sum() + q * q, 2e-5 * (x - 1) + 4 * q * x


def ridge(x):
    """The records of logistic, targets cos 2.1 i."""
    n, d = 40, len(x)
    X = np.sin(np.arange(n)[:, None] * (1.3 + 0.7 * np.arange(d)) + np.arange(d))
    r = X @ x - np.cos(2.1 * np.arange(n))
    return 0.5 * r @ r + 0.05 * x @ x, X.T @ r + 0.1 * x


FUNCTIONS = {
    "rosenbrock2": (rosenbrock, [-1.2, 1]), "rosenbrock10": (rosenbrock, [0] * 10), "beale": (beale, [1, 1]), "booth": (booth, [0, 0]),
    "himmelblau": (himmelblau, [0, 0]), "wood": (wood, [-3, -1, -3, -1]), "helical": (helical, [-1, 0, 0]), "dixon": (dixon, [1] * 10),
    "quadratic": (quadratic, [0] * 30), "powell": (powell, [3, -1, 0, 1]), "brown": (brown, [1, 1]), "trigonometric": (trigonometric, [0.1] * 10),
    "broyden": (broyden, [-1] * 10), "zakharov": (zakharov, [1] * 10), "freudenstein": (freudenstein, [0.5, -2]), "penalty": (penalty, [1, 2, 3, 4]),
    "ridge": (ridge, [0] * 5), "logistic": (logistic, [0] * 5),
}


def hessian_of(f):
    def h(x):
        n, step = len(x), 1e-6
        out = np.array([(f(x + step * e)[1] - f(x - step * e)[1]) / (2 * step) for e in np.eye(n)])
        return (out + out.T) / 2
    return h


t = {}
for name, (f, start) in FUNCTIONS.items():
    start = np.array(start, dtype=float)
    for method in ("BFGS", "L-BFGS-B", "CG", "Newton-CG"):
        options = {"gtol": 1e-8, "maxiter": 100000} if method != "Newton-CG" else {"xtol": 1e-12, "maxiter": 2000}
        if method == "L-BFGS-B":
            options |= {"ftol": 0, "maxfun": 100000}
        r = minimize(f, start, jac=True, method=method, options=options, hess=hessian_of(f) if method == "Newton-CG" else None)
        t[f"{name}:{method}"] = np.array([r.nfev, r.njev, getattr(r, "nhev", 0), abs(f(r.x)[1]).max(), r.fun], dtype=float)
        print(f"{name:14s} {method:10s} nfev {r.nfev:5d} njev {r.njev:5d} |g| {abs(f(r.x)[1]).max():.1e} f {r.fun:.3e}")
# ---- the article's gradient_descent, as it stands there ----
def gradient_descent(gradient, start, learn_rate, n_iter, tolerance=1e-06):
    vector = start
    for _ in range(n_iter):
        diff = -learn_rate * gradient(vector)
        if np.all(np.abs(diff) <= tolerance):
            break
        vector += diff
    return vector


for name, start, rate, n, tolerance in (("square", [10.0], 0.2, 50, 1e-6), ("late", [10.0], 0.8, 50, 1e-6), ("short", [3.0, -4.0], 0.1, 7, 1e-6),
                                        ("loose", [3.0, -4.0], 0.1, 1000, 0.05), ("none", [1.0], 0.1, 0, 1e-6)):
    start = np.array(start)
    out = gradient_descent(lambda v: 2 * v, start, rate, n, tolerance)
    assert out is start
    t[f"descent:{name}"] = out
t["descent:quartic"] = gradient_descent(lambda v: 4 * v ** 3 - 10 * v - 3, np.array([0.0]), 0.1, 50, 1e-6)

# ---- PyTorch's optimisers, ten steps on Rosenbrock's function ----
import torch

for name, make in {"fixed": lambda p: torch.optim.SGD(p, 1e-3), "momentum": lambda p: torch.optim.SGD(p, 1e-3, momentum=0.9),
                   "nesterov": lambda p: torch.optim.SGD(p, 1e-3, momentum=0.9, nesterov=True), "adagrad": lambda p: torch.optim.Adagrad(p, 1e-3),
                   "rmsprop": lambda p: torch.optim.RMSprop(p, 1e-3), "adam": lambda p: torch.optim.Adam(p, 1e-3)}.items():
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    o = make([x])
    for _ in range(10):
        o.zero_grad()
        (100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2).backward()
        o.step()
    t[f"steps:{name}"] = x.detach().numpy()

# ---- constrained problems ----
from scipy.optimize import nnls

M = np.random.default_rng(2).standard_normal((12, 5))
b = np.cos(np.arange(12) * 0.9)
t["nnls:a"], t["nnls:b"], t["nnls:x"] = M, b, nnls(M, b)[0]
save(t, __file__)
