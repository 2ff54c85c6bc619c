/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tally.c - see tally.h. */
#include "write/tally.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const double FRAUD_SCORE_EDGE[FRAUD_N_SCORE_EDGE] = {.0005, .001, .0025, .005, .01, .025, .05, .1,
                                                     .2,    .3,   .5,    .7,   .8,  .9,   .95, 1};

/* ---- counts by name ---- */

void fraud_counts_add(fraud_counts *c, const char *name, size_t len)
{
    if (len >= FRAUD_COUNT_NAME_BYTES) len = FRAUD_COUNT_NAME_BYTES - 1;
    for (size_t i = 0; i < c->n_row; i++)
        if (!strncmp(c->row[i].name, name, len) && !c->row[i].name[len]) {
            c->row[i].n++;
            return;
        }
    if (c->n_row == FRAUD_COUNTS_MAX) {
        c->other++;
        return;
    }
    memcpy(c->row[c->n_row].name, name, len);
    c->row[c->n_row].name[len] = 0;
    c->row[c->n_row++].n = 1;
}

/* A name of ours at the beginning of text, with `end` behind it; its length, or 0. */
static size_t reason_name(const char *text, char end)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    return n && n < FRAUD_COUNT_NAME_BYTES / 2 && text[n] == end ? n : 0;
}

/* The field that a reason is of: amount of "amount: expected ..." and, where a mapping file names
 * it otherwise, of "Betrag (amount): expected ...". *word points to it; returns its length. 0: the
 * text does not begin so, and a word of the message itself must not become a name. */
static size_t reason_word(const char *reason, const char **word)
{
    const char *colon = strstr(reason, ": expected "), *open = colon;
    *word = reason;
    if (!colon || colon == reason || colon[-1] != ')' || *reason == '"')
        return reason_name(reason, ':');
    while (open > reason && *open != '(') open--;
    *word = open + 1;
    size_t n = reason_name(*word, ')');
    return *word + n + 1 == colon ? n : 0;
}

static void count_reason(fraud_counts *c, const char *reason)
{
    const char *word;
    size_t n = reason_word(reason, &word);
    if (n)
        fraud_counts_add(c, word, n);
    else
        c->other++;
}

/* "unscorable: currency: expected ..." and "tx_id: expected ...". */
static void count_apart(fraud_counts *c, const fraud_record *r)
{
    char name[FRAUD_COUNT_NAME_BYTES];
    size_t rule = strlen(r->apart_rule);
    const char *reason = r->apart_text;
    if (!strncmp(reason, r->apart_rule, rule) && !strncmp(reason + rule, ": ", 2))
        reason += rule + 2;
    const char *word;
    size_t n = reason_word(reason, &word);
    int len = snprintf(name, sizeof name, "%.23s %.*s", r->apart_rule, n ? (int)n : 5,
                       n ? word : "other");
    fraud_counts_add(c, name, (size_t)len);
}

/* ---- drift ---- */

const char *fraud_drift_name(fraud_drift_column column)
{
    static const char *const names[FRAUD_N_DRIFT] = {"score", "amount", "kind", "hour"};
    return names[column];
}

static uint8_t drift_clamp(double bin)
{
    if (!(bin > 0)) return 0;
    return bin >= FRAUD_DRIFT_BINS ? FRAUD_DRIFT_BINS - 1 : (uint8_t)bin;
}

static void drift_bins(const fraud_record *r, uint8_t bin[FRAUD_N_DRIFT])
{
    const fraud_payment *p = &r->payment;
    bin[FRAUD_DRIFT_SCORE] = drift_clamp(floor((double)r->logit) + FRAUD_DRIFT_BINS / 2);
    bin[FRAUD_DRIFT_AMOUNT] = drift_clamp(p->amount_minor > 0 ? log2((double)p->amount_minor) : 0);
    bin[FRAUD_DRIFT_KIND] = drift_clamp(p->kind);
    bin[FRAUD_DRIFT_HOUR] = drift_clamp((double)(p->ts / 3600000 % 24));
}

