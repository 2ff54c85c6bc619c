#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fraud service end to end: real PostgreSQL, real broker processes, kill -9, and controls that
prove the checks.

tests/e2e/test_stream.py [Kills|Faults|Kills.test_three_kills...]

Environment: R1_BIN (folder with the programs), R1_E2E_KAFKA=1 (Apache Kafka).
"""

import json
import os
import random
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from exactly_once import message_defects  # noqa: E402
from services import ROOT, Services, run  # noqa: E402

SEED = int(os.environ.get("R1_TEST_SEED") or time.time())
KAFKA = os.environ.get("R1_E2E_KAFKA") == "1"
N = 6000
MODEL = os.path.join(ROOT, "models/fraud-s-int8.gguf")
if not os.path.exists(MODEL):
    MODEL = "none"  # rules alone


def build_input(folder):
    """Payments with damage in between; returns the path and what must come out of it."""
    rng = random.Random(SEED)
    path = os.path.join(folder, "payments.jsonl")
    run(
        os.path.join(os.environ["R1_BIN"], "r1-fraud"),
        "generate",
        "--seed",
        SEED % 100000,
        "--accounts",
        400,
        "--days",
        14,
        "--rings",
        4,
        "--out",
        path,
    )
    with open(path, encoding="utf-8") as f:
        good = f.read().split("\n")[:N]
    lines, expected = [], {"payment": 0, "duplicate": 0, "dead_letter": 0, "apart": 0}
    for i, line in enumerate(good):
        lines.append(line)
        expected["payment"] += 1
        roll = rng.random()
        if roll < 0.01:
            lines.append(good[rng.randrange(i + 1)])  # the same tx_id again
            expected["duplicate"] += 1
        elif roll < 0.02 and i:  # the first line tells the form of the file
            bad = [
                line[: len(line) // 2],
                "\x00\xff not json",
                '{"a":' + "[" * 50 + "]" * 50 + "}",
            ]
            lines.append(rng.choice(bad))
            expected["dead_letter"] += 1
        elif roll < 0.03:
            apart = [  # an id that cannot be scored, and ids that were used before
                line.replace('"EUR"', '"XXQ"').replace('"tx_id":"', '"tx_id":"odd-'),
                line.replace('"ts":', '"ts":"x","t":'),
                line.replace('"amount_minor":', '"amount_minor":1'),
            ]
            lines.append(rng.choice(apart))
            expected["payment"] += 1
            expected["apart"] += 1
    with open(path, "w", encoding="latin-1", errors="replace") as f:
        f.write("\n".join(lines) + "\n")
    return path, expected, len(lines)


def dump(s):
    """What a run decided, by payment."""
    return s.sql(
        "SELECT p.tx_id, p.apply_seq, d.decision, d.score, d.logit, d.trace, d.reasons, d.rule, "
        "d.model FROM r1.payment p "
        "JOIN r1.decision d USING (apply_seq) ORDER BY p.tx_id, p.apply_seq"
    )


def defects(s, expected, sent):
    """Everything that would contradict exactly-once; empty when all is well."""
    found = []
    for table, n in expected.items():
        of = "payment WHERE NOT applied" if table == "apart" else table
        got = int(s.value(f"SELECT count(*) FROM r1.{of}"))
        if got != n:
            found.append(f"{table}: expected {n}, found {got}")
    rows = int(s.value("SELECT sum(next_offset) FROM r1.stream_offset WHERE topic = 'payments'"))
    if rows != sent:
        found.append(f"offsets: expected {sent} messages consumed, found {rows}")
    return found + message_defects(s, sent)


class Stream(unittest.TestCase):
    """What the two suites share: a damaged stream, made once for each, and services in folders of
    their own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-e2e-")
        os.chmod(cls.folder, 0o755)
        cls.path, cls.expected, cls.sent = build_input(cls.folder)

    def services(self, name):
        # One partition: the order of consumption is then the order of production, so that two runs
        # can be compared.
        return Services(os.path.join(self.folder, name), kafka=KAFKA, partitions=1)

    def begin(self, s):
        s.fresh_schema()
        s.create_topic()


