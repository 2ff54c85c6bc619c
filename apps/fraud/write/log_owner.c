/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_owner.c - the rows of r1.log_owner and r1.time_guard. */
#include "write/log_owner.h"
#include "r1_assert.h"

#include <stdio.h>

/* ---- taking ---- */

static const char *topic_text(const char *topic) { return topic ? topic : "none"; }

static r1_status log_ask(fraud_ledger *l, r1_store *s, const char *const topic[FRAUD_N_TOPIC],
                         const char *sql, r1_err *err)
{
    const char *payments = topic[FRAUD_TOPIC_PAYMENTS], *labels = topic[FRAUD_TOPIC_LABELS];
    const char *param[] = {l->cluster, payments, labels, l->owner};
    r1_rows *rows;
    R1_TRY(r1_store_query(s, sql, R1_COUNT(param), param, &rows, err));
    if (!r1_rows_count(rows)) {
        r1_rows_free(rows);
        R1_FAIL(err, R1_E_STREAM, "the log of this database: expected an owner, found none");
    }
    bool taken = *r1_rows_text(rows, 0, 0) == 't';
    l->log_epoch = taken ? r1_rows_int(rows, 0, 1) : 0;
    if (!taken)
        r1_err_set(err, R1_E_STREAM, __FILE__, __LINE__,
                   "the log of this database: expected payments %.60s, labels %.60s, cluster "
                   "\"%.40s\", found those of %.40s: %.60s, %.60s, \"%.40s\". Give each service a "
                   "database of its own, or give it the log: r1-fraud offsets reset",
                   payments, topic_text(labels), l->cluster, r1_rows_text(rows, 0, 5),
                   r1_rows_text(rows, 0, 3), topic_text(r1_rows_text(rows, 0, 4)),
                   r1_rows_text(rows, 0, 2));
    r1_rows_free(rows);
    return taken ? R1_OK : R1_E_STREAM;
}

r1_status fraud_log_take(fraud_ledger *l, r1_store *s, const char *const topic[FRAUD_N_TOPIC],
                         r1_err *err)
{
    return log_ask(l, s, topic,
                   "SELECT taken, epoch, cluster_id, payments, labels, owner FROM "
                   "r1.take_log('fraud', $1, $2, $3, $4)",
                   err);
}

r1_status fraud_log_join(fraud_ledger *l, r1_store *s, const char *const topic[FRAUD_N_TOPIC],
                         r1_err *err)
{
    return log_ask(l, s, topic,
                   "SELECT cluster_id = $1 AND payments = $2 AND coalesce(labels = $3, true) AND "
                   "$4 <> '', epoch, cluster_id, payments, labels, owner FROM r1.log_owner WHERE "
                   "app = 'fraud'",
                   err);
}

/* ---- holding ---- */

r1_status fraud_log_prepare(r1_store *s, r1_err *err)
{
    R1_TRY(r1_store_prepare(s, "hold", "SELECT r1.hold_log('fraud', $1::bigint)", 1, err));
    R1_TRY(r1_store_prepare(
        s, "move", "SELECT r1.move_log('fraud', $1::bigint, $2::bigint, $3::bigint)", 3, err));
    return r1_store_prepare(
        s, "guard",
        "INSERT INTO r1.time_guard VALUES ('fraud', $1, $2::boolean, "
        "$3::integer, $4::bigint, $5::integer) ON CONFLICT (app, topic) DO UPDATE SET live = "
        "excluded.live, n_leap = excluded.n_leap, leap_ms = excluded.leap_ms, "
        "n_good = excluded.n_good",
        5, err);
}

static bool same_mark(const fraud_guard_mark *a, const fraud_guard_mark *b)
{
    return a->known == b->known && a->live == b->live && a->n_leap == b->n_leap &&
           a->n_good == b->n_good && (!a->n_leap || a->leap_ms == b->leap_ms);
}

static r1_status add_guard(const fraud_guard_mark *m, const fraud_ledger *l, r1_store *s,
                           r1_err *err)
{
    char leaps[16], good[16], ms[24];
    snprintf(leaps, sizeof leaps, "%u", m->n_leap);
    snprintf(ms, sizeof ms, "%lld", (long long)m->leap_ms);
    snprintf(good, sizeof good, "%u", m->n_good);
    const char *row[] = {l->topic[FRAUD_TOPIC_PAYMENTS], m->live ? "t" : "f", leaps, ms, good};
    return r1_store_batch_add(s, "guard", R1_COUNT(row), row, err);
}

