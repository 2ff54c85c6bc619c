/* SPDX-License-Identifier: GPL-3.0-or-later */
/* end_report.h - what a service says of its time when it ends, a line for each thing: payments
 * decided, those of them without a score and why, dead letters, duplicates, rows left out, labels.
 * What did not happen has no line.
 *
 * Owns: nothing. Threads: any. Errors: none. */
#ifndef FRAUD_END_REPORT_H
#define FRAUD_END_REPORT_H

#include "write/writer.h"

#include <stdio.h>

typedef struct {
    const fraud_writer_stats *w;
    const char *unscorable; /* what the setting of this name says: "review" */
    const char *currency;   /* of the stream */
    bool first_told;        /* the stream's first payment told it, no setting */
} fraud_end_report;

void fraud_end_report_print(const fraud_end_report *r, FILE *out);

#endif
