#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fraud service seen from outside: the HTTP port, metrics, group offsets, over a real
PostgreSQL and the embedded broker.

tests/e2e/test_port.py [Port|Decide|Files|Port.test_metrics...]

Environment: R1_BIN (folder with the programs).
"""

import ctypes
import http.client
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "deploy"))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import prometheus_text  # noqa: E402
from services import ROOT, Services, bin_dir, run  # noqa: E402

SEED = int(os.environ.get("R1_TEST_SEED") or time.time())
N = 1500


def ask(port, path, body=None, method=None, timeout=30):
    """Status, headers, body."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        c.request(method or ("POST" if body is not None else "GET"), path, body, headers)
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read().decode()
    finally:
        c.close()


def metrics(port):
    return prometheus_text.parse(ask(port, "/metrics")[2])


def wait_until(good, seconds=20):
    deadline = time.time() + seconds
    while not good():
        if time.time() > deadline:
            return False
        time.sleep(0.05)
    return True


class _Partition(ctypes.Structure):
    _fields_ = [
        ("topic", ctypes.c_char_p),
        ("partition", ctypes.c_int32),
        ("offset", ctypes.c_int64),
        ("metadata", ctypes.c_void_p),
        ("metadata_size", ctypes.c_size_t),
        ("opaque", ctypes.c_void_p),
        ("err", ctypes.c_int),
        ("private", ctypes.c_void_p),
    ]


class _List(ctypes.Structure):
    _fields_ = [
        ("cnt", ctypes.c_int),
        ("size", ctypes.c_int),
        ("elems", ctypes.POINTER(_Partition)),
    ]


def group_offsets(brokers, group, topic, n):
    """What a lag tool reads of the group: librdkafka's own client, nothing of ours."""
    k = ctypes.CDLL("librdkafka.so.1")
    k.rd_kafka_conf_new.restype = k.rd_kafka_new.restype = ctypes.c_void_p
    k.rd_kafka_topic_partition_list_new.restype = ctypes.POINTER(_List)
    text = ctypes.create_string_buffer(256)
    conf = ctypes.c_void_p(k.rd_kafka_conf_new())
    for key, value in (("bootstrap.servers", brokers), ("group.id", group)):
        k.rd_kafka_conf_set(conf, key.encode(), value.encode(), text, 256)
    rk = ctypes.c_void_p(k.rd_kafka_new(1, conf, text, 256))
    parts = k.rd_kafka_topic_partition_list_new(n)
    for i in range(n):
        k.rd_kafka_topic_partition_list_add(parts, topic.encode(), i)
    k.rd_kafka_committed(rk, parts, 10000)
    found = [parts.contents.elems[i].offset for i in range(n)]
    k.rd_kafka_topic_partition_list_destroy(parts)
    k.rd_kafka_destroy(rk)
    return found


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-port-")
        os.chmod(cls.folder, 0o755)
        cls.path = os.path.join(cls.folder, "payments.jsonl")
        run(
            os.path.join(bin_dir(), "r1-fraud"),
            "generate",
            "--seed",
            SEED % 100000,
            "--accounts",
            200,
            "--days",
            10,
            "--out",
            cls.path,
        )
        with open(cls.path, encoding="utf-8") as f:
            cls.lines = [line for line in f.read().split("\n") if line][:N]
        with open(cls.path, "w", encoding="utf-8") as f:
            f.write("\n".join(cls.lines) + "\n")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def services(self, name, **kw):
        return Services(os.path.join(self.folder, name), **kw)

    def begin(self, s):
        s.fresh_schema()
        s.create_topic()

    def ended_well(self, s, p):
        """SIGTERM ends the service in order, whatever way its payments came."""
        p.terminate()
        self.assertEqual(s.finish(p), 0)


