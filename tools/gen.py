#!/usr/bin/env python3
"""Derive include/cotan/ops.h, src/op/table.c and docs/ops.md from src/op/*.c.

An op file declares everything: attribute tables (rows OPT_*(struct, field, ...) make the option struct),
records (const ct__op ct__op_NAME = {), and public builders (ct_t ct_name(...) with the comment above).
The output is committed; --check fails when it is stale.
"""
import os, re, sys, textwrap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
C_TYPE = {"INT": "int32_t", "CHOICE": "int32_t", "FLOAT": "double", "TEXT": "const char *"}
WIDTH = 110
SIZE = {"INT": 4, "CHOICE": 4, "FLOAT": 8, "TEXT": 8}


def sources():
    folder = os.path.join(ROOT, "src", "op")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".c") and name != "table.c":
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                yield name, f.read()


def split_row(text):
    """The arguments of a row, at the commas outside strings and parentheses."""
    out, depth, quote, word = [], 0, False, ""
    for i, ch in enumerate(text):
        if ch == '"' and text[i - 1] != "\\":
            quote = not quote
        if not quote:
            depth += ch == "("
            depth -= ch == ")"
            if ch == "," and depth == 0:
                out.append(word.strip()); word = ""
                continue
        word += ch
    return out + [word.strip()]


def rows(text):
    for m in re.finditer(r"\b(OPT|POS)_(INT|FLOAT|CHOICE|TEXT|LIST)\(", text):
        depth, i, quote = 1, m.end(), False
        while depth:
            ch = text[i]
            if ch == '"' and text[i - 1] != "\\":
                quote = not quote
            if not quote:
                depth += ch == "("
                depth -= ch == ")"
            i += 1
        yield m.start(), m.group(1), m.group(2), split_row(text[m.end():i - 1])


def unquote(s):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', s)).replace('\\"', '"')


def option_structs(files):
    structs, where = {}, {}
    for name, text in files:
        for _, scope, kind, arg in rows(text):
            if scope != "OPT":
                continue
            s, field = arg[0], arg[1]
            if where.setdefault(s, name) != name:
                continue
            fields = structs.setdefault(s, [])
            if any(f[1] == field for f in fields):
                continue
            help_ = unquote(arg[-1])
            default = unquote(arg[2]).split("|")[0] if kind == "CHOICE" else "" if kind == "TEXT" else arg[2]
            if kind in ("INT", "FLOAT") and float(eval(arg[2], {"INT32_MAX": 2**31 - 1})) != 0:
                low = float(eval(arg[3], {"INT32_MAX": 2**31 - 1}))
                if low <= 0:
                    sys.exit(f"gen.py: {name}: {s}.{field} has default {arg[2]} and a range with 0: make it positional or inverted")
            note = help_ + (f"; {', '.join(unquote(arg[2]).split('|'))}" if kind == "CHOICE" else f"; default {default}" if default not in ("", "0") else "")
            fields.append((kind, field, note))
    return structs


def struct_size(fields):
    """Of the fields: 64 bytes, or 128 where they need more."""
    size = 0
    for kind, _, _ in fields:
        size += -size % SIZE[kind] + SIZE[kind]
    if size > 128:
        sys.exit(f"gen.py: an option struct of {size} bytes: {fields[0]}")
    return 64 if size < 64 else 128


def struct_text(name, fields):
    """The option struct: fields in their order, gaps and the tail reserved, comments in one column or above."""
    rows, size = [], 0
    for kind, field, note in fields:
        pad = -size % SIZE[kind]
        if pad:
            rows.append((f"    int32_t reserved_{size};", "")); size += pad
        star = C_TYPE[kind] if C_TYPE[kind].endswith("*") else C_TYPE[kind] + " "
        rows.append((f"    {star}{field};", f"/* {note} */")); size += SIZE[kind]
    total = struct_size(fields)
    if size % 8:
        rows.append((f"    int32_t reserved_{size};", "")); size += 4
    if total > size:
        rows.append((f"    int64_t reserved[{(total - size) // 8}];", ""))
    column = max(len(left) for left, note in rows if note) + 1
    out = [f"typedef struct {name} {{"]
    for left, note in rows:
        if note and column + len(note) > WIDTH:
            out += textwrap.wrap(note, WIDTH - 4, initial_indent="    ", subsequent_indent="     * ", break_on_hyphens=False, break_long_words=False)
            note = ""
        out.append(f"{left:{column}}{note}".rstrip())
    return "\n".join(out + [f"}} {name};", ""])


