#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`config check` refuses what `serve` refuses, in the same words, with exit code 2 and without a
connection. Each case breaks one thing of a configuration that is good otherwise.

    tests/fraud/check_config.py R1-FRAUD MODEL OTHER_MODEL
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from programs import run  # noqa: E402

PROGRAM, MODEL, OTHER = (os.path.abspath(path) for path in sys.argv[1:4])
# Nothing listens there: a connection that is tried all the same gives another message.
AWAY = ["--postgres", "host=/does/not/exist dbname=r1", "--brokers", "127.0.0.1:1", "--wait", "0"]


def without(given, options):
    """The options, in pairs, but those that are given: an option stands once."""
    names = {g.partition("=")[0] for g in given}
    pairs = zip(options[::2], options[1::2])
    return [word for pair in pairs if pair[0] not in names for word in pair]


CUT = """{"format": "r1-fraud calibration 1", "model": "0", "made_at": "2026-01-01T00:00:00Z",
"review": {"at": %g, "per_day": 5}, "block": null}
"""


def files(folder):
    """The files that the cases name, each with one fault."""
    texts = {
        "kind": 'a: amount > 5 -> review\n\nb: kind == "transferr" -> block\n',
        "finding": 'a: finding != "cycle_3" -> block\n',
        "currency": 'a: currency == "EURO" -> block\n',
        "country": 'a: country == "de" -> block\n',
        "hour": "a: hour == 24 -> review\n",
        "probability": "a: probability > 2 -> review\n",
        "number": "a: logit > nan -> review\n",
        "broken": "a: amount >\n",
        "zero": "a: amount > 5 -> review\n\0b: amount > 6 -> review\n",
        "list": "GOOD#1,fine\nTWO,ACCOUNTS,TOMORROW\n",
        "long": "A" * 256 + "\n",
        "good": 'a: kind == "transfer" and finding == "cycle" and country != "" -> review\n',
        "accounts": "  ONE\n# a comment\n\nTWO#2\n",
        "noise": "no model\n",
        "listed": 'a: from in list("mules") -> block\n',
        "cut": CUT % 0.3,
        "cut2": CUT % 1.3,
    }
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
    os.mkdir(os.path.join(folder, "empty"))


def other_columns(folder):
    """The model with a column of another name, and the hash that belongs to it: a model that is
    sound, and of other columns than this program makes."""
    path = os.path.join(folder, "columns")
    with open(MODEL, "rb") as f:
        model = f.read().replace(b'"hour_sin"', b'"hour_sim"')
    with open(path, "wb") as f:
        f.write(model)
    said = run(PROGRAM, "serve", *AWAY, "--model", path, code=2)
    old, new = (struct.pack("<Q", int(h, 16)) for h in re.findall(r"\b[0-9a-f]{16}\b", said))
    with open(path, "wb") as f:
        f.write(model.replace(old, new))


