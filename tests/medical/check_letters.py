#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Six letters in five layouts each (tests/medical/letters): one reading, one first disease.

    check_letters.py --program r1-medical [--kb KB]

The layouts of a letter must have the same findings and denials, and the same disease first. --kb is
a knowledge base of the full HPO; with it the first disease must be the letter's. Without it the
demonstration diseases are ranked, and only that the layouts agree is checked.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

LETTERS = pathlib.Path(__file__).parent / "letters"
LAYOUTS = ("prose", "ehr", "table", "dictated", "copied")
# The patient of "ordinary" has nothing rare: only that the layouts agree counts.
FIRST = {
    "fabry": "Fabry disease",
    "kabuki": "Kabuki syndrome",
    "marfan": "Marfan syndrome",
    "ordinary": "",
    "rett": "Rett syndrome",
    "wilson": "Wilson disease",
}


def reading(path):
    report = json.loads(path.read_text(encoding="utf-8"))
    first = report["candidates"][0]["name"] if report["candidates"] else ""
    return {
        "first": first,
        "observed": sorted(x["id"] for x in report["observed"]),
        "excluded": sorted(x["id"] for x in report["excluded"]),
    }


def faults_of(letter, out, full):
    reads = {x: reading(out / f"{letter}.{x}.report.json") for x in LAYOUTS}
    wanted = reads[LAYOUTS[0]]
    faults = [
        f"{letter}.{layout}: expected {key} {wanted[key]}, found {found[key]}"
        for layout, found in reads.items()
        for key in wanted
        if found[key] != wanted[key]
    ]
    if full and not wanted["first"].startswith(FIRST[letter]):
        faults.append(f"{letter}: expected {FIRST[letter]} first, found {wanted['first']}")
    if not wanted["observed"]:
        faults.append(f"{letter}: no finding was read")
    return faults


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    ask.add_argument("--program", default="r1-medical")
    ask.add_argument("--kb")
    args = ask.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        command = [args.program, "report", str(LETTERS), "--out", tmp, "--format", "json"]
        command += ["--kb", args.kb] if args.kb else []
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
        out = pathlib.Path(tmp)
        faults = [f for letter in FIRST for f in faults_of(letter, out, bool(args.kb))]
    print("\n".join(faults) or f"{len(FIRST)} letters in {len(LAYOUTS)} layouts are read alike")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
