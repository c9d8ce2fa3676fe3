#!/usr/bin/env python3
"""Where results go (K14), the surroundings of a process (K13, X10), and rights (X7)."""
from common import *

FOLDER = scratch("streams")
DATA = data_set(f"{FOLDER}/data", train=200, test=30)
NET_FILE = small_net(FOLDER)
MODEL = f"{FOLDER}/m.safetensors"
BASE = ("train", "image", DATA, "--net", NET_FILE, "--epochs", "2", "--seed", "3", "--lr", "0.001")
PICTURES = f"{DATA}/t10k-images-idx3-ubyte"

# Every command that has a result.
RESULTS = [
    ("evaluate", MODEL, DATA), ("evaluate", MODEL, DATA, "--json"), ("predict", MODEL, PICTURES), ("predict", MODEL, PICTURES, "--json"), ("inspect", MODEL), ("inspect", MODEL, "--json"),
    ("inspect", MODEL, "--flat"), ("plan", MODEL, "--repeats", "1"), ("plan", MODEL, "--repeats", "1", "--json"), ("plan", MODEL, "--dot"), ("check", "relu"), ("check", "relu", "--json"),
    ("presets",), ("presets", "cnn"), ("presets", "--json"), ("--version",), ("--version", "-v"), ("--help",), ("train", "--help"), ("man",), ("completion",),
    ("bench", "mlp-small", "--seconds", "0.001", "--json"), (*BASE, "-o", f"{FOLDER}/j.safetensors", "--force", "--json", "--quiet"), (*BASE, "-o", f"{FOLDER}/d.safetensors", "--dry-run"),
]


def closed(*fds):
    return lambda: [os.close(fd) for fd in fds]


def one_line(r):
    lines = [line for line in r.err.splitlines() if line.startswith("cotan: error: ")]
    return len(lines) == 1 and LINE.fullmatch(lines[0] + "\n") and "standard output" in lines[0]


def results():
    """K14: a result that could not be written is 4, never 0; whatever happens, files are what they are."""
    for words in RESULTS:
        quiet = words[-1] == "--dry-run"  # no result but facts, on standard error
        with open("/dev/full", "w") as full:
            r = cotan(*words, stdout=full)
        check(f"K14 {words} to /dev/full", r.status == (0 if quiet else 4) and (quiet or one_line(r)), r)
        r = cotan(*words, preexec_fn=closed(1), stdout=None)
        check(f"K14 {words} closed", r.status == (0 if quiet else 4) and (quiet or one_line(r)), r)
        read_end, write_end = os.pipe()
        os.close(read_end)
        r = cotan(*words, stdout=write_end)
        os.close(write_end)
        check(f"K14 {words} to a pipe without reader", r.status == (0 if quiet else 4) and (quiet or "error" not in r.err), r)  # head has what it wanted
        r = cotan(*words, preexec_fn=closed(2), stderr=None)
        check(f"K14 {words} without standard error", r.status == 0, r)
        with open("/dev/full", "w") as full:
            r = cotan(*words, stderr=full)
        check(f"K14 {words} with /dev/full as standard error", r.status == 0, r)
    r = cotan(*BASE, "-o", f"{FOLDER}/c.safetensors", "--json", preexec_fn=closed(0, 1, 2), stdout=None, stderr=None)
    check("K14 no stream at all", r.status == 4 and same(MODEL, f"{FOLDER}/c.safetensors"), r.status)
    with open("/dev/full", "w") as full:
        r = cotan("evaluate", f"{FOLDER}/none", DATA, "--json", stdout=full)
    check("K14 the first error stays", r.status == 4 and "none: " in r.err and r.err.count("\n") == 1, r)


def locales(folder):
    """German and Turkish locales, compiled into a folder of ours where the machine can."""
    made = []
    for name in ("de_DE", "tr_TR"):
        r = subprocess.run(["localedef", "-i", name, "-f", "UTF-8", f"{folder}/{name}.UTF-8"], capture_output=True) if shutil.which("localedef") else None
        if r and os.path.exists(f"{folder}/{name}.UTF-8/LC_NUMERIC"):
            made.append(f"{name}.UTF-8")
    return made


