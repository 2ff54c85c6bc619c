#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo behind deploy/demo: a stream with planted rings that no training has seen, decided live
and read back by SQL; then a medical report from the sample record."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
from services import Services, bin_dir, free_port, run  # noqa: E402

SEED, ACCOUNTS, DAYS, RINGS, RATE = (
    20261,
    900,
    21,
    6,
    2000,
)  # a seed and ring sizes that training never used
RUN = os.path.join(ROOT, "run", "demo")


def say(text):
    print(text, flush=True)


def stream(s, model):
    path, truth = os.path.join(RUN, "payments.jsonl"), os.path.join(RUN, "truth.jsonl")
    run(
        os.path.join(bin_dir(), "r1-fraud"),
        "generate",
        "--seed",
        SEED,
        "--accounts",
        ACCOUNTS,
        "--days",
        DAYS,
        "--rings",
        RINGS,
        "--ring-min",
        5,
        "--ring-max",
        9,
        "--out",
        path,
        "--truth",
        truth,
    )
    with open(path, encoding="utf-8") as f:
        n = sum(1 for _ in f)
    s.fresh_schema()
    s.create_topic()
    stats = os.path.join(RUN, "stats.json")
    p = s.serve("--model", model, "--stats", stats)
    say(f"   serving {n} payments at {RATE} a second, about {n // RATE + 2} s")
    sent = s.produce(path, "--rate", RATE)
    s.settle(p, n)
    with open(stats, encoding="utf-8") as f:
        return sent, json.load(f), truth


def print_stream(s, sent, st):
    lat = st["sent_to_committed"]
    rows = s.value(
        "SELECT count(DISTINCT tx_id) FROM r1.payment JOIN r1.decision USING (apply_seq)"
    )
    rate = sent["sent"] / sent["seconds"]
    rows_each = st["payments"] / max(1, st["commits"])
    p50, p99, p999 = lat["p50_ms"], lat["p99_ms"], lat["p999_ms"]
    say(f"""
   payments sent / committed   {sent['sent']} / {rows}      (counted by SQL)
   throughput                  {rate:.0f} a second, {rows_each:.1f} rows a transaction
   sent to committed           p50 {p50:.1f} ms, p99 {p99:.1f} ms, p99.9 {p999:.1f} ms
   decisions                   {st['allow']} allow, {st['review']} review, {st['block']} block""")
    if int(rows) != sent["sent"]:
        raise RuntimeError(
            f"{sent['sent']} payments were sent and {rows} are committed; "
            "run/demo/services/serve.log says why"
        )


def print_rings(s, truth_path):
    rings = {}
    with open(truth_path, encoding="utf-8") as f:
        for line in f:
            t = json.loads(line)
            rings.setdefault((t["typology"], t["ring"]), set()).add(t["tx_id"])
    alerts = {
        r[0]: r[1:]
        for r in s.sql(
            "SELECT tx_id, round(score::numeric, 3), coalesce((SELECT x->>'text' "
            "FROM jsonb_array_elements(reasons) WITH ORDINALITY AS r (x, n) "
            "WHERE coalesce((x->>'contribution')::float8, 1) > 0 ORDER BY n LIMIT 1), '') "
            "FROM r1.alert ORDER BY apply_seq"  # the strongest that raises the score
        )
    }
    fraud = set().union(*rings.values()) if rings else set()
    say("\n   rings                 caught/planted   payments alerted   first reason of one alert")
    for typology in sorted({t for t, _ in rings}):
        own = {k: v for k, v in rings.items() if k[0] == typology}
        caught = sum(1 for v in own.values() if v & alerts.keys())
        hits = [tx for v in own.values() for tx in v if tx in alerts]
        total = sum(len(v) for v in own.values())
        reason = alerts[hits[0]][1][:64] if hits else "missed"
        say(f"   {typology:22} {caught:3}/{len(own):<12} {len(hits):5}/{total:<12} {reason}")
    false = len(alerts.keys() - fraud)
    say(
        f"   false alerts: {false} of {len(alerts)}; "
        f"precision {(len(alerts) - false) / max(1, len(alerts)):.2f}"
    )


def medical(s):
    program = os.path.join(bin_dir(), "r1-medical")
    sample = os.path.join(ROOT, "apps/medical/samples/record.txt")
    out = os.path.join(RUN, "report")
    keys = os.path.join(RUN, "keys")
    if not os.path.exists(keys):
        run(program, "records", "key", "--keys", keys)
    kept = ("--postgres", s.conninfo, "--keys", keys)
    started = time.time()
    p = run(program, "report", sample, "--format", "html,pdf,json,text", "--out", out, *kept)
    say(f"\n   report of the sample record written in {time.time() - started:.2f} s:")
    for f in sorted(os.listdir(out)):
        say(f"   {os.path.join(os.path.relpath(out, ROOT), f)}")
    if p.stdout.strip():
        say("   " + p.stdout.strip().replace("\n", "\n   "))


ROLES = (
    ("ann", "analyst"),
    ("sue", "supervisor"),
    ("cleo", "clinician"),
    ("adam", "administrator"),
)


