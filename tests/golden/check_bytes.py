#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what the programs make of small seeded inputs with stored SHA-256 hashes.

    check_bytes.py --bin DIR [--steps NAME,...] [--only PREFIX] [--keep DIR [--everything]]
                   [--write | --self-test]

Each thing that is compared is a product with a name, such as fraud/replay/fraud-s/scores.
README.md beside this file says what is covered, what is left out and how to look at a mismatch.
Exit codes: 0 all products are as stored, 1 some are not, 77 this machine cannot run the test.
"""
import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import programs  # noqa: E402

HASHES = os.path.join(HERE, "hashes.json")
SKIPPED = 77

# What the bytes may depend on beside the inputs: instruction set, threads, language, time zone.
ENVIRONMENT = {
    "R1_ISA": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
CPU_FLAGS = {"avx2", "fma", "f16c"}

# JSON fields that are taken out before the comparison, each by its path and with the reason.
VOLATILE_FIELDS = {
    "machine": "name of the processor",
    "commit": "of the build",
    "seconds": "duration, in the metrics of training",
    "figures.seconds": "duration",
    "figures.samples_s": "samples a second",
    "figures.words_per_s": "words a second",
    "figures.ms_per_case": "duration",
    "figures.int8_speedup": "ratio of two durations",
}

# Text that is taken out of printed lines, each with the reason.
VOLATILE_TEXT = [
    (re.compile(r"(?m) written in [0-9.]+ s$"), "duration of ontology build"),
    (re.compile(r"(?m)^opened in .*\n"), "duration of opening a knowledge base"),
]


# ---- one canonical form for each kind of product ------------------------------------------------

class Number(str):
    """A JSON number as it was printed: 1 and 1.0 differ here."""


def without_volatile(x, path=""):
    """x without the volatile fields; an element of a list has the path of the list and "[]"."""
    if isinstance(x, dict):
        at = {k: f"{path}.{k}" if path else k for k in x}
        return {k: without_volatile(v, at[k]) for k, v in x.items()
                if at[k] not in VOLATILE_FIELDS}
    if isinstance(x, list):
        return [without_volatile(v, path + "[]") for v in x]
    return "number " + x if isinstance(x, Number) else x


def unique_keys(pairs):
    keys = [k for k, _ in pairs]
    twice = sorted({k for k in keys if keys.count(k) > 1})
    if twice:
        raise ValueError(f"JSON object: expected each key once, found twice: {', '.join(twice)}")
    return dict(pairs)


def canonical_json(text):
    """Sorted keys, numbers as printed, no volatile fields. Text around it is an error."""
    x = json.loads(text, parse_float=Number, parse_int=Number, object_pairs_hook=unique_keys)
    return (json.dumps(without_volatile(x), sort_keys=True, indent=1) + "\n").encode()


def canonical_lines(text):
    for pattern, _ in VOLATILE_TEXT:
        text = pattern.sub("", text)
    return text.encode()


class Lab:
    """A temporary folder, which is the working directory, and the products made in it."""

    def __init__(self, bins, seed, changed):
        self.bins, self.seed, self.changed = bins, seed, changed
        self.products = {}
        self.done = set()
        self.notes = []

    def need(self, step):
        """Runs a step that others stand on once."""
        if step not in self.done:
            self.done.add(step)
            step(self)

    def run(self, program, *args):
        return programs.run(os.path.join(self.bins, program), *map(str, args))

    def add(self, name, data):
        assert name not in self.products, f"two products are named {name}"
        self.products[name] = data

    def json(self, name, text):
        self.add(name, canonical_json(text))

    def lines(self, name, text):
        self.add(name, canonical_lines(text))

    def file(self, name, path):
        with open(path, "rb") as f:
            self.add(name, f.read())

    def json_lines(self, name, path):
        with open(path, encoding="utf-8") as f:
            self.add(name, b"".join(canonical_json(line) for line in f if line.strip()))

    def pdf(self, name, path):
        """The words of a PDF without the foot of its pages: line and page breaks depend on the
        installed fonts."""
        if not shutil.which("pdftotext"):
            self.notes.append(f"{name}: not compared, pdftotext is not here")
            return
        text = programs.run("pdftotext", "-raw", path, "-")
        pages = [page[:page.rfind("\nPatient: ")] for page in text.split("\f") if page.strip()]
        self.add(name, ("\n".join(" ".join(pages).split()) + "\n").encode())


# ---- inputs -------------------------------------------------------------------------------------

RECORDS = {
    "seizures": """History of present illness:
A 6-year-old girl with seizures since the age of two and ataxia. She denies headache. No tremor,
no dystonia. Infantile spasms were suspected once and ruled out. Hearing loss cannot be excluded.

Family history:
Mother with migraine. A maternal uncle had seizures. No consanguinity.

Laboratory:
Lactate 4.8 mmol/L (0.5-2.2), ammonia 35 umol/L, glucose 31 mg/dL, creatine kinase 1200 U/L.

Plan:
Monitor for cataract. Screening for cardiomyopathy.
""",
    "denials": """Reason for referral: tall stature, 34 years old man.
Patient denies chest pain and syncope. There is no evidence of ectopia lentis, no myopia and no
scoliosis. Joint hypermobility, pes planus and easy bruising are present. Possible mitral valve
prolapse. Father died of aortic dissection; sister has scoliosis. Blood pressure 118/70 mmHg.
Hemoglobin 9.1 g/dL, platelets 52,000 /uL, ferritin 1850 ng/mL, ALT 240 U/L.
""",
    "markup": """Assessment: <b>Marfan</b> & "ectopia lentis" > 2 findings; rule out homocystinuria.
She reports short stature (Größe 141 cm), ptosis and café-au-lait spots. It's not "fatigue".
Physical examination: low-set ears; cryptorchidism absent. Weight 38 kg, temperature 36.8 °C.
""",
    "nothing": "The visit was cancelled by telephone.\n",
}


def inputs(lab):
    """Models, ontology and records, under names that do not depend on where the sources are."""
    os.symlink(os.path.join(SOURCE, "models"), "models")
    with open(os.path.join(SOURCE, "ontology", "r1med.xml"), encoding="utf-8") as f:
        ontology = f.read()
    if lab.changed:
        ontology = ontology.replace('frequency="0.6"', 'frequency="0.55"')
        ontology = ontology.replace("<synonym>seizures", "<synonym>convulsive seizures")
    write("r1med.xml", ontology)
    with open(os.path.join(SOURCE, "apps", "medical", "samples", "record.txt"),
              encoding="utf-8") as f:
        write("sample.txt", f.read() + added(lab))
    for name, text in RECORDS.items():
        write(name + ".txt", text + added(lab))


def added(lab):
    return "There is cleft palate. No ataxia.\n" if lab.changed else ""


def write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


# ---- fraud --------------------------------------------------------------------------------------

def fraud_generate(lab):
    out = lab.run("r1-fraud", "generate", "--seed", lab.seed, "--accounts", 180, "--days", 24,
                  "--rings", 2, "--out", "payments.jsonl", "--labels", "labels.jsonl",
                  "--truth", "truth.jsonl")
    lab.lines("fraud/generate/printed", out)
    for name in ("payments", "labels", "truth"):
        lab.json_lines(f"fraud/generate/{name}", name + ".jsonl")


def fraud_replay(lab):
    lab.need(fraud_generate)
    for model in ("fraud-s-int8", "fraud-start", "none"):
        replay(lab, model, model)
    os.mkdir("keys")
    replay(lab, "fraud-s", "fraud-s", "--keys", "keys")
    for name in ("payments_base.f16", "payments_queries.f16"):
        lab.file(f"fraud/replay/fraud-s/{name}", os.path.join("keys", name))
    replay(lab, "fraud-s-in-int8", "fraud-s", "--precision", "int8")
    replay(lab, "fraud-s-int8-in-f32", "fraud-s-int8", "--precision", "f32", "--batch", 7)
    replay(lab, "no-graph", "fraud-s", "--no-graph")
    replay(lab, "no-memory", "fraud-s", "--no-memory")


def replay(lab, name, model, *args):
    path = "none" if model == "none" else f"models/{model}.gguf"
    scores = f"scores-{name}.jsonl"
    out = lab.run("r1-fraud", "replay", "--in", "payments.jsonl", "--labels", "labels.jsonl",
                  "--model", path, "--out", scores, *args)
    lab.lines(f"fraud/replay/{name}/printed", out)
    lab.json_lines(f"fraud/replay/{name}/scores", scores)


def fraud_eval(lab):
    lab.need(fraud_generate)
    command = ("eval", "--format", "r1", "--data", ".", "--json")
    model = ("--model", "models/fraud-s.gguf")
    cases = {"f32": model, "int8": (*model, "--int8"), "rules": ("--no-r1",),
             "bare": (*model, "--no-graph", "--no-memory", "--no-text")}
    for name, args in cases.items():
        lab.json(f"fraud/eval/{name}", lab.run("r1-fraud", *command, *args))
    lab.run("r1-fraud", *command, *model, "--features-out", "features")
    lab.file("fraud/eval/features", "features")
    lab.file("fraud/eval/features.txt", "features.txt")
    out = lab.run("r1-fraud", *command, "--train", ".", "--epochs", 1, "--work", "fitting",
                  "--seed", lab.seed, "--threads", 1, "--out", "fitted.gguf")
    lab.json("fraud/eval/fitted", out)
    lab.file("fraud/eval/fitted/model", "fitted.gguf")


def fraud_shards(lab):
    fraud_train_run(lab, "shards", "--shards-only", "--slices", 1)
    for name in ("train-0.r1s", "valid-1.r1s"):
        lab.file(f"fraud/train/shards/{name}", os.path.join("shards", name))


def fraud_train_run(lab, work, *args):
    return lab.run("r1-fraud", "train", "--seed", lab.seed, "--worlds", 2, "--accounts", 150,
                   "--days", 24, "--rings", 1, "--work", work, "--threads", 1, *args)


def fraud_train(lab):
    runs = {
        "defaults": (),
        "slices-1": ("--slices", 1, "--epochs", 1, "--share", 0.2, "--lr", 0.001),
        "init": ("--init", "models/fraud-start.gguf", "--epochs", 1, "--mean-decay", 0),
        "int8": ("--init", "fraud-slices-1.gguf", "--epochs", 1, "--lr", 0.0002, "--int8",
                 "--slices", 3),
    }
    for name, args in runs.items():
        model = f"fraud-{name}.gguf"
        out = fraud_train_run(lab, "work", "--out", model, *args)
        lab.lines(f"fraud/train/{name}/printed", out)
        lab.file(f"fraud/train/{name}/model", model)


# ---- the engine's stages ------------------------------------------------------------------------

TRAIN, VALID = "shards/train-0.r1s", "shards/valid-1.r1s"
COST = ("--cost", "graph=0.0005,remittance=0.0003")
ASK = ("--given", "payment", "--cases", 8, "--traces", 4)


def r1_train(lab, name, stage, *args, train=(TRAIN,), valid=VALID):
    """One run of a stage. Its products: model, checkpoint, metrics, curves, printed figures."""
    base = name.replace("/", "-")
    made = {kind: f"{base}.{kind}" for kind in ("gguf", "ck", "jsonl", "svg")}
    out = lab.run("r1", "train", "--stage", stage, "--seed", lab.seed, "--threads", 1,
                  "--valid", valid, "--out", made["gguf"], "--checkpoint", made["ck"],
                  "--metrics", made["jsonl"], "--plot", made["svg"], "--json", *args, *train)
    lab.json(f"train/{name}/figures", out)
    lab.file(f"train/{name}/model", made["gguf"])
    lab.json_lines(f"train/{name}/metrics", made["jsonl"])
    lab.file(f"train/{name}/plot", made["svg"])
    if os.path.exists(made["ck"]):  # a short reward stage leaves none
        lab.file(f"train/{name}/checkpoint", made["ck"])
    return made["gguf"]


def stages(lab):
    """All stages one after the other, with one slice and with three."""
    lab.need(fraud_shards)
    for n in (1, 3):
        slices, at = ("--slices", n), f"slices-{n}"
        base = r1_train(lab, f"pretrain/{at}", "pretrain", *slices, "--epochs", 1, "--batch", 64,
                        "--curriculum", "mask:linear:0.3:0.5")
        worth = r1_train(lab, f"reward/{at}", "reward", *slices, *ASK, "--steps", 50)
        policy = r1_train(lab, f"reinforce/{at}", "reinforce", *slices, *ASK, *COST, "--steps", 8,
                          "--reward-model", worth, "--init", base)
        tuned = r1_train(lab, f"finetune/{at}", "finetune", *slices, "--epochs", 1, "--batch", 64,
                         "--init", policy, "--metric", "ap", "--mean-decay", 0.99,
                         "--calibration", "isotonic")
        r1_train(lab, f"finetune-int8/{at}", "finetune", *slices, "--int8", "--init", tuned,
                 "--epochs", 1, "--lr", 0.0002)


def stages_defaults(lab):
    """As many defaults as time allows, and options that the runs above leave alone."""
    lab.need(fraud_shards)
    r1_train(lab, "pretrain/defaults", "pretrain")
    r1_train(lab, "reward/defaults", "reward", "--steps", 2)
    r1_train(lab, "reinforce/defaults", "reinforce", "--steps", 2)
    r1_train(lab, "finetune/defaults", "finetune")
    r1_train(lab, "pretrain/options", "pretrain", "--parts", "tokens=2,columns,align", "--mask",
             0.3, "--epochs", 1, "--weight-decay", 0.02, "--off", "graph", "--slices", 2)
    r1_train(lab, "reward/options", "reward", *ASK, "--steps", 12, "--asks", 3, "--needs",
             "history=sender+receiver", "--truth", "fraud", "--beta", 0.5, "--lr", 0.001)
    r1_train(lab, "reinforce/options", "reinforce", *ASK, "--steps", 6, "--variant", "grpo",
             "--kl", 0.01, "--entropy", 0.1, "--asks", 3, "--needs", "history=sender+receiver",
             "--curriculum", "-payment.amount:linear:0.3:0.5", *COST)
    r1_train(lab, "finetune/options", "finetune", "--epochs", 2, "--batch", 100, "--beta", 0.6,
             "--item-drop", 0.3, "--off", "remittance", "--no-length", "--no-context",
             "--curriculum", "refs:root:0.4:0.6", "--patience", 1, "--weight-decay", 0.1,
             train=(TRAIN, VALID))


def judge(lab):
    """r1 eval, info and embed on what the stages left."""
    lab.need(stages)
    tuned, policy = "finetune-slices-1.gguf", "reinforce-slices-1.gguf"
    base = "pretrain-slices-1.gguf"
    evals = {
        "plain": (tuned,), "int8": (tuned, "--int8"), "off": (tuned, "--off", "history,graph"),
        "no-context": (tuned, "--no-context"), "no-length": (tuned, "--no-length"),
        "beta": (tuned, "--beta", 0.6), "reference": (tuned, "--device", "reference"),
        "learned-int8": ("finetune-int8-slices-1.gguf", "--int8"), "shipped":
        ("models/fraud-s.gguf", "--head", "fraud"), "retrieval": (base, "--retrieval"),
        "policy": (policy, "--policy", "act", "--given", "payment", *COST),
        "policy-asks": (policy, "--policy", "act", "--asks", 2, "--cost", "history=0.01"),
    }
    for name, (model, *args) in evals.items():
        lab.json(f"eval/{name}", lab.run("r1", "eval", "--model", model, *args, "--json", VALID))
    embed(lab, "one-item", base, "--item", "payment")
    embed(lab, "two-items", "models/fraud-s.gguf", "--item", "sender", "--queries", "remittance")
    for name, model in {tuned: tuned, policy: policy, "medical-b.gguf": med_model(lab),
                        "fraud-s-int8.gguf": fraud_model(lab)}.items():
        lab.json(f"info/{name}", lab.run("r1", "info", "--json", model))
        lab.json(f"info/{name}/description", lab.run("r1", "info", "--description", model))


def fraud_model(lab):
    return "models/fraud-s.gguf" if lab.changed else "models/fraud-s-int8.gguf"


def embed(lab, name, model, *args):
    out = lab.run("r1", "embed", "--model", model, *args, "--out", "vectors-" + name, "--json",
                  VALID)
    lab.json(f"embed/{name}/figures", out)
    for file in sorted(os.listdir("vectors-" + name)):
        lab.file(f"embed/{name}/{file}", os.path.join("vectors-" + name, file))


def makers(lab):
    """Files that the makers of the fuzzers' seeds write through libr1, and stages on the toy."""
    folder = os.path.join(lab.bins, "..", "tests")
    if not os.path.exists(os.path.join(folder, "make_longterm")):
        lab.notes.append(f"makers: not compared, {folder} has no make_longterm")
        return
    for program, files in (("make_longterm", ("m.1", "m.2")), ("make_shard", ("m",)),
                           ("make_model", ("m", "m.int8"))):
        programs.run(os.path.join(folder, program), "m")
        for i, file in enumerate(files):
            lab.file(f"makers/{program}/{i}", file)
    programs.run(os.path.join(folder, "make_shard"), "toy.r1s")
    toy = {"train": ("toy.r1s",), "valid": "toy.r1s"}
    base = r1_train(lab, "toy/pretrain", "pretrain", "--epochs", 3, **toy)
    r1_train(lab, "toy/finetune", "finetune", "--init", base, "--epochs", 3, **toy)


