#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The written pages hold the figures of lab/results, and no others.

tests/results/check_results.py [ROOT]        exit 0: they do; 1: what does not, one a line
tests/results/check_results.py --self-test   plants one fault of each kind in a copy and
                                                 expects each to be found
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def check(root):
    done = subprocess.run(
        [sys.executable, ROOT / "lab/results/make_page.py", "--check", "--root", root],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def copy_of(folder):
    """The pages and the result files of this tree, at the same places."""
    hidden = shutil.ignore_patterns(".*", "build", "run", "__pycache__")

    def skipped(where, names):
        here = pathlib.Path(where)
        results = here.relative_to(ROOT).as_posix().startswith("lab/results")
        code = {n for n in names if (here / n).is_file() and not (results or n.endswith(".md"))}
        return code | set(hidden(where, names))

    root = pathlib.Path(folder) / "tree"
    shutil.copytree(ROOT, root, ignore=skipped)
    return root


def replaced(pattern, by):
    """A plant: the first text that matches changes."""

    def plant(text):
        changed = re.sub(pattern, by, text, count=1)
        assert changed != text, f"expected /{pattern}/ in the page, found it nowhere"
        return changed

    return plant


def appended(line):
    return lambda text: text + line + "\n"


def other_figure(text):
    """A plant in a result file: its first figure changes, so that pages that show it are behind."""
    run = json.loads(text)
    run["results"][0]["figure"] += 1
    return json.dumps(run)


# name, page, plant, what the check must say
PLANTS = [
    (
        "a wrong figure in README's block",
        "README.md",
        replaced(r"p99 [\d.]+ ms", "p99 3.1 ms"),
        r"README\.md:\d+: expected what",
    ),
    (
        "a wrong figure in README's prose",
        "README.md",
        appended("It takes 99.9 ms <!-- result: demo-p99 --> there."),
        r"README\.md:\d+: result demo-p99: expected [\d.]+, found 99\.9",
    ),
    (
        "a wrong figure in a card's block",
        "models/fraud-s.md",
        replaced(r"\| \.037 \| \d+", "| .037 | 1"),
        r"models/fraud-s\.md:\d+: expected what",
    ),
    (
        "a wrong figure in a card's prose",
        "models/medical-b.md",
        replaced(r"[\d.]+ %( <!-- result: rank-2025-f32-top1)", r"38.0 %\1"),
        r"models/medical-b\.md:\d+: result rank-2025-f32-top1: expected [\d.]+, found 38\.0",
    ),
    (
        "a wrong interval",
        "models/medical-b.md",
        replaced(r"\+- [\d.]+ %( <!-- result: stages-medical)", r"+- .1 %\1"),
        r"result stages-medical: expected \+- [\d.]+, found \+- \.1",
    ),
    (
        "a wrong unit",
        "models/medical-b.md",
        replaced(r"%( <!-- result: stages-medical)", r"ms\1"),
        r"result stages-medical: expected the unit '%', found 'ms'",
    ),
    (
        "a wrong figure in docs",
        "docs/architecture.md",
        appended("The median is 1.5 ms <!-- result: demo-p50 --> there."),
        r"docs/architecture\.md:\d+: result demo-p50",
    ),
    (
        "a figure without a mark in docs",
        "docs/architecture.md",
        appended("That is 1.8 x as fast."),
        r"docs/architecture\.md:\d+: figure '1\.8'",
    ),
    (
        "a percentage without a mark in a room",
        "core/README.md",
        appended("It takes 30 % of the time."),
        r"core/README\.md:\d+: figure '30 %'",
    ),
    (
        "a mark of a result that is not there",
        "README.md",
        appended("It takes 2.5 ms <!-- result: no-such -->."),
        r"result no-such: expected a result",
    ),
    (
        "a mark without a number",
        "README.md",
        appended("It takes long <!-- result: demo-p99 -->."),
        r"expected a number before this mark",
    ),
    (
        "an edited page",
        "docs/evaluation.md",
        replaced(r"\| yes \|", "| no |"),
        r"docs/evaluation\.md:\d+: expected what",
    ),
    (
        "a result file that changed",
        "lab/results/stream/stream-kafka.json",
        other_figure,
        r"docs/evaluation\.md:\d+: expected what",
    ),
    (
        "a row of allowed.tsv that nothing needs",
        "lab/results/allowed.tsv",
        appended("README.md\tthe speed of 7.77\ta plant"),
        r"allowed\.tsv: README\.md: expected",
    ),
]


def recorded(root):
    """A command that gives another figure: its file has it, and the check names stale pages."""
    printed = json.dumps({"figures": {"mflop_sample": 5.5}, "commit": "0123456789abcdef"})
    subprocess.run(
        [
            sys.executable,
            root / "lab/results/record.py",
            "fraud-s-info",
            "--with",
            f"echo '{printed}'",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    run = json.loads(
        (root / "lab/results/fraud-generated/fraud-s-info.json").read_text(encoding="utf-8")
    )
    assert (run["results"][0]["figure"], run["commit"], run["source"]) == (
        5.5,
        "0123456",
        "command",
    ), run
    out = check(root)[1]
    return all(
        re.search(page, out)
        for page in (
            r"docs/evaluation\.md:\d+: ",
            r"models/fraud-s\.md:\d+: result fraud-s-mflop: expected 5\.5",
        )
    )


def self_test():
    missed = 0
    with tempfile.TemporaryDirectory(prefix="r1-results-") as folder:
        root = copy_of(folder)
        status, out = check(root)
        assert status == 0, f"the copy: expected a clean check, found\n{out}"
        for name, page, plant, expected in PLANTS:
            path = root / page
            before = path.read_text(encoding="utf-8")
            path.write_text(plant(before), encoding="utf-8")
            status, out = check(root)
            path.write_text(before, encoding="utf-8")
            found = status != 0 and re.search(expected, out)
            missed += not found
            print(
                f"{'found' if found else 'MISSED'}: {name}"
                + ("" if found else f"; the check said:\n{out}")
            )
        again = recorded(root)
        missed += not again
        print(f"{'found' if again else 'MISSED'}: a figure that a command recorded anew")
    return 1 if missed else 0


def main():
    if "--self-test" in sys.argv:
        return self_test()
    status, out = check(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    print(out, end="")
    return status


if __name__ == "__main__":
    sys.exit(main())
