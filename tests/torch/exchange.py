#!/usr/bin/env python3
"""Weights both ways, strictly: load_state_dict(strict=True) takes cotan's files, ct_weights_apply takes PyTorch's, and
both sides predict the same from the same weights.

usage: exchange.py LIBCOTAN.so      needs torch and safetensors; the nets are those of bench/torch_peer.py, at the
shapes of their workloads. The test that needs no PyTorch is strict_both_ways in tests/test_model.c.
"""
import ctypes as C, os, sys, tempfile
import torch
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench"))
from torch_peer import CNN, GPT, AlexNet, ResNet20


class Shape(C.Structure):
    _fields_ = [("dim", C.c_int64 * 8), ("rank", C.c_int32), ("reserved", C.c_int32)]


class Tensor(C.Structure):
    _fields_ = [("node", C.c_void_p), ("out", C.c_int32), ("reserved", C.c_int32)]


class Input(C.Structure):
    _fields_ = [("name", C.c_char_p), ("shape", Shape), ("dtype", C.c_int32), ("reserved", C.c_int32)]


class Setting(C.Structure):
    _fields_ = [("name", C.c_char_p), ("value", C.c_char_p)]


class Env(C.Structure):
    _fields_ = [("inputs", C.POINTER(Input)), ("n_inputs", C.c_int32), ("n_constants", C.c_int32), ("constants", C.POINTER(Setting)),
                ("settings", C.POINTER(Setting)), ("n_settings", C.c_int32), ("reserved", C.c_int32)]


class Err(C.Structure):
    _fields_ = [("status", C.c_int32), ("reserved", C.c_int32), ("pos", C.c_int64), ("file", C.c_char * 256), ("text", C.c_char * 1000)]


lib = C.CDLL(sys.argv[1])
for name in ("ct_open", "ct_default_graph", "ct_preset_text"):
    getattr(lib, name).restype = C.c_void_p
lib.ct_preset_text.restype = C.c_char_p
lib.ct_error.restype = C.c_char_p
MODEL = 1 << 1 | 1 << 2  # parameters and buffers


def ok(status, e):
    if status:
        sys.exit(f"status {status}: {e.text.decode()}")


class Net:
    def __init__(self, name, text, shape, classes, dtype):
        self.c, self.y, self.e = C.c_void_p(lib.ct_open(None)), Tensor(), Err()
        text = text or lib.ct_preset_text(name.encode())
        extents = Shape((C.c_int64 * 8)(-1, *shape), len(shape) + 1, 0)
        given, constant = Input(b"image", extents, dtype, 0), Setting(b"classes", str(classes).encode())
        env = Env(C.pointer(given), 1, 1, C.pointer(constant), None, 0, 0)
        ok(lib.ct_net_build(C.c_void_p(lib.ct_default_graph(self.c)), text, name.encode(), C.byref(env), C.byref(self.y), C.byref(self.e)), self.e)

    def save(self, path):
        t = C.c_void_p()
        ok(lib.ct_tensors_new(None, C.byref(t), C.byref(self.e)), self.e)
        ok(lib.ct_weights_collect(self.c, MODEL, t, C.byref(self.e)), self.e)
        ok(lib.ct_tensors_save(None, t, path.encode(), C.byref(self.e)), self.e)
        lib.ct_tensors_free(t)

    def load(self, path):
        t = C.c_void_p()
        ok(lib.ct_tensors_load(None, None, path.encode(), C.byref(t), C.byref(self.e)), self.e)
        ok(lib.ct_weights_apply(self.c, t, path.encode(), MODEL, 0, C.byref(self.e)), self.e)
        lib.ct_tensors_free(t)

    def predict(self, x, like):
        out = torch.empty_like(like)
        if lib.ct_predict(self.c, self.y, C.c_void_p(x.data_ptr()), C.c_int64(len(x)), C.c_void_p(out.data_ptr())):
            sys.exit(lib.ct_error(self.c).decode())
        return out


def gpt_text():
    head = 'h = position(embedding(input(image), "wte", 65, 128), "wpe", 64)\n'
    block = ('q = linear(layer_norm(h, "blocks.K.ln1", no_bias=1), "blocks.K.qkv", 384, no_bias=1)\n'
             "a = attention(" + ", ".join(f"transpose(reshape(slice(q, 2, {i}, {i + 128}), N, 64, 4, 32), 1, 2)" for i in (0, 128, 256)) + ", causal=1)\n"
             'h = add(h, linear(reshape(transpose(a, 1, 2), N, 64, 128), "blocks.K.proj", 128, no_bias=1))\n'
             'h = add(h, linear(gelu(linear(layer_norm(h, "blocks.K.ln2", no_bias=1), "blocks.K.up", 512, no_bias=1)), "blocks.K.down", 128, no_bias=1))\n')
    tail = 'y = linear(layer_norm(h, "ln", no_bias=1), "head", 65, no_bias=1, tie="wte.weight")\n'
    return (head + "".join(block.replace("K", str(k)) for k in range(4)) + tail).encode()


def compare(name, what, ours, theirs):
    d = float((ours - theirs).norm() / theirs.norm())
    print(f"{name}: {what}: outputs {d:.2g} apart")
    if not d < 1e-5:
        sys.exit(f"{name}: {what}: too far")


torch.manual_seed(1)
nets = {"cnn": (CNN, None, (3, 32, 32), 10, 1), "resnet20": (ResNet20, None, (3, 32, 32), 10, 1), "alexnet": (AlexNet, None, (3, 224, 224), 1000, 1),
        "gpt": (lambda: GPT(128, 4, 4, 64), gpt_text(), (64,), 65, 4)}
with tempfile.TemporaryDirectory() as folder, torch.no_grad():
    for name, (make, text, shape, classes, dtype) in nets.items():
        path = os.path.join(folder, name + ".safetensors")
        x = torch.randint(0, 65, (3, *shape)) if dtype == 4 else torch.randn(3, *shape)
        theirs, ours = make().eval(), Net(name, text, shape, classes, dtype)
        for m in theirs.modules():  # running statistics that are not the initial ones
            if isinstance(m, torch.nn.BatchNorm2d):
                m.running_mean.normal_(); m.running_var.uniform_(0.5, 2); m.num_batches_tracked.fill_(7)
        save_file({k: v.clone() for k, v in theirs.state_dict().items()}, path)
        ours.load(path)
        want = theirs(x)
        compare(name, "PyTorch's weights in cotan", ours.predict(x, want), want)
        ours.save(path)
        back = load_file(path)
        for k, v in theirs.state_dict().items():
            if not torch.equal(back[k], v):
                sys.exit(f"{name}: {k} has changed on the way")
        fresh = Net(name, text, shape, classes, dtype)  # cotan's own initial weights
        fresh.save(path)
        theirs = make().eval()
        theirs.load_state_dict(load_file(path), strict=True)
        want = theirs(x)
        compare(name, "cotan's weights in PyTorch", fresh.predict(x, want), want)
