/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account_list.h - a list of accounts, each with a reason, an expiry and an owner.
 *
 * One line is one account, as plain text or as CSV (RFC 4180, a field does not go over lines):
 *
 *     DE02120300000000202051
 *     ACME #7, settlement account, 2027-12-31, treasury
 *     "Smith, Jones & Co",told by a partner bank
 *
 * The fields are account, reason, expiry, owner; a first line with these names puts them in its
 * order. A line that begins with # is a comment. A # or a blank inside of a name is part of it,
 * but a name that holds " #" stands in quotes, because nobody can tell it from a comment.
 * The entry counts until the end of the expiry's day in UTC, by the payment's time. Where an
 * account stands twice, the later expiry counts.
 *
 * Owns:    copies of all it read.
 * Threads: read-only once it is read.
 * Errors:  R1_E_INVAL with FILE:LINE, what was expected and what was found.
 * Limits:  1,000,000 accounts and 128 MiB a list; a reason of 119 bytes, an owner of 63. */
#ifndef FRAUD_ACCOUNT_LIST_H
#define FRAUD_ACCOUNT_LIST_H

#include "decide/lines.h"

enum {
    FRAUD_LIST_ENTRIES_MAX = 1000000,
    FRAUD_LIST_NAME_BYTES = 32,
    FRAUD_LIST_REASON_BYTES = 120,
    FRAUD_LIST_OWNER_BYTES = 64
};

typedef struct {
    const char *account, *reason, *owner; /* "": none */
    int64_t until_ms;                     /* the first moment after it; INT64_MAX: never */
    int line;                             /* in the file */
} fraud_list_entry;

typedef struct fraud_account_list fraud_account_list;
r1_status fraud_account_list_read(fraud_account_list **out, const char *name, const char *path,
                                  uint64_t *hash, r1_err *err);
/* The same from memory, for tests. */
r1_status fraud_account_list_parse(fraud_account_list **out, const char *name, const char *data,
                                   size_t len, r1_err *err);
void fraud_account_list_free(fraud_account_list *l); /* NULL is fine */

/* The entry that is in force at this time, or NULL; l may be NULL. */
const fraud_list_entry *fraud_account_list_find(const fraud_account_list *l, const char *account,
                                                int64_t ts_ms);
const char *fraud_account_list_name(const fraud_account_list *l);
const char *fraud_account_list_path(const fraud_account_list *l);
size_t fraud_account_list_count(const fraud_account_list *l); /* NULL: 0 */
const fraud_list_entry *fraud_account_list_at(const fraud_account_list *l, size_t i);

/* What is allowed but odd. */
typedef enum {
    FRAUD_LIST_REPEATED,  /* an account that stands above already */
    FRAUD_LIST_SEMICOLON, /* an account with a semicolon: commas part fields */
    FRAUD_LIST_HEADER,    /* a first line that looks like names of columns, and is an account */
    FRAUD_LIST_EXPIRED,   /* an expiry before the day on which the list was read */
    FRAUD_LIST_DATED,     /* a reason that is a date: the expiry is the third field */
    FRAUD_LIST_IBAN,      /* an IBAN with blanks or small letters */
    FRAUD_N_LIST_ODD
} fraud_list_odd;
/* How many lines are of this kind, and the number of the first of them. */
size_t fraud_account_list_odd(const fraud_account_list *l, fraud_list_odd kind, int *line);
extern const char *const fraud_list_odd_text[FRAUD_N_LIST_ODD]; /* in words, for a note */

#endif
