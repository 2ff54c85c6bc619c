#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FastHPOCR as the peer of `r1-medical annotate`: words a second on one core, on the same text.

    python3 -m venv VENV && VENV/bin/pip install FastHPOCR==0.1.4 pronto
    VENV/bin/python lab/peers/reader_fasthpocr.py index --obo hp.obo --out FOLDER
    VENV/bin/python lab/peers/reader_fasthpocr.py race --index FOLDER/hp.index --corpus CORPUS \\
                  --kb KB --r1-medical PROGRAM [--rounds 5]

`index` takes a minute, once. `race` reads all documents of CORPUS/corpus with each program by
turns; the best of the rounds counts for each. A word is what white space parts, for both. The peer
names findings and does not decide on denial, person or certainty. Ours does all of that, and its
time includes it: `r1-medical eval annotate` tells the words a second of reading alone, without
opening files. Of the peer too only `annotate` is timed.
"""
import argparse
import json
import os
import subprocess
import time


def race(a):
    from FastHPOCR.HPOAnnotator import HPOAnnotator

    folder = os.path.join(a.corpus, "corpus")
    texts = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
            texts.append(f.read())
    words = sum(len(t.split()) for t in texts)
    peer = HPOAnnotator(a.index)
    best = {"default": 0.0, "longest": 0.0, "ours": 0.0}
    command = [a.r1_medical, "eval", "annotate", "--kb", a.kb, "--json", "--format", a.format,
               "--corpus", a.corpus]
    for _ in range(a.rounds):
        for name, longest in (("default", False), ("longest", True)):
            begin = time.perf_counter()
            for t in texts:
                peer.annotate(t, longestMatch=longest)
            best[name] = max(best[name], words / (time.perf_counter() - begin))
        out = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        best["ours"] = max(best["ours"], out["figures"]["words_per_s"])
    print(json.dumps({
        "corpus": os.path.basename(os.path.normpath(a.corpus)), "documents": len(texts),
        "words": words, "rounds": a.rounds,
        "ours_words_per_s": round(best["ours"]), "peer_default_words_per_s": round(best["default"]),
        "peer_longest_words_per_s": round(best["longest"]),
        "ratio_default": round(best["ours"] / best["default"], 2),
        "ratio_longest": round(best["ours"] / best["longest"], 2)}))


def index(a):
    from FastHPOCR.cr.CRIndexKB import CRIndexKB
    from FastHPOCR.IndexHPO import IndexHPO

    lists = {}

    def of_cluster(self, cluster, base):
        """The same list, from one pass over all words in the place of one pass a cluster."""
        if not lists:
            for token, c in base.items():
                lists.setdefault(c, []).append(token)
        return list(lists.get(cluster, []))

    CRIndexKB.compileClusterList = of_cluster
    os.makedirs(a.out, exist_ok=True)
    IndexHPO(a.obo, a.out).index()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sub = p.add_subparsers(dest="command", required=True)
    i = sub.add_parser("index")
    i.add_argument("--obo", required=True)
    i.add_argument("--out", required=True)
    r = sub.add_parser("race")
    r.add_argument("--index", required=True)
    r.add_argument("--corpus", required=True)
    r.add_argument("--format", default="gsc")
    r.add_argument("--kb", required=True)
    r.add_argument("--r1-medical", default="build/release/bin/r1-medical")
    r.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    (race if a.command == "race" else index)(a)


if __name__ == "__main__":
    main()
