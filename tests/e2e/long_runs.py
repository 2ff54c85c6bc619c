#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hours under load with kills: what the suites of test_stream.py show in seconds, shown for long.

    tests/e2e/long_runs.py soak    [--seconds 3600] [--rate 2000] [--kafka] [--json]
    tests/e2e/long_runs.py cluster [--rounds 20] [--rate 1000] [--json]

soak: the service under a steady rate, with a snapshot a minute. A random one of service and
PostgreSQL is killed (SIGKILL) every --every seconds and started again. Afterwards every message has
one row, memory and latency of the last quarter are those of the second, starts are as fast as in
the first half, and a replay of the log gives the stored scores.

cluster: three Apache Kafka nodes, topic replicated thrice, and two processes that share the stream.
In each round a process (the sequencer and another owner by turns), a node and PostgreSQL are
killed, then a third process joins and the oldest leaves. A process that ends by itself is started
again, as a supervisor would. Afterwards every message has one row, and no partition was without
decisions for longer than --pause seconds.

Environment: R1_BIN (folder with the programs). Exit: 0 all holds, 1 something does not.
"""

import argparse
import contextlib
import heapq
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy"))
from exactly_once import message_defects  # noqa: E402
from services import ROOT, Services, bin_dir, run  # noqa: E402

MODEL = os.path.join(ROOT, "models/fraud-s-int8.gguf")
QUARTERS = 4
WORLD_ACCOUNTS = 60000


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("run", choices=["soak", "cluster"])
    p.add_argument("--seconds", type=float, default=3600, help="length of the soak")
    p.add_argument("--rounds", type=int, default=20,
                   help="of the cluster: three kills, one joins, one leaves")
    p.add_argument("--rate", type=float, help="payments a second; 2000 for soak, 1000 for cluster")
    p.add_argument("--every", type=float, default=60, help="seconds between kills of the soak")
    p.add_argument("--pause", type=float, default=5, help="longest pause of the cluster [s]")
    p.add_argument("--kafka", action="store_true", help="the soak on Apache Kafka")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    a.rate = a.rate or (2000 if a.run == "soak" else 1000)
    a.kafka = a.kafka or a.run == "cluster"
    return a


def event_time(line):
    return int(line.partition('"ts":')[2].partition(",")[0])


def make_stream(folder, n, seed):
    """A stream of at least n payments. A world lies in memory while it is made, so that a long
    stream is several worlds of the same month, merged by time."""
    path = os.path.join(folder, "payments.jsonl")
    accounts = max(1000, n // 30)
    worlds = -(-accounts // WORLD_ACCOUNTS)
    parts = [f"{path}.{i}" for i in range(worlds)]
    for i, part in enumerate(parts):
        run(os.path.join(bin_dir(), "r1-fraud"), "generate", "--seed", seed + i, "--accounts",
            accounts // worlds + 1, "--days", 30, "--rings", 20, "--out", part)  # fmt: skip
    with contextlib.ExitStack() as files, open(path, "w", encoding="utf-8") as out:
        opened = [files.enter_context(open(part, encoding="utf-8")) for part in parts]
        out.writelines(heapq.merge(*opened, key=event_time))
    for part in parts:
        os.unlink(part)
    return path


class Watch(threading.Thread):
    """The service's memory, each second: (seconds since the start, bytes)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.pid, self.samples, self.began = None, [], time.time()
        self.start()

    def run(self):
        while True:
            time.sleep(1)
            try:
                with open(f"/proc/{self.pid}/statm", encoding="utf-8") as f:
                    pages = int(f.read().split()[1])
                self.samples.append((time.time() - self.began, pages * os.sysconf("SC_PAGE_SIZE")))
            except (OSError, IndexError):
                pass

    def largest(self, quarter, seconds):
        low, high = seconds * quarter / QUARTERS, seconds * (quarter + 1) / QUARTERS
        return max((b for t, b in self.samples if low <= t < high), default=0)


def gaps(s, begin):
    """Pauses of a partition: (end in seconds since `begin`, length), longest first."""
    rows = s.sql(
        "SELECT extract(epoch FROM at) - "
        f"{begin}, extract(epoch FROM at - before) FROM (SELECT decided_at AS at, lag(decided_at) "
        "OVER (PARTITION BY topic, partition ORDER BY kafka_offset) AS before FROM r1.decision "
        "JOIN r1.payment USING (apply_seq)) d WHERE before IS NOT NULL ORDER BY 2 DESC LIMIT 400"
    )
    return [(float(end), float(length)) for end, length in rows]


