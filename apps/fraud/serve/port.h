/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port.h - the service seen from outside: its HTTP port, and the thread that asks PostgreSQL and
 * the broker whether they are there.
 *
 *     /livez    200 while the process works. 503: the reading thread has not turned for
 *               FRAUD_STALL_MS. At start, while it waits and rebuilds, it is alive.
 *     /readyz   200 where each check is good, else 503; the body says which is not.
 *     /metrics  Prometheus text (serve_metrics.c)
 *     /v1/decide  POST: one payment as in the topic, decided on the way of all others, answered
 *               after its commit. No answer but 200 and 409 holds a decision.
 *
 *     200  decided; the body is the decision's message. An id and content that were decided before
 *          get the stored decision, with "repeated": true
 *     400  no payment, and why
 *     409  the id was used with other content; the decision of this content is in the body, each
 *          time that this content comes
 *     410  decided before, and the log does not hold the row any more; nothing is stored
 *     503  not decided: full, starting, ending, or no commit within decide-wait. Ask again with the
 *          same id
 *
 * The reading thread never waits for a client: once a second it takes a copy of what it shows.
 * It also commits the offsets to the consumer group then, asynchronously, for lag tools.
 *
 * Owns:    the HTTP server, the watch thread with its own connection, two copies.
 * Threads: the functions here are the reading thread's, before it starts and after it ends the main
 *          thread's.
 * Errors:  R1_E_INVAL or R1_E_IO for the address; R1_E_NOMEM. */
#ifndef FRAUD_PORT_H
#define FRAUD_PORT_H

#include "serve/server.h"

enum { FRAUD_STALL_MS = 10000 };

/* Opens the port, where http-listen names one. The service is in the phase WAITS. */
r1_status fraud_port_start(server *s, r1_err *err);
void fraud_port_phase(server *s, fraud_phase phase); /* without a port: nothing */
/* The service runs from now on: starts the watch. */
r1_status fraud_port_watch(server *s, r1_err *err);
/* Whether fraud_port_turn would read what /metrics shows. */
bool fraud_port_due(const server *s);
/* Once a turn of the loop. drained: nobody decides meanwhile; else the turn alone is noted. */
void fraud_port_turn(server *s, bool drained);
/* Takes the payments that wait at the port into the batch, at most half of it. */
r1_status fraud_port_serve(server *s, batch *b, r1_err *err);
/* Ends watch and port, before consumers and store go. */
void fraud_port_stop(server *s);

#endif
