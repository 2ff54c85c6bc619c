#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whose the log of a database is, and what stands beside it: a second service of other topics is
refused before it changes anything, commits that a fail-over has lost are noticed, and the guard of
event time goes on after a restart.

tests/e2e/test_owner.py [Owner|Loss|Guard]

Environment: R1_BIN (folder with the programs).
"""

import http.client
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from services import ROOT, Services, run  # noqa: E402

DAY_MS = 86400000
# What migrations 10 and 13 make: without it a database is as it was before.
MADE_BY_10 = (
    "DROP TABLE r1.log_owner, r1.log_audit, r1.time_guard, r1.log_loss;"
    "DROP FUNCTION r1.take_log, r1.hold_log, r1.reset_log, r1.move_log, r1.note_loss;"
    "DELETE FROM r1.schema_migration WHERE version IN (10, 13)"
)
# A standby that stays as the database is now, and its promotion: what was committed since is gone.
STANDBY = """
DO $$ DECLARE t text; BEGIN CREATE SCHEMA standby; FOR t IN SELECT relname FROM pg_class
    WHERE relnamespace = 'r1'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition LOOP
    EXECUTE format('CREATE TABLE standby.%I AS TABLE r1.%I', t, t); END LOOP; END $$"""
PROMOTE = """
SET session_replication_role = replica;
DO $$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class
    WHERE relnamespace = 'standby'::regnamespace AND relkind = 'r' LOOP
    EXECUTE format('DELETE FROM r1.%I', t);
    EXECUTE format('INSERT INTO r1.%I OVERRIDING SYSTEM VALUE TABLE standby.%I', t, t);
    END LOOP; END $$"""


def read_log(p):
    with open(p.log_path, encoding="utf-8") as f:
        return f.read()


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-owner-")
        os.chmod(cls.folder, 0o755)
        path = os.path.join(cls.folder, "all.jsonl")
        program = os.path.join(os.environ["R1_BIN"], "r1-fraud")
        run(program, "generate", "--seed", 12, "--accounts", 100, "--days", 20, "--out", path)
        with open(path, encoding="utf-8") as f:
            cls.payments = [json.loads(line) for line in f][:600]

    def services(self, name):
        return Services(os.path.join(self.folder, name), partitions=1)

    def send(self, s, rows, topic="payments"):
        path = os.path.join(s.folder, topic + ".jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row) + "\n" for row in rows)
        create = () if topic == "payments" else ("--create", 1)
        s.produce(path, "--topic", topic, *create)

    def run_once(self, s, *args, name="serve"):
        """Until the topic is read; returns the exit code."""
        p = s.serve("--model", "none", "--until-idle", 1, *args, wait_ready=False, name=name)
        return s.finish(p), read_log(p)

    def payments_in(self, s, topic):
        return int(s.value(f"SELECT count(*) FROM r1.payment WHERE topic = '{topic}'"))

    def log_owner(self, s):
        return s.sql("SELECT payments, labels FROM r1.log_owner")


class Owner(Base):
    """One log, one service."""

    def assert_refused(self, code, said, *words):
        self.assertEqual(code, 1, said)
        for word in ("Give each service a database of its own", "r1-fraud offsets reset", *words):
            self.assertIn(word, said)

    def test_two_services_of_one_database(self):
        """Seen: each numbered the log, and the later one had a state of both topics."""
        with self.services("two") as s:
            s.fresh_schema()
            first = s.serve("--model", "none", name="first")
            self.send(s, self.payments[:200])
            s.wait_for("SELECT count(*) FROM r1.payment", 200)
            self.send(s, self.payments[200:300], topic="others")
            epochs = s.sql("SELECT topic, epoch FROM r1.stream_offset ORDER BY topic")
            code, said = self.run_once(s, "--topic", "others", name="second")
            self.assert_refused(code, said, "expected payments others", "payments, none")
            self.assertEqual(
                s.sql("SELECT topic, epoch FROM r1.stream_offset ORDER BY topic"), epochs
            )
            self.send(s, self.payments[300:400])  # the first one goes on
            self.assertEqual(s.wait_for("SELECT count(*) FROM r1.payment", 300), "300")
            first.terminate()
            self.assertEqual(s.finish(first), 0)

    def test_a_reset_gives_the_log(self):
        """Audited, and the owner that still runs is fenced."""
        with self.services("given") as s:
            s.fresh_schema()
            first = s.serve("--model", "none", name="first")
            self.send(s, self.payments[:200])
            s.wait_for("SELECT count(*) FROM r1.payment", 200)
            self.send(s, self.payments[200:300], topic="others")
            reset = ["offsets", "reset", "--topic", "others", "--to", "beginning", "--why", "moved"]
            p = s.fraud(*reset, check=False)
            self.assertEqual(p.returncode, 2)
            self.assertIn("--holds payments or --holds labels", p.stderr)
            s.fraud(*reset, "--holds", "payments")
            self.assertEqual(self.run_once(s, "--topic", "others", name="second")[0], 0)
            self.assertEqual(self.payments_in(s, "others"), 100)
            self.send(s, self.payments[300:310])
            self.assertEqual(s.finish(first), 1)
            self.assertRegex(read_log(first), "R1F01|has taken it")  # whichever sees it first
            self.assertEqual(self.payments_in(s, "payments"), 200)
            self.assertEqual(
                s.sql("SELECT from_payments, to_payments, why FROM r1.log_audit"),
                [["payments", "others", "moved"]],
            )
            code, said = self.run_once(s, name="third")
            self.assert_refused(code, said, "expected payments payments")
            self.assertIn("the log is of payments others", s.fraud("offsets", "show").stdout)

    def test_a_log_from_before_is_adopted(self):
        """By the rows that it has; one without rows belongs to the first service."""
        with self.services("before") as s:
            for rows in (0, 100):
                s.fresh_schema()
                self.send(s, self.payments[:100])
                if rows:
                    self.assertEqual(self.run_once(s)[0], 0)
                s.sql(MADE_BY_10)
                s.fraud("db", "migrate")
                self.assertEqual(self.log_owner(s), [["payments", ""]] if rows else [])
                self.assertEqual(self.run_once(s)[0], 0)
                self.assertEqual(self.log_owner(s), [["payments", ""]])
                self.assertEqual(self.payments_in(s, "payments"), 100)
                code, said = self.run_once(s, "--topic", "others", "--wait", 1)
                self.assertEqual(code, 1)
            self.send(s, self.payments[:1], topic="others")
            self.assert_refused(*self.run_once(s, "--topic", "others"))

    def test_labels_are_added_later(self):
        """The first labels topic is taken along, another one is refused."""
        with self.services("labels") as s:
            s.fresh_schema()
            self.send(s, self.payments[:100])
            label = {"tx_id": self.payments[5]["tx_id"], "is_fraud": True,
                     "ts": self.payments[50]["ts"]}  # fmt: skip
            for topic in ("labels", "labels2"):
                self.send(s, [label], topic=topic)
            self.assertEqual(self.run_once(s)[0], 0)
            self.assertEqual(self.run_once(s, "--labels-topic", "labels")[0], 0)
            self.assertEqual(self.log_owner(s), [["payments", "labels"]])
            self.assert_refused(*self.run_once(s, "--labels-topic", "labels2"))
            self.assertEqual(self.run_once(s)[0], 0)

    def test_an_idle_owner_ends(self):
        """Seen: after another service had taken the log it stood there, alive and not ready, until
        its next message came."""
        with self.services("idle-owner") as s:
            s.fresh_schema()
            self.send(s, self.payments[:10])
            first = s.serve("--model", "none", name="first")
            s.wait_for("SELECT count(*) FROM r1.payment", 10)
            self.assertEqual(self.run_once(s, name="second")[0], 0)
            self.assertEqual(s.finish(first, 15), 1)
            self.assertIn("has taken it", read_log(first))


class Loss(Base):
    """A fail-over to a standby that was behind."""

    def commit(self, s):
        """200 payments are committed; a standby has the first 100."""
        self.send(s, self.payments[:100])
        s.wait_for("SELECT count(*) FROM r1.payment", 100)
        s.sql(STANDBY)
        self.send(s, self.payments[100:200])
        s.wait_for("SELECT count(*) FROM r1.payment", 200)

    def test_a_running_service_notices(self):
        """Whatever its next transaction is of: here a payment that came by the port, whose offsets
        were not set back. Seen: it went on, and what was lost was decided at the next start."""
        with self.services("notices") as s:
            s.fresh_schema()
            p = s.serve("--model", "none", name="first")
            self.commit(s)
            s.sql(PROMOTE)
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "100")
            body = json.dumps(self.payments[300])
            c = http.client.HTTPConnection("127.0.0.1", p.http, timeout=20)
            c.request("POST", "/v1/decide", body, {"Content-Type": "application/json"})
            self.assertEqual(c.getresponse().status, 503)
            c.close()
            self.assertEqual(s.finish(p), 1)
            said = read_log(p)
            self.assertIn("R1F02", said)
            self.assertIn("PostgreSQL has lost commits", said)
            self.assertIn("commits_lost from_seq=101 to_seq=200", said)
            code, said = self.run_once(s, name="second")
            self.assertEqual(code, 0, said)
            self.assertEqual(
                s.sql("SELECT min(apply_seq), max(apply_seq), count(*) FROM r1.payment "
                      "WHERE apply_seq > 100"), [["201", "300", "100"]]
            )  # fmt: skip
            self.assertEqual(s.sql("SELECT from_seq, to_seq FROM r1.log_loss"), [["101", "200"]])

    def test_an_idle_service_notices(self):
        """Seen by the simulator: without a next transaction nothing was noticed."""
        with self.services("idle") as s:
            s.fresh_schema()
            p = s.serve("--model", "none", name="first")
            self.commit(s)
            s.sql(PROMOTE)
            self.assertEqual(s.finish(p, 15), 1)
            self.assertIn("commits_lost from_seq=101 to_seq=200", read_log(p))

    def test_a_snapshot_tells_of_it(self):
        """No service ran meanwhile, and a snapshot is ahead of the log: here of all that there was.
        Seen by the simulator: the start after the next one took it for one whose rows retention
        had dropped, because the log went on right behind it."""
        with self.services("snapshot") as s:
            s.fresh_schema()
            s.sql(STANDBY)
            snapshots = ["--snapshot-dir", os.path.join(s.folder, "snapshots")]
            self.send(s, self.payments[:100])
            code, said = self.run_once(s, *snapshots, name="first")
            self.assertEqual(code, 0, said)
            s.sql(PROMOTE)
            p = s.serve("--model", "none", *snapshots, "--snapshot-every", 3600, name="second")
            s.wait_for("SELECT count(*) FROM r1.payment", 100)
            s.kill(p)
            self.assertIn("commits_lost from_seq=1 to_seq=100", read_log(p))
            self.assertEqual(
                s.sql("SELECT min(apply_seq), max(apply_seq) FROM r1.payment"), [["101", "200"]]
            )
            code, said = self.run_once(s, *snapshots, name="third")
            self.assertEqual(code, 0, said)
            self.assertIn("it ends with row 100, which PostgreSQL has lost", said)

    def test_what_was_sent_tells_of_it(self):
        """No service ran to notice it, and the cursor of the decisions stands behind rows that are
        gone, at a time which the next process's clock has not reached. Seen by the simulator:
        decisions of the rows that came instead were never sent."""
        with self.services("sent") as s:
            s.fresh_schema()
            cursor = "SELECT next_seq FROM r1.outbox WHERE kind = 'decision'"
            topic = ["--decisions-topic", "decisions"]
            p = s.serve("--model", "none", *topic, name="first")
            self.commit(s)
            self.assertEqual(s.wait_for(cursor, 201), "201")
            s.kill(p)
            s.sql(PROMOTE)
            s.sql("UPDATE r1.outbox SET next_seq = 201, from_at = now() + interval '40 seconds' "
                  "WHERE kind = 'decision'")  # fmt: skip
            code, said = self.run_once(s, *topic, name="second")
            self.assertEqual(code, 0, said)
            self.assertIn("commits_lost from_seq=101 to_seq=200", said)
            self.assertEqual(
                s.sql("SELECT min(apply_seq), max(apply_seq), count(*) FROM r1.payment "
                      "WHERE apply_seq > 100"), [["201", "300", "100"]]
            )  # fmt: skip
            self.assertEqual(s.value(cursor), "301")


class Guard(Base):
    """The guard of event time stands where the last committed payment left it."""

    def leaps(self):
        """History, then payments of a year later: the third one is believed."""
        early = [dict(p, ts=p["ts"] - 365 * DAY_MS) for p in self.payments[:200]]
        return [early, *[[p] for p in self.payments[200:204]]]

    def rules(self, s):
        return s.sql(
            "SELECT p.tx_id, d.rule FROM r1.payment p JOIN r1.decision d USING (apply_seq) "
            "ORDER BY apply_seq"
        )

    def test_leaps_count_across_restarts(self):
        """Seen: each start forgot the leaps that had agreed."""
        with self.services("once") as s:
            s.fresh_schema()
            for part in self.leaps():
                self.send(s, part)
            self.assertEqual(self.run_once(s)[0], 0)
            undisturbed = self.rules(s)
        suspect = [rule == "time_suspect" for _, rule in undisturbed[-4:]]
        self.assertEqual(suspect, [True, True, False, False])
        with self.services("parts") as s:
            s.fresh_schema()
            for part in self.leaps():
                self.send(s, part)
                self.assertEqual(self.run_once(s)[0], 0)
            self.assertEqual(self.rules(s), undisturbed)

    def test_goes_on_without_the_last_row(self):
        """Seen: where retention had dropped the last payment, the guard began anew."""
        with self.services("dropped") as s:
            s.fresh_schema()
            snapshots = ["--snapshot-dir", os.path.join(s.folder, "snapshots")]
            for part in self.leaps()[:3]:
                self.send(s, part)
            self.assertEqual(self.run_once(s, *snapshots)[0], 0)
            for table in ("payment", "decision", "finding", "label"):
                s.sql(f"DELETE FROM r1.{table}")
            self.send(s, self.leaps()[3])
            self.assertEqual(self.run_once(s, *snapshots)[0], 0)
            self.assertNotEqual(self.rules(s)[0][1], "time_suspect")


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    unittest.main(verbosity=2)
