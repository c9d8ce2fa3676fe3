#!/usr/bin/env python3
"""Writes references.safetensors: what PyTorch computes, in double, for tests/test_torch.c.

usage: references.py [OUT]             needs torch (CPU)
       references.py --check FILE      computes everything anew and compares: inputs byte for byte, results to 1e-12

A case is a net of one expression, its inputs, parameters and buffers (f32), a cotangent dy (f32), and PyTorch's y, all
gradients, and the buffers after the step (f64). A training is parameters w [9] and v [3,5], twenty gradients and
PyTorch's parameters after each step. Numbers do not come from PyTorch's generator but from Python's, by exact
arithmetic alone, so that they are the same everywhere.
"""
import json, math, os, random, struct, sys, warnings
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
warnings.simplefilter("ignore")
tensors, cases, optimisers, schedules, plateaus, gains = {}, [], [], [], [], []
D = torch.float64
NAN, INF = float("nan"), float("inf")


class Draw:
    """Numbers of one case."""

    def __init__(self, name):
        self.r = random.Random(name)

    def normal(self, *shape, scale=1.0):
        n = math.prod(shape)
        values = [(sum(self.r.getrandbits(20) for _ in range(12)) / 2**20 - 6) * scale for _ in range(n)]
        return torch.tensor(values, dtype=D).to(torch.float32).to(D).reshape(shape)

    def positive(self, *shape):
        return (self.normal(*shape).abs() + 0.25).to(torch.float32).to(D)

    def ids(self, below, *shape):
        return torch.tensor([self.r.getrandbits(20) % below for _ in range(math.prod(shape))]).reshape(shape)

    def bools(self, *shape):
        return self.ids(2, *shape).bool()

    def shares(self, *shape):  # sums to 1 over axis 1
        p = self.positive(*shape)
        return (p / p.sum(1, keepdim=True)).to(torch.float32).to(D)


def put(name, t, dtype=None):
    t = t.detach().contiguous()
    tensors[name] = t if not t.dtype.is_floating_point else t.to(dtype or D)


def case(name, net, inputs, function, params=None, buffers=None, mode="train", grads=True):
    """inputs, params, buffers: name -> tensor. function(all of them by name) -> y; buffers may be changed in place."""
    assert all(c["name"] != name for c in cases), name
    params, buffers = params or {}, buffers or {}
    for key, t in inputs.items():
        put(f"{name}:in:{key}", t, torch.float32)
    for group in (params, buffers):
        for key, t in group.items():
            put(f"{name}:var:{key}", t, torch.float32)
    leaves = {k: t.clone().requires_grad_(grads) for k, t in {**inputs, **params}.items() if t.dtype.is_floating_point}
    live = {**inputs, **params, **{k: t.clone() for k, t in buffers.items()}, **leaves}
    y = function(live)
    row = {"name": name, "net": net, "inputs": sorted(inputs), "vars": sorted({**params, **buffers}), "mode": mode, "grads": [],
           "after": sorted(buffers) if mode == "train" else []}
    put(f"{name}:y", y)
    if grads:
        dy = Draw(name + ":dy").normal(*y.shape)
        put(f"{name}:dy", dy, torch.float32)
        for (key, t), g in zip(leaves.items(), torch.autograd.grad(y, list(leaves.values()), dy, allow_unused=True)):
            put(f"{name}:grad:{key}", torch.zeros_like(t) if g is None else g)
            row["grads"].append(key)
    for key in row["after"]:
        put(f"{name}:after:{key}", live[key])
    cases.append(row)


def unary(name, net, x, function, **more):
    case(name, net, {"x": x}, lambda v: function(v["x"]), **more)


# ---- elementwise: at random, at the kinks, at special values ----
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 3e38, -3e38, 88.0, -88.0, 100.0, -100.0, 1e-30, -1e-30, 20.0, 20.5]
ELEMENTWISE = {
    "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "floor": torch.floor, "exp": torch.exp, "sin": torch.sin, "cos": torch.cos,
    "erf": torch.erf, "square": torch.square, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": F.relu, "selu": F.selu, "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "softplus": F.softplus, "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
}
POSITIVE = {"log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal}
for name, f in {**ELEMENTWISE, **POSITIVE}.items():
    d = Draw(name)
    unary(name, f"{name}(input(x))", d.normal(3, 17) if name in ELEMENTWISE else d.positive(3, 17), f)
    unary(name + "_wide", f"{name}(input(x))", d.normal(2, 3, 5, scale=4) if name in ELEMENTWISE else d.positive(2, 3, 5) * 9, f)
    # far out PyTorch's double has an infinity later than f32, and sin(3e38) is of the f32 itself: left out where they differ
    special = [v for v in SPECIAL if not (name in ("sin", "cos", "square", "gelu_tanh", "gelu", "silu") and abs(v) > 1e5)]
    special = [v for v in special if not (name in ("exp", "rsqrt", "reciprocal", "square") and (abs(v) > 80 or 0 < abs(v) < 1e-20) and math.isfinite(v))]
    if name == "sign":  # ours keeps NaN
        special = special[1:]
    unary(name + "_special", f"{name}(input(x))", torch.tensor(special, dtype=D).to(torch.float32).to(D), f, grads=False)
KINKS = torch.tensor([-3.0, -1.0, -0.5, 0.0, -0.0, 0.5, 1.0, 3.0, 20.0, 20.5], dtype=D)
for name in ("abs", "sign", "floor", "relu", "selu", "hardsigmoid", "hardswish", "softplus"):
    unary(name + "_kinks", f"{name}(input(x))", KINKS, ELEMENTWISE[name])
d = Draw("parametric")
for suffix, x in (("", d.normal(3, 17)), ("_kinks", KINKS)):
    unary("leaky_relu" + suffix, "leaky_relu(input(x), 0.2)", x, lambda x: F.leaky_relu(x, 0.2))
    unary("elu" + suffix, "elu(input(x), 0.7)", x, lambda x: F.elu(x, 0.7))
    unary("clip" + suffix, "clip(input(x), -0.5, 0.5)", x, lambda x: torch.clamp(x, -0.5, 0.5))
unary("clip_special", "clip(input(x), -0.5, 0.5)", torch.tensor(SPECIAL, dtype=D).to(torch.float32).to(D), lambda x: torch.clamp(x, -0.5, 0.5), grads=False)
unary("add_scalar", "add_scalar(input(x), 1.5)", d.normal(3, 5), lambda x: x + 1.5)
unary("mul_scalar", "mul_scalar(input(x), -2.5)", d.normal(3, 5), lambda x: x * -2.5)
unary("pow_scalar", "pow_scalar(input(x), 3)", d.normal(3, 5), lambda x: x**3)
unary("pow_scalar_root", "pow_scalar(input(x), -1.5)", d.positive(3, 5), lambda x: x**-1.5)
unary("pow_scalar_zero", "pow_scalar(input(x), 0)", d.normal(3, 5), lambda x: x**0)
unary("cast", 'cast(input(x), "i64")', d.normal(3, 5, scale=4), lambda x: x.to(torch.int64), grads=False)
unary("detach", "mul(detach(input(x)), input(x))", d.normal(3, 5), lambda x: x.detach() * x)
unary("dropout_evaluation", 'dropout(input(x), "d", 0.5)', d.normal(3, 5), lambda x: F.dropout(x, 0.5, False), mode="eval")

BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "minimum": torch.minimum, "maximum": torch.maximum}
for name, f in BINARY.items():
    for suffix, a, b in (("", (3, 5, 4), (5, 1)), ("_equal", (2, 17), (2, 17)), ("_both", (3, 1, 4), (2, 1)), ("_number", (7,), ())):
        d = Draw(name + suffix)
        case(name + suffix, f"{name}(input(x), input(y))", {"x": d.normal(*a), "y": d.normal(*b)}, lambda v, f=f: f(v["x"], v["y"]))
    pairs = torch.cartesian_prod(torch.tensor([NAN, INF, -INF, 0.0, 1.0], dtype=D), torch.tensor([NAN, INF, -INF, 0.0, -2.0], dtype=D))
    case(name + "_special", f"{name}(input(x), input(y))", {"x": pairs[:, 0].clone(), "y": pairs[:, 1].clone()}, lambda v, f=f: f(v["x"], v["y"]), grads=False)
