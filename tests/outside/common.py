"""What the tests of the command from outside share: running it, small data, and the rules of every refusal.

A row is one case: its code, the exit status, a part of the error's text, the words of the command. `refused`
runs it plainly and with --json, and holds what holds for all of them:
  R1  no signal, no sanitizer report, an end within two minutes
  R2  stderr is one line, `cotan: error: WHERE: found; wanted; what to do`; with --json stdout is one object
      {"error", "code", "file", "pos"} and the status is the same
  R3  nothing in the folder is written, replaced or removed
  R4  memory: at most 4 times the files and 16 MiB more than a command that does nothing
Usage of every test: NAME.py COTAN; the last line counts, the exit status is the verdict."""
import gzip, json, os, random, re, resource, shutil, signal, struct, subprocess, sys, tempfile, threading, time

COTAN = os.path.abspath(sys.argv[1])
FULL = bool(os.environ.get("COTAN_TEST_FULL"))
SANITIZED = bool(os.environ.get("COTAN_TEST_SANITIZED"))  # memory and timing of such builds say nothing
LINE = re.compile(r"cotan: error: [^\n]+?: [^\n]+; wanted [^\n]+; [^\n]+\n")
checks = failures = 0


def check(what, ok, seen=""):
    global checks, failures
    checks += 1
    if not ok:
        failures += 1
        print(f"FAILED: {what}: {seen!r}"[:2000], flush=True)
    return ok


def finish():
    print(f"{checks} checks, {failures} failed")
    sys.exit(1 if failures else 0)


class Result:
    def __init__(self, status, out, err, kilobytes):
        self.status, self.out, self.err, self.kilobytes = status, out, err, kilobytes

    def __repr__(self):
        return f"status {self.status}, stdout {self.out[:400]!r}, stderr {self.err[-900:]!r}"


def cotan(*words, wrap=(), limit=120, **more):
    """Run to the end; the status is negative for a signal, and -99 when it takes `limit` seconds. `wrap` comes before the command."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        more.setdefault("stdout", out)
        more.setdefault("stderr", err)
        child = subprocess.Popen([*wrap, COTAN, *words], stdin=subprocess.DEVNULL, **more)
        late = []
        watch = threading.Timer(limit, lambda: (late.append(1), child.kill()))
        watch.start()
        _, status, usage = os.wait4(child.pid, 0)
        watch.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        text = []
        for f in (out, err):
            f.seek(0)
            text.append(f.read().decode("utf-8", "backslashreplace"))
        return Result(-99 if late else child.returncode, *text, usage.ru_maxrss)


def tree(folder):
    """Everything below a folder: kind, size, time and content of each name. A run's lock apart: it is only held."""
    seen = {}
    for base, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(base, name)
            if name == "lock" and base.endswith(".run"):
                continue
            st = os.lstat(path)
            content = b""
            if os.path.isfile(path) and not os.path.islink(path) and st.st_size < 1 << 22:
                try:
                    with open(path, "rb") as f:
                        content = f.read()
                except PermissionError:
                    pass
            seen[path] = (st.st_mode, st.st_size, st.st_mtime_ns if os.path.isfile(path) else 0, st.st_ino, content)
    return seen


def changes(before, after):
    return [p for p in {**before, **after} if before.get(p) != after.get(p)]


def memory_limit(files):
    """Measured anew each time: a child's peak begins with what this process had when it was made."""
    return cotan("--version").kilobytes + (16 << 10) + 4 * sum(os.path.getsize(f) for f in files) // 1024


def refused(code, status, part, *words, folder, files=(), quiet=True, any_memory=False):
    """The rules for one row. `part`: a text, or several, all of them in the line."""
    words = [os.fsencode(w) for w in words]
    if quiet and words[0] == b"train":
        words.insert(1, b"--quiet")
    before = tree(folder)
    for json_too in (False, True):
        r = cotan(*words[:1], *([b"--json"] if json_too else []), *words[1:])
        name = f"{code}{' --json' if json_too else ''}"
        check(f"{name}: exit status {status}", r.status == status, r)
        check(f"{name}: one line: WHERE: found; wanted; what to do", LINE.fullmatch(r.err), r)
        for text in [part] if isinstance(part, str) else part:
            check(f"{name}: says {text!r}", text in r.err, r.err)
        if json_too:
            failure_object(name, status, r)
        else:
            check(f"{name}: nothing on stdout", r.out == "", r.out)
        left = changes(before, tree(folder))
        check(f"{name}: nothing is written, replaced or removed", not left, left)
        if not SANITIZED and not any_memory:
            limit = memory_limit(files)
            check(f"{name}: memory", r.kilobytes <= limit, (r.kilobytes, limit))
    return r


def failure_object(name, status, r):
    try:
        v = json.loads(r.out)
    except ValueError:
        v = None
    ok = isinstance(v, dict) and r.out.count("\n") == 1
    if check(f"{name}: one JSON object", ok, r.out):
        check(f"{name}: its keys", set(v) == {"error", "code", "file", "pos"}, v)
        check(f"{name}: its code", v.get("code") == status, v)
        check(f"{name}: its text is the line's", r.err == f"cotan: error: {v.get('error')}\n", (v, r.err))


# ---- data ----

def idx_bytes(magic, dims, data):
    return struct.pack(f">I{len(dims)}I", magic, *dims) + bytes(data)


def idx(path, magic, dims, data, compress=False):
    with (gzip.open if compress else open)(path, "wb") as f:
        f.write(idx_bytes(magic, dims, data))


def data_set(folder, train=400, test=60, side=10, labels=3, compress=False, seed=3):
    os.makedirs(folder, exist_ok=True)
    r = random.Random(seed)
    end = ".gz" if compress else ""
    for name, n in (("train", train), ("t10k", test)):
        kinds = [r.randrange(labels) for _ in range(n)]
        pixels = bytearray()
        for k in kinds:
            pixels += bytes(r.randrange(60) + (150 if (i // side) % labels == k else 0) for i in range(side * side))
        idx(f"{folder}/{name}-images-idx3-ubyte{end}", 0x803, [n, side, side], pixels, compress)
        idx(f"{folder}/{name}-labels-idx1-ubyte{end}", 0x801, [n], kinds, compress)
    return folder


NET = """h = maxpool2d(relu(conv2d(input(image), "c", 4, 3, pad=1)), 2)
h = dropout(relu(linear(flatten(h), "fc", 8)), "d", 0.2)
logit = linear(h, "out", classes)
"""


def small_net(folder):
    path = f"{folder}/small.net"
    with open(path, "w") as f:
        f.write(NET)
    return path


def write(path, content):
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def same(a, b):
    return os.path.exists(a) and os.path.exists(b) and read(a) == read(b)


def scratch(name):
    """A folder that is removed at the end, whatever happens; readable by others, so that a test may drop rights. In
    memory where there is such a place: trainings sync often."""
    import atexit
    folder = tempfile.mkdtemp(prefix=f"cotan_{name}_", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
