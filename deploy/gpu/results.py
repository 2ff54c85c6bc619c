#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""results.py OUT: the folder that run-gpu wrote, as a page in Markdown on standard output."""
import json
import os
import sys


def objects(folder, name):
    """The JSON objects that stand one a line in a step's output."""
    try:
        with open(os.path.join(folder, name + ".txt"), encoding="utf-8", errors="replace") as f:
            lines = [line for line in f if line.startswith("{")]
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # a line that a time limit has cut
    return found


def page(folder):
    with open(os.path.join(folder, "results.json"), encoding="utf-8") as f:
        told = json.load(f)
    yield f"# The CUDA engine at {told['commit'][:12]}"
    yield ""
    if told["card"] != "yes":
        with open(os.path.join(folder, "card.txt"), encoding="utf-8") as f:
            yield f"No card: {f.readline().strip()}"
        yield ""
    with open(os.path.join(folder, "machine.txt"), encoding="utf-8") as f:
        yield from ("```", *(line.rstrip() for line in f), "```", "")
    yield from ("| step | outcome | seconds |", "|---|---|---|")
    yield from (f"| {s['name']} | {s['outcome']} | {s['seconds']} |" for s in told["steps"])
    rows = {}
    sides = {"measure-cuda": "card", "measure-cpu": "CPU", "peers": "PyTorch"}
    for step, side in sides.items():
        for o in objects(folder, step):
            rows.setdefault((o["op"], o["shape"]), {})[side] = o
    if rows:
        yield from ("", "10^9 operations a second:", "", "| op | shape | card | CPU | PyTorch |",
                    "|---|---|---|---|---|")
    for (op, shape), by in rows.items():
        cells = " | ".join(f"{by[s]['gflop_per_s']:.1f}" if s in by else "–"
                           for s in sides.values())
        yield f"| {op} | {shape} | {cells} |"
    for device in "cuda", "cpu":
        for o in objects(folder, f"replay-{device}"):
            if "payments" in o and o["seconds"]:
                yield ""
                yield (f"Replay on {device}: {o['payments']} payments in {o['seconds']} s, "
                       f"{o['payments'] / o['seconds']:.0f} a second.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print("\n".join(page(sys.argv[1])))
