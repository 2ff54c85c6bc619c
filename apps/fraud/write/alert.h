/* SPDX-License-Identifier: GPL-3.0-or-later */
/* alert.h - reasons and findings of one alert, from the scoring thread to the writer, and the
 * one place that prints them as JSON.
 *
 * Owns:    a fraud_alert is one block of plain data; free() it.
 * Threads: pure functions.
 * Errors:  NULL where memory is short. */
#ifndef FRAUD_ALERT_H
#define FRAUD_ALERT_H

#include "decide/policy.h"

#include <jansson.h>

typedef struct {
    uint8_t n_reason, n_finding;
    fraud_reason reason[FRAUD_REASONS_MAX]; /* [n_reason] */
    fraud_finding finding[];                /* [n_finding] */
} fraud_alert;

fraud_alert *fraud_alert_of(const fraud_result *result);

/* [{"code", "item", "contribution", "text"}], contributions to nine digits. Before them stands what
 * decided in the place of a threshold: {"code": "rule" or "list", "text"}. e NULL: no alert. */
json_t *fraud_alert_reasons(const fraud_alert *e, const fraud_decision *d);
/* The same as text, for the database. */
char *fraud_alert_reasons_text(const fraud_alert *e, const fraud_decision *d);
/* The reasons of a decision without a score: [{"code": rule, "text": text}]. */
json_t *fraud_apart_reasons(const char *rule, const char *text);
char *fraud_apart_reasons_text(const char *rule, const char *text);
/* ["account"] and ["tx_id of an edge"] of one finding, as text. */
char *fraud_finding_accounts_text(const fraud_finding *f);
char *fraud_finding_payments_text(const fraud_finding *f);

#endif
