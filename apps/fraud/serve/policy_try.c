/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy_try.c - see policy_try.h. */
#include "serve/policy_try.h"

#include "score/rules.h"
#include "text/r1_utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRY_BEFORE, TRY_AFTER, N_TRY, TRY_CURRENCIES = 8, TRY_LINE_BYTES = 400 };

typedef struct {
    char code[4];
    int digits;
    double fraud, caught[N_TRY]; /* minor units of payments that labels call fraud */
} try_money;

typedef struct {
    const fraud_policy *policy[N_TRY];
    fraud_pace *pace[N_TRY];
    fraud_engine *engine;
    const fraud_try_opts *o;
    int64_t from_ms, last_ms, first_ms;
    uint64_t payments, skipped, labels, fraud, other; /* other: stored decision differs */
    uint64_t action[N_TRY][FRAUD_BLOCK + 1], hits[N_TRY], labelled_alerts[N_TRY];
    uint64_t appeared, vanished, changed;
    try_money money[TRY_CURRENCIES];
    size_t n_money;
    char (*line[2])[TRY_LINE_BYTES]; /* alerts that appear, that vanish */
    r1_err *err;
    r1_status st;
} trial;

enum {
    TRY_SEQ,
    TRY_PAYLOAD,
    TRY_APPLIED,
    TRY_SCORE,
    TRY_LOGIT,
    TRY_DEGRADED,
    TRY_DECISION,
    TRY_FRAUD,
    TRY_NOTES
};
static const char *const sql_try =
    "SELECT p.apply_seq, p.payload, p.applied, d.score, d.logit, d.degraded, d.decision, "
    "(SELECT l.is_fraud FROM r1.label l WHERE l.tx_id = p.tx_id ORDER BY l.apply_seq DESC LIMIT "
    "1), p.notes "
    "FROM r1.payment p JOIN r1.decision d USING (apply_seq) WHERE p.applied AND p.ts >= "
    "to_timestamp($1::double precision / 1000) AND p.apply_seq > (SELECT max(apply_seq) FROM "
    "r1.payment) - $2::bigint ORDER BY p.apply_seq";

/* ---- one payment ---- */

static void try_label(trial *t, const fraud_payment *p, const char *label,
                      const fraud_decision d[N_TRY])
{
    bool fraud = *label == 't';
    size_t i = 0;
    t->labels++;
    for (int k = 0; k < N_TRY; k++) {
        t->labelled_alerts[k] += d[k].action != FRAUD_ALLOW;
        t->hits[k] += fraud && d[k].action != FRAUD_ALLOW;
    }
    if (!fraud) return;
    t->fraud++;
    while (i < t->n_money && strcmp(t->money[i].code, p->currency) != 0) i++;
    if (i == TRY_CURRENCIES) return;
    if (i == t->n_money) {
        memcpy(t->money[i].code, p->currency, sizeof t->money[i].code);
        t->money[i].digits = p->minor_digits;
        t->n_money++;
    }
    t->money[i].fraud += (double)p->amount_minor;
    for (int k = 0; k < N_TRY; k++)
        if (d[k].action != FRAUD_ALLOW) t->money[i].caught[k] += (double)p->amount_minor;
}

static const char *try_decider(const fraud_decision *d) { return d->rule ? d->rule : "score"; }

static void try_keep(trial *t, bool vanishes, uint64_t n, const fraud_payment *p, double score,
                     const fraud_decision d[N_TRY])
{
    if (n >= t->o->list_max) return;
    double scale = pow(10, p->minor_digits);
    snprintf(t->line[vanishes][n], TRY_LINE_BYTES,
             "%.64s  %.*f %s  %.64s -> %.64s  score %.3f  %s by %s -> %s by %s", p->tx_id,
             p->minor_digits, (double)p->amount_minor / scale, p->currency, p->from, p->to, score,
             fraud_action_name(d[TRY_BEFORE].action), try_decider(&d[TRY_BEFORE]),
             fraud_action_name(d[TRY_AFTER].action), try_decider(&d[TRY_AFTER]));
}

