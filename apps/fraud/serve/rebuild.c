/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rebuild.c - reads the log page by page and decodes the very bytes that came from the topic, so
 * that the state is the one that the undisturbed process would have. */
#include "serve/rebuild.h"

#include "cli/r1_cli.h"
#include "write/patience.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    fraud_engine *engine;
    fraud_txset *seen;
    fraud_rebuilt *out;
    r1_progress progress;
    int64_t upto_seq;
    r1_err *err;
} replay;

/* What was decided apart moves no state; its id is known again all the same. */
static r1_status apply_payment(replay *r, const r1_rows *rows, size_t i, int64_t seq)
{
    const char *payload = r1_rows_text(rows, i, 2), *applied = r1_rows_text(rows, i, 3),
               *content = r1_rows_text(rows, i, 5);
    fraud_payment p;
    if (*applied == 'f')
        return fraud_txset_add(r->seen, r1_rows_text(rows, i, 4),
                               (uint64_t)(content ? r1_rows_int(rows, i, 5) : 0), false, r->err);
    R1_TRY(fraud_payment_decode(payload, strlen(payload), &p, r->err));
    R1_TRY(fraud_engine_apply(r->engine, &p, seq, NULL, r->err));
    r->out->payments++;
    uint64_t hash = content ? (uint64_t)r1_rows_int(rows, i, 5) : fraud_payment_content(&p);
    return fraud_txset_add(r->seen, p.tx_id, hash, true, r->err);
}

static r1_status apply_label(replay *r, const char *payload)
{
    fraud_label l;
    R1_TRY(fraud_label_decode(payload, strlen(payload), &l, r->err));
    r1_status st = fraud_engine_label(r->engine, l.tx_id, l.is_fraud, l.ts, r->err);
    r->out->labels++;
    return st == R1_E_NOT_FOUND ? R1_OK : st;
}

static r1_status apply_row(replay *r, const r1_rows *rows, size_t i)
{
    int64_t seq = r1_rows_int(rows, i, 0);
    if (seq <= r->out->last_seq)
        R1_FAIL(r->err, R1_E_FORMAT, "expected an apply_seq above %lld, found it a second time",
                (long long)r->out->last_seq);
    r->out->last_seq = seq;
    return r1_rows_int(rows, i, 1) ? apply_label(r, r1_rows_text(rows, i, 2))
                                   : apply_payment(r, rows, i, seq);
}

static r1_status apply_page(replay *r, const r1_rows *rows)
{
    for (size_t i = 0; i < r1_rows_count(rows); i++) {
        if (r1_rows_int(rows, i, 0) > r->upto_seq) return R1_E_CANCELLED;
        r1_status st = apply_row(r, rows, i);
        if (st != R1_OK) {
            r1_err_prefix(r->err, "rebuilding the state at apply_seq %lld: ",
                          (long long)r1_rows_int(rows, i, 0));
            return st;
        }
    }
    r1_progress_update(&r->progress, (uint64_t)(r->out->last_seq - r->out->after_seq), NULL);
    return R1_OK;
}

/* A log that is read for minutes meets a restart of PostgreSQL: that is waited out. A page begins
 * behind the last row that was applied, so nothing is applied twice. */
static r1_status rebuild_ask(r1_store *s, const char *sql, size_t n_param, const char *const *param,
                             r1_rows **rows, r1_err *err)
{
    fraud_patience patience = {0};
    for (;;) {
        r1_err_clear(err);
        r1_status st = r1_store_alive(s) ? R1_OK : r1_store_reopen(s, err);
        if (st == R1_OK) st = r1_store_query(s, sql, n_param, param, rows, err);
        if (st != R1_E_DB || !err->retriable) return st;
        if (!r1_cli_stopped()) fraud_patience_wait(&patience, "rebuild_waits", "", err);
        if (r1_cli_stopped()) R1_FAIL(err, R1_E_CANCELLED, "stopped while reading the log");
    }
}

