#!/usr/bin/env python3
"""--labels: the names of idx classes in the model, its predictions, scores and page, in a repeated and a resumed run; and data
of one class alone. --warmup and --momentum: they change the training, stand in the recipe, and are refused where idle."""
from common import *

FOLDER = scratch("labels")
DATA = data_set(f"{FOLDER}/data", train=200, test=30)
BASE = ("train", "image", DATA, "--net", small_net(FOLDER), "--epochs", "2", "--threads", "1")
X = f"{FOLDER}/x.safetensors"


def names(text, name="names.txt"):
    return write(f"{FOLDER}/{name}", text)


def train(name, *more, base=BASE):
    model = f"{FOLDER}/{name}.safetensors"
    r = cotan(*base, "-q", *more, "-o", model)
    check(f"{name} is trained", r.status == 0, r)
    return model


def weights(model):
    """The file's bytes after its header."""
    data = read(model)
    return data[8 + struct.unpack("<Q", data[:8])[0]:]


def recipe(model):
    return json.loads(cotan("inspect", model, "--json").out)["recipe"]


def named():
    good = names("cat\r\ndog\nred bird\n")
    model = train("named", "--labels", good)
    r = cotan("predict", model, f"{DATA}/t10k-images-idx3-ubyte", "--json")
    check("predict shows names", r.status == 0 and {json.loads(l)["label"] for l in r.out.splitlines()} <= {"cat", "dog", "red bird"}, r)
    text = cotan("evaluate", model, DATA).out
    check("evaluate shows names", re.search(r"^red bird +\d+ ", text, re.M) and re.search(r"^cat +\d+ ", text, re.M), text)
    matrix = text[text.find("taken for"):].splitlines()
    check("the matrix has whole names where there is room", re.fullmatch(r"taken for +cat +dog red bird", matrix[0]) and len({len(line) for line in matrix[:4]}) == 1, text)
    check("the page shows names", "red bird" in read(f"{FOLDER}/named.run/report.html").decode())
    check("names change no weight", weights(train("plain")) == weights(model))
    os.remove(good)
    again = train("again", base=("train", "image", DATA, "--config", f"{FOLDER}/named.run/config.json"))
    check("config.json repeats them without the file", same(again, model))
    other = names("a\nb\nc\n", "other.txt")
    refused("resumed with other names", 2, ["--labels: other names", "--force"], "train", "image", "-o", model, "--resume", "--labels", other, folder=FOLDER, any_memory=True)
    more = train("more", "--labels", names("a\nb\nc\nd", "four.txt"))
    shape = {t["name"]: t["shape"] for t in json.loads(cotan("inspect", more, "--json").out)["tensors"]}["out.weight"]
    check("a class without a picture", shape == [4, 8], shape)


def refusals():
    for code, part, text in (("two of three", ["2 names; wanted 3", "add the others"], "a\nb\n"),
                             ("empty", "empty; wanted the names", ""),
                             ("an empty line", ["line 2: empty", "a name a line"], "a\n\nc\n"),
                             ("twice", ["line 3: a, as line 1", "each name once"], "a\nb\na\n"),
                             ("not UTF-8", ["line 2:", "text in UTF-8"], b"a\n\xff\nc\n"),
                             ("long", ["line 1:", "of more than 200 bytes"], "x" * 300 + "\nb\nc\n")):
        refused(f"--labels, {code}", 3, part, *BASE, "--labels", names(text), "-o", X, folder=FOLDER, any_memory=True)
    refused("no file", 4, ["--labels", "No such file"], *BASE, "--labels", f"{FOLDER}/none.txt", "-o", X, folder=FOLDER)
    os.makedirs(f"{FOLDER}/arrays")
    for name, shape, data in (("images", (60, 4, 4), bytes(960)), ("labels", (60,), bytes(i % 3 for i in range(60)))):
        head = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode()
        head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
        write(f"{FOLDER}/arrays/{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
    refused("a set with names of its own", 2, ["names its classes itself", "--labels"], "train", "image", f"{FOLDER}/arrays", "--labels", names("a\nb\nc\n"), "-o", X, folder=FOLDER, any_memory=True)


def one_class():
    alone = f"{FOLDER}/alone"
    shutil.copytree(DATA, alone)
    idx(f"{alone}/train-labels-idx1-ubyte", 0x801, [200], [2] * 200)
    refused("one class", 3, ["pictures to train on are of class 2; wanted two classes at least; add pictures"], "train", "image", alone, *BASE[3:], "-o", X, folder=FOLDER, any_memory=True)
    refused("one class of those few", 3, ["wanted two classes at least; raise --limit"], "train", "image", alone, *BASE[3:], "--limit", "50", "-o", X, folder=FOLDER, any_memory=True)
    files = f"{FOLDER}/files/only"
    os.makedirs(files)
    for i in range(40):
        head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (8, 8)}"
        head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
        write(f"{files}/{i}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes((i + k) % 256 for k in range(64)))
    refused("one folder", 3, ["are of class only; wanted two classes"], "train", "image", f"{FOLDER}/files", *BASE[3:], "-o", X, folder=FOLDER, any_memory=True)


def rates():
    plain = train("sgd", "--optimizer", "sgd")
    check("the default of sgd is 0.9", weights(train("same", "--optimizer", "sgd", "--momentum", "0.9")) == weights(plain))
    none = train("none", "--optimizer", "sgd", "--momentum", "0")
    check("--momentum 0 is none", weights(none) != weights(plain) and recipe(none)["momentum"] == 0, recipe(none))
    check("not given: not in the recipe", "momentum" not in recipe(plain) and "warmup" not in recipe(plain), recipe(plain))
    r = cotan("train", "image", DATA, "--config", f"{FOLDER}/none.run/config.json", "-q", "-o", f"{FOLDER}/none2.safetensors")
    check("config.json repeats --momentum 0", r.status == 0 and same(f"{FOLDER}/none2.safetensors", none), r)
    refused("resumed with another momentum", 2, ["--momentum: 0.5; wanted 0.9"], "train", "image", "-o", plain, "--resume", "--momentum", "0.5", folder=FOLDER, any_memory=True)
    refused("momentum of adamw", 2, ["--momentum: adamw has none to set; wanted sgd or rmsprop"], *BASE, "--momentum", "0.5", "-o", X, folder=FOLDER)
    refused("momentum 1", 2, ["--momentum: 1; wanted 0 to under 1"], *BASE, "--optimizer", "sgd", "--momentum", "1", "-o", X, folder=FOLDER)
    warm = train("warm", "--schedule", "constant", "--warmup", "4", "--batch", "64")
    flat = train("flat", "--schedule", "constant", "--batch", "64")
    check("--warmup changes the steps", weights(warm) != weights(flat) and recipe(warm)["warmup"] == 4, recipe(warm))
    rows = [json.loads(l) for l in read(f"{FOLDER}/warm.run/metrics.jsonl").splitlines()]
    check("the rate after it", rows[-1]["lr"] == recipe(warm)["lr"], rows[-1])
    cut = train("cut", "--schedule", "constant", "--warmup", "6", "--batch", "64")
    rows = [json.loads(l) for l in read(f"{FOLDER}/cut.run/metrics.jsonl").splitlines()]
    check("the rate within it: (t + 1) / 6 at the third step", abs(rows[0]["lr"] / recipe(cut)["lr"] - 3 / 6) < 1e-6, rows[0])
    refused("more than all steps", 2, ["--warmup: 1000; wanted at most"], *BASE, "--warmup", "1000", "-o", X, folder=FOLDER, any_memory=True)


named()
refusals()
one_class()
rates()
finish()
