#!/usr/bin/env python3
"""Uninitialised memory, reads beyond the end and lost blocks under valgrind (X33), with kernels as it sees them (AVX2).
In ./check --full alone: it takes minutes. Fillings of memory that need no tool are tests/test_bits.c."""
from common import *

FOLDER = scratch("valgrind")
DATA = data_set(f"{FOLDER}/data", train=120, test=20)
BIG = data_set(f"{FOLDER}/big", train=40, test=10, side=28)
WATCH = ("valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", f"--suppressions={os.path.dirname(os.path.abspath(__file__))}/valgrind.supp")
M = f"{FOLDER}/m.safetensors"
BAD = f"{FOLDER}/bad"
os.makedirs(BAD)
write(f"{BAD}/train-images-idx3-ubyte", bytes(20))
NET_FILE = write(f"{FOLDER}/net", """h = relu(batch_norm(conv2d(input(image), "a", 17, 3, pad=1), "n"))
h = avgpool2d(relu(conv2d(h, "b", 3, 5, pad=2, stride=2)), 2)
h = dropout(layer_norm(flatten(h), "l"), "d", 0.3)
logit = linear(gelu(linear(h, "c", 33)), "o", classes)
""")
BASE = ("train", "image", DATA, "--net", NET_FILE, "--epochs", "1", "--batch", "32", "--threads", "2", "--ema", "0.9", "--clip", "1", "--transform", "normalize mean=0.3 std=0.2, random_crop 10 pad=1, flip 0.5")

ROWS = [
    ("train", 0, *BASE, "-o", M),
    ("nothing to do", 0, "train", "image", "-o", M, "--resume"),
    ("evaluate", 0, "evaluate", M, DATA, "--json"),
    ("predict", 0, "predict", M, f"{DATA}/t10k-images-idx3-ubyte", "--top", "2"),
    ("inspect", 0, "inspect", M, "--flat"),
    ("plan", 0, "plan", M, "--train", "--repeats", "1"),
    ("cnn", 0, "train", "image", BIG, "--epochs", "1", "--batch", "16", "--threads", "2", "-o", f"{FOLDER}/cnn.safetensors"),
    ("resnet20", 0, "train", "image", DATA, "--model", "resnet20", "--epochs", "1", "--batch", "16", "--threads", "2", "--limit", "40", "-o", f"{FOLDER}/r.safetensors"),
    ("lion", 0, *BASE, "--optimizer", "lion", "-o", f"{FOLDER}/l.safetensors"),
    ("steps that are not finite", 6, *BASE, "--optimizer", "sgd", "--lr", "1e20", "-o", f"{FOLDER}/n.safetensors"),
    ("a damaged model", 3, "evaluate", write(f"{FOLDER}/bad.safetensors", b"\x20" + bytes(7) + b'{"a":{"dtype":"F32"}}           '), DATA),
    ("bad data", 3, "train", "image", BAD, "-o", f"{FOLDER}/x.safetensors"),
    ("a wrong word", 2, "evaluate", M),
]

if not FULL or SANITIZED:
    finish()
if not shutil.which("valgrind"):
    print("skipped: valgrind is not here")
    finish()
for name, status, *words in ROWS:
    r = cotan(*words, wrap=WATCH, limit=900)
    check(f"X33 {name}: {status}, and nothing that valgrind sees", r.status == status and "==" not in r.err, r)
finish()