for name in ("minimum", "maximum"):
    case(name + "_ties", f"{name}(input(x), input(y))", {"x": KINKS.clone(), "y": KINKS.clone()}, lambda v, f=BINARY[name]: f(v["x"], v["y"]))
d = Draw("pow")
case("pow", "pow(input(x), input(y))", {"x": d.positive(3, 5), "y": d.normal(5)}, lambda v: v["x"] ** v["y"])
case("pow_special", "pow(input(x), input(y))", {"x": torch.tensor([0.0, 0.0, -2.0, -2.0, 1.0, INF], dtype=D), "y": torch.tensor([0.0, 2.0, 3.0, 0.5, NAN, -1.0], dtype=D)},
     lambda v: v["x"] ** v["y"], grads=False)
for name, f in {"eq": torch.eq, "ne": torch.ne, "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge, "logical_and": torch.logical_and,
                "logical_or": torch.logical_or}.items():
    x = torch.tensor([NAN, 1.0, 0.0, -0.0, INF, 2.0], dtype=D)
    case(name, f"{name}(input(x), input(y))", {"x": x, "y": x.reshape(6, 1)}, lambda v, f=f: f(v["x"], v["y"]), grads=False)
unary("logical_not", "logical_not(input(x))", torch.tensor([NAN, 1.0, 0.0, -0.0], dtype=D), torch.logical_not, grads=False)
d = Draw("where")
case("where", "where(input(c), input(x), input(y))", {"c": d.bools(3, 1, 4), "x": d.normal(3, 5, 4), "y": d.normal(4)}, lambda v: torch.where(v["c"], v["x"], v["y"]))

# ---- over axes ----
for suffix, shape in (("", (3, 5, 4)), ("_odd", (7, 17, 3))):
    d = Draw("axes" + suffix)
    for name, f in {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin, "logsumexp": torch.logsumexp}.items():
        unary(name + suffix, f"{name}(input(x), 1)", d.normal(*shape), lambda x, f=f: f(x, 1))
        unary(name + "_two" + suffix, f"{name}(input(x), 0, 2, keep=1)", d.normal(*shape), lambda x, f=f: f(x, (0, 2), keepdim=True))
        unary(name + "_all" + suffix, f"{name}(input(x))", d.normal(*shape), lambda x, f=f: f(x, (0, 1, 2)))
    for name, f in {"softmax": torch.softmax, "log_softmax": torch.log_softmax, "cumsum": torch.cumsum}.items():
        for axis in (0, 1, 2):
            unary(f"{name}_{axis}{suffix}", f"{name}(input(x), {axis})", d.normal(*shape), lambda x, f=f, axis=axis: f(x, axis))
    unary("var" + suffix, "var(input(x), 1)", d.normal(*shape), lambda x: torch.var(x, 1))
    unary("var_biased" + suffix, "var(input(x), 0, 2, biased=1, keep=1)", d.normal(*shape), lambda x: torch.var(x, (0, 2), unbiased=False, keepdim=True))
    unary("var_all" + suffix, "var(input(x))", d.normal(*shape), lambda x: torch.var(x))
    unary("prod" + suffix, "prod(input(x), 1)", d.normal(*shape), lambda x: torch.prod(x, 1))
    unary("argmax" + suffix, "argmax(input(x), 1)", d.normal(*shape), lambda x: torch.argmax(x, 1), grads=False)
    case("global_norm" + suffix, "global_norm(input(x), input(y))", {"x": d.normal(*shape), "y": d.normal(3)},
         lambda v: torch.sqrt((v["x"] ** 2).sum() + (v["y"] ** 2).sum()))
ties = torch.tensor([[1.0, 3, 3, 2], [0, -1, 0, 0]], dtype=D)
for name, f in {"max": torch.amax, "min": torch.amin}.items():
    unary(name + "_ties", f"{name}(input(x), 1)", ties, lambda x, f=f: f(x, 1))
    unary(name + "_nan", f"{name}(input(x), 1)", torch.tensor([[1.0, NAN, 3], [INF, -INF, 0]], dtype=D), lambda x, f=f: f(x, 1), grads=False)
