/* SPDX-License-Identifier: GPL-3.0-or-later */
/* row_filter.h - which messages the mapping file leaves out, by what stands in their fields:
 *
 *     status is DECLINED, VOID or response.code is not 00, 000
 *
 * A message is left out where one of the conditions holds. Words are compared without regard to
 * case, numbers as they are written. A message that lacks the field is kept, as nobody said what
 * it is.
 *
 * Owns:    a copy of the text. Threads: read-only after it was made.
 * Errors:  R1_E_INVAL with what is expected; R1_E_NOMEM.
 * Bounds:  FRAUD_ROW_CONDITIONS_MAX. */
#ifndef FRAUD_ROW_FILTER_H
#define FRAUD_ROW_FILTER_H

#include "r1_base.h"

#include <jansson.h>

enum { FRAUD_ROW_CONDITIONS_MAX = 16 };

typedef struct fraud_row_filter fraud_row_filter;
r1_status fraud_row_filter_new(fraud_row_filter **out, const char *text, r1_err *err);
void fraud_row_filter_free(fraud_row_filter *f); /* NULL is fine */

/* The path of the condition that holds, and the word that its field has; NULL: none holds. f may be
 * NULL. */
const char *fraud_row_filter_hit(const fraud_row_filter *f, const json_t *message, char word[64]);
/* The paths of the conditions; NULL behind the last one. f may be NULL. */
const char *fraud_row_filter_path(const fraud_row_filter *f, size_t i);

#endif
