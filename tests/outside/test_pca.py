#!/usr/bin/env python3
"""Bad tables, arrays, folders and models given to cotan pca and to cotan predict with its models (C1-C18, N, K, S)."""
from common import *

FOLDER = scratch("pca")
OUT = f"{FOLDER}/out.safetensors"
GOOD = "a,b,class\n1,2,x\n2,1,y\n4,3,x\n0,5,y\n3,2,x\n"


def npy(shape, values, kind="<f8", order=False):
    head = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}"
    head = head.encode() + b" " * (63 - (10 + len(head)) % 64) + b"\n"
    code = {"f8": "d", "f4": "f"}[kind[1:]]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + struct.pack(f"{kind[0]}{len(values)}{code}", *values)


NAN = float("nan")
# code, exit status, parts of the line, the file's bytes, words beside -o OUT
TABLES = [
    ("C1 empty", 3, ["bad.csv: "], "", ()),
    ("C1 a header only", 3, ["0 records"], "a,b\n", ()),
    ("C2", 3, ["bad.csv:1204:", "9", "10"], "".join(",".join("1" * 10) + "\n" for _ in range(1203)) + ",".join("1" * 9) + "\n", ("--no-header",)),
    ("C2 one too many", 3, ["bad.csv:3:", "3", "2"], "a,b\n1,2\n1,2,3\n", ()),
    ("C3", 3, ["bad.csv:2:3: "], 'a,b\n1,"2\n3,4\n', ()),
    ("C4 behind a quote", 3, ["bad.csv:2:"], 'a,b\n1,"2"x\n', ()),
    ("C4 a quote inside", 3, ["bad.csv:2:"], 'a,b\n1,2"3\n', ()),
    ("C5", 3, ["bad.csv:3:3: ", "12abc", 'column 2 "b"'], "a,b\n1,2\n3,12abc\n", ()),
    ("C6", 3, ["bad.csv:2:1: ", "1e400"], "a,b\n1e400,2\n", ()),
    ("squares that overflow", 6, ["bad.csv: ", "overflow"], "a,b\n1,1e200\n2,-1e200\n3,1e200\n", ()),
    ("squares that overflow, in batches", 6, ["bad.csv: ", "overflow"], "a,b\n1,1e200\n2,-1e200\n3,1e200\n", ("--incremental", "-k", "1")),
    ("C7 nan", 3, ["bad.csv:3:3: ", 'column 2 "b"', "first of 2"], "a,b\n1,2\n3,nan\n4,5\n6,NA\n", ()),
    ("C7 inf", 3, ["bad.csv:2:1: ", "first of 1"], "a,b\n-inf,2\n1,2\n", ()),
    ("C7 an empty field", 3, ["bad.csv:3:1: ", "first of 3"], "a,b\n1,2\n,\n4,\n", ()),
    ("C7 an empty target", 3, ["bad.csv:3:3: ", "empty target"], "a,b\n1,x\n2,\n", ("--target", "b")),
    ("C7 in batches", 3, ["bad.csv:3:3: ", "first of 2"], "a,b\n1,2\n3,nan\n4,5\n6,NA\n", ("--incremental", "--batch", "2", "-k", "1")),
    ("C8", 3, ["bad.csv:2:1: ", "3,14", "."], "a;b\n3,14;2\n", ()),
    ("C9 UTF-16", 3, ["UTF-16"], "a,b\n1,2\n".encode("utf-16"), ()),
    ("C10", 3, ["bad.csv:2:"], b"a,b\n1\x00,2\n", ()),
    ("C14 a name twice", 3, ["bad.csv:1:", '"a"'], "a,b,a\n1,2,3\n", ()),
    ("C14 two without a name", 3, ["bad.csv:1:1: ", "column 3"], "a,,\n1,2,3\n2,3,5\n", ()),
    ("C14 no such target", 3, ["clas", "class", "a"], GOOD, ("--target", "clas")),
    ("C17 hexadecimal", 3, ["bad.csv:2:1: ", "0x1p3"], "a,b\n0x1p3,2\n", ()),
    ("C17 a line in a number", 3, ["bad.csv:2:3: ", "1_000"], "a,b\n1,1_000\n", ()),
    ("a target alone", 3, ["no column beside"], "a\n1\n2\n", ("--target", "a")),
    ("a class as a feature", 3, ["bad.csv:2:5: ", "x"], GOOD, ()),
    ("one record", 3, ["1 record"], "a,b\n1,2\n", ()),
    ("more components than there are", 2, ["4 components", "1 to 2"], "a,b\n1,2\n3,4\n5,5\n", ("-k", "4")),
    ("more components than a batch", 2, ["batch of [2,4]", "3 components"], "a,b,c,d\n" + "1,2,3,4\n" * 9, ("--incremental", "-k", "3", "--batch", "2")),
    ("not text at all", 3, ["bad.csv:2:1: "], bytes(range(1, 256)) * 4, ()),
    ("gzip", 3, ["gzip"], gzip.compress(GOOD.encode()), ()),
    ("a transform for a table", 2, ["pictures"], GOOD, ("--target", "class", "--transform", "resize 8")),
    ("npy NaN", 6, ["nan", "[1,0]"], npy("(3, 2)", [1, 2, NAN, 4, 5, 7]), ()),
    ("npy infinity, in batches", 6, ["inf"], npy("(3, 2)", [1, 2, 3, 4, float("inf"), 7]), ("--incremental", "-k", "1", "--batch", "2")),
    ("npy a target", 2, ["target", '"y"'], npy("(3, 2)", [1, 2, 3, 4, 5, 7]), ("--target", "y")),
    ("npy N11", 3, ["[N,D]"], npy("()", [1]), ()),
    ("npy N11 no records", 3, ["[0,3]"], npy("(0, 3)", []), ()),
    ("npy N10", 3, ["bytes"], npy("(3, 2)", [1, 2, 3, 4, 5]), ()),
    ("npy N10 in batches", 3, ["bytes"], npy("(3, 2)", [1, 2, 3, 4, 5]), ("--incremental", "-k", "1")),
    ("npy N1", 3, [], b"\x93NUMPX" + npy("(1, 2)", [1, 2])[6:], ()),
    ("npy N6", 3, ["U8"], npy("(1, 2)", [1, 2]).replace(b"<f8", b"<U8"), ()),
    ("idx I7", 3, ["bytes"], idx_bytes(0x803, [3, 2, 2], range(11)), ()),
]

