#!/usr/bin/env python3
"""What the READMEs say is true: C blocks compile, nets plan, options exist.   usage: readme.py COTAN SOURCE CC"""
import os, re, subprocess, sys, tempfile

cotan, source, cc = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
failures = checks = 0


def check(what, ok, seen=""):
    global failures, checks
    checks += 1
    if not ok:
        failures += 1
        print(f"FAILED: {what}: {seen}"[:1500])


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, **more)


def helps(verb):
    return run(cotan, verb, "--help").stdout


for name in ("README.md", "README.zh-CN.md"):
    with open(os.path.join(source, name), encoding="utf-8") as f:
        text = f.read()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        check(f"{name}: link {link}", "://" in link or os.path.exists(os.path.join(source, link)))
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M)
    with tempfile.TemporaryDirectory() as d:
        for kind, block in blocks:
            if kind == "c":
                with open(f"{d}/x.c", "w") as f:
                    f.write(block + "\nint main(void) { (void)net; return 0; }\n")
                r = run(cc, "-std=c11", "-Wall", "-Wextra", "-fsyntax-only", "-I", os.path.join(source, "include"), f"{d}/x.c")
                check(f"{name}: the C block compiles", r.returncode == 0 and not r.stderr, r.stderr)
            elif "input(image)" in block:
                with open(f"{d}/x.net", "w") as f:
                    f.write(block)
                r = run(cotan, "plan", f"{d}/x.net", "--set", "width=8", "--repeats", "1")
                check(f"{name}: the net plans", r.returncode == 0, r.stderr)
            else:
                for line in re.findall(r"^cotan (.*)$", block, re.M):
                    words = line.split()
                    known = helps(words[0])
                    check(f"{name}: cotan {words[0]}", known.startswith("usage"), known)
                    for option in re.findall(r"(?<=\s)--[a-z-]+|(?<=\s)-[a-z]\b", line):
                        check(f"{name}: {line}: {option}", re.search(rf"^\s+(-\w, +)?{option}\b|^\s+{option},", known, re.M), known)
print(f"{checks} checks, {failures} failed")
sys.exit(1 if failures else 0)
