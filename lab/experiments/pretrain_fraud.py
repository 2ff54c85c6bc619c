#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What pretraining brings on generated fraud worlds, and whether 8 cross-modal heads beat 4.

    lab/experiments/pretrain_fraud.py WORK [--bin build/release/bin] [--seeds 11,12,13]

Makes the shards of small worlds: three train and two judge. Pretrains with 4 and with 8 heads, and
finetunes 4 heads from random weights and from the pretrained model. The first judging world stops
every training early, and gives `before` and `after` in the table of retrieval. The second one is
judged alone: retrieval after pretraining (`judged`), and average precision after finetuning. Writes
pretrain_recall.csv and pretrain_finetune.csv beside this file. Rows that are there are not run
again.
"""
import argparse
import csv
import fcntl
import json
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).parent
parser = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("work", type=pathlib.Path)
parser.add_argument("--bin", type=pathlib.Path, default=HERE.parents[1] / "build/release/bin")
parser.add_argument("--seeds", default="11,12,13")
args = parser.parse_args()
ITEMS = ["payment", "remittance", "sender", "receiver", "pair", "pattern", "graph", "history"]
env = dict(os.environ, OMP_NUM_THREADS="1")


def run(*command):
    out = subprocess.run([str(c) for c in command], env=env, check=True, capture_output=True,
                         text=True).stdout
    return json.loads(out)["figures"] if "--json" in command else out


def shards():
    """Three of the worlds train (3,895 samples), 6 and 7 judge."""
    folder = args.work / "shards"
    if not (folder / "valid-7.r1s").exists():
        run(args.bin / "r1-fraud", "train", "--shards-only", "--worlds", 8, "--accounts", 250,
            "--days", 28, "--rings", 4, "--seed", 5000,
            "--share", 0.3, "--work", folder)
    return [folder / f"train-{i}.r1s"
            for i in (0, 1, 4)], folder / "valid-6.r1s", folder / "valid-7.r1s"


class Table:
    """A csv file whose rows are known by their first columns; several runs may add to it."""

    def __init__(self, name, keys, values):
        self.path, self.keys, self.columns = HERE / name, keys, keys + values

    def rows(self):
        return list(csv.DictReader(open(self.path))) if self.path.exists() else []

    def has(self, *key):
        return any(tuple(r[k] for k in self.keys[:len(key)]) == tuple(map(str, key))
                   for r in self.rows())

    def add(self, *rows):
        with open(self.path, "a", newline="") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            w = csv.writer(f, lineterminator="\n")
            w.writerows(([self.columns] if f.tell() == 0 else []) + [list(r) for r in rows])


def description(heads, shard):
    """The shards' own with another number of cross-modal heads."""
    path = args.work / f"heads{heads}.json"
    if not path.exists():
        probe = args.work / "probe.gguf"
        run(args.bin / "r1", "train", "--stage", "pretrain", "--parts", "columns", "--epochs", 1,
            "--out", probe, shard)
        text = run(args.bin / "r1", "info", "--description", probe)
        changed = re.sub(r'"n_head_cross": *\d+', f'"n_head_cross": {heads}', text)
        path.write_text(changed if '"n_head_cross"' in text
                        else text.replace("{", f'{{"n_head_cross": {heads}, ', 1))
    return path


recall = Table("pretrain_recall.csv", ["heads", "seed", "a", "b"],
               ["before", "after", "judged", "chance"])
tuned = Table("pretrain_finetune.csv", ["start", "seed"], ["ap", "auc", "loss", "steps"])
train, valid, test = shards()


def pretrain(heads, seed, base):
    held_out = run(args.bin / "r1", "train", "--stage", "pretrain", "--description",
                   description(heads, train[0]), "--epochs", 3, "--batch", 128, "--slices", 1,
                   "--seed", seed,
                   "--valid", valid, "--out", base, "--json", *train)
    judged = run(args.bin / "r1", "eval", "--model", base, "--retrieval", "--json", test)
    pairs = [f"{a}_{b}" for i, a in enumerate(ITEMS)
             for b in ITEMS[i + 1:] if f"recall1_{a}_{b}" in judged]
    figures = [(held_out, "before_"), (held_out, ""), (judged, ""), (judged, "chance_")]
    recall.add(*((heads, seed, *p.split("_"),
                  *(f"{f[f'recall1_{what}{p}']:.4f}" for f, what in figures)) for p in pairs))


def finetune(start, seed, base):
    out = args.work / f"tuned-{start}-{seed}.gguf"
    how = ["--init", base] if start == "pretrained" else ["--description", description(4, train[0])]
    steps = run(args.bin / "r1", "train", *how, "--seed", seed, "--epochs", 4, "--batch", 128,
                "--slices", 1, "--metric", "ap", "--valid", valid, "--out", out, "--json",
                *train)["steps"]
    f = run(args.bin / "r1", "eval", "--model", out, "--json", test)
    tuned.add((start, seed, f"{f['ap']:.4f}", f"{f['auc']:.4f}", f"{f['loss']:.5f}", int(steps)))


for heads in (4, 8):
    for seed in args.seeds.split(","):
        base = args.work / f"base{heads}-{seed}.gguf"
        if not recall.has(heads, seed):
            pretrain(heads, seed, base)
        for start in ("random", "pretrained"):
            if heads == 4 and not tuned.has(start, seed):
                finetune(start, seed, base)