# ---- medicine -----------------------------------------------------------------------------------

KB = ("--kb", "r1med.xml")


def med_model(lab):
    return "models/medical-b-folds/fold-0.gguf" if lab.changed else "models/medical-b.gguf"


def knowledge_base(lab):
    lab.lines("medical/kb/printed",
              lab.run("r1-medical", "ontology", "build", "r1med.xml", "--out", "kb.r1kb"))
    lab.file("medical/kb/file", "kb.r1kb")
    lab.lines("medical/kb/info", lab.run("r1-medical", "ontology", "info", "--kb", "kb.r1kb"))
    lab.lines("medical/kb/check", lab.run("r1-medical", "ontology", "check", "r1med.xml"))
    lab.run("r1-medical", "ontology", "shards", *KB, "--out", "terms")
    for name in ("train.r1s", "valid.r1s"):
        lab.file(f"medical/kb/terms/{name}", os.path.join("terms", name))
    corpus = os.path.join(SOURCE, "tests", "fuzz", "corpus")
    for name, files in {"own": ("own.xml",), "obo": (
            "small.obo", "hpoa.tsv", "sssom.tsv", "orphadata.xml"), "owl": (
            "small.owl", "hpoa.tsv", "sssom.tsv", "orphadata.xml")}.items():
        os.mkdir("sources-" + name)
        for file in files:
            shutil.copy(os.path.join(corpus, file), "sources-" + name)
        out = lab.run("r1-medical", "ontology", "build",
                      *(os.path.join("sources-" + name, file) for file in files),
                      "--out", name + ".r1kb")
        lab.lines(f"medical/kb/{name}/printed", out)
        lab.file(f"medical/kb/{name}/file", name + ".r1kb")


