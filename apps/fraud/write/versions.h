/* SPDX-License-Identifier: GPL-3.0-or-later */
/* versions.h - the rows of r1.fraud_version for policies that come while the service runs: each is
 * written in the same transaction as the first decision that names it.
 *
 * Owns:    nothing but which version landed last.
 * Threads: the writer's.
 * Errors:  as r1_store_batch_add. */
#ifndef FRAUD_VERSIONS_H
#define FRAUD_VERSIONS_H

#include "write/rows.h"

typedef struct {
    char landed[24], aimed[24]; /* the version of the last batch that landed, of the one in hand */
} fraud_versions;

r1_status fraud_versions_prepare(fraud_versions *v, const char *config, r1_store *s, r1_err *err);
/* Adds the versions that the records name to the transaction in hand. */
r1_status fraud_versions_add(fraud_versions *v, r1_store *s, fraud_record *const *record, size_t n,
                             r1_err *err);
void fraud_versions_landed(fraud_versions *v); /* that transaction has landed */

#endif
