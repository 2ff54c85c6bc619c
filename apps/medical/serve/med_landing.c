/* SPDX-License-Identifier: Apache-2.0 */
/* med_landing.c - see med_landing.h. */
#include "serve/med_landing.h"

#include "r1_assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APP "medical"

const char *const med_outcome_name[MED_OUTCOMES] = {[MED_OUTCOME_REPORTED] = "reported",
                                                    [MED_OUTCOME_PERSON] = "person",
                                                    [MED_OUTCOME_DEAD] = "dead"};

/* What is sealed of a row of med_record, $1 to $4 its place: two kinds in lower-case digits, NULL
 * where there is none of it. */
#define SEALED_ROWS(from, name, id, text)                                                          \
    "INSERT INTO r1.med_sealed (cluster_id, topic, partition, kafka_offset, kind, seal_key, "      \
    "sealed) SELECT $1, $2, $3::integer, $4::bigint, v.kind, " name ", decode(v.hex, 'hex') "      \
    "FROM " from ", (VALUES ('" MED_SEALED_ID "', " id "), ('" MED_SEALED_TEXT "', " text          \
    ")) AS v (kind, hex) WHERE v.hex IS NOT NULL"
static const char record_sql[] = MED_WRITE_ROWS(
    "$9", "$10::jsonb",
    "(record_hash, knowledge_base) DO UPDATE SET record_hash = "
    "excluded.record_hash RETURNING id, xmax = 0 AS fresh") ", m AS (INSERT INTO r1.med_record "
                                                            "(record_hash, report_id, cluster_id, "
                                                            "topic, partition, "
                                                            "kafka_offset, key_index, outcome, "
                                                            "reason) SELECT $9, r.id, $1, $2, "
                                                            "$3::integer, $4::bigint, "
                                                            "$5, $11, $12 FROM r RETURNING "
                                                            "true) " SEALED_ROWS(
                                                                "m", "$6", "$7::text", "$8::text");
static const char dead_sql[] =
    "WITH d AS (INSERT INTO r1.dead_letter (app, incarnation, topic, partition, kafka_offset, "
    "stage, reason) VALUES ('" APP "', $10::integer, $2, $3::integer, $4::bigint, 'decode', "
    "$9)), m AS (INSERT INTO r1.med_record (cluster_id, topic, partition, kafka_offset, key_index, "
    "outcome, reason) VALUES ($1, $2, $3::integer, $4::bigint, $5, 'dead', $9) RETURNING "
    "true) " SEALED_ROWS("m", "$6", "$7::text", "$8::text");
static const char advance_sql[] =
    "SELECT r1.advance_offset($1, '" APP "', $2, $3::integer, $4::bigint, $5::bigint, $6::bigint, "
    "$7::bigint)";

r1_status med_landing_prepare(r1_store *s, r1_err *err)
{
    R1_TRY(r1_store_prepare(s, "med_record", record_sql, 12, err));
    R1_TRY(r1_store_prepare(s, "med_dead", dead_sql, 10, err));
    return r1_store_prepare(s, "med_advance", advance_sql, 7, err);
}

/* ---- claims ---- */

r1_status med_claims_known(const med_claims *c, r1_store *s, r1_err *err)
{
    const char *param[] = {c->topic, c->cluster};
    r1_rows *rows;
    R1_TRY(r1_store_query(s,
                          "SELECT cluster_id FROM r1.stream_offset WHERE app = '" APP
                          "' AND topic = $1 AND next_offset > 0 AND NOT EXISTS (SELECT FROM "
                          "r1.stream_offset WHERE app = '" APP
                          "' AND topic = $1 AND cluster_id = $2) LIMIT 1",
                          2, param, &rows, err));
    r1_status st = R1_OK;
    if (r1_rows_count(rows))
        st = r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__,
                        "topic %s: expected the cluster \"%s\", from which it was read before, "
                        "found \"%s\"",
                        c->topic, r1_rows_text(rows, 0, 0), c->cluster);
    r1_rows_free(rows);
    return st;
}