unary("argmax_ties", "argmax(input(x), 1)", torch.tensor([[1.0, 3, 3, 2], [0, NAN, 5, NAN]], dtype=D), lambda x: torch.argmax(x, 1), grads=False)
unary("prod_zeros", "prod(input(x), 1)", torch.tensor([[1.5, 0, 3, 2], [0, -1, 0, 4], [2, 3, -1, 0.5]], dtype=D), lambda x: torch.prod(x, 1))
unary("softmax_far", "softmax(input(x), 1)", torch.tensor([[1e4, -1e4, 0], [3e38, -3e38, 3e38]], dtype=D).to(torch.float32).to(D), lambda x: torch.softmax(x, 1), grads=False)
unary("log_softmax_far", "log_softmax(input(x), 1)", torch.tensor([[1e4, -1e4, 0], [3e4, -INF, 3e4]], dtype=D), lambda x: torch.log_softmax(x, 1), grads=False)

# ---- shapes ----
d = Draw("shapes")
x = lambda: d.normal(3, 5, 4)
unary("reshape", "reshape(input(x), 4, 15)", x(), lambda x: x.reshape(4, 15))
unary("flatten", "flatten(input(x))", x(), lambda x: torch.flatten(x, 1))
unary("squeeze", "squeeze(input(x), 1)", d.normal(3, 1, 4), lambda x: x.squeeze(1))
unary("unsqueeze", "unsqueeze(input(x), -1)", x(), lambda x: x.unsqueeze(-1))
unary("permute", "permute(input(x), 2, 0, 1)", x(), lambda x: x.permute(2, 0, 1))
unary("transpose", "transpose(input(x), 0, 2)", x(), lambda x: x.transpose(0, 2))
unary("slice", "slice(input(x), 1, 1, 5, 2)", x(), lambda x: x[:, 1:5:2])
unary("slice_end", "slice(input(x), -1, -3)", x(), lambda x: x[..., -3:])
unary("split", "mul(slice(input(x), 2, 0, 2), slice(input(x), 2, 2, 4))", x(), lambda x: torch.mul(*torch.split(x, 2, 2)))
unary("expand", "expand(input(x), 2, 3, 5)", d.normal(3, 1), lambda x: x.expand(2, 3, 5))
unary("pad", "pad(input(x), 0.5, 1, 2, 0, 1)", x(), lambda x: F.pad(x, (1, 2, 0, 1), value=0.5))
unary("pad_crop", "pad(input(x), 0, -1, 2)", x(), lambda x: F.pad(x, (-1, 2)))
case("concat", "concat(input(x), input(y), 1)", {"x": x(), "y": d.normal(3, 2, 4)}, lambda v: torch.cat([v["x"], v["y"]], 1))
case("stack", "stack(input(x), input(y), -1)", {"x": x(), "y": x()}, lambda v: torch.stack([v["x"], v["y"]], -1))
case("gather", "gather(input(x), input(i), 1)", {"x": x(), "i": d.ids(5, 3, 7, 4)}, lambda v: torch.gather(v["x"], 1, v["i"]))
case("scatter_add", "scatter_add(input(x), input(i), input(s), 1)", {"x": x(), "i": d.ids(5, 3, 7, 4), "s": d.normal(3, 7, 4)},
     lambda v: torch.scatter_add(v["x"], 1, v["i"], v["s"]))
case("one_hot", "one_hot(input(t), 6)", {"t": d.ids(6, 2, 5)}, lambda v: F.one_hot(v["t"], 6).to(D), grads=False)
for name, a, b in (("matmul", (2, 1, 3, 4), (5, 4, 6)), ("matmul_vector", (4,), (5, 4, 6)), ("matmul_right", (5, 3, 4), (4,)), ("matmul_dot", (17,), (17,)),
                   ("matmul_square", (16, 16), (16, 16)), ("matmul_odd", (7, 15), (15, 9))):
    case(name, "matmul(input(x), input(y))", {"x": d.normal(*a), "y": d.normal(*b)}, lambda v: v["x"] @ v["y"])

# ---- layers ----
d = Draw("layers")
case("linear", 'linear(input(x), "l", 5)', {"x": d.normal(3, 2, 7)}, lambda v: F.linear(v["x"], v["l.weight"], v["l.bias"]), {"l.weight": d.normal(5, 7), "l.bias": d.normal(5)})
case("linear_wide", 'linear(input(x), "l", 33, no_bias=1)', {"x": d.normal(7, 16)}, lambda v: F.linear(v["x"], v["l.weight"]), {"l.weight": d.normal(33, 16)})
case("position", 'position(input(x), "p", 9)', {"x": d.normal(2, 5, 3)}, lambda v: v["x"] + v["p.weight"][:5], {"p.weight": d.normal(9, 3)})
case("embedding", 'embedding(input(t), "e", 7, 5)', {"t": d.ids(7, 2, 9)}, lambda v: F.embedding(v["t"], v["e.weight"]), {"e.weight": d.normal(7, 5)})
case("embedding_padding", 'embedding(input(t), "e", 7, 5, has_padding=1, padding=2)', {"t": d.ids(7, 2, 9)}, lambda v: F.embedding(v["t"], v["e.weight"], 2), {"e.weight": d.normal(7, 5)})


def conv(name, x, w, bias, net, **o):
    params = {"c.weight": d.normal(*w)}
    if bias:
        params["c.bias"] = d.normal(bias)
    f = {3: F.conv1d, 4: F.conv2d}[len(x)]
    case(name, net, {"x": d.normal(*x)}, lambda v: f(v["x"], v["c.weight"], v.get("c.bias"), **o), params)


