#!/usr/bin/env python3
"""report.html and event files: every number of the page is read back and found in metrics.jsonl, validation.jsonl or
`evaluate --json`; names are escaped whatever they hold; the page is the same from run to run but for times; in a browser
a click shows a cell's examples. What the doctor finds stands on the screen, in the log, in --json and on the page."""
import html.parser, math, zlib
from common import *

FOLDER = scratch("report")
NET = """h = maxpool2d(relu(conv2d(input(image), "c", 4, 3, pad=1)), 2)
h = tanh(linear(flatten(h), "fc", 8))
logit = linear(h, "out", classes)
"""
NAMES = [b"<script>alert(1)<", b"a \"quoted\" & 'class'", "Bäume 树".encode(), b"bad\xff\xfebytes"]
SHOWN = ["<script>alert(1)<", "a \"quoted\" & 'class'", "Bäume 树", "bad\\xff\\xfebytes"]


def png(w, h, rows):
    def chunk(kind, data=b""):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    raw = b"".join(b"\0" + rows[y * w * 3:(y + 1) * w * 3] for y in range(h))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND")


def pictures(folder, n, side=12):
    """Bars of a direction a class; one in eight is labelled wrongly, so that there are mistakes to show."""
    r = random.Random(5)
    for k, name in enumerate(NAMES):
        os.makedirs(os.path.join(folder.encode(), name), exist_ok=True)
        for i in range(n):
            kind, at = (k if i % 8 else (k + 1) % 4), r.randrange(side)
            rows = bytearray()
            for y in range(side):
                for x in range(side):
                    on = (y == at, x == at, (x + y) % side == at, (x - y) % side == at)[kind]
                    rows += bytes(r.randrange(60) + (150 if on else 0) for _ in range(3))
            with open(os.path.join(folder.encode(), name, b"%03d.png" % i), "wb") as f:
                f.write(png(side, side, bytes(rows)))
    return folder


