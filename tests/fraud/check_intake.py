#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program says of payments and models that it cannot trust.

tests/fraud/check_intake.py R1-FRAUD MODEL
"""

import json
import os
import stat
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import programs  # noqa: E402
from payments import payment  # noqa: E402

PROGRAM, MODEL = (os.path.abspath(path) for path in sys.argv[1:3])
PARTIAL = 4


def renew(args):
    """A proposal that a test has answered is not replaced: it goes before the next one."""
    if "--propose" in args and os.path.exists(path := args[args.index("--propose") + 1]):
        os.remove(path)


def run(program, *args, **how):
    renew(args)
    return programs.run(program, *args, **how)


def output(program, *args):
    """What a run says that finds something to say: its exit code is PARTIAL."""
    renew(args)
    p = subprocess.run([program, *args], capture_output=True, text=True, check=False)
    assert p.returncode == PARTIAL, f"{args}: exit {p.returncode}\n{p.stderr}"
    return p.stdout


def write_lines(path, messages):
    with open(path, "w", encoding="utf-8") as f:
        for m in messages:
            f.write((m if isinstance(m, str) else json.dumps(m)) + "\n")


def scores(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def check_replay(folder):
    """A payment that cannot be scored has its line, in its place, and the exit code tells."""
    path, out = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
    messages = [payment(i) for i in range(10)]
    messages[4] = payment(4, amount_minor=-5)
    messages[6] = "no payment"
    messages[8] = payment(8, currency="XXQ")
    write_lines(path, messages)
    run(PROGRAM, "replay", "--in", path, "--out", out, "--batch", "64", code=PARTIAL)
    found = scores(out)
    assert [x["tx_id"] for x in found] == [f"t{i}" for i in range(10) if i != 6], found
    assert "a refund" in found[4]["unscorable"], found[4]
    assert "XXQ" in found[7]["unscorable"], found[7]
    assert sum("logit" in x for x in found) == 7


def check_overflow(folder):
    """A head that overflows: each payment has its line with words, none is let through or lost."""
    path, out = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
    model = os.path.join(folder, "overflow.gguf")
    with open(os.path.join(os.path.dirname(MODEL), "fraud-s.gguf"), "rb") as f:
        data = bytearray(f.read())
    data[-288:-32] = struct.pack("<f", 3e38) * 64  # head.out.weight; its bias stands behind it
    with open(model, "wb") as f:
        f.write(data)
    write_lines(path, [payment(i) for i in range(20)])
    run(PROGRAM, "replay", "--in", path, "--out", out, "--model", model, code=PARTIAL)
    found = scores(out)
    assert len(found) == 20, len(found)
    assert all("score is not finite" in x["unscorable"] for x in found), found[0]


def check_amounts(folder):
    """An amount far outside of what training saw goes to a person; ordinary ones never do."""
    path, out = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
    huge = payment(5, currency="JPY", amount_minor=10**14)  # refused by its size already
    write_lines(path, [payment(0), payment(1, amount_minor=10**13), payment(2), huge])
    run(PROGRAM, "replay", "--in", path, "--out", out, "--model", MODEL, code=PARTIAL)
    found = scores(out)
    assert "far outside of what the model" in found[1]["unscorable"], found[1]
    assert "expected at most" in found[3]["unscorable"], found[3]
    assert "logit" in found[0] and "logit" in found[2]
    run(PROGRAM, "generate", "--seed", "11", "--accounts", "300", "--days", "30", "--out", path)
    run(PROGRAM, "replay", "--in", path, "--out", out, "--model", MODEL)
    assert all("logit" in x for x in scores(out))


def check_small_units(folder):
    """A stream in dong, rupiah or yen is judged as the same one in euros: no amount is unscorable
    for its unit, and the highest scores are mostly the same payments."""
    path, out = os.path.join(folder, "eur.jsonl"), os.path.join(folder, "eur.out")
    run(PROGRAM, "generate", "--seed", "11", "--accounts", "300", "--days", "30", "--out", path)
    run(PROGRAM, "replay", "--in", path, "--out", out, "--model", MODEL)
    with open(path, encoding="utf-8") as f:
        payments = [json.loads(line) for line in f]

    def highest(rows):
        return set(sorted(range(len(rows)), key=lambda i: -rows[i]["logit"])[:100])

    euros = highest(scores(out))
    for currency, rate, digits in ("VND", 29000, 0), ("IDR", 18000, 2), ("JPY", 160, 0):
        for p, q in zip(payments, messages := [dict(p) for p in payments]):
            for key in ("amount_minor", "from_balance_minor", "to_balance_minor"):
                if key in p:
                    q[key] = max(1, round(p[key] / 100 * rate) * 10**digits)
            q["currency"] = currency
        write_lines(path, messages)
        run(PROGRAM, "replay", "--in", path, "--out", out, "--model", MODEL)
        found = scores(out)
        assert all("logit" in x for x in found), currency
        common = len(euros & highest(found))
        assert common >= 70, (currency, common)


def check_outside(folder):
    """Columns far outside of what training saw are counted and told, and stop no payment."""
    path, out = os.path.join(folder, "flood.jsonl"), os.path.join(folder, "flood.out")
    flood = [payment(i, ts=1767225600000 + i * 20, to="SHOP") for i in range(3000)]
    for i, p in enumerate(flood):
        p["from"] = f"C{i}"
    write_lines(path, flood)
    args = ["--in", path, "--out", out, "--model", MODEL]
    p = subprocess.run([PROGRAM, "replay", *args], capture_output=True, text=True, check=True)
    assert "receiver.in_n_1h of " in p.stderr, p.stderr
    assert all("logit" in x for x in scores(out))


def check_named_model(folder):
    """replay says what scored: without a setting it is the model that serve has."""
    path = os.path.join(folder, "named.jsonl")
    write_lines(path, [payment(0)])
    for model, words in (("none", "scored by the rules (--model none)"),
                         (MODEL, "scored by the model " + MODEL),
                         ("", "models/fraud-s-int8.gguf\n")):  # fmt: skip
        args = ["--in", path, "--out", path + ".out", *(["--model", model] if model else [])]
        p = subprocess.run([PROGRAM, "replay", *args], capture_output=True, text=True, check=True)
        assert words in p.stderr, p.stderr


def check_flipped(folder):
    """One flipped bit of a model that has its checksum is refused."""
    model = os.path.join(folder, "flipped.gguf")
    with open(MODEL, "rb") as f:
        data = bytearray(f.read())
    data[len(data) // 2] ^= 4
    with open(model, "wb") as f:
        f.write(data)
    with open(MODEL + ".sum", "rb") as f, open(model + ".sum", "wb") as g:
        g.write(f.read())
    path = os.path.join(folder, "in.jsonl")
    said = run(PROGRAM, "replay", "--in", path, "--out", path + ".out", "--model", model, code=1)
    assert "damaged or was changed" in said, said


STRANGER = [
    '{"id":"p-1","created_at":"2025-11-30T10:00:00+01:00","type":"SCT","payer":{"iban":"DE1"},'
    '"payee":{"iban":"FR2"},"amount":125.50,"currency":"EUR"}',
    '{"id":"p-2","created_at":"2025-11-30T10:01:00+01:00","type":"voucher","payer":{"iban":"DE1"},'
    '"payee":{"iban":"FR3"},"amount":"1.00","currency":"EUR"}',
]


def check_stranger(folder):
    """Somebody's messages: told at once what is expected, mapped by the proposal, scored."""
    path, proposal = os.path.join(folder, "own.jsonl"), os.path.join(folder, "map.ini")
    out = os.path.join(folder, "own.out")
    write_lines(path, STRANGER)
    said = output(PROGRAM, "check", "--in", path, "--propose", proposal)
    assert "0 can be scored, 0 cannot and go to a person, 2 are no payments" in said, said
    assert 'your field "created_at" looks like it' in said and "write ts = created_at" in said, said
    said = output(PROGRAM, "check", "--in", path, "--map", proposal)
    assert "1 can be scored, 1 cannot" in said and "type (kind): expected transfer" in said, said
    with open(proposal, "a", encoding="utf-8") as f:
        f.write("card = voucher\n")
    said = run(PROGRAM, "check", "--in", path, "--map", proposal)
    assert "2 can be scored" in said, said
    run(PROGRAM, "replay", "--in", path, "--map", proposal, "--out", out)
    assert [x["tx_id"] for x in scores(out)] == ["p-1", "p-2"]


