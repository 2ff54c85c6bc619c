#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What r1-medical keeps of patients in a real PostgreSQL: sealed, found by blind index, sealed
anew, let go by age, erased; and where a marked text turns up: nowhere.

tests/e2e/test_records.py [Records.test_erase...]

Environment: R1_BIN (folder with the programs).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "deploy"))
sys.path.insert(0, HERE)
from services import ROOT, Services, run  # noqa: E402
from test_medical import MEDICAL, SURE, Medical, Producer, secret  # noqa: E402

# What the service writes, in an order in which it can be written again.
TABLES = ("med_index_key", "med_report", "med_finding", "med_candidate", "med_record", "med_sealed",
          "dead_letter")  # fmt: skip
MIGRATIONS = os.path.join(ROOT, "schemas/sql")
# Words that stand in the records and their ids, and in nothing else of the suite.
MARKS = ("Quagliatore", "Zwyxmark", "0117-4968")
LETTER = f"{SURE} Zwyxmark lives at 0117-4968."
# One record for each message: (id, bytes). The third is no record, the fourth decides nothing, the
# last is the first one again, under another id.
MESSAGES = (
    ("Zwyxmark-0", LETTER),
    ("Zwyxmark-1", LETTER + " Again."),
    ("Zwyxmark-2", "\x00\x01 Zwyxmark"),
    ("Zwyxmark-3", "Zwyxmark is well. No fever."),
    ("Zwyxmark-4", LETTER),
)


