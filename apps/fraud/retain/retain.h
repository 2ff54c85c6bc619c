/* SPDX-License-Identifier: GPL-3.0-or-later */
/* retain.h - `r1-fraud db`: the commands of every program, and `retain`, which drops or archives
 * the oldest weeks of the log.
 *
 * (1) A week goes as a whole, from payments, decisions, findings and labels in one transaction.
 * (2) With an archive each table is written, read back and counted before anything is dropped, and
 *     the counts are taken again under the lock that drops.
 * (3) What a topic has not acknowledged yet stays.
 * (4) Each drop is a row of r1.retention.
 *
 * Threads: one per call. Errors: as r1_store_query and fraud_archive_close. */
#ifndef FRAUD_RETAIN_H
#define FRAUD_RETAIN_H

#include "cli/r1_cli.h"

extern const r1_option fraud_db_rows[];
extern const size_t fraud_db_n_row;
int fraud_command_db(r1_cli_call *call);

#endif
