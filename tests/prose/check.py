#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that prose tells the truth about the tree, and that it can be read.

    tests/prose/check.py [ROOT]       exit 0: clean; 3: problems, one per line as file:line: what
    tests/prose/check.py --self-test  plants one lie of each kind and expects each to be found

Truth: a path, a file name, an option or an identifier that prose names must exist. Prose is what
stands in Markdown and in the comments of C and CUDA. In Markdown only what stands between
backticks is taken for a name. Form: a line of prose has at most 100 columns, everywhere; a
sentence in Markdown has at most 40 words.
"""

import fnmatch
import os
import re
import subprocess
import sys
import tempfile

COLUMNS, WORDS = 100, 40
CODE = (".c", ".h", ".cu", ".cuh")
SCRIPTS = (".py", ".sh", ".sql", ".cmake", ".json", ".in", ".map", ".xsd", ".xml", ".yml")
TOP = (
    "core",
    "apps",
    "cuda",
    "lab",
    "tests",
    "deploy",
    "docs",
    "models",
    "ontology",
    "schemas",
    "cmake",
)
# Pages that repeat what was true on their day, or that a program writes.
DIARY = ("docs/log/",)
# A database stores the checksum of each migration, so these files never change, however they look.
ANY_COLUMNS = "schemas/sql/[0-9]*.sql"
FILE_NAME = re.compile(r"^[\w.-]+\.(?:c|h|cu|cuh|py|md|sql|cmake)$")
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(TOP)})/[\w./*{{}},<>-]*[\w*}}>/]")
IDENTIFIER = re.compile(
    r"^(?:r1|fraud|med|cpu|cuda|cli)_\w+$|^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$|^[a-z]\w*_\w+$"
)
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]+)")
# Names that are not ours, or data in an example, each with what it is.
ALLOWED = {
    "XML_PARSE_NO_XXE": "a flag of newer libxml2, named because ours lacks it",
    "F_COPY": "short for a flag of librdkafka",
    "HP_1": "a finding's number in an example",
    "HP_0000002": "a finding's number in an example",
    "PMID_24573067_CASE_REPORT": "a case's name in an example",
    "r1_fraud": "a database user in an example",
    "program.c": "a reader's own program",
    "R1_BATCH_ROWS": "an environment variable, made by rule from its option",
    "xoshiro256plusplus.c": "the published source of a test vector",
    "G_II": "mathematics",
    "DR1_EMU": "the compiler's -D",
    "r1_k_NAME": "a pattern of names",
    "fuzz_NAME_long": "a pattern of names",
}
# Where the rows of each program's options stand.
SHARED = "apps/common/"
PROGRAMS = {
    "r1": ("apps/r1/", SHARED),
    "r1-fraud": ("apps/fraud/", SHARED),
    "r1-medical": ("apps/medical/", SHARED),
    "r1-bench": ("lab/bench/", SHARED),
}
# Options of tools that are not ours: cmake, ctest, git, apt, python.
FOREIGN_OPTIONS = {
    "preset",
    "build",
    "target",
    "install",
    "component",
    "prefix",
    "label-regex",
    "help",
    "version",
    "config",
    "output-on-failure",
    "parallel",
    "force",
    "self-test",
}


def tracked(root):
    try:
        out = subprocess.run(
            ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")
    except (subprocess.CalledProcessError, FileNotFoundError):
        out = [os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs]
    return sorted(
        f
        for f in out
        if f
        and not f.startswith(("build/", "run/", ".git/"))
        and os.path.isfile(os.path.join(root, f))
    )


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def comments(text):
    """(line, text) of each line of each C comment."""
    for m in re.finditer(
        r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*(.*?)\*/|//([^\n]*)', text, re.S
    ):
        body = m.group(1) if m.group(1) is not None else m.group(2)
        if body is None:
            continue
        first = text.count("\n", 0, m.start()) + 1
        for i, line in enumerate(body.split("\n")):
            yield first + i, re.sub(r"^\s*\*", "", line)


def without_comments(text):
    return re.sub(
        r'("(?:\\.|[^"\\\n])*")|/\*.*?\*/|//[^\n]*', lambda m: m.group(1) or " ", text, flags=re.S
    )


class Tree:
    """What exists: files, folders, identifiers of code, options."""

    def __init__(self, root):
        self.root, self.files = root, tracked(root)
        self.paths = set(self.files)
        for f in self.files:
            while "/" in f:
                f = f.rsplit("/", 1)[0]
                self.paths.add(f)
        self.names = {os.path.basename(f) for f in self.files}
        self.words, self.options = set(), set(FOREIGN_OPTIONS)
        self.options_of = {p: {"help", "version"} for p in PROGRAMS}
        for f in self.files:
            base = os.path.basename(f)
            code = f.endswith(CODE)
            if not (
                code
                or f.endswith(SCRIPTS)
                or "." not in base
                or base in ("CMakeLists.txt", "CMakePresets.json")
            ):
                continue
            if f.startswith("tests/prose/"):
                continue
            text = read(root, f)
            text = without_comments(text) if code else text
            if f.endswith(".py"):
                text = re.sub(r"(^|\s)#[^\n]*", " ", text)
            self.words.update(re.findall(r"[A-Za-z_]\w*", text))
            rows = re.findall(r'\.name = "([a-z][a-z0-9-]*)"', text)
            self.options.update(rows)
            for program, rooms in PROGRAMS.items():
                if f.startswith(rooms):
                    self.options_of[program].update(rows)
            self.options.update(o.lstrip("-") for o in re.findall(r"--[a-z][a-z0-9-]*", text))

    def has_path(self, path, beside):
        path = path.rstrip("/").split("#")[0]
        options = [path, os.path.normpath(os.path.join(beside, path))]
        if re.search(r"[*<{]", path):
            pattern = re.sub(r"<[^>]*>", "*", re.sub(r"\{[^}]*\}", "*", path))
            return any(fnmatch.fnmatch(p, pattern) for p in self.paths)
        return any(o in self.paths for o in options)

    def has_word(self, word):
        return (
            word in self.words
            or word in ALLOWED
            or any(word.endswith("_") and w.startswith(word) for w in self.words)
        )


def check_paths(tree, where, text, beside, problems):
    for m in PATH.finditer(text):
        path = re.split(r":\d", m.group(0))[0].rstrip(".,;:")
        if not tree.has_path(path, beside):
            problems.append(f"{where}: {path} does not exist")


def check_span(tree, where, span, beside, problems):
    """What stands between backticks in Markdown."""
    first = span.split()[0] if span.split() else ""
    check_paths(tree, where, span, beside, problems)
    if FILE_NAME.match(span) and span not in tree.names:
        problems.append(f"{where}: no file of the tree has the name {span}")
    word = span[:-2] if span.endswith("()") else span
    if IDENTIFIER.match(word) and not tree.has_word(word):
        problems.append(f"{where}: {word} stands nowhere in the code")
    check_commands(tree, where, span, problems)
    if span.startswith("--") or re.match(r"(\./)?(deploy|lab|tests)/", first):
        for o in OPTION.findall(span):
            if o not in tree.options:
                problems.append(f"{where}: no program has the option --{o}")


def check_commands(tree, where, text, problems):
    """Each option behind a program of ours must be one of that program's."""
    for part in re.split(r"&&|[|;>]", text):
        words = part.split()
        program = os.path.basename(words[0]) if words else ""
        for o in OPTION.findall(part) if program in PROGRAMS else []:
            stem = re.sub(r"^no-", "", re.sub(r"-file$", "", o))
            if not {o, stem} & tree.options_of[program]:
                problems.append(f"{where}: {program} has no option --{o}")


