/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream_gate.h - what the service makes of a payment of a recording because of those before it: an
 * id that comes again, a date that cannot be believed, another currency.
 *
 * check, replay and calibrate ask it for each message that has an id, in the order of the file, so
 * that they take what serve takes. The clock of the machine stands for the time stamps of messages,
 * which a recording does not have. The order of the questions is that of serve/intake.c.
 *
 * Owns:    the ids and the rates. Threads: one. Errors: R1_E_NOMEM; R1_E_INVAL of rates. */
#ifndef FRAUD_STREAM_GATE_H
#define FRAUD_STREAM_GATE_H

#include "payment/rates.h"
#include "serve/time_guard.h"
#include "serve/txset.h"

typedef enum {
    FRAUD_GATE_TAKES = 0, /* applied and scored; its amounts are in the stream's currency */
    FRAUD_GATE_REPEATED,  /* the same payment again: dropped as a duplicate */
    FRAUD_GATE_REUSED,    /* the id of an earlier one with other content: decided apart */
    FRAUD_GATE_TIME,      /* its date cannot be believed: decided apart */
    FRAUD_GATE_MONEY,     /* another currency without a rate: decided apart */
    FRAUD_GATE_UNREAD     /* it could not be read as a payment that can be scored */
} fraud_gate_verdict;

typedef struct {
    fraud_txset *seen;
    fraud_rates *rates;
    char currency[4]; /* "": that of the first payment, which was not taken yet */
    fraud_time_guard guard;
    int64_t clock_ms, machine_ms;
} fraud_gate;

typedef struct {
    const char *currency, *rates; /* as of serve; NULL: none */
    size_t ids_max;               /* that are known again; 0: as many as serve's default */
    int64_t behind_ms;            /* of the band of dates; 0: serve's default */
} fraud_gate_opts;

/* The currency is one that fraud_currency_setting takes. */
r1_status fraud_gate_begin(fraud_gate *g, const fraud_gate_opts *o, r1_err *err);
void fraud_gate_end(fraud_gate *g); /* all zero bytes are fine */
/* scorable: all of *p could be read; otherwise its id alone counts. why tells of each verdict but
 * TAKES, REPEATED and UNREAD. */
r1_status fraud_gate_next(fraud_gate *g, fraud_payment *p, bool scorable, uint64_t content,
                          fraud_gate_verdict *verdict, r1_err *why, r1_err *err);

#endif
