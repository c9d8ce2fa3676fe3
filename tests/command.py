#!/usr/bin/env python3
"""The command from outside: words, exit statuses, streams, files, signals.   usage: command.py COTAN"""
import gzip, json, os, random, shutil, signal, struct, subprocess, sys, tempfile, time

COTAN = os.path.abspath(sys.argv[1])
failures = 0
checks = 0


def check(what, ok, seen=""):
    global failures, checks
    checks += 1
    if not ok:
        failures += 1
        print(f"FAILED: {what}: {seen!r}"[:1200])


def cotan(*words, **more):
    return subprocess.run([COTAN, *map(str, words)], capture_output=True, text=True, timeout=240, **more)


def fails(status, wanted, *words):
    r = cotan(*words)
    line = r.stderr.strip().splitlines()[-1] if r.stderr.strip() else ""
    check(f"{words} ends with {status} and says {wanted!r}", r.returncode == status and wanted in r.stderr and line.startswith("cotan: error: "),
          (r.returncode, r.stderr))
    check(f"{words} writes nothing to stdout", r.stdout == "", r.stdout)


def idx(path, magic, dims, data, compress=False):
    raw = struct.pack(f">I{len(dims)}I", magic, *dims) + bytes(data)
    with (gzip.open if compress else open)(path, "wb") as f:
        f.write(raw)


