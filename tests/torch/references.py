#!/usr/bin/env python3
"""Writes references.safetensors: values and gradients by PyTorch, in double, for tests/test_torch.c.

usage: references.py [OUT]      needs torch (CPU)
A case is a net of one expression, its inputs and parameters, a cotangent dy, PyTorch's y and all gradients.
An optimiser case is a parameter, ten gradients and PyTorch's parameter after each step.
"""
import json, os, struct, sys
import torch
import torch.nn.functional as F

torch.manual_seed(20)
tensors, cases, optimisers = {}, [], []
D = torch.float64


def put(name, t):
    t = t.detach()
    tensors[name] = t.to(torch.int64) if not t.dtype.is_floating_point else t.to(torch.float32)


def normal(*shape):
    return torch.randn(tuple(shape)).to(torch.float32).to(D)


def case(name, net, inputs, params, function, grads=True):
    """inputs, params: name -> tensor. function(inputs, params) -> y."""
    for group in (inputs, params):
        for t in group.values():
            if t.dtype.is_floating_point:
                t.requires_grad_(grads)
    y = function(inputs, params)
    row = {"name": name, "net": net, "inputs": sorted(inputs), "params": sorted(params), "grads": []}
    for key, t in inputs.items():
        put(f"{name}:in:{key}", t)
    for key, t in params.items():
        put(f"{name}:param:{key}", t)
    put(f"{name}:y", y)
    if grads:
        dy = normal(*y.shape)
        put(f"{name}:dy", dy)
        leaves = {k: t for k, t in {**inputs, **params}.items() if t.dtype.is_floating_point}
        for (key, t), g in zip(leaves.items(), torch.autograd.grad(y, list(leaves.values()), dy, allow_unused=True)):
            put(f"{name}:grad:{key}", torch.zeros_like(t) if g is None else g)
            row["grads"].append(key)
    cases.append(row)


def unary(name, function, net=None, x=None):
    case(name, net or f"{name}(input(x))", {"x": normal(3, 17) if x is None else x}, {}, lambda i, p: function(i["x"]))


for name, function in {
    "exp": torch.exp, "sin": torch.sin, "cos": torch.cos, "erf": torch.erf, "abs": torch.abs, "square": torch.square, "sigmoid": torch.sigmoid,
    "tanh": torch.tanh, "relu": F.relu, "selu": F.selu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu,
    "softplus": F.softplus, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "neg": torch.neg, "floor": torch.floor, "sign": torch.sign,
}.items():
    unary(name, function)
for name, function in {"log": torch.log, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal}.items():
    unary(name, function, x=normal(3, 17).abs() + 0.1)
