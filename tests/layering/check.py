#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the arrows between rooms, banned functions and habits that a compiler does not see.

tests/layering/check.py [ROOT]       exit 0: clean; 3: problems, one per line as file:line: what
tests/layering/check.py --self-test  plants one violation of each kind in a copy and expects
                                     each to be found
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
    (r"dnnl|oneapi/", ["core/cpu", "lab/bench"]),
    (r"libpq", ["apps/common/store"]),
    (r"librdkafka/", ["apps/common/stream", "deploy/broker"]),
    (r"igraph/|igraph\.h", ["apps/fraud/graph"]),
    (r"libxml/", ["apps/medical/ontology", "apps/medical/documents", "apps/fraud/payment"]),
    (r"archive\.h|archive_entry|yaml\.h", ["apps/medical/documents"]),
    (r"sodium\.h", ["apps/medical/privacy", "apps/dashboard/access"]),
    (r"pcre2\.h", ["apps/medical/deidentify"]),
    (r"openssl/", ["apps/fraud/retain", "apps/medical/ontology"]),
    (r"cuda|cublas|mma\.h", ["cuda"]),
    (r"microhttpd", ["apps/common/http"]),
    (r"ini\.h", ["apps/common/config"]),
    (r"jansson", ["core/file", "apps", "lab"]),
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
    "apps/dashboard": ["apps/dashboard", "apps/medical/privacy", "apps/common", "core/include"],
    "deploy": ["deploy", "apps/common", "core/include"],
    "lab": ["lab", "apps/common", "apps/fraud", "apps/medical", "core", "tests/support"],
    "tests": ["tests", "apps", "core", "cuda"],
}
# What a room's build files and scripts must not name. The pages of lab/results are data, which
# tests compare.
PRODUCTS = ("core/", "apps/", "cuda/", "deploy/")
BUILD_FILES = (".txt", ".cmake")
ALL_CODE = CODE + BUILD_FILES + (".py", "")
BORDERS = [
    (PRODUCTS, ALL_CODE, r"(?<![\w-])lab/", "a product names nothing of lab/"),
    (PRODUCTS, BUILD_FILES, r"(?<![\w-])tests/", "a product is built without tests/"),
    (("tests/",), BUILD_FILES, r"(?<![\w-])lab/(?!results)", "tests compile nothing of lab/"),
]
# Rooms whose Python modules a room must not import.
IMPORTS = [(PRODUCTS, ("tests/", "lab/")), (("tests/",), ("lab/",))]

