# SPDX-License-Identifier: Apache-2.0
"""Real services for tests, benches and the demo: a private PostgreSQL, a broker (embedded, or
Apache Kafka), r1-fraud serve.

Everything is written below one folder and stopped by Services.close(). Standard library alone.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))


def bin_dir():
    return os.environ.get("R1_BIN") or os.path.join(ROOT, "build", "release", "bin")


def free_port(n=2):
    """The first of n free ports in a row: an Apache Kafka node takes two."""
    while True:
        sockets = [socket.socket() for _ in range(n)]
        try:
            sockets[0].bind(("127.0.0.1", 0))
            port = sockets[0].getsockname()[1]
            for i in range(1, n):
                sockets[i].bind(("127.0.0.1", port + i))
            return port
        except (OSError, OverflowError):
            pass
        finally:
            for s in sockets:
                s.close()


def run(*args, check=True, **kw):
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True, **kw)
    if check and p.returncode:
        raise RuntimeError(
            f"{' '.join(str(a) for a in args)}: exit {p.returncode}\n{p.stdout}{p.stderr}"
        )
    return p


def once(words):
    """A command line on which an option stands once, as the programs want it: the last one of it,
    since whoever adds options to those of another means his own."""
    out = []
    for word in words:
        if word.startswith("--") and word in out:
            i = out.index(word)
            del out[i : i + 1 + (i + 1 < len(out) and not out[i + 1].startswith("--"))]
        out.append(word)
    return out


class Services:
    def __init__(self, folder, kafka=False, partitions=4, port=None, nodes=1, topics=()):
        """topics: of the embedded broker, besides its own; NAME:N has N partitions."""
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.kafka, self.partitions, self.nodes = kafka, partitions, nodes
        self.topics = ("payments", "labels", "decisions", "payments.dlq", *topics)
        self.children = []
        self.pg_dir = os.path.join(self.folder, "postgres")
        self.pg_port = port or free_port()
        self.broker_port = free_port(2 * nodes)
        self.broker = None

    # ---- PostgreSQL ----

    def pg(self, command):
        return run(
            os.path.join(ROOT, "deploy/postgres/pg"), command, self.pg_dir, self.pg_port
        ).stdout.strip()

    def start_postgres(self):
        self.pg("start")
        self.conninfo = self.pg("url")

    def age_wal(self):
        """Makes segments of the log ahead, as a server has them that has run for a while. It uses
        old ones again, where a fresh one stops all commits for 15 ms to make each."""
        for _ in range(14):
            self.sql("CREATE TABLE IF NOT EXISTS wal_filler (x int)")
            self.sql("INSERT INTO wal_filler VALUES (1)")
            self.sql("SELECT pg_switch_wal()")
        self.sql("DROP TABLE wal_filler")
        self.sql("CHECKPOINT")

    def sql(self, statement, check=True):
        """Rows as lists of text."""
        p = run(
            "psql",
            self.conninfo,
            "-qAtX",
            "-F",
            "\t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
            check=check,
        )
        return [line.split("\t") for line in p.stdout.split("\n") if line]

    def value(self, statement):
        rows = self.sql(statement)
        return rows[0][0] if rows else None

    def fresh_schema(self):
        self.sql("DROP SCHEMA IF EXISTS r1 CASCADE")
        self.fraud("db", "migrate")

    # ---- broker ----

    def start_broker(self):
        """Starts what does not run yet: a killed node of a cluster, too."""
        if self.kafka:
            p = subprocess.run(
                [os.path.join(ROOT, "deploy/kafka/start")],
                env=dict(
                    os.environ,
                    RUN_DIR=self.folder,
                    KAFKA_PORT=str(self.broker_port),
                    KAFKA_NODES=str(self.nodes),
                ),
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            if p.returncode:
                raise RuntimeError("Apache Kafka did not start; deploy/kafka/start says why, above")
            self.brokers = p.stdout.strip().split("=", 1)[1]
            return
        self.broker = subprocess.Popen(
            [
                os.path.join(bin_dir(), "r1-broker"),
                "serve",
                "--port",
                str(self.broker_port),
                "--partitions",
                str(self.partitions),
                "--topics",
                ",".join(self.topics),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.broker.stdout.readline()
        if not line.startswith("bootstrap.servers="):
            raise RuntimeError("the embedded broker did not start")
        self.children.append(self.broker)
        self.brokers = line.strip().split("=", 1)[1]

    def create_topic(self):
        """The embedded broker makes its topics by itself; Apache Kafka is asked to."""
        if self.kafka:
            empty = os.path.join(self.folder, "empty")
            open(empty, "w", encoding="utf-8").close()
            self.fraud("produce", "--in", empty, "--create", self.partitions)

    def kill_node(self, i):
        """Ends node i, 1 and up, of Apache Kafka by SIGKILL; start_broker starts it again."""
        with open(os.path.join(self.folder, f"kafka/node{i}/pid"), encoding="utf-8") as f:
            os.kill(int(f.read()), signal.SIGKILL)

    def stop_broker(self):
        if self.kafka:
            subprocess.run(
                [os.path.join(ROOT, "deploy/kafka/stop")],
                env=dict(os.environ, RUN_DIR=self.folder),
                check=False,
            )
        elif self.broker:
            self.broker.terminate()
            self.broker.wait()
            self.children.remove(self.broker)
            self.broker = None

    # ---- r1-fraud ----

    def fraud(self, *args, check=True):
        args = [str(a) for a in args]
        own = []
        if args[0] in ("db", "serve", "dlq", "status", "offsets"):
            own += ["--postgres", self.conninfo]
        if args[0] in ("db", "serve"):
            own += ["--migrations", os.path.join(ROOT, "schemas/sql")]
        if args[0] == "serve":
            own += ["--http-listen", "127.0.0.1:0"]
        if args[0] in ("serve", "produce", "dlq", "offsets") and hasattr(self, "brokers"):
            own += ["--brokers", self.brokers]
        args = [args[0], *once([*own, *args[1:]])]
        return run(os.path.join(bin_dir(), "r1-fraud"), *args, check=check, cwd=ROOT)

    def serve(self, *args, wait_ready=True, name="serve"):
        """Starts the service in the background; returns its process once it reads the stream."""
        log = open(os.path.join(self.folder, name + ".log"), "a", encoding="utf-8")
        at = log.tell()
        own = [
            "--postgres",
            self.conninfo,
            "--brokers",
            self.brokers,
            "--migrations",
            os.path.join(ROOT, "schemas/sql"),
            "--fetch-wait",
            "2" if self.kafka else "1",
            "--fetch-min",
            "65536" if self.kafka else "1",
            "--http-listen",
            "127.0.0.1:0",
        ]
        p = subprocess.Popen(
            [
                os.path.join(bin_dir(), "r1-fraud"),
                "serve",
                *once([*own, *[str(a) for a in args]]),
            ],
            stderr=log,
            cwd=ROOT,
        )
        log.close()
        self.children.append(p)
        p.log_path = log.name
        deadline = time.time() + 120
        while wait_ready and time.time() < deadline:
            with open(log.name, encoding="utf-8") as f:
                f.seek(at)
                text = f.read()
                port = re.search(r"http port (\d+)", text)
                p.http = int(port.group(1)) if port else None
                if "ready, model" in text:
                    return p
            if p.poll() is not None:
                break
            time.sleep(0.02)
        if wait_ready:
            with open(log.name, encoding="utf-8") as f:
                raise RuntimeError("r1-fraud serve did not become ready:\n" + f.read()[-2000:])
        return p

    def kill(self, p, sig=signal.SIGKILL):
        p.send_signal(sig)
        p.wait()
        if p in self.children:
            self.children.remove(p)

    def finish(self, p, timeout=120):
        """Waits for a process that ends by itself; returns its exit code."""
        code = p.wait(timeout)
        if p in self.children:
            self.children.remove(p)
        return code

    def produce(self, path, *args):
        """Its counts. Messages without a key are told by exit code 4, and all are sent."""
        p = self.fraud("produce", "--in", path, "--json", *args, check=False)
        told = json.loads(p.stdout) if p.returncode in (0, 4) else {}
        keyless = told and told["without_key"] and not told["failed"] and not told["faults"]
        if p.returncode and not (keyless and told["delivered"] == told["sent"]):
            raise RuntimeError(f"produce {path}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return told

    def produce_in_background(self, path, *args):
        """What it says is in produce.log."""
        with open(os.path.join(self.folder, "produce.log"), "a", encoding="utf-8") as said:
            p = subprocess.Popen(
                [
                    os.path.join(bin_dir(), "r1-fraud"),
                    "produce",
                    "--in",
                    path,
                    "--json",
                    "--brokers",
                    self.brokers,
                    *[str(a) for a in args],
                ],
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        self.children.append(p)
        return p

    def collect(self, p):
        out, _ = p.communicate(timeout=300)
        self.children.remove(p)
        if not out:
            raise RuntimeError(f"{p.args[1]} ended with code {p.returncode} and printed no counts")
        return json.loads(out)

    def wait_for(self, statement, expected, seconds=60):
        """Polls until the statement's value is the expected one; returns the last value."""
        deadline = time.time() + seconds
        while True:
            value = self.value(statement)
            if value == str(expected) or time.time() > deadline:
                return value
            time.sleep(0.1)

    def settle(self, p, payments, seconds=60):
        """Waits until so many payments are committed, or no longer; then ends the service in order.
        Returns its exit code."""
        self.wait_for("SELECT count(*) FROM r1.payment", payments, seconds)
        p.terminate()
        return self.finish(p)

    def close(self, keep=False):
        for p in self.children:
            if p.poll() is None:
                p.terminate()
        for p in self.children:
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
            if p.stdout:
                p.stdout.close()
        if self.kafka:
            self.stop_broker()
        self.pg("stop")
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            self.start_postgres()
            self.start_broker()
        except BaseException:
            self.close(keep=True)
            raise
        return self

    def __exit__(self, *exc):
        self.close(keep=exc[0] is not None)
