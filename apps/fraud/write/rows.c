/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rows.c - the tables of columns, and the statements that are made of them. */
#include "write/rows.h"
#include "payment/message_json.h"
#include "r1_assert.h"
#include "store/store_columns.h"
#include "text/r1_utf8.h"
#include "write/letter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SQL_BYTES = 2048 };

/* One column: its name, the type of the array that carries it, SQL around each value where the
 * column's type is another, and either how a record fills it or the one text of all rows. */
typedef struct {
    r1_column column;
    void (*fill)(r1_columns *c, size_t i, const fraud_record *r, const fraud_names *names);
    const char *(*constant)(const fraud_names *names);
} rows_column;

/* ---- fillers ---- */

#define FILL(name)                                                                                 \
    static void name(r1_columns *c, size_t i, const fraud_record *r, const fraud_names *names)
#define FILL_AS(name, put, value)                                                                  \
    FILL(name)                                                                                     \
    {                                                                                              \
        (void)names;                                                                               \
        put(c, i, value);                                                                          \
    }

/* PostgreSQL refused the row as it was: a rebuild reads the payload, so the rest is left out. */
#define FILL_UNLESS_BARE(name, put, value)                                                         \
    FILL(name)                                                                                     \
    {                                                                                              \
        (void)names;                                                                               \
        if (r->bare)                                                                               \
            r1_columns_null(c, i);                                                                 \
        else                                                                                       \
            put(c, i, value);                                                                      \
    }

static void text_or_null(r1_columns *c, size_t i, const char *text)
{
    if (text)
        r1_columns_text(c, i, text);
    else
        r1_columns_null(c, i);
}

/* What was paid, where amounts were converted; NULL: unknown. */
static const char *rows_currency(const fraud_payment *p)
{
    if (p->has & FRAUD_HAS_PAID) return p->paid_currency;
    return *p->currency ? p->currency : NULL;
}

static void int_or_null(r1_columns *c, size_t i, int64_t value) /* 0: unknown */
{
    if (value)
        r1_columns_int(c, i, value);
    else
        r1_columns_null(c, i);
}

static void ms_or_null(r1_columns *c, size_t i, int64_t ms) /* 0: unknown */
{
    if (ms)
        r1_columns_ms(c, i, ms);
    else
        r1_columns_null(c, i);
}

/* Takes the text; NULL says that memory was short. */
static void rows_take_text(r1_columns *c, size_t i, char *text)
{
    if (text)
        r1_columns_text(c, i, text);
    else
        r1_columns_short(c);
    free(text);
}

FILL_AS(fill_seq, r1_columns_int, r->apply_seq)
FILL_AS(fill_partition, r1_columns_int, r->message.partition)
FILL_AS(fill_offset, r1_columns_int, r->message.offset)
FILL_AS(fill_tx_id, r1_columns_text, r->payment.tx_id)
/* Of a payment that could not be scored, some fields could not be read. */
FILL_UNLESS_BARE(fill_kind, text_or_null,
                 r->payment.kind < FRAUD_N_KIND ? fraud_kind_name(r->payment.kind) : NULL)
FILL_UNLESS_BARE(fill_from, text_or_null, *r->payment.from ? r->payment.from : NULL)
FILL_UNLESS_BARE(fill_to, text_or_null, *r->payment.to ? r->payment.to : NULL)
FILL_UNLESS_BARE(fill_amount, int_or_null,
                 r->payment.has &FRAUD_HAS_PAID ? r->payment.paid_minor : r->payment.amount_minor)
FILL_UNLESS_BARE(fill_currency, text_or_null, rows_currency(&r->payment))
FILL_AS(fill_applied, r1_columns_bool, r->applied)
FILL_AS(fill_content, r1_columns_int, (int64_t)r->content_hash)
FILL_UNLESS_BARE(fill_broker_at, ms_or_null, r->message.broker_ms)
FILL_AS(fill_notes, text_or_null, *r->notes ? r->notes : NULL)
FILL_AS(fill_action, r1_columns_text, fraud_action_name(r->decision.action))
FILL_AS(fill_degraded, r1_columns_bool, r->degraded)
FILL_AS(fill_rule, text_or_null, r->bare ? NULL : r->decision.rule)
FILL_AS(fill_would, text_or_null, r->bare ? NULL : r->decision.would)
FILL_AS(fill_stage, r1_columns_text, fraud_stage_name(r->stage))
FILL_AS(fill_reason, r1_columns_text, r->reason)
FILL_AS(fill_label_tx_id, r1_columns_text, r->label.tx_id)
FILL_AS(fill_is_fraud, r1_columns_bool, r->label.is_fraud)
FILL_AS(fill_known_at, r1_columns_ms, r->label.ts)