CASES = [
    (["--block-at", "0.5"], "block-at: expected calibration beside it, found none"),
    (
        ["--review-at", "0.9", "--block-at", "0.5", "--calibration", "@cut"],
        "review-at <= block-at, found 0.9 and 0.5",
    ),
    (["--calibration", "@cut"], "calibration: expected one that was found with the model"),
    (["--calibration", "@noise"], "@noise:1: "),
    (["--calibration", "@cut2"], "@cut2: review.at: expected a number from 0 to 1, found another"),
    (["--list.mules", "@none"], "@none: No such file"),
    (["--list.block_list", "@accounts"], "list.block_list: expected a name of 1 to 31 letters"),
    (["--list", "@accounts"], "command line: expected a setting list.NAME, found list alone"),
    (["--rules", "@listed"], 'expected the name of a list of the settings, found "mules"'),
    (
        ["--rules", "@listed", "--list.mule", "@accounts"],
        '@listed:1:17: expected the name of a list of the settings, found "mules"; did you mean '
        '"mule"?',
    ),
    (["--review-at", "1.5"], "review-at must lie in 0..1"),
    (["--rules", "@none"], "@none: No such file"),
    (
        ["--rules", "@kind"],
        '@kind:3:12: kind: expected one of transfer, card, cash, found "transferr"',
    ),
    (["--rules", "@finding"], "@finding:1:15: finding: expected one of fan_in, fan_out, cycle, "),
    (["--rules", "@currency"], '@currency:1:16: currency: expected an ISO 4217 code, found "EURO"'),
    (["--rules", "@country"], "@country:1:15: country: expected a code of ISO 3166-1"),
    (["--rules", "@hour"], "@hour:1:12: expected hour as a whole number from 0 to 23, found 24"),
    (["--rules", "@probability"], "@probability:1:18: expected probability as 0 to 1, found 2"),
    (["--rules", "@number"], "@number:1:12: expected a number that is finite, found nan"),
    (["--rules", "@broken"], "@broken:1:12: expected a field, a function or a value, found"),
    (["--rules", "@zero"], "@zero:2: expected text, found a zero byte"),
    (["--allow-list", "@none"], "@none: No such file"),
    (["--allow-list", "@list"], "@list:2: expected an expiry as a date, 2027-12-31, found TOMO"),
    (["--block-list", "@long"], "@long:1: expected an account of at most 255 bytes, found 256"),
    (["--model", "@none"], "@none: No such file"),
    (["--model", "@noise"], "GGUF: expected"),
    (["--model", OTHER], "was trained with feature schema"),
    (["--model", "@columns"], "was trained with feature schema"),
    (["--topic", "pay ments"], "topic: expected a topic of 1 to 249 letters"),
    (["--topic", ""], "topic: expected a topic of 1 to 249 letters"),
    (["--dead-topic", ".."], "dead-topic: expected a topic"),
    (["--decisions-topic", "x" * 250], "decisions-topic: expected a topic"),
    (
        ["--decisions-topic", "payments"],
        'decisions-topic: expected another topic than topic reads, found "payments"',
    ),
    (["--labels-topic", "payments"], "labels-topic: expected another topic than topic reads"),
    (
        ["--labels-topic", "l", "--dead-topic", "l"],
        "dead-topic: expected another topic than labels-topic reads",
    ),
    (
        ["--decisions-topic", "out", "--dead-topic", "out"],
        'dead-topic: expected another topic than decisions-topic writes, found "out"',
    ),
    (["--brokers", "host:port"], "brokers: expected host:port"),
    (["--brokers", "a:1,,b:2"], "brokers: expected host:port"),
    (["--kafka-extra", "no.such.setting=1"], "librdkafka refuses no.such.setting"),
    (["--kafka-extra", "fetch.min.bytes"], 'expected key=value, found "fetch.min.bytes"'),
    (["--postgres", "nonsense here=1"], "postgres: expected key=value pairs"),
    (["--migrations", "@empty"], "@empty: expected files NNNN_name.sql, found none"),
    (["--migrations", "@none"], "@none: no folder of migrations"),
    (["--memory-accounts", "1000000"], "memory-accounts: expected at most the 262144 accounts"),
    (["--accounts", "1000"], "memory-accounts: expected at most the 1000 accounts"),
    (["--edges", "268435456"], "edges must lie in 16..268435455"),
    (
        ["--model-deadline", "5", "--fetch-wait", "20"],
        "model-deadline: expected more than fetch-wait (20 ms), found 5",
    ),
    (["--stats-skip", "5"], "stats-skip: expected stats beside it, found none"),
    (["--stats", "@none/x.json"], 'stats: expected a folder to write to, found "@none"'),
    (["--batch-rows", "501"], "batch-rows must lie in 1..500"),
]

# Settings files with one fault each. GOOD stands behind it: a good key changes nothing.
GOOD = "[kafka]\ngroup = mine\n"
INI_CASES = [
    ("[decision]\nreview_at = 1.5\n", ":2: review-at must lie in 0..1, found 1.5"),
    ("[decision]\nreview_at = high\n", ':2: review-at must be a number, found "high"'),
    ("\n[postgres]\nbatch_rows = 501\n", ":3: batch-rows must lie in 1..500"),
    ("[postgres]\nbatch_row = 5\n", ':2: unknown key "batch_row"'),
    ("[kafka]\nbatch_rows = 5\n", ':2: key "batch_rows" belongs to section [postgres]'),
    ("[model]\ngraph = maybe\n", ':2: graph must be true or false, found "maybe"'),
    ("[model]\nprecision = f16\n", ":2: precision must be one of auto|f32|int8"),
    ("[postgres]\npostgres_file = @none\n", ":2: postgres-file: @none: No such file"),
    ("[kafka]\ngroup = r1 # my group\n", ":2: group: expected a comment on a line of its own"),
    ("[kafka]\nbrokers\n", ":2: expected [section] or key = value"),
    ("[payments]\ncurrency = EURO\n", ":2: currency: expected a code of ISO 4217 that has a minor"),
]

