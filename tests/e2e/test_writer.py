#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the writing side does with a real PostgreSQL and broker: topics from the outbox, states of
PostgreSQL that pass, rows that it refuses, retention.

tests/e2e/test_writer.py [Outbox|States|Refused|...]

Environment: R1_BIN (folder with the programs), R1_E2E_KAFKA=1 (Apache Kafka).
"""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import jsonschema

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from services import ROOT, Services, run  # noqa: E402

SEED = int(os.environ.get("R1_TEST_SEED") or time.time())
KAFKA = os.environ.get("R1_E2E_KAFKA") == "1"
N = 4000


def read_topic(s, topic):
    """Messages in the order of their partitions."""
    tool = os.path.join(os.environ["R1_BIN"], "..", "tests", "read_topic")
    lines = run(tool, s.brokers, topic).stdout.split("\n")
    messages = [json.loads(line) for line in lines if line]
    return sorted(messages, key=lambda m: (m["partition"], m["offset"]))


def read_log(p):
    with open(p.log_path, encoding="utf-8") as f:
        return f.read()


class Writer(unittest.TestCase):
    """Payments made once; services in folders of their own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-writer-")
        os.chmod(cls.folder, 0o755)
        cls.path = os.path.join(cls.folder, "payments.jsonl")
        seed = str(SEED % 100000)
        run(
            os.path.join(os.environ["R1_BIN"], "r1-fraud"),
            *["generate", "--seed", seed, "--accounts", 400, "--days", 14, "--rings", 4],
            *["--out", cls.path],
        )
        with open(cls.path, encoding="utf-8") as f:
            cls.lines = f.read().split("\n")[:N]
        with open(cls.path, "w", encoding="utf-8") as f:
            f.write("\n".join(cls.lines) + "\n")

    def services(self, name, partitions=4):
        return Services(os.path.join(self.folder, name), kafka=KAFKA, partitions=partitions)

    def begin(self, s):
        s.fresh_schema()
        s.create_topic()

    def lines_file(self, name, lines):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        return path


class Outbox(Writer):
    """The topics hold what the database holds."""

    def check_decisions(self, s):
        """Each decision at least once, in order per account, under one id, by the schema."""
        with open(
            os.path.join(ROOT, "schemas/messages/decision.schema.json"), encoding="utf-8"
        ) as f:
            schema = jsonschema.Draft202012Validator(json.load(f))
        messages = read_topic(s, "decisions")
        rows = s.sql(
            "SELECT apply_seq, d.decision, p.from_id FROM r1.decision d "
            "JOIN r1.payment p USING (apply_seq)"
        )
        first = {}
        newest = collections.defaultdict(int)
        for m in messages:
            o = json.loads(m["payload"])
            schema.validate(o)
            headers = dict(m["headers"])
            self.assertEqual(headers["id"], o["id"])
            self.assertEqual(headers["schema"], "2")
            # The same id says the same; sent again it is the same message.
            self.assertEqual(first.setdefault(o["id"], m["payload"]), m["payload"])
            if first[o["id"]] is m["payload"]:
                self.assertGreater(o["apply_seq"], newest[m["key"]], "order of an account")
                newest[m["key"]] = o["apply_seq"]
        found = {
            json.loads(p)["apply_seq"]: (json.loads(p)["decision"], k)
            for p, k in {m["payload"]: m["key"] for m in messages}.items()
        }
        expected = {int(seq): (decision, account) for seq, decision, account in rows}
        self.assertEqual(len(rows), N)
        self.assertEqual(found, expected)
        return len(messages)

    def test_five_kills_lose_no_decision(self):
        """Seen: 21 of 34,890 were missing after five kills."""
        rng = random.Random(SEED)
        with self.services("kills") as s:
            self.begin(s)
            feeder = s.produce_in_background(self.path, "--rate", 1000)
            args = ["--model", "none", "--decisions-topic", "decisions"]
            for _ in range(5):
                p = s.serve(*args)
                time.sleep(0.2 + 0.6 * rng.random())
                s.kill(p)
            s.collect(feeder)
            self.assertEqual(s.finish(s.serve(*args, "--until-idle", 2)), 0)
            sent = self.check_decisions(s)
            self.assertGreaterEqual(sent, N)

    def test_broker_pauses(self):
        """The broker stands still while messages are on their way: they go when it is back."""
        if KAFKA:
            self.skipTest("the embedded broker is one process that can be stopped alone")
        with self.services("pause") as s:
            self.begin(s)
            s.produce(self.path)
            p = s.serve("--model", "none", "--decisions-topic", "decisions", "--batch-rows", 50)
            for _ in range(3):
                s.broker.send_signal(signal.SIGSTOP)
                time.sleep(1)
                s.broker.send_signal(signal.SIGCONT)
                time.sleep(0.1)
            self.assertEqual(s.settle(p, N), 0)
            self.assertEqual(s.finish(self.again(s)), 0)
            self.check_decisions(s)

    def again(self, s):
        return s.serve("--model", "none", "--decisions-topic", "decisions", "--until-idle", 2)

    def test_cursor_behind_sends_again(self):
        """What was not acknowledged before the end goes after the start: from the database alone,
        with the same bytes under the same id."""
        with self.services("again") as s:
            self.begin(s)
            s.produce(self.path)
            self.assertEqual(s.finish(self.again(s)), 0)
            self.assertEqual(self.check_decisions(s), N)
            s.sql("UPDATE r1.outbox SET next_seq = 3001, from_at = '-infinity'")
            self.assertEqual(s.finish(self.again(s)), 0)
            self.assertEqual(self.check_decisions(s), N + 1000)

    def test_dead_letters_keep_all(self):
        """Keys, and what is no payment, reach the topic of dead letters and the table."""
        with self.services("letters") as s:
            self.begin(s)
            bad = ['{"tx_id":"later"', "nonsense", '{"from":"A","x":1}']
            s.produce(self.lines_file("bad.jsonl", bad))
            args = ["--model", "none", "--dead-topic", "dead", "--until-idle", 2]
            self.assertEqual(s.finish(s.serve(*args)), 0)
            letters = read_topic(s, "dead")
            rows = s.sql(
                "SELECT id, convert_from(payload, 'UTF8'), encode(key, 'escape'), reason, "
                "sent_at IS NOT NULL FROM r1.dead_letter ORDER BY id"
            )
            self.assertEqual(sorted(m["payload"] for m in letters), sorted(bad))
            for m in letters:
                h = dict(m["headers"])
                row = [r for r in rows if r[0] == h["r1.id"]][0]
                self.assertEqual([m["payload"], h["r1.reason"], "t"], [row[1], row[3], row[4]])
                self.assertEqual(m["key"] or "", row[2])
                self.assertIn("sent_us", h)  # as the producer sent it
            self.assertEqual(s.finish(s.serve(*args)), 0)
            self.assertEqual(len(read_topic(s, "dead")), len(bad))  # not again


