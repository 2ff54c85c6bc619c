#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""r1-fraud eval on a small stream: what --int8 says of two precisions is what each says alone.

    check_eval.py R1_FRAUD MODEL      environment: R1_TEST_SEED
"""
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import programs  # noqa: E402


def main():
    program, model = sys.argv[1:3]
    seed = programs.seed()
    with tempfile.TemporaryDirectory(prefix="r1-eval-") as folder:
        def run(*args, code=0):
            return programs.run(program, *args, code=code)

        def figures(*args):
            return json.loads(run("eval", "--format", "r1", "--data", folder, "--model", model,
                                  "--json", *args))["figures"]

        files = {name: os.path.join(folder, name + ".jsonl")
                 for name in ("payments", "labels", "truth")}
        run("generate", "--seed", str(seed), "--accounts", "300", "--days", "24", "--rings", "3",
            "--out", files["payments"], "--labels", files["labels"],
            "--truth", files["truth"])
        both = figures("--int8")
        alone = {p: figures("--precision", p) for p in ("f32", "int8")}
        print(both)
        assert both["n"] == alone["f32"]["n"] and both["positives"] > 0
        assert abs(both["ap"] - alone["int8"]["ap"]) < 1e-9, (both["ap"], alone)
        ratio = alone["int8"]["ap"] / alone["f32"]["ap"] - 1
        assert abs(both["int8_change"] - ratio) < 1e-4, (both["int8_change"], ratio)
        # of few rings: by percentiles
        assert (both["int8_change_low"] - 0.02 <= both["int8_change"]
                <= both["int8_change_high"] + 0.02)
        assert 0 <= both["int8_kl"] < 0.1 and 0.9 < both["int8_agree"] <= 1
        assert "precision" in run("eval", "--format", "r1", "--data", folder, "--model", model,
                                  "--precision", "int4", code=2)
        # what is read is never written over
        before = os.stat(files["payments"]).st_size
        for args in (["replay", "--in", files["payments"], "--out", files["payments"]],
                     ["generate", "--out", files["labels"], "--labels", files["labels"]],
                     ["train", "--init", files["payments"], "--out", files["payments"]],
                     ["eval", "--format", "r1", "--data", folder, "--train", files["payments"],
                      "--out", files["payments"]]):
            assert "expected another file" in run(*args, code=2), args
        assert os.stat(files["payments"]).st_size == before
        assert "nowhere" in run("train", "--out", os.path.join(folder, "nowhere", "m.gguf"), code=1)
        os.remove(files["labels"])
        assert "labels.jsonl" in run("eval", "--format", "r1", "--data", folder, "--model", model,
                                     code=1)


if __name__ == "__main__":
    main()
