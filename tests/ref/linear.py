#!/usr/bin/env python3
"""Writes linear.safetensors: matrices and what numpy and scipy make of them, for tests/test_linear.c.

usage: linear.py [OUT]      needs numpy, scipy
A tensor NAME is a matrix; NAME:WHAT is a result. The test computes every WHAT that stands here.
"""
import numpy as np
import scipy.linalg as sl
from common import save

r = np.random.default_rng(5)
t = {}


def values(name, a):
    t[name] = a
    for kind in (2, 1, np.inf, "fro", "nuc"):
        t[f"{name}:norm:{kind}"] = np.float64(np.linalg.norm(a, kind))
    t[f"{name}:svd"] = np.linalg.svd(a, compute_uv=False)
    t[f"{name}:rank"] = np.int64(np.linalg.matrix_rank(a))


def rectangular(name, a, full=True):
    values(name, a)
    b = r.standard_normal(a.shape[0]), r.standard_normal((a.shape[0], 3))
    for i, y in enumerate(b):
        x, residual, rank, s = np.linalg.lstsq(a, y, rcond=None)
        t[f"{name}:lstsq{i}:b"] = y
        t[f"{name}:lstsq{i}:x"] = x
        t[f"{name}:lstsq{i}:residual"] = np.atleast_1d(((a @ x - y) ** 2).sum(0))
    t[f"{name}:pinv"] = np.linalg.pinv(a)
    if full:
        q, rr = np.linalg.qr(a)
        t[f"{name}:qr:q"], t[f"{name}:qr:r"] = q, rr
        u, s, vt = np.linalg.svd(a, full_matrices=False)
        t[f"{name}:svd:u"], t[f"{name}:svd:vt"] = u, vt
        t[f"{name}:condition"] = np.float64(np.linalg.cond(a))


def square(name, a):
    rectangular(name, a)
    t[f"{name}:det"] = np.float64(np.linalg.det(a))
    t[f"{name}:slogdet"] = np.array(np.linalg.slogdet(a), dtype=float)
    t[f"{name}:inverse"] = np.linalg.inv(a)
    b = r.standard_normal((a.shape[0], 2))
    t[f"{name}:solve:b"], t[f"{name}:solve"] = b, np.linalg.solve(a, b)
    t[f"{name}:solve1:b"], t[f"{name}:solve1"] = b[:, 0], np.linalg.solve(a, b[:, 0])
    w, v = np.linalg.eig(a)
    t[f"{name}:eig"] = np.stack([w.real, np.imag(w)])
    t[f"{name}:eig:v"] = np.stack([v.real, np.imag(v)])


def symmetric(name, a, definite):
    square(name, a)
    w, v = np.linalg.eigh(a)
    t[f"{name}:eigh"], t[f"{name}:eigh:v"] = w, v
    if definite:
        t[f"{name}:cholesky"] = np.linalg.cholesky(a)


t["eig2"] = np.array([[1.0, 2.0], [3.0, 4.0]])
w, v = np.linalg.eig(t["eig2"])
t["eig2:eig"], t["eig2:eig:v"] = np.stack([w, 0 * w]), np.stack([v, 0 * v])
square("one", np.array([[-2.5]]))
square("five", r.standard_normal((5, 5)) + 3 * np.eye(5))
square("twenty", r.standard_normal((20, 20)) + 8 * np.eye(20))
square("turn", np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 2]]))
square("huge", (r.standard_normal((4, 4)) + 4 * np.eye(4)) * 1e60)
rectangular("tall", r.standard_normal((9, 4)))
rectangular("wide", r.standard_normal((4, 9)))
rectangular("column", r.standard_normal((6, 1)))
rectangular("row", r.standard_normal((1, 6)))
rectangular("rank2", r.standard_normal((6, 2)) @ r.standard_normal((2, 5)), full=False)
m = r.standard_normal((7, 7))
symmetric("definite", m @ m.T + np.eye(7), True)
symmetric("indefinite", m + m.T, False)
for name, k in (("ab", 5), ("big", 260)):
    a, b = r.standard_normal((k, 3)), r.standard_normal((3, 4))
    t[f"product:{name}:a"], t[f"product:{name}:b"], t[f"product:{name}:c"] = a, b, a @ b
save(t, __file__)
