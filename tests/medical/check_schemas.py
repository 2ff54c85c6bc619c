#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds a report as phenopacket and as FHIR bundle to the official definitions of both.

    tests/medical/check_schemas.py R1_MEDICAL RECORD WORK

The definitions come from the registry of Python packages, into an environment in the folder WORK:
`phenopackets` holds GA4GH's protobuf classes, `fhir.resources` the resources of FHIR R4B. The
target check_schemas runs this. Exit 0: both fit; 1: what does not is printed.
"""

import os
import subprocess
import sys
import venv

PACKAGES = ["phenopackets==2.0.2.post5", "fhir.resources==8.3.0"]
CHECK = """
import sys
from google.protobuf import json_format
from phenopackets.schema.v2 import Phenopacket
from fhir.resources.R4B.bundle import Bundle
stem = sys.argv[1]
with open(stem + ".report.phenopacket.json", encoding="utf-8") as f:
    packet = json_format.Parse(f.read(), Phenopacket())
with open(stem + ".report.fhir.json", encoding="utf-8") as f:
    bundle = Bundle.model_validate_json(f.read())
assert packet.meta_data.phenopacket_schema_version == "2.0"
print(len(packet.phenotypic_features), "features,", len(bundle.entry), "resources")
"""


def main():
    program, record, work = sys.argv[1:4]
    environment = os.path.join(work, "schemas")
    python = os.path.join(environment, "bin", "python")
    if not os.path.exists(python):
        venv.create(environment, with_pip=True)
    subprocess.run([python, "-m", "pip", "-q", "install", *PACKAGES], check=True)
    out = os.path.join(work, "interchange")
    subprocess.run(
        [program, "report", record, "--out", out, "--format", "phenopacket,fhir"], check=True
    )
    stem = os.path.join(out, os.path.splitext(os.path.basename(record))[0])
    return subprocess.run([python, "-c", CHECK, stem], check=False).returncode


sys.exit(main() if len(sys.argv) == 4 else print(__doc__) or 2)
