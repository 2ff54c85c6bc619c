/* SPDX-License-Identifier: Apache-2.0 */
/* med_records.c - the audit, see med_records.h. */
#include "records/med_records.h"

#include <stdio.h>

r1_status med_records_audit(const med_records *m, const char *what, const char *kind, size_t n,
                            const char *detail, r1_err *err)
{
    char count[24];
    snprintf(count, sizeof count, "%zu", n);
    const char *param[] = {m->who, what, kind, count, detail};
    return r1_store_query(m->store,
                          "INSERT INTO r1.med_audit (who, what, kind, n, detail) VALUES ($1, $2, "
                          "$3, $4::bigint, $5)",
                          R1_COUNT(param), param, NULL, err);
}

r1_status med_records_admit(const med_records *m, const char *what, med_known_use use, char *others,
                            size_t size, r1_err *err)
{
    r1_err again;
    r1_status st = med_known_keys(m->store, m->keys, use, others, size, err);
    if (st == R1_E_INVAL) med_records_audit(m, "refused", what, 0, med_index_name(m->keys), &again);
    return st;
}
