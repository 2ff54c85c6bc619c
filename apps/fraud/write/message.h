/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message.h - a committed decision as the message of the topic that --decisions-topic names:
 * schemas/messages/decision.schema.json. It is made twice: from rows, for the topic, and from a
 * record, for whoever asks at once. A test compares the two.
 *
 * Owns:    the text is the caller's to free.
 * Threads: pure.
 * Errors:  NULL where memory is short. */
#ifndef FRAUD_MESSAGE_H
#define FRAUD_MESSAGE_H

#include "write/rows.h"

#define FRAUD_MESSAGE_SCHEMA "2" /* the header `schema` */
enum { FRAUD_MESSAGE_ID_BYTES = 128 };

/* The stable id: "CLUSTER/fraud/APPLY_SEQ". The same decision sent again has the same. */
void fraud_message_id(const char *cluster, int64_t apply_seq, char *out);

char *fraud_decision_message(const fraud_record *r, const fraud_names *names);

/* Rows of the log as messages, in the order of apply_seq. Parameters: cluster, lowest and highest
 * apply_seq, lowest and highest written_at, how many. Columns: apply_seq, written_at, key,
 * message, written_at in us since 1970. */
extern const char fraud_message_sql[];

#endif