conv("conv2d", (2, 3, 8, 9), (6, 3, 3, 3), 6, 'conv2d(input(x), "c", 6, 3, pad=1, stride=2)', stride=2, padding=1)
conv("conv2d_plain", (1, 16, 5, 5), (16, 16, 3, 3), 16, 'conv2d(input(x), "c", 16, 3)')
conv("conv2d_point", (1, 17, 5, 4), (9, 17, 1, 1), 0, 'conv2d(input(x), "c", 9, 1, no_bias=1)')
conv("conv2d_groups", (1, 4, 6, 7), (8, 2, 3, 3), 8, 'conv2d(input(x), "c", 8, 3, groups=2, pad=1)', groups=2, padding=1)
conv("conv2d_depthwise", (1, 16, 5, 4), (16, 1, 3, 3), 16, 'conv2d(input(x), "c", 16, 3, groups=16, pad=1)', groups=16, padding=1)
conv("conv2d_dilated", (2, 4, 9, 9), (8, 1, 3, 3), 0, 'conv2d(input(x), "c", 8, 3, groups=4, dilation=2, no_bias=1)', groups=4, dilation=2)
conv("conv2d_sides", (2, 3, 7, 8), (5, 3, 3, 2), 5, 'conv2d(input(x), "c", 5, 3, kernel_w=2, pad=2, pad_w=1, stride=2, stride_w=1)', stride=(2, 1), padding=(2, 1))
conv("conv2d_outside", (2, 3, 4, 4), (4, 3, 1, 1), 4, 'conv2d(input(x), "c", 4, 1, pad=1)', padding=1)
conv("conv1d", (2, 5, 11), (6, 5, 3), 6, 'conv1d(input(x), "c", 6, 3, pad=2, stride=2)', stride=2, padding=2)
conv("conv1d_depthwise", (2, 8, 15), (8, 1, 3), 0, 'conv1d(input(x), "c", 8, 3, groups=8, dilation=2, no_bias=1)', groups=8, dilation=2)
for name, x, w, bias, net, o in (
    ("conv_transpose2d", (2, 5, 4, 5), (5, 4, 3, 3), 4, 'conv_transpose2d(input(x), "c", 4, 3, stride=2, pad=1)', dict(stride=2, padding=1)),
    ("conv_transpose2d_output", (2, 6, 4, 4), (6, 2, 3, 3), 4, 'conv_transpose2d(input(x), "c", 4, 3, stride=2, pad=1, output_pad=1, groups=2)',
     dict(stride=2, padding=1, output_padding=1, groups=2)),
    ("conv_transpose2d_dilated", (1, 3, 4, 4), (3, 5, 2, 2), 0, 'conv_transpose2d(input(x), "c", 5, 2, dilation=2, no_bias=1)', dict(dilation=2)),
):
    params = {"c.weight": d.normal(*w), **({"c.bias": d.normal(bias)} if bias else {})}
    case(name, net, {"x": d.normal(*x)}, lambda v, o=o: F.conv_transpose2d(v["x"], v["c.weight"], v.get("c.bias"), **o), params)

