#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The end of a service is bounded: SIGTERM ends it in time whatever is gone or frozen, and whatever
the service is at; it says what it could not do, and the next start goes on exactly.

tests/e2e/test_ends.py [Ends|Commands]

Seen: 47 s with the broker gone, for ever with PostgreSQL frozen; PostgreSQL blamed for a broker.

Environment: R1_BIN (folder with the programs).
"""

import copy
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from exactly_once import message_defects  # noqa: E402
from services import ROOT, Services, run  # noqa: E402

LIMIT_S, TWICE_S = 20, 5  # a second signal does not wait for what is away
# What a service may say that it waited for. A rebuild waits for a table that is locked.
BLAMED = {"broker frozen": "the broker", "postgres frozen": "PostgreSQL"}
# The start has asked PostgreSQL all that comes before it asks the broker.
PAST_POSTGRES = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = 'start' AND state = 'idle' "
    "AND query LIKE '%schema_migration%' AND state_change < now() - interval '0.3 s'"
)
MOMENTS = ("start", "rebuild", "running", "snapshot", "twice")
FIRST, SECOND = 300, 1500  # messages before the fault, and while it comes


def postgres_pids(s):
    """The server and its processes."""
    with open(os.path.join(s.pg_dir, "data", "postmaster.pid"), encoding="utf-8") as f:
        first = int(f.readline())
    pids = [first]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == first:
                    pids.append(int(pid))
        except OSError:
            pass
    return pids


def signal_postgres(s, sig):
    for pid in postgres_pids(s):
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


def wait_for_signal(p):
    """Until the process has taken its SIGTERM: one that is sent before would be the same one."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and p.poll() is None:
        with open(f"/proc/{p.pid}/status", encoding="utf-8") as f:
            pending = [int(line.split()[1], 16) for line in f if line[:6] in ("SigPnd", "ShdPnd")]
        if not any(mask >> (signal.SIGTERM - 1) & 1 for mask in pending):
            return
        time.sleep(0.02)


FAULTS = {
    "broker gone": (lambda s: s.broker.kill(), None),
    "broker frozen": (
        lambda s: s.broker.send_signal(signal.SIGSTOP),
        lambda s: s.broker.send_signal(signal.SIGCONT),
    ),
    "postgres gone": (lambda s: s.pg("kill9"), lambda s: s.pg("start")),
    "postgres frozen": (
        lambda s: signal_postgres(s, signal.SIGSTOP),
        lambda s: signal_postgres(s, signal.SIGCONT),
    ),
    "both frozen": (
        lambda s: (s.broker.send_signal(signal.SIGSTOP), signal_postgres(s, signal.SIGSTOP)),
        lambda s: (s.broker.send_signal(signal.SIGCONT), signal_postgres(s, signal.SIGCONT)),
    ),
}


