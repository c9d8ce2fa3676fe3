#!/usr/bin/env python3
"""What evaluate and predict say of a model's certainty, of single classes, layers and neighbours, recomputed here from what
predict prints."""
import math
from common import *

FOLDER = scratch("evaluate")
MODEL = f"{FOLDER}/m.safetensors"
DATA = data_set(f"{FOLDER}/data", train=900, test=300, seed=11)
IMAGES = f"{DATA}/t10k-images-idx3-ubyte"


def doubt(path, seed):
    """One label in four is any of the three, so that nothing is certain."""
    r, raw = random.Random(seed), bytearray(read(path))
    for i in range(8, len(raw)):
        if r.randrange(4) == 0:
            raw[i] = r.randrange(3)
    write(path, bytes(raw))


doubt(f"{DATA}/train-labels-idx1-ubyte", 1)
doubt(f"{DATA}/t10k-labels-idx1-ubyte", 2)
LABELS = [str(b) for b in read(f"{DATA}/t10k-labels-idx1-ubyte")[8:]]


def objects(*words, status=0):
    r = cotan(*words)
    check(f"{words}: status {status}", r.status == status, r)
    return [json.loads(line) for line in r.out.splitlines()]


def near(a, b, tolerance=1e-9):
    return a is not None and b is not None and abs(a - b) <= tolerance


def train():
    for name, more in (("m", ("--epochs", "5")), ("again", ("--epochs", "5", "--threads", "3"))):
        r = cotan("train", "image", DATA, "--net", small_net(FOLDER), "--batch", "16", "--lr", "0.01", "--seed", "4", "--quiet", "-o", f"{FOLDER}/{name}.safetensors", *more)
        check("train", r.status == 0, r)
    check("the calibration too has the same bytes with any threads", same(MODEL, f"{FOLDER}/again.safetensors"))


def wilson(share, n):
    z = 1.959963984540054
    centre, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


def figures():
    """Every figure of evaluate --json from the lines of predict --json and the labels."""
    v = objects("evaluate", MODEL, DATA, "--json", "--coverage", "0.9", "--top", "2")[0]
    lines = objects("predict", MODEL, IMAGES, "--json", "--coverage", "0.9", "--unsure", "0.8")
    n = len(lines)
    p = [{t["label"]: t["probability"] for t in line["top"]} for line in lines]
    right = [line["label"] == y for line, y in zip(lines, LABELS)]
    check("accuracy", n == 300 and near(v["accuracy"], sum(right) / n) and near(v["micro_f1"], v["accuracy"]), v)
    check("log loss of the probabilities shown", near(v["log_loss_calibrated"], -sum(math.log(q[y]) for q, y in zip(p, LABELS)) / n, 1e-6), v)
    bins = [0.0] * 15
    for line, ok in zip(lines, right):
        bins[min(14, int(line["probability"] * 15))] += ok - line["probability"]
    check("their calibration error", near(v["ece_calibrated"], sum(map(abs, bins)) / n, 1e-6), v)
    check("a temperature is fitted, on the validation part", v["temperature"] > 0 and v["temperature"] != 1 and 50 < v["calibrated_on"] < 150, v)
    check("it is in the model", near(objects("inspect", MODEL, "--json")[0]["calibration"]["temperature"], v["temperature"], 1e-9), v)
    held = [y in line["set"] for line, y in zip(lines, LABELS)]
    c = v["coverage"]
    check("coverage reached", near(c["reached"], sum(held) / n) and near(c["mean_size"], sum(len(line["set"]) for line in lines) / n), c)
    check("its interval", all(near(a, b, 1e-9) for a, b in zip(c["ci95"], wilson(c["reached"], n))) and c["wanted"] == 0.9, c)
    check("sets begin with the label", all(line["set"][0] == line["label"] for line in lines))
    check("and hold what reaches the threshold", all(set(line["set"]) == {k for k, x in q.items() if x >= c["threshold"]} | {line["label"]} for line, q in zip(lines, p)))
    check("unsure", all(line["unsure"] == (line["probability"] < 0.8) for line in lines) and any(line["unsure"] for line in lines), lines[:2])
    check("top-k", near(v["top_k_accuracy"], sum(y in [t["label"] for t in line["top"][:2]] for line, y in zip(lines, LABELS)) / n) and v["top_k"] == 2, v)
    f1 = []
    for k, label in enumerate(v["labels"]):
        one = v["classes"][k]
        truth, taken = LABELS.count(label), sum(line["label"] == label for line in lines)
        both = sum(ok for ok, y in zip(right, LABELS) if y == label)
        check(f"class {label}", (one["label"], one["samples"], one["predicted"]) == (label, truth, taken) and near(one["recall"], both / truth)
              and (near(one["precision"], both / taken) if taken else one["precision"] is None), one)
        check(f"its row of the confusion matrix", sum(v["confusion"][k]) == truth and v["confusion"][k][k] == both, v["confusion"])
        f1.append(one["f1"])
    check("macro F1 is their mean", near(v["macro_f1"], sum(f1) / 3), v)
    check("the naive baseline", near(v["baseline_accuracy"], max(LABELS.count(x) for x in "012") / n), v)
    plain = objects("evaluate", MODEL, DATA, "--json")[0]
    check("no sets unless asked for", "coverage" not in plain and plain["top_k"] == 5, plain)
    wide = objects("evaluate", MODEL, DATA, "--json", "--coverage", "0.999")[0]["coverage"]
    check("too few records for 99.9 %: every class", wide["threshold"] == 0 and wide["mean_size"] == 3 and wide["reached"] == 1, wide)
    return v


