#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""r1-medical train and eval rank, from random weights to 8-bit integers.

    check_train.py R1_MEDICAL R1 ONTOLOGY      environment: R1_TEST_SEED

The cases are drawn from the demonstration ontology. What --int8 says of the two precisions is what
each says alone. The default is int8, for models that were trained for it and for others.
"""
import json
import os
import random
import sys
import tempfile
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import programs  # noqa: E402

NS = "{https://r1.example/ns/med}"


def write_cases(ontology, path, rng):
    """Cases of three diseases in four: some of its findings, and as many that belong elsewhere.

    The fourth disease is left for simulated patients.
    """
    root = ET.parse(ontology).getroot()
    elsewhere = [f.get("id") for f in root.iter(NS + "finding") if f.find(NS + "is-a") is not None]
    with open(path, "w", encoding="utf-8") as out:
        out.write("case_id\tgold_id\tgold_label\tsex\tage\tobserved\texcluded\n")
        for i, d in enumerate(root.iter(NS + "disease")):
            if i % 4 == 3:
                continue
            own = sorted({x.get("finding") for x in d.iter() if x.get("finding")})
            for k in range(3):
                observed = rng.sample(own, min(len(own), rng.randint(1, 3)))
                observed += rng.sample(elsewhere, len(observed))
                out.write(f"CASE_{k}\t{d.get('id')}\t{d.get('name')}\tFEMALE\tP30Y\t"
                          f"{';'.join(observed)}\t\n")


def main():
    program, r1, ontology = sys.argv[1:4]
    seed = programs.seed()
    with tempfile.TemporaryDirectory(prefix="r1-med-train-") as folder:
        def path(name):
            return os.path.join(folder, name)

        def run(*args, code=0, tool=program):
            return programs.run(tool, *args, code=code)

        def train(out, *args, code=0, folds=None):
            return run("train", "--cases", path("cases.tsv"), "--kb", ontology, "--work",
                       path("work"), "--out", path(out + ".gguf"), "--folds",
                       path(folds or out), "--copies", "0", "--batch", "400", "--seed", str(seed),
                       *args, code=code)

        def figures(model, *args):
            out = run("eval", "rank", "--cases", path("cases.tsv"), "--kb", ontology, "--folds",
                      path(model), "--json", *args)
            return json.loads(out[out.index("{"):out.rindex("}") + 1])["figures"]

        write_cases(ontology, path("cases.tsv"), random.Random(seed))
        train("f32", "--epochs", "3")
        train("int8", "--epochs", "1", "--lr", "0.0003", "--int8", "--init", path("f32.gguf"),
              "--init-folds", path("f32"))
        for name, steps in (("f32", "none"), ("int8", "learned")):
            for file in (name + ".gguf", name + "/fold-0.gguf", name + "/fold-4.gguf"):
                assert (f'"int8_steps": "{steps}"'
                        in run("info", path(file), "--json", tool=r1)), (file, steps)

        both = figures("int8", "--int8")
        alone = {p: figures("int8", "--precision", p) for p in ("f32", "int8", "auto")}
        print(both)
        same = ("n", "n_covered", "top1", "top3", "top10", "mrr", "ece")
        assert both["n"] >= 100 and both["top1"] > 0.3, both
        assert all(both[k] == alone["int8"][k] == alone["auto"][k] for k in same), (both, alone)
        assert both["top1_f32"] == alone["f32"]["top1"], (both, alone["f32"])
        # One figure may agree by chance; all of them only if the precision changed nothing.
        assert any(alone["f32"][k] != alone["int8"][k] for k in same), alone
        ratio = alone["int8"]["top1"] / alone["f32"]["top1"] - 1
        # Equal scores count for neither side here and by their place in top1: subtypes of one
        # profile tie.
        assert abs(both["int8_change"] - ratio) < 0.05, (both["int8_change"], ratio)
        # of few lists: by percentiles
        assert (both["int8_change_low"] - 0.02 <= both["int8_change"]
                <= both["int8_change_high"] + 0.02)
        assert 0 < both["int8_kl"] < 0.1 and 0.85 < both["int8_agree"] <= 1
        # rounded after training
        plain = {p: figures("f32", "--precision", p) for p in ("f32", "int8", "auto")}
        assert (all(plain["int8"][k] == plain["auto"][k] for k in same)
                and plain["f32"]["ece"] != plain["int8"]["ece"]), plain

        assert "precision" in run("eval", "rank", "--cases", path("cases.tsv"), "--kb", ontology,
                                  "--precision", "int4", code=2)
        assert "--init-folds needs --init" in train("no", "--init-folds", path("f32"), code=2)
        assert "expected another file" in train("f32", "--init", path("f32.gguf"), code=2)
        assert "expected another file" in train("no", "--init", path("int8.gguf"), "--init-folds",
                                                path("f32"), folds="f32", code=2)
        assert "nowhere" in train("nowhere/no", code=1)
        assert "expected another file" in run("ontology", "build", "--out", path("cases.tsv"),
                                              path("cases.tsv"), code=2)
        assert "--simulate goes with --shards-only" in train("no", "--simulate", "5", code=2)
        assert "fold-0.gguf" in train("no", "--init", path("f32.gguf"), "--init-folds",
                                      path("nowhere"), code=1)
        train("no", "--shards-only", "--simulate", "40")
        run("train", "--stage", "pretrain", "--epochs", "1", "--out", path("base.gguf"),
            path("work/simulated.r1s"), tool=r1)
        assert '"int8_steps": "none"' in run("info", path("base.gguf"), "--json", tool=r1)
        run("train", "--stage", "reinforce", "--init", path("base.gguf"), "--given", "fit",
            "--cost", "findings=0.02", "--steps", "3", "--cases", "8",
            "--traces", "4", "--out", path("policy.gguf"), path("work/simulated-pairs.r1s"),
            tool=r1)
        assert '"act"' in run("info", path("policy.gguf"), "--description", tool=r1)
        # all folds go on from the policy, which saw no case
        train("staged", "--init", path("policy.gguf"), "--epochs", "1")
        assert '"act"' not in run("info", path("staged/fold-4.gguf"), "--description", tool=r1)


if __name__ == "__main__":
    main()