def check_table(folder):
    """The same out of CSV, with another separator, a quoted field and seconds."""
    path, lines = os.path.join(folder, "own.csv"), os.path.join(folder, "csv.jsonl")
    proposal, out = os.path.join(folder, "csv.ini"), os.path.join(folder, "csv.out")
    write_lines(
        path,
        ["Transaction ID;Time;Sender;Receiver;Amount;Ccy", '7;1767225600;A;"B;""x";125.50;EUR'],
    )
    output(PROGRAM, "check", "--in", path, "--propose", proposal, "--out", lines)
    said = run(PROGRAM, "check", "--in", path, "--map", proposal)
    assert "1 can be scored" in said, said
    run(PROGRAM, "replay", "--in", lines, "--map", proposal, "--out", out)
    assert scores(out)[0]["tx_id"] == "7"


NAMES = [
    "Betrag Waehrung Auftraggeber Empfaenger Buchungsdatum Transaktionsid Zahlungsart",
    "Betrag Währung Auftraggeber Empfänger Zeitstempel Buchungsid Umsatzart",
    "amount currency debtor.account.iban creditor.account.iban AccptncDtTm EndToEndId type",
    "InstdAmt Ccy DbtrAcct.Id.IBAN CdtrAcct.Id.IBAN AccptncDtTm InstrId method",
]


def check_misspelt(folder):
    """A path that no message has is named by line of the mapping file, with the nearest one."""
    path, mapping = os.path.join(folder, "spelt.jsonl"), os.path.join(folder, "spelt.ini")
    write_lines(path, [dict(payment(i), debtor={"iban": "A"}) for i in range(3)])
    rows = ["tx_id = tx_id", "ts = ts", "kind = kind", "from = debitor.iban", "to = to"]
    rows += ["amount_minor = amount_minor", "currency = currency", "text = remark"]
    write_lines(mapping, ["[fields]", *rows])
    said = output(PROGRAM, "check", "--in", path, "--map", mapping)
    assert "spelt.ini:5: from = debitor.iban: expected a field that messages have, found" in said
    assert 'found it in none of 3; did you mean "debtor.iban"?\n' in said, said
    assert "spelt.ini:9: text = remark: expected a field that messages have" in said, said
    assert "spelt.ini:6" not in said, said
    write_lines(mapping, ["[fields]", *rows[1:], "form = x", "[time]", "format = isoo"])
    said = run(PROGRAM, "check", "--in", path, "--map", mapping, code=2)
    assert "spelt.ini has 3 mistakes:\n" in said and 'did you mean "iso"?\n' in said, said


def check_names(folder):
    """Names of a German bank and of ISO 20022 are recognised, times keep their offset."""
    path, proposal = os.path.join(folder, "named.jsonl"), os.path.join(folder, "named.ini")
    values = ["125.50", "EUR", "DE1", "FR2", "2025-11-30T10:00:00+01:00", "n-1", "SCT"]
    for names in NAMES:
        message = {}
        for name, value in zip(names.split(), values):
            *above, last = name.split(".")
            at = message
            for part in above:
                at = at.setdefault(part, {})
            at[last] = value
        write_lines(path, [message])
        output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        assert "no offset" not in text and "zone" not in text and "needed" not in text, text
        said = run(PROGRAM, "check", "--in", path, "--map", proposal)
        assert "1 can be scored" in said, said
    for when, want in (
        ("30.11.2026 10:00:00", "%d.%m.%Y %H:%M:%S"),
        ("30.11.2026", "%d.%m.%Y"),
        ("2026-11-30 10:00", "iso"),
    ):
        write_lines(path, [{"Buchungsdatum": when}])
        output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        assert f"format = {want}\n" in text and "The times have no offset" in text, text
        assert "zone = ?\n" in text, text
    for amount, want in ((1125, "are whole numbers"), ("1.125,50", "amounts = 1.234,50")):
        write_lines(path, [{"Betrag": amount}])
        output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            assert want in f.read(), amount
    write_lines(path, [{"unknown": 1}])
    output(PROGRAM, "check", "--in", path, "--propose", proposal)
    with open(proposal, encoding="utf-8") as f:
        text = f.read()
    assert "The times have no offset" not in text and "No field looks like the time" in text, text
    assert 'currency = "?"' in text, text
    missing = "tx_id", "ts", "from", "to", "amount_minor"
    for name in missing:  # what is needed and not found is asked for, and refused until answered
        assert f"\n{name} = ?\n" in text, text
    p = subprocess.run([PROGRAM, "check", "--in", path, "--map", proposal], capture_output=True,
                       text=True, check=False)  # fmt: skip
    assert p.returncode == 2, p.stderr
    for name in missing:
        assert f": {name}: expected your answer, the path of a field, found" in p.stderr, p.stderr


# The values of one sample: date, time of day, amount; the rows that the proposal must have, and
# whether it asks for the row, because the sample can be read in two ways.
COUNTRIES = [
    ("30.10.2026", "09:15:02", "1.234,50", "format = %d.%m.%Y %H:%M:%S", "amounts = 1.234,50"),
    ("30.10.2026", "09:15", "12,50", "format = %d.%m.%Y %H:%M", "amounts = 1234,50"),
    ("20261030", 91502, "1 234,50", "format = %Y%m%d%H%M%S", "amounts = 1 234,50"),
    ("2026-10-30", "09:15:02", "1'234.50", "format = iso", "amounts = 1'234.50"),
    ("2026-10-30T00:00:00", "09:15:02", "12,34,567.50", "format = iso", "amounts = 12,34,567.50"),
    ("10/30/2026", "9:15 AM", "1,234.50", "format = %m/%d/%Y %I:%M %p", "amounts = 1,234.50"),
    ("03/04/2026", "09:15", "1.250", "format = ?", "amounts = ?"),
    ("30/04/2026", "09:15", "1,250", "format = %d/%m/%Y %H:%M", "amounts = ?"),
    ("03/04/2026", "09:15", 1.25, "format = ?", "; transfer = SCT"),
    ("2026-10-30 at noon", "09:15", "12.50 EUR", "format = ?", "amounts = ?"),
]

# Values of one field of times, and the row that the proposal must have. It reads them in order.
CLOCKS = [
    ("45987.53 45987.6 45990", "format = excel"),
    ("45987,53 45988,1", "format = excel"),
    ("11/25/2025 10:00:01 a.m.|11/26/2025 2:00:01 p.m.", "format = %m/%d/%Y %I:%M:%S %p"),
    ("20251130T101500Z 20251130T101501+0100", "format = %Y%m%dT%H%M%S"),
    ("Sat, 29 Nov 2025 10:00:00 +0000|Sun, 30 Nov 2025 10:00:00 GMT",
     "format = %a, %d %b %Y %H:%M:%S"),
    ("2025-11-29 10:00:00 CET|2025-11-30 10:00:00 CET", "format = %Y-%m-%d %H:%M:%S CET"),
    ("2025-07-29 10:00:00 CEST|2025-11-30 10:00:00 CET", "format = ?"),
    ("1767225600 1767225601.5", "format = s"),
    ("1767225600000000 1767225600000001", "format = us"),
    ("1767225600000000000 1767225600000000001", "format = ns"),
    ("28.11.25 10:00|29.11.25 10:00", "format = %d.%m.%y %H:%M"),
]  # fmt: skip


