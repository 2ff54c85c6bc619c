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


# Which database it was: a wrong one of several was migrated without a word.
WORD = dict(word.split("=", 1) for word in PG.split())
WHERE = f"database {WORD['dbname']} at {WORD['host']} port {WORD['port']}\n"
# The roles are named where they are new to the cluster, so not for the second program.
MADE = (
    f"{WHERE}to be made: tables, views and functions in the schema r1\n"
    f"{COUNT} migrations applied\n"
)


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
    done = f"{WHERE}schema: up to date\n"
    assert (code, out) == (0, done) and "found=--db expected=--postgres" in err, (
        code,
        out,
        err,
    )
    return said


def check(said):
    code, _, err = said["no schema"]
    assert code == 3 and "run `db migrate`" in err, said["no schema"]
    code, out, err = said["migrate"]
    assert (code, out, err) == (0, MADE, ""), said["migrate"]
    assert said["again"] == (0, f"{WHERE}0 migrations applied\n", ""), said["again"]
    for name in "status", "environment", "older":
        assert said[name] == (0, f"{WHERE}schema: up to date\n", ""), (name, said[name])
    for name, code, text in (
        ("both", 2, "found both"),
        ("no verb", 2, 'found ""'),
        ("other verb", 2, 'found "drop"'),
        ("other folder", 1, "no folder of migrations"),
        ("nobody", 1, "connecting to PostgreSQL"),
    ):
        assert said[name][0] == code and text in said[name][2], (name, said[name])


def check_report(program):
    """The report's rows are written by either name of the connection, and with keys alone."""
    sample = os.path.join(ROOT, "apps/medical/samples/record.txt")
    with tempfile.TemporaryDirectory(prefix="r1-db-") as folder:
        keys = os.path.join(folder, "keys")
        args = ["report", sample, "--format", "text", "--out", folder]
        refused = run(program, *args, "--postgres", PG)
        assert refused[0] == 2 and "records key --keys FILE" in refused[2], refused
        assert run(program, "records", "key", "--keys", keys)[0] == 0
        args += ["--keys", keys]
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


def check_roles(program):
    """The roles are the whole cluster's: their making is said, and once they are there, no more."""
    drop()
    roles = "r1_fraud_writer, r1_medical_writer, r1_reader"
    subprocess.run(
        ["psql", PG, "-qc", f"DROP OWNED BY {roles}", "-c", f"DROP ROLE {roles}"], check=True
    )
    said = run(program, "db", "migrate", "--postgres", PG)
    assert said[0] == 0 and f"none of which may log in: {roles}\n" in said[1], said


def check_rights(program):
    """A user who may not make what a migration makes is told which right is missing."""
    drop()
    psql = ["psql", PG, "-qX", "-c"]
    subprocess.run([*psql, "CREATE ROLE r1_little LOGIN"], check=True)
    little = PG.replace("user=r1_admin", "user=r1_little")
    said = run(program, "db", "migrate", "--postgres", little)
    subprocess.run([*psql, "DROP ROLE r1_little"], check=True)
    assert said[0] == 2 and "GRANT CREATE ON DATABASE" in said[2], said


def check_neighbour(program):
    """Seen: the first migration took USAGE on the schema public from everybody, and a neighbour of
    the same database could not read its own tables any more."""
    drop()
    name = "r1_neighbour"
    sql = [
        f"DROP SCHEMA IF EXISTS {name} CASCADE",
        f"CREATE ROLE {name} LOGIN",
        f"CREATE TABLE public.{name} (x integer)",
        f"GRANT SELECT ON public.{name} TO {name}",
    ]
    admin = ["psql", PG, "-qX", "-v", "ON_ERROR_STOP=1"]
    acl = [*admin, "-Atc", "SELECT nspacl FROM pg_namespace WHERE nspname = 'public'"]
    for before in "GRANT USAGE", "REVOKE ALL":
        word = "TO" if before.startswith("GRANT") else "FROM"
        drop()
        subprocess.run([*admin, "-c", f"{before} ON SCHEMA public {word} PUBLIC"], check=True)
        for line in sql if word == "TO" else []:
            subprocess.run([*admin, "-c", line], check=True)
        first = subprocess.run(acl, check=True, capture_output=True, text=True).stdout
        assert run(program, "db", "migrate", "--postgres", PG)[0] == 0
        after = subprocess.run(acl, check=True, capture_output=True, text=True).stdout
        assert after == first, (first, after)
        peer = PG.replace("user=r1_admin", f"user={name}")
        p = subprocess.run(
            ["psql", peer, "-qXAtc", f"SELECT count(*) FROM public.{name}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (p.stdout == "0\n") == (word == "TO"), (before, p)
    for line in (
        f"DROP TABLE public.{name}",
        f"DROP ROLE {name}",
        "GRANT USAGE ON SCHEMA public TO PUBLIC",
    ):
        subprocess.run([*admin, "-c", line], check=True)


def check_serve(program):
    """The service does not wait for a schema that nobody makes."""
    start = time.monotonic()
    port = ("--http-listen", "127.0.0.1:0")  # that of another service may be taken
    args = ("serve", "--postgres", PG, "--model", "none", "--wait", "60", *port)
    code, _, err = run(program, *args)
    assert code == 1 and time.monotonic() - start < 20, (code, err)
    last = err.splitlines()[-1]
    assert last == "PROGRAM serve: the database has no schema: run PROGRAM db migrate", err


def main():
    walks = [walk(program) for program in sys.argv[1:]]
    for said in walks:
        check(said)
        for name, answer in said.items():
            if name not in ("no verb", "other verb"):  # each names its own verbs
                assert answer == walks[0][name], f"{name}: {answer} and {walks[0][name]}"
    for program in sys.argv[1:]:
        check_one_file(program)
        if os.path.basename(program) == "r1-medical":
            check_report(program)
    for program in sys.argv[1:]:
        if os.path.basename(program) == "r1-fraud":
            check_roles(program)
            check_rights(program)
            check_neighbour(program)
            drop()
            check_serve(program)
    print(f"{len(walks[0]) + 1} calls answered alike by {len(walks)} programs")


main()
