#!/usr/bin/env python3
"""The command from outside: words, streams, files, JSON, resuming.   usage: command.py COTAN SOURCE"""
import json, os, re, shutil, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "outside"))
from common import COTAN, check, data_set, finish

SOURCE = sys.argv[2]
SCORES = {"samples", "loss", "accuracy", "accuracy_ci95", "macro_f1", "log_loss", "ece", "baseline_accuracy"}
SMALL = ("--set", "width=4", "--set", "hidden=8")
with open(f"{SOURCE}/src/cli/verbs.c", encoding="utf-8") as table:
    VERBS = re.findall(r'^    \{"([a-z]+)", ', table.read(), re.M)


def cotan(*words, **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([COTAN, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=240, **more)


def fine(what, r):
    return check(what, r.returncode == 0, (r.returncode, r.stderr))


def fails(status, wanted, *words):
    r = cotan(*words)
    check(f"{words} ends with {status} and says {wanted!r}", r.returncode == status and wanted in r.stderr, (r.returncode, r.stderr))
    check(f"{words} is one line", re.fullmatch(r"cotan: error: [^\n]+: [^\n]+; wanted [^\n]+; [^\n]+\n", r.stderr), r.stderr)
    check(f"{words} writes nothing to stdout", r.stdout == "", r.stdout)


def same(a, b):
    with open(a, "rb") as x, open(b, "rb") as y:
        return x.read() == y.read()


def objects(r):
    return [json.loads(line) for line in r.stdout.splitlines()]


def options_of(text):
    return set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text))


# ---- words ----

def wrong_words():
    fails(2, "no such verb; wanted train", "trian")
    for verb in {"serve", "export", "compare", "generate", "explain", "pca", "translate", "recommend"} - set(VERBS):
        fails(2, f"{verb}: no such verb", verb)
    fails(2, "wanted --epochs", "train", "image", "d", "-o", "m", "--epcohs", "3")
    fails(2, "no output", "train", "image", "d")
    fails(2, "no data", "train", "image", "-o", "m")
    for value in ("0", "1.5", "-5", "x", "1e3", "0x10", " 5"):
        fails(2, "--epochs: " + value + "; wanted a whole number from 1 to 1000000", "train", "image", "d", "-o", "m", "--epochs", value)
    for value in ("nan", "0", "-1", "1e400", "0,01", "inf"):
        fails(2, "--lr: " + value + "; wanted a number", "train", "image", "d", "-o", "m", "--lr", value)
    for value in ("-1", "18446744073709551616", "x"):
        fails(2, "--seed: " + value, "train", "image", "d", "-o", "m", "--seed", value)
    for value in ("0", "1000000"):
        fails(2, "--threads: " + value, "train", "image", "d", "-o", "m", "--threads", value)
    fails(2, "nothing follows", "train", "image", "d", "-o")
    fails(2, "given twice", "train", "image", "d", "-o", "m", "--epochs", "2", "--epochs", "3")
    fails(2, "each NAME once", "train", "image", "d", "-o", "m", "--set", "a=1", "--set", "a=2")
    fails(2, "wanted one of them", "train", "image", "d", "-o", "m", "--resume", "--force")
    fails(2, "a model is no stream", "train", "image", "d", "-o", "-")
    fails(2, "a model is no stream", "pca", "d", "-o", "-")
    fails(2, "two nets", "train", "image", "d", "-o", "m", "--model", "cnn", "--net", "x")
    fails(2, "nearest is adam", "train", "image", "d", "-o", "m", "--optimizer", "adan")
    fails(2, "nearest is resnet20", "train", "image", "d", "-o", "m", "--model", "resnet21")
    fails(2, "no such task; wanted image", "train", "sound", "d", "-o", "m")
    fails(2, "write cotan train image /tmp", "train", "/tmp", "-o", "m")
    fails(2, "no data and no output", "train", "image")
    fails(4, "write cotan evaluate MODEL DIR", "evaluate", "/tmp", "m")
    fails(2, 'check: no op "conv" with cases; wanted conv1d, conv2d', "check", "conv")
    fails(2, 'check: no op "sofmax" with cases; wanted softmax; ', "check", "sofmax")
    fails(3, "a file; wanted the folder of the classes", "train", "image", __file__, "-o", "m", "--quiet")
    fails(2, "NAME=VALUE", "train", "image", "d", "-o", "m", "--set", "drop")
    fails(2, "wanted a time", "train", "image", "d", "-o", "m", "--time-limit", "5x")
    fails(2, "wanted cotan evaluate MODEL DIR", "evaluate", "m")
    fails(2, "no such preset; wanted cnn", "presets", "cn")
    fails(2, "wanted cnn; see cotan presets", "plan", "cnnn")
    fails(2, "no such net", "bench", "cnnn")
    fails(2, "wanted a shape", "plan", "cnn", "--input", "28x28")
    fails(2, "no value", "plan", "cnn", "--train=yes")
    r = cotan("evaluate", "m", "--json")
    check("a wrong word as JSON", r.returncode == 2 and objects(r)[0] == {"error": r.stderr[14:-1], "code": 2, "file": None, "pos": None}, r.stdout)
    r = cotan("evaluate", "--jsn", "--json")
    check("JSON wherever --json stands", r.returncode == 2 and objects(r)[0]["code"] == 2, r.stdout)


