#!/usr/bin/env python3
"""Picture files, case by case (G1 to G16), given to predict alone and among others: what is refused with which words, what is
read. The files are those of tests/images/samples.bin, which samples.py wrote, and some that are too large to keep."""
import zlib
from common import *

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = scratch("pictures")
MODEL = f"{FOLDER}/m.safetensors"
STATUS = {"data": 3, "limit": 5}


def load():
    found, blob, at = {}, read(f"{HERE}/../images/samples.bin"), 0
    with open(f"{HERE}/../images/samples.txt", encoding="utf-8") as f:
        for line in f:
            name, size, kind, text = line.rstrip("\n").split(" ", 3)
            found.setdefault(name, (kind, text, blob[at:at + int(size)]))
            at += int(size)
    check("the samples fill the file", at == len(blob), (at, len(blob)))
    return found


SAMPLES = load()
CASES = {  # code: the files that are refused, with the words of samples.txt
    "G1": ["empty.png", "text_as.png", "bytes.png"],
    "G2": ["huge.png", "huge.jpg"],
    "G3": ["width_0.png", "height_0.png", "width_big.png", "height_0.jpg", "pair_16_3.png", "pair_4_2.png", "pair_3_0.png", "pair_0_0.png", "pair_8_1.png", "pair_8_5.png",
           "pair_8_7.png", "pair_32_0.png", "pair_255_0.png", "interlace_2.png", "header_twice.png", "header_late.png", "header_long.png"],
    "G4": ["length_31.png", "length_32.png"],
    "G5": ["bad_crc_idat.png", "bad_crc_ihdr.png", "critical.png", "name.png"],
    "G6": ["short.png", "long.png", "not_zlib.png", "filter_9.png"],
    "G7": ["no_palette.png", "index_beyond.png", "palette_odd.png", "palette_many.png", "trns_long.png", "trns_rgba.png", "trns_grey.png", "trns_first.png"],
    "G10": ["no_idat.png", "no_iend.png"],
    "G11": ["huffman_counts.jpg", "no_quantisation.jpg", "sampling_0.jpg", "sampling_5.jpg", "two_frames.jpg", "no_frame.jpg", "no_scan.jpg", "two_components.jpg",
            "between.jpg", "short_segment.jpg"],
    "G13": ["half.jpg", "half_with_end.jpg", "no_end.jpg"],
    "G14": ["cmyk.jpg", "twelve_bits.jpg", "arithmetic.jpg", "lossless.jpg"],
    "G16": ["animated.png", "animated.webp", "other.gif", "other.heic", "other.bmp", "other.tiff", "other.avif", "other.jxl"],
}
READ = {  # code: files that are read, and one that must give the same answer
    "G5": [("bad_crc_ancillary.png", "text.png")],
    "G15": [("restart_1.jpg", None), ("restart_3.jpg", None), ("restart_7.jpg", None), ("turn_odd.jpg", None)] + [(f"turn_{k}.jpg", None) for k in range(1, 9)],
    "G9": [(name, None) for name in SAMPLES if re.fullmatch(r"c\d+d\d+i[01]_\d+x\d+\.png", name)],
}


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def prediction(path):
    r = cotan("predict", MODEL, path)
    check(f"{path} is read", r.status == 0 and r.err == "", r)
    return r.out.split("\t")[1:]


def train():
    r = random.Random(1)
    for k, name in enumerate(("dark", "light")):
        os.makedirs(f"{FOLDER}/data/{name}")
        for i in range(30):
            raw = b"".join(b"\0" + bytes(r.randrange(100) + 150 * k for _ in range(24)) for _ in range(8))
            write(f"{FOLDER}/data/{name}/{i:02d}.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND"))
    t = cotan("train", "image", f"{FOLDER}/data", "--net", small_net(FOLDER), "--transform", "resize 12x12, to_tensor", "--epochs", "2", "--quiet", "-o", MODEL)
    check("train", t.status == 0, t)


def refusals():
    named = sum(CASES.values(), [])
    left = {name for name, (kind, _, _) in SAMPLES.items() if kind != "ok"} - set(named)
    check("of the bad samples none but WebP's and .npy's is without a code", all(name.endswith((".webp", ".npy")) for name in left), left)
    for code, names in CASES.items():
        for name in names:
            kind, text, data = SAMPLES[name]
            path = write(f"{FOLDER}/{name}", data)
            refused(f"{code} {name}", STATUS[kind], [name, text.strip()], "predict", MODEL, path, folder=FOLDER, any_memory=code not in ("G2", "G12"))
            os.remove(path)


