#!/usr/bin/env python3
"""cotan compare: the answer on records whose answer is known, its refusals, and two trainings."""
from fractions import Fraction
from math import comb
from common import *

FOLDER = scratch("compare")
KEYS = {"metric", "test", "runs", "values", "difference", "ci95", "p_value", "records", "better"}


def run(name, rows):
    os.makedirs(f"{FOLDER}/{name}.run", exist_ok=True)
    write(f"{FOLDER}/{name}.run/validation.jsonl", "".join(r if isinstance(r, str) else json.dumps(r) + "\n" for r in rows))
    return f"{FOLDER}/{name}.run"


def rows(right, loss=lambda i: 0.5, label=lambda i: i % 3, first=0):
    """Record i is predicted right where right(i)."""
    return [{"record": i, "label": label(i), "prediction": label(i) if right(i) else label(i) + 1, "loss": loss(i)} for i in range(first, first + 200)]


def compare(*words, status=0):
    r = cotan("compare", "--json", *words)
    check(f"{words} ends with {status}", r.status == status and r.err == "", r)
    v = json.loads(r.out)
    check("its keys", set(v) == KEYS, v)
    return v


def mcnemar(gained, lost):
    """Twice the smaller tail of Binomial(n, 1/2), at most 1."""
    n = gained + lost
    return float(min(Fraction(1), 2 * Fraction(sum(comb(n, k) for k in range(min(gained, lost) + 1)), 2 ** n)))


def answers():
    old = run("old", rows(lambda i: i % 4 != 0))  # 150 of 200
    new = run("new", rows(lambda i: i % 4 != 0 or i % 8 == 0 and i != 0 or i == 4))  # 25 gained
    worse = run("worse", rows(lambda i: i % 4 != 0 and i > 20))
    v = compare(old, new)
    check("accuracy by McNemar's test", v["metric"] == "accuracy" and v["test"] == "mcnemar" and v["records"] == 200, v)
    check("values and difference", v["values"] == [0.75, 0.875] and abs(v["difference"] - 0.125) < 1e-12, v)
    check("p", abs(v["p_value"] / mcnemar(25, 0) - 1) < 1e-6, (v, mcnemar(25, 0)))
    check("the interval is around it", v["ci95"][0] < 0.125 < v["ci95"][1] and v["ci95"][0] > 0, v)
    check("the second is better", v["better"] == new and v["runs"] == [old, new], v)
    v = compare(new, old)
    check("the first is better", v["better"] == new and v["difference"] < 0, v)
    check("--require-better: 1", compare(new, old, "--require-better", status=1)["better"] == new)
    check("--require-better: 0", compare(old, new, "--require-better")["better"] == new)
    v = compare(old, old, "--require-better", status=1)
    check("a run is no better than itself", v["better"] is None and v["p_value"] == 1 and v["difference"] == 0, v)
    slight = run("slight", rows(lambda i: i % 4 != 0 or i in (0, 4, 8)))
    v = compare(old, slight)
    check("three more of 200 say little", v["better"] is None and abs(v["p_value"] - mcnemar(3, 0)) < 1e-9, v)
    check("the model beside a run stands for it", compare(f"{FOLDER}/old.safetensors", f"{FOLDER}/new.safetensors")["difference"] == 0.125)
    text = cotan("compare", old, new).out
    check("as text", re.search(r"^better: .*new\.run$", text, re.M) and "+12.5 points" in text and "200" in text, text)
    check("its digits", "p < 0.001 (mcnemar)" in text and re.search(r"difference +\+\d\d\.\d points \(95 % interval \+\d(\.\d+)? to \+\d\d(\.\d)?\)", text), text)
    check("p of three more", "0.250 (mcnemar)" in cotan("compare", old, slight).out)
    check("neither", "better: neither" in cotan("compare", old, slight).out)
    v = compare(worse, old)
    check("gains and losses", abs(v["p_value"] - mcnemar(15, 0)) < 1e-9, v)


