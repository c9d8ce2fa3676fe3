#!/usr/bin/env python3
"""Training on a folder of JPEGs, from files to weights: cotan beside PyTorch with Pillow and a DataLoader.

usage: folder.py [--cotan PATH] [--python PATH] [--pictures N] [--epochs N] [--rounds N] [--threads N] [--scratch DIR] [--json]

Makes a folder of N textured JPEGs (256x256, quality 90, ten classes, fixed seed) with a small validation and
test part, unless it stands there already, and trains the preset `cnn` at 64x64 on it, batch 64, Adam, f32. In
every round each side runs once, alone. The pace of an epoch is training pictures by the time from the end of the
epoch before to its end, validation included. The first epoch of cotan begins with the start of its process, so it
holds the audit and the one pass that decodes; that of PyTorch begins after its imports. Of PyTorch the fastest of
several settings (workers 0, 1, 2; torch threads; memory format) is taken, found on a part of the folder.
`--python` is an interpreter that has torch (CPU), numpy and Pillow. The files are in the system's page cache.
"""
import argparse, json, os, re, shutil, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TRANSFORM = "resize 64x64, flip 0.5, normalize mean=0.5:0.5:0.5 std=0.25:0.25:0.25"


def cotan(a, data):
    """Seconds from the start to the end of each epoch, by the rows as they are printed."""
    out = os.path.join(a.scratch, "folder-bench.safetensors")
    shutil.rmtree(out[: -len(".safetensors")] + ".run", ignore_errors=True)
    command = [os.path.abspath(a.cotan), "train", "image", data, "-o", out, "--force", "--model", "cnn", "--transform", TRANSFORM,
               "--threads", str(a.threads), "--epochs", str(a.epochs), "--batch", "64", "--lr", "1e-3", "--schedule", "constant", "--json"]
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends, text = [], ""
    for line in child.stderr:
        text += line
        if re.match(r"\s+\d+\s+[\d.]+\s+[\d.]+\s+[\d.]+ %", line):
            ends.append(time.perf_counter() - begin)
    report = child.stdout.read()
    if child.wait() or len(ends) != a.epochs:
        sys.exit(f"{' '.join(command)}: exit status {child.returncode}\n{text[-2000:]}")
    rows = [json.loads(line) for line in open(out[: -len(".safetensors")] + ".run/metrics.jsonl")]
    if len(rows) != a.epochs:
        sys.exit(f"metrics.jsonl: {len(rows)} rows; wanted {a.epochs}")
    return {"ends": ends, "loss": [r["loss"] for r in rows], "accuracy": json.loads(report)["metrics"]["accuracy"]}


def peer(a, *more):
    done = subprocess.run([a.python, os.path.join(HERE, "torch_folder_peer.py"), *map(str, more)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"torch_folder_peer.py {more}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def choose(a, data):
    """The setting with the fastest second epoch on the first few hundred pictures."""
    best = None
    for threads in sorted({1, a.threads}):
        for workers in (0, 1, 2):
            for form in ("contiguous", "channels_last"):
                ends = peer(a, "train", data, "--epochs", 2, "--workers", workers, "--threads", threads, "--format", form, "--limit", a.trial)["ends"]
                took = ends[1] - ends[0]
                if not a.json:
                    print(f"  trial: {workers} workers, {threads} torch threads, {form}: {min(a.trial, a.pictures) / took:.0f} pictures/s", flush=True)
                if best is None or took < best[0]:
                    best = took, ["--workers", workers, "--threads", threads, "--format", form]
    return best[1]


def pace(ends, pictures):
    spans = [b - a for a, b in zip([0] + ends, ends)]
    return pictures / spans[0], pictures * (len(spans) - 1) / sum(spans[1:])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cotan", default=os.path.join(HERE, "..", "build", "release", "cotan"))
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--pictures", type=int, default=20000)
    p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--trial", type=int, default=1280, help="pictures for the choice of PyTorch's setting")
    p.add_argument("--setting", help='of PyTorch, such as "1 2 channels_last": workers, torch threads, format; default: the fastest')
    p.add_argument("--scratch", default=os.path.join(tempfile.gettempdir(), "cotan-folder-bench"))
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    if a.epochs < 2:
        p.error("--epochs: wanted at least 2")
    os.makedirs(a.scratch, exist_ok=True)
    data = os.path.join(a.scratch, f"jpeg-{a.pictures}")
    peer(a, "make", data, "--pictures", a.pictures)
    setting = [w for pair in zip(("--workers", "--threads", "--format"), a.setting.split()) for w in pair] if a.setting else choose(a, data)
    paces = {"cotan": [], "torch": []}
    for turn in range(a.rounds):
        for side in paces:
            r = cotan(a, data) if side == "cotan" else peer(a, "train", data, "--epochs", a.epochs, *setting)
            paces[side].append(pace(r["ends"], a.pictures))
            if not a.json:
                print(f"round {turn + 1} {side:5s}: first epoch {paces[side][-1][0]:.0f} pictures/s, later {paces[side][-1][1]:.0f}; "
                      f"loss {' '.join('%.4f' % x for x in r['loss'])}, validation accuracy {r['accuracy']:.3f}", flush=True)
    middle = lambda side, k: statistics.median(x[k] for x in paces[side])
    result = {"pictures": a.pictures, "threads": a.threads, "rounds": a.rounds, "setting": " ".join(map(str, setting)),
              "cotan_first": middle("cotan", 0), "torch_first": middle("torch", 0), "ratio_first": middle("cotan", 0) / middle("torch", 0),
              "cotan_later": middle("cotan", 1), "torch_later": middle("torch", 1), "ratio_later": middle("cotan", 1) / middle("torch", 1)}
    if a.json:
        print(json.dumps(result))
    else:
        print("PyTorch with {setting}\nfirst epoch: cotan {cotan_first:.0f} pictures/s, PyTorch {torch_first:.0f}: {ratio_first:.2f}x\n"
              "later:       cotan {cotan_later:.0f} pictures/s, PyTorch {torch_later:.0f}: {ratio_later:.2f}x".format(**result))


if __name__ == "__main__":
    main()
