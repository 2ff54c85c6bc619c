#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of `r1-fraud replay` over streams whose truth is known, from their first payment on.

    lab/results/replay_figures.py FOLDER[,FOLDER...] MODEL THRESHOLD[,THRESHOLD...]
        [--precision f32|int8|auto] [--signs]

A folder holds payments.jsonl and truth.jsonl of r1-fraud generate. Prints one JSON object as the
programs do. The model is judged alone, or as served with --signs. Of the folder A it gives `A_ap`,
the average precision, and for the threshold .2: `A_alerts_0_2` counts the payments at or above it,
`A_right_0_2` is the share of them that is fraudulent, `A_recall_0_2` the share of the fraudulent
ones that is among them, and `A_rings_0_2` counts the rings with such a payment.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def average_precision(scores, fraud):
    """Equal logits in the order of the stream."""
    ranked = sorted(scores, key=lambda r: -r["logit"])
    hits = [place for place, r in enumerate(ranked, 1) if r["tx_id"] in fraud]
    return sum(k / place for k, place in enumerate(hits, 1)) / len(hits)


def at(threshold, scores, fraud):
    alerts = [r["tx_id"] for r in scores if r["probability"] >= float(threshold)]
    right = [tx for tx in alerts if tx in fraud]
    rings = {fraud[tx] for tx in right} - {None, ""}
    name = threshold.replace(".", "_")
    return {
        f"alerts_{name}": len(alerts),
        f"right_{name}": len(right) / max(len(alerts), 1),
        f"recall_{name}": len(right) / len(fraud),
        f"rings_{name}": len(rings),
    }


def replay(folder, model, precision, signs, thresholds):
    with tempfile.TemporaryDirectory() as work:
        out = pathlib.Path(work) / "scores.jsonl"
        subprocess.run(
            [
                "r1-fraud",
                "replay",
                "--precision",
                precision,
                *([] if signs else ["--no-signs"]),
                "--in",
                folder / "payments.jsonl",
                "--model",
                model,
                "--out",
                out,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        scores = lines(out)
    fraud = {r["tx_id"]: r.get("ring") for r in lines(folder / "truth.jsonl")}
    figures = {
        "n": len(scores),
        "fraudulent": len(fraud),
        "rings": len(set(fraud.values()) - {None, ""}),
        "ap": average_precision(scores, fraud),
    }
    for threshold in thresholds:
        figures |= at(threshold, scores, fraud)
    return {f"{folder.name}_{name}": value for name, value in figures.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("folders")
    p.add_argument("model")
    p.add_argument("thresholds")
    p.add_argument("--precision", default="auto")
    p.add_argument("--signs", action="store_true")
    args = p.parse_args()
    figures = {}
    for folder in args.folders.split(","):
        figures |= replay(
            pathlib.Path(folder),
            args.model,
            args.precision,
            args.signs,
            args.thresholds.split(","),
        )
    print(
        json.dumps(
            {
                "command": "replay_figures.py",
                "figures": figures,
                "data": args.folders,
                "model": args.model,
            },
            indent=1,
        )
    )


main()
