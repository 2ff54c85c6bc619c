/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rebuild.c - reads the log row by row and decodes the very bytes that came from the topic, so
 * that the state is the one that the undisturbed process would have. */
#include "serve/rebuild.h"

#include <string.h>

typedef struct {
    fraud_engine *engine;
    fraud_txset *seen;
    fraud_rebuilt *out;
    r1_progress progress;
    r1_status st;
    r1_err *err;
} replay;

/* What was decided apart moves no state; its id is known again all the same. */
static r1_status apply_payment(replay *r, const r1_rows *row, int64_t seq)
{
    const char *payload = r1_rows_text(row, 0, 2), *applied = r1_rows_text(row, 0, 3),
               *content = r1_rows_text(row, 0, 5);
    fraud_payment p;
    if (*applied == 'f')
        return fraud_txset_add(r->seen, r1_rows_text(row, 0, 4),
                               (uint64_t)(content ? r1_rows_int(row, 0, 5) : 0), false, r->err);
    R1_TRY(fraud_payment_decode(payload, strlen(payload), &p, r->err));
    R1_TRY(fraud_engine_apply(r->engine, &p, seq, NULL, r->err));
    r->out->payments++;
    uint64_t hash = content ? (uint64_t)r1_rows_int(row, 0, 5) : fraud_payment_content(&p);
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

static r1_status apply_row(replay *r, const r1_rows *row, int64_t seq)
{
    if (seq <= r->out->last_seq)
        R1_FAIL(r->err, R1_E_FORMAT, "expected an apply_seq above %lld, found it a second time",
                (long long)r->out->last_seq);
    return r1_rows_int(row, 0, 1) ? apply_label(r, r1_rows_text(row, 0, 2))
                                  : apply_payment(r, row, seq);
}

static int on_row(void *ctx, const r1_rows *row)
{
    replay *r = ctx;
    int64_t seq = r1_rows_int(row, 0, 0);
    r->st = apply_row(r, row, seq);
    if (r->st != R1_OK)
        r1_err_prefix(r->err, "rebuilding the state at apply_seq %lld: ", (long long)seq);
    r->out->last_seq = seq;
    r1_progress_update(&r->progress, r->out->payments + r->out->labels, NULL);
    return r->st != R1_OK;
}

r1_status fraud_rebuild(r1_store *s, fraud_engine *engine, fraud_txset *seen, fraud_rebuilt *out,
                        r1_err *err)
{
    memset(out, 0, sizeof *out);
    r1_rows *rows;
    R1_TRY(r1_store_query(
        s, "SELECT (SELECT count(*) FROM r1.payment) + (SELECT count(*) FROM r1.label)", 0, NULL,
        &rows, err));
    uint64_t total = (uint64_t)r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    if (!total) return R1_OK;
    replay r = {.engine = engine, .seen = seen, .out = out, .err = err};
    int64_t began = r1_mono_us();
    r1_progress_begin(&r.progress, "rebuilding the state", total);
    R1_TRY(r1_store_each(s,
                         "SELECT apply_seq, 0, payload, applied, tx_id, content_hash "
                         "FROM r1.payment UNION ALL "
                         "SELECT apply_seq, 1, payload, true, tx_id, NULL FROM r1.label "
                         "ORDER BY apply_seq",
                         0, NULL, on_row, &r, err));
    out->seconds = (double)(r1_mono_us() - began) * 1e-6;
    if (r.st == R1_OK) r1_progress_end(&r.progress, out->payments + out->labels, NULL);
    return r.st;
}