unary("leaky_relu", lambda x: F.leaky_relu(x, 0.2), "leaky_relu(input(x), 0.2)")
unary("elu", lambda x: F.elu(x, 0.7), "elu(input(x), 0.7)")
unary("clip", lambda x: torch.clamp(x, -0.5, 0.8), "clip(input(x), -0.5, 0.8)")
unary("softmax", lambda x: torch.softmax(x, 1), "softmax(input(x), 1)", normal(3, 5, 4))
unary("log_softmax", lambda x: torch.log_softmax(x, -1), "log_softmax(input(x), -1)")
unary("logsumexp", lambda x: torch.logsumexp(x, (0, 2)), "logsumexp(input(x), 0, 2)", normal(3, 5, 4))
unary("max", lambda x: torch.amax(x, 1), "max(input(x), 1)", torch.tensor([[1.0, 3, 3, 2], [0, -1, 0, 0]], dtype=D))
unary("min", lambda x: torch.amin(x, 0), "min(input(x), 0)")
unary("prod", lambda x: torch.prod(x, 1), "prod(input(x), 1)", torch.tensor([[1.5, 0, 3, 2], [0, -1, 0, 4], [2, 3, -1, 0.5]], dtype=D))
unary("var", lambda x: torch.var(x, 1), "var(input(x), 1)")
unary("var_biased", lambda x: torch.var(x, (0, 2), unbiased=False), "var(input(x), 0, 2, biased=1)", normal(3, 5, 4))
unary("cumsum", lambda x: torch.cumsum(x, 1), "cumsum(input(x), 1)", normal(3, 5, 4))
unary("sum", lambda x: x.sum((0, 2)), "sum(input(x), 0, 2)", normal(3, 5, 4))
unary("mean", lambda x: x.mean(1), "mean(input(x), 1)", normal(3, 5, 4))
unary("permute", lambda x: x.permute(2, 0, 1), "permute(input(x), 2, 0, 1)", normal(3, 5, 4))
unary("pad", lambda x: F.pad(x, (1, 2, 0, 1), value=0.5), "pad(input(x), 0.5, 1, 2, 0, 1)", normal(3, 5, 4))
unary("maxpool2d", lambda x: F.max_pool2d(x, 3, 2, 1), "maxpool2d(input(x), 3, stride=2, pad=1)", normal(2, 3, 9, 8))
unary("maxpool2d_ceil", lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), "maxpool2d(input(x), 3, stride=2, ceil=1)", normal(2, 17, 8, 8))
unary("avgpool2d", lambda x: F.avg_pool2d(x, 3, 2, 1), "avgpool2d(input(x), 3, stride=2, pad=1)", normal(2, 3, 9, 8))
unary("adaptive_avgpool2d", lambda x: F.adaptive_avg_pool2d(x, (3, 5)), "adaptive_avgpool2d(input(x), 3, 5)", normal(2, 3, 7, 8))
unary("adaptive_maxpool2d", lambda x: F.adaptive_max_pool2d(x, (3, 5)), "adaptive_maxpool2d(input(x), 3, 5)", normal(2, 3, 7, 8))
unary("global_avgpool", lambda x: x.mean((2, 3)), "global_avgpool(input(x))", normal(2, 17, 7, 8))
unary("local_response_norm", lambda x: F.local_response_norm(x, 5, alpha=0.3, beta=0.75, k=2), "local_response_norm(input(x), 5, alpha=0.3, k=2)", normal(2, 9, 3, 4))

two = lambda: {"x": normal(3, 5, 4), "y": normal(5, 1)}
for name, function in {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "minimum": torch.minimum, "maximum": torch.maximum}.items():
    case(name, f"{name}(input(x), input(y))", two(), {}, lambda i, p, f=function: f(i["x"], i["y"]))
case("pow", "pow(input(x), input(y))", {"x": normal(3, 5).abs() + 0.2, "y": normal(5)}, {}, lambda i, p: i["x"] ** i["y"])
case("matmul", "matmul(input(x), input(y))", {"x": normal(2, 1, 3, 4), "y": normal(5, 4, 6)}, {}, lambda i, p: i["x"] @ i["y"])
case("matmul_vector", "matmul(input(x), input(y))", {"x": normal(4), "y": normal(5, 4, 6)}, {}, lambda i, p: i["x"] @ i["y"])

case("linear", 'linear(input(x), "l", 5)', {"x": normal(3, 2, 7)}, {"l.weight": normal(5, 7), "l.bias": normal(5)},
     lambda i, p: F.linear(i["x"], p["l.weight"], p["l.bias"]))
case("conv2d", 'conv2d(input(x), "c", 6, 3, pad=1, stride=2)', {"x": normal(2, 3, 8, 9)}, {"c.weight": normal(6, 3, 3, 3), "c.bias": normal(6)},
     lambda i, p: F.conv2d(i["x"], p["c.weight"], p["c.bias"], stride=2, padding=1))
case("conv2d_groups", 'conv2d(input(x), "c", 8, 3, groups=4, dilation=2, no_bias=1)', {"x": normal(2, 4, 8, 9)}, {"c.weight": normal(8, 1, 3, 3)},
     lambda i, p: F.conv2d(i["x"], p["c.weight"], groups=4, dilation=2))
