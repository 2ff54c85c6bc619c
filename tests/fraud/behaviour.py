#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the shipped fraud model behaves on small worlds where the right answer is known.

Each probe is a world of its own: a person with weeks of ordinary payments, then the payments that
are judged. All worlds of a run go through `r1-fraud replay` as one file; they share no account.
A probe passes or fails by what the scores do. A kind of probe has a share that must pass.

  behaviour.py R1_FRAUD [--model FILE] [--probes N] [--json] [--show KIND]

N worlds of each kind (default 12); each kind goes through the program by itself. Exit 1 where a
kind passes less often than it must.
"""
import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path

START = 1767225600000  # 2026-01-01, a Thursday
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
REVIEW, CERTAIN = .2, .8  # what the service shows to a person; what a default would block
SLACK = .005              # a fall that is smaller is none


class World:
    """Payments of one probe. Names begin with the probe's own letters."""

    def __init__(self, name, seed, currency="EUR", scale=1.0):
        self.name, self.rng, self.currency, self.scale = name, random.Random(seed), currency, scale
        self.rows, self.judged, self.seen, self.zone = [], [], 0, None
        self.habit = self.rng.choice((18, 35, 60, 110))
        self.shops = [f"shop{i}" for i in range(4)]

    def pay(self, ts, sender, to, amount, kind="transfer", judged=False, **more):
        self.seen += 1
        row = {"tx_id": f"{self.name}-{self.seen}", "ts": int(ts), "kind": kind,
               "from": f"{self.name}-{sender}", "to": f"{self.name}-{to}",
               "amount": max(.01, round(amount * self.scale, 2)), "currency": self.currency, **more}
        self.rows.append(row)
        if judged:
            self.judged.append(row["tx_id"])
        return row["tx_id"]

    def ordinary(self, who, days=28, salary=2400):
        """A person: a salary, a rent, known shops and two friends. Returns the end of it."""
        for day in range(days):
            base = START + day * DAY
            for _ in range(self.rng.randint(0, 3)):
                at = base + 8 * HOUR + self.rng.randrange(12 * HOUR)
                self.pay(at, who, self.rng.choice(self.shops),
                         self.habit * math.exp(self.rng.gauss(0, .4)), "card", from_role="account")
            if day % 7 == 3:
                self.pay(base + 10 * HOUR, who, f"friend{day % 2}",
                         self.habit * math.exp(self.rng.gauss(0, .3)))
            if day == 1:
                self.pay(base + 6 * HOUR, "employer", who, salary, from_role="external")
                self.pay(base + 9 * HOUR, who, "landlord", salary * .3)
        return START + days * DAY + 10 * HOUR


# ---- kinds: each yields (worlds, judge), judge(scores of each world) -> None or what is wrong ----

def falls(scores):
    """The first payment whose score is lower than the one before."""
    for i in range(1, len(scores)):
        if scores[i] < scores[i - 1] - SLACK:
            return f"falls from {scores[i - 1]:.3f} to {scores[i]:.3f} at {i + 1}"
    return None


def emptied(name, seed):
    w = World(name, seed)
    now = w.ordinary("a")
    step = w.rng.choice((30_000, 60_000, 3 * MINUTE, 5 * MINUTE))
    amount = w.habit * w.rng.choice((5, 10, 25))
    for i in range(10):
        w.pay(now + i * step, "a", f"new{i}", amount, judged=True)
    return [w], lambda s: falls([x.p for x in s[0]])


def amount_leaves(name, seed):
    worlds = []
    for k, times in enumerate((1, 2, 4, 8, 16, 32, 64, 128)):
        w = World(f"{name}v{k}", seed)
        now = w.ordinary("a")
        w.pay(now, "a", "new", w.habit * times, judged=True)
        worlds.append(w)
    return worlds, lambda s: falls([x[0].p for x in s])


