#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time and order end to end: the same payments and labels give the same decisions, however they
come: read in one go, live, in two halves, over 1, 4 or 16 partitions; and one wrong date changes
no other decision.

tests/e2e/test_order.py [Order.test_one_wrong_date...]

Environment: R1_BIN (folder with the programs), R1_E2E_KAFKA=1 (Apache Kafka).
"""

import json
import os
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from services import ROOT, Services, run  # noqa: E402

SEED = int(os.environ.get("R1_TEST_SEED") or 12)
KAFKA = os.environ.get("R1_E2E_KAFKA") == "1"
N = 3000
HOLD = 6000  # ms: the two producers of a live stream start so far apart, with sanitizers too


def write_lines(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def create_topics(s, partitions):
    """Apache Kafka makes no topic by itself; one that exists gets more partitions."""
    empty = write_lines(os.path.join(s.folder, "empty"), [])
    for topic in ("payments", "labels") if KAFKA else ():
        s.fraud("produce", "--in", empty, "--topic", topic, "--create", partitions)


class Order(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-order-")
        os.chmod(cls.folder, 0o755)
        path = os.path.join(cls.folder, "all.jsonl")
        labels = os.path.join(cls.folder, "labels.jsonl")
        run(
            os.path.join(os.environ["R1_BIN"], "r1-fraud"),
            "generate",
            "--seed",
            SEED,
            "--accounts",
            200,
            "--days",
            20,
            "--rings",
            8,
            "--out",
            path,
            "--labels",
            labels,
        )
        with open(path, encoding="utf-8") as f:
            cls.payments = [json.loads(line) for line in f][:N]
        known = {p["tx_id"] for p in cls.payments}
        with open(labels, encoding="utf-8") as f:
            rows = [json.loads(line) for line in f]
        # Labels become known soon, so that payments after them are scored with their knowledge;
        # those of the last ones come before their payment.
        ts = {p["tx_id"]: p["ts"] for p in cls.payments}
        end = cls.payments[-1]["ts"]
        cls.labels = []
        for i, row in enumerate(r for r in rows if r["tx_id"] in known):
            row["ts"] = ts[row["tx_id"]] + (3600000 if i % 5 else -60000)
            if row["ts"] <= end:
                cls.labels.append(row)
        cls.labels.sort(key=lambda row: (row["ts"], row["tx_id"]))

    def services(self, name, partitions):
        return Services(os.path.join(self.folder, name), kafka=KAFKA, partitions=partitions)

    def send(self, s, payments, labels):
        """Labels first: they are then there when the payments are, whose topic is sent last."""
        for topic, rows in (("labels", labels), ("payments", payments)):
            if rows:
                path = write_lines(os.path.join(s.folder, topic + ".jsonl"), rows)
                s.produce(path, "--topic", topic)

    def begin(self, s):
        s.fresh_schema()
        create_topics(s, s.partitions)

    def serve(self, s, *args):
        return s.serve(
            "--model", "none", "--labels-topic", "labels", "--merge-hold", HOLD, *args
        )

    def decisions(self, s):
        return {
            row[0]: row[1:]
            for row in s.sql(
                "SELECT p.tx_id, d.decision, d.score, d.logit, d.reasons, d.rule "
                "FROM r1.payment p JOIN r1.decision d USING (apply_seq)"
            )
        }

    def finish(self, s, p):
        self.assertEqual(s.finish(p), 0)
        return self.decisions(s)

    def halves(self, at):
        """Both streams, cut at a payment's time."""
        ts = self.payments[at]["ts"]
        early = [x for x in self.labels if x["ts"] <= self.payments[at - 1]["ts"]]
        return (self.payments[:at], early), (
            self.payments[at:],
            [x for x in self.labels if x["ts"] >= ts or x not in early],
        )

    def run_one_go(self, partitions):
        with self.services(f"go{partitions}", partitions) as s:
            self.begin(s)
            self.send(s, self.payments, self.labels)
            return self.finish(s, self.serve(s, "--until-idle", 3))

    def run_pauses(self, partitions):
        with self.services(f"pauses{partitions}", partitions) as s:
            self.begin(s)
            p = self.serve(s, "--until-idle", 10)
            for part in self.halves(N // 3):
                self.send(s, *part)
            return self.finish(s, p)

    def run_halves(self, partitions):
        with self.services(f"halves{partitions}", partitions) as s:
            self.begin(s)
            for part in self.halves(N // 2):
                self.send(s, *part)
                self.finish(s, self.serve(s, "--until-idle", 3))
            return self.decisions(s)

    def assert_same(self, got, what):
        differ = [t for t in Order.reference if got.get(t) != Order.reference[t]]
        self.assertEqual(
            (len(got), differ[:3]), (N, []), f"{what}: {len(differ)} decisions differ"
        )

    reference = None

    def setUp(self):
        if Order.reference is None:
            Order.reference = self.run_one_go(1)
            alerts = sum(row[0] != "allow" for row in Order.reference.values())
            self.assertGreater(alerts, 20)  # else equality would prove little

    def test_partitions(self):
        for partitions in (4, 16):
            self.assert_same(self.run_one_go(partitions), f"{partitions} partitions")

    def test_pauses(self):
        for partitions in (1, 4):
            self.assert_same(self.run_pauses(partitions), f"pauses, {partitions} partitions")

    def test_two_halves(self):
        for partitions in (1, 16):
            self.assert_same(self.run_halves(partitions), f"two halves, {partitions} partitions")

    def test_control_labels_first(self):
        """Labels that come long before their time are other knowledge: equality is no accident."""
        with self.services("first", 1) as s:
            self.begin(s)
            early = [dict(x, ts=self.payments[0]["ts"]) for x in self.labels]
            self.send(s, self.payments, early)
            got = self.finish(s, self.serve(s, "--until-idle", 3))
        self.assertNotEqual(got, Order.reference)

    def test_one_wrong_date(self):
        """A payment and a label dated in 2100 as number 151, and seconds for milliseconds: they
        are decided apart or noted, and change no other decision."""
        wrong = dict(self.payments[150], tx_id="wrong-date", ts=4102444799999)
        seconds = dict(self.payments[150], tx_id="seconds", ts=self.payments[150]["ts"] // 1000)
        label = dict(tx_id=self.payments[150]["tx_id"], is_fraud=False, ts=4102444799999)
        payments = self.payments[:150] + [wrong, seconds] + self.payments[150:]
        for partitions in (1, 4):
            with self.services(f"wrong{partitions}", partitions) as s:
                self.begin(s)
                self.send(s, payments, self.labels[:3] + [label] + self.labels[3:])
                stats = os.path.join(s.folder, "stats.json")
                got = self.finish(s, self.serve(s, "--until-idle", 3, "--stats", stats))
                with open(stats, encoding="utf-8") as f:
                    counts = json.load(f)
                applied = s.sql("SELECT tx_id FROM r1.payment WHERE NOT applied ORDER BY 1")
                before = counts["state_digest"]
                self.finish(s, self.serve(s, "--until-idle", 1, "--stats", stats))
                with open(stats, encoding="utf-8") as f:
                    self.assertEqual(json.load(f)["state_digest"], before)  # rebuilt
            self.assertEqual(applied, [["seconds"], ["wrong-date"]])
            self.assertEqual(
                (counts["time_suspect"], counts["labels_odd_time"], counts["late_merges"]),
                (2, 1, 0),
            )
            for tx_id, words in (("wrong-date", "time-ahead"), ("seconds", "looks like seconds")):
                decision, score, logit, reasons, rule = got.pop(tx_id)
                self.assertEqual((decision, score, logit, rule), ("review", "", "", "time_suspect"))
                self.assertIn(words, reasons)
            self.assert_same(got, f"wrong dates, {partitions} partitions")


@unittest.skipUnless(KAFKA, "the embedded broker cannot add partitions: R1_E2E_KAFKA=1")
class Added(unittest.TestCase):
    def test_partitions_added_while_running(self):
        """What goes to a new partition is decided within seconds, and nothing is lost."""
        folder = tempfile.mkdtemp(prefix="r1-added-")
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "all.jsonl")
        program = os.path.join(os.environ["R1_BIN"], "r1-fraud")
        run(program, "generate", "--seed", SEED, "--accounts", 300, "--days", 10, "--out", path)
        with Services(os.path.join(folder, "s"), kafka=True, partitions=2) as s:
            s.fresh_schema()
            create_topics(s, 2)
            p = s.serve("--model", "none", "--labels-topic", "labels")
            s.produce(path, "--limit", 500)
            self.assertEqual(s.wait_for("SELECT count(*) FROM r1.payment", 500), "500")
            create_topics(s, 7)
            began = time.time()
            s.produce(path, "--skip", 500, "--limit", 1000)
            self.assertEqual(s.wait_for("SELECT count(*) FROM r1.payment", 1500, 20), "1500")
            self.assertLess(time.time() - began, 10)
            used = s.value("SELECT count(DISTINCT partition) FROM r1.payment")
            self.assertEqual(used, "7")
            taken = s.sql("SELECT topic, count(*) FROM r1.stream_offset GROUP BY 1 ORDER BY 1")
            self.assertIn(["payments", "7"], taken)
            self.assertIn(["labels", "7"], taken)
            p.terminate()
            self.assertEqual(s.finish(p), 0)
            self.assertEqual(s.fraud("offsets", "show").returncode, 0)


class Incarnation(unittest.TestCase):
    """Offsets that do not fit the broker are reported and resolved by one command."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-incarnation-")
        os.chmod(cls.folder, 0o755)
        path = os.path.join(cls.folder, "all.jsonl")
        program = os.path.join(os.environ["R1_BIN"], "r1-fraud")
        run(program, "generate", "--seed", SEED, "--accounts", 100, "--days", 20, "--out", path)
        with open(path, encoding="utf-8") as f:
            cls.payments = [json.loads(line) for line in f][:1200]

    def send(self, s, rows, bad=0):
        path = os.path.join(s.folder, "part.jsonl")
        write_lines(path, rows)
        with open(path, "a", encoding="utf-8") as f:
            f.write("no payment\n" * bad)
            f.write(json.dumps(rows[0]) + "\n")  # a duplicate
        s.produce(path)

    def serve(self, s, *args):
        p = s.serve("--model", "none", "--until-idle", 2, *args)
        self.assertEqual(s.finish(p), 0)

    def refused(self, s, *words):
        """serve ends by itself and says why; offsets show does too."""
        p = s.serve("--model", "none", "--until-idle", 2, wait_ready=False, name="refused")
        self.assertEqual(s.finish(p), 1)
        with open(p.log_path, encoding="utf-8") as f:
            said = f.read()
        shown = s.fraud("offsets", "show", check=False)
        self.assertEqual(shown.returncode, 4, shown.stdout + shown.stderr)
        for word in words:
            self.assertIn(word, shown.stdout)
            self.assertIn(word.split(" before")[0].split(" made")[0], said)
        self.assertIn("r1-fraud offsets reset", said)
        p = s.fraud("offsets", "reset", "--to", "resume", "--why", "x", check=False)
        return p.returncode

    def restart_broker(self, s, same_cluster):
        s.stop_broker()
        s.start_broker()
        if same_cluster:
            cluster = s.fraud("offsets", "show", check=False).stdout.split('"')[1]
            s.sql(
                f"UPDATE r1.stream_offset SET cluster_id = '{cluster}' "
                "WHERE incarnation = (SELECT max(incarnation) FROM r1.stream_offset);"
                f"UPDATE r1.log_owner SET cluster_id = '{cluster}'"
            )
        else:  # the embedded broker may come back with the identity that it had
            s.sql("UPDATE r1.stream_offset SET cluster_id = 'the one before'")

    def reset(self, s, to):
        s.fraud("offsets", "reset", "--to", to, "--why", "a test")

    def counts(self, s):
        return [
            int(s.value(f"SELECT count(*) FROM r1.{table}"))
            for table in ("payment", "dead_letter", "duplicate")
        ]

    def test_topic_made_anew(self):
        """The same offsets name other messages: of another cluster, of a shorter topic, of a
        longer one."""
        with Services(os.path.join(self.folder, "anew"), partitions=2) as s:
            s.fresh_schema()
            self.send(s, self.payments[:300], bad=4)
            self.serve(s)
            self.assertEqual(self.counts(s), [300, 4, 1])
            for step, (same, rows, words) in enumerate(
                (
                    (False, self.payments[300:400], ["cluster"]),
                    (True, self.payments[400:420], ["the topic was made anew"]),
                    (True, self.payments[420:1200], ["is another one than was read there before"]),
                )
            ):
                before = self.counts(s)
                self.restart_broker(s, same)
                self.send(s, rows, bad=4)
                self.assertEqual(self.refused(s, *words), 2)  # resume is refused, too
                self.assertEqual(self.counts(s)[0], before[0])
                self.reset(s, "beginning")
                self.serve(s)
                self.assertEqual(
                    self.counts(s), [before[0] + len(rows), before[1] + 4, before[2] + 1]
                )
                newest = s.value("SELECT max(incarnation) FROM r1.stream_offset")
                self.assertEqual(newest, str(step + 2))
            audit = s.sql(
                "SELECT count(*), count(DISTINCT to_incarnation), min(why), bool_and(who <> '') "
                "FROM r1.offset_audit"
            )
            self.assertEqual(audit, [["6", "3", "a test", "t"]])

    def test_made_anew_and_longer_while_it_runs(self):
        """Seen: one that had grown past the old offset was read on, and noticed by nobody."""
        with Services(os.path.join(self.folder, "running"), partitions=1) as s:
            s.fresh_schema()
            p = s.serve("--model", "none", "--topics-refresh", 1)
            self.send(s, self.payments[:100])
            self.assertEqual(s.wait_for("SELECT count(*) FROM r1.payment", 100), "100")
            time.sleep(3)  # a look
            p.send_signal(signal.SIGSTOP)  # it comes back when the topic is longer
            s.stop_broker()
            s.start_broker()
            self.send(s, self.payments[100:1200])
            p.send_signal(signal.SIGCONT)
            self.assertEqual(s.finish(p, 30), 1)
            with open(p.log_path, encoding="utf-8") as f:
                said = f.read()
            self.assertIn("is another one than was read there before", said)
            self.assertIn("r1-fraud offsets reset", said)
            self.reset(s, "beginning")
            self.serve(s)
            self.assertEqual(self.counts(s)[0], 1200)

    def test_gap(self):
        """Messages that were deleted before they were read: the embedded broker keeps 5 MiB."""
        with Services(os.path.join(self.folder, "gap"), partitions=1) as s:
            s.fresh_schema()
            self.send(s, self.payments[:300])
            self.serve(s)
            many = [
                dict(p, tx_id=f"{p['tx_id']}-{i}", ts=self.payments[299]["ts"] + 1000 * i)
                for i in range(20)
                for p in self.payments
            ]
            self.send(s, many)
            self.assertEqual(self.refused(s, "messages were deleted before they were read"), 0)
            self.serve(s)
            audit = s.sql("SELECT from_incarnation, to_incarnation FROM r1.offset_audit")
            self.assertEqual(audit, [["1", "1"]])
            lost = int(s.value("SELECT to_offset - from_offset FROM r1.offset_audit"))
            self.assertGreater(lost, 0)
            payments, _, duplicates = self.counts(s)
            self.assertEqual(payments + duplicates, 301 + len(many) + 1 - lost)

    def test_no_such_topic(self):
        with Services(os.path.join(self.folder, "nosuch"), partitions=1) as s:
            s.fresh_schema()
            p = s.fraud("serve", "--topic", "nosuch", "--wait", 1, check=False)
            self.assertEqual(p.returncode, 1)
            self.assertIn("topic nosuch: expected one at the broker, found none", p.stderr)


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    print(f"R1_TEST_SEED={SEED}", file=sys.stderr)
    unittest.main(verbosity=2)
