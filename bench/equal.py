#!/usr/bin/env python3
"""That both sides compute the same: loss and every gradient of cotan against PyTorch, then training freely.

usage: equal.py [--cotan PATH] [--steps N] [NAME ...]        needs torch (CPU)
Step by step (default 20, AlexNet 3): both sides have PyTorch's weights and a fresh batch; dropout is off. The loss has to agree
to 1e-5, each gradient to 1e-4 in relative norm. Where one does not, its distance from PyTorch's f64 is held against that of PyTorch's
f32: a ReLU whose input rounding moves across 0 changes a whole path, on either side, in some steps and not in others, so one
step of one tensor says little. Root mean squares over the steps are taken: of all such gradients together at most twice
PyTorch's, of each at most four times. PyTorch's Adam then makes the next weights.
Freely (20 steps, AlexNet 6): from the same weights on the same batches the losses agree to 1e-4; for resnet20 and AlexNet they
are no further from PyTorch's f64 than twice PyTorch's f32 is, root mean squares again.
"""
import argparse, copy, json, os, struct, subprocess, sys, tempfile
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from torch_peer import WORKLOADS

NAMES = {"mlp": {"0": "fc1", "2": "fc2", "4": "fc3"}}


def save(path, tensors):
    header, data = {}, []
    at = 0
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": "I64" if t.dtype == torch.int64 else "F32", "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for raw in data:
            f.write(raw)


def load(path):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        header, data = json.loads(f.read(n)), f.read()
    kinds = {"F32": torch.float32, "I64": torch.int64}
    return {k: torch.frombuffer(bytearray(data[v["data_offsets"][0]:v["data_offsets"][1]]), dtype=kinds[v["dtype"]]).reshape(v["shape"])
            for k, v in header.items() if k != "__metadata__"}


def gradients(net, loss, x, y, dtype):
    net = copy.deepcopy(net).to(dtype)
    for m in net.modules():
        if isinstance(m, torch.nn.Dropout):
            m.p = 0.0
    x = tuple(t.to(dtype) if t.is_floating_point() else t for t in x)
    value = loss(net(*x), y.to(dtype) if y.is_floating_point() else y)
    value.backward()
    return value.detach().double(), {k: p.grad.double() for k, p in net.named_parameters()}


def rename(name, key):
    first, rest = key.split(".", 1)
    return f"{NAMES.get(name, {}).get(first, first)}.{rest}"


def one(cotan, name, steps, folder):
    torch.manual_seed(1)
    net, _, _, loss, _ = WORKLOADS[name]()
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    worst_loss, distances = 0.0, {}
    for step in range(steps):
        torch.manual_seed(100 + step)
        x, y = WORKLOADS[name]()[1:3]
        single, double = gradients(net, loss, x, y, torch.float32), gradients(net, loss, x, y, torch.float64)
        given = {rename(name, k): p for k, p in net.named_parameters()}
        shape = (x[0].shape[0], 1, 28, 28) if name == "mlp" else x[0].shape
        save(f"{folder}/in", {**given, "input": x[0].reshape(shape), "target": y})
        subprocess.run([cotan, "bench", name, "--weights", f"{folder}/in", "--gradients", f"{folder}/out"], check=True)
        ours = load(f"{folder}/out")
        far = abs(ours["loss"].double() - double[0]) / abs(double[0])
        limit = max(1e-5, 2 * float(abs(single[0] - double[0]) / abs(double[0])))
        worst_loss = max(worst_loss, float(far))
        if far > limit:
            sys.exit(f"{name}: step {step + 1}: loss {float(ours['loss'])}; PyTorch has {float(double[0])}")
        for key, g in double[1].items():
            away = lambda t: float((t.double() - g).norm() / g.norm())
            distances.setdefault(key, []).append((away(ours[rename(name, key)]), away(single[1][key])))
        adam.zero_grad()
        loss(net(*x), y).backward()
        adam.step()
    worst, far = 0.0, {}
    for key, pairs in distances.items():
        most, ours, theirs = max(p[0] for p in pairs), rms(p[0] for p in pairs), rms(p[1] for p in pairs)
        worst = max(worst, min(most / 1e-4, ours / (2 * theirs + 1e-30)))
        if most > 1e-4:
            far[key] = (ours, theirs)
        if most > 1e-4 and ours > 4 * theirs:
            sys.exit(f"{name}: gradient of {key} is {ours:.3g} away, PyTorch's f32 {theirs:.3g}; wanted at most four times that")
    ours, theirs = rms(p[0] for p in far.values()), rms(p[1] for p in far.values())
    if ours > 2 * theirs:
        sys.exit(f"{name}: gradients over 1e-4 are {ours:.3g} away in all, PyTorch's f32 {theirs:.3g}; wanted at most twice that")
    apart = f"; over 1e-4: {len(far)} of {len(distances)}, {ours:.2g} away in all, PyTorch's f32 {theirs:.2g}" if far else ""
    print(f"{name:10s} {steps} steps: loss within {worst_loss:.1e}, gradients at most {worst:.2f} of their limit{apart}", flush=True)