def check_comment(tree, where, line, problems):
    check_paths(tree, where, line, "", problems)
    for name in re.findall(r"(?<![\w./-])[\w-]+\.(?:c|h|cu|cuh|py)\b(?![\w(/])", line):
        if name not in tree.names and name not in ALLOWED and not name.startswith("-"):
            problems.append(f"{where}: no file of the tree has the name {name}")
    for word in re.findall(
        r"(?<![\w.$/-])(?:(?:r1|fraud|med)_\w+|[A-Z][A-Z0-9]*_[A-Z0-9_]+)\b(?![.][a-z])", line
    ):
        if not tree.has_word(word):
            problems.append(f"{where}: {word} stands nowhere in the code")


def check_markdown(tree, path, text, problems):
    beside, fenced, para, start = os.path.dirname(path), False, [], 1

    def sentences():
        joined = " ".join(para)
        for s in re.split(
            r"(?<=[.:?!;])\s+", re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", "name", joined)
        ):
            if len(s.split()) > WORDS:
                what = f"a sentence of {len(s.split())} words (at most {WORDS}): {s[:60]}..."
                problems.append(f"{path}:{start}: {what}")

    for i, line in enumerate(text.split("\n"), 1):
        if line.startswith(("```", "~~~")):
            fenced = not fenced
            continue
        table = line.lstrip().startswith("|")
        if (
            len(line) > COLUMNS
            and not fenced
            and not table
            and not re.search(r"\]\(\S+\)|https?://", line)
        ):
            problems.append(f"{path}:{i}: a line of {len(line)} columns (at most {COLUMNS})")
        if fenced:
            check_paths(tree, f"{path}:{i}", line, beside, problems)
            check_commands(tree, f"{path}:{i}", line, problems)
            continue
        for span in re.findall(r"`([^`]+)`", line):
            check_span(tree, f"{path}:{i}", span, beside, problems)
        for target in re.findall(r"\]\(([^)#:]+)\)", line):
            if not tree.has_path(target, beside):
                problems.append(f"{path}:{i}: the link {target} leads nowhere")
        if not line.strip() or table or re.match(r"\s*([-*#]|\d+\.)", line):
            sentences()
            para, start = [], i
        if line.strip() and not table and not line.startswith("#"):
            para = para + [line.strip()] if para else [re.sub(r"^\s*([-*]|\d+\.)\s+", "", line)]
    sentences()