def pass_through_tightens(name, seed):
    worlds = []
    rng = random.Random(seed)
    came = rng.choice((900, 2500, 6000))
    steps = (.3, 30), (.5, 12), (.7, 6), (.85, 2), (.95, .5), (.97, .1)
    for k, (share, hours) in enumerate(steps):
        w = World(f"{name}v{k}", seed)
        now = w.ordinary("a")
        w.pay(now, "stranger", "a", came)
        w.pay(now + hours * HOUR, "a", "new", came * share, judged=True)
        worlds.append(w)
    return worlds, lambda s: falls([x[0].p for x in s])


def ring_closes(name, seed):
    worlds = []
    rng = random.Random(seed)
    n, amount, step = rng.choice((3, 4, 5)), rng.choice((400, 1200, 5200)), rng.choice((2, 7, 20))
    for closes in (False, True):
        w = World(f"{name}{'c' if closes else 'o'}", seed)
        for i in range(n):
            now = w.ordinary(f"m{i}")
        for i in range(n):
            last = i == n - 1
            to = "m0" if last and closes else "other" if last else f"m{i + 1}"
            w.pay(now + i * step * HOUR, f"m{i}", to, amount * (1 - .02 * i), judged=last)
        worlds.append(w)
    return worlds, lambda s: falls([s[0][0].p, s[1][0].p])


def out_of_range(name, seed):
    w = World(name, seed)
    now = w.ordinary("a")
    kind = seed % 4
    if kind == 0:      # one payment beyond everything
        for k in (8, 10, 11):
            w.pay(now + k * MINUTE, "a", f"new{k}", 10.0 ** k, judged=True)
    elif kind == 1:    # an account that pays without end
        for i in range(400):
            w.pay(now + i * 2000, "a", f"new{i}", 10.0 ** 9, judged=i > 20)
    elif kind == 2:    # paid from everywhere, then passed on
        for i in range(600):
            w.pay(now + i * 1000, f"s{i}", "a", 800.0)
        w.pay(now + HOUR, "a", "new", 480_000.0, judged=True)
    else:              # ordinary amounts, more payees than a person has
        for i in range(400):
            w.pay(now + i * 2000, "a", f"new{i}", w.habit, judged=i > 100)

    def judge(s):
        bad = [x for x in s[0] if not x.unsure]
        low, high = min((x.p for x in bad), default=REVIEW), max((x.p for x in bad), default=0)
        if low < REVIEW:
            return f"allowed at {low:.3f}"
        return f"certain at {high:.3f}" if high >= CERTAIN else None
    return [w], judge


def shops_hourly(name, seed):
    w = World(name, seed)
    now = w.ordinary("a")
    for i in range(16):
        w.pay(now + i * HOUR - 4 * HOUR, "a", w.rng.choice(w.shops),
              w.habit * math.exp(w.rng.gauss(0, .25)), "card", judged=True, from_role="account")
    return [w], lambda s: next((f"{x.p:.3f} at {i + 1}" for i, x in enumerate(s[0])
                                if x.p >= CERTAIN), None)


def mixed(w):
    """Some of everything, for what must not change."""
    now = w.ordinary("a")
    for i in range(4):
        w.pay(now + i * MINUTE, "a", f"new{i}", w.habit * 9, judged=True)
    w.pay(now + 5 * HOUR, "stranger", "a", 3000)
    w.pay(now + 6 * HOUR, "a", "far", 2800, judged=True)
    w.pay(now + 30 * HOUR, "a", "shop1", w.habit, "card", judged=True, from_role="account")
    return w


def same(s):
    """The same decision for each payment of two worlds, and nearly the same score."""
    for i, (x, y) in enumerate(zip(*s)):
        if (x.p >= REVIEW) != (y.p >= REVIEW) or abs(x.p - y.p) > .05:
            return f"{x.p:.3f} and {y.p:.3f} at {i + 1}"
    return None


def currency_named(name, seed):
    code = ("USD", "GBP", "CHF")[seed % 3]
    return [mixed(World(name + "e", seed)), mixed(World(name + "x", seed, code))], same


