#!/usr/bin/env python3
"""Bad idx files (I1-I12), given to train, predict and evaluate."""
import zlib
from common import *

FOLDER = scratch("idx")
DATA = data_set(f"{FOLDER}/data")
GOOD = read(f"{DATA}/train-images-idx3-ubyte")
LABELS = read(f"{DATA}/train-labels-idx1-ubyte")
TEST = read(f"{DATA}/t10k-images-idx3-ubyte")
BIG = b"\xff\xff\xff\xff"
TRAIN = ("--net", small_net(FOLDER), "--epochs", "1", "-o", f"{FOLDER}/out.safetensors")



def bomb(head):
    """64 MB of zeros behind a head, made piece by piece: this process stays small, as the memory of its children is compared."""
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([z.compress(head), *(z.compress(bytes(1 << 20)) for _ in range(64)), z.flush()])


# The bytes of an images file: code, parts of the line, bytes. All are exit status 3.
IMAGES = [
    ("I1", ["@0: ", "0 bytes left; wanted 4"], b""),
    ("I1 a cut header", ["bytes left; wanted 4"], GOOD[:10]),
    ("I2", ["0x00000801", "0x00000803", "exchanged"], LABELS),
    ("I3", ["@0: ", "little-endian"], b"\x03\x08\x00\x00" + GOOD[4:]),
    ("I4", ["@2: ", "0x07"], b"\x00\x00\x07\x03" + GOOD[4:]),
    ("I5 no dimension", ["@3: ", "0 dimensions"], b"\x00\x00\x08\x00" + GOOD[4:]),
    ("I5 200 dimensions", ["@3: ", "200 dimensions"], b"\x00\x00\x08\xc8" + GOOD[4:]),
    ("I6", ["overflows"], GOOD[:4] + 3 * BIG + GOOD[16:]),
    ("I6 no overflow, but 64 GiB", ["bytes of data; wanted 68719476736"], GOOD[:4] + struct.pack(">3I", 1 << 16, 1 << 10, 1 << 10) + GOOD[16:]),
    ("I7", [f"{len(GOOD) - 16 - 5} bytes of data; wanted {len(GOOD) - 16}"], GOOD[:-5]),
    ("I8", [f"{len(GOOD) - 16 + 1} bytes of data; wanted {len(GOOD) - 16}"], GOOD + b"x"),
    ("I11 not gzip after all", ["gzip"], b"\x1f\x8b\x08\x00" + GOOD[:40]),
    ("I11 a cut gzip", ["gzip data is cut"], gzip.compress(GOOD)[:-200]),
    ("I11 a flipped gzip", ["gzip"], (lambda z: z[:200] + bytes([z[200] ^ 255]) + z[201:])(gzip.compress(GOOD))),
    ("I11 gzip of another size", ["bytes of data; wanted"], gzip.compress(GOOD[:-1])),
    ("I11 a bomb: 64 MB behind a header of 100 bytes", ["more than the 116 bytes that its header says"], bomb(idx_bytes(0x803, [1, 10, 10], b""))),
    ("I11 a bomb: 64 MB behind a header of 4 GiB", ["header says 4294967303 bytes; wanted at most"], bomb(b"\x00\x00\x08\x01" + BIG)),
    ("I11 a bomb: 64 MB behind no header", ["@0: ", "00 00 TYPE RANK"], bomb(b"\xff\xff\xff\xff")),
    ("I12", ["empty data set"], idx_bytes(0x803, [0, 10, 10], b"")),
    ("I12 pictures without pixels", ["empty data set"], idx_bytes(0x803, [400, 0, 10], b"")),
    ("floats", ["0x00000d03", "0x00000803"], idx_bytes(0xd03, [2, 1, 1], bytes(8))),
]
# The bytes of the labels file beside good images.
BESIDE = [
    ("I9", ["400 pictures", "60 labels", "train-images", "train-labels"], idx_bytes(0x801, [60], LABELS[8:68])),
    ("I2 pictures as labels", ["0x00000803", "0x00000801"], GOOD),
    ("I9 no label", ["400 pictures", "0 labels"], idx_bytes(0x801, [0], b"")),
    ("I1 labels", ["0 bytes left"], b""),
    ("I10 a negative label", ["@11: ", "record 3", "-1"], idx_bytes(0x901, [400], LABELS[8:11] + b"\xff" + LABELS[12:])),
]


def main():
    folder = f"{FOLDER}/bad"
    shutil.copytree(DATA, folder)
    images, labels = f"{folder}/train-images-idx3-ubyte", f"{folder}/train-labels-idx1-ubyte"
    model = f"{FOLDER}/model.safetensors"
    r = cotan("train", "image", DATA, "--net", f"{FOLDER}/small.net", "--epochs", "1", "-o", model)
    check("a model to begin with", r.status == 0, r)
    for code, parts, content in IMAGES:
        write(images, content)
        refused(code, 3, ["train-images-idx3-ubyte", *parts], "train", "image", folder, *TRAIN, folder=FOLDER, files=[images, labels])
        refused(f"{code}, predict", 3, parts, "predict", model, images, folder=FOLDER, files=[images], any_memory=True)
    write(images, GOOD)
    for code, parts, content in BESIDE:
        write(labels, content)
        refused(code, 3, parts, "train", "image", folder, *TRAIN, folder=FOLDER, files=[images, labels])
    write(labels, idx_bytes(0xc01, [400], struct.pack(">400i", *[0] * 399, 2**31 - 1)))
    refused("I10 a label of 2^31 - 1", 5, ["@1604: ", "2147483647", "at most 65535"], "train", "image", folder, *TRAIN, folder=FOLDER, files=[images, labels])
    write(labels, LABELS)
    ten = f"{folder}/t10k-labels-idx1-ubyte"
    write(ten, read(ten)[:20] + b"\x0a" + read(ten)[21:])
    refused("I10", 3, ["t10k-labels-idx1-ubyte:@20: ", "record 12", "10", "0 to 2"], "evaluate", model, folder, folder=FOLDER, any_memory=True)
    refused("I10 --validate", 3, ["record 12", "10", "0 to 2"], "train", "image", DATA, *TRAIN, "--validate", validation(folder), folder=FOLDER, files=[images])
    refused("no such folder", 4, "nowhere", "train", "image", f"{FOLDER}/nowhere", *TRAIN, folder=FOLDER)
    refused("no idx files", 3, "train-images-idx3-ubyte", "train", "image", os.path.dirname(scratch("empty") + "/x"), *TRAIN, folder=FOLDER)
    gz = data_set(f"{FOLDER}/gz", compress=True)
    a, b = f"{FOLDER}/a.safetensors", f"{FOLDER}/b.safetensors"
    for out, data in ((a, DATA), (b, gz)):
        r = cotan("train", "image", data, *TRAIN[:-1], out)
        check("I11 plain or gzip", r.status == 0, r)
    check("I11 gzip, the same bytes", same(a, b))


def validation(folder):
    """The test part, with its bad label, as a folder for --validate."""
    out = f"{FOLDER}/validation"
    os.makedirs(out)
    for part in ("images-idx3", "labels-idx1"):
        shutil.copy(f"{folder}/t10k-{part}-ubyte", f"{out}/t10k-{part}-ubyte")
    return out


main()
finish()
