#!/usr/bin/env python3
"""Writes what Pillow makes of small pictures: resize.txt, tone.txt (a checksum a line) and warp.txt with
warp.u8 (pixels, because turning is only nearly equal). Pictures are made by the same rule in test_transform.c.

    python3 tests/images/pillow.py [FOLDER]        Pillow 13, whose order of passes is the reference"""
import os, sys, zlib
import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

HERE = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
FILTERS = {"nearest": 0, "box": 4, "bilinear": 2, "hamming": 5, "bicubic": 3, "lanczos": 1}
MODES = {"L": 1, "RGB": 3, "CMYK": 4, "YCbCr": 3}


def picture(seed, c, h, w):
    """[C,H,W]: noise, black and white, or slopes with some noise."""
    i = np.arange(c * h * w, dtype=np.uint64)
    with np.errstate(over="ignore"):
        x = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + i * np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(31)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(29)
    b = (x >> np.uint64(56)).astype(np.int64).reshape(c, h, w)
    if seed % 3 == 1:
        b = np.where(b > 127, 255, 0)
    if seed % 3 == 2:
        y, z = np.mgrid[0:h, 0:w]
        b = (3 * z + 2 * y)[None] * (1 + np.arange(c))[:, None, None] % 200 + b % 40
    return b.astype(np.uint8)


def image(a, mode):
    return Image.fromarray(a[0], "L") if mode == "L" else Image.fromarray(np.ascontiguousarray(a.transpose(1, 2, 0)), mode)


def planes(im):
    a = np.asarray(im)
    return np.ascontiguousarray(a[None] if a.ndim == 2 else a.transpose(2, 0, 1))


def crc(im):
    return "%08x" % zlib.crc32(planes(im).tobytes())


def resizes():
    rng = np.random.default_rng(20260101)
    for n in range(700):
        limit = 300 if n % 20 == 0 else 70
        w, h, tw, th = (int(v) for v in rng.integers(1, limit, 4))
        tw = w if n % 9 == 0 else tw
        th = h if n % 13 == 0 else th
        mode, f = list(MODES)[int(rng.integers(4))], list(FILTERS)[int(rng.integers(6))]
        yield n, mode, w, h, tw, th, f, crc(image(picture(n, MODES[mode], h, w), mode).resize((tw, th), FILTERS[f]))


def tones():
    enhance = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color,
               "sharpness": ImageEnhance.Sharpness}
    for n in range(20):
        mode = "L" if n % 4 == 0 else "RGB"
        w, h = 5 + n % 17, 3 + n % 23
        im = image(picture(n, MODES[mode], h, w), mode)
        for name, kind in enhance.items():
            for factor in (0.0, 0.1, 0.53125, 1.0, 1.4, 1.9):
                yield n, mode, w, h, name, factor, crc(kind(im).enhance(factor))
        for bits in (2, 5, 8):
            yield n, mode, w, h, "posterize", bits, crc(ImageOps.posterize(im, bits))
        for threshold in (0, 93.5, 255):
            yield n, mode, w, h, "solarize", threshold, crc(ImageOps.solarize(im, threshold))
        yield n, mode, w, h, "autocontrast", 0, crc(ImageOps.autocontrast(im))
        yield n, mode, w, h, "equalize", 0, crc(ImageOps.equalize(im))


def warps(pixels):
    rng = np.random.default_rng(7)
    for n in range(24):
        w, h = (int(v) for v in rng.integers(8, 28, 2))
        m = [float(v) for v in np.round(np.array([1, 0, 0, 0, 1, 0]) + rng.uniform(-0.4, 0.4, 6), 6)]
        m[2], m[5] = m[2] * w, m[5] * h
        smooth = n % 2
        im = image(picture(n, 3, h, w), "RGB")
        pixels.write(planes(im.transform((w, h), Image.Transform.AFFINE, m, 2 if smooth else 0, fillcolor=(9, 9, 9))).tobytes())
        yield (n, w, h, smooth, *m)


def write(name, rows):
    with open(os.path.join(HERE, name), "w") as f:
        f.write("# Pillow %s, by tests/images/pillow.py\n" % PIL.__version__)
        for row in rows:
            f.write(" ".join(str(v) for v in row) + "\n")


write("resize.txt", resizes())
write("tone.txt", tones())
with open(os.path.join(HERE, "warp.u8"), "wb") as f:
    write("warp.txt", warps(f))