static void try_count(trial *t, const fraud_payment *p, const r1_rows *row,
                      const fraud_decision d[N_TRY], double score)
{
    const char *label = r1_rows_text(row, 0, TRY_FRAUD);
    bool was = d[TRY_BEFORE].action != FRAUD_ALLOW, is = d[TRY_AFTER].action != FRAUD_ALLOW;
    if (!t->payments++) t->first_ms = p->ts;
    for (int k = 0; k < N_TRY; k++) t->action[k][d[k].action]++;
    t->other +=
        strcmp(fraud_action_name(d[TRY_BEFORE].action), r1_rows_text(row, 0, TRY_DECISION)) != 0;
    t->changed += d[TRY_BEFORE].action != d[TRY_AFTER].action;
    if (is && !was) try_keep(t, false, t->appeared++, p, score, d);
    if (was && !is) try_keep(t, true, t->vanished++, p, score, d);
    if (label) try_label(t, p, label, d);
}

/* The stored score in the place of the one that the engine makes without a model. */
static void try_stored(const r1_rows *row, fraud_result *r)
{
    r->probability = strtod(r1_rows_text(row, 0, TRY_SCORE), NULL);
    r->logit = strtod(r1_rows_text(row, 0, TRY_LOGIT), NULL);
    r->degraded = *r1_rows_text(row, 0, TRY_DEGRADED) == 't';
}

static r1_status try_payment(trial *t, const r1_rows *row)
{
    fraud_payment p;
    fraud_slot *slot;
    fraud_result result;
    fraud_decision d[N_TRY];
    const char *payload = r1_rows_text(row, 0, TRY_PAYLOAD);
    if (fraud_payment_decode(payload, strlen(payload), &p, NULL) != R1_OK)
        return t->skipped++, R1_OK;
    R1_TRY(fraud_engine_apply(t->engine, &p, r1_rows_int(row, 0, TRY_SEQ), &slot, t->err));
    fraud_engine_score_by_rules(slot, &result);
    if (r1_rows_text(row, 0, TRY_LOGIT)) {
        try_stored(row, &result);
        const fraud_subject s = {&p, &result, fraud_slot_facts(slot),
                                 r1_rows_text(row, 0, TRY_NOTES)};
        for (int k = 0; k < N_TRY; k++) fraud_policy_decide(t->policy[k], t->pace[k], &s, &d[k]);
        if (p.ts >= t->from_ms) try_count(t, &p, row, d, result.probability);
        for (int k = 0; k < N_TRY; k++) fraud_decision_release(&d[k]);
    }
    fraud_slot_release(t->engine, slot);
    return R1_OK;
}

static int try_row(void *ctx, const r1_rows *row)
{
    trial *t = ctx;
    t->st = try_payment(t, row);
    return t->st != R1_OK;
}

/* ---- the report ---- */

static void print_share(FILE *out, const char *name, double before, double after, const char *unit)
{
    fprintf(out, "  %-28s %14.4g %14.4g  %s\n", name, before, after, unit);
}

static void print_labels(const trial *t)
{
    double n[N_TRY];
    FILE *out = t->o->out;
    if (!t->labels) {
        fputs("  no labels: neither precision nor recall\n", out);
        return;
    }
    for (int k = 0; k < N_TRY; k++)
        n[k] = t->labelled_alerts[k] ? (double)t->labelled_alerts[k] : 1;
    fprintf(out, "  labels: %llu, of them fraud: %llu\n", (unsigned long long)t->labels,
            (unsigned long long)t->fraud);
    print_share(out, "precision of labelled alerts", (double)t->hits[0] / n[0],
                (double)t->hits[1] / n[1], "");
    if (t->fraud)
        print_share(out, "recall", (double)t->hits[0] / (double)t->fraud,
                    (double)t->hits[1] / (double)t->fraud, "");
    for (size_t i = 0; i < t->n_money; i++) {
        const try_money *m = &t->money[i];
        double scale = pow(10, m->digits);
        print_share(out, "money caught", m->caught[0] / scale, m->caught[1] / scale, m->code);
        print_share(out, "money missed", (m->fraud - m->caught[0]) / scale,
                    (m->fraud - m->caught[1]) / scale, m->code);
    }
}

static void print_alerts(const trial *t, bool vanish, uint64_t n)
{
    fprintf(t->o->out, "%llu alerts %s%s\n", (unsigned long long)n, vanish ? "vanish" : "appear",
            n > t->o->list_max ? ", the first of them:"
            : n                ? ":"
                               : "");
    for (uint64_t i = 0; i < n && i < t->o->list_max; i++) {
        fputs("  ", t->o->out);
        r1_utf8_print(t->o->out, t->line[vanish][i]);
        fputc('\n', t->o->out);
    }
}

