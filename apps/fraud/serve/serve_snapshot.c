/* SPDX-License-Identifier: GPL-3.0-or-later */
/* serve_snapshot.c - what a snapshot of the service holds, whether one is of the log at hand, and
 * when the next is due. */
#include "r1_assert.h"
#include "serve/pace_rebuild.h"
#include "serve/share.h"
#include "write/log_owner.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_US = 600 * 1000000 }; /* for one snapshot, until the log has come as far */

/* ---- parts ---- */

static r1_status settle_engine(void *ctx, r1_err *err) { return fraud_engine_settle(ctx, err); }
static r1_status save_engine(void *ctx, r1_image_out *out, r1_err *err)
{
    return fraud_engine_save(ctx, out, err);
}
static r1_status load_engine(void *ctx, r1_image_in *in, r1_err *err)
{
    return fraud_engine_load(ctx, in, err);
}
static r1_status empty_engine(void *ctx, r1_err *err) { return fraud_engine_empty(ctx, err); }
static r1_status save_seen(void *ctx, r1_image_out *out, r1_err *err)
{
    return fraud_txset_save(ctx, out, err);
}
static r1_status load_seen(void *ctx, r1_image_in *in, r1_err *err)
{
    return fraud_txset_load(ctx, in, err);
}
static r1_status empty_seen(void *ctx, r1_err *err) { return fraud_txset_clear(ctx, err); }

/* The distribution of scores and the counts of rules: one row (decide/pace.h). */
static r1_image_array pace_array(fraud_pace *p)
{
    size_t bytes;
    void *block = fraud_pace_block(p, &bytes);
    return (r1_image_array){.name = "pace", .data = block, .row_bytes = bytes, .n = 1, .n_max = 1};
}
static r1_status save_pace(void *ctx, r1_image_out *out, r1_err *err)
{
    const r1_image_array a = pace_array(ctx);
    return r1_image_put_array(out, &a, 1, err);
}
static r1_status load_pace(void *ctx, r1_image_in *in, r1_err *err)
{
    r1_image_array a = pace_array(ctx);
    R1_TRY(r1_image_get_array(in, &a, 1, err));
    return fraud_pace_check(ctx, err);
}
static r1_status empty_pace(void *ctx, r1_err *err)
{
    (void)err;
    return fraud_pace_clear(ctx), R1_OK;
}

/* One row a part; what the state of the service gains gets a row here. A part that older files lack
 * is optional. */
static r1_status open_snapshots(server *s, r1_err *err)
{
    const fraud_snapshot_part parts[] = {
        {.name = "engine",
         .ctx = s->parts.engine,
         .settle = settle_engine,
         .save = save_engine,
         .load = load_engine,
         .empty = empty_engine},
        {.name = "seen",
         .ctx = s->parts.seen,
         .save = save_seen,
         .load = load_seen,
         .empty = empty_seen},
        {.name = "pace",
         .optional = true,
         .ctx = s->parts.pace,
         .save = save_pace,
         .load = load_pace,
         .empty = empty_pace},
    };
    size_t n = 0;
    s->part[n++] = s->share ? fraud_share_part(s) : fraud_share_part_alone(s); /* first: judges */
    for (size_t i = 0; i < R1_COUNT(parts); i++) s->part[n++] = parts[i];
    s->part[n++] = fraud_serve_currency_part(s);
    R1_ASSERT(n <= FRAUD_SERVE_PARTS, "%zu parts", n);
    const fraud_snapshots_opts o = {.folder = r1_options_str(s->o, "snapshot-dir"),
                                    .keep = (uint32_t)r1_options_int(s->o, "snapshot-keep"),
                                    .every_us = r1_options_int(s->o, "snapshot-every") * 1000000,
                                    .limit_us = LIMIT_US,
                                    .shared = r1_options_str(s->o, "events-topic") != NULL,
                                    .part = s->part,
                                    .n_part = n};
    return fraud_snapshots_new(&s->snapshots, &o, err);
}