class Page(html.parser.HTMLParser):
    """numbers: (key, text, percent); texts of <td>, cards and captions without them; every element."""
    VOID = {"meta", "img", "line", "rect", "circle", "polyline", "br"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.numbers, self.loose, self.stack, self.tags, self.all, self.sources = [], [], [], [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self.sources += [attrs[k] for k in ("src", "href", "xlink:href", "action") if k in attrs]
        if "data-v" in attrs:
            self.numbers.append([attrs["data-v"], "", "data-p" in attrs])
        if tag not in self.VOID:
            self.stack.append((tag, attrs))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.stack or self.stack[-1][0] != tag:
            raise ValueError(f"</{tag}> where {self.stack[-3:]} is open")
        self.stack.pop()

    def handle_data(self, text):
        if any(tag in ("script", "style") for tag, _ in self.stack):
            return
        self.all += text
        if any("data-v" in a for _, a in self.stack):
            self.numbers[-1][1] += text
        elif any(a.get("class") == "n" for _, a in self.stack):
            self.loose.append(text)


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def of_confusion(v, i, key):
    m = v["confusion"]
    hits, truth, told = m[i][i], sum(m[i]), sum(row[i] for row in m)
    p, r = (hits / told if told else 0), (hits / truth if truth else 0)
    return {"samples": truth, "precision": p, "recall": r, "f1": 2 * p * r / (p + r) if p + r else 0}[key]


def look_up(key, rows, records, scores):
    """The number that `key` stands for."""
    kind, *rest = key.split(".")
    if kind in ("validation", "test"):
        v = scores[kind]
        if rest[0] == "class":
            return of_confusion(v, int(rest[1]), rest[2])
        for part in rest:
            v = v[int(part)] if isinstance(v, list) else v[part]
        return v
    if kind == "epoch":
        return rows[int(rest[0]) - 1][rest[1]]
    if kind == "record":
        return records[int(rest[0])][rest[1]]
    last = [row for row in rows if row.get(kind + "s")][-1]
    return last[kind + "s"][int(rest[0])][rest[1]]


def check_numbers(what, page, run, scores):
    rows, records, seen = lines(f"{run}/metrics.jsonl"), lines(f"{run}/validation.jsonl"), set()
    for key, text, percent in page.numbers:
        plain = text.replace(",", "").replace("\u2212", "-").strip()
        want = look_up(key, rows, records, scores)
        seen.add(key.split(".")[0])
        if plain == "\u2013":
            check(f"{what}: {key} is not known", want is None, want)
            continue
        want = want * 100 if percent else want
        digits = re.fullmatch(r"-?\d+(?:\.(\d+))?(?:e(-?\d+))?", plain)
        if not check(f"{what}: {key} is a number", digits and want is not None, (text, want)):
            continue
        exponent = int(digits[2] or 0) - len(digits[1] or "")
        # three digits where the form is short: half a unit of the third
        unit = max(10.0 ** exponent, 10.0 ** (math.floor(math.log10(abs(want))) - 2) if want and exponent > -4 and "e" not in plain and len(digits[1] or "") < 1 and abs(want) >= 1000 and not isinstance(want, int) else 0)
        check(f"{what}: {key}", abs(float(plain) - want) <= 0.5000001 * unit, (text, want))
    return seen


def without_times(text):
    return re.sub(r"<h2>Where the time goes.*?(?=<h2>)", "", text, flags=re.S)


def train(folder, data, *words, name="m"):
    os.makedirs(folder, exist_ok=True)
    return cotan("train", "image", data, "-o", f"{name}.safetensors", "--net", f"{FOLDER}/small.net", "--batch", "8", "--threads", "1",
                 "--seed", "2", "--transform", "normalize mean=0.3:0.3:0.3 std=0.3:0.3:0.3", "--json", *words, cwd=folder)


def the_page(data):
    r = train(f"{FOLDER}/a", data, "--epochs", "9", "--lr", "0.005")
    if not check("a training", r.status == 0, r):
        return
    out = json.loads(r.out)
    run = f"{FOLDER}/a/m.run"
    check("--json names the page", out["report"] == "m.run/report.html", out["report"])
    with open(f"{run}/report.html", "rb") as f:
        raw = f.read()
    check("under a megabyte", 20000 < len(raw) < 1000000, len(raw))
    text = raw.decode("utf-8")  # strictly
    page = Page(text)
    check("every element is closed", not page.stack, page.stack)
    check("nothing from elsewhere", all(s.startswith("data:image/") for s in page.sources) and "@import" not in text and not re.search(r"url\((?!data:)", text), page.sources[:2])
    check("one script, ours", [t for t, _ in page.tags].count("script") == 1 and "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)", "", text))
    check("no handlers in attributes", not [a for _, a in page.tags if any(k.startswith("on") for k in a)])
    for name in SHOWN:
        check(f"the class {name}", name in page.all)
    check("it says which part", "validation part" in page.all and "The test part" in page.all)
    for what in ("The doctor", "How it learned", "What is taken for what", "The most confident mistakes", "What it looked at", "Class by class",
                 "Learning rate and gradients", "Health of the layers", "Filters of the first layer", "Where the time goes", "How it was made"):
        check(f"a section: {what}", what in page.all)
    check("pictures", sum(t == "figure" for t, _ in page.tags) > 6)
    check("the command, versions, the hash", all(s in page.all for s in ("cotan train image", "oneDNN", "hash of the data")))
    check("the test part is not touched, and it says so", "The test part was not touched" in page.all)
    check("why, for mistakes and for what is right", sum(a.get("class") == "heat" for _, a in page.tags) == 6 and "rightly so" in text[text.index("What it looked at"):text.index("Class by class")])
    check("the best epoch is marked", f"best: epoch {out['metrics']['best_epoch']}" in page.all)
    scores = {}
    v = cotan("evaluate", "m.safetensors", data, "--part", "validation", "--json", "--threads", "1", cwd=f"{FOLDER}/a")
    if not check("evaluate --part validation", v.status == 0, v):
        return
    scores["validation"] = json.loads(v.out)
    with open(f"{run}/report.html", "rb") as f:
        check("another part than the test changes nothing", f.read() == raw)
    seen = check_numbers("the page", page, run, scores)
    check("numbers of every kind", {"validation", "epoch", "record", "layer", "weight"} <= seen, seen)
    check("no number of the headline is loose", not [s for s in page.loose if re.search(r"\d", s)], page.loose)
    same_again(data, text)
    with_test(data, run, scores)


def same_again(data, text):
    r = train(f"{FOLDER}/b", data, "--epochs", "9", "--lr", "0.005")
    with open(f"{FOLDER}/b/m.run/report.html", encoding="utf-8") as f:
        again = f.read()
    check("the same page again but for times", r.status == 0 and without_times(again) == without_times(text))
    r = train(f"{FOLDER}/c", data, "--epochs", "1", "--report", "none")
    check("--report none", r.status == 0 and json.loads(r.out)["report"] is None and not os.path.exists(f"{FOLDER}/c/m.run/report.html"), r)
    r = train(f"{FOLDER}/c", data, "--epochs", "1", "--report", "page.html", "--force")
    check("--report FILE", r.status == 0 and os.path.exists(f"{FOLDER}/c/page.html"), r)
    os.makedirs(f"{FOLDER}/c/full")
    r = train(f"{FOLDER}/c", data, "--epochs", "1", "--report", "full", "--force")
    check("a page that cannot be written", r.status == 4 and "full" in r.err and not os.path.exists(f"{FOLDER}/c/m.safetensors"), r)


def with_test(data, run, scores):
    for turn in (1, 2):
        r = cotan("evaluate", "m.safetensors", data, "--json", "--threads", "1", cwd=f"{FOLDER}/a")
        if not check("evaluate", r.status == 0 and "added to" in r.err, r):
            return
        scores["test"] = json.loads(r.out)
        with open(f"{run}/report.html", encoding="utf-8") as f:
            text = f.read()
        page = Page(text)
        check("one section of the test part", text.count("which training does not read, scored by") == 1)
        check("which is no longer untouched", "not touched" not in page.all)
        check("calibration before and after", {"test.ece", "test.ece_calibrated", "test.temperature"} <= {k for k, _, _ in page.numbers})
        check("its numbers", "test" in check_numbers(f"after evaluate, {turn}", page, run, scores))
    shutil.copy(f"{FOLDER}/a/m.safetensors", f"{FOLDER}/alone.safetensors")
    r = cotan("evaluate", "alone.safetensors", data, cwd=FOLDER)
    check("no run beside the model", r.status == 0 and "added to" not in r.err and not os.path.exists(f"{FOLDER}/alone.run"), r)


PROBE = """<script>
var seen = {cells: document.querySelectorAll("[data-e]").length, first: document.querySelectorAll(".shown figure").length};
var cell = document.querySelectorAll("td.d[data-e]")[0];
cell.click();
seen.on = cell.classList.contains("on");
seen.figures = document.querySelectorAll(".shown figure").length;
seen.wanted = cell.dataset.e.split(",").length;
seen.line = document.querySelector(".shown p").textContent === cell.title;
seen.broken = Array.prototype.filter.call(document.images, function (i) { return i.complete && i.naturalWidth === 0; }).length;
seen.heat = Array.prototype.filter.call(document.querySelectorAll("figure .over"), function (d) {
  var a = d.children[0].getBoundingClientRect(), b = d.children[1].getBoundingClientRect();
  return a.width > 40 && Math.abs(a.width - b.width) < 1 && Math.abs(a.height - b.height) < 1 && Math.abs(a.top - b.top) < 1;
}).length;
window.dispatchEvent(new Event("beforeprint"));
seen.printed = document.querySelectorAll("details:not([open])").length;
window.dispatchEvent(new Event("afterprint"));
seen.folded = document.querySelectorAll("details:not([open])").length;
seen.wide = document.documentElement.scrollWidth > window.innerWidth;
seen.errors = window.errors;
document.title = "seen " + JSON.stringify(seen);
</script></body>"""


def in_a_browser():
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        print("skipped: no chromium to look at the page with")
        return
    with open(f"{FOLDER}/a/m.run/report.html", encoding="utf-8") as f:
        text = f.read()
    text = text.replace("<head>", "<head><script>window.errors = 0; window.onerror = function () { window.errors++; };</script>", 1).replace("</body>", PROBE)
    page = write(f"{FOLDER}/probe.html", text)
    for width in (500, 1200):
        r = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={FOLDER}/browser", f"--window-size={width},900",
                            "--virtual-time-budget=5000", "--dump-dom", f"file://{page}"], capture_output=True, text=True, timeout=300)
        title = re.search(r"<title>seen (.*?)</title>", r.stdout)
        if not check(f"the browser at {width}", title, r.stderr[-500:]):
            return
        seen = json.loads(title[1].replace("&quot;", '"'))
        check(f"a click at {width}", seen["on"] and seen["figures"] == seen["wanted"] > 0 and seen["line"] and seen["first"] > 0, seen)
        check(f"heat lies on its picture at {width}", seen["heat"] == 6, seen)
        check(f"what is folded is printed at {width}", seen["printed"] == 0 and seen["folded"] >= 3, seen)
        check(f"no error, no broken picture, nothing too wide at {width}", seen["errors"] == 0 and seen["broken"] == 0 and not seen["wide"], seen)