class Kills(Stream):
    """Scores and reasons after kills are those of an undisturbed run."""

    reference = None

    def undisturbed(self):
        if Kills.reference is None:
            with self.services("reference") as s:
                self.begin(s)
                s.produce(self.path)
                p = s.serve("--model", MODEL, "--until-idle", 2)
                self.assertEqual(s.finish(p), 0)
                self.assertEqual(defects(s, self.expected, self.sent), [])
                Kills.reference = dump(s)
        return Kills.reference

    def kill_run(self, s):
        """Three kills while the stream flows."""
        feeder = s.produce_in_background(self.path, "--rate", 1000)
        rng = random.Random(SEED + 1)
        for _ in range(3):
            p = s.serve("--model", MODEL)
            time.sleep(0.3 + rng.random())
            s.kill(p)
        s.collect(feeder)
        p = s.serve("--model", MODEL, "--until-idle", 2)
        code = s.finish(p)
        return code

    def test_undisturbed(self):
        rows = self.undisturbed()
        self.assertEqual(len(rows), self.expected["payment"])

    def test_three_kills(self):
        reference = self.undisturbed()
        with self.services("kills") as s:
            self.begin(s)
            self.assertEqual(self.kill_run(s), 0)
            self.assertEqual(defects(s, self.expected, self.sent), [])
            differ = [a for a, b in zip(dump(s), reference) if a != b]
            self.assertEqual(
                differ[:2],
                [],
                f"{len(differ)} scores or reasons are not those of the undisturbed run",
            )

    def test_control_without_rebuild(self):
        """Hiding the log from one restart must be noticed: else the comparison above proves
        nothing."""
        reference = self.undisturbed()
        first = self.sent * 2 // 3
        with self.services("no-rebuild") as s:
            self.begin(s)
            s.produce(self.path, "--limit", first)
            self.assertEqual(s.finish(s.serve("--model", MODEL, "--until-idle", 2)), 0)
            # All rows but the newest, so that apply_seq goes on where it was.
            s.sql(
                "CREATE TABLE r1.hidden AS SELECT * FROM r1.payment "
                "WHERE apply_seq < (SELECT max(apply_seq) FROM r1.payment);"
                "DELETE FROM r1.payment WHERE apply_seq IN (SELECT apply_seq FROM r1.hidden)"
            )
            s.produce(self.path, "--skip", first)
            self.assertEqual(s.finish(s.serve("--model", MODEL, "--until-idle", 2)), 0)
            s.sql("INSERT INTO r1.payment SELECT * FROM r1.hidden ON CONFLICT DO NOTHING")
            self.assertTrue(dump(s) != reference)


