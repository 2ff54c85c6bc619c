#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The scorer that a user would assemble, as the peer of `r1-fraud serve`: a Python consumer,
velocity columns in dictionaries, gradient boosting, and rows in PostgreSQL.

    python3 -m venv VENV && VENV/bin/pip install confluent-kafka "psycopg[binary]" xgboost numpy
    VENV/bin/python lab/peers/stream_scorer.py fit --in PAYMENTS --truth TRUTH --model OUT
    VENV/bin/python lab/peers/stream_scorer.py serve --brokers B --postgres URL --model MODEL \\
                  --stats FILE

It is written with care for speed: payments are scored in batches, rows travel by COPY into a
staging table, offsets lie in the same transaction as the rows. Its columns are amount, hour, kind
and, of both ends, count and sum of payments within an hour, a day, 7 and 28 days, both directions.
It searches no graph, keeps no memory and gives no reasons.

`serve` ends at SIGTERM and writes counts and latencies, from the intended send time (header
sent_us) to the return of the transaction, as `r1-fraud serve --stats` does.
"""
import argparse
import collections
import json
import math
import os
import signal
import time

import numpy as np
import xgboost as xgb

WINDOWS_MS = (3_600_000, 86_400_000, 7 * 86_400_000, 28 * 86_400_000)
KINDS = {"transfer": 0, "card": 1, "cash": 2}
BATCH = 500


class Side:
    """One end's payments of one direction: a queue per window, with count and sum."""

    __slots__ = ("queue", "n", "sum")

    def __init__(self):
        self.queue = [collections.deque() for _ in WINDOWS_MS]
        self.n = [0] * len(WINDOWS_MS)
        self.sum = [0] * len(WINDOWS_MS)

    def read(self, now, out):
        for k, width in enumerate(WINDOWS_MS):
            queue = self.queue[k]
            while queue and queue[0][0] <= now - width:
                self.n[k] -= 1
                self.sum[k] -= queue.popleft()[1]
            out.append(self.n[k])
            out.append(self.sum[k])

    def add(self, now, amount):
        for k in range(len(WINDOWS_MS)):
            self.queue[k].append((now, amount))
            self.n[k] += 1
            self.sum[k] += amount


class Columns:
    def __init__(self):
        self.side = ({}, {})

    def of(self, p):
        now, amount = p["ts"], p["amount_minor"]
        row = [math.log1p(amount), now // 3_600_000 % 24, KINDS[p["kind"]]]
        for end in (p["from"], p["to"]):
            for direction in (0, 1):
                side = self.side[direction].get(end)
                if side is None:
                    side = self.side[direction][end] = Side()
                side.read(now, row)
        self.side[0][p["from"]].add(now, amount)
        self.side[1][p["to"]].add(now, amount)
        return row


def fit(a):
    with open(a.truth, encoding="utf-8") as f:
        fraud = {json.loads(line)["tx_id"] for line in f if line.strip()}
    columns, x, y = Columns(), [], []
    with open(a.input, encoding="utf-8") as f:
        for line in f:
            p = json.loads(line)
            x.append(columns.of(p))
            y.append(p["tx_id"] in fraud)
    data = xgb.DMatrix(np.asarray(x, dtype=np.float32), label=np.asarray(y))
    setting = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "seed": 1, "nthread": 2}
    xgb.train(setting, data, num_boost_round=200).save_model(a.model)
    print(json.dumps({"payments": len(y), "fraudulent": int(sum(y))}))


SCHEMA = """
CREATE SCHEMA IF NOT EXISTS peer;
CREATE TABLE IF NOT EXISTS peer.decision (
    tx_id text PRIMARY KEY, ts bigint, from_id text, to_id text, amount_minor bigint,
    score real, decision text, payload text, decided_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS peer.position (
    part integer PRIMARY KEY, next_offset bigint NOT NULL);
"""
STAGE = (
    "CREATE TEMP TABLE IF NOT EXISTS stage (tx_id text, ts bigint, from_id text, to_id text, "
    "amount_minor bigint, score real, decision text, payload text) ON COMMIT DELETE ROWS"
)
COLUMNS = "tx_id, ts, from_id, to_id, amount_minor, score, decision, payload"