def the_doctor(data):
    r = train(f"{FOLDER}/d", data, "--epochs", "8", "--lr", "1e-9")
    if not check("a training with a fault", r.status == 0, r):
        return
    findings = json.loads(r.out)["findings"]
    kinds = [f["fault"] for f in findings]
    check("it is found", "small_updates" in kinds, kinds)
    told = [line for line in r.err.splitlines() if line.startswith("  doctor ")]
    check("one line each on the screen", len(told) == len(findings) and all(f["text"] in line and f["advice"] in line for f, line in zip(findings, told)), r.err)
    rows = lines(f"{FOLDER}/d/m.run/metrics.jsonl")
    check("they stand in the log", rows[-1]["findings"] == findings or [f["text"] for f in rows[-1]["findings"]] == [f["text"] for f in findings], rows[-1].get("findings"))
    with open(f"{FOLDER}/d/m.run/report.html", encoding="utf-8") as f:
        page = Page(f.read())
    check("and on the page", all(f["text"] in page.all for f in findings))
    sound = train(f"{FOLDER}/e", data, "--epochs", "8", "--lr", "0.003")
    check("a sound training", sound.status == 0 and json.loads(sound.out)["findings"] == [], sound.out)
    off = train(f"{FOLDER}/f", data, "--epochs", "8", "--lr", "0.003", "--doctor", "off")
    check("--doctor off is the same model", off.status == 0 and same(f"{FOLDER}/e/m.safetensors", f"{FOLDER}/f/m.safetensors"), off)
    check("and no word of it", "layers" not in lines(f"{FOLDER}/f/m.run/metrics.jsonl")[-1])
    burst = train(f"{FOLDER}/g", data, "--epochs", "2", "--lr", "1e29")
    check("what is not finite", burst.status == 6 and "try a lower --lr" in burst.err and re.search(r'doctor +[\w+]+( after)? "[^"]+": element', burst.err), burst)


