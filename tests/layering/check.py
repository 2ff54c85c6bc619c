#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the arrows between rooms, the banned functions, and habits that a compiler does not see.

    tests/layering/check.py [ROOT]      exit 0: clean; 3: problems, one per line as file:line: what
    tests/layering/check.py --self-test plants one violation of each kind in a copy and expects each
                                        to be found
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

CODE = (".c", ".h", ".cu", ".cuh")

# Library headers that may be included in one room alone (tests may look anywhere).
LIBRARY_ROOMS = [
    (r"dnnl|oneapi/", ["core/cpu"]),
    (r"libpq", ["apps/common/store"]),
    (r"librdkafka/", ["apps/common/stream", "deploy/broker"]),
    (r"igraph/|igraph\.h", ["apps/fraud/graph"]),
    (r"libxml/", ["apps/medical/ontology"]),
    (r"openssl/", ["apps/medical/ontology"]),
    (r"cuda|cublas|mma\.h", ["cuda"]),
    (r"ini\.h", ["apps/common/config"]),
    (r"microhttpd", ["apps/common/http", "apps/dashboard"]),
]
# Which rooms a room may include headers from. A room is the longest prefix that matches.
ARROWS = {
    "core": ["core"],
    "core/examples": ["core/examples", "core/include"],
    "cuda": ["cuda", "core/include"],
    "apps/common": ["apps/common", "core/include"],
    "apps/r1": ["apps/r1", "apps/common", "core/include"],
    "apps/fraud": ["apps/fraud", "apps/common", "core/include"],
    "apps/medical": ["apps/medical", "apps/common", "core/include"],
    "apps/dashboard": ["apps/dashboard", "apps/common", "core/include"],
    "deploy": ["deploy", "apps/common", "core/include"],
    "bench": ["bench", "apps/common", "apps/fraud", "apps/medical", "core"],
    "tests": [""],
}
BANNED = {
    "strcpy": "snprintf or memcpy", "strcat": "snprintf", "sprintf": "snprintf",
    "vsprintf": "vsnprintf", "gets": "fgets",
    "atoi": "strtol", "atol": "strtol", "atof": "strtod", "strtok": "strtok_r", "rand": "r1_rng",
    "srand": "r1_rng",
    "system": "posix_spawn", "popen": "posix_spawn", "alloca": "an arena", "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
    "PQexec": "PQexecParams",
}
PQEXEC_ALLOWED = "apps/common/store/store.c"  # scripts of our own: migrations
NO_EXIT = ["core/", "apps/common/store/", "apps/common/stream/"]  # a library returns errors
ROOMS_WITH_README = ["core", "core/examples", "cuda", "apps", "apps/common", "apps/r1",
                     "apps/fraud", "apps/medical", "ontology", "schemas", "models",
                     "deploy", "tests", "bench", "docs"]


