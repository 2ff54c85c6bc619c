#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules, lists and thresholds of a running service: reload, shadows, named lists, the commands that
try a change over stored payments, and calibration.

tests/e2e/test_policy_live.py [Policy.test_...]

Environment: R1_BIN (folder with the programs).
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

PROGRAM = os.path.join(os.environ["R1_BIN"], "r1-fraud")
MODEL = os.path.join(ROOT, "models/fraud-s-int8.gguf")
if not os.path.exists(MODEL):
    MODEL = "none"  # rules alone


class Policy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="r1-policy-")
        os.chmod(cls.tmp.name, 0o755)
        cls.s = Services(os.path.join(cls.tmp.name, "services"))
        cls.s.start_postgres()
        cls.s.start_broker()
        cls.path, cls.labels = cls.file("payments.jsonl"), cls.file("labels.jsonl")
        run(PROGRAM, "generate", "--seed", 77, "--accounts", 300, "--days", 12, "--rings", 4,
            "--out", cls.path, "--labels", cls.labels)  # fmt: skip
        with open(cls.path, encoding="utf-8") as f:
            cls.lines = f.readlines()[:3000]

    @classmethod
    def tearDownClass(cls):
        cls.s.close()
        cls.tmp.cleanup()

    @classmethod
    def file(cls, name, text=None):
        path = os.path.join(cls.tmp.name, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return path

    def part(self, begin, end):
        return self.file("part.jsonl", "".join(self.lines[begin:end]))

    def logged(self, p, text, seconds=20):
        until = time.time() + seconds
        while time.time() < until:
            with open(p.log_path, encoding="utf-8") as f:
                if text in f.read():
                    return
            time.sleep(0.05)
        with open(p.log_path, encoding="utf-8") as f:
            self.fail(f"not logged: {text}\n{f.read()[-1500:]}")

    def command(self, *args, code=0):
        p = run(PROGRAM, *args, "--postgres", self.s.conninfo, check=False)
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return p.stdout + p.stderr

    def test_hangup_reloads_between_batches(self):
        """A SIGHUP ended the service. Now it takes the new rules, a bad file changes nothing, and
        each decision names the version that made it, whose row is there."""
        s = self.s
        s.fresh_schema()
        s.create_topic()
        mule = json.loads(self.lines[0])["to"]
        mules = self.file("mules.csv", f"account,reason,expiry,owner\n{mule},told,,aml\n")
        rules = self.file("rules.txt", "all [shadow]: amount > 0 -> review\n")
        ini = self.file("fraud.ini", f"[decision]\nrules = {rules}\nlist.mules = {mules}\n"
                        f"[service]\npid_file = {self.file('pid')}\n")  # fmt: skip
        p = s.serve("--model", "none", "--config", ini)
        s.produce(self.part(0, 1000))
        s.wait_for("SELECT count(*) FROM r1.decision", 1000, 60)
        self.assertEqual(s.value("SELECT count(*) FROM r1.decision WHERE would @> "
                                 "'[{\"rule\":\"all\", \"why\":\"shadow\"}]'"), "1000")  # fmt: skip
        self.assertEqual(s.value("SELECT count(*) FROM r1.decision WHERE decision = 'block'"), "0")
        self.file("rules.txt", "all: amount > 0 -> revieww\n")
        p.send_signal(signal.SIGHUP)
        self.logged(p, "reload refused, version ")
        self.assertIn("rules.txt:1:20: expected allow, review or block",
                      self.command("reload", "--config", ini, code=2))  # fmt: skip
        self.file("rules.txt", 'm: to in list("mules") -> block\nall: amount > 0 -> review\n')
        said = self.command("reload", "--config", ini)
        self.assertRegex(said, rf"process {p.pid} reloaded, version \S+\n")
        self.assertNotIn("note: these settings give", said)
        with open(p.log_path, encoding="utf-8") as f:  # what it says has happened
            self.assertIn("reloaded, version ", f.read())
        s.produce(self.part(1000, 2000))
        s.wait_for("SELECT count(*) FROM r1.decision", 2000, 60)
        p.send_signal(signal.SIGSTOP)
        self.assertIn("found none", self.command("reload", "--config", ini, "--answer-wait", 1,
                                                 code=1))  # fmt: skip
        p.send_signal(signal.SIGCONT)
        self.assertEqual(self.end(p), 0)
        self.assertEqual(s.value("SELECT count(DISTINCT config) FROM r1.decision"), "2")
        self.assertEqual(s.value("SELECT count(*) FROM r1.orphan"), "0")
        blocked = s.value("SELECT count(*) FROM r1.decision WHERE rule = 'm' AND list = "
                          "'mules: told (aml)'")  # fmt: skip
        hits = sum(json.loads(line)["to"] == mule for line in self.lines[1000:2000])
        self.assertEqual(blocked, str(hits))
        why = "SELECT DISTINCT reasons->0->>'code', reasons->0->>'text' FROM r1.decision WHERE rule"
        self.assertEqual(s.sql(why + " = 'm'"), [["rule", "rule m, list mules: told (aml)"]])
        self.assertEqual(s.sql(why + " = 'all'"), [["rule", "rule all"]])
        self.assertIn("expected a running service, found none",
                      self.command("reload", "--config", ini, code=1))  # fmt: skip

    def test_reload_takes_rates(self):
        """A reload took no notice of the contents of rates, mapping file and model. It takes the
        rates, decisions name them, and a rebuild from the log does not depend on them."""
        s = self.s
        s.fresh_schema()
        s.create_topic()
        head = "currency,rate,date\nUSD,{},2020-01-01\n"
        rates = self.file("rates.csv", head.format("0.5"))
        fields = "".join(f"{k} = {v}\n" for k, v in (
            ("tx_id", "tx_id"), ("ts", "ts"), ("kind", "kind"), ("from", "from"), ("to", "to"),
            ("amount_minor", "amount_minor"), ("currency", '"USD"')))  # fmt: skip
        mapped = self.file("map.ini", f"[fields]\n{fields}[time]\nformat = ms\n")
        stats, pid = self.file("stats.json"), self.file("pid")
        ini = self.file("fraud.ini", f"[payments]\ncurrency = EUR\nrates = {rates}\n"
                        f"map = {mapped}\n[service]\npid_file = {pid}\n")  # fmt: skip
        topic = ("--topic", "decisions")  # that no other test fills
        serve = ("--model", "none", "--config", ini, "--stats", stats, *topic)
        p = s.serve(*serve, name="rates")
        s.produce(self.part(0, 400), *topic)
        s.wait_for("SELECT count(*) FROM r1.decision", 400, 60)
        self.file("rates.csv", head.format("a half"))
        self.assertIn("rates.csv:2: rate: expected a number",
                      self.command("reload", "--config", ini, code=2))  # fmt: skip
        p.send_signal(signal.SIGHUP)
        self.logged(p, "reload refused, version ")
        self.file("rates.csv", head.format("0.25"))
        self.command("reload", "--config", ini)
        self.logged(p, "reloaded, version ")
        self.file("map.ini", f"[fields]\n{fields}[time]\nformat = iso\n")
        self.assertIn("note: map (the file's contents) have changed and need a restart",
                      self.command("reload", "--config", ini))  # fmt: skip
        self.logged(p, 'restart_needed settings="map (the file')
        # What the service alone finds: the command returned 0 when it had asked.
        self.file("map.ini", "[fields]\nnone = none\n")
        self.assertRegex(self.command("reload", "--config", ini, code=2),
                         rf"process {p.pid} refused to reload, version \S+ stays: .*map\.ini")
        self.file("map.ini", f"[fields]\n{fields}[time]\nformat = ms\n")
        s.produce(self.part(400, 800), *topic)
        s.wait_for("SELECT count(*) FROM r1.decision", 800, 60)
        self.assertEqual(self.end(p), 0)
        ratio = "sum((payload::jsonb->'rate'->>'amount_minor')::numeric) / sum(amount_minor)"
        by = (f"SELECT round({ratio}, 2) FROM r1.payment JOIN r1.decision USING (apply_seq) WHERE "
              "applied GROUP BY config ORDER BY max(apply_seq)")  # fmt: skip
        self.assertEqual(s.sql(by), [["0.50"], ["0.25"]])
        named = "SELECT count(*) FROM r1.fraud_version WHERE detail ~ 'rates=[0-9a-f]{16}'"
        self.assertEqual(s.value(named), "2")
        with open(stats, encoding="utf-8") as f:
            digest = json.load(f)["state_digest"]
        self.file("rates.csv", head.format("7"))
        self.assertEqual(s.finish(s.serve(*serve, "--until-idle", 1)), 0)
        with open(stats, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["state_digest"], digest)

    def end(self, p):
        p.terminate()
        return self.s.finish(p)

    def test_try_diff_and_calibrate(self):
        """A change is told in words and tried over the stored stream; thresholds come from it."""
        s = self.s
        s.fresh_schema()
        s.create_topic()
        p = s.serve("--model", MODEL, "--labels-topic", "labels")
        s.produce(self.part(0, 3000))
        s.produce(self.labels, "--topic", "labels")
        s.wait_for("SELECT count(*) FROM r1.decision", 3000, 60)
        s.wait_for("SELECT (count(*) > 10)::integer FROM r1.label", 1, 60)
        time.sleep(0.5)
        self.assertEqual(self.end(p), 0)
        self.assertEqual(s.value("SELECT count(*) FROM r1.decision WHERE decision = 'block'"), "0")
        old = self.file("old.ini", f"[model]\nmodel = {MODEL}\n")
        rules = self.file("new.txt", "fast: count(sender, 1d) > 3 and amount > 10 EUR -> review\n")
        new = self.file("new.ini", f"[model]\nmodel = {MODEL}\n[decision]\nrules = {rules}\n"
                        "alerts_per_day = 2\n[postgres]\nbatch_rows = 9\n")  # fmt: skip
        said = self.command("config", "diff", new, "--config", old)
        for line in ("alerts-per-day: 100 -> 2",
                     "batch-rows: 500 -> 9\n  (batch-rows needs a restart)",
                     "rule fast comes\n  + fast: count(sender, 1d) > 3"):  # fmt: skip
            self.assertIn(line, said)
        said = self.command("config", "try", new, "--config", old, "--since", "30d", "--show", "3")
        self.assertIn("3000 payments of ", said)
        self.assertIn(" 0 decided otherwise by the first policy than stored, 0 not read", said)
        for word in ("alerts a day", "precision of labelled alerts", "recall", "money caught",
                     "alerts appear", "by fast"):  # fmt: skip
            self.assertIn(word, said)
        out = self.file("cut.json")
        said = self.command("calibrate", "--config", old, "--since", "30d", "--alerts-per-day", "3",
                            "--blocks-per-day", "1", "--out", out)  # fmt: skip
        self.assertIn("written to ", said)
        with open(out, encoding="utf-8") as f:
            cut = json.load(f)
        self.assertEqual(cut["format"], "r1-fraud calibration 1")
        self.assertLessEqual(cut["review"]["per_day"], 3)
        self.assertLessEqual(cut["review"]["at"], cut["block"]["at"])
        said = self.command("calibrate", "--config", old, "--in", self.path, "--labels",
                            self.labels, "--review-precision", "0.3", "--out", out)  # fmt: skip
        self.assertIn("review  from probability ", said)
        with open(out, encoding="utf-8") as f:
            self.assertGreaterEqual(json.load(f)["review"]["precision"], 0.3)
        said = self.command("calibrate", "--config", old, "--in", self.path, "--block-precision",
                            "0.9", "--out", out, code=2)  # fmt: skip
        self.assertIn("expected labels of this stream, found 0", said)
        said = self.command("config", "check", "--config", old, "--calibration", out,
                            "--block-at", "0.9")  # fmt: skip
        self.assertIn("block_at=0.9", said)
        self.assertIn(" calibration=", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
