#!/usr/bin/env python3
"""Folders of photographs, beyond the cases F1-F10: what --coverage may be told of, and classes whose name is not UTF-8."""
import zlib
from common import *

FOLDER = scratch("photographs")
NET = """h = maxpool2d(relu(conv2d(input(image), "c", 4, 3, pad=1)), 2)
logit = linear(flatten(h), "out", classes)
"""
net = write(f"{FOLDER}/small.net", NET)


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, rows):
    raw = b"".join(b"\0" + rows[y * w:(y + 1) * w] for y in range(h))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND")


def classes(folder, n, names, seed=1, side=12):
    """Grey pictures: lines across in the first class, down in the second, with noise. Names may be bytes."""
    r = random.Random(seed)
    for k, name in enumerate(names):
        below = os.fsencode(folder) + b"/" + os.fsencode(name)
        os.makedirs(below, exist_ok=True)
        for i in range(n):
            at = r.randrange(4)
            rows = bytes(r.randrange(60) + (150 if ((p // side if k == 0 else p % side) + at) // 2 % 2 else 0) for p in range(side * side))
            write(below + b"/%03d.png" % i, png(side, side, rows))
    return folder


def trained(name, data, *words):
    model = f"{FOLDER}/{name}.safetensors"
    r = cotan("train", "image", data, "--net", net, "--epochs", "3", "--lr", "0.01", "--quiet", "--threads", "1", "-o", model, *words)
    check(f"{name}: trained", r.status == 0, r)
    return model


def evaluated(model, *words):
    r = cotan("evaluate", model, *words, "--json")
    return json.loads(r.out) if r.status == 0 else {"failed": r}


def coverage():
    """It is told of records that did not calibrate the sets; with those among them it is refused."""
    names = ("across", "down")
    data, other = classes(f"{FOLDER}/data", 60, names), classes(f"{FOLDER}/other", 20, names, seed=2)
    model = trained("plain", data)
    v = evaluated(model, data, "--coverage", "0.9")
    check("of the tenth that was kept for the test", v.get("part") == "test" and "coverage" in v, v)
    v = evaluated(model, other, "--coverage", "0.9")
    check("of other data", v.get("part") == "all" and "coverage" in v, v)
    v = evaluated(model, other, "--coverage", "0.9", "--part", "all")
    check("of other data, all of it", v.get("part") == "all" and "coverage" in v, v)
    said = ["--coverage", "calibrated the sets", "wanted only others"]
    refused("all of the data trained on", 2, said, "evaluate", model, data, "--coverage", "0.9", "--part", "all", folder=FOLDER, any_memory=True)
    check("without --coverage all may be scored", evaluated(model, data, "--part", "all").get("samples") == 120)
    model = trained("own", data, "--validate", other)
    refused("the folder of --validate", 2, said, "evaluate", model, other, "--coverage", "0.9", folder=FOLDER, any_memory=True)
    idx = data_set(f"{FOLDER}/idx", train=200, test=40, side=12, labels=2)
    model = trained("idx", idx)
    check("idx: of the test part", "coverage" in evaluated(model, idx, "--coverage", "0.9"))
    refused("idx: all of it", 2, said, "evaluate", model, idx, "--coverage", "0.9", "--part", "all", folder=FOLDER, any_memory=True)
    os.makedirs(f"{FOLDER}/whole")
    for name in ("images-idx3", "labels-idx1"):
        shutil.copy(f"{idx}/train-{name}-ubyte", f"{FOLDER}/whole")
    model = trained("no_test", f"{FOLDER}/whole")
    check("idx without a test part: of the tenth", evaluated(model, f"{FOLDER}/whole", "--coverage", "0.9").get("part") == "test")
    refused("idx without a test part: all of it", 2, said, "evaluate", model, f"{FOLDER}/whole", "--coverage", "0.9", "--part", "all", folder=FOLDER,
            any_memory=True)


def names_not_utf8():
    """The model has an escaped name of such a class, by which evaluation finds it again."""
    data = classes(f"{FOLDER}/latin", 50, (b"caf\xe9", b"th\xe9"))
    os.rename(os.fsencode(data) + b"/caf\xe9/000.png", os.fsencode(data) + b"/caf\xe9/d\xe9j\xe0.png")
    model = trained("latin", data)
    v = evaluated(model, data, "--part", "all")
    check("evaluated by the same folder", v.get("samples") == 100 and v.get("labels") == ["caf\\xe9", "th\\xe9"], v)
    check("and the labels are the right ones", v.get("accuracy", 0) > 0.8, v)
    r = cotan("predict", model, os.fsencode(data) + b"/caf\xe9", "--json")
    lines = [json.loads(line) for line in r.out.splitlines()]
    check("predicted", len(lines) == 50 and sum(p["label"] == "caf\\xe9" for p in lines) > 35, r)
    check("a file by its escaped name", any(p["path"].endswith("d\\xe9j\\xe0.png") for p in lines), lines[-1:])


coverage()
names_not_utf8()
finish()
