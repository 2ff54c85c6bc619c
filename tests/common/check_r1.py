#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`r1 doctor` names a variable of the environment that is at fault, and `r1 info` prints nothing
out of a model's file that a terminal obeys.

tests/common/check_r1.py R1 MODEL      MODEL: medical-b.gguf
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

R1, MODEL = sys.argv[1:3]


def run(*args, **env):
    p = subprocess.run(
        [R1, *args],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        env=dict(os.environ, **env),
    )
    return p.stdout + p.stderr, p.returncode


def check_doctor():
    calm = {"R1_ISA": "", "R1_BACKEND": ""}
    said, code = run("doctor", **calm)
    assert code == 0 and "problem" not in said, said
    for name, value in ("R1_ISA", "avx3"), ("R1_BACKEND", "gpu"):
        said, code = run("doctor", **{**calm, name: value})
        rows = [line for line in said.splitlines() if line.startswith("problem")]
        assert code == 3 and len(rows) == 1, said
        assert f'found "{value}"' in rows[0] and said.count(value) == 1, said


def check_doctor_json(folder):
    """Each part of CUDA is named; a damaged model is a problem, and what is not there is none."""
    calm = {"R1_ISA": "", "R1_BACKEND": "", "R1_CUDA_PLUGIN": "/nowhere/libr1_cuda.so"}
    said, code = run("doctor", "--json", MODEL, **calm)
    told = json.loads(said)
    checks = {c["what"]: c for c in told["checks"]}
    assert code == 0 and told["problems"] == 0, said
    assert checks["CUDA plugin"]["status"] == "absent", said
    assert "/nowhere/libr1_cuda.so" in checks["CUDA plugin"]["detail"], said
    assert checks["CUDA driver"]["status"] in ("absent", "good"), said
    assert checks["CUDA driver"]["status"] == "good" or "libcuda.so.1" in said, said
    assert checks["instruction sets"]["status"] == "good", said
    assert "its checksum fits" in checks["model"]["detail"], said
    bad = os.path.join(folder, "bad.gguf")
    with open(MODEL, "rb") as f:
        data = bytearray(f.read())
    data[-100] ^= 1
    with open(bad, "wb") as f:
        f.write(data)
    shutil.copy(MODEL + ".sum", bad + ".sum")
    said, code = run("doctor", "--json", bad, **calm)
    told = json.loads(said)
    assert code == 3 and told["problems"] == 1, said
    assert [c["status"] for c in told["checks"] if c["what"] == "model"] == ["problem"], said


def planted(folder):
    """The model with other names of the same length, so that all offsets of the file stay."""
    with open(MODEL, "rb") as f:
        data = f.read()
    for old, new in [
        (b'{"name": "medical-b"', b'{"name": "m\\u001b[J"'),
        (b"medical-b", b"m\x1b[2JJ\xff\xe2\x80"),
        (b"typical", "t\u202e\u009bl".encode()),
        (b"disease", "d\u202e\u009be".encode()),
    ]:
        assert len(old) == len(new) and old in data, old
        data = data.replace(old, new)
    path = os.path.join(folder, "planted.gguf")
    with open(path, "wb") as f:
        f.write(data)
    said, _ = run("info", path)  # the hash of the description is another one
    old, new = (struct.pack("<Q", int(h, 16)) for h in re.findall(r"\b[0-9a-f]{16}\b", said))
    with open(path, "wb") as f:
        f.write(data.replace(old, new))
    return path


def check_info(path):
    for args in ["info"], ["info", "--description"]:
        said, code = run(*args, path)
        assert code == 0, said
        hidden = [c for c in said if c != "\n" and not c.isprintable()]
        assert not hidden and "t[U+202E][U+009B]l" in said, f"{args}: {hidden} in\n{said}"
    said, code = run("info", "--json", path)
    told = json.loads(said[: said.rindex("}") + 1])  # a warning follows: the file has no sum
    assert code == 0 and "m\x1b[" in told["name"], said
    assert "t\u202e\u009bl (table)" in told["items"], said


def main():
    check_doctor()
    with tempfile.TemporaryDirectory(prefix="r1-info-") as folder:
        check_doctor_json(folder)
        check_info(planted(folder))
    print("doctor and info: good")


main()