def screen(v):
    text = cotan("evaluate", MODEL, DATA, "--coverage", "0.9", "--top", "2").out
    c = v["coverage"]
    for part in (f"calibration error {v['ece']:.3f} as trained, {v['ece_calibrated']:.3f} at temperature", f"coverage          {c['reached'] * 100:.1f} %",
                 f"naive baseline    {v['baseline_accuracy'] * 100:.1f} %", f"95 % interval     {v['accuracy_ci95'][0] * 100:.1f} %", f"top-2 accuracy    {v['top_k_accuracy'] * 100:.1f} %"):
        check(f"the screen says {part!r}", part in text, text)
    for k in v["classes"]:
        row = [x for x in text.splitlines() if re.match(rf"{k['label']} +{k['samples']} .*\d\.\d\d\d", x)]
        check("a line a class", len(row) == 1 and row[0].split()[4] == f"{k['f1']:.3f}", (k, row))
    check("the confusion matrix", all(re.search(rf"^{x} +" + " +".join(str(n) if n else r"\." for n in v["confusion"][int(x)]) + "$", text, re.M) for x in "012"), text)
    check("no blank at a line's end", not re.search(r" $", text, re.M), text)


def gap():
    """The words about training are about metrics.jsonl."""
    rows = [json.loads(line) for line in read(f"{FOLDER}/m.run/metrics.jsonl").decode().splitlines()]
    g = objects("evaluate", MODEL, DATA, "--json")[0]["gap"]
    best, least, error = None, float("inf"), 0
    for row in rows:
        if row["validation_loss"] < least:
            least, error = row["validation_loss"], row["validation_loss_error"]
        best = row if row["validation_loss"] <= least + error else best
        check("the best so far is within a standard error of the least", row["best"] == (best is row) and error > 0, rows)
    check("the best epoch's losses", (g["best_epoch"], g["epochs"]) == (best["epoch"], 5) and near(g["train_loss"], best["train_loss"]) and near(g["validation_loss"], best["validation_loss"]), (g, rows))
    kept = read(f"{FOLDER}/m.run/metrics.jsonl")
    made = [(1, .9, 1), (2, .5, .6), (3, .3, .8), (4, .1, 1.1)]
    write(f"{FOLDER}/m.run/metrics.jsonl", "".join(json.dumps({"epoch": e, "steps": e, "loss": 2, "train_loss": a, "train_accuracy": 0.9, "validation_loss": b, "validation_accuracy": 0.5}) + "\n" for e, a, b in made))
    g = objects("evaluate", MODEL, DATA, "--json")[0]["gap"]
    check("over-fit from epoch 3", (g["verdict"], g["overfit_from"], g["best_epoch"]) == ("over-fit", 3, 2), g)
    check("on the screen", "over-fit from epoch 3: validation loss rose from 0.6000" in cotan("evaluate", MODEL, DATA).out)
    write(f"{FOLDER}/m.run/metrics.jsonl", "no JSON\n")
    check("a wrong line: no verdict, the rest stands", objects("evaluate", MODEL, DATA, "--json")[0]["gap"] is None)
    write(f"{FOLDER}/m.run/metrics.jsonl", kept)
    shutil.copy(MODEL, f"{FOLDER}/alone.safetensors")
    check("a model without its run", objects("evaluate", f"{FOLDER}/alone.safetensors", DATA, "--json")[0]["gap"] is None)


