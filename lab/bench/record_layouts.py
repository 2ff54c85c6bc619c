#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Published cases written as text in ten layouts, and in how many the right disease stands first.

    record_layouts.py --program r1-medical --kb KB --cases FOLDER [--show]

FOLDER holds phenopackets of published cases. Each becomes ten records with the same findings and
denials. Prints one JSON object {command, figures}: first places of each layout, and the largest
loss beside clean sentences. --show prints the cases whose first disease differs from that.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def years_of(packet):
    found = re.search(r"P(\d+)Y", json.dumps(packet.get("subject", {})))
    return found.group(1) if found else None


def person_of(packet):
    sex = {"FEMALE": "female", "MALE": "male"}.get(packet["subject"].get("sex"))
    years = years_of(packet)
    who = f"{years}-year-old " if years else ""
    return f"{who}{sex or 'patient'}" + (" patient" if sex else "")


def clean(p, yes, no):
    has = [f"The patient has {x}." for x in yes]
    return f"A {p}.\n" + " ".join(has + [f"There is no {x}." for x in no]) + "\n"


def one_sentence(p, yes, no):
    denied = f", without {', '.join(no)}" if no else ""
    return f"A {p} with {', '.join(yes)}{denied}.\n"


def bullets(p, yes, no):
    lines = ["No fever"] + yes + [f"No {x}" for x in no]
    return f"A {p}.\n" + "".join(f"\u2022 {x}\n" for x in lines)


def mother(p, yes, no):
    lines = [f"Mother reports {x}." for x in yes] + [f"Mother denies {x}." for x in no]
    return f"A {p}.\n" + " ".join(lines) + "\n"


def unlisted(p, yes, no):
    lines = [f"{x}." for x in yes] + [f"No {x}." for x in no]
    before = f"A {p}.\n\nFamily history:\nNothing of note.\n\nWhat we saw:\n"
    return before + "\n".join(lines) + "\n"


def table(p, yes, no):
    rows = [(x, "yes") for x in yes] + [(x, "no") for x in no]
    body = "".join(f"| {x} | {a} |\n" for x, a in rows)
    return f"A {p}.\n\n| Finding | Present |\n|---|---|\n{body}"


def capitals(p, yes, no):
    return clean(p, yes, no).upper()


def boxes(p, yes, no):
    rows = sorted([(x, "[x]") for x in yes] + [(x, "[ ]") for x in no])
    return f"A {p}.\n" + "".join(f"{box} {x}\n" for x, box in rows)


def questions(p, yes, no):
    rows = sorted([(x, "Yes.") for x in yes] + [(x, "No.") for x in no])
    return f"A {p}.\n" + "".join(f"Q: {x}?\nA: {answer}\n" for x, answer in rows)


def copied(p, yes, no):
    note = clean(p, yes, no)
    days = ("12/01/2024", "03/04/2024")
    old = "".join(f"--- Note of {day}, copied forward ---\n{note}\n" for day in days)
    return f"{old}--- Today ---\nSeen again, unchanged.\n{note}"


LAYOUTS = (
    clean,
    one_sentence,
    bullets,
    mother,
    unlisted,
    table,
    capitals,
    boxes,
    questions,
    copied,
)


def low_first(name):
    """A name within a sentence: small but for what has capitals anyway."""
    return name[0].lower() + name[1:] if name[1:2].islower() else name


def write_records(folder, packets):
    for path, packet in packets:
        yes, no = [], []
        for f in packet["phenotypicFeatures"]:
            (no if f.get("excluded") else yes).append(low_first(f["type"]["label"]))
        for layout in LAYOUTS:
            to = folder / layout.__name__ / f"{path.stem}.txt"
            to.parent.mkdir(exist_ok=True)
            to.write_text(layout(person_of(packet), yes, no), encoding="utf-8")


def first_diseases(program, kb, folder):
    """The ids of the disease that stands first, by record."""
    out = folder / "reports"
    command = [program, "report", str(folder), "--kb", kb, "--out", str(out), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    first = {}
    for path in out.glob("*.report.json"):
        candidates = json.loads(path.read_text(encoding="utf-8"))["candidates"]
        first[path.name.split(".")[0]] = set(candidates[0]["ids"]) if candidates else set()
    return first


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    ask.add_argument("--program", default="r1-medical")
    ask.add_argument("--kb", required=True)
    ask.add_argument("--cases", required=True, type=pathlib.Path)
    ask.add_argument("--show", action="store_true")
    args = ask.parse_args()
    paths = sorted(args.cases.glob("*.json"))
    packets = [(p, json.loads(p.read_text(encoding="utf-8"))) for p in paths]
    figures, base = {"cases": len(packets)}, {}
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        write_records(folder, packets)
        for layout in LAYOUTS:
            first = first_diseases(args.program, args.kb, folder / layout.__name__)
            right = 0
            for path, packet in packets:
                gold = packet["interpretations"][0]["diagnosis"]["disease"]["id"]
                key = path.stem.split(".")[0]
                right += gold in first.get(key, ())
                base.setdefault(key, first.get(key))
                if args.show and first.get(key) != base[key]:
                    print(layout.__name__, key, first.get(key), base[key], file=sys.stderr)
            figures[layout.__name__] = right
    figures["largest_loss"] = max(figures["clean"] - figures[x.__name__] for x in LAYOUTS)
    print(json.dumps({"command": "record_layouts.py", "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
