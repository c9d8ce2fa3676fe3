#!/usr/bin/env python3
"""Writes small pictures, good and bad, one after the other into samples.bin, and what must come of each into
samples.txt:

    FILE BYTES ok WIDTH HEIGHT CHANNELS CRC        crc32 of the planes [C,H,W]
    FILE BYTES data|limit TEXT                     refused, with TEXT in the error

PNG files are made here byte by byte, and their pixels by the standard's formulas, so that no decoder is its own
reference; JPEG and WebP are Pillow's.

    python3 tests/images/samples.py [FOLDER]"""
import io, os, struct, sys, zlib
import numpy as np
from PIL import Image

HERE = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
rows, files = [], []
rng = np.random.default_rng(1)


def good(name, data, planes):
    planes = np.ascontiguousarray(planes, dtype=np.uint8)
    files.append(data)
    rows.append(f"{name} {len(data)} ok {planes.shape[2]} {planes.shape[1]} {planes.shape[0]} {zlib.crc32(planes.tobytes()):08x}")


def bad(name, data, text, kind="data"):
    files.append(data)
    rows.append(f"{name} {len(data)} {kind} {text}")


# ---- PNG ----
def chunk(kind, data=b"", crc=None, length=None):
    kind = kind.encode() if isinstance(kind, str) else kind
    c = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", c)


