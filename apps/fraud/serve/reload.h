/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reload.h - another policy for a running service: SIGHUP, or `r1-fraud reload`.
 *
 * (1) A thread reads settings, rules, lists and rates again while the stream goes on, and checks
 *     them as `config check` does.
 * (2) Between two batches the reading thread puts the new policy and the new rates in the place of
 *     the old ones. A batch is converted and decided by one of them. One of several processes keeps
 *     its rates: they must change at one place of the stream.
 * (3) A refused reload keeps the old policy and says why. Settings that need a restart are named,
 *     and so are the mapping file and the model where their contents have changed.
 * (4) Decisions hold the policy that made them; its version is written with the first of them.
 * (5) With a pid-file, what came of it stands beside that file (reload_answer.h), where
 *     `r1-fraud reload` waits for it.
 *
 * Owns:    the thread and what it has made. Threads: the reading thread's.
 * Errors:  those of the files go to the log. */
#ifndef FRAUD_RELOAD_H
#define FRAUD_RELOAD_H

#include "cli/r1_cli.h"
#include "serve/parts.h"

enum { FRAUD_RELOAD_WAITS_BYTES = 256 };

typedef struct fraud_reload fraud_reload;
/* The caller has called r1_cli_watch_hangup. Holds the policy of the start, which the writer
 * names. */
r1_status fraud_reload_new(fraud_reload **out, const fraud_policy *policy, r1_err *err);
void fraud_reload_free(fraud_reload *r); /* after the writer; NULL is fine */
/* Whether fraud_reload_turn would put another policy in the place of this one. */
bool fraud_reload_due(const fraud_reload *r);
/* Begins a reload that was asked for, and ends one that is ready where `drained`: nobody decides,
 * and no payment that was converted waits for its decision. true: one ended, so parts may have
 * changed. */
bool fraud_reload_turn(fraud_reload *r, fraud_parts *parts, bool drained);
/* What has changed and needs a restart, as of the last reload that was taken: settings, and files
 * whose contents are others. "": nothing. */
const char *fraud_reload_waits(const fraud_reload *r);
/* How many were taken and refused, and the last one's fault ("": none). */
void fraud_reload_counts(const fraud_reload *r, uint64_t *taken, uint64_t *refused);

/* Writes the process id into the file of the setting pid-file and locks it for this process's
 * life; R1_E_INVAL where another process holds it. Without the setting: nothing. */
r1_status fraud_pid_file(const r1_options *o, r1_err *err);

#endif
