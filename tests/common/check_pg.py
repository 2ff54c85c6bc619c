#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/postgres/pg where its port is taken: after a trial of one's own the demo's server did not
start, for fifteen seconds, and nothing said why.

tests/common/check_pg.py
"""

import os
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PG = os.path.join(ROOT, "deploy", "postgres", "pg")
sys.path.insert(0, os.path.join(ROOT, "deploy"))
from services import free_port  # noqa: E402


def pg(*args):
    p = subprocess.run(
        [PG, *[str(a) for a in args]], capture_output=True, text=True, check=False, timeout=60
    )
    return p.returncode, p.stdout + p.stderr


def refused(folder, port, whose):
    code, said = pg("start", folder, port)
    assert code == 1 and f"port {port} of 127.0.0.1 is taken by {whose}" in said, (code, said)


def main():
    with tempfile.TemporaryDirectory(prefix="r1-pg-") as folder:
        os.chmod(folder, 0o755)
        first, second, port = f"{folder}/first", f"{folder}/second", free_port()
        try:
            assert pg("start", first, port) == (0, "")
            refused(second, port, f'the server of {first}: "pg stop {first}" ends it')
            assert pg("stop", first)[0] == 0
            with socket.create_server(("127.0.0.1", port)):
                refused(second, port, "another program")
            assert pg("start", second, port) == (0, "")
        finally:
            for one in first, second:
                pg("stop", one)
    print("a taken port is told")


main()
