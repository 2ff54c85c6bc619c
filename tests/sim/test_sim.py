#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fraud service under a deterministic scheduler (sim.h): seeds on a PostgreSQL of their own.

tests/sim/test_sim.py seeds [FROM COUNT]  no seed finds a fault; 0 and 200 where none are named
tests/sim/test_sim.py fleet [FROM COUNT]  the same where two or three services share the stream
tests/sim/test_sim.py controls            each planted fault is found within 50 seeds
tests/sim/test_sim.py same                a seed run twice gives the same trace
tests/sim/test_sim.py one OPTIONS         fraud_sim with these options, as --seed 7 --trace

Environment: R1_BIN (folder with the programs), R1_SIM_SEEDS (in the place of 200),
R1_SIM_JOBS (processes, in the place of 2).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from services import ROOT, Services, bin_dir, run  # noqa: E402

JOBS = int(os.environ.get("R1_SIM_JOBS") or 2)
CONTROL_SEEDS = 50

# As r1.make_partitions makes them, for the week of the simulated clock (SIM_WALL_US).
WEEK = """
DO $$ DECLARE t text; name text; BEGIN
    FOREACH t IN ARRAY ARRAY['payment', 'decision', 'finding', 'label'] LOOP
        name := t || '_20500103';
        EXECUTE format('CREATE TABLE r1.%I (LIKE r1.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS '
                       'INCLUDING STORAGE)', name, t);
        EXECUTE format('ALTER TABLE r1.%I ADD PRIMARY KEY (%s)', name,
                       CASE t WHEN 'finding' THEN 'apply_seq, ordinal' ELSE 'apply_seq' END);
        EXECUTE format('ALTER TABLE r1.%I ATTACH PARTITION r1.%I FOR VALUES FROM '
                       '(''2050-01-03 00:00:00+00'') TO (''2050-01-10 00:00:00+00'')', t, name);
    END LOOP;
END $$"""

# The sequencer's lease goes by PostgreSQL's clock; here by the simulated one (sim_database.c).
CLOCK = """
DO $$ DECLARE f record; BEGIN FOR f IN SELECT oid FROM pg_proc
    WHERE pronamespace = 'r1'::regnamespace AND prosrc LIKE '%clock_timestamp()%' LOOP
    EXECUTE replace(pg_get_functiondef(f.oid), 'clock_timestamp()',
                    'current_setting(''r1.sim_now'')::timestamptz'); END LOOP; END $$"""

# No epoch is checked, nobody owns the log, and none of its numbers is taken: each fences an owner.
NO_FENCE = """
CREATE OR REPLACE FUNCTION r1.advance_offset(p_cluster text, p_app text, p_topic text,
    p_partition integer, p_old bigint, p_new bigint, p_epoch bigint, p_identity bigint)
    RETURNS void LANGUAGE sql AS $$ UPDATE r1.stream_offset SET next_offset = p_new
    WHERE cluster_id = p_cluster AND app = p_app AND topic = p_topic
    AND partition = p_partition $$;
CREATE OR REPLACE FUNCTION r1.hold_log(p_app text, p_epoch bigint) RETURNS void LANGUAGE sql
    AS $$ SELECT $$;
CREATE OR REPLACE FUNCTION r1.move_log(p_app text, p_epoch bigint, p_from bigint, p_to bigint)
    RETURNS void LANGUAGE sql AS $$ SELECT $$;
DO $$ DECLARE k record; BEGIN FOR k IN SELECT conrelid::regclass AS t, conname FROM pg_constraint
    WHERE contype = 'p' AND conrelid IN (SELECT inhrelid FROM pg_inherits) LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', k.t, k.conname); END LOOP; END $$"""

# Nobody looks whether log and offsets still end where they were committed, only whose they are.
NO_END = """
CREATE OR REPLACE FUNCTION r1.move_log(p_app text, p_epoch bigint, p_from bigint, p_to bigint)
    RETURNS void LANGUAGE sql AS $$ SELECT r1.hold_log(p_app, p_epoch) $$;
CREATE OR REPLACE FUNCTION r1.advance_offset(p_cluster text, p_app text, p_topic text,
    p_partition integer, p_old bigint, p_new bigint, p_epoch bigint, p_identity bigint)
    RETURNS void LANGUAGE sql AS $$ UPDATE r1.stream_offset SET next_offset = p_new
    WHERE cluster_id = p_cluster AND app = p_app AND topic = p_topic
    AND partition = p_partition AND epoch = p_epoch $$;
CREATE OR REPLACE FUNCTION r1.note_loss(p_app text, p_epoch bigint, p_owner text, p_to bigint)
    RETURNS bigint LANGUAGE sql AS $$ SELECT NULL::bigint $$"""
