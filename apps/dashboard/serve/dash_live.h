/* SPDX-License-Identifier: Apache-2.0 */
/* dash_live.h - news for open pages: what PostgreSQL notifies, as server-sent events.
 *
 * Each answer ends when there is news or after DASH_LIVE_WAIT_MS, and the browser asks again with
 * the id of the last event. So no answer stays open, and a page that was away misses nothing of
 * the last DASH_LIVE_KEPT events; beyond that it is told to read everything anew.
 *
 * Owns:    a thread with a connection of its own.
 * Threads: any. dash_live_stop after the last waiter was woken by it.
 * Errors:  R1_E_NOMEM. A lost connection is an event, not an error. */
#ifndef DASH_LIVE_H
#define DASH_LIVE_H

#include "store/store.h"

enum { DASH_LIVE_WAIT_MS = 20000, DASH_LIVE_KEPT = 1024 };

typedef struct dash_live dash_live;
r1_status dash_live_start(dash_live **out, const char *conninfo, r1_err *err);
/* What came after the event `last` (NULL: nothing yet), as text of events; malloc'ed, NULL: no
 * memory. */
char *dash_live_wait(dash_live *l, const char *last);
void dash_live_wake(dash_live *l); /* all waiters return, now and from now on */
void dash_live_stop(dash_live *l); /* NULL is fine */

#endif
