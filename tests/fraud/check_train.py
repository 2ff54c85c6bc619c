#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fraud model through all stages on two small worlds.

    check_train.py R1-FRAUD R1 MODEL

The same commands give the same bytes. What files are and what is refused is checked too. MODEL is
of another application and is refused as a start.
"""
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import programs  # noqa: E402
from programs import run  # noqa: E402


def main():
    program, r1, other = sys.argv[1:4]
    seed = str(programs.seed())
    with tempfile.TemporaryDirectory(prefix="r1-fraud-train-") as folder:
        def path(name):
            return os.path.join(folder, name)

        def train(*args, code=0, work="work"):
            return run(program, "train", "--seed", seed, "--worlds", "2", "--accounts", "250",
                       "--days", "24", "--rings", "2", "--slices", "1",
                       "--work", path(work), *args, code=code)

        def figures(*args):
            return json.loads(run(r1, *args, "--json"))["figures"]

        def data(name):
            with open(path(name), "rb") as f:
                return f.read()

        learn, judge = path("shards/train-0.r1s"), path("shards/valid-1.r1s")
        train("--shards-only", work="shards")
        stage = ["train", "--seed", seed, "--slices", "1", "--valid", judge]
        run(r1, *stage, "--stage", "pretrain", "--epochs", "1", "--out", path("base.gguf"), learn)
        asking = ["--given", "payment", "--cases", "8", "--traces", "4"]
        worth = figures(*stage, "--stage", "reward", *asking, "--steps", "10", "--out",
                        path("worth.gguf"), learn)
        assert 0 <= worth["agreement"] <= 1 and worth["pairs"] > 0, worth
        policy = figures(*stage, "--stage", "reinforce", *asking, "--steps", "4", "--cost",
                         "graph=0.05,remittance=0.03", "--reward-model",
                         path("worth.gguf"), "--init", path("base.gguf"), "--out",
                         path("policy.gguf"), learn)
        assert abs(policy["reward"] - (policy["right"] - policy["cost"])) < 1e-5, policy

        # r1-fraud's last stage is r1's on the same shards, to the byte, and so is its second run.
        said = train("--init", path("policy.gguf"), "--epochs", "2", "--out", path("one.gguf"))
        train("--init", path("policy.gguf"), "--epochs", "2", "--out", path("two.gguf"))
        assert data("one.gguf") == data("two.gguf")
        run(r1, *stage, "--stage", "finetune", "--init", path("policy.gguf"), "--epochs", "2",
            "--mean-decay", "0.995", "--metric", "ap",
            "--out", path("three.gguf"), learn)
        assert data("one.gguf") == data("three.gguf")
        train("--epochs", "2", "--out", path("scratch.gguf"))
        assert data("one.gguf") != data("scratch.gguf")
        for name, wanted in (("review", 0.3), ("block", 0.9)):
            found = re.search(name + r" at probability ([\d.]+): precision ([\d.]+)", said)
            assert found or f"{name}: at no probability" in said, said
            assert not found or (float(found[1]) <= 1 and float(found[2]) >= wanted - 5e-4), said

        train("--int8", "--init", path("one.gguf"), "--epochs", "1", "--lr", "0.0002", "--out",
              path("int8.gguf"))
        for name, steps in (("one", "none"), ("int8", "learned")):
            info = run(r1, "info", path(name + ".gguf"), "--json")
            assert f'"int8_steps": "{steps}"' in info and '"name": "fraud-s"' in info, info
        both = figures("eval", "--int8", "--model", path("int8.gguf"), judge)
        print(both)
        assert both["n"] > 100 and 0 < both["int8_kl"] < 0.05 and both["int8_agree"] > 0.9, both

        assert "other items" in train("--init", other, "--out", path("no.gguf"), code=2)
        assert "nowhere.gguf" in train("--init", path("nowhere.gguf"), "--out", path("no.gguf"),
                                       code=1)
        assert not os.path.exists(path("no.gguf"))


if __name__ == "__main__":
    main()
