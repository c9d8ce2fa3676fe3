#!/usr/bin/env python3
"""Folders of pictures (F1-F10), given to train, predict, evaluate and inspect; the same model from any number of
threads, stopped or not, mixed or not."""
import zlib
from common import *

FOLDER = scratch("folder")
OUT = ("-o", f"{FOLDER}/out.safetensors")
SIG = b"\x89PNG\r\n\x1a\n"
NET = """h = maxpool2d(relu(conv2d(input(image), "c", 4, 3, pad=1)), 2)
logit = linear(flatten(h), "out", classes)
"""


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, rows, colour=2):
    """`rows`: h times w times 3 bytes (1 for grey)."""
    step = w * (3 if colour == 2 else 1)
    raw = b"".join(b"\0" + rows[y * step:(y + 1) * step] for y in range(h))
    return SIG + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, colour, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND")


BOMB = SIG + chunk(b"IHDR", struct.pack(">IIBBBBB", 65535, 65535, 8, 6, 0, 0, 0))
GOOD = png(12, 12, bytes(12 * 12 * 3))


def stripes(kind, r, w=24, h=20):
    """Lines across, down, or both, in two colours, with noise."""
    p, a, b = r.randrange(2, 5), [r.randrange(100) for _ in range(3)], [155 + r.randrange(100) for _ in range(3)]
    out = bytearray()
    for y in range(h):
        for x in range(w):
            on = (y // p if kind == 0 else x // p if kind == 1 else x // p + y // p) % 2
            out += bytes(min(255, max(0, (a if on else b)[c] + r.randrange(-9, 9))) for c in range(3))
    return png(w, h, bytes(out))


def classes(folder, n, names=("across", "both", "down"), seed=1, sizes=False):
    r = random.Random(seed)
    for k, name in enumerate(names):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        for i in range(n):
            w, h = (r.randrange(20, 40), r.randrange(20, 40)) if sizes else (24, 20)
            write(f"{folder}/{name}/{i:03d}.png", stripes((0, 2, 1)[k], r, w, h))
    return folder


def bad_folders():
    net = write(f"{FOLDER}/small.net", NET)
    more = ("--net", net, "--epochs", "1", *OUT)

    def row(code, status, parts, folder, *words):
        refused(code, status, parts, "train", "image", folder, *more, *words, folder=FOLDER, any_memory=True)

    os.makedirs(f"{FOLDER}/empty")
    row("F1 an empty folder", 3, ["no class folders"], f"{FOLDER}/empty")
    row("F1 no such folder", 4, ["nowhere"], f"{FOLDER}/nowhere")
    os.makedirs(f"{FOLDER}/flat")
    write(f"{FOLDER}/flat/a.png", GOOD)
    row("F1 pictures without classes", 3, ["1 picture and no class folders", "give the folder above"], f"{FOLDER}/flat")
    os.makedirs(f"{FOLDER}/linked")
    for name in ("a", "b"):
        os.symlink(f"{FOLDER}/flat", f"{FOLDER}/linked/{name}")
    row("F1 classes that are links", 3, ["2 symbolic links, passed over", "no class folders", "--follow-links"], f"{FOLDER}/linked")
    os.makedirs(f"{FOLDER}/alone/a")
    os.symlink(f"{FOLDER}/flat/a.png", f"{FOLDER}/alone/a/a.png")
    row("F2 a class of links", 3, ["class a has symbolic links alone", "--follow-links"], f"{FOLDER}/alone")
    two = classes(f"{FOLDER}/two", 4)
    os.makedirs(f"{two}/none")
    row("F2", 3, ["class none has no pictures"], two)
    write(f"{two}/none/words.txt", "words")
    row("F2 words alone", 3, ["class none has no pictures"], two)
    many = classes(f"{FOLDER}/many", 50)
    write(f"{many}/both/bad.png", SIG + b"nothing")
    row("F3 --strict", 3, ["both/bad.png"], many, "--strict")
    row("F3 a slash at the folder's end", 3, [f"{many}/both/bad.png"], f"{many}/", "--strict")
    write(f"{many}/down/bomb.png", BOMB)
    row("F3 two of 152", 3, ["2 of 152 pictures are broken; wanted at most 1 %", "bad.png"], many)
    mixed = classes(f"{FOLDER}/mixed", 10, sizes=True)
    row("F8", 3, ["becomes [3,", "wanted one size"], mixed, "--transform", "flip")
    row("a transform that is none", 2, ["transform:1:1", "nearest is resize"], mixed, "--transform", "resise 8")
    divided = f"{FOLDER}/divided"
    classes(f"{divided}/train", 10)
    classes(f"{divided}/test", 2, names=("across", "both", "sideways"))
    row("F5", 3, ["test has class sideways", "wanted only across, both, down"], divided)
    row("F5 --validate", 3, ["sideways", "wanted only across, both, down"], f"{divided}/train", "--validate", f"{divided}/test")
    closed = classes(f"{FOLDER}/closed", 4)
    os.chmod(f"{closed}/both", 0)
    nobody = {"user": 65534} if os.geteuid() == 0 else {}
    r = cotan("inspect", closed, **nobody)
    check("F10", r.status == 4 and LINE.fullmatch(r.err) and "closed/both: cannot open" in r.err, r)
    os.chmod(f"{closed}/both", 0o755)
    refused("-o in the data", 2, "lies in", "train", "image", many, "--net", net, "-o", f"{many}/m.safetensors", folder=FOLDER, any_memory=True)
    write(f"{FOLDER}/list.csv", "path,label\nmany/across/000.png\n")
    row("a list with a short row", 3, ["list.csv:2:1", "1 field; wanted 2"], f"{FOLDER}/list.csv")


def links():
    data = classes(f"{FOLDER}/links", 40)
    os.symlink("../across/000.png", f"{data}/down/link.png")
    os.symlink("/nowhere", f"{data}/down/dangling.png")
    os.mkfifo(f"{data}/down/pipe.png")
    v = json.loads(cotan("inspect", "--json", data).out)
    check("F4 links are counted, not read", v["links"] == 2 and v["pictures"] == 120 and v["other"] == 1, v)
    check("F4 a pipe is named", any("pipe.png" in line for line in v["passed_over"]), v["passed_over"])
    os.symlink("..", f"{data}/down/loop")
    r = cotan("inspect", "--json", "--follow-links", data)
    v = json.loads(r.out)
    check("F4 --follow-links reads a link, and nobody's pictures twice", r.status == 0 and v["pictures"] == 121, v)
    check("F4 a loop is named", any("back to a folder above" in line for line in v["passed_over"]), v["passed_over"])


def same_bytes():
    data = classes(f"{FOLDER}/data", 40, sizes=True)
    net = write(f"{FOLDER}/net.net", NET)
    for name, transform in (("default", ()), ("random", ("--transform", "random_resized_crop 16, color_jitter brightness=0.3 hue=0.1, rotate 20, flip, randaugment, "
                                                                        "to_tensor, normalize mean=0.5 std=0.2, erasing")),
                            ("mixed", ("--transform", "resize 16x16, flip, normalize mean=0.5 std=0.2, mixup, cutmix"))):
        words = ("train", "image", data, "--net", net, "--epochs", "3", "--batch", "16", "--checkpoint-every", "2", "--quiet", *transform, "--force")
        files = []
        for threads in (1, 2, 3):
            files.append(f"{FOLDER}/{name}{threads}.safetensors")
            r = cotan(*words, "--threads", str(threads), "-o", files[-1])
            check(f"{name}, {threads} threads", r.status == 0, r)
        check(f"{name}: the same bytes with any threads", same(files[0], files[1]) and same(files[0], files[2]))
        resumed = f"{FOLDER}/{name}r.safetensors"
        for signal_after in (0.05, 0.15, 0.3):
            child = subprocess.Popen([COTAN, *words[:-1], "--threads", "2", "-o", resumed, "--resume"], stderr=subprocess.DEVNULL)
            try:
                child.wait(signal_after * (10 if SANITIZED else 1))
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
        r = cotan(*words[:-1], "--resume", "-o", resumed)
        check(f"{name}: killed and resumed, the same bytes", r.status == 0 and same(files[0], resumed), r)
    steps = write(f"{FOLDER}/steps", "# a step a line\nresize 16x16\nflip\nnormalize mean=0.5 std=0.2\nmixup, cutmix\n")
    r = cotan(*words[:-3], "--transform", f"@{steps}", "-o", f"{FOLDER}/steps.safetensors")
    check("--transform @FILE", r.status == 0 and same(f"{FOLDER}/mixed1.safetensors", f"{FOLDER}/steps.safetensors"), r)
    part = f"{FOLDER}/part.safetensors"
    child = subprocess.Popen([COTAN, "train", "image", data, "--net", net, "--epochs", "500", "-o", part], stderr=subprocess.DEVNULL)
    while child.poll() is None and not os.path.exists(f"{FOLDER}/part.run/checkpoint.safetensors"):
        time.sleep(0.01)
    check("a run is under way", child.poll() is None)
    child.send_signal(signal.SIGKILL)
    child.wait()
    kept = read(f"{data}/across/000.png")
    write(f"{data}/across/000.png", GOOD)
    refused("X15 the data changed between run and resume", 2, ["the hash of the data", "as the run was begun"], "train", "image", data, "--resume", "-o", part,
            folder=FOLDER, any_memory=True)
    write(f"{data}/across/000.png", kept)


def honest():
    """Other labels in the test part change no byte of the model; evaluation knows its parts."""
    data = f"{FOLDER}/honest"
    net = write(f"{FOLDER}/net.net", NET)
    classes(f"{data}/train", 30)
    classes(f"{data}/test", 10, seed=5)
    words = ("train", "image", data, "--net", net, "--epochs", "4", "--quiet", "--lr", "0.01")
    r = cotan(*words, "-o", f"{FOLDER}/h1.safetensors")
    check("train and test above the classes", r.status == 0, r)
    for i in range(5):
        os.rename(f"{data}/test/across/{i:03d}.png", f"{data}/test/down/moved{i}.png")
    r = cotan(*words, "-o", f"{FOLDER}/h2.safetensors")
    check("shuffled test labels change no byte", r.status == 0 and same(f"{FOLDER}/h1.safetensors", f"{FOLDER}/h2.safetensors"), r)
    v = json.loads(cotan("evaluate", f"{FOLDER}/h1.safetensors", data, "--json").out)
    check("evaluate reads the test part", v["part"] == "test" and v["samples"] == 30 and v["labels"] == ["across", "both", "down"], v)
    lines = [json.loads(line) for line in cotan("predict", f"{FOLDER}/h1.safetensors", f"{data}/test", "--json").out.splitlines()]
    right = sum(p["label"] == p["path"].split("/")[-2] for p in lines)
    check("predict and evaluate agree", len(lines) == 30 and right == round(v["accuracy"] * 30), (right, v["accuracy"]))
    check("in the order of paths", [p["path"] for p in lines] == sorted(p["path"] for p in lines))
    alone = [json.loads(cotan("predict", f"{FOLDER}/h1.safetensors", p["path"], "--json").out) for p in lines[:5]]
    check("alone or among others", [p["top"] for p in alone] == [p["top"] for p in lines[:5]], alone)
    whole = f"{data}/train"
    r = cotan("train", "image", whole, "--net", net, "--epochs", "2", "--quiet", "-o", f"{FOLDER}/h3.safetensors")
    v = json.loads(cotan("evaluate", f"{FOLDER}/h3.safetensors", whole, "--json").out)
    parts = json.loads(cotan("inspect", whole, "--json").out)["classes"]
    check("a tenth is kept for the test", v["part"] == "test" and v["samples"] == sum(c["test"] for c in parts), (v, parts))
    own = f"{FOLDER}/own.safetensors"
    r = cotan("train", "image", whole, "--validate", f"{data}/test", "--net", net, "--epochs", "1", "--quiet", "-o", own)
    v = json.loads(cotan("evaluate", own, whole, "--part", "train", "--json").out)
    kept = sum(c["train"] + c["validation"] for c in parts)
    check("--validate: all but the test trains", r.status == 0 and v["samples"] == kept, (r, v, kept))
    refused("--part validation of a folder that is not it", 2, "a folder of its own", "evaluate", own, whole, "--part", "validation", folder=FOLDER, any_memory=True)
    v = json.loads(cotan("evaluate", f"{FOLDER}/h3.safetensors", f"{data}/test", "--json").out)
    check("all of other data", v["part"] == "all" and v["samples"] == 30, v)
    refused("classes that the model has not", 3, ["has not; found", "wanted only across, both, down"], "evaluate", f"{FOLDER}/h3.safetensors",
            classes(f"{FOLDER}/other", 2, names=("left", "right")), folder=FOLDER, any_memory=True)


def known_again():
    """The data trained on are known again whatever options took them, and --limit never lets training records in."""
    data, other, net = classes(f"{FOLDER}/known", 40), classes(f"{FOLDER}/known_other", 30, seed=9), f"{FOLDER}/net.net"
    for k, name in enumerate(("across", "both", "down")):
        for i in range(6):
            os.symlink(f"../{name}/{i:03d}.png", f"{data}/{name}/link{i}.png")
    base = ("train", "image", data, "--net", net, "--epochs", "1", "--quiet", "-o")

    def evaluated(model, *words):
        r = cotan("evaluate", model, *words, "--json")
        v = json.loads(r.out) if r.status == 0 else {"part": None, "samples": -1}
        return v["part"], v["samples"], "kept for the test" in r.err

    for name, words in (("plain", ()), ("links", ("--follow-links",)), ("first", ("--limit", "60"))):
        model = f"{FOLDER}/known_{name}.safetensors"
        r = cotan(*base, model, *words)
        check(f"{name}: trained", r.status == 0, r)
        part, samples, told = evaluated(model, data)
        check(f"{name}: the tenth that was kept", part == "test" and 0 < samples < 40 and told, (part, samples, told))
        check(f"{name}: --limit takes the first of that tenth", evaluated(model, data, "--limit", "3") == ("test", 3, True))
        check(f"{name}: all of other data", evaluated(model, other) == ("all", 90, False), evaluated(model, other))
        check(f"{name}: all of a test part", evaluated(model, f"{FOLDER}/honest")[:2] == ("test", 30))
    check("--part all is all", evaluated(f"{FOLDER}/known_first.safetensors", data, "--part", "all")[1] == 120)
    model, changed = f"{FOLDER}/known_plain.safetensors", f"{FOLDER}/known_changed"
    shutil.copytree(data, changed, symlinks=True)
    os.remove(f"{changed}/both/003.png")
    shutil.copy(f"{other}/down/001.png", f"{changed}/down/new.png")
    part, samples, told = evaluated(model, changed)
    check("a picture less and one more: the tenth of it", part == "test" and 0 < samples < 40 and told, (part, samples, told))
    divided = f"{FOLDER}/known_divided"
    shutil.copytree(data, f"{divided}/train")
    shutil.copytree(other, f"{divided}/test")
    r = cotan("train", "image", divided, *base[3:-1], "-o", f"{divided}.safetensors")
    check("trained with a test part", r.status == 0, r)
    r = cotan("evaluate", f"{divided}.safetensors", changed, "--json")
    check("nothing was kept: all, and a warning", r.status == 0 and json.loads(r.out)["part"] == "all" and "% of the pictures that the model was trained on are among these" in r.err, r)


def validation_folders():
    """One that lacks a class is fine; pictures of it that are trained on too are told."""
    net, own = f"{FOLDER}/net.net", classes(f"{FOLDER}/own_validation", 8, names=("across", "both"), seed=11)
    words = ("train", "image", f"{FOLDER}/known", "--validate", own, "--net", net, "--epochs", "1", "-o", f"{FOLDER}/own_validation.safetensors", "--force")
    r = cotan(*words)
    check("a class that does not validate", r.status == 0 and "training part too" not in r.err, r)
    for i in range(4):
        shutil.copy(f"{FOLDER}/known/both/{i:03d}.png", f"{own}/across/copy{i}.png")
    r = cotan(*words)
    page = read(f"{FOLDER}/own_validation.run/report.html").decode()
    check("four that are trained on too", r.status == 0 and "4 of 20 validation pictures stand in the training part too" in r.err, r)
    check("it stands in the report, as do names of pictures", "4 of 20 validation pictures stand in" in page and re.search(r"(across|both)/(copy)?\d+\.png", page) is not None)


def odd_names():
    """K9: whatever a folder is called, nothing of it moves the cursor, and nothing is lost."""
    data = classes(f"{FOLDER}/odd", 30, names=("a\x1b[2J", "b\nzz", "d"))
    write(os.fsencode(f"{data}/d/") + b"bad\xff.png", SIG + b"nothing")
    model = f"{FOLDER}/odd.safetensors"
    r = cotan("train", "image", data, "--net", f"{FOLDER}/net.net", "--epochs", "4", "--lr", "0.01", "-o", model, "--allow-broken")
    check("trained", r.status == 0, r)
    for words in (("inspect", data), ("inspect", model), ("evaluate", model, data, "--part", "all"), ("predict", model, f"{data}/d", f"{data}/a\x1b[2J/000.png")):
        r = cotan(*words)
        check(f"{words[0]}: no control bytes", r.status in (0, 3) and "\x1b" not in r.out + r.err and "\nzz" not in r.out, r)
    r = cotan("inspect", data)
    check("a class by its name", "a\\x1b[2J" in r.out and "b\\x0azz" in r.out, r.out)
    lines = json.loads(cotan("inspect", data, "--json").out)["passed_over"]
    check("a broken picture whose name is no UTF-8", len(lines) == 1 and "bad\\xff.png" in lines[0], lines)


def backgrounds():
    """A transparent picture is its background: the choice stands in the model, and prediction makes it again."""
    clear = SIG + chunk(b"IHDR", struct.pack(">IIBBBBB", 12, 12, 8, 6, 0, 0, 0)) + chunk(b"IDAT", zlib.compress((b"\0" + bytes(48)) * 12)) + chunk(b"IEND")
    data = f"{FOLDER}/clear"
    for k, name in enumerate(("black", "other")):
        os.makedirs(f"{data}/{name}")
        for i in range(30):
            write(f"{data}/{name}/{i:02d}.png", png(12, 12, bytes([0 if k == 0 else 200 + i] * (12 * 12 * 3))))
    probabilities = []
    for colour in ("black", "#ffffff"):
        model = f"{FOLDER}/{colour.strip('#')}.safetensors"
        r = cotan("train", "image", data, "--net", f"{FOLDER}/net.net", "--epochs", "20", "--lr", "0.01", "--quiet", "--background", colour, "-o", model)
        check(f"--background {colour}", r.status == 0, r)
        v = json.loads(cotan("predict", "--json", model, write(f"{FOLDER}/clear.png", clear)).out)
        probabilities.append((v["label"], v["probability"]))
        recipe = json.loads(cotan("inspect", "--json", model).out)["recipe"]
        check("it stands in the recipe", recipe["background"] == ("#000000" if colour == "black" else "#ffffff"), recipe)
    check("and prediction makes it again", [p[0] for p in probabilities] == ["black", "other"], probabilities)
    refused("a colour that is none", 2, "wanted white, grey, black or #rrggbb", "train", "image", data, "--background", "blue", *OUT, folder=FOLDER, any_memory=True)


def predictions():
    model, data = f"{FOLDER}/h1.safetensors", f"{FOLDER}/honest/test"
    bad = write(f"{FOLDER}/bad.png", SIG + b"nothing")
    good = f"{data}/both/000.png"
    refused("a broken picture alone", 3, "bad.png", "predict", model, bad, folder=FOLDER, any_memory=True)
    refused("a bomb alone", 5, "65535 x 65535 pixels", "predict", model, write(f"{FOLDER}/bomb.png", BOMB), folder=FOLDER, any_memory=True)
    refused("no such picture", 4, "gone.png", "predict", model, f"{FOLDER}/gone.png", folder=FOLDER, any_memory=True)
    r = cotan("predict", model, good, bad, good)
    check("one broken among others: named, the rest predicted, 3", r.status == 3 and len(r.out.splitlines()) == 2 and "bad.png" in r.err, r)
    r = cotan("predict", "--json", model, good, bad)
    lines = [json.loads(line) for line in r.out.splitlines()]
    check("--json", r.status == 3 and [set(v) for v in lines] == [{"path", "index", "label", "probability", "top"}, {"path", "index", "error"}, {"error", "code", "file", "pos"}], r)
    with open(good, "rb") as f:
        piped = subprocess.run([COTAN, "predict", model, "-"], stdin=f, capture_output=True, text=True).stdout.split("\t")
    check("standard input", piped[0] == "-" and piped[1:] == cotan("predict", model, good).out.split("\t")[1:], piped)
    named = write(f"{FOLDER}/picture.dat", read(good))
    check("by content, not by name", cotan("predict", model, named).out.split("\t")[1:] == cotan("predict", model, good).out.split("\t")[1:])


def passed_over():
    """What evaluate and predict cannot read is named; a list is not written over."""
    data, model = classes(f"{FOLDER}/passed", 50), f"{FOLDER}/passed.safetensors"
    r = cotan("train", "image", data, "--net", f"{FOLDER}/net.net", "--epochs", "1", "--quiet", "-o", model)
    check("train", r.status == 0, r)
    write(f"{data}/both/bad.png", SIG + b"nothing")
    for part in ((), ("--part", "all")):
        r = cotan("evaluate", model, data, "--json", *part)
        check("evaluate names a broken picture once", r.status == 0 and r.err.count("bad.png") == 1 and json.loads(r.out)["passed_over"] == 1, r)
    for i in range(9):
        write(f"{data}/both/worse{i}.png", SIG + b"nothing")
    refused("evaluate of many broken", 3, "give --allow-broken", "evaluate", model, data, folder=FOLDER, any_memory=True)
    r = cotan("evaluate", model, data, "--json", "--allow-broken")
    check("--allow-broken", r.status == 0 and json.loads(r.out)["passed_over"] == 10, r)
    for i in range(9):
        os.remove(f"{data}/both/worse{i}.png")
    refused("evaluate --strict", 3, "bad.png", "evaluate", model, data, "--strict", folder=FOLDER, any_memory=True)
    os.remove(f"{data}/both/bad.png")
    os.mkfifo(f"{data}/both/pipe.png")
    r = cotan("predict", model, data)
    check("a pipe is named and no broken picture", r.status == 0 and "pipe.png" in r.err and len(r.out.splitlines()) == 150, r)
    gone = [f"{FOLDER}/gone{i}.png" for i in range(2)]
    r = cotan("predict", model, gone[0], f"{data}/both/000.png", gone[1])
    check("each missing file is named", r.status == 3 and all(g in r.err for g in gone) and len(r.out.splitlines()) == 1, r)
    rows = "".join(f"passed/{name}/{i:03d}.png,{name}\n" for name in ("across", "both", "down") for i in range(9))
    listed = write(f"{FOLDER}/passed.csv", "path,label\n" + rows)
    refused("the list is the output", 2, "which is read as the data", "train", "image", listed, "--net", f"{FOLDER}/net.net", "-o", listed, "--force", folder=FOLDER, any_memory=True)


bad_folders()
links()
same_bytes()
honest()
known_again()
validation_folders()
odd_names()
backgrounds()
predictions()
passed_over()
finish()
