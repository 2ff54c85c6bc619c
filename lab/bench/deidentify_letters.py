#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Letters with known identifiers, made from a seed, and how many of these `deidentify` finds.

    deidentify_letters.py --program r1-medical [--kb KB] [--letters 400] [--seed 7] [--show]

Prints one JSON object {command, figures}: recall of identifiers, whole and by kind, precision, and
in how many letters the findings stay the same. unseen: of lines that were written when the patterns
stood, which were not changed by what they show. An identifier is found where each of its letters
and digits lies in a span of any kind. A span is right where it touches an identifier.

The names, streets, towns, hospitals and employers below are made up of syllables here, and stand in
no file of the program, which has no list of names at all: nothing of a letter is known to it. Each
letter holds what only looks like an identifier: eponyms, drugs, genes, variants, codes of terms,
laboratory values, countries. --show prints what was missed and what was taken wrongly.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import random
import re
import subprocess
import sys
import tempfile

START = "Ab Bel Cor Dun El Far Gal Hol Im Jor Kel Lam Mar Nor Ol Per Quin Ros Sel Tor Ul Ves Wen "
START += "Yar Zel "
START += "Br Cl Dr Fl Gr Pl Sk St Th Tr Vl Kr Sch Chr Szy Ng Kw Mb Ozg Øst Šim Łuk Ćos Ünal Éti"
MIDDLE = "a e i o u ar en il or un and ell ing old ush ack ert omb ist ark ove"
END_SURNAME = "wick ley sson ski ova ez off man stad ward combe thorpe quist ides enko adze oğlu"
END_SURNAME += " ński"
END_GIVEN = "a ia ine elle is an on en us o ita ika esh ael iel ette ya uwa iko"
END_TOWN = "ton ham bury field mouth ford dale gate bridge worth stead minster hurst"
STREETS = "Street Road Avenue Lane Drive Close Court Crescent Terrace Gardens Way".split()
FACILITIES = ("Hospital", "Infirmary", "General Hospital", "Children's Hospital", "Medical Centre")
MONTHS = "January February March April May June July August September October November".split()
MONTHS.append("December")
# Persons whose name is an eponym too: their place alone says so.
EPONYMS = "Fabry Turner Wilson Marfan Down Edwards Hunter Alport Noonan Williams".split()
NOT_NAMES = (
    "Marfan syndrome was considered.", "There was no Babinski sign.", "Gowers' sign is negative.",
    "Ehlers-Danlos syndrome was excluded.", "She takes Keppra 250 mg twice daily.",
    "He was given Augmentin for a week.", "Testing of GLA found c.427G>A (NM_000169.3).",
    "HP:0001250 and OMIM:301500 were noted.", "The Glasgow Coma Scale was 15.",
    "Creatinine was 71 umol/L and platelets 243 x 10^9/L.", "The family comes from Portugal.",
    "Charcot-Marie-Tooth disease runs in no branch of it.", "MRI of the brain was normal.",
    "Kayser-Fleischer rings were absent.", "Height 112.4 cm, weight 19.6 kg (25th centile).",
    "Friedreich ataxia was discussed.", "An EEG showed no epileptiform activity.",
    "The array found arr[GRCh37] 22q11.21(18916842_21465659)x1.", "Levetiracetam was stopped.",
    "He was seen by Physiotherapy and by Speech and Language Therapy.", "It was 37.2 Celsius.",
    "The Apgar scores were 8 and 9.", "The variant rs113993960 is common.",
    "She speaks Portuguese.",
)  # fmt: skip
FINDINGS = (
    "seizures", "hypotonia", "short stature", "cleft palate", "proteinuria", "ataxia", "tremor",
    "microcephaly", "scoliosis", "cataract", "hepatomegaly", "hypohidrosis", "arachnodactyly",
)  # fmt: skip


