/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_booking.h - fields of few words that tell what a row is: the sign of a booking (S and H,
 * debit and credit, minus and plus), and a state (booked, declined).
 *
 * Threads: one. Errors: none. */
#ifndef FRAUD_CHECK_BOOKING_H
#define FRAUD_CHECK_BOOKING_H

#include "check/check_forms.h"

enum { CHECK_BOOKING_BYTES = 64, CHECK_WORDS_BYTES = 400 };

/* What the field's name says. */
typedef enum {
    CHECK_BOOKING_NAMED = 0, /* it can be nothing else */
    CHECK_BOOKING_LIKE,      /* it may be another thing, such as a kind */
    CHECK_BOOKING_UNNAMED    /* nothing: both words of a pair that means nothing else are needed */
} check_booking_name;

typedef struct {
    /* For the mapping file; "" where the values are no known words, and a person must say. */
    char debit[CHECK_BOOKING_BYTES], credit[CHECK_BOOKING_BYTES];
    size_t n_debit, n_credit;      /* values of each */
    char found[CHECK_WORDS_BYTES]; /* "12 x S, 3 x H" */
} check_booking;

/* Whether the values are a few words, more than one; *found tells them. */
bool check_few_words(const check_values *v, char found[CHECK_WORDS_BYTES]);
/* Whether they are, and one of them tells that a row is no payment: refund, fee, declined. */
bool check_odd_words(const check_values *v, char found[CHECK_WORDS_BYTES]);
bool check_booking_of(const check_values *v, check_booking_name name, check_booking *out);

#endif