# ---- event files ----

def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def fields(data):
    """The fields of a protobuf message: {number: [values]}."""
    def varint(at):
        v = shift = 0
        while True:
            v |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return v, at
    out, at = {}, 0
    while at < len(data):
        key, at = varint(at)
        if key & 7 == 0:
            v, at = varint(at)
        elif key & 7 == 1:
            v, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif key & 7 == 5:
            v, at = struct.unpack_from("<f", data, at)[0], at + 4
        else:
            n, at = varint(at)
            v, at = data[at:at + n], at + n
        out.setdefault(key >> 3, []).append(v)
    return out


def events(path):
    with open(path, "rb") as f:
        data = f.read()
    at, out = 0, []
    while at < len(data):
        n, crc = struct.unpack_from("<QI", data, at)
        body = data[at + 12:at + 12 + n]
        ok = crc == masked(data[at:at + 8]) and struct.unpack_from("<I", data, at + 12 + n)[0] == masked(body)
        if not check("the checksums of a record", ok, at):
            return out
        out.append(fields(body))
        at += 16 + n
    return out


def scalars(path):
    out = {}
    for event in events(path):
        for summary in event.get(5, []):
            for value in fields(summary)[1]:
                v = fields(value)
                out.setdefault(v[1][0].decode(), []).append((event[2][0], v[2][0]))
    return out


def tensorboard(data):
    check("CRC32C of the standard's example", crc32c(b"123456789") == 0xe3069283)
    r = train(f"{FOLDER}/t", data, "--epochs", "5", "--lr", "0.003", "--tensorboard", "tb")
    files = sorted(os.listdir(f"{FOLDER}/t/tb")) if r.status == 0 else []
    if not check("an event file", len(files) == 1 and files[0].startswith("events.out.tfevents."), (r, files)):
        return
    path = f"{FOLDER}/t/tb/{files[0]}"
    first = events(path)[0]
    check("its version", first[3] == [b"brain.Event:2"] and abs(first[1][0] - time.time()) < 3600, first)
    rows, told = lines(f"{FOLDER}/t/m.run/metrics.jsonl"), scalars(path)
    for tag, key in (("loss/epoch", "loss"), ("loss/train", "train_loss"), ("accuracy/train", "train_accuracy"), ("loss/validation", "validation_loss"), ("accuracy/validation", "validation_accuracy")):
        check(tag, [s for s, _ in told[tag]] == [row["steps"] for row in rows] and
              all(abs(v - row[key]) <= 1e-6 * abs(row[key]) for (_, v), row in zip(told[tag], rows)), told[tag])
    check("a loss and a rate every step", [s for s, _ in told["loss/step"]] == list(range(1, rows[-1]["steps"] + 1)) and len(told["learning_rate"]) == rows[-1]["steps"])
    check("the doctor's numbers", {"active/c", "saturated/fc", "gradient/c.weight", "update/fc.weight"} <= set(told), sorted(told))
    r = train(f"{FOLDER}/t", data, "--epochs", "1", "--tensorboard", f"{FOLDER}/small.net", name="n")
    check("a file in the folder's place", r.status == 4 and "small.net" in r.err, r)


write(f"{FOLDER}/small.net", NET)
DATA = pictures(f"{FOLDER}/data", 64)
the_page(DATA)
in_a_browser()
the_doctor(DATA)
tensorboard(DATA)
finish()