def latencies(s, quarter):
    """p50 and p99 in ms from sending to the decision, of one quarter of the log."""
    row = s.sql(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_us), "
        "percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_us) FROM (SELECT latency_us, "
        f"ntile({QUARTERS}) OVER (ORDER BY apply_seq) AS q FROM r1.decision) d "
        f"WHERE q = {quarter + 1} AND latency_us IS NOT NULL"
    )[0]
    return [float(x) / 1000 for x in row]


def wait_all(s, told, seconds):
    tables = "(SELECT count(*) FROM r1.payment) + (SELECT count(*) FROM r1.dead_letter)"
    s.wait_for(f"SELECT {tables}", told["delivered"], seconds)
    if told["sent_again"]:
        time.sleep(5)  # what came twice has no such count to wait for


def all_defects(s, told):
    """What contradicts one result for each message. Where broker and producer disagreed, a message
    may have come twice: it is a duplicate then."""
    twice = int(s.value("SELECT count(*) FROM r1.duplicate"))
    found = message_defects(s, told["delivered"] + twice)
    if twice > told["sent_again"]:
        found.append(f"{twice} duplicates, where {told['sent_again']} messages were sent again")
    return found


def ended_by_itself(s, feeder):
    """Why the sender ended before it was asked to."""
    with open(os.path.join(s.folder, "produce.log"), encoding="utf-8") as f:
        said = [line for line in f.read().replace("\r", "\n").split("\n") if line]
    return f"produce ended by itself with {feeder.returncode}: {' | '.join(said[-3:])}"


def replayed_differently(s, folder):
    """How many stored scores a replay of the log does not give."""
    log, out = os.path.join(folder, "log.jsonl"), os.path.join(folder, "replayed.jsonl")
    with open(log, "w", encoding="utf-8") as f:
        subprocess.run(
            ["psql", s.conninfo, "-qAtX", "-c",
             "COPY (SELECT payload FROM r1.payment WHERE applied ORDER BY apply_seq) TO STDOUT "
             "(FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"],
            stdout=f, check=True,
        )  # fmt: skip
    run(os.path.join(bin_dir(), "r1-fraud"), "replay", "--in", log, "--model", MODEL, "--out", out)
    stored = s.sql(
        "SELECT logit FROM r1.decision JOIN r1.payment USING (apply_seq) WHERE applied "
        "ORDER BY apply_seq"
    )
    with open(out, encoding="utf-8") as f:
        again = [json.loads(line)["logit"] for line in f]
    differ = sum(abs(float(a[0]) - b) > 1e-5 * max(1, abs(b)) for a, b in zip(stored, again))
    return differ + abs(len(stored) - len(again))