def pages():
    check("no words: usage on stderr, 2", cotan().returncode == 2 and cotan().stdout == "")
    check("--help", "usage: cotan VERB" in cotan("--help").stdout and cotan("help").stdout == cotan("--help").stdout)
    check("--version", re.fullmatch(r"cotan \d+\.\d+\.\d+\n", cotan("--version").stdout))
    v = cotan("--version", "-v").stdout
    check("--version -v", re.search(r"CPU features +\w+", v) and "oneDNN" in v and re.search(r"threads +\d+", v), v)
    check("presets", "cnn" in cotan("presets").stdout and "conv2d" in cotan("presets", "cnn").stdout)
    names = [p[:-4] for p in os.listdir(f"{SOURCE}/src/nn/presets") if p.endswith(".net")]
    check("a file of the folder is a preset", sorted(names) == [p["name"] for p in objects(cotan("presets", "--json"))[0]["presets"]])
    with open(f"{SOURCE}/src/cli/options.c", encoding="utf-8") as f:
        rows = {name: re.findall(r'" ([a-z ]*)"', row) for name, row in re.findall(r'^    \{"([a-z-]+)", (.*?)\},$', f.read(), re.M | re.S)}
    check("rows of the table of options", len(rows) > 35, rows)
    check("the verbs of the man page", set(re.findall(r"^\.B cotan (\w+)$", cotan("man").stdout, re.M)) == set(VERBS))
    completion = cotan("completion").stdout
    for verb in VERBS:
        table = {name for name, verbs in rows.items() if name == "help" or verb in verbs[0].split()}
        r = cotan(verb, "--help")
        check(f"{verb} --help", r.stdout.startswith("usage: cotan " + verb) and cotan("help", verb).stdout == r.stdout, r.stdout)
        check(f"{verb} --help has the options of the table", set(re.findall(r"^  (?:-\w,|   ) --([a-z-]+)", r.stdout, re.M)) == table, (r.stdout, table))
        man = cotan("man", verb).stdout
        check(f"cotan man {verb} has them too", set(n.replace("\\-", "-") for n in re.findall(r"^(?:\\fB\\-\w\\fR, )?\\fB\\-\\-([a-z\\-]+)\\fR", man, re.M)) == table, man)
        line = re.search(rf"^        {verb}\) COMPREPLY.*", completion, re.M)
        check(f"completion of {verb} has them too", line and options_of(line.group(0)) == table, line)
        check(f"no blank at a line's end: {verb}", not re.search(r" $", r.stdout, re.M))
        if shutil.which("man"):
            r = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-"], input=man, capture_output=True, text=True)
            check(f"man reads the page of {verb}", r.returncode == 0 and r.stderr == "" and "EXAMPLES" in r.stdout, r.stderr)
    check("completion is bash", subprocess.run(["bash", "-n"], input=completion, text=True).returncode == 0)
    done = subprocess.run(["bash", "-c", 'eval "$(cat)"; COMP_WORDS=(cotan train --optimizer ad); COMP_CWORD=3; _cotan; echo "${COMPREPLY[@]}"'],
                          input=completion, capture_output=True, text=True)
    check("completion knows the values", done.stdout.split() == ["adam", "adamw", "adagrad", "adadelta"], done)


# ---- a training ----