r1_status fraud_log_add(fraud_log_hold *h, const fraud_ledger *l, r1_store *s,
                        fraud_record *const *r, size_t n, r1_err *err)
{
    char epoch[24], from[24], to[24];
    const char *row[] = {epoch, from, to};
    R1_ASSERT(l->log_epoch > 0, "a log in epoch %lld", (long long)l->log_epoch);
    snprintf(epoch, sizeof epoch, "%lld", (long long)l->log_epoch);
    snprintf(from, sizeof from, "%lld", (long long)l->last_seq);
    snprintf(to, sizeof to, "%lld", (long long)fraud_ledger_end(l, r, n));
    R1_TRY(l->shared ? r1_store_batch_add(s, "hold", 1, row, err)
                     : r1_store_batch_add(s, "move", R1_COUNT(row), row, err));
    h->aimed = h->landed;
    for (size_t i = n; i-- > 0;) {
        if (!r[i]->guard.known) continue;
        h->aimed = r[i]->guard;
        break;
    }
    return same_mark(&h->aimed, &h->landed) ? R1_OK : add_guard(&h->aimed, l, s, err);
}

void fraud_log_landed(fraud_log_hold *h) { h->landed = h->aimed; }

r1_status fraud_log_guard(const fraud_ledger *l, r1_store *s, fraud_guard_mark *out, r1_err *err)
{
    const char *param[] = {l->topic[FRAUD_TOPIC_PAYMENTS]};
    r1_rows *rows;
    *out = (fraud_guard_mark){0};
    R1_TRY(r1_store_query(
        s,
        "SELECT live, n_leap, leap_ms, n_good FROM r1.time_guard WHERE app = 'fraud' AND "
        "topic = $1",
        1, param, &rows, err));
    if (r1_rows_count(rows))
        *out = (fraud_guard_mark){.known = true,
                                  .live = *r1_rows_text(rows, 0, 0) == 't',
                                  .n_leap = (uint32_t)r1_rows_int(rows, 0, 1),
                                  .leap_ms = r1_rows_int(rows, 0, 2),
                                  .n_good = (uint32_t)r1_rows_int(rows, 0, 3)};
    r1_rows_free(rows);
    return R1_OK;
}

r1_status fraud_log_held(const fraud_ledger *l, r1_store *s, r1_err *err)
{
    char epoch[24];
    const char *param[] = {epoch};
    r1_rows *rows;
    snprintf(epoch, sizeof epoch, "%lld", (long long)l->log_epoch);
    R1_TRY(r1_store_query(s,
                          "SELECT epoch, owner FROM r1.log_owner WHERE app = 'fraud' AND epoch > "
                          "$1::bigint",
                          1, param, &rows, err));
    if (r1_rows_count(rows))
        r1_err_set(err, R1_E_FENCED, __FILE__, __LINE__,
                   "the log of this database: expected epoch %s, found epoch %s: %.80s has taken "
                   "it. One service runs on a database, or several share its topic of events",
                   epoch, r1_rows_text(rows, 0, 0), r1_rows_text(rows, 0, 1));
    r1_status st = r1_rows_count(rows) ? R1_E_FENCED : R1_OK;
    r1_rows_free(rows);
    return st;
}

/* ---- commits that PostgreSQL lost ---- */

r1_status fraud_log_note_loss(const fraud_ledger *l, r1_store *s, int64_t to_seq, bool *lost,
                              r1_err *err)
{
    char epoch[24], to[24];
    const char *param[] = {epoch, l->owner, to};
    r1_rows *rows;
    snprintf(epoch, sizeof epoch, "%lld", (long long)l->log_epoch);
    snprintf(to, sizeof to, "%lld", (long long)to_seq);
    R1_TRY(r1_store_query(s, "SELECT r1.note_loss('fraud', $1::bigint, $2, $3::bigint)",
                          R1_COUNT(param), param, &rows, err));
    const char *from = r1_rows_text(rows, 0, 0);
    *lost = from != NULL;
    if (from)
        r1_log(R1_LOG_ERROR, "commits_lost",
               "from_seq=%s to_seq=%s noted=r1.log_loss remedy=\"what the topics hold is decided "
               "again; what came by POST /v1/decide must be asked for again\"",
               from, to);
    r1_rows_free(rows);
    return R1_OK;
}

r1_status fraud_log_lost_to(r1_store *s, int64_t *to_seq, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(s, "SELECT coalesce(max(to_seq), 0) FROM r1.log_loss WHERE app = 'fraud'",
                          0, NULL, &rows, err));
    *to_seq = r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    return R1_OK;
}
