# SPDX-License-Identifier: Apache-2.0
"""Prometheus' text format 0.0.4, read strictly: what a scraper takes, and the conventions of names
that `promtool check metrics` holds."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL},?)*)\}})? (\S+)$")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")


class Family:
    def __init__(self, name, help_text):
        self.name, self.help, self.type, self.samples = name, help_text, None, {}


def _base(name, families):
    for suffix in ("_bucket", "_sum", "_count"):
        base = name[: -len(suffix)]
        if name.endswith(suffix) and base in families and families[base].type == "histogram":
            return base
    return name


def parse(text):
    """Families by name. ValueError with the line that is wrong."""
    families, last = {}, None
    if not text.endswith("\n"):
        raise ValueError("the last line does not end")
    for line in text.split("\n")[:-1]:
        if m := re.match(rf"# HELP ({NAME}) (.+)$", line):
            if m.group(1) in families:
                raise ValueError(f"a second HELP: {line}")
            last = families[m.group(1)] = Family(m.group(1), m.group(2))
        elif m := re.match(rf"# TYPE ({NAME}) (\w+)$", line):
            if not last or last.name != m.group(1) or last.type or m.group(2) not in TYPES:
                raise ValueError(f"a TYPE out of place: {line}")
            last.type = m.group(2)
        elif m := SAMPLE.match(line):
            if not last or _base(m.group(1), families) != last.name or not last.type:
                raise ValueError(f"a sample away from its family: {line}")
            labels = tuple(sorted(re.findall(LABEL, m.group(2) or "")))
            if len({k for k, _ in labels}) != len(labels):
                raise ValueError(f"a label twice: {line}")
            if (m.group(1), labels) in last.samples:
                raise ValueError(f"a sample twice: {line}")
            last.samples[m.group(1), labels] = float(m.group(5))
        else:
            raise ValueError(f"no line of the format: {line}")
    return families


def _histogram_problems(f):
    groups = {}
    for (name, labels), value in f.samples.items():
        rest = tuple(x for x in labels if x[0] != "le")
        group = groups.setdefault(rest, {"buckets": []})
        if name.endswith("_bucket"):
            group["buckets"].append((float(dict(labels)["le"]), value))
        else:
            group[name[len(f.name) :]] = value
    for rest, g in groups.items():
        edges, counts = zip(*g["buckets"]) if g["buckets"] else ((), ())
        if list(edges) != sorted(set(edges)) or list(counts) != sorted(counts):
            yield f"{f.name}{rest}: buckets do not rise"
        if not edges or edges[-1] != math.inf or counts[-1] != g.get("_count") or "_sum" not in g:
            yield f"{f.name}{rest}: no +Inf bucket that equals the count, or no sum"


def problems(families):
    """What the conventions of names, and the sense of histograms, refuse."""
    found = []
    for f in families.values():
        if not f.type:
            found.append(f"{f.name}: no TYPE")
        if (f.type == "counter") != f.name.endswith("_total"):
            found.append(f"{f.name}: a {f.type} of that name")
        if re.search(r"_(ms|us|milliseconds|minutes|hours|kb|kib|mb|percent)(_|$)", f.name):
            found.append(f"{f.name}: not a base unit")
        if not f.help.endswith("."):
            found.append(f"{f.name}: help is a sentence")
        if f.type == "histogram":
            found += _histogram_problems(f)
        if f.type == "counter" and any(not v >= 0 for v in f.samples.values()):
            found.append(f"{f.name}: a counter below zero")
    return found


def value(families, name, **labels):
    """One sample's value; None: there is none."""
    want = tuple(sorted(labels.items()))
    for f in families.values():
        if (name, want) in f.samples:
            return f.samples[name, want]
    return None
