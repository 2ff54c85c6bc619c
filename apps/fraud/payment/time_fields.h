/* SPDX-License-Identifier: GPL-3.0-or-later */
/* time_fields.h - the text of a time, out of one field of a message or out of two: a date, and the
 * time of day.
 *
 * Threads: pure functions. Errors: false where a value is neither a text nor a number, or too
 * long. */
#ifndef FRAUD_TIME_FIELDS_H
#define FRAUD_TIME_FIELDS_H

#include "payment/event_time.h"

#include <jansson.h>

enum { FRAUD_TIME_TEXT_BYTES = 160 };

/* Without blanks around it. */
bool fraud_time_text(const json_t *v, char out[FRAUD_TIME_TEXT_BYTES]);
/* Date and time of day with a blank between them. A date of the form iso may be its midnight. A
 * number as time of day gets back the zeros at its left, where the pattern tells how many. */
bool fraud_time_join(const json_t *date, const json_t *clock, const fraud_time_style *style,
                     char out[FRAUD_TIME_TEXT_BYTES]);

#endif