case("conv1d", 'conv1d(input(x), "c", 6, 3, pad=2, stride=2)', {"x": normal(2, 5, 11)}, {"c.weight": normal(6, 5, 3), "c.bias": normal(6)},
     lambda i, p: F.conv1d(i["x"], p["c.weight"], p["c.bias"], stride=2, padding=2))
case("conv_transpose2d", 'conv_transpose2d(input(x), "c", 4, 3, stride=2, pad=1)', {"x": normal(2, 5, 4, 5)}, {"c.weight": normal(5, 4, 3, 3), "c.bias": normal(4)},
     lambda i, p: F.conv_transpose2d(i["x"], p["c.weight"], p["c.bias"], stride=2, padding=1))
case("batch_norm", 'batch_norm(input(x), "b")', {"x": normal(4, 5, 3, 3)}, {"b.weight": normal(5), "b.bias": normal(5)},
     lambda i, p: F.batch_norm(i["x"], None, None, p["b.weight"], p["b.bias"], training=True))
case("layer_norm", 'layer_norm(input(x), "n", axes=2)', {"x": normal(3, 4, 5)}, {"n.weight": normal(4, 5), "n.bias": normal(4, 5)},
     lambda i, p: F.layer_norm(i["x"], (4, 5), p["n.weight"], p["n.bias"]))
case("rms_norm", 'rms_norm(input(x), "n", eps=0.01)', {"x": normal(3, 17)}, {"n.weight": normal(17)}, lambda i, p: F.rms_norm(i["x"], (17,), p["n.weight"], 0.01))
case("group_norm", 'group_norm(input(x), "n", 3)', {"x": normal(2, 6, 4)}, {"n.weight": normal(6), "n.bias": normal(6)},
     lambda i, p: F.group_norm(i["x"], 3, p["n.weight"], p["n.bias"]))
case("embedding", 'embedding(input(t), "e", 7, 5)', {"t": torch.tensor([[1, 6, 1], [0, 3, 3]])}, {"e.weight": normal(7, 5)}, lambda i, p: F.embedding(i["t"], p["e.weight"]))

qkv = lambda: {"q": normal(2, 4, 5, 8), "k": normal(2, 2, 6, 8), "v": normal(2, 2, 6, 3)}
case("attention", "attention(input(q), input(k), input(v))", qkv(), {},
     lambda i, p: F.scaled_dot_product_attention(i["q"], i["k"], i["v"], enable_gqa=True))
case("attention_causal", "attention(input(q), input(k), input(v), causal=1)", {k: normal(2, 2, 70, 8) for k in "qkv"}, {},
     lambda i, p: F.scaled_dot_product_attention(i["q"], i["k"], i["v"], is_causal=True))
case("attention_mask", "attention(input(q), input(k), input(v), input(m))", {**qkv(), "m": normal(5, 6)}, {},
     lambda i, p: F.scaled_dot_product_attention(i["q"], i["k"], i["v"], attn_mask=i["m"], enable_gqa=True))

ids = lambda: torch.tensor([2, 0, 6, 2])
logits = lambda: {"x": normal(4, 7) * 3, "t": ids()}
case("cross_entropy", "cross_entropy(input(x), input(t))", logits(), {}, lambda i, p: F.cross_entropy(i["x"], i["t"]))
case("cross_entropy_smooth", "cross_entropy(input(x), input(t), smoothing=0.2)", logits(), {}, lambda i, p: F.cross_entropy(i["x"], i["t"], label_smoothing=0.2))
case("cross_entropy_ignore", 'cross_entropy(input(x), input(t), has_ignore=1, ignore=2, reduction="sum")', logits(), {},
     lambda i, p: F.cross_entropy(i["x"], i["t"], ignore_index=2, reduction="sum"))