class Port(Base):
    """Probes, metrics and offsets."""

    def test_metrics(self):
        """The page is Prometheus text by the strict reader, its counts are those of PostgreSQL."""
        bad = os.path.join(self.folder, "bad.jsonl")
        with open(bad, "w", encoding="utf-8") as f:
            f.write('{"tx_id":"later"\n' * 3 + self.lines[0] + "\n")
        with self.services("metrics", partitions=4) as s:
            self.begin(s)
            p = s.serve("--model", "none")
            before = metrics(p.http)
            s.produce(self.path)
            s.produce(bad)
            self.assertTrue(
                wait_until(
                    lambda: prometheus_text.value(metrics(p.http), "r1_fraud_payments_total") == N
                )
            )
            time.sleep(1.2)
            page = ask(p.http, "/metrics")
            self.assertEqual(page[1]["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            m = prometheus_text.parse(page[2])
            self.assertEqual(prometheus_text.problems(m) + prometheus_text.problems(before), [])

            def value(name, **labels):
                return prometheus_text.value(m, name, **labels)

            dead = sum(m["r1_fraud_dead_letters_total"].samples.values())
            self.assertEqual(dead, int(s.value("SELECT count(*) FROM r1.dead_letter")))
            self.assertEqual(dead, 3)
            self.assertEqual(value("r1_fraud_duplicates_total"), 1)
            self.assertEqual(value("r1_fraud_messages_read_total"), N + 4)
            rows = dict(s.sql("SELECT decision, count(*) FROM r1.decision GROUP BY 1"))
            for name in ("allow", "review", "block"):
                self.assertEqual(
                    value("r1_fraud_decisions_total", decision=name), int(rows.get(name, 0))
                )
            self.assertEqual(value("r1_fraud_score_count"), N)
            for stage in ("decode", "apply", "score", "decide", "queue", "commit"):
                self.assertEqual(value("r1_fraud_stage_seconds_count", stage=stage), N)
            offsets = {
                int(part): float(offset)
                for part, offset in s.sql(
                    "SELECT partition, next_offset FROM r1.stream_offset WHERE topic = 'payments'"
                )
            }
            for part, offset in offsets.items():
                labels = {"topic": "payments", "partition": str(part)}
                self.assertEqual(value("r1_fraud_committed_offset", **labels), offset)
                self.assertEqual(value("r1_fraud_lag_messages", **labels), 0)
                self.assertEqual(value("r1_fraud_lag_seconds", **labels), 0)
            self.assertEqual(value("r1_fraud_phase", phase="runs"), 1)
            self.assertGreater(value("process_resident_memory_bytes"), 1 << 20)
            self.assertGreater(value("process_open_fds"), 3)
            self.assertLess(abs(value("process_start_time_seconds") - time.time()), 120)
            self.assertEqual(s.settle(p, N), 0)

    def test_lag_while_postgres_is_away(self):
        """The lag is seen in messages and seconds, /readyz says why, and the log is not flooded."""
        with self.services("lag", partitions=2) as s:
            self.begin(s)
            p = s.serve("--model", "none")
            s.produce(self.path, "--limit", 100)
            s.wait_for("SELECT count(*) FROM r1.payment", 100)
            s.pg("kill9")
            s.produce(self.path, "--skip", 100, "--limit", 400)
            lag = "r1_fraud_lag_messages"
            self.assertTrue(
                wait_until(lambda: sum(metrics(p.http)[lag].samples.values()) == 400), "no lag"
            )
            time.sleep(2)
            seconds = max(metrics(p.http)["r1_fraud_lag_seconds"].samples.values())
            self.assertTrue(1 < seconds < 60, seconds)
            self.assertTrue(wait_until(lambda: ask(p.http, "/readyz")[0] == 503))
            status, _, body = ask(p.http, "/readyz")
            checks = json.loads(body)["checks"]
            self.assertEqual(status, 503)
            self.assertFalse(checks["postgres"]["ok"])
            self.assertTrue(checks["broker"]["ok"], body)
            self.assertEqual(ask(p.http, "/livez")[0], 200)
            s.pg("start")
            self.assertTrue(
                wait_until(lambda: sum(metrics(p.http)[lag].samples.values()) == 0), "still lag"
            )
            self.assertTrue(wait_until(lambda: ask(p.http, "/readyz")[0] == 200))
            with open(p.log_path, encoding="utf-8") as f:
                away = [line for line in f if " postgres_away " in line or " commit_retry " in line]
            self.assertLess(len(away), 40)  # one line a second of each at most
            # Nothing said that PostgreSQL had come back, and a line was "left_out=1" and no more.
            with open(p.log_path, encoding="utf-8") as f:
                text = f.read()
            self.assertRegex(text, r" warn works_again after=\w+ tries=\d+ waited_s=\d")
            self.assertNotRegex(text, r"left_out=\d+\n")
            self.assertEqual(s.settle(p, 500), 0)

    def test_ready_says_which_check_fails(self):
        """Before PostgreSQL is there the process is alive and not ready; a second owner makes the
        first one not ready; without the broker the check of that name fails."""
        with self.services("ready", partitions=2) as s:
            self.begin(s)
            url = s.conninfo
            s.pg("stop")
            p = s.serve("--model", "none", wait_ready=False)
            log = p.log_path

            def port():
                with open(log, encoding="utf-8") as f:
                    found = re.search(r"http port (\d+)", f.read())
                return int(found.group(1)) if found else 0

            self.assertTrue(wait_until(port))
            self.assertEqual(ask(port(), "/livez")[0], 200)
            status, _, body = ask(port(), "/readyz")
            self.assertEqual((status, json.loads(body)["ready"]), (503, False))
            self.assertEqual(json.loads(body)["checks"]["phase"]["found"], "waits")
            self.assertEqual(prometheus_text.problems(metrics(port())), [])
            s.pg("start")
            self.assertEqual(s.conninfo, url)
            self.assertTrue(wait_until(lambda: ask(port(), "/readyz")[0] == 200))
            s.sql("UPDATE r1.stream_offset SET owner = 'another'")
            self.assertTrue(wait_until(lambda: ask(port(), "/readyz")[0] == 503))
            checks = json.loads(ask(port(), "/readyz")[2])["checks"]
            self.assertEqual(
                [name for name, c in checks.items() if not c["ok"]], ["partitions"], checks
            )
            s.stop_broker()
            self.assertTrue(
                wait_until(
                    lambda: not json.loads(ask(port(), "/readyz")[2])["checks"]["broker"]["ok"]
                )
            )
            self.assertEqual(ask(port(), "/livez")[0], 200)
            self.ended_well(s, p)

    def test_group_offsets(self):
        """Lag tools read the group's offsets while the service runs, not only at its end."""
        with self.services("offsets", partitions=4) as s:
            self.begin(s)
            p = s.serve("--model", "none", "--group", "bank-7")
            s.produce(self.path)
            s.wait_for("SELECT count(*) FROM r1.payment", N)
            stored = [
                int(r[0])
                for r in s.sql(
                    "SELECT next_offset FROM r1.stream_offset WHERE topic = 'payments' "
                    "ORDER BY partition"
                )
            ]
            self.assertTrue(
                wait_until(lambda: group_offsets(s.brokers, "bank-7", "payments", 4) == stored),
                (group_offsets(s.brokers, "bank-7", "payments", 4), stored),
            )
            s.kill(p)

    def test_silent_connections(self):
        """Seen: 320 connections without a word locked the port for 30 s."""
        with self.services("silent") as s:
            self.begin(s)
            p = s.serve("--model", "none")
            silent = [socket.create_connection(("127.0.0.1", p.http), 5) for _ in range(500)]
            began = time.time()
            self.assertEqual(ask(p.http, "/livez")[0], 200)
            self.assertLess(time.time() - began, 2)
            name = "r1_fraud_http_made_room_total"
            self.assertTrue(
                wait_until(lambda: prometheus_text.value(metrics(p.http), name) > 100)
            )
            for c in silent:
                c.close()
            self.ended_well(s, p)

    def test_readers_that_take_nothing(self):
        """Seen: clients that pipeline /metrics and read nothing kept payments out, or late."""
        page = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 400
        with self.services("readers") as s:
            self.begin(s)
            p = s.serve("--model", "none")
            slow = []
            for _ in range(400):
                c = socket.socket()
                c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                c.settimeout(5)
                c.connect(("127.0.0.1", p.http))
                c.setblocking(False)
                try:
                    c.send(page)
                except OSError:  # it was refused already
                    pass
                slow.append(c)
            time.sleep(3)  # all that will be sent to them was sent
            began = time.time()
            for line in self.lines[:40]:
                self.assertEqual(decide(p.http, line, timeout=5)[0], 200)
            self.assertLess(time.time() - began, 5)
            self.assertEqual(ask(p.http, "/livez", timeout=5)[0], 200)
            for c in slow[:350]:
                c.close()
            name, taking = "r1_fraud_http_refused_total", {"waited_for": "taking_the_answer"}
            self.assertTrue(wait_until(lambda: ask(p.http, "/metrics")[0] == 200))
            m = metrics(p.http)
            self.assertGreater(prometheus_text.value(m, name, path="/metrics"), 100)
            self.assertEqual(prometheus_text.value(m, name, path="/v1/decide"), 0)
            name = "r1_fraud_http_timed_out_total"
            self.assertGreaterEqual(prometheus_text.value(m, name, **taking), 0)
            for c in slow:
                c.close()
            self.ended_well(s, p)

    def test_port_that_is_taken(self):
        with self.services("taken") as s:
            self.begin(s)
            p = s.serve("--model", "none")
            again = s.fraud(
                "serve", "--model", "none", "--http-listen", f"127.0.0.1:{p.http}", check=False
            )
            self.assertEqual(again.returncode, 1)
            self.assertIn(f"http-listen: 127.0.0.1:{p.http}", again.stderr)
            for bad in ("somewhere", "127.0.0.1:99999", "example.org:80"):
                again = s.fraud("serve", "--model", "none", "--http-listen", bad, check=False)
                self.assertEqual(again.returncode, 2)
                self.assertIn("http-listen: expected an address and a port", again.stderr)
            silent = s.serve("--model", "none", "--http-listen", "", name="silent")
            self.assertIsNone(silent.http)
            self.ended_well(s, silent)


def decide(port, payment, timeout=30):
    """Status and answer of one payment."""
    body = payment if isinstance(payment, (str, bytes)) else json.dumps(payment)
    status, headers, text = ask(port, "/v1/decide", body, timeout=timeout)
    answer = json.loads(text)
    if status == 503:
        assert headers["Retry-After"] == "1", headers
    assert ("decision" in answer) == (status in (200, 409)), (status, answer)
    return status, answer


class Decide(Base):
    """POST /v1/decide: the way, the order and the rows of the stream, answered after the commit."""

    def test_same_decisions_as_by_the_topic(self):
        """The same payments by the port and by the topic get the same scores and reasons."""
        n = 300
        rows = {}
        columns = "p.tx_id, p.apply_seq, d.decision, d.score, d.logit, d.trace, d.reasons, d.rule"
        tables = "r1.payment p JOIN r1.decision d USING (apply_seq)"
        query = f"SELECT {columns} FROM {tables} ORDER BY 2"
        for way in ("topic", "port"):
            with self.services("same-" + way, partitions=1) as s:
                self.begin(s)
                p = s.serve()
                if way == "topic":
                    s.produce(self.path, "--limit", n)
                    s.wait_for("SELECT count(*) FROM r1.payment", n)
                else:
                    for i, line in enumerate(self.lines[:n]):
                        status, answer = decide(p.http, line)
                        self.assertEqual((status, answer["apply_seq"]), (200, i + 1))
                        self.assertEqual(answer["tx_id"], json.loads(line)["tx_id"])
                rows[way] = s.sql(query)
                if way == "port":
                    self.assertEqual(
                        s.sql(
                            "SELECT topic, partition, min(kafka_offset), max(kafka_offset), "
                            "count(DISTINCT kafka_offset) FROM r1.payment GROUP BY 1, 2"
                        ),
                        [["http", "0", "0", str(n - 1), str(n)]],
                    )
                    self.assertEqual(s.sql("SELECT * FROM r1.orphan"), [])
                self.ended_well(s, p)
        self.assertEqual(len(rows["port"]), n)
        self.assertEqual(rows["port"], rows["topic"])

    def test_idempotent(self):
        """The same payment again gets the stored decision: at once, from several clients at the
        same time, after a kill, and beside the topic."""
        with self.services("again", partitions=1) as s:
            self.begin(s)
            p = s.serve("--model", "none")
            first = decide(p.http, self.lines[0])
            again = decide(p.http, self.lines[0])
            self.assertEqual((first[0], again[0]), (200, 200))
            self.assertTrue(again[1].pop("repeated"))
            self.assertEqual(again[1], first[1])
            with ThreadPoolExecutor(8) as pool:
                many = list(pool.map(lambda _: decide(p.http, self.lines[1]), range(16)))
            self.assertEqual({status for status, _ in many}, {200})
            self.assertEqual(len({a["apply_seq"] for _, a in many}), 1)
            s.kill(p)
            p = s.serve("--model", "none")
            self.assertEqual(decide(p.http, self.lines[0])[1]["apply_seq"], 1)
            s.produce(self.path, "--limit", 3)  # the first two are known
            s.wait_for("SELECT count(*) FROM r1.payment", 3)
            self.assertEqual(
                decide(p.http, self.lines[2])[1]["apply_seq"],
                int(s.value("SELECT apply_seq FROM r1.payment WHERE topic = 'payments'")),
            )
            self.assertEqual(
                s.value("SELECT count(*) FROM r1.duplicate WHERE topic = 'payments'"), "2"
            )
            self.ended_well(s, p)

    def test_id_used_again(self):
        """Other content under a known id is decided, flagged, kept, and answered with 409; asking
        again with either content gets that content's decision. What cannot be scored is decided."""
        with self.services("reused", partitions=1) as s:
            self.begin(s)
            p = s.serve("--model", "none")
            payment = json.loads(self.lines[0])
            other = dict(payment, amount_minor=payment["amount_minor"] + 1)
            self.assertEqual(decide(p.http, payment)[0], 200)
            status, answer = decide(p.http, other)
            self.assertEqual((status, answer["decision"], answer["apply_seq"]), (409, "review", 2))
            self.assertEqual(answer["reasons"][0]["code"], "id_reused")
            self.assertEqual(decide(p.http, payment)[1]["apply_seq"], 1)
            for _ in range(2):  # seen: 409 once, and 200 from then on
                status, answer = decide(p.http, other)
                self.assertEqual((status, answer["apply_seq"]), (409, 2))
                self.assertTrue(answer["repeated"])
            status, answer = decide(p.http, dict(payment, tx_id="odd", currency="XXQ"))
            self.assertEqual((status, answer["decision"], answer["apply_seq"]), (200, "review", 3))
            self.assertIn("currency", answer["reasons"][0]["text"])
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "3")
            self.assertTrue(
                wait_until(
                    lambda: prometheus_text.value(
                        metrics(p.http),
                        "r1_fraud_decided_apart_total",
                        rule="unscorable",
                        reason="currency",
                    )
                    == 1
                )
            )
            self.ended_well(s, p)

    def test_row_that_is_gone(self):
        """Seen: 503 for ever, and the decision of other content under the same id."""
        with self.services("gone", partitions=1) as s:
            self.begin(s)
            p = s.serve("--model", "none")
            payment = json.loads(self.lines[0])
            other = dict(payment, amount_minor=payment["amount_minor"] + 1)
            self.assertEqual(decide(p.http, payment)[0], 200)
            self.assertEqual(decide(p.http, other)[0], 409)
            s.sql("DELETE FROM r1.payment WHERE apply_seq = 1")  # as retention does
            for _ in range(2):
                status, answer = decide(p.http, payment)
                self.assertEqual((status, answer["decided"]), (410, False))
                self.assertIn("db retain", answer["error"])
            self.assertEqual(decide(p.http, other)[0], 409)
            self.ended_well(s, p)

    def test_never_a_decision_on_failure(self):
        """No payment, PostgreSQL away, a service that ends: an error that says so, no decision, and
        what was answered with one is in PostgreSQL."""
        with self.services("failure", partitions=1) as s:
            self.begin(s)
            p = s.serve("--model", "none", "--decide-wait", 300)
            for bad in ("", "x", "[]", "{}", "null", "\x00", "[" * 5000, '{"tx_id":{}}'):
                status, answer = decide(p.http, bad)
                self.assertEqual(status, 400, (bad, answer))
                self.assertFalse(answer["decided"])
                self.assertGreater(len(answer["error"]), 10)
            self.assertEqual(ask(p.http, "/v1/decide", "x" * 16385)[0], 413)
            self.assertEqual(ask(p.http, "/v1/decide")[0], 405)
            self.assertEqual(s.value("SELECT count(*) FROM r1.dead_letter"), "0")
            self.assertEqual(decide(p.http, self.lines[0])[0], 200)
            s.pg("kill9")
            time.sleep(1)  # until its children have seen it
            status, answer = decide(p.http, self.lines[1])
            self.assertEqual((status, answer.get("decided")), (503, False), answer)
            self.assertIn("ask again with this tx_id", answer["error"])
            s.pg("start")
            deadline = time.time() + 20
            while decide(p.http, self.lines[1])[0] != 200 and time.time() < deadline:
                time.sleep(0.2)
            status, answer = decide(p.http, self.lines[1])
            self.assertEqual((status, answer["apply_seq"]), (200, 2))
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "2")
            self.ended_well(s, p)

    def flood(self, port, lines, workers, answers):
        def one(line):
            try:
                status, answer = decide(port, line, timeout=10)
            except (OSError, http.client.HTTPException):
                return
            answers.append((status, answer))

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, lines))

    def test_kill_under_load(self):
        """kill -9 while clients ask and the topic flows: each decision that was answered is in
        PostgreSQL as answered, and a client that asks again gets it."""
        with self.services("kill", partitions=2) as s:
            self.begin(s)
            p = s.serve("--model", "none")
            half = len(self.lines) // 2
            feeder = s.produce_in_background(self.path, "--rate", 1000, "--skip", half)
            answers = []
            asking = threading.Thread(
                target=self.flood, args=(p.http, self.lines[:half], 8, answers)
            )
            asking.start()
            time.sleep(0.6)
            s.kill(p)
            asking.join()
            s.collect(feeder)
            told = {a["tx_id"]: a for status, a in answers if status == 200}
            self.assertGreater(len(told), 20)
            p = s.serve("--model", "none")
            s.wait_for(
                "SELECT count(*) FROM r1.payment WHERE topic = 'payments'", len(self.lines) - half
            )
            stored = {
                r[0]: (int(r[1]), r[2])
                for r in s.sql(
                    "SELECT tx_id, apply_seq, decision FROM r1.payment JOIN r1.decision "
                    "USING (apply_seq)"
                )
            }
            for tx_id, a in told.items():
                self.assertEqual(stored[tx_id], (a["apply_seq"], a["decision"]))
            answers = []
            self.flood(p.http, self.lines[:half], 8, answers)
            self.assertEqual([x for x in answers if x[0] != 200], [])
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), str(len(self.lines)))
            self.assertEqual(s.sql("SELECT * FROM r1.orphan"), [])
            self.ended_well(s, p)

    def test_fenced_owner_answers_nothing(self):
        """A second owner takes over while the first one still has clients and an idle topic: the
        first one's answers hold no decision."""
        with self.services("fenced", partitions=1) as s:
            self.begin(s)
            first = s.serve("--model", "none", name="first")
            self.assertEqual(decide(first.http, self.lines[0])[0], 200)
            second = s.serve("--model", "none", name="second")
            try:
                status, answer = decide(first.http, self.lines[1], timeout=20)
                self.assertEqual((status, answer["decided"]), (503, False))
            except (OSError, http.client.HTTPException):
                pass  # it has ended
            self.assertEqual(s.finish(first), 1)
            status, answer = decide(second.http, self.lines[1])
            self.assertEqual((status, answer["apply_seq"]), (200, 2))
            self.ended_well(s, second)

    def test_backlog_does_not_starve(self):
        """While a backlog of the topic fills every batch, the port is still answered."""
        with self.services("backlog", partitions=1) as s:
            self.begin(s)
            for _ in range(9):  # what the embedded broker holds
                s.produce(self.path)
            p = s.serve("--model", "none", "--decide-wait", 2000)
            payment = dict(json.loads(self.lines[0]), tx_id="asked")
            status, answer = decide(p.http, payment)
            behind = int(
                s.value("SELECT next_offset FROM r1.stream_offset WHERE topic = 'payments'")
            )
            self.assertEqual(status, 200)
            self.assertLess(behind, 9 * N, "the backlog was read before the question came")
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment WHERE tx_id = 'asked'"), "1")
            self.ended_well(s, p)

    def test_full(self):
        """More clients than places while PostgreSQL stands still: told to come again; nothing
        is decided twice or lost afterwards."""
        with self.services("full", partitions=1) as s:
            self.begin(s)
            p = s.serve("--model", "none", "--decide-wait", 1500)
            self.assertEqual(decide(p.http, self.lines[0])[0], 200)
            s.pg("kill9")
            time.sleep(0.5)  # a backend outlives its postmaster for a moment
            answers = []
            self.flood(p.http, self.lines[1:301], 300, answers)
            self.assertEqual({status for status, _ in answers}, {503})
            reasons = {a["error"] for _, a in answers}
            self.assertIn("too many payments wait", reasons)
            s.pg("start")
            answers = []
            deadline = time.time() + 20
            while len(answers) < 300 and time.time() < deadline:
                answers = []
                self.flood(p.http, self.lines[1:301], 32, answers)
                answers = [x for x in answers if x[0] == 200]
            self.assertEqual(len(answers), 300)
            self.assertEqual(s.value("SELECT count(*) FROM r1.payment"), "301")
            self.ended_well(s, p)