class States(Writer):
    """PostgreSQL says no, and later yes: nothing is lost, doubled or ended."""

    def run_through(self, name, trouble, expected=None, seconds=60):
        with self.services(name) as s:
            self.begin(s)
            feeder = s.produce_in_background(self.path, "--rate", 1000)
            p = s.serve("--model", "none")
            time.sleep(0.5)
            trouble(s)
            s.collect(feeder)
            s.wait_for("SELECT count(*) FROM r1.payment", N, seconds)
            self.assertIsNone(p.poll(), read_log(p)[-2000:])
            p.terminate()
            self.assertEqual(s.finish(p), 0)
            log = read_log(p)
            if expected:
                self.assertIn(expected, log)
            # At most one line a second and trouble of either kind, beside the first.
            per_second = collections.Counter(
                (line[:19], line.split()[2]) for line in log.split("\n") if " warn " in line
            )
            self.assertLessEqual(max(per_second.values(), default=0), 2, log[-2000:])
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), str(N))
            self.assertEqual(s.value("SELECT count(*) FROM r1.orphan"), "0")
            offsets = "SELECT count(DISTINCT (partition, kafka_offset)) FROM r1.payment"
            self.assertEqual(s.value(offsets), str(N))

    def test_read_only(self):
        """As after a fail-over to a server that is not the primary any more."""

        def trouble(s):
            s.sql("ALTER SYSTEM SET default_transaction_read_only = on")
            s.sql("SELECT pg_reload_conf()")
            time.sleep(2.5)
            s.sql("ALTER SYSTEM RESET default_transaction_read_only")
            s.sql("SELECT pg_reload_conf()")

        self.run_through("readonly", trouble, "25006")

    def test_cancelled(self):
        def trouble(s):
            until = time.time() + 2.5
            while time.time() < until:
                s.sql(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name LIKE 'r1-fraud%'"
                )

        self.run_through("cancel", trouble)

    def test_terminated(self):
        def trouble(s):
            for _ in range(8):
                s.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name LIKE 'r1-fraud%'"
                )
                time.sleep(0.2)

        self.run_through("terminate", trouble)

    def test_locked(self):
        """A lock that another session holds, and the time-out of the connection's text."""

        def trouble(s):
            s.sql("BEGIN; LOCK TABLE r1.stream_offset; SELECT pg_sleep(2.5); COMMIT")

        with self.services("lock") as s:
            self.begin(s)
            s.conninfo += " options='-c lock_timeout=300ms'"
            feeder = s.produce_in_background(self.path, "--rate", 1000)
            p = s.serve("--model", "none")
            time.sleep(0.5)
            trouble(s)
            s.collect(feeder)
            self.assertEqual(s.settle(p, N), 0)
            self.assertIn("55P03", read_log(p))
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), str(N))

    def test_no_connection_free(self):
        """All connections are taken while the service has lost its own."""

        def trouble(s):
            role = "DO $$ BEGIN CREATE ROLE r1_guest LOGIN; EXCEPTION WHEN OTHERS THEN END $$"
            s.sql(role)
            guest = s.conninfo.replace("user=r1_admin", "user=r1_guest")
            holders = [
                subprocess.Popen(
                    ["psql", guest, "-qXc", "SELECT pg_sleep(20)"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for _ in range(45)
            ]
            time.sleep(1)
            s.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'r1-fraud%'"
            )
            time.sleep(2)
            for h in holders:
                h.kill()
                h.wait()
            s.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'r1_guest'"
            )

        self.run_through("full", trouble)

    def test_restarted(self):
        def trouble(s):
            data = os.path.join(s.pg_dir, "data")
            pg_ctl = sorted(
                os.path.join("/usr/lib/postgresql", v, "bin/pg_ctl")
                for v in os.listdir("/usr/lib/postgresql")
            )[-1]
            account = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
            for how in "fast", "immediate":
                run(*(account if os.getuid() == 0 else []), pg_ctl, "-D", data, "-s", "-m", how,
                    "-w", "stop", cwd="/")
                time.sleep(0.7)
                s.pg("start")
                time.sleep(0.7)

        self.run_through("restart", trouble)

    def test_ends_where_waiting_cannot_help(self):
        with self.services("final") as s:
            self.begin(s)
            url = s.conninfo
            for change, password, expected in (
                ("dbname=nowhere", "", "create the database"),
                ("user=nobody", "", "check user, password and pg_hba.conf"),
                ("host=127.0.0.1", "wrong", "check user, password and pg_hba.conf"),
            ):
                s.conninfo = f"{url} {change}"
                begin = time.time()
                with mock.patch.dict(os.environ, {"PGPASSWORD": password}):
                    p = s.fraud("serve", "--model", "none", "--wait", 30, check=False)
                self.assertEqual(p.returncode, 1)
                self.assertIn(expected, p.stderr)
                self.assertLess(time.time() - begin, 10)
            s.conninfo = url
            s.sql("CREATE ROLE r1_weak LOGIN")
            s.sql("GRANT r1_reader TO r1_weak")
            s.conninfo = url.replace("user=r1_admin", "user=r1_weak")
            p = s.fraud("serve", "--model", "none", "--wait", 30, check=False)
            self.assertEqual(p.returncode, 1)
            self.assertIn("grant the missing right", p.stderr)


