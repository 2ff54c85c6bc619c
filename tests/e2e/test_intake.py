#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever comes, somebody decides: odd messages, other people's fields and two currencies through
the service, over a real PostgreSQL and broker, and through a rebuild of its state.

tests/e2e/test_intake.py [Intake.test_odd_messages...]
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "deploy"), os.path.join(HERE, "..", "support")]
from payments import payment  # noqa: E402
from services import ROOT, Services  # noqa: E402


def message(i, **changes):
    return json.dumps(payment(i, **changes), ensure_ascii=False)


def keys_of(s, topic):
    """The keys of a topic's messages, in their order."""
    tool = os.path.join(os.environ["R1_BIN"], "..", "tests", "read_topic")
    p = subprocess.run([tool, s.brokers, topic], capture_output=True, text=True, check=True)
    return [json.loads(line)["key"] for line in p.stdout.splitlines()]


THAI = "กิ" * 70  # 140 characters, 420 bytes
# A message, and what becomes of it: scored, the rule that decides, "duplicate" or "dead".
ODD = [
    (message(0), "scored"),
    (message(1, text=THAI), "scored"),
    (message(2, device="d" * 64), "scored"),
    (message(3, country="GBR"), "scored"),
    (message(4, currency="XXQ"), "unscorable"),
    (message(5, amount_minor=0), "unscorable"),
    (message(6, amount_minor=-500), "unscorable"),
    (message(7, to="A0"), "unscorable"),
    (message(8, kind="direct_debit"), "scored"),
    (message(9, kind="barter"), "unscorable"),
    (message(10, reference=123456789012345678901234567890), "scored"),
    (message(11, currency="JPY"), "unscorable"),
    (message(12).replace('"to"', '"to": "B9", "to"'), "unscorable"),
    (message(13, text="שלום e\u0301 👩\u200d🔬 \u0007"), "scored"),
    (message(14, text="x").replace('"x"', '"\\ud800"'), "scored"),
    (message(15, lat=50), "scored"),
    (message(16, channel="c" * 300), "scored"),
    (message(17, ts="2026-01-01T00:20:00+01:00"), "scored"),
    (message(18, amount_minor=None, amount=125.50), "scored"),
    (message(0, amount_minor=7), "id_reused"),
    (message(0, note="the same payment"), "duplicate"),
    (message(4, currency="XXQ"), "duplicate"),
    (message(4), "scored"),  # mended
    ("no payment", "dead"),
    ("[1]", "dead"),
    ('{"amount_minor": 5}', "dead"),
]


def outcomes(s):
    """What became of each offset."""
    found = {}
    for offset, rule, score in s.sql(
        "SELECT kafka_offset, coalesce(rule, ''), coalesce(score::text, '') FROM r1.payment p "
        "JOIN r1.decision d USING (apply_seq)"
    ):
        found[int(offset)] = "scored" if score else rule
    for table, name in ("duplicate", "duplicate"), ("dead_letter", "dead"):
        for (offset,) in s.sql(f"SELECT kafka_offset FROM r1.{table}"):
            found[int(offset)] = name
    return found


