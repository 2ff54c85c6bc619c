# SPDX-License-Identifier: Apache-2.0
"""Processor time of service, database and broker while a command runs, from /proc."""

import os
import resource


def seconds_of(pid):
    """User and system seconds of a process, without and with its children that have ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0, 0.0, 0
    tick = os.sysconf("SC_CLK_TCK")
    own = (int(fields[11]) + int(fields[12])) / tick
    return own, own + (int(fields[13]) + int(fields[14])) / tick, int(fields[1])


def processes_of(s, service):
    """The processes of each part: {part: (pids, those whose ended children count)}."""
    with open(os.path.join(s.pg_dir, "data/postmaster.pid"), encoding="utf-8") as f:
        postmaster = int(f.readline())
    pids = [int(d) for d in os.listdir("/proc") if d.isdigit()]
    backends = [p for p in pids if seconds_of(p)[2] == postmaster]
    brokers = [s.broker.pid] if s.broker else []
    for i in range(1, s.nodes + 1) if s.kafka else ():
        with open(os.path.join(s.folder, f"kafka/node{i}/pid"), encoding="utf-8") as f:
            brokers.append(int(f.read()))
    return {"service": [service.pid], "database": backends, "broker": brokers}, postmaster


class ProcessorTime:
    """With this around a load: `us` is the processor time in microseconds by part, and the
    producer's, which is a child that has ended by then."""

    def __init__(self, s, service):
        self.s, self.service, self.us = s, service, {}

    def take(self):
        parts, postmaster = processes_of(self.s, self.service)
        seconds = {name: sum(seconds_of(p)[0] for p in pids) for name, pids in parts.items()}
        seconds["database"] += seconds_of(postmaster)[1]
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds["producer"] = children.ru_utime + children.ru_stime
        return seconds

    def __enter__(self):
        self.before = self.take()
        return self

    def __exit__(self, *exc):
        after = self.take()
        self.us = {name: 1e6 * (after[name] - self.before[name]) for name in after}