def data_set(folder, train=400, test=60, side=10, labels=3, compress=False):
    os.makedirs(folder, exist_ok=True)
    r = random.Random(3)
    end = ".gz" if compress else ""
    for name, n in (("train", train), ("t10k", test)):
        kinds = [r.randrange(labels) for _ in range(n)]
        pixels = bytearray()
        for k in kinds:
            pixels += bytes(r.randrange(60) + (150 if (i // side) % labels == k else 0) for i in range(side * side))
        idx(f"{folder}/{name}-images-idx3-ubyte{end}", 0x803, [n, side, side], pixels, compress)
        idx(f"{folder}/{name}-labels-idx1-ubyte{end}", 0x801, [n], kinds, compress)
    return folder


def same(a, b):
    with open(a, "rb") as x, open(b, "rb") as y:
        return x.read() == y.read()


def words():
    fails(2, "no such verb; wanted train", "trian")
    fails(2, "--epochs", "train", "image", "d", "-o", "m", "--epoch", "3")
    fails(2, "no output", "train", "image", "d")
    fails(2, "a whole number from 1", "train", "image", "d", "-o", "m", "--epochs", "0")
    fails(2, "a whole number from 1", "train", "image", "d", "-o", "m", "--epochs", "1.5")
    fails(2, "nothing follows", "train", "image", "d", "-o")
    fails(2, "no such task", "train", "sound", "d", "-o", "m")
    fails(2, "NAME=VALUE", "train", "image", "d", "-o", "m", "--set", "drop")
    fails(2, "wanted a time", "train", "image", "d", "-o", "m", "--time-limit", "5x")
    fails(2, "wanted cotan evaluate MODEL DIR", "evaluate", "m")
    fails(2, "no such preset", "presets", "cn")
    fails(2, "no such net", "bench", "cnnn")
    fails(2, "wanted a shape", "plan", "cnn", "--input", "28x28")
    check("no words: usage on stderr, 2", cotan().returncode == 2)
    for verb in ("train", "evaluate", "predict", "inspect", "plan", "check", "bench", "presets"):
        r = cotan(verb, "--help")
        check(f"{verb} --help", r.returncode == 0 and r.stdout.startswith("usage: cotan " + verb), r.stdout)
    check("--version", cotan("--version").stdout.startswith("cotan "))
    check("--version -v", "oneDNN" in cotan("--version", "-v").stdout)
    check("the man page", cotan("man").stdout.startswith(".TH COTAN 1"))
    check("completion", "complete -o filenames -F _cotan cotan" in cotan("completion").stdout)
    check("presets", "cnn" in cotan("presets").stdout and "conv2d" in cotan("presets", "cnn").stdout)


def training(d):
    model = f"{d}/m.safetensors"
    data = data_set(f"{d}/data")
    base = ("train", "image", data, "--model", "cnn", "--set", "width=4", "--set", "hidden=8", "--epochs", "2", "--batch", "32", "--seed", "7")
    r = cotan(*base, "-o", model)
    check("train", r.returncode == 0 and r.stdout == "" and "best" in r.stderr, (r.returncode, r.stderr))
    check("its files", all(os.path.exists(f"{d}/m.run/{n}") for n in ("config.json", "metrics.jsonl", "checkpoint.safetensors")), os.listdir(d))
    r = cotan("evaluate", model, data)
    check("evaluate", r.returncode == 0 and r.stdout.splitlines()[-1].startswith("test accuracy: ") and r.stdout.endswith(" %\n"), r.stdout)
    v = json.loads(cotan("evaluate", model, data, "--json").stdout)
    check("evaluate --json", v["samples"] == 60 and 0 <= v["accuracy"] <= 1 and len(v["confusion"]) == 3, v)
    check("the same numbers", f"{v['accuracy'] * 100:.1f} %" in r.stdout.splitlines()[-1], (v, r.stdout))
    r = cotan("predict", model, f"{data}/t10k-images-idx3-ubyte", "--limit", "5", "--top", "2")
    check("predict", r.returncode == 0 and len(r.stdout.splitlines()) == 5 and len(r.stdout.splitlines()[0].split("\t")) == 5, r.stdout)
    lines = cotan("predict", model, f"{data}/t10k-images-idx3-ubyte", "--json").stdout.splitlines()
    check("predict --json", len(lines) == 60 and json.loads(lines[59])["record"] == 59, lines[-1:])
    check("inspect", "conv1.weight" in cotan("inspect", model).stdout and json.loads(cotan("inspect", model, "--json").stdout)["task"] == "image")
    check("plan", "conv2d+relu" in cotan("plan", model, "--repeats", "2").stdout and json.loads(cotan("plan", model, "--train", "--json", "--repeats", "1").stdout)["steps"])
    check("plan --dot", cotan("plan", model, "--dot").stdout.startswith("digraph"))
    fails(2, "exists", *base, "-o", model)
    r = cotan(*base, "-o", model, "--resume")
    check("--resume of what is finished", r.returncode == 0 and "nothing to do" in r.stderr, r.stderr)
    shutil.copy(model, f"{d}/first")
    r = cotan(*base, "-o", model, "--force", "--threads", "3")
    check("--force, other threads, the same bytes", r.returncode == 0 and same(model, f"{d}/first"), r.stderr)
    shutil.rmtree(f"{d}/m.run")
    r = cotan("train", "image", data_set(f"{d}/gz", compress=True), *base[3:], "-o", f"{d}/z.safetensors")
    check("gzip data, the same bytes", r.returncode == 0 and same(f"{d}/z.safetensors", f"{d}/first"), r.stderr)
    r = cotan("train", "image", data, "-o", f"{d}/c.safetensors", "--config", f"{d}/z.run/config.json", "--set", "width=4", "--set", "hidden=8")
    check("--config repeats a run", r.returncode == 0 and same(f"{d}/c.safetensors", f"{d}/first"), r.stderr)
    r = cotan(*base, "-o", f"{d}/i.safetensors", "--init", model)
    check("--init", r.returncode == 0 and not same(f"{d}/i.safetensors", f"{d}/first"), r.stderr)
    r = cotan(*base, "-o", f"{d}/n.safetensors", "--dry-run")
    check("--dry-run writes nothing", r.returncode == 0 and not os.path.exists(f"{d}/n.safetensors") and not os.path.exists(f"{d}/n.run"), os.listdir(d))
    shuffled = data_set(f"{d}/shuffled")
    labels = f"{shuffled}/t10k-labels-idx1-ubyte"
    with open(labels, "rb") as f:
        raw = f.read()
    with open(labels, "wb") as f:
        f.write(raw[:8] + raw[8:][::-1])
    r = cotan("train", "image", shuffled, *base[3:], "-o", f"{d}/h.safetensors")
    check("other test labels change no byte of the model", r.returncode == 0 and same(f"{d}/h.safetensors", f"{d}/first"), r.stderr)
    v = json.loads(cotan(*base, "-o", f"{d}/j.safetensors", "--json", "--quiet").stdout)
    check("train --json", v["epochs"] == 2 and v["model"].endswith("j.safetensors"), v)
    return data, base, model


def interrupted(d, data):
    words = ("train", "image", data, "-o", f"{d}/s.safetensors", "--set", "width=8", "--epochs", "60", "--batch", "8", "--checkpoint-every", "7")
    p = subprocess.Popen([COTAN, *words], stderr=subprocess.PIPE, text=True)
    while not os.path.exists(f"{d}/s.run/checkpoint.safetensors") and p.poll() is None:
        time.sleep(0.01)
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=120)
    check("Ctrl-C: 130, saved, says how to go on", p.returncode == 130 and "--resume" in err and "saved" in err, (p.returncode, err))
    check("no model yet", not os.path.exists(f"{d}/s.safetensors"))
    fails(2, "holds an unfinished run", *words)
    fails(2, "as the run was begun", *words[:5], "--resume", "--epochs", "3")
    r = cotan(*words[:5], "--resume")
    check("--resume", r.returncode == 0, r.stderr)
    r = cotan(*words[:4], f"{d}/w.safetensors", *words[5:])
    check("stopped and resumed, or in one go: the same bytes", r.returncode == 0 and same(f"{d}/s.safetensors", f"{d}/w.safetensors"), r.stderr)


def wrong_files(d, data, base, model):
    rest = base[3:]
    fails(4, "", "train", "image", f"{d}/nowhere", *rest, "-o", f"{d}/x.safetensors")
    os.makedirs(f"{d}/empty", exist_ok=True)
    r = cotan("train", "image", f"{d}/empty", *rest, "-o", f"{d}/x.safetensors")
    check("an empty folder", r.returncode in (3, 4) and "wanted" in r.stderr, (r.returncode, r.stderr))
    bad = data_set(f"{d}/bad")
    images = f"{bad}/train-images-idx3-ubyte"
    with open(images, "rb") as f:
        whole = f.read()
    for name, content in (("cut", whole[:-1]), ("long", whole + b"x"), ("magic", b"\x01" + whole[1:]), ("header", whole[:10]), ("nothing", b""),
                          ("huge", whole[:4] + b"\xff\xff\xff\xff" * 3 + whole[16:]), ("gzip", b"\x1f\x8b\x08\x00" + whole[:40])):
        with open(images, "wb") as f:
            f.write(content)
        fails(3, "", "train", "image", bad, *rest, "-o", f"{d}/x.safetensors")
        check(f"{name}: no model, no run left in the way", not os.path.exists(f"{d}/x.safetensors"))
    with open(model, "rb") as f:
        whole = f.read()
    for name, content in (("cut", whole[:-3]), ("empty", b""), ("text", b"hello, world, this is no model"), ("flipped", whole[:-9] + bytes([whole[-9] ^ 64]) + whole[-8:]),
                          ("length", b"\xff" * 8 + whole[8:])):
        with open(f"{d}/damaged.safetensors", "wb") as f:
            f.write(content)
        fails(3, "damaged.safetensors", "evaluate", f"{d}/damaged.safetensors", data)
    fails(4, "", "evaluate", f"{d}/none.safetensors", data)
    other = data_set(f"{d}/other", side=12)
    r = cotan("evaluate", model, other)
    check("pictures of another size", r.returncode in (2, 3) and "12" in r.stderr and "10" in r.stderr, (r.returncode, r.stderr))
    r = cotan("evaluate", f"{d}/none.safetensors", data, "--json")
    v = json.loads(r.stdout)
    check("a failure as JSON", r.returncode == 4 and v["code"] == 4 and "none.safetensors" in v["error"], r.stdout)
    with open("/dev/full", "w") as full:
        r = subprocess.run([COTAN, "presets"], stdout=full, stderr=subprocess.PIPE, text=True)
    check("a full standard output", r.returncode == 4 and "standard output" in r.stderr, (r.returncode, r.stderr))


def main():
    d = tempfile.mkdtemp(prefix="cotan_command_")
    try:
        words()
        data, base, model = training(d)
        interrupted(d, data)
        wrong_files(d, data, base, model)
    finally:
        shutil.rmtree(d, ignore_errors=True)
    print(f"{checks} checks, {failures} failed")
    sys.exit(1 if failures else 0)


main()
