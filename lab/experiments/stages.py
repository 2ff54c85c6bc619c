# SPDX-License-Identifier: Apache-2.0
"""What stages_fraud.py and stages_medical.py share.

They run r1's programs, keep models by the chain of stages that made them, and fill one table.
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
env = dict(os.environ, OMP_NUM_THREADS="1")


def arguments(doc, **more):
    """WORK, ARM[,ARM...], --bin, --seeds, and further options with their defaults."""
    parser = argparse.ArgumentParser(description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("arms", type=lambda text: text.split(","))
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parents[1] / "build/release/bin")
    parser.add_argument("--seeds", type=lambda text: [int(s) for s in text.split(",")],
                        default=[1, 2, 3])
    for name, default in more.items():
        parser.add_argument("--" + name, default=default)
    return parser.parse_args()


def run(*command):
    """Standard output, or the figures where the command asks for JSON."""
    out = subprocess.run([str(c) for c in command], env=env, check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    return json.loads(out)["figures"] if "--json" in command else out


def model_of(path, chain, make):
    """The model of a chain of stages, made where it is not there yet.

    path(chain) is its file. make(stage, init, out) runs one more stage from the model `init`, or
    from random weights where that is None.
    """
    if not chain:
        return None
    out = path(chain)
    if not out.exists():
        init = model_of(path, chain[:-1], make)
        out.parent.mkdir(parents=True, exist_ok=True)
        make(chain[-1], init, out)
    return out


def rows(table, columns, arms, seeds, one):
    """Adds a row for each arm and seed that the table lacks.

    one(arm, seed) gives its figures. `seconds` is what its children took of the processors.
    """
    for seed in seeds:
        for arm in arms:
            if table.exists() and any(r["arm"] == arm and r["seed"] == str(seed)
                                      for r in csv.DictReader(open(table, encoding="utf-8"))):
                continue
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            row = {"arm": arm, "seed": seed, **one(arm, seed)}
            now = resource.getrusage(resource.RUSAGE_CHILDREN)
            row["seconds"] = f"{now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime:.1f}"
            with open(table, "a", newline="", encoding="utf-8") as f:
                fcntl.flock(f, fcntl.LOCK_EX)
                w = csv.DictWriter(f, columns, lineterminator="\n")
                if f.tell() == 0:
                    w.writeheader()
                w.writerow(row)
            print(row, flush=True)
