#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the writing side does with a real PostgreSQL and broker: topics from the outbox, states of
PostgreSQL that pass, rows that it refuses, retention.

tests/e2e/test_writer.py [Outbox|States|Refused|...]

Environment: R1_BIN (folder with the programs), R1_E2E_KAFKA=1 (Apache Kafka).
"""

import collections
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import jsonschema

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from services import ROOT, Services, free_port, run  # noqa: E402

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

    def week(self, s, ahead):
        """The partition of this week, or of a later one."""
        monday = "date_trunc('week', now() AT TIME ZONE 'UTC')"
        text = f"to_char({monday} + interval '{7 * ahead} days', 'YYYYMMDD')"
        return f"r1.payment_{s.value(f'SELECT {text}')}"

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

    def test_least_rights(self):
        """A login role that has r1_fraud_writer and nothing else: topics, dead letters, weeks."""
        with self.services("rights") as s:
            self.begin(s)
            s.sql("CREATE ROLE r1_service LOGIN IN ROLE r1_fraud_writer")
            week = self.week(s, 1)
            s.sql(f"DROP TABLE {week}")
            admin = s.conninfo
            s.produce(self.path)
            s.produce(self.lines_file("bad.jsonl", ["nonsense"]), "--as-lines")
            s.conninfo = admin.replace("user=r1_admin", "user=r1_service")
            topics = ["--decisions-topic", "decisions", "--dead-topic", "dead"]
            for _ in range(2):
                p = s.serve("--model", "none", "--until-idle", 2, *topics)
                self.assertEqual(s.finish(p), 0, read_log(p))
            s.conninfo = admin
            self.assertEqual(self.check_decisions(s), N)
            self.assertEqual(len(read_topic(s, "dead")), 1)
            self.assertEqual(s.value(f"SELECT to_regclass('{week}') IS NOT NULL"), "t")

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
                stop = [pg_ctl, "-D", data, "-s", "-m", how, "-w", "stop"]
                run(*(account if os.getuid() == 0 else []), *stop, cwd="/")
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


class Pooler(Writer):
    """PgBouncer in transaction mode: each transaction has another server connection. Needs the
    program pgbouncer, or R1_PGBOUNCER with its path."""

    def bouncer(self, s, *more):
        program = os.environ.get("R1_PGBOUNCER") or shutil.which("pgbouncer")
        if not program:
            self.skipTest("pgbouncer is not installed; test_store plays one by DISCARD ALL")
        folder = os.path.join(s.folder, "bouncer")
        os.makedirs(folder)
        os.chmod(folder, 0o777)
        port = free_port()
        host = dict(word.split("=") for word in s.conninfo.split())
        ini = os.path.join(folder, "pgbouncer.ini")
        with open(ini, "w", encoding="utf-8") as f:
            f.write(
                f"[databases]\nr1 = host={host['host']} port={host['port']} dbname=r1\n"
                f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
                f"unix_socket_dir =\npool_mode = transaction\ndefault_pool_size = 3\n"
                f"logfile = {folder}/log\nserver_login_retry = 1\n" + "".join(more)
            )
        text = ini.replace("pgbouncer.ini", "users")
        with open(text, "w", encoding="utf-8") as f:
            f.write('"r1_admin" ""\n')
        with open(ini, encoding="utf-8") as f:
            body = f.read().replace("dbname=r1", "dbname=r1 user=r1_admin")
        with open(ini, "w", encoding="utf-8") as f:
            f.write(body)
        account = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        p = subprocess.Popen(
            [*(account if os.getuid() == 0 else []), program, ini],
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        s.children.append(p)
        time.sleep(0.5)
        direct, s.conninfo = s.conninfo, f"host=127.0.0.1 port={port} dbname=r1 user=r1_admin"
        return direct

    def through(self, name, *more):
        with self.services(name) as s:
            self.begin(s)
            direct = self.bouncer(s, *more)
            feeder = s.produce_in_background(self.path, "--rate", 1000)
            p = s.serve("--model", "none", "--decisions-topic", "decisions")
            time.sleep(1)
            s.kill(p)
            p = s.serve("--model", "none", "--decisions-topic", "decisions")
            s.collect(feeder)
            self.assertEqual(s.settle(p, N), 0)
            log = read_log(p)
            self.assertIn("postgres_pooled", log)
            migrate = s.fraud("db", "migrate", check=False)
            self.assertEqual(migrate.returncode, 2)
            self.assertIn("found a pooler", migrate.stderr)
            s.conninfo = direct
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), str(N))
            self.assertEqual(s.value("SELECT count(*) FROM r1.orphan"), "0")
            self.assertEqual(len({m["payload"] for m in read_topic(s, "decisions")}), N)

    def test_refuses_options(self):
        self.through("pool")

    def test_passes_over_options(self):
        self.through("ignore", "ignore_startup_parameters = options, extra_float_digits\n")


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


OLD_DAYS = """
DO $$
DECLARE t text; d date;
BEGIN
    FOREACH t IN ARRAY ARRAY['payment', 'decision', 'finding', 'label'] LOOP
        FOREACH d IN ARRAY ARRAY[%s] LOOP
            EXECUTE format('CREATE TABLE r1.%%I PARTITION OF r1.%%I FOR VALUES FROM (%%L) TO (%%L)',
                           t || to_char(d, '_YYYYMMDD'), t, d || ' 00:00Z', (d + 1) || ' 00:00Z');
        END LOOP;
    END LOOP;