/* The rows behind one key, payments and labels together. */
#define PAGE_ROWS "2000"
static const char *const sql_page =
    "(SELECT apply_seq, 0, payload, applied, tx_id, content_hash FROM r1.payment WHERE apply_seq > "
    "$1::bigint "
    "ORDER BY apply_seq LIMIT " PAGE_ROWS ") UNION ALL "
    "(SELECT apply_seq, 1, payload, true, tx_id, NULL FROM r1.label WHERE apply_seq > $1::bigint "
    "ORDER BY apply_seq LIMIT " PAGE_ROWS ") ORDER BY 1 LIMIT " PAGE_ROWS;

static r1_status rebuild_pages(r1_store *s, replay *r)
{
    for (size_t n = 1; n > 0;) {
        char after[24];
        const char *param[] = {after};
        r1_rows *rows;
        snprintf(after, sizeof after, "%lld", (long long)r->out->last_seq);
        R1_TRY(rebuild_ask(s, sql_page, 1, param, &rows, r->err));
        n = r1_rows_count(rows);
        r1_status st = apply_page(r, rows);
        r1_rows_free(rows);
        if (st == R1_E_CANCELLED) return R1_OK; /* so far and no further */
        R1_TRY(st);
        if (r1_cli_stopped()) R1_FAIL(r->err, R1_E_CANCELLED, "stopped while reading the log");
    }
    return R1_OK;
}

/* Where the log begins and ends. One that does not begin at its beginning is a state that does not
 * know what was before: said, since windows will look shorter than they are. */
static r1_status rebuild_extent(r1_store *s, int64_t after_seq, int64_t *last, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(rebuild_ask(s,
                       "(SELECT apply_seq, coalesce(written_at::text, '') FROM r1.payment "
                       "ORDER BY 1 LIMIT 1) UNION ALL "
                       "(SELECT apply_seq, coalesce(written_at::text, '') FROM r1.label "
                       "ORDER BY 1 LIMIT 1) ORDER BY 1 LIMIT 1",
                       0, NULL, &rows, err));
    if (r1_rows_count(rows) && !after_seq && r1_rows_int(rows, 0, 0) > 1) {
        const char *since = r1_rows_text(rows, 0, 1);
        fprintf(stderr,
                "r1-fraud serve: there is no snapshot, and the log begins at row %lld: state known "
                "since %s\n",
                (long long)r1_rows_int(rows, 0, 0), since);
        r1_log(R1_LOG_WARN, "state_known_since", "apply_seq=%lld time=\"%s\"",
               (long long)r1_rows_int(rows, 0, 0), since);
    }
    r1_rows_free(rows);
    R1_TRY(rebuild_ask(s,
                       "SELECT greatest((SELECT max(apply_seq) FROM r1.payment), "
                       "(SELECT max(apply_seq) FROM r1.label))",
                       0, NULL, &rows, err));
    *last = r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    return R1_OK;
}

r1_status fraud_rebuild(r1_store *s, fraud_engine *engine, fraud_txset *seen, int64_t after_seq,
                        int64_t upto_seq, fraud_rebuilt *out, r1_err *err)
{
    int64_t last = 0, began = r1_mono_us();
    *out = (fraud_rebuilt){.after_seq = after_seq, .last_seq = after_seq};
    R1_TRY(rebuild_extent(s, after_seq, &last, err));
    if (last > upto_seq) last = upto_seq;
    if (last <= after_seq) return R1_OK;
    replay r = {.engine = engine, .seen = seen, .out = out, .upto_seq = upto_seq, .err = err};
    r1_progress_begin(&r.progress, "rebuilding the state", (uint64_t)(last - after_seq));
    R1_TRY(rebuild_pages(s, &r));
    out->seconds = (double)(r1_mono_us() - began) * 1e-6;
    r1_progress_end(&r.progress, (uint64_t)(out->last_seq - after_seq), NULL);
    return R1_OK;
}