def check_places(tree, path, text, problems):
    """Rows between the marks: the file is there, and holds what is to be looked for. These are the
    row's first two names; what follows from a change may name others."""
    inside, rows = False, 0
    for i, line in enumerate(text.split("\n"), 1):
        inside = line == "<!-- places -->" or (inside and line != "<!-- end of places -->")
        cells = re.findall(r"`([^`]+)`", line)[:2] if inside and line.startswith("|") else []
        if not cells:
            continue
        rows += 1
        if len(cells) != 2 or not os.path.isfile(os.path.join(tree.root, cells[0])):
            problems.append(f"{path}:{i}: expected a file and a name in it, found {line}")
        elif not re.search(rf"(?<![\w-]){re.escape(cells[1])}(?![\w-])", read(tree.root, cells[0])):
            problems.append(f"{path}:{i}: {cells[0]} does not hold {cells[1]}")
    if "<!-- places -->" in text and rows < 20:
        problems.append(f"{path}:1: expected at least 20 places, found {rows}")


def check(root):
    tree, problems = Tree(root), []
    for f in tree.files:
        if f.startswith(DIARY):
            continue
        base = os.path.basename(f)
        if f.endswith(".md"):
            check_markdown(tree, f, read(root, f), problems)
            check_places(tree, f, read(root, f), problems)
        elif f.endswith(CODE):
            text = read(root, f)
            for i, line in enumerate(text.split("\n"), 1):
                if len(line) > COLUMNS:
                    problems.append(f"{f}:{i}: a line of {len(line)} columns (at most {COLUMNS})")
            for i, line in comments(text):
                check_comment(tree, f"{f}:{i}", line, problems)
        elif fnmatch.fnmatch(f, ANY_COLUMNS):
            continue
        elif f.endswith((".py", ".sql", ".sh", ".cmake")) or base in (
            "CMakeLists.txt",
            "CMakePresets.json",
        ):
            for i, line in enumerate(read(root, f).split("\n"), 1):
                if len(line) > COLUMNS:
                    problems.append(f"{f}:{i}: a line of {len(line)} columns (at most {COLUMNS})")
    return problems


PLANTS = [
    ("docs/planted.md", "See `core/base/absent.c`.\n", "does not exist"),
    ("docs/planted.md", "The file `absent_room.c` does it.\n", "no file of the tree"),
    ("docs/planted.md", "Call `r1_absent_call`.\n", "stands nowhere"),
    ("docs/planted.md", "Say `r1 train --absent-option`.\n", "has no option"),
    ("docs/planted.md", "Say `build/bin/r1-fraud x --lr 1`.\n", "r1-fraud has no option"),
    ("docs/planted.md", "```\nr1 train --absent-option\n```\n", "r1 has no option"),
    ("docs/planted.md", "See [the page](absent.md).\n", "leads nowhere"),
    ("docs/planted.md", "word " * 25 + "\n", "columns"),
    ("docs/planted.md", ("one two three four five six seven\n") * 6, "a sentence of"),
    (
        "docs/planted.md",
        "<!-- places -->\n| a | `core/base/real.c` | `r1_gone` |\n<!-- end of places -->\n",
        "does not hold",
    ),
    ("docs/planted.md", "<!-- places -->\n<!-- end of places -->\n", "at least 20 places"),
    ("core/base/planted.c", "/* as core/base/absent.h says */\n", "does not exist"),
    ("core/base/planted.c", "/* as absent_room.h says */\n", "no file of the tree"),
    ("core/base/planted.c", "/* at most R1_ABSENT_MAX of them */\n", "stands nowhere"),
    ("core/base/planted.c", "int x; /* " + "word " * 20 + "*/\n", "columns"),
    ("schemas/planted.sql", "-- " + "word " * 25 + "\n", "columns"),
    ("schemas/sql/README.md", "word " * 25 + "\n", "columns"),
    ("tests/core/planted.sql", "-- " + "word " * 25 + "\n", "columns"),
]


def self_test(root):
    missed = 0
    for path, text, expected in PLANTS:
        with tempfile.TemporaryDirectory() as tmp:
            for p, t in [("core/base/real.c", "int r1_real;\n"), (path, text)]:
                os.makedirs(os.path.join(tmp, os.path.dirname(p)), exist_ok=True)
                with open(os.path.join(tmp, p), "w", encoding="utf-8") as f:
                    f.write(t)
            if not any(expected in p and p.startswith(path) for p in check(tmp)):
                print(f"planted in {path} but not found: {text.strip()}")
                missed += 1
    print(f"{len(PLANTS) - missed} of {len(PLANTS)} planted lies found")
    return 3 if missed else 0


def main():
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    if sys.argv[1:] == ["--self-test"]:
        return self_test(root)
    problems = check(sys.argv[1] if len(sys.argv) > 1 else root)
    print("\n".join(problems) if problems else "prose: clean")
    return 3 if problems else 0


sys.exit(main())