# Which rooms inside a tree may include which others of the same tree; "." is what lies directly in
# it. A room is a folder, and may always use itself. The table holds no circle either.
ROOMS_INSIDE = {
    "core": {
        "include": [],
        "base": ["include"],
        "file": ["include"],
        "tensor": ["include"],
        "cpu": ["base", "include", "tensor"],
        "model": ["file", "include", "tensor"],
        "memory": ["base", "cpu", "include", "model"],
        "infer": ["base", "include", "memory", "model", "tensor"],
        "train": ["base", "cpu", "file", "include", "infer", "model"],
        "examples": ["include"],
    },
    "apps/fraud": {
        "payment": [],
        "typology": ["payment"],
        "generate": ["payment", "typology"],
        "graph": ["payment", "typology"],
        "features": ["graph"],
        "score": ["features", "graph", "payment", "typology"],
        "dataset": ["payment", "typology"],
        "walk": ["dataset", "generate", "score"],
        "train": ["dataset", "generate", "walk"],
        "eval": ["dataset", "decide", "train", "walk"],
        "replay": ["payment", "score", "serve"],
        "check": ["payment", "serve"],
        "decide": ["graph", "payment", "score", "typology"],
        "write": ["decide", "payment", "score"],
        "snapshot": ["payment"],
        "fleet": [],
        "serve": ["decide", "fleet", "payment", "score", "snapshot", "write"],
        "produce": ["payment", "serve"],
        "retain": [],
        ".": ["check", "eval", "generate", "replay", "retain", "serve", "train"],
    },
    "apps/dashboard": {
        "access": [],
        "api": [],
        "review": ["access", "api"],
        "similar": [],
        "tool": [],
        "serve": ["access", "api", "review", "similar", "tool"],
        ".": ["access", "api", "review", "serve", "similar", "tool"],
    },
    "apps/medical": {
        "ontology": [],
        "anchors": ["ontology"],
        "rank": ["anchors", "ontology"],
        "genes": ["ontology", "rank"],
        "notes": ["ontology", "rank"],
        "documents": ["notes", "ontology", "print", "rank"],
        "print": [],
        "report": ["anchors", "genes", "notes", "ontology", "print", "rank"],
        "eval": ["notes", "ontology", "print", "rank"],
        "train": ["eval", "ontology", "rank"],
        "probes": ["ontology", "rank", "train"],
        "privacy": [],
        "records": ["privacy"],
        "deidentify": ["documents", "notes", "ontology", "privacy"],
        "write": ["privacy", "report"],
        "serve": ["documents", "genes", "notes", "ontology", "print", "privacy", "rank", "report",
                  "write"],
        ".": ["deidentify", "documents", "eval", "genes", "notes", "ontology", "print", "privacy",
              "probes", "rank", "records", "report", "serve", "train", "write"],
    },
}
BANNED = {
    "strcpy": "snprintf or memcpy",
    "strcat": "snprintf",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "atoi": "strtol",
    "atol": "strtol",
    "atof": "strtod",
    "strtok": "strtok_r",
    "rand": "r1_rng",
    "srand": "r1_rng",
    "system": "posix_spawn",
    "popen": "posix_spawn",
    "alloca": "an arena",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
    "PQexec": "PQexecParams",
}
# Rooms in which a function's name is taken once, static or not. core/examples are programs apart.
ONE_NAME, NOT_ONE_NAME = ("core/", "apps/", "cuda/"), ("core/examples/",)
# A definition of formatted code: a type at column 0, a name, parameters, a body.
DEFINITION = re.compile(r"^[A-Za-z_][\w \t*]*?[ \t*](\w+)\(([^;{}]*)\)\s*\{", re.M)
BANNED_CALL = re.compile(rf"(?<![\w.>])({'|'.join(BANNED)})\s*\(")
PQEXEC_ALLOWED = "apps/common/store/store.c"  # scripts of our own: migrations
# A library returns errors.
NO_EXIT = ["core/", "apps/common/store/", "apps/common/stream/", "apps/common/http/"]
ROOMS_WITH_README = [
    "core",
    "core/examples",
    "cuda",
    "apps",
    "apps/common",
    "apps/r1",
    "apps/fraud",
    "apps/medical",
    "apps/dashboard",
    "ontology",
    "schemas",
    "models",
    "deploy",
    "tests",
    "lab",
    "docs",
]


def strip(text):
    """Comments and string literals blanked, line structure kept."""

    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))

    return re.sub(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S
    )


def room_of(path):
    return max((r for r in ARROWS if path == r or path.startswith(r + "/")), key=len, default=None)