def strip(text):
    """Comments and string literals blanked, line structure kept."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def room_of(path):
    return max((r for r in ARROWS if path == r or path.startswith(r + "/")), key=len, default=None)


def files_of(root):
    try:
        out = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others",
                              "--exclude-standard"], capture_output=True,
                             text=True, check=True).stdout.split("\n")
        files = [f for f in out if f and os.path.isfile(os.path.join(root, f))]
    except (subprocess.CalledProcessError, FileNotFoundError):
        files = []
    if not files:
        files = [os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root)
                 for f in fs]
    return sorted(f for f in files if not f.startswith(("build/", "run/", ".git/")))


def check_includes(path, text, by_name, problems):
    room = room_of(path)
    for i, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not m:
            continue
        name = m.group(2)
        if m.group(1) == "<":
            for pattern, rooms in LIBRARY_ROOMS:
                if (re.match(pattern, name) and not path.startswith("tests/")
                        and not any(path.startswith(r + "/") for r in rooms)):
                    problems.append(f"{path}:{i}: <{name}> belongs in {' or '.join(rooms)} alone")
            continue
        for target in by_name.get(os.path.basename(name), []):
            allowed = ARROWS.get(room, [""])
            if not any(a == "" or target.startswith(a + "/") for a in allowed):
                problems.append(f"{path}:{i}: {room} must not include {target}")


def check_functions(path, code, problems):
    for i, line in enumerate(code.split("\n"), 1):
        for name, instead in BANNED.items():
            if (re.search(rf"(?<![\w.>]){name}\s*\(", line)
                    and not (name == "PQexec" and path == PQEXEC_ALLOWED)):
                problems.append(f"{path}:{i}: {name} is banned: use {instead}")
        if any(path.startswith(p) for p in NO_EXIT) and re.search(r"(?<![\w.>])_?exit\s*\(", line):
            problems.append(f"{path}:{i}: a library never exits")


def check(root):
    problems = []
    files = files_of(root)
    code_files = [f for f in files if f.endswith(CODE)]
    by_name = {}
    for f in code_files:
        by_name.setdefault(os.path.basename(f), []).append(f)
    for name, paths in by_name.items():
        if len(paths) > 1 and name != "main.c":
            problems.append(f"{paths[1]}:1: the name {name} is taken by {paths[0]}; file names are "
                            "unique across the tree")
    for f in code_files:
        with open(os.path.join(root, f), encoding="utf-8") as fh:
            text = fh.read()
        fraud = f.startswith(("apps/fraud/", "tests/fraud/"))
        licence = "GPL-3.0-or-later" if fraud else "Apache-2.0"
        first = text.split("\n", 1)[0]
        of_room = f.startswith(("core/", "cuda/", "apps/medical/", "apps/fraud/"))
        if "SPDX-License-Identifier:" not in first or (of_room and licence not in first):
            problems.append(f"{f}:1: the first line must be the SPDX line with {licence}")
        check_includes(f, text, by_name, problems)
        check_functions(f, strip(text), problems)
        for i, line in enumerate(text.split("\n"), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                problems.append(f"{f}:{i}: unfinished mark")
    for room in ROOMS_WITH_README:
        if any(f.startswith(room + "/") for f in files) and room + "/README.md" not in files:
            problems.append(f"{room}/README.md:1: the room lacks its README")
    return problems


PLANTS = [
    ("core/base/planted.c", "#include <libpq-fe.h>\n", "belongs in"),
    ("core/base/planted.c", '#include "r1_cli.h"\n', "must not include"),
    ("core/examples/planted.c", '#include "r1_op.h"\n', "must not include"),
    ("apps/fraud/planted.c", '#include "planted_medical.h"\n', "must not include"),
    ("apps/fraud/planted.c", "#include <libxml/tree.h>\n", "belongs in"),
    ("apps/medical/planted.c", "#include <igraph/igraph.h>\n", "belongs in"),
    ("core/base/planted.c", "int f(void) { return atoi(s); }\n", "banned"),
    ("core/base/planted.c", "void f(void) { exit(1); }\n", "never exits"),
    ("apps/r1/status.c", "int x;\n", "unique"),
    ("core/base/planted.c", "/* TO" + "DO later */\n", "unfinished"),
]


def self_test(root):
    missed = 0
    for path, text, expected in PLANTS:
        with tempfile.TemporaryDirectory() as tmp:
            for f in files_of(root):
                if f.endswith(CODE) or f.endswith("README.md"):
                    os.makedirs(os.path.join(tmp, os.path.dirname(f)), exist_ok=True)
                    shutil.copy(os.path.join(root, f), os.path.join(tmp, f))
            for p, t in [("apps/medical/planted_medical.h",
                          "/* SPDX-License-Identifier: Apache-2.0 */\n"), (path, text)]:
                os.makedirs(os.path.join(tmp, os.path.dirname(p)), exist_ok=True)
                with open(os.path.join(tmp, p), "w", encoding="utf-8") as fh:
                    fh.write("/* SPDX-License-Identifier: Apache-2.0 GPL-3.0-or-later */\n" + t)
            if not any(expected in p and os.path.basename(path) in p for p in check(tmp)):
                print(f"planted in {path} but not found: {text.strip()}")
                missed += 1
    print(f"{len(PLANTS) - missed} of {len(PLANTS)} planted violations found")
    return 3 if missed else 0


def main():
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    if sys.argv[1:] == ["--self-test"]:
        return self_test(root)
    if len(sys.argv) > 1:
        root = sys.argv[1]
    problems = check(root)
    print("\n".join(problems) if problems else "layering: clean")
    return 3 if problems else 0


sys.exit(main())