def write(connection, rows, positions):
    with connection.cursor() as c:
        with c.copy(f"COPY stage ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        c.execute(
            f"INSERT INTO peer.decision ({COLUMNS}) SELECT {COLUMNS} FROM stage "
            "ON CONFLICT DO NOTHING"
        )
        c.executemany(
            "INSERT INTO peer.position VALUES (%s, %s) ON CONFLICT (part) "
            "DO UPDATE SET next_offset = excluded.next_offset",
            list(positions.items()),
        )
    connection.commit()


def sent_us(message):
    for name, value in message.headers() or ():
        if name == "sent_us":
            return int(value)
    return 0


def quantile(latency, q):
    return latency[min(len(latency) - 1, int(q * len(latency)))] / 1e3 if latency else None


def serve(a):
    import confluent_kafka as kafka
    import psycopg

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    connection = psycopg.connect(a.postgres)
    with connection.cursor() as c:
        c.execute(SCHEMA)
        c.execute(STAGE)
    connection.commit()
    model = xgb.Booster(model_file=a.model)
    model.set_param({"nthread": 1})
    consumer = kafka.Consumer(
        {
            "bootstrap.servers": a.brokers,
            "group.id": "stream-scorer",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": a.fetch_wait,
            "auto.offset.reset": "earliest",
        }
    )
    parts = consumer.list_topics(a.topic, timeout=20).topics[a.topic].partitions
    consumer.assign([kafka.TopicPartition(a.topic, p, 0) for p in parts])
    columns, latency, n = Columns(), [], 0
    print("ready", flush=True)
    while not stop:
        batch = consumer.consume(BATCH, timeout=0.004)
        payments, positions = [], {}
        for m in batch:
            if m.error():
                continue
            payments.append((json.loads(m.value()), m))
            positions[m.partition()] = m.offset() + 1
        if not payments:
            continue
        x = np.asarray([columns.of(p) for p, _ in payments], dtype=np.float32)
        score = model.inplace_predict(x)
        rows = [
            (p["tx_id"], p["ts"], p["from"], p["to"], p["amount_minor"], float(s),
             "review" if s > 0.5 else "allow", m.value().decode())
            for (p, m), s in zip(payments, score)
        ]  # fmt: skip
        write(connection, rows, positions)
        now = time.time_ns() // 1000
        for _, m in payments:
            n += 1
            if n > a.stats_skip:
                latency.append(now - sent_us(m))
    latency.sort()
    with open(a.stats, "w", encoding="utf-8") as f:
        json.dump(
            {
                "payments": n,
                "sent_to_committed": {
                    "n": len(latency),
                    "p50_ms": quantile(latency, 0.5),
                    "p99_ms": quantile(latency, 0.99),
                    "p999_ms": quantile(latency, 0.999),
                },
            },
            f,
        )
    os._exit(0)  # the client's threads need no farewell


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command = p.add_subparsers(dest="command", required=True)
    f = command.add_parser("fit")
    f.add_argument("--in", dest="input", required=True)
    f.add_argument("--truth", required=True)
    f.add_argument("--model", required=True)
    s = command.add_parser("serve")
    s.add_argument("--brokers", required=True)
    s.add_argument("--topic", default="payments")
    s.add_argument("--postgres", required=True)
    s.add_argument("--model", required=True)
    s.add_argument("--stats", required=True)
    s.add_argument("--stats-skip", type=int, default=0)
    s.add_argument("--fetch-wait", type=int, default=5)
    a = p.parse_args()
    fit(a) if a.command == "fit" else serve(a)


main()
