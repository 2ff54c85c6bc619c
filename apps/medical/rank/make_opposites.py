#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes data/opposites.tsv: pairs of findings that are opposite ends of one measure.

  make_opposites.py hp.obo > data/opposites.tsv

Rule: a name or exact synonym of one term, with one word of SWAPS in the place of its opposite, is a
name or exact synonym of the other one. Neither is above the other, and they have a common ancestor
within NEAR steps of both. The pairs were gone through by hand: what the rule finds wrongly stands
in WRONG, and what names do not show in MORE.
"""

import collections
import re
import sys

NEAR = 5
SWAPS = [
    ("hyper", "hypo"), ("increased", "decreased"), ("increased", "reduced"),
    ("elevated", "reduced"), ("elevated", "decreased"), ("elevated", "low"), ("high", "low"),
    ("raised", "reduced"), ("increase in", "decrease in"), ("tall", "short"), ("long", "short"),
    ("large", "small"), ("macro", "micro"), ("wide", "narrow"), ("broad", "narrow"),
    ("thick", "thin"), ("thickened", "thinned"), ("accelerated", "delayed"),
    ("advanced", "delayed"), ("early", "delayed"), ("premature", "delayed"),
    ("precocious", "delayed"), ("early", "late"), ("tachy", "brady"), ("upslanted", "downslanted"),
    ("deep", "shallow"), ("deeply", "shallowly"), ("convex", "concave"),
    ("anteverted", "retroverted"), ("prominent", "depressed"), ("prominent", "underdeveloped"),
    ("prominent", "flat"), ("full", "thin"), ("overactive", "underactive"),
    ("increased", "absent"), ("elevated", "absent"), ("shortened", "prolonged"),
    ("shortened", "lengthened"), ("polyhydramnios", "oligohydramnios"), ("valgum", "varum"),
    ("valgus", "varus"), ("valga", "vara"), ("planus", "cavus"), ("pro", "retro"),
    ("cytosis", "penia"), ("ocytosis", "openia"), ("over", "under"), ("hyper", "a"),
    ("proptosis", "enophthalmos"), ("exo", "eso"), ("myopia", "hypermetropia"), ("poly", "oligo"),
    ("alkalosis", "acidosis"), ("constipation", "diarrhea"), ("gain", "loss"),
]


def terms_of(path):
    terms, t = {}, None
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("["):
            t = {"names": [], "up": [], "name": ""} if line == "[Term]" else None
        elif t is None:
            continue
        elif line.startswith("id: HP:"):
            terms[line[4:]] = t
        elif line.startswith("name: "):
            t["name"] = line[6:]
            t["names"].append(line[6:].lower())
        elif line.startswith("synonym: ") and '" EXACT' in line:
            t["names"].append(line.split('"')[1].lower())
        elif line.startswith("is_a: "):
            t["up"].append(line[6:].split()[0])
        elif line.startswith("is_obsolete: true"):
            t["gone"] = True
    return {k: v for k, v in terms.items() if not v.get("gone")}


def above(terms, start):
    """The steps up to each ancestor."""
    steps, queue = {start: 0}, collections.deque([start])
    while queue:
        at = queue.popleft()
        for up in terms[at]["up"]:
            if up in terms and up not in steps:
                steps[up] = steps[at] + 1
                queue.append(up)
    return steps


def swapped(name):
    for one, other in SWAPS:
        for a, b in ((one, other), (other, one)):
            for m in re.finditer(re.escape(a), name):
                yield name[: m.start()] + b + name[m.end():]


# Words of a name: its two ends are places, kinds or sizes of a tumour, and no measure.
WRONG = re.compile(
    "intestin|cell lung|vasculitis|arteries|nerve fibers|aganglionic|term memory|"
    "large joint|small joint|onset|penetrance|genic inheritance|adulthood|hearing impairment|"
    "-chain|clonal|vesicular|nodular|follicular|hematuria|adenoma|prolactinoma|qrs complexes|"
    "seizure|reflux|substantially|crackles|chronotype|heart failure|zoospermia|neoplasm|"
    "polydactyly|oligodactyly|focal t2|vertebral bodies|lung carcinoma", re.I)
MORE = [
    ("Growth delay", "Overgrowth"), ("Thrombocytopenia", "Thrombocytosis"),
    ("Decreased body weight", "Obesity"), ("Brachycephaly", "Dolichocephaly"),
    ("Brachydactyly", "Long fingers"),
]


def pairs_of(terms):
    of = collections.defaultdict(set)
    for i, t in terms.items():
        for n in t["names"]:
            of[n].add(i)
    found = {(i, j) for i, t in terms.items() for n in t["names"] for s in swapped(n)
             for j in of.get(s, ()) if i != j}
    found |= {(i, j) for a, b in MORE for i in of[a.lower()] for j in of[b.lower()]}
    for i, j in sorted({(min(p), max(p)) for p in found}):
        one, other = terms[i]["name"], terms[j]["name"]
        a, b = above(terms, i), above(terms, j)
        near = min((max(a[k], b[k]) for k in a if k in b), default=NEAR + 1)
        density = {x for n in (one, other) for x in ("HDL", "LDL") if x in n.replace("VLDL", "")}
        if i in b or j in a or near > NEAR or WRONG.search(one) or WRONG.search(other): continue
        if len(density) < 2 and "HP:0000118" in a and "HP:0000118" in b:
            yield i, j, one, other


def main():
    version = next(x.split()[1] for x in open(sys.argv[1]) if x.startswith("data-version"))
    print("# Opposite findings: two ids and their names, one pair a line, by make_opposites.py")
    print("# from", version, "of HPO (https://hpo.jax.org, HPO licence).")
    for pair in pairs_of(terms_of(sys.argv[1])):
        print(*pair, sep="\t")


main()
