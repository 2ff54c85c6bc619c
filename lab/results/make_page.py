#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/evaluation.md, and the blocks of figures in other pages, from the result files.

    lab/results/make_page.py            writes
    lab/results/make_page.py --check    writes nothing; exit 1 where a page is not what it would
                                        write, or where a figure has no result
    ... --root FOLDER                   another tree, for tests

A block lies between `<!-- results: NAME -->` and `<!-- end of results -->`. NAME is a table of a
result file, or a result file. README.md beside this file says more.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import textwrap

import prose
from results import Fault, HERE, Results, met, number

PAGE = "docs/evaluation.md"
SKIPPED = re.compile(r"(docs/log/|build/|run/|\.git/|\.)")
HEAD = """\
# Evaluation

Today's figures, weak ones included. `lab/results/make_page.py` writes this page from the files
below `lab/results`, which the commands write; nobody edits it. `lab/results/record.py NAME` runs a
command again, and its name stands before it. What was tried on the way stands in `docs/log`.

- **met**: whether the figure reaches its aim. "Within the spread" says that the spread reaches both
  sides of the aim.
- **commit**: with `*`, a figure that was taken over from the diary on 2026-11-29, with the day and
  the commit that wrote it there. Without, the commit of the program that measured it.
- A figure in x is a ratio to the peer in the same run. Other times belong to their machine. Of
  several runs the figure is the middle one, or the worst where the diary or two runs gave it.
- `$DATA` is the folder of data sets, `../shared/data` unless it is set. None of them is shipped.
  `run/lab` is what `lab/results/prepare` writes. Programs lie below `build/release`.
"""