class Records(unittest.TestCase):
    """Each test finds the rows that the service wrote."""

    @classmethod
    def setUpClass(cls):
        s = cls.s = Services(tempfile.mkdtemp(prefix="r1-records-"), topics=("records:1",))
        cls.addClassCleanup(s.close)
        s.start_postgres()
        s.start_broker()
        s.sql("ALTER SYSTEM SET log_statement = 'all'")
        s.sql("SELECT pg_reload_conf()")
        run(MEDICAL, "db", "migrate", "--postgres", s.conninfo, "--migrations", MIGRATIONS)
        s.sql("CREATE ROLE writes LOGIN IN ROLE r1_medical_writer")
        s.sql("CREATE ROLE reads LOGIN IN ROLE r1_reader")
        cls.keys = os.path.join(s.folder, "keys")
        run(MEDICAL, "records", "key", "--keys", cls.keys)
        cls.service()
        s.sql(";".join(f"CREATE TABLE public.{t} AS SELECT * FROM r1.{t}" for t in TABLES))

    @classmethod
    def service(cls):
        s = cls.s
        producer = Producer(s.brokers, "records")
        producer.send([(0, text.encode(), key.encode()) for key, text in MESSAGES])
        producer.close()
        m = Medical(
            s.folder, "--topic", "records", "--brokers", s.brokers, "--postgres-file",
            secret(s.folder, "conninfo", cls.user("writes")), "--migrations", MIGRATIONS, "--keys",
            cls.keys, "--keep-text",
        )  # fmt: skip
        want = str(len(MESSAGES))
        assert s.wait_for("SELECT count(*) FROM r1.med_record", want, 30) == want
        m.ask("/v1/records", LETTER.encode())
        m.ask("/v1/records", b'{"subject": {"id": "Zwyxmark", "x": Quagliatore}}')
        m.ask("/v1/terms?q=Zwyxmark")
        cls.metrics = m.ask("/metrics", token=None)[2].decode()
        assert m.end() == 0
        cls.log = m.log()
        with open(os.path.join(s.pg_dir, "log"), encoding="utf-8") as f:
            cls.pg_log = f.read()

    @classmethod
    def user(cls, name):
        return cls.s.conninfo.replace("user=r1_admin", f"user={name}")

    def setUp(self):
        s = self.s
        s.sql("TRUNCATE r1.med_audit, " + ", ".join(f"r1.{t}" for t in TABLES) + " CASCADE")
        s.sql(";".join(f"INSERT INTO r1.{t} OVERRIDING SYSTEM VALUE SELECT * FROM public.{t}"
                       for t in TABLES))  # fmt: skip
        self.tmp = tempfile.mkdtemp(dir=s.folder)

    def records(self, *args, code=0, keys=None):
        args = list(args)
        if args[0] != "retain":
            args += ["--keys", keys or self.keys]
        p = run(MEDICAL, "records", *args, "--postgres", self.s.conninfo, "--by", "tester",
                check=False)  # fmt: skip
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return p.stdout + p.stderr

    def counts(self):
        return [
            int(self.s.value(f"SELECT count(*) FROM r1.{t}"))
            for t in ("med_record", "med_report", "med_sealed", "dead_letter")
        ]

    def audit(self):
        return self.s.sql("SELECT what, kind, n FROM r1.med_audit WHERE who = 'tester' ORDER BY id")

    def copy_keys(self):
        keys = os.path.join(self.tmp, "keys")
        shutil.copy(self.keys, keys)
        return keys

    def test_marked(self):
        """Neither the log, the metrics, the database, its dump nor its own log of every statement
        holds a word of a record or an id, in letters or in digits."""
        self.assertEqual(self.counts(), [5, 3, 10, 1])
        dump = run("pg_dump", self.s.conninfo, "--data-only").stdout
        self.assertIn("med_record", self.pg_log)
        for mark in MARKS:
            for word in (mark, mark.lower(), mark.encode().hex()):
                for where, text in (("log", self.log), ("metrics", self.metrics), ("dump", dump),
                                    ("PostgreSQL's log", self.pg_log)):  # fmt: skip
                    self.assertNotIn(word, text, f"{word} stands in the {where}")

    def test_rights(self):
        """The service's role writes, finds and opens, and no more; a reader opens nothing."""
        for name, verb, code in (
            ("writes", ("find", "--id", "Zwyxmark-1"), 0),
            ("writes", ("show", "records/0/1"), 0),
            ("writes", ("erase", "--id", "Zwyxmark-1"), 1),
            ("reads", ("find", "--id", "Zwyxmark-1"), 1),
            ("reads", ("show", "records/0/1"), 1),
        ):
            p = run(MEDICAL, "records", *verb, "--keys", self.keys, "--postgres", self.user(name),
                    check=False)  # fmt: skip
            self.assertEqual(p.returncode, code, p.stderr)
        plain = "INSERT INTO r1.med_record (key) VALUES ('x')"
        p = run("psql", self.user("writes"), "-qc", plain, check=False)
        self.assertIn("permission denied", p.stderr)

    def test_find_and_show(self):
        for text in ("Zwyxmark-1", " zwyxMARK-1 ", "ZWYX\u00admark-1"):
            said = self.records("find", "--id", text)
            self.assertIn("records/0/1\treported", said)
            self.assertIn("\tZwyxmark-1\t", said)
            self.assertIn("1 records", said)
        self.assertIn("0 records", self.records("find", "--id", "Zwyxmark-9"))
        by_file = secret(self.tmp, "id", "Zwyxmark-1\n")
        self.assertIn("1 records", self.records("find", "--id-file", by_file))
        path = os.path.join(self.tmp, "letter")
        with open(path, "w", encoding="utf-8") as f:
            f.write(LETTER)
        self.assertIn("2 records", self.records("find", "--record", path))
        self.assertIn("2 records", self.records("find", "--waiting"))
        said = self.records("show", "records/0/1")
        self.assertIn("id: Zwyxmark-1\n", said)
        self.assertIn(LETTER + " Again.", said)
        self.records("show", "records/0/2", code=2)  # no text
        self.records("show", "records/0/2", "--out", path)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), MESSAGES[2][1])
        self.assertEqual(os.stat(path).st_mode & 0o077, 0)
        self.assertIn("TOPIC/PARTITION/OFFSET", self.records("show", "records/1", code=2))
        self.assertIn("no stored record", self.records("show", "records/0/77", code=1))
        self.assertEqual(len(self.audit()), 11)
        self.assertEqual(self.audit()[-2:], [["show", "text", "1"], ["refused", "show", "0"]])
        self.assertNotIn("Zwyxmark", str(self.s.sql("SELECT * FROM r1.med_audit")))

    def test_faults(self):
        """Rows that were swapped, cut or changed do not open, nor does another key; each is told,
        and the others do."""
        s = self.s
        s.sql("UPDATE r1.med_sealed s SET sealed = o.sealed FROM r1.med_sealed o WHERE s.kind = "
              "'id' AND o.kind = 'id' AND s.kafka_offset = 0 AND o.kafka_offset = 1")  # fmt: skip
        s.sql("UPDATE r1.med_sealed SET sealed = substr(sealed, 1, 30) WHERE kind = 'id' AND "
              "kafka_offset = 1")  # fmt: skip
        s.sql("UPDATE r1.med_sealed s SET sealed = o.sealed FROM r1.med_sealed o WHERE s.kind = "
              "'text' AND o.kind = 'id' AND s.kafka_offset = 2 AND o.kafka_offset = 2")  # fmt: skip
        self.assertIn("another row's", self.records("show", "records/0/0", code=1))
        self.assertIn("another row's", self.records("show", "records/0/2", code=1))
        self.assertIn("was cut", self.records("show", "records/0/1", code=1))
        self.assertIn("id: Zwyxmark-3", self.records("show", "records/0/3"))
        other = os.path.join(self.tmp, "other")
        run(MEDICAL, "records", "key", "--keys", other)
        for verb in (("show", "records/0/3"), ("find", "--id", "Zwyxmark-3"), ("find", "--waiting"),
                     ("erase", "--id", "Zwyxmark-3"), ("rotate",)):  # fmt: skip
            said = self.records(*verb, keys=other, code=2)
            self.assertIn("and the file lacks" if verb[0] == "rotate" else "which this database",
                          said)  # fmt: skip
            self.assertEqual(self.audit()[-1], ["refused", verb[0], "0"])
        self.assertEqual(self.counts(), [5, 3, 10, 1])
        with open(other, "a", encoding="utf-8") as f:
            f.write("seal x 1\n")
        self.records("find", "--waiting", keys=other, code=2)
        self.assertEqual(self.audit()[-1], ["refused", "keys", "0"])
        self.assertEqual(s.value("SELECT count(*) FROM r1.med_index_key"), "1")
        keys = self.copy_keys()
        run(MEDICAL, "records", "key", "--keys", keys)
        said = self.records("rotate", keys=keys, code=4)
        self.assertIn("7 values sealed anew", said)
        self.assertEqual(said.count("stays as it is: records/0/"), 3)

    def test_rotate(self):
        """A fresh key takes over in batches; what was broken off goes on; the old line may go, and
        what the old key alone opened opens no more without it."""
        s, keys = self.s, self.copy_keys()
        run(MEDICAL, "records", "key", "--keys", keys, "--label", "fresh")
        self.assertIn("10 values sealed anew", self.records("rotate", keys=keys))
        self.assertEqual(s.value("SELECT count(*) FROM r1.med_sealed WHERE seal_key LIKE 'fresh%'"),
                         "10")  # fmt: skip
        said = self.records("rotate", keys=keys)
        self.assertIn("0 values sealed anew", said)
        self.assertIn("seals nothing any more", said)
        with open(keys, encoding="utf-8") as f:
            lines = [line for line in f if not line.startswith("seal 2")]
        with open(keys, "w", encoding="utf-8") as f:
            f.writelines(lines)
        self.assertIn("id: Zwyxmark-0", self.records("show", "records/0/0", keys=keys))
        self.records("show", "records/0/0", code=1)
        self.assertEqual(self.audit()[0], ["rotate", "sealed", "10"])

    def test_index_key(self):
        """Another index key is refused until a rotation has indexed the ids anew. Rows that are
        still under the old one are said; a key that no row needs is forgotten."""
        keys, other = self.copy_keys(), os.path.join(self.tmp, "other")
        run(MEDICAL, "records", "key", "--keys", other)
        with open(other, encoding="utf-8") as f:
            index = [line for line in f if line.startswith("index")]
        with open(keys, encoding="utf-8") as f:
            lines = [line for line in f if not line.startswith("index")]
        with open(keys, "w", encoding="utf-8") as f:
            f.writelines(lines + index)
        said = self.records("find", "--id", "Zwyxmark-3", keys=keys, code=2)
        self.assertIn("which this database knows", said)
        self.assertIn("5 ids indexed anew", self.records("rotate", keys=keys))
        said = self.records("find", "--id", "Zwyxmark-3", keys=keys)
        self.assertIn("1 records", said)
        self.assertIn("some rows are indexed by another key", said)
        self.s.sql("DELETE FROM r1.med_record; DELETE FROM r1.med_report")
        self.records("rotate", keys=keys)
        self.assertNotIn("another key", self.records("find", "--id", "Zwyxmark-3", keys=keys))
        self.records("find", "--id", "Zwyxmark-3", code=2)

    def test_blank_id(self):
        """An id of blanks would be one for all that have no id."""
        for blank in ("", " ", "\t \n", "\u00a0\u3000", "\u00ad\u200b"):
            for verb in ("find", "erase"):
                self.assertIn("beside blanks", self.records(verb, "--id", blank, code=2))
        self.assertEqual(self.counts(), [5, 3, 10, 1])

    def test_one_rotation(self):
        """Two rotations lock each other out, and one that was killed gives way. The same command
        ends what it left."""
        s, keys = self.s, self.copy_keys()
        run(MEDICAL, "records", "key", "--keys", keys, "--label", "fresh")
        s.sql("CREATE FUNCTION r1.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
              "pg_sleep(30); RETURN NEW; END $$")  # fmt: skip
        s.sql("CREATE TRIGGER slow BEFORE UPDATE ON r1.med_sealed FOR EACH ROW EXECUTE FUNCTION "
              "r1.slow()")  # fmt: skip
        try:
            first = subprocess.Popen(
                [MEDICAL, "records", "rotate", "--keys", keys, "--postgres", s.conninfo],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
            busy = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
            self.assertEqual(s.wait_for(busy, "1", 20), "1")
            self.assertIn("another `records rotate` runs", self.records("rotate", code=1))
            first.kill()
            first.wait()
        finally:
            s.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
                  "'WITH v AS%'")  # fmt: skip
            s.sql("DROP FUNCTION r1.slow() CASCADE")
        said = self.records("rotate", keys=keys)
        self.assertIn("10 values sealed anew", said)
        self.assertIn("id: Zwyxmark-0", self.records("show", "records/0/0", keys=keys))

    def test_earlier_rows(self):
        """Rows of the version before: keys in the clear, hashes that anybody computes."""
        s = self.s
        s.sql("DELETE FROM r1.med_sealed")
        s.sql("UPDATE r1.med_record SET key = convert_to('Zwyxmark-' || kafka_offset, 'UTF8'), "
              "key_index = NULL")  # fmt: skip
        s.sql("UPDATE r1.dead_letter SET key = 'Zwyxmark'")
        s.sql("UPDATE r1.med_report SET record_hash = lpad(to_hex(id), 16, '0')")
        s.sql("UPDATE r1.med_record SET record_hash = lpad(to_hex(report_id), 16, '0')")
        said = self.records("rotate")
        self.assertIn("5 ids and 3 hashes of earlier versions taken in", said)
        self.assertEqual(self.counts(), [5, 3, 5, 1])
        dump = run("pg_dump", s.conninfo, "--data-only").stdout
        for word in ("Zwyxmark", b"Zwyxmark".hex(), "0000000001\t"):
            self.assertNotIn(word, dump)
        self.assertIn("records/0/2\tdead", self.records("find", "--id", "Zwyxmark-2"))
        self.assertIn("0 ids and 0 hashes", self.records("rotate"))

    def test_erase(self):
        """An id goes with all that only it has; a report that another id has too stays."""
        self.assertIn("would delete 1 records, 0 reports, 0 dead letters",
                      self.records("erase", "--id", "Zwyxmark-0", "--dry-run"))  # fmt: skip
        self.assertEqual(self.counts(), [5, 3, 10, 1])
        said = self.records("erase", "--id", "Zwyxmark-0")
        self.assertIn("deleted 1 records, 0 reports, 0 dead letters", said)
        self.assertIn("the topic keeps its message: records/0/0\n", said)
        self.assertEqual(self.counts(), [4, 3, 8, 1])
        self.assertIn("deleted 1 records, 1 reports", self.records("erase", "--id", "zwyxmark-4"))
        self.assertIn("deleted 1 records, 0 reports, 1 dead",
                      self.records("erase", "--id", "Zwyxmark-2"))  # fmt: skip
        path = os.path.join(self.tmp, "letter")
        with open(path, "w", encoding="utf-8") as f:
            f.write(MESSAGES[1][1])
        self.assertIn("deleted 1 records, 1 reports", self.records("erase", "--record", path))
        self.assertIn("deleted 0 records", self.records("erase", "--record", path))
        self.assertEqual(self.counts(), [1, 1, 2, 0])
        self.assertEqual(self.audit()[0], ["erase", "record", "1"])
        self.assertEqual(self.audit()[-1], ["erase", "record", "0"])

    def test_retain(self):
        """By age, but not what waits for a person."""
        s = self.s
        s.sql("UPDATE r1.med_record SET received_at = now() - interval '90 days' WHERE "
              "kafka_offset <> 1")  # fmt: skip
        s.sql("UPDATE r1.med_report SET created_at = now() - interval '90 days'")
        dry = self.records("retain", "--older-than", "60d", "--dry-run")
        self.assertIn("would delete 2 records, 1 reports, 0 dead letters", dry)
        self.assertIn("2 older ones stay", dry)
        self.assertIn("deleted 2 records, 1 reports", self.records("retain", "--older-than", "60d"))
        self.assertEqual(self.counts(), [3, 2, 6, 1])
        s.sql("UPDATE r1.med_record SET handled_at = now()")
        self.assertIn("deleted 2 records, 1 reports, 1 dead letters",
                      self.records("retain", "--older-than", "60d"))  # fmt: skip
        self.assertEqual(self.counts(), [1, 1, 2, 0])
        for bad in ("0d", "60", "99999999d", "d"):
            self.records("retain", "--older-than", bad, code=2)

    def test_command(self):
        """Rows of `report` need the keys too; phenopackets have no text, and are told apart."""
        out = os.path.join(self.tmp, "out")
        args = [MEDICAL, "report", "--no-r1", "--format", "json", "--out", out, "--postgres",
                self.s.conninfo]  # fmt: skip
        paths = []
        for term in ("HP:0001083", "HP:0000518"):
            paths.append(os.path.join(self.tmp, term[3:] + ".json"))
            with open(paths[-1], "w", encoding="utf-8") as f:
                json.dump({"id": "Zwyxmark", "phenotypicFeatures": [{"type": {"id": term}}]}, f)
        refused = run(*args, paths[0], check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("records key --keys FILE", refused.stderr)
        for path in paths:
            self.assertIn("rows written", run(*args, path, "--keys", self.keys).stdout)
        self.assertIn("were there", run(*args, paths[0], "--keys", self.keys).stdout)
        self.assertIn("r1-medical report\t", self.records("find", "--record", paths[0]))
        self.assertIn("deleted 0 records, 1 reports", self.records("erase", "--record", paths[0]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
