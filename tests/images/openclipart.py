#!/usr/bin/env python3
"""Writes ten classes of Debian's openclipart-png as DIR/train/CLASS and DIR/test/CLASS:

    python3 tests/images/openclipart.py DIR [SOURCE]        SOURCE: /usr/share/openclipart/png

Variants of one drawing (bird_1, bird-2, bird03) must not fall on both sides, so files are grouped by stem: the name up to the
first digit, or up to `_` or `-` and a digit. The stems of a class, ordered by their sha256, give its first fifth of
pictures to the test. Symbolic links are skipped."""
import hashlib, os, re, shutil, sys

out, source = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "/usr/share/openclipart/png"
CLASSES = {"animals": "animals", "buildings": "buildings", "flags": "signs_and_symbols/flags", "food": "food", "games": "recreation/games",
           "music": "recreation/music", "people": "people", "plants": "plants", "transportation": "transportation",
           "weather": "signs_and_symbols/weather"}

for name, folder in CLASSES.items():
    groups = {}
    for base, _, files in os.walk(f"{source}/{folder}"):
        for file in files:
            path = os.path.join(base, file)
            if file.endswith(".png") and not os.path.islink(path):
                stem = re.match(r"(.*?)(?:[_-]?\d|\.png$)", file).group(1)
                groups.setdefault(stem, []).append(path)
    order = sorted(groups, key=lambda s: hashlib.sha256(s.encode()).hexdigest())
    left = sum(len(v) for v in groups.values()) // 5
    for stem in order:
        part = "test" if left > 0 else "train"
        left -= len(groups[stem])
        os.makedirs(f"{out}/{part}/{name}", exist_ok=True)
        for path in groups[stem]:
            shutil.copyfile(path, f"{out}/{part}/{name}/{os.path.relpath(path, f'{source}/{folder}').replace('/', '__')}")
