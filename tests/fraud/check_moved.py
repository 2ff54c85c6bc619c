#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the program says how far a stream is from the model's training.

    tests/fraud/check_moved.py R1-FRAUD MODEL

A generated stream of another seed is near; the same with amounts a thousand times as large, or with
all payments out of one account, is far. A damaged file of counts is refused by name, and without
the file nothing is said.
"""
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM, MODEL = (str(Path(p).resolve()) for p in sys.argv[1:3])
FAR = re.compile(r"(\d+) of (\d+) columns have moved far")


def run(*args):
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True)


def share(text):
    m = FAR.search(text)
    assert m, text
    return int(m[1]) / int(m[2])


def replay(folder, payments, model=MODEL):
    path = folder / "in.jsonl"
    path.write_text("".join(json.dumps(p) + "\n" for p in payments))
    return run("replay", "--in", path, "--model", model, "--out", folder / "scores.jsonl")


def main(folder):
    made = run("generate", "--seed", 4711, "--accounts", 800, "--days", 24, "--rings", 4, "--out",
               folder / "payments.jsonl", "--labels", folder / "labels.jsonl", "--truth",
               folder / "truth.jsonl")
    assert made.returncode == 0, made.stderr
    payments = [json.loads(x) for x in (folder / "payments.jsonl").read_text().splitlines()]
    near = replay(folder, payments).stderr
    assert share(near) < .15, near
    assert "not like the model's training" not in near, near

    thousand = [p | {"amount_minor": p["amount_minor"] * 1000} for p in payments]
    large = replay(folder, thousand).stderr
    assert share(large) > share(near) + .1, large
    assert re.search(r"(sum|amount)\S* \d", large), large

    hub = replay(folder, [p | {"from": "one", "from_role": "account", "kind": "transfer"}
                          for p in payments]).stderr
    assert share(hub) > .25 and "not like the model's training" in hub, hub
    assert re.search(r"scores are unsure", hub), hub

    out = run("calibrate", "--in", folder / "payments.jsonl", "--model", MODEL, "--alerts-per-day",
              20, "--out", folder / "calibration.json")
    assert out.returncode == 0 and FAR.search(out.stdout), out.stdout + out.stderr
    assert re.search(r"^block +never", out.stdout, re.M), out.stdout

    model = folder / "model.gguf"
    shutil.copy(MODEL, model)
    assert not FAR.search(replay(folder, payments, model).stderr)
    counts = folder / "model.columns.json"
    whole = json.loads(Path(MODEL.replace(".gguf", ".columns.json")).read_text())
    for damage, says in (
            (lambda w: w | {"format": "x"}, 'format: expected "r1-fraud-columns-1", found "x"'),
            (lambda w: w | {"columns": {}}, "expected 13 counts, found 0"),
            (lambda w: w | {"columns": {k: [-1] * len(v) for k, v in w["columns"].items()}},
             "expected a count")):
        counts.write_text(json.dumps(damage(whole)))
        done = replay(folder, payments[:5], model)
        assert done.returncode == 1 and says in done.stderr, (says, done.returncode, done.stderr)
    counts.write_text("{")
    assert "columns.json:1:" in replay(folder, payments[:5], model).stderr
    print(f"near {share(near):.2f}, amounts {share(large):.2f}, one payer {share(hub):.2f}")


with tempfile.TemporaryDirectory() as name:
    main(Path(name))