case("cross_entropy_weight", "cross_entropy(input(x), input(t), input(w), smoothing=0.1)", {**logits(), "w": normal(7).abs()}, {},
     lambda i, p: F.cross_entropy(i["x"], i["t"], i["w"].detach(), label_smoothing=0.1) + 0 * i["w"].sum(), grads=False)
case("cross_entropy_probabilities", "cross_entropy(input(x), input(t))", {"x": normal(4, 7), "t": torch.softmax(normal(4, 7), 1)}, {},
     lambda i, p: F.cross_entropy(i["x"], i["t"]))
for name, function in {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss, "bce_logits": F.binary_cross_entropy_with_logits}.items():
    case(name, f"{name}(input(x), input(t))", {"x": normal(4, 7), "t": normal(4, 7)}, {}, lambda i, p, f=function: f(i["x"], i["t"]))
case("kl", 'kl(input(x), input(t), reduction="batchmean")', {"x": normal(4, 7), "t": torch.softmax(normal(4, 7), 1).clone()}, {},
     lambda i, p: F.kl_div(i["x"], i["t"], reduction="batchmean"))
case("gaussian_nll", "gaussian_nll(input(x), input(t), input(v), full=1)", {"x": normal(4, 7), "t": normal(4, 7), "v": normal(4, 7).abs() + 0.1}, {},
     lambda i, p: F.gaussian_nll_loss(i["x"], i["t"], i["v"], full=True))


def optimiser(name, options, make):
    p = normal(9).requires_grad_(True)
    gradients = normal(10, 9)
    put(f"opt:{name}:p", p)
    put(f"opt:{name}:g", gradients)
    o, after = make([p]), []
    for g in gradients:
        p.grad = g.clone()
        o.step()
        after.append(p.detach().clone())
    put(f"opt:{name}:after", torch.stack(after))
    optimisers.append({"name": name, **options})


O = torch.optim
optimiser("adam", {"kind": "adam", "lr": 0.01}, lambda p: O.Adam(p, 0.01))
optimiser("adam_l2", {"kind": "adam", "lr": 0.01, "weight_decay": 0.1}, lambda p: O.Adam(p, 0.01, weight_decay=0.1))
optimiser("adamw", {"kind": "adamw", "lr": 0.01, "weight_decay": 0.1}, lambda p: O.AdamW(p, 0.01, weight_decay=0.1))
optimiser("nadam", {"kind": "nadam", "lr": 0.01}, lambda p: O.NAdam(p, 0.01))
optimiser("sgd", {"kind": "sgd", "lr": 0.1}, lambda p: O.SGD(p, 0.1))
optimiser("momentum", {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}, lambda p: O.SGD(p, 0.1, 0.9, weight_decay=0.01))
optimiser("nesterov", {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": 1}, lambda p: O.SGD(p, 0.1, 0.9, nesterov=True))
optimiser("rmsprop", {"kind": "rmsprop", "lr": 0.01}, lambda p: O.RMSprop(p, 0.01))
optimiser("rmsprop_centered", {"kind": "rmsprop", "lr": 0.01, "momentum": 0.5, "centered": 1}, lambda p: O.RMSprop(p, 0.01, momentum=0.5, centered=True))
optimiser("adagrad", {"kind": "adagrad", "lr": 0.1}, lambda p: O.Adagrad(p, 0.1))
optimiser("adadelta", {"kind": "adadelta", "lr": 1.0}, lambda p: O.Adadelta(p, 1.0))


def save(path):
    header, data = {"__metadata__": {"cases": json.dumps({"cases": cases, "optimisers": optimisers}), "torch": torch.__version__}}, b""
    for name in sorted(tensors):
        t = tensors[name].contiguous()
        raw = t.numpy().tobytes()
        header[name] = {"dtype": "I64" if t.dtype == torch.int64 else "F32", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


save(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "references.safetensors"))
print(f"{len(cases)} cases, {len(optimisers)} optimisers")