def annotate(lab):
    for name in ("sample", *RECORDS):
        out = lab.run("r1-medical", "annotate", name + ".txt", *KB)
        lab.lines(f"medical/annotate/{name}/text", out)
        out = lab.run("r1-medical", "annotate", name + ".txt", *KB, "--json")
        lab.json(f"medical/annotate/{name}/json", out)


def rank(lab):
    seen = ("--observed", "R1:0001048,R1:0001172,R1:0001002", "--excluded", "R1:0001050")
    if lab.changed:
        seen = ("--observed", "R1:0001049,R1:0001172")
    model = ("--model", med_model(lab))
    for name, args in {"f32": (*model, "--precision", "f32"), "int8": (*model, "--precision",
                       "int8"), "likelihood": ("--no-r1",), "no-anchors": (*model,
                       "--no-anchors")}.items():
        lab.lines(f"medical/rank/{name}", lab.run("r1-medical", "rank", *seen, *KB, *args))


def reports(lab):
    model = ("--model", med_model(lab))
    report(lab, "sample/int8", "sample", *model, "--precision", "int8")
    report(lab, "sample/f32", "sample", *model, "--precision", "f32")
    report(lab, "sample/likelihood", "sample", "--no-r1")
    report(lab, "sample/no-anchors", "sample", *model, "--no-anchors")
    for name in RECORDS:
        report(lab, name, name, *model)


