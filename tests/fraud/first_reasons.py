#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the first reason of an alert names the sign of the fraud that was planted.

  first_reasons.py R1_FRAUD [--model FILE] [--at PROBABILITY] [--seed N ...] [--json] [--show]

Generated streams are replayed. Of each alert on a planted payment the first reason is read: it
names the sign where its words belong to the planted typology. Exit 1 where fewer than 80 of 100
do, where a first reason lowers the score, or where reasons do not add up to it.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

LEAST = .8
AMOUNT = r"times (what|the sender's usual)|usually pays|% of the balance"
PASSES = r"passes on|cash-out"
OUT = r"sender paid|new payees|payments out within"
IN = r"receiver was paid|payments in within"
SHAPE = r"closes a |circle|goes back|same (source|sink)|between the two|chain of"
# The accounts of a ring are strangers and move one unusual sum, so its amount is a sign of each.
SIGNS = {
    "mule": (PASSES, AMOUNT, IN), "cycle": (SHAPE, PASSES, AMOUNT),
    "fan_in": (IN, AMOUNT, SHAPE), "fan_out": (OUT, AMOUNT, SHAPE),
    "gather_scatter": (IN, OUT, PASSES, SHAPE, AMOUNT),
    "scatter_gather": (IN, OUT, PASSES, SHAPE, AMOUNT),
    "stack": (SHAPE, PASSES, OUT, IN, AMOUNT), "bipartite": (SHAPE, OUT, IN, AMOUNT),
    "compromised_card": (OUT, AMOUNT, r"km from|another (device|country)|payments of this pair"),
    "compromised_terminal": (IN, AMOUNT),
}
WORLD = ["--accounts", "900", "--days", "21", "--rings", "6", "--ring-min", "5", "--ring-max", "9"]


def alerts(program, model, seed, at):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {x: folder / f"{x}.jsonl" for x in ("payments", "labels", "truth", "scores")}
        subprocess.run([program, "generate", "--seed", str(seed), *WORLD, "--out",
                        paths["payments"], "--labels", paths["labels"], "--truth", paths["truth"]],
                       check=True, capture_output=True)
        subprocess.run([program, "replay", "--in", paths["payments"], "--out", paths["scores"],
                        *(["--model", model] if model else [])], check=True, capture_output=True)
        truth = {x["tx_id"]: x["typology"]
                 for x in map(json.loads, paths["truth"].read_text().splitlines())}
        for x in map(json.loads, paths["scores"].read_text().splitlines()):
            if x.get("probability", 0) >= at:
                yield truth.get(x["tx_id"]), x


def faults(x):
    """What is wrong with the reasons of an alert, whether or not it is right."""
    values = [r["contribution"] for r in x["reasons"]]
    raising = [v > 0 for v in values]
    if not raising or not raising[0]:
        return "the first reason lowers the score"
    if raising != sorted(raising, reverse=True):
        return "a reason that lowers stands among those that raise"
    if abs(x["prior_logit"] + sum(values) - x["logit"]) > 1e-6:
        return "reasons do not add up"
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("program")
    p.add_argument("--model")
    p.add_argument("--at", type=float, default=.2)
    p.add_argument("--seed", type=int, nargs="+", default=[20261, 77101])
    p.add_argument("--json", action="store_true")
    p.add_argument("--show", action="store_true", help="print first reasons that name no sign")
    a = p.parse_args()
    n, named, wrong, by = 0, 0, [], Counter()
    for seed in a.seed:
        for typology, x in alerts(a.program, a.model, seed, a.at):
            if (fault := faults(x)):
                wrong.append(f"{x['tx_id']}: {fault}")
            if typology is None:
                continue
            first = x["reasons"][0]["text"]
            good = any(re.search(s, first) for s in SIGNS[typology])
            n, named = n + 1, named + good
            by[typology, good] += 1
            if a.show and not good:
                print(f"{typology:20} {first}")
    share = named / n if n else 0
    if a.json:
        figures = {"alerts": n, "named": named, "share": share, "faults": len(wrong)}
        print(json.dumps({"command": "first_reasons.py", "figures": figures}))
    else:
        for t in sorted({t for t, _ in by}):
            print(f"{t:22} {by[t, True]:4} of {by[t, True] + by[t, False]:4}")
        print(f"first reason names the planted sign: {named} of {n}, {share:.3f}")
        print("\n".join(wrong[:5]))
    return 1 if share < LEAST or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
