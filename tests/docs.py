#!/usr/bin/env python3
"""What the documents say is true: every command of the READMEs runs, in order, after an installation; C and C++ blocks
compile, those with a main run; nets plan; links lead somewhere; both READMEs hold the same.

Two things stand in for what a test cannot do: the folder of pictures is a small one of the same names, and ./demo, ./check
and the build are looked at instead of run (they run this test).   usage: docs.py BUILD SOURCE CMAKE CC [SANITIZE]"""
import os, re, shutil, subprocess, sys, tempfile

build, source, cmake, cc = sys.argv[1:5]
sanitize = [f"-fsanitize={sys.argv[5]}"] if len(sys.argv) > 5 and sys.argv[5] else []
sys.path.insert(0, os.path.join(source, "tests", "outside"))
sys.argv[1] = os.path.join(build, "cotan")
from common import check, data_set, finish

DATA = "/usr/share/datasets/fashion-mnist"
d = tempfile.mkdtemp(prefix="cotan_docs_")
prefix = f"{d}/home/.local"
env = {**os.environ, "HOME": f"{d}/home", "PATH": os.environ["PATH"]}


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, cwd=d, timeout=600, **{"env": env, **more})


def blocks(text):
    return re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.S | re.M)


def library():
    return next(os.path.join(base, "libcotan.so") for base, _, files in os.walk(prefix) if "libcotan.so" in files)


def libraries(program):
    """What it links: jobs, readers and mathematics are a library of their own."""
    more = re.search(r'"cotan/(data|maths|statistics|task)\.h"', program)
    return [library().replace("libcotan.so", "libcotan-data.so"), library()] if more else [library()]


def looked_at(name, line):
    """1: a line that this test looks at instead of running."""
    words = line.split()
    if words[0] in ("./demo", "./check"):
        path = os.path.join(source, words[0])
        check(f"{name}: {line}", os.access(path, os.X_OK) and run("bash", "-n", path).returncode == 0)
        return True
    if words[0] == "cmake" and "--preset" in words:
        kind = "build" if "--build" in words else "configure"
        listed = subprocess.run([cmake, f"--list-presets={kind}"], cwd=source, capture_output=True, text=True).stdout
        check(f"{name}: {line}", f'"{words[words.index("--preset") + 1]}"' in listed, listed)
        return True
    return False


def save(text):
    """The programs that a file tells to save: their first line has the name."""
    for kind, block in blocks(text):
        named = re.match(r"/\* (\w+\.c) \*/\n", block)
        if kind == "c" and named:
            with open(f"{d}/{named[1]}", "w") as f:
                f.write(block)


def shell(name, text):
    """All commands of a file in one shell, so that what is exported stays."""
    script = []
    save(text)
    for kind, block in blocks(text):
        for line in block.splitlines() if kind == "sh" else ():
            if not line.strip() or looked_at(name, line):
                continue
            line = line.replace("cmake --install build/release", f"{cmake} --install {build}").replace(DATA, f"{d}/fashion")
            if line.startswith("cc "):
                line = line.replace("cc ", f"{cc} {' '.join(sanitize)} ", 1)
            script.append(line)
    with open(f"{d}/script", "w") as f:
        f.write("set -e\ntrap 'echo \"stopped at: $BASH_COMMAND\" >&2' ERR\n" + "\n".join(script) + "\n")
    r = run("bash", "script")
    check(f"{name}: its {len(script)} commands", r.returncode == 0 and len(script) > 10, (r.returncode, r.stdout[-300:], r.stderr[-600:]))
    check(f"{name}: they did what they say", re.search(r"test accuracy: \d+\.\d %", r.stdout) and "1 xor 0 = " in r.stdout, r.stdout[-800:])
    sure = re.search(r"^1 xor 1 = .*\n\d ([01]\.\d{4})$", r.stdout, re.M)
    check(f"{name}: the program names the most probable of ten classes", sure and 0.1 < float(sure[1]) <= 1, r.stdout[-800:])


def programs(name, text):
    for number, (kind, block) in enumerate(blocks(text)):
        what = f"{name}: block {number}"
        if kind in ("c", "cpp"):
            block = re.sub(r"^   (?= )", "", block, flags=re.M) if re.match(r" {3,}#", block) else block
            file, main = f"{d}/block{number}.{kind}", "int main(" in block
            with open(file, "w") as f:
                f.write(block)
            compiler = [cc, "-std=c11"] if kind == "c" else [re.sub(r"\b(gcc|cc)\b", "g++", cc).replace("clang", "clang++"), "-std=c++20"]
            end = ["-o", f"{d}/block{number}", *libraries(block), "-lm"] if main else ["-fsyntax-only"]
            r = run(*compiler, "-Wall", "-Wextra", "-Wno-missing-field-initializers", *sanitize, "-I", f"{prefix}/include", file, *end)
            check(f"{what} compiles without a warning", r.returncode == 0 and not r.stderr, r.stderr)
            if main and r.returncode == 0:
                r = run(f"{d}/block{number}", env={**env, "LD_LIBRARY_PATH": os.path.dirname(library())})
                check(f"{what} runs", r.returncode == 0 and r.stdout, (r.returncode, r.stdout, r.stderr))
                for line in re.findall(r"^ *(step \d+:.*GFLOP)$", text, re.M):
                    if "debug = 2" in block:
                        check(f"{what} prints what is shown: {line[:30]}", line in r.stdout, r.stdout)
        elif kind == "net":
            with open(f"{d}/block{number}.net", "w") as f:
                f.write(block)
            r = run(os.path.join(build, "cotan"), "plan", f"block{number}.net", "--set", "width=8", "--repeats", "1")
            check(f"{what}: the net plans", r.returncode == 0, r.stderr)


def main():
    data_set(f"{d}/fashion", train=300, test=60, side=28, labels=10, compress=True)
    os.makedirs(f"{d}/home")
    texts = {}
    others = sorted(f"docs/{n}" for n in os.listdir(os.path.join(source, "docs")) if n.endswith(".md") and n != "ops.md") # made
    for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", *others):
        with open(os.path.join(source, name), encoding="utf-8") as f:
            texts[name] = text = f.read()
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            check(f"{name}: link {link}", "://" in link or os.path.exists(os.path.join(source, os.path.dirname(name), link)))
        if name.startswith("README"):
            for made in ("fashion.safetensors", "fashion.run", "again.safetensors", "again.run", "my.safetensors", "my.run", "my.net", "components.safetensors", "components.run"):
                if os.path.exists(f"{d}/{made}"):
                    (shutil.rmtree if os.path.isdir(f"{d}/{made}") else os.remove)(f"{d}/{made}")
            shell(name, text)
        programs(name, text)
    nets = run(os.path.join(build, "cotan"), "presets").stdout.splitlines()
    told = re.search(r"the built-in nets: ([\w, ]+)", texts["README.md"])
    check("README.md: the built-in nets", told and sorted(told[1].split(", ")) == sorted(line.split()[0] for line in nets), nets)
    english, chinese = texts["README.md"], texts["README.zh-CN.md"]
    check("both READMEs have the same blocks", blocks(english) == blocks(chinese))
    check("and as many headings", len(re.findall(r"^#", english, re.M)) == len(re.findall(r"^#", chinese, re.M)))
    links = [[l for l in re.findall(r"\]\(([^)]+)\)", t) if not l.startswith("README")] for t in (english, chinese)]
    check("and the same links", sorted(links[0]) == sorted(links[1]), links)


try:
    main()
finally:
    shutil.rmtree(d, ignore_errors=True)
finish()
