/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_item.h - one message as a reader of files gives it, or why there is none.
 *
 * Owns:    nothing; its texts are the reader's. Threads: plain data. */
#ifndef FRAUD_MESSAGE_ITEM_H
#define FRAUD_MESSAGE_ITEM_H

#include "r1_base.h"

typedef enum {
    FRAUD_MESSAGES_END = 0,
    FRAUD_MESSAGES_ONE,
    FRAUD_MESSAGES_FAULT
} fraud_messages_what;

typedef struct {
    fraud_messages_what what;
    const char *text; /* of a message: JSON, with a NUL behind it */
    size_t len;
    size_t line;     /* where it begins, from 1 */
    const char *why; /* of a fault: expected, found, remedy */
} fraud_messages_item;

#endif