def words_of_trainings():
    """The losses that are compared have no smoothing in them, so the words are right where half of every label is smoothed away."""
    def trained(name, data, *words):
        r = cotan("train", "image", data, "--model", "mlp", "--transform", "to_tensor", "--threads", "1", "--quiet", "--report", "none", "--doctor", "off",
                  "--seed", "1", "--label-smoothing", "0.5", "-o", f"{FOLDER}/{name}.safetensors", *words)
        check(f"train {name}", r.status == 0, r)
        rows = [json.loads(line) for line in read(f"{FOLDER}/{name}.run/metrics.jsonl").decode().splitlines()]
        return objects("evaluate", f"{FOLDER}/{name}.safetensors", data, "--json")[0]["gap"], rows
    clear = data_set(f"{FOLDER}/clear", train=600, test=60, seed=3)
    blind = data_set(f"{FOLDER}/blind", train=300, test=60, seed=4)
    r = random.Random(9)
    idx(f"{blind}/train-images-idx3-ubyte", 0x803, [300, 10, 10], bytes(r.randrange(256) for _ in range(30000)), False)
    idx(f"{blind}/train-labels-idx1-ubyte", 0x801, [300], [r.randrange(3) for _ in range(300)], False)
    g, rows = trained("blind", blind, "--epochs", "16", "--batch", "16", "--lr", "0.002", "--patience", "0")
    check("labels that nothing tells are learned by heart: over-fit", g["verdict"] == "over-fit" and g["overfit_from"] == g["best_epoch"] + 1, (g, rows))
    check("the steps' own loss would not show it", rows[-1]["loss"] > 0.5 and rows[-1]["train_loss"] < 0.5 * rows[-1]["validation_loss"], rows[-1])
    g, rows = trained("short", clear, "--epochs", "3", "--lr", "0.0001", "--schedule", "constant")
    check("three short epochs: under-fit", g["verdict"] == "under-fit", (g, rows))
    # every training record is scored where as many validate
    shutil.copytree(clear, f"{FOLDER}/more")
    g, rows = trained("alike", clear, "--epochs", "3", "--lr", "0.003", "--validate", f"{FOLDER}/more")
    v = objects("evaluate", f"{FOLDER}/alike.safetensors", clear, "--part", "train", "--json")[0]
    check("all that was trained on, for another folder validates", v["samples"] == 600, v["samples"])
    row = rows[g["best_epoch"] - 1]
    check("the training part, scored as evaluate does", near(row["train_loss"], v["loss"], 1e-6) and near(row["train_accuracy"], v["accuracy"]), (row, v["loss"], v["accuracy"]))
    check("its steps had smoothing", row["loss"] > 2 * row["train_loss"], row)


def layers():
    npy = f"{FOLDER}/f.npy"
    logits = objects("predict", MODEL, IMAGES, "--json", "--layer", "out")
    r = cotan("predict", MODEL, IMAGES, "--layer", "out")
    rows = r.out.splitlines()
    check("CSV", r.status == 0 and rows[0] == "path,index,out.0,out.1,out.2" and len(rows) == 301, rows[:2])
    check("the same numbers as JSON", [[float(x) for x in row.split(",")[2:]] for row in rows[1:]] == [[struct.unpack("f", struct.pack("f", x))[0] for x in o["features"]] for o in logits]
          or all(near(float(x), y, 1e-6 * max(1, abs(y))) for row, o in zip(rows[1:], logits) for x, y in zip(row.split(",")[2:], o["features"])))
    t = objects("inspect", MODEL, "--json")[0]["calibration"]["temperature"]
    for o, line in zip(logits[:50], objects("predict", MODEL, IMAGES, "--json", "--limit", "50")):
        e = [math.exp((x - max(o["features"])) / t) for x in o["features"]]
        check("softmax of the last layer at the temperature is the probability", near(max(e) / sum(e), line["probability"], 1e-6), (o, line))
    r = cotan("predict", MODEL, IMAGES, "--layer", "fc", "-o", npy, "--limit", "20")
    head = read(npy)
    check(".npy", r.status == 0 and b"'<f4'" in head[:128] and b"(20, 8)" in head[:128] and r.out.split() == [str(i) for i in range(20)], (r, head[:100]))
    of_csv = [float(x) for row in cotan("predict", MODEL, IMAGES, "--layer", "fc", "--limit", "20").out.splitlines()[1:] for x in row.split(",")[2:]]
    check("its numbers", list(struct.unpack("<160f", head[-640:])) == [struct.unpack("f", struct.pack("f", x))[0] for x in of_csv])
    refused("-o exists", 2, "exists; wanted a new name", "predict", MODEL, IMAGES, "--layer", "fc", "-o", npy, folder=FOLDER)
    refused("-o of another kind", 2, "wanted a name that ends with .npy", "predict", MODEL, IMAGES, "--layer", "fc", "-o", f"{FOLDER}/f.csv", folder=FOLDER)
    refused("-o without a layer", 2, "wanted --layer with it", "predict", MODEL, IMAGES, "-o", f"{FOLDER}/g.npy", folder=FOLDER)
    refused("a layer that is none", 2, ["layer: nowhere", "wanted one of c, fc, d, out"], "predict", MODEL, IMAGES, "--layer", "nowhere", folder=FOLDER)
    refused("a layer and sets", 2, "leave one out", "predict", MODEL, IMAGES, "--layer", "fc", "--coverage", "0.9", folder=FOLDER)