def currency_small_unit(name, seed):
    code, scale = (("JPY", 100), ("KRW", 1000), ("HUF", 100))[seed % 3]
    b = mixed(World(name + "x", seed, code, scale))
    for row in b.rows:
        row["amount"] = max(1, round(row["amount"]))
    return [mixed(World(name + "e", seed)), b], same


def accounts_renamed(name, seed):
    a, b = mixed(World(name + "e", seed)), mixed(World(name + "x", seed))
    for row in b.rows:
        for end in ("from", "to"):
            row[end] = "DE%020d" % (hash_of(row[end]) % 10 ** 20)
    return [a, b], same


def zone_moved(name, seed):
    """The same lives in another zone, which the setting names; Etc/GMT-8 lies east of Greenwich."""
    a, b = mixed(World(name + "e", seed)), mixed(World(name + "x", seed))
    hours = (-9, -5, 8)[seed % 3]
    b.zone = f"Etc/GMT{-hours:+d}"
    for row in b.rows:
        row["ts"] -= hours * HOUR
    return [a, b], same


def hash_of(text):
    x = 1469598103934665603
    for c in text.encode():
        x = (x ^ c) * 1099511628211 % 2 ** 64
    return x


def before_half(amounts):
    """In review at least once before half of the money is gone."""
    def judge(s):
        gone = 0
        for x, amount in zip(s[0], amounts):
            if x.unsure or x.p >= REVIEW:
                return None
            gone += amount
            if gone >= sum(amounts) / 2:
                break
        return "half is gone, highest %.3f" % max(x.p for x in s[0])
    return judge


def textbook_emptied(name, seed):
    w = World(name, seed)
    now, step = w.ordinary("a"), w.rng.choice((20_000, 60_000, 2 * MINUTE))
    amounts = [w.habit * w.rng.choice((8, 12, 15)) for _ in range(8)]
    for i, x in enumerate(amounts):
        w.pay(now + i * step, "a", f"new{i}", x, judged=True)
    return [w], before_half(amounts)


def textbook_card_testing(name, seed):
    w = World(name, seed)
    now = w.ordinary("a")
    amounts = [w.rng.uniform(.5, 2.5) for _ in range(w.rng.randint(4, 8))] + [w.habit * 25]
    for i, x in enumerate(amounts):
        w.pay(now + i * 4 * MINUTE, "a", f"web{i}", x, "card", judged=True, from_role="account")
    return [w], before_half(amounts)


def textbook_structuring(name, seed):
    w = World(name, seed)
    now, limit = w.ordinary("a"), w.rng.choice((1000, 5000, 10000))
    amounts = [limit * w.rng.uniform(.9, .99) for _ in range(8)]
    for i, x in enumerate(amounts):
        w.pay(now + i * 9 * HOUR, "a", w.rng.choice(("x", "y")), x, judged=True)
    return [w], before_half(amounts)


def textbook_round_trip(name, seed):
    w = World(name, seed)
    for who in "abc":
        now = w.ordinary(who)
    amount, path = w.rng.choice((700, 3100, 9000)), w.rng.choice(("aba", "abca"))
    amounts = []
    for turn in range(3):
        for i in range(len(path) - 1):
            amounts.append(amount * (1 - .01 * len(amounts)))
            w.pay(now + len(amounts) * 5 * HOUR, path[i], path[i + 1], amounts[-1], judged=True)
    return [w], before_half(amounts)


def textbook_mule(name, seed):
    w = World(name, seed)
    now, came = w.ordinary("a"), w.rng.choice((1800, 4000, 7500))
    w.pay(now, "victim", "a", came)
    parts = w.rng.choice((1, 2, 4))
    amounts = [came * .96 / parts] * parts
    for i, x in enumerate(amounts):
        w.pay(now + 20 * MINUTE + i * 7 * MINUTE, "a", f"boss{i}", x, judged=True)
    return [w], before_half(amounts)


