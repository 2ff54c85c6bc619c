/* SPDX-License-Identifier: GPL-3.0-or-later */
/* desk.h - where the threads of POST /v1/decide hand their payments to the reading thread and wait
 * for the commit: a bounded number of places.
 *
 *     FREE ──ask──▶ WAITS ──take──▶ TAKEN ──told──▶ DONE ──ask returns──▶ FREE
 *                     │               └──time is up──▶ LEFT ──told──▶ FREE
 *                     └──time is up, or closed──▶ FREE: nothing was decided
 *
 * A payment is told of once: after its commit, or when it was dropped without one. Nobody is ever
 * told a decision that is not in PostgreSQL.
 *
 * Owns:    the bodies until they are taken; a record then owns its body.
 * Threads: fraud_desk_ask on any number; take and refuse on the reading thread; records are told of
 *          on the writing thread, and on the reading thread where they are put back.
 * Errors:  R1_E_NOMEM at the start; an answer says all others. */
#ifndef FRAUD_DESK_H
#define FRAUD_DESK_H

#include "write/record.h"

typedef struct fraud_desk fraud_desk;

typedef enum {
    FRAUD_ANSWER_DECIDED,  /* text: the decision's message */
    FRAUD_ANSWER_REPEATED, /* id and content were decided before: tx_id and content say what */
    FRAUD_ANSWER_REFUSED,  /* no payment; text: why */
    FRAUD_ANSWER_FULL,     /* every place is taken; nothing was decided */
    FRAUD_ANSWER_CLOSED,   /* the service ends, or dropped it; nothing was decided */
    FRAUD_ANSWER_LATE      /* no commit in time; it may still come */
} fraud_answer_kind;

typedef struct {
    fraud_answer_kind kind;
    char *text; /* malloc'ed, the caller's to free; may be NULL */
    bool id_reused;
    uint64_t content_hash;
    char tx_id[sizeof((fraud_payment *)0)->tx_id];
} fraud_answer;

r1_status fraud_desk_new(fraud_desk **out, size_t places, r1_err *err);
void fraud_desk_free(fraud_desk *d); /* NULL is fine; nobody asks any more, no record is out */
/* Copies the body, waits at most wait_ms for the commit. */
fraud_answer fraud_desk_ask(fraud_desk *d, const char *body, size_t len, int wait_ms);
bool fraud_desk_waits(fraud_desk *d); /* whether somebody waits to be taken; no lock */
size_t fraud_desk_held(fraud_desk *d);
/* Gives the record the next payment, as a message without partition and offset; false: nobody
 * waits. */
bool fraud_desk_take(fraud_desk *d, fraud_record *r);
/* Whoever waits to be taken is answered CLOSED, and so is whoever asks from now on. */
void fraud_desk_close(fraud_desk *d);

#endif
