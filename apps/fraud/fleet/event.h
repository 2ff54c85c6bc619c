/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event.h - the topic of events: what several processes that share one stream read in the place of
 * its topics, and the rule that gives all of them the same order.
 *
 * An event is a message as it came, its key, payload and headers included. One header more stands
 * in front of them, FRAUD_EVENT_HEADER, FRAUD_EVENT_BYTES long, little-endian:
 *
 *      0  magic "R1EV"       4  version u16     6  kind u8        7  topic u8
 *      8  partition i32     12  cut u32        16  epoch i64     24  number i64
 *     32  log u64           40  offset i64     48  broker_ms i64 56  sent_us i64
 *     64  machine_ms i64    72  checksum of bytes 0 to 71 u64
 *
 * One process at a time, the sequencer, appends. Each has an epoch, higher than those before it.
 *
 *     GENESIS   opens the log: number is that of the last row of the log in PostgreSQL
 *     MARKER    opens an epoch
 *     MESSAGE   number is one more than that of the message before it
 *
 * fraud_fold_take says which events count. A message counts only in the epoch that the newest
 * marker opened, and only with the next number. So whatever a sequencer that was replaced, or one
 * that lost a message on its way, appends late is void for everybody alike.
 *
 * Owns: nothing; plain data. Threads: any. Errors: R1_E_FORMAT with what was expected and found. */
#ifndef FRAUD_EVENT_H
#define FRAUD_EVENT_H

#include "r1_base.h"

#define FRAUD_EVENT_HEADER "r1.event"
enum {
    FRAUD_EVENT_BYTES = 80,
    FRAUD_EVENT_TOPICS = 2,        /* payments and labels, as fraud_topic */
    FRAUD_EVENT_PARTITIONS = 1024, /* of a topic */
    /* Key and payload of one event together. What is longer is no payment: it is cut out. */
    FRAUD_EVENT_BODY_MAX = 900000
};

typedef enum {
    FRAUD_EVENT_GENESIS = 1,
    FRAUD_EVENT_MARKER,
    FRAUD_EVENT_MESSAGE,
    FRAUD_N_EVENT_KIND
} fraud_event_kind;

typedef struct {
    fraud_event_kind kind;
    int topic;
    int32_t partition;
    uint32_t cut; /* bytes of key and payload that were left out; 0: the event has them */
    int64_t epoch, number;
    uint64_t log; /* drawn at random by GENESIS */
    int64_t offset, broker_ms, sent_us;
    int64_t machine_ms; /* the sequencer's clock: everybody's for this message */
} fraud_event;

void fraud_event_write(const fraud_event *e, uint8_t out[FRAUD_EVENT_BYTES]);
r1_status fraud_event_read(fraud_event *e, const void *bytes, size_t len, r1_err *err);

/* ---- which events count ---- */

typedef struct {
    bool begun; /* a genesis was read */
    uint64_t log;
    int64_t epoch;  /* that of the newest marker; 0: none yet */
    int64_t number; /* of the last message that counts */
} fraud_fold;

typedef enum {
    FRAUD_FOLD_VOID = 0, /* as if it was not there */
    FRAUD_FOLD_GENESIS,
    FRAUD_FOLD_MARKER,
    FRAUD_FOLD_MESSAGE
} fraud_fold_verdict;

fraud_fold_verdict fraud_fold_take(fraud_fold *f, const fraud_event *e);

/* ---- genesis ---- */

/* Where everybody begins: what the log in PostgreSQL stood at when it was opened to several. */
typedef struct {
    int64_t last_seq;                             /* the last row of that log */
    char made[64];                                /* when that log was made: no other is of then */
    char cluster[64], payments[256], labels[256]; /* topics; labels "": none */
    bool live;                                    /* of the guard of event time */
    uint32_t n_leap;
    int64_t leap_ms;
    int32_t n_partition[FRAUD_EVENT_TOPICS];
    int64_t next[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS]; /* offsets to read on at */
} fraud_genesis;

/* JSON; the caller's to free. NULL: memory is short. */
char *fraud_genesis_write(const fraud_genesis *g);
r1_status fraud_genesis_read(fraud_genesis *g, const char *text, size_t len, r1_err *err);

#endif