def files_of(root):
    try:
        out = subprocess.run(
            ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")
        files = [f for f in out if f and os.path.isfile(os.path.join(root, f))]
    except (subprocess.CalledProcessError, FileNotFoundError):
        files = []
    if not files:
        files = [
            os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs
        ]
    return sorted(f for f in files if not f.startswith(("build/", "run/", ".git/")))


def check_includes(path, text, by_name, problems):
    room = room_of(path)
    for i, line in enumerate(text.split("\n"), 1):
        if not re.match(r"\s*#\s*(/\*.*?\*/\s*)?include\b", line):
            continue
        m = re.match(r'#include ([<"])([^>"]+)[>"]', line)
        if not m:
            problems.append(f"{path}:{i}: an include is a plain line, as #include <math.h>")
            continue
        name = m.group(2)
        ours = os.path.basename(name) in by_name
        if m.group(1) == "<" and ours:
            problems.append(f"{path}:{i}: a header of ours stands in quotes: {name}")
        for pattern, rooms in LIBRARY_ROOMS if not ours else []:
            if (
                re.search(rf"(^|/)(?:{pattern})", name)
                and not path.startswith("tests/")
                and not any(path.startswith(r + "/") for r in rooms)
            ):
                problems.append(f"{path}:{i}: <{name}> belongs in {' or '.join(rooms)} alone")
        for target in by_name.get(os.path.basename(name), []):
            allowed = ARROWS.get(room, [""])
            if not any(a == "" or target.startswith(a + "/") for a in allowed):
                problems.append(f"{path}:{i}: {room} must not include {target}")


def without_comments(path, text):
    """Line structure and strings kept."""
    if path.endswith(CODE):
        return re.sub(
            r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S
        )
    return re.sub(r"(^|\s)#[^\n]*", r"\1", text)


def check_borders(path, text, modules, problems):
    """What is built and what is imported; includes are check_includes' work."""
    kind = os.path.splitext(path)[1]
    borders = [
        (re.compile(pattern), what)
        for rooms, kinds, pattern, what in BORDERS
        if path.startswith(rooms) and kind in kinds
    ]
    for i, line in enumerate(without_comments(path, text).split("\n"), 1):
        for pattern, what in borders:
            if pattern.search(line):
                problems.append(f"{path}:{i}: {what}")
        for name in imported(line) if path.endswith(".py") else []:
            homes = modules.get(name, [])
            for rooms, forbidden in IMPORTS:
                if path.startswith(rooms) and homes and all(h.startswith(forbidden) for h in homes):
                    problems.append(f"{path}:{i}: must not import {homes[0]}")


def imported(line):
    """The modules that a line of Python imports: "from a import b", "import a, b as c"."""
    m = re.match(r"\s*(?:from\s+(\w+)|import\s+(.+))", line)
    if not m:
        return []
    return [m.group(1)] if m.group(1) else re.findall(r"(?:^|,)\s*(\w+)", m.group(2))


def tree_of(path):
    return next((t for t in ROOMS_INSIDE if path.startswith(t + "/")), None)


def room_inside(tree, path):
    rest = path[len(tree) + 1 :]
    return rest.split("/")[0] if "/" in rest else "."


def unit_of(path):
    """x.c, x.h and x_internal.h of one folder are one unit."""
    return re.sub(r"_internal$", "", os.path.splitext(path)[0])


def check_inside(path, text, by_name, uses, problems):
    """The rooms of one tree; notes in `uses` which unit includes which, and where."""
    for i, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        for target in by_name.get(os.path.basename(m.group(1)), []) if m else []:
            a, b = unit_of(path), unit_of(target)
            if a == b:
                continue
            if all(p.startswith(("core/", "apps/", "lab/")) for p in (path, target)):
                uses.setdefault(a, {}).setdefault(b, f"{path}:{i}")
            tree = tree_of(path)
            if not tree or tree_of(target) != tree:
                continue
            room, other = room_inside(tree, path), room_inside(tree, target)
            if room not in ROOMS_INSIDE[tree]:
                problems.append(f"{path}:{i}: the room {tree}/{room} is not in ROOMS_INSIDE")
            elif room != other and other not in ROOMS_INSIDE[tree][room]:
                problems.append(f"{path}:{i}: {tree}/{room} must not use {tree}/{other} ({target})")


def circles(uses):
    """One circle of each set of names that reach each other, as a list that ends where it began."""
    found, state = [], {}

    def visit(name, trail):
        state[name] = "open"
        for other in sorted(uses.get(name, ())):
            if state.get(other) == "open":
                found.append(trail[trail.index(other) :] + [other])
            elif other not in state:
                visit(other, trail + [other])
        state[name] = "done"

    for name in sorted(uses):
        if name not in state:
            visit(name, [name])
    return found


def check_circles(uses, problems):
    for c in circles(uses):
        problems.append(f"{uses[c[0]][c[1]]}: a circle of files: {' -> '.join(c)}")
    for tree, rooms in ROOMS_INSIDE.items():
        for c in circles(rooms):
            problems.append(
                f"tests/layering/check.py:1: a circle of rooms in {tree}: {' -> '.join(c)}"
            )


def check_functions(path, code, problems):
    for i, line in enumerate(code.split("\n"), 1):
        for name in BANNED_CALL.findall(line):
            if not (name == "PQexec" and path == PQEXEC_ALLOWED):
                problems.append(f"{path}:{i}: {name} is banned: use {BANNED[name]}")
        if any(path.startswith(p) for p in NO_EXIT) and re.search(
            r"(?<![\w.>])(?:_exit|_Exit|quick_exit|exit)\s*\(", line
        ):
            problems.append(f"{path}:{i}: a library never exits")


def definitions(code):
    """(line, name) of each function that is defined. A name of capitals is a macro, which makes the
    function's own name."""
    code = re.sub(r"__attribute__\(\((?:[^()]|\([^()]*\))*\)\)[ \t]*", "", code)
    for m in DEFINITION.finditer(code):
        if m.group(1) != "main" and not m.group(1).isupper():
            yield code.count("\n", 0, m.start()) + 1, m.group(1)


def check_names(path, code, defined, problems):
    """A function is defined once; `defined` has the place of each so far."""
    if not path.startswith(ONE_NAME) or path.startswith(NOT_ONE_NAME):
        return
    for i, name in definitions(code):
        if defined.setdefault(name, (path, i))[0] != path:
            problems.append(f"{path}:{i}: the function {name} is defined in {defined[name][0]} too")


def check(root):
    problems = []
    files = files_of(root)
    code_files = [f for f in files if f.endswith(CODE)]
    by_name, uses, defined = {}, {}, {}
    for f in code_files:
        by_name.setdefault(os.path.basename(f), []).append(f)
    modules = {}
    for f in files:
        if f.endswith(".py"):
            modules.setdefault(os.path.basename(f)[:-3], []).append(f)
    for f in files:
        if f.startswith(PRODUCTS + ("tests/",)) and os.path.splitext(f)[1] in ALL_CODE:
            with open(os.path.join(root, f), encoding="utf-8") as fh:
                check_borders(f, fh.read(), modules, problems)
    for name, paths in by_name.items():
        if len(paths) > 1 and name != "main.c":
            problems.append(
                f"{paths[1]}:1: the name {name} is taken by {paths[0]}; file names are unique"
            )
    for f in code_files:
        with open(os.path.join(root, f), encoding="utf-8") as fh:
            text = fh.read()
        licence = (
            "GPL-3.0-or-later" if f.startswith(("apps/fraud/", "tests/fraud/")) else "Apache-2.0"
        )
        first = text.split("\n", 1)[0]
        if "SPDX-License-Identifier:" not in first or (
            f.startswith(("core/", "cuda/", "apps/medical/", "apps/fraud/"))
            and licence not in first
        ):
            problems.append(f"{f}:1: the first line must be the SPDX line with {licence}")
        check_includes(f, text, by_name, problems)
        check_inside(f, text, by_name, uses, problems)
        check_functions(f, strip(text), problems)
        check_names(f, strip(text), defined, problems)
        for i, line in enumerate(text.split("\n"), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                problems.append(f"{f}:{i}: unfinished mark")
    check_circles(uses, problems)
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
    ("core/base/planted.c", '#include "libpq-fe.h"\n', "belongs in"),
    ("apps/fraud/serve/planted.c", "#include <microhttpd.h>\n", "belongs in"),
    ("core/base/planted.c", "#include <postgresql/libpq-fe.h>\n", "belongs in"),
    ("apps/fraud/graph/planted.c", "#include <score/engine.h>\n", "stands in quotes"),
    ("core/base/planted.c", "#define H <math.h>\n#include H\n", "a plain line"),
    ("core/base/planted.c", "#/**/include <math.h>\n", "a plain line"),
    ("core/base/planted.c", "void f(void) { quick_exit(1); }\n", "never exits"),
    ("deploy/planted.py", "import os, programs\n", "must not import"),
    ("core/base/planted.c", "int f(void) { return atoi(s); }\n", "banned"),
    ("core/base/planted.c", "void f(void) { exit(1); }\n", "never exits"),
    ("apps/r1/status.c", "int x;\n", "unique"),
    (
        "core/base/zz_planted.c",
        "static void planted_twice(int a,\n                          int b)\n{\n}\n",
        "the function planted_twice is defined",
    ),
    ("core/base/planted.c", '#include "bench/measure.h"\n', "must not include"),
    ("core/base/planted.c", "#include <oneapi/dnnl/dnnl.h>\n", "belongs in"),
    ("tests/core/planted.c", '#include "bench/measure.h"\n', "must not include"),
    (
        "tests/planted/CMakeLists.txt",
        "add_executable(x ${PROJECT_SOURCE_DIR}/lab/bench/rivals.c)\n",
        "tests compile nothing of lab/",
    ),
    ("tests/planted.py", "from stages import rows\n", "must not import"),
    ("deploy/planted.py", "import programs\n", "must not import"),
    ("deploy/planted.py", 'run("lab/bench/stream")\n', "a product names nothing of lab/"),
    ("deploy/planted", "lab/bench/stream --rate 2000\n", "a product names nothing of lab/"),
    (
        "apps/r1/planted.c",
        'const char *help = "see lab/bench";\n',
        "a product names nothing of lab/",
    ),
    (
        "apps/planted/CMakeLists.txt",
        "target_sources(r1 PRIVATE ../../tests/support/maze.c)\n",
        "built without tests/",
    ),
    ("core/base/planted.c", "/* TO" + "DO later */\n", "unfinished"),
    (
        "apps/fraud/graph/planted.c",
        '#include "score/engine.h"\n',
        "apps/fraud/graph must not use apps/fraud/score",
    ),
    (
        "apps/fraud/planted_room/planted.c",
        '#include "payment/payment.h"\n',
        "is not in ROOMS_INSIDE",
    ),
    ("apps/medical/ontology/planted.h", '#include "planted_medical.h"\n', "must not use"),
    ("apps/fraud/score/planted.h", '#include "score/planted_back.h"\n', "a circle of files"),
]


def write(root, path, text):
    os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
    with open(os.path.join(root, path), "w", encoding="utf-8") as fh:
        fh.write("/* SPDX-License-Identifier: Apache-2.0 GPL-3.0-or-later */\n" + text)


def self_test(root):
    missed = 0
    with tempfile.TemporaryDirectory() as tmp:
        for f in files_of(root):
            if f.endswith(CODE + (".py", "README.md")):
                os.makedirs(os.path.join(tmp, os.path.dirname(f)), exist_ok=True)
                shutil.copy(os.path.join(root, f), os.path.join(tmp, f))
        write(tmp, "apps/medical/planted_medical.h", "")
        write(tmp, "apps/medical/planted_once.c", "int *planted_twice(void) { return 0; }\n")
        write(tmp, "apps/fraud/score/planted_back.h", '#include "score/planted.h"\n')
        left = list(PLANTS)
        while left:  # a round plants one violation in each file
            planted = list({path: (path, text, why) for path, text, why in left}.values())
            for path, text, _ in planted:
                write(tmp, path, text)
            problems = check(tmp)
            for path, text, expected in planted:
                if not any(expected in p and os.path.basename(path) in p for p in problems):
                    print(f"planted in {path} but not found: {text.strip()}")
                    missed += 1
                os.remove(os.path.join(tmp, path))
                left.remove((path, text, expected))
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
