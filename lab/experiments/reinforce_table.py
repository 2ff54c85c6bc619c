#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Joins the curves of reinforce_maze and prints the table of docs/log/2026-11-26.md.

    reinforce_table.py DIR [OUT.csv]     DIR: what the runs wrote; OUT.csv gets all rows, as committed beside this file
    reinforce_table.py FILE.csv          the table of a joined file
"""
import csv
import glob
import os
import statistics
import sys

STEPS = (0, 60, 120, 180, 240, 300)


def rows_of(source):
    files = [source] if os.path.isfile(source) else sorted(glob.glob(os.path.join(source, "*grpo*.csv")))
    return [r for f in files for r in csv.DictReader(open(f, encoding="utf-8"))]


def main():
    rows = rows_of(sys.argv[1])
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8", newline="") as f:
            w = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
            w.writeheader()
            w.writerows(rows)
    print("| arm | figure | " + " | ".join(f"step {s}" for s in STEPS) + " |")
    print("|" + "---|" * (len(STEPS) + 2))
    for arm in sorted({r["arm"] for r in rows}):
        for figure in ("regret", "greedy"):
            cells = []
            for s in STEPS:
                v = [float(r[figure]) for r in rows if r["arm"] == arm and int(r["step"]) == s]
                cells.append(f"{statistics.mean(v):.4f} ({min(v):.4f} to {max(v):.4f})" if v else "")
            print(f"| `{arm}` | {figure} | " + " | ".join(cells) + " |")
    by_seed = {r["seed"]: (float(r["subset"]), float(r["best"])) for r in rows}
    for seed, (subset, best) in sorted(by_seed.items()):
        print(f"seed {seed}: best value {best:.4f}, regret of the best fixed set {subset:.4f}, of guessing {best - .5:.4f}")
    area = {}
    for r in rows:
        area.setdefault((r["arm"], r["seed"]), []).append(float(r["regret"]))
    for arm in sorted({a for a, _ in area}):
        print(arm, "mean regret over the run by seed:", ", ".join(f"{s} {statistics.mean(v):.4f}" for (a, s), v in sorted(area.items()) if a == arm))


main()