def report(lab, name, record, *args):
    folder = "report-" + name.replace("/", "-")
    lab.run("r1-medical", "report", record + ".txt", *KB, "--out", folder, "--date",
            "2026-11-30", *args)
    made = os.path.join(folder, record + ".report.")
    lab.json(f"medical/report/{name}/json", read(made + "json"))
    lab.lines(f"medical/report/{name}/html", read(made + "html"))
    lab.lines(f"medical/report/{name}/text", read(made + "txt"))
    lab.pdf(f"medical/report/{name}/pdf", made + "pdf")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write_cases(lab):
    """Three cases of each disease: some of its findings, and some of its neighbours'."""
    own = []
    for d in re.findall(r"<disease .*?</disease>", read("r1med.xml"), re.S):
        own.append((re.search(r'id="(.*?)" name="(.*?)"', d).groups(),
                    sorted(set(re.findall(r'finding="(.*?)"', d)))))
    lines = ["case_id\tgold_id\tgold_label\tsex\tage\tobserved\texcluded"]
    for i, ((ident, label), findings) in enumerate(own):
        other = own[(i + lab.seed) % len(own)][1]
        for k in range(3 if i % 4 else 0):
            observed = ";".join(findings[k::3] + other[k::4])
            excluded = ";".join(x for x in other[k + 1::4] if x not in observed)
            lines.append(f"CASE_{i}_{k}\t{ident}\t{label}\tFEMALE\tP{20 + k}Y\t"
                         f"{observed}\t{excluded}")
    write("cases.tsv", "\n".join(lines) + "\n")


