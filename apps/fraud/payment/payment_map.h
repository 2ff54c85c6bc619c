/* SPDX-License-Identifier: GPL-3.0-or-later */
/* payment_map.h - the mapping file: which fields of somebody's messages are ours, and in which
 * units, time format and words.
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
 *     format = iso                  ms, s, us, ns, iso, or a pattern of strptime
 *     zone = +01:00                 where a time says none
 *     [kinds]
 *     transfer = SCT, SCT INST      their words for our kind
 *     [roles]
 *     merchant = shop
 *
 * A path names objects within objects, with points: data.payer.iban. Where a message has a key with
 * the whole path as its name, that one is taken. A field without a row is not read.
 *
 * Owns:    what it read. Threads: read-only afterwards.
 * Errors:  R1_E_INVAL with FILE:LINE, what was expected and what was found. */
#ifndef FRAUD_PAYMENT_MAP_H
#define FRAUD_PAYMENT_MAP_H

#include "config/r1_options.h"
#include "payment/event_time.h"
#include "payment/message_json.h"
#include "payment/payment.h"

/* What a message can have; in the order in which it is read. */
typedef enum {
    FRAUD_F_TX_ID = 0,
    FRAUD_F_TS,
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
    FRAUD_N_F
} fraud_field;

typedef struct {
    const char *name;
    bool required;        /* of amount_minor and amount one */
    const char *expected; /* in words, for who sends it */
    const char *example;
} fraud_field_words;
extern const fraud_field_words fraud_fields[FRAUD_N_F];

/* path NULL: *out is NULL, our own names. */
r1_status fraud_map_load(fraud_map **out, const char *path, r1_err *err);
void fraud_map_free(fraud_map *m); /* NULL is fine */

/* For all functions below map may be NULL. */

/* The value of a field in a message, NULL where there is none. */
const json_t *fraud_map_value(const fraud_map *m, const json_t *message, fraud_field f);
/* The field as its sender knows it: "amount", or with a map "sum (amount)". */
const char *fraud_map_name(const fraud_map *m, fraud_field f);
fraud_kind fraud_map_kind(const fraud_map *m, const char *word);
fraud_role fraud_map_role(const fraud_map *m, const char *word);
fraud_time_form fraud_map_time(const fraud_map *m, const char **pattern, int *zone_minutes);
/* 16 hex digits over the file; "" without one. */
const char *fraud_map_version(const fraud_map *m);

#endif
