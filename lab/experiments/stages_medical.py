#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""medical-b through the stages, out of fold by disease.

What do pretraining, simulated patients, reinforcement, a curriculum and int8 change?

    r1-medical train --shards-only --copies 0 --max-per-disease 5 --simulate 700 --cases CASES \\
                     --kb KB --work WORK/shards
    lab/experiments/stages_medical.py WORK ARM[,ARM...] [--bin build/release/bin] [--seeds 1,2,3]
                                      [--table stages_medical.csv]

For stages_medical_large.csv, at the size that ships, leave out --max-per-disease and give KB,KB of
both dates.

An arm is a chain of stages joined by "-". The first three see simulated patients. Their diseases
are no case's, so one model serves all folds.

  pretrain     labels unread
  simulate     their disease to the top
  reinforce    a reward model, then the policy with it, patients with many findings first

The others see the published cases. Four folds train and the fifth is judged.

  finetune     as r1-medical train does
  curriculum   the same, cases with many findings first
  int8         quantisation-aware

Figures are over the lists of all five folds, int8_* by the same models in 8-bit integers. Adds a
row for each arm and seed that the table, beside this file, lacks. Models stay in WORK, and arms
that begin alike share them.
"""
from stages import HERE, arguments, model_of, rows, run

args = arguments(__doc__, table="stages_medical.csv")
FOLDS = 5
COLUMNS = ["arm", "seed", "lists", "top1", "mrr", "loss", "int8_top1", "int8_loss", "int8_kl",
           "int8_agree", "seconds"]
shard = [str(args.work / f"shards/fold-{f}.r1s") for f in range(FOLDS)]
simulated = str(args.work / "shards/simulated.r1s")
pairs = str(args.work / "shards/simulated-pairs.r1s")
# What asking costs: .1 of a right verdict for all items together, shared by their FLOP (r1 info
# models/medical-b.gguf).
COST = "findings=.038,match=.035,typical=.013,against=.014"
FINETUNE = ["--lr", 0.001, "--epochs", 4, "--batch", 960, "--weight-decay", 0.05,
            "--item-drop", 0.1]
BASE = ("pretrain", "simulate", "reinforce")  # one model for all folds


def r1_train(seed, init, out, *options):
    run(args.bin / "r1", "train", "--slices", 1, "--seed", seed, "--out", out,
        *(["--init", init] if init else []), *options)


def make(stage, seed, fold, init, out):
    train = [s for i, s in enumerate(shard) if i != fold]
    own = seed + (0 if stage in BASE else fold + 1)
    if stage == "pretrain":
        r1_train(seed, init, out, "--stage", "pretrain", "--epochs", 1, simulated)
    elif stage == "simulate":
        r1_train(seed, init, out, *FINETUNE, "--epochs", 1, simulated)
    elif stage == "reinforce":
        worth = out.parent / "worth.gguf"
        asking = ["--given", "fit", "--cases", 32, "--traces", 8, "--steps", 200]
        r1_train(seed, None, worth, "--stage", "reward", *asking, "--valid", pairs, pairs)
        r1_train(seed, init, out, "--stage", "reinforce", *asking, "--cost", COST,
                 "--reward-model", worth,
                 "--curriculum", "-match.n_findings:linear:0.3:0.5", pairs)
    elif stage == "int8":
        r1_train(own, init, out, "--int8", *FINETUNE, "--lr", 0.0005, "--epochs", 2,
                 "--mean-decay", 0.98, *train)
    else:
        easy = ["--curriculum", "-match.n_findings:linear:0.3:0.5"] if stage == "curriculum" else []
        r1_train(own, init, out, *FINETUNE, *easy, *train)


def one(arm, seed):
    total = dict.fromkeys(COLUMNS[2:-1], 0.0)
    for fold in range(FOLDS):
        model = model_of(lambda chain: args.work / f"{'-'.join(chain)}-{seed}"
                         / ("base.gguf" if chain[-1] in BASE else f"fold-{fold}.gguf"),
                         arm.split("-"),
                         lambda stage, init, out: make(stage, seed, fold, init, out))
        figures = run(args.bin / "r1", "eval", "--int8", "--json", "--model", model, shard[fold])
        total["lists"] += figures["positives"]
        for name in COLUMNS[3:-1]:
            total[name] += figures[name] * figures["positives"]
    return {"lists": int(total["lists"]),
            **{name: f"{total[name] / total['lists']:.5g}" for name in COLUMNS[3:-1]}}


rows(HERE / args.table, COLUMNS, args.arms, args.seeds, one)
