/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message.h - a committed decision as the message of the topic that --decisions-topic names:
 * schemas/messages/decision.schema.json.
 *
 * Owns:    the text is the caller's to free.
 * Threads: pure.
 * Errors:  NULL where memory is short. */
#ifndef FRAUD_MESSAGE_H
#define FRAUD_MESSAGE_H

#include "write/rows.h"

char *fraud_decision_message(const fraud_record *r, const fraud_names *names);

#endif