def builders(text):
    pattern = r"(/\*(?:[^*]|\*(?!/))*\*/\n)?^((?:ct_t|ct_status|void) ct_(?!_|custom_op)[a-z0-9_]+\([^{;]*?\)) \{"
    for m in re.finditer(pattern, text, re.M):
        yield (m.group(1) or "").rstrip(), re.sub(r"\s+", " ", m.group(2))


def wrapped(proto):
    """A prototype in lines, broken between arguments."""
    head, arguments = proto[:proto.index("(") + 1], proto[proto.index("(") + 1:].rstrip(")").split(", ")
    indent, line, out = " " * len("CT_API " + head), "CT_API " + head, []
    for i, argument in enumerate(arguments):
        word = argument + (");" if i == len(arguments) - 1 else ",")
        if i and len(line) + 1 + len(word) > WIDTH:
            out.append(line); line = indent + word
        else:
            line += (" " if i else "") + word
    return out + [line]


def ops_h(files):
    out = ["/* cotan/ops.h: builders of all ops. Made by tools/gen.py from src/op/; edit there.",
           " *",
           " * Every builder appends a node to the graph of its first tensor and returns its output; after an error it",
           " * returns the poison tensor. Options are zero-means-default structs, last. Definitions and defaults are",
           " * PyTorch's unless a line says otherwise. Not thread-safe within one context. */",
           "#ifndef COTAN_OPS_H", "#define COTAN_OPS_H", "", '#include "cotan.h"', "", "#ifdef __cplusplus", 'extern "C" {', "#endif", ""]
    structs = option_structs(files)
    for name in sorted(structs):
        out.append(struct_text(name, structs[name]))
    for name, text in files:
        found = list(builders(text))
        if found:
            out.append(f"/* ---- {name[:-2]} ---- */")
            for comment, proto in found:
                if comment:
                    out.append(comment)
                out += wrapped(proto)
            out.append("")
    return "\n".join(out + ["#ifdef __cplusplus", "}", "#endif", "", "#endif", ""])


def table_c(files):
    names = sorted(n for _, t in files for n in re.findall(r"^const ct__op ct__op_(\w+) = \{", t, re.M))
    head = "/* table.c: all ops. Made by tools/gen.py. */\n#include \"graph/graph.h\"\n\n"
    decl = "".join(f"extern const ct__op ct__op_{n};\n" for n in names)
    sizes = "".join(f'_Static_assert(sizeof({s}) == {struct_size(f)}, "{s}");\n' for s, f in sorted(option_structs(files).items()))
    decl += "\n/* What programs compiled earlier rely on (src/nn/abi.c). */\n" + sizes
    return head + decl + "\nconst ct__op *const ct__ops[] = {\n" + "".join(f"    &ct__op_{n},\n" for n in names) + "    0,\n};\n"


def ops_md(files):
    out = ["# Ops", "", "Made by `tools/gen.py` from the comments and tables of `src/op/`.", ""]
    for name, text in files:
        comment = re.match(r"/\*(.*?)\*/", text, re.S)
        body = "\n".join(re.sub(r"^ ?\* ?", "", l.strip()) for l in comment.group(1).strip().split("\n")) if comment else ""
        out += [f"## {name[:-2]}", "", "```text", body, "```", ""]
        protos = [p for _, p in builders(text)]
        if protos:
            out += ["```c"] + [p + ";" for p in protos] + ["```", ""]
        table = [(k, a) for _, s, k, a in rows(text)]
        if table:
            out += ["| attribute | type | meaning |", "|---|---|---|"]
            seen = set()
            for _, s, k, a in rows(text):
                field = a[1] if s == "OPT" else a[0]
                if (field, a[-1]) not in seen:
                    seen.add((field, a[-1]))
                    out.append(f"| {field} | {k.lower()} | {unquote(a[-1])} |".replace("\\", ""))
            out.append("")
    return "\n".join(out) + "\n"


def main():
    files = list(sources())
    stale = []
    for path, text in (("include/cotan/ops.h", ops_h(files)), ("src/op/table.c", table_c(files)), ("docs/ops.md", ops_md(files))):
        full = os.path.join(ROOT, path)
        old = open(full, encoding="utf-8").read() if os.path.exists(full) else None
        if old == text:
            continue
        stale.append(path)
        if "--check" not in sys.argv:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
    if stale:
        print(("stale, run tools/gen.py: " if "--check" in sys.argv else "written: ") + " ".join(stale))
    return 1 if stale and "--check" in sys.argv else 0


sys.exit(main())
