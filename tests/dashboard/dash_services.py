# SPDX-License-Identifier: Apache-2.0
"""A dashboard over real services, and people who ask it."""

import http.client
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "deploy"))
from services import Services, bin_dir, free_port, run  # noqa: E402

PEOPLE = {
    "ann": "analyst",
    "abe": "analyst",
    "sue": "supervisor",
    "sid": "supervisor",
    "vic": "viewer",
    "cleo": "clinician",
    "cyd": "clinician",
    "root": "administrator",
    "aud": "auditor",
}


def password(name):
    return f"the password of {name}"


def wait_until(what, seconds=30):
    until = time.time() + seconds
    while time.time() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


class Person:
    """A browser without a screen: cookie and token of a session."""

    def __init__(self, port, name=None):
        self.port, self.cookie, self.csrf, self.headers = port, None, "", {}
        if name:
            said = {"name": name, "password": password(name)}
            for _ in range(20):
                status, headers, body = self.ask("POST", "/api/v1/login", said)
                if status != 503:  # more people at the door than it takes at a time
                    break
                time.sleep(0.3)
            if status != 200:
                raise RuntimeError(f"{name} cannot sign in: {status} {body}")
            self.set_cookie = headers["Set-Cookie"]
            self.cookie = self.set_cookie.split(";")[0]
            self.csrf = json.loads(body)["csrf"]

    def ask(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        own = {"X-R1-CSRF": self.csrf} if self.csrf else {}
        if self.cookie:
            own["Cookie"] = self.cookie
        if method == "POST":
            own["Content-Type"] = "application/json"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        c.request(method, path, body, {**own, **(headers or {})})
        r = c.getresponse()
        data = r.read()
        c.close()
        self.headers = r.headers
        return r.status, r.headers, data

    def get(self, path, **headers):
        status, _, body = self.ask("GET", f"/api/v1/{path}", headers=headers)
        return status, json.loads(body)

    def post(self, path, body=None, **headers):
        status, _, data = self.ask("POST", f"/api/v1/{path}", body or {}, headers)
        return status, json.loads(data)


class Dashboard(Services):
    """Services with a schema, people, and r1-dashboard serve."""

    def __init__(self, folder):
        super().__init__(folder, partitions=2)

    def begin(self):
        self.start_postgres()
        self.start_broker()
        self.fresh_schema()
        self.dash_log = os.path.join(self.folder, "dashboard.log")
        for name, role in PEOPLE.items():
            self.user(name, role)
        self.sql("UPDATE r1.dash_user SET may_export = true WHERE name IN ('sue', 'aud', 'cleo')")

    def user(self, name, role):
        path = os.path.join(self.folder, "password")
        with open(path, "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(password(name))
        self.dash("user", "add", name, "--role", role, "--password-file", path)

    def dash(self, *args, check=True):
        own = ["--postgres", self.conninfo, "--migrations", os.path.join(ROOT, "schemas/sql")]
        return run(os.path.join(bin_dir(), "r1-dashboard"), *args, *own, check=check, cwd=ROOT)

    def start_dash(self, *args):
        """Returns the port."""
        own = ["--postgres", self.conninfo, "--migrations", os.path.join(ROOT, "schemas/sql")]
        own += ["--http-listen", "127.0.0.1:0", "--brokers", self.brokers]
        words = [os.path.join(bin_dir(), "r1-dashboard"), "serve", *own, *[str(a) for a in args]]
        with open(self.dash_log, "a", encoding="utf-8") as log:
            at = log.tell()
            p = subprocess.Popen(words, stderr=log, stdout=log, cwd=ROOT)
        self.children.append(p)
        found = []

        def ready():
            with open(self.dash_log, encoding="utf-8") as f:
                f.seek(at)
                said = f.read()
            found[:] = re.findall(r"ready, https? port (\d+)", said)
            if p.poll() is not None:
                raise RuntimeError(f"r1-dashboard ended with {p.returncode}: {said}")
            return found

        if not wait_until(ready, 60):
            raise RuntimeError(f"r1-dashboard is not ready: {self.dash_log}")
        self.dash_process = p
        return int(found[0])

    def start_medical(self):
        """r1-medical serve with the demonstration ontology; its address and token file."""
        token = os.path.join(self.folder, "token")
        with open(token, "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write("a-token-for-the-tests-alone")
        address = f"127.0.0.1:{free_port(1)}"
        path = os.path.join(self.folder, "medical.log")
        program = os.path.join(bin_dir(), "r1-medical")
        words = [program, "serve", "--token-file", token, "--http-listen", address]
        with open(path, "w", encoding="utf-8") as log:
            p = subprocess.Popen(words, stderr=log, cwd=ROOT)
        self.children.append(p)

        def said():
            with open(path, encoding="utf-8") as f:
                return f.read()

        if not wait_until(lambda: "ready" in said() or p.poll() is not None, 120) or p.poll():
            raise RuntimeError(f"r1-medical is not ready: {said()}")
        return address, token

    def make_keys(self):
        """The file of keys that seals reviews."""
        path = os.path.join(self.folder, "keys")
        run(os.path.join(bin_dir(), "r1-medical"), "records", "key", "--keys", path, cwd=ROOT)
        return path

    def fraud_config(self):
        """Settings by which r1-fraud finds these services."""
        path = os.path.join(self.folder, "fraud.ini")
        model = os.path.join(ROOT, "models/fraud-s-int8.gguf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(
                f"[kafka]\nbrokers = {self.brokers}\nlabels_topic = labels\n"
                f"[postgres]\npostgres = {self.conninfo}\n[model]\nmodel = {model}\n"
                "[decision]\nalerts_per_day = 100\n"
            )
        return path

    def alerts(self, n_account=400, days=12):
        """A generated stream with rings, decided by the service; how many alerts it gave."""
        path = os.path.join(self.folder, "payments.jsonl")
        run(
            os.path.join(bin_dir(), "r1-fraud"),
            "generate",
            *("--seed", 4711, "--accounts", n_account, "--days", days, "--rings", 3),
            *("--out", path),
        )
        with open(path, encoding="utf-8") as f:
            n = sum(1 for _ in f)
        model = os.path.join(ROOT, "models/fraud-s-int8.gguf")
        self.service = self.serve("--model", model, "--labels-topic", "labels")
        self.produce(path, "--rate", 5000)
        if not wait_until(lambda: int(self.value("SELECT count(*) FROM r1.decision")) >= n, 120):
            raise RuntimeError("the stream was not decided in time")
        return int(self.value("SELECT count(*) FROM r1.alert"))

    def gathered(self):
        return wait_until(
            lambda: self.value("SELECT count(*) FROM r1.alert")
            == self.value("SELECT count(*) FROM r1.case_alert"),
            60,
        )