class Status(Base):
    """`r1-fraud status`: one screen, and what it could not learn."""

    def status(self, s, port, *args):
        listen = f"127.0.0.1:{port}" if port else ""
        return s.fraud("status", "--http-listen", listen, *args, check=False)

    def test_one_screen(self):
        bad = os.path.join(self.folder, "odd.jsonl")
        payment = json.loads(self.lines[0])
        with open(bad, "w", encoding="utf-8") as f:
            odd = json.dumps(dict(payment, tx_id="odd", currency="XXQ"))
            f.write("no payment\n" * 2 + odd + "\n")
        with self.services("status", partitions=2) as s:
            self.begin(s)
            p = s.serve("--model", "none", "--decisions-topic", "decisions")
            time.sleep(1.2)
            none = self.status(s, p.http).stdout
            self.assertIn("committed none counted", none)
            self.assertIn("snapshot none", none)
            for odd_word in ("nan", "? forgotten"):
                self.assertNotIn(odd_word, none)
            self.assertNotIn("\nr1_fraud_snapshot_age_seconds", ask(p.http, "/metrics")[2])
            s.produce(self.path)
            s.produce(bad, "--as-lines")
            s.wait_for("SELECT count(*) FROM r1.payment", N + 1)
            self.assertTrue(
                wait_until(lambda: self.status(s, p.http).returncode == 0),
                self.status(s, p.http).stdout,
            )
            time.sleep(1.2)
            shown = self.status(s, p.http)
            lines = shown.stdout.split("\n")
            self.assertLess(len(lines), 30)
            self.assertLessEqual(max(len(line) for line in lines), 80)
            for part in ("runs, ready", "rules", "payments", f"payment {N + 1} written",
                         "dead letters 2", "unscorable 1", "lag      0 messages"):
                self.assertIn(part, shown.stdout)
            doc = json.loads(self.status(s, p.http, "--json").stdout)
            self.assertEqual(doc["not_known"], {})
            self.assertEqual(doc["service"]["payments"], N + 1)
            rows = {r["topic"]: r for r in doc["stream"]}
            self.assertEqual(rows["payments"]["partitions"], 2)
            self.assertEqual(rows["payments"]["next_offset"], N + 3)
            self.assertEqual(rows["payments"]["owner"], doc["service"]["owner"])
            self.assertEqual(doc["log"]["model"], doc["service"]["model"])
            self.assertTrue(0 < doc["service"]["p99_s"] < 60, doc["service"])
            # Each count of the day stands whole, on as many lines as that takes.
            s.sql("UPDATE r1.decision SET decision = 'review', score = NULL, logit = NULL, "
                  "rule = 'rule_of_a_long_name_' || apply_seq WHERE apply_seq <= 9")
            shown = self.status(s, p.http).stdout
            self.assertLessEqual(max(len(line) for line in shown.split("\n")), 80)
            for i in range(1, 10):
                self.assertRegex(shown, rf"rule_of_a_long_name_{i} 1[,\n]")
            # Bytes of others do not reach the terminal as they are.
            s.sql("UPDATE r1.stream_offset SET owner = E'\\x1b[31mred\\nline' WHERE topic = 'http'")
            self.assertNotIn("\x1b", self.status(s, p.http).stdout)
            s.sql("DROP TABLE r1.duplicate")
            part = self.status(s, p.http)
            self.assertEqual(part.returncode, 3)
            self.assertIn("not known  day:", part.stdout)
            self.assertIn("payments", part.stdout)
            self.ended_well(s, p)
            gone = self.status(s, p.http)
            self.assertEqual(gone.returncode, 3)
            self.assertIn("not known  service:", gone.stdout)
            self.assertIn("payments", gone.stdout)
            s.pg("stop")
            dark = self.status(s, None)
            self.assertEqual(dark.returncode, 3)
            self.assertIn("not known  postgres:", dark.stdout)

    def test_whose_it_is(self):
        """Asked for one database it showed the port of another one's service above its tables; rows
        of topics that were made anew stood there unmarked, an owner that had stopped as if it were
        alive, and the reason of a failed connection was cut at its end."""
        with self.services("whose", partitions=2) as s:
            self.begin(s)
            p = s.serve("--model", "none")
            s.produce(self.path)
            s.wait_for("SELECT count(*) FROM r1.payment", N)
            s.sql("INSERT INTO r1.stream_offset (cluster_id, app, topic, partition, next_offset, "
                  "epoch, owner) VALUES ('older', 'fraud', 'payments', 0, 7, 1, 'gone/1')")
            self.assertTrue(wait_until(lambda: self.status(s, p.http).returncode == 0))
            shown = self.status(s, p.http).stdout
            self.assertNotIn("gone", shown)
            self.assertEqual(shown.count("\npayments "), 1)
            self.assertIn("earlier    1 topics that nobody reads on", shown)
            doc = json.loads(self.status(s, p.http, "--json").stdout)
            self.assertEqual([r["cluster_id"] for r in doc["earlier"]], ["older"])
            ours = s.conninfo
            s.sql("CREATE DATABASE other")
            s.conninfo = ours.replace("dbname=r1", "dbname=other")
            s.fresh_schema()
            other = self.status(s, p.http)
            s.conninfo = ours
            self.assertEqual(other.returncode, 3)
            self.assertIn(f":{p.http}: is of another database\n", other.stdout)
            self.assertIn("name the port of this one by --http-listen", " ".join(
                other.stdout.split()))  # fmt: skip
            self.assertNotIn("runs, ready", other.stdout)
            self.assertNotIn(f"/{p.pid}\n", other.stdout)
            self.ended_well(s, p)
            gone = f"/{p.pid}, which had them, has no connection to this database"
            self.assertTrue(
                wait_until(lambda: gone in " ".join(self.status(s, None).stdout.split()), 5),
                self.status(s, None).stdout,
            )
            s.fraud("offsets", "reset", "--to", "beginning", "--why", "test")
            self.assertIn("no service has taken them since", self.status(s, None).stdout)
            host = ours.split()[0].removeprefix("host=")
            link = os.path.join(self.folder, "")
            link += "l" * (107 - len(link) - len(f"/.s.PGSQL.{s.pg_port}"))
            os.symlink(host, link)
            s.conninfo = ours.replace(host, link).replace("dbname=r1", "dbname=" + "long" * 15)
            lost = self.status(s, None)
            s.conninfo = ours
            self.assertEqual(lost.returncode, 3)
            said = " ".join(lost.stdout.split())
            self.assertIn("does not exist: create the database, or name another one", said)
            self.assertLessEqual(max(len(line) for line in lost.stdout.split("\n")), 80)


