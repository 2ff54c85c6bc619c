#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradient boosting as the peer of `r1-fraud eval`: the same data, splits and figures.

    python3 -m venv VENV && VENV/bin/pip install xgboost==3.2.0 scikit-learn numpy pandas zstandard
    r1-fraud eval --format FORMAT --data DATA --features-out COLUMNS \\
                  [--protocol week|weeks|earlier]         our own columns, where wanted
    VENV/bin/python lab/peers/fraud_gbm.py amlgentex --train amlgentex_a --data amlgentex_b \\
                  [--columns B --train-columns A]
    VENV/bin/python lab/peers/fraud_gbm.py handbook --data transactions.csv.zst \\
                  [--protocol weeks] [--columns COLUMNS]

Feature sets of amlgentex:
  raw        amount, balances
  velocity   raw, and counts, sums and distinct counterparties of both ends, in and out, over 1, 3,
             7, 14 and 28 days
Feature sets of the handbook:
  raw        amount, hour, weekday
  velocity   raw, and counts, sums and distinct other ends of card and terminal over 1, 7, 28 days
  book15     the book's 15 features, which know the delayed labels of the terminal
Of both:
  columns    our own (--columns). They know delayed labels in the handbook and none in AMLGentex

Rows of one AMLGentex step are shuffled with a fixed seed first, since their order gives the label
away.

Depth, child weight and rounds are chosen on the validation part. For amlgentex these are the steps
from 126 on of the training draw. For the handbook it is the week before training, of the first of
several weeks. Then the model is fitted anew on all of the training part: the whole draw, or the
book's week.

