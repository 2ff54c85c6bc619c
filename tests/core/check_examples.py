#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the four example programs and judges what they print.

The judgement is by what must be true of it, not by what it was before.

    check_examples.py FOLDER        FOLDER holds example_train, example_infer, example_memory,
                                    example_backend
"""
import math
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(sys.argv[1])


def run(name, *args, rc=0):
    done = subprocess.run([FOLDER / f"example_{name}", *map(str, args)], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == rc, (
        f"{name} {args}: exit code {done.returncode}, expected {rc}\n{done.stdout}{done.stderr}")
    return done.stdout if rc == 0 else done.stderr


def pairs(text):
    """Lines "name number" as a dictionary."""
    return {m[1]: float(m[2]) for m in re.finditer(r"^ *(\S[^\n]*?) +(-?\+?[\d.e+-]+)$", text,
                                                   re.M)}


def train(folder):
    """The labels' rule is known: two of three signs, and 3 % of the rest.

    Whoever knows the rule reaches the AUC computed here.
    """
    large, night, urgent = 1 / 3, 1 / 4, 2 / 5
    rule = sum((large if a else 1 - large) * (night if b else 1 - night)
               * (urgent if c else 1 - urgent)
               for a in (0, 1) for b in (0, 1) for c in (0, 1) if a + b + c >= 2)
    share = rule / (rule + 0.03 * (1 - rule))
    best = share + (1 - share) / 2
    found = pairs(run("train", folder))
    print(f"train: auc {found['auc']:.4f} of at most about {best:.4f}, ece {found['ece']:.4f}")
    assert best - 0.05 < found["auc"] < best + 0.03
    assert found["ece"] < 0.05 and found["unseen samples"] == 2000
    assert (folder / "payments.gguf").stat().st_size > 1000
    (folder / "file").write_text("not a folder")
    assert "file" in run("train", folder / "file" / "below", rc=1)


def infer(folder):
    out = run("infer", folder / "payments.gguf")
    verdicts = [pairs("fraud" + part) for part in out.split("fraud")[1:]]
    assert len(verdicts) == 3
    for v in verdicts:
        total = v["prior"] + v["payment"] + v["note"]
        assert abs(total - v["logit"]) < 1e-5 * max(1, abs(total)), (
            f"the trace adds up to {total}, the logit is {v['logit']}")
        assert abs(1 / (1 + math.exp(-v["logit"])) - v["fraud"]) < 1e-4, v
    lunch, urgent, half = verdicts
    assert lunch["fraud"] < 0.2 and urgent["fraud"] > 0.8, verdicts  # no sign, all three
    assert lunch["fraud"] < half["fraud"] < urgent["fraud"], verdicts
    assert lunch["note"] < 0 < urgent["note"] and lunch["payment"] < 0 < urgent["payment"], verdicts
    assert len({v["prior"] for v in verdicts}) == 1
    print(f"infer: {', '.join('%.3f' % v['fraud'] for v in verdicts)}; traces add up")
    assert "nowhere.gguf" in run("infer", folder / "nowhere.gguf", rc=1)
    assert "GGUF" in run("infer", folder / "train.shard", rc=1)


def memory(folder):
    out = run("memory", folder / "memory")
    pinned, quota = 1, 8
    ring = [pinned] + list(range(10 - quota + 1, 10))
    assert f"ring: {' '.join(map(str, ring))}\n" in out, out
    query, keys = (1, 0.2), {"fever": (1, 0), "rash": (0, 1), "both": (0.5, 0.5)}

    def best(names):
        score = {n: sum(q * k for q, k in zip(query, keys[n])) for n in names}
        return " ".join(f"{n} ({score[n]:.2f})" for n in sorted(names, key=lambda n: -score[n])[:2])
    assert f"found: {best(keys)}\n" in out, out
    assert f"reopened: {best(['rash', 'both'])}\n" in out, out
    print("memory: ring, anchor, search and file as computed here")
    run("memory", folder / "no such folder" / "memory", rc=1)


def backend():
    out = run("backend")
    found = pairs(out)
    bits = {n: struct.pack("<f", found[n]) for n in ("cpu", "counting")}
    assert bits["cpu"] == bits["counting"], out
    for op in ("linear", "attend", "ple", "embed"):  # what a table and a text cannot do without
        assert found[op] >= 1, out
    assert found["rows of linear"] >= found["linear"], out
    assert not {"edge_message", "mark_pool"} & found.keys(), "no graph, no such op"
    print(f"backend: {int(found['linear'])} linear calls counted, the CPU's bits")


def main():
    os.environ.pop("R1_BACKEND", None)
    with tempfile.TemporaryDirectory() as tmp:
        train(Path(tmp))
        infer(Path(tmp))
        memory(Path(tmp))
    backend()
    for name in ("train", "infer", "memory"):
        assert "usage" in run(name, rc=2)


main()
