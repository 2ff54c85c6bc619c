# SPDX-License-Identifier: Apache-2.0
"""results.py - reads the result files of this folder, checks their form, and prints their numbers.

A domain is a folder with `domain.json` and one file a run. README.md beside this file documents the
fields. Standard library alone.
"""

import json
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
AIM = re.compile(r"(>=|<=) (-?[\d.]+|peer)")
DOMAIN_FIELDS = {"title", "method", "runs"}
RUN_FIELDS = {
    "command",
    "needs",
    "data",
    "date",
    "commit",
    "machine",
    "source",
    "results",
    "tables",
}
RESULT_FIELDS = {
    "id",
    "what",
    "aim",
    "figure",
    "digits",
    "unit",
    "spread",
    "peer",
    "key",
    "scale",
    "match",
    "page",
}
TABLE_FIELDS = {"id", "columns", "rows", "lines", "template", "take"}


class Fault(Exception):
    """What is wrong with a result file: file, field, expected, found."""


def number(value, digits=3, unit=""):
    """As the pages print it: no zero before the point, a comma between thousands."""
    text = f"{abs(value):,.{digits}f}"
    if digits and text.startswith("0."):
        text = text[1:]
    sign = "-" if value < 0 and float(text.replace(",", "")) else ""
    return sign + text + (f" {unit}" if unit else "")


def met(result):
    """ "yes" or "no", from aim and figure; "-" where there is no aim in numbers."""
    aim = AIM.fullmatch(result.get("aim") or "")
    if not aim:
        return "-"
    bound = result["peer"]["figure"] if aim[2] == "peer" else float(aim[2])
    figure, spread = result["figure"], result.get("spread") or {}
    word = "yes" if (figure >= bound if aim[1] == ">=" else figure <= bound) else "no"
    half = spread.get("half")
    low, high = (
        (figure - half, figure + half)
        if half is not None
        else (spread.get("low", figure), spread.get("high", figure))
    )
    return word + (", within the spread" if low < bound < high else "")


def fields(path, what, record, known, needed):
    if unknown := set(record) - known:
        raise Fault(f"{path}: {what}: expected fields {sorted(known)}, found {sorted(unknown)}")
    if missing := set(needed) - set(record):
        raise Fault(f"{path}: {what}: expected {sorted(needed)}, found no {sorted(missing)}")


def check_result(path, r):
    fields(path, f"result {r.get('id')}", r, RESULT_FIELDS, {"id", "what", "figure", "digits"})
    if not isinstance(r["figure"], (int, float)):
        raise Fault(f"{path}: {r['id']}: figure: expected a number, found {r['figure']!r}")
    if r.get("aim") and not AIM.fullmatch(r["aim"]):
        raise Fault(
            f"{path}: {r['id']}: aim: expected '>= NUMBER' or '>= peer', or with '<=', "
            f"found {r['aim']!r}"
        )


def load_run(path):
    """A file as it is: a new one has no figures yet."""
    run = json.loads(path.read_text(encoding="utf-8"))
    fields(path, "run", run, RUN_FIELDS, {"command"})
    return run


def check_run(path, run):
    """That it was measured: by which commit, on what, with which figures."""
    fields(path, "run", run, RUN_FIELDS, {"command", "date", "commit", "machine", "source"})
    if run["source"] not in ("command", "diary"):
        raise Fault(f"{path}: source: expected command or diary, found {run['source']!r}")
    if not re.fullmatch("[0-9a-f]{7,40}", run["commit"]):
        raise Fault(
            f"{path}: commit: expected 7 or more hexadecimal digits, found {run['commit']!r}"
        )
    for r in run.get("results", []):
        check_result(path, r)
    for t in run.get("tables", []):
        fields(path, f"table {t.get('id')}", t, TABLE_FIELDS, {"id"})


def save_run(path, run):
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def find_run(name, root=HERE):
    found = [p for p in root.glob(f"*/{name}.json") if p.stem != "domain"]
    if len(found) != 1:
        raise Fault(
            f"{name}: expected one result file of this name below {root}, found {len(found)}"
        )
    return found[0]


class Results:
    """All domains in their order; runs by name, results and tables by id."""

    def __init__(self, root=HERE):
        self.domains, self.runs, self.results, self.tables = [], {}, {}, {}
        order = json.loads((root / "order.json").read_text(encoding="utf-8"))
        folders = sorted(p.parent.name for p in root.glob("*/domain.json"))
        if sorted(order) != folders:
            raise Fault(f"{root}/order.json: expected the folders {folders}, found {sorted(order)}")
        for name in order:
            self.add_domain(root / name)

    def add_domain(self, folder):
        domain = json.loads((folder / "domain.json").read_text(encoding="utf-8"))
        fields(folder / "domain.json", "domain", domain, DOMAIN_FIELDS, DOMAIN_FIELDS)
        files = sorted(p.stem for p in folder.glob("*.json") if p.stem != "domain")
        if sorted(domain["runs"]) != files:
            raise Fault(
                f"{folder}/domain.json: runs: expected {files}, found {sorted(domain['runs'])}"
            )
        runs = [(name, load_run(folder / f"{name}.json")) for name in domain["runs"]]
        self.domains.append((folder.name, domain, runs))
        for name, run in runs:
            if name in self.runs:
                raise Fault(
                    f"{folder}/{name}.json: expected a name of its own, found it in two folders"
                )
            self.runs[name] = run
            self.add_ids(folder / f"{name}.json", run)

    def add_ids(self, path, run):
        check_run(path, run)
        for kind, records in (
            (self.results, run.get("results", [])),
            (self.tables, run.get("tables", [])),
        ):
            for r in records:
                if r["id"] in self.results or r["id"] in self.tables:
                    raise Fault(f"{path}: id {r['id']}: expected a name of its own, found it twice")
                kind[r["id"]] = r
