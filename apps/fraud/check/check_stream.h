/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_stream.h - what the service would say of a message that can be read, because of those
 * before it (serve/stream_gate.h), with what a person is told about it: which message came first,
 * which currencies there are.
 *
 * Owns:    the gate. Threads: one. Errors: those of the gate. */
#ifndef FRAUD_CHECK_STREAM_H
#define FRAUD_CHECK_STREAM_H

#include "serve/stream_gate.h"

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
    fraud_gate gate;
    check_id *ids; /* [n_ids], a power of two: open addressing */
    size_t n_ids;
    int64_t rate_age_ms; /* of the oldest rate that converted a payment */
    char rate_code[4];   /* its currency, or "" */
    size_t n_foreign;    /* payments in another currency without a rate */
    bool told;           /* the currency, by a setting */
    size_t first;        /* the message that told the currency, where no setting did */
    check_share share[CHECK_CURRENCIES_MAX];
    size_t n_share;
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
