#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What libr1.so exports is what the headers declare with R1_API, no more and no less, and each name carries a version.

    check_symbols.py LIBR1_SO INCLUDE_FOLDER...      exit 0: equal; 3: the differences, one per line
"""
import re
import subprocess
import sys
from pathlib import Path


def declared(folders):
    names = {}
    for folder in folders:
        for header in sorted(Path(folder).glob("*.h")):
            text = re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#(?:\\\n|[^\n])*", " ", header.read_text(encoding="utf-8"), flags=re.S | re.M)
            for statement in re.findall(r"\bR1_API\b([^;{]*);", text):
                name = re.search(r"\b(\w+)\s*\(", statement)  # a function: the first name before a bracket
                names[name.group(1) if name else statement.split()[-1]] = header.name
    return names


def exported(library):
    """name -> version; the nodes themselves (absolute symbols of the version script) left out."""
    out = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", library], capture_output=True, text=True, check=True).stdout
    symbols = {}
    for line in out.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":
            name, _, version = name.partition("@@")
            symbols[name] = version
    return symbols


def main():
    library, want = sys.argv[1], declared(sys.argv[2:])
    have = exported(library)
    problems = [f"{want[n]}: {n} is declared R1_API but not exported" for n in sorted(want.keys() - have.keys())]
    problems += [f"{library}: {n} is exported but no header declares it R1_API" for n in sorted(have.keys() - want.keys())]
    problems += [f"{library}: {n} has the version \"{v}\", expected R1_ and a number" for n, v in sorted(have.items())
                 if not re.fullmatch(r"R1_\d+\.\d+", v)]
    problems += [f"{library}: {n} is exported: benchmarks belong to lab/bench"
                 for n in sorted(have) if "bench" in n]
    if len(want) < 100:
        problems.append(f"only {len(want)} declarations were found: the headers are not where they should be, or are written otherwise")
    print("\n".join(problems) if problems else f"{len(have)} symbols, each declared and versioned")
    return 3 if problems else 0


sys.exit(main())
