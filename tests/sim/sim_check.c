/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim_check.c - what a run left in PostgreSQL, against the topics and against another run. */
#include "sim.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim_results {
    PGresult *rows;
    int n;
};

static PGconn *conn;

static PGresult *ask(const char *sql)
{
    PGresult *res = PQexecParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0);
    ExecStatusType got = PQresultStatus(res);
    if (got != PGRES_TUPLES_OK && got != PGRES_COMMAND_OK) {
        fprintf(stderr, "sim: %s\n%s", sql, PQerrorMessage(conn));
        exit(1);
    }
    return res;
}

void sim_check_open(const char *conninfo)
{
    conn = PQconnectdb(conninfo);
    if (PQstatus(conn) != CONNECTION_OK) {
        fprintf(stderr, "sim: %s", PQerrorMessage(conn));
        exit(1);
    }
    PQclear(ask("SET search_path = r1"));
    PQclear(ask("SET client_min_messages = error"));
    PQclear(ask("SET timezone = 'UTC'"));
    /* A run empties its database: it must be the only one. The one before may still be ending. */
    PQclear(ask("SET lock_timeout = '10s'"));
    PQclear(ask("SELECT pg_advisory_lock(1)"));
    PQclear(ask("SET lock_timeout = 0"));
}

/* All tables but the list of migrations. A service of the seed before may still be on its way out:
 * its connections are ended first. */
void sim_check_clear(void)
{
    PQclear(ask("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"));
    PGresult *res =
        ask("SELECT 'TRUNCATE ' || string_agg(format('r1.%I', relname), ', ') || "
            "' RESTART IDENTITY' FROM pg_class WHERE relnamespace = 'r1'::regnamespace AND "
            "relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'schema_migration' AND "
            "relname NOT LIKE 'med\\_%'");
    char *sql = strdup(PQgetvalue(res, 0, 0));
    PQclear(res);
    PQclear(ask(sql));
    free(sql);
}

int64_t sim_check_consumed(void)
{
    PGresult *res = ask("SELECT coalesce(sum(next_offset), 0) FROM r1.stream_offset "
                        "WHERE topic IN ('payments', 'labels')");
    int64_t n = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return n;
}

enum { TOPIC = 0, PARTITION, INCARNATION, OFFSET, SEQ, TEXT, MOVES };

sim_results *sim_check_read(void)
{
    sim_results *r = malloc(sizeof *r);
    if (!r) exit(1);
    r->rows =
        ask("SELECT p.topic, p.partition, p.incarnation, p.kafka_offset, p.apply_seq, "
            "concat_ws('|', 'payment', "
            "p.tx_id, p.applied, p.notes, d.decision, d.score, d.logit, d.trace, d.rule, d.would, "
            "d.list, "
            /* what was decided apart may name the time of the machine */
            "d.degraded, CASE WHEN d.logit IS NOT NULL THEN d.reasons END), p.applied FROM "
            "r1.payment p LEFT JOIN "
            "r1.decision d USING (apply_seq) "
            "UNION ALL SELECT topic, partition, incarnation, kafka_offset, 0, 'duplicate|' || "
            "tx_id, false "
            "FROM r1.duplicate "
            "UNION ALL SELECT topic, partition, incarnation, kafka_offset, 0, concat_ws('|', "
            "'dead', stage, "
            "reason), "
            "false FROM r1.dead_letter "
            "UNION ALL SELECT topic, partition, incarnation, kafka_offset, apply_seq, "
            "concat_ws('|', 'label', tx_id, is_fraud, known_at), true FROM r1.label ORDER BY 1, 2, "
            "3, 4");
    r->n = PQntuples(r->rows);
    return r;
}

void sim_results_free(sim_results *r)
{
    if (!r) return;
    PQclear(r->rows);
    free(r);
}

static const char *cell(const sim_results *r, int row, int col)
{
    return PQgetvalue(r->rows, row, col);
}

static void orphans(void)
{
    PGresult *res = ask("SELECT fault, count(*) FROM r1.orphan GROUP BY fault");
    if (PQntuples(res)) sim_fault("%s rows: %s", PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 0));
    PQclear(res);
}

/* One row for each of n messages; *row is behind them then. */
static bool once(const sim_results *r, int *row, sim_topic_id topic, int partition, int incarnation,
                 int64_t n)
{
    for (int64_t o = 0; o < n; o++) {
        int found = 0;
        for (; *row < r->n && !strcmp(cell(r, *row, TOPIC), sim_topic_names[topic]) &&
               strtol(cell(r, *row, PARTITION), NULL, 10) == partition &&
               strtol(cell(r, *row, INCARNATION), NULL, 10) == incarnation &&
               strtoll(cell(r, *row, OFFSET), NULL, 10) == o;
             ++*row)
            found++;
        if (found == 1) continue;
        sim_fault("%s/%d, incarnation %d, at offset %lld: expected one result, found %d",
                  sim_topic_names[topic], partition, incarnation, (long long)o, found);
        return false;
    }
    return true;
}

