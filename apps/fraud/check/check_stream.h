/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_stream.h - what the service would say of a message that can be read, because of those
 * before it: an id that comes again, a date that cannot be believed, another currency.
 *
 * It asks the functions of the service, with the default settings of dates, in the order of the
 * file. The clock of the machine stands for the time stamps of messages, which do not exist yet.
 *
 * Owns:    the ids and the rates. Threads: one. Errors: R1_E_NOMEM; R1_E_INVAL of rates. */
#ifndef FRAUD_CHECK_STREAM_H
#define FRAUD_CHECK_STREAM_H

#include "payment/rates.h"
#include "serve/time_guard.h"
#include "serve/txset.h"

typedef enum {
    CHECK_FITS = 0,
    CHECK_REPEATED, /* the same payment again: dropped as a duplicate */
    CHECK_APART     /* decided without a score; *why tells */
} check_verdict;

enum { CHECK_CURRENCIES_MAX = 300 };

/* Payments that can be read, of one currency. */
typedef struct {
    char code[4];
    size_t n;
} check_share;

/* Where an id came first. */
typedef struct {
    uint64_t id; /* its hash */
    size_t message;
    bool used;
} check_id;

typedef struct {
    fraud_txset *seen;
    check_id *ids; /* [n_ids], a power of two: open addressing */
    size_t n_ids;
    fraud_rates *rates;
    size_t n_foreign; /* payments in another currency without a rate */
    char currency[4]; /* "": that of the first payment, which is not read yet */
    bool told;        /* by a setting */
    size_t first;     /* the message that told the currency, where no setting did */
    check_share share[CHECK_CURRENCIES_MAX];
    size_t n_share;
    fraud_time_guard guard;
    int64_t clock_ms, machine_ms;
} check_stream;

/* currency and rates as of serve, NULL: none. */
r1_status check_stream_begin(check_stream *s, const char *currency, const char *rates, size_t n,
                             r1_err *err);
void check_stream_end(check_stream *s); /* all zero bytes are fine */
/* By falling number of payments, in order of appearance where they are equal. */
void check_stream_rank(check_stream *s);

/* A message that has an id, the next one. */
typedef struct {
    const fraud_payment *p;
    size_t message; /* from 0 */
    bool scorable;  /* all of *p could be read */
    uint64_t content;
} check_next;
/* *earlier: the first message with its id, itself where there is none before it. */
r1_status check_stream_next(check_stream *s, const check_next *next, check_verdict *verdict,
                            size_t *earlier, r1_err *why, r1_err *err);

#endif