/* PostgreSQL's text of an array: "{-4.1,0.2}". */
FILL(fill_trace)
{
    char text[FRAUD_ITEMS_MAX * 20 + 32];
    size_t n = (size_t)snprintf(text, sizeof text, "{");
    (void)names;
    for (size_t k = 0; !r->bare && k < r->n_trace && n < sizeof text - 24; k++)
        n += (size_t)snprintf(text + n, sizeof text - n, k ? ",%.9g" : "%.9g", r->trace[k]);
    snprintf(text + n, sizeof text - n, "}");
    r1_columns_text(c, i, text);
}

FILL(fill_config) { r1_columns_text(c, i, fraud_record_config(r, names)); }

FILL(fill_list)
{
    char text[FRAUD_DECISION_LIST_BYTES];
    (void)names;
    text_or_null(c, i, r->bare ? NULL : fraud_decision_list(&r->decision, text, sizeof text));
}

static void float_or_null(r1_columns *c, size_t i, const fraud_record *r, float value)
{
    if (r->apart_rule)
        r1_columns_null(c, i);
    else
        r1_columns_float(c, i, value);
}

FILL(fill_ts)
{
    (void)names;
    if (r->bare)
        r1_columns_null(c, i);
    else if (r->applied)
        r1_columns_ms(c, i, r->payment.ts);
    else
        ms_or_null(c, i, r->payment.ts);
}

FILL(fill_score)
{
    (void)names;
    float_or_null(c, i, r, r->probability);
}

FILL(fill_logit)
{
    (void)names;
    float_or_null(c, i, r, r->logit);
}

FILL(fill_incarnation) { r1_columns_int(c, i, names->ledger->incarnation[r->topic]); }
FILL(fill_topic) { r1_columns_text(c, i, names->ledger->topic[r->topic]); }

/* A tombstone has none. */
FILL(fill_dead_payload)
{
    (void)names;
    if (r->message.payload)
        r1_columns_bytes(c, i, r->message.payload, r->message.payload_len);
    else
        r1_columns_null(c, i);
}

FILL(fill_key)
{
    (void)names;
    if (r->message.key)
        r1_columns_bytes(c, i, r->message.key, r->message.key_len);
    else
        r1_columns_null(c, i);
}

FILL(fill_headers)
{
    (void)names;
    bool none;
    char *text = fraud_headers_text(&r->message, &none);
    if (none)
        r1_columns_null(c, i);
    else
        rows_take_text(c, i, text);
}

/* PostgreSQL takes UTF-8 without NUL alone. What decodes after mending is stored mended, so that it
 * decodes to the same payment. */
FILL(fill_payload_text)
{
    const char *text = r->log ? r->log : r->message.payload;
    size_t len = r->log ? strlen(r->log) : r->message.payload_len;
    (void)names;
    if (r1_utf8_valid(text, len) && !memchr(text, 0, len)) {
        r1_columns_bytes(c, i, text, len);
        return;
    }
    rows_take_text(c, i, fraud_json_mend(text, len, &len));
}

FILL(fill_reasons)
{
    (void)names;
    if (r->bare)
        r1_columns_null(c, i);
    else if (r->apart_rule)
        rows_take_text(c, i, fraud_apart_reasons_text(r->apart_rule, r->apart_text));
    else if (r->alert || r->decision.rule)
        rows_take_text(c, i, fraud_alert_reasons_text(r->alert, &r->decision));
    else
        r1_columns_null(c, i);
}

FILL(fill_latency)
{
    (void)names;
    if (r->message.sent_us)
        r1_columns_int(c, i, r->decided_us - r->message.sent_us);
    else
        r1_columns_null(c, i);
}

