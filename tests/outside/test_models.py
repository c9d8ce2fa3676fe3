#!/usr/bin/env python3
"""Bad, foreign and odd model files given to the commands that read them (S1-S20, H2-H4, H9), and checkpoints (H5, H8)."""
from common import *

FOLDER = scratch("models")
DATA = data_set(f"{FOLDER}/data", train=200, test=30)
MODEL = f"{FOLDER}/m.safetensors"
BASE = ("train", "image", DATA, "--net", small_net(FOLDER), "--epochs", "1")
PICTURES = f"{DATA}/t10k-images-idx3-ubyte"


def file_of(header, data=b""):
    header = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(header)) + header + data


def picture():
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40)


def tensor(name="a", dtype="F32", shape="[1]", offsets="[0,4]"):
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


def rows(good):
    """Code, parts of the line, the bytes of the file. All are exit status 3."""
    n = struct.unpack("<Q", good[:8])[0]
    many = ",".join(tensor(f"t{i}", shape="[0]", offsets="[0,0]") for i in range(2000))
    four = b"\0" * 4
    return [
        ("S1 empty", ["0 bytes left; wanted 8"], b""),
        ("S1", ["7 bytes left; wanted 8"], good[:7]),
        ("S2", ["@0: ", "a header of 1000000000 bytes"], struct.pack("<Q", 10**9) + good[8:]),
        ("S3", ["@0: ", "18446744073709551615"], b"\xff" * 8 + good[8:]),
        ("S4", ["byte 0xff"], file_of(b'{"\xff":1}')),
        ("S5 cut", ["the header ends"], file_of("{" + tensor(), four)),
        ("S5 comma", ["wanted a string"], file_of("{" + tensor() + ",}", four)),
        ("S5 NaN", ["no whole number"], file_of("{" + tensor(shape="[NaN]") + "}", four)),
        ("S6", ["given twice, first @9"], file_of("{" + tensor() + "," + tensor(offsets="[4,8]") + "}", bytes(8))),
        ("S7", ["overflows"], file_of("{" + tensor(shape="[4294967296,4294967296]") + "}", four)),
        ("S8", ["no whole number"], file_of("{" + tensor(shape="[-1]") + "}", four)),
        ("S8 offsets", ["no whole number"], file_of("{" + tensor(offsets="[0,1e3]") + "}", four)),
        ("S9", ["data from 4 to 0"], file_of("{" + tensor(offsets="[4,0]") + "}", four)),
        ("S10", ["overlap"], file_of("{" + tensor(shape="[2]", offsets="[0,8]") + "," + tensor("b", shape="[2]", offsets="[4,12]") + "}", bytes(12))),
        ("S11", ["belong to no tensor"], file_of("{" + tensor(offsets="[4,8]") + "}", bytes(8))),
        ("S11 after", ["3 bytes after the last tensor"], file_of("{" + tensor() + "}", bytes(7))),
        ("S12", ["4 bytes of data; wanted 12"], file_of("{" + tensor(shape="[3]") + "}", four)),
        ("S13 malformed", ['"F7" is no type'], file_of("{" + tensor(dtype="F7") + "}", four)),
        ("S13 unsupported", ["F8_E4M3 is not supported"], file_of("{" + tensor(dtype="F8_E4M3") + "}", four)),
        ("S14", ["in its name"], file_of("{" + tensor("../../etc/passwd") + "}", four)),
        ("S14 control", ["\\x1b", "in its name"], file_of("{" + tensor("\\u001b[31m") + "}", four)),
        ("S15", ["wanted a string"], file_of('{"__metadata__":{"x":5}}')),
        ("text", ["@0: found text; wanted a safetensors file"], b"hello, world, this is no model"),
        ("idx", ["found an idx file", "wanted a model"], read(PICTURES)),
        ("a picture", ["found a picture", "wanted a model"], picture()),
        ("gzip", ["found data packed by gzip", "wanted a model"], gzip.compress(read(PICTURES))),
        ("H1 cut", ["cut short or damaged"], good[:-3]),
        ("H2 in a tensor", ["its hash is"], good[:-9] + bytes([good[-9] ^ 64]) + good[-8:]),
        ("H2 in the header", ["hash"], good.replace(b'\\"seed\\":\\"0\\"', b'\\"seed\\":\\"1\\"', 1)),
        ("H3", ["format 2; wanted 1"], good.replace(b'\\"format\\":1', b'\\"format\\":2', 1)),
        ("H9", ["big-endian"], good[:8][::-1] + good[8:]),
        ("weights of another program", ["without a net"], file_of("{" + many + "}")),
    ], n