/* ---- which log ---- */

/* The moment at which the schema's tables were made tells a log from every other one. */
r1_status fraud_serve_name_log(server *s, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(s->store,
                          "SELECT applied_at::text FROM r1.schema_migration WHERE version = 2", 0,
                          NULL, &rows, err));
    const char *id = r1_rows_count(rows) ? r1_rows_text(rows, 0, 0) : NULL;
    snprintf(s->log.log_id, sizeof s->log.log_id, "%s", id ? id : "");
    r1_rows_free(rows);
    return R1_OK;
}

static void name_stream(server *s)
{
    char *text = s->log.stream;
    const size_t room = sizeof s->log.stream;
    size_t n =
        (size_t)snprintf(text, room, "cluster=%s owner=%s", s->ledger.cluster, s->ledger.owner);
    for (int t = 0; t < FRAUD_N_TOPIC; t++)
        for (int32_t p = 0; s->ledger.topic[t] && p < s->ledger.n_partition[t] && n < room; p++)
            n +=
                (size_t)snprintf(text + n, room - n, " %s/%d=incarnation:%lld,epoch:%lld,next:%lld",
                                 s->ledger.topic[t], p, (long long)s->ledger.incarnation[t],
                                 (long long)s->ledger.claim[t][p].epoch,
                                 (long long)s->ledger.claim[t][p].next_offset);
}

/* The row of the log with this apply_seq; false: there is none. */
static r1_status find_row(server *s, int64_t apply_seq, fraud_snapshot_log *row, bool *found,
                          r1_err *err)
{
    char number[24];
    const char *param[] = {number};
    r1_rows *rows;
    snprintf(number, sizeof number, "%lld", (long long)apply_seq);
    R1_TRY(
        r1_store_query(s->store,
                       "SELECT tx_id, topic, partition, kafka_offset, incarnation FROM r1.payment "
                       "WHERE apply_seq = $1::bigint UNION ALL "
                       "SELECT tx_id, topic, partition, kafka_offset, incarnation FROM r1.label "
                       "WHERE apply_seq = $1::bigint",
                       1, param, &rows, err));
    *found = r1_rows_count(rows) > 0;
    if (*found) {
        row->apply_seq = apply_seq;
        snprintf(row->tx_id, sizeof row->tx_id, "%s", r1_rows_text(rows, 0, 0));
        snprintf(row->topic, sizeof row->topic, "%s", r1_rows_text(rows, 0, 1));
        row->partition = (int32_t)r1_rows_int(rows, 0, 2);
        row->offset = r1_rows_int(rows, 0, 3);
        row->incarnation = r1_rows_int(rows, 0, 4);
    }
    r1_rows_free(rows);
    return R1_OK;
}

static bool same_row(const fraud_snapshot_log *a, const fraud_snapshot_log *b)
{
    return a->apply_seq == b->apply_seq && a->partition == b->partition && a->offset == b->offset &&
           a->incarnation == b->incarnation && !strcmp(a->topic, b->topic) &&
           !strcmp(a->tx_id, b->tx_id);
}

/* Whether the stored offsets are past the row: the log held it once. */
static bool was_committed(const server *s, const fraud_snapshot_log *log)
{
    for (int t = 0; t < FRAUD_N_TOPIC; t++)
        if (s->ledger.topic[t] && !strcmp(s->ledger.topic[t], log->topic) && log->partition >= 0 &&
            log->partition < s->ledger.n_partition[t])
            return s->ledger.incarnation[t] > log->incarnation ||
                   s->ledger.claim[t][log->partition].next_offset > log->offset;
    return false;
}

/* A row that retention has dropped, with all before it. The tail must begin right behind it. It
 * does so too behind rows that PostgreSQL has lost. */