static void print_report(const trial *t)
{
    FILE *out = t->o->out;
    double days = (double)(t->last_ms - t->first_ms) / (double)FRAUD_DAY_MS;
    if (days < 1) days = 1;
    fprintf(out,
            "%llu payments of %.1f days, %llu decided otherwise by the first policy than "
            "stored, %llu not read\n",
            (unsigned long long)t->payments, days, (unsigned long long)t->other,
            (unsigned long long)t->skipped);
    fprintf(out, "  %-28s %14s %14s\n", "", "before", "after");
    const uint64_t(*a)[FRAUD_BLOCK + 1] = t->action;
    print_share(out, "alerts a day", (double)(a[0][1] + a[0][2]) / days,
                (double)(a[1][1] + a[1][2]) / days, "");
    for (int k = FRAUD_ALLOW; k <= FRAUD_BLOCK; k++)
        print_share(out, fraud_action_name((fraud_action)k), (double)a[0][k], (double)a[1][k],
                    "payments");
    print_labels(t);
    print_alerts(t, false, t->appeared);
    print_alerts(t, true, t->vanished);
}

/* ---- the run ---- */

static r1_status try_span(trial *t, r1_store *s, r1_err *err)
{
    r1_rows *rows;
    R1_TRY(r1_store_query(
        s, "SELECT (extract(epoch FROM max(ts)) * 1000)::bigint FROM r1.payment WHERE applied", 0,
        NULL, &rows, err));
    bool there = r1_rows_text(rows, 0, 0) != NULL;
    t->last_ms = r1_rows_int(rows, 0, 0);
    r1_rows_free(rows);
    if (!there) R1_FAIL(err, R1_E_INVAL, "expected stored payments, found none");
    t->from_ms = t->last_ms - t->o->since_ms;
    return R1_OK;
}

static r1_status try_open(trial *t, r1_err *err)
{
    const fraud_engine_opts opts = {.slots_max = 1};
    R1_TRY(fraud_engine_new(&t->engine, &opts, err));
    for (int k = 0; k < N_TRY; k++) {
        R1_TRY(fraud_pace_new(&t->pace[k], err));
        fraud_policy_pace(t->policy[k], t->pace[k]);
    }
    for (int k = 0; k < 2; k++) {
        t->line[k] = calloc(t->o->list_max + 1, sizeof *t->line[k]);
        if (!t->line[k]) R1_FAIL(err, R1_E_NOMEM, "no memory for a list of alerts");
    }
    return R1_OK;
}

static r1_status try_read(trial *t, r1_store *s, r1_err *err)
{
    char from[24], most[24];
    const char *param[] = {from, most};
    snprintf(from, sizeof from, "%lld", (long long)(t->from_ms - FRAUD_WINDOW_MS[FRAUD_W_28D]));
    snprintf(most, sizeof most, "%lld", (long long)t->o->rows_max);
    R1_TRY(r1_store_each(s, sql_try, R1_COUNT(param), param, try_row, t, err));
    return t->st;
}

r1_status fraud_policy_try(r1_store *s, const fraud_policy *before, const fraud_policy *after,
                           const fraud_try_opts *o, r1_err *err)
{
    trial *t = calloc(1, sizeof *t);
    if (!t) R1_FAIL(err, R1_E_NOMEM, "no memory to try a policy");
    t->policy[TRY_BEFORE] = before;
    t->policy[TRY_AFTER] = after;
    t->o = o;
    t->err = err;
    r1_status st = try_span(t, s, err);
    if (st == R1_OK) st = try_open(t, err);
    if (st == R1_OK) st = try_read(t, s, err);
    if (st == R1_OK) print_report(t);
    fraud_engine_free(t->engine);
    for (int k = 0; k < N_TRY; k++) fraud_pace_free(t->pace[k]);
    for (int k = 0; k < 2; k++) free(t->line[k]);
    free(t);
    return st;
}

r1_status fraud_since_parse(const char *text, int64_t *ms, r1_err *err)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"min", 60000}, {"h", 3600000}, {"d", FRAUD_DAY_MS}, {"w", 7 * FRAUD_DAY_MS}};
    char *end;
    long long n = strtoll(text, &end, 10);
    for (size_t i = 0; i < R1_COUNT(units); i++)
        if (end != text && n >= 1 && n <= 100000 && !strcmp(end, units[i].unit))
            return *ms = n * units[i].ms, R1_OK;
    R1_FAIL(err, R1_E_INVAL, "since: expected a duration such as 7d or 12h, found \"%.40s\"", text);
}