class Refused(Writer):
    """PostgreSQL refuses a row that the state holds already: log and state agree all the same."""

    def digest(self, s, name):
        path = os.path.join(s.folder, name)
        p = s.serve("--model", "none", "--until-idle", 2, "--stats", path)
        code = s.finish(p)
        with open(path, encoding="utf-8") as f:
            return code, json.load(f)["state_digest"], read_log(p)

    def test_written_bare(self):
        with self.services("bare") as s:
            self.begin(s)
            s.sql("ALTER TABLE r1.payment ADD CHECK (amount_minor % 7 <> 0) NOT VALID")
            s.produce(self.path, "--limit", 1500)
            code, served, log = self.digest(s, "served.json")
            self.assertEqual(code, 0)
            self.assertIn("row_refused", log)
            bare = int(s.value("SELECT count(*) FROM r1.payment WHERE amount_minor IS NULL"))
            self.assertGreater(bare, 20)
            noted = "SELECT count(*) FROM r1.payment WHERE notes->>1 LIKE '%amount_minor_check%'"
            self.assertEqual(int(s.value(noted)), bare)
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "1500")
            self.assertEqual(s.value("SELECT count(*) FROM r1.dead_letter"), "0")
            code, rebuilt, _ = self.digest(s, "rebuilt.json")
            self.assertEqual((code, rebuilt), (0, served))

    def test_dead_letter_ends_the_service(self):
        """Where not even the payload can be written, the next start goes by the log."""
        with self.services("dead", partitions=1) as s:
            self.begin(s)
            victim = json.loads(self.lines[700])["tx_id"]
            s.sql(f"ALTER TABLE r1.payment ADD CHECK (tx_id <> '{victim}') NOT VALID")
            s.produce(self.path, "--limit", 1500)
            p = s.serve("--model", "none")
            self.assertEqual(s.finish(p), 1)
            self.assertIn("the state then comes from the log", read_log(p))
            code, served, _ = self.digest(s, "served.json")
            self.assertEqual(code, 0)
            code, rebuilt, _ = self.digest(s, "rebuilt.json")
            self.assertEqual((code, rebuilt), (0, served))
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "1499")
            self.assertEqual(
                s.value("SELECT kafka_offset FROM r1.dead_letter WHERE stage = 'write'"), "700"
            )
            self.assertEqual(s.value("SELECT sum(next_offset) FROM r1.stream_offset"), "1500")


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    print(f"R1_TEST_SEED={SEED}", file=sys.stderr)
    unittest.main(verbosity=2)