class Maker:
    """One patient's letter. put() adds an identifier with its kind, say() what is none."""

    def __init__(self, rng):
        self.rng, self.text, self.gold = rng, "", []
        self.given, self.family = self.word(END_GIVEN), self.word(END_SURNAME)
        if rng.random() < 0.08:
            self.family = rng.choice(EPONYMS)
        self.girl = rng.random() < 0.5
        self.town = self.word(END_TOWN)
        self.born = (rng.randint(1, 28), rng.randint(1, 12), rng.randint(1990, 2018))

    def word(self, ends):
        r = self.rng
        middle = "".join(r.choice(MIDDLE.split()) for _ in range(r.randint(1, 2)))
        return r.choice(START.split()) + middle + r.choice(ends.split())

    def say(self, text):
        self.text += text

    def put(self, kind, text):
        at = len(self.text.encode())
        self.text += text
        self.gold.append((at, len(self.text.encode()), kind))

    def digits(self, form):
        return re.sub("#", lambda _: str(self.rng.randint(0, 9)), form)

    def letters(self, form):
        return re.sub("@", lambda _: self.rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ"), self.digits(form))

    def date(self, day=None):
        r = self.rng
        d, m, y = day or (r.randint(1, 28), r.randint(1, 12), r.randint(2019, 2024))
        name = MONTHS[m - 1]
        ordinal = {1: "st", 2: "nd", 3: "rd"}.get(d % 10 * (d // 10 != 1), "th")
        forms = (
            f"{d:02}/{m:02}/{y}", f"{d}.{m}.{y}", f"{y}-{m:02}-{d:02}", f"{d} {name} {y}",
            f"{d}{ordinal} {name} {y}", f"{name} {d}, {y}", f"{d}-{name[:3]}-{y}",
            f"{d:02}/{m:02}/{y % 100:02}",
        )  # fmt: skip
        return r.choice(forms)

    def phone(self):
        forms = ("01### 9## ###", "+44 7### ### ###", "(5##) 555-01##", "5##-555-01##",
                 "07### ######")  # fmt: skip
        return self.digits(self.rng.choice(forms))

    def street(self):
        r = self.rng
        return f"{r.randint(1, 199)} {self.word(END_TOWN)} {r.choice(STREETS)}"

    def he(self):
        return "she" if self.girl else "he"


def head(m):
    r = m.rng
    if r.random() < 0.7:
        m.put("PLACE", f"{m.word(END_TOWN)} {r.choice(FACILITIES)}")
        m.say("\nDepartment of Clinical Genetics\n")
        m.put("PLACE", m.street())
        m.say(", ")
        m.put("PLACE", m.word(END_TOWN))
        m.say(", ")
        m.put("PLACE", m.letters("@@# #@@"))
        m.say("\nTel: ")
        m.put("PHONE", m.phone())
        m.say("  Fax: ")
        m.put("FAX", m.phone())
        m.say("\n\n")
    m.say("Our ref: ")
    m.put("ID", m.letters("@@/####/#####"))
    m.say(r.choice(("\nMRN: ", "\nHospital No: ", "\nPatient ID: ", "\nUnit number ")))
    m.put("MRN", m.letters(r.choice(("#######", "@######", "##-##-####"))))
    if r.random() < 0.5:
        m.say("\nNHS No: ")
        m.put("MRN", m.digits("### ### ####"))
    m.say("\nDate of clinic: ")
    m.put("DATE", m.date())
    m.say("\n\n")


def patient(m):
    r = m.rng
    form = r.randint(0, 3)
    if form == 0:
        m.say("Re: ")
        m.put("NAME", f"{m.given} {m.family.upper()}")
        m.say(", DOB ")
    elif form == 1:
        m.say("Patient name: ")
        m.put("NAME", f"{m.family}, {m.given}")
        m.say("\nD.O.B.: ")
    elif form == 2:
        m.say("Name: ")
        m.put("NAME", f"{m.given} {m.family}")
        m.say("\nDate of birth: ")
    else:
        m.say("Patient: ")
        m.put("NAME", f"{m.given} {m.word(END_GIVEN)[0]}. {m.family}")
        m.say(" born on ")
    m.put("DATE", m.date(m.born))
    m.say("\nAddress: ")
    m.put("PLACE", m.street())
    m.say(", ")
    m.put("PLACE", m.town)
    m.say("\n\n")


def other_numbers(m):
    rows = (
        ("Social security number: ", "SSN", m.digits("###-##-####")),
        ("Insurance policy no. ", "PLAN", m.letters("@@@#########")),
        ("Member ID: ", "PLAN", m.letters("@##########")),
        ("Account number: ", "ACCOUNT", m.digits("########")),
        ("IBAN ", "ACCOUNT", m.letters("@@## @@@@ #### #### ####")),
        ("Driving licence no. ", "LICENCE", m.letters("@@@@@######@@#")),
        ("Certificate no: ", "LICENCE", m.letters("@@-######")),
        ("Registration plate ", "VEHICLE", m.letters("@@## @@@")),
        ("VIN: ", "VEHICLE", m.letters("@@@@##@@#@#######").replace("I", "J")),
        ("Pacemaker serial no. ", "DEVICE", m.letters("@@@######")),
        ("Pump serial number: ", "DEVICE", m.letters("SN-#######")),
        ("Contact by e-mail: ", "EMAIL", f"{m.given.lower()}.{m.family.lower()}@example.org"),
        ("Photographs at ", "URL", m.letters("https://pictures.example.net/p/######")),
        ("The portal was used from ", "IP", m.digits("192.0.2.1##")),
        ("Fingerprint ID: ", "BIOMETRIC", m.letters("@@########")),
        ("Specimen no. ", "ID", m.letters("@##-#######")),
    )
    for words, kind, text in m.rng.sample(rows, m.rng.randint(2, 5)):
        m.say(words)
        m.put(kind, re.sub(r"[^\x20-\x7e]", "x", text))
        m.say(".\n")


def body(m):
    r = m.rng
    has = r.sample(FINDINGS, 4)
    m.say("Dear Dr ")
    m.put("NAME", m.word(END_SURNAME))
    m.say(",\n\nThank you for referring ")
    m.put("NAME", m.given)
    m.say(", whom I saw on ")
    m.put("DATE", m.date())
    m.say(" with " + ("her" if m.girl else "his") + " mother, ")
    m.put("NAME", m.word(END_GIVEN))
    m.say(f". {m.he().title()} has {has[0]} and {has[1]}. ")
    m.say(r.choice(NOT_NAMES) + " ")
    m.put("NAME", m.given)
    m.say(" attended with Mr ")
    m.put("NAME", m.family)
    m.say(f", and {m.he()} denies {has[2]}. " + r.choice(NOT_NAMES) + "\n")
    facts(m)
    m.say(f"There is no {has[3]}. " + r.choice(NOT_NAMES) + "\n\n")


def facts(m):
    r = m.rng
    age = r.randint(90, 104)

    def great():
        m.say("The great-grandmother is aged ")
        m.put("AGE", str(age))
        m.say(" years. ")

    def town():
        m.say("The family lives in ")
        m.put("PLACE", m.town)
        m.say(". ")

    def school():
        m.say(f"{m.he().title()} goes to ")
        m.put("PLACE", f"{m.word(END_TOWN)} Primary School")
        m.say(". ")

    def ring():
        m.say("Please ring Mrs ")
        m.put("NAME", m.family)
        m.say(" on ")
        m.put("PHONE", m.phone())
        m.say(". ")

    def nurse():
        m.say("Reviewed by ")
        m.put("NAME", f"{m.word(END_GIVEN)} {m.word(END_SURNAME)}")
        m.say(", RN. ")

    def month():
        m.say("The first seizure was in ")
        m.put("DATE", f"{r.choice(MONTHS)} {r.randint(2015, 2020)}")
        m.say(". ")

    def cousin():
        m.say("A cousin, ")
        m.put("NAME", m.word(END_GIVEN))
        m.say(", is well. ")

    def possessive():
        m.put("NAME", m.given)
        m.say("'s parents are not related. ")

    for fact in r.sample((great, town, school, ring, nurse, month, cousin, possessive), 4):
        fact()
    m.say("\n")
    harder(m)
    m.say("\n")


def harder(m):
    """Places of identifiers that tell less."""
    r = m.rng
    person, other = m.word(END_GIVEN), m.word(END_SURNAME)
    short, town = r.choice(("Ngo", "Liu", "Ojo", "Ekk", "Oda")), m.word(END_TOWN)
    lines = (
        (("NAME", person), " has tremor at rest."),
        ("We spoke to ", ("NAME", person), " and ", ("NAME", other), " about the result."),
        ("Present: ", ("NAME", person), " (mother) and ", ("NAME", m.word(END_GIVEN)), " (aunt)."),
        ("It was ", ("NAME", other), " who noticed it first."),
        ("Her teacher is Miss ", ("NAME", short), "."),
        ("D/W Dr ", ("NAME", f"van der {other}"), " by telephone."),
        ("DICTATED BY DR ", ("NAME", other.upper()), " AND TYPED LATER."),
        ("The registrar (", ("NAME", f"{person[0]}. {other}"), ") agreed."),
        ("Mum (", ("NAME", person), ") works as a cleaner."),
        ("An uncle from ", ("PLACE", m.word(END_TOWN)), " had the same."),
        ("They moved from ", ("PLACE", m.word(END_TOWN)), " to ", ("PLACE", m.word(END_TOWN)), "."),
        ("Lives at ", ("PLACE", m.street()), " with both parents."),
        ("Home: ", ("PHONE", m.phone()), " (evenings)."),
        ("Reachable under ", ("PHONE", m.digits("+49 30 9018####")), " at any time."),
        ("Seen last on ", ("DATE", m.date().replace("/", "-")), " at 14:30."),
        ("The EEG of ", ("DATE", f"{r.choice(MONTHS)[:3]} {r.randint(1, 28)}"), " was normal."),
        ("It began in ", ("DATE", r.choice(MONTHS)), " and went on."),
        ("On the ", ("DATE", f"{r.randint(4, 20)}th of {r.choice(MONTHS)}"), " it was gone."),
        ("The sample ", ("ID", m.letters("@@-######")), " was sent away."),
        ("His lawyer is ", ("NAME", f"{person} {other}-{m.word(END_SURNAME)}"), "."),
        ("The late ", ("NAME", f"O'{other}"), " had been his neighbour."),
        (("NAME", f"{person} {other}"), ", her cousin, has the same."),
        ("Informant: ", ("NAME", f"{person} {other}"), " (aunt)"),
        ("Spoke with ", ("NAME", person), " at length; she understands."),
        ("As ", ("NAME", person), " told us, walking came late."),
        (("NAME", person), ", ", ("NAME", m.word(END_GIVEN)), " and the baby came along."),
        ("Signature: ", ("NAME", f"{person[0]} {other}")),
        ("Pt: ", ("NAME", f"{other.upper()}, {person.upper()}"), "  M  "),
        ("Handover from SHO ", ("NAME", other), "."),
        ("This was explained to the ", ("NAME", other), " family."),
        ("Copies: the ", ("NAME", other), "s, and the school."),
        ("Born at ", ("PLACE", f"{town} Maternity Home"), ", third child."),
        ("He boards at ", ("PLACE", f"St {person}'s"), " during the week."),
        ("The ", ("PLACE", town), " team will review."),
        ("Works for ", ("PLACE", f"{other} & Sons"), " as a fitter."),
        ("c/o ", ("PLACE", f"Flat 4, {town} House, {r.randint(2, 90)} {town} Walk")),
        ("Operated on ", ("DATE", f"{r.randint(1, 28)}/{r.randint(1, 12)}"), " without trouble."),
        ("Admitted ", ("DATE", f"{r.randint(10, 28)}.{r.randint(10, 12)}.{r.randint(19, 24)}")),
        ("Reviewed ", ("DATE", f"{r.choice(MONTHS)[:3]} '{r.randint(19, 24)}"), "."),
        ("Next visit ", "the ", ("DATE", f"{r.randint(4, 20)}th"), "."),
        ("Her ", ("AGE", str(r.randint(90, 99))), "yo neighbour drives her."),
        ("Ring ", ("PHONE", m.digits("0161 496 0###")), " after five."),
        ("Bleep ", ("PHONE", m.digits("4###")), " if worse."),
        ("Surgery took place on ", ("DATE", f"{r.choice(MONTHS)} {r.randint(4, 20)}th"), "."),
        ("Skype: ", ("ID", f"{person.lower()}.{m.digits('##')}")),
        ("Hosp. no ", ("MRN", m.letters("@######@")), " at the other site."),
        ("(", ("MRN", m.letters("@#######")), ") was the old number."),
        ("Chip in the implant: ", ("DEVICE", m.letters("@@-####-####")), "."),
        ("Drives a van, ", ("VEHICLE", m.letters("@@## @@@")), "."),
        ("See ", ("URL", f"clinic-{m.digits('###')}x.example.com")),
    )  # fmt: skip
    for line in r.sample(lines, 8):
        for part in line:
            m.say(part) if isinstance(part, str) else m.put(*part)
        m.say(" ")


def unseen(m):
    """Lines that were written after the patterns, which were not changed by what they show."""
    r = m.rng
    person, other, town = m.word(END_GIVEN), m.word(END_SURNAME), m.word(END_TOWN)
    lines = (
        ("Mother's maiden name ", ("NAME", other), "."),
        ("History was taken from ", ("NAME", f"{person} {other}"), ", who knows her well."),
        ("In the waiting room ", ("NAME", person), " fell asleep."),
        ("Yesterday ", ("NAME", person), " vomited twice."),
        ("Foster placement with the ", ("NAME", other), "s ended."),
        ("(Dictated but not read, ", ("NAME", other), ")"),
        ("Interpreter ", ("NAME", f"{person} {other}"), " was present throughout."),
        ("Her twin is called ", ("NAME", person), "."),
        ("GP: ", ("NAME", other), ", ", ("PLACE", f"{town} Health Centre")),
        ("Parents run a bakery in ", ("PLACE", town), "."),
        ("Transferred from ", ("PLACE", f"{town} District Hospital"), " overnight."),
        ("Post to: ", ("PLACE", f"{r.randint(2, 90)} {town} Hill, {m.word(END_TOWN)}")),
        ("Next review: ", ("DATE", f"{r.choice(MONTHS)} {r.randint(2024, 2026)}"), "."),
        ("LMP ", ("DATE", f"{r.randint(10, 28)}-{r.randint(10, 12)}-{r.randint(19, 24)}")),
        ("Father's mother lived to ", ("AGE", str(r.randint(91, 99))), " years."),
        ("Mobile ", ("PHONE", m.digits("07700 900###")), ", or ",
         ("PHONE", m.digits("01632 9#####"))),
        ("Secretary's line: ", ("PHONE", m.digits("020 7946 0###"))),
        ("E: ", ("EMAIL", f"clinic{m.digits('##')}@nhs.example.org")),
        ("Lab number ", ("ID", m.letters("##@######")), " refers."),
        ("CHI ", ("MRN", m.digits("##########")), " checked."),
        ("Private patient, policy ", ("PLAN", m.letters("@@######")), "."),
        ("Hearing aid S/N ", ("DEVICE", m.letters("##@#####")), " was replaced."),
    )  # fmt: skip
    for line in r.sample(lines, 6):
        for part in line:
            m.say(part) if isinstance(part, str) else m.put(part[0] + "+", part[1])
        m.say("\n")


def tail(m):
    m.say(m.rng.choice(("Yours sincerely,", "With kind regards,", "Kind regards")) + "\n\n")
    m.put("NAME", f"{m.word(END_GIVEN)} {m.word(END_SURNAME)}")
    m.say("\nConsultant Clinical Geneticist\n\n")
    other_numbers(m)
    m.say("cc: Mr and Mrs ")
    m.put("NAME", m.family)
    m.say("\n")


def letter(seed):
    m = Maker(random.Random(seed))
    for part in (head, patient, body, tail, unseen):
        part(m)
    return m


def run(args, m, path):
    with open(path, "w", encoding="utf-8") as f:
        f.write(m.text)
    kb = ["--kb", args.kb] if args.kb else []
    keys = os.path.join(os.path.dirname(path), "keys")
    command = [args.program, "deidentify", path, "--json", "--keys", keys, "--patient", path, *kb]
    p = subprocess.run(command, capture_output=True, text=True, check=False)
    if p.returncode not in (0, 4):
        sys.exit(p.stderr)
    return json.loads(p.stdout)


def count(m, got, n, args):
    raw = m.text.encode()
    taken = bytearray(len(raw))
    gold = bytearray(len(raw))
    for s in got["spans"]:
        taken[s["start"] : s["end"]] = b"\1" * (s["end"] - s["start"])
    for start, end, kind in m.gold:
        gold[start:end] = b"\1" * (end - start)
        whole = all(taken[i] for i in range(start, end) if raw[i] > 127 or chr(raw[i]).isalnum())
        n["all", kind] += 1
        n["found", kind] += whole
        if args.show and not whole:
            print("missed", kind, repr(raw[max(0, start - 30) : end + 15].decode(errors="replace")))
    for s in got["spans"]:
        right = any(gold[s["start"] : s["end"]])
        n["spans"] += 1
        n["right"] += right
        if args.show and not right:
            part = raw[max(0, s["start"] - 30) : s["end"] + 15].decode(errors="replace")
            print("wrong", s["kind"], repr(part), repr(raw[s["start"] : s["end"]].decode()))
    n["same"] += got["findings"]["changed"] == 0


def figures(n, letters):
    every = sorted(key[1] for key in n if isinstance(key, tuple) and key[0] == "all")
    kinds = [k for k in every if not k.endswith("+")]
    later = [k for k in every if k.endswith("+")]
    total = sum(n["all", k] for k in kinds)
    found = sum(n["found", k] for k in kinds)
    out = {f"recall_{k.lower()}": n["found", k] / n["all", k] for k in kinds}
    return {
        "letters": letters,
        "identifiers": total,
        "recall": found / total,
        "recall_worst": min(out.values()),
        "recall_unseen": sum(n["found", k] for k in later) / sum(n["all", k] for k in later),
        "recall_unseen_name": n["found", "NAME+"] / n["all", "NAME+"],
        "precision": n["right"] / n["spans"],
        "same_findings": n["same"] / letters,
        **out,
    }


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    a.add_argument("--program", default="r1-medical")
    a.add_argument("--kb")
    a.add_argument("--letters", type=int, default=400)
    a.add_argument("--seed", type=int, default=7)
    a.add_argument("--show", action="store_true")
    args = a.parse_args()
    n = collections.Counter()
    made = [letter(args.seed * 1000003 + i) for i in range(args.letters)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.program, "records", "key", "--keys", os.path.join(folder, "keys")],
                       capture_output=True, check=True)  # fmt: skip
        paths = [os.path.join(folder, f"{i}.txt") for i in range(args.letters)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for m, got in zip(made, pool.map(lambda x: run(args, *x), zip(made, paths))):
                count(m, got, n, args)
    print(json.dumps({"command": "deidentify_letters", "figures": figures(n, args.letters)}))


if __name__ == "__main__":
    main()