def soak(a, folder):
    rng = random.Random(a.seed)
    n = int(a.rate * a.seconds)
    path = make_stream(folder, n, a.seed)
    kills = {"service": 0, "postgres": 0}
    with Services(os.path.join(folder, "services"), kafka=a.kafka) as s:
        s.fresh_schema()
        s.create_topic()
        watch = Watch()
        # The list of ids that are known again reaches this bound within minutes.
        options = ["--model", MODEL, "--seen-ids", 1000000, "--snapshot-every", 60,
                   "--snapshot-dir", os.path.join(s.folder, "snapshots")]  # fmt: skip
        p = s.serve(*options)
        watch.pid, watch.began = p.pid, time.time()
        starts = []
        feeder = s.produce_in_background(path, "--rate", a.rate, "--limit", n)
        while feeder.poll() is None:
            time.sleep(a.every * (0.5 + rng.random()))
            what = rng.choice(sorted(kills))
            kills[what] += 1
            if what == "service":
                s.kill(p)
                began = time.time()
                p = s.serve(*options)
                watch.pid = p.pid
                starts.append(time.time() - began)
            else:
                s.pg("kill9")
                s.pg("start")
        seconds = time.time() - watch.began
        told = s.collect(feeder)
        wait_all(s, told, 120)
        p.terminate()
        found = [] if s.finish(p) == 0 else ["the service did not end in order"]
        found += all_defects(s, told)
        second, last = latencies(s, 1), latencies(s, 3)
        figures = {
            "seconds": seconds, "rate": a.rate, "sent": told["delivered"],
            "kills": sum(kills.values()),
            "memory_second_quarter_mib": watch.largest(1, seconds) / 2**20,
            "memory_last_quarter_mib": watch.largest(3, seconds) / 2**20,
            "p50_second_quarter_ms": second[0], "p50_last_quarter_ms": last[0],
            "p99_second_quarter_ms": second[1], "p99_last_quarter_ms": last[1],
            "start_first_s": starts[0] if starts else 0,
            "start_longest_s": max(starts, default=0),
            "scores_that_differ": replayed_differently(s, folder),
        }  # fmt: skip
    if figures["scores_that_differ"]:
        found.append(f"{figures['scores_that_differ']} scores are not those of a replay")
    if last[0] > 1.5 * second[0] + 1:
        found.append("the last quarter's median latency is more than that of the second")
    if figures["memory_last_quarter_mib"] > 1.1 * figures["memory_second_quarter_mib"]:
        found.append("the last quarter's memory is more than that of the second")
    late = starts[len(starts) // 2 :]
    if late and max(late) > 2 * max(starts[: len(starts) // 2], default=0) + 5:
        found.append("a start of the second half took far longer than those of the first")
    return figures, found


class Members:
    """Processes that share one stream, and their supervisor."""

    def __init__(self, s, n):
        self.s, self.next, self.restarts = s, 0, 0
        self.running = [self.start() for _ in range(n)]

    def start(self):
        i = self.next
        self.next += 1
        return self.s.serve(
            "--model", MODEL, "--events-topic", "events", "--group-session", 2000, "--log-level",
            "info", "--snapshot-every", 30, "--snapshot-dir",
            os.path.join(self.s.folder, "snapshots"), name=f"member{i}",
        )  # fmt: skip

    def sequencer(self):
        owner = self.s.sql("SELECT split_part(owner, '/', 2) FROM r1.sequencer")
        pids = [p.pid for p in self.running]
        return pids.index(int(owner[0][0])) if owner and int(owner[0][0]) in pids else 0

    def mend(self):
        """Starts again what ended by itself, as a supervisor would: a fenced one does."""
        for i, p in enumerate(self.running):
            if p.poll() is not None:
                self.restarts += 1
                self.running[i] = self.start()


def cluster_round(s, members, i, ask):
    which = members.sequencer() if i % 2 == 0 else (members.sequencer() + 1) % len(members.running)
    s.kill(members.running[which])
    ask("sequencer" if i % 2 == 0 else "owner")
    time.sleep(7)
    members.running[which] = members.start()
    time.sleep(3)
    s.kill_node(i % 3 + 1)
    ask("node")
    time.sleep(5)
    s.start_broker()
    time.sleep(6)
    s.pg("kill9")
    ask("postgres")
    s.pg("start")
    time.sleep(6)
    members.mend()
    ask("joining")
    members.running.append(members.start())
    time.sleep(4)
    ask("leaving")
    oldest = members.running.pop(0)
    oldest.terminate()
    code = s.finish(oldest)
    time.sleep(4)
    members.mend()
    return [] if code == 0 else [f"round {i}: a process that was asked to leave ended with {code}"]


def cluster(a, folder):
    n = int(a.rate * a.rounds * 60)
    path = make_stream(folder, n, a.seed)
    asked, found = [], []
    with Services(os.path.join(folder, "services"), kafka=True, nodes=3) as s:
        s.sql("ALTER SYSTEM SET checkpoint_timeout = '1min'")
        s.sql("SELECT pg_reload_conf()")
        s.fresh_schema()
        s.create_topic()
        members = Members(s, 2)
        begin = time.time()
        feeder = s.produce_in_background(path, "--rate", a.rate, "--limit", n)
        time.sleep(5)
        for i in range(a.rounds):
            found += cluster_round(s, members, i,
                                   lambda what: asked.append((what, time.time() - begin)))
            if feeder.poll() is not None:
                found.append(ended_by_itself(s, feeder))
                break
        feeder.terminate()
        s.children.remove(feeder)
        out, _ = feeder.communicate()
        told = json.loads(out)
        wait_all(s, told, 120)
        for p in members.running:
            p.terminate()
        codes = [s.finish(p) for p in members.running]
        found += [] if not any(codes) else [f"at the end processes left with {codes}"]
        found += all_defects(s, told)
        worst = {}
        for end, length in gaps(s, begin):
            cause = max((t for t in asked if t[1] <= end), key=lambda t: t[1], default=("start", 0))
            worst[cause[0]] = max(length, worst.get(cause[0], 0))
    figures = {"rounds": a.rounds, "rate": a.rate, "sent": told["delivered"],
               "sent_again": told["sent_again"], "events": len(asked),
               "ended_by_themselves": members.restarts}  # fmt: skip
    figures |= {f"longest_pause_{k}_s": v for k, v in sorted(worst.items())}
    found += [f"a pause of {v:.1f} s after: {k}" for k, v in worst.items() if v > a.pause]
    return figures, found


def main():
    a = arguments()
    with tempfile.TemporaryDirectory(prefix="r1-long-") as folder:
        os.chmod(folder, 0o755)
        figures, found = (soak if a.run == "soak" else cluster)(a, folder)
    if a.json:
        out = {"command": f"tests/e2e/long_runs.py {a.run}", "figures": figures, "found": found}
        print(json.dumps(out, indent=2))
    else:
        for k, v in figures.items():
            print(f"{k:28} {v}")
        print("\n".join(found) or "all holds")
    sys.exit(1 if found else 0)


main()