def rms(values):
    values = list(values)
    return (sum(v * v for v in values) / max(len(values), 1)) ** 0.5


def train(net, loss, batches, dtype):
    """The losses of Adam's steps; dropout is off."""
    net = copy.deepcopy(net).to(dtype)
    for m in net.modules():
        if isinstance(m, torch.nn.Dropout):
            m.p = 0.0
    cast = lambda t: t.to(dtype) if t.is_floating_point() else t
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    losses = []
    for x, y in batches:
        adam.zero_grad()
        value = loss(net(*(cast(t) for t in x)), cast(y))
        value.backward()
        adam.step()
        losses.append(float(value.detach().double()))
    return losses


def freely(cotan, name, steps, folder):
    torch.manual_seed(1)
    net, _, _, loss, _ = WORKLOADS[name]()
    batches = []
    for step in range(steps):
        torch.manual_seed(200 + step)
        batches.append(WORKLOADS[name]()[1:3])
    given = {rename(name, k): p for k, p in net.named_parameters()}
    for k, (x, y) in enumerate(batches):
        shape = (x[0].shape[0], 1, 28, 28) if name == "mlp" else x[0].shape
        given[f"input.{k}"], given[f"target.{k}"] = x[0].reshape(shape), y
    save(f"{folder}/in", given)
    subprocess.run([cotan, "bench", name, "--weights", f"{folder}/in", "--losses", f"{folder}/out"], check=True)
    ours = load(f"{folder}/out")["loss"].double().tolist()
    single, double = train(net, loss, batches, torch.float32), train(net, loss, batches, torch.float64)
    away = lambda losses: [abs(a - b) / abs(b) for a, b in zip(losses, double)]
    if name in ("resnet20", "alexnet"):
        if rms(away(ours)) > 2 * rms(away(single)) and max(away(ours)) > 1e-4:
            sys.exit(f"{name}: freely, the losses are {rms(away(ours)):.3g} away, PyTorch's f32 {rms(away(single)):.3g}; wanted at most twice that")
    elif max(abs(a - b) / abs(b) for a, b in zip(ours, single)) > 1e-4:
        sys.exit(f"{name}: freely, the losses part: {ours} and {single}")
    print(f"{name:10s} {steps} steps freely: losses {rms(away(ours)):.1e} from PyTorch's f64, its f32 {rms(away(single)):.1e}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", metavar="NAME")
    p.add_argument("--cotan", default=os.path.join(HERE, "..", "build", "release", "cotan"))
    p.add_argument("--steps", type=int, default=20)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in a.names or ["mlp-small", "mlp", "cnn", "resnet20", "alexnet", "gpt"]:
            one(os.path.abspath(a.cotan), name, min(a.steps, 3) if name == "alexnet" else a.steps, folder)
            freely(os.path.abspath(a.cotan), name, min(a.steps, 6) if name == "alexnet" else a.steps, folder)


main()
