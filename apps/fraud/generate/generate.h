/* SPDX-License-Identifier: GPL-3.0-or-later */
/* generate.h - a seeded world of accounts, cards and merchants, and what laundering and theft
 * look like in it.
 *
 * Background: salaries, rent, shops, payments among friends, second-hand sales, small businesses
 * (they gather and scatter honestly), saving clubs (they pay in honest circles), cash. Fraud:
 * ten typologies among the same accounts, which go on living their ordinary lives. Nothing but
 * behaviour tells them apart: ids are random, texts come from the same draw, payments are sorted
 * by time alone.
 *
 * Sources of the typologies: fan-in to bipartite as in AMLSim (Weber et al. 2018) and AMLworld
 * (Altman et al. 2023); compromised cards and terminals as in the Fraud Detection Handbook (Le
 * Borgne et al. 2022), chapter 3. Threads: pure. The same options give the same payments
 * everywhere. */
#ifndef FRAUD_GENERATE_H
#define FRAUD_GENERATE_H

#include "cli/r1_cli.h"
#include "payment/payment.h"
#include "typology/typology.h"

typedef struct {
    uint64_t seed;
    int64_t start_ms;       /* first instant */
    int accounts;           /* customers: each has an account and a card; 20 and more */
    int days;               /* 7 and more */
    int rings;              /* of each typology */
    int ring_min, ring_max; /* accounts of a ring, 3..40 */
    double activity;        /* 1: about 1.6 payments per customer and day */
    bool plant_leak; /* for the test of the leak test alone: fraudulent ids end in an even digit */
} fraud_generate_opts;

typedef struct {
    fraud_payment payment;
    int64_t label_ts; /* when the label becomes known, ms */
    int32_t ring;     /* -1: none */
    uint8_t typology; /* fraud_typology; NONE: honest */
} fraud_generated;

/* *out is malloc'ed and sorted by time; at most 20 million payments. */
r1_status fraud_generate(const fraud_generate_opts *opts, fraud_generated **out, size_t *n,
                         r1_err *err);

extern const r1_option fraud_generate_rows[];
extern const size_t fraud_generate_n_row;
int fraud_command_generate(r1_cli_call *call);

#endif
