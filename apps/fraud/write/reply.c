/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reply.c - see reply.h. */
#include "write/reply.h"
#include "write/message.h"

#include <stdlib.h>

static void reply_one(fraud_record *r, const fraud_names *names)
{
    char *text = r->kind == FRAUD_RECORD_PAYMENT ? fraud_decision_message(r, names) : NULL;
    fraud_record_reply(r, FRAUD_OUTCOME_COMMITTED, r->kind == FRAUD_RECORD_DEAD ? r->reason : text);
    free(text);
}

void fraud_reply_committed(fraud_record *const *r, size_t n, const fraud_names *names)
{
    for (size_t i = 0; i < n; i++)
        if (r[i]->reply) reply_one(r[i], names);
}
