#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`db migrate` and `db status` are the same in every program, by every name of the connection.

tests/common/check_db.py PROGRAM...      environment: R1_TEST_PG, a database of the tests
"""

import os
import subprocess
import sys
import tempfile
import time

PG = os.environ["R1_TEST_PG"]
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
COUNT = sum(f.endswith(".sql") for f in os.listdir(os.path.join(ROOT, "schemas/sql")))


def run(program, *args, env=None):
    p = subprocess.run(
        [program, *args],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, **(env or {})),
    )
    return p.returncode, p.stdout, p.stderr.replace(os.path.basename(program), "PROGRAM")


def drop():
    subprocess.run(
        ["psql", PG, "-qc", "SET client_min_messages = warning; DROP SCHEMA IF EXISTS r1 CASCADE"],
        check=True,
    )


def walk(program):
    """What a program says on the way from no schema to a whole one."""
    drop()
    ini = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"check_db_{os.getpid()}.ini")
    with open(ini, "w", encoding="utf-8") as f:
        f.write(f"[postgres]\npostgres = {PG}\n")
    by = {"option": ["--postgres", PG], "older": ["--db", PG], "file": ["--config", ini]}
    said = {
        "no schema": run(program, "db", "status", *by["option"]),
        "migrate": run(program, "db", "migrate", *by["option"]),
        "again": run(program, "db", "migrate", *by["file"]),
        "status": run(program, "db", "status", *by["option"]),
        "environment": run(program, "db", "status", env={"R1_POSTGRES": PG}),
        "both": run(program, "db", "status", *by["option"], *by["older"]),
        "no verb": run(program, "db", *by["option"]),
        "other verb": run(program, "db", "drop", *by["option"]),
        "other folder": run(
            program, "db", "status", *by["option"], "--migrations", "/does/not/exist"
        ),
        "nobody": run(program, "db", "status", "--postgres", "host=/does/not/exist"),
        "older": run(program, "db", "status", *by["older"], "--log-level", "error"),
    }
    os.unlink(ini)
    code, out, err = run(program, "db", "status", *by["older"])  # its line begins with the time
    assert (code, out) == (0, "schema: up to date\n") and "found=--db expected=--postgres" in err, (
        code,
        out,
        err,
    )
    return said


def check(said):
    code, _, err = said["no schema"]
    assert code == 3 and "run `db migrate`" in err, said["no schema"]
    assert said["migrate"] == (0, f"{COUNT} migrations applied\n", ""), said["migrate"]
    assert said["again"] == (0, "0 migrations applied\n", ""), said["again"]
    for name in "status", "environment", "older":
        assert said[name] == (0, "schema: up to date\n", ""), (name, said[name])
    for name, code, text in (
        ("both", 2, "found both"),
        ("no verb", 2, 'found ""'),
        ("other verb", 2, 'found "drop"'),
        ("other folder", 1, "no folder of migrations"),
        ("nobody", 1, "connecting to PostgreSQL"),
    ):
        assert said[name][0] == code and text in said[name][2], (name, said[name])


def check_report(program):
    """The report's rows are written by either name of the connection."""
    sample = os.path.join(ROOT, "apps/medical/samples/record.txt")
    with tempfile.TemporaryDirectory(prefix="r1-db-") as folder:
        args = ["report", sample, "--format", "text", "--out", folder]
        first, again = run(program, *args, "--postgres", PG), run(program, *args, "--db", PG)
    assert first[0] == 0 and first[1].endswith("\nrows written\n"), first
    assert again[0] == 0 and again[1].endswith("\nrows were there already\n"), again
    assert "found=--db expected=--postgres" in again[2], again


def check_one_file(program):
    """A settings file of the program's other commands serves those of the database too."""
    if os.path.basename(program) == "r1-fraud":
        text = run(program, "config", "sample")[1].replace("#postgres =", f"postgres = {PG}")
        commands = [["db", "status"], ["dlq", "list"]]
    else:
        text = f"[medical]\nformat = json\nkb = kb.r1kb\n[postgres]\npostgres = {PG}\n"
        commands = [["db", "status"]]
    with tempfile.TemporaryDirectory(prefix="r1-db-") as folder:
        ini = os.path.join(folder, "one.ini")
        for extra in "", "[postgres]\nnonsense = 1\n":
            with open(ini, "w", encoding="utf-8") as f:
                f.write(text + extra)
            for command in commands:
                code, _, err = run(program, *command, "--config", ini)
                assert code == (2 if extra else 0), (command, err)
                assert not extra or 'unknown key "nonsense"' in err, (command, err)


def check_serve(program):
    """The service does not wait for a schema that nobody makes."""
    start = time.monotonic()
    code, _, err = run(program, "serve", "--postgres", PG, "--model", "none", "--wait", "60")
    assert code == 1 and time.monotonic() - start < 20, (code, err)
    assert err == "PROGRAM serve: the database has no schema: run PROGRAM db migrate\n", err


def main():
    walks = [walk(program) for program in sys.argv[1:]]
    for said in walks:
        check(said)
        for name, answer in said.items():
            assert answer == walks[0][name], f"{name}: {answer} and {walks[0][name]}"
    for program in sys.argv[1:]:
        check_one_file(program)
        if os.path.basename(program) == "r1-medical":
            check_report(program)
    drop()
    for program in sys.argv[1:]:
        if os.path.basename(program) == "r1-fraud":
            check_serve(program)
    print(f"{len(walks[0]) + 1} calls answered alike by {len(walks)} programs")


main()