def among_others():
    """All of them in one folder with two good ones: each is named, the good ones are predicted, 3."""
    folder = f"{FOLDER}/all"
    os.makedirs(folder)
    for name in sum(CASES.values(), []):
        write(f"{folder}/{name}", SAMPLES[name][2])
    write(f"{folder}/notes.txt", "no picture, and not called one")
    for name in ("444.jpg", "text.png"):
        write(f"{folder}/{name}", SAMPLES[name][2])
    r = cotan("predict", MODEL, folder)
    check("the good ones are predicted, 3", r.status == 3 and {x.split("\t")[0] for x in r.out.splitlines()} == {f"{folder}/444.jpg", f"{folder}/text.png"}, r)
    check("each bad one is named", all(f"cotan: {folder}/{name}:" in r.err for name in sum(CASES.values(), [])), r.err)
    objects = [json.loads(x) for x in cotan("predict", "--json", MODEL, folder).out.splitlines()]
    bad = [v["path"] for v in objects if set(v) == {"path", "index", "error"}]
    check("as JSON too, in the order of paths", bad == sorted(f"{folder}/{name}" for name in sum(CASES.values(), [])), bad)
    lines = r.err.splitlines()
    check("the last line is the error", lines[-1].startswith("cotan: error: predict: ") and "cannot be read; wanted all" in lines[-1], lines[-1])
    check("the text file is passed over in silence", "notes.txt" not in r.err, r.err)
    shutil.rmtree(folder)
    os.makedirs(folder)
    for name, text in (("a.png", b"\x89PNG\r\n\x1a\n"), ("b.png", SAMPLES["text.png"][2]), ("c.png", SAMPLES["text.png"][2])):
        write(f"{folder}/{name}", text)
    r = cotan("predict", MODEL, folder, "--limit", "2")
    check("one that cannot be read, and a limit", r.status == 3 and LINE.fullmatch(r.err.splitlines()[-1] + "\n") and "1 picture cannot be read" in r.err, r)
    shutil.rmtree(folder)
    os.makedirs(folder)
    write(f"{folder}/notes.txt", "no picture")
    refused("a folder without pictures", 3, "no pictures", "predict", MODEL, folder, folder=FOLDER, any_memory=True)
    shutil.rmtree(folder)


def accepted():
    check("G9 has every type, depth and interlacing", len(READ["G9"]) == 90, len(READ["G9"]))
    paths = {}
    for code, pairs in READ.items():
        for name, like in pairs:
            paths[name] = write(f"{FOLDER}/{name}", SAMPLES[name][2])
            if like:
                write(f"{FOLDER}/{like}", SAMPLES[like][2])
                check(f"{code} {name} is {like}", prediction(paths[name]) == prediction(f"{FOLDER}/{like}"))
    r = cotan("predict", MODEL, *paths.values())
    check("G9, G15: all are read", r.status == 0 and len(r.out.splitlines()) == len(paths), r)
    for path in paths.values():
        os.remove(path)
    named = write(f"{FOLDER}/named.jpg", SAMPLES["text.png"][2])
    check("G1 a PNG named .jpg: by content", prediction(named) == prediction(f"{FOLDER}/text.png"))


def large():
    """What is made here: an inflating profile and text (G8), ten thousand scans (G12), 64 KiB of APPn (G15)."""
    good, zeros = SAMPLES["text.png"][2], zlib.compress(bytes(60_000_000), 9)
    for kind in (b"iCCP", b"zTXt"):
        path = write(f"{FOLDER}/inflates.png", good[:33] + chunk(kind, b"name\0\0" + zeros) + good[33:])
        r = cotan("predict", MODEL, path)
        limit = memory_limit([path]) + (cotan("predict", MODEL, f"{FOLDER}/text.png").kilobytes - cotan("--version").kilobytes)
        check(f"G8 {kind}: skipped", r.status == 0 and r.out.split("\t")[1:] == prediction(f"{FOLDER}/text.png"), r)
        check(f"G8 {kind}: memory flat", SANITIZED or r.kilobytes <= limit, (r.kilobytes, limit))
    jpeg = SAMPLES["progressive.jpg"][2]
    last = jpeg.rindex(b"\xff\xda")
    path = write(f"{FOLDER}/scans.jpg", jpeg[:-2] + jpeg[last:-2] * 10_000 + b"\xff\xd9")
    refused("G12", 5, "more than 256 scans", "predict", MODEL, path, folder=FOLDER, any_memory=True)
    plain = SAMPLES["420.jpg"][2]
    path = write(f"{FOLDER}/app.jpg", plain[:2] + (b"\xff\xef\xff\xff" + bytes(65533)) * 4 + plain[2:])
    check("G15 64 KiB of APPn, four times", prediction(path) == prediction(write(f"{FOLDER}/plain.jpg", plain)))
    restart = SAMPLES["restart_1.jpg"][2]
    path = write(f"{FOLDER}/odd.jpg", restart.replace(b"\xff\xd1", b"\xff\xd3", 1))
    prediction(path)


train()
refusals()
among_others()
accepted()
large()
finish()