r1_status med_claim_take(med_claims *c, r1_store *s, int32_t partition, r1_err *err)
{
    char number[16];
    r1_rows *rows;
    R1_ASSERT(partition >= 0 && partition < MED_PARTITIONS_MAX, "partition %d", partition);
    snprintf(number, sizeof number, "%d", partition);
    const char *param[] = {c->cluster, c->topic, number, c->owner};
    R1_TRY(r1_store_query(s,
                          "SELECT next_offset, epoch, last_offset, last_identity, incarnation FROM "
                          "r1.take_partition($1, '" APP "', $2, $3::integer, $4)",
                          4, param, &rows, err));
    bool known = r1_rows_text(rows, 0, 2) && r1_rows_text(rows, 0, 3);
    c->of[partition] = (med_claim){.next = r1_rows_int(rows, 0, 0),
                                   .epoch = r1_rows_int(rows, 0, 1),
                                   .incarnation = r1_rows_int(rows, 0, 4),
                                   .last = known ? r1_rows_int(rows, 0, 2) : -1,
                                   .identity = (uint64_t)r1_rows_int(rows, 0, 3)};
    r1_rows_free(rows);
    return R1_OK;
}

/* ---- a batch ---- */

med_landing_row *med_landing_next(med_landing *b, const r1_message *m)
{
    R1_ASSERT(b->n < MED_LANDING_MAX, "%u messages", b->n);
    med_landing_row *row = &b->row[b->n];
    *row = (med_landing_row){
        .partition = m->partition, .offset = m->offset, .identity = r1_message_identity(m)};
    return row;
}

r1_status med_landing_seal(med_landing_row *row, const med_claims *c, const med_keys *keys,
                           bool keep_text, const r1_message *m, r1_err *err)
{
    const med_place place = {c->cluster, c->topic, m->partition, m->offset};
    const char *text = m->payload ? m->payload : "";
    /* Blank keys name nobody, and would all be one. */
    if (m->key && !med_index_id_is_blank(m->key, m->key_len)) {
        med_index_of_id(keys, m->key, m->key_len, row->key_index);
        R1_TRY(med_seal(keys, &place, MED_SEALED_ID, m->key, m->key_len, &row->id, err));
    }
    if (!keep_text) return R1_OK;
    return med_seal(keys, &place, MED_SEALED_TEXT, text, m->payload_len, &row->text, err);
}

static void landing_row_clear(med_landing_row *row)
{
    free(row->rows);
    free(row->id);
    free(row->text);
    row->rows = row->id = row->text = NULL;
}

void med_landing_clear(med_landing *b)
{
    for (uint32_t i = 0; i < b->n; i++) landing_row_clear(&b->row[i]);
    b->n = b->done = 0;
    b->singly = false;
}

/* The end of the next transaction's rows. */
static uint32_t landing_end(const med_landing *b) { return b->singly ? b->done + 1 : b->n; }

/* What that transaction makes of a partition's offset; 0: it has none of it. */
static int64_t landing_target(const med_landing *b, int32_t partition, uint64_t *identity)
{
    int64_t next = 0;
    for (uint32_t i = b->done; i < landing_end(b); i++)
        if (b->row[i].partition == partition) {
            next = b->row[i].offset + 1;
            *identity = b->row[i].identity;
        }
    return next;
}

static r1_status landing_row(const med_landing_row *r, const med_landing *b, const med_claims *c,
                             r1_store *s, r1_err *err)
{
    char partition[16], offset[24], incarnation[24];
    const char *index = *r->key_index ? r->key_index : NULL;
    snprintf(partition, sizeof partition, "%d", r->partition);
    snprintf(offset, sizeof offset, "%lld", (long long)r->offset);
    snprintf(incarnation, sizeof incarnation, "%lld", (long long)c->of[r->partition].incarnation);
    if (r->outcome == MED_OUTCOME_DEAD) {
        const char *param[] = {c->cluster,  c->topic, partition, offset,    index,
                               b->seal_key, r->id,    r->text,   r->reason, incarnation};
        return r1_store_batch_add(s, "med_dead", R1_COUNT(param), param, err);
    }
    const char *param[] = {c->cluster,
                           c->topic,
                           partition,
                           offset,
                           index,
                           b->seal_key,
                           r->id,
                           r->text,
                           r->hash,
                           r->rows,
                           med_outcome_name[r->outcome],
                           r->reason};
    return r1_store_batch_add(s, "med_record", R1_COUNT(param), param, err);
}

