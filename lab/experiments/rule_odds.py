#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much a finding says of fraud beyond the other rules: the log odds that a payment with it has
over one without it, at the same score of the rest.

    lab/experiments/rule_odds.py [--seeds 5,6,7] [--accounts 1500] [--days 60] [--rings 12]

Makes streams with planted rings, replays them by the rules alone, and fits by maximum likelihood
logit P(fraud) = a + b * (logit of the other rules) + one weight per finding. Findings are planted
in such streams, so a weight is an upper bound: apps/fraud/score/README.md says what became of it.
Needs nothing but r1-fraud.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FINDINGS = ("cycle", "fan_in", "fan_out", "scatter_gather", "gather_scatter", "bipartite", "stack")


def fraud(*args):
    bin_dir = os.environ.get("R1_BIN") or os.path.join(ROOT, "build/release/bin")
    subprocess.run([os.path.join(bin_dir, "r1-fraud"), *[str(a) for a in args]],
                   check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def rows_of(folder, seed, a):
    """(features, fraudulent) of each payment: 1, the other rules' logit, the findings."""
    path = {k: os.path.join(folder, k) for k in ("payments", "truth", "scores")}
    fraud("generate", "--seed", seed, "--accounts", a.accounts, "--days", a.days, "--rings",
          a.rings, "--out", path["payments"], "--truth", path["truth"])
    fraud("replay", "--in", path["payments"], "--model", "none", "--out", path["scores"])
    with open(path["truth"], encoding="utf-8") as f:
        planted = {json.loads(line)["tx_id"] for line in f}
    with open(path["scores"], encoding="utf-8") as f:
        for line in f:
            score = json.loads(line)
            graph = sum(r["contribution"] for r in score["reasons"] if r["code"] in FINDINGS)
            found = {x["pattern"] for x in score["findings"]}
            row = (1.0, score["logit"] - graph, *(float(k in found) for k in FINDINGS))
            yield row, score["tx_id"] in planted


def solve(m, v):
    """Gauss, with the largest pivot."""
    n = len(v)
    m = [list(row) + [x] for row, x in zip(m, v)]
    for i in range(n):
        at = max(range(i, n), key=lambda k: abs(m[k][i]))
        m[i], m[at] = m[at], m[i]
        for k in range(n):
            if k != i:
                f = m[k][i] / m[i][i]
                m[k] = [x - f * y for x, y in zip(m[k], m[i])]
    return [m[i][n] / m[i][i] for i in range(n)]


def fit(groups, steps=25, ridge=1e-3):
    """Newton's method over groups of equal rows: {row: (payments, frauds)}."""
    n = len(next(iter(groups)))
    w = [0.0] * n
    for _ in range(steps):
        gradient = [-ridge * x for x in w]
        curve = [[ridge * (i == k) for k in range(n)] for i in range(n)]
        for row, (count, hits) in groups.items():
            p = 1 / (1 + math.exp(-max(-30, min(30, sum(x * y for x, y in zip(w, row))))))
            for i in range(n):
                gradient[i] += row[i] * (hits - count * p)
                for k in range(n):
                    curve[i][k] += row[i] * row[k] * count * p * (1 - p)
        w = [x + d for x, d in zip(w, solve(curve, gradient))]
    return w


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", default="5,6,7")
    p.add_argument("--accounts", type=int, default=1500)
    p.add_argument("--days", type=int, default=60)
    p.add_argument("--rings", type=int, default=12)
    a = p.parse_args()
    groups, payments = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in a.seeds.split(","):
            for row, hit in rows_of(folder, seed, a):
                row = (row[0], round(row[1], 2), *row[2:])
                count, hits = groups.get(row, (0, 0))
                groups[row] = (count + 1, hits + hit)
                payments += 1
    w = fit(groups)
    print(f"{payments} payments of the seeds {a.seeds}; the other rules' logit counts {w[1]:.2f}")
    for i, name in enumerate(FINDINGS):
        n = sum(count for row, (count, _) in groups.items() if row[2 + i])
        print(f"{name:16} {w[2 + i]:5.1f}   {n} payments")
    return 0


sys.exit(main())
