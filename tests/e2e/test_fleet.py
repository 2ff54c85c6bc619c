#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several processes over one stream: they decide as one process alone, whoever of them sequences,
joins, leaves or is killed, and nothing is lost or written twice.

tests/e2e/test_fleet.py [Killed.test_...]

Environment: R1_BIN (folder with the programs), R1_E2E_KAFKA=1 (Apache Kafka: also claims that a
standby takes over within 5 s, which the embedded broker's slow groups cannot show).
"""

import json
import os
import re
import signal
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from services import ROOT, Services, run  # noqa: E402

SEED = int(os.environ.get("R1_TEST_SEED") or 12)
KAFKA = os.environ.get("R1_E2E_KAFKA") == "1"
N = 3000
MODEL = os.path.join(ROOT, "models/fraud-s-int8.gguf")
# The embedded broker gathers a new group for three seconds, and members must outlive that.
SESSION = 3000 if KAFKA else 6000
COLUMNS = "p.tx_id, d.decision, d.score, d.logit, d.reasons, d.rule"


class Fleet(unittest.TestCase):
    reference = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-fleet-")
        os.chmod(cls.folder, 0o755)
        cls.path = os.path.join(cls.folder, "all.jsonl")
        labels = os.path.join(cls.folder, "all-labels.jsonl")
        program = os.path.join(os.environ["R1_BIN"], "r1-fraud")
        world = ("--seed", SEED, "--accounts", 200, "--days", 20, "--rings", 8)
        run(program, "generate", *world, "--out", cls.path, "--labels", labels)
        with open(cls.path, encoding="utf-8") as f:
            cls.payments = [json.loads(line) for line in f][:N]
        end = cls.payments[-1]["ts"]
        cls.labels = os.path.join(cls.folder, "labels.jsonl")
        with open(labels, encoding="utf-8") as f, open(cls.labels, "w", encoding="utf-8") as out:
            out.writelines(line for line in f if json.loads(line)["ts"] <= end)

    def services(self, name, partitions=4):
        return Services(
            os.path.join(self.folder, name),
            kafka=KAFKA,
            partitions=partitions,
            topics=("events:1", "other:1"),
        )

    def begin(self, s):
        s.fresh_schema()
        empty = os.path.join(s.folder, "empty")
        open(empty, "w", encoding="utf-8").close()
        for topic in ("payments", "labels", "decisions") if KAFKA else ():
            s.fraud("produce", "--in", empty, "--topic", topic, "--create", s.partitions)

    def send(self, s):
        """Labels first: they are then there when the payments are, whose topic is sent last."""
        s.produce(self.labels, "--topic", "labels")
        s.produce(self.path, "--limit", N)

    def serve(self, s, i, *args, alone=False):
        shared = ("--events-topic", "events", "--group-session", SESSION, "--log-level", "info")
        snapshots = ("--snapshot-dir", os.path.join(self.folder, s.folder + f"-snapshots{i}"))
        fixed = ("--model", MODEL, "--review-at", "0.5", "--labels-topic", "labels")
        return s.serve(
            *fixed, *(() if alone else (*shared, *snapshots)), *args, name=f"serve{i}"
        )

    def decisions(self, s):
        return {
            row[0]: row[1:]
            for row in s.sql(
                f"SELECT {COLUMNS} FROM r1.payment p JOIN r1.decision d USING (apply_seq)"
            )
        }

    def lag_is_told(self, s, p, seconds=15):
        """The sequencer knows what the broker holds: each partition has its lag."""
        deadline, found = time.time() + seconds, 0
        while found < s.partitions and time.time() < deadline:
            time.sleep(0.3)
            with urllib.request.urlopen(f"http://127.0.0.1:{p.http}/metrics", timeout=5) as r:
                text = r.read().decode()
            found = len(re.findall(r'r1_fraud_lag_messages\{topic="payments",[^}]*\} 0', text))
        self.assertEqual(found, s.partitions, text[-2000:])

    def committed(self, s, n=N, seconds=40):
        self.assertEqual(s.wait_for("SELECT count(*) FROM r1.payment", n, seconds), str(n))

    def alone(self):
        """What one process decides, which read all in one go."""
        if Fleet.reference is None:
            with self.services("alone") as s:
                self.begin(s)
                self.send(s)
                p = self.serve(s, 0, "--until-idle", 2, alone=True)
                self.assertEqual(s.finish(p), 0)
                Fleet.reference = self.decisions(s)
            self.assertEqual(len(Fleet.reference), N)
            alerts = sum(row[0] != "allow" for row in Fleet.reference.values())
            self.assertGreater(alerts, 20)  # else equality would prove little
        return Fleet.reference

    def assert_as_alone(self, s):
        expected, got = self.alone(), self.decisions(s)
        differ = [t for t in expected if got.get(t) != expected[t]]
        self.assertEqual((len(got), differ[:3]), (N, []), f"{len(differ)} decisions differ")
        self.assert_once(s)

    def assert_once(self, s):
        self.assertEqual(s.sql("SELECT * FROM r1.orphan"), [])
        twice = "SELECT partition, kafka_offset FROM r1.payment GROUP BY 1, 2 HAVING count(*) > 1"
        self.assertEqual(s.sql(twice), [])

    def owners(self, s):
        """Partitions of payments by their owner's process id."""
        rows = s.sql(
            "SELECT split_part(owner, '/', 2), count(*) FROM r1.stream_offset "
            "WHERE topic = 'payments' GROUP BY 1"
        )
        return {int(pid): int(n) for pid, n in rows}

    def wait_owners(self, s, processes, seconds=40):
        """Until each of them owns something, and nobody else does."""
        pids = sorted(p.pid for p in processes)
        deadline = time.time() + seconds
        while sorted(self.owners(s)) != pids and time.time() < deadline:
            time.sleep(0.1)
        self.assertEqual(sorted(self.owners(s)), pids)

    def rings_across(self, s):
        """Alerts whose findings name payments of partitions with different owners."""
        return int(
            s.value(
                "SELECT count(*) FROM (SELECT f.apply_seq FROM r1.finding f, unnest(f.payments) t "
                "JOIN r1.payment p ON p.tx_id = t JOIN r1.stream_offset o ON o.topic = p.topic "
                "AND o.partition = p.partition GROUP BY 1 HAVING count(DISTINCT o.owner) > 1) x"
            )
        )

    def end(self, s, processes):
        for p in processes:
            p.terminate()
        for p in processes:
            self.assertEqual(s.finish(p), 0)

    def in_order(self, s):
        """What one process alone decides that gets the payments in the order of apply_seq."""
        path = os.path.join(self.folder, os.path.basename(s.folder) + "-in-order.jsonl")
        rows = s.sql("SELECT payload FROM r1.payment ORDER BY apply_seq")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(row[0] + "\n" for row in rows)
        name = os.path.basename(s.folder) + "-alone"
        with Services(os.path.join(self.folder, name), partitions=1) as one:
            one.fresh_schema()
            one.produce(path)
            self.assertEqual(one.finish(self.serve(one, 0, "--until-idle", 2, alone=True)), 0)
            return self.decisions(one)

    def assert_as_in_order(self, s):
        expected, got = self.in_order(s), self.decisions(s)
        differ = [t for t in expected if got.get(t) != expected[t]]
        self.assertEqual((len(got), differ[:3]), (len(expected), []), f"{len(differ)} differ")
        self.assert_once(s)

    def longest_pause(self, s):
        """The longest time between two commits of one partition, in seconds."""
        return float(
            s.value(
                "SELECT max(extract(epoch FROM d)) FROM (SELECT written_at - lag(written_at) OVER "
                "(PARTITION BY partition ORDER BY kafka_offset) AS d FROM r1.payment) x"
            )
        )

    def logged(self, p, text, seconds=15):
        deadline, found = time.time() + seconds, ""
        while text not in found and time.time() < deadline:
            time.sleep(0.05)
            with open(p.log_path, encoding="utf-8") as f:
                found = f.read()
        self.assertIn(text, found)

    def wait_more(self, s, n, seconds=40):
        deadline = time.time() + seconds
        while time.time() < deadline:
            if int(s.value("SELECT count(*) FROM r1.payment")) >= n:
                return True
            time.sleep(0.05)
        return False

class Equal(Fleet):
    def test_as_one_alone(self):
        """One, two and three processes decide as one alone does, labels included; rings over
        several owners are found."""
        for n in (1, 2, 3):
            with self.services(f"n{n}") as s:
                self.begin(s)
                args = ("--merge-hold", 6000, "--decisions-topic", "decisions")
                processes = [self.serve(s, i, *args) for i in range(n)]
                self.wait_owners(s, processes)
                s.produce(self.path, "--topic", "events", "--limit", 3)  # no events: void
                self.send(s)
                self.committed(s)
                self.assert_as_alone(s)
                if n > 1:
                    self.assertGreater(self.rings_across(s), 0)
                self.seen_from_outside(s, processes)
                self.sent_to_the_topic(s)
                self.end(s, processes)


    def sent_to_the_topic(self, s):
        """Each decision, whoever wrote it, in the order of apply_seq for each account."""
        behind = "SELECT max(d.apply_seq) - max(o.next_seq) FROM r1.decision d, r1.outbox o"
        self.assertEqual(s.wait_for(behind, -1, 20), "-1")
        tool = os.path.join(os.environ["R1_BIN"], "..", "tests", "read_topic")
        rows = [json.loads(x) for x in run(tool, s.brokers, "decisions").stdout.split("\n") if x]
        last = {}
        for row in rows:
            seq = json.loads(row["payload"])["apply_seq"]
            self.assertLess(last.get(row["key"], 0), seq)
            last[row["key"]] = seq
        self.assertEqual(len(rows), N)

    def seen_from_outside(self, s, processes):
        """One of them sequences, nothing is held any more, and status names it."""
        values = []
        for _ in range(15):  # /metrics is a copy of the last second, each of another one
            time.sleep(1.5)
            pages = [
                urllib.request.urlopen(f"http://127.0.0.1:{p.http}/metrics").read().decode()
                for p in processes
            ]
            values = [dict(x.rsplit(" ", 1) for x in page.split("\n") if " " in x)
                      for page in pages]  # fmt: skip
            if sum(float(v["r1_fraud_owned_partitions"]) for v in values) == 8:
                break
        self.assertEqual(sum(float(v["r1_fraud_sequencer"]) for v in values), 1)
        self.assertEqual(sum(float(v["r1_fraud_owned_partitions"]) for v in values), 8)
        for v in values:
            self.assertEqual(float(v["r1_fraud_held_records"]), 0)
            self.assertEqual(float(v["r1_fraud_events_void_total"]), 3)
            self.assertEqual(float(v["r1_fraud_events_lag_messages"]), 0)
        out = s.fraud("status", "--http-listen", f"127.0.0.1:{processes[0].http}").stdout
        self.assertIn("topic of events events", out)
        for p in processes:
            ask = urllib.request.Request(
                f"http://127.0.0.1:{p.http}/v1/decide",
                data=b"{}",
                headers={"Content-Type": "application/json"},
            )
            with self.assertRaises(urllib.error.HTTPError) as got:
                urllib.request.urlopen(ask)
            self.assertEqual(got.exception.code, 503)
            self.assertIn("events-topic", got.exception.read().decode())


class Killed(Fleet):
    @unittest.skipUnless(KAFKA, "the embedded broker loses groups that lose members")
    def test_killed(self):
        """The sequencer, an owner too, is killed under load, and the next one after it."""
        with self.services("killed") as s:
            self.begin(s)
            processes = [self.serve(s, i, "--snapshot-every", 2) for i in range(3)]
            self.wait_owners(s, processes)
            load = s.produce_in_background(self.path, "--limit", N, "--rate", N // 15)
            for at in (600, 1500):
                self.assertTrue(self.wait_more(s, at))
                pid = int(s.value("SELECT split_part(owner, '/', 2) FROM r1.sequencer"))
                first = next(p for p in processes if p.pid == pid)
                s.kill(first)
                processes.remove(first)
                self.wait_owners(s, processes)
            s.collect(load)
            self.committed(s)
            pause = self.longest_pause(s)
            print(f"longest pause after kill -9 of sequencer and owner: {pause:.1f} s")
            if KAFKA:
                self.assertLess(pause, 5)
            self.assert_as_in_order(s)
            self.end(s, processes)

    def test_all_killed(self):
        """Every process is killed under load; two new ones go on from snapshots and events."""
        with self.services("all") as s:
            self.begin(s)
            dead = [self.serve(s, i, "--snapshot-every", 1) for i in range(2)]
            self.wait_owners(s, dead)
            load = s.produce_in_background(self.path, "--limit", N, "--rate", N // 10)
            self.assertTrue(self.wait_more(s, 1000))
            for p in dead:
                s.kill(p)
            s.collect(load)
            time.sleep(SESSION / 1000)
            # The embedded broker's group does not get over the death of its members.
            group = () if KAFKA else ("--group", "again")
            processes = [self.serve(s, i, *group) for i in range(2)]
            self.wait_owners(s, processes)
            self.committed(s)
            self.assert_as_in_order(s)
            self.end(s, processes)


@unittest.skipUnless(KAFKA, "the embedded broker gives a running group no new member")
class Joins(Fleet):
    def test_joins_and_leaves(self):
        """One process gets company under load, which restores the state; then the first leaves in
        order, the sequencer; then all restart from their snapshots."""
        with self.services("joins") as s:
            self.begin(s)
            first = self.serve(s, 0, "--snapshot-every", 1)
            self.wait_owners(s, [first])
            load = s.produce_in_background(self.path, "--limit", N // 2, "--rate", N // 20)
            self.assertTrue(self.wait_more(s, 300))
            second = self.serve(s, 1, "--snapshot-every", 1)
            self.wait_owners(s, [first, second])
            self.end(s, [first])
            self.wait_owners(s, [second])
            s.collect(load)
            self.committed(s, N // 2)
            self.end(s, [second])
            both = [self.serve(s, i) for i in range(2)]
            self.wait_owners(s, both)
            s.produce(self.path, "--skip", N // 2, "--limit", N // 2)
            self.committed(s)
            self.assert_as_in_order(s)
            self.end(s, both)


class Settings(Fleet):
    """Processes compare their settings: by content, and also what a reload brings."""

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def status(self, s, p, text, there=True, seconds=15):
        """Until the screen has the text, or has it no more."""
        deadline = time.time() + seconds
        while True:
            out = s.fraud("status", "--http-listen", f"127.0.0.1:{p.http}", check=False).stdout
            if (text in out) == there or time.time() > deadline:
                break
            time.sleep(0.2)
        (self.assertIn if there else self.assertNotIn)(text, out)
        return out

    def refused(self, s, *args):
        q = s.fraud("serve", "--model", "none", "--events-topic", "events", "--labels-topic",
                    "labels", *args, check=False)  # fmt: skip
        self.assertEqual(q.returncode, 2, q.stderr)
        return q.stderr

    def test_compared(self):
        """Another currency, capacity or table of rates gave another state without a word, and
        other rules other decisions. The first are refused, the second are told; and an owner that
        has left is not shown as one that is there."""
        head = "currency,rate,date\nUSD,{},2024-01-01\n"
        rates = self.file("rates.csv", head.format("0.9"))
        same = self.file("same.csv", head.format("0.9"))
        other = self.file("other.csv", head.format("0.8"))
        rules = self.file("rules.txt", "big: amount > 100000 EUR -> review\n")
        with self.services("compared") as s:
            self.begin(s)
            money = ("--currency", "EUR", "--rates")
            p = self.serve(s, 0, *money, rates, "--rules", self.file("empty.txt", ""))
            here = f"/{p.pid}, which shares this stream, found "
            common = ("--model", MODEL, *money)
            for args, what in (
                (("--model", MODEL, "--currency", "USD"), "currency: USD here, EUR there; rates: "),
                ((*common, rates, "--accounts", 70000), "accounts: 70000 here, 262144 there. Stop"),
                ((*common, rates, "--time-ahead", 60), "time-ahead: 60 here, 900 there. Stop"),
                ((*common, other), "1 that shape the state and differ: rates: "),
                ((*money, rates), "model: not known here, "),
            ):
                said = self.refused(s, *args)
                self.assertIn(here, said)
                self.assertIn(what, said)
            self.assertEqual(s.value("SELECT count(*) FROM r1.member"), "1")
            ini = self.file("fraud.ini", f"[payments]\nrates = {same}\ncurrency = EUR\n"
                            f"[decision]\nrules = {rules}\n")  # fmt: skip
            q = self.serve(s, 1, "--config", ini)
            self.logged(p, "settings_differ")
            self.status(s, p, "DIFFERING  policy")
            self.file("rules.txt", "")
            self.file("same.csv", head.format("0.7"))
            q.send_signal(signal.SIGHUP)
            self.logged(p, "settings_agree")
            self.logged(q, 'settings="rates (the file')
            out = self.status(s, q, "restart  needed by rates (the file")
            self.assertNotIn("DIFFERING", out)
            self.assertEqual(out.count("restart  needed by"), 2)  # the service's, the process's
            self.end(s, [q])
            self.status(s, p, f"/{q.pid}, for ")
            self.stands_still(s, p)

    def stands_still(self, s, p):
        """One that was stopped for longer than its session ends, also where it had nothing to do,
        which it outlived; and until another comes, status says that the owner has left."""
        p.send_signal(signal.SIGSTOP)
        time.sleep(SESSION / 1000)
        p.send_signal(signal.SIGCONT)
        self.assertEqual(s.finish(p), 1)
        self.logged(p, "this process stood still for ")
        out = s.fraud("status", "--http-listen", "", check=False).stdout
        self.assertRegex(out, r"gone     [^ ]*/%d, which had them, left \d+ s" % p.pid)


class Back(Fleet):
    def test_snapshots_stay(self):
        """From one process to several, back, and to several again: each start goes on from the
        snapshot of the one before. Each was refused, and the whole log read."""
        with self.services("back", partitions=2) as s:
            self.begin(s)
            folder = ("--snapshot-dir", os.path.join(self.folder, "back-snapshots"))
            stats, sent = os.path.join(s.folder, "stats.json"), 0
            for alone, topic in ((True, None), (False, "events"), (True, None), (False, "other")):
                events = () if alone else ("--events-topic", topic)
                p = self.serve(s, sent, *folder, "--stats", stats, *events, alone=alone)
                with open(p.log_path, encoding="utf-8") as f:
                    said = f.read()
                self.assertNotIn("refused", said)
                self.assertEqual(said.count("loaded in "), int(sent > 0), said)
                if topic == "other":
                    continue
                s.produce(self.path, "--skip", sent, "--limit", 300)
                sent += 300
                self.committed(s, sent, 20)
                self.end(s, [p])
                if not alone:
                    s.fraud("offsets", "unshare", "--why", "test")
                with open(stats, encoding="utf-8") as f:
                    digest = json.load(f)["state_digest"]
            self.end(s, [p])
            s.fraud("offsets", "unshare", "--why", "test")
            p = self.serve(s, 0, "--stats", stats, "--until-idle", 1, alone=True)
            self.assertEqual(s.finish(p), 0)
            with open(stats, encoding="utf-8") as f:
                self.assertEqual(json.load(f)["state_digest"], digest)
            self.assert_once(s)


class Refused(Fleet):
    def test_two_databases(self):
        """Two services over one stream and two databases, each with all defaults: both decide all.
        They were one consumer group, and each decided a half."""
        with self.services("two") as s:
            self.begin(s)
            s.sql("CREATE DATABASE second")
            first = s.conninfo
            p = self.serve(s, 0)
            s.conninfo = first.replace("dbname=r1", "dbname=second")
            self.assertNotEqual(s.conninfo, first)
            s.fresh_schema()
            q = self.serve(s, 1, "--events-topic", "other")
            s.produce(self.path, "--limit", 300)
            self.committed(s, 300, 20)
            s.conninfo = first
            self.committed(s, 300, 20)
            self.end(s, [p, q])

    def test_one_group_for_two(self):
        """A group that is named for both gives each a part, and who lacks partitions says so."""
        with self.services("group") as s:
            self.begin(s)
            s.sql("CREATE DATABASE second")
            first = s.conninfo
            p = self.serve(s, 0)
            self.logged(p, "partition_taken topic=labels")
            s.conninfo = first.replace("dbname=r1", "dbname=second")
            s.fresh_schema()
            q = self.serve(s, 1, "--events-topic", "other", "--group", "r1-fraud-events",
                           "--group-session", 1500)  # fmt: skip
            self.logged(q, "partitions_of_nobody")
            page = urllib.request.urlopen(f"http://127.0.0.1:{q.http}/metrics").read().decode()
            self.assertRegex(page, r"\nr1_fraud_missing_partitions [1-4]\n")
            self.end(s, [q, p])

    def test_foreign_topic(self):
        """A topic of events that holds messages of others alone is named as such."""
        with self.services("foreign") as s:
            self.begin(s)
            s.produce(self.path, "--topic", "events", "--limit", 7)
            q = s.fraud("serve", "--model", "none", "--events-topic", "events", "--wait", 2,
                        check=False)  # fmt: skip
            self.assertEqual(q.returncode, 2, q.stderr)
            self.assertIn("found 7 messages without the header r1.event", q.stderr)
            self.assertIn("Name another topic", q.stderr)

    def test_refused(self):
        """What would be wrong in silence is refused: alone beside others, another topic, a topic of
        several partitions, offsets moved by hand, /v1/decide."""
        with self.services("refused") as s:
            self.begin(s)
            p = self.serve(s, 0)
            for args, what in (
                ((), "found none"),
                (("--events-topic", "other"), "by which this log is shared"),
            ):
                q = s.fraud("serve", "--model", "none", *args, check=False)
                self.assertNotEqual(q.returncode, 0)
                self.assertIn(what, q.stderr)
            q = s.fraud("offsets", "reset", "--to", "end", "--why", "test", check=False)
            self.assertIn("offsets unshare", q.stderr)
            self.lag_is_told(s, p)
            unshare = ("offsets", "unshare", "--why", "another topic")
            q = s.fraud(*unshare, check=False)
            self.assertIn("expected that all processes have stopped", q.stderr)
            self.end(s, [p])
            s.fraud(*unshare)
            q = s.fraud(*unshare, check=False)
            self.assertIn("expected a log that is shared", q.stderr)
            q = s.fraud("serve", "--model", "none", "--events-topic", "payments.dlq", check=False)
            if not KAFKA:
                self.assertIn("expected a topic of one partition", q.stderr)
            again = ("--events-topic", "events", "--labels-topic", "labels")
            q = s.fraud("serve", "--model", "none", *again, check=False)
            self.assertIn("begin with another topic", q.stderr)


if __name__ == "__main__":
    unittest.main()
