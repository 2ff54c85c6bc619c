#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""int8_agreement.py - what 8-bit linear layers change in the scores of `r1-fraud replay`.

It compares two files of scores over one stream, one in f32 and one in int8:

    model=models/fraud-s-int8.gguf in=payments.jsonl
    r1-fraud generate --seed S ... --out $in --truth truth.jsonl
    r1-fraud replay --model $model --in $in --out f32.jsonl --precision f32
    r1-fraud replay --model $model --in $in --out int8.jsonl --precision int8
    lab/bench/int8_agreement.py f32.jsonl int8.jsonl truth.jsonl

The bootstrap is paired. It draws whole rings of the fraudulent payments, because their scores hang
together, and single good payments.
"""

import argparse
import json
import math
import random
import statistics


def scores(path):
    with open(path) as f:
        rows = [json.loads(line) for line in f]
    return [r["tx_id"] for r in rows], [r["logit"] for r in rows], [r["probability"] for r in rows]


def ranking(logit):
    """Best first, as runs of equal scores: ties count as one threshold."""
    runs = {}
    for i, s in enumerate(logit):
        runs.setdefault(s, []).append(i)
    return [runs[s] for s in sorted(runs, reverse=True)]


def average_precision(runs, y, w):
    hit = seen = area = 0
    for run in runs:
        gain = sum(w[i] for i in run if y[i])
        seen += sum(w[i] for i in run)
        hit += gain
        area += gain * hit / seen if gain else 0
    return area / hit


def bootstrap(r0, r8, y, ring, draws, rng):
    names, diff, n = sorted({r for r in ring if r is not None}), [], len(y)
    good = [i for i in range(n) if ring[i] is None]
    for _ in range(draws):
        times, w = dict.fromkeys(names, 0), [0] * n
        for r in rng.choices(names, k=len(names)):
            times[r] += 1
        for i in rng.choices(good, k=len(good)):
            w[i] += 1
        for i in range(n):
            if ring[i] is not None:
                w[i] = times[ring[i]]
        diff.append(average_precision(r8, y, w) - average_precision(r0, y, w))
    diff.sort()
    return diff[int(0.025 * draws)], diff[int(0.975 * draws)]


def kl(p, q):
    p, q = (min(max(v, 1e-12), 1 - 1e-12) for v in (p, q))
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def main():
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument("f32")
    args.add_argument("int8")
    args.add_argument("truth")
    args.add_argument("--draws", type=int, default=1000)
    args.add_argument("--seed", type=int, default=1)
    a = args.parse_args()
    ids, l0, p0 = scores(a.f32)
    ids8, l8, p8 = scores(a.int8)
    if ids != ids8:
        raise SystemExit(f"{a.int8}: expected the payments of {a.f32} in the same order")
    with open(a.truth) as f:
        truth = {r["tx_id"]: r["ring"] for r in map(json.loads, f)}
    ring = [truth.get(t) for t in ids]
    y = [r is not None for r in ring]
    r0, r8, one = ranking(l0), ranking(l8), [1] * len(ids)
    ap0, ap8 = average_precision(r0, y, one), average_precision(r8, y, one)
    low, high = bootstrap(r0, r8, y, ring, a.draws, random.Random(a.seed))
    d = [abs(s - t) for s, t in zip(l0, l8)]
    out = {
        "payments": len(ids),
        "fraudulent": sum(y),
        "rings": len({r for r in ring if r is not None}),
        "logit_diff_max": max(d),
        "logit_diff_mean": statistics.fmean(d),
        "logit_sd": statistics.pstdev(l0),
        "kl_mean": statistics.fmean(map(kl, p0, p8)),
        "ap_f32": ap0,
        "ap_int8": ap8,
        "ap_diff": ap8 - ap0,
        "ap_diff_low": low,
        "ap_diff_high": high,
    }
    for t in (0.1, 0.2, 0.8):
        out[f"same_side_of_{t}"] = statistics.fmean(
            float((p >= t) == (q >= t)) for p, q in zip(p0, p8)
        )
        out[f"alerts_f32_{t}"], out[f"alerts_int8_{t}"] = sum(p >= t for p in p0), sum(
            p >= t for p in p8
        )
    for k, v in out.items():
        print(f"{k:20s} {v:.6g}" if isinstance(v, float) else f"{k:20s} {v}")


main()
