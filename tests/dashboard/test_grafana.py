#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboards of deploy/grafana: PostgreSQL explains and runs each query on the migrated schema
with the rights that a Grafana login has, and each metric is one that a program of ours has.

tests/dashboard/test_grafana.py

Environment: R1_BIN (folder with the programs).
"""

import glob
import json
import os
import re
import subprocess
import tempfile
import unittest

from dash_services import ROOT, Dashboard
from test_dashboard import alert, case_of

FOLDER = os.path.join(ROOT, "deploy/grafana")
# What Grafana puts in the place of its own words.
FILTER = re.compile(r"\$__timeFilter\(([^()]+)\)")
SINCE = r"\1 BETWEEN now() - interval '7 days' AND now() + interval '1 minute'"


def dashboards():
    out = {}
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.json"))):
        with open(path, encoding="utf-8") as f:
            out[os.path.basename(path)] = json.load(f)
    return out


def queries(kind):
    """(dashboard, panel, text) of each query of a kind: rawSql or expr."""
    for name, d in dashboards().items():
        for p in d["panels"]:
            for t in p["targets"]:
                if kind in t:
                    yield name, p, t


class Grafana(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = s = Dashboard(tempfile.mkdtemp(prefix="r1-grafana-"))
        os.chmod(s.folder, 0o755)
        cls.addClassCleanup(s.close)
        s.begin()
        s.sql("CREATE ROLE grafana LOGIN; GRANT r1_viewer, r1_reader TO grafana")
        s.start_dash()
        alert(s, 1, "a", "b")
        case_of(s, 1)

    def ask(self, sql):
        """Rows of a query as that login, and what PostgreSQL refused it with."""
        p = subprocess.run(
            ["psql", self.s.conninfo, "-qX", "--csv", "-v", "ON_ERROR_STOP=1", "-c",
             f"SET ROLE grafana; {sql}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return p.stdout.strip().split("\n"), p.stderr.strip()

    def test_each_query(self):
        n, wrong, rows = 0, [], 0
        for name, panel, t in queries("rawSql"):
            n += 1
            where = f"{name}: {panel['title']}"
            sql = FILTER.sub(SINCE, t["rawSql"])
            self.assertNotIn("$__", sql, where)
            plan, said = self.ask(f"EXPLAIN {sql}")
            if said or len(plan) < 2:
                wrong.append(f"{where}: {said}")
                continue
            table, said = self.ask(sql)
            if said:
                wrong.append(f"{where}: {said}")
            rows += len(table) - 1
            if t["format"] == "time_series":
                self.assertEqual(table[0].split(",")[0], "time", where)
        self.assertEqual(wrong, [])
        self.assertGreater(n, 25)
        self.assertGreater(rows, 20, "the one alert of this test is seen by few queries")

    def test_a_wrong_query_is_found(self):
        self.assertIn("does not exist", self.ask("EXPLAIN SELECT nothing FROM r1.fraud_case")[1])
        self.assertIn("permission denied", self.ask("EXPLAIN SELECT sealed FROM r1.med_review")[1])
        self.assertIn("permission denied", self.ask("EXPLAIN SELECT * FROM r1.dash_audit")[1])

    def test_each_metric(self):
        declared = set()
        for app in ("fraud", "medical"):
            for path in glob.glob(os.path.join(ROOT, f"apps/{app}/serve/*.c")):
                with open(path, encoding="utf-8") as f:
                    declared |= set(re.findall(r'"(r1_[a-z_]+|[a-z_]+)"', f.read()))
        n = 0
        for name, panel, t in queries("expr"):
            for metric in re.findall(r"\br1_(?:fraud|medical)_[a-z_]+", t["expr"]):
                n += 1
                base = re.sub(r"_(bucket|sum|count)$", "", metric)
                known = {base, metric, base.removeprefix("r1_fraud_")} & declared
                self.assertTrue(known, f"{name}: {panel['title']}: no program has {metric}")
        self.assertGreater(n, 30)

    def test_provisioning(self):
        import yaml

        with open(os.path.join(FOLDER, "provisioning/datasources/r1.yml"), encoding="utf-8") as f:
            sources = {d["type"] for d in yaml.safe_load(f)["datasources"]}
        with open(os.path.join(FOLDER, "provisioning/dashboards/r1.yml"), encoding="utf-8") as f:
            self.assertEqual(yaml.safe_load(f)["providers"][0]["type"], "file")
        all_of = dashboards()
        self.assertEqual(len({d["uid"] for d in all_of.values()}), len(all_of))
        for name, d in all_of.items():
            asked = {v["query"] for v in d["templating"]["list"] if v["type"] == "datasource"}
            self.assertLessEqual(asked, sources, name)
            self.assertEqual(len({p["id"] for p in d["panels"]}), len(d["panels"]), name)


if __name__ == "__main__":
    unittest.main(verbosity=1)
