#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The models that ship, run by the programs that ship, on the CUDA table and on the CPU.

    check_models.py --bin FOLDER --source TREE --plugin LIBRARY [--driver FOLDER]

The programs load LIBRARY as they would load the plugin of a card. Without it they end with an
error. --driver names a folder with a libcuda.so.1, where the machine has none: an empty one will do
for the emulated plugin. Each score must lie within TOLERANCE of the CPU's, and what is ranked must
keep its order.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

NUMBER = r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]\d+)?"
TOLERANCE = 2e-5  # of a logit, of size 10 at most


def run(args, folder, env, *command):
    program = os.path.join(args.bin, command[0])
    done = subprocess.run([program, *command[1:]], cwd=folder, env=env, capture_output=True,
                          text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def numbers(value, at=""):
    """All numbers of a JSON value, with where they stand."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield from numbers(v, f"{at}.{k}")
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from numbers(v, f"{at}[{i}]")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield at, float(value)


def compare(what, cpu, cuda):
    """Same fields; numbers within TOLERANCE. Returns how many there were."""
    a, b = list(numbers(cpu)), list(numbers(cuda))
    if [k for k, _ in a] != [k for k, _ in b]:
        sys.exit(f"{what}: other fields on cuda than on cpu")
    for (k, x), (_, y) in zip(a, b):
        if not abs(x - y) <= TOLERANCE * max(1.0, abs(x)):
            sys.exit(f"{what}: {k} is {x} on cpu and {y} on cuda")
    return len(a)


def fraud(args, folder, envs):
    run(args, folder, envs["cpu"], "r1-fraud", "generate", "--accounts", "50", "--days", "7",
        "--rings", "1", "--seed", "5", "--out", "payments.jsonl")
    lines = {}
    for name, env in envs.items():
        out = os.path.join(folder, f"{name}.jsonl")
        run(args, folder, env, "r1-fraud", "replay", "--in", "payments.jsonl", "--model",
            os.path.join(args.source, "models", "fraud-s.gguf"), "--precision", "f32", "--out",
            out)
        with open(out, encoding="utf-8") as f:
            lines[name] = [json.loads(line) for line in f]
    n = sum(compare(f"payment {i}", a, b)
            for i, (a, b) in enumerate(zip(lines["cpu"], lines["cuda"])))
    if len(lines["cpu"]) < 100 or len(lines["cpu"]) != len(lines["cuda"]):
        sys.exit(f"{len(lines['cpu'])} and {len(lines['cuda'])} payments, expected over 100")
    print(f"fraud-s: {len(lines['cpu'])} payments, {n} numbers agree")


def medical(args, folder, envs):
    command = ["r1-medical", "rank", "--observed", "Ectopia lentis; Arachnodactyly; Tall stature",
               "--precision", "f32"]
    lines = {name: run(args, folder, env, *command).splitlines() for name, env in envs.items()}
    words = {name: [re.sub(NUMBER, "#", line) for line in text] for name, text in lines.items()}
    if words["cpu"] != words["cuda"] or len(lines["cpu"]) < 5:
        sys.exit("rank: other words on cuda than on cpu:\n" + "\n".join(lines["cuda"]))
    values = {name: [float(x) for line in text for x in re.findall(NUMBER, line)]
              for name, text in lines.items()}
    n = compare("rank", values["cpu"], values["cuda"])
    print(f"medical-b: {len(lines['cpu'])} lines, {n} numbers agree")


def refused(args, folder, envs):
    """A backend that is not there, or that cannot do what was asked, is an error in words."""
    payments = os.path.join(folder, "payments.jsonl")
    lost = {**envs["cuda"], "R1_CUDA_PLUGIN": "/nowhere/libr1_cuda.so"}
    model = os.path.join(args.source, "models", "fraud-s.gguf")
    for env, command, words in (
            (lost, ["replay", "--in", payments, "--model", model], "/nowhere/libr1_cuda.so"),
            (envs["cuda"], ["replay", "--in", payments, "--model", model, "--precision", "int8"],
             "no int8")):
        done = subprocess.run([os.path.join(args.bin, "r1-fraud"), *command], cwd=folder, env=env,
                              capture_output=True, text=True)
        if not done.returncode or words not in done.stderr:
            sys.exit(f"{' '.join(command)}: exit {done.returncode}, expected an error with "
                     f"\"{words}\", found:\n{done.stderr[-2000:]}")
    print("refused: a lost plugin, int8")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", required=True)
    p.add_argument("--source", required=True)
    p.add_argument("--plugin", required=True)
    p.add_argument("--driver")
    args = p.parse_args()
    args.bin, args.source = os.path.abspath(args.bin), os.path.abspath(args.source)
    cpu = {**os.environ, "R1_BACKEND": "cpu"}
    cuda = {**os.environ, "R1_BACKEND": "cuda", "R1_CUDA_PLUGIN": os.path.abspath(args.plugin)}
    if args.driver:
        cuda["LD_LIBRARY_PATH"] = os.path.abspath(args.driver)
    with tempfile.TemporaryDirectory() as folder:
        for part in (fraud, medical, refused):
            part(args, folder, {"cpu": cpu, "cuda": cuda})


if __name__ == "__main__":
    main()