Each figure is the mean over --seeds seeds of row and column sampling. NAME_sd is the standard
deviation over them, of the mean of the weeks where there are several. "book15_as_published" is one
run with the book's own setting (100 rounds, depth 6, rate .3).
"""
import argparse, json, os, sys
from collections import defaultdict, deque
import numpy as np, pandas as pd, xgboost as xgb

WINDOWS = (1, 3, 7, 14, 28)  # days
JOBS = int(os.environ.get("OMP_NUM_THREADS", "2"))


def path_of(path, name):
    if os.path.isdir(path):
        for form in (name, name + ".zst"):
            if os.path.exists(os.path.join(path, form)):
                return os.path.join(path, form)
    return path


# ---- figures: the definitions of apps/fraud/eval/metrics.h ---------------------------------------

def groups(score, label):
    """Descending distinct scores: cumulative alerts and hits."""
    order = np.argsort(-score, kind="stable")
    s, y = score[order], label[order]
    last = np.r_[s[1:] != s[:-1], True]
    return s[last], np.cumsum(np.ones_like(y))[last], np.cumsum(y)[last]


def ap(score, label):
    _, n, hit = groups(score, label)
    step = np.diff(np.r_[0, hit])
    return float((step * hit / n).sum() / hit[-1])


def auc(score, label):
    _, n, hit = groups(score, label)
    fp = n - hit
    dfp, dhit = np.diff(np.r_[0, fp]), np.diff(np.r_[0, hit])
    return float((dfp * (np.r_[0, hit[:-1]] + dhit / 2)).sum() / (hit[-1] * fp[-1]))


def threshold_fpr(score, label, fpr):
    s, n, hit = groups(score, label)
    ok = np.nonzero(n - hit <= fpr * (label == 0).sum())[0]
    return s[ok[-1]] if len(ok) else np.inf


def threshold_rate(score, rate):
    s, n, _ = groups(score, np.zeros_like(score))
    ok = np.nonzero(n <= rate * len(score))[0]
    return s[ok[-1]] if len(ok) else np.inf


def f1(score, label, t):
    alert = score >= t
    return float(2 * label[alert].sum() / (label.sum() + alert.sum()))


def card_precision(score, label, card, day, top=100):
    d = pd.DataFrame(dict(s=score, y=label, c=card, d=day)).groupby(["d", "c"]).agg(
        s=("s", "max"), y=("y", "max")).reset_index()
    caught, out = set(), []
    for _, g in d.groupby("d"):
        g = g[~g.c.isin(caught)].sort_values("s", ascending=False).head(top)
        out.append(g.y.sum() / top)
        caught |= set(g[g.y > 0].c)
    return float(np.mean(out))


def rings(d, score, t):
    d = d.assign(alert=score >= t)
    d = d[d.isSAR == 1].sort_values("pos", kind="stable")
    any_, half = [], []
    for _, g in d.groupby("patternID"):
        ends = set(g.nameOrig) | set(g.nameDest)
        a = g[g.alert]
        any_.append(len(a) > 0)
        half.append(2 * len(set(a.nameOrig) | set(a.nameDest)) >= len(ends))
    return float(np.mean(any_)), float(np.mean(half))


# ---- our own columns: rows of f32 as r1-fraud eval --features-out writes them --------------------

HEAD = ["use", "label", "inner", "row", "day", "from", "to", "ring"]


def read_columns(path):
    names = open(path + ".txt").read().split()
    first = names[:len(HEAD)]
    assert first == HEAD, f"{path}.txt: expected the names {HEAD} first, found {first}"
    rows = np.fromfile(path, dtype=np.float32).reshape(-1, len(names))
    return rows[:, len(HEAD):], pd.DataFrame(rows[:, :len(HEAD)], columns=HEAD).astype(int)


def columns_table(path):
    """Inner transfers of an AMLGentex draw, with the members that its figures need."""
    x, d = read_columns(path)
    inner = d.inner.values == 1
    d = d[inner].rename(columns=dict(label="isSAR", day="step", ring="patternID")).reset_index(
        drop=True)
    return x[inner], d.assign(nameOrig=d["from"], nameDest=d["to"], pos=d.row)


def handbook_columns(path, week):
    """Training, validation and judged part of one week."""
    x, d = read_columns(f"{path}.{week}")
    d = d.rename(columns=dict(label="TX_FRAUD", day="TX_TIME_DAYS")).assign(CUSTOMER_ID=d["from"])
    return [(x[d.use == use], d[d.use == use]) for use in (1, 2, 3)]


# ---- amlgentex -----------------------------------------------------------------------------------

def load_amlgentex(path, seed=20261123):
    d = pd.read_csv(path_of(path, "tx_log.csv"))
    d = d[d.type != "INITALBALANCE"].reset_index(drop=True)
    d = d.iloc[np.random.default_rng(seed).permutation(len(d))].sort_values(
        "step", kind="stable").reset_index(drop=True)
    d["pos"] = np.arange(len(d))
    return d


class Flow:
    """Exact sliding windows of one entity and direction."""
    def __init__(self, windows=WINDOWS):
        self.windows = windows
        self.q = [deque() for _ in windows]
        self.sum = [0.0] * len(windows)
        self.other = [defaultdict(int) for _ in windows]

    def read(self, now):
        out = []
        for k, w in enumerate(self.windows):
            q, o = self.q[k], self.other[k]
            while q and q[0][0] <= now - w:
                _, a, c = q.popleft()
                self.sum[k] -= a
                o[c] -= 1
                if not o[c]:
                    del o[c]
            out += [len(q), self.sum[k], len(o)]
        return out

    def add(self, now, amount, other):
        for k in range(len(self.windows)):
            self.q[k].append((now, amount, other))
            self.sum[k] += amount
            self.other[k][other] += 1


def velocity(d):
    flow = defaultdict(Flow)
    rows = []
    for step, amount, a, b in zip(d.step.values, d.amount.values, d.nameOrig.values,
                                  d.nameDest.values):
        inner = a >= 0 and b >= 0
        if inner:
            rows.append(flow[a, 0].read(step) + flow[a, 1].read(step) + flow[b, 0].read(step)
                        + flow[b, 1].read(step))
        if a >= 0:
            flow[a, 0].add(step, amount, b)
        if b >= 0:
            flow[b, 1].add(step, amount, a)
    return np.array(rows, dtype=np.float32)


def amlgentex_table(path, kind):
    d = load_amlgentex(path)
    inner = ((d.nameOrig >= 0) & (d.nameDest >= 0)).values
    x = d[["amount", "oldbalanceOrig", "oldbalanceDest"]].values[inner].astype(np.float32)
    if kind == "velocity":
        x = np.hstack([x, velocity(d)])
    return x, d[inner].reset_index(drop=True)


def model(depth, child, rounds, seed, **more):
    return xgb.XGBClassifier(n_estimators=rounds, max_depth=depth, learning_rate=0.05,
                             min_child_weight=child, subsample=0.8,
                             colsample_bytree=0.5, tree_method="hist", eval_metric="aucpr",
                             n_jobs=JOBS, random_state=seed, **more)


def choose(x, y, xv, yv):
    """Depth, child weight and rounds by average precision on the validation part."""
    best = (-1, None)
    for depth in (4, 6):
        for child in (1, 5):
            m = model(depth, child, 800, 1, early_stopping_rounds=60)
            m.fit(x, y, eval_set=[(xv, yv)], verbose=False)
            best = max(best, (m.best_score, (depth, child, m.best_iteration + 1)),
                       key=lambda b: b[0])
    return best[1]


def scores(setting, x, y, xt, seed):
    m = model(*setting, seed)
    m.fit(x, y, verbose=False)
    return m.predict_proba(xt)[:, 1].astype(float)


def over_seeds(runs):
    """runs: a dict of figures per seed."""
    out = {}
    for k in runs[0]:
        v = [r[k] for r in runs]
        out[k] = float(np.mean(v))
        if len(v) > 1 and k not in ("n", "positives"):
            out[k + "_sd"] = float(np.std(v, ddof=1))
    return out


def amlgentex_figures(score, d, prevalence):
    y = d.isSAR.values.astype(float)
    f = dict(n=len(y), positives=int(y.sum()), auc=auc(score, y), ap=ap(score, y),
             f1=f1(score, y, threshold_rate(score, prevalence)))
    for name, r in (("0_1pct", .001), ("0_5pct", .005), ("1pct", .01), ("5pct", .05)):
        f["recall_fpr_" + name] = float((score >= threshold_fpr(score, y, r))[y == 1].mean())
    f["ring_any_fpr_0_5pct"], f["ring_half_fpr_0_5pct"] = rings(
        d, score, threshold_fpr(score, y, .005))
    s, n, hit = groups(score, y)
    at = np.nonzero(hit >= .78 * y.sum())[0][0]
    f["inner_fpr_at_recall_78"] = float((n - hit)[at] / (y == 0).sum())
    return f


def fit_amlgentex(a, x, d, xt, test):
    y, step = d.isSAR.values, d.step.values
    early = step < 126
    setting = choose(x[early], y[early], x[~early], y[~early])
    return over_seeds([amlgentex_figures(scores(setting, x, y, xt, s), test, y.mean())
                       for s in range(1, a.seeds + 1)])


def run_amlgentex(a):
    out = {}
    for kind in ("raw", "velocity"):
        parts = [amlgentex_table(p, kind) for p in a.train.split(",")]
        x, d = np.vstack([p[0] for p in parts]), pd.concat([p[1] for p in parts])
        out[kind] = fit_amlgentex(a, x, d, *amlgentex_table(a.data, kind))
    if a.columns:
        x, d = zip(*[columns_table(p) for p in a.train_columns.split(",")])
        out["columns"] = fit_amlgentex(a, np.vstack(x), pd.concat(d), *columns_table(a.columns))
    return out


# ---- handbook ------------------------------------------------------------------------------------

def handbook_features(d):
    """Adds the columns; gives the names of each feature set."""
    when = d["TX_DATETIME"] = pd.to_datetime(d.TX_DATETIME)
    d["HOUR"], d["WEEKDAY"] = when.dt.hour, when.dt.weekday
    d["WEEKEND"], d["NIGHT"] = (d.WEEKDAY >= 5).astype(int), (d.HOUR <= 6).astype(int)
    sets = {"raw": ["TX_AMOUNT", "HOUR", "WEEKDAY"], "book15": ["TX_AMOUNT", "WEEKEND", "NIGHT"]}
    sets["velocity"] = sets["raw"] + velocity_columns(d)
    for w in (1, 7, 30):
        order = d.sort_values(["CUSTOMER_ID", "TX_DATETIME", "TRANSACTION_ID"]).index
        r = d.loc[order].set_index("TX_DATETIME").groupby("CUSTOMER_ID").TX_AMOUNT.rolling(f"{w}D")
        d.loc[order, f"CUST_N_{w}"] = r.count().values
        d.loc[order, f"CUST_MEAN_{w}"] = r.mean().values
        sets["book15"] += [f"CUST_N_{w}", f"CUST_MEAN_{w}"]
    order = d.sort_values(["TERMINAL_ID", "TX_DATETIME", "TRANSACTION_ID"]).index
    g = d.loc[order].set_index("TX_DATETIME").groupby("TERMINAL_ID").TX_FRAUD
    delay_n, delay_f = g.rolling("7D").count().values, g.rolling("7D").sum().values
    for w in (1, 7, 30):
        window = g.rolling(f"{7 + w}D")
        n, f = window.count().values - delay_n, window.sum().values - delay_f
        d.loc[order, f"TERM_N_{w}"] = n
        d.loc[order, f"TERM_RISK_{w}"] = np.where(n > 0, f / np.maximum(n, 1), 0)
        sets["book15"] += [f"TERM_N_{w}", f"TERM_RISK_{w}"]
    return sets


def velocity_columns(d):
    """Counts, sums and distinct other ends of card and terminal, over 1, 7 and 28 days before."""
    windows = [w * 86400 for w in (1, 7, 28)]
    flow = defaultdict(lambda: Flow(windows))
    rows = np.empty((len(d), 18), dtype=np.float32)
    order = d.sort_values(["TX_TIME_SECONDS", "TRANSACTION_ID"]).index.values
    seconds, amount = d.TX_TIME_SECONDS.values, d.TX_AMOUNT.values
    card, terminal = d.CUSTOMER_ID.values, d.TERMINAL_ID.values
    first = (115 - 7 * 6 - 28) * 86400  # nothing before is read by any week
    for i in order:
        if seconds[i] < first:
            continue
        a, b = flow[card[i], 0], flow[terminal[i], 1]
        rows[i] = a.read(seconds[i]) + b.read(seconds[i])
        a.add(seconds[i], amount[i], terminal[i])
        b.add(seconds[i], amount[i], card[i])
    names = [f"{end}_{what}_{w}" for end in ("CARD", "TERM") for w in (1, 7, 28)
             for what in ("N", "SUM", "OTHERS")]
    d[names] = rows
    return names


def handbook_split(d, week):
    """get_train_test_set of chapter 3: 7 days, 7 days of delay, 7 days.

    Known compromised cards leave. The week before training validates.
    """
    start = 115 + 7 * week
    day = d.TX_TIME_DAYS
    train = d[(day >= start) & (day < start + 7)]
    known, test = set(train[train.TX_FRAUD == 1].CUSTOMER_ID), []
    for k in range(7):
        late = d[(day == start + 7 + k - 1) & (d.TX_FRAUD == 1)]
        known |= set(late.CUSTOMER_ID)
        today = d[day == start + 14 + k]
        test.append(today[~today.CUSTOMER_ID.isin(known)])
    return train, d[(day >= start - 7) & (day < start)], pd.concat(test)


def handbook_figures(s, test, prevalence):
    y = test.TX_FRAUD.values.astype(float)
    return dict(n=len(y), positives=float(y.sum()), auc=auc(s, y), ap=ap(s, y),
                f1=f1(s, y, threshold_rate(s, prevalence)),
                cp100=card_precision(s, y, test.CUSTOMER_ID.values, test.TX_TIME_DAYS.values))


def mean_of(weeks):
    return {k: float(np.mean([w[k] for w in weeks])) for k in weeks[0]}


def run_handbook(a):
    d = pd.read_csv(path_of(a.data, "transactions.csv"))
    sets, out = handbook_features(d), {}
    weeks = {"week": [0], "weeks": [0, 1, 2, 3], "earlier": [-5, -4, -3, -2]}[a.protocol]
    split = {w: handbook_split(d, w) for w in weeks}
    table = {kind: {w: [(part[names].values.astype(np.float32), part) for part in split[w]]
                    for w in weeks} for kind, names in sets.items()}
    if a.columns:
        table["columns"] = {w: handbook_columns(a.columns, w) for w in weeks}
    for kind, by_week in table.items():
        (x, train), (xv, valid), _ = by_week[weeks[0]]
        setting = choose(x, train.TX_FRAUD.values, xv, valid.TX_FRAUD.values)
        out[kind] = over_seeds(
            [mean_of([handbook_figures(scores(setting, x, t.TX_FRAUD.values, xt, s), test,
                                       t.TX_FRAUD.mean())
                      for (x, t), _, (xt, test) in by_week.values()])
             for s in range(1, a.seeds + 1)])
    out["book15_as_published"] = mean_of([as_published(d, sets["book15"], *split[w])
                                          for w in weeks])
    return out


def as_published(d, names, train, _, test):
    m = xgb.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.3, n_jobs=JOBS,
                          random_state=0)
    m.fit(train[names], train.TX_FRAUD)
    return handbook_figures(m.predict_proba(test[names])[:, 1].astype(float), test,
                            train.TX_FRAUD.mean())


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("format", choices=["amlgentex", "handbook"])
    p.add_argument("--data", required=True)
    p.add_argument("--train", help="amlgentex: training draws, separated by commas")
    p.add_argument("--protocol", choices=["week", "weeks", "earlier"], default="week",
                   help="handbook: as r1-fraud eval --protocol")
    p.add_argument("--columns", help="our own columns of the judged data (handbook: as dumped with "
                   "the same --protocol)")
    p.add_argument("--train-columns", help="amlgentex: of the training draws, separated by commas")
    p.add_argument("--seeds", type=int, default=3)
    a = p.parse_args()
    sets = run_amlgentex(a) if a.format == "amlgentex" else run_handbook(a)
    figures = {f"{kind}_{k}": v for kind, f in sets.items() for k, v in f.items()}
    json.dump({"command": " ".join(sys.argv), "peer": "xgboost " + xgb.__version__, "data": a.data,
               "figures": figures}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