/* Rows come in the order of topic (labels before payments), partition, incarnation, offset. */
void sim_check_once(const sim_results *r, const sim_stream *s)
{
    int row = 0;
    const sim_topic *labels = &sim->topic[SIM_LABELS], *payments = &sim->topic[SIM_PAYMENTS];
    for (int p = 0; p < labels->n_partition; p++)
        if (!once(r, &row, SIM_LABELS, p, 1, labels->part[p].n)) return;
    for (int p = 0; p < payments->n_partition; p++) {
        bool anew = s->n_before[0] + s->n_before[1] + s->n_before[2] + s->n_before[3] > 0;
        if (anew && !once(r, &row, SIM_PAYMENTS, p, 1, s->n_before[p])) return;
        if (!once(r, &row, SIM_PAYMENTS, p, 1 + anew, payments->part[p].n)) return;
    }
    if (row != r->n) sim_fault("%d results of messages that no topic holds", r->n - row);
    orphans();
}

static uint64_t late_messages(void)
{
    uint64_t n = 0;
    for (int i = 1; i < sim->n_service; i++) n += sim->service[i].late;
    return n;
}

static const sim_results *sorted_of; /* for by_seq */

static int by_seq(const void *a, const void *b)
{
    long long x = strtoll(cell(sorted_of, *(const int *)a, SEQ), NULL, 10),
              y = strtoll(cell(sorted_of, *(const int *)b, SEQ), NULL, 10);
    return x < y ? -1 : x > y;
}

/* The rows that moved the state, in the order in which they did. */
static int in_order(const sim_results *r, int *row)
{
    int n = 0;
    for (int i = 0; i < r->n; i++)
        if (*cell(r, i, MOVES) == 't') row[n++] = i;
    sorted_of = r;
    qsort(row, (size_t)n, sizeof *row, by_seq);
    return n;
}

static bool same_cell(const sim_results *a, int i, const sim_results *b, int k, int col)
{
    return !strcmp(cell(a, i, col), cell(b, k, col));
}

static int mine[SIM_MESSAGES], other[SIM_MESSAGES];

/* The first place at which the orders differ; -1: none. */
static int mine[SIM_MESSAGES], other[SIM_MESSAGES];

static int order_differs(const sim_results *r, const sim_results *reference)
{
    int n = in_order(r, mine), n_other = in_order(reference, other);
    for (int i = 0; i < n && i < n_other; i++)
        for (int col = TOPIC; col <= OFFSET; col++)
            if (!same_cell(r, mine[i], reference, other[i], col)) return i;
    return n == n_other ? -1 : n < n_other ? n : n_other;
}

bool sim_check_equal(const sim_results *r, const sim_results *reference)
{
    int differs = order_differs(r, reference);
    if (differs >= 0 && late_messages()) return false;
    if (differs >= 0)
        sim_fault("place %d of the order: expected %s/%s at offset %s, as without faults, found "
                  "%s/%s at offset %s, and nothing was counted as late",
                  differs, cell(reference, other[differs], TOPIC),
                  cell(reference, other[differs], PARTITION),
                  cell(reference, other[differs], OFFSET), cell(r, mine[differs], TOPIC),
                  cell(r, mine[differs], PARTITION), cell(r, mine[differs], OFFSET));
    for (int i = 0; i < r->n && i < reference->n; i++)
        if (!same_cell(r, i, reference, i, TEXT))
            sim_fault("%s/%s at offset %s: %s, without faults: %s", cell(r, i, TOPIC),
                      cell(r, i, PARTITION), cell(r, i, OFFSET), cell(r, i, TEXT),
                      cell(reference, i, TEXT));
    return true;
}

static const char *header_text(const sim_message *m, const char *name)
{
    static char text[128];
    *text = 0;
    for (int i = 0; i < m->n_header; i++) {
        sim_header h = sim_header_at(m, i);
        if (!strcmp(h.name, name))
            snprintf(text, sizeof text, "%.*s", (int)h.len, (const char *)h.value);
    }
    return text;
}

/* Each decision's message is there at least once. Its id ends with ":" or "-" and the apply_seq. */
void sim_check_decisions(void)
{
    static bool sent[SIM_MESSAGES + 1];
    memset(sent, 0, sizeof sent);
    int32_t i = sim->topic[SIM_DECISIONS].part[0].first;
    for (; i >= 0; i = sim->message[i].next) {
        const char *id = header_text(&sim->message[i], "id"), *digits = id + strlen(id);
        while (digits > id && digits[-1] >= '0' && digits[-1] <= '9') digits--;
        long seq = strtol(digits, NULL, 10);
        if (seq > 0 && seq <= SIM_MESSAGES) sent[seq] = true;
    }
    PGresult *res = ask("SELECT apply_seq FROM r1.decision ORDER BY 1");
    for (int k = 0; k < PQntuples(res); k++) {
        long seq = strtol(PQgetvalue(res, k, 0), NULL, 10);
        if (seq > 0 && seq <= SIM_MESSAGES && sent[seq]) continue;
        sim_fault("the decision of apply_seq %ld was never sent to its topic", seq);
        break;
    }
    PQclear(res);
}