def check_clocks(folder):
    """Times of spreadsheets, of other clocks and with names of zones."""
    path, proposal = os.path.join(folder, "clock.jsonl"), os.path.join(folder, "clock.ini")
    for values, row in CLOCKS:
        times = values.split("|" if "|" in values else " ")
        own = [payment(i, created_at=time) for i, time in enumerate(times)]
        for p in own:
            del p["ts"]
        write_lines(path, own)
        output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        assert f"{row}\n" in text, (values, text)
        assert ("two digits" in text) == ("%y" in row), text
        if row.endswith("?"):
            continue
        with open(proposal, "w", encoding="utf-8") as f:
            f.write(text.replace("zone = ?", "zone = Europe/Berlin"))
        said = run(PROGRAM, "check", "--in", path, "--map", proposal)
        assert f"{len(times)} can be scored" in said, (values, said)
    table = "tx_id,ts,kind,from,to,amount,currency"
    write_lines(path, [table, "1,1767225600000,card,4.00012E+15,B,1,EUR"])
    said = run(PROGRAM, "check", "--in", path)
    assert "The field from holds numbers as 4.00012E+15: a spreadsheet has rounded" in said, said


def check_zone_is_said(folder):
    """A mapping file without a zone: check says that times are read as UTC, and what to write."""
    path, mapping = os.path.join(folder, "zone.csv"), os.path.join(folder, "zone-map.ini")
    rows = 'tx_id = id|ts = Datum|ts_time = Zeit|kind = "transfer"|from = a|to = b|amount = c'
    lines = ["[fields]", *rows.split("|"), 'currency = "EUR"', "[time]", "format = %d.%m.%Y %H:%M"]
    write_lines(path, ["id,Datum,Zeit,a,b,c", "1,30.10.2026,09:15,A,B,1.50"])
    write_lines(mapping, lines)
    said = run(PROGRAM, "check", "--in", path, "--map", mapping)
    assert "Datum (ts): expected an offset such as Z or +01:00, or the row zone of the" in said
    write_lines(mapping, [*lines, "zone = Z"])
    assert "offset" not in run(PROGRAM, "check", "--in", path, "--map", mapping)


def check_countries(folder):
    """Dates, times and amounts of other countries are recognised, or asked for; never guessed."""
    path, proposal = os.path.join(folder, "country.jsonl"), os.path.join(folder, "country.ini")
    for day, clock, amount, *rows in COUNTRIES:
        write_lines(
            path,
            [
                {"id": f"c{i}", "Datum": day, "Uhrzeit": clock, "from": "A", "to": f"B{i}",
                 "Betrag": amount, "Ccy": "EUR", "type": "SCT"}
                for i in range(3)
            ],
        )  # fmt: skip
        said = output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        for row in rows:
            assert row + "\n" in text or row in text and row[0] == ";", (day, clock, amount, text)
        asked = [row.split()[0] for row in rows if row.endswith("?")]
        assert "zone = ?\n" in text and said.count("Write ") == 1 + len(asked), said
        if asked:  # an open question is refused, by line
            said = run(PROGRAM, "check", "--in", path, "--map", proposal, code=2)
            assert "country.ini:" in said and 'found "?"' in said, said
            continue
        with open(proposal, "w", encoding="utf-8") as f:
            f.write(text.replace("zone = ?", "zone = Europe/Berlin"))
        assert "3 can be scored" in run(PROGRAM, "check", "--in", path, "--map", proposal)


# Payments as banks export them: CSV or JSON of one payment, and what answers the questions.
PACS = {
    "PmtId": {"EndToEndId": "E%d", "TxId": "T%d"},
    "IntrBkSttlmAmt": {"@Ccy": "EUR", "#text": "125.50"},
    "DbtrAcct": {"Id": {"IBAN": "DE1"}},
    "CdtrAcct": {"Id": {"Othr": {"Id": "99", "SchmeNm": {"Cd": "BBAN"}}}},
    "RmtInf": {"Ustrd": ["hello", "world"]},
}
BANKS = {
    "pacs": {"Document": {"GrpHdr": {"CreDtTm": "2026-10-29T10:00:00+01:00"}, "Tx": [PACS]}},
    "open banking": {
        "TransactionId": "ob%d", "BookingDateTime": "2026-10-29T10:15:30+00:00",
        "Amount": {"Amount": "10.00", "Currency": "GBP"},
        "DebtorAccount": {"Identification": "80200110203"},
        "CreditorAccount": {"Identification": "80200110999"},
    },
    "mt103": {
        "20": "REF%d", "32A": {"date": "261029", "ccy": "EUR", "amt": "120,50"},
        "50K": "/DE89370400440532013000", "59": "/FR7630006000011234567890189", "70": "INV 1",
    },
    "core": "Trans ID,Trans Date,Trans Time,From Acct,To Acct,Trans Type,Amount\n"
            'T%d,10/25/2026,02:15:00 PM,1111,2222,transfer,"$1,250.00"\n',
    "sap": "BELNR;BUDAT;CPUTM;WRBTR;WAERS;ABSENDERKTO;EMPFKTO\n"
           "5100%d;20261025;091530;1.230,00-;EUR;DE1;FR2\n",
    "france": "Référence;Date opération;Heure;Compte émetteur;Compte bénéficiaire;Montant;Devise\n"
              "R%d;25/10/2026;10h15;FR1;FR2;1 250,50;EUR\n",
    "japan": {"txn_id": "%d", "txn_time": 1790000000, "payer_account": "P", "payee_account": "Q",
              "amount": 50000, "currency": "JPY"},
    "mongo": {"_id": {"$oid": "65f%d"}, "createdAt": {"$date": "2026-10-29T10:15:30.123Z"},
              "sender": {"accountId": "s"}, "receiver": {"accountId": "r"},
              "money": {"value": 1250, "currency": "USD"}},
    "upi": {"txnRef": "u%d", "txnDate": "29-10-2026 10:15:30", "payerVpa": "a@upi",
            "payeeVpa": "b@upi", "amt": "1,25,000.50", "cur": "INR"},
    "pix": "endToEndId;dataHora;pagador_chave;recebedor_chave;valor;moeda;tipo\n"
           "E%d;25/10/2026 10:15:30;a@x.br;loja;R$ 1.250,50;BRL;PIX\n",
    "upi dump": "UTR,Transaction Date,Payer VPA,Payee VPA,Amount (INR),Remarks\n"
                '4%d,25-10-2026 02:15:30 PM,a@okaxis,b@ybl,"1,25,100.50",x\n',
    "adyen": "Merchant Account,Psp Reference,Payment Method,Creation Date,Gross Currency,"
             "Gross Credit (GC),Shopper Reference\nNL,88%d,visa,2026-10-25 10:15:30,EUR,12.50,s1\n",
    "camt": {"Stmt": {"Ntry": [{"Amt": {"Ccy": "EUR", "value": "12.50"}, "TxDtls": {
        "Refs": {"EndToEndId": "E%d"}, "DbtrAcct": {"Id": {"IBAN": "DE1"}},
        "CdtrAcct": {"Id": {"IBAN": "FR2"}}}, "BookgDt": {"DtTm": "2026-10-25T10:15:30Z"}}]}},
    "girokonto": "Buchungstag;Buchungstext;Auftraggeber IBAN;Empf\u00e4nger IBAN;Betrag (EUR);"
                 'Kundenreferenz;\n"25.10.2026";"\u00dcberweisung";DE1;FR2;"-12,50";"R%d";\n',
    "warehouse": "transaction_id|created_at|sender_account_id|receiver_account_id|amount_eur|"
                 "transaction_type|channel\n%d|2026-10-25 10:15:30.123 UTC|a|b|12.50|P2P|\\N\n",
    "acquirer": {"transactionId": "c%d", "timestamp": "2026-10-29 10:15:30", "pan": "4111",
                 "merchantId": "m", "amount": "12.50", "currency": "EUR", "mcc": "5411"},
}  # fmt: skip