def run_folder(d, r):
    files = set(os.listdir(f"{d}/m.run"))
    check("the files of a run", files == {"config.json", "metrics.jsonl", "validation.jsonl", "checkpoint.safetensors", "previous.safetensors", "report.html", "lock"}, files)
    with open(f"{d}/m.run/metrics.jsonl") as f:
        rows = [json.loads(line) for line in f]
    check("a line an epoch", [row["epoch"] for row in rows] == [1, 2], rows)
    shown = re.findall(r"^ +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) %.*?(best so far|as good)?$", r.stderr, re.M)
    check("one plain line an epoch, as metrics.jsonl has it",
          [(int(s[0]), s[1], s[2], s[4] != "") for s in shown] == [(w["epoch"], f"{w['loss']:.4f}", f"{w['validation_loss']:.4f}", w["best"]) for w in rows], r.stderr)
    check("no colours and no live line where there is no terminal", "\033" not in r.stderr and "\r" not in r.stderr, r.stderr)
    with open(f"{d}/m.run/validation.jsonl") as f:
        lines = [json.loads(line) for line in f]
    check("validation.jsonl", all(set(line) == {"record", "label", "prediction", "loss", "probability"} for line in lines) and len(lines) > 10, lines[:2])
    best = min(rows, key=lambda row: row["validation_loss"])
    mean = sum(line["loss"] for line in lines) / len(lines)
    check("its losses are the best epoch's", abs(mean - best["validation_loss"]) < 1e-6, (mean, best))


def results(d, data, model):
    r = cotan("evaluate", model, data)
    check("evaluate", r.returncode == 0 and re.fullmatch(r"test accuracy: \d+\.\d %", r.stdout.splitlines()[-1]), r.stdout)
    v = objects(cotan("evaluate", model, data, "--json"))[0]
    check("evaluate --json", v["samples"] == 60 and SCORES <= set(v) and v["accuracy_ci95"][0] <= v["accuracy"] <= v["accuracy_ci95"][1], v)
    check("the same numbers", f"{v['accuracy'] * 100:.1f} %" in r.stdout.splitlines()[-1] and len(v["confusion"]) == 3, (v, r.stdout))
    images = f"{data}/t10k-images-idx3-ubyte"
    lines = objects(cotan("predict", model, images, "--json"))
    check("predict --json", len(lines) == 60 and all(set(p) == {"path", "index", "label", "probability", "top"} for p in lines), lines[-1:])
    check("its values", lines[59]["index"] == 59 and lines[0]["path"] == images and lines[0]["label"] in "012" and 0 < lines[0]["probability"] <= 1, lines[-1])
    with open(f"{data}/t10k-labels-idx1-ubyte", "rb") as f:
        labels = f.read()[8:]
    right = sum(p["label"] == str(y) for p, y in zip(lines, labels))
    check("predict and evaluate agree", right == round(v["accuracy"] * 60), (right, v))
    r = cotan("predict", model, images, "--limit", "5", "--top", "2")
    check("predict", len(r.stdout.splitlines()) == 5 and len(r.stdout.splitlines()[0].split("\t")) == 5, r.stdout)
    top = objects(cotan("predict", model, images, "--limit", "1", "--top", "2", "--json"))[0]["top"]
    check("--top", len(top) == 2 and top[0]["label"] == lines[0]["label"] and top[0]["probability"] >= top[1]["probability"], top)
    with open(images, "rb") as f:
        piped = objects(cotan("predict", model, "-", "--json", stdin=f))
    check("- is standard input", [p["probability"] for p in piped] == [p["probability"] for p in lines] and piped[0]["path"] == "-", piped[:1])
    check("inspect", all(w in cotan("inspect", model).stdout for w in ("conv1.weight", "task               image", "param width = 4", "accuracy")))
    v = objects(cotan("inspect", model, "--json"))[0]
    check("inspect --json", v["task"] == "image" and {"name": "conv1.weight", "dtype": "f32", "shape": [4, 1, 3, 3]}.items() <= v["tensors"][0].items(), v)
    flat = cotan("inspect", model, "--flat").stdout
    check("inspect --flat has no param", "conv2d(" in flat and "param" not in flat and "width" not in flat, flat)
    v = objects(cotan("plan", model, "--batch", "64", "--json", "--repeats", "2"))[0]
    check("plan --json", {"peak_bytes", "shards", "ops"} <= set(v) and v["peak_bytes"] > 0 and v["shards"] >= 1, v)
    check("its ops", all({"op", "name", "shape", "layout", "impl", "bytes", "ms", "gflops"} <= set(o) for o in v["ops"]) and v["ops"][0]["op"], v["ops"][0])
    check("no reference implementation", not [o for o in v["ops"] if "ref" in o["impl"]], v["ops"])
    check("plan", "conv2d+relu" in cotan("plan", model, "--repeats", "2").stdout and cotan("plan", model, "--dot").stdout.startswith("digraph"))
    fails(2, "net is fixed", "plan", model, "--input", "3x32x32")
    r = cotan("plan", "mobile", "--train", "--set", "width=1", "--batch", "8", "--repeats", "3")
    check("plan of a net with many batch norms", r.returncode == 0 and "\nbatch 8 in " in r.stdout, r.stderr)
    fails(2, "--delimiter: ", "predict", model, images, "--delimiter", ";")
    fails(2, "--follow-links: ", "inspect", model, "--follow-links")
    fails(2, "--flat: ", "inspect", data, "--flat")


