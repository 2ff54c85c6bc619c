#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Means of an experiment's table over its seeds, with 95 % intervals, and each arm beside another.

    ablation_table.py FILE.csv BASE FIGURE[,FIGURE...]

FILE.csv is what associative_recall, key_data, explaining_payment or ladder wrote. Prints two tables
in Markdown. One has the mean of each arm and figure, with the half width of its interval (Student's
t). The other has the difference to the arm BASE, paired by seed, as a share of BASE's mean.
"""
import csv
import statistics
import sys

# by degrees of freedom
T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def mean_and_half(values):
    n = len(values)
    half = T95[n - 1] * statistics.stdev(values) / n ** 0.5 if n > 1 else float("nan")
    return statistics.mean(values), half


def table(title, arms, figures, cell):
    print(f"| {title} | seeds | " + " | ".join(figures) + " |")
    print("|" + "---|" * (len(figures) + 2))
    for arm, by_seed in arms.items():
        cells = " | ".join(cell(by_seed, f) for f in figures)
        print(f"| `{arm}` | {len(by_seed)} | {cells} |")
    print()


def main():
    path, base, figures = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
    arms = {}
    with open(path, encoding="utf-8") as f:
        for row in csv.DictReader(f):
            arms.setdefault(row["arm"], {})[row["seed"]] = row

    def absolute(by_seed, figure):
        mean, half = mean_and_half([float(r[figure]) for r in by_seed.values()])
        return f"{mean:.3f} +- {half:.3f}"

    def relative(by_seed, figure):
        seeds = [s for s in by_seed if s in arms[base]]
        if not seeds:
            return ""
        whole = statistics.mean(float(arms[base][s][figure]) for s in seeds)
        mean, half = mean_and_half([float(by_seed[s][figure]) - float(arms[base][s][figure])
                                    for s in seeds])
        return f"{100 * mean / whole:+.1f} +- {100 * half / whole:.1f} %"

    table("arm", arms, figures, absolute)
    table(f"over `{base}`", {a: r for a, r in arms.items() if a != base}, figures, relative)


main()
