#!/usr/bin/env python3
"""An example ends with 0 and prints the numbers that are promised.   usage: examples.py PROGRAM NAME"""
import os, re, subprocess, sys, tempfile

program, name = os.path.abspath(sys.argv[1]), sys.argv[2]
NUMBER = r"(-?\d+\.?\d*)"
# For each example what its output has: a pattern whose numbers lie in (from, to), or None for a text alone.
PROMISED = {
    "neuron": [(rf"dL/dw = {NUMBER}, by hand {NUMBER}", (-0.27963, -0.27961)), (rf"dL/db = {NUMBER}, by hand {NUMBER}", (-0.13982, -0.13980))],
    "xor": [(rf"0 xor 0 = {NUMBER}", (0, 0.01)), (rf"0 xor 1 = {NUMBER}", (0.99, 1)), (rf"1 xor 0 = {NUMBER}", (0.99, 1)), (rf"1 xor 1 = {NUMBER}", (0, 0.01))],
    "sequential": [(rf"loss {NUMBER} after 60 epochs", (0.05, 0.12))],
    "cnn": [(rf"(?s).*accuracy {NUMBER}", (0.97, 1))],
    "gpt": [(rf"loss {NUMBER}", (0.4, 0.8))],
    "custom_op": [(rf"squash'\(-2\) = {NUMBER}", (0.11111, 0.11112)), (rf"squash'\(1\) = {NUMBER}", (0.25, 0.25))],
    "photos": [(rf"test part: accuracy {NUMBER}", (0.9, 1))],
    "frames": [(rf"{NUMBER} of 200 frames named rightly", (180, 200))],
    "embed": [(rf"the model says {NUMBER}", (1.99, 2.01)), ("4 threads, 200 predictions each, the same bits: yes", None)],
    "embed_cpp": [("picture 0 is dark\npicture 1 is bright", None)],
}

failures = 0
with tempfile.TemporaryDirectory() as d:
    r = subprocess.run([program], cwd=d, capture_output=True, text=True, errors="replace", timeout=900)
print(r.stdout[-2000:], r.stderr[-2000:])
if r.returncode != 0:
    failures += 1
    print(f"FAILED: exit status {r.returncode}")
for pattern, between in PROMISED[name]:
    found = re.search(pattern, r.stdout)
    ok = found and (between is None or all(between[0] <= float(v) <= between[1] for v in found.groups()))
    if not ok:
        failures += 1
        print(f"FAILED: {pattern}: {found and found.groups()}; wanted {between}")
sys.exit(1 if failures else 0)