def losses():
    noise = random.Random(2)
    steps = [noise.gauss(0.02, 0.05) for _ in range(200)]
    a = run("a", rows(lambda i: True, loss=lambda i: 0.5 + steps[i]))
    b = run("b", rows(lambda i: True))
    v = compare(a, b, "--metric", "loss")
    mean = sum(steps) / 200
    check("loss by random exchanges", v["metric"] == "loss" and v["test"] == "paired permutation" and abs(v["difference"] + mean) < 1e-9, (v, mean))
    deviation = (sum((s - mean) ** 2 for s in steps) / 199) ** 0.5
    check("its interval", abs((v["ci95"][1] - v["ci95"][0]) / 2 / (1.971957 * deviation / 200 ** 0.5) - 1) < 1e-5, v)
    check("a smaller loss is better", v["better"] == b and v["p_value"] < 0.001 and compare(b, a, "--metric", "loss")["better"] == b, v)
    check("the same answer each time", compare(a, b, "--metric", "loss") == v)
    plain = run("plain", [{"record": f"r{i}", "loss": i / 10} for i in range(9)])
    other = run("other", [{"record": f"r{i}", "loss": i / 10 + 0.01 * (-1) ** i} for i in range(9)])
    check("without labels: the loss", compare(plain, other)["metric"] == "loss")
    part = run("part", rows(lambda i: True, first=150))
    check("records that both have", compare(b, part)["records"] == 50)


def refusals():
    good = run("good", rows(lambda i: True))
    no = lambda code, status, parts, *words: refused(code, status, parts, "compare", *words, folder=FOLDER)
    far = run("far", rows(lambda i: True, first=1000))
    no("no record in common", 3, ["no record in common", "good.run", "far.run"], good, far)
    other = run("labels", rows(lambda i: True, label=lambda i: (i + 1) % 3))
    no("other labels", 3, ["record 0", "other labels"], good, other)
    no("no run", 4, ["none.run", "No such file"], good, f"{FOLDER}/none.run")
    os.mkdir(f"{FOLDER}/empty.run")
    no("a run without records", 4, ["empty.run/validation.jsonl"], good, f"{FOLDER}/empty.run")
    no("an empty file", 3, ["no records"], good, run("nothing", []))
    for code, line in (("no JSON", "{\n"), ("a list", "[1]\n"), ("no record", '{"label": 1}\n'), ("a key twice", '{"record": 1, "record": 2}\n'), ("not UTF-8", "\udcff\n")):
        bad = f"{FOLDER}/bad.run"
        os.makedirs(bad, exist_ok=True)
        write(f"{bad}/validation.jsonl", (json.dumps({"record": 7}) + "\n" + line).encode("utf-8", "surrogateescape"))
        no(code, 3, ["validation.jsonl:2:1: "], good, bad)
    gaps = run("gaps", ["\n\n", {"record": 5}, "\n", {"record": "5"}])
    no("a record twice, between empty lines", 3, ["validation.jsonl:5:1: ", "twice"], good, gaps)
    no("a record twice", 3, ["validation.jsonl:2:1: ", "record 5", "twice"], good, run("twice", [{"record": 5}, {"record": "5"}]))
    no("a metric", 2, ["--metric: los", "loss"], good, good, "--metric", "los")
    no("one run", 2, ["RUN RUN"], good)
    bare = run("bare", [{"record": i, "label": 1} for i in range(9)])
    no("no accuracy", 3, ["accuracy"], bare, bare, "--metric", "accuracy")
    no("no loss", 6, ["loss"], bare, bare)
    no("one record", 3, ["1 record"], *[run("single", [{"record": 1, "loss": 2}])] * 2)


def trainings():
    data, net = data_set(f"{FOLDER}/data"), small_net(FOLDER)
    for name, lr in (("low", "1e-30"), ("high", "0.003")):
        r = cotan("train", "image", data, "--net", net, "--epochs", "4", "--lr", lr, "--quiet", "-o", f"{FOLDER}/{name}.safetensors")
        check("a training", r.status == 0, r)
    v = compare(f"{FOLDER}/low.safetensors", f"{FOLDER}/high.safetensors")
    check("one that learnt against one that did not", v["better"].endswith("high.safetensors") and v["difference"] > 0.2 and v["records"] > 20, v)


def main():
    answers()
    losses()
    refusals()
    trainings()
    finish()


main()
