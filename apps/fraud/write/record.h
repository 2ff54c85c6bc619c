/* SPDX-License-Identifier: GPL-3.0-or-later */
/* record.h - what travels from the scoring thread to the writing thread: one consumed message
 * and what became of it, in a bounded queue that keeps the order of consumption.
 *
 * Owns:    a fixed pool of records; each lends out its Kafka message until the writer has
 *          committed it.
 * Threads: one producer (scoring), one consumer (writing). Blocking calls wake up on
 *          fraud_queue_close. */
#ifndef FRAUD_RECORD_H
#define FRAUD_RECORD_H

#include "decide/policy.h"
#include "payment/notes.h"
#include "stream/stream.h"
#include "write/alert.h"

typedef enum {
    FRAUD_RECORD_PAYMENT,   /* payment and decision */
    FRAUD_RECORD_DUPLICATE, /* tx_id seen before, with the same content */
    FRAUD_RECORD_DEAD,      /* not processable: reason */
    FRAUD_RECORD_LABEL,     /* label applied */
    FRAUD_RECORD_LEFT_OUT   /* by the mapping file: its offset is passed, and it has no row */
} fraud_record_kind;

/* Where a message was refused: the column `stage` of r1.dead_letter. */
typedef enum {
    FRAUD_STAGE_DECODE = 0, /* no payment or label: JSON, fields, ranges */
    FRAUD_STAGE_VALIDATE,   /* the engine refused it */
    FRAUD_STAGE_WRITE,      /* PostgreSQL refused its row */
    FRAUD_N_STAGE
} fraud_stage;
const char *fraud_stage_name(fraud_stage stage);

/* Moments of a record's way, on the clock that never goes back: fraud_record.clock_us. */
typedef enum {
    FRAUD_CLOCK_READ = 0,
    FRAUD_CLOCK_DECODED,
    FRAUD_CLOCK_APPLIED,
    FRAUD_CLOCK_SCORED,
    FRAUD_CLOCK_DECIDED,
    FRAUD_CLOCK_QUEUED,
    FRAUD_N_CLOCK
} fraud_clock;

enum {
    FRAUD_DEAD_REASON_BYTES = 251, /* NUL included, as in the others */
    FRAUD_APART_TEXT_BYTES = 320
};

/* FRAUD_TOPIC_HTTP: payments of POST /v1/decide. In the ledger it is a topic of one partition, so
 * its offsets are moved, fenced and asked about as all others are. Kafka is not asked about it. */
typedef enum {
    FRAUD_TOPIC_PAYMENTS = 0,
    FRAUD_TOPIC_LABELS,
    FRAUD_TOPIC_HTTP,
    FRAUD_N_TOPIC
} fraud_topic;
#define FRAUD_HTTP_TOPIC_NAME "http"

/* What became of a record that somebody outside of the stream waits for. */
typedef enum {
    FRAUD_OUTCOME_DROPPED = 0, /* it went without a commit: nothing was decided */
    FRAUD_OUTCOME_REFUSED,     /* it is no payment */
    FRAUD_OUTCOME_COMMITTED
} fraud_outcome;
struct fraud_record;
/* text: of a refusal the reason, of a committed payment the decision's message; else NULL. */
typedef void (*fraud_reply_fn)(void *ctx, const struct fraud_record *r, fraud_outcome outcome,
                               const char *text);

/* The guard of event time behind a payment (serve/time_guard.h), from which a start goes on. */
typedef struct {
    bool known, live;
    uint32_t n_leap, n_good;
    int64_t leap_ms;
} fraud_guard_mark;

/* Where a record is:
 *
 *     FREE ──take_free──▶ TAKEN ──push──▶ QUEUED ──pop──▶ WRITING ──release──▶ FREE
 *                           └──put_back──▶ FREE
 *
 * Another step is a broken invariant. */
typedef enum {
    FRAUD_RECORD_FREE = 0, /* in the queue's stack; lends no message, owns no alert */
    FRAUD_RECORD_TAKEN,    /* the scoring thread's */
    FRAUD_RECORD_QUEUED,   /* in the queue's ring */
    FRAUD_RECORD_WRITING   /* the writing thread's */
} fraud_record_place;

