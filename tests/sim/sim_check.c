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

/* The tables of the fraud service; the others know nothing of it. */
#define FRAUD_TABLES                                                                               \
    "relnamespace = 'r1'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND "      \
    "relname <> 'schema_migration' AND relname !~ '^(med_|dash_|case_|fraud_case)'"

/* All of them. A service of the seed before may still be on its way out:
 * its connections are ended first. */
void sim_check_clear(void)
{
    PQclear(ask("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"));
    PGresult *res = ask("SELECT 'TRUNCATE ' || string_agg(format('r1.%I', relname), ', ') || "
                        "' RESTART IDENTITY' FROM pg_class WHERE " FRAUD_TABLES);
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

/* Rows come in the order of topic (http, which no topic holds, labels, payments), partition,
 * incarnation, offset. */
void sim_check_once(const sim_results *r, const sim_stream *s)
{
    int row = 0;
    while (row < r->n && !strcmp(cell(r, row, TOPIC), "http")) row++;
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

/* Whether somebody knew of each row that was lost: a service that ran, or a snapshot. */
static bool loss_noted(void)
{
    PGresult *res = ask("SELECT coalesce(max(to_seq), 0) FROM r1.log_loss");
    int64_t to = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return to >= sim->lost_to;
}

/* The message of an id; false: the id was another payment's. */
static bool take_decision(const sim_message *m, uint32_t *sent)
{
    const char *id = header_text(m, "id"), *digits = id + strlen(id);
    while (digits > id && digits[-1] >= '0' && digits[-1] <= '9') digits--;
    long seq = strtol(digits, NULL, 10);
    const char *tx = strstr(sim->bytes + m->payload, "\"tx_id\"");
    if (seq <= 0 || seq > SIM_MESSAGES || !tx) return true;
    uint32_t of = (uint32_t)r1_hash64(tx, strcspn(tx, ","), 1) | 1, had = sent[seq];
    sent[seq] = of;
    return !had || had == of;
}

/* An id ends with ":" or "-" and the apply_seq. A loss that nobody could see may use one twice. */
void sim_check_decisions(void)
{
    static uint32_t sent[SIM_MESSAGES + 1];
    memset(sent, 0, sizeof sent);
    bool strict = loss_noted();
    for (int32_t i = sim->topic[SIM_DECISIONS].part[0].first; i >= 0; i = sim->message[i].next)
        if (!take_decision(&sim->message[i], sent) && strict)
            sim_fault("the id %s of the topic of decisions is that of two payments",
                      header_text(&sim->message[i], "id"));
    PGresult *res = ask("SELECT apply_seq FROM r1.decision ORDER BY 1");
    for (int k = 0; k < PQntuples(res); k++) {
        long seq = strtol(PQgetvalue(res, k, 0), NULL, 10);
        if (seq > 0 && seq <= SIM_MESSAGES && sent[seq]) continue;
        sim_fault("the decision of apply_seq %ld was never sent to its topic", seq);
        break;
    }
    PQclear(res);
}

void sim_check_asks(void)
{
    PGresult *res = ask("SELECT tx_id, count(*) FROM r1.payment WHERE content_hash IS NOT NULL "
                        "GROUP BY tx_id, content_hash HAVING count(*) > 1");
    if (PQntuples(res))
        sim_fault("payment %s was decided %s times", PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1));
    PQclear(res);
    for (int i = 0; i < sim->n_ask; i++) {
        const sim_ask *a = &sim->ask[i];
        char sql[200];
        snprintf(
            sql, sizeof sql,
            "SELECT p.tx_id, d.decision FROM r1.payment p JOIN r1.decision d USING (apply_seq) "
            "WHERE apply_seq = %lld",
            (long long)a->seq);
        res = ask(sql);
        bool same = PQntuples(res) == 1 && !strcmp(PQgetvalue(res, 0, 0), a->tx_id) &&
                    !strcmp(PQgetvalue(res, 0, 1), a->decision);
        if (a->answers && !same)
            sim_fault("asked for %s: %s of apply_seq %lld; the log has another row", a->tx_id,
                      a->decision, (long long)a->seq);
        PQclear(res);
    }
}

/* ---- a standby that is behind ---- */

#define EACH_TABLE "FOR t IN SELECT relname FROM pg_class WHERE " FRAUD_TABLES " LOOP "

void sim_check_standby(void)
{
    PQclear(
        ask("DO $$ DECLARE t text; BEGIN DROP SCHEMA IF EXISTS standby CASCADE; "
            "CREATE SCHEMA standby; " EACH_TABLE
            "EXECUTE format('CREATE TABLE standby.%I AS TABLE r1.%I', t, t); END LOOP; END $$"));
    sim_say("a standby stays behind");
}

static int64_t last_row(void)
{
    PGresult *res = ask("SELECT greatest((SELECT max(apply_seq) FROM r1.payment), "
                        "(SELECT max(apply_seq) FROM r1.label), 0)");
    int64_t last = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return last;
}

void sim_check_promote(void)
{
    int64_t had = last_row();
    PQclear(ask("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"));
    PQclear(ask("SET session_replication_role = replica"));
    PQclear(ask("DO $$ DECLARE t text; BEGIN " EACH_TABLE
                "EXECUTE format('DELETE FROM r1.%I', t); EXECUTE format("
                "'INSERT INTO r1.%I OVERRIDING SYSTEM VALUE TABLE standby.%I', t, t); "
                "END LOOP; END $$"));
    PQclear(ask("SET session_replication_role = origin"));
    sim->n_restart += 2;
    int64_t last = last_row();
    sim->promoted_us = sim->now_us;
    sim->lost_from = last + 1;
    if (had > last) sim->lost_to = had;
    for (int i = 0; i < sim->n_ask; i++)
        if (sim->ask[i].seq > last) sim->ask[i].answers = 0, sim->ask[i].seq = 0;
    sim_say("the standby is promoted, and %lld rows are lost", (long long)(had - last));
}
