/* SPDX-License-Identifier: Apache-2.0 */
/* log_limit.h - a service in trouble says so once a second, not a thousand times: of each event,
 * warnings and errors pass once a second, and the next line tells how many were left out.
 *
 * Threads: any. Limits: 64 events; one more shares the last place. */
#ifndef R1_LOG_LIMIT_H
#define R1_LOG_LIMIT_H

#include "r1_base.h"

/* Whether a line of the event may be printed at this time (monotonic); *left_out then gets how many
 * were not since the last one. */
bool r1_log_admit(const char *event, int64_t now_us, uint64_t *left_out);
/* An event whose last lines were left out a second ago or more: its name, and how many; NULL: there
 * is none. Call it now and then, so that what was left out at the end is said too. */
const char *r1_log_left_out(int64_t now_us, uint64_t *left_out);

#endif
