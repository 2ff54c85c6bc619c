# SPDX-License-Identifier: Apache-2.0
"""prose.py - figures in written pages: marked ones are compared, others are found.

A marked figure is a number, with its unit, before `<!-- result: ID -->`. Every other number with a
point, and every number before %, ms, us or x, is a fault unless allowed.tsv names it with a reason.
Code spans, comments and generated blocks are not read.
"""

import re

NUMBER = r"[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
UNIT = r"%|ms|us|x|s|MB|MFLOP"
MARKED = re.compile(
    rf"(?<![\w.])({NUMBER})(?: \+- ({NUMBER}))?(?: ({UNIT}))?\**\s+<!-- result: ([\w-]+) -->"
)
MARK = re.compile(r"<!-- result: ([^>]*?) -->")
FIGURE = re.compile(
    r"(?<![\w.,/#-])[-+]?(?:(?:\d[\d,]*)?\.\d+(?![\w.]|-\w)|\d[\d,]* (?:%|ms|us|x)(?!\w| \d))"
)
BLOCK = re.compile(r"<!-- results: ([\w-]+) -->\n(.*?)<!-- end of results -->", re.S)
CODE = re.compile(r"(?<!`)`[^`\n]+(?:\n[^`\n]+)?`(?!`)")
COMMENT = re.compile(r"<!--.*?-->", re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def line_of(text, place):
    return text.count("\n", 0, place) + 1


def printed_as(text, value):
    """Whether the printed number is the value, rounded to as many places as are printed."""
    places = len(text.partition(".")[2])
    return float(text.replace(",", "")) == float(f"{value:.{places}f}")


def compare(match, result):
    """What is wrong with a marked figure, or nothing."""
    figure, half, unit, name = match.groups()
    if result is None:
        return f"result {name}: expected a result of this name, found none"
    if not printed_as(figure, result["figure"]):
        return f"result {name}: expected {result['figure']:.6g}, found {figure}"
    if (unit or "") != result.get("unit", ""):
        return f"result {name}: expected the unit '{result.get('unit', '')}', found '{unit or ''}'"
    spread = (result.get("spread") or {}).get("half")
    if half and (spread is None or not printed_as(half, spread)):
        return f"result {name}: expected +- {spread}, found +- {half}"
    return None


def allowed_of(path):
    """Rows of allowed.tsv: page, phrase, reason."""
    rows = []
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            cells = line.split("\t")
            if len(cells) != 3 or not all(cells):
                raise ValueError(
                    f"{path}:{n}: expected page, phrase and reason, found {len(cells)} cells"
                )
            rows.append(tuple(cells))
    return rows


def faults_of(page, text, results, allowed, used):
    """Faults of one page as (line, what). used collects the rows of allowed that the page needs."""
    faults = []
    text = BLOCK.sub(blank, text)
    for row in allowed:
        if row[0] == page and row[1] in text:
            used.add(row)
            text = text.replace(row[1], " " * len(row[1]))
    text = CODE.sub(blank, text)
    for m in MARKED.finditer(text):
        if what := compare(m, results.get(m[4])):
            faults.append((line_of(text, m.start()), what))
    text = MARKED.sub(blank, text)
    for m in MARK.finditer(text):
        faults.append(
            (
                line_of(text, m.start()),
                f"result {m[1]}: expected a number before this mark, found none",
            )
        )
    text = COMMENT.sub(blank, text)
    for m in FIGURE.finditer(text):
        faults.append(
            (
                line_of(text, m.start()),
                f"figure '{m[0].strip()}': expected <!-- result: ID --> behind it, or a row of "
                "allowed.tsv, found neither",
            )
        )
    return faults