def training(d):
    model = f"{d}/m.safetensors"
    data = data_set(f"{d}/data")
    base = ("train", "image", data, "--model", "cnn", *SMALL, "--epochs", "2", "--batch", "32", "--seed", "7")
    r = cotan(*base, "-o", model)
    fine("train", r)
    check("nothing on stdout, what comes next on stderr", r.stdout == "" and f"cotan evaluate {model} {data}" in r.stderr, (r.stdout, r.stderr))
    run_folder(d, r)
    results(d, data, model)
    fails(2, "exists", *base, "-o", model)
    r = cotan(*base, "-o", model, "--dry-run")
    check("a dry run beside a model: that it is there", r.returncode == 0 and f"{model} exists" in r.stderr and "nothing is written" in r.stderr, r)
    os.makedirs(f"{d}/begun.run")
    shutil.copy(f"{d}/m.run/config.json", f"{d}/begun.run")
    fails(2, "holds an unfinished run", *base, "-o", f"{d}/begun.safetensors")
    os.remove(f"{d}/begun.run/lock")
    r = cotan(*base, "-o", f"{d}/begun.safetensors", "--dry-run")
    check("a dry run beside an unfinished run", r.returncode == 0 and "holds an unfinished run" in r.stderr and os.listdir(f"{d}/begun.run") == ["config.json"], r)
    r = cotan(*base, "-o", model, "--force", "--threads", "3", "--quiet")
    check("--force, other threads, the same bytes, --quiet", r.returncode == 0 and r.stderr == "" and same(model, f"{d}/m.safetensors"), r.stderr)
    shutil.copy(model, f"{d}/first")
    r = cotan("train", "image", data_set(f"{d}/gz", compress=True), *base[3:], "-o", f"{d}/z.safetensors")
    check("gzip data, the same bytes", r.returncode == 0 and same(f"{d}/z.safetensors", f"{d}/first"), r.stderr)
    r = cotan("train", "image", data, "-o", f"{d}/c.safetensors", "--config", f"{d}/z.run/config.json")
    check("--config repeats a run", r.returncode == 0 and same(f"{d}/c.safetensors", f"{d}/first"), r.stderr)
    with open(f"{d}/z.run/config.json") as f:
        words = json.load(f)["command"].replace(f"{d}/z.safetensors", f"{d}/y.safetensors")
    r = subprocess.run(["bash", "-c", words.replace("cotan", COTAN, 1)], capture_output=True, text=True)
    check("the command in config.json repeats it", r.returncode == 0 and same(f"{d}/y.safetensors", f"{d}/first"), (words, r.stderr))
    r = cotan(*base, "-o", f"{d}/i.safetensors", "--init", model)
    check("--init", r.returncode == 0 and not same(f"{d}/i.safetensors", f"{d}/first"), r.stderr)
    r = cotan("train", "image", data, "-o", f"{d}/huge.safetensors", *SMALL, "--epochs", "1", "--batch", "16777216", "--json", "--quiet")
    check("a batch takes memory for the records there are", r.returncode == 0 and objects(r)[0]["steps"] == 1, (r.stdout, r.stderr))
    r = cotan(*base, "-o", f"{d}/n.safetensors", "--dry-run")
    check("--dry-run writes nothing", r.returncode == 0 and not os.path.exists(f"{d}/n.safetensors") and not os.path.exists(f"{d}/n.run"), os.listdir(d))
    r = cotan("train", "image", data, *SMALL, "--time-limit", "60s", "-o", f"{d}/n.safetensors", "--dry-run")
    check("--dry-run does not tell what a time limit would decide", r.returncode == 0 and "as 60 s allow" in r.stderr and "average of weights" not in r.stderr, r.stderr)
    shuffled = data_set(f"{d}/shuffled")
    labels = f"{shuffled}/t10k-labels-idx1-ubyte"
    with open(labels, "rb") as f:
        raw = f.read()
    with open(labels, "wb") as f:
        f.write(raw[:8] + raw[8:][::-1])
    r = cotan("train", "image", shuffled, *base[3:], "-o", f"{d}/h.safetensors")
    check("other test labels change no byte of the model", r.returncode == 0 and same(f"{d}/h.safetensors", f"{d}/first"), r.stderr)
    r = cotan(*base, "-o", f"{d}/j.safetensors", "--json", "--quiet")
    v = objects(r)[0]
    check("train --json", {"model", "run", "epochs", "steps", "seconds", "metrics"} <= set(v) and (v["epochs"], v["model"], v["run"]) == (2, f"{d}/j.safetensors", f"{d}/j.run"), v)
    check("its metrics are the validation part's", SCORES <= set(v["metrics"]) and v["metrics"]["best_epoch"] in (1, 2) and r.stderr == "", v)
    again = objects(cotan("train", "image", data, "-o", f"{d}/j.safetensors", "--json", "--resume"))[0]
    check("the same from a finished run", again["metrics"]["accuracy"] == v["metrics"]["accuracy"] and (again["epochs"], again["steps"], again["finished_before"]) == (2, v["steps"], True), again)
    return data, base, model


