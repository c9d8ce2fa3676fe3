#!/usr/bin/env python3
"""Wrong words, options, configurations and nets (K1-K12)."""
from common import *

FOLDER = scratch("options")
DATA = data_set(f"{FOLDER}/data", train=200, test=20)
NET_FILE = small_net(FOLDER)
OUT = f"{FOLDER}/out.safetensors"
ONE = ("--epochs", "1")
TRAIN = ("train", "image", DATA, "--net", NET_FILE, "-o", OUT)

# Options of a training, and what the line says. All are exit status 2.
OPTIONS = [
    ("K1", ["--epcohs: ", "--epochs"], "--epcohs", "3"),
    ("K1 of another verb", ["--top"], "--top", "3"),
    ("K1 a switch with a value", ["--resume: "], "--resume=yes"),
    ("K1 nothing follows", ["--batch: nothing follows"], "--batch"),
    *((f"K2 {v}", ["--lr: ", v], "--lr", v) for v in ("nan", "inf", "0", "-1", "1e400", "0,01", "0x1p3", "1_000", "1e-3x", " 1", "")),
    *((f"K3 {v}", ["--batch: ", v], "--batch", v) for v in ("0", "-5", str(2**31), "3.5", str(2**64), "1e3", "0x10", "")),
    *((f"K3 epochs {v}", ["--epochs: ", v], "--epochs", v) for v in ("0", "-1", "1.5", "1000001")),
    *((f"K10 {v}", ["--threads: ", v, "from 1 to 4096"], "--threads", v) for v in ("0", "-1", "1000000", "4097")),
    *((f"K11 {v}", ["--seed: ", v], "--seed", v) for v in ("-1", str(2**64), "1.5", "x", "")),
    ("K2 time", ["--time-limit: 5x", "90s"], "--time-limit", "5x"),
    ("K2 nearest optimizer", ["--optimizer: adma", "adam"], "--optimizer", "adma"),
    ("K2 no such schedule", ["--schedule: sometimes"], "--schedule", "sometimes"),
    ("K2 nearest choice", ["--nonfinite: skp", "skip"], "--nonfinite", "skp"),
    ("K2 decay", ["--weight-decay: -0.1"], "--weight-decay", "-0.1"),
    ("K2 average", ["--ema: 1"], "--ema", "1"),
    ("K2 smoothing", ["--label-smoothing: 1"], "--label-smoothing", "1"),
    ("K12 a flag twice", ["--batch", "twice"], "--batch", "8", "--batch", "8"),
    ("K12 a switch twice", ["--dry-run", "twice"], "--dry-run", "--dry-run"),
    ("K12 --resume and --force", ["--resume", "--force"], "--resume", "--force"),
    ("K12 two nets", ["--model", "--net"], "--model", "cnn"),
    ("K12 a setting twice", ["--set: "], "--set", "a=1", "--set", "a=2"),
    ("K12 a setting without value", ["--set: a"], "--set", "a"),
    ("a setting of no param", ["nothing"], "--set", "nothing=1"),
]

# Nets: code, exit status, parts of the line, text.
NETS = [
    ("K4", 2, ["bad.net:2:", "[N,8]", "[N,9]"], "a = linear(flatten(input(image)), \"a\", 8)\ny = add(a, linear(flatten(input(image)), \"b\", 9))\n"),
    ("K6 an argument too many", 2, ["bad.net:1:"], "y = linear(flatten(input(image)), \"a\", 8, 9, 10)\n"),
    ("K4 other classes", 2, ["[N,5]", "[N,3]"], "y = linear(flatten(input(image)), \"a\", 5)\n"),
    ("K5", 2, ["bad.net:2:", "[N,4,3,3]", "5"], "h = maxpool2d(conv2d(input(image), \"c\", 4, 3, pad=1), 3)\ny = conv2d(h, \"d\", 4, 5)\n"),
    ("K5 pooling", 2, ["bad.net:1:", "11"], "y = maxpool2d(input(image), 11)\n"),
    ("K5 stride 0", 2, ["bad.net:1:", "stride", "0"], "y = conv2d(input(image), \"c\", 4, 3, stride=0)\n"),
    ("K5 groups", 2, ["bad.net:1:", "groups"], "y = conv2d(input(image), \"c\", 4, 3, groups=3)\n"),
    ("K6 unknown", 2, ["bad.net:1:", "paad", "pad"], "y = conv2d(input(image), \"c\", 4, 3, paad=1)\n"),
    ("K6 twice", 2, ["bad.net:1:", "pad"], "y = conv2d(input(image), \"c\", 4, 3, pad=1, pad=1)\n"),
    ("K6 no such op", 2, ["bad.net:1:", "conv2e", "conv2d"], "y = conv2e(input(image), \"c\", 4, 3)\n"),
    ("K6 a name twice", 2, ["bad.net:2:", "c.weight"], "h = conv2d(input(image), \"c\", 4, 3)\ny = conv2d(h, \"c\", 4, 3)\n"),
    ("K7 a net of 2 MB", 5, ["bad.net"], "# " + "x" * (2 << 20) + "\n"),
    ("K7 brackets 100,000 deep", 5, ["bad.net:1:"], "y = " + "relu(" * 100000 + "x\n"),
    ("K7 numbers 100,000 deep", 5, ["bad.net:1:"], "param a = " + "(" * 100000 + "1\n"),
    ("K7 a loop of 10^9", 5, ["bad.net"], "h = input(image)\nfor i in 0..1000000000 { h = relu(h) }\n"),
    ("empty", 2, ["bad.net"], ""),
    ("not text", 2, ["bad.net:1:"], bytes(range(256))),
    ("a width of 2^60", 2, ["bad.net:1:", "1152921504606846976"], "y = linear(flatten(input(image)), \"a\", 1152921504606846976)\n"),
    ("weights of 400 GB", 5, ["memory"], "y = linear(linear(flatten(input(image)), \"a\", 1073741824), \"b\", classes)\n"),
]