# Files whose fault is in the bytes, and what librdkafka and libpq refuse only when they begin.
RAW = {
    "mark": b"\xef\xbb\xbfa: amount > 5 -> review\n",
    "latin": b"# fine\n# K\xe4se\n",
    "hidden": b"ONE\nTW\x1bO\n",
    "turned": "a: amount > 5 -> review\n# \u202e\n".encode(),
    "same": b"a: amount > 5 -> review\n\na: amount > 6 -> review\n",
    "comma": b"ONE\nTWO,3,4\n",
    "quotes": b'"ONE\n',
    "ours": b"ONE\n# fine\nTWO\n",
    "theirs": b"THREE\nTWO\n",
}
CASES += [
    (["--rules", "@mark"], "@mark:1: expected text, found a byte order mark"),
    (["--rules", "@latin"], "@latin:2: expected text, found a byte that is not UTF-8"),
    (["--rules", "@turned"], "@turned:2: expected text, found a character that is not seen"),
    (["--rules", "@same"], '@same:3: expected a name of its own, found "a" of line 1 again'),
    (["--allow-list", "@mark"], "@mark:1: expected text, found a byte order mark"),
    (["--allow-list", "@hidden"], "@hidden:2: expected text, found a character that is not seen"),
    (["--allow-list", "@zero"], "@zero:2: expected text, found a zero byte"),
    (["--allow-list", "@comma"], "@comma:2: expected an expiry as a date, 2027-12-31, found 4"),
    (["--block-list", "@quotes"], "@quotes:1: expected the quote that ends the field on its line"),
    (
        ["--allow-list", "@ours", "--block-list", "@theirs"],
        "@theirs:2: expected an account that @ours has not, found TWO of its line 3",
    ),
    (["--kafka-extra", "receive.message.max.bytes=1000"], "Kafka consumer: `receive.message"),
    (["--kafka-extra", "security.protocol=sasl_ssl"], "Kafka consumer: "),
    (["--kafka-extra", "partition.assignment.strategy=nope"], "Kafka consumer: "),
    (["--kafka-extra", "max.poll.interval.ms=1"], "Kafka consumer: `max.poll.interval.ms`"),
    (["--kafka-extra", "retries=0"], "Kafka producer: `retries`"),
    (["--kafka-extra", "request.timeout.ms=0"], "librdkafka refuses request.timeout.ms = 0: "),
    (["--kafka-extra", "bootstrap.servers=a:1"], "the option --brokers sets, found bootstrap.se"),
    (["--kafka-extra", "metadata.broker.list=a:1"], "the option --brokers sets, found metadata"),
    (["--kafka-extra", "group.id=a"], "expected none that the option --group sets, found group.id"),
    (["--kafka-extra", "fetch.min.bytes=5"], "the option --fetch-min sets, found fetch.min.bytes"),
    (["--kafka-extra", "topic.acks=1"], "expected none that the program itself sets, found acks"),
    (["--postgres", "port=abc"], "postgres: port: expected a whole number from 1 to 65535"),
    (["--postgres", "host=/x port=99999"], "postgres: port: expected a whole number from 1 to"),
    (["--postgres", "host=a port=1,2"], "postgres: port: expected one port, or one for each of 1"),
    (["--postgres", "postgresql://h:0/db"], "postgres: port: expected a whole number from 1 to"),
    (["--postgres", "sslmode=bogus"], "postgres: sslmode: expected one of disable|allow|prefer|"),
    (["--postgres", "target_session_attrs=rw"], "postgres: target_session_attrs: expected one of"),
    (["--postgres", "keepalives_idle=soon"], "postgres: keepalives_idle: expected a whole number"),
    (["--stats", "@empty"], 'stats: expected a file, found a folder at "@empty"'),
    (["--stats", "/dev/null"], 'stats: expected a file, found a device or pipe at "/dev/null"'),
    (["--stats", "/proc/x"], 'stats: expected a file that can be made, found "/proc/x": '),
    (["--stats", ""], 'stats: expected a file, found ""'),
    (["--group", ""], 'group: expected the name of a consumer group, found ""'),
]


