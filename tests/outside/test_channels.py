#!/usr/bin/env python3
"""Grey pictures for a colour model and colour ones for a grey model: widened, or made grey by their luma, in every format;
and a net that makes its pictures grey itself knows its data again."""
from common import *

FOLDER = scratch("channels")
R = random.Random(5)
SIDE, N = 8, 200


def luma(r, g, b):
    return (19595 * r + 38470 * g + 7471 * b + 32768) >> 16


def pictures(n):
    """Planes r, g, b of n pictures of two kinds, and the kinds."""
    kinds = [R.randrange(2) for _ in range(n)]
    return [[[R.randrange(120) + 120 * (k == (c == 0)) for _ in range(SIDE * SIDE)] for c in range(3)] for k in kinds], kinds


def idx_set(name, planes, kinds):
    """planes: of each picture one list or three."""
    os.makedirs(f"{FOLDER}/{name}", exist_ok=True)
    dims = [len(planes), SIDE, SIDE] if len(planes[0]) == 1 else [len(planes), 3, SIDE, SIDE]
    data = bytes(v for p in planes for plane in p for v in plane)
    idx(f"{FOLDER}/{name}/train-images-idx3-ubyte", 0x800 + len(dims), dims, data)
    idx(f"{FOLDER}/{name}/train-labels-idx1-ubyte", 0x801, [len(kinds)], kinds)
    return f"{FOLDER}/{name}"


def npy(path, shape, data):
    head = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    return write(path, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(data))


def train(data, name, *more):
    model = f"{FOLDER}/{name}.safetensors"
    r = cotan("train", "image", data, "--net", small_net(FOLDER), "--epochs", "2", "--threads", "1", "-q", *more, "-o", model)
    check(f"{name} is trained", r.status == 0, r)
    return model


def predicted(model, data):
    r = cotan("predict", model, f"{data}/train-images-idx3-ubyte", "--json", "--top", "2")
    check(f"{data}: is predicted", r.status == 0 and r.out.count("\n") == N, r)
    return [{k: v for k, v in json.loads(line).items() if k != "path"} for line in r.out.splitlines()]


def scores(model, data):
    r = cotan("evaluate", model, data, "--part", "all", "--json")
    check(f"{data}: is evaluated", r.status == 0, r)
    v = json.loads(r.out)
    return v["loss"], v["accuracy"], v["samples"]


colour, kinds = pictures(N)
grey = [[[luma(*v) for v in zip(*p)]] for p in colour]
in_colour, in_grey = idx_set("colour", colour, kinds), idx_set("grey", grey, kinds)
widened = idx_set("widened", [p * 3 for p in grey], kinds)
of_colour, of_grey = train(in_colour, "of_colour"), train(in_grey, "of_grey")
check("grey for a colour model", predicted(of_colour, in_grey) == predicted(of_colour, widened))
check("colour for a grey model", predicted(of_grey, in_colour) == predicted(of_grey, in_grey))
check("scores: grey for a colour model", scores(of_colour, in_grey) == scores(of_colour, widened))
check("scores: colour for a grey model", scores(of_grey, in_colour) == scores(of_grey, in_grey))

# The same as .npy arrays, and as one picture.
os.makedirs(f"{FOLDER}/arrays")
npy(f"{FOLDER}/arrays/images.npy", (N, SIDE, SIDE), [v for p in grey for v in p[0]])
npy(f"{FOLDER}/arrays/labels.npy", (N,), kinds)
check("scores: an array", scores(of_colour, f"{FOLDER}/arrays") == scores(of_colour, widened))
one = npy(f"{FOLDER}/one.npy", (SIDE, SIDE), grey[0][0])
r = cotan("predict", of_colour, one, "--json", "--top", "2")
check("a picture", r.status == 0 and json.loads(r.out)["top"] == predicted(of_colour, widened)[0]["top"], r)

# A net whose transform makes colour grey has met colour: its own data is known again, and only what was kept away is scored.
for k in (0, 1):
    os.makedirs(f"{FOLDER}/files/{k}")
for i, (p, k) in enumerate(zip(colour, kinds)):
    npy(f"{FOLDER}/files/{k}/{i}.npy", (3, SIDE, SIDE), [v for plane in p for v in plane])
for data in (f"{FOLDER}/files", in_colour):
    model = train(data, "greys", "--transform", "grey, normalize mean=0.5 std=0.25", "--force")
    r = cotan("evaluate", model, data, "--json")
    check("grey in the transform: the test part", r.status == 0 and json.loads(r.out)["part"] == "test" and json.loads(r.out)["samples"] < N // 4, r)
finish()
