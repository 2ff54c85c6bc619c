/* SPDX-License-Identifier: GPL-3.0-or-later */
/* versions.c - see versions.h. */
#include "write/versions.h"

#include <stdio.h>
#include <string.h>

static const char *const sql_version =
    "INSERT INTO r1.fraud_version (version, kind, detail) VALUES ($1, 'config', $2) "
    "ON CONFLICT DO NOTHING";

r1_status fraud_versions_prepare(fraud_versions *v, const char *config, r1_store *s, r1_err *err)
{
    snprintf(v->landed, sizeof v->landed, "%s", config);
    snprintf(v->aimed, sizeof v->aimed, "%s", config);
    return r1_store_prepare(s, "version", sql_version, 2, err);
}

r1_status fraud_versions_add(fraud_versions *v, r1_store *s, fraud_record *const *record, size_t n,
                             r1_err *err)
{
    snprintf(v->aimed, sizeof v->aimed, "%s", v->landed);
    for (size_t i = 0; i < n; i++) {
        const fraud_policy *p = record[i]->decision.policy;
        if (!p || !strcmp(fraud_policy_version(p), v->aimed)) continue;
        const char *row[] = {fraud_policy_version(p), fraud_policy_text(p)};
        R1_TRY(r1_store_batch_add(s, "version", R1_COUNT(row), row, err));
        snprintf(v->aimed, sizeof v->aimed, "%s", row[0]);
    }
    return R1_OK;
}

void fraud_versions_landed(fraud_versions *v) { memcpy(v->landed, v->aimed, sizeof v->landed); }
