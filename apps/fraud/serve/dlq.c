/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dlq.c - dead letters of the fraud service: list them, show one, send one back to its topic. */
#include "serve/settings.h"
#include "store/store.h"
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const r1_option fraud_dlq_rows[] = {
    R1_STORE_POSTGRES_ROW(R1_STORE_POSTGRES_DEFAULT, R1_STORE_POSTGRES_HELP),
    R1_STORE_DB_ROW(NULL),
    FRAUD_BROKERS_ROW,
    {.name = "limit",
     .type = R1_OPT_INT,
     .def = "50",
     .min = 1,
     .max = 10000,
     .unit = "rows",
     .help = "most rows of a list"},
};
const size_t fraud_dlq_n_row = R1_COUNT(fraud_dlq_rows);

static r1_status dlq_list(r1_store *s, int64_t limit, r1_err *err)
{
    char n[24];
    snprintf(n, sizeof n, "%lld", (long long)limit);
    const char *param[] = {n};
    r1_rows *rows;
    R1_TRY(r1_store_query(s,
                          "SELECT id, topic, partition, kafka_offset, stage, reason, replayed_at "
                          "IS NOT NULL FROM r1.dead_letter "
                          "WHERE app = 'fraud' ORDER BY id DESC LIMIT $1::bigint",
                          1, param, &rows, err));
    for (size_t i = 0; i < r1_rows_count(rows); i++)
        printf("%s  %s/%s@%s  %s%s: %s\n", r1_rows_text(rows, i, 0), r1_rows_text(rows, i, 1),
               r1_rows_text(rows, i, 2), r1_rows_text(rows, i, 3), r1_rows_text(rows, i, 4),
               r1_rows_text(rows, i, 6)[0] == 't' ? " (replayed)" : "", r1_rows_text(rows, i, 5));
    r1_rows_free(rows);
    return R1_OK;
}

/* The letter as text in escape form: bytes that are no text come as octal. */
static r1_status dlq_fetch(r1_store *s, const char *id, r1_rows **rows, r1_err *err)
{
    const char *param[] = {id};
    R1_TRY(r1_store_query(s,
                          "SELECT topic, encode(payload, 'escape'), reason, encode(payload, 'hex') "
                          "FROM r1.dead_letter "
                          "WHERE app = 'fraud' AND id = $1::bigint",
                          1, param, rows, err));
    if (r1_rows_count(*rows) == 1) return R1_OK;
    r1_rows_free(*rows);
    R1_FAIL(err, R1_E_NOT_FOUND, "no dead letter has the id %s", id);
}

static unsigned dlq_nibble(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static r1_status send_back(const r1_options *o, const char *topic, const char *hex, r1_err *err)
{
    size_t len = strlen(hex) / 2;
    char *bytes = malloc(len ? len : 1);
    if (!bytes) R1_FAIL(err, R1_E_NOMEM, "no memory for %zu bytes", len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(dlq_nibble(hex[2 * i]) << 4 | dlq_nibble(hex[2 * i + 1]));
    r1_stream_opts opts = {.brokers = r1_options_str(o, "brokers"), .client_id = "r1-fraud-dlq"};
    r1_producer *p = NULL;
    r1_status st = r1_producer_new(&p, &opts, err);
    if (st == R1_OK) st = r1_producer_send(p, topic, "", 0, bytes, len, 0, 5000, err);
    if (st == R1_OK) st = r1_producer_flush(p, 10000, err);
    r1_producer_free(p);
    free(bytes);
    return st;
}

static r1_status dlq_replay(r1_store *s, const r1_options *o, const char *id, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(dlq_fetch(s, id, &rows, err));
    r1_status st = send_back(o, r1_rows_text(rows, 0, 0), r1_rows_text(rows, 0, 3), err);
    r1_rows_free(rows);
    R1_TRY(st);
    const char *param[] = {id};
    return r1_store_query(s, "UPDATE r1.dead_letter SET replayed_at = now() WHERE id = $1::bigint",
                          1, param, NULL, err);
}

static r1_status dlq_show(r1_store *s, const char *id, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(dlq_fetch(s, id, &rows, err));
    printf("reason: %s\n%s\n", r1_rows_text(rows, 0, 2), r1_rows_text(rows, 0, 1));
    r1_rows_free(rows);
    return R1_OK;
}

int fraud_command_dlq(r1_cli_call *call)
{
    const char *what = call->n_rest ? call->rest[0] : "list",
               *id = call->n_rest > 1 ? call->rest[1] : NULL;
    bool known = (!strcmp(what, "list") && !id) ||
                 ((!strcmp(what, "show") || !strcmp(what, "replay")) && id);
    if (!known || (id && strspn(id, "0123456789") != strlen(id))) {
        r1_err_set(&call->err, R1_E_INVAL, __FILE__, __LINE__,
                   "expected list, show ID or replay ID");
        return R1_EXIT_USAGE;
    }
    r1_store *s = NULL;
    const char *conninfo = NULL;
    r1_status st = r1_store_conninfo(call->opts, &conninfo, &call->err);
    if (st == R1_OK) st = r1_store_open(&s, conninfo, "r1-fraud dlq", &call->err);
    if (st == R1_OK && !strcmp(what, "list"))
        st = dlq_list(s, r1_options_int(call->opts, "limit"), &call->err);
    else if (st == R1_OK && !strcmp(what, "show"))
        st = dlq_show(s, id, &call->err);
    else if (st == R1_OK)
        st = dlq_replay(s, call->opts, id, &call->err);
    r1_store_close(s);
    return r1_cli_exit(st);
}
