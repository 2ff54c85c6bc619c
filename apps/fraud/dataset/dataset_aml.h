/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dataset_aml.h - rows of the layouts that name accounts by texts:
 *
 *   ibm       IBM AML (AMLworld): *_Trans.csv. *_Patterns.txt beside it names the rings and what
 *             they are; without that file there are none. Amounts of other currencies come to the
 *             order of a dollar by powers of ten (fraud_currency_unit), as no rates are there.
 *   paysim    PaySim. A step is an hour. What is paid in (CASH_IN) flows to the customer.
 *   samld     SAML-D. Amounts are in pounds, whatever was received.
 *   ulb       The credit cards of ULB. It names no card, so each payment has one of its own, and
 *             its principal components are read by nobody: it tests form, not skill.
 *   elliptic  Flows between transactions (elliptic_txs_edgelist.csv), with the classes and the time
 *             steps of elliptic_txs_classes.csv and elliptic_txs_features.csv beside it. A flow has
 *             the class of the transaction that it leaves. Amounts are not published: all are 1.
 *
 * Owns:    nothing. Threads: any. Errors: R1_E_FORMAT with file, line, expected and found. */
#ifndef FRAUD_DATASET_AML_H
#define FRAUD_DATASET_AML_H

#include "dataset/cases.h"
#include "dataset/dataset_csv.h"

enum { FRAUD_AMLWORLD_TYPES = 9, FRAUD_SAMLD_TYPES = 18 };
extern const char *const fraud_amlworld_types[FRAUD_AMLWORLD_TYPES];
extern const char *const fraud_samld_types[FRAUD_SAMLD_TYPES];

r1_status fraud_amlworld_row(fraud_dataset *d, const fraud_csv *c, r1_err *err);
r1_status fraud_paysim_row(fraud_dataset *d, const fraud_csv *c, r1_err *err);
r1_status fraud_samld_row(fraud_dataset *d, const fraud_csv *c, r1_err *err);
r1_status fraud_ulb_row(fraud_dataset *d, const fraud_csv *c, r1_err *err);
r1_status fraud_elliptic_row(fraud_dataset *d, const fraud_csv *c, r1_err *err);
/* What stands in other files, after all rows. path: of the rows. */
r1_status fraud_amlworld_patterns(fraud_dataset *d, const char *path, r1_err *err);
r1_status fraud_elliptic_nodes(fraud_dataset *d, const char *path, r1_err *err);

#endif
