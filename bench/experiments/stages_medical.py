#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""medical-b through the stages, out of fold by disease: what pretraining, simulated patients, reinforcement, a curriculum and int8 change.

    r1-medical train --shards-only --copies 0 --max-per-disease 5 --simulate 700 --cases CASES --kb KB --work WORK/shards
    bench/experiments/stages_medical.py WORK ARM[,ARM...] [--bin build/release/bin] [--seeds 1,2,3]

An arm is a chain of stages joined by "-". On simulated patients, of diseases that no case has, so that one model serves all folds: pretrain (labels unread),
simulate (their disease to the top), reinforce (the policy of reinforce_apps; its trunk goes on). On the published cases, four folds train and the fifth is judged:
finetune (as r1-medical train does), curriculum (the same, cases with many findings first), int8 (quantisation-aware). Figures are over the lists of all five folds, int8_* by the same
models in 8-bit integers. Adds a row for each arm and seed that stages_medical.csv, beside this file, lacks; models stay in WORK and are shared by the arms that begin alike.
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
args = parser.parse_args()
FOLDS, TABLE = 5, HERE / "stages_medical.csv"
COLUMNS = ["arm", "seed", "lists", "top1", "mrr", "loss", "int8_top1", "int8_loss", "int8_kl", "int8_agree", "seconds"]
env = dict(os.environ, OMP_NUM_THREADS="1")
shard = [str(args.work / f"shards/fold-{f}.r1s") for f in range(FOLDS)]
simulated = str(args.work / "shards/simulated.r1s")
FINETUNE = ["--lr", 0.001, "--epochs", 4, "--batch", 960, "--weight-decay", 0.05, "--item-drop", 0.1]


def run(*command):
    out = subprocess.run([str(c) for c in command], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)["figures"] if "--json" in command else out


def stage(name, seed, fold, init, out):
    """One more stage from the model `init` (None: random weights)."""
    train = [s for i, s in enumerate(shard) if i != fold]
    common = ["--slices", 1, "--seed", seed + (0 if fold is None else fold + 1), "--out", out] + (["--init", init] if init else [])
    if name == "pretrain":
        run(args.bin / "r1", "train", "--stage", "pretrain", "--epochs", 1, *common, simulated)
    elif name == "simulate":
        run(args.bin / "r1", "train", *FINETUNE, "--epochs", 1, *common, simulated)
    elif name == "reinforce":
        folder = args.work / f"reinforce-{seed}"
        run(args.bin.parent / "bench/reinforce_apps", "medical", seed, folder, simulated)
        os.replace(folder / f"medical-{seed}-policy.gguf", out)
    elif name == "int8":
        run(args.bin / "r1", "train", "--int8", *FINETUNE, "--lr", 0.0005, "--epochs", 2, "--mean-decay", 0.98, *common, *train)
    else:
        easy = ["--curriculum", "-match.n_findings:linear:0.3:0.5"] if name == "curriculum" else []
        run(args.bin / "r1", "train", *FINETUNE, *easy, *common, *train)


def model_of(chain, seed, fold):
    if not chain:
        return None
    if chain[-1] in ("pretrain", "simulate", "reinforce"):
        fold = None
    out = args.work / f"{'-'.join(chain)}-{seed}" / ("base.gguf" if fold is None else f"fold-{fold}.gguf")
    if not out.exists():
        init = model_of(chain[:-1], seed, fold)
        out.parent.mkdir(parents=True, exist_ok=True)
        stage(chain[-1], seed, fold, init, out)
    return out


def finished(arm, seed):
    return TABLE.exists() and any(r["arm"] == arm and r["seed"] == str(seed) for r in csv.DictReader(open(TABLE)))


def one(arm, seed):
    total, used = dict.fromkeys(COLUMNS[2:-1], 0.0), resource.getrusage(resource.RUSAGE_CHILDREN)
    for fold in range(FOLDS):
        model = model_of(arm.split("-"), seed, fold)
        figures = run(args.bin / "r1", "eval", "--int8", "--json", "--model", model, shard[fold])
        total["lists"] += figures["positives"]
        for name in COLUMNS[3:-1]:
            total[name] += figures[name] * figures["positives"]
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    row = {"arm": arm, "seed": seed, "lists": int(total["lists"]), "seconds": f"{now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime:.1f}"}
    row.update({name: f"{total[name] / total['lists']:.5g}" for name in COLUMNS[3:-1]})
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
