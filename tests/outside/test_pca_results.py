#!/usr/bin/env python3
"""What cotan pca writes, and what cotan predict makes of it: values, files, the same bytes however it is run, memory."""
import array, base64, html.parser, math
from common import *

FOLDER = scratch("pca_results")
RECORDS, FEATURES = 60, 4


def table(seed=5):
    r = random.Random(seed)
    rows = []
    for i in range(RECORDS):
        a, b = r.gauss(0, 3), r.gauss(0, 1)
        rows.append([a + r.gauss(0, .1), 2 * a + b, b - 1, r.gauss(5, .5)])
    return rows


ROWS = table()
NAMES = ["length", "width", 'a "b", c', "é"]
CLASSES = [("red", "green", "blue, dark")[i % 3] for i in range(RECORDS)]


def quoted(text):
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in '",') else text


def csv(rows=ROWS, end="\n", delimiter=",", target=True):
    lines = [delimiter.join([*map(quoted, NAMES), *(["kind"] if target else [])])]
    for row, kind in zip(rows, CLASSES):
        lines.append(delimiter.join([*map(repr, row), *([quoted(kind)] if target else [])]))
    return end.join(lines) + end


def npy(rows, name):
    flat = array.array("d", [v for row in rows for v in row])
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}".encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    return write(f"{FOLDER}/{name}", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + flat.tobytes())


def good(*words, **more):
    r = cotan(*map(str, words), **more)
    check(f"{words} ends well", r.status == 0, r)
    return r


def result(*words, **more):
    return json.loads(good("pca", "--json", "--quiet", *words, **more).out)


def near(a, b, tolerance=1e-12):
    return len(a) == len(b) and all(abs(x - y) <= tolerance * max(1, abs(x), abs(y)) for x, y in zip(a, b))


def tensors(model):
    content = read(model)
    n = struct.unpack("<Q", content[:8])[0]
    head = json.loads(content[8:8 + n])
    doc = head.pop("__metadata__")
    values = {}
    for name, t in head.items():
        begin, end = t["data_offsets"]
        code = {"F64": "d", "F32": "f"}[t["dtype"]]
        values[name] = (t["shape"], list(array.array(code, content[8 + n + begin:8 + n + end])))
    return values, doc


# ---- values ----

def check_values(data):
    model = f"{FOLDER}/m.safetensors"
    v = result(data, "--target", "kind", "-o", model)
    mean = [sum(row[k] for row in ROWS) / RECORDS for k in range(FEATURES)]
    total = sum((row[k] - mean[k]) ** 2 for row in ROWS for k in range(FEATURES)) / (RECORDS - 1)
    ratio, variance, singular = v["explained_variance_ratio"], v["explained_variance"], v["singular_values"]
    check("counts", (v["records"], v["features"], v["components"]) == (RECORDS, FEATURES, FEATURES), v)
    check("the variances make the total", near([sum(variance), v["total_variance"]], [total, total]), (variance, total))
    check("shares", near(ratio, [x / total for x in variance]) and abs(sum(ratio) - 1) < 1e-12 and ratio == sorted(ratio)[::-1], ratio)
    check("singular values", near([s * s / (RECORDS - 1) for s in singular], variance), singular)
    check("no error when all is kept", v["mean_squared_error"] < 1e-25, v["mean_squared_error"])
    t, _ = tensors(model)
    rows = [t["pca.components"][1][i * FEATURES:(i + 1) * FEATURES] for i in range(FEATURES)]
    dot = [sum(a * b for a, b in zip(x, y)) for x in rows for y in rows]
    check("components of length 1, at right angles", near(dot, [float(i == j) for i in range(FEATURES) for j in range(FEATURES)]), dot)
    check("their largest weight is positive", all(max(row, key=abs) > 0 for row in rows), rows)
    scores = [sum((x - m) * w for x, m, w in zip(ROWS[7], mean, row)) for row in rows]
    lines = read(f"{FOLDER}/m.run/scores.csv").decode().splitlines()
    check("scores.csv: a header and a line a record", lines[0] == "record,pc1,pc2,pc3,pc4,kind" and len(lines) == RECORDS + 1, lines[:2])
    check("its scores", near([float(x) for x in lines[8].split(",")[1:5]], scores), (lines[8], scores))
    check("its classes", lines[1].endswith(",red") and lines[3].endswith(',"blue, dark"'), lines[1:4])
    p = [json.loads(line) for line in good("predict", "--json", model, data).out.splitlines()]
    check("predict gives the scores", len(p) == RECORDS and near(p[7]["scores"], scores) and p[7]["index"] == 7 and p[7]["path"] == data, p[7:8])
    line = good("predict", "--limit", "3", model, data).out.splitlines()
    check("and as text", len(line) == 3 and near([float(x) for x in line[2].split("\t")], [2, *p[2]["scores"]]), line)
    net = t["transform.weight"][1], t["transform.bias"][1]
    y = [sum(x * w for x, w in zip(ROWS[7], net[0][i * FEATURES:(i + 1) * FEATURES])) + net[1][i] for i in range(FEATURES)]
    check("the net in the model is near", near(y, scores, 1e-5), (y, scores))