typedef struct fraud_record {
    fraud_record_place place; /* the queue's alone */
    fraud_record_kind kind;
    fraud_topic topic;
    r1_message message;   /* freed by the writer */
    char *body;           /* owned; the payload where it came from no topic; NULL: none */
    fraud_reply_fn reply; /* told once; NULL: nobody waits */
    void *reply_ctx;
    int64_t apply_seq;
    int64_t decided_us;
    int64_t clock_us[FRAUD_N_CLOCK]; /* 0: it did not pass there */
    fraud_payment payment;           /* payments and duplicates */
    fraud_label label;               /* labels */
    fraud_decision decision;
    float probability, logit;
    bool degraded;
    /* The logit before any evidence, then what each item added; n_trace of them. */
    double trace[FRAUD_ITEMS_MAX + 1];
    uint8_t n_trace;
    fraud_alert *alert; /* owned; NULL where the decision is allow */
    bool bare;          /* PostgreSQL refused its row: what a rebuild needs is written alone */
    /* Payments. What is not applied was decided apart: it moved no state, and it has an apply_seq
     * all the same. */
    bool applied;
    bool foreign; /* of those apart: for its currency, which has no rate */
    uint64_t content_hash;
    fraud_guard_mark guard; /* behind this payment; not known where the guard did not look at it */
    char *log; /* owned; what r1.payment keeps in the place of the message, NULL: the message */
    /* "unscorable", "id_reused", "time_suspect": the rule that decided without a score, which then
     * stands in no row. NULL: the score counts. Static. */
    const char *apart_rule;
    char apart_text[FRAUD_APART_TEXT_BYTES]; /* why, in words; UTF-8 */
    char notes[FRAUD_NOTES_BYTES];        /* JSON array of texts about optional fields; "": none */
    fraud_stage stage;                    /* dead letters */
    char reason[FRAUD_DEAD_REASON_BYTES]; /* dead letters, and what is left out; UTF-8 */
} fraud_record;

/* The record is there now. READ begins its way, and forgets an earlier one. */
void fraud_record_stamp(fraud_record *r, fraud_clock clock);

/* Tells whoever waits for the record; where nobody does, nothing happens. */
void fraud_record_reply(fraud_record *r, fraud_outcome outcome, const char *text);

/* Decides the record without a score: `rule` is static, `text` says what, where, expected, found.
 * Whether the state knows the payment is the caller's to say in `applied`. */
void fraud_record_set_apart(fraud_record *r, const char *rule, const char *text,
                            fraud_action action);

/* What the record has goes to the empty record `to`, which keeps its own place; r is then empty. */
void fraud_record_move(fraud_record *to, fraud_record *r);
void fraud_record_empty(fraud_record *r); /* lets go of message, texts and alert */

/* PostgreSQL refused the payment's row: from now on it is written bare, and a note says why. */
void fraud_record_strip(fraud_record *r, const r1_err *err);
/* The mapping file leaves the message out, as err's message says. */
void fraud_record_leave_out(fraud_record *r, const r1_err *err);
/* Makes a dead letter of the record. Its reason is err's message, cut at a character's border. */
void fraud_record_refuse(fraud_record *r, fraud_stage stage, const r1_err *err);

typedef struct fraud_queue fraud_queue;
r1_status fraud_queue_new(fraud_queue **out, size_t capacity, r1_err *err);
void fraud_queue_free(fraud_queue *q); /* frees messages that are still inside; NULL is fine */

/* Scoring thread: an empty record, or NULL when all are in flight. */
fraud_record *fraud_queue_take_free(fraud_queue *q);
/* What was scored together is handed over together, so that one transaction can hold it. */
void fraud_queue_push(fraud_queue *q, fraud_record *const *r, size_t n);
void fraud_queue_put_back(fraud_queue *q, fraud_record *r); /* unused after take_free */
size_t fraud_queue_in_flight(fraud_queue *q);               /* taken or pushed, not yet released */

/* Writing thread: waits for at least one record, takes at most max in order; 0 when the queue is
 * closed and empty. */
size_t fraud_queue_pop(fraud_queue *q, fraud_record **out, size_t max);
void fraud_queue_release(fraud_queue *q, fraud_record **r, size_t n);
void fraud_queue_close(fraud_queue *q);

#endif
