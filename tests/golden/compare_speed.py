#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the speed of two builds by pairs of runs in turn: old, new, old, new.

    compare_speed.py OLD_BIN NEW_BIN [--pairs 7] [--only PREFIX]

Prints for each command the median CPU and wall time of the old build, the ratio new/old of the
medians, and the spread: the quartiles of the ratios of the pairs. CPU time is steadier where other
programs run beside. Used by hand; no test judges its figures.
"""
import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import check_bytes


def commands():
    """(name, program, arguments) of all that is timed; their inputs are made by the old build."""
    stage = ("--seed", 7, "--slices", 1, "--threads", 1, "--valid", check_bytes.VALID, "--out",
             "speed.gguf")
    ask = ("--given", "payment", "--cases", 16, "--traces", 8)
    med = ("--kb", "r1med.xml", "--model", "models/medical-b.gguf")
    replay = ("replay", "--in", "payments.jsonl", "--labels", "labels.jsonl", "--model")
    yield "fraud/replay/f32", "r1-fraud", (*replay, "models/fraud-s.gguf")
    yield "fraud/replay/int8", "r1-fraud", (*replay, "models/fraud-s-int8.gguf")
    yield "fraud/replay/rules", "r1-fraud", (*replay, "none")
    yield "medical/annotate", "r1-medical", ("annotate", "long.txt", "--kb", "r1med.xml")
    yield "medical/rank", "r1-medical", (
        "eval", "rank", "--cases", "cases.tsv", *med)
    yield "medical/report", "r1-medical", ("report", "sample.txt", *med, "--out", "speed-report")
    for name, args in {"pretrain": ("--epochs", 2), "reward": (*ask, "--steps", 20),
                       "reinforce": (*ask, "--steps", 10), "finetune": ("--epochs", 3),
                       "finetune/int8": ("--epochs", 2, "--int8", "--init",
                                         "models/fraud-s.gguf")}.items():
        yield f"train/{name}", "r1", ("train", "--stage", name.split("/", maxsplit=1)[0], *stage,
                                      *args, check_bytes.TRAIN)
    yield "eval", "r1", ("eval", "--model", "models/fraud-s.gguf", check_bytes.TRAIN)


def cpu_seconds():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def timed(program, args):
    """(CPU seconds, wall seconds) of one run."""
    cpu, wall = cpu_seconds(), time.monotonic()
    p = subprocess.run([program, *map(str, args)], capture_output=True, text=True, check=False)
    assert p.returncode == 0, f"{program} {args}: exit {p.returncode}\n{p.stderr}"
    return cpu_seconds() - cpu, time.monotonic() - wall


def measure(old, new, program, args, pairs):
    """Times of both builds, pair by pair; a first run of each warms the caches."""
    both = [os.path.join(b, program) for b in (old, new)]
    for p in both:
        timed(p, args)
    return [[timed(p, args) for p in both] for _ in range(pairs)]


def line(name, times):
    text = f"{name:20}"
    for k in (0, 1):
        old, new = ([pair[i][k] for pair in times] for i in (0, 1))
        low, _, high = statistics.quantiles([b / a for a, b in zip(old, new)], n=4)
        ratio = statistics.median(new) / statistics.median(old)
        text += f"  {statistics.median(old):8.3f}  {ratio:6.3f}  {low:.3f} to {high:.3f}"
    return text


def make_inputs(old):
    lab = check_bytes.Lab(old, 7, False)
    for step in (check_bytes.inputs, check_bytes.fraud_generate, check_bytes.fraud_shards,
                 check_bytes.write_cases):
        lab.need(step)
    check_bytes.write("long.txt", 40 * check_bytes.read("sample.txt"))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("old")
    p.add_argument("new")
    p.add_argument("--pairs", type=int, default=7)
    p.add_argument("--only", default="", help="commands whose names begin so")
    args = p.parse_args()
    old, new = os.path.abspath(args.old), os.path.abspath(args.new)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    with tempfile.TemporaryDirectory(prefix="r1-speed-") as folder:
        os.chdir(folder)
        make_inputs(old)
        print(f"{'':20}  {'CPU s':>8}  {'ratio':>6}  quartiles       "
              f"  {'wall s':>8}  {'ratio':>6}  quartiles")
        for name, program, command in commands():
            if name.startswith(args.only):
                times = measure(old, new, program, command, args.pairs)
                print(line(name, times), flush=True)
        os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