def check_banks(folder):
    """Sixteen banks' payments: each field is found, and the proposal reads them once the questions
    that it asks are answered."""
    path, proposal = os.path.join(folder, "bank"), os.path.join(folder, "bank.ini")
    for name, sample in BANKS.items():
        text = sample if isinstance(sample, str) else json.dumps(sample)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("%d", "7"))
        output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        assert "needed" not in text, (name, text)
        assert ('kind = "card"' in text) == (name == "acquirer"), text
        answers = ("zone = ?", "zone = Europe/Paris"), ('currency = "?"', 'currency = "USD"')
        for question, answer in answers:
            text = text.replace(question, answer)
        with open(proposal, "w", encoding="utf-8") as f:
            f.write(text)
        said = run(PROGRAM, "check", "--in", path, "--map", proposal)
        assert "1 can be scored" in said, (name, said, text)


def check_stream(folder):
    """Said before the service says it: used ids, other currencies, dates in the future."""
    path, rates = os.path.join(folder, "stream.jsonl"), os.path.join(folder, "stream.csv")
    future = 1924992000000  # 2031
    messages = [payment(i) for i in range(6)]
    messages += [payment(1), payment(2, amount_minor=77), payment(7, currency="JPY")]
    messages += [payment(8, ts=future), payment(9)]
    write_lines(path, messages)
    said = output(PROGRAM, "check", "--in", path)
    assert "7 can be scored, 3 cannot and go to a person, 0 are no payments" in said, said
    assert "1 more are the same as an earlier message" in said, said
    for part in (
        "line 8: tx_id: expected an id that no",
        "found t2, which line 3 has",
        "line 9: " "currency",
        "line 10: ts: lies ahead",
        "line 7 is the same as line 2",
    ):
        assert part in said, (part, said)
    for part in (
        "EUR, the currency of this stream (setting currency), or a rate for it (setting "
        "rates), found JPY",
        "--currency EUR --rates rates.csv",
        "2 currencies: 9 in EUR (90.0 %), 1 in JPY (10.0 %).\n",
    ):
        assert part in said, (part, said)
    write_lines(rates, ["currency,rate,date", "JPY,0.00612,2025-01-01"])
    said = output(PROGRAM, "check", "--in", path, "--currency", "EUR", "--rates", rates)
    assert "8 can be scored, 2 cannot" in said and "rates.csv" not in said, said
    write_lines(path, [payment(0), payment(7, currency="JPY")])
    said = run(PROGRAM, "check", "--in", path, "--currency", "EUR", "--rates", rates)
    assert "serve needs the same --currency and --rates.\n" in said, said
    rows = "tx_id", "ts", "kind", "from", "to", "amount_minor", "currency"
    write_lines(
        mapping := os.path.join(folder, "stream.ini"),
        ["[fields]", *(f"{row} = {row}" for row in rows), "[time]", "format = ms"],
    )
    said = run(
        PROGRAM, "check", "--in", path, "--map", mapping, "--currency", "EUR", "--rates", rates
    )
    assert "serve and produce need the same --map, and serve the same --currency and" in said, said
    write_lines(path, [payment(0), payment(0), payment(1)])
    assert "2 can be scored, 0 cannot" in run(PROGRAM, "check", "--in", path)


def check_replay_reads_all(folder):
    """replay takes what check takes, by the command that check prints: CSV, an array, a file of
    settings, and the lines that check wrote."""
    path, mapping = os.path.join(folder, "any.csv"), os.path.join(folder, "any-map.ini")
    lines, out = os.path.join(folder, "any.jsonl"), os.path.join(folder, "any.out")
    ini = os.path.join(folder, "any.ini")
    rows = [f"r{i},2026-01-0{i + 1} 10:00:00,A{i},B,{i + 1}.50" for i in range(4)]
    fields = 'tx_id = id|ts = at|kind = "card"|from = a|to = b|amount = c|currency = "EUR"'
    write_lines(mapping, ["[fields]", *fields.split("|"), "[time]", "format = iso", "zone = Z"])
    write_lines(ini, ["[kafka]", "topic = p", "[payments]", f"map = {mapping}", "[model]",
                      "model = none"])  # fmt: skip
    write_lines(path, ["id,at,a,b,c", *rows[:2], "short,row", *rows[2:]])
    said = run(PROGRAM, "replay", "--in", path, "--map", mapping, "--out", out, code=PARTIAL)
    assert "line 4: expected 5 fields, as the header has, found 2" in said, said
    assert [x["tx_id"] for x in scores(out)] == ["r0", "r1", "r2", "r3"]
    write_lines(path, ["id,at,a,b,c", *rows])
    said = run(PROGRAM, "check", "--in", path, "--map", mapping, "--out", lines)
    assert f"replay --in {lines} --map {mapping}\n" in said, said
    found = []
    array = os.path.join(folder, "any.json")
    with open(array, "w", encoding="utf-8") as f:
        json.dump(scores(lines), f)
    for args in (["--in", path, "--config", ini], ["--in", lines, "--config", ini],
                 ["--in", array, "--map", mapping, "--model", "none"]):  # fmt: skip
        run(PROGRAM, "replay", *args, "--out", out)
        found.append(scores(out))
    assert len(found[0]) == 4 and found[0] == found[1] == found[2], found


def check_majority(folder):
    """A stray first payment tells no currency: that of most is proposed, with all shares."""
    path = os.path.join(folder, "stray.jsonl")
    codes = ["USD", "JPY", "EUR", "EUR", "EUR", "JPY", "EUR", "EUR"]
    write_lines(path, [payment(i, currency=code) for i, code in enumerate(codes)])
    said = output(PROGRAM, "check", "--in", path)
    for part in (
        "1 can be scored, 7 cannot",
        "3 currencies: 5 in EUR (62.5 %), 2 in JPY (25.0 %), " "1 in USD (12.5 %).\n",
        "the first payment tells it: USD, in line 1. 7 payments " "are in another one",
        "--currency EUR --rates rates.csv",
    ):
        assert part in said, (part, said)
    said = output(PROGRAM, "check", "--in", path, "--currency", "JPY")
    assert "6 of them are in another currency than JPY and go" in said, said
    assert "--currency JPY --rates" in said, said
    write_lines(path, [payment(i) for i in range(3)])
    assert "currencies:" not in run(PROGRAM, "check", "--in", path)


def check_settings(folder):
    """The file of settings of serve serves check too; the command line wins over it."""
    path, rates = os.path.join(folder, "set.jsonl"), os.path.join(folder, "set.csv")
    mapping, ini = os.path.join(folder, "set-map.ini"), os.path.join(folder, "fraud.ini")
    rows = "tx_id", "ts", "kind", "from", "to", "amount_minor", "currency"
    write_lines(mapping, ["[fields]", *(f"{x} = own_{x}" for x in rows), "[time]", "format = ms"])
    write_lines(rates, ["currency,rate,date", "JPY,0.00612,2025-01-01"])
    messages = [payment(0), payment(1, currency="JPY")]
    write_lines(path, [{f"own_{key}": m[key] for key in rows} for m in messages])
    settings = f"map = {mapping}\ncurrency = EUR\nrates = {rates}"
    write_lines(ini, ["[kafka]", "brokers = nowhere:1", "[payments]", settings, "seen-ids = 5000"])
    said = run(PROGRAM, "check", "--in", path, "--config", ini)
    assert "2 can be scored" in said and "the same --currency and --rates" in said, said
    said = output(PROGRAM, "check", "--in", path, "--config", ini, "--currency", "CHF")
    assert "1 can be scored, 1 cannot" in said, said
    write_lines(ini, ["[payments]", "colour = red"])
    said = run(PROGRAM, "check", "--in", path, "--config", ini, code=2)
    assert 'unknown key "colour"' in said, said


