#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The models that ship, run by the programs that ship, on the CUDA table and on the CPU.

    check_models.py --bin FOLDER --source TREE --plugin LIBRARY [--driver FOLDER]
                    [--checked]

The programs load LIBRARY as they would load the plugin of a card. Without it they end with an
error. --driver names a folder with a libcuda.so.1, where the machine has none: an empty one will do
for the emulated plugin. In f32 each score must lie within TOLERANCE of the CPU's, and what is
ranked must keep its order.

With --checked, LIBRARY holds every 8-bit product against the CPU's, bit for bit, on the numbers
that the model brings it (checked_plugin.c). Scores lie within TOLERANCE_INT8: the ops
between the products sum in another order, and a last bit may decide which way a number is rounded.
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
TOLERANCE_INT8 = 0.05
CHECKED = r"checked plugin: (\d+) int8 products, (\d+) values"


def run(args, folder, env, *command):
    program = os.path.join(args.bin, command[0])
    done = subprocess.run([program, *command[1:]], cwd=folder, env=env, capture_output=True,
                          text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done


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


def compare(what, cpu, cuda, most):
    """Same fields; numbers within `most`. Returns how many there were."""
    a, b = list(numbers(cpu)), list(numbers(cuda))
    if [k for k, _ in a] != [k for k, _ in b]:
        sys.exit(f"{what}: other fields on cuda than on cpu")
    for (k, x), (_, y) in zip(a, b):
        if not abs(x - y) <= most * max(1.0, abs(x)):
            sys.exit(f"{what}: {k} is {x} on cpu and {y} on cuda")
    return len(a)


def products(args, done):
    """How many 8-bit products the checked plugin held against the CPU's."""
    if not args.checked:
        return "products are not held against the CPU's"
    found = re.search(CHECKED, done["cuda"].stderr)
    if not found or not int(found[1]) or not int(found[2]):
        sys.exit(f"no int8 product was checked:\n{done['cuda'].stderr[-2000:]}")
    return f"{found[1]} products of {found[2]} values have the CPU's bits"


def fraud(args, folder, envs, model, precision, most):
    run(args, folder, envs["cpu"], "r1-fraud", "generate", "--accounts", "50", "--days", "7",
        "--rings", "1", "--seed", "5", "--out", "payments.jsonl")
    lines, done = {}, {}
    for name, env in envs.items():
        out = os.path.join(folder, f"{name}.jsonl")
        done[name] = run(args, folder, env, "r1-fraud", "replay", "--in", "payments.jsonl",
                         "--model", os.path.join(args.source, "models", model), "--precision",
                         precision, "--out", out, "--device", name)
        with open(out, encoding="utf-8") as f:
            lines[name] = [json.loads(line) for line in f]
    n = sum(compare(f"payment {i}", a, b, most)
            for i, (a, b) in enumerate(zip(lines["cpu"], lines["cuda"])))
    if len(lines["cpu"]) < 100 or len(lines["cpu"]) != len(lines["cuda"]):
        sys.exit(f"{len(lines['cpu'])} and {len(lines['cuda'])} payments, expected over 100")
    print(f"{model}, {precision}: {len(lines['cpu'])} payments, {n} numbers agree"
          + (", " + products(args, done) if precision == "int8" else ""), flush=True)


def medical(args, folder, envs, precision, most):
    command = ["r1-medical", "rank", "--observed", "Ectopia lentis; Arachnodactyly; Tall stature",
               "--precision", precision]
    done = {name: run(args, folder, env, *command) for name, env in envs.items()}
    lines = {name: d.stdout.splitlines() for name, d in done.items()}
    words = {name: [re.sub(NUMBER, "#", line) for line in text] for name, text in lines.items()}
    if words["cpu"] != words["cuda"] or len(lines["cpu"]) < 5:
        sys.exit("rank: other words on cuda than on cpu:\n" + "\n".join(lines["cuda"]))
    values = {name: [float(x) for line in text for x in re.findall(NUMBER, line)]
              for name, text in lines.items()}
    n = compare("rank", values["cpu"], values["cuda"], most)
    print(f"medical-b, {precision}: {len(lines['cpu'])} lines, {n} numbers agree"
          + (", " + products(args, done) if precision == "int8" else ""), flush=True)


def devices(args, folder, envs):
    """--device: auto takes the card where it works, and says why where it does not; what is asked
    for by name is never replaced."""
    lost = {**envs["cuda"], "R1_CUDA_PLUGIN": "/nowhere/libr1_cuda.so"}
    command = ["r1-medical", "rank", "--observed", "Ectopia lentis"]
    for env, device, code, words in (
            (envs["cuda"], "auto", 0, "device cuda:0"),
            (envs["cuda"], "cuda:0", 0, "device cuda:0"),
            (envs["cuda"], "cuda:1000", 2, "device cuda:1000: this machine has "),
            (envs["cuda"], "cuda:", 2, "expected a number"),
            (envs["cuda"], "cuda:-1", 2, "expected a number"),
            (envs["cuda"], "gpu", 2, 'expected cpu, cuda, cuda:N or auto, found "gpu"'),
            (envs["cuda"], "cpu", 0, "device cpu"),
            (lost, "auto", 0, "device cpu: no CUDA: /nowhere/libr1_cuda.so"),
            (lost, "cuda", 1, "no CUDA: /nowhere/libr1_cuda.so")):
        done = subprocess.run([os.path.join(args.bin, command[0]), *command[1:], "--device",
                               device], cwd=folder, env=env, capture_output=True, text=True)
        if done.returncode != code or words not in done.stderr:
            sys.exit(f"--device {device}: exit {done.returncode}, expected {code} and \"{words}\","
                     f" found:\n{done.stderr[-2000:]}")
    print("devices: cpu, cuda, cuda:0, auto, and what there is not", flush=True)


def doctor(args, folder, envs):
    """r1 doctor with the plugin, with an empty driver, and with a plugin that is not there."""
    def checks(env):
        done = run(args, folder, env, "r1", "doctor", "--json")
        return {c["what"]: (c["status"], c["detail"]) for c in json.loads(done.stdout)["checks"]}
    found = checks(envs["cuda"])
    if found["CUDA plugin"][0] != "good" or "version 6 of the table" not in found["CUDA plugin"][1]:
        sys.exit(f"doctor: the plugin is {found['CUDA plugin']}")
    if found["CUDA (optional)"][0] != "good" or "sm_" not in found["CUDA (optional)"][1]:
        sys.exit(f"doctor: CUDA is {found['CUDA (optional)']}")
    if args.driver and "not NVIDIA's" not in found["CUDA driver"][1]:
        sys.exit(f"doctor: the driver is {found['CUDA driver']}")
    found = checks({**envs["cuda"], "R1_CUDA_PLUGIN": "/nowhere/libr1_cuda.so",
                    "R1_BACKEND": "cpu"})
    for what in "CUDA plugin", "CUDA (optional)":
        if found[what][0] != "absent" or "/nowhere/libr1_cuda.so" not in found[what][1]:
            sys.exit(f"doctor: without a plugin, {what} is {found[what]}")
    print("doctor: the plugin, a lost one", flush=True)


def refused(args, folder, envs):
    """A backend that is not there, or that cannot do what was asked, is an error in words."""
    payments = os.path.join(folder, "payments.jsonl")
    lost = {**envs["cuda"], "R1_CUDA_PLUGIN": "/nowhere/libr1_cuda.so"}
    model = os.path.join(args.source, "models", "fraud-s.gguf")
    without = {**envs["cpu"], "R1_BACKEND": "reference"}
    for env, command, words in (
            (lost, ["replay", "--in", payments, "--model", model], "/nowhere/libr1_cuda.so"),
            (without, ["replay", "--in", payments, "--model", model, "--precision", "int8"],
             "no int8")):
        done = subprocess.run([os.path.join(args.bin, "r1-fraud"), *command], cwd=folder, env=env,
                              capture_output=True, text=True)
        if not done.returncode or words not in done.stderr:
            sys.exit(f"{' '.join(command)}: exit {done.returncode}, expected an error with "
                     f"\"{words}\", found:\n{done.stderr[-2000:]}")
    print("refused: a lost plugin, int8 where there is none")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", required=True)
    p.add_argument("--source", required=True)
    p.add_argument("--plugin", required=True)
    p.add_argument("--driver")
    p.add_argument("--checked", action="store_true",
                   help="LIBRARY is checked_plugin.c's, and must have checked int8 products")
    args = p.parse_args()
    args.bin, args.source = os.path.abspath(args.bin), os.path.abspath(args.source)
    cpu = {**os.environ, "R1_BACKEND": "cpu"}
    cuda = {**os.environ, "R1_BACKEND": "cuda", "R1_CUDA_PLUGIN": os.path.abspath(args.plugin)}
    if args.driver:
        cuda["LD_LIBRARY_PATH"] = os.path.abspath(args.driver)
    with tempfile.TemporaryDirectory() as folder:
        envs = {"cpu": cpu, "cuda": cuda}
        fraud(args, folder, envs, "fraud-s.gguf", "f32", TOLERANCE)
        fraud(args, folder, envs, "fraud-s-int8.gguf", "int8", TOLERANCE_INT8)
        medical(args, folder, envs, "f32", TOLERANCE)
        medical(args, folder, envs, "int8", TOLERANCE_INT8)
        devices(args, folder, envs)
        doctor(args, folder, envs)
        refused(args, folder, envs)


if __name__ == "__main__":
    main()