# ---- pooling ----
d = Draw("pools")
POOLS = (
    ("maxpool2d", "maxpool2d(input(x), 2)", (1, 16, 6, 6), lambda x: F.max_pool2d(x, 2)),
    ("maxpool2d_pad", "maxpool2d(input(x), 3, stride=2, pad=1)", (2, 3, 9, 8), lambda x: F.max_pool2d(x, 3, 2, 1)),
    ("maxpool2d_ceil", "maxpool2d(input(x), 3, stride=2, ceil=1)", (1, 17, 6, 6), lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
    ("maxpool2d_dilated", "maxpool2d(input(x), 2, stride=1, dilation=3)", (2, 3, 9, 8), lambda x: F.max_pool2d(x, 2, 1, dilation=3)),
    ("maxpool1d", "maxpool1d(input(x), 3, stride=2, pad=1)", (2, 3, 9), lambda x: F.max_pool1d(x, 3, 2, 1)),
    ("avgpool2d", "avgpool2d(input(x), 3, stride=2, pad=1)", (2, 3, 9, 8), lambda x: F.avg_pool2d(x, 3, 2, 1)),
    ("avgpool2d_inside", "avgpool2d(input(x), 3, stride=2, pad=1, count_without_pad=1)", (2, 3, 9, 8), lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    ("avgpool2d_ceil", "avgpool2d(input(x), 3, stride=2, pad=1, ceil=1)", (1, 17, 6, 6), lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True)),
    ("avgpool1d", "avgpool1d(input(x), 3, stride=2, pad=1, ceil=1)", (2, 3, 10), lambda x: F.avg_pool1d(x, 3, 2, 1, ceil_mode=True)),
    ("adaptive_avgpool2d", "adaptive_avgpool2d(input(x), 3, 5)", (2, 3, 7, 8), lambda x: F.adaptive_avg_pool2d(x, (3, 5))),
    ("adaptive_avgpool2d_up", "adaptive_avgpool2d(input(x), 7, 5)", (1, 16, 3, 4), lambda x: F.adaptive_avg_pool2d(x, (7, 5))),
    ("adaptive_maxpool2d", "adaptive_maxpool2d(input(x), 3, 5)", (2, 3, 7, 8), lambda x: F.adaptive_max_pool2d(x, (3, 5))),
    ("global_avgpool", "global_avgpool(input(x))", (2, 17, 3, 4), lambda x: x.mean((2, 3))),
    ("local_response_norm", "local_response_norm(input(x), 5, alpha=0.3, k=2)", (2, 9, 3, 4), lambda x: F.local_response_norm(x, 5, alpha=0.3, beta=0.75, k=2)),
    ("local_response_norm_even", "local_response_norm(input(x), 4, alpha=1)", (2, 9, 7), lambda x: F.local_response_norm(x, 4, alpha=1.0)),
)
for name, net, shape, f in POOLS:
    unary(name, net, d.normal(*shape), f)
    if "pool" in name:
        x = d.normal(*shape)
        x.view(-1)[5] = NAN
        unary(name + "_nan", net, x, f, grads=False)
unary("maxpool2d_ties", "maxpool2d(input(x), 2)", torch.ones(1, 2, 4, 4, dtype=D), lambda x: F.max_pool2d(x, 2))

# ---- norms ----
d = Draw("norms")


def batch_norm(name, shape, net, mode, affine=True, **o):
    c = shape[1]
    params = {"b.weight": d.normal(c), "b.bias": d.normal(c)} if affine else {}
    buffers = {"b.running_mean": d.normal(c), "b.running_var": d.positive(c)}
    case(name, net, {"x": d.normal(*shape)},
         lambda v: F.batch_norm(v["x"], v["b.running_mean"], v["b.running_var"], v.get("b.weight"), v.get("b.bias"), mode == "train", **o), params, buffers, mode)


batch_norm("batch_norm", (4, 5, 3, 3), 'batch_norm(input(x), "b")', "train")
batch_norm("batch_norm_rows", (7, 17), 'batch_norm(input(x), "b", eps=0.01, momentum=0.3)', "train", eps=0.01, momentum=0.3)
batch_norm("batch_norm_sequences", (3, 16, 7), 'batch_norm(input(x), "b", no_affine=1)', "train", affine=False)
batch_norm("batch_norm_evaluation", (4, 5, 3, 3), 'batch_norm(input(x), "b")', "eval")
batch_norm("batch_norm_evaluation_rows", (4, 9), 'batch_norm(input(x), "b", no_affine=1)', "eval", affine=False)
case("layer_norm", 'layer_norm(input(x), "n", axes=2)', {"x": d.normal(3, 4, 5)}, lambda v: F.layer_norm(v["x"], (4, 5), v["n.weight"], v["n.bias"]),
     {"n.weight": d.normal(4, 5), "n.bias": d.normal(4, 5)})
case("layer_norm_bare", 'layer_norm(input(x), "n", no_weight=1, eps=0.01)', {"x": d.normal(3, 17)}, lambda v: F.layer_norm(v["x"], (17,), eps=0.01))
case("layer_norm_weight", 'layer_norm(input(x), "n", no_bias=1)', {"x": d.normal(3, 16)}, lambda v: F.layer_norm(v["x"], (16,), v["n.weight"]), {"n.weight": d.normal(16)})
case("rms_norm", 'rms_norm(input(x), "n", eps=0.01)', {"x": d.normal(3, 17)}, lambda v: F.rms_norm(v["x"], (17,), v["n.weight"], 0.01), {"n.weight": d.normal(17)})
case("rms_norm_default", 'rms_norm(input(x), "n")', {"x": d.normal(3, 8)}, lambda v: F.rms_norm(v["x"], (8,), v["n.weight"], 1.1920928955078125e-7), {"n.weight": d.normal(8)})
case("group_norm", 'group_norm(input(x), "n", 3)', {"x": d.normal(2, 6, 4)}, lambda v: F.group_norm(v["x"], 3, v["n.weight"], v["n.bias"]), {"n.weight": d.normal(6), "n.bias": d.normal(6)})
case("group_norm_image", 'group_norm(input(x), "n", 1, no_weight=1)', {"x": d.normal(2, 6, 4, 3)}, lambda v: F.group_norm(v["x"], 1))

# ---- attention ----
d = Draw("attention")
qkv = lambda: {"q": d.normal(2, 4, 5, 8), "k": d.normal(2, 2, 6, 8), "v": d.normal(2, 2, 6, 3)}
attend = lambda v, **o: F.scaled_dot_product_attention(v["q"], v["k"], v["v"], enable_gqa=True, **o)
case("attention", "attention(input(q), input(k), input(v))", qkv(), attend)
case("attention_scale", "attention(input(q), input(k), input(v), scale=0.3)", qkv(), lambda v: attend(v, scale=0.3))
case("attention_causal", "attention(input(q), input(k), input(v), causal=1)", {k: d.normal(1, 1, 66, 4) for k in "qkv"}, lambda v: attend(v, is_causal=True))
case("attention_mask", "attention(input(q), input(k), input(v), input(m))", {**qkv(), "m": d.normal(5, 6)}, lambda v: attend(v, attn_mask=v["m"]))
case("attention_heads", "attention(input(q), input(k), input(v), input(m))", {**qkv(), "m": d.normal(2, 1, 5, 6)}, lambda v: attend(v, attn_mask=v["m"]))
mask = d.bools(2, 1, 1, 6)
mask[..., 0] = True
case("attention_bool", "attention(input(q), input(k), input(v), input(m))", {**qkv(), "m": mask}, lambda v: attend(v, attn_mask=v["m"]))



def self_attention(x, heads, groups, mask=None, causal=False):
    n, t, width = x.shape
    d_ = width // (heads + 2 * groups)
    q, k, v = (p.reshape(n, t, -1, d_).transpose(1, 2) for p in x.split([heads * d_, groups * d_, groups * d_], 2))
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=True)
    return y.transpose(1, 2).reshape(n, t, heads * d_)


unary("self_attention", "self_attention(input(x), 2, causal=1)", d.normal(2, 5, 24), lambda x: self_attention(x, 2, 2, causal=True))
case("self_attention_mask", "self_attention(input(x), input(m), 4, groups=2)", {"x": d.normal(2, 5, 32), "m": d.normal(5, 5)}, lambda v: self_attention(v["x"], 4, 2, v["m"]))

# ---- losses ----
d = Draw("losses")
CE = (("", ""), ("_smooth", ", smoothing=0.2"), ("_ignore", ", has_ignore=1, ignore=2"), ("_both", ", smoothing=0.1, has_ignore=1, ignore=2"))
for shape in ((4, 7), (3, 5, 2, 3)):
    for suffix, net in CE:
        for weighted in (0, 1):
            for reduction in ("mean", "sum", "none"):
                o = dict(label_smoothing={"": 0, "_smooth": 0.2, "_ignore": 0, "_both": 0.1}[suffix], reduction=reduction)
                if "ignore" in net:
                    o["ignore_index"] = 2
                ids = d.ids(shape[1], shape[0], *shape[2:])
                ids.view(-1)[:2] = torch.tensor([2, 3])  # ignored, not ignored (of nothing ours is 0, PyTorch's NaN)
                inputs = {"x": d.normal(*shape, scale=2), "t": ids}
                w = d.positive(shape[1])
                if weighted:
                    inputs["w"] = w
                case(f"cross_entropy{suffix}{'_weight' if weighted else ''}_{len(shape)}_{reduction}",
                     f'cross_entropy(input(x), input(t){", input(w)" if weighted else ""}{net}, reduction="{reduction}")', inputs,
                     lambda v, o=o, w=w if weighted else None: F.cross_entropy(v["x"], v["t"], w, **o) + (0 * v["w"].sum() if "w" in v else 0), grads=not weighted)
