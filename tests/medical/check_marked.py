#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No word of a record ends in an error message, whatever is wrong with its file.

check_marked.py R1_MEDICAL

A marked word stands in every place of files of every kind, sound and broken. Standard error and the
table of a run over a folder end in logs: neither may hold it. What annotate, review and rank answer
about a list, in lines "note: ...", is for who asks.
"""

import json
import os
import subprocess
import sys
import tempfile

MARK = "Zwyxmark"
HPO = "http://human-phenotype-ontology.org"


def findings(**other):
    f = {"id": "HP:0001250", "name": MARK, "status": "present", "review": "open", **other}
    return {"format": "r1-findings", "version": 1, "record": MARK, "findings": [f]}


def feature(**other):
    return {"type": {"id": "HP:0001250", "label": MARK}, **other}


def condition(**other):
    coding = [{"system": HPO, "code": MARK}]
    return {
        "resourceType": "Condition",
        "code": {"text": MARK, "coding": coding},
        "verificationStatus": MARK,
        **other,
    }


FILES = {
    "prose.txt": f"Dear {MARK}, {MARK} has seizures. No {MARK} fever. Aged {MARK}.",
    "german.txt": f"Der Patient {MARK} hat keine Anfälle und ist bei {MARK} mit der und die das.",
    "nul.txt": f"\0{MARK}",
    "token.json": '{"subject": {"id": "%s", "x": %s}}' % (MARK, MARK),
    "twice.json": '{"%s": 1, "%s": 2}' % (MARK, MARK),
    "cut.json": '{"id": "%s", "phenotypicFeatures": [{"type": {"id": "%s' % (MARK, MARK),
    "packet.json": json.dumps({"id": MARK, "phenotypicFeatures": [feature()]}),
    "excluded.json": json.dumps({"phenotypicFeatures": [feature(excluded=MARK)]}),
    "no_type.json": json.dumps({"phenotypicFeatures": [{"type": MARK}]}),
    "packet.yaml": f"id: {MARK}\nphenotypicFeatures: [{MARK}: : :\n",
    "twice.yaml": f"phenotypicFeatures: []\n{MARK}: 1\n{MARK}: 2\n",
    "alias.yaml": f"phenotypicFeatures: &{MARK} []\nid: *{MARK}\n",
    "status.json": json.dumps(findings(status=MARK)),
    "review.json": json.dumps(findings(review=MARK)),
    "format.json": json.dumps({**findings(), "format": MARK}),
    "fhir.json": json.dumps({"resourceType": "Bundle", "entry": [{"resource": condition()}]}),
    "no_bundle.json": json.dumps({"resourceType": MARK, "entry": [MARK]}),
    "terms.txt": f"HP:0001250 {MARK}\n{MARK} HP:9999999\n",
    "table.tsv": f"id\tname\tstatus\n{MARK}\t{MARK}\t{MARK}\n",
    "page.html": f"<html><{MARK}><body>{MARK}=<p>seizures",
    "cut.rtf": "{\\rtf1 \\" + MARK + " " + MARK,
}


def run(program, *args):
    p = subprocess.run([program, *args], capture_output=True, text=True, errors="replace",
                       timeout=60, check=False)  # fmt: skip
    return [line for line in p.stderr.split("\n") if not line.startswith("note: ")]


def main():
    program, found = sys.argv[1], []
    with tempfile.TemporaryDirectory() as folder:
        records, out = os.path.join(folder, "records"), os.path.join(folder, "out")
        os.mkdir(records)
        for name, text in FILES.items():
            with open(os.path.join(records, name), "w", encoding="utf-8") as f:
                f.write(text)
            for command in ("annotate", "review"):
                said = run(program, command, os.path.join(records, name), "--log-level", "debug")
                found += [f"{command} {name}: {line}" for line in said if MARK in line]
        said = run(program, "report", records, "--no-r1", "--format", "json", "--out", out)
        assert sum("refused: " in line for line in said) > 8, "the broken files were not refused"
        with open(os.path.join(out, "summary.tsv"), encoding="utf-8") as f:
            said += f.read().split("\n")
        found += [f"report: {line}" for line in said if MARK in line]
        modes = {os.stat(os.path.join(out, f)).st_mode & 0o777 for f in os.listdir(out)}
        assert modes == {0o600}, f"reports that others can read: {modes}"
    for line in found:
        print(line)
    sys.exit(3 if found else 0)


main()