class Faults(Stream):
    """Two owners, services that go away, late payments, backlogs, dead letters."""

    def two_owners(self, s):
        """A first owner that works on while a second one has taken over: both are fed after the
        take-over."""
        half = self.sent // 2
        first = s.serve("--model", MODEL, "--until-idle", 20, name="first")
        s.produce(self.path, "--rate", 2000, "--limit", half)
        second = s.serve("--model", MODEL, "--until-idle", 4, name="second")
        s.produce(self.path, "--rate", 2000, "--skip", half)
        codes = s.finish(second), s.finish(first)
        return codes[1], codes[0]

    def test_second_owner_is_fenced(self):
        with self.services("fence") as s:
            self.begin(s)
            first, second = self.two_owners(s)
            self.assertEqual((first, second), (1, 0))
            self.assertEqual(defects(s, self.expected, self.sent), [])
            with open(os.path.join(s.folder, "first.log"), encoding="utf-8") as f:
                # whichever sees it first: a write, or the look of one that is idle
                self.assertRegex(f.read(), "R1F01|has taken it")

    def test_control_without_compare_and_set(self):
        """Two owners at once are a race: one of three runs must show what the fence prevents."""
        self.assertTrue(any(self.unfenced_defects(f"no-fence-{i}") for i in range(3)))

    def unfenced_defects(self, name):
        with self.services(name) as s:
            self.begin(s)
            s.sql(
                "CREATE OR REPLACE FUNCTION r1.advance_offset(p_cluster text, p_app text, "
                "p_topic text, p_partition integer, p_old bigint, p_new bigint, p_epoch bigint, "
                "p_identity bigint) "
                "RETURNS void LANGUAGE sql AS $$ UPDATE r1.stream_offset SET next_offset = p_new "
                "WHERE cluster_id = p_cluster AND app = p_app AND topic = p_topic "
                "AND partition = p_partition $$;"
                "CREATE OR REPLACE FUNCTION r1.hold_log(p_app text, p_epoch bigint) "
                "RETURNS void LANGUAGE sql AS $$ SELECT $$;"
                "CREATE OR REPLACE FUNCTION r1.move_log(p_app text, p_epoch bigint, "
                "p_from bigint, p_to bigint) RETURNS void LANGUAGE sql AS $$ SELECT $$;"
                # an idle owner looks at the epoch by itself: it stays
                "CREATE FUNCTION r1.same_epoch() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN NEW.epoch := 1; RETURN NEW; END $$;"
                "CREATE TRIGGER same_epoch BEFORE UPDATE ON r1.log_owner FOR EACH ROW "
                "EXECUTE FUNCTION r1.same_epoch()"
            )
            # A number that is in the log already fences too: the log's keys go as well.
            s.sql(
                "DO $$ DECLARE k record; BEGIN FOR k IN SELECT conrelid::regclass AS t, conname "
                "FROM pg_constraint WHERE contype = 'p' AND conrelid IN "
                "(SELECT inhrelid FROM pg_inherits) LOOP "
                "EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', k.t, k.conname); "
                "END LOOP; END $$"
            )
            self.two_owners(s)
            return defects(s, self.expected, self.sent)

    def test_postgres_dies_in_the_middle(self):
        with self.services("postgres") as s:
            self.begin(s)
            feeder = s.produce_in_background(self.path, "--rate", 2000)
            p = s.serve("--model", MODEL, "--until-idle", 3)
            time.sleep(0.7)
            s.pg("kill9")
            time.sleep(0.5)
            s.pg("start")
            s.collect(feeder)
            self.assertEqual(s.finish(p), 0)
            self.assertEqual(defects(s, self.expected, self.sent), [])

    def test_absent_services(self):
        with self.services("absent") as s:
            self.begin(s)
            url, brokers = s.conninfo, s.brokers
            s.conninfo = "host=/does/not/exist dbname=r1"
            p = s.fraud("serve", "--model", MODEL, "--wait", 0, check=False)
            self.assertEqual(p.returncode, 1)
            self.assertIn("PostgreSQL is not there after 0 s", p.stderr)
            s.conninfo = url
            if not KAFKA:
                s.brokers = "127.0.0.1:1"
                p = s.fraud("serve", "--model", MODEL, "--wait", 0, check=False)
                self.assertEqual(p.returncode, 1)
                self.assertIn("the broker is not there after 0 s", p.stderr)
                s.brokers = brokers
            p = s.fraud("serve", "--model", "/does/not/exist.gguf", check=False)
            self.assertEqual(p.returncode, 2)
            self.assertIn("/does/not/exist.gguf", p.stderr)
            p = s.fraud(
                "serve", "--model", MODEL, "--review-at", "0.9", "--block-at", "0.5", check=False
            )
            self.assertEqual(p.returncode, 2)
            s.sql("DROP SCHEMA r1 CASCADE")
            p = s.fraud("serve", "--model", MODEL, "--wait", 0, check=False)
            self.assertIn("db migrate", p.stderr)

    def test_backlog_is_merged_by_time(self):
        """A service that catches up over four partitions applies payments in about the order in
        which they were sent. Control: in the order of partitions the measure is far worse."""
        order = {}
        with open(self.path, encoding="latin-1") as f:
            for i, line in enumerate(f):
                if line.startswith('{"tx_id":"'):
                    order.setdefault(line[10 : line.index('"', 10)], i)

        def displaced(ids):
            places = [order[t] for t in ids if t in order]
            return max(
                abs(rank - place)
                for rank, place in enumerate(sorted(range(len(places)), key=places.__getitem__))
            )

        with Services(os.path.join(self.folder, "backlog"), kafka=KAFKA, partitions=4) as s:
            self.begin(s)
            s.produce(self.path, "--rate", 2500)
            self.assertEqual(s.finish(s.serve("--model", "none", "--until-idle", 4)), 0)
            self.assertEqual(defects(s, self.expected, self.sent), [])
            applied = [
                r[0]
                for r in s.sql("SELECT tx_id FROM r1.payment WHERE applied ORDER BY apply_seq")
            ]
            by_partition = [
                r[0] for r in s.sql("SELECT tx_id FROM r1.payment WHERE applied "
                    "ORDER BY partition, kafka_offset")
            ]
            self.assertLess(displaced(applied), 100)  # 40 ms of this stream
            self.assertGreater(displaced(by_partition), 1000)

    def test_late_payments_go_by_the_rules(self):
        """What waited longer than the deadline is degraded; what comes in time afterwards is
        not."""
        with self.services("late") as s:
            self.begin(s)
            s.produce(self.path, "--rate", 4000, "--limit", 2000)
            time.sleep(6.5)
            p = s.serve("--model", MODEL, "--until-idle", 5, "--model-deadline", 6000)
            s.produce(self.path, "--rate", 500, "--skip", 2000, "--limit", 1000)
            self.assertEqual(s.finish(p), 0)
            degraded = dict(
                s.sql(
                    "SELECT p.kafka_offset < 2000, string_agg(DISTINCT d.degraded::text, ' ') "
                    "FROM r1.payment p "
                    "JOIN r1.decision d USING (apply_seq) WHERE p.applied GROUP BY 1"
                )
            )
            self.assertEqual(degraded, {"t": "true", "f": "true" if MODEL == "none" else "false"})

    def test_produce_creates_topics_and_takes_the_settings_of_serve(self):
        """--create works on a broker without a controller; the broker comes from R1_BROKERS or
        from serve's file; a short run took no negative time."""
        empty = os.path.join(self.folder, "nothing.jsonl")
        open(empty, "w", encoding="utf-8").close()
        ini = os.path.join(self.folder, "produce.ini")
        with self.services("create") as s:
            s.create_topic()
            begun = time.monotonic()
            p = s.fraud("produce", "--in", empty, "--topic", "new", "--create", 6, "--json")
            self.assertLess(time.monotonic() - begun, 10)
            self.assertGreaterEqual(json.loads(p.stdout)["seconds"], 0)
            if not KAFKA:  # the embedded broker chooses the number, and that is said
                self.assertIn("topic new: expected 6 partitions, found ", p.stderr)
            for _ in range(2):  # a misspelt topic was made, and its messages were read by nobody
                p = s.fraud("produce", "--in", self.path, "--topic", "paymnts", check=False)
                self.assertEqual(p.returncode, 2, p.stderr)
                self.assertIn('found none; did you mean "payments"? --create N makes', p.stderr)
            odd = os.path.join(self.folder, "odd.jsonl")
            with open(odd, "w", encoding="utf-8") as f:
                f.write('{"value": 12.50}\n' * 2)
            p = s.fraud("produce", "--in", odd, "--topic", "new", check=False)
            self.assertEqual(p.returncode, 4, p.stdout + p.stderr)  # it was 0
            self.assertIn("2 of 2 messages: expected a payer or an id in each", p.stderr)
            s.fraud("produce", "--in", odd, "--topic", "new", "--as-lines")
            with open(ini, "w", encoding="utf-8") as f:
                f.write(f"[kafka]\nbrokers = {s.brokers}\nlabels_topic = l\n"
                        "[payments]\nunscorable = review\n")  # fmt: skip
            brokers = s.brokers
            del s.brokers  # no --brokers is given
            s.produce(self.path, "--limit", 3, "--config", ini)
            os.environ["R1_BROKERS"] = brokers
            try:
                s.produce(self.path, "--limit", 3)
            finally:
                del os.environ["R1_BROKERS"]
                s.brokers = brokers

    def test_dead_letters_can_be_sent_back(self):
        with self.services("letters") as s:
            self.begin(s)
            bad = os.path.join(self.folder, "bad.jsonl")
            with open(bad, "w", encoding="utf-8") as f:
                f.write('{"tx_id":"later"\n')
            s.produce(bad)
            self.assertEqual(s.finish(s.serve("--model", MODEL, "--until-idle", 2)), 0)
            letters = s.fraud("dlq", "list").stdout
            self.assertIn("decode: message: expected one JSON object", letters)
            self.assertIn('{"tx_id":"later"', s.fraud("dlq", "show", letters.split()[0]).stdout)
            s.fraud("dlq", "replay", letters.split()[0])
            self.assertEqual(s.finish(s.serve("--model", MODEL, "--until-idle", 2)), 0)
            self.assertEqual(s.value("SELECT count(*) FROM r1.dead_letter"), "2")


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    print(f"R1_TEST_SEED={SEED}", file=sys.stderr)
    unittest.main(verbosity=2)