def config_files(d, data):
    def config(text):
        with open(f"{d}/o.json", "w") as f:
            f.write(text)
        return ("train", "image", data, "-o", f"{d}/o.safetensors", "--config", f"{d}/o.json")

    r = cotan(*config('{"epochs": 1, "set": {"width": 4, "hidden": 8}, "optimizer": "sgd", "label_smoothing": 0.1}'), "--epochs", "2", "--json", "--quiet")
    check("options from a file, those of the command line first", r.returncode == 0 and objects(r)[0]["epochs"] == 2, (r.stdout, r.stderr))
    v = objects(cotan("inspect", f"{d}/o.safetensors", "--json"))[0]
    check("and they were taken", v["recipe"]["optimizer"] == "sgd" and v["recipe"]["label_smoothing"] == 0.1 and "param width = 4" in v["net"], v["recipe"])
    fine("a run's config.json", cotan("train", "image", data, "-o", f"{d}/cc.safetensors", "--config", f"{d}/o.run/config.json", "--quiet"))
    with open(f"{d}/cc.run/config.json") as f:
        again = json.load(f)["command"].replace(f"{d}/cc.safetensors", f"{d}/cd.safetensors")
    r = subprocess.run(["bash", "-c", again.replace("cotan", COTAN, 1) + " --quiet"], capture_output=True, text=True)
    check("its command has the net, too", r.returncode == 0 and same(f"{d}/cc.safetensors", f"{d}/cd.safetensors") and same(f"{d}/o.safetensors", f"{d}/cc.safetensors"), (again, r.stderr))
    os.remove(f"{d}/o.safetensors")
    shutil.rmtree(f"{d}/o.run")
    fails(2, "o.json:2:2: epcohs: no such option of cotan train; wanted epochs", *config('{"lr": 0.1,\n "epcohs": 3}'))
    fails(2, "o.json:1:", *config('{"epochs": 3, "epochs": 4}'))
    fails(2, "o.json:1:", *config('{"epochs": 3,}'))
    fails(2, "o.json: epochs: -1; wanted", *config('{"epochs": -1}'))
    fails(2, "wanted a number or a text", *config('{"epochs": [1]}'))
    fails(5, "wanted at most", *config('{"net": "' + "x" * (2 << 20) + '"}'))
    fails(5, "too deep", *config("[" * 100000))
    fails(4, f"--config {d}/none.json", "train", "image", data, "-o", f"{d}/o.safetensors", "--config", f"{d}/none.json")


# ---- stopping and going on ----