static r1_status judge_dropped(server *s, const fraud_snapshot_log *log, r1_err *err)
{
    char number[24];
    const char *param[] = {number};
    r1_rows *rows;
    snprintf(number, sizeof number, "%lld", (long long)log->apply_seq);
    R1_TRY(r1_store_query(s->store,
                          "SELECT least((SELECT min(apply_seq) FROM r1.payment), "
                          "(SELECT min(apply_seq) FROM r1.label)), "
                          "greatest((SELECT max(apply_seq) FROM r1.payment), "
                          "(SELECT max(apply_seq) FROM r1.label)), EXISTS (SELECT FROM r1.log_loss "
                          "WHERE app = 'fraud' AND $1::bigint BETWEEN from_seq AND to_seq)",
                          1, param, &rows, err));
    int64_t first = r1_rows_int(rows, 0, 0), last = r1_rows_int(rows, 0, 1);
    bool lost = *r1_rows_text(rows, 0, 2) == 't';
    r1_rows_free(rows);
    if (lost)
        R1_FAIL(err, R1_E_NOT_FOUND, "it ends with row %lld, which PostgreSQL has lost",
                (long long)log->apply_seq);
    if ((!last || first == log->apply_seq + 1) && was_committed(s, log)) return R1_OK;
    if (!s->share && last < log->apply_seq && s->snapshot_seq < log->apply_seq)
        s->snapshot_seq = log->apply_seq;
    R1_FAIL(err, R1_E_NOT_FOUND,
            "it ends with row %lld, the log of PostgreSQL holds rows %lld to %lld without it",
            (long long)log->apply_seq, (long long)first, (long long)last);
}

static r1_status judge_log(void *ctx, const fraud_snapshot_log *log, r1_err *err)
{
    server *s = ctx;
    fraud_snapshot_log row = {0};
    bool found;
    if (strcmp(log->log_id, s->log.log_id) != 0)
        R1_FAIL(err, R1_E_NOT_FOUND, "expected a snapshot of the log made at %s, found one of %s",
                s->log.log_id, log->log_id);
    if (!*log->topic) return R1_OK; /* of several processes: its part judges */
    if (s->share && log->apply_seq > fraud_share_base(s)) return R1_OK;
    R1_TRY(find_row(s, log->apply_seq, &row, &found, err));
    if (!found) return judge_dropped(s, log, err);
    if (same_row(&row, log)) return R1_OK;
    R1_FAIL(
        err, R1_E_NOT_FOUND,
        "expected row %lld to be \"%s\" at offset %lld of partition %d, found \"%s\" at %lld of "
        "%d: it is of another log",
        (long long)row.apply_seq, row.tx_id, (long long)row.offset, row.partition, log->tx_id,
        (long long)log->offset, log->partition);
}

/* ---- start ---- */

static r1_status restore_newest(server *s, int64_t *after_seq, r1_err *err)
{
    fraud_snapshot_log got;
    int64_t began = r1_mono_us();
    R1_TRY(open_snapshots(s, err));
    R1_TRY(fraud_snapshots_load(s->snapshots, judge_log, s, &got, err));
    *after_seq = got.apply_seq;
    if (!got.apply_seq) return R1_OK;
    fprintf(stderr, "r1-fraud serve: snapshot %s loaded in %.1f s\n",
            fraud_snapshots_read(s->snapshots)->loaded, (double)(r1_mono_us() - began) * 1e-6);
    s->log = got;
    return R1_OK;
}

/* A snapshot holds rows that were committed, and what was sent to a topic was. */
r1_status fraud_serve_last_number(const server *s, int64_t last_row, int64_t *out, r1_err *err)
{
    int64_t lost_to, known = s->snapshot_seq > s->sent_seq ? s->snapshot_seq : s->sent_seq;
    bool lost;
    if (known) R1_TRY(fraud_log_note_loss(&s->ledger, s->store, known, &lost, err));
    R1_TRY(fraud_log_lost_to(s->store, &lost_to, err));
    *out = last_row > lost_to ? last_row : lost_to;
    return R1_OK;
}

