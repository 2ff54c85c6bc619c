/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_iso.h - ISO 20022 messages as XML, one payment after the other, as JSON in our own names:
 * pacs.008 (FIToFICstmrCdtTrf), pain.001 (CstmrCdtTrfInitn) and camt.052, .053, .054 (a report, a
 * statement, a notification of an account), of any version.
 *
 * A credit transfer is a payment from the debtor's account to the creditor's. An entry of a
 * statement is one between the account and the other party, by its side (CdtDbtInd); where it has
 * details of transactions, each of them is one. An account is an IBAN, else another id, else its
 * owner's name. What stands in the place of something that is missing is counted
 * (message_iso_notes). An entry that is no payment (a reversal, for information alone) is a fault.
 *
 * Owns:    a reader owns its parser and its texts; a text is good until the next call.
 * Threads: one.
 * Errors:  R1_E_FORMAT: no XML, another message, a document type; with the line.
 * Bounds:  no entity of a document type is read, nothing is fetched. One transaction or entry has
 *          at most MESSAGE_ISO_BYTES_MAX of XML. */
#ifndef FRAUD_MESSAGE_ISO_H
#define FRAUD_MESSAGE_ISO_H

#include "payment/message_item.h"

#include <stdio.h>

enum { MESSAGE_ISO_BYTES_MAX = 16 << 20 };

typedef struct message_iso message_iso;

/* "pacs.008" of a beginning that names such a message, else NULL. The text is static. */
const char *message_iso_kind(const char *beginning);

/* read: at most `cap` bytes into `to`; 0 at the end, -1 for a fault, which the caller tells. */
r1_status message_iso_new(message_iso **out, int (*read)(void *ctx, char *to, int cap), void *ctx,
                          r1_err *err);
void message_iso_free(message_iso *x); /* NULL is fine */
r1_status message_iso_next(message_iso *x, fraud_messages_item *item, r1_err *err);
/* What was read otherwise than it stands, a line each, indented by two blanks. */
void message_iso_notes(const message_iso *x, FILE *out);

#endif
