#!/usr/bin/env python3
"""Data that changes under a training (X14), and data with nothing in it to learn from (X24): constant pictures, one class."""
from common import *
import zlib

FOLDER = scratch("changes")


def png(w, h, planes):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    raw = b"".join(b"\0" + planes[y * w * 3:(y + 1) * w * 3] for y in range(h))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def pictures(folder, names, n, pixel):
    r = random.Random(5)
    for k, name in enumerate(names):
        os.makedirs(f"{folder}/{name}")
        for i in range(n):
            write(f"{folder}/{name}/{i:02d}.png", png(12, 12, bytes(pixel(r, k) for _ in range(12 * 12 * 3))))
    return folder


def under_way(model, *words):
    """A training after its first step was saved."""
    child = subprocess.Popen([COTAN, "train", "image", *words, "--epochs", "60", "--checkpoint-every", "1", "--quiet", "-o", model], stderr=subprocess.PIPE)
    while child.poll() is None and not os.path.exists(f"{model[:-12]}.run/checkpoint.safetensors"):
        time.sleep(0.005)
    check("the training is under way", child.poll() is None)
    return child


def x14():
    """What was read is kept: a file that is cut, replaced or deleted later changes no byte and raises no SIGBUS. A file that is
    gone before it is read is named (4)."""
    net = small_net(FOLDER)
    data = data_set(f"{FOLDER}/idx")
    folder = pictures(f"{FOLDER}/folder", ("low", "high"), 40, lambda r, k: r.randrange(100) + 120 * k)
    for name, where in (("idx", data), ("folder", folder)):
        whole = f"{FOLDER}/{name}_whole.safetensors"
        r = cotan("train", "image", where, "--net", net, "--epochs", "60", "--checkpoint-every", "1", "--quiet", "-o", whole)
        check("undisturbed", r.status == 0, r)
        model = f"{FOLDER}/{name}.safetensors"
        child = under_way(model, where, "--net", net)
        if name == "idx":
            os.truncate(f"{data}/train-images-idx3-ubyte", 100)
            os.remove(f"{data}/train-labels-idx1-ubyte")
        else:
            os.remove(f"{folder}/low/00.png")
            os.truncate(f"{folder}/low/01.png", 30)
            write(f"{folder}/high/00.png", b"another file")
        _, err = child.communicate(timeout=300)
        if child.returncode == 0:
            check(f"X14 {name}: the same bytes", same(model, whole))
        else:
            check(f"X14 {name}: the file is named, 4", child.returncode == 4 and LINE.fullmatch(err.decode()) and f"{FOLDER}/{name}" in err.decode(), (child.returncode, err))
    refused("X14 resumed on what is left", 3, "train-images-idx3-ubyte", "train", "image", data, "--net", net, "-o", f"{FOLDER}/new.safetensors", folder=FOLDER, any_memory=True)


def finite(value):
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or value == value and abs(value) != float("inf")


def x24():
    net = small_net(FOLDER)
    constant = pictures(f"{FOLDER}/constant", ("one", "two"), 30, lambda r, k: 128)
    r = cotan("train", "image", constant, "--net", net, "--epochs", "2", "--quiet", "-o", f"{FOLDER}/constant.safetensors")
    check("X24 pictures without any contrast train: a deviation of 0 is no divisor", r.status == 0, r)
    kept = json.loads(cotan("inspect", f"{FOLDER}/constant.safetensors", "--json").out)
    check("their numbers are finite", finite(kept["metrics"]) and "std=1" in json.dumps(kept), kept)
    v = json.loads(cotan("evaluate", f"{FOLDER}/constant.safetensors", constant, "--json", "--coverage", "0.5").out)
    never = [c for c in v["classes"] if c["predicted"] == 0]
    check("a class that is never named: precision undefined, not NaN", finite(v) and len(never) == 1 and never[0]["precision"] is None and never[0]["recall"] == 0, v)
    text = cotan("evaluate", f"{FOLDER}/constant.safetensors", constant).out
    check("and a line on the screen", re.search(rf"^{never[0]['label']} +\d+ +- +0.000 ", text, re.M) and "nan" not in text.lower(), text)
    alike = cotan("predict", f"{FOLDER}/constant.safetensors", f"{constant}/one", "--similar", f"{constant}/two", "--top", "1", "--json")
    check("features of length 0 have a cosine of 0, all others 1", alike.status == 0 and all(round(json.loads(x)["similar"][0]["similarity"], 6) in (0, 1) for x in alike.out.splitlines()), alike)
    one = pictures(f"{FOLDER}/one", ("only",), 30, lambda r, k: r.randrange(256))
    r = cotan("train", "image", one, "--net", net, "--epochs", "2", "--quiet", "-o", f"{FOLDER}/one.safetensors")
    if r.status == 0:
        v = json.loads(cotan("evaluate", f"{FOLDER}/one.safetensors", one, "--json", "--coverage", "0.9").out)
        check("X24 one class only: a loss of 0, all of it right, no better than the baseline", finite(v) and v["loss"] == 0 and v["accuracy"] == v["baseline_accuracy"] == 1 and v["ece"] == 0, v)
        check("sets of one", v["coverage"]["mean_size"] == 1 and v["coverage"]["reached"] == 1, v)
    else:
        check("X24 one class only is refused", r.status == 3 and LINE.fullmatch(r.err), r)


x14()
x24()
finish()
