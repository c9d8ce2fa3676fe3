#!/usr/bin/env python3
"""What a training shows: on a terminal of 60, 80 and 120 columns no line is wider than it, what was drawn to be overwritten is
gone at the end, columns hold losses of any size; where there is no terminal, plain lines and nothing else."""
import fcntl, pty, select, termios
from common import *

FOLDER = scratch("screen")
DATA = data_set(f"{FOLDER}/data_with_a_name_that_takes_some_room", train=300, test=30, seed=3)


class Screen:
    """Lines as a terminal would have them: text, carriage returns, line ends, erasing to the right."""

    def __init__(self, width):
        self.width, self.lines, self.column, self.widest = width, [""], 0, 0

    def feed(self, text):
        for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\r|\n|.", text):
            line = self.lines[-1]
            if part == "\n":
                self.lines.append("")
                self.column = 0
            elif part == "\r":
                self.column = 0
            elif part == "\x1b[K":
                self.lines[-1] = line[:self.column]
            elif part.startswith("\x1b"):
                check("no other order to the terminal than colours", part.endswith("m"), part)
            else:
                self.lines[-1] = line[:self.column].ljust(self.column) + part + line[self.column + 1:]
                self.column += 1
                self.widest = max(self.widest, self.column)
        return self


def on_a_terminal(width, *words):
    """Everything written to a terminal of that width, and the exit status."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    child = subprocess.Popen([COTAN, *words], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, cwd=FOLDER, env={**os.environ, "LC_ALL": "C.UTF-8"})
    os.close(slave)
    raw = b""
    while True:
        if not select.select([master], [], [], 120)[0]:
            child.kill()
            break
        try:
            some = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not some:
            break
        raw += some
    os.close(master)
    return child.wait(), raw.decode("utf-8").replace("\r\n", "\n")


def words_of(name, *more):
    return ("train", "image", DATA, "-o", f"{name}.safetensors", "--net", small_net(FOLDER), "--threads", "1", "--seed", "1", "--force", "--report", "none",
            "--transform", "random_crop 10x10 pad=1, affine degrees=10, normalize mean=0.31 std=0.28", *more)


def widths():
    plain = cotan(*words_of("m", "--epochs", "2"), cwd=FOLDER)
    facts = [line.split(None, 1) for line in plain.err.splitlines() if re.match(r"  [a-z]", line) and "epoch " not in line]
    check("a plain log: no order, no line that lives", plain.status == 0 and "\x1b" not in plain.err and "\r" not in plain.err and "reading" not in plain.err, plain)
    check("a fact a line", {"data", "split", "transform", "net", "training", "with", "machine", "output"} <= {f[0] for f in facts} and any(len(f[1]) > 80 for f in facts), facts)
    for width in (60, 80, 120):
        status, raw = on_a_terminal(width, *words_of("m", "--epochs", "2"))
        seen = Screen(width).feed(raw[:raw.find("\nNext:")])  # what follows is to be copied, and stays whole
        text = "\n".join(seen.lines)
        check(f"{width} columns: done", status == 0, raw)
        check(f"{width} columns: nothing is wider", seen.widest <= width, max(seen.lines, key=len))
        check(f"{width} columns: what lived is gone", "left" not in text and "reading" not in text and "\u2501" not in text, text)
        check(f"{width} columns: it was there", "  reading" in re.sub(r"\x1b\[[0-9;]*m", "", raw), raw[:300])
        flat = re.sub(r"\s+", "", text)
        for key, value in facts:
            if key not in ("time", "best"):
                check(f"{width} columns: {key}, whole", re.sub(r"\s+", "", value) in flat, (value, text))
        rows = [line for line in seen.lines if re.match(r" +\d+ +\d+\.\d{4} ", line)]
        check(f"{width} columns: a row an epoch, {'the mark' if width < 73 else 'and what it means'}", len(rows) == 2 and rows[0].endswith("  best" if width < 73 else "best so far"), rows)
        folded = [line for line in seen.lines if line.startswith(" " * 15) and line.strip()]
        check(f"{width} columns: what is too long goes on below", bool(folded) or width == 120, text)


def large_losses():
    """Pictures of a million: the columns stay where they are."""
    r = cotan(*words_of("l")[:-1], "normalize mean=0 std=1e-6", "--epochs", "2", "--lr", "0.1", cwd=FOLDER)
    rows = [line for line in r.err.splitlines() if re.match(r" +\d+ +[\d.e+]+ +[\d.e+]+ ", line)]
    losses = [float(row.split()[1]) for row in rows]
    check("losses are large", r.status == 0 and len(rows) == 2 and max(losses) > 1e4, r)
    check("in the columns of small ones", all(len(row[7:17]) == 10 and row[17] == " " and row[9:17].strip() == row.split()[1] for row in rows), rows)


def one_of_each():
    r = cotan(*words_of("o", "--epochs", "1", "--steps", "1", "--patience", "1"), cwd=FOLDER)
    check("one is not many", r.status == 0 and "1 epoch, 1 step of 64;" in r.err and "patience 1 epoch\n" in r.err and not re.search(r"\b1 (steps|epochs|classes|pictures)\b", r.err), r)


def the_audit():
    status, raw = on_a_terminal(80, "inspect", DATA)
    check("an audit tells what it reads", status == 0 and "  reading" in re.sub(r"\x1b\[[0-9;]*m", "", raw), raw[:300])
    check("and takes it away", "reading" not in "\n".join(Screen(80).feed(raw).lines), raw)
    r = cotan("inspect", DATA)
    check("not where there is no terminal", r.status == 0 and r.err == "", r)


widths()
the_audit()
large_losses()
one_of_each()
finish()