# Configurations: code, exit status, parts of the line, text.
CONFIGS = [
    ("K6", 2, ["bad.json:2:3: ", "epcohs", "epochs"], '{"batch": 8,\n  "epcohs": 3}'),
    ("K6 twice", 2, ["bad.json:1:", "batch"], '{"batch": 8, "batch": 9}'),
    ("K6 cut", 2, ["bad.json:1:"], '{"batch": 8'),
    ("K6 a list", 2, ["bad.json:1:1: "], "[1, 2]"),
    ("K6 a list as value", 2, ["bad.json:1:2: ", "batch"], '{"batch": [8]}'),
    ("K6 NaN", 2, ["bad.json:1:"], '{"lr": NaN}'),
    ("K2 in a file", 2, ["bad.json", "lr", "-1"], '{"lr": -1}'),
    ("K3 in a file", 2, ["bad.json", "batch", "3.5"], '{"batch": 3.5}'),
    ("K7 10 MB", 5, ["bad.json"], '{"model": "' + "x" * (10 << 20) + '"}'),
    ("K7 100,000 deep", 5, ["bad.json:1:"], '{"batch": ' + "[" * 100000),
    ("empty", 2, ["bad.json"], ""),
    ("not UTF-8", 2, ["bad.json:1:"], b'{"model": "\xff"}'),
]

WORDS = [
    ("K1 verb", ["trian", "train"], "trian"),
    ("K1 task", ["imige", "image"], "train", "imige", DATA, "-o", OUT),
    ("no output", ["-o"], "train", "image", DATA),
    ("no data", ["folder"], "train", "image", "-o", OUT),
    ("no words", ["evaluate"], "evaluate", "m"),
    ("K1 preset", ["cnm", "cnn"], "train", "image", DATA, "--model", "cnm", "-o", OUT),
    ("-o of nothing", ["-o"], "train", "image", DATA, "-o", ""),
    ("-o a folder", ["-o", "a folder"], "train", "image", DATA, "-o", FOLDER),
    ("no such net to measure", ["cnnn", "cnn"], "bench", "cnnn"),
]


def words_and_options():
    for code, parts, *words in WORDS:
        refused(code, 2, parts, *words, folder=FOLDER)
    for code, parts, *options in OPTIONS:
        refused(code, 2, parts, *TRAIN, *options, folder=FOLDER)


def nets_and_configs():
    for code, status, parts, text in NETS:
        path = write(f"{FOLDER}/bad.net", text)
        refused(f"net, {code}", status, parts, "train", "image", DATA, "--net", path, "-o", OUT, folder=FOLDER, files=[path], any_memory="400 GB" in code)
        if status == 2 and "classes" not in code:
            refused(f"plan of a net, {code}", status, parts, "plan", path, "--input", "1x10x10", "--classes", "3", folder=FOLDER, files=[path])
    for code, status, parts, text in CONFIGS:
        path = write(f"{FOLDER}/bad.json", text)
        refused(f"config, {code}", status, parts, *TRAIN, "--config", path, folder=FOLDER, files=[path])


def sizes():
    """The limit of texts is 1 MiB: that much is read, one byte more is not."""
    for more in (0, 1):
        config = write(f"{FOLDER}/size.json", ('{"epochs": 1}' + " " * ((1 << 20) - 13 + more)))
        net = write(f"{FOLDER}/size.net", NET + "#" * ((1 << 20) - len(NET) + more))
        for name, words in (("config", (*TRAIN, "--config", config)), ("net", ("train", "image", DATA, "--net", net, *ONE, "--force", "-o", OUT))):
            if more:
                refused(f"K7 a {name} of 1 MiB and a byte", 5, ["1048577 bytes; wanted at most 1048576"], *words, folder=FOLDER, files=[config, net])
            else:
                r = cotan(*words, *([] if "--force" in words else ["--force"]), "--quiet")
                check(f"a {name} of 1 MiB", r.status == 0, r)
    shutil.rmtree(f"{FOLDER}/out.run")
    os.remove(OUT)


