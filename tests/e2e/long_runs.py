#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hours under load with kills: what the suites of test_stream.py show in seconds, shown for long.

    tests/e2e/long_runs.py soak    [--seconds 3600] [--rate 2000] [--kafka] [--json]
    tests/e2e/long_runs.py cluster [--rounds 20] [--rate 1000] [--json]

soak: the service under a steady rate. A random one of service and PostgreSQL is killed (SIGKILL)
every --every seconds and started again. Afterwards every message has one row, memory and latency of
the last quarter are those of the second, and a replay of the log gives the stored scores.

cluster: three Apache Kafka nodes, topic replicated thrice. In each round the service, a node and
PostgreSQL are killed in turn, and a second owner takes over from the first. Afterwards every
message has one row, and no pause between two decisions was longer than --pause seconds, counted
from the moment at which what was killed is asked to start again.

Environment: R1_BIN (folder with the programs). Exit: 0 all holds, 1 something does not.
"""

import argparse
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


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("run", choices=["soak", "cluster"])
    p.add_argument("--seconds", type=float, default=3600, help="length of the soak")
    p.add_argument("--rounds", type=int, default=20, help="of the cluster, three kills each")
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


def make_stream(folder, n, seed):
    """A stream of at least n payments."""
    path = os.path.join(folder, "payments.jsonl")
    accounts = max(1000, n // 30)
    run(os.path.join(bin_dir(), "r1-fraud"), "generate", "--seed", seed, "--accounts", accounts,
        "--days", 30, "--rings", 20, "--out", path)  # fmt: skip
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
    """Pauses between decisions: (end in seconds since `begin`, length), longest first."""
    rows = s.sql(
        "SELECT extract(epoch FROM at) - "
        f"{begin}, extract(epoch FROM at - before) FROM (SELECT decided_at AS at, "
        "lag(decided_at) OVER (ORDER BY decided_at) AS before FROM r1.decision) d "
        "WHERE before IS NOT NULL ORDER BY 2 DESC LIMIT 200"
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


def wait_all(s, sent, seconds):
    tables = "(SELECT count(*) FROM r1.payment) + (SELECT count(*) FROM r1.dead_letter)"
    return s.wait_for(f"SELECT {tables} + (SELECT count(*) FROM r1.duplicate)", sent, seconds)


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
        p = s.serve("--model", MODEL)
        watch.pid, watch.began = p.pid, time.time()
        feeder = s.produce_in_background(path, "--rate", a.rate, "--limit", n)
        while feeder.poll() is None:
            time.sleep(a.every * (0.5 + rng.random()))
            what = rng.choice(sorted(kills))
            kills[what] += 1
            if what == "service":
                s.kill(p)
                p = s.serve("--model", MODEL)
                watch.pid = p.pid
            else:
                s.pg("kill9")
                s.pg("start")
        seconds = time.time() - watch.began
        sent = s.collect(feeder)["delivered"]
        wait_all(s, sent, 120)
        p.terminate()
        found = [] if s.finish(p) == 0 else ["the service did not end in order"]
        found += message_defects(s, sent)
        second, last = latencies(s, 1), latencies(s, 3)
        figures = {
            "seconds": seconds, "rate": a.rate, "sent": sent, "kills": sum(kills.values()),
            "memory_second_quarter_mib": watch.largest(1, seconds) / 2**20,
            "memory_last_quarter_mib": watch.largest(3, seconds) / 2**20,
            "p50_second_quarter_ms": second[0], "p50_last_quarter_ms": last[0],
            "p99_second_quarter_ms": second[1], "p99_last_quarter_ms": last[1],
            "scores_that_differ": replayed_differently(s, folder),
        }  # fmt: skip
    if figures["scores_that_differ"]:
        found.append(f"{figures['scores_that_differ']} scores are not those of a replay")
    if last[0] > 1.5 * second[0] + 1:
        found.append("the last quarter's median latency is more than that of the second")
    return figures, found


def cluster(a, folder):
    n = int(a.rate * a.rounds * 45)
    path = make_stream(folder, n, a.seed)
    asked = []
    with Services(os.path.join(folder, "services"), kafka=True, nodes=3) as s:
        s.fresh_schema()
        s.create_topic()
        p = s.serve("--model", MODEL)
        begin = time.time()
        feeder = s.produce_in_background(path, "--rate", a.rate, "--limit", n)
        time.sleep(5)
        for i in range(a.rounds):
            s.kill(p)
            asked.append(("service", time.time() - begin))
            p = s.serve("--model", MODEL)
            time.sleep(8)
            s.kill_node(i % 3 + 1)
            asked.append(("node", time.time() - begin))
            time.sleep(4)
            s.start_broker()
            time.sleep(6)
            s.pg("kill9")
            asked.append(("postgres", time.time() - begin))
            s.pg("start")
            time.sleep(6)
            asked.append(("second owner", time.time() - begin))
            second = s.serve("--model", MODEL, name="second")
            s.finish(p)
            p = second
            time.sleep(4)
            if feeder.poll() is not None:
                break
        feeder.terminate()
        s.children.remove(feeder)
        out, _ = feeder.communicate()
        sent = json.loads(out)["delivered"]
        wait_all(s, sent, 120)
        p.terminate()
        found = [] if s.finish(p) == 0 else ["the service did not end in order"]
        found += message_defects(s, sent)
        worst = {}
        for end, length in gaps(s, begin):
            cause = max((t for t in asked if t[1] <= end), key=lambda t: t[1], default=("start", 0))
            worst.setdefault(cause[0], length)
    figures = {"rounds": a.rounds, "rate": a.rate, "sent": sent, "kills": len(asked)}
    figures |= {f"longest_pause_{k.replace(' ', '_')}_s": v for k, v in sorted(worst.items())}
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