def unfilled(folder):
    """A rule on a field that the mapping file never fills can never match: it is noted."""
    rules, mapping = os.path.join(folder, "abroad.txt"), os.path.join(folder, "abroad.ini")
    fields = "tx_id = a|ts = b|kind = c|from = d|to = e|amount = f|currency = g".split("|")
    with open(rules, "w", encoding="utf-8") as f:
        f.write('abroad: country in ("FR", "ES") -> review\n')
    note = "abroad.txt:1:9: country is missing in each payment, because the mapping file has no row"
    args = ["config", "check", *AWAY, "--model", "none", "--rules", rules]
    assert note not in run(PROGRAM, *args)
    for row in "", "country = h":
        with open(mapping, "w", encoding="utf-8") as f:
            f.write("\n".join(["[fields]", *fields, row, ""]))
        said = run(PROGRAM, *args, "--map", mapping)
        assert (note in said) == (not row), said
    with open(mapping, "w", encoding="utf-8") as f:
        f.write("\n".join(["[fields]", *fields, ""]))
    p = subprocess.run([PROGRAM, "reload", "--rules", rules, "--map", mapping],
                       capture_output=True, text=True, check=False)  # fmt: skip
    assert note in p.stdout, p.stdout


def secrets(folder):
    """A secret comes from a file that its owner alone can read, and is printed nowhere."""

    def write(name, text, mode):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    own, others = write("own", "hunter two=2\n", 0o600), write("others", "hunter two=2\n", 0o644)
    conninfo = write("conninfo", "host=/does/not/exist dbname=r1 password=hunter2\n", 0o600)
    sasl = "[kafka]\nextra.security.protocol = sasl_plaintext\nextra.sasl.mechanisms = PLAIN\n"
    sasl += "extra.sasl.username = r1 fraud = me\n"
    good = [
        (sasl + "extra.sasl.password = hunter two=2\n", 0o600, []),
        (sasl + f"extra.sasl.password_file = {own}\n", 0o644, []),
        (sasl, 0o644, ["--extra.sasl.password-file", own]),
        ("[kafka]\nkafka_extra = sasl.username=me sasl.password=hunter2\n", 0o600, []),
        ("[postgres]\npostgres = host=/x password=hunter2\n", 0o600, []),
        (f"[postgres]\npostgres_file = {conninfo}\n", 0o644, []),
    ]
    bad = [
        (sasl + "extra.sasl.password = hunter two=2\n", 0o644, [], "found mode 644: chmod 600"),
        (sasl + f"extra.sasl.password_file = {others}\n", 0o600, [], "found mode 644: chmod 600"),
        (sasl, 0o600, ["--extra.sasl.password=hunter2"], "found it in the command line"),
        (sasl, 0o600, ["--kafka-extra", "sasl.password=hunter2"], "found it in the command line"),
        ("", 0o600, ["--postgres", "password=hunter2"], "found it in the command line"),
        ("", 0o600, ["--postgres", "postgresql://me:hunter2@h/db"], "in the command line"),
        ("[postgres]\npostgres = password=hunter2\n", 0o640, [], "found mode 640: chmod 600"),
        (f"[postgres]\npostgres_file = {others}\n", 0o600, [], "found mode 644: chmod 600"),
        ("[kafka]\nkafka_extra = sasl.password=hunter 2\n", 0o600, [], 'found "***"'),
        (
            "[kafka]\nextra.security.protocol = ssl\nextra.ssl.key.pem = hunter2\n",
            0o600,
            [],
            "Kafka consumer: ",
        ),
        ("[kafka]\nextra.fetch.min.bytes = 5\n", 0o600, [], "the option --fetch-min sets"),
        ("[kafka]\nextra.no.such = 5\n", 0o600, [], "librdkafka refuses no.such = 5"),
    ]
    for i, (text, mode, args) in enumerate(good):
        ini = write(f"good{i}.ini", text, mode)
        said = run(PROGRAM, "config", "check", "--config", ini, "--model", "none", *args)
        assert said.startswith("configuration: good"), said
        assert "\nnot connected: whether PostgreSQL" in said, said  # nobody did look
        said += run(PROGRAM, "config", "dump", "--config", ini, *args)
        assert "***" in said and "hunter" not in said, said
        other = write(f"other{i}.ini", text.replace("hunter", "gatherer"), mode)
        said = run(PROGRAM, "config", "diff", other, "--config", ini, *args)
        assert "hunter" not in said and "gatherer" not in said, said
    for i, (text, mode, args, expected) in enumerate(bad):
        ini = write(f"bad{i}.ini", text, mode)
        said = run(PROGRAM, "config", "check", "--config", ini, "--model", "none", *args, code=2)
        assert expected in said and "hunter" not in said, f"{text} {args}: {said}"
    return len(good) + len(bad)