def interrupted(d, data):
    words = ("train", "image", data, "-o", f"{d}/s.safetensors", "--set", "width=8", "--epochs", "60", "--batch", "8", "--checkpoint-every", "7")
    p = subprocess.Popen([COTAN, *words], stderr=subprocess.PIPE, text=True)
    while not os.path.exists(f"{d}/s.run/checkpoint.safetensors") and p.poll() is None:
        time.sleep(0.01)
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=120)
    check("Ctrl-C: 130, saved, says how to go on", p.returncode == 130 and f"cotan train image {data} -o {d}/s.safetensors --resume" in err and "saved" in err, (p.returncode, err))
    check("no model yet", not os.path.exists(f"{d}/s.safetensors"))
    fails(2, "holds an unfinished run", *words)
    resume = (*words[:5], "--resume")
    for option, value, stored in (("--epochs", 3, "60"), ("--seed", 1, "0"), ("--batch", 16, "8"), ("--lr", 0.5, "0.002"), ("--optimizer", "sgd", "adam"),
                                  ("--schedule", "cosine", "one_cycle"), ("--weight-decay", 0.1, "0.05"), ("--patience", 3, "30"), ("--limit", 30, "0"),
                                  ("--set", "width=9", "8"), ("--model", "mlp", "cnn"), ("--transform", "flip p=0.5", "normalize"), ("--steps", 7, "27")):
        r = cotan(*resume, option, value)
        check(f"--resume {option} {value}: 2, and both values", r.returncode == 2 and f"{option}: " in r.stderr and str(value).split("=")[-1] in r.stderr and f"; wanted {stored}" in r.stderr, r.stderr)
    fails(2, "wanted one of them", *resume, "--force")
    p = subprocess.Popen([COTAN, *resume, "--threads", "3"], stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    p.send_signal(signal.SIGTERM)
    _, err = p.communicate(timeout=120)
    check("SIGTERM: 143, saved", (p.returncode == 143 and "saved" in err) or p.returncode == 0, (p.returncode, err))
    r = cotan(*words, "--resume", "--threads", "1")
    fine("--resume with the same options, other threads", r)
    r = cotan(*words[:4], f"{d}/w.safetensors", *words[5:])
    check("stopped and resumed, or in one go: the same bytes", r.returncode == 0 and same(f"{d}/s.safetensors", f"{d}/w.safetensors"), r.stderr)
    r = cotan("train", "image", "-o", f"{d}/s.safetensors", "--resume")
    check("a finished run is left alone, the folder of data not needed", r.returncode == 0 and "nothing to do" in r.stderr and same(f"{d}/s.safetensors", f"{d}/w.safetensors"), r.stderr)
    fails(2, "--epochs: 3; wanted 60", *resume, "--epochs", "3")
    shutil.rmtree(f"{d}/s.run")
    r = cotan(*resume)
    check("a finished model without its run", r.returncode == 0 and "nothing to do" in r.stderr and not os.path.exists(f"{d}/s.run"), (r.stderr, os.listdir(d)))
    shutil.copy(f"{data}/t10k-labels-idx1-ubyte", f"{d}/t.safetensors")
    r = cotan(*words[:4], f"{d}/t.safetensors", "--resume")
    check("a file that is no model is not replaced by --resume", r.returncode in (2, 3) and same(f"{data}/t10k-labels-idx1-ubyte", f"{d}/t.safetensors"), r.stderr)
    r = cotan(*words[:4], f"{d}/u.safetensors", *SMALL, "--epochs", "1", "--resume")
    check("--resume with nothing saved begins, and says so", r.returncode == 0 and "from the beginning" in r.stderr, r.stderr)
    fails(2, "no run to resume", "train", "image", "-o", f"{d}/v.safetensors", "--resume")


def first_weights(d, data, model):
    """Killed before the first checkpoint: the weights to begin with are read again, the validation part is remembered."""
    words = ("train", "image", data, "-o", f"{d}/k.safetensors", *SMALL, "--epochs", "2", "--init", model, "--validate", f"{d}/gz", "--seed", "0")
    fine("--validate and --init", cotan(*words))
    shutil.copy(f"{d}/k.safetensors", f"{d}/k.first")
    for name in ("k.safetensors", "k.run/checkpoint.safetensors", "k.run/previous.safetensors", "k.run/metrics.jsonl", "k.run/validation.jsonl"):
        os.remove(f"{d}/{name}")
    fails(2, "--seed: 7; wanted 0", *words[:5], "--resume", "--seed", "7")
    r = cotan("train", "image", "-o", f"{d}/k.safetensors", "--resume")
    check("all of it from config.json", r.returncode == 0 and "nothing was saved yet" in r.stderr and same(f"{d}/k.safetensors", f"{d}/k.first"), r.stderr)
    fails(2, "--init: ", *words[:5], "--resume", "--init", f"{d}/i.safetensors")
    r = cotan(*words, "--resume")
    fine("the same options, --seed 0 among them", r)
    v = objects(cotan("inspect", f"{d}/k.safetensors", "--json"))[0]
    check("--validate leaves the training part whole", v["data"]["validation_given"] is True and v["metrics"]["samples"] == 400, v["metrics"])


def limited(d, data):
    words = ("train", "image", data, "-o", f"{d}/l.safetensors", *SMALL, "--batch", "16", "--time-limit", "2s", "--json", "--quiet")
    begin = time.monotonic()
    r = cotan(*words)
    fine("--time-limit", r)
    check("it is kept, within what a busy machine may add", time.monotonic() - begin < 60, time.monotonic() - begin)
    with open(f"{d}/l.run/config.json") as f:
        config = json.load(f)
    check("the steps stand in the run", config["recipe"]["steps"] >= objects(r)[0]["steps"] > 0 and "--time-limit" not in config["command"], config)
    again = config["command"].replace(f"{d}/l.safetensors", f"{d}/a.safetensors")
    r = subprocess.run(["bash", "-c", again.replace("cotan", COTAN, 1)], capture_output=True, text=True)
    check("with them the run repeats, bit by bit", r.returncode == 0 and same(f"{d}/l.safetensors", f"{d}/a.safetensors"), (again, r.stderr))
    check("no limit in the model", "time" not in json.dumps(objects(cotan("inspect", f"{d}/l.safetensors", "--json"))[0]["recipe"]))
    words = ("train", "image", data, *SMALL, "--batch", "16", "--epochs", "3")
    r = cotan(*words, "--stop-at", "30", "-o", f"{d}/b.safetensors", "--json", "--quiet")
    check("--stop-at in mid-epoch", r.returncode == 0 and objects(r)[0]["steps"] == 30 and objects(r)[0]["epochs"] == 2, (r.stdout, r.stderr))
    r = cotan(*words[:-2], "--steps", "30", "-o", f"{d}/e.safetensors", "--json", "--quiet")
    check("--steps alone sets the epochs", r.returncode == 0 and (objects(r)[0]["steps"], objects(r)[0]["epochs"]) == (30, 2), (r.stdout, r.stderr))
    fails(2, "wanted at most", *words, "--steps", "3000", "-o", f"{d}/x.safetensors", "--quiet")


def honest(d):
    """A folder without a test part: a tenth of it is kept for the test, and evaluate finds it again."""
    data = data_set(f"{d}/whole", train=600)
    for kind in ("images-idx3", "labels-idx1"):
        os.remove(f"{data}/t10k-{kind}-ubyte")
    base = ("train", "image", data, *SMALL, "--epochs", "1", "--quiet")
    fine("train", cotan(*base, "-o", f"{d}/p.safetensors"))
    parts = {p: objects(cotan("evaluate", f"{d}/p.safetensors", data, "--part", p, "--json"))[0]["samples"] for p in ("train", "validation", "test", "all")}
    check("three parts make the whole", parts["train"] + parts["validation"] + parts["test"] == parts["all"] == 600 and 30 < parts["test"] < 100, parts)
    r = cotan("evaluate", f"{d}/p.safetensors", data, "--json")
    check("evaluate reads the test part, and says so", objects(r)[0]["part"] == "test" and objects(r)[0]["samples"] == parts["test"] and "kept for the test" in r.stderr, r.stderr)
    r = cotan("evaluate", f"{d}/p.safetensors", data, "--limit", "20", "--json")
    check("--limit takes the first of that part", (objects(r)[0]["part"], objects(r)[0]["samples"]) == ("test", 20) and "kept for the test" in r.stderr, r.stdout)
    fine("train on a part", cotan(*base, "--limit", "300", "-o", f"{d}/q.safetensors"))
    r = cotan("evaluate", f"{d}/q.safetensors", data, "--json")
    check("and of the records that --limit took", objects(r)[0]["part"] == "test" and objects(r)[0]["samples"] < 60, r.stdout)
    fine("train with --validate", cotan(*base, "--validate", f"{d}/gz", "-o", f"{d}/r.safetensors"))
    v = objects(cotan("evaluate", f"{d}/r.safetensors", data, "--json"))[0]
    check("with --validate the same test part", v["part"] == "test" and v["samples"] == parts["test"], v)
    fails(2, "wanted that folder", "evaluate", f"{d}/r.safetensors", data, "--part", "validation")
    r = cotan("evaluate", f"{d}/p.safetensors", data_set(f"{d}/new", train=50, seed=5), "--part", "all", "--json")
    check("other data: all of it", r.returncode == 0 and objects(r)[0]["part"] == "all", r.stderr)
    os.makedirs(f"{d}/alone")
    for kind in ("images-idx3", "labels-idx1"):
        shutil.copy(f"{d}/data/train-{kind}-ubyte", f"{d}/alone")
    r = cotan("evaluate", f"{d}/first", f"{d}/alone", "--json")
    check("the records trained on, alone: it says so", r.returncode == 0 and "says nothing about new ones" in r.stderr, r.stderr)


def debugging(d, data, model):
    """CT_DEBUG's ladder and CT_TRAP, as docs/tour.md has them; neither changes a bit."""
    kinds = ("run: ", "step ", "place: ", "value: ")
    plain = cotan("predict", model, f"{data}/t10k-images-idx3-ubyte", "--limit", "2").stdout
    for level in (1, 2, 3, 4):
        r = cotan("predict", model, f"{data}/t10k-images-idx3-ubyte", "--limit", "2", env={**os.environ, "CT_DEBUG": str(level)})
        seen = [any(line.startswith(k) for line in r.stderr.splitlines()) for k in kinds]
        check(f"CT_DEBUG={level} tells what the levels up to it tell", r.returncode == 0 and r.stdout == plain and seen == [i < level for i in range(4)], (seen, r.stderr[:300]))
    words = ("train", "image", data, *SMALL, "--epochs", "1", "--lr", "1e12", "--schedule", "constant", "--quiet", "-o", f"{d}/trap.safetensors")
    for trap in ("0", "1"):
        r = cotan(*words, env={**os.environ, "CT_TRAP": trap})
        check(f"CT_TRAP={trap}: 6, and the op and the step are named", r.returncode == 6 and re.search(r'"fc\d".*at step \d+; wanted finite numbers', r.stderr), (r.returncode, r.stderr))
        shutil.rmtree(f"{d}/trap.run", ignore_errors=True)


def streams(model, data):
    with open("/dev/full", "w") as full:
        for words in (("presets",), ("evaluate", model, data), ("inspect", model, "--json"), ("train", "--help"), ("man",)):
            r = subprocess.run([COTAN, *words], stdout=full, stderr=subprocess.PIPE, text=True)
            check(f"{words}: a full standard output is status 4", r.returncode == 4 and "standard output" in r.stderr, (r.returncode, r.stderr))
    r = subprocess.run(["bash", "-c", 'set -o pipefail; "$0" predict "$1" "$2" | head -1; exit ${PIPESTATUS[0]}', COTAN, model, f"{data}/train-images-idx3-ubyte"],
                       capture_output=True, text=True)
    check("head reads one line: nothing is said", r.stderr == "" and r.stdout.startswith("0\t") and r.returncode in (0, 4), (r.returncode, r.stderr))
    for locale in ("C", "de_DE.UTF-8", "tr_TR.UTF-8"):
        r = cotan("evaluate", model, data, "--json", env={"LC_ALL": locale, "TMPDIR": "/none"})
        check(f"no HOME, {locale}", r.returncode == 0 and objects(r)[0]["samples"] == 60, r.stderr)


def main():
    d = tempfile.mkdtemp(prefix="cotan_command_")
    try:
        wrong_words()
        pages()
        data, base, model = training(d)
        config_files(d, data)
        interrupted(d, data)
        first_weights(d, data, model)
        limited(d, data)
        honest(d)
        debugging(d, data, model)
        streams(model, data)
    finally:
        shutil.rmtree(d, ignore_errors=True)
    finish()


main()
