/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ending.h - the end of a service is bounded, whatever it waits for. One thread knows what the
 * service is doing and for how long it may go on with that once the end has begun.
 *
 *     step      what it does                              first limit          second limit
 *     STARTS    waits for services, rebuilds the state    connections end      the process ends
 *     WRITES    runs; then writes what was read           connections end      the process ends
 *     SAVES     writes the last snapshot                  the process ends
 *     LEAVES   ends its clients and its port             the process ends
 *
 * A signal begins the end, or the service itself. At the first limit every connection to PostgreSQL
 * is ended, so what waits for one fails (r1_store_end_all). What is not committed by then is read
 * again by the next start. At the second limit the process ends as it is, by _exit, and says what
 * it was doing. librdkafka alone gets there: it waits for a broker that hangs. A second signal ends
 * the process at once (cli/r1_cli.h). Both limits say what the service waits for.
 *
 * Owns:    one thread; the process has one ending.
 * Threads: the caller's one.
 * Errors:  R1_E_NOMEM. */
#ifndef FRAUD_ENDING_H
#define FRAUD_ENDING_H

#include "r1_base.h"

typedef enum {
    FRAUD_END_STARTS = 0,
    FRAUD_END_WRITES,
    FRAUD_END_SAVES,
    FRAUD_END_LEAVES,
    FRAUD_N_END
} fraud_end_step;

typedef struct fraud_ending fraud_ending;
r1_status fraud_ending_new(fraud_ending **out, r1_err *err);
/* The service has come to this step. LEAVES needs no connection: they are ended. */
void fraud_ending_step(fraud_ending *e, fraud_end_step step);
/* What the caller waits for from now on; NULL: for nothing outside. The text is static. */
void fraud_ending_waits(fraud_ending *e, const char *what);
/* The end begins, also without a signal. code: of the process, as far as is known. *why is copied,
 * and said at the second limit where the code is not 0. */
void fraud_ending_begin(fraud_ending *e, int code, const r1_err *why);
/* Whether the connections were ended at a limit: what waited for them has failed. */
bool fraud_ending_cut(const fraud_ending *e);
void fraud_ending_free(fraud_ending *e); /* NULL is fine */

#endif