r1_status fraud_serve_restore(server *s, r1_err *err)
{
    int64_t after_seq = 0, began = r1_mono_us();
    bool found;
    R1_TRY(fraud_serve_name_log(s, err));
    if (r1_options_str(s->o, "snapshot-dir")) R1_TRY(restore_newest(s, &after_seq, err));
    int64_t upto = !s->share ? INT64_MAX : fraud_share_placed(s) ? 0 : fraud_share_base(s);
    R1_TRY(
        fraud_rebuild(s->store, s->parts.engine, s->parts.seen, after_seq, upto, &s->rebuilt, err));
    /* A snapshot has rules and budget of its time, and one that was refused has taken all away. */
    fraud_policy_pace(s->parts.policy, s->parts.pace);
    R1_TRY(fraud_pace_rebuild(s->parts.pace, s->store, after_seq, s->rebuilt.last_seq, err));
    if (!s->share)
        R1_TRY(
            fraud_pace_rebuild_rules(s->parts.pace, s->store, after_seq, s->rebuilt.last_seq, err));
    s->rebuilt.seconds = (double)(r1_mono_us() - began) * 1e-6;
    R1_TRY(fraud_serve_last_number(s, s->rebuilt.last_seq, &s->last_seq, err));
    s->ledger.last_seq = s->last_seq;
    name_stream(s);
    if (s->rebuilt.last_seq == after_seq || s->share) return R1_OK;
    return find_row(s, s->rebuilt.last_seq, &s->log, &found, err);
}

/* ---- while it runs ---- */

void fraud_serve_mark(server *s, const batch *b)
{
    for (size_t i = b->n; i-- > 0 && s->log.apply_seq != s->last_seq;) {
        const fraud_record *r = b->record[i];
        bool payment = r->kind == FRAUD_RECORD_PAYMENT;
        if ((!payment && r->kind != FRAUD_RECORD_LABEL) || r->apply_seq != s->last_seq) continue;
        s->log.apply_seq = r->apply_seq;
        s->log.partition = r->message.partition;
        s->log.offset = r->message.offset;
        s->log.incarnation = s->ledger.incarnation[r->topic];
        snprintf(s->log.topic, sizeof s->log.topic, "%s", s->ledger.topic[r->topic]);
        snprintf(s->log.tx_id, sizeof s->log.tx_id, "%s",
                 payment ? r->payment.tx_id : r->label.tx_id);
    }
}

/* A snapshot of several processes ends with an event, which may be no row of ours, or of nobody. */
static void mark_event(server *s)
{
    s->log.apply_seq = s->last_seq;
    s->log.partition = 0;
    s->log.offset = s->log.incarnation = 0;
    *s->log.topic = *s->log.tx_id = 0;
}

bool fraud_serve_snapshot_due(const server *s)
{
    return s->snapshots && fraud_snapshots_due(s->snapshots, s->last_seq);
}

void fraud_serve_snapshot_tick(server *s, bool drained)
{
    if (!s->snapshots) return;
    if (s->share) {
        mark_event(s);
        fraud_snapshots_tick(s->snapshots, drained ? &s->log : NULL, INT64_MAX);
        return;
    }
    bool known = s->log.apply_seq == s->last_seq; /* else the last row is not to be told */
    fraud_snapshots_tick(s->snapshots, drained && known ? &s->log : NULL,
                         fraud_writer_committed(s->writer));
}

void fraud_serve_snapshot_last(server *s)
{
    r1_err err = {0};
    bool whole = s->share || s->ledger.last_seq == s->last_seq;
    if (s->share) mark_event(s);
    if (!s->snapshots || !s->orderly || s->log.apply_seq != s->last_seq || !whole) return;
    if (fraud_snapshots_last(s->snapshots, &s->log, &err) != R1_OK)
        fprintf(stderr, "r1-fraud serve: no snapshot at the end: %s\n", err.msg);
}