def med_train(lab):
    """Shards, the model of all cases and of the folds, int8, simulated patients and figures."""
    write_cases(lab)

    def train(out, *args):
        run = lab.run("r1-medical", "train", "--cases", "cases.tsv", *KB, "--work", "med-work",
                      "--out", f"med-{out}.gguf", "--folds", f"med-{out}", "--threads", 1,
                      "--seed", lab.seed, *args)
        lab.lines(f"medical/train/{out}/printed", run)
        if "--shards-only" not in args:
            lab.file(f"medical/train/{out}/model", f"med-{out}.gguf")
            lab.file(f"medical/train/{out}/fold-0", f"med-{out}/fold-0.gguf")
            lab.file(f"medical/train/{out}/fold-4", f"med-{out}/fold-4.gguf")

    train("simulated", "--shards-only", "--simulate", 20, "--copies", 1)
    for name in sorted(os.listdir("med-work")):
        lab.file(f"medical/train/shards/{name}", os.path.join("med-work", name))
    pairs = {"train": ("med-work/simulated-pairs.r1s",), "valid": "med-work/simulated-pairs.r1s"}
    cost = ("--given", "fit", "--cost", "findings=.038,match=.035")
    policy = r1_train(lab, "medical/reinforce", "reinforce", *cost, "--cases", 4, "--traces", 4,
                      "--steps", 5, "--curriculum", "-match.n_findings:linear:0.3:0.5", **pairs)
    lab.json("eval/policy-medical", lab.run("r1", "eval", "--model", policy, "--policy", "act",
                                            *cost, "--json", pairs["valid"]))
    train("f32", "--epochs", 1, "--slices", 1)
    train("int8", "--epochs", 1, "--int8", "--init", "med-f32.gguf", "--init-folds", "med-f32",
          "--lr", 0.0003, "--copies", 0)
    train("shipped", "--epochs", 1, "--batch", 400, "--init", "models/medical-b.gguf", "--copies",
          0, "--max-per-disease", 2, "--mean-decay", 0.99)


