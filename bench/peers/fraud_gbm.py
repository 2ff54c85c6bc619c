#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradient boosting as the peer of `r1-fraud eval`: the same data, splits and figures, computed the same way.

    python3 -m venv /tmp/peer && /tmp/peer/bin/pip install xgboost==3.2.0 lightgbm==4.6.0 numpy pandas zstandard
    /tmp/peer/bin/python bench/peers/fraud_gbm.py amlgentex --train amlgentex_a --data amlgentex_b
    /tmp/peer/bin/python bench/peers/fraud_gbm.py handbook --data handbook_transactions.csv.zst [--weeks]
    ... --columns FILE [--train-columns FILE]   boosting on our own columns (r1-fraud eval --features-out FILE)

Feature sets. amlgentex: "raw" (amount, balances) and "velocity" (raw + counts, sums, distinct counterparties of both ends, in and
out, over 1, 3, 7, 14, 28 days). handbook: its 15 features. Rows of one AMLGentex step are shuffled with a fixed seed first (their
order gives the label away). Depth and rounds are chosen on the training data's steps >= 126 (handbook: fixed, as in its book).
"""
import argparse, json, sys
from collections import defaultdict, deque
import numpy as np, pandas as pd, xgboost as xgb

WINDOWS = (1, 3, 7, 14, 28)


def path_of(path, name):
    import os
    if os.path.isdir(path):
        for form in (name, name + ".zst"):
            if os.path.exists(os.path.join(path, form)):
                return os.path.join(path, form)
    return path


# ---- figures: the definitions of apps/fraud/eval/metrics.h ----------------------------------------------------------------

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
    d = pd.DataFrame(dict(s=score, y=label, c=card, d=day)).groupby(["d", "c"]).agg(s=("s", "max"), y=("y", "max")).reset_index()
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


# ---- amlgentex --------------------------------------------------------------------------------------------------------------

def load_amlgentex(path, seed=20261123):
    d = pd.read_csv(path_of(path, "tx_log.csv"))
    d = d[d.type != "INITALBALANCE"].reset_index(drop=True)
    d = d.iloc[np.random.default_rng(seed).permutation(len(d))].sort_values("step", kind="stable").reset_index(drop=True)
    d["pos"] = np.arange(len(d))
    return d


class Flow:
    """Exact sliding windows of one entity and direction."""
    def __init__(self):
        self.q = [deque() for _ in WINDOWS]
        self.sum = [0.0] * len(WINDOWS)
        self.other = [defaultdict(int) for _ in WINDOWS]

    def read(self, now):
        out = []
        for k, w in enumerate(WINDOWS):
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
        for k in range(len(WINDOWS)):
            self.q[k].append((now, amount, other))
            self.sum[k] += amount
            self.other[k][other] += 1


def velocity(d):
    flow = defaultdict(Flow)
    rows = []
    for step, amount, a, b in zip(d.step.values, d.amount.values, d.nameOrig.values, d.nameDest.values):
        inner = a >= 0 and b >= 0
        if inner:
            rows.append(flow[a, 0].read(step) + flow[a, 1].read(step) + flow[b, 0].read(step) + flow[b, 1].read(step))
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


def fit_tuned(x, y, step, split=126):
    """Depth and rounds by average precision on the last part, then a refit on all of it."""
    best = (-1, None, None)
    train, valid = step < split, step >= split
    for depth in (4, 6):
        for child in (1, 5):
            m = model(depth, child, 800, early_stopping_rounds=60)
            m.fit(x[train], y[train], eval_set=[(x[valid], y[valid])], verbose=False)
            best = max(best, (m.best_score, (depth, child), m.best_iteration + 1), key=lambda b: b[0])
    m = model(*best[1], best[2])
    m.fit(x, y, verbose=False)
    return m


def model(depth, child, rounds, **more):
    return xgb.XGBClassifier(n_estimators=rounds, max_depth=depth, learning_rate=0.05, min_child_weight=child, subsample=0.8,
                             colsample_bytree=0.5, tree_method="hist", eval_metric="aucpr", n_jobs=2, random_state=1, **more)


def amlgentex_figures(score, d, prevalence):
    y = d.isSAR.values.astype(float)
    f = dict(n=len(y), positives=int(y.sum()), auc=auc(score, y), ap=ap(score, y), f1=f1(score, y, threshold_rate(score, prevalence)))
    for name, r in (("0_1pct", .001), ("0_5pct", .005), ("1pct", .01), ("5pct", .05)):
        f["recall_fpr_" + name] = float((score >= threshold_fpr(score, y, r))[y == 1].mean())
    f["ring_any_fpr_0_5pct"], f["ring_half_fpr_0_5pct"] = rings(d, score, threshold_fpr(score, y, .005))
    s, n, hit = groups(score, y)
    at = np.nonzero(hit >= .78 * y.sum())[0][0]
    f["inner_fpr_at_recall_78"] = float((n - hit)[at] / (y == 0).sum())
    return f


def run_amlgentex(a):
    out = {}
    for kind in ("raw", "velocity"):
        parts = [amlgentex_table(p, kind) for p in a.train.split(",")]
        x, d = np.vstack([p[0] for p in parts]), pd.concat([p[1] for p in parts])
        m = fit_tuned(x, d.isSAR.values, d.step.values)
        xt, dt = amlgentex_table(a.data, kind)
        out[kind] = amlgentex_figures(m.predict_proba(xt)[:, 1], dt, d.isSAR.mean())
    return out


# ---- handbook ---------------------------------------------------------------------------------------------------------------

def handbook_features(d):
    d["TX_DATETIME"] = pd.to_datetime(d.TX_DATETIME)
    d["WEEKEND"] = (d.TX_DATETIME.dt.weekday >= 5).astype(int)
    d["NIGHT"] = (d.TX_DATETIME.dt.hour <= 6).astype(int)
    names = ["TX_AMOUNT", "WEEKEND", "NIGHT"]
    for w in (1, 7, 30):
        r = d.sort_values(["CUSTOMER_ID", "TX_DATETIME", "TRANSACTION_ID"]).set_index("TX_DATETIME").groupby("CUSTOMER_ID").TX_AMOUNT.rolling(f"{w}D")
        order = d.sort_values(["CUSTOMER_ID", "TX_DATETIME", "TRANSACTION_ID"]).index
        d.loc[order, f"CUST_N_{w}"] = r.count().values
        d.loc[order, f"CUST_MEAN_{w}"] = r.mean().values
        names += [f"CUST_N_{w}", f"CUST_MEAN_{w}"]
    order = d.sort_values(["TERMINAL_ID", "TX_DATETIME", "TRANSACTION_ID"]).index
    g = d.loc[order].set_index("TX_DATETIME").groupby("TERMINAL_ID").TX_FRAUD
    delay_n, delay_f = g.rolling("7D").count().values, g.rolling("7D").sum().values
    for w in (1, 7, 30):
        n, f = g.rolling(f"{7 + w}D").count().values - delay_n, g.rolling(f"{7 + w}D").sum().values - delay_f
        d.loc[order, f"TERM_N_{w}"] = n
        d.loc[order, f"TERM_RISK_{w}"] = np.where(n > 0, f / np.maximum(n, 1), 0)
        names += [f"TERM_N_{w}", f"TERM_RISK_{w}"]
    return names


def handbook_split(d, week):
    """get_train_test_set of chapter 3: 7 days, 7 days of delay, 7 days; known compromised cards leave."""
    start = 115 + 7 * week
    day = d.TX_TIME_DAYS
    train = d[(day >= start) & (day < start + 7)]
    known, test = set(train[train.TX_FRAUD == 1].CUSTOMER_ID), []
    for k in range(7):
        late = d[(day == start + 7 + k - 1) & (d.TX_FRAUD == 1)]
        known |= set(late.CUSTOMER_ID)
        today = d[day == start + 14 + k]
        test.append(today[~today.CUSTOMER_ID.isin(known)])
    return train, pd.concat(test)


def run_handbook(a):
    d = pd.read_csv(path_of(a.data, "transactions.csv"))
    names, out = handbook_features(d), defaultdict(list)
    for week in range(4 if a.weeks else 1):
        train, test = handbook_split(d, week)
        m = xgb.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.3, n_jobs=2, random_state=0)
        m.fit(train[names], train.TX_FRAUD)
        s, y = m.predict_proba(test[names])[:, 1].astype(float), test.TX_FRAUD.values.astype(float)
        for k, v in dict(n=len(y), positives=y.sum(), auc=auc(s, y), ap=ap(s, y), f1=f1(s, y, threshold_rate(s, train.TX_FRAUD.mean())),
                         cp100=card_precision(s, y, test.CUSTOMER_ID.values, test.TX_TIME_DAYS.values)).items():
            out[k].append(float(v))
    return {"book15": {k: float(np.mean(v)) for k, v in out.items()}}


# ---- our own columns ------------------------------------------------------------------------------------------------------------

def run_columns(a):
    names = open(a.columns + ".txt").read().split()
    read = lambda p: np.fromfile(p, dtype=np.float32).reshape(-1, len(names))
    test = read(a.columns)
    if a.train_columns:
        train = np.vstack([read(p) for p in a.train_columns.split(",")])
        train, test = train[train[:, 2] == 1], test[test[:, 2] == 1]
    else:
        train, test = test[test[:, 0] == 1], test[test[:, 0] == 3]
    m = model(5, 3, 300)
    m.fit(train[:, 4:], train[:, 1])
    s, y = m.predict_proba(test[:, 4:])[:, 1].astype(float), test[:, 1].astype(float)
    return {"our_columns": dict(n=len(y), positives=int(y.sum()), auc=auc(s, y), ap=ap(s, y))}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("format", choices=["amlgentex", "handbook"])
    p.add_argument("--data")
    p.add_argument("--train")
    p.add_argument("--weeks", action="store_true")
    p.add_argument("--columns")
    p.add_argument("--train-columns")
    a = p.parse_args()
    run = run_columns if a.columns else run_amlgentex if a.format == "amlgentex" else run_handbook
    sets = run(a)
    figures = {f"{kind}_{k}": v for kind, f in sets.items() for k, v in f.items()}
    json.dump({"command": " ".join(sys.argv), "peer": "xgboost " + xgb.__version__, "data": a.data, "figures": figures}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
