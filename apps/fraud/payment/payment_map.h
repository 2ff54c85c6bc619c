/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment_map.h - the mapping file: which fields of somebody's messages are ours, and in which
 * units, forms of times and numbers, and words.
 *
 *     [fields]                      our field = a path in their message, or a "constant"
 *     tx_id = id
 *     ts = booked.at
 *     from = debtor.iban
 *     to = creditor.iban
 *     amount = sum                  amount: in units (125.50); amount_minor: in cents (12550)
 *     currency = "EUR"
 *     kind = type
 *     [time]
 *     format = iso                  ms, s, us, ns, iso, excel, or a pattern: %d.%m.%Y %H:%M
 *     zone = Europe/Berlin          where a time says none; or an offset such as +01:00, or Z;
 *                                   without this row it is read as UTC, with a note
 *     [money]
 *     amounts = 1.234,50            how texts write 1234.50; fraud_number_forms has the others
 *     sign = negative               of payments, where positive amounts are refunds
 *     [booking]                     where a field tells whether from pays or is paid: booking = sh
 *     debit = S, Soll
 *     credit = H, Haben
 *     credits = swap                payer and payee change places; leave-out: see [rows]
 *     [rows]
 *     leave_out = status is DECLINED, VOID or code is not 00      (row_filter.h)
 *     [kinds]
 *     transfer = SCT, SCT INST      their words for our kind
 *     [roles]
 *     merchant = shop
 *
 * A row of words, and leave_out, may stand on several lines: words add up, and a message is left
 * out where one of the lines says so.
 *
 * A path names objects within objects, with points: data.payer.iban. Where a message has a key with
 * the whole path as its name, that one is taken. A number is a place in a list: the first one is 0.
 * A list that has more than this one place is no single payment, and is refused for a needed field.
 * parties[role=debtor].account takes the place of the list parties whose role is debtor.
 * A field without a row is not read.
 *
 * Where date and time of day are two fields, ts is the path of the date and ts_time that of the
 * time. The format is then that of both with a blank between them. Digits that a number has lost at
 * its left are filled up: 93015 beside %H%M%S is 09:30:15.
 *
 * A message that is left out is no payment and no dead letter: it is counted, and nothing is
 * decided. Where a credit changes payer and payee, their roles and balances go along, and an amount
 * by the row sign = negative is above 0 there. A word that is neither debit nor credit makes the
 * payment unscorable.
 *
 * A file that r1-fraud check has written may hold "?" in the place of what nobody can see in a
 * sample. It is refused until a person has answered.
 *
 * Owns:    what it read. Threads: read-only afterwards.
 * Errors:  R1_E_INVAL with FILE:LINE, row, what was expected and found, and the nearest word. */
#ifndef FRAUD_PAYMENT_MAP_H
#define FRAUD_PAYMENT_MAP_H

#include "config/r1_options.h"
#include "payment/event_time.h"
#include "payment/message_json.h"
#include "payment/number_form.h"
#include "payment/payment.h"

#include <stdio.h>

/* What a message can have; in the order in which it is read. */
typedef enum {
    FRAUD_F_TX_ID = 0,
    FRAUD_F_TS,
    FRAUD_F_TS_TIME, /* of day, where ts is a date; read with a mapping file alone */
    FRAUD_F_KIND,
    FRAUD_F_FROM,
    FRAUD_F_TO,
    FRAUD_F_FROM_ROLE,
    FRAUD_F_TO_ROLE,
    FRAUD_F_CURRENCY,
    FRAUD_F_AMOUNT_MINOR,
    FRAUD_F_AMOUNT,
    FRAUD_F_COUNTRY,
    FRAUD_F_CHANNEL,
    FRAUD_F_CATEGORY,
    FRAUD_F_DEVICE,
    FRAUD_F_TEXT,
    FRAUD_F_FROM_BALANCE_MINOR,
    FRAUD_F_TO_BALANCE_MINOR,
    FRAUD_F_FROM_BALANCE,
    FRAUD_F_TO_BALANCE,
    FRAUD_F_LAT,
    FRAUD_F_LON,
    FRAUD_F_BOOKING, /* debit or credit, where that is a field; read with a mapping file alone */
    FRAUD_N_F
} fraud_field;

typedef struct {
    const char *name;
    bool required;        /* of amount_minor and amount one */
    const char *expected; /* in words, for who sends it */
    const char *example;
} fraud_field_words;
extern const fraud_field_words fraud_fields[FRAUD_N_F];

/* path NULL: *out is NULL, our own names. mistakes: gets a line for each mistake, where there is
 * more than one, and at most R1_CONFIG_MISTAKES_MAX of keys and values; NULL: nobody asks. err
 * tells of the first one. */
r1_status fraud_map_load(fraud_map **out, const char *path, FILE *mistakes, r1_err *err);
void fraud_map_free(fraud_map *m); /* NULL is fine */

/* For all functions below map may be NULL. */

/* The value of a field in a message, NULL where there is none. */
const json_t *fraud_map_value(const fraud_map *m, const json_t *message, fraud_field f);
/* The path of a field, and FILE:LINE of its row; NULL: it has none. */
const char *fraud_map_path(const fraud_map *m, fraud_field f);
const char *fraud_map_origin(const fraud_map *m, fraud_field f);
/* Whether messages can have the field: it has a row. */
bool fraud_map_fills(const fraud_map *m, fraud_field f);
/* What a row says for all messages; NULL: each has its own. */
const char *fraud_map_constant(const fraud_map *m, fraud_field f);
/* The field as its sender knows it: "amount", or with a map "sum (amount)". */
const char *fraud_map_name(const fraud_map *m, fraud_field f);
fraud_kind fraud_map_kind(const fraud_map *m, const char *word);
fraud_role fraud_map_role(const fraud_map *m, const char *word);
typedef enum { FRAUD_BOOKING_DEBIT = 0, FRAUD_BOOKING_CREDIT, FRAUD_BOOKING_UNKNOWN } fraud_booking;
/* DEBIT where the file has no row booking. */
fraud_booking fraud_map_booking(const fraud_map *m, const json_t *message);
/* Whether the file leaves the message out; why then says by which line, and what was found. */
bool fraud_map_leaves_out(const fraud_map *m, const json_t *message, r1_err *why);
/* The path of a condition of leave_out; NULL behind the last one. */
const char *fraud_map_condition(const fraud_map *m, size_t i);
/* How many places a list on the field's path has, where it is more than one; else 1. */
size_t fraud_map_places(const fraud_map *m, const json_t *message, fraud_field f);
fraud_time_style fraud_map_time(const fraud_map *m);
/* Whether the time of day stands in a field of its own. */
bool fraud_map_splits_time(const fraud_map *m);
const fraud_number_form *fraud_map_numbers(const fraud_map *m);
/* 1, or -1 where payments have negative amounts. */
int fraud_map_sign(const fraud_map *m);
/* 16 hex digits over the file; "" without one. */
const char *fraud_map_version(const fraud_map *m);

#endif