def neighbours():
    lines = objects("predict", MODEL, IMAGES, "--json", "--similar", IMAGES, "--top", "3", "--limit", "40", "--layer", "fc")
    features = [o["features"] for o in objects("predict", MODEL, IMAGES, "--json", "--layer", "fc")]
    unit = [[x / math.sqrt(sum(y * y for y in f)) for x in f] for f in features]
    for line in lines:
        cosines = sorted(((sum(a * b for a, b in zip(unit[line["index"]], u)), -i) for i, u in enumerate(unit) if i != line["index"]), reverse=True)
        found = [s["similarity"] for s in line["similar"]]
        check("the three nearest, itself left out", len(found) == 3 and line["index"] not in [s["index"] for s in line["similar"]]
              and all(near(a, b[0], 1e-5) for a, b in zip(found, cosines)), (line, cosines[:3]))
    text = cotan("predict", MODEL, IMAGES, "--similar", IMAGES, "--top", "1", "--limit", "2").out.splitlines()
    check("as text", len(text) == 2 and re.fullmatch(rf"0\t{re.escape(IMAGES)}:\d+\t-?[01]\.\d\d\d\d", text[0]), text)
    refused("nothing to compare with", 4, "nowhere", "predict", MODEL, IMAGES, "--similar", f"{FOLDER}/nowhere", folder=FOLDER)


def paths():
    for end in ("\n", "\0"):
        names = write(f"{FOLDER}/paths", end.join([IMAGES, IMAGES, ""]))
        check("--paths", cotan("predict", MODEL, "--paths", names).out == cotan("predict", MODEL, IMAGES, IMAGES).out)
        with open(names, "rb") as f:
            r = subprocess.run([COTAN, "predict", MODEL, "--paths", "-"], stdin=f, capture_output=True, text=True)
        check("--paths -", r.returncode == 0 and r.stdout == cotan("predict", MODEL, IMAGES, IMAGES).out, r)
    refused("no pictures", 2, "no pictures; wanted cotan predict MODEL FILE", "predict", MODEL, folder=FOLDER)
    os.mkfifo(f"{FOLDER}/fifo")
    refused("a pipe as a list", 4, ["--paths", "a pipe", "give - and pipe into cotan predict"], "predict", MODEL, "--paths", f"{FOLDER}/fifo", folder=FOLDER)
    os.remove(f"{FOLDER}/fifo")
    refused("no such list", 4, ["--paths", "gone"], "predict", MODEL, "--paths", f"{FOLDER}/gone", folder=FOLDER)
    refused("a path of the list is gone", 4, "gone.idx", "predict", MODEL, "--paths", write(f"{FOLDER}/paths", f"{FOLDER}/gone.idx\n"), folder=FOLDER)


def wrong():
    refused("the part that calibrated", 2, "calibrated the sets", "evaluate", MODEL, DATA, "--part", "validation", "--coverage", "0.9", folder=FOLDER)
    os.makedirs(f"{FOLDER}/only")  # test files alone, given as the validation part
    for name in os.listdir(DATA):
        if name.startswith("t10k"):
            shutil.copy(f"{DATA}/{name}", f"{FOLDER}/only")
    model = f"{FOLDER}/only.safetensors"
    r = cotan("train", "image", DATA, "--validate", f"{FOLDER}/only", "--model", "mlp", "--epochs", "1", "--quiet", "-o", model)
    check("train with test files as the validation part", r.status == 0, r)
    refused("files that calibrated", 2, "calibrated", "evaluate", model, f"{FOLDER}/only", "--coverage", "0.9", folder=FOLDER, any_memory=True)
    for value in ("0", "1", "90", "nan"):
        refused(f"--coverage {value}", 2, f"--coverage: {value}; wanted a number from 1e-06 to 0.999999", "evaluate", MODEL, DATA, "--coverage", value, folder=FOLDER)
    refused("--unsure 60", 2, "--unsure: 60; wanted a number from 0 to 1", "predict", MODEL, IMAGES, "--unsure", "60", folder=FOLDER)


train()
screen(figures())
gap()
words_of_trainings()
layers()
neighbours()
paths()
wrong()
finish()