def outputs():
    """K8: an output that exists, or is what is read."""
    r = cotan(*TRAIN, *ONE, "--quiet")
    check("a model to begin with", r.status == 0, r)
    refused("K8 exists", 2, ["exists", "--force"], *TRAIN, folder=FOLDER)
    os.remove(OUT)
    refused("K8 an unfinished run", 2, ["unfinished run", "--resume"], *TRAIN, folder=FOLDER)
    r = cotan(*TRAIN, *ONE, "--quiet", "--force")
    check("K8 --force", r.status == 0, r)
    base = ("train", "image", DATA, "--epochs", "1", "--force")
    refused("K8 the output is --init", 2, ["--init"], *base, "--net", NET_FILE, "--init", OUT, "-o", OUT, folder=FOLDER)
    refused("K8 the output is a link to --init", 2, ["--init"], *base, "--net", NET_FILE, "--init", link(OUT), "-o", OUT, folder=FOLDER)
    refused("K8 the output is --net", 2, ["--net"], *base, "--net", NET_FILE, "-o", NET_FILE, folder=FOLDER)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        refused(f"K8 the output is {name}", 2, [name], *base, "--net", NET_FILE, "-o", f"{DATA}/{name}", folder=FOLDER)
    refused("K8 the checkpoint is --init", 2, ["--init"], *base, "--net", NET_FILE, "--init", f"{FOLDER}/out.run/checkpoint.safetensors", "-o", OUT, folder=FOLDER)
    refused("K8 --force, but the data is bad: the old model stays", 3, ["no train-images"], "train", "image", f"{FOLDER}/out.run", "--force", "-o", OUT, folder=FOLDER)
    refused("K8 --force, but the net is bad: the old model stays", 2, ["nothing"], *TRAIN, "--force", "--set", "nothing=1", folder=FOLDER)


def link(path):
    os.symlink(path, f"{FOLDER}/link.safetensors")
    return f"{FOLDER}/link.safetensors"


def names():
    """K9: names that are hard to print: fine, or one line with status 4, the bytes escaped."""
    for code, name in (("a newline", b"a\nb"), ("an escape", b"a\x1b[31mb"), ("not UTF-8", b"a\xff\xfeb"), ("a leading dash", b"-a"), ("quotes", b"a'\"b"), ("spaces", b" a b "),
                       ("255 bytes", b"n" * 243), ("Chinese", "\u6a21\u578b".encode())):
        out = os.fsencode(FOLDER) + b"/" + name + b".safetensors"
        r = cotan(*TRAIN[:-1], out, *ONE)
        check(f"K9 {code}: trained", r.status == 0 and os.path.exists(out), r)
        check(f"K9 {code}: printed escaped", all(c.isprintable() or c == "\n" for c in r.err) and "a\nb" not in r.err, r)
        r = cotan("evaluate", out, DATA, "--json")
        check(f"K9 {code}: evaluated", r.status == 0 and json.loads(r.out)["samples"] == 20, r)
        r = cotan(*TRAIN[:-1], out, *ONE, "--force", "--json", "--quiet")
        check(f"K9 {code}: JSON", r.status == 0 and r.out.count("\n") == 1 and "error" not in json.loads(r.out), r)
        data = os.fsencode(FOLDER) + b"/data " + name
        os.symlink(DATA, data)
        r = cotan("train", "image", data, *TRAIN[3:-1], f"{FOLDER}/k9.safetensors", *ONE, "--force", "--quiet")
        check(f"K9 {code}: as data", r.status == 0, r)
        r = cotan("train", "image", "-o", f"{FOLDER}/k9.safetensors", "--resume")
        check(f"K9 {code}: resumed", r.status == 0, r)
        copy = data + b"/../copy " + name
        shutil.copy(f"{DATA}/t10k-images-idx3-ubyte", copy)
        r = cotan("predict", out, copy, "--json", "--limit", "1")
        check(f"K9 {code}: predicted", r.status == 0 and json.loads(r.out)["index"] == 0, r)
    long = f"{FOLDER}/" + "d/" * 2100 + "m.safetensors"
    refused("K9 4,096 bytes", 4, ["4088"], *TRAIN[:-1], long, folder=FOLDER)
    refused("K9 a name of 300 bytes", 4, ["nnn"], *TRAIN[:-1], f"{FOLDER}/" + "n" * 300, folder=FOLDER)
    refused("K9 data of 5,000 bytes", 4, ["d/d/"], "train", "image", f"{FOLDER}/" + "d/" * 2500, "-o", f"{FOLDER}/y.safetensors", folder=FOLDER)
    refused("K9 a model with a newline that is absent", 4, ["\\x0a"], "evaluate", b"x\ny", DATA, folder=FOLDER)
    os.chdir(FOLDER)
    r = cotan("train", "image", "data", "--net", NET_FILE, "--epochs", "1", "-o", "-x.safetensors", "--quiet")
    check("K9 -o of a leading dash", r.status == 0 and os.path.exists("-x.safetensors"), r)
    r = cotan("evaluate", "--", "-x.safetensors", "data")
    check("K9 words after --", r.status == 0, r)


words_and_options()
nets_and_configs()
sizes()
outputs()
names()
finish()