def refusals():
    good = read(MODEL)
    table, _ = rows(good)
    bad = f"{FOLDER}/bad.safetensors"
    for code, parts, content in table:
        check(f"{code}: the row changes the file", content != good)
        write(bad, content)
        refused(f"evaluate, {code}", 3, ["bad.safetensors", *parts], "evaluate", bad, DATA, folder=FOLDER, files=[bad])
        if "another program" in code:
            continue
        refused(f"inspect, {code}", 3, ["bad.safetensors", *parts], "inspect", bad, folder=FOLDER, files=[bad])
        if code in ("S3", "S6", "H1 cut", "H2 in a tensor", "H3"):
            refused(f"predict, {code}", 3, parts, "predict", bad, PICTURES, folder=FOLDER, files=[bad])
            refused(f"--init, {code}", 3, parts, *BASE, "--init", bad, "-o", f"{FOLDER}/x.safetensors", folder=FOLDER, any_memory=True)
    many = file_of("{" + ",".join(tensor(f"t{i}", shape="[0]", offsets="[0,0]") for i in range(100000)) + "}")
    write(bad, many)
    r = cotan("inspect", bad, "--json")
    check("S16 100,000 tensors", r.status == 0 and len(json.loads(r.out)["tensors"]) == 100000, r.status)
    refused("S16 as a model", 3, ["without a net"], "evaluate", bad, DATA, folder=FOLDER, files=[bad])
    refused("S18, H4", 3, ["5 missing: c.weight, c.bias, fc.bias", "of another shape: fc.weight"], "train", "image", DATA, "--net", NET2(), "--epochs", "1", "--init", small(),
            "-o", f"{FOLDER}/x.safetensors", folder=FOLDER, any_memory=True)
    soft = f"{FOLDER}/soft.safetensors"
    check("a model of a preset", cotan("train", "image", DATA, "--model", "softmax", "--epochs", "1", "-o", soft).status == 0)
    refused("--init of another net", 3, ["weights of softmax", "do not fit the net", "missing: c.weight", "give --model softmax"], "train", "image", DATA, "--net", NET2(), "--epochs", "1",
            "--init", soft, "-o", f"{FOLDER}/x.safetensors", folder=FOLDER, any_memory=True)
    refused("no file", 4, ["No such file"], "evaluate", f"{FOLDER}/none.safetensors", DATA, folder=FOLDER)
    refused("a folder", 4, ["a folder"], "evaluate", FOLDER, DATA, folder=FOLDER)
    refused("a device", 4, ["device"], "evaluate", "/dev/zero", DATA, folder=FOLDER)
    os.mkfifo(f"{FOLDER}/fifo")
    refused("a pipe that nobody writes", 4, ["pipe"], "inspect", f"{FOLDER}/fifo", folder=FOLDER)
    other = data_set(f"{FOLDER}/other", side=12)
    refused("pictures of another size", 3, ["[1,12,12]", "[N,1,10,10]"], "evaluate", MODEL, other, folder=FOLDER, any_memory=True)


def NET2():
    return write(f"{FOLDER}/other.net", 'h = conv2d(input(image), "c", 4, 3, pad=1)\nlogit = linear(linear(flatten(h), "fc", 5), "out", classes)\n')


def small():
    return write(f"{FOLDER}/fc.safetensors", file_of("{" + tensor("fc.weight", shape="[1]") + "}", bytes(4)))


def not_finite():
    """S19: the last weight is NaN, by an own small writer without a document, given to --init; and in a whole model."""
    v = json.loads(cotan("inspect", MODEL, "--json").out)
    weights = f"{FOLDER}/nan.safetensors"
    entries, at = [], 0
    for t in v["tensors"]:
        count = 1
        for d in t["shape"]:
            count *= d
        entries.append(tensor(t["name"], t["dtype"].upper(), json.dumps(t["shape"]), f"[{at},{at + 4 * count}]"))
        at += 4 * count
    write(weights, file_of("{" + ",".join(entries) + "}", bytes(at - 4) + struct.pack("<f", float("nan"))))
    out = f"{FOLDER}/s19.safetensors"
    r = cotan(*BASE, "--init", weights, "-o", out)
    check("S19 --init: taken, with a count", "1 weights of" in r.err and "NaN" in r.err and r.status == 6, r)
    refused("S19 --init --strict", 3, ["1 weights are NaN or infinite"], *BASE, "--init", weights, "--strict", "-o", f"{FOLDER}/x.safetensors", folder=FOLDER, any_memory=True)
    check("S19 inspect counts", json.loads(cotan("inspect", weights, "--json").out)["nonfinite"] == 1)
    check("S19 inspect says", "NaN or infinite" in cotan("inspect", weights).out)


def far_too_large():
    """X25: 6, no model, no hang; the run before it is whole."""
    for rate, optimizer in (("1e25", "sgd"), ("1e20", "adam")):
        out = f"{FOLDER}/x25.safetensors"
        for words in ((), ("--json",)):
            r = cotan(*BASE, "--batch", "4", "--schedule", "constant", "--lr", rate, "--optimizer", optimizer, "-o", out, "--force", "--quiet", *words)
            check(f"X25 rate {rate}, {optimizer}: 6 and one line", r.status == 6 and LINE.fullmatch(r.err) and not os.path.exists(out), r)
        check(f"X25 rate {rate}, {optimizer}: as JSON", json.loads(r.out)["code"] == 6, r)