def go_on(s, model):
    """The fraud service stays, with its settings in a file, and meets three messages that are no
    payments: its metrics and dead letters are on the page. Returns that file and its port."""
    settings, odd = os.path.join(RUN, "fraud.ini"), os.path.join(RUN, "odd.jsonl")
    with open(settings, "w", encoding="utf-8") as f:
        os.fchmod(f.fileno(), 0o600)  # the address of the database
        f.write(f"[kafka]\nbrokers = {s.brokers}\ndead_topic = payments.dlq\n"
                f"[postgres]\npostgres = {s.conninfo}\n[model]\nmodel = {model}\n")  # fmt: skip
    with open(odd, "w", encoding="utf-8") as f:
        f.write('{"ts": 1768000000000, "from": "A1", "to": "B1", "amount": 12.50}\n'
                '"a text"\n[1, 2]\n')  # fmt: skip
    p = s.serve("--config", settings)
    run(os.path.join(bin_dir(), "r1-fraud"), "produce", "--in", odd, "--as-lines", "--brokers",
        s.brokers, check=False)  # fmt: skip
    s.wait_for("SELECT count(*) FROM r1.dead_letter", 3, 20)
    return settings, p.http


def show_dashboard(s, model):
    """The page over what the demo has left, for people whose passwords are printed."""
    program, medical_port = os.path.join(bin_dir(), "r1-dashboard"), free_port(1)
    if not os.path.exists(program):
        say("   no dashboard: the build found no npm (deploy/setup)")
        return
    names = {}
    for name, role in ROLES:
        p = run(program, "user", "add", name, "--role", role, "--postgres", s.conninfo)
        names[name] = p.stdout.strip().split(": ")[-1]
    token = os.path.join(RUN, "token")
    with open(token, "w", encoding="utf-8") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write(secrets.token_urlsafe(24))
    address = f"127.0.0.1:{medical_port}"
    settings, fraud_port = go_on(s, model)
    start(s, "r1-medical", "serve", "--token-file", token, "--http-listen", address)
    port = start(s, "r1-dashboard", "serve", "--postgres", s.conninfo, "--http-listen",
                 "127.0.0.1:0", "--labels-topic", "labels", "--brokers", s.brokers, "--medical",
                 address, "--medical-token-file", token, "--keys", os.path.join(RUN, "keys"),
                 "--fraud-config", settings, "--fraud-metrics",
                 f"127.0.0.1:{fraud_port}")  # fmt: skip
    say(f"\n-- the dashboard: http://127.0.0.1:{port}")
    for name, role in ROLES:
        say(f"   {name:5} {'(' + role + ')':16} {names[name]}")
    say("   What ann closes above an amount waits for sue, who also tries rules and mends letters.")


def start(s, program, *args):
    """A program that stays; its port."""
    path = os.path.join(RUN, f"{program}.log")
    with open(path, "w", encoding="utf-8") as log:
        p = subprocess.Popen([os.path.join(bin_dir(), program), *args], stderr=log, stdout=log,
                             cwd=ROOT, start_new_session=True)  # fmt: skip
    s.children.append(p)
    for _ in range(600):
        with open(path, encoding="utf-8") as f:
            found = re.search(r"ready, http port (\d+)", f.read())
        if found:
            return int(found.group(1))
        if p.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"{program} is not ready; {path} says why")


def postgres_port():
    """That of a server which --keep left running; else any, so that no other one is in the way."""
    folder = os.path.join(RUN, "services", "postgres")
    pg = os.path.join(ROOT, "deploy/postgres/pg")
    if not os.path.exists(os.path.join(folder, "port")):
        return None
    if run(pg, "status", folder, check=False).returncode:
        return None
    with open(os.path.join(folder, "port"), encoding="utf-8") as f:
        return int(f.read())


def main():
    keep, kafka = "--keep" in sys.argv, "--kafka" in sys.argv
    os.makedirs(RUN, exist_ok=True)
    os.chmod(RUN, 0o755)
    model = os.path.join(ROOT, "models/fraud-s-int8.gguf")
    if not os.path.exists(model):
        model = "none"
    shutil.rmtree(
        os.path.join(RUN, "services", "kafka", "node"), ignore_errors=True
    )  # the database is new, so the topics must be
    s = Services(os.path.join(RUN, "services"), kafka=kafka, port=postgres_port())
    try:
        say(f"-- starting PostgreSQL and {'Apache Kafka' if kafka else 'the embedded broker'}")
        s.start_postgres()
        s.start_broker()
        say("-- fraud: a generated stream with planted rings")
        sent, st, truth = stream(s, model)
        print_stream(s, sent, st)
        print_rings(s, truth)
        say("\n-- medical: a report from the sample record")
        medical(s)
        say(f"""
-- next
   psql "{s.conninfo}"   with --keep: look at r1.alert, r1.decision, r1.finding
   build/release/bin/r1-fraud --help            build/release/bin/r1-medical --help""")
        if keep:
            show_dashboard(s, model)
            say(
                f"   services are up: broker {s.brokers}; stop them with: deploy/postgres/pg stop "
                f"{s.pg_dir}; kill {' '.join(str(p.pid) for p in s.children)}"
            )
            s.children.clear()
    finally:
        if not keep:
            s.close(keep=True)
            shutil.rmtree(os.path.join(RUN, "services", "postgres"), ignore_errors=True)


try:
    main()
except RuntimeError as e:
    sys.exit(f"demo: {e}")