# the gradient by logits with class weights (PyTorch has none by the weights)
w = d.positive(7)
case("cross_entropy_weight_gradient", "cross_entropy(input(x), input(t), detach(input(w)), smoothing=0.1)", {"x": d.normal(4, 7), "t": d.ids(7, 4), "w": w},
     lambda v: F.cross_entropy(v["x"], v["t"], v["w"].detach(), label_smoothing=0.1))
case("cross_entropy_far", "cross_entropy(input(x), input(t))", {"x": torch.tensor([[1e4, 0, 0], [-1e4, 1e4, 0]], dtype=D), "t": torch.tensor([1, 0])}, lambda v: F.cross_entropy(v["x"], v["t"]))
for suffix, net, o in (("", "", {}), ("_smooth", ", smoothing=0.2", {"label_smoothing": 0.2})):
    for reduction in ("mean", "sum", "none"):
        case(f"cross_entropy_probabilities{suffix}_{reduction}", f'cross_entropy(input(x), input(t){net}, reduction="{reduction}")', {"x": d.normal(4, 7), "t": d.shares(4, 7)},
             lambda v, o={**o, "reduction": reduction}: F.cross_entropy(v["x"], v["t"], **o))
REDUCTIONS = {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}
for reduction in REDUCTIONS:
    net = f', reduction="{reduction}")'
    pair = lambda: {"x": d.normal(4, 7), "t": d.normal(4, 7)}
    for name, f in {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}.items():
        case(f"{name}_{reduction}", f"{name}(input(x), input(t)" + net, pair(), lambda v, f=f, r=reduction: f(v["x"], v["t"], reduction=r))
    case("huber_delta_" + reduction, "huber(input(x), input(t), delta=0.4" + net, pair(), lambda v, r=reduction: F.huber_loss(v["x"], v["t"], delta=0.4, reduction=r))
    case("bce_logits_" + reduction, "bce_logits(input(x), input(t)" + net, {"x": d.normal(4, 7, scale=3), "t": d.shares(4, 7)},
         lambda v, r=reduction: F.binary_cross_entropy_with_logits(v["x"], v["t"], reduction=r))
    case("kl_" + reduction, "kl(input(x), input(t)" + net, {"x": d.normal(4, 7), "t": d.shares(4, 7)}, lambda v, r=reduction: F.kl_div(v["x"], v["t"], reduction=r))
    for full in (0, 1):
        case(f"gaussian_nll_{reduction}_{full}", f"gaussian_nll(input(x), input(t), input(v), full={full}" + net, {**pair(), "v": d.positive(4, 7)},
             lambda v, r=reduction, full=full: F.gaussian_nll_loss(v["x"], v["t"], v["v"], full=bool(full), reduction=r))
    # the article's: -sum(y log p), 0 where y is 0
    y = torch.zeros(4, 7, dtype=D)
    y[range(4), [1, 0, 6, 1]] = 1
    for suffix, t in (("_hot", y), ("", d.shares(4, 7))):
        p = d.shares(4, 7)
        if suffix:
            p[0, 3] = 0
        case(f"cross_entropy_of{suffix}_{reduction}", "cross_entropy_of(input(x), detach(input(t))" + net, {"x": p, "t": t},
             lambda v, f=REDUCTIONS[reduction]: f(-torch.where(v["t"] != 0, v["t"].detach() * torch.log(torch.where(v["t"] != 0, v["x"], 1.0)), 0.0).sum(1)))
case("kl_batchmean", 'kl(input(x), input(t), reduction="batchmean")', {"x": d.normal(4, 7), "t": d.shares(4, 7)}, lambda v: F.kl_div(v["x"], v["t"], reduction="batchmean"))
case("kl_zero", 'kl(input(x), input(t), reduction="none")', {"x": d.normal(2, 3), "t": torch.tensor([[0.0, 1, 0], [0.5, 0.5, 0]], dtype=D)}, lambda v: F.kl_div(v["x"], v["t"], reduction="none"), grads=False)
case("gaussian_nll_least", "gaussian_nll(input(x), input(t), input(v))", {"x": d.normal(5), "t": d.normal(5), "v": torch.tensor([0.0, 1e-7, 1e-6, 1e-5, 1], dtype=D).to(torch.float32).to(D)},
     lambda v: F.gaussian_nll_loss(v["x"], v["t"], v["v"]), grads=False)
case("mae_kink", "mae(input(x), input(t))", {"x": KINKS.clone(), "t": KINKS.clone()}, lambda v: F.l1_loss(v["x"], v["t"]))
case("huber_kink", "huber(input(x), input(t), delta=0.5)", {"x": KINKS.clone(), "t": torch.zeros(10, dtype=D)}, lambda v: F.huber_loss(v["x"], v["t"], delta=0.5))
case("bce_logits_far", 'bce_logits(input(x), input(t), reduction="none")', {"x": torch.tensor([1e4, -1e4, 1e4, -1e4, 0, 15, -15], dtype=D), "t": torch.tensor([1.0, 0, 0, 1, 0.5, 1, 0], dtype=D)},
     lambda v: F.binary_cross_entropy_with_logits(v["x"], v["t"], reduction="none"))