def textbook_cash_out(name, seed):
    w = World(name, seed)
    now, came = w.ordinary("a"), w.rng.choice((1500, 3000, 4800))
    w.pay(now, "victim", "a", came)
    amounts = [came / 6] * 6
    for i, x in enumerate(amounts):
        w.pay(now + 30 * MINUTE + i * 6 * MINUTE, "a", f"atm{i % 2}", x, "cash", judged=True)
    return [w], before_half(amounts)


# kind, the share of probes that must pass
KINDS = [(emptied, 1), (amount_leaves, .95), (pass_through_tightens, .95), (ring_closes, 1),
         (out_of_range, 1), (shops_hourly, 1), (currency_named, 1), (currency_small_unit, 1),
         (accounts_renamed, 1), (zone_moved, 1), (textbook_emptied, 1), (textbook_card_testing, 1),
         (textbook_structuring, 1), (textbook_round_trip, 1), (textbook_mule, 1),
         (textbook_cash_out, 1)]


class Score:
    def __init__(self, line):
        self.unsure = "unscorable" in line
        self.p = 1.0 if self.unsure else line["probability"]
        self.line = line


GOOD_EXITS = (0, 4)  # 4: some payments cannot be scored, which some probes ask for


def replay(program, model, zone, rows):
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
        rows = sorted(rows, key=lambda r: r["ts"])
        source.write_text("".join(json.dumps(r) + "\n" for r in rows))
        done = subprocess.run([program, "replay", "--in", source, "--out", out,
                               *(["--model", model] if model else []),
                               *(["--zone", zone] if zone else [])],
                              capture_output=True, text=True)
        if done.returncode not in GOOD_EXITS:
            sys.exit(f"replay ended with {done.returncode}: {done.stderr}")
        return {x["tx_id"]: Score(x) for x in map(json.loads, out.read_text().splitlines())}


def run(program, model, probes, number, kind):
    """One file for each currency and zone: a stream has one."""
    plan, rows, scores = [], {}, {}
    for i in range(probes):
        worlds, judge = kind(f"k{number}p{i}", 1000 * number + i)
        plan.append((i, worlds, judge))
        for w in worlds:
            rows.setdefault((w.zone or "", w.currency), []).extend(w.rows)
    for (zone, _), mine in sorted(rows.items()):
        scores.update(replay(program, model, zone, mine))
    return [(i, worlds, judge([[scores[t] for t in w.judged] for w in worlds]), scores)
            for i, worlds, judge in plan]


def show(done):
    for i, worlds, why, scores in done:
        print(i, why or "right")
        for w in worlds:
            print("   ", " ".join(f"{scores[t].p:.3f}" for t in w.judged)[:150])
            top = max(w.judged, key=lambda t: scores[t].p)
            for r in scores[top].line.get("reasons", [])[:3]:
                print("      ", f"{r['contribution']:+.2f}", r["code"], r["text"])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("program")
    p.add_argument("--model")
    p.add_argument("--probes", type=int, default=12)
    p.add_argument("--json", action="store_true")
    p.add_argument("--show", help="the scores of each probe of this kind")
    a = p.parse_args()
    table, failed = {}, False
    for number, (kind, least) in enumerate(KINDS):
        if a.show and kind.__name__ != a.show:
            continue
        done = run(a.program, a.model, a.probes, number, kind)
        wrong = [why for _, _, why, _ in done if why]
        share = 1 - len(wrong) / len(done)
        failed |= share < least
        table[kind.__name__] = {"probes": len(done), "passed": len(done) - len(wrong),
                                "first_wrong": wrong[0] if wrong else None}
        if a.show:
            show(done)
    if a.json:
        figures = {"probes": a.probes} | {k: x["passed"] / x["probes"] for k, x in table.items()}
        print(json.dumps({"command": "behaviour.py", "figures": figures}))
    else:
        for name, x in table.items():
            print(f"{name:24} {x['passed']:4} of {x['probes']:4}  {x['first_wrong'] or ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
