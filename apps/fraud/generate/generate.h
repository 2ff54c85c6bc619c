/* SPDX-License-Identifier: GPL-3.0-or-later */
/* generate.h - a seeded world of accounts, cards and merchants, and what laundering and theft look
 * like in it.
 *
 * Background: salaries, rent, shops, payments among friends, second-hand sales, cash. Small
 * businesses gather and scatter honestly. Saving clubs pay in honest circles. Fraud: every
 * typology but NONE (typology/typology.h), among the same accounts, which go on living their
 * ordinary lives. Nothing but behaviour tells them apart: ids are random, texts come from the same
 * draw, payments are sorted by time alone.
 *
 * Sources of the typologies: fan-in to bipartite as in AMLSim (Weber et al. 2018) and AMLworld
 * (Altman et al. 2023). Compromised cards and terminals as in the Fraud Detection Handbook (Le
 * Borgne et al. 2022), chapter 3.
 * Owns:    what it makes is the caller's. Threads: any; the same options give the same payments
 *          everywhere. Errors: R1_E_INVAL for options out of range, R1_E_NOMEM. */
#ifndef FRAUD_GENERATE_H
#define FRAUD_GENERATE_H

#include "cli/r1_cli.h"
#include "payment/payment.h"
#include "typology/typology.h"

enum {
    FRAUD_WORLD_ACCOUNTS_MIN = 50,
    FRAUD_WORLD_DAYS_MIN = 7,
    FRAUD_WORLD_RING_MIN = 3,
    FRAUD_WORLD_RING_MAX = 40,
    FRAUD_WORLD_PAYMENTS_MAX = 20000000
};

typedef struct {
    uint64_t seed;
    int64_t start_ms;       /* first instant */
    int accounts;           /* customers, each with an account and a card */
    int days;               /* length of the period */
    int rings;              /* of each typology */
    int ring_min, ring_max; /* accounts of a ring */
    double activity;        /* 1: about 1.25 payments per customer and day */
    bool plant_leak; /* for the test of the leak test alone: fraudulent ids end in an even digit */
} fraud_generate_opts;

typedef struct {
    fraud_payment payment;
    int64_t label_ts; /* when the label becomes known, ms */
    int32_t ring;     /* -1: none */
    uint8_t typology; /* fraud_typology; NONE: honest */
} fraud_generated;

/* About how many payments a world of these options has. Each takes sizeof(fraud_generated) bytes,
 * all of them at once. */
size_t fraud_generate_estimate(const fraud_generate_opts *opts);
/* *out is malloc'ed and sorted by time; at most FRAUD_WORLD_PAYMENTS_MAX payments. */
r1_status fraud_generate(const fraud_generate_opts *opts, fraud_generated **out, size_t *n,
                         r1_err *err);

extern const r1_option fraud_generate_rows[];
extern const size_t fraud_generate_n_row;
int fraud_command_generate(r1_cli_call *call);

#endif