class Letters(Base):
    """`r1-fraud dlq`: letters go back whole, mended ones are checked first, circles are seen."""

    def letter(self, s, offset, payload, key=None, headers=None, stage="decode", reason="odd: x",
               topic="payments", age="0s"):
        """A letter as the service stores it; returns its id."""
        def literal(x, kind):
            return f"'{x}'::{kind}" if x is not None else "NULL"

        def octets(x):
            return f"'\\x{x.hex()}'::bytea" if x is not None else "NULL"

        return s.value(
            "INSERT INTO r1.dead_letter (app, topic, partition, kafka_offset, stage, reason, key, "
            f"payload, headers, received_at) VALUES ('fraud', '{topic}', 0, {offset}, '{stage}', "
            f"'{reason}', {octets(key)}, {octets(payload)}, {literal(headers, 'jsonb')}, "
            f"now() - interval '{age}') RETURNING id"
        )

    def dlq(self, s, *args, env=None):
        args = [os.path.join(bin_dir(), "r1-fraud"), "dlq", *args]
        args += ["--postgres", s.conninfo, "--brokers", s.brokers]
        return run(*args, check=False, env=dict(os.environ, **(env or {})))

    def drain(self, s):
        self.assertEqual(s.finish(s.serve("--model", "none", "--until-idle", 1)), 0)

    def test_whole_and_in_circles(self):
        """Key, headers of any bytes and a missing payload survive DB, topic and DB again; the
        letter that comes back is recognised, with its chain."""
        headers = '[["trace", "abc"], ["trace", {"hex": "00ff"}], ["none", null], ["", ""]]'
        stale = headers[:-1] + ', ["sent_us", "1700000000000000"]]'  # would be read as latency
        rows = [  # payload, key
            (None, b"account-7"),
            (None, None),
            (b"", b""),
            (b"\x00\xff no JSON", b"\x00\x01"),
        ]
        with self.services("circles", partitions=1) as s:
            self.begin(s)
            self.drain(s)
            for i, (payload, key) in enumerate(rows):
                first = self.letter(s, 1000 + i, payload, key, stale)
                sent = self.dlq(s, "replay", first)
                self.assertEqual(sent.returncode, 0, sent.stderr)
                self.drain(s)
                columns = "encode(key, 'hex'), encode(payload, 'hex'), key IS NULL, payload IS NULL"
                one, two = s.sql(f"SELECT {columns} FROM r1.dead_letter ORDER BY id DESC LIMIT 2")
                self.assertEqual(one, two)
                second, again = s.sql(
                    "SELECT id, headers FROM r1.dead_letter ORDER BY id DESC LIMIT 1"
                )[0]
                want = json.loads(headers) + [["r1-dlq-id", first]]
                self.assertEqual(json.loads(again), want)
                self.assertEqual(
                    s.sql(f"SELECT replays, mended FROM r1.dead_letter WHERE id = {first}"),
                    [["1", "f"]],
                )
                twice = self.dlq(s, "replay", first)
                self.assertEqual(twice.returncode, 2)
                self.assertIn("was sent back at", twice.stderr)
                circle = self.dlq(s, "replay", second)
                self.assertEqual(circle.returncode, 2)
                self.assertIn("died again", circle.stderr)
                self.assertIn(f"was: {first} decode: odd: x", circle.stdout)
            shown = self.dlq(s, "show", second).stdout
            for part in (f"was: {first}", "header: trace = abc", "header: none = (none)",
                         "\\0", f"header: r1-dlq-id = {first}"):
                self.assertIn(part, shown)
            forced = self.dlq(s, "replay", second, "--force")
            self.assertEqual(forced.returncode, 0, forced.stderr)
            self.drain(s)
            third = s.value("SELECT max(id) FROM r1.dead_letter")
            chain = self.dlq(s, "show", third).stdout
            self.assertTrue(0 < chain.index(f"was: {second}") < chain.index(f"was: {first}"))

    def test_mend(self):
        """Only what the decoder takes is sent, and it is decided; an editor works as in git."""
        payment = json.loads(self.lines[0])
        broken = json.dumps(payment)[:-1].encode()
        good = os.path.join(self.folder, "good.json")
        with open(good, "w", encoding="utf-8") as f:
            json.dump(payment, f)
        with self.services("mend", partitions=1) as s:
            self.begin(s)
            self.drain(s)
            one = self.letter(s, 1, broken, b"k")
            for text, why in (
                (b"still broken", "it would die again"),
                (json.dumps(dict(payment, currency="XXQ")).encode(), "without a score: currency"),
            ):
                bad = os.path.join(self.folder, "bad.json")
                with open(bad, "wb") as f:
                    f.write(text)
                p = self.dlq(s, "mend", one, "--payload", bad)
                self.assertEqual(p.returncode, 1)
                self.assertIn(why, p.stderr)
            p = self.dlq(s, "mend", one, "--payload", good, "--dry-run")
            self.assertIn(f"would send {one} to payments, mended", p.stdout)
            self.assertEqual(s.value("SELECT sum(replays) FROM r1.dead_letter"), "0")
            p = self.dlq(s, "mend", one, "--payload", good)
            self.assertEqual(p.returncode, 0, p.stderr)
            p = self.dlq(s, "mend", one, "--payload", good)
            self.assertEqual(p.returncode, 2, "a mended letter was sent again")
            self.assertIn("was sent back at", p.stderr)
            two = self.letter(s, 2, json.dumps(dict(payment, tx_id="two")).encode()[:-1], b"k")
            p = self.dlq(s, "mend", two, env={"EDITOR": "false", "VISUAL": ""})
            self.assertIn("nothing is sent", p.stderr)
            p = self.dlq(s, "mend", two, env={"EDITOR": "true", "VISUAL": ""})
            self.assertIn("is as it was", p.stderr)
            p = self.dlq(s, "mend", two, env={"EDITOR": "sed -i 's/$/ ]/'", "VISUAL": ""})
            kept = re.search(r"what you wrote is in (\S+) ", p.stderr).group(1)
            with open(kept, encoding="utf-8") as f:
                self.assertTrue(f.read().rstrip().endswith("]"))
            os.unlink(kept)
            p = self.dlq(s, "mend", two, env={"EDITOR": "sed -i 's/$/}/'", "VISUAL": ""})
            self.assertEqual(p.returncode, 0, p.stderr)
            self.drain(s)
            self.assertEqual(
                {r[0] for r in s.sql("SELECT tx_id FROM r1.payment")}, {payment["tx_id"], "two"}
            )
            self.assertEqual(
                s.sql("SELECT replays, mended FROM r1.dead_letter ORDER BY id"), [["1", "t"]] * 2
            )

    def test_many_at_once(self):
        """Filters choose, a dry run sends nothing, order is that of arrival, what must not go is
        passed over and named."""
        with self.services("many", partitions=1) as s:
            self.begin(s)
            self.drain(s)
            for i in range(6):
                why = "message: expected"
                self.letter(s, 1000 + i, b"x%d" % i, None, None, "decode", why, age="3h")
            self.letter(s, 1006, b"y", None, None, "write", "row refused: 100% of it")
            self.letter(s, 1007, b"z", None, '[["r1-dlq-id", "1"]]', "write", "row refused")
            self.letter(s, 0, b"{}", topic="http")
            for args, n in (
                (["--stage", "write"], 2),
                (["--reason", "100% of"], 1),
                (["--since", "1h"], 3),
                (["--since", "2020-01-01"], 9),
                (["--stage", "write", "--reason", "message"], 0),
                (["--limit", "4"], 4),
            ):
                p = self.dlq(s, "list", *args)
                self.assertEqual(len(p.stdout.splitlines()), n, (args, p.stdout))
            for args in (["replay"], ["replay", "1", "--all"], ["mend"], ["show"], ["list", "1"],
                         ["replay", "x"], ["replay", "9" * 30], ["replay", "--since", "soon"]):
                self.assertNotEqual(self.dlq(s, *args).returncode, 0, args)
            for since in ("yesterday", "2026-99-01", "5 parsecs", "it's"):
                p = self.dlq(s, "list", "--since", since)
                self.assertEqual(p.returncode, 2, p.stderr)
                self.assertIn("--since: expected an age", p.stderr)
                self.assertNotIn("SELECT", p.stderr)
            p = self.dlq(s, "replay", "--all", "--dry-run")
            self.assertIn("7 would be sent, 2 passed over", p.stdout)
            self.assertIn("which was sent back and died again", p.stdout)
            self.assertIn("came by POST /v1/decide", p.stdout)
            self.assertEqual(s.value("SELECT sum(replays) FROM r1.dead_letter"), "0")
            p = self.dlq(s, "replay", "--stage", "decode", "--limit", "3")
            self.assertIn("3 sent, 0 passed over; there may be more", p.stdout)
            p = self.dlq(s, "replay", "--all")
            self.assertIn("4 sent, 2 passed over", p.stdout)
            self.drain(s)
            self.assertEqual(
                [r[0] for r in s.sql(
                    "SELECT encode(payload, 'escape') FROM r1.dead_letter WHERE id > 9 ORDER BY id"
                )],
                ["x0", "x1", "x2", "x3", "x4", "x5", "y"],
            )