def surroundings():
    """K13: language, home, temporary folder, umask: the same bytes."""
    made = locales(FOLDER)
    if not made:
        print("skipped: no locale but C can be made here (apt-get install locales)")
    cases = [(name, {"LOCPATH": FOLDER, "LANG": name, "LC_ALL": name}) for name in made]
    cases += [("no HOME, no TMPDIR", {"HOME": None, "TMPDIR": "/nonexistent"}), ("nothing at all", {k: None for k in os.environ if not k.startswith(("COTAN", "ONEDNN"))}),
              ("time zone", {"TZ": "Pacific/Kiritimati"}), ("NaN-filled memory", {"MALLOC_PERTURB_": "255"}), ("OMP_NUM_THREADS", {"OMP_NUM_THREADS": "7"})]
    for name, change in cases:
        env = {k: v for k, v in {**os.environ, **change}.items() if v is not None}
        out = f"{FOLDER}/k13.safetensors"
        r = cotan(*BASE, "-o", out, "--force", env=env)
        check(f"K13 {name}: the same bytes", r.status == 0 and same(MODEL, out), r)
        a, b = cotan("evaluate", MODEL, DATA, "--json", env=env), cotan("evaluate", MODEL, DATA, "--json")
        check(f"K13 {name}: the same numbers", a.status == 0 and a.out == b.out, (a, b))
        r = cotan("train", "image", DATA, "--lr", "0,01", "-o", out, env=env)
        check(f"K13 {name}: a decimal comma is no number", r.status == 2, r)


def limited(kind, value):
    return lambda: resource.setrlimit(kind, (value, value))


def limits():
    """X10: little memory, few descriptors, few threads, a small stack: 5 or 4 with one line, or the same bytes."""
    stack, processes, files = [("stack of 256 KiB", resource.RLIMIT_STACK, 256 << 10)], [("no new thread", resource.RLIMIT_NPROC, 1)], []
    files = [(f"{n} descriptors", resource.RLIMIT_NOFILE, n) for n in (3, 4, 5, 6, 8)]
    memory = [] if SANITIZED else [(f"{m} MiB", resource.RLIMIT_AS, m << 20) for m in (64, 90, 100, 110, 120, 130, 140, 150, 160, 180, 200, 220, 250, 300, 400)]
    for name, kind, value in ([] if SANITIZED else stack) + processes + files + memory:
        out = f"{FOLDER}/x10.safetensors"
        for threads in ("1", "4"):
            r = cotan(*BASE, "--threads", threads, "-o", out, "--force", "--quiet", preexec_fn=limited(kind, value))
            loader = r.status == 127 and "error while loading shared libraries" in r.err  # the system could not even begin
            check(f"X10 {name}, {threads} threads", (r.status == 0 and same(MODEL, out)) or (r.status in (4, 5) and LINE.fullmatch(r.err)) or loader, r)


def rights():
    """X7: a folder that cannot be written is said before the first step; by another user where we are root."""
    as_user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    if as_user and cotan("--version", **as_user).status != 0:
        print("skipped: another user cannot run the command here")
        return
    closed_folder, run = f"{FOLDER}/closed", f"{FOLDER}/closed/m.run"
    os.makedirs(run)
    os.chmod(closed_folder, 0o555)
    os.chmod(run, 0o777)
    for name, out in (("X7 no new folder", f"{closed_folder}/x.safetensors"), ("X7 the run's folder is there, the model's is closed", f"{closed_folder}/m.safetensors")):
        r = cotan(*BASE, "-o", out, **as_user)
        check(name, r.status == 4 and LINE.search(r.err) and "Permission denied" in r.err and "epoch " not in r.err, r)
    check("X7 nothing stays", os.listdir(run) == [], os.listdir(run))
    secret = f"{FOLDER}/secret"
    shutil.copytree(DATA, secret)
    os.chmod(f"{secret}/train-images-idx3-ubyte", 0)
    os.chmod(FOLDER, 0o777)
    r = cotan("train", "image", secret, "-o", f"{FOLDER}/s.safetensors", "--quiet", **as_user)
    check("X7 data that may not be read", r.status == 4 and LINE.fullmatch(r.err) and "Permission denied" in r.err, r)


r = cotan(*BASE, "-o", MODEL)
check("a model to begin with", r.status == 0, r)
results()
surroundings()
limits()
rights()
finish()
