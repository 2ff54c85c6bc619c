#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Snapshots end to end: a service that is killed and starts from a snapshot decides as one that was
never disturbed, and a snapshot that is broken, foreign or missing never stops a start.

tests/e2e/test_snapshot.py [Snapshots.test_...]

Environment: R1_BIN (folder with the programs).
"""

import json
import os
import random
import resource
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_stream as stream  # noqa: E402
from services import ROOT, Services  # noqa: E402


def content(path):
    with open(path, "rb") as f:
        return f.read()


def files(folder):
    """Snapshots with final names, newest first."""
    if not os.path.isdir(folder):
        return []
    return sorted((f for f in os.listdir(folder) if f.endswith(".r1snap")), reverse=True)


def said(s, name="serve"):
    if not os.path.exists(os.path.join(s.folder, name + ".log")):
        return ""
    with open(os.path.join(s.folder, name + ".log"), encoding="utf-8") as f:
        return f.read()


class Snapshots(stream.Stream):
    reference = None

    def setUp(self):
        # PostgreSQL runs as another user and must get through; the service makes the last folder.
        self.dir = os.path.join(self.folder, self.id().rsplit(".", 1)[1] + "-snapshots")

    def serve(self, s, *args, **kw):
        every = () if "--snapshot-every" in args else ("--snapshot-every", 1)
        return s.serve("--model", stream.MODEL, "--snapshot-dir", self.dir, *every, *args, **kw)

    def finish(self, s, p, stats=None):
        self.assertEqual(s.finish(p), 0, said(s)[-2000:])
        if not stats:
            return None
        with open(stats, encoding="utf-8") as f:
            return json.load(f)

    def run_to_the_end(self, s, *args):
        """Reads what there is; returns the file of --stats."""
        stats = os.path.join(s.folder, "stats.json")
        return self.finish(s, self.serve(s, "--until-idle", 2, "--stats", stats, *args), stats)

    def undisturbed(self):
        """What one run without snapshots decides, and its state at the end."""
        if Snapshots.reference is None:
            with self.services("reference") as s:
                self.begin(s)
                s.produce(self.path)
                stats = os.path.join(s.folder, "stats.json")
                p = s.serve("--model", stream.MODEL, "--until-idle", 2, "--stats", stats)
                got = self.finish(s, p, stats)
                self.assertEqual(stream.defects(s, self.expected, self.sent), [])
                Snapshots.reference = stream.dump(s), got["state_digest"]
        return Snapshots.reference

    def same_as_undisturbed(self, s, stats):
        rows, digest = self.undisturbed()
        self.assertEqual(stream.defects(s, self.expected, self.sent), [])
        differ = [a for a, b in zip(stream.dump(s), rows) if a != b]
        self.assertEqual(differ[:2], [], f"{len(differ)} decisions are not the undisturbed ones")
        self.assertEqual(stats["state_digest"], digest)

    def half_and_snapshot(self, s, *args):
        """The first half of the stream, and a snapshot at an orderly end."""
        self.half = self.sent // 2
        s.produce(self.path, "--limit", self.half)
        stats = self.run_to_the_end(s, *args)
        self.assertGreaterEqual(stats["snapshots"], 1)
        return stats

    def second_half(self, s):
        s.produce(self.path, "--skip", self.half)
        return self.run_to_the_end(s)

    def test_kills_under_load(self):
        with self.services("kills") as s:
            self.begin(s)
            feeder = s.produce_in_background(self.path, "--rate", 800)
            rng = random.Random(stream.SEED + 7)
            for _ in range(4):
                p = self.serve(s)
                time.sleep(1.3 + rng.random())
                s.kill(p)
            s.collect(feeder)
            stats = self.run_to_the_end(s)
            self.assertIn(" loaded in ", said(s))
            self.assertGreater(stats["snapshot_loaded_apply_seq"], 0)
            self.assertLess(stats["rebuilt_payments"], self.expected["payment"])
            self.same_as_undisturbed(s, stats)

    def test_orderly_end_leaves_a_snapshot_of_all(self):
        with self.services("orderly") as s:
            self.begin(s)
            self.half_and_snapshot(s, "--snapshot-every", 3600)
            stats = self.second_half(s)
            self.assertGreater(stats["snapshot_loaded_apply_seq"], self.half // 2)
            self.assertEqual(stats["rebuilt_payments"], 0)
            self.same_as_undisturbed(s, stats)

    def test_broken_newest_falls_back(self):
        """Cut, changed in one byte, empty, of a newer program: each is named, the one before is
        taken."""
        with self.services("broken") as s:
            self.begin(s)
            quarter = self.sent // 4
            for i in range(3):
                s.produce(self.path, "--skip", i * quarter, "--limit", quarter)
                self.run_to_the_end(s, "--snapshot-every", 3600)
            names = files(self.dir)
            self.assertEqual(len(names), 3)
            newest, before = (os.path.join(self.dir, n) for n in names[:2])
            with open(newest, "r+b") as f:
                size = f.seek(0, os.SEEK_END)
                f.seek(size // 2)
                byte = f.read(1)
                f.seek(size // 2)
                f.write(bytes([byte[0] ^ 16]))
            os.truncate(before, os.path.getsize(before) - 1)
            broken = {n: content(os.path.join(self.dir, n)) for n in names[:2]}
            with open(os.path.join(self.dir, "snapshot-09000000000000000000.r1snap"), "wb") as f:
                f.write(b"R1SNAP\r\n\x63" + bytes(200))
            with open(os.path.join(self.dir, "snapshot-08000000000000000000.r1snap"), "wb"):
                pass
            s.produce(self.path, "--skip", 3 * quarter)
            stats = self.run_to_the_end(s)
            log = said(s)
            self.assertIn("which a newer program wrote", log)
            self.assertIn("found 0 bytes", log)
            self.assertIn("is damaged", log)
            self.assertIn("a part is missing", log)
            self.assertEqual(stats["snapshots_refused"], 4)
            self.assertIn(f"{names[2]} loaded in", log)
            self.same_as_undisturbed(s, stats)
            # The next good file removed what was refused. Where a snapshot was due before the first
            # new payment, a good one has taken the newest one's name.
            left = [n for n in files(self.dir) if n in broken]
            self.assertEqual(
                [n for n in left if content(os.path.join(self.dir, n)) == broken[n]], []
            )
            self.assertLessEqual(len(files(self.dir)), 3)

    def test_foreign_snapshot_is_refused(self):
        """The folder of another database, whose log has the very same rows."""
        with self.services("foreign") as s:
            self.begin(s)
            s.produce(self.path)
            self.run_to_the_end(s)
            s.fresh_schema()
            stats = self.run_to_the_end(s)
            self.assertIn("expected a snapshot of the log made at", said(s))
            self.assertEqual(stats["snapshot_loaded_apply_seq"], 0)
            self.same_as_undisturbed(s, stats)

    def test_log_that_ends_before_the_snapshot(self):
        """PostgreSQL was set back in time: the snapshot holds payments that the log does not."""
        with self.services("back") as s:
            self.begin(s)
            self.half_and_snapshot(s, "--snapshot-every", 3600)
            s.sql(
                "DELETE FROM r1.finding WHERE apply_seq > 1000;"
                "DELETE FROM r1.decision WHERE apply_seq > 1000;"
                "DELETE FROM r1.payment WHERE apply_seq > 1000"
            )
            stats = self.run_to_the_end(s)
            self.assertIn("holds rows 1 to 1000 without it", said(s))
            self.assertEqual(stats["snapshot_loaded_apply_seq"], 0)
            self.assertLessEqual(stats["rebuilt_payments"], 1000)
            self.assertGreater(stats["rebuilt_payments"], 900)  # some were decided apart

    def test_log_whose_beginning_is_gone(self):
        """Retention dropped what the snapshot knows: decisions stay the same. Without a snapshot
        the start says since when the state is known, and goes on."""
        with self.services("retention") as s:
            self.begin(s)
            self.half_and_snapshot(s)
            s.produce(self.path, "--skip", self.half, "--limit", 500)
            p = self.serve(s, "--snapshot-every", 3600)
            s.wait_for("SELECT sum(next_offset) FROM r1.stream_offset", self.half + 500)
            s.kill(p)
            kept = "apply_seq > (SELECT max(apply_seq) - 700 FROM r1.payment)"
            s.sql(
                "ALTER TABLE r1.finding DROP CONSTRAINT IF EXISTS finding_apply_seq_fkey;"
                "CREATE TABLE r1.dropped AS SELECT * FROM r1.payment "
                f"WHERE NOT {kept}; DELETE FROM r1.payment WHERE NOT {kept}"
            )
            self.half += 500
            stats = self.second_half(s)
            self.assertGreater(stats["snapshot_loaded_apply_seq"], 0)
            s.sql("INSERT INTO r1.payment SELECT * FROM r1.dropped")
            self.same_as_undisturbed(s, stats)
            s.sql(f"DELETE FROM r1.payment WHERE NOT {kept}")
            for name in files(self.dir):
                os.unlink(os.path.join(self.dir, name))
            self.run_to_the_end(s)
            self.assertIn("state known since 2", said(s))

    def test_all_rows_of_the_log_are_dropped(self):
        """Retention took the snapshot's own row too: the stored offsets tell that it was there."""
        with self.services("dropped") as s:
            self.begin(s)
            self.half_and_snapshot(s, "--snapshot-every", 3600)
            s.sql("CREATE TABLE r1.dropped AS SELECT * FROM r1.payment; DELETE FROM r1.payment")
            stats = self.second_half(s)
            self.assertGreater(stats["snapshot_loaded_apply_seq"], self.half // 2)
            s.sql("INSERT INTO r1.payment SELECT * FROM r1.dropped")
            self.same_as_undisturbed(s, stats)

    def test_full_disk(self):
        """A snapshot that cannot be written is counted and said; nothing of it stays, the service
        goes on, and writes again once there is room."""
        with self.services("full") as s:
            self.begin(s)
            stats = os.path.join(s.folder, "stats.json")
            p = self.serve(s, "--stats", stats)
            resource.prlimit(p.pid, resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
            feeder = s.produce_in_background(self.path, "--rate", 1500)
            deadline = time.time() + 30
            while "snapshot_failed" not in said(s) and time.time() < deadline:
                time.sleep(0.1)
            self.assertIn("File too large", said(s))
            self.assertEqual([f for f in os.listdir(self.dir) if f.endswith(".writing")], [])
            infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(p.pid, resource.RLIMIT_FSIZE, infinite)
            s.collect(feeder)
            self.assertEqual(s.settle(p, self.expected["payment"]), 0)
            with open(stats, encoding="utf-8") as f:
                got = json.load(f)
            self.assertGreaterEqual(got["snapshot_failures"], 1)
            self.assertGreaterEqual(got["snapshots"], 1)
            self.same_as_undisturbed(s, got)

    def test_two_services_one_folder(self):
        """The first service is fenced while it holds the folder's lock; the second one writes once
        the first has ended."""
        with self.services("two") as s:
            self.begin(s)
            half = self.sent // 2
            first = self.serve(s, name="first")
            s.produce(self.path, "--rate", 3000, "--limit", half)
            stats = os.path.join(s.folder, "stats.json")
            second = self.serve(s, "--until-idle", 4, "--stats", stats, name="second")
            s.produce(self.path, "--rate", 1500, "--skip", half)
            got = self.finish(s, second, stats)
            self.assertEqual(s.finish(first), 1)
            self.assertGreaterEqual(got["snapshots"], 1)
            self.same_as_undisturbed(s, got)

    def test_config_check_tries_the_folder(self):
        with self.services("config") as s:
            self.begin(s)
            for folder in (os.path.join(self.folder, "not", "there"), stream.__file__, ""):
                p = s.fraud("serve", "--model", "none", "--snapshot-dir", folder, check=False)
                self.assertEqual(p.returncode, 2, folder)
                self.assertIn("snapshot-dir", p.stderr)


class Control(Snapshots):
    """A snapshot that says one row more than it holds must be noticed, else the comparisons above
    prove nothing."""

    def test_control_off_by_one(self):
        rows, digest = self.undisturbed()
        with self.services("control") as s:
            self.begin(s)
            self.half_and_snapshot(s, "--snapshot-every", 3600)
            # The row behind the snapshot is hidden from the start, and so from the state.
            s.produce(self.path, "--skip", self.half, "--limit", 1)
            s.fraud("serve", "--model", stream.MODEL, "--until-idle", 1)
            newest = s.value("SELECT max(apply_seq) FROM r1.payment")
            s.sql(
                f"UPDATE r1.payment SET apply_seq = -1 WHERE apply_seq = {newest};"
                f"UPDATE r1.decision SET apply_seq = -1 WHERE apply_seq = {newest};"
                f"DELETE FROM r1.finding WHERE apply_seq = {newest}"
            )
            self.half += 1
            stats = self.second_half(s)
            self.assertNotEqual(stats["state_digest"], digest)
            if stream.MODEL != "none":
                self.assertNotEqual([r[4:] for r in stream.dump(s)], [r[4:] for r in rows])


for name in [n for n in dir(Snapshots) if n.startswith("test_")]:
    setattr(Control, name, None)  # inherited helpers, not their tests


if __name__ == "__main__":
    os.environ.setdefault("R1_BIN", os.path.join(ROOT, "build", "release", "bin"))
    print(f"R1_TEST_SEED={stream.SEED}", file=sys.stderr)
    unittest.main(verbosity=2)