def med_eval(lab):
    lab.need(med_train)
    for name, args in {"shipped": ("--model", med_model(lab)), "folds": ("--folds", "med-int8"),
                       "both": ("--folds", "med-f32", "--int8"), "likelihood": ("--no-r1",),
                       "memory": ("--memory", "--model", med_model(lab))}.items():
        out = lab.run("r1-medical", "eval", "rank", "--cases", "cases.tsv", *KB, "--json", *args)
        lab.json(f"medical/eval/rank/{name}", out)
    gold = {"seizures": (("seizures", "R1:0001002", ""), ("ataxia", "R1:0001005", ""),
                         ("tremor", "R1:0001008", "\tNeg")),
            "denials": (("tall stature", "R1:0001180", ""), ("myopia", "R1:0001049", "\tNeg"))}
    for name, spans in gold.items():
        text = read(name + ".txt")
        write(f"corpus/corpus/{name}", text)
        write(f"corpus/ann/{name}", "".join(
            f"{text.index(s)}\t{text.index(s) + len(s)}\t{s}\t{i}{neg}\n" for s, i, neg in spans))
    out = lab.run("r1-medical", "eval", "annotate", "--format", "id68", "--corpus", "corpus", *KB,
                  "--json")
    lab.json("medical/eval/annotate", out)


STEPS = [fraud_generate, fraud_replay, fraud_eval, fraud_shards, fraud_train, stages,
         stages_defaults, judge, makers, knowledge_base, annotate, rank, reports, med_train,
         med_eval]


# ---- making, comparing, storing -----------------------------------------------------------------