END $$
"""


class Retention(Writer):
    """Old weeks go as a whole, archived first; the service does not notice."""

    def old_rows(self, s, days, per_day=200):
        """Partitions of a day, that many days ago, with rows of an ordinary payload."""
        s.sql(OLD_DAYS % ", ".join(f"(now() AT TIME ZONE 'UTC')::date - {d}" for d in days))
        s.sql("INSERT INTO r1.fraud_version VALUES ('v', 'model', 'v') ON CONFLICT DO NOTHING")
        for k, day in enumerate(sorted(days, reverse=True)):
            first = k * per_day + 1
            series = f"generate_series({first}, {first + per_day - 1}) i"
            at = f"date_trunc('day', now()) - interval '{day} days' + interval '7 hours'"
            text = (
                "'{\"tx_id\":\"old' || i || '\",\"ts\":1700000000000,\"kind\":\"transfer\",' || "
                "'\"from\":\"A\",\"to\":\"B\",\"amount_minor\":1,\"currency\":\"EUR\"}'"
            )
            s.sql(
                "INSERT INTO r1.payment (apply_seq, tx_id, ts, kind, from_id, to_id, amount_minor, "
                "currency, topic, partition, kafka_offset, payload, written_at) SELECT i, 'old' || "
                f"i, {at}, 'transfer', 'A', E'B\\t\\n\\\\', 1, 'EUR', 'old', 0, i, {text}, {at} "
                f"FROM {series}"
            )
            s.sql(
                "INSERT INTO r1.decision (apply_seq, decision, score, logit, degraded, trace, "
                "model, config, written_at) SELECT i, 'allow', 0.5, 0, true, '{}', 'v', 'v', "
                f"{at} FROM {series}"
            )
        s.sql(
            "INSERT INTO r1.dead_letter (app, topic, partition, kafka_offset, stage, reason, "
            "payload, received_at) SELECT 'fraud', 'old', 0, i, 'decode', 'r', NULL, "
            "now() - interval '500 days' FROM generate_series(1, 30) i"
        )

    def retain(self, s, *args, check=True):
        return s.fraud("db", "retain", *args, check=check)

    def test_archive_and_drop(self):
        with self.services("retain") as s:
            self.begin(s)
            self.old_rows(s, [450, 449, 401, 390])
            s.sql(
                "INSERT INTO r1.payment (apply_seq, tx_id, topic, partition, kafka_offset, "
                "payload, written_at) VALUES (0, 'lost', 't', 0, 0, '', '2001-01-01')"
            )
            archive = os.path.join(s.folder, "archive")
            before = s.sql("SELECT * FROM r1.payment WHERE apply_seq BETWEEN 1 AND 200 ORDER BY 1")
            dry = self.retain(s, "--archive", archive, "--dry-run").stdout
            self.assertIn("would drop payment_", dry)
            self.assertFalse(os.path.exists(archive))
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "801")
            # What a topic has not acknowledged stays.
            s.sql(
                "INSERT INTO r1.outbox VALUES "
                "('c', 'fraud', 'decision', 't', 300, now(), 1, 'o')"
            )
            p = self.retain(s, "--archive", archive, check=False)
            self.assertEqual(p.returncode, 2)
            self.assertIn("acknowledged up to apply_seq 299", p.stderr)
            s.sql("DELETE FROM r1.outbox")
            said = self.retain(s, "--archive", archive).stdout
            self.assertIn("archived payment_rest: 1 rows", said)
            self.assertIn("archived dead_letter: 30 rows", said)
            self.assertEqual(s.value("SELECT count(*), min(apply_seq) FROM r1.payment"), "200")
            self.assertEqual(s.value("SELECT min(apply_seq) FROM r1.decision"), "601")
            self.assertEqual(s.value("SELECT count(*) FROM r1.dead_letter"), "0")
            self.assertEqual(s.value("SELECT count(*) FROM r1.orphan"), "0")
            self.assertEqual(s.value("SELECT sum(n_row) FROM r1.retention"), "1231")
            self.check_files(s, archive, before)
            self.assertIn("nothing was written before", self.retain(s).stdout)
            # A start with a log that begins later.
            s.produce(self.path, "--limit", 500)
            self.assertEqual(s.finish(s.serve("--model", "none", "--until-idle", 2)), 0)
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "700")
            self.assertEqual(s.value("SELECT max(apply_seq) FROM r1.payment"), "1300")

    def check_files(self, s, archive, before):
        """Each file is what its manifest says, and comes back by COPY."""
        manifests = [m for m in os.listdir(archive) if m.startswith("manifest_")]
        self.assertEqual(len(manifests), 4)  # three days, and the rows without a day
        files = 0
        for name in manifests:
            with open(os.path.join(archive, name), encoding="utf-8") as f:
                manifest = json.load(f)
            self.assertGreaterEqual(manifest["schema_version"], 6)
            for entry in manifest["files"]:
                files += 1
                path = os.path.join(archive, entry["file"])
                with open(path, "rb") as f:
                    self.assertEqual(hashlib.sha256(f.read()).hexdigest(), entry["sha256"])
                text = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
                self.assertEqual(text.count(b"\n"), entry["rows"])
                audit = f"SELECT n_row, sha256 FROM r1.retention WHERE archive = '{path}'"
                self.assertEqual(s.sql(audit), [[str(entry["rows"]), entry["sha256"]]])
                if entry["table"] != "payment" or entry["first"] != 1:
                    continue
                s.sql("CREATE TABLE r1.back (LIKE r1.payment)")
                columns = ", ".join(entry["columns"])
                subprocess.run(
                    ["psql", s.conninfo, "-qXc", f"\\copy r1.back ({columns}) FROM STDIN"],
                    input=text,
                    check=True,
                )
                self.assertEqual(s.sql("SELECT * FROM r1.back ORDER BY apply_seq"), before)
                s.sql("DROP TABLE r1.back")
        self.assertEqual(files, 3 * 4 + 2)
        self.assertFalse([f for f in os.listdir(archive) if f.endswith(".tmp")])

    def test_beside_the_service(self):
        """Weeks are dropped while payments flow; a reader that sits on one makes the drop wait
        and not the service."""
        with self.services("beside") as s:
            self.begin(s)
            self.old_rows(s, [450, 449])
            p = s.serve("--model", "none")
            feeder = s.produce_in_background(self.path, "--rate", 1000)
            reader = subprocess.Popen(
                [
                    *["psql", s.conninfo, "-qXc"],
                    "BEGIN; SELECT count(*) FROM r1.payment; SELECT pg_sleep(30)",
                ],
                stdout=subprocess.DEVNULL,
            )
            time.sleep(0.7)
            busy = self.retain(s, check=False)
            self.assertEqual(busy.returncode, 1)
            self.assertIn("a lock is held by another session", busy.stderr)
            reader.kill()
            reader.wait()
            s.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
                "'%pg_sleep(30)%' AND pid <> pg_backend_pid()"
            )
            self.assertIn("dropped payment_", self.retain(s).stdout)
            s.collect(feeder)
            self.assertEqual(s.settle(p, N), 0)
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), str(N))

    def test_what_moves_scores_is_kept(self):
        with self.services("young") as s:
            self.begin(s)
            for text, expected in (("10d", "the state looks back 28 days"), ("x", 'found "x"')):
                p = self.retain(s, "--older-than", text, check=False)
                self.assertEqual(p.returncode, 2)
                self.assertIn(expected, p.stderr)

    def test_rest(self):
        """What no week holds is taken all the same, and said."""
        with self.services("rest") as s:
            self.begin(s)
            s.sql(f"DROP TABLE {self.week(s, 0)}")
            s.sql(
                "INSERT INTO r1.payment (apply_seq, tx_id, topic, partition, kafka_offset, payload)"
                " VALUES (1, 'x', 't', 0, 0, '{\"tx_id\": \"x\"}')"
            )
            s.sql("UPDATE r1.payment SET applied = false")
            s.produce(self.path, "--limit", 300)
            p = s.serve("--model", "none", "--until-idle", 2)
            self.assertEqual(s.finish(p), 0)
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment_rest"), "301")
            self.assertIn("missing=1 rows_in_rest=1", read_log(p))

    def test_filled_tables_become_partitions(self):
        """A database of the version before: its rows stay where they are, views and rights too."""
        with self.services("upgrade") as s:
            sql = os.path.join(ROOT, "schemas/sql")
            names = sorted(n for n in os.listdir(sql) if n < "0006")
            s.sql("DROP SCHEMA IF EXISTS r1 CASCADE")
            for name in names:
                file = os.path.join(sql, name)
                run("psql", s.conninfo, "-qX1", "-v", "ON_ERROR_STOP=1", "-f", file)
            s.sql("INSERT INTO r1.fraud_version VALUES ('v', 'model', 'v')")
            s.sql(
                "INSERT INTO r1.payment (apply_seq, tx_id, ts, from_id, topic, partition, "
                "kafka_offset, payload, written_at) SELECT i, 'old' || i, now(), 'A', 'old', 0, i, "
                "'{\"tx_id\": \"old' || i || '\"}', now() - interval '2 days' FROM "
                "generate_series(1, 100000) i"
            )
            s.sql(
                "INSERT INTO r1.decision (apply_seq, decision, score, logit, degraded, trace, "
                "model, config) SELECT i, 'review', 0.5, 0, true, '{}', 'v', 'v' FROM "
                "generate_series(1, 100000) i"
            )
            s.sql("INSERT INTO r1.finding VALUES (5, 1, 'cycle', '{}', '{}')")
            s.sql("DO $$ BEGIN CREATE ROLE r1_bank; EXCEPTION WHEN OTHERS THEN END $$")
            s.sql("GRANT SELECT ON r1.payment, r1.alert TO r1_bank")
            node = s.value("SELECT pg_relation_filenode('r1.payment')")
            s.sql("CREATE VIEW public.report AS SELECT count(*) FROM r1.payment")
            p = s.fraud("db", "migrate", check=False)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("views outside of the schema r1", p.stderr)
            s.sql("DROP VIEW public.report")
            s.fraud("db", "migrate")
            self.assertEqual(s.value("SELECT pg_relation_filenode('r1.payment_first')"), node)
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "100000")
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment_rest"), "0")
            self.assertEqual(s.value("SELECT count(*) FROM r1.alert"), "100000")
            self.assertEqual(s.value("SELECT count(*) FROM r1.orphan"), "0")
            for table in "payment", "alert":
                right = f"SELECT has_table_privilege('r1_bank', 'r1.{table}', 'SELECT')"
                self.assertEqual(s.value(right), "t")
            plan = "EXPLAIN SELECT * FROM r1.payment WHERE from_id = 'B' ORDER BY ts DESC LIMIT 3"
            self.assertIn("Index Scan", "".join(r[0] for r in s.sql(plan)))
            s.create_topic()
            s.sql("UPDATE r1.payment SET applied = false")
            s.produce(self.path, "--limit", 300)
            self.assertEqual(s.finish(s.serve("--model", "none", "--until-idle", 2)), 0)
            self.assertEqual(s.value("SELECT count(*), max(apply_seq) FROM r1.payment"), "100300")


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    print(f"R1_TEST_SEED={SEED}", file=sys.stderr)
    unittest.main(verbosity=2)
