/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reply.h - those who wait for a record outside of the stream are told, after its commit.
 *
 * Owns: nothing. Threads: the writer's. Errors: none; without memory the text is missing. */
#ifndef FRAUD_REPLY_H
#define FRAUD_REPLY_H

#include "write/rows.h"

/* The last step of a committed batch: the records are not looked at any more. */
void fraud_reply_committed(fraud_record *const *r, size_t n, const fraud_names *names);

#endif
