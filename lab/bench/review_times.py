#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a reviewer waits after a correction: the whole program and the running service.

    lab/bench/review_times.py --kb KB [--record FILE] [--runs N]

Makes the file of findings of a record once. Then `r1-medical report --findings` ranks from it again
and again, each time a new process that opens the knowledge base, and writes JSON. The service takes
the same file at /v1/findings. Prints the medians as one JSON object, in milliseconds.
"""
import argparse
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "review-times-0123456789abcdef"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def process_times(args, findings, tmp):
    command = ["r1-medical", "report", "--findings", str(findings), "--kb", args.kb]
    command += ["--out", str(tmp / "out"), "--format", "json"]
    times = []
    for _ in range(args.runs):
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(1e3 * (time.monotonic() - began))
    return times


def ask(url, body):
    head = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=head)) as r:
        return json.load(r)


def wait_ready(url, service):
    for _ in range(600):
        if service.poll() is not None:
            sys.exit(f"r1-medical serve ended with exit status {service.returncode}")
        try:
            urllib.request.urlopen(url + "/readyz").close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("r1-medical serve: expected an answer at /readyz within a minute, found none")


def service_times(args, findings, tmp):
    port = free_port()
    token = tmp / "token"
    token.write_text(TOKEN + "\n", encoding="ascii")
    token.chmod(0o600)
    command = ["r1-medical", "serve", "--http-listen", f"127.0.0.1:{port}", "--kb", args.kb]
    command += ["--token-file", str(token)]
    url, body, times = f"http://127.0.0.1:{port}", findings.read_bytes(), []
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as service:
        try:
            wait_ready(url, service)
            for _ in range(args.runs):
                began = time.monotonic()
                report = ask(url + "/v1/findings", body)
                times.append(1e3 * (time.monotonic() - began))
                if not report["report"]["candidates"]:
                    sys.exit("/v1/findings: expected ranked diseases, found none")
        finally:
            service.terminate()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kb", required=True)
    parser.add_argument("--record", default=str(ROOT / "apps/medical/samples/record.txt"))
    parser.add_argument("--runs", type=int, default=15)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tmp = pathlib.Path(folder)
        findings = tmp / "record.findings.json"
        command = ["r1-medical", "review", args.record, "--kb", args.kb, "--out", str(findings)]
        subprocess.run(command, check=True)
        alone = process_times(args, findings, tmp)
        served = service_times(args, findings, tmp)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    figures = {
        "process_ms": statistics.median(alone),
        "process_ms_least": min(alone),
        "service_ms": statistics.median(served),
        "service_ms_least": min(served),
    }
    print(json.dumps({"command": "review_times", "figures": figures, "commit": commit}))


if __name__ == "__main__":
    main()