/* A record has as many rows of r1.finding as findings. */
#define FILL_FINDINGS(name, put)                                                                   \
    FILL(name)                                                                                     \
    {                                                                                              \
        (void)names;                                                                               \
        for (size_t k = 0; r->alert && !r->bare && k < r->alert->n_finding; k++) {                 \
            const fraud_finding *f = &r->alert->finding[k];                                        \
            (void)f;                                                                               \
            put;                                                                                   \
        }                                                                                          \
    }
FILL_FINDINGS(fill_finding_seq, r1_columns_int(c, i, r->apply_seq))
FILL_FINDINGS(fill_ordinal, r1_columns_int(c, i, (int64_t)k + 1))
FILL_FINDINGS(fill_pattern, r1_columns_text(c, i, fraud_typology_name(f->typology)))
FILL_FINDINGS(fill_accounts, rows_take_text(c, i, fraud_finding_accounts_text(f)))
FILL_FINDINGS(fill_payments, rows_take_text(c, i, fraud_finding_payments_text(f)))

/* ---- constants ---- */

static const char *labels_topic(const fraud_names *n)
{
    return n->ledger->topic[FRAUD_TOPIC_LABELS];
}
static const char *model_version(const fraud_names *n) { return n->model; }
static const char *written_at(const fraud_names *n) { return n->written_at; }
static const char *app_fraud(const fraud_names *n)
{
    (void)n;
    return "fraud";
}
static const char *source_topic(const fraud_names *n)
{
    (void)n;
    return "topic";
}

/* ---- columns: one row each ---- */

#define COLUMN(of_name, of_type, filler)                                                           \
    {                                                                                              \
        .column = {.name = (of_name), .type = (of_type)}, .fill = (filler)                         \
    }
/* Travels as text, between two pieces of SQL. */
#define CAST(of_name, sql_before, sql_after, filler)                                               \
    {                                                                                              \
        .column = {.name = (of_name),                                                              \
                   .type = R1_COL_TEXT,                                                            \
                   .before = (sql_before),                                                         \
                   .after = (sql_after)},                                                          \
        .fill = (filler)                                                                           \
    }
/* One text for all rows. */
#define CONSTANT(of_name, text_of)                                                                 \
    {                                                                                              \
        .column = {.name = (of_name), .constant = true}, .constant = (text_of)                     \
    }
/* The same for a whole batch, and never less than in the batch before (r1.payment.written_at). */
#define WRITTEN_AT                                                                                 \
    {                                                                                              \
        .column = {.name = "written_at", .constant = true, .after = "::timestamptz"},              \
        .constant = written_at                                                                     \
    }

static const rows_column payment_columns[] = {
    COLUMN("apply_seq", R1_COL_INT8, fill_seq),
    COLUMN("tx_id", R1_COL_TEXT, fill_tx_id),
    COLUMN("ts", R1_COL_TIMESTAMP, fill_ts),
    COLUMN("kind", R1_COL_TEXT, fill_kind),
    COLUMN("from_id", R1_COL_TEXT, fill_from),
    COLUMN("to_id", R1_COL_TEXT, fill_to),
    COLUMN("amount_minor", R1_COL_INT8, fill_amount),
    COLUMN("currency", R1_COL_TEXT, fill_currency),
    COLUMN("partition", R1_COL_INT4, fill_partition),
    COLUMN("kafka_offset", R1_COL_INT8, fill_offset),
    COLUMN("incarnation", R1_COL_INT4, fill_incarnation),
    COLUMN("payload", R1_COL_TEXT, fill_payload_text),
    COLUMN("topic", R1_COL_TEXT, fill_topic),
    COLUMN("applied", R1_COL_BOOL, fill_applied),
    COLUMN("content_hash", R1_COL_INT8, fill_content),
    COLUMN("broker_at", R1_COL_TIMESTAMP, fill_broker_at),
    CAST("notes", "", "::jsonb", fill_notes),
    WRITTEN_AT,
};

