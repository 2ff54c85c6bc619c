/* SPDX-License-Identifier: GPL-3.0-or-later */
/* result.h - what scoring one payment gives: a probability, the evidence that it adds up from,
 * reasons in words, and findings.
 *
 * Owns:  nothing; plain data of fixed size. Threads: none of it changes once it is filled. */
#ifndef FRAUD_RESULT_H
#define FRAUD_RESULT_H

#include "typology/finding.h"

enum {
    FRAUD_SCORE_MAX = 64, /* payments that are scored together */
    FRAUD_ITEMS_MAX = 12,
    FRAUD_REASONS_MAX = 16,
    FRAUD_OUTSIDE_BYTES = 64,
    FRAUD_REASON_TEXT_BYTES = 192
};

typedef struct {
    char code[32];                      /* stable: "receiver_fan_in", "cycle", "new_pair"... */
    char text[FRAUD_REASON_TEXT_BYTES]; /* the facts, in words, with figures */
    char item[24];                      /* evidence item it belongs to */
    /* logit the item added (+) or took away (-); one item's facts share it in equal parts */
    double contribution;
} fraud_reason;

typedef struct {
    double probability; /* calibrated, of fraud */
    double logit;       /* calibrated; prior_logit + the sum of item[].delta equals it */
    double prior_logit;
    /* Where the amount lies far above what the model's training saw: the largest that the model may
     * judge, in units of the currency; else 0. */
    double amount_max;
    bool degraded; /* no model: the rules' score */
    uint8_t n_item, n_reason, n_finding;
    /* Columns of the payment far outside of what training saw, and the first of them, as
     * "sender.out_n_1h": where there is any, the score is unsure (signs.h). */
    uint8_t n_outside;
    char outside[FRAUD_OUTSIDE_BYTES];
    struct {
        const char *name; /* for ever */
        double delta;
    } item[FRAUD_ITEMS_MAX]; /* in evidence order */
    /* Those that raise the score come before those that lower it (explain.h). Made where they are
     * asked for: fraud_engine_explain. */
    fraud_reason reason[FRAUD_REASONS_MAX];
    fraud_finding finding[FRAUD_FINDINGS_MAX]; /* present whether or not the score is high */
} fraud_result;

#endif