def check_words(folder):
    """All words of a field that takes words are named with their counts, up to 20 of them."""
    path = os.path.join(folder, "words.jsonl")
    kinds = ["zulu", "m\u00fcnze", "zulu", 'a"b', "zulu"]
    write_lines(path, [payment(i, kind=kind) for i, kind in enumerate(kinds)])
    said = output(PROGRAM, "check", "--in", path)
    assert "in [kinds] of a mapping file, as card = zulu\n" in said, said
    assert 'found in all: 3 x "zulu", 1 x "m\u00fcnze", 1 x "a"b"\n' in said, said
    write_lines(path, [payment(i, kind=f"k{i % 25}") for i in range(50)])
    said = output(PROGRAM, "check", "--in", path)
    assert '2 x "k19", and 10 x others\n' in said and '"k20"' not in said, said
    write_lines(path, [payment(0, country="XQ"), payment(1, country="YQ"), payment(2)])
    assert 'found in all: 1 x "XQ", 1 x "YQ"\n' in run(PROGRAM, "check", "--in", path)
    foreign = [payment(i, currency=code) for i, code in enumerate(("EUR", "JPY", "CHF"))]
    write_lines(path, foreign)
    assert "found in all: 1 x JPY, 1 x CHF\n" in output(PROGRAM, "check", "--in", path)
    write_lines(path, [payment(i, amount_minor=-i) for i in range(3)])
    assert "found in all" not in output(PROGRAM, "check", "--in", path)


def check_rows(folder):
    """Rows of CSV that are no messages are said by line with the remedy, and all adds up."""
    path = os.path.join(folder, "rows.csv")
    row = ",2026-10-29T10:00:00Z,card,A,B,1.50,EUR"
    rows = ["tx_id,ts,kind,from,to,amount,currency", "1" + row, "2" + row + ",x", "3,A", ""]
    write_lines(path, [*rows, "1" + row, '4,"' + row[1:], "5" + row])
    said = output(PROGRAM, "check", "--in", path)
    for part in (
        "3 messages (CSV): 2 can be scored, 0 cannot and go to a person, 0 are no payments\n",
        "1 more are the same as an earlier message: the service drops them as duplicates\n"
        "  line 6 is the same as line 2\n",
        "3 more rows cannot be read and are no message:\n",
        '  line 3: expected 7 fields, as the header has, found 8, the last one "x": put quotes',
        "  line 4: expected 7 fields, as the header has, found 2",
        "  line 7: field 2: expected a closing quote, found none",
        "1 more row is blank\n",
    ):
        assert part in said, (part, said)
    write_lines(path, [rows[0], *[f"{i},A" for i in range(20)], "1" + row])
    assert "  and 8 more\n" in output(PROGRAM, "check", "--in", path)
    for content, words in (("", "found an empty file"), (rows[0] + "\n", "a header without rows")):
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)
        assert words in run(PROGRAM, "check", "--in", path, code=1)
    with open(path, "w", encoding="utf-8") as f:
        json.dump([payment(0, amount_minor=None, amount=125.10), payment(0, amount=7)], f)
    said = output(PROGRAM, "check", "--in", path)
    assert "1 can be scored" in said and "message 2 (line 1)" in said, said


PAIN = {"Document": {"PmtInf": [
    {"DbtrAcct": {"Id": {"IBAN": "DE1"}},
     "CdtTrfTxInf": [{"PmtId": {"EndToEndId": i}, "InstdAmt": {"@Ccy": "EUR", "#text": "12.50"},
                      "CdtrAcct": {"Id": {"IBAN": "FR2"}}} for i in range(2)]}] * 2,
    "GrpHdr": {"CreDtTm": "2026-10-29T10:00:00+01:00"}}}  # fmt: skip


def check_nested(folder):
    """Lists within a message: parties are found by their role, several payments are told with the
    command that takes them apart, and what no row can name is said."""
    path, proposal = os.path.join(folder, "nested.json"), os.path.join(folder, "nested.ini")
    parties = [{"role": "debtor", "account": "DE1"}, {"role": "creditor", "account": "FR2"}]
    messages = [
        {"messageId": f"m{i}", "createdAt": "2026-10-29T10:00:00Z", "type": "SCT", " x": 1,
         "parties": parties[:: 1 - 2 * i], "instructed": {"value": 12.5, "currency": "EUR"}}
        for i in range(2)
    ]  # fmt: skip
    write_lines(path, messages)
    said = output(PROGRAM, "check", "--in", path, "--propose", proposal)
    assert "write from = parties[role=debtor].account" in said, said
    assert "2 values of yours cannot be named" in said and "the first one is  x:" in said, said
    assert "is a list of up to" not in said, said
    assert "2 can be scored" in run(PROGRAM, "check", "--in", path, "--map", proposal)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(PAIN, f)
    said = output(PROGRAM, "check", "--in", path, "--propose", proposal)
    assert "Document.PmtInf.0.CdtTrfTxInf is a list of up to 2 places in one message" in said, said
    command = (
        """jq -c '. as $x0 | $x0["Document"]["PmtInf"][] as $x1 | $x1["CdtTrfTxInf"][] as $x2 | """
        """$x0 | .["Document"]["PmtInf"] = [$x1 | .["CdtTrfTxInf"] = [$x2]]' FILE > NEW\n"""
    )
    assert command in said, said
    with open(proposal, encoding="utf-8") as f:
        assert command in f.read()
    said = output(PROGRAM, "check", "--in", path, "--map", proposal)
    assert "expected one place in its list, found 2" in said, said
    one = json.loads(json.dumps(PAIN))
    one["Document"]["PmtInf"] = one["Document"]["PmtInf"][:1]
    del one["Document"]["PmtInf"][0]["CdtTrfTxInf"][1]
    write_lines(path, [one])
    assert "1 can be scored" in run(PROGRAM, "check", "--in", path, "--map", proposal)


def check_booking(folder):
    """The sign of a booking is recognised by name and values, asked for, and read. Rows that a
    condition leaves out are counted and said."""
    path, proposal = os.path.join(folder, "signs.csv"), os.path.join(folder, "signs.ini")

    def row(i, last):
        return f"{i},1767225600000,card,A,B,1,EUR,{last}"

    for name, debit, credit in (
        ("Soll/Haben", "S", "H"), ("S/H", "s", "h"), ("Debe/Haber", "D", "H"), ("D/C", "D", "C"),
        ("Signo", "D", "H"), ("CdtDbtInd", "DBIT", "CRDT"), ("anything", "-", "+"),
        ("SHKZG", "S", "H"), ("direction", "outgoing", "incoming"), ("Af/Bij", "Af", "Bij"),
        ("DebitCredit", "Debit", "Credit"), ("Type", "Debit", "Credit"), ("x", "Soll", "Haben"),
    ):  # fmt: skip
        rows = [f"{i},1767225600000,A,B{i},{i + 1},EUR,{credit if i == 2 else debit},"
                + ("OK" if i else "VOID") for i in range(4)]  # fmt: skip
        write_lines(path, [f"tx_id,ts,from,to,amount,currency,{name},status", *rows])
        said = output(PROGRAM, "check", "--in", path, "--propose", proposal)
        assert f"{name} looks like the sign of a booking, and is not read: 3 x {debit}, 1" in said
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        for line in (f"booking = {name}", "credits = ?", 'kind = "transfer"'):
            assert f"\n{line}\n" in text, (name, text)
        assert f"\ndebit = {debit}\ncredit = {credit}\n".lower() in text.lower(), (name, text)
        assert "swap|leave-out" in run(PROGRAM, "check", "--in", path, "--map", proposal, code=2)
        for answer, n in ("swap", 4), ("leave-out", 3):
            with open(proposal, "w", encoding="utf-8") as f:
                f.write(text.replace("credits = ?", f"credits = {answer}"))
            said = run(PROGRAM, "check", "--in", path, "--map", proposal)
            assert f"{n} can be scored, 0 cannot" in said, said
            assert "looks like the sign" not in said, said
            assert (f"1 x, first in line 4: {name}: left out by" in said) == (n == 3), said
    with open(proposal, "w", encoding="utf-8") as f:
        f.write(
            text.replace("credits = ?", "credits = swap")
            + "[rows]\nleave_out = status is VOID or stats is X\n"
        )
    said = run(PROGRAM, "check", "--in", path, "--map", proposal)
    assert "3 can be scored, 0 cannot" in said and "1 more are left out by the" in said, said
    assert "leave_out = stats: expected a field that messages have" in said, said
    assert 'did you mean "status"?' in said and "status is not read" not in said, said
    said = output(PROGRAM, "check", "--in", path, "--propose", proposal)
    assert "status is not read, and holds 1 x VOID, 3 x OK. Rows that are no payments" in said, said
    with open(proposal, encoding="utf-8") as f:
        assert "; leave_out = status is WORD, WORD\n" in f.read()
    write_lines(path, ["tx_id,ts,kind,from,to,amount,currency,Vorzeichen",
                       *[row(i, "xy"[i]) for i in range(2)]])  # fmt: skip
    run(PROGRAM, "check", "--in", path, "--propose", proposal)
    with open(proposal, encoding="utf-8") as f:
        text = f.read()
    assert "Vorzeichen holds 1 x x, 1 x y. Which of these words say that the account" in text, text
    assert "\ndebit = ?\n" in text and "\ncredit = ?\n" in text, text
    for name, values in ("note", "-x"), ("status", "DC"), ("type", "SX"):
        write_lines(path, [f"tx_id,ts,kind,from,to,amount,currency,{name}",
                           *[row(i, values[i]) for i in range(2)]])  # fmt: skip
        assert "sign of a booking" not in run(PROGRAM, "check", "--in", path), name


