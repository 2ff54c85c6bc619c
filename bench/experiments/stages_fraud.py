#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fraud-s through the stages at its shipped size: what pretraining and the evidence policy bring to the finetuned model.

    r1-fraud train --shards-only --worlds 30 --seed 1000 --work WORK/shards
    bench/experiments/stages_fraud.py WORK ARM[,ARM...] [--bin build/release/bin] [--seeds 1,2,3] [--stream FOLDER[,FOLDER]]

An arm is a chain of stages joined by "-", all on the same worlds, the last eight of which validate: pretrain (labels unread), reinforce (a reasoning
reward model, then the policy with it, cases with long histories first), finetune (as r1-fraud train does it). Figures: of the validating worlds
(good payments counted by weight), and the average precision on streams that nothing was trained or chosen on, from their first payment on and
without labels; a stream is a folder with payments.jsonl and truth.jsonl of r1-fraud generate. Adds a row for each arm and seed that
stages_fraud.csv, beside this file, lacks; models stay in WORK and are shared by the arms that begin alike.
"""
import argparse
import csv
import fcntl
import json
import os
import pathlib
import resource
import subprocess

HERE = pathlib.Path(__file__).parent
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("work", type=pathlib.Path)
parser.add_argument("arms")
parser.add_argument("--bin", type=pathlib.Path, default=HERE.parents[1] / "build/release/bin")
parser.add_argument("--seeds", default="1,2,3")
parser.add_argument("--stream", default="")
args = parser.parse_args()
TABLE = HERE / "stages_fraud.csv"
COLUMNS = ["arm", "seed", "ap", "auc", "loss", "ece", "stream_a", "stream_b", "seconds"]
WORLDS, VALID = 30, 8
env = dict(os.environ, OMP_NUM_THREADS="1")
train = [str(args.work / f"shards/train-{i}.r1s") for i in range(WORLDS - VALID)]
valid = [str(args.work / f"shards/valid-{i}.r1s") for i in range(WORLDS - VALID, WORLDS)]
# What asking costs: .1 of a right verdict for all items together, shared by their FLOP (r1 info models/fraud-s.gguf).
COST = "remittance=.026,sender=.007,receiver=.007,pair=.003,pattern=.004,graph=.050,history=.003"


def run(*command):
    out = subprocess.run([str(c) for c in command], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)["figures"] if "--json" in command else out


def r1_train(stage, seed, init, out, *options, data=train, check=valid):
    run(args.bin / "r1", "train", "--stage", stage, "--slices", 1, "--threads", 1, "--seed", seed, "--out", out, *(["--init", init] if init else []),
        "--valid", ",".join(check), *options, *data)


def stage(name, seed, init, out):
    """One more stage from the model `init` (None: random weights)."""
    if name == "pretrain":
        r1_train("pretrain", seed, init, out, "--epochs", 1, "--curriculum", "mask:linear:0.5:0.5", check=valid[:1])
    elif name == "reinforce":
        worth = out.parent / "worth.gguf"
        asking = ["--given", "payment", "--cases", 32, "--traces", 8]
        r1_train("reward", seed, None, worth, *asking, "--steps", 300, check=valid[:1])
        r1_train("reinforce", seed, init, out, *asking, "--steps", 200, "--cost", COST, "--reward-model", worth, "--curriculum", "-refs:linear:0.3:0.5",
                 check=valid[:1])
    else:
        r1_train("finetune", seed, init, out, "--mean-decay", 0.995, "--metric", "ap")


def model_of(chain, seed):
    if not chain:
        return None
    out = args.work / f"{'-'.join(chain)}-{seed}" / "model.gguf"
    if not out.exists():
        init = model_of(chain[:-1], seed)
        out.parent.mkdir(parents=True, exist_ok=True)
        stage(chain[-1], seed, init, out)
    return out


def average_precision(model, stream):
    """Of the fraudulent payments in the order of their scores, as `r1-fraud replay` gives them."""
    scores = model.parent / f"{stream.name}.jsonl"
    run(args.bin / "r1-fraud", "replay", "--precision", "f32", "--in", stream / "payments.jsonl", "--model", model, "--out", scores)
    fraud = {json.loads(line)["tx_id"] for line in open(stream / "truth.jsonl", encoding="utf-8")}
    rows = sorted((json.loads(line) for line in open(scores, encoding="utf-8")), key=lambda r: -r["logit"])
    scores.unlink()
    hits = [i + 1 for i, r in enumerate(rows) if r["tx_id"] in fraud]
    return sum((k + 1) / place for k, place in enumerate(hits)) / len(hits)


def finished(arm, seed):
    return TABLE.exists() and any(r["arm"] == arm and r["seed"] == str(seed) for r in csv.DictReader(open(TABLE, encoding="utf-8")))


def one(arm, seed):
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    model = model_of(arm.split("-"), seed)
    figures = run(args.bin / "r1", "eval", "--json", "--model", model, *valid)
    row = {"arm": arm, "seed": seed, **{name: f"{figures[name]:.5g}" for name in ("ap", "auc", "loss", "ece")}}
    for column, stream in zip(("stream_a", "stream_b"), args.stream.split(",") if args.stream else ()):
        row[column] = f"{average_precision(model, pathlib.Path(stream)):.4f}"
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    row["seconds"] = f"{now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime:.1f}"
    with open(TABLE, "a", newline="", encoding="utf-8") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        w = csv.DictWriter(f, COLUMNS, lineterminator="\n")
        if f.tell() == 0:
            w.writeheader()
        w.writerow(row)
    print(row, flush=True)


for seed in map(int, args.seeds.split(",")):
    for arm in args.arms.split(","):
        if not finished(arm, seed):
            one(arm, seed)