def message(command, stderr):
    """Behind lines of the log, such as one about a model without a checksum."""
    start = f"r1-fraud {command}: "
    stderr = re.sub(r"^\S+ warn [^\n]*\n", "", stderr)
    assert stderr.startswith(start), stderr
    return stderr[len(start) :]


def calibrations(folder):
    """A stream that is short, and labels that cannot be read, are told."""
    start = 1767225600000
    with open(os.path.join(folder, "few.jsonl"), "w", encoding="utf-8") as f:
        for i in range(53):
            f.write(
                f'{{"tx_id": "t{i}", "ts": {start + 8000000 * i}, "kind": "transfer", "from": '
                f'"A{i % 5}", "to": "B{i % 7}", "amount_minor": {1000 + i}, "currency": "EUR"}}\n'
            )
    with open(os.path.join(folder, "labels.jsonl"), "w", encoding="utf-8") as f:
        f.write("x" * 70000 + "\n{}\n")
        f.write(f'{{"tx_id": "other", "ts": {start}, "is_fraud": true}}\n')
    args = ["--model", MODEL, "--in", "few.jsonl", "--out", "few.json"]
    said = run(PROGRAM, "calibrate", *args)
    assert "note: 53 payments of 4.8 days are few" in said, said
    least = float(re.search(r"review +from probability ([0-9.]+)", said).group(1))
    assert least >= 0.2, said
    args += ["--labels", "labels.jsonl", "--review-precision", "0.3"]
    said = run(PROGRAM, "calibrate", *args, code=2)
    assert "found 0, of them fraud 0, 2 lines of labels refused, 1 of no payment here" in said, said


