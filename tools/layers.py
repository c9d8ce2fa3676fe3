#!/usr/bin/env python3
"""Checks the house: includes go down, never up or sideways between rooms of one level, and the upper rooms
(nn, data, model, task, cli) include public headers and their own alone."""
import os, re, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LEVEL = {"base": 0, "tensor": 1, "graph": 2, "kern": 2, "maths": 2, "op": 3, "grad": 4, "plan": 5, "nn": 6, "data": 6, "model": 6, "task": 7, "cli": 8}
PUBLIC_ONLY = {"nn", "data", "model", "task", "cli"}
ALLOWED_SIDEWAYS = {("graph", "kern")}  # none in use; a pair stands here only with its reason
bad = []
for folder, _, names in os.walk(os.path.join(ROOT, "src")):
    room = os.path.relpath(folder, os.path.join(ROOT, "src")).split(os.sep)[0]
    for name in names:
        if not name.endswith((".c", ".h")):
            continue
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for inc in re.findall(r'^#include "([^"]+)"', text, re.M):
            other = inc.split("/")[0]
            if inc.startswith("cotan"):
                continue
            if other not in LEVEL:
                bad.append(f"{path}: include of {inc}: no such room")
            elif other != room and (room in PUBLIC_ONLY or LEVEL[other] >= LEVEL[room]):
                bad.append(f"{path}: {room} includes {inc}")
        if "<dnnl.h>" in text and room != "kern":
            bad.append(f"{path}: dnnl.h outside of kern")
        if room != "cli" and re.search(r"\b(printf|puts|abort|exit|_exit|assert|getenv)\s*\(", re.sub(r'/\*.*?\*/|"(?:[^"\\]|\\.)*"', "", text, flags=re.S)):
            bad.append(f"{path}: prints, exits, aborts, asserts or reads the environment")
for line in bad:
    print(line)
sys.exit(1 if bad else 0)
