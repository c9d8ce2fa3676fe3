#!/usr/bin/env python3
"""Presets that came later and options of training that came later, on folders of small pictures: they train, score and
predict, and a run that was killed and resumed has the bytes of one that was not. And what --memory promises, measured
from outside."""
import zlib
from common import *

FOLDER = scratch("nets")
NET = """h = maxpool2d(relu(batch_norm(conv2d(input(image), "c", 4, 3, pad=1), "bn")), 2)
logit = linear(flatten(h), "out", classes)
"""
net = write(f"{FOLDER}/small.net", NET)


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side, pixels):
    raw = b"".join(b"\0" + pixels[y * 3 * side:(y + 1) * 3 * side] for y in range(side))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND")


def pictures(folder, each, side, seed=1):
    """Lines across or down in one colour on another; each[k] pictures of class k."""
    r = random.Random(seed)
    for k, name in enumerate(("across", "down")):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        for i in range(each[k]):
            at, ink = r.randrange(4), [bytes(r.randrange(120) for _ in range(3)), bytes(135 + r.randrange(120) for _ in range(3))]
            on = [(p + at) // 2 % 2 for p in range(side)]
            rows = [b"".join(ink[on[y if k == 0 else x]] for x in range(side)) for y in range(side)]
            write(f"{folder}/{name}/{i:04d}.png", png(side, b"".join(rows)))
    return folder


def presets():
    data = pictures(f"{FOLDER}/small", (24, 24), 32)
    for name, words in (("mobile", ("--set", "width=1", "--set", "stride=1")), ("alexnet2012", ("--set", "kernel=5", "--set", "hidden=16"))):
        model = f"{FOLDER}/{name}.safetensors"
        r = cotan("train", "image", data, "--model", name, *words, "--epochs", "1", "--batch", "8", "--doctor", "off", "--quiet", "-o", model, limit=300)
        if not check(f"{name}: trained", r.status == 0, r):
            continue
        v = json.loads(cotan("evaluate", model, data, "--part", "all", "--json").out)
        check(f"{name}: scored", v["samples"] == 48 and v["loss"] is not None and 0 < v["loss"] < 20, v)
        lines = [json.loads(line) for line in cotan("predict", model, f"{data}/down", "--json").out.splitlines()]
        check(f"{name}: predicted", len(lines) == 24 and all(p["label"] in ("across", "down") and 0.5 <= p["probability"] <= 1 for p in lines), lines[:2])


def kill_after_checkpoint(words, run):
    """Begins a training, kills it as soon as it has saved something, and says whether it was still under way."""
    child = subprocess.Popen([COTAN, *words], stderr=subprocess.DEVNULL)
    while child.poll() is None and not os.path.exists(f"{run}/checkpoint.safetensors"):
        time.sleep(0.002)
    under_way = child.poll() is None
    child.kill()
    child.wait()
    return under_way


def resumed():
    data = pictures(f"{FOLDER}/uneven", (60, 24), 16)
    first = f"{FOLDER}/first.safetensors"
    base = ("train", "image", data, "--net", net, "--batch", "8", "--checkpoint-every", "1", "--quiet", "--seed", "4")
    r = cotan(*base, "--epochs", "1", "-o", first)
    check("weights to begin with", r.status == 0, r)
    for name, words in (("lr auto", ("--lr", "auto", "--epochs", "30")), ("init and freeze", ("--init", first, "--freeze", "c, bn", "--epochs", "30")),
                        ("class weights", ("--class-weights", "--epochs", "30")),
                        ("all of them", ("--lr", "auto", "--init", first, "--freeze", "c", "--class-weights", "--epochs", "30"))):
        whole, parts = (f"{FOLDER}/{name.replace(' ', '_')}_{k}.safetensors" for k in ("whole", "parts"))
        r = cotan(*base, *words, "-o", whole)
        check(f"{name}: trained", r.status == 0, r)
        check(f"{name}: killed under way", kill_after_checkpoint((*base, *words, "-o", parts), parts.replace(".safetensors", ".run")))
        r = cotan("train", "image", data, "--resume", "--quiet", "--threads", "2", "-o", parts)
        check(f"{name}: resumed, the same bytes", r.status == 0 and same(whole, parts), r)


def memory():
    """700 pictures of 256 x 256 are 138 MB when decoded; the limits are less than these and the rest."""
    data = pictures(f"{FOLDER}/many", (350, 350), 256)
    words = ("train", "image", data, "--net", net, "--transform", "random_resized_crop 32, to_tensor", "--epochs", "2", "--quiet", "--force")
    free = cotan(*words, "-o", f"{FOLDER}/free.safetensors", limit=600)
    check("without a bound", free.status == 0, free)
    for megabytes in (128, 160):
        r = cotan(*words, "--memory", f"{megabytes}M", "-o", f"{FOLDER}/bound.safetensors", limit=600)
        check(f"--memory {megabytes}M: trained", r.status == 0, r)
        if not SANITIZED:
            check(f"--memory {megabytes}M is kept", r.kilobytes <= megabytes << 10, (r.kilobytes, megabytes << 10))
            check(f"--memory {megabytes}M: the pictures would pass it", free.kilobytes > megabytes << 10, free.kilobytes)


presets()
resumed()
memory()
finish()
