#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""r1-medical serve from outside: records by HTTP, and by a topic over a real PostgreSQL and the
embedded broker.

tests/e2e/test_medical.py [Port|Stream|Port.test_tokens...]

Environment: R1_BIN (folder with the programs).
"""

import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "deploy"))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import prometheus_text  # noqa: E402
from services import ROOT, Services, bin_dir, run  # noqa: E402

TOKEN, ADMIN = "user-token-0123456789", "admin-token-0123456789"
OWN = os.path.join(ROOT, "ontology/r1med.xml")
RECORD = os.path.join(ROOT, "apps/medical/samples/record.txt")
MEDICAL = os.path.join(bin_dir(), "r1-medical")
# A surname that no knowledge base has: it must turn up nowhere but in answers.
NAME = "Quagliatore"
SURE = (
    f"Letter on {NAME}. Angiokeratoma, acroparesthesia, hypohidrosis, cornea verticillata. "
    "Seen on a Monday."
)


def secret(folder, name, text, mode=0o600):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


class Medical:
    """A running service."""

    def __init__(self, folder, *args, kb=OWN, name="medical"):
        self.log_path = os.path.join(folder, name + ".log")
        with open(self.log_path, "a", encoding="utf-8") as log:
            at = log.tell()
            self.p = subprocess.Popen(
                [
                    MEDICAL,
                    "serve",
                    "--token-file",
                    secret(folder, "token", TOKEN),
                    "--admin-token-file",
                    secret(folder, "admin", ADMIN),
                    "--http-listen",
                    "127.0.0.1:0",
                    "--kb",
                    kb,
                    "--log-level",
                    "info",
                    *[str(a) for a in args],
                ],
                stderr=log,
                cwd=ROOT,
            )
        deadline = time.time() + 30
        while time.time() < deadline and self.p.poll() is None:
            port = re.search(r"ready, http port (\d+)", self.log()[at:])
            if port:
                self.port = int(port.group(1))
                return
            time.sleep(0.02)
        raise RuntimeError("r1-medical serve did not become ready:\n" + self.log()[-2000:])

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def ask(self, path, body=None, token=TOKEN, method=None, **headers):
        """Status, headers, body as bytes."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if token:
            headers["Authorization"] = "Bearer " + token
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        try:
            c.request(method or ("GET" if body is None else "POST"), path, body, headers)
            r = c.getresponse()
            return r.status, dict(r.getheaders()), r.read()
        finally:
            c.close()

    def json(self, *args, **kw):
        status, _, body = self.ask(*args, **kw)
        assert status == 200, (status, body)
        return json.loads(body)

    def metrics(self):
        return prometheus_text.parse(self.ask("/metrics", token=None)[2].decode())

    def end(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        return self.p.wait(20)


def wait_until(good, seconds=20):
    deadline = time.time() + seconds
    while not good():
        if time.time() > deadline:
            return False
        time.sleep(0.03)
    return True


class Port(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="r1-medical-")
        cls.kb = os.path.join(cls.folder, "kb.r1kb")
        run(MEDICAL, "ontology", "build", OWN, "--out", cls.kb)
        cls.m = Medical(cls.folder, kb=cls.kb)

    @classmethod
    def tearDownClass(cls):
        code = cls.m.end()
        log = cls.m.log()
        shutil.rmtree(cls.folder)
        assert code == 0, code
        assert NAME not in log and TOKEN not in log, "a log line holds a record or the token"

    def test_tokens(self):
        m = self.m
        for path in ("/livez", "/readyz", "/metrics", "/v1/openapi.json", "/cds-services"):
            self.assertEqual(m.ask(path, token=None)[0], 200, path)
        for token in (None, "", TOKEN[:-1], TOKEN + "x", "x" * len(TOKEN)):
            status, headers, _ = m.ask("/v1/terms?q=seizure", token=token)
            self.assertEqual((status, headers.get("WWW-Authenticate")), (401, "Bearer"), token)
        unread = {"Content_Length": "100000"}
        self.assertEqual(m.ask("/v1/records", method="POST", token=None, **unread)[0], 401)
        self.assertEqual(m.ask("/v1/knowledge", b"")[0], 403)
        for mode, text in ((0o644, TOKEN), (0o600, "short")):
            path = secret(self.folder, "bad", text, mode)
            p = run(MEDICAL, "serve", "--token-file", path, check=False)
            self.assertEqual(p.returncode, 2, p.stderr)
        self.assertEqual(run(MEDICAL, "serve", check=False).returncode, 2)

    def test_records_and_findings(self):
        """The port gives the report that the command gives, and findings rank again."""
        with open(RECORD, "rb") as f:
            record = f.read()
        got = self.m.json("/v1/records", record, Content_Type="text/plain")
        run(MEDICAL, "report", RECORD, "--kb", self.kb, "--format", "json", "--out", self.folder)
        with open(os.path.join(self.folder, "record.report.json"), encoding="utf-8") as f:
            want = json.load(f)
        want["title"] = "record"
        self.assertEqual(got["report"], want)
        findings = got["findings"]
        findings["sex"] = "female"
        for f in findings["findings"]:
            f["review"] = "rejected" if f["name"] == "Arachnodactyly" else "accepted"
        again = self.m.json(
            "/v1/findings", json.dumps(findings), Content_Type="application/json"
        )["report"]
        names = [f["name"] for f in again["observed"]]
        self.assertNotIn("Arachnodactyly", names)
        self.assertIn("Ectopia lentis", names)
        self.assertEqual(again["sex"], "female")

    def test_report_with_genes(self):
        """What `report --genes FILE` takes: the same answer, and each fault names its member."""
        with open(RECORD, encoding="utf-8") as f:
            text = f.read()
        genes = secret(self.folder, "genes", "FBN1\n")
        run(MEDICAL, "report", RECORD, "--kb", self.kb, "--genes", genes, "--format", "json",
            "--out", self.folder)  # fmt: skip
        with open(os.path.join(self.folder, "record.report.json"), encoding="utf-8") as f:
            want = json.load(f)
        want["title"] = "record"
        kind = {"Content_Type": "application/json"}
        asked = {"record": text, "genes": ["FBN1"]}
        got = self.m.json("/v1/report", json.dumps(asked), **kind)["report"]
        self.assertEqual(got, want)
        self.assertIn("FBN1", json.dumps(got["with_genes"] if "with_genes" in got else got))
        ids = {"observed": ["HP:0001083", "Arachnodactyly", "HP:9999999"], "excluded": ["Seizure"],
               "sex": "female", "age": 12}  # fmt: skip
        got = self.m.json("/v1/report", json.dumps(ids), **kind)["report"]
        self.assertEqual([f["name"] for f in got["excluded"]], ["Seizure"])
        self.assertEqual((got["sex"], len(got["observed"])), ("female", 2))
        self.assertIn("HP:9999999: not in the knowledge base", json.dumps(got))
        for body, code, words in (
            (b"", 400, "empty body"),
            (b"{", 400, "line 1"),
            (b'{"record": "x", "gene": []}', 400, '\\"gene\\"'),
            (b'{"record": 3}', 400, '\\"record\\"'),
            (b'{"record": "x", "age": 1e300}', 400, '\\"age\\"'),
            (b'{"observed": ["HP:9999999"]}', 400, "none of them is in the knowledge base"),
            (b'{"findings": {"format": "x", "findings": 3}}', 400, "expected"),
            (b'{"record": "\xff"}', 400, "expected JSON"),
            (b"[" * 100000, 400, "expected JSON"),
        ):
            status, _, said = self.m.ask("/v1/report", body, **kind)
            self.assertEqual(status, code, said)
            self.assertIn(words, said.decode())
        self.assertEqual(self.m.ask("/v1/report", b"{}", Content_Type="text/plain")[0], 415)
        self.assertEqual(self.m.ask("/v1/report", b"{}", token=None, **kind)[0], 401)
        self.assertEqual(self.m.ask("/v1/report", b"{}", Accept="image/png", **kind)[0], 406)
        large = {"Content_Length": str(9 << 20), **kind}
        self.assertEqual(self.m.ask("/v1/report", method="POST", **large)[0], 413)
        self.assertEqual(self.m.ask("/v1/findings", b"{", **kind)[0], 400)
        for path in ("/v1/findings", "/v1/records"):
            status, _, said = self.m.ask(path, b"", **kind)
            self.assertEqual((status, b"found nothing" in said), (400, True), path)

    def test_forms(self):
        for accept, kind, begins in (
            ("text/html", "text/html; charset=utf-8", b"<!DOCTYPE html>"),
            ("application/pdf", "application/pdf", b"%PDF-"),
            ("text/plain", "text/plain; charset=utf-8", b"This ranking knows only"),
            ("application/fhir+json", "application/fhir+json", b"{"),
            ("application/vnd.ga4gh.phenopacket+json",) * 2 + (b"{",),
            ("text/html;q=0.3, application/json;q=0.9", "application/json", b"{"),
        ):
            status, headers, body = self.m.ask(
                "/v1/records", SURE.encode(), Accept=accept, Content_Type="text/plain"
            )
            self.assertEqual((status, headers["Content-Type"]), (200, kind))
            self.assertTrue(body.startswith(begins), body[:40])
        self.assertEqual(self.m.ask("/v1/records", b"x", Accept="image/png")[0], 406)

    def test_refused(self):
        kind = {"Content_Type": "application/json"}
        for path, body, status, words in (
            ("/v1/records", b"\x89PNG\r\n\x1a\n", 422, "picture"),
            ("/v1/findings", b"{}", 422, "findings"),
            ("/v1/findings", b'[{"id": "HP:0001083", "status": "present"}]', 422, "/v1/records"),
            ("/v1/findings", b'{"format": "r1-findings", "version": 1, "findings": [3]}', 422, "1"),
            ("/cds-services/r1-rare-disease", b'{"hook": "order-sign"}', 400, "patient-view"),
            ("/cds-services/r1-rare-disease", b'{"hook": "patient-view"}', 412, "prefetch"),
        ):
            got, _, said = self.m.ask(path, body, **kind)
            self.assertEqual(got, status, said)
            self.assertIn(words, json.loads(said)["error"])
        self.assertEqual(self.m.ask("/v1/findings", b"{}", Content_Type="text/plain")[0], 415)
        self.assertEqual(self.m.ask("/v1/terms")[0], 400)
        self.assertEqual(self.m.ask("/v1/terms?q=a&n=51")[0], 400)
        large = {"Content_Length": str((8 << 20) + 1)}
        self.assertEqual(self.m.ask("/v1/records", method="POST", **large)[0], 413)

    def test_terms_and_card(self):
        terms = self.m.json("/v1/terms?q=len%20ect&n=5")["terms"]
        self.assertEqual(terms[0]["name"], "Ectopia lentis")
        service = self.m.json("/cds-services")["services"][0]
        self.assertEqual(set(service["prefetch"]), {"patient", "conditions", "observations"})
        code = {"system": "http://human-phenotype-ontology.org", "code": "HP:0001083"}
        condition = {"resourceType": "Condition", "code": {"coding": [code]}}
        ask = {"hook": "patient-view", "prefetch": {"conditions": condition}}
        for prefetch, words in ((ask["prefetch"], "Homocystinuria"), ({}, "No finding")):
            ask["prefetch"] = prefetch
            body = json.dumps(ask)
            card = self.m.json(
                "/cds-services/" + service["id"], body, Content_Type="application/json"
            )["cards"][0]
            self.assertLessEqual(len(card["summary"]), 140)
            self.assertIn(words, card["summary"] + card["detail"])

    def test_swap(self):
        """Another knowledge base comes while requests run: each is answered, by one of both."""
        own = os.path.join(self.folder, "other.xml")
        with open(OWN, encoding="utf-8") as f:
            text = f.read()
        version = re.search(r'version="([^"]+)"', text.split("<r1-ontology", 1)[1]).group(0)
        with open(own, "w", encoding="utf-8") as f:
            f.write(text.replace(version, 'version="other"', 1))
        before = self.m.json("/readyz")["knowledge_base"]
        seen, failed, stop = set(), [], threading.Event()

        def work():
            while not stop.is_set():
                status, _, body = self.m.ask("/v1/records", SURE.encode())
                if status != 200:
                    failed.append((status, body))
                else:
                    seen.add(json.loads(body)["report"]["knowledge_base"])

        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads:
            t.start()
        run(MEDICAL, "ontology", "build", own, "--out", self.kb)
        after = self.m.json("/v1/knowledge", b"", token=ADMIN)["knowledge_base"]
        self.assertTrue(wait_until(lambda: after in seen))
        with open(self.kb, "r+b") as f:  # a damaged one: the old one stays
            f.truncate(1000)
        self.m.p.send_signal(signal.SIGHUP)
        key = "r1_medical_knowledge_refused_total"
        self.assertTrue(wait_until(lambda: self.m.metrics()[key].samples[(key, ())] == 1, 5))
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(failed, [])
        self.assertNotEqual(before, after)
        self.assertEqual(self.m.json("/readyz")["knowledge_base"], after)
        run(MEDICAL, "ontology", "build", OWN, "--out", self.kb)
        self.m.p.send_signal(signal.SIGHUP)
        self.assertTrue(wait_until(lambda: self.m.json("/readyz")["knowledge_base"] == before))

    def test_rate(self):
        slow = Medical(self.folder, "--rate", 6, "--no-r1", name="slow")
        got = [slow.ask("/v1/terms?q=a") for _ in range(14)]
        self.assertEqual(slow.ask("/livez", token=None)[0], 200)
        self.assertEqual(slow.end(), 0)
        self.assertIn(429, [g[0] for g in got])
        self.assertTrue(all(g[1].get("Retry-After") for g in got if g[0] == 429))


class Producer:
    """librdkafka's own client: messages of any bytes."""

    def __init__(self, brokers, topic):
        k = self.k = ctypes.CDLL("librdkafka.so.1")
        for f in (k.rd_kafka_conf_new, k.rd_kafka_new, k.rd_kafka_topic_new):
            f.restype = ctypes.c_void_p
        text = ctypes.create_string_buffer(256)
        conf = ctypes.c_void_p(k.rd_kafka_conf_new())
        k.rd_kafka_conf_set(conf, b"bootstrap.servers", brokers.encode(), text, 256)
        self.rk = ctypes.c_void_p(k.rd_kafka_new(0, conf, text, 256))
        self.topic = ctypes.c_void_p(k.rd_kafka_topic_new(self.rk, topic.encode(), None))

    def send(self, messages):
        """Of each: partition, body and perhaps its key."""
        for i, (partition, body, *key) in enumerate(messages):
            key = key[0] if key else f"record-{i}".encode()
            bad = self.k.rd_kafka_produce(
                self.topic, partition, 2, body, ctypes.c_size_t(len(body)), key,
                ctypes.c_size_t(len(key)), None,
            )  # fmt: skip
            assert not bad
        assert self.k.rd_kafka_flush(self.rk, 10000) == 0

    def close(self):
        self.k.rd_kafka_topic_destroy(self.topic)
        self.k.rd_kafka_destroy(self.rk)


class Stream(unittest.TestCase):
    def setUp(self):
        self.services = Services(tempfile.mkdtemp(prefix="r1-medical-"), topics=("records:2",))
        self.services.__enter__()
        s = self.services
        migrations = os.path.join(ROOT, "schemas/sql")
        run(MEDICAL, "db", "migrate", "--postgres", s.conninfo, "--migrations", migrations)

    def tearDown(self):
        self.services.close()

    def serve(self, name):
        s = self.services
        where = secret(s.folder, "conninfo", s.conninfo)
        keys = os.path.join(s.folder, "keys")
        if not os.path.exists(keys):
            run(MEDICAL, "records", "key", "--keys", keys)
        m = Medical(
            s.folder, "--topic", "records", "--brokers", s.brokers, "--postgres-file", where,
            "--migrations", os.path.join(ROOT, "schemas/sql"), "--keys", keys, name=name,
        )  # fmt: skip
        self.addCleanup(m.end, signal.SIGKILL)
        return m

    def test_exactly_once(self):
        """Kills at any time lose no record and double none; what is no record is a dead letter, and
        what decides nothing waits for a person. No byte of a record is kept."""
        s = self.services
        kinds = [SURE, f"{NAME} is well. No fever.", "\x00\x01\x02 no text"]
        bodies = [f"{kinds[i % 3]} {i if i % 2 else ''}".encode() for i in range(60)]
        producer = Producer(s.brokers, "records")
        producer.send([(i % 2, b) for i, b in enumerate(bodies[:30])])
        for turn in range(3):
            m = self.serve("stream")
            if turn:
                wait_until(lambda: int(s.value("SELECT count(*) FROM r1.med_record")) > turn * 15)
                m.end(signal.SIGKILL)
            else:
                m.end(signal.SIGKILL)
                producer.send([(i % 2, b) for i, b in enumerate(bodies[30:])])
        producer.close()
        m = self.serve("stream")
        count = "SELECT count(*) FROM r1.med_record"
        self.assertEqual(s.wait_for(count, 60, 60), "60")
        time.sleep(0.3)
        self.assertEqual(s.value(count), "60")
        outcomes = dict(s.sql("SELECT outcome, count(*) FROM r1.med_record GROUP BY 1"))
        self.assertEqual(outcomes, {"reported": "20", "person": "20", "dead": "20"})
        of_each = "SELECT partition, max(kafka_offset), count(*) FROM r1.med_record GROUP BY 1"
        places = s.sql(of_each)
        self.assertEqual(sorted(places), [["0", "29", "30"], ["1", "29", "30"]])
        self.assertEqual(
            s.value("SELECT count(*) FROM r1.med_waiting"), "40", "persons and dead letters wait"
        )
        self.assertEqual(
            s.value("SELECT count(*) FROM r1.dead_letter WHERE app = 'medical' "
                    "AND payload IS NULL"),
            "20",
        )
        self.assertEqual(
            s.value("SELECT count(DISTINCT key_index) FROM r1.med_record WHERE key IS NULL"), "30"
        )
        self.second_owner(m)
        dump = run("pg_dump", s.conninfo, "--data-only").stdout
        for words in (NAME, "record-1", b"record-1".hex()):
            self.assertNotIn(words, dump)
        self.assertNotIn(NAME, m.log())

    def second_owner(self, first):
        """A second service takes over, and the first ends at its next record."""
        s = self.services
        second = self.serve("second")
        producer = Producer(s.brokers, "records")
        producer.send([(0, SURE.encode())])
        producer.close()
        self.assertEqual(s.wait_for("SELECT count(*) FROM r1.med_record", 61, 60), "61")
        self.assertEqual(first.p.wait(20), 1)
        ready = second.json("/readyz", token=None)
        self.assertEqual((ready["ready"], ready["stream"]["found"]), (True, "reads"))
        self.assertEqual(second.end(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
