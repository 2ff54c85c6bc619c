# SPDX-License-Identifier: Apache-2.0
"""What the checks of whole programs share."""
import os
import subprocess
import time


def seed():
    """R1_TEST_SEED, or another one each time; printed."""
    n = int(os.environ.get("R1_TEST_SEED") or time.time()) % 100000
    print(f"R1_TEST_SEED={n}")
    return n


def run(program, *args, code=0):
    """A run that must exit with `code`.

    Returns what it wrote to standard output or, of a failure, to standard error.
    """
    p = subprocess.run([program, *args], capture_output=True, text=True, check=False)
    assert p.returncode == code, f"{args}: exit {p.returncode}, expected {code}\n{p.stderr}"
    return p.stdout if code == 0 else p.stderr