OPTIONS = [
    ("K1", ["--componets", "--components"], "--componets", "3"),
    ("K1 of another verb", ["--epochs"], "--epochs", "3"),
    *((f"K2 {v}", ["--variance: ", v], "--variance", v) for v in ("nan", "-0.1", "2", "0,5", "")),
    *((f"K3 {v}", ["-k: ", v or "empty"], "-k", v) for v in ("0", "-1", "1.5", "x", "")),
    ("a solver", ["--solver: svdd", "svd"], "--solver", "svdd"),
    ("a delimiter", ["--delimiter: ::"], "--delimiter", "::"),
    ("a digit as delimiter", ["--delimiter: 1"], "--delimiter", "1"),
    ("K12 -k and --variance", ["components", "variance"], "-k", "1", "--variance", "0.5"),
    ("K12 --incremental and --variance", ["--incremental"], "--incremental", "--variance", "0.5"),
    ("K12 --incremental and --solver", ["--incremental"], "--incremental", "--solver", "svd"),
]


def tables():
    for code, status, parts, content, more in TABLES:
        bad = write(f"{FOLDER}/bad.csv", content)
        refused(code, status, parts, "pca", "--quiet", bad, *more, "-o", OUT, folder=FOLDER, files=[bad])
    write(f"{FOLDER}/bad.csv", "x" * (80 << 20))
    refused("C12 80 MB without a line's end", 5, ["bad.csv:1:", "64"], "pca", "--quiet", f"{FOLDER}/bad.csv", folder=FOLDER, files=[f"{FOLDER}/bad.csv"])
    write(f"{FOLDER}/bad.csv", ",".join(f"c{i}" for i in range(1000000)) + "\n")
    refused("C13 10^6 columns", 5, ["65536"], "pca", "--quiet", f"{FOLDER}/bad.csv", folder=FOLDER, files=[f"{FOLDER}/bad.csv"])


def options():
    data = write(f"{FOLDER}/good.csv", GOOD)
    for code, parts, *words in OPTIONS:
        refused(code, 2, parts, "pca", "--quiet", data, "--target", "class", *words, folder=FOLDER)
    refused("no data", 2, ["cotan pca DATA"], "pca", folder=FOLDER)
    refused("two data", 2, ["2 words"], "pca", data, data, folder=FOLDER)
    refused("no such file", 4, ["none.csv", "No such file"], "pca", f"{FOLDER}/none.csv", folder=FOLDER)
    refused("no folder for the output", 4, [f"{FOLDER}/none/"], "pca", "--quiet", data, "--target", "class", "-o", f"{FOLDER}/none/m.safetensors", folder=FOLDER)
    write(OUT, "mine")
    refused("K8 exists", 2, ["exists", "--force"], "pca", "--quiet", data, "--target", "class", "-o", OUT, folder=FOLDER)
    os.remove(OUT)
    array = write(f"{FOLDER}/x.safetensors", GOOD)
    refused("K8 the data", 2, ["is the data"], "pca", "--quiet", "--force", array, "--target", "class", "-o", array, folder=FOLDER)