PLANTS = {"fence": NO_FENCE, "loss": NO_END}  # of a database; the others are of the service


class Databases:
    """One PostgreSQL, and a database for each job."""

    def __init__(self, plant="none"):
        self.folder = tempfile.mkdtemp(prefix="r1-sim-")
        os.chmod(self.folder, 0o755)
        self.services = s = Services(self.folder)
        s.start_postgres()
        for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            s.sql(f"ALTER SYSTEM SET {name} = off")
        s.sql("SELECT pg_reload_conf()")
        s.fresh_schema()
        s.sql(WEEK)
        s.sql(CLOCK)
        self.make("plain")
        for kind, sql in PLANTS.items():
            self.make(kind, sql)

    def make(self, kind, sql=None):
        """A lock that a transaction holds while it stands still is not waited for for ever."""
        for job in range(JOBS):
            name = f"sim_{kind}_{job}"
            self.services.sql(f"CREATE DATABASE {name} TEMPLATE r1")
            self.services.sql(f"ALTER DATABASE {name} SET lock_timeout = '1s'")
            if sql:
                run("psql", self.conninfo(kind, job), "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql)

    def conninfo(self, kind, job):
        return self.services.conninfo.replace("dbname=r1", f"dbname=sim_{kind}_{job}")

    def close(self):
        self.services.pg("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self, job, *args, kind="plain"):
        return subprocess.Popen(
            [
                os.path.join(bin_dir(), "..", "tests", "fraud_sim"),
                "--postgres",
                self.conninfo(kind, job),
                "--folder",
                os.path.join(self.folder, f"snapshots{job}"),
                "--migrations",
                os.path.join(ROOT, "schemas/sql"),
                "--model",
                os.path.join(ROOT, "models/fraud-s-int8.gguf"),
                *[str(a) for a in args],
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def run(self, *args, kind="plain", jobs=JOBS):
        """The exit codes of all jobs, and what they printed."""
        running = [self.start(job, *(a(job) if callable(a) else a for a in args), kind=kind)
                   for job in range(jobs)]
        said = [p.communicate()[0] for p in running]
        return [p.returncode for p in running], "".join(said)


def seeds(first, count, *more):
    """Nothing is found; and most seeds could be compared with the run without faults."""
    half = (count + JOBS - 1) // JOBS
    with Databases() as d:
        codes, said = d.run(
            "--from", lambda job: first + job * half,
            "--count", lambda job: min(half, count - job * half), *more)
    print(said, end="")
    compared = sum(int(n) for n in re.findall(r"(\d+) compared with", said))
    if any(codes) or compared < count // 3:
        print(f"test_sim: codes {codes}, {compared} of {count} seeds compared")
        return 1
    return 0


def controls():
    """Each fault that is planted is found; else the checks prove nothing."""
    missed = []
    with Databases() as d:
        for plant in ("fence", "merge", "snapshot", "loss"):
            kind = plant if plant in PLANTS else "plain"
            codes, said = d.run("--plant", plant, "--until-found", "--from",
                                lambda job: job * CONTROL_SEEDS // JOBS, "--count",
                                CONTROL_SEEDS // JOBS, kind=kind)
            print(f"planted: {plant}\n{said}", end="")
            if 3 not in codes:
                missed.append(plant)
    if missed:
        print(f"test_sim: not found within {CONTROL_SEEDS} seeds: {' '.join(missed)}")
    return 1 if missed else 0


def same():
    """The same seed, twice in one process and once in another, gives the same trace."""
    with Databases() as d:
        codes, said = d.run("--from", lambda job: 3 + 40 * job, "--count", 3, "--step", 11,
                            "--twice")
        one = [d.run("--seed", 17, jobs=1)[1].split("trace ")[1][:16] for _ in range(2)]
    print(said, end="")
    if one[0] != one[1]:
        print(f"test_sim: seed 17 gave the trace {one[0]} and then {one[1]}")
    return 0 if not any(codes) and one[0] == one[1] else 1


def main(args):
    if args[:1] == ["controls"]:
        return controls()
    if args[:1] == ["same"]:
        return same()
    if args[:1] == ["one"]:
        with Databases() as d:
            kind = ([a for a in args if a in PLANTS] + ["plain"])[0]
            codes, said = d.run(*args[1:], kind=kind, jobs=1)
        print(said, end="")
        return codes[0]
    if args[:1] in (["seeds"], ["fleet"]) and len(args) in (1, 3):
        all_seeds = int(os.environ.get("R1_SIM_SEEDS") or 200)
        default = (0, all_seeds if args[0] == "seeds" else all_seeds // 10)
        first, count = (int(a) for a in args[1:] or default)
        return seeds(first, count, *(["--fleet"] if args[0] == "fleet" else []))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