def check_more_names(folder):
    """Names of German and Spanish statements and of cards; of two countries one is asked for."""
    path, proposal = os.path.join(folder, "more.csv"), os.path.join(folder, "more.ini")
    for header, rows in (
        ("Buchungsnr;Datum;Konto;Gegenkonto;Betrag;Kanal",
         ("tx_id = Buchungsnr", "from = Konto", "to = Gegenkonto", "channel = Kanal")),
        ("Buchungsnummer;Datum;Kontonummer;IBAN Gegenkonto;Betrag;Kanal",
         ("tx_id = Buchungsnummer", "from = Kontonummer", "to = IBAN Gegenkonto")),
        ("Referencia;Fecha;Cuenta origen;Cuenta destino;Importe;Canal",
         ("from = Cuenta origen", "to = Cuenta destino", "channel = Canal")),
        ("id;date;card.token;merchant.id;amount;channel",
         ("from = card.token", "to = merchant.id", 'kind = "card"')),
    ):  # fmt: skip
        write_lines(path, [header, "7;30.10.2026;A;B;1;app"])
        output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        for row in rows:
            assert f"\n{row}\n" in text, (row, text)
    both = {"payer": {"country": "DE"}, "merchant": {"country": "FR"}}
    write_lines(path, [dict(payment(0), **both)])
    run(PROGRAM, "check", "--in", path, "--propose", proposal)
    with open(proposal, encoding="utf-8") as f:
        text = f.read()
    assert "\ncountry = ?\n" in text, text
    assert "; Countries stand in payer.country, merchant.country. Ours is that of the place" in text
    write_lines(path, [dict(payment(0), merchant=both["merchant"])])
    run(PROGRAM, "check", "--in", path, "--propose", proposal)
    with open(proposal, encoding="utf-8") as f:
        assert "\ncountry = merchant.country\n" in f.read()


def check_held(folder):
    """A field whose name tells nothing is proposed for its values, where it is the only such."""
    path, proposal = os.path.join(folder, "held.csv"), os.path.join(folder, "held.ini")
    held = "by its values, no name tells it: is it this field?"
    for lines, rows, lacks in (
        (["id,when,x,y,debtor,creditor", "1,2025-11-24T16:17:06Z,GBP,12.50,A,B",
          "2,2025-11-24T17:17:06Z,EUR,7.00,A,C"],
         ["ts = when", "currency = x", "amount = y"], []),
        (["id;Wann;Von;An;Summe", "1;24.11.2025 16:17;A;B;1.200,00",
          "2;25.11.2025 06:00;A;C;45,90"],
         ["ts = Wann", "from = Von", "to = An", "amount = Summe"], []),
        (["id;datum;Art;von;an;betrag", "1;24.11.2025 16:17;Kartenzahlung;A;B;1,00",
          "2;25.11.2025 06:00;Dauerauftrag;A;C;2,00", "3;25.11.2025 07:00;Sonstiges;A;C;2,00"],
         ["kind = Art"], ['kind = "transfer"']),
        (['{"id":"1","m":1764000000123,"src":"a","destination":"b","v":"1.20"}',
          '{"id":"2","m":1764000100123,"src":"a","destination":"b","v":"3"}'],
         ["ts = m", "from = src", "to = destination", "amount = v"], []),
        # Two that could be it, numbers that could be days of a spreadsheet, days alone.
        (["id,begun,ended,x", "1,2025-11-24T16:17:06Z,2025-11-24T16:17:09Z,45000.50",
          "2,2025-11-24T17:17:06Z,2025-11-24T17:17:09Z,46000.25"],
         ["ts = ?", "amount = x"], ["ts = x"]),
        (["id,when,code,pick", "1,2025-11-24,AB1,yes", "2,2025-11-25,AB2,no"],
         ["ts = ?"], ["ts = when", "currency = code", "amount = code"]),
    ):  # fmt: skip
        write_lines(path, lines)
        output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        assert all(f"\n{row}\n" in text for row in rows), (rows, text)
        assert not any(f"\n{row}\n" in text for row in lacks), (lacks, text)
        assert (held in text) == any("?" not in row for row in rows), text


def check_odd_values(folder):
    """One value that no form reads does not hide the form of all others, and is shown."""
    path, proposal = os.path.join(folder, "odd.csv"), os.path.join(folder, "odd-map.ini")
    rows = [f"T{i};{13 + i}.11.2025 10:0{i % 10};{i + 1}.250,50;EUR;A;B" for i in range(12)]
    header = "Txn ID;Booking date;Amount;Ccy;Payer;Payee"
    for at, odd, form, shown in (
        (2, "n.a.", "amounts = 1.234,50", 'Not read so: 1 of the first values, as "n.a."'),
        (1, "gestern", "format = %d.%m.%Y %H:%M", '1 of the first values, as "gestern"'),
    ):
        cells = rows[4].split(";")
        cells[at] = odd
        write_lines(path, [header, *rows[:4], ";".join(cells), *rows[5:]])
        said = output(PROGRAM, "check", "--in", path, "--propose", proposal)
        assert f'not read so: 1 of the first values, as "{odd}"' in said, said
        with open(proposal, encoding="utf-8") as f:
            text = f.read()
        assert f"\n{form}\n" in text and shown in text, text
        write_lines(path, [header, *([";".join(cells)] * 4), *rows])
        output(PROGRAM, "check", "--in", path, "--propose", proposal)
        with open(proposal, encoding="utf-8") as f:
            assert f"\n{form.split()[0]} = ?\n" in f.read()


