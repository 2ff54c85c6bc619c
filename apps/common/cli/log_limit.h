/* SPDX-License-Identifier: Apache-2.0 */
/* log_limit.h - a service in trouble says so once a second, not a thousand times: of each event,
 * warnings and errors pass once a second, and the next line tells how many were left out. Of those
 * the last one is kept, for the time when no next line comes.
 *
 * Threads: any. Limits: 64 events; one more shares the last place. */
#ifndef R1_LOG_LIMIT_H
#define R1_LOG_LIMIT_H

#include "r1_base.h"

enum { R1_LOG_KEPT_BYTES = 400 }; /* of a line that was left out, NUL included */

/* Whether a line of the event may be printed at this time (monotonic); *left_out then gets how many
 * were not since the last one. Else the line is kept until the next one of its event. */
bool r1_log_admit(const char *event, r1_log_level level, const char *text, int64_t now_us,
                  uint64_t *left_out);

typedef struct {
    const char *event;
    r1_log_level level;           /* of the last one */
    uint64_t n;                   /* that were left out */
    char text[R1_LOG_KEPT_BYTES]; /* the last one, cut at a character's border where it is longer */
} r1_log_rest;
/* An event whose last lines were left out a second ago or more; false: there is none. Call it now
 * and then, so that what was left out at the end is said too. */
bool r1_log_left_out(int64_t now_us, r1_log_rest *out);

#endif