def check_options(data):
    whole = result(data, "--target", "kind")
    two = result(data, "--target", "kind", "-k", "2")
    check("-k", near(two["explained_variance_ratio"], whole["explained_variance_ratio"][:2]) and two["components"] == 2, two)
    rest = whole["explained_variance"][2:]
    check("the noise is the mean of what was left", near([two["noise_variance"]], [sum(rest) / len(rest)]), two)
    share = whole["explained_variance_ratio"]
    check("--variance", result(data, "--target", "kind", "--variance", repr((share[0] + share[0] + share[1]) / 2))["components"] == 2, share)
    for solver in ("svd", "covariance", "randomised"):
        v = result(data, "--target", "kind", "-k", "3", "--solver", solver)
        check(f"--solver {solver}", near(v["explained_variance"], whole["explained_variance"][:3], 1e-9), v)
    model = f"{FOLDER}/w.safetensors"
    v = result(data, "--target", "kind", "--scale", "--whiten", "-o", model)
    check("--scale: as many variances as features", near([sum(v["explained_variance"])], [FEATURES * RECORDS / (RECORDS - 1)]), v)
    p = [json.loads(line)["scores"] for line in good("predict", "--json", model, data).out.splitlines()]
    for k in range(FEATURES):
        column = [row[k] for row in p]
        check("--whiten: variance 1", near([sum(column), sum(x * x for x in column) / (RECORDS - 1)], [0, 1], 1e-9), column)


# ---- forms of the same data ----

def check_forms(data):
    wanted = result(data, "--target", "kind")
    forms = {"CRLF": csv(end="\r\n"), "CR": csv(end="\r"), "BOM": b"\xef\xbb\xbf" + csv().encode(), "no last end": csv()[:-1],
             "blank lines at the end": csv() + "\n\n", "semicolons": csv(delimiter=";"), "tabs": csv(delimiter="\t")}
    forms["spaces and plus"] = csv(rows=ROWS).replace("\n" + repr(ROWS[3][0]), "\n +" + repr(abs(ROWS[3][0])) + " ") if ROWS[3][0] > 0 else csv()
    for name, content in forms.items():
        check(f"C9, C11: {name}", result(write(f"{FOLDER}/form.csv", content), "--target", "kind") == wanted)
    check("another delimiter", result(write(f"{FOLDER}/form.csv", csv(delimiter="|")), "--target", "kind", "--delimiter", "|") == wanted)
    check("tab by name", result(write(f"{FOLDER}/form.csv", csv(delimiter="\t")), "--target", "kind", "--delimiter", "tab") == wanted)
    array_of = npy(ROWS, "x.npy")
    check("an array", result(array_of) == wanted)
    child = subprocess.run([COTAN, "pca", "--json", "--quiet", "-", "--target", "kind"], input=read(data), capture_output=True, timeout=120)
    check("standard input", child.returncode == 0 and json.loads(child.stdout) == wanted, child)
    for locale in ("de_DE.UTF-8", "tr_TR.UTF-8"):
        check(f"K13 {locale}", result(data, "--target", "kind", env={**os.environ, "LC_ALL": locale}) == wanted)
    bare = write(f"{FOLDER}/bare.csv", "".join(csv(target=False).splitlines(True)[1:]))
    check("--no-header", result(bare, "--no-header") == wanted)
    model = f"{FOLDER}/bare.safetensors"
    good("pca", bare, "--no-header", "-o", model)
    good("predict", model, bare, "--no-header")
    r = good("pca", bare)
    check("names that are all numbers are told", "--no-header" in r.err, r.err)
    moved = write(f"{FOLDER}/moved.csv", "\n".join(",".join(line.split(",")[::-1]) for line in csv(target=False).replace('"a ""b"", c"', "x").splitlines()) + "\n")
    straight = write(f"{FOLDER}/straight.csv", csv(target=False).replace('"a ""b"", c"', "x"))
    good("pca", straight, "-o", f"{FOLDER}/s.safetensors")
    a, b = (good("predict", f"{FOLDER}/s.safetensors", f).out for f in (straight, moved))
    check("columns are found by name", a == b)


