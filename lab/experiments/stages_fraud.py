#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fraud-s through the stages at its shipped size.

What do pretraining and the evidence policy bring to the finetuned model?

    r1-fraud train --shards-only --worlds 30 --seed 1000 --work WORK/shards
    lab/experiments/stages_fraud.py WORK ARM[,ARM...] [--bin build/release/bin] [--seeds 1,2,3]
                                    [--stream FOLDER[,FOLDER]]

An arm is a chain of stages joined by "-". All stages see the same worlds, and the last eight of
these validate.

  pretrain    labels unread
  reinforce   a reward model, then the policy with it, cases with long histories first
  finetune    as r1-fraud train does it

Figures are those of the validating worlds, good payments counted by weight, and the average
precision on streams. Nothing was trained or chosen on a stream. It is judged from its first payment
on, without labels. A stream is a folder with payments.jsonl and truth.jsonl of r1-fraud generate.
Adds a row for each arm and seed that stages_fraud.csv, beside this file, lacks. Models stay in
WORK, and arms that begin alike share them.
"""
import json
import pathlib

from stages import HERE, arguments, model_of, rows, run

args = arguments(__doc__, stream="")
COLUMNS = ["arm", "seed", "ap", "auc", "loss", "ece", "stream_a", "stream_b", "seconds"]
WORLDS, VALID = 30, 8
train = [args.work / f"shards/train-{i}.r1s" for i in range(WORLDS - VALID)]
valid = [str(args.work / f"shards/valid-{i}.r1s") for i in range(WORLDS - VALID, WORLDS)]
# What asking costs: .1 of a right verdict for all items together, shared by their FLOP (r1 info
# models/fraud-s.gguf).
COST = "remittance=.026,sender=.007,receiver=.007,pair=.003,pattern=.004,graph=.050,history=.003"


def r1_train(stage, seed, init, out, *options, check=valid):
    run(args.bin / "r1", "train", "--stage", stage, "--slices", 1, "--threads", 1, "--seed", seed,
        "--out", out, *(["--init", init] if init else []),
        "--valid", ",".join(check), *options, *train)


def make(stage, seed, init, out):
    if stage == "pretrain":
        r1_train("pretrain", seed, init, out, "--epochs", 1, "--curriculum", "mask:linear:0.5:0.5",
                 check=valid[:1])
    elif stage == "reinforce":
        worth = out.parent / "worth.gguf"
        asking = ["--given", "payment", "--cases", 32, "--traces", 8]
        r1_train("reward", seed, None, worth, *asking, "--steps", 300, check=valid[:1])
        r1_train("reinforce", seed, init, out, *asking, "--steps", 300, "--patience", 12,
                 "--cost", COST, "--reward-model", worth,
                 "--curriculum", "-refs:linear:0.3:0.5", check=valid[:1])
    else:
        r1_train("finetune", seed, init, out, "--mean-decay", 0.995, "--metric", "ap")


def average_precision(model, stream):
    """Of the fraudulent payments in the order of their scores, as `r1-fraud replay` gives them."""
    scores = model.parent / f"{stream.name}.jsonl"
    run(args.bin / "r1-fraud", "replay", "--precision", "f32", "--in", stream / "payments.jsonl",
        "--model", model, "--out", scores)
    fraud = {json.loads(line)["tx_id"] for line in open(stream / "truth.jsonl", encoding="utf-8")}
    ranked = sorted((json.loads(line) for line in open(scores, encoding="utf-8")),
                    key=lambda r: -r["logit"])
    scores.unlink()
    hits = [i + 1 for i, r in enumerate(ranked) if r["tx_id"] in fraud]
    return sum((k + 1) / place for k, place in enumerate(hits)) / len(hits)


def one(arm, seed):
    model = model_of(lambda chain: args.work / f"{'-'.join(chain)}-{seed}" / "model.gguf",
                     arm.split("-"),
                     lambda stage, init, out: make(stage, seed, init, out))
    figures = run(args.bin / "r1", "eval", "--json", "--model", model, *valid)
    row = {name: f"{figures[name]:.5g}" for name in ("ap", "auc", "loss", "ece")}
    for column, stream in zip(("stream_a", "stream_b"),
                              args.stream.split(",") if args.stream else ()):
        row[column] = f"{average_precision(model, pathlib.Path(stream)):.4f}"
    return row


rows(HERE / "stages_fraud.csv", COLUMNS, args.arms, args.seeds, one)