/* Half a payment is added to each bin, so that an empty one has a logarithm. */
static double drift_psi(const uint32_t *first, const uint32_t *now)
{
    double psi = 0, n = FRAUD_DRIFT_PAYMENTS + .5 * FRAUD_DRIFT_BINS;
    for (int b = 0; b < FRAUD_DRIFT_BINS; b++) {
        double p = (first[b] + .5) / n, q = (now[b] + .5) / n;
        psi += (q - p) * log(q / p);
    }
    return psi;
}

void fraud_drift_add(fraud_drift *d, const uint8_t bin[FRAUD_N_DRIFT])
{
    bool first = d->n_first < FRAUD_DRIFT_PAYMENTS;
    for (int c = 0; c < FRAUD_N_DRIFT; c++) (first ? d->first : d->now)[c][bin[c]]++;
    ++*(first ? &d->n_first : &d->n_now);
    if (d->n_now < FRAUD_DRIFT_PAYMENTS) return;
    for (int c = 0; c < FRAUD_N_DRIFT; c++) d->psi[c] = drift_psi(d->first[c], d->now[c]);
    memset(d->now, 0, sizeof d->now);
    d->n_now = 0;
    d->windows++;
}

/* ---- one record ---- */

static void tally_stages(fraud_tally *t, const fraud_record *r, int64_t mono_us)
{
    for (int k = 0; k < FRAUD_N_CLOCK; k++) {
        int64_t from = r->clock_us[k], to = k + 1 < FRAUD_N_CLOCK ? r->clock_us[k + 1] : mono_us;
        if (from && to) r1_histogram_add(&t->stage[k], to - from);
    }
}

/* A header may hold any number: one that is more than a day off says nothing of latency. */
static void tally_arrival(fraud_tally *t, const fraud_record *r, int64_t now_us)
{
    static const int64_t day_us = INT64_C(86400000000);
    bool good = r->message.sent_us > now_us - day_us && r->message.sent_us < now_us + day_us;
    if (good)
        r1_histogram_add(&t->arrival, now_us - r->message.sent_us);
    else if (r->message.broker_ms > 0 && r->message.broker_ms < INT64_MAX / 1000)
        r1_histogram_add(&t->arrival, now_us - r->message.broker_ms * 1000);
}

static void tally_score(fraud_tally *t, const fraud_record *r)
{
    int b = 0;
    while (b < FRAUD_N_SCORE_EDGE - 1 && !((double)r->probability <= FRAUD_SCORE_EDGE[b])) b++;
    t->score[b]++;
    if (isfinite(r->probability)) t->score_sum += (double)r->probability;
    uint8_t bin[FRAUD_N_DRIFT];
    drift_bins(r, bin);
    fraud_drift_add(&t->drift, bin);
}

static void tally_record(fraud_tally *t, const fraud_record *r, int64_t now_us, int64_t mono_us)
{
    int32_t p = r->message.partition;
    t->next[r->topic][p] = r->message.offset + 1;
    t->broker_ms[r->topic][p] = r->message.broker_ms;
    if (r->kind == FRAUD_RECORD_DEAD) count_reason(&t->dead[r->stage], r->reason);
    if (r->kind == FRAUD_RECORD_LEFT_OUT)
        fraud_counts_add(&t->left_out, r->reason, strcspn(r->reason, ":"));
    if (r->kind != FRAUD_RECORD_PAYMENT) return;
    tally_stages(t, r, mono_us);
    tally_arrival(t, r, now_us);
    if (r->decision.rule) fraud_counts_add(&t->rules, r->decision.rule, strlen(r->decision.rule));
    if (r->apart_rule) {
        count_apart(&t->apart, r);
        t->foreign += r->foreign;
    } else {
        tally_score(t, r);
    }
}

void fraud_tally_begin(fraud_tally *t, const fraud_ledger *l)
{
    for (int topic = 0; topic < FRAUD_N_TOPIC; topic++)
        for (int32_t p = 0; p < l->n_partition[topic]; p++)
            t->next[topic][p] = l->claim[topic][p].next_offset;
}

void fraud_tally_commit(fraud_tally *t, fraud_record *const *r, size_t n)
{
    int64_t now = r1_time_us(), mono = r1_mono_us();
    r1_histogram_add(&t->rows, (int64_t)n);
    for (size_t i = 0; i < n; i++) tally_record(t, r[i], now, mono);
}