static const rows_column decision_columns[] = {
    COLUMN("apply_seq", R1_COL_INT8, fill_seq),      COLUMN("decision", R1_COL_TEXT, fill_action),
    COLUMN("score", R1_COL_FLOAT4, fill_score),      COLUMN("logit", R1_COL_FLOAT4, fill_logit),
    COLUMN("degraded", R1_COL_BOOL, fill_degraded),  CAST("trace", "", "::real[]", fill_trace),
    CAST("reasons", "", "::jsonb", fill_reasons),    COLUMN("rule", R1_COL_TEXT, fill_rule),
    COLUMN("latency_us", R1_COL_INT8, fill_latency), CONSTANT("model", model_version),
    COLUMN("config", R1_COL_TEXT, fill_config),      CAST("would", "", "::jsonb", fill_would),
    COLUMN("list", R1_COL_TEXT, fill_list),          WRITTEN_AT,
};

#define JSON_TEXTS "ARRAY(SELECT jsonb_array_elements_text("
static const rows_column finding_columns[] = {
    COLUMN("apply_seq", R1_COL_INT8, fill_finding_seq),
    COLUMN("ordinal", R1_COL_INT4, fill_ordinal),
    COLUMN("pattern", R1_COL_TEXT, fill_pattern),
    CAST("accounts", JSON_TEXTS, "::jsonb))", fill_accounts),
    CAST("payments", JSON_TEXTS, "::jsonb))", fill_payments),
    WRITTEN_AT,
};

static const rows_column duplicate_columns[] = {
    COLUMN("tx_id", R1_COL_TEXT, fill_tx_id),
    COLUMN("topic", R1_COL_TEXT, fill_topic),
    COLUMN("partition", R1_COL_INT4, fill_partition),
    COLUMN("kafka_offset", R1_COL_INT8, fill_offset),
    COLUMN("incarnation", R1_COL_INT4, fill_incarnation),
    COLUMN("payload", R1_COL_TEXT, fill_payload_text),
};

static const rows_column dead_columns[] = {
    CONSTANT("app", app_fraud),
    COLUMN("topic", R1_COL_TEXT, fill_topic),
    COLUMN("partition", R1_COL_INT4, fill_partition),
    COLUMN("kafka_offset", R1_COL_INT8, fill_offset),
    COLUMN("incarnation", R1_COL_INT4, fill_incarnation),
    COLUMN("stage", R1_COL_TEXT, fill_stage),
    COLUMN("reason", R1_COL_TEXT, fill_reason),
    COLUMN("key", R1_COL_BYTEA, fill_key),
    CAST("headers", "", "::jsonb", fill_headers),
    COLUMN("payload", R1_COL_BYTEA, fill_dead_payload),
};

static const rows_column label_columns[] = {
    COLUMN("apply_seq", R1_COL_INT8, fill_seq),
    COLUMN("tx_id", R1_COL_TEXT, fill_label_tx_id),
    COLUMN("is_fraud", R1_COL_BOOL, fill_is_fraud),
    COLUMN("known_at", R1_COL_TIMESTAMP, fill_known_at),
    CONSTANT("source", source_topic),
    CONSTANT("topic", labels_topic),
    COLUMN("partition", R1_COL_INT4, fill_partition),
    COLUMN("kafka_offset", R1_COL_INT8, fill_offset),
    COLUMN("incarnation", R1_COL_INT4, fill_incarnation),
    COLUMN("payload", R1_COL_TEXT, fill_payload_text),
    WRITTEN_AT,
};

/* ---- statements: one row each, in the order in which they are sent ---- */

#define STATEMENT(table, kind, columns)                                                            \
    {                                                                                              \
        table, kind, columns, R1_COUNT(columns)                                                    \
    }
static const struct {
    const char *table; /* and the name of the prepared statement */
    fraud_record_kind kind;
    const rows_column *column;
    size_t n;
} statements[] = {
    STATEMENT("r1.payment", FRAUD_RECORD_PAYMENT, payment_columns),
    STATEMENT("r1.decision", FRAUD_RECORD_PAYMENT, decision_columns),
    STATEMENT("r1.finding", FRAUD_RECORD_PAYMENT, finding_columns), /* refers to r1.payment */
    STATEMENT("r1.duplicate", FRAUD_RECORD_DUPLICATE, duplicate_columns),
    STATEMENT("r1.dead_letter", FRAUD_RECORD_DEAD, dead_columns),
    STATEMENT("r1.label", FRAUD_RECORD_LABEL, label_columns),
};

void fraud_written_text(int64_t us, char *out, size_t size)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us % 1000000));
}