def currencies(folder):
    """A currency that is none is refused by each command that reads the settings of serve."""
    for name, code in ("good.ini", "EUR"), ("euro.ini", "EURO"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(f"[payments]\ncurrency = {code}\n[service]\npid-file = no.pid\n")
    for command in (["config", "check", "--config", "euro.ini"],
                    ["config", "diff", "euro.ini", "--config", "good.ini"],
                    ["config", "try", "euro.ini", "--config", "good.ini", *AWAY[:2]],
                    ["reload", "--config", "euro.ini"],
                    ["calibrate", "--config", "euro.ini", "--out", "x", *AWAY[:2]]):  # fmt: skip
        said = run(PROGRAM, *command, code=2)
        assert "euro.ini:2: currency: expected a code of ISO 4217" in said, (command, said)


def variables():
    """A mistyped setting in the environment is said; other programs' variables are not."""
    names = ("R1_BATCH_ROW", "R1_BATCHROWS", "R1_BATCH_ROWS", "R1_BIN", "R1_LAB", "R1_SOURCE")
    p = subprocess.run([PROGRAM, "config", "check", *AWAY], capture_output=True, encoding="utf-8",
                       check=False, env=dict(os.environ, **dict.fromkeys(names, "1")))  # fmt: skip
    said = [line for line in p.stderr.splitlines() if "environment" in line]
    assert p.returncode == 0 and len(said) == 2, p.stderr
    for name in names[:2]:
        assert any(f"{name} is not known" in s and "R1_BATCH_ROWS?" in s for s in said), said


def main():
    with tempfile.TemporaryDirectory(prefix="r1-config-") as folder:
        files(folder)
        other_columns(folder)
        for name, data in RAW.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        os.chdir(folder)  # where no default path leads to a file

        def named(text):
            return text.replace("@", folder + "/")

        def refused(args, code=2):
            given = [named(a) for a in args]
            args = [*without(given, [*AWAY, "--model", MODEL]), *given]
            checked = message("config", run(PROGRAM, "config", "check", *args, code=code))
            served = message("serve", run(PROGRAM, "serve", *args, code=code))
            assert checked == served, f"{args}:\n  check says {checked}  serve says {served}"
            return checked

        for args, expected in CASES:
            found = refused(args)
            assert (
                named(expected) in found
            ), f"{args}:\n  expected {named(expected)}\n  found    {found}"
        # A password may stand where a port is read: the text is not shown.
        assert "secret" not in refused(["--postgres", "postgresql://me:secret/x@h/db"])
        said = run(PROGRAM, "serve", "extra", *AWAY, "--model", "none", code=2)
        assert '"extra"; --help shows the usage' in said, said
        for words in "check extra", "diff", "try", "checks":
            said = run(PROGRAM, "config", *words.split(), *AWAY, "--model", "none", code=2)
            assert f'try FILE, found "{words}"' in said, said
        said = run(PROGRAM, "dlq", "list", "5", code=2)
        assert "expected list, show ID, replay ID" in said, said
        ini = named("@ini")
        for text, expected in INI_CASES:
            with open(ini, "w", encoding="utf-8") as f:
                f.write(named(text) + GOOD)
            found = refused(["--config", ini])
            assert found.startswith(ini + named(expected)), f"{text}: found {found}"
        with open(ini, "w", encoding="utf-8") as f:
            f.write("[kafka]\ntopik = a\n[state]\nedges = many\n[http]\ntopic = b\n" * 9)
        said = run(PROGRAM, "config", "check", "--config", ini, code=2)
        assert "has 27 mistakes:\n" in said and "  and 7 more\n" in said, said
        for line, words in (2, 'unknown key "topik"'), (4, "edges must be"), (6, "in [http]"):
            assert any(f":{line}: " in x and words in x for x in said.splitlines()), (line, said)
        good = [
            "--rules",
            named("@good"),
            "--allow-list",
            named("@accounts"),
            "--decisions-topic",
            "out",
            "--dead-topic",
            "dead",
            "--stats",
            named("@stats"),
        ]
        for model in MODEL, "none":
            said = run(PROGRAM, "config", "check", *AWAY, "--model", model, *good)
            assert said.startswith("configuration: good, model "), said
            assert "rules=1 allow_list=2" in said, said
        unfilled(folder)
        said = run(PROGRAM, "config", "check", *AWAY, "--model", "none", "--seen-ids", "2000000000")
        assert "memory: 2,000,000,000 ids that are known again" in said, said
        assert "memory: warning: memory: expected room for all of it" in said, said
        left = [name for name in os.listdir(folder) if name.startswith("stats")]
        assert not left, f"config check left {left}"
        dump = run(PROGRAM, "config", "dump", *AWAY, "--model", MODEL, *good)
        with open(ini, "w", encoding="utf-8") as f:
            f.write(dump)
        said = run(PROGRAM, "config", "check", "--config", ini)
        assert "rules=1 allow_list=2" in said, said
        with open(ini, "w", encoding="utf-8") as f:
            sample = run(PROGRAM, "config", "sample")
            f.write(sample)
        sections = re.findall(r"^#? ?(\[\w+\])$", sample, re.MULTILINE)
        assert "[model]" in sections and len(sections) == len(set(sections)), sections
        calibrations(folder)
        currencies(folder)
        variables()
        said = run(PROGRAM, "config", "check", "--config", ini)
        assert said.startswith("configuration: good, model "), said
        away = run(PROGRAM, "serve", *AWAY, "--model", "none", *good, code=1)
        assert "PostgreSQL is not there after 0 s" in away, away
        n_secret = secrets(folder)
    n = len(CASES) + len(INI_CASES) + n_secret
    print(f"{n} broken configurations refused alike by config check and serve")


main()