def check_currency_setting(folder):
    """A currency that is none is refused with where it stands and the nearest code."""
    path, ini = os.path.join(folder, "money.jsonl"), os.path.join(folder, "money.ini")
    mapping = os.path.join(folder, "money-map.ini")
    write_lines(path, [payment(0)])
    for word in "EURO", "Eur", "\u20ac":
        write_lines(ini, ["[payments]", f"currency = {word}"])
        for command in "check", "replay":
            said = run(PROGRAM, command, "--in", path, "--config", ini, code=2)
            assert "money.ini:2: currency: expected a code of ISO 4217" in said, said
            assert f'found "{word}"; did you mean "EUR"?' in said, said
        rows = "tx_id ts kind from to amount_minor".split()
        write_lines(mapping, ["[fields]", f'currency = "{word}"', *[f"{x} = {x}" for x in rows]])
        said = run(PROGRAM, "check", "--in", path, "--map", mapping, code=2)
        assert "money-map.ini:2: currency: expected" in said and 'did you mean "EUR"?' in said, said


def check_advice(folder):
    """No constant is advised for what each payment has of its own."""
    path, lines = os.path.join(folder, "bare.jsonl"), os.path.join(folder, "bare.out")
    write_lines(path, [{"zz": i} for i in range(3)])
    said = output(PROGRAM, "check", "--in", path)
    for field in ("tx_id", "ts", "from", "to", "amount_minor"):
        assert f"write {field} = the path of yours" in said, said
    assert 'write currency = "EUR"' in said and 'write kind = "transfer"' in said, said
    write_lines(path, ["tx_id,ts,kind,from,to,amount,currency", "a,1767225600000,card,A,B,1.5,EUR"])
    said = run(PROGRAM, "check", "--in", path, "--out", lines)
    assert f"produce --in {lines};" in said, said
    assert f"produce --in {path};" in run(PROGRAM, "check", "--in", path)


def check_encodings(folder):
    """A file that is not UTF-8 is refused with its place and the remedy; nothing is proposed."""
    path, proposal = os.path.join(folder, "bank.csv"), os.path.join(folder, "bank.ini")
    lines = os.path.join(folder, "bank.jsonl")
    text = (
        "Umsatz-ID;Buchungstag;Empf\u00e4nger;Auftraggeber;Betrag;W\u00e4hrung\n"
        "1;2026-01-05T10:00:00+01:00;M\u00fcller;DE1;12.50;EUR\n"
    )
    row = text.replace("\u00e4", "a")
    array = json.dumps([{"W\u00e4hrung": "EUR"}], ensure_ascii=False)
    for content, encoding, said in (
        (text, "latin-1", "line 1, byte 27: expected UTF-8, found byte 0xe4, as latin1 has"),
        (row, "latin-1", "line 2, byte 30: expected UTF-8, found byte 0xfc, as latin1 has"),
        (text + "\u20ac", "windows-1252", "iconv -f windows-1252 -t utf8"),
        (array, "latin-1", "line 1, byte 4 of the message: expected UTF-8, found byte 0xe4"),
        (text, "utf-16", "found utf-16: write iconv -f utf-16 -t utf8"),
        (text, "utf-16-le", "found utf-16le"),
        (text, "utf-16-be", "found utf-16be"),
        (text, "utf-32", "found utf-32:"),
    ):
        with open(path, "wb") as f:
            f.write(content.encode(encoding))
        files = ["--propose", proposal, "--out", lines]
        found = run(PROGRAM, "check", "--in", path, *files, code=1)
        assert said in found, (encoding, found)
        assert not os.path.exists(proposal) and not os.path.exists(lines)
    for encoding in "utf-8", "utf-8-sig":
        with open(path, "wb") as f:
            f.write(text.encode(encoding))
        output(PROGRAM, "check", "--in", path, "--propose", proposal, "--out", lines)
        with open(proposal, encoding="utf-8") as f:
            assert "currency = W\u00e4hrung\n" in f.read()
        assert set(scores(lines)[0]) == set(text.split("\n", maxsplit=1)[0].split(";"))


def check_currencies(folder):
    """Two currencies are not compared, unless a rate is given."""
    path, out = os.path.join(folder, "two.jsonl"), os.path.join(folder, "two.out")
    rates = os.path.join(folder, "rates.csv")
    write_lines(path, [payment(0), payment(1, currency="JPY", amount_minor=5000), payment(2)])
    run(PROGRAM, "replay", "--in", path, "--out", out, code=PARTIAL)
    found = scores(out)
    assert "no rate" in found[1]["unscorable"] and "logit" in found[2], found
    write_lines(rates, ["currency,rate,date", "JPY,0.00612,2025-01-01"])
    money = ["--currency", "EUR", "--rates", rates]
    run(PROGRAM, "replay", "--in", path, "--out", out, *money)
    assert all("logit" in x for x in scores(out))
    run(PROGRAM, "replay", "--in", path, "--out", out, "--rates", rates, code=2)
    old = "A rate of JPY is 365 days older than a payment that it converts"
    assert old in run(PROGRAM, "check", "--in", path, *money)
    write_lines(rates, ["currency,rate,date", "JPY,0.00612,2025-12-15", "EUR,1,2025-01-01"])
    assert "days older" not in run(PROGRAM, "check", "--in", path, *money)


STATEMENT = {
    "NtryRef": "n0", "CdtDbtInd": "DBIT", "RvslInd": False, "Sts": {"Cd": "BOOK"},
    "Amt": {"Ccy": "EUR", "value": "12.50"}, "BookgDt": {"Dt": "2026-03-02"},
    "TxDtls": {"transactionTimestamp": "2026-03-02T07:15:00+01:00",
               "RltdPties": {"DbtrAcct": {"Id": {"IBAN": "DE1"}},
                             "CdtrAcct": {"Id": {"IBAN": "FR2"}}}},
}  # fmt: skip


def statement(i, **changes):
    entry = json.loads(json.dumps(dict(STATEMENT, NtryRef=f"n{i}", **changes)))
    entry["TxDtls"]["transactionTimestamp"] = f"2026-03-02T07:{15 + i}:00+01:00"
    entry["TxDtls"]["RltdPties"]["DbtrAcct"]["Id"]["IBAN"] = f"DE{i}"
    return entry


def check_statement(folder):
    """Of debtor and creditor the names say who pays, whatever the sign of the booking is. True and
    false are values too. A date alone gives way to a time."""
    path, proposal = os.path.join(folder, "camt.jsonl"), os.path.join(folder, "camt.ini")
    entries = [statement(0), statement(1, CdtDbtInd="CRDT"), statement(2, RvslInd=True),
               statement(3, Sts={"Cd": "PDNG"})]  # fmt: skip
    write_lines(path, entries)
    said = output(PROGRAM, "check", "--in", path, "--propose", proposal)
    assert "CdtDbtInd looks like the sign of a booking, and is not read: 3 x DBIT" in said, said
    assert "By their names from and to say\nwho pays, also in a credit." in said, said
    for words in "RvslInd is not read, and holds 3 x false, 1 x true", "Sts.Cd is not read, and":
        assert words in said, said
    with open(proposal, encoding="utf-8") as f:
        text = f.read().replace("tx_id = ?", "tx_id = NtryRef")
    assert "\nts = TxDtls.transactionTimestamp\n" in text and "\nbooking = " not in text, text
    assert "; leave_out = RvslInd is WORD, WORD or Sts.Cd is WORD\n" in text, text
    rows = "leave_out = RvslInd is true or Sts.Cd is PDNG\n[booking]\ndebit = DBIT\ncredit = CRDT\n"
    with open(proposal, "w", encoding="utf-8") as f:
        f.write(text.replace("[fields]", "[fields]\nbooking = CdtDbtInd") + "[rows]\n" + rows)
    said = programs.run(PROGRAM, "check", "--in", path, "--map", proposal)
    assert "2 can be scored" in said and "2 more are left out" in said, said
    assert "and is read: 3 x DBIT, 1 x CRDT" in said and "Take the row booking away" in said, said
    for entry in entries:  # the account of the statement in each row: then the sign tells
        entry["TxDtls"]["RltdPties"]["DbtrAcct"]["Id"]["IBAN"] = "DE1"
    write_lines(path, entries)
    said = output(PROGRAM, "check", "--in", path)
    assert "payer and payee change places there" in said, said


