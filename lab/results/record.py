#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the command of a result file and writes its figures, date, commit and machine back.

    lab/results/record.py RUN [--runs N] [--with COMMAND] [--bin FOLDER]
    lab/results/record.py --list

RUN is the name of a file below lab/results, without its folder: gemm, annotate-id68. The command
runs in a shell at the root of the tree, with the built programs first on the path and the folder of
data sets in $DATA (../shared/data). It prints one JSON object {command, figures, commit}, as
r1_figures_print does, or text.
--runs N runs it N times: each figure is the middle one. Its spread is the lowest and the highest,
where the command prints no other.
--with runs another command in its place, for other paths or another build of the same measurement;
the stored command stays.
Afterwards run lab/results/make_page.py, which writes the pages anew.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import sys

from results import HERE, Fault, find_run, load_run, save_run

ROOT = HERE.parent.parent
ISA = (
    ("avx512_bf16", "AVX-512 with BF16 and VNNI"),
    ("avx512_vnni", "AVX-512 with VNNI"),
    ("avx512f", "AVX-512"),
    ("avx2", "AVX2"),
)


def output_of(command, folder):
    path = os.pathsep.join(
        [
            str(folder),
            str(folder.parent / "lab"),
            str(folder.parent / "bench"),
            os.environ.get("PATH", ""),
        ]
    )
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "DATA": os.environ.get("DATA", "../shared/data")},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise Fault(f"{command}: expected exit status 0, found {done.returncode}")
    return done.stdout


def machine_of():
    """The processor, its cores, its widest instruction set, and whether others use it."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        lines = [line.partition(":") for line in f]
    model = next(
        (value.strip() for name, _, value in lines if name.startswith("model name")), "unknown"
    )
    flags = set(next((value for name, _, value in lines if name.startswith("flags")), "").split())
    isa = next((name for flag, name in ISA if flag in flags), "")
    busy = "busy with other work" if os.getloadavg()[0] > os.cpu_count() else ""
    return ", ".join(filter(None, [model, f"{os.cpu_count()} cores", isa, busy]))


def commit_of(printed, folder):
    """Of the program's build; where it does not say so, of the tree that holds the programs."""
    commit = printed.get("commit", "unknown")
    if commit == "unknown":
        commit = subprocess.run(
            ["git", "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    return commit[:7]


def value_of(record, key, text, figures):
    if match := record.get("match"):
        found = re.search(match, text)
        if not found:
            raise Fault(
                f"{record['id']}: expected /{match}/ in what the command printed, found none"
            )
        return float(found[1].replace(",", ""))
    if figures.get(key) is None:
        raise Fault(f"{record['id']}: expected the figure {key}, found {sorted(figures)}")
    return figures[key]


def update_result(r, prints):
    """prints: of each run the text and its figures by name."""
    if not r.get("key") and not r.get("match"):
        raise Fault(
            f"{r['id']}: expected a key or a match, found neither: no command can record it"
        )
    scale = r.get("scale", 1)

    def middle(record, key):
        values = sorted(scale * value_of(record, key, text, figures) for text, figures in prints)
        return [float(f"{v:.6g}") for v in (values[len(values) // 2], values[0], values[-1])]

    r["figure"], low, high = middle(r, r.get("key"))
    if not any(name.endswith("_key") for name in r.get("spread", {})):  # of an earlier measurement
        r.pop("spread", None)
        if len(prints) > 1:
            r["spread"] = {"low": low, "high": high, "of": f"{len(prints)} runs"}
    for side in (r.get("spread"), r.get("peer")):
        for name in [n for n in side or {} if n.endswith("_key")]:
            side[name[:-4]] = middle({"id": r["id"]}, side[name])[0]


def line_like(t, pattern, text):
    found = next((line.rstrip() for line in text.split("\n") if re.search(pattern, line)), None)
    if found is None:
        raise Fault(f"{t['id']}: expected a line like /{pattern}/ in what was printed, found none")
    return found


def update_table(t, text, figures):
    if "template" in t:
        t["rows"] = [
            [re.sub(r"(?<![\d.])0\.", ".", cell.format(**figures)) for cell in row]
            for row in t["template"]
        ]
    elif "take" in t:
        t["lines"] = ["   ..." if p == "..." else line_like(t, p, text) for p in t["take"]]
    else:
        raise Fault(f"{t['id']}: expected a template or take, found neither: nothing to record")


def update(run, texts, folder, machine):
    prints = []
    for text in texts:
        try:
            printed = json.loads(text)
        except ValueError:
            printed = {}
        prints.append((text, printed.get("figures", {})))
    for r in run.get("results", []):
        update_result(r, prints)
    for t in run.get("tables", []):
        update_table(t, *prints[-1])
    run |= {
        "date": datetime.date.today().isoformat(),
        "commit": commit_of(printed, folder),
        "machine": machine,
        "source": "command",
    }


def main():
    p = argparse.ArgumentParser(
        usage="%(prog)s RUN [--runs N] [--with COMMAND] [--bin FOLDER] | --list"
    )
    p.add_argument("run", nargs="?")
    p.add_argument("--runs", type=int, default=1)
    p.add_argument("--with", dest="command")
    p.add_argument(
        "--bin", default=ROOT / "build/release/bin", type=lambda s: type(ROOT)(s).resolve()
    )
    p.add_argument("--list", action="store_true")
    args = p.parse_args()
    if args.list or not args.run:
        for path in sorted(HERE.glob("*/*.json")):
            if path.stem != "domain":
                print(f"{path.stem:28} {load_run(path)['command']}")
        return 0
    path = find_run(args.run)
    command = args.command or load_run(path)["command"]
    machine = machine_of()  # before the command makes it busy
    texts = [output_of(command, args.bin) for _ in range(max(args.runs, 1))]
    run = load_run(path)  # once more: a long command leaves time to edit the file
    update(run, texts, args.bin, machine)
    save_run(path, run)
    for r in run.get("results", []):
        print(f"{r['id']:36} {r['figure']:.6g}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Fault as fault:
        sys.exit(f"record.py: {fault}")