# ---- the same bytes ----

def check_bytes(data):
    for name, words in (("whole", ()), ("randomised", ("--solver", "randomised", "-k", "2")), ("incremental", ("--incremental", "-k", "2", "--batch", "16", "--scale"))):
        kept = []
        for threads in (1, 2, 5):
            model = f"{FOLDER}/t.safetensors"
            good("pca", data, "--target", "kind", *words, "--threads", threads, "--force", "-o", model)
            kept.append((read(model), read(f"{FOLDER}/t.run/scores.csv"), read(f"{FOLDER}/t.run/report.html")))
        check(f"{name}: the same bytes with 1, 2 and 5 threads", kept[0] == kept[1] == kept[2])
    a, b = result(data, "--target", "kind"), result(data, "--target", "kind", "--incremental", "--batch", "16")
    check("in batches, all kept: the whole's", near(a["explained_variance"], b["explained_variance"], 1e-9), (a, b))
    c = result(npy(ROWS, "x.npy"), "--incremental", "--batch", "16", "--scale")
    d = result(data, "--target", "kind", "--scale")
    check("with scales too", near(c["explained_variance"], d["explained_variance"], 1e-9), (c, d))


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)


def check_report():
    text = read(f"{FOLDER}/m.run/report.html").decode()
    page = Page()
    page.feed(text)
    tags = [t for t, _ in page.tags]
    circles = [a for t, a in page.tags if t == "circle"]
    check("two plots, a bar a component", tags.count("svg") == 2 and sum(a.get("class") == "bar" for t, a in page.tags if t == "rect") == FEATURES, tags)
    check("a point a record, and the sums", len(circles) == RECORDS + FEATURES, len(circles))
    check("three classes have three colours", len({a["fill"] for a in circles[FEATURES:]}) == 3, circles[-3:])
    check("all within the frame", all(0 <= float(a["cx"]) <= 640 and 0 <= float(a["cy"]) <= 400 for a in circles))
    check("nothing from elsewhere, no script", not {"script", "link", "img", "iframe"} & set(tags) and "http" not in text.replace("http://www.w3.org/2000/svg", ""))
    check("a point tells its record", "record 2: blue, dark" in page.words, page.words[:9])
    check("names are text", all(word in "".join(page.words) for word in ("blue, dark", 'a "b", c', "é")))
    config = json.loads(read(f"{FOLDER}/m.run/config.json"))
    check("config.json", config["task"] == "pca" and config["target"] == "kind" and config["command"].startswith("cotan pca "), config)
    check("the files of a run", set(os.listdir(f"{FOLDER}/m.run")) == {"config.json", "report.html", "scores.csv", "lock"}, os.listdir(f"{FOLDER}/m.run"))


# ---- pictures ----