struct fraud_rows {
    fraud_names names;
    struct {
        r1_columns *arrays;
        char sql[SQL_BYTES];
        size_t n_constant;
    } of[R1_COUNT(statements)];
};

static r1_status rows_statement(fraud_rows *rows, size_t s, r1_err *err)
{
    r1_column column[R1_COLUMNS_MAX];
    R1_ASSERT(statements[s].n <= R1_COLUMNS_MAX, "%s: %zu columns", statements[s].table,
              statements[s].n);
    for (size_t k = 0; k < statements[s].n; k++) {
        const rows_column *row = &statements[s].column[k];
        R1_ASSERT(row->column.constant ? row->constant != NULL : row->fill != NULL,
                  "%s.%s: nothing fills it", statements[s].table, row->column.name);
        column[k] = row->column;
        rows->of[s].n_constant += row->column.constant;
    }
    R1_TRY(r1_columns_insert(statements[s].table, column, statements[s].n, rows->of[s].sql,
                             SQL_BYTES, err));
    return r1_columns_of(&rows->of[s].arrays, column, statements[s].n, err);
}

const char *fraud_record_config(const fraud_record *r, const fraud_names *names)
{
    return r->decision.policy ? fraud_policy_version(r->decision.policy) : names->config;
}

r1_status fraud_rows_new(fraud_rows **out, const fraud_names *names, r1_err *err)
{
    fraud_rows *rows = calloc(1, sizeof *rows);
    if (!rows) R1_FAIL(err, R1_E_NOMEM, "no memory for the rows of a batch");
    rows->names = *names;
    r1_status st = R1_OK;
    for (size_t s = 0; st == R1_OK && s < R1_COUNT(statements); s++)
        st = rows_statement(rows, s, err);
    if (st == R1_OK)
        *out = rows;
    else
        fraud_rows_free(rows);
    return st;
}

void fraud_rows_free(fraud_rows *rows)
{
    if (!rows) return;
    for (size_t s = 0; s < R1_COUNT(statements); s++) r1_columns_free(rows->of[s].arrays);
    free(rows);
}

r1_status fraud_rows_prepare(fraud_rows *rows, r1_store *store, r1_err *err)
{
    for (size_t s = 0; s < R1_COUNT(statements); s++)
        R1_TRY(r1_store_prepare(store, statements[s].table, rows->of[s].sql, statements[s].n, err));
    return R1_OK;
}

/* Column by column of one record; constants travel beside the arrays. */
static void rows_fill(fraud_rows *rows, size_t s, const fraud_record *r)
{
    size_t at = 0;
    for (size_t k = 0; k < statements[s].n; k++) {
        const rows_column *row = &statements[s].column[k];
        if (row->fill) row->fill(rows->of[s].arrays, at++, r, &rows->names);
    }
}

static r1_status rows_send(fraud_rows *rows, size_t s, r1_store *store, r1_err *err)
{
    const char *constant[R1_COLUMNS_MAX] = {NULL};
    size_t n = 0;
    for (size_t k = 0; k < statements[s].n; k++)
        if (statements[s].column[k].constant)
            constant[n++] = statements[s].column[k].constant(&rows->names);
    R1_ASSERT(n == rows->of[s].n_constant, "%s: %zu constants of %zu", statements[s].table, n,
              rows->of[s].n_constant);
    return r1_store_batch_add_columns(store, statements[s].table, rows->of[s].arrays, n, constant,
                                      err);
}

r1_status fraud_rows_warm(fraud_rows *rows, r1_store *store, r1_err *err)
{
    for (size_t s = 0; s < R1_COUNT(statements); s++) {
        r1_columns_clear(rows->of[s].arrays);
        R1_TRY(rows_send(rows, s, store, err));
    }
    return R1_OK;
}

r1_status fraud_rows_add(fraud_rows *rows, r1_store *store, fraud_record *const *record, size_t n,
                         r1_err *err)
{
    for (size_t s = 0; s < R1_COUNT(statements); s++) {
        r1_columns_clear(rows->of[s].arrays);
        for (size_t i = 0; i < n; i++)
            if (record[i]->kind == statements[s].kind) rows_fill(rows, s, record[i]);
        if (r1_columns_rows(rows->of[s].arrays)) R1_TRY(rows_send(rows, s, store, err));
    }
    return R1_OK;
}