static r1_status landing_offsets(const med_landing *b, const med_claims *c, r1_store *s,
                                 r1_err *err)
{
    for (int32_t p = 0; p < c->n; p++) {
        uint64_t identity = 0;
        int64_t next = landing_target(b, p, &identity);
        char text[5][24];
        if (!next) continue;
        snprintf(text[0], sizeof text[0], "%d", p);
        snprintf(text[1], sizeof text[1], "%lld", (long long)c->of[p].next);
        snprintf(text[2], sizeof text[2], "%lld", (long long)next);
        snprintf(text[3], sizeof text[3], "%lld", (long long)c->of[p].epoch);
        snprintf(text[4], sizeof text[4], "%lld", (long long)(int64_t)identity);
        const char *param[] = {c->cluster, c->topic, text[0], text[1], text[2], text[3], text[4]};
        R1_TRY(r1_store_batch_add(s, "med_advance", 7, param, err));
    }
    return R1_OK;
}

static r1_status landing_try(const med_landing *b, const med_claims *c, r1_store *s, r1_err *err)
{
    R1_TRY(r1_store_batch_begin(s, err));
    r1_status st = R1_OK;
    for (uint32_t i = b->done; i < landing_end(b) && st == R1_OK; i++)
        st = landing_row(&b->row[i], b, c, s, err);
    if (st == R1_OK) st = landing_offsets(b, c, s, err);
    if (st == R1_OK) return r1_store_batch_commit(s, err);
    r1_store_batch_abort(s);
    return st;
}

static void landing_moved(med_landing *b, med_claims *c)
{
    for (int32_t p = 0; p < c->n; p++) {
        int64_t next = landing_target(b, p, &c->of[p].identity);
        if (!next) continue;
        c->of[p].next = next;
        c->of[p].last = next - 1;
    }
    b->done = landing_end(b);
}

/* Which row was refused is found one by one. That of a dead letter cannot become one. */
static r1_status landing_refused(med_landing *b, const r1_store *s)
{
    med_landing_row *r = &b->row[b->done];
    if (!b->singly && b->n - b->done > 1) {
        b->singly = true;
        return R1_OK;
    }
    if (r->outcome == MED_OUTCOME_DEAD) return R1_E_FORMAT;
    r1_log(R1_LOG_ERROR, "record_refused", "partition=%d offset=%lld state=%s", r->partition,
           (long long)r->offset, r1_store_state(s));
    free(r->rows);
    r->rows = NULL;
    r->outcome = MED_OUTCOME_DEAD;
    r->reason = "PostgreSQL refuses the values of its report";
    return R1_OK;
}

r1_status med_landing_write(med_landing *b, med_claims *c, r1_store *s, r1_err *err)
{
    r1_status st = landing_try(b, c, s, err);
    if (st == R1_E_FORMAT) return landing_refused(b, s);
    if (st == R1_OK) landing_moved(b, c);
    return st;
}

/* Where a partition stands now: *done, at the batch's target; neither there nor at the claim is
 * another owner's. */
static r1_status landing_stands(const med_claims *c, r1_store *s, int32_t p, int64_t target,
                                bool *done, r1_err *err)
{
    char number[16];
    r1_rows *rows;
    snprintf(number, sizeof number, "%d", p);
    const char *param[] = {c->cluster, c->topic, number};
    R1_TRY(r1_store_query(s,
                          "SELECT next_offset, epoch FROM r1.stream_offset WHERE cluster_id = $1 "
                          "AND app = '" APP "' AND topic = $2 AND partition = $3::integer",
                          3, param, &rows, err));
    int64_t next = r1_rows_count(rows) ? r1_rows_int(rows, 0, 0) : -1,
            epoch = r1_rows_count(rows) ? r1_rows_int(rows, 0, 1) : -1;
    r1_rows_free(rows);
    if (epoch != c->of[p].epoch || (next != target && next != c->of[p].next))
        R1_FAIL(err, R1_E_FENCED,
                "partition %d of %s: expected epoch %lld, found epoch %lld at offset %lld: another "
                "owner has taken over, or PostgreSQL has lost commits",
                p, c->topic, (long long)c->of[p].epoch, (long long)epoch, (long long)next);
    *done = next == target;
    return R1_OK;
}

r1_status med_landing_recover(med_landing *b, med_claims *c, r1_store *s, r1_err *err)
{
    bool landed = false;
    if (!r1_store_alive(s)) R1_TRY(r1_store_reopen(s, err));
    for (int32_t p = 0; p < c->n; p++) {
        uint64_t identity;
        int64_t target = landing_target(b, p, &identity);
        if (target) R1_TRY(landing_stands(c, s, p, target, &landed, err));
    }
    if (landed) landing_moved(b, c); /* one transaction: all partitions or none */
    return R1_OK;
}