class Files(Base):
    """What ships beside the service names only what there is."""

    def test_rules_and_dashboard(self):
        import yaml

        with self.services("files") as s:
            self.begin(s)
            p = s.serve("--model", "none")
            there = metrics(p.http)
            self.ended_well(s, p)
        known = set(there)
        for f in there.values():
            if f.type == "histogram":
                known |= {f.name + x for x in ("_bucket", "_sum", "_count")}
        path = os.path.join(ROOT, "deploy/prometheus/r1-fraud.rules.yml")
        with open(path, encoding="utf-8") as f:
            rules = yaml.safe_load(f)["groups"][0]["rules"]
        with open(os.path.join(ROOT, "deploy/grafana/r1-fraud.json"), encoding="utf-8") as f:
            panels = json.load(f)["panels"]
        texts = [r["expr"] for r in rules] + [t["expr"] for p in panels for t in p["targets"]]
        named = {n for text in texts for n in re.findall(r"\b(?:r1_fraud|process)_\w+", text)}
        self.assertGreater(len(named), 20)
        self.assertEqual(sorted(named - known), [])
        self.assertEqual(len({r["alert"] for r in rules}), len(rules))
        for r in rules:
            self.assertTrue(r["annotations"]["summary"])
            self.assertEqual(r["expr"].count("("), r["expr"].count(")"))

    def test_broker_port_that_is_taken(self):
        """The embedded broker says so and ends; librdkafka would abort."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            p = run(os.path.join(bin_dir(), "r1-broker"), "serve", "--port", port, check=False)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn(f"port {port} of 127.0.0.1 cannot be taken", p.stderr)

    def test_reader_refuses(self):
        """Control: the strict reader sees what it should."""
        good = '# HELP a_total A.\n# TYPE a_total counter\na_total{x="y\\"z"} 1\n'
        self.assertEqual(prometheus_text.problems(prometheus_text.parse(good)), [])
        for bad in (
            good[:-1],
            good + good,
            good.replace("counter", "count"),
            good.replace("a_total{", "b_total{"),
            good.replace('y\\"z', 'y"z'),
            good + 'a_total{x="y\\"z"} 2\n',
            good.replace(" 1", " one"),
            good.replace("# HELP", "#HELP"),
        ):
            with self.assertRaises(ValueError, msg=bad):
                prometheus_text.parse(bad)
        head = "# HELP h H.\n# TYPE h histogram\n"
        for bad in (
            head + 'h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
            head + 'h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n',
            head + 'h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n',
            "# HELP a A.\n# TYPE a counter\na 1\n",
            "# HELP a_ms A.\n# TYPE a_ms gauge\na_ms 1\n",
        ):
            self.assertNotEqual(prometheus_text.problems(prometheus_text.parse(bad)), [], bad)


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    print(f"R1_TEST_SEED={SEED}", file=sys.stderr)
    unittest.main(verbosity=2)