def check_bitmaps(report, t, side):
    """The mean in grey, from black to white; a weight 0 is white, the largest is full orange or blue."""
    page = Page()
    page.feed(read(report).decode())
    pictures = [a for tag, a in page.tags if tag == "img"]
    check("the mean and the components as pictures", [a["alt"] for a in pictures] == ["mean", "component 1", "component 2", "component 3"], pictures)
    values = [t["pca.mean"][1]] + [t["pca.components"][1][i * side * side:][:side * side] for i in range(3)]
    line = side * 3 + -side * 3 % 4
    for i, (a, v) in enumerate(zip(pictures, values)):
        kind, _, code = a["src"].partition(",")
        b = base64.b64decode(code, validate=True)
        head = struct.unpack("<2sIIIIiiHHIIIIII", b[:54])
        check("a BMP of 24 bits", kind == "data:image/bmp;base64" and head == (b"BM", len(b), 0, 54, 40, side, side, 1, 24, 0, line * side, 0, 0, 0, 0), head)
        pixel = lambda k: tuple(b[54 + (side - 1 - k // side) * line + k % side * 3:][:3])
        if i == 0:
            low, high = min(v), max(v)
            wanted = [(round(255 * (x - low) / (high - low)),) * 3 for x in v]
        else:
            most = max(map(abs, v))
            wanted = [tuple(round(255 + (c - 255) * abs(x) / most) for c in ((178, 114, 0) if x < 0 else (0, 94, 213))) for x in v]
        check("its pixels", all(abs(x - y) <= 1 for k in range(side * side) for x, y in zip(pixel(k), wanted[k])), i)
    check("a point tells its record's class", any(w.startswith("record 3: ") and len(w) == 11 for w in page.words), page.words[-99:])


def check_pictures():
    data = data_set(f"{FOLDER}/digits", train=90, test=20, side=6)
    model = f"{FOLDER}/d.safetensors"
    v = result(data, "-k", "3", "-o", model)
    check("a folder of idx files: the training part", (v["records"], v["features"]) == (90, 36), v)
    lines = read(f"{FOLDER}/d.run/scores.csv").decode().splitlines()
    check("scores with classes and paths", lines[0] == "record,pc1,pc2,pc3,class,path" and len(lines) == 91, lines[:2])
    flat = [[p / 255 for p in read(f"{data}/train-images-idx3-ubyte")[16 + 36 * i:16 + 36 * i + 36]] for i in range(90)]
    w = result(npy(flat, "flat.npy"), "-k", "3")
    check("as the bytes / 255 as an array", near(v["explained_variance"], w["explained_variance"], 1e-6), (v, w))
    t, _ = tensors(model)
    p = [json.loads(l) for l in good("predict", "--json", model, f"{data}/train-images-idx3-ubyte").out.splitlines()]
    row = [float(x) for x in lines[8].split(",")[1:4]]
    check("the scores of an idx file", len(p) == 90 and near(p[7]["scores"], row, 1e-9) and p[7]["index"] == 7, (p[7:8], row))
    write(f"{FOLDER}/images.gz", gzip.compress(read(f"{data}/t10k-images-idx3-ubyte")))
    test = [json.loads(l)["scores"] for l in good("predict", "--json", model, f"{FOLDER}/images.gz").out.splitlines()]
    both = [json.loads(l)["scores"] for l in good("predict", "--json", model, data).out.splitlines()]
    check("of a packed one, and of all pictures of the folder", len(test) == 20 and near(sum(both, []), sum([v["scores"] for v in p] + test, []), 1e-9), (both[:2], both[90:92], test[:2]))
    refused("labels for pictures", 3, ["images and labels exchanged"], "predict", model, f"{data}/train-labels-idx1-ubyte", folder=FOLDER)
    check_bitmaps(f"{FOLDER}/d.run/report.html", t, 6)
    check("resized by the transform", result(data, "-k", "3", "--transform", "resize 3x3")["features"] == 9)
    check("the same in batches, all kept", near(result(data, "--incremental")["explained_variance"], result(data)["explained_variance"], 1e-6))


# ---- memory ----

PEAK = "import os,sys\np=os.fork()\nif p==0:\n f=os.open('/dev/null',os.O_WRONLY);os.dup2(f,1);os.dup2(f,2);os.execv(sys.argv[1],sys.argv[1:])\n_,s,u=os.wait4(p,0)\nprint(s,u.ru_maxrss)"
WRITE = """import array,random,struct,sys
r=random.Random(1)
block=array.array('d',[r.gauss(0,1+i%50/10) for i in range(50*2000)]).tobytes()
head=b"{'descr': '<f8', 'fortran_order': False, 'shape': (160000, 50), }"
head+=b' '*(63-(10+len(head))%64)+b'\\n'
with open(sys.argv[1],'wb') as f:
 f.write(b'\\x93NUMPY\\x01\\x00'+struct.pack('<H',len(head))+head)
 for i in range(80): f.write(block)
"""


def peak(*words):
    """Kilobytes, from a small process: a child's peak begins with its parent's size."""
    r = subprocess.run([sys.executable, "-S", "-E", "-c", PEAK, COTAN, *words], capture_output=True, text=True, timeout=240)
    status, kilobytes = map(int, r.stdout.split())
    check(f"{words} ends well", status == 0, r)
    return kilobytes


def check_memory():
    big = f"{FOLDER}/big.npy"
    subprocess.run([sys.executable, "-c", WRITE, big], check=True)
    base = peak("pca", npy(ROWS, "x.npy"), "--incremental", "-k", "2", "--threads", "1")
    for words in (("-k", "5"), ("-k", "5", "--scale", "-o", f"{FOLDER}/big.safetensors")):
        used = peak("pca", big, "--incremental", "--threads", "1", *words) - base
        check("in batches: at most a tenth of the file", used <= os.path.getsize(big) // 10240, (used, base))
    os.remove(big)


def main():
    data = write(f"{FOLDER}/x.csv", csv())
    check_values(data)
    check_report()
    check_options(data)
    check_forms(data)
    check_bytes(data)
    check_pictures()
    if not SANITIZED:
        check_memory()
    finish()


main()