class Intake(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-intake-")
        os.chmod(cls.folder, 0o755)

    def write(self, name, lines):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        return path

    def serve(self, s, *args):
        """Until nothing comes; returns the statistics."""
        path = os.path.join(s.folder, "stats.json")
        p = s.serve("--model", "none", "--until-idle", 1, "--stats", path, *args)
        self.assertEqual(s.finish(p), 0)
        with open(path, encoding="utf-8") as f:
            return json.load(f)

    def begin(self, s):
        s.fresh_schema()
        s.create_topic()

    def test_odd_messages(self):
        with Services(os.path.join(self.folder, "odd"), partitions=1) as s:
            self.begin(s)
            s.produce(self.write("odd.jsonl", [text for text, _ in ODD]))
            stats = self.serve(s)
            found = outcomes(s)
            expected = {i: what for i, (_, what) in enumerate(ODD)}
            self.assertEqual(found, expected)
            apart = sum(what in ("unscorable", "id_reused") for _, what in ODD)
            self.assertEqual(stats["decided_apart"], apart)
            rows = s.sql(
                "SELECT decision, reasons->0->>'code', reasons->0->>'text' FROM r1.decision "
                "WHERE score IS NULL"
            )
            self.assertEqual(len(rows), apart)
            for decision, code, text in rows:
                self.assertEqual(decision, "review")
                self.assertIn(code, ("unscorable", "id_reused"))
                self.assertIn("expected", text)
            self.assertIn(
                "lat, lon", s.value("SELECT notes FROM r1.payment WHERE tx_id = 't15'")
            )
            self.assertEqual(self.serve(s)["state_digest"], stats["state_digest"])
            with open(os.path.join(s.folder, "serve.log"), encoding="utf-8") as f:
                log = f.read()
            self.assertIn("3 messages became dead letters:", log)
            self.assertIn("2 duplicates were dropped; they stand in r1.duplicate\n", log)

    def test_query_of_the_readme(self):
        """It shows what raises the score, strongest first, and the reason of what has no score."""
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            query = re.search(r'-c "(SELECT tx_id, decision.*?)"\n', f.read(), re.S).group(1)
        with Services(os.path.join(self.folder, "readme"), partitions=1) as s:
            self.begin(s)
            rows = [message(i, to="B", **{"from": "A"}) for i in range(9)]
            rows.append(message(9, amount_minor=-5))
            s.produce(self.write("readme.jsonl", rows))
            self.serve(s, "--review-at", "0.000001")
            shown = s.sql(query)
            self.assertEqual(len(shown), len(rows))
            self.assertIn("a refund", shown[-1][-1])
            lowered = raised = 0
            reasons = s.sql("SELECT reasons FROM r1.decision ORDER BY apply_seq")
            for (text,), line in zip(reasons[:-1], shown):
                listed = json.loads(text or "[]")
                up = [x["text"] for x in listed if x.get("contribution", 1) > 0]
                self.assertEqual(line[-1] or "", "; ".join(up))
                raised += len(up)
                lowered += len(listed) - len(up)
            self.assertGreater(min(raised, lowered), 0)

    def test_pipe_of_csv(self):
        """produce sends each row of a pipe as it comes, keyed by the payer or else by the id; a row
        that does not fit its header is counted and not sent."""
        pipe = os.path.join(self.folder, "rows.csv")
        row = "1767225600000,card,{},B,1.50,EUR\n"
        with Services(os.path.join(self.folder, "pipe"), partitions=1) as s:
            self.begin(s)
            os.mkfifo(pipe)
            feeder = s.produce_in_background(pipe)
            service = s.serve("--model", "none")
            with open(pipe, "w", encoding="utf-8") as f:
                f.write("tx_id,ts,kind,from,to,amount,currency\n1," + row.format("A"))
                f.flush()
                s.wait_for("SELECT count(*) FROM r1.decision", "1")
                f.write("2,B\n3," + row.format("") + '4,"' + row.format("C"))
            counts = s.collect(feeder)
            self.assertEqual(feeder.returncode, 4)
            s.wait_for("SELECT count(*) FROM r1.decision", "2")
            s.kill(service, signal.SIGTERM)
            self.assertEqual((counts["sent"], counts["faults"], counts["without_key"]), (2, 2, 0))
            self.assertEqual(keys_of(s, "payments"), ["A", "3"])
            path = self.write("none.jsonl", ['{"amount": 5}', '{"from": 7, "x": "7"}', "[1]"])
            self.assertEqual(s.produce(path)["without_key"], 2)
            keys = [key or "" for key in keys_of(s, "payments")]
            self.assertEqual(keys[2:], ["", "7", ""])

    def test_policy_for_unscorable(self):
        with Services(os.path.join(self.folder, "policy"), partitions=1) as s:
            self.begin(s)
            s.produce(self.write("policy.jsonl", [message(0, amount_minor=-5)]))
            self.serve(s, "--unscorable", "block")
            self.assertEqual(s.value("SELECT decision FROM r1.decision"), "block")

    def test_first_payment_is_told(self):
        """A zero as the first date sets no clock, and what decides the currency is said."""
        lines = [message(0, ts=0), message(1), message(2, currency="USD"), message(3)]
        with Services(os.path.join(self.folder, "first"), partitions=1) as s:
            self.begin(s)
            s.produce(self.write("first.jsonl", lines))
            stats = self.serve(s)
            self.assertEqual(
                outcomes(s), {0: "time_suspect", 1: "scored", 2: "unscorable", 3: "scored"}
            )
            again = self.serve(s)
            self.assertEqual(again["state_digest"], stats["state_digest"])
            with open(os.path.join(s.folder, "serve.log"), encoding="utf-8") as f:
                log = f.read()
            for said in (
                "no setting currency: the first payment will decide",
                "currency_taken currency=EUR topic=payments partition=0 offset=1",
                "amounts are compared in EUR, by the first payment of the log",
                "4 payments decided in ",
                "2 of them have no score (unscorable = review): 1 x time_suspect ts, 1 x unscorable"
                " currency\n",
                "1 of these are in another currency than EUR, which the first payment told",
            ):
                self.assertIn(said, log)

    def test_change_of_currency_is_refused(self):
        """By the log, and by a snapshot whose rows retention has dropped; rates change nothing. A
        setting in which nothing was applied can be mended."""
        rates = self.write("change.csv", ["currency,rate,date", "EUR,1.08,2025-01-01"])
        dollars = ["--currency", "USD", "--rates", rates]
        with Services(os.path.join(self.folder, "change"), partitions=1) as s:
            self.begin(s)
            snapshots = ["--snapshot-dir", os.path.join(s.folder, "snapshots")]
            s.produce(self.write("change.jsonl", [message(i) for i in range(3)]))
            self.assertEqual(self.serve(s, *snapshots, "--currency", "CHF")["decided_apart"], 3)
            s.produce(self.write("more.jsonl", [message(i) for i in range(3, 6)]))
            stats = self.serve(s, *snapshots, "--currency", "EUR")
            self.assertEqual(stats["decided_apart"], 0)

            def refused(where, *args):
                said = (
                    f"currency: expected EUR, in which the amounts of the {where} are, found USD: "
                    "rates do not convert what was applied; keep the setting currency = EUR, or "
                    "begin with a database of its own"
                )
                with self.assertRaisesRegex(RuntimeError, said):
                    s.serve("--model", "none", "--until-idle", 1, *args)

            refused("log", *dollars)
            refused("snapshot", *dollars, *snapshots)
            s.sql("DELETE FROM r1.decision; DELETE FROM r1.payment")
            refused("snapshot", *dollars, *snapshots)
            again = self.serve(s, *snapshots, "--currency", "EUR")
            self.assertEqual(again["state_digest"], stats["state_digest"])

    def test_map_and_rates(self):
        """Somebody's names, units, times and currencies. The state comes again from the log alone,
        with another mapping file and without rates."""
        lines = [
            json.dumps(
                {
                    "id": f"p{i}",
                    "at": f"2026-01-01 10:{i:02}:00",
                    "type": "SCT",
                    "payer": {"iban": f"A{i % 3}"},
                    "payee": {"iban": f"B{i % 4}"},
                    "sum": f"{10 + i}.50" if i % 2 else 1000 + i,
                    "cur": "EUR" if i % 2 else "JPY",
                }
            )
            for i in range(40)
        ]
        mapping = [
            "[fields]",
            "tx_id = id",
            "ts = at",
            "kind = type",
            "from = payer.iban",
            "to = payee.iban",
            "amount = sum",
            "currency = cur",
            "[time]",
            "format = iso",
            "zone = +01:00",
        ]
        rates = ["currency,rate,date", "JPY,0.00612,2025-01-01"]
        money = ["--currency", "EUR", "--rates", self.write("rates.csv", rates)]
        rules = [  # docs/rules.md: converted payments are amounts of the stream's currency
            "yen: amount > 900 JPY or sum(sender, 7d) > 1000 EUR -> block",
            "small: amount < 10 EUR -> review",
        ]
        rules = ["--rules", self.write("rules.txt", rules)]
        with Services(os.path.join(self.folder, "map"), partitions=1) as s:
            self.begin(s)
            own = self.write("own.ini", mapping)
            s.produce(self.write("own.jsonl", lines), "--map", own)
            stats = self.serve(s, "--map", own, *money, *rules)
            self.assertEqual(stats["decided_apart"], 0)
            fired = s.sql(
                "SELECT currency, coalesce(rule, ''), count(*) FROM r1.payment "
                "JOIN r1.decision USING (apply_seq) GROUP BY 1, 2 ORDER BY 1"
            )
            self.assertEqual(fired, [["EUR", "", "20"], ["JPY", "small", "20"]])
            self.assertEqual(
                s.sql(
                    "SELECT currency, min(amount_minor), min(ts AT TIME ZONE 'UTC') "
                    "FROM r1.payment GROUP BY 1 ORDER BY 1"
                ),
                [["EUR", "1150", "2026-01-01 09:01:00"], ["JPY", "1000", "2026-01-01 09:00:00"]],
            )
            self.assertEqual(
                json.loads(s.value("SELECT payload FROM r1.payment LIMIT 1"))["original"], lines[0]
            )
            again = self.serve(s, *money[:2])
            self.assertEqual(again["state_digest"], stats["state_digest"])

    def test_credits_and_rows_left_out(self):
        """Credits have payer and payee the other way round. What the mapping file leaves out is
        counted, sent by no produce that knows the file, and read by each offset once."""
        rows = [
            {"id": f"b{i}", "at": 1767225600000 + i * 60000, "own": f"A{i % 3}", "other": f"B{i}",
             "sum": 10 + i, "sh": "SH"[i % 2], "status": "VOID" if i % 5 == 4 else "BOOKED"}
            for i in range(20)
        ]  # fmt: skip
        mapping = [
            *["[fields]", "tx_id = id", "ts = at", 'kind = "transfer"', "from = own", "to = other"],
            *["amount = sum", 'currency = "EUR"', "booking = sh"],
            *["[booking]", "debit = S", "credit = H", "[rows]", "leave_out = status is VOID"],
        ]
        with Services(os.path.join(self.folder, "booking"), partitions=1) as s:
            self.begin(s)
            own = self.write("booking.ini", mapping)
            path = self.write("booking.jsonl", [json.dumps(row) for row in rows])
            self.assertEqual(s.produce(path)["sent"], 20)
            stats = self.serve(s, "--map", own, "--currency", "EUR")
            self.assertEqual((stats["payments"], stats["left_out"]), (16, 4))
            want = [
                [p["id"], *([p["own"], p["other"]] if p["sh"] == "S" else [p["other"], p["own"]])]
                for p in rows
                if p["status"] == "BOOKED"
            ]
            found = s.sql("SELECT tx_id, from_id, to_id FROM r1.payment ORDER BY apply_seq")
            self.assertEqual(found, want)
            with open(os.path.join(s.folder, "serve.log"), encoding="utf-8") as f:
                self.assertIn("4 messages were left out by the mapping file: 4 x status", f.read())
            self.assertEqual(s.value("SELECT count(*) FROM r1.dead_letter"), "0")
            again = self.serve(s, "--map", own, "--currency", "EUR")
            self.assertEqual((again["consumed"], again["left_out"]), (0, 0))
            self.assertEqual(again["state_digest"], stats["state_digest"])
            counts = s.produce(path, "--map", own)
            self.assertEqual((counts["sent"], counts["left_out"]), (16, 4))
            keys = keys_of(s, "payments")[20:]
            self.assertEqual(keys, [row[1] for row in want])
            again = self.serve(s, "--map", own, "--currency", "EUR")
            self.assertEqual((again["duplicates"], again["left_out"]), (16, 0))


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    unittest.main(verbosity=2)
