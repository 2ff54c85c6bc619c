#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Services for walk.cjs, which walks through the pages in a real Chromium.

tests/dashboard/test_browser.py [FOLDER]    FOLDER keeps pictures of each page

Environment: R1_BIN (folder with the programs), R1_BROWSER (folder with the driver from npm),
R1_CHROMIUM (the browser), R1_STEPS (names of steps of walk.cjs with commas; none: all).
"""

import os
import shutil
import subprocess
import sys
import tempfile

from dash_services import Dashboard, PEOPLE, password
from test_dashboard import SCRIPT, alert, case_of


def main():
    pictures = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
    s = Dashboard(tempfile.mkdtemp(prefix="r1-walk-"))
    os.chmod(s.folder, 0o755)
    try:
        s.begin()
        address, token = s.start_medical()
        s.alerts(n_account=600, days=16)
        more = ["--medical", address, "--medical-token-file", token, "--labels-topic", "labels"]
        more += ["--keys", s.make_keys(), "--fraud-config", s.fraud_config()]
        port = s.start_dash(*more, "--fraud-metrics", f"127.0.0.1:{s.service.http}")
        alert(s, 2_000_000, f"giver {SCRIPT}", f"taker {SCRIPT}", tx=SCRIPT)
        number = case_of(s, 2_000_000)
        path = os.path.join(s.folder, "dead.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"amount_minor": 57005}\n')
        s.produce(path)
        s.gathered()
        env = dict(
            os.environ,
            R1_PORT=str(port),
            R1_SCRIPT_CASE=str(number),
            R1_PICTURES=pictures,
            **{f"R1_PASSWORD_{name.upper()}": password(name) for name in PEOPLE},
        )
        walk = os.path.join(os.path.dirname(os.path.abspath(__file__)), "walk.cjs")
        node = shutil.which("node") or shutil.which("nodejs")
        code = subprocess.run([node, walk], env=env, check=False).returncode
        closed = s.value(
            "SELECT count(*) FROM r1.fraud_case WHERE state = 'closed' AND closed_by = 'ann'"
        )
        if code == 0 and int(closed) < 1 and "R1_STEPS" not in os.environ:
            print("the walk closed no case in PostgreSQL")
            code = 1
        return code
    finally:
        s.close()


if __name__ == "__main__":
    sys.exit(main())
