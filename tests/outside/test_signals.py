#!/usr/bin/env python3
"""Signals while training (X11, X12, X17): the first finishes the step and saves, the second leaves at once."""
from common import *

FOLDER = scratch("signals")
DATA = data_set(f"{FOLDER}/data", train=400, test=30)
BASE = ("train", "image", DATA, "--net", small_net(FOLDER), "--batch", "4", "--seed", "3", "--checkpoint-every", "7")
LONG = (*BASE, "--epochs", "30")
WHOLE = f"{FOLDER}/whole.safetensors"


class Training:
    """A training in the background; its checkpoint is awaited, so that there is something to save."""

    def __init__(self, name, *words, shell=False, **more):
        self.out = f"{FOLDER}/{name}.safetensors"
        self.run = f"{FOLDER}/{name}.run"
        command = [COTAN, *words, "-o", self.out]
        if shell:  # a shell that tells how the command ended, as a user's does
            command = ["bash", "-c", '"$@"; echo "status $?" >&2', "bash", *command]
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)
        end = time.monotonic() + 100
        while not os.path.exists(f"{self.run}/checkpoint.safetensors") and self.child.poll() is None and time.monotonic() < end:
            time.sleep(0.005)

    def finish(self):
        self.text_out, self.text = self.child.communicate(timeout=120)
        return self.child.returncode

    def resume(self, code, *words):
        r = cotan("train", "image", "-o", self.out, "--resume", *words)
        check(f"{code}: resumed, the bytes of the one never stopped", r.status == 0 and same(self.out, WHOLE), r)
        check(f"{code}: the log too", same(f"{self.run}/metrics.jsonl", f"{FOLDER}/whole.run/metrics.jsonl"))
        for name in os.listdir(self.run):
            check(f"{code}: nothing temporary is left", ".tmp-" not in name, name)


def first():
    for code, number, status in (("X11 SIGINT", signal.SIGINT, 130), ("X11 SIGTERM", signal.SIGTERM, 143), ("X12 SIGHUP", signal.SIGHUP, 129)):
        t = Training(code.replace(" ", "_"), *LONG)
        t.child.send_signal(number)
        check(f"{code}: {status}", t.finish() == status, (t.child.returncode, t.text))
        lines = [line for line in t.text.splitlines() if line.startswith("cotan: error: ")]
        check(f"{code}: one line that says what was saved", len(lines) == 1 and "stopped at step" in lines[0] and "saved in" in lines[0], t.text)
        check(f"{code}: and how to go on", "--resume" in t.text, t.text)
        check(f"{code}: no model yet", not os.path.exists(t.out))
        t.resume(code)
    t = Training("json", *LONG, "--json", "--quiet")
    t.child.send_signal(signal.SIGINT)
    check("X11 --json: 130", t.finish() == 130, t.text)
    check("X11 --json: one object", json.loads(t.text_out)["code"] == 130, t.text_out)
    t.resume("X11 --json")


def second():
    """Twice, thrice, both kinds: the process is gone, the checkpoint whole."""
    for i, numbers in enumerate([(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)] * (4 if FULL else 1)):
        t = Training(f"twice{i}", *LONG)
        for number in numbers:
            t.child.send_signal(number)
            time.sleep(0.0002 * (i % 7))
        status = t.finish()
        # both may be pending at once; which handler runs first is then the system's choice
        check(f"X11 twice: {numbers}", status in {s for n in numbers for s in (-n, 128 + n)}, (status, t.text))
        t.resume(f"X11 twice {numbers}")


def others():
    t = Training("stop", *LONG)
    t.child.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    t.child.send_signal(signal.SIGCONT)
    check("X12 stopped and continued: goes on by itself", t.finish() == 0 and same(t.out, WHOLE), t.text)
    t = Training("nohup", *LONG, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    t.child.send_signal(signal.SIGHUP)
    check("X12 under nohup: goes on", t.finish() == 0 and same(t.out, WHOLE), t.text)
    r = cotan("train", "image", DATA, "-o", f"{FOLDER}/none/m.safetensors")
    check("a failure before the first step is no stop", r.status == 4, r)


def two():
    """X17, H6: a second training into the folder is refused, whatever it is told; the first goes on."""
    t = Training("two", *LONG)
    for words in (LONG, (*LONG, "--force"), ("train", "image", "--resume"), (*BASE, "--epochs", "3")):
        if t.child.poll() is not None:
            print("skipped: the first training ended too soon")
            break
        r = cotan(*words, "-o", t.out, "--quiet")
        if t.child.poll() is None:
            check(f"X17 {words[-1]}: 4, the pid of who holds it", r.status == 4 and f"process {t.child.pid}" in r.err and LINE.fullmatch(r.err), r)
    check("X17 the first is not disturbed", t.finish() == 0 and same(t.out, WHOLE), t.text)


r = cotan(*LONG, "-o", WHOLE)
check("the training never stopped", r.status == 0, r)
first()
second()
others()
two()
finish()