def why_not():
    """A reason why this machine cannot run the test, or None."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return "not an x86-64 processor"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        flags = re.search(r"(?m)^flags\s*:(.*)$", f.read())
    missing = CPU_FLAGS - set(flags[1].split() if flags else ())
    return f"the processor lacks {', '.join(sorted(missing))}" if missing else None


def make(bins, seed, steps, changed=False, slow=False):
    """The products of the steps. A step that fails is told and leaves its products out."""
    lab = Lab(bins, seed, changed)
    old = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="r1-golden-") as folder:
        os.chdir(folder)
        try:
            inputs(lab)
            for step in steps:
                begun = time.monotonic()
                try:
                    lab.need(step)
                except (AssertionError, OSError, ValueError) as e:
                    lab.notes.append(f"step {step.__name__} failed: {e}")
                if slow:
                    print(f"{time.monotonic() - begun:6.2f} s  {step.__name__}")
        finally:
            os.chdir(old)
    return lab


def digest(data):
    return hashlib.sha256(data).hexdigest()


def differences(products, stored, only):
    """(name, expected, found) of all that differ; None: not there."""
    found = {name: digest(data) for name, data in products.items()}
    names = sorted(n for n in found.keys() | stored.keys() if n.startswith(only))
    return [(n, stored.get(n), found.get(n)) for n in names if found.get(n) != stored.get(n)]


def keep(folder, name, data):
    path = os.path.join(folder, name)
    path += ".product"  # a name may be the beginning of another one
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    return path


def not_comparable(stored):
    """Names of stored products that this machine lacks a tool for."""
    return set() if shutil.which("pdftotext") else {n for n in stored if n.endswith("/pdf")}


def compare(lab, args):
    stored = stored_hashes()
    if args.steps:
        stored = {n: h for n, h in stored.items() if n in lab.products}
    absent = not_comparable(stored)
    wrong = differences(lab.products, {n: h for n, h in stored.items() if n not in absent},
                        args.only)
    for name, expected, found in wrong:
        print(f"MISMATCH {name}\n  expected {expected or 'no such product'}\n"
              f"  found    {found or 'not made'}")
        if args.keep and found:
            print(f"  kept as  {keep(args.keep, name, lab.products[name])}")
    n = sum(name.startswith(args.only) for name in lab.products)
    print(f"{n} products compared, {len(wrong)} differ")
    if not n:
        print(f"expected a product whose name begins with \"{args.only}\", found none")
    failed = args.steps and any("failed" in note for note in lab.notes)
    return 1 if wrong or failed or not n else 0


def store(lab):
    doc = {"about": "SHA-256 of the products of check_bytes.py; check_bytes.py --write wrote this",
           "made_with": made_with(),
           "products": {n: digest(lab.products[n]) for n in sorted(lab.products)}}
    with open(HASHES, "w", encoding="utf-8") as f:
        json.dump(doc, f, indent=1)
        f.write("\n")
    print(f"{len(lab.products)} products stored in {HASHES}")
    return 1 if any("failed" in note for note in lab.notes) else 0


def made_with():
    """What else the bytes stand on: for a reader who finds a mismatch on another system."""
    r = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False)
    return {"libc": " ".join(platform.libc_ver()), "gcc": r.stdout.strip(),
            "R1_ISA": ENVIRONMENT["R1_ISA"], "oneDNN": ENVIRONMENT["ONEDNN_MAX_CPU_ISA"]}


def family(name):
    return "/".join(name.split("/")[:2])


def self_test(lab, stored):
    """Other inputs must be noticed in each family, and one flipped bit in each product."""
    made = {n: digest(d) for n, d in lab.products.items()}
    for name, data in lab.products.items():
        flipped = bytes([data[0] ^ 1]) + data[1:] if data else b"x"
        assert differences({name: flipped}, {name: made[name]}, ""), name
    assert not any("failed" in note for note in lab.notes), lab.notes
    stored = {n: h for n, h in stored.items() if n in made}
    same = {n for n in stored if made[n] == stored[n]}
    print("unchanged by other inputs:", *sorted(same), sep="\n  ")
    blind = {family(n) for n in stored} - {family(n) for n in stored.keys() - same}
    blind = {f for f in blind if not f.startswith("makers/")}  # these programs take no input
    print(f"{len(stored) - len(same)} of {len(stored)} products changed; "
          f"blind families: {blind or 'none'}")
    return 1 if blind else 0


def stored_hashes():
    with open(HASHES, encoding="utf-8") as f:
        return json.load(f)["products"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--bin", required=True, help="folder of r1, r1-fraud and r1-medical")
    p.add_argument("--only", default="", help="compare products whose names begin so")
    p.add_argument("--keep", help="folder that gets the products that differ")
    p.add_argument("--everything", action="store_true", help="--keep gets all products")
    p.add_argument("--write", action="store_true", help="store the hashes of what was made")
    p.add_argument("--self-test", action="store_true", help="see that the test can fail")
    p.add_argument("--steps", type=lambda t: t.split(","), default=[],
                   help="run these steps and what they need: " + ", ".join(
                       step.__name__ for step in STEPS))
    p.add_argument("--times", action="store_true", help="print what each step took")
    p.add_argument("--native", action="store_true",
                   help="leave R1_ISA and oneDNN's limit as they are: a study, not the test")
    args = p.parse_args()
    unknown = sorted(set(args.steps) - {step.__name__ for step in STEPS})
    if unknown:
        p.error(f"--steps: no such step: {', '.join(unknown)}")
    args.bin = os.path.abspath(args.bin)
    args.keep = args.keep and os.path.abspath(args.keep)
    return args


def main():
    args = arguments()
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    if not args.native:
        os.environ.update(ENVIRONMENT)
    steps = [step for step in STEPS if not args.steps or step.__name__ in args.steps]
    lab = make(args.bin, 7 + args.self_test, steps, args.self_test, args.times)
    for note in lab.notes:
        print(note)
    if args.keep and args.everything:
        for name, data in lab.products.items():
            keep(args.keep, name, data)
    if args.self_test:
        return self_test(lab, stored_hashes())
    return store(lab) if args.write else compare(lab, args)


if __name__ == "__main__":
    sys.exit(main())
