/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger.c - what an owner asks the database about its partitions, and where they stand. */
#include "write/ledger.h"
#include "r1_assert.h"

#include <stdio.h>
#include <string.h>

r1_status fraud_ledger_known_cluster(const fraud_ledger *l, r1_store *s, const char *name,
                                     r1_err *err)
{
    const char *param[] = {name, l->cluster};
    r1_rows *rows;
    R1_TRY(r1_store_query(s,
                          "SELECT cluster_id FROM r1.stream_offset WHERE app = 'fraud' AND topic = "
                          "$1 AND next_offset > 0 AND NOT EXISTS (SELECT FROM r1.stream_offset "
                          "WHERE app = 'fraud' AND topic = $1 AND cluster_id = $2) "
                          "ORDER BY updated_at DESC LIMIT 1",
                          2, param, &rows, err));
    r1_status st = R1_OK;
    if (r1_rows_count(rows))
        st = r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__,
                        "topic %s: expected the cluster \"%s\", from which it was read before, "
                        "found \"%s\": " FRAUD_OFFSETS_REMEDY,
                        name, r1_rows_text(rows, 0, 0), l->cluster);
    r1_rows_free(rows);
    return st;
}

static r1_status ledger_take_one(fraud_ledger *l, r1_store *s, fraud_topic topic, int32_t partition,
                                 r1_err *err)
{
    char number[16], log_epoch[24];
    snprintf(number, sizeof number, "%d", partition);
    snprintf(log_epoch, sizeof log_epoch, "%lld", (long long)l->log_epoch);
    const char *param[] = {l->cluster, l->topic[topic], number, l->owner, log_epoch};
    r1_rows *rows;
    R1_TRY(r1_store_query(s,
                          "SELECT next_offset, epoch, incarnation, last_offset, last_identity FROM "
                          "r1.hold_log('fraud', $5::bigint), "
                          "r1.take_partition($1, 'fraud', $2, $3::integer, $4)",
                          R1_COUNT(param), param, &rows, err));
    bool known = r1_rows_text(rows, 0, 3) && r1_rows_text(rows, 0, 4);
    l->claim[topic][partition] = (fraud_claim){.next_offset = r1_rows_int(rows, 0, 0),
                                               .epoch = r1_rows_int(rows, 0, 1),
                                               .last_offset = known ? r1_rows_int(rows, 0, 3) : -1,
                                               .last_identity = (uint64_t)r1_rows_int(rows, 0, 4)};
    int64_t incarnation = r1_rows_int(rows, 0, 2);
    r1_rows_free(rows);
    if (partition == 0 || !l->incarnation[topic]) l->incarnation[topic] = incarnation;
    if (incarnation != l->incarnation[topic])
        R1_FAIL(err, R1_E_STREAM,
                "partition %d of %s: expected incarnation %lld as for partition 0, found "
                "%lld: " FRAUD_OFFSETS_REMEDY,
                partition, l->topic[topic], (long long)l->incarnation[topic],
                (long long)incarnation);
    return R1_OK;
}

r1_status fraud_ledger_take(fraud_ledger *l, r1_store *s, fraud_topic topic, const char *name,
                            int32_t n_partition, r1_err *err)
{
    if (n_partition > FRAUD_PARTITIONS_MAX)
        R1_FAIL(err, R1_E_INVAL,
                "topic %s has %d partitions, at most %d are supported by one process", name,
                n_partition, FRAUD_PARTITIONS_MAX);
    l->topic[topic] = name;
    for (int32_t i = l->n_partition[topic]; i < n_partition; i++)
        R1_TRY(ledger_take_one(l, s, topic, i, err));
    l->n_partition[topic] = n_partition;
    return R1_OK;
}

r1_status fraud_ledger_claim(fraud_ledger *l, r1_store *s, fraud_topic topic, int32_t partition,
                             r1_err *err)
{
    R1_ASSERT(partition >= 0 && partition < FRAUD_PARTITIONS_MAX, "partition %d", partition);
    R1_TRY(ledger_take_one(l, s, topic, partition, err));
    if (partition >= l->n_partition[topic]) l->n_partition[topic] = partition + 1;
    return R1_OK;
}

/* Payments and labels change the engine's state, in the order of apply_seq. */
static bool ledger_has_seq(const fraud_record *r)
{
    return r->kind == FRAUD_RECORD_PAYMENT || r->kind == FRAUD_RECORD_LABEL;
}