def check_answers_stay(folder):
    """A mapping file that somebody has answered is never replaced, an unanswered one is."""
    path, proposal = os.path.join(folder, "own.csv"), os.path.join(folder, "own.ini")
    write_lines(path, ["Id;Datum;Auftraggeber;Empfaenger;Betrag;Art",
                       *[f"{i};3{i}.10.2026 10:00;A;B;1,50;{w}"
                         for i, w in enumerate(("Kauf", "Refund"))]])  # fmt: skip
    propose = ["check", "--in", path, "--propose", proposal]
    said = output(PROGRAM, *propose)
    assert "Art is not read, and holds 1 x Kauf, 1 x Refund" in said, said
    programs.run(PROGRAM, *propose, code=PARTIAL)
    with open(proposal, encoding="utf-8") as f:
        text = f.read().replace("zone = ?", "zone = Europe/Berlin")
    with open(proposal, "w", encoding="utf-8") as f:
        f.write(text)
    said = programs.run(PROGRAM, *propose, code=2)
    assert "expected a new file or a proposal that nobody has answered" in said, said
    with open(proposal, encoding="utf-8") as f:
        assert f.read() == text
    write_lines(proposal, [
        "[fields]", "tx_id = Id", "ts = Datum", "from = Auftraggeber", "to = Auftraggeber",
        'kind = "card"', 'currency = "EUR"', "amount = Betrag", "[time]",
        "format = %d.%m.%Y %H:%M", "zone = Z", "[money]", "amounts = 1234,50"])  # fmt: skip
    said = programs.run(PROGRAM, "check", "--in", path, "--map", proposal, code=2)
    assert 'own.ini:5: to: expected another field than from, found "Auftraggeber"' in said, said
    with open(proposal, encoding="utf-8") as f:
        text = f.read().replace("to = Auftraggeber", "to = Empfaenger")
    with open(proposal, "w", encoding="utf-8") as f:
        f.write(text + "[rows]\nleave_out = Art is not X\n")
    said = output(PROGRAM, "check", "--in", path, "--map", proposal)
    assert "2 more are left out by the mapping file: nothing is left to be decided" in said, said
    assert "Send them with" not in said, said


def check_recordings(folder):
    """replay and calibrate take of a recording what check says and serve takes: no duplicate, no
    used id, no wild date, no foreign currency. They read what check reads."""
    path, out = os.path.join(folder, "rec.csv"), os.path.join(folder, "rec.out")
    mapping, labels = os.path.join(folder, "rec.ini"), os.path.join(folder, "rec.labels")
    start, hour = 1767225600, 3600
    rows = [f"p{i};{start + i * hour};A{i % 3};B{i % 4};{i + 1},50;EUR" for i in range(60)]
    rows[20:20] = [rows[3], "p4;1767225600;A;B;9,00;EUR", "q1;3786912000;A;B;1,00;EUR",
                   "q2;1767225600;A;B;1,00;JPY", "q3;x;A;B;1,00;EUR"]  # fmt: skip
    write_lines(path, ["Nr;Zeit;Von;Nach;Betrag;Waehrung", *rows])
    write_lines(mapping, [
        "[fields]", "tx_id = Nr", "ts = Zeit", "from = Von", "to = Nach", 'kind = "transfer"',
        "currency = Waehrung", "amount = Betrag", "[time]", "format = s", "[money]",
        "amounts = 1234,50"])  # fmt: skip
    write_lines(labels, ['{"tx_id": "p5", "is_fraud": true, "ts": 1767225600000}', "no label"])
    said = output(PROGRAM, "check", "--in", path, "--map", mapping)
    assert "60 can be scored, 4 cannot" in said and "1 more are the same as" in said, said
    args = ["--in", path, "--map", mapping, "--out", out, "--labels", labels]
    said = output(PROGRAM, "replay", *args)
    for words in ("60 payments scored", "4 payments cannot be scored",
                  "1 messages are the same as an earlier one: dropped as duplicates",
                  "1 lines of labels refused, the first is line 2: message: exp"):  # fmt: skip
        assert words in said, (words, said)
    found = scores(out)
    assert len(found) == 64 and sum("logit" in x for x in found) == 60
    for i, words in (20, "has"), (21, "ts "), (22, "no rate"), (23, "ts"):
        assert words in found[i]["unscorable"], (i, found[i])
    said = output(PROGRAM, "calibrate", *args, "--model", MODEL)
    assert "60 payments of 2.5 days, 1 labelled, 1 fraud" in said, said
    assert "note: 1 of 65 messages are the same as an earlier one: dropped as dupli" in said, said
    assert "note: 4 of 65 messages of payments refused, the first is line 23: tx_id" in said, said


def check_worlds(folder):
    """A world that does not fit into memory is refused before it begins."""
    args = ["generate", "--accounts", "1000000", "--out", os.path.join(folder, "world.jsonl")]
    said = run(PROGRAM, *args, "--days", "3650", code=2)
    assert "expected at most 20000000 payments, found a world of about" in said, said


def check_ibans(folder):
    """An account that is written in two ways is two accounts, and that is said."""
    path = os.path.join(folder, "iban.jsonl")
    plain, odd = "DE02120300000000202051", "DE02 1203 0000 0000 2020 51"
    write_lines(path, [payment(0, to=plain), payment(1, to=odd), payment(2, to=odd.lower())])
    said = run(PROGRAM, "check", "--in", path)
    assert f"2 payers and payees are an IBAN with blanks or small letters, as {odd}. " in said, said
    write_lines(path, [payment(0, to=plain), payment(1, to="AB12 3456"), payment(2)])
    assert "IBAN" not in run(PROGRAM, "check", "--in", path)


def check_full_disk(folder):
    """A report that cannot be written is no success, and a device stays one."""
    if not os.path.exists("/dev/full"):
        return
    path = os.path.join(folder, "disk.jsonl")
    write_lines(path, [payment(0)])
    for args in ["check", "--in", path], ["config", "sample"], ["check", "--help"]:
        with open("/dev/full", "w", encoding="utf-8") as full:
            p = subprocess.run([PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, check=False)
        assert p.returncode == 1 and b"writing standard output" in p.stderr, (args, p.stderr)
    p = subprocess.run(f"{PROGRAM} manual | head -1", shell=True, capture_output=True, check=True)
    assert b".TH" in p.stdout and not p.stderr, p
    pipe = os.path.join(folder, "pipe")
    os.mkfifo(pipe)
    for args in ["check", "--in", path], ["generate", "--accounts", "50", "--days", "7"]:
        with subprocess.Popen(f"cat {pipe} > {path}.read", shell=True) as reader:
            run(PROGRAM, *args, "--out", pipe)
            assert stat.S_ISFIFO(os.lstat(pipe).st_mode), args
            reader.wait(20)
        assert scores(path + ".read")[0]["tx_id"], args


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_replay(folder)
        check_overflow(folder)
        check_named_model(folder)
        check_flipped(folder)
        check_amounts(folder)
        check_small_units(folder)
        check_outside(folder)
        check_stranger(folder)
        check_table(folder)
        check_currencies(folder)
        check_encodings(folder)
        check_names(folder)
        check_misspelt(folder)
        check_zone_is_said(folder)
        check_countries(folder)
        check_clocks(folder)
        check_banks(folder)
        check_stream(folder)
        check_majority(folder)
        check_replay_reads_all(folder)
        check_settings(folder)
        check_words(folder)
        check_nested(folder)
        check_advice(folder)
        check_rows(folder)
        check_booking(folder)
        check_more_names(folder)
        check_held(folder)
        check_odd_values(folder)
        check_currency_setting(folder)
        check_statement(folder)
        check_answers_stay(folder)
        check_recordings(folder)
        check_worlds(folder)
        check_ibans(folder)
        check_full_disk(folder)
    print("intake: good")


main()
