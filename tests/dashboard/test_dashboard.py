#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard over a real PostgreSQL, broker and fraud service: alerts become cases, people
decide them, outcomes become labels, and nobody does what his role may not.

tests/dashboard/test_dashboard.py [Cases|Tools|Access|Bad|Medical]

Environment: R1_BIN (folder with the programs).
"""

import csv
import io
import json
import os
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from dash_services import PEOPLE, Dashboard, Person, bin_dir, password, wait_until

SCRIPT = "<img src=x onerror=alert(1)>"


class Served(unittest.TestCase):
    """One dashboard for all tests of a suite."""

    args = ()

    @classmethod
    def setUpClass(cls):
        cls.s = s = Dashboard(tempfile.mkdtemp(prefix="r1-dash-"))
        os.chmod(s.folder, 0o755)
        cls.addClassCleanup(s.close)
        s.begin()
        cls.more()
        cls.port = s.start_dash(*cls.args)

    @classmethod
    def more(cls):
        pass

    def person(self, name=None):
        return Person(self.port, name)

    def case(self, who, number):
        status, answer = who.get(f"case?id={number}")
        self.assertEqual(status, 200, answer)
        return answer

    def decide(self, who, number, outcome="false_positive", **more):
        version = self.case(who, number)["case"]["version"]
        said = {"id": number, "version": version, "outcome": outcome, "reason": "known_behaviour"}
        return who.post("case/decide", {**said, "comment": "as always", **more})


def alert(s, seq, giver, taker, minor=5000, tx=None, currency="EUR", decision="review", score=0.8):
    """An alert that no service made, at the end of the log."""
    tx = tx or f"t{seq}"
    s.sql(
        "INSERT INTO r1.payment (apply_seq, tx_id, ts, kind, from_id, to_id, amount_minor, "
        "currency, "
        f"topic, partition, kafka_offset, payload) VALUES ({seq}, $q${tx}$q$, now(), 'transfer', "
        f"$q${giver}$q$, $q${taker}$q$, {minor}, '{currency}', 'made', 0, {seq}, '{{}}'); "
        "INSERT INTO r1.decision (apply_seq, decision, score, logit, degraded, trace, reasons, "
        "model, "
        f"config) VALUES ({seq}, '{decision}', {score}, 1.4, false, '{{-3, 4.4}}', "
        "jsonb_build_array(jsonb_build_object('code', 'x', 'contribution', 4.4, "
        f"'text', $q${tx}$q$)), "
        "'m', 'c')"
    )


def case_of(s, seq):
    wait_until(lambda: s.value(f"SELECT case_id FROM r1.case_alert WHERE apply_seq = {seq}"), 20)
    return int(s.value(f"SELECT case_id FROM r1.case_alert WHERE apply_seq = {seq}"))


class Cases(Served):
    """Over a stream that the fraud service decides."""

    args = ("--labels-topic", "labels")

    @classmethod
    def more(cls):
        cls.n_alert = cls.s.alerts()
        cls.seq = 10_000_000

    def fresh(self, n=1, minor=5000):
        """A case of n alerts between two accounts that nothing else names."""
        seqs = []
        for _ in range(n):
            Cases.seq += 1
            alert(self.s, Cases.seq, f"giver{Cases.seq - len(seqs)}", f"taker{Cases.seq}", minor)
            seqs.append(Cases.seq)
        return case_of(self.s, seqs[-1]), seqs

    def test_each_alert_in_one_case(self):
        self.assertTrue(self.s.gathered())
        self.assertGreater(self.n_alert, 10)
        wrong = self.s.value(
            "SELECT count(*) FROM r1.fraud_case c WHERE n_alert <> (SELECT count(*) FROM "
            "r1.case_alert a WHERE a.case_id = c.id) AND merged_into IS NULL"
        )
        self.assertEqual(wrong, "0")
        joined = self.s.value("SELECT max(n_alert) FROM r1.fraud_case")
        self.assertGreater(int(joined), 2, "no alerts were put together")

    def test_two_servers_gather_each_alert_once(self):
        other = self.s.start_dash()
        self.assertGreater(other, 0)
        first = Cases.seq + 1
        for _ in range(40):
            Cases.seq += 1
            alert(self.s, Cases.seq, f"g{Cases.seq}", f"h{Cases.seq}")
        self.assertTrue(self.s.gathered())
        n = self.s.value(
            f"SELECT count(*) FROM r1.case_alert WHERE apply_seq BETWEEN {first} AND {Cases.seq}"
        )
        self.assertEqual(int(n), Cases.seq - first + 1)
        self.s.kill(self.s.dash_process)

    def test_a_shop_joins_nobody(self):
        """Alerts of strangers that pay one shop stay cases of their own."""
        s = self.s
        s.sql(
            "INSERT INTO r1.payment (apply_seq, tx_id, ts, kind, from_id, to_id, amount_minor, "
            "currency, topic, partition, kafka_offset, payload) SELECT 20000000 + i, 'shop' || i, "
            "now(), 'card', 'buyer' || i, 'the shop', 100, 'EUR', 'made', 0, 20000000 + i, '{}' "
            "FROM "
            "generate_series(1, 80) i"
        )
        alert(s, 20000101, "buyer one", "the shop")
        alert(s, 20000102, "buyer two", "the shop")
        self.assertNotEqual(case_of(s, 20000101), case_of(s, 20000102))

    def test_people_take_different_cases(self):
        self.s.gathered()
        taken, lock = [], threading.Lock()

        def takes(name):
            who = self.person(name)
            for _ in range(6):
                status, answer = who.post("cases/take")
                with lock:
                    taken.append((status, answer.get("id")))

        threads = [threading.Thread(target=takes, args=(n,)) for n in ("ann", "abe", "sue", "sid")]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        ids = [i for status, i in taken if status == 200 and i]
        self.assertEqual(len(ids), len(set(ids)), taken)
        self.assertTrue(all(status == 200 for status, _ in taken), taken)

    def test_outcome_becomes_labels(self):
        """On the topic, in the table, once; a reversed decision is a second event."""
        number, seqs = self.fresh()
        ann = self.person("ann")
        self.assertEqual(self.decide(ann, number, "fraud")[0], 200)
        tx = f"t{seqs[0]}"
        sql = (
            "SELECT string_agg(is_fraud::text, ',' ORDER BY apply_seq) FROM r1.label "
            f"WHERE tx_id = '{tx}'"
        )
        self.assertEqual(self.s.wait_for(sql, "true", 30), "true")
        case = self.case(ann, number)["case"]
        again = {"id": number, "version": case["version"], "comment": "a mistake"}
        self.assertEqual(ann.post("case/reopen", again)[0], 200)
        self.assertEqual(self.decide(ann, number)[0], 200)
        self.assertEqual(self.s.wait_for(sql, "true,false", 30), "true,false")
        sent = "SELECT count(*) FROM r1.case_label WHERE sent_at IS NULL"
        self.assertEqual(self.s.wait_for(sent, 0, 30), "0")
        types = [e["type"] for e in self.case(ann, number)["events"]]
        self.assertEqual(types.count("decided"), 2)

    def test_four_eyes(self):
        number, _ = self.fresh(minor=5_000_000)
        sue, sid = self.person("sue"), self.person("sid")
        status, answer = self.decide(sue, number, "fraud")
        self.assertEqual((status, answer["state"]), (200, "approval"))
        said = {"id": number, "version": self.case(sue, number)["case"]["version"], "agrees": True}
        self.assertEqual(sue.post("case/approve", said)[0], 403, "who proposed it agreed to it")
        self.assertEqual(self.person("ann").post("case/approve", said)[0], 403)
        self.assertEqual(
            self.s.value(f"SELECT count(*) FROM r1.case_label WHERE case_id = {number}"), "0"
        )
        self.assertEqual(sid.post("case/approve", said), (200, {"state": "closed"}))
        self.assertEqual(
            self.s.value(f"SELECT count(*) FROM r1.case_label WHERE case_id = {number}"), "1"
        )

    def test_who_was_slower_is_told(self):
        number, _ = self.fresh()
        ann, abe = self.person("ann"), self.person("abe")
        version = self.case(ann, number)["case"]["version"]
        said = {
            "id": number,
            "version": version,
            "outcome": "false_positive",
            "reason": "x",
            "comment": "y",
        }
        both = [None, None]

        def go(i, who):
            both[i] = who.post("case/decide", said)[0]

        threads = [threading.Thread(target=go, args=(i, w)) for i, w in enumerate((ann, abe))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(both), [200, 409])

    def test_split_and_merge(self):
        for _ in range(2):
            Cases.seq += 1
            alert(self.s, Cases.seq, "same giver", f"end{Cases.seq}")
        number, sue = case_of(self.s, Cases.seq), self.person("sue")
        case = self.case(sue, number)
        self.assertEqual(case["case"]["n_alert"], 2)
        said = {"id": number, "version": case["case"]["version"], "payments": [Cases.seq]}
        status, answer = sue.post("case/split", said)
        self.assertEqual(status, 200, answer)
        other = answer["id"]
        self.assertEqual(self.case(sue, other)["case"]["n_alert"], 1)
        version = self.case(sue, number)["case"]["version"]
        self.assertEqual(
            sue.post("case/merge", {"id": number, "version": version, "from": other})[0], 200
        )
        self.assertEqual(self.case(sue, number)["case"]["n_alert"], 2)
        self.assertEqual(self.case(sue, other)["case"]["merged_into"], number)

    def test_similar_past_cases(self):
        """Those closed before, the most alike first; never itself, and none that is open again."""
        ann, numbers = self.person("ann"), []
        for minor in (4100, 4200, 90_000_000):
            number, _ = self.fresh(minor=minor)
            numbers.append(number)
        self.assertEqual(self.decide(ann, numbers[0], "fraud")[0], 200)
        held = lambda: [  # noqa: E731
            c["id"] for c in ann.get(f"case/similar?id={numbers[1]}")[1]["cases"]
        ]
        self.assertTrue(wait_until(lambda: numbers[0] in held(), 30))
        status, answer = ann.get(f"case/similar?id={numbers[1]}")
        self.assertEqual(status, 200)
        rows = {c["id"]: c for c in answer["cases"]}
        self.assertNotIn(numbers[1], rows)
        near = rows[numbers[0]]
        self.assertEqual(near["outcome"], "fraud")
        self.assertGreater(near["likeness"], 0.99)
        self.assertLessEqual({"amount", "alerts", "x"}, set(near["alike"]))
        likeness = [c["likeness"] for c in answer["cases"]]
        self.assertEqual(likeness, sorted(likeness, reverse=True))
        far = {c["id"]: c for c in ann.get(f"case/similar?id={numbers[2]}")[1]["cases"]}
        if numbers[0] in far:
            self.assertLess(far[numbers[0]]["likeness"], near["likeness"])
            self.assertNotIn("amount", far[numbers[0]]["alike"])
        version = self.case(ann, numbers[0])["case"]["version"]
        again = {"id": numbers[0], "version": version, "comment": "a mistake"}
        self.assertEqual(ann.post("case/reopen", again)[0], 200)
        self.assertNotIn(numbers[0], held())
        self.assertEqual(ann.get("case/similar?id=987654321")[0], 404)
        self.assertEqual(self.person("cleo").get("case/similar?id=1")[0], 403)

    def test_snoozed_case_wakes(self):
        number, _ = self.fresh()
        ann = self.person("ann")
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
        self.assertEqual(self.decide(ann, number, "snooze", until=until)[0], 200)
        self.assertEqual(self.case(ann, number)["case"]["state"], "snoozed")
        wakes = lambda: self.case(ann, number)["case"]["state"] == "open"  # noqa: E731
        self.assertTrue(wait_until(wakes, 15))
        for wrong in ("2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z", None):
            self.assertEqual(self.decide(ann, number, "snooze", until=wrong)[0], 422)

    def test_contributions_and_rings_are_there(self):
        self.s.gathered()
        ann = self.person("ann")
        first = ann.get("cases")[1]["cases"][0]
        case = self.case(ann, first["id"])
        for a in case["alerts"]:
            if a["trace"] and a["logit"] is not None:
                self.assertAlmostEqual(sum(a["trace"]), a["logit"], places=2)
        status, ring = ann.get(f"case/ring?id={first['id']}")
        self.assertEqual(status, 200)
        members = {a["name"] for a in ring["accounts"] if a["member"]}
        self.assertTrue(all(p["from"] in members and p["to"] in members for p in ring["payments"]))
        later = ann.get(f"case/ring?id={first['id']}&as_of=alert")[1]["payments"]
        self.assertLessEqual(len(later), len(ring["payments"]))
        wide = ann.get(f"case/ring?id={first['id']}&hops=1")[1]
        self.assertGreaterEqual(len(wide["accounts"]), len(ring["accounts"]))

    def test_pages_go_on_behind_the_last_row(self):
        self.s.gathered()
        ann, seen, after = self.person("ann"), [], ""
        while True:
            rows = ann.get(f"cases?state=any{after}")[1]["cases"]
            seen += [c["id"] for c in rows]
            if len(rows) < 50:
                break
            after = f"&after={rows[-1]['priority']}&after_id={rows[-1]['id']}"
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(len(seen), int(self.s.value("SELECT count(*) FROM r1.fraud_case")))

    def test_a_ring_of_ten_thousand_accounts(self):
        s = self.s
        s.sql(
            "INSERT INTO r1.payment (apply_seq, tx_id, ts, kind, from_id, to_id, amount_minor, "
            "currency, topic, partition, kafka_offset, payload) SELECT 30000000 + i, 'big' || i, "
            "now(), 'transfer', 'big' || i % 10000, 'big' || (i * 7 + 1) % 10000, 100, 'EUR', "
            "'made', 0, 30000000 + i, '{}' FROM generate_series(1, 20000) i"
        )
        alert(s, 30100000, "big1", "big2")
        s.sql(
            "INSERT INTO r1.finding (apply_seq, ordinal, pattern, accounts, payments) SELECT "
            "30100001, 0, 'fan_in', array_agg('big' || i), '{}' FROM generate_series(1, 9999) i"
        )
        alert(s, 30100001, "big3", "big4")
        number = case_of(s, 30100001)
        began = time.time()
        status, ring = self.person("ann").get(f"case/ring?id={number}")
        self.assertEqual(status, 200, ring)
        self.assertLess(time.time() - began, 10)
        self.assertTrue(ring["capped"])
        self.assertLessEqual(len(ring["accounts"]), 2000)
        self.assertGreater(ring["n_account"], 2000)

    def test_news_arrive(self):
        ann = self.person("ann")
        _, _, first = ann.ask("GET", "/api/v1/events")
        last = first.decode().split("id: ")[1].split("\n")[0]
        found = []

        def hears():
            found.append(
                ann.ask("GET", "/api/v1/events", headers={"Last-Event-ID": last})[2].decode()
            )

        t = threading.Thread(target=hears)
        t.start()
        number, _ = self.fresh()
        t.join()
        self.assertIn("event: case", found[0])
        text, last = found[0], found[0].rsplit("id: ", 1)[1].split("\n")[0]
        while f"data: {number} " not in text:
            text = ann.ask("GET", "/api/v1/events", headers={"Last-Event-ID": last})[2].decode()
            self.assertNotIn(": nothing new", text)
            last = text.rsplit("id: ", 1)[1].split("\n")[0]

    def test_thresholds_rules_health(self):
        ann = self.person("ann")
        stored = ann.get("thresholds")[1]
        self.assertGreater(stored["seconds"], 5 * 86400)  # of the stream, not of its replay
        bins = stored["bins"]
        n = int(self.s.value("SELECT count(*) FROM r1.decision WHERE score IS NOT NULL"))
        self.assertGreater(sum(b[1] for b in bins), 0)
        self.assertLessEqual(sum(b[1] for b in bins), n)
        self.assertEqual(ann.get("rules")[0], 200)
        health = ann.get("health")[1]
        self.assertEqual({x["app"] for x in health["streams"]}, {"fraud"})
        self.assertTrue(health["versions"])


class Tools(Served):
    """What the server has r1-fraud do: over a stream that no test has added rows to."""

    @classmethod
    def more(cls):
        cls.s.alerts()
        cls.args = ("--fraud-config", cls.s.fraud_config())

    def test_try_a_change(self):
        """The service's own replay of a change, and none of its files can be read by it."""
        sue = self.person("sue")
        status, answer = sue.post("try", {"since": "30000d", "alerts_per_day": 1})
        self.assertEqual((status, answer.get("code")), (200, 0), answer)
        self.assertIn("alerts", answer["text"])
        status, other = sue.post("try", {"since": "30000d", "review_at": 0.0001})
        self.assertEqual((status, other.get("code")), (200, 0), other)
        self.assertNotEqual(answer["text"], other["text"])
        rule = "any_money: amount > 1 -> review\n"
        status, ruled = sue.post("try", {"since": "30000d", "rules": rule})
        self.assertEqual((status, ruled.get("code")), (200, 0), ruled)
        self.assertIn("any_money", ruled["text"])
        status, wrong = sue.post("try", {"rules": "no rule at all"})
        self.assertEqual(status, 200)
        self.assertNotEqual(wrong["code"], 0)
        self.assertIn("expected", wrong["text"])
        for bad in ({"since": "7d; rm"}, {"since": "-7d"}, {"review_at": "1"}, {"model": "x"},
                    {"rules": 7}):  # fmt: skip
            self.assertEqual(sue.post("try", bad)[0], 422, bad)
        for name in ("ann", "vic", "aud", "cleo", "root"):
            self.assertEqual(self.person(name).post("try", {})[0], 403, name)
        n = "SELECT count(*) FROM r1.dash_audit WHERE action = 'config.try' AND actor = 'sue'"
        self.assertEqual(self.s.value(n), "4")
        # A value that ends its line would be a setting of its own.
        status, answer = sue.post("try", {"since": "7d\nmodel = /etc/passwd"})
        self.assertEqual(status, 422, answer)

    def test_dead_letters(self):
        sue, s = self.person("sue"), self.s
        path = os.path.join(s.folder, "dead.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"amount_minor": 57005}\n')
        before = int(s.value("SELECT count(*) FROM r1.dead_letter"))
        s.produce(path)
        self.assertTrue(
            wait_until(lambda: int(s.value("SELECT count(*) FROM r1.dead_letter")) > before, 30)
        )
        letter = sue.get("dead")[1]["letters"][0]
        self.assertIn(letter["stage"], ("decode", "validate"))
        reason = letter["reason"].split(":")[0]
        narrow = sue.get(f"dead?stage={letter['stage']}&reason={urllib.parse.quote(reason)}")[1]
        self.assertIn(letter["id"], [x["id"] for x in narrow["letters"]])
        status, shown = sue.post("dead/show", {"id": letter["id"]})
        self.assertEqual((status, shown.get("code")), (200, 0), shown)
        self.assertIn("57005", shown["text"])
        good = {
            "tx_id": "mended-1", "ts": int(time.time() * 1000), "kind": "transfer", "from": "m1",
            "to": "m2", "amount": 12.5, "currency": "EUR",
        }  # fmt: skip
        said = {"id": letter["id"], "payload": "still no payment", "send": True}
        status, answer = sue.post("dead/mend", said)
        self.assertEqual(status, 200)
        self.assertNotEqual(answer["code"], 0, answer)
        said["payload"] = json.dumps(good)
        status, answer = sue.post("dead/mend", {**said, "send": False})
        self.assertEqual((status, answer.get("code")), (200, 0), answer)
        n = "SELECT count(*) FROM r1.payment WHERE tx_id = 'mended-1'"
        self.assertEqual(s.value(n), "0", "a dry run has sent it")
        status, answer = sue.post("dead/mend", said)
        self.assertEqual((status, answer.get("code")), (200, 0), answer)
        self.assertEqual(s.wait_for(n, 1, 30), "1")
        self.assertNotIn(letter["id"], [x["id"] for x in sue.get("dead")[1]["letters"]])
        for name in ("ann", "vic", "aud", "cleo", "root"):
            self.assertEqual(self.person(name).post("dead/show", {"id": 1})[0], 403, name)
        n = "SELECT count(*) FROM r1.dash_audit WHERE action = 'dead.mend' AND object = "
        self.assertEqual(s.value(f"{n}'dead letter {letter['id']}'"), "3")

    def test_retention(self):
        aud = self.person("aud")
        held = aud.get("retention")[1]
        tables = {p["of_table"] for p in held["parts"]}
        self.assertLessEqual({"payment", "decision"}, tables)
        self.assertEqual(self.person("ann").get("retention")[0], 403)
        self.assertEqual(self.person("root").get("retention")[0], 200)


class Access(Served):
    """Who may what: by the server, and by PostgreSQL itself."""

    def test_roles_by_the_server(self):
        alert(self.s, 1, "a", "b")
        case_of(self.s, 1)
        reads = {
            "cases": {"analyst", "supervisor", "viewer", "auditor"},
            "case?id=1": {"analyst", "supervisor", "viewer", "auditor"},
            "account?name=a": {"analyst", "supervisor", "viewer", "auditor"},
            "records": {"clinician"},
            "record?id=1": {"clinician"},
            "medical/terms?q=ab": {"clinician"},
            "audit": {"auditor", "administrator"},
            "users": {"auditor", "administrator"},
            "health": {"analyst", "supervisor", "viewer", "auditor"},
        }
        writes = {
            "cases/take": ({}, {"analyst", "supervisor"}),
            "case/note": ({"id": 1, "text": "x"}, {"analyst", "supervisor"}),
            "case/approve": ({"id": 1, "version": 1, "agrees": True}, {"supervisor"}),
            "user/set": ({"name": "vic"}, {"administrator"}),
            "user/add": ({"name": "x", "role": "viewer", "password": "short"}, {"administrator"}),
            "settings/set": ({"name": "hours_low", "value": 120}, {"administrator"}),
        }
        for name, role in PEOPLE.items():
            who = self.person(name)
            for path, roles in reads.items():
                status = who.get(path)[0]
                self.assertEqual(status != 403, role in roles, (name, path, status))
            for path, (body, roles) in writes.items():
                status = who.post(path, body)[0]
                self.assertEqual(status != 403, role in roles, (name, path, status))

    def test_roles_by_postgres(self):
        """The same, where a server that was taken over would ask."""
        refused = [
            ("r1_viewer", "UPDATE r1.fraud_case SET state = 'closed'"),
            (
                "r1_viewer",
                "INSERT INTO r1.case_event (case_id, actor, type) VALUES (1, 'vic', 'note')",
            ),
            ("r1_clinician", "SELECT * FROM r1.payment"),
            ("r1_clinician", "SELECT * FROM r1.fraud_case"),
            ("r1_analyst", "SELECT * FROM r1.med_report"),
            ("r1_analyst", "SELECT payload FROM r1.dead_letter"),
            ("r1_analyst", "SELECT * FROM r1.dash_audit"),
            ("r1_analyst", "SELECT password_hash FROM r1.dash_user"),
            ("r1_administrator", "SELECT password_hash FROM r1.dash_user"),
            ("r1_administrator", "SELECT * FROM r1.payment"),
            ("r1_auditor", "INSERT INTO r1.dash_audit VALUES (1, now(), '', '', '', '', '{}', '')"),
            ("r1_supervisor", "DELETE FROM r1.case_event"),
            (
                "r1_analyst",
                "INSERT INTO r1.case_event (case_id, actor, type) VALUES (2, 'sue', 'note')",
            ),
        ]
        alert(self.s, 2, "c", "d")
        number = case_of(self.s, 2)
        for role, statement in refused:
            out = subprocess.run(
                ["psql", self.s.conninfo, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c",
                 f"SET ROLE {role}; SELECT set_config('r1.actor', 'ann', false); {statement}"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            self.assertNotEqual(out.returncode, 0, (role, statement))
            self.assertRegex(out.stderr, "permission denied|row-level security", (role, statement))
        self.s.sql(f"UPDATE r1.fraud_case SET owner = 'abe' WHERE id = {number}")
        changed = (
            "SET ROLE r1_analyst; SELECT set_config('r1.actor', 'ann', false); "
            f"WITH u AS (UPDATE r1.fraud_case SET priority = 0 WHERE id = {number} RETURNING 1) "
            "SELECT count(*) FROM u"
        )
        self.assertEqual(self.s.sql(changed)[-1], ["0"], "an analyst changed another's case")

    def test_audit_is_a_chain(self):
        self.person("ann").get("cases")
        self.assertEqual(self.s.dash("audit", "verify").returncode, 0)
        out = self.s.sql("UPDATE r1.dash_audit SET actor = 'nobody' WHERE id = 3", check=False)
        self.assertEqual(out, [])
        self.assertNotEqual(self.s.value("SELECT actor FROM r1.dash_audit WHERE id = 3"), "nobody")
        was = self.s.value("SELECT actor FROM r1.dash_audit WHERE id = 3")
        change = "ALTER TABLE r1.dash_audit {} TRIGGER dash_audit_grows"
        self.s.sql(change.format("DISABLE"))
        self.s.sql("UPDATE r1.dash_audit SET actor = 'nobody' WHERE id = 3")
        p = self.s.dash("audit", "verify", check=False)
        self.assertEqual(p.returncode, 3)
        self.assertIn("the first is row 3", p.stdout)
        self.s.sql(f"UPDATE r1.dash_audit SET actor = '{was}' WHERE id = 3")
        self.s.sql(change.format("ENABLE"))
        self.assertEqual(self.s.dash("audit", "verify").returncode, 0)

    def test_wrong_passwords_wait(self):
        self.s.user("max", "viewer")
        nobody = self.person()
        said = {"name": "max", "password": "not the password"}
        codes = [nobody.ask("POST", "/api/v1/login", said)[0] for _ in range(5)]
        self.assertEqual(codes, [401] * 5)
        status, _, body = nobody.ask(
            "POST", "/api/v1/login", {"name": "max", "password": password("max")}
        )
        self.assertEqual(status, 429, body)
        self.assertIn(b"try again in", body)
        self.assertEqual(
            nobody.ask("POST", "/api/v1/login", {"name": "no one", "password": "x" * 20})[0], 401
        )

    def test_unknown_names_are_counted(self):
        """A flood of them adds few rows to the audit trail, and none is lost from the count."""
        rows = "SELECT count(*) FROM r1.dash_audit WHERE action = 'login.unknown'"
        total = "SELECT coalesce(sum(n), 0) FROM r1.dash_unknown"
        before, n_before = int(self.s.value(rows)), int(self.s.value(total))
        nobody, codes = self.person(), []
        for i in range(16):
            said = {"name": f"nobody{i} {SCRIPT}", "password": "x" * 20}
            codes.append(nobody.ask("POST", "/api/v1/login", said)[0])
        self.assertEqual(codes, [401] * 16)
        self.assertEqual(int(self.s.value(total)) - n_before, 16)
        # An hour may end in between.
        self.assertLessEqual(int(self.s.value(rows)) - before, 16)
        self.assertLessEqual(
            int(self.s.value(rows)), 11 * int(self.s.value("SELECT count(*) FROM r1.dash_unknown"))
        )
        self.assertEqual(
            self.s.value("SELECT count(*) FROM r1.dash_audit WHERE actor LIKE 'nobody%'"),
            "0",
            "a name that nobody has speaks in the audit trail",
        )
        self.assertEqual(self.person("aud").get("users")[1]["unknown"], int(self.s.value(total)))
        self.assertEqual(self.s.dash("audit", "verify").returncode, 0)

    def test_session(self):
        ann = self.person("ann")
        for word in ("HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(word, ann.set_cookie)
        self.assertNotIn(
            ann.cookie.split("=")[1],
            self.s.value("SELECT string_agg(token_hash::text, '') FROM r1.dash_session"),
        )
        old = ann.cookie
        self.assertEqual(ann.post("cases/take", **{"X-R1-CSRF": "forged"})[0], 403)
        self.assertEqual(ann.post("cases/take", Origin="http://evil.example")[0], 403)
        self.assertEqual(ann.post("cases/take", **{"Sec-Fetch-Site": "cross-site"})[0], 403)
        self.assertEqual(ann.post("logout")[0], 200)
        ann.cookie = old
        self.assertEqual(ann.get("cases")[0], 401)
        abe = self.person("abe")
        self.s.sql("UPDATE r1.dash_session SET seen_at = now() - interval '31 minutes'")
        self.assertEqual(abe.get("cases")[0], 401)
        abe = self.person("abe")
        self.assertEqual(
            self.person("root").post("user/set", {"name": "abe", "disabled": True})[0], 200
        )
        self.assertEqual(abe.get("cases")[0], 401, "a user who may not sign in any more goes on")
        self.assertEqual(
            self.person("root").post("user/set", {"name": "abe", "disabled": False})[0], 200
        )

    def test_headers(self):
        who = self.person()
        status, headers, body = who.ask("GET", "/")
        self.assertEqual(status, 200)
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertNotIn("unsafe", headers["Content-Security-Policy"])
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["X-Frame-Options"], "DENY")
        self.assertIn(b"<!doctype html>", body.lower())
        tag = headers["ETag"]
        self.assertEqual(who.ask("GET", "/", headers={"If-None-Match": tag})[0], 304)
        self.assertEqual(
            who.ask("GET", "/app.js", headers={"Accept-Encoding": "gzip"})[1]["Content-Encoding"],
            "gzip",
        )

    def test_own_password(self):
        self.s.user("pat", "viewer")
        pat = self.person("pat")
        self.assertEqual(pat.post("password", {"old": "wrong", "new": "another password"})[0], 422)
        self.assertEqual(pat.post("password", {"old": password("pat"), "new": "short"})[0], 422)
        self.assertEqual(
            pat.post("password", {"old": password("pat"), "new": "another password"})[0], 200
        )
        self.assertEqual(pat.get("cases")[0], 401, "sessions end with the password")

    def test_export_is_a_right(self):
        self.assertEqual(self.person("ann").ask("GET", "/api/v1/export/cases.csv")[0], 403)
        status, headers, body = self.person("sue").ask("GET", "/api/v1/export/cases.csv")
        self.assertEqual(status, 200)
        self.assertIn("attachment", headers["Content-Disposition"])
        self.assertTrue(list(csv.reader(io.StringIO(body.decode()))))
        self.assertEqual(
            self.s.value("SELECT count(*) FROM r1.dash_audit WHERE action = 'export'"), "1"
        )


class Bad(Served):
    """Input that means harm, and a database that goes away."""

    def test_texts_stay_texts(self):
        """Script, SQL and formulas in each field come back as they were sent."""
        for i, text in enumerate(
            (SCRIPT, "'; DROP TABLE r1.fraud_case; --", "=1+2", "a\u202eb\u0301\u0e01")
        ):
            alert(self.s, 100 + i, f"{text}-{i}", f"{text}+{i}", tx=f"{text}{i}")
            number, ann = case_of(self.s, 100 + i), self.person("ann")
            self.assertEqual(ann.post("case/note", {"id": number, "text": text})[0], 200)
            version = self.case(ann, number)["case"]["version"]
            said = {
                "id": number,
                "version": version,
                "outcome": "unusual",
                "reason": "x",
                "comment": text,
            }
            self.assertEqual(ann.post("case/decide", said)[0], 200)
            case = self.case(ann, number)
            self.assertEqual(case["alerts"][0]["payment"]["from"], f"{text}-{i}")
            self.assertIn(text, [e["detail"].get("text") for e in case["events"]])
            self.assertIn(text, [e["detail"].get("comment") for e in case["events"]])
        rows = self.person("sue").ask("GET", "/api/v1/export/cases.csv")[2].decode()
        self.assertIn("'=1+2", rows)
        self.assertNotIn(",=1+2", rows)

    def test_parameters(self):
        ann = self.person("ann")
        for wrong in ("cases?after=x", "cases?score=nan", "case?id=1;", "case?id=", "case?id=1e3",
                      "case?id=99999999999999999999", "account?name=" + "a" * 2000,
                      "case/ring?id=%00", "cases/due?after=yesterday&after_id=1",
                      "account?name=a&before=2026-13-45T99:99Z"):  # fmt: skip
            status, answer = ann.get(wrong)
            self.assertEqual(status, 422, (wrong, answer))
            self.assertTrue(answer["error"], wrong)
        self.assertEqual(ann.get("case?id=987654321")[0], 404)
        self.assertEqual(ann.get("nothing")[0], 404)
        for wrong in ("{", "[]", '{"id": 1}', '{"id": "1", "text": "x"}',
                      '{"id": 1, "text": "x", "more": 1}', '{"id": 1, "id": 1, "text": "x"}',
                      '{"id": 1, "text": ""}', '{"id": 1.5, "text": "x"}'):  # fmt: skip
            status, _, body = ann.ask("POST", "/api/v1/case/note", wrong)
            self.assertIn(status, (404, 422), (wrong, body))
        self.assertEqual(ann.ask("POST", "/api/v1/case/note", "x" * 70000)[0], 413)
        self.assertEqual(
            ann.ask("POST", "/api/v1/case/note", "{}", {"Content-Type": "text/plain"})[0], 415
        )
        for path in (
            "/../etc/passwd",
            "/%2e%2e/etc/passwd",
            "/app.js/../x",
            "/api/v1/export/../cases",
        ):
            self.assertEqual(ann.ask("GET", path)[0], 404, path)

    def test_lost_database(self):
        ann = self.person("ann")
        self.s.pg("kill9")
        # Its children may answer a moment longer.
        self.assertTrue(wait_until(lambda: ann.get("cases")[0] == 503, 10))
        said = {"old": password("ann"), "new": "another password"}
        self.assertEqual(ann.post("password", said)[0], 503)
        self.assertEqual(ann.post("logout")[0], 503, "a session that goes on was said to be over")
        self.assertEqual(self.person().ask("GET", "/livez")[0], 200)
        self.s.pg("start")
        self.assertTrue(wait_until(lambda: ann.get("cases")[0] == 200, 30))
        alert(self.s, 900, "after", "the fall")
        self.assertGreater(case_of(self.s, 900), 0)

    def test_failed_write_is_no_fault_of_the_input(self):
        """A database that takes no rows: the page is told so, and not that its words are wrong."""
        self.s.user("pam", "viewer")
        pam = self.person("pam")
        self.s.sql(
            "CREATE FUNCTION r1.no_writes() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE 'no room' USING ERRCODE = '53100'; END$$; "
            "CREATE TRIGGER no_writes BEFORE UPDATE OR INSERT ON r1.dash_user "
            "EXECUTE FUNCTION r1.no_writes()"
        )
        try:
            said = {"old": password("pam"), "new": "another password"}
            self.assertGreaterEqual(pam.post("password", said)[0], 500)
        finally:
            self.s.sql("DROP TRIGGER no_writes ON r1.dash_user; DROP FUNCTION r1.no_writes()")
        self.assertEqual(pam.post("password", said)[0], 200)

    def test_old_schema_is_refused(self):
        self.s.sql("DELETE FROM r1.schema_migration WHERE version = 17")
        try:
            p = self.s.dash("user", "add", "zed", "--by-proxy", check=False)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("0017_dashboard.sql is not applied", p.stderr)
        finally:
            self.s.sql("INSERT INTO r1.schema_migration (version, name, checksum) SELECT 17, "
                       "'0017_dashboard.sql', NULL")  # fmt: skip

    def test_settings_that_do_not_fit(self):
        program = os.path.join(bin_dir(), "r1-dashboard")
        for args, said in (
            (["--http-listen", "0.0.0.0:0"], "--plain-http"),
            (["--tls-certificate", "x"], "--tls-key"),
            (["--medical", "127.0.0.1:1"], "--medical-token-file"),
            (["--proxy-header", "X-User"], "--proxy-secret-file"),
        ):
            words = [program, "serve", "--postgres", self.s.conninfo, *args]
            p = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
            self.assertEqual(p.returncode, 2, p.stderr)
            self.assertIn(said, p.stderr)

    def test_tls_and_proxy(self):
        folder = self.s.folder
        pem, key, secret = (os.path.join(folder, n) for n in ("c.pem", "k.pem", "secret"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-keyout", key, "-out", pem],
            check=True, capture_output=True,
        )  # fmt: skip
        os.chmod(key, 0o600)
        with open(secret, "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write("what only the proxy knows")
        port = self.s.start_dash("--tls-certificate", pem, "--tls-key", key, "--proxy-header",
                                 "X-User", "--proxy-secret-file", secret)  # fmt: skip

        def ask(*headers):
            words = ["curl", "-sik", f"https://127.0.0.1:{port}/api/v1/me"]
            for h in headers:
                words += ["-H", h]
            return subprocess.run(words, capture_output=True, text=True, check=False).stdout

        self.assertIn(" 401", ask("X-User: ann").split("\n")[0])
        self.assertIn(" 401", ask("X-User: ann", "X-R1-Proxy-Secret: guessed").split("\n")[0])
        self.assertIn(
            " 401",
            ask("X-User: nobody", "X-R1-Proxy-Secret: what only the proxy knows").split("\n")[0],
        )
        good = ask("X-User: ann", "X-R1-Proxy-Secret: what only the proxy knows")
        self.assertIn(" 200", good.split("\n")[0])
        self.assertIn("__Host-r1_session=", good)
        self.assertIn("Secure", good)
        self.assertIn("Strict-Transport-Security", good)
        self.s.kill(self.s.dash_process)


class Medical(Served):
    """A clinician reads a record by r1-medical serve and ranks again."""

    @classmethod
    def more(cls):
        address, token = cls.s.start_medical()
        cls.args = ("--medical", address, "--medical-token-file", token)
        cls.args += ("--keys", cls.s.make_keys())

    def read(self, who):
        """The sample record, read: findings and report."""
        with open("apps/medical/samples/record.txt", encoding="utf-8") as f:
            record = f.read()
        status, _, body = who.ask(
            "POST", "/api/v1/medical/records", record, {"Content-Type": "text/plain"}
        )
        self.assertEqual(status, 200, body[:300])
        return json.loads(body)

    def saved(self, who, sign=True, **more):
        """A review of the sample record: one finding rejected, one accepted, one corrected."""
        findings = self.read(who)["findings"]
        rows = {f["name"]: f for f in findings["findings"]}
        rows["Ectopia lentis"]["review"] = "rejected"
        first = next(f for f in findings["findings"] if f["name"] != "Ectopia lentis")
        first.update(review="accepted", status="absent")
        status, answer = who.post("review/save", {"findings": findings, "sign": sign, **more})
        self.assertEqual(status, 200, answer)
        return findings, answer

    def test_sign(self):
        cleo, cyd = self.person("cleo"), self.person("cyd")
        findings, saved = self.saved(cleo)
        self.assertEqual(saved["state"], "signed")
        status, seen = cyd.get(f"review?id={saved['id']}")
        self.assertEqual(status, 200, seen)
        by_name = {f["name"]: f for f in seen["findings"]["findings"]}
        self.assertEqual(by_name["Ectopia lentis"]["review"], "rejected")
        self.assertEqual(len(by_name), len({f["name"] for f in findings["findings"]}))
        self.assertEqual(seen["made_by"], "cleo")
        self.assertEqual([g["signer"] for g in seen["signatures"]], ["cleo"])
        # What is signed is what the service says of these findings.
        _, ranked = cleo.post("medical/findings", findings)
        self.assertEqual(seen["report"]["candidates"], ranked["report"]["candidates"])
        self.assertEqual(
            cyd.post("review/sign", {"id": saved["id"], "hash": saved["hash"]})[0], 409
        )
        row = next(r for r in cleo.get("reviews")[1]["reviews"] if r["id"] == saved["id"])
        self.assertEqual((row["rejected"], row["accepted"], row["state"]), (1, 1, "signed"))
        self.assertEqual(row["findings"], len(findings["findings"]))
        for action in ("review.save", "review.sign", "review.view"):
            n = f"SELECT count(*) FROM r1.dash_audit WHERE action = '{action}'"
            self.assertGreater(int(self.s.value(n)), 0, action)

    def test_two_sign(self):
        root, cleo, cyd = self.person("root"), self.person("cleo"), self.person("cyd")
        two = {"name": "report_signers", "value": 2}
        self.assertEqual(root.post("settings/set", two)[0], 200)
        try:
            _, saved = self.saved(cleo)
        finally:
            self.assertEqual(root.post("settings/set", {**two, "value": 1})[0], 200)
        said = {"id": saved["id"], "hash": saved["hash"]}
        self.assertEqual(saved["state"], "waits_for_second")
        self.assertEqual(cleo.post("review/sign", said)[0], 409, "one clinician signed twice")
        self.assertEqual(cyd.post("review/sign", {**said, "hash": "0" * 64})[0], 409)
        both = [None, None]

        def signs(i, who):
            both[i] = who.post("review/sign", said)[0]

        threads = [threading.Thread(target=signs, args=(i, self.person("cyd"))) for i in (0, 1)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(both), [200, 409])
        seen = cleo.get(f"review?id={saved['id']}")[1]
        self.assertEqual([g["signer"] for g in seen["signatures"]], ["cleo", "cyd"])
        self.assertEqual(seen["state"], "signed")

    def test_a_review_does_not_change(self):
        cleo = self.person("cleo")
        _, saved = self.saved(cleo, sign=False)
        number = saved["id"]
        self.assertEqual(saved["state"], "draft")
        row = f"WHERE id = {number}"
        before = self.s.value(f"SELECT md5(sealed::text) FROM r1.med_review {row}")
        self.s.sql(f"UPDATE r1.med_review SET made_by = 'cyd' {row}", check=False)
        self.s.sql("UPDATE r1.med_signature SET signer = 'cyd'", check=False)
        self.assertEqual(self.s.value(f"SELECT made_by FROM r1.med_review {row}"), "cleo")
        # Nothing of the record stands in the clear.
        whole = self.s.value(f"SELECT r::text FROM r1.med_review r {row}")
        self.assertNotIn("lentis", whole)
        self.assertNotIn(b"lens".hex(), whole)
        # Who owns the table and moves the bytes of one row into another is found out.
        _, other = self.saved(cleo, sign=False, before=number)
        change = "ALTER TABLE r1.med_review {} TRIGGER med_review_grows"
        self.s.sql(change.format("DISABLE"))
        self.s.sql(
            "UPDATE r1.med_review SET sealed = (SELECT sealed FROM r1.med_review "
            f"WHERE id = {other['id']}) {row}"
        )
        self.s.sql(change.format("ENABLE"))
        status, answer = cleo.get(f"review?id={number}")
        self.assertEqual(status, 409, answer)
        self.assertNotEqual(
            self.s.value(f"SELECT md5(sealed::text) FROM r1.med_review {row}"), before
        )
        self.assertEqual(cleo.get(f"review?id={other['id']}")[1]["before"], number)

    def test_who_may_review(self):
        cleo = self.person("cleo")
        _, saved = self.saved(cleo, sign=False)
        said = {"id": saved["id"], "hash": saved["hash"]}
        for name in ("ann", "sue", "root", "aud", "vic"):
            who = self.person(name)
            self.assertEqual(who.get("reviews")[0], 403, name)
            self.assertEqual(who.get(f"review?id={saved['id']}")[0], 403, name)
            self.assertEqual(who.post("review/sign", said)[0], 403, name)
            self.assertEqual(who.post("review/save", {"findings": {}, "sign": True})[0], 403, name)
        for role in ("r1_analyst", "r1_administrator", "r1_auditor", "r1_reader"):
            out = self.s.sql(f"SET ROLE {role}; SELECT sealed FROM r1.med_review", check=False)
            self.assertEqual(out, [], role)
        forged = (
            "SET ROLE r1_clinician; SELECT set_config('r1.actor', 'cyd', false); INSERT INTO "
            f"r1.med_signature (review_id, signer, hash) VALUES ({saved['id']}, 'cleo', '')"
        )
        self.s.sql(forged, check=False)
        n = f"SELECT count(*) FROM r1.med_signature WHERE review_id = {saved['id']}"
        self.assertEqual(self.s.value(n), "0", "one clinician signed for another")
        for wrong in ({}, {"findings": 1, "sign": True}, {"findings": {}, "sign": 1},
                      {"findings": {}, "sign": True, "more": 1}, {"findings": {}, "sign": True},
                      {"findings": {"findings": []}, "sign": True}):  # fmt: skip
            self.assertIn(cleo.post("review/save", wrong)[0], (400, 422), wrong)
        self.assertEqual(
            cleo.post("review/save", {**self.read(cleo), "sign": True})[0],
            422,
            "report is no field",
        )
        for wrong in ("x", "", "0", "-1", "1e3", "99999999999999999999"):
            self.assertIn(cleo.get(f"review?id={wrong}")[0], (404, 422), wrong)

    def test_exports_are_audited(self):
        cleo, cyd = self.person("cleo"), self.person("cyd")
        findings = self.read(cleo)["findings"]
        n = "SELECT count(*) FROM r1.dash_audit WHERE action = 'export'"
        before = int(self.s.value(n))
        for form, begins in (
            ("application/pdf", b"%PDF"),
            ("application/fhir+json", b"{"),
            ("application/vnd.ga4gh.phenopacket+json", b"{"),
        ):
            status, headers, body = cleo.ask(
                "POST", "/api/v1/medical/findings", findings, {"Accept": form}
            )
            self.assertEqual((status, headers["Content-Type"]), (200, form))
            self.assertTrue(body.startswith(begins), form)
        self.assertIn("phenotypicFeatures", json.loads(body))
        self.assertEqual(int(self.s.value(n)) - before, 3)
        status = cyd.ask(
            "POST", "/api/v1/medical/findings", findings, {"Accept": "application/pdf"}
        )[0]
        self.assertEqual(status, 403)
        self.assertEqual(int(self.s.value(n)) - before, 3)

    def test_a_signed_review_is_exported_with_its_signatures(self):
        """Who signed comes from the store alone; what a page says of it is refused."""
        cleo = self.person("cleo")
        findings = self.read(cleo)["findings"]
        forged = [{"by": "cyd", "at": "2026-11-30T09:15:00Z"}]
        for name, value in (("signed", forged), ("review", 7), ("hash", "0" * 64)):
            said = {**findings, name: value}
            for path in ("findings", "records"):
                status, answer = cleo.post(f"medical/{path}", said)
                self.assertEqual(status, 422, answer)
                self.assertIn(f'"{name}"', answer["error"])
            status, answer = cleo.post("review/save", {"findings": said, "sign": True})
            self.assertEqual(status, 422, answer)
        status, kept = cleo.post("review/save", {"findings": findings, "sign": False})
        self.assertEqual(status, 200, kept)
        form = {"Accept": "application/fhir+json"}

        def report():
            status, _, body = cleo.ask(
                "POST", f"/api/v1/medical/findings?review={kept['id']}", {}, form
            )
            self.assertEqual(status, 200, body)
            entries = [e["resource"] for e in json.loads(body)["entry"]]
            return next(r for r in entries if r["resourceType"] == "DiagnosticReport"), body

        self.assertEqual(report()[0]["status"], "preliminary")
        signed = {"id": kept["id"], "hash": kept["hash"]}
        self.assertEqual(cleo.post("review/sign", signed)[1]["state"], "signed")
        final, body = report()
        self.assertEqual(final["status"], "final")
        self.assertIn(b"cleo", body)
        self.assertIn(kept["hash"].encode(), body)
        for wrong in ("0", "x", "999999"):
            status = cleo.ask("POST", f"/api/v1/medical/findings?review={wrong}", {}, form)[0]
            self.assertIn(status, (404, 422), wrong)

    def test_read_correct_rank(self):
        cleo = self.person("cleo")
        n = "SELECT count(*) FROM r1.dash_audit WHERE actor = 'cleo' AND action = 'record.read'"
        n_read = int(self.s.value(n))
        answer = self.read(cleo)
        before = {c["id"]: c["probability"] for c in answer["report"]["candidates"]}
        first = answer["report"]["candidates"][0]["id"]
        findings = answer["findings"]
        for f in findings["findings"]:
            if f["name"] == "Ectopia lentis":
                f["review"] = "rejected"
        status, again = cleo.post("medical/findings", findings)
        self.assertEqual(status, 200, again)
        after = {c["id"]: c["probability"] for c in again["report"]["candidates"]}
        self.assertNotEqual(before[first], after.get(first))
        self.assertTrue(cleo.get("medical/terms?q=lens")[1]["terms"])
        status, _, body = cleo.ask(
            "POST", "/api/v1/medical/findings", findings, {"Accept": "application/pdf"}
        )
        self.assertEqual((status, body[:4]), (200, b"%PDF"))
        self.assertEqual(self.person("ann").post("medical/findings", findings)[0], 403)
        self.assertEqual(int(self.s.value(n)) - n_read, 1)
        for name in ("terms/../metrics", "metrics", "knowledge"):
            self.assertEqual(cleo.get(f"medical/{name}")[0], 404)


if __name__ == "__main__":
    unittest.main(verbosity=1)