# ---- twenty steps of every optimiser ----
STEPS = 20
d = Draw("training")
WEIGHTS, GRADIENTS = d.normal(24), d.normal(STEPS, 24, scale=0.5)
GRADIENTS[:, 3] = 0  # never a gradient
put("training:weights", WEIGHTS, torch.float32)
put("training:gradients", GRADIENTS, torch.float32)


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            for p in g["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = (g["betas"][0] * m + (1 - g["betas"][0]) * p.grad).sign()
                p.mul_(1 - g["lr"] * g["weight_decay"]).sub_(g["lr"] * update)
                m.mul_(g["betas"][1]).add_(p.grad, alpha=1 - g["betas"][1])


def optimiser(name, options, make, before=lambda params: None, average=0.0):
    """make([w], [v]) -> optimiser; before(params): what clipping and the like do to the gradients."""
    w, v, gradients = WEIGHTS[:9].clone(), WEIGHTS[9:].reshape(3, 5).clone(), GRADIENTS
    w.requires_grad_(True), v.requires_grad_(True)
    o, after, averages, ema = make(w, v), [], [], None
    for g in gradients:
        w.grad, v.grad = g[:9].clone(), g[9:].reshape(3, 5).clone()
        before([w, v])
        o.step()
        now = torch.cat([w.detach(), v.detach().reshape(-1)]).clone()
        ema = now if ema is None else average * ema + (1 - average) * now
        after.append(now)
        averages.append(ema)
    put(f"opt:{name}:after", torch.stack(after))
    if average:
        put(f"opt:{name}:average", torch.stack(averages))
    optimisers.append({"name": name, **options, **({"average": average} if average else {})})


O = torch.optim
plain = lambda kind, options, make: optimiser(kind + "".join("_" + k for k in options if k != "kind" and k != "lr"), {"kind": kind, **options}, lambda w, v: make([w, v]))
plain("adam", {"lr": 0.01}, lambda p: O.Adam(p, 0.01))
plain("adam", {"lr": 0.01, "weight_decay": 0.1}, lambda p: O.Adam(p, 0.01, weight_decay=0.1))
plain("adam", {"lr": 0.01, "beta1": 0.8, "beta2": 0.9, "eps": 0.1}, lambda p: O.Adam(p, 0.01, (0.8, 0.9), 0.1))
plain("adamw", {"lr": 0.01}, lambda p: O.AdamW(p, 0.01))
plain("adamw", {"lr": 0.01, "weight_decay": 0.3}, lambda p: O.AdamW(p, 0.01, weight_decay=0.3))
plain("nadam", {"lr": 0.01}, lambda p: O.NAdam(p, 0.01))
plain("nadam", {"lr": 0.01, "weight_decay": 0.1}, lambda p: O.NAdam(p, 0.01, weight_decay=0.1))
plain("nadam", {"lr": 0.01, "weight_decay": 0.3, "decoupled": 1, "momentum_decay": 0.01}, lambda p: O.NAdam(p, 0.01, weight_decay=0.3, momentum_decay=0.01, decoupled_weight_decay=True))
plain("sgd", {"lr": 0.1}, lambda p: O.SGD(p, 0.1))
plain("sgd", {"lr": 0.1, "weight_decay": 0.1}, lambda p: O.SGD(p, 0.1, weight_decay=0.1))
plain("sgd", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}, lambda p: O.SGD(p, 0.1, 0.9, weight_decay=0.01))
plain("sgd", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}, lambda p: O.SGD(p, 0.1, 0.9, 0.3))
plain("sgd", {"lr": 0.1, "momentum": 0.9, "nesterov": 1}, lambda p: O.SGD(p, 0.1, 0.9, nesterov=True))
plain("rmsprop", {"lr": 0.01}, lambda p: O.RMSprop(p, 0.01))
plain("rmsprop", {"lr": 0.01, "alpha": 0.9, "eps": 0.1, "weight_decay": 0.1}, lambda p: O.RMSprop(p, 0.01, 0.9, 0.1, 0.1))
plain("rmsprop", {"lr": 0.01, "momentum": 0.5}, lambda p: O.RMSprop(p, 0.01, momentum=0.5))
plain("rmsprop", {"lr": 0.01, "centered": 1}, lambda p: O.RMSprop(p, 0.01, centered=True))
plain("rmsprop", {"lr": 0.01, "momentum": 0.5, "centered": 1}, lambda p: O.RMSprop(p, 0.01, momentum=0.5, centered=True))
plain("adagrad", {"lr": 0.1}, lambda p: O.Adagrad(p, 0.1))
plain("adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1}, lambda p: O.Adagrad(p, 0.1, 0.1, 0.1))
plain("adadelta", {"lr": 1.0}, lambda p: O.Adadelta(p, 1.0))
plain("adadelta", {"lr": 0.5, "alpha": 0.8, "eps": 0.01, "weight_decay": 0.1}, lambda p: O.Adadelta(p, 0.5, 0.8, 0.01, 0.1))
plain("lion", {"lr": 0.01}, lambda p: Lion(p, 0.01))
plain("lion", {"lr": 0.01, "beta1": 0.8, "beta2": 0.9, "weight_decay": 0.3}, lambda p: Lion(p, 0.01, (0.8, 0.9), 0.3))
optimiser("defaults_adam", {"kind": "adam"}, lambda w, v: O.Adam([w, v]))
optimiser("defaults_adamw", {"kind": "adamw"}, lambda w, v: O.AdamW([w, v]))
optimiser("defaults_nadam", {"kind": "nadam"}, lambda w, v: O.NAdam([w, v]))
optimiser("defaults_rmsprop", {"kind": "rmsprop"}, lambda w, v: O.RMSprop([w, v]))
optimiser("defaults_adagrad", {"kind": "adagrad"}, lambda w, v: O.Adagrad([w, v]))
optimiser("defaults_adadelta", {"kind": "adadelta"}, lambda w, v: O.Adadelta([w, v]))
optimiser("defaults_lion", {"kind": "lion"}, lambda w, v: Lion([w, v]))
optimiser("clip_norm", {"kind": "sgd", "lr": 0.1, "clip_norm": 0.7}, lambda w, v: O.SGD([w, v], 0.1), lambda p: torch.nn.utils.clip_grad_norm_(p, 0.7))
optimiser("clip_norm_loose", {"kind": "sgd", "lr": 0.1, "clip_norm": 100}, lambda w, v: O.SGD([w, v], 0.1), lambda p: torch.nn.utils.clip_grad_norm_(p, 100))
optimiser("clip_value", {"kind": "adam", "lr": 0.01, "clip_value": 0.2}, lambda w, v: O.Adam([w, v], 0.01), lambda p: torch.nn.utils.clip_grad_value_(p, 0.2))


def add_l1(params):
    for p in params:
        p.grad += 0.05 * p.detach().sign()


optimiser("l1", {"kind": "sgd", "lr": 0.1, "l1": 0.05}, lambda w, v: O.SGD([w, v], 0.1), add_l1)
optimiser("groups", {"kind": "adamw", "lr": 0.01, "group": {"prefix": "v", "lr_scale": 0.1, "weight_decay": 0.5}},
          lambda w, v: O.AdamW([{"params": [w]}, {"params": [v], "lr": 0.001, "weight_decay": 0.5}], 0.01))
optimiser("frozen", {"kind": "adam", "lr": 0.01, "freeze": "v"}, lambda w, v: O.Adam([w], 0.01))
optimiser("average", {"kind": "sgd", "lr": 0.1}, lambda w, v: O.SGD([w, v], 0.1), average=0.9)


# ---- schedules: the learning rates of a whole training ----
def schedule(name, options, make, steps=60):
    p = torch.zeros(1, requires_grad=True)
    o = O.SGD([p], 1.0)
    s, rates = make(o), []
    for _ in range(steps):
        rates.append(o.param_groups[0]["lr"])
        o.step()
        s.step()
    put(f"schedule:{name}", torch.tensor(rates, dtype=D))
    schedules.append({"name": name, **options})


L = O.lr_scheduler
warm = lambda o, w, after: L.SequentialLR(o, [L.LinearLR(o, 1 / w, 1.0, w - 1), after], [w])
schedule("constant", {"kind": "constant"}, lambda o: L.ConstantLR(o, 1.0))
schedule("step", {"kind": "step", "every": 7, "gamma": 0.5}, lambda o: L.StepLR(o, 7, 0.5))
schedule("step_default", {"kind": "step", "every": 25}, lambda o: L.StepLR(o, 25))
schedule("cosine", {"kind": "cosine", "steps": 60}, lambda o: L.CosineAnnealingLR(o, 60))
schedule("cosine_floor", {"kind": "cosine", "steps": 60, "floor": 0.1}, lambda o: L.CosineAnnealingLR(o, 60, 0.1))
schedule("cosine_warm", {"kind": "cosine", "steps": 60, "warmup": 10}, lambda o: warm(o, 10, L.CosineAnnealingLR(o, 50)))
schedule("one_cycle", {"kind": "one_cycle", "steps": 60}, lambda o: L.OneCycleLR(o, 1.0, 60, cycle_momentum=False))
schedule("linear", {"kind": "linear", "steps": 60, "floor": 0.2}, lambda o: L.LinearLR(o, 1.0, 0.2, 60))
schedule("linear_warm", {"kind": "linear", "steps": 60, "warmup": 12}, lambda o: warm(o, 12, L.LinearLR(o, 1.0, 0.0, 48)))
schedule("warm", {"kind": "constant", "warmup": 12}, lambda o: L.LinearLR(o, 1 / 12, 1.0, 11))
schedule("inverse_sqrt", {"kind": "inverse_sqrt", "warmup": 10}, lambda o: L.LambdaLR(o, lambda t: min((t + 1) ** -0.5, (t + 1) * 10**-1.5) * 10**0.5))


def plateau(name, options, scores, **o):
    p = torch.zeros(1, requires_grad=True)
    opt = O.SGD([p], 1.0)
    s, factors = L.ReduceLROnPlateau(opt, **o), []
    for x in scores:
        s.step(x)
        factors.append(opt.param_groups[0]["lr"])
    put(f"plateau:{name}:scores", torch.tensor(scores, dtype=D))
    put(f"plateau:{name}:factors", torch.tensor(factors, dtype=D))
    plateaus.append({"name": name, **options})


plateau("flat", {}, [1.0] * 40)
plateau("patience", {"patience": 2, "gamma": 0.5}, [5.0, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1.5, 1.5, 1.5, 0.99995, 0.9998, 1, 1, 1], patience=2, factor=0.5)

for activation in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
    gains.append({"activation": activation, "slope": 0, "gain": torch.nn.init.calculate_gain(activation)})
gains.append({"activation": "leaky_relu", "slope": 0.3, "gain": torch.nn.init.calculate_gain("leaky_relu", 0.3)})

# ---- the file ----
NAMES = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64", torch.bool: "BOOL"}
DTYPES = {v: k for k, v in NAMES.items()}


def meta():
    return json.dumps({"cases": cases, "optimisers": optimisers, "schedules": schedules, "plateaus": plateaus, "gains": gains}, sort_keys=True)


def save(path):
    header, data = {"__metadata__": {"cases": meta(), "torch": torch.__version__}}, b""
    for name in sorted(tensors, key=lambda n: (-tensors[n].element_size(), n)):
        t = tensors[name]
        raw = t.numpy().tobytes()
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def check(path):
    """What differs from the file, as lines."""
    with open(path, "rb") as f:
        raw = f.read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    stored = header.pop("__metadata__")
    if stored["cases"] != meta():
        yield "the list of cases is another"
    for name in sorted(set(header) ^ set(tensors)):
        yield f"{name}: in one of both only"
    for name in sorted(set(header) & set(tensors)):
        a, b = header[name], tensors[name]
        begin, end = (8 + n + k for k in a["data_offsets"])
        if a["dtype"] != NAMES[b.dtype] or a["shape"] != list(b.shape):
            yield f"{name}: {a['dtype']} {a['shape']}, now {NAMES[b.dtype]} {list(b.shape)}"
        elif b.dtype != D:
            if raw[begin:end] != b.numpy().tobytes():
                yield f"{name}: other bytes"
        elif end > begin:
            old = torch.frombuffer(bytearray(raw[begin:end]), dtype=D).reshape(b.shape)
            if not torch.allclose(old, b, rtol=1e-12, atol=1e-13, equal_nan=True):
                yield f"{name}: differs by {(old - b).abs().max().item():.3g}"


if len(sys.argv) > 2 and sys.argv[1] == "--check":
    lines = list(check(sys.argv[2]))
    print("\n".join(lines[:20]) or f"{len(tensors)} tensors as they were")
    sys.exit(1 if lines else 0)
save(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "references.safetensors"))
print(f"{len(cases)} cases, {len(optimisers)} optimisers, {len(schedules)} schedules")