def checkpoints():
    words = (*BASE[:-1], "4", "--batch", "8", "--checkpoint-every", "5", "-o", f"{FOLDER}/h.safetensors")
    r = cotan(*words, "--stop-at", "30", "--quiet")
    check("a run to resume", r.status == 0, r)
    os.remove(f"{FOLDER}/h.safetensors")
    run = f"{FOLDER}/h.run"
    resume = ("train", "image", "-o", f"{FOLDER}/h.safetensors", "--resume")
    refused("H5", 2, ["sgd", "adam", "--init", "checkpoint.safetensors"], *resume, "--optimizer", "sgd", folder=FOLDER, any_memory=True)
    r = cotan("train", "image", DATA, "--net", f"{FOLDER}/small.net", "--epochs", "1", "--optimizer", "sgd", "--init", f"{run}/checkpoint.safetensors", "-o", f"{FOLDER}/i.safetensors")
    check("H5: its weights alone", r.status == 0, r)
    newest = read(f"{run}/checkpoint.safetensors")
    write(f"{run}/checkpoint.safetensors", newest[:1000])
    refused("H8 --strict", 3, ["checkpoint.safetensors"], *resume, "--strict", folder=FOLDER, any_memory=True)
    r = cotan(*resume)
    check("H8: the one before, with a warning", r.status == 0 and "the last checkpoint is damaged" in r.err, r)


def wrong_kinds():
    """A file of another kind than the place wants: what it is, and which to give."""
    notes, folder = write(f"{FOLDER}/notes.txt", "hello, world\n"), f"{FOLDER}/empty"
    os.makedirs(folder)
    seen = ("found text", "wanted a picture (PNG, JPEG, WebP or .npy), a folder of them, or an idx file")
    refused("text for a picture", 3, ["notes.txt", *seen], "predict", MODEL, notes, folder=FOLDER)
    refused("two bytes of text", 3, seen, "predict", MODEL, write(f"{FOLDER}/hi.txt", "hi"), folder=FOLDER)
    refused("two bytes of idx", 3, ["2 bytes left; wanted 4 for the idx magic"], "predict", MODEL, write(f"{FOLDER}/cut", b"\0\0"), folder=FOLDER)
    refused("a table for a picture", 3, [*seen, "--paths"], "predict", MODEL, write(f"{FOLDER}/t.csv", "a,b\n1,2\n"), folder=FOLDER)
    refused("a model for a picture", 3, ["of another kind", seen[1]], "predict", MODEL, MODEL, folder=FOLDER)
    refused("no pictures", 3, "no pictures", "predict", MODEL, folder, folder=FOLDER)
    png = write(f"{FOLDER}/one.png", picture())
    refused("a picture before the model", 3, ["one.png", "found a picture", "wanted a model (.safetensors)", "cotan predict MODEL"], "predict", png, MODEL, folder=FOLDER)
    refused("a picture to look into", 3, ["found a picture", "see cotan inspect --help"], "inspect", png, folder=FOLDER)
    refused("a picture's net", 3, ["found a picture", "see cotan inspect --help"], "inspect", png, "--flat", folder=FOLDER)
    refused("a picture to plan", 3, ["found a picture", "see cotan plan --help"], "plan", png, folder=FOLDER)
    refused("data before the model", 4, ["a folder", "cotan predict MODEL"], "predict", DATA, MODEL, folder=FOLDER)
    refused("text for a model", 3, ["found text", "wanted a safetensors file"], "predict", notes, DATA, folder=FOLDER)
    refused("text for a folder", 3, ["notes.txt", "wanted the folder"], "evaluate", MODEL, notes, folder=FOLDER)
    train = ("train", "image", DATA, "-o", f"{FOLDER}/x.safetensors", "--config")
    refused("a model for a config", 2, ["found a safetensors file", "config.json"], *train, MODEL, folder=FOLDER)
    refused("text for a config", 2, ["notes.txt:1:", "wanted a JSON object"], *train, notes, folder=FOLDER)
    refused("idx for a folder", 3, ["a file", "wanted the folder of the classes or of the idx files"], "train", "image", PICTURES, "-o", f"{FOLDER}/x.safetensors", folder=FOLDER)
    refused("a checkpoint for a model", 3, ["a checkpoint", "--resume"], "evaluate", f"{FOLDER}/m.run/checkpoint.safetensors", DATA, folder=FOLDER)
    refused("text for a run", 4, ["notes.txt", "notes.run", "wanted a run's folder"], "compare", MODEL, notes, folder=FOLDER)
    seven = write(f"{FOLDER}/seven.net", 'h = linear(flatten(input(image)), "f", 7)\n')
    refused("a net of another end", 2, ["seven.net: the net gives [N,7]; wanted [N,3]"], "train", "image", DATA, "--net", seven, "-o", f"{FOLDER}/x.safetensors", folder=FOLDER, any_memory=True)
    r = cotan("predict", MODEL, notes, PICTURES)
    check("text among pictures: the rest is predicted", r.status == 3 and r.out.count("\n") == 30 and "notes.txt" in r.err, r)


def main():
    r = cotan(*BASE, "-o", MODEL)
    check("a model to begin with", r.status == 0, r)
    refusals()
    not_finite()
    far_too_large()
    wrong_kinds()
    checkpoints()


main()
finish()
