# SPDX-License-Identifier: Apache-2.0
"""What contradicts one result for each message: shared by the suites end to end and the long
runs."""

RESULTS = ("payment", "duplicate", "dead_letter")


def message_defects(s, sent, topic="payments"):
    """Everything that contradicts one row for each of `sent` messages; empty when all is well."""
    found = []
    offsets = " UNION ALL ".join(
        f"SELECT partition, kafka_offset FROM r1.{t} WHERE topic = '{topic}'" for t in RESULTS
    )
    rows, distinct = s.sql(
        f"SELECT count(*), count(DISTINCT (partition, kafka_offset)) FROM ({offsets}) o"
    )[0]
    if int(rows) != sent or int(distinct) != sent:
        found.append(f"messages: expected {sent}, found {rows} rows for {distinct} offsets")
    for fault, n in s.sql("SELECT fault, count(*) FROM r1.orphan GROUP BY fault"):
        found.append(f"{n} rows: {fault}")
    return found
