/* SPDX-License-Identifier: GPL-3.0-or-later */
/* finding.h - one typology that a payment takes part in, with the accounts and payments that
 * show it. graph/findings.h makes findings; scores, decisions and reports carry them.
 *
 * Owns:  nothing; plain data of fixed size. Units: minor units of the currency, ms since 1970. */
#ifndef FRAUD_FINDING_H
#define FRAUD_FINDING_H

#include "payment/payment.h"
#include "typology/typology.h"

enum {
    FRAUD_FINDINGS_MAX = 6, /* of one payment */
    FRAUD_FINDING_EDGES_MAX = 24,
    FRAUD_FINDING_ACCOUNTS_MAX = 24
};

typedef struct {
    uint8_t typology;           /* fraud_typology */
    uint16_t n_account, n_edge; /* at most the two limits above */
    int64_t amount_minor;       /* of the edges listed */
    int64_t ts_first, ts_last;  /* of the edges listed */
    char account[FRAUD_FINDING_ACCOUNTS_MAX][FRAUD_ACCOUNT_BYTES];
    struct {
        uint8_t from, to; /* index into account */
        int64_t amount_minor, ts;
        char tx_id[FRAUD_TX_ID_BYTES];
    } edge[FRAUD_FINDING_EDGES_MAX];
} fraud_finding;

#endif