SIG = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def header(w, h, depth, colour, interlace=0):
    return chunk("IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, interlace))


def pack(a, depth):
    """[h,w,s] -> filtered rows, filter types in turn."""
    out = b""
    h, w, s = a.shape
    before = bytes()
    bpp = max(1, s * depth // 8)
    for y in range(h):
        if depth == 16:
            row = a[y].astype(">u2").tobytes()
        elif depth == 8:
            row = a[y].astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in a[y].reshape(-1))
            bits += "0" * (-len(bits) % 8)
            row = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
        before = before or bytes(len(row))
        kind = y % 5
        left = lambda r, i: r[i - bpp] if i >= bpp else 0
        coded = bytearray()
        for i, v in enumerate(row):
            a0, b0, c0 = left(row, i), before[i], left(before, i)
            p = a0 + b0 - c0
            paeth = min((abs(p - a0), 0, a0), (abs(p - b0), 1, b0), (abs(p - c0), 2, c0))[2]
            coded.append((v - [0, a0, b0, (a0 + b0) // 2, paeth][kind]) & 255)
        out += bytes([kind]) + bytes(coded)
        before = row
    return out


def body(a, depth, interlace):
    if not interlace:
        return pack(a, depth)
    out = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        part = a[y0::dy, x0::dx]
        if part.size:
            out += pack(part, depth)
    return out


def png(a, depth, colour, interlace=0, before=b"", after=b""):
    return SIG + header(a.shape[1], a.shape[0], depth, colour, interlace) + before + chunk("IDAT", zlib.compress(body(a, depth, interlace))) + after + chunk("IEND")


def eight(v, depth):
    return (v.astype(np.int64) * 255 + 32895) >> 16 if depth == 16 else v.astype(np.int64) * 255 // (2**depth - 1)


def over(v, alpha, back=255):
    return (v * alpha + back * (255 - alpha) + 127) // 255


PAL = rng.integers(0, 256, (256, 3))
for colour, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
    for depth in depths:
        for interlace in (0, 1):
            for w, h in ((9, 11), (1, 1), (3, 2)):
                a = rng.integers(0, 2**depth, (h, w, SAMPLES[colour]))
                before = chunk("PLTE", bytes(PAL[: 2**depth].astype(np.uint8).tobytes())) if colour == 3 else b""
                v = PAL[a[:, :, 0]] if colour == 3 else eight(a, depth)
                if colour in (4, 6):
                    v = over(v[:, :, :-1], v[:, :, -1:])
                good(f"c{colour}d{depth}i{interlace}_{w}x{h}.png", png(a, depth, colour, interlace, before), v.transpose(2, 0, 1))

a = rng.integers(0, 4, (5, 6, 1))
alpha = np.array([0, 100, 255])
good("palette_trns.png", png(a, 2, 3, 0, chunk("PLTE", PAL[:4].astype(np.uint8).tobytes()) + chunk("tRNS", bytes([0, 100, 255]))),
     over(PAL[a[:, :, 0]], np.append(alpha, 255)[a[:, :, 0]][:, :, None]).transpose(2, 0, 1))
good("grey_key.png", png(a, 2, 0, 0, chunk("tRNS", struct.pack(">H", 2))), np.where(a == 2, 255, eight(a, 2)).transpose(2, 0, 1))
a = rng.integers(0, 3, (6, 5, 3)) * 20000
key = (a == a[2, 3]).all(axis=2, keepdims=True)
good("rgb16_key.png", png(a, 16, 2, 0, chunk("tRNS", struct.pack(">HHH", *map(int, a[2, 3])))), np.where(key, 255, eight(a, 16)).transpose(2, 0, 1))

a = rng.integers(0, 256, (4, 5, 3))
plain = a.transpose(2, 0, 1)
good("text.png", png(a, 8, 2, 0, chunk("tEXt", b"Comment\0hello") + chunk("gAMA", struct.pack(">I", 45455)), chunk("tIME", bytes(7))), plain)
good("bad_crc_ancillary.png", png(a, 8, 2, 0, chunk("tEXt", b"Comment\0hello", 1)), plain)
good("several_idat.png", SIG + header(5, 4, 8, 2) + b"".join(chunk("IDAT", bytes([b])) for b in zlib.compress(body(a, 8, 0))) + chunk("IEND"), plain)
good("after_the_end.png", png(a, 8, 2) + b"more", plain)
tiff = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
good("turned.png", png(a, 8, 2, 0, chunk("eXIf", tiff)), np.rot90(plain, -1, (1, 2)))
ok = png(a, 8, 2)
z = zlib.compress(body(a, 8, 0))
bad("empty.png", b"", "0 bytes; wanted PNG")
bad("text_as.png", b"this is no picture\n", "found text; wanted PNG")
bad("bytes.png", bytes([1, 200, 7, 9]), "bytes that begin no picture")
bad("huge.png", (SIG + header(65535, 65535, 8, 6) + chunk("IDAT", b"x") + chunk("IEND"))[:100], "65535 x 65535 pixels; wanted at most 67108864", "limit")
bad("width_0.png", SIG + header(0, 4, 8, 2) + chunk("IDAT", z) + chunk("IEND"), "0 x 4 pixels; wanted at least one")
bad("height_0.png", SIG + header(5, 0, 8, 2) + chunk("IDAT", z) + chunk("IEND"), "5 x 0 pixels; wanted at least one")
bad("width_big.png", SIG + header(2**31, 4, 8, 2) + chunk("IDAT", z) + chunk("IEND"), "a side over 2^31 - 1")
for depth, colour in ((16, 3), (4, 2), (3, 0), (0, 0), (8, 1), (8, 5), (8, 7), (32, 0), (255, 0)):
    bad(f"pair_{depth}_{colour}.png", SIG + header(5, 4, depth, colour) + chunk("IDAT", z) + chunk("IEND"), "a bit depth that its colour type has not")
bad("interlace_2.png", SIG + header(5, 4, 8, 2, 2) + chunk("IDAT", z) + chunk("IEND"), "unknown compression, filter or interlacing")
bad("header_twice.png", SIG + header(5, 4, 8, 2) * 2 + chunk("IDAT", z) + chunk("IEND"), "PNG chunk IHDR: a second one")
bad("header_late.png", SIG + chunk("gAMA", bytes(4)) + header(5, 4, 8, 2) + chunk("IDAT", z) + chunk("IEND"), "wanted IHDR first")
bad("header_long.png", SIG + chunk("IHDR", bytes(14)) + chunk("IDAT", z) + chunk("IEND"), "another length than 13")
bad("length_31.png", SIG + header(5, 4, 8, 2) + chunk("IDAT", z, None, 2**31 - 1) + chunk("IEND"), "bytes left; wanted 2147483647")
bad("length_32.png", SIG + header(5, 4, 8, 2) + chunk("IDAT", z, None, 2**32 - 1) + chunk("IEND"), "a length over 2^31 - 1")
bad("bad_crc_idat.png", SIG + header(5, 4, 8, 2) + chunk("IDAT", z, 1) + chunk("IEND"), "CRC error")
bad("bad_crc_ihdr.png", SIG + header(5, 4, 8, 2)[:-4] + bytes(4) + chunk("IDAT", z) + chunk("IEND"), "CRC error")
bad("short.png", SIG + header(5, 4, 8, 2) + chunk("IDAT", zlib.compress(body(a, 8, 0)[:-5])) + chunk("IEND"), "PNG: ")
bad("long.png", SIG + header(5, 4, 8, 2) + chunk("IDAT", zlib.compress(body(a, 8, 0) + bytes(5))) + chunk("IEND"), "PNG: ")
bad("not_zlib.png", SIG + header(5, 4, 8, 2) + chunk("IDAT", b"nothing of the kind") + chunk("IEND"), "PNG: ")
bad("filter_9.png", SIG + header(5, 4, 8, 2) + chunk("IDAT", zlib.compress(b"\x09" + body(a, 8, 0)[1:])) + chunk("IEND"), "PNG: ")
p = rng.integers(0, 4, (4, 5, 1))
bad("no_palette.png", png(p, 2, 3), "no palette before it")
bad("index_beyond.png", png(np.full((4, 5, 1), 3), 2, 3, 0, chunk("PLTE", bytes(9))), "PNG: pixel 0 of row 0 is colour 3; wanted 0 to 2")
bad("palette_odd.png", png(p, 2, 3, 0, chunk("PLTE", bytes(10))), "no whole number of 1 to 256 colours")
bad("palette_many.png", png(p, 2, 3, 0, chunk("PLTE", bytes(15))), "more colours than its bits can name")
bad("trns_long.png", png(p, 2, 3, 0, chunk("PLTE", bytes(12)) + chunk("tRNS", bytes(5))), "more entries than the palette")
bad("trns_rgba.png", png(rng.integers(0, 256, (4, 5, 4)), 8, 6, 0, chunk("tRNS", bytes(6))), "a picture that has alpha already")
bad("trns_grey.png", png(p, 2, 0, 0, chunk("tRNS", bytes(3))), "another length")
bad("trns_first.png", png(p, 2, 3, 0, chunk("tRNS", bytes(2)) + chunk("PLTE", bytes(12))), "before the palette")
bad("no_idat.png", SIG + header(5, 4, 8, 2) + chunk("IEND"), "PNG chunk IDAT: none")
bad("no_iend.png", ok[:-12], "0 bytes left; wanted 4")
bad("critical.png", png(a, 8, 2, 0, chunk("ABCD", b"x")), "a critical chunk that is not known")
bad("name.png", png(a, 8, 2, 0, chunk(b"a\0cd", b"x")), "a name that is not four letters")
bad("animated.png", png(a, 8, 2, 0, chunk("acTL", struct.pack(">II", 2, 0)) + chunk("fcTL", bytes(26))), "an animated PNG; wanted one picture")


# ---- JPEG ----
def smooth(w, h, c):
    y, x = np.mgrid[0:h, 0:w]
    v = [(128 + 100 * np.sin(x / (3.0 + k)) * np.cos(y / (4.0 + k))) for k in range(c)]
    return np.clip(np.stack(v, 2) + rng.integers(-8, 8, (h, w, c)), 0, 255).astype(np.uint8)


def jpeg(a, **k):
    f = io.BytesIO()
    (Image.fromarray(a[:, :, 0]) if a.shape[2] == 1 else Image.fromarray(a)).save(f, "JPEG", **k)
    return f.getvalue()


def shown(data):
    a = np.asarray(Image.open(io.BytesIO(data)))
    return (a[:, :, None] if a.ndim == 2 else a).transpose(2, 0, 1)


for name, c, k in (("grey", 1, {}), ("444", 3, {"subsampling": 0}), ("422", 3, {"subsampling": 1}), ("420", 3, {"subsampling": 2}),
                   ("progressive", 3, {"progressive": True}), ("low", 3, {"quality": 5}), ("rgb", 3, {"keep_rgb": True})):
    data = jpeg(smooth(37, 29, c), **k)
    good(f"{name}.jpg", data, shown(data))
for blocks in (1, 3, 7):
    data = jpeg(smooth(50, 20, 3), restart_marker_blocks=blocks)
    good(f"restart_{blocks}.jpg", data, shown(data))
square = smooth(13, 8, 3)
for turn in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = turn
    data = jpeg(square, exif=exif, subsampling=0, quality=95)
    v = shown(data)
    make = {1: lambda v: v, 2: lambda v: v[:, :, ::-1], 3: lambda v: v[:, ::-1, ::-1], 4: lambda v: v[:, ::-1], 5: lambda v: v.transpose(0, 2, 1),
            6: lambda v: np.rot90(v, -1, (1, 2)), 7: lambda v: v[:, ::-1, ::-1].transpose(0, 2, 1), 8: lambda v: np.rot90(v, 1, (1, 2))}
    good(f"turn_{turn}.jpg", data, make[turn](v))
exif = Image.Exif()
exif[0x0112] = 11
data = jpeg(square, exif=exif)
good("turn_odd.jpg", data, shown(data))
base = jpeg(smooth(24, 16, 3), subsampling=0)
good("after_the_end.jpg", base + b"more", shown(base))
good("fill_bytes.jpg", base[:2] + b"\xff\xff\xff" + base[2:], shown(base))
sof, dht, dqt, sos = (base.index(m) for m in (b"\xff\xc0", b"\xff\xc4", b"\xff\xdb", b"\xff\xda"))


def patched(at, value, data=base):
    return data[:at] + bytes(value) + data[at + len(value) :]


def without(marker):
    at = base.index(marker)
    return base[:at] + base[at + 2 + struct.unpack(">H", base[at + 2 : at + 4])[0] :]


bad("arithmetic.jpg", patched(sof, b"\xff\xc9"), "arithmetic coding; wanted Huffman coding")
bad("lossless.jpg", patched(sof, b"\xff\xc3"), "lossless or hierarchical")
bad("twelve_bits.jpg", patched(sof + 4, b"\x0c"), "12 bits a sample; wanted 8")
bad("sampling_0.jpg", patched(sof + 11, b"\x01"), "a sampling factor outside of 1 to 4")
bad("sampling_5.jpg", patched(sof + 11, b"\x51"), "a sampling factor outside of 1 to 4")
bad("height_0.jpg", patched(sof + 5, b"\0\0"), "24 x 0 pixels; wanted at least one")
bad("huge.jpg", patched(sof + 5, b"\xff\xff\xff\xff"), "65535 x 65535 pixels; wanted at most", "limit")
bad("two_components.jpg", patched(sof + 9, b"\x02"), "an odd number of components")
bad("two_frames.jpg", base[:sof] + base[sof : sof + 19] + base[sof:], "a second frame header")
bad("huffman_counts.jpg", patched(dht + 5, b"\xff" * 16), "Bogus Huffman table definition")
bad("no_quantisation.jpg", without(b"\xff\xdb"), "Quantization table")
bad("no_frame.jpg", without(b"\xff\xc0"), "a scan before the frame header")
bad("no_scan.jpg", base[:sos] + b"\xff\xd9", "no picture data")
bad("no_end.jpg", base[:-2], "the file ends before the picture does")
bad("half.jpg", base[: (sos + len(base)) // 2], "the file ends before the picture does")
bad("half_with_end.jpg", base[: (sos + len(base)) // 2] + b"\xff\xd9", "premature end of data segment")
bad("between.jpg", base[:dqt] + b"xx" + base[dqt:], "bytes between segments")
bad("short_segment.jpg", base[:2] + b"\xff\xe0\0\1" + base[2:], "a segment length under 2")
f = io.BytesIO()
Image.fromarray(rng.integers(0, 256, (8, 8, 4), dtype=np.uint8), "CMYK").save(f, "JPEG")
bad("cmyk.jpg", f.getvalue(), "four components (CMYK); wanted grey or colour")


# ---- WebP, .npy, others ----
def webp(a, **k):
    f = io.BytesIO()
    Image.fromarray(a).save(f, "WEBP", **k)
    return f.getvalue()


for name, k in (("lossy", {"quality": 70}), ("lossless", {"lossless": True})):
    data = webp(smooth(31, 18, 3), **k)
    good(f"{name}.webp", data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).transpose(2, 0, 1))
a = np.concatenate([smooth(10, 12, 3), rng.integers(0, 256, (12, 10, 1), dtype=np.uint8)], 2)
data = webp(a, lossless=True, exact=True)
good("alpha.webp", data, over(a[:, :, :3].astype(int), a[:, :, 3:].astype(int)).transpose(2, 0, 1))
exif = Image.Exif()
exif[0x0112] = 8
a = smooth(9, 6, 3)
data = webp(a, lossless=True, exif=exif.tobytes())
good("turned.webp", data, np.rot90(a.transpose(2, 0, 1), 1, (1, 2)))
f = io.BytesIO()
frames = [Image.fromarray(smooth(9, 6, 3)) for _ in range(2)]
frames[0].save(f, "WEBP", save_all=True, append_images=frames[1:])
bad("animated.webp", f.getvalue(), "an animated WebP; wanted one picture")
bad("cut.webp", data[:-9], "wanted")


def npy(a):
    f = io.BytesIO()
    np.save(f, a)
    return f.getvalue()


a = smooth(7, 5, 3)
good("grey.npy", npy(a[:, :, 0]), a[None, :, :, 0])
good("last.npy", npy(a), a.transpose(2, 0, 1))
good("first.npy", npy(np.ascontiguousarray(a.transpose(2, 0, 1))), a.transpose(2, 0, 1))
good("fortran.npy", npy(np.asfortranarray(a)), a.transpose(2, 0, 1))
bad("floats.npy", npy(a.astype(np.float32)), "f32 with 3 dimensions; wanted a picture")
bad("four.npy", npy(np.zeros((2, 5, 5, 3), np.uint8)), "u8 with 4 dimensions")
bad("five_channels.npy", npy(np.zeros((5, 5, 5), np.uint8)), "u8 with 3 dimensions")
bad("no_pixels.npy", npy(np.zeros((0, 5, 3), np.uint8)), "5 x 0 pixels")
for name, head in (("gif", b"GIF89a"), ("bmp", b"BM"), ("tiff", b"II*\0"), ("heic", b"\0\0\0\x18ftypheic"), ("avif", b"\0\0\0\x1cftypavif"), ("jxl", b"\xff\x0a")):
    bad(f"other.{name}", head + bytes(40), f"found a{'n' if name == 'avif' else ''} ")

with open(os.path.join(HERE, "samples.txt"), "w") as f:
    f.write("\n".join(rows) + "\n")
with open(os.path.join(HERE, "samples.bin"), "wb") as f:
    f.write(b"".join(files))
