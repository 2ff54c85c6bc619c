# SPDX-License-Identifier: Apache-2.0
"""Messages of the topic payments for tests."""


def payment(i, **changes):
    """Payment i of a small world: a minute after the one before. changes: fields that differ."""
    p = {
        "tx_id": f"t{i}",
        "ts": 1767225600000 + i * 60000,
        "kind": "transfer",
        "from": f"A{i % 7}",
        "to": f"B{i % 5}",
        "amount_minor": 1000 + i,
        "currency": "EUR",
    }
    p.update(changes)
    return p