def wrapped(text):
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def anchor(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def aim_of(r):
    aim = r.get("aim") or ""
    bound = re.fullmatch(r"(>=|<=) (-?[\d.]+)", aim)
    if not bound:
        return aim
    places = len(bound[2].partition(".")[2])
    return f"{bound[1]} {number(float(bound[2]), places, r.get('unit', ''))}"


def figure_of(r):
    digits, spread = r["digits"], r.get("spread") or {}
    text, unit = number(r["figure"], digits), r.get("unit", "")
    tail = ""
    if "half" in spread:
        text += f" +- {number(spread['half'], digits)}"
        tail = f" ({spread['of']})"
    elif "low" in spread:
        low, high = number(spread["low"], digits), number(spread["high"], digits)
        tail = f" ({low} to {high}, {spread['of']})"
    return text + (f" {unit}" if unit else "") + tail


def peer_of(r):
    """Its figure first, but for a ratio, whose peer is 1."""
    peer = r.get("peer")
    if not peer:
        return ""
    figure = peer.get("figure")
    if figure is None or r.get("unit") == "x":
        return peer["what"]
    digits = 0 if figure == int(figure) else r["digits"]
    return f"{number(figure, digits, r.get('unit', ''))}, {peer['what']}"


def shown(run):
    """Figures of the evaluation page; the others are those of cards alone."""
    return [r for r in run.get("results", []) if r.get("page", True)]


def rows_of(name, run, letter):
    """The command stands in the first row of its run, its name in the others."""
    commit = f"`{run['commit']}`" + ("*" if run["source"] == "diary" else "")
    for i, r in enumerate(shown(run)):
        command = f"{name}: `{run['command']}`".replace("|", "\\|") if i == 0 else name
        yield [
            r["what"],
            aim_of(r),
            figure_of(r),
            peer_of(r),
            command,
            run["date"],
            letter,
            commit,
            met(r),
        ]


def section(domain, runs, letters):
    rows = [row for name, run in runs for row in rows_of(name, run, letters[run["machine"]])]
    columns = ["what", "aim", "figure", "peer", "command", "date", "machine", "commit", "met"]
    return (
        f"## {domain['title']}\n\n{wrapped(' '.join(domain['method']))}\n\n{table(columns, rows)}"
    )


def contents(domains):
    rows = []
    for _, d, runs in domains:
        words = [met(r) for _, run in runs for r in shown(run)]
        aims = [w for w in words if w != "-"]
        rows.append(
            [
                f"[{d['title']}](#{anchor(d['title'])})",
                str(len(words)),
                f"{sum(w.startswith('yes') for w in aims)} of {len(aims)}",
            ]
        )
    return table(["domain", "figures", "aims met"], rows)


def page_of(results):
    machines = list(
        dict.fromkeys(run["machine"] for _, _, runs in results.domains for _, run in runs)
    )
    letters = {m: chr(ord("A") + i) for i, m in enumerate(machines)}
    seats = "".join(f"- machine {letters[m]}: {m}\n" for m in machines)
    parts = [HEAD + seats, contents(results.domains)]
    return "\n".join(parts + [section(d, runs, letters) for _, d, runs in results.domains])


def block_of(results, name):
    if name in results.runs and name not in results.tables:
        rows = [[r["what"], figure_of(r), peer_of(r)] for r in results.runs[name]["results"]]
        return "\n" + table(["what", "figure", "beside"], rows) + "\n"
    t = results.tables.get(name)
    if t is None:
        raise Fault(f"block {name}: expected a table or a result file of this name, found neither")
    if "lines" in t:
        return "```\n" + "\n".join(t["lines"]) + "\n```\n"
    return "\n" + table(t["columns"], t["rows"]) + "\n"


def pages(root):
    """Every written page of the tree: those that git lists, or all where there is no git."""
    try:
        out = subprocess.run(
            ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")
    except (subprocess.CalledProcessError, FileNotFoundError):
        out = []
    names = [n for n in out if n and (root / n).is_file()] or [
        p.relative_to(root).as_posix() for p in root.rglob("*.md")
    ]
    return sorted(n for n in names if not SKIPPED.match(n) and n != PAGE)


def with_blocks(results, text):
    return prose.BLOCK.sub(
        lambda m: f"<!-- results: {m[1]} -->\n{block_of(results, m[1])}<!-- end of results -->",
        text,
    )


def wanted(root, results):
    """What each page should hold, by its name."""
    texts = {name: (root / name).read_text(encoding="utf-8") for name in pages(root)}
    return {PAGE: page_of(results)} | {
        name: with_blocks(results, text) for name, text in texts.items()
    }


def stale(root, texts):
    for name, text in texts.items():
        found = (root / name).read_text(encoding="utf-8") if (root / name).exists() else ""
        if found != text:
            pairs = zip(found.split("\n") + [""], text.split("\n") + [""])
            line = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), 1)
            yield f"{name}:{line}: expected what make_page.py writes, found another text"


def check(root, results, texts):
    faults, used = list(stale(root, texts)), set()
    allowed = prose.allowed_of(root / "lab/results/allowed.tsv")
    for name in texts:
        if name != PAGE:
            text = (root / name).read_text(encoding="utf-8")
            faults += [
                f"{name}:{line}: {what}"
                for line, what in prose.faults_of(name, text, results.results, allowed, used)
            ]
    faults += [
        f"lab/results/allowed.tsv: {page}: expected '{phrase}' on that page, found it nowhere"
        for page, phrase, reason in allowed
        if (page, phrase, reason) not in used
    ]
    return faults


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--check", action="store_true")
    p.add_argument("--root", default=HERE.parent.parent, type=pathlib.Path)
    args = p.parse_args()
    results = Results(args.root / "lab/results")
    texts = wanted(args.root, results)
    if not args.check:
        for name in [n.partition(":")[0] for n in stale(args.root, texts)]:
            (args.root / name).write_text(texts[name], encoding="utf-8")
            print(f"written: {name}")
        return 0
    faults = check(args.root, results, texts)
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Fault, ValueError) as fault:
        sys.exit(f"make_page.py: {fault}")
