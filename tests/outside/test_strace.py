#!/usr/bin/env python3
"""System calls that fail, are interrupted or are the last (X1, X4, X5, X6, X8, X11), injected by strace into the
command as it is built; and a disk that is really full. What the seam of the library cannot show: that nothing goes past it."""
from common import *

FOLDER = scratch("strace")
DATA = data_set(f"{FOLDER}/data", train=300, test=30)
OUT, RUN = f"{FOLDER}/m.safetensors", f"{FOLDER}/m.run"
WHOLE = f"{FOLDER}/whole.safetensors"
BASE = ("train", "image", DATA, "--net", small_net(FOLDER), "--epochs", "2", "--batch", "64", "--seed", "3", "--checkpoint-every", "2", "--threads", "1", "--quiet")
TRACE = ("strace", "-f", "-qq", "-o", f"{FOLDER}/trace", "-e", "trace=write,fsync,rename,mkdir,openat,unlink,close,read")


def traced(*words, inject=()):
    return cotan(*words, wrap=(*TRACE, *(w for i in inject for w in ("-e", f"inject={i}"))))


def begin():
    shutil.rmtree(RUN, ignore_errors=True)
    if os.path.exists(OUT):
        os.remove(OUT)


def ends_well(code):
    """Nothing temporary stays, and --resume ends with the bytes of the training never disturbed."""
    r = cotan(*BASE, "-o", OUT, "--resume")
    check(f"{code}: resumed, the same bytes", r.status == 0 and same(OUT, WHOLE), r)
    check(f"{code}: the log too", same(f"{RUN}/metrics.jsonl", f"{FOLDER}/whole.run/metrics.jsonl"))
    left = [n for n in os.listdir(RUN) + os.listdir(FOLDER) if ".tmp-" in n]
    check(f"{code}: nothing temporary is left", not left, left)


def counts():
    begin()
    r = traced(*BASE, "-o", OUT)
    check("traced", r.status == 0 and same(OUT, WHOLE), r)
    text = read(f"{FOLDER}/trace").decode("utf-8", "replace")
    return {call: len(re.findall(rf"\b{call}\(", text)) for call in ("write", "fsync", "rename", "mkdir", "openat", "unlink")}


def some(all_of_them, most):
    """Numbers from 1 on, spread evenly."""
    return sorted({1 + i * (all_of_them - 1) // max(most - 1, 1) for i in range(min(most, all_of_them))})


def kills(all_calls):
    n = 0
    for call, most in (("write", 24 if FULL else 4), ("fsync", 20 if FULL else 3), ("rename", 12 if FULL else 3), ("unlink", 2)):
        for k in some(all_calls[call], most):
            begin()
            r = traced(*BASE, "-o", OUT, inject=[f"{call}:signal=KILL:when={k}"])
            check(f"X1 {call} {k}: killed", r.status == -9 or r.status == 137, r)
            ends_well(f"X1 killed at {call} {k}")
            n += 1
    print(f"X1: killed at {n} system calls of {sum(all_calls.values())}")


def failures_of_calls(all_calls):
    rows = [("X4", "write", "ENOSPC", "No space left on device"), ("X4", "write", "EDQUOT", "Disk quota exceeded"), ("X5", "fsync", "EIO", "Input/output error"),
            ("X8", "rename", "EXDEV", "cross-device"), ("X8", "mkdir", "EACCES", "Permission denied"), ("X8", "mkdir", "ENAMETOOLONG", "name too long")]
    for code, call, error, part in rows:
        for k in some(all_calls[call], 12 if FULL else 3):
            begin()
            r = traced(*BASE, "-o", OUT, inject=[f"{call}:error={error}:when={k}"])
            check(f"{code} {call} {k} {error}: 4 and one line", r.status == 4 and LINE.fullmatch(r.err) and part.lower() in r.err.lower() and FOLDER in r.err, r)
            check(f"{code} {call} {k} {error}: no model", not os.path.exists(OUT) or call == "fsync", os.listdir(FOLDER))
            ends_well(f"{code} {call} {k} {error}")
    for call in ("write", "fsync", "read", "openat"):
        begin()
        r = traced(*BASE, "-o", OUT, inject=[f"{call}:error=EINTR:when=40+2" if call in ("read", "openat") else f"{call}:error=EINTR:when=1+2"])
        check(f"X6 {call} interrupted every other time: the same bytes", r.status == 0 and same(OUT, WHOLE), r)


def signals(all_calls):
    for number, status in (("INT", 130), ("TERM", 143)):
        for k in some(all_calls["fsync"] - 4, 8 if FULL else 3):
            begin()
            r = traced(*BASE, "-o", OUT, inject=[f"fsync:signal={number}:when={k}"])
            finished = r.status == 0 and same(OUT, WHOLE)  # the model itself was being written
            check(f"X11 SIG{number} during a save, fsync {k}", finished or (r.status == status and "stopped at step" in r.err), r)
            ends_well(f"X11 SIG{number} at fsync {k}")
            begin()
            r = traced(*BASE, "-o", OUT, inject=[f"fsync:signal={number}:when={k}+1"])
            check(f"X11 SIG{number} at every fsync from {k}", r.status in (status, -2, -15, 128 + 2, 128 + 15), r)
            ends_well(f"X11 SIG{number} at every fsync from {k}")


SMALL_DISK = """
mount -t tmpfs -o size={size}k none {folder}/disk 2>/dev/null || exit 77
"$@" -o {folder}/disk/m.safetensors; echo "status $?" >&2
ls -A {folder}/disk {folder}/disk/m.run | grep -c tmp- >&2
mount -o remount,size=64m {folder}/disk
"$@" -o {folder}/disk/m.safetensors --resume && cmp {folder}/disk/m.safetensors {whole} && echo same >&2
"""


def full_disk():
    """X4: a small disk that fills up, at several sizes."""
    os.makedirs(f"{FOLDER}/disk", exist_ok=True)
    for size in (8, 24, 40, 56, 80):
        script = SMALL_DISK.format(size=size, folder=FOLDER, whole=WHOLE)
        r = subprocess.run(["unshare", "-m", *(["-r"] if os.getuid() else []), "bash", "-c", script, "bash", COTAN, *BASE], capture_output=True, text=True)
        if r.returncode == 77 or "unshare" in r.stderr:
            print("skipped: no disk can be mounted here")
            return
        lines = r.stderr.splitlines()
        check(f"X4 a disk of {size} KiB: 4, or it fits", "status 4" in lines or "status 0" in lines, r.stderr)
        if "status 4" in lines:
            check(f"X4 a disk of {size} KiB: one line", LINE.fullmatch(lines[0] + "\n") and "No space left" in lines[0], lines)
            check(f"X4 a disk of {size} KiB: nothing temporary", "0" in lines, lines)
        check(f"X4 a disk of {size} KiB, then room: the same bytes", "same" in lines, lines)


r = cotan(*BASE, "-o", WHOLE)
check("the training never disturbed", r.status == 0, r)
if not shutil.which("strace") or subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode != 0 or SANITIZED:
    print("skipped: system calls are injected by strace into builds without sanitizers; it is not here, or may not trace")
else:
    calls = counts()
    kills(calls)
    failures_of_calls(calls)
    signals(calls)
full_disk()
finish()
