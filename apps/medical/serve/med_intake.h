/* SPDX-License-Identifier: Apache-2.0 */
/* med_intake.h - the topic of records: each message is a record in a file of any kind, and becomes
 * exactly one row of r1.med_record, by the same path as the port's.
 *
 *     topic ─▶ poll ─▶ med_work_do ─▶ one transaction: reports, rows, dead letters, offsets
 *
 *     reported   a report that is confident
 *     person     a report that decides nothing: not confident, no finding, or a part was not read.
 *                The view r1.med_waiting lists it until a person has handled it
 *     dead       no record: a dead letter with the reason and the message's place, without a byte
 *                of its text
 *
 *  (1) A message's rows and the offset behind it are one transaction. So a kill at any time loses
 *      none and doubles none.
 *  (2) A new owner raises the epoch of each partition. An older one's next transaction fails, and
 *      it ends.
 *  (3) What is kept of a message is sealed (med_seal.h): its key, and with keep_text the record.
 *  (4) After a lost connection the offsets say whether the transaction landed.
 *
 * Owns:    a thread, a consumer, a connection. Borrows the service.
 * Threads: start and stop from one thread; stats from any.
 * Errors:  of start: those of PostgreSQL and the broker. Later ones that waiting does not help end
 *          the thread, and med_intake_failed tells them. */
#ifndef MED_INTAKE_H
#define MED_INTAKE_H

#include "serve/med_landing.h"
#include "serve/med_service.h"

typedef struct {
    med_service *service;
    const char *conninfo, *migrations;
    r1_stream_opts stream;
    const char *topic;
    int wait_s;           /* at the start, for PostgreSQL, the broker and the topic */
    const med_keys *keys; /* seal what is kept of a message; must outlive the intake */
    bool keep_text;       /* keep the record too, sealed */
} med_intake_opts;

typedef struct med_intake med_intake;
r1_status med_intake_start(med_intake **out, const med_intake_opts *opts, r1_err *err);
/* Finishes the transaction in hand. NULL is fine. */
void med_intake_stop(med_intake *in);
/* Whether the thread has ended by an error, which is copied. */
bool med_intake_failed(med_intake *in, r1_err *err);

typedef struct {
    uint64_t outcome[MED_OUTCOMES], commits, retries;
    int64_t lag, turned_us;
    bool running, away; /* away: broker or PostgreSQL do not answer */
    char state[80];     /* in words; nothing of a record */
} med_intake_stats;
void med_intake_stats_read(med_intake *in, med_intake_stats *out);

#endif