def four_hundred():
    """A folder of its own and in it a file of 400 messages."""
    folder = tempfile.mkdtemp(prefix="r1-ends-")
    os.chmod(folder, 0o755)
    path = os.path.join(folder, "rows.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        for i in range(400):
            f.write(f'{{"tx_id": "s{i}", "from": "A{i % 7}"}}\n')
    return folder, path


class Ends(unittest.TestCase):
    """Each fault has services of its own, and in them a database for each moment."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-ends-")
        os.chmod(cls.folder, 0o755)
        cls.path = os.path.join(cls.folder, "all.jsonl")
        program = os.path.join(os.environ["R1_BIN"], "r1-fraud")
        run(program, "generate", "--seed", 7, "--accounts", 300, "--days", 20, "--out", cls.path)

    def databases(self, s):
        """The services, once for each moment, with its own database."""
        s.fresh_schema()
        out = {}
        for moment in MOMENTS:
            s.sql(f"CREATE DATABASE {moment} TEMPLATE r1")
            out[moment] = copy.copy(s)
            out[moment].conninfo = s.conninfo.replace("dbname=r1", f"dbname={moment}")
        return out

    def args(self, s, moment):
        snapshots = os.path.join(s.folder, "snapshots")
        return ["--model", "none"] + (
            ["--snapshot-dir", snapshots, "--snapshot-every", 1] if moment == "snapshot" else []
        )

    def begin(self, at):
        """Everything up to the fault; the processes, and a session that holds the log's table."""
        running = {}
        locker = None
        for moment, s in at.items():
            if moment == "rebuild":
                once = s.serve(*self.args(s, moment), "--until-idle", 1, name="first")
                self.assertEqual(s.finish(once), 0)
                locker = subprocess.Popen(
                    ["psql", s.conninfo, "-qAtX", "-c", "BEGIN; LOCK TABLE r1.payment",
                     "-c", "SELECT pg_sleep(300)"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                held = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
                s.wait_for(held, 1)
                running[moment] = s.serve(*self.args(s, moment), wait_ready=False, name=moment)
                waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                self.assertEqual(s.wait_for(waits, 1), "1")
            elif moment != "start":
                running[moment] = s.serve(*self.args(s, moment), name=moment)
        return running, locker

    def wait_until_fed(self, s):
        """The fault comes while messages flow: a sender that has not met its broker sends none."""
        deadline = time.monotonic() + 60
        while int(s.value("SELECT count(*) FROM r1.payment")) <= FIRST:
            self.assertLess(time.monotonic(), deadline, "no payment behind the first ones")
            time.sleep(0.05)

    def end(self, running):
        """SIGTERM to all: exit code and seconds of each, from the signal that is to end it."""
        began, ended = {}, {}

        def wait(moment, p):
            try:
                code = p.wait(LIMIT_S + 10)
            except subprocess.TimeoutExpired:
                p.kill()
                code = "never"
            ended[moment] = (code, time.monotonic())

        for moment, p in running.items():
            began[moment] = time.monotonic()
            p.terminate()
        waiters = [threading.Thread(target=wait, args=i) for i in running.items()]
        for t in waiters:
            t.start()
        wait_for_signal(running["twice"])
        began["twice"] = time.monotonic()
        running["twice"].terminate()
        for t in waiters:
            t.join()
        return {moment: (code, at - began[moment]) for moment, (code, at) in ended.items()}

    def judge(self, fault, ends, at):
        found = []
        for moment, (code, seconds) in ends.items():
            with open(os.path.join(at[moment].folder, f"{moment}.log"), encoding="utf-8") as f:
                said = f.read()
            where = f"{fault}, {moment}: {code} after {seconds:.1f} s"
            print(where, file=sys.stderr)
            if seconds > (TWICE_S if moment == "twice" else LIMIT_S):
                found.append(where)
            blamed = re.findall(r'end_waits .*for="(.*?)"| s were not enough for (.*?)\.', said)
            right = "PostgreSQL" if moment == "rebuild" else BLAMED.get(fault)
            wrong = [a or b for a, b in blamed if right and (a or b) != right]
            if wrong or (moment == "start" and fault in BLAMED and not blamed):
                found.append(f"{where}: expected to wait for {right}, found {wrong or 'nothing'}")
            unwritten = "the next start reads it again" in said
            if code not in (0, 1, 143) or (code == 1) != unwritten:
                found.append(f"{where}: unwritten is said: {unwritten}")
        return found

    def goes_on(self, fault, at, sent):
        found = []
        begun = {
            moment: s.serve(
                *self.args(s, moment), "--until-idle", 2, wait_ready=False, name=f"{moment}.next"
            )
            for moment, s in at.items()
        }
        for moment, s in at.items():
            code = s.finish(begun[moment])
            for defect in message_defects(s, sent) + ([f"exit {code}"] if code else []):
                found.append(f"{fault}, {moment}, the next start: {defect}")
        return found

    def run_fault(self, fault, found):
        break_it, heal = FAULTS[fault]
        try:
            with Services(os.path.join(self.folder, fault.replace(" ", "-")), partitions=1) as s:
                at = self.databases(s)
                s.produce(self.path, "--limit", FIRST)
                running, locker = self.begin(at)
                feeder = s.produce_in_background(
                    self.path, "--skip", FIRST, "--limit", SECOND, "--rate", 1000
                )
                self.wait_until_fed(at["running"])
                break_it(s)
                running["start"] = at["start"].serve(
                    *self.args(s, "start"), wait_ready=False, name="start"
                )
                time.sleep(1.5)
                if fault == "broker frozen":
                    s.wait_for(PAST_POSTGRES, 1)
                ends = self.end(running)
                if heal:
                    heal(s)
                    s.collect(feeder)
                else:
                    feeder.kill()
                if heal:
                    s.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          "WHERE query LIKE 'SELECT pg_sleep%'")  # fmt: skip
                locker.kill()
                locker.wait()
                found += self.judge(fault, ends, at)
                if heal:
                    found += self.goes_on(fault, at, FIRST + SECOND)
        except Exception as e:  # a thread's own failure is the test's
            found.append(f"{fault}: {e!r}")

    maxDiff = None

    def test_every_fault_at_every_moment(self):
        found = []
        threads = [threading.Thread(target=self.run_fault, args=(f, found)) for f in FAULTS]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(found, [])


class Commands(unittest.TestCase):
    """A command that waits for a frozen PostgreSQL ends as well."""

    def test_retain_and_offsets(self):
        folder = tempfile.mkdtemp(prefix="r1-ends-")
        os.chmod(folder, 0o755)
        program = os.path.join(os.environ["R1_BIN"], "r1-fraud")
        with Services(os.path.join(folder, "s"), partitions=1) as s:
            s.fresh_schema()
            empty = os.path.join(folder, "empty")
            open(empty, "w", encoding="utf-8").close()
            s.produce(empty)  # the embedded broker makes the topic
            held = "BEGIN; LOCK TABLE r1.retention, r1.stream_offset, r1.payment"
            locker = subprocess.Popen(
                ["psql", s.conninfo, "-qAtX", "-c", held, "-c", "SELECT pg_sleep(300)"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            s.wait_for("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%'", 2)
            commands = [
                [program, "db", "retain", "--older-than", "400d", "--postgres", s.conninfo],
                [program, "offsets", "show", "--postgres", s.conninfo, "--brokers", s.brokers],
            ]
            running = [
                subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for c in commands
            ]
            waits = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
            self.assertEqual(s.wait_for(waits, len(running)), str(len(running)))
            signal_postgres(s, signal.SIGSTOP)
            began = time.time()
            for p in running:
                p.terminate()
            self.assertEqual([p.wait(20) for p in running], [1] * len(running))
            self.assertLess(time.time() - began, 10)
            signal_postgres(s, signal.SIGCONT)
            s.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                  "WHERE query LIKE 'SELECT pg_sleep%'")  # fmt: skip
            locker.wait()

    def test_stopped_sender(self):
        """A sender that is stopped says so and where it goes on; all is sent once then."""
        folder, path = four_hundred()
        with Services(os.path.join(folder, "s"), partitions=1) as s:
            program = os.path.join(os.environ["R1_BIN"], "r1-fraud")
            args = [program, "produce", "--in", path, "--brokers", s.brokers, "--json"]
            p = subprocess.Popen([*args, "--rate", "100"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)  # fmt: skip
            time.sleep(1.5)
            p.send_signal(signal.SIGINT)
            out, said = p.communicate(timeout=30)
            self.assertEqual(p.returncode, 4, said)
            sent = json.loads(out)["sent"]
            self.assertLess(sent, 400)
            self.assertIn(f"behind message {sent} of the file", said)
            self.assertIn(f"--skip {sent} goes on", said)
            p = subprocess.run([*args, "--skip", str(sent)], capture_output=True, text=True,
                               check=True)  # fmt: skip
            self.assertEqual(json.loads(p.stdout)["sent"], 400 - sent)

    def test_produce_says_where_a_broker_ended(self):
        """The same where the broker goes away for good."""
        folder, path = four_hundred()
        with Services(os.path.join(folder, "s"), partitions=1) as s:
            program = os.path.join(os.environ["R1_BIN"], "r1-fraud")
            p = subprocess.Popen([program, "produce", "--in", path, "--brokers", s.brokers,
                                  "--json", "--rate", "200", "--kafka-extra",
                                  "message.timeout.ms=1000"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True)  # fmt: skip
            time.sleep(1.5)
            s.stop_broker()
            out, said = p.communicate(timeout=30)
            self.assertEqual(p.returncode, 4, said)
            told = json.loads(out)
            self.assertGreater(told["delivered"], 0)
            self.assertEqual(told["delivered"] + told["failed"], 400)
            self.assertIn(f"message {told['delivered'] + 1} of the file did not arrive", said)
            self.assertIn(f"--skip {told['delivered']} goes on", said)


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    unittest.main(verbosity=2)
