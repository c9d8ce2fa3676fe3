#!/usr/bin/env python3
"""Writes sparse.json: tables trained by PyTorch with sparse gradients (SparseAdam, SGD, Adagrad), for tests/test_sparse.c.

usage: sparse.py [OUT]      needs torch (CPU)
The loss is sum(a[ids] * c) + sum(b[other] * d) + sum(a[other2] * e): table a is looked up twice, with repeated ids.
"""
import json, os, sys
import torch

torch.manual_seed(3)
V, W, D, N, STEPS = 9, 5, 3, 6, 4
out = {"shape": [V, W, D, N, STEPS], "cases": []}
a0, b0 = torch.randn(V, D), torch.randn(W, D)
data = [{"ids": torch.randint(0, V, (N, 2)), "other": torch.randint(0, W, (N,)), "again": torch.randint(0, V - 4, (N,)),
         "c": torch.randn(N, 2, D), "d": torch.randn(N, D), "e": torch.randn(N, D)} for _ in range(STEPS)]
flat = lambda t: [float(x) if t.dtype.is_floating_point else int(x) for x in t.reshape(-1)]
out["a"], out["b"] = flat(a0), flat(b0)
out["steps"] = [{k: flat(v) for k, v in row.items()} for row in data]
for name, make in {
    "adam": lambda p: torch.optim.SparseAdam(p, lr=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
}.items():
    a, b = torch.nn.Embedding(V, D, sparse=True), torch.nn.Embedding(W, D, sparse=True)
    with torch.no_grad():
        a.weight.copy_(a0); b.weight.copy_(b0)
    optimiser = make([a.weight, b.weight])
    after = []
    for row in data:
        optimiser.zero_grad()
        loss = (a(row["ids"]) * row["c"]).sum() + (b(row["other"]) * row["d"]).sum() + (a(row["again"]) * row["e"]).sum()
        loss.backward()
        optimiser.step()
        after.append({"a": flat(a.weight.detach()), "b": flat(b.weight.detach())})
    out["cases"].append({"name": name, "after": after})
path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "sparse.json")
with open(path, "w") as f:
    json.dump(out, f, sort_keys=True, separators=(",", ":"))
    f.write("\n")
