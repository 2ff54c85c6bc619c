/* SPDX-License-Identifier: GPL-3.0-or-later */
/* redrive.h - one dead letter on its way back to its topic: as it was, or with another payload.
 *
 * A letter keeps its key and its headers; a tombstone stays one. The header sent_us is left out, so
 * that the time in which it lay here is no latency. It gets the header r1-dlq-id with its id. A
 * letter that carries this header when it dies has come back: sending it again would go round in a
 * circle, so that needs `force`.
 *
 * Owns:    a letter owns its bytes.
 * Threads: one.
 * Errors:  R1_E_NOT_FOUND: no such letter. R1_E_INVAL: it must not be sent, with the reason. Else
 *          as PostgreSQL and the broker give them. */
#ifndef FRAUD_REDRIVE_H
#define FRAUD_REDRIVE_H

#include "store/store.h"
#include "write/letter.h"
#include "write/record.h"

#define FRAUD_DLQ_ID_HEADER "r1-dlq-id"
enum { FRAUD_CHAIN_MAX = 16 };

typedef struct {
    int64_t id, offset, replays;
    int partition;
    char *topic, *stage, *reason, *received, *replayed; /* replayed NULL: never */
    char *key, *payload;                                /* NULL: absent */
    size_t key_len, payload_len;
    bool mended;
    fraud_headers headers;
    int64_t parent; /* the letter that it was before; 0: it came from elsewhere */
} fraud_dead_letter;

r1_status fraud_dead_letter_fetch(r1_store *s, int64_t id, fraud_dead_letter *out, r1_err *err);
void fraud_dead_letter_free(fraud_dead_letter *l); /* all zero bytes are fine */
/* Whether it may be sent back: as it is, or mended, which is what helps one that came back. */
r1_status fraud_dead_letter_check(const fraud_dead_letter *l, bool mended, r1_err *err);
/* Sends it, waits for the broker's acknowledgement, counts it. payload NULL: its own. */
r1_status fraud_dead_letter_send(r1_store *s, r1_producer *p, const fraud_dead_letter *l,
                                 const char *payload, size_t len, r1_err *err);

#endif