void fraud_ledger_aim(const fraud_ledger *l, fraud_record *const *r, size_t n, fraud_targets *out)
{
    int64_t seq = l->last_seq;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        int32_t p = r[i]->message.partition;
        int64_t offset = r[i]->message.offset;
        R1_ASSERT(r[i]->topic < FRAUD_N_TOPIC && p >= 0 && p < l->n_partition[r[i]->topic],
                  "partition %d of topic %d", p, (int)r[i]->topic);
        const fraud_claim *claim = &l->claim[r[i]->topic][p];
        int64_t *next = &out->next[r[i]->topic][p];
        R1_ASSERT(claim->epoch > 0, "partition %d: epoch %lld", p, (long long)claim->epoch);
        R1_ASSERT(offset >= claim->next_offset && offset >= *next,
                  "partition %d: offset %lld, claimed from %lld, %lld in the batch before it", p,
                  (long long)offset, (long long)claim->next_offset, (long long)*next);
        *next = offset + 1;
        if (!ledger_has_seq(r[i])) continue;
        R1_ASSERT(l->shared || r[i]->apply_seq > seq, "apply_seq %lld after %lld",
                  (long long)r[i]->apply_seq, (long long)seq);
        seq = r[i]->apply_seq;
    }
    for (size_t i = 0; i < n; i++) {
        const r1_message *m = &r[i]->message;
        if (m->offset + 1 == out->next[r[i]->topic][m->partition])
            out->identity[r[i]->topic][m->partition] = r1_message_identity(m);
    }
}

int64_t fraud_ledger_end(const fraud_ledger *l, fraud_record *const *r, size_t n)
{
    int64_t seq = l->last_seq;
    for (size_t i = 0; i < n; i++)
        if (ledger_has_seq(r[i]) && r[i]->apply_seq > seq) seq = r[i]->apply_seq;
    return seq;
}

void fraud_ledger_move(fraud_ledger *l, fraud_record *const *r, size_t n)
{
    fraud_targets t;
    fraud_ledger_aim(l, r, n, &t);
    l->last_seq = fraud_ledger_end(l, r, n);
    for (size_t i = 0; i < n; i++) {
        int32_t p = r[i]->message.partition;
        l->claim[r[i]->topic][p].next_offset = t.next[r[i]->topic][p];
    }
}

/* The stored offset and epoch; -1 where there are none. */
static r1_status ledger_stored(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                               int32_t partition, int64_t *offset, int64_t *epoch, r1_err *err)
{
    char number[16];
    snprintf(number, sizeof number, "%d", partition);
    const char *param[] = {l->cluster, l->topic[topic], number};
    r1_rows *rows;
    R1_TRY(r1_store_query(s,
                          "SELECT next_offset, epoch FROM r1.stream_offset WHERE cluster_id = $1 "
                          "AND app = 'fraud' AND topic = $2 AND "
                          "partition = $3::integer",
                          3, param, &rows, err));
    bool known = r1_rows_count(rows) == 1;
    *offset = known ? r1_rows_int(rows, 0, 0) : -1;
    *epoch = known ? r1_rows_int(rows, 0, 1) : -1;
    r1_rows_free(rows);
    R1_ASSERT(l->claim[topic][partition].epoch > 0, "partition %d: epoch %lld", partition,
              (long long)l->claim[topic][partition].epoch);
    return R1_OK;
}

r1_status fraud_ledger_taken(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                             int32_t partition, bool *taken, r1_err *err)
{
    int64_t offset, epoch;
    R1_TRY(ledger_stored(l, s, topic, partition, &offset, &epoch, err));
    *taken = epoch > l->claim[topic][partition].epoch;
    return R1_OK;
}

r1_status fraud_ledger_landed(const fraud_ledger *l, r1_store *s, fraud_topic topic,
                              int32_t partition, int64_t next, bool *done, r1_err *err)
{
    int64_t offset, epoch;
    R1_TRY(ledger_stored(l, s, topic, partition, &offset, &epoch, err));
    const fraud_claim *mine = &l->claim[topic][partition];
    /* A claim past it: the partition was lost and taken again while the outcome was unknown. */
    if (next <= mine->next_offset || epoch != mine->epoch ||
        (offset != next && offset != mine->next_offset))
        R1_FAIL(err, R1_E_FENCED,
                "partition %d of %s: expected epoch %lld, found epoch %lld at offset %lld: %s",
                partition, l->topic[topic], (long long)mine->epoch, (long long)epoch,
                (long long)offset,
                epoch > mine->epoch || offset >= mine->next_offset ? "another owner has taken over"
                                                                   : "PostgreSQL has lost commits");
    *done = offset == next;
    return R1_OK;
}
