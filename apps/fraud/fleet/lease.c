/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lease.c - see lease.h; the rules are functions of schemas/sql/0011_fraud_shared.sql. */
#include "fleet/lease.h"

#include <stdio.h>
#include <string.h>

static r1_status lease_same_log(const fraud_lease_opts *o, const r1_rows *rows, r1_err *err)
{
    const char *cluster = r1_rows_text(rows, 0, 2), *events = r1_rows_text(rows, 0, 3);
    if (!cluster) return R1_OK; /* the log is not shared */
    if (!strcmp(cluster, o->cluster) && !strcmp(events, o->events)) return R1_OK;
    R1_FAIL(err, R1_E_INVAL,
            "events-topic: expected %.100s of cluster %.40s, by which this log is shared, found "
            "%.100s of %.40s; to leave it: " FRAUD_SHARED_REMEDY,
            events, cluster, o->events, o->cluster);
}

r1_status fraud_lease_ask(const fraud_lease_opts *o, r1_store *s, int64_t mine, int64_t seen,
                          fraud_lease *out, r1_err *err)
{
    char epoch[24], top[24], ms[16];
    r1_rows *rows;
    snprintf(epoch, sizeof epoch, "%lld", (long long)mine);
    snprintf(top, sizeof top, "%lld", (long long)seen);
    snprintf(ms, sizeof ms, "%d", o->lease_ms);
    const char *param[] = {o->cluster, o->events, o->owner, epoch, top, ms};
    R1_TRY(r1_store_query(s,
                          "SELECT epoch, owner, cluster_id, events, log_id FROM "
                          "r1.lease_sequencer('fraud', $1, $2, $3, $4::bigint, $5::bigint, "
                          "$6::integer)",
                          R1_COUNT(param), param, &rows, err));
    r1_status st = lease_same_log(o, rows, err);
    if (st == R1_OK) {
        *out = (fraud_lease){.epoch = r1_rows_int(rows, 0, 0),
                             .shared = r1_rows_text(rows, 0, 2) != NULL,
                             .has_log = r1_rows_text(rows, 0, 4) != NULL,
                             .log = (uint64_t)r1_rows_int(rows, 0, 4)};
        const char *owner = r1_rows_text(rows, 0, 1);
        snprintf(out->owner, sizeof out->owner, "%s", owner ? owner : "");
    }
    r1_rows_free(rows);
    return st;
}

r1_status fraud_lease_release(const fraud_lease_opts *o, r1_store *s, int64_t mine, r1_err *err)
{
    char epoch[24];
    snprintf(epoch, sizeof epoch, "%lld", (long long)mine);
    const char *param[] = {o->owner, epoch};
    return r1_store_query(s, "SELECT r1.release_sequencer('fraud', $1, $2::bigint)", 2, param, NULL,
                          err);
}

r1_status fraud_lease_open(r1_store *s, uint64_t *log, r1_err *err)
{
    char id[24];
    r1_rows *rows;
    snprintf(id, sizeof id, "%lld", (long long)(int64_t)*log);
    const char *param[] = {id};
    R1_TRY(r1_store_query(s, "SELECT r1.open_shared('fraud', $1::bigint)", 1, param, &rows, err));
    *log = (uint64_t)r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    return R1_OK;
}

r1_status fraud_lease_alone(r1_store *s, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(s, "SELECT events FROM r1.sequencer WHERE app = 'fraud'", 0, NULL, &rows,
                          err));
    r1_status st = R1_OK;
    if (r1_rows_count(rows))
        st = r1_err_set(err, R1_E_INVAL, __FILE__, __LINE__,
                        "events-topic: expected %.100s, by which this log is shared, found none; "
                        "to leave it: " FRAUD_SHARED_REMEDY,
                        r1_rows_text(rows, 0, 0));
    r1_rows_free(rows);
    return st;
}

r1_status fraud_committed_ask(r1_store *s, const char *cluster, const char *const *topic,
                              int64_t next[FRAUD_EVENT_TOPICS][FRAUD_EVENT_PARTITIONS], r1_err *err)
{
    const char *param[] = {cluster, topic[0], topic[1]};
    r1_rows *rows;
    R1_TRY(r1_store_query(s,
                          "SELECT CASE topic WHEN $2 THEN 0 ELSE 1 END, partition, next_offset "
                          "FROM r1.stream_offset WHERE cluster_id = $1 AND app = 'fraud' AND "
                          "topic IN ($2, $3)",
                          R1_COUNT(param), param, &rows, err));
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        int64_t t = r1_rows_int(rows, i, 0), p = r1_rows_int(rows, i, 1);
        if (p < FRAUD_EVENT_PARTITIONS) next[t][p] = r1_rows_int(rows, i, 2);
    }
    r1_rows_free(rows);
    return R1_OK;
}