def folders():
    os.mkdir(f"{FOLDER}/empty")
    refused("F1", 3, ["empty"], "pca", "--quiet", f"{FOLDER}/empty", "-o", OUT, folder=FOLDER)
    os.makedirs(f"{FOLDER}/photos/cat")
    write(f"{FOLDER}/photos/cat/a.png", "no picture")
    refused("F3", 3, ["a.png"], "pca", "--quiet", f"{FOLDER}/photos", "-o", OUT, folder=FOLDER, any_memory=True)
    head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }\n"
    os.makedirs(f"{FOLDER}/four/cat")
    for i in range(4):
        write(f"{FOLDER}/four/cat/{i}.npy", b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + bytes([i, 3 * i % 4, 9, 50 * i]))
    made = cotan("pca", "--quiet", f"{FOLDER}/four/", "-o", f"{FOLDER}/four.safetensors")
    told = cotan("predict", f"{FOLDER}/four.safetensors", f"{FOLDER}/four/", "--limit", "2")
    check("scores of pictures stand beside their paths", made.status == 0 and [x.split("\t")[0] for x in told.out.splitlines()] == [f"{FOLDER}/four/cat/{i}.npy" for i in range(2)], (made, told))
    data_set(f"{FOLDER}/digits", train=40, test=10)
    refused("a target of pictures", 2, ["target"], "pca", "--quiet", f"{FOLDER}/digits", "--target", "class", "-o", OUT, folder=FOLDER)
    refused("F8", 2, ["transform:1:1: ", "shrink"], "pca", "--quiet", f"{FOLDER}/digits", "--transform", "shrink", "-o", OUT, folder=FOLDER)
    said = cotan("pca", "--json", f"{FOLDER}/digits", "--transform", "resize 5x5")
    read_from = cotan("pca", "--json", f"{FOLDER}/digits", "--transform", "@" + write(f"{FOLDER}/steps", "resize 5x5\n"))
    check("--transform @FILE", said.status == 0 and json.loads(said.out)["features"] == 25 and read_from.out == said.out, (said, read_from))


# ---- models ----

def header_of(model):
    content = read(model)
    n = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:8 + n]), content[8 + n:]


def with_header(head, data):
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


def models():
    data = write(f"{FOLDER}/good.csv", GOOD)
    model = f"{FOLDER}/m.safetensors"
    r = cotan("pca", data, "--target", "class", "-o", model)
    check("a model to begin with", r.status == 0, r)
    refused("--top of scores", 2, "names classes", "predict", model, data, "--top", "2", folder=FOLDER, any_memory=True)
    r = cotan("predict", model, data, data, "--limit", "5")
    check("--limit counts the records of all files", r.status == 0 and len(r.out.splitlines()) == min(5, 2 * (len(GOOD.splitlines()) - 1)), r)
    bad = f"{FOLDER}/bad.safetensors"
    predict = lambda code, status, parts, m=model, d=data: refused(code, status, parts, "predict", m, d, folder=FOLDER, files=[m], any_memory=True)
    write(f"{FOLDER}/other.csv", "a,c\n1,2\n")
    predict("C14 another table", 3, ['"b"', "a, c"], d=f"{FOLDER}/other.csv")
    write(f"{FOLDER}/other.csv", "b,a\n1,\n")
    predict("C7", 3, ["other.csv:2:3: ", '"a"'], d=f"{FOLDER}/other.csv")
    write(f"{FOLDER}/other.csv", "b,a\n")
    predict("C1", 3, ["0 records"], d=f"{FOLDER}/other.csv")
    write(f"{FOLDER}/other.npy", npy("(1, 3)", [1, 2, 3]))
    predict("other features", 3, ["3 features", "2"], d=f"{FOLDER}/other.npy")
    write(f"{FOLDER}/other.npy", npy("(1, 2)", [1, NAN]))
    predict("NaN", 6, ["record 0", "not finite"], d=f"{FOLDER}/other.npy")
    predict("a folder", 3, ["folder"], d=f"{FOLDER}/digits")
    predict("no such file", 4, ["none.csv"], d=f"{FOLDER}/none.csv")
    refused("no data", 2, ["MODEL"], "predict", model, folder=FOLDER)
    head, rest = header_of(model)
    for name in ("pca.mean", "pca.components", "pca.variance", "pca.ratio", "pca.singular"):
        renamed = {**head, "pcb" + name[3:]: head[name]}
        del renamed[name]
        write(bad, with_header(renamed, rest))
        predict(f"S18 without {name}", 3, [""], m=bad)  # found by its hash
    for cut in (0, 7, 100, len(read(model)) - 1):
        write(bad, read(model)[:cut])
        predict(f"cut at {cut}", 3, ["bad.safetensors"], m=bad)


def main():
    tables()
    options()
    folders()
    models()
    finish()


main()
