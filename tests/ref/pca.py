#!/usr/bin/env python3
"""Writes pca.safetensors: scikit-learn's PCA, IncrementalPCA and StandardScaler on small matrices, for
tests/test_pca.c.      usage: pca.py [OUT]      needs numpy, scikit-learn

NAME is a matrix, NAME:FORM:WHAT a result; FORM is one of the test's table of options.
"""
import numpy as np
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.preprocessing import StandardScaler
from common import save

r = np.random.default_rng(8)
t = {}


def mixed(n, d, offset=3.0):
    """Correlated columns with distinct variances, away from 0."""
    return r.standard_normal((n, d)) * np.linspace(3, 0.4, d) @ r.standard_normal((d, d)) + offset * r.standard_normal(d)


def fitted(name, form, p, x, scaler=None):
    key = f"{name}:{form}:"
    z = scaler.fit_transform(x) if scaler else x
    scores = p.fit_transform(z) if not isinstance(p, IncrementalPCA) else p.fit(z).transform(z)
    back = p.inverse_transform(scores)
    if scaler:
        t[key + "scale"] = scaler.scale_
        back = scaler.inverse_transform(back)
    t[key + "mean"] = scaler.mean_ if scaler else p.mean_
    t[key + "components"], t[key + "variance"], t[key + "ratio"] = p.components_, p.explained_variance_, p.explained_variance_ratio_
    t[key + "singular"], t[key + "scores"], t[key + "back"] = p.singular_values_, scores, back
    t[key + "noise"] = np.float64(p.noise_variance_)
    t[key + "error"] = np.float64(((back - x) ** 2).mean())


for name, x in (("short", mixed(14, 5)), ("long", mixed(90, 6)), ("wide", mixed(7, 12)), ("far", mixed(40, 4) + 1e4)):
    t[name] = x
    full = min(x.shape)
    keep = 4 if name == "wide" else 3
    # without the last of a wide matrix, whose variance is rounding alone
    fitted(name, "all", PCA(full - (name == "wide"), svd_solver="full"), x)
    fitted(name, "few", PCA(keep, svd_solver="full"), x)
    # covariance_eigh does not centre the data first and loses digits far from 0: there it is given centred data
    fitted(name, "covariance", PCA(keep, svd_solver="covariance_eigh"), x - x.mean(0))
    t[f"{name}:covariance:mean"] = x.mean(0)
    t[f"{name}:covariance:back"] += x.mean(0)
    # its covariance_eigh divides the noise of a wide matrix by D - K, its other solvers by min(N,D) - K, as we do
    t[f"{name}:covariance:noise"] = t[f"{name}:few:noise"]
    fitted(name, "whiten", PCA(keep, whiten=True, svd_solver="full"), x)
    fitted(name, "scale", PCA(keep, svd_solver="full"), x, StandardScaler())
    fitted(name, "share", PCA(0.9, svd_solver="full"), x)
    fitted(name, "batches", IncrementalPCA(keep, batch_size=5 if name != "long" else 20), x)
save(t, __file__)
